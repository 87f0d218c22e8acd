//! The revoker's calls about a binding that others share: it keeps what stood, waits aside for who may change it, and sees what became of
//! it. Nothing else of the leaver waits.

use serde_json::{Value, json};

use super::{STOP, carried_out_of, policy, revocation_of, written};
use crate::api::Person;
use crate::kube::outcome::Fault;
use crate::kube::scenario::{Call, Scenario, on};
use domain::plan::{Action, Kind, Target};

const BINDING: &str = "/apis/rbac.authorization.k8s.io/v1/namespaces/apps/rolebindings/shared";
const LISTED: &str =
    "GET /apis/rbac.authorization.k8s.io/v1/namespaces/apps/rolebindings?fieldSelector=metadata.name%3Dshared";
const REVIEW: &str = "POST /apis/authorization.k8s.io/v1/subjectaccessreviews";
const ADA: &str = "oidc:ada@example.com";
const BEN: &str = "oidc:ben@example.com";
/// How often the revoker writes while it waits: every six seconds of a minute, and after the cache's time.
const BEATS: usize = 10;

fn person() -> Value {
    let mut person = super::person();
    person["status"]["aliases"] = json!([format!("user:{ADA}")]);
    person
}

fn target(action: Action, name: &str, uid: &str) -> Target {
    Target {
        action,
        kind: Kind::RoleBinding,
        namespace: "apps".into(),
        name: name.into(),
        uid: uid.into(),
        heir: None,
        why: String::new(),
    }
}

fn revocation() -> Value {
    revocation_of(&[target(Action::Trim, "shared", "b1")])
}

fn binding(users: &[&str]) -> Value {
    let group = "rbac.authorization.k8s.io";
    let subjects: Vec<Value> =
        users.iter().map(|user| json!({"kind": "User", "name": user, "apiGroup": group})).collect();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "shared", "namespace": "apps", "uid": "b1", "resourceVersion": "5"},
        "subjects": subjects, "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
    })
}

fn read(users: &[&str]) -> Call {
    on(&format!("GET {BINDING}")).answers(binding(users))
}

/// A question about who may do what, and its answer.
fn asked(user: &str, verb: &str, allowed: bool) -> Call {
    on(REVIEW)
        .sends(json!({"spec": {"user": user, "resourceAttributes": {"verb": verb}}}))
        .answers(json!({"spec": {}, "status": {"allowed": allowed}}))
}

/// The gate's live reads, and the look at the binding as it is for these users.
fn up_to_the_look(users: &[&str]) -> Scenario {
    let ours = |kind: &str, name: &str| format!("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/{kind}/{name}");
    let who: Person = serde_json::from_value(person()).unwrap();
    Scenario::default()
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/rollcall/events").answers(json!({})))
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/apps/events").answers(json!({})))
        .then(on(&ours("revocations", &super::name())).answers(revocation()))
        .together([
            on(&ours("people", &who.metadata.name.unwrap())).answers(person()),
            on(&ours("syncpolicies", "everyone")).answers(policy()),
            on("GET /api/v1/namespaces/rollcall/configmaps/rollcall-ledger"),
            on(STOP).answers(json!({"metadata": {"name": "rollcall-stop"}})),
            on(&ours("hrconnections", "hq")),
        ])
        .then(on("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/people").lists(json!([person()])))
        .then(read(users))
}

/// The same up to the manifest that is kept.
fn up_to_the_claim() -> Scenario {
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]);
    let role = "GET /apis/rbac.authorization.k8s.io/v1/clusterroles/view";
    up_to_the_look(&[BEN, ADA])
        .then(asked("system:serviceaccount:rollcall:rc-trim", "bind", true))
        .then(on(role).answers(json!({"metadata": {"name": "view"}, "rules": rules})))
        .then(asked(ADA, "list", true))
        .then(written(json!({"kept": [{"uid": "b1"}], "steps": [{"outcome": "Begun"}]})))
}

fn proved(scenario: Scenario) -> Scenario {
    let round = |scenario: Scenario, verdict: &str, finished: Value| {
        scenario.then(on(LISTED).lists(json!([binding(&[BEN])]))).then(asked(ADA, "list", false)).then(written(json!({
            "steps": [{"outcome": "Done"}], "verdicts": [{"verdict": verdict}], "finished": finished,
        })))
    };
    let scenario = round(scenario, "Observed", Value::Null);
    round(scenario, "Observed", json!("Revoked"))
}

async fn carried_out(scenario: &Scenario) -> Result<(), Fault> {
    carried_out_of(scenario, revocation()).await
}

#[tokio::test(start_paused = true)]
async fn a_shared_binding_is_kept_waited_for_and_proved_by_the_right_it_gave_and_never_written() {
    let scenario = up_to_the_claim().then(read(&[BEN, ADA])).then(read(&[BEN]));
    let scenario = proved(scenario);
    carried_out(&scenario).await.unwrap();
    scenario.is_over();
}

/// A leaver with a binding of their own and one that is shared, up to the end of their own; and their Revocation.
fn with_one_of_their_own() -> (Scenario, Value) {
    let revocation = revocation_of(&[target(Action::Unbind, "mine", "b2"), target(Action::Trim, "shared", "b1")]);
    let ours = |kind: &str, name: &str| format!("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/{kind}/{name}");
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/apps/rolebindings";
    let who = person()["metadata"]["name"].as_str().unwrap().to_owned();
    let mut mine = binding(&[ADA]);
    mine["metadata"] = json!({"name": "mine", "namespace": "apps", "uid": "b2", "resourceVersion": "5"});
    let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Success"});
    let scenario = Scenario::default()
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/rollcall/events").answers(json!({})))
        .meanwhile(on("POST /apis/events.k8s.io/v1/namespaces/apps/events").answers(json!({})))
        .meanwhile(on(&ours("revocations", &super::name())).answers(revocation.clone()))
        .meanwhile(on(&ours("people", &who)).answers(person()))
        .meanwhile(on(&ours("syncpolicies", "everyone")).answers(policy()))
        .meanwhile(on("GET /api/v1/namespaces/rollcall/configmaps/rollcall-ledger"))
        .meanwhile(on(STOP).answers(json!({"metadata": {"name": "rollcall-stop"}})))
        .meanwhile(on(&ours("hrconnections", "hq")))
        .meanwhile(on("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/people").lists(json!([person()])))
        .meanwhile(on(&format!("GET {bindings}/mine")).answers(mine))
        .meanwhile(on(&format!("GET {bindings}?fieldSelector=metadata.name%3Dmine")).lists(json!([])))
        .meanwhile(on("GET /apis/rbac.authorization.k8s.io/v1/clusterroles/view")) // no right to be tried
        .meanwhile(asked("system:serviceaccount:rollcall:rc-trim", "bind", true))
        .then(written(json!({"steps": [{"outcome": "Begun"}, {"outcome": "Begun"}]})))
        .then(on(&format!("DELETE {bindings}/mine")).answers(gone));
    (scenario, revocation)
}

/// What is written of both steps, with the verdicts that there are.
fn shows(shared: &str, verdicts: Value, more: Value) -> Call {
    let steps =
        json!([{"target": {"name": "mine"}, "outcome": "Done"}, {"target": {"name": "shared"}, "outcome": shared}]);
    written(json!({"steps": steps, "verdicts": verdicts})).sends(json!({"status": more}))
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_nobody_trims_delays_no_other_verdict_and_is_left_alone_after_a_while() {
    let (scenario, revocation) = with_one_of_their_own();
    let mine = json!([{"target": {"name": "mine"}, "verdict": "Implied"}]);
    let waits = || shows("Begun", mine.clone(), json!({"acted": null, "verified": null, "finished": null}));
    let mut scenario = scenario.meanwhile(read(&[BEN, ADA])).then(waits());
    for _ in 0..BEATS {
        scenario = scenario.then(waits()); // the claim stands, and after the cache's time the same verdict comes again
    }
    let remaining = json!([{"why": "NotTrimmed"}]);
    let scenario = scenario
        .then(shows("Skipped", mine.clone(), json!({"remaining": remaining, "finished": null})))
        .then(shows("Skipped", mine.clone(), json!({"remaining": remaining, "finished": "Revoked"})));
    let begun = tokio::time::Instant::now();
    carried_out_of(&scenario, revocation).await.unwrap();
    scenario.is_over();
    assert!(begun.elapsed() < std::time::Duration::from_secs(70), "it is not waited for any longer");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_trimmed_before_this_look_is_done() {
    let trimmed = up_to_the_look(&[BEN])
        .then(read(&[BEN])) // no manifest is kept that would say who was in it
        .then(written(json!({"steps": []})))
        .then(on(STOP).answers(json!({"metadata": {"name": "rollcall-stop"}})));
    let listed = || on(LISTED).lists(json!([binding(&[BEN])]));
    let gone = json!({"steps": [{"outcome": "AlreadyGone"}], "verdicts": [{"verdict": "Implied"}], "finished": null});
    let trimmed = trimmed
        .then(listed())
        .then(written(gone))
        .then(listed())
        .then(written(json!({"verdicts": [{"verdict": "Implied"}], "finished": "Revoked"})));
    carried_out(&trimmed).await.unwrap();
    trimmed.is_over();
}

#[tokio::test(start_paused = true)]
async fn one_whose_role_may_not_be_bound_is_left() {
    let left = up_to_the_look(&[BEN, ADA])
        .then(asked("system:serviceaccount:rollcall:rc-trim", "bind", false))
        .then(read(&[BEN, ADA]))
        .then(written(json!({"steps": []})))
        .then(on(STOP).answers(json!({"metadata": {"name": "rollcall-stop"}})))
        .then(written(json!({"steps": [{"outcome": "Skipped"}], "remaining": [{"why": "MayNotBind"}], "verdicts": [], "finished": null})))
        .then(written(json!({"verdicts": [], "finished": "Revoked", "remainingCount": 1})));
    carried_out(&left).await.unwrap();
    left.is_over();
}
