use super::*;
use serde_json::{Value, json};

fn revocation(name: &str, approved: bool, status: Value) -> Revocation {
    let approval = approved.then(|| json!({"planHash": "0".repeat(64), "by": "admin", "at": "2026-03-01T09:00:00Z"}));
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

#[test]
fn what_turns_up_later_is_dealt_with_by_the_record_that_ended_last_once_all_have_ended() {
    let of = |name: &str, left: Option<i64>| PersonFacts {
        name: name.to_owned(),
        uid: format!("u-{name}"),
        records: vec![],
        apart: Vec::new(),
        disputed: Box::default(),
        aliases: vec![],
        address: None,
        left: left.map(|second| Timestamp::from_second(second).unwrap()),
    };
    let cases = [
        ("one record", of("p-7", Some(5)), vec![], Some(0)),
        ("one that a human has yet to approve", of("p-7", None), vec![], Some(0)),
        ("the last of two", of("p-7", Some(5)), vec![of("p-1", Some(3))], Some(1)),
        ("the first of two", of("p-7", Some(5)), vec![of("p-1", Some(8))], None),
        ("both at once, by name", of("p-7", Some(5)), vec![of("p-1", Some(5))], Some(1)),
        ("both at once, the other name", of("p-1", Some(5)), vec![of("p-7", Some(5))], None),
        ("the other works here", of("p-7", Some(5)), vec![of("p-1", None)], None),
    ];
    for (what, person, others, expected) in cases {
        let human: Vec<&PersonFacts> = others.iter().chain([&person]).collect();
        assert_eq!(other_records(&person, &human).map(|others| others.len()), expected, "{what}");
    }
}

#[test]
fn what_another_record_did_before_this_one_ended_says_nothing_of_what_was_held_until_then() {
    let at = |second| Timestamp::from_second(second).unwrap();
    for (what, acted, expected) in
        [("never acted", None, true), ("acted before", Some(at(4)), false), ("acted since", Some(at(5)), true)]
    {
        assert_eq!(
            since(&revocation("b-cut", false, json!({"phase": "Revoked", "acted": acted})), at(5)),
            expected,
            "{what}"
        );
    }
}

#[test]
fn another_records_freeze_deals_with_nothing_nor_does_what_will_never_act_or_waits_for_another_reason() {
    let at = Timestamp::from_second(5).unwrap();
    for (what, operation, trigger, phase, acted, expected) in [
        ("a cut of a termination that waits", Operation::Cut, Trigger::Termination, "Held", None, true),
        ("one that was cancelled", Operation::Cut, Trigger::Termination, "Cancelled", None, false),
        ("a cut of a leave that waits", Operation::Cut, Trigger::Leave, "Held", None, false),
        ("a cut of a leave that acted", Operation::Cut, Trigger::Leave, "Revoked", Some(at), true),
        ("a freeze that stands", Operation::Freeze, Trigger::Leave, "Frozen", Some(at), false),
    ] {
        let mut other = revocation("b-cut", false, json!({"phase": phase, "acted": acted}));
        (other.spec.operation, other.spec.trigger) = (operation, trigger);
        assert_eq!(since(&other, at), expected, "{what}");
    }
}

#[test]
fn what_the_revoker_left_alone_as_somebody_elses_too_is_a_later_discovery_once_it_is_theirs_alone() {
    let known = |outcome: &str, finished: Value, why: &str| {
        let left = json!([{"what": "ServiceAccount apps/ada", "why": why, "advice": "a"}]);
        let step = json!({"target": target("1"), "outcome": outcome, "at": "2026-03-01T00:00:00Z"});
        let status = json!({"plan": {"hash": "h", "targets": [target("1")]}, "steps": [step], "finished": finished, "remaining": left,
            "claim": {"by": "revoke-1", "at": "2026-03-01T00:00:00Z"}});
        dealt_with(std::iter::once(&revocation("a-cut", false, status))).contains("1")
    };
    assert!(known("Done", json!("Revoked"), "StillAllowed"), "it was done");
    assert!(known("Skipped", json!(null), "WorksHere"), "the revoker is at it");
    assert!(!known("Skipped", json!("Revoked"), "WorksHere"), "it was left alone");
    assert!(known("Skipped", json!("Revoked"), "KeyStays"), "what could not be done cannot be done now");
}

#[test]
fn a_leave_calls_for_what_the_policy_says_and_for_nothing_once_they_are_back() {
    let policy = |leave: &str| -> Arc<SyncPolicy> {
        serde_json::from_value(json!({"metadata": {"name": "everyone"}, "spec": {
            "connections": [{"name": "hq"}], "timeZones": {"default": "UTC"}, "lifecycle": {"leave": leave}}}))
        .map(Arc::new)
        .unwrap()
    };
    let person = |state: &str, leave: Value| -> Person {
        let seen = "2026-03-01T09:00:00Z";
        serde_json::from_value(json!({
            "metadata": {"name": "p-7", "uid": "u-7"},
            "spec": {"records": [{"connection": "hq", "id": "7"}]},
            "status": {"policy": "everyone", "leave": leave, "employment": {
                "state": state, "since": seen, "timeZone": "UTC", "why": "OnLeave", "message": "on leave"}},
        }))
        .unwrap()
    };
    let leave = || json!({"seen": "2026-03-01T10:00:00Z", "run": "r-1"});
    let cases = [
        ("Leave", leave(), "Freeze", Some((Operation::Freeze, "-freeze"))),
        ("Suspended", leave(), "Freeze", Some((Operation::Freeze, "-freeze"))),
        ("Leave", leave(), "Cut", Some((Operation::Cut, "-cut"))),
        ("Leave", leave(), "Keep", None),
        ("Leave", json!(null), "Freeze", None),
        ("Terminated", leave(), "Freeze", None),
        ("Unknown", leave(), "Freeze", None),
        ("Active", json!(null), "Freeze", None),
    ];
    for (state, on_leave, mode, expected) in cases {
        let made = of_leave(&person(state, on_leave), |_| Some(policy(mode)));
        let made = made.map(|(name, spec)| (spec.operation, spec.trigger, name));
        let seen = "2026-03-01T10:00:00Z".parse().unwrap();
        let expected = expected.map(|(operation, word)| {
            (operation, Trigger::Leave, format!("{}{word}", roster::termination_id("p-7", seen)))
        });
        assert_eq!(made, expected, "{state}, {mode}");
    }
    assert!(of_leave(&person("Leave", leave()), |_| None).is_none(), "the policy is gone");
}

#[test]
fn a_later_discovery_leaves_out_what_its_own_termination_deals_with_and_nothing_else() {
    let late = revocation("p-7-22-late-ab-cut", false, json!(null));
    for (what, other, expected) in [
        ("itself", "p-7-22-late-ab-cut", false),
        ("the cut of this termination", "p-7-22-cut", true),
        ("its removal", "p-7-22-remove", true),
        ("another discovery", "p-7-22-late-cd-cut", true),
        ("the cut of an earlier termination, whose account works again", "p-7-11-cut", false),
        ("a leave", "p-7-33-freeze", false),
        ("a leave that was cut", "p-7-33-cut", false),
        ("a human's word", "p-7-now-44", false),
    ] {
        assert_eq!(of_its_termination(&late, &revocation(other, false, json!(null))), expected, "{what}");
    }
}

#[test]
fn a_discovery_that_came_to_nothing_is_made_again_and_one_that_waits_is_not() {
    let fresh = BTreeSet::from(["1", "2"]);
    let first = late_name("p-7-22", false, &fresh, &[]);
    for (phase, same) in [("Held", true), ("Released", true), ("Revoked", false), ("Cancelled", false)] {
        let told = [revocation(&first, false, json!({"phase": phase}))];
        let name = late_name("p-7-22", false, &fresh, &told);
        assert_eq!(name == first, same, "{phase}");
        assert!(name.starts_with("p-7-22-late-") && name.ends_with("-cut"), "{name}");
    }
}

#[test]
fn a_removal_is_made_behind_cuts_that_wait_and_in_time_all_the_same() {
    let now = Timestamp::UNIX_EPOCH;
    for (what, minutes, others, expected) in [
        ("due in days, and nobody is being cut", 72 * 60, false, false),
        ("due in days, while others are cut", 72 * 60, true, true),
        ("due within the hour, while others are cut", 60, true, false),
        ("overdue, while others are cut", -5, true, false),
    ] {
        assert_eq!(made_later(now + SignedDuration::from_mins(minutes), now, || others), expected, "{what}");
    }
    let cut = |status: Value| is_cut_now(&revocation("a-cut", false, status));
    assert!(cut(json!({"phase": "Released"})));
    assert!(!cut(json!({"phase": "Released", "acted": "2026-01-01T00:00:00Z"})), "its end is only looked at");
    assert!(!cut(json!({"phase": "Held"})));
    let mut removal = revocation("a-remove", false, json!({"phase": "Released"}));
    removal.spec.operation = Operation::Remove;
    assert!(!is_cut_now(&removal));
}
