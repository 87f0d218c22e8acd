//! Policies that read a connection together: which people are this one's. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::pass::GateInputs;
use super::settings::Settings;
use crate::api::person::Record;
use crate::api::{Person, SyncPolicy, policy};
use crate::sync::convert;
use domain::employee::{Employee, HrId};
use domain::lifecycle::Terms;
use domain::roster::{self, Candidate, Decides, Reader, RecordKey, Role};

/// Another policy that reads a connection of this one.
#[derive(Debug)]
pub struct Rival {
    /// Its name.
    pub name: String,
    /// It is older than this one.
    pub older: bool,
    /// What it says.
    pub settings: Settings,
    /// The connections whose answers it takes over now.
    pub follows: BTreeSet<String>,
}

impl Rival {
    /// The other policies of `all` that read what `policy` reads, the oldest first. `follows` says whether one whose spec can be
    /// followed takes over what a connection answered.
    pub fn of(policy: &SyncPolicy, all: &[SyncPolicy], follows: impl Fn(&str, &Settings, &str) -> bool) -> Vec<Self> {
        let read = |spec: &policy::SyncPolicySpec| -> BTreeSet<String> {
            let replaced = spec.connections.iter().filter_map(|one| Some(one.migrates.as_ref()?.from.clone()));
            spec.employers().map(str::to_owned).chain(replaced).collect()
        };
        let ours = read(&policy.spec);
        let others = all.iter().filter(|other| other.metadata.name != policy.metadata.name);
        let mut others: Vec<_> = others.filter(|other| !ours.is_disjoint(&read(&other.spec))).collect();
        others.sort_by_key(|other| age(other));
        let rival = |other: &SyncPolicy| {
            let (name, older) = (other.name_any(), age(other) < age(policy));
            let Ok(settings) = Settings::of(other, all) else {
                let settings = Settings::previous(other, all)?;
                return Some(Self { name, older, settings, follows: BTreeSet::new() });
            };
            let follows = settings.connections.iter().filter(|one| follows(&name, &settings, one)).cloned().collect();
            Some(Self { name, older, settings, follows })
        };
        others.into_iter().filter_map(rival).collect()
    }
}

/// What makes a policy older: when it was made, then its name.
fn age(policy: &SyncPolicy) -> (Option<Timestamp>, Option<&str>) {
    (policy.metadata.creation_timestamp.as_ref().map(|time| time.0), policy.metadata.name.as_deref())
}

/// People in the scope of several policies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// A record of each, as `connection/id`.
    pub people: BTreeSet<String>,
    /// The other policies.
    pub policies: BTreeSet<String>,
}

/// Whose everybody is.
#[derive(Default)]
pub struct Division<'a> {
    /// The Persons of this policy, the oldest first. Of two that link one record the older has it.
    pub ours: Vec<&'a Arc<Person>>,
    /// Records that are another policy's.
    pub elsewhere: HashSet<(&'a str, &'a str)>,
    /// Records of people in several scopes.
    pub contested: HashSet<(&'a str, &'a str)>,
    /// The same as the policy shows them; none where it has no rival, or no answer said anything.
    pub conflicts: Option<Conflicts>,
}

/// Finds out whose everybody is. Without a rival that takes no look at what anybody's record says.
#[must_use]
pub fn divide<'a>(view: &'a GateInputs, now: Timestamp) -> Division<'a> {
    let mut division = Division::default();
    let readers = readers(view);
    let named = named(view);
    let mut conflicts = None;
    let mut people: Vec<&'a Arc<Person>> = view.people.iter().collect();
    people.sort_by_cached_key(|one| (one.metadata.creation_timestamp.as_ref().map(|made| made.0), one.name_any()));
    let alone = view.settings.elsewhere.is_empty() && view.rivals.is_empty();
    let linking = people.iter().filter(|_| !alone);
    let absorbers = roster::absorbers(&linking.map(|one| linked(one)).collect::<Vec<_>>());
    let mut is_ours = |person: &'a Arc<Person>| {
        reads(view, person).unwrap_or_else(|| {
            let known = convert::known(person);
            let said = linked(person).filter_map(|key| Some((key.0, named.get(&key)?)));
            let named = said.map(|(connection, (employee, taken))| (connection, *employee, *taken)).collect();
            let human = Candidate { name: &known.name, records: &known.records, entry: known.entry.as_deref(), named };
            let decides = roster::owner(&human, &readers, now);
            if note(&mut conflicts, view, &decides, known.records.first()) {
                division.contested.extend(linked(person));
            }
            decides.policy == Some(view.policy.as_str())
        })
    };
    for (position, person) in people.iter().enumerate() {
        // Who goes is the policy's that takes over what they were known by.
        let decides = absorbers.get(&position).and_then(|by| people.get(*by)).unwrap_or(person);
        match is_ours(decides) {
            true => division.ours.push(person),
            false => division.elsewhere.extend(linked(person)),
        }
    }
    let known = view.people.iter().filter(|_| !named.is_empty()).flat_map(linked).collect::<HashSet<_>>();
    for ((connection, id), (employee, taken)) in named.iter().filter(|(key, _)| !known.contains(*key)) {
        let record = RecordKey { connection: (*connection).into(), id: HrId((*id).to_owned()) };
        let name = roster::person_name(&view.namespace, connection, &record.id);
        let records = std::slice::from_ref(&record);
        let human = Candidate { name: &name, records, entry: None, named: vec![(connection, employee, *taken)] };
        let decides = roster::owner(&human, &readers, now);
        if note(&mut conflicts, view, &decides, Some(&record)) {
            division.contested.insert((connection, id));
        }
        if decides.policy.is_some_and(|policy| policy != view.policy) {
            division.elsewhere.insert((connection, id));
        }
    }
    division.conflicts = conflicts;
    division
}

/// The records that a Person links.
fn linked(person: &Arc<Person>) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
    person.spec.records.iter().map(|one| (one.connection.as_str(), one.id.as_str()))
}

/// Notes what was told of a human; says whether several policies have them in scope.
fn note(
    conflicts: &mut Option<Conflicts>,
    view: &GateInputs,
    decides: &Decides<'_>,
    record: Option<&RecordKey>,
) -> bool {
    if decides.told {
        let conflicts = conflicts.get_or_insert_default();
        if decides.contested.contains(&view.policy.as_str()) {
            conflicts.people.extend(record.map(ToString::to_string));
            let others = decides.contested.iter().filter(|policy| **policy != view.policy);
            conflicts.policies.extend(others.map(ToString::to_string));
        }
    }
    !decides.contested.is_empty()
}

/// Whether a Person is this policy's, where no other may have it too: whether the first record that any policy reads is read by
/// this one.
fn reads(view: &GateInputs, person: &Person) -> Option<bool> {
    let replaced_too =
        |connection: &str| view.rivals.iter().any(|rival| rival.settings.role(connection) == Role::Replaced);
    for Record { connection, .. } in &person.spec.records {
        match (view.settings.role(connection), view.settings.elsewhere.contains(connection)) {
            (Role::Employment, true) => return None,
            (Role::Employment, false) => return Some(true),
            (_, true) => return Some(false),
            // A connection that another policy reads is not replaced for it by this one.
            (Role::Replaced, false) if replaced_too(connection) => return None,
            (Role::Replaced, false) => return Some(true),
            (Role::Corroborating | Role::Unread, false) => {}
        }
    }
    Some(false)
}

/// What answers say of the connections that a rival reads too, by connection and id.
fn named(view: &GateInputs) -> HashMap<(&str, &str), (&Employee, Timestamp)> {
    let employs = |settings: &Settings, connection: &str| settings.role(connection) == Role::Employment;
    let shared = |connection: &str| {
        employs(&view.settings, connection) && view.rivals.iter().any(|rival| employs(&rival.settings, connection))
    };
    let answers = view.snapshots.iter().filter(|(connection, _)| shared(connection));
    answers
        .flat_map(|(connection, snapshot)| {
            let employees = snapshot.employees().iter();
            employees.map(|one| ((connection.as_str(), one.id.0.as_str()), (one, snapshot.taken())))
        })
        .collect()
}

/// This policy and its rivals, the oldest first.
fn readers(view: &GateInputs) -> Vec<Reader<'_>> {
    // A policy whose spec cannot be followed has no answers here.
    let us = reader(&view.policy, &view.settings, Box::new(|_| true));
    let (older, younger): (Vec<_>, Vec<_>) = view.rivals.iter().partition(|rival| rival.older);
    older.into_iter().map(of_rival).chain([us]).chain(younger.into_iter().map(of_rival)).collect()
}

fn of_rival(rival: &Rival) -> Reader<'_> {
    reader(&rival.name, &rival.settings, Box::new(|connection| rival.follows.contains(connection)))
}

fn reader<'a>(policy: &'a str, settings: &'a Settings, follows: Box<dyn Fn(&str) -> bool + 'a>) -> Reader<'a> {
    let Settings { scope, zones, day_end, fields, .. } = settings;
    let terms = Box::new(|connection: &str| Terms { off_days: settings.off_days(connection), ..settings.terms });
    let role = Box::new(|connection: &str| settings.role(connection));
    Reader { policy, scope, zones, day_end: *day_end, fields, terms, role, follows }
}
