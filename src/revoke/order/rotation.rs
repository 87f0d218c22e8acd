//! The revoker's calls about a Secret: its metadata alone, what it is told by written ahead, one patch, and the pods until none is old.

use serde_json::{Value, json};

use super::{STOP, policy, written};
use crate::api::{Person, names};
use crate::kube::calls;
use crate::kube::scenario::{Call, Scenario, on};
use domain::plan::{Action, Kind, Target};
use domain::rotation::ESO_HASH;

const SECRET: &str = "/api/v1/namespaces/apps/secrets/db";
const EXTERNAL: &str = "/apis/external-secrets.io/v1/namespaces/apps/externalsecrets/db";
const PODS: &str = "GET /api/v1/namespaces/apps/pods";
const SETS: &str = "GET /apis/apps/v1/namespaces/apps/replicasets";
const WEB: &str = "/apis/apps/v1/namespaces/apps/deployments/web";

fn rotating_policy() -> Value {
    let mut policy = policy();
    policy["spec"]["revocation"] = json!({"secrets": "Rotate"});
    policy
}

fn revocation(steps: &Value) -> Value {
    let mut revocation = super::revocation_of(&[Target {
        action: Action::Rotate,
        kind: Kind::Secret,
        namespace: "apps".into(),
        name: "db".into(),
        uid: "s1".into(),
        heir: None,
        why: "owned".into(),
    }]);
    let mut steps = steps.clone();
    for step in steps.as_array_mut().unwrap() {
        step["target"] = revocation["status"]["plan"]["targets"][0].clone();
    }
    revocation["status"]["steps"] = steps;
    revocation
}

/// A Secret's metadata, with its contents written now.
fn secret(more: &Value) -> Value {
    let fields = json!({"f:data": {"f:password": {}}});
    let entry = json!({"manager": "m", "operation": "Update", "time": format!("{:.0}", calls::now()),
                       "fieldsType": "FieldsV1", "fieldsV1": fields});
    let mut meta = json!({
        "name": "db", "namespace": "apps", "uid": "s1", "resourceVersion": "5", "managedFields": [entry],
        "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {names::OWNER: "id:hq/7"},
    });
    crate::api::merge(&mut meta, more);
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": meta})
}

fn up_to_the_look(revocation: &Value) -> Scenario {
    let ours = |kind: &str, name: &str| format!("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/{kind}/{name}");
    let who: Person = serde_json::from_value(super::person()).unwrap();
    Scenario::default()
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/rollcall/events").answers(json!({})))
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/apps/events").answers(json!({})))
        .then(on(&ours("revocations", &super::name())).answers(revocation.clone()))
        .together([
            on(&ours("people", &who.metadata.name.unwrap())).answers(super::person()),
            on(&ours("syncpolicies", "everyone")).answers(rotating_policy()),
            on("GET /api/v1/namespaces/rollcall/configmaps/rollcall-ledger"),
            on(STOP).answers(json!({"metadata": {"name": "rollcall-stop"}})),
            on(&ours("hrconnections", "hq")),
        ])
        .then(on("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/people").lists(json!([super::person()])))
}

fn stop() -> Call {
    on(STOP).answers(json!({"metadata": {"name": "rollcall-stop"}}))
}

/// A pod of the Deployment `web` that has the Secret in its environment.
fn listed(name: &str, created: &str) -> [Call; 2] {
    let owner =
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "set", "controller": true}]);
    let from = json!([{"secretRef": {"name": "db"}}]);
    let pod = json!({
        "metadata": {"name": name, "creationTimestamp": created, "ownerReferences": owner},
        "spec": {"containers": [{"name": "c", "envFrom": from}]},
    });
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "w", "controller": true}]);
    let set = json!({"metadata": {"name": "web-1", "uid": "set", "ownerReferences": owner}});
    [on(PODS).lists(json!([pod])), on(SETS).lists(json!([set]))]
}

fn pods(scenario: Scenario, name: &str, created: &str) -> Scenario {
    listed(name, created).into_iter().fold(scenario, Scenario::then)
}

#[tokio::test(start_paused = true)]
async fn a_generated_value_is_written_once_and_the_workload_that_has_the_old_one_is_restarted_once() {
    let generate = secret(&json!({"annotations": {names::ROTATE: "Generate password=Password"}}));
    let precisely = json!({"metadata": {"uid": "s1", "resourceVersion": "5"}});
    let begun = || json!({"steps": [{"outcome": "Begun", "rotation": {"by": "Generator", "written": null}}]});
    let web =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "uid": "w"}, "spec": {}});
    let later = format!("{:.0}", calls::now() + jiff::SignedDuration::from_secs(60));
    let none = json!([]);
    let scenario = up_to_the_look(&revocation(&none))
        .then(on(&format!("GET {SECRET}")).answers(generate.clone()))
        .then(written(begun()))
        .then(stop())
        .then(on(&format!("PATCH {SECRET}")).sends(precisely).answers(generate))
        .then(written(json!({"steps": [{"outcome": "Done"}], "finished": null})));
    let scenario = pods(scenario, "old", "2026-01-01T00:00:00Z").then(stop());
    let scenario = pods(scenario, "old", "2026-01-01T00:00:00Z")
        .then(on(&format!("GET {WEB}")).answers(web.clone()))
        .then(on(&format!("PATCH {WEB}")).sends(json!({"metadata": {"uid": "w"}})).answers(web))
        .then(stop());
    let scenario = pods(scenario, "new", &later)
        .then(written(json!({"verdicts": [{"verdict": "Adopted"}], "finished": null})))
        .then(written(json!({"verdicts": [{"verdict": "Adopted"}], "finished": "Revoked", "remaining": []})));
    super::carried_out_of(&scenario, revocation(&none)).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_nothing_is_asked_for_twice_and_what_nobody_starts_again_ends_in_time() {
    let rotation = json!({"by": "ExternalSecrets", "before": "00000000 t1", "asked": calls::now()});
    let steps = json!([{"outcome": "Begun", "at": "2026-03-01T00:00:00Z", "rotation": rotation}]);
    let owner = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "db", "uid": "e1"}]);
    let labels = json!({"reconcile.external-secrets.io/managed": "true"});
    // Written so long ago that pods which were not started since are not waited for.
    let entry = json!({"manager": "m", "operation": "Update", "time": "2026-03-01T00:00:00Z", "fieldsType": "FieldsV1",
                       "fieldsV1": {"f:data": {}}});
    let managed = secret(&json!({"labels": labels, "ownerReferences": owner, "annotations": {ESO_HASH: "new"},
                                 "managedFields": [entry]}));
    let external = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
                          "metadata": {"name": "db", "uid": "e1"}, "status": {"refreshTime": "t2"}});
    let begun = || json!({"steps": [{"outcome": "Begun", "rotation": {"before": "00000000 t1"}}]});
    let scenario = up_to_the_look(&revocation(&steps))
        .then(on(&format!("GET {SECRET}")).answers(managed.clone()))
        .then(on(&format!("GET {EXTERNAL}")).answers(external.clone()))
        .then(written(begun()))
        .then(written(begun()))
        .then(on(&format!("GET {EXTERNAL}")).answers(external))
        .then(on(&format!("GET {SECRET}")).answers(managed))
        // Written down while it is already looked at who has it.
        .together(listed("old", "2026-01-01T00:00:00Z").into_iter().chain([
            stop(),
            written(json!({"steps": [{"outcome": "Done", "rotation": {"written": "2026-03-01T00:00:00Z"}}]})),
        ]))
        .then(written(json!({"verdicts": [{"verdict": "Refuted"}], "remaining": [{"why": "NotAdopted"}]})))
        .then(written(json!({"finished": "Revoked", "remainingCount": 1, "verified": null})));
    super::carried_out_of(&scenario, revocation(&steps)).await.unwrap();
    scenario.is_over();
}
