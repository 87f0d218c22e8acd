//! One person through one pass: all their records, and what follows from them together.

use std::borrow::Cow;
use std::rc::Rc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::aliases::{self, Known};
use super::answer::{Slot, Statement};
use super::calendar::{Calendar, Day};
use super::employment::{self, Before, Whose};
use super::fold::{self, Current, Together, together};
use super::leave;
use super::{
    Declared, Employment, EmploymentState, Imported, LifecycleEvent, Modes, Profile, RecordKey, Role, RosterEntry,
    Rules, Says, moves,
};
use crate::employee::{Employee, ReportedStatus};
use crate::lifecycle::{Facts, State, Why};
use crate::moves::Found;

/// What the names of all Revocations of one termination, or of one leave, begin with: the Person's name, and the start of a
/// digest of when it was seen, so that leaving again is another termination.
#[must_use]
pub fn termination_id(person_name: &str, seen: Timestamp) -> String {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(seen.to_string()));
    format!("{person_name}-{}", digest.chars().take(8).collect::<String>())
}

/// What a pass makes of a person.
pub(super) struct Next {
    pub(super) after: RosterEntry,
    pub(super) event: Option<LifecycleEvent>,
    /// When the dates of a record say something new.
    pub(super) turns: Option<Timestamp>,
    /// A move, which is taken over once it is known how many there are.
    pub(super) found: Option<Box<Found>>,
}

/// What follows for one person from all their records; none of somebody of whom nothing is known at all.
///
/// Of somebody who is back by one record, the others are looked at again: their ends no longer stand against the clock.
pub(super) fn next(
    slot: &Slot<'_>,
    statements: &[Statement<'_>],
    calendar: &mut Calendar<'_>,
    whose: Whose<'_>,
) -> Option<Next> {
    let next = once(slot, statements, calendar, whose)?;
    if whose.stands && next.after.employment.left.is_none() {
        return once(slot, statements, calendar, Whose { stands: false, ..whose });
    }
    Some(next)
}

fn once(slot: &Slot<'_>, statements: &[Statement<'_>], calendar: &mut Calendar<'_>, whose: Whose<'_>) -> Option<Next> {
    let before = slot.known.and_then(|known| known.entry.as_deref());
    let (employments, days, unknown) = employments(slot, statements, calendar, whose);
    let untold = before.filter(|_| employments.is_empty()).and_then(|before| untold(slot, before, unknown, whose.now));
    let mut all: Vec<Current<'_>> =
        employments.iter().zip(&days).map(|(employment, day)| Current { employment, today: day.today }).collect();
    all.extend(
        untold.iter().map(|employment| Current { employment, today: calendar.named(&employment.state.zone).today }),
    );
    let employs = |one: &Current<'_>| (whose.rules.role)(&one.employment.record.connection) != Role::Corroborating;
    let (deciding, unknown): (Cow<'_, [Current<'_>]>, _) = if all.iter().all(employs) {
        (all.as_slice().into(), unknown)
    } else if all.iter().any(employs) {
        (all.iter().copied().filter(employs).collect(), unknown)
    } else {
        (all.as_slice().into(), unknown.or(Some(Why::NoEmployment)))
    };
    let mut together = together(&deciding, unknown, &whose.rules.terms)?;
    if unknown == Some(Why::NotMigrated) && !deciding.iter().any(employs) {
        together.not_migrated();
    }
    let declared = slot.known.and_then(|known| known.declared);
    let told = declare(&mut together, declared, calendar);
    if slot.records.iter().any(|record| (whose.rules.contested)(&record.connection, &record.id)) {
        together.contest(before);
    }
    let decides = &together.decides.record;
    let relinked = before.is_some_and(|before| !same_records(&before.employments, &employments));
    let employment = together.state_of(&deciding, before, relinked, whose.rules, whose.now);
    let turns = all.iter().zip(&days).filter_map(|(one, day)| day.next_turn(one.employment));
    let turns = turns.chain(told.into_iter().flatten()).filter(|turn| *turn > whose.now).min();
    let theirs: Vec<_> = statements.iter().filter(|stated| !conflicts_with(stated, &employments)).collect();
    let (shown, profile) = showing(before, &theirs, &employments, decides, whose);
    let known = Known { before, absorbed: &slot.absorbed, disowned: slot.known.map_or(&[], |known| &known.disowned) };
    // What no longer holds can be told only where every record was read.
    let whole = slot.records.iter().all(|record| theirs.iter().any(|stated| stated.is_of(record)));
    let (aliases, alias_dates) = aliases::next(known, &theirs, whole, whose);
    let handed_over = before.is_some_and(|before| before.policy != whose.rules.policy);
    let once = before.and_then(|before| before.once.as_deref());
    let (profile, once) = whose.rules.fields.keep(profile, once, handed_over);
    let once = (once != Imported::default()).then(|| Box::new(once));
    let policy = whose.rules.policy.to_owned();
    let leave = leave::next(before, &employment, whose.rules, whose.now);
    let event = event(before, &employments, &employment, decides);
    let mut after =
        RosterEntry { policy, employments, employment, leave, aliases, alias_dates, profile, once, moves: None };
    let (moves, found) = moves::next(slot, &after, shown, whose);
    after.moves = moves;
    // Where nobody saw them leave, the word of a human that they have not left does not change that: it ends.
    if fold::kept_by_word(&after) && fold::unseen(before, relinked, whose.rules) {
        after.employments.iter_mut().filter_map(|one| one.state.left.as_mut()).for_each(|left| left.baseline = true);
    }
    Some(Next { after, event, turns, found })
}

/// A person of whom something was known, and of no record of whom anything is: what another human's record said of them must not
/// stand once that is taken off. It says that nothing can be told.
fn untold(slot: &Slot<'_>, before: &RosterEntry, unknown: Option<Why>, now: Timestamp) -> Option<Employment> {
    let EmploymentState { state, since, zone, .. } = &before.employment;
    let state = EmploymentState {
        state: State::Unknown,
        since: if *state == State::Unknown { *since } else { now },
        last_day: None,
        zone: zone.clone(),
        why: unknown.unwrap_or(Why::NoEmployment),
        left: None,
        out: None,
        leaves_scope: None,
    };
    let facts = Facts {
        reported_status: ReportedStatus::Unmapped,
        start: None,
        last_day: None,
        announced: None,
        contract_end: None,
        urgent: false,
        off: None,
    };
    let record = slot.records.first()?.clone();
    Some(Employment { record, facts, notice: None, missing_since: None, account: None, state })
}

/// What each record says, the day where it is, and why something is not known at all.
fn employments(
    slot: &Slot<'_>,
    statements: &[Statement<'_>],
    calendar: &mut Calendar<'_>,
    whose: Whose<'_>,
) -> (Vec<Employment>, Vec<Rc<Day>>, Option<Why>) {
    let before = slot.known.and_then(|known| known.entry.as_deref());
    let mut employments = Vec::with_capacity(slot.records.len());
    let mut days = Vec::with_capacity(slot.records.len());
    let mut unknown = None;
    for record in slot.records.iter() {
        let known = before.and_then(|before| before.employments.iter().find(|known| known.record == *record));
        let stated = statements.iter().find(|statement| statement.is_of(record));
        let role = (whose.rules.role)(&record.connection);
        let (employment, day) = match (role, stated, known) {
            // What the connection in its place says of them takes its place too.
            (Role::Replaced, ..) if superseded(record, &slot.records, whose.rules) => continue,
            (Role::Replaced, _, Some(known)) => {
                let day = calendar.named(&known.state.zone);
                (employment::not_migrated(known, &day, whose), day)
            }
            (Role::Replaced | Role::Unread, ..) | (_, None, None) => {
                let why = if role == Role::Replaced { Why::NotMigrated } else { Why::NotNamed };
                unknown = unknown.or((role != Role::Corroborating).then_some(why));
                continue;
            }
            (_, Some(stated), _) => {
                let of = |employment| Some(Before { person: before?, employment });
                let scoped = known.or_else(|| in_its_place(record, before?, whose.rules));
                let day = Rc::clone(&stated.sight.day);
                let said = statements.iter().map(|one| (one.connection, one.employee));
                let another = of_another_human(stated.connection, stated.employee, said, before, whose.rules.fields);
                (employment::stated(record, stated, known.and_then(of), scoped.and_then(of), another, whose), day)
            }
            (_, None, Some(known)) => {
                let day = calendar.named(&known.state.zone);
                let missing = slot.missing_since(record, known);
                (employment::unstated(known, missing, &day, whose), day)
            }
        };
        employments.push(employment);
        days.push(day);
    }
    (employments, days, unknown)
}

/// Whether what is said of a known record is of another human. `said` is what the same answers say of all records of this one.
pub(super) fn of_another_human<'s>(
    connection: &str,
    employee: &Employee,
    said: impl Iterator<Item = (&'s str, &'s Employee)>,
    before: Option<&RosterEntry>,
    fields: &Modes,
) -> bool {
    let is_it = |one: &&Employment| one.record.id == employee.id && *one.record.connection == *connection;
    let known = before.and_then(|person| {
        let employment = person.employments.iter().find(is_it)?;
        Some(employment::Before { person, employment })
    });
    known.is_some_and(|known| {
        employment::another_human(known, employee, fields) && !vouched(employee, said, known.person, fields)
    })
}

/// Whether another record of theirs, whose first day is the one it was, has the address that this one says: told in the same answers,
/// it vouches as much as once it is known.
fn vouched<'s>(
    employee: &Employee,
    said: impl Iterator<Item = (&'s str, &'s Employee)>,
    before: &RosterEntry,
    fields: &Modes,
) -> bool {
    let known = before.employments.as_slice();
    if known.len() < 2 {
        return false;
    }
    let same_start = |(connection, other): &(&str, &Employee)| {
        let is_it = |one: &Employment| one.record.id == other.id && *one.record.connection == **connection;
        known.iter().any(|one| is_it(one) && one.facts.start == other.start)
    };
    let address = |one: &Employee| fields.profile(one, None, false).work_email.map(|address| address.to_lowercase());
    let own = address(employee);
    let mut others = said.filter(|(_, other)| !std::ptr::eq(*other, employee)).filter(same_start);
    own.is_some() && others.any(|(_, other)| address(other) == own)
}

/// Takes over what a human declared, and gives when that begins, takes effect and ends.
fn declare(
    together: &mut Together<'_>,
    declared: Option<Declared>,
    calendar: &mut Calendar<'_>,
) -> Option<[Timestamp; 3]> {
    let declared = declared.filter(|declared| calendar.now < declared.until)?;
    let over = declared.last_day.and_then(|last| calendar.named(&together.decides.state.zone).over(last));
    let over = over.unwrap_or(calendar.now);
    if declared.from <= calendar.now {
        match declared.says {
            Says::Leaves if over <= calendar.now => together.declare(declared, over),
            Says::Leaves => {}
            stays => together.stays(stays),
        }
    }
    Some([declared.from, over, declared.until])
}

/// Whether one of the records is of the connection that took the place of this one's.
fn superseded(record: &RecordKey, records: &[RecordKey], rules: &Rules<'_>) -> bool {
    let mut of_it = rules.migrations.iter().filter(|one| *one.from == *record.connection);
    of_it.any(|one| records.iter().any(|other| *other.connection == *one.by))
}

/// What is known, in scope, of a record of the connection that this one's took the place of.
fn in_its_place<'a>(record: &RecordKey, before: &'a RosterEntry, rules: &Rules<'_>) -> Option<&'a Employment> {
    let replaced = |one: &&Employment| {
        let mut took_its_place = rules.migrations.iter().filter(|it| *it.from == *one.record.connection);
        one.state.out.is_none() && took_its_place.any(|it| *it.by == *record.connection)
    };
    before.employments.iter().find(replaced)
}

fn same_records(before: &[Employment], after: &[Employment]) -> bool {
    before.len() == after.len() && before.iter().zip(after).all(|(before, after)| before.record == after.record)
}

/// Whether a statement is of another human than the record's.
fn conflicts_with(stated: &Statement<'_>, employments: &[Employment]) -> bool {
    employments.iter().any(|one| stated.is_of(&one.record) && one.state.why == Why::Conflict)
}

/// What is kept for showing: each field of the first record that has a value for it; and what is said of the first record.
fn showing<'s, 'a>(
    before: Option<&RosterEntry>,
    theirs: &[&'s Statement<'a>],
    employments: &[Employment],
    decides: &RecordKey,
    whose: Whose<'_>,
) -> (Option<&'s Statement<'a>>, Profile) {
    let kept = before.map(|before| &before.profile);
    let stated = |one: &Employment| theirs.iter().copied().find(|stated| stated.is_of(&one.record));
    let said = |one: &Employment| stated(one).map(|stated| stated.profile(whose)).or_else(|| kept.cloned());
    let order = in_precedence(employments, decides, whose.rules);
    let first = order.first().and_then(|one| stated(one));
    let mut sources = order.into_iter().filter_map(said);
    let mut profile = sources.next().or_else(|| kept.cloned()).unwrap_or_default();
    sources.for_each(|source| profile.fill(&source));
    (first, profile)
}

/// The records that say something of the person, in the order in which each field is looked for: of employments that have
/// not ended, in the order of the policy's connections, then of connections that only tell more. Where all have ended, the one that
/// decides comes first. A record that is not named now, although it is not missing, has said already what is kept.
fn in_precedence<'a>(employments: &'a [Employment], decides: &RecordKey, rules: &Rules<'_>) -> Vec<&'a Employment> {
    let employs = |one: &Employment| (rules.role)(&one.record.connection) != Role::Corroborating;
    let ended = |one: &Employment| {
        let EmploymentState { state, why, .. } = one.state;
        employs(one) && (state == State::Terminated || (state == State::OutOfScope && why.state() == State::Terminated))
    };
    let goes_on = employments.iter().any(|one| employs(one) && !ended(one));
    let counts = |one: &&Employment| one.missing_since.is_none() && !(goes_on && ended(one));
    let mut all: Vec<&Employment> = employments.iter().filter(counts).collect();
    all.sort_by_key(|one| {
        let rank = (rules.rank)(&one.record.connection);
        (!employs(one), !goes_on && one.record != *decides, rank, one.record != *decides)
    });
    all
}

fn event(
    before: Option<&RosterEntry>,
    employments: &[Employment],
    employment: &EmploymentState,
    decides: &RecordKey,
) -> Option<LifecycleEvent> {
    if before.is_some_and(|before| conflicts(&before.employments) < conflicts(employments)) {
        return Some(LifecycleEvent::Conflicting);
    }
    let state = employment.state;
    let was_out = before.is_some_and(|before| before.employment.out.is_some());
    match (was_out, employment.out.is_some()) {
        (false, true) => return before.map(|_| LifecycleEvent::OutOfScope),
        (true, true) => return None,
        (true, false) => return Some(LifecycleEvent::InScope),
        (false, false) => {}
    }
    let left = before.filter(|before| before.employment.state == State::Terminated);
    match left {
        None if state == State::Terminated => Some(LifecycleEvent::Terminated),
        Some(_) if matches!(state, State::Terminated | State::Unknown) => None,
        Some(_) if employment.why == Why::EarlierEmployment => Some(LifecycleEvent::Rehired),
        Some(before) if begins_anew(&before.employments, employments, decides) => Some(LifecycleEvent::Rehired),
        Some(_) => Some(LifecycleEvent::Withdrawn),
        None => None,
    }
}

fn conflicts(employments: &[Employment]) -> usize {
    employments.iter().filter(|employment| employment.state.why == Why::Conflict).count()
}

/// Whether the record that decides was not there when they left, or has another first day.
fn begins_anew(before: &[Employment], after: &[Employment], decides: &RecordKey) -> bool {
    let start = |all: &[Employment]| all.iter().find(|one| one.record == *decides).map(|one| one.facts.start);
    match (start(before), start(after)) {
        (Some(before), Some(after)) => after.is_some() && after != before,
        (before, after) => before.is_none() && after.is_some(),
    }
}
