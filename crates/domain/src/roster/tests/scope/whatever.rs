//! Edits, moves, responses and crashes in any order: none of them creates a termination.

use super::*;

/// A policy's scope among those that the sequence goes through.
fn scopes(which: u8) -> Arc<Scope> {
    match which {
        0 => Arc::default(),
        1 => departments(&["Sales"]),
        2 => departments(&["Support"]),
        3 => without(Kind::Department, "Sales"),
        4 => without(Kind::Person, "3"),
        _ => Arc::new(Scope::new(Lists::default(), Lists::default(), Some("person.location == 'Oslo'")).unwrap()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Scope edits, moves, answers, silence, midnights and crashes in any order: a termination that acts by itself is
    /// always one that a record stated of somebody who was known in scope as not having left, and still is in scope.
    #[test]
    fn no_sequence_of_edits_and_moves_creates_a_termination(
        story in proptest::collection::vec(
            (proptest::option::of(0_u8..6), any_answer(), 0_i64..40, 0_usize..12), 1..10)
    ) {
        let mut world = ClusterInventory::settled();
        let mut now = at("2026-03-05T00:00:00Z");
        let mut changed = false;
        for (edit, answer, later, crash_after) in story {
            now += SignedDuration::from_hours(later);
            if let Some(which) = edit {
                (world.scope, changed) = (scopes(which), true);
            }
            world.baseline = match (changed, &answer) {
                (false, _) => Baseline::Settled,
                (true, Some(_)) => Baseline::Now,
                (true, None) => Baseline::Awaited,
            };
            changed = changed && answer.is_none();
            let before = world.clone();
            let cut_short = world.plan(answer.as_deref(), now);
            world.write(&cut_short, crash_after);
            let plan = world.plan(answer.as_deref(), now);
            world.write(&plan, usize::MAX);

            for (id, known) in &world.known {
                let Some(entry) = &known.entry else { continue };
                let employment = &entry.employment;
                prop_assert_eq!(employment.state == State::OutOfScope, employment.out.is_some() && employment.why != Why::Conflict);
                prop_assert!(employment.out.is_none() || employment.left.is_none(), "out of scope, and a leaver: {id}");
                let Some(left) = &employment.left else { continue };
                let was = before.known.get(id).and_then(|known| known.entry.as_ref());
                let had_left = was.is_some_and(|was| was.employment.left.is_some());
                if had_left || left.baseline {
                    continue; // stated before, or waits for a human
                }
                prop_assert_eq!(world.baseline, Baseline::Settled, "an edit alone: {}", id);
                let in_scope = was.map_or(!world.scope.filters(), |was| was.employment.out.is_none());
                prop_assert!(in_scope, "was not in scope before: {id}");
                let stated = answer.iter().flatten().find(|employee| employee.id == *id);
                if let Some(employee) = stated {
                    let seen = crate::scope::ScopeSubject { connection: "hq", person: "", state: State::Terminated };
                    prop_assert_eq!(world.scope.out(employee, &seen), None, "{}", id);
                    prop_assert!(entry.employments[0].facts.reported_status == ReportedStatus::Mapped(Status::Terminated) || entry.employments[0].facts.last_day.is_some());
                }
            }
            let again = world.plan(answer.as_deref(), now);
            prop_assert!(again.changes.is_empty(), "{:?}", again.changes);
        }
    }

    /// With records that never say that anybody leaves, nobody does, whatever the policy and the departments become.
    #[test]
    fn moves_and_edits_alone_end_nothing(
        story in proptest::collection::vec((0_u8..6, any_answer(), any::<bool>()), 1..12)
    ) {
        let mut world = ClusterInventory::settled();
        for (hour, (which, answer, edits)) in story.into_iter().enumerate() {
            let answer: Option<Vec<Employee>> = answer.map(|people| {
                let works = |employee| Employee { reported_status: ReportedStatus::Mapped(Status::Active), last_day: None, ..employee };
                people.into_iter().map(works).collect()
            });
            if edits {
                world.scope = scopes(which);
            }
            world.baseline = if edits && answer.is_some() { Baseline::Now } else { Baseline::Settled };
            let plan = world.plan(answer.as_deref(), hours(i64::try_from(hour).unwrap()));
            world.write(&plan, usize::MAX);
            prop_assert!(world.known.values().all(|known| known.entry.as_ref().unwrap().employment.left.is_none()));
            prop_assert!(plan.runs.is_empty());
        }
    }
}
