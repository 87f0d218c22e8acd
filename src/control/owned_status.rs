//! Control's part of a Revocation's status: always applied as a whole, and only when it changed.

use jiff::Timestamp;
use serde::Serialize;

use crate::api::Revocation;
use crate::api::condition::Condition;
use crate::api::revocation::{Evidence, Finished, Gate, Instants, Phase, Plan, Returned, RevocationStatus};
use crate::kube::outcome::Fault;
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

    /// Every gate is open.
    pub fn release(&mut self) {
        self.phase = Some(Phase::Released);
        self.gate = None;
    }

    /// The part as it will be once the story is over.
    #[must_use]
    pub fn ending(&self, phase: Phase) -> Ending {
        Ending(Self { phase: Some(phase), gate: None, ..self.clone() })
    }

    /// The part as it will be while its person is protected, which is sealed as well.
    #[must_use]
    pub fn protected(&self, stop: &Stop) -> Ending {
        let mut held = self.clone();
        held.hold(stop);
        Ending(held)
    }

    /// The part as it stands, of a story that is over and was never sealed.
    #[must_use]
    pub fn unsealed(&self) -> Ending {
        Ending(self.clone())
    }

    /// Takes an ending together with its seal, or nothing of it: then the part stays as it stood, and the next look
    /// comes to the same ending and seals it.
    ///
    /// # Errors
    /// That of the sealing.
    pub fn end(&mut self, ending: Ending, sealed: Result<Evidence, Fault>) -> Result<(), Fault> {
        let evidence = sealed?;
        *self = Self { evidence: Some(evidence), ..ending.0 };
        Ok(())
    }
}

/// An ending that is not sealed yet. Only [`Part::end`] makes it the part, so that no phase that ends is written
/// without its seal.
#[derive(Clone, Debug)]
pub struct Ending(Part);

impl Ending {
    /// What is sealed.
    #[must_use]
    pub const fn part(&self) -> &Part {
        &self.0
    }

    /// The first instant of release, where the revoker had nothing to do.
    #[must_use]
    pub fn released(mut self, now: Timestamp) -> Self {
        self.0.instants.get_or_insert_default().released.get_or_insert(now);
        self
    }
}

/// What a look at a Revocation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// To plan it and ask the gates.
    Gate,
    /// To close it as the revoker ended, and to seal that.
    Close(Finished),
    /// To seal what is over.
    Seal,
    /// To report what came back, and nothing else.
    Over,
}

/// What this look is for.
#[must_use]
pub fn look(status: Option<&RevocationStatus>) -> Look {
    let Some(status) = status else { return Look::Gate };
    match (status.phase, status.finished, &status.evidence) {
        (None | Some(Phase::Held | Phase::Released), None, _) => Look::Gate,
        (None | Some(Phase::Held | Phase::Released), Some(finished), _) => Look::Close(finished),
        (Some(Phase::Revoked | Phase::Failed | Phase::Cancelled), _, None) => Look::Seal,
        (Some(Phase::Revoked | Phase::Failed | Phase::Cancelled), _, Some(_)) => Look::Over,
    }
}

/// Whether anything may still happen to this Revocation.
#[must_use]
pub fn open(revocation: &Revocation) -> bool {
    let phase = revocation.status.as_ref().and_then(|status| status.phase);
    matches!(phase, None | Some(Phase::Held | Phase::Released))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence() -> Evidence {
        Evidence { name: "rollcall-evidence-00000001".into(), hash: "h".into(), previous: "p".into() }
    }

    fn refused() -> Result<Evidence, Fault> {
        Err(Fault::Transient { doing: "write the record", cause: "403 Forbidden".into() })
    }

    #[test]
    fn a_look_is_for_what_is_missing() {
        let status = |phase, finished, evidence| RevocationStatus { phase, finished, evidence, ..Default::default() };
        let sealed = || Some(evidence());
        let cases = [
            ("never looked at", status(None, None, None), Look::Gate),
            ("held", status(Some(Phase::Held), None, None), Look::Gate),
            ("held, and sealed as protected", status(Some(Phase::Held), None, sealed()), Look::Gate),
            ("released", status(Some(Phase::Released), None, None), Look::Gate),
            (
                "the revoker is done",
                status(Some(Phase::Released), Some(Finished::Failed), None),
                Look::Close(Finished::Failed),
            ),
            (
                "the revoker is done, and an earlier hold was sealed",
                status(Some(Phase::Released), Some(Finished::Revoked), sealed()),
                Look::Close(Finished::Revoked),
            ),
            ("closed and never sealed", status(Some(Phase::Revoked), Some(Finished::Revoked), None), Look::Seal),
            ("cancelled and never sealed", status(Some(Phase::Cancelled), None, None), Look::Seal),
            ("closed and sealed", status(Some(Phase::Failed), Some(Finished::Failed), sealed()), Look::Over),
        ];
        for (situation, status, expected) in cases {
            assert_eq!(look(Some(&status)), expected, "{situation}");
        }
        assert_eq!(look(None), Look::Gate);
    }

    #[test]
    fn a_phase_that_ends_is_written_with_its_seal_or_not_at_all() {
        let released = Part { phase: Some(Phase::Released), ..Part::default() };
        let held = Part { phase: Some(Phase::Held), ..Part::default() };
        let stop = Stop::Protected;
        for (before, ending) in [
            (&released, released.ending(Phase::Revoked)),
            (&released, released.ending(Phase::Failed)),
            (&held, held.ending(Phase::Cancelled)),
            (&held, held.ending(Phase::Revoked).released(Timestamp::UNIX_EPOCH)),
            (&held, held.protected(&stop)),
        ] {
            let mut part = before.clone();
            for hiccup in [refused(), Err(Fault::Stalled("the chain is broken".into())), refused()] {
                assert!(part.end(ending.clone(), hiccup).is_err());
                assert_eq!(&part, before, "nothing of the ending stands without its seal");
            }
            part.end(ending.clone(), Ok(evidence())).unwrap();
            assert_eq!((part.phase, part.evidence), (ending.part().phase, Some(evidence())));
        }
    }

    #[test]
    fn what_was_closed_without_a_seal_is_sealed_as_it_stands() {
        let closed = Part { phase: Some(Phase::Revoked), job: Some("revoke-1".into()), ..Part::default() };
        let mut part = closed.clone();
        part.end(closed.unsealed(), Ok(evidence())).unwrap();
        assert_eq!(part, Part { evidence: Some(evidence()), ..closed });
    }
}
