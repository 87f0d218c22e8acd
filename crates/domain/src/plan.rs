//! The plan: what will be done about one leaver's access, and what will be left alone and why.
//!
//! Targets are only what resolves to this leaver and to nobody else, in a namespace that consented, unprotected. All
//! else that mentions the leaver is remaining, with advice. The hash covers what is done, to which uid, and nothing
//! that a rollout could change.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::ownership::{Index, Owners, PersonFacts};

/// Most targets, and most remaining entries, one plan holds: what the schema takes.
pub const MOST: usize = 256;

/// Namespaces nobody can consent for.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Action {
    /// Delete a binding; its manifest is kept.
    Unbind,
    /// Delete an account and re-create it at once.
    Recreate,
    /// Delete.
    Delete,
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
}

impl Kind {
    /// Its spelling, which is Kubernetes' own.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            Self::RoleBinding => "RoleBinding",
            Self::ServiceAccount => "ServiceAccount",
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
}

/// Why something of the leaver is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemainingReason {
    /// A binding with subjects that are not this leaver's.
    SharedBinding,
    /// A mark that resolves to more than one person.
    AmbiguousMark,
    /// An account that workloads run as.
    WorkloadAccount,
    /// Whether workloads run as it could not be read.
    UnknownConsumers,
    /// The namespace has not consented.
    NoConsent,
    /// A namespace of the system, or of Rollcall itself.
    SystemNamespace,
    /// The policy protects it, or it carries the break-glass label.
    Protected,
    /// The account `default` of a namespace.
    DefaultAccount,
    /// More than one plan holds; the rest is the next plan.
    PlanFull,
    /// The person came back while the cut was under way.
    NoLongerLeft,
    /// The user name still has rights through something that is not in the plan.
    StillAllowed,
}

impl RemainingReason {
    /// Its spelling in the status and the evidence.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SharedBinding => "SharedBinding",
            Self::AmbiguousMark => "AmbiguousMark",
            Self::WorkloadAccount => "WorkloadAccount",
            Self::UnknownConsumers => "UnknownConsumers",
            Self::NoConsent => "NoConsent",
            Self::SystemNamespace => "SystemNamespace",
            Self::Protected => "Protected",
            Self::DefaultAccount => "DefaultAccount",
            Self::PlanFull => "PlanFull",
            Self::NoLongerLeft => "NoLongerLeft",
            Self::StillAllowed => "StillAllowed",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::SharedBinding => {
                "Remove the leaver's subject from the binding where it is applied from; the other subjects keep it."
            }
            Self::AmbiguousMark => "Change the mark rollcall.dev/owner so that it names one person.",
            Self::WorkloadAccount => {
                "Running workloads use this account; it was left alone. Hand it over: change its mark, then rotate its tokens."
            }
            Self::UnknownConsumers => {
                "Let control read the workloads of this namespace (consent for accounts), so that it can tell a personal account from a workload's."
            }
            Self::NoConsent => {
                "Consent in this namespace with a RoleBinding to the revoker (see docs/install.md), or end this access by hand."
            }
            Self::SystemNamespace => "Rollcall never acts here; end this access by hand.",
            Self::Protected => {
                "The policy, or the label rollcall.dev/break-glass, keeps Rollcall away; end this access by hand if that is right."
            }
            Self::DefaultAccount => {
                "The account default is everybody's; move the mark to an account of the person's own."
            }
            Self::PlanFull => "A plan holds 256 objects; the rest is planned once this one is done.",
            Self::NoLongerLeft => "The person works here again; what stood still was left alone.",
            Self::StillAllowed => {
                "The user name still has rights through another binding or group; end them where they are applied from."
            }
        }
    }
}

/// Something that is left alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remaining {
    /// Kind, namespace and name.
    pub what: String,
    /// Why.
    pub why: RemainingReason,
}

/// A ServiceAccount that carries a mark.
#[derive(Clone, Debug)]
pub struct Account {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: String,
    /// Its owner mark.
    pub mark: String,
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
#[derive(Clone, Debug)]
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
}

/// What the plan is drawn from.
#[derive(Debug, Default)]
pub struct World {
    /// Every marked account.
    pub accounts: Vec<Account>,
    /// Every binding.
    pub bindings: Vec<Binding>,
    /// Names of accounts by namespace that workloads run as; a namespace that could not be read is absent.
    pub consumers: BTreeMap<String, BTreeSet<String>>,
    /// Consent by namespace; `""` for cluster-scoped bindings. Absent: none.
    pub consents: BTreeMap<String, Consent>,
    /// Namespaces of Rollcall itself.
    pub own_namespaces: Vec<String>,
}

/// What the policy protects.
#[derive(Clone, Debug, Default)]
pub struct Protected {
    /// HR ids or Person names.
    pub people: BTreeSet<String>,
    /// `namespace/name`.
    pub accounts: BTreeSet<String>,
    /// Namespaces.
    pub namespaces: BTreeSet<String>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Hex SHA-256 over person uid, rule, operation and targets.
    pub hash: String,
    /// In the order of acting.
    pub targets: Vec<Target>,
    /// What is left alone.
    pub remaining: Vec<Remaining>,
}

/// Draws the plan of a cut: bindings whose every subject is this person's, and personal accounts.
#[must_use]
pub fn cut(person: &PersonFacts, rule: &str, index: &Index, world: &World, protected: &Protected) -> Plan {
    let mut draft = Draft::default();
    for binding in world.bindings.iter().filter(|binding| binds_user(binding, person)) {
        if !wholly_owned(binding, person, index, world) {
            draft.leave(of_binding(binding), RemainingReason::SharedBinding);
        } else if let Some(reason) = out_of_reach(&binding.namespace, binding.break_glass, world, protected) {
            draft.leave(of_binding(binding), reason);
        } else {
            draft.act(unbind(binding, "every subject is this person's"));
        }
    }
    for account in world.accounts.iter().filter(|account| index.mentions(&account.mark, person)) {
        match reach_account(account, index, world, protected) {
            Some(reason) => draft.leave(of_account(account), reason),
            None => draft.act(Target {
                action: Action::Recreate,
                kind: Kind::ServiceAccount,
                namespace: account.namespace.clone(),
                name: account.name.clone(),
                uid: account.uid.clone(),
                why: "its mark resolves to this person alone, and no workload runs as it".to_owned(),
            }),
        }
    }
    draft.finish(person, rule, Operation::Cut)
}

/// Draws the plan of a removal: the accounts a cut recreated, by the uids it gave them, and the bindings that bind
/// nobody else.
#[must_use]
pub fn remove(
    person: &PersonFacts,
    rule: &str,
    recreated: &BTreeSet<String>,
    index: &Index,
    world: &World,
    protected: &Protected,
) -> Plan {
    let mut draft = Draft::default();
    let mut going = BTreeSet::new();
    for account in world.accounts.iter().filter(|account| recreated.contains(&account.uid)) {
        match reach_account(account, index, world, protected) {
            Some(reason) => draft.leave(of_account(account), reason),
            None => {
                going.insert((account.namespace.as_str(), account.name.as_str()));
                draft.act(Target {
                    action: Action::Delete,
                    kind: Kind::ServiceAccount,
                    namespace: account.namespace.clone(),
                    name: account.name.clone(),
                    uid: account.uid.clone(),
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
            match out_of_reach(&binding.namespace, binding.break_glass, world, protected) {
                Some(reason) => draft.leave(of_binding(binding), reason),
                None => draft.act(unbind(binding, "it binds only accounts that are removed")),
            }
        }
    }
    draft.finish(person, rule, Operation::Remove)
}

#[derive(Default)]
struct Draft {
    targets: BTreeSet<Target>,
    remaining: BTreeSet<Remaining>,
}

impl Draft {
    fn act(&mut self, target: Target) {
        self.targets.insert(target);
    }

    fn leave(&mut self, what: String, why: RemainingReason) {
        self.remaining.insert(Remaining { what, why });
    }

    fn finish(mut self, person: &PersonFacts, rule: &str, operation: Operation) -> Plan {
        let mut targets: Vec<Target> = self.targets.into_iter().collect();
        if targets.len() > MOST {
            // A pile of bindings must not push the accounts, and with them every token, out of the plan.
            targets.sort_by_key(|target| target.kind != Kind::ServiceAccount);
            targets.truncate(MOST);
            targets.sort();
            self.remaining.insert(Remaining { what: "more objects".to_owned(), why: RemainingReason::PlanFull });
        }
        let remaining: Vec<Remaining> = self.remaining.into_iter().take(MOST).collect();
        Plan { hash: hash(&person.uid, rule, operation, &targets), targets, remaining }
    }
}

/// The hash that an approval names. Targets are taken as a set: their order does not count.
#[must_use]
pub fn hash(person_uid: &str, rule: &str, operation: Operation, targets: &[Target]) -> String {
    let set: BTreeSet<_> = targets.iter().map(|t| (t.action, t.kind, &t.namespace, &t.name, &t.uid)).collect();
    let canonical = serde_json::json!(["rollcall.dev/plan/1", person_uid, rule, operation, set]);
    data_encoding::HEXLOWER.encode(&Sha256::digest(canonical.to_string().as_bytes()))
}

/// Whether a binding names a user name of this person.
fn binds_user(binding: &Binding, person: &PersonFacts) -> bool {
    binding.subjects.iter().any(|subject| match subject {
        Subject::User(name) => person.usernames().any(|own| own == name),
        Subject::Account { .. } | Subject::Other => false,
    })
}

/// Whether every subject resolves to this person and nobody else.
#[must_use]
pub fn wholly_owned(binding: &Binding, person: &PersonFacts, index: &Index, world: &World) -> bool {
    let alone = |owners: Owners<'_>| matches!(owners, Owners::One(owner) if owner.uid == person.uid);
    !binding.subjects.is_empty()
        && binding.subjects.iter().all(|subject| match subject {
            Subject::User(name) => alone(index.user(name)),
            Subject::Account { namespace, name } => world
                .accounts
                .iter()
                .find(|account| account.namespace == *namespace && account.name == *name)
                .is_some_and(|account| {
                    alone(index.resolve(&account.mark)) && !is_workload(account, &world.consumers).unwrap_or(true)
                }),
            Subject::Other => false,
        })
}

/// Why an account that mentions the person is left alone; `None` if it is theirs alone and personal.
fn reach_account(account: &Account, index: &Index, world: &World, protected: &Protected) -> Option<RemainingReason> {
    if index.resolve(&account.mark) == Owners::Several {
        return Some(RemainingReason::AmbiguousMark);
    }
    if account.name == "default" {
        return Some(RemainingReason::DefaultAccount);
    }
    if protected.accounts.contains(&format!("{}/{}", account.namespace, account.name)) {
        return Some(RemainingReason::Protected);
    }
    if let Some(reason) = out_of_reach(&account.namespace, account.break_glass, world, protected) {
        return Some(reason);
    }
    match is_workload(account, &world.consumers) {
        Some(false) => None,
        Some(true) => Some(RemainingReason::WorkloadAccount),
        None => Some(RemainingReason::UnknownConsumers),
    }
}

/// Why nothing in this namespace is touched; `""` stands for cluster-scoped objects.
fn out_of_reach(namespace: &str, break_glass: bool, world: &World, protected: &Protected) -> Option<RemainingReason> {
    if SYSTEM_NAMESPACES.contains(&namespace) || world.own_namespaces.iter().any(|own| own == namespace) {
        return Some(RemainingReason::SystemNamespace);
    }
    if break_glass || protected.namespaces.contains(namespace) {
        return Some(RemainingReason::Protected);
    }
    let consented = world.consents.get(namespace).is_some_and(|consent| consent.accounts);
    (!consented).then_some(RemainingReason::NoConsent)
}

/// Whether workloads run as this account; the annotation overrides; `None` if it could not be read.
fn is_workload(account: &Account, consumers: &BTreeMap<String, BTreeSet<String>>) -> Option<bool> {
    match account.purpose.as_deref() {
        Some("personal") => Some(false),
        Some("workload") => Some(true),
        _ => consumers.get(&account.namespace).map(|names| names.contains(&account.name)),
    }
}

fn unbind(binding: &Binding, why: &str) -> Target {
    Target {
        action: Action::Unbind,
        kind: binding.kind,
        namespace: binding.namespace.clone(),
        name: binding.name.clone(),
        uid: binding.uid.clone(),
        why: why.to_owned(),
    }
}

fn of_binding(binding: &Binding) -> String {
    match binding.kind {
        Kind::ClusterRoleBinding => format!("ClusterRoleBinding {}", binding.name),
        Kind::RoleBinding | Kind::ServiceAccount => format!("RoleBinding {}/{}", binding.namespace, binding.name),
    }
}

fn of_account(account: &Account) -> String {
    format!("ServiceAccount {}/{}", account.namespace, account.name)
}

#[cfg(test)]
mod tests;
