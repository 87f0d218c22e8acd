use super::*;

const LIMITS: Limits = Limits { people: 2, objects: 200, window: SignedDuration::from_hours(24) };

fn names(names: &[&str]) -> BTreeMap<String, u32> {
    names.iter().map(|name| ((*name).to_owned(), 3)).collect()
}

fn at(hour: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
}

fn released(ledger: &Ledger, name: &str) -> bool {
    matches!(ledger.allowance("p", name), Allowance::Released { .. })
}

#[test]
fn six_of_ten_are_held_as_one_batch_and_the_seventh_is_the_next() {
    let mut ledger = Ledger::default();
    let six = names(&["a", "b", "c", "d", "e", "f"]);
    ledger.count("everyone", "r-1", false, &six, LIMITS, at(0));
    ledger.count("everyone", "r-2", false, &names(&["g"]), LIMITS, at(1));
    for name in six.keys() {
        assert_eq!(
            ledger.allowance("everyone", name),
            Allowance::Held { batch: "b-1".into(), baseline: false },
            "{name}"
        );
        ledger.approve("everyone", name, at(2));
        assert_eq!(ledger.allowance("everyone", name), Allowance::Released { batch: Some("b-1".into()) }, "{name}");
    }
    assert_eq!(ledger.allowance("everyone", "g"), Allowance::Held { batch: "b-2".into(), baseline: false });
}

#[test]
fn one_at_a_time_is_held_from_the_third_until_the_window_has_passed() {
    let mut ledger = Ledger::default();
    for (hour, name, expected) in [(0, "a", true), (1, "b", true), (2, "c", false), (30, "d", true)] {
        ledger.count("p", &format!("r-{name}"), false, &names(&[name]), LIMITS, at(hour));
        assert_eq!(released(&ledger, name), expected, "{name}");
        ledger.withdraw("p", name);
    }
}

#[test]
fn a_few_wrong_leavers_every_day_are_held_within_a_week() {
    let limits = Limits { people: 20, ..LIMITS };
    let mut ledger = Ledger::default();
    let mut passed = 0;
    for day in 0..30 {
        let fifteen: BTreeMap<String, u32> = (0..15).map(|n| (format!("{day}-{n}"), 1)).collect();
        ledger.count("p", &format!("r-{day}"), false, &fifteen, limits, at(day * 24));
        passed += fifteen.keys().filter(|name| released(&ledger, name)).count();
        ledger.keep("p", &BTreeSet::new()); // even if somebody takes what is held away every day
        if day < 4 {
            assert_eq!(passed, 15 * usize::try_from(day + 1).unwrap(), "four times fifteen is three times twenty");
        }
        if day == 6 {
            assert_eq!(passed, 60, "no more within a week");
        }
    }
    assert!(passed < 15 * 30 * 2 / 3, "{passed}");
}

#[test]
fn what_a_human_approved_holds_nobody_back_once_its_own_window_is_over() {
    let mut ledger = Ledger::default();
    let many: BTreeMap<String, u32> = (0..100).map(|n| (format!("laid-off-{n}"), 1)).collect();
    ledger.count("p", "r-1", false, &many, LIMITS, at(0));
    many.keys().for_each(|name| ledger.approve("p", name, at(1)));
    for (hour, name, expected) in [(2, "next", false), (26, "later", true)] {
        ledger.count("p", name, false, &names(&[name]), LIMITS, at(hour));
        assert_eq!(released(&ledger, name), expected, "{name}");
        ledger.withdraw("p", name);
    }
}

#[test]
fn announced_leavers_are_released_and_count_against_no_limit() {
    let twenty: BTreeMap<String, u32> = (0..20).map(|n| (format!("december-{n:02}"), 30)).collect();
    let announced: BTreeSet<String> = twenty.keys().cloned().collect();
    let run = |baseline, revocations| Run { id: "r-1", baseline, revocations, announced: &announced, unplanned: 0 };

    let mut ledger = Ledger::default();
    let with_one_more: BTreeMap<String, u32> = twenty.clone().into_iter().chain(names(&["sudden"])).collect();
    ledger.count_run("p", &run(false, &with_one_more), LIMITS, at(0));
    assert!(
        with_one_more.keys().all(|name| released(&ledger, name)),
        "neither they nor the one who left suddenly wait"
    );
    ledger.count("p", "r-2", false, &names(&["next"]), LIMITS, at(1));
    assert!(released(&ledger, "next"), "they count against nobody");

    let mut baseline = Ledger::default();
    baseline.count_run("p", &run(true, &twenty), LIMITS, at(0));
    assert_eq!(
        baseline.allowance("p", "december-00"),
        Allowance::Held { batch: "b-1".into(), baseline: true },
        "a baseline's need approval all the same"
    );

    let mut over = Ledger::default();
    let with_three_more: BTreeMap<String, u32> = twenty.clone().into_iter().chain(names(&["x", "y", "z"])).collect();
    over.count_run("p", &run(false, &with_three_more), LIMITS, at(0));
    assert!(twenty.keys().all(|name| released(&over, name)), "those who were not announced hold themselves alone");
    assert!(["x", "y", "z"].iter().all(|name| !released(&over, name)));
}

#[test]
fn the_waiting_of_a_baseline_hold_back_nobody_else() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-0", true, &names(&["x", "y", "z"]), LIMITS, at(0));
    ledger.count("p", "r-1", false, &names(&["a"]), LIMITS, at(1));
    assert_eq!(ledger.allowance("p", "a"), Allowance::Released { batch: None });
    assert_eq!(ledger.allowance("p", "x"), Allowance::Held { batch: "b-0".into(), baseline: true });
}

#[test]
fn too_many_objects_hold_as_well() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", false, &BTreeMap::from([("a".into(), 201)]), LIMITS, at(0));
    assert!(matches!(ledger.allowance("p", "a"), Allowance::Held { .. }));
}

#[test]
fn who_waits_and_will_never_be_released_keeps_no_share() {
    let over = || {
        let mut ledger = Ledger::default();
        ledger.count("p", "r-1", false, &names(&["a", "b", "c"]), LIMITS, at(0));
        ledger
    };
    let next = |mut ledger: Ledger, hour| {
        ledger.count("p", "r-2", false, &names(&["d"]), LIMITS, at(hour));
        released(&ledger, "d")
    };
    assert!(!next(over(), 30), "while they wait, they count beyond their window");
    let mut gone = over();
    gone.keep("p", &BTreeSet::new());
    assert!(next(gone, 1), "their Revocations are gone");
    let mut protected = over();
    ["a", "b", "c"].iter().for_each(|name| protected.withdraw("p", name));
    assert!(next(protected, 1), "they are protected, or unknown");
    assert!(next(over(), 24 * 7), "nobody looked at them for a week");
}

#[test]
fn who_was_taken_out_of_the_count_is_counted_again_when_that_changes() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", false, &names(&["a", "b", "c"]), LIMITS, at(0));
    ["a", "b", "c"].iter().for_each(|name| ledger.withdraw("p", name));
    assert_eq!(ledger.allowance("p", "a"), Allowance::Uncounted);
    ledger.count("p", "r-1", false, &names(&["a", "b", "c"]), LIMITS, at(1));
    assert_eq!(ledger.allowance("p", "a"), Allowance::Held { batch: "b-1".into(), baseline: false });
}

#[test]
fn counting_again_changes_nothing() {
    for baseline in [false, true] {
        let mut once = Ledger::default();
        once.count("p", "r-1", baseline, &names(&["a", "b"]), LIMITS, at(0));
        let mut twice = once.clone();
        twice.count("p", "r-1", baseline, &names(&["a", "b"]), LIMITS, at(1));
        assert_eq!(once, twice);
    }
}

#[test]
fn a_run_waits_for_a_plan_that_cannot_be_drawn_and_not_for_ever() {
    let minutes = |minutes| at(0) + SignedDuration::from_mins(minutes);
    for (what, planned, after, expected) in [
        ("all planned", 3, 0, true),
        ("one is missing", 2, 0, false),
        ("one is missing, and was waited for", 2, 5, true),
        ("none is planned", 0, 60, false),
    ] {
        assert_eq!(countable(planned, 3, at(0), minutes(after)), expected, "{what}");
    }
}

#[test]
fn who_has_no_plan_yet_counts_as_one_of_the_run_and_is_the_next_batch_once_planned() {
    let planned = names(&["a", "b"]);
    let run = |unplanned| Run {
        id: "r-1",
        baseline: false,
        revocations: &planned,
        announced: const { &BTreeSet::new() },
        unplanned,
    };
    let mut ledger = Ledger::default();
    ledger.count_run("p", &run(1), LIMITS, at(0));
    assert!(!released(&ledger, "a"), "three leave, and two may");
    ledger.count("p", "r-1", false, &names(&["a", "b", "c"]), LIMITS, at(1));
    assert_eq!(
        ["a", "c"].map(|name| ledger.allowance("p", name)),
        ["b-1", "b-1-2"].map(|batch| Allowance::Held { batch: batch.into(), baseline: false }),
        "the batch that somebody was shown is frozen"
    );
    let mut within = Ledger::default();
    within.count_run("p", &run(0), LIMITS, at(0));
    assert!(released(&within, "a"));
}

#[test]
fn fifty_thousand_approved_leavers_of_many_policies_fit_into_one_object() {
    let mut ledger = Ledger::default();
    for policy in 0..10 {
        let policy = format!("policy-{policy}");
        let leavers: BTreeMap<String, u32> = (0..5_000).map(|n| (format!("p-{n:026}-{n:08x}-cut"), 5)).collect();
        ledger.count(&policy, "r-aaaaaaaaaaaaa", false, &leavers, LIMITS, at(0));
        for (number, name) in leavers.keys().enumerate() {
            let later = SignedDuration::from_millis(i64::try_from(number).unwrap() * 5);
            ledger.approve(&policy, name, at(1) + later);
        }
    }
    let text = serde_json::to_string(&ledger).unwrap();
    assert!(text.len() < 1_000_000, "{} bytes; a ConfigMap takes 1,048,576", text.len());
    let read: Ledger = serde_json::from_str(&text).unwrap();
    assert_eq!(read, ledger);
    let allowance = read.allowance("policy-7", &format!("p-{:026}-{:08x}-cut", 4_999, 4_999));
    assert_eq!(allowance, Allowance::Released { batch: Some("b-aaaaaaaaaaaaa".into()) });
    assert_eq!(read.allowance("policy-7", "p-somebody-else-cut"), Allowance::Uncounted);
}

#[test]
fn what_is_settled_goes_after_a_while_and_what_waits_does_not() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", false, &names(&["a"]), LIMITS, at(0));
    ledger.count("p", "r-2", false, &names(&["b", "c"]), LIMITS, at(0));
    ledger.count("p", "r-3", false, &names(&["d"]), LIMITS, at(24 * 38));
    assert_eq!(ledger.allowance("p", "a"), Allowance::Uncounted);
    assert_eq!(ledger.allowance("p", "b"), Allowance::Held { batch: "b-2".into(), baseline: false });
}

#[test]
fn a_ledger_that_was_tampered_with_is_unreadable() {
    let with = |digests: &str| {
        let release = serde_json::json!({"objects": 1, "digests": digests});
        let entry = serde_json::json!({"run": "r-1", "at": at(0), "released": {at(0).to_string(): release}});
        serde_json::from_value::<Ledger>(serde_json::json!({"policies": {"p": [entry]}})).is_ok()
    };
    assert_eq!(["AAAAAAAAAAAA", "AAAAAAAA", "?"].map(with), [true, false, false]);
}

#[test]
fn the_share_of_the_people_has_a_floor_and_a_ceiling() {
    for (known, expected) in [(0, 2), (10, 2), (500, 10), (5000, 20)] {
        assert_eq!(allowed_people(2, 2, 20, known), expected, "{known}");
    }
}
