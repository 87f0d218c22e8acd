//! Everybody whom answers name, and everybody known whom they do not: each human once, with all their records.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

use jiff::Timestamp;

use super::calendar::{Calendar, Day};
use super::employment::{self, Whose};
use super::matching::{self, Doubt, Humans};
use super::person::{self, Next};
use super::{
    Access, After, Draft, Employment, KnownPerson, Map, Profile, RecordKey, Role, RosterEntry, Rules, Scoped, Set,
    TrustedResponse, person_name,
};
use crate::employee::{Employee, HrId, Manager, Text};
use crate::lifecycle::{DerivedState, State, Terms, derive_state};
use crate::ownership::{comparable, connection_of};
use crate::scope::{self, Out, Scope};

/// What answers show besides the people in them.
#[derive(Default)]
pub(super) struct OfAnswer {
    pub(super) unmatched: u32,
    pub(super) former: u32,
    pub(super) scope: Scoped,
    pub(super) doubts: Vec<Doubt>,
    pub(super) strangers: Option<u32>,
    pub(super) others: u32,
}

/// The position of the human of each record, by connection and id.
pub(super) type Places<'a> = Map<(&'a str, &'a str), usize>;

/// One human on the way into a pass.
pub(super) struct Slot<'a> {
    pub(super) known: Option<&'a KnownPerson>,
    pub(super) name: Cow<'a, str>,
    pub(super) records: Cow<'a, [RecordKey]>,
    answers: &'a [TrustedResponse<'a>],
    /// Persons all of whose records this one links: a human says that they are one, and is about to delete them.
    pub(super) absorbed: Vec<&'a KnownPerson>,
    /// This is such a Person itself: it is left as it is.
    pub(super) goes: bool,
    /// By the position of the answer.
    pub(super) named: Vec<(usize, &'a Employee)>,
    /// A record was matched to it.
    linked: bool,
}

/// What an answer says of one record.
pub(super) struct Statement<'a> {
    pub(super) connection: &'a str,
    pub(super) employee: &'a Employee,
    pub(super) sight: Sight,
    pub(super) profile: Profile,
    /// The position of their manager.
    pub(super) manager: Option<usize>,
}

/// An employee as a policy sees them today, whatever is known of them.
pub(super) struct Sight {
    pub(super) day: Rc<Day>,
    pub(super) taken: Timestamp,
    matched: bool,
    pub(super) derived: DerivedState,
    pub(super) out: Option<Out>,
}

impl Statement<'_> {
    /// Whether it is about this record.
    pub(super) fn is_of(&self, record: &RecordKey) -> bool {
        self.employee.id == record.id && *self.connection == *record.connection
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
    fn has_left(&self) -> bool {
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
fn slots<'a>(
    known: &'a [KnownPerson],
    answers: &'a [TrustedResponse<'a>],
    rules: &Rules<'_>,
) -> (Vec<Slot<'a>>, Places<'a>, Humans, OfAnswer) {
    let mut slots: Vec<Slot<'a>> = known.iter().map(|person| Slot::of(person, answers)).collect();
    let mut index: Places<'a> = Map::with_capacity_and_hasher(known.len(), Default::default());
    let mut linked_twice = false;
    // A record that two link is the one's with more of them, which a human linked; of equals the first one's.
    for of_several in [true, false] {
        for (position, person) in known.iter().enumerate().filter(|(_, one)| (one.records.len() > 1) == of_several) {
            for record in &person.records {
                let first = *index.entry((&*record.connection, record.id.0.as_str())).or_insert(position);
                linked_twice |= first != position;
            }
        }
    }
    if linked_twice {
        absorb(&mut slots, known, &index);
    }
    let mut unlinked = Vec::new();
    for (number, answer) in matching::in_order(answers, rules) {
        for employee in answer.employees.iter().filter(|one| !(rules.elsewhere)(answer.connection, &one.id)) {
            match index.get(&(answer.connection, employee.id.0.as_str())).and_then(|position| slots.get_mut(*position))
            {
                Some(slot) => slot.named.push((number, employee)),
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
    }
    (slots, index, humans, of_answer)
}

/// Notes Persons all of whose records another one links, with that one.
fn absorb<'a>(slots: &mut [Slot<'a>], known: &'a [KnownPerson], index: &Places<'a>) {
    for (position, person) in known.iter().enumerate() {
        let has = |record: &RecordKey| index.get(&(&*record.connection, record.id.0.as_str())).copied();
        let first = person.records.first().and_then(has).filter(|first| *first != position);
        let all = |by: usize| person.records.iter().all(|record| has(record) == Some(by));
        let Some(by) = first.filter(|by| all(*by)) else { continue };
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

fn sight(
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

/// What becomes of everybody whom answers name, and of everybody known whom they do not.
pub(super) fn drafts<'a>(
    known: &'a [KnownPerson],
    answers: &'a [TrustedResponse<'a>],
    rules: &Rules<'_>,
    now: Timestamp,
) -> (Vec<Draft<'a>>, OfAnswer) {
    let (slots, index, humans, mut of_answer) = slots(known, answers, rules);
    let calendar = |taken| Calendar::new(rules.zones, rules.day_end, now, taken);
    let mut calendars: Vec<_> = answers.iter().map(|answer| calendar(Some(answer.taken))).collect();
    let mut calendar = calendar(None);
    let managers: Vec<_> = answers.iter().map(|answer| Managers::new(answer, known)).collect();
    let name_of = |position: usize| slots.get(position).map(|slot| slot.name.clone().into_owned());
    let mut drafts = Vec::with_capacity(slots.len());
    let (mut strangers, mut former) = (Vec::new(), Vec::new());
    let holders = Holders::of(known, rules);
    for slot in slots.iter().filter(|slot| !slot.goes) {
        let mut statements = Vec::with_capacity(slot.named.len());
        for (number, employee) in &slot.named {
            let (Some(answer), Some(calendar), Some(managers)) =
                (answers.get(*number), calendars.get_mut(*number), managers.get(*number))
            else {
                continue;
            };
            let sight = sight(employee, answer.connection, slot, rules, calendar);
            if (rules.role)(answer.connection) == Role::Employment {
                of_answer.count(&sight);
            }
            let manager = employee.manager.as_ref().and_then(|manager| managers.find(manager));
            let manager = manager.and_then(|id| index.get(&(answer.connection, id)).copied());
            let located = sight.matched || rules.zones.only_the_default();
            let profile = rules.fields.profile(employee, manager.and_then(name_of), located);
            statements.push(Statement { connection: answer.connection, employee, sight, profile, manager });
        }
        let whose = Whose { name: &slot.name, rules, slots: &slots, now, stands: slot.has_left() };
        let Some(next) = person::next(slot, &statements, &mut calendar, whose) else { continue };
        if slot.known.is_none() && next.after.employment.out.is_none() && !holders.include(&slot.records, &next.after) {
            of_answer.others += u32::from(next.after.employment.state != State::Terminated);
            of_answer.former += u32::from(next.after.employment.state == State::Terminated);
            continue;
        }
        // Also who is held, as in the scope of two policies, where nothing of theirs goes on.
        let ended = next.after.employments.iter().all(|one| one.state.state == State::Terminated);
        let lane = match (slot.known, next.after.employment.state) {
            (None, State::OutOfScope) => &mut strangers,
            (None, state) if ended || state == State::Terminated => &mut former,
            _ => &mut drafts,
        };
        lane.push(draft(slot, next));
    }
    of_answer.former += owning(&drafts, &mut former, rules);
    drafts.append(&mut former);
    mistakable(&drafts, &mut strangers);
    drafts.append(&mut strangers);
    of_answer.doubts = doubts(&humans, &slots, &drafts);
    (drafts, of_answer)
}

/// Who may be one human: both have a Person, and one of them has not left.
fn doubts(humans: &Humans, slots: &[Slot<'_>], drafts: &[Draft<'_>]) -> Vec<Doubt> {
    let left = OnceCell::<Map<&str, bool>>::new();
    let of = |draft: &'_ Draft<'_>| draft.after.employment.state == State::Terminated;
    let left = || left.get_or_init(|| drafts.iter().map(|draft| (&*draft.name, of(draft))).collect());
    humans.doubts(slots, |name| left().get(name).copied())
}

fn draft<'a>(slot: &Slot<'a>, next: Next) -> Draft<'a> {
    let Next { after, event, turns, found } = next;
    let before = slot.known.and_then(|known| known.entry.as_deref());
    let after = match before.filter(|before| **before == after) {
        Some(before) => After::Same(before),
        None => After::New(Box::new(after)),
    };
    Draft {
        name: slot.name.clone(),
        records: slot.records.clone(),
        before,
        after,
        event,
        access: slot.known.map_or(Access::Stands, |known| known.access),
        turns,
        found,
        leaver: false,
        linked: slot.linked,
    }
}

impl OfAnswer {
    fn count(&mut self, sight: &Sight) {
        self.unmatched += u32::from(!sight.matched);
        match sight.out {
            Some(out) => *self.scope.excluded.entry(out).or_default() += 1,
            None => self.scope.included += 1,
        }
    }
}

/// Of those who are out of scope and not known, keeps those with an address or user name that somebody known has, or
/// had: without a Person of their own, what is theirs would be taken for the other's when that one leaves.
fn mistakable(known: &[Draft<'_>], strangers: &mut Vec<Draft<'_>>) {
    if strangers.is_empty() {
        return;
    }
    let aliases: Set<&str> = known.iter().flat_map(|draft| &draft.after.aliases).map(String::as_str).collect();
    strangers.retain(|stranger| stranger.after.aliases.iter().any(|alias| aliases.contains(alias.as_str())));
}

/// Who gets a Person where only those do who own something: everybody else in a large company has none, and costs nothing.
struct Holders<'a> {
    rules: &'a Rules<'a>,
    /// Addresses and user names of everybody who has a Person.
    taken: Set<&'a str>,
}

impl<'a> Holders<'a> {
    fn of(known: &'a [KnownPerson], rules: &'a Rules<'a>) -> Self {
        let entries = known.iter().filter(|_| rules.holders_only).filter_map(|known| known.entry.as_deref());
        Self { rules, taken: entries.flat_map(|entry| &entry.aliases).map(String::as_str).collect() }
    }

    /// Whether somebody new gets a Person: something here names them, or an address or user name of theirs is one of somebody
    /// who has a Person. Without one of their own, what is theirs would be taken for the other's when that one leaves. While it
    /// is not known who owns anything, nobody new does.
    fn include(&self, records: &[RecordKey], entry: &RosterEntry) -> bool {
        if !self.rules.holders_only {
            return true;
        }
        let Some(owns) = &self.rules.owns else { return false };
        let aliases = || entry.aliases.iter().map(String::as_str);
        aliases().any(|alias| self.taken.contains(alias))
            || ids(records, self.rules).chain(aliases().map(comparable)).any(|key| owns(&key))
    }
}

/// The owner annotations that name a record by its id.
fn ids(records: &[RecordKey], rules: &Rules<'_>) -> impl Iterator<Item = String> {
    records.iter().flat_map(|RecordKey { connection, id }| {
        [format!("id:{connection}/{id}"), format!("id:{}/{id}", connection_of(rules.namespace, connection))]
    })
}

/// Of those who had left before anybody looked, keeps those to whom something here belongs; says how many are dropped.
///
/// A key that somebody known has too, such as an address that was given to a successor, is no reason: what carries it is
/// the other's. While it is not known who owns anything, everybody is kept.
fn owning(known: &[Draft<'_>], former: &mut Vec<Draft<'_>>, rules: &Rules<'_>) -> u32 {
    let Some(owns) = rules.owns.as_ref().filter(|_| !former.is_empty()) else { return 0 };
    let taken: Set<String> = known.iter().flat_map(|draft| &draft.after.aliases).map(|key| comparable(key)).collect();
    let all = former.len();
    former.retain(|draft| {
        let aliases = draft.after.aliases.iter().map(|key| comparable(key)).filter(|key| !taken.contains(key));
        ids(&draft.records, rules).chain(aliases).any(|key| owns(&key))
    });
    u32::try_from(all - former.len()).unwrap_or(u32::MAX)
}

/// Whom an answer can mean by a manager's address or id: somebody of the same connection.
struct Managers<'a> {
    answer: &'a TrustedResponse<'a>,
    /// Records of its connection that it does not name, each with its Person; only of an answer that names no more than those with
    /// something new, because it can mean everybody else who is known too.
    unnamed: Vec<(&'a KnownPerson, &'a str)>,
    by_id: Set<&'a str>,
    /// Made when somebody names a manager by address: most HR systems name them all by id.
    by_email: OnceCell<Map<String, Option<&'a str>>>,
}

impl<'a> Managers<'a> {
    fn new(answer: &'a TrustedResponse<'a>, known: &'a [KnownPerson]) -> Self {
        let others = if answer.part { known } else { &[] };
        let mut by_id: Set<&str> = answer.employees.iter().map(|employee| employee.id.0.as_str()).collect();
        let records = others.iter().flat_map(|person| person.records.iter().map(move |record| (person, record)));
        let of_it = records.filter(|(_, record)| *record.connection == *answer.connection);
        let unnamed =
            of_it.map(|(person, record)| (person, record.id.0.as_str())).filter(|(_, id)| !by_id.contains(id));
        let unnamed: Vec<_> = unnamed.collect();
        by_id.extend(unnamed.iter().map(|(_, id)| *id));
        Self { answer, unnamed, by_id, by_email: OnceCell::new() }
    }

    /// The one person meant; nobody if the answer names none, or several of that address.
    fn find(&self, manager: &Manager) -> Option<&'a str> {
        match manager {
            Manager::Email(address) => self.by_email().get(&address.trim().to_lowercase()).copied().flatten(),
            Manager::Id(id) => self.by_id.get(id.0.as_str()).copied(),
        }
    }

    fn by_email(&self) -> &Map<String, Option<&'a str>> {
        self.by_email.get_or_init(|| {
            let named =
                self.answer.employees.iter().map(|employee| (employee.id.0.as_str(), employee.work_email.as_str()));
            let known = self.unnamed.iter();
            let known =
                known.filter_map(|(person, id)| Some((*id, person.entry.as_ref()?.profile.work_email.as_deref()?)));
            let mut by_email = Map::default();
            for (id, email) in named.chain(known) {
                by_email.entry(email.to_lowercase()).and_modify(|several| *several = None).or_insert(Some(id));
            }
            by_email
        })
    }
}
