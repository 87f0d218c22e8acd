//! Which of several policies over one connection has a person.
//!
//! Every one of them asks this, of the same values, and gets the same answer: so that each person has one policy, and never
//! two or none. A person goes from one scope to another while they work here. Who leaves is decided by the policy that had
//! them: HR systems change the department, or the legal entity, of a leaver in the same breath.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::answer::judged;
use super::calendar::Calendar;
use super::person::of_another_human;
use super::{Employment, EmploymentState, Modes, RecordKey, Role, RosterEntry};
use crate::employee::{Employee, ReportedStatus, Status, Text};
use crate::lifecycle::{State, Terms, Why};
use crate::scope::Scope;
use crate::timezone::{DayEnd, Zones};

/// A policy, as it looks at people of a connection that others read too.
pub struct Reader<'a> {
    /// Its name.
    pub policy: &'a str,
    /// Whom it is about.
    pub scope: &'a Scope,
    /// Its zones.
    pub zones: &'a Zones,
    /// When a last day of work is over.
    pub day_end: DayEnd,
    /// What it keeps of people for showing.
    pub fields: &'a Modes,
    /// What it says of ends and gaps of the records of a connection.
    pub terms: Box<dyn Fn(&str) -> Terms + 'a>,
    /// What it says of a connection.
    pub role: Box<dyn Fn(&str) -> Role + 'a>,
    /// Whether it takes over what a connection answered: one whose spec cannot be followed, or which waits until more is read,
    /// can take nobody over, and lets nobody go.
    pub follows: Box<dyn Fn(&str) -> bool + 'a>,
}

/// A human, as far as it matters here.
pub struct Candidate<'a> {
    /// Name of the Person, or of the one that would be made.
    pub name: &'a str,
    /// Their records.
    pub records: &'a [RecordKey],
    /// What stands on the Person.
    pub entry: Option<&'a RosterEntry>,
    /// What answers say of their records: connection, record, and when it was read.
    pub named: Vec<(&'a str, &'a Employee, Timestamp)>,
}

/// Who decides of a human.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decides<'a> {
    /// The policy that has them; none where no policy reads a record of theirs.
    pub policy: Option<&'a str>,
    /// All that have them in scope, if these are several: then nothing new is decided.
    pub contested: Vec<&'a str>,
    /// An answer said it; otherwise what stood before goes on.
    pub told: bool,
}

/// What one policy sees of one record.
struct Sight {
    reader: usize,
    ended: bool,
    leaving: bool,
    included: bool,
    /// By an answer.
    told: bool,
}

/// The policy that has a human. `readers` are the policies, the oldest first.
///
/// It is the one that has them, for as long as its scope does, no other's does, or they leave out of its scope; then the one
/// whose scope they are in; of those who are in nobody's, the oldest that reads them. Where several scopes have them, they stay where they are, or
/// come to the oldest of these, and are contested.
#[must_use]
pub fn owner<'a>(human: &Candidate<'_>, readers: &[Reader<'a>], now: Timestamp) -> Decides<'a> {
    let all = reading(human.records, readers);
    let name = |reader: usize| readers.get(reader).map(|reader| reader.policy);
    let current = human.entry.and_then(|entry| all.iter().copied().find(|one| name(*one) == Some(&entry.policy)));
    let first = || all.first().copied();
    // What is said of another human by an id of theirs gives them to nobody.
    let fields = current.or_else(first).and_then(|reader| readers.get(reader)).map(|reader| reader.fields);
    let said = || human.named.iter().map(|(connection, one, _)| (*connection, *one));
    let of_them = |(connection, one, _): &&(&str, &Employee, Timestamp)| {
        !fields.is_some_and(|fields| of_another_human(connection, one, said(), human.entry, fields))
    };
    let named: Vec<_> = human.named.iter().filter(of_them).copied().collect();
    let human = &Candidate { named, ..*human };
    let sights = sights(human, readers, &all, current, now);
    // The policy that has them takes over no answer about them: nobody gets them from it meanwhile.
    let waits = current.is_some_and(|current| !sights.iter().any(|sight| sight.reader == current && sight.told));
    let held = human.entry.is_some_and(|entry| entry.employment.why == Why::PolicyConflict);
    // Who is held is so until a record is told of that decides: one that has ended does not, while another goes on.
    let told = |ended: bool| sights.iter().any(|sight| sight.told && sight.ended == ended);
    let Some((ended, leaves)) = leaves(&sights).filter(|(ended, _)| !waits && (!held || told(*ended))) else {
        // What was told before stands: but where all they have was replaced, no answer would ever tell anything else.
        let told_again = human.records.iter().any(|record| readers.iter().any(|one| employs(one, record)));
        let held = held && all.len() > 1 && told_again;
        let contested = if held { all.iter().filter_map(|one| name(*one)).collect() } else { Vec::new() };
        return Decides { policy: current.or_else(first).and_then(name), contested, told: false };
    };
    let claims = sights.iter().filter(|sight| sight.included && sight.ended == ended).map(|sight| sight.reader);
    let claims: BTreeSet<usize> = claims.collect();
    let claim = claims.first().copied();
    let was_in_scope = human.entry.is_some_and(|entry| entry.employment.out.is_none());
    let stays = |one: &usize| claims.len() > 1 || claims.is_empty() || claims.contains(one) || (leaves && was_in_scope);
    let decides = current.filter(stays).or(claim).or_else(first);
    let several = claims.len() > 1;
    let contested = claims.iter().filter(|_| several).filter_map(|one| name(*one)).collect();
    Decides { policy: decides.and_then(name), contested, told: true }
}

/// The policies that read the first record that any reads: for employments, or, where none does, as one that another
/// connection took the place of.
fn reading(records: &[RecordKey], readers: &[Reader<'_>]) -> Vec<usize> {
    let of = |record: &RecordKey, role: Role| -> Vec<usize> {
        let reads = |(_, reader): &(usize, &Reader<'_>)| (reader.role)(&record.connection) == role;
        readers.iter().enumerate().filter(reads).map(|(position, _)| position).collect()
    };
    let some = |all: Vec<usize>| Some(all).filter(|all| !all.is_empty());
    let first = |record| some(of(record, Role::Employment)).or_else(|| some(of(record, Role::Replaced)));
    records.iter().find_map(first).unwrap_or_default()
}

fn employs(reader: &Reader<'_>, record: &RecordKey) -> bool {
    (reader.role)(&record.connection) == Role::Employment
}

/// What each policy sees of each record that an answer names; and of others, what the one that has the human saw before.
/// Nothing where no answer names any.
fn sights(
    human: &Candidate<'_>,
    readers: &[Reader<'_>],
    all: &[usize],
    current: Option<usize>,
    now: Timestamp,
) -> Vec<Sight> {
    let known =
        |record: &RecordKey| human.entry.and_then(|entry| entry.employments.iter().find(|one| one.record == *record));
    let (mut sights, mut untold) = (Vec::new(), Vec::new());
    for record in human.records {
        let of_it = |named: &&(&str, &Employee, Timestamp)| *named.0 == *record.connection && named.1.id == record.id;
        let stated = human.named.iter().find(of_it);
        let before = sights.len();
        for position in all.iter().filter(|_| stated.is_some()) {
            let (Some(reader), Some((_, employee, taken))) = (readers.get(*position), stated) else { continue };
            if employs(reader, record) && (reader.follows)(&record.connection) {
                sights.push(seen((*position, reader), record, (employee, *taken), known(record), human.name, now));
            }
        }
        // What only tells more of them says of nobody that they work here; of what was replaced nothing will be told any more.
        let tells = |one: &usize| {
            let role = readers.get(*one).map(|one| (one.role)(&record.connection));
            !matches!(role, Some(Role::Corroborating | Role::Replaced))
        };
        if sights.len() == before {
            untold.extend(known(record).zip(current.filter(tells)));
        }
    }
    if !sights.is_empty() {
        sights.extend(untold.into_iter().map(|(known, reader)| as_before(reader, known)));
    }
    sights
}

fn seen(
    (position, reader): (usize, &Reader<'_>),
    record: &RecordKey,
    (employee, taken): (&Employee, Timestamp),
    known: Option<&Employment>,
    name: &str,
    now: Timestamp,
) -> Sight {
    let mut calendar = Calendar::new(reader.zones, reader.day_end, now, Some(taken));
    let (day, _) = calendar.at(employee.text(Text::Location));
    let (derived, out) =
        judged(employee, &record.connection, name, known, &day, reader.scope, &(reader.terms)(&record.connection));
    Sight {
        reader: position,
        ended: derived.state == State::Terminated,
        leaving: employee.reported_status == ReportedStatus::Mapped(Status::Terminated),
        included: out.is_none(),
        told: true,
    }
}

fn as_before(reader: usize, known: &Employment) -> Sight {
    let EmploymentState { state, why, out, .. } = &known.state;
    let says = if *state == State::OutOfScope { why.state() } else { *state };
    Sight { reader, ended: says == State::Terminated, leaving: false, included: out.is_none(), told: false }
}

/// Whether all records have ended, and whether nothing goes on that is not about to end; none where nothing was seen.
fn leaves(sights: &[Sight]) -> Option<(bool, bool)> {
    let ended = sights.iter().all(|sight| sight.ended);
    let leaves = sights.iter().all(|sight| sight.ended || sight.leaving);
    (!sights.is_empty()).then_some((ended, leaves))
}
