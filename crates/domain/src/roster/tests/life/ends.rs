//! The rows of how somebody goes, comes back, and goes on under another record.

use super::*;

#[test]
fn how_somebody_goes() {
    let urgent = |one: Employee| Employee { urgent: true, ..one.terminated() };
    play(
        at_work,
        vec![
            (
                "back-dated: as of the day it took effect, seen when it was read",
                vec![(
                    "2026-03-20",
                    hq([seven().terminated().last_day("2026-03-10")]),
                    "Terminated Terminated, ends 2026-03-10T23:00:00Z",
                )],
            ),
            (
                "back-dated by the day alone: HR has to say which is right",
                vec![
                    ("2026-03-20", hq([seven().last_day("2026-03-10")]), "Unknown Contradiction"),
                    ("2026-04-20", nothing(), "Unknown Contradiction"),
                ],
            ),
            (
                "dismissed at once, whatever the last day on paper",
                vec![(
                    "2026-03-10",
                    hq([urgent(seven().last_day("2026-03-31"))]),
                    "Terminated Urgent, ends 2026-03-10T12:00:00Z",
                )],
            ),
            (
                "dismissed at once, and the reason corrected: works to the last day",
                vec![
                    (
                        "2026-03-10",
                        hq([urgent(seven().last_day("2026-03-31"))]),
                        "Terminated Urgent, ends 2026-03-10T12:00:00Z",
                    ),
                    ("2026-03-11", hq([seven().terminated().last_day("2026-03-31")]), "Active TerminatedLater"),
                ],
            ),
            (
                "garden leave: the last working day comes before the end of the contract",
                vec![
                    (
                        "2026-03-10",
                        hq([Employee {
                            contract_end: "2026-06-30".parse().ok(),
                            ..seven().terminated().last_day("2026-03-12")
                        }]),
                        "Active TerminatedLater",
                    ),
                    ("2026-03-12T23:00:00Z", nothing(), "Terminated Terminated, ends 2026-03-12T23:00:00Z"),
                ],
            ),
            (
                "garden leave that HR calls leave",
                vec![
                    ("2026-03-10", hq([seven().reported_status(LEAVE).last_day("2026-03-31")]), "Leave OnLeave"),
                    ("2026-03-31T22:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-31T22:00:00Z"),
                ],
            ),
            (
                "death: terminated today, without a day or with today's, which is a day of work to its end",
                vec![
                    ("2026-03-10", hq([seven().terminated().last_day("2026-03-10")]), "Active TerminatedLater"),
                    ("2026-03-10T23:00:00Z", nothing(), "Terminated Terminated, ends 2026-03-10T23:00:00Z"),
                ],
            ),
            (
                "retirement: known for long, and from then on a record that says so",
                vec![
                    ("2026-03-10", hq([seven().last_day("2026-03-31")]), "Active LeavesLater"),
                    (
                        "2026-04-01",
                        hq([seven().terminated().last_day("2026-03-31")]),
                        "Terminated Terminated, ends 2026-03-31T22:00:00Z",
                    ),
                ],
            ),
            (
                "a mistyped year",
                vec![("2026-03-10", hq([seven().terminated().last_day("2062-03-12")]), "Unknown TooFarAhead")],
            ),
        ],
    );
}

#[test]
fn how_a_contract_ends() {
    let until = |day: &str| Employee { contract_end: day.parse().ok(), ..seven() };
    let terminates =
        || ClusterInventory { terms: Terms { contract_end: ContractEnd::Terminate, ..Terms::default() }, ..at_work() };
    play(
        at_work,
        vec![(
            "Hold: nothing ends by it, extended or not",
            vec![
                ("2026-03-10", hq([until("2026-03-12")]), "Active Active"),
                ("2026-03-13", hq([until("2026-03-12")]), "Active ContractEnded"),
                ("2026-03-14", hq([until("2026-09-30")]), "Active Active"),
            ],
        )],
    );
    play(
        terminates,
        vec![
            (
                "Terminate, without an extension",
                vec![
                    ("2026-03-10", hq([until("2026-03-12")]), "Active LeavesLater"),
                    ("2026-03-12T23:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-12T23:00:00Z"),
                ],
            ),
            (
                "Terminate, extended in time",
                vec![
                    ("2026-03-10", hq([until("2026-03-12")]), "Active LeavesLater"),
                    ("2026-03-12", hq([until("2026-09-30")]), "Active LeavesLater"),
                    ("2026-03-13", nothing(), "Active LeavesLater"),
                ],
            ),
            (
                "Terminate, extended too late: the person works here again",
                vec![
                    ("2026-03-10", hq([until("2026-03-12")]), "Active LeavesLater"),
                    ("2026-03-13", hq([until("2026-03-12")]), "Terminated LastDayPassed, ends 2026-03-12T23:00:00Z"),
                    ("2026-03-14", hq([until("2026-09-30")]), "Active LeavesLater"),
                ],
            ),
            (
                "Terminate, first seen when it had passed",
                vec![("2026-03-13", hq([until("2026-03-12")]), "Unknown Contradiction")],
            ),
        ],
    );
}

#[test]
fn how_somebody_comes_back() {
    let gone = || hq([seven().terminated().last_day("2026-03-10")]);
    const ENDED: &str = "Terminated Terminated, ends 2026-03-10T23:00:00Z";
    play(
        at_work,
        vec![
            (
                "hired again with the old id, from a day to come",
                vec![
                    ("2026-03-11", gone(), ENDED),
                    ("2026-06-01", hq([employee("7").start("2026-06-15")]), "PreHire StartsLater"),
                    ("2026-06-15", hq([employee("7").start("2026-06-15")]), "Active Active"),
                ],
            ),
            (
                "hired again with the old id, whose record keeps the old last day",
                vec![
                    ("2026-03-11", gone(), ENDED),
                    (
                        "2026-06-15",
                        hq([employee("7").start("2026-06-15").last_day("2026-03-10")]),
                        "Active EarlierEmployment",
                    ),
                ],
            ),
            (
                "hired again, and gone again: another termination",
                vec![
                    ("2026-03-11", gone(), ENDED),
                    ("2026-06-15", hq([employee("7").start("2026-06-15")]), "Active Active"),
                    (
                        "2026-07-02",
                        hq([employee("7").start("2026-06-15").terminated().last_day("2026-07-01")]),
                        "Terminated Terminated, ends 2026-07-01T22:00:00Z",
                    ),
                ],
            ),
        ],
    );
    let by_address =
        || ClusterInventory { matching: Matching { keys: vec![MatchKey::WorkEmail], number_space: None }, ..at_work() };
    let again = || Employee { name: "Name 7".into(), work_email: "7@example.com".into(), ..employee("71") };
    play(
        by_address,
        vec![(
            "hired again with a new id, by the keys of the policy: the same human, with both records",
            vec![
                ("2026-03-11", gone(), ENDED),
                (
                    "2026-06-15",
                    hq([seven().terminated().last_day("2026-03-10"), again().start("2026-06-15")]),
                    "Active Active",
                ),
                (
                    "2026-07-02",
                    hq([
                        seven().terminated().last_day("2026-03-10"),
                        again().start("2026-06-15").terminated().last_day("2026-07-01"),
                    ]),
                    "Terminated Terminated, ends 2026-07-01T22:00:00Z",
                ),
            ],
        )],
    );
    let mut unmatched = at_work();
    unmatched.look("2026-03-11", gone());
    unmatched.look("2026-06-15", hq([seven().terminated().last_day("2026-03-10"), again().start("2026-06-15")]));
    let told = (unmatched.told("7"), unmatched.told("71"));
    assert_eq!(told, (ENDED.to_owned(), "Active Active".to_owned()), "with a new id, without keys: two Persons");
}

#[test]
fn how_a_contractor_becomes_an_employee() {
    const SINCE: &str = "2026-02-01";
    let by_address = || {
        let matching = Matching { keys: vec![MatchKey::WorkEmail], number_space: None };
        let mut world = ClusterInventory { matching, ..ClusterInventory::settled() };
        world.look("2026-03-01", both([], [employee("7").start(SINCE)]));
        world
    };
    let contract = || employee("7").start(SINCE);
    let ended = || contract().terminated().last_day("2026-03-12");
    let employed = |from: &str| {
        Employee { name: "Name 7".into(), work_email: "7@example.com".into(), ..employee("e7") }.start(from)
    };
    const LEFT: &str = "Terminated Terminated, ends 2026-03-12T23:00:00Z";
    play(
        by_address,
        vec![
            (
                "an overlap",
                vec![
                    (
                        "2026-03-10",
                        both([employed("2026-03-09")], [contract().last_day("2026-03-12")]),
                        "Active Active",
                    ),
                    ("2026-03-13", both([employed("2026-03-09")], [ended()]), "Active Active"),
                ],
            ),
            (
                "a day's gap, the employment told first",
                vec![
                    (
                        "2026-03-10",
                        both([employed("2026-03-14")], [contract().last_day("2026-03-12")]),
                        "Active NextFollows",
                    ),
                    ("2026-03-13", both([employed("2026-03-14")], [ended()]), "PreHire Between"),
                    ("2026-03-14", nothing(), "Active Active"),
                ],
            ),
            (
                "a day's gap, the end of the contract told first: an exit until the employment is told",
                vec![
                    ("2026-03-10", both([], [contract().last_day("2026-03-12")]), "Active LeavesLater"),
                    ("2026-03-12T23:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-12T23:00:00Z"),
                    ("2026-03-13", both([employed("2026-03-14")], [ended()]), "PreHire Between"),
                    ("2026-03-14", nothing(), "Active Active"),
                ],
            ),
            (
                "a month's gap, the employment told first: gone in between",
                vec![
                    (
                        "2026-03-10",
                        both([employed("2026-04-13")], [contract().last_day("2026-03-12")]),
                        "Active LeavesLater",
                    ),
                    ("2026-03-13", both([employed("2026-04-13")], [ended()]), LEFT),
                    ("2026-04-13", both([employed("2026-04-13")], [ended()]), "Active Active"),
                ],
            ),
            (
                "a month's gap, the end of the contract told first",
                vec![
                    ("2026-03-13", both([], [ended()]), LEFT),
                    ("2026-04-13", both([employed("2026-04-13")], [ended()]), "Active Active"),
                ],
            ),
            (
                "and both end",
                vec![
                    (
                        "2026-03-10",
                        both([employed("2026-03-09")], [contract().last_day("2026-03-12")]),
                        "Active Active",
                    ),
                    (
                        "2026-05-02",
                        both([employed("2026-03-09").terminated().last_day("2026-05-01")], [ended()]),
                        "Terminated Terminated, ends 2026-05-01T22:00:00Z",
                    ),
                ],
            ),
        ],
    );
}

#[test]
fn how_an_hr_system_is_replaced() {
    let migrated = |keys: Vec<MatchKey>| {
        move || {
            let mut world = ClusterInventory::with(&[seven()]);
            world.matching.keys.clone_from(&keys);
            world.roles.insert("hq", Role::Replaced);
            world.migrations = vec![Migration { from: "hq".into(), by: "workday".into(), same_ids: false }];
            world
        }
    };
    let workday = |one: Employee| -> Says { vec![("workday", vec![one])] };
    let moved = || Employee { name: "Name 7".into(), ..seven_at_workday() };
    play(
        migrated(vec![MatchKey::WorkEmail]),
        vec![(
            "matched: the new record alone says whether they work here",
            vec![
                ("2026-03-10", nothing(), "Unknown NotMigrated"),
                ("2026-03-11", workday(moved()), "Active Active"),
                (
                    "2026-03-20",
                    workday(moved().terminated().last_day("2026-03-19")),
                    "Terminated Terminated, ends 2026-03-19T23:00:00Z",
                ),
            ],
        )],
    );
    play(
        migrated(Vec::new()),
        vec![(
            "not matched: held, whatever the new one says of a record of theirs",
            vec![
                ("2026-03-10", nothing(), "Unknown NotMigrated"),
                ("2026-03-11", workday(moved().terminated()), "Unknown NotMigrated"),
            ],
        )],
    );
}

fn seven_at_workday() -> Employee {
    Employee { work_email: "7@example.com".into(), ..employee("w7") }.start("2020-01-01")
}
