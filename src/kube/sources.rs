//! What sources of ownership are asked about, and what they look up: accounts without an owner annotation, owners of namespaces,
//! and Backstage catalogues. Each caller reads them with its own rights.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::Client;
use kube::api::{ListParams, ObjectMeta};
use serde_json::Value;

use super::calls::call;
use super::inventory::list_each;
use super::outcome::Fault;
use crate::api::names;
use crate::api::policy::OwnershipSource;
use crate::kube::named::Api;
use domain::plan::reach::is_system;
use domain::sources::{Catalogue, Records, Source, Unmarked};

/// Accounts without an owner annotation that may be somebody's: none of the system's or of Rollcall's own, nor any `default`.
///
/// # Errors
/// When they may not be listed, or the API server does not answer.
pub async fn unmarked(client: &Client, own: &[String]) -> Result<Vec<Unmarked>, Fault> {
    let api: Api<ServiceAccount> = Api::all(client.clone());
    list_each(&api, &ListParams::default(), |account| of(&account.metadata, own)).await
}

/// The account that this metadata describes; none with an owner annotation, or where nobody's is looked for.
#[must_use]
pub fn of(meta: &ObjectMeta, own: &[String]) -> Option<Unmarked> {
    let (namespace, name) = (meta.namespace.clone()?, meta.name.clone()?);
    let marked = meta.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(names::OWNER));
    if marked || name == "default" || is_system(&namespace, own) {
        return None;
    }
    let managers: BTreeSet<String> =
        meta.managed_fields.iter().flatten().filter_map(|entry| entry.manager.clone()).collect();
    Some(Unmarked { namespace, name, labels: meta.labels.clone().unwrap_or_default(), managers })
}

/// What these sources look up. `namespace` is the operator's.
///
/// # Errors
/// When something of it may not be read, is not there, or is no catalogue.
pub async fn records(client: &Client, namespace: &str, sources: &[OwnershipSource]) -> Result<Records, Fault> {
    let namespaces = match sources.iter().any(|source| source.source() == Source::Namespace) {
        true => owners(client).await?,
        false => BTreeMap::new(),
    };
    let maps: BTreeSet<&String> = sources.iter().filter_map(|source| source.config_map.as_ref()).collect();
    let mut entities = Vec::new();
    for map in maps {
        entities.extend(catalogue(client, namespace, map).await?);
    }
    Ok(Records { namespaces, catalogue: Catalogue::of(entities.iter()) })
}

async fn owners(client: &Client) -> Result<BTreeMap<String, String>, Fault> {
    let api: Api<Namespace> = Api::all(client.clone());
    let owner = |namespace: Namespace| {
        let owner = namespace.metadata.annotations?.remove(names::OWNER)?;
        Some((namespace.metadata.name?, owner))
    };
    Ok(list_each(&api, &ListParams::default(), owner).await?.into_iter().collect())
}

async fn catalogue(client: &Client, namespace: &str, map: &str) -> Result<Vec<Value>, Fault> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let found = call("read a Backstage catalogue", api.get(map)).await?;
    let texts = found.data.unwrap_or_default().into_values();
    let read = texts.map(|text| serde_saphyr::from_multiple::<Value>(&text));
    let entities: Vec<Vec<Value>> = read.collect::<Result<_, _>>().map_err(|_| {
        Fault::Stalled(format!("the ConfigMap {map} holds no entities of a Backstage catalogue in YAML"))
    })?;
    Ok(entities.into_iter().flatten().flat_map(listed).collect())
}

/// Entities, where a document is a list of them.
fn listed(document: Value) -> Vec<Value> {
    match document {
        Value::Array(entities) => entities,
        entity => vec![entity],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_account_that_nobody_is_said_to_own_is_asked_about() {
        let own = ["rollcall".to_owned()];
        let meta = |namespace: &str, name: &str, annotations: Value| -> ObjectMeta {
            serde_json::from_value(json!({
                "namespace": namespace, "name": name, "annotations": annotations, "labels": {"a": "b"},
                "managedFields": [{"manager": "ada@example.com"}],
            }))
            .unwrap()
        };
        for (what, meta, expected) in [
            ("nobody's", meta("apps", "ci", json!({})), true),
            ("somebody's", meta("apps", "ci", json!({names::OWNER: "id:hq/7"})), false),
            ("of everybody in the namespace", meta("apps", "default", json!({})), false),
            ("the system's", meta("kube-system", "ci", json!({})), false),
            ("Rollcall's own", meta("rollcall", "ci", json!({})), false),
        ] {
            assert_eq!(of(&meta, &own).is_some(), expected, "{what}");
        }
        let found = of(&meta("apps", "ci", json!({})), &own).unwrap();
        assert_eq!(found.managers, ["ada@example.com".to_owned()].into());
        assert_eq!(listed(json!([1, 2])).len() + listed(json!({"kind": "User"})).len(), 3);
    }
}
