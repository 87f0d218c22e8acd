//! The calls of sealing in their order: the record first, then the head.

use serde_json::json;

use super::*;
use crate::api::revocation::Phase;
use crate::control::Options;
use crate::kube::scenario::{Call, Scenario, on};
use domain::evidence::{chain, name};

const MAPS: &str = "/api/v1/namespaces/rollcall/configmaps";
const HEAD: &str = "/api/v1/namespaces/rollcall/configmaps/rollcall-evidence-head";

fn revocation() -> Revocation {
    serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": "r-1", "uid": "r-uid"},
        "spec": {"person": "p-7", "personUid": "u", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": "2026-03-01T00:00:00Z", "reason": "left"},
    }))
    .unwrap()
}

fn context(scenario: &Scenario) -> Context {
    let options = Options { namespace: "rollcall".into(), ..Options::default() };
    Context::new(scenario.client(), options, || jiff::Timestamp::UNIX_EPOCH, std::sync::Arc::default())
}

async fn sealed(scenario: &Scenario) -> Result<Evidence, Fault> {
    let part = ControlStatus { phase: Some(Phase::Revoked), ..ControlStatus::of(&revocation()) };
    seal(&context(scenario), &revocation(), &part, None, "everyone/termination").await
}

/// What the records of this Revocation are called, one after another, with the head after each.
fn chained(records: usize) -> Vec<Sealed> {
    let part = ControlStatus { phase: Some(Phase::Revoked), ..ControlStatus::of(&revocation()) };
    let body = record_body::of(&revocation(), &part, None, "everyone/termination", jiff::Timestamp::UNIX_EPOCH);
    let mut all: Vec<Sealed> = Vec::new();
    for _ in 0..records {
        let head = all.last().map_or_else(Head::genesis, |sealed| sealed.head.clone());
        all.push(chain(&head, body.clone()).unwrap());
    }
    all
}

fn no_record_yet() -> Call {
    on(&format!("GET {MAPS}?labelSelector=rollcall.dev%2Frevocation+in+%28r-uid%29")).lists(json!([]))
}

fn record(sealed: &Sealed) -> Call {
    let body =
        json!({"metadata": {"name": name(sealed.head.index)}, "immutable": true, "data": {"record.json": sealed.text}});
    on(&format!("POST {MAPS}")).sends(body.clone()).answers(body)
}

fn head_at(sealed: &Sealed) -> serde_json::Value {
    json!({"metadata": {"name": "rollcall-evidence-head", "resourceVersion": "4"}, "data": sealed.head.data()})
}

fn moves_head(sealed: &Sealed) -> Call {
    let body = json!({"metadata": {"resourceVersion": "4"}, "data": sealed.head.data()});
    on(&format!("PUT {HEAD}")).sends(body).answers(head_at(sealed))
}

#[tokio::test]
async fn the_first_record_is_written_before_the_head_that_names_it() {
    let [first] = chained(1).try_into().ok().unwrap();
    let scenario = Scenario::default()
        .then(on(&format!("GET {HEAD}")))
        .then(no_record_yet())
        .then(record(&first))
        .then(on(&format!("POST {MAPS}")).sends(json!({"data": first.head.data()})).answers(head_at(&first)));
    let evidence = sealed(&scenario).await.unwrap();
    assert_eq!((evidence.name, evidence.hash), (name(1), first.head.hash));
    scenario.is_over();
}

#[tokio::test]
async fn a_record_without_its_head_is_taken_into_the_chain_before_another_is_written() {
    let [first, second, third] = chained(3).try_into().ok().unwrap();
    let died = json!({"metadata": {"name": name(2)}, "data": {"record.json": second.text}});
    let scenario = Scenario::default()
        .then(on(&format!("GET {HEAD}")).answers(head_at(&first)))
        .then(no_record_yet())
        .then(record(&second).fails(409))
        .then(on(&format!("GET {MAPS}/{}", name(2))).answers(died))
        .then(on(&format!("GET {MAPS}/{}", name(3))))
        .then(moves_head(&second))
        .then(on(&format!("GET {HEAD}")).answers(head_at(&second)))
        .then(no_record_yet())
        .then(record(&third))
        .then(moves_head(&third));
    let evidence = sealed(&scenario).await.unwrap();
    assert_eq!((evidence.name, evidence.previous), (name(3), second.head.hash));
    scenario.is_over();
}

#[tokio::test]
async fn a_record_that_was_not_written_moves_no_head() {
    let [first, second] = chained(2).try_into().ok().unwrap();
    for code in [403, 500] {
        let scenario = Scenario::default()
            .then(on(&format!("GET {HEAD}")).answers(head_at(&first)))
            .then(no_record_yet())
            .then(record(&second).fails(code));
        assert!(sealed(&scenario).await.is_err(), "{code}");
        scenario.is_over();
    }
}

#[tokio::test]
async fn a_head_that_was_not_moved_fails_the_sealing_and_the_next_call_goes_on_from_the_record() {
    let [first, second] = chained(2).try_into().ok().unwrap();
    let scenario = Scenario::default()
        .then(on(&format!("GET {HEAD}")).answers(head_at(&first)))
        .then(no_record_yet())
        .then(record(&second))
        .then(moves_head(&second).fails(500));
    assert!(sealed(&scenario).await.is_err());
    scenario.is_over();
}
