//! The global stop, as both control and the revoker read it. One that cannot be read stops.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::Api;

use super::calls::call;
use crate::api::names;

/// The reason everything is stopped for; `None` if it is not. A stop that is absent or unreadable is a stop.
pub async fn stopped(client: &Client, namespace: &str) -> Option<String> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    match call("read the global stop", api.get_opt(names::STOP)).await {
        Ok(stop) => reason(stop.as_ref()),
        Err(fault) => Some(format!("the ConfigMap {} cannot be read ({fault})", names::STOP)),
    }
}

/// The reason that a stop gives; one that is not there is a stop.
#[must_use]
pub fn reason(stop: Option<&ConfigMap>) -> Option<String> {
    let Some(stop) = stop else { return Some(format!("the ConfigMap {} is not there", names::STOP)) };
    let reason = stop.data.as_ref().and_then(|data| data.get(names::STOP_REASON))?;
    (!reason.trim().is_empty()).then(|| reason.chars().take(200).collect())
}
