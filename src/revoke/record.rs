//! What the revoker writes down: its own part of a Revocation's status, always as a whole, never over another's claim.

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, Patch, PatchParams};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Context;
use super::look::{Looked, Sight};
use crate::api::Revocation;
use crate::api::revocation::{Claim, Finished, Kept, Residual, Step, StepOutcome, Verdict};
use crate::cluster::{self, CALL};
use crate::domain::plan::{Action, Target};
use crate::outcome::Fault;

/// After this long without a word another process may take a claim over: every act is safe when two act.
const SILENT: SignedDuration = SignedDuration::from_secs(15);
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
    residual: Vec<Residual>,
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
            && cluster::now().duration_since(claim.at) < SILENT
        {
            return None;
        }
        let part = Part {
            claim: status.claim,
            steps: status.steps,
            verdicts: status.verdicts,
            kept: status.kept,
            residual: status.residual,
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
    pub async fn claim(&mut self, looked: &Looked) -> Result<(), Fault> {
        let now = cluster::now();
        for seen in looked.targets() {
            let Sight::Standing { manifest } = &seen.sight else { continue };
            if seen.target.action != Action::Delete && self.manifest(&seen.target).is_none() {
                let manifest = manifest.to_string();
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
        let step = Step { target: target.into(), outcome, new_uid, message, at };
        match self.part.steps.iter_mut().find(|step| step.target.uid == target.uid) {
            Some(standing) => *standing = step,
            None => self.part.steps.push(step),
        }
    }

    /// Notes something that remains.
    pub fn remain(&mut self, residual: Residual) {
        if !self.part.residual.contains(&residual) {
            self.part.residual.push(residual);
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
        self.part.claim = Some(Claim { by: self.ctx.me.clone(), at: cluster::now() });
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
                Ok(Err(error)) if cluster::is(&error, 409) => self.read_again(&api).await?,
                Ok(Err(error)) => return Err(Fault::kube("write the record", &error)),
                Err(_) => {
                    return Err(Fault::Transient { doing: "write the record", cause: "no answer in time".to_owned() });
                }
            }
        }
        Err(Fault::Transient { doing: "write the record", cause: "somebody else kept writing".to_owned() })
    }

    async fn read_again(&mut self, api: &Api<Revocation>) -> Result<(), Fault> {
        let fresh = cluster::call("read the Revocation", api.get(self.name())).await?;
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
