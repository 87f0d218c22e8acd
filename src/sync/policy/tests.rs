use std::time::Duration;

use super::pass::Tally;
use super::status::updates;
use super::*;
use crate::api::condition::ConditionUpdate;
use domain::roster;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-03-10T12:00:00Z")
}

fn policy(status: SyncPolicyStatus) -> SyncPolicy {
    let mut policy: SyncPolicy = serde_json::from_value(serde_json::json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": "everyone", "generation": 3},
        "spec": {"connections": [{"name": "hq"}], "timeZones": {"default": "UTC"}},
    }))
    .unwrap();
    policy.status = Some(status);
    policy
}

fn seen(baseline: Baseline) -> PassInputs {
    PassInputs {
        connections: vec![Source {
            name: "hq".into(),
            snapshot: None,
            read: None,
            needs: None,
            fingerprint: Some("new".into()),
            baseline,
            fresh: true,
            employs: true,
        }],
        trouble: None,
        revoker: Some(found(true)),
        drill: None,
    }
}

fn found(ready: bool) -> revoker::RevokerCheck {
    revoker::RevokerCheck { shape: "s".into(), ready, at: noon(), message: "no node takes its pod".into() }
}

fn revoker() -> ConditionUpdate {
    condition::revoker_ready(noon())
}

fn tally() -> Tally {
    Tally {
        states: [("Active".to_owned(), 3)].into(),
        missing: 0,
        kept_by_word: 0,
        matched: None,
        rivals: false,
        conflicts: None,
        others: 0,
        most_people: 10_000,
        baseline_leavers: 2,
        not_added: None,
        scope: None,
        crossed: Vec::new(),
        former: 0,
        unmatched: None,
        wake: None,
        fields: fields::in_force(&domain::profile::Modes::default(), None, &[], noon()),
        moves: domain::roster::MovesTally::default(),
        accounts: None,
    }
}

fn old() -> api::Baseline {
    api::Baseline { fingerprint: "old".into(), at: Timestamp::UNIX_EPOCH, leavers: 9 }
}

#[test]
fn a_baseline_is_recorded_by_the_pass_that_took_it_and_by_no_other() {
    let taken = api::Baseline { fingerprint: "new".into(), at: noon(), leavers: 2 };
    for (baseline, expected) in [(Baseline::Now, taken), (Baseline::Settled, old()), (Baseline::Awaited, old())] {
        let taken = api::TakenOver { name: "hq".into(), response: None, baseline: Some(old()) };
        let before = policy(SyncPolicyStatus { connections: vec![taken], ..SyncPolicyStatus::default() });
        let (status, _) = conclude(&before, &seen(baseline), tally(), None, noon());
        assert_eq!(status.connections[0].baseline, Some(expected), "{baseline:?}");
    }
}

#[test]
fn a_whole_pass_closes_its_runs_and_keeps_what_it_knows_nothing_of() {
    let run = api::Run { id: "r-1".into(), leavers: 2, ..api::Run::default() };
    let scope = Some(api::Scoped { included: 3, ..api::Scoped::default() });
    let coverage = Some(api::Coverage { owned: 4, ..api::Coverage::default() });
    let before = SyncPolicyStatus {
        runs: vec![run.clone()],
        coverage: coverage.clone(),
        scope: scope.clone(),
        connections: vec![api::TakenOver { name: "hq".into(), response: Some("a".into()), baseline: None }],
        ..SyncPolicyStatus::default()
    };
    let (status, _) = conclude(&policy(before), &seen(Baseline::Settled), tally(), None, noon());
    assert_eq!(status.runs, [api::Run { written: true, ..run }]);
    assert_eq!((status.coverage, status.scope), (coverage, scope));
    assert_eq!(status.connections[0].response.as_deref(), Some("a"));
}

#[test]
fn it_looks_again_at_the_next_midnight_and_after_ten_minutes_at_the_latest() {
    let cases = [
        ("nobody announced", None, 600),
        ("a midnight in five minutes", Some("2026-03-10T12:05:00Z"), 300),
        ("a midnight in a day", Some("2026-03-11T12:00:00Z"), 600),
        ("a midnight in a moment", Some("2026-03-10T12:00:00.001Z"), 1),
    ];
    for (what, wake, seconds) in cases {
        let tally = Tally { wake: wake.map(at), ..tally() };
        let (_, report) = conclude(&policy(SyncPolicyStatus::default()), &seen(Baseline::Settled), tally, None, noon());
        assert_eq!(report.again, Duration::from_secs(seconds), "{what}");
    }
}

#[test]
fn the_conditions_say_what_it_waits_for() {
    let waiting = Tally { baseline_leavers: 2, unmatched: Some(4), ..tally() };
    let clear = Tally { baseline_leavers: 0, unmatched: Some(0), missing: 1, ..tally() };
    let said = "3 people of connection hq.";
    let missing = "3 people of connection hq. 1 of them are no longer named and keep their state.";
    let cases = [
        (
            Baseline::Now,
            waiting,
            vec![condition::ready(said), condition::baseline_leavers(2), revoker(), condition::locations_unmatched(4)],
        ),
        (
            Baseline::Settled,
            clear,
            vec![condition::ready(missing), condition::baseline_clear(), revoker(), condition::locations_matched()],
        ),
    ];
    for (baseline, tally, expected) in cases {
        assert_eq!(updates(&seen(baseline), &tally), expected, "{baseline:?}");
    }
    let excluded = [("teamUnknown".to_owned(), 2), ("departmentExcluded".to_owned(), 3)].into();
    let scoped = Tally { scope: Some(api::Scoped { included: 3, excluded }), ..tally() };
    let out = "3 people of connection hq. 5 people in its newest response are out of scope: see status.scope.";
    assert_eq!(updates(&seen(Baseline::Settled), &scoped).first(), Some(&condition::ready(out)));
    let with_former = Tally { former: 7, ..tally() };
    let former = "3 people of connection hq. 7 more had left before, and own nothing here: they get no Person.";
    assert_eq!(updates(&seen(Baseline::Settled), &with_former).first(), Some(&condition::ready(former)));
    let awaited = updates(&seen(Baseline::Awaited), &tally());
    assert!(awaited.contains(&condition::baseline_awaited()));
    assert!(
        awaited.iter().any(|word| word.reason == Reason::BaselineAwaited && word.message.contains("connection hq"))
    );
}

#[test]
fn a_policy_is_settled_by_the_condition_of_exactly_its_spec() {
    let conditions = |word, generation| condition::merge(&[], vec![word], Some(generation), noon());
    let cases = [
        ("settled", conditions(condition::baseline_clear(), 3), true),
        ("with leavers that wait", conditions(condition::baseline_leavers(2), 3), true),
        ("of an earlier spec", conditions(condition::baseline_clear(), 2), false),
        ("awaited", conditions(condition::baseline_awaited(), 3), false),
        ("nothing said yet", vec![], false),
    ];
    for (what, conditions, expected) in cases {
        assert_eq!(
            policy(SyncPolicyStatus { conditions, ..SyncPolicyStatus::default() }).settled(),
            expected,
            "{what}"
        );
    }
}

#[test]
fn what_is_shown_of_locations_and_of_many_moves_stays_until_a_response_shows_it_again() {
    let many = condition::many_moved(12, "d1");
    let before = condition::merge(&[], vec![condition::locations_unmatched(4), many], Some(3), noon());
    let before = SyncPolicyStatus { conditions: before, ..SyncPolicyStatus::default() };
    let newer =
        condition::merge(&[], vec![condition::locations_matched(), condition::moves_settled()], Some(3), noon());
    for (conditions, expected) in [(vec![], before.conditions.clone()), (newer.clone(), newer)] {
        let mut status = SyncPolicyStatus { conditions, ..SyncPolicyStatus::default() };
        keep_what_answers_said(&mut status, &before);
        assert_eq!(status.conditions, expected);
    }
}

#[test]
fn what_keeps_answers_away_is_said_beside_a_baseline_that_stands() {
    let missing =
        || Fault::Waiting { reason: Reason::ConnectionMissing, message: "apply it".into(), again: CONNECTION_AGAIN };
    let invalid = || Fault::Stalled("spec.timeZones.default".into());
    for (trouble, expected, again) in [
        (
            missing(),
            vec![
                ("Ready", "ConnectionMissing"),
                ("Reconciling", "Progressing"),
                ("Baseline", "Settled"),
                ("RevokerReady", "Succeeded"),
            ],
            30,
        ),
        (
            invalid(),
            vec![
                ("Ready", "Stalled"),
                ("Stalled", "InvalidSpec"),
                ("Baseline", "Settled"),
                ("RevokerReady", "Succeeded"),
            ],
            600,
        ),
    ] {
        let seen = PassInputs { trouble: Some(trouble), ..seen(Baseline::Settled) };
        let (_, report) = conclude(
            &policy(SyncPolicyStatus::default()),
            &seen,
            Tally { baseline_leavers: 0, ..tally() },
            None,
            noon(),
        );
        assert_eq!(
            report.updates.iter().map(|word| (word.type_.as_str(), word.reason.as_str())).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(report.again, Duration::from_secs(again));
    }
}

#[test]
fn moves_are_counted_and_many_at_once_are_said_by_the_response_that_shows_them() {
    let many = Some(roster::Many { people: 12, digest: "d1".into() });
    let cases = [
        ("without a response", None, false, None),
        ("few", None, true, Some(condition::moves_settled())),
        ("many", many, true, Some(condition::many_moved(12, "d1"))),
    ];
    for (what, many, told, expected) in cases {
        let moves = roster::MovesTally { moved: 3, reviews: 2, overdue: 1, many, told };
        let tally = Tally { baseline_leavers: 0, moves, ..tally() };
        let before = policy(SyncPolicyStatus::default());
        let (status, report) = conclude(&before, &seen(Baseline::Settled), tally, None, noon());
        assert_eq!(status.moves, Some(api::Moves { people: 3, reviews: 2, overdue: 1 }), "{what}");
        let said = report.updates.into_iter().find(|one| one.type_ == ConditionType::MovesSettled);
        assert_eq!(said, expected, "{what}");
    }
}

#[test]
fn a_grant_rule_that_cannot_be_followed_is_said_and_leavers_do_not_wait_for_it() {
    for (when, followed) in [("person.department == 'Sales'", true), ("person.department ==", false)] {
        let mut policy = policy(SyncPolicyStatus::default());
        let rule = serde_json::json!([{"name": "sales", "when": when, "bind": {"clusterRole": "view", "namespaces": ["apps"]}}]);
        policy.spec.grants = serde_json::from_value(rule).unwrap();
        let (_, report) = conclude(&policy, &seen(Baseline::Settled), tally(), None, noon());
        let said = |type_| report.updates.iter().find(|one| one.type_ == type_);
        let why = said(ConditionType::GrantsSettled).map(|one| one.message.split(": ").next().unwrap_or_default());
        assert_eq!(why, (!followed).then_some("spec.grants[0].when"), "{when}");
        assert_eq!(said(ConditionType::Ready).map(|one| one.reason), Some(Reason::Succeeded));
    }
}

#[test]
fn too_many_people_are_said_and_the_baseline_stands() {
    let many = Tally { not_added: Some(10_001), baseline_leavers: 0, ..tally() };
    let expected = [condition::too_many_people("hq", 10_001, 10_000), condition::baseline_clear(), revoker()];
    assert_eq!(updates(&seen(Baseline::Settled), &many), expected);
}

#[test]
fn a_baseline_is_called_settled_by_its_condition_of_whatever_spec() {
    for (word, expected) in [
        (condition::baseline_clear(), true),
        (condition::baseline_leavers(2), true),
        (condition::baseline_awaited(), false),
        (condition::ready("read"), false),
    ] {
        let conditions = condition::merge(&[], vec![word], Some(1), noon());
        assert_eq!(called_settled(&SyncPolicyStatus { conditions, ..SyncPolicyStatus::default() }), expected);
    }
}

#[test]
fn a_revoker_that_cannot_run_is_said_and_looked_for_again_soon() {
    for (known, expected, again) in [
        (None, condition::revoker_not_checked(), 60),
        (Some(found(false)), condition::revoker_not_ready("no node takes its pod"), 60),
        (Some(found(true)), condition::revoker_ready(noon()), 600),
    ] {
        let seen = PassInputs { revoker: known, ..seen(Baseline::Settled) };
        let (_, report) = conclude(&policy(SyncPolicyStatus::default()), &seen, tally(), None, noon());
        assert!(report.updates.contains(&expected), "{:?}", report.updates);
        assert_eq!(report.again, Duration::from_secs(again));
    }
}

#[test]
fn what_the_newest_drill_showed_is_said_of_its_own_policy() {
    let report = |more: serde_json::Value| -> DrillReport {
        let mut whole = serde_json::json!({"run": "d-1", "began": "2026-03-10T03:17:00Z", "ended": "2026-03-10T03:17:20Z",
            "left": "2026-03-10T03:17:05Z", "refused": "2026-03-10T03:17:12Z", "denied": "2026-03-10T03:17:08Z"});
        crate::api::merge(&mut whole, &more);
        serde_json::from_value(whole).unwrap()
    };
    let ended = at("2026-03-10T03:17:20Z");
    let due = |text: &str| Some(report(serde_json::json!({"due": text})));
    let failed = Some(report(serde_json::json!({"failed": "NotRevoked", "message": "no node takes its pod"})));
    let (soon, past) = ("2026-03-10T12:00:00Z", "2026-03-10T11:59:59Z");
    for (what, drill, expected, again) in [
        ("another policy", None, None, 600),
        ("none yet", Some(None), Some(condition::not_drilled()), 60),
        ("passed", Some(due(soon)), Some(condition::drilled(ended, 7.0)), 60),
        ("the next did not come", Some(due(past)), Some(condition::drill_late(at(past))), 60),
        ("failed", Some(failed), Some(condition::drill_failed(ended, "NotRevoked", "no node takes its pod")), 60),
    ] {
        let seen = PassInputs { drill, ..seen(Baseline::Settled) };
        let (_, report) = conclude(&policy(SyncPolicyStatus::default()), &seen, tally(), None, noon());
        let said = report.updates.into_iter().find(|one| one.type_ == ConditionType::Drilled);
        assert_eq!((said, report.again), (expected, Duration::from_secs(again)), "{what}");
    }
}
