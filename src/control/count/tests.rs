use super::*;
use serde_json::json;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

fn run(leavers: u32, written: bool) -> Run {
    Run { id: "r-1".into(), leavers, people: 500, at: at(0), written }
}

fn policy(runs: Vec<Run>) -> SyncPolicy {
    let mut policy: SyncPolicy = serde_json::from_value(json!({
        "metadata": {"name": "everyone"},
        "spec": {"connections": [{"name": "hq"}], "timeZones": {"default": "Europe/Madrid"}},
    }))
    .unwrap();
    policy.status.get_or_insert_default().runs = runs;
    policy
}

/// A cut of this person whose plan touches so many objects, if it has one.
fn cut(id: &str, objects: Option<usize>) -> Arc<Revocation> {
    let target = |n: usize| json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": format!("{id}-{n}"), "uid": "u", "why": "w"});
    let plan = objects
        .map(|objects| json!({"hash": format!("h-{id}"), "targets": (0..objects).map(target).collect::<Vec<_>>()}));
    Arc::new(
        serde_json::from_value(json!({
            "metadata": {"name": format!("{id}-cut"), "uid": format!("u-{id}"), "labels": {names::RUN: "r-1"}},
            "spec": {"person": id, "personUid": "u", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                     "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": {"phase": "Held", "plan": plan},
        }))
        .unwrap(),
    )
}

fn counted(counts: &[Count]) -> Vec<(Of, usize, Option<u32>)> {
    counts.iter().map(|count| (count.of, count.revocations.len(), count.unplanned)).collect()
}

/// Limits that are those of this policy alone.
fn limits_of(policy: &SyncPolicy) -> impl Fn(u32) -> Option<Bounds> {
    move |known| bounds_of(policy, known, std::iter::empty(), &ClusterLimits::default())
}

#[test]
fn a_run_is_counted_once_it_is_whole_and_not_before() {
    let cases = [
        ("every leaver is planned", Some(run(2, true)), 2, 0, Whole::Yes { unplanned: 0 }),
        ("more than were announced", Some(run(2, true)), 3, 0, Whole::Yes { unplanned: 0 }),
        ("leavers are still written", Some(run(2, false)), 2, 60, Whole::No),
        ("one is not planned yet", Some(run(2, true)), 1, 0, Whole::No),
        ("one cannot be planned, and holds nobody for ever", Some(run(2, true)), 1, 5, Whole::Yes { unplanned: 1 }),
        ("nobody is planned", Some(run(2, true)), 0, 60, Whole::No),
        ("the run is off the list", None, 2, 0, Whole::Unknown),
    ];
    for (what, listed, planned, minute, expected) in cases {
        assert_eq!(whole(listed.as_ref(), planned, at(minute)), expected, "{what}");
    }
}

#[test]
fn leavers_of_a_baseline_are_counted_apart_and_a_run_nobody_knows_is_a_humans() {
    let seen = [cut("a", Some(1)), cut("b", Some(2)), cut("c", Some(0)), cut("d", None)];
    let notice = |cut: &Revocation| LeaverNotice { baseline: cut.spec.person == "c", ..carried(cut) };
    let count =
        |policy: &SyncPolicy, minute| counted(&count(policy, "r-1", &seen, notice, &limits_of(policy), at(minute)));
    assert_eq!(count(&policy(vec![run(4, true)]), 0), [], "d is not planned yet");
    assert_eq!(count(&policy(vec![run(4, true)]), 5), [(Of::Leavers, 2, Some(1)), (Of::Baseline, 1, Some(0))]);
    assert_eq!(count(&policy(vec![]), 0), [(Of::Leavers, 2, None), (Of::Baseline, 1, Some(0))]);
}

fn carried(_: &Revocation) -> LeaverNotice {
    LeaverNotice { carried: true, ..LeaverNotice::default() }
}

#[test]
fn who_is_back_stands_for_nobody_of_their_run_and_counts_against_no_limit() {
    let mut back = Arc::unwrap_or_clone(cut("c", Some(1)));
    back.status.as_mut().unwrap().phase = Some(Phase::Cancelled);
    let seen = [cut("a", Some(1)), cut("b", Some(2)), Arc::new(back), cut("d", None)];
    let notice = |cut: &Revocation| LeaverNotice { carried: cut.spec.person != "c", ..LeaverNotice::default() };
    // Sync took c off the number of leavers: a, b and d are left.
    let policy = policy(vec![run(3, true)]);
    let count = |minute| counted(&count(&policy, "r-1", &seen, notice, &limits_of(&policy), at(minute)));
    assert_eq!(count(0), [], "d is not planned yet");
    assert_eq!(count(5), [(Of::Leavers, 2, Some(1))]);
}

#[test]
fn what_was_carried_out_is_not_counted_again_with_a_plan_that_changed_and_who_owned_nothing_still_counts() {
    let in_phase = |id: &str, objects: usize, phase: Phase| {
        let mut cut = Arc::unwrap_or_clone(cut(id, Some(objects)));
        cut.status.as_mut().unwrap().phase = Some(phase);
        Arc::new(cut)
    };
    let policy = policy(vec![run(2, true)]);
    for (what, other, expected) in [
        ("revoked", in_phase("b", 2, Phase::Revoked), 1),
        ("frozen", in_phase("b", 2, Phase::Frozen), 1),
        ("lifted", in_phase("b", 2, Phase::Lifted), 1),
        ("revoked, and owned nothing", in_phase("b", 0, Phase::Revoked), 2),
        ("failed, and may be tried again", in_phase("b", 2, Phase::Failed), 2),
        ("released", in_phase("b", 2, Phase::Released), 2),
    ] {
        let seen = [cut("a", Some(1)), other];
        let counts = counted(&count(&policy, "r-1", &seen, carried, &limits_of(&policy), at(0)));
        assert_eq!(counts, [(Of::Leavers, expected, Some(0))], "{what}");
    }
}

#[test]
fn a_person_carries_the_run_of_their_termination_and_that_of_their_leave() {
    let person = |status: serde_json::Value| -> Person {
        serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": {"records": []}, "status": status})).unwrap()
    };
    let employment = |state: &str, run: Option<&str>| json!({"state": state, "since": "2026-03-01T00:00:00Z", "timeZone": "Europe/Madrid", "why": "Terminated", "run": run});
    let leave = json!({"seen": "2026-03-01T00:00:00Z", "run": "r-1"});
    for (what, status, expected) in [
        ("left", json!({"employment": employment("Terminated", Some("r-1"))}), true),
        ("left again", json!({"employment": employment("Terminated", Some("r-2"))}), false),
        ("back", json!({"employment": employment("Active", None)}), false),
        ("cannot be told", json!({"employment": employment("Unknown", None)}), false),
        ("on leave", json!({"employment": employment("Leave", None), "leave": leave}), true),
        ("nothing known", json!({}), false),
    ] {
        assert_eq!(notice(&person(status), Trigger::Termination, "r-1").carried, expected, "{what}");
    }
}

#[test]
fn a_percentage_is_of_the_people_of_the_run_and_above_all_of_those_of_every_policy_that_enforces() {
    let with = |mode: &str, people: serde_json::Value| -> SyncPolicy {
        let mut policy = policy(vec![]);
        policy.spec.mode = serde_json::from_value(json!(mode)).unwrap();
        policy.status.get_or_insert_default().people = serde_json::from_value(people).unwrap();
        policy
    };
    let enforces = with("Enforce", json!({"Active": 900, "Leave": 100, "Terminated": 4000}));
    let observes = with("Observe", json!({"Active": 9000}));
    let limits = ClusterLimits::default();
    let bounds = bounds_of(&policy(vec![]), 500, [&enforces, &observes].into_iter(), &limits).unwrap();
    let most = |windows: &[domain::ledger::Window]| windows.iter().map(|window| window.most).collect::<Vec<_>>();
    assert_eq!(most(&bounds.policy.people), [10, 25], "2 % and 5 % of 500");
    assert_eq!(most(&bounds.cluster.people), [75, 150], "5 % and 10 % of 1,500");
    assert_eq!(most(&bounds.policy.objects), [200, 500], "no less than that");
}

#[test]
fn what_was_made_by_hand_counts_as_a_run_of_its_own() {
    let policy = policy(vec![]);
    let bounds = || limits_of(&policy)(500);
    let mut made = Arc::unwrap_or_clone(cut("a", Some(2)));
    made.metadata.labels = None;
    let counts = alone(&policy, &made, bounds()).unwrap();
    assert_eq!(counted(&[counts]), [(Of::Leavers, 1, Some(0))]);
    made.metadata.name = Some("n".repeat(253));
    assert!(alone(&policy, &made, bounds()).unwrap().run.len() < 20, "its batch is a label of 63 characters at most");
    made.spec.rejection = serde_json::from_value(json!({"reason": "no", "by": "grace"})).unwrap();
    assert_eq!(alone(&policy, &made, bounds()), None, "rejected");
}

#[test]
fn what_ended_well_is_over_for_the_ledger_and_what_failed_may_be_tried_again() {
    let with = |id: &str, status: serde_json::Value| {
        let mut revocation = Arc::unwrap_or_clone(cut(id, Some(1)));
        revocation.status = serde_json::from_value(status).unwrap();
        Arc::new(revocation)
    };
    let gate = |reason: &str| json!({"phase": "Held", "gate": {"reason": reason, "message": ""}});
    let cases = [
        ("held", gate("OverLimit"), true, true),
        ("protected", gate("Protected"), true, false),
        ("released", json!({"phase": "Released"}), true, true),
        ("failed", json!({"phase": "Failed"}), true, false),
        ("revoked", json!({"phase": "Revoked"}), false, false),
        ("cancelled", json!({"phase": "Cancelled"}), false, false),
    ];
    for (what, status, is_open, waits) in cases {
        let open = what_is_open(&[with("a", status)]).remove("everyone").unwrap_or_default();
        assert_eq!((open.all.len() == 1, open.waits.len() == 1), (is_open, waits), "{what}");
    }
}

#[test]
fn who_was_announced_long_enough_is_named_to_the_ledger() {
    let seen = [cut("a", Some(1)), cut("b", Some(2))];
    let notice = |cut: &Revocation| LeaverNotice { announced: cut.spec.person == "a", ..carried(cut) };
    let policy = policy(vec![run(2, true)]);
    let counts = count(&policy, "r-1", &seen, notice, &limits_of(&policy), at(0));
    let Some(Count { announced, revocations, .. }) = counts.first() else { panic!("{counts:?}") };
    assert_eq!((announced.len(), revocations.len()), (1, 2));
    assert!(announced.iter().all(|name| name.starts_with('a')), "{announced:?}");
}

#[test]
fn a_person_who_is_protected_or_unknown_holds_nobody_back() {
    for (gate, expected) in [("Protected", true), ("Unknown", true), ("OverLimit", false), ("Hold", false)] {
        let mut revocation = Arc::unwrap_or_clone(cut("a", Some(1)));
        let gate = json!({"reason": gate, "message": ""});
        revocation.status.as_mut().unwrap().gate = serde_json::from_value(gate).unwrap();
        assert_eq!(left_alone(&revocation), expected);
    }
}

#[test]
fn an_approval_is_of_the_plan_that_is_shown_and_for_a_day_or_of_none() {
    let policy = policy(vec![]);
    for (hash, hour, expected) in
        [("h-a", 0, Some("approve")), ("h-b", 0, None), ("h-a", 23, Some("approve")), ("h-a", 24, Some("expire"))]
    {
        let mut revocation = Arc::unwrap_or_clone(cut("a", Some(1)));
        revocation.spec.approval =
            serde_json::from_value(json!({"planHash": hash, "by": "admin", "at": at(0)})).unwrap();
        let act = decided(&revocation, Some(&policy), at(hour * 60)).map(|act| match act {
            Act::Approve { .. } => "approve",
            Act::Expire { .. } => "expire",
            _ => "another",
        });
        assert_eq!(act, expected, "{hash}, after {hour} hours");
    }
}

#[test]
fn who_finds_no_room_in_the_ledger_is_not_looked_at_again_at_once() {
    let policy = policy(vec![]);
    let count = |run: &str, leavers: u32| {
        let asked = |n: u32| (format!("{run}-{n}"), CountedPlan::new("uid", "h", 3, 0));
        Act::Count(Count {
            policy: policy.name_any(),
            run: run.to_owned(),
            of: Of::Leavers,
            revocations: (0..leavers).map(asked).collect(),
            announced: BTreeSet::new(),
            unplanned: Some(0),
            bounds: limits_of(&policy)(500).unwrap(),
        })
    };
    let mut ledger = Ledger::default();
    for (act, concerned) in [(count("r-1", 20), 20), (count("r-2", 30_000), 0), (count("r-1", 20), 20)] {
        act.apply(&mut ledger, at(0));
        assert_eq!(act.concerns(&ledger).len(), concerned);
    }
}
