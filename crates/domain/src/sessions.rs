//! Open sessions: the pods in which somebody who left may have an exec, attach or port-forward open, and which of them are evicted.
//!
//! The API server asks who somebody is when a session is opened, and never again, so it outlives every right. It ends with its pod.
//! What RBAC gave their own user names is known; what a group of the identity provider gave is not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::plan::{Action, ClusterInventory, Kind, Protected, Remaining, RemainingReason, Target, described, reach};
use super::rbac::{Rbac, Reach, Who};
use super::rotation::adoption::{Maker, WorkloadKind};
use super::waves::{self, Pod};

/// Most pods that are evicted for one leaver: somebody with `exec` in a whole cluster must not have it restarted.
pub const MAX_PODS: usize = 64;
/// Most places of one leaver that are written down, of each kind.
pub const MAX_PLACES: usize = 64;
/// Most rows of what remains.
const MAX_ROWS: usize = 64;

/// How long after the user names were frozen a session may still have been opened: the API server sees the list a moment later, and two
/// clocks are compared, one of them in whole seconds.
const IN_FORCE: SignedDuration = SignedDuration::from_secs(5);

/// Verbs by which a session is opened: a WebSocket comes as a `get`.
const OPENS: [&str; 2] = ["create", "get"];
/// Subresources of pods by which that is done.
const STREAMS: [&str; 3] = ["pods/exec", "pods/attach", "pods/portforward"];
/// Verbs by which a container of one's own is put into a pod that runs.
const CHANGES: [&str; 2] = ["patch", "update"];

/// Where somebody could have opened a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Pods.
    pub pods: Reach,
    /// Whether also in any pod of a node, past the API server's rules on pods: `nodes/proxy`.
    pub nodes: bool,
    /// How many places there are beyond these.
    pub more: usize,
}

impl Places {
    /// Where RBAC lets somebody who is all of these open a session; bounded, with how much was left out.
    #[must_use]
    pub fn of(rbac: &Rbac, who: &BTreeSet<Who>) -> Self {
        let streams = STREAMS.map(|resource| rbac.reach(who, &OPENS, "", resource));
        let debug = rbac.reach(who, &CHANGES, "", "pods/ephemeralcontainers");
        let mut pods = Reach::default();
        for reach in streams.into_iter().chain([debug]) {
            pods.everywhere |= reach.everywhere;
            pods.namespaces.extend(reach.namespaces);
            pods.named.extend(reach.named);
        }
        pods.named.retain(|(namespace, _)| !pods.namespaces.contains(namespace));
        // A node belongs to no namespace: a role that is bound in one gives none of it.
        let nodes = rbac.reach(who, &OPENS, "", "nodes/proxy");
        let nodes = nodes.everywhere || nodes.named.iter().any(|(namespace, _)| namespace.is_empty());
        let more = pods.namespaces.len().saturating_sub(MAX_PLACES);
        let more = more.saturating_add(pods.named.len().saturating_sub(MAX_PLACES));
        pods.namespaces = pods.namespaces.into_iter().take(MAX_PLACES).collect();
        pods.named = pods.named.into_iter().take(MAX_PLACES).collect();
        Self { pods, nodes, more }
    }

    /// Whether it is nowhere.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.pods.is_nothing() && !self.nodes && self.more == 0
    }

    /// Whether a right of theirs is of this very namespace, or of pods in it, and not of all.
    fn point_to(&self, namespace: &str) -> bool {
        self.pods.namespaces.contains(namespace) || self.pods.named.iter().any(|(place, _)| place == namespace)
    }
}

/// Whether pods of a namespace may be evicted at all: it consented to `workloads`, nothing protects it, and it is neither the system's
/// nor Rollcall's.
#[must_use]
pub fn may_evict_in(namespace: &str, world: &ClusterInventory, protected: &Protected) -> bool {
    let consents = world.consents.get(namespace).is_some_and(|consent| consent.workloads);
    consents && reach::place(namespace, "", false, world, protected).is_none()
}

/// Whether a session of theirs may be open in this pod: they could open one, and it was there before that was refused to them.
#[must_use]
pub fn may_be_open_in(places: &Places, namespace: &str, name: &str, created: Timestamp, frozen: Timestamp) -> bool {
    let last = frozen.checked_add(IN_FORCE).unwrap_or(Timestamp::MAX);
    places.pods.holds(namespace, name) && created.as_second() <= last.as_second()
}

/// Whether a pod comes back as it was when it is evicted, and nobody said to keep away from it. One of a Job would count as failed, one
/// of a DaemonSet serves its whole node, and a static pod is no API server's to end.
#[must_use]
pub fn comes_back(maker: &Maker, break_glass: bool) -> bool {
    !break_glass
        && match maker {
            Maker::Workload(one) => one.kind != WorkloadKind::DaemonSet,
            Maker::Other(kind, _) => ["ReplicaSet", "ReplicationController"].contains(&kind.as_str()),
            Maker::Nobody => false,
        }
}

/// Which pods are evicted, and what is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked {
    /// Pods, by uid.
    pub targets: Vec<Target>,
    /// Where a session may go on.
    pub remaining: Vec<Remaining>,
    /// How many workloads the pods are of.
    pub workloads: u32,
}

/// Picks the pods that are evicted: those of before `frozen`, of the namespaces whose `pods` are given, which may be evicted in.
///
/// A workload is taken whole or not at all, and small ones first, so that many pods of one keep nobody else's from being evicted. Rights
/// that name a namespace or a pod go before those that are of all.
#[must_use]
pub fn pick(places: &Places, pods: &BTreeMap<String, Vec<Pod>>, frozen: Timestamp) -> Picked {
    let mut rows = BTreeSet::new();
    let mut all: Vec<(&str, &Maker, Vec<&Pod>)> = Vec::new();
    for (namespace, pods) in pods {
        let open = |pod: &&Pod| may_be_open_in(places, namespace, &pod.name, pod.created, frozen);
        let (evicted, left): (Vec<&Pod>, Vec<&Pod>) =
            pods.iter().filter(open).partition(|pod| comes_back(&pod.maker, pod.break_glass));
        rows.extend(left.iter().map(|pod| remains(described(Kind::Pod, namespace, &pod.name))));
        let mut workloads: BTreeMap<&Maker, Vec<&Pod>> = BTreeMap::new();
        evicted.into_iter().for_each(|pod| workloads.entry(&pod.maker).or_default().push(pod));
        all.extend(workloads.into_iter().map(|(maker, pods)| (namespace.as_str(), maker, pods)));
    }
    rows.extend(unseen(places, pods));
    all.sort_by_key(|(namespace, maker, pods)| (!places.point_to(namespace), pods.len(), *namespace, *maker));
    let (mut targets, mut workloads) = (Vec::new(), 0_u32);
    for (namespace, _, pods) in all {
        if targets.len().saturating_add(pods.len()) > MAX_PODS {
            let what = of_namespace(namespace);
            rows.insert(Remaining { what, why: RemainingReason::TooManyPods, heir: None });
            continue;
        }
        workloads = workloads.saturating_add(1);
        targets.extend(pods.into_iter().map(|pod| target(namespace, pod)));
    }
    targets.sort();
    Picked { targets, remaining: few(rows), workloads }
}

fn target(namespace: &str, pod: &Pod) -> Target {
    Target {
        action: Action::Evict,
        kind: Kind::Pod,
        namespace: namespace.to_owned(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        heir: None,
        why: format!("a session of theirs may be open in it, and {} makes it again", waves::named(&pod.maker)),
    }
}

fn remains(what: String) -> Remaining {
    Remaining { what, why: RemainingReason::OpenSessions, heir: None }
}

/// All pods of a namespace, as what remains.
#[must_use]
pub fn of_namespace(namespace: &str) -> String {
    format!("pods of namespace {namespace}")
}

/// Places where nobody looked, as what remains.
fn unseen(places: &Places, seen: &BTreeMap<String, Vec<Pod>>) -> Vec<Remaining> {
    let unseen = |namespace: &&String| !seen.contains_key(*namespace);
    let whole = places.pods.namespaces.iter().filter(unseen).map(|one| of_namespace(one));
    let named = places.pods.named.iter().filter(|(namespace, _)| !namespace.is_empty() && unseen(&namespace));
    let named = named.map(|(namespace, pod)| described(Kind::Pod, namespace, pod));
    let everywhere = places.pods.everywhere || places.pods.named.iter().any(|(namespace, _)| namespace.is_empty());
    let others = everywhere.then(|| "pods of all other namespaces".to_owned());
    let nodes = places.nodes.then(|| "pods of every node, by nodes/proxy".to_owned());
    let more = (places.more > 0).then(|| format!("pods in {} places more", places.more));
    whole.chain(named).chain(others).chain(nodes).chain(more).map(remains).collect()
}

/// So many rows, and how many there are more.
fn few(rows: BTreeSet<Remaining>) -> Vec<Remaining> {
    let more = rows.len().saturating_sub(MAX_ROWS);
    let mut rows: Vec<Remaining> = rows.into_iter().rev().take(MAX_ROWS).collect(); // places before single pods
    rows.reverse();
    if more > 0 {
        rows.push(remains(format!("{more} pods or places more")));
    }
    rows
}

#[cfg(test)]
mod tests;
