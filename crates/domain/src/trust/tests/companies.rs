//! Companies of four sizes through what happens to their lists: ordinary life passes, a column that moved does not.

use std::collections::BTreeSet;

use jiff::ToSpan;

use super::*;

const SIZES: [usize; 4] = [5, 40, 400, 10_000];

/// A company with a history: of five people one had left, each with a first day of their own.
fn company(size: usize) -> Vec<Employee> {
    let person = |n: usize| {
        let days = i32::try_from(n * 37 % 3000).expect("a few years");
        let left = n % 5 == 3;
        Employee {
            start: Some(civil::date(2012, 1, 2).saturating_add(days.days())),
            last_day: left.then(|| civil::date(2021, 1, 1).saturating_add((days / 2).days())),
            reported_status: ReportedStatus::Mapped(if left { Status::Terminated } else { Status::Active }),
            ..employee(1000 + n)
        }
    };
    (0..size).map(person).collect()
}

fn read(employees: Vec<Employee>) -> Read {
    Read { employees, ..Read::default() }
}

fn working(company: &mut [Employee]) -> impl Iterator<Item = &mut Employee> {
    company.iter_mut().filter(|one| one.reported_status == ReportedStatus::Mapped(Status::Active))
}

fn leave(one: &mut Employee) {
    one.reported_status = ReportedStatus::Mapped(Status::Terminated);
    one.last_day = Some(civil::date(2026, 2, 28));
}

fn marry(one: &mut Employee) {
    one.work_email = format!("married-{}@example.com", one.id);
}

/// Gives everybody the value of the row below, as a sheet does that was sorted with a column left out.
fn shift<T: Clone>(company: &mut [Employee], of: impl Fn(&mut Employee) -> &mut T) {
    let mut values: Vec<T> = company.iter_mut().map(|one| of(one).clone()).collect();
    values.rotate_left(1);
    company.iter_mut().zip(values).for_each(|(one, value)| *of(one) = value);
}

fn shift_dates(company: &mut [Employee]) {
    shift(company, |one| &mut one.reported_status);
    shift(company, |one| &mut one.start);
    shift(company, |one| &mut one.last_day);
}

fn spring() -> Timestamp {
    "2026-03-10T06:00:00Z".parse().expect("an instant")
}

fn remembered(company: Vec<Employee>) -> Memory {
    let asked = PollContext { remembered: false, ..asked() };
    judge(read(company), &fresh(), &asked, &bounds(), spring()).expect("the first is trusted").memory
}

/// Companies of every size, each with what is remembered of it.
fn companies() -> impl Iterator<Item = (usize, Memory)> {
    SIZES.into_iter().map(|size| (size, remembered(company(size))))
}

/// What is found where the company becomes what `change` makes of it.
fn found((size, memory): &(usize, Memory), change: impl Fn(&mut Vec<Employee>)) -> Vec<&'static str> {
    let mut changed = company(*size);
    change(&mut changed);
    reasons(&judge(read(changed), memory, &asked(), &bounds(), spring()))
}

#[test]
fn ordinary_life_is_trusted_at_every_size() {
    type Change = fn(&mut Vec<Employee>);
    let cases: [(&str, Change); 10] = [
        ("nothing happened", |_| {}),
        ("a marriage", |all| marry(&mut all[0])),
        ("two marriages", |all| all.iter_mut().take(2).for_each(marry)),
        ("two people whose addresses were swapped get their own", |all| {
            let first = all[0].work_email.clone();
            all[0].work_email = std::mem::replace(&mut all[1].work_email, first);
        }),
        ("everybody who had left is made anonymous", |all| {
            for one in all.iter_mut().filter(|one| one.last_day.is_some()) {
                one.work_email = format!("anonymous-{}@example.com", one.id);
            }
        }),
        ("somebody leaves", |all| working(all).take(1).for_each(leave)),
        ("one of fifty leaves, and one of twenty-five joins", |all| {
            let size = all.len();
            working(all).take(1 + size / 50).for_each(leave);
            all.extend((0..=size / 25).map(|n| employee(50_000 + n)));
        }),
        ("a first day is corrected", |all| all[1].start = Some(civil::date(2013, 5, 6))),
        ("a termination is taken back", |all| {
            all[3].reported_status = ReportedStatus::Mapped(Status::Active);
            all[3].last_day = None;
        }),
        ("everybody who had left comes back for the season, in a new employment", |all| {
            for one in all.iter_mut().filter(|one| one.last_day.is_some()) {
                one.reported_status = ReportedStatus::Mapped(Status::Active);
                one.start = Some(civil::date(2026, 3, 9));
                one.last_day = None;
            }
        }),
    ];
    for known in companies() {
        let size = known.0;
        for (what, change) in cases {
            assert_eq!(found(&known, change), Vec::<&str>::new(), "{what}, of {size}");
        }
    }
}

#[test]
fn a_column_that_moved_is_held_at_every_size() {
    for known in companies() {
        let size = known.0;
        let addresses = |all: &mut Vec<Employee>| shift(all, |one| &mut one.work_email);
        assert_eq!(found(&known, addresses), ["AddressesMoved"], "addresses, of {size}");
        let dates = found(&known, |all| shift_dates(all));
        assert_eq!(dates.first(), Some(&"OtherStartDates"), "statuses and dates, of {size}");
        let ids = found(&known, |all| shift(all, |one| &mut one.id));
        assert_eq!(ids.first(), Some(&"IdsReassigned"), "ids, of {size}");
        let without_first_days = |all: &mut Vec<Employee>| {
            shift(all, |one| &mut one.reported_status);
            shift(all, |one| &mut one.last_day);
        };
        assert_eq!(found(&known, without_first_days), ["LeaversChanged"], "statuses and last days, of {size}");
        assert_eq!(
            found(&known, |all| shift(all, |one| &mut one.reported_status)),
            ["LeaversChanged"],
            "statuses alone, of {size}"
        );
    }
}

#[test]
fn another_tenant_with_the_same_numbers_is_held_at_every_size() {
    for known in companies() {
        let size = known.0;
        let other = |all: &mut Vec<Employee>| {
            for one in all {
                one.work_email = format!("{}@other.example.com", one.id);
                one.start = one.start.map(|day| day.saturating_add(400.days()));
            }
        };
        assert_eq!(found(&known, other), ["IdsReassigned"], "of {size}");
    }
}

#[test]
fn leavers_who_are_all_employed_again_are_held_at_every_size_where_more_than_two_had_left() {
    for known in companies() {
        let size = known.0;
        let back = |all: &mut Vec<Employee>| {
            all.iter_mut().for_each(|one| one.reported_status = ReportedStatus::Mapped(Status::Active))
        };
        let expected: &[&str] = if size == 5 { &[] } else { &["LeaversChanged"] };
        assert_eq!(found(&known, back), expected, "of {size}");
    }
}

#[test]
fn a_changed_mail_domain_is_held_once_and_then_the_measure() {
    for size in SIZES {
        let mut renamed = company(size);
        renamed.iter_mut().for_each(|one| one.work_email = one.work_email.replace("example.com", "example.org"));
        let memory = remembered(company(size));
        let held = judge(read(renamed.clone()), &memory, &asked(), &bounds(), spring()).expect_err("held");
        assert_eq!(held.findings.iter().map(Finding::reason).collect::<Vec<_>>(), ["OtherAddresses"], "of {size}");
        let accepting = PollContext { accepted: Some(&held.answer), ..asked() };
        let accepted = judge(read(renamed.clone()), &memory, &accepting, &bounds(), spring()).expect("accepted");
        assert!(judge(read(renamed), &accepted.memory, &asked(), &bounds(), spring()).is_ok(), "of {size}");
    }
}

#[test]
fn an_address_that_several_share_moves_nowhere_when_they_get_their_own() {
    let shared =
        |all: &mut Vec<Employee>| all.iter_mut().take(30).for_each(|one| one.work_email = "shop@example.com".into());
    let mut before = company(400);
    shared(&mut before);
    let memory = remembered(before.clone());
    before.iter_mut().take(12).for_each(marry);
    assert!(judge(read(before), &memory, &asked(), &bounds(), spring()).is_ok());
}

#[test]
fn a_memory_of_before_people_were_remembered_knows_their_ids_alone() {
    let stored = String::from_utf8(remembered(company(40)).stored().expect("stored")).expect("text");
    let mut old: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
    let last = old["last"].as_object_mut().expect("a response");
    assert!(last.remove("traits").is_some());
    let old = Memory::parse(old.to_string().as_bytes()).expect("an older memory is read");
    let mut moved = company(40);
    shift(&mut moved, |one| &mut one.work_email);
    let unknown = judge(read(moved.clone()), &old, &asked(), &bounds(), spring());
    assert!(unknown.is_ok(), "nothing to compare with");
    let people = company(40);
    let with_known = PollContext { known_people: &people, ..asked() };
    assert_eq!(reasons(&judge(read(moved), &old, &with_known, &bounds(), spring())), ["AddressesMoved"]);
    let next = judge(read(company(40)), &old, &asked(), &bounds(), spring()).expect("trusted").memory;
    assert_eq!(next, remembered(company(40)), "and from then on they are remembered");
}

#[test]
fn where_nothing_is_remembered_an_answer_is_compared_with_the_people_that_stand() {
    for size in SIZES {
        let people = company(size);
        let fewer: Vec<Employee> = people.iter().take(size * 3 / 5).cloned().collect();
        let others = (0..size).map(|n| employee(90_000 + n)).collect();
        let (mut gone, mut moved) = (company(size), company(size));
        working(&mut gone).take(2 + size / 5).for_each(leave);
        shift(&mut moved, |one| &mut one.work_email);
        for (what, answer, expected) in [
            ("the same", people.clone(), vec![]),
            ("fewer", fewer, vec!["Shrunk"]),
            ("others", others, vec!["OtherPeople"]),
            ("a fifth have left at once", gone, vec!["ManyLeft"]),
            ("addresses that moved", moved, vec!["AddressesMoved"]),
        ] {
            let asked = PollContext { remembered: false, known_people: &people, ..asked() };
            let judged = judge(read(answer), &fresh(), &asked, &bounds(), spring());
            assert_eq!(reasons(&judged), expected, "{what}, of {size}");
        }
    }
}

#[test]
fn a_lost_memory_is_said_together_with_what_the_people_that_stand_show() {
    let people = company(40);
    let asked = PollContext { known_people: &people, ..asked() };
    let fewer = people.iter().take(20).cloned().collect();
    let judged = judge(read(fewer), &fresh(), &asked, &bounds(), spring());
    assert_eq!(reasons(&judged), ["MemoryLost", "Shrunk"]);
}

fn anybody() -> impl Strategy<Value = Employee> {
    let reported_status = prop_oneof![
        Just(ReportedStatus::Silent),
        Just(ReportedStatus::Unmapped),
        Just(ReportedStatus::Mapped(Status::Active)),
        Just(ReportedStatus::Mapped(Status::Leave)),
        Just(ReportedStatus::Mapped(Status::Terminated)),
    ];
    let date = || proptest::option::of((0_i32..4000).prop_map(|n| civil::date(2020, 1, 1).saturating_add(n.days())));
    (0_usize..10_000, 0_usize..40, reported_status, date(), date()).prop_map(
        |(id, address, reported_status, start, last_day)| {
            let work_email = if address == 0 { String::new() } else { format!("p{address}@example.com") };
            Employee { reported_status, start, last_day, work_email, ..employee(id) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_unchanged_answer_is_never_a_finding(people in proptest::collection::vec(anybody(), 1..80), days in -400_i64..4000, overlap in 0_u8..=100, from_people: bool) {
        let mut seen = BTreeSet::new();
        let people: Vec<_> = people.into_iter().filter(|one| seen.insert(one.id.clone())).collect();
        let bounds = Bounds { min_overlap: overlap, max_unmapped_statuses: 100, ..bounds() };
        let (then, later) = (day(20_000), day(20_000 + days));
        let first_asked = PollContext { remembered: false, ..asked() };
        let memory = judge(read(people.clone()), &fresh(), &first_asked, &bounds, then).expect("the first").memory;
        let memory = Memory::parse(&memory.stored().expect("stored")).expect("read again");
        let judged = judge(read(people.clone()), &memory, &asked(), &bounds, later);
        prop_assert_eq!(reasons(&judged), Vec::<&str>::new());
        if from_people {
            let with_known = PollContext { known_people: &people, ..first_asked };
            let judged = judge(read(people.clone()), &fresh(), &with_known, &bounds, then);
            prop_assert_eq!(reasons(&judged), Vec::<&str>::new());
        }
    }
}
