use super::*;

fn company(scenario: Scenario) -> Company {
    Company { seed: 7, people: 400, scenario, first: Date::constant(2026, 3, 2) }
}

fn at(company: &Company, day: u32, answers: u32) -> Vec<Person> {
    let moment = Moment { today: company.first, day, answers, made_to_leave: BTreeSet::new() };
    (0..company.numbers(&moment)).filter_map(|number| company.person(number, &moment)).collect()
}

fn left(people: &[Person]) -> usize {
    people.iter().filter(|person| person.status == Status::Terminated).count()
}

#[test]
fn a_company_has_some_of_every_kind_and_no_address_twice() {
    let company = Company { people: 2000, ..company(Scenario::Quiet) };
    let people = at(&company, 0, 0);
    assert_eq!(people.len(), 2000);
    for status in [Status::Active, Status::Leave, Status::Suspended, Status::Terminated] {
        assert!(people.iter().any(|person| person.status == status), "{status:?}");
    }
    assert!(people.iter().any(|person| person.start > company.first));
    assert!(people.iter().any(|person| person.last_day.is_some_and(|day| day > company.first)));
    for kind in EmploymentType::ALL {
        assert!(people.iter().any(|person| person.kind == kind), "{kind:?}");
    }
    let addresses: BTreeSet<_> = (0..2000).map(|number| company.email(number)).collect();
    assert_eq!(addresses.len(), 2000);
    assert!(people.iter().all(|person| person.manager.is_none_or(|manager| manager < person.number)));
    assert!(people.iter().all(|person| person.last_day.is_none_or(|last| last >= person.start)));
    assert_eq!(people.iter().filter(|person| person.manager.is_none()).count(), 1);
}

#[test]
fn what_happens_follows_the_scenario() {
    let all = at(&company(Scenario::Quiet), 0, 0);
    let (everybody, gone) = (all.len(), left(&all));
    for (scenario, day, answers, people, leavers) in [
        (Scenario::Quiet, 0, 9, everybody, gone), // an answer changes nothing
        (Scenario::Layoff, 0, 0, everybody, gone),
        (Scenario::Leaver, 0, 0, everybody, gone),
        (Scenario::Leaver, 0, 1, everybody, gone + 1),
        (Scenario::Leaver, 3, 0, everybody, gone + 1),
        (Scenario::Rehire, 1, 0, everybody, gone + 1),
        (Scenario::Rehire, 1, 2, everybody, gone),
        (Scenario::Empty, 0, 1, 0, 0),
    ] {
        let found = at(&company(scenario), day, answers);
        assert_eq!((found.len(), left(&found)), (people, leavers), "{scenario:?} {day} {answers}");
    }
    assert!(left(&at(&company(Scenario::Layoff), 1, 0)) > gone + 25);
    assert!((200..300).contains(&at(&company(Scenario::Shrunk), 0, 1).len()));
    let grown = at(&company(Scenario::Growth), 100, 0);
    assert!(grown.len() > 2 * everybody && left(&grown) > gone);
}

#[test]
fn somebody_can_be_made_to_leave_and_nobody_changes_for_another_reason() {
    let company = company(Scenario::Leaver);
    let moment = Moment { today: company.first, day: 0, answers: 0, made_to_leave: [1].into() };
    let one = company.person(1, &moment).unwrap();
    assert_eq!((one.status, one.last_day), (Status::Terminated, Some(Date::constant(2026, 3, 1))));
    let (before, after) = (at(&company, 0, 0), at(&company, 0, 1));
    let changed: Vec<_> =
        before.iter().zip(&after).filter(|(a, b)| a.status != b.status).map(|(a, _)| a.number).collect();
    assert_eq!(changed, [company.leaver()]);
}
