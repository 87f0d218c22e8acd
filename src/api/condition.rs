//! Conditions are a vocabulary: every type and reason of every kind, one constructor a reason.
//!
//! The doc line of a constructor says when it appears and what the reader does next; the message says it to the
//! reader, with ids only, never a name or an address. Tests compare with these constructors.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A condition as it stands on an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Its type.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[schemars(length(min = 4, max = 7))]
    pub status: String,
    /// One CamelCase word.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// What happened, to which id, and the next step.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Generation of the spec it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When its status last changed.
    pub last_transition_time: Timestamp,
}

/// What a driver says, before it is merged with what stood there: a word of the vocabulary below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    /// Type of the condition.
    pub type_: &'static str,
    /// Its status.
    pub status: Status,
    /// Its reason.
    pub reason: &'static str,
    /// Its message.
    pub message: String,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nothing can be said yet.
    Unknown,
}

impl Status {
    const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// kstatus: the object is as its spec says.
pub const READY: &str = "Ready";
/// kstatus: work is under way.
pub const RECONCILING: &str = "Reconciling";
/// kstatus: nothing will happen until a human does something.
pub const STALLED: &str = "Stalled";
/// Of a connection: the source answered.
pub const REACHABLE: &str = "Reachable";
/// Of a connection: its newest answer was believed.
pub const TRUSTED: &str = "Trusted";
/// Of a connection: every status word is mapped.
pub const RECOGNISED: &str = "Recognised";
/// Of a connection: people carry an id of their own.
pub const STABLE_IDS: &str = "StableIds";
/// Of a connection: answers show who left.
pub const TELLS_LEAVERS: &str = "TellsLeavers";
/// Of a policy: leavers of the newest baseline.
pub const BASELINE: &str = "Baseline";
/// Of a policy: every location has a time zone.
pub const LOCATIONS_MATCHED: &str = "LocationsMatched";
/// Of a person: their credentials are refused.
pub const REVOKED: &str = "Revoked";
/// Of a revocation: a credential came back.
pub const RETURNED: &str = "Returned";

/// Reason of `Ready`: what was released waits, because the revoker's Job is refused, or its pod is.
pub const REVOKER_CANNOT_START: &str = "RevokerCannotStart";
/// Reason of `Ready`: the revoker's last Jobs failed, and the next one is started later.
pub const REVOKER_FAILED: &str = "RevokerFailed";

/// Longest message that is written; longer ones end in `…`.
const LONGEST: usize = 1000;

const fn word(type_: &'static str, status: Status, reason: &'static str, message: String) -> ConditionUpdate {
    ConditionUpdate { type_, status, reason, message }
}

/// Writes words over the conditions that stand there.
///
/// A condition's transition time moves only with its status; a type no word is said of is dropped. Ordered by type, so
/// that equal input gives equal output.
#[must_use]
pub fn merge(
    standing: &[Condition],
    words: Vec<ConditionUpdate>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let mut merged: Vec<Condition> = words
        .into_iter()
        .map(|word| {
            let status = word.status.as_str();
            let since = standing
                .iter()
                .find(|condition| condition.type_ == word.type_ && condition.status == status)
                .map_or(now, |condition| condition.last_transition_time);
            Condition {
                type_: word.type_.to_owned(),
                status: status.to_owned(),
                reason: word.reason.to_owned(),
                message: shorten(word.message),
                observed_generation: generation,
                last_transition_time: since,
            }
        })
        .collect();
    merged.sort_by(|a, b| a.type_.cmp(&b.type_));
    merged
}

/// Cuts a message to what the schema takes, at a character's edge.
fn shorten(message: String) -> String {
    if message.chars().count() <= LONGEST {
        return message;
    }
    let mut short: String = message.chars().take(LONGEST).collect();
    short.push('…');
    short
}

// ---- Every kind ----------------------------------------------------------------------------------------------------

/// The object is as its spec says; nothing to do.
#[must_use]
pub fn ready(message: impl Into<String>) -> ConditionUpdate {
    word(READY, Status::True, "Succeeded", message.into())
}

/// The last reconcile failed and will be tried again by itself; look at the message if it stays.
#[must_use]
pub fn retrying(message: impl Into<String>) -> ConditionUpdate {
    word(READY, Status::False, "Retrying", message.into())
}

/// Something outside must happen first: the message names it.
#[must_use]
pub fn waiting(reason: &'static str, message: impl Into<String>) -> ConditionUpdate {
    word(READY, Status::False, reason, message.into())
}

/// Work is under way; appears with `Ready` that is not `True`.
#[must_use]
pub fn reconciling(message: impl Into<String>) -> ConditionUpdate {
    word(RECONCILING, Status::True, "Progressing", message.into())
}

/// The spec cannot be followed; change what the message names.
#[must_use]
pub fn stalled(message: impl Into<String>) -> ConditionUpdate {
    word(STALLED, Status::True, "InvalidSpec", message.into())
}

// ---- HRConnection --------------------------------------------------------------------------------------------------

/// The source gave an answer.
#[must_use]
pub fn reachable() -> ConditionUpdate {
    word(REACHABLE, Status::True, "Answered", "The source answered.".to_owned())
}

/// The source gave no usable answer; `reason` and message say how, and nothing was changed.
#[must_use]
pub fn unreachable(reason: &'static str, message: impl Into<String>) -> ConditionUpdate {
    word(REACHABLE, Status::False, reason, message.into())
}

/// The newest answer was believed.
#[must_use]
pub fn trusted(employees: usize) -> ConditionUpdate {
    word(TRUSTED, Status::True, "Trusted", format!("{employees} people, believed."))
}

/// The newest answer was not believed; the last trusted one still stands. The message says what to do.
#[must_use]
pub fn held(reason: &'static str, message: impl Into<String>) -> ConditionUpdate {
    word(TRUSTED, Status::False, reason, message.into())
}

/// Some people carry a status nobody mapped; add the words in `status.unmappedStatuses` to the mapping.
#[must_use]
pub fn unmapped_statuses(words: usize, people: u32) -> ConditionUpdate {
    word(
        RECOGNISED,
        Status::False,
        "UnmappedStatus",
        format!(
            "{people} people carry {words} status words nobody mapped; they hold as Unknown. Map the words in status.unmappedStatuses."
        ),
    )
}

/// Every status word is mapped.
#[must_use]
pub fn recognised() -> ConditionUpdate {
    word(RECOGNISED, Status::True, "Mapped", "Everybody's status is mapped.".to_owned())
}

/// The source gives an id of its own for everybody.
#[must_use]
pub fn stable_ids() -> ConditionUpdate {
    word(STABLE_IDS, Status::True, "OwnIds", "People carry the source's own id.".to_owned())
}

/// The source gives no id of its own, so a changed address looks like another person; add the id column if there is one.
#[must_use]
pub fn weak_identity() -> ConditionUpdate {
    word(
        STABLE_IDS,
        Status::False,
        "WeakIdentity",
        "The source gives no employee id: people are keyed by a digest of their address, so a changed address is another person.".to_owned(),
    )
}

/// Answers show people who have left, or last days.
#[must_use]
pub fn leavers_seen(message: impl Into<String>) -> ConditionUpdate {
    word(TELLS_LEAVERS, Status::True, "LeaversSeen", message.into())
}

/// No answer shows anybody who has left, or a last day: everybody stays employed for as long as that is so. Look at the
/// permissions of the credential, at filters of the export, and at the mapping.
#[must_use]
pub fn no_leaver_seen(since: Option<Timestamp>) -> ConditionUpdate {
    let since = since.map_or_else(|| "yet".to_owned(), |since| format!("since {since}"));
    word(
        TELLS_LEAVERS,
        Status::False,
        "NoLeaverSeen",
        format!(
            "No answer has shown anybody who has left, or a last day, {since}. If people have left, this source does not tell it, and nobody's access ends by it: let the credential or the export include former employees, and map their status or their last day."
        ),
    )
}

/// The newest answer is older than the connection allows; removals wait.
#[must_use]
pub fn stale(message: impl Into<String>) -> ConditionUpdate {
    waiting("Stale", message)
}

/// Polling is paused by `spec.suspend` until the given instant.
#[must_use]
pub fn suspended(reason: &str, until: Timestamp) -> ConditionUpdate {
    waiting("Suspended", format!("Suspended until {until}: {reason}. Announced last days still cut on time."))
}

// ---- SyncPolicy ----------------------------------------------------------------------------------------------------

/// The newest baseline brought no leavers, or none that waits.
#[must_use]
pub fn baseline_clear() -> ConditionUpdate {
    word(
        BASELINE,
        Status::True,
        "Settled",
        "The baseline is settled: later leavers act by themselves, within the limits.".to_owned(),
    )
}

/// The newest baseline brought leavers, or people came into scope who had left; each needs approval.
#[must_use]
pub fn baseline_leavers(leavers: u32) -> ConditionUpdate {
    word(
        BASELINE,
        Status::True,
        "LeaversNeedApproval",
        format!(
            "{leavers} people had left already when this baseline was taken, when they came into scope, or when they were first seen. See `kubectl get revocations`, then approve each, or the batch, if that is right."
        ),
    )
}

/// Of a policy: its connection is not there.
pub const CONNECTION_MISSING: &str = "ConnectionMissing";

/// The spec cannot be followed; change what the message names. Last days that were announced, and leavers who are known,
/// do not wait for it.
#[must_use]
pub fn not_followed(message: impl Into<String>) -> ConditionUpdate {
    waiting("Stalled", message)
}

/// No trusted answer has come since the policy, its connection or the source changed; look at the connection.
#[must_use]
pub fn answer_awaited(message: impl Into<String>) -> ConditionUpdate {
    waiting("BaselineAwaited", message)
}

/// There would be more people to manage than a policy takes: nobody new is added, everybody who stands goes on. Narrow
/// `spec.scope`.
#[must_use]
pub fn too_many_people(connection: &str, people: u32, most: u32) -> ConditionUpdate {
    waiting(
        "TooManyPeople",
        format!(
            "Connection {connection} would bring {people} people to manage, and a policy takes {most}. Nobody new is added; everybody who stands goes on. Narrow spec.scope."
        ),
    )
}

/// No trusted answer has come since the policy, or what a baseline is made of, changed.
#[must_use]
pub fn baseline_awaited() -> ConditionUpdate {
    word(
        BASELINE,
        Status::False,
        "Awaited",
        "The next trusted answer of the connection becomes the baseline.".to_owned(),
    )
}

/// Some locations are in no entry of `timeZones.byLocation`; their people's days are counted in the default zone.
#[must_use]
pub fn locations_unmatched(people: usize) -> ConditionUpdate {
    word(
        LOCATIONS_MATCHED,
        Status::False,
        "DefaultZoneUsed",
        format!(
            "{people} people have a location that timeZones.byLocation does not name; their days are counted in the default zone."
        ),
    )
}

/// Every location with people has a time zone.
#[must_use]
pub fn locations_matched() -> ConditionUpdate {
    word(LOCATIONS_MATCHED, Status::True, "Matched", "Every location has a time zone.".to_owned())
}

// ---- Person --------------------------------------------------------------------------------------------------------

/// The person's credentials were seen refused, or are implied to be.
#[must_use]
pub fn revoked(message: impl Into<String>) -> ConditionUpdate {
    word(REVOKED, Status::True, "Refused", message.into())
}

/// The person has left and access stands; the message names the gate and the next step.
#[must_use]
pub fn not_revoked(reason: &'static str, message: impl Into<String>) -> ConditionUpdate {
    word(REVOKED, Status::False, reason, message.into())
}

// ---- Revocation ----------------------------------------------------------------------------------------------------

/// The revoker ended and not every target is proved refused; mend what the message names.
#[must_use]
pub fn not_refused(message: impl Into<String>) -> ConditionUpdate {
    word(STALLED, Status::True, "NotRefused", message.into())
}

/// A credential of the leaver was made again after the act; find who applies it, and remove it there.
#[must_use]
pub fn returned(count: usize) -> ConditionUpdate {
    word(
        RETURNED,
        Status::True,
        "CameBack",
        format!(
            "{count} credentials of this person were made again after the act: see status.returned. Remove them where they are applied from."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let (then, now) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1));
        let standing = merge(&[], vec![trusted(3)], Some(1), then);
        let same = merge(&standing, vec![trusted(4)], Some(1), now);
        let other = merge(&same, vec![held("Shrunk", "fewer")], Some(1), now);
        let times: Vec<_> = [same, other].concat().iter().map(|c| c.last_transition_time).collect();
        assert_eq!(times, [then, now]);
    }
}
