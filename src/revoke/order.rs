//! The revoker's calls in their order, on one account of one leaver, with answers that a healthy API server does not give.

mod evicted;
mod hand_over;
mod recheck;
mod rotation;
mod shared_binding;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::queue::{Released, Waiting};
use super::*;
use crate::api::revocation::Operation;
use crate::api::{Person, convert, names};
use crate::kube::scenario::{Call, Scenario, on};
use domain::employee::HrId;
use domain::plan::{self, Action, Kind, Target};
use domain::roster;

const ACCOUNT: &str = "/api/v1/namespaces/apps/serviceaccounts/ada";
const ACCOUNTS: &str = "/api/v1/namespaces/apps/serviceaccounts";
const LISTED: &str = "GET /api/v1/namespaces/apps/serviceaccounts?fieldSelector=metadata.name%3Dada";
const REVIEW: &str = "POST /apis/authentication.k8s.io/v1/tokenreviews";
pub const STOP: &str = "GET /api/v1/namespaces/rollcall/configmaps/rollcall-stop";

fn person() -> Value {
    let name = roster::person_name("rollcall", "hq", &HrId("7".into()));
    json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
        "metadata": {"name": name, "namespace": "rollcall", "uid": "person-7"},
        "spec": {"records": [{"connection": "hq", "id": "7"}]},
        "status": {"policy": "everyone", "employment": {"state": "Terminated", "since": "2026-03-01T00:00:00Z",
            "seen": "2026-03-01T00:00:00Z", "timeZone": "UTC", "why": "Terminated"}},
    })
}

fn policy() -> Value {
    json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy",
        "metadata": {"name": "everyone", "generation": 1},
        "spec": {"mode": "Enforce", "connections": [{"name": "hq"}], "timeZones": {"default": "UTC"}},
        "status": {"conditions": [{"type": "Baseline", "status": "True", "reason": "Settled", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "2026-03-01T00:00:00Z"}]},
    })
}

fn revocation() -> Value {
    revocation_of(&[Target {
        action: Action::Recreate,
        kind: Kind::ServiceAccount,
        namespace: "apps".into(),
        name: "ada".into(),
        uid: "old".into(),
        heir: None,
        why: "owned".into(),
    }])
}

/// Found late, and approved: so its gate asks for no count.
fn revocation_of(targets: &[Target]) -> Value {
    let who: Person = serde_json::from_value(person()).unwrap();
    let rule = convert::rule(&serde_json::from_value(policy()).unwrap());
    let hash = plan::hash("person-7", &rule, Operation::Cut.into(), targets);
    let targets: Vec<_> = targets.iter().map(crate::api::revocation::Target::from).collect();
    json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation",
        "metadata": {"name": format!("{}cut", convert::termination_id(&who).unwrap()), "uid": "r-uid", "resourceVersion": "1"},
        "spec": {"person": who.metadata.name, "personUid": "person-7", "policy": "everyone", "trigger": "Termination",
            "operation": "Cut", "due": "2026-03-01T00:00:00Z", "late": true, "reason": "left",
            "approval": {"planHash": hash, "by": "grace", "at": crate::kube::calls::now()}},
        "status": {"phase": "Released", "plan": {"hash": hash, "targets": targets}},
    })
}

fn name() -> String {
    revocation()["metadata"]["name"].as_str().unwrap().to_owned()
}

fn account(uid: &str, version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "ada", "namespace": "apps", "uid": uid, "resourceVersion": version,
            "annotations": {"rollcall.dev/owner": "id:hq/7"}},
    })
}

fn deletes(version: Option<&str>) -> Call {
    let preconditions = json!({"preconditions": {"uid": "old", "resourceVersion": version}});
    on(&format!("DELETE {ACCOUNT}")).sends(preconditions)
}

fn deleted(call: Call) -> Call {
    call.answers(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
}

fn created() -> Call {
    on(&format!("POST {ACCOUNTS}"))
        .sends(json!({"metadata": {"name": "ada", "uid": null, "resourceVersion": null}}))
        .answers(account("new", "9"))
}

fn token(accepted: bool) -> Call {
    let user = json!({"username": "system:serviceaccount:apps:ada", "uid": "old"});
    on(REVIEW).sends(json!({"spec": {"token": "probe"}})).answers(json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {},
        "status": {"authenticated": accepted, "user": user, "audiences": ["api"]},
    }))
}

fn written(status: Value) -> Call {
    let path = format!("PATCH /apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations/{}/status", name());
    on(&path).sends(json!({"metadata": {"uid": "r-uid"}, "status": status})).answers(revocation())
}

/// The gate's live reads, the live look and the probe token.
fn before_the_claim() -> Scenario {
    before_the_claim_after(None)
}

/// The same, where the account is first said to be something else.
fn before_the_claim_after(first: Option<Call>) -> Scenario {
    let ours = |kind: &str, name: &str| format!("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/{kind}/{name}");
    let who = person()["metadata"]["name"].as_str().unwrap().to_owned();
    let workloads = [
        "GET /api/v1/namespaces/apps/pods",
        "GET /api/v1/namespaces/apps/replicationcontrollers",
        "GET /apis/apps/v1/namespaces/apps/deployments",
        "GET /apis/apps/v1/namespaces/apps/replicasets",
        "GET /apis/apps/v1/namespaces/apps/statefulsets",
        "GET /apis/apps/v1/namespaces/apps/daemonsets",
        "GET /apis/batch/v1/namespaces/apps/jobs",
        "GET /apis/batch/v1/namespaces/apps/cronjobs",
    ];
    let people = on("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/people").lists(json!([person()]));
    let read = Scenario::default()
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/rollcall/events").answers(json!({})))
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/apps/events").answers(json!({})))
        .then(on(&ours("revocations", &name())).answers(revocation()))
        .together([
            on(&ours("people", &who)).answers(person()),
            on(&ours("syncpolicies", "everyone")).answers(policy()),
            on("GET /api/v1/namespaces/rollcall/configmaps/rollcall-ledger"),
            on(STOP).answers(json!({"metadata": {"name": "rollcall-stop"}})),
            on(&ours("hrconnections", "hq")),
        ])
        .together(workloads.map(|list| on(list).lists(json!([]))).into_iter().chain([people]));
    let looked = first.into_iter().fold(read, Scenario::then);
    looked
        .then(on(&format!("GET {ACCOUNT}")).answers(account("old", "1")))
        .then(on(&format!("POST {ACCOUNT}/token")).answers(json!({
            "spec": {"audiences": []}, "status": {"token": "probe", "expirationTimestamp": "2026-03-01T00:10:00Z"},
        })))
        .then(token(true))
}

/// Everything up to the first step: the manifest is written ahead, and the stop is asked for.
fn up_to_the_act() -> Scenario {
    claimed(before_the_claim())
}

fn claimed(scenario: Scenario) -> Scenario {
    scenario
        .then(written(json!({"kept": [{"uid": "old"}], "steps": [{"outcome": "Begun"}]})))
        .then(on(STOP).answers(json!({"metadata": {"name": "rollcall-stop"}})))
}

/// What follows the act when all went well: a list and the probe token, once past the cache and once after it.
fn proved(scenario: Scenario, in_its_place: &str) -> Scenario {
    let listed = || on(LISTED).lists(json!([account(in_its_place, "9")]));
    scenario
        .then(listed())
        .then(token(false))
        .then(written(json!({
            "steps": [{"outcome": "Done", "newUid": in_its_place}], "verdicts": [{"verdict": "Observed"}], "finished": null,
        })))
        .then(listed())
        .then(token(false))
        .then(written(json!({"verdicts": [{"verdict": "Observed"}], "finished": "Revoked"})))
}

/// One place, so that what is acted on shows its order.
pub(super) fn context(scenario: &Scenario) -> Context {
    Context {
        client: scenario.client(),
        impatient: scenario.client(),
        namespace: "rollcall".into(),
        instance: "rc".into(),
        me: "revoke-1".into(),
        own_namespaces: vec!["rollcall".into()],
        shared: Shared::default(),
        traces: Arc::default(),
        servers: Servers::default().into(), // the one that answers
        places: Arc::new(Semaphore::new(1)),
        memory: Semaphore::new(MEMORY as usize),
    }
}

async fn carried_out(scenario: &Scenario) -> Result<(), Fault> {
    carried_out_of(scenario, revocation()).await
}

async fn carried_out_of(scenario: &Scenario, revocation: Value) -> Result<(), Fault> {
    let ctx = context(scenario);
    let place = Arc::clone(&ctx.places).acquire_owned().await.unwrap();
    let released = Released::of(serde_json::from_value(revocation).unwrap()).unwrap();
    Box::pin(carry_out(&ctx, &Waiting::new(released, None), place)).await
}

/// What is read of a Revocation and its person, in whatever order and as often.
fn reads_of(revocation: &Value, person: &Value) -> Scenario {
    let ours = |kind: &str, name: &str| format!("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/{kind}/{name}");
    let named = |object: &Value| object["metadata"]["name"].as_str().unwrap().to_owned();
    Scenario::default()
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/rollcall/events").answers(json!({})))
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/apps/events").answers(json!({})))
        .meanwhile(on(&ours("revocations", &named(revocation))).answers(revocation.clone()))
        .meanwhile(on(&ours("people", &named(person))).answers(person.clone()))
        .meanwhile(on(&ours("syncpolicies", "everyone")).answers(policy()))
        .meanwhile(on("GET /api/v1/namespaces/rollcall/configmaps/rollcall-ledger"))
        .meanwhile(on(STOP).answers(json!({"metadata": {"name": "rollcall-stop"}})))
        .meanwhile(on(&ours("hrconnections", "hq")))
        .meanwhile(on("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/people").lists(json!([person])))
}

#[tokio::test(start_paused = true)]
async fn an_account_is_looked_at_deleted_by_uid_and_version_made_again_and_tried_twice() {
    let scenario = up_to_the_act().then(deleted(deletes(Some("1")))).then(created());
    let scenario = proved(scenario, "new");
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_before_the_account_was_made_is_not_believed_at_once() {
    let look = || on(&format!("GET {ACCOUNT}"));
    for first in [look().answers(account("before", "0")), look().fails(404)] {
        let scenario = claimed(before_the_claim_after(Some(first))).then(deleted(deletes(Some("1")))).then(created());
        let scenario = proved(scenario, "new");
        carried_out(&scenario).await.unwrap();
        scenario.is_over();
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_of_before_that_still_has_what_was_deleted_is_no_verdict() {
    let scenario = up_to_the_act()
        .then(deleted(deletes(Some("1"))))
        .then(created())
        .then(on(LISTED).lists(json!([account("old", "1")])));
    let scenario = proved(scenario, "new");
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn an_account_that_changed_is_looked_at_again_and_deleted_by_what_was_just_read() {
    let scenario = up_to_the_act()
        .then(deletes(Some("1")).fails(409))
        .then(on(&format!("GET {ACCOUNT}")).answers(account("old", "2")))
        .then(deleted(deletes(Some("2"))))
        .then(created());
    let scenario = proved(scenario, "new");
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn an_account_handed_over_meanwhile_is_left_alone_and_its_tokens_are_no_verdict() {
    let mut handed_over = account("old", "2");
    handed_over["metadata"]["annotations"] = json!({"rollcall.dev/owner": "id:hq/8"});
    let scenario = up_to_the_act()
        .then(deletes(Some("1")).fails(409))
        .then(on(&format!("GET {ACCOUNT}")).answers(handed_over))
        .then(written(json!({"steps": [{"outcome": "Skipped"}], "verdicts": [], "finished": null})))
        .then(written(json!({"verdicts": [], "finished": "Revoked"})));
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn an_account_that_somebody_else_deleted_and_made_again_keeps_its_new_uid_and_is_proved_by_a_list() {
    let scenario = up_to_the_act()
        .then(deletes(Some("1")).fails(404))
        .then(created().fails(409))
        .then(on(&format!("GET {ACCOUNT}")).answers(account("theirs", "5")));
    let scenario = proved(scenario, "theirs");
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_a_policy_refuses_is_named_and_ends_as_failed() {
    let refusal = "ValidatingAdmissionPolicy 'rc-cage' denied the request";
    let steps = json!([{"outcome": "Refused", "message": format!("admission policy: {refusal}")}]);
    // A token that is still accepted, after a step that did not end, is no matter of caches: it is tried once.
    let scenario = up_to_the_act()
        .then(deletes(Some("1")).refuses(403, refusal))
        .then(on(LISTED).lists(json!([account("old", "1")])))
        .then(token(true))
        .then(written(json!({"steps": steps, "verdicts": [{"verdict": "Refuted"}], "finished": "Failed"})));
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_never_answered_or_fails_leaves_the_step_begun_for_the_next_process() {
    let begun = || written(json!({"steps": [{"outcome": "Begun"}], "acted": null, "finished": null}));
    // What took long is written as it comes, and once more at the end.
    for (failed, writes) in [(deletes(Some("1")).hangs(), 2), (deletes(Some("1")).fails(500), 1)] {
        let scenario = (0..writes).fold(up_to_the_act().then(failed), |scenario, _| scenario.then(begun()));
        carried_out(&scenario).await.unwrap_err();
        scenario.is_over();
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_written_also_where_nothing_can_be_seen_of_it() {
    let done = json!({"steps": [{"outcome": "Done", "newUid": "new"}], "verdicts": [], "finished": null});
    let scenario = up_to_the_act()
        .then(deleted(deletes(Some("1"))))
        .then(created())
        .then(on(LISTED).fails(500))
        .then(written(done));
    carried_out(&scenario).await.unwrap_err();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_another_process_wrote_first_ends_this_one_before_any_act() {
    let mut taken = revocation();
    taken["status"]["claim"] = json!({"by": "revoke-2", "at": "2026-03-01T00:00:01Z"});
    let path = format!("/apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations/{}", name());
    let scenario = before_the_claim()
        .then(on(&format!("PATCH {path}/status")).fails(409))
        .then(on(&format!("GET {path}")).answers(taken));
    carried_out(&scenario).await.unwrap_err();
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn what_another_process_of_the_same_name_has_finished_is_not_written_over() {
    let mut finished = revocation();
    finished["status"]["claim"] = json!({"by": "revoke-1", "at": "2026-03-01T00:00:01Z"});
    finished["status"]["finished"] = json!("Revoked");
    let path = format!("/apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations/{}", name());
    let scenario = before_the_claim()
        .then(on(&format!("PATCH {path}/status")).fails(409))
        .then(on(&format!("GET {path}")).answers(finished));
    carried_out(&scenario).await.unwrap_err();
    scenario.is_over();
}

/// A Revocation that is released, as a list or an event tells of it.
fn released(name: &str, batch: Option<&str>) -> Value {
    let mut revocation = revocation();
    revocation["metadata"] = json!({"name": name, "uid": name, "labels": {names::BATCH: batch.unwrap_or(name)}});
    revocation
}

#[tokio::test(start_paused = true)]
async fn who_is_released_while_a_batch_is_acted_on_is_next_by_a_watch_or_by_the_next_list() {
    let all = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations";
    let list = || on(&format!("GET {all}?limit=500"));
    let watch = || on(&format!("GET {all}?watch=true"));
    let read = |name: &str| on(&format!("GET {all}/{name}"));
    let (batch, later) = ([released("b1", Some("b")), released("b2", Some("b"))], released("later", None));
    let [first, second] = batch.clone();
    let everybody = json!([first, second, later]);
    // The first of the batch holds the one place for as long as a call may last.
    let held =
        || Scenario::default().meanwhile(list().lists(everybody.clone())).then(list().lists(json!(batch.clone())));
    let refused = || watch().refuses(403, "no watch");
    for (what, watched) in [("a watch", watch().watches([later])), ("a list", refused())] {
        let scenario =
            held().meanwhile(refused()).together([read("b1").hangs(), watched]).then(read("later")).then(read("b2"));
        let ended = tokio::task::LocalSet::new().run_until(work(Arc::new(context(&scenario)))).await;
        assert!(ended.is_err(), "{what}: the one that was not answered is a new Job's");
        scenario.is_over();
    }
}
