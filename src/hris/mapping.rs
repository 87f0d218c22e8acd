//! From a row to an employee: the one place that says what the text of a source means, whatever its format.
//!
//! Pure: the day is an argument. A record that cannot be read is set aside with its place and a reason that quotes
//! nothing of it; whether so many may be set aside is the trust gate's question.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use jiff::civil::Date;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::dates::{self, DateForm, NoDate};
use super::row::{Row, Slot};
use crate::domain::capabilities::Declared;
use crate::domain::employee::{BadRecord, Employee, EmploymentType, Failure, HrId, Manager, Read, Said, Status};

/// Most records of one answer.
pub(super) const MOST_RECORDS: usize = 1_000_000;
/// Most status words that are remembered because nobody mapped them, and the longest piece of one.
const MOST_WORDS: usize = 32;
const LONGEST_WORD: usize = 64;
/// Longest id, address and other text, in characters: what the API's schema takes.
const LONGEST_ID: usize = 128;
const LONGEST_ADDRESS: usize = 320;
const LONGEST_TEXT: usize = 256;

/// What the date of an end means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum EndDate {
    /// The person still works that day.
    #[default]
    LastDay,
    /// The person no longer works that day.
    FirstDayOut,
}

/// What a status word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What it means.
    pub means: Status,
    /// What it means of a person who starts today or later, for systems that have no word for a future hire.
    pub when_starts_later: Option<Status>,
}

/// Words and their meanings, compared without case and surrounding blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words<M>(BTreeMap<String, M>);

impl<M> Default for Words<M> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// Status words.
pub(super) type Statuses = Words<Meaning>;
/// Words for kinds of employment.
pub(super) type Types = Words<EmploymentType>;

impl<M: Copy + PartialEq> Words<M> {
    /// Collects them.
    ///
    /// # Errors
    /// In words, when two of them are the same word.
    pub(super) fn new(words: impl IntoIterator<Item = (String, M)>) -> Result<Self, String> {
        let mut meanings = BTreeMap::new();
        for (word, meaning) in words {
            let folded = word.trim().to_lowercase();
            if meanings.insert(folded, meaning).is_some_and(|other| other != meaning) {
                return Err(format!("the word {word:?} is mapped twice, to different meanings"));
            }
        }
        Ok(Self(meanings))
    }

    /// What a word means; `folded` is only room to compare it in.
    fn get(&self, word: &str, folded: &mut String) -> Option<M> {
        folded.clear();
        folded.extend(word.chars().flat_map(char::to_lowercase));
        self.0.get(folded.as_str()).copied()
    }
}

/// How the rows of one source are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    /// What the source gives at all.
    pub(super) offered: BTreeSet<Slot>,
    /// What must be filled in at least one record: a credential that may not see a field gets an answer without it.
    pub(super) required: BTreeSet<Slot>,
    /// What its status words mean.
    pub(super) statuses: Statuses,
    /// Rules that look at several values; where there are any, there are no status words.
    pub(super) rules: Vec<Rule>,
    /// Forms of its dates; the first that fits is taken.
    pub(super) dates: Vec<DateForm>,
    /// What its end date means.
    pub(super) end_date: EndDate,
    /// What its words for a kind of employment mean.
    pub(super) types: Types,
    /// Reasons of a termination, in lower case, that mean "at once".
    pub(super) urgent: BTreeSet<String>,
    /// What it is said to be able to say.
    pub(super) declared: Declared,
}

/// A rule: what it means when everything it looks at is as it says.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Cells, and what is asked of each.
    pub(super) when: Vec<(usize, Test)>,
    /// What it means.
    pub(super) meaning: Meaning,
}

/// What a rule asks of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// That it is one of these words, compared in lower case.
    Words(Vec<String>),
    /// That there is one.
    Filled,
    /// That there is none.
    Empty,
}

impl Test {
    fn holds(&self, text: Option<&str>) -> bool {
        match (self, text) {
            (Self::Words(words), Some(text)) => {
                let text = text.to_lowercase();
                words.contains(&text)
            }
            (Self::Words(_), None) => false,
            (Self::Filled, text) => text.is_some(),
            (Self::Empty, text) => text.is_none(),
        }
    }
}

/// Makes employees of rows, one after another, and keeps what there is to say of the whole answer.
pub(super) struct Mapper {
    form: Form,
    as_of: Date,
    read: Read,
    filled: BTreeSet<Slot>,
    word: String,
    shared: HashSet<Arc<str>>,
}

impl Mapper {
    /// `as_of` is the UTC date; see `Mapper::said` for the one rule that looks at it.
    pub(super) fn new(form: Form, as_of: Date) -> Self {
        let offered = form.offered.iter().map(|slot| slot.field()).collect();
        let read = Read { offered, declared: form.declared.clone(), ..Read::default() };
        Self { form, as_of, read, filled: BTreeSet::new(), word: String::new(), shared: HashSet::new() }
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
        for slot in &self.form.required {
            if !self.filled.contains(slot) && row.get(*slot) != Ok(None) {
                self.filled.insert(*slot);
            }
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
            self.rule(row)?
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

/// A text of the person, cut to what is kept. Control characters in a name are a sign of cells that ran together.
fn cut(row: &Row, slot: Slot) -> Result<Option<&str>, String> {
    let Some(text) = row.get(slot)? else { return Ok(None) };
    if text.chars().any(char::is_control) {
        return Err(format!("{} holds control characters", slot.name()));
    }
    let end = text.char_indices().nth(LONGEST_TEXT).map_or(text.len(), |(end, _)| end);
    Ok(text.get(..end))
}

fn text(row: &Row, slot: Slot) -> Result<Option<String>, String> {
    Ok(cut(row, slot)?.map(str::to_owned))
}

/// A work address as written, with the apostrophe that word processors curl made straight again.
fn address(text: &str) -> Result<String, String> {
    let address = text.replace(['\u{2019}', '\u{2018}', '\u{02bc}'], "'");
    let plain =
        address.chars().count() <= LONGEST_ADDRESS && !address.chars().any(|c| c.is_control() || c.is_whitespace());
    match address.split_once('@') {
        Some((local, domain)) if plain && !local.is_empty() && !domain.is_empty() && !domain.contains('@') => {
            Ok(address)
        }
        _ => Err("email is not an address".to_owned()),
    }
}

/// An id of the HR system. Ids are shown in events and conditions, so one that is an address is refused.
fn hr_id(slot: Slot, row: &Row) -> Result<Option<HrId>, String> {
    let Some(text) = row.get(slot)? else { return Ok(None) };
    let name = slot.name();
    if text.chars().count() > LONGEST_ID {
        return Err(format!("{name} is longer than {LONGEST_ID} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{name} holds control characters"));
    }
    if text.contains('@') {
        return Err(format!("{name} is an address: leave the field out, and people are keyed by a digest of it"));
    }
    if text.contains("E+") && text.parse::<f64>().is_ok() {
        return Err(format!("{name} is in scientific notation: a spreadsheet has dropped digits of it"));
    }
    Ok(Some(HrId(text.to_owned())))
}

/// The id of a person whose source has none: 130 bits of the digest of the lower-cased address.
fn id_of_address(address: &str) -> HrId {
    let digest = BASE32_NOPAD.encode(&Sha256::digest(address.to_lowercase().as_bytes())).to_ascii_lowercase();
    HrId(format!("a-{}", digest.chars().take(26).collect::<String>()))
}

/// Counts a word nobody mapped. Bounded, and cleaned of what could deceive a terminal, since it ends up in a status.
fn count(words: &mut BTreeMap<String, u32>, word: &str) {
    let word: String = word.chars().filter(|c| !c.is_control()).take(LONGEST_WORD).collect();
    if words.len() < MOST_WORDS || words.contains_key(&word) {
        let people = words.entry(word).or_default();
        *people = people.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = Date::constant(2026, 3, 2);

    fn form(dates: &str, end_date: EndDate) -> Form {
        let plain = |means| Meaning { means, when_starts_later: None };
        let words = [
            ("Active", plain(Status::Active)),
            ("on leave", plain(Status::Leave)),
            ("Inactive", Meaning { means: Status::Terminated, when_starts_later: Some(Status::Active) }),
        ];
        Form {
            offered: [
                Slot::EmployeeId,
                Slot::FullName,
                Slot::Email,
                Slot::Status,
                Slot::HireDate,
                Slot::TerminationDate,
                Slot::Department,
                Slot::ManagerEmail,
                Slot::ManagerId,
            ]
            .into(),
            required: BTreeSet::new(),
            statuses: Statuses::new(words.map(|(word, meaning)| (word.to_owned(), meaning))).unwrap(),
            rules: Vec::new(),
            dates: vec![DateForm::Strptime(dates.to_owned())],
            end_date,
            types: Types::new([("Freelance".to_owned(), EmploymentType::Contractor)]).unwrap(),
            urgent: ["gross misconduct".to_owned()].into(),
            declared: Declared::default(),
        }
    }

    fn iso() -> Form {
        form("%Y-%m-%d", EndDate::LastDay)
    }

    /// Maps Ada, with some of her cells written over.
    fn map(form: Form, cells: &[(Slot, &str)]) -> Result<Employee, String> {
        let mut row = Row::default();
        let ada = [(Slot::EmployeeId, "7"), (Slot::FullName, "Ada Example"), (Slot::Email, "ada@example.com")];
        for (slot, text) in ada.iter().chain(cells) {
            row.set(*slot, text);
        }
        let mut mapper = Mapper::new(form, TODAY);
        mapper.take(1, &row).unwrap();
        let read = mapper.finish().unwrap();
        read.employees.into_iter().next().ok_or_else(|| read.bad.first().unwrap().reason.clone())
    }

    #[test]
    fn a_record_that_cannot_be_read_is_set_aside_with_a_reason_that_quotes_nothing() {
        let long = "7".repeat(LONGEST_ID + 1);
        for (slot, text, reason) in [
            (Slot::FullName, "", "fullName is empty"),
            (Slot::FullName, "Ada\nExample", "fullName holds control characters"),
            (Slot::Email, " ", "email is empty"),
            (Slot::Email, "ada.example.com", "email is not an address"),
            (Slot::Email, "@example.com", "email is not an address"),
            (Slot::Email, "ada@", "email is not an address"),
            (Slot::Email, "ada@example.com bo@example.com", "email is not an address"),
            (Slot::Email, "ada@example.com;bo@example.com", "email is not an address"),
            (Slot::EmployeeId, "", "employeeId is empty"),
            (Slot::EmployeeId, "7\u{7}", "employeeId holds control characters"),
            (Slot::EmployeeId, &long, "employeeId is longer than 128 characters"),
            (
                Slot::EmployeeId,
                "1.23E+05",
                "employeeId is in scientific notation: a spreadsheet has dropped digits of it",
            ),
            (
                Slot::EmployeeId,
                "ada@example.com",
                "employeeId is an address: leave the field out, and people are keyed by a digest of it",
            ),
            (Slot::HireDate, "31/01/2026", "hireDate is not a date of the form %Y-%m-%d"),
            (Slot::HireDate, "2026-02-30", "hireDate is not a date of the form %Y-%m-%d"),
            (Slot::TerminationDate, "2026-03-01 tbc", "terminationDate is not a date of the form %Y-%m-%d"),
            (Slot::TerminationDate, "soon", "terminationDate is not a date of the form %Y-%m-%d"),
        ] {
            assert_eq!(map(iso(), &[(slot, text)]).err().as_deref(), Some(reason), "{text}");
        }
    }

    #[test]
    fn addresses_and_ids_are_trimmed_and_otherwise_as_written() {
        for (written, kept) in [
            (" Ada@Example.com ", "Ada@Example.com"),
            ("o\u{2019}fiction@example.com", "o'fiction@example.com"),
            ("\u{200b}ada@example.com\u{a0}", "ada@example.com"),
            ("josé@example.com", "josé@example.com"),
        ] {
            assert_eq!(map(iso(), &[(Slot::Email, written)]).unwrap().work_email, kept);
        }
        assert_eq!(map(iso(), &[(Slot::EmployeeId, " 0042 ")]).unwrap().id.0, "0042");
    }

    #[test]
    fn without_ids_people_are_keyed_by_a_digest_of_their_address_whatever_its_case() {
        let mut form = iso();
        form.offered.remove(&Slot::EmployeeId);
        let ids = ["ada@example.com", " ADA@example.COM", "bo@example.com"]
            .map(|address| map(form.clone(), &[(Slot::Email, address)]).unwrap().id.0);
        assert_eq!(ids[0], "a-wx6ilzkxkx46bubquefliqu3nm"); // base32 of the SHA-256 of ada@example.com, cut
        assert_eq!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        assert_eq!(ids[2].len(), 28);
    }

    #[test]
    fn dates_are_read_in_the_form_of_the_source_and_end_dates_by_what_they_mean() {
        let day = Date::constant(2026, 3, 1);
        for (form, text, last_day) in [
            (iso(), "2026-03-01", Some(day)),
            (form("%d/%m/%Y", EndDate::LastDay), "01/03/2026", Some(day)),
            (form("%m/%d/%Y", EndDate::LastDay), "03/01/2026", Some(day)),
            (form("%d.%m.%y", EndDate::LastDay), "1.3.26", Some(day)),
            (form("%Y-%m-%d", EndDate::FirstDayOut), "2026-03-02", Some(day)),
            (form("%Y-%m-%d", EndDate::FirstDayOut), "2024-03-01", Some(Date::constant(2024, 2, 29))),
            (form("%Y-%m-%d", EndDate::FirstDayOut), "", None),
        ] {
            assert_eq!(map(form, &[(Slot::TerminationDate, text)]).unwrap().last_day, last_day, "{text}");
        }
    }

    #[test]
    fn a_date_that_stands_for_none_is_none() {
        for text in
            ["0000-00-00", "0", "-", "0001-01-01", "1900-01-01", "1970-01-01", "2099-12-31", "4712-12-31", "9999-12-31"]
        {
            assert_eq!(map(iso(), &[(Slot::TerminationDate, text)]).unwrap().last_day, None, "{text}");
        }
        let slashes = form("%d/%m/%Y", EndDate::FirstDayOut);
        for text in ["00/00/0000", "31/12/9999"] {
            assert_eq!(map(slashes.clone(), &[(Slot::TerminationDate, text)]).unwrap().last_day, None, "{text}");
        }
    }

    #[test]
    fn status_words_are_compared_without_case_and_blanks() {
        for (word, said) in [
            ("Active", Said::Mapped(Status::Active)),
            (" ACTIVE ", Said::Mapped(Status::Active)),
            ("On Leave", Said::Mapped(Status::Leave)),
            ("", Said::Unmapped),
            ("  ", Said::Unmapped),
            ("Sabbatical", Said::Unmapped),
            ("Actively", Said::Unmapped),
        ] {
            assert_eq!(map(iso(), &[(Slot::Status, word)]).unwrap().said, said, "{word:?}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_says_the_status_and_none_leaves_it_unknown() {
        let (state, flag) = (Slot::COUNT, Slot::COUNT + 1);
        let words = |words: &[&str]| Test::Words(words.iter().map(|word| (*word).to_owned()).collect());
        let rule = |when: Vec<(usize, Test)>, means| Rule { when, meaning: Meaning { means, when_starts_later: None } };
        let rules = vec![
            rule(vec![(flag, words(&["true"]))], Status::Suspended),
            rule(vec![(state, words(&["1", "active"])), (flag, Test::Filled)], Status::Active),
            rule(vec![(state, Test::Empty), (flag, words(&["false"]))], Status::Terminated),
        ];
        for (cells, said, unmapped) in [
            ([Some("Active"), Some("true")], Said::Mapped(Status::Suspended), false),
            ([Some("Active"), Some("false")], Said::Mapped(Status::Active), false),
            ([Some("1"), Some("false")], Said::Mapped(Status::Active), false),
            ([Some("Active"), None], Said::Unmapped, true),
            ([Some("2"), Some("false")], Said::Unmapped, true),
            ([None, Some("false")], Said::Mapped(Status::Terminated), false),
            ([None, None], Said::Unmapped, true),
        ] {
            let mut row = Row::with(2);
            row.set(Slot::FullName, "Ada Example");
            row.set(Slot::EmployeeId, "7");
            row.set(Slot::Email, "ada@example.com");
            row.set(Slot::Status, "as it was");
            for (cell, text) in [state, flag].into_iter().zip(cells) {
                text.into_iter().for_each(|text| row.put(cell, Some(text)));
            }
            let mut mapper = Mapper::new(Form { rules: rules.clone(), ..iso() }, TODAY);
            mapper.take(1, &row).unwrap();
            let read = mapper.finish().unwrap();
            assert_eq!(read.employees.first().unwrap().said, said, "{cells:?}");
            assert_eq!(read.unmapped.contains_key("as it was"), unmapped, "{cells:?}");
        }
    }

    #[test]
    fn the_last_working_day_counts_before_the_termination_date_and_a_contracts_end_ends_nothing() {
        let mut form = form("%Y-%m-%d", EndDate::FirstDayOut);
        form.offered.extend([Slot::LastWorkingDay, Slot::ContractEnd]);
        let day = |day: i8| Some(Date::constant(2026, 3, day));
        for (termination, last_working, contract, last_day, contract_end) in [
            ("2026-03-31", "", "", day(30), None),
            ("2026-03-31", "2026-03-15", "", day(15), None), // always a last day, never a first day out
            ("", "2026-03-15", "", day(15), None),
            ("", "", "2026-03-20", None, day(20)),
            ("9999-12-31", "0000-00-00", "2026-03-20", None, day(20)),
        ] {
            let cells = [
                (Slot::TerminationDate, termination),
                (Slot::LastWorkingDay, last_working),
                (Slot::ContractEnd, contract),
            ];
            let ada = map(form.clone(), &cells).unwrap();
            assert_eq!((ada.last_day, ada.contract_end), (last_day, contract_end), "{cells:?}");
        }
    }

    #[test]
    fn a_kind_of_employment_nobody_mapped_is_not_known_and_counted_and_sets_nobody_aside() {
        let mut mapper = Mapper::new(iso(), TODAY);
        for word in ["FREELANCE ", "Gig", "", "Gig"] {
            let mut row = Row::default();
            row.set(Slot::EmployeeId, "7");
            row.set(Slot::FullName, "Ada Example");
            row.set(Slot::Email, "ada@example.com");
            row.set(Slot::EmploymentType, word);
            mapper.take(1, &row).unwrap();
        }
        let read = mapper.finish().unwrap();
        let kinds: Vec<_> = read.employees.iter().map(|employee| employee.employment_type).collect();
        assert_eq!(kinds, [Some(EmploymentType::Contractor), None, None, None]);
        assert_eq!(read.unmapped_types, BTreeMap::from([("Gig".to_owned(), 2)]));
        assert!(read.unmapped.is_empty());
    }

    #[test]
    fn only_a_named_reason_is_urgent_and_the_word_itself_is_not_kept() {
        for (reason, urgent) in [("Gross Misconduct", true), ("resigned", false), ("", false), ("gross", false)] {
            let ada = map(iso(), &[(Slot::TerminationReason, reason)]).unwrap();
            assert_eq!(ada.urgent, urgent, "{reason}");
        }
    }

    #[test]
    fn no_more_records_are_taken_than_there_may_be() {
        let mut mapper = Mapper::new(Form::default(), Date::constant(2026, 3, 2));
        let row = Row::default();
        assert!((0..MOST_RECORDS).all(|position| mapper.take(position, &row).is_ok()));
        assert_eq!(mapper.take(MOST_RECORDS, &row), Err(Failure::TooLarge));
    }

    #[test]
    fn what_many_people_share_is_held_once() {
        let mut mapper = Mapper::new(iso(), TODAY);
        for id in ["7", "8"] {
            let mut row = Row::default();
            row.set(Slot::EmployeeId, id);
            row.set(Slot::FullName, "Ada Example");
            row.set(Slot::Email, "ada@example.com");
            row.set(Slot::Department, " Engineering ");
            mapper.take(1, &row).unwrap();
        }
        let read = mapper.finish().unwrap();
        let [ada, bo] = read.employees.as_slice() else { panic!("two people") };
        assert!(Arc::ptr_eq(ada.department.as_ref().unwrap(), bo.department.as_ref().unwrap()));
    }

    #[test]
    fn a_leavers_word_of_somebody_who_has_not_started_everywhere_is_no_leavers_word() {
        for (start, said) in [
            ("2026-03-01", Ok(Said::Mapped(Status::Terminated))),
            ("2026-03-02", Ok(Said::Mapped(Status::Active))), // the UTC date: still yesterday in the west
            ("2026-03-03", Ok(Said::Mapped(Status::Active))),
            ("2030-01-01", Ok(Said::Mapped(Status::Active))),
            ("", Err("hireDate is empty, and this status cannot be told without it".to_owned())),
            ("0000-00-00", Err("hireDate is empty, and this status cannot be told without it".to_owned())),
        ] {
            let mapped = map(iso(), &[(Slot::Status, "inactive"), (Slot::HireDate, start)]);
            assert_eq!(mapped.map(|employee| employee.said), said, "{start}");
        }
    }

    #[test]
    fn unmapped_words_are_counted_cleaned_and_bounded() {
        let mut mapper = Mapper::new(iso(), TODAY);
        let mut row = Row::default();
        let long = "x".repeat(200);
        let words: Vec<String> = (0..40).map(|n| format!("word {n}")).collect();
        let seen = ["Burnout", " Burnout", "Sick\u{1b}[31m", &long].into_iter().chain(words.iter().map(String::as_str));
        for (number, word) in seen.enumerate() {
            row.set(Slot::EmployeeId, &number.to_string());
            row.set(Slot::FullName, "Ada Example");
            row.set(Slot::Email, "ada@example.com");
            row.set(Slot::Status, word);
            mapper.take(number + 1, &row).unwrap();
        }
        row.set(Slot::Email, "nowhere"); // set aside, so its word does not count
        row.set(Slot::Status, "Burnout");
        mapper.take(45, &row).unwrap();
        let unmapped = mapper.finish().unwrap().unmapped;
        assert_eq!(unmapped.len(), 32);
        assert_eq!(unmapped.get("Burnout"), Some(&2));
        assert_eq!(unmapped.get("Sick[31m"), Some(&1));
        assert_eq!(unmapped.get(&"x".repeat(64)), Some(&1));
    }

    #[test]
    fn a_manager_is_named_by_id_before_address_and_a_name_in_its_place_is_nobody() {
        for (id, email, manager) in [
            ("9", "bo@example.com", Some(Manager::Id(HrId("9".to_owned())))),
            ("", "bo@example.com", Some(Manager::Email("bo@example.com".to_owned()))),
            ("", "Bo Example", None),
            ("", "", None),
        ] {
            let ada = map(iso(), &[(Slot::ManagerId, id), (Slot::ManagerEmail, email)]).unwrap();
            assert!(ada.manager == manager, "{id} {email}");
        }
    }

    #[test]
    fn long_texts_are_cut_at_a_characters_edge() {
        let ada = map(iso(), &[(Slot::Department, &"é".repeat(300))]).unwrap();
        assert_eq!(*ada.department.unwrap(), *"é".repeat(256));
    }

    #[test]
    fn an_answer_in_which_something_required_is_empty_for_everybody_is_refused() {
        let required = Form { required: [Slot::Status, Slot::HireDate, Slot::Email].into(), ..iso() };
        let mut row = Row::default();
        row.set(Slot::EmployeeId, "7");
        row.set(Slot::FullName, "Ada Example");
        row.set(Slot::Email, "ada@example.com");
        let mut mapper = Mapper::new(required.clone(), TODAY);
        mapper.take(1, &row).unwrap();
        row.set(Slot::HireDate, "2020-01-01");
        mapper.take(2, &row).unwrap();
        assert_eq!(mapper.finish().map(|_| ()), Err(Failure::WrongColumns(vec!["status".to_owned()])));
        assert!(Mapper::new(required, TODAY).finish().is_ok(), "nobody at all is for the trust gate to judge");
    }
}
