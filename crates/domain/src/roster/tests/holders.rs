//! Policies that give a Person only to those who own something here.

use super::*;

fn holders(owned: Option<&[&'static str]>) -> ClusterInventory {
    let mut world = ClusterInventory::settled();
    world.holders_only = true;
    world.owned = owned.map(|owned| owned.iter().copied().collect());
    world
}

fn ids(world: &ClusterInventory) -> Vec<&str> {
    world.known.keys().map(|id| id.0.as_str()).collect()
}

#[test]
fn only_who_owns_something_gets_a_person_by_id_by_address_or_by_user_name() {
    let mut world = holders(Some(&["id:hq/1", "email:2@example.com", "user:oidc:3@example.com", "id:rollcall:hq/4"]));
    let plan = world.poll(&people(1..=9), noon());
    assert_eq!((ids(&world), plan.others), (vec!["1", "2", "3", "4"], 5));
    let again = world.poll(&people(1..=9), noon());
    assert_eq!((again.changes.len(), again.others, again.scope.map(|scope| scope.included)), (0, 5, Some(9)));
}

#[test]
fn nobody_new_gets_a_person_before_it_is_known_who_owns_anything_and_who_has_one_keeps_it() {
    let mut world = holders(None);
    assert_eq!(world.poll(&people(1..=3), noon()).others, 3);
    world.owned = Some(["id:hq/1"].into());
    world.poll(&people(1..=3), noon());
    world.owned = Some(BTreeSet::new());
    world.poll(&people(1..=3), noon());
    assert_eq!(ids(&world), ["1"], "what they owned is gone; they are still known");
    world.poll(&gone(1..=1), noon());
    assert_eq!(world.state("1"), State::Terminated);
}

#[test]
fn whoever_shares_an_address_with_somebody_who_has_a_person_gets_one_too() {
    let mut world = holders(Some(&["id:hq/1"]));
    world.poll(&people(1..=3), noon());
    let next = Employee { work_email: "1@example.com".into(), ..employee("2") };
    world.poll(&[employee("1").terminated(), next, employee("3")], noon());
    assert_eq!(ids(&world), ["1", "2"], "else what is theirs would be taken for the leaver's");
}
