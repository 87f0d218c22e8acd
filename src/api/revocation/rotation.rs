//! How far the rotation of a Secret is: enough for another process to go on with it, and nothing of any value.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far the rotation of a Secret is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// Who gives it a new value.
    pub by: Rotator,
    /// What told the value apart before: eight digits of a digest of external-secrets' own, the revision of the Certificate, or the
    /// last time Rollcall wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub before: String,
    /// When the new value was asked for, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// When the new value was written, in UTC, by the object's own `managedFields`: pods that were started later have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Timestamp>,
    /// The field manager that wrote it, where that is another program's: what another one writes later may be the old value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub written_by: Option<String>,
}

/// Who gives a Secret a new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Rotator {
    /// external-secrets, by its ExternalSecret.
    ExternalSecrets,
    /// cert-manager, by its Certificate.
    CertManager,
    /// Rollcall, by the annotation `rollcall.dev/rotate`.
    Generator,
}
