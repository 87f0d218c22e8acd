//! The plan of a freeze: the user names that are refused whatever changes anything, and the person's own accounts.

use super::reach;
use super::{Action, ClusterInventory, Draft, Kind, Operation, Plan, Protected, RemainingReason, Target};
use crate::frozen;
use crate::ownership::{Claim, Index, PersonFacts};

/// Draws the plan of a freeze. A user name that somebody else may have too, who works here, is left alone; what is told of
/// it is its place among the person's user names, since a name is told nowhere but where it is needed.
#[must_use]
pub fn freeze(
    person: &PersonFacts,
    rule: &str,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) -> Plan {
    let mut draft = Draft::default();
    for (place, name) in person.usernames().enumerate() {
        match user(name, person, index, protected) {
            Some(reason) => draft.leave(format!("user name {} of status.plan.usernames", place + 1), reason),
            None => draft.act(of_user(name)),
        }
    }
    for account in world.accounts.iter().filter(|account| index.claim(&account.owner, person) != Claim::NotTheirs) {
        let target = Target {
            action: Action::Freeze,
            kind: Kind::ServiceAccount,
            namespace: account.namespace.clone(),
            name: account.name.clone(),
            uid: account.uid.clone(),
            heir: None,
            why: "its owner annotation names this person alone, and no workload runs as it".to_owned(),
        };
        let never = protected.usernames.contains(&frozen_name(&target)).then_some(RemainingReason::Protected);
        match reach::account(account, person, index, world, protected).or(never) {
            Some(reason) => draft.leave(super::of_account(account), reason),
            None => draft.act(target),
        }
    }
    draft.finish(person, rule, Operation::Freeze, world)
}

/// The user names of a person that are theirs and nobody else's who may work here.
#[must_use]
pub fn user_names(person: &PersonFacts, index: &Index, protected: &Protected) -> Vec<Target> {
    person.usernames().filter(|name| user(name, person, index, protected).is_none()).map(of_user).collect()
}

impl Plan {
    /// The same plan, with the user names that are frozen before any target is acted on: from then on, what else the
    /// person holds, such as a client certificate or a group's rights, changes nothing.
    #[must_use]
    pub fn freezing(mut self, person: &PersonFacts, rule: &str, index: &Index, protected: &Protected) -> Self {
        self.freezes = user_names(person, index, protected);
        self.hash = super::hash(&person.uid, rule, Operation::Cut, self.targets.iter().chain(&self.freezes));
        self
    }
}

fn of_user(name: &str) -> Target {
    Target {
        action: Action::Freeze,
        kind: Kind::User,
        namespace: String::new(),
        name: name.to_owned(),
        uid: String::new(),
        heir: None,
        why: "the user name is this person's alone".to_owned(),
    }
}

/// Why a user name is left alone; `None` if it is this person's and nobody else's who may work here.
fn user(name: &str, person: &PersonFacts, index: &Index, protected: &Protected) -> Option<RemainingReason> {
    if name.starts_with(reach::SYSTEM_NAME) {
        return Some(RemainingReason::SystemNamespace);
    }
    match index.user_claim(name, person) {
        Claim::Theirs if protected.usernames.contains(name) => Some(RemainingReason::Protected),
        Claim::Theirs if reach::another_is_protected(person, index, protected) => Some(RemainingReason::Protected),
        Claim::Theirs if !frozen::fits(name) => Some(RemainingReason::NameTooLong),
        Claim::Theirs => None,
        Claim::WorksHere => Some(RemainingReason::WorksHere),
        Claim::Ambiguous | Claim::NotTheirs => Some(RemainingReason::AmbiguousMark),
    }
}

/// The user name that the API server sees for a target of a freeze.
#[must_use]
pub fn frozen_name(target: &Target) -> String {
    match target.kind {
        Kind::ServiceAccount => format!("system:serviceaccount:{}:{}", target.namespace, target.name),
        Kind::User | Kind::RoleBinding | Kind::ClusterRoleBinding | Kind::Secret | Kind::Pod => target.name.clone(),
    }
}

/// Of the targets of a freeze that stands, those that are still to be refused, by what is theirs now. What is somebody else's by
/// now, or was handed over, is free again; what came to the person since is not taken in.
pub fn still_theirs<'a>(targets: &'a [Target], now: &'a [Target]) -> impl Iterator<Item = &'a Target> {
    targets.iter().filter(|target| now.contains(target))
}
