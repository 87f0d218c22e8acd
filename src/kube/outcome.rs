//! The only place that turns answers and faults into conditions and the next time to look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::runtime::controller::Action;

use super::watched;
use crate::api::condition::{self, Condition, ConditionType, ConditionUpdate, Reason};

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
    /// A call to the API server failed; tried again by itself. Its text is the kind, never the server's message, which
    /// may quote what was sent.
    #[error("{doing}: {kind}")]
    Call {
        /// What was being done.
        doing: &'static str,
        /// How it failed.
        kind: CallFailure,
        /// The client's own error; none when the call was given up for want of an answer.
        source: Option<Arc<kube::Error>>,
    },
    /// Something outside has to happen first.
    #[error("{message}")]
    Waiting {
        /// Reason of the condition.
        reason: Reason,
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
    /// How the call to the API server failed, if that is what this fault is.
    #[must_use]
    pub const fn call_failure(&self) -> Option<CallFailure> {
        match self {
            Self::Call { kind, .. } => Some(*kind),
            Self::Transient { .. } | Self::Waiting { .. } | Self::Stalled(_) => None,
        }
    }

    /// Whether the API server refused the call for want of a right, or by a policy.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.call_failure() == Some(CallFailure::Forbidden)
    }

    /// Whether somebody else wrote first, or a precondition did not hold, or the object exists already.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.call_failure() == Some(CallFailure::Conflict)
    }

    /// Whether the API server said that the object is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.call_failure() == Some(CallFailure::NotFound)
    }

    /// Whether the API server refused the call for good: the same call will be refused again.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.call_failure(), Some(CallFailure::Forbidden | CallFailure::Invalid))
    }

    /// What the API server said. It may quote what was sent: only for who knows that nothing secret was.
    #[must_use]
    pub fn server_message(&self) -> Option<&str> {
        match self {
            Self::Call { source: Some(source), .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(&status.message),
                _ => None,
            },
            _ => None,
        }
    }

    /// A call to the API server failed.
    #[must_use]
    pub fn call(doing: &'static str, error: kube::Error) -> Self {
        Self::Call { doing, kind: CallFailure::of(&error), source: Some(Arc::new(error)) }
    }

    /// A call to the API server was not answered in time.
    #[must_use]
    pub const fn unanswered(doing: &'static str) -> Self {
        Self::Call { doing, kind: CallFailure::Timeout, source: None }
    }
}

/// How a call to the API server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// 400: the request makes no sense to it.
    BadRequest,
    /// 401: the credential is not taken.
    Unauthorized,
    /// 403: a right is missing, or a policy refused.
    Forbidden,
    /// 404.
    NotFound,
    /// 409: changed or made by somebody else, or another object than was meant.
    Conflict,
    /// 410: the version or the page asked for is no longer kept.
    Expired,
    /// 422: the object is not valid.
    Invalid,
    /// 429: asked to wait.
    TooManyRequests,
    /// No answer in time, or 408 or 504.
    Timeout,
    /// The server has an error of its own: 5xx.
    Server,
    /// Another answer of the API server.
    Status(u16),
    /// No connection.
    Unreachable,
    /// An answer that could not be read.
    Unreadable,
    /// The request could not be made.
    Unsent,
}

impl CallFailure {
    /// How this call failed.
    #[must_use]
    pub fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_code(status.code),
            kube::Error::Auth(_) => Self::Unauthorized,
            kube::Error::Service(_) | kube::Error::HyperError(_) => Self::Unreachable,
            kube::Error::SerdeError(_) => Self::Unreadable,
            _ => Self::Unsent,
        }
    }

    /// Whether the same call may be answered otherwise a moment later.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        match self {
            Self::TooManyRequests
            | Self::Timeout
            | Self::Server
            | Self::Unreachable
            | Self::Unreadable
            | Self::Unsent => true,
            Self::BadRequest
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::Expired
            | Self::Invalid
            | Self::Status(_) => false,
        }
    }

    const fn of_code(code: u16) -> Self {
        match code {
            400 => Self::BadRequest,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            409 => Self::Conflict,
            410 => Self::Expired,
            422 => Self::Invalid,
            429 => Self::TooManyRequests,
            500..=599 => Self::Server,
            other => Self::Status(other),
        }
    }
}

impl std::fmt::Display for CallFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BadRequest => "the API server could not make sense of the request (400)",
            Self::Unauthorized => "the credential for the API server is not accepted (401)",
            Self::Forbidden => "refused by the API server (403)",
            Self::NotFound => "not found (404)",
            Self::Conflict => "changed by somebody else at the same time (409)",
            Self::Expired => "too old for the API server (410)",
            Self::Invalid => "not valid for the API server (422)",
            Self::TooManyRequests => "the API server asks to wait (429)",
            Self::Timeout => "no answer in time",
            Self::Server => "the API server failed (5xx)",
            Self::Status(code) => return write!(f, "the API server answered {code}"),
            Self::Unreachable => "the API server cannot be reached",
            Self::Unreadable => "the API server's answer could not be read",
            Self::Unsent => "the request could not be made",
        })
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
    /// Every condition to show; `Ready` among them.
    pub updates: Vec<ConditionUpdate>,
    /// When to look again at the latest.
    pub again: Duration,
}

/// First wait after a fault; doubles with every one in a row.
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// Longest wait after a fault.
const LAST_RETRY: Duration = Duration::from_secs(300);
/// Look at a stalled object again, in case what it names was corrected elsewhere.
const STALLED_AGAIN: Duration = Duration::from_secs(600);

/// Types that every outcome writes or drops.
const KSTATUS: [ConditionType; 3] = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled];

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
/// `shown` are the conditions on the object; a fault leaves all but the three of kstatus as they are.
/// `failures` counts the faults in a row before this one.
#[must_use]
pub fn conclude(
    shown: &[Condition],
    generation: Option<i64>,
    result: &Result<Report, Fault>,
    failures: u32,
    now: Timestamp,
) -> Conclusion {
    let (updates, again) = match result {
        Ok(report) => {
            let conditions = condition::merge(shown, report.updates.clone(), generation, now);
            watched::concluded(&conditions, None, failures);
            return Conclusion { conditions, action: Action::requeue(report.again), again: report.again };
        }
        Err(fault @ (Fault::Transient { .. } | Fault::Call { .. })) => {
            let again = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LAST_RETRY);
            (vec![condition::retrying(fault.to_string()), condition::reconciling("Tried again by itself.")], again)
        }
        Err(Fault::Waiting { reason, message, again }) => {
            (vec![condition::waiting(*reason, message.clone()), condition::reconciling(message.clone())], *again)
        }
        Err(Fault::Stalled(message)) => (
            vec![condition::waiting(Reason::Stalled, message.clone()), condition::stalled(message.clone())],
            STALLED_AGAIN,
        ),
    };
    let mut conditions = condition::merge(shown, updates, generation, now);
    watched::concluded(&conditions, result.as_ref().err(), failures);
    let kept = shown.iter().filter(|old| !KSTATUS.iter().any(|type_| old.type_ == type_.as_str()));
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
    fn a_call_that_failed_is_known_by_its_kind_and_told_without_the_servers_words() {
        let answer = |code| {
            let status = kube::core::Status::failure("user ada@example.com, token abc", "Secret").with_code(code);
            Fault::call("read", kube::Error::Api(Box::new(status)))
        };
        let kinds: Vec<_> = [403, 404, 409, 422, 429, 500, 504, 418].map(|code| answer(code).call_failure()).into();
        let expected = [
            CallFailure::Forbidden,
            CallFailure::NotFound,
            CallFailure::Conflict,
            CallFailure::Invalid,
            CallFailure::TooManyRequests,
            CallFailure::Server,
            CallFailure::Timeout,
            CallFailure::Status(418),
        ];
        assert_eq!(kinds, expected.map(Some));
        assert!(answer(403).is_forbidden() && answer(409).is_conflict() && answer(404).is_not_found());
        assert_eq!(answer(409).to_string(), "read: changed by somebody else at the same time (409)");
        assert_eq!(Fault::unanswered("read").to_string(), "read: no answer in time");
        assert_eq!(transient().unwrap_err().call_failure(), None);
    }

    #[test]
    fn a_fault_keeps_what_it_says_nothing_of() {
        let shown = condition::merge(&[], vec![condition::trusted(3)], None, Timestamp::UNIX_EPOCH);
        let concluded = conclude(&shown, None, &transient(), 0, Timestamp::UNIX_EPOCH);
        assert!(concluded.conditions.iter().any(|c| c.is(ConditionType::Trusted, condition::Status::True)));
    }
}
