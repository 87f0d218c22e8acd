//! What is sealed of a Revocation: what its status says, without any name, address or salt.

use jiff::Timestamp;
use jiff::civil::Date;
use kube::ResourceExt;

use crate::api::revocation::{Operation, TargetKind};
use crate::api::{Person, Revocation, convert, revocation};
use crate::control::owned_status::ControlStatus;
use crate::control::{hooks, rechecks};
use domain::employee::HrId;
use domain::evidence::{self, GENESIS, RecordBody};

/// Hex digits that stand for a user name.
const DIGITS: usize = 16;

/// What the status of the Revocation says, without any name, address or salt.
pub fn of(
    revocation: &Revocation,
    part: &ControlStatus,
    person: Option<&Person>,
    rule: &str,
    sealed: Timestamp,
) -> RecordBody {
    let status = revocation.status.clone().unwrap_or_default();
    let instants = part.instants.clone().unwrap_or_default();
    let freeze = revocation.spec.operation == Operation::Freeze;
    let salt = person.and_then(|person| person.status.as_ref()?.salt.as_deref()).unwrap_or_default();
    let object = |target: &revocation::Target| object(target, salt);
    let (verdicts, acted, verified) = match freeze {
        true => (&part.verdicts, part.acted, part.verified),
        false => (&status.verdicts, status.acted, status.verified),
    };
    let mut approvers = approvers(revocation, part).into_iter();
    let planned: Vec<_> = part.plan.iter().flat_map(|plan| &plan.remaining).collect();
    let action = |target: &revocation::Target| target.action.as_str().to_owned();
    RecordBody {
        revocation: revocation.name_any(),
        operation: revocation.spec.operation.as_str().to_owned(),
        phase: part.phase.map(|phase| phase.as_str().to_owned()).unwrap_or_default(),
        attempt: part.attempt.unwrap_or(0),
        person: revocation.spec.person.clone(),
        subject: subject(person),
        policy: revocation.spec.policy.clone(),
        rule: evidence::hash(rule),
        plan: part.plan.as_ref().map(|plan| plan.hash.clone()),
        approver: approvers.next(),
        second_approver: approvers.next(),
        rejecter: revocation.spec.rejection.as_ref().map(|rejection| rejection.by.clone()),
        gate: part.gate.as_ref().map(|gate| gate.reason.clone()),
        steps: status
            .steps
            .iter()
            .map(|step| evidence::Step {
                object: object(&step.target),
                action: action(&step.target),
                outcome: step.outcome.as_str().to_owned(),
                at: step.at,
            })
            .collect(),
        verdicts: verdicts
            .iter()
            .chain(part.freeze.iter().flat_map(|freeze| &freeze.verdicts))
            .map(|verdict| evidence::Verdict {
                object: object(&verdict.target),
                verdict: verdict.verdict.as_str().to_owned(),
                at: verdict.at,
            })
            .collect(),
        remaining: planned
            .iter()
            .copied()
            .chain(status.remaining.iter().filter(|found| !planned.contains(found)))
            .map(|remaining| evidence::Remaining { what: remaining.what.clone(), why: remaining.why.clone() })
            .collect(),
        hooks: hooks::sealed(part),
        recheck: rechecks::told(revocation, part).map(|recheck| evidence::Recheck {
            at: recheck.at.unwrap_or(sealed),
            asked: recheck.asked,
            unknown: recheck.unknown,
            refuted: recheck.refuted.iter().map(|verdict| object(&verdict.target)).collect(),
        }),
        instants: evidence::Instants {
            effective: instants.effective,
            seen: instants.seen,
            released: instants.released,
            acted,
            verified,
            confirmed: status.confirmed,
        },
        last_day: last_day(person, instants.seen),
        sealed,
    }
}

/// The last day of work of the termination that was seen then, while the Person still tells of that one.
fn last_day(person: Option<&Person>, seen: Option<Timestamp>) -> Option<Date> {
    let employment = person?.status.as_ref()?.employment.as_ref()?;
    (seen.is_some() && employment.seen == seen).then_some(employment.last_day).flatten()
}

/// Who approved this very plan.
fn approvers(revocation: &Revocation, part: &ControlStatus) -> Vec<String> {
    part.plan.as_ref().map(|plan| convert::approvers(&revocation.spec, &plan.hash)).unwrap_or_default()
}

/// A user name is told by a salted digest: most contain an address.
fn object(target: &revocation::Target, salt: &str) -> evidence::Object {
    let name = match target.kind {
        TargetKind::User => evidence::hash(&format!("{salt}\0{}", target.name)).chars().take(DIGITS).collect(),
        _ => target.name.clone(),
    };
    evidence::Object {
        kind: target.kind.as_str().to_owned(),
        namespace: target.namespace.clone(),
        name,
        uid: target.uid.clone(),
    }
}

/// The salted digest of the HR record; zeros where the Person, and with it the salt, is gone.
pub(super) fn subject(person: Option<&Person>) -> String {
    let salted = person.and_then(|person| {
        let salt = person.status.as_ref()?.salt.as_ref()?;
        let record = person.spec.records.first()?;
        Some(evidence::subject(salt, &record.connection, &HrId(record.id.clone())))
    });
    salted.unwrap_or_else(|| GENESIS.to_owned())
}
