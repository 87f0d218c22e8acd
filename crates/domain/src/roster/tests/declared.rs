//! What a human declares, what is urgent, and when a last day is over.

use super::*;

impl ClusterInventory {
    fn declare(&mut self, id: &str, declared: Option<Declared>) {
        self.known.get_mut(&HrId(id.into())).unwrap().declared = declared;
    }
}

fn until(text: &str, last_day: Option<&str>) -> Declared {
    Declared {
        says: Says::Leaves,
        from: Timestamp::MIN,
        until: at(text),
        last_day: last_day.map(|day| day.parse().unwrap()),
    }
}

#[test]
fn whoever_is_declared_to_have_left_has_left_whatever_hr_says_until_the_word_ends() {
    let mut world = ClusterInventory::with(&people(1..=3));
    world.stale = true;
    world.declare("2", Some(until("2026-03-20T00:00:00Z", None)));
    let plan = world.poll(&people(1..=3), noon());
    assert_eq!((world.state("2"), world.event(&plan, "2")), (State::Terminated, Some(LifecycleEvent::Terminated)));
    let left = world.left("2");
    assert_eq!((left.baseline, left.announced, left.effective, left.seen), (false, false, noon(), noon()));
    assert_eq!(plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(), [1], "counted like every other");
    assert_eq!(plan.wake, Some(at("2026-03-20T00:00:00Z")));

    assert!(world.poll(&people(1..=3), noon() + SignedDuration::from_hours(1)).changes.is_empty());
    let confirmed: Vec<_> = vec![employee("1"), employee("2").terminated(), employee("3")];
    world.poll(&confirmed, noon() + SignedDuration::from_hours(2));
    world.midnight(at("2026-03-21T00:00:00Z"));
    assert_eq!((world.state("2"), world.left("2").seen), (State::Terminated, noon()), "HR said so too: the same exit");

    let back = world.poll(&people(1..=3), at("2026-03-21T01:00:00Z"));
    assert_eq!((world.state("2"), world.event(&back, "2")), (State::Active, Some(LifecycleEvent::Withdrawn)));
}

#[test]
fn a_word_that_hr_never_confirms_ends_and_the_person_works_here_again() {
    let mut world = ClusterInventory::with(&people(1..=3));
    world.declare("2", Some(until("2026-03-20T00:00:00Z", None)));
    world.midnight(noon());
    assert_eq!(world.state("2"), State::Terminated, "without an answer, too");
    let back = world.midnight(at("2026-03-20T00:00:00Z"));
    assert_eq!((world.state("2"), world.event(&back, "2")), (State::Active, Some(LifecycleEvent::Withdrawn)));
    world.declare("3", Some(until("2026-03-25T00:00:00Z", None)));
    world.midnight(at("2026-03-21T00:00:00Z"));
    world.declare("3", None);
    world.midnight(at("2026-03-21T01:00:00Z"));
    assert_eq!(world.state("3"), State::Active, "taken back");
}

#[test]
fn a_declared_last_day_takes_effect_when_it_is_over() {
    let mut world = ClusterInventory::with(&people(1..=3));
    world.declare("2", Some(until("2026-04-20T00:00:00Z", Some("2026-03-10"))));
    let plan = world.midnight(noon());
    assert_eq!((world.state("2"), plan.wake), (State::Active, Some(at("2026-03-10T23:00:00Z"))));
    world.midnight(at("2026-03-10T23:00:00Z"));
    assert_eq!((world.state("2"), world.left("2").effective), (State::Terminated, at("2026-03-10T23:00:00Z")));
    assert_eq!(world.entry("2").employment.last_day, "2026-03-10".parse().ok());
}

#[test]
fn nobody_out_of_scope_is_declared_to_have_left() {
    let mut world = ClusterInventory::with(&people(1..=3));
    world.scope = Arc::new(Scope::new(Lists::default(), Lists::default().of(Kind::Person, ["2"]), None).unwrap());
    world.declare("2", Some(until("2026-03-20T00:00:00Z", None)));
    world.poll(&people(1..=3), noon());
    assert_eq!(world.state("2"), State::OutOfScope);
}

#[test]
fn what_is_urgent_does_not_wait_for_its_last_day() {
    let ends = |id: &str, urgent| Employee { urgent, ..employee(id).terminated().last_day("2026-03-31") };
    let mut world = ClusterInventory::with(&people(1..=3));
    world.poll(&[ends("1", true), ends("2", false), employee("3")], noon());
    assert_eq!((world.state("1"), world.left("1").effective), (State::Terminated, noon()));
    assert_eq!((world.state("2"), world.entry("2").employment.why), (State::Active, Why::TerminatedLater));
}

#[test]
fn a_last_day_ends_when_the_policy_says() {
    let leaves = [employee("1").last_day("2026-03-10"), employee("2")];
    for (end, before, over) in [
        (DayEnd::At(jiff::civil::time(18, 0, 0, 0)), "2026-03-10T16:59:59Z", "2026-03-10T17:00:00Z"),
        (DayEnd::After(SignedDuration::from_hours(4)), "2026-03-11T02:59:59Z", "2026-03-11T03:00:00Z"),
    ] {
        let mut world = ClusterInventory::with(&leaves);
        world.day_end = end;
        let plan = world.midnight(at(before));
        assert_eq!((world.state("1"), plan.wake), (State::Active, Some(at(over))), "{end:?}");
        world.midnight(at(over));
        assert_eq!((world.state("1"), world.left("1").effective), (State::Terminated, at(over)), "{end:?}");
    }
}

#[test]
fn whoever_is_declared_to_work_here_works_here_until_the_word_ends_and_then_hr_counts_again() {
    let left = [employee("1"), employee("2").terminated(), employee("3")];
    let word = |says| Declared { says, from: noon(), last_day: None, until: at("2026-03-20T00:00:00Z") };
    for (says, state, why) in [
        (Says::Active, State::Active, Why::DeclaredActive),
        (Says::Leave, State::Leave, Why::DeclaredLeave),
        (Says::Suspended, State::Suspended, Why::DeclaredSuspended),
    ] {
        let mut world = ClusterInventory::with(&people(1..=3));
        world.declare("2", Some(word(says)));
        let plan = world.poll(&left, noon());
        let EmploymentState { state: is, why: because, .. } = world.entry("2").employment;
        assert_eq!((is, because, plan.kept_by_word), (state, why, 1));
        assert!(plan.runs.is_empty(), "nobody is counted");
        assert_eq!(plan.wake, Some(at("2026-03-20T00:00:00Z")));
        let ended = world.midnight(at("2026-03-20T00:00:00Z"));
        assert_eq!((world.state("2"), world.event(&ended, "2")), (State::Terminated, Some(LifecycleEvent::Terminated)));
        let seen = world.left("2");
        assert_eq!(
            (seen.seen, seen.baseline),
            (at("2026-03-20T00:00:00Z"), false),
            "counted from now, without an answer"
        );
        assert_eq!((ended.runs.len(), ended.kept_by_word), (1, 0));
    }
}

#[test]
fn a_word_that_somebody_stays_does_not_hide_that_nobody_saw_them_leave() {
    let word = Declared { says: Says::Active, from: noon(), last_day: None, until: at("2026-03-20T00:00:00Z") };
    let left = [employee("1"), employee("2").terminated(), employee("3")];
    for (what, scopes, policy, baseline) in [
        ("in the scope of their policy", 1, "everyone", false),
        ("in the scope of two policies", 2, "everyone", true),
        ("another policy's", 1, "another", true),
    ] {
        let mut world = ClusterInventory::with(&people(1..=3));
        world.contested = (1..scopes).map(|_| HrId("2".into())).collect();
        if scopes > 1 {
            world.poll(&left, noon());
            assert_eq!(world.entry("2").employment.why, Why::PolicyConflict);
        }
        world.contested.clear();
        world.policy = policy;
        world.declare("2", Some(word));
        world.poll(&left, noon());
        assert_eq!(world.entry("2").employment.why, Why::DeclaredActive, "{what}");
        world.midnight(at("2026-03-20T00:00:00Z"));
        assert_eq!((world.state("2"), world.left("2").baseline), (State::Terminated, baseline), "{what}");
    }
}

#[test]
fn a_word_takes_a_termination_back_and_one_that_was_not_said_yet_says_nothing() {
    let left = [employee("1"), employee("2").terminated(), employee("3")];
    let mut world = ClusterInventory::with(&people(1..=3));
    world.poll(&left, noon());
    let later = noon() + SignedDuration::from_hours(1);
    let word = |from| Declared { says: Says::Active, from, last_day: None, until: at("2026-03-20T00:00:00Z") };
    world.declare("2", Some(word(later)));
    world.midnight(noon());
    assert_eq!(world.state("2"), State::Terminated, "not yet");
    let back = world.midnight(later);
    assert_eq!((world.state("2"), world.event(&back, "2")), (State::Active, Some(LifecycleEvent::Withdrawn)));
    world.declare("2", None);
    world.midnight(later);
    assert_eq!(world.state("2"), State::Terminated, "taken back");
}
