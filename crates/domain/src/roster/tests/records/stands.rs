//! What was said once, and stands or does not, whatever the clock says and whoever takes a record off a Person.

use super::*;

#[test]
fn an_employment_that_has_begun_does_not_begin_later_by_a_clock_that_was_set_back() {
    let contract_end = || "2026-06-30".parse().ok();
    for (what, contract_end) in [("no end", None), ("the end of a contract is their last day", contract_end())] {
        let ended = contract().terminated().last_day("2026-03-01");
        let begins = |day: &str| Some(Employee { contract_end, ..employee("7").start(day) });
        let mut ada = Company::of(ended.clone(), begins("2026-03-09"));
        ada.world.terms.contract_end = ContractEnd::Terminate;
        ada.look(noon());
        assert_eq!(ada.state().0, State::Active, "{what}");
        ada.look(noon() - SignedDuration::from_hours(48));
        assert_eq!(ada.state().0, State::Active, "{what}: the same response");
        ada.world.midnight(noon() - SignedDuration::from_hours(48));
        assert_eq!(ada.state().0, State::Active, "{what}: after a restart");
        ada.hq = begins("2026-03-12").into_iter().collect();
        ada.look(noon());
        assert_eq!(ada.state().0, State::Terminated, "{what}: HR says that it begins later");
    }
}

#[test]
fn what_a_record_said_does_not_stand_once_it_is_taken_off_the_person_of_whom_nothing_else_is_known() {
    let mut ada = Company::of(contract().terminated(), None);
    ada.world.known.get_mut(&HrId("c7".into())).unwrap().records.pop();
    ada.look(noon());
    assert_eq!(ada.state().0, State::Terminated, "by c7, which is another human's");
    let person = ada.world.known.get_mut(&HrId("c7".into())).unwrap();
    person.records = vec![RecordKey { connection: "hq".into(), id: HrId("7".into()) }];
    for (role, why) in [(Role::Employment, Why::NotNamed), (Role::Replaced, Why::NotMigrated)] {
        let mut world = ada.world.clone();
        world.roles.insert("hq", role);
        let pass = world.midnight(noon());
        let [after] = &pass.changes[..] else { panic!("{pass:?}") };
        let EmploymentState { state, why: said, left, .. } = &after.entry.employment;
        assert_eq!((*state, *said, left), (State::Unknown, why, &None));
        assert!(after.entry.employments.is_empty() && after.entry.aliases.contains(&"email:7@example.com".to_owned()));
    }
}

#[test]
fn a_record_that_a_clock_was_past_which_was_ahead_has_not_ended_once_its_connection_is_replaced() {
    let ends = |world: &mut ClusterInventory, now| {
        world.poll(&[employee("7").reported_status(ReportedStatus::Silent).last_day("2026-03-10")], now);
    };
    let replaced = |world: &mut ClusterInventory, now| {
        world.stale = false;
        world.roles.insert("hq", Role::Replaced);
        world.midnight(now);
        (world.state("7"), world.entry("7").employment.why)
    };
    let ahead = noon() + SignedDuration::from_hours(24);
    let mut world = ClusterInventory { stale: true, ..ClusterInventory::with(&people(7..=7)) };
    ends(&mut world, ahead);
    assert_eq!(world.state("7"), State::Unknown, "another connection is stale");
    assert_eq!(replaced(&mut world.clone(), noon()), (State::Unknown, Why::NotMigrated), "it is their last day");
    assert_eq!(replaced(&mut world, ahead), (State::Terminated, Why::LastDayPassed), "it is over");
    let mut left = ClusterInventory::with(&people(7..=7));
    ends(&mut left, ahead);
    assert_eq!(replaced(&mut left, noon()), (State::Terminated, Why::LastDayPassed), "who had left stays a leaver");
}
