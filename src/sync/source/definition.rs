//! How the source of a connection is read: a definition of the catalogue, or the user's own in a ConfigMap. Pure.

use super::resolve::{Objects, SECRET_AGAIN};
use crate::api::condition::Reason;
use crate::api::connection::{ApiSource, ConfigMapKey, HRConnectionSpec, StatusMeaning};
use crate::kube::outcome::Fault;

/// The user's own definition, as it is written; none where there is none, or where it is not there.
fn definition_text<'o>(spec: &HRConnectionSpec, objects: &'o Objects) -> Option<&'o str> {
    let from = spec.source.api.as_ref()?.definition_ref.as_ref()?;
    objects.config_maps.get(&from.name)?.data.as_ref()?.get(&from.key).map(String::as_str)
}

/// The definition a spec names, where it names one.
///
/// # Errors
/// As [`resolve`].
pub fn named_definition(spec: &HRConnectionSpec, objects: &Objects) -> Result<Option<hris::Definition>, Fault> {
    spec.source.api.as_ref().map(|api| resolve(spec, api, objects)).transpose()
}

/// The definition a spec names: of the catalogue, or the user's own.
///
/// # Errors
/// Waiting for a ConfigMap that is not there; stalled by a definition that cannot be used, with file, line and word.
pub(super) fn resolve(spec: &HRConnectionSpec, api: &ApiSource, objects: &Objects) -> Result<hris::Definition, Fault> {
    let definition = written(spec, api, objects)?;
    let statuses = api.statuses.iter().map(|(word, means)| (word.clone(), status(*means))).collect();
    let own = definition.with_words(&statuses, &api.types);
    own.map_err(|why| Fault::Stalled(format!("spec.source.api.{why}")))
}

const fn status(meaning: StatusMeaning) -> domain::employee::Status {
    match meaning {
        StatusMeaning::Active => domain::employee::Status::Active,
        StatusMeaning::Leave => domain::employee::Status::Leave,
        StatusMeaning::Suspended => domain::employee::Status::Suspended,
        StatusMeaning::Terminated => domain::employee::Status::Terminated,
    }
}

/// The definition as it is written, without the connection's own words.
fn written(spec: &HRConnectionSpec, api: &ApiSource, objects: &Objects) -> Result<hris::Definition, Fault> {
    match (&api.connector, &api.definition_ref) {
        (Some(connector), None) => hris::connector(connector).map_err(Fault::Stalled),
        (None, Some(ConfigMapKey { name, key })) => {
            let text = definition_text(spec, objects).ok_or_else(|| Fault::Waiting {
                reason: Reason::DefinitionMissing,
                message: format!(
                    "ConfigMap {name} with a key {key} is not there: put the definition into it. Looked for every 30s."
                ),
                again: SECRET_AGAIN,
            })?;
            let parsed = hris::Definition::parse(&format!("ConfigMap {name}, key {key}"), text);
            parsed.map_err(|refused| Fault::Stalled(refused.to_string()))
        }
        _ => Err(Fault::Stalled("spec.source.api: exactly one of connector and definitionRef must be set".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../examples/hrconnection-own-connector.yaml");

    /// The ConfigMap and the connection of the example.
    fn example() -> (ConfigMap, HRConnectionSpec) {
        let mut documents = EXAMPLE.split("\n---\n");
        let map = serde_saphyr::from_str(documents.next().expect("a ConfigMap")).expect("a ConfigMap");
        let connection: serde_json::Value =
            serde_saphyr::from_str(documents.nth(1).expect("a connection")).expect("YAML");
        (map, serde_json::from_value(connection["spec"].clone()).expect("a spec"))
    }

    fn name_of(spec: &HRConnectionSpec, map: Option<ConfigMap>) -> Result<String, String> {
        let config_maps = map.into_iter().map(|map| ("acme-hr".to_owned(), map)).collect();
        let objects = Objects { config_maps, ..Objects::default() };
        let api = spec.source.api.as_ref().expect("an API");
        resolve(spec, api, &objects).map(|definition| definition.name).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_definition_is_of_the_catalogue_or_of_ones_own() {
        let (map, spec) = example();
        assert_eq!(name_of(&spec, Some(map.clone())), Ok("acme-hr".to_owned()));
        let api = |api: serde_json::Value| serde_json::from_value(json!({"source": {"api": api}})).expect("a spec");
        let of_catalogue = api(json!({"connector": "bamboohr", "credentialsRef": {"name": "hr"}}));
        assert_eq!(name_of(&of_catalogue, None), Ok("bamboohr".to_owned()));
        let none = api(json!({"credentialsRef": {"name": "hr"}}));
        let why = "spec.source.api: exactly one of connector and definitionRef must be set";
        assert_eq!(name_of(&none, None), Err(why.to_owned()));
        let missing = "ConfigMap acme-hr with a key connector.yaml is not there: put the definition into it. Looked for \
                       every 30s.";
        assert_eq!(name_of(&spec, None), Err(missing.to_owned()));
    }

    #[test]
    fn words_of_the_connections_own_are_put_beside_those_of_the_connector() {
        let of = |api: serde_json::Value| {
            let spec: HRConnectionSpec = serde_json::from_value(json!({"source": {"api": api}})).expect("a spec");
            resolve(&spec, spec.source.api.as_ref().expect("an API"), &Objects::default())
        };
        let with = |connector: &str, statuses: serde_json::Value| {
            of(json!({"connector": connector, "statuses": statuses, "credentialsRef": {"name": "hr"}}))
        };
        let read = with("hailey-hr", json!({"Former employee": "Terminated"})).expect("a definition");
        assert_eq!(
            read.statuses.get("Former employee").map(|rule| rule.means),
            Some(domain::employee::Status::Terminated)
        );
        assert!(read.otherwise.is_empty(), "it had no meaning");
        let turned = with("sesame", json!({"inactive": "Terminated"})).expect("a definition");
        assert_eq!(turned.otherwise, ["the status \"inactive\" means Terminated here; the connector says Suspended"]);
        let why = with("afas", json!({"x": "Active"})).expect_err("stalled").to_string();
        assert_eq!(why, "spec.source.api.statuses: the connector afas gives no status, so there is no word to map");
    }

    #[test]
    fn a_definition_that_cannot_be_used_is_named_with_line_and_word() {
        let (mut map, spec) = example();
        let text = map.data.as_mut().and_then(|data| data.get_mut("connector.yaml")).expect("a definition");
        *text = text.replace("endDateMeans", "endMeans");
        let why = name_of(&spec, Some(map)).expect_err("refused");
        assert!(
            why.starts_with("ConfigMap acme-hr, key connector.yaml: line 26: ") && why.contains("endMeans"),
            "{why}"
        );
    }
}
