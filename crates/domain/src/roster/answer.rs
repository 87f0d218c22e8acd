//! Everybody whom answers name, and everybody known whom they do not: each human once, with all their records.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;

use jiff::Timestamp;

use super::calendar::{Calendar, Day};
use super::employment::{self, Whose};
use super::matching::{self, Doubt, Humans};
use super::{Employment, KnownPerson, Map, Profile, RecordKey, Role, Rules, Scoped, Set, TrustedResponse, person_name};
use crate::account::Told;
use crate::employee::{Employee, HrId, ReportedStatus, Status, Text};
use crate::identity::{MAX_ORPHANS, Orphans};
use crate::lifecycle::{DerivedState, Terms, derive_state};
use crate::scope::{self, Out, Scope};

/// What answers show besides the people in them.
#[derive(Default)]
pub(super) struct OfAnswer {
    pub(super) unmatched: u32,
    pub(super) former: u32,
    pub(super) scope: Scoped,
    pub(super) doubts: Vec<Doubt>,
    pub(super) strangers: Option<u32>,
    pub(super) orphans: Option<Orphans>,
    pub(super) others: u32,
}

/// The position of the human of each record, by connection and id.
pub(super) type Places<'a> = Map<(&'a str, &'a str), usize>;

/// One human on the way into a pass.
pub(super) struct Slot<'a> {
    pub(super) known: Option<&'a KnownPerson>,
    pub(super) name: Cow<'a, str>,
    pub(super) records: Cow<'a, [RecordKey]>,
    pub(super) answers: &'a [TrustedResponse<'a>],
    /// Persons all of whose records this one links: a human says that they are one, and is about to delete them.
    pub(super) absorbed: Vec<&'a KnownPerson>,
    /// This is such a Person itself: it is left as it is.
    pub(super) goes: bool,
    /// By the position of the answer.
    pub(super) named: Vec<(usize, &'a Employee)>,
    /// A record was matched to it.
    pub(super) linked: bool,
}

/// What an answer says of one record.
pub(super) struct Statement<'a> {
    pub(super) connection: &'a str,
    pub(super) employee: &'a Employee,
    pub(super) sight: Sight,
    /// What the answer says of anybody's account.
    pub(super) told: Told,
    /// The position of their manager.
    pub(super) manager: Option<usize>,
}

/// An employee as a policy sees them today, whatever is known of them.
pub(super) struct Sight {
    pub(super) day: Rc<Day>,
    pub(super) taken: Timestamp,
    /// The policy names their location, or none at all.
    pub(super) matched: bool,
    pub(super) derived: DerivedState,
    pub(super) out: Option<Out>,
}

impl Statement<'_> {
    /// Whether it is about this record.
    pub(super) fn is_of(&self, record: &RecordKey) -> bool {
        self.employee.id == record.id && *self.connection == *record.connection
    }

    /// What it says of the person that is kept for showing.
    pub(super) fn profile(&self, whose: Whose<'_>) -> Profile {
        let manager = self.manager.and_then(|position| whose.slots.get(position)).map(|slot| &*slot.name);
        let located = self.sight.matched || whose.rules.zones.only_the_default();
        whose.rules.fields.profile(self.employee, manager, located)
    }
}

impl<'a> Slot<'a> {
    fn of(person: &'a KnownPerson, answers: &'a [TrustedResponse<'a>]) -> Self {
        let (name, records) = (Cow::Borrowed(person.name.as_str()), Cow::Borrowed(person.records.as_slice()));
        let (absorbed, named) = (Vec::new(), Vec::new());
        Self { known: Some(person), name, records, answers, absorbed, goes: false, named, linked: false }
    }

    fn new(name: String, record: RecordKey, answers: &'a [TrustedResponse<'a>]) -> Self {
        let (name, records, named) = (Cow::Owned(name), Cow::Owned(vec![record]), Vec::with_capacity(1));
        Self { known: None, name, records, answers, absorbed: Vec::new(), goes: false, named, linked: false }
    }

    /// Whether the human has left, as it stands.
    pub(super) fn has_left(&self) -> bool {
        self.known.and_then(|known| known.entry.as_ref()).is_some_and(|entry| entry.employment.left.is_some())
    }

    /// Adds a record that was matched to this human.
    fn link(&mut self, record: RecordKey) {
        self.records.to_mut().push(record);
        self.linked = self.known.is_some();
    }

    /// Since when answers no longer name a record of which nothing is said now.
    pub(super) fn missing_since(&self, record: &RecordKey, known: &Employment) -> Option<Timestamp> {
        let whole = self.answers.iter().find(|answer| !answer.part && *answer.connection == *record.connection);
        known.missing_since.or(whole.map(|answer| answer.taken))
    }
}

/// Everybody whom an answer names or who is known, each human once.
pub(super) fn slots<'a>(
    known: &'a [KnownPerson],
    answers: &'a [TrustedResponse<'a>],
    rules: &Rules<'_>,
) -> (Vec<Slot<'a>>, Places<'a>, Humans, OfAnswer) {
    let mut slots: Vec<Slot<'a>> = known.iter().map(|person| Slot::of(person, answers)).collect();
    let linked = known.iter().map(|person| person.records.iter().map(|one| (&*one.connection, one.id.0.as_str())));
    let (mut index, linked_twice) = places(&linked.collect::<Vec<_>>());
    if linked_twice {
        absorb(&mut slots, known, &index);
    }
    let mut unlinked = Vec::new();
    for (number, answer) in matching::in_order(answers, rules) {
        for employee in answer.employees.iter().filter(|one| !(rules.elsewhere)(answer.connection, &one.id)) {
            match index.get(&(answer.connection, employee.id.0.as_str())).and_then(|position| slots.get_mut(*position))
            {
                Some(slot) => {
                    slot.named.reserve_exact(1); // one is all that most have
                    slot.named.push((number, employee));
                }
                None => unlinked.push((number, employee)),
            }
        }
    }
    let mut humans = Humans::of(&slots, rules);
    let taken = OnceCell::new();
    let taken = || taken.get_or_init(|| known.iter().map(|person| person.name.as_str()).collect());
    let mut of_answer = OfAnswer::default();
    for (number, employee) in unlinked {
        let Some(answer) = answers.get(number) else { continue };
        let employs = (rules.role)(answer.connection) == Role::Employment;
        let record = RecordKey { connection: answer.connection.into(), id: employee.id.clone() };
        let position = match humans.whose(&slots, &index, answer.connection, employee, rules) {
            Some(position) => {
                if let Some(slot) = slots.get_mut(position) {
                    slot.link(record);
                }
                position
            }
            None if employs => {
                let name = free_name(taken(), rules.namespace, answer.connection, &employee.id);
                slots.push(Slot::new(name, record, answers));
                slots.len() - 1
            }
            None => {
                *of_answer.strangers.get_or_insert_default() += 1;
                if employee.reported_status == ReportedStatus::Mapped(Status::Active) {
                    let orphans = of_answer.orphans.get_or_insert_default();
                    orphans.accounts += 1;
                    orphans.first.extend((orphans.first.len() < MAX_ORPHANS).then_some(record));
                }
                continue;
            }
        };
        index.insert((answer.connection, &employee.id.0), position);
        humans.placed(employee, position, rules);
        slots.get_mut(position).into_iter().for_each(|slot| slot.named.push((number, employee)));
    }
    let tells = |answer: &TrustedResponse<'_>| (rules.role)(answer.connection) == Role::Corroborating && !answer.part;
    if answers.iter().any(tells) {
        of_answer.strangers.get_or_insert_default();
        of_answer.orphans.get_or_insert_default();
    }
    (slots, index, humans, of_answer)
}

/// The Person of each record, and whether any is linked by two. A record that two link is the one's with more of them, which a human
/// linked; of equals the first one's.
fn places<'a>(people: &[impl ExactSizeIterator<Item = (&'a str, &'a str)> + Clone]) -> (Places<'a>, bool) {
    let mut index: Places<'a> = Map::with_capacity_and_hasher(people.len(), Default::default());
    let mut linked_twice = false;
    let mut several: Vec<_> = people.iter().enumerate().filter(|(_, records)| records.len() > 1).collect();
    several.sort_by_key(|(_, records)| Reverse(records.len()));
    let single = people.iter().enumerate().filter(|(_, records)| records.len() <= 1);
    for (position, records) in several.into_iter().chain(single) {
        for record in records.clone() {
            linked_twice |= *index.entry(record).or_insert(position) != position;
        }
    }
    (index, linked_twice)
}

/// The Person that links all records of another one, which a human is about to delete.
fn absorber<'a>(
    position: usize,
    mut records: impl Iterator<Item = (&'a str, &'a str)>,
    index: &Places<'a>,
) -> Option<usize> {
    let has = |record| index.get(&record).copied();
    let first = records.next().and_then(has).filter(|first| *first != position);
    first.filter(|by| records.all(|record| has(record) == Some(*by)))
}

/// Which Persons go since another one links all their records, as positions; `people` are the records of each, as connection and id,
/// the oldest Person first.
#[must_use]
pub fn absorbers<'a>(people: &[impl ExactSizeIterator<Item = (&'a str, &'a str)> + Clone]) -> HashMap<usize, usize> {
    let (index, linked_twice) = places(people);
    let of = |(position, records): (usize, &_)| Some((position, absorber(position, Clone::clone(records), &index)?));
    people.iter().enumerate().filter(|_| linked_twice).filter_map(of).collect()
}

/// Notes Persons all of whose records another one links, with that one.
fn absorb<'a>(slots: &mut [Slot<'a>], known: &'a [KnownPerson], index: &Places<'a>) {
    for (position, person) in known.iter().enumerate() {
        let records = person.records.iter().map(|one| (&*one.connection, one.id.0.as_str()));
        let Some(by) = absorber(position, records, index) else { continue };
        slots.get_mut(by).into_iter().for_each(|slot| slot.absorbed.push(person));
        slots.get_mut(position).into_iter().for_each(|slot| slot.goes = true);
    }
}

/// The name of a new Person. One that stands has it already if the record that it was made for was taken off it.
fn free_name(taken: &Set<&str>, namespace: &str, connection: &str, id: &HrId) -> String {
    let mut name = person_name(namespace, connection, id);
    while taken.contains(name.as_str()) {
        name = person_name(&name, connection, id);
    }
    name
}

pub(super) fn sight(
    employee: &Employee,
    connection: &str,
    slot: &Slot<'_>,
    rules: &Rules<'_>,
    calendar: &mut Calendar<'_>,
) -> Sight {
    let (day, matched) = calendar.at(employee.text(Text::Location));
    let known = slot.known.and_then(|known| known.entry.as_deref()).and_then(|entry| {
        entry.employments.iter().find(|one| one.record.id == employee.id && *one.record.connection == *connection)
    });
    let (derived, out) =
        judged(employee, connection, &slot.name, known, &day, rules.scope, &rules.terms_of(connection));
    Sight { day, taken: calendar.taken.unwrap_or(calendar.now), matched, derived, out }
}

/// What a record says today by the terms of a policy, and whether its scope leaves it out.
pub(super) fn judged(
    employee: &Employee,
    connection: &str,
    person: &str,
    known: Option<&Employment>,
    day: &Day,
    scope: &Scope,
    terms: &Terms,
) -> (DerivedState, Option<Out>) {
    let derived = derive_state(&employment::facts(employee, known, day, terms), day.today, terms);
    let out = scope.filters().then(|| {
        let subject = scope::ScopeSubject { connection, person, state: derived.state };
        scope.out(employee, &subject)
    });
    (derived, out.flatten())
}
