//! From a spec and the objects it names to what can be read. Pure: a cluster, or files at a terminal, give the objects.
//!
//! What is wrong with the spec stalls; what is not there yet waits; a file that is not there is an answer of the poll.

mod file;
mod ldap;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use secrecy::{ExposeSecret, SecretString};

pub use self::file::format as csv_format;
pub(super) use self::file::{key_of, name_parts, named_columns};
pub use self::ldap::mapping as directory;
use super::definition;
use crate::api::condition::Reason;
use crate::api::connection::{self as api, HRConnectionSpec, InactiveMeans, ScimId, ScimSource};
use crate::api::{LocalRef, names};
use crate::kube::outcome::Fault;
use domain::employee::{Failure, Status};

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
    if let Some(ldap) = &spec.source.ldap {
        named.secrets.insert(ldap.credentials_ref.name.as_str());
    }
    if let Some(scim) = &spec.source.scim {
        named.secrets.insert(scim.credentials_ref.name.as_str());
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
    let api::Source { api, file, ldap, scim } = &spec.source;
    match (api, file, ldap, scim) {
        (Some(api), None, None, None) => {
            let definition = definition::resolve(spec, api, &objects)?;
            let credentials = secret(&objects, &api.credentials_ref)?;
            let parameters = api.parameters.clone();
            let (token_store, clock) = (None, crate::kube::calls::now as fn() -> _);
            let source = hris::ApiSource { definition, parameters, credentials, token_store, clock };
            Ok(Ok(hris::Source::Api(Box::new(source))))
        }
        (None, Some(file), None, None) => file::resolve(file, &mut objects),
        (None, None, Some(ldap), None) => ldap::resolve(ldap, &objects).map(Ok),
        (None, None, None, Some(scim)) => {
            tokens(&objects, &scim.credentials_ref)?;
            let definition = pushed_definition(scim).map_err(Fault::Stalled)?;
            Ok(Ok(hris::Source::Pushed(Box::new(hris::Pushed { definition, page: b"{\"Resources\": []}".to_vec() }))))
        }
        _ => Err(Fault::Stalled("spec.source: exactly one of api, file, ldap and scim must be set".to_owned())),
    }
}

/// How pushed users are mapped.
///
/// # Errors
/// Never, as a test of hris shows.
pub fn pushed_definition(scim: &ScimSource) -> Result<hris::Definition, String> {
    let id = match scim.employee_id {
        ScimId::ExternalId => hris::PushedId::ExternalId,
        ScimId::EmployeeNumber => hris::PushedId::EmployeeNumber,
        ScimId::Id => hris::PushedId::Id,
    };
    hris::pushed(id, inactive(scim.inactive_means))
}

/// What it says of somebody that their account is not active.
pub(super) const fn inactive(means: InactiveMeans) -> Status {
    match means {
        InactiveMeans::Suspended => Status::Suspended,
        InactiveMeans::Terminated => Status::Terminated,
    }
}

/// Whether the tokens of a SCIM client are there, and long enough: `rollcall scim` takes no other, and cannot say so itself.
fn tokens(objects: &Objects, reference: &LocalRef) -> Result<(), Fault> {
    let tokens = secret(objects, reference)?;
    let short = tokens.iter().find(|(_, token)| token.expose_secret().len() < names::SHORTEST_TOKEN);
    if tokens.is_empty() || tokens.len() > names::MOST_TOKENS {
        let (name, most) = (&reference.name, names::MOST_TOKENS);
        return Err(Fault::Stalled(format!(
            "Secret {name} holds {} tokens: between 1 and {most} are accepted",
            tokens.len()
        )));
    }
    short.map_or(Ok(()), |(key, _)| {
        let (name, shortest) = (&reference.name, names::SHORTEST_TOKEN);
        Err(Fault::Stalled(format!(
            "the token {key} of Secret {name} has less than {shortest} characters, and is not accepted"
        )))
    })
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
        let scim = spec(serde_json::json!({"scim": {"credentialsRef": {"name": "hr"}}}));
        let ldap = spec(serde_json::json!({"ldap": {"directory": "ActiveDirectory", "host": "dc.example.com",
            "base": "DC=example", "bindDN": "CN=rollcall", "credentialsRef": {"name": "hr"}}}));
        let waits =
            |reason| format!("{reason}: Secret hr is not there: make it in this namespace. Looked for every 30s.");
        let cases = [
            (&api, vec!["hr"], vec![], waits("SecretMissing")),
            (&map, vec![], vec!["people"], "Missing(\"ConfigMap people\")".to_owned()),
            (&http, vec!["hr"], vec![], waits("SecretMissing")),
            (&ldap, vec!["hr"], vec![], waits("SecretMissing")),
            (&scim, vec!["hr"], vec![], waits("SecretMissing")),
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

    #[test]
    fn a_token_that_is_short_or_missing_is_said_without_its_value() {
        let scim = spec(serde_json::json!({"scim": {"credentialsRef": {"name": "okta"}}}));
        let long = "t".repeat(names::SHORTEST_TOKEN);
        for (tokens, expected) in [
            (vec![("a", long.as_str())], None),
            (vec![("a", long.as_str()), ("b", long.as_str())], None),
            (vec![], Some("Secret okta holds 0 tokens: between 1 and 8 are accepted")),
            (
                vec![("a", long.as_str()), ("b", "hunter2")],
                Some("the token b of Secret okta has less than 32 characters, and is not accepted"),
            ),
        ] {
            let data: BTreeMap<&str, &str> = tokens.into_iter().collect();
            let secret: Secret = serde_json::from_value(serde_json::json!({
                "data": data.into_iter().map(|(key, value)| (key, data_encoding::BASE64.encode(value.as_bytes()))).collect::<BTreeMap<_, _>>(),
            })).expect("a Secret");
            let mut objects = Objects::default();
            objects.secrets.insert("okta".to_owned(), secret);
            let said = resolve(&scim, objects).err().map(|fault| fault.to_string());
            assert_eq!(said.as_deref(), expected);
        }
    }
}
