//! From a spec and the objects it names to what can be read. Pure: a cluster, or files at a terminal, give the objects.
//!
//! What is wrong with the spec stalls; what is not there yet waits; a file that is not there is an answer of the poll.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use secrecy::{ExposeSecret, SecretString};

use self::file::key_of;
use crate::api::LocalRef;
use crate::api::connection::{self as api, CaBundle, ConfigMapKey, HRConnectionSpec, SecretKey};
use crate::domain::employee::Failure;
use crate::hris;
use crate::outcome::Fault;

/// Look again for a Secret that is not there.
const SECRET_AGAIN: Duration = Duration::from_secs(30);

/// Objects of the connection's namespace, by name; one that is not there is left out. Holds credentials and people: it
/// cannot be printed.
#[derive(Default)]
pub struct Objects {
    /// Secrets.
    pub secrets: BTreeMap<String, Secret>,
    /// ConfigMaps.
    pub config_maps: BTreeMap<String, ConfigMap>,
}

/// Names of the objects that a spec needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named<'a> {
    /// Secrets.
    pub secrets: BTreeSet<&'a str>,
    /// ConfigMaps.
    pub config_maps: BTreeSet<&'a str>,
}

/// What a spec needs to be resolved.
#[must_use]
pub fn named(spec: &HRConnectionSpec) -> Named<'_> {
    let mut named = Named::default();
    if let Some(api) = &spec.source.api {
        named.secrets.insert(api.credentials_ref.name.as_str());
        named.config_maps.extend(api.definition_ref.as_ref().map(|from| from.name.as_str()));
    }
    if let Some(file) = &spec.source.file {
        named.config_maps.extend(file.from.config_map.as_ref().map(|from| from.name.as_str()));
        named.secrets.extend(file::secrets(file).map(|reference| reference.name.as_str()));
    }
    if let Some(bundle) = &spec.network.ca_bundle_ref {
        named.config_maps.extend(bundle.config_map.as_ref().map(|from| from.name.as_str()));
        named.secrets.extend(bundle.secret.as_ref().map(|from| from.name.as_str()));
    }
    named
}

/// What a source may be reached by.
///
/// # Errors
/// A fault: the spec cannot be followed, or authorities are not there.
pub fn network(spec: &HRConnectionSpec, objects: &Objects) -> Result<hris::Network, Fault> {
    let words = &spec.network;
    let stalled = |field: &str, why: String| Fault::Stalled(format!("spec.network.{field}: {why}"));
    let proxy = words.proxy_url.as_deref().map(hris::proxy).transpose().map_err(|why| stalled("proxyURL", why))?;
    let authorities = match &words.ca_bundle_ref {
        None => Vec::new(),
        Some(bundle) => {
            let pem = authorities(bundle, objects)?;
            hris::authorities(&pem).map_err(|why| stalled("caBundleRef", why))?
        }
    };
    Ok(hris::Network { allow_private_addresses: words.allow_private_addresses, authorities, proxy, progress: None })
}

fn authorities(bundle: &CaBundle, objects: &Objects) -> Result<Vec<u8>, Fault> {
    let missing = |what: String| Fault::Waiting {
        reason: "CaBundleMissing",
        message: format!("{what} of network.caBundleRef is not there. Looked for every 30s."),
        again: SECRET_AGAIN,
    };
    match (&bundle.config_map, &bundle.secret) {
        (Some(from), None) => {
            key_of(objects.config_maps.get(&from.name).cloned(), from).map_err(|failure| match failure {
                Failure::Missing(what) => missing(what),
                _ => missing(format!("ConfigMap {}", from.name)),
            })
        }
        (None, Some(SecretKey { name, key })) => {
            let secret = objects.secrets.get(name).ok_or_else(|| missing(format!("Secret {name}")))?;
            let bytes = secret.data.as_ref().and_then(|data| data.get(key));
            Ok(bytes.ok_or_else(|| missing(format!("key {key} of Secret {name}")))?.0.clone())
        }
        _ => {
            Err(Fault::Stalled("spec.network.caBundleRef: exactly one of configMap and secret must be set".to_owned()))
        }
    }
}

/// The user's own definition, as it is written; none where there is none, or where it is not there.
#[must_use]
pub fn definition_text<'o>(spec: &HRConnectionSpec, objects: &'o Objects) -> Option<&'o str> {
    let from = spec.source.api.as_ref()?.definition_ref.as_ref()?;
    objects.config_maps.get(&from.name)?.data.as_ref()?.get(&from.key).map(String::as_str)
}

/// The definition a spec names, where it names one: of the catalogue, or the user's own.
///
/// # Errors
/// A fault when there is none under that name, or it cannot be used.
pub fn named_definition(spec: &HRConnectionSpec, objects: &Objects) -> Result<Option<hris::Definition>, Fault> {
    spec.source.api.as_ref().map(|api| definition(spec, api, objects)).transpose()
}

fn definition(spec: &HRConnectionSpec, api: &api::ApiSource, objects: &Objects) -> Result<hris::Definition, Fault> {
    match (&api.connector, &api.definition_ref) {
        (Some(connector), None) => hris::connector(connector).map_err(Fault::Stalled),
        (None, Some(ConfigMapKey { name, key })) => {
            let text = definition_text(spec, objects).ok_or_else(|| Fault::Waiting {
                reason: "DefinitionMissing",
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

/// Puts together what can be read. `objects` are those of [`named`] that are there.
///
/// # Errors
/// A fault when nothing can be read: the spec, or a Secret. Inside, that the file is not there.
pub fn resolve(spec: &HRConnectionSpec, mut objects: Objects) -> Result<Result<hris::Source, Failure>, Fault> {
    match (&spec.source.api, &spec.source.file) {
        (Some(api), None) => {
            let definition = definition(spec, api, &objects)?;
            let credentials = secret(&objects, &api.credentials_ref)?;
            let parameters = api.parameters.clone();
            let (keeper, clock) = (None, crate::cluster::now as fn() -> _);
            let source = hris::ApiSource { definition, parameters, credentials, keeper, clock };
            Ok(Ok(hris::Source::Api(Box::new(source))))
        }
        (None, Some(file)) => file::resolve(file, &mut objects),
        _ => Err(Fault::Stalled("spec.source: exactly one of api and file must be set".to_owned())),
    }
}

/// Everything a Secret holds that is text.
fn secret(objects: &Objects, reference: &LocalRef) -> Result<BTreeMap<String, SecretString>, Fault> {
    let name = &reference.name;
    let secret = objects.secrets.get(name).ok_or_else(|| Fault::Waiting {
        reason: "SecretMissing",
        message: format!("Secret {name} is not there: make it in this namespace. Looked for every 30s."),
        again: SECRET_AGAIN,
    })?;
    let data = secret.data.iter().flatten();
    Ok(data.filter_map(|(key, bytes)| Some((key.clone(), text(bytes.0.clone())?))).collect())
}

/// A value of a Secret without the line end that `--from-file` leaves; `None` where it is no text.
pub(super) fn text(bytes: Vec<u8>) -> Option<SecretString> {
    let text = SecretString::from(String::from_utf8(bytes).ok()?);
    Some(SecretString::from(text.expose_secret().trim_end_matches(['\r', '\n'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(source: serde_json::Value) -> HRConnectionSpec {
        serde_json::from_value(serde_json::json!({"source": source})).expect("a spec")
    }

    #[test]
    fn a_spec_names_everything_it_needs_and_says_what_is_not_there() {
        let api = spec(
            serde_json::json!({"api": {"connector": "bamboohr", "parameters": {"subdomain": "acme"}, "credentialsRef": {"name": "hr"}}}),
        );
        let map = spec(serde_json::json!({"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}));
        let http = spec(
            serde_json::json!({"file": {"from": {"http": {"url": "https://hr.example.com", "credentialsRef": {"name": "hr"}}}}}),
        );
        let sftp = spec(serde_json::json!({"file": {
            "from": {"sftp": {"host": "sftp.example.com", "user": "rollcall", "hostKeys": ["SHA256:x"],
                "path": {"directory": "out", "pattern": "people.csv"}, "credentialsRef": {"name": "hr"}}},
            "decryption": {"keyRef": {"name": "pgp"}},
        }}));
        let waits =
            |reason| format!("{reason}: Secret hr is not there: make it in this namespace. Looked for every 30s.");
        let cases = [
            (&api, vec!["hr"], vec![], waits("SecretMissing")),
            (&map, vec![], vec!["people"], "Missing(\"ConfigMap people\")".to_owned()),
            (&http, vec!["hr"], vec![], waits("SecretMissing")),
            (&sftp, vec!["hr", "pgp"], vec![], waits("SecretMissing")),
        ];
        for (spec, secrets, config_maps, expected) in cases {
            let names = named(spec);
            assert_eq!(
                (names.secrets.into_iter().collect(), names.config_maps.into_iter().collect()),
                (secrets, config_maps)
            );
            let said = match resolve(spec, Objects::default()) {
                Err(Fault::Waiting { reason, message, .. }) => format!("{reason}: {message}"),
                Ok(Err(failure)) => format!("{failure:?}"),
                _ => "read".to_owned(),
            };
            assert_eq!(said, expected);
        }
    }
}
