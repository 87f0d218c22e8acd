//! A company of a few people, that the tests of the pages look at.

use serde_json::{Value, json};

use super::*;
use crate::api::{Person, Revocation, SyncPolicy};

/// When they are looked at.
pub fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

/// The words of a query.
pub fn query(text: &str) -> Query {
    Query::of(text)
}

/// What a page is made of.
pub fn look<'a>(world: &'a World, query: &'a Query, unmask: bool) -> Look<'a> {
    Look { world, now: now(), unmask, namespace: "rollcall", query }
}

fn person(id: &str, state: &str, why: &str, change: &Value) -> Person {
    let since = "2026-01-07T09:00:00Z";
    let gone = (state == "Terminated").then_some("2026-03-08T23:00:00Z");
    let status = if state == "Terminated" { "Terminated" } else { "Active" };
    let mut object = json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
        "metadata": {"name": format!("p-{id}"), "namespace": "rollcall", "uid": id},
        "spec": {"records": [{"connection": "hq", "id": id}]},
        "status": {
            "policy": "everyone",
            "aliases": [format!("email:{id}@example.com")],
            "employments": [{"connection": "hq", "id": id, "reportedStatus": status, "startDate": "2020-01-01"}],
            "employment": {"state": state, "since": since, "timeZone": "Europe/Madrid", "why": why, "effective": gone, "seen": gone},
            "profile": {"displayName": format!("Ben {id}"), "workEmail": format!("{id}@example.com")},
        },
    });
    crate::api::merge(&mut object, change);
    serde_json::from_value(object).unwrap()
}

/// Two who work here, of whom one leaves; one who has left, is held by the limits and has a hostile name; one of whom it cannot be told.
pub fn company() -> World {
    let seven = json!({"status": {
        "aliases": ["email:ada@example.com"],
        "profile": {"displayName": format!("Ada <script>alert(1)</script> \"\u{202e}{}", "x".repeat(300)), "workEmail": "ada@example.com"},
        "employments": [{"connection": "hq", "id": "7", "reportedStatus": "Terminated", "lastWorkingDay": "2026-03-08"}],
        "employment": {"lastDay": "2026-03-08"},
        "access": {"state": "Held", "revocation": "p-7-cut", "remaining": 1},
    }});
    let leaves = json!({"status": {"employments": [{"connection": "hq", "id": "8", "reportedStatus": "Active", "startDate": "2020-01-01",
        "lastWorkingDay": "2026-03-31", "announced": "2026-03-31", "announcedAt": "2026-01-07T09:00:00Z"}],
        "employment": {"lastDay": "2026-03-31"}}});
    let policy: SyncPolicy = serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": "everyone", "namespace": "rollcall"},
        "spec": {"mode": "Enforce", "connections": [{"name": "hq"}], "timeZones": {"default": "Europe/Madrid"}},
        "status": {"coverage": {"owned": 3, "unowned": 1, "ambiguous": 0},
            "runs": [{"id": "r-1", "leavers": 3, "people": 100, "at": "2026-03-08T23:00:00Z", "written": true}],
            "conditions": [{"type": "Baseline", "status": "True", "reason": "Settled", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    }))
    .unwrap();
    let trusted = json!({"time": "2026-03-10T11:00:00Z", "response": "7f3a9b00c1d2", "employees": 4, "statuses": {"Active": 3, "Terminated": 1},
        "highWater": 4, "source": "s"});
    let connection = serde_json::from_value(json!({
        "metadata": {"name": "hq", "namespace": "rollcall"},
        "spec": {"source": {"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}},
        "status": {"lastTrusted": trusted},
    }))
    .unwrap();
    let seen: Timestamp = "2026-03-08T23:00:00Z".parse().unwrap();
    let target = json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": "ci", "uid": "ci", "why": "id:hq/7"});
    let cut: Revocation = serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation",
        "metadata": {"name": format!("{}-cut", domain::roster::termination_id("p-7", seen)), "namespace": "rollcall", "uid": "r", "creationTimestamp": "2026-03-08T23:00:01Z"},
        "spec": {"person": "p-7", "personUid": "7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": "2026-03-08T23:00:00Z", "reason": "left"},
        "status": {"phase": "Held", "gate": {"reason": "OverLimit", "message": "3 leavers are more than 2 a day", "batch": "b-1"},
            "plan": {"hash": "a".repeat(64), "targets": [target]},
            "instants": {"effective": "2026-03-08T23:00:00Z", "seen": "2026-03-08T23:00:00Z"}},
    }))
    .unwrap();
    World {
        people: vec![
            person("1", "Active", "Active", &json!({})),
            person("7", "Terminated", "Terminated", &seven),
            person("8", "Active", "LeavesLater", &leaves),
            person("9", "Unknown", "Unmapped", &json!({})),
        ],
        revocations: vec![cut],
        policies: vec![policy],
        connections: vec![connection],
    }
}

#[test]
fn a_query_is_read_as_a_browser_writes_it() {
    let query = query("q=hq%2F7+x&state=&page=2&q2");
    assert_eq!([query.get("q"), query.get("state"), query.get("page"), query.get("absent")], ["hq/7 x", "", "2", ""]);
}
