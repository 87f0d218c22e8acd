use super::*;

mod history;
mod limits;

/// So much a day, and three times as much a week.
#[derive(Clone, Copy)]
struct Most {
    people: u32,
    objects: u32,
}

const LIMITS: Most = Most { people: 2, objects: 200 };
const DAY: SignedDuration = SignedDuration::from_hours(24);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

fn a_day_and_a_week(most: u32) -> Vec<Window> {
    vec![Window { within: DAY, most }, Window { within: WEEK, most: most.saturating_mul(3) }]
}

impl Most {
    /// The limits of a policy, with none above it.
    fn bounds(self) -> Bounds {
        let policy = Limits {
            people: a_day_and_a_week(self.people),
            objects: a_day_and_a_week(self.objects),
            workloads: a_day_and_a_week(5),
        };
        Bounds { policy, cluster: Limits::default() }
    }
}

impl Ledger {
    /// Counts a run of which nobody was announced.
    fn count(
        &mut self,
        policy: &str,
        run: &str,
        of: Of,
        revocations: &BTreeMap<String, CountedPlan>,
        most: Most,
        now: Timestamp,
    ) {
        let run = Run { id: run, of, revocations, announced: &BTreeSet::new(), unplanned: Some(0) };
        self.count_run(policy, &run, &most.bounds(), now);
    }
}

/// The plan `hash` of a Revocation, which touches so many objects.
fn plan(hash: &str, objects: u32) -> CountedPlan {
    CountedPlan::new("uid", hash, objects, 0)
}

fn names(names: &[&str]) -> BTreeMap<String, CountedPlan> {
    names.iter().map(|name| ((*name).to_owned(), plan("h", 3))).collect()
}

fn one(name: &str, asked: CountedPlan) -> BTreeMap<String, CountedPlan> {
    BTreeMap::from([(name.to_owned(), asked)])
}

fn at(hour: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
}

fn allowance(ledger: &Ledger, name: &str) -> Allowance {
    of(ledger, name, &plan("h", 3))
}

/// What it may do; which limit holds it is another question.
fn of(ledger: &Ledger, name: &str, asked: &CountedPlan) -> Allowance {
    match ledger.allowance("p", name, asked) {
        Allowance::Held { batch, baseline, .. } => held(batch, baseline),
        other => other,
    }
}

/// Held in this batch, by whatever limit.
fn held(batch: String, baseline: bool) -> Allowance {
    Allowance::Held { batch, baseline, over: None }
}

fn released(ledger: &Ledger, name: &str, asked: &CountedPlan) -> bool {
    matches!(ledger.allowance("p", name, asked), Allowance::Released { .. })
}

/// So many leavers, each with a plan of so many objects.
fn many(names: impl Iterator<Item = String>, objects: u32) -> BTreeMap<String, CountedPlan> {
    names.map(|name| (name, plan("h", objects))).collect()
}

fn all_released(ledger: &Ledger, run: &BTreeMap<String, CountedPlan>) -> bool {
    run.iter().all(|(name, asked)| released(ledger, name, asked))
}

#[test]
fn six_of_ten_are_held_as_one_batch_and_the_seventh_is_the_next() {
    let mut ledger = Ledger::default();
    let six = names(&["a", "b", "c", "d", "e", "f"]);
    ledger.count("p", "r-1", Of::Leavers, &six, LIMITS, at(0));
    ledger.count("p", "r-2", Of::Leavers, &names(&["g"]), LIMITS, at(1));
    for (name, asked) in &six {
        assert_eq!(allowance(&ledger, name), held("b-1".into(), false), "{name}");
        ledger.approve("p", name, asked, at(2));
        assert_eq!(allowance(&ledger, name), Allowance::Released { batch: Some("b-1".into()) }, "{name}");
    }
    assert_eq!(allowance(&ledger, "g"), held("b-2".into(), false));
}

#[test]
fn one_at_a_time_is_held_from_the_third_until_the_window_has_passed() {
    let mut ledger = Ledger::default();
    for (hour, name, expected) in [(0, "a", true), (1, "b", true), (2, "c", false), (30, "d", true)] {
        ledger.count("p", &format!("r-{name}"), Of::Leavers, &names(&[name]), LIMITS, at(hour));
        assert_eq!(matches!(allowance(&ledger, name), Allowance::Released { .. }), expected, "{name}");
        ledger.withdraw("p", name, "uid");
    }
}

#[test]
fn the_waiting_of_a_baseline_hold_back_nobody_else() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-0", Of::Baseline, &names(&["x", "y", "z"]), LIMITS, at(0));
    ledger.count("p", "r-1", Of::Leavers, &names(&["a"]), LIMITS, at(1));
    assert_eq!(allowance(&ledger, "a"), Allowance::Released { batch: None });
    assert_eq!(allowance(&ledger, "x"), held("b-0".into(), true));
}

#[test]
fn a_plan_that_changed_since_it_was_counted_is_counted_again_before_it_is_released() {
    let cases = [
        ("the same plan", plan("h", 1), true, true),
        ("another object in its place", plan("g", 1), false, true),
        ("more objects than the limit", plan("g", 231), false, false),
        ("deleted and planned again", CountedPlan::new("another", "h", 1, 0), false, true),
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
        ledger.count("p", "r-1", Of::Leavers, &one("a", CountedPlan::new(uid, "g", 2, 0)), LIMITS, at(1));
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
    let nobody = Most { people: 0, ..LIMITS };
    ledger.count("p", "r-1", Of::Removals, &one("a-remove", plan("h", 100)), nobody, at(1));
    ledger.count("p", "r-1", Of::Removals, &one("b-remove", plan("h", 100)), nobody, at(2));
    assert!(released(&ledger, "a-remove", &plan("h", 100)), "the limit of people was used up by the cuts");
    let held = held("b-1-remove".into(), false);
    assert_eq!(of(&ledger, "b-remove", &plan("h", 100)), held, "6 and 200 objects are over the limit");
}

#[test]
fn one_plan_over_the_limit_of_objects_waits_alone_and_takes_nothing_from_anybody() {
    let mut ledger = Ledger::default();
    let run = BTreeMap::from([("decoys".to_owned(), plan("h", 201)), ("other".to_owned(), plan("h", 3))]);
    ledger.count("p", "r-1", Of::Leavers, &run, LIMITS, at(0));
    let alone = held("b-1-alone".into(), false);
    assert_eq!(of(&ledger, "decoys", &plan("h", 201)), alone);
    assert!(released(&ledger, "other", &plan("h", 3)), "of the same run");
    let more = Most { people: 3, ..LIMITS };
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
fn counting_again_changes_nothing() {
    let mut once = Ledger::default();
    once.count("p", "r-1", Of::Leavers, &names(&["a", "b"]), LIMITS, at(0));
    let mut twice = once.clone();
    twice.count("p", "r-1", Of::Leavers, &names(&["a", "b"]), LIMITS, at(1));
    assert_eq!(once, twice);
}

#[test]
fn announced_leavers_are_released_and_count_against_no_limit() {
    let twenty = many((0..20).map(|n| format!("december-{n:02}")), 30);
    let announced: BTreeSet<String> = twenty.keys().cloned().collect();
    let run = |of, revocations| Run { id: "r-1", of, revocations, announced: &announced, unplanned: Some(0) };
    let with = |more: &[&str]| twenty.clone().into_iter().chain(names(more)).collect::<BTreeMap<_, _>>();

    let mut ledger = Ledger::default();
    let with_one_more = with(&["sudden"]);
    ledger.count_run("p", &run(Of::Leavers, &with_one_more), &LIMITS.bounds(), at(0));
    assert!(all_released(&ledger, &with_one_more), "neither they nor the one who left suddenly wait");
    ledger.count("p", "r-2", Of::Leavers, &names(&["next"]), LIMITS, at(1));
    assert!(all_released(&ledger, &names(&["next"])), "they count against nobody");

    let mut baseline = Ledger::default();
    baseline.count_run("p", &run(Of::Baseline, &twenty), &LIMITS.bounds(), at(0));
    let held = held("b-1".into(), true);
    assert_eq!(baseline.allowance("p", "december-00", &plan("h", 30)), held, "a baseline's need approval all the same");

    let mut over = Ledger::default();
    over.count_run("p", &run(Of::Leavers, &with(&["x", "y", "z"])), &LIMITS.bounds(), at(0));
    assert!(all_released(&over, &twenty), "those who were not announced hold themselves alone");
    assert!(["x", "y", "z"].iter().all(|name| !released(&over, name, &plan("h", 3))));
}

#[test]
fn an_announced_leaver_with_too_many_objects_waits_alone() {
    let announced = BTreeSet::from(["decoys".to_owned()]);
    let revocations = one("decoys", plan("h", 201));
    let run = Run { id: "r-1", of: Of::Leavers, revocations: &revocations, announced: &announced, unplanned: Some(0) };
    let mut ledger = Ledger::default();
    ledger.count_run("p", &run, &LIMITS.bounds(), at(0));
    assert!(!released(&ledger, "decoys", &plan("h", 201)));
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
        all_released(&ledger, &names(&["d"]))
    };
    assert!(!next(over(), 30), "while they wait, they count beyond their window");
    let mut gone = over();
    gone.retain(&BTreeMap::new(), at(0));
    assert!(next(gone, 1), "their Revocations are gone");
    let mut protected = over();
    ["a", "b", "c"].iter().for_each(|name| protected.withdraw("p", name, "uid"));
    assert!(next(protected, 1), "they are protected, or unknown");
    assert!(next(over(), 24 * 7), "nobody looked at them for a week");
}

#[test]
fn who_was_taken_out_of_the_count_is_counted_again_when_that_changes() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(0));
    ["a", "b", "c"].iter().for_each(|name| ledger.withdraw("p", name, "uid"));
    assert_eq!(allowance(&ledger, "a"), Allowance::Uncounted);
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(1));
    assert_eq!(allowance(&ledger, "a"), held("b-1".into(), false));
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
    let nobody = BTreeSet::new();
    let run = |unplanned| Run {
        id: "r-1",
        of: Of::Leavers,
        revocations: &planned,
        announced: &nobody,
        unplanned: Some(unplanned),
    };
    let mut ledger = Ledger::default();
    ledger.count_run("p", &run(1), &LIMITS.bounds(), at(0));
    assert!(!all_released(&ledger, &names(&["a"])), "three leave, and two may");
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(1));
    assert_eq!(
        ["a", "c"].map(|name| allowance(&ledger, name)),
        ["b-1", "b-1-2"].map(|batch| held(batch.into(), false)),
        "the batch that somebody was shown is frozen"
    );
    let mut within = Ledger::default();
    within.count_run("p", &run(0), &LIMITS.bounds(), at(0));
    assert!(all_released(&within, &names(&["a"])));
}

#[test]
fn what_is_settled_goes_after_a_while_and_what_waits_does_not() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &names(&["a"]), LIMITS, at(0));
    ledger.count("p", "r-2", Of::Leavers, &names(&["b", "c"]), LIMITS, at(0));
    ledger.count("p", "r-3", Of::Leavers, &names(&["d"]), LIMITS, at(24 * 63));
    assert_eq!(allowance(&ledger, "a"), Allowance::Uncounted);
    assert_eq!(allowance(&ledger, "b"), held("b-2".into(), false));
}

#[test]
fn one_of_a_batch_passes_and_the_rest_waits_as_it_was() {
    let mut ledger = Ledger::default();
    let six = names(&["a", "b", "c", "d", "e", "f"]);
    ledger.count("p", "r-1", Of::Leavers, &six, LIMITS, at(0));
    ledger.approve("p", "c", &plan("h", 3), at(1));
    for name in six.keys() {
        let expected =
            if name == "c" { Allowance::Released { batch: Some("b-1".into()) } } else { held("b-1".into(), false) };
        assert_eq!(allowance(&ledger, name), expected, "{name}");
    }
    ["a", "b", "d", "e", "f"].iter().for_each(|name| ledger.withdraw("p", name, "uid"));
    ledger.count("p", "r-2", Of::Leavers, &names(&["x", "y"]), LIMITS, at(2));
    assert_eq!(allowance(&ledger, "x"), held("b-2".into(), false), "the one who passed was debited: three in a day");
}

#[test]
fn a_void_approval_puts_the_plan_back_into_its_batch_and_takes_its_debit_back() {
    let mut ledger = Ledger::default();
    ledger.count("p", "r-1", Of::Leavers, &names(&["a", "b", "c"]), LIMITS, at(0));
    let counted = ledger.clone();
    ledger.approve("p", "a", &plan("h", 3), at(1));
    ledger.expire("p", "a", &plan("g", 3));
    assert_eq!(allowance(&ledger, "a"), Allowance::Released { batch: Some("b-1".into()) }, "that was another plan");
    ledger.expire("p", "a", &plan("h", 3));
    assert_eq!(ledger, counted);
    let mut by_itself = Ledger::default();
    by_itself.count("p", "r-1", Of::Leavers, &names(&["a"]), LIMITS, at(0));
    by_itself.expire("p", "a", &plan("h", 3));
    assert_eq!(allowance(&by_itself, "a"), Allowance::Released { batch: None }, "what nobody approved cannot expire");
}

fn allowance_of(ledger: &Ledger, policy: &str, name: &str) -> Allowance {
    ledger.allowance(policy, name, &plan("h", 3))
}

#[test]
fn a_ledger_that_was_tampered_with_is_unreadable() {
    let with = |releases: &str| {
        let entry = serde_json::json!({"run": "r-1", "at": at(0), "released": {at(0).to_string(): releases}});
        serde_json::from_value::<Ledger>(serde_json::json!({"policies": {"p": {"open": [entry]}}})).is_ok()
    };
    let whole = data_encoding::BASE64.encode(&[0; 15]);
    assert_eq!([whole.as_str(), "AAAAAAAA", "?"].map(with), [true, false, false]);
}
