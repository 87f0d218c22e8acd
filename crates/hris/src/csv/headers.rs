//! Which column serves which slot.

use std::collections::{BTreeMap, BTreeSet};

use super::CsvFormat;
use crate::row::{Slot, trim};
use domain::employee::Failure;
use domain::field::CustomName;

/// Most columns.
pub(super) const MAX_COLUMNS: usize = 512;
/// Most headers that are shown, and the longest.
const MAX_SHOWN: usize = 16;
const MAX_SHOWN_LEN: usize = 40;

/// Other headers under which a slot is looked for, where no column is named for it: what PlusPlus, Workday's reports
/// and most exports write. Compared without blanks and signs, so that `Employee ID` and `employee_id` are the own name.
const ALIASES: [(Slot, &str); 9] = [
    (Slot::FullName, "name"),
    (Slot::FullName, "displayname"),
    (Slot::Email, "workemail"),
    (Slot::Email, "emailaddress"),
    (Slot::HireDate, "startdate"),
    (Slot::Title, "jobtitle"),
    (Slot::ManagerEmail, "managersemail"),
    (Slot::EmployeeId, "employeenumber"),
    (Slot::Department, "departmentname"),
];

/// A header as it is compared: without case, surrounding blanks and curled apostrophes.
pub(super) fn fold(header: &str) -> String {
    let words: Vec<&str> = header.split_whitespace().collect();
    trim(&words.join(" ")).to_lowercase().replace(['\u{2019}', '\u{2018}'], "'")
}

/// A folded header, or a slot's name, without blanks and signs.
fn bare(header: &str) -> String {
    header.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Headers of the two halves of a name, where no column has the whole of it.
const FIRST_NAMES: [&str; 3] = ["firstname", "givenname", "forename"];
const LAST_NAMES: [&str; 3] = ["lastname", "surname", "familyname"];

/// Which columns are read, and for what.
pub(super) struct Placed {
    /// Slots with their columns; several serve a full name that stands in parts.
    pub(super) read: Vec<(Slot, usize)>,
    /// Fields of the customer's own, with their columns.
    pub(super) custom: Vec<(CustomName, usize)>,
    /// All that the file has a column for.
    pub(super) offered: BTreeSet<Slot>,
}

/// Which columns are read. A column that a connection names must be there, whether or not anybody needs it: one that is
/// missing is the sign of another file.
///
/// # Errors
/// `WrongColumns`, with what is missing, or there more than once.
pub(super) fn place(header: &[String], format: &CsvFormat) -> Result<Placed, Failure> {
    let needed = |slot: Slot| format.needs.as_ref().is_none_or(|needs| needs.slot(slot));
    let columns = slots(header, &format.columns, &format.name_parts, needed)?;
    let (mut custom, mut missing) = (Vec::new(), Vec::new());
    for (name, column) in &format.custom {
        match at(header, |other| *other == fold(column)).first() {
            Some(at) if format.needs.as_ref().is_none_or(|needs| needs.custom(name)) => {
                custom.push((name.clone(), *at))
            }
            Some(_) => {}
            None => missing.push(column.clone()),
        }
    }
    if let Some(last) = missing.last_mut() {
        last.push_str(&there(header, true));
        return Err(Failure::WrongColumns(missing));
    }
    let offered = columns.iter().map(|(slot, _)| *slot).collect();
    let read = columns.into_iter().filter(|(slot, _)| needed(*slot)).collect();
    Ok(Placed { read, custom, offered })
}

/// Which column serves which slot; several serve a full name that stands in parts.
///
/// What is missing is said by the names we look for, and the headers that are there only where one of them is known: a
/// file without a header row must not have its first person quoted.
fn slots(
    header: &[String],
    named: &BTreeMap<Slot, String>,
    name_parts: &[String],
    needed: impl Fn(Slot) -> bool,
) -> Result<Vec<(Slot, usize)>, Failure> {
    let wanted: BTreeSet<String> = named.values().chain(name_parts).map(|name| fold(name)).collect();
    let mut columns = Vec::new();
    let (mut missing, mut several) = (Vec::new(), Vec::new());
    for name in name_parts {
        match at(header, |other| *other == fold(name)).first() {
            Some(column) => columns.push((Slot::FullName, *column)),
            None => missing.push(name.clone()),
        }
    }
    let all = Slot::ALL.iter().copied().filter(|slot| looked_for(*slot, named));
    for slot in all.filter(|slot| name_parts.is_empty() || *slot != Slot::FullName) {
        let found = match named.get(&slot) {
            Some(name) => at(header, |other| *other == fold(name)),
            None => own(header, slot, &wanted),
        };
        let name = named.get(&slot).map_or(slot.name(), String::as_str);
        match found.as_slice() {
            [] if slot == Slot::FullName && !named.contains_key(&slot) => match halves(header, &wanted) {
                Some(halves) => columns.extend(halves.map(|column| (slot, column))),
                None => missing.push(name.to_owned()),
            },
            [] if named.contains_key(&slot) || slot == Slot::Email => missing.push(name.to_owned()),
            [] => {}
            [first] => columns.push((slot, *first)),
            [first, ..] if !needed(slot) => columns.push((slot, *first)),
            [first, ..] => {
                columns.push((slot, *first));
                let names: Vec<_> =
                    found.iter().filter_map(|column| header.get(*column)).map(|name| shown(name)).collect();
                several.push(format!("{} ({} could be it; name one in csv.columns)", slot.name(), names.join(" and ")));
            }
        }
    }
    if !missing.is_empty() {
        if let Some(last) = missing.last_mut() {
            last.push_str(&there(header, !columns.is_empty()));
        }
        return Err(Failure::WrongColumns(missing));
    }
    let mut seen = BTreeSet::new();
    let twice = header.iter().filter(|name| !name.is_empty() && !seen.insert(*name));
    let wrong: Vec<String> = twice.map(|name| format!("{} (twice)", shown(name))).collect();
    let wrong = if wrong.is_empty() { several } else { wrong };
    if wrong.is_empty() { Ok(columns) } else { Err(Failure::WrongColumns(wrong)) }
}

/// Whether a column is looked for: under its own name, and that of a manager's id only where it is named.
pub(super) fn looked_for(slot: Slot, named: &BTreeMap<Slot, String>) -> bool {
    slot != Slot::ManagerId || named.contains_key(&slot)
}

/// The one column of first names and the one of last names.
fn halves(header: &[String], wanted: &BTreeSet<String>) -> Option<[usize; 2]> {
    let half =
        |words: [&str; 3]| match at(header, |name| !wanted.contains(name) && words.contains(&bare(name).as_str()))
            .as_slice()
        {
            [one] => Some(*one),
            _ => None,
        };
    Some([half(FIRST_NAMES)?, half(LAST_NAMES)?])
}

/// The headers that are there, in words.
fn there(header: &[String], known: bool) -> String {
    let personal = |name: &String| name.contains('@') || name.chars().any(|c| c.is_ascii_digit());
    if !known || header.iter().any(personal) {
        return format!(" (the first line has {} cells, and does not look like headers)", header.len());
    }
    let names: Vec<_> = header.iter().filter(|name| !name.is_empty()).take(MAX_SHOWN).map(|name| shown(name)).collect();
    format!(" (the headers are: {})", names.join(", "))
}

fn at(header: &[String], wanted: impl Fn(&String) -> bool) -> Vec<usize> {
    header.iter().enumerate().filter(|(_, name)| wanted(name)).map(|(column, _)| column).collect()
}

/// Columns that a slot may have without being told: of its own name, with or without signs, or of an alias. A column
/// that is named for another slot is that one's.
fn own(header: &[String], slot: Slot, wanted: &BTreeSet<String>) -> Vec<usize> {
    let alias = |name: &str| ALIASES.iter().any(|(of, alias)| *of == slot && name == *alias);
    at(header, |name| !wanted.contains(name) && (bare(name) == bare(slot.name()) || alias(&bare(name))))
}

/// The headers of which nothing is read, in words.
pub(super) fn unread(header: &[String], columns: &[(Slot, usize)], custom: &[(CustomName, usize)]) -> Option<String> {
    let others = || custom.iter().map(|(_, column)| column);
    let read = |column: usize| columns.iter().map(|(_, other)| other).chain(others()).any(|other| *other == column);
    let unread: Vec<String> =
        header.iter().enumerate().filter(|(column, _)| !read(*column)).map(|(_, name)| shown(name)).collect();
    let more = unread.len().saturating_sub(MAX_SHOWN);
    let names = unread.iter().filter(|name| !name.is_empty()).take(MAX_SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!names.is_empty()).then(|| format!("columns that are not read: {names}{more}"))
}

/// The headers of what is read, where they say more than the slot.
pub(super) fn names(header: &[String], columns: &[(Slot, usize)]) -> BTreeMap<Slot, String> {
    let name = |(slot, column): &(Slot, usize)| {
        let name = header.get(*column).filter(|name| bare(name) != bare(slot.name()))?;
        Some((*slot, shown(name)))
    };
    columns.iter().filter_map(name).collect()
}

fn shown(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(MAX_SHOWN_LEN).collect()
}
