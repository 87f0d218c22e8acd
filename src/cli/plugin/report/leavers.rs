//! Each termination of a period, put together of the evidence, and of what the cluster still knows of it: HR ids, what waits, and
//! until when something remains.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kube::ResourceExt;
use serde::Serialize;

use super::Days;
use super::sheet::Column;
use crate::api::person::State;
use crate::api::revocation::{Operation, Phase, Trigger};
use crate::api::{Person, Revocation, convert, names};
use crate::cli::plugin::people::{World, record};
use domain::evidence::Record;

/// A termination.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Name of the Person.
    person: String,
    /// Their HR records; none where the Person is gone, or only the evidence was read.
    records: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    policy: String,
    /// How it stands, see [`outcome`].
    outcome: String,
    last_day: Option<Date>,
    effective: Option<Timestamp>,
    seen: Option<Timestamp>,
    released: Option<Timestamp>,
    acted: Option<Timestamp>,
    verified: Option<Timestamp>,
    confirmed: Option<Timestamp>,
    /// Seconds from the effective instant until HR said so, and until it was verified.
    reported_after: Option<i64>,
    verified_after: Option<i64>,
    revoked: Vec<String>,
    remaining: Vec<Remaining>,
    approvers: Vec<String>,
    hooks: Vec<String>,
    rejecters: Vec<String>,
    evidence: Vec<String>,
}

/// What remains.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Remaining {
    what: String,
    why: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "String::is_empty")]
    advice: String,
}

impl Row {
    /// Name of the Person.
    pub fn person(&self) -> &str {
        &self.person
    }

    /// How it stands, see [`outcome`].
    pub fn outcome(&self) -> &str {
        &self.outcome
    }

    /// Whether it is of the invented person of the drill.
    pub fn is_of_drill(&self) -> bool {
        self.policy == names::DRILL
    }

    /// Without name and address.
    pub fn masked(self) -> Self {
        Self { name: None, address: None, ..self }
    }
}

/// One Revocation of a termination, as its record or it itself has it.
#[derive(Clone, Debug, Default)]
struct Act {
    revocation: String,
    removal: bool,
    phase: String,
    gate: Option<String>,
    policy: String,
    last_day: Option<Date>,
    instants: domain::evidence::Instants,
    revoked: Vec<String>,
    remaining: Vec<Remaining>,
    approvers: Vec<String>,
    hooks: Vec<String>,
    rejecter: Option<String>,
    evidence: BTreeSet<String>,
}

impl Act {
    fn of_record(record: &Record) -> Self {
        let body = &record.body;
        let verdict = |uid: &str| body.verdicts.iter().rev().find(|verdict| verdict.object.uid == uid);
        let step = |step: &domain::evidence::Step| {
            let object = &step.object;
            let verdict = verdict(&object.uid).map(|verdict| verdict.verdict.as_str());
            told(&step.action, [&object.kind, &object.namespace, &object.name], &step.outcome, verdict)
        };
        let remaining = |one: &domain::evidence::Remaining| Remaining {
            what: one.what.clone(),
            why: one.why.clone(),
            ..Remaining::default()
        };
        Self {
            revocation: body.revocation.clone(),
            removal: body.operation == Operation::Remove.as_str(),
            phase: body.phase.clone(),
            gate: body.gate.clone(),
            policy: body.policy.clone(),
            last_day: body.last_day,
            instants: body.instants.clone(),
            revoked: body.steps.iter().map(step).collect(),
            remaining: body.remaining.iter().map(remaining).collect(),
            approvers: [&body.approver, &body.second_approver].into_iter().flatten().cloned().collect(),
            hooks: body.hooks.iter().map(|hook| format!("{} ({}): {}", hook.name, hook.when, hook.outcome)).collect(),
            rejecter: body.rejecter.clone(),
            evidence: BTreeSet::from([domain::evidence::name(record.index)]),
        }
    }

    fn of(revocation: &Revocation) -> Self {
        let status = revocation.status.clone().unwrap_or_default();
        let instants = status.instants.unwrap_or_default();
        let verdict = |uid: &str| status.verdicts.iter().rev().find(|verdict| verdict.target.uid == uid);
        let step = |step: &crate::api::revocation::Step| {
            let target = &step.target;
            let verdict = verdict(&target.uid).map(|verdict| verdict.verdict.as_str());
            let object = [target.kind.as_str(), &target.namespace, &target.name];
            told(target.action.as_str(), object, step.outcome.as_str(), verdict)
        };
        let planned = status.plan.iter().flat_map(|plan| &plan.remaining);
        let remaining = planned.chain(&status.remaining).map(|one| Remaining {
            what: one.what.clone(),
            why: one.why.clone(),
            until: one.until,
            advice: one.advice.clone(),
        });
        let approvers = status.plan.as_ref().map(|plan| convert::approvers(&revocation.spec, &plan.hash));
        let hook = |run: &crate::api::revocation::HookRun| {
            format!("{} ({}): {}", run.name, run.when.as_str(), run.outcome.as_str())
        };
        Self {
            revocation: revocation.name_any(),
            removal: revocation.spec.operation == Operation::Remove,
            phase: status.phase.map(|phase| phase.as_str().to_owned()).unwrap_or_default(),
            gate: status.gate.as_ref().map(|gate| gate.reason.clone()),
            policy: revocation.spec.policy.clone(),
            last_day: None,
            instants: domain::evidence::Instants {
                effective: instants.effective,
                seen: instants.seen,
                released: instants.released,
                acted: status.acted,
                verified: status.verified,
                confirmed: status.confirmed,
            },
            revoked: status.steps.iter().map(step).collect(),
            remaining: remaining.collect(),
            approvers: approvers.unwrap_or_default(),
            hooks: status.hooks.iter().map(hook).collect(),
            rejecter: revocation.spec.rejection.as_ref().map(|rejection| rejection.by.clone()),
            evidence: status.evidence.iter().map(|evidence| evidence.name.clone()).collect(),
        }
    }
}

/// `Recreate ServiceAccount apps/ci: Done, Observed`.
fn told(action: &str, [kind, namespace, name]: [&str; 3], outcome: &str, verdict: Option<&str>) -> String {
    let slash = if namespace.is_empty() { "" } else { "/" };
    let verdict = verdict.map(|verdict| format!(", {verdict}")).unwrap_or_default();
    format!("{action} {kind} {namespace}{slash}{name}: {outcome}{verdict}")
}

/// Person and instant at which a termination was seen.
type Termination = (String, Option<Timestamp>);

/// A row for each termination whose last day of work is within these days, in their order.
pub fn rows(world: &World, records: &[Record], days: Days, now: Timestamp) -> Vec<Row> {
    let people: BTreeMap<String, &Person> = world.people.iter().map(|person| (person.name_any(), person)).collect();
    let mut all = acts(world, records, &people);
    for (name, person) in &people {
        if let Some(left) = left(person) {
            all.entry((name.clone(), left.seen)).or_default(); // also where there is no Revocation
        }
    }
    let rows = all.into_iter().map(|((person, seen), acts)| {
        let known = people.get(&person).copied();
        row(person, seen, known, &acts.into_values().collect::<Vec<_>>(), now)
    });
    let mut rows: Vec<(Option<Date>, Row)> = rows.map(|row| (day(&row), row)).collect();
    rows.retain(|(day, _)| day.is_some_and(|day| days.hold(day)));
    rows.sort_by(|(day, row), (other_day, other)| {
        (day, &row.records, &row.person).cmp(&(other_day, &other.records, &other.person))
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

/// How the drills of these days ended, in a sentence; empty where there were none.
pub fn drills(records: &[Record], days: Days) -> String {
    let of_days = |record: &&Record| days.hold(record.body.sealed.to_zoned(TimeZone::UTC).date());
    let drills = || records.iter().filter(|record| record.body.operation == domain::evidence::DRILL).filter(of_days);
    let Some(last) = drills().next_back() else { return String::new() };
    let passed = drills().filter(|record| record.body.gate.is_none()).count();
    let how = last.body.gate.as_deref().unwrap_or("it passed");
    format!(
        " {passed} of {} drills passed; the last, of {:.0}: {how} ({}).",
        drills().count(),
        last.body.sealed,
        domain::evidence::name(last.index)
    )
}

/// The last day of work, or else the day it took effect.
fn day(row: &Row) -> Option<Date> {
    row.last_day.or_else(|| row.effective.or(row.seen).map(|at| at.to_zoned(TimeZone::UTC).date()))
}

/// What was done about each termination: a Revocation by itself where it is there, else its newest record. Of what is about no
/// termination, no record has an effective instant.
fn acts(
    world: &World,
    records: &[Record],
    people: &BTreeMap<String, &Person>,
) -> BTreeMap<Termination, BTreeMap<String, Act>> {
    let mut all: BTreeMap<Termination, BTreeMap<String, Act>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.body.instants.effective.is_some()) {
        let of = (record.body.person.clone(), record.body.instants.seen);
        add(all.entry(of).or_default(), Act::of_record(record));
    }
    let termination = |revocation: &&Revocation| revocation.spec.trigger == Trigger::Termination;
    for revocation in world.revocations.iter().filter(termination) {
        let instants = revocation.status.as_ref().and_then(|status| status.instants.as_ref());
        // One that control has not looked at yet is of the present termination.
        let present = || people.get(&revocation.spec.person).and_then(|person| left(person)?.seen);
        let seen = instants.and_then(|instants| instants.seen).or_else(present);
        add(all.entry((revocation.spec.person.clone(), seen)).or_default(), Act::of(revocation));
    }
    all
}

/// The later one counts; the records of all of them stand.
fn add(acts: &mut BTreeMap<String, Act>, act: Act) {
    let before = acts.remove(&act.revocation).unwrap_or_default();
    let evidence = before.evidence.iter().chain(&act.evidence).cloned().collect();
    let last_day = act.last_day.or(before.last_day);
    acts.insert(act.revocation.clone(), Act { evidence, last_day, ..act });
}

/// The employment of a Person that has ended.
fn left(person: &Person) -> Option<&crate::api::person::EmploymentState> {
    person.status.as_ref()?.employment.as_ref().filter(|employment| employment.state == State::Terminated)
}

fn row(person: String, seen: Option<Timestamp>, known: Option<&Person>, acts: &[Act], now: Timestamp) -> Row {
    let profile = known.and_then(|person| person.status.as_ref()?.profile.as_ref());
    // What the Person says is of its present termination alone.
    let present = known.and_then(left).filter(|left| left.seen == seen);
    let cuts: Vec<&Act> = acts.iter().filter(|act| !act.removal).collect();
    let of = |instant: fn(&domain::evidence::Instants) -> Option<Timestamp>| {
        cuts.iter().filter_map(move |act| instant(&act.instants))
    };
    let effective = of(|instants| instants.effective).min().or_else(|| present?.effective);
    // Where several acted, the last one, and nothing while one has not.
    let all = |instant: fn(&domain::evidence::Instants) -> Option<Timestamp>| {
        let acted = cuts.iter().filter(|act| !act.revoked.is_empty());
        acted.map(|act| instant(&act.instants)).collect::<Option<Vec<_>>>()?.into_iter().max()
    };
    let after = |at: Option<Timestamp>| Some(at?.duration_since(effective?).as_secs());
    let verified = all(|instants| instants.verified);
    let collected =
        |of: fn(&Act) -> Vec<String>| acts.iter().flat_map(of).collect::<BTreeSet<_>>().into_iter().collect();
    let policy = known.and_then(|person| person.status.as_ref()?.policy.clone());
    Row {
        records: known.map(|person| person.spec.records.iter().map(record).collect()).unwrap_or_default(),
        name: known.and_then(Person::display_name).map(str::to_owned),
        address: profile.and_then(|profile| profile.work_email.clone()),
        policy: acts.first().map(|act| act.policy.clone()).or(policy).unwrap_or_default(),
        outcome: outcome(acts),
        last_day: acts.iter().find_map(|act| act.last_day).or_else(|| present?.last_day),
        effective,
        seen,
        released: of(|instants| instants.released).min(),
        acted: all(|instants| instants.acted),
        verified,
        confirmed: all(|instants| instants.confirmed),
        reported_after: after(seen),
        verified_after: after(verified),
        revoked: acts.iter().flat_map(|act| act.revoked.iter().cloned()).collect(),
        remaining: remaining(acts, now),
        approvers: collected(|act| act.approvers.clone()),
        hooks: acts.iter().flat_map(|act| act.hooks.iter().cloned()).collect(),
        rejecters: collected(|act| act.rejecter.iter().cloned().collect()),
        evidence: collected(|act| act.evidence.iter().cloned().collect()),
        person,
    }
}

/// What remains, once each; not what has run out meanwhile.
fn remaining(acts: &[Act], now: Timestamp) -> Vec<Remaining> {
    let all: BTreeSet<&Remaining> = acts.iter().flat_map(|act| &act.remaining).collect();
    all.into_iter().filter(|one| one.until.is_none_or(|until| until > now)).cloned().collect()
}

/// How a termination stands, by the worst of its Revocations.
fn outcome(acts: &[Act]) -> String {
    let find = |phase: Phase| acts.iter().find(|act| act.phase == phase.as_str());
    let waits = |act: &Act| act.gate.clone().unwrap_or_default();
    if acts.is_empty() {
        return "NoRevocation".to_owned();
    }
    if let Some(act) = find(Phase::Failed) {
        return act.phase.clone();
    }
    // A removal that is not due yet waits as it should.
    if let Some(act) = acts.iter().find(|act| !act.removal && act.phase == Phase::Held.as_str()) {
        return format!("Held: {}", waits(act));
    }
    if find(Phase::Released).is_some() || acts.iter().any(|act| act.phase.is_empty()) {
        return "UnderWay".to_owned();
    }
    if acts.iter().all(|act| act.phase == Phase::Cancelled.as_str()) {
        return Phase::Cancelled.as_str().to_owned();
    }
    let nothing = acts.iter().all(|act| act.revoked.is_empty());
    if nothing { "NothingToRevoke".to_owned() } else { Phase::Revoked.as_str().to_owned() }
}

fn text<T: ToString>(value: Option<T>) -> Vec<String> {
    value.map(|value| value.to_string()).into_iter().collect()
}

fn seconds(at: Option<Timestamp>) -> Vec<String> {
    text(at.map(|at| format!("{at:.0}")))
}

/// `4 s`, `12 min`, `3 h`, `5 d`: the unit in which it is less than a hundred or so.
fn duration(seconds: Option<i64>) -> Vec<String> {
    text(seconds.map(|seconds| match seconds {
        i64::MIN..=119 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }))
}

fn remains(one: &Remaining) -> String {
    let until = one.until.map(|until| format!(", until {until:.0}")).unwrap_or_default();
    format!("{}: {}{until}", one.what, one.why)
}

/// The columns.
pub const COLUMNS: [Column<Row>; 23] = [
    ("PERSON", false, |row| vec![row.person.clone()]),
    ("HR RECORDS", true, |row| if row.records.is_empty() { vec![row.person.clone()] } else { row.records.clone() }),
    ("NAME", true, |row| text(row.name.clone())),
    ("ADDRESS", false, |row| text(row.address.clone())),
    ("POLICY", false, |row| vec![row.policy.clone()]),
    ("OUTCOME", true, |row| vec![row.outcome.clone()]),
    ("LAST DAY", true, |row| text(row.last_day)),
    ("EFFECTIVE", true, |row| seconds(row.effective)),
    ("SEEN", true, |row| seconds(row.seen)),
    ("RELEASED", false, |row| seconds(row.released)),
    ("ACTED", false, |row| seconds(row.acted)),
    ("VERIFIED", true, |row| seconds(row.verified)),
    ("CONFIRMED", false, |row| seconds(row.confirmed)),
    ("REPORTED AFTER", true, |row| duration(row.reported_after)),
    ("VERIFIED AFTER", true, |row| duration(row.verified_after)),
    ("VERIFIED AFTER SECONDS", false, |row| text(row.verified_after)),
    ("REVOKED", true, |row| row.revoked.clone()),
    ("REMAINING", true, |row| row.remaining.iter().map(remains).collect()),
    ("REMAINING COUNT", false, |row| vec![row.remaining.len().to_string()]),
    ("HOOKS", false, |row| row.hooks.clone()),
    ("APPROVED BY", true, |row| row.approvers.clone()),
    ("REJECTED BY", true, |row| row.rejecters.clone()),
    ("EVIDENCE", true, |row| row.evidence.clone()),
];

#[cfg(test)]
mod tests;
