//! The revoker's calls about an account that is handed over: what would keep its pods from being replaced is asked before anything is done.

use serde_json::{Value, json};

use super::{ACCOUNT, ACCOUNTS, LISTED, account, written};
use crate::api::names;
use crate::kube::outcome::Fault;
use crate::kube::scenario::{Scenario, on};
use domain::plan::{Action, Kind, Target};

const EVICTION: &str = "POST /api/v1/namespaces/apps/pods/web-1-a/eviction";

fn revocation() -> Value {
    super::revocation_of(&[Target {
        action: Action::HandOver,
        kind: Kind::ServiceAccount,
        namespace: "apps".into(),
        name: "ada".into(),
        uid: "old".into(),
        heir: Some("team:web".into()),
        why: "owned".into(),
    }])
}

/// A pod of the ReplicaSet `web-1` that runs as the account, with something over it.
fn pod(over: &Value) -> Value {
    let owner =
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "set", "controller": true}]);
    let mut pod = json!({
        "metadata": {"name": "web-1-a", "uid": "pod-a", "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": owner},
        "spec": {"serviceAccountName": "ada", "containers": [{"name": "c"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    });
    crate::api::merge(&mut pod, over);
    pod
}

/// Everything that is read: one pod runs as the account, and control has listed this owner for it.
fn reads(pod: &Value, owner: &str) -> Scenario {
    let none = [
        "GET /api/v1/namespaces/apps/replicationcontrollers",
        "GET /apis/apps/v1/namespaces/apps/deployments",
        "GET /apis/apps/v1/namespaces/apps/statefulsets",
        "GET /apis/apps/v1/namespaces/apps/daemonsets",
        "GET /apis/batch/v1/namespaces/apps/jobs",
        "GET /apis/batch/v1/namespaces/apps/cronjobs",
        "GET /apis/apps/v1/namespaces/apps/replicasets",
    ];
    let list = json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "RecreatableAccounts",
                      "metadata": {"name": names::RECREATE}, "spec": {"owners": {"apps/ada": owner}}});
    let recreatable =
        format!("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/recreatableaccounts/{}", names::RECREATE);
    let scenario = super::reads_of(&revocation(), &super::person())
        .meanwhile(on(&recreatable).answers(list))
        .meanwhile(on("GET /api/v1/namespaces/apps/pods").lists(json!([pod])))
        .meanwhile(on(&format!("GET {ACCOUNT}")).answers(account("old", "1")))
        .meanwhile(on(&format!("POST {ACCOUNT}/token")).fails(403));
    none.into_iter().fold(scenario, |scenario, list| scenario.meanwhile(on(list).lists(json!([]))))
}

fn as_next_owners() -> Value {
    json!({"metadata": {"name": "ada", "uid": null, "annotations": {names::OWNER: "team:web"}}})
}

async fn carried_out(scenario: &Scenario) -> Result<(), Fault> {
    super::carried_out_of(scenario, revocation()).await
}

/// What follows where nothing was changed: the account stands, so nothing is proved.
fn nothing_was_changed(scenario: Scenario, said: &str) -> Scenario {
    let failed =
        json!({"steps": [{"outcome": "Failed", "message": format!("nothing was changed: {said}")}], "finished": null});
    scenario
        .then(written(failed))
        .then(on(LISTED).lists(json!([account("old", "1")])))
        .then(written(json!({"verdicts": [{"verdict": "Refuted"}], "finished": "Failed"})))
}

#[tokio::test(start_paused = true)]
async fn what_a_budget_refuses_is_left_as_it_is_and_asked_for_a_while() {
    let begun = written(json!({"kept": [{"uid": "old"}], "steps": [{"outcome": "Begun"}]}));
    let refused = on(&format!("{EVICTION}?dryRun=All"))
        .sends(json!({"deleteOptions": {"preconditions": {"uid": "pod-a"}}}))
        .refuses(429, "Cannot evict pod as it would violate the pod's disruption budget.");
    let scenario = reads(&pod(&json!({})), "team:web").then(begun).meanwhile(refused);
    let said = "a PodDisruptionBudget does not let Pod web-1-a be replaced";
    let scenario = nothing_was_changed(scenario, said);
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_made_again_is_not_deleted() {
    let begun = written(json!({"kept": [{"uid": "old"}], "steps": [{"outcome": "Begun"}]}));
    let scenario = reads(&pod(&json!({})), "team:web")
        .then(begun)
        .meanwhile(on(&format!("{EVICTION}?dryRun=All")).answers(json!({})))
        .meanwhile(on(&format!("POST {ACCOUNTS}?dryRun=All")).refuses(403, "exceeded quota: few"));
    let scenario = nothing_was_changed(scenario, "it could not be created again: quota: exceeded quota: few");
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn what_control_has_not_listed_with_this_owner_is_not_deleted() {
    let begun = written(json!({"kept": [{"uid": "old"}], "steps": [{"outcome": "Begun"}]}));
    let scenario = reads(&pod(&json!({})), "id:hq/8").then(begun);
    let said = "control has not listed it among the accounts that may be handed over";
    let scenario = nothing_was_changed(scenario, said);
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn what_holds_a_token_secret_of_it_keeps_it_from_being_handed_over() {
    let holds = pod(&json!({"spec": {"volumes": [{"name": "v", "secret": {"secretName": "ada-token-x7k2p"}}]}}));
    let scenario = reads(&holds, "team:web")
        .then(written(json!({"steps": []})))
        .then(written(json!({"steps": [{"outcome": "Skipped"}], "remaining": [{"why": "TokenInUse"}], "verdicts": []})))
        .then(written(json!({"verdicts": [], "finished": "Revoked"})));
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn an_account_is_made_again_as_its_next_owners_once_its_pods_may_be_replaced() {
    let begun = written(json!({"kept": [{"uid": "old"}], "steps": [{"outcome": "Begun"}]}));
    let made = on(&format!("POST {ACCOUNTS}")).sends(as_next_owners()).hangs(); // this process ends here
    let scenario = reads(&pod(&json!({})), "team:web")
        .then(begun)
        .then(on(&format!("{EVICTION}?dryRun=All")).answers(json!({})))
        .then(on(&format!("POST {ACCOUNTS}?dryRun=All")).sends(as_next_owners()).fails(409))
        .then(
            on(&format!("DELETE {ACCOUNT}"))
                .answers(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})),
        )
        .then(made)
        .then(written(json!({"steps": [{"outcome": "Begun"}], "finished": null})))
        .then(written(json!({"steps": [{"outcome": "Begun"}], "finished": null})));
    carried_out(&scenario).await.unwrap_err();
    scenario.is_over();
}
