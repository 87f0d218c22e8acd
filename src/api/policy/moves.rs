//! What happens when somebody moves.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity;
use domain::moves::MoveField;

/// What happens when the department, title, company or manager of somebody who works here changes. No move ends any access.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Move {
    /// Fields of which a change is a move: `department`, `title`, `legalEntity`, `manager`. They are read for this, and of those that
    /// `spec.fields` does not keep as `Continuous` a short digest is kept. Without the list: `department`, `legalEntity` and `manager`,
    /// each if it is `Continuous`. An empty list is no moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4))]
    pub fields: Option<Vec<MoveField>>,
    /// What happens then.
    #[serde(default)]
    pub then: MoveThen,
    /// How long after a move its review is due, such as `14d`.
    #[serde(default = "fourteen_days")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_duration())]
    pub due: String,
}

/// What happens after a move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MoveThen {
    /// An Event and a condition on the Person.
    #[default]
    Report,
    /// Also a review of what the person owns, which a human answers.
    Review,
}

fn fourteen_days() -> String {
    "14d".to_owned()
}

impl Default for Move {
    fn default() -> Self {
        Self { fields: None, then: MoveThen::default(), due: fourteen_days() }
    }
}
