//! From a row to an employee: the one place that says what the text of a source means, whatever its format.
//!
//! Pure: the day is an argument. A record that cannot be read is set aside with its place and a reason that quotes
//! nothing of it; whether so many may be set aside is the trust gate's question.

mod accounts;
mod form;
mod repeated;
mod texts;
mod urls;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

pub(super) use self::accounts::{Accounts, FactWords};
pub use self::form::{EndDate, Meaning};
pub(super) use self::form::{Form, Rule, Statuses, Test, Types};
pub(super) use self::texts::scientific;
use self::texts::{SharedTexts, address, count, cut, hr_id, id_of_address, own, text};
use super::dates::{self, Day, NoDate};
use super::row::{Row, Slot, Unfit};
use domain::account::{Fact, Said, Unread};
use domain::employee::{
    BadRecord, Employee, EmploymentType, Failure, HrId, Manager, Read, ReportedStatus, Status, Text, Texts,
};

/// Most records of one answer.
pub(super) const MOST_RECORDS: usize = 1_000_000;

/// What is said of a word in the place of a date.
const WORD: &str = ", but a word: if it stands for none, say so in `none`";

/// Makes employees of rows, one after another, and keeps what there is to say of the whole answer.
pub(super) struct Mapper {
    form: Form,
    as_of: Date,
    read: Read,
    filled: BTreeSet<Slot>,
    word: String,
    shared: SharedTexts,
    columns: Vec<Column>,
    /// How many values of a field were not taken, and why.
    not_taken: BTreeMap<(String, NotTaken), u32>,
}

/// Why a value by which nothing is decided is not taken. The rest of the person is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NotTaken {
    /// An address that is not of https, or opens something to anybody who has it.
    Secret,
    /// A list or an object.
    Unfit,
    /// A word or a day that says nothing of an account.
    Unreadable,
}

impl NotTaken {
    const fn words(self) -> &'static str {
        match self {
            Self::Secret => {
                "are not an https address, or one with a signature, token or password in it, and are not kept"
            }
            Self::Unfit => "are not a plain value, and are not kept",
            Self::Unreadable => "are no word or past day that can be read, and are not known",
        }
    }
}

/// What is known of the dates in one column.
#[derive(Clone, Debug, Default)]
struct Column {
    /// Whether one of them proves that day and month are read in the right order.
    proven: bool,
    /// The form that one of them has with day and month exchanged, and the record.
    exchanged: Option<(usize, String)>,
    /// The record of one that has another form.
    another: Option<usize>,
    /// How many are instants that may be of another day where the person works.
    instants: usize,
}

impl Mapper {
    /// `as_of` is the UTC date; see `Mapper::reported_status` for the one rule that looks at it.
    pub(super) fn new(form: Form, as_of: Date) -> Self {
        let offered = form.offered.iter().map(|slot| slot.field()).collect();
        let (declared, unread) = (form.declared.clone(), form.accounts.unread.clone());
        let read = Read { offered, declared, unread, ..Read::default() };
        let (filled, word, shared, not_taken) = Default::default();
        let columns = vec![Column::default(); Slot::COUNT];
        Self { form, as_of, read, filled, word, shared, columns, not_taken }
    }

    /// Takes one record. `position` is its line or number, counted from 1.
    ///
    /// # Errors
    /// `TooLarge`, when there are too many.
    pub(super) fn take(&mut self, position: usize, row: &Row) -> Result<(), Failure> {
        if self.records() >= MOST_RECORDS {
            return Err(Failure::TooLarge);
        }
        match self.employee(position, row) {
            Ok(employee) => self.read.employees.push(employee),
            Err(reason) => self.read.bad.push(BadRecord { position, reason }),
        }
        Ok(())
    }

    /// Sets a record aside that was not taken.
    pub(super) fn set_aside(&mut self, position: usize, reason: String) {
        self.read.bad.push(BadRecord { position, reason });
    }

    /// Those who were taken so far.
    pub(super) fn employees(&self) -> &[Employee] {
        &self.read.employees
    }

    /// Whether a status word is the beginning of another that means something else.
    pub(super) fn begins_another(&self, word: &str) -> bool {
        self.form.statuses.begins_another(word)
    }

    /// How many records were taken.
    pub(super) fn records(&self) -> usize {
        self.read.employees.len() + self.read.bad.len()
    }

    /// Remembers facts of accounts that the source refuses.
    pub(super) fn refused(&mut self, facts: impl IntoIterator<Item = Fact>) {
        self.read.unread.extend(facts.into_iter().map(|fact| (fact, Unread::Refused)));
    }

    /// Remembers how many records the source says there are.
    pub(super) fn announce(&mut self, total: usize) {
        self.read.announced_total = Some(total);
    }

    /// The whole answer.
    ///
    /// # Errors
    /// `WrongColumns`, when something required was empty in every record there is; `WrongFormat`, when the dates of a
    /// column show that they are read in a wrong form.
    pub(super) fn finish(mut self) -> Result<Read, Failure> {
        self.judge_dates()?;
        let not_taken = self.not_taken.iter().map(|((of, why), values)| format!("{of}: {values} {}", why.words()));
        self.read.remarks.extend(not_taken);
        repeated::settle(&mut self.read, self.as_of);
        self.read.employees.shrink_to_fit();
        let missing: Vec<String> =
            self.form.required.difference(&self.filled).map(|slot| slot.name().to_owned()).collect();
        if self.records() > 0 && !missing.is_empty() { Err(Failure::WrongColumns(missing)) } else { Ok(self.read) }
    }

    /// Whether day and month can be trusted in every column of dates. Where they cannot, nobody is read: a day that is
    /// another day ends somebody's access too early.
    fn judge_dates(&mut self) -> Result<(), Failure> {
        let forms = self.form.forms();
        for (slot, column) in Slot::ALL.iter().copied().zip(&self.columns) {
            let name = self.form.name(slot);
            if let Some((position, other)) = &column.exchanged {
                return Err(Failure::WrongFormat(format!(
                    "{name} of record {position} has the form {other}, not {forms}, so day and month of the whole column may be exchanged; correct the form of dates"
                )));
            }
            if let Some(position) = column.another.filter(|_| !column.proven) {
                return Err(Failure::WrongFormat(format!(
                    "{name} of record {position} is a date, but not of the form {forms}, and no date of the column proves which number is the day; correct the form of dates, or the source"
                )));
            }
            if column.instants > 0 {
                self.read.remarks.push(format!(
                    "{name}: {} are instants and not days (their time is not midnight); each is read as the latest day that it was anywhere",
                    column.instants
                ));
            }
        }
        Ok(())
    }

    fn employee(&mut self, position: usize, row: &Row) -> Result<Employee, String> {
        // First: a date tells of its column even where the record is set aside for something else.
        let mut date = |slot| self.date(position, row, slot);
        let (start, terminated) = (date(Slot::HireDate), date(Slot::TerminationDate));
        let (last_working, contract_end) = (date(Slot::LastWorkingDay), date(Slot::ContractEnd));
        if self.filled.len() < self.form.required.len() {
            self.filled.extend(self.form.required.iter().filter(|slot| row.get(**slot) != Ok(None)));
        }
        let (start, contract_end) = (start?, contract_end?);
        let terminated = match (terminated?, self.form.end_date) {
            (Some(out), EndDate::FirstDayOut) => {
                Some(out.yesterday().map_err(|_| "terminationDate has no day before it")?)
            }
            (day, _) => day,
        };
        let last_day = last_working?.or(terminated);
        let (id, name, work_email) = self.identity(row, last_day)?;
        let urgent = self.urgent(row)?;
        let texts = self.texts(row)?;
        let manager = match hr_id(Slot::ManagerId, row)? {
            Some(id) => Some(Manager::Id(id)),
            // Nothing is decided by it, so a name in its place sets nobody aside.
            None => row.get(Slot::ManagerEmail)?.and_then(|cell| address(cell).ok()).map(Manager::Email),
        };
        let account = self.account(row);
        let reported_status = self.reported_status(row, start)?; // last: a record that is set aside counts no word
        let employment_type = self.employment_type(row)?;
        let who = Employee::new(id, name, work_email, reported_status);
        let when = Employee { start, last_day, contract_end, urgent, ..who };
        Ok(Employee { employment_type, texts, manager, account, ..when })
    }

    /// Who it is. An id is enough: the mailbox of a leaver is often gone before the record says that they left, and what
    /// is known of them stands. Where there is no id, the address is the key.
    fn identity(&self, row: &Row, last_day: Option<Date>) -> Result<(HrId, String, String), String> {
        let name = text(row, Slot::FullName)?;
        let email = row.get(Slot::Email)?.map(address).transpose();
        if !self.form.offered.contains(&Slot::EmployeeId) {
            let email = email?.ok_or("email is empty")?;
            return Ok((id_of_address(&email), name.ok_or("fullName is empty")?, email));
        }
        let id = hr_id(Slot::EmployeeId, row)?.ok_or("employeeId is empty")?;
        let email = match email {
            Err(_) if self.has_left(row, last_day) => None, // `deleted-7`, where the address was
            email => email?,
        };
        Ok((id, name.unwrap_or_default(), email.unwrap_or_default()))
    }

    /// Whether the record says so of somebody, by its word or by its day.
    fn has_left(&self, row: &Row, last_day: Option<Date>) -> bool {
        let word = row.get(Slot::Status).ok().flatten();
        let means = word.and_then(|word| self.form.statuses.get(word, &mut String::new()));
        means.is_some_and(|meaning| meaning.means == Status::Terminated)
            || last_day.is_some_and(|last_day| last_day < self.as_of)
    }

    /// The plain texts there are.
    fn texts(&mut self, row: &Row) -> Result<Texts, String> {
        let mut texts = Texts::default();
        for text in Text::ALL.iter().copied() {
            if text.shared() || text == Text::Phone {
                let Some(value) = cut(row, text.slot())? else { continue };
                if text.shared() {
                    texts.share(text, Some(self.shared.of(value)));
                } else {
                    texts.set(text, Some(value.into()));
                }
            } else if let Some(value) =
                self.own(row.at(text.slot() as usize), || text.as_str().to_owned(), text == Text::PictureUrl)
            {
                texts.set(text, Some(value));
            }
        }
        for at in 0..self.form.custom.len() {
            let Some((name, cell)) = self.form.custom.get(at).cloned() else { continue };
            if let Some(value) = self.own(row.at(cell), || format!("custom.{}", name.as_str()), false) {
                texts.set_custom(&name, Some(value));
            }
        }
        Ok(texts)
    }

    /// A text that one person alone has. One that cannot be kept is counted, and sets nobody aside: nothing is decided by
    /// it. An address that is a secret is not kept in whichever field it stands.
    fn own(
        &mut self,
        cell: Result<Option<&str>, Unfit>,
        name: impl FnOnce() -> String,
        address: bool,
    ) -> Option<Box<str>> {
        let why = match cell {
            Ok(None) => return None,
            Ok(Some(text)) if (address || text.contains("://")) && !urls::may_be_kept(text) => NotTaken::Secret,
            Ok(Some(text)) => return Some(own(text)),
            Err(Unfit) => NotTaken::Unfit,
        };
        let values = self.not_taken.entry((name(), why)).or_default();
        *values = values.saturating_add(1);
        None
    }

    /// What is said of the account.
    fn account(&mut self, row: &Row) -> Option<Box<Said>> {
        let mut said = Said::default();
        for at in 0..self.form.accounts.read.len() {
            let Some(fact) = self.form.accounts.read.get(at).copied() else { continue };
            let why = match row.at(fact.slot() as usize) {
                Ok(None) => continue,
                Err(Unfit) => NotTaken::Unfit,
                Ok(Some(text)) => match self.form.accounts.value(fact, text, &self.form.dates, self.as_of) {
                    Some(value) => {
                        said.set(fact, Some(value));
                        continue;
                    }
                    None => NotTaken::Unreadable,
                },
            };
            let values = self.not_taken.entry((fact.as_str().to_owned(), why)).or_default();
            *values = values.saturating_add(1);
        }
        (!said.is_empty()).then(|| Box::new(said))
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
    fn reported_status(&mut self, row: &Row, start: Option<Date>) -> Result<ReportedStatus, String> {
        if !self.form.offered.contains(&Slot::Status) {
            return Ok(ReportedStatus::Silent);
        }
        let word = row.get(Slot::Status)?;
        let meaning = if self.form.rules.is_empty() {
            let Some(word) = word else { return Ok(ReportedStatus::Unmapped) };
            self.form.statuses.get(word, &mut self.word)
        } else {
            // A word that no rule knows may be one of the customer's own.
            self.rule(row)?.or_else(|| self.form.statuses.get(word?, &mut self.word))
        };
        match meaning {
            None => {
                word.into_iter().for_each(|word| count(&mut self.read.unmapped, word));
                Ok(ReportedStatus::Unmapped)
            }
            Some(Meaning { means, when_starts_later: None }) => Ok(ReportedStatus::Mapped(means)),
            Some(Meaning { means, when_starts_later: Some(later) }) => match start {
                Some(start) if start >= self.as_of => Ok(ReportedStatus::Mapped(later)),
                Some(_) => Ok(ReportedStatus::Mapped(means)),
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

    fn date(&mut self, position: usize, row: &Row, slot: Slot) -> Result<Option<Date>, String> {
        let Some(text) = row.get(slot)? else { return Ok(None) };
        let Some(column) = self.columns.get_mut(slot as usize) else { return Ok(None) };
        match dates::read(&self.form.dates, text) {
            Ok(None) => Ok(None),
            Ok(Some(Day { date, instant })) => {
                column.proven |= date.day() > 12;
                column.instants += usize::from(instant);
                Ok(Some(date))
            }
            Err(why) => {
                match why {
                    NoDate::Exchanged(form) => column.exchanged = column.exchanged.take().or(Some((position, form))),
                    NoDate::Another => column.another = column.another.or(Some(position)),
                    NoDate::Unknown => {}
                }
                let word = if text.bytes().any(|byte| byte.is_ascii_digit()) { "" } else { WORD };
                Err(format!("{} is not a date of the form {}{word}", self.form.name(slot), self.form.forms()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
