//! The windows: of a policy, and of all of them together.

use super::*;

#[test]
fn the_share_of_the_people_has_a_floor_and_where_somebody_sets_one_a_ceiling() {
    for (known, expected) in [(0, 2), (10, 2), (500, 10), (5000, 100), (100_000, 2000)] {
        assert_eq!(allowed(2, 2, None, known), expected, "{known}");
        assert_eq!(allowed(2, 2, Some(20), known), expected.min(20), "{known}, at most 20");
    }
}

#[test]
fn a_few_wrong_leavers_every_day_are_held_within_a_week() {
    let limits = Most { people: 20, ..LIMITS };
    let mut ledger = Ledger::default();
    let mut passed = 0;
    for day in 0..30 {
        let fifteen = many((0..15).map(|n| format!("{day}-{n}")), 1);
        ledger.count("p", &format!("r-{day}"), Of::Leavers, &fifteen, limits, at(day * 24));
        passed += fifteen.iter().filter(|(name, asked)| released(&ledger, name, asked)).count();
        ledger.retain(&BTreeMap::new(), at(day * 24)); // even if somebody takes what is held away every day
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
    let laid_off = many((0..100).map(|n| format!("laid-off-{n}")), 1);
    ledger.count("p", "r-1", Of::Leavers, &laid_off, LIMITS, at(0));
    laid_off.iter().for_each(|(name, asked)| ledger.approve("p", name, asked, at(1)));
    for (hour, name, expected) in [(2, "next", false), (26, "later", true)] {
        ledger.count("p", name, Of::Leavers, &names(&[name]), LIMITS, at(hour));
        assert_eq!(released(&ledger, name, &plan("h", 3)), expected, "{name}");
        ledger.withdraw("p", name, "uid");
    }
}

#[test]
fn the_limit_above_all_policies_holds_what_each_of_them_would_let_through() {
    let cluster = Limits { people: a_day_and_a_week(3), ..Limits::default() };
    let bounds = Bounds { cluster, ..LIMITS.bounds() };
    let count = |ledger: &mut Ledger, policy: &str, leavers: &[&str], hour| {
        let run = Run {
            id: &format!("r-{hour}"),
            of: Of::Leavers,
            revocations: &names(leavers),
            announced: &BTreeSet::new(),
            unplanned: Some(0),
        };
        ledger.count_run(policy, &run, &bounds, at(hour));
        ledger.allowance(policy, leavers.first().unwrap(), &plan("h", 3))
    };
    let mut ledger = Ledger::default();
    assert_eq!(count(&mut ledger, "p", &["a", "b"], 0), Allowance::Released { batch: None });
    let Allowance::Held { over: Some(over), .. } = count(&mut ledger, "q", &["c", "d"], 1) else { panic!("four") };
    assert_eq!((over.scope, over.what, over.would, over.most, over.hours), (Scope::Cluster, What::People, 4, 3, 24));
    assert_eq!(over.to_string(), "4 leavers within a day, and the limit for all policies together is 3");
    assert_eq!(
        count(&mut ledger, "q", &["e"], 2).clone(),
        allowance_of(&ledger, "q", "e"),
        "held behind its own batch"
    );
    assert!(matches!(allowance_of(&ledger, "q", "e"), Allowance::Held { .. }));
    assert_eq!(count(&mut ledger, "third", &["f"], 3), Allowance::Released { batch: None }, "and nobody else is");
    for name in ["c", "d"] {
        ledger.approve("q", name, &plan("h", 3), at(3));
    }
    assert!(matches!(count(&mut ledger, "fourth", &["g"], 4), Allowance::Held { .. }), "three were let through");
    assert_eq!(count(&mut ledger, "fourth", &["h"], 30).clone(), allowance_of(&ledger, "fourth", "h"));
}

#[test]
fn workload_accounts_have_a_limit_of_their_own() {
    let asks = |workloads| CountedPlan::new("uid", "h", 20, workloads);
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &one("a", asks(5)), LIMITS, at(0));
    assert!(released(&ledger, "a", &asks(5)));
    ledger.count("p", "r-2", Of::Leavers, &one("b", asks(1)), LIMITS, at(1));
    let Allowance::Held { over: Some(over), .. } = ledger.allowance("p", "b", &asks(1)) else { panic!("six") };
    assert_eq!(over.to_string(), "6 workload accounts within a day, and the policy's limit is 5");
    ledger.count("p", "r-3", Of::Leavers, &one("c", asks(6)), LIMITS, at(1));
    assert_eq!(of(&ledger, "c", &asks(6)), held("b-3-alone".into(), false), "over the limit all by itself");
}

#[test]
fn the_month_end_of_a_large_company_passes_by_its_percentage_and_a_drip_is_held_by_the_week() {
    let of_5000 = |percent, at_least| allowed(percent, at_least, None, 5000);
    let windows = |day, week| vec![Window { within: DAY, most: day }, Window { within: WEEK, most: week }];
    let policy = Limits {
        people: windows(of_5000(2, 2), of_5000(5, 5)),
        objects: windows(of_5000(10, 200), of_5000(25, 500)),
        workloads: windows(of_5000(1, 5), of_5000(2, 10)),
    };
    let bounds = Bounds { policy, cluster: Limits::default() };
    let count = |ledger: &mut Ledger, id: &str, revocations: &BTreeMap<String, CountedPlan>, hour| {
        let run = Run { id, of: Of::Leavers, revocations, announced: &BTreeSet::new(), unplanned: Some(0) };
        ledger.count_run("p", &run, &bounds, at(hour));
    };
    let mut ledger = Ledger::default();
    let month_end = many((0..90).map(|n| format!("end-{n}")), 5);
    count(&mut ledger, "r-end", &month_end, 0);
    assert!(all_released(&ledger, &month_end), "ninety of five thousand");

    let mut drip = Ledger::default();
    let passed: Vec<bool> = (0..7)
        .map(|day| {
            let sixty = many((0..60).map(|n| format!("{day}-{n}")), 1);
            count(&mut drip, &format!("r-{day}"), &sixty, 24 * day);
            let passed = all_released(&drip, &sixty);
            drip.retain(&BTreeMap::new(), at(24 * day));
            passed
        })
        .collect();
    assert_eq!(passed, [true, true, true, true, false, false, false], "250 a week, sixty a day");
}
