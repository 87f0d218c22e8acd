//! What is remembered of a trusted response, and for how long.

use super::*;

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
fn a_lost_memory_holds_only_where_there_was_one() {
    for (remembered, expected) in [(true, vec!["MemoryLost"]), (false, vec![])] {
        let asked = PollContext { remembered, ..asked() };
        assert_eq!(reasons(&judge(people(0..10), &fresh(), &asked, &bounds(), day(1))), expected);
    }
}

#[test]
fn an_unchanged_answer_leaves_the_memory_as_it_is() {
    let memory = first(people(0..10));
    let again = judge(people(0..10), &memory, &asked(), &bounds(), day(0)).expect("the same");
    assert_eq!(again.memory, memory);
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
    let last = memory.last().expect("a response");
    for gone in [0, 1_000, 3_000, 5_000, 8_000, 10_000] {
        let people = people(gone..100_000 + gone).employees;
        let told = last.still_there(&memory.hashed(&people));
        let difference = told.abs_diff(100_000 - gone);
        assert!(difference <= 2_000, "{gone} replaced, told {told}");
    }
}
