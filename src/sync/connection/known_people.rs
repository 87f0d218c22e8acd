//! The people of a connection who have Persons, as the trust gate compares a response with them.

use kube::ResourceExt;

use crate::api::{HRConnection, Person};
use crate::sync::{Context, convert};
use domain::employee::Employee;
use domain::roster::Employment;
use domain::trust::Memory;

/// Those people; nobody where the memory tells enough.
///
/// Waits until everybody who was there at the start is known: an answer that is compared with half of them would be
/// held, or be trusted, for no reason.
pub(super) async fn of(ctx: &Context, connection: &HRConnection, memory: &Memory) -> Vec<Employee> {
    if memory.is_whole() {
        return Vec::new();
    }
    ctx.people.ready().await;
    let name = connection.name_any();
    ctx.people.all().iter().flat_map(|person| last_named(person, &name)).collect()
}

/// A Person as their records of a connection were last named by a trusted answer; none that the last one did not name,
/// since the next one need not either.
fn last_named(person: &Person, connection: &str) -> Vec<Employee> {
    let Some(entry) = convert::known(person).entry else { return Vec::new() };
    let address = entry.profile.work_email.unwrap_or_default();
    let named = entry
        .employments
        .into_iter()
        .filter(|employment| *employment.record.connection == *connection && employment.missing_since.is_none());
    let employees = named.map(|Employment { record, facts, .. }| {
        let employee = Employee::new(record.id, String::new(), address.clone(), facts.reported_status);
        Employee { start: facts.start, last_day: facts.last_day, ..employee }
    });
    employees.collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use domain::employee::HrId;
    use domain::employee::{ReportedStatus, Status};
    use domain::roster;

    fn person(connection: &str, missing: bool) -> Person {
        let name = roster::person_name("rollcall", connection, &HrId("7".into()));
        let since = missing.then_some("2026-03-01T00:00:00Z");
        serde_json::from_value(serde_json::json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person", "metadata": {"name": name},
            "spec": {"records": [{"connection": connection, "id": "7"}]},
            "status": {
                "policy": "everyone",
                "profile": {"workEmail": "ada@example.com"},
                "employments": [{"connection": connection, "id": "7", "reportedStatus": "Terminated", "startDate": "2020-01-01",
                    "lastWorkingDay": "2026-02-28", "missingSince": since}],
                "employment": {"state": "Terminated", "since": "2026-03-01T00:00:00Z", "timeZone": "UTC", "why": "terminated"},
            },
        }))
        .expect("a Person")
    }

    #[test]
    fn who_stands_is_what_a_trusted_answer_last_said_of_them() {
        let found = last_named(&person("hq", false), "hq").pop().expect("stands");
        assert_eq!((found.id.0.as_str(), found.work_email.as_str()), ("7", "ada@example.com"));
        assert_eq!(found.reported_status, ReportedStatus::Mapped(Status::Terminated));
        assert_eq!((found.start, found.last_day), (Some(date(2020, 1, 1)), Some(date(2026, 2, 28))));
    }

    #[test]
    fn people_of_another_connection_and_those_no_answer_names_any_more_are_not_compared_with() {
        assert!(last_named(&person("okta", false), "hq").is_empty());
        assert!(last_named(&person("hq", true), "hq").is_empty());
    }
}
