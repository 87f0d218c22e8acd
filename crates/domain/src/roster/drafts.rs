//! What becomes of everybody whom answers name, and of everybody known whom they do not.
//!
//! What becomes of one human depends on nobody else's turn, so the cores there are share a large company. The order in which
//! people come out does not depend on how many cores that were.

use std::cell::OnceCell;
use std::num::NonZero;
use std::{panic, thread};

use jiff::Timestamp;

use super::answer::{OfAnswer, Places, Sight, Slot, Statement, sight, slots};
use super::calendar::Calendar;
use super::employment::Whose;
use super::managers::Managers;
use super::matching::{Doubt, Humans};
use super::person::{self, Next};
use super::{Access, After, Draft, KnownPerson, Map, RecordKey, Role, RosterEntry, Rules, Set, TrustedResponse};
use crate::account::{self, Told};
use crate::lifecycle::State;
use crate::ownership::{comparable, connection_of};

/// Fewest people for whom another core is worth asking.
const A_SHARE: usize = 8_192;
/// Most cores of a pass: others have work too.
const MOST_CORES: usize = 4;

/// Everything that decides of one human.
struct Pass<'a, 'p> {
    answers: &'a [TrustedResponse<'a>],
    slots: &'p [Slot<'a>],
    index: &'p Places<'a>,
    managers: Vec<Managers<'a>>,
    /// What each answer says of anybody's account.
    told: Vec<Told>,
    holders: Holders<'p>,
    rules: &'p Rules<'p>,
    now: Timestamp,
}

/// People on their way, by what is asked of them next.
#[derive(Default)]
struct Lanes<'a> {
    /// Who gets a Person, or has one.
    drafts: Vec<Draft<'a>>,
    /// Who had left before anybody looked.
    former: Vec<Draft<'a>>,
    /// Who is out of scope and not known.
    strangers: Vec<Draft<'a>>,
    counted: OfAnswer,
}

/// What becomes of everybody whom answers name, and of everybody known whom they do not.
pub(super) fn drafts<'a>(
    known: &'a [KnownPerson],
    answers: &'a [TrustedResponse<'a>],
    rules: &Rules<'_>,
    now: Timestamp,
) -> (Vec<Draft<'a>>, OfAnswer) {
    let (slots, index, humans, mut of_answer) = slots(known, answers, rules);
    let managers = answers.iter().enumerate().map(|(number, answer)| Managers::new(number, answer, known)).collect();
    let told = answers.iter().map(|answer| account::told(answer.employees)).collect();
    let holders = Holders::of(known, rules);
    let pass = Pass { answers, slots: &slots, index: &index, managers, told, holders, rules, now };
    let Lanes { mut drafts, mut former, mut strangers, counted } = pass.shared(cores(slots.len()));
    of_answer.add(counted);
    of_answer.former += owning(&drafts, &mut former, rules);
    drafts.append(&mut former);
    mistakable(&drafts, &mut strangers);
    drafts.append(&mut strangers);
    of_answer.doubts = doubts(&humans, &slots, &drafts, rules);
    (drafts, of_answer)
}

/// How many cores so many people are worth; of few, nobody asks how many there are, which costs more than the people do.
fn cores(people: usize) -> usize {
    let worth = people / A_SHARE;
    if worth <= 1 { worth } else { worth.min(thread::available_parallelism().map_or(1, NonZero::get)) }
}

impl<'a> Pass<'a, '_> {
    /// Everybody, by so many threads at once.
    fn shared(&self, threads: usize) -> Lanes<'a> {
        if threads <= 1 {
            return self.over(self.slots);
        }
        let shares = self.slots.chunks(self.slots.len().div_ceil(threads.min(MOST_CORES)));
        thread::scope(|scope| {
            let running: Vec<_> = shares.map(|share| scope.spawn(|| self.over(share))).collect();
            let done = running.into_iter().map(|one| one.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
            done.reduce(Lanes::and).unwrap_or_default()
        })
    }

    /// Some of them.
    fn over(&self, share: &[Slot<'a>]) -> Lanes<'a> {
        let calendar = |taken| Calendar::new(self.rules.zones, self.rules.day_end, self.now, taken);
        let mut calendars: Vec<_> = self.answers.iter().map(|answer| calendar(Some(answer.taken))).collect();
        let mut calendar = calendar(None);
        let mut lanes = Lanes { drafts: Vec::with_capacity(share.len()), ..Lanes::default() };
        for slot in share.iter().filter(|slot| !slot.goes) {
            let statements = self.statements(slot, &mut calendars, &mut lanes.counted);
            if let Some(next) = person::next(slot, &statements, &mut calendar, self.whose(slot)) {
                lanes.take(slot, next, &self.holders);
            }
        }
        lanes
    }

    fn whose<'w>(&'w self, slot: &'w Slot<'_>) -> Whose<'w> {
        Whose { name: &slot.name, rules: self.rules, slots: self.slots, now: self.now, stands: slot.has_left() }
    }

    /// What answers say of the records of one human.
    fn statements(
        &self,
        slot: &Slot<'a>,
        calendars: &mut [Calendar<'_>],
        counted: &mut OfAnswer,
    ) -> Vec<Statement<'a>> {
        let mut statements = Vec::with_capacity(slot.named.len());
        for (number, employee) in &slot.named {
            let (Some(answer), Some(calendar), Some(managers)) =
                (self.answers.get(*number), calendars.get_mut(*number), self.managers.get(*number))
            else {
                continue;
            };
            let sight = sight(employee, answer.connection, slot, self.rules, calendar);
            if (self.rules.role)(answer.connection) == Role::Employment {
                counted.count(&sight);
            }
            let manager = employee.manager.as_ref();
            let manager = manager.and_then(|manager| managers.find(manager, self.slots, self.index, self.rules));
            let told = self.told.get(*number).copied().unwrap_or_default();
            statements.push(Statement { connection: answer.connection, employee, sight, told, manager });
        }
        statements
    }
}

impl<'a> Lanes<'a> {
    /// Puts somebody where they belong.
    fn take(&mut self, slot: &Slot<'a>, next: Next, holders: &Holders<'_>) {
        let state = next.after.employment.state;
        if slot.known.is_none() && next.after.employment.out.is_none() && !holders.include(&slot.records, &next.after) {
            self.counted.others += u32::from(state != State::Terminated);
            self.counted.former += u32::from(state == State::Terminated);
            return;
        }
        // Also who is held, as in the scope of two policies, where nothing of theirs goes on.
        let ended = next.after.employments.iter().all(|one| one.state.state == State::Terminated);
        let lane = match (slot.known, state) {
            (None, State::OutOfScope) => &mut self.strangers,
            (None, state) if ended || state == State::Terminated => &mut self.former,
            _ => &mut self.drafts,
        };
        lane.push(draft(slot, next));
    }

    fn and(mut self, mut others: Self) -> Self {
        self.drafts.append(&mut others.drafts);
        self.former.append(&mut others.former);
        self.strangers.append(&mut others.strangers);
        self.counted.add(others.counted);
        self
    }
}

/// Who may be one human: both have a Person, and one of them has not left.
fn doubts(humans: &Humans, slots: &[Slot<'_>], drafts: &[Draft<'_>], rules: &Rules<'_>) -> Vec<Doubt> {
    let left = OnceCell::<Map<&str, bool>>::new();
    let of = |draft: &'_ Draft<'_>| draft.after.employment.state == State::Terminated;
    let left = || left.get_or_init(|| drafts.iter().map(|draft| (&*draft.name, of(draft))).collect());
    humans.doubts(slots, rules, |name| left().get(name).copied())
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
    /// These, and what others are counted in.
    fn add(&mut self, others: Self) {
        self.unmatched += others.unmatched;
        self.former += others.former;
        self.others += others.others;
        self.scope.included += others.scope.included;
        for (out, number) in others.scope.excluded {
            *self.scope.excluded.entry(out).or_default() += number;
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::employee::{Employee, HrId, ReportedStatus, Status};
    use crate::roster::Baseline;
    use crate::timezone::Zones;

    #[test]
    fn how_many_cores_share_the_work_changes_nothing_of_what_comes_out() {
        let employee = |n: u32| {
            let status = if n.is_multiple_of(5) { Status::Terminated } else { Status::Active };
            let (id, address) = (HrId(n.to_string()), format!("p{}@example.com", n % 11));
            Employee::new(id, "Ada Example".into(), address, ReportedStatus::Mapped(status))
        };
        let employees: Vec<Employee> = (0..23).map(employee).collect();
        let zones = Zones::new("Europe/Madrid", &[].into()).unwrap();
        let rules = Rules { baseline: Box::new(|_| Baseline::Settled), ..Rules::of("rollcall", "everyone", &zones) };
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let answers = [TrustedResponse { connection: "hq", employees: &employees, taken: now, part: false }];
        let (slots, index, ..) = slots(&[], &answers, &rules);
        let pass = || Pass {
            answers: &answers,
            slots: &slots,
            index: &index,
            managers: vec![Managers::new(0, &answers[0], &[])],
            told: vec![Told::default()],
            holders: Holders::of(&[], &rules),
            rules: &rules,
            now,
        };
        let told = |threads| {
            let Lanes { drafts, former, strangers, counted } = pass().shared(threads);
            let names = |all: &[Draft<'_>]| all.iter().map(|one| one.name.to_string()).collect::<Vec<_>>();
            (names(&drafts), names(&former), names(&strangers), counted.scope, counted.unmatched)
        };
        let alone = told(1);
        assert_eq!((alone.0.len(), alone.1.len(), alone.3.included), (18, 5, 23));
        for threads in 2..=6 {
            assert_eq!(told(threads), alone, "{threads} threads");
        }
    }
}
