//! One pass over everybody, as a function: from the objects as they are to the writes that make them right.

mod news;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

pub use self::news::News;
use self::news::news;
use super::fields::{InForce, in_force};
use super::settings::Settings;
use super::shared::{Conflicts, Division, Rival, divide};
use crate::api::condition::{self, ConditionUpdate};
use crate::api::person::{self, PersonStatus};
use crate::api::{Person, Revocation, policy};
use crate::sync::convert;
use crate::sync::mirror::{mirror, stands};
use crate::sync::owned::OwnedKeys as Owners;
use crate::sync::people::Write;
use crate::sync::retention::Retention;
use domain::employee::Employee;
use domain::identity::Findings;
use domain::lifecycle::State;
use domain::moves::in_words;
use domain::profile::Modes;
use domain::roster::{
    self, Baseline, Change, Doubt, LifecycleEvent, MAX_DOUBTS, MovesTally, OfName, RecordKey, Role, RosterPass, Rules,
    TrustedResponse,
};
use domain::trust::Snapshot;
use domain::turns;

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
    /// Other policies that read what it reads, the oldest first.
    pub rivals: Vec<Rival>,
    /// Everybody.
    pub people: Vec<Arc<Person>>,
    /// Every Revocation.
    pub revocations: Vec<Arc<Revocation>>,
    /// The last believed answer of each connection, in the policy's order, of those that gave one since the start.
    pub snapshots: Vec<(String, Arc<Snapshot>)>,
    /// What in the cluster can be somebody's, where that is known.
    pub owners: Option<Arc<Owners>>,
    /// How long what is personal of a leaver is kept, where that can be read.
    pub retention: Option<jiff::SignedDuration>,
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

/// Counts of a pass.
#[derive(Debug)]
pub struct Tally {
    /// People by state.
    pub states: BTreeMap<String, u32>,
    /// People that trusted answers no longer name.
    pub missing: u32,
    /// What is said of the matching of records; none where the policy matches nothing.
    pub matched: Option<Matched>,
    /// Other policies read what it reads.
    pub rivals: bool,
    /// People in the scope of another policy too; none where it has no rival, or no answer said anything.
    pub conflicts: Option<Conflicts>,
    /// Leavers that need approval, and whose access stands.
    pub baseline_leavers: u32,
    /// Who is in scope; none without an answer.
    pub scope: Option<policy::Scoped>,
    /// People who have not left by a human's word, although HR says so.
    pub kept_by_word: u32,
    /// People who work here and own nothing here, where only holders get a Person.
    pub others: u32,
    /// Most people the policy manages.
    pub most_people: u32,
    /// How many people there would be to manage, where that is too many and nobody new was added.
    pub not_added: Option<u32>,
    /// How many people went out of scope, and how many came into it.
    pub crossed: Vec<(String, bool)>,
    /// People who had left before anybody looked, and own nothing here.
    pub former: u32,
    /// People whose location has no zone, or is not known; none without an answer.
    pub unmatched: Option<u32>,
    /// When somebody's dates, or a mode of a field, say something new.
    pub wake: Option<Timestamp>,
    /// Which modes of fields are in force, and what a changed one takes away.
    pub fields: InForce,
    /// How many people have moved.
    pub moves: MovesTally,
    /// Where HR and the directories disagree; none without a directory.
    pub accounts: Option<Findings>,
}

/// What is said of the matching of records to humans.
#[derive(Debug)]
pub struct Matched {
    /// How many pairs of people may be one human.
    pub doubtful: u32,
    /// The first of them.
    pub doubts: Vec<policy::Doubt>,
    /// People whose only record is of a connection that was replaced.
    pub not_migrated: u32,
    /// People of corroborating connections who are nobody's that is known; none without an answer of one.
    pub strangers: Option<u32>,
}

fn matched(view: &GateInputs, doubts: &[Doubt], not_migrated: u32, strangers: Option<u32>) -> Option<Matched> {
    let Settings { matching, migrations, corroborating, .. } = &view.settings;
    let matches = !(matching.keys.is_empty() && migrations.is_empty() && corroborating.is_empty());
    matches.then(|| Matched {
        doubtful: u32::try_from(doubts.len()).unwrap_or(u32::MAX),
        doubts: doubts.iter().take(MAX_DOUBTS).map(convert::doubt_shown).collect(),
        not_migrated,
        strangers,
    })
}

/// Decides the writes of a pass. Equal objects give none.
#[must_use]
pub fn decide(view: &GateInputs, now: Timestamp) -> Decision {
    let division = divide(view, now);
    let ours = &division.ours;
    let fields = in_force(&view.settings.fields, view.fields.as_ref(), ours, now);
    let (plan, not_added) = bounded(view, &division, &fields.modes, now);
    let RosterPass {
        changes,
        runs,
        states,
        missing,
        kept_by_word,
        baseline_leavers,
        former,
        scope,
        unmatched,
        wake,
        ..
    } = plan;
    let (doubts, not_migrated, strangers, people) = (plan.doubts, plan.not_migrated, plan.strangers, plan.others);
    let crossed = changes
        .iter()
        .filter(|change| matches!(change.event, Some(LifecycleEvent::OutOfScope | LifecycleEvent::InScope)));
    let crossed =
        crossed.map(|change| (change.name.clone(), change.event == Some(LifecycleEvent::OutOfScope))).collect();
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
            matched: matched(view, &doubts, not_migrated, strangers),
            rivals: !view.rivals.is_empty(),
            conflicts: division.conflicts.clone(),
            baseline_leavers,
            kept_by_word,
            others: people,
            most_people: view.most_people,
            not_added,
            scope: scope.map(convert::scoped_shown),
            crossed,
            former,
            unmatched,
            wake: [wake, fields.shown.next_at].into_iter().flatten().min(),
            fields,
            moves: plan.moves,
            accounts: plan.identity,
        },
    }
}

/// What a connection says, and what of it is looked at.
struct Answered<'a> {
    connection: &'a str,
    snapshot: &'a Snapshot,
    employees: Cow<'a, [Employee]>,
}

/// The plan, and where it would manage too many people, how many: then it is one in which nobody is new, and everybody who
/// stands goes on. Who has left is not counted: history grows for ever.
fn bounded(view: &GateInputs, division: &Division<'_>, fields: &Modes, now: Timestamp) -> (RosterPass, Option<u32>) {
    let ours = &division.ours;
    let answers: Vec<_> = view
        .snapshots
        .iter()
        .map(|(connection, snapshot)| Answered { connection, snapshot, employees: snapshot.employees().into() })
        .collect();
    let whole = plan(view, division, fields, &answers, now);
    let managed = whole.states.iter().filter(|(state, _)| **state != State::Terminated).map(|(_, people)| people).sum();
    let known: HashSet<String> = ours.iter().map(|person| person.name_any()).collect();
    let adds = whole.changes.iter().any(|change| !known.contains(&change.name));
    if managed <= view.most_people || !adds {
        return (whole, None);
    }
    let bounded = plan(view, division, fields, &of_those_who_stand(ours, answers), now);
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
    division: &Division<'_>,
    fields: &Modes,
    answers: &[Answered<'_>],
    now: Timestamp,
) -> RosterPass {
    let known: Vec<_> = division.ours.iter().map(|person| convert::known(person)).collect();
    let runs: Vec<_> = view.runs.iter().map(convert::run).collect();
    let owned = view.owners.as_ref().map(|owners| (owners.keys(), owners));
    let rules = Rules {
        elsewhere: Box::new(|connection, id| division.elsewhere.contains(&(connection, id.0.as_str()))),
        contested: Box::new(|connection, id| division.contested.contains(&(connection, id.0.as_str()))),
        policy_uid: &view.policy_uid,
        fields,
        holders_only: view.settings.holders_only,
        owns: owned.map(|(named, owners)| -> OfName<'_, bool> {
            Box::new(move |key| named.contains(key) || owners.holds_secret(key))
        }),
        runs: &runs,
        stale: view.stale,
        baseline: Box::new(|connection| view.baseline(connection)),
        ..view.settings.rules(&view.namespace, &view.policy)
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
    retention: Retention<'a>,
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
            retention: Retention::new(view.retention, view.owners.as_deref()),
            leavers: Vec::new(),
            rest: Vec::new(),
            news: Vec::new(),
        }
    }

    fn change(&mut self, change: Change) {
        let current = self.unwritten.remove(change.name.as_str()).map(Arc::clone);
        let employs = |record: &&RecordKey| self.view.settings.role(&record.connection) == Role::Employment;
        let mut employers = change.records.iter().filter(employs);
        let settled = employers.all(|record| self.view.baseline(&record.connection) == Baseline::Settled);
        self.news.extend(news(&change, settled));
        let Change { name, records, entry, leaver, event } = change;
        let records: Vec<_> = records.iter().map(convert::record_shown).collect();
        let mut status = current.as_ref().and_then(|person| person.status.clone()).unwrap_or_default();
        let before = current.as_ref().and_then(|person| convert::known(person).entry);
        turns::keep(&mut status.turns, &turns::between(before.as_deref(), &entry, event, settled), self.now);
        let mut profile = convert::show(&mut status, *entry);
        // A crash left the Person without a status: what its spec keeps may be a human's already.
        if let Some(person) = current.as_ref().filter(|person| person.status.is_none()) {
            profile.clone_from(&person.spec.profile);
        }
        self.show_access(&mut status, &name, current.as_deref());
        let theirs = self.theirs(&name, current.as_deref());
        self.retention.apply(&mut status, &mut profile, current.as_deref(), &theirs, self.now);
        let stands = |person: &Arc<Person>| {
            person.status.as_ref() == Some(&status)
                && person.spec.records == records
                && person.spec.profile == profile
                && !Retention::forgets(person, &status)
        };
        if current.as_ref().is_some_and(stands) {
            return; // HR goes on to list a leaver whose names have gone
        }
        let lane = if leaver { &mut self.leavers } else { &mut self.rest };
        lane.push(Write { current, name, records, profile, status: Box::new(status) });
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
                moves: before.moves.clone(),
                ..PersonStatus::default()
            };
            self.show_access(&mut status, name, Some(person));
            let PersonStatus { access, conditions, .. } = status;
            let changed = (&access, &conditions) != (&before.access, &before.conditions);
            if !changed && !Retention::concerns(before, person.spec.profile.as_deref()) {
                continue;
            }
            let mut status = PersonStatus { access, conditions, ..before.clone() };
            let mut profile = person.spec.profile.clone();
            let theirs = self.theirs(name, Some(person));
            self.retention.apply(&mut status, &mut profile, Some(person), &theirs, self.now);
            if status != *before || profile != person.spec.profile || Retention::forgets(person, &status) {
                let (current, records) = (Some(Arc::clone(person)), person.spec.records.clone());
                self.rest.push(Write { current, name: name.to_owned(), records, profile, status: Box::new(status) });
            }
        }
    }

    /// The Revocations of a Person, and of no earlier one of the same name.
    fn theirs(&self, name: &str, person: Option<&Person>) -> Vec<&'a Revocation> {
        let uid = person.and_then(|person| person.metadata.uid.as_deref());
        let all = self.revocations.get(name).into_iter().flatten().copied();
        all.filter(|revocation| Some(revocation.spec.person_uid.as_str()) == uid).collect()
    }

    fn show_access(&self, status: &mut PersonStatus, name: &str, person: Option<&Person>) {
        let theirs = self.theirs(name, person);
        let termination = status.employment.as_ref().and_then(|employment| convert::termination_id(name, employment));
        let before = person.and_then(|person| person.status.as_ref()?.access.clone());
        if termination.as_deref().is_some_and(|termination| stands(termination, before.as_deref(), &theirs)) {
            status.access = before;
            return;
        }
        let shown = mirror(termination.as_deref(), &theirs, self.now);
        status.access = shown.access;
        let updates = shown.revoked.into_iter().chain(of_moves(status.moves.as_deref(), self.now)).collect();
        status.conditions = condition::merge(&status.conditions, updates, None, self.now);
    }
}

/// What is said of somebody's moves.
fn of_moves(moves: Option<&person::Moves>, now: Timestamp) -> Vec<ConditionUpdate> {
    let Some(moves) = moves.map(convert::moves) else { return Vec::new() };
    let due = moves.review.as_ref().map(|review| review.due);
    let moved = moves.last.filter(|moved| due.is_some() || moved.is_recent(now));
    let moved = moved.map(|moved| condition::moved(&in_words(&moved.fields), moved.at, due));
    let overdue = due.filter(|due| *due <= now).map(condition::review_overdue);
    moved.into_iter().chain(overdue).collect()
}

#[cfg(test)]
mod tests;
