//! The plan: what will be done about one leaver's access, and what will be left alone and why.
//!
//! Targets are only what resolves to this leaver and to nobody else, in a namespace that consented, unprotected. All
//! else that mentions the leaver is remaining, with advice. The hash covers what is done, to which uid, and nothing
//! that a rollout could change.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::handover::{Heir, Nominated};
use super::ownership::{Claim, Index, PersonFacts};

mod freeze;
pub mod hand_over;
pub mod reach;
mod remaining;
pub mod rotate;
pub mod trim;

pub use freeze::{freeze, frozen_name, still_theirs, user_names};
pub use remaining::{Remaining, RemainingReason};

/// Most targets, and most remaining entries, one plan holds: what the schema takes.
pub const MAX_OBJECTS: usize = 256;

/// Longest name of a target, in characters: what the schema takes. Names of bindings may be longer still.
pub const MAX_NAME_LEN: usize = 1024;

/// Most bytes that the names of all targets take together: a Revocation shows each of them up to three times, and the
/// API server stores no object above a megabyte and a half.
const ALL_NAMES: usize = 128 * 1024;

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Action {
    /// Delete a binding; its manifest is kept.
    Unbind,
    /// Take this person's user names out of a binding that others share; its manifest is kept.
    Trim,
    /// Delete an account and re-create it at once.
    Recreate,
    /// Delete an account that workloads run as and re-create it at once as its next owner's; its pods are replaced.
    HandOver,
    /// Have a Secret's value replaced by who manages it.
    Rotate,
    /// Delete.
    Delete,
    /// Refuse what changes anything, for as long as it lasts.
    Freeze,
    /// Have a pod evicted, which ends every session that is open in it.
    Evict,
}

/// Kinds that are acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Kind {
    /// Cluster-wide rights.
    ClusterRoleBinding,
    /// Rights in a namespace.
    RoleBinding,
    /// An account.
    ServiceAccount,
    /// A user name, which is no object.
    User,
    /// A Secret, of which only the metadata is ever read.
    Secret,
    /// A pod in which somebody may have a session open.
    Pod,
}

impl Kind {
    /// Its spelling, which is Kubernetes' own.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            Self::RoleBinding => "RoleBinding",
            Self::ServiceAccount => "ServiceAccount",
            Self::User => "User",
            Self::Secret => "Secret",
            Self::Pod => "Pod",
        }
    }
}

/// One object and what happens to it. Ordered as it is acted on: rights first, then accounts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Target {
    /// What happens.
    pub action: Action,
    /// Kind.
    pub kind: Kind,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid that the plan saw.
    pub uid: String,
    /// Of a hand-over: the owner annotation that it gets.
    pub heir: Option<String>,
    /// Why it is the leaver's; not part of the hash.
    #[serde(skip)]
    pub why: String,
}

/// What a operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Operation {
    /// Ends every credential.
    Cut,
    /// Deletes what the cut left standing.
    Remove,
    /// Refuses writes, until the person is back.
    Freeze,
}

/// A ServiceAccount that carries an owner annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Its owner annotation.
    pub owner: String,
    /// Who its annotations say comes next.
    pub next: Nominated,
    /// `personal` or `workload`, where the annotation says so.
    pub purpose: Option<String>,
    /// Whether it carries the break-glass label.
    pub break_glass: bool,
}

/// A subject of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A user name.
    User(String),
    /// An account.
    Account {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// A group, or a kind we do not know.
    Other,
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Which of the two.
    pub kind: Kind,
    /// Namespace; empty for cluster-scoped ones.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Whom it binds.
    pub subjects: Vec<Subject>,
    /// Whether it carries the break-glass label.
    pub break_glass: bool,
}

/// What a namespace lets the revoker do, as the API server says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// Accounts and bindings.
    pub accounts: bool,
    /// Canaries.
    pub canaries: bool,
    /// Shared bindings.
    pub trim: bool,
    /// Values of Secrets.
    pub rotate: bool,
    /// Accounts that workloads run as.
    pub workloads: bool,
}

/// What the plan is drawn from.
#[derive(Debug, Default)]
pub struct ClusterInventory {
    /// Every marked account.
    pub accounts: Vec<Account>,
    /// Every binding.
    pub bindings: Vec<Binding>,
    /// Every annotated Secret of the namespaces that let their Secrets be listed.
    pub secrets: Vec<rotate::Secret>,
    /// Names of accounts by namespace that workloads run as; a namespace that could not be read is absent.
    pub consumers: BTreeMap<String, BTreeSet<String>>,
    /// Consent by namespace; `""` for cluster-scoped bindings. Absent: none.
    pub consents: BTreeMap<String, Consent>,
    /// Namespaces of Rollcall itself.
    pub own_namespaces: Vec<String>,
    /// Uids of accounts whose owner annotation somebody set lately: nothing rests on it before somebody approves.
    pub fresh: BTreeSet<String>,
    /// By uid of an account, its next owner, or that nobody is left; nothing where nobody was asked.
    pub heirs: BTreeMap<String, Option<Heir>>,
    /// Whether accounts that workloads run as are handed over: in a plan that acts only once approved.
    pub hands_over: bool,
}

/// What the policy, or the installation, protects.
#[derive(Clone, Debug, Default)]
pub struct Protected {
    /// HR ids or Person names.
    pub people: BTreeSet<String>,
    /// `namespace/name`.
    pub accounts: BTreeSet<String>,
    /// Namespaces.
    pub namespaces: BTreeSet<String>,
    /// User names, as the API server sees them, that are never frozen.
    pub usernames: BTreeSet<String>,
    /// Whether Secrets are rotated; all of them are left as they are otherwise.
    pub rotate: bool,
}

impl Protected {
    /// Whether this person is protected, by Person name or by any HR id.
    #[must_use]
    pub fn person(&self, person: &PersonFacts) -> bool {
        self.people.contains(&person.name)
            || person
                .records
                .iter()
                .any(|(connection, id)| self.people.contains(id) || self.people.contains(&format!("{connection}/{id}")))
    }
}

/// A plan, hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Hex SHA-256 over person uid, rule, operation, targets and freezes.
    pub hash: String,
    /// User names that are refused what changes anything, before any target is acted on.
    pub freezes: Vec<Target>,
    /// In the order of acting.
    pub targets: Vec<Target>,
    /// What is left alone.
    pub remaining: Vec<Remaining>,
    /// How many targets are accounts that something runs as, or may: not part of the hash, and counted against a limit.
    pub workloads: u32,
}

/// Draws the plan of a cut: bindings whose every subject is this person's, their names in others, and personal accounts.
#[must_use]
pub fn cut(person: &PersonFacts, rule: &str, index: &Index, world: &ClusterInventory, protected: &Protected) -> Plan {
    let mut draft = Draft::default();
    for binding in world.bindings.iter().filter(|binding| binds_user(binding, person, index)) {
        match reach::binding(binding, person, index, world, protected) {
            Some(RemainingReason::SharedBinding) => match trim::leaving(binding, person, index, world, protected) {
                Ok(_) => draft.act(bound(Action::Trim, binding, "it names this person, and its other subjects stay")),
                Err(reason) => draft.leave(of_binding(binding), reason),
            },
            Some(reason) => draft.leave(of_binding(binding), reason),
            None => draft.act(bound(Action::Unbind, binding, "every subject is this person's")),
        }
    }
    for account in world.accounts.iter().filter(|account| index.claim(&account.owner, person) != Claim::NotTheirs) {
        match reach::account(account, person, index, world, protected) {
            Some(RemainingReason::WorkloadAccount) => hand_over::draw(&mut draft, account, world),
            Some(reason) => draft.leave(of_account(account), reason),
            None => draft.act(Target {
                action: Action::Recreate,
                kind: Kind::ServiceAccount,
                namespace: account.namespace.clone(),
                name: account.name.clone(),
                uid: account.uid.clone(),
                heir: None,
                why: "its owner annotation names this person alone, and no workload runs as it".to_owned(),
            }),
        }
    }
    rotate::draw(&mut draft, person, index, world, protected);
    draft.finish(person, rule, Operation::Cut, world)
}

/// Draws the plan of a removal: the accounts a cut recreated, by the uids it gave them, and the bindings that bind
/// nobody else.
#[must_use]
pub fn remove(
    person: &PersonFacts,
    rule: &str,
    recreated: &BTreeSet<String>,
    index: &Index,
    world: &ClusterInventory,
    protected: &Protected,
) -> Plan {
    let mut draft = Draft::default();
    let mut going = BTreeSet::new();
    for account in world.accounts.iter().filter(|account| recreated.contains(&account.uid)) {
        match reach::account(account, person, index, world, protected) {
            Some(reason) => draft.leave(of_account(account), reason),
            None => {
                going.insert((account.namespace.as_str(), account.name.as_str()));
                draft.act(Target {
                    action: Action::Delete,
                    kind: Kind::ServiceAccount,
                    namespace: account.namespace.clone(),
                    name: account.name.clone(),
                    uid: account.uid.clone(),
                    heir: None,
                    why: "recreated at the cut, and the time for undoing it is over".to_owned(),
                });
            }
        }
    }
    for binding in &world.bindings {
        let only_theirs = !binding.subjects.is_empty()
            && binding.subjects.iter().all(|subject| match subject {
                Subject::Account { namespace, name } => going.contains(&(namespace.as_str(), name.as_str())),
                Subject::User(_) | Subject::Other => false,
            });
        if only_theirs {
            match reach::place(&binding.namespace, &binding.name, binding.break_glass, world, protected) {
                Some(reason) => draft.leave(of_binding(binding), reason),
                None => draft.act(bound(Action::Unbind, binding, "it binds only accounts that are removed")),
            }
        }
    }
    draft.finish(person, rule, Operation::Remove, world)
}

#[derive(Default)]
struct Draft {
    targets: BTreeSet<Target>,
    remaining: BTreeSet<Remaining>,
}

impl Draft {
    /// Takes the target in; one that no schema has room for remains, and is in nobody's way.
    fn act(&mut self, target: Target) {
        if target.name.chars().count() > MAX_NAME_LEN {
            self.leave(described(target.kind, &target.namespace, &target.name), RemainingReason::NameTooLong);
        } else {
            self.targets.insert(target);
        }
    }

    fn leave(&mut self, what: String, why: RemainingReason) {
        self.remaining.insert(Remaining { what, why, heir: None });
    }

    fn finish(mut self, person: &PersonFacts, rule: &str, operation: Operation, world: &ClusterInventory) -> Plan {
        let (targets, full) = fitting(self.targets);
        if full {
            let what = "more objects".to_owned();
            self.remaining.insert(Remaining { what, why: RemainingReason::PlanFull, heir: None });
        }
        let remaining: Vec<Remaining> = self.remaining.into_iter().take(MAX_OBJECTS).collect();
        let workloads = targets.iter().filter(|target| runs(target, world)).count();
        Plan {
            hash: hash(&person.uid, rule, operation, &targets),
            freezes: Vec::new(),
            targets,
            remaining,
            workloads: u32::try_from(workloads).unwrap_or(u32::MAX),
        }
    }
}

/// Whether something runs as this account, whatever its annotations say; what cannot be read may.
fn runs(target: &Target, world: &ClusterInventory) -> bool {
    let consumers = || world.consumers.get(&target.namespace);
    target.kind == Kind::ServiceAccount && consumers().is_none_or(|names| names.contains(&target.name))
}

/// As many targets as a plan holds, and whether any were left out. Accounts come first, then what has a short name: a
/// pile of bindings must not push the accounts, and with them every token, out of the plan.
fn fitting(all: BTreeSet<Target>) -> (Vec<Target>, bool) {
    let bytes = |target: &Target| [&target.namespace, &target.name, &target.uid].map(|word| written(word)).iter().sum();
    let mut targets: Vec<(usize, Target)> = all.into_iter().map(|target| (bytes(&target), target)).collect();
    targets.sort_by_key(|(bytes, target)| (target.kind != Kind::ServiceAccount, *bytes));
    let count = targets.len();
    let mut room = ALL_NAMES;
    let fits = |(bytes, target): (usize, Target)| {
        room = room.checked_sub(bytes)?;
        Some(target)
    };
    let mut targets: Vec<Target> = targets.into_iter().take(MAX_OBJECTS).map_while(fits).collect();
    let full = targets.len() < count;
    targets.sort();
    (targets, full)
}

/// How many bytes a text takes as JSON.
fn written(text: &str) -> usize {
    serde_json::Value::from(text).to_string().len()
}

/// The hash that an approval names. Targets, and the user names that are frozen first, are taken as a set: their order does not
/// count.
#[must_use]
pub fn hash<'a>(
    person_uid: &str,
    rule: &str,
    operation: Operation,
    targets: impl IntoIterator<Item = &'a Target>,
) -> String {
    let words = |t: &'a Target| (t.action, t.kind, &t.namespace, &t.name, &t.uid, t.heir.as_deref());
    let set: BTreeSet<_> = targets.into_iter().map(words).collect();
    // What is handed over, and to whom, is approved together.
    let word = |(action, kind, namespace, name, uid, heir)| match heir {
        None => serde_json::json!([action, kind, namespace, name, uid]),
        Some(heir) => serde_json::json!([action, kind, namespace, name, uid, heir]),
    };
    let set: Vec<serde_json::Value> = set.into_iter().map(word).collect();
    let canonical = serde_json::json!(["rollcall.dev/plan/1", person_uid, rule, operation, set]);
    data_encoding::HEXLOWER.encode(&Sha256::digest(canonical.to_string().as_bytes()))
}

/// Whether a binding names a user name of this human.
fn binds_user(binding: &Binding, person: &PersonFacts, index: &Index) -> bool {
    binding.subjects.iter().any(|subject| match subject {
        Subject::User(name) => index.user_claim(name, person) != Claim::NotTheirs,
        Subject::Account { .. } | Subject::Other => false,
    })
}

fn bound(action: Action, binding: &Binding, why: &str) -> Target {
    Target {
        action,
        kind: binding.kind,
        namespace: binding.namespace.clone(),
        name: binding.name.clone(),
        uid: binding.uid.clone(),
        heir: None,
        why: why.to_owned(),
    }
}

fn of_binding(binding: &Binding) -> String {
    described(binding.kind, &binding.namespace, &binding.name)
}

fn of_account(account: &Account) -> String {
    described(Kind::ServiceAccount, &account.namespace, &account.name)
}

/// An object as what remains is told: kind, namespace and name.
#[must_use]
pub fn described(kind: Kind, namespace: &str, name: &str) -> String {
    match kind {
        Kind::ClusterRoleBinding => format!("ClusterRoleBinding {name}"),
        Kind::RoleBinding => format!("RoleBinding {namespace}/{name}"),
        Kind::ServiceAccount => format!("ServiceAccount {namespace}/{name}"),
        Kind::User => format!("User {name}"),
        Kind::Secret => format!("Secret {namespace}/{name}"),
        Kind::Pod => format!("Pod {namespace}/{name}"),
    }
}

#[cfg(test)]
mod tests;
