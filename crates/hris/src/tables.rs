//! What is known of people from other lists than their own: records joined on a key, and names for ids.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::civil::Date;

use super::dates::{self, DateForm};
use super::mapping::MOST_RECORDS;
use super::row::{Row, Slot};
use domain::employee::Failure;

/// Which of several records of one person counts.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// The cell of its first day.
    pub(super) from: usize,
    /// The cell of its last day; none is open.
    pub(super) to: Option<usize>,
    /// Status words, in lower case, of records that count only where all there are have one of them.
    pub(super) ended: Vec<String>,
    /// Forms of the dates.
    pub(super) forms: Vec<DateForm>,
    /// The UTC date.
    pub(super) as_of: Date,
}

/// Records of a list, by what names the person in them.
#[derive(Default)]
pub(super) struct Table {
    rows: HashMap<String, Vec<Row>>,
    len: usize,
}

/// Puts what a table knows into a person's row.
#[derive(Clone, Debug)]
pub(super) struct Merge {
    /// The cells that are taken over.
    pub(super) cells: Vec<usize>,
    /// Which record counts, where there are several.
    pub(super) choose: Option<Chosen>,
}

impl Table {
    /// Takes a record under the text in one of its cells; without one it is nobody's.
    ///
    /// # Errors
    /// `TooLarge`, when there are too many.
    pub(super) fn insert(&mut self, key: usize, row: &Row) -> Result<(), Failure> {
        if self.len >= MOST_RECORDS {
            return Err(Failure::TooLarge);
        }
        if let Ok(Some(key)) = row.at(key) {
            self.rows.entry(key.to_owned()).or_default().push(row.clone());
            self.len += 1;
        }
        Ok(())
    }

    /// The records under a key.
    pub(super) fn get(&self, key: &str) -> &[Row] {
        self.rows.get(key).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Merge {
    /// Takes over what a table has under the key in a cell of the person.
    pub(super) fn join(&self, person: &mut Row, of: usize, table: &Table) {
        if let Ok(Some(key)) = person.at(of) {
            let rows = table.get(key);
            self.apply(person, rows);
        }
    }

    /// Takes over the record that counts. Where that cannot be told, what it would say is spoiled, and the person set
    /// aside: a guess could end somebody's access.
    pub(super) fn apply(&self, person: &mut Row, rows: &[Row]) {
        let chosen = match (rows, &self.choose) {
            ([], _) => return,
            ([row], _) => Some((row, false)),
            (rows, Some(choose)) => choose.among(rows),
            (_, None) => None,
        };
        let Some((row, goes_on)) = chosen else {
            return self.cells.iter().for_each(|cell| person.put(*cell, None));
        };
        person.copy(row, &self.cells);
        for end in [Slot::TerminationDate as usize, Slot::LastWorkingDay as usize] {
            if goes_on && self.cells.contains(&end) {
                person.drop(end);
            }
        }
    }
}

impl Chosen {
    /// One row for each text in a cell: the record that counts. Rows without one stay as they are, and where it cannot be
    /// told which counts, what the row says is spoiled, so that the person is set aside.
    pub(super) fn one_each(&self, rows: Vec<Row>, key: usize) -> Vec<Row> {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut groups: Vec<Vec<Row>> = Vec::new();
        for row in rows {
            let known = row.at(key).ok().flatten().map(str::to_owned);
            let place = known.map_or(groups.len(), |known| *places.entry(known).or_insert(groups.len()));
            match groups.get_mut(place) {
                Some(group) => group.push(row),
                None => groups.push(vec![row]),
            }
        }
        let one = |mut group: Vec<Row>| {
            if group.len() < 2 {
                return group.pop();
            }
            let chosen = self.among(&group).map(|(row, goes_on)| (row.clone(), goes_on));
            let Some((mut row, goes_on)) = chosen else {
                let mut spoiled = group.pop()?;
                let others = Slot::ALL.iter().copied().map(|slot| slot as usize).filter(|slot| *slot != key);
                others.for_each(|slot| spoiled.put(slot, None));
                return Some(spoiled);
            };
            if goes_on {
                [Slot::TerminationDate, Slot::LastWorkingDay].into_iter().for_each(|end| row.drop(end as usize));
            }
            Some(row)
        };
        groups.into_iter().filter_map(one).collect()
    }

    /// The record of today; else the next to begin; else the last that ended. With it, whether another goes on after
    /// it: then its end is not the end. None, when a day cannot be read.
    fn among<'r>(&self, rows: &'r [Row]) -> Option<(&'r Row, bool)> {
        let day = |row: &Row, cell: usize| match row.at(cell) {
            Ok(Some(text)) => dates::read(&self.forms, text).ok().map(|day| day.map(|day| day.date)),
            Ok(None) => Some(None),
            Err(_) => None,
        };
        let goes_first = |row: &Row| {
            let word = row.at(Slot::Status as usize).ok().flatten().unwrap_or_default().to_lowercase();
            !self.ended.contains(&word) // a word nobody knows is not known to have ended
        };
        let mut spans = Vec::new();
        for row in rows {
            let from = day(row, self.from)?.unwrap_or(Date::MIN);
            let to = self.to.map_or(Some(None), |to| day(row, to))?.unwrap_or(Date::MAX);
            spans.push((row, from, to));
        }
        let some_go_first = rows.iter().any(goes_first);
        let ranked = spans.iter().filter(|(row, ..)| !some_go_first || goes_first(row));
        let (row, _, to) = ranked.max_by_key(|(_, from, to)| {
            let current = *from <= self.as_of && *to >= self.as_of;
            let ahead = *from > self.as_of;
            // Of those to come the earliest, of the others the latest.
            (current, ahead, Reverse(if ahead { *from } else { Date::MIN }), *from, *to)
        })?;
        // Of two that are open, neither is the last one: the day that one of them ends by may be what is not seen.
        let open = self.to.is_some()
            && *to == Date::MAX
            && spans.iter().filter(|(_, _, other)| *other == Date::MAX).count() > 1;
        let goes_on = open || spans.iter().any(|(_, _, other)| other > to);
        Some((row, goes_on))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: usize = Slot::COUNT;
    const TO: usize = Slot::COUNT + 1;
    const TODAY: Date = Date::constant(2026, 3, 2);

    fn row(status: &str, from: &str, to: &str) -> Row {
        let mut row = Row::with(2);
        row.set(Slot::Status, status);
        row.put(FROM, Some(from));
        row.put(TO, Some(to));
        row.set(Slot::TerminationDate, to);
        row.set(Slot::LastWorkingDay, to);
        row
    }

    fn merge(ended: &[&str], rows: &[Row]) -> Result<(String, Option<String>), String> {
        let choose = Chosen {
            from: FROM,
            to: Some(TO),
            ended: ended.iter().map(|word| (*word).to_owned()).collect(),
            forms: vec![DateForm::Iso],
            as_of: TODAY,
        };
        let cells = [Slot::Status, Slot::TerminationDate, Slot::LastWorkingDay].map(|slot| slot as usize).to_vec();
        let mut person = Row::with(2);
        Merge { cells, choose: Some(choose) }.apply(&mut person, rows);
        let end = person.get(Slot::TerminationDate)?.map(str::to_owned);
        assert_eq!(person.get(Slot::LastWorkingDay)?, end.as_deref(), "one end goes with the other");
        Ok((person.get(Slot::Status)?.unwrap_or_default().to_owned(), end))
    }

    #[test]
    fn the_record_of_today_counts_then_the_next_then_the_last_and_an_end_that_is_none_is_dropped() {
        let past = || row("past", "2020-01-01", "2022-12-31");
        let older = || row("older", "2015-01-01", "2016-12-31");
        let now = || row("now", "2024-01-01", "2026-03-31");
        let open = || row("open", "2024-01-01", "");
        let next = || row("next", "2026-05-01", "2027-04-30");
        let later = || row("later", "2028-01-01", "");
        for (rows, status, end) in [
            (vec![past()], "past", Some("2022-12-31")),
            (vec![past(), older()], "past", Some("2022-12-31")),
            (vec![past(), now()], "now", Some("2026-03-31")),
            (vec![open(), past()], "open", None),
            (vec![next(), now(), past()], "now", None), // goes on in May
            (vec![later(), past(), next()], "next", None),
            (vec![past(), next()], "next", Some("2027-04-30")),
            (vec![now(), open()], "open", None), // two at once: the one without an end
        ] {
            assert_eq!(merge(&[], &rows), Ok((status.to_owned(), end.map(str::to_owned))), "{status}");
            let turned: Vec<_> = rows.into_iter().rev().collect();
            assert_eq!(merge(&[], &turned), Ok((status.to_owned(), end.map(str::to_owned))), "{status}, turned");
        }
    }

    #[test]
    fn a_record_that_ended_counts_only_where_all_have_ended() {
        let ended = || row("INACTIVE", "2025-06-01", "");
        for (other, status) in [("ACTIVE", "ACTIVE"), ("a new word", "a new word"), ("inactive", "INACTIVE")] {
            let found = merge(&["inactive"], &[ended(), row(other, "2020-01-01", "")]);
            assert_eq!(found, Ok((status.to_owned(), None)), "{other}");
        }
    }

    #[test]
    fn an_end_beside_an_open_span_is_none_where_another_is_open_too() {
        let now = || {
            let mut now = row("now", "2024-01-01", "");
            now.set(Slot::TerminationDate, "2026-03-31"); // where it ends is not seen
            now.set(Slot::LastWorkingDay, "2026-03-31");
            now
        };
        let next = || row("next", "2026-04-01", "");
        for rows in [vec![now(), next()], vec![next(), now()]] {
            assert_eq!(merge(&[], &rows), Ok(("now".to_owned(), None)));
        }
        let past = row("past", "2020-01-01", "2022-12-31");
        assert_eq!(merge(&[], &[past, now()]), Ok(("now".to_owned(), Some("2026-03-31".to_owned()))));
    }

    #[test]
    fn where_it_cannot_be_told_which_counts_the_person_is_set_aside() {
        let rows = [row("a", "soon", ""), row("b", "2024-01-01", "")];
        assert_eq!(merge(&[], &rows), Err("terminationDate is not a plain value".to_owned()));
        let mut person = Row::with(2);
        let rows = [row("a", "2020-01-01", ""), row("b", "2024-01-01", "")];
        Merge { cells: vec![Slot::Status as usize], choose: None }.apply(&mut person, &rows);
        assert!(person.get(Slot::Status).is_err());
    }

    #[test]
    fn of_several_records_of_one_person_one_is_left() {
        let person = |id: &str, status: &str, from: &str, to: &str| {
            let mut row = row(status, from, to);
            row.set(Slot::EmployeeId, id);
            row
        };
        let chosen = Chosen { from: FROM, to: Some(TO), ended: Vec::new(), forms: vec![DateForm::Iso], as_of: TODAY };
        let rows = vec![
            person("7", "old", "2020-01-01", "2025-12-31"),
            person("8", "only", "2021-01-01", ""),
            person("", "nobody", "", ""),
            person("7", "now", "2026-01-01", ""),
            person("9", "soon", "soon", ""),
            person("9", "open", "2024-01-01", ""),
            person("", "nobody either", "", ""),
        ];
        let left = chosen.one_each(rows, Slot::EmployeeId as usize);
        let told: Vec<_> = left.iter().map(|row| row.get(Slot::Status).ok().flatten().unwrap_or("?")).collect();
        assert_eq!(told, ["now", "only", "nobody", "?", "nobody either"]);
        assert_eq!(left[3].get(Slot::EmployeeId), Ok(Some("9")), "who it is, is not in doubt");
    }

    #[test]
    fn records_are_found_by_their_key_and_those_without_one_are_nobodys() {
        let mut table = Table::default();
        for key in ["7", "8", "7", ""] {
            let mut row = Row::default();
            row.set(Slot::EmployeeId, key);
            table.insert(Slot::EmployeeId as usize, &row).unwrap();
        }
        assert_eq!(["7", "8", "9", ""].map(|key| table.get(key).len()), [2, 1, 0, 0]);
    }
}
