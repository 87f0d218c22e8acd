//! Webhooks of an HR system, which ask for its source to be read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::LocalRef;
pub use domain::webhook::Form;

/// Webhooks that `rollcall scim` takes at `/webhooks/<name of the connection>`. Each asks for a read of the whole source, and says
/// nothing that is believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// How the HR system proves that a webhook is its own.
    pub form: Form,
    /// Secret in this namespace whose values are the secrets of the webhook: any of them is accepted, so that one can be replaced
    /// without a gap. The chart's value `scim.webhookSecrets` must list it. It holds no credential of the HR system.
    pub secret_ref: LocalRef,
}
