//! Baselines, and the runs in which leavers are counted.

use super::*;

#[test]
fn a_baseline_is_what_was_settled_for_the_same_fingerprint() {
    let cases = [
        ("the first response", None, Some("a"), true, Baseline::Now),
        ("no response yet", None, Some("a"), false, Baseline::Awaited),
        ("the same", Some("a"), Some("a"), true, Baseline::Settled),
        ("the same after a start, before a response", Some("a"), Some("a"), false, Baseline::Settled),
        ("another one", Some("a"), Some("b"), true, Baseline::Now),
        ("another one, before a response", Some("a"), Some("b"), false, Baseline::Awaited),
        ("nothing to compare with", Some("a"), None, false, Baseline::Awaited),
    ];
    for (what, settled, current, answered, expected) in cases {
        assert_eq!(Baseline::of(settled, current, answered), expected, "{what}");
    }
}

#[test]
fn every_termination_is_a_story_of_its_own() {
    let (first, second) = (at("2026-03-10T12:00:00Z"), at("2026-05-01T00:00:00Z"));
    assert_eq!(termination_id("p-1", first), "p-1-b413ba2f");
    assert_ne!(termination_id("p-1", first), termination_id("p-1", second));
}

#[test]
fn leavers_of_a_baseline_need_approval_and_so_do_those_whose_access_still_stands() {
    let mut world = ClusterInventory::with(&people(1..=5));
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
    let mut world = ClusterInventory::with(&people(1..=2));
    world.poll(&[employee("1").terminated(), employee("2").last_day("2026-03-12")], noon());
    world.baseline = Baseline::Awaited;
    world.midnight(at("2026-03-13T12:00:00Z"));
    assert_eq!(world.state("2"), State::Active);
    assert!(world.left("1").baseline);
}

#[test]
fn a_person_first_seen_as_a_leaver_gets_a_person_and_a_run() {
    let mut world = ClusterInventory { baseline: Baseline::Now, ..ClusterInventory::settled() };
    let plan = world.poll(&[gone(1..=1), people(2..=10)].concat(), noon());
    assert_eq!(world.left("1").run.as_deref(), Some(plan.runs[0].id.as_str()));
    assert_eq!((plan.runs[0].leavers, plan.runs[0].people), (1, 10));
}

#[test]
fn six_at_once_are_one_run_and_the_seventh_is_the_next() {
    let mut world = ClusterInventory::with(&people(1..=10));
    let plan = world.poll(&[gone(1..=6), people(7..=10)].concat(), noon());
    assert_eq!(plan.runs.iter().map(|run| (run.leavers, run.people)).collect::<Vec<_>>(), [(6, 10)]);
    assert!(plan.changes.iter().all(|change| change.leaver));
    let plan = world.poll(&[gone(1..=7), people(8..=10)].concat(), noon());
    assert_eq!(plan.runs.iter().map(|run| (run.leavers, run.people)).collect::<Vec<_>>(), [(6, 10), (1, 4)]);
    assert_ne!(plan.runs[0].id, plan.runs[1].id);
}

#[test]
fn leavers_are_written_first_then_whoever_turned_then_the_rest() {
    let mut world = ClusterInventory::with(&people(1..=3));
    world.poll(&[gone(1..=1), people(2..=3)].concat(), noon());
    let renamed = employee("3").with(Text::Department, "Clerk");
    let plan = world.plan(Some(&[employee("0"), employee("1"), employee("2").terminated(), renamed]), noon());
    let order: Vec<_> = plan.changes.iter().map(|change| id_of(change).0.as_str()).collect();
    assert_eq!(order, ["2", "1", "3", "0"]);
}

#[test]
fn a_crash_after_any_number_of_writes_ends_in_one_run_that_counts_them_all() {
    let all = [gone(1..=6), people(7..=10)].concat();
    for written in 0..=6 {
        let mut world = ClusterInventory::with(&people(1..=10));
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
    let mut world = ClusterInventory::with(&people(1..=10));
    let cut_short = world.plan(Some(&[gone(1..=3), people(4..=10)].concat()), noon());
    world.write(&cut_short, 1);
    let plan = world.poll(&[gone(1..=5), people(6..=10)].concat(), noon());
    assert_eq!(plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(), [5]);
}

#[test]
fn a_withdrawn_or_deleted_member_lowers_the_run_so_that_it_can_be_complete() {
    let mut world = ClusterInventory::with(&people(1..=10));
    world.poll(&[gone(1..=3), people(4..=10)].concat(), noon());
    let plan = world.poll(&[gone(1..=2), people(3..=10)].concat(), noon());
    assert_eq!(plan.runs[0].leavers, 2, "withdrawn");
    world.known.remove(&HrId("1".into()));
    assert_eq!(world.plan(None, noon()).runs[0].leavers, 1, "deleted, and not named yet");
}

#[test]
fn a_person_made_again_never_slips_into_a_run_that_was_counted() {
    let all = [gone(1..=3), people(4..=10)].concat();
    let mut world = ClusterInventory::with(&people(1..=10));
    world.poll(&all, noon());
    world.known.remove(&HrId("1".into()));
    let plan = world.poll(&all, noon() + SignedDuration::from_secs(30));
    assert_eq!(plan.runs.iter().map(|run| run.leavers).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn another_policy_counts_inherited_leavers_anew_while_their_access_stands() {
    let all = [gone(1..=3), people(4..=10)].concat();
    let mut world = ClusterInventory::with(&people(1..=10));
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
    assert_eq!((world.left("1").seen, world.left("1").effective), (later, noon()), "a termination of its own");
    for (id, what) in [("2", "refused already"), ("3", "half done")] {
        let left = world.left(id);
        assert_eq!((left.run, left.seen, left.baseline), (Some(foreign[0].id.clone()), noon(), false), "{what}");
    }
}

#[test]
fn twenty_runs_are_kept_and_those_whose_access_is_refused_go_first() {
    let mut world = ClusterInventory::with(&people(1..=40));
    for leaver in 1..=20 {
        world.poll(&[gone(1..=leaver), people(leaver + 1..=40)].concat(), noon());
    }
    world.known.get_mut(&HrId("5".into())).unwrap().access = Access::Refused;
    let plan = world.poll(&[gone(1..=21), people(22..=40)].concat(), noon());
    let kept: BTreeSet<_> = plan.runs.iter().map(|run| Some(run.id.clone())).collect();
    assert_eq!(plan.runs.len(), MAX_RUNS);
    assert!(!kept.contains(&world.left("5").run) && kept.contains(&world.left("1").run));
    let plan = world.poll(&[gone(1..=22), people(23..=40)].concat(), noon());
    let kept: BTreeSet<_> = plan.runs.iter().map(|run| Some(run.id.clone())).collect();
    assert!(!kept.contains(&world.left("1").run), "then the oldest");
}
