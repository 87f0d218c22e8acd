//! The calls of a check after the end, in their order: it reads, and writes what it saw, and nothing else.

use serde_json::{Value, json};

use super::super::rechecks;
use super::{LISTED, account, context, name, person};
use crate::kube::scenario::{Call, Scenario, on};
use domain::rotation::ESO_HASH;
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

/// A Secret that external-secrets gave a new value, proved by who uses it.
fn adopted() -> Value {
    let mut revocation = revoked(DUE);
    let target =
        json!({"action": "Rotate", "kind": "Secret", "namespace": "apps", "name": "db", "uid": "s1", "why": "owned"});
    let at = "2026-03-01T00:00:05Z";
    let rotation =
        json!({"by": "ExternalSecrets", "before": "00000000 t1", "asked": at, "written": at, "writtenBy": "eso"});
    revocation["status"]["steps"] = json!([{"target": target, "outcome": "Done", "at": at, "rotation": rotation}]);
    revocation["status"]["verdicts"] = json!([{"target": target, "verdict": "Adopted", "how": "", "at": at}]);
    revocation
}

/// One look at the metadata of that Secret, as this field manager wrote it last.
fn secret(manager: &str, time: &str) -> Call {
    let fields = json!({"f:data": {".": {}, "f:password": {}}});
    let entry =
        json!({"manager": manager, "operation": "Update", "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields});
    on("GET /api/v1/namespaces/apps/secrets/db").answers(json!({
        "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
        "metadata": {"name": "db", "namespace": "apps", "uid": "s1", "managedFields": [entry],
            "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {ESO_HASH: "h"}},
    }))
}

fn pods(created: Option<&str>) -> [Call; 2] {
    let from = json!([{"secretRef": {"name": "db"}}]);
    let pod = created.map(|created| {
        json!({"metadata": {"name": "web", "creationTimestamp": created}, "spec": {"containers": [{"name": "c", "envFrom": from}]}})
    });
    let pods: Vec<Value> = pod.into_iter().collect();
    [
        on("GET /api/v1/namespaces/apps/pods").lists(json!(pods)),
        on("GET /apis/apps/v1/namespaces/apps/replicasets").lists(json!([])),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_got_a_new_value_is_told_by_its_metadata_and_by_the_pods_that_use_it() {
    let (then, later) = ("2026-03-01T00:00:05Z", "2026-03-01T00:30:00Z");
    let all_good = json!({"asked": 1, "unknown": 0, "unproved": null, "refuted": null});
    let one = |how: &str| json!({"asked": 1, "unknown": 1, "refuted": null, "unproved": [{"verdict": "Unknown", "how": how}]});
    let another = "field manager kubectl-edit has written it since, so the old value may be back";
    let old = "1 of 1 pods that use it have the old value: Pod web";
    let forbidden = "the revoker may not look: the namespace has taken its consent back";
    let namespace = json!({"metadata": {"name": "apps"}});
    let with = |secret: Call, pods: [Call; 2]| std::iter::once(secret).chain(pods).collect::<Vec<_>>();
    for (calls, expected) in [
        (with(secret("eso", then), pods(None)), all_good.clone()),
        (with(secret("eso", later), pods(Some(later))), all_good),
        (vec![secret("kubectl-edit", later)], one(another)),
        (with(secret("eso", then), pods(Some("2026-02-01T00:00:00Z"))), one(old)),
        (
            vec![
                on("GET /api/v1/namespaces/apps/secrets/db").fails(403),
                on("GET /api/v1/namespaces/apps").answers(namespace),
            ],
            one(forbidden),
        ),
    ] {
        let ours =
            |kind: &str, name: &str| format!("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/{kind}/{name}");
        let who = person()["metadata"]["name"].as_str().unwrap().to_owned();
        let scenario = Scenario::default()
            .then(on(&format!("GET {ALL}?")).lists(json!([adopted()])))
            .then(on(&format!("GET {ALL}/{}", name())).answers(adopted()))
            .then(on(&ours("people", &who)).answers(person()));
        let scenario = calls.into_iter().fold(scenario, Scenario::then);
        checked(scenario.then(writes(expected).answers(adopted()))).await;
    }
}
