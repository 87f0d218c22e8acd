//! Answers, midnights and crashes in any order.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Answers, midnights and crashes in any order.
    #[test]
    fn whatever_comes_a_second_pass_changes_nothing_and_every_run_is_complete(
        story in proptest::collection::vec((any_answer(), 0_i64..40, 0_usize..12, 0_u8..3), 1..8)
    ) {
        let mut world = ClusterInventory::settled();
        world.terms.acts_on_leave = true;
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
                let before_it = before.known.get(id_of(change)).and_then(|known| known.entry.as_deref());
                let leave = |entry: &RosterEntry| entry.leave.as_ref().map(|leave| leave.seen);
                let (was_on, is_on) = (before_it.and_then(leave), leave(&change.entry));
                let state = change.entry.employment.state;
                if is_on != was_on {
                    let begins = matches!(state, State::Leave | State::Suspended) && was_on.is_none();
                    let ends = matches!(state, State::Active | State::PreHire | State::OutOfScope) && is_on.is_none();
                    prop_assert!(begins || ends, "{state:?}: {was_on:?}, then {is_on:?}");
                }
                let named = answer.iter().flatten().find(|employee| employee.id == *id_of(change));
                let left = |entry: &RosterEntry| entry.employment.state == State::Terminated;
                let was = before.known.get(id_of(change)).and_then(|known| known.entry.as_deref()).is_some_and(left);
                if left(&change.entry) && !was {
                    let facts = change.entry.employments[0].facts;
                    let said = facts.reported_status == ReportedStatus::Mapped(Status::Terminated);
                    prop_assert!(said || facts.last_day.is_some(), "a positive statement");
                    prop_assert!(named.is_some() || facts.announced.is_some() || said || facts.reported_status == ReportedStatus::Silent);
                    prop_assert!(world.baseline != Baseline::Awaited);
                }
            }
            for run in &plan.runs {
                let carried = world.known.values().filter_map(|known| known.entry.as_ref()).filter(|entry| {
                    let left = entry.employment.left.as_ref().and_then(|left| left.run.as_ref());
                    let leave = entry.leave.as_ref().and_then(|leave| leave.run.as_ref());
                    left == Some(&run.id) || leave == Some(&run.id)
                });
                prop_assert_eq!(carried.count(), run.leavers as usize);
            }
            let again = world.plan(answer.as_deref(), now);
            prop_assert!(again.changes.is_empty(), "{:?}", again.changes);
            prop_assert_eq!(&again.runs, &world.runs);
        }
    }
}
