//! What the revoker writes down: its own part of a Revocation's status, always as a whole, never over another's claim.

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, Patch, PatchParams};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Context;
use super::observe::{Observation, Observed};
use crate::api::revocation::{
    Claim, Finished, Kept, Remaining, RevocationStatus, Step, StepOutcome, Verdict, VerdictKind,
};
use crate::api::{Revocation, names};
use crate::kube::calls::{self, CALL};
use crate::kube::outcome::Fault;
use domain::plan::{Action, Target};

/// After this long without a word another process may take a claim over: every act is safe when two act.
const SILENT: SignedDuration = SignedDuration::from_secs(15);
/// Most bytes of one kept manifest, and of all of a Revocation: an object that is larger is kept without what is not
/// Rollcall's, so that nobody escapes by making theirs large.
const ONE_KEPT: usize = 16 * 1024;
const ALL_KEPT: usize = 512 * 1024;
/// How often a write is tried again after somebody else wrote their part.
const CONFLICTS: usize = 8;

/// The fields that are the revoker's.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    claim: Option<Claim>,
    steps: Vec<Step>,
    verdicts: Vec<Verdict>,
    kept: Vec<Kept>,
    remaining: Vec<Remaining>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acted: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Finished>,
}

/// The record of one Revocation that this process works on.
pub struct Record {
    ctx: Context,
    revocation: Revocation,
    part: Part,
}

impl Record {
    /// Opens the record, with what an earlier process wrote; `None` if another process is at work on it.
    pub fn open(ctx: &Context, revocation: Revocation) -> Option<Self> {
        let status = revocation.status.clone().unwrap_or_default();
        if let Some(claim) = &status.claim
            && claim.by != ctx.me
            && calls::now().duration_since(claim.at) < SILENT
        {
            return None;
        }
        let status = again(status);
        let part = Part {
            claim: status.claim,
            steps: status.steps,
            verdicts: status.verdicts,
            kept: status.kept,
            remaining: status.remaining,
            acted: status.acted,
            verified: status.verified,
            confirmed: status.confirmed,
            finished: status.finished,
        };
        Some(Self { ctx: ctx.clone(), revocation, part })
    }

    /// Name of the Revocation.
    pub fn name(&self) -> &str {
        self.revocation.metadata.name.as_deref().unwrap_or_default()
    }

    /// Name of the Person.
    pub fn person(&self) -> &str {
        &self.revocation.spec.person
    }

    /// Uid of the Person.
    pub fn person_uid(&self) -> &str {
        &self.revocation.spec.person_uid
    }

    /// How it ended.
    pub const fn finished(&self) -> Option<Finished> {
        self.part.finished
    }

    /// When the last act ended.
    pub const fn acted(&self) -> Option<Timestamp> {
        self.part.acted
    }

    /// Whether an earlier process brought this target to its end.
    pub fn settled(&self, target: &Target) -> bool {
        self.step(target).is_some_and(|step| step.outcome != StepOutcome::Begun)
    }

    /// The step of a target.
    pub fn step(&self, target: &Target) -> Option<&Step> {
        self.part.steps.iter().find(|step| step.target.uid == target.uid)
    }

    /// The manifest that was written ahead for a target.
    pub fn manifest(&self, target: &Target) -> Option<serde_json::Value> {
        let kept = self.part.kept.iter().find(|kept| kept.uid == target.uid)?;
        serde_json::from_str(&kept.manifest).ok()
    }

    /// Claims the Revocation and writes every manifest ahead, in one write.
    pub async fn claim(&mut self, looked: &Observed) -> Result<(), Fault> {
        let now = calls::now();
        for seen in looked.targets() {
            let Observation::Standing { manifest, .. } = &seen.sight else { continue };
            let room = ALL_KEPT.saturating_sub(self.part.kept.iter().map(|kept| kept.manifest.len()).sum());
            let fitting = fit(manifest, ONE_KEPT.min(room));
            if let Some(manifest) =
                fitting.filter(|_| seen.target.action != Action::Delete && self.manifest(&seen.target).is_none())
            {
                let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(manifest.as_bytes()));
                self.part.kept.push(Kept { uid: seen.target.uid.clone(), manifest, sha256 });
            }
            self.set_step(&seen.target, StepOutcome::Begun, None, None, now);
        }
        self.write().await
    }

    /// Notes how a step ended; written by the next `write`.
    pub fn set_step(
        &mut self,
        target: &Target,
        outcome: StepOutcome,
        new_uid: Option<String>,
        message: Option<String>,
        at: Timestamp,
    ) {
        let message = message.map(|message| message.chars().take(500).collect());
        let step = Step { target: target.into(), outcome, new_uid, message, at };
        match self.part.steps.iter_mut().find(|step| step.target.uid == target.uid) {
            Some(standing) => *standing = step,
            None => self.part.steps.push(step),
        }
    }

    /// Notes something that remains.
    pub fn remain(&mut self, remaining: Remaining) {
        if !self.part.remaining.contains(&remaining) {
            self.part.remaining.push(remaining);
        }
    }

    /// Notes that the last act has ended.
    pub fn set_acted(&mut self, at: Timestamp) {
        self.part.acted.get_or_insert(at);
    }

    /// Notes the verdicts, and when all of them first were good.
    pub fn set_verdicts(&mut self, verdicts: Vec<Verdict>, verified: Option<Timestamp>) {
        self.part.verdicts = verdicts;
        self.part.verified = self.part.verified.or(verified);
    }

    /// Notes the end.
    pub fn finish(&mut self, finished: Finished, confirmed: Option<Timestamp>) {
        self.part.confirmed = confirmed;
        self.part.finished = Some(finished);
    }

    /// Writes the whole part, unless another process has taken the Revocation over since.
    ///
    /// # Flow          apply with uid and resourceVersion; on a conflict read again, look at the claim, and repeat
    /// # Guarantees    never overwrites another process' claim; never makes a deleted Revocation again
    /// # Errors        transient; or the Revocation is gone or taken over: this process stops working on it
    pub async fn write(&mut self) -> Result<(), Fault> {
        let api: Api<Revocation> = Api::namespaced(self.ctx.client.clone(), &self.ctx.namespace);
        let attempt = self.revocation.status.as_ref().and_then(|status| status.attempt);
        self.part.claim = Some(Claim { by: self.ctx.me.clone(), at: calls::now(), attempt });
        for _ in 0..CONFLICTS {
            let body = serde_json::json!({
                "apiVersion": "rollcall.dev/v1alpha1",
                "kind": "Revocation",
                "metadata": {"name": self.name(), "uid": self.revocation.metadata.uid, "resourceVersion": self.revocation.metadata.resource_version},
                "status": self.part,
            });
            let params = PatchParams::apply("rollcall-revoke").force();
            match tokio::time::timeout(CALL, api.patch_status(self.name(), &params, &Patch::Apply(&body))).await {
                Ok(Ok(written)) => {
                    self.revocation = written;
                    return Ok(());
                }
                Ok(Err(error)) if calls::is(&error, 409) => self.read_again(&api).await?,
                Ok(Err(error)) => return Err(Fault::kube("write the record", &error)),
                Err(_) => {
                    return Err(Fault::Transient { doing: "write the record", cause: "no answer in time".to_owned() });
                }
            }
        }
        Err(Fault::Transient { doing: "write the record", cause: "somebody else kept writing".to_owned() })
    }

    async fn read_again(&mut self, api: &Api<Revocation>) -> Result<(), Fault> {
        let fresh = calls::call("read the Revocation", api.get(self.name())).await?;
        let claim = fresh.status.as_ref().and_then(|status| status.claim.as_ref());
        let taken = claim.is_some_and(|claim| claim.by != self.ctx.me);
        if taken || fresh.metadata.uid != self.revocation.metadata.uid {
            return Err(Fault::Transient {
                doing: "write the record",
                cause: "another process took it over".to_owned(),
            });
        }
        self.revocation = fresh;
        Ok(())
    }
}

/// The status as a new attempt begins with it, after one that failed: what was proved stays done, all else is begun and
/// looked at again, and every manifest is kept. Any other status stays as it is.
fn again(mut status: RevocationStatus) -> RevocationStatus {
    if status.finished.is_none() || status.outcome().is_some() {
        return status;
    }
    let good = |verdict: &&Verdict| matches!(verdict.verdict, VerdictKind::Observed | VerdictKind::Implied);
    let proved: Vec<String> = status.verdicts.iter().filter(good).map(|verdict| verdict.target.uid.clone()).collect();
    for step in status.steps.iter_mut().filter(|step| !proved.contains(&step.target.uid)) {
        step.outcome = StepOutcome::Begun;
        step.message = None;
    }
    RevocationStatus {
        verdicts: Vec::new(),
        remaining: Vec::new(),
        acted: None,
        verified: None,
        confirmed: None,
        finished: None,
        ..status
    }
}

/// A manifest of at most so many bytes: whole, else with nothing but its name and the marks Rollcall reads; `None` for
/// a binding that does not fit, which is deleted all the same.
fn fit(manifest: &Value, room: usize) -> Option<String> {
    let whole = manifest.to_string();
    if whole.len() <= room {
        return Some(whole);
    }
    if manifest.get("roleRef").is_some() {
        return None;
    }
    let meta = manifest.get("metadata")?;
    let marks = meta.get("annotations").and_then(Value::as_object).into_iter().flatten().filter(|(key, value)| {
        [names::OWNER, names::PURPOSE].contains(&key.as_str()) && value.as_str().is_some_and(|mark| mark.len() <= 1024)
    });
    let marks: serde_json::Map<String, Value> = marks.map(|(key, value)| (key.clone(), value.clone())).collect();
    let small = serde_json::json!({
        "apiVersion": manifest.get("apiVersion"),
        "kind": manifest.get("kind"),
        "metadata": {"name": meta.get("name"), "namespace": meta.get("namespace"), "annotations": marks},
    });
    Some(small.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_new_attempt_keeps_what_is_proved_and_every_manifest_and_tries_the_rest() {
        let target = |uid: &str| json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "n", "name": uid, "uid": uid, "why": ""});
        let at = "2026-03-01T00:00:00Z";
        let step =
            |uid: &str, outcome: &str| json!({"target": target(uid), "outcome": outcome, "at": at, "message": "m"});
        let verdict =
            |uid: &str, verdict: &str| json!({"target": target(uid), "verdict": verdict, "how": "", "at": at});
        let status = |attempt: Value| -> RevocationStatus {
            serde_json::from_value(json!({
                "attempt": attempt, "finished": "Failed", "acted": at, "verified": at,
                "claim": {"by": "revoke-1", "at": at},
                "kept": [{"uid": "a", "manifest": "{}", "sha256": ""}, {"uid": "b", "manifest": "{}", "sha256": ""}],
                "steps": [step("a", "Done"), step("b", "Failed"), step("c", "Done")],
                "verdicts": [verdict("a", "Observed"), verdict("b", "Unknown"), verdict("c", "Refuted")],
            }))
            .unwrap()
        };
        let begun = again(status(json!(1)));
        let outcomes: Vec<_> = begun.steps.iter().map(|step| step.outcome).collect();
        assert_eq!(outcomes, [StepOutcome::Done, StepOutcome::Begun, StepOutcome::Begun]);
        assert_eq!((begun.finished, begun.acted, begun.verified, begun.kept.len()), (None, None, None, 2));
        assert_eq!(again(status(json!(null))), status(json!(null)), "of the same attempt nothing is taken back");
    }

    #[test]
    fn nobody_escapes_by_making_their_object_large() {
        let large = "x".repeat(70_000);
        let account = |note: &str| {
            json!({"apiVersion": "v1", "kind": "ServiceAccount",
                   "metadata": {"name": "a", "namespace": "n", "annotations": {names::OWNER: "id:hq/7", "note": note}}})
        };
        let kept = |note: &str| serde_json::from_str::<Value>(&fit(&account(note), ONE_KEPT).unwrap()).unwrap();
        assert_eq!(kept("short"), account("short"));
        assert_eq!(kept(&large)["metadata"]["annotations"], json!({names::OWNER: "id:hq/7"}));
        let binding = json!({"roleRef": {}, "subjects": [large]});
        assert_eq!(fit(&binding, ONE_KEPT), None);
    }
}
