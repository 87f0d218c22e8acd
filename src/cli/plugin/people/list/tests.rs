use jiff::civil::date;
use serde_json::{Value, json};

use super::*;
use crate::api::SyncPolicy;

fn now() -> Timestamp {
    "2026-03-10T12:00:00Z".parse().unwrap()
}

fn world(people: Vec<Person>) -> World {
    let policy: SyncPolicy = serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": "everyone", "namespace": "rollcall"},
        "spec": {"connections": [{"name": "hq"}], "timeZones": {"default": "Europe/Madrid"}},
        "status": {"conditions": [{"type": "Baseline", "status": "True", "reason": "Settled", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    }))
    .unwrap();
    World { people, policies: vec![policy], ..World::default() }
}

fn person(id: &str, state: &str, why: &str, days: [Option<&str>; 2], access: Value) -> Person {
    let status = if state == "Terminated" { "Terminated" } else { "Active" };
    let left = (state == "Terminated").then_some("2026-03-08T23:00:00Z");
    let announced = days[1].filter(|_| state != "Terminated");
    let since = "2026-01-07T09:00:00Z";
    serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
        "metadata": {"name": format!("p-{id}"), "namespace": "rollcall", "uid": id},
        "spec": {"records": [{"connection": "hq", "id": id}]},
        "status": {
            "policy": "everyone",
            "employments": [{"connection": "hq", "id": id, "reportedStatus": status, "startDate": days[0], "lastWorkingDay": days[1],
                "announced": announced, "announcedAt": announced.map(|_| since)}],
            "employment": {"state": state, "since": since, "lastDay": days[1], "timeZone": "Europe/Madrid", "why": why,
                "effective": left, "seen": left},
            "profile": {"displayName": format!("=Ada {id}"), "workEmail": format!("{id}@example.com")},
            "access": access,
        },
    }))
    .unwrap()
}

fn company() -> Vec<Person> {
    let due = json!({"state": "Revoked", "revocation": "p-2-cut", "nextActionAt": "2026-03-12T00:00:00Z"});
    vec![
        person("1", "Active", "Active", [Some("2020-01-01"), None], Value::Null),
        person("2", "Terminated", "Terminated", [None, Some("2026-03-08")], due),
        person("3", "Terminated", "Terminated", [None, None], Value::Null),
        person("4", "Terminated", "Terminated", [None, Some("2026-02-01")], Value::Null),
        person("5", "Active", "LeavesLater", [Some("2020-01-01"), Some("2026-03-20")], Value::Null),
        person("6", "PreHire", "StartsLater", [Some("2026-03-16"), None], Value::Null),
        person("7", "PreHire", "StartsLater", [Some("2026-06-01"), Some("2026-08-31")], Value::Null),
    ]
}

fn ids(wanted: Wanted) -> Vec<String> {
    let world = world(company());
    let rows = rows(&world, world.people.iter(), wanted, now());
    rows.into_iter().map(|row| row.person.trim_start_matches("p-").to_owned()).collect()
}

fn days(from: Date, to: Date) -> Days {
    Days { from: Some(from), to: Some(to) }
}

#[test]
fn who_starts_and_who_leaves_within_days_is_listed_by_those_days() {
    let any = Days { from: None, to: None };
    let cases = [
        ("everybody", Wanted::All, vec!["1", "2", "3", "4", "5", "6", "7"]),
        (
            "left this week, one by the day it was read",
            Wanted::Leavers(days(date(2026, 3, 4), date(2026, 3, 10))),
            vec!["2", "3"],
        ),
        ("leaves next week", Wanted::Leavers(days(date(2026, 3, 16), date(2026, 3, 22))), vec!["5"]),
        ("ever leaves", Wanted::Leavers(any), vec!["4", "2", "3", "5", "7"]),
        ("on the last of the days", Wanted::Leavers(days(date(2026, 3, 20), date(2026, 3, 20))), vec!["5"]),
        ("starts next week", Wanted::Starters(days(date(2026, 3, 16), date(2026, 3, 22))), vec!["6"]),
        ("started ever, or will", Wanted::Starters(any), vec!["1", "5", "6", "7"]),
        ("something is to come", Wanted::Upcoming(any), vec!["2", "6", "5", "7"]),
        ("within days", Wanted::Upcoming(days(date(2026, 3, 16), date(2026, 3, 22))), vec!["6", "5"]),
    ];
    for (what, wanted, expected) in cases {
        assert_eq!(ids(wanted), expected, "{what}");
    }
}

#[test]
fn who_moved_within_days_is_listed_with_what_changed_and_when_the_review_is_due() {
    let mut people = company();
    for (position, at) in [(0, "2026-03-03T22:30:00Z"), (4, "2026-03-03T23:30:00Z")] {
        let moves = json!({"last": {"at": at, "fields": ["title", "manager"]},
            "review": {"since": at, "fields": ["title"], "due": "2026-03-17T23:30:00Z"}});
        people[position].status.as_mut().unwrap().moves = serde_json::from_value(moves).unwrap();
    }
    let world = world(people);
    let movers = rows(&world, world.people.iter(), Wanted::Movers(days(date(2026, 3, 4), date(2026, 3, 10))), now());
    assert_eq!(movers.iter().map(|row| row.person.as_str()).collect::<Vec<_>>(), ["p-5"], "their own midnight");
    let table = table(&movers, false, &MOVERS);
    for shown in ["REVIEW DUE", "title, manager", "2026-03-03T23:30:00Z", "2026-03-17T23:30:00Z"] {
        assert!(table.contains(shown), "{table}");
    }
}

#[test]
fn what_comes_next_is_the_soonest_of_a_day_and_a_revocation() {
    let world = world(company());
    let rows = rows(&world, world.people.iter(), Wanted::All, now());
    let next: Vec<_> = rows.iter().map(|row| (row.next.as_str(), text(row.next_at))).collect();
    let expected = [
        ("", ""),
        ("p-2-cut", "2026-03-12T00:00:00Z"),
        ("", ""),
        ("", ""),
        ("leaves", "2026-03-20T23:00:00Z"),
        ("starts", "2026-03-15T23:00:00Z"),
        ("starts", "2026-05-31T22:00:00Z"),
    ];
    assert_eq!(next, expected.map(|(what, at)| (what, at.to_owned())));
}

#[test]
fn names_stand_in_no_format_unless_they_are_asked_for_and_no_cell_is_a_formula() {
    let world = world(company());
    let named = rows(&world, world.people.iter(), Wanted::All, now());
    let masked: Vec<_> = named.iter().cloned().map(masked).collect();
    let printed = |rows: &[Row]| {
        [
            table(rows, false, &[]),
            table(rows, true, &[]),
            serde_json::to_string(rows).unwrap(),
            serde_saphyr::to_string(&rows).unwrap(),
            csv(rows).unwrap(),
        ]
    };
    for personal in ["Ada", "@example.com"] {
        assert!(printed(&named).iter().all(|text| text.contains(personal)), "{personal}");
        assert!(printed(&masked).iter().all(|text| !text.contains(personal)), "{personal}");
    }
    assert!(csv(&named).unwrap().contains("'=Ada 1"));
}

#[test]
fn without_days_the_week_that_was_or_comes_is_meant() {
    let read = |line: &str| {
        use clap::Parser;
        #[derive(Debug, Parser)]
        struct Line {
            #[command(flatten)]
            options: Options,
        }
        let options = Line::parse_from(line.split(' ')).options;
        match wanted(&options, date(2026, 3, 10)) {
            Wanted::All => "all".to_owned(),
            Wanted::Upcoming(days) | Wanted::Leavers(days) | Wanted::Starters(days) | Wanted::Movers(days) => {
                format!("{}..{}", text(days.from), text(days.to))
            }
        }
    };
    for (line, expected) in [
        ("people", "all"),
        ("people --upcoming", ".."),
        ("people --leavers", "2026-03-04..2026-03-10"),
        ("people --starters", "2026-03-10..2026-03-17"),
        ("people --movers", "2026-03-04..2026-03-10"),
        ("people --leavers --from 2026-01-01", "2026-01-01.."),
        ("people --starters --to 2026-04-01", "..2026-04-01"),
    ] {
        assert_eq!(read(line), expected, "{line}");
    }
}
