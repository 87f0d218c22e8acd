//! The life of a person as a table: every turn of it, day by day. What the records say, and what the person is then; with
//! the instant at which access ends, and whether a human must approve that.
//!
//! Each row begins with Name 7 at work, known since 1 March, unless it says otherwise. What is read on a day is read at noon.
//! The rows of `lifecycle` say the same of one record on one day; these say what is remembered from one to the next.

mod ends;

use super::*;

const LEAVE: ReportedStatus = ReportedStatus::Mapped(Status::Leave);
const SUSPENDED: ReportedStatus = ReportedStatus::Mapped(Status::Suspended);

/// What is read on a day: by connection, the records of it. Nothing where no answer is trusted.
type Says = Vec<(&'static str, Vec<Employee>)>;

/// A day (at noon) or an instant, what is said then, and what the person is: `state why[, ends instant[ once approved]]`.
type Day = (&'static str, Says, &'static str);

fn hq<const N: usize>(records: [Employee; N]) -> Says {
    vec![("hq", records.into())]
}

fn both<const N: usize, const M: usize>(of_hq: [Employee; N], of_contractors: [Employee; M]) -> Says {
    vec![("hq", of_hq.into()), ("contractors", of_contractors.into())]
}

fn nothing() -> Says {
    Vec::new()
}

fn instant(day: &str) -> Timestamp {
    if day.contains('T') { at(day) } else { at(&format!("{day}T12:00:00Z")) }
}

impl ClusterInventory {
    fn look(&mut self, day: &str, says: Says) {
        let now = instant(day);
        // Somebody else works there all the time, so that no answer is empty.
        let with_another = |(connection, mut records): (&'static str, Vec<Employee>)| {
            records.push(employee(&format!("{connection}-1")));
            (connection, records)
        };
        let says: Says = says.into_iter().map(with_another).collect();
        let answers: Vec<_> = says.iter().map(|(connection, all)| records::answer(connection, all, now)).collect();
        let plan = self.planned_over(&answers, now);
        self.write(&plan, usize::MAX);
        assert!(self.planned_over(&answers, now).changes.is_empty(), "{day}: a second look writes nobody");
    }

    /// What a person is, in one line.
    fn told(&self, id: &str) -> String {
        let Some(known) = self.known.get(&HrId(id.to_owned())) else { return "nobody".to_owned() };
        let EmploymentState { state, why, left, .. } = &known.entry.as_ref().unwrap().employment;
        let ends = left
            .as_ref()
            .map(|left| format!(", ends {}{}", left.effective, if left.baseline { " once approved" } else { "" }));
        format!("{} {}{}", state.as_str(), why.as_str(), ends.unwrap_or_default())
    }
}

/// Plays rows over a cluster each.
fn play(world: impl Fn() -> ClusterInventory, rows: Vec<(&str, Vec<Day>)>) {
    for (what, days) in rows {
        let mut world = world();
        for (day, says, expected) in days {
            world.look(day, says);
            assert_eq!(world.told("7"), expected, "{what}, on {day}");
        }
    }
}

fn at_work() -> ClusterInventory {
    ClusterInventory::with(&[employee("7").start("2020-01-01")])
}

fn seven() -> Employee {
    employee("7").start("2020-01-01")
}

#[test]
fn how_somebody_comes() {
    let future = || employee("7").start("2026-03-16");
    play(
        ClusterInventory::settled,
        vec![
            ("hired", vec![("2026-03-09", hq([employee("7").start("2026-03-09")]), "Active Active")]),
            (
                "a future hire, whose first day begins at midnight where they are",
                vec![
                    ("2026-03-09", hq([future()]), "PreHire StartsLater"),
                    ("2026-03-15T22:59:59Z", nothing(), "PreHire StartsLater"),
                    ("2026-03-15T23:00:00Z", nothing(), "Active Active"),
                ],
            ),
            (
                "a future hire who is put off",
                vec![
                    ("2026-03-09", hq([future()]), "PreHire StartsLater"),
                    ("2026-03-10", hq([employee("7").start("2026-04-01")]), "PreHire StartsLater"),
                    ("2026-03-17", nothing(), "PreHire StartsLater"),
                ],
            ),
            (
                "a future hire who is withdrawn by a status: accounts made for them in advance end",
                vec![
                    ("2026-03-09", hq([future()]), "PreHire StartsLater"),
                    ("2026-03-10", hq([future().terminated()]), "Terminated Terminated, ends 2026-03-10T12:00:00Z"),
                ],
            ),
            (
                "a future hire whose record is deleted: absence ends nothing",
                vec![
                    ("2026-03-09", hq([future()]), "PreHire StartsLater"),
                    ("2026-03-10", hq([]), "PreHire StartsLater"),
                    ("2026-03-20", hq([]), "PreHire StartsLater"),
                ],
            ),
            (
                "a no-show, terminated as of the first day",
                vec![
                    ("2026-03-09", hq([future()]), "PreHire StartsLater"),
                    (
                        "2026-03-17",
                        hq([future().terminated().last_day("2026-03-16")]),
                        "Terminated Terminated, ends 2026-03-16T23:00:00Z",
                    ),
                ],
            ),
            (
                "a no-show, terminated as of the day before the first: which employment is meant cannot be told",
                vec![
                    ("2026-03-09", hq([future()]), "PreHire StartsLater"),
                    ("2026-03-17", hq([future().terminated().last_day("2026-03-15")]), "Unknown EndsBeforeStart"),
                    ("2026-03-18", hq([future().terminated()]), "Terminated Terminated, ends 2026-03-18T12:00:00Z"),
                ],
            ),
            (
                "first seen as a leaver: nobody saw them work here",
                vec![(
                    "2026-03-09",
                    hq([employee("7").terminated().last_day("2026-03-01")]),
                    "Terminated Terminated, ends 2026-03-01T23:00:00Z once approved",
                )],
            ),
        ],
    );
}

#[test]
fn how_somebody_moves_or_is_away() {
    play(
        at_work,
        vec![
            ("moved to another department", vec![("2026-03-10", hq([seven().department("Sales")]), "Active Active")]),
            (
                "moved to another zone, which then says when their last day is over",
                vec![
                    ("2026-03-10", hq([seven().last_day("2026-03-12")]), "Active LeavesLater"),
                    ("2026-03-11", hq([seven().last_day("2026-03-12").location("Melbourne")]), "Active LeavesLater"),
                    ("2026-03-12T12:59:59Z", nothing(), "Active LeavesLater"),
                    ("2026-03-12T13:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-12T13:00:00Z"),
                ],
            ),
            (
                "leave, and return",
                vec![
                    ("2026-03-10", hq([seven().reported_status(LEAVE)]), "Leave OnLeave"),
                    ("2026-03-20", hq([seven().reported_status(LEAVE)]), "Leave OnLeave"),
                    ("2026-03-21", hq([seven()]), "Active Active"),
                ],
            ),
            (
                "leave with the day of the return in the column of last days: no exit",
                vec![
                    ("2026-03-10", hq([seven().reported_status(LEAVE).last_day("2026-03-09")]), "Leave OnLeave"),
                    ("2026-03-20", nothing(), "Leave OnLeave"),
                ],
            ),
            (
                "notice given while on leave",
                vec![
                    ("2026-03-10", hq([seven().reported_status(LEAVE).last_day("2026-03-12")]), "Leave OnLeave"),
                    ("2026-03-12T23:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-12T23:00:00Z"),
                ],
            ),
            (
                "inactive, and back",
                vec![
                    ("2026-03-10", hq([seven().reported_status(SUSPENDED)]), "Suspended Suspended"),
                    ("2026-03-20", hq([seven()]), "Active Active"),
                ],
            ),
            (
                "a word that nobody mapped, and a known one again",
                vec![
                    ("2026-03-10", hq([seven().reported_status(ReportedStatus::Unmapped)]), "Unknown Unmapped"),
                    ("2026-03-11", hq([seven()]), "Active Active"),
                ],
            ),
            (
                "vanished, and seen again",
                vec![
                    ("2026-03-10", hq([]), "Active Active"),
                    ("2026-06-10", hq([]), "Active Active"),
                    ("2026-06-11", hq([seven()]), "Active Active"),
                ],
            ),
            (
                "vanished, and seen again as a leaver",
                vec![
                    ("2026-03-10", hq([]), "Active Active"),
                    (
                        "2026-03-20",
                        hq([seven().terminated().last_day("2026-03-09")]),
                        "Terminated Terminated, ends 2026-03-09T23:00:00Z",
                    ),
                    ("2026-03-21", hq([]), "Terminated Terminated, ends 2026-03-09T23:00:00Z"),
                ],
            ),
        ],
    );
}

#[test]
fn how_notice_is_given_changed_and_withdrawn() {
    let leaves = |day: &str| hq([seven().last_day(day)]);
    play(
        at_work,
        vec![
            (
                "notice given",
                vec![
                    ("2026-03-10", leaves("2026-03-12"), "Active LeavesLater"),
                    ("2026-03-12", leaves("2026-03-12"), "Active LeavesLater"),
                    ("2026-03-12T23:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-12T23:00:00Z"),
                ],
            ),
            (
                "brought forward to a day still to come",
                vec![
                    ("2026-03-10", leaves("2026-03-31"), "Active LeavesLater"),
                    ("2026-03-11", leaves("2026-03-12"), "Active LeavesLater"),
                    ("2026-03-12T23:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-12T23:00:00Z"),
                ],
            ),
            (
                "brought forward to a past day, and the status still says Active: on the announced day at the latest",
                vec![
                    ("2026-03-10", leaves("2026-03-20"), "Active LeavesLater"),
                    ("2026-03-11", leaves("2026-03-05"), "Unknown Contradiction"),
                    ("2026-03-20T22:59:59Z", nothing(), "Unknown Contradiction"),
                    ("2026-03-20T23:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-05T23:00:00Z"),
                ],
            ),
            (
                "brought forward to a past day with the status: at once",
                vec![
                    ("2026-03-10", leaves("2026-03-20"), "Active LeavesLater"),
                    (
                        "2026-03-11",
                        hq([seven().terminated().last_day("2026-03-05")]),
                        "Terminated Terminated, ends 2026-03-05T23:00:00Z",
                    ),
                ],
            ),
            (
                "postponed",
                vec![
                    ("2026-03-10", leaves("2026-03-12"), "Active LeavesLater"),
                    ("2026-03-11", leaves("2026-03-31"), "Active LeavesLater"),
                    ("2026-03-13", nothing(), "Active LeavesLater"),
                    ("2026-03-31T22:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-31T22:00:00Z"),
                ],
            ),
            (
                "postponed after it took effect: the person works here again",
                vec![
                    ("2026-03-10", leaves("2026-03-12"), "Active LeavesLater"),
                    ("2026-03-13", leaves("2026-03-12"), "Terminated LastDayPassed, ends 2026-03-12T23:00:00Z"),
                    ("2026-03-14", leaves("2026-03-31"), "Active LeavesLater"),
                ],
            ),
            (
                "withdrawn",
                vec![
                    ("2026-03-10", leaves("2026-03-12"), "Active LeavesLater"),
                    ("2026-03-11", hq([seven()]), "Active Active"),
                    ("2026-03-13", nothing(), "Active Active"),
                ],
            ),
            (
                "withdrawn after it took effect",
                vec![
                    ("2026-03-10", hq([seven().terminated()]), "Terminated Terminated, ends 2026-03-10T12:00:00Z"),
                    ("2026-03-11", hq([seven()]), "Active Active"),
                ],
            ),
            (
                "terminated as of a day to come, and withdrawn by the status alone",
                vec![
                    ("2026-03-10", hq([seven().terminated().last_day("2026-03-12")]), "Active TerminatedLater"),
                    ("2026-03-11", hq([seven()]), "Active Active"),
                    ("2026-03-13", nothing(), "Active Active"),
                ],
            ),
            (
                "announced, and then vanished: what was announced takes effect",
                vec![
                    ("2026-03-10", leaves("2026-03-12"), "Active LeavesLater"),
                    ("2026-03-11", hq([]), "Active LeavesLater"),
                    ("2026-03-12T23:00:00Z", nothing(), "Terminated LastDayPassed, ends 2026-03-12T23:00:00Z"),
                ],
            ),
        ],
    );
}
