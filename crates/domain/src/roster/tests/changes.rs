//! Answers that name only some.

use super::*;

#[test]
fn whom_changes_do_not_name_is_as_before_and_not_missing() {
    let mut world = ClusterInventory::with(&people(1..=4));
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
    let mut world = ClusterInventory::with(&people(1..=3));
    world.changes(&[employee("1").last_day("2026-03-10")], noon());
    assert_eq!(world.state("1"), State::Active);
    world.changes(&[employee("2")], at("2026-03-11T12:00:00Z"));
    assert_eq!(world.state("1"), State::Terminated);
}

#[test]
fn a_manager_of_whom_changes_say_nothing_is_found_among_those_who_are_known() {
    let mut world = ClusterInventory::with(&people(1..=4));
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
    let mut world = ClusterInventory::with(&people(1..=2));
    assert_eq!(world.changes(&[employee("1").location("Melbourne")], noon()).unmatched, None);
    assert_eq!(world.changes(&[employee("1").location("Atlantis")], noon()).unmatched, Some(1));
}
