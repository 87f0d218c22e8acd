//! From a spec and the objects it names to what can be read. Pure: a cluster, or files at a terminal, give the objects.
//!
//! What is wrong with the spec stalls; what is not there yet waits; a file that is not there is an answer of the poll.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use secrecy::{ExposeSecret, SecretString};

use super::definition;
use crate::api::LocalRef;
use crate::api::connection::{self as api, ConfigMapKey, FileSource, HRConnectionSpec};
use crate::domain::employee::{Failure, Status};
use crate::hris::{self, Credential, CsvFormat, EndDate, Slot};
use crate::outcome::Fault;

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
        let credentials = file.from.http.as_ref().and_then(|http| http.credentials_ref.as_ref());
        named.secrets.extend(credentials.map(|reference| reference.name.as_str()));
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
            let credentials = secret(&mut objects, &api.credentials_ref)?;
            let parameters = api.parameters.clone();
            let (keeper, clock) = (None, crate::cluster::now as fn() -> _);
            let source = hris::ApiSource { definition, parameters, credentials, keeper, clock };
            Ok(Ok(hris::Source::Api(Box::new(source))))
        }
        (None, Some(file)) => resolve_file(file, objects),
        _ => Err(Fault::Stalled("spec.source: exactly one of api and file must be set".to_owned())),
    }
}

fn resolve_file(file: &FileSource, mut objects: Objects) -> Result<Result<hris::Source, Failure>, Fault> {
    let format = format(&file.csv)?;
    match (&file.from.config_map, &file.from.http) {
        (Some(from), None) => {
            let bytes = key_of(objects.config_maps.remove(&from.name), from);
            Ok(bytes.map(|bytes| hris::Source::Text(hris::TextFile { bytes, format })))
        }
        (None, Some(http)) => {
            let credential = match &http.credentials_ref {
                Some(reference) => Some(credential(reference, secret(&mut objects, reference)?)?),
                None => None,
            };
            Ok(Ok(hris::Source::Http(hris::HttpFile { url: http.url.clone(), credential, format })))
        }
        _ => Err(Fault::Stalled("spec.source.file.from: exactly one of configMap and http must be set".to_owned())),
    }
}

/// Everything a Secret holds that is text.
fn secret(objects: &mut Objects, reference: &LocalRef) -> Result<BTreeMap<String, SecretString>, Fault> {
    let name = &reference.name;
    let secret = objects.secrets.remove(name).ok_or_else(|| Fault::Waiting {
        reason: "SecretMissing",
        message: format!("Secret {name} is not there: make it in this namespace. Looked for every 30s."),
        again: SECRET_AGAIN,
    })?;
    Ok(secret.data.unwrap_or_default().into_iter().filter_map(|(key, bytes)| Some((key, text(bytes.0)?))).collect())
}

/// A value of a Secret without the line end that `--from-file` leaves; `None` where it is no text.
pub(super) fn text(bytes: Vec<u8>) -> Option<SecretString> {
    let text = SecretString::from(String::from_utf8(bytes).ok()?);
    Some(SecretString::from(text.expose_secret().trim_end_matches(['\r', '\n'])))
}

/// What a file's Secret signs in with: `token`, or `username` and `password`.
fn credential(reference: &LocalRef, mut keys: BTreeMap<String, SecretString>) -> Result<Credential, Fault> {
    match (keys.remove("token"), keys.remove("username"), keys.remove("password")) {
        (Some(token), None, None) => Ok(Credential::Bearer(token)),
        (None, Some(username), Some(password)) => Ok(Credential::Basic(username, password)),
        _ => Err(Fault::Waiting {
            reason: "SecretIncomplete",
            message: format!("Secret {} must hold either token, or username and password.", reference.name),
            again: SECRET_AGAIN,
        }),
    }
}

/// The bytes under a key of a ConfigMap.
pub(super) fn key_of(found: Option<ConfigMap>, from: &ConfigMapKey) -> Result<Vec<u8>, Failure> {
    let ConfigMapKey { name, key } = from;
    let config_map = found.ok_or_else(|| Failure::Missing(format!("ConfigMap {name}")))?;
    let text = config_map.data.and_then(|mut data| data.remove(key)).map(String::into_bytes);
    let bytes = config_map.binary_data.and_then(|mut data| data.remove(key)).map(|bytes| bytes.0);
    text.or(bytes).ok_or_else(|| Failure::Missing(format!("key {key} of ConfigMap {name}")))
}

/// How a CSV file is read.
fn format(csv: &api::Csv) -> Result<CsvFormat, Fault> {
    let one_character = || Fault::Stalled("spec.source.file.csv.delimiter: exactly one character".to_owned());
    let columns = &csv.columns;
    let named = [
        (Slot::EmployeeId, &columns.employee_id),
        (Slot::FullName, &columns.full_name),
        (Slot::Email, &columns.email),
        (Slot::Status, &columns.status),
        (Slot::HireDate, &columns.hire_date),
        (Slot::TerminationDate, &columns.termination_date),
        (Slot::Department, &columns.department),
        (Slot::Title, &columns.title),
        (Slot::Location, &columns.location),
        (Slot::ManagerEmail, &columns.manager_email),
        (Slot::EmploymentType, &columns.employment_type),
        (Slot::LegalEntity, &columns.legal_entity),
        (Slot::Team, &columns.team),
        (Slot::LastWorkingDay, &columns.last_working_day),
        (Slot::ContractEnd, &columns.contract_end),
        (Slot::TerminationReason, &columns.termination_reason),
        (Slot::Phone, &columns.phone),
    ];
    let mut characters = csv.delimiter.chars();
    let (Some(delimiter), None) = (characters.next(), characters.next()) else { return Err(one_character()) };
    Ok(CsvFormat {
        columns: named.into_iter().filter_map(|(slot, header)| Some((slot, header.clone()?))).collect(),
        statuses: csv.statuses.iter().map(|(word, meaning)| (word.clone(), status(*meaning))).collect(),
        types: csv.types.clone(),
        urgent_reasons: csv.urgent_reasons.iter().cloned().collect(),
        date_format: csv.date_format.clone(),
        end_date: match csv.end_date_means {
            api::EndDateMeans::LastDay => EndDate::LastDay,
            api::EndDateMeans::FirstDayOut => EndDate::FirstDayOut,
        },
        delimiter,
    })
}

const fn status(meaning: api::StatusMeaning) -> Status {
    match meaning {
        api::StatusMeaning::Active => Status::Active,
        api::StatusMeaning::Leave => Status::Leave,
        api::StatusMeaning::Suspended => Status::Suspended,
        api::StatusMeaning::Terminated => Status::Terminated,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn key() -> ConfigMapKey {
        ConfigMapKey { name: "people".to_owned(), key: "people.csv".to_owned() }
    }

    #[test]
    fn a_file_is_found_as_text_or_bytes_or_its_absence_is_named() {
        let text = |key: &str| ConfigMap {
            data: Some(BTreeMap::from([(key.to_owned(), "a,b".to_owned())])),
            ..ConfigMap::default()
        };
        let bytes = ConfigMap {
            binary_data: Some(BTreeMap::from([(key().key, ByteString(b"\xff\xfe".to_vec()))])),
            ..ConfigMap::default()
        };
        let missing = |what: &str| Err(Failure::Missing(what.to_owned()));
        let cases = [
            ("no ConfigMap", None, missing("ConfigMap people")),
            ("another key", Some(text("x")), missing("key people.csv of ConfigMap people")),
            ("text", Some(text("people.csv")), Ok(b"a,b".to_vec())),
            ("bytes", Some(bytes), Ok(b"\xff\xfe".to_vec())),
        ];
        for (situation, found, expected) in cases {
            assert_eq!(key_of(found, &key()), expected, "{situation}");
        }
    }

    #[test]
    fn a_secret_signs_in_in_exactly_one_way() {
        let kind = |keys: &[&str]| {
            let keys = keys.iter().filter_map(|key| Some(((*key).to_owned(), text(b"value\n".to_vec())?))).collect();
            match credential(&LocalRef { name: "hr".to_owned() }, keys) {
                Ok(Credential::Basic(name, password)) => {
                    format!("{}:{}", name.expose_secret(), password.expose_secret())
                }
                Ok(Credential::Bearer(token)) => token.expose_secret().to_owned(),
                Err(fault) => fault.to_string(),
            }
        };
        let neither = "Secret hr must hold either token, or username and password.";
        assert_eq!(kind(&["token"]), "value");
        assert_eq!(kind(&["username", "password"]), "value:value");
        for keys in [&["username"][..], &[], &["token", "username", "password"], &["other"]] {
            assert_eq!(kind(keys), neither, "{keys:?}");
        }
    }

    #[test]
    fn a_format_takes_over_every_column_that_is_named() {
        let columns = serde_json::json!({
            "employeeId": "1", "fullName": "2", "email": "3", "status": "4", "hireDate": "5", "terminationDate": "6",
            "department": "7", "title": "8", "location": "9", "managerEmail": "10", "employmentType": "11",
            "legalEntity": "12", "team": "13", "lastWorkingDay": "14", "contractEnd": "15", "terminationReason": "16",
            "phone": "17"
        });
        let csv = serde_json::json!({"columns": columns, "statuses": {"Gone": "Terminated"}, "endDateMeans": "FirstDayOut", "delimiter": ";"});
        let csv: api::Csv = serde_json::from_value(csv).expect("a format");
        let format = format(&csv).expect("can be followed");
        let headers: Vec<_> = format.columns.values().map(String::as_str).collect();
        assert_eq!(headers, (1..=17).map(|column| column.to_string()).collect::<Vec<_>>());
        assert_eq!((format.delimiter, format.end_date), (';', EndDate::FirstDayOut));
        assert_eq!(format.statuses, BTreeMap::from([("Gone".to_owned(), Status::Terminated)]));
    }

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
        let waits =
            |reason| format!("{reason}: Secret hr is not there: make it in this namespace. Looked for every 30s.");
        let cases = [
            (&api, vec!["hr"], vec![], waits("SecretMissing")),
            (&map, vec![], vec!["people"], "Missing(\"ConfigMap people\")".to_owned()),
            (&http, vec!["hr"], vec![], waits("SecretMissing")),
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
