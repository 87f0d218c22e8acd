//! The global stop and the ledger, as both control and the revoker read them. What cannot be read stops.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::Api;

use crate::api::names;
use crate::cluster::call;
use crate::domain::ledger::Ledger;
use crate::outcome::Fault;

/// Key of the ledger's JSON in its ConfigMap.
pub const LEDGER_KEY: &str = "ledger.json";

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

/// The ledger and its ConfigMap; an installation that never counted has an empty one.
///
/// # Errors
/// When it cannot be read or understood: then nothing is let through.
pub async fn ledger(client: &Client, namespace: &str) -> Result<(Ledger, Option<ConfigMap>), Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let Some(map) = call("read the ledger", api.get_opt(names::LEDGER)).await? else {
        return Ok((Ledger::default(), None));
    };
    let text = map.data.as_ref().and_then(|data| data.get(LEDGER_KEY)).map(String::as_str).unwrap_or_default();
    let ledger = serde_json::from_str(text).map_err(|_| {
        Fault::Stalled(format!("the ConfigMap {} holds no ledger; restore it from a backup", names::LEDGER))
    })?;
    Ok((ledger, Some(map)))
}
