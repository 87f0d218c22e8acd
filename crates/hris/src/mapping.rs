//! From a row to an employee: the one place that says what the text of a source means, whatever its format.
//!
//! Pure: the day is an argument. A record that cannot be read is set aside with its place and a reason that quotes
//! nothing of it; whether so many may be set aside is the trust gate's question.

mod form;
mod texts;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::civil::Date;

pub use self::form::{EndDate, Meaning};
pub(super) use self::form::{Form, Rule, Statuses, Test, Types};
use self::texts::{address, count, cut, hr_id, id_of_address, text};
use super::dates::{self, DateForm, NoDate};
use super::row::{Row, Slot};
use domain::employee::{BadRecord, Employee, EmploymentType, Failure, Manager, Read, Said};

/// Most records of one answer.
pub(super) const MOST_RECORDS: usize = 1_000_000;

/// Makes employees of rows, one after another, and keeps what there is to say of the whole answer.
pub(super) struct Mapper {
    form: Form,
    as_of: Date,
    read: Read,
    filled: BTreeSet<Slot>,
    word: String,
    shared: HashSet<Arc<str>, RandomState>,
}

impl Mapper {
    /// `as_of` is the UTC date; see `Mapper::said` for the one rule that looks at it.
    pub(super) fn new(form: Form, as_of: Date) -> Self {
        let offered = form.offered.iter().map(|slot| slot.field()).collect();
        let read = Read { offered, declared: form.declared.clone(), ..Read::default() };
        Self { form, as_of, read, filled: BTreeSet::new(), word: String::new(), shared: HashSet::default() }
    }

    /// Takes one record. `position` is its line or number, counted from 1.
    ///
    /// # Errors
    /// `TooLarge`, when there are too many.
    pub(super) fn take(&mut self, position: usize, row: &Row) -> Result<(), Failure> {
        if self.records() >= MOST_RECORDS {
            return Err(Failure::TooLarge);
        }
        match self.employee(row) {
            Ok(employee) => self.read.employees.push(employee),
            Err(reason) => self.read.bad.push(BadRecord { position, reason }),
        }
        Ok(())
    }

    /// How many records were taken.
    pub(super) fn records(&self) -> usize {
        self.read.employees.len() + self.read.bad.len()
    }

    /// Remembers how many records the source says there are.
    pub(super) fn announce(&mut self, total: usize) {
        self.read.announced_total = Some(total);
    }

    /// The whole answer.
    ///
    /// # Errors
    /// `WrongColumns`, when something required was empty in every record there is.
    pub(super) fn finish(mut self) -> Result<Read, Failure> {
        self.read.employees.shrink_to_fit();
        let missing: Vec<String> =
            self.form.required.difference(&self.filled).map(|slot| slot.name().to_owned()).collect();
        if self.records() > 0 && !missing.is_empty() { Err(Failure::WrongColumns(missing)) } else { Ok(self.read) }
    }

    fn employee(&mut self, row: &Row) -> Result<Employee, String> {
        if self.filled.len() < self.form.required.len() {
            self.filled.extend(self.form.required.iter().filter(|slot| row.get(**slot) != Ok(None)));
        }
        let name = text(row, Slot::FullName)?.ok_or("fullName is empty")?;
        let work_email = address(row.get(Slot::Email)?.ok_or("email is empty")?)?;
        let id = if self.form.offered.contains(&Slot::EmployeeId) {
            hr_id(Slot::EmployeeId, row)?.ok_or("employeeId is empty")?
        } else {
            id_of_address(&work_email)
        };
        let start = self.date(row, Slot::HireDate)?;
        let terminated = match (self.date(row, Slot::TerminationDate)?, self.form.end_date) {
            (Some(out), EndDate::FirstDayOut) => {
                Some(out.yesterday().map_err(|_| "terminationDate has no day before it")?)
            }
            (day, _) => day,
        };
        let last_day = self.date(row, Slot::LastWorkingDay)?.or(terminated);
        let contract_end = self.date(row, Slot::ContractEnd)?;
        let urgent = self.urgent(row)?;
        let legal_entity = self.shared(row, Slot::LegalEntity)?;
        let department = self.shared(row, Slot::Department)?;
        let team = self.shared(row, Slot::Team)?;
        let title = self.shared(row, Slot::Title)?;
        let location = self.shared(row, Slot::Location)?;
        let phone = text(row, Slot::Phone)?;
        let manager = match hr_id(Slot::ManagerId, row)? {
            Some(id) => Some(Manager::Id(id)),
            // Nothing is decided by it, so a name in its place sets nobody aside.
            None => row.get(Slot::ManagerEmail)?.and_then(|cell| address(cell).ok()).map(Manager::Email),
        };
        let said = self.said(row, start)?; // last: a record that is set aside counts no word
        let employment_type = self.employment_type(row)?;
        let who = Employee::new(id, name, work_email, said);
        let when = Employee { start, last_day, contract_end, urgent, ..who };
        Ok(Employee { employment_type, legal_entity, department, team, title, location, manager, phone, ..when })
    }

    /// A text that many people share, held once for all of them.
    fn shared(&mut self, row: &Row, slot: Slot) -> Result<Option<Arc<str>>, String> {
        let Some(text) = cut(row, slot)? else { return Ok(None) };
        if let Some(known) = self.shared.get(text) {
            return Ok(Some(Arc::clone(known)));
        }
        let new: Arc<str> = Arc::from(text);
        self.shared.insert(Arc::clone(&new));
        Ok(Some(new))
    }

    /// Whether the reason of a termination means "at once". One that nobody named does not.
    fn urgent(&self, row: &Row) -> Result<bool, String> {
        let reason = row.get(Slot::TerminationReason)?;
        Ok(reason.is_some_and(|reason| self.form.urgent.contains(&reason.to_lowercase())))
    }

    /// What kind of employment it is; a word nobody mapped is counted, and not known.
    fn employment_type(&mut self, row: &Row) -> Result<Option<EmploymentType>, String> {
        let Some(word) = row.get(Slot::EmploymentType)? else { return Ok(None) };
        let found = self.form.types.get(word, &mut self.word);
        if found.is_none() {
            count(&mut self.read.unmapped_types, word);
        }
        Ok(found)
    }

    /// What the status word says.
    ///
    /// Some systems call a future hire by the word of a leaver and leave the rest to the start date. Such a word is
    /// read as `when_starts_later` when the start lies on the UTC date or after it: somewhere on earth that day has
    /// not begun. The verdict table then makes it `PreHire` or `Active` by the person's own day, so a day more is
    /// harmless, while a day less would cut somebody hours before their first morning. Without a start date the word
    /// cannot be told, and the record is set aside.
    fn said(&mut self, row: &Row, start: Option<Date>) -> Result<Said, String> {
        if !self.form.offered.contains(&Slot::Status) {
            return Ok(Said::Silent);
        }
        let word = row.get(Slot::Status)?;
        let meaning = if self.form.rules.is_empty() {
            let Some(word) = word else { return Ok(Said::Unmapped) };
            self.form.statuses.get(word, &mut self.word)
        } else {
            // A word that no rule knows may be one of the customer's own.
            self.rule(row)?.or_else(|| self.form.statuses.get(word?, &mut self.word))
        };
        match meaning {
            None => {
                word.into_iter().for_each(|word| count(&mut self.read.unmapped, word));
                Ok(Said::Unmapped)
            }
            Some(Meaning { means, when_starts_later: None }) => Ok(Said::Mapped(means)),
            Some(Meaning { means, when_starts_later: Some(later) }) => match start {
                Some(start) if start >= self.as_of => Ok(Said::Mapped(later)),
                Some(_) => Ok(Said::Mapped(means)),
                None => Err("hireDate is empty, and this status cannot be told without it".to_owned()),
            },
        }
    }

    /// The first rule that fits.
    fn rule(&self, row: &Row) -> Result<Option<Meaning>, String> {
        for rule in &self.form.rules {
            let mut fits = true;
            for (cell, test) in &rule.when {
                let text = row.at(*cell).map_err(|_| "status is made of something that is not a plain value")?;
                fits &= test.holds(text);
            }
            if fits {
                return Ok(Some(rule.meaning));
            }
        }
        Ok(None)
    }

    fn date(&self, row: &Row, slot: Slot) -> Result<Option<Date>, String> {
        let Some(text) = row.get(slot)? else { return Ok(None) };
        dates::read(&self.form.dates, text).map_err(|NoDate| {
            let forms: Vec<_> = self.form.dates.iter().map(DateForm::name).collect();
            format!("{} is not a date of the form {}", slot.name(), forms.join(" or "))
        })
    }
}

#[cfg(test)]
mod tests;
