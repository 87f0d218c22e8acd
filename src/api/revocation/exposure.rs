//! The exposure list: Secrets that the person could read, though they own none of them; and where they could open a session.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use domain::exposure::{Exposed, Tier};
use domain::rbac::Reach;
use domain::sessions::Places;

/// Secrets that the person could read when their cut was planned, though they own none of them: what they copied works until it is
/// rotated where it is valid. And where they could open a session, which goes on until it is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exposure {
    /// When roles and bindings were read, in UTC.
    pub at: Timestamp,
    /// What could be read, the most pointed way first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub secrets: Vec<ExposedSecret>,
    /// How many rows there are beyond these.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub more: u32,
    /// Where they could open a session by a right of their own user names: what groups give is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
}

/// Where somebody could exec, attach, port-forward, or add a container to a pod that runs. What they opened goes on until it is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sessions {
    /// In every pod of the cluster.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everywhere: bool,
    /// In every pod of these namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub namespaces: Vec<String>,
    /// In these pods, as `namespace/name`; `*/name` is of every namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 320)))]
    pub pods: Vec<String>,
    /// In any pod of a node, by `nodes/proxy`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nodes: bool,
    /// How many namespaces and pods there are beyond these.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub more: u32,
}

/// What stands for every namespace.
const EVERY: &str = "*";

impl Sessions {
    /// As they are written down; none where it is nowhere. A name that no pod can have is of no pod.
    #[must_use]
    pub fn of(places: &Places) -> Option<Self> {
        let every = |namespace: &str| if namespace.is_empty() { EVERY.to_owned() } else { namespace.to_owned() };
        let pods = places.pods.named.iter().map(|(namespace, name)| format!("{}/{name}", every(namespace)));
        (!places.is_nothing()).then(|| Self {
            everywhere: places.pods.everywhere,
            namespaces: places.pods.namespaces.iter().cloned().collect(),
            pods: pods.filter(|pod| pod.len() <= 320).collect(),
            nodes: places.nodes,
            more: u32::try_from(places.more).unwrap_or(u32::MAX),
        })
    }
}

impl From<&Sessions> for Places {
    fn from(written: &Sessions) -> Self {
        let named = written.pods.iter().filter_map(|pod| pod.split_once('/')).map(|(namespace, name)| {
            let namespace = if namespace == EVERY { "" } else { namespace };
            (namespace.to_owned(), name.to_owned())
        });
        let pods = Reach {
            everywhere: written.everywhere,
            namespaces: written.namespaces.iter().cloned().collect(),
            named: named.collect(),
        };
        Self { pods, nodes: written.nodes, more: usize::try_from(written.more).unwrap_or(usize::MAX) }
    }
}

/// Secrets that could be read, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExposedSecret {
    /// How they could be read.
    pub tier: ExposureTier,
    /// Namespace; empty for every one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Name; empty for all there, or, of `Exec`, for whatever pods use there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub name: String,
}

/// How a Secret could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExposureTier {
    /// A role names the very Secret.
    Named,
    /// Every Secret of a namespace.
    Namespace,
    /// What pods use that the person could run something in, by `exec` or `attach`.
    Exec,
    /// Every Secret of the cluster.
    Cluster,
}

impl From<Exposed> for ExposedSecret {
    fn from(exposed: Exposed) -> Self {
        Self {
            tier: match exposed.tier {
                Tier::Named => ExposureTier::Named,
                Tier::Namespace => ExposureTier::Namespace,
                Tier::Exec => ExposureTier::Exec,
                Tier::Cluster => ExposureTier::Cluster,
            },
            namespace: exposed.namespace,
            name: exposed.name.chars().take(253).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_sessions_may_be_open_is_read_back_as_it_was_found() {
        let named = [("apps", "web-1"), ("", "db-0")].map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
        let pods = Reach { everywhere: true, namespaces: ["apps".to_owned()].into(), named: named.into() };
        let places = Places { pods, nodes: true, more: 3 };
        let written = Sessions::of(&places).unwrap();
        assert_eq!(written.pods, ["*/db-0", "apps/web-1"]);
        assert_eq!(Places::from(&written), places);
        assert_eq!(Sessions::of(&Places::default()), None);
    }
}
