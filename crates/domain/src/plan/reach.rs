//! The rule of reach: what of a leaver may be touched at all. The plan draws by it, the revoker asks it again of what it
//! has just read, and the revoker's admission policy holds the same namespaces.

use std::collections::{BTreeMap, BTreeSet};

use super::{Account, Binding, ClusterInventory, Protected, RemainingReason, Subject};
use crate::ownership::{Claim, Index, PersonFacts};

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

/// Why an account is left alone; `None` if its owner annotation names this person alone, and not just since lately, and nothing
/// runs as it.
#[must_use]
pub fn account(
    account: &Account,
    person: &PersonFacts,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) -> Option<RemainingReason> {
    theirs(account, person, index, world, protected).or_else(|| match is_workload(account, &world.consumers) {
        Some(false) => world.fresh.contains(&account.uid).then_some(RemainingReason::FreshMark),
        Some(true) => Some(RemainingReason::WorkloadAccount),
        None => Some(RemainingReason::UnknownConsumers),
    })
}

/// Why an account is not handed over; `None` if its owner annotation names this person alone, and not just since lately, and it is
/// known what runs as it.
#[must_use]
pub fn workload(
    account: &Account,
    person: &PersonFacts,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) -> Option<RemainingReason> {
    theirs(account, person, index, world, protected).or_else(|| match is_workload(account, &world.consumers) {
        Some(_) => world.fresh.contains(&account.uid).then_some(RemainingReason::FreshMark),
        None => Some(RemainingReason::UnknownConsumers),
    })
}

/// Why an account is not this person's alone, or out of reach, whatever runs as it.
fn theirs(
    account: &Account,
    person: &PersonFacts,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) -> Option<RemainingReason> {
    match index.claim(&account.owner, person) {
        Claim::Theirs if another_is_protected(person, index, protected) => return Some(RemainingReason::Protected),
        Claim::Theirs => {}
        Claim::Ambiguous => return Some(RemainingReason::AmbiguousMark),
        Claim::WorksHere => return Some(RemainingReason::WorksHere),
        Claim::NotTheirs => return Some(RemainingReason::HandedOver),
    }
    if account.name == "default" {
        return Some(RemainingReason::DefaultAccount);
    }
    if protected.accounts.contains(&format!("{}/{}", account.namespace, account.name)) {
        return Some(RemainingReason::Protected);
    }
    place(&account.namespace, &account.name, account.break_glass, world, protected)
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
    if let Some(reason) = not_wholly_owned(binding, person, index, world) {
        return Some(reason);
    }
    if another_is_protected(person, index, protected) {
        return Some(RemainingReason::Protected);
    }
    place(&binding.namespace, &binding.name, binding.break_glass, world, protected)
}

/// Whether the policy protects another record of this human: it may be the one the object is known by.
pub(super) fn another_is_protected(person: &PersonFacts, index: &Index, protected: &Protected) -> bool {
    index.records(person).any(|record| record.uid != person.uid && protected.person(record))
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

/// Why not every subject is this person's to end: one is somebody else's, or another record of the same human works here.
fn not_wholly_owned(
    binding: &Binding,
    person: &PersonFacts,
    index: &Index,
    world: &ClusterInventory,
) -> Option<RemainingReason> {
    let shared = Some(RemainingReason::SharedBinding);
    let of = |claim: Claim| match claim {
        Claim::Theirs => None,
        Claim::WorksHere => Some(RemainingReason::WorksHere),
        Claim::Ambiguous | Claim::NotTheirs => Some(RemainingReason::SharedBinding),
    };
    let reasons = binding.subjects.iter().map(|subject| match subject {
        Subject::User(name) if !name.starts_with(SYSTEM_NAME) => of(index.user_claim(name, person)),
        Subject::Account { namespace, name } if !is_system(namespace, &world.own_namespaces) => {
            let is_it = |account: &&Account| account.namespace == *namespace && account.name == *name;
            let account = world.accounts.iter().find(is_it);
            account.map_or(shared, |account| match is_workload(account, &world.consumers) {
                Some(false) if !world.fresh.contains(&account.uid) => of(index.claim(&account.owner, person)),
                _ => shared,
            })
        }
        Subject::User(_) | Subject::Account { .. } | Subject::Other => shared,
    });
    if binding.subjects.is_empty() { shared } else { reasons.flatten().max_by_key(|reason| Some(*reason) == shared) }
}

/// Whether workloads run as this account; the annotation overrides; `None` if it could not be read.
fn is_workload(account: &Account, consumers: &BTreeMap<String, BTreeSet<String>>) -> Option<bool> {
    match account.purpose.as_deref() {
        Some("personal") => Some(false),
        Some("workload") => Some(true),
        _ => consumers.get(&account.namespace).map(|names| names.contains(&account.name)),
    }
}
