use super::*;

const LIMITS: Limits = Limits { people: 2, objects: 200, window: SignedDuration::from_hours(24) };

/// The plan `hash` of a Revocation, which touches so many objects.
fn plan(hash: &str, objects: u32) -> Asked {
    Asked::new("uid", hash, objects)
}

fn names(names: &[&str]) -> BTreeMap<String, Asked> {
    names.iter().map(|name| ((*name).to_owned(), plan("h", 3))).collect()
}

fn one(name: &str, asked: Asked) -> BTreeMap<String, Asked> {
    BTreeMap::from([(name.to_owned(), asked)])
}

fn at(hour: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
}

fn allowance(ledger: &Ledger, name: &str) -> Allowance {
    ledger.allowance("p", name, &plan("h", 3))
}

fn released(ledger: &Ledger, name: &str, asked: &Asked) -> bool {
    matches!(ledger.allowance("p", name, asked), Allowance::Released { .. })
}

#[test]
fn six_of_ten_are_held_as_one_batch_and_the_seventh_is_the_next() {
    let mut ledger = Ledger::default();
    let six = names(&["a", "b", "c", "d", "e", "f"]);
    ledger.count("p", "r-1", Of::Leavers, &six, LIMITS, at(0));
    ledger.count("p", "r-2", Of::Leavers, &names(&["g"]), LIMITS, at(1));
    for (name, asked) in &six {
        assert_eq!(allowance(&ledger, name), Allowance::Held { batch: "b-1".into(), baseline: false }, "{name}");
        ledger.approve("p", name, asked, at(2));
        assert_eq!(allowance(&ledger, name), Allowance::Released { batch: Some("b-1".into()) }, "{name}");
    }
    assert_eq!(allowance(&ledger, "g"), Allowance::Held { batch: "b-2".into(), baseline: false });
}

#[test]
fn one_at_a_time_is_held_from_the_third_until_the_window_has_passed() {
    let mut ledger = Ledger::default();
    for (hour, name, expected) in [(0, "a", true), (1, "b", true), (2, "c", false), (30, "d", true)] {
        ledger.count("p", &format!("r-{name}"), Of::Leavers, &names(&[name]), LIMITS, at(hour));
        assert_eq!(matches!(allowance(&ledger, name), Allowance::Released { .. }), expected, "{name}");
        ledger.withdraw("p", name);
    }
}

#[test]
fn the_waiting_of_a_baseline_hold_back_nobody_else() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-0", Of::Baseline, &names(&["x", "y", "z"]), LIMITS, at(0));
    ledger.count("p", "r-1", Of::Leavers, &names(&["a"]), LIMITS, at(1));
    assert_eq!(allowance(&ledger, "a"), Allowance::Released { batch: None });
    assert_eq!(allowance(&ledger, "x"), Allowance::Held { batch: "b-0".into(), baseline: true });
}

#[test]
fn a_plan_that_changed_since_it_was_counted_is_counted_again_before_it_is_released() {
    let cases = [
        ("the same plan", plan("h", 1), true, true),
        ("another object in its place", plan("g", 1), false, true),
        ("more objects than the limit", plan("g", 231), false, false),
        ("deleted and planned again", Asked::new("another", "h", 1), false, true),
    ];
    for (what, now_asked, before_counting, after_counting) in cases {
        let mut ledger = Ledger::default();
        ledger.count("p", "r-1", Of::Leavers, &one("a", plan("h", 1)), LIMITS, at(0));
        assert_eq!(released(&ledger, "a", &now_asked), before_counting, "{what}, before it is counted again");
        ledger.count("p", "r-1", Of::Leavers, &one("a", now_asked.clone()), LIMITS, at(1));
        assert_eq!(released(&ledger, "a", &now_asked), after_counting, "{what}, once it is counted again");
    }
}

#[test]
fn who_is_counted_again_is_counted_once_and_who_was_carried_out_and_is_planned_again_twice() {
    for (what, uid, left) in
        [("the same Revocation grew", "uid", true), ("it was deleted and made again", "new", false)]
    {
        let mut ledger = Ledger::default();
        ledger.count("p", "r-1", Of::Leavers, &one("a", plan("h", 1)), LIMITS, at(0));
        ledger.count("p", "r-1", Of::Leavers, &one("a", Asked::new(uid, "g", 2)), LIMITS, at(1));
        ledger.count("p", "r-2", Of::Leavers, &one("b", plan("h", 3)), LIMITS, at(2));
        assert_eq!(released(&ledger, "b", &plan("h", 3)), left, "{what}");
    }
}

#[test]
fn an_approval_releases_the_plan_it_was_given_for_and_no_other() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(0));
    ledger.approve("p", "a", &plan("g", 3), at(1));
    assert!(!released(&ledger, "a", &plan("h", 3)));
    ledger.approve("p", "a", &plan("h", 3), at(1));
    assert!(released(&ledger, "a", &plan("h", 3)));
}

#[test]
fn removals_count_their_objects_and_not_their_people_again() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b"]), LIMITS, at(0));
    let nobody = Limits { people: 0, ..LIMITS };
    ledger.count("p", "r-1", Of::Removals, &one("a-remove", plan("h", 100)), nobody, at(1));
    ledger.count("p", "r-1", Of::Removals, &one("b-remove", plan("h", 100)), nobody, at(2));
    assert!(released(&ledger, "a-remove", &plan("h", 100)), "the limit of people was used up by the cuts");
    let held = Allowance::Held { batch: "b-1-remove".into(), baseline: false };
    assert_eq!(ledger.allowance("p", "b-remove", &plan("h", 100)), held, "6 and 200 objects are over the limit");
}

#[test]
fn one_plan_over_the_limit_of_objects_waits_alone_and_takes_nothing_from_anybody() {
    let mut ledger = Ledger::default();
    let run = BTreeMap::from([("decoys".to_owned(), plan("h", 201)), ("other".to_owned(), plan("h", 3))]);
    ledger.count("p", "r-1", Of::Leavers, &run, LIMITS, at(0));
    let alone = Allowance::Held { batch: "b-1-alone".into(), baseline: false };
    assert_eq!(ledger.allowance("p", "decoys", &plan("h", 201)), alone);
    assert!(released(&ledger, "other", &plan("h", 3)), "of the same run");
    let more = Limits { people: 3, ..LIMITS };
    ledger.count("p", "r-2", Of::Leavers, &one("later", plan("h", 197)), more, at(1));
    assert!(released(&ledger, "later", &plan("h", 197)), "of a later run");
}

#[test]
fn a_plan_that_touches_nothing_is_not_held_but_its_person_counts() {
    let mut ledger = Ledger::default();
    let mut run = names(&["a", "b"]);
    run.insert("nothing".to_owned(), plan("e", 0));
    ledger.count("p", "r-1", Of::Leavers, &run, LIMITS, at(0));
    assert!(released(&ledger, "nothing", &plan("e", 0)));
    assert!(!released(&ledger, "a", &plan("h", 3)), "three people left at once");
}

#[test]
fn who_left_before_the_baseline_and_owns_nothing_takes_nothing_from_the_limit() {
    let mut ledger = Ledger::default();
    let gone: BTreeMap<_, _> = (0..1000).map(|n| (format!("x{n}"), plan("e", 0))).collect();
    ledger.count("p", "r-0", Of::Baseline, &gone, LIMITS, at(0));
    ledger.count("p", "r-1", Of::Leavers, &names(&["a"]), LIMITS, at(1));
    assert_eq!(allowance(&ledger, "a"), Allowance::Released { batch: None });
}

#[test]
fn a_ledger_of_a_version_that_kept_no_plans_releases_nothing_and_counts_what_it_released() {
    let old = r#"{"policies": {"p": [{"run": "r-1", "at": "1970-01-01T00:00:00Z", "baseline": false, "revocations":
        {"a": {"objects": 3, "released": "1970-01-01T00:00:00Z"}, "b": {"objects": 3, "released": "1970-01-01T00:00:00Z"}}}]}}"#;
    let mut ledger: Ledger = serde_json::from_str(old).unwrap();
    assert_eq!(allowance(&ledger, "a"), Allowance::Uncounted);
    ledger.count("p", "r-2", Of::Leavers, &names(&["c"]), LIMITS, at(1));
    assert!(matches!(allowance(&ledger, "c"), Allowance::Held { .. }), "two were released within the window");
}

#[test]
fn who_waits_and_is_gone_counts_no_more() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(0));
    ledger.keep("p", &BTreeSet::new());
    ledger.count("p", "r-2", Of::Leavers, &names(&["d"]), LIMITS, at(1));
    assert_eq!(allowance(&ledger, "d"), Allowance::Released { batch: None });
}

#[test]
fn counting_again_changes_nothing() {
    let mut once = Ledger::default();
    once.count("p", "r-1", Of::Leavers, &names(&["a", "b"]), LIMITS, at(0));
    let mut twice = once.clone();
    twice.count("p", "r-1", Of::Leavers, &names(&["a", "b"]), LIMITS, at(1));
    assert_eq!(once, twice);
}

#[test]
fn the_share_of_the_people_has_a_floor_and_a_ceiling() {
    for (known, expected) in [(0, 2), (10, 2), (500, 10), (5000, 20)] {
        assert_eq!(allowed_people(2, 2, 20, known), expected, "{known}");
    }
}
