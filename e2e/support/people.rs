//! Invented people, and the files an HR system would give of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// One row of the file.
#[derive(Clone, Debug, Default)]
struct Row {
    id: String,
    name: String,
    email: String,
    status: String,
    hired: String,
    last_day: String,
    department: String,
    /// What stands in further columns, by their headers.
    more: BTreeMap<&'static str, String>,
}

/// A CSV file, written by chained words: `people.person("7").active().last_day("2026-03-01")`.
#[derive(Clone, Debug)]
pub struct People {
    domain: String,
    rows: Vec<Row>,
}

/// The work address that a file of this domain gives a person.
pub fn address(id: &str, domain: &str) -> String {
    format!("person-{id}@{domain}")
}

/// The name that the file gives a person. Nothing else in a cluster is called so.
pub fn full_name(id: &str) -> String {
    format!("Quillon{id} Zephyrine")
}

impl People {
    /// A file without anybody, of a company with addresses in this domain.
    pub fn of(domain: String) -> Self {
        Self { domain, rows: Vec::new() }
    }

    /// Adds an active person, or turns to one who is there already.
    pub fn person(mut self, id: &str) -> Self {
        let row = match self.rows.iter().position(|row| row.id == id) {
            Some(place) => self.rows.remove(place),
            None => Row {
                id: id.to_owned(),
                name: full_name(id),
                email: address(id, &self.domain),
                status: "active".into(),
                hired: "2020-02-03".into(),
                ..Row::default()
            },
        };
        self.rows.push(row);
        self
    }

    /// Adds active people with the ids `first` up to, not including, `end`.
    pub fn active_people(self, ids: std::ops::Range<u32>) -> Self {
        ids.fold(self, |people, id| people.person(&id.to_string()))
    }

    /// Leaves out a person who was there.
    pub fn without(mut self, id: &str) -> Self {
        self.rows.retain(|row| row.id != id);
        self
    }

    fn last(mut self, change: impl FnOnce(&mut Row)) -> Self {
        change(self.rows.last_mut().expect("a person to speak of"));
        self
    }

    pub fn active(self) -> Self {
        self.status("active")
    }

    pub fn terminated(self) -> Self {
        self.status("terminated")
    }

    pub fn status(self, word: &str) -> Self {
        self.last(|row| row.status = word.to_owned())
    }

    pub fn hired(self, day: &str) -> Self {
        self.last(|row| row.hired = day.to_owned())
    }

    pub fn last_day(self, day: &str) -> Self {
        self.last(|row| row.last_day = day.to_owned())
    }

    /// Puts everybody who is there into a department.
    pub fn everybody_in(mut self, department: &str) -> Self {
        self.rows.iter_mut().for_each(|row| row.department = department.to_owned());
        self
    }

    pub fn department(self, name: &str) -> Self {
        self.last(|row| row.department = name.to_owned())
    }

    pub fn email(self, address: &str) -> Self {
        self.last(|row| row.email = address.to_owned())
    }

    /// Puts something into a further column.
    pub fn column(self, header: &'static str, text: &str) -> Self {
        self.last(|row| drop(row.more.insert(header, text.to_owned())))
    }

    /// The file, with a header of the names Rollcall looks for by itself.
    pub fn csv(&self) -> String {
        let more: BTreeSet<&str> = self.rows.iter().flat_map(|row| row.more.keys().copied()).collect();
        let headers: String = more.iter().map(|header| format!(",{header}")).collect();
        let mut text = format!("employeeId,fullName,email,status,hireDate,terminationDate,department{headers}\n");
        for row in &self.rows {
            let Row { id, name, email, status, hired, last_day, department, more: own } = row;
            let cells: String =
                more.iter().map(|header| format!(",{}", own.get(header).map_or("", |cell| cell))).collect();
            writeln!(text, "{id},{name},{email},{status},{hired},{last_day},{department}{cells}").unwrap();
        }
        text
    }
}
