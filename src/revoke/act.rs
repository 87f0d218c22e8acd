//! The acts: the only code that deletes anything, and re-creates an account as it was.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams, Preconditions, PropagationPolicy};
use tokio::time::Instant;

use super::Context;
use super::observe::{Observation, Seen, dynamic};
use super::record::Record;
use crate::api::revocation::StepOutcome;
use crate::kube::calls::{self, CALL, announce, call};
use crate::kube::outcome::Fault;
use crate::kube::stop;
use domain::gate::Released;
use domain::plan::{Action, Kind, Target};

/// How long an object may take to be gone after its delete was accepted.
const GOING: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// How one act ended.
struct Ended {
    outcome: StepOutcome,
    new_uid: Option<String>,
    message: Option<String>,
}

impl Ended {
    fn new(outcome: StepOutcome) -> Self {
        Self { outcome, new_uid: None, message: None }
    }

    fn saying(outcome: StepOutcome, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::new(outcome) }
    }
}

/// Carries out a released plan, target by target.
///
/// # Flow          before each step the global stop; then the step; one write of all outcomes at the end
/// # Guarantees    an object whose uid differs from the plan's is never deleted; what a look called not ours is left alone
/// # Assumptions   manifests are written ahead (`Record::claim`)
/// # Errors        transient: what was done is written, and a new process resumes
pub async fn act(ctx: &Context, released: &Released, targets: &[Seen], record: &mut Record) -> Result<(), Fault> {
    debug_assert_eq!(released.plan().targets.len(), targets.len());
    if record.acted().is_some() {
        return Ok(());
    }
    let mut result = Ok(());
    for seen in targets.iter().filter(|seen| !matches!(seen.sight, Observation::Settled)) {
        if let Some(reason) = stop::stopped(&ctx.client, &ctx.namespace).await {
            result = Err(Fault::Transient { doing: "act", cause: format!("everything is stopped: {reason}") });
            break;
        }
        match step(ctx, seen, record).await {
            Ok(ended) => {
                let at = calls::now();
                tell(ctx, record, seen, &ended, at).await;
                record.set_step(&seen.target, ended.outcome, ended.new_uid, ended.message, at);
            }
            Err(fault) => result = result.and(Err(fault)), // the others go on: one target must not shield them
        }
    }
    if result.is_ok() {
        record.set_acted(calls::now());
    }
    record.write().await?;
    result
}

/// One step, by what was seen.
async fn step(ctx: &Context, seen: &Seen, record: &Record) -> Result<Ended, Fault> {
    let target = &seen.target;
    match (&seen.sight, target.action) {
        (Observation::Settled, _) => Ok(Ended::new(StepOutcome::AlreadyGone)),
        (Observation::NotOurs(reason), _) => {
            Ok(Ended::saying(StepOutcome::Skipped, format!("{}: {}", reason.as_str(), reason.advice())))
        }
        (Observation::Refused(message), _) => Ok(Ended::saying(StepOutcome::Refused, message.clone())),
        (Observation::Unseen(fault), _) => Err(fault.clone()),
        (Observation::Replaced { uid }, Action::Recreate) if record.manifest(target).is_some() => Ok(Ended {
            outcome: StepOutcome::Done,
            new_uid: Some(uid.clone()),
            message: Some("it exists with a new uid".to_owned()),
        }),
        (Observation::Replaced { .. }, _) => {
            Ok(Ended::saying(StepOutcome::AlreadyGone, "another object stands in its place"))
        }
        (Observation::Gone, Action::Recreate) => match record.manifest(target) {
            Some(_) => create(ctx, target, record).await,
            None => Ok(Ended::new(StepOutcome::AlreadyGone)),
        },
        (Observation::Gone, _) => Ok(Ended::new(StepOutcome::AlreadyGone)),
        (Observation::Standing { version, .. }, Action::Recreate) => match delete(ctx, target, version).await? {
            Ended { outcome: StepOutcome::Done | StepOutcome::AlreadyGone, .. } => create(ctx, target, record).await,
            ended => Ok(ended),
        },
        (Observation::Standing { version, .. }, Action::Unbind | Action::Delete) => delete(ctx, target, version).await,
    }
}

/// Deletes one object, and waits until its uid is gone.
///
/// # Flow          delete in the background with preconditions on uid and version; look until the uid is gone
/// # Guarantees    an object with another uid, or changed since the look, is never deleted; running it twice is running it once
/// # Assumptions   the namespace consented; the cage policy is installed
/// # Errors        transient: asked again. Refused (403) and held by a finalizer are outcomes, which name who refused or holds
#[allow(clippy::disallowed_methods, reason = "the one place that deletes")]
async fn delete(ctx: &Context, target: &Target, version: &Option<String>) -> Result<Ended, Fault> {
    if cfg!(feature = "fault-noop") {
        return Ok(Ended::new(StepOutcome::Done));
    }
    let api = dynamic(ctx, target);
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: Some(target.uid.clone()), resource_version: version.clone() }),
        propagation_policy: Some(PropagationPolicy::Background),
        ..DeleteParams::default()
    };
    match tokio::time::timeout(CALL, api.delete(&target.name, &params)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) if calls::is(&error, 404) => return Ok(Ended::new(StepOutcome::AlreadyGone)),
        Ok(Err(error)) if calls::is(&error, 409) => return conflict(&api, target).await,
        Ok(Err(kube::Error::Api(status))) if status.code == 403 || status.code == 422 => {
            return Ok(Ended::saying(StepOutcome::Refused, layer(&status.message)));
        }
        Ok(Err(error)) => return Err(Fault::kube("delete", &error)),
        Err(_) => return Err(Fault::Transient { doing: "delete", cause: "no answer in time".to_owned() }),
    }
    let deadline = Instant::now() + GOING;
    loop {
        let live = call("look after a delete", api.get_opt(&target.name)).await?;
        let Some(live) = live.filter(|live| live.metadata.uid.as_deref() == Some(target.uid.as_str())) else {
            return Ok(Ended::new(StepOutcome::Done));
        };
        if Instant::now() >= deadline {
            let held = live.metadata.finalizers.unwrap_or_default().join(", ");
            let message = if held.is_empty() {
                "the API server accepted the delete, and the object is still there".to_owned()
            } else {
                format!("held by the finalizers {held}; whoever set them must let go")
            };
            return Ok(Ended::saying(StepOutcome::Failed, message));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What a refused precondition means: another object stands there, or this one was changed since the look.
async fn conflict(api: &Api<DynamicObject>, target: &Target) -> Result<Ended, Fault> {
    let live = call("look after a conflict", api.get_opt(&target.name)).await?;
    if live.is_none_or(|live| live.metadata.uid.as_deref() != Some(target.uid.as_str())) {
        return Ok(Ended::new(StepOutcome::AlreadyGone));
    }
    Err(Fault::Transient {
        doing: "delete",
        cause: "it was changed since it was looked at; looked at again".to_owned(),
    })
}

/// Creates an account again from the manifest written ahead; one that stands already is success.
///
/// # Flow          create by the same name; on a conflict read who stands there
/// # Guarantees    the account has a new uid, so that no token issued before is valid for it
/// # Errors        transient: asked again. Refused by admission is an outcome
async fn create(ctx: &Context, target: &Target, record: &Record) -> Result<Ended, Fault> {
    if cfg!(feature = "fault-noop") {
        return Ok(Ended::new(StepOutcome::Done));
    }
    let api = dynamic(ctx, target);
    let manifest = record.manifest(target).and_then(|manifest| serde_json::from_value::<DynamicObject>(manifest).ok());
    let Some(manifest) = manifest else {
        return Ok(Ended::saying(StepOutcome::Failed, "deleted, and its manifest cannot be read back"));
    };
    let created = match tokio::time::timeout(CALL, api.create(&PostParams::default(), &manifest)).await {
        Ok(Ok(created)) => created,
        Ok(Err(error)) if calls::is(&error, 409) => call("read who stands there", api.get(&target.name)).await?,
        Ok(Err(kube::Error::Api(status))) if status.code == 403 || status.code == 422 => {
            return Ok(Ended::saying(
                StepOutcome::Refused,
                format!("deleted, and not created again: {}", layer(&status.message)),
            ));
        }
        Ok(Err(error)) => return Err(Fault::kube("create again", &error)),
        Err(_) => return Err(Fault::Transient { doing: "create again", cause: "no answer in time".to_owned() }),
    };
    Ok(Ended { outcome: StepOutcome::Done, new_uid: created.metadata.uid, message: None })
}

/// Which layer refused, and with which policy; the API server's own words name objects and identities, no payload.
fn layer(message: &str) -> String {
    let layer = if message.contains("ValidatingAdmissionPolicy") { "admission policy" } else { "RBAC" };
    format!("{layer}: {}", message.chars().take(400).collect::<String>())
}

/// Events on the Person and on the object acted on.
async fn tell(ctx: &Context, record: &Record, seen: &Seen, ended: &Ended, at: jiff::Timestamp) {
    if ended.outcome != StepOutcome::Done {
        return;
    }
    let target = &seen.target;
    let (reason, did) = match target.action {
        Action::Unbind => ("Unbound", "deleted, its manifest kept"),
        Action::Recreate => ("Recreated", "deleted and created again: every token issued before is dead"),
        Action::Delete => ("Removed", "deleted"),
    };
    let (api_version, kind) = match target.kind {
        Kind::ServiceAccount => ("v1", "ServiceAccount"),
        Kind::RoleBinding => ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        Kind::ClusterRoleBinding => ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    };
    let person = ObjectReference {
        api_version: Some("rollcall.dev/v1alpha1".to_owned()),
        kind: Some("Person".to_owned()),
        name: Some(record.person().to_owned()),
        namespace: Some(ctx.namespace.clone()),
        uid: Some(record.person_uid().to_owned()),
        ..ObjectReference::default()
    };
    let object = ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.to_owned()),
        name: Some(target.name.clone()),
        namespace: (!target.namespace.is_empty()).then(|| target.namespace.clone()),
        uid: ended.new_uid.clone().or_else(|| Some(target.uid.clone())),
        ..ObjectReference::default()
    };
    let note = format!("{} by {}/{} of {}", did, ctx.instance, record.name(), record.person());
    futures::join!(
        announce(&ctx.client, "revoke", person, reason, note.clone(), at),
        announce(&ctx.client, "revoke", object, reason, note, at),
    );
}
