//! Pods in which a leaver may have a session open: evicted once approved, within budgets, where the namespace consented; and nobody else's
//! are, nor does whoever steals the revoker evict one that control has not listed.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::{Eviction, PodDisruptionBudget};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rollcall::api::condition::{ConditionType, Reason, Status};
use rollcall::api::revocation::{Action, Phase, RevocationStatus, StepOutcome, TargetKind, VerdictKind};
use rollcall::api::{RecreatableAccounts, RecreatableAccountsSpec, Revocation, names};
use serde_json::{Value, json};

use crate::support::attempts::every_right;
use crate::support::installation::{Consent, Installation, Running, a_day};
use crate::support::objects::object;
use crate::support::people::People;
use crate::support::rotators::Node;
use crate::support::waiting::eventually;
use crate::support::workloads::{deployment, late, make, pod_spec, reaches, ready};

/// Lets users do this with pods of a target.
async fn may(rollcall: &Installation, target: &str, users: &[&str], name: &str, rule: Value) {
    let (namespace, group) = (rollcall.target(target), "rbac.authorization.k8s.io");
    let role: Role = object(json!({"metadata": {"name": name}, "rules": [rule]}));
    Api::namespaced(rollcall.admin.clone(), &namespace).create(&PostParams::default(), &role).await.unwrap();
    let subjects: Vec<Value> =
        users.iter().map(|id| json!({"kind": "User", "name": rollcall.user(id), "apiGroup": group})).collect();
    let binding: RoleBinding = object(json!({
        "metadata": {"name": name}, "roleRef": {"apiGroup": group, "kind": "Role", "name": name}, "subjects": subjects,
    }));
    Api::namespaced(rollcall.admin.clone(), &namespace).create(&PostParams::default(), &binding).await.unwrap();
}

fn opens(resource: &str) -> Value {
    json!({"apiGroups": [""], "resources": [resource], "verbs": ["create"]})
}

/// Ten people under a policy that has pods evicted.
async fn company(story: &str, targets: &[(&str, Consent)]) -> (Installation, Running, Node, People) {
    let rollcall = Installation::new(story, targets).await;
    let node = Node::start(&rollcall.admin, targets.iter().map(|(name, _)| rollcall.target(name)).collect());
    let running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    let limits = json!({"people": a_day(10)});
    rollcall.policy(json!({"revocation": {"sessions": "Evict"}, "limits": limits})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    (rollcall, running, node, staff)
}

async fn says(rollcall: &Installation, id: &str, status: Status, reason: Reason) {
    eventually(&format!("person {id} says {}", reason.as_str()), || async {
        let conditions = rollcall.person(id).await?.status?.conditions;
        conditions
            .iter()
            .any(|one| one.is(ConditionType::Revoked, status) && one.reason == reason.as_str())
            .then_some(())
    })
    .await;
}

/// What of sessions remains, by its words.
fn left(status: &RevocationStatus) -> Vec<String> {
    let rows = status.plan.iter().flat_map(|plan| &plan.remaining).filter(|left| left.why != "SharedBinding");
    rows.map(|left| format!("{} {}", left.why, left.what)).collect()
}

#[tokio::test]
async fn pods_in_which_a_session_may_be_open_are_evicted_once_approved_and_no_others() {
    let targets = [("apps", Consent::Workloads), ("bens", Consent::Workloads), ("far", Consent::Accounts)];
    let (rollcall, _running, _node, staff) = company("sessions", &targets).await;
    let (apps, far) = (rollcall.target("apps"), rollcall.target("far"));
    for (target, name) in [("apps", "web"), ("bens", "web"), ("far", "web")] {
        deployment(&rollcall, target, name, "default", 1).await;
    }
    make::<Pod>(&rollcall, "apps", json!({"metadata": {"name": "debug"}, "spec": pod_spec("default")})).await;
    // One by a binding that others share, and that stays: what ends it is the freeze. One where nobody consented.
    may(&rollcall, "apps", &["7", "8"], "runs", opens("pods/exec")).await;
    may(&rollcall, "far", &["7"], "forwards", opens("pods/portforward")).await;
    may(&rollcall, "bens", &["8"], "runs", opens("pods/exec")).await;
    let pods = ready(&rollcall, "apps", 3).await;
    let (of_ben, of_far) = (ready(&rollcall, "bens", 2).await, ready(&rollcall, "far", 2).await);
    let whom = format!("{}/7", rollcall.connection);
    let plan = eventually("the plan says what it would evict", || async {
        let plan = rollcall.succeeds(&["plan", &whom]);
        plan.contains("Evict").then_some(plan)
    })
    .await;
    assert!(plan.contains("PodDisruptionBudget web (1 may go now)"), "{plan}");
    assert!(
        plan.contains(&format!("Pod {apps}/debug")) && plan.contains(&format!("pods of namespace {far}")),
        "{plan}"
    );
    assert!(!plan.contains(&rollcall.target("bens")), "{plan}");

    rollcall.learn(&staff.person("7").terminated()).await;
    let late = late(&rollcall, "7", "-late-sessions-cut").await;
    let all = rollcall.revocations("7").await;
    let cut = all.into_iter().find(|one| !one.spec.late).and_then(|one| one.status).unwrap();
    assert_eq!(cut.phase, Some(Phase::Revoked));
    let sessions = cut.exposure.unwrap().sessions.expect("where sessions may be open");
    assert_eq!((sessions.namespaces, sessions.everywhere), (vec![apps.clone(), far.clone()], false));

    let status = late.status.clone().unwrap();
    let plan = status.plan.clone().unwrap();
    let of_web: BTreeSet<&String> =
        pods.iter().filter(|(name, _)| name.starts_with("web-")).map(|(_, uid)| uid).collect();
    assert!(plan.targets.iter().all(|one| (one.action, one.kind) == (Action::Evict, TargetKind::Pod)), "{plan:?}");
    assert_eq!(plan.targets.iter().map(|one| &one.uid).collect::<BTreeSet<_>>(), of_web);
    assert_eq!(plan.workloads, 1);
    assert_eq!(
        left(&status),
        [format!("OpenSessions Pod {apps}/debug"), format!("OpenSessions pods of namespace {far}")]
    );
    let why = rollcall.succeeds(&["why", &whom]);
    assert!(why.contains("they could exec, attach or port-forward in"), "{why}");
    assert_eq!(ready(&rollcall, "apps", 3).await, pods, "nothing acts before somebody approves");

    rollcall.stop("while a pod is replaced");
    rollcall.approve(&late);
    let gone = plan.targets[0].name.clone();
    let api: Api<Pod> = Api::namespaced(rollcall.admin.clone(), &apps);
    api.delete(&gone, &DeleteParams::default().grace_period(0)).await.unwrap();
    let meanwhile = eventually("another pod is in its place", || async {
        let now = ready(&rollcall, "apps", 3).await;
        now.iter().find(|(name, _)| !pods.contains_key(*name)).map(|(name, uid)| (name.clone(), uid.clone()))
    })
    .await;
    rollcall.go_on();
    let status = reaches(&rollcall, &late.name_any(), Phase::Revoked).await;

    let outcomes: BTreeMap<&str, StepOutcome> =
        status.steps.iter().map(|step| (step.target.name.as_str(), step.outcome)).collect();
    let evicted = plan.targets[1].name.as_str();
    let expected = BTreeMap::from([(gone.as_str(), StepOutcome::AlreadyGone), (evicted, StepOutcome::Done)]);
    assert_eq!(outcomes, expected, "{:?}", status.steps);
    assert!(status.verdicts.iter().all(|one| one.verdict == VerdictKind::Implied), "{:?}", status.verdicts);
    assert_eq!((status.verdicts.len(), status.kept.len()), (2, 0), "nothing of a pod is kept");
    let now = ready(&rollcall, "apps", 3).await;
    assert!(!now.contains_key(evicted) && now.get(&meanwhile.0) == Some(&meanwhile.1), "{now:?}");
    assert_eq!(now["debug"], pods["debug"], "what nothing makes again is left");
    assert_eq!(ready(&rollcall, "bens", 2).await, of_ben, "a colleague's are left");
    assert_eq!(ready(&rollcall, "far", 2).await, of_far, "and where nobody consented");
    says(&rollcall, "7", Status::False, Reason::AccessRemains).await;
    assert_eq!(rollcall.revocations("7").await.iter().filter(|one| one.name_any().contains("-sessions-")).count(), 1);

    // Somebody deletes by hand what was left; the next look sees it.
    api.delete("debug", &DeleteParams::default().grace_period(0)).await.unwrap();
    let revocations: Api<Revocation> = rollcall.api();
    let touch = Patch::Merge(json!({"metadata": {"labels": {"looked-at": "again"}}}));
    revocations.patch(&late.name_any(), &PatchParams::default(), &touch).await.unwrap();
    eventually("the pod remains no more", || async {
        let status = revocations.get(&late.name_any()).await.unwrap().status?;
        (left(&status) == [format!("OpenSessions pods of namespace {far}")]).then_some(())
    })
    .await;
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn a_budget_that_lets_nothing_go_is_kept_to_and_said_and_there_is_another_try() {
    let (rollcall, _running, _node, staff) = company("session-budget", &[("apps", Consent::Workloads)]).await;
    deployment(&rollcall, "apps", "web", "default", 2).await;
    deployment(&rollcall, "apps", "api", "default", 1).await;
    // It is bound to nobody else, so it goes with the cut; and a name is enough.
    let rule = json!({"apiGroups": [""], "resources": ["pods/attach"], "verbs": ["get"]});
    may(&rollcall, "apps", &["7"], "attaches", rule).await;
    let pods = ready(&rollcall, "apps", 4).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    let late = late(&rollcall, "7", "-late-sessions-cut").await;
    assert_eq!(late.status.clone().unwrap().plan.unwrap().targets.len(), 4);

    rollcall.approve(&late);
    let status = reaches(&rollcall, &late.name_any(), Phase::Failed).await;

    let now = ready(&rollcall, "apps", 4).await;
    for (name, uid) in &pods {
        let step = status.steps.iter().find(|step| step.target.uid == *uid).unwrap();
        let verdict = status.verdicts.iter().find(|verdict| verdict.target.uid == *uid).unwrap().verdict;
        if name.starts_with("web-") {
            let message = step.message.clone().unwrap_or_default();
            assert!(step.outcome == StepOutcome::Failed && message.starts_with("not evicted: "), "{step:?}");
            assert_eq!((verdict, now.get(name)), (VerdictKind::Refuted, Some(uid)));
        } else {
            assert_eq!((step.outcome, verdict), (StepOutcome::Done, VerdictKind::Implied), "the other workload's are");
            assert!(!now.contains_key(name));
        }
    }
    let said: BTreeSet<_> = status.steps.iter().filter_map(|step| step.message.as_deref()).collect();
    assert!(said.contains("not evicted: a PodDisruptionBudget does not let it be evicted"), "{said:?}");
    assert!(status.remaining.iter().all(|left| left.why == "NotEvicted"), "{:?}", status.remaining);
    says(&rollcall, "7", Status::False, Reason::NotProved).await;

    let budgets: Api<PodDisruptionBudget> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let room = Patch::Merge(json!({"spec": {"minAvailable": 1}}));
    budgets.patch("web", &PatchParams::default(), &room).await.unwrap();
    rollcall.succeeds(&["retry", &late.name_any()]);
    reaches(&rollcall, &late.name_any(), Phase::Revoked).await;
    let now = ready(&rollcall, "apps", 4).await;
    assert!(pods.keys().all(|name| !now.contains_key(name)), "every pod is another one: {now:?}");
    says(&rollcall, "7", Status::True, Reason::Refused).await;
    rollcall.evidence_verifies();
}

const WHERE: &str =
    "the revoker has pods evicted only where rollcall control has listed that pod, or an account that is handed over";
const SYSTEM: &str = "the revoker writes nothing in system namespaces and in its own";
const OWN: &str = "in Rollcall's namespace the revoker writes only its part of a Revocation's status, and events";

#[tokio::test]
async fn the_revoker_stolen_evicts_no_pod_but_those_that_are_listed() {
    let targets = [("apps", Consent::Workloads), ("plain", Consent::Accounts), ("none", Consent::None)];
    let rollcall = Installation::new("session-cage", &targets).await;
    let [apps, plain, none] = ["apps", "plain", "none"].map(|name| rollcall.target(name));
    let pod = |name: &str| json!({"metadata": {"name": name}, "spec": pod_spec("default")});
    let mut uids = BTreeMap::new();
    for (namespace, name) in [
        (apps.as_str(), "listed"),
        (&apps, "other"),
        (&plain, "p"),
        (&none, "p"),
        ("kube-system", &format!("{}-p", rollcall.release)),
        (&rollcall.namespace, "p"),
    ] {
        let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), namespace);
        let made = pods.create(&PostParams::default(), &object(pod(name))).await.unwrap();
        uids.insert((namespace.to_owned(), name.to_owned()), made.uid().unwrap());
    }
    let uid = |namespace: &str, name: &str| uids[&(namespace.to_owned(), name.to_owned())].clone();
    let system = format!("{}-p", rollcall.release);
    // Even a list that names them all, written by control, lets nothing be evicted of the system or of Rollcall.
    let listed = [(apps.as_str(), "listed"), ("kube-system", &system), (&rollcall.namespace, "p")];
    let pods = listed.map(|(namespace, name)| (uid(namespace, name), format!("{namespace}/{name}")));
    let control = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let lists: Api<RecreatableAccounts> = Api::namespaced(control, &rollcall.namespace);
    let spec = RecreatableAccountsSpec { pods: pods.into(), ..RecreatableAccountsSpec::default() };
    lists.create(&PostParams::default(), &RecreatableAccounts::new(names::RECREATE, spec)).await.unwrap();
    let tries = [
        ("a pod that is listed", apps.as_str(), "listed", uid(&apps, "listed"), None),
        ("another pod of the namespace", &apps, "other", uid(&apps, "other"), Some(WHERE)),
        ("another one by the uid that is listed", &apps, "other", uid(&apps, "listed"), Some(WHERE)),
        ("where nobody consented to it", &plain, "p", uid(&plain, "p"), Some(WHERE)),
        ("where nobody consented at all", &none, "p", uid(&none, "p"), Some(WHERE)),
        ("of the system", "kube-system", system.as_str(), uid("kube-system", &system), Some(SYSTEM)),
        ("of Rollcall", &rollcall.namespace, "p", uid(&rollcall.namespace, "p"), Some(OWN)),
    ];
    eventually("the API server has the list", || async {
        evicts(&rollcall, &apps, "listed", &uid(&apps, "listed")).await.is_empty().then_some(())
    })
    .await;
    for (what, namespace, name, uid, expected) in &tries {
        let said = evicts(&rollcall, namespace, name, uid).await;
        let by_itself = if *namespace == apps { expected.is_none() } else { false };
        assert_eq!(said.is_empty(), by_itself, "{what}, with its own rights: {said}");
    }
    every_right(&rollcall, &[rollcall.identity("revoke")]).await;
    for (what, namespace, name, uid, expected) in &tries {
        let said = evicts(&rollcall, namespace, name, uid).await;
        match expected {
            None => assert_eq!(said, "", "{what}"),
            Some(rule) => assert!(said.contains(rule), "{what}, with every right: {said}"),
        }
    }
    let admin: Api<Pod> = Api::namespaced(rollcall.admin.clone(), "kube-system");
    admin.delete(&system, &DeleteParams::default().grace_period(0)).await.unwrap();
}

/// What the revoker is told when it rehearses an eviction; nothing where it may.
async fn evicts(rollcall: &Installation, namespace: &str, name: &str, uid: &str) -> String {
    let options = json!({"preconditions": {"uid": uid}});
    let eviction: Eviction = object(json!({"metadata": {"name": name}, "deleteOptions": options}));
    let client = rollcall.cluster.acting_as(&rollcall.identity("revoke"), &["system:authenticated"]).await;
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    let rehearsal = PostParams { dry_run: true, ..PostParams::default() };
    match pods.create_subresource::<_, Value>("eviction", name, &rehearsal, &eviction).await {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}
