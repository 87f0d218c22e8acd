//! Who is forgotten and who is not; and that what goes is exactly what was seen.

use serde_json::{Value, json};

use super::*;
use crate::control::Options;
use crate::kube::scenario::{Scenario, on};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn day(number: i64) -> Timestamp {
    Timestamp::from_second(number * 86_400).unwrap()
}

/// A cut of p-7 that ended on day 10, and whatever else is said of it.
fn cut(name: &str, over: Value) -> Arc<Revocation> {
    let mut revocation = json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation",
        "metadata": {"name": name, "uid": name, "resourceVersion": "3", "creationTimestamp": day(9)},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": day(9), "reason": "left"},
        "status": {"phase": "Revoked", "finished": "Revoked", "acted": day(10), "confirmed": day(10),
            "evidence": {"name": "rollcall-evidence-00000001", "hash": "h", "previous": "p"}},
    });
    for (key, value) in over.as_object().unwrap() {
        revocation["status"][key] = value.clone();
    }
    Arc::new(serde_json::from_value(revocation).unwrap())
}

fn person(state: &str, seen: Timestamp) -> Person {
    serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person", "metadata": {"name": "p-7", "uid": "u-7"},
        "spec": {"records": [{"connection": "hq", "id": "7"}]},
        "status": {"policy": "everyone", "employment": {"state": state, "since": seen, "seen": seen, "timeZone": "UTC", "why": ""}},
    }))
    .unwrap()
}

#[test]
fn a_person_is_forgotten_as_a_whole_and_only_when_nothing_waits_remains_or_comes_back() {
    let well = || cut("p-7-cut", json!({}));
    let with = |over: Value| vec![well(), cut("p-7-late-cut", over)];
    let target =
        json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "n", "name": "a", "uid": "u", "why": ""});
    let step = json!({"target": target, "outcome": "Done", "newUid": "v", "at": day(10)});
    let thing = json!({"what": "RoleBinding n/shared", "why": "SharedBinding", "advice": ""});
    let left = || Some(person("Terminated", day(9)));
    let cases = [
        ("the day before", vec![well()], None, false, 39, false),
        ("the day", vec![well()], None, false, 40, true),
        ("of somebody who left and is known", vec![well()], left(), false, 40, true),
        ("of somebody who works here again", vec![well()], Some(person("Active", day(20))), true, 40, true),
        ("of somebody of whose anything stands", vec![well()], left(), true, 40, false),
        ("of somebody who left once more", vec![well()], Some(person("Terminated", day(30))), false, 40, false),
        ("nothing", vec![], None, false, 40, false),
        ("cancelled", with(json!({"phase": "Cancelled"})), None, false, 40, true),
        ("another that failed", with(json!({"phase": "Failed"})), None, false, 400, false),
        ("another that is held", with(json!({"phase": "Held"})), None, false, 400, false),
        ("another that is released", with(json!({"phase": "Released"})), None, false, 400, false),
        ("another that is not sealed", with(json!({"evidence": null})), None, false, 400, false),
        ("another that ended later", with(json!({"confirmed": day(11)})), None, false, 40, false),
        ("whose removal is still to come", with(json!({"steps": [step]})), left(), false, 400, false),
        ("with whom something remains", with(json!({"remaining": [thing]})), left(), false, 400, false),
        ("erased, with whom something remained", with(json!({"remaining": [thing]})), None, false, 40, true),
    ];
    for (what, told, person, owns, now, expected) in cases {
        assert_eq!(expired(&told, person.as_ref(), owns, |_| DAY * 30, day(now)), expected, "{what}");
    }
}

fn context(scenario: &Scenario, now: fn() -> Timestamp) -> Context {
    let options = Options { namespace: "rollcall".into(), ..Options::default() };
    let ctx = Context::new(scenario.client(), options, now, Arc::default());
    for revocation in [cut("p-7-cut", json!({})), cut("p-7-late-cut", json!({}))] {
        ctx.stores.learn(Arc::unwrap_or_clone(revocation));
    }
    ctx
}

#[tokio::test]
async fn what_is_removed_is_what_was_seen_and_what_changed_since_stays() {
    let delete = |name: &str| {
        on(&format!("DELETE /apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations/{name}"))
            .sends(json!({"preconditions": {"uid": name, "resourceVersion": "3"}}))
    };
    let gone = || json!({"kind": "Status", "apiVersion": "v1", "status": "Success"});
    let scenario = Scenario::default().then(delete("p-7-cut").fails(409)).then(delete("p-7-late-cut").answers(gone()));
    let ctx = context(&scenario, || day(500));
    round(&ctx).await.unwrap_err();
    scenario.is_over();
    let early = Scenario::default();
    round(&context(&early, || day(400))).await.unwrap();
    early.is_over();
}
