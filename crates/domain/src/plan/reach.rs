//! The rule of reach: what of a leaver may be touched at all. The plan draws by it, the revoker asks it again of what it
//! has just read, and the revoker's admission policy holds the same namespaces.

use std::collections::{BTreeMap, BTreeSet};

use super::{Account, Binding, ClusterInventory, Protected, RemainingReason, Subject};
use crate::ownership::{Index, Owners, PersonFacts};

/// What the names of the system's namespaces begin with. Kubernetes keeps this prefix for itself, so a team's namespace
/// of such a name is left alone too.
pub const SYSTEM_PREFIX: &str = "kube-";

/// What the names of the system's own objects begin with.
pub const SYSTEM_NAME: &str = "system:";

/// Whether nothing in this namespace is ever touched: it is the system's, or Rollcall's own.
#[must_use]
pub fn is_system(namespace: &str, own: &[String]) -> bool {
    namespace.starts_with(SYSTEM_PREFIX) || own.iter().any(|own| own == namespace)
}

/// Why an account is left alone; `None` if its owner annotation names this person alone, and nothing runs as it.
#[must_use]
pub fn account(
    account: &Account,
    person: &PersonFacts,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) -> Option<RemainingReason> {
    match index.resolve(&account.owner) {
        Owners::One(owner) if owner.uid == person.uid => {}
        Owners::Several => return Some(RemainingReason::AmbiguousMark),
        Owners::One(_) | Owners::Nobody => return Some(RemainingReason::HandedOver),
    }
    if account.name == "default" {
        return Some(RemainingReason::DefaultAccount);
    }
    if protected.accounts.contains(&format!("{}/{}", account.namespace, account.name)) {
        return Some(RemainingReason::Protected);
    }
    if let Some(reason) = place(&account.namespace, &account.name, account.break_glass, world, protected) {
        return Some(reason);
    }
    match is_workload(account, &world.consumers) {
        Some(false) => None,
        Some(true) => Some(RemainingReason::WorkloadAccount),
        None => Some(RemainingReason::UnknownConsumers),
    }
}

/// Why a binding is left alone; `None` if every subject is this person's.
#[must_use]
pub fn binding(
    binding: &Binding,
    person: &PersonFacts,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) -> Option<RemainingReason> {
    if !wholly_owned(binding, person, index, world) {
        return Some(RemainingReason::SharedBinding);
    }
    place(&binding.namespace, &binding.name, binding.break_glass, world, protected)
}

/// Why an object is left alone for where it is and what it is called; a namespace of `""` stands for cluster-scoped ones.
#[must_use]
pub fn place(
    namespace: &str,
    name: &str,
    break_glass: bool,
    world: &ClusterInventory,
    protected: &Protected,
) -> Option<RemainingReason> {
    if is_system(namespace, &world.own_namespaces) || name.starts_with(SYSTEM_NAME) {
        return Some(RemainingReason::SystemNamespace);
    }
    if break_glass || protected.namespaces.contains(namespace) {
        return Some(RemainingReason::Protected);
    }
    let consented = world.consents.get(namespace).is_some_and(|consent| consent.accounts);
    (!consented).then_some(RemainingReason::NoConsent)
}

/// Whether every subject resolves to this person and nobody else.
#[must_use]
pub fn wholly_owned(binding: &Binding, person: &PersonFacts, index: &Index, world: &ClusterInventory) -> bool {
    let alone = |owners: Owners<'_>| matches!(owners, Owners::One(owner) if owner.uid == person.uid);
    !binding.subjects.is_empty()
        && binding.subjects.iter().all(|subject| match subject {
            Subject::User(name) => !name.starts_with(SYSTEM_NAME) && alone(index.user(name)),
            Subject::Account { namespace, name } => {
                !is_system(namespace, &world.own_namespaces)
                    && world
                        .accounts
                        .iter()
                        .find(|account| account.namespace == *namespace && account.name == *name)
                        .is_some_and(|account| {
                            alone(index.resolve(&account.owner))
                                && is_workload(account, &world.consumers) == Some(false)
                        })
            }
            Subject::Other => false,
        })
}

/// Whether workloads run as this account; the annotation overrides; `None` if it could not be read.
fn is_workload(account: &Account, consumers: &BTreeMap<String, BTreeSet<String>>) -> Option<bool> {
    match account.purpose.as_deref() {
        Some("personal") => Some(false),
        Some("workload") => Some(true),
        _ => consumers.get(&account.namespace).map(|names| names.contains(&account.name)),
    }
}
