//! Records with one id: the same again, somebody's several jobs, or two people.
//!
//! One record may always be read. Of several, the same ones are one; where one is of a job that goes on and the others
//! ended, or all have ended, the last one tells. Where nobody can tell, all of them stay, and the trust gate sets that id
//! aside.

use std::collections::{BTreeSet, HashSet};

use foldhash::fast::RandomState;
use jiff::civil::Date;

use domain::employee::{Employee, Read, ReportedStatus, Status};

/// Leaves one record of each id, where it can be told which.
pub(super) fn settle(read: &mut Read, as_of: Date) {
    if ascending(&read.employees) {
        return;
    }
    let mut seen = HashSet::with_capacity_and_hasher(read.employees.len(), RandomState::default());
    if read.employees.iter().all(|employee| seen.insert(&employee.id)) {
        return;
    }
    let mut order: Vec<usize> = (0..read.employees.len()).collect();
    let id = |at: &usize| read.employees.get(*at).map(|employee| &employee.id);
    order.sort_by(|a, b| id(a).cmp(&id(b)).then(a.cmp(b)));
    let (mut dropped, mut same, mut jobs) = (BTreeSet::new(), 0, 0);
    for group in order.chunk_by(|a, b| id(a) == id(b)).filter(|group| group.len() > 1) {
        let records: Vec<&Employee> = group.iter().filter_map(|at| read.employees.get(*at)).collect();
        let Some(kept) = choose(&records, as_of) else { continue };
        let alike =
            records.iter().filter(|record| records.get(kept).is_some_and(|kept| say_the_same(kept, record))).count();
        dropped.extend(group.iter().enumerate().filter(|(number, _)| *number != kept).map(|(_, at)| *at));
        same += alike - 1;
        jobs += records.len() - alike;
    }
    let mut at = 0..;
    read.employees.retain(|_| at.next().is_some_and(|at| !dropped.contains(&at)));
    read.announced_total = read.announced_total.map(|total| total.saturating_sub(same + jobs));
    if same > 0 {
        read.remarks.push(format!("{same} records appear again, word for word, and were read once"));
    }
    if jobs > 0 {
        read.remarks.push(format!("{jobs} records are of jobs that ended, of people who have another one"));
    }
}

/// Whether the ids come in order, as most sources give them: then none is there twice, and none needs to be remembered.
/// Shorter ones first, so that numbers are in order too.
fn ascending(employees: &[Employee]) -> bool {
    employees.is_sorted_by(|one, next| {
        let (one, next) = (one.id.0.as_bytes(), next.id.0.as_bytes());
        one.len() < next.len() || (one.len() == next.len() && one < next)
    })
}

/// Whether two records say the same: who signs in while the list is read has not become another one.
fn say_the_same(one: &Employee, other: &Employee) -> bool {
    let without = |employee: &Employee| Employee { account: None, ..employee.clone() };
    one == other || (one.account != other.account && without(one) == without(other))
}

/// Which record counts; none, where that cannot be told.
fn choose(records: &[&Employee], as_of: Date) -> Option<usize> {
    let (first, others) = records.split_first()?;
    if others.iter().all(|other| say_the_same(other, first)) {
        return Some(0);
    }
    if !others.iter().all(|other| same_human(first, other)) {
        return None;
    }
    let ended = |employee: &Employee| match employee.reported_status {
        ReportedStatus::Mapped(Status::Terminated) => employee.last_day.is_none_or(|last_day| last_day < as_of),
        ReportedStatus::Silent => employee.last_day.is_some_and(|last_day| last_day < as_of),
        _ => false,
    };
    let going: Vec<usize> = (0..records.len()).filter(|at| records.get(*at).is_some_and(|one| !ended(one))).collect();
    match going.as_slice() {
        [] if records.iter().all(|record| record.last_day.is_some()) => {
            let latest = records.iter().map(|record| record.last_day).max()?;
            let mut last = (0..records.len()).filter(|at| records.get(*at).is_some_and(|one| one.last_day == latest));
            last.next().filter(|_| last.next().is_none())
        }
        [one] => Some(*one),
        _ => None,
    }
}

/// The same name and no other address, or the same address.
fn same_human(one: &Employee, other: &Employee) -> bool {
    let same = |a: &str, b: &str| !a.is_empty() && a.to_lowercase() == b.to_lowercase();
    let one_has_none = one.work_email.is_empty() || other.work_email.is_empty();
    same(&one.work_email, &other.work_email) || (one_has_none && same(&one.name, &other.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::employee::HrId;

    const TODAY: Date = Date::constant(2026, 3, 2);

    fn employee(id: &str, said: Status, last_day: Option<Date>) -> Employee {
        let who = (HrId(id.to_owned()), "Ada Example".to_owned(), "ada@example.com".to_owned());
        Employee { last_day, ..Employee::new(who.0, who.1, who.2, ReportedStatus::Mapped(said)) }
    }

    #[test]
    fn ids_in_order_are_no_id_twice() {
        for (ids, in_order) in [
            ("", true),
            ("1 2 10 11", true),
            ("007 008 010", true),
            ("a b aa", true),
            ("1 2 2 3", false),
            ("1 10 2 10", false),
            ("2 1 2", false),
        ] {
            let employees: Vec<_> = ids.split_whitespace().map(|id| employee(id, Status::Active, None)).collect();
            assert_eq!(ascending(&employees), in_order, "{ids}");
        }
    }

    #[test]
    fn several_records_of_one_id_end_nobody_by_the_job_that_ended() {
        let (past, older, future) =
            (Date::constant(2020, 5, 31), Date::constant(2018, 1, 31), Date::constant(2026, 6, 30));
        let active = || employee("7", Status::Active, None);
        let left = |last_day| employee("7", Status::Terminated, last_day);
        let address = |work_email: &str, employee: Employee| Employee { work_email: work_email.to_owned(), ..employee };
        for (situation, records, kept) in [
            ("the same again", vec![active(), active()], Some(active())),
            ("one job ended, one goes on", vec![left(Some(past)), active()], Some(active())),
            ("the other way round", vec![active(), left(Some(past))], Some(active())),
            ("an end without a day", vec![active(), left(None)], Some(active())),
            ("both ended", vec![left(Some(past)), left(Some(older))], Some(left(Some(past)))),
            ("both ended, one without a day", vec![left(Some(past)), left(None)], None),
            ("one ended, one ends", vec![left(Some(past)), left(Some(future))], Some(left(Some(future)))),
            ("two that go on", vec![active(), employee("7", Status::Leave, None)], None),
            ("two people", vec![left(Some(past)), address("bo@example.com", active())], None),
            ("an address that is gone", vec![address("", left(Some(past))), active()], Some(active())),
            ("an address in another case", vec![address("ADA@example.com", left(None)), active()], Some(active())),
        ] {
            let (other, all) = (employee("8", Status::Active, None), records.clone());
            let mut employees = vec![other.clone()];
            employees.extend(records);
            let mut read = Read { announced_total: Some(employees.len()), employees, ..Read::default() };
            settle(&mut read, TODAY);
            let mut expected = vec![other];
            expected.extend(kept.map_or(all, |kept| vec![kept]));
            assert!(read.employees == expected, "{situation}");
            assert_eq!(read.announced_total, Some(expected.len()), "{situation}");
        }
    }
}
