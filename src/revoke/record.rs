//! What the revoker writes down: its own part of a Revocation's status, always as a whole, never over another's claim.

use crate::kube::named::Api;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::Context;
use super::observe::{Observation, Observed};
use super::queue::Waiting;
use super::traced::Work;
use crate::api::revocation::{
    Claim, Finished, Kept, Recheck, Remaining, RevocationStatus, Rotation, Step, StepOutcome, Verdict, VerdictKind,
};
use crate::api::{Revocation, names};
use crate::kube::calls;
use crate::kube::outcome::Fault;
use domain::plan::{self, Action, RemainingReason, Target};
use domain::rechecks;

/// Most bytes of one kept manifest, and of all of a Revocation: an object that is larger is kept without what is not
/// Rollcall's, so that nobody escapes by making theirs large.
const ONE_KEPT: usize = 16 * 1024;
const ALL_KEPT: usize = 384 * 1024;
/// How long what was done may stay unwritten while more is being done; well below the time that frees a claim.
const UNWRITTEN: Duration = Duration::from_secs(1);
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
    remaining_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acted: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Finished>,
    /// The first check after the end; the later ones are written by `rechecks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    recheck: Option<Recheck>,
}

/// The record of one Revocation that this process works on.
pub struct Record {
    api: Api<Revocation>,
    me: String,
    /// The claim that stood when it was opened.
    found: Option<Claim>,
    revocation: Revocation,
    part: Part,
    written: Instant,
    /// What a collector of traces is told of it.
    work: Work,
}

impl Record {
    /// Opens the record, with what an earlier process wrote; `None` if another process is at work on it. `waiting` says
    /// whose claim has stood still for long.
    pub fn open(ctx: &Context, revocation: Revocation, waiting: &Waiting) -> Option<Self> {
        let status = revocation.status.clone().unwrap_or_default();
        let others = status.claim.as_ref().filter(|claim| claim.by != ctx.me && claim.attempt == status.attempt);
        if revocation.metadata.uid.as_ref() != Some(&waiting.uid)
            || status.outcome().is_some()
            || others.is_some_and(|claim| Some(claim) != waiting.silent.as_ref())
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
            remaining_count: status.remaining_count,
            acted: status.acted,
            verified: status.verified,
            confirmed: status.confirmed,
            finished: status.finished,
            recheck: None,
        };
        Some(Self {
            api: Api::namespaced(ctx.client.clone(), &ctx.namespace),
            me: ctx.me.clone(),
            found: part.claim.clone(),
            work: Work::begin(&ctx.traces, &revocation, &ctx.me),
            revocation,
            part,
            written: Instant::now(),
        })
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

    /// Whether this plan, in this process or an earlier one, brought the target to its end.
    pub fn ended(&self, target: &Target) -> bool {
        let ended = [StepOutcome::Done, StepOutcome::AlreadyGone, StepOutcome::NotRecreated];
        self.step(target).is_some_and(|step| ended.contains(&step.outcome))
    }

    /// The step of a target.
    pub fn step(&self, target: &Target) -> Option<&Step> {
        self.part.steps.iter().find(|step| step.target.uid == target.uid)
    }

    /// Uid and action of every target that was acted on.
    pub fn done(&self) -> impl Iterator<Item = (&str, Action)> {
        let done = self.part.steps.iter().filter(|step| step.outcome == StepOutcome::Done);
        done.map(|step| (step.target.uid.as_str(), Target::from(&step.target).action))
    }

    /// The manifest that was written ahead for a target.
    pub fn manifest(&self, target: &Target) -> Option<serde_json::Value> {
        let kept = self.part.kept.iter().find(|kept| kept.uid == target.uid)?;
        serde_json::from_str(&kept.manifest).ok()
    }

    /// Notes how far the rotation of a Secret is; written by the next `write`.
    pub fn set_rotation(&mut self, target: &Target, rotation: Rotation) {
        if self.step(target).is_none() {
            self.set_step(target, StepOutcome::Begun, None, None, calls::now());
        }
        let step = self.part.steps.iter_mut().find(|step| step.target.uid == target.uid);
        step.into_iter().for_each(|step| step.rotation = Some(rotation.clone()));
    }

    /// The instant of `confirmed`, noted.
    pub fn set_confirmed(&mut self, at: Timestamp) {
        self.tell_confirmed(Some(at));
        self.part.confirmed = Some(at);
    }

    /// Tells the first time that everything was asked once more.
    fn tell_confirmed(&self, at: Option<Timestamp>) {
        if let Some(at) = at.filter(|_| self.part.confirmed.is_none()) {
            self.work.confirmed(self.part.verified, at, self.part.verdicts.len());
        }
    }

    /// When the last act was seen to hold after the API server's cache.
    pub const fn confirmed(&self) -> Option<Timestamp> {
        self.part.confirmed
    }

    /// Whether everything has the verdict `Adopted`.
    pub fn all_adopted(&self) -> bool {
        !self.part.verdicts.is_empty() && self.part.verdicts.iter().all(|one| one.verdict == VerdictKind::Adopted)
    }

    /// Notes when every verdict first was good.
    pub fn set_verified(&mut self, at: Timestamp) {
        self.part.verified.get_or_insert(at);
    }

    /// Adds the verdict on a Secret to those on what is refused.
    pub fn add_verdict(&mut self, target: &Target, verdict: VerdictKind, how: &str) {
        let how = how.chars().take(500).collect();
        self.add_verdicts(vec![Verdict { target: target.into(), verdict, how, at: calls::now() }]);
    }

    /// Claims the Revocation and writes every manifest ahead, in one write.
    pub async fn claim(&mut self, observed: &Observed) -> Result<(), Fault> {
        let now = calls::now();
        for seen in observed.targets() {
            if let Observation::Rotates(rotatable) = &seen.observation {
                // What the value is told by is written ahead: without it nobody could say later that it is another one.
                self.set_rotation(&seen.target, rotatable.rotation.clone());
                continue;
            }
            if matches!(seen.observation, Observation::Evicts) {
                // Nothing of a pod is kept: what makes it makes another one, and its variables may be secret.
                self.set_step(&seen.target, StepOutcome::Begun, None, None, now);
                continue;
            }
            let (Observation::Standing { manifest, .. } | Observation::Shared { manifest }) = &seen.observation else {
                continue;
            };
            let room = ALL_KEPT.saturating_sub(self.part.kept.iter().map(|kept| kept.manifest.len()).sum());
            if seen.target.action != Action::Delete
                && self.manifest(&seen.target).is_none()
                && let Some(manifest) = manifest.within(room)
            {
                let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(manifest.as_bytes()));
                self.part.kept.push(Kept { uid: seen.target.uid.clone(), manifest: manifest.to_owned(), sha256 });
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
        let rotation = self.step(target).and_then(|step| step.rotation.clone());
        let step = Step { target: target.into(), outcome, new_uid, rotation, message, at };
        self.work.step(self.step(target), &step);
        match self.part.steps.iter_mut().find(|step| step.target.uid == target.uid) {
            Some(standing) => *standing = step,
            None => self.part.steps.push(step),
        }
    }

    /// Notes that a target, or what it gave, remains.
    pub fn left(&mut self, target: &Target, reason: RemainingReason) {
        let what = plan::described(target.kind, &target.namespace, &target.name);
        let remaining = Remaining::from(&plan::Remaining { what, why: reason, heir: None });
        if !self.part.remaining.contains(&remaining) {
            self.part.remaining.push(remaining);
        }
    }

    /// Notes that it does not remain after all.
    pub fn left_no_more(&mut self, target: &Target) {
        let what = plan::described(target.kind, &target.namespace, &target.name);
        self.part.remaining.retain(|remaining| remaining.what != what);
    }

    /// Whether the target was left alone: what is not this leaver's any more is no credential of theirs to be refused.
    pub fn skipped(&self, target: &Target) -> bool {
        self.step(target).is_some_and(|step| step.outcome == StepOutcome::Skipped)
    }

    /// Notes that the last act has ended.
    pub fn set_acted(&mut self, at: Timestamp) {
        self.part.acted.get_or_insert(at);
    }

    /// Notes the verdicts, and when all of them first were good. Those on Secrets come by themselves, and stay.
    pub fn set_verdicts(&mut self, verdicts: Vec<Verdict>, verified: Option<Timestamp>) {
        let (stay, before) = std::mem::take(&mut self.part.verdicts)
            .into_iter()
            .partition(|verdict| Target::from(&verdict.target).action == Action::Rotate);
        self.part.verdicts = stay;
        self.add(verdicts, &before);
        self.part.verified = self.part.verified.or(verified);
    }

    /// Adds verdicts to those on everything else.
    pub fn add_verdicts(&mut self, verdicts: Vec<Verdict>) {
        self.add(verdicts, &[]);
    }

    /// The same; `before` are verdicts that went.
    fn add(&mut self, verdicts: Vec<Verdict>, before: &[Verdict]) {
        for verdict in verdicts {
            let target = &verdict.target;
            tracing::info!(
                kind = target.kind.as_str(),
                namespace = target.namespace,
                name = target.name,
                verdict = verdict.verdict.as_str(),
                "verdict"
            );
            let its = |other: &&Verdict| other.target.uid == verdict.target.uid;
            let last = self.part.verdicts.iter().chain(before).find(its);
            let step = self.part.steps.iter().find(|step| step.target.uid == verdict.target.uid);
            self.work.verdict(last, step, &verdict);
            self.part.verdicts.retain(|other| other.target.uid != verdict.target.uid);
            self.part.verdicts.push(verdict);
        }
    }

    /// Notes the end.
    pub fn finish(&mut self, finished: Finished, confirmed: Option<Timestamp>) {
        self.tell_confirmed(confirmed);
        self.work.finish(finished);
        self.part.confirmed = confirmed;
        self.part.finished = Some(finished);
        self.part.recheck = confirmed.filter(|_| finished == Finished::Revoked).map(|confirmed| {
            let rechecks::Next { stage, at } = rechecks::first(confirmed);
            Recheck { stage, next: at, ..Recheck::default() }
        });
        let planned = self.revocation.status.as_ref().and_then(|status| status.plan.as_ref());
        let left = planned.map_or(0, |plan| plan.remaining.len()) + self.part.remaining.len();
        self.part.remaining_count = Some(u32::try_from(left).unwrap_or(u32::MAX));
    }

    /// Writes, if that was not done just now: what was done is seen while more is being done.
    pub async fn write_by_and_by(&mut self) -> Result<(), Fault> {
        self.write_after(UNWRITTEN).await
    }

    /// Writes, if that was not done for so long: the claim stands.
    pub async fn write_after(&mut self, long: Duration) -> Result<(), Fault> {
        if self.written.elapsed() < long { Ok(()) } else { self.write().await }
    }

    /// Writes the whole part, unless another process has taken the Revocation over since.
    ///
    /// # Flow          apply with uid and resourceVersion; on a conflict read again, look at the claim, and repeat
    /// # Guarantees    never overwrites another process' claim, nor what is finished; never makes a deleted Revocation again
    /// # Errors        transient; or the Revocation is gone or taken over: this process stops working on it
    pub async fn write(&mut self) -> Result<(), Fault> {
        let attempt = self.revocation.status.as_ref().and_then(|status| status.attempt);
        self.part.claim = Some(Claim { by: self.me.clone(), at: calls::now(), attempt });
        for _ in 0..CONFLICTS {
            let body = serde_json::json!({
                "apiVersion": "rollcall.dev/v1alpha1",
                "kind": "Revocation",
                "metadata": {"name": self.name(), "uid": self.revocation.metadata.uid, "resourceVersion": self.revocation.metadata.resource_version},
                "status": self.part,
            });
            let params = PatchParams::apply("rollcall-revoke").force();
            let part = Patch::Apply(&body);
            match calls::call("write the record", self.api.patch_status(self.name(), &params, &part)).await {
                Ok(written) => {
                    self.revocation = written;
                    self.written = Instant::now();
                    return Ok(());
                }
                Err(fault) if fault.is_conflict() => self.read_again().await?,
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::Transient { doing: "write the record", cause: "somebody else kept writing".to_owned() })
    }

    async fn read_again(&mut self) -> Result<(), Fault> {
        let fresh = calls::call("read the Revocation", self.api.get(self.name())).await?;
        let claim = fresh.status.as_ref().and_then(|status| status.claim.as_ref());
        let taken = claim.is_some_and(|claim| claim.by != self.me && Some(claim) != self.found.as_ref());
        // What is finished is sealed: whoever of two was slower changes nothing of it any more.
        let over = fresh.status.as_ref().is_some_and(|status| status.outcome().is_some());
        if taken || over || fresh.metadata.uid != self.revocation.metadata.uid {
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
    let good = |verdict: &&Verdict| {
        matches!(verdict.verdict, VerdictKind::Observed | VerdictKind::Implied | VerdictKind::Adopted)
    };
    let proved: Vec<String> = status.verdicts.iter().filter(good).map(|verdict| verdict.target.uid.clone()).collect();
    for step in status.steps.iter_mut().filter(|step| !proved.contains(&step.target.uid)) {
        step.outcome = StepOutcome::Begun;
        step.message = None;
        step.rotation = step.rotation.take().filter(|rotation| rotation.written.is_some()); // else it is asked for again
    }
    RevocationStatus {
        verdicts: Vec::new(),
        remaining: Vec::new(),
        remaining_count: None,
        acted: None,
        verified: None,
        confirmed: None,
        finished: None,
        ..status
    }
}

/// A manifest as it is kept: whole if it is small enough, and down to its name and the annotations Rollcall reads if not. A
/// binding that does not fit is not kept, and deleted all the same.
#[derive(Debug)]
pub struct Manifest {
    whole: Option<String>,
    least: Option<String>,
}

impl Manifest {
    /// Of an object without what the API server writes.
    pub fn of(object: &Value) -> Self {
        let whole = object.to_string();
        Self { whole: (whole.len() <= ONE_KEPT).then_some(whole), least: least(object) }
    }

    /// The most that fits in so many bytes; the least of an account fits always, since without it nothing is made again.
    fn within(&self, room: usize) -> Option<&str> {
        self.whole.as_deref().filter(|whole| whole.len() <= room).or(self.least.as_deref())
    }

    /// How many bytes it takes.
    pub fn len(&self) -> usize {
        self.whole.as_ref().map_or(0, String::len) + self.least.as_ref().map_or(0, String::len)
    }
}

/// An account with nothing but its name and those annotations; `None` for a binding.
fn least(manifest: &Value) -> Option<String> {
    if manifest.get("roleRef").is_some() {
        return None;
    }
    let meta = manifest.get("metadata")?;
    let annotations =
        meta.get("annotations").and_then(Value::as_object).into_iter().flatten().filter(|(key, value)| {
            [names::OWNER, names::PURPOSE, names::BACKUP_OWNER, names::TEAM].contains(&key.as_str())
                && value.as_str().is_some_and(|text| text.len() <= 1024)
        });
    let annotations: serde_json::Map<String, Value> =
        annotations.map(|(key, value)| (key.clone(), value.clone())).collect();
    let small = serde_json::json!({
        "apiVersion": manifest.get("apiVersion"),
        "kind": manifest.get("kind"),
        "metadata": {"name": meta.get("name"), "namespace": meta.get("namespace"), "annotations": annotations},
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
        let kept = |note: &str, room| {
            serde_json::from_str::<Value>(Manifest::of(&account(note)).within(room).unwrap()).unwrap()
        };
        let only_marks = json!({names::OWNER: "id:hq/7"});
        assert_eq!(kept("short", ALL_KEPT), account("short"));
        assert_eq!(kept(&large, ALL_KEPT)["metadata"]["annotations"], only_marks, "large by itself");
        assert_eq!(kept("short", 0)["metadata"]["annotations"], only_marks, "no room left by others");
        let binding = |subject: &str| Manifest::of(&json!({"roleRef": {}, "subjects": [subject]}));
        assert_eq!(binding(&large).within(ALL_KEPT), None);
        assert!(binding("ada").within(ALL_KEPT).is_some());
    }
}
