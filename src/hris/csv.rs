//! A CSV file of people, with a header row.
//!
//! Strict where half a file could pass for a whole one: a line with another number of cells, or a quote that is never
//! closed, refuses the file. Errors name lines and headers, never a cell.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use csv::StringRecord;
use jiff::civil::Date;

use super::dates::{self, DateForm};
use super::mapping::{EndDate, Form, MOST_RECORDS, Mapper, Meaning, Statuses, Types};
use super::row::{Row, Slot, trim};
use crate::domain::capabilities::{Claim, Declared};
use crate::domain::employee::{EmploymentType, Failure, Read, Status};

/// Largest file.
pub(super) const LARGEST: usize = 64 * 1024 * 1024;
/// Largest cell. A larger one is a quote left open that swallowed the lines after it.
const LARGEST_CELL: usize = 4096;

/// Columns that a file may have under these names without being told.
const OWN_NAMES: [Slot; 17] = [
    Slot::EmployeeId,
    Slot::FullName,
    Slot::Email,
    Slot::Status,
    Slot::HireDate,
    Slot::TerminationDate,
    Slot::Department,
    Slot::Title,
    Slot::Location,
    Slot::ManagerEmail,
    Slot::EmploymentType,
    Slot::LegalEntity,
    Slot::Team,
    Slot::LastWorkingDay,
    Slot::ContractEnd,
    Slot::TerminationReason,
    Slot::Phone,
];

/// How a file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFormat {
    /// Header of the column for each slot; a slot that is not named is looked for under its own name.
    pub columns: BTreeMap<Slot, String>,
    /// What each status word means. Empty: `active`, `leave`, `suspended` and `terminated` mean themselves.
    pub statuses: BTreeMap<String, Status>,
    /// What each word for a kind of employment means. Empty: the kinds mean themselves.
    pub types: BTreeMap<String, EmploymentType>,
    /// Reasons of a termination that mean "at once".
    pub urgent_reasons: BTreeSet<String>,
    /// Form of dates, as strptime takes it.
    pub date_format: String,
    /// What the date of an end means.
    pub end_date: EndDate,
    /// The character between cells.
    pub delimiter: char,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self {
            columns: BTreeMap::new(),
            statuses: BTreeMap::new(),
            types: BTreeMap::new(),
            urgent_reasons: BTreeSet::new(),
            date_format: "%Y-%m-%d".to_owned(),
            end_date: EndDate::default(),
            delimiter: ',',
        }
    }
}

impl CsvFormat {
    /// Whether the format can be followed at all.
    ///
    /// # Errors
    /// In words, what stands in the way.
    pub(super) fn check(&self) -> Result<(), String> {
        self.separator()?;
        self.meanings()?;
        self.kinds()?;
        dates::check(&self.date_format)
    }

    fn separator(&self) -> Result<u8, String> {
        u8::try_from(self.delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r'))
            .ok_or_else(|| format!("{:?} cannot stand between cells", self.delimiter))
    }

    fn meanings(&self) -> Result<Statuses, String> {
        let plain = |means| Meaning { means, when_starts_later: None };
        if self.statuses.is_empty() {
            let own = [
                ("active", Status::Active),
                ("leave", Status::Leave),
                ("suspended", Status::Suspended),
                ("terminated", Status::Terminated),
            ];
            return Statuses::new(own.map(|(word, means)| (word.to_owned(), plain(means))));
        }
        Statuses::new(self.statuses.iter().map(|(word, means)| (word.clone(), plain(*means))))
    }

    fn kinds(&self) -> Result<Types, String> {
        if self.types.is_empty() {
            return Types::new(EmploymentType::ALL.map(|kind| (kind.as_str().to_owned(), kind)));
        }
        Types::new(self.types.iter().map(|(word, means)| (word.clone(), *means)))
    }

    /// What its words can say; the rest depends on what is put into the file.
    fn declared(&self) -> Declared {
        let leave = self.statuses.is_empty() || self.statuses.values().any(|status| *status == Status::Leave);
        Declared { leave: if leave { Claim::Yes } else { Claim::No }, ..Declared::default() }
    }
}

/// Reads a whole file. Takes as long as the file is large: not for the thread that answers others.
///
/// # Errors
/// Every way in which the file is not whole or not the one that was described; see `Failure`.
pub(super) fn read(bytes: &[u8], format: &CsvFormat, as_of: Date) -> Result<Read, Failure> {
    let text = decode(bytes)?;
    let wrong = |reason| Failure::WrongFormat(reason);
    let mut lines = Lines::new(text, format.separator().map_err(wrong)?);
    let header = lines.line()?.map(|line| line.cells.iter().map(fold).collect::<Vec<_>>());
    let header = header.ok_or_else(|| Failure::Missing("the file is empty".to_owned()))?;
    let columns = place(&header, &format.columns)?;
    let form = Form {
        offered: columns.iter().map(|(slot, _)| *slot).collect(),
        required: BTreeSet::new(), // the header has shown that the columns are there
        statuses: format.meanings().map_err(wrong)?,
        rules: Vec::new(),
        dates: vec![DateForm::Strptime(format.date_format.clone())],
        end_date: format.end_date,
        types: format.kinds().map_err(wrong)?,
        urgent: format.urgent_reasons.iter().map(|word| word.to_lowercase()).collect(),
        declared: format.declared(),
    };
    let mut mapper = Mapper::new(form, as_of);
    let mut row = Row::default();
    while let Some(Line { number, cells }) = lines.line()? {
        if cells.len() != header.len() {
            let (has, wants) = (cells.len(), header.len());
            return Err(Failure::Truncated(format!("line {number} has {has} cells, the header has {wants}")));
        }
        row.clear();
        for (slot, column) in &columns {
            row.set(*slot, cells.get(*column).unwrap_or_default());
        }
        mapper.take(number, &row)?;
    }
    mapper.finish()
}

/// The file as text.
fn decode(bytes: &[u8]) -> Result<&str, Failure> {
    if bytes.len() > LARGEST {
        return Err(Failure::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
        Failure::WrongFormat(format!("line {line} is not UTF-8"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('<') {
        return Err(Failure::WrongFormat("the file is a web page or other markup, not CSV".to_owned()));
    }
    Ok(text)
}

/// A header as it is compared: without case, surrounding blanks and curled apostrophes.
fn fold(header: &str) -> String {
    let words: Vec<&str> = header.split_whitespace().collect();
    trim(&words.join(" ")).to_lowercase().replace(['\u{2019}', '\u{2018}'], "'")
}

/// Which column serves which slot.
///
/// What is missing is said first and by the names we look for: a file without a header row must not have its first
/// person quoted.
fn place(header: &[String], named: &BTreeMap<Slot, String>) -> Result<Vec<(Slot, usize)>, Failure> {
    let find = |name: &str| header.iter().position(|other| *other == fold(name));
    let mut columns = Vec::new();
    let mut missing = Vec::new();
    let others = named.keys().copied().filter(|slot| !OWN_NAMES.contains(slot));
    for slot in OWN_NAMES.into_iter().chain(others) {
        let name = named.get(&slot).map_or(slot.name(), String::as_str);
        match find(name) {
            Some(column) => columns.push((slot, column)),
            None if named.contains_key(&slot) || matches!(slot, Slot::FullName | Slot::Email) => {
                missing.push(name.to_owned());
            }
            None => {}
        }
    }
    if !missing.is_empty() {
        return Err(Failure::WrongColumns(missing));
    }
    let mut seen = BTreeSet::new();
    let twice: Vec<String> = header
        .iter()
        .filter(|name| !name.is_empty() && !seen.insert(*name))
        .map(|name| format!("{name} (twice)"))
        .collect();
    if twice.is_empty() { Ok(columns) } else { Err(Failure::WrongColumns(twice)) }
}

/// A line that says something. A quoted cell may reach over several lines of the file: `number` is the first.
struct Line<'a> {
    number: usize,
    cells: &'a StringRecord,
}

/// Follows the file, and is read as a line of its own if and only if no quote is open there.
const END: &[u8] = b"\n\x03\n";

/// The lines of a file, one after another, without those that say nothing.
struct Lines<'a> {
    text: &'a str,
    reader: csv::Reader<std::io::Chain<&'a [u8], &'static [u8]>>,
    record: StringRecord,
    taken: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, separator: u8) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true) // the number of cells is compared here, to say the line
            .delimiter(separator)
            .from_reader(text.as_bytes().chain(END));
        Self { text, reader, record: StringRecord::new(), taken: 0 }
    }

    /// The next line, or none at the end of a file that is whole.
    fn line(&mut self) -> Result<Option<Line<'_>>, Failure> {
        loop {
            let start = self.reader.position().clone();
            let more = self.reader.read_record(&mut self.record);
            let number = self.number(&start);
            let more = more.map_err(|_| Failure::WrongFormat(format!("line {number} cannot be read")))?;
            let at_end = self.reader.position().byte() > self.text.len() as u64 + 1;
            if !more || (at_end && self.record.len() == 1 && self.record.get(0) == Some("\u{3}")) {
                return Ok(None);
            }
            if at_end {
                return Err(Failure::Truncated(format!("line {number} opens a quote that is never closed")));
            }
            if self.record.iter().any(|cell| cell.len() > LARGEST_CELL) {
                return Err(Failure::WrongFormat(format!(
                    "line {number} has a cell of more than {LARGEST_CELL} bytes; a quote may have been left open"
                )));
            }
            self.taken += 1;
            if self.taken > MOST_RECORDS + 1 {
                return Err(Failure::TooLarge);
            }
            if self.record.iter().any(|cell| !trim(cell).is_empty()) {
                return Ok(Some(Line { number, cells: &self.record }));
            }
        }
    }

    /// The line on which a record starts, counted from 1: the reader's own place is before the empty lines it skips.
    fn number(&self, start: &csv::Position) -> usize {
        let offset = usize::try_from(start.byte()).unwrap_or(usize::MAX);
        let rest = self.text.as_bytes().get(offset..).unwrap_or_default();
        let skipped =
            rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n').count();
        usize::try_from(start.line()).unwrap_or(usize::MAX).saturating_add(skipped)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::employee::{Field, Manager, Said};

    const TODAY: Date = Date::constant(2026, 3, 2);

    fn parse(file: &str) -> Result<Read, Failure> {
        read(file.as_bytes(), &CsvFormat::default(), TODAY)
    }

    fn emails(read: &Read) -> Vec<&str> {
        read.employees.iter().map(|employee| employee.work_email.as_str()).collect()
    }

    fn columns<const N: usize>(named: [(Slot, &str); N]) -> CsvFormat {
        CsvFormat { columns: named.map(|(slot, name)| (slot, name.to_owned())).into(), ..CsvFormat::default() }
    }

    #[test]
    fn every_field_is_read_under_its_own_name() {
        let read = parse(
            "employeeId,fullName,email,status,hireDate,terminationDate,department,title,location,managerEmail\n\
             7,Ada Example,ada@example.com,Active,2020-01-31,2026-03-31,Engineering,Lead,Madrid,bo@example.com\n",
        );
        let read = read.unwrap();
        let ada = read.employees.first().unwrap();
        assert_eq!(ada.id.0, "7");
        assert_eq!((ada.name.as_str(), ada.work_email.as_str()), ("Ada Example", "ada@example.com"));
        assert_eq!(ada.said, Said::Mapped(Status::Active));
        assert_eq!((ada.start, ada.last_day), (Some(Date::constant(2020, 1, 31)), Some(Date::constant(2026, 3, 31))));
        let kept = [&ada.department, &ada.title, &ada.location].map(|text| text.as_deref().unwrap());
        assert_eq!(kept, ["Engineering", "Lead", "Madrid"]);
        assert!(ada.manager == Some(Manager::Email("bo@example.com".to_owned())));
        assert_eq!(read.offered.len(), 10);
        assert_eq!(read.announced_total, None);
    }

    #[test]
    fn only_name_and_email_are_needed_and_the_source_then_speaks_by_its_dates() {
        let read = parse("fullName,email\nAda Example,ada@example.com\n").unwrap();
        assert_eq!(read.employees.first().unwrap().said, Said::Silent);
        assert_eq!(read.offered, [Field::FullName, Field::Email].into());
    }

    #[test]
    fn headers_are_compared_without_case_blanks_and_curled_apostrophes() {
        let format =
            columns([(Slot::FullName, "Full Name"), (Slot::Email, "E-mail"), (Slot::ManagerEmail, "Manager’s email")]);
        let file =
            "\u{feff} full  NAME ,E-MAIL,manager's Email,Picture URL\nAda Example,ada@example.com,bo@example.com,x\n";
        let read = read(file.as_bytes(), &format, TODAY).unwrap();
        assert_eq!(emails(&read), ["ada@example.com"]);
        assert_eq!(read.offered, [Field::FullName, Field::Email, Field::Manager].into());
    }

    #[test]
    fn columns_that_are_missing_or_stand_there_twice_refuse_the_file() {
        let status = columns([(Slot::Status, "State")]);
        for (format, header, named) in [
            (CsvFormat::default(), "fullName,status", vec!["email"]),
            (CsvFormat::default(), "id;fullName;email", vec!["fullName", "email"]),
            (CsvFormat::default(), "7,Ada Example,ada@example.com", vec!["fullName", "email"]),
            (CsvFormat::default(), "7,Ada,Ada", vec!["fullName", "email"]),
            (status.clone(), "fullName,email,status", vec!["State"]),
            (status, "fullName,email,state", vec![]),
            (CsvFormat::default(), "fullName,email,Email", vec!["email (twice)"]),
            (CsvFormat::default(), "fullName,email,team,TEAM", vec!["team (twice)"]),
            (CsvFormat::default(), "fullName,email,,", vec![]),
            (columns([(Slot::ManagerId, "boss")]), "fullName,email", vec!["boss"]),
            (columns([(Slot::ManagerId, "boss")]), "fullName,email,Boss", vec![]),
        ] {
            let wrong = match read(header.as_bytes(), &format, TODAY) {
                Err(Failure::WrongColumns(wrong)) => wrong,
                other => other.map(|_| vec![]).unwrap(),
            };
            assert_eq!(wrong, named, "{header}");
        }
    }

    #[test]
    fn what_is_no_whole_csv_file_is_refused_and_the_line_named() {
        let head = "fullName,email,status\nAda Example,ada@example.com,active\n";
        let long = "x".repeat(LARGEST_CELL + 1);
        for (file, failure) in [
            (String::new(), Failure::Missing("the file is empty".into())),
            ("\u{feff}\r\n \n,,\n".into(), Failure::Missing("the file is empty".into())),
            (
                "\n <!DOCTYPE html><html>".into(),
                Failure::WrongFormat("the file is a web page or other markup, not CSV".into()),
            ),
            (format!("{head}Bo Example,bo@ex"), Failure::Truncated("line 3 has 2 cells, the header has 3".into())),
            (format!("{head}Bo Example"), Failure::Truncated("line 3 has 1 cells, the header has 3".into())),
            (
                format!("{head}\r\n\r\nBo,bo@example.com,active,x"),
                Failure::Truncated("line 5 has 4 cells, the header has 3".into()),
            ),
            (
                format!("{head}Bo,bo@example.com,\"act"),
                Failure::Truncated("line 3 opens a quote that is never closed".into()),
            ),
            (
                format!("{head}Bo,bo@example.com,\""),
                Failure::Truncated("line 3 opens a quote that is never closed".into()),
            ),
            (
                format!("{head}\"Bo,bo@example.com,active\nCy,cy@example.com,active\n"),
                Failure::Truncated("line 3 opens a quote that is never closed".into()),
            ),
            (
                format!("{head}{long},bo@example.com,active\n"),
                Failure::WrongFormat(
                    "line 3 has a cell of more than 4096 bytes; a quote may have been left open".into(),
                ),
            ),
        ] {
            assert_eq!(parse(&file).map(|_| ()), Err(failure), "{file:.80}");
        }
    }

    #[test]
    fn another_encoding_is_refused_and_the_line_named() {
        let latin1 = b"fullName,email\nJos\xe9 Example,jose@example.com\n";
        let utf16 = b"\xff\xfef\0u\0l\0l\0";
        for (bytes, line) in [(latin1.as_slice(), 2), (utf16.as_slice(), 1)] {
            let failure = read(bytes, &CsvFormat::default(), TODAY).map(|_| ());
            assert_eq!(failure, Err(Failure::WrongFormat(format!("line {line} is not UTF-8"))));
        }
    }

    #[test]
    fn a_file_above_the_bound_is_refused_before_it_is_read() {
        let bytes = vec![b'\n'; LARGEST + 1];
        assert_eq!(read(&bytes, &CsvFormat::default(), TODAY).map(|_| ()), Err(Failure::TooLarge));
    }

    #[test]
    fn whole_files_are_read_however_their_lines_end() {
        for file in [
            "fullName,email\nAda,ada@example.com\nBo,bo@example.com",
            "fullName,email\nAda,ada@example.com\nBo,bo@example.com\n",
            "fullName,email\r\nAda,ada@example.com\r\nBo,bo@example.com\r\n",
            "fullName,email\r\nAda,ada@example.com\r\nBo,bo@example.com\r",
            "\nfullName,email\n\nAda,ada@example.com\n , \n   \nBo,bo@example.com\n\n\n,\n",
            "fullName,email\n\"Ada\",\"ada@example.com\"\n\"Bo\",\"bo@example.com\"",
        ] {
            assert_eq!(emails(&parse(file).unwrap()), ["ada@example.com", "bo@example.com"], "{file:?}");
        }
    }

    #[test]
    fn a_header_alone_is_an_answer_with_nobody_in_it() {
        for file in ["fullName,email", "fullName,email\n"] {
            let read = parse(file).unwrap();
            assert!(read.employees.is_empty() && read.bad.is_empty());
        }
    }

    #[test]
    fn a_quoted_cell_may_hold_the_delimiter_quotes_and_line_ends() {
        let file = "fullName;email;note\n\"Example; Ada \"\"A\"\"\";ada@example.com;\"two\nlines\"\nBo;bo;\n";
        let format = CsvFormat { delimiter: ';', ..CsvFormat::default() };
        let read = read(file.as_bytes(), &format, TODAY).unwrap();
        assert_eq!(read.employees.first().unwrap().name, "Example; Ada \"A\"");
        assert_eq!(read.bad.first().unwrap().position, 4); // the line of the file, not the number of the record
    }

    #[test]
    fn formats_that_cannot_be_followed_are_refused_beforehand() {
        let words = |words: &[(&str, Status)]| words.iter().map(|(word, means)| ((*word).to_owned(), *means)).collect();
        for (format, fits) in [
            (CsvFormat::default(), true),
            (CsvFormat { date_format: "%d/%m/%Y".into(), ..CsvFormat::default() }, true),
            (CsvFormat { date_format: "%d.%m.%y".into(), ..CsvFormat::default() }, true),
            (CsvFormat { date_format: "%d/%m".into(), ..CsvFormat::default() }, false),
            (CsvFormat { date_format: "dd/mm/yyyy".into(), ..CsvFormat::default() }, false),
            (CsvFormat { date_format: "%Q".into(), ..CsvFormat::default() }, false),
            (CsvFormat { date_format: "%Y-%m-%d %H:%M %Z".into(), ..CsvFormat::default() }, false),
            (CsvFormat { delimiter: '\t', ..CsvFormat::default() }, true),
            (CsvFormat { delimiter: '"', ..CsvFormat::default() }, false),
            (CsvFormat { delimiter: '→', ..CsvFormat::default() }, false),
            (
                CsvFormat {
                    statuses: words(&[("Gone", Status::Terminated), (" GONE", Status::Terminated)]),
                    ..CsvFormat::default()
                },
                true,
            ),
            (
                CsvFormat {
                    statuses: words(&[("Gone", Status::Terminated), ("gone", Status::Leave)]),
                    ..CsvFormat::default()
                },
                false,
            ),
        ] {
            assert_eq!(format.check().is_ok(), fits, "{format:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_bring_it_down(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes, &CsvFormat::default(), TODAY);
        }

        #[test]
        fn no_cells_bring_it_down(cells in "(([a-z@,;\"\n\r\u{3} ]|[0-9]{4}-[0-9]{2}-[0-9]{2}){0,40}\n){0,6}") {
            let _ = parse(&format!("employeeId,fullName,email,status,hireDate,terminationDate\n{cells}"));
        }

        /// Every person of a file that is cut anywhere is a person of the whole file, or the one at the cut.
        #[test]
        fn half_a_file_invents_nobody(cut in 0_usize..200) {
            let whole = "employeeId,fullName,email,status\n1,\"Ada\nA\",ada@example.com,active\n\
                         2,\"Bo \"\"B\"\"\",bo@example.com,terminated\n3,Cy,cy@example.com,active\n";
            let all: Vec<String> = parse(whole).unwrap().employees.iter().map(|e| e.id.0.clone()).collect();
            let half = whole.get(..cut.min(whole.len())).unwrap();
            if let Ok(read) = parse(half) {
                let some: Vec<String> = read.employees.iter().map(|e| e.id.0.clone()).collect();
                prop_assert!(all.starts_with(&some));
            }
        }
    }
}
