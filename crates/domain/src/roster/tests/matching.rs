//! Records that no Person links yet, connections that only tell more, and connections whose place another one took.

use super::records::answer;
use super::*;

const KEYS: [MatchKey; 2] = [MatchKey::WorkEmail, MatchKey::EmployeeNumber];

fn by(keys: &[MatchKey]) -> Matching {
    Matching { keys: keys.to_vec(), number_space: Some("acme".into()) }
}

/// Ada, known by her record `7` of `hq`, and Ben, `8`.
fn ada_and_ben(keys: &[MatchKey]) -> ClusterInventory {
    let mut world = ClusterInventory::settled();
    world.matching = by(keys);
    let known = [numbered(named("7", "Ada Example"), "0017"), named("8", "Ben Example")];
    world.poll(&known, noon() - SignedDuration::from_hours(24));
    world
}

fn named(id: &str, name: &str) -> Employee {
    Employee { name: name.into(), ..employee(id) }
}

fn numbered(employee: Employee, number: &str) -> Employee {
    employee.with(Text::EmployeeNumber, number)
}

fn contract(name: &str, address: &str) -> Employee {
    Employee { name: name.into(), work_email: address.into(), ..employee("c1") }
}

/// Another connection answers.
fn also(world: &mut ClusterInventory, connection: &str, employees: &[Employee]) -> RosterPass {
    let plan = world.planned_over(&[answer(connection, employees, noon())], noon());
    world.write(&plan, usize::MAX);
    let again = world.planned_over(&[answer(connection, employees, noon())], noon());
    assert!(again.changes.is_empty(), "a second pass changes nothing: {again:?}");
    plan
}

fn records(world: &ClusterInventory, id: &str) -> Vec<String> {
    world.known[&HrId(id.into())].records.iter().map(ToString::to_string).collect()
}

#[test]
fn a_record_is_added_to_the_one_human_who_has_its_keys_and_its_name_and_to_nobody_else() {
    let ada = "7@example.com";
    type Case = (&'static str, &'static [MatchKey], Employee, bool, Vec<bool>);
    let cases: Vec<Case> = vec![
        ("the address and the name", &KEYS, contract("Ada Example", ada), true, vec![]),
        ("in another case and order", &KEYS, contract("EXAMPLE, Ada", "7@Example.COM"), true, vec![]),
        ("with a second first name", &KEYS, contract("Ada Mary Example", ada), true, vec![]),
        (
            "the number, and another address",
            &KEYS,
            numbered(contract("Ada Example", "a@example.com"), "17"),
            true,
            vec![],
        ),
        ("another name", &KEYS, contract("Eve Example", ada), false, vec![false]),
        ("one word of the name", &KEYS, contract("Ada", ada), false, vec![false]),
        ("no name", &KEYS, contract("", ada), false, vec![false]),
        ("another address", &KEYS, contract("Ada Example", "a@example.com"), false, vec![]),
        ("no address", &KEYS, contract("Ada Example", ""), false, vec![]),
        ("another number", &KEYS, numbered(contract("Ada Example", "a@example.com"), "18"), false, vec![]),
        ("the number is no key", &KEYS[..1], numbered(contract("Ada Example", "a@example.com"), "17"), false, vec![]),
        ("no keys", &[], contract("Ada Example", ada), false, vec![]),
        (
            "the number of one and the address of another",
            &KEYS,
            numbered(contract("Ada Example", "8@example.com"), "17"),
            false,
            vec![false, true],
        ),
    ];
    for (what, keys, record, joined, doubts) in cases {
        let mut world = ada_and_ben(keys);
        let plan = also(&mut world, "contractors", &[record]);
        assert_eq!(records(&world, "7").contains(&"contractors/c1".to_owned()), joined, "{what}");
        assert_eq!(world.known.contains_key(&HrId("c1".into())), !joined, "{what}: else a Person of its own");
        assert_eq!(plan.doubts.iter().map(|doubt| doubt.names_agree).collect::<Vec<_>>(), doubts, "{what}");
    }
}

#[test]
fn what_is_said_of_another_human_by_ones_id_brings_nobody_elses_record() {
    for (role, own) in [(Role::Corroborating, false), (Role::Employment, true)] {
        let mut world = ClusterInventory::settled();
        (world.matching, world.roles) = (by(&KEYS), [("other", role)].into());
        world.poll(&[named("7", "Ada Example").start("2020-01-01")], noon() - SignedDuration::from_hours(24));
        let eve =
            |id: &str| Employee { work_email: "eve@example.com".into(), ..named(id, "Eve Other").start("2026-03-01") };
        let hq = [numbered(eve("7"), "18")];
        for hour in 0..3 {
            let now = noon() + SignedDuration::from_hours(hour);
            let others = [numbered(eve("e1"), "18")];
            let plan = world.planned_over(&[answer("hq", &hq, now), answer("other", &others, now)], now);
            world.write(&plan, usize::MAX);
            assert_eq!(records(&world, "7"), ["hq/7"], "{role:?}: Eve's record is not Ada's");
            let Employment { state, .. } = &world.entry("7").employments[0];
            assert_eq!((world.state("7"), state.why), (State::Unknown, Why::Conflict), "{role:?}, {hour} hours later");
            assert_eq!(world.known.contains_key(&HrId("e1".into())), own, "{role:?}");
        }
    }
}

#[test]
fn two_new_records_of_one_human_are_one_person_in_either_order_of_connections() {
    for connections in [["hq", "contractors"], ["contractors", "hq"]] {
        let mut world = ClusterInventory::settled();
        world.matching = by(&KEYS);
        let of = [[named("7", "Ada Example")], [contract("Ada Example", "7@example.com")]];
        let answers = [answer(connections[0], &of[0], noon()), answer(connections[1], &of[1], noon())];
        let plan = world.planned_over(&answers, noon());
        assert_eq!(plan.changes.iter().map(|change| change.records.len()).collect::<Vec<_>>(), [2]);
    }
}

#[test]
fn people_who_stand_are_never_joined_by_themselves_and_listed_until_a_human_decides() {
    let mut world = ada_and_ben(&[]);
    also(&mut world, "contractors", &[contract("Ada Example", "7@example.com")]);
    world.matching = by(&KEYS);
    let plan = also(&mut world, "contractors", &[contract("Ada Example", "7@example.com")]);
    assert_eq!(records(&world, "7"), ["hq/7"], "nothing was joined");
    let listed: Vec<_> = plan.doubts.iter().map(|doubt| doubt.people.clone().map(|one| one.to_string())).collect();
    assert_eq!(listed, [["hq/7".to_owned(), "contractors/c1".to_owned()]]);

    let apart = RecordKey { connection: "contractors".into(), id: HrId("c1".into()) };
    world.known.get_mut(&HrId("7".into())).unwrap().apart.push(apart);
    assert!(also(&mut world, "contractors", &[contract("Ada Example", "7@example.com")]).doubts.is_empty());
    world.known.remove(&HrId("c1".into()));
    also(&mut world, "contractors", &[contract("Ada Example", "7@example.com")]);
    assert_eq!(records(&world, "7"), ["hq/7"], "what was told apart is not matched again");
}

#[test]
fn who_has_left_is_no_doubt_to_whoever_got_the_address_and_left_too() {
    let mut world = ada_and_ben(&KEYS);
    let gone = |name: &str, id: &str| named(id, name).terminated();
    world.poll(&[gone("Ada Example", "7"), named("8", "Ben Example")], noon());
    let next = also(&mut world, "contractors", &[contract("Eve Example", "7@example.com")]);
    assert_eq!(next.doubts.len(), 1, "while one works here");
    let left = also(&mut world, "contractors", &[contract("Eve Example", "7@example.com").terminated()]);
    assert_eq!(left.doubts.len(), 0);
}

#[test]
fn a_rehire_under_a_new_id_is_the_same_human_again() {
    let mut world = ada_and_ben(&KEYS);
    world.poll(&[named("7", "Ada Example").terminated(), named("8", "Ben Example")], noon());
    assert_eq!(world.state("7"), State::Terminated);
    let again = Employee { work_email: "7@example.com".into(), ..named("70", "Ada Example") }.start("2026-03-10");
    let plan = world.poll(&[named("7", "Ada Example").terminated(), named("8", "Ben Example"), again], noon());
    assert_eq!((world.state("7"), world.event(&plan, "7")), (State::Active, Some(LifecycleEvent::Rehired)));
    assert_eq!(records(&world, "7"), ["hq/7", "hq/70"]);
}

#[test]
fn a_corroborating_connection_tells_more_and_never_who_has_left() {
    let mut world = ada_and_ben(&KEYS);
    world.roles.insert("okta", Role::Corroborating);
    let account = |address: &str| Employee { work_email: address.into(), ..named("o1", "Ada Example") };
    let plan = also(&mut world, "okta", &[account("7@example.com").terminated(), named("o2", "Stranger Example")]);
    assert_eq!((world.state("7"), plan.strangers), (State::Active, Some(1)));
    assert_eq!(records(&world, "7"), ["hq/7", "okta/o1"]);
    assert!(!world.known.contains_key(&HrId("o2".into())), "nobody gets a Person by it");

    let renamed = also(&mut world, "okta", &[account("ada@example.com").terminated()]);
    assert!(world.entry("7").aliases.contains(&"user:oidc:ada@example.com".to_owned()), "{renamed:?}");
    let left = world.poll(&[named("7", "Ada Example").terminated(), named("8", "Ben Example")], noon());
    assert_eq!((world.state("7"), left.runs[0].leavers), (State::Terminated, 1), "whatever the other says");
    assert!(!world.left("7").baseline);
}

#[test]
fn nothing_is_told_of_somebody_whom_only_corroborating_connections_know() {
    let mut world = ada_and_ben(&KEYS);
    world.roles.insert("hq", Role::Corroborating);
    let plan = world.poll(&[named("7", "Ada Example").terminated(), named("8", "Ben Example").terminated()], noon());
    assert_eq!((world.state("7"), world.entry("7").employment.why), (State::Unknown, Why::NoEmployment));
    assert!(plan.runs.is_empty());
}

/// Ada and Ben work here, Cy is to leave in a week and Dan has left, by a system that was replaced.
fn company_of_old() -> ClusterInventory {
    let mut world = ClusterInventory::settled();
    let start = noon() - SignedDuration::from_hours(48);
    let old = [
        named("7", "Ada Example"),
        named("8", "Ben Example"),
        named("9", "Cy Example").last_day("2026-03-17"),
        named("10", "Dan Example"),
    ];
    let dan_left = [old[0].clone(), old[1].clone(), old[2].clone(), named("10", "Dan Example").terminated()];
    for (answered, now) in [(&old, start), (&dan_left, start + SignedDuration::from_hours(1))] {
        let plan = world.planned_over(&[answer("old", answered, now)], now);
        world.write(&plan, usize::MAX);
    }
    assert_eq!(world.state("10"), State::Terminated);
    world.roles.insert("old", Role::Replaced);
    world.migrations = vec![Migration { from: "old".into(), by: "hq".into(), same_ids: false }];
    world
}

#[test]
fn an_hr_system_that_is_replaced_ends_nobody_and_who_is_matched_goes_on_by_the_new_one() {
    let mut world = company_of_old();
    world.matching = by(&KEYS);
    world.midnight(noon() + SignedDuration::from_hours(24 * 30));
    for (id, state, why) in [
        ("7", State::Unknown, Why::NotMigrated),
        ("9", State::Unknown, Why::NotMigrated),
        ("10", State::Terminated, Why::Terminated),
    ] {
        assert_eq!((world.state(id), world.entry(id).employment.why), (state, why), "{id}, before the new one answers");
    }
    let new =
        |id: &str, name: &str, old: &str| Employee { work_email: format!("{old}@example.com"), ..named(id, name) };
    let answered = [new("n1", "Ada Example", "7"), new("n2", "Eve Other", "8"), new("n3", "Cy Example", "9")];
    let plan = also(&mut world, "hq", &answered);
    let state = |id: &str| (world.state(id), records(&world, id).len());
    assert_eq!((state("7"), state("9")), ((State::Active, 2), (State::Active, 2)), "matched");
    assert_eq!(state("8"), (State::Unknown, 1), "the address is another human's by now");
    assert_eq!(state("10"), (State::Terminated, 1), "what was said of who had left stands");
    assert_eq!((plan.not_migrated, plan.doubts.len(), plan.runs.len()), (1, 1, world.runs.len()));
    let left = also(&mut world, "hq", &[answered[0].clone().terminated(), answered[1].clone(), answered[2].clone()]);
    assert_eq!(world.state("7"), State::Terminated, "{left:?}");
    assert!(!world.left("7").baseline, "the old record does not hold it");
}

#[test]
fn a_connection_under_another_name_has_the_same_people_by_their_ids() {
    let mut world = company_of_old();
    world.migrations[0].same_ids = true;
    let other = Employee { work_email: "new@example.com".into(), ..named("8", "Someone Else") };
    let ada = Employee { work_email: "ada@example.com".into(), ..named("7", "Ada Example") };
    let plan = world.planned_over(&[answer("hq", &[ada, other], noon())], noon());
    let linked = |id: &str| plan.changes.iter().any(|one| one.records.len() == 2 && id_of(one).0 == id);
    assert!(linked("7"), "by its id, whatever the address");
    assert!(!linked("8"), "the same id, and another human behind it");
}

#[test]
fn the_gap_that_is_no_exit_is_the_policys() {
    for (bridged_days, state) in [(3, State::Terminated), (10, State::PreHire)] {
        let mut world = ada_and_ben(&KEYS);
        world.terms.bridged_days = bridged_days;
        let ended = || named("7", "Ada Example").terminated().last_day("2026-03-05");
        let next = Employee { work_email: "7@example.com".into(), ..named("70", "Ada Example") }.start("2026-03-12");
        world.poll(&[ended(), next], noon());
        assert_eq!(world.state("7"), state, "{bridged_days}");
    }
}

#[test]
fn what_more_than_eight_share_is_a_mailbox_and_no_doubt() {
    for (people, doubts) in [(8, 28), (9, 0)] {
        let mut world = ClusterInventory::settled();
        world.matching = by(&KEYS);
        let of = |n: u32| Employee {
            work_email: "shop@example.com".into(),
            ..named(&format!("s{n}"), &format!("Shop{n} Person{n}"))
        };
        let plan = world.poll(&(0..people).map(of).collect::<Vec<_>>(), noon());
        assert_eq!(plan.doubts.len(), doubts, "{people}");
    }
}
