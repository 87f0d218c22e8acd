//! The forecast: both plans of a leaver as they would be drawn now, what each ends, when, at whose cost and how it is
//! undone; what remains; and which gates would hold it. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use kube::ResourceExt;
use serde::Serialize;

use super::beyond::{self, Left, Readable};
use super::gates::{self, Opens, Shut};
use super::seen::Seen;
use super::sessions;
use crate::api::policy::Mode;
use crate::api::{Person, Revocation, SyncPolicy, convert};
use crate::cli::plugin::people::records;
use crate::kube::marks;
use domain::ownership::PersonFacts;
use domain::plan::{self, Action, Kind, Operation, Plan, Remaining, RemainingReason, Target};

/// What a forecast is made from.
pub struct View<'a> {
    /// Of whom.
    pub person: &'a Person,
    /// The policy that would decide.
    pub policy: &'a SyncPolicy,
    /// Whether it is another one than stands in the cluster.
    pub changed: bool,
    /// Their Revocations, oldest first.
    pub revocations: &'a [&'a Revocation],
    /// The cluster.
    pub seen: &'a Seen,
    /// Now.
    pub now: Timestamp,
}

/// What would happen to somebody's access.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// Name of the Person.
    pub person: String,
    /// Their HR records.
    pub records: Vec<String>,
    /// Their employment state.
    pub state: String,
    /// Their last day of work, where one is announced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_day: Option<Date>,
    /// The policy.
    pub policy: String,
    /// Its mode.
    pub mode: Mode,
    /// Its time between cut and removal.
    pub remove_after: String,
    /// When this was drawn.
    pub at: Timestamp,
    /// Hash of the cut's plan: that of a Revocation drawn from the same cluster.
    pub plan: String,
    /// What would end.
    pub ends: Vec<End>,
    /// What would remain.
    pub remaining: Vec<Left>,
    /// Secrets whose contents they may know.
    pub readable: Vec<Readable>,
    /// Gates that would hold the cut.
    pub gates: Vec<Gate>,
    /// Revocations that are there.
    pub revocations: Vec<String>,
    /// What could not be seen, and what is to be known of the rest.
    pub notes: Vec<String>,
}

/// A gate, as it would be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Its word.
    pub reason: String,
    /// What it waits for.
    pub message: String,
    /// Whether an approval opens it.
    pub approval: bool,
}

/// The moment at which something is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Dead {
    /// At the cut, by itself.
    AtTheCut,
    /// At the cut, once somebody has approved it.
    AfterApproval,
    /// When `removeAfter` has passed since the cut.
    AfterRemoveAfter,
    /// Not before a gate opens that no approval opens.
    Held,
}

/// One object that a plan acts on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// `ServiceAccount apps/ci`.
    pub what: String,
    /// `Unbind`, `Recreate`, `HandOver`, `Evict` or `Delete`.
    pub action: String,
    /// Its uid.
    pub uid: String,
    /// Why it is the leaver's.
    pub why: String,
    /// How, in a sentence.
    pub method: String,
    /// When.
    pub dead: Dead,
    /// What uses it.
    pub consumers: Vec<String>,
    /// What stops working for others.
    pub outage: String,
    /// How it is undone.
    pub undo: String,
}

/// Draws it.
pub fn of(view: &View<'_>) -> Forecast {
    let (person, policy) = (view.person, view.policy);
    let facts = convert::person_facts(person, view.now);
    let (protected, rule) = (convert::protected(policy), convert::rule(policy));
    let heirs = view.seen.heirs(&facts, policy);
    let mut planning = view.seen.planning(&facts, BTreeSet::new());
    planning.hands_over(heirs.clone(), false);
    let mut cut = planning.draw_first(&rule, &protected);
    planning.hands_over(heirs, true);
    // What workloads run as waits for an approval of its own, in a Revocation of its own; so do pods that are evicted.
    let mut handed_over = planning.draw(Operation::Cut, &rule, &protected).targets;
    handed_over.retain(|target| target.action == Action::HandOver);
    let waits: BTreeSet<String> =
        handed_over.iter().map(|one| plan::described(one.kind, &one.namespace, &one.name)).collect();
    cut.remaining.retain(|left| !waits.contains(&left.what));
    let recreated = |target: &&Target| target.action == Action::Recreate;
    let recreated: BTreeSet<String> = cut.targets.iter().filter(recreated).map(|target| target.uid.clone()).collect();
    let removal = view.seen.planning(&facts, recreated).draw(Operation::Remove, &rule, &protected);
    let sessions = sessions::picked(view.seen, &facts, policy, &protected, view.now);
    let later: Vec<Target> = handed_over.into_iter().chain(sessions.targets).collect();
    let shut = gates::shut(&cut, view);
    let state = person.status.as_ref().and_then(|status| status.employment.as_ref());
    let mut remaining = lost(view, &facts);
    remaining.extend(of_plan(cut.remaining.iter().chain(&view.seen.by_sources), view.seen));
    remaining.extend(beyond::left(view, &facts));
    remaining.extend(of_plan(sessions.remaining.iter(), view.seen));
    Forecast {
        person: person.name_any(),
        records: person.spec.records.iter().map(crate::cli::plugin::people::record).collect(),
        state: state.map_or("nothing is known yet", |employment| employment.state.as_str()).to_owned(),
        last_day: state.and_then(|employment| employment.last_day),
        policy: policy.name_any(),
        mode: policy.spec.mode,
        remove_after: gates::remove_after(policy).to_owned(),
        at: view.now,
        ends: ends(&cut, &later, &removal, at_the_cut(&shut), view.seen),
        plan: cut.hash,
        remaining,
        readable: beyond::readable(view.seen, &facts),
        gates: shut.into_iter().map(gate).collect(),
        revocations: view.revocations.iter().map(|revocation| told(revocation)).collect(),
        notes: notes(view),
    }
}

fn gate(shut: Shut) -> Gate {
    Gate { reason: shut.reason.to_owned(), message: shut.message, approval: shut.opens == Opens::ByApproval }
}

fn told(revocation: &Revocation) -> String {
    let phase = revocation.status.as_ref().and_then(|status| status.phase);
    format!("{} is {}", revocation.name_any(), phase.map_or("new", crate::api::revocation::Phase::as_str))
}

/// When the targets of the cut are dead, by the gates that would hold it.
fn at_the_cut(shut: &[Shut]) -> Dead {
    match shut {
        [] => Dead::AtTheCut,
        shut if shut.iter().all(|one| one.opens == Opens::ByApproval) => Dead::AfterApproval,
        _ => Dead::Held,
    }
}

fn ends(cut: &Plan, waits: &[Target], removal: &Plan, at_the_cut: Dead, seen: &Seen) -> Vec<End> {
    let approved = if at_the_cut == Dead::Held { Dead::Held } else { Dead::AfterApproval };
    let waits = waits.iter().map(|target| end(target, approved, seen));
    let cut = cut.freezes.iter().chain(&cut.targets).map(|target| end(target, at_the_cut, seen));
    let later = if at_the_cut == Dead::Held { Dead::Held } else { Dead::AfterRemoveAfter };
    cut.chain(waits).chain(removal.targets.iter().map(|target| end(target, later, seen))).collect()
}

fn end(target: &Target, dead: Dead, seen: &Seen) -> End {
    let of_account = target.kind == Kind::ServiceAccount;
    let consumers = match target.kind {
        Kind::ServiceAccount => seen.users_of(&target.namespace, &target.name),
        Kind::Pod => sessions::users_of(seen, target),
        Kind::RoleBinding | Kind::ClusterRoleBinding | Kind::User | Kind::Secret => Vec::new(),
    };
    let (action, method, undo) = match target.action {
        Action::Unbind => (
            "Unbind",
            "the binding is deleted, and its manifest kept",
            "kubectl create -f the kept manifest, by somebody who may give the role",
        ),
        Action::Recreate => (
            "Recreate",
            "the account is deleted and created again: every token issued for it before is refused",
            "issue a new token: name and rights are as before",
        ),
        Action::HandOver => (
            "HandOver",
            "the account is deleted and created again as its next owner's: every token issued for it before is refused, and its pods are replaced",
            "issue a new token: name and rights are as before",
        ),
        Action::Rotate => (
            "Rotate",
            "it gets a new value from external-secrets, cert-manager or a generator, and the workloads that use it are restarted",
            "nothing: the old value is gone",
        ),
        Action::Delete => (
            "Delete",
            "the account is deleted, and its manifest kept",
            "kubectl create -f the kept manifest, then issue a new token",
        ),
        Action::Trim => (
            "Trim",
            "their user name is taken out of the binding, and its manifest kept; everybody else stays",
            "put the subject back, by somebody who may give the role",
        ),
        Action::Evict => (
            "Evict",
            "the pod is evicted, a few of each workload at a time, and every session that is open in it ends with it",
            "nothing: what makes it makes another one",
        ),
        Action::Freeze => (
            "Freeze",
            "what they would change is refused, by whatever credential, before anything else ends; reads go on",
            "it is lifted by itself when the termination is taken back",
        ),
    };
    let outage = match (of_account, consumers.is_empty()) {
        (false, _) if target.kind == Kind::User => "what signs in with this user name changes nothing any more",
        (false, _) if target.kind == Kind::Pod => {
            "what it serves is served by the other pods of its workload until another one is ready; its PodDisruptionBudgets are kept to"
        }
        (false, _) if target.kind == Kind::Secret => {
            "a rollout of each workload that uses it; what uses a copy elsewhere is refused once the old value ends"
        }
        (false, _) => "none: nobody else is bound by it",
        (true, true) => "none in the cluster; whatever uses its tokens elsewhere is refused until it has a new one",
        (true, false) if target.action == Action::HandOver => {
            "what runs as it is refused until its pods are replaced, a few at a time; pods of Jobs, and those that nothing makes again, go on with a token that is refused"
        }
        (true, false) => "what runs as it is refused until it is replaced",
    };
    End {
        what: plan::described(target.kind, &target.namespace, &target.name),
        action: action.to_owned(),
        uid: target.uid.clone(),
        why: target.why.clone(),
        method: method.to_owned(),
        dead,
        consumers,
        outage: outage.to_owned(),
        undo: undo.to_owned(),
    }
}

/// Accounts that were theirs until lately.
fn lost(view: &View<'_>, facts: &PersonFacts) -> Vec<Left> {
    let excused = marks::excused(view.revocations.iter().copied());
    let why = RemainingReason::ChangedBeforeExit;
    let lost = view.seen.lost(facts, &excused).into_iter().map(|(namespace, name)| Left {
        what: plan::described(Kind::ServiceAccount, &namespace, &name),
        why: why.as_str().to_owned(),
        until: None,
        advice: why.advice().to_owned(),
        consumers: view.seen.users_of(&namespace, &name),
    });
    lost.collect()
}

/// What the planner leaves alone.
fn of_plan<'a>(remaining: impl Iterator<Item = &'a Remaining>, seen: &Seen) -> Vec<Left> {
    let left = remaining.map(|left| {
        let account = left.what.strip_prefix("ServiceAccount ").and_then(|place| place.split_once('/'));
        let runs = left.why == RemainingReason::WorkloadAccount;
        let consumers = account.filter(|_| runs).map(|(place, name)| seen.users_of(place, name)).unwrap_or_default();
        Left {
            what: left.what.clone(),
            why: left.why.as_str().to_owned(),
            until: None,
            advice: left.advice(),
            consumers,
        }
    });
    left.collect()
}

fn notes(view: &View<'_>) -> Vec<String> {
    let mut notes = view.seen.notes.clone();
    if view.seen.certificates.is_some() {
        notes.push("Kubernetes deletes a signed request for a certificate after an hour: a client certificate that is older is not shown, and works until its end.".to_owned());
    }
    if view.seen.ledger.is_some() {
        notes.push(
            "Only the limits of the policy are asked; those of all policies together are the chart's.".to_owned(),
        );
    }
    if view.changed {
        notes.push("User names are those that the Person has: another spec.identity or spec.scope shows once the HR system was read under it.".to_owned());
    }
    if let [_, ..] = view.revocations {
        notes.push(format!(
            "They have Revocations already: kubectl rollcall why {} says how far those are.",
            records(view.person)
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
