//! The calls of a prune in their order: the marker first, then the records from the oldest on, each by its uid.

use std::fs;

use clap::Parser;
use domain::evidence::RecordBody;
use serde_json::{Value, json};

use super::*;
use crate::kube::scenario::{Call, Scenario, on};

const MAPS: &str = "/api/v1/namespaces/rollcall/configmaps";
const REVOCATIONS: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations";

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

/// A folder of its own, gone with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        Self(std::env::temp_dir().join(format!("rollcall-prune-{test}-{}", std::process::id())))
    }

    fn options(&self, more: &[&str]) -> Options {
        let dir = self.0.to_string_lossy().into_owned();
        let line = ["prune", "--older-than", "400d", "--dir", &dir].into_iter().chain(more.iter().copied());
        Line::try_parse_from(line).unwrap().options
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).map_or(0, Iterator::count)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn now() -> Timestamp {
    "2026-11-01T08:00:00.7Z".parse().unwrap()
}

/// Records as the cluster lists them, of which all but the last two are old, and the head after each.
fn chained(length: u64) -> (Vec<Value>, Vec<Head>) {
    let (mut maps, mut heads) = (Vec::new(), vec![Head::genesis()]);
    for index in 1..=length {
        let sealed = if index + 1 < length { "2024-01-01T00:00:00Z" } else { "2026-10-31T00:00:00Z" };
        let body: RecordBody = serde_json::from_value(json!({
            "revocation": format!("r-{index}"), "operation": "Cut", "phase": "Revoked", "person": "p", "subject": "s",
            "policy": "everyone", "rule": "r", "steps": [], "verdicts": [], "remaining": [], "instants": {}, "sealed": sealed,
        }))
        .unwrap();
        let record = evidence::chain(heads.last().unwrap(), body).unwrap();
        let metadata = json!({"name": evidence::name(index), "uid": format!("map-{index}"),
            "labels": {"rollcall.dev/revocation": format!("uid-{index}")}});
        maps.push(json!({"metadata": metadata, "data": {"record.json": record.text}}));
        heads.push(record.head);
    }
    (maps, heads)
}

fn map(name: &str, data: &Value) -> Call {
    let object = json!({"metadata": {"name": name, "resourceVersion": "4"}, "data": data});
    on(&format!("GET {MAPS}/{name}")).answers(object)
}

/// Everything that is read: the Revocations, and all records between two reads of both ends.
fn reads(present: &Value, maps: &[Value], head: &Head, start: Option<&Start>) -> Scenario {
    let head = || map(names::EVIDENCE_HEAD, &json!(head.data()));
    let start = || match start {
        Some(start) => map(names::EVIDENCE_START, &json!(start.data())),
        None => on(&format!("GET {MAPS}/{}", names::EVIDENCE_START)),
    };
    Scenario::default()
        .then(on(&format!("GET {REVOCATIONS}")).lists(present.clone()))
        .then(head())
        .then(start())
        .then(on(&format!("GET {MAPS}")).lists(json!(maps)))
        .then(head())
        .then(start())
        .then(on(&format!("GET {MAPS}/{}", names::EVIDENCE_KEYS)))
}

fn who() -> Call {
    on("POST /apis/authentication.k8s.io/v1/selfsubjectreviews")
        .answers(json!({"spec": {}, "status": {"userInfo": {"username": "carol"}}}))
}

fn rehearses(index: u64) -> Call {
    deletes(index).sends(json!({"dryRun": ["All"]}))
}

fn deletes(index: u64) -> Call {
    let exactly = json!({"preconditions": {"uid": format!("map-{index}")}});
    let name = evidence::name(index);
    on(&format!("DELETE {MAPS}/{name}")).sends(exactly).answers(json!({"kind": "Status", "status": "Success"}))
}

fn pruned(from: u64, last: &Head) -> Prune {
    Prune { from, last: last.clone(), at: "2026-11-01T08:00:00Z".parse().unwrap(), by: "carol".into() }
}

fn marks(start: &Start) -> Call {
    let body = json!({"metadata": {"name": names::EVIDENCE_START}, "data": start.data()});
    on(&format!("POST {MAPS}")).sends(body.clone()).answers(body)
}

#[tokio::test]
async fn the_marker_is_written_before_the_first_record_is_deleted() {
    let (maps, heads) = chained(5);
    let dir = Folder::new("first");
    let start = Start::after(None, pruned(1, &heads[3]));
    let scenario = reads(&json!([]), &maps, &heads[5], None)
        .then(who())
        .then(rehearses(1))
        .then(marks(&start))
        .then(deletes(1))
        .then(deletes(2).fails(404)) // another prune was faster
        .then(deletes(3));
    prune(scenario.client(), &dir.options(&["--yes"]), now()).await.unwrap();
    scenario.is_over();
    let exported = folder::folder(&dir.0).unwrap();
    assert_eq!((exported.records.len(), exported.start.as_ref()), (5, Some(&start)));
    verify(&exported, Vec::new(), &Trust::default()).unwrap();
}

#[tokio::test]
async fn the_next_prune_is_written_over_the_marker_that_was_read() {
    let (maps, heads) = chained(6);
    let dir = Folder::new("second");
    let first = Start::after(None, pruned(1, &heads[2]));
    let second = Start::after(Some(&first), pruned(3, &heads[4]));
    let body = json!({"metadata": {"name": names::EVIDENCE_START, "resourceVersion": "4"}, "data": second.data()});
    let scenario = reads(&json!([]), &maps[2..], &heads[6], Some(&first))
        .then(who())
        .then(rehearses(3))
        .then(on(&format!("PUT {MAPS}/{}", names::EVIDENCE_START)).sends(body.clone()).answers(body))
        .then(deletes(3))
        .then(deletes(4));
    prune(scenario.client(), &dir.options(&["--yes"]), now()).await.unwrap();
    scenario.is_over();
}

#[tokio::test]
async fn an_interrupted_prune_is_finished_without_another_marker() {
    let (maps, heads) = chained(5);
    let dir = Folder::new("again");
    let start = Start::after(None, pruned(1, &heads[3]));
    let scenario = reads(&json!([]), &maps[1..], &heads[5], Some(&start))
        .then(who())
        .then(rehearses(2))
        .then(deletes(2))
        .then(deletes(3));
    prune(scenario.client(), &dir.options(&["--yes"]), now()).await.unwrap();
    scenario.is_over();
}

#[tokio::test]
async fn nothing_is_deleted_where_the_marker_is_not_written() {
    let (maps, heads) = chained(5);
    let marked = || marks(&Start::after(None, pruned(1, &heads[3])));
    for (situation, refused) in [
        ("somebody else pruned", vec![rehearses(1), marked().fails(409)]),
        ("no right to write the marker", vec![rehearses(1), marked().fails(403)]),
        ("no right to delete: no marker either", vec![rehearses(1).fails(403)]),
    ] {
        let dir = Folder::new("refused");
        let scenario = refused.into_iter().fold(reads(&json!([]), &maps, &heads[5], None).then(who()), Scenario::then);
        assert!(prune(scenario.client(), &dir.options(&["--yes"]), now()).await.is_err(), "{situation}");
        scenario.is_over();
        assert!(folder::folder(&dir.0).unwrap().start.is_none(), "{situation}");
    }
}

#[tokio::test]
async fn nothing_is_deleted_that_is_not_in_the_folder() {
    let (maps, heads) = chained(5);
    let dir = Folder::new("differs");
    fs::create_dir_all(&dir.0).unwrap();
    fs::write(folder::file(&dir.0, &evidence::name(2)), "{}").unwrap();
    let scenario = reads(&json!([]), &maps, &heads[5], None);
    assert!(prune(scenario.client(), &dir.options(&["--yes"]), now()).await.is_err());
    scenario.is_over();
    let record = Stored { name: evidence::name(2), text: "{ }".into(), ..Stored::default() };
    assert!(secured(&dir.0, vec![record.clone()]).is_err(), "another text");
    assert!(secured(&dir.0, vec![Stored { text: "{}".into(), ..record }]).is_ok());
}

#[tokio::test]
async fn of_a_broken_chain_nothing_is_exported_or_deleted() {
    let (maps, heads) = chained(5);
    let dir = Folder::new("broken");
    let scenario = reads(&json!([]), &maps[1..], &heads[5], None);
    assert!(prune(scenario.client(), &dir.options(&["--yes"]), now()).await.is_err());
    scenario.is_over();
    assert_eq!(dir.files(), 0);
}

#[tokio::test]
async fn a_dry_run_writes_nothing_anywhere() {
    let (maps, heads) = chained(5);
    let dir = Folder::new("dry");
    let scenario = reads(&json!([]), &maps, &heads[5], None);
    prune(scenario.client(), &dir.options(&["--dry-run"]), now()).await.unwrap();
    scenario.is_over();
    assert_eq!(dir.files(), 0);
}

#[tokio::test]
async fn the_record_of_a_revocation_that_is_still_there_stays() {
    let (maps, heads) = chained(5);
    let at = "2024-01-01T00:00:00Z";
    let present = json!([{"metadata": {"name": "renamed", "uid": "uid-1"}, "spec": {"person": "p", "personUid": "u",
        "policy": "everyone", "trigger": "Termination", "operation": "Cut", "due": at, "reason": "left"}}]);
    let dir = Folder::new("present");
    let scenario = reads(&present, &maps, &heads[5], None);
    prune(scenario.client(), &dir.options(&["--yes"]), now()).await.unwrap();
    scenario.is_over();
    assert_eq!(dir.files(), 6, "it is exported all the same");
}

#[test]
fn what_goes_and_what_stays_is_shown() {
    let (maps, heads) = chained(5);
    let stored = |map: &Value| Stored {
        name: map["metadata"]["name"].as_str().unwrap().into(),
        text: map["data"]["record.json"].as_str().unwrap().into(),
        ..Stored::default()
    };
    let mut chain = Chain { records: maps.iter().map(stored).collect(), ..Chain::default() };
    let decision = |last: usize| Decision { last: heads[last].clone(), stays: evidence::Stays::Last { index: 5 } };
    let shown = |chain: &Chain, last: usize| shown(chain, &decision(last), &going(chain, &heads[last]));
    let stays = "No more: record 5 is the last one, which the head names.";
    assert_eq!(
        shown(&chain, 2),
        format!("Records 1 to 2 go: sealed from 2024-01-01T00:00:00Z to 2024-01-01T00:00:00Z.\n{stays}")
    );
    assert_eq!(shown(&chain, 0), format!("No record goes.\n{stays}"));
    chain.start = Some(Start::after(None, pruned(1, &heads[2])));
    assert_eq!(shown(&chain, 2), format!("2 records of an interrupted prune are still there, and go.\n{stays}"));
}
