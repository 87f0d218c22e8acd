//! What the reader can do about what holds: a command, or a correction.

use super::{Answer, Freshness, Manages, Says, Source, Told};
use crate::api::condition::Reason;
use crate::api::revocation::Phase;
use domain::lifecycle::Why;

/// What the reader can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Approve a Revocation.
    Approve(String),
    /// Approve a batch.
    ApproveBatch(String),
    /// Decide what waits.
    Waiting,
    /// Take a rejection back.
    Unreject(String),
    /// Try a Revocation again.
    Retry(String),
    /// Lift the global stop.
    LiftStop,
    /// Take the hold off a Person.
    LiftHold(String),
    /// Look at a connection.
    Connection(String),
    /// Accept a response that is held.
    Accept(String, String),
    /// Look at a policy.
    Policy(String),
    /// Correct a record in the HR system.
    CorrectInHr(String),
    /// Map the status words of a connection.
    MapStatuses(String),
    /// Take a record off that nobody names.
    Split(String),
    /// Give the human of a record the one that the new connection has of them.
    Merge(String),
    /// Show a Revocation with all that remains.
    Revocation(String),
    /// Erase a leaver who is out.
    Erase(String),
}

/// What the reader can do about what holds.
pub fn of(answer: &Answer) -> Vec<Command> {
    let mut commands = Vec::new();
    for told in answer.told.iter().filter(|told| told.present) {
        commands.extend(about_revocation(told, answer));
    }
    for says in &answer.says {
        commands.extend(about_record(says));
    }
    for source in &answer.sources {
        commands.extend(about_source(source));
    }
    if let Manages::Policy { name, settled: false, .. }
    | Manages::Policy { name, trouble: Some(_), .. }
    | Manages::Gone(name) = &answer.policy
    {
        commands.push(Command::Policy(name.clone()));
    }
    if answer.access.as_ref().is_some_and(|shown| matches!(shown.reason, Some(Reason::Refused | Reason::NothingFound)))
        && answer
            .told
            .iter()
            .all(|told| matches!(told.phase, Phase::Revoked | Phase::Cancelled | Phase::Frozen | Phase::Lifted))
    {
        commands.push(Command::Erase(answer.person.clone()));
    }
    let mut once = Vec::new();
    for command in commands {
        if !once.contains(&command) {
            once.push(command);
        }
    }
    once
}

fn about_source(source: &Source) -> Option<Command> {
    match (&source.held, source.freshness) {
        (Some((_, Some(response))), _) => Some(Command::Accept(source.name.clone(), response.clone())),
        (Some((_, None)), _) | (_, Freshness::Gone | Freshness::NeverTrusted | Freshness::Stale(_)) => {
            Some(Command::Connection(source.name.clone()))
        }
        (None, Freshness::Fresh(_)) => None,
    }
}

/// What to do about a reason that holds.
fn about_record(says: &Says) -> Option<Command> {
    let connection = || says.record.split('/').next().unwrap_or_default().to_owned();
    match says.why {
        Some(Why::Contradiction | Why::TooFarAhead | Why::EndsBeforeStart | Why::Conflict) => {
            Some(Command::CorrectInHr(says.record.clone()))
        }
        Some(Why::Unmapped) => Some(Command::MapStatuses(connection())),
        Some(Why::NotNamed) | None => Some(Command::Split(says.record.clone())),
        Some(Why::NotMigrated) => Some(Command::Merge(says.record.clone())),
        Some(
            Why::Active
            | Why::LeavesLater
            | Why::EarlierEmployment
            | Why::StartsLater
            | Why::LastDayPassed
            | Why::Terminated
            | Why::Urgent
            | Why::ContractEnded
            | Why::SwitchedOff
            | Why::Declared
            | Why::DeclaredActive
            | Why::DeclaredLeave
            | Why::DeclaredSuspended
            | Why::NoEmployment
            | Why::TerminatedLater
            | Why::OnLeave
            | Why::Suspended
            | Why::NothingSaid
            | Why::NextFollows
            | Why::Between
            | Why::PolicyConflict // the policies' condition names what to change
            | Why::OtherSourceStale // its connection is spoken of
            | Why::Other,
        ) => None,
    }
}

/// What to do about a Revocation that does not go on by itself.
fn about_revocation(told: &Told, answer: &Answer) -> Option<Command> {
    let name = told.name.clone();
    match told.phase {
        Phase::Failed => return Some(Command::Retry(name)),
        Phase::Revoked | Phase::Released if told.remaining.is_empty() && told.returned + told.again == 0 => {
            return None;
        }
        Phase::Revoked | Phase::Released => return Some(Command::Revocation(name)),
        Phase::Cancelled | Phase::Frozen | Phase::Lifted => return None,
        Phase::Held => {}
    }
    let gate = told.gate.as_ref()?;
    match gate.reason? {
        Reason::Late | Reason::Baseline | Reason::LeavesScope | Reason::ApprovalExpired => Some(Command::Approve(name)),
        Reason::LedgerFull => Some(Command::Waiting),
        Reason::OverLimit | Reason::OverClusterLimit => {
            Some(gate.batch.clone().map_or(Command::Approve(name), Command::ApproveBatch))
        }
        Reason::Rejected => Some(Command::Unreject(name)),
        Reason::GlobalStop => Some(Command::LiftStop),
        Reason::Hold => Some(Command::LiftHold(answer.person.clone())),
        Reason::Observe | Reason::Unsettled | Reason::Protected | Reason::OutOfScope => match &answer.policy {
            Manages::Policy { name, .. } | Manages::Gone(name) => Some(Command::Policy(name.clone())),
            Manages::Nobody => None,
        },
        _ => None, // it opens by itself, or with a new response
    }
}
