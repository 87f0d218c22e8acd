//! What each outcome says on the connection.

use jiff::civil;
use serde_json::json;

use super::*;
use crate::api::condition::ConditionType;
use domain::employee::BadRecord;
use domain::employee::Field;
use domain::employee::{Employee, Failure, HrId, Status};
use domain::schedule::{Due, due};
use domain::trust::{self, Memory};

fn connection(spec: serde_json::Value) -> HRConnection {
    let mut all = json!({"source": {"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}});
    all.as_object_mut().expect("a map").extend(spec.as_object().expect("a map").clone());
    let mut connection = HRConnection::new("hq", serde_json::from_value(all).expect("a spec"));
    connection.metadata.uid = Some("uid".to_owned());
    connection.metadata.generation = Some(1);
    connection
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn people(number: usize) -> Read {
    let employee = |id: usize| Employee {
        start: Some(civil::date(2020, 1, 1)),
        ..Employee::new(
            HrId(format!("{id}")),
            "Ada".to_owned(),
            format!("p{id}@example.com"),
            ReportedStatus::Mapped(Status::Active),
        )
    };
    let offered = [Field::EmployeeId, Field::TerminationDate].into();
    Read { employees: (0..number).map(employee).collect(), offered, ..Read::default() }
}

fn settings(connection: &HRConnection) -> Settings {
    Settings::of(connection).expect("a spec that can be followed")
}

/// Polls once, as the driver does, and leaves the status on the connection.
fn poll(
    connection: &mut HRConnection,
    memory: &mut Memory,
    read: Result<Read, Failure>,
    at: Timestamp,
) -> Vec<ConditionUpdate> {
    let settings = settings(connection);
    let (seen, outcome) = match read {
        Err(failure) => (None, Outcome::Failed(trust::failed(&failure))),
        Ok(read) => {
            let seen = ResponseSummary::of(&read, at);
            match trust::judge(read, memory, &Settings::asked(connection, "source", &[]), &settings.bounds, at) {
                Err(held) => (Some(seen), Outcome::Held(held)),
                Ok(believed) => {
                    let (mut seen, answered) = (seen, TrustedRead::of(&believed, at));
                    seen.set_aside(&believed.repeated);
                    *memory = believed.memory;
                    (Some(seen), Outcome::Trusted(Box::new(answered)))
                }
            }
        }
    };
    let (mut status, words) = record(connection, &settings, seen, outcome, at);
    status.observed_generation = connection.metadata.generation;
    connection.status = Some(status);
    words
}

fn polled(connection: &mut HRConnection) -> Memory {
    let mut memory = Memory::fresh(&[1; 32]);
    poll(connection, &mut memory, Ok(people(10)), at(0));
    memory
}

fn reasons(words: &[ConditionUpdate]) -> Vec<(&'static str, &'static str)> {
    let mut reasons: Vec<_> = words.iter().map(|word| (word.type_.as_str(), word.reason.as_str())).collect();
    reasons.sort_unstable();
    reasons
}

fn status(connection: &HRConnection) -> &HRConnectionStatus {
    connection.status.as_ref().expect("a status")
}

#[test]
fn a_connection_that_says_nothing_of_it_believes_what_the_gate_does_by_default() {
    assert_eq!(Settings::of(&connection(json!({}))).expect("a spec that can be followed").bounds, Bounds::default());
}

#[test]
fn a_believed_answer_is_ready_and_counted() {
    let mut connection = connection(json!({}));
    let words = poll(&mut connection, &mut Memory::fresh(&[1; 32]), Ok(people(10)), at(0));
    let expected = [
        ("Reachable", "Responded"),
        ("Ready", "Succeeded"),
        ("Recognised", "Mapped"),
        ("StableIds", "OwnIds"),
        ("TellsLeavers", "NoLeaverSeen"),
        ("Trusted", "Trusted"),
    ];
    assert_eq!(reasons(&words), expected);
    let trusted = status(&connection).last_trusted.clone().expect("trusted");
    assert_eq!((trusted.employees, trusted.high_water, trusted.time), (10, 10, at(0)));
    assert_eq!(trusted.statuses, BTreeMap::from([("Active".to_owned(), 10)]));
    let attempt = status(&connection).last_attempt.clone().expect("an attempt");
    assert_eq!(attempt.outcome, "Trusted");
    assert!(
        attempt.response.is_some_and(|accepted| accepted != trusted.response),
        "what may be accepted is less than all"
    );
}

#[test]
fn a_record_that_is_set_aside_is_named_on_a_believed_answer_too() {
    let mut connection = connection(json!({}));
    let mut read = people(9);
    read.bad = vec![BadRecord { position: 4, reason: "hireDate is not a date".to_owned() }];
    let words = poll(&mut connection, &mut Memory::fresh(&[1; 32]), Ok(read), at(0));
    let attempt = status(&connection).last_attempt.clone().expect("an attempt");
    assert_eq!(
        (attempt.outcome.as_str(), attempt.findings),
        ("Trusted", vec!["set aside: number 4: hireDate is not a date".to_owned()])
    );
    assert!(words.iter().any(|word| word.message.contains("1 record could not be read and was set aside")));
}

#[test]
fn a_held_answer_is_recorded_with_its_reason_and_the_trusted_one_stands() {
    let mut connection = connection(json!({}));
    let mut memory = polled(&mut connection);
    let before = status(&connection).last_trusted.clone();
    let words = poll(&mut connection, &mut memory, Ok(people(8)), at(3600));
    let attempt = status(&connection).last_attempt.clone().expect("an attempt");
    assert_eq!((attempt.outcome.as_str(), attempt.time), ("Shrunk", at(3600)));
    assert_eq!(status(&connection).last_trusted, before);
    let trusted = words.iter().find(|word| word.type_ == ConditionType::Trusted).expect("said");
    let answer = attempt.response.expect("a whole response");
    let message = format!(
        "8 people seen, 10 before: fewer than trust.maxShrink allows. Nothing was changed. \
         If this response is right: `kubectl rollcall accept hq --response {answer}`."
    );
    assert_eq!(*trusted, condition::held(Reason::Shrunk, message.clone()));
    assert!(words.contains(&condition::waiting(Reason::Shrunk, message)));
}

#[test]
fn an_answer_that_cannot_be_accepted_offers_no_accepting() {
    let mut connection = connection(json!({}));
    let mut memory = polled(&mut connection);
    let words = poll(&mut connection, &mut memory, Ok(people(0)), at(3600));
    assert!(words.iter().any(|word| word.reason == Reason::Empty));
    assert!(!words.iter().any(|word| word.message.contains("accept")));
}

#[test]
fn a_failed_attempt_is_recorded_and_nothing_else_changes() {
    let mut connection = connection(json!({}));
    let mut memory = polled(&mut connection);
    let before = status(&connection).clone();
    let words = poll(&mut connection, &mut memory, Err(Failure::Forbidden), at(3600));
    assert_eq!(reasons(&words), [("Reachable", "Forbidden"), ("Ready", "Forbidden"), ("Trusted", "Forbidden")]);
    let after = status(&connection).clone();
    assert_eq!(after.last_attempt.as_ref().map(|attempt| attempt.outcome.as_str()), Some("Forbidden"));
    let periods: Vec<_> = after.trust_history.iter().map(|one| (one.from, one.reason.as_str(), one.people)).collect();
    assert_eq!(periods, [(at(3600), "Forbidden", None), (at(0), "Trusted", Some(10))]);
    let trust_history = after.trust_history.clone();
    let expected = HRConnectionStatus {
        last_attempt: after.last_attempt.clone(),
        next_run: after.next_run,
        trust_history,
        ..before
    };
    assert_eq!(after, expected);
}

#[test]
fn an_accepted_answer_is_believed_and_what_was_accepted_stays_on_record() {
    let mut connection = connection(json!({}));
    let mut memory = polled(&mut connection);
    poll(&mut connection, &mut memory, Ok(people(5)), at(3600));
    let answer = status(&connection).last_attempt.as_ref().and_then(|attempt| attempt.response.clone()).expect("held");
    connection.annotations_mut().insert(names::ACCEPT.to_owned(), answer);
    poll(&mut connection, &mut memory, Ok(people(5)), at(7200));
    let attempt = status(&connection).last_attempt.clone().expect("an attempt");
    assert_eq!(attempt.outcome, "Trusted");
    assert!(attempt.findings.iter().all(|finding| finding.starts_with("accepted: Shrunk: ")), "{attempt:?}");
    assert_eq!(attempt.findings.len(), 1);
}

#[test]
fn an_old_trusted_answer_is_called_stale() {
    let mut connection = connection(json!({"trust": {"staleAfter": "2h"}}));
    let mut memory = polled(&mut connection);
    for (hours, stale) in [(1, false), (3, true)] {
        let words = poll(&mut connection, &mut memory, Err(Failure::TimedOut), at(hours * 3600));
        assert_eq!(words.iter().any(|word| word.message.contains("Stale: ")), stale, "after {hours}h");
    }
}

#[test]
fn unmapped_words_are_shown_even_where_the_answer_is_held() {
    let mut connection = connection(json!({}));
    let mut read = people(10);
    for employee in read.employees.iter_mut().take(3) {
        employee.reported_status = ReportedStatus::Unmapped;
    }
    read.unmapped = BTreeMap::from([("sabbatical".to_owned(), 2)]); // and one empty cell
    let words = poll(&mut connection, &mut Memory::fresh(&[1; 32]), Ok(read), at(0));
    assert!(words.contains(&condition::unmapped_statuses(1, 3)));
    assert_eq!(status(&connection).unmapped_statuses, BTreeMap::from([("sabbatical".to_owned(), 2)]));
    assert_eq!(status(&connection).last_trusted, None);
}

#[test]
fn only_what_is_new_makes_a_poll_due_early() {
    let request = |connection: &mut HRConnection, value: &str| {
        connection.annotations_mut().insert(names::REQUESTED_AT.to_owned(), value.to_owned());
    };
    let due_at = |connection: &HRConnection| due(&settings(connection).times(connection), at(60)) == Due::Now;
    let mut connection = connection(json!({}));
    assert!(due_at(&connection), "never polled");
    let mut memory = polled(&mut connection);
    assert!(!due_at(&connection), "just polled");
    request(&mut connection, "now");
    assert!(due_at(&connection), "asked");
    poll(&mut connection, &mut memory, Ok(people(10)), at(30));
    assert!(!due_at(&connection), "asked and answered");
    connection.metadata.generation = Some(2);
    assert!(due_at(&connection), "the spec changed");
    connection.metadata.generation = Some(1);
    connection.status = Some(owed(&connection));
    assert!(due_at(&connection), "a fault left the poll owed");
}

#[test]
fn a_request_too_long_to_be_echoed_is_answered_once() {
    let mut connection = connection(json!({}));
    connection.annotations_mut().insert(names::REQUESTED_AT.to_owned(), "x".repeat(500));
    polled(&mut connection);
    assert_eq!(
        due(&settings(&connection).times(&connection), at(60)),
        Due::At(status(&connection).next_run.expect("a time"))
    );
}

#[test]
fn a_pause_says_why_and_when_it_ends() {
    let spec = json!({"suspend": {"reason": "migration", "until": at(9000)}});
    let mut connection = connection(json!({}));
    polled(&mut connection);
    connection.spec = self::connection(spec).spec;
    assert_eq!(due(&settings(&connection).times(&connection), at(60)), Due::Suspended(at(9000)));
    let (after, words) = suspended(&connection, at(9000));
    assert_eq!(words, [condition::suspended("migration", at(9000))]);
    assert_eq!(after.next_run, Some(at(9000)));
    assert_eq!(after.last_trusted, status(&connection).last_trusted);
}

#[test]
fn a_spec_that_cannot_be_followed_names_the_field() {
    let cases = [
        (json!({"schedule": {"every": "5s"}}), "spec.schedule.every: \"5s\" is less than 10s"),
        (
            json!({"schedule": {"cron": "0 6 31 2 *", "timeZone": "UTC"}}),
            "spec.schedule.cron: \"0 6 31 2 *\" is not a cron expression of five fields that comes true, such as 0 6 * * 1-5",
        ),
        (
            json!({"schedule": {"cron": "0 6 * * *", "timeZone": "Moon"}}),
            "spec.schedule.timeZone: \"Moon\" is not an IANA time zone such as Europe/Madrid",
        ),
        (json!({"timeout": "x"}), "spec.timeout: \"x\" is not a duration such as 15m, 1h30m or 90d"),
        (json!({"trust": {"maxShrink": "x"}}), "spec.trust.maxShrink: \"x\" is not a percentage such as 10%"),
    ];
    for (spec, expected) in cases {
        let fault = Settings::of(&connection(spec)).err().map(|fault| fault.to_string());
        assert_eq!(fault.as_deref(), Some(expected));
    }
}

#[test]
fn nothing_new_leaves_everything_as_it_stands_and_grows_stale() {
    let mut connection = connection(json!({"trust": {"staleAfter": "2h"}}));
    let mut memory = Memory::fresh(&[1; 32]);
    let file = |written| {
        let delivered = domain::employee::Delivered { at: Some(at(written)), ..Default::default() };
        Read { delivered, ..people(10) }
    };
    poll(&mut connection, &mut memory, Ok(file(0)), at(60));
    let trusted = status(&connection).last_trusted.clone();
    for (later, reason) in [(3600, "Succeeded"), (2 * 3600, "Succeeded"), (2 * 3600 + 1, "Stale")] {
        let outcome = nothing(&connection, "no file came".to_owned());
        let (status, words) = record(&connection, &settings(&connection), None, outcome, at(later));
        assert_eq!(reasons(&words), [("Reachable", "Responded"), ("Ready", reason), ("Trusted", "Trusted")]);
        assert!(
            words.iter().any(|word| word
                .message
                .contains("Nothing new: no file came. What was last believed stands, 10 people."))
        );
        let attempt = status.last_attempt.clone().expect("an attempt");
        assert_eq!((attempt.outcome.as_str(), attempt.time, attempt.response), ("NothingNew", at(later), None));
        assert_eq!(status.last_trusted, trusted);
    }
    // A file that was old when it came is as stale.
    let words = poll(&mut connection, &mut memory, Ok(file(100)), at(9 * 3600));
    assert!(words.iter().any(|word| (word.type_.as_str(), word.reason.as_str()) == ("Ready", "Stale")), "{words:?}");
}

#[test]
fn nothing_new_before_the_first_answer_is_none() {
    let connection = connection(json!({}));
    let outcome = nothing(&connection, "no file waits".to_owned());
    let (status, words) = record(&connection, &settings(&connection), None, outcome, at(0));
    assert_eq!(reasons(&words), [("Reachable", "Missing"), ("Ready", "Missing"), ("Trusted", "Missing")]);
    assert_eq!(status.last_trusted, None);
}

#[test]
fn what_was_noticed_of_a_file_is_shown_beside_what_was_set_aside() {
    let mut connection = connection(json!({}));
    let read = Read { remarks: vec!["columns that are not read: salary".to_owned()], ..people(10) };
    poll(&mut connection, &mut Memory::fresh(&[1; 32]), Ok(read), at(0));
    let attempt = status(&connection).last_attempt.clone().expect("an attempt");
    assert_eq!(attempt.findings, ["columns that are not read: salary"]);
}

#[test]
fn an_id_that_two_records_have_is_shown_as_set_aside() {
    let mut connection = connection(json!({}));
    let mut read = people(10);
    read.employees.push(read.employees[3].clone());
    let words = poll(&mut connection, &mut Memory::fresh(&[1; 32]), Ok(read), at(0));
    let attempt = status(&connection).last_attempt.clone().expect("an attempt");
    assert_eq!(attempt.findings, ["set aside: more than one record has the id 3"]);
    assert!(words.iter().any(|word| word.message.contains("1 record could not be read and was set aside")));
}

#[test]
fn an_answer_is_stale_after_three_intervals_and_never_before_a_day() {
    let cases = [
        (json!({}), 24),
        (json!({"schedule": {"every": "6h"}}), 24),
        (json!({"schedule": {"every": "12h"}}), 36),
        (json!({"schedule": {"every": "7d"}}), 21 * 24),
        (json!({"schedule": {"every": "7d"}, "trust": {"staleAfter": "30h"}}), 30),
    ];
    for (spec, hours) in cases {
        let stale_after = settings(&connection(spec.clone())).stale_after;
        assert_eq!(stale_after, SignedDuration::from_hours(hours), "{spec}");
    }
}

#[test]
fn a_source_that_shows_nobody_who_left_is_ready_and_says_so_apart() {
    const A_DAY: i64 = 86_400;
    let mut connection = connection(json!({"trust": {"staleAfter": "9000d"}}));
    let mut memory = Memory::fresh(&[1; 32]);
    let mut said = |read: Read, day: i64| {
        let words = poll(&mut connection, &mut memory, Ok(read), at(day * A_DAY));
        assert!(
            words.iter().any(|word| (word.type_.as_str(), word.reason.as_str()) == ("Ready", "Succeeded")),
            "day {day}"
        );
        let told = words.into_iter().find(|word| word.type_ == ConditionType::TellsLeavers).expect("said");
        (told, status(&connection).leavers_last_seen)
    };
    let leaving = || {
        let mut read = people(10);
        read.employees[2].last_day = Some(civil::date(2030, 1, 1));
        read
    };
    assert_eq!(said(people(10), 0), (condition::no_leaver_seen(None), None));
    let (told, last) = said(leaving(), 1);
    assert_eq!((told.reason, last), (Reason::LeaversSeen, Some(at(A_DAY))));
    assert_eq!(said(people(10), 91).0.reason, Reason::LeaversSeen, "within ninety days");
    assert_eq!(said(people(10), 92), (condition::no_leaver_seen(Some(at(A_DAY))), Some(at(A_DAY))));
}
