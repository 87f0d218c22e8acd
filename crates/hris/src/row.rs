//! The seam between formats: a CSV line and a JSON record both fill a `Row` of slots, and nothing behind it can tell
//! them apart.
//!
//! Holds text and nothing else: what the text means is `mapping`'s. A row is used again for every record, so that
//! reading a hundred thousand of them does not ask for memory a million times.

use std::hash::{Hash, Hasher};
use std::ops::Range;

pub use domain::field::Slot;

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
#[derive(Clone, Default)]
pub struct Cell {
    held: Held,
    text: String,
}

impl Cell {
    pub fn clear(&mut self) {
        self.held = Held::Nothing;
        self.text.clear();
    }

    pub fn set(&mut self, text: &str) {
        self.held = Held::Text;
        self.text.clear();
        self.text.push_str(text);
    }

    pub fn unfit(&mut self) {
        self.held = Held::Unfit;
    }

    /// The text without surrounding blanks; an empty one is none.
    ///
    /// # Errors
    /// When it is no plain value.
    pub fn get(&self) -> Result<Option<&str>, Unfit> {
        match self.held {
            Held::Nothing => Ok(None),
            Held::Text => Ok(Some(trim(&self.text)).filter(|text| !text.is_empty())),
            Held::Unfit => Err(Unfit),
        }
    }
}

/// A value that is no plain value.
#[derive(Debug, PartialEq, Eq)]
pub struct Unfit;

/// Without surrounding blanks, and without the invisible marks that spreadsheets and web forms leave.
pub fn trim(text: &str) -> &str {
    // Most texts begin and end with a letter or digit, and are looked at again and again.
    let bytes = text.as_bytes();
    if let (Some(first), Some(last)) = (bytes.first(), bytes.last())
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return text;
    }
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}'))
}

/// How a value is put together from parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The cell it fills.
    pub into: usize,
    /// Which parts it is made of.
    pub parts: Range<usize>,
    /// The first part that is not empty, instead of all of them.
    pub first: bool,
    /// What stands between the parts.
    pub with: String,
    /// Words that stand for nothing, in lower case.
    pub none: Vec<String>,
}

/// One record of a source: a cell for each slot, and behind them those that only rules and joins look at.
#[derive(Clone)]
pub struct Row {
    cells: Vec<Cell>,
}

impl Hash for Row {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let filled = self.cells.iter().enumerate().filter(|(_, cell)| cell.held != Held::Nothing);
        for (at, Cell { held, text }) in filled {
            state.write_usize(text.len() << 16 | at << 1 | usize::from(*held == Held::Text));
            state.write(text.as_bytes());
        }
    }
}

impl Default for Row {
    fn default() -> Self {
        Self::with(0)
    }
}

impl Row {
    /// An empty row with so many cells behind those of the slots.
    pub fn with(more: usize) -> Self {
        Self { cells: vec![Cell::default(); Slot::COUNT + more] }
    }

    /// Empties it for the next record.
    pub fn clear(&mut self) {
        self.cells.iter_mut().for_each(Cell::clear);
    }

    /// Puts a text into a slot.
    pub fn set(&mut self, slot: Slot, text: &str) {
        self.put(slot as usize, Some(text));
    }

    /// Puts a text behind what a slot holds, with a blank between them.
    pub fn append(&mut self, slot: Slot, text: &str) {
        let Some(cell) = self.cells.get_mut(slot as usize) else { return };
        let text = trim(text);
        if cell.held == Held::Text && !cell.text.is_empty() && !text.is_empty() {
            cell.text.push(' ');
            cell.text.push_str(text);
        } else if cell.held != Held::Text || cell.text.is_empty() {
            cell.set(text);
        }
    }

    /// Puts a text into a cell; none says that it holds no plain value.
    pub fn put(&mut self, cell: usize, text: Option<&str>) {
        match (self.cells.get_mut(cell), text) {
            (Some(cell), Some(text)) => cell.set(text),
            (Some(cell), None) => cell.unfit(),
            (None, _) => {}
        }
    }

    /// What a cell holds.
    ///
    /// # Errors
    /// When it is no plain value.
    pub fn at(&self, cell: usize) -> Result<Option<&str>, Unfit> {
        self.cells.get(cell).map_or(Ok(None), Cell::get)
    }

    /// Takes over the cells of another row.
    pub fn copy(&mut self, from: &Self, cells: &[usize]) {
        for cell in cells {
            if let (Some(to), Some(from)) = (self.cells.get_mut(*cell), from.cells.get(*cell)) {
                to.clone_from(from);
            }
        }
    }

    /// Empties one cell.
    pub fn drop(&mut self, cell: usize) {
        self.cells.get_mut(cell).into_iter().for_each(Cell::clear);
    }

    /// Fills a cell from parts: the first that says something, or all of them with a text between.
    pub fn build(&mut self, build: &Build, parts: &[Cell]) {
        let Some(cell) = self.cells.get_mut(build.into) else { return };
        cell.set("");
        for part in parts.get(build.parts.clone()).unwrap_or_default() {
            match part.get() {
                Ok(None) => {}
                Ok(Some(text)) if build.none.iter().any(|none| *none == text.to_lowercase()) => {}
                Ok(Some(text)) => {
                    if !cell.text.is_empty() {
                        cell.text.push_str(&build.with);
                    }
                    cell.text.push_str(text);
                    if build.first {
                        return;
                    }
                }
                Err(Unfit) => return cell.unfit(),
            }
        }
    }

    /// The text in a slot without surrounding blanks; an empty one is none.
    ///
    /// # Errors
    /// In words, when it is no plain value.
    pub fn get(&self, slot: Slot) -> Result<Option<&str>, String> {
        self.at(slot as usize).map_err(|Unfit| format!("{} is not a plain value", slot.name()))
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
        let all = Slot::ALL;
        assert!(all.iter().enumerate().all(|(at, slot)| *slot as usize == at));
        all.iter().for_each(|slot| row.set(*slot, slot.name()));
        for slot in all.iter().copied() {
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
        let build = |first, none: &[&str]| Build {
            into: Slot::FullName as usize,
            parts: 0..4,
            first,
            with: " ".to_owned(),
            none: none.iter().map(|word| (*word).to_owned()).collect(),
        };
        let mut row = Row::default();
        let parts = [part(" Ada "), Cell::default(), part(""), part("Example")];
        for (build, text) in
            [(build(false, &[]), "Ada Example"), (build(true, &[]), "Ada"), (build(true, &["ada"]), "Example")]
        {
            row.build(&build, &parts);
            assert_eq!(row.get(Slot::FullName), Ok(Some(text)));
        }
        row.build(&build(false, &["ada", "example"]), &parts);
        assert_eq!(row.get(Slot::FullName), Ok(None));

        let mut spoiled = part("Ada");
        spoiled.unfit();
        row.build(&build(false, &[]), &[spoiled, part("Example"), part(""), part("")]);
        assert_eq!(row.get(Slot::FullName), Err("fullName is not a plain value".to_owned()));
    }
}
