//! The ledger, as both control and the revoker read it, and as control alone writes it. One that cannot be read lets
//! nothing through.

use std::collections::BTreeMap;

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

use super::calls::call;
use super::outcome::Fault;
use super::swap::{self, Change, OwnConfigMap};
use crate::api::names;
use domain::ledger::Ledger;

/// Key of the ledger's JSON in its ConfigMap.
pub const LEDGER_KEY: &str = "ledger.json";

/// The ledger, read live; an installation that never counted has an empty one.
///
/// # Errors
/// When it cannot be read or understood: then nothing is let through.
pub async fn ledger(client: &Client, namespace: &str) -> Result<Ledger, Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = call("read the ledger", api.get_opt(names::LEDGER)).await?;
    map.as_ref().map_or_else(|| Ok(Ledger::default()), read)
}

/// The ledger that a ConfigMap holds.
///
/// # Errors
/// When it cannot be understood.
pub fn read(map: &ConfigMap) -> Result<Ledger, Fault> {
    let text = map.data.as_ref().and_then(|data| data.get(LEDGER_KEY)).map(String::as_str).unwrap_or_default();
    serde_json::from_str(text).map_err(|_| {
        Fault::Stalled(format!("the ConfigMap {} holds no ledger; restore it from a backup", names::LEDGER))
    })
}

/// Changes the ledger by compare-and-swap on a live read. Gives it as it is then, and its ConfigMap.
///
/// # Errors
/// When it cannot be read, understood or written: then nothing was counted.
pub async fn change(
    client: &Client,
    namespace: &str,
    change: impl Fn(&mut Ledger),
) -> Result<(Ledger, Option<ConfigMap>), Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let kept = OwnConfigMap { name: names::LEDGER, part: "ledger", doing: "write the ledger" };
    let swapped = swap::swap(&api, kept, |current| {
        let before = current.map_or_else(|| Ok(Ledger::default()), read)?;
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(Change::Keep(after));
        }
        let text =
            serde_json::to_string(&after).map_err(|_| Fault::Stalled("the ledger cannot be written".to_owned()))?;
        Ok(Change::Write(BTreeMap::from([(LEDGER_KEY.to_owned(), text)]), after))
    });
    swapped.await
}
