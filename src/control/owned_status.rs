//! Control's part of a Revocation's status: always applied as a whole, and only when it changed.

use serde::Serialize;

use crate::api::Revocation;
use crate::api::condition::Condition;
use crate::api::revocation::{Evidence, Gate, Instants, Phase, Plan, Returned};
use domain::gate::Stop;

/// The fields that are control's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Generation these words are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// What it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What it will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// The Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The first instants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instants: Option<Instants>,
    /// The sealed record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What came back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<Returned>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

impl Part {
    /// The part as it stands.
    #[must_use]
    pub fn of(revocation: &Revocation) -> Self {
        let status = revocation.status.clone().unwrap_or_default();
        Self {
            observed_generation: status.observed_generation,
            phase: status.phase,
            gate: status.gate,
            plan: status.plan,
            job: status.job,
            instants: status.instants,
            evidence: status.evidence,
            returned: status.returned,
            conditions: status.conditions,
        }
    }

    /// Shows the gate that stops it.
    pub fn hold(&mut self, stop: &Stop) {
        self.phase = Some(Phase::Held);
        self.gate = Some(Gate {
            reason: stop.reason().to_owned(),
            message: stop.message().chars().take(512).collect(),
            until: stop.until(),
            batch: stop.batch().map(str::to_owned),
        });
    }

    /// Every gate is open, or the story is over.
    pub fn pass(&mut self, phase: Phase) {
        self.phase = Some(phase);
        self.gate = None;
    }
}

/// Whether anything may still happen to this Revocation.
#[must_use]
pub fn open(revocation: &Revocation) -> bool {
    let phase = revocation.status.as_ref().and_then(|status| status.phase);
    matches!(phase, None | Some(Phase::Held | Phase::Released))
}
