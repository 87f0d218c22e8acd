//! What is sealed of a Revocation: what its status says, without any name, address or salt.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::{Person, Revocation, revocation};
use crate::control::owned_status::ControlStatus;
use domain::employee::HrId;
use domain::evidence::{self, GENESIS, RecordBody};

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
    let planned = part.plan.iter().flat_map(|plan| &plan.remaining);
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
        approver: approver(revocation, part),
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
        verdicts: status
            .verdicts
            .iter()
            .map(|verdict| evidence::Verdict {
                object: object(&verdict.target),
                verdict: verdict.verdict.as_str().to_owned(),
                at: verdict.at,
            })
            .collect(),
        remaining: planned
            .chain(&status.remaining)
            .map(|remaining| evidence::Remaining { what: remaining.what.clone(), why: remaining.why.clone() })
            .collect(),
        instants: evidence::Instants {
            effective: instants.effective,
            seen: instants.seen,
            released: instants.released,
            acted: status.acted,
            verified: status.verified,
            confirmed: status.confirmed,
        },
        sealed,
    }
}

/// Who approved this very plan.
fn approver(revocation: &Revocation, part: &ControlStatus) -> Option<String> {
    let approval = revocation.spec.approval.as_ref()?;
    (part.plan.as_ref()?.hash == approval.plan_hash).then(|| approval.by.clone())
}

fn object(target: &revocation::Target) -> evidence::Object {
    evidence::Object {
        kind: target.kind.as_str().to_owned(),
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        uid: target.uid.clone(),
    }
}

/// The salted digest of the HR record; zeros where the Person, and with it the salt, is gone.
fn subject(person: Option<&Person>) -> String {
    let salted = person.and_then(|person| {
        let salt = person.status.as_ref()?.salt.as_ref()?;
        let record = person.spec.records.first()?;
        Some(evidence::subject(salt, &record.connection, &HrId(record.id.clone())))
    });
    salted.unwrap_or_else(|| GENESIS.to_owned())
}
