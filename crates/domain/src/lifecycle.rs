//! The table of states: what a status and its dates say of somebody today.
//!
//! Whose day it is today is `timezone`'; who takes notice of a state is `roster`'s.

use jiff::ToSpan;
use jiff::civil::Date;

use super::employee::{Employee, ReportedStatus, Status};

/// What a policy says of ends and gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The longest gap in days between a last day and the first day of the next employment that is no exit: a change of
    /// contract over a weekend.
    pub bridged_days: i32,
    /// What the planned end of a contract is.
    pub contract_end: ContractEnd,
    /// For how many days an account must be off before its person has left, where a source of accounts says who works here.
    pub off_days: Option<i32>,
    /// Whether a leave is acted on.
    pub acts_on_leave: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { bridged_days: 3, contract_end: ContractEnd::Hold, off_days: None, acts_on_leave: false }
    }
}

/// What the planned end of a contract is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractEnd {
    /// It ends nothing: many HR systems are told of an extension late, or never.
    Hold,
    /// The last day of people without another one.
    Terminate,
}

/// A termination further ahead than this is a slip of the keyboard, such as 2062 for 2026, and not believed.
const FARTHEST_DAYS: i32 = 366;

/// What a source says about one person's employment, without who it is: enough to compute any day's state again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Status.
    pub reported_status: ReportedStatus,
    /// First day.
    pub start: Option<Date>,
    /// Last day.
    pub last_day: Option<Date>,
    /// The last day that a trusted answer announced while it was still to come. It stands when the day is moved into the
    /// past, and ends with the day being cleared or the status coming back from `Terminated`.
    pub announced: Option<Date>,
    /// The planned end of a fixed-term contract.
    pub contract_end: Option<Date>,
    /// The reason for the termination means "at once".
    pub urgent: bool,
    /// The account is switched off, in a source that has accounts and no employments.
    pub off: Option<Off>,
}

/// That an account is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Off {
    /// The day of the first of all trusted answers in a row that said so.
    pub since: Date,
    /// An answer said so still when it had been so for as long as the policy asks for: the person has left.
    pub over: bool,
}

impl Facts {
    /// What a record says today, where nothing was announced before.
    #[must_use]
    pub const fn of(employee: &Employee) -> Self {
        let Employee { reported_status, start, last_day, contract_end, urgent, .. } = *employee;
        Self { reported_status, start, last_day, announced: None, contract_end, urgent, off: None }
    }
}

/// State of a person today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Will start.
    PreHire,
    /// Works here.
    Active,
    /// Suspended or inactive.
    Suspended,
    /// On leave.
    Leave,
    /// Has left.
    Terminated,
    /// Not one of those the policy is about; says nothing of the employment.
    OutOfScope,
    /// Cannot be told; holds.
    Unknown,
}

impl State {
    /// Its spelling, as expressions of a policy and the preview see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreHire => "PreHire",
            Self::Active => "Active",
            Self::Suspended => "Suspended",
            Self::Leave => "Leave",
            Self::Terminated => "Terminated",
            Self::OutOfScope => "OutOfScope",
            Self::Unknown => "Unknown",
        }
    }
}

/// Why a state was given: a row of the table of states, or that the record is not believed.
///
/// It is stored by its word, and decisions rest on it; its message is for reading and may be reworded at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Active, and no last day.
    Active,
    /// Active until an announced last day.
    LeavesLater,
    /// Active, and the date belongs to an earlier employment.
    EarlierEmployment,
    /// Starts later.
    StartsLater,
    /// Active, with a last day that has passed and was never announced.
    Contradiction,
    /// The last day has passed.
    LastDayPassed,
    /// Terminated, without a day still to come.
    Terminated,
    /// Terminated for a reason that means at once, whatever the last day.
    Urgent,
    /// Active, although the planned end of the contract has passed.
    ContractEnded,
    /// The account has been switched off for long, and no connection says who works here in another way.
    SwitchedOff,
    /// A human said that they have left.
    Declared,
    /// A human said that they work here, whatever HR says.
    DeclaredActive,
    /// A human said that they are on leave.
    DeclaredLeave,
    /// A human said that they are suspended.
    DeclaredSuspended,
    /// Terminated with a last day still to come.
    TerminatedLater,
    /// Terminated with a last day too far ahead to be meant.
    TooFarAhead,
    /// Terminated, with a last day before the first day of an employment that has begun.
    EndsBeforeStart,
    /// On leave.
    OnLeave,
    /// Suspended.
    Suspended,
    /// The status is not mapped.
    Unmapped,
    /// The source has neither status nor end date.
    NothingSaid,
    /// Active, and another employment begins within the gap that is no exit.
    NextFollows,
    /// Between two employments: the gap is no exit.
    Between,
    /// No trusted answer has ever named a record that the Person links.
    NotNamed,
    /// The record is of a connection that another one took the place of, and no record of that one is theirs yet.
    NotMigrated,
    /// No record says whether they work here: all are of corroborating connections.
    NoEmployment,
    /// Ended, and another connection has said nothing for too long: it might know that they work on.
    OtherSourceStale,
    /// The record changed so much at once that it may be another human's.
    Conflict,
    /// Two policies have them in scope, and neither decides.
    PolicyConflict,
    /// A reason of another version: holds until a trusted answer gives a new one.
    Other,
}

impl Why {
    /// Every reason.
    pub const ALL: [Self; 30] = [
        Self::Active,
        Self::LeavesLater,
        Self::EarlierEmployment,
        Self::StartsLater,
        Self::Contradiction,
        Self::LastDayPassed,
        Self::Terminated,
        Self::Urgent,
        Self::ContractEnded,
        Self::SwitchedOff,
        Self::Declared,
        Self::DeclaredActive,
        Self::DeclaredLeave,
        Self::DeclaredSuspended,
        Self::TerminatedLater,
        Self::TooFarAhead,
        Self::EndsBeforeStart,
        Self::OnLeave,
        Self::Suspended,
        Self::Unmapped,
        Self::NothingSaid,
        Self::NextFollows,
        Self::Between,
        Self::NotNamed,
        Self::NotMigrated,
        Self::NoEmployment,
        Self::OtherSourceStale,
        Self::Conflict,
        Self::PolicyConflict,
        Self::Other,
    ];

    /// The word under which it is stored. Never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::LeavesLater => "LeavesLater",
            Self::EarlierEmployment => "EarlierEmployment",
            Self::StartsLater => "StartsLater",
            Self::Contradiction => "Contradiction",
            Self::LastDayPassed => "LastDayPassed",
            Self::Terminated => "Terminated",
            Self::Urgent => "Urgent",
            Self::ContractEnded => "ContractEnded",
            Self::SwitchedOff => "SwitchedOff",
            Self::Declared => "Declared",
            Self::DeclaredActive => "DeclaredActive",
            Self::DeclaredLeave => "DeclaredLeave",
            Self::DeclaredSuspended => "DeclaredSuspended",
            Self::TerminatedLater => "TerminatedLater",
            Self::TooFarAhead => "TooFarAhead",
            Self::EndsBeforeStart => "EndsBeforeStart",
            Self::OnLeave => "OnLeave",
            Self::Suspended => "Suspended",
            Self::Unmapped => "Unmapped",
            Self::NothingSaid => "NothingSaid",
            Self::NextFollows => "NextFollows",
            Self::Between => "Between",
            Self::NotNamed => "NotNamed",
            Self::NotMigrated => "NotMigrated",
            Self::NoEmployment => "NoEmployment",
            Self::OtherSourceStale => "OtherSourceStale",
            Self::Conflict => "Conflict",
            Self::PolicyConflict => "PolicyConflict",
            Self::Other => "Other",
        }
    }

    /// The state that goes with it.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::Active
            | Self::DeclaredActive
            | Self::LeavesLater
            | Self::EarlierEmployment
            | Self::ContractEnded
            | Self::TerminatedLater
            | Self::NothingSaid
            | Self::NextFollows => State::Active,
            Self::StartsLater | Self::Between => State::PreHire,
            Self::LastDayPassed | Self::Terminated | Self::Urgent | Self::SwitchedOff | Self::Declared => {
                State::Terminated
            }
            Self::OnLeave | Self::DeclaredLeave => State::Leave,
            Self::Suspended | Self::DeclaredSuspended => State::Suspended,
            Self::Contradiction
            | Self::TooFarAhead
            | Self::EndsBeforeStart
            | Self::Unmapped
            | Self::NotNamed
            | Self::NotMigrated
            | Self::NoEmployment
            | Self::OtherSourceStale
            | Self::Conflict
            | Self::PolicyConflict
            | Self::Other => State::Unknown,
        }
    }

    /// Reads the stored word; one that is not known is `Other`, which holds.
    #[must_use]
    pub fn from_stored(word: &str) -> Self {
        Self::ALL.into_iter().find(|why| why.as_str() == word).unwrap_or(Self::Other)
    }

    /// In words, for the Person.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Active => "active, no last day",
            Self::LeavesLater => "active until an announced last day",
            Self::EarlierEmployment => {
                "active; the last day lies before the start and belongs to an earlier employment"
            }
            Self::StartsLater => "starts later",
            Self::Contradiction => "active, but the last day has passed; correct it in the HR system",
            Self::LastDayPassed => "the last day has passed",
            Self::Terminated => "terminated",
            Self::Urgent => "terminated at once, for a reason that urgentReasons names",
            Self::ContractEnded => "active, although the contract was planned to end; nothing ends by that",
            Self::SwitchedOff => "the account has been switched off for as long as saysWhoLeft of the policy asks for",
            Self::DeclaredActive => "declared to work here, whatever HR says: see spec.declared",
            Self::DeclaredLeave => "declared to be on leave: see spec.declared",
            Self::DeclaredSuspended => "declared to be suspended: see spec.declared",
            Self::Declared => "declared to have left: see spec.declared",
            Self::TerminatedLater => "terminated as of a day still to come",
            Self::TooFarAhead => {
                "terminated as of a day more than a year ahead, which may be a mistyped year; correct it in the HR system"
            }
            Self::EndsBeforeStart => {
                "terminated, but the last day lies before the start and belongs to an earlier employment; correct it in the HR system"
            }
            Self::OnLeave => "on leave",
            Self::Suspended => "suspended or inactive",
            Self::Unmapped => "the status is empty or not mapped",
            Self::NothingSaid => "the source gives neither a status nor a last day: employed as long as it is listed",
            Self::NextFollows => "active, and the next employment follows",
            Self::Between => "between two employments; the gap to the next one is no exit",
            Self::NotNamed => {
                "spec.records has a record that no trusted response of the policy's connections has named; correct it, add its connection, or wait"
            }
            Self::NotMigrated => {
                "the connection of this record was replaced, and no record of the new one matches; link theirs with kubectl rollcall merge"
            }
            Self::NoEmployment => {
                "no HR record of a connection with the role Employment is theirs, so nothing says whether they work here"
            }
            Self::OtherSourceStale => {
                "ended, but another connection of the policy has no recent trusted response, and might say otherwise; see the connections"
            }
            Self::Conflict => {
                "name, address and first day all changed, so this id may now be another human's; delete this Person if it is, or correct it in the HR system"
            }
            Self::PolicyConflict => {
                "in the scope of two policies over one connection, so that neither decides; see ScopesSeparate of the policies"
            }
            Self::Other => "a reason of another version of Rollcall; the next trusted response replaces it",
        }
    }
}

/// What the facts say on a given day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerivedState {
    /// The state.
    pub state: State,
    /// The row of the table.
    pub why: Why,
}

/// The table of states. `today` is the person's own day; a last day of today is still to come.
///
/// A source whose status lags behind its own dates is not a contradiction: once a last day that a trusted answer announced
/// (`announced`) has passed, and the record's own last day too, the employment has ended, whatever the status still says.
/// A last day before the first day is the end of an earlier employment: it ends nothing once the next has begun, nor where
/// that begins within the gap that is no exit. What is urgent does not wait for its last day. The planned end of a contract is a last
/// day where the policy says so and there is no other one; what says `Terminated` already is not put off by it.
#[must_use]
pub fn derive_state(facts: &Facts, today: Date, terms: &Terms) -> DerivedState {
    let facts = &with_contract_end(facts, terms);
    let passed = facts.last_day.is_some_and(|day| day < today);
    let ahead = facts.last_day.is_some_and(|day| day >= today);
    let too_far = facts.last_day.is_some_and(|day| day > today.saturating_add(FARTHEST_DAYS.days()));
    let contract_ended = facts.contract_end.is_some_and(|day| day < today);
    let starts_later = facts.start.is_some_and(|day| day > today);
    let between = facts.start.zip(facts.last_day).filter(|(start, last)| last < start);
    let bridged = between.is_some_and(|(start, last)| start <= last.saturating_add(terms.bridged_days.days()));
    let earlier = between.is_some() && !starts_later;
    let as_announced = passed && facts.announced.is_some_and(|day| day < today) && !earlier && !bridged;
    if let Some(off) = facts.off {
        let (state, why) =
            if off.over { (State::Terminated, Why::SwitchedOff) } else { (State::Suspended, Why::Suspended) };
        return DerivedState { state, why };
    }
    let (state, why) = match facts.reported_status {
        ReportedStatus::Unmapped => (State::Unknown, Why::Unmapped),
        ReportedStatus::Mapped(Status::Terminated) if too_far => (State::Unknown, Why::TooFarAhead),
        ReportedStatus::Mapped(Status::Terminated) if ahead && facts.urgent => (State::Terminated, Why::Urgent),
        ReportedStatus::Mapped(Status::Terminated) if ahead => (State::Active, Why::TerminatedLater),
        ReportedStatus::Mapped(Status::Terminated) if earlier => (State::Unknown, Why::EndsBeforeStart),
        ReportedStatus::Mapped(Status::Terminated) if bridged => (State::PreHire, Why::StartsLater),
        ReportedStatus::Mapped(Status::Terminated) => (State::Terminated, Why::Terminated),
        ReportedStatus::Mapped(Status::Leave | Status::Suspended | Status::Active) | ReportedStatus::Silent
            if as_announced =>
        {
            (State::Terminated, Why::LastDayPassed)
        }
        ReportedStatus::Mapped(Status::Leave) => (State::Leave, Why::OnLeave),
        ReportedStatus::Mapped(Status::Suspended) => (State::Suspended, Why::Suspended),
        ReportedStatus::Mapped(Status::Active) | ReportedStatus::Silent if between.is_some() && ahead => {
            (State::Active, Why::LeavesLater)
        }
        ReportedStatus::Mapped(Status::Active) | ReportedStatus::Silent if starts_later => {
            (State::PreHire, Why::StartsLater)
        }
        ReportedStatus::Mapped(Status::Active) | ReportedStatus::Silent if earlier => {
            (State::Active, Why::EarlierEmployment)
        }
        ReportedStatus::Silent if passed => (State::Terminated, Why::LastDayPassed),
        ReportedStatus::Mapped(Status::Active) if passed => (State::Unknown, Why::Contradiction),
        ReportedStatus::Mapped(Status::Active) | ReportedStatus::Silent if ahead => (State::Active, Why::LeavesLater),
        ReportedStatus::Mapped(Status::Active) | ReportedStatus::Silent if contract_ended => {
            (State::Active, Why::ContractEnded)
        }
        ReportedStatus::Mapped(Status::Active) => (State::Active, Why::Active),
        ReportedStatus::Silent => (State::Active, Why::NothingSaid),
    };
    DerivedState { state, why }
}

/// The same facts, where the planned end of the contract is a last day.
#[must_use]
pub fn with_contract_end(facts: &Facts, terms: &Terms) -> Facts {
    let ends = terms.contract_end == ContractEnd::Terminate
        && facts.reported_status != ReportedStatus::Mapped(Status::Terminated);
    Facts { last_day: facts.last_day.or(facts.contract_end.filter(|_| ends)), ..*facts }
}

/// Whether an employment has begun whose record still carries the last day of the one before.
#[must_use]
pub fn begun_anew(facts: &Facts, today: Date) -> bool {
    matches!((facts.start, facts.last_day), (Some(start), Some(last)) if last < start && start <= today)
}

#[cfg(test)]
mod tests;
