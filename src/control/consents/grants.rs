//! Which bindings name the revoker or control, and which answers no longer hold when one of them, or its role, changes. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::rbac::v1::{RoleRef, Subject};

use crate::control::Options;

/// What was last seen of the bindings and roles that matter. Pure.
#[derive(Debug, Default)]
pub struct Grants {
    /// Subjects that are the revoker, control or `rollcall trim`: accounts as `namespace/name`, users and groups by name.
    ours: BTreeSet<String>,
    /// Namespace and name of each binding that names one of them, to the namespace and name of its role.
    pub bindings: BTreeMap<(String, String), (String, String)>,
    /// Versions of the roles that were seen, of those that a binding names.
    roles: HashMap<(String, String), String>,
    /// Namespaces where something was ever owned.
    pub owned: BTreeSet<String>,
    /// What has to be asked again.
    pub stale: Stale,
}

/// What has to be asked again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stale {
    /// Everything: something changed that is for the whole cluster.
    pub all: bool,
    /// These namespaces.
    pub namespaces: BTreeSet<String>,
}

impl Grants {
    /// Nothing seen yet.
    pub fn new(options: &Options) -> Self {
        let mut ours = BTreeSet::from(["system:authenticated".to_owned(), "system:serviceaccounts".to_owned()]);
        let [control, trim] = ["control", "trim"].map(|part| format!("{}-{part}", options.instance));
        let home = &options.namespace;
        for (namespace, account) in
            [(&options.revoker_namespace, &options.revoker_account), (home, &control), (home, &trim)]
        {
            ours.insert(format!("{namespace}/{account}"));
            ours.insert(format!("system:serviceaccount:{namespace}:{account}"));
            ours.insert(format!("system:serviceaccounts:{namespace}"));
        }
        Self { ours, ..Self::default() }
    }

    fn names_us(&self, namespace: &str, subjects: &[Subject]) -> bool {
        subjects.iter().any(|subject| match subject.kind.as_str() {
            "ServiceAccount" => {
                let of = subject.namespace.as_deref().unwrap_or(namespace);
                self.ours.contains(&format!("{of}/{}", subject.name))
            }
            _ => self.ours.contains(&subject.name),
        })
    }

    /// Says whether anything has to be asked again.
    pub fn binding(&mut self, namespace: &str, name: &str, grants: Option<(&RoleRef, &[Subject])>) -> bool {
        let key = (namespace.to_owned(), name.to_owned());
        let now = grants.filter(|(_, subjects)| self.names_us(namespace, subjects)).map(|(role, _)| {
            let of = if role.kind == "Role" { namespace } else { "" };
            (of.to_owned(), role.name.clone())
        });
        let before = match now.clone() {
            Some(role) => self.bindings.insert(key, role),
            None => self.bindings.remove(&key),
        };
        before != now && self.again(namespace)
    }

    /// Says whether anything has to be asked again.
    pub fn role(&mut self, namespace: &str, name: &str, version: &str) -> bool {
        let role = (namespace.to_owned(), name.to_owned());
        let users: Vec<String> =
            self.bindings.iter().filter(|(_, named)| **named == role).map(|((place, _), _)| place.clone()).collect();
        if users.is_empty() {
            return false;
        }
        // The first time its version is learnt, and the answers, if there are any, are of the same list or later.
        match self.roles.insert(role, version.to_owned()) {
            Some(before) if before != version => {
                for place in &users {
                    self.again(place);
                }
                true
            }
            _ => false,
        }
    }

    fn again(&mut self, namespace: &str) -> bool {
        if namespace.is_empty() {
            self.stale.all = true;
        } else {
            self.stale.namespaces.insert(namespace.to_owned());
        }
        true
    }
}
