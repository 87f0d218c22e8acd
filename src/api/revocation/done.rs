//! The revoker's part of a Revocation: who works on it, what was done, what was seen afterwards, and how it ended.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{RevocationStatus, Rotation, Target};

/// Who works on a Revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Name of the pod, or of the process.
    #[schemars(length(max = 253))]
    pub by: String,
    /// When it was last renewed; after 20 seconds without a change another Job may take it over.
    pub at: Timestamp,
    /// Which attempt it works on; an end that is of an earlier one says nothing of the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

impl RevocationStatus {
    /// How the revoker ended the newest attempt; `None` while it has not.
    #[must_use]
    pub fn outcome(&self) -> Option<Finished> {
        let of_newest = self.claim.as_ref().and_then(|claim| claim.attempt) == self.attempt;
        self.finished.filter(|_| of_newest)
    }
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The object of the plan that it was done to.
    pub target: Target,
    /// How the step ended, as the API server answered; that nothing works any more is said by `verdicts`.
    pub outcome: StepOutcome,
    /// Uid of the object that stands in its place, for a recreated account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub new_uid: Option<String>,
    /// Of a Secret: how far its rotation is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// In words: the layer that refused, what was found instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub message: Option<String>,
    /// Instant of that response, in UTC, such as `2026-03-01T00:00:05Z`.
    pub at: Timestamp,
}

/// How a step ended: a response of the API server, and no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StepOutcome {
    /// Its manifest is written; the act may or may not have happened.
    Begun,
    /// The API server said it is done. No verdict yet.
    Done,
    /// It was gone already, or its place was taken by an object with another uid.
    AlreadyGone,
    /// Deleted, and not created again: its namespace is being deleted, or a policy or a quota refused the new account. Its
    /// tokens are dead all the same.
    NotRecreated,
    /// The revoker's own live reads said no; nothing was done.
    Skipped,
    /// The API server refused it: `message` names RBAC or the admission policy.
    Refused,
    /// It did not come to an end in time, such as an account held by a foreign finalizer.
    Failed,
    /// A Secret was fetched again, and has the value it had: nothing was rotated.
    Unchanged,
}

/// What the API server was seen to say of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The object of the plan that it is about.
    pub target: Target,
    /// What follows from what was seen: `Observed`, `Implied` and `Adopted` are proof, `Refuted` and `Unknown` are none.
    pub verdict: VerdictKind,
    /// What was asked and answered, without any secret.
    #[schemars(length(max = 512))]
    pub how: String,
    /// Instant at which it was seen, in UTC, such as `2026-03-01T00:00:16Z`.
    pub at: Timestamp,
}

/// Whether a target is proved to be of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum VerdictKind {
    /// The API server was seen refusing the credential itself.
    Observed,
    /// The account's or binding's uid is gone on a consistent read.
    Implied,
    /// A Secret has a new value, and every pod that uses it was started after that was written.
    Adopted,
    /// It was seen still working.
    Refuted,
    /// Nothing could be seen that proves either.
    Unknown,
}

/// The first act of a cut: user names that are refused what changes anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FirstFreeze {
    /// The names that are frozen, and that they were read on the list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub verdicts: Vec<Verdict>,
    /// When the list was first written, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted: Option<Timestamp>,
    /// When it was last read back, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// When it was lifted, in UTC: the termination was taken back, or a human said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Timestamp>,
    /// Why nothing is frozen. The cut goes on all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub message: Option<String>,
}

impl FirstFreeze {
    /// Whether it stands.
    #[must_use]
    pub const fn stands(&self) -> bool {
        self.acted.is_some() && self.lifted.is_none()
    }
}

/// A manifest written ahead of what deletes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Uid of the object that was deleted, as `plan.targets` has it.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// The object as JSON, without what the API server writes.
    #[schemars(length(max = 65536))]
    pub manifest: String,
    /// SHA-256 of `manifest`, as lower-case hex.
    #[schemars(length(max = 64))]
    pub sha256: String,
}

/// Something of the person that remains.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remaining {
    /// What: kind, namespace and name.
    #[schemars(length(max = 512))]
    pub what: String,
    /// Why it remains: `SharedBinding`, `WorkloadAccount`, `NoConsent`, …
    #[schemars(length(max = 64))]
    pub why: String,
    /// What an admin can do about it, in a sentence.
    #[schemars(length(max = 512))]
    pub advice: String,
    /// Until when, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How the revoker's work on a Revocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Finished {
    /// Every account and binding is refused: `Observed` or `Implied`. What was not rotated, or not adopted, is in `remaining`.
    Revoked,
    /// Not every target is proved refused.
    Failed,
    /// The person came back in the midst of it: what was deleted is there again, and nothing else was touched.
    Stopped,
}
