//! Where HR and the directories disagree: leavers whose account is on, people who work here and have none, or one that is off.
//!
//! These are findings, for a human to look at: none of them ends or gives anybody's access. A directory that says of many who
//! work here that they are off at once is not believed in that, and then it is not known whether anybody's account of it is on.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::account::{Fact, Known, Value};
use super::employee::{ReportedStatus, Status};
use super::lifecycle::{State, Why};
use super::roster::{Employment, EmploymentState, RecordKey, RosterEntry};

/// How long HR and a directory may disagree before that is a finding: a day, in which the other one hears of it.
pub const GRACE: SignedDuration = SignedDuration::from_hours(24);
/// Fewer accounts than these are never many.
const FEW: u32 = 3;
/// Share of the accounts of people who work here above which those that are off are many.
const MANY_PERCENT: u32 = 20;
/// Most accounts without a human that are named.
pub const MAX_ORPHANS: usize = 20;

/// Whether an account is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// They can sign in.
    Enabled,
    /// They cannot.
    Disabled,
}

impl Account {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
        }
    }

    /// What a status says of an account; none where that is not known.
    #[must_use]
    pub const fn of(reported: ReportedStatus) -> Option<Self> {
        match reported {
            ReportedStatus::Mapped(Status::Active) => Some(Self::Enabled),
            ReportedStatus::Mapped(Status::Suspended | Status::Terminated) => Some(Self::Disabled),
            ReportedStatus::Mapped(Status::Leave) | ReportedStatus::Unmapped | ReportedStatus::Silent => None,
        }
    }
}

/// What one record says of an account.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its connection.
    pub connection: &'a str,
    /// The connection is a directory: it tells of accounts, and not who works here.
    pub directory: bool,
    /// The newest response does not name it.
    pub missing: bool,
    /// Whether the account is on; none where that is not known.
    pub account: Option<Account>,
    /// What else is known of it.
    pub facts: Known,
}

/// Somebody, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Person<'a> {
    /// Their state.
    pub state: State,
    /// Since when they have it; of a leaver, since when they have left and that was seen.
    pub since: Timestamp,
    /// Their records that tell of accounts.
    pub records: Vec<Record<'a>>,
}

impl<'a> Person<'a> {
    /// Somebody as a pass sees them. `is` says whether a connection is a directory.
    pub fn of(entry: &'a RosterEntry, is: &dyn Fn(&str) -> bool) -> Self {
        let record = |one: &'a Employment| {
            let directory = is(&one.record.connection);
            let known = !matches!(one.state.why, Why::Conflict | Why::Other);
            (directory || one.account.is_some()).then(|| Record {
                connection: &one.record.connection,
                directory,
                missing: one.missing_since.is_some(),
                account: Account::of(one.facts.reported_status).filter(|_| known),
                facts: one.account.as_deref().copied().filter(|_| known).unwrap_or_default(),
            })
        };
        let EmploymentState { state, since, left, .. } = &entry.employment;
        Self {
            state: *state,
            since: left.as_ref().map_or(*since, |left| left.effective.max(left.seen)),
            records: entry.employments.iter().filter_map(record).collect(),
        }
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// They have left for a day or longer, and an account of theirs is on.
    LeaverEnabled,
    /// They work here, and every account of theirs is off.
    WorkerDisabled,
    /// They have worked here for a day or longer, and no directory has an account of theirs.
    NoAccount,
}

impl Finding {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::LeaverEnabled, Self::WorkerDisabled, Self::NoAccount];

    /// Its word, in lists and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeaverEnabled => "LeaverEnabled",
            Self::WorkerDisabled => "WorkerDisabled",
            Self::NoAccount => "NoAccount",
        }
    }

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::LeaverEnabled => "left more than a day ago, and an account of theirs is still on",
            Self::WorkerDisabled => "works here, and every account of theirs is off",
            Self::NoAccount => "works here, and no directory has an account of theirs",
        }
    }
}

/// The accounts of people who work here, of one directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Accounts {
    known: u32,
    off: u32,
}

impl Accounts {
    const fn many_off(self) -> bool {
        self.off >= FEW && self.off.saturating_mul(100) > self.known.saturating_mul(MANY_PERCENT)
    }
}

/// The directories of a policy, by what they say of everybody.
pub struct Directories(BTreeMap<String, Accounts>);

/// What was found, as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// How many people have each.
    pub people: BTreeMap<Finding, u32>,
    /// Directories that are not believed: their name, how many accounts of people who work here are off, and of how many.
    pub not_believed: Vec<(String, u32, u32)>,
    /// Accounts that are on and nobody's; none without a response.
    pub orphans: Option<Orphans>,
}

/// Accounts that are on, and that no human has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// How many.
    pub accounts: u32,
    /// The first of them.
    pub first: Vec<RecordKey>,
}

impl Directories {
    /// Looks at everybody.
    #[must_use]
    pub fn of(people: &[Person<'_>]) -> Self {
        let mut of: BTreeMap<String, Accounts> = BTreeMap::new();
        for person in people {
            for record in person.records.iter().filter(|record| record.directory) {
                if !of.contains_key(record.connection) {
                    of.insert(record.connection.to_owned(), Accounts::default());
                }
                let accounts = of.get_mut(record.connection).filter(|_| person.state == State::Active);
                if let (Some(accounts), Some(account), false) = (accounts, record.account, record.missing) {
                    accounts.known += 1;
                    accounts.off += u32::from(account == Account::Disabled);
                }
            }
        }
        Self(of)
    }

    /// Whether there is any.
    #[must_use]
    pub fn are_there(&self) -> bool {
        !self.0.is_empty()
    }

    fn believed(&self, connection: &str) -> bool {
        !self.0.get(connection).is_some_and(|accounts| accounts.many_off())
    }

    /// Whether somebody can sign in: with any account. None where it is not known, also of one of several.
    #[must_use]
    pub fn account(&self, person: &Person<'_>) -> Option<Account> {
        let mut all = person.records.iter().filter(|one| one.directory && !one.missing);
        let of = |record: &Record<'_>| {
            record.account.filter(|account| *account == Account::Enabled || self.believed(record.connection))
        };
        let first = of(all.next()?);
        all.map(of).fold(first, |sum, next| match (sum, next) {
            (Some(Account::Enabled), _) | (_, Some(Account::Enabled)) => Some(Account::Enabled),
            (Some(Account::Disabled), Some(Account::Disabled)) => Some(Account::Disabled),
            _ => None,
        })
    }

    /// What is wrong with somebody's accounts.
    #[must_use]
    pub fn finding(&self, person: &Person<'_>, now: Timestamp) -> Option<Finding> {
        if !self.are_there() {
            return None;
        }
        let mut accounts = person.records.iter().filter(|one| one.directory && !one.missing);
        let for_a_day = now.duration_since(person.since) >= GRACE;
        match person.state {
            State::Terminated => {
                let on = accounts.any(|one| one.account == Some(Account::Enabled));
                (on && for_a_day).then_some(Finding::LeaverEnabled)
            }
            State::Active if accounts.next().is_none() => for_a_day.then_some(Finding::NoAccount),
            State::Active => (self.account(person) == Some(Account::Disabled)).then_some(Finding::WorkerDisabled),
            _ => None,
        }
    }

    /// What is wrong with everybody's; none without a directory.
    #[must_use]
    pub fn findings(&self, people: &[Person<'_>], now: Timestamp) -> Option<Findings> {
        self.are_there().then(|| {
            let mut counts: BTreeMap<Finding, u32> = BTreeMap::new();
            for finding in people.iter().filter_map(|person| self.finding(person, now)) {
                *counts.entry(finding).or_default() += 1;
            }
            let many = self.0.iter().filter(|(_, accounts)| accounts.many_off());
            let not_believed = many.map(|(name, Accounts { known, off })| (name.clone(), *off, *known)).collect();
            Findings { people: counts, not_believed, orphans: None }
        })
    }
}

/// A fact of somebody's accounts: the newest sign-in; of others, what all say that say it. None where it is not known.
#[must_use]
pub fn fact(person: &Person<'_>, fact: Fact) -> Option<Value> {
    let mut said =
        person.records.iter().filter(|one| !one.missing).filter_map(|one| one.facts.get(fact)).map(|(value, _)| value);
    let first = said.next()?;
    match fact {
        Fact::LastSignIn => Some(said.fold(first, Value::max)),
        Fact::MfaEnrolled | Fact::Sso => said.all(|other| other == first).then_some(first),
    }
}

#[cfg(test)]
mod tests;
