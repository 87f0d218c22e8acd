//! One human with several HR records, over one connection or two.

mod stands;
mod whatever;

use super::*;

/// What two connections say, each of the employees with that id.
struct Company {
    world: ClusterInventory,
    hq: Vec<Employee>,
    contractors: Vec<Employee>,
}

impl Company {
    /// Ada, whose Person links her contract, `c7` of `contractors`, and her employment, `7` of `hq`.
    fn of(contract: Employee, employment: Option<Employee>) -> Self {
        let mut world = ClusterInventory::settled();
        let hq = employment.into_iter().collect();
        let start = at("2026-03-01T12:00:00Z");
        world.write(&world.planned_over(&[answer("contractors", &[employee("c7")], start)], start), usize::MAX);
        world.link("c7", "hq", "7");
        Self { world, hq, contractors: vec![contract] }
    }

    fn look(&mut self, now: Timestamp) -> RosterPass {
        let answers = [answer("hq", &self.hq, now), answer("contractors", &self.contractors, now)];
        let plan = self.world.planned_over(&answers, now);
        self.world.write(&plan, usize::MAX);
        let again = self.world.planned_over(&answers, now);
        assert!(again.changes.is_empty() && again.runs == self.world.runs, "a second pass changes nothing: {again:?}");
        plan
    }

    fn state(&self) -> (State, Why) {
        let EmploymentState { state, why, .. } = self.world.entry("c7").employment;
        (state, why)
    }
}

impl ClusterInventory {
    fn link(&mut self, person: &str, connection: &str, id: &str) {
        let record = RecordKey { connection: connection.into(), id: HrId(id.to_owned()) };
        self.known.get_mut(&HrId(person.to_owned())).unwrap().records.push(record);
    }
}

pub(super) fn answer<'a>(connection: &'a str, employees: &'a [Employee], taken: Timestamp) -> TrustedResponse<'a> {
    TrustedResponse { connection, employees, taken, part: false }
}

fn contract() -> Employee {
    Employee { work_email: "7@example.com".into(), ..employee("c7") }
}

#[test]
fn a_human_has_left_when_all_that_is_known_of_them_has_ended() {
    const LEAVE: ReportedStatus = ReportedStatus::Mapped(Status::Leave);
    const SUSPENDED: ReportedStatus = ReportedStatus::Mapped(Status::Suspended);
    let ended = || contract().terminated().last_day("2026-03-08");
    let cases = [
        ("both work", contract(), employee("7"), State::Active, Why::Active),
        ("the contract ended, the employment goes on", ended(), employee("7"), State::Active, Why::Active),
        (
            "the employment ended, the contract goes on",
            contract(),
            employee("7").terminated(),
            State::Active,
            Why::Active,
        ),
        ("both ended", ended(), employee("7").terminated(), State::Terminated, Why::Terminated),
        (
            "on leave in one, works in the other",
            contract(),
            employee("7").reported_status(LEAVE),
            State::Active,
            Why::Active,
        ),
        ("ended, and on leave", ended(), employee("7").reported_status(LEAVE), State::Leave, Why::OnLeave),
        (
            "suspended and on leave",
            contract().reported_status(SUSPENDED),
            employee("7").reported_status(LEAVE),
            State::Suspended,
            Why::Suspended,
        ),
        (
            "ended, and it cannot be told",
            ended(),
            employee("7").reported_status(ReportedStatus::Unmapped),
            State::Unknown,
            Why::Unmapped,
        ),
        (
            "works, and it cannot be told",
            contract(),
            employee("7").reported_status(ReportedStatus::Unmapped),
            State::Active,
            Why::Active,
        ),
        ("begins the day after", ended(), employee("7").start("2026-03-11"), State::PreHire, Why::Between),
        (
            "ended, and works on elsewhere by a record that names the end of its earlier employment",
            ended(),
            employee("7").last_day("2026-03-09").start("2026-03-12"),
            State::PreHire,
            Why::Between,
        ),
        (
            "the same, much later",
            ended(),
            employee("7").last_day("2026-03-09").start("2026-03-13"),
            State::Terminated,
            Why::Terminated,
        ),
        ("begins a month later", ended(), employee("7").start("2026-04-08"), State::Terminated, Why::Terminated),
        (
            "ends soon, the next begins then",
            contract().last_day("2026-03-12"),
            employee("7").start("2026-03-13"),
            State::Active,
            Why::NextFollows,
        ),
        (
            "ends soon, the next begins much later",
            contract().last_day("2026-03-12"),
            employee("7").start("2026-05-01"),
            State::Active,
            Why::LeavesLater,
        ),
        ("ends soon, the other goes on", contract().last_day("2026-03-12"), employee("7"), State::Active, Why::Active),
    ];
    for (what, contract, employment, state, why) in cases {
        let mut ada = Company::of(contract, Some(employment));
        ada.look(noon());
        assert_eq!(ada.state(), (state, why), "{what}");
        assert_eq!(ada.world.known.len(), 1, "{what}: one human");
    }
}

#[test]
fn a_contract_that_becomes_an_employment_is_no_exit_whatever_the_gap_and_the_order_of_arrival() {
    // Gap in days between the last day of the contract, 12 March, and the first day of the employment.
    for (gap, first_told, leaves) in [(0, 1, false), (1, 5, false), (3, 14, false), (31, 1, true), (31, 20, true)] {
        let first = jiff::civil::date(2026, 3, 12).saturating_add(jiff::Span::new().days(gap + 1));
        let mut ada = Company::of(contract().last_day("2026-03-12"), None);
        let mut left = false;
        for day in 2..60 {
            let now = at("2026-03-01T12:00:00Z") + SignedDuration::from_hours(24 * day);
            if day >= first_told {
                ada.hq = vec![employee("7").start(&first.to_string())];
            }
            ada.look(now);
            left |= ada.state().0 == State::Terminated;
        }
        // Told only after the contract's end, the first days of it look like an exit: HR has said nothing else.
        let told_late = first_told > 11;
        assert!(left == (leaves || told_late), "a gap of {gap} days, told on day {first_told}");
        assert_eq!(ada.state(), (State::Active, Why::Active), "a gap of {gap} days: works here in the end");
        assert_eq!(ada.world.entry("c7").employment.left, None);
    }
}

#[test]
fn the_last_record_to_end_says_when_the_person_left() {
    let mut ada = Company::of(contract().last_day("2026-03-12"), Some(employee("7").last_day("2026-03-20")));
    ada.look(noon());
    ada.look(at("2026-03-14T12:00:00Z"));
    assert_eq!(ada.state(), (State::Active, Why::LeavesLater));
    assert_eq!(ada.world.entry("c7").employment.last_day, "2026-03-20".parse().ok());
    let plan = ada.look(at("2026-03-20T23:00:00Z"));
    let left = ada.world.left("c7");
    assert_eq!(left.effective, at("2026-03-20T23:00:00Z"));
    assert!(left.announced && !left.baseline, "two answers announced the day that counts");
    assert_eq!((plan.runs.len(), plan.runs[0].leavers), (1, 1), "one human is one leaver");
    assert_eq!(ada.world.event(&plan, "c7"), Some(LifecycleEvent::Terminated));
}

#[test]
fn a_midnight_is_a_turn_of_whichever_record_it_is_of() {
    let mut ada = Company::of(contract().last_day("2026-03-12"), Some(employee("7").start("2026-03-15")));
    let plan = ada.look(noon());
    assert_eq!(plan.wake, Some(at("2026-03-12T23:00:00Z")));
    ada.world.midnight(at("2026-03-12T23:00:00Z"));
    assert_eq!(ada.state(), (State::PreHire, Why::Between));
    let plan = ada.world.plan(None, at("2026-03-13T12:00:00Z"));
    assert_eq!(plan.wake, Some(at("2026-03-14T23:00:00Z")), "their first day, without any answer");
    ada.world.midnight(at("2026-03-14T23:00:00Z"));
    assert_eq!(ada.state(), (State::Active, Why::Active));
}

#[test]
fn a_next_employment_that_vanishes_before_it_begins_holds_nothing_from_its_first_day_on() {
    let mut ada = Company::of(contract().last_day("2026-03-12"), Some(employee("7").start("2026-03-15")));
    ada.look(noon());
    ada.hq.clear();
    ada.look(at("2026-03-13T12:00:00Z"));
    assert_eq!(ada.state(), (State::PreHire, Why::Between), "absence ends nothing");
    ada.look(at("2026-03-15T12:00:00Z"));
    assert_eq!(ada.state().0, State::Terminated, "it never began, and the contract has ended");
}

#[test]
fn a_record_that_is_linked_and_was_never_named_holds() {
    let mut ada = Company::of(contract().terminated(), None);
    ada.look(noon());
    assert_eq!(ada.state(), (State::Unknown, Why::NotNamed));
    ada.hq = vec![employee("7").terminated()];
    ada.look(noon() + SignedDuration::from_hours(1));
    assert_eq!(ada.state().0, State::Terminated);
    assert!(ada.world.left("c7").baseline, "nobody saw the second one end: a human decides");
}

#[test]
fn who_has_other_records_than_before_and_has_left_needs_approval() {
    let mut ada = Company::of(contract().terminated(), Some(employee("7")));
    ada.look(noon());
    assert_eq!(ada.state().0, State::Active);
    ada.world.known.get_mut(&HrId("c7".into())).unwrap().records.pop();
    ada.hq.clear();
    ada.look(noon() + SignedDuration::from_hours(1));
    assert_eq!(ada.state().0, State::Terminated);
    assert!(ada.world.left("c7").baseline);
}

#[test]
fn one_answer_that_is_not_there_leaves_what_its_connection_said_as_it_is() {
    let mut ada = Company::of(contract(), Some(employee("7")));
    ada.look(noon());
    let now = noon() + SignedDuration::from_hours(1);
    let gone = [employee("7").terminated()];
    let plan = ada.world.planned_over(&[answer("hq", &gone, now)], now);
    ada.world.write(&plan, usize::MAX);
    assert_eq!(ada.state().0, State::Active, "the contract goes on");
    assert_eq!(ada.world.entry("c7").employments[0].missing_since, None, "nobody said that it is missing");
}

#[test]
fn in_scope_is_who_is_in_scope_by_any_record_and_a_record_out_of_scope_keeps_its_human_here() {
    let sales = |one: Employee| one.department("Sales");
    let scope =
        || Arc::new(Scope::new(Lists::default().of(Kind::Department, ["Sales"]), Lists::default(), None).unwrap());
    let cases = [
        ("both", sales(contract()), sales(employee("7")), State::Active),
        ("one", sales(contract()), employee("7").department("Support"), State::Active),
        ("neither", contract(), employee("7"), State::OutOfScope),
        (
            "ended in scope, works out of it",
            sales(contract()).terminated(),
            employee("7").department("Support"),
            State::OutOfScope,
        ),
        (
            "ended in scope, ended out of it",
            sales(contract()).terminated(),
            employee("7").department("Support").terminated(),
            State::Terminated,
        ),
    ];
    for (what, contract, employment, expected) in cases {
        let mut ada = Company::of(contract, Some(employment));
        ada.world.scope = scope();
        ada.look(noon());
        assert_eq!(ada.state().0, expected, "{what}");
        assert!(expected != State::Terminated || ada.world.left("c7").baseline, "{what}: needs approval");
    }
}

#[test]
fn another_human_behind_one_id_is_a_conflict_of_that_record_alone() {
    let mut ada = Company::of(contract(), Some(employee("7").start("2020-01-01")));
    ada.look(noon());
    ada.hq = vec![Employee {
        name: "Eve Other".into(),
        work_email: "eve@example.com".into(),
        ..employee("7").start("2026-03-01")
    }];
    let plan = ada.look(noon() + SignedDuration::from_hours(1));
    assert_eq!(ada.state().0, State::Active, "the contract goes on");
    assert_eq!(ada.world.event(&plan, "c7"), Some(LifecycleEvent::Conflicting));
    assert!(!ada.world.entry("c7").aliases.contains(&"email:eve@example.com".to_owned()));
    ada.contractors = vec![contract().terminated()];
    ada.look(noon() + SignedDuration::from_hours(2));
    assert_eq!(ada.state(), (State::Unknown, Why::Conflict), "and holds when the contract ends");
}

#[test]
fn an_address_that_another_record_of_theirs_gets_too_vouches_in_the_same_answers_as_later() {
    let married = |one: Employee| Employee { work_email: "ada.new@example.com".into(), ..one };
    let start = |day: &str| employee("7").start(day);
    let mut ada = Company::of(contract(), Some(start("2020-01-01")));
    ada.look(noon());
    ada.contractors = vec![married(contract())];
    ada.hq = vec![Employee { name: "Ada New".into(), ..married(start("2026-03-01")) }];
    ada.look(noon() + SignedDuration::from_hours(1));
    assert_eq!(ada.state().0, State::Active);
    assert!(
        ada.world.entry("c7").employments.iter().all(|one| one.state.why != Why::Conflict),
        "no record is another human's"
    );
    let again = ada.look(noon() + SignedDuration::from_hours(2));
    assert!(again.changes.is_empty(), "the same answers say the same");
}

#[test]
fn a_record_of_a_person_that_another_policy_manages_makes_no_second_person() {
    let world = ClusterInventory { elsewhere: true, ..ClusterInventory::settled() };
    assert!(world.plan(Some(&people(7..=8)), noon()).changes.is_empty());
}

#[test]
fn nobody_becomes_a_leaver_while_another_connection_is_stale_but_on_an_announced_day() {
    let told = |contract: Employee| {
        let mut ada = Company::of(contract.clone(), Some(employee("7")));
        ada.look(noon());
        ada.hq = vec![employee("7").terminated()];
        ada.contractors = vec![contract.terminated()];
        ada
    };
    let mut ada = told(contract());
    ada.world.stale = true;
    ada.look(noon() + SignedDuration::from_hours(1));
    assert_eq!(ada.state(), (State::Unknown, Why::OtherSourceStale));
    ada.world.stale = false;
    ada.look(noon() + SignedDuration::from_hours(2));
    assert_eq!(ada.state().0, State::Terminated);
    assert!(!ada.world.left("c7").baseline, "it waited for nobody");
    ada.world.stale = true;
    ada.look(noon() + SignedDuration::from_hours(3));
    assert_eq!(ada.state().0, State::Terminated, "who has left has left");

    let mut announced = Company::of(contract().last_day("2026-03-12"), Some(employee("7").last_day("2026-03-12")));
    announced.look(noon());
    announced.world.stale = true;
    announced.world.midnight(at("2026-03-12T23:00:00Z"));
    assert_eq!(announced.state(), (State::Terminated, Why::LastDayPassed));
}

#[test]
fn an_announced_day_that_is_still_to_come_lets_nobody_leave_while_another_connection_is_stale() {
    let leaving = || employee("7").last_day("2026-03-31");
    let cases = [
        ("dismissed at once", Employee { urgent: true, ..leaving().terminated() }),
        ("brought forward to a past day", employee("7").terminated().last_day("2026-03-05")),
    ];
    for (what, now_gone) in cases {
        let mut ada = Company::of(contract().terminated().last_day("2026-03-08"), Some(leaving()));
        ada.look(noon());
        ada.world.stale = true;
        ada.hq = vec![now_gone];
        ada.look(noon() + SignedDuration::from_hours(1));
        assert_eq!(ada.state(), (State::Unknown, Why::OtherSourceStale), "{what}");
        ada.world.stale = false;
        ada.look(noon() + SignedDuration::from_hours(2));
        assert_eq!(ada.state().0, State::Terminated, "{what}");
    }
}

#[test]
fn a_clock_that_was_ahead_ends_no_record_of_somebody_who_had_not_left() {
    let (ahead, set_right) = (at("2026-03-14T12:00:00Z"), at("2026-03-11T12:00:00Z"));
    let last_day = |one: Employee| one.terminated().last_day("2026-03-12");
    // By the clock that was ahead the contract had ended; the employment, or a stale connection, kept them here.
    let mut ada = Company::of(last_day(contract()), Some(employee("7")));
    ada.look(ahead);
    assert_eq!(ada.state().0, State::Active);
    ada.hq = vec![employee("7").terminated()];
    ada.look(set_right);
    assert_eq!(ada.state(), (State::Active, Why::TerminatedLater), "the contract goes on to its last day");

    let mut stale = Company::of(last_day(contract()), Some(last_day(employee("7"))));
    stale.world.stale = true;
    stale.look(ahead);
    assert_eq!(stale.state().0, State::Unknown);
    stale.world.stale = false;
    stale.world.midnight(set_right);
    assert_eq!(stale.state(), (State::Active, Why::TerminatedLater), "read again, and of no answer at all");
    stale.look(at("2026-03-12T23:00:00Z"));
    assert_eq!(stale.state().0, State::Terminated);

    // Who had left is back by what one record says anew, and then the other one is looked at again too.
    let mut back = Company::of(last_day(contract()), Some(employee("7").last_day("2026-03-12")));
    back.look(noon());
    back.look(ahead);
    assert_eq!(back.state().0, State::Terminated);
    back.hq = vec![last_day(employee("7"))];
    back.look(set_right);
    let records = &back.world.entry("c7").employments;
    assert_eq!(records.iter().map(|one| one.state.state).collect::<Vec<_>>(), [State::Active, State::Active]);
}

#[test]
fn a_record_of_a_connection_that_the_policy_no_longer_reads_holds_its_human() {
    let mut ada = Company::of(contract(), Some(employee("7")));
    ada.look(noon());
    ada.world.roles.insert("hq", Role::Unread);
    ada.look(noon() + SignedDuration::from_hours(1));
    assert_eq!(ada.state(), (State::Active, Why::Active), "the contract goes on");
    ada.contractors = vec![contract().terminated()];
    ada.look(noon() + SignedDuration::from_hours(2));
    assert_eq!(ada.state(), (State::Unknown, Why::NotNamed));
}

#[test]
fn a_record_that_is_taken_off_the_person_it_gave_its_name_to_gets_a_person_of_another_name() {
    let mut world = ClusterInventory::with(&people(7..=8));
    let seven = world.known.get_mut(&HrId("7".into())).unwrap();
    seven.records = vec![RecordKey { connection: "hq".into(), id: HrId("9".into()) }];
    let name = seven.name.clone();
    let plan = world.plan(Some(&people(7..=9)), noon());
    let new = plan.changes.iter().find(|change| id_of(change).0 == "7").expect("a Person for 7");
    assert_ne!(new.name, name);
    let again = world.plan(Some(&people(7..=9)), noon());
    assert_eq!(again.changes, plan.changes, "the same name each time");
}

#[test]
fn what_a_merged_person_was_known_by_is_taken_over_before_it_goes() {
    let mut world = ClusterInventory::with(&people(7..=8));
    world.poll(&[employee("7"), Employee { work_email: "new@example.com".into(), ..employee("8") }], noon());
    let eight = world.known[&HrId("8".into())].clone();
    world.link("7", "hq", "8");
    let answer = [employee("7"), Employee { work_email: "newer@example.com".into(), ..employee("8") }];
    let plan = world.poll(&answer, noon() + SignedDuration::from_hours(1));
    assert_eq!(plan.changes.iter().map(|change| id_of(change).0.as_str()).collect::<Vec<_>>(), ["7"]);
    for address in ["8@example.com", "new@example.com", "newer@example.com", "7@example.com"] {
        assert!(world.entry("7").aliases.contains(&format!("email:{address}")), "{address}");
    }
    assert!(world.known[&HrId("8".into())].entry == eight.entry, "the one that goes is left as it is");
}

#[test]
fn a_person_that_gets_all_records_of_another_takes_them_over_whichever_is_older() {
    for (stays, goes) in [("7", "9"), ("9", "7")] {
        let mut world = ClusterInventory::with(&people(7..=10));
        world.link("7", "hq", "8");
        world.link("9", "hq", "10");
        world.poll(&people(7..=10), noon());
        for record in [goes.to_owned(), (goes.parse::<u32>().unwrap() + 1).to_string()] {
            world.link(stays, "hq", &record);
        }
        world.poll(&people(7..=10), noon() + SignedDuration::from_hours(1));
        let ids: Vec<_> = world.entry(stays).employments.iter().map(|one| one.record.id.0.clone()).collect();
        assert_eq!(ids.len(), 4, "{stays} takes over all of {goes}: {ids:?}");
        assert!(world.entry(stays).aliases.contains(&format!("email:{goes}@example.com")), "{stays} of {goes}");
    }
}
