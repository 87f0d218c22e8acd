//! What an admin accepts, and what the digest that names it covers.

use super::*;

#[test]
fn an_accepted_answer_is_believed_and_becomes_the_measure() {
    let memory = first(people(0..100));
    let held = judge(people(0..50), &memory, &asked(), &bounds(), day(1)).expect_err("held");
    let accepting = PollContext { accepted: Some(&held.answer), ..asked() };
    let believed = judge(people(0..50), &memory, &accepting, &bounds(), day(1)).expect("accepted");
    assert_eq!(believed.waived, held.findings);
    assert!(judge(people(0..49), &believed.memory, &asked(), &bounds(), day(2)).is_ok(), "the new measure is 50");
}

#[test]
fn accepting_names_exactly_one_answer() {
    let memory = first(people(0..100));
    let held = judge(people(0..50), &memory, &asked(), &bounds(), day(1)).expect_err("held");
    let accepting = PollContext { accepted: Some(&held.answer), ..asked() };
    assert_eq!(reasons(&judge(people(0..51), &memory, &accepting, &bounds(), day(1))), ["Shrunk"]);
}

#[test]
fn what_nobody_can_judge_cannot_be_accepted() {
    let cases = [("Empty", people([])), ("Incomplete", Read { announced_total: Some(9), ..people(0..3) })];
    let memory = first(people(0..3));
    for (reason, read) in cases {
        let held = judge(read.clone(), &memory, &asked(), &bounds(), day(1)).expect_err("held");
        let accepting = PollContext { accepted: Some(&held.answer), ..asked() };
        assert_eq!(reasons(&judge(read, &memory, &accepting, &bounds(), day(1))), [reason]);
    }
}

/// The digests of an answer: exact, and of what an admin accepts.
fn digests(read: Read, memory: &Memory) -> (String, String) {
    let Digests { exact, acceptance } = memory.digests(&read);
    (exact, acceptance)
}

#[test]
fn what_is_accepted_is_ids_statuses_dates_and_addresses_and_an_answer_is_named_by_all_that_decides() {
    let memory = first(people(0..3));
    let plain = digests(people(0..3), &memory);
    assert_eq!((plain.0.len(), plain.1.len()), (32, 32));
    type Change = fn(&mut Employee);
    let cases: [(&str, Change, bool, bool); 9] = [
        ("a name", |e| e.name = "Another name".to_owned(), false, false),
        ("a title", |e| e.texts.set(Text::Title, Some("Clerk".into())), true, false),
        ("a department", |e| e.texts.set(Text::Department, Some("Sales".into())), true, false),
        ("a location", |e| e.texts.set(Text::Location, Some("Vigo".into())), true, false),
        ("an id", |e| e.id = HrId("77".to_owned()), true, true),
        ("a status", |e| e.reported_status = ReportedStatus::Mapped(Status::Terminated), true, true),
        ("a first day", |e| e.start = None, true, true),
        ("a last day", |e| e.last_day = Some(civil::date(2026, 3, 1)), true, true),
        ("an address", |e| e.work_email = "bo@example.com".to_owned(), true, true),
    ];
    for (what, change, exact, acceptance) in cases {
        let mut read = people(0..3);
        change(&mut read.employees[1]);
        let changed = digests(read, &memory);
        assert_eq!((changed.0 != plain.0, changed.1 != plain.1), (exact, acceptance), "{what}");
    }
    let [sales, team] = [Text::Department, Text::Team].map(|text| {
        let mut read = people(0..3);
        read.employees[1].texts.set(text, Some("Sales".into()));
        digests(read, &memory).0
    });
    assert_ne!(sales, team, "of what it is said counts too");
    assert_ne!(plain, digests(people(0..3), &Memory::fresh(&[8; 32])), "another key, another digest");
}

#[test]
fn a_title_that_changes_meanwhile_does_not_void_what_was_accepted() {
    let memory = first(people(0..100));
    let held = judge(people(0..50), &memory, &asked(), &bounds(), day(1)).expect_err("held");
    let accepting = PollContext { accepted: Some(&held.answer), ..asked() };
    let mut moved = people(0..50);
    moved.employees[7].texts.set(Text::Title, Some("Head of tools".into()));
    let trusted = judge(moved.clone(), &memory, &accepting, &bounds(), day(1)).expect("accepted");
    assert!(trusted.snapshot.employees().iter().any(|one| one.text(Text::Title) == Some("Head of tools")));
    moved.employees[7].reported_status = ReportedStatus::Mapped(Status::Terminated);
    assert_eq!(reasons(&judge(moved, &memory, &accepting, &bounds(), day(1))), ["Shrunk"], "a status voids it");
}
