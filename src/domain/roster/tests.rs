mod scope;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::domain::employee::{Said, Status};
use crate::domain::scope::{Kind, Lists};

// ---- Words of the tests --------------------------------------------------------------------------------------------

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-03-10T12:00:00Z")
}

fn employee(id: &str) -> Employee {
    Employee::new(HrId(id.to_owned()), format!("Name {id}"), format!("{id}@example.com"), Said::Mapped(Status::Active))
}

/// Words that say one thing of an employee.
trait Words: Sized {
    fn said(self, said: Said) -> Self;
    fn last_day(self, day: &str) -> Self;
    fn start(self, day: &str) -> Self;
    fn location(self, location: &str) -> Self;
    fn department(self, department: &str) -> Self;
    fn terminated(self) -> Self {
        self.said(Said::Mapped(Status::Terminated))
    }
}

impl Words for Employee {
    fn said(self, said: Said) -> Self {
        Self { said, ..self }
    }
    fn last_day(self, day: &str) -> Self {
        Self { last_day: day.parse().ok(), ..self }
    }
    fn start(self, day: &str) -> Self {
        Self { start: day.parse().ok(), ..self }
    }
    fn location(self, location: &str) -> Self {
        Self { location: Some(location.into()), ..self }
    }
    fn department(self, department: &str) -> Self {
        Self { department: Some(department.into()), ..self }
    }
}

/// A policy, and the Persons as a cluster would keep them.
#[derive(Clone)]
struct World {
    known: BTreeMap<HrId, Known>,
    runs: Vec<Run>,
    baseline: Baseline,
    policy: &'static str,
    scope: Rc<Scope>,
}

impl World {
    /// Nobody is known, and the baseline is settled.
    fn settled() -> Self {
        let (known, runs, scope) = (BTreeMap::new(), Vec::new(), Rc::default());
        Self { known, runs, baseline: Baseline::Settled, policy: "everyone", scope }
    }

    /// These people are known, as of an earlier day.
    fn with(employees: &[Employee]) -> Self {
        let mut world = Self::settled();
        world.poll(employees, noon() - SignedDuration::from_hours(24 * 9));
        world
    }

    fn plan(&self, employees: Option<&[Employee]>, now: Timestamp) -> Plan {
        self.planned(employees, false, now)
    }

    fn planned(&self, employees: Option<&[Employee]>, part: bool, now: Timestamp) -> Plan {
        let by_location = BTreeMap::from([("Melbourne".to_owned(), "Australia/Melbourne".to_owned())]);
        let zones = Zones::new("Europe/Madrid", &by_location).unwrap();
        let known: Vec<Known> = self.known.values().cloned().collect();
        let rules = Rules {
            namespace: "rollcall",
            connection: "hq",
            policy: self.policy,
            policy_uid: "uid-1",
            zones: &zones,
            usernames: &|employee| vec![format!("oidc:{}", employee.work_email)],
            scope: &self.scope,
            runs: &self.runs,
            baseline: self.baseline,
        };
        next(&known, employees.map(|employees| Answer { employees, taken: now, part }), &rules, now)
    }

    /// Writes the runs, and as many of the changes as the process lives for.
    fn write(&mut self, plan: &Plan, changes: usize) {
        self.runs.clone_from(&plan.runs);
        for change in plan.changes.iter().take(changes) {
            let access = self.known.get(&change.id).map_or(Access::Stands, |known| known.access);
            let known = Known { id: change.id.clone(), entry: Some(change.entry.clone()), access };
            self.known.insert(change.id.clone(), known);
        }
        if changes >= plan.changes.len() {
            self.runs.iter_mut().for_each(|run| run.written = true);
        }
    }

    fn poll(&mut self, employees: &[Employee], now: Timestamp) -> Plan {
        let plan = self.plan(Some(employees), now);
        self.write(&plan, usize::MAX);
        plan
    }

    /// An answer that names only those of whom there is something new.
    fn changes(&mut self, employees: &[Employee], now: Timestamp) -> Plan {
        let plan = self.planned(Some(employees), true, now);
        self.write(&plan, usize::MAX);
        plan
    }

    fn midnight(&mut self, now: Timestamp) -> Plan {
        let plan = self.plan(None, now);
        self.write(&plan, usize::MAX);
        plan
    }

    fn entry(&self, id: &str) -> &Entry {
        self.known[&HrId(id.to_owned())].entry.as_ref().unwrap()
    }

    fn state(&self, id: &str) -> State {
        self.entry(id).standing.state
    }

    fn left(&self, id: &str) -> Left {
        self.entry(id).standing.left.clone().unwrap()
    }

    fn turn(&self, plan: &Plan, id: &str) -> Option<Turn> {
        plan.changes.iter().find(|change| change.id.0 == id).and_then(|change| change.turn)
    }
}

fn people(ids: std::ops::RangeInclusive<u32>) -> Vec<Employee> {
    ids.map(|id| employee(&id.to_string())).collect()
}

fn gone(ids: std::ops::RangeInclusive<u32>) -> Vec<Employee> {
    people(ids).into_iter().map(Words::terminated).collect()
}

// ---- Who left, and when --------------------------------------------------------------------------------------------

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
        let mut world = World::with(&[employee("7")]);
        let plan = world.poll(&[leaver], noon());
        let run = Some(plan.runs[0].id.clone());
        assert_eq!(world.left("7"), Left { run, baseline: false, effective, seen: noon() }, "{what}");
        assert_eq!(world.turn(&plan, "7"), Some(Turn::Terminated), "{what}");
    }
}

#[test]
fn an_announced_last_day_cuts_at_its_midnight_there_although_no_answer_is_believed_any_more() {
    for (location, end) in [("Madrid", "2026-03-12T23:00:00Z"), ("Melbourne", "2026-03-12T13:00:00Z")] {
        let mut world = World::with(&[employee("7")]);
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
    let mut world = World::with(&[employee("7")]);
    world.poll(&[employee("7").last_day("2026-03-08")], noon());
    assert_eq!(world.state("7"), State::Unknown);
}

#[test]
fn a_new_last_day_announces_anew_and_a_cleared_one_withdraws() {
    let mut world = World::with(&[employee("7")]);
    world.poll(&[employee("7").last_day("2026-03-12")], noon());
    world.poll(&[employee("7").last_day("2026-03-20")], noon());
    world.midnight(at("2026-03-15T12:00:00Z"));
    assert_eq!(world.state("7"), State::Active, "the earlier day no longer stands");
    world.poll(&[employee("7")], at("2026-03-16T12:00:00Z"));
    world.midnight(at("2026-03-25T12:00:00Z"));
    assert_eq!(world.state("7"), State::Active, "no day stands");
}

#[test]
fn absence_is_never_a_termination() {
    let mut world = World::with(&people(1..=3));
    let before = world.clone();
    let plan = world.poll(&people(1..=1), noon());
    assert_eq!(plan.missing, 2);
    for id in ["2", "3"] {
        assert_eq!(world.entry(id).missing_since, Some(noon()));
        assert_eq!(world.entry(id).standing, before.entry(id).standing);
    }
    world.poll(&people(1..=3), noon() + SignedDuration::from_hours(1));
    assert_eq!(world.entry("2").missing_since, None, "named again");
}

#[test]
fn whoever_vanishes_after_an_announced_last_day_leaves_on_it_and_nobody_else_does() {
    let day = at("2026-03-13T12:00:00Z");
    let mut world = World::with(&people(1..=2));
    world.poll(&[employee("1").last_day("2026-03-12"), employee("2")], noon());
    world.poll(&[employee("3")], noon() + SignedDuration::from_hours(1));
    world.poll(&[employee("3")], day);
    assert_eq!((world.state("1"), world.state("2")), (State::Terminated, State::Active));
}

#[test]
fn an_unknown_status_holds() {
    let mut world = World::with(&people(1..=1));
    world.poll(&[employee("1").said(Said::Unmapped)], noon());
    assert_eq!(world.state("1"), State::Unknown);
}

#[test]
fn a_state_is_older_than_its_reasons() {
    let mut world = World::with(&people(1..=1));
    let since = world.entry("1").standing.since;
    world.poll(&[employee("1").last_day("2026-04-01")], noon());
    assert_eq!(world.entry("1").standing.since, since);
    world.poll(&gone(1..=1), noon());
    assert_eq!(world.entry("1").standing.since, noon());
}

#[test]
fn a_termination_ends_only_with_another_statement() {
    let later = noon() + SignedDuration::from_hours(1);
    let mut world = World::with(&[employee("7")]);
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
        ("the same employment", employee("7"), Turn::Withdrawn),
        ("a new first day", employee("7").start("2026-03-10").last_day("2026-03-01"), Turn::Rehired),
    ];
    for (what, back, turn) in cases {
        let mut world = World::with(&[employee("7")]);
        world.poll(&[employee("7").terminated()], noon());
        let renamed = Employee { work_email: "seven@example.com".into(), ..back };
        let plan = world.poll(&[renamed], noon());
        assert_eq!((world.state("7"), world.turn(&plan, "7")), (State::Active, Some(turn)), "{what}");
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
fn an_id_that_names_another_human_holds_and_takes_nothing_over() {
    let ada = employee("7").start("2020-01-01");
    let changed = |name: &str, address: &str, start: &str| Employee {
        name: name.into(),
        work_email: format!("{address}@example.com"),
        ..employee("7").start(start)
    };
    let cases = [
        ("name, address and first day", changed("Ben", "ben", "2026-03-01"), State::Unknown),
        ("name and address: a marriage", changed("Ben", "ben", "2020-01-01"), State::Active),
        ("first day only: a correction", changed("Name 7", "7", "2020-02-01"), State::Active),
    ];
    for (what, new, expected) in cases {
        let mut world = World::with(std::slice::from_ref(&ada));
        let plan = world.poll(&[new], noon());
        assert_eq!(world.state("7"), expected, "{what}");
        let conflicting = expected == State::Unknown;
        assert_eq!(world.turn(&plan, "7") == Some(Turn::Conflicting), conflicting, "{what}");
        assert_eq!(world.entry("7").aliases.contains(&"email:ben@example.com".to_owned()), what.contains("marriage"));
        world.midnight(noon() + SignedDuration::from_hours(48));
        assert_eq!(world.state("7"), expected, "{what}: also after midnight");
    }
}

#[test]
fn a_manager_is_found_by_address_or_id_if_it_is_one_person() {
    let by = |manager: Manager| Employee { manager: Some(manager), ..employee("1") };
    let twins = [employee("3"), Employee { work_email: "3@example.com".into(), ..employee("4") }];
    let cases = [
        ("the address", by(Manager::Email("2@Example.com".into())), Some("2")),
        ("the id", by(Manager::Id(HrId("2".into()))), Some("2")),
        ("an address two people have", by(Manager::Email("3@example.com".into())), None),
        ("nobody of the answer", by(Manager::Id(HrId("9".into()))), None),
    ];
    for (what, person, expected) in cases {
        let mut world = World::settled();
        world.poll(&[vec![person, employee("2")], twins.to_vec()].concat(), noon());
        let expected = expected.map(|id| person_name("rollcall", "hq", &HrId(id.into())));
        assert_eq!(world.entry("1").profile.manager, expected, "{what}");
    }
}

#[test]
fn locations_nobody_mapped_are_counted_in_people() {
    let world = World::settled();
    let people = [employee("1").location("Melbourne"), employee("2").location("Oslo"), employee("3").location(" ")];
    assert_eq!(world.plan(Some(&people), noon()).unmatched, Some(1));
    assert_eq!(world.plan(None, noon()).unmatched, None);
}

#[test]
fn a_persons_name_is_minted_from_namespace_connection_and_id() {
    let name = person_name("rollcall", "hq", &HrId("7".into()));
    assert_eq!(name.len(), 28);
    assert!(name.starts_with("p-") && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
    let others = [("other", "hq", "7"), ("rollcall", "okta", "7"), ("rollcall", "hq", "8")];
    for (namespace, connection, id) in others {
        assert_ne!(name, person_name(namespace, connection, &HrId(id.into())));
    }
}

#[test]
fn aliases_are_bounded_and_what_holds_now_stays() {
    let mut world = World::with(&[employee("7")]);
    for number in 0..80 {
        let moved = Employee { work_email: format!("a{number}@example.com"), ..employee("7") };
        world.poll(&[moved], noon());
    }
    let again = Employee { work_email: "a79@example.com".into(), ..employee("7") };
    assert_eq!(world.entry("7").aliases.len(), 64);
    assert!(world.entry("7").aliases.contains(&"email:a79@example.com".to_owned()));
    assert!(world.plan(Some(&[again]), noon()).changes.is_empty());
}

// ---- Baselines -----------------------------------------------------------------------------------------------------

#[test]
fn a_baseline_is_what_was_settled_for_the_same_fingerprint() {
    let cases = [
        ("the first answer", None, Some("a"), true, Baseline::Now),
        ("no answer yet", None, Some("a"), false, Baseline::Awaited),
        ("the same", Some("a"), Some("a"), true, Baseline::Settled),
        ("the same after a start, before an answer", Some("a"), Some("a"), false, Baseline::Settled),
        ("another one", Some("a"), Some("b"), true, Baseline::Now),
        ("another one, before an answer", Some("a"), Some("b"), false, Baseline::Awaited),
        ("nothing to compare with", Some("a"), None, false, Baseline::Awaited),
    ];
    for (what, settled, current, answered, expected) in cases {
        assert_eq!(Baseline::of(settled, current, answered), expected, "{what}");
    }
}

#[test]
fn every_termination_is_a_story_of_its_own() {
    let (first, second) = (at("2026-03-10T12:00:00Z"), at("2026-05-01T00:00:00Z"));
    assert_eq!(story_prefix("p-1", first), "p-1-b413ba2f");
    assert_ne!(story_prefix("p-1", first), story_prefix("p-1", second));
}

#[test]
fn leavers_of_a_baseline_need_approval_and_so_do_those_whose_access_still_stands() {
    let mut world = World::with(&people(1..=5));
    world.poll(&[gone(1..=3), people(4..=5)].concat(), noon());
    world.known.get_mut(&HrId("2".into())).unwrap().access = Access::Refused;
    world.known.get_mut(&HrId("3".into())).unwrap().access = Access::Ending;
    world.baseline = Baseline::Now;
    let plan = world.poll(&[gone(1..=4), people(5..=5)].concat(), noon());
    let marked: Vec<_> = ["1", "2", "3", "4"].map(|id| world.left(id).baseline).into();
    assert_eq!(marked, [true, false, false, true], "1 stood, 2 is refused already, 3 is half done, 4 is new");
    assert_eq!(plan.baseline_leavers, 2);
    world.baseline = Baseline::Settled;
    world.poll(&gone(1..=5), noon());
    assert!(!world.left("5").baseline, "later leavers act by themselves");
}

#[test]
fn before_a_baseline_nobody_becomes_a_leaver_and_standing_ones_wait() {
    let mut world = World::with(&people(1..=2));
    world.poll(&[employee("1").terminated(), employee("2").last_day("2026-03-12")], noon());
    world.baseline = Baseline::Awaited;
    world.midnight(at("2026-03-13T12:00:00Z"));
    assert_eq!(world.state("2"), State::Active);
    assert!(world.left("1").baseline);
}

#[test]
fn a_person_first_seen_as_a_leaver_gets_a_person_and_a_run() {
    let mut world = World { baseline: Baseline::Now, ..World::settled() };
    let plan = world.poll(&[gone(1..=1), people(2..=10)].concat(), noon());
    assert_eq!(world.left("1").run.as_deref(), Some(plan.runs[0].id.as_str()));
    assert_eq!((plan.runs[0].leavers, plan.runs[0].people), (1, 10));
}

// ---- Runs ----------------------------------------------------------------------------------------------------------

#[test]
fn six_at_once_are_one_run_and_the_seventh_is_the_next() {
    let mut world = World::with(&people(1..=10));
    let plan = world.poll(&[gone(1..=6), people(7..=10)].concat(), noon());
    assert_eq!(plan.runs.iter().map(|run| (run.leavers, run.people)).collect::<Vec<_>>(), [(6, 10)]);
    assert!(plan.changes.iter().all(|change| change.leaver));
    let plan = world.poll(&[gone(1..=7), people(8..=10)].concat(), noon());
    assert_eq!(plan.runs.iter().map(|run| (run.leavers, run.people)).collect::<Vec<_>>(), [(6, 10), (1, 4)]);
    assert_ne!(plan.runs[0].id, plan.runs[1].id);
}

#[test]
fn leavers_are_written_first_then_whoever_turned_then_the_rest() {
    let mut world = World::with(&people(1..=3));
    world.poll(&[gone(1..=1), people(2..=3)].concat(), noon());
    let renamed = Employee { title: Some("Clerk".into()), ..employee("3") };
    let plan = world.plan(Some(&[employee("0"), employee("1"), employee("2").terminated(), renamed]), noon());
    let order: Vec<_> = plan.changes.iter().map(|change| change.id.0.as_str()).collect();
    assert_eq!(order, ["2", "1", "0", "3"]);
}

#[test]
fn a_crash_after_any_number_of_writes_ends_in_one_run_that_counts_them_all() {
    let all = [gone(1..=6), people(7..=10)].concat();
    for written in 0..=6 {
        let mut world = World::with(&people(1..=10));
        let cut_short = world.plan(Some(&all), noon());
        world.write(&cut_short, written);
        world.runs.iter_mut().for_each(|run| run.written = false);
        let plan = world.poll(&all, noon() + SignedDuration::from_secs(30));
        let counted: Vec<_> = plan.runs.iter().map(|run| run.leavers).collect();
        assert_eq!(counted, [6], "after {written}");
        let runs: BTreeSet<_> = (1..=6).map(|id| world.left(&id.to_string()).run).collect();
        assert_eq!(runs, BTreeSet::from([Some(cut_short.runs[0].id.clone())]), "after {written}");
        let again = world.plan(Some(&all), noon() + SignedDuration::from_secs(60));
        assert!(again.changes.is_empty(), "after {written}");
    }
}

#[test]
fn leavers_seen_after_a_crash_join_the_run_it_left_open() {
    let mut world = World::with(&people(1..=10));
    let cut_short = world.plan(Some(&[gone(1..=3), people(4..=10)].concat()), noon());
    world.write(&cut_short, 1);
    let plan = world.poll(&[gone(1..=5), people(6..=10)].concat(), noon());
    assert_eq!(plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(), [5]);
}

#[test]
fn a_withdrawn_or_deleted_member_lowers_the_run_so_that_it_can_be_complete() {
    let mut world = World::with(&people(1..=10));
    world.poll(&[gone(1..=3), people(4..=10)].concat(), noon());
    let plan = world.poll(&[gone(1..=2), people(3..=10)].concat(), noon());
    assert_eq!(plan.runs[0].leavers, 2, "withdrawn");
    world.known.remove(&HrId("1".into()));
    assert_eq!(world.plan(None, noon()).runs[0].leavers, 1, "deleted, and not named yet");
}

#[test]
fn a_person_made_again_never_slips_into_a_run_that_was_counted() {
    let all = [gone(1..=3), people(4..=10)].concat();
    let mut world = World::with(&people(1..=10));
    world.poll(&all, noon());
    world.known.remove(&HrId("1".into()));
    let plan = world.poll(&all, noon() + SignedDuration::from_secs(30));
    assert_eq!(plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn another_policy_counts_inherited_leavers_anew_while_their_access_stands() {
    let all = [gone(1..=3), people(4..=10)].concat();
    let mut world = World::with(&people(1..=10));
    world.poll(&all, noon());
    world.known.get_mut(&HrId("2".into())).unwrap().access = Access::Refused;
    world.known.get_mut(&HrId("3".into())).unwrap().access = Access::Ending;
    let foreign = std::mem::take(&mut world.runs);
    world.policy = "successor";
    world.baseline = Baseline::Now;
    let later = noon() + SignedDuration::from_hours(1);
    let plan = world.poll(&all, later);
    assert_eq!(plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(), [1]);
    assert_ne!(world.left("1").run, Some(foreign[0].id.clone()));
    assert_eq!((world.left("1").seen, world.left("1").effective), (later, noon()), "a story of its own");
    for (id, what) in [("2", "refused already"), ("3", "half done")] {
        let left = world.left(id);
        assert_eq!((left.run, left.seen, left.baseline), (Some(foreign[0].id.clone()), noon(), false), "{what}");
    }
}

#[test]
fn twenty_runs_are_kept_and_those_whose_access_is_refused_go_first() {
    let mut world = World::with(&people(1..=40));
    for leaver in 1..=20 {
        world.poll(&[gone(1..=leaver), people(leaver + 1..=40)].concat(), noon());
    }
    world.known.get_mut(&HrId("5".into())).unwrap().access = Access::Refused;
    let plan = world.poll(&[gone(1..=21), people(22..=40)].concat(), noon());
    let kept: BTreeSet<_> = plan.runs.iter().map(|run| Some(run.id.clone())).collect();
    assert_eq!(plan.runs.len(), MOST_RUNS);
    assert!(!kept.contains(&world.left("5").run) && kept.contains(&world.left("1").run));
    let plan = world.poll(&[gone(1..=22), people(23..=40)].concat(), noon());
    let kept: BTreeSet<_> = plan.runs.iter().map(|run| Some(run.id.clone())).collect();
    assert!(!kept.contains(&world.left("1").run), "then the oldest");
}

// ---- Whatever comes ------------------------------------------------------------------------------------------------

// ---- Answers that name only some ----------------------------------------------------------------------------------

#[test]
fn whom_changes_do_not_name_is_as_before_and_not_missing() {
    let mut world = World::with(&people(1..=4));
    let before = [world.entry("2").clone(), world.entry("3").clone()];
    let plan = world.changes(&[employee("1").terminated(), employee("5")], noon());
    assert_eq!((world.state("1"), world.state("5")), (State::Terminated, State::Active));
    assert_eq!(plan.missing, 0);
    assert!([world.entry("2").clone(), world.entry("3").clone()] == before);
    assert!(
        world.changes(&[employee("1").terminated(), employee("5")], noon()).changes.is_empty(),
        "the same, once more"
    );
    assert!(world.changes(&[], noon()).changes.is_empty(), "a day on which nothing happened");
}

#[test]
fn a_last_day_that_changes_announced_comes_although_later_ones_do_not_name_the_person() {
    let mut world = World::with(&people(1..=3));
    world.changes(&[employee("1").last_day("2026-03-10")], noon());
    assert_eq!(world.state("1"), State::Active);
    world.changes(&[employee("2")], at("2026-03-11T12:00:00Z"));
    assert_eq!(world.state("1"), State::Terminated);
}

#[test]
fn a_manager_of_whom_changes_say_nothing_is_found_among_those_who_are_known() {
    let mut world = World::with(&people(1..=4));
    let manager = |manager| Employee { manager: Some(manager), ..employee("1") };
    for (situation, named, expected) in [
        ("by address", Manager::Email("2@EXAMPLE.com".to_owned()), Some("2")),
        ("by id", Manager::Id(HrId("3".to_owned())), Some("3")),
        ("nobody's address", Manager::Email("9@example.com".to_owned()), None),
        ("nobody's id", Manager::Id(HrId("9".to_owned())), None),
    ] {
        world.changes(&[manager(named)], noon());
        let expected = expected.map(|id| person_name("rollcall", "hq", &HrId(id.to_owned())));
        assert_eq!(world.entry("1").profile.manager, expected, "{situation}");
    }
}

#[test]
fn changes_say_nothing_of_the_locations_of_others() {
    let mut world = World::with(&people(1..=2));
    assert_eq!(world.changes(&[employee("1").location("Melbourne")], noon()).unmatched, None);
    assert_eq!(world.changes(&[employee("1").location("Atlantis")], noon()).unmatched, Some(1));
}

fn any_employee() -> impl Strategy<Value = Employee> {
    let said = prop_oneof![
        Just(Said::Mapped(Status::Active)),
        Just(Said::Mapped(Status::Terminated)),
        Just(Said::Mapped(Status::Leave)),
        Just(Said::Unmapped),
        Just(Said::Silent),
    ];
    let day = || proptest::option::of((1_i8..=20).prop_map(|day| jiff::civil::date(2026, 3, day)));
    let place = proptest::option::of(prop_oneof![Just("Melbourne"), Just("Oslo")]);
    let of = proptest::option::of(prop_oneof![Just("Sales"), Just("Support")]);
    (0_u32..12, said, day(), day(), place, of, 0_u32..3).prop_map(
        |(id, said, start, last_day, location, of, version)| Employee {
            said,
            start,
            last_day,
            location: location.map(Into::into),
            department: of.map(Into::into),
            name: format!("Name {id} {}", version % 2),
            work_email: format!("{id}-{version}@example.com"),
            ..employee(&id.to_string())
        },
    )
}

/// Answers as the gate lets them through: every id once.
fn any_answer() -> impl Strategy<Value = Option<Vec<Employee>>> {
    let people = proptest::collection::vec(any_employee(), 0..10).prop_map(|people| {
        let by_id: BTreeMap<_, _> = people.into_iter().map(|employee| (employee.id.clone(), employee)).collect();
        by_id.into_values().collect()
    });
    proptest::option::of(people)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Answers, midnights and crashes in any order.
    #[test]
    fn whatever_comes_a_second_pass_changes_nothing_and_every_run_is_complete(
        story in proptest::collection::vec((any_answer(), 0_i64..40, 0_usize..12, 0_u8..3), 1..8)
    ) {
        let mut world = World::settled();
        let mut now = at("2026-03-05T00:00:00Z");
        for (answer, hours, crash_after, baseline) in story {
            now += SignedDuration::from_hours(hours);
            world.baseline = match (baseline, &answer) {
                (0, Some(_)) => Baseline::Now,
                (0, None) => Baseline::Awaited,
                _ => Baseline::Settled,
            };
            let cut_short = world.plan(answer.as_deref(), now);
            world.write(&cut_short, crash_after);
            let before = world.clone();
            let plan = world.plan(answer.as_deref(), now);
            world.write(&plan, usize::MAX);

            for change in &plan.changes {
                let named = answer.iter().flatten().find(|employee| employee.id == change.id);
                let left = |entry: &Entry| entry.standing.state == State::Terminated;
                let was = before.known.get(&change.id).and_then(|known| known.entry.as_ref()).is_some_and(left);
                if left(&change.entry) && !was {
                    let facts = change.entry.facts;
                    let said = facts.said == Said::Mapped(Status::Terminated);
                    prop_assert!(said || facts.last_day.is_some(), "a positive statement");
                    prop_assert!(named.is_some() || facts.announced.is_some() || said || facts.said == Said::Silent);
                    prop_assert!(world.baseline != Baseline::Awaited);
                }
            }
            for run in &plan.runs {
                let carried = world.known.values().filter(|known| {
                    let left = known.entry.as_ref().and_then(|entry| entry.standing.left.as_ref());
                    left.is_some_and(|left| left.run.as_ref() == Some(&run.id))
                });
                prop_assert_eq!(carried.count(), run.leavers as usize);
            }
            let again = world.plan(answer.as_deref(), now);
            prop_assert!(again.changes.is_empty(), "{:?}", again.changes);
            prop_assert_eq!(&again.runs, &world.runs);
        }
    }
}
