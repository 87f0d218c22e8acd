//! The seam between formats: a CSV line and a JSON record both fill a `Row` of slots, and nothing behind it can tell
//! them apart.
//!
//! Holds text and nothing else: what the text means is `mapping`'s. A row is used again for every record, so that
//! reading a hundred thousand of them does not ask for memory a million times.

use serde::Deserialize;

use crate::domain::employee::Field;

/// A place for one value of a record. The words are those of a definition's `fields` and of a file's own headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Slot {
    /// The HR system's own id.
    EmployeeId,
    /// Full name.
    FullName,
    /// Work address.
    Email,
    /// Status word.
    Status,
    /// First day of work.
    HireDate,
    /// Last day of work, or first day out.
    TerminationDate,
    /// Department.
    Department,
    /// Job title.
    Title,
    /// Location.
    Location,
    /// Work address of the manager.
    ManagerEmail,
    /// HR id of the manager.
    ManagerId,
}

impl Slot {
    /// How many there are.
    const COUNT: usize = 11;

    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EmployeeId => "employeeId",
            Self::FullName => "fullName",
            Self::Email => "email",
            Self::Status => "status",
            Self::HireDate => "hireDate",
            Self::TerminationDate => "terminationDate",
            Self::Department => "department",
            Self::Title => "title",
            Self::Location => "location",
            Self::ManagerEmail => "managerEmail",
            Self::ManagerId => "managerId",
        }
    }

    /// The field of an employee it serves.
    #[must_use]
    pub const fn field(self) -> Field {
        match self {
            Self::EmployeeId => Field::EmployeeId,
            Self::FullName => Field::FullName,
            Self::Email => Field::Email,
            Self::Status => Field::Status,
            Self::HireDate => Field::HireDate,
            Self::TerminationDate => Field::TerminationDate,
            Self::Department => Field::Department,
            Self::Title => Field::Title,
            Self::Location => Field::Location,
            Self::ManagerEmail | Self::ManagerId => Field::Manager,
        }
    }
}

/// What a record holds in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Held {
    /// Nothing, or null.
    #[default]
    Nothing,
    /// A text, perhaps empty.
    Text,
    /// Something that is no plain value: a list or object where a text was expected, a number that lost digits.
    Unfit,
}

/// One value of a record.
#[derive(Default)]
pub(super) struct Cell {
    held: Held,
    text: String,
}

impl Cell {
    pub(super) fn clear(&mut self) {
        self.held = Held::Nothing;
        self.text.clear();
    }

    pub(super) fn set(&mut self, text: &str) {
        self.held = Held::Text;
        self.text.clear();
        self.text.push_str(text);
    }

    pub(super) fn unfit(&mut self) {
        self.held = Held::Unfit;
    }

    /// The text without surrounding blanks; an empty one is none.
    ///
    /// # Errors
    /// When it is no plain value.
    pub(super) fn get(&self) -> Result<Option<&str>, Unfit> {
        match self.held {
            Held::Nothing => Ok(None),
            Held::Text => Ok(Some(trim(&self.text)).filter(|text| !text.is_empty())),
            Held::Unfit => Err(Unfit),
        }
    }
}

/// A value that is no plain value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit;

/// Without surrounding blanks, and without the invisible marks that spreadsheets and web forms leave.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}'))
}

/// One record of a source.
#[derive(Default)]
pub(super) struct Row {
    cells: [Cell; Slot::COUNT],
}

impl Row {
    /// Empties it for the next record.
    pub(super) fn clear(&mut self) {
        self.cells.iter_mut().for_each(Cell::clear);
    }

    /// Puts a text into a slot.
    pub(super) fn set(&mut self, slot: Slot, text: &str) {
        if let Some(cell) = self.cells.get_mut(slot as usize) {
            cell.set(text);
        }
    }

    /// Says that a slot holds no plain value.
    pub(super) fn unfit(&mut self, slot: Slot) {
        if let Some(cell) = self.cells.get_mut(slot as usize) {
            cell.unfit();
        }
    }

    /// Fills a slot from parts, with one blank between those that are not empty.
    pub(super) fn join(&mut self, slot: Slot, parts: &[Cell]) {
        let Some(cell) = self.cells.get_mut(slot as usize) else { return };
        cell.set("");
        for part in parts {
            match part.get() {
                Ok(None) => {}
                Ok(Some(text)) => {
                    if !cell.text.is_empty() {
                        cell.text.push(' ');
                    }
                    cell.text.push_str(text);
                }
                Err(Unfit) => return cell.unfit(),
            }
        }
    }

    /// The text in a slot without surrounding blanks; an empty one is none.
    ///
    /// # Errors
    /// In words, when it is no plain value.
    pub(super) fn get(&self, slot: Slot) -> Result<Option<&str>, String> {
        let cell = self.cells.get(slot as usize);
        cell.map_or(Ok(None), Cell::get).map_err(|Unfit| format!("{} is not a plain value", slot.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_is_none_and_blanks_around_one_do_not_count() {
        let mut row = Row::default();
        for (text, read) in [("", None), (" \u{a0}\u{feff} ", None), (" Ada Example\u{200b}\t", Some("Ada Example"))] {
            row.set(Slot::FullName, text);
            assert_eq!(row.get(Slot::FullName), Ok(read), "{text:?}");
        }
    }

    #[test]
    fn every_slot_keeps_its_own_text() {
        let mut row = Row::default();
        let all = [
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
            Slot::ManagerId,
        ];
        assert_eq!(all.len(), Slot::COUNT);
        all.iter().for_each(|slot| row.set(*slot, slot.name()));
        for slot in all {
            assert_eq!(row.get(slot), Ok(Some(slot.name())));
        }
        row.clear();
        assert!(all.iter().all(|slot| row.get(*slot) == Ok(None)));
    }

    #[test]
    fn parts_are_joined_by_one_blank_and_one_unfit_part_spoils_the_whole() {
        let part = |text: &str| {
            let mut cell = Cell::default();
            cell.set(text);
            cell
        };
        let mut row = Row::default();
        row.join(Slot::FullName, &[part(" Ada "), Cell::default(), part(""), part("Example")]);
        assert_eq!(row.get(Slot::FullName), Ok(Some("Ada Example")));

        let mut spoiled = part("Ada");
        spoiled.unfit();
        row.join(Slot::FullName, &[spoiled, part("Example")]);
        assert_eq!(row.get(Slot::FullName), Err("fullName is not a plain value".to_owned()));
    }
}
