//! What is queued, what a release waits for, and what is said.

use serde_json::{Value, json};

use super::attempt::state;
use super::*;
use crate::api::SyncPolicy;
use domain::hooks::Seen;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + second).unwrap()
}

fn inputs(spec: &Value, hooks: &Value) -> GateInputs {
    let mut revocation = json!({
        "metadata": {"name": "p-7-cut", "uid": "r-7"},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
            "due": "2026-02-25T00:00:00Z", "reason": "left"},
    });
    crate::api::merge(&mut revocation, &json!({"spec": spec}));
    let policy: SyncPolicy = serde_json::from_value(json!({"metadata": {"name": "everyone"}, "spec": {
        "connections": [{"name": "hq"}], "timeZones": {"default": "UTC"}, "revocation": {"hooks": hooks}}}))
    .unwrap();
    GateInputs {
        revocation: serde_json::from_value(revocation).unwrap(),
        person: None,
        policy: Some(policy),
        trusted: true,
        ledger: None,
        stopped: None,
    }
}

fn hooks() -> Value {
    json!([{"cronJob": "announce", "when": "Before"}, {"cronJob": "slow", "when": "Before", "timeout": "30s"}, {"cronJob": "siem"}])
}

#[test]
fn a_release_waits_for_the_longest_before_hook_and_no_longer() {
    let (inputs, mut part) = (inputs(&json!({}), &hooks()), ControlStatus::default());
    let report = before(&inputs, &mut part, at(0)).expect("it waits");
    assert_eq!(report.again, Duration::from_secs(30));
    assert_eq!(part.phase, Some(Phase::Held));
    assert_eq!(part.gate.as_ref().and_then(|gate| gate.until), Some(at(30)));
    let queued: Vec<_> = part.hooks.iter().map(|run| (run.name.as_str(), run.outcome, run.attempts)).collect();
    assert_eq!(queued, [("announce", HookOutcome::Begun, 1), ("slow", HookOutcome::Begun, 1)]);
    assert!(before(&inputs, &mut part, at(29)).is_some());
    assert_eq!(part.hooks.len(), 2, "queued once");
    let mut late = part.clone();
    assert!(before(&inputs, &mut late, at(30)).is_none(), "whatever became of them");
    for run in &mut part.hooks {
        run.ended = Some(at(3));
    }
    assert!(before(&inputs, &mut part, at(4)).is_none(), "both have ended");
    part.phase = Some(Phase::Released);
    part.hooks.clear();
    assert!(before(&inputs, &mut part, at(5)).is_none(), "what is released stays released");
}

#[test]
fn hooks_are_of_a_cut_because_somebody_left_or_a_human_asked_for_it() {
    for (what, spec, expected) in [
        ("left", json!({}), 1),
        ("a human's word", json!({"trigger": "AdHoc"}), 1),
        ("on leave", json!({"trigger": "Leave"}), 0),
        ("frozen", json!({"operation": "Freeze"}), 0),
        ("removed later", json!({"operation": "Remove"}), 0),
        ("found later", json!({"late": true}), 0),
    ] {
        let mut part = ControlStatus::default();
        after(&inputs(&spec, &hooks()), &mut part, Phase::Revoked, at(0));
        assert_eq!(part.hooks.len(), expected, "{what}");
    }
}

#[test]
fn after_hooks_are_queued_once_and_not_for_what_was_cancelled() {
    let (inputs, mut part) = (inputs(&json!({}), &hooks()), ControlStatus::default());
    after(&inputs, &mut part, Phase::Cancelled, at(0));
    assert!(part.hooks.is_empty());
    after(&inputs, &mut part, Phase::Failed, at(0));
    after(&inputs, &mut part, Phase::Revoked, at(9));
    let queued: Vec<_> = part.hooks.iter().map(|run| (run.name.as_str(), run.outcome, run.started)).collect();
    assert_eq!(queued, [("siem", HookOutcome::Waiting, at(0))]);
}

#[test]
fn a_hook_that_did_not_end_well_is_said_and_one_that_did_is_not() {
    let (inputs, mut part) = (inputs(&json!({}), &hooks()), ControlStatus::default());
    after(&inputs, &mut part, Phase::Revoked, at(0));
    assert_eq!(failed(&part), None, "not over");
    (part.hooks[0].outcome, part.hooks[0].ended, part.hooks[0].attempts) = (HookOutcome::Failed, Some(at(9)), 5);
    let said = failed(&part).expect("a condition");
    assert!(said.message.contains("siem (After) Failed after 5 attempts"), "{}", said.message);
    for outcome in [HookOutcome::Done, HookOutcome::Skipped] {
        part.hooks[0].outcome = outcome;
        assert_eq!(failed(&part), None);
    }
}

#[test]
fn the_end_of_a_job_is_read_from_its_conditions() {
    let job =
        |conditions: Value| -> Job { serde_json::from_value(json!({"status": {"conditions": conditions}})).unwrap() };
    let is = |type_: &str, reason: &str| json!([{"type": type_, "status": "True", "reason": reason}]);
    for (what, conditions, expected) in [
        ("none", json!([]), Seen::Working),
        ("about to fail", is("FailureTarget", "DeadlineExceeded"), Seen::Working),
        ("complete", is("Complete", ""), Seen::Succeeded),
        ("failed", is("Failed", "BackoffLimitExceeded"), Seen::Failed),
        ("its time is over", is("Failed", "DeadlineExceeded"), Seen::TimedOut),
        ("not true", json!([{"type": "Complete", "status": "False"}]), Seen::Working),
    ] {
        assert_eq!(state(&job(conditions)), expected, "{what}");
    }
}
