//! Webhooks of an HR system, which ask for its source to be read.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::api::LocalRef;
pub use domain::webhook::Form;

/// Webhooks that `rollcall scim` takes at `/webhooks/<name of the connection>`. Each asks for a read of the whole source, and says
/// nothing that is believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.form == 'shared-signals' ? has(self.issuer) && has(self.audience) : !has(self.issuer) && !has(self.audience)").message("webhook.issuer and webhook.audience belong to the form shared-signals, which needs both"))]
pub struct Webhook {
    /// How the HR system proves that a webhook is its own.
    pub form: Form,
    /// Secret in this namespace whose values are the secrets of the webhook: any of them is accepted, so that one can be replaced
    /// without a gap. The chart's value `scim.webhookSecrets` must list it. It holds no credential of the HR system. With the form
    /// `shared-signals`, its values are lists of public keys (JWKS).
    pub secret_ref: LocalRef,
    /// With the form `shared-signals`: the issuer of the tokens (`iss`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub issuer: Option<String>,
    /// With the form `shared-signals`: whom the tokens are for (`aud`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub audience: Option<String>,
}
