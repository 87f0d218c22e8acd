//! What is known of somebody's account in a system that has accounts, where the policy keeps it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a record says of an account besides whether it is on. What is missing is not known: neither "no" nor "never".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Day of the newest sign-in, by UTC; `Never`, where the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in: Option<AccountFact>,
    /// Whether a second factor is enrolled: `Yes` or `No`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa_enrolled: Option<AccountFact>,
    /// Whether another identity provider signs them in: `Yes` or `No`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sso: Option<AccountFact>,
}

/// Something that is known of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountFact {
    /// What it is.
    #[schemars(length(max = 16))]
    pub value: String,
    /// When a trusted response first said so. When one last did is on the connection: `status.capabilities.account`.
    pub since: Timestamp,
}
