use jiff::Timestamp;
use jiff::civil::date;

use super::*;
use crate::timezone::Zone;

fn facts(said: Said) -> Facts {
    Facts { said, start: None, last_day: None, announced: None }
}

const ACTIVE: Said = Said::Mapped(Status::Active);
const TERMINATED: Said = Said::Mapped(Status::Terminated);
const TODAY: Date = date(2026, 3, 10);
const YESTERDAY: Option<Date> = Some(date(2026, 3, 9));
const TOMORROW: Option<Date> = Some(date(2026, 3, 11));

#[test]
fn every_row_of_the_verdict_table() {
    let last = |said, last_day| Facts { last_day, ..facts(said) };
    let announced = |said, last_day| Facts { announced: last_day, ..last(said, last_day) };
    let between = |said, start, last_day| Facts { start, ..last(said, last_day) };
    let cases = [
        ("active, no last day", facts(ACTIVE), State::Active, Why::Active),
        ("active, a future last day", last(ACTIVE, TOMORROW), State::Active, Why::LeavesLater),
        ("active, the last day is today", last(ACTIVE, Some(TODAY)), State::Active, Why::LeavesLater),
        ("active, a past last day", last(ACTIVE, YESTERDAY), State::Unknown, Why::Contradiction),
        (
            "active, a past last day that was announced",
            announced(ACTIVE, YESTERDAY),
            State::Terminated,
            Why::LastDayPassed,
        ),
        (
            "active, another day was announced",
            Facts { announced: TOMORROW, ..last(ACTIVE, YESTERDAY) },
            State::Unknown,
            Why::Contradiction,
        ),
        (
            "active, a last day before its own start",
            between(ACTIVE, YESTERDAY, Some(date(2026, 1, 31))),
            State::Active,
            Why::EarlierEmployment,
        ),
        (
            "active, a start and then a past last day",
            between(ACTIVE, Some(date(2020, 1, 1)), YESTERDAY),
            State::Unknown,
            Why::Contradiction,
        ),
        ("active, starts later", between(ACTIVE, TOMORROW, None), State::PreHire, Why::StartsLater),
        ("active, starts today", between(ACTIVE, Some(TODAY), None), State::Active, Why::Active),
        ("terminated, no last day", facts(TERMINATED), State::Terminated, Why::Terminated),
        ("terminated, a past last day", last(TERMINATED, YESTERDAY), State::Terminated, Why::Terminated),
        ("terminated, the last day is today", last(TERMINATED, Some(TODAY)), State::Active, Why::TerminatedLater),
        ("terminated, a future last day", last(TERMINATED, TOMORROW), State::Active, Why::TerminatedLater),
        ("on leave", facts(Said::Mapped(Status::Leave)), State::Leave, Why::OnLeave),
        ("on leave, a past last day", last(Said::Mapped(Status::Leave), YESTERDAY), State::Leave, Why::OnLeave),
        ("suspended", facts(Said::Mapped(Status::Suspended)), State::Suspended, Why::Suspended),
        ("unmapped", facts(Said::Unmapped), State::Unknown, Why::Unmapped),
        (
            "unmapped, an announced last day that has passed",
            announced(Said::Unmapped, YESTERDAY),
            State::Unknown,
            Why::Unmapped,
        ),
        ("no status column, no last day", facts(Said::Silent), State::Active, Why::NothingSaid),
        ("no status column, a future last day", last(Said::Silent, TOMORROW), State::Active, Why::LeavesLater),
        ("no status column, the last day is today", last(Said::Silent, Some(TODAY)), State::Active, Why::LeavesLater),
        ("no status column, a past last day", last(Said::Silent, YESTERDAY), State::Terminated, Why::LastDayPassed),
        ("no status column, starts later", between(Said::Silent, TOMORROW, None), State::PreHire, Why::StartsLater),
        (
            "no status column, a last day before its own start",
            between(Said::Silent, YESTERDAY, Some(date(2026, 1, 31))),
            State::Active,
            Why::EarlierEmployment,
        ),
    ];
    for (what, facts, state, why) in cases {
        assert_eq!(verdict(&facts, TODAY), Verdict { state, why }, "{what}");
    }
}

#[test]
fn a_last_day_ends_with_its_midnight_there() {
    let nights = [
        ("Europe/Madrid", date(2026, 3, 10), "2026-03-10T23:00:00Z"),
        ("Australia/Melbourne", date(2026, 3, 10), "2026-03-10T13:00:00Z"),
        ("America/Los_Angeles", date(2026, 3, 10), "2026-03-11T07:00:00Z"),
        ("Europe/Madrid", date(2026, 3, 28), "2026-03-28T23:00:00Z"), // before the night clocks go forward
        ("Europe/Madrid", date(2026, 3, 29), "2026-03-29T22:00:00Z"), // after it
        ("Africa/Cairo", date(2026, 4, 23), "2026-04-23T22:00:00Z"),  // the next day begins at one o'clock
        ("America/Los_Angeles", date(2026, 11, 1), "2026-11-02T08:00:00Z"), // a day of twenty-five hours
    ];
    for (name, last_day, midnight) in nights {
        let (zone, midnight): (_, Timestamp) = (Zone::named(name).unwrap(), midnight.parse().unwrap());
        let state = |said, now| {
            let day = Some(last_day);
            verdict(&Facts { last_day: day, announced: day, ..facts(said) }, zone.today(now)).state
        };
        for said in [ACTIVE, TERMINATED, Said::Silent] {
            let before = state(said, midnight - jiff::SignedDuration::from_millis(1));
            assert_eq!(
                (before, state(said, midnight)),
                (State::Active, State::Terminated),
                "{name}, {last_day}, {said:?}"
            );
        }
        for (said, holds) in [(Said::Unmapped, State::Unknown), (Said::Mapped(Status::Leave), State::Leave)] {
            assert_eq!(state(said, midnight), holds, "{name}, {last_day}, {said:?}");
        }
    }
}
