//! From the spec of a file, and the objects it names, to what can be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use secrecy::SecretString;

use super::{Objects, SECRET_AGAIN, secret};
use crate::api::LocalRef;
use crate::api::condition::Reason;
use crate::api::connection::{self as api, ConfigMapKey};
use crate::kube::outcome::Fault;
use domain::employee::{Failure, Status, Text};
use hris::{
    self, Complete, Coverage, Credential, CsvFormat, Encoding, EndDate, Escape, FileFrom, Login, OpenPgp, Quote, Slot,
};

/// Polls in which an upload stands still, where the spec does not say.
const POLLS: u32 = 2;

/// The Secrets that a file needs.
pub(super) fn secrets(file: &api::FileSource) -> impl Iterator<Item = &LocalRef> {
    let http = file.from.http.as_ref().and_then(|http| http.credentials_ref.as_ref());
    let sftp = file.from.sftp.as_ref().map(|sftp| &sftp.credentials_ref);
    http.into_iter().chain(sftp).chain(file.decryption.as_ref().map(|seal| &seal.key_ref))
}

/// Puts together what can be read.
///
/// # Errors
/// A fault when nothing can be read: the spec, or a Secret. Inside, that the file is not there.
pub(super) fn resolve(file: &api::FileSource, objects: &mut Objects) -> Result<Result<hris::Source, Failure>, Fault> {
    let from = match (&file.from.config_map, &file.from.http, &file.from.sftp) {
        (Some(from), None, None) => match key_of(objects.config_maps.remove(&from.name), from) {
            Err(failure) => return Ok(Err(failure)),
            Ok(bytes) => FileFrom::Bytes(bytes),
        },
        (None, Some(http), None) => {
            let credential = match &http.credentials_ref {
                Some(reference) => Some(credential(reference, secret(objects, reference)?)?),
                None => None,
            };
            FileFrom::Http(hris::HttpFile { url: http.url.clone(), credential })
        }
        (None, None, Some(sftp)) => FileFrom::Sftp(Box::new(folder(sftp, objects)?)),
        _ => {
            let words = "spec.source.file.from: exactly one of configMap, http and sftp must be set";
            return Err(Fault::Stalled(words.to_owned()));
        }
    };
    let seal = file.decryption.as_ref().map(|seal| self::seal(seal, objects)).transpose()?;
    let coverage = match file.mode {
        api::FileMode::Full => Coverage::Everybody,
        api::FileMode::Delta => Coverage::Changes,
    };
    let format = format(&file.csv)?;
    Ok(Ok(hris::Source::File(Box::new(hris::FileSource { from, coverage, seal: seal.map(Arc::new), format }))))
}

fn folder(sftp: &api::SftpFile, objects: &Objects) -> Result<hris::SftpFile, Fault> {
    let reference = &sftp.credentials_ref;
    let mut keys = secret(objects, reference)?;
    let login = match (keys.remove("password"), keys.remove("privateKey")) {
        (Some(password), None) => Login::Password(password),
        (None, Some(key)) => Login::Key(key, keys.remove("passphrase")),
        _ => return Err(incomplete(reference, "either password, or privateKey and perhaps its passphrase")),
    };
    let complete = &sftp.complete;
    let complete = match (complete.unchanged_polls, &complete.marker, complete.checksum) {
        (polls, None, None) => Complete::Unchanged(polls.unwrap_or(POLLS)),
        (None, Some(ending), None) => Complete::Marker(ending.clone()),
        (None, None, Some(api::Checksum::Sha256)) => Complete::Checksum,
        _ => {
            let words = "spec.source.file.from.sftp.complete: at most one of its fields may be set";
            return Err(Fault::Stalled(words.to_owned()));
        }
    };
    Ok(hris::SftpFile {
        host: sftp.host.clone(),
        port: u16::try_from(sftp.port)
            .map_err(|_| Fault::Stalled("spec.source.file.from.sftp.port: at most 65535".to_owned()))?,
        user: sftp.user.clone(),
        host_keys: sftp.host_keys.clone(),
        login,
        directory: sftp.path.directory.clone(),
        pattern: sftp.path.pattern.clone(),
        complete,
        archive: sftp.archive == api::Archive::Move,
    })
}

fn seal(seal: &api::Decryption, objects: &Objects) -> Result<OpenPgp, Fault> {
    let mut keys = secret(objects, &seal.key_ref)?;
    let Some(key) = keys.remove("privateKey") else {
        return Err(incomplete(&seal.key_ref, "privateKey, and as needed its passphrase and a previousPrivateKey"));
    };
    Ok(OpenPgp {
        keys: [key].into_iter().chain(keys.remove("previousPrivateKey")).collect(),
        passphrase: keys.remove("passphrase").unwrap_or_default(),
        signers: seal.signed_by.clone(),
    })
}

pub(super) fn incomplete(reference: &LocalRef, what: &str) -> Fault {
    Fault::Waiting {
        reason: Reason::SecretIncomplete,
        message: format!("Secret {} must hold {what}.", reference.name),
        again: SECRET_AGAIN,
    }
}

/// What a file's Secret signs in with: `token`, or `username` and `password`.
fn credential(reference: &LocalRef, mut keys: BTreeMap<String, SecretString>) -> Result<Credential, Fault> {
    match (keys.remove("token"), keys.remove("username"), keys.remove("password")) {
        (Some(token), None, None) => Ok(Credential::Bearer(token)),
        (None, Some(username), Some(password)) => Ok(Credential::Basic(username, password)),
        _ => Err(incomplete(reference, "either token, or username and password")),
    }
}

/// The bytes under a key of a ConfigMap.
pub(in crate::sync::source) fn key_of(found: Option<ConfigMap>, from: &ConfigMapKey) -> Result<Vec<u8>, Failure> {
    let ConfigMapKey { name, key } = from;
    let config_map = found.ok_or_else(|| Failure::Missing(format!("ConfigMap {name}")))?;
    let text = config_map.data.and_then(|mut data| data.remove(key)).map(String::into_bytes);
    let bytes = config_map.binary_data.and_then(|mut data| data.remove(key)).map(|bytes| bytes.0);
    text.or(bytes).ok_or_else(|| Failure::Missing(format!("key {key} of ConfigMap {name}")))
}

/// The header of each column, where the spec names one; none for a name that stands in parts.
pub(in crate::sync::source) fn named_columns(columns: &api::Columns) -> Vec<(Slot, Option<&str>)> {
    let full_name = match columns.full_name.as_ref().and_then(|headers| headers.get()) {
        Some([one]) => Some(one.as_str()),
        _ => None,
    };
    let own = [
        (Slot::EmployeeId, columns.employee_id.as_deref()),
        (Slot::FullName, full_name),
        (Slot::Email, columns.email.as_deref()),
        (Slot::Status, columns.status.as_deref()),
        (Slot::HireDate, columns.hire_date.as_deref()),
        (Slot::TerminationDate, columns.termination_date.as_deref()),
        (Slot::ManagerEmail, columns.manager_email.as_deref()),
        (Slot::EmploymentType, columns.employment_type.as_deref()),
        (Slot::LastWorkingDay, columns.last_working_day.as_deref()),
        (Slot::ContractEnd, columns.contract_end.as_deref()),
        (Slot::TerminationReason, columns.termination_reason.as_deref()),
    ];
    let texts = Text::ALL.iter().map(|text| (text.slot(), columns.texts.get(*text)));
    let mut all: Vec<_> = own.into_iter().chain(texts).collect();
    all.sort_by_key(|(slot, _)| *slot); // in the order of the list, as the connection's fingerprint takes them
    all
}

/// The headers of a name that stands in parts.
pub(in crate::sync::source) fn name_parts(columns: &api::Columns) -> &[String] {
    let headers = columns.full_name.as_ref().and_then(|headers| headers.get());
    headers.filter(|headers| headers.len() > 1).unwrap_or_default()
}

/// How a CSV file is read.
///
/// # Errors
/// Stalled, where the columns of a name are neither a header nor a few.
pub fn format(csv: &api::Csv) -> Result<CsvFormat, Fault> {
    if csv.columns.full_name.as_ref().is_some_and(|headers| headers.get().is_none()) {
        let words = "spec.source.file.csv.columns.fullName: a header, or a list of up to four headers";
        return Err(Fault::Stalled(words.to_owned()));
    }
    let named = named_columns(&csv.columns).into_iter();
    Ok(CsvFormat {
        columns: named.filter_map(|(slot, header)| Some((slot, header?.to_owned()))).collect(),
        name_parts: name_parts(&csv.columns).to_vec(),
        custom: csv.columns.texts.customs().map(|(name, header)| (name.clone(), header.to_owned())).collect(),
        needs: None,
        none: csv.none.iter().cloned().collect(),
        statuses: csv.statuses.iter().map(|(word, meaning)| (word.clone(), status(*meaning))).collect(),
        types: csv.types.clone(),
        urgent_reasons: csv.urgent_reasons.iter().cloned().collect(),
        date_format: csv.date_format.clone(),
        end_date: match csv.end_date_means {
            api::EndDateMeans::LastDay => EndDate::LastDay,
            api::EndDateMeans::FirstDayOut => EndDate::FirstDayOut,
        },
        delimiter: csv.delimiter.as_ref().and_then(|text| text.chars().next()),
        quote: match csv.quote {
            api::Quote::Double => Quote::Double,
            api::Quote::Single => Quote::Single,
        },
        escape: match csv.escape {
            api::Escape::Doubled => Escape::Doubled,
            api::Escape::Backslash => Escape::Backslash,
        },
        encoding: match csv.encoding {
            api::Encoding::Unicode => Encoding::Unicode,
            api::Encoding::UnicodeOrWindows1252 => Encoding::UnicodeOrWindows1252,
        },
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

    use secrecy::ExposeSecret as _;

    use super::super::text;
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
        let format = super::format(&csv).expect("a format");
        let headers: Vec<_> = format.columns.values().map(String::as_str).collect();
        assert_eq!(headers, (1..=17).map(|column| column.to_string()).collect::<Vec<_>>());
        assert_eq!((format.delimiter, format.end_date), (Some(';'), EndDate::FirstDayOut));
        assert_eq!(format.statuses, BTreeMap::from([("Gone".to_owned(), Status::Terminated)]));
    }

    #[test]
    fn a_name_stands_in_one_column_or_in_a_few() {
        let format = |full_name: serde_json::Value| {
            let csv = serde_json::json!({"columns": {"fullName": full_name}, "none": ["NULL"]});
            let csv: api::Csv = serde_json::from_value(csv).expect("a format");
            super::format(&csv).map_err(|fault| fault.to_string())
        };
        let one = format("Name".into()).expect("a header");
        assert_eq!((one.columns.get(&Slot::FullName).map(String::as_str), one.name_parts.len()), (Some("Name"), 0));
        let two = format(serde_json::json!(["First name", "Last name"])).expect("headers");
        assert_eq!(
            (two.columns.get(&Slot::FullName), two.name_parts),
            (None, vec!["First name".into(), "Last name".into()])
        );
        assert!(two.none.contains("NULL"));
        for wrong in
            [serde_json::json!([]), 7.into(), serde_json::json!({"a": "b"}), "".into(), serde_json::json!(["a", 7])]
        {
            assert!(format(wrong.clone()).is_err_and(|why| why.contains("columns.fullName")), "{wrong}");
        }
    }

    fn sftp(keys: &[&str], complete: serde_json::Value) -> Result<hris::SftpFile, String> {
        let spec = serde_json::json!({
            "host": "sftp.example.com", "user": "rollcall", "hostKeys": ["SHA256:x"], "complete": complete,
            "path": {"directory": "out", "pattern": "people.csv"}, "credentialsRef": {"name": "hr"},
        });
        let data = keys.iter().map(|key| ((*key).to_owned(), ByteString(format!("{key}\n").into_bytes()))).collect();
        let secret = k8s_openapi::api::core::v1::Secret { data: Some(data), ..Default::default() };
        let objects = Objects { secrets: BTreeMap::from([("hr".to_owned(), secret)]), ..Objects::default() };
        folder(&serde_json::from_value(spec).expect("a spec"), &objects).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_folder_is_signed_in_to_by_password_or_key_and_its_files_are_whole_in_one_way() {
        let default = serde_json::json!({});
        let neither = "Secret hr must hold either password, or privateKey and perhaps its passphrase.";
        for (keys, expected) in [
            (&["password"][..], Ok("password")),
            (&["privateKey"], Ok("privateKey")),
            (&["privateKey", "passphrase"], Ok("privateKey passphrase")),
            (&["password", "privateKey"], Err(neither)),
            (&["passphrase"], Err(neither)),
            (&[], Err(neither)),
        ] {
            let said = sftp(keys, default.clone()).map(|folder| match folder.login {
                Login::Password(word) => word.expose_secret().to_owned(),
                Login::Key(key, None) => key.expose_secret().to_owned(),
                Login::Key(key, Some(phrase)) => format!("{} {}", key.expose_secret(), phrase.expose_secret()),
            });
            assert_eq!(said, expected.map(str::to_owned).map_err(str::to_owned), "{keys:?}");
        }
        for (complete, expected) in [
            (default, Complete::Unchanged(2)),
            (serde_json::json!({"unchangedPolls": 5}), Complete::Unchanged(5)),
            (serde_json::json!({"marker": ".ok"}), Complete::Marker(".ok".to_owned())),
            (serde_json::json!({"checksum": "Sha256"}), Complete::Checksum),
        ] {
            assert_eq!(sftp(&["password"], complete).expect("a folder").complete, expected);
        }
        assert!(sftp(&["password"], serde_json::json!({"marker": ".ok", "unchangedPolls": 2})).is_err());
    }
}
