//! What control found out about the revoker by an empty Job: written by control, shown by sync on each policy and by
//! `kubectl rollcall consents`.

use crate::kube::named::Api;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use serde::{Deserialize, Serialize};

use super::calls::call;
use super::outcome::Fault;
use crate::api::names;

/// Key of the record in the ConfigMap `rollcall-consents`.
pub const KEY: &str = "revoker.json";

/// What is known of the revoker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokerCheck {
    /// What Jobs were made of when it was found.
    pub shape: String,
    /// Whether an empty Job ended well.
    pub ready: bool,
    /// When it was found.
    pub at: Timestamp,
    /// What keeps the revoker from running, in words; empty if nothing does.
    pub message: String,
}

/// What is known of it; `None` before the first empty Job has ended.
///
/// # Errors
/// When the ConfigMap cannot be read.
pub async fn read(client: &Client, namespace: &str) -> Result<Option<RevokerCheck>, Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = call("read what is known of the revoker", api.get_opt(names::CONSENTS)).await?;
    Ok(map.and_then(|map| serde_json::from_str(map.data?.get(KEY)?).ok()))
}
