//! What of a pass is worth an Event.

use crate::api::condition::Reason;
use domain::moves::in_words;
use domain::roster::{Change, LifecycleEvent, RecordKey};

/// Something to say on a Person.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// Name of the Person.
    pub person: String,
    /// Reason of the event.
    pub reason: Reason,
    /// In words, with ids only.
    pub note: String,
    /// Whether somebody should look at it.
    pub wrong: bool,
}

/// The Event of a turn of somebody's working life. A baseline's leavers left before anybody looked: they are no news. People whom a changed policy puts
/// out of scope, or into it, are one Event on the policy.
pub(super) fn news(change: &Change, settled: bool) -> Option<News> {
    let who = records_in_words(&change.records);
    let (reason, note) = match change.event? {
        LifecycleEvent::Terminated | LifecycleEvent::OutOfScope | LifecycleEvent::InScope if !settled => {
            return None;
        }
        LifecycleEvent::Terminated => {
            let run = change.entry.employment.left.as_ref().and_then(|left| left.run.as_deref()).unwrap_or_default();
            (
                Reason::Terminated,
                format!("{who} has left: {}. Counted in run {run}.", change.entry.employment.message()),
            )
        }
        LifecycleEvent::Withdrawn => (
            Reason::TerminationWithdrawn,
            format!("{who} works here again: the termination was taken back. Nothing is restored by itself."),
        ),
        LifecycleEvent::Rehired => {
            (Reason::Rehired, format!("{who} works here again, in a new employment. Nothing is restored by itself."))
        }
        LifecycleEvent::OutOfScope => {
            (Reason::OutOfScope, format!("{who} is {}. This ends nobody's access.", change.entry.employment.message()))
        }
        LifecycleEvent::InScope if change.entry.employment.left.is_some() => {
            (Reason::InScope, format!("{who} is in scope again, and has left: its Revocation needs approval."))
        }
        LifecycleEvent::Moved => (Reason::Moved, moved(&who, change)?),
        LifecycleEvent::InScope => (Reason::InScope, format!("{who} is in scope again.")),
        LifecycleEvent::Conflicting => (Reason::Conflict, format!("{who}: {}.", change.entry.employment.message())),
    };
    let wrong = change.event == Some(LifecycleEvent::Conflicting);
    Some(News { person: change.name.clone(), reason, note, wrong })
}

fn moved(who: &str, change: &Change) -> Option<String> {
    let moves = change.entry.moves.as_ref()?;
    let due = moves.review.as_ref();
    let due = due.map(|review| format!(" A review of their access is due at {:.0}.", review.due)).unwrap_or_default();
    Some(format!("{who} has moved: {}.{due}", in_words(&moves.last.as_ref()?.fields)))
}

/// `HR record hq/7`, or `HR records hq/7, contractors/c7`.
fn records_in_words(records: &[RecordKey]) -> String {
    let all: Vec<_> = records.iter().map(ToString::to_string).collect();
    format!("HR record{} {}", if all.len() == 1 { "" } else { "s" }, all.join(", "))
}
