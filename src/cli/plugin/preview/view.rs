//! What a preview shows, as plain values: everybody, who is in scope and why, what was set aside, and whether the gate
//! would believe it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kube::ResourceExt as _;
use serde::{Serialize, Serializer};

use super::manifests::{Manifests, Rules};
use super::migration::{self, MigrationPreview};
use crate::sync::connection::Settings;
use domain::capabilities::{self, Capabilities};
use domain::employee::{Employee, Manager, Read, Text, Texts};
use domain::lifecycle::{Facts, derive_state};
use domain::roster;
use domain::scope::{Out, ScopeSubject};
use domain::trust::{self, Finding, Memory, PollContext};

/// The namespace that Rollcall is installed in, unless somebody chose another.
const INSTALLED_IN: &str = "rollcall";

/// Everything a preview shows.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// Name of the connection.
    pub connection: String,
    /// What the trust gate would decide.
    pub trust: Trust,
    /// What the source can say.
    pub capabilities: Capabilities,
    /// How many are in scope.
    pub included: usize,
    /// How many are out of scope, by reason.
    pub excluded: BTreeMap<&'static str, usize>,
    /// Status words nobody mapped.
    pub unmapped_statuses: BTreeMap<String, u32>,
    /// Words for a kind of employment nobody mapped.
    pub unmapped_types: BTreeMap<String, u32>,
    /// What was noticed of the response as a whole: columns that are not read, the encoding.
    pub remarks: Vec<String>,
    /// Ids of people with the same address: what is marked with it belongs to none of them.
    pub shared_addresses: Vec<Vec<String>>,
    /// Locations that no entry of the policy names, with the number of people there; an empty one is none.
    pub unmatched_locations: BTreeMap<String, usize>,
    /// Ids of people without an address: nothing is theirs by it.
    pub without_address: Vec<String>,
    /// Ids of people with a user name that holds capital letters.
    pub capital_usernames: Vec<String>,
    /// Who would be matched to whom, where the connection takes the place of another one and Persons are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migration: Option<MigrationPreview>,
    /// Most people that are listed.
    #[serde(skip)]
    pub most: Option<usize>,
    /// Records that could not be read.
    pub set_aside: Vec<SetAside>,
    /// Everybody else.
    pub people: Vec<Line>,
}

/// What the trust gate would decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Trust {
    /// It would be trusted as a first response. Fewer or other people can be noticed only next to an earlier response.
    Believable,
    /// It would be held, for these reasons.
    Held(Vec<String>),
}

/// A record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// Its place in the response.
    pub position: usize,
    /// Why.
    pub reason: String,
}

/// One person.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// HR id.
    pub id: String,
    /// Full name.
    pub name: String,
    /// Work address.
    pub email: String,
    /// What follows today, in the person's own zone.
    pub state: String,
    /// Why, in words.
    pub why: String,
    /// In scope or not.
    pub included: bool,
    /// Why not, in words.
    pub scope: String,
    /// First day.
    pub hire_date: Option<Date>,
    /// Last day of work.
    pub last_day: Option<Date>,
    /// Planned end of a fixed-term contract.
    pub contract_end: Option<Date>,
    /// Whether the termination is urgent.
    pub urgent: bool,
    /// Kind of employment.
    pub employment_type: String,
    /// Plain texts; one that is not given is empty.
    #[serde(flatten, serialize_with = "all_texts")]
    pub texts: Texts,
    /// Manager, by id or address.
    pub manager: String,
    /// Whether the manager is named by address, which is masked.
    #[serde(skip)]
    pub manager_is_address: bool,
    /// What they are called in Kubernetes, by the policy's `identity.usernames`.
    pub usernames: Vec<String>,
}

/// What an installation under its usual name would not see: it watches one namespace, its own.
fn elsewhere(namespace: Option<&str>) -> Option<String> {
    let other = namespace.filter(|namespace| *namespace != INSTALLED_IN)?;
    Some(format!(
        "the manifests are in namespace {other}: Rollcall must be installed there, because it ignores other namespaces"
    ))
}

fn all_texts<S: Serializer>(texts: &Texts, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(Text::ALL.iter().map(|text| (text.as_str(), texts.get(*text).unwrap_or_default())))
}

impl Line {
    fn location(&self) -> &str {
        self.texts.get(Text::Location).unwrap_or_default()
    }
}

impl View {
    /// Looks at a response. Nobody is told from an earlier one: there is none.
    pub fn of(read: Read, manifests: &Manifests, settings: &Settings, rules: &Rules, now: Timestamp) -> Self {
        let connection = manifests.connection.name_any();
        let namespace = manifests.connection.namespace().unwrap_or_else(|| "rollcall".to_owned());
        let capabilities = capabilities::found(&read, now.to_zoned(TimeZone::UTC).date());
        let mut excluded = BTreeMap::new();
        let mut people = Vec::with_capacity(read.employees.len());
        for employee in &read.employees {
            let (line, out) = line(employee, rules, &connection, &namespace, now);
            if let Some(out) = out {
                *excluded.entry(out.as_str()).or_default() += 1;
            }
            people.push(line);
        }
        let set_aside =
            read.bad.iter().map(|bad| SetAside { position: bad.position, reason: bad.reason.clone() }).collect();
        let mut remarks = read.remarks.clone();
        remarks.extend(elsewhere(manifests.connection.namespace().as_deref()));
        let losses = manifests.losses().ok().flatten(); // the policy was followed already
        remarks
            .extend(losses.map(|losses| format!("spec.fields of the policy, an hour after it is applied: {losses}")));
        let (unmapped_statuses, unmapped_types) = (read.unmapped.clone(), read.unmapped_types.clone());
        let asked = PollContext { source: "preview", remembered: false, accepted: None, known_people: &[] };
        let mut migration = None;
        let trust = match trust::judge(read, &Memory::fresh(&[0; 32]), &asked, &settings.bounds, now) {
            Ok(believed) => {
                migration = migration::of(
                    &manifests.connection,
                    manifests.policy.as_ref(),
                    &manifests.persons,
                    believed.snapshot.employees(),
                    now,
                );
                let repeated: Vec<&str> = believed.repeated.iter().map(|id| id.0.as_str()).collect();
                if !repeated.is_empty() {
                    remarks.push(format!("ids in several records, which are all set aside: {}", repeated.join(", ")));
                }
                Trust::Believable
            }
            Err(held) => Trust::Held(held.findings.iter().map(Finding::message).collect()),
        };
        let included = people.iter().filter(|line| line.included).count();
        Self {
            connection,
            trust,
            capabilities,
            included,
            excluded,
            unmapped_statuses,
            unmapped_types,
            remarks,
            shared_addresses: shared_addresses(&people),
            unmatched_locations: unmatched_locations(&people, rules),
            without_address: ids(&people, |line| line.email.is_empty()),
            capital_usernames: ids(&people, |line| {
                line.usernames.iter().any(|name| name.chars().any(char::is_uppercase))
            }),
            migration,
            most: None,
            set_aside,
            people,
        }
    }
}

fn ids(people: &[Line], shows: impl Fn(&&Line) -> bool) -> Vec<String> {
    people.iter().filter(shows).map(|line| line.id.clone()).collect()
}

fn shared_addresses(people: &[Line]) -> Vec<Vec<String>> {
    let mut by_address: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in people.iter().filter(|line| !line.email.is_empty()) {
        by_address.entry(line.email.to_lowercase()).or_default().push(line.id.clone());
    }
    by_address.into_values().filter(|ids| ids.len() > 1).collect()
}

/// Without a policy there are no zones, and nothing to match.
fn unmatched_locations(people: &[Line], rules: &Rules) -> BTreeMap<String, usize> {
    let mut unmatched = BTreeMap::new();
    let Some(zones) = &rules.zones else { return unmatched };
    for line in people.iter().filter(|line| zones.at(line.location()).is_none()) {
        *unmatched.entry(line.location().trim().to_owned()).or_default() += 1;
    }
    unmatched
}

fn line(employee: &Employee, rules: &Rules, connection: &str, namespace: &str, now: Timestamp) -> (Line, Option<Out>) {
    let zone = rules.zones.as_ref().map(|zones| {
        employee.text(Text::Location).and_then(|location| zones.at(location)).unwrap_or(zones.default_zone())
    });
    let today = zone.map_or_else(|| now.to_zoned(TimeZone::UTC).date(), |zone| zone.working_day(now, rules.day_end));
    let facts = Facts::of(employee);
    let verdict = derive_state(&facts, today, &rules.terms);
    let person = roster::person_name(namespace, connection, &employee.id);
    let out = rules.scope.out(employee, &ScopeSubject { connection, person: &person, state: verdict.state });
    let line = Line {
        id: employee.id.0.clone(),
        name: employee.name.clone(),
        email: employee.work_email.clone(),
        state: verdict.state.as_str().to_owned(),
        why: verdict.why.words().to_owned(),
        included: out.is_none(),
        scope: out.map(Out::words).unwrap_or_default(),
        hire_date: employee.start,
        last_day: employee.last_day,
        contract_end: employee.contract_end,
        urgent: employee.urgent,
        employment_type: employee.employment_type.map_or_else(String::new, |kind| kind.as_str().to_owned()),
        texts: employee.texts.clone(),
        manager: match &employee.manager {
            Some(Manager::Id(id)) => id.0.clone(),
            Some(Manager::Email(address)) => address.clone(),
            None => String::new(),
        },
        manager_is_address: matches!(employee.manager, Some(Manager::Email(_))),
        usernames: rules.usernames.iter().flat_map(|usernames| usernames.of(connection, employee)).collect(),
    };
    (line, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_of_another_namespace_than_the_usual_one_are_remarked() {
        assert_eq!(elsewhere(None), None, "they go where they are applied");
        assert_eq!(elsewhere(Some("rollcall")), None);
        let remark = elsewhere(Some("hr")).unwrap();
        assert!(remark.starts_with("the manifests are in namespace hr: Rollcall must be installed there"), "{remark}");
    }
}
