use jiff::Timestamp;
use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::timezone::Zone;

fn facts(reported_status: ReportedStatus) -> Facts {
    Facts {
        reported_status,
        start: None,
        last_day: None,
        announced: None,
        contract_end: None,
        urgent: false,
        off: None,
    }
}

const ACTIVE: ReportedStatus = ReportedStatus::Mapped(Status::Active);
const TERMINATED: ReportedStatus = ReportedStatus::Mapped(Status::Terminated);
const PAUSED: [ReportedStatus; 2] = [ReportedStatus::Mapped(Status::Leave), ReportedStatus::Mapped(Status::Suspended)];
const TODAY: Date = date(2026, 3, 10);
const YESTERDAY: Option<Date> = Some(date(2026, 3, 9));
const TOMORROW: Option<Date> = Some(date(2026, 3, 11));
const LONG_AGO: Option<Date> = Some(date(2026, 1, 31));
const NEXT_SEASON: Option<Date> = Some(date(2026, 9, 1));

#[test]
fn the_planned_end_of_a_contract_is_a_last_day_where_the_policy_says_so_and_nothing_else_says_more() {
    let terms = Terms { contract_end: ContractEnd::Terminate, ..Terms::default() };
    let contract = |reported_status, contract_end| Facts { contract_end, ..facts(reported_status) };
    let cases = [
        ("it comes", contract(ACTIVE, TOMORROW), State::Active, Why::LeavesLater),
        ("it has passed, never announced", contract(ACTIVE, YESTERDAY), State::Unknown, Why::Contradiction),
        (
            "as announced",
            Facts { announced: YESTERDAY, ..contract(ACTIVE, YESTERDAY) },
            State::Terminated,
            Why::LastDayPassed,
        ),
        ("extended", Facts { announced: TOMORROW, ..contract(ACTIVE, NEXT_SEASON) }, State::Active, Why::LeavesLater),
        (
            "a last day that is later",
            Facts { last_day: TOMORROW, ..contract(ACTIVE, YESTERDAY) },
            State::Active,
            Why::LeavesLater,
        ),
        ("terminated before its end", contract(TERMINATED, TOMORROW), State::Terminated, Why::Terminated),
        (
            "garden leave: the last working day is over, and the contract runs on",
            Facts { last_day: YESTERDAY, announced: YESTERDAY, ..contract(ACTIVE, NEXT_SEASON) },
            State::Terminated,
            Why::LastDayPassed,
        ),
        (
            "garden leave to come",
            Facts { last_day: TOMORROW, announced: TOMORROW, ..contract(ACTIVE, NEXT_SEASON) },
            State::Active,
            Why::LeavesLater,
        ),
        (
            "terminated, on garden leave, and the contract runs on",
            Facts { last_day: YESTERDAY, ..contract(TERMINATED, NEXT_SEASON) },
            State::Terminated,
            Why::Terminated,
        ),
    ];
    for (what, facts, state, why) in cases {
        assert_eq!(derive_state(&facts, TODAY, &terms), DerivedState { state, why }, "{what}");
    }
}

#[test]
fn every_row_of_the_verdict_table() {
    let last = |reported_status, last_day| Facts { last_day, ..facts(reported_status) };
    let announced = |reported_status, last_day| Facts { announced: last_day, ..last(reported_status, last_day) };
    let between = |reported_status, start, last_day| Facts { start, ..last(reported_status, last_day) };
    let contract = |reported_status, contract_end| Facts { contract_end, ..facts(reported_status) };
    let cases = [
        (
            "terminated at once, a future last day",
            Facts { urgent: true, ..last(TERMINATED, TOMORROW) },
            State::Terminated,
            Why::Urgent,
        ),
        (
            "active, and urgent some day",
            Facts { urgent: true, ..last(ACTIVE, TOMORROW) },
            State::Active,
            Why::LeavesLater,
        ),
        ("active, the contract ends tomorrow", contract(ACTIVE, TOMORROW), State::Active, Why::Active),
        ("active, the contract ended", contract(ACTIVE, YESTERDAY), State::Active, Why::ContractEnded),
        ("terminated, whatever the contract", contract(TERMINATED, TOMORROW), State::Terminated, Why::Terminated),
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
            "active, an announced last day brought forward into the past, before the announced day",
            Facts { announced: TOMORROW, ..last(ACTIVE, YESTERDAY) },
            State::Unknown,
            Why::Contradiction,
        ),
        (
            "active, an announced last day brought forward into the past, after the announced day",
            Facts { announced: YESTERDAY, ..last(ACTIVE, LONG_AGO) },
            State::Terminated,
            Why::LastDayPassed,
        ),
        (
            "active, a last day still to come and the next employment entered already",
            between(ACTIVE, NEXT_SEASON, TOMORROW),
            State::Active,
            Why::LeavesLater,
        ),
        (
            "active, an announced last day that has passed and the next employment entered already",
            Facts { start: NEXT_SEASON, ..announced(ACTIVE, YESTERDAY) },
            State::Terminated,
            Why::LastDayPassed,
        ),
        (
            "active, an announced last day that has passed and the next employment after the weekend",
            Facts { start: TOMORROW, ..announced(ACTIVE, YESTERDAY) },
            State::PreHire,
            Why::StartsLater,
        ),
        (
            "active, a last day that was never announced and the next employment entered already",
            between(ACTIVE, NEXT_SEASON, YESTERDAY),
            State::PreHire,
            Why::StartsLater,
        ),
        (
            "active, an announced last day that has passed and the next employment has begun",
            Facts { start: Some(TODAY), ..announced(ACTIVE, YESTERDAY) },
            State::Active,
            Why::EarlierEmployment,
        ),
        (
            "active, a last day before its own start",
            between(ACTIVE, YESTERDAY, LONG_AGO),
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
        ("terminated, a mistyped year", last(TERMINATED, Some(date(2062, 3, 9))), State::Unknown, Why::TooFarAhead),
        ("terminated, in a year", last(TERMINATED, Some(date(2027, 3, 10))), State::Active, Why::TerminatedLater),
        (
            "terminated, a last day before its own start",
            between(TERMINATED, YESTERDAY, LONG_AGO),
            State::Unknown,
            Why::EndsBeforeStart,
        ),
        (
            "terminated, and comes back later",
            between(TERMINATED, NEXT_SEASON, YESTERDAY),
            State::Terminated,
            Why::Terminated,
        ),
        (
            "terminated, and comes back after the weekend",
            between(TERMINATED, TOMORROW, YESTERDAY),
            State::PreHire,
            Why::StartsLater,
        ),
        ("on leave", facts(ReportedStatus::Mapped(Status::Leave)), State::Leave, Why::OnLeave),
        (
            "on leave, a past last day",
            last(ReportedStatus::Mapped(Status::Leave), YESTERDAY),
            State::Leave,
            Why::OnLeave,
        ),
        (
            "on leave, an announced last day that has passed",
            announced(ReportedStatus::Mapped(Status::Leave), YESTERDAY),
            State::Terminated,
            Why::LastDayPassed,
        ),
        (
            "on leave, an announced last day still to come",
            announced(ReportedStatus::Mapped(Status::Leave), TOMORROW),
            State::Leave,
            Why::OnLeave,
        ),
        (
            "on leave, an announced last day of an earlier employment",
            Facts { start: Some(TODAY), ..announced(ReportedStatus::Mapped(Status::Leave), YESTERDAY) },
            State::Leave,
            Why::OnLeave,
        ),
        (
            "suspended, an announced last day that has passed",
            announced(ReportedStatus::Mapped(Status::Suspended), YESTERDAY),
            State::Terminated,
            Why::LastDayPassed,
        ),
        ("suspended", facts(ReportedStatus::Mapped(Status::Suspended)), State::Suspended, Why::Suspended),
        ("unmapped", facts(ReportedStatus::Unmapped), State::Unknown, Why::Unmapped),
        (
            "unmapped, an announced last day that has passed",
            announced(ReportedStatus::Unmapped, YESTERDAY),
            State::Unknown,
            Why::Unmapped,
        ),
        ("no status column, no last day", facts(ReportedStatus::Silent), State::Active, Why::NothingSaid),
        (
            "no status column, a future last day",
            last(ReportedStatus::Silent, TOMORROW),
            State::Active,
            Why::LeavesLater,
        ),
        (
            "no status column, the last day is today",
            last(ReportedStatus::Silent, Some(TODAY)),
            State::Active,
            Why::LeavesLater,
        ),
        (
            "no status column, a past last day",
            last(ReportedStatus::Silent, YESTERDAY),
            State::Terminated,
            Why::LastDayPassed,
        ),
        (
            "no status column, starts later",
            between(ReportedStatus::Silent, TOMORROW, None),
            State::PreHire,
            Why::StartsLater,
        ),
        (
            "no status column, a last day before its own start",
            between(ReportedStatus::Silent, YESTERDAY, LONG_AGO),
            State::Active,
            Why::EarlierEmployment,
        ),
    ];
    for (what, facts, state, why) in cases {
        assert_eq!(derive_state(&facts, TODAY, &Terms::default()), DerivedState { state, why }, "{what}");
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
        let state = |reported_status, now| {
            let day = Some(last_day);
            derive_state(
                &Facts { last_day: day, announced: day, ..facts(reported_status) },
                zone.today(now),
                &Terms::default(),
            )
            .state
        };
        for reported_status in [ACTIVE, TERMINATED, ReportedStatus::Silent].into_iter().chain(PAUSED) {
            let before = state(reported_status, midnight - jiff::SignedDuration::from_millis(1));
            assert_ne!(before, State::Terminated, "{name}, {last_day}, {reported_status:?}");
            assert_eq!(state(reported_status, midnight), State::Terminated, "{name}, {last_day}, {reported_status:?}");
        }
        assert_eq!(state(ReportedStatus::Unmapped, midnight), State::Unknown, "{name}, {last_day}");
    }
}

#[test]
fn every_reason_has_a_word_of_its_own_that_is_read_back() {
    let words = [
        "Active",
        "LeavesLater",
        "EarlierEmployment",
        "StartsLater",
        "Contradiction",
        "LastDayPassed",
        "Terminated",
        "Urgent",
        "ContractEnded",
        "SwitchedOff",
        "Declared",
        "DeclaredActive",
        "DeclaredLeave",
        "DeclaredSuspended",
        "TerminatedLater",
        "TooFarAhead",
        "EndsBeforeStart",
        "OnLeave",
        "Suspended",
        "Unmapped",
        "NothingSaid",
        "NextFollows",
        "Between",
        "NotNamed",
        "NotMigrated",
        "NoEmployment",
        "OtherSourceStale",
        "Conflict",
        "PolicyConflict",
        "Other",
    ];
    assert_eq!(Why::ALL.map(Why::as_str), words, "stored: a word that changes is a reason that is lost");
    assert_eq!(words.map(Why::from_stored), Why::ALL);
    for unknown in ["", "terminated", "the last day has passed", "Sabbatical"] {
        assert_eq!(Why::from_stored(unknown), Why::Other, "{unknown}");
    }
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let reported_status = prop_oneof![
        Just(ACTIVE),
        Just(TERMINATED),
        Just(ReportedStatus::Mapped(Status::Leave)),
        Just(ReportedStatus::Mapped(Status::Suspended)),
        Just(ReportedStatus::Unmapped),
        Just(ReportedStatus::Silent),
    ];
    let day = || proptest::option::of((-40_i32..40).prop_map(|days| TODAY.saturating_add(days.days())));
    (reported_status, day(), day(), day(), any::<bool>()).prop_map(|(reported_status, start, last_day, other, same)| {
        let announced = if same { last_day } else { last_day.and(other) };
        Facts { start, last_day, announced, ..facts(reported_status) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4096, ..ProptestConfig::default() })]

    /// Whatever a record says: nobody has left but by a status, or by a last day that has passed and that the source
    /// speaks by, or announced.
    #[test]
    fn nobody_has_left_without_a_positive_statement(facts in any_facts()) {
        let DerivedState { state, why } = derive_state(&facts, TODAY, &Terms::default());
        let passed = |day: Option<Date>| day.is_some_and(|day| day < TODAY);
        if state == State::Terminated {
            let by_status = facts.reported_status == TERMINATED;
            let by_day = passed(facts.last_day) && (facts.reported_status == ReportedStatus::Silent || passed(facts.announced));
            prop_assert!(by_status || by_day, "{why:?}");
            prop_assert!(facts.last_day.is_none_or(|day| day < TODAY), "a last day of today is a day of work");
            prop_assert!(!begun_anew(&facts, TODAY), "the next employment has begun");
            prop_assert!(facts.reported_status != ReportedStatus::Unmapped, "an unknown status holds");
        }
        if facts.reported_status == TERMINATED && facts.last_day.is_none() {
            prop_assert_eq!(state, State::Terminated);
        }
    }
}
