//! The revoker's calls about a pod in which a leaver may have a session open, where answers are of before.

use serde_json::{Value, json};

use crate::api::{Person, convert};
use crate::kube::scenario::{Call, on};
use domain::plan::{Action, Kind, Target};

const PODS: &str = "GET /api/v1/namespaces/apps/pods";
const NAMED: &str = "GET /api/v1/namespaces/apps/pods?fieldSelector=metadata.name%3Dweb-0";
const EVICTS: &str = "-late-sessions-cut";
const REVOCATIONS: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations";

/// What the Revocation of this termination is called that ends so.
fn name(end: &str) -> String {
    let who: Person = serde_json::from_value(person()).unwrap();
    format!("{}{end}", convert::termination_id(&who).unwrap())
}

fn revocation() -> Value {
    let mut revocation = super::revocation_of(&[Target {
        action: Action::Evict,
        kind: Kind::Pod,
        namespace: "apps".into(),
        name: "web-0".into(),
        uid: "pod-a".into(),
        heir: None,
        why: "a session may be open in it".into(),
    }]);
    revocation["metadata"]["name"] = json!(name(EVICTS));
    revocation
}

/// The cut, which says where sessions may be open once it is over.
fn cut(over: bool) -> Value {
    let mut cut = super::revocation();
    cut["metadata"]["name"] = json!(name("-cut"));
    if over {
        let name =
            json!({"action": "Freeze", "kind": "User", "namespace": "", "name": "oidc:ada", "uid": "", "why": ""});
        let at = "2026-03-01T00:00:01Z";
        let verdict = json!({"target": name, "verdict": "Implied", "how": "", "at": at});
        let status = json!({"phase": "Revoked", "plan": {"hash": "h", "targets": [], "freezes": [name]},
            "freeze": {"verdicts": [verdict], "acted": at, "verified": at},
            "exposure": {"at": at, "sessions": {"pods": ["apps/web-0"]}}});
        crate::api::merge(&mut cut, &json!({"status": status}));
    }
    cut
}

fn person() -> Value {
    let mut person = super::person();
    person["status"]["aliases"] = json!(["user:oidc:ada"]);
    person
}

fn pod() -> Value {
    let owner =
        json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": "set", "controller": true}]);
    json!({
        "metadata": {"name": "web-0", "namespace": "apps", "uid": "pod-a", "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": owner},
        "spec": {"serviceAccountName": "web", "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn written(status: Value) -> Call {
    on(&format!("PATCH {REVOCATIONS}/{}/status", name(EVICTS))).sends(json!({"status": status})).answers(revocation())
}

#[tokio::test(start_paused = true)]
async fn a_cut_of_before_its_end_and_lists_of_before_the_pod_was_made_are_not_believed() {
    let read_cut = |over| on(&format!("GET {REVOCATIONS}/{}", name("-cut"))).answers(cut(over));
    let (there, none) = (|call: &str| on(call).lists(json!([pod()])), |call: &str| on(call).lists(json!([])));
    let scenario = super::reads_of(&revocation(), &person())
        .meanwhile(on("GET /apis/apps/v1/namespaces/apps/replicasets").lists(json!([])))
        .then(read_cut(false))
        .then(read_cut(true))
        .then(none(NAMED))
        .then(there(NAMED))
        .then(written(json!({"steps": [{"outcome": "Begun"}]})))
        .then(written(json!({"steps": [{"outcome": "Begun"}]})))
        .then(none(PODS))
        .then(there(PODS))
        .then(on("POST /api/v1/namespaces/apps/pods/web-0/eviction").answers(json!({})))
        .then(none(PODS))
        .then(none(PODS))
        .then(written(json!({"steps": [{"outcome": "Done"}]})))
        .then(written(json!({"steps": [{"outcome": "Done"}]})))
        .meanwhile(none(NAMED))
        .then(written(json!({"verdicts": [{"verdict": "Implied"}], "finished": null})))
        .then(written(json!({"verdicts": [{"verdict": "Implied"}], "finished": "Revoked"})));
    let carried_out = super::carried_out_of(&scenario, revocation()).await;
    scenario.is_over();
    carried_out.unwrap();
}
