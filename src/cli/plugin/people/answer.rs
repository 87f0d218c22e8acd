//! Why somebody is in the state they are in, and what happens next: as facts. Pure; `words` turns them into sentences.

mod commands;

pub use commands::Command;

use jiff::Timestamp;
use jiff::civil::Date;
use kube::ResourceExt;

use super::owned::Owned;
use super::position::Position;
use super::turns::{Ahead, Turn};
use super::{World, accounts, record};
use crate::api::condition::{Condition, ConditionType, Reason, Status};
use crate::api::person::{Hold, Record};
use crate::api::policy::Mode;
use crate::api::revocation::{Exposure, FirstFreeze, HookRun, Operation, Phase, Remaining, Trigger};
use crate::api::{HRConnection, Person, Revocation, SyncPolicy, convert as api};
use crate::sync::convert;
use domain::identity::Account;
use domain::lifecycle::{State, Why};
use domain::roster::{Employment, EmploymentState, Notice};
use domain::scope::Out;

/// Everything there is to say of one person.
#[derive(Debug)]
pub struct Answer {
    /// The people namespace.
    pub namespace: String,
    /// Name of the Person.
    pub person: String,
    /// Their HR records.
    pub records: Vec<String>,
    /// Name and address, where they are kept.
    pub name: [Option<String>; 2],
    /// Who decides about them.
    pub policy: Manages,
    /// What follows from all records together; none before a trusted response.
    pub standing: Option<EmploymentState>,
    /// What each record says.
    pub says: Vec<Says>,
    /// Where that was read.
    pub sources: Vec<Source>,
    /// A human's hold that has not ended.
    pub hold: Option<Hold>,
    /// Whether a leaver's access is refused, as the Person shows it.
    pub access: Option<Shown>,
    /// Their Revocations, oldest first.
    pub told: Vec<Told>,
    /// What in the cluster is theirs.
    pub owned: Owned,
    /// Moves, grants, and disputed names.
    pub position: Position,
    /// What happens next, the soonest first.
    pub next: Vec<Next>,
    /// What the reader can do.
    pub commands: Vec<Command>,
}

/// Which policy manages somebody.
#[derive(Debug, PartialEq)]
pub enum Manages {
    /// None has yet.
    Nobody,
    /// One that is no longer there.
    Gone(String),
    /// This one.
    Policy {
        /// Its name.
        name: String,
        /// Whether it acts.
        mode: Mode,
        /// Whether its baseline is settled.
        settled: bool,
        /// How long after a cut what was recreated is deleted.
        remove_after: String,
        /// Why it is not ready, with the reason's word.
        trouble: Option<String>,
    },
}

/// What one HR record says.
#[derive(Debug)]
pub struct Says {
    /// `hq/7`.
    pub record: String,
    /// What it does to the state of the person.
    pub role: Role,
    /// Why, of a record that a trusted response ever named.
    pub why: Option<Why>,
    /// Since when it says so.
    pub since: Option<Timestamp>,
    /// First day of work.
    pub start: Option<Date>,
    /// Last day of work.
    pub last_day: Option<Date>,
    /// When that day was announced.
    pub notice: Option<Notice>,
    /// Since when trusted responses no longer name it.
    pub missing_since: Option<Timestamp>,
    /// Why it is out of scope.
    pub out: Option<Out>,
    /// What it tells of their account, in lines.
    pub account: Vec<String>,
    /// The response whose word it is.
    pub word: Option<Word>,
}

/// What a record does to the state of its person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Keeps them in this state: it has not ended.
    Keeps(State),
    /// Begins later.
    Begins,
    /// Has ended.
    Ended,
    /// Cannot be told, which holds.
    CannotTell,
    /// No trusted response ever named it, which holds.
    NeverNamed,
    /// The policy does not read its connection, which holds.
    NotRead,
    /// Is of a directory: it tells of an account, and decides nothing.
    Tells(Option<Account>),
}

/// A response that the Persons show.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// Its digest.
    pub response: String,
    /// When it was read, if it is still the newest trusted one.
    pub read: Option<Timestamp>,
}

/// A connection, and how new its word is.
#[derive(Debug, PartialEq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// How new its newest trusted response is.
    pub freshness: Freshness,
    /// Why its newest attempt is not trusted, and the digest of what came, if a whole response did.
    pub held: Option<(Option<Reason>, Option<String>)>,
    /// When it is read next.
    pub next_read: Option<Timestamp>,
}

/// How new the newest trusted response of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// There is no such connection.
    Gone,
    /// There was none.
    NeverTrusted,
    /// It is as new as the connection asks.
    Fresh(Timestamp),
    /// It is older than the connection allows.
    Stale(Timestamp),
}

/// A condition of a Person.
#[derive(Debug)]
pub struct Shown {
    /// Its reason.
    pub reason: Option<Reason>,
    /// Its message, which names ids only.
    pub message: String,
}

/// A Revocation.
#[derive(Debug)]
pub struct Told {
    /// Its name.
    pub name: String,
    /// How far it goes.
    pub operation: Operation,
    /// Found after the first plan.
    pub late: bool,
    /// Whether it evicts pods for the sessions that may be open in them.
    pub evicts: bool,
    /// How far it has come.
    pub phase: Phase,
    /// What it is about: of this termination, or of an earlier one.
    pub present: bool,
    /// When it may act.
    pub due: Timestamp,
    /// The gate that is shut.
    pub gate: Option<Gate>,
    /// How many objects it acts on.
    pub objects: usize,
    /// What it leaves.
    pub remaining: Vec<Remaining>,
    /// What they could read, though it is not theirs.
    pub exposure: Option<Exposure>,
    /// When everything was seen to be refused.
    pub verified: Option<Timestamp>,
    /// How many credentials came back.
    pub returned: usize,
    /// How many things worked again at the last check after the end.
    pub again: usize,
    /// Of how many it could not be told then.
    pub untold: u32,
    /// Its hooks.
    pub hooks: Vec<HookRun>,
    /// Who approved its plan, and whether two have to.
    pub approvals: (Vec<String>, bool),
    /// Of a cut for a leave that is over: what a human has to undo.
    pub not_undone: Option<String>,
    /// Of a cut for a termination: what was frozen first.
    pub freeze: Option<FirstFreeze>,
}

/// A gate that is shut.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Which.
    pub reason: Option<Reason>,
    /// In words, with what to do.
    pub message: String,
    /// When it opens by itself.
    pub until: Option<Timestamp>,
    /// The batch that the limits hold.
    pub batch: Option<String>,
}

/// Something that happens at an instant, if nothing new is said until then.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// The dates of their records say something new.
    Turn(Turn),
    /// A Revocation is due.
    Due(String, Operation, Timestamp),
    /// The gate of a Revocation opens.
    Opens(String, Timestamp),
    /// A hold ends.
    HoldEnds(Timestamp),
    /// Something that remains ends by itself.
    Expires(String, Timestamp),
    /// A connection is read.
    Read(String, Timestamp),
}

impl Next {
    /// When.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Turn(turn) => turn.at,
            Self::Due(_, _, at)
            | Self::Opens(_, at)
            | Self::HoldEnds(at)
            | Self::Expires(_, at)
            | Self::Read(_, at) => *at,
        }
    }
}

/// Puts the answer together.
pub fn decide(world: &World, person: &Person, owned: Owned, now: Timestamp) -> Answer {
    decide_with(world, &Ahead::of(world, now), person, owned, now)
}

/// The same, for who asks about many: the policies were read once.
pub fn decide_with(world: &World, ahead: &Ahead, person: &Person, owned: Owned, now: Timestamp) -> Answer {
    let entry = convert::known(person).entry;
    let status = person.status.clone().unwrap_or_default();
    let named = status.policy.as_deref();
    let policy = named.and_then(|name| world.policy(name));
    let sources = sources(world, person, policy, now);
    let profile = status.profile.unwrap_or_default();
    let told: Vec<Told> = world.revocations_of(person).into_iter().map(|one| told(one, person)).collect();
    let hold = person.spec.hold.as_deref().cloned().filter(|hold| hold.until > now);
    let employments = entry.as_ref().map(|entry| entry.employments.as_slice()).unwrap_or_default();
    let says: Vec<Says> =
        person.spec.records.iter().map(|record| says(record, person, employments, policy, world)).collect();
    let standing = entry.as_ref().map(|entry| entry.employment.clone());
    let access = status.conditions.iter().find(|one| one.type_ == ConditionType::Revoked.as_str()).map(shown);
    let mut answer = Answer {
        namespace: person.namespace().unwrap_or_default(),
        person: person.name_any(),
        records: person.spec.records.iter().map(record).collect(),
        name: [profile.display_name, profile.work_email],
        policy: manages(named, policy),
        standing,
        says,
        sources,
        hold,
        access,
        told,
        owned,
        position: Position::of(world, person, now),
        next: Vec::new(),
        commands: Vec::new(),
    };
    answer.next = next(&answer, ahead.turns(person, now), now);
    answer.commands = commands::of(&answer);
    answer
}

fn manages(named: Option<&str>, policy: Option<&SyncPolicy>) -> Manages {
    match (named, policy) {
        (None, _) => Manages::Nobody,
        (Some(name), None) => Manages::Gone(name.to_owned()),
        (Some(name), Some(policy)) => {
            let remove_after = policy.spec.lifecycle.termination.remove_after.clone();
            let conditions = policy.status.iter().flat_map(|status| &status.conditions);
            let trouble = conditions.into_iter().find(|one| one.is(ConditionType::Ready, Status::False));
            Manages::Policy {
                name: name.to_owned(),
                mode: policy.spec.mode,
                settled: policy.settled(),
                remove_after,
                trouble: trouble.map(|one| format!("{}: {}", one.reason, one.message)),
            }
        }
    }
}

fn says(at: &Record, person: &Person, employments: &[Employment], policy: Option<&SyncPolicy>, world: &World) -> Says {
    let known = employments.iter().find(|one| one.record.id.0 == at.id && *one.record.connection == at.connection);
    let read = policy.is_none_or(|policy| policy.spec.connections.iter().any(|one| one.name == at.connection));
    let directory = policy.is_some_and(|policy| policy.spec.is_directory(&at.connection));
    let shown = person.status.iter().flat_map(|status| &status.employments);
    let shown = shown.filter(|one| one.id == at.id && one.connection == at.connection).take(1);
    let role = match known {
        Some(known) if directory => Role::Tells(Account::of(known.facts.reported_status)),
        Some(known) => role(&known.state),
        None if read => Role::NeverNamed,
        None => Role::NotRead,
    };
    Says {
        record: record(at),
        role,
        why: known.map(|known| known.state.why),
        since: known.map(|known| known.state.since),
        start: known.and_then(|known| known.facts.start),
        last_day: known.and_then(|known| known.facts.last_day),
        notice: known.and_then(|known| known.notice),
        missing_since: known.and_then(|known| known.missing_since),
        out: known.and_then(|known| known.state.out),
        account: shown.flat_map(|one| accounts::lines(one, &world.connections)).collect(),
        word: known.and_then(|_| word(&at.connection, policy, world)),
    }
}

/// Whether a record keeps its person, in scope or not.
const fn role(state: &EmploymentState) -> Role {
    let says = if matches!(state.state, State::OutOfScope) { state.why.state() } else { state.state };
    match says {
        State::Active | State::Leave | State::Suspended => Role::Keeps(says),
        State::PreHire => Role::Begins,
        State::Terminated => Role::Ended,
        State::Unknown | State::OutOfScope => Role::CannotTell,
    }
}

fn word(connection: &str, policy: Option<&SyncPolicy>, world: &World) -> Option<Word> {
    let taken = policy?.status.as_ref()?.connections.iter().find(|taken| taken.name == connection)?;
    let response = taken.response.clone()?;
    let trusted = world.connection(connection).and_then(|one| one.status.as_ref()?.last_trusted.as_ref());
    let read = trusted.filter(|trusted| trusted.response == response).map(|trusted| trusted.time);
    Some(Word { response, read })
}

/// The connections of their records, and of their policy: each may know that they work on.
fn sources(world: &World, person: &Person, policy: Option<&SyncPolicy>, now: Timestamp) -> Vec<Source> {
    let mut names: Vec<&str> = person.spec.records.iter().map(|record| record.connection.as_str()).collect();
    names.extend(policy.iter().flat_map(|policy| &policy.spec.connections).map(|one| one.name.as_str()));
    let mut seen = std::collections::BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(*name)).map(|name| source(name, world.connection(name), now)).collect()
}

fn source(name: &str, connection: Option<&HRConnection>, now: Timestamp) -> Source {
    let status = connection.and_then(|connection| connection.status.as_ref());
    let trusted = status.and_then(|status| status.last_trusted.as_ref());
    let freshness = match (connection, trusted) {
        (None, _) => Freshness::Gone,
        (Some(_), None) => Freshness::NeverTrusted,
        (Some(connection), Some(trusted)) if api::fresh(connection, now) => Freshness::Fresh(trusted.as_of()),
        (Some(_), Some(trusted)) => Freshness::Stale(trusted.as_of()),
    };
    let conditions = status.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let held = conditions.iter().find(|one| one.is(ConditionType::Trusted, Status::False));
    let response = || status.and_then(|status| status.last_attempt.as_ref()?.response.clone());
    let held = held.map(|one| (Reason::parse(&one.reason), response()));
    let next_read = status.and_then(|status| status.next_run).filter(|next| *next > now);
    Source { name: name.to_owned(), freshness, held, next_read }
}

fn shown(condition: &Condition) -> Shown {
    Shown { reason: Reason::parse(&condition.reason), message: condition.message.clone() }
}

fn told(revocation: &Revocation, person: &Person) -> Told {
    let status = revocation.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or(Phase::Held);
    let name = revocation.name_any();
    let of_leave = revocation.spec.trigger == Trigger::Leave && revocation.spec.operation == Operation::Cut;
    let back = of_leave && api::leave_status(Some(person), &name, false) == domain::gate::LeaverStatus::Employed;
    let not_undone = Some(&status).filter(|_| back).and_then(api::not_undone);
    let found: Vec<Remaining> = api::found(&status).into_iter().cloned().collect();
    let gate = status.gate.filter(|_| phase == Phase::Held).map(|gate| Gate {
        reason: Reason::parse(&gate.reason),
        message: gate.message,
        until: gate.until,
        batch: gate.batch,
    });
    let by_two = status.plan.as_ref().is_some_and(|plan| plan.by_two) && revocation.spec.rejection.is_none();
    let approvers = status.plan.as_ref().map(|plan| api::approvers(&revocation.spec, &plan.hash));
    let (objects, planned) = status.plan.map_or((0, Vec::new()), |plan| (plan.targets.len(), plan.remaining));
    Told {
        operation: revocation.spec.operation,
        late: revocation.spec.late,
        evicts: api::evicts(revocation),
        phase,
        present: revocation.spec.trigger == Trigger::AdHoc && !phase.ended()
            || api::in_force(revocation)
            || api::leave_id(person).is_some_and(|leave| name.starts_with(&leave))
            || (api::leaver_status(Some(person)) == domain::gate::LeaverStatus::Ended
                && api::of_this_termination(Some(person), &name)),
        due: revocation.spec.due,
        gate,
        objects,
        remaining: planned.into_iter().chain(found).collect(),
        exposure: status.exposure,
        verified: status.verified,
        returned: status.returned.len(),
        again: status.recheck.as_ref().map_or(0, |recheck| recheck.refuted.len()),
        untold: status.recheck.map_or(0, |recheck| recheck.unknown),
        hooks: status.hooks,
        approvals: (approvers.unwrap_or_default(), by_two),
        not_undone,
        freeze: status.freeze,
        name,
    }
}

/// What comes, the soonest first. Of the connections only the first read counts: it may say something new.
fn next(answer: &Answer, turns: Vec<Turn>, now: Timestamp) -> Vec<Next> {
    let mut next: Vec<Next> = turns.into_iter().map(Next::Turn).collect();
    for told in answer.told.iter().filter(|told| told.present && told.phase == Phase::Held) {
        if told.due > now {
            next.push(Next::Due(told.name.clone(), told.operation, told.due));
        } else if let Some(until) = told.gate.as_ref().and_then(|gate| gate.until).filter(|until| *until > now) {
            next.push(Next::Opens(told.name.clone(), until));
        }
    }
    let remaining = answer.told.iter().filter(|told| told.present).flat_map(|told| &told.remaining);
    let expiring = remaining.filter_map(|thing| Some((thing.what.clone(), thing.until.filter(|until| *until > now)?)));
    next.extend(expiring.map(|(what, until)| Next::Expires(what, until)));
    next.extend(answer.hold.iter().map(|hold| Next::HoldEnds(hold.until)));
    let reads = answer.sources.iter().filter_map(|source| Some(Next::Read(source.name.clone(), source.next_read?)));
    next.extend(reads.min_by_key(Next::at));
    next.sort_by_key(Next::at);
    next
}

#[cfg(test)]
mod tests;
