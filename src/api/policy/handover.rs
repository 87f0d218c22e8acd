//! Where the next owner of an account is looked for, once its owner has left.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use domain::handover::Rule;

/// Where the next owner of an account is looked for. Who does not work here is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Handover {
    /// The account's annotation `rollcall.dev/backup-owner`.
    Backup,
    /// The leaver's manager, else the manager of that one, and so on.
    Manager,
    /// The account's annotation `rollcall.dev/team`: it becomes `team:<name>`, which no person's exit ends.
    Team,
}

impl From<Handover> for Rule {
    fn from(handover: Handover) -> Self {
        match handover {
            Handover::Backup => Self::Backup,
            Handover::Manager => Self::Manager,
            Handover::Team => Self::Team,
        }
    }
}

pub(super) fn all() -> Vec<Handover> {
    vec![Handover::Backup, Handover::Manager, Handover::Team]
}
