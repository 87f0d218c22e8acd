//! What a Person shows of moves, and how a human answers a review.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use domain::moves::MoveField;

/// A human's answer to a review of somebody's access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewAnswer {
    /// Which review it answers: `status.moves.review.since`. It says nothing of a later one.
    pub of: Timestamp,
    /// Why the person keeps what they have. Keep it short and free of personal details.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// User name of the person who decided.
    #[schemars(length(min = 1, max = 256))]
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What is remembered of a person's moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moves {
    /// The newest move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Moved>,
    /// A review of their access that nobody has answered yet: `kubectl rollcall review`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// Short digests of the last values of fields that `status.profile` does not show. They are other ones for each person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 60))]
    pub values: String,
}

/// A change of department, title, company or manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// When a trusted response was first seen to say so.
    pub at: Timestamp,
    /// What changed.
    #[schemars(length(max = 4))]
    pub fields: Vec<MoveField>,
}

/// A review of somebody's access after a move. It ends no access by itself, overdue or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// When it was opened.
    pub since: Timestamp,
    /// What has changed since.
    #[schemars(length(max = 4))]
    pub fields: Vec<MoveField>,
    /// When it is due. A second move does not change it.
    pub due: Timestamp,
}
