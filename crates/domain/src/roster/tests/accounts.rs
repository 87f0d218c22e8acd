//! A source of accounts that says who has left: one that is off for long, in every answer.

use super::*;

const DAY: i64 = 24;

/// What an answer of a day says of the account; nothing where it does not name it.
#[derive(Clone, Copy)]
enum Word {
    On,
    Off,
    Deleted,
    Unknown,
    Unnamed,
    NoAnswer,
}

fn account(says: Word) -> Option<Employee> {
    let status = match says {
        Word::On => ReportedStatus::Mapped(Status::Active),
        Word::Off => ReportedStatus::Mapped(Status::Suspended),
        Word::Deleted => ReportedStatus::Mapped(Status::Terminated),
        Word::Unknown => ReportedStatus::Unmapped,
        Word::Unnamed | Word::NoAnswer => return None,
    };
    Some(employee("7").reported_status(status).last_day("2026-03-01"))
}

/// The state after answers on these days.
fn after(said: &[(i64, Word)]) -> (State, Why) {
    let mut world = ClusterInventory::settled();
    world.off_days = BTreeMap::from([("hq", 30)]);
    world.poll(&[account(Word::On).unwrap(), employee("8")], noon());
    for (day, says) in said {
        let now = noon() + SignedDuration::from_hours(DAY * day);
        let all: Vec<_> = account(*says).into_iter().chain([employee("8")]).collect();
        match says {
            Word::NoAnswer => drop(world.midnight(now)),
            _ => drop(world.poll(&all, now)),
        }
        assert!(world.midnight(now).changes.is_empty(), "a second pass changes nothing");
    }
    let EmploymentState { state, why, .. } = world.entry("7").employment;
    (state, why)
}

#[test]
fn an_account_ends_when_every_answer_of_so_many_days_says_that_it_is_off() {
    use Word::{Deleted, NoAnswer, Off, On, Unknown, Unnamed};
    const LEFT: (State, Why) = (State::Terminated, Why::SwitchedOff);
    const OFF: (State, Why) = (State::Suspended, Why::Suspended);
    const ON: (State, Why) = (State::Active, Why::Active);
    let cases = [
        ("on, whatever its end date", vec![(1, On)], ON),
        ("off for a day", vec![(1, Off), (2, Off)], OFF),
        ("deleted for a day", vec![(1, Deleted), (2, Deleted)], OFF),
        ("off for a day too few", vec![(1, Off), (30, Off)], OFF),
        ("off for long", vec![(1, Off), (15, Deleted), (31, Off)], LEFT),
        ("off, then on, then off", vec![(1, Off), (20, On), (21, Off), (31, Off)], OFF),
        ("off, then unknown, then off", vec![(1, Off), (20, Unknown), (21, Off), (31, Off)], OFF),
        ("off, then not named, then off", vec![(1, Off), (20, Unnamed), (21, Off), (31, Off)], OFF),
        ("off, and not named any more", vec![(1, Off), (2, Unnamed), (60, Unnamed)], OFF),
        ("off, and no answer any more", vec![(1, Off), (60, NoAnswer)], OFF),
        ("on, and not named any more", vec![(1, Unnamed), (60, Unnamed)], ON),
        ("left stays left", vec![(1, Off), (31, Off), (32, Deleted)], LEFT),
        ("left, and on again", vec![(1, Off), (31, Off), (32, On)], ON),
    ];
    for (what, said, expected) in cases {
        assert_eq!(after(&said), expected, "{what}");
    }
}

#[test]
fn a_baseline_and_the_first_sight_ask_for_approval_as_for_everybody() {
    let mut world = ClusterInventory::settled();
    world.off_days = BTreeMap::from([("hq", 30)]);
    let off = [employee("7").reported_status(ReportedStatus::Mapped(Status::Suspended)), employee("8")];
    world.poll(&off, noon());
    assert_eq!(world.state("7"), State::Suspended, "since when it was off before is not known");
    world.baseline = Baseline::Now;
    world.poll(&off, noon() + SignedDuration::from_hours(DAY * 30));
    assert!(world.left("7").baseline);
}
