//! The exposure list: Secrets that the person could read, though they own none of them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use domain::exposure::{Exposed, Tier};

/// Secrets that the person could read when their cut was planned, though they own none of them. What they copied works until it is
/// rotated where it is valid.
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
