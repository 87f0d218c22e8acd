//! A CSV file of people, with a header row.
//!
//! Strict where half a file could pass for a whole one: a line with another number of cells, or a quote that is never
//! closed, refuses the file. Errors name lines and headers, never a cell.

mod dialect;
mod headers;
mod quotes;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use csv::StringRecord;
use jiff::civil::Date;

pub use self::dialect::{Escape, Quote};
use self::headers::{MAX_COLUMNS, fold, names, place, unread};
pub use self::text::Encoding;
use super::dates::{self, DateForm};
use super::engine::{Purpose, Reading};
use super::kind;
use super::mapping::{Accounts, EndDate, Form, MOST_RECORDS, Mapper, Meaning, Statuses, Types, scientific};
use super::row::{Row, Slot, trim};
use domain::account::Fact;
use domain::capabilities::{Claim, Declared};
use domain::employee::{Employee, EmploymentType, Failure, Read, ReportedStatus, Status, Text};
use domain::field::CustomName;
use domain::needs::Needs;
use domain::quote::quoted;

/// Largest file.
pub(super) const LARGEST: usize = 64 * 1024 * 1024;
/// Largest cell. A larger one is a quote left open that swallowed the lines after it.
const LARGEST_CELL: usize = 4096;

/// How a file is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFormat {
    /// Header of the column for each slot; a slot that is not named is looked for under its own name.
    pub columns: BTreeMap<Slot, String>,
    /// Headers of the columns that make a full name together; empty where one column has it.
    pub name_parts: Vec<String>,
    /// Headers of the columns of fields of the customer's own.
    pub custom: BTreeMap<CustomName, String>,
    /// What is read of it; everything where nothing is said.
    pub needs: Option<Needs>,
    /// Words that stand for nothing, compared without case. A name is never one of them.
    pub none: BTreeSet<String>,
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
    /// The character between cells; none: the one that stands between the headers.
    pub delimiter: Option<char>,
    /// What stands around cells that hold it.
    pub quote: Quote,
    /// How a quote stands inside them.
    pub escape: Escape,
    /// What the file may be written in.
    pub encoding: Encoding,
}

impl Default for CsvFormat {
    fn default() -> Self {
        Self {
            columns: BTreeMap::new(),
            name_parts: Vec::new(),
            custom: BTreeMap::new(),
            needs: None,
            none: BTreeSet::new(),
            statuses: BTreeMap::new(),
            types: BTreeMap::new(),
            urgent_reasons: BTreeSet::new(),
            date_format: "%Y-%m-%d".to_owned(),
            end_date: EndDate::default(),
            delimiter: None,
            quote: Quote::default(),
            escape: Escape::default(),
            encoding: Encoding::default(),
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

    /// What is read of a file, by its headers. A column that the connection does not name is found by its own name, or an
    /// alias of it.
    #[must_use]
    pub fn readings(&self, file: &str) -> BTreeSet<Reading> {
        let one = |path: &str, purpose| Reading { request: file.to_owned(), path: path.to_owned(), purpose };
        let needed = |slot: &Slot| self.needs.as_ref().is_none_or(|needs| needs.slot(*slot));
        let found = |slot: &Slot| {
            (*slot != Slot::FullName || self.name_parts.is_empty()) && headers::looked_for(*slot, &self.columns)
        };
        let slots = Slot::ALL.iter().copied().filter(needed).filter(found);
        let slots =
            slots.map(|slot| one(self.columns.get(&slot).map_or(slot.name(), String::as_str), Purpose::Field(slot)));
        let parts = self.name_parts.iter().map(|header| one(header, Purpose::Field(Slot::FullName)));
        let custom = self.custom.iter().filter(|(name, _)| self.needs.as_ref().is_none_or(|needs| needs.custom(name)));
        let custom = custom.map(|(name, header)| one(header, Purpose::Custom(name.clone())));
        slots.chain(parts).chain(custom).collect()
    }

    fn separator(&self) -> Result<Option<u8>, String> {
        let Some(delimiter) = self.delimiter else { return Ok(None) };
        let byte = u8::try_from(delimiter).ok();
        let byte = byte.filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\'' | b'\\' | b'\n' | b'\r'));
        byte.map(Some).ok_or_else(|| format!("{} cannot stand between cells", quoted(&delimiter.to_string())))
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
    if bytes.len() > LARGEST {
        return Err(Failure::TooLarge);
    }
    if let Some(seen) = kind::of_bytes(bytes) {
        return Err(Failure::WrongFormat(format!("the file is {seen}, not CSV")));
    }
    let decoded = text::decode(bytes, format.encoding)?;
    let text = decoded.text.as_ref();
    if let Some(seen) = kind::of_text(text) {
        return Err(Failure::WrongFormat(format!("the file is {seen}, not CSV")));
    }
    let wrong = |reason| Failure::WrongFormat(reason);
    let separator = match format.separator().map_err(wrong)? {
        Some(separator) => separator,
        None => dialect::sniff(text, format.quote, format.escape).map_err(wrong)?,
    };
    let mut lines = Lines::new(text, separator, format);
    let header = lines.line()?.map(|line| line.cells.iter().map(fold).collect::<Vec<_>>());
    let header = header.ok_or_else(|| Failure::Missing("the file is empty".to_owned()))?;
    if header.len() > MAX_COLUMNS {
        return Err(Failure::WrongFormat(format!("the header has more than {MAX_COLUMNS} columns")));
    }
    let placed = place(&header, format)?;
    let (columns, custom) = (placed.read, placed.custom);
    let none: BTreeSet<String> = format.none.iter().map(|word| trim(word).to_lowercase()).collect();
    let asked = |fact: Fact| format.needs.as_ref().is_none_or(|needs| needs.slot(fact.slot()));
    let form = Form {
        accounts: Accounts::of(&placed.offered, asked, BTreeMap::new()),
        offered: placed.offered,
        required: BTreeSet::new(), // the header has shown that the columns are there
        statuses: format.meanings().map_err(wrong)?,
        rules: Vec::new(),
        dates: vec![DateForm::try_from(format.date_format.clone()).map_err(wrong)?],
        names: names(&header, &columns),
        end_date: format.end_date,
        types: format.kinds().map_err(wrong)?,
        urgent: format.urgent_reasons.iter().map(|word| word.to_lowercase()).collect(),
        declared: format.declared(),
        custom: custom.iter().enumerate().map(|(at, (name, _))| (name.clone(), Slot::COUNT + at)).collect(),
    };
    let mut mapper = Mapper::new(form, as_of);
    let mut row = Row::with(custom.len());
    while let Some(Line { number, cells, open }) = lines.line()? {
        if cells.len() != header.len() {
            let (has, wants) = (cells.len(), header.len());
            return Err(Failure::Truncated(format!("line {number} has {has} cells, the header has {wants}")));
        }
        row.clear();
        for (slot, column) in &columns {
            let cell = cells.get(*column).unwrap_or_default();
            if *slot == Slot::EmployeeId && damaged(trim(cell)) {
                return Err(Failure::WrongFormat(format!(
                    "line {number} has an id that a spreadsheet made another text of; export it again, as text"
                )));
            }
            if *slot == Slot::FullName {
                row.append(*slot, cell);
            } else if none.is_empty() || !none.contains(&trim(cell).to_lowercase()) {
                row.set(*slot, cell);
            }
        }
        for (at, (_, column)) in custom.iter().enumerate() {
            row.put(Slot::COUNT + at, cells.get(*column));
        }
        let last = columns.iter().find(|(_, column)| open && column + 1 == header.len());
        match last.filter(|(slot, _)| may_be_cut(*slot, &row, &mapper)) {
            Some((slot, _)) => mapper.set_aside(number, format!("{} {CUT}", slot.name())),
            None => mapper.take(number, &row)?,
        }
    }
    let mut read = mapper.finish()?;
    let (mut people, works) =
        (read.employees.iter(), |one: &&Employee| one.reported_status != ReportedStatus::Mapped(Status::Terminated));
    if people.clone().any(|one| works(&one)) && people.all(|one| one.work_email.is_empty()) {
        return Err(Failure::WrongColumns(vec!["email (empty for everybody)".to_owned()]));
    }
    read.remarks.extend(decoded.remark.into_iter().chain(unread(&header, &columns, &custom)));
    Ok(read)
}

/// Why a record is set aside at the end of a file.
const CUT: &str = "is the last cell of a file that ends without the line end of its other lines, and may be cut off";

/// Whether the cell with which a file ends, in a line without a line end, can be what is left of a longer one that would
/// mean something else. A date cannot: one that lost its end has no form. Nor can what others have too.
fn may_be_cut(slot: Slot, row: &Row, mapper: &Mapper) -> bool {
    let Ok(Some(text)) = row.get(slot) else { return false };
    let others = mapper.employees();
    let domain = |address: &str| address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
    match slot {
        Slot::EmployeeId | Slot::ManagerId => true,
        Slot::Email => !others.iter().any(|other| domain(&other.work_email) == domain(text)),
        Slot::Location => !others.iter().any(|other| other.text(Text::Location) == Some(text)),
        Slot::Status => mapper.begins_another(text),
        _ => false, // decides nothing about whose access ends
    }
}

/// Whether an id is what a spreadsheet left of it: a power of ten (`1.23E+05`), which may be that of several people,
/// or the word for a cell that could not be computed. Zeros it lost cannot be seen; other ids are other people, and
/// hold.
fn damaged(id: &str) -> bool {
    scientific(id)
        || matches!(id, "#REF!" | "#N/A" | "#NAME?" | "#VALUE!" | "#DIV/0!" | "#NUM!" | "#NULL!")
        || (id.len() > 1 && id.bytes().all(|byte| byte == b'#'))
}

/// A line that says something. A quoted cell may reach over several lines of the file: `number` is the first.
struct Line<'a> {
    number: usize,
    cells: &'a StringRecord,
    /// Whether the file ends in it, without a line end and without a quote that closed.
    open: bool,
}

/// Follows the file, and is read as a line of its own if and only if no quote is open there.
const END: &[u8] = b"\n\x03\n";

/// The lines of a file, one after another, without those that say nothing.
struct Lines<'a> {
    text: &'a str,
    reader: csv::Reader<std::io::Chain<&'a [u8], &'static [u8]>>,
    record: StringRecord,
    taken: usize,
    separator: u8,
    quotes: (Quote, Escape),
    /// How many separators the header has, once it was read.
    separators: Option<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, separator: u8, format: &CsvFormat) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true) // the number of cells is compared here, to say the line
            .delimiter(separator)
            .quote(format.quote.byte())
            .double_quote(format.escape == Escape::Doubled)
            .escape((format.escape == Escape::Backslash).then_some(b'\\'))
            .from_reader(text.as_bytes().chain(END));
        let quotes = (format.quote, format.escape);
        Self { text, reader, record: StringRecord::new(), taken: 0, separator, quotes, separators: None }
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
            let raw = self.raw(&start);
            self.quoted_well(raw, number)?;
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
                let open = self.reader.position().byte() > self.text.len() as u64
                    && !raw.ends_with(['\n', '\r', char::from(self.quotes.0.byte())]);
                return Ok(Some(Line { number, cells: &self.record, open }));
            }
        }
    }

    /// The record that was read last, as it stands in the file.
    fn raw(&self, start: &csv::Position) -> &'a str {
        let place = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        self.text.get(place(start.byte())..place(self.reader.position().byte())).unwrap_or_default()
    }

    /// Refuses a record whose quotes show that the file was written by somebody who does not quote.
    fn quoted_well(&mut self, raw: &str, number: usize) -> Result<(), Failure> {
        let separators = *self.separators.get_or_insert(self.record.len().saturating_sub(1));
        match quotes::sign(raw, self.separator, self.quotes, separators) {
            None => Ok(()),
            Some(quotes::Sign::Behind) => Err(Failure::WrongFormat(format!(
                "line {number} has text behind a quote that closed: the file was written without quoting, and rows may be swallowed"
            ))),
            Some(quotes::Sign::Swallowed(lines)) => Err(Failure::WrongFormat(format!(
                "line {number} has a quoted cell that reaches over line {}, which has as many separators as the header: a quote in a text has swallowed rows",
                number.saturating_add(lines)
            ))),
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
mod tests;
