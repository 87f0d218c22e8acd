//! What is shown of somebody's accounts: whether they are on, what else is known, and what is wrong. Pure.
//!
//! What is not known is said to be so, with why: it is neither "no" nor "never".

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt;

use super::World;
use crate::api::person::{Employment, Person};
use crate::api::{HRConnection, SyncPolicy, convert};
use domain::account::{Availability, Fact, OfSource};
use domain::identity::{self, Directories, Finding};

/// Said of what no record tells.
const UNKNOWN: &str = "unknown";

/// The accounts of everybody, by policy.
pub struct Accounts<'w> {
    policies: BTreeMap<String, (&'w SyncPolicy, Directories)>,
    connections: &'w [HRConnection],
}

/// What is shown of one person; empty of somebody whose policy has no directory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// `Enabled`, `Disabled` or `unknown`.
    pub account: String,
    /// The newest sign-in, whether a second factor is enrolled, and whether another provider signs them in.
    pub facts: [String; Fact::ALL.len()],
    /// What is wrong.
    pub finding: Option<Finding>,
}

impl<'w> Accounts<'w> {
    /// Looks at everybody.
    pub fn of(world: &'w World) -> Self {
        Self::over(&world.people, &world.policies, &world.connections)
    }

    /// Looks at everybody of these.
    pub fn over(people: &[Person], policies: &'w [SyncPolicy], connections: &'w [HRConnection]) -> Self {
        let mut theirs: BTreeMap<&str, Vec<&Person>> = BTreeMap::new();
        for person in people {
            theirs.entry(policy_of(person)).or_default().push(person);
        }
        let of = |policy: &'w SyncPolicy| {
            let name = policy.name_any();
            let people = theirs.remove(&*name).unwrap_or_default();
            let all: Vec<_> = people.into_iter().filter_map(|one| convert::accounts(one, policy)).collect();
            (name, (policy, Directories::of(&all)))
        };
        Self { policies: policies.iter().map(of).collect(), connections }
    }

    /// What is shown of somebody.
    pub fn shown(&self, person: &Person, now: Timestamp) -> Shown {
        let Some((policy, directories)) = self.policies.get(policy_of(person)) else { return Shown::default() };
        let accounts =
            convert::accounts(person, policy).filter(|one| directories.are_there() || !one.records.is_empty());
        let Some(accounts) = accounts else { return Shown::default() };
        let account = directories.account(&accounts).map_or(UNKNOWN, identity::Account::as_str).to_owned();
        let facts = Fact::ALL.map(|fact| match identity::fact(&accounts, fact) {
            None => UNKNOWN.to_owned(),
            Some(value) if self.told_now(person, fact) => value.to_string(),
            Some(value) => format!("{value} (no longer told)"),
        });
        Shown { account, facts, finding: directories.finding(&accounts, now) }
    }

    /// Whether the newest response of any of their connections still says a fact.
    fn told_now(&self, person: &Person, fact: Fact) -> bool {
        let employments = person.status.iter().flat_map(|status| &status.employments);
        let mut of = employments.filter_map(|one| of_source(self.connections, &one.connection, fact));
        of.any(|source| source.availability == Availability::Known)
    }
}

fn policy_of(person: &Person) -> &str {
    person.status.as_ref().and_then(|status| status.policy.as_deref()).unwrap_or_default()
}

/// What the newest trusted response of a connection shows of a fact.
fn of_source<'a>(connections: &'a [HRConnection], name: &str, fact: Fact) -> Option<&'a OfSource> {
    let connection = connections.iter().find(|one| one.metadata.name.as_deref() == Some(name))?;
    connection.status.as_ref()?.capabilities.as_ref()?.account.iter().find(|one| one.fact == fact)
}

/// What a record says of the account, each fact with when that was first read, or why it is not known.
pub fn lines(record: &Employment, connections: &[HRConnection]) -> Vec<String> {
    let known = record.account.as_deref().map(convert::account).unwrap_or_default();
    let line = |fact: Fact| {
        let source = of_source(connections, &record.connection, fact);
        let what = match fact {
            Fact::LastSignIn => "last sign-in",
            Fact::MfaEnrolled => "second factor",
            Fact::Sso => "single sign-on",
        };
        let says = |source: &OfSource| {
            let more = source.says.as_ref().map(|says| format!(" ({says})")).unwrap_or_default();
            format!("{}{more}", source.availability.words())
        };
        let untold = source.filter(|source| source.availability != Availability::Known).map(says);
        match (known.get(fact), untold) {
            (Some((value, since)), None) => Some(format!("{what}: {value}, first read at {since:.0}")),
            (Some((value, since)), Some(why)) => Some(format!("{what}: {value}, first read at {since:.0}; now {why}")),
            (None, Some(why)) => Some(format!("{what}: {UNKNOWN}, {why}")),
            (None, None) => source.map(|_| format!("{what}: {UNKNOWN}, the source says it of others")),
        }
    };
    Fact::ALL.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn world(factors: &Value) -> World {
        let object = |value: Value| serde_json::to_string(&value).unwrap();
        let policy = json!({"metadata": {"name": "everyone"}, "spec": {"connections": [
            {"name": "hq"}, {"name": "okta", "role": "Corroborating"}], "timeZones": {"default": "UTC"}}});
        let source = json!({"fields": [], "stableIds": true, "endDates": false, "seen":
            {"leavers": 0, "futureHires": 0, "onLeave": 0, "endDates": 0, "managers": 0}, "account": [
            {"fact": "lastSignIn", "availability": "Refused", "people": 0, "says": "needs a licence"}, factors,
            {"fact": "sso", "availability": "NotAsked", "people": 0}]});
        let okta = json!({"metadata": {"name": "okta"}, "spec": {"source": {"api":
            {"connector": "okta", "credentialsRef": {"name": "okta"}}}}, "status": {"capabilities": source}});
        World {
            policies: vec![serde_json::from_str(&object(policy)).unwrap()],
            connections: vec![serde_json::from_str(&object(okta)).unwrap()],
            people: vec![person("1", "Active", "Active"), person("2", "Terminated", "Active")],
            ..World::default()
        }
    }

    fn person(id: &str, state: &str, account: &str) -> Person {
        let since = "2026-03-01T00:00:00Z";
        serde_json::from_value(json!({
            "metadata": {"name": format!("p-{id}")},
            "spec": {"records": [{"connection": "hq", "id": id}, {"connection": "okta", "id": id}]},
            "status": {"policy": "everyone", "employments": [
                {"connection": "hq", "id": id, "reportedStatus": state},
                {"connection": "okta", "id": id, "reportedStatus": account, "account": {
                    "lastSignIn": {"value": "2026-02-27", "since": since}, "mfaEnrolled": {"value": "Yes", "since": since}}}],
                "employment": {"state": state, "since": since, "effective": since, "seen": since, "timeZone": "UTC", "why": state}},
        }))
        .unwrap()
    }

    fn known() -> Value {
        json!({"fact": "mfaEnrolled", "availability": "Known", "people": 2})
    }

    #[test]
    fn what_is_not_known_and_what_is_told_no_longer_is_said_to_be_so() {
        let world = world(&known());
        let shown = |person: &Person| Accounts::of(&world).shown(person, "2026-03-10T00:00:00Z".parse().unwrap());
        let (works, left) = (shown(&world.people[0]), shown(&world.people[1]));
        assert_eq!(works.account, "Enabled");
        assert_eq!(works.facts, ["2026-02-27 (no longer told)", "Yes", UNKNOWN]);
        assert_eq!((works.finding, left.finding), (None, Some(Finding::LeaverEnabled)));
        let mut stranger = world.people[0].clone();
        stranger.status.as_mut().unwrap().policy = None;
        assert_eq!(shown(&stranger), Shown::default());
    }

    #[test]
    fn each_fact_of_a_record_says_since_when_or_why_not() {
        let world = world(&known());
        let record = &world.people[0].status.as_ref().unwrap().employments[1];
        let expected = [
            "last sign-in: 2026-02-27, first read at 2026-03-01T00:00:00Z; now refused: a right or a licence is missing (needs a licence)",
            "second factor: Yes, first read at 2026-03-01T00:00:00Z",
            "single sign-on: unknown, not asked for: no policy keeps it",
        ];
        assert_eq!(lines(record, &world.connections), expected);
        assert_eq!(lines(&world.people[0].status.as_ref().unwrap().employments[0], &world.connections).len(), 0, "HR");
    }
}
