//! What is believed and what is held, as tables of situations.

use jiff::{SignedDuration, civil};
use proptest::prelude::*;

mod accepting;
mod companies;
mod deliveries;
mod memory;

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
    Bounds::default()
}

fn asked() -> PollContext<'static> {
    PollContext { source: SOURCE, remembered: true, accepted: None, known_people: &[] }
}

fn fresh() -> Memory {
    Memory::fresh(&[7; 32])
}

fn day(n: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * n)
}

fn first(read: Read) -> Memory {
    let asked = PollContext { remembered: false, ..asked() };
    judge(read, &fresh(), &asked, &bounds(), day(0)).expect("the first response is believed").memory
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
fn a_changed_source_with_the_same_people_is_believed_and_with_others_held() {
    let memory = first(people(0..10));
    let asked = PollContext { source: "another", ..asked() };
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
    let asked = PollContext { remembered: false, ..asked() };
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
        let accepted = PollContext { accepted: Some(&held.answer), ..asked };
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
fn the_order_of_an_answer_does_not_matter() {
    let answer = |ids| judge(people(ids), &first(people(0..3)), &asked(), &bounds(), day(1)).expect("trusted").snapshot;
    let (sorted, shuffled) = (answer([0, 1, 2]), answer([2, 0, 1]));
    assert_eq!((sorted.answer(), sorted.acceptance()), (shuffled.answer(), shuffled.acceptance()));
}

#[test]
fn nothing_is_said_of_an_id_that_two_records_have_and_an_admin_may_accept_that() {
    let mut read = people((0..30).chain([8, 9]));
    read.employees.last_mut().expect("somebody").reported_status = ReportedStatus::Mapped(Status::Terminated);
    let memory = first(people(0..30));
    let held = judge(read.clone(), &memory, &asked(), &bounds(), day(1)).expect_err("held");
    assert_eq!(held.findings, [Finding::DuplicateIds { ids: 2, first: HrId("8".to_owned()) }]);
    let accepting = PollContext { accepted: Some(&held.answer), ..asked() };
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
fn a_snapshot_is_ordered_by_id() {
    let believed = judge(people([3, 1, 2]), &first(people(1..4)), &asked(), &bounds(), day(1)).expect("believed");
    let ids: Vec<_> = believed.snapshot.employees().iter().map(|employee| employee.id.0.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_empty_answer_is_never_believed(before in 0_usize..60, remembered: bool, bad in 0_usize..5, later in 0_i64..30, shrink in 0_u8..=100) {
        let memory = if before == 0 { fresh() } else { first(people(0..before)) };
        let bounds = Bounds { max_shrink: shrink, min_overlap: 0, max_bad_records: 100, ..bounds() };
        let read = with_bad(people([]), bad);
        let asked = PollContext { remembered, ..asked() };
        let held = judge(read.clone(), &memory, &asked, &bounds, day(later)).expect_err("held");
        let accepting = PollContext { accepted: Some(&held.answer), ..asked };
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
