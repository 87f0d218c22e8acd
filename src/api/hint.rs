//! ReadHint: that a webhook asked for a connection to be read, as `rollcall scim` writes it and `rollcall sync` reads it.
//!
//! One a connection. It holds nothing of what the webhook said. It goes with its connection, by an owner reference.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Reason;
use domain::webhook::Refusal;

/// Spec of a ReadHint: written by `rollcall scim` alone.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "ReadHint",
    plural = "readhints",
    singular = "readhint",
    namespaced,
    derive = "PartialEq",
    doc = "That a webhook asked for a connection to be read. Written by rollcall scim alone.",
    printcolumn(name = "Connection", type_ = "string", json_path = ".spec.connection"),
    printcolumn(name = "Taken", type_ = "date", json_path = ".spec.taken"),
    printcolumn(name = "Refused", type_ = "date", json_path = ".spec.refused.at"),
    printcolumn(name = "Why", type_ = "string", json_path = ".spec.refused.reason")
)]
#[x_kube(validation = Rule::new("self.connection == oldSelf.connection && self.connectionUid == oldSelf.connectionUid").message("a hint stays with its connection"))]
#[serde(rename_all = "camelCase")]
pub struct ReadHintSpec {
    /// Name of the HRConnection.
    #[schemars(length(min = 1, max = 40))]
    pub connection: String,
    /// Its uid: a connection that was deleted and applied again is another.
    #[schemars(length(min = 1, max = 64))]
    pub connection_uid: String,
    /// When the newest webhook was taken. Another value asks for a read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<Timestamp>,
    /// The newest request that was refused, as far as it was written: no more often than once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedWebhook>,
}

/// A request that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedWebhook {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: WebhookRefusal,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WebhookRefusal {
    /// It has no signature, or no token.
    SignatureMissing,
    /// No secret of the connection makes its signature, or is its token.
    SignatureWrong,
    /// It was signed at another time than now.
    OutOfTime,
    /// It is a token of another issuer.
    IssuerWrong,
    /// It is a token for another receiver.
    AudienceWrong,
    /// Its body is too large.
    TooLarge,
    /// Its body did not come in time.
    TimedOut,
    /// There is no secret that it could be signed with.
    SecretMissing,
}

impl WebhookRefusal {
    /// Its word, which is the reason of the condition.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::SignatureMissing => Reason::SignatureMissing,
            Self::SignatureWrong => Reason::SignatureWrong,
            Self::OutOfTime => Reason::OutOfTime,
            Self::IssuerWrong => Reason::IssuerWrong,
            Self::AudienceWrong => Reason::AudienceWrong,
            Self::TooLarge => Reason::TooLarge,
            Self::TimedOut => Reason::TimedOut,
            Self::SecretMissing => Reason::SecretMissing,
        }
    }
}

impl From<Refusal> for WebhookRefusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unsigned => Self::SignatureMissing,
            Refusal::WrongSignature => Self::SignatureWrong,
            Refusal::OutOfTime => Self::OutOfTime,
            Refusal::WrongIssuer => Self::IssuerWrong,
            Refusal::WrongAudience => Self::AudienceWrong,
        }
    }
}

/// The name of a connection's hint: of exactly this one, by its uid.
#[must_use]
pub fn name_of(connection_uid: &str) -> String {
    format!("hint-{connection_uid}")
}
