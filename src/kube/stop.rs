//! The global stop, as both control and the revoker read it. One that cannot be read stops.

use std::collections::BTreeMap;

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{ObjectMeta, PostParams};

use super::calls::call;
use super::outcome::Fault;
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

/// Makes the global stop, open, at the first start of an installation, and never again: one that is gone later is a stop
/// that a human lifts. The table of consents tells a first start from any other; nobody but control may delete it.
///
/// # Flow          is the stop there? was this installation started before? else create it
/// # Guarantees    never changes a stop that is there, and never makes one again
/// # Errors        transient: nothing was made
pub async fn begin(client: &Client, namespace: &str) -> Result<(), Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let (stop, before) = futures::try_join!(
        call("read the global stop", api.get_opt(names::STOP)),
        call("read the table of consents", api.get_opt(names::CONSENTS)),
    )?;
    if stop.is_some() || before.is_some() {
        return Ok(());
    }
    let stop = ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::STOP.to_owned()),
            labels: Some(BTreeMap::from([(names::PART.to_owned(), "stop".to_owned())])),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    };
    match call("make the global stop", api.create(&PostParams::default(), &stop)).await {
        Err(fault) if fault.is_conflict() => Ok(()), // somebody stopped everything at this moment
        made => made.map(drop),
    }
}
