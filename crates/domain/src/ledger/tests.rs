use super::*;

const LIMITS: Limits = Limits { people: 2, objects: 200, window: SignedDuration::from_hours(24) };

/// The plan `hash` of a Revocation, which touches so many objects.
fn plan(hash: &str, objects: u32) -> Asked {
    Asked { uid: "uid".to_owned(), plan: hash.to_owned(), objects }
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
    let objects = [1, 3, 5, 30].map(|objects| ledger.allowance("p", name, &plan("h", objects)));
    objects.into_iter().find(|found| *found != Allowance::Uncounted).unwrap_or(Allowance::Uncounted)
}

fn released(ledger: &Ledger, name: &str) -> bool {
    matches!(allowance(ledger, name), Allowance::Released { .. })
}

fn lets(ledger: &Ledger, name: &str, asked: &Asked) -> bool {
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
        let fifteen: BTreeMap<String, Asked> = (0..15).map(|n| (format!("{day}-{n}"), plan("h", 1))).collect();
        ledger.count("p", &format!("r-{day}"), Of::Leavers, &fifteen, limits, at(day * 24));
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
    let many: BTreeMap<String, Asked> = (0..100).map(|n| (format!("laid-off-{n}"), plan("h", 1))).collect();
    ledger.count("p", "r-1", Of::Leavers, &many, LIMITS, at(0));
    many.iter().for_each(|(name, asked)| ledger.approve("p", name, asked, at(1)));
    for (hour, name, expected) in [(2, "next", false), (26, "later", true)] {
        ledger.count("p", name, Of::Leavers, &names(&[name]), LIMITS, at(hour));
        assert_eq!(released(&ledger, name), expected, "{name}");
        ledger.withdraw("p", name);
    }
}

#[test]
fn announced_leavers_are_released_and_count_against_no_limit() {
    let twenty: BTreeMap<String, Asked> = (0..20).map(|n| (format!("december-{n:02}"), plan("h", 3))).collect();
    let announced: BTreeSet<String> = twenty.keys().cloned().collect();
    let run = |of, revocations| Run { id: "r-1", of, revocations, announced: &announced, unplanned: 0 };

    let mut ledger = Ledger::default();
    let with_one_more: BTreeMap<String, Asked> = twenty.clone().into_iter().chain(names(&["sudden"])).collect();
    ledger.count_run("p", &run(Of::Leavers, &with_one_more), LIMITS, at(0));
    assert!(
        with_one_more.keys().all(|name| released(&ledger, name)),
        "neither they nor the one who left suddenly wait"
    );
    ledger.count("p", "r-2", Of::Leavers, &names(&["next"]), LIMITS, at(1));
    assert!(released(&ledger, "next"), "they count against nobody");

    let mut baseline = Ledger::default();
    baseline.count_run("p", &run(Of::Baseline, &twenty), LIMITS, at(0));
    assert_eq!(
        allowance(&baseline, "december-00"),
        Allowance::Held { batch: "b-1".into(), baseline: true },
        "a baseline's need approval all the same"
    );

    let mut over = Ledger::default();
    let with_three_more: BTreeMap<String, Asked> = twenty.clone().into_iter().chain(names(&["x", "y", "z"])).collect();
    over.count_run("p", &run(Of::Leavers, &with_three_more), LIMITS, at(0));
    assert!(twenty.keys().all(|name| released(&over, name)), "those who were not announced hold themselves alone");
    assert!(["x", "y", "z"].iter().all(|name| !released(&over, name)));
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
fn too_many_objects_hold_as_well() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &one("a", plan("h", 201)), LIMITS, at(0));
    assert!(matches!(ledger.allowance("p", "a", &plan("h", 201)), Allowance::Held { .. }));
}

#[test]
fn who_waits_and_will_never_be_released_keeps_no_share() {
    let over = || {
        let mut ledger = Ledger::default();
        ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(0));
        ledger
    };
    let next = |mut ledger: Ledger, hour| {
        ledger.count("p", "r-2", Of::Leavers, &names(&["d"]), LIMITS, at(hour));
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
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(0));
    ["a", "b", "c"].iter().for_each(|name| ledger.withdraw("p", name));
    assert_eq!(allowance(&ledger, "a"), Allowance::Uncounted);
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(1));
    assert_eq!(allowance(&ledger, "a"), Allowance::Held { batch: "b-1".into(), baseline: false });
}

#[test]
fn counting_again_changes_nothing() {
    for of in [Of::Leavers, Of::Baseline, Of::Removals] {
        let mut once = Ledger::default();
        once.count("p", "r-1", of, &names(&["a", "b"]), LIMITS, at(0));
        let mut twice = once.clone();
        twice.count("p", "r-1", of, &names(&["a", "b"]), LIMITS, at(1));
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
        of: Of::Leavers,
        revocations: &planned,
        announced: const { &BTreeSet::new() },
        unplanned,
    };
    let mut ledger = Ledger::default();
    ledger.count_run("p", &run(1), LIMITS, at(0));
    assert!(!released(&ledger, "a"), "three leave, and two may");
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(1));
    assert_eq!(
        ["a", "c"].map(|name| allowance(&ledger, name)),
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
        let leavers: BTreeMap<String, Asked> =
            (0..5_000).map(|n| (format!("p-{n:026}-{n:08x}-cut"), plan(&format!("{n:064x}"), 5))).collect();
        ledger.count(&policy, "r-aaaaaaaaaaaaa", Of::Leavers, &leavers, LIMITS, at(0));
        for (number, (name, asked)) in leavers.iter().enumerate() {
            let later = SignedDuration::from_millis(i64::try_from(number).unwrap() * 5);
            ledger.approve(&policy, name, asked, at(1) + later);
        }
    }
    let text = serde_json::to_string(&ledger).unwrap();
    assert!(text.len() < 1_000_000, "{} bytes; a ConfigMap takes 1,048,576", text.len());
    let read: Ledger = serde_json::from_str(&text).unwrap();
    assert_eq!(read, ledger);
    let allowance =
        read.allowance("policy-7", &format!("p-{:026}-{:08x}-cut", 4_999, 4_999), &plan(&format!("{:064x}", 4_999), 5));
    assert_eq!(allowance, Allowance::Released { batch: Some("b-aaaaaaaaaaaaa".into()) });
    assert_eq!(read.allowance("policy-7", "p-somebody-else-cut", &plan("h", 5)), Allowance::Uncounted);
}

#[test]
fn what_is_settled_goes_after_a_while_and_what_waits_does_not() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &names(&["a"]), LIMITS, at(0));
    ledger.count("p", "r-2", Of::Leavers, &names(&["b", "c"]), LIMITS, at(0));
    ledger.count("p", "r-3", Of::Leavers, &names(&["d"]), LIMITS, at(24 * 38));
    assert_eq!(allowance(&ledger, "a"), Allowance::Uncounted);
    assert_eq!(allowance(&ledger, "b"), Allowance::Held { batch: "b-2".into(), baseline: false });
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

#[test]
fn a_plan_that_changed_since_it_was_counted_is_counted_again_before_it_is_released() {
    let cases = [
        ("the same plan", plan("h", 1), true, true),
        ("another object in its place", plan("g", 1), false, true),
        ("more objects than the limit", plan("g", 231), false, false),
        ("deleted and planned again", Asked { uid: "another".into(), ..plan("h", 1) }, false, true),
    ];
    for (what, asked, before_counting, after_counting) in cases {
        let mut ledger = Ledger::default();
        ledger.count("p", "r-1", Of::Leavers, &one("a", plan("h", 1)), LIMITS, at(0));
        assert_eq!(lets(&ledger, "a", &asked), before_counting, "{what}, before it is counted again");
        ledger.count("p", "r-1", Of::Leavers, &one("a", asked.clone()), LIMITS, at(1));
        assert_eq!(lets(&ledger, "a", &asked), after_counting, "{what}, once it is counted again");
    }
}

#[test]
fn what_waits_and_is_planned_otherwise_waits_once_and_what_was_released_stays_counted() {
    let held = Limits { objects: 2, ..LIMITS };
    for (what, limits, expected) in [("it waited", held, true), ("it was released", LIMITS, false)] {
        let mut ledger = Ledger::default();
        ledger.count("p", "r-1", Of::Leavers, &one("a", plan("h", 3)), limits, at(0));
        ledger.count("p", "r-1", Of::Leavers, &one("a", plan("g", 3)), limits, at(1));
        ledger.count("p", "r-2", Of::Leavers, &one("b", plan("h", 1)), limits, at(2));
        assert_eq!(lets(&ledger, "b", &plan("h", 1)), expected, "{what}");
    }
}

#[test]
fn an_approval_releases_the_plan_it_was_given_for_and_no_other() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(0));
    ledger.approve("p", "a", &plan("g", 3), at(1));
    assert!(!lets(&ledger, "a", &plan("h", 3)));
    ledger.approve("p", "a", &plan("h", 3), at(1));
    assert!(lets(&ledger, "a", &plan("h", 3)));
}

#[test]
fn removals_count_their_objects_and_not_their_people_again() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b"]), LIMITS, at(0));
    let nobody = Limits { people: 0, ..LIMITS };
    ledger.count("p", "r-1", Of::Removals, &one("a-remove", plan("h", 100)), nobody, at(1));
    ledger.count("p", "r-1", Of::Removals, &one("b-remove", plan("h", 100)), nobody, at(2));
    assert!(lets(&ledger, "a-remove", &plan("h", 100)), "the limit of people was used up by the cuts");
    assert!(!lets(&ledger, "b-remove", &plan("h", 100)), "6 and 200 objects are over the limit");
}

#[test]
fn one_plan_over_the_limit_of_objects_waits_alone_and_takes_no_objects_from_anybody() {
    let mut ledger = Ledger::default();
    let run = BTreeMap::from([("decoys".to_owned(), plan("h", 201)), ("other".to_owned(), plan("h", 3))]);
    ledger.count("p", "r-1", Of::Leavers, &run, LIMITS, at(0));
    assert!(!lets(&ledger, "decoys", &plan("h", 201)));
    assert!(lets(&ledger, "other", &plan("h", 3)), "of the same run");
    let more = Limits { people: 3, ..LIMITS };
    ledger.count("p", "r-2", Of::Leavers, &one("later", plan("h", 197)), more, at(1));
    assert!(lets(&ledger, "later", &plan("h", 197)), "of a later run");
}

#[test]
fn a_plan_that_touches_nothing_is_not_held_but_its_person_counts_unless_they_left_before_the_baseline() {
    let mut ledger = Ledger::default();
    let gone: BTreeMap<_, _> = (0..1000).map(|n| (format!("x{n}"), plan("e", 0))).collect();
    ledger.count("p", "r-0", Of::Baseline, &gone, LIMITS, at(0));
    let mut run = names(&["a", "b"]);
    ledger.count("p", "r-1", Of::Leavers, &run, LIMITS, at(1));
    assert!(released(&ledger, "a"), "a thousand who left before take nothing from the limit");

    let mut ledger = Ledger::default();
    run.insert("nothing".to_owned(), plan("e", 0));
    ledger.count("p", "r-1", Of::Leavers, &run, LIMITS, at(0));
    assert!(lets(&ledger, "nothing", &plan("e", 0)));
    assert!(!released(&ledger, "a"), "three people left at once");
}

#[test]
fn a_change_of_the_ledger_names_those_it_is_about_or_concerns_everybody() {
    let mut held = Ledger::default();
    held.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(0));
    let all = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
    assert_eq!(held.differs(&Ledger::default()), all(&["a", "b", "c"]), "held");
    let mut approved = held.clone();
    approved.approve("p", "b", &plan("h", 3), at(1));
    assert_eq!(approved.differs(&held), all(&["b"]), "approved");
    assert_eq!(approved.differs(&approved), all(&[]), "nothing changed");
    let mut released = Ledger::default();
    released.count("p", "r-2", Of::Leavers, &names(&["d"]), LIMITS, at(2));
    assert_eq!(released.differs(&Ledger::default()), None, "released without waiting: by digest alone");
}
