//! Revocation: one hashed plan for one person: gate, approval, steps, verdicts, what remains, and the evidence.

mod done;
mod exposure;
mod hooks;
mod recheck;
mod rotation;

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
pub use done::*;
pub use exposure::{ExposedSecret, Exposure, ExposureTier, Sessions};
pub use hooks::{HookOutcome, HookRun};
pub use recheck::Recheck;
pub use rotation::{Rotation, Rotator};

/// Spec of a Revocation: written by `rollcall control`; `approval` and `rejection` by those who decide.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "Revocation",
    plural = "revocations",
    singular = "revocation",
    namespaced,
    status = "RevocationStatus",
    derive = "PartialEq",
    shortname = "revo",
    category = "rollcall",
    doc = "One hashed plan for one person: gate, approval, steps, verdicts, what remains, and the evidence.",
    selectable = ".spec.person",
    selectable = ".status.phase",
    selectable = ".status.recheck.next",
    printcolumn(name = "Person", type_ = "string", json_path = ".spec.person"),
    printcolumn(name = "Operation", type_ = "string", json_path = ".spec.operation"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Gate", type_ = "string", json_path = ".status.gate.reason"),
    printcolumn(name = "Batch", type_ = "string", json_path = ".status.gate.batch"),
    printcolumn(name = "Remaining", type_ = "integer", json_path = ".status.remainingCount"),
    printcolumn(name = "Verified", type_ = "date", json_path = ".status.verified"),
    printcolumn(name = "Plan", type_ = "string", json_path = ".status.plan.hash", priority = 1),
    printcolumn(name = "Evidence", type_ = "string", json_path = ".status.evidence.hash", priority = 1)
)]
#[x_kube(
    validation = Rule::new("self.person == oldSelf.person && self.personUid == oldSelf.personUid && self.trigger == oldSelf.trigger && self.operation == oldSelf.operation && self.policy == oldSelf.policy && self.due == oldSelf.due && self.late == oldSelf.late && has(self.by) == has(oldSelf.by) && (!has(self.by) || self.by == oldSelf.by) && has(self.owned) == has(oldSelf.owned) && (!has(self.owned) || self.owned == oldSelf.owned)").message("only approval and rejection can be set on a Revocation"),
    validation = Rule { rule: "oldSelf.hasValue() || !(has(self.approval) || has(self.secondApproval) || has(self.rejection))".into(), message: Some("a Revocation cannot be created approved or rejected".into()), optional_old_self: Some(true), ..Rule::default() },
    validation = Rule::new("!has(oldSelf.approval) || (has(self.approval) && (self.approval == oldSelf.approval || self.approval.at > oldSelf.approval.at))").message("an approval is final; one that expired, or whose plan changed, can be given again, with a later time"),
    validation = Rule::new("!has(self.secondApproval) || (has(self.approval) && self.secondApproval.planHash == self.approval.planHash && self.secondApproval.by != self.approval.by)").message("a second approval is of the plan that was approved first, by somebody else"),
    validation = Rule::new("!has(oldSelf.secondApproval) || (has(self.secondApproval) ? self.secondApproval == oldSelf.secondApproval : self.approval != oldSelf.approval)").message("a second approval is final, and goes with the first when that is given again"),
    validation = Rule::new("!has(self.rejection) || (!has(self.secondApproval) && has(self.approval) == has(oldSelf.approval) && (!has(self.approval) || self.approval == oldSelf.approval))").message("a Revocation is approved or rejected, not both; of two approvals, one may stand when it is rejected")
)]
#[serde(rename_all = "camelCase")]
pub struct RevocationSpec {
    /// Name of the Person, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub person: String,
    /// Uid of the Person, so that a Person of the same name made later is not meant.
    #[schemars(length(min = 1, max = 64))]
    pub person_uid: String,
    /// Name of the SyncPolicy whose rule this is.
    #[schemars(length(min = 1, max = 253))]
    pub policy: String,
    /// What set it off.
    pub trigger: Trigger,
    /// `Cut` acts at once and can be undone by issuing new credentials; `Remove` follows after `removeAfter` and deletes;
    /// `Freeze` refuses what changes anything until it is lifted.
    pub operation: Operation,
    /// The earliest instant it may act.
    pub due: Timestamp,
    /// Found after the first plan of this termination: acts only once approved.
    #[serde(default)]
    pub late: bool,
    /// Of a first cut: uids of the accounts and bindings that named the person when it was made. None of them is a later
    /// discovery, however often its owner has touched it since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), inner(length(max = 64)))]
    pub owned: Vec<String>,
    /// Why it was made, with ids only, such as `id:hq/7 left on 2026-02-28`.
    #[schemars(length(max = 256))]
    pub reason: String,
    /// User name of who asked for it, of trigger `AdHoc`; the API server checks that it is the requester's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub by: Option<String>,
    /// Absent at create, final once set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The approval of a second person, of the same plan, where the policy asks for two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_approval: Option<Approval>,
    /// Absent at create; keeps this Revocation shut, whatever its plan, until it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejection>,
}

/// What set a Revocation off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Trigger {
    /// The person's employments have ended.
    Termination,
    /// The person is on leave or suspended.
    Leave,
    /// A human asked for it: `kubectl rollcall revoke-now`.
    AdHoc,
}

/// How far a Revocation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Operation {
    /// Deletes the bindings that are theirs alone and recreates their personal accounts, which can be undone by issuing new ones.
    Cut,
    /// Deletes what the cut left standing.
    Remove,
    /// Refuses what the person would change in the cluster, by an admission policy and a list of user names. Lifted exactly.
    Freeze,
}

/// An approval of exactly one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Hash of the approved plan.
    #[schemars(length(min = 64, max = 64), regex(pattern = "^[0-9a-f]{64}$"))]
    pub plan_hash: String,
    /// User name of the approver; the API server checks that it is the requester's.
    #[schemars(length(min = 1, max = 256))]
    pub by: String,
    /// When, by the approver's clock. The approval expires after `limits.approvalsLast` of the policy, if the revoker has not taken the
    /// Revocation by then.
    pub at: Timestamp,
}

/// A human's no to what a Revocation would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Why, for the record: it is sealed with the evidence.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// User name of who rejects; the API server checks that it is the requester's.
    #[schemars(length(min = 1, max = 256))]
    pub by: String,
}

/// Status of a Revocation. Control writes phase, gate, plan, exposure, job, instants, evidence, attempt, retried, freeze, returned, hooks and conditions; the
/// revoker writes claim, steps, verdicts, kept, remaining, remainingCount, acted, verified, confirmed, finished and recheck. Of a freeze, which has no
/// Job, control writes verdicts, acted, verified and lifted too. An admission policy keeps them apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationStatus {
    /// Generation of the spec these words are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where it is on its way from `Held` to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The gate that keeps it from being released, while `phase` is `Held`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What it will do, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Secrets that the person could read when this was planned, though they own none of them, and where they could open a session; of a
    /// first cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// Name of the Job started for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub job: Option<String>,
    /// When each part of it happened first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instants: Option<Instants>,
    /// Where its sealed record is, once it has ended or was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// How often it was tried again after it had failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The annotation `rollcall.dev/retry` that the newest attempt answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub retried: Option<String>,
    /// When a freeze was lifted, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Timestamp>,
    /// Of a cut for a termination: what became of `plan.freezes`, and whether it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze: Option<FirstFreeze>,
    /// Credentials of this person that came back after the act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub returned: Vec<Returned>,
    /// The hooks of the policy, as they were when their turn came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub hooks: Vec<HookRun>,
    /// `Ready`, `Reconciling`, `Stalled`, `Returned`, `Refuted`, `HooksFailed`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The Job that took it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// What the revoker did, one entry a target, in the order in which it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub steps: Vec<Step>,
    /// What the API server was seen to say of each target afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub verdicts: Vec<Verdict>,
    /// Manifests written ahead of what deletes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub kept: Vec<Kept>,
    /// What the revoker found to remain, beyond what the plan knew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub remaining: Vec<Remaining>,
    /// How much of the person's access remains at the end, of what the plan left alone and of what the revoker did:
    /// `finished: Revoked` speaks of the targets, and of nothing that is counted here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_count: Option<u32>,
    /// When the last act of the newest attempt ended, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted: Option<Timestamp>,
    /// When every target had its first verdict `Observed` or `Implied`, asked past every cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// When that was seen again after the API server's cache had lapsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
    /// How the revoker's newest attempt ended; absent while it is at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Finished>,
    /// The checks after the end, by later Jobs: whether what was ended works again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<Recheck>,
}

/// Where a Revocation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// A gate keeps it; `gate` says which.
    Held,
    /// Every gate is open; a Job will take it.
    Released,
    /// The revoker is done and every target is refused.
    Revoked,
    /// The revoker is done, and not every target is proved refused; `verdicts` and `steps` say which.
    Failed,
    /// The reason for it is gone; nothing more will be done. What was done before is in `steps`.
    Cancelled,
    /// A freeze stands: writes are refused, and reads are not.
    Frozen,
    /// A freeze was lifted: what it refused is allowed again.
    Lifted,
}

/// What a Revocation waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// The first gate that stops it.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// In words, with what to do next.
    #[schemars(length(max = 512))]
    pub message: String,
    /// When the gate opens by itself, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The batch that one count held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub batch: Option<String>,
}

/// What a Revocation will do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// SHA-256 over person uid, rule, operation and the set of freezes and targets.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// Of a cut for a termination: user names of the person, which are refused what changes anything before a target is acted on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub freezes: Vec<Target>,
    /// What will be acted on, in order.
    #[schemars(length(max = 256))]
    pub targets: Vec<Target>,
    /// What is the person's and is left alone, with why and what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub remaining: Vec<Remaining>,
    /// How many targets are accounts that something runs as, though they are annotated as personal; of evictions, of how many workloads
    /// the pods are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub workloads: u32,
    /// User names of the person: none of them may approve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 512)))]
    pub usernames: Vec<String>,
    /// Whether two people have to approve it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_two: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// One object and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// What the revoker does with it.
    pub action: Action,
    /// Kind of the object, such as `ServiceAccount`.
    pub kind: TargetKind,
    /// Its namespace; empty for a ClusterRoleBinding.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Its name: a binding may be called almost anything, at almost any length.
    #[schemars(length(max = 1024))]
    pub name: String,
    /// Its uid when the plan saw it; a user name has none.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// Of a hand-over: the owner annotation that the account gets, such as `id:hq/9` or `team:payments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub heir: Option<String>,
    /// What says that it is this person's: the owner annotation or the user name.
    #[schemars(length(max = 256))]
    pub why: String,
}

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// A binding whose every subject is this person's is deleted; its manifest is kept.
    Unbind,
    /// This person's user names are taken out of a binding that others share, by `rollcall trim`; its manifest is kept.
    Trim,
    /// A personal account is deleted and at once re-created as it was: every token ever issued for it is dead.
    Recreate,
    /// An account that workloads run as is deleted and at once re-created as its next owner's; what runs as it is replaced.
    HandOver,
    /// A Secret's value is replaced by who manages it, and what runs with the old one is restarted. Its contents are never read.
    Rotate,
    /// The object is deleted for good, after `removeAfter`.
    Delete,
    /// The user name is refused what changes anything, until the freeze is lifted.
    Freeze,
    /// A pod in which this person may have an exec, attach or port-forward open is evicted, within disruption budgets; what makes it makes
    /// another one.
    Evict,
}

/// Kind of an object that is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TargetKind {
    /// A binding of cluster-wide rights.
    ClusterRoleBinding,
    /// A binding of rights in a namespace.
    RoleBinding,
    /// A ServiceAccount, with all its tokens.
    ServiceAccount,
    /// A user name, which is no object: with any credential, a client certificate too.
    User,
    /// A Secret, by its metadata.
    Secret,
    /// A pod.
    Pod,
}

/// When each part of a Revocation happened first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Instants {
    /// When the termination took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Timestamp>,
    /// When a trusted response said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// When every gate was first open, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Timestamp>,
}

/// Where the sealed record of a Revocation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Name of the immutable ConfigMap, such as `rollcall-evidence-00000001`.
    #[schemars(length(max = 253))]
    pub name: String,
    /// SHA-256 of the record's text, as lower-case hex.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// Hash of the record before it in the chain.
    #[schemars(length(max = 64))]
    pub previous: String,
}

/// A credential that came back after the act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Returned {
    /// Kind of what came back: `ServiceAccount`, `Secret`, `RoleBinding` or `ClusterRoleBinding`.
    #[schemars(length(max = 63))]
    pub kind: String,
    /// Namespace of it; empty for a ClusterRoleBinding.
    #[schemars(length(max = 63))]
    pub namespace: String,
    /// Name of it, as it is now.
    #[schemars(length(max = 1024))]
    pub name: String,
    /// Uid of it: another than the one that was revoked; of a trimmed binding that names the person again, mostly the same.
    #[schemars(length(max = 64))]
    pub uid: String,
    /// When it was first seen again, in UTC.
    pub at: Timestamp,
    /// The field manager that wrote it, by the object's own `managedFields`, such as `argocd-controller`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub by: Option<String>,
}
