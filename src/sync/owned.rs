//! What in the cluster carries an owner mark, or names a user: enough to know who owns something here, and no more.
//!
//! Of an account its mark is kept, of a binding the users it names. An event wakes the policies only if one of those
//! changed: accounts without a mark come and go in any cluster, and are nobody's business.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, PoisonError, RwLock};

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, Subject};
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher::Event;
use tokio::sync::watch;

use crate::api::names;
use domain::marks::digest;
use domain::ownership;

/// Users of Kubernetes itself, and the user names that stand for accounts.
const SYSTEM: &str = "system:";

/// Kind, namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for cluster-scoped ones.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObjectKey {
    fn of(kind: &'static str, meta: &ObjectMeta) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self { kind, namespace: text(&meta.namespace), name: text(&meta.name) }
    }
}

/// What is watched, and what is kept of each object of it.
pub trait Watched {
    /// What is kept.
    type Kept: Clone + Default + PartialEq;
    /// Where it is, and what is kept of it.
    fn keep(&self) -> (ObjectKey, Self::Kept);
}

impl Watched for PartialObjectMeta<ServiceAccount> {
    type Kept = Option<String>;

    fn keep(&self) -> (ObjectKey, Option<String>) {
        let annotations = self.metadata.annotations.as_ref();
        (ObjectKey::of("ServiceAccount", &self.metadata), annotations.and_then(|all| all.get(names::OWNER)).cloned())
    }
}

impl Watched for RoleBinding {
    type Kept = BTreeSet<String>;

    fn keep(&self) -> (ObjectKey, BTreeSet<String>) {
        (ObjectKey::of("RoleBinding", &self.metadata), users(self.subjects.as_deref()))
    }
}

impl Watched for ClusterRoleBinding {
    type Kept = BTreeSet<String>;

    fn keep(&self) -> (ObjectKey, BTreeSet<String>) {
        (ObjectKey::of("ClusterRoleBinding", &self.metadata), users(self.subjects.as_deref()))
    }
}

fn users(subjects: Option<&[Subject]>) -> BTreeSet<String> {
    let subjects = subjects.unwrap_or_default().iter();
    let users = subjects.filter(|subject| subject.kind == "User" && !subject.name.starts_with(SYSTEM));
    users.map(|subject| subject.name.clone()).collect()
}

/// Whether the objects of a kind are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listing {
    NotYet,
    Refused,
    Listed,
}

/// Objects of one kind.
#[derive(Debug)]
pub struct Objects<V> {
    kept: RwLock<HashMap<ObjectKey, V>>,
    listed: Mutex<HashMap<ObjectKey, V>>,
    known: watch::Sender<Listing>,
}

impl<V> Default for Objects<V> {
    fn default() -> Self {
        Self { kept: RwLock::default(), listed: Mutex::default(), known: watch::Sender::new(Listing::NotYet) }
    }
}

impl<V: Clone + Default + PartialEq> Objects<V> {
    /// Takes an event over; says whether anything of what is kept is another one now.
    pub fn see<K: Watched<Kept = V>>(&self, event: Event<K>) -> bool {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut current = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        let nothing = V::default();
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) => {
                let (place, kept) = object.keep();
                listed.insert(place, kept);
            }
            Event::InitDone => {
                let before = std::mem::replace(&mut *current, std::mem::take(&mut *listed));
                let differs = |one: &HashMap<ObjectKey, V>, other: &HashMap<ObjectKey, V>| {
                    one.iter().any(|(place, kept)| other.get(place).unwrap_or(&nothing) != kept)
                };
                let changed = differs(&before, &current) || differs(&current, &before);
                return self.known.send_replace(Listing::Listed) != Listing::Listed || changed;
            }
            Event::Apply(object) => {
                let (place, kept) = object.keep();
                let changed = current.get(&place).unwrap_or(&nothing) != &kept;
                current.insert(place, kept);
                return changed;
            }
            Event::Delete(object) => {
                return current.remove(&object.keep().0).is_some_and(|before| before != nothing);
            }
        }
        false
    }

    /// The watch failed. Before the first list, nobody waits for it any longer.
    pub fn interrupted(&self) {
        self.known.send_if_modified(|known| {
            let first = *known == Listing::NotYet;
            *known = if first { Listing::Refused } else { *known };
            first
        });
    }

    async fn asked(&self) {
        let mut known = self.known.subscribe();
        if known.wait_for(|known| *known != Listing::NotYet).await.is_err() {
            std::future::pending::<()>().await; // the sender lives as long as `self`
        }
    }

    fn seen(&self) -> Option<HashMap<ObjectKey, V>> {
        let listed = *self.known.borrow() == Listing::Listed;
        listed.then(|| self.kept.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Everything in the cluster that can be somebody's.
#[derive(Debug, Default)]
pub struct Owned {
    /// ServiceAccounts, with their marks.
    pub accounts: Objects<Option<String>>,
    /// RoleBindings, with the users they name.
    pub role_bindings: Objects<BTreeSet<String>>,
    /// ClusterRoleBindings, with the users they name.
    pub cluster_role_bindings: Objects<BTreeSet<String>>,
}

impl Owned {
    /// Waits until everything was listed once, or was refused.
    pub async fn ready(&self) {
        futures::join!(self.accounts.asked(), self.role_bindings.asked(), self.cluster_role_bindings.asked());
    }

    /// What is there now; none while not everything is known.
    #[must_use]
    pub fn seen(&self) -> Option<OwnedKeys> {
        let bindings = self.role_bindings.seen()?.into_iter().chain(self.cluster_role_bindings.seen()?);
        Some(OwnedKeys {
            accounts: self.accounts.seen()?,
            bindings: bindings.filter(|(_, users)| !users.is_empty()).collect(),
            holders: HashSet::new(),
        })
    }
}

/// What is there at one moment.
#[derive(Clone, Debug, Default)]
pub struct OwnedKeys {
    /// Accounts, with their marks.
    pub accounts: HashMap<ObjectKey, Option<String>>,
    /// Bindings that name users, with those.
    pub bindings: BTreeMap<ObjectKey, BTreeSet<String>>,
    /// Digests of those who own a Secret, as control wrote them.
    pub holders: HashSet<String>,
}

impl OwnedKeys {
    /// Everything that marks and bindings name, as `id:hq/7`, `email:…` or `user:…`.
    #[must_use]
    pub fn keys(&self) -> HashSet<String> {
        let marks = self.accounts.values().flatten().filter_map(|mark| ownership::key(mark));
        let users = self.bindings.values().flatten().map(|user| ownership::user_key(user));
        marks.chain(users).collect()
    }

    /// Whether somebody who is known by this key owns a Secret.
    #[must_use]
    pub fn holds_secret(&self, key: &str) -> bool {
        !self.holders.is_empty() && self.holders.contains(&digest(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, mark: Option<&str>) -> PartialObjectMeta<ServiceAccount> {
        let annotations = mark.map(|mark| [(names::OWNER.to_owned(), mark.to_owned())].into());
        let metadata = ObjectMeta {
            namespace: Some("team".into()),
            name: Some(name.into()),
            annotations,
            ..ObjectMeta::default()
        };
        PartialObjectMeta { metadata, ..PartialObjectMeta::default() }
    }

    fn binding(subjects: &[(&str, &str)]) -> ClusterRoleBinding {
        let subjects = subjects.iter().map(|(kind, name)| Subject {
            kind: (*kind).to_owned(),
            name: (*name).to_owned(),
            ..Subject::default()
        });
        let mut binding = ClusterRoleBinding { subjects: Some(subjects.collect()), ..ClusterRoleBinding::default() };
        binding.metadata.name = Some("admins".into());
        binding
    }

    #[test]
    fn only_what_changes_who_owns_something_wakes_anybody() {
        let owned = Owned::default();
        let mark = Some("id:hq/7");
        for event in [Event::Init, Event::InitApply(account("marked", mark)), Event::InitApply(account("bare", None))] {
            assert!(!owned.accounts.see(event));
        }
        let cases = [
            ("the first list", Event::InitDone, true),
            ("a bare account is made", Event::Apply(account("other", None)), false),
            ("a bare account is touched", Event::Apply(account("bare", None)), false),
            ("a bare account is deleted", Event::Delete(account("bare", None)), false),
            ("a marked account is touched", Event::Apply(account("marked", mark)), false),
            ("a mark is moved", Event::Apply(account("marked", Some("id:hq/8"))), true),
            ("a mark is taken away", Event::Apply(account("marked", None)), true),
            ("a bare account is marked", Event::Apply(account("other", mark)), true),
            ("a marked account is deleted", Event::Delete(account("other", mark)), true),
            ("a list begins", Event::Init, false),
            ("and names the same", Event::InitApply(account("marked", None)), false),
            ("and ends", Event::InitDone, false),
        ];
        for (what, event, expected) in cases {
            assert_eq!(owned.accounts.see(event), expected, "{what}");
        }
    }

    #[test]
    fn of_a_binding_the_users_count_who_are_no_accounts_and_not_kubernetes_own() {
        let owned = Owned::default();
        let users =
            [("User", "oidc:ada@example.com"), ("Group", "dev"), ("User", "system:admin"), ("ServiceAccount", "a")];
        let cases = [
            ("only groups", binding(&[("Group", "dev")]), false),
            ("a user", binding(&users), true),
            ("another group", binding(users.get(..1).unwrap()), false),
            ("another user", binding(&[("User", "oidc:eve@example.com")]), true),
        ];
        for (what, binding, expected) in cases {
            assert_eq!(owned.cluster_role_bindings.see(Event::Apply(binding)), expected, "{what}");
        }
    }

    #[test]
    fn what_is_owned_is_known_once_everything_was_listed() {
        let owned = Owned::default();
        let list =
            |account: PartialObjectMeta<ServiceAccount>| [Event::Init, Event::InitApply(account), Event::InitDone];
        for event in list(account("marked", Some("Ada@Example.com"))) {
            owned.accounts.see(event);
        }
        owned.role_bindings.see(Event::<RoleBinding>::InitDone);
        assert!(owned.seen().is_none(), "cluster-wide bindings are not known yet");
        owned.cluster_role_bindings.interrupted();
        assert!(owned.seen().is_none(), "nor when they may not be read");
        futures::FutureExt::now_or_never(owned.ready()).expect("but nobody waits for them");
        for event in [Event::Init, Event::InitApply(binding(&[("User", "oidc:Ben@example.com")])), Event::InitDone] {
            owned.cluster_role_bindings.see(event);
        }
        let expected = ["email:ada@example.com", "user:oidc:ben@example.com"].map(str::to_owned);
        assert_eq!(owned.seen().unwrap().keys(), HashSet::from(expected));
    }
}
