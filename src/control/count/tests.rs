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

fn people_counted(acts: &[Act]) -> Vec<(Of, usize, u32, u32)> {
    acts.iter()
        .filter_map(|act| match act {
            Act::Count { of, revocations, unplanned, limits, .. } => {
                Some((*of, revocations.len(), *unplanned, limits.people))
            }
            _ => None,
        })
        .collect()
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
    let notice =
        |revocation: &Revocation| LeaverNotice { baseline: revocation.spec.person == "c", ..LeaverNotice::default() };
    let counted = |policy: &SyncPolicy, minute| people_counted(&count(policy, "r-1", &seen, notice, at(minute)));
    assert_eq!(counted(&policy(vec![run(4, true)]), 0), [], "d is not planned yet");
    assert_eq!(counted(&policy(vec![run(4, true)]), 5), [(Of::Leavers, 2, 1, 10), (Of::Baseline, 1, 0, 10)]);
    assert_eq!(counted(&policy(vec![]), 0), [(Of::Leavers, 2, 0, 0), (Of::Baseline, 1, 0, 0)]);
}

#[test]
fn who_was_announced_long_enough_is_named_to_the_ledger() {
    let seen = [cut("a", Some(1)), cut("b", Some(2))];
    let notice =
        |revocation: &Revocation| LeaverNotice { announced: revocation.spec.person == "a", ..LeaverNotice::default() };
    let acts = count(&policy(vec![run(2, true)]), "r-1", &seen, notice, at(0));
    let Some(Act::Count { announced, revocations, .. }) = acts.first() else { panic!("{acts:?}") };
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
fn an_approval_is_of_the_plan_that_is_shown_or_of_none() {
    for (hash, expected) in [("h-a", true), ("h-b", false)] {
        let mut revocation = Arc::unwrap_or_clone(cut("a", Some(1)));
        revocation.spec.approval = serde_json::from_value(json!({"planHash": hash, "by": "admin"})).unwrap();
        assert_eq!(approved(&revocation).is_some(), expected, "{hash}");
    }
}
