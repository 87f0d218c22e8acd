//! The only place that turns answers and faults into conditions and the next time to look.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;

use super::watched;
use crate::api::condition::{self, Condition, ConditionUpdate};

/// The only error class of a driver. An answer that is not wanted (a held answer, a closed gate) is no fault.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// Something failed that is likely to work later; tried again by itself.
    #[error("{doing}: {cause}")]
    Transient {
        /// What was being done.
        doing: &'static str,
        /// Class of the failure, without any payload.
        cause: String,
    },
    /// Something outside has to happen first.
    #[error("{message}")]
    Waiting {
        /// Reason of the condition.
        reason: &'static str,
        /// What has to happen.
        message: String,
        /// When to look again.
        again: Duration,
    },
    /// The spec cannot be followed until somebody changes it.
    #[error("{0}")]
    Stalled(String),
}

impl Fault {
    /// Whether the API server refused the call for want of a right.
    #[must_use]
    pub fn forbidden(&self) -> bool {
        matches!(self, Self::Transient { cause, .. } if cause.starts_with("403"))
    }

    /// A call to the API server failed. Says code and reason, never the server's text, which may quote a payload.
    #[must_use]
    pub fn kube(doing: &'static str, error: &kube::Error) -> Self {
        Self::Transient { doing, cause: super::calls::describe(error) }
    }
}

impl From<crate::api::quantity::Unreadable> for Fault {
    fn from(error: crate::api::quantity::Unreadable) -> Self {
        Self::Stalled(error.to_string())
    }
}

/// What a driver reports when nothing failed.
#[derive(Debug)]
pub struct Report {
    /// Everything there is to say; `Ready` among it.
    pub words: Vec<ConditionUpdate>,
    /// When to look again at the latest.
    pub again: Duration,
}

/// First wait after a fault; doubles with every one in a row.
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// Longest wait after a fault.
const LAST_RETRY: Duration = Duration::from_secs(300);
/// Look at a stalled object again, in case what it names was mended elsewhere.
const STALLED_AGAIN: Duration = Duration::from_secs(600);

/// Conditions and the next time to look.
#[derive(Debug)]
pub struct Conclusion {
    /// All conditions of the object.
    pub conditions: Vec<Condition>,
    /// For the controller.
    pub action: Action,
    /// The same for a queue: when to look again at the latest.
    pub again: Duration,
}

/// Turns the result of one reconcile into conditions and the next time to look.
///
/// `standing` are the conditions on the object; those a fault says nothing of stay as they are.
/// `failures` counts the faults in a row before this one.
#[must_use]
pub fn conclude(
    standing: &[Condition],
    generation: Option<i64>,
    result: &Result<Report, Fault>,
    failures: u32,
    now: Timestamp,
) -> Conclusion {
    let (words, again) = match result {
        Ok(report) => {
            let conditions = condition::merge(standing, report.words.clone(), generation, now);
            watched::concluded(&conditions, None, failures);
            return Conclusion { conditions, action: Action::requeue(report.again), again: report.again };
        }
        Err(fault @ Fault::Transient { .. }) => {
            let again = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LAST_RETRY);
            (vec![condition::retrying(fault.to_string()), condition::reconciling("Tried again by itself.")], again)
        }
        Err(Fault::Waiting { reason, message, again }) => {
            (vec![condition::waiting(reason, message.clone()), condition::reconciling(message.clone())], *again)
        }
        Err(Fault::Stalled(message)) => {
            (vec![condition::waiting("Stalled", message.clone()), condition::stalled(message.clone())], STALLED_AGAIN)
        }
    };
    let mut conditions = condition::merge(standing, words, generation, now);
    watched::concluded(&conditions, result.as_ref().err(), failures);
    let kept = standing
        .iter()
        .filter(|old| ![condition::READY, condition::RECONCILING, condition::STALLED].contains(&old.type_.as_str()));
    conditions.extend(kept.cloned());
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
    Conclusion { conditions, action: Action::requeue(again), again }
}

/// Faults in a row by object uid.
#[derive(Default)]
pub struct Failures(Mutex<HashMap<String, u32>>);

impl Failures {
    /// Counts one reconcile, and says how many faults in a row came before it.
    pub fn count(&self, uid: &str, failed: bool) -> u32 {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = faults.remove(uid).unwrap_or(0);
        if failed {
            faults.insert(uid.to_owned(), before.saturating_add(1));
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transient() -> Result<Report, Fault> {
        Err(Fault::Transient { doing: "list", cause: "503".into() })
    }

    #[test]
    fn a_transient_fault_waits_longer_each_time_up_to_a_bound() {
        let waits: Vec<_> =
            [0, 1, 4, 40].map(|n| conclude(&[], None, &transient(), n, Timestamp::UNIX_EPOCH).action).into();
        let secs = [2, 4, 32, 300].map(|s| Action::requeue(Duration::from_secs(s)));
        assert_eq!(waits, secs);
    }

    #[test]
    fn a_fault_keeps_what_it_says_nothing_of() {
        let standing = condition::merge(&[], vec![condition::trusted(3)], None, Timestamp::UNIX_EPOCH);
        let concluded = conclude(&standing, None, &transient(), 0, Timestamp::UNIX_EPOCH);
        assert!(concluded.conditions.iter().any(|c| c.type_ == condition::TRUSTED && c.status == "True"));
    }
}
