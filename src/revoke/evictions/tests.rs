use serde_json::{Value, json};

use super::*;
use crate::kube::scenario::{Scenario, on};
use crate::revoke::order;
use domain::plan::{Kind, Target};

const SETS: &str = "replicasets";

fn seen(namespace: &str, name: &str) -> Seen {
    let target = Target {
        action: Action::Evict,
        kind: Kind::Pod,
        namespace: namespace.into(),
        name: name.into(),
        uid: format!("u-{name}"),
        heir: None,
        why: String::new(),
    };
    Seen { target, observation: Observation::Evicts, canary: None, probe: None, leaving: BTreeSet::new() }
}

/// A pod of a ReplicaSet, ready or not.
fn pod(name: &str, set: &str, ready: bool) -> Value {
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set, "uid": set, "controller": true}]);
    let status = if ready { "True" } else { "False" };
    json!({
        "metadata": {"name": name, "uid": format!("u-{name}"), "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": owner},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": status}]},
    })
}

fn lists(scenario: Scenario, namespace: &str, pods: &[Value]) -> Scenario {
    scenario
        .meanwhile(on(&format!("GET /api/v1/namespaces/{namespace}/pods")).lists(json!(pods)))
        .meanwhile(on(&format!("GET /apis/apps/v1/namespaces/{namespace}/{SETS}")).lists(json!([])))
        .meanwhile(on(order::STOP).answers(json!({"metadata": {"name": "rollcall-stop"}})))
}

fn eviction(namespace: &str, name: &str) -> String {
    format!("POST /api/v1/namespaces/{namespace}/pods/{name}/eviction")
}

/// How each pod ended, and after how long.
async fn ended(scenario: &Scenario, targets: &[Seen], most: u32) -> BTreeMap<String, (StepOutcome, String, Duration)> {
    let (ctx, begun) = (order::context(scenario), Instant::now());
    let (sender, mut receiver) = unbounded_channel::<Over<'_>>();
    let hear = async {
        let mut ended = BTreeMap::new();
        while let Some((seen, how)) = receiver.recv().await {
            let said = how.message.unwrap_or_default();
            ended.insert(seen.target.name.clone(), (how.outcome, said, begun.elapsed()));
        }
        ended
    };
    let evicting = Evicting::of(targets, most).unwrap();
    futures::join!(evicting.run(&ctx, sender), hear).1
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_refuses_ends_its_own_workload_and_holds_up_nobody_else() {
    let scenario = lists(Scenario::default(), "apps", &[pod("web-1", "web", true), pod("api-1", "api", true)]);
    let scenario = lists(scenario, "far", &[])
        .meanwhile(on(&eviction("apps", "web-1")).fails(429))
        .meanwhile(on(&eviction("apps", "api-1")).fails(429));
    let targets = [seen("apps", "web-1"), seen("apps", "api-1"), seen("far", "gone")];
    let ended = ended(&scenario, &targets, 1).await;
    let (outcome, said, after) = &ended["web-1"];
    assert_eq!(*outcome, StepOutcome::Failed);
    assert_eq!(said, "not evicted: a PodDisruptionBudget does not let it be evicted");
    assert!(*after >= BUDGET && *after < STILL, "it was asked for a while: {after:?}");
    let (outcome, _, after) = &ended["gone"];
    assert!(*outcome == StepOutcome::AlreadyGone && *after < 2 * LOOK, "what two lists do not have is done: {after:?}");
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_refuses_is_asked_for_a_while_and_then_left() {
    let scenario = lists(Scenario::default(), "apps", &[pod("web-1", "web", true)]);
    let scenario = scenario
        .meanwhile(on(&eviction("apps", "web-1")).refuses(403, "ValidatingAdmissionPolicy 'r-recreate' denied"));
    let ended = ended(&scenario, &[seen("apps", "web-1")], 1).await;
    let (outcome, said, after) = &ended["web-1"];
    assert_eq!(*outcome, StepOutcome::Refused);
    assert!(said.starts_with("admission policy: ") && *after >= REFUSED && *after < STILL, "{said} {after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_does_not_end_is_left_and_the_next_of_its_workload_waits_for_it() {
    let scenario = lists(Scenario::default(), "apps", &[pod("web-1", "web", true), pod("web-2", "web", true)]);
    let scenario = scenario.meanwhile(on(&eviction("apps", "web-1")).answers(json!({})));
    let ended = ended(&scenario, &[seen("apps", "web-1"), seen("apps", "web-2")], 1).await;
    let (outcome, said, _) = &ended["web-1"];
    assert_eq!(*outcome, StepOutcome::Failed);
    assert_eq!(said, "not evicted: its eviction was accepted, and it has not ended yet");
    assert!(ended["web-2"].1.contains("are not ready"), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_no_eviction_and_is_asked_again() {
    let scenario = lists(Scenario::default(), "apps", &[pod("web-1", "web", true)]);
    let scenario = scenario.meanwhile(on(&eviction("apps", "web-1")).fails(409));
    let (outcome, said, _) = &ended(&scenario, &[seen("apps", "web-1")], 1).await["web-1"];
    assert_eq!(*outcome, StepOutcome::Failed);
    assert!(!said.contains("accepted") && said.contains("409"), "{said}");
}

fn place(targets: &[Seen], most: usize) -> Place<'_> {
    let mut place = Place::new("apps", most);
    for seen in targets {
        place
            .open
            .insert(&seen.target.uid, Open { seen, evicted: false, missing: false, kept: None, by_budget: false });
    }
    place
}

fn running(pods: &[Value]) -> Pods {
    let pods = pods.iter().map(|pod| serde_json::from_value(pod.clone()).unwrap());
    Pods { running: pods.filter_map(crate::kube::pods::single).collect(), finished: BTreeSet::new() }
}

#[tokio::test]
async fn only_what_is_in_the_plan_is_evicted_and_no_more_at_a_time_than_may_be() {
    let targets = [seen("apps", "web-1"), seen("apps", "web-2"), seen("apps", "api-1")];
    let next = |place: &mut Place<'_>, pods: &[Value]| {
        place.wave(&running(pods)).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    let others = pod("web-9", "web", true);
    let all = [pod("web-1", "web", true), pod("web-2", "web", true), others.clone(), pod("api-1", "api", true)];
    let mut one = place(&targets, 1);
    assert_eq!(next(&mut one, &all), ["api-1", "web-1"], "each workload by itself");
    one.open.get_mut("u-web-1").unwrap().evicted = true;
    let (mut ending, mut young) = (pod("web-1", "web", true), pod("web-3", "web", false));
    ending["metadata"]["deletionTimestamp"] = json!("2026-03-01T00:00:00Z");
    let waits = [ending, pod("web-2", "web", true), others.clone(), pod("api-1", "api", true)];
    assert_eq!(next(&mut one, &waits), ["api-1"], "the one before is still ending");
    let waits = [young.clone(), pod("web-2", "web", true), others.clone(), pod("api-1", "api", true)];
    assert_eq!(next(&mut one, &waits), ["api-1"], "the one in its place is not ready");
    young["status"]["conditions"][0]["status"] = json!("True");
    let ready = [young, pod("web-2", "web", true), others, pod("api-1", "api", true)];
    assert_eq!(next(&mut one, &ready), ["api-1", "web-2"]);
    assert_eq!(next(&mut place(&targets, 2), &all), ["api-1", "web-1", "web-2"]);
}

#[tokio::test]
async fn a_pod_is_gone_by_its_uid_and_one_that_was_evicted_is_done() {
    let targets = [seen("apps", "web-1"), seen("apps", "web-2"), seen("apps", "web-3"), seen("apps", "web-4")];
    let mut one = place(&targets, 1);
    one.open.get_mut("u-web-2").unwrap().evicted = true;
    let mut replaced = pod("web-1", "web", true);
    replaced["metadata"]["uid"] = json!("another");
    let pods = Pods { finished: ["u-web-4".to_owned()].into(), ..running(&[replaced, pod("web-3", "web", true)]) };
    assert!(one.gone(&running(&[])).is_empty(), "one list may be of before they were made");
    let gone: Vec<_> =
        one.gone(&pods).into_iter().map(|(seen, ended)| (seen.target.name.as_str(), ended.outcome)).collect();
    assert_eq!(gone, [("web-1", StepOutcome::AlreadyGone), ("web-2", StepOutcome::Done)]);
    assert_eq!(one.open.len(), 2, "one that has finished is still there");
}
