//! Which column serves which slot.

use std::collections::{BTreeMap, BTreeSet};

use super::OWN_NAMES;
use crate::row::{Slot, trim};
use domain::employee::Failure;

/// Most columns.
pub(super) const MOST_COLUMNS: usize = 512;
/// Most headers that are shown, and the longest.
const MOST_SHOWN: usize = 16;
const LONGEST_SHOWN: usize = 40;

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

/// Which column serves which slot.
///
/// What is missing is said first and by the names we look for: a file without a header row must not have its first
/// person quoted.
pub(super) fn place(header: &[String], named: &BTreeMap<Slot, String>) -> Result<Vec<(Slot, usize)>, Failure> {
    let wanted: BTreeSet<String> = named.values().map(|name| fold(name)).collect();
    let mut columns = Vec::new();
    let (mut missing, mut several) = (Vec::new(), Vec::new());
    let others = named.keys().copied().filter(|slot| !OWN_NAMES.contains(slot));
    for slot in OWN_NAMES.into_iter().chain(others) {
        let found = match named.get(&slot) {
            Some(name) => at(header, |other| *other == fold(name)),
            None => own(header, slot, &wanted),
        };
        let name = named.get(&slot).map_or(slot.name(), String::as_str);
        match found.as_slice() {
            [] if named.contains_key(&slot) || matches!(slot, Slot::FullName | Slot::Email) => {
                missing.push(name.to_owned());
            }
            [] => {}
            [first, rest @ ..] => {
                columns.push((slot, *first));
                if !rest.is_empty() {
                    several.push(format!("{} (several could be it; name it in csv.columns)", slot.name()));
                }
            }
        }
    }
    if !missing.is_empty() {
        return Err(Failure::WrongColumns(missing));
    }
    let mut seen = BTreeSet::new();
    let twice = header.iter().filter(|name| !name.is_empty() && !seen.insert(*name));
    let wrong: Vec<String> = twice.map(|name| format!("{} (twice)", shown(name))).collect();
    let wrong = if wrong.is_empty() { several } else { wrong };
    if wrong.is_empty() { Ok(columns) } else { Err(Failure::WrongColumns(wrong)) }
}

fn at(header: &[String], wanted: impl Fn(&String) -> bool) -> Vec<usize> {
    header.iter().enumerate().filter(|(_, name)| wanted(name)).map(|(column, _)| column).collect()
}

/// Columns that a slot may have without being told: of its own name, else of its own name without signs, else of an
/// alias. A column that is named for another slot is that one's.
fn own(header: &[String], slot: Slot, wanted: &BTreeSet<String>) -> Vec<usize> {
    let free = |name: &String| !wanted.contains(name);
    let own = slot.name();
    let exact = at(header, |name| free(name) && *name == fold(own));
    if !exact.is_empty() {
        return exact;
    }
    let close = at(header, |name| free(name) && bare(name) == bare(own));
    if !close.is_empty() {
        return close;
    }
    at(header, |name| free(name) && ALIASES.iter().any(|(of, alias)| *of == slot && bare(name) == *alias))
}

/// The headers of which nothing is read, in words.
pub(super) fn unread(header: &[String], columns: &[(Slot, usize)]) -> Option<String> {
    let read = |column: usize| columns.iter().any(|(_, other)| *other == column);
    let unread: Vec<String> =
        header.iter().enumerate().filter(|(column, _)| !read(*column)).map(|(_, name)| shown(name)).collect();
    let more = unread.len().saturating_sub(MOST_SHOWN);
    let names = unread.iter().filter(|name| !name.is_empty()).take(MOST_SHOWN).cloned().collect::<Vec<_>>().join(", ");
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
    name.chars().filter(|letter| !letter.is_control()).take(LONGEST_SHOWN).collect()
}
