//! Two policies over one connection, each with a legal entity.

use super::*;
use crate::api::person::{Record, State as Shown};
use crate::sync::policy::shared::Conflicts;

/// One cluster, and what each policy looks at in it; the older first.
struct Two([Cluster; 2]);

const NAMES: [&str; 2] = ["north", "south"];

fn of(entities: &[&str]) -> Settings {
    settings(&serde_json::json!({"include": {"legalEntities": entities}}))
}

fn of_entity(id: &str, status: Status, entity: &str) -> Employee {
    employee(id, status).with(Text::LegalEntity, entity)
}

impl Two {
    /// Each with the entities of its scope.
    fn of(scopes: [&[&str]; 2]) -> Self {
        let mut two = Self(NAMES.map(|name| {
            let mut cluster = Cluster::of(vec![employee("0", Status::Active)]);
            cluster.0.people.clear();
            cluster.0.fields = None;
            cluster.0.policy = name.to_owned();
            cluster.0.policy_uid = format!("uid-of-{name}");
            cluster
        }));
        two.scopes(scopes);
        two
    }

    fn scopes(&mut self, scopes: [&[&str]; 2]) {
        for (us, them) in [(0, 1), (1, 0)] {
            let follows = ["hq".to_owned()].into();
            let settings = of(scopes[them]);
            let view = &mut self.0[us].0;
            view.rivals = vec![Rival { name: NAMES[them].to_owned(), older: them < us, settings, follows }];
            view.settings = of(scopes[us]);
            view.settings.elsewhere = vec!["hq".to_owned()];
        }
    }

    fn answer(&mut self, employees: &[Employee]) {
        self.0.iter_mut().for_each(|cluster| cluster.answer(employees.to_vec()));
    }

    /// A pass of one policy, of whose writes the other sees all.
    fn pass(&mut self, policy: usize) -> Decision {
        let decision = self.0[policy].pass();
        let people = self.0[policy].0.people.clone();
        self.0[1 - policy].0.people = people;
        decision
    }

    /// Passes of both, in an order, until neither writes anything.
    fn settle(&mut self, order: [usize; 2]) -> [Option<Conflicts>; 2] {
        for _ in 0..4 {
            let [first, second] = order.map(|policy| self.pass(policy));
            let written = [&first, &second].map(|one| one.leavers.len() + one.rest.len() + one.others.len());
            if written == [0, 0] {
                let mut all = [first.tally.conflicts, second.tally.conflicts];
                all.rotate_left(order[0]);
                return all;
            }
        }
        panic!("they go on for ever");
    }

    fn person(&self, id: &str) -> (String, Shown, String, bool) {
        let person = self.0[0].0.people.iter().find(|person| person.spec.records[0].id == id).expect(id);
        let status = person.status.clone().unwrap();
        let employment = status.employment.unwrap();
        (status.policy.unwrap(), employment.state, employment.why, employment.baseline)
    }
}

fn shown(policy: &str, state: Shown, why: &str, baseline: bool) -> (String, Shown, String, bool) {
    (policy.to_owned(), state, why.to_owned(), baseline)
}

#[test]
fn each_person_has_the_policy_of_their_entity_and_goes_over_to_the_other_with_a_transfer() {
    for order in [[0, 1], [1, 0]] {
        let mut two = Two::of([&["N"], &["S"]]);
        two.answer(&[of_entity("1", Status::Active, "N"), of_entity("2", Status::Active, "S")]);
        assert_eq!(two.settle(order), [Some(Conflicts::default()), Some(Conflicts::default())]);
        assert_eq!(two.person("1"), shown("north", Shown::Active, "Active", false));
        assert_eq!(two.person("2"), shown("south", Shown::Active, "Active", false));
        two.answer(&[of_entity("1", Status::Active, "S"), of_entity("2", Status::Active, "S")]);
        two.settle(order);
        assert_eq!(two.person("1"), shown("south", Shown::Active, "Active", false), "{order:?}");
        two.answer(&[of_entity("1", Status::Terminated, "S"), of_entity("2", Status::Active, "S")]);
        two.settle(order);
        assert_eq!(two.person("1"), shown("south", Shown::Terminated, "Terminated", false), "acts by itself");
        two.0.iter_mut().for_each(|cluster| cluster.0.snapshots.clear());
        assert_eq!(two.settle(order), [None, None], "after a start nothing is written, and nothing said");
    }
}

#[test]
fn who_leaves_and_changes_the_entity_at_once_is_decided_by_the_policy_that_had_them_and_by_nobody_else() {
    for order in [[0, 1], [1, 0]] {
        let mut two = Two::of([&["N"], &["S"]]);
        two.answer(&[of_entity("1", Status::Active, "N"), of_entity("2", Status::Active, "N")]);
        two.settle(order);
        two.answer(&[of_entity("1", Status::Terminated, "S"), of_entity("2", Status::Terminated, "")]);
        two.settle(order);
        for id in ["1", "2"] {
            assert_eq!(two.person(id), shown("north", Shown::Terminated, "Terminated", true), "{id} {order:?}");
        }
        assert!(two.0[1].0.runs.is_empty(), "the other policy counts nobody");
    }
}

#[test]
fn who_is_in_two_scopes_is_held_and_what_ended_meanwhile_needs_approval_once_the_scopes_are_separate() {
    for order in [[0, 1], [1, 0]] {
        let mut two = Two::of([&["N"], &["S"]]);
        let staff = |status| [of_entity("1", Status::Active, "N"), of_entity("2", status, "S")];
        two.answer(&staff(Status::Active));
        two.settle(order);
        two.scopes([&["N", "S"], &["S"]]);
        let conflicts =
            |other: &str| Conflicts { people: ["hq/2".to_owned()].into(), policies: [other.to_owned()].into() };
        assert_eq!(two.settle(order), [Some(conflicts("south")), Some(conflicts("north"))], "{order:?}");
        assert_eq!(two.person("2"), shown("south", Shown::Unknown, "PolicyConflict", false));
        two.answer(&staff(Status::Terminated));
        two.settle(order);
        assert_eq!(two.person("2"), shown("south", Shown::Unknown, "PolicyConflict", false), "nothing new is decided");
        let snapshots = two.0.each_mut().map(|cluster| std::mem::take(&mut cluster.0.snapshots));
        two.settle(order);
        assert_eq!(two.person("2").2, "PolicyConflict", "nor by a start");
        two.0.iter_mut().zip(snapshots).for_each(|(cluster, of_it)| cluster.0.snapshots = of_it);
        two.scopes([&["N"], &["S"]]);
        assert_eq!(two.settle(order)[0], Some(Conflicts::default()));
        assert_eq!(two.person("2"), shown("south", Shown::Terminated, "Terminated", true));
    }
}

#[test]
fn somebody_new_in_two_scopes_gets_one_person_and_who_had_left_before_stays_left() {
    let mut two = Two::of([&["N", "S"], &["S"]]);
    two.answer(&[of_entity("1", Status::Active, "N"), of_entity("2", Status::Active, "S")]);
    two.settle([1, 0]);
    assert_eq!(two.person("2"), shown("north", Shown::Unknown, "PolicyConflict", false), "the older one's");
    two.answer(&[of_entity("1", Status::Terminated, "N"), of_entity("2", Status::Active, "S")]);
    two.settle([1, 0]);
    let left = two.person("1");
    assert_eq!(left, shown("north", Shown::Terminated, "Terminated", false));
    two.scopes([&["N", "S"], &["N", "S"]]);
    two.settle([1, 0]);
    assert_eq!(two.person("1"), left, "what stands stands");
    two.answer(&[of_entity("1", Status::Active, "N"), of_entity("2", Status::Active, "S")]);
    two.settle([1, 0]);
    assert_eq!(two.person("1").1, Shown::Unknown, "who works here again is no leaver to anybody");
}

#[test]
fn the_people_of_a_policy_that_is_gone_go_to_the_one_whose_scope_they_are_in_and_nobody_falls_between() {
    let mut two = Two::of([&["N"], &["S"]]);
    let staff = [of_entity("1", Status::Active, "N"), of_entity("2", Status::Active, "S")];
    two.answer(&staff);
    two.settle([0, 1]);
    let south = &mut two.0[1];
    (south.0.rivals, south.0.settings.elsewhere) = (vec![], vec![]);
    south.0.settings = of(&["N", "S"]);
    south.pass();
    let people = south.0.people.clone();
    two.0[0].0.people = people;
    assert_eq!(two.person("1"), shown("south", Shown::Active, "Active", false));
}

#[test]
fn a_policy_that_cannot_take_anybody_over_lets_nobody_fall() {
    let mut two = Two::of([&["N"], &["S"]]);
    two.answer(&[of_entity("1", Status::Active, "N")]);
    two.settle([0, 1]);
    two.0[0].0.rivals[0].follows.clear();
    two.answer(&[of_entity("1", Status::Active, "S")]);
    two.pass(0);
    assert_eq!(two.person("1").1, Shown::OutOfScope, "it stays the first one's");
    assert_eq!(two.person("1").0, "north");
    two.0[0].0.rivals[0].follows.insert("hq".into());
    two.answer(&[of_entity("1", Status::Terminated, "S")]);
    two.settle([0, 1]);
    assert_eq!(two.person("1"), shown("south", Shown::Terminated, "Terminated", true), "and needs approval then");
}

#[test]
fn what_somebody_of_another_policy_was_known_by_is_taken_over_before_they_go() {
    for order in [[0, 1], [1, 0]] {
        let mut two = Two::of([&["N"], &["S"]]);
        two.answer(&[of_entity("1", Status::Active, "N"), of_entity("2", Status::Active, "S")]);
        two.settle(order);
        let of = |id: &str| Record { connection: "hq".into(), id: id.into() };
        let mut people = two.0[0].0.people.clone();
        let one = people.iter_mut().find(|one| one.spec.records == [of("1")]).unwrap();
        Arc::make_mut(one).spec.records = vec![of("1"), of("2")];
        two.0.iter_mut().for_each(|cluster| cluster.0.people.clone_from(&people));
        two.settle(order);
        let aliases = |records: &[Record]| {
            let person = two.0[0].0.people.iter().find(|one| one.spec.records == records).unwrap();
            person.status.as_ref().unwrap().aliases.clone()
        };
        let (all, of_two) = (aliases(&[of("1"), of("2")]), aliases(&[of("2")]));
        assert!(
            !of_two.is_empty() && of_two.iter().all(|alias| all.contains(alias)),
            "{of_two:?} of {all:?}, {order:?}"
        );
    }
}
