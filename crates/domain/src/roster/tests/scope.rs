//! Leaving scope is never leaving: nobody's access ends by a filter, an edit or a move.

mod whatever;

use super::*;

// ---- Words of the tests --------------------------------------------------------------------------------------------

fn departments(of: &[&str]) -> Arc<Scope> {
    Arc::new(Scope::new(Lists::default().of(Kind::Department, of.iter().copied()), Lists::default(), None).unwrap())
}

fn without(kind: Kind, value: &str) -> Arc<Scope> {
    Arc::new(Scope::new(Lists::default(), Lists::default().of(kind, [value]), None).unwrap())
}

fn sales(id: &str) -> Employee {
    employee(id).department("Sales")
}

fn support(id: &str) -> Employee {
    employee(id).department("Support")
}

/// A policy over Sales, and people it knows.
fn over_sales(employees: &[Employee]) -> ClusterInventory {
    let mut world = ClusterInventory { scope: departments(&["Sales"]), ..ClusterInventory::settled() };
    world.poll(employees, noon() - SignedDuration::from_hours(24 * 9));
    world
}

fn hours(hours: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(hours)
}

impl ClusterInventory {
    /// The spec is changed, and an answer that came before makes the baseline.
    fn edit(&mut self, scope: Arc<Scope>, employees: &[Employee], now: Timestamp) -> RosterPass {
        (self.scope, self.baseline) = (scope, Baseline::Now);
        let plan = self.poll(employees, now);
        self.baseline = Baseline::Settled;
        plan
    }

    fn out(&self, id: &str) -> Option<&'static str> {
        self.entry(id).employment.out.map(Out::as_str)
    }

    fn has(&self, id: &str) -> bool {
        self.known.contains_key(&HrId(id.to_owned()))
    }
}

// ---- Out -----------------------------------------------------------------------------------------------------------

#[test]
fn who_is_out_of_scope_gets_no_person_and_is_counted_with_the_reason() {
    let mut world = over_sales(&[]);
    let plan = world.poll(&[sales("1"), support("2").terminated(), employee("3")], noon());
    assert_eq!((world.has("1"), world.has("2"), world.has("3")), (true, false, false));
    let excluded = BTreeMap::from([(Out::NotIncluded(Kind::Department), 1), (Out::Unknown(Kind::Department), 1)]);
    assert_eq!(plan.scope, Some(Scoped { included: 1, excluded }));
    assert_eq!(world.plan(None, noon()).scope, None, "nothing is counted without a response");
}

#[test]
fn who_moves_out_of_scope_is_never_a_leaver_whatever_the_record_says() {
    let gone = [
        ("by a status", support("7").terminated()),
        ("by a day that has passed", support("7").terminated().last_day("2026-03-01")),
        ("by dates alone", support("7").reported_status(ReportedStatus::Silent).last_day("2026-03-01")),
        ("because nothing is known of them", employee("7").terminated()),
    ];
    for (what, gone) in gone {
        let mut world = over_sales(&[sales("7")]);
        let plan = world.poll(&[support("7")], noon());
        assert_eq!(
            (world.state("7"), world.event(&plan, "7")),
            (State::OutOfScope, Some(LifecycleEvent::OutOfScope)),
            "{what}"
        );
        let plan = world.poll(&[gone], hours(1));
        assert_eq!(
            (world.state("7"), world.event(&plan, "7"), plan.runs.len()),
            (State::OutOfScope, None, 0),
            "{what}"
        );
        let why = world.entry("7").employment.message();
        assert!(why.starts_with("out of scope: ") && why.contains("; the record says: "), "{what}: {why}");
        world.midnight(hours(48));
        assert_eq!(world.state("7"), State::OutOfScope, "{what}: also without a response");
    }
}

#[test]
fn who_leaves_and_falls_out_of_scope_in_one_answer_is_a_leaver_who_needs_approval() {
    let emptied = || employee("7").terminated();
    let cases = [
        ("HR empties the department", emptied(), "departmentUnknown"),
        ("HR says Alumni", emptied().department("Alumni"), "departmentNotIncluded"),
        ("a move and a termination", support("7").terminated().last_day("2026-03-08"), "departmentNotIncluded"),
    ];
    for (what, answer, why) in cases {
        let mut world = over_sales(&[sales("7"), sales("8")]);
        let plan = world.poll(&[answer.clone(), sales("8")], noon());
        assert_eq!(
            (world.state("7"), world.event(&plan, "7")),
            (State::Terminated, Some(LifecycleEvent::Terminated)),
            "{what}"
        );
        assert!(world.left("7").baseline, "{what}: a human decides");
        assert_eq!(world.entry("7").employment.leaves_scope.map(Out::as_str), Some(why), "{what}");
        let before = world.clone();
        world.poll(&[answer, sales("8")], hours(1));
        world.midnight(hours(48));
        assert_eq!(world.entry("7").employment, before.entry("7").employment, "{what}: it stays so");
        world.poll(&[support("7"), sales("8")], hours(49));
        assert_eq!(
            (world.state("7"), world.entry("7").employment.leaves_scope),
            (State::OutOfScope, None),
            "{what}: back"
        );
    }
}

#[test]
fn who_falls_out_of_scope_with_the_first_answer_of_a_new_hr_system_that_says_they_left_is_a_leaver_who_needs_approval()
{
    for (what, scoped, expected) in
        [("was in scope", sales("7"), State::Terminated), ("was not", support("7"), State::OutOfScope)]
    {
        let mut world = over_sales(&[sales("7")]);
        world.poll(&[scoped], noon());
        world.roles.insert("hq", Role::Replaced);
        world.migrations = vec![Migration { from: "hq".into(), by: "workday".into(), same_ids: true }];
        world.baseline = Baseline::Now;
        let answered = [Employee { name: "Name 7".into(), ..support("7").terminated() }];
        for now in [hours(1), hours(2)] {
            let pass = world.planned_over(&[super::records::answer("workday", &answered, now)], now);
            world.write(&pass, usize::MAX);
            world.baseline = Baseline::Settled;
            assert_eq!((world.state("7"), world.entry("7").employments.len()), (expected, 1), "{what}");
            let left = world.entry("7").employment.left.as_ref();
            assert_eq!(
                left.is_some_and(|left| left.baseline),
                expected == State::Terminated,
                "{what}: a human decides"
            );
        }
    }
}

#[test]
fn a_cut_that_is_announced_with_the_move_comes_with_its_midnight_and_needs_approval() {
    let mut world = over_sales(&[sales("7")]);
    world.poll(&[support("7").terminated().last_day("2026-03-12")], noon());
    assert_eq!(world.state("7"), State::Active, "works to the end of that day");
    world.midnight(at("2026-03-12T23:00:00Z"));
    assert_eq!((world.state("7"), world.left("7").baseline), (State::Terminated, true));
    assert!(world.plan(None, hours(96)).changes.is_empty());
}

#[test]
fn a_leaver_whose_department_is_emptied_afterwards_stays_one_and_needs_approval_while_access_stands() {
    for (access, expected) in [(Access::Stands, true), (Access::Ending, false), (Access::Refused, false)] {
        let mut world = over_sales(&[sales("7")]);
        world.poll(&[sales("7").terminated()], noon());
        let left = world.left("7");
        world.known.get_mut(&HrId("7".into())).unwrap().access = access;
        world.poll(&[employee("7").terminated()], hours(1));
        assert_eq!(world.left("7"), Left { baseline: expected, ..left }, "{access:?}");
    }
}

#[test]
fn an_admin_who_puts_a_leaver_out_of_scope_by_name_or_by_edit_is_followed() {
    for (what, baseline) in [("a changed policy", Baseline::Now), ("a name in the list", Baseline::Settled)] {
        let mut world = over_sales(&[sales("7")]);
        world.poll(&[employee("7").terminated()], noon());
        assert!(world.entry("7").employment.leaves_scope.is_some());
        (world.scope, world.baseline) = (without(Kind::Person, "7"), baseline);
        world.poll(&[employee("7").terminated()], hours(1));
        assert_eq!((world.state("7"), world.entry("7").employment.left.clone()), (State::OutOfScope, None), "{what}");
    }
}

#[test]
fn an_announced_last_day_ends_nothing_of_who_went_out_of_scope_before_it() {
    let mut world = over_sales(&[sales("7").last_day("2026-03-12")]);
    world.poll(&[support("7").last_day("2026-03-12")], noon());
    world.midnight(at("2026-03-12T23:00:00Z"));
    assert_eq!(world.state("7"), State::OutOfScope, "nobody is asked");
    world.poll(&[], hours(96));
    assert_eq!(world.state("7"), State::OutOfScope, "nobody names them any more");
}

#[test]
fn a_standing_termination_ends_where_the_scope_does_and_its_run_no_longer_counts_them() {
    let mut world = over_sales(&[sales("7"), sales("8")]);
    world.poll(&[sales("7").terminated(), sales("8").terminated()], noon());
    let plan = world.edit(without(Kind::Person, "7"), &[sales("7").terminated(), sales("8").terminated()], hours(1));
    assert_eq!((world.state("7"), world.entry("7").employment.left.clone()), (State::OutOfScope, None));
    assert_eq!(plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(), [1]);
}

#[test]
fn who_can_be_told_to_be_out_without_a_record_is_out_without_an_answer() {
    let mut world = over_sales(&[sales("7").last_day("2026-03-12"), sales("8")]);
    world.scope = without(Kind::Person, "7");
    world.baseline = Baseline::Awaited;
    world.midnight(noon());
    assert_eq!((world.out("7"), world.out("8")), (Some("personExcluded"), None));
    world.baseline = Baseline::Settled;
    world.midnight(hours(96));
    assert_eq!(world.state("7"), State::OutOfScope);
}

#[test]
fn of_whom_the_first_answer_under_a_changed_policy_does_not_name_nobody_can_tell() {
    let mut world = over_sales(&[sales("7").last_day("2026-03-12"), sales("8").terminated(), sales("9")]);
    world.edit(departments(&["Support"]), &[support("9")], noon());
    assert_eq!((world.out("7"), world.state("7")), (Some("notNamed"), State::OutOfScope));
    assert_eq!((world.state("8"), world.left("8").baseline), (State::Terminated, true), "had left: needs approval");
    world.midnight(hours(96));
    assert_eq!(world.state("7"), State::OutOfScope, "the announced day has passed");
    world.edit(Arc::default(), &[support("9")], hours(97));
    assert_eq!(world.out("7"), Some("notNamed"), "even where nothing is filtered any more");
    world.poll(&[sales("7"), support("9")], hours(98));
    assert_eq!((world.out("7"), world.state("7")), (None, State::Active), "named again");
}

#[test]
fn nor_of_whom_the_first_answer_with_changes_alone_under_a_changed_policy_does_not_name() {
    let mut world = over_sales(&[sales("7").last_day("2026-03-12"), sales("9")]);
    (world.scope, world.baseline) = (departments(&["Support"]), Baseline::Now);
    world.changes(&[support("9")], noon());
    world.baseline = Baseline::Settled;
    world.midnight(hours(96));
    assert_eq!(
        (world.out("7"), world.state("7")),
        (Some("notNamed"), State::OutOfScope),
        "the announced day has passed"
    );
    assert_eq!((world.out("9"), world.record("7").missing_since), (None, None), "and they are not missing");
}

#[test]
fn who_was_not_named_is_a_leaver_once_changes_alone_say_so_and_needs_approval() {
    let mut world = over_sales(&[sales("7"), sales("8")]);
    (world.scope, world.baseline) = (departments(&["Sales", "Support"]), Baseline::Now);
    world.changes(&[support("9")], noon());
    world.baseline = Baseline::Settled;
    assert_eq!((world.out("7"), world.out("8")), (Some("notNamed"), Some("notNamed")));
    world.changes(&[sales("7").terminated()], hours(1));
    assert_eq!((world.state("7"), world.out("7"), world.left("7").baseline), (State::Terminated, None, true));
    assert_eq!(world.out("8"), Some("notNamed"), "of whom nothing was said yet");
    world.changes(&[support("8").last_day("2026-03-12")], hours(2));
    world.midnight(hours(96));
    assert_eq!((world.state("8"), world.out("8")), (State::Terminated, None), "an announced day takes effect again");
}

#[test]
fn a_humans_word_of_who_is_in_scope_by_a_replaced_hr_system_alone_needs_approval() {
    let word = |says| Declared { says, from: noon(), last_day: None, until: hours(96) };
    for (scope, baseline) in [(departments(&["Support"]), true), (Arc::default(), false)] {
        let mut world = over_sales(&[sales("7"), sales("8")]);
        world.terms.acts_on_leave = true;
        world.roles.insert("hq", Role::Replaced);
        world.midnight(noon());
        assert_eq!(world.entry("7").employment.why, Why::NotMigrated);
        world.scope = scope;
        for (id, says) in [("7", Says::Leaves), ("8", Says::Leave)] {
            world.known.get_mut(&HrId(id.into())).unwrap().declared = Some(word(says));
        }
        world.midnight(hours(1));
        assert_eq!((world.left("7").baseline, world.entry("8").leave.as_ref().unwrap().baseline), (baseline, baseline));
    }
}

#[test]
fn who_is_not_migrated_is_told_so_whatever_a_connection_says_that_only_tells_more_of_them() {
    for department in [sales("a7"), support("a7")] {
        let mut world = over_sales(&[]);
        world.poll(&[sales("a7")], noon());
        world.roles = [("hq", Role::Corroborating), ("old", Role::Replaced)].into();
        let old = RecordKey { connection: "old".into(), id: HrId("7".into()) };
        world.known.get_mut(&HrId("a7".into())).unwrap().records.push(old);
        world.poll(&[department], hours(1));
        assert_eq!((world.state("a7"), world.entry("a7").employment.why), (State::Unknown, Why::NotMigrated));
    }
}

#[test]
fn absence_keeps_who_is_in_scope_in_it() {
    let mut world = over_sales(&[sales("7"), sales("8")]);
    world.poll(&[sales("8")], noon());
    world.midnight(hours(1));
    assert_eq!((world.out("7"), world.state("7")), (None, State::Active));
}

#[test]
fn a_record_that_is_another_humans_leaves_the_scope_as_it_was() {
    let born = |person: Employee| person.start("2020-01-01");
    let mut world = over_sales(&[born(sales("7"))]);
    world.poll(&[born(support("7"))], noon());
    let other = Employee { name: "Bo".into(), work_email: "bo@example.com".into(), ..sales("7").start("2026-01-01") };
    world.poll(&[other], hours(1));
    assert_eq!((world.state("7"), world.out("7")), (State::Unknown, Some("departmentNotIncluded")));
    world.poll(&[born(sales("7")).terminated()], hours(2));
    assert!(world.left("7").baseline, "came into scope as a leaver, by way of the conflict");
}

// ---- In again ------------------------------------------------------------------------------------------------------

#[test]
fn who_comes_into_scope_as_a_leaver_needs_approval_and_is_a_new_story() {
    let mut world = over_sales(&[sales("7")]);
    world.poll(&[sales("7").terminated()], noon());
    let first = world.left("7");
    world.poll(&[support("7")], hours(1));
    let plan = world.poll(&[sales("7").terminated()], hours(2));
    let left = world.left("7");
    assert!(!first.baseline && left.baseline);
    assert_eq!((left.seen, world.event(&plan, "7")), (hours(2), Some(LifecycleEvent::InScope)));
    assert_eq!((plan.runs.len(), plan.baseline_leavers), (1, 1), "counted in a run like any other");
    world.poll(&[sales("7").terminated()], hours(3));
    assert_eq!(world.left("7"), left, "it stays so");
}

#[test]
fn an_edit_that_brings_leavers_into_scope_makes_them_need_approval() {
    let mut world = over_sales(&[sales("7"), sales("8")]);
    world.poll(&[support("7").terminated(), sales("8")], noon());
    world.edit(departments(&["Sales", "Support"]), &[support("7").terminated(), sales("8")], hours(1));
    assert!(world.left("7").baseline);
    world.poll(&[support("7").terminated(), sales("8").terminated()], hours(2));
    assert!(!world.left("8").baseline, "who leaves in scope afterwards acts by themselves");
}

#[test]
fn who_comes_back_at_work_and_leaves_later_leaves_like_anybody() {
    let mut world = over_sales(&[sales("7")]);
    world.poll(&[support("7")], noon());
    let plan = world.poll(&[sales("7")], hours(1));
    assert_eq!((world.state("7"), world.event(&plan, "7")), (State::Active, Some(LifecycleEvent::InScope)));
    world.poll(&[sales("7").terminated()], hours(2));
    assert!(!world.left("7").baseline);
}

#[test]
fn who_is_first_seen_as_a_leaver_needs_approval_whatever_the_scope() {
    for scope in [departments(&["Sales"]), Arc::default()] {
        let mut world = ClusterInventory { scope, ..ClusterInventory::settled() };
        world.poll(&[support("7").terminated()], noon());
        world.poll(&[sales("8").terminated()], hours(1));
        assert!(world.left("8").baseline);
    }
}

#[test]
fn deleting_the_person_of_a_leaver_who_waits_for_approval_releases_nobody() {
    let mut world = ClusterInventory { baseline: Baseline::Now, ..ClusterInventory::settled() };
    world.poll(&[sales("7").terminated()], noon());
    world.baseline = Baseline::Settled;
    for deletions in 1..4 {
        world.known.clear();
        world.poll(&[sales("7").terminated()], hours(deletions));
        assert_eq!(
            (world.state("7"), world.left("7").baseline),
            (State::Terminated, true),
            "deleted {deletions} times"
        );
    }
}

// ---- Others --------------------------------------------------------------------------------------------------------

#[test]
fn a_stranger_with_somebodys_address_gets_a_person_so_that_nothing_of_theirs_is_taken_for_the_others() {
    let mut world = over_sales(&[sales("7"), sales("8")]);
    let namesake = Employee { work_email: "7@Example.com".into(), ..support("9") };
    world.poll(&[sales("7").terminated(), sales("8"), namesake.clone(), support("10")], noon());
    assert_eq!((world.state("9"), world.has("10")), (State::OutOfScope, false));
    let again = world.plan(Some(&[sales("7").terminated(), sales("8"), namesake, support("10")]), noon());
    assert!(again.changes.is_empty());
}

#[test]
fn limits_are_a_share_of_the_people_in_scope() {
    let mut world = over_sales(&[sales("1"), sales("2"), sales("3")]);
    let plan = world.poll(&[support("1"), sales("2"), sales("3").terminated()], noon());
    assert_eq!(plan.runs.iter().map(|run| (run.leavers, run.people)).collect::<Vec<_>>(), [(1, 2)]);
}

#[test]
fn the_reasons_a_person_shows_fit_what_the_schema_takes() {
    let mut employment = over_sales(&[sales("7")]).entry("7").employment.clone();
    for out in Out::all() {
        for why in Why::ALL {
            for (state, of, leaves) in [(State::OutOfScope, Some(out), None), (State::Terminated, None, Some(out))] {
                (employment.state, employment.why, employment.out, employment.leaves_scope) = (state, why, of, leaves);
                assert!(employment.message().chars().count() <= 320, "{}", employment.message());
            }
        }
    }
}
