//! Matching: whose is an HR record that no Person links yet?
//!
//! A record is added to a Person only by keys that the policy names, where exactly one human has them and the names agree.
//! Everything else is a doubt: the record gets a Person of its own, both are listed, and a human says whether they are one.

use std::collections::BTreeSet;

use super::answer::{Places, Slot};
use super::person::of_another_human;
use super::{MAX_RECORDS, Map, RecordKey, Role, Rules, TrustedResponse};
use crate::employee::{Employee, Text};
use crate::ownership;

/// Most doubts that are listed; all are counted.
pub const MAX_DOUBTS: usize = 20;

/// What a record and a Person must have in common to be one human's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKey {
    /// The current work address, without case.
    WorkEmail,
    /// The employee number, in the policy's number space.
    EmployeeNumber,
}

impl MatchKey {
    /// Its word in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WorkEmail => "workEmail",
            Self::EmployeeNumber => "employeeNumber",
        }
    }

    /// The key that an alias is of.
    fn of_alias(alias: &str) -> Self {
        if alias.starts_with("number:") { Self::EmployeeNumber } else { Self::WorkEmail }
    }
}

/// By what a policy matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matching {
    /// The keys; without any, nothing is ever matched by itself.
    pub keys: Vec<MatchKey>,
    /// Name of the space in which employee numbers are one human's, whichever connection gives them.
    pub number_space: Option<String>,
}

impl Matching {
    fn by(&self, key: MatchKey) -> bool {
        self.keys.contains(&key)
    }

    /// The alias of an employee's number, such as `number:acme/1007`; none where numbers are not matched by.
    #[must_use]
    pub fn number(&self, employee: &Employee) -> Option<String> {
        let space = self.number_space.as_deref().filter(|_| self.by(MatchKey::EmployeeNumber))?;
        let number = employee.text(Text::EmployeeNumber)?.trim().to_lowercase();
        // A spreadsheet drops the zeros that an HR system puts in front.
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { number.trim_start_matches('0') } else { number.as_str() };
        (!number.is_empty()).then(|| format!("number:{space}/{number}"))
    }

    /// What a record is matched by, as aliases are spelled.
    fn values(&self, employee: &Employee) -> impl Iterator<Item = String> {
        let address = Some(employee.work_email.trim()).filter(|address| !address.is_empty());
        let address = address.filter(|_| self.by(MatchKey::WorkEmail));
        let address = address.map(ownership::email_key);
        address.into_iter().chain(self.number(employee))
    }
}

/// Two Persons that may be one human: what one owns is not revoked while the other works here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The first record of each.
    pub people: [RecordKey; 2],
    /// What they have in common.
    pub key: MatchKey,
    /// Their names agree, so they are probably one human; otherwise an address or number was probably given to another one.
    pub names_agree: bool,
}

/// Everybody on the way into a pass, by what records are matched by.
pub(super) struct Humans {
    by_key: Map<String, Vec<usize>>,
}

impl Humans {
    pub(super) fn of(slots: &[Slot<'_>], rules: &Rules<'_>) -> Self {
        let mut humans = Self { by_key: Map::default() };
        if !rules.matching.keys.is_empty() {
            for (position, slot) in slots.iter().enumerate().filter(|(_, slot)| !slot.goes) {
                slot.keys(rules).into_iter().for_each(|key| humans.add(key, position));
            }
        }
        humans
    }

    fn add(&mut self, key: String, position: usize) {
        let all = self.by_key.entry(key).or_default();
        if !all.contains(&position) {
            all.push(position);
        }
    }

    /// Notes what a record that was given a place is matched by.
    pub(super) fn placed(&mut self, employee: &Employee, position: usize, rules: &Rules<'_>) {
        rules.matching.values(employee).for_each(|key| self.add(key, position));
    }

    /// The one human whose a record is that nobody links; none where there is no such human, or any doubt.
    pub(super) fn whose(
        &self,
        slots: &[Slot<'_>],
        index: &Places<'_>,
        connection: &str,
        employee: &Employee,
        rules: &Rules<'_>,
    ) -> Option<usize> {
        // The same system under another name gives the same ids.
        let renamed = rules.migrations.iter().filter(|one| one.same_ids && one.by == connection);
        let renamed = renamed.filter_map(|one| index.get(&(one.from.as_str(), employee.id.0.as_str())).copied());
        let by_key = rules.matching.values(employee).filter_map(|key| self.by_key.get(&key));
        let all: BTreeSet<usize> = renamed.chain(by_key.flatten().copied()).collect();
        let (Some(one), 1) = (all.first().copied(), all.len()) else { return None };
        let slot = slots.get(one)?;
        let record = RecordKey { connection: connection.into(), id: employee.id.clone() };
        let fits = slot.records.len() < MAX_RECORDS && !slot.apart_from(std::slice::from_ref(&record));
        let agree = slot.display_name(rules).is_some_and(|name| names_agree(name, &employee.name));
        (fits && agree && !slot.goes).then_some(one)
    }

    /// Who may be one human and is not known to be. What more than eight share is a mailbox and identifies nobody.
    ///
    /// `left` says whether a Person has left; none of who gets no Person.
    pub(super) fn doubts(
        &self,
        slots: &[Slot<'_>],
        rules: &Rules<'_>,
        left: impl Fn(&str) -> Option<bool>,
    ) -> Vec<Doubt> {
        let mut pairs: BTreeSet<(usize, usize)> = BTreeSet::new();
        let mut doubts = Vec::new();
        let mut shared: Vec<_> = self.by_key.iter().filter(|(_, all)| all.len() > 1).collect();
        shared.sort();
        for (key, all) in shared.into_iter().filter(|(_, all)| all.len() <= ownership::MAX_RECORDS) {
            for (one, other) in ownership::pairs(all.iter().copied()) {
                let (Some(a), Some(b)) = (slots.get(one), slots.get(other)) else { continue };
                let told_apart = a.apart_from(&b.records) || b.apart_from(&a.records);
                let both_left = match (left(&a.name), left(&b.name)) {
                    (Some(a), Some(b)) => a && b,
                    _ => continue,
                };
                if told_apart || both_left || !pairs.insert((one, other)) {
                    continue;
                }
                let names_agree =
                    a.display_name(rules).zip(b.display_name(rules)).is_some_and(|(a, b)| names_agree(a, b));
                let (Some(first), Some(second)) = (a.records.first(), b.records.first()) else { continue };
                let people = [first.clone(), second.clone()];
                doubts.push(Doubt { people, key: MatchKey::of_alias(key), names_agree });
            }
        }
        doubts
    }
}

impl Slot<'_> {
    /// What their records say now; not what is said of another human by the id of one, who must bring nobody's account to this one.
    fn said<'s>(&'s self, rules: &'s Rules<'_>) -> impl Iterator<Item = &'s Employee> {
        let before = self.known.and_then(|known| known.entry.as_deref());
        let all = || self.named.iter().filter_map(|(number, one)| Some((self.answers.get(*number)?.connection, *one)));
        let theirs = move |(connection, one): &(&str, &Employee)| {
            !of_another_human(connection, one, all(), before, rules.fields)
        };
        all().filter(theirs).map(|(_, one)| one)
    }

    /// What this human is matched by: what their records say now, else what is stored.
    fn keys(&self, rules: &Rules<'_>) -> BTreeSet<String> {
        let matching = rules.matching;
        let said: Vec<&Employee> = self.said(rules).collect();
        let untold = said.is_empty();
        let said = said.into_iter().flat_map(|employee| matching.values(employee));
        let entry = self.known.and_then(|known| known.entry.as_deref());
        let stored = entry.and_then(|entry| entry.profile.work_email.as_ref()).filter(|_| untold);
        let stored = stored.filter(|_| matching.by(MatchKey::WorkEmail)).map(|address| ownership::email_key(address));
        let space = matching.number_space.as_ref().map(|space| format!("number:{space}/"));
        let of_space = |alias: &&String| space.as_ref().is_some_and(|space| alias.starts_with(space));
        let numbers = entry.into_iter().flat_map(|entry| entry.aliases.iter().filter(of_space));
        said.chain(stored).chain(numbers.cloned()).collect()
    }

    fn display_name<'s>(&'s self, rules: &'s Rules<'_>) -> Option<&'s str> {
        let said = self.said(rules).map(|employee| employee.name.as_str()).find(|name| !name.is_empty());
        said.or_else(|| {
            let entry = self.known.and_then(|known| known.entry.as_deref())?;
            entry.profile.display_name.as_deref().or_else(|| entry.once.as_ref()?.profile.display_name.as_deref())
        })
    }

    /// Whether a human said that one of these records is not this human's.
    fn apart_from(&self, records: &[RecordKey]) -> bool {
        self.known.is_some_and(|known| records.iter().any(|record| known.apart.contains(record)))
    }
}

/// Whether two spellings may be one name: the same words in any order, or one with more of them, such as a second first
/// name. One word alone is no name that could agree with more.
fn names_agree(one: &str, other: &str) -> bool {
    let words = |name: &str| -> BTreeSet<String> {
        let lower = name.to_lowercase();
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (one, other) = (words(one), words(other));
    let (fewer, more) = if one.len() <= other.len() { (&one, &other) } else { (&other, &one) };
    !fewer.is_empty() && (one == other || (fewer.len() > 1 && fewer.is_subset(more)))
}

/// Answers in the order in which their records are placed: who is employed first, then what others say of them.
pub(super) fn in_order<'a>(
    answers: &'a [TrustedResponse<'a>],
    rules: &Rules<'_>,
) -> impl Iterator<Item = (usize, &'a TrustedResponse<'a>)> {
    let of = |employs: bool| {
        let role = |answer: &TrustedResponse<'_>| (rules.role)(answer.connection) == Role::Employment;
        answers.iter().enumerate().filter(move |(_, answer)| role(answer) == employs)
    };
    of(true).chain(of(false)).collect::<Vec<_>>().into_iter()
}
