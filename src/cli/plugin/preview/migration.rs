//! Who would be matched to whom where a connection takes the place of another one: by the code that matches them, without a
//! cluster, from the Persons that are given. Ids only.

use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use crate::api::{HRConnection, Person, SyncPolicy};
use crate::sync::convert;
use crate::sync::policy;
use domain::employee::Employee;
use domain::lifecycle::State;
use domain::roster::{self, Baseline, KnownPerson, RecordKey, Rules, TrustedResponse};

/// Who would be matched to whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrationPreview {
    /// The connection before.
    pub from: String,
    /// Each of its people who has a record of the new one; their names agree.
    pub matched: Vec<Match>,
    /// Its people who have none, and work here: nothing is done about them.
    pub not_matched: Vec<String>,
    /// Pairs of people who may be one human, for somebody to decide.
    pub doubtful: Vec<Doubtful>,
    /// How many records of the new connection are nobody's that is known.
    pub new: usize,
}

/// A record of the old connection, and one of the new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Match {
    /// The old record, as `connection/id`.
    pub old: String,
    /// The new one.
    pub new: String,
    /// What they have in common.
    pub by: Vec<&'static str>,
}

/// Two records that may be one human's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Doubtful {
    /// The records.
    pub records: [String; 2],
    /// What they have in common.
    pub by: &'static str,
    /// Whether their names agree.
    pub names_agree: bool,
}

/// Looks what the policy would match; nothing where the connection takes nobody's place, or no Persons are given.
pub fn of(
    connection: &HRConnection,
    policy: Option<&SyncPolicy>,
    persons: &[Person],
    employees: &[Employee],
    now: Timestamp,
) -> Option<MigrationPreview> {
    let policy = policy.filter(|_| !persons.is_empty())?;
    let settings = policy::Settings::of(policy, &[]).ok()?;
    let namespace = connection.namespace().unwrap_or_else(|| "rollcall".to_owned());
    let connection = connection.name_any();
    let migration = settings.migrations.iter().find(|one| one.by == connection)?;
    let known: Vec<KnownPerson> = persons.iter().map(convert::known).collect();
    let policy = policy.name_any();
    let rules = Rules { baseline: Box::new(|_| Baseline::Now), ..settings.rules(&namespace, &policy) };
    let answer = TrustedResponse { connection: &connection, employees, taken: now, part: false };
    let pass = roster::next(&known, &[answer], &rules, now);
    let records_of = |person: &KnownPerson| {
        let changed = pass.changes.iter().find(|change| change.name == person.name);
        changed.map_or_else(|| person.records.clone(), |change| change.records.clone())
    };
    let mut preview = MigrationPreview { from: migration.from.clone(), ..MigrationPreview::default() };
    for person in &known {
        let Some(old) = person.records.iter().find(|record| *record.connection == migration.from) else { continue };
        let records = records_of(person);
        match records.iter().find(|record| *record.connection == connection) {
            Some(new) => {
                let employee = employees.iter().find(|employee| employee.id == new.id);
                let by = employee.map(|employee| by(person, old, employee, &settings, migration.same_ids));
                let (old, new) = (old.to_string(), new.to_string());
                preview.matched.push(Match { old, new, by: by.unwrap_or_default() });
            }
            None if has_left(person) => {}
            None => preview.not_matched.push(old.to_string()),
        }
    }
    let doubtful = pass.doubts.iter().map(|doubt| Doubtful {
        records: doubt.people.each_ref().map(ToString::to_string),
        by: doubt.key.as_str(),
        names_agree: doubt.names_agree,
    });
    preview.doubtful = doubtful.collect();
    let is_known = |change: &roster::Change| known.iter().any(|person| person.name == change.name);
    preview.new = pass.changes.iter().filter(|change| !is_known(change)).count();
    preview.matched.sort_by(|one, other| one.old.cmp(&other.old));
    preview.not_matched.sort();
    Some(preview)
}

fn has_left(person: &KnownPerson) -> bool {
    person.entry.as_ref().is_some_and(|entry| entry.employment.state == State::Terminated)
}

/// What a person and a new record have in common.
fn by(
    person: &KnownPerson,
    old: &RecordKey,
    employee: &Employee,
    settings: &policy::Settings,
    same_ids: bool,
) -> Vec<&'static str> {
    let known = |alias: String| person.entry.as_ref().is_some_and(|entry| entry.aliases.contains(&alias));
    let address = employee.work_email.trim().to_lowercase();
    let linked = person.records.iter().any(|record| record.id == employee.id && record.connection != old.connection);
    let all = [
        (linked, "spec.records"),
        (same_ids && old.id == employee.id, "id"),
        (!address.is_empty() && known(format!("email:{address}")), "workEmail"),
        (settings.matching.number(employee).is_some_and(known), "employeeNumber"),
    ];
    all.into_iter().filter(|(is, _)| *is).map(|(_, key)| key).collect()
}

impl MigrationPreview {
    /// What it comes to, then a line for each, the most pressing first; at most so many.
    pub fn lines(&self, most: Option<usize>) -> Vec<String> {
        let Self { from, matched, not_matched, doubtful, new } = self;
        let agree = |one: &Doubtful| if one.names_agree { "their names agree" } else { "their names differ" };
        let doubts = doubtful.iter().map(|one| {
            let [first, second] = &one.records;
            format!("              doubtful: {first} and {second} by {}, {}", one.by, agree(one))
        });
        let unmatched = not_matched.iter().map(|old| format!("              not matched: {old}"));
        let pairs =
            matched.iter().map(|one| format!("              {} is {} by {}", one.old, one.new, one.by.join(", ")));
        let counts = format!(
            "Migration     from {from}: {} people matched, {} not matched, {} pairs doubtful; {new} records are of nobody known",
            matched.len(),
            not_matched.len(),
            doubtful.len()
        );
        let each = doubts.chain(unmatched).chain(pairs).take(most.unwrap_or(usize::MAX));
        std::iter::once(counts).chain(each).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use domain::employee::{HrId, ReportedStatus, Status};

    fn person(id: &str, name: &str, state: &str) -> Person {
        let address = format!("{id}@example.com");
        let person = json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person", "metadata": {"name": format!("p-{id}")},
            "spec": {"records": [{"connection": "old", "id": id}]},
            "status": {
                "policy": "everyone", "aliases": [format!("email:{address}")],
                "profile": {"displayName": name, "workEmail": address},
                "employments": [{"connection": "old", "id": id, "reportedStatus": "Active"}],
                "employment": {"state": state, "since": "2026-03-01T00:00:00Z", "timeZone": "UTC", "why": state,
                    "effective": "2026-03-01T00:00:00Z", "seen": "2026-03-01T00:00:00Z"},
            },
        });
        serde_json::from_value(person).unwrap()
    }

    fn employee(id: &str, name: &str, address: &str) -> Employee {
        Employee::new(HrId(id.into()), name.into(), address.into(), ReportedStatus::Mapped(Status::Active))
    }

    fn previewed(migrates: &Value, persons: &[Person], employees: &[Employee]) -> Option<MigrationPreview> {
        let connection = json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "metadata": {"name": "new"},
            "spec": {"source": {"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}},
        });
        let policy = json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": "everyone"},
            "spec": {"connections": [{"name": "new", "migrates": migrates}], "matching": {"keys": ["workEmail"]},
                "timeZones": {"default": "UTC"}},
        });
        let connection: HRConnection = serde_json::from_value(connection).unwrap();
        let policy: SyncPolicy = serde_json::from_value(policy).unwrap();
        let now = "2026-03-10T12:00:00Z".parse().unwrap();
        of(&connection, Some(&policy), persons, employees, now)
    }

    #[test]
    fn it_shows_who_is_matched_to_whom_by_what_and_who_is_not() {
        let persons = [
            person("1", "Ada Example", "Active"),
            person("2", "Ben Example", "Active"),
            person("3", "Cem Example", "Active"),
            person("4", "Eve Example", "Terminated"),
        ];
        let employees = [
            employee("101", "Example Ada", "1@Example.com"),
            employee("102", "Somebody Else", "2@example.com"),
            employee("105", "New Example", "5@example.com"),
        ];
        let preview = previewed(&json!({"from": "old"}), &persons, &employees).unwrap();
        let expected = [
            "Migration     from old: 1 people matched, 2 not matched, 1 pairs doubtful; 2 records are of nobody known",
            "              doubtful: old/2 and new/102 by workEmail, their names differ",
            "              not matched: old/2",
            "              not matched: old/3",
            "              old/1 is new/101 by workEmail",
        ];
        assert_eq!(preview.lines(None), expected);
        assert_eq!(preview.lines(Some(1)).len(), 2);
        assert_eq!(previewed(&json!(null), &persons, &employees), None, "nobody's place is taken");
        assert_eq!(previewed(&json!({"from": "old"}), &[], &employees), None, "no Persons are given");
    }
}
