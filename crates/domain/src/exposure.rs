//! The exposure list: Secrets that somebody could read, though they own none of them, in tiers. What they copied works until it is
//! rotated where it is valid, whatever becomes of their rights.
//!
//! Read is what RBAC lets be read, and what lies in a pod that they could have run something in.

use std::collections::{BTreeMap, BTreeSet};

use super::rbac::{Rbac, Reach, Who};

/// Most rows of one list.
pub const MAX_ROWS: usize = 128;

/// Verbs by which something is run in a pod: a WebSocket comes as a `get`.
const RUNS: [&str; 2] = ["create", "get"];
/// Subresources of pods by which that is done.
const INSIDE: [&str; 2] = ["pods/exec", "pods/attach"];

/// How somebody could read a Secret, the most pointed way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A role names the very Secret.
    Named,
    /// Every Secret of a namespace.
    Namespace,
    /// What pods use that they could run something in.
    Exec,
    /// Every Secret of the cluster.
    Cluster,
}

impl Tier {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "Named",
            Self::Namespace => "Namespace",
            Self::Exec => "Exec",
            Self::Cluster => "Cluster",
        }
    }
}

/// One row: Secrets that could be read, and how.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exposed {
    /// How.
    pub tier: Tier,
    /// Namespace; empty for every one.
    pub namespace: String,
    /// Name; empty for all there, or, of `Exec`, for whatever pods use there.
    pub name: String,
}

/// What somebody who is all of these could read, pods by their namespace with the Secrets that each uses. A namespace whose pods are
/// not known is a row without a name.
#[must_use]
pub fn exposed(
    rbac: &Rbac,
    who: &BTreeSet<Who>,
    used: &BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
) -> Vec<Exposed> {
    let read = rbac.reads(who, "", "secrets");
    let mut rows = BTreeSet::new();
    if read.everywhere {
        rows.insert(row(Tier::Cluster, "", ""));
    }
    rows.extend(read.namespaces.iter().map(|namespace| row(Tier::Namespace, namespace, "")));
    let named = read.named.iter().filter(|(namespace, _)| !read.namespaces.contains(namespace));
    rows.extend(named.map(|(namespace, name)| row(Tier::Named, namespace, name)));
    for inside in INSIDE.map(|resource| rbac.reach(who, &RUNS, "", resource)) {
        rows.extend(by_exec(&inside, used).into_iter().filter(|one| !one.is_in(&read)));
    }
    // A cluster that is read whole needs no second row.
    rows.into_iter().filter(|one| !read.everywhere || one.tier == Tier::Cluster).collect()
}

fn row(tier: Tier, namespace: &str, name: &str) -> Exposed {
    Exposed { tier, namespace: namespace.to_owned(), name: name.to_owned() }
}

impl Exposed {
    /// Whether they could read it without a pod.
    fn is_in(&self, read: &Reach) -> bool {
        read.everywhere
            || read.namespaces.contains(&self.namespace)
            || (!self.name.is_empty() && read.holds(&self.namespace, &self.name))
    }
}

fn by_exec(inside: &Reach, used: &BTreeMap<String, BTreeMap<String, BTreeSet<String>>>) -> BTreeSet<Exposed> {
    let mut rows = BTreeSet::new();
    if inside.everywhere {
        rows.insert(row(Tier::Exec, "", ""));
    }
    for namespace in &inside.namespaces {
        match used.get(namespace) {
            Some(pods) => rows.extend(pods.values().flatten().map(|name| row(Tier::Exec, namespace, name))),
            None => drop(rows.insert(row(Tier::Exec, namespace, ""))),
        }
    }
    for (namespace, pod) in inside.named.iter().filter(|(namespace, _)| !inside.namespaces.contains(namespace)) {
        match used.get(namespace).map(|pods| pods.get(pod)) {
            Some(secrets) => rows.extend(secrets.into_iter().flatten().map(|name| row(Tier::Exec, namespace, name))),
            None => drop(rows.insert(row(Tier::Exec, namespace, ""))),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::rbac::{RoleBound, Rule};
    use super::*;

    fn rule(verbs: &[&str], resources: &[&str], names: &[&str]) -> Rule {
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Rule { verbs: all(verbs), groups: vec![String::new()], resources: all(resources), names: all(names) }
    }

    /// Ada, bound to one role in each of these places.
    fn told(bound: Vec<(&str, Rule)>, used: bool) -> Vec<String> {
        let ada = Who::User("oidc:ada@example.com".into());
        let mut rbac = Rbac::default();
        for (at, (namespace, rule)) in bound.into_iter().enumerate() {
            let role = (namespace.to_owned(), format!("role-{at}"));
            let subjects = vec![ada.clone()];
            rbac.roles.insert(role.clone(), vec![rule]);
            rbac.bindings.push(RoleBound { namespace: namespace.into(), name: format!("b-{at}"), role, subjects });
        }
        let pods = BTreeMap::from([
            ("web-1".to_owned(), BTreeSet::from(["db".to_owned()])),
            ("other".to_owned(), BTreeSet::from(["tls".to_owned()])),
        ]);
        let used = if used { BTreeMap::from([("apps".to_owned(), pods)]) } else { BTreeMap::new() };
        let rows = exposed(&rbac, &BTreeSet::from([ada]), &used);
        rows.into_iter().map(|one| format!("{} {}/{}", one.tier.as_str(), one.namespace, one.name)).collect()
    }

    #[test]
    fn what_could_be_read_is_listed_by_how_it_could_be_read() {
        let secrets = |names: &[&str]| rule(&["get"], &["secrets"], names);
        let exec = |names: &[&str]| rule(&["create"], &["pods/exec"], names);
        let cases = [
            ("nothing", vec![("apps", rule(&["get"], &["pods"], &[]))], true, vec![]),
            ("one by name", vec![("apps", secrets(&["db"]))], true, vec!["Named apps/db"]),
            (
                "all of a namespace, and one of them by name",
                vec![("apps", secrets(&[])), ("apps", secrets(&["db"]))],
                true,
                vec!["Namespace apps/"],
            ),
            ("inside every pod", vec![("apps", exec(&[]))], true, vec!["Exec apps/db", "Exec apps/tls"]),
            ("inside one pod", vec![("apps", exec(&["web-1"]))], true, vec!["Exec apps/db"]),
            (
                "attached to it",
                vec![("apps", rule(&["get"], &["pods/attach"], &["web-1"]))],
                true,
                vec!["Exec apps/db"],
            ),
            ("inside pods that nobody may list", vec![("apps", exec(&[]))], false, vec!["Exec apps/"]),
            ("inside a pod that is gone", vec![("apps", exec(&["gone"]))], true, vec![]),
            (
                "by name and by exec",
                vec![("apps", secrets(&["db"])), ("apps", exec(&[]))],
                true,
                vec!["Named apps/db", "Exec apps/tls"],
            ),
            ("all by both", vec![("apps", secrets(&[])), ("apps", exec(&[]))], true, vec!["Namespace apps/"]),
            ("everything", vec![("", secrets(&[])), ("apps", exec(&[]))], true, vec!["Cluster /"]),
            ("inside every pod of the cluster", vec![("", exec(&[]))], true, vec!["Exec /"]),
        ];
        for (what, bound, used, expected) in cases {
            assert_eq!(told(bound, used), expected, "{what}");
        }
    }
}
