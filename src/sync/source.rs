//! From the spec of a connection to what can be read: credentials and ConfigMaps are fetched here, and nowhere else.
//!
//! What is wrong with the spec stalls; what is not there yet waits; a file that is not there is an answer of the poll.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::HEXLOWER;
use jiff::SignedDuration;
use jiff::civil::Date;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::Api;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Context;
use crate::api::connection::{self as api, ConfigMapKey, FileSource, HRConnectionSpec};
use crate::api::{HRConnection, LocalRef};
use crate::cluster;
use crate::domain::employee::{Failure, Field, Read, Status};
use crate::hris::{self, Credential, CsvFormat, EndDate, Slot};
use crate::outcome::Fault;

/// Look again for a Secret that is not there.
const SECRET_AGAIN: Duration = Duration::from_secs(30);
/// Hex digits of a fingerprint.
const DIGITS: usize = 32;

/// Reads everybody from a connection's source.
///
/// `today` is the UTC date, `budget` the time for the whole read.
///
/// # Errors
/// A fault when the read could not even be tried: the spec, a Secret, the API server. Inside, why there is no answer.
pub async fn read(
    ctx: &Context,
    connection: &HRConnection,
    today: Date,
    budget: SignedDuration,
) -> Result<Result<Read, Failure>, Fault> {
    let spec = &connection.spec;
    let network = hris::Network { allow_private_addresses: spec.network.allow_private_addresses };
    let source = match resolve(ctx, spec).await? {
        Err(failure) => return Ok(Err(failure)),
        Ok(source) => source,
    };
    hris::check(&source).map_err(Fault::Stalled)?;
    Ok(hris::read(&source, network, cluster::wait(budget), today).await)
}

/// Digest of source and mapping as they are written, without what any Secret or ConfigMap holds.
#[must_use]
pub fn fingerprint(source: &api::Source) -> String {
    let written = serde_json::to_vec(source).unwrap_or_default(); // strings and maps with string keys alone
    let mut digest = HEXLOWER.encode(&Sha256::digest(written));
    digest.truncate(DIGITS);
    digest
}

async fn resolve(ctx: &Context, spec: &HRConnectionSpec) -> Result<Result<hris::Source, Failure>, Fault> {
    match (&spec.source.api, &spec.source.file) {
        (Some(api), None) => {
            let definition = hris::connector(&api.connector).map_err(Fault::Stalled)?;
            let credentials = secret(ctx, &api.credentials_ref).await?;
            let parameters = api.parameters.clone();
            Ok(Ok(hris::Source::Api(Box::new(hris::ApiSource { definition, parameters, credentials }))))
        }
        (None, Some(file)) => resolve_file(ctx, file).await,
        _ => Err(Fault::Stalled("spec.source: exactly one of api and file must be set".to_owned())),
    }
}

async fn resolve_file(ctx: &Context, file: &FileSource) -> Result<Result<hris::Source, Failure>, Fault> {
    let format = format(&file.csv)?;
    match (&file.from.config_map, &file.from.http) {
        (Some(from), None) => {
            let bytes = config_map(ctx, from).await?;
            Ok(bytes.map(|bytes| hris::Source::Text(hris::TextFile { bytes, format })))
        }
        (None, Some(http)) => {
            let credential = match &http.credentials_ref {
                Some(reference) => Some(credential(reference, secret(ctx, reference).await?)?),
                None => None,
            };
            Ok(Ok(hris::Source::Http(hris::HttpFile { url: http.url.clone(), credential, format })))
        }
        _ => Err(Fault::Stalled("spec.source.file.from: exactly one of configMap and http must be set".to_owned())),
    }
}

/// Everything a Secret holds that is text.
async fn secret(ctx: &Context, reference: &LocalRef) -> Result<BTreeMap<String, SecretString>, Fault> {
    let secrets = Api::<Secret>::namespaced(ctx.client.clone(), &ctx.namespace);
    let name = &reference.name;
    let found = cluster::call("read the credentials", secrets.get_opt(name)).await?;
    let secret = found.ok_or_else(|| Fault::Waiting {
        reason: "SecretMissing",
        message: format!("Secret {name} is not there: make it in this namespace. Looked for every 30s."),
        again: SECRET_AGAIN,
    })?;
    Ok(secret.data.unwrap_or_default().into_iter().filter_map(|(key, bytes)| Some((key, text(bytes.0)?))).collect())
}

/// A value of a Secret without the line end that `--from-file` leaves; `None` where it is no text.
fn text(bytes: Vec<u8>) -> Option<SecretString> {
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
async fn config_map(ctx: &Context, from: &ConfigMapKey) -> Result<Result<Vec<u8>, Failure>, Fault> {
    let config_maps = Api::<ConfigMap>::namespaced(ctx.client.clone(), &ctx.namespace);
    let found = cluster::call("read the file", config_maps.get_opt(&from.name)).await?;
    Ok(key_of(found, from))
}

fn key_of(found: Option<ConfigMap>, from: &ConfigMapKey) -> Result<Vec<u8>, Failure> {
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
    ];
    let mut characters = csv.delimiter.chars();
    let (Some(delimiter), None) = (characters.next(), characters.next()) else { return Err(one_character()) };
    Ok(CsvFormat {
        columns: named.into_iter().filter_map(|(slot, header)| Some((slot, header.clone()?))).collect(),
        statuses: csv.statuses.iter().map(|(word, meaning)| (word.clone(), status(*meaning))).collect(),
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

/// A field in the words of the API.
#[must_use]
pub const fn to_api(field: Field) -> api::Field {
    match field {
        Field::EmployeeId => api::Field::EmployeeId,
        Field::FullName => api::Field::FullName,
        Field::Email => api::Field::Email,
        Field::Status => api::Field::Status,
        Field::HireDate => api::Field::HireDate,
        Field::TerminationDate => api::Field::TerminationDate,
        Field::Department => api::Field::Department,
        Field::Title => api::Field::Title,
        Field::Location => api::Field::Location,
        Field::Manager => api::Field::Manager,
    }
}

/// A field of the API in the words of the domain.
#[must_use]
pub const fn to_domain(field: api::Field) -> Field {
    match field {
        api::Field::EmployeeId => Field::EmployeeId,
        api::Field::FullName => Field::FullName,
        api::Field::Email => Field::Email,
        api::Field::Status => Field::Status,
        api::Field::HireDate => Field::HireDate,
        api::Field::TerminationDate => Field::TerminationDate,
        api::Field::Department => Field::Department,
        api::Field::Title => Field::Title,
        api::Field::Location => Field::Location,
        api::Field::Manager => Field::Manager,
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
    fn a_fingerprint_follows_source_and_mapping() {
        let source = |url: &str, date: &str| -> api::Source {
            let file = serde_json::json!({"from": {"http": {"url": url}}, "csv": {"dateFormat": date}});
            serde_json::from_value(serde_json::json!({"file": file})).expect("a source")
        };
        let print = |url, date| fingerprint(&source(url, date));
        assert_eq!(print("https://a.example.com", "%Y"), print("https://a.example.com", "%Y"));
        assert_ne!(print("https://a.example.com", "%Y"), print("https://b.example.com", "%Y"));
        assert_ne!(print("https://a.example.com", "%Y"), print("https://a.example.com", "%y"));
    }

    #[test]
    fn a_format_takes_over_every_column_that_is_named() {
        let columns = serde_json::json!({
            "employeeId": "1", "fullName": "2", "email": "3", "status": "4", "hireDate": "5", "terminationDate": "6",
            "department": "7", "title": "8", "location": "9", "managerEmail": "10"
        });
        let csv = serde_json::json!({"columns": columns, "statuses": {"Gone": "Terminated"}, "endDateMeans": "FirstDayOut", "delimiter": ";"});
        let csv: api::Csv = serde_json::from_value(csv).expect("a format");
        let format = format(&csv).expect("can be followed");
        let headers: Vec<_> = format.columns.values().map(String::as_str).collect();
        assert_eq!(headers, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
        assert_eq!((format.delimiter, format.end_date), (';', EndDate::FirstDayOut));
        assert_eq!(format.statuses, BTreeMap::from([("Gone".to_owned(), Status::Terminated)]));
    }
}
