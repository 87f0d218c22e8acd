//! What the records of one person have to say, and the places in them for that person's texts.

use domain::employee::{EmploymentType, Status};
use hris::row::Slot;

/// What the records of one person have to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// What the company says of the status.
    pub(crate) status: Status,
    /// They start today or later.
    pub(crate) later: bool,
    /// There is a last day.
    pub(crate) ends: bool,
    /// There is a planned end of a contract.
    pub(crate) contract: bool,
    /// They have a manager.
    pub(crate) managed: bool,
    /// They had to go at once.
    pub(crate) urgent: bool,
    /// Kind of employment.
    pub(crate) kind: EmploymentType,
    /// Which list they are on, where any would do.
    pub(crate) turn: usize,
}

/// A text that is another one in the records of each person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// What is said of them there.
    Text(Slot),
    /// The key under which a lookup has it.
    Key(Slot),
    /// First name.
    First,
    /// Last name.
    Last,
}

impl Hole {
    /// What stands in its place until a person is written. No name or word holds characters of private use.
    pub(crate) fn mark(self) -> String {
        let number = match self {
            Self::Text(slot) => slot as usize,
            Self::Key(slot) => 100 + slot as usize,
            Self::First => 200,
            Self::Last => 201,
        };
        format!("\u{e000}{number}\u{e001}")
    }

    /// The hole of a mark.
    pub(crate) fn of(mark: &str) -> Option<Self> {
        let all = Slot::ALL.iter().copied().flat_map(|slot| [Self::Text(slot), Self::Key(slot)]);
        all.chain([Self::First, Self::Last]).find(|hole| hole.mark() == mark)
    }
}
