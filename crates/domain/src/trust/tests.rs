//! What is believed and what is held, as tables of situations.

use jiff::{SignedDuration, civil};
use proptest::prelude::*;

mod companies;

use super::*;
use crate::employee::Text;
use crate::employee::{BadRecord, Status};

const SOURCE: &str = "file";

fn employee(id: usize) -> Employee {
    Employee {
        start: Some(civil::date(2020, 1, 1)),
        ..Employee::new(
            HrId(format!("{id}")),
            format!("Person {id}"),
            format!("p{id}@example.com"),
            ReportedStatus::Mapped(Status::Active),
        )
    }
}

fn people(ids: impl IntoIterator<Item = usize>) -> Read {
    Read { employees: ids.into_iter().map(employee).collect(), ..Read::default() }
}

fn with_bad(mut read: Read, bad: usize) -> Read {
    let record = |position| BadRecord { position, reason: "hireDate is not a date".to_owned() };
    read.bad = (1..=bad).map(record).collect();
    read
}

fn with_unmapped(mut read: Read, people: usize) -> Read {
    read.employees.iter_mut().take(people).for_each(|employee| employee.reported_status = ReportedStatus::Unmapped);
    read
}

fn bounds() -> Bounds {
    Bounds {
        max_shrink: 10,
        min_overlap: 95,
        max_bad_records: 1,
        max_unmapped_statuses: 1,
        always_present: Vec::new(),
        sentinels: Vec::new(),
    }
}

fn asked() -> Asked<'static> {
    Asked { source: SOURCE, remembered: true, accepted: None, known_people: &[] }
}

fn fresh() -> Memory {
    Memory::fresh(&[7; 32])
}

fn day(n: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * n)
}

fn first(read: Read) -> Memory {
    let asked = Asked { remembered: false, ..asked() };
    judge(read, &fresh(), &asked, &bounds(), day(0)).expect("the first answer is believed").memory
}

fn reasons(judgement: &Result<Believed, Held>) -> Vec<&'static str> {
    judgement.as_ref().err().map_or_else(Vec::new, |held| held.findings.iter().map(Finding::reason).collect())
}

#[test]
fn an_answer_is_held_for_what_it_shows() {
    let cases: Vec<(&str, Read, Read, &[&str])> = vec![
        ("the same", people(0..10), people(0..10), &[]),
        ("empty, or a header only", people(0..10), people([]), &["Empty"]),
        ("rows of which none can be read", people(0..10), with_bad(people([]), 10), &["Empty", "TooManyBadRecords"]),
        ("an id twice", people(0..10), people([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9]), &[]),
        ("an id five times", people(0..10), people((0..10).chain([9; 4])), &[]),
        ("two ids twice", people(0..30), people((0..30).chain([8, 9])), &["DuplicateIds"]),
        ("two ids twice of two hundred", people(0..200), people((0..200).chain([8, 9])), &[]),
        (
            "an id twice, and a record that cannot be read",
            people(0..30),
            with_bad(people((0..30).chain([9])), 1),
            &["DuplicateIds", "TooManyBadRecords"],
        ),
        (
            "an id twice, and as many as announced",
            people(0..10),
            Read { announced_total: Some(11), ..people((0..10).chain([9])) },
            &[],
        ),
        ("one fewer of ten", people(0..10), people(0..9), &[]),
        ("20 % fewer of ten", people(0..10), people(0..8), &["Shrunk"]),
        ("11 % fewer of a hundred", people(0..100), people(0..89), &["Shrunk"]),
        ("9 % fewer of a hundred", people(0..100), people(0..91), &[]),
        ("one of two", people(0..2), people(0..1), &[]),
        ("half a file", people(0..100), people(0..50), &["Shrunk"]),
        ("the same number of other people", people(0..10), people(100..110), &["OtherPeople"]),
        ("one person replaced in a small company", people(0..10), people(1..11), &[]),
        ("two people replaced in a small company", people(0..10), people(2..12), &["OtherPeople"]),
        ("the only person replaced", people(0..1), people(1..2), &["OtherPeople"]),
        ("5 of a hundred replaced", people(0..100), people(5..105), &[]),
        ("6 of a hundred replaced", people(0..100), people(6..106), &["OtherPeople"]),
        ("6 of a hundred replaced among many joiners", people(0..100), people(6..300), &["OtherPeople"]),
        ("fewer, and other people", people(0..100), people(50..80), &["Shrunk"]),
        ("fewer, and of another tenant", people(0..100), people(900..950), &["Shrunk", "OtherPeople"]),
        ("twice as many", people(0..100), people(0..200), &[]),
        ("one bad record of ten", people(0..10), with_bad(people(0..9), 1), &[]),
        ("two bad records of ten", people(0..12), with_bad(people(0..12), 2), &["TooManyBadRecords"]),
        ("one unmapped status of ten", people(0..10), with_unmapped(people(0..10), 1), &[]),
        ("two unmapped statuses of ten", people(0..10), with_unmapped(people(0..10), 2), &["UnmappedStatuses"]),
        ("two unmapped statuses of two hundred", people(0..200), with_unmapped(people(0..200), 2), &[]),
        ("fewer than announced", people(0..10), Read { announced_total: Some(11), ..people(0..10) }, &["Incomplete"]),
        (
            "as many as announced, with one set aside",
            people(0..10),
            Read { announced_total: Some(10), ..with_bad(people(0..9), 1) },
            &[],
        ),
    ];
    for (situation, before, now, expected) in cases {
        let judgement = judge(now, &first(before), &asked(), &bounds(), day(1));
        assert_eq!(reasons(&judgement), expected, "{situation}");
    }
}

#[test]
fn shrinking_by_nine_percent_poll_after_poll_is_held_from_the_second() {
    let memory = first(people(0..100));
    let once = judge(people(0..91), &memory, &asked(), &bounds(), day(0)).expect("9 % is believed");
    let twice = judge(people(0..83), &once.memory, &asked(), &bounds(), day(1));
    assert_eq!(reasons(&twice), ["ShrunkSlowly"]);
}

#[test]
fn the_high_water_mark_is_forgotten_after_seven_days() {
    let memory = first(people(0..100));
    let once = judge(people(0..91), &memory, &asked(), &bounds(), day(3)).expect("9 % is believed").memory;
    for (later, expected) in [(6, vec!["ShrunkSlowly"]), (7, vec![])] {
        assert_eq!(reasons(&judge(people(0..83), &once, &asked(), &bounds(), day(later))), expected, "day {later}");
    }
}

#[test]
fn a_clock_set_back_a_little_forgets_no_mark() {
    let memory = first(people(0..100));
    let tomorrow = judge(people(0..100), &memory, &asked(), &bounds(), day(9)).expect("the same").memory;
    let back = judge(people(0..91), &tomorrow, &asked(), &bounds(), day(8)).expect("9 % is believed").memory;
    assert_eq!(reasons(&judge(people(0..83), &back, &asked(), &bounds(), day(9))), ["ShrunkSlowly"]);
}

#[test]
fn other_people_are_noticed_right_after_a_restart() {
    let stored = first(people(0..5000)).stored().expect("stored");
    let memory = Memory::parse(&stored).expect("read again");
    let judgement = judge(people(10_000..15_000), &memory, &asked(), &bounds(), day(1));
    assert_eq!(reasons(&judgement), ["OtherPeople"]);
}

#[test]
fn a_held_answer_is_compared_no_more_than_the_last_trusted_one() {
    let memory = first(people(0..100));
    assert_eq!(reasons(&judge(people(0..50), &memory, &asked(), &bounds(), day(1))), ["Shrunk"]);
    let recovered = judge(people(0..99), &memory, &asked(), &bounds(), day(1));
    assert!(recovered.is_ok(), "the source recovered");
}

#[test]
fn a_lost_memory_holds_only_where_there_was_one() {
    for (remembered, expected) in [(true, vec!["MemoryLost"]), (false, vec![])] {
        let asked = Asked { remembered, ..asked() };
        assert_eq!(reasons(&judge(people(0..10), &fresh(), &asked, &bounds(), day(1))), expected);
    }
}

#[test]
fn a_changed_source_with_the_same_people_is_believed_and_with_others_held() {
    let memory = first(people(0..10));
    let asked = Asked { source: "another", ..asked() };
    let same = judge(people(0..10), &memory, &asked, &bounds(), day(1)).expect("the same people");
    assert_eq!(same.snapshot.source(), "another");
    let other = judge(people(20..30), &memory, &asked, &bounds(), day(1)).expect_err("another tenant");
    assert_eq!(other.findings, [Finding::OtherPeople { replaced: 10, of: 10, source_changed: true }]);
}

#[test]
fn a_field_that_must_appear_is_missed_when_nobody_has_it() {
    let fields = vec![Field::EmployeeId, Field::Status, Field::HireDate, Field::Department];
    let bounds = Bounds { always_present: fields, ..bounds() };
    let mut read = people(0..10);
    let held = judge(read.clone(), &first(people(0..10)), &asked(), &bounds, day(1)).expect_err("held");
    assert_eq!(held.findings, [Finding::FieldMissing(vec![Field::EmployeeId, Field::Department])]);

    read.offered.insert(Field::EmployeeId);
    read.employees[3].texts.set(Text::Department, Some("Tools".into()));
    assert!(judge(read, &first(people(0..10)), &asked(), &bounds, day(1)).is_ok());
}

#[test]
fn a_sentinel_that_is_not_seen_as_it_must_be_holds_and_can_be_accepted() {
    let asked = Asked { remembered: false, ..asked() };
    let mut read = people(1..=4);
    read.employees.iter_mut().for_each(|employee| employee.start = None);
    read.employees[1].reported_status = ReportedStatus::Mapped(Status::Terminated);
    read.employees[2].start = Some(civil::date(2099, 1, 1));
    read.employees[3].reported_status = ReportedStatus::Mapped(Status::Leave);
    let with = |sentinels: &[(usize, Sentinel)]| Bounds {
        sentinels: sentinels.iter().map(|(id, sentinel)| (HrId(id.to_string()), *sentinel)).collect(),
        ..bounds()
    };
    let seen = with(&[(1, Sentinel::Active), (2, Sentinel::Departed), (3, Sentinel::Future), (4, Sentinel::Active)]);
    assert!(judge(read.clone(), &fresh(), &asked, &seen, day(0)).is_ok());
    for (id, sentinel) in [
        (9, Sentinel::Departed), // nowhere in the answer
        (1, Sentinel::Departed), // still works here
        (2, Sentinel::Active),
        (3, Sentinel::Active),
        (1, Sentinel::Future),
    ] {
        let held = judge(read.clone(), &fresh(), &asked, &with(&[(id, sentinel)]), day(0)).unwrap_err();
        assert_eq!(held.findings, [Finding::Sentinels(vec![(HrId(id.to_string()), sentinel)])]);
        let accepted = Asked { accepted: Some(&held.answer), ..asked };
        assert!(judge(read.clone(), &fresh(), &accepted, &with(&[(id, sentinel)]), day(0)).is_ok());
    }
}

#[test]
fn everything_is_found_at_once() {
    let read = Read { announced_total: Some(99), ..with_unmapped(with_bad(people(200..250), 5), 5) };
    let held = judge(read, &first(people(0..100)), &asked(), &bounds(), day(1));
    assert_eq!(reasons(&held), ["Incomplete", "TooManyBadRecords", "UnmappedStatuses", "Shrunk", "OtherPeople"]);
}

#[test]
fn an_accepted_answer_is_believed_and_becomes_the_measure() {
    let memory = first(people(0..100));
    let held = judge(people(0..50), &memory, &asked(), &bounds(), day(1)).expect_err("held");
    let accepting = Asked { accepted: Some(&held.answer), ..asked() };
    let believed = judge(people(0..50), &memory, &accepting, &bounds(), day(1)).expect("accepted");
    assert_eq!(believed.waived, held.findings);
    assert!(judge(people(0..49), &believed.memory, &asked(), &bounds(), day(2)).is_ok(), "the new measure is 50");
}

#[test]
fn accepting_names_exactly_one_answer() {
    let memory = first(people(0..100));
    let held = judge(people(0..50), &memory, &asked(), &bounds(), day(1)).expect_err("held");
    let accepting = Asked { accepted: Some(&held.answer), ..asked() };
    assert_eq!(reasons(&judge(people(0..51), &memory, &accepting, &bounds(), day(1))), ["Shrunk"]);
}

#[test]
fn what_nobody_can_judge_cannot_be_accepted() {
    let cases = [("Empty", people([])), ("Incomplete", Read { announced_total: Some(9), ..people(0..3) })];
    let memory = first(people(0..3));
    for (reason, read) in cases {
        let held = judge(read.clone(), &memory, &asked(), &bounds(), day(1)).expect_err("held");
        let accepting = Asked { accepted: Some(&held.answer), ..asked() };
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
fn the_order_of_an_answer_does_not_matter() {
    let answer = |ids| judge(people(ids), &first(people(0..3)), &asked(), &bounds(), day(1)).expect("trusted").snapshot;
    let (sorted, shuffled) = (answer([0, 1, 2]), answer([2, 0, 1]));
    assert_eq!((sorted.answer(), sorted.acceptance()), (shuffled.answer(), shuffled.acceptance()));
}

#[test]
fn a_title_that_changes_meanwhile_does_not_void_what_was_accepted() {
    let memory = first(people(0..100));
    let held = judge(people(0..50), &memory, &asked(), &bounds(), day(1)).expect_err("held");
    let accepting = Asked { accepted: Some(&held.answer), ..asked() };
    let mut moved = people(0..50);
    moved.employees[7].texts.set(Text::Title, Some("Head of tools".into()));
    let trusted = judge(moved.clone(), &memory, &accepting, &bounds(), day(1)).expect("accepted");
    assert!(trusted.snapshot.employees().iter().any(|one| one.text(Text::Title) == Some("Head of tools")));
    moved.employees[7].reported_status = ReportedStatus::Mapped(Status::Terminated);
    assert_eq!(reasons(&judge(moved, &memory, &accepting, &bounds(), day(1))), ["Shrunk"], "a status voids it");
}

#[test]
fn nothing_is_said_of_an_id_that_two_records_have_and_an_admin_may_accept_that() {
    let mut read = people((0..30).chain([8, 9]));
    read.employees.last_mut().expect("somebody").reported_status = ReportedStatus::Mapped(Status::Terminated);
    let memory = first(people(0..30));
    let held = judge(read.clone(), &memory, &asked(), &bounds(), day(1)).expect_err("held");
    assert_eq!(held.findings, [Finding::DuplicateIds { ids: 2, first: HrId("8".to_owned()) }]);
    let accepting = Asked { accepted: Some(&held.answer), ..asked() };
    let trusted = judge(read, &memory, &accepting, &bounds(), day(1)).expect("accepted");
    let named: Vec<_> = trusted.snapshot.employees().iter().map(|one| one.id.0.as_str()).collect();
    assert!(!named.contains(&"8") && !named.contains(&"9") && named.len() == 28);
    assert_eq!(trusted.repeated, [HrId("8".to_owned()), HrId("9".to_owned())]);
}

#[test]
fn records_that_cannot_be_read_and_statuses_that_are_not_mapped_have_a_bound_each() {
    let memory = first(people(0..100));
    let read = with_unmapped(with_bad(people(0..100), 5), 5);
    for (bad, unmapped, expected) in [
        (1, 1, vec!["TooManyBadRecords", "UnmappedStatuses"]),
        (5, 1, vec!["UnmappedStatuses"]),
        (1, 5, vec!["TooManyBadRecords"]),
        (5, 5, vec![]),
    ] {
        let bounds = Bounds { max_bad_records: bad, max_unmapped_statuses: unmapped, ..bounds() };
        assert_eq!(reasons(&judge(read.clone(), &memory, &asked(), &bounds, day(1))), expected, "{bad}, {unmapped}");
    }
}

#[test]
fn an_unchanged_answer_leaves_the_memory_as_it_is() {
    let memory = first(people(0..10));
    let again = judge(people(0..10), &memory, &asked(), &bounds(), day(0)).expect("the same");
    assert_eq!(again.memory, memory);
}

#[test]
fn a_snapshot_is_ordered_by_id() {
    let believed = judge(people([3, 1, 2]), &first(people(1..4)), &asked(), &bounds(), day(1)).expect("believed");
    let ids: Vec<_> = believed.snapshot.employees().iter().map(|employee| employee.id.0.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
}

#[test]
fn the_memory_of_a_hundred_thousand_people_is_small_and_names_nobody() {
    let stored = first(people(0..100_000)).stored().expect("stored");
    assert!(stored.len() < 24 * 1024, "{} bytes", stored.len());
    assert_eq!(format!("{:?}", first(people(0..3))), "Memory(Some(3) people)");
}

#[test]
fn a_memory_of_another_form_is_not_read() {
    let good = String::from_utf8(first(people(0..3)).stored().expect("stored")).expect("text");
    assert!(Memory::parse(good.as_bytes()).is_some());
    let others = [
        good.replace("\"version\":1", "\"version\":2"),
        good.replace("\"sketch\":\"", "\"sketch\":\"!"),
        String::new(),
    ];
    for other in others {
        assert!(Memory::parse(other.as_bytes()).is_none(), "{other}");
    }
}

#[test]
fn the_overlap_of_a_hundred_thousand_is_told_within_two_percent() {
    let memory = first(people(0..100_000));
    let last = memory.last().expect("an answer");
    for gone in [0, 1_000, 3_000, 5_000, 8_000, 10_000] {
        let people = people(gone..100_000 + gone).employees;
        let told = last.still_there(&memory.hashed(&people));
        let difference = told.abs_diff(100_000 - gone);
        assert!(difference <= 2_000, "{gone} replaced, told {told}");
    }
}

/// A file with a date in its name, signed at a second.
fn of_day(mut read: Read, day: i8, signed: Option<i64>) -> Read {
    read.delivered.dated = Some(civil::date(2026, 3, day).at(0, 0, 0, 0));
    read.delivered.signed = signed.and_then(|second| Timestamp::from_second(second).ok());
    read
}

#[test]
fn a_file_that_was_overtaken_is_held_and_can_be_accepted() {
    let memory = first(of_day(people(0..10), 8, Some(100)));
    for (situation, read, expected) in [
        ("a newer one", of_day(people(0..10), 9, Some(200)), vec![]),
        ("the same day, delivered again", of_day(people(0..10), 8, Some(150)), vec![]),
        ("an older one", of_day(people(0..10), 7, Some(200)), vec!["OlderFile"]),
        ("an older one under a newer name", of_day(people(0..10), 9, Some(99)), vec!["OlderFile"]),
        ("an older one, and of fewer", of_day(people(0..5), 7, None), vec!["OlderFile", "Shrunk"]),
        ("one that says no date", people(0..10), vec![]),
        ("one that is signed no more", of_day(people(0..10), 9, None), vec![]),
    ] {
        assert_eq!(reasons(&judge(read, &memory, &asked(), &bounds(), day(1))), expected, "{situation}");
    }
    let older = of_day(people(0..10), 7, Some(50));
    let held = judge(older.clone(), &memory, &asked(), &bounds(), day(1)).expect_err("held");
    let accepting = Asked { accepted: Some(&held.answer), ..asked() };
    let believed = judge(older, &memory, &accepting, &bounds(), day(1)).expect("accepted");
    assert!(judge(of_day(people(0..10), 7, Some(60)), &believed.memory, &asked(), &bounds(), day(2)).is_ok());
}

/// An answer that names only some.
fn part(ids: impl IntoIterator<Item = usize>) -> Read {
    Read { part: true, ..people(ids) }
}

#[test]
fn an_answer_that_names_only_some_is_neither_small_nor_strange_and_measures_nothing() {
    let memory = first(people(0..100));
    for (situation, read, expected) in [
        ("one of a hundred", part([7]), vec![]),
        ("nobody", part([]), vec![]),
        ("somebody new", part([500, 501]), vec![]),
        ("two twice", part([7, 7, 8, 8]), vec!["DuplicateIds"]),
        ("two that cannot be read", with_bad(part([7]), 2), vec!["TooManyBadRecords"]),
        ("an older one", of_day(part([7]), 1, None), vec![]), // the first that says a date
    ] {
        let judged = judge(read, &memory, &asked(), &bounds(), day(1));
        assert_eq!(reasons(&judged), expected, "{situation}");
        let Ok(believed) = judged else { continue };
        assert!(believed.snapshot.part());
        assert_eq!(believed.memory.high_water(civil::date(1970, 1, 2)), 100, "{situation}: the whole one stands");
        let half = judge(people(0..50), &believed.memory, &asked(), &bounds(), day(2));
        assert_eq!(reasons(&half), ["Shrunk"], "{situation}: and is what a whole one is compared with");
    }
    let sentinels = Bounds { sentinels: vec![(HrId("3".to_owned()), Sentinel::Active)], ..bounds() };
    assert!(judge(part([7]), &memory, &asked(), &sentinels, day(1)).is_ok(), "who is not named is not missed");
    let from_nothing = judge(part([7]), &fresh(), &Asked { remembered: false, ..asked() }, &bounds(), day(0));
    let memory = from_nothing.expect("believed").memory;
    assert!(
        judge(people(0..100), &memory, &asked(), &bounds(), day(1)).is_ok(),
        "the first whole one is compared with nothing"
    );
}

#[test]
fn an_answer_that_is_the_last_one_still_is_believed_as_of_now_and_keeps_its_measure() {
    let asked = Asked { remembered: false, ..asked() };
    let first = judge(people(0..100), &fresh(), &asked, &bounds(), day(0)).expect("believed");
    let mut memory = first.memory.clone();
    for later in 1..9 {
        let same = again(&first.snapshot, &memory, &asked, day(later)).expect("the same");
        let read = judge(people(0..100), &memory, &asked, &bounds(), day(later)).expect("read again");
        assert_eq!(same.memory, read.memory, "as if it had been read");
        assert_eq!((same.snapshot.taken(), same.snapshot.employees().len()), (day(later), 100));
        memory = same.memory;
    }
    let other = judge(people(0..99), &memory, &asked, &bounds(), day(9)).expect("believed");
    assert!(again(&first.snapshot, &other.memory, &asked, day(9)).is_none(), "another one was believed since");
    let mapped = Asked { source: "mapped anew", ..asked };
    assert!(again(&first.snapshot, &memory, &mapped, day(9)).is_none(), "or it is read in another way");
    assert!(again(&first.snapshot, &fresh(), &asked, day(9)).is_none(), "or nothing is remembered");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_empty_answer_is_never_believed(before in 0_usize..60, remembered: bool, bad in 0_usize..5, later in 0_i64..30, shrink in 0_u8..=100) {
        let memory = if before == 0 { fresh() } else { first(people(0..before)) };
        let bounds = Bounds { max_shrink: shrink, min_overlap: 0, max_bad_records: 100, ..bounds() };
        let read = with_bad(people([]), bad);
        let asked = Asked { remembered, ..asked() };
        let held = judge(read.clone(), &memory, &asked, &bounds, day(later)).expect_err("held");
        let accepting = Asked { accepted: Some(&held.answer), ..asked };
        prop_assert!(judge(read, &memory, &accepting, &bounds, day(later)).is_err());
    }

    #[test]
    fn nothing_below_the_bound_of_seven_days_is_ever_believed(sizes in proptest::collection::vec(1_usize..120, 1..12)) {
        let mut memory = first(people(0..100));
        let mut most = 100;
        for size in sizes {
            if let Ok(believed) = judge(people(0..size), &memory, &asked(), &bounds(), day(1)) {
                prop_assert!(most - size.min(most) <= allowance(10, most));
                most = most.max(size);
                memory = believed.memory;
            }
        }
    }
}
