//! Users that an identity provider pushed: records that are there already, mapped like those of any source.

use jiff::civil::Date;

use super::{Definition, engine, spawn_blocking};
use domain::employee::{Failure, Read, Status};

const TEXT: &str = include_str!("pushed.yaml");

/// Pushed users.
pub struct Pushed {
    /// How they are mapped: [`pushed`].
    pub definition: Definition,
    /// All of them, as one page: an object with the list `Resources`.
    pub page: Vec<u8>,
}

/// Which attribute is the id of an employee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushedId {
    /// The client's.
    ExternalId,
    /// The company's number.
    EmployeeNumber,
    /// The service's.
    Id,
}

/// How pushed users are mapped. `inactive` is what it says of somebody that their account is not active.
///
/// # Errors
/// Never, as a test shows.
pub fn pushed(id: PushedId, inactive: Status) -> Result<Definition, String> {
    let path = match id {
        PushedId::ExternalId => "externalId",
        PushedId::EmployeeNumber => "enterprise.employeeNumber",
        PushedId::Id => "id",
    };
    let text =
        TEXT.replace("\"EMPLOYEE-ID\"", path).replace("means: INACTIVE", &format!("means: {}", inactive.as_str()));
    Definition::parse("pushed.yaml", &text).map_err(|refused| refused.to_string())
}

impl Pushed {
    /// Maps everybody.
    ///
    /// # Errors
    /// See `Failure`.
    pub(super) async fn read(&self, as_of: Date) -> Result<Read, Failure> {
        let (definition, page) = (self.definition.clone(), self.page.clone());
        spawn_blocking(move || engine::map(&definition, &[].into(), [page], as_of)).await
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use domain::employee::ReportedStatus;

    const PAGE: &str = r#"{"Resources": [
        {"id": "u-1", "externalId": "X1", "active": true, "displayName": "Ada Example", "workEmail": "ada@example.com",
         "userType": "Contractor", "managerId": "X2", "enterprise": {"department": "Ops", "employeeNumber": "1"},
         "addresses": [{"type": "work", "locality": "Madrid"}]},
        {"id": "u-2", "externalId": "X2", "active": false, "fullName": "Bob Example", "workEmail": "bob@example.com"},
        {"id": "u-3", "externalId": "X3", "fullName": "Cleo Example", "workEmail": "cleo@example.com"},
        {"id": "u-4", "active": true, "fullName": "Dan Example", "workEmail": "dan@example.com"}
    ]}"#;

    #[test]
    fn a_pushed_user_is_an_employee_and_one_who_is_not_active_is_what_the_connection_says() {
        for (inactive, id) in [
            (Status::Suspended, PushedId::ExternalId),
            (Status::Terminated, PushedId::ExternalId),
            (Status::Suspended, PushedId::EmployeeNumber),
            (Status::Suspended, PushedId::Id),
        ] {
            let definition = pushed(id, inactive).unwrap();
            let read = engine::map(&definition, &[].into(), [PAGE], date(2026, 3, 2)).unwrap();
            let seen: Vec<_> = read.employees.iter().map(|one| (one.id.0.as_str(), one.reported_status)).collect();
            let mapped = ReportedStatus::Mapped;
            let expected = match id {
                PushedId::ExternalId => {
                    vec![("X1", mapped(Status::Active)), ("X2", mapped(inactive)), ("X3", ReportedStatus::Unmapped)]
                }
                PushedId::EmployeeNumber => vec![("1", mapped(Status::Active))],
                PushedId::Id => vec![
                    ("u-1", mapped(Status::Active)),
                    ("u-2", mapped(inactive)),
                    ("u-3", ReportedStatus::Unmapped),
                    ("u-4", mapped(Status::Active)),
                ],
            };
            assert_eq!(seen, expected, "{id:?}");
            assert_eq!(read.employees.len() + read.bad.len(), 4, "who has no id is set aside, and counted");
        }
    }
}
