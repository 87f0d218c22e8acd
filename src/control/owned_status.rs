//! Control's part of a Revocation's status: always applied as a whole, and only when it changed.

use jiff::Timestamp;
use serde::Serialize;

use crate::api::condition::Condition;
use crate::api::revocation::{
    Evidence, Exposure, Finished, FirstFreeze, Gate, HookRun, Instants, Operation, Phase, Plan, Returned, Verdict,
};
use crate::api::{Revocation, names};
use crate::kube::outcome::Fault;
use domain::gate::Stop;

/// The fields that are control's.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControlStatus {
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
    /// What the person could read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// The Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The first instants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instants: Option<Instants>,
    /// The sealed record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// How often it was tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// What asked for the newest attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried: Option<String>,
    /// When a freeze was lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Timestamp>,
    /// Of a freeze: what stands on the list, and that it was read there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
    /// Of a freeze: when the list was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acted: Option<Timestamp>,
    /// Of a freeze: when it was read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// Of a cut: what was frozen first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freeze: Option<FirstFreeze>,
    /// What came back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub returned: Vec<Returned>,
    /// Its hooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookRun>,
    /// How much remains, where the revoker had nothing to do; else it is the revoker's to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_count: Option<u32>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

impl ControlStatus {
    /// The part as it stands.
    #[must_use]
    pub fn of(revocation: &Revocation) -> Self {
        let status = revocation.status.clone().unwrap_or_default();
        let freeze = revocation.spec.operation == Operation::Freeze;
        Self {
            observed_generation: status.observed_generation,
            phase: status.phase,
            gate: status.gate,
            plan: status.plan,
            exposure: status.exposure,
            job: status.job,
            instants: status.instants,
            evidence: status.evidence,
            attempt: status.attempt,
            retried: status.retried,
            lifted: status.lifted,
            verdicts: if freeze { status.verdicts } else { Vec::new() },
            acted: status.acted.filter(|_| freeze),
            verified: status.verified.filter(|_| freeze),
            freeze: status.freeze,
            returned: status.returned,
            hooks: status.hooks,
            remaining_count: status.remaining_count.filter(|_| status.claim.is_none()),
            conditions: status.conditions,
        }
    }

    /// Shows the gate that stops it. What was sealed behind another gate stays in the chain, and does not speak of this one.
    pub fn hold(&mut self, stop: &Stop) {
        let same = |gate: &Gate| self.phase == Some(Phase::Held) && gate.reason == stop.reason();
        if !self.gate.as_ref().is_some_and(same) {
            self.evidence = None;
        }
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

    /// The part as it will be once the Revocation has ended.
    #[must_use]
    pub fn ending(&self, phase: Phase) -> Ending {
        Ending(Self { phase: Some(phase), gate: None, ..self.clone() })
    }

    /// Begins a new attempt of what failed: it passes the gates again, and the revoker tries what it did not end. The
    /// record of the earlier end stays in the chain.
    pub fn retry(&mut self, asked: String) {
        self.phase = Some(Phase::Held);
        self.gate = None;
        self.evidence = None;
        self.attempt = Some(self.attempt.unwrap_or(0).saturating_add(1));
        self.retried = Some(asked);
    }

    /// Whether that it waits behind this gate is sealed.
    #[must_use]
    pub fn sealed_behind(&self, stop: &Stop) -> bool {
        let shown = self.gate.as_ref().map(|gate| gate.reason.as_str());
        self.phase == Some(Phase::Held) && shown == Some(stop.reason()) && self.evidence.is_some()
    }

    /// The part as it will be while its person is protected, or its plan rejected: that is sealed as well.
    #[must_use]
    pub fn shut(&self, stop: &Stop) -> Ending {
        let mut held = self.clone();
        held.hold(stop);
        Ending(held)
    }

    /// The part as it stands, of a Revocation that has ended and was never sealed.
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

/// An ending that is not sealed yet. Only [`ControlStatus::end`] makes it the part, so that no phase that ends is written
/// without its seal.
#[derive(Clone, Debug)]
pub struct Ending(ControlStatus);

impl Ending {
    /// What is sealed.
    #[must_use]
    pub const fn part(&self) -> &ControlStatus {
        &self.0
    }

    /// Without the revoker, which had nothing to do: the first instant of release, and how much remains.
    #[must_use]
    pub fn released(mut self, now: Timestamp) -> Self {
        self.0.instants.get_or_insert_default().released.get_or_insert(now);
        let remaining = self.0.plan.as_ref().map_or(0, |plan| plan.remaining.len());
        self.0.remaining_count = Some(u32::try_from(remaining).unwrap_or(u32::MAX));
        self
    }
}

/// What a look at a Revocation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// To plan it and ask the gates.
    Gate,
    /// To close it as the revoker ended, and to seal that.
    Close(Finished),
    /// To seal what is over.
    Seal,
    /// To begin a new attempt, asked for by this value of the annotation.
    Retry(String),
    /// To see whether a freeze still has its reason.
    Stands,
    /// To report what came back, and nothing else.
    Over,
}

/// What this look is for.
#[must_use]
pub fn look(revocation: &Revocation) -> Look {
    let Some(status) = &revocation.status else { return Look::Gate };
    let asked = revocation.metadata.annotations.iter().flatten().find(|(key, _)| *key == names::RETRY);
    let asked = asked.map(|(_, value)| value.chars().take(64).collect::<String>());
    let asked = asked.filter(|value| !value.is_empty() && status.retried.as_ref() != Some(value));
    match (status.phase, status.outcome(), &status.evidence, asked) {
        (None | Some(Phase::Held | Phase::Released), None, _, _) => Look::Gate,
        (None | Some(Phase::Held | Phase::Released), Some(finished), _, _) => Look::Close(finished),
        (Some(Phase::Frozen), ..) => Look::Stands,
        (Some(Phase::Revoked | Phase::Failed | Phase::Cancelled | Phase::Lifted), _, None, _) => Look::Seal,
        (Some(Phase::Failed), _, Some(_), Some(asked)) => Look::Retry(asked),
        (Some(Phase::Revoked | Phase::Failed | Phase::Cancelled | Phase::Lifted), _, Some(_), _) => Look::Over,
    }
}

/// Whether it came to a good end, and what remains may still change: an admin ends by hand what was left alone, and somebody
/// names the person in another binding.
#[must_use]
pub fn may_change(revocation: &Revocation) -> bool {
    let Some(status) = &revocation.status else { return false };
    let remains = status.plan.as_ref().is_some_and(|plan| !plan.remaining.is_empty());
    status.phase == Some(Phase::Revoked) && (remains || revocation.spec.operation == Operation::Cut)
}

/// Whether anything may still happen to this Revocation.
#[must_use]
pub fn open(revocation: &Revocation) -> bool {
    let phase = revocation.status.as_ref().and_then(|status| status.phase);
    matches!(phase, None | Some(Phase::Held | Phase::Released))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn evidence() -> Evidence {
        Evidence { name: "rollcall-evidence-00000001".into(), hash: "h".into(), previous: "p".into() }
    }

    fn refused() -> Result<Evidence, Fault> {
        Err(Fault::Transient { doing: "write the record", cause: "403 Forbidden".into() })
    }

    fn revocation(status: Value, retry: Option<&str>) -> Revocation {
        let annotations = retry.map(|asked| json!({names::RETRY: asked}));
        serde_json::from_value(json!({
            "metadata": {"name": "p-7-cut", "annotations": annotations},
            "spec": {
                "person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": "2026-03-01T00:00:00Z", "reason": "left"
            },
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_look_is_for_what_is_missing() {
        let seal = json!({"name": "rollcall-evidence-00000001", "hash": "h", "previous": "p"});
        let by = |attempt: Value| json!({"by": "revoke-1", "at": "2026-03-01T00:00:00Z", "attempt": attempt});
        let failed = json!({"phase": "Failed", "finished": "Failed", "evidence": seal});
        let again =
            json!({"phase": "Released", "finished": "Failed", "attempt": 1, "retried": "1", "claim": by(json!(null))});
        let failed_again =
            json!({"phase": "Released", "finished": "Failed", "attempt": 1, "retried": "1", "claim": by(json!(1))});
        let twice = json!({"phase": "Failed", "finished": "Failed", "attempt": 1, "retried": "1", "claim": by(json!(1)), "evidence": seal});
        let retry = |asked: &str| Look::Retry(asked.to_owned());
        let cases = [
            ("never looked at", json!(null), None, Look::Gate),
            ("held", json!({"phase": "Held"}), None, Look::Gate),
            ("held, and sealed as protected", json!({"phase": "Held", "evidence": seal}), None, Look::Gate),
            ("released", json!({"phase": "Released"}), None, Look::Gate),
            (
                "the revoker is done",
                json!({"phase": "Released", "finished": "Failed"}),
                None,
                Look::Close(Finished::Failed),
            ),
            (
                "the revoker is done, and an earlier hold was sealed",
                json!({"phase": "Released", "finished": "Revoked", "evidence": seal}),
                None,
                Look::Close(Finished::Revoked),
            ),
            ("closed and never sealed", json!({"phase": "Revoked", "finished": "Revoked"}), None, Look::Seal),
            (
                "failed and never sealed: first that",
                json!({"phase": "Failed", "finished": "Failed"}),
                Some("1"),
                Look::Seal,
            ),
            ("cancelled and never sealed", json!({"phase": "Cancelled"}), None, Look::Seal),
            ("failed and sealed", failed.clone(), None, Look::Over),
            ("failed, and asked to try again", failed, Some("1"), retry("1")),
            ("trying again: the end is the earlier attempt's", again, Some("1"), Look::Gate),
            ("the second attempt is done", failed_again, Some("1"), Look::Close(Finished::Failed)),
            ("the second attempt failed too", twice.clone(), Some("1"), Look::Over),
            ("and another was asked for", twice, Some("2"), retry("2")),
            (
                "what was revoked is not tried again",
                json!({"phase": "Revoked", "evidence": seal}),
                Some("1"),
                Look::Over,
            ),
        ];
        for (situation, status, asked, expected) in cases {
            assert_eq!(look(&revocation(status, asked)), expected, "{situation}");
        }
    }

    #[test]
    fn a_new_attempt_passes_the_gates_again_and_is_sealed_on_its_own() {
        let mut part =
            ControlStatus { phase: Some(Phase::Failed), evidence: Some(evidence()), ..ControlStatus::default() };
        part.retry("now".into());
        assert_eq!((part.phase, part.attempt, &part.evidence), (Some(Phase::Held), Some(1), &None));
        part.retry("again".into());
        assert_eq!((part.attempt, part.retried.as_deref()), (Some(2), Some("again")));
    }

    #[test]
    fn what_waits_behind_a_gate_is_sealed_once_for_that_gate() {
        let mut part = ControlStatus::default();
        assert!(!part.sealed_behind(&Stop::Protected));
        part.end(part.shut(&Stop::Protected), Ok(evidence())).unwrap();
        assert!(part.sealed_behind(&Stop::Protected));
        assert!(!part.sealed_behind(&Stop::Rejected), "another gate is another record");
        part.hold(&Stop::Protected);
        assert!(part.sealed_behind(&Stop::Protected), "nothing changed");
        part.hold(&Stop::Observe);
        assert!(!part.sealed_behind(&Stop::Observe), "the record is of another gate");
    }

    #[test]
    fn a_phase_that_ends_is_written_with_its_seal_or_not_at_all() {
        let released = ControlStatus { phase: Some(Phase::Released), ..ControlStatus::default() };
        let held = ControlStatus { phase: Some(Phase::Held), ..ControlStatus::default() };
        let stop = Stop::Protected;
        for (before, ending) in [
            (&released, released.ending(Phase::Revoked)),
            (&released, released.ending(Phase::Failed)),
            (&held, held.ending(Phase::Cancelled)),
            (&held, held.ending(Phase::Revoked).released(Timestamp::UNIX_EPOCH)),
            (&held, held.shut(&stop)),
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
    fn what_remains_is_counted_by_control_where_the_revoker_has_nothing_to_do() {
        let thing = |name: &str| json!({"what": name, "why": "SharedBinding", "advice": ""});
        let with = |status: Value| ControlStatus::of(&revocation(status, None));
        let held =
            with(json!({"phase": "Held", "plan": {"hash": "h", "targets": [], "remaining": [thing("a"), thing("b")]}}));
        let ended =
            |part: ControlStatus| part.ending(Phase::Revoked).released(Timestamp::UNIX_EPOCH).part().remaining_count;
        assert_eq!(ended(held), Some(2));
        assert_eq!(ended(ControlStatus::default()), Some(0), "nothing is a number as well");
        let claim = json!({"by": "revoke-1", "at": "2026-03-01T00:00:00Z"});
        assert_eq!(with(json!({"claim": claim, "remainingCount": 3})).remaining_count, None, "that is the revoker's");
        assert_eq!(with(json!({"remainingCount": 3})).remaining_count, Some(3));
    }

    #[test]
    fn what_was_closed_without_a_seal_is_sealed_as_it_stands() {
        let closed =
            ControlStatus { phase: Some(Phase::Revoked), job: Some("revoke-1".into()), ..ControlStatus::default() };
        let mut part = closed.clone();
        part.end(closed.unsealed(), Ok(evidence())).unwrap();
        assert_eq!(part, ControlStatus { evidence: Some(evidence()), ..closed });
    }
}
