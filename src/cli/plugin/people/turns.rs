//! What somebody's dates say next, and when, if no new response comes: the roster itself is asked, as of later.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use kube::ResourceExt;

use super::World;
use crate::api::convert::fresh;
use crate::api::{Person, SyncPolicy};
use crate::sync::convert;
use crate::sync::policy::Settings;
use domain::lifecycle::{State, Why};
use domain::roster::{self, Baseline, KnownPerson, RecordKey, RosterEntry, Rules};

/// Most turns that are looked ahead.
const MAX_TURNS: usize = 8;

/// What changes with the first instant of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// The instant.
    pub at: Timestamp,
    /// The zone whose day it is.
    pub zone: String,
    /// HR records that say something else from then on.
    pub records: Vec<RecordTurn>,
    /// What follows for the person, if that is something else too.
    pub person: Option<(State, Why)>,
    /// The person's last day of work by then.
    pub last_day: Option<Date>,
}

/// An HR record that says something else from an instant on.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordTurn {
    /// Which.
    pub record: RecordKey,
    /// The state that follows from it alone.
    pub state: State,
    /// Its last day.
    pub last_day: Option<Date>,
}

/// The days to come, as each policy sees them.
pub struct Ahead(BTreeMap<String, Rulebook>);

/// What a policy decides by.
struct Rulebook {
    namespace: String,
    policy: String,
    settings: Settings,
    settled: bool,
    stale: bool,
}

impl Ahead {
    /// Reads every policy once; but for those without a connection, which decide nothing.
    pub fn of(world: &World, now: Timestamp) -> Self {
        let of = |policy: &SyncPolicy| {
            let settings = Settings::of(policy, &world.policies).ok();
            let settings = settings.or_else(|| Settings::previous(policy, &world.policies))?;
            let (namespace, name) = (policy.namespace().unwrap_or_default(), policy.name_any());
            let (settled, stale) = (policy.settled(), is_stale(world, policy, now));
            Some((name.clone(), Rulebook { namespace, policy: name, settings, settled, stale }))
        };
        Self(world.policies.iter().filter_map(of).collect())
    }

    /// The turns of a person, the next one first; none of somebody whom no policy manages.
    pub fn turns(&self, person: &Person, now: Timestamp) -> Vec<Turn> {
        let policy = person.status.as_ref().and_then(|status| self.0.get(status.policy.as_deref()?));
        policy.map(|policy| policy.turns(person, now)).unwrap_or_default()
    }
}

/// Whether a connection of a policy, of several, has had no trusted response for too long.
fn is_stale(world: &World, policy: &SyncPolicy, now: Timestamp) -> bool {
    let fresh = |name: &str| world.connection(name).is_some_and(|connection| fresh(connection, now));
    policy.spec.employers().count() > 1 && !policy.spec.employers().all(fresh)
}

impl Rulebook {
    fn turns(&self, person: &Person, now: Timestamp) -> Vec<Turn> {
        let mut known = convert::known(person);
        let (mut turns, mut at) = (Vec::new(), now);
        while turns.len() < MAX_TURNS {
            let (after, wake) = self.as_of(&known, at);
            if let (Some(before), Some(after)) = (&known.entry, &after) {
                turns.extend(turn(before, after, at));
            }
            known.entry = after.or(known.entry);
            match wake.filter(|wake| *wake > at) {
                Some(wake) => at = wake,
                None => break,
            }
        }
        turns
    }

    /// What the roster makes of a person at an instant, if that is something else, and when their dates say something new.
    fn as_of(&self, known: &KnownPerson, at: Timestamp) -> (Option<Box<RosterEntry>>, Option<Timestamp>) {
        let baseline = if self.settled { Baseline::Settled } else { Baseline::Awaited };
        let contested = known.entry.as_ref().is_some_and(|entry| entry.employment.why == Why::PolicyConflict);
        let rules = Rules {
            contested: Box::new(move |_, _| contested),
            stale: self.stale,
            baseline: Box::new(move |_| baseline),
            ..self.settings.rules(&self.namespace, &self.policy)
        };
        let pass = roster::next(std::slice::from_ref(known), &[], &rules, at);
        (pass.changes.into_iter().next().map(|change| change.entry), pass.wake)
    }
}

fn turn(before: &RosterEntry, after: &RosterEntry, at: Timestamp) -> Option<Turn> {
    let says = |entry: &RosterEntry, record: &RecordKey| {
        entry.employments.iter().find(|one| one.record == *record).map(|one| (one.state.state, one.state.why))
    };
    let changed = after.employments.iter().filter(|one| says(before, &one.record) != says(after, &one.record));
    let records: Vec<_> = changed
        .map(|one| RecordTurn { record: one.record.clone(), state: one.state.state, last_day: one.state.last_day })
        .collect();
    let (from, to) = (&before.employment, &after.employment);
    let person = ((from.state, from.why) != (to.state, to.why)).then_some((to.state, to.why));
    let (zone, last_day) = (to.zone.clone(), to.last_day);
    (person.is_some() || !records.is_empty()).then_some(Turn { at, zone, records, person, last_day })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn policy() -> SyncPolicy {
        serde_json::from_value(json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "SyncPolicy", "metadata": {"name": "everyone", "namespace": "rollcall"},
            "spec": {"connections": [{"name": "hq"}, {"name": "contractors"}], "timeZones": {"default": "Europe/Madrid"}},
            "status": {"conditions": [{"type": "Baseline", "status": "True", "reason": "Settled", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        }))
        .unwrap()
    }

    /// What a record reports, and the state that stands for it.
    fn employment(connection: &str, status: &str, days: [Option<&str>; 2], state: &str, why: &str) -> Value {
        let since = "2026-01-01T00:00:00Z";
        let by_itself =
            json!({"state": state, "since": since, "timeZone": "Europe/Madrid", "why": why, "lastDay": days[1]});
        let announced = days[1].filter(|_| matches!(state, "Active" | "PreHire"));
        json!({"connection": connection, "id": "7", "reportedStatus": status, "startDate": days[0], "lastWorkingDay": days[1],
            "announced": announced, "announcedAt": announced.map(|_| since), "byItself": by_itself})
    }

    fn person(employments: &[Value], state: &str, why: &str) -> Person {
        let records: Vec<_> =
            employments.iter().map(|one| json!({"connection": one["connection"], "id": one["id"]})).collect();
        let mut employments = employments.to_vec();
        let mut together = employments[0]["byItself"].clone();
        together["state"] = json!(state);
        together["why"] = json!(why);
        if let [one] = &mut employments[..] {
            one["byItself"] = Value::Null;
        }
        serde_json::from_value(json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
            "metadata": {"name": "p-7", "namespace": "rollcall", "uid": "u-7"}, "spec": {"records": records},
            "status": {"policy": "everyone", "employments": employments, "employment": together},
        }))
        .unwrap()
    }

    fn turns(person: &Person) -> Vec<Turn> {
        let connection = |name: &str| {
            let trusted = json!({"time": "2026-03-10T11:00:00Z", "response": "r", "employees": 1, "statuses": {}, "highWater": 1, "source": "s"});
            serde_json::from_value(json!({"metadata": {"name": name},
                "spec": {"source": {"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}},
                "status": {"lastTrusted": trusted}}))
            .unwrap()
        };
        let connections = vec![connection("hq"), connection("contractors")];
        let world = World { policies: vec![policy()], connections, ..World::default() };
        let now = at("2026-03-10T12:00:00Z");
        Ahead::of(&world, now).turns(person, now)
    }

    fn told(person: &Person) -> Vec<(String, Option<(State, Why)>)> {
        let turns = turns(person);
        turns.into_iter().map(|turn| (turn.at.to_string(), turn.person)).collect()
    }

    #[test]
    fn what_dates_say_next_is_told_with_the_first_instant_of_the_day_in_the_persons_zone() {
        let one = |status: &str, days, state: &str, why: &str| {
            person(&[employment("hq", status, days, state, why)], state, why)
        };
        let cases = [
            ("active", one("Active", [Some("2020-01-01"), None], "Active", "Active"), vec![]),
            (
                "leaves on the 31st",
                one("Active", [Some("2020-01-01"), Some("2026-03-31")], "Active", "LeavesLater"),
                vec![("2026-03-31T22:00:00Z", State::Terminated, Why::LastDayPassed)],
            ),
            (
                "terminated as of the 20th",
                one("Terminated", [Some("2020-01-01"), Some("2026-03-20")], "Active", "TerminatedLater"),
                vec![("2026-03-20T23:00:00Z", State::Terminated, Why::Terminated)],
            ),
            (
                "starts, and leaves",
                one("Active", [Some("2026-03-16"), Some("2026-05-31")], "PreHire", "StartsLater"),
                vec![
                    ("2026-03-15T23:00:00Z", State::Active, Why::LeavesLater),
                    ("2026-05-31T22:00:00Z", State::Terminated, Why::LastDayPassed),
                ],
            ),
            (
                "has left",
                one("Terminated", [Some("2020-01-01"), Some("2026-03-01")], "Terminated", "Terminated"),
                vec![],
            ),
            ("cannot be told", one("Active", [None, Some("2026-03-01")], "Unknown", "Contradiction"), vec![]),
        ];
        for (what, person, expected) in cases {
            let expected: Vec<_> =
                expected.into_iter().map(|(at, state, why)| (at.to_owned(), Some((state, why)))).collect();
            assert_eq!(told(&person), expected, "{what}");
        }
    }

    #[test]
    fn a_contract_that_ends_before_the_employment_ends_nothing() {
        let contract =
            employment("contractors", "Active", [Some("2025-01-01"), Some("2026-03-31")], "Active", "LeavesLater");
        let employed = employment("hq", "Active", [Some("2026-01-01"), None], "Active", "Active");
        let person = person(&[employed, contract], "Active", "Active");
        let turns = turns(&person);
        let ends: Vec<_> =
            turns.iter().flat_map(|turn| &turn.records).map(|one| (one.record.to_string(), one.state)).collect();
        assert_eq!(ends, [("contractors/7".to_owned(), State::Terminated)]);
        assert!(turns.iter().all(|turn| turn.person.is_none()), "the person works on: {turns:?}");
    }
}
