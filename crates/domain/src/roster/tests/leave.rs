//! A leave that the policy acts on, from its first day to the return.

use super::*;

fn on_leave(id: &str) -> Employee {
    employee(id).reported_status(ReportedStatus::Mapped(Status::Leave))
}

fn suspended(id: &str) -> Employee {
    employee(id).reported_status(ReportedStatus::Mapped(Status::Suspended))
}

fn unmapped(id: &str) -> Employee {
    employee(id).reported_status(ReportedStatus::Unmapped)
}

impl ClusterInventory {
    fn freezing(employees: &[Employee]) -> Self {
        let mut world = Self::with(employees);
        world.terms.acts_on_leave = true;
        world
    }

    fn leave(&self, id: &str) -> Option<OnLeave> {
        self.entry(id).leave.as_deref().cloned()
    }
}

fn later(hours: i64) -> Timestamp {
    noon() + SignedDuration::from_hours(hours)
}

#[test]
fn a_leave_begins_counted_in_the_run_of_its_pass_and_stays_as_it_was_written() {
    let mut world = ClusterInventory::freezing(&people(1..=9));
    let mut response: Vec<Employee> = people(3..=9);
    response.extend([on_leave("1"), employee("2").terminated()]);
    let plan = world.poll(&response, noon());
    assert_eq!((plan.runs.len(), plan.runs[0].leavers), (1, 2), "one run counts both");
    let run = Some(plan.runs[0].id.clone());
    let first = OnLeave { run, baseline: false, seen: noon() };
    assert_eq!(world.leave("1"), Some(first.clone()));
    assert_eq!(world.poll(&response, later(1)).changes, [], "the same again is nothing to write");
    world.poll(&[suspended("1")], later(2));
    assert_eq!(world.leave("1"), Some(first), "Suspended goes on with the same leave");
}

#[test]
fn a_leave_is_nothing_where_the_policy_keeps_access() {
    let mut world = ClusterInventory::with(&people(1..=9));
    let plan = world.poll(&[on_leave("1")], noon());
    assert_eq!((world.leave("1"), plan.runs.len(), world.state("1")), (None, 0, State::Leave));
}

#[test]
fn only_a_word_that_they_work_here_ends_a_leave() {
    type Then = fn(&mut ClusterInventory, Timestamp);
    let cases: [(&str, Then, bool); 8] = [
        ("works here", |world, now| drop(world.poll(&[employee("1")], now)), false),
        (
            "out of scope",
            |world, now| {
                world.scope =
                    Arc::new(Scope::new(Lists::default(), Lists::default().of(Kind::Person, ["1"]), None).unwrap());
                drop(world.poll(&[on_leave("1")], now));
            },
            false,
        ),
        (
            "the policy keeps access by now",
            |world, now| {
                world.terms.acts_on_leave = false;
                drop(world.poll(&[on_leave("1")], now));
            },
            false,
        ),
        ("an unmapped word", |world, now| drop(world.poll(&[unmapped("1")], now)), true),
        ("vanished", |world, now| drop(world.poll(&[employee("2")], now)), true),
        ("no response", |world, now| drop(world.midnight(now)), true),
        ("has left", |world, now| drop(world.poll(&[employee("1").terminated()], now)), true),
        (
            "a stale source",
            |world, now| {
                world.stale = true;
                drop(world.poll(&[on_leave("1")], now));
            },
            true,
        ),
    ];
    for (what, then, stays) in cases {
        let mut world = ClusterInventory::freezing(&[employee("1"), employee("2")]);
        world.poll(&[on_leave("1"), employee("2")], noon());
        let before = world.leave("1").unwrap();
        then(&mut world, later(1));
        assert_eq!(world.leave("1").as_ref(), Some(&before).filter(|_| stays), "{what}");
    }
}

#[test]
fn a_leave_of_somebody_who_leaves_out_of_scope_needs_approval() {
    let mut world = ClusterInventory::freezing(&[employee("1").department("Sales")]);
    world.scope =
        Arc::new(Scope::new(Lists::default().of(Kind::Department, ["Sales"]), Lists::default(), None).unwrap());
    world.poll(&[employee("1").terminated().last_day("2026-03-20")], noon());
    assert!(world.entry("1").employment.leaves_scope.is_some() && world.leave("1").is_none());
    let (from, until) = (noon(), later(48));
    let person = world.known.get_mut(&HrId("1".into())).unwrap();
    person.declared = Some(Declared { says: Says::Leave, from, last_day: None, until });
    world.midnight(later(1));
    assert!(
        world.leave("1").unwrap().baseline,
        "a human says that they are on leave, and HR that they are out of scope"
    );
}

#[test]
fn a_leave_after_a_return_is_another_one() {
    let mut world = ClusterInventory::freezing(&[employee("1")]);
    world.poll(&[on_leave("1")], noon());
    world.poll(&[employee("1")], later(1));
    let plan = world.poll(&[on_leave("1")], later(2));
    assert_eq!(world.leave("1").unwrap().seen, later(2));
    assert_eq!(
        plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(),
        [1],
        "the first run counts nobody any more"
    );
}

#[test]
fn what_cannot_be_told_begins_no_leave() {
    let mut world = ClusterInventory::freezing(&[employee("1")]);
    world.stale = true;
    world.poll(&[on_leave("1")], noon());
    assert_eq!((world.state("1"), world.leave("1")), (State::Leave, None), "another source might say that they work");
    world.stale = false;
    world.poll(&[unmapped("1")], later(1));
    assert_eq!(world.leave("1"), None);
}

#[test]
fn who_was_on_leave_before_anybody_looked_needs_approval() {
    let approval = |world: &ClusterInventory| world.leave("1").map(|leave| leave.baseline);
    let mut world = ClusterInventory::freezing(&[employee("2")]);
    world.poll(&[on_leave("1"), employee("2")], noon());
    assert_eq!(approval(&world), Some(true), "first seen on leave");

    let mut world = ClusterInventory::freezing(&[employee("1")]);
    world.baseline = Baseline::Now;
    world.poll(&[on_leave("1")], noon());
    assert_eq!(approval(&world), Some(true), "with a baseline");

    let mut world = ClusterInventory::freezing(&[employee("1")]);
    world.poll(&[on_leave("1")], noon());
    assert_eq!(approval(&world), Some(false));
    world.baseline = Baseline::Awaited;
    world.midnight(later(1));
    assert_eq!(approval(&world), Some(true), "what is not frozen by then needs approval after a change of the policy");

    let mut world = ClusterInventory::freezing(&[employee("1")]);
    world.poll(&[on_leave("1")], noon());
    world.policy = "another";
    world.poll(&[on_leave("1")], later(1));
    let leave = world.leave("1").unwrap();
    assert_eq!((leave.baseline, leave.seen), (true, later(1)), "another policy has not seen them go");
}

#[test]
fn who_leaves_while_on_leave_is_counted_by_both_runs() {
    let mut world = ClusterInventory::freezing(&people(1..=9));
    let first = world.poll(&[on_leave("1")], noon()).runs[0].id.clone();
    let plan = world.poll(&[employee("1").terminated()], later(1));
    assert_eq!(plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(world.leave("1").unwrap().run, Some(first));
    assert_ne!(world.left("1").run, world.leave("1").unwrap().run);
}

#[test]
fn a_crash_between_the_run_and_its_people_counts_a_leave_once() {
    let mut world = ClusterInventory::freezing(&people(1..=9));
    let plan = world.plan(Some(&[on_leave("1"), on_leave("2")]), noon());
    world.write(&plan, 1);
    let plan = world.poll(&[on_leave("1"), on_leave("2")], later(1));
    assert_eq!(plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(), [2], "the run that was open goes on");
}

#[test]
fn a_leaver_who_is_on_leave_after_all_needs_approval() {
    let mut world = ClusterInventory::freezing(&people(1..=9));
    let mut response: Vec<Employee> = people(2..=9);
    response.push(employee("1").terminated());
    world.poll(&response, noon());
    assert_eq!((world.state("1"), world.leave("1")), (State::Terminated, None));
    response.pop();
    response.push(on_leave("1"));
    world.poll(&response, later(1));
    assert_eq!((world.state("1"), world.leave("1").map(|leave| leave.baseline)), (State::Leave, Some(true)));
}
