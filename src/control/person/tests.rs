use super::*;
use serde_json::{Value, json};

fn revocation(name: &str, approved: bool, status: Value) -> Revocation {
    let approval = approved.then(|| json!({"planHash": "0".repeat(64), "by": "admin"}));
    serde_json::from_value(json!({
        "metadata": {"name": name, "uid": name},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                 "due": "2026-03-01T00:00:00Z", "reason": "left", "approval": approval},
        "status": status,
    }))
    .unwrap()
}

fn target(uid: &str) -> Value {
    json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": "ada", "uid": uid, "why": "w"})
}

fn step(uid: &str, new: Option<&str>) -> Value {
    json!({"target": target(uid), "outcome": "Done", "newUid": new, "at": "2026-03-01T00:00:00Z"})
}

#[test]
fn a_plan_is_drawn_again_until_it_is_approved_released_begun_or_over() {
    let claim = json!({"by": "revoke-1", "at": "2026-03-01T00:00:00Z"});
    let cases = [
        ("never looked at", false, json!(null), false),
        ("held", false, json!({"phase": "Held"}), false),
        ("held and approved", true, json!({"phase": "Held"}), true),
        ("released", false, json!({"phase": "Released"}), true),
        ("claimed, and held since", false, json!({"phase": "Held", "claim": claim}), true),
        ("over", false, json!({"phase": "Revoked"}), true),
    ];
    for (what, approved, status, expected) in cases {
        assert_eq!(frozen(&revocation("a-cut", approved, status)), expected, "{what}");
    }
}

#[test]
fn known_are_the_targets_of_every_plan_and_the_accounts_that_took_their_place() {
    let first = revocation(
        "a-cut",
        false,
        json!({"plan": {"hash": "h", "targets": [target("1"), target("2")]}, "steps": [step("1", Some("3"))]}),
    );
    let second = revocation("a-late-cut", false, json!({"plan": {"hash": "h", "targets": [target("4")]}}));
    let known: Vec<String> = known_uids([&first, &second].into_iter()).into_iter().collect();
    assert_eq!(known, ["1", "2", "3", "4"]);
}

#[test]
fn a_removal_follows_a_cut_that_is_over_and_recreated_something_once() {
    let status = |phase: &str, acted: Value, new| json!({"phase": phase, "acted": acted, "steps": [step("1", new)]});
    let acted = || json!("2026-03-01T00:00:00Z");
    let cases = [
        ("the cut is over", status("Revoked", acted(), Some("2")), false, true),
        ("its removal is there", status("Revoked", acted(), Some("2")), true, false),
        ("not every target is refused", status("Failed", acted(), Some("2")), false, false),
        ("it recreated nothing", status("Revoked", acted(), None), false, false),
        ("it never acted", status("Revoked", json!(null), Some("2")), false, false),
    ];
    for (what, status, there, expected) in cases {
        let cut = Arc::new(revocation("a-cut", false, status));
        let mut told = vec![Arc::clone(&cut)];
        told.extend(there.then(|| Arc::new(revocation("a-remove", false, json!(null)))));
        assert_eq!(removal(&cut, &told).map(|(name, _)| name), expected.then(|| "a-remove".to_owned()), "{what}");
    }
}
