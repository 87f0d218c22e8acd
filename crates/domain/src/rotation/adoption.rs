//! Whether a new value is in use: has every pod that uses the Secret been started after it was written?
//!
//! A value in an environment variable or a subPath mount is old until the pod is replaced. A mounted Secret follows within about a
//! minute, and the program must read it again: only its owner knows whether it does, and says so with an annotation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

/// A pod that runs, or may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// When it was created, by the API server's clock, in whole seconds.
    pub created: Timestamp,
    /// Secrets it uses, and whether it can only ever have the value that it was started with.
    pub uses: BTreeMap<String, bool>,
    /// Whether its owner declared that it reads mounted Secrets again.
    pub reloads: bool,
    /// What makes it.
    pub maker: Maker,
}

/// What makes a pod, and would make it again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Maker {
    /// Something that replaces its pods in order.
    Workload(Workload),
    /// Something that does not: a Job, another kind. Kind and name.
    Other(String, String),
    /// Nothing.
    Nobody,
}

/// Something that replaces its pods in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// Which of the three.
    pub kind: WorkloadKind,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
}

/// Kinds that replace their pods when their template changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
}

impl WorkloadKind {
    /// Its spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }

    /// Its plural, as paths have it.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
        }
    }
}

/// Who has a new value, and who has the old one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// Pods that use the Secret.
    pub pods: usize,
    /// Those that may have the old value, by what makes them.
    pub old: BTreeMap<Maker, BTreeSet<String>>,
    /// Whether some of these are waited for to read it again.
    pub reloading: bool,
}

/// Longest text on who has the old value, in characters.
const LONGEST: usize = 400;

impl Adoption {
    /// Whether every pod has the new value.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.old.is_empty()
    }

    /// Workloads whose pods would have the new value after a restart.
    pub fn restartable(&self) -> impl Iterator<Item = &Workload> {
        self.old.keys().filter_map(|maker| match maker {
            Maker::Workload(workload) => Some(workload),
            Maker::Other(..) | Maker::Nobody => None,
        })
    }
}

impl fmt::Display for Adoption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let old: usize = self.old.values().map(BTreeSet::len).sum();
        match (self.pods, old) {
            (0, _) => return f.write_str("no pod uses it"),
            (pods, 0) => return write!(f, "all {pods} pods that use it were started after the new value was written"),
            (pods, old) => write!(f, "{old} of {pods} pods that use it have the old value: ")?,
        }
        let each = self.old.iter().flat_map(|(maker, pods)| match maker {
            Maker::Workload(one) => vec![format!("{} {} ({})", one.kind.as_str(), one.name, pods.len())],
            Maker::Other(kind, name) => vec![format!("{kind} {name} ({})", pods.len())],
            Maker::Nobody => pods.iter().map(|pod| format!("Pod {pod}")).collect(),
        });
        let mut text = each.collect::<Vec<_>>().join(", ");
        if text.chars().count() > LONGEST {
            text = text.chars().take(LONGEST).chain("…".chars()).collect();
        }
        f.write_str(&text)
    }
}

/// Judges who has the value that was written then. `followed` says whether mounted Secrets have had the time to follow.
///
/// Both instants are the API server's, in whole seconds: a pod of the very second may have been started before, and counts as old.
#[must_use]
pub fn judge(secret: &str, written: Timestamp, followed: bool, pods: &[Pod]) -> Adoption {
    let mut adoption = Adoption::default();
    for pod in pods {
        let Some(fixed) = pod.uses.get(secret) else { continue };
        adoption.pods = adoption.pods.saturating_add(1);
        let reloads = pod.reloads && !fixed;
        if pod.created.as_second() > written.as_second() || (reloads && followed) {
            continue;
        }
        adoption.reloading |= reloads;
        // One that reads it again by itself is nobody's to restart.
        let maker = if reloads { Maker::Nobody } else { pod.maker.clone() };
        adoption.old.entry(maker).or_default().insert(pod.name.clone());
    }
    adoption
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn web() -> Maker {
        Maker::Workload(Workload { kind: WorkloadKind::Deployment, name: "web".into(), uid: "w".into() })
    }

    fn pod(name: &str, created: i64, maker: Maker) -> Pod {
        let uses = BTreeMap::from([("db".to_owned(), true), ("tls".to_owned(), false)]);
        Pod { name: name.into(), created: at(created), uses, reloads: false, maker }
    }

    #[test]
    fn a_pod_has_the_new_value_only_if_it_was_started_after_it_was_written() {
        let reloads = |secret: &'static str| (secret, Pod { reloads: true, ..pod("w", 9, web()) });
        for (what, (secret, pod), followed, expected) in [
            ("started after", ("db", pod("w", 11, web())), false, true),
            ("in the same second", ("db", pod("w", 10, web())), false, false),
            ("before", ("db", pod("w", 9, web())), true, false),
            ("does not use it", ("other", pod("w", 9, web())), false, true),
            ("reads it again, and has had the time", reloads("tls"), true, true),
            ("reads it again, and has not", reloads("tls"), false, false),
            ("says that it reads its environment again, which nothing can", reloads("db"), true, false),
        ] {
            assert_eq!(judge(secret, at(10), followed, &[pod]).is_complete(), expected, "{what}");
        }
    }

    #[test]
    fn who_has_the_old_value_is_said_with_how_many_and_only_what_restarts_is_restarted() {
        let job = || Maker::Other("Job".into(), "import".into());
        let pods = [
            pod("web-1", 9, web()),
            pod("web-2", 8, web()),
            pod("web-3", 11, web()),
            pod("import-1", 9, job()),
            pod("alone", 9, Maker::Nobody),
        ];
        let adoption = judge("db", at(10), false, &pods);
        let said = "4 of 5 pods that use it have the old value: Deployment web (2), Job import (1), Pod alone";
        assert_eq!(adoption.to_string(), said);
        assert_eq!(adoption.restartable().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["web"]);
        let reloading = judge("tls", at(10), false, &[Pod { reloads: true, ..pod("web-1", 9, web()) }]);
        assert!(reloading.reloading && reloading.restartable().next().is_none(), "it is left to read it again");
        assert_eq!(judge("none", at(10), false, &pods).to_string(), "no pod uses it");
        let many: Vec<Pod> = (0..200).map(|number| pod(&format!("alone-{number}"), 9, Maker::Nobody)).collect();
        assert!(judge("db", at(10), false, &many).to_string().chars().count() < 512);
    }
}
