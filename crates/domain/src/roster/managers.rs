//! Whom an answer means by the manager that it names: somebody of the same connection, by id or by address.

use std::sync::OnceLock;

use super::answer::{Places, Slot};
use super::{KnownPerson, Map, Rules, Set, TrustedResponse};
use crate::employee::Manager;

/// Whom an answer can mean by a manager's address or id: somebody of the same connection.
pub(super) struct Managers<'a> {
    /// Its position.
    number: usize,
    answer: &'a TrustedResponse<'a>,
    known: &'a [KnownPerson],
    /// Made when somebody names a manager by address: most HR systems name them all by id.
    by_email: OnceLock<Map<String, Option<&'a str>>>,
}

impl<'a> Managers<'a> {
    pub(super) const fn new(number: usize, answer: &'a TrustedResponse<'a>, known: &'a [KnownPerson]) -> Self {
        Self { number, answer, known, by_email: OnceLock::new() }
    }

    /// The position of the one person meant; none if the answer names none, or several of that address.
    pub(super) fn find(
        &self,
        manager: &Manager,
        slots: &[Slot<'_>],
        index: &Places<'_>,
        rules: &Rules<'_>,
    ) -> Option<usize> {
        let place = |id: &str| index.get(&(self.answer.connection, id)).copied();
        match manager {
            Manager::Email(address) => place(self.by_email().get(&address.trim().to_lowercase()).copied().flatten()?),
            Manager::Id(id) => place(&id.0).filter(|position| {
                let named = |slot: &Slot<'_>| slot.named.iter().any(|(by, one)| *by == self.number && one.id == *id);
                self.answer.part
                    || slots.get(*position).is_some_and(named)
                    || (rules.elsewhere)(self.answer.connection, id)
            }),
        }
    }

    fn by_email(&self) -> &Map<String, Option<&'a str>> {
        self.by_email.get_or_init(|| {
            let named = self.answer.employees.iter().map(|one| (one.id.0.as_str(), one.work_email.as_str()));
            let mut by_email = Map::default();
            for (id, email) in named.chain(self.unnamed()) {
                by_email.entry(email.to_lowercase()).and_modify(|several| *several = None).or_insert(Some(id));
            }
            by_email
        })
    }

    /// Records of its connection that it does not name, each with its Person's address; only of an answer that names no more than
    /// those with something new, because it can mean everybody else who is known too.
    fn unnamed(&self) -> Vec<(&'a str, &'a str)> {
        if !self.answer.part {
            return Vec::new();
        }
        let named: Set<&str> = self.answer.employees.iter().map(|employee| employee.id.0.as_str()).collect();
        let records = self.known.iter().flat_map(|person| person.records.iter().map(move |record| (person, record)));
        let of_it = records.filter(|(_, record)| *record.connection == *self.answer.connection);
        let unnamed = of_it.filter(|(_, record)| !named.contains(record.id.0.as_str()));
        let address = |person: &'a KnownPerson| person.entry.as_ref()?.profile.work_email.as_deref();
        unnamed.filter_map(|(person, record)| Some((record.id.0.as_str(), address(person)?))).collect()
    }
}
