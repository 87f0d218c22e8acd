//! What Argo CD and Flux are told of the kinds are words of the kinds: a health check that waits for a reason that does not exist
//! would be right for ever.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::de::DeserializeOwned;

use crate::api::condition::table::CONDITIONS;
use crate::api::condition::{Condition, ConditionType, Reason, Status};
use crate::api::revocation::Phase;
use crate::api::{HRConnection, Person, Revocation, SyncPolicy};

const FOLDER: &str = "examples/argocd/rollcall.dev";

/// What Argo CD says, and no kind of Rollcall.
const ARGO: [&str; 2] = ["Healthy", "Degraded"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn parsed<K: DeserializeOwned>(path: &Path) -> K {
    let text = fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The conditions of an object that a health check is tested with.
fn conditions(kind: &str, path: &Path) -> Vec<Condition> {
    match kind {
        "HRConnection" => parsed::<HRConnection>(path).status.map(|status| status.conditions),
        "SyncPolicy" => parsed::<SyncPolicy>(path).status.map(|status| status.conditions),
        "Revocation" => parsed::<Revocation>(path).status.map(|status| status.conditions),
        "Person" => parsed::<Person>(path).status.map(|status| status.conditions),
        other => panic!("there is no kind {other}"),
    }
    .unwrap_or_default()
}

fn known(condition: &Condition) -> bool {
    CONDITIONS.iter().flat_map(|section| section.rows).any(|row| {
        condition.is(row.condition, row.status) && row.reasons.iter().any(|reason| reason.as_str() == condition.reason)
    })
}

/// Whether this is a word that a condition or a phase can be.
fn is_a_word(word: &str) -> bool {
    let rows = || CONDITIONS.iter().flat_map(|section| section.rows);
    let condition = |row: &crate::api::condition::table::Row| {
        row.condition.as_str() == word || row.reasons.iter().any(|reason| reason.as_str() == word)
    };
    rows().any(condition)
        || [Status::True, Status::False, Status::Unknown].iter().any(|status| status.as_str() == word)
        || [ConditionType::Ready.as_str(), ConditionType::Stalled.as_str(), Reason::Stalled.as_str()].contains(&word)
        || serde_json::from_value::<Phase>(word.into()).is_ok()
}

#[test]
fn health_checks_are_tested_with_what_the_kinds_say() {
    let mut seen = 0;
    for folder in files(Path::new(FOLDER)) {
        let kind = folder.file_name().unwrap().to_str().unwrap();
        for path in files(&folder.join("testdata")) {
            for condition in conditions(kind, &path) {
                seen += 1;
                assert!(known(&condition), "{}: {condition:?} is no condition of docs/conditions.md", path.display());
            }
        }
    }
    assert!(seen > 40, "the objects were not read: {seen}");
}

#[test]
fn health_checks_ask_for_words_that_there_are() {
    let in_lua = Regex::new(r#"\b([A-Z][A-Za-z]+) = (?:true|")|(?:type|status|reason) == "(\w+)""#).unwrap();
    let in_cel = Regex::new(r"'([A-Z][A-Za-z]+)'").unwrap();
    let page = fs::read_to_string("docs/gitops.md").unwrap();
    let (_, expressions) = page.split_once("healthCheckExprs").unwrap();
    let (expressions, _) = expressions.split_once("```").unwrap();
    let mut asked = vec![("docs/gitops.md".to_owned(), in_cel, expressions.to_owned())];
    for folder in files(Path::new(FOLDER)) {
        let path = folder.join("health.lua");
        asked.push((path.display().to_string(), in_lua.clone(), fs::read_to_string(path).unwrap()));
    }
    let mut seen = 0;
    for (path, words, text) in asked {
        for found in words.captures_iter(&text) {
            let word = found.iter().skip(1).flatten().next().unwrap().as_str();
            seen += 1;
            assert!(ARGO.contains(&word) || is_a_word(word), "{path}: no condition has {word}");
        }
    }
    assert!(seen > 40, "the checks were not read: {seen}");
}
