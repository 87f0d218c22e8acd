//! Control's part of a Revocation that tells of its hooks.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::VerdictKind;
use crate::api::policy::When;

/// A hook of this Revocation, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookRun {
    /// Name of its CronJob.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Whether it runs before or after the acts.
    pub when: When,
    /// How its newest attempt ended, or how far it is.
    pub outcome: HookOutcome,
    /// Once it has ended: `Implied` where its Job ended well, which is the hook's own word; `Refuted` where it was seen to fail or not to start;
    /// `Unknown` where nobody saw how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictKind>,
    /// In words: what went wrong, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub message: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// Seconds that one attempt may take, as the policy said when the hook came to its turn.
    pub timeout_seconds: u32,
    /// When it came to its turn, in UTC.
    pub started: Timestamp,
    /// When its newest attempt was begun, while that is at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// Its newest Job, in the namespace of hooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub job: Option<String>,
    /// Uid of that Job, once it was seen to stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub job_uid: Option<String>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Timestamp>,
    /// When it came to its end, well or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// How an attempt of a hook ended, or how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HookOutcome {
    /// It was not begun yet.
    Waiting,
    /// Its Job is at work, or about to be made.
    Begun,
    /// Its Job ended well.
    Done,
    /// Its Job failed.
    Failed,
    /// It took longer than its timeout.
    TimedOut,
    /// Its Job could not be made: `message` says why.
    NotStarted,
    /// Its Job is gone, and nobody saw how it ended.
    Lost,
    /// The person works here again, or is out of scope: it was not begun.
    Skipped,
}

impl HookOutcome {
    /// Whether an attempt can end by it.
    #[must_use]
    pub const fn is_end(self) -> bool {
        !matches!(self, Self::Waiting | Self::Begun)
    }
}

impl HookRun {
    /// Whether it has not come to its end.
    #[must_use]
    pub const fn pending(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether it ended, and neither well nor for want of a reason.
    #[must_use]
    pub const fn failed(&self) -> bool {
        self.ended.is_some() && !matches!(self.outcome, HookOutcome::Done | HookOutcome::Skipped)
    }
}
