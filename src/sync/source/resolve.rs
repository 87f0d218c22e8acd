//! From a spec and the objects it names to what can be read. Pure: a cluster, or files at a terminal, give the objects.
//!
//! What is wrong with the spec stalls; what is not there yet waits; a file that is not there is an answer of the poll.

mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use secrecy::{ExposeSecret, SecretString};

pub use self::file::format as csv_format;
pub(super) use self::file::{key_of, name_parts, named_columns};
use super::definition;
use crate::api::LocalRef;
use crate::api::condition::Reason;
use crate::api::connection::HRConnectionSpec;
use crate::kube::outcome::Fault;
use domain::employee::Failure;

/// Look again for a Secret that is not there.
pub(super) const SECRET_AGAIN: Duration = Duration::from_secs(30);

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

/// Puts together what can be read. `objects` are those of [`named`] that are there.
///
/// # Errors
/// A fault when nothing can be read: the spec, or a Secret. Inside, that the file is not there.
pub fn resolve(spec: &HRConnectionSpec, mut objects: Objects) -> Result<Result<hris::Source, Failure>, Fault> {
    match (&spec.source.api, &spec.source.file) {
        (Some(api), None) => {
            let definition = definition::resolve(spec, api, &objects)?;
            let credentials = secret(&objects, &api.credentials_ref)?;
            let parameters = api.parameters.clone();
            let (token_store, clock) = (None, crate::kube::calls::now as fn() -> _);
            let source = hris::ApiSource { definition, parameters, credentials, token_store, clock };
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
        reason: Reason::SecretMissing,
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
