//! Several records of several humans, through whatever answers come.

use super::*;

/// What an answer says of one record on one day; dates are days from then.
#[derive(Clone, Copy, Debug)]
enum Line {
    Works,
    OnLeave,
    Unmapped,
    LeavesIn(i32),
    StartsIn(i32),
    Ended,
    EndedBefore(i32),
    NotThere,
}

fn any_line() -> impl Strategy<Value = Line> {
    prop_oneof![
        3 => Just(Line::Works),
        1 => Just(Line::OnLeave),
        1 => Just(Line::Unmapped),
        2 => (0..5).prop_map(Line::LeavesIn),
        2 => (1..9).prop_map(Line::StartsIn),
        4 => Just(Line::Ended),
        2 => (1..9).prop_map(Line::EndedBefore),
        1 => Just(Line::NotThere),
    ]
}

/// One record, as `line` says on `today`.
fn written(id: &str, line: Line, today: Date) -> Option<Employee> {
    let day = |days: i32| Some(today.saturating_add(jiff::Span::new().days(days)));
    let one = employee(id);
    let terminated = one.clone().terminated();
    match line {
        Line::NotThere => None,
        Line::Works => Some(one),
        Line::OnLeave => Some(one.reported_status(ReportedStatus::Mapped(Status::Leave))),
        Line::Unmapped => Some(one.reported_status(ReportedStatus::Unmapped)),
        Line::LeavesIn(days) => Some(Employee { last_day: day(days), ..one }),
        Line::StartsIn(days) => Some(Employee { start: day(days), ..one }),
        Line::Ended => Some(terminated),
        Line::EndedBefore(days) => Some(Employee { last_day: day(-days), ..terminated }),
    }
}

/// The plain model: a record has ended if it was last said to have, or its last day has passed.
fn has_ended(last: &Employee, today: Date) -> bool {
    let passed = last.last_day.is_some_and(|day| day < today);
    passed || (last.reported_status == ReportedStatus::Mapped(Status::Terminated) && last.last_day.is_none())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Three humans with one, two and three records over two connections, through answers of either, of both or of none,
    /// midnights and crashes: nobody leaves while a record of theirs goes on or is about to, and whoever has nothing left
    /// but ended records has left once both connections said so.
    #[test]
    fn nobody_is_ended_by_one_record_alone_and_nobody_is_missed(
        history in proptest::collection::vec(
            (proptest::collection::vec(any_line(), 6), any::<(bool, bool)>(), 1_i64..40, 0_usize..6), 1..10)
    ) {
        let humans: [&[(&str, &str)]; 3] = [
            &[("hq", "a1")],
            &[("hq", "b1"), ("contractors", "b2")],
            &[("contractors", "c1"), ("hq", "c2"), ("hq", "c3")],
        ];
        let mut world = ClusterInventory::settled();
        let mut now = at("2026-03-01T12:00:00Z");
        let first: Vec<Employee> = humans.iter().map(|records| employee(records[0].1)).collect();
        for (connection, one) in humans.iter().map(|records| records[0].0).zip(&first) {
            let plan = world.planned_over(&[answer_of_some(connection, std::slice::from_ref(one), now)], now);
            world.write(&plan, usize::MAX);
        }
        for records in humans {
            records.iter().skip(1).for_each(|(connection, id)| world.link(records[0].1, connection, id));
        }
        let mut last: BTreeMap<&str, Employee> = humans.iter().zip(first).map(|(records, one)| (records[0].1, one)).collect();
        for (lines, (of_hq, of_contractors), later, crash_after) in history {
            now += SignedDuration::from_hours(later);
            let today = now.to_zoned(jiff::tz::TimeZone::get("Europe/Madrid").unwrap()).date();
            let said: Vec<_> = humans.iter().copied().flatten().zip(lines)
                .filter_map(|((connection, id), line)| Some((*connection, *id, written(id, line, today)?)))
                .filter(|(connection, ..)| if *connection == "hq" { of_hq } else { of_contractors })
                .collect();
            let of = |name: &str| said.iter().filter(|(connection, ..)| *connection == name).map(|(.., one)| one.clone()).collect::<Vec<_>>();
            let (hq, contractors) = (of("hq"), of("contractors"));
            let mut answers = Vec::new();
            if of_hq {
                answers.push(answer("hq", &hq, now));
            }
            if of_contractors {
                answers.push(answer("contractors", &contractors, now));
            }
            let cut_short = world.planned_over(&answers, now);
            world.write(&cut_short, crash_after);
            let plan = world.planned_over(&answers, now);
            world.write(&plan, usize::MAX);
            last.extend(said.iter().map(|(_, id, one)| (*id, one.clone())));

            for records in humans {
                let entry = world.entry(records[0].1);
                let lines: Vec<_> = records.iter().filter_map(|(_, id)| last.get(id)).collect();
                let told = |id: &str| said.iter().any(|(_, said, _)| *said == id);
                let left = entry.employment.state == State::Terminated;
                let newly = plan.changes.iter().any(|change| change.event == Some(LifecycleEvent::Terminated) && change.name == world.known[&HrId(records[0].1.to_owned())].name);
                if newly {
                    let ends = lines.iter().filter(|one| has_ended(one, today)).filter_map(|one| one.last_day);
                    let gap = ends.max().map(|last| last.saturating_add(jiff::Span::new().days(3)));
                    let begins_later = |one: &Employee| one.start.is_some_and(|start| start > today && gap.is_none_or(|gap| start > gap));
                    let going = |one: &&&Employee| {
                        !has_ended(one, today) && !never_began(one, &said, today) && !begins_later(one)
                    };
                    prop_assert_eq!(lines.iter().filter(going).count(), 0, "{:?}", entry.employments.iter().map(|one| (one.record.to_string(), one.facts, one.state.state)).collect::<Vec<_>>());
                    prop_assert_eq!(lines.len(), records.len(), "every record was named once");
                }
                let all_told = of_hq && of_contractors && records.iter().all(|(_, id)| told(id));
                let all_ended = lines.iter().all(|one| {
                    one.reported_status == ReportedStatus::Mapped(Status::Terminated) && one.last_day.is_none_or(|day| day < today)
                });
                prop_assert!(left || !all_told || !all_ended, "missed: {records:?}");
            }
            let again = world.planned_over(&answers, now);
            prop_assert!(again.changes.is_empty(), "{:?}", again.changes);
            for run in &plan.runs {
                let carried = world.known.values().filter(|known| {
                    let left = known.entry.as_ref().and_then(|entry| entry.employment.left.as_ref());
                    left.is_some_and(|left| left.run.as_ref() == Some(&run.id))
                });
                prop_assert_eq!(carried.count(), run.leavers as usize);
            }
        }
    }
}

/// An employment that was to begin, and of which nothing was said any more when the day came.
fn never_began(last: &Employee, said: &[(&str, &str, Employee)], today: Date) -> bool {
    last.start.is_some_and(|start| start <= today) && !said.iter().any(|(_, id, _)| *id == last.id.0)
}

fn answer_of_some<'a>(connection: &'a str, employees: &'a [Employee], taken: Timestamp) -> TrustedResponse<'a> {
    TrustedResponse { part: true, ..answer(connection, employees, taken) }
}
