//! `rollcall export`: everything that is kept of one person, in one document, for the person who asks for it.

use std::fs::File;
use std::io::Write as _;
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use super::{all, find};
use crate::api::{Person, Revocation, names};
use crate::cli::Failure;
use crate::cli::cluster::Cluster;
use crate::cli::terminal::say;
use crate::kube::calls;
use crate::kube::named::Api;
use domain::employee::HrId;
use domain::evidence;

/// What stands for a value that is not shown.
const MASK: &str = "…";
/// What is kept elsewhere, and cannot be told apart for one person.
const ELSEWHERE: [(&str, &str); 9] = [
    (
        "Secret rollcall-memory-… of each connection",
        "counts of earlier responses and keyed hashes of ids and addresses, without any id, name or address",
    ),
    (
        "ConfigMap rollcall-ledger",
        "names of Revocations, with what they count against the limits, until thirty days after the limits' windows",
    ),
    ("Events and logs", "HR ids and what happened, for as long as your cluster keeps them"),
    (
        "ServiceAccounts and bindings",
        "the owner annotation or the user name by which somebody named the person there; they are not Rollcall's: kubectl rollcall why lists them",
    ),
    (
        "RoleBindings with the label rollcall.dev/person",
        "the user names of a person that a grant of a policy is for, until they lose it",
    ),
    (
        "FrozenNames rollcall-frozen",
        "user names of people who are frozen, until that is lifted or its Revocation is gone",
    ),
    (
        "RecreatableAccounts rollcall-recreate",
        "owner annotations of accounts that are to be made again, until that is done or given up",
    ),
    (
        "TrimmableSubjects rollcall-trim",
        "user names of leavers that are to be taken out of shared bindings, until that is done or given up",
    ),
    (
        "EndedAccess rollcall-ended",
        "only with the chart's returns.deny: user names of leavers, whom nobody binds again, until they are back or their Revocations are gone",
    ),
];

/// Options of `rollcall export`.
#[derive(Debug, Args)]
pub struct Options {
    /// The Person: its name, an HR record (`hq/7` or `id:hq/7`), an address, or a user name
    person: String,
    /// Write the document into this new file, which only you can read, instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Export names, addresses, user names, manifests and the salt as they are. Without it, each is shown as …
    #[arg(long)]
    unmask: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// Writes the document.
///
/// # Flow          read; find the Person; pick what is theirs; write
/// # Guarantees    changes nothing in the cluster; never writes over a file; nothing of another person is in it, but for the
///                 objects that a Revocation of theirs left to several people
/// # Errors        nobody, or several, are meant; what may not be read; a file that is there already
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let namespace = options.cluster.namespace();
    let people = all("list the Persons", Api::namespaced(client.clone(), namespace), "").await?;
    let person: &Person = find(&people, &options.person)?;
    let revocations = all("list the Revocations", Api::namespaced(client.clone(), namespace), "").await?;
    let label = format!("{}={}", names::PART, evidence::PART);
    let records: Vec<ConfigMap> =
        all("list the records of the evidence", Api::namespaced(client, namespace), &label).await?;
    let mut document = document(person, &revocations, &records, calls::now());
    if !options.unmask {
        mask(&mut document);
        eprintln!("Names, addresses, user names, manifests and the salt are masked; --unmask exports them.");
    }
    let text = serde_json::to_string_pretty(&document).map_err(|error| Failure::Refused(error.to_string()))?;
    match &options.out {
        None => say(&text),
        Some(path) => write(path, &text)?,
    }
    Ok(())
}

/// Into a file that was not there, and that its owner alone may read.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let written =
        options.open(path).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")));
    written.map_err(|error| Failure::file(path, error))
}

/// Everything that is theirs.
fn document(person: &Person, revocations: &[Revocation], records: &[ConfigMap], now: Timestamp) -> Value {
    let name = person.name_any();
    let of_them = revocations.iter().filter(|revocation| revocation.spec.person == name);
    json!({
        "exported": now,
        "masked": false,
        "person": bare(person),
        "revocations": of_them.map(bare).collect::<Vec<_>>(),
        "evidence": evidence_of(person, records),
        "elsewhere": ELSEWHERE.map(|(place, keeps)| json!({"place": place, "keeps": keeps})),
    })
}

/// An object without what the API server notes of its writers.
fn bare<K: Resource + Clone + serde::Serialize>(object: &K) -> Value {
    let mut object = object.clone();
    object.meta_mut().managed_fields = None;
    serde_json::to_value(object).unwrap_or_default()
}

/// The records whose salted digest is of one of their HR records, and those that name their Person, without a digest where it
/// was gone.
fn evidence_of(person: &Person, records: &[ConfigMap]) -> Vec<Value> {
    let salt = person.status.as_ref().and_then(|status| status.salt.as_ref());
    let subjects: Vec<String> = salt
        .iter()
        .flat_map(|salt| person.spec.records.iter().map(move |one| (salt, one)))
        .map(|(salt, one)| evidence::subject(salt, &one.connection, &HrId(one.id.clone())))
        .collect();
    let name = person.name_any();
    let read = |map: &ConfigMap| {
        let text = map.data.as_ref()?.get(evidence::KEY)?;
        let record: evidence::Record = serde_json::from_str(text).ok()?;
        let theirs = subjects.contains(&record.body.subject) || record.body.person == name;
        theirs
            .then(|| json!({"name": map.name_any(), "record": serde_json::from_str::<Value>(text).unwrap_or_default()}))
    };
    records.iter().filter_map(read).collect()
}

/// Hides what is personal, wherever it stands.
fn mask(document: &mut Value) {
    document["masked"] = json!(true);
    mask_in(document);
}

fn mask_in(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let user = fields.get("kind").is_some_and(|kind| kind == "User"); // a frozen user name, as a target
            for (name, value) in fields {
                match name.as_str() {
                    "name" if user => hide(value),
                    "profile" | "aliases" | "alias" | "disowned" | "usernames" | "manifest" | "salt" | "by"
                    | "approver" | "rejecter" => {
                        hide(value);
                    }
                    _ => mask_in(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_in),
        _ => {}
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(hide),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Null => {}
        _ => *value = json!(MASK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        serde_json::from_value(json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
            "metadata": {"name": "p-7", "uid": "u-7", "managedFields": [{"manager": "rollcall-sync"}]},
            "spec": {"records": [{"connection": "hq", "id": "7"}, {"connection": "old", "id": "x7"}]},
            "status": {"salt": "5a17", "aliases": ["email:ada@example.com"],
                "profile": {"displayName": "Ada Example", "workEmail": "ada@example.com"}},
        }))
        .unwrap()
    }

    fn revocation(name: &str, person: &str) -> Revocation {
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"person": person, "personUid": "u", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": {"plan": {"hash": "h", "targets": [], "usernames": ["oidc:ada@example.com"], "freezes": [
                    {"action": "Freeze", "kind": "User", "namespace": "", "name": "oidc:ada@example.com", "uid": "", "why": "theirs"}]},
                "kept": [{"uid": "1", "manifest": "{\"subjects\": \"oidc:ada@example.com\"}", "sha256": "s"}]},
        }))
        .unwrap()
    }

    fn sealed(index: u64, person: &str, subject: &str) -> ConfigMap {
        let record = json!({"version": 1, "index": index, "previous": "p", "revocation": "r", "operation": "Cut", "phase": "Revoked",
            "person": person, "subject": subject, "policy": "everyone", "rule": "r", "steps": [], "verdicts": [], "remaining": [],
            "instants": {}, "sealed": "2026-03-01T00:00:00Z"});
        serde_json::from_value(
            json!({"metadata": {"name": evidence::name(index)}, "data": {"record.json": record.to_string()}}),
        )
        .unwrap()
    }

    fn exported() -> Value {
        let subject = |connection: &str, id: &str| evidence::subject("5a17", connection, &HrId(id.into()));
        let records = [
            sealed(1, "p-7", &subject("hq", "7")),
            sealed(2, "p-8", &subject("hq", "8")),
            sealed(3, "p-merged", &subject("old", "x7")),
            sealed(4, "p-7", evidence::GENESIS),
            sealed(5, "p-8", evidence::GENESIS),
        ];
        document(
            &person(),
            &[revocation("p-7-cut", "p-7"), revocation("p-8-cut", "p-8")],
            &records,
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn everything_of_one_person_is_exported_and_nothing_of_another() {
        let document = exported();
        let names = |list: &Value, path: &str| -> Vec<String> {
            list.as_array().unwrap().iter().map(|one| one.pointer(path).unwrap().as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&document["revocations"], "/metadata/name"), ["p-7-cut"]);
        assert_eq!(names(&document["evidence"], "/name"), [1, 3, 4].map(evidence::name));
        assert_eq!(document["person"]["status"]["profile"]["displayName"], "Ada Example");
        assert!(document["person"]["metadata"]["managedFields"].is_null());
        assert!(!document.to_string().contains("p-8"));
    }

    #[test]
    fn what_is_personal_is_shown_only_where_it_is_asked_for() {
        let mut masked = exported();
        mask(&mut masked);
        for personal in ["Ada", "ada@", "5a17"] {
            assert!(exported().to_string().contains(personal), "{personal}");
            assert!(!masked.to_string().contains(personal), "{personal}");
        }
        assert_eq!(
            (masked["masked"].as_bool(), masked["person"]["spec"]["records"][0]["id"].as_str()),
            (Some(true), Some("7"))
        );
    }

    #[test]
    fn a_file_that_is_there_is_not_written_over_and_a_new_one_is_its_owners() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("rollcall-export-{}", std::process::id()));
        write(&path, "{}").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write(&path, "other").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
        std::fs::remove_file(&path).unwrap();
    }
}
