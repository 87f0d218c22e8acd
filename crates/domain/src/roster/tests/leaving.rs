//! Who left, and when.

use super::*;

#[test]
fn a_leaver_carries_when_it_takes_effect_and_when_it_was_seen() {
    let cases = [
        ("without a last day, when it was seen", employee("7").terminated(), noon()),
        ("after the last day, there", employee("7").terminated().last_day("2026-03-08"), at("2026-03-08T23:00:00Z")),
        (
            "in their own zone",
            employee("7").terminated().last_day("2026-03-08").location("Melbourne"),
            at("2026-03-08T13:00:00Z"),
        ),
    ];
    for (what, leaver, effective) in cases {
        let mut world = ClusterInventory::with(&[employee("7")]);
        let plan = world.poll(&[leaver], noon());
        let run = Some(plan.runs[0].id.clone());
        assert_eq!(world.left("7"), Left { run, baseline: false, effective, seen: noon(), announced: false }, "{what}");
        assert_eq!(world.event(&plan, "7"), Some(LifecycleEvent::Terminated), "{what}");
    }
}

#[test]
fn an_announced_last_day_cuts_at_its_midnight_there_although_no_answer_is_believed_any_more() {
    for (location, end) in [("Madrid", "2026-03-12T23:00:00Z"), ("Melbourne", "2026-03-12T13:00:00Z")] {
        let mut world = ClusterInventory::with(&[employee("7")]);
        let plan = world.poll(&[employee("7").last_day("2026-03-12").location(location)], noon());
        assert_eq!(plan.wake, Some(at(end)), "{location}: wakes for it");
        world.midnight(at(end) - SignedDuration::from_millis(1));
        assert_eq!(world.state("7"), State::Active, "{location}: works that day to its end");
        world.midnight(at(end));
        assert_eq!(world.state("7"), State::Terminated, "{location}");
        assert_eq!(world.left("7").effective, at(end), "{location}");
    }
}

#[test]
fn a_last_day_that_was_never_announced_while_ahead_is_a_contradiction() {
    let mut world = ClusterInventory::with(&[employee("7")]);
    world.poll(&[employee("7").last_day("2026-03-08")], noon());
    assert_eq!(world.state("7"), State::Unknown);
}

#[test]
fn a_new_last_day_announces_anew_and_a_cleared_one_withdraws() {
    let mut world = ClusterInventory::with(&[employee("7")]);
    world.poll(&[employee("7").last_day("2026-03-12")], noon());
    world.poll(&[employee("7").last_day("2026-03-20")], noon());
    world.midnight(at("2026-03-15T12:00:00Z"));
    assert_eq!(world.state("7"), State::Active, "the earlier day no longer stands");
    world.poll(&[employee("7")], at("2026-03-16T12:00:00Z"));
    world.midnight(at("2026-03-25T12:00:00Z"));
    assert_eq!(world.state("7"), State::Active, "no day stands");
}

#[test]
fn an_exit_that_is_brought_forward_into_the_past_takes_place_on_the_announced_day_at_the_latest() {
    let mut world = ClusterInventory::with(&[employee("7")]);
    world.poll(&[employee("7").last_day("2026-03-20")], noon());
    let plan = world.poll(&[employee("7").last_day("2026-03-05")], at("2026-03-11T12:00:00Z"));
    assert_eq!(world.state("7"), State::Unknown, "the status says Active: a contradiction that holds");
    assert_eq!(plan.wake, Some(at("2026-03-20T23:00:00Z")));
    world.midnight(at("2026-03-20T23:00:00Z"));
    assert_eq!(world.state("7"), State::Terminated);
}

#[test]
fn a_status_that_came_back_from_terminated_takes_the_announced_day_with_it() {
    for back in [ReportedStatus::Mapped(Status::Active), ReportedStatus::Mapped(Status::Leave)] {
        let mut world = ClusterInventory::with(&[employee("7")]);
        world.poll(&[employee("7").last_day("2026-03-12")], noon());
        world.poll(&[employee("7").terminated().last_day("2026-03-12")], at("2026-03-13T12:00:00Z"));
        assert_eq!(world.state("7"), State::Terminated);
        let rehired = employee("7").reported_status(back).last_day("2026-03-12");
        for hour in 0..3 {
            world.poll(std::slice::from_ref(&rehired), at("2026-04-01T12:00:00Z") + SignedDuration::from_hours(hour));
            assert_ne!(world.state("7"), State::Terminated, "the end date is an old one: {back:?}");
        }
        world.midnight(at("2026-04-03T12:00:00Z"));
        assert_ne!(world.state("7"), State::Terminated, "{back:?}");
        world.poll(&[rehired.last_day("2026-05-01")], at("2026-04-04T12:00:00Z"));
        world.midnight(at("2026-05-02T12:00:00Z"));
        assert_eq!(world.state("7"), State::Terminated, "a new end date is announced like any: {back:?}");
    }
}

#[test]
fn who_comes_back_later_leaves_in_between_and_works_again_from_their_first_day() {
    let seasonal = employee("7").last_day("2026-03-12").start("2026-09-01");
    let mut world = ClusterInventory::with(&[employee("7").start("2025-09-01")]);
    world.poll(std::slice::from_ref(&seasonal), noon());
    assert_eq!(world.state("7"), State::Active, "the next employment does not end this one early");
    world.midnight(at("2026-03-12T23:00:00Z"));
    assert_eq!(world.state("7"), State::Terminated);
    let plan = world.poll(std::slice::from_ref(&seasonal), at("2026-09-01T12:00:00Z"));
    assert_eq!((world.state("7"), world.event(&plan, "7")), (State::Active, Some(LifecycleEvent::Rehired)));
}

#[test]
fn two_answers_a_day_apart_make_an_announcement_that_counts_against_no_limit() {
    let day = |day: i64| at("2026-03-01T08:00:00Z") + SignedDuration::from_hours(24 * day);
    let leaving = || employee("7").last_day("2026-03-12");
    let moved = || employee("7").last_day("2026-03-10");
    let sudden = || employee("7").terminated().last_day("2026-03-12");
    let cases = [
        ("two a day apart", vec![(0, leaving()), (1, leaving())], true),
        ("one alone", vec![(0, leaving())], false),
        ("the second moved the day, and was the last", vec![(0, leaving()), (1, moved())], false),
        ("two of the moved day", vec![(0, leaving()), (1, moved()), (2, moved())], true),
        ("the second came when the day had passed", vec![(0, leaving()), (12, leaving())], false),
        ("terminated as of that day", vec![(0, sudden()), (1, sudden())], true),
    ];
    for (what, answers, expected) in cases {
        let mut world = ClusterInventory::with(&[employee("7")]);
        for (when, answer) in answers {
            world.poll(&[answer], day(when));
        }
        world.midnight(day(12));
        assert_eq!((world.state("7"), world.left("7").announced), (State::Terminated, expected), "{what}");
    }
    let mut hourly = ClusterInventory::with(&[employee("7")]);
    for hour in 0..48 {
        let plan = hourly.poll(&[leaving()], day(0) + SignedDuration::from_hours(hour));
        assert_eq!(
            !plan.changes.is_empty(),
            [0, 20].contains(&hour),
            "{hour}: written when announced, and when confirmed"
        );
    }
}

#[test]
fn a_stored_reason_of_another_version_holds_until_an_answer_comes() {
    for why in [Why::Other, Why::Conflict] {
        let mut world = ClusterInventory::with(&[employee("7")]);
        world.poll(&[employee("7").last_day("2026-03-12")], noon());
        let entry = world.known.get_mut(&HrId("7".into())).unwrap().entry.as_mut().unwrap();
        (entry.employment.why, entry.employments[0].state.why) = (why, why);
        world.midnight(at("2026-03-13T12:00:00Z"));
        assert_eq!(world.state("7"), State::Active, "{why:?}: whatever its dates say");
        world.poll(&[employee("7").last_day("2026-03-12")], at("2026-03-13T13:00:00Z"));
        assert_eq!(world.state("7"), State::Terminated, "{why:?}: said anew");
    }
}

// ---- Who had left before ---------------------------------------------------------------------------------------------

#[test]
fn who_had_left_before_anybody_looked_gets_a_person_only_if_something_here_is_theirs() {
    let own = |owned: &[&'static str]| ClusterInventory {
        owned: Some(owned.iter().copied().collect()),
        ..ClusterInventory::settled()
    };
    let renamed = Employee { work_email: "Seven.Example@Example.com".into(), ..employee("7").terminated() };
    let cases = [
        ("nothing", own(&[]), false),
        ("an account marked with the id", own(&["id:hq/7"]), true),
        ("with the id of another connection", own(&["id:okta/7"]), false),
        ("with the id of this installation's connection", own(&["id:rollcall:hq/7"]), true),
        ("with the id of another installation's connection", own(&["id:labs:hq/7"]), false),
        ("with the address, in another case", own(&["email:seven.example@example.com"]), true),
        ("a binding of a user name", own(&["user:oidc:seven.example@example.com"]), true),
        ("somebody else's", own(&["email:8@example.com"]), false),
        ("nobody knows yet", ClusterInventory::settled(), true),
    ];
    for (what, mut world, expected) in cases {
        let plan = world.poll(&[renamed.clone(), employee("8")], noon());
        assert_eq!(world.known.contains_key(&HrId("7".into())), expected, "{what}");
        assert_eq!(plan.former, u32::from(!expected), "{what}");
        assert!(!expected || world.left("7").baseline, "{what}: needs approval");
        assert!(world.plan(Some(&[renamed.clone(), employee("8")]), noon()).changes.is_empty(), "{what}");
    }
}

#[test]
fn an_address_that_was_given_to_a_successor_is_the_successors() {
    let mut world = ClusterInventory { owned: Some(["email:info@example.com"].into()), ..ClusterInventory::settled() };
    let with = |employee: Employee| Employee { work_email: "info@example.com".into(), ..employee };
    world.poll(&[with(employee("7").terminated()), with(employee("8"))], noon());
    assert!(!world.known.contains_key(&HrId("7".into())));
}

#[test]
fn an_erased_leaver_who_is_still_listed_does_not_come_back() {
    let answer = [employee("7").terminated(), employee("8")];
    let mut world = ClusterInventory { owned: Some(BTreeSet::new()), ..ClusterInventory::with(&people(7..=8)) };
    world.poll(&answer, noon());
    assert_eq!(world.state("7"), State::Terminated, "who was known is a leaver whatever they own");
    world.known.remove(&HrId("7".into()));
    let plan = world.poll(&answer, noon() + SignedDuration::from_hours(1));
    assert!(!world.known.contains_key(&HrId("7".into())));
    assert_eq!((plan.former, plan.runs.len()), (1, 0));
}

#[test]
fn a_person_who_waits_for_approval_is_not_released_by_being_deleted() {
    let mut world = ClusterInventory::with(&people(7..=7));
    world.baseline = Baseline::Now;
    world.poll(&gone(7..=7), noon());
    world.baseline = Baseline::Settled;
    world.known.clear();
    world.poll(&gone(7..=7), noon() + SignedDuration::from_hours(1));
    assert!(world.left("7").baseline);
}

// ---- Absence ---------------------------------------------------------------------------------------------------------

#[test]
fn absence_is_never_a_termination() {
    let mut world = ClusterInventory::with(&people(1..=3));
    let before = world.clone();
    let plan = world.poll(&people(1..=1), noon());
    assert_eq!(plan.missing, 2);
    for id in ["2", "3"] {
        assert_eq!(world.record(id).missing_since, Some(noon()));
        assert_eq!(world.entry(id).employment, before.entry(id).employment);
    }
    world.poll(&people(1..=3), noon() + SignedDuration::from_hours(1));
    assert_eq!(world.record("2").missing_since, None, "named again");
}

#[test]
fn whoever_vanishes_after_an_announced_last_day_leaves_on_it_and_nobody_else_does() {
    let day = at("2026-03-13T12:00:00Z");
    let mut world = ClusterInventory::with(&people(1..=2));
    world.poll(&[employee("1").last_day("2026-03-12"), employee("2")], noon());
    world.poll(&[employee("3")], noon() + SignedDuration::from_hours(1));
    world.poll(&[employee("3")], day);
    assert_eq!((world.state("1"), world.state("2")), (State::Terminated, State::Active));
}

#[test]
fn an_unknown_status_holds() {
    let mut world = ClusterInventory::with(&people(1..=1));
    world.poll(&[employee("1").reported_status(ReportedStatus::Unmapped)], noon());
    assert_eq!(world.state("1"), State::Unknown);
}

#[test]
fn a_state_is_older_than_its_reasons() {
    let mut world = ClusterInventory::with(&people(1..=1));
    let since = world.entry("1").employment.since;
    world.poll(&[employee("1").last_day("2026-04-01")], noon());
    assert_eq!(world.entry("1").employment.since, since);
    world.poll(&gone(1..=1), noon());
    assert_eq!(world.entry("1").employment.since, noon());
}

#[test]
fn a_termination_ends_only_with_another_statement() {
    let later = noon() + SignedDuration::from_hours(1);
    let mut world = ClusterInventory::with(&[employee("7")]);
    world.poll(&[employee("7").last_day("2026-03-10").location("Melbourne")], noon());
    world.midnight(at("2026-03-10T13:00:00Z"));
    let left = world.left("7");
    world.poll(&[employee("7").last_day("2026-03-10")], at("2026-03-10T14:00:00Z"));
    assert_eq!(world.left("7"), left, "their zone was mapped anew, and it is not tomorrow there yet");
    world.midnight(later - SignedDuration::from_hours(48));
    assert_eq!(world.left("7"), left, "the clock went back");
    world.poll(&[employee("7")], later);
    assert_eq!(world.state("7"), State::Active, "the day was taken back");
}

#[test]
fn whoever_comes_back_is_withdrawn_or_rehired_and_keeps_every_alias() {
    let cases = [
        ("the same employment", employee("7"), LifecycleEvent::Withdrawn),
        ("a new first day", employee("7").start("2026-03-10").last_day("2026-03-01"), LifecycleEvent::Rehired),
    ];
    for (what, back, event) in cases {
        let mut world = ClusterInventory::with(&[employee("7")]);
        world.poll(&[employee("7").terminated()], noon());
        let renamed = Employee { work_email: "seven@example.com".into(), ..back };
        let plan = world.poll(&[renamed], noon());
        assert_eq!((world.state("7"), world.event(&plan, "7")), (State::Active, Some(event)), "{what}");
        let aliases = [
            "email:7@example.com",
            "user:oidc:7@example.com",
            "email:seven@example.com",
            "user:oidc:seven@example.com",
        ];
        assert_eq!(world.entry("7").aliases, aliases, "{what}");
        assert!(plan.runs.is_empty(), "{what}: a run nobody carries is forgotten");
    }
}

#[test]
fn a_leaver_without_an_address_is_the_one_who_was_known_and_keeps_every_alias() {
    let known = ["email:7@example.com", "user:oidc:7@example.com"];
    let nameless = |employee: Employee| Employee { name: String::new(), work_email: String::new(), ..employee };
    let without = |employee: Employee| Employee { work_email: String::new(), ..employee };
    for (what, gone) in [
        ("no address", without(employee("7").terminated())),
        ("no name either", nameless(employee("7").terminated())),
        ("by the day", without(employee("7").last_day("2026-03-01"))),
    ] {
        let mut world = ClusterInventory::with(&[employee("7")]);
        world.poll(std::slice::from_ref(&gone), noon());
        assert_eq!(world.entry("7").aliases, known, "{what}");
        world.poll(&[gone], noon() + SignedDuration::from_hours(1));
        assert_eq!(world.entry("7").aliases, known, "{what}: twice");
    }
    let mut world = ClusterInventory::with(&[employee("7")]);
    world.poll(&[without(employee("7").terminated())], noon());
    assert_eq!(world.state("7"), State::Terminated);
    let mut world = ClusterInventory::with(&[without(employee("8"))]);
    assert_eq!((world.state("8"), world.entry("8").aliases.len()), (State::Active, 0), "a joiner owns nothing by it");
    world.poll(&[employee("8")], noon());
    assert_eq!(world.entry("8").aliases, ["email:8@example.com", "user:oidc:8@example.com"]);
}

#[test]
fn an_id_that_names_another_human_holds_and_takes_nothing_over() {
    let ada = employee("7").start("2020-01-01");
    let changed = |name: &str, address: &str, start: &str| Employee {
        name: name.into(),
        work_email: format!("{address}@example.com"),
        ..employee("7").start(start)
    };
    let cases = [
        ("name, address and first day", changed("Ben", "ben", "2026-03-01"), State::Unknown),
        (
            "name and first day, and no address",
            Employee { work_email: String::new(), ..changed("Ben", "ben", "2026-03-01") },
            State::Unknown,
        ),
        ("name and address: a marriage", changed("Ben", "ben", "2020-01-01"), State::Active),
        ("first day only: a correction", changed("Name 7", "7", "2020-02-01"), State::Active),
    ];
    for (what, new, expected) in cases {
        let mut world = ClusterInventory::with(std::slice::from_ref(&ada));
        let plan = world.poll(&[new], noon());
        assert_eq!(world.state("7"), expected, "{what}");
        let conflicting = expected == State::Unknown;
        assert_eq!(world.event(&plan, "7") == Some(LifecycleEvent::Conflicting), conflicting, "{what}");
        assert_eq!(world.entry("7").aliases.contains(&"email:ben@example.com".to_owned()), what.contains("marriage"));
        world.midnight(noon() + SignedDuration::from_hours(48));
        assert_eq!(world.state("7"), expected, "{what}: also after midnight");
    }
}

#[test]
fn locations_nobody_mapped_and_people_without_one_are_counted() {
    let world = ClusterInventory::settled();
    let located = [employee("1").location("MELBOURNE "), employee("2").location("Oslo"), employee("3").location(" ")];
    let people = [located.to_vec(), vec![employee("4")]].concat();
    assert_eq!(world.plan(Some(&people), noon()).unmatched, Some(3));
    assert_eq!(world.plan(None, noon()).unmatched, None);
}
