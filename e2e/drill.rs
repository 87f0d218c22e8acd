//! The drill: an invented leaver goes the whole way; where a real one would not, it says so; and its identity, stolen, reaches nobody.

use std::collections::BTreeSet;
use std::fs;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use rollcall::api::condition::{Condition, ConditionType, Status};
use rollcall::api::revocation::Operation;
use rollcall::api::{HRConnection, Person, Revocation, SyncPolicy, names};
use serde_json::{Value, json};

use crate::refusals::refusal;
use crate::support::attempts::every_right;
use crate::support::chart::apply;
use crate::support::installation::Installation;
use crate::support::objects::object;
use crate::support::waiting::eventually;

/// An installation with a drill, whose example is applied; nobody real may leave in it without a human.
async fn with_drill(story: &str) -> Installation {
    let nobody = json!([{"window": "24h", "percent": 0, "atLeast": 0}]);
    let limits = json!({"people": nobody});
    let rollcall = Installation::with(story, &[], json!({"drill": {"enabled": true}, "limits": limits})).await;
    let example = fs::read_to_string("examples/drill.yaml").unwrap();
    let ours = example.replace("namespace: rollcall\n", &format!("namespace: {}\n", rollcall.namespace));
    apply(
        rollcall.cluster,
        &ours.replace("rollcall-drill:rollcall:", &format!("rollcall-drill:{}:", rollcall.namespace)),
    );
    rollcall
}

/// Drills once, as the CronJob does; gives whether it passed, and what it said.
async fn drill(rollcall: &Installation, timeout: &str) -> (bool, String) {
    let (sandbox, account) = (rollcall.target("drill"), format!("{}-drill", rollcall.release));
    let arguments = ["drill", "--namespace", &rollcall.namespace, "--sandbox", &sandbox, "--schedule", "17 3 * * *"];
    rollcall.runs_as(&sandbox, &account, &[&arguments[..], &["--timeout", timeout]].concat()).await
}

/// Waits until the drill's policy says this of it.
async fn says(rollcall: &Installation, status: Status, reason: &str) -> Condition {
    eventually(&format!("the policy says {reason}"), || async {
        let policy = rollcall.api::<SyncPolicy>().get(names::DRILL).await.unwrap();
        let all = policy.status?.conditions;
        all.into_iter().find(|one| one.is(ConditionType::Drilled, status) && one.reason == reason)
    })
    .await
}

/// Waits for a sealed record of a drill that ended like this.
async fn record(rollcall: &Installation, phase: &str) -> Value {
    let all = ListParams::default().labels(&format!("{}=evidence", names::PART));
    eventually(&format!("a drill that {phase} is sealed"), || async {
        let maps: Vec<ConfigMap> = rollcall.api().list(&all).await.unwrap().items;
        let read = |map: ConfigMap| serde_json::from_str::<Value>(&map.data.unwrap()["record.json"]).unwrap();
        maps.into_iter().map(read).find(|one| one["operation"] == "Drill" && one["phase"] == phase)
    })
    .await
}

/// The samples of this metric, of everything that runs.
async fn metric(rollcall: &Installation, name: &str) -> Vec<f64> {
    let mut samples = Vec::new();
    for address in rollcall.listening() {
        let Ok(answer) = reqwest::get(format!("http://{address}/metrics")).await else { continue };
        let text = answer.text().await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        samples.extend(lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()));
    }
    samples
}

/// What is left in the sandbox of what drills made.
async fn left(rollcall: &Installation) -> Vec<String> {
    let sandbox = rollcall.target("drill");
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &sandbox);
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &sandbox);
    let (accounts, bindings) =
        (accounts.list(&ListParams::default()).await.unwrap(), bindings.list(&ListParams::default()).await.unwrap());
    let names = accounts.iter().map(ResourceExt::name_any).chain(bindings.iter().map(ResourceExt::name_any));
    names.filter(|name| name.starts_with("leaver-")).collect()
}

#[tokio::test]
async fn a_drill_goes_the_whole_way_again_and_again_and_is_in_the_evidence() {
    let rollcall = with_drill("drilled").await;
    let _running = rollcall.run().await;
    says(&rollcall, Status::Unknown, "NotChecked").await;
    eventually("no drill has ended yet", || async {
        (metric(&rollcall, "rollcall_drill_passed").await == [0.0]).then_some(())
    })
    .await;

    let (passed, said) = drill(&rollcall, "5m").await;
    assert!(passed && said.contains("the token and the right were refused"), "{said}");
    assert!(left(&rollcall).await.is_empty(), "it clears up");
    let told = says(&rollcall, Status::True, "DrillPassed").await;
    assert!(told.message.contains("saw everything refused"), "{}", told.message);
    let sealed = record(&rollcall, "Passed").await;
    let verdicts: Vec<_> = sealed["verdicts"].as_array().unwrap().iter().map(|one| one["verdict"].clone()).collect();
    assert_eq!(verdicts, [json!("Observed"), json!("Observed")], "{sealed}");
    let cut = rollcall.api::<Revocation>().get(sealed["revocation"].as_str().unwrap()).await.unwrap();
    assert_eq!((cut.spec.operation, cut.spec.policy.as_str()), (Operation::Cut, names::DRILL));
    let targets = cut.status.unwrap().plan.unwrap().targets;
    assert!(targets.len() == 2 && targets.iter().all(|one| one.namespace == rollcall.target("drill")), "{targets:?}");
    eventually("it is measured", || async {
        let last = metric(&rollcall, "rollcall_drill_last_success_timestamp_seconds").await;
        (metric(&rollcall, "rollcall_drill_passed").await == [1.0] && last.iter().all(|at| *at > 0.0)).then_some(())
    })
    .await;

    let (passed, said) = drill(&rollcall, "5m").await;
    assert!(passed, "the same person is hired and leaves again: {said}");
    rollcall.evidence_verifies();
    let report = rollcall.succeeds(&["report", "leavers", "--from", "2000-01-01"]);
    assert!(report.contains("drills passed") && !report.contains(names::DRILL), "no leaver, and named: {report}");
}

#[tokio::test]
async fn a_drill_fails_loudly_where_a_real_leaver_would_keep_their_access() {
    let rollcall = with_drill("drill-fails").await;
    let _sync = rollcall.sync().await;
    let _control = rollcall.control().await;

    // Nothing runs the revoker's Jobs.
    let (passed, said) = drill(&rollcall, "60s").await;
    assert!(!passed && said.contains("NotRevoked"), "{said}");
    let told = says(&rollcall, Status::False, "DrillFailed").await;
    assert!(told.message.contains("NotRevoked") && told.message.contains("A real leaver may keep"), "{}", told.message);
    let sealed = record(&rollcall, "Failed").await;
    assert_eq!((&sealed["gate"], &sealed["verdicts"]), (&json!("NotRevoked"), &json!([])), "{sealed}");
    eventually("an Event warns", || async {
        let events = rollcall.api::<Event>().list(&ListParams::default()).await.unwrap().items;
        events
            .into_iter()
            .find(|one| one.reason.as_deref() == Some("DrillFailed") && one.type_.as_deref() == Some("Warning"))
    })
    .await;
    assert_eq!(metric(&rollcall, "rollcall_drill_passed").await, [0.0]);

    rollcall.stop("a rehearsal of a stop");
    let (passed, said) = drill(&rollcall, "60s").await;
    assert!(!passed && said.contains("Held"), "{said}");
    rollcall.go_on();

    // A finalizer of somebody else's holds the account: its token works on.
    let _revoker = rollcall.revoker();
    let sandbox = rollcall.target("drill");
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &sandbox);
    let hold = async {
        let name = eventually("the leaver has an account", || async {
            let all = accounts.list(&ListParams::default()).await.unwrap().items;
            all.iter().map(ResourceExt::name_any).find(|name| name.starts_with("leaver-"))
        })
        .await;
        let held = json!({"metadata": {"finalizers": ["example.com/hold"]}});
        accounts.patch(&name, &PatchParams::default(), &Patch::Merge(&held)).await.unwrap();
        name
    };
    let ((passed, said), name) = tokio::join!(drill(&rollcall, "3m"), hold);
    assert!(!passed && said.contains("NotRevoked"), "{said}");
    let free = json!({"metadata": {"finalizers": null}});
    accounts.patch(&name, &PatchParams::default(), &Patch::Merge(&free)).await.unwrap();

    let (passed, said) = drill(&rollcall, "5m").await;
    assert!(passed, "once nothing is in the way: {said}");
    says(&rollcall, Status::True, "DrillPassed").await;
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn a_report_that_no_revocation_shows_is_no_pass() {
    let rollcall = with_drill("drill-lies").await;
    let _running = rollcall.run().await;
    let user = format!("system:serviceaccount:{}:{}-drill", rollcall.target("drill"), rollcall.release);
    let stolen = rollcall.cluster.acting_as(&user, &["system:authenticated"]).await;
    let at = |second: i64| jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_secs(second)).unwrap();
    let report = json!({"run": "d-1", "began": at(-9), "ended": at(-1), "left": at(-8), "refused": at(-5), "denied": at(-5),
        "revocation": "rollcall-drill-1-cut", "account": {"namespace": rollcall.target("drill"), "name": "leaver-1", "uid": "u"}});
    let map: ConfigMap =
        object(json!({"metadata": {"name": names::DRILL}, "data": {"report.json": report.to_string()}}));
    let maps: Api<ConfigMap> = Api::namespaced(stolen, &rollcall.namespace);
    eventually("the drill may write its report", || async { maps.create(&PostParams::default(), &map).await.ok() })
        .await;
    let sealed = record(&rollcall, "Failed").await;
    assert_eq!(sealed["gate"], "NotConfirmed", "{sealed}");
    let told = says(&rollcall, Status::False, "DrillFailed").await;
    assert!(told.message.contains("NotConfirmed"), "{}", told.message);
    assert_eq!(metric(&rollcall, "rollcall_drill_passed").await, [0.0]);
}

const NEVER: &str = "the drill never does this";
const NAME: &str = "in its sandbox the drill touches only what is called leaver-";
const OWNER: &str = "the drill makes accounts of its invented person";
const RIGHT: &str = "the drill gives the Role rollcall-drill-leaver to its invented user name";
const FILE: &str = "the drill's file knows one invented person";
const ANNOTATION: &str = "of its connection the drill sets the annotation rollcall.dev/requestedAt";

/// What a rehearsed call is refused with by the policy; nothing if it is not.
fn denied<T>(what: &str, answer: kube::Result<T>) -> Option<String> {
    if answer.is_ok() {
        return None;
    }
    let (layer, said) = refusal(what, answer);
    assert_eq!(layer, "policy", "{what}: {said}");
    Some(said)
}

#[tokio::test]
async fn the_drills_identity_stolen_reaches_nobody_who_is_real() {
    let rollcall = with_drill("drill-stolen").await;
    let sandbox = rollcall.target("drill");
    let user = format!("system:serviceaccount:{sandbox}:{}-drill", rollcall.release);
    let client = rollcall.cluster.acting_as(&user, &["system:authenticated"]).await;
    by_its_roles(&rollcall, &client).await;

    // With every right there is, the policy alone is left.
    every_right(&rollcall, std::slice::from_ref(&user)).await;
    eventually("the binding bites", || async {
        let people: Api<Person> = Api::namespaced(client.clone(), &rollcall.namespace);
        people.list(&ListParams::default()).await.ok()
    })
    .await;
    let rows = by_its_policy(&rollcall, &client).await;
    for (what, rule, said) in &rows {
        assert!(said.as_ref().is_some_and(|said| said.contains(rule)), "{what}: {said:?}");
    }
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(rollcall.admin.clone());
    let policy = policies.get(&format!("{}-drill", rollcall.release)).await.unwrap();
    let rules = policy.spec.unwrap().validations.unwrap().len();
    assert_eq!(
        rules,
        rows.iter().map(|(_, rule, _)| *rule).collect::<BTreeSet<_>>().len(),
        "every rule has its attack"
    );
}

/// What its roles do not give.
async fn by_its_roles(rollcall: &Installation, client: &Client) {
    let (ours, sandbox) = (rollcall.namespace.as_str(), rollcall.target("drill"));
    let all = ListParams::default();
    let people: Api<Person> = Api::namespaced(client.clone(), ours);
    assert_eq!(refusal("who works here", people.list(&all).await).0, "rbac");
    assert_eq!(refusal("somebody", people.get("p-7").await).0, "rbac");
    let revocations: Api<Revocation> = Api::namespaced(client.clone(), ours);
    assert_eq!(refusal("what is revoked", revocations.list(&all).await).0, "rbac");
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), ours);
    assert_eq!(refusal("the file of people", maps.get("people").await).0, "rbac");
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &sandbox);
    assert_eq!(refusal("Secrets of the sandbox", secrets.list(&all).await).0, "rbac");
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), ours);
    let (of_sync, params) = (format!("{}-sync", rollcall.release), PostParams::default());
    let token = accounts.create_token_request(&of_sync, &params, &TokenRequest::default()).await;
    assert_eq!(refusal("a token of Rollcall", token).0, "rbac");
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), &sandbox);
    let admin: RoleBinding = object(json!({"metadata": {"name": "leaver-1"},
        "subjects": [{"kind": "User", "name": names::drill_user(ours), "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}}));
    refusal("a role that it has not", bindings.create(&PostParams::default(), &admin).await);
}

/// One attack for each rule, and more: what was tried, the rule, and what it was refused with.
async fn by_its_policy(rollcall: &Installation, client: &Client) -> Vec<(&'static str, &'static str, Option<String>)> {
    let (ours, sandbox) = (rollcall.namespace.as_str(), rollcall.target("drill"));
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let patch = PatchParams { dry_run: true, ..PatchParams::default() };
    let mut rows = Vec::new();

    let namespaces: Api<Namespace> = Api::all(client.clone());
    let gone = namespaces.delete(ours, &DeleteParams { dry_run: true, ..DeleteParams::default() }).await;
    rows.push(("a namespace", NEVER, denied("a namespace", gone)));
    let people: Api<Person> = Api::namespaced(client.clone(), ours);
    let declared = json!({"spec": {"hold": null, "apart": []}});
    let said = people.patch(names::DRILL, &patch, &Patch::Merge(&declared)).await;
    rows.push(("a Person", NEVER, denied("a Person", said)));
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &sandbox);
    let secret: Secret = object(json!({"metadata": {"name": "leaver-1"}}));
    rows.push(("a Secret in the sandbox", NEVER, denied("a Secret", secrets.create(&dry, &secret).await)));

    let mark = format!("id:{ours}:rollcall-drill/leaver");
    let account = |name: &str, annotations: Value| -> ServiceAccount {
        object(json!({"metadata": {"name": name, "annotations": annotations}}))
    };
    let owned = json!({names::OWNER: mark});
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &sandbox);
    for (what, rule, name, annotations) in [
        ("an account of another name", NAME, "ci", owned.clone()),
        ("an account of somebody real", OWNER, "leaver-1", json!({names::OWNER: "id:hq/7"})),
        ("an account of nobody", OWNER, "leaver-1", Value::Null),
    ] {
        rows.push((what, rule, denied(what, accounts.create(&dry, &account(name, annotations)).await)));
    }
    let own = format!("{}-drill", rollcall.release);
    let token = accounts.create_token_request(&own, &dry, &TokenRequest::default()).await;
    rows.push(("a token of its own, to stay", NAME, denied("a token", token)));
    let elsewhere: Api<ServiceAccount> = Api::namespaced(client.clone(), ours);
    let said = elsewhere.create(&dry, &account("leaver-1", owned.clone())).await;
    rows.push(("an account elsewhere", NEVER, denied("an account elsewhere", said)));

    let (group, user) = ("rbac.authorization.k8s.io", names::drill_user(ours));
    let binding = |kind: &str, role: &str, user: &str| -> RoleBinding {
        object(
            json!({"metadata": {"name": "leaver-1"}, "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
            "roleRef": {"apiGroup": group, "kind": kind, "name": role}}),
        )
    };
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), &sandbox);
    for (what, given) in [
        ("another role", binding("ClusterRole", "admin", &user)),
        ("another user", binding("Role", "rollcall-drill-leaver", "oidc:eve@example.com")),
    ] {
        rows.push((what, RIGHT, denied(what, bindings.create(&dry, &given).await)));
    }

    let file = |name: &str, key: &str, text: &str| -> ConfigMap {
        object(json!({"metadata": {"name": name}, "data": {key: text}}))
    };
    let good = "Employee ID,Full name,Work email,Status\nleaver,Rollcall Drill,rollcall-drill@example.com,left\n";
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), ours);
    for (what, forged) in [
        ("the file of real people", file("people", "people.csv", good)),
        ("somebody real in its own", file(names::DRILL, "people.csv", &good.replace("rollcall-drill@", "ada@"))),
        ("one person more", file(names::DRILL, "people.csv", &format!("{good}7,Ada Example,ada@example.com,left\n"))),
        ("another key", file(names::DRILL, "more.csv", good)),
        ("a report that fills the store", file(names::DRILL, "report.json", &"x".repeat(5000))),
    ] {
        rows.push((what, FILE, denied(what, maps.create(&dry, &forged).await)));
    }
    maps.create(&dry, &file(names::DRILL, "people.csv", good)).await.expect("what it is there for");
    accounts.create(&dry, &account("leaver-1", owned)).await.expect("what it is there for");
    bindings.create(&dry, &binding("Role", "rollcall-drill-leaver", &user)).await.expect("the same");

    let connections: Api<HRConnection> = Api::namespaced(client.clone(), ours);
    for (what, change) in [
        ("another file", json!({"spec": {"source": {"file": {"from": {"configMap": {"name": "people"}}}}}})),
        ("an acceptance", json!({"metadata": {"annotations": {names::ACCEPT: "a"}}})),
        ("a finalizer", json!({"metadata": {"finalizers": ["example.com/stay"]}})),
    ] {
        let answer = connections.patch(names::DRILL, &patch, &Patch::Merge(&change)).await;
        rows.push((what, ANNOTATION, denied(what, answer)));
    }
    let asked = json!({"metadata": {"annotations": {names::REQUESTED_AT: "now"}}});
    connections.patch(names::DRILL, &patch, &Patch::Merge(&asked)).await.expect("what it is there for");
    rows
}
