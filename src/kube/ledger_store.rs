//! The ledger, as both control and the revoker read it. One that cannot be read lets nothing through.

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

use super::calls::call;
use super::outcome::Fault;
use crate::api::names;
use domain::ledger::Ledger;

/// Key of the ledger's JSON in its ConfigMap.
pub const LEDGER_KEY: &str = "ledger.json";

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
