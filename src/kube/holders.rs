//! Who owns a Secret, as digests: control may list the Secrets of namespaces that consented, and sync may not. Control writes them in
//! one ConfigMap, so that somebody who owns nothing else is known to own something.

use std::collections::{BTreeSet, HashSet};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

use super::calls::call;
use super::outcome::Fault;
use super::swap::{self, Change, OwnConfigMap};
use crate::kube::named::Api;

/// The ConfigMap; by its name the policy of records keeps it control's.
const HOLDERS: OwnConfigMap<'_> =
    OwnConfigMap { name: "rollcall-owners-of-secrets", part: "holders", doing: "write who owns Secrets" };
/// Key of the digests in it, one a line.
const KEY: &str = "owners";
/// Most that are written: seventeen bytes each, and a ConfigMap takes a megabyte.
const MOST: usize = 50_000;

/// The digests of those who own a Secret, as far as control may know.
///
/// # Errors
/// When they cannot be read.
pub async fn read(client: &Client, namespace: &str) -> Result<HashSet<String>, Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = call("read who owns Secrets", api.get_opt(HOLDERS.name)).await?;
    let text = map.and_then(|map| map.data?.remove(KEY)).unwrap_or_default();
    Ok(text.lines().map(str::to_owned).collect())
}

/// Writes them, if they are others now.
///
/// # Errors
/// When they cannot be written.
pub async fn write(client: &Client, namespace: &str, owners: &BTreeSet<String>) -> Result<(), Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let text = owners.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("\n");
    let change = |current: Option<&ConfigMap>| {
        let before = current.and_then(|map| map.data.as_ref()?.get(KEY)).map(String::as_str).unwrap_or_default();
        let data = [(KEY.to_owned(), text.clone())].into();
        Ok(if before == text { Change::Keep(()) } else { Change::Write(data, ()) })
    };
    swap::swap(&api, HOLDERS, change).await.map(drop)
}
