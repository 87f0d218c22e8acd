//! What a source can and cannot say: as its definition declares it, and as its answers show.
//!
//! An admin reads it before anything is acted on: a credential that sees no leavers ends nobody's access, and says so
//! nowhere else.

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account::{self, Fact, OfSource};
use super::employee::{Employee, Field, Read};
use super::lifecycle::{Facts, State, Terms, derive_state};

/// Whether a source can say something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Claim {
    /// It can.
    #[serde(alias = "yes")]
    Yes,
    /// It cannot.
    #[serde(alias = "no")]
    No,
    /// Nobody has said, and no response has shown it.
    #[default]
    #[serde(alias = "unknown")]
    Unknown,
}

impl Claim {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        }
    }

    /// What was seen is true, whatever was declared.
    const fn shown(self, people: u32) -> Self {
        if people > 0 { Self::Yes } else { self }
    }
}

/// What a definition declares of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// That somebody is on leave.
    pub leave: Claim,
    /// Who starts later.
    pub future_hires: Claim,
    /// Who has left.
    pub leavers: Claim,
    /// That a record was deleted.
    pub deletion: Claim,
    /// Photos.
    pub photo: Claim,
    /// How old what it says may be: `live`, or in words; none where it is not known.
    pub data_age: Option<String>,
    /// What it asks for before it gives a fact of an account, or why it does not give it.
    pub account: BTreeMap<Fact, String>,
}

/// What a source can say, declared or seen, and how many people showed it in one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Fields the source gives.
    #[schemars(length(max = 32))]
    pub fields: Vec<Field>,
    /// Whether people carry an id of their own; without it they are keyed by a digest of their address.
    pub stable_ids: bool,
    /// Whether last days are given, so that an exit can be planned and cut on its day.
    pub end_dates: bool,
    /// Whether managers are named.
    #[serde(default)]
    pub managers: bool,
    /// Whether it can say that somebody is on leave.
    #[serde(default)]
    pub leave: Claim,
    /// Whether people who start later are in the response.
    #[serde(default)]
    pub future_hires: Claim,
    /// Whether people who left are in the response.
    #[serde(default)]
    pub leavers: Claim,
    /// Whether it can be told that a record was deleted.
    #[serde(default)]
    pub deletion: Claim,
    /// Whether the system has photos; they are never read.
    #[serde(default)]
    pub photo: Claim,
    /// How old what it says may be: `live`, or in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub data_age: Option<String>,
    /// What it knows of accounts, fact by fact; nothing for a system without accounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub account: Vec<OfSource>,
    /// How many people of the newest response showed it.
    #[serde(default)]
    pub seen: PeopleShown,
}

/// How many people of one answer showed what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeopleShown {
    /// Who left.
    pub leavers: u32,
    /// Who starts later.
    pub future_hires: u32,
    /// Who is on leave.
    pub on_leave: u32,
    /// Who has a last day.
    pub end_dates: u32,
    /// Who has a manager.
    pub managers: u32,
}

/// Longest text on the age of the data, in characters.
const MAX_AGE_LEN: usize = 128;

/// What a response shows of its source. `today` is the UTC day.
#[must_use]
pub fn found(read: &Read, today: Date) -> Capabilities {
    let state = |employee: &Employee| {
        let facts = Facts::of(employee);
        derive_state(&facts, today, &Terms::default()).state
    };
    let count = |shows: &dyn Fn(&Employee) -> bool| {
        u32::try_from(read.employees.iter().filter(|employee| shows(employee)).count()).unwrap_or(u32::MAX)
    };
    let seen = PeopleShown {
        leavers: count(&|employee| state(employee) == State::Terminated),
        future_hires: count(&|employee| state(employee) == State::PreHire),
        on_leave: count(&|employee| state(employee) == State::Leave),
        end_dates: count(&|employee| employee.last_day.is_some()),
        managers: count(&|employee| employee.manager.is_some()),
    };
    let declared = &read.declared;
    Capabilities {
        fields: read.offered.iter().copied().collect(),
        stable_ids: read.offered.contains(&Field::EmployeeId),
        end_dates: read.offered.contains(&Field::TerminationDate),
        managers: read.offered.contains(&Field::Manager),
        leave: declared.leave.shown(seen.on_leave),
        future_hires: declared.future_hires.shown(seen.future_hires),
        leavers: declared.leavers.shown(seen.leavers),
        deletion: declared.deletion,
        photo: declared.photo,
        account: account::of_source(&read.employees, &read.offered, &read.unread, &declared.account),
        data_age: declared.data_age.as_ref().map(|age| age.chars().take(MAX_AGE_LEN).collect()),
        seen,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::employee::{HrId, ReportedStatus, Status};

    #[test]
    fn what_an_answer_shows_stands_above_what_was_declared() {
        let who = |id: &str, status, start| Employee {
            start: Some(start),
            ..Employee::new(HrId(id.into()), "Ada".into(), "ada@example.com".into(), ReportedStatus::Mapped(status))
        };
        let employees = vec![
            who("1", Status::Active, date(2020, 1, 1)),
            who("2", Status::Terminated, date(2020, 1, 1)),
            who("3", Status::Active, date(2026, 5, 1)),
        ];
        let declared = Declared { leavers: Claim::No, leave: Claim::Yes, ..Declared::default() };
        let read = Read { employees, declared, offered: [Field::Manager].into(), ..Read::default() };
        let found = found(&read, date(2026, 3, 2));
        assert_eq!((found.leavers, found.future_hires), (Claim::Yes, Claim::Yes));
        assert_eq!((found.leave, found.deletion), (Claim::Yes, Claim::Unknown)); // declared, and not shown
        assert_eq!((found.seen.leavers, found.seen.future_hires, found.seen.on_leave), (1, 1, 0));
        assert!(found.managers && !found.end_dates);
    }
}
