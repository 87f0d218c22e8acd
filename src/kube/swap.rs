//! Compare-and-swap of a ConfigMap: what one process keeps there is never overwritten by another that read it earlier.

use std::collections::BTreeMap;

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::calls::call;
use super::outcome::Fault;
use crate::api::names;

/// How often a write is tried again after somebody else wrote.
const CONFLICTS: usize = 8;

/// What is to be done about the data that stand.
#[derive(Debug)]
pub enum Change<T> {
    /// They are right as they are.
    Keep(T),
    /// These take their place.
    Write(BTreeMap<String, String>, T),
}

/// One ConfigMap of Rollcall's own.
#[derive(Clone, Copy, Debug)]
pub struct OwnConfigMap<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is: the value of the label `rollcall.dev/part`.
    pub part: &'a str,
    /// What is being done, for a fault.
    pub doing: &'static str,
}

/// Reads the ConfigMap, lets `change` decide, and writes what it decided over exactly what was read.
///
/// # Flow          read; decide; create, or replace at the version read; on a conflict from the start
/// # Guarantees    what is written follows from what stood; one that is not there is created
/// # Errors        of `change`; transient, if the API server does not answer or somebody else keeps writing
pub async fn swap<T>(
    api: &Api<ConfigMap>,
    kept: OwnConfigMap<'_>,
    mut change: impl FnMut(Option<&ConfigMap>) -> Result<Change<T>, Fault>,
) -> Result<(T, Option<ConfigMap>), Fault> {
    for _ in 0..CONFLICTS {
        let current = call(kept.doing, api.get_opt(kept.name)).await?;
        let (data, value) = match change(current.as_ref())? {
            Change::Keep(value) => return Ok((value, current)),
            Change::Write(data, value) => (data, value),
        };
        match write(api, kept, current, data).await {
            Err(fault) if fault.is_conflict() => {}
            written => return Ok((value, Some(written?))),
        }
    }
    Err(Fault::Transient { doing: kept.doing, cause: "somebody else kept writing".to_owned() })
}

/// Writes these data over exactly what was read; one that was not there is created.
///
/// # Errors
/// A conflict, if somebody else wrote since; or transient.
pub async fn write(
    api: &Api<ConfigMap>,
    kept: OwnConfigMap<'_>,
    current: Option<ConfigMap>,
    data: BTreeMap<String, String>,
) -> Result<ConfigMap, Fault> {
    let fresh = current.is_none();
    let mut map = current.unwrap_or_else(|| empty(kept));
    map.data = Some(data);
    put(api, kept.doing, &map, fresh).await
}

/// Reads an object, lets `change` say what is to stand in its place, if it is not right as it is, and writes that over exactly what was
/// read.
///
/// # Flow          read; decide; create, or replace at the version read; on a conflict, or if it was deleted since, from the start
/// # Guarantees    what is written follows from what stood; one that is not there is created
/// # Errors        transient, if the API server does not answer or somebody else keeps writing
pub async fn object<K>(
    api: &Api<K>,
    name: &str,
    doing: &'static str,
    change: impl Fn(Option<K>) -> Option<K>,
) -> Result<(), Fault>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    for _ in 0..CONFLICTS {
        let current = call(doing, api.get_opt(name)).await?;
        let fresh = current.is_none();
        let Some(next) = change(current) else { return Ok(()) };
        match put(api, doing, &next, fresh).await {
            Err(fault) if fault.is_conflict() || (!fresh && fault.is_not_found()) => {}
            done => return done.map(drop),
        }
    }
    Err(Fault::Transient { doing, cause: "somebody else kept writing".to_owned() })
}

/// Creates an object that is not there, or writes it over exactly the version that it was read at.
///
/// # Errors
/// A conflict, if somebody else wrote since; or transient, also if the API server never answers.
pub async fn put<K>(api: &Api<K>, doing: &'static str, object: &K, fresh: bool) -> Result<K, Fault>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let (params, name) = (PostParams::default(), object.name_any());
    let write =
        async { if fresh { api.create(&params, object).await } else { api.replace(&name, &params, object).await } };
    call(doing, write).await
}

fn empty(kept: OwnConfigMap<'_>) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(kept.name.to_owned()),
            labels: Some(BTreeMap::from([(names::PART.to_owned(), kept.part.to_owned())])),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}
