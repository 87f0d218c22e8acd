//! One pass over everybody, as a function: from the objects as they are to the writes that make them right.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::fields::{InForce, in_force};
use super::settings::Settings;
use crate::api::condition::{self, Reason};
use crate::api::person::PersonStatus;
use crate::api::{Person, Revocation, policy};
use crate::sync::convert;
use crate::sync::mirror::{mirror, stands};
use crate::sync::owned::OwnedKeys as Owners;
use crate::sync::people::Write;
use domain::employee::Employee;
use domain::lifecycle::State;
use domain::profile::Modes;
use domain::roster::{self, Baseline, Change, LifecycleEvent, RecordKey, RosterPass, Rules, TrustedResponse};
use domain::trust::Snapshot;

/// What a pass looks at.
pub struct GateInputs {
    /// The people namespace.
    pub namespace: String,
    /// Name of the policy.
    pub policy: String,
    /// Its uid.
    pub policy_uid: String,
    /// Its runs.
    pub runs: Vec<policy::Run>,
    /// Whether leavers of each connection act by themselves.
    pub baselines: BTreeMap<String, Baseline>,
    /// A connection, of several, has had no trusted answer for too long.
    pub stale: bool,
    /// Most people it manages.
    pub most_people: u32,
    /// What it says.
    pub settings: Settings,
    /// Everybody.
    pub people: Vec<Arc<Person>>,
    /// Every Revocation.
    pub revocations: Vec<Arc<Revocation>>,
    /// The last believed answer of each connection, in the policy's order, of those that gave one since the start.
    pub snapshots: Vec<(String, Arc<Snapshot>)>,
    /// What in the cluster can be somebody's, where that is known.
    pub owners: Option<Arc<Owners>>,
    /// Which modes of fields were in force.
    pub fields: Option<policy::Fields>,
}

impl GateInputs {
    /// Whether leavers of a connection act by themselves. Of one that is not the policy's nobody becomes a leaver.
    fn baseline(&self, connection: &str) -> Baseline {
        self.baselines.get(connection).copied().unwrap_or(Baseline::Awaited)
    }
}

/// What a pass decided.
pub struct Decision {
    /// The policy's runs, to be written first.
    pub runs: Vec<policy::Run>,
    /// Other records of the leavers' humans, such as the employment that follows a contract: written before the leavers, so
    /// that nobody sees a contract ended and not what follows it.
    pub others: Vec<Write>,
    /// Persons of the open run, to be written before all that remain.
    pub leavers: Vec<Write>,
    /// All other Persons to write.
    pub rest: Vec<Write>,
    /// What is worth an event: name of the Person, and what is said.
    pub news: Vec<News>,
    /// What the policy's status says, by the roster.
    pub tally: Tally,
}

/// Something to say on a Person.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// Name of the Person.
    pub person: String,
    /// Reason of the event.
    pub reason: Reason,
    /// In words, with ids only.
    pub note: String,
    /// Whether somebody should look at it.
    pub wrong: bool,
}

/// Counts of a pass.
#[derive(Debug)]
pub struct Tally {
    /// People by state.
    pub states: BTreeMap<String, u32>,
    /// People that trusted answers no longer name.
    pub missing: u32,
    /// Leavers that need approval, and whose access stands.
    pub baseline_leavers: u32,
    /// Who is in scope; none without an answer.
    pub scope: Option<policy::Scoped>,
    /// How many people there would be to manage, where that is too many and nobody new was added.
    pub not_added: Option<u32>,
    /// How many people went out of scope, and how many came into it.
    pub crossed: (u32, u32),
    /// People who had left before anybody looked, and own nothing here.
    pub former: u32,
    /// People whose location has no zone, or is not known; none without an answer.
    pub unmatched: Option<u32>,
    /// When somebody's dates, or a mode of a field, say something new.
    pub wake: Option<Timestamp>,
    /// Which modes of fields are in force, and what a changed one takes away.
    pub fields: InForce,
}

/// Decides the writes of a pass. Equal objects give none.
#[must_use]
pub fn decide(view: &GateInputs, now: Timestamp) -> Decision {
    let ours = ours(view);
    let fields = in_force(&view.settings.fields, view.fields.as_ref(), &ours, now);
    let (plan, not_added) = bounded(view, &ours, &fields.modes, now);
    let RosterPass { changes, runs, states, missing, baseline_leavers, former, scope, unmatched, wake } = plan;
    let crossed = crossed(&changes);
    let unwritten = ours.iter().map(|person| (person.metadata.name.as_deref().unwrap_or_default(), *person)).collect();
    let mut writes = Writes { unwritten, ..Writes::new(view, now) };
    for change in changes {
        writes.change(change);
    }
    writes.mirror_the_rest();
    let Writes { leavers, rest, news, .. } = writes;
    let humans: HashSet<String> = leavers.iter().flat_map(Write::human_keys).collect();
    let (others, rest) = rest.into_iter().partition(|write| write.human_keys().iter().any(|key| humans.contains(key)));
    let states = states.into_iter().map(|(state, people)| (state.as_str().to_owned(), people)).collect();
    Decision {
        runs: runs.into_iter().map(convert::run_shown).collect(),
        others,
        leavers,
        rest,
        news,
        tally: Tally {
            states,
            missing,
            baseline_leavers,
            not_added,
            scope: scope.map(convert::scoped_shown),
            crossed,
            former,
            unmatched,
            wake: [wake, fields.shown.next_at].into_iter().flatten().min(),
            fields,
        },
    }
}

/// The Persons this policy manages, the oldest first. Of two that link one record the older has it.
fn ours(view: &GateInputs) -> Vec<&Arc<Person>> {
    let mut ours: Vec<_> = view.people.iter().filter(|person| manages(view, person)).collect();
    ours.sort_by_key(|person| (person.metadata.creation_timestamp.as_ref().map(|made| made.0), person.name_any()));
    ours
}

/// Whether the first record that any policy reads is read by this one.
fn manages(view: &GateInputs, person: &Person) -> bool {
    let Settings { connections, elsewhere, .. } = &view.settings;
    let ours = person.spec.records.iter().find_map(|record| {
        let ours = connections.contains(&record.connection);
        (ours || elsewhere.contains(&record.connection)).then_some(ours)
    });
    ours == Some(true)
}

/// What a connection says, and what of it is looked at.
struct Answered<'a> {
    connection: &'a str,
    snapshot: &'a Snapshot,
    employees: Cow<'a, [Employee]>,
}

/// The plan, and where it would manage too many people, how many: then it is one in which nobody is new, and everybody who
/// stands goes on. Who has left is not counted: history grows for ever.
fn bounded(view: &GateInputs, ours: &[&Arc<Person>], fields: &Modes, now: Timestamp) -> (RosterPass, Option<u32>) {
    let answers: Vec<_> = view
        .snapshots
        .iter()
        .map(|(connection, snapshot)| Answered { connection, snapshot, employees: snapshot.employees().into() })
        .collect();
    let whole = plan(view, ours, fields, &answers, now);
    let managed = whole.states.iter().filter(|(state, _)| **state != State::Terminated).map(|(_, people)| people).sum();
    let known: HashSet<String> = ours.iter().map(|person| person.name_any()).collect();
    let adds = whole.changes.iter().any(|change| !known.contains(&change.name));
    if managed <= view.most_people || !adds {
        return (whole, None);
    }
    let bounded = plan(view, ours, fields, &of_those_who_stand(ours, answers), now);
    (RosterPass { scope: whole.scope, unmatched: whole.unmatched, former: whole.former, ..bounded }, Some(managed))
}

/// What answers say of those who stand. The next record of one of them is added all the same: without it, the end of the
/// first one would be theirs.
fn of_those_who_stand<'a>(ours: &[&Arc<Person>], answers: Vec<Answered<'a>>) -> Vec<Answered<'a>> {
    let records = ours.iter().flat_map(|person| &person.spec.records);
    let known: HashSet<(&str, &str)> = records.map(|record| (record.connection.as_str(), record.id.as_str())).collect();
    let stands = |connection: &str, one: &Employee| known.contains(&(connection, one.id.0.as_str()));
    let address = |one: &Employee| Some(one.work_email.trim().to_lowercase()).filter(|address| !address.is_empty());
    let theirs: HashSet<String> = answers
        .iter()
        .flat_map(|answer| answer.employees.iter().filter(|one| stands(answer.connection, one)))
        .filter_map(address)
        .collect();
    let next_of_them = |one: &Employee| address(one).is_some_and(|address| theirs.contains(&address));
    let of_them = |answer: Answered<'a>| {
        let kept = answer.employees.iter().filter(|one| stands(answer.connection, one) || next_of_them(one));
        Answered { employees: kept.cloned().collect(), ..answer }
    };
    answers.into_iter().map(of_them).collect()
}

fn plan(
    view: &GateInputs,
    ours: &[&Arc<Person>],
    fields: &Modes,
    answers: &[Answered<'_>],
    now: Timestamp,
) -> RosterPass {
    let known: Vec<_> = ours.iter().map(|person| convert::known(person)).collect();
    let runs: Vec<_> = view.runs.iter().map(convert::run).collect();
    let owned = view.owners.as_ref().map(|owners| owners.keys());
    let owns = |key: &str| owned.iter().any(|owned| owned.contains(key));
    let others = view.people.iter().filter(|person| !manages(view, person)).flat_map(|person| &person.spec.records);
    let elsewhere: HashSet<(&str, &str)> =
        others.map(|record| (record.connection.as_str(), record.id.as_str())).collect();
    let rules = Rules {
        namespace: &view.namespace,
        reads: &|connection| view.settings.connections.iter().any(|name| name == connection),
        elsewhere: &|connection, id| elsewhere.contains(&(connection, id.0.as_str())),
        policy: &view.policy,
        policy_uid: &view.policy_uid,
        zones: &view.settings.zones,
        usernames: &|connection, employee| view.settings.usernames.of(connection, employee),
        fields,
        scope: &view.settings.scope,
        owns: owned.as_ref().map(|_| &owns as &dyn Fn(&str) -> bool),
        runs: &runs,
        stale: view.stale,
        baseline: &|connection| view.baseline(connection),
    };
    let answers: Vec<_> = answers
        .iter()
        .map(|Answered { connection, snapshot, employees }| TrustedResponse {
            connection,
            employees,
            taken: snapshot.taken(),
            part: snapshot.part(),
        })
        .collect();
    roster::next(&known, &answers, &rules, now)
}

/// The writes of a pass, as they come together.
struct Writes<'a> {
    view: &'a GateInputs,
    now: Timestamp,
    /// Persons that exist and are not written yet, by name.
    unwritten: HashMap<&'a str, &'a Arc<Person>>,
    /// Revocations by the name of their Person.
    revocations: HashMap<&'a str, Vec<&'a Revocation>>,
    leavers: Vec<Write>,
    rest: Vec<Write>,
    news: Vec<News>,
}

impl<'a> Writes<'a> {
    fn new(view: &'a GateInputs, now: Timestamp) -> Self {
        let mut revocations: HashMap<&str, Vec<&Revocation>> = HashMap::new();
        for revocation in &view.revocations {
            revocations.entry(&revocation.spec.person).or_default().push(revocation);
        }
        Self {
            view,
            now,
            unwritten: HashMap::new(),
            revocations,
            leavers: Vec::new(),
            rest: Vec::new(),
            news: Vec::new(),
        }
    }

    fn change(&mut self, change: Change) {
        let current = self.unwritten.remove(change.name.as_str()).map(Arc::clone);
        let settled = change.records.iter().all(|record| self.view.baseline(&record.connection) == Baseline::Settled);
        self.news.extend(news(&change, settled));
        let Change { name, records, entry, leaver, event: _ } = change;
        let records = records.iter().map(convert::record_shown).collect();
        let mut status = current.as_ref().and_then(|person| person.status.clone()).unwrap_or_default();
        let mut profile = convert::show(&mut status, entry);
        // A crash left the Person without a status: what its spec keeps may be a human's already.
        if let Some(person) = current.as_ref().filter(|person| person.status.is_none()) {
            profile.clone_from(&person.spec.profile);
        }
        self.show_access(&mut status, &name, current.as_deref());
        let lane = if leaver { &mut self.leavers } else { &mut self.rest };
        lane.push(Write { current, name, records, profile, status });
    }

    /// Persons the roster leaves as they are, where only what happened to their access is new.
    fn mirror_the_rest(&mut self) {
        let mut unchanged: Vec<_> = std::mem::take(&mut self.unwritten).into_iter().collect();
        unchanged.sort_by_key(|(name, _)| *name);
        for (name, person) in unchanged {
            let Some(before) = &person.status else { continue };
            let mut status = PersonStatus {
                conditions: before.conditions.clone(),
                employment: before.employment.clone(),
                ..PersonStatus::default()
            };
            self.show_access(&mut status, name, Some(person));
            if (&status.access, &status.conditions) != (&before.access, &before.conditions) {
                let status = PersonStatus { access: status.access, conditions: status.conditions, ..before.clone() };
                let (current, records) = (Some(Arc::clone(person)), person.spec.records.clone());
                let profile = person.spec.profile.clone();
                self.rest.push(Write { current, name: name.to_owned(), records, profile, status });
            }
        }
    }

    fn show_access(&self, status: &mut PersonStatus, name: &str, person: Option<&Person>) {
        let uid = person.and_then(|person| person.metadata.uid.as_deref());
        let theirs = self.revocations.get(name).into_iter().flatten().copied();
        let theirs: Vec<&Revocation> =
            theirs.filter(|revocation| Some(revocation.spec.person_uid.as_str()) == uid).collect();
        let termination = status.employment.as_ref().and_then(|employment| convert::termination_id(name, employment));
        let before = person.and_then(|person| person.status.as_ref()?.access.clone());
        if termination.as_deref().is_some_and(|termination| stands(termination, before.as_ref(), &theirs)) {
            status.access = before;
            return;
        }
        let shown = mirror(termination.as_deref(), &theirs, self.now);
        status.access = shown.access;
        status.conditions = condition::merge(&status.conditions, shown.revoked.into_iter().collect(), None, self.now);
    }
}

fn crossed(changes: &[Change]) -> (u32, u32) {
    let count = |event| u32::try_from(changes.iter().filter(|change| change.event == Some(event)).count());
    (count(LifecycleEvent::OutOfScope).unwrap_or(u32::MAX), count(LifecycleEvent::InScope).unwrap_or(u32::MAX))
}

/// The Event of a turn of somebody's working life. A baseline's leavers left before anybody looked: they are no news. People whom a changed policy puts
/// out of scope, or into it, are one Event on the policy.
fn news(change: &Change, settled: bool) -> Option<News> {
    let who = records_in_words(&change.records);
    let (reason, note) = match change.event? {
        LifecycleEvent::Terminated | LifecycleEvent::OutOfScope | LifecycleEvent::InScope if !settled => {
            return None;
        }
        LifecycleEvent::Terminated => {
            let run = change.entry.employment.left.as_ref().and_then(|left| left.run.as_deref()).unwrap_or_default();
            (
                Reason::Terminated,
                format!("{who} has left: {}. Counted in run {run}.", change.entry.employment.message()),
            )
        }
        LifecycleEvent::Withdrawn => (
            Reason::TerminationWithdrawn,
            format!("{who} works here again: the termination was taken back. Nothing is restored by itself."),
        ),
        LifecycleEvent::Rehired => {
            (Reason::Rehired, format!("{who} works here again, in a new employment. Nothing is restored by itself."))
        }
        LifecycleEvent::OutOfScope => {
            (Reason::OutOfScope, format!("{who} is {}. This ends nobody's access.", change.entry.employment.message()))
        }
        LifecycleEvent::InScope if change.entry.employment.left.is_some() => {
            (Reason::InScope, format!("{who} is in scope again, and has left: its Revocation needs approval."))
        }
        LifecycleEvent::InScope => (Reason::InScope, format!("{who} is in scope again.")),
        LifecycleEvent::Conflicting => (Reason::Conflict, format!("{who}: {}.", change.entry.employment.message())),
    };
    let wrong = change.event == Some(LifecycleEvent::Conflicting);
    Some(News { person: change.name.clone(), reason, note, wrong })
}

/// `HR record hq/7`, or `HR records hq/7, contractors/c7`.
fn records_in_words(records: &[RecordKey]) -> String {
    let all: Vec<_> = records.iter().map(ToString::to_string).collect();
    format!("HR record{} {}", if all.len() == 1 { "" } else { "s" }, all.join(", "))
}
#[cfg(test)]
mod tests;
