//! Writes people of a company as the records of their shape.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::fmt::strtime;
use serde_json::Value as Json;

use super::company::{Company, Moment, Person};
use super::solver::{Hole, InverseDefinition, Shape, Solved, key};
use domain::employee::{Status, Text};
use hris::dates::DateForm;
use hris::definition::Definition;
use hris::mapping::EndDate;
use hris::row::Slot;

/// The records of a shape, ready to be filled.
pub(crate) struct Template {
    /// The list of people they are on.
    pub(crate) list: usize,
    /// What a detail is asked about, in the order of their names.
    pub(crate) asked: Vec<Hole>,
    records: Vec<Vec<Piece>>,
}

enum Piece {
    Text(String),
    Hole(Hole),
}

/// Writes records, and keeps the shapes it knows.
pub(crate) struct Renderer {
    definition: Definition,
    company: Company,
    backwards: InverseDefinition,
    known: HashMap<Shape, Option<Arc<Template>>>,
    /// What the definition cannot say of people there are.
    unsaid: BTreeSet<String>,
}

impl Renderer {
    /// # Errors
    /// The place of the definition that cannot be followed backwards.
    pub(crate) fn new(definition: Definition, company: Company) -> Result<Self, String> {
        let backwards = InverseDefinition::new(&definition)?;
        Ok(Self { definition, company, backwards, known: HashMap::new(), unsaid: BTreeSet::new() })
    }

    /// The records of somebody; none, where the source does not list such people.
    ///
    /// # Errors
    /// What of the definition cannot be followed backwards.
    pub(crate) fn template(&mut self, person: &Person, moment: &Moment) -> Result<Option<Arc<Template>>, String> {
        let lists = self.definition.people.len();
        let shape = Shape {
            status: person.status,
            later: person.start >= moment.today,
            ends: person.last_day.is_some(),
            contract: person.contract_end.is_some(),
            managed: person.manager.is_some(),
            urgent: person.urgent && person.status == Status::Terminated,
            kind: person.kind,
            turn: person.number % lists.max(1),
        };
        if let Some(known) = self.known.get(&shape) {
            return Ok(known.clone());
        }
        let solved = self.backwards.solve(shape)?;
        self.unsaid.extend(unsaid(shape, solved.as_ref()));
        let template = solved.map(|solved| Arc::new(Template::new(solved)));
        self.known.insert(shape, template.clone());
        Ok(template)
    }

    /// What the definition cannot say of the people that were written.
    pub(crate) fn unsaid(&self) -> impl Iterator<Item = &str> {
        self.unsaid.iter().map(String::as_str)
    }

    /// Writes one of somebody's records: their own, or that of a join or detail.
    pub(crate) fn write(&self, person: &Person, template: &Template, record: usize, into: &mut String) {
        for piece in template.records.get(record).into_iter().flatten() {
            match piece {
                Piece::Text(text) => into.push_str(text),
                Piece::Hole(hole) => self.fill(person, *hole, into),
            }
        }
    }

    /// What stands in a hole, as plain text.
    pub(crate) fn text(&self, person: &Person, hole: Hole) -> String {
        let slot = match hole {
            Hole::First => return person.first.to_owned(),
            Hole::Last => return person.last.to_owned(),
            Hole::Key(slot) => return key(&self.text(person, Hole::Text(slot))),
            Hole::Text(slot) => slot,
        };
        let day = |day: Option<Date>| day.map(|day| self.day(day)).unwrap_or_default();
        match slot {
            Slot::EmployeeId => Company::id(person.number),
            Slot::FullName => format!("{} {}", person.first, person.last),
            Slot::Email => self.company.email(person.number),
            Slot::HireDate => self.day(person.start),
            Slot::TerminationDate => day(person.last_day.map(|day| match self.definition.end_date_means {
                Some(EndDate::FirstDayOut) => day.tomorrow().unwrap_or(day),
                _ => day,
            })),
            Slot::LastWorkingDay => day(person.last_day),
            Slot::ContractEnd => day(person.contract_end),
            Slot::ManagerId => person.manager.map(Company::id).unwrap_or_default(),
            Slot::ManagerEmail => person.manager.map(|manager| self.company.email(manager)).unwrap_or_default(),
            // Words, which are written with the shape.
            Slot::Status | Slot::EmploymentType | Slot::TerminationReason => String::new(),
            plain => {
                let text = Text::ALL.iter().find(|text| text.slot() == plain);
                text.map(|text| person.text(*text)).unwrap_or_default()
            }
        }
    }

    /// A day in the first form the definition knows.
    fn day(&self, day: Date) -> String {
        let since = day.duration_since(Date::constant(1970, 1, 1)).as_secs();
        match self.definition.dates.first() {
            None | Some(DateForm::Iso) => day.to_string(),
            Some(DateForm::EpochSeconds) => since.to_string(),
            Some(DateForm::EpochMilliseconds) => (since * 1000).to_string(),
            Some(DateForm::JsonDate) => format!("/Date({})/", since * 1000),
            Some(DateForm::Strptime(form)) => strtime::format(form.as_str(), day).unwrap_or_default(),
        }
    }

    fn fill(&self, person: &Person, hole: Hole, into: &mut String) {
        let text = self.text(person, hole);
        let numbers = [DateForm::EpochSeconds, DateForm::EpochMilliseconds];
        let dated = [Slot::HireDate, Slot::TerminationDate, Slot::LastWorkingDay, Slot::ContractEnd];
        let number = self.definition.dates.first().is_some_and(|form| numbers.contains(form));
        match hole {
            Hole::Text(slot) if number && dated.contains(&slot) => into.push_str(&text),
            _ => {
                let _ = write!(into, "{}", Json::from(text)); // a String takes everything
            }
        }
    }
}

/// What of a shape is not said, in words.
fn unsaid(shape: Shape, solved: Option<&Solved>) -> Vec<String> {
    let status = match shape.status {
        Status::Active if shape.ends => "people under notice",
        Status::Active => "people who work there",
        Status::Leave => "people on leave",
        Status::Suspended => "suspended people",
        Status::Terminated => "people who left",
    };
    let Some(solved) = solved else { return vec![format!("{status} are not listed")] };
    let said = solved
        .said
        .filter(|said| *said != shape.status)
        .map(|said| format!("{status} are listed as {}", said.as_str()));
    let open = solved.open.iter().map(|slot| format!("{} is not said of everybody", slot.name()));
    said.into_iter().chain(open).collect()
}

impl Template {
    fn new(solved: Solved) -> Self {
        let Solved { list, records, asked, .. } = solved;
        Self { list, asked, records: records.iter().map(|record| pieces(&record.to_string())).collect() }
    }
}

/// A record in pieces, at its holes.
fn pieces(record: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = record;
    while let Some((before, after)) = rest.split_once("\"\u{e000}")
        && let Some((number, after)) = after.split_once("\u{e001}\"")
    {
        pieces.push(Piece::Text(before.to_owned()));
        pieces.extend(Hole::of(&format!("\u{e000}{number}\u{e001}")).map(Piece::Hole));
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces
}
