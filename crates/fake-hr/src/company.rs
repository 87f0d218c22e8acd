//! An invented company: who works in it, who will, who did, and what changes as its days pass.
//!
//! Nothing is kept: a person is a function of the seed, their number and the moment, so that a hundred thousand of them
//! take no memory, and a test that failed is made again from its seed.
//!
//! A day of the company is not a day of the calendar: its readers have a calendar that cannot be sped up. What
//! happens on any of its days is dated on the day the company began: a hire starts then, and a leaver's last day was the
//! day before. What lies ahead (a future hire, a leaver under notice) happens when the calendar gets there.

mod names;

use std::collections::BTreeSet;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};

use self::names::{DEPARTMENTS, FIRST, LAST, LEGAL_ENTITIES, LOCATIONS, names, pick};
pub(crate) use self::names::{departments, legal_entities, locations, teams, titles};
use domain::employee::{EmploymentType, Status, Text};
use domain::quote::quoted;

/// A company, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Company {
    /// Two companies with the same seed are the same company.
    pub seed: u64,
    /// How many people are in it on its first day, those who left and those who will start included.
    pub people: usize,
    /// What happens.
    pub scenario: Scenario,
    /// The day it began.
    pub first: Date,
}

/// What happens to a company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scenario {
    /// A few are hired, move, go on leave and leave, day by day.
    #[default]
    Quiet,
    /// As `Quiet`, with many hires.
    Growth,
    /// After the first day, or the first whole answer, a tenth of the people leaves at once.
    Layoff,
    /// … one person leaves.
    Leaver,
    /// … one person leaves, and is back the day after, or in the answer after.
    Rehire,
    /// … the answer names nobody.
    Empty,
    /// … a third of the people is not in the answer.
    Shrunk,
}

impl Scenario {
    /// All there are.
    pub const ALL: [Self; 7] =
        [Self::Quiet, Self::Growth, Self::Layoff, Self::Leaver, Self::Rehire, Self::Empty, Self::Shrunk];

    /// Whether something happens after a whole answer, and not only as days pass.
    pub(crate) const fn comes_with_answers(self) -> bool {
        !matches!(self, Self::Quiet | Self::Growth)
    }

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Growth => "growth",
            Self::Layoff => "layoff",
            Self::Leaver => "leaver",
            Self::Rehire => "rehire",
            Self::Empty => "empty",
            Self::Shrunk => "shrunk",
        }
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::as_str).join(", ");
        let found = Self::ALL.into_iter().find(|scenario| scenario.as_str() == word);
        found.ok_or_else(|| format!("there is no scenario {}; there are: {names}", quoted(word)))
    }
}

/// When a company is looked at.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The calendar's day.
    pub today: Date,
    /// How many of the company's days have passed.
    pub day: u32,
    /// How many whole answers were given.
    pub answers: u32,
    /// Who was made to leave by name.
    pub made_to_leave: BTreeSet<usize>,
}

/// Somebody of the company.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their number, from 0.
    pub number: usize,
    /// First name, as it is written.
    pub first: &'static str,
    /// Last name.
    pub last: &'static str,
    /// What the company's own records say of them today.
    pub status: Status,
    /// First day.
    pub start: Date,
    /// Last day, had or announced.
    pub last_day: Option<Date>,
    /// Planned end of a contract.
    pub contract_end: Option<Date>,
    /// They had to go at once.
    pub urgent: bool,
    /// Kind of employment.
    pub kind: EmploymentType,
    /// Department.
    pub department: usize,
    /// Number of the manager.
    pub manager: Option<usize>,
    /// A number of theirs that decides what is of no consequence.
    salt: u64,
}

/// How somebody stands on the company's first day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Situation {
    Works,
    OnLeave,
    Suspended,
    Left,
    Leaving,
    Future,
}

/// How many report to one manager.
const REPORTS: usize = 7;
/// Numbers in ids begin here.
const FIRST_ID: usize = 10_001;

impl Company {
    /// Who can be in an answer: this many numbers are given out.
    #[must_use]
    pub fn numbers(&self, moment: &Moment) -> usize {
        let hired = match self.scenario {
            Scenario::Quiet => self.people.saturating_mul(moment.day as usize) / 500,
            Scenario::Growth => self.people.saturating_mul(moment.day as usize) / 50,
            _ => 0,
        };
        self.people + hired
    }

    /// Somebody, as the company knows them at a moment; nobody, where they are not in its answer.
    #[must_use]
    pub fn person(&self, number: usize, moment: &Moment) -> Option<Person> {
        let turned = moment.day.max(moment.answers);
        let kept = match self.scenario {
            Scenario::Empty => turned == 0,
            Scenario::Shrunk => turned == 0 || number % 3 != 1,
            _ => true,
        };
        (kept && number < self.numbers(moment)).then(|| self.at(number, moment, turned))
    }

    /// The one who leaves in the scenarios `leaver` and `rehire`: nobody's manager.
    #[must_use]
    pub fn leaver(&self) -> usize {
        (0..self.people).rev().find(|number| situation(*number) == Situation::Works).unwrap_or_default()
    }

    fn at(&self, number: usize, moment: &Moment, turned: u32) -> Person {
        let salt = mixed(self.seed, number as u64);
        let days = |of: u64, least: u64, most: u64| days(least + mixed(salt, of) % (most - least + 1));
        let situation = if number < self.people { situation(number) } else { Situation::Works };
        let before = self.first.saturating_sub(1.day());
        let kind = kind(number);
        let (first, last) = names(self.seed, number);
        let mut person = Person {
            number,
            first: first.0,
            last: last.0,
            status: Status::Active,
            start: if number < self.people { before.saturating_sub(days(1, 30, 4000)) } else { self.first },
            last_day: None,
            contract_end: None,
            urgent: false,
            kind,
            department: mixed(salt, 2) as usize % DEPARTMENTS.len(),
            manager: self.manager(number),
            salt,
        };
        match situation {
            Situation::Works => {}
            Situation::OnLeave => person.status = Status::Leave,
            Situation::Suspended => person.status = Status::Suspended,
            Situation::Future => person.start = self.first.saturating_add(days(3, 20, 90)),
            Situation::Leaving => person.last_day = Some(self.first.saturating_add(days(3, 20, 90))),
            Situation::Left => {
                let last = before.saturating_sub(days(3, 0, 400));
                person.start = last.saturating_sub(days(1, 30, 4000));
                person.last_day = Some(last);
                person.urgent = number.is_multiple_of(2);
            }
        }
        if kind == EmploymentType::Contractor || kind == EmploymentType::Temporary {
            person.contract_end =
                person.last_day.or_else(|| Some(self.first.max(person.start).saturating_add(days(4, 100, 400))));
        }
        let made = moment.made_to_leave.contains(&number) && situation != Situation::Left;
        if made || (situation == Situation::Works && self.live(&mut person, moment, turned)) {
            // Whoever starts on the first day, or later, is gone before it.
            person.start = person.start.min(before);
            person.last_day = Some(before);
            person.contract_end = person.contract_end.map(|_| before);
        }
        if person.last_day.is_some_and(|day| day < moment.today) {
            person.status = Status::Terminated;
        }
        person
    }

    /// What the company's days do to somebody who works there; whether they leave.
    fn live(&self, person: &mut Person, moment: &Moment, turned: u32) -> bool {
        let leaver = person.number == self.leaver();
        match self.scenario {
            Scenario::Quiet | Scenario::Growth => {
                let on = |of: u64, within: u64| 1 + mixed(person.salt, of) % within;
                let day = u64::from(moment.day);
                let away = on(11, 400);
                if (away..away + 20).contains(&day) {
                    person.status = Status::Leave;
                }
                if day >= on(12, 600) {
                    person.department = (person.department + 1) % DEPARTMENTS.len();
                }
                person.number != 0 && day >= on(10, 1000) // the one at the top stays
            }
            Scenario::Layoff => turned >= 1 && person.number % 10 == 1,
            Scenario::Rehire if leaver && turned >= 2 => {
                person.start = self.first;
                false
            }
            Scenario::Leaver | Scenario::Rehire => leaver && turned >= 1,
            Scenario::Empty | Scenario::Shrunk => false,
        }
    }

    /// A manager stays one for as long as there is a company: somebody whose manager has left is not a leaver.
    fn manager(&self, number: usize) -> Option<usize> {
        let mut above = number.checked_sub(1)? / REPORTS;
        while above > 0 && situation(above) != Situation::Works {
            above = (above - 1) / REPORTS;
        }
        Some(above)
    }

    /// The work address of a number.
    #[must_use]
    pub fn email(&self, number: usize) -> String {
        let ((_, first), (_, last)) = names(self.seed, number);
        match number / (FIRST.len() * LAST.len()) {
            0 => format!("{first}.{last}@example.com"),
            again => format!("{first}.{last}.{again}@example.com"),
        }
    }

    /// The id of a number.
    #[must_use]
    pub fn id(number: usize) -> String {
        (FIRST_ID + number).to_string()
    }

    /// The number of an id.
    #[must_use]
    pub fn number(id: &str) -> Option<usize> {
        id.parse::<usize>().ok()?.checked_sub(FIRST_ID)
    }
}

impl Person {
    /// The same person in an employment that ended before this one began.
    pub(crate) fn before(&self) -> Self {
        let last = self.start.saturating_sub(days(30 + self.salt % 300));
        let start = last.saturating_sub(days(365));
        let contract_end = Some(last);
        Self { status: Status::Terminated, start, last_day: Some(last), contract_end, urgent: false, ..self.clone() }
    }

    /// Department.
    #[must_use]
    pub fn department(&self) -> &'static str {
        DEPARTMENTS.get(self.department).map_or("", |(name, ..)| name)
    }

    /// Team within the department.
    #[must_use]
    pub fn team(&self) -> &'static str {
        DEPARTMENTS.get(self.department).map_or("", |(_, teams, _)| pick(teams, mixed(self.salt, 5)))
    }

    /// Job title.
    #[must_use]
    pub fn title(&self) -> &'static str {
        if self.number == 0 {
            return "Chief Executive";
        }
        DEPARTMENTS.get(self.department).map_or("", |(.., titles)| pick(titles, mixed(self.salt, 6)))
    }

    /// Location.
    #[must_use]
    pub fn location(&self) -> &'static str {
        pick(&LOCATIONS, mixed(self.salt, 7))
    }

    /// The company that employs them.
    #[must_use]
    pub fn legal_entity(&self) -> &'static str {
        pick(&LEGAL_ENTITIES, mixed(self.salt, 8))
    }

    /// A plain text of theirs.
    #[must_use]
    pub fn text(&self, text: Text) -> String {
        match text {
            Text::Department => self.department().to_owned(),
            Text::Title => self.title().to_owned(),
            Text::Location => self.location().to_owned(),
            Text::LegalEntity => self.legal_entity().to_owned(),
            Text::Team => self.team().to_owned(),
            Text::CostCenter => format!("CC-{}", self.department),
            Text::Phone => self.phone(),
            Text::FirstName => self.first.to_owned(),
            Text::LastName => self.last.to_owned(),
            Text::PersonalEmail => format!("home{}@example.com", self.number),
            Text::HomeAddress => format!("{} Example Street", self.number),
            Text::EmployeeNumber => format!("N{:05}", self.number),
            Text::PictureUrl => format!("https://images.example.com/{}.png", self.number),
        }
    }

    /// A telephone number that is kept for fiction (+1 202 555 01xx).
    #[must_use]
    pub fn phone(&self) -> String {
        format!("+1 202 555 01{:02}", mixed(self.salt, 9) % 100)
    }
}

/// Whatever the seed, so that a company of ten has one of most kinds.
const fn situation(number: usize) -> Situation {
    match number % 37 {
        3 | 31 => Situation::OnLeave,
        5 | 25 => Situation::Left,
        7 => Situation::Future,
        9 => Situation::Leaving,
        13 => Situation::Suspended,
        _ => Situation::Works,
    }
}

const fn kind(number: usize) -> EmploymentType {
    match number % 20 {
        4 | 12 => EmploymentType::Contractor,
        8 => EmploymentType::Intern,
        15 => EmploymentType::Temporary,
        18 => EmploymentType::Apprentice,
        _ => EmploymentType::Employee,
    }
}

fn days(number: u64) -> Span {
    Span::new().days(i64::try_from(number).unwrap_or_default())
}

/// A number that looks like chance (splitmix64, public domain).
const fn mixed(seed: u64, of: u64) -> u64 {
    let mut z = seed.wrapping_add(of.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
