//! One person through one pass: all their records, and what follows from them together.

use std::borrow::Cow;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::answer::{Slot, Statement};
use super::calendar::Calendar;
use super::employment::{self, Before, Whose};
use super::fold::{Current, together};
use super::{Employment, KnownPerson, LifecycleEvent, Profile, RecordKey, Role, RosterEntry, Rules, moves};
use crate::employee::Employee;
use crate::lifecycle::{State, Why};
use crate::moves::Found;
use crate::ownership::comparable;

/// Most aliases that are kept; the oldest that no longer hold go first.
const MAX_ALIASES: usize = 64;
/// Longest alias that the schema takes.
const MAX_ALIAS_LEN: usize = 512;

/// What the names of all Revocations of one termination begin with: the Person's name, and the start of a digest of
/// when the termination was seen, so that leaving again is another termination.
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
pub(super) fn next(
    slot: &Slot<'_>,
    statements: &[Statement<'_>],
    calendar: &mut Calendar<'_>,
    whose: Whose<'_>,
) -> Option<Next> {
    let before = slot.known.and_then(|known| known.entry.as_ref());
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
                (employment::not_migrated(known, whose.now), calendar.named(&known.state.zone))
            }
            (Role::Replaced | Role::Unread, ..) | (_, None, None) => {
                unknown = unknown.or((role != Role::Corroborating).then_some(Why::NotNamed));
                continue;
            }
            (_, Some(stated), _) => {
                let before = before.zip(known).map(|(person, employment)| Before { person, employment });
                let day = std::rc::Rc::clone(&stated.sight.day);
                (employment::stated(record, stated.employee, before, &stated.profile, &stated.sight, whose), day)
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
    let all: Vec<Current<'_>> =
        employments.iter().zip(&days).map(|(employment, day)| Current { employment, today: day.today }).collect();
    let employs = |one: &Current<'_>| (whose.rules.role)(&one.employment.record.connection) != Role::Corroborating;
    let (deciding, unknown): (Cow<'_, [Current<'_>]>, _) = if all.iter().all(employs) {
        (all.as_slice().into(), unknown)
    } else if all.iter().any(employs) {
        (all.iter().copied().filter(employs).collect(), unknown)
    } else {
        (all.as_slice().into(), unknown.or(Some(Why::NoEmployment)))
    };
    let mut together = together(&deciding, unknown, &whose.rules.terms)?;
    let declared = slot.known.and_then(|known| known.declared).filter(|declared| whose.now < declared.until);
    let over = declared.map(|declared| {
        let day = calendar.named(&together.decides.state.zone);
        declared.last_day.and_then(|last| day.over(last)).unwrap_or(whose.now)
    });
    if let (Some(declared), Some(over)) = (declared, over.filter(|over| *over <= whose.now)) {
        together.declare(declared, over);
    }
    let decides = together.decides.record.clone();
    let relinked = before.is_some_and(|before| !same_records(&before.employments, &employments));
    let employment = together.state_of(&deciding, before, relinked, whose.rules, whose.now);
    let turns = all
        .iter()
        .zip(&days)
        .filter_map(|(one, day)| day.next_turn(one.employment))
        .chain(declared.map(|declared| declared.until))
        .chain(over)
        .filter(|turn| *turn > whose.now)
        .min();
    let known = known_aliases(before, &slot.absorbed);
    let (shown, profile, aliases) = showing(before, known, statements, &employments, &decides, whose);
    let (profile, once) = whose.rules.fields.keep(profile, before.map(|before| &before.once));
    let policy = whose.rules.policy.to_owned();
    let mut after = RosterEntry { policy, employments, employment, aliases, profile, once, moves: None };
    let (moves, found) = moves::next(slot, &after, shown, whose);
    after.moves = moves;
    let event = event(before, &after, &decides);
    Some(Next { after, event, turns, found })
}

/// Whether one of the records is of the connection that took the place of this one's.
fn superseded(record: &RecordKey, records: &[RecordKey], rules: &Rules<'_>) -> bool {
    let mut of_it = rules.migrations.iter().filter(|one| *one.from == *record.connection);
    of_it.any(|one| records.iter().any(|other| *other.connection == *one.by))
}

fn same_records(before: &[Employment], after: &[Employment]) -> bool {
    before.len() == after.len() && before.iter().zip(after).all(|(before, after)| before.record == after.record)
}

/// What the person is known by already, and what the Persons were that become one with it.
fn known_aliases(before: Option<&RosterEntry>, absorbed: &[&KnownPerson]) -> Vec<String> {
    let mut known = before.map(|before| before.aliases.clone()).unwrap_or_default();
    for alias in absorbed.iter().filter_map(|other| other.entry.as_ref()).flat_map(|entry| &entry.aliases) {
        if !known.contains(alias) {
            known.push(alias.clone());
        }
    }
    known
}

/// What is kept for showing, of the record that decides where it is named, and everything they are known by. Nothing of
/// another human is taken over: their address must not become this one's alias.
fn showing<'s, 'a>(
    before: Option<&RosterEntry>,
    known: Vec<String>,
    statements: &'s [Statement<'a>],
    employments: &[Employment],
    decides: &RecordKey,
    whose: Whose<'_>,
) -> (Option<&'s Statement<'a>>, Profile, Vec<String>) {
    let conflicting = |statement: &&Statement<'_>| {
        employments.iter().any(|one| statement.is_of(&one.record) && one.state.why == Why::Conflict)
    };
    let theirs = || statements.iter().filter(|statement| !conflicting(statement));
    // Where nothing is said of the record that decides, and it is not missing either, what is shown stays.
    let kept = before.is_some_and(|before| before.employments.iter().any(|one| one.record == *decides))
        && employments.iter().any(|one| one.record == *decides && one.missing_since.is_none());
    let of_others = || theirs().next().filter(|_| !kept);
    let shown = theirs().find(|statement| statement.is_of(decides)).or_else(of_others);
    let aliases = theirs().fold(known, |known, stated| {
        let number = whose.rules.matching.number(stated.employee);
        aliases(known, stated.employee, (whose.rules.usernames)(stated.connection, stated.employee), number)
    });
    let kept = || before.map(|before| before.profile.clone()).unwrap_or_default();
    (shown, shown.map_or_else(kept, |statement| statement.profile.clone()), aliases)
}

fn event(before: Option<&RosterEntry>, after: &RosterEntry, decides: &RecordKey) -> Option<LifecycleEvent> {
    if before.is_some_and(|before| conflicts(before) < conflicts(after)) {
        return Some(LifecycleEvent::Conflicting);
    }
    let state = after.employment.state;
    let was_out = before.is_some_and(|before| before.employment.out.is_some());
    match (was_out, after.employment.out.is_some()) {
        (false, true) => return before.map(|_| LifecycleEvent::OutOfScope),
        (true, true) => return None,
        (true, false) => return Some(LifecycleEvent::InScope),
        (false, false) => {}
    }
    let left = before.filter(|before| before.employment.state == State::Terminated);
    match left {
        None if state == State::Terminated => Some(LifecycleEvent::Terminated),
        Some(_) if matches!(state, State::Terminated | State::Unknown) => None,
        Some(_) if after.employment.why == Why::EarlierEmployment => Some(LifecycleEvent::Rehired),
        Some(before) if begins_anew(before, after, decides) => Some(LifecycleEvent::Rehired),
        Some(_) => Some(LifecycleEvent::Withdrawn),
        None => None,
    }
}

fn conflicts(entry: &RosterEntry) -> usize {
    entry.employments.iter().filter(|employment| employment.state.why == Why::Conflict).count()
}

/// Whether the record that decides was not there when they left, or has another first day.
fn begins_anew(before: &RosterEntry, after: &RosterEntry, decides: &RecordKey) -> bool {
    let start =
        |entry: &RosterEntry| entry.employments.iter().find(|one| one.record == *decides).map(|one| one.facts.start);
    match (start(before), start(after)) {
        (Some(before), Some(after)) => after.is_some() && after != before,
        (before, after) => before.is_none() && after.is_some(),
    }
}

/// Adds what is new to what is known; past the bound, the oldest that no longer holds goes.
fn aliases(known: Vec<String>, employee: &Employee, usernames: Vec<String>, number: Option<String>) -> Vec<String> {
    let address = employee.work_email.trim().to_lowercase();
    let address = Some(address).filter(|address| !address.is_empty()).map(|address| format!("email:{address}"));
    // Most sign-in systems write addresses in lower case, whatever HR writes. RBAC and approvals compare exactly.
    let users = usernames.into_iter().map(|name| format!("user:{name}")).flat_map(|user| {
        let lower = Some(comparable(&user)).filter(|lower| *lower != user);
        std::iter::once(user).chain(lower)
    });
    let current: Vec<String> =
        address.into_iter().chain(users).chain(number).filter(|alias| alias.chars().count() <= MAX_ALIAS_LEN).collect();
    let mut aliases = known;
    for alias in &current {
        if !aliases.contains(alias) {
            aliases.push(alias.clone());
        }
    }
    while aliases.len() > MAX_ALIASES {
        let oldest = aliases.iter().position(|alias| !current.contains(alias)).unwrap_or(0);
        aliases.remove(oldest);
    }
    aliases
}
