//! The Job of a hook: the pod template that a human allowed, and one annotation with the Revocation, which the pod reads as a file.
//!
//! Nothing else is added, so that the admission policy can compare the whole: no volume, no container, no environment.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api::revocation::{HookRun, Operation, Plan, Target, TargetKind, Trigger};
use crate::api::{Person, Revocation, names};
use domain::hooks::KEPT;

/// Version of the file's form.
const VERSION: u32 = 1;
/// Longest file: the annotations of an object have 256 KiB together.
const MAX_FILE: usize = 200_000;
/// Hex digits of the digest in a Job's name.
const DIGITS: usize = 20;

/// The file. What is personal in it are user names, which a hook needs to end an account of that name elsewhere.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    version: u32,
    revocation: String,
    uid: String,
    operation: Operation,
    trigger: Trigger,
    reason: &'a str,
    policy: &'a str,
    person: &'a str,
    records: Vec<String>,
    usernames: &'a [String],
    own_usernames: Vec<&'a str>,
    hook: &'a str,
    when: &'static str,
    attempt: u32,
    phase: Option<&'static str>,
    targets: Vec<Object<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    targets_left_out: usize,
}

/// A target of the plan.
#[derive(Debug, Serialize)]
struct Object<'a> {
    action: &'static str,
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    uid: &'a str,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl<'a> From<&'a Target> for Object<'a> {
    fn from(target: &'a Target) -> Self {
        let Target { action, kind, namespace, name, uid, heir: _, why: _ } = target;
        Self { action: action.as_str(), kind: kind.as_str(), namespace, name, uid }
    }
}

/// The Revocation as the hook reads it: as JSON, and never longer than an annotation may be.
#[must_use]
pub fn file(revocation: &Revocation, person: Option<&Person>, plan: Option<&Plan>, run: &HookRun) -> String {
    let of_plan = plan.map(|plan| plan.targets.as_slice()).unwrap_or_default();
    let records = person.map(|person| person.spec.records.as_slice()).unwrap_or_default();
    let phase = revocation.status.as_ref().and_then(|status| status.phase);
    let with = |targets: &[Target]| {
        let left_out = of_plan.len().saturating_sub(targets.len());
        let file = File {
            version: VERSION,
            revocation: revocation.name_any(),
            uid: revocation.uid().unwrap_or_default(),
            operation: revocation.spec.operation,
            trigger: revocation.spec.trigger,
            reason: &revocation.spec.reason,
            policy: &revocation.spec.policy,
            person: &revocation.spec.person,
            records: records.iter().map(|record| format!("{}/{}", record.connection, record.id)).collect(),
            usernames: plan.map(|plan| plan.usernames.as_slice()).unwrap_or_default(),
            own_usernames: plan.map(own_usernames).unwrap_or_default(),
            hook: &run.name,
            when: run.when.as_str(),
            attempt: run.attempts,
            phase: phase.map(|phase| phase.as_str()),
            targets: targets.iter().map(Object::from).collect(),
            targets_left_out: left_out,
        };
        serde_json::to_string(&file).unwrap_or_default()
    };
    let mut some = of_plan;
    loop {
        let text = with(some);
        if text.len() <= MAX_FILE || some.is_empty() {
            return text;
        }
        some = some.get(..some.len() / 2).unwrap_or_default();
    }
}

/// User names that are this person's alone: those that the plan freezes. Others may be somebody's who works here.
fn own_usernames(plan: &Plan) -> Vec<&str> {
    plan.freezes.iter().filter(|one| one.kind == TargetKind::User).map(|one| one.name.as_str()).collect()
}

/// What the Job of an attempt is called: the same whoever makes it, so that it is made once.
#[must_use]
pub fn name(revocation: &str, run: &HookRun) -> String {
    let digest = Sha256::digest(format!("{revocation}\0{}", run.name).as_bytes());
    let digest: String = data_encoding::HEXLOWER.encode(&digest).chars().take(DIGITS).collect();
    format!("hook-{digest}-{}", run.attempts)
}

/// The Job, as raw JSON: a typed one would lose fields of the template that it does not know.
#[must_use]
pub fn made(name: &str, revocation: &str, run: &HookRun, template: &Value, file: &str) -> Option<DynamicObject> {
    let mut template = template.clone();
    let metadata = template.as_object_mut()?.entry("metadata").or_insert_with(|| json!({}));
    let annotations = metadata.as_object_mut()?.entry("annotations").or_insert_with(|| json!({}));
    annotations.as_object_mut()?.insert(names::HOOK_FILE.to_owned(), json!(file));
    let labels = BTreeMap::from([(names::HOOK, run.name.as_str()), (names::REVOCATION, revocation)]);
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels},
        "spec": {
            "parallelism": 1, "completions": 1, "backoffLimit": 0, // attempts are counted here, and not by the Job
            "activeDeadlineSeconds": run.timeout_seconds, "ttlSecondsAfterFinished": KEPT.as_secs(),
            "template": template,
        },
    });
    serde_json::from_value(job).ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::api::policy::When;
    use crate::api::revocation::{HookOutcome, Plan};

    fn run() -> HookRun {
        HookRun {
            name: "end-database-user".into(),
            when: When::After,
            outcome: HookOutcome::Begun,
            verdict: None,
            message: None,
            attempts: 2,
            timeout_seconds: 300,
            started: Timestamp::UNIX_EPOCH,
            begun: Some(Timestamp::UNIX_EPOCH),
            job: None,
            job_uid: None,
            again: None,
            ended: None,
        }
    }

    fn revocation() -> Revocation {
        serde_json::from_value(json!({
            "metadata": {"name": "p-7-1a2b3c4d-cut", "uid": "r-1"},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": "2026-03-01T00:00:00Z", "reason": "id:hq/7 left on 2026-02-28"},
            "status": {"phase": "Revoked"},
        }))
        .unwrap()
    }

    fn plan(targets: usize, name: &str) -> Plan {
        let target = json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": name, "uid": "1", "why": "owner"});
        let targets: Vec<_> = std::iter::repeat_n(target, targets).collect();
        serde_json::from_value(json!({"hash": "h", "targets": targets, "usernames": ["oidc:ada@example.com", "oidc:old@example.com"],
            "freezes": [{"action": "Freeze", "kind": "User", "namespace": "", "name": "oidc:ada@example.com", "uid": "", "why": "theirs alone"}]})).unwrap()
    }

    #[test]
    fn the_file_says_who_and_what_by_ids_and_user_names() {
        let person: Person = serde_json::from_value(json!({
            "metadata": {"name": "p-7"}, "spec": {"records": [{"connection": "hq", "id": "7"}]},
            "status": {"profile": {"displayName": "Ada Lovelace", "workEmail": "ada@example.com"}}}))
        .unwrap();
        let text = file(&revocation(), Some(&person), Some(&plan(1, "ci")), &run());
        let read: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "version": 1, "revocation": "p-7-1a2b3c4d-cut", "uid": "r-1", "operation": "Cut", "trigger": "Termination",
            "reason": "id:hq/7 left on 2026-02-28", "policy": "everyone", "person": "p-7", "records": ["hq/7"],
            "usernames": ["oidc:ada@example.com", "oidc:old@example.com"], "ownUsernames": ["oidc:ada@example.com"],
            "hook": "end-database-user", "when": "After", "attempt": 2,
            "phase": "Revoked",
            "targets": [{"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": "ci", "uid": "1"}],
        });
        assert_eq!(read, expected);
        assert!(!text.contains("Lovelace"), "no name, and no address but as a user name");
    }

    #[test]
    fn a_file_of_any_plan_fits_into_an_annotation_and_says_what_it_leaves_out() {
        let text = file(&revocation(), None, Some(&plan(256, &"x".repeat(1024))), &run());
        let read: Value = serde_json::from_str(&text).unwrap();
        let targets = read["targets"].as_array().unwrap().len();
        assert!(text.len() <= MAX_FILE && targets > 100, "{}", text.len());
        assert_eq!(read["targetsLeftOut"], 256 - targets);
    }

    #[test]
    fn an_attempt_has_one_job_whoever_makes_it_and_nothing_but_the_file_is_added() {
        let template =
            json!({"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "hook", "brandNew": 1}]}});
        let name = name("r-1", &run());
        assert_eq!(name, super::name("r-1", &run()));
        assert!(name.len() <= 63 && name.ends_with("-2"), "{name}");
        let job = serde_json::to_value(made(&name, "r-1", &run(), &template, "{}").unwrap()).unwrap();
        let expected = json!({
            "metadata": {"labels": {"app": "db"}, "annotations": {names::HOOK_FILE: "{}"}},
            "spec": {"containers": [{"name": "hook", "brandNew": 1}]},
        });
        assert_eq!(job["spec"]["template"], expected);
        assert_eq!(job["spec"]["activeDeadlineSeconds"], 300);
    }
}
