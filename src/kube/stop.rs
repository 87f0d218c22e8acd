//! The global stop, as both control and the revoker read it. One that cannot be read stops.

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

use super::calls::call;
use crate::api::names;

/// The reason everything is stopped for; `None` if it is not. A stop that is absent or unreadable is a stop.
pub async fn stopped(client: &Client, namespace: &str) -> Option<String> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    match call("read the global stop", api.get(names::STOP)).await {
        Ok(stop) => stop
            .data
            .and_then(|data| data.get(names::STOP_REASON).cloned())
            .filter(|reason| !reason.trim().is_empty())
            .map(|reason| reason.chars().take(200).collect()),
        Err(fault) => Some(format!("the ConfigMap {} cannot be read ({fault})", names::STOP)),
    }
}
