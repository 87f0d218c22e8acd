//! The verdict table: what a status and its dates say of somebody today.
//!
//! Whose day it is today is `timezone`'; who takes notice of a verdict is `roster`'s.

use jiff::civil::Date;

use super::employee::{Said, Status};

/// What a source says about one person's employment, without who it is: enough to compute any day's verdict again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Status.
    pub said: Said,
    /// First day.
    pub start: Option<Date>,
    /// Last day.
    pub last_day: Option<Date>,
    /// The last day that a trusted answer announced while it was still to come.
    pub announced: Option<Date>,
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

/// Why a state was given: a row of the verdict table.
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
    /// Terminated with a last day still to come.
    TerminatedLater,
    /// On leave.
    OnLeave,
    /// Suspended.
    Suspended,
    /// The status is not mapped.
    Unmapped,
    /// The source has neither status nor end date.
    NothingSaid,
}

impl Why {
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
            Self::Contradiction => "Contradiction: active, but the last day has passed; correct it in the HR system",
            Self::LastDayPassed => "the last day has passed",
            Self::Terminated => "terminated",
            Self::TerminatedLater => "terminated as of a day still to come",
            Self::OnLeave => "on leave",
            Self::Suspended => "suspended or inactive",
            Self::Unmapped => "the status is empty or not mapped",
            Self::NothingSaid => "the source gives neither a status nor a last day: employed as long as it is listed",
        }
    }
}

/// What the facts say on a given day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The state.
    pub state: State,
    /// The row of the table.
    pub why: Why,
}

/// The verdict table. `today` is the person's own day; a last day of today is still to come.
///
/// A source whose status lags behind its own dates is not a contradiction: a last day that a trusted answer announced
/// while it was still to come (`announced`) ends the employment when it has passed, whatever the status still says.
#[must_use]
pub fn verdict(facts: &Facts, today: Date) -> Verdict {
    let passed = facts.last_day.is_some_and(|day| day < today);
    let ahead = facts.last_day.is_some_and(|day| day >= today);
    let starts_later = facts.start.is_some_and(|day| day > today);
    let earlier = matches!((facts.start, facts.last_day), (Some(start), Some(last)) if last < start);
    let announced = facts.last_day.is_some() && facts.announced == facts.last_day;
    let (state, why) = match facts.said {
        Said::Unmapped => (State::Unknown, Why::Unmapped),
        Said::Mapped(Status::Leave) => (State::Leave, Why::OnLeave),
        Said::Mapped(Status::Suspended) => (State::Suspended, Why::Suspended),
        Said::Mapped(Status::Terminated) if ahead => (State::Active, Why::TerminatedLater),
        Said::Mapped(Status::Terminated) => (State::Terminated, Why::Terminated),
        Said::Mapped(Status::Active) | Said::Silent if starts_later => (State::PreHire, Why::StartsLater),
        Said::Mapped(Status::Active) | Said::Silent if earlier => (State::Active, Why::EarlierEmployment),
        Said::Silent if passed => (State::Terminated, Why::LastDayPassed),
        Said::Mapped(Status::Active) if passed && announced => (State::Terminated, Why::LastDayPassed),
        Said::Mapped(Status::Active) if passed => (State::Unknown, Why::Contradiction),
        Said::Mapped(Status::Active) | Said::Silent if ahead => (State::Active, Why::LeavesLater),
        Said::Mapped(Status::Active) => (State::Active, Why::Active),
        Said::Silent => (State::Active, Why::NothingSaid),
    };
    Verdict { state, why }
}

#[cfg(test)]
mod tests;
