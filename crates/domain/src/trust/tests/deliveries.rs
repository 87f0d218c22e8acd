//! Files that came too late, responses with only some of the people, and responses that are still the last one.

use super::*;

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
    let accepting = PollContext { accepted: Some(&held.answer), ..asked() };
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
    let from_nothing = judge(part([7]), &fresh(), &PollContext { remembered: false, ..asked() }, &bounds(), day(0));
    let memory = from_nothing.expect("believed").memory;
    assert!(
        judge(people(0..100), &memory, &asked(), &bounds(), day(1)).is_ok(),
        "the first whole one is compared with nothing"
    );
}

#[test]
fn an_answer_that_is_the_last_one_still_is_believed_as_of_now_and_keeps_its_measure() {
    let asked = PollContext { remembered: false, ..asked() };
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
    let mapped = PollContext { source: "mapped anew", ..asked };
    assert!(again(&first.snapshot, &memory, &mapped, day(9)).is_none(), "or it is read in another way");
    assert!(again(&first.snapshot, &fresh(), &asked, day(9)).is_none(), "or nothing is remembered");
}
