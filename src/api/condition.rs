//! Conditions are a vocabulary: every type and reason is one of a closed set, and what each means stands in one table.
//!
//! A message says what happened, with ids only, never a name or an address.

mod reason;
pub mod table;
mod update;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use reason::{ConditionType, Reason};
pub use update::*;

/// A condition as it stands on an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Type of the condition, such as `Ready`; each occurs once.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[schemars(length(min = 4, max = 7))]
    pub status: String,
    /// One CamelCase word, of the list in docs/conditions.md.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// What happened, to which id, and the next step.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// `metadata.generation` of the spec it is about: older than the object's, and it is about an earlier spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When its status last changed; a new reason or message leaves it as it is.
    pub last_transition_time: Timestamp,
}

impl Condition {
    /// Whether it is of this type and has this status.
    #[must_use]
    pub fn is(&self, type_: ConditionType, status: Status) -> bool {
        self.type_ == type_.as_str() && self.status == status.as_str()
    }
}

/// What a driver says, before it is merged with what is shown: one row of the table, with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    /// Type of the condition.
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: Status,
    /// Why, by one word of the vocabulary.
    pub reason: Reason,
    /// What happened, to which id, and the next step.
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
    /// As conditions spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Longest message that is written; longer ones end in `…`.
const MAX_MESSAGE: usize = 1000;

/// Writes updates over the conditions that are shown.
///
/// A condition's transition time moves only with its status; a type without an update is dropped. Ordered by type, so
/// that equal input gives equal output.
#[must_use]
pub fn merge(
    shown: &[Condition],
    updates: Vec<ConditionUpdate>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let mut merged: Vec<Condition> = updates
        .into_iter()
        .map(|update| {
            let since = shown
                .iter()
                .find(|condition| condition.is(update.type_, update.status))
                .map_or(now, |condition| condition.last_transition_time);
            Condition {
                type_: update.type_.as_str().to_owned(),
                status: update.status.as_str().to_owned(),
                reason: update.reason.as_str().to_owned(),
                message: shorten(update.message),
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
    if message.chars().count() <= MAX_MESSAGE {
        return message;
    }
    let mut short: String = message.chars().take(MAX_MESSAGE).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_time_moves_only_with_the_status() {
        let (then, now) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1));
        let shown = merge(&[], vec![trusted(3)], Some(1), then);
        let same = merge(&shown, vec![trusted(4)], Some(1), now);
        let other = merge(&same, vec![held(Reason::Shrunk, "fewer")], Some(1), now);
        let times: Vec<_> = [same, other].concat().iter().map(|c| c.last_transition_time).collect();
        assert_eq!(times, [then, now]);
    }
}
