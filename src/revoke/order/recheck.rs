//! The calls of a check after the end, in their order: it reads, and writes what it saw, and nothing else.

use serde_json::{Value, json};

use super::super::rechecks;
use super::{LISTED, account, context, name, person};
use crate::kube::scenario::{Call, Scenario, on};
use tokio_util::sync::CancellationToken;

const ALL: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations";

/// Revoked a while ago, with a check that is due at this time.
fn revoked(next: &str) -> Value {
    let mut revocation = super::revocation();
    let target = revocation["status"]["plan"]["targets"][0].clone();
    let at = "2026-03-01T00:00:05Z";
    revocation["status"]["phase"] = json!("Revoked");
    revocation["status"]["finished"] = json!("Revoked");
    revocation["status"]["confirmed"] = json!(at);
    revocation["status"]["steps"] = json!([{"target": target, "outcome": "Done", "newUid": "new", "at": at}]);
    revocation["status"]["verdicts"] = json!([{"target": target, "verdict": "Observed", "how": "", "at": at}]);
    revocation["status"]["recheck"] = json!({"stage": 0, "next": next});
    revocation
}

fn read(next: &str) -> Call {
    on(&format!("GET {ALL}/{}", name())).answers(revoked(next))
}

/// One look: the Person, everybody, and the account.
fn looks(scenario: Scenario, stands: &str) -> Scenario {
    let ours = |kind: &str, name: &str| format!("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/{kind}/{name}");
    let who = person()["metadata"]["name"].as_str().unwrap().to_owned();
    scenario.then(on(&ours("people", &who)).answers(person())).then(on(LISTED).lists(json!([account(stands, "9")])))
}

fn writes(recheck: Value) -> Call {
    on(&format!("PATCH {ALL}/{}/status", name()))
        .sends(json!({"metadata": {"uid": "r-uid", "resourceVersion": "1"}, "status": {"recheck": recheck}}))
}

const DUE: &str = "2026-03-01T00:01:05Z";

async fn checked(scenario: Scenario) {
    let people = on("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/people").lists(json!([person()]));
    let scenario = scenario.meanwhile(people);
    let over = CancellationToken::new();
    over.cancel();
    rechecks::all(&context(&scenario), &over).await.unwrap();
    scenario.is_over();
}

fn due() -> Scenario {
    let selected = format!("GET {ALL}?");
    Scenario::default().then(on(&selected).lists(json!([revoked(DUE)])))
}

#[tokio::test(start_paused = true)]
async fn what_is_still_refused_is_written_once() {
    let all_refused = json!({"asked": 1, "unknown": 0, "refuted": null, "next": null, "stage": 4});
    let scenario = looks(due().then(read(DUE)), "new");
    checked(scenario.then(writes(all_refused).answers(revoked(DUE)))).await;
}

#[tokio::test(start_paused = true)]
async fn what_works_again_is_looked_at_twice_before_it_is_said() {
    let scenario = looks(looks(due().then(read(DUE)), "old").then(read(DUE)), "old");
    let again = json!({"asked": 1, "refuted": [{"verdict": "Refuted", "target": {"uid": "old"}}], "stage": 4});
    checked(scenario.then(writes(again).answers(revoked(DUE)))).await;
}

#[tokio::test(start_paused = true)]
async fn a_check_that_another_job_made_meanwhile_is_not_made_again() {
    let (far, all) = ("2999-01-01T00:00:00Z", json!({"refuted": null}));
    let later = crate::kube::calls::now() + jiff::SignedDuration::from_hours(1);
    checked(due().then(read(&later.to_string()))).await;
    let scenario = looks(due().then(read(DUE)), "new").then(writes(all).fails(409)).then(read(&later.to_string()));
    checked(scenario).await;
    // One that a wrong clock wrote is due.
    let scenario = looks(due().then(read(far)), "new");
    checked(scenario.then(writes(json!({"refuted": null})).answers(revoked(DUE)))).await;
}
