//! The acts: the only code that deletes anything, and re-creates an account as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DeleteParams, DynamicObject, PostParams, Preconditions, PropagationPolicy};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::Context;

use super::finalizers::{self, Held};
use super::observe::{Observation, Observer, SIDE_BY_SIDE, Seen};
use super::record::Record;
use super::{evictions, rotate, trims, waves};
use crate::api::condition::Reason;
use crate::api::names;
use crate::api::revocation::StepOutcome;
use crate::kube::calls::{self, call, publish_event};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::targets;
use domain::plan::{Action, Kind, RemainingReason, Target};

/// Longest time for one step, all its calls together.
const STEP: Duration = Duration::from_secs(45);
/// How long control's list of what may be made again may take to be seen by the API server, where another control has to take over
/// first; and how often that is tried.
pub const LISTED: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(250);
/// How often an object that was changed since it was looked at is looked at again and tried by its version. After that
/// its uid alone has to fit: who keeps changing their account does not keep it.
const TOUCHED: usize = 5;

/// How one act ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: StepOutcome,
    /// Uid of what stands in its place.
    pub new_uid: Option<String>,
    /// In words.
    pub message: Option<String>,
    /// Why it was left alone.
    pub left: Option<RemainingReason>,
}

impl Ended {
    /// Ended, and there is nothing to say of it.
    pub fn new(outcome: StepOutcome) -> Self {
        Self { outcome, new_uid: None, message: None, left: None }
    }

    /// Ended, with words.
    pub fn saying(outcome: StepOutcome, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::new(outcome) }
    }

    /// Left alone, and why.
    pub fn left_alone(reason: RemainingReason) -> Self {
        let message = format!("{}: {}", reason.as_str(), reason.advice());
        Self { left: Some(reason), ..Self::saying(StepOutcome::Skipped, message) }
    }
}

/// What became of one step.
pub enum Stepped {
    /// It came to its end.
    Ended(Ended),
    /// Its delete was accepted, and these finalizers hold it.
    Held(String),
}

/// What is to be done about a target, by what was seen of it.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing.
    End(Ended),
    /// Delete it.
    Delete,
    /// Delete it, and make it again.
    Recreate,
    /// Make it again: it is gone already.
    Create,
}

/// Carries out a released plan, target by target, side by side.
///
/// # Flow          rights, then accounts, then both of what finalizers hold; before each step the global stop; outcomes
///                 written as they come; what another identity trims is left open (`trims`); what is held waits aside for
///                 all others, of this leaver and of every other: it gives up its place among those who are acted on, which
///                 is given back otherwise
/// # Guarantees    an object whose uid differs from the plan's is never deleted; what a look called not ours is left alone
/// # Assumptions   manifests are written ahead (`Record::claim`)
/// # Errors        transient: what was done is written, and a new process resumes
pub async fn act(
    ctx: &Context,
    observer: &Observer<'_>,
    targets: &[Seen],
    record: &mut Record,
    place: OwnedSemaphorePermit,
) -> Result<Option<OwnedSemaphorePermit>, Fault> {
    if record.acted().is_some() {
        return Ok(Some(place));
    }
    let before: BTreeSet<String> = record.done().map(|(uid, _)| uid.to_owned()).collect();
    let mut result = Ok(());
    let mut held = Vec::new();
    for wave in waves(targets) {
        let manifests: Vec<_> = wave.iter().map(|seen| record.manifest(&seen.target)).collect();
        let steps = wave
            .into_iter()
            .zip(manifests)
            .map(|(seen, manifest)| async move { (seen, in_time(ctx, step(ctx, observer, seen, manifest)).await) });
        let mut steps = std::pin::pin!(futures::stream::iter(steps).buffer_unordered(SIDE_BY_SIDE));
        while let Some((seen, stepped)) = steps.next().await {
            match stepped {
                Ok(Stepped::Ended(ended)) => note(ctx, record, seen, ended).await,
                Ok(Stepped::Held(by)) => held.push(Held { seen, by }),
                Err(fault) => result = result.and(Err(fault)), // the others go on: one target must not shield them
            }
            record.write_by_and_by().await?;
        }
    }
    let evicts = targets.iter().any(evictions::is_its);
    let long = evicts || targets.iter().any(rotate::is_its);
    let place = Some(place).filter(|_| held.is_empty() && !long);
    result = result.and(rotate::begin(ctx, targets, record).await);
    result = result.and(finalizers::wait(ctx, held, record).await);
    if result.is_ok() && !evicts && !targets.iter().any(trims::awaited) {
        record.set_acted(calls::now());
    }
    // What follows at once is written with its verdicts; until then it is what the next process sees of the cluster.
    let at_once = result.is_ok() && place.is_some();
    if at_once {
        record.write_by_and_by().await?
    } else {
        record.write().await?
    }
    publish_on_person(ctx, record, &done_since(&before, record)).await;
    result.map(|()| place)
}

/// How many targets of each action were brought to their end since `before`.
fn done_since(before: &BTreeSet<String>, record: &Record) -> BTreeMap<Action, usize> {
    let mut done = BTreeMap::new();
    for (_, action) in record.done().filter(|(uid, _)| !before.contains(*uid)) {
        *done.entry(action).or_default() += 1;
    }
    done
}

/// The order of acting: what can be ended at once goes before what a finalizer will hold, and in each, rights before
/// accounts. Within a wave nobody waits for anybody.
fn waves(targets: &[Seen]) -> Vec<Vec<&Seen>> {
    let is_held = |seen: &Seen| matches!(seen.observation, Observation::Standing { held: true, .. });
    let is_account = |seen: &Seen| seen.target.kind == Kind::ServiceAccount;
    let aside = |seen: &Seen| trims::awaited(seen) || rotate::is_its(seen) || evictions::is_its(seen);
    let open = |seen: &&Seen| !matches!(seen.observation, Observation::Settled) && !aside(seen);
    let open = targets.iter().filter(open);
    let (held, free): (Vec<&Seen>, Vec<&Seen>) = open.partition(|seen| is_held(seen));
    [free, held]
        .into_iter()
        .flat_map(|seen| {
            let (accounts, rights): (Vec<&Seen>, Vec<&Seen>) = seen.into_iter().partition(|seen| is_account(seen));
            [rights, accounts]
        })
        .collect()
}

/// One step with its deadline, unless everything is stopped.
pub async fn in_time(ctx: &Context, step: impl Future<Output = Result<Stepped, Fault>>) -> Result<Stepped, Fault> {
    if let Some(reason) = ctx.shared.stopped(ctx).await {
        return Err(Fault::Transient { doing: "act", cause: format!("everything is stopped: {reason}") });
    }
    tokio::time::timeout(STEP, step).await.unwrap_or_else(|_| Err(Fault::unanswered("act")))
}

/// Notes how a step ended, and publishes it on the object.
pub async fn note(ctx: &Context, record: &mut Record, seen: &Seen, ended: Ended) {
    let at = calls::now();
    publish_on_object(ctx, record, seen, &ended, at).await;
    if let Some(reason) = ended.left {
        record.left(&seen.target, reason);
    }
    record.set_step(&seen.target, ended.outcome, ended.new_uid, ended.message, at);
}

/// What is to be done, by what was seen.
fn next(observation: &Observation, action: Action, kept: bool) -> Result<Next, Fault> {
    Ok(match (observation, action) {
        (Observation::Settled, _) => Next::End(Ended::new(StepOutcome::AlreadyGone)),
        (Observation::NotOurs(reason), _) => Next::End(Ended::left_alone(*reason)),
        (Observation::Refused(message), _) => Next::End(Ended::saying(StepOutcome::Refused, message.clone())),
        (Observation::Unseen(fault), _) => return Err(fault.clone()),
        (Observation::Replaced { uid }, Action::Recreate | Action::HandOver) if kept => Next::End(Ended {
            new_uid: Some(uid.clone()),
            ..Ended::saying(StepOutcome::Done, "it exists with a new uid")
        }),
        (Observation::Replaced { .. }, _) => {
            Next::End(Ended::saying(StepOutcome::AlreadyGone, "another object stands in its place"))
        }
        (Observation::Gone, Action::Recreate | Action::HandOver) if kept => Next::Create,
        (Observation::Gone, Action::Rotate) => Next::End(Ended::left_alone(RemainingReason::SecretGone)),
        (Observation::Gone, _) => Next::End(Ended::new(StepOutcome::AlreadyGone)),
        // Nothing of the kind is deleted or made again, whatever was seen of it.
        (Observation::Rotates(_) | Observation::Rotated, _) | (Observation::Standing { .. }, Action::Rotate) => {
            Next::End(Ended::left_alone(RemainingReason::NotRotated))
        }
        // A pod is evicted, aside, and never deleted.
        (Observation::Evicts, _) | (Observation::Standing { .. }, Action::Evict) => {
            Next::End(Ended::left_alone(RemainingReason::OpenSessions))
        }
        (Observation::Standing { .. }, Action::Freeze) => {
            Next::End(Ended::saying(StepOutcome::Skipped, "a freeze is no act of the revoker"))
        }
        // Whoever it was to be trimmed for is the last one in it; one that others share is never deleted.
        (Observation::Standing { .. }, Action::Trim) => Next::Delete,
        (Observation::Shared { .. }, _) => Next::End(Ended::left_alone(RemainingReason::SharedBinding)),
        (Observation::Standing { .. }, Action::Recreate | Action::HandOver) => Next::Recreate,
        (Observation::Standing { .. }, Action::Unbind | Action::Delete) => Next::Delete,
    })
}

/// One step.
async fn step(
    ctx: &Context,
    observer: &Observer<'_>,
    seen: &Seen,
    manifest: Option<serde_json::Value>,
) -> Result<Stepped, Fault> {
    if cfg!(feature = "fault-noop") {
        return Ok(Stepped::Ended(Ended::new(StepOutcome::Done)));
    }
    match next(&seen.observation, seen.target.action, manifest.is_some())? {
        Next::End(ended) => Ok(Stepped::Ended(ended)),
        Next::Create => create(ctx, &seen.target, manifest).await,
        Next::Delete => delete(ctx, observer, seen).await,
        Next::Recreate => {
            if seen.target.action == Action::HandOver
                && let Some(ended) = Box::pin(waves::refused(ctx, &seen.target, manifest.clone())).await?
            {
                return Ok(Stepped::Ended(ended));
            }
            match delete(ctx, observer, seen).await? {
                Stepped::Ended(Ended { outcome: StepOutcome::Done | StepOutcome::AlreadyGone, .. }) => {
                    create(ctx, &seen.target, manifest).await
                }
                other => Ok(other),
            }
        }
    }
}

/// Deletes one object.
///
/// # Flow          delete in the background with preconditions on uid and version; if it was changed since, look again by
///                 the same rules and try at once, at last by its uid alone
/// # Guarantees    an object with another uid, or that the last look called not ours, is never deleted; twice is once
/// # Assumptions   the namespace consented; the cage policy is installed
/// # Errors        transient: asked again. Refused and held by a finalizer are outcomes, which name who refused or holds
#[allow(clippy::disallowed_methods, reason = "the one place that deletes")]
pub async fn delete(ctx: &Context, observer: &Observer<'_>, seen: &Seen) -> Result<Stepped, Fault> {
    let (api, target) = (targets::api(&ctx.client, &seen.target), &seen.target);
    let mut version = match &seen.observation {
        Observation::Standing { version, .. } => version.clone(),
        _ => None,
    };
    for attempt in 0..=TOUCHED {
        let resource_version = version.clone().filter(|_| attempt < TOUCHED);
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(target.uid.clone()), resource_version }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        match call("delete", api.delete(&target.name, &params)).await {
            Ok(None) => return Ok(Stepped::Ended(Ended::new(StepOutcome::Done))),
            Ok(Some(held)) => {
                let by = held.metadata.finalizers.unwrap_or_default().join(", ");
                return Ok(Stepped::Held(by));
            }
            Err(fault) if fault.is_not_found() => return Ok(Stepped::Ended(Ended::new(StepOutcome::AlreadyGone))),
            Err(fault) if fault.is_conflict() => match observer.see(target).await? {
                Observation::Standing { version: newer, .. } => version = newer,
                observation => {
                    // what stands there now is judged as if it had been seen first; it is not made again over another
                    let Next::End(ended) = next(&observation, Action::Delete, false)? else { continue };
                    return Ok(Stepped::Ended(ended));
                }
            },
            Err(fault) if fault.is_refusal() => {
                return Ok(Stepped::Ended(Ended::saying(StepOutcome::Refused, layer(&fault))));
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Transient { doing: "delete", cause: "it kept changing while it was being deleted".to_owned() })
}

/// Creates an account again from the manifest written ahead; one that stands already is success.
///
/// # Flow          create by the same name; on a conflict read who stands there
/// # Guarantees    the account has a new uid, so that no token issued before is valid for it
/// # Errors        transient: asked again. One that cannot be made there any more, or that admission refuses, is an outcome:
///                 what was deleted is no credential, whether or not something takes its place
pub async fn create(ctx: &Context, target: &Target, manifest: Option<serde_json::Value>) -> Result<Stepped, Fault> {
    let api = targets::api(&ctx.client, target);
    let Some(manifest) = made(target, manifest) else {
        return Ok(Stepped::Ended(Ended::saying(StepOutcome::NotRecreated, "its manifest cannot be read back")));
    };
    let created = match create_listed(ctx, &api, &manifest).await {
        Ok(created) => created,
        Err(fault) if fault.is_conflict() => call("read who stands there", api.get(&target.name)).await?,
        Err(fault) if fault.is_not_found() => {
            return Ok(Stepped::Ended(Ended::saying(StepOutcome::NotRecreated, "its namespace is gone")));
        }
        Err(fault) if fault.is_refusal() => {
            return Ok(Stepped::Ended(Ended::saying(StepOutcome::NotRecreated, layer(&fault))));
        }
        Err(fault) => return Err(fault),
    };
    if created.metadata.uid.as_ref() == Some(&target.uid) {
        return Ok(Stepped::Held(created.metadata.finalizers.unwrap_or_default().join(", ")));
    }
    Ok(Stepped::Ended(Ended { new_uid: created.metadata.uid, ..Ended::new(StepOutcome::Done) }))
}

/// The account as it is made again: as it was, but for its next owner.
pub fn made(target: &Target, manifest: Option<serde_json::Value>) -> Option<DynamicObject> {
    let mut manifest: DynamicObject = serde_json::from_value(manifest?).ok()?;
    if let Some(heir) = &target.heir {
        manifest.metadata.annotations.get_or_insert_default().insert(names::OWNER.to_owned(), heir.clone());
    }
    Some(manifest)
}

/// Creates an account. Where control lists which may be made, the API server may not have seen the list yet: asked again for a while.
async fn create_listed(
    ctx: &Context,
    api: &Api<DynamicObject>,
    manifest: &DynamicObject,
) -> Result<DynamicObject, Fault> {
    let (deadline, policy) = (Instant::now() + LISTED, format!("'{}-recreate'", ctx.instance));
    loop {
        match call("create again", api.create(&PostParams::default(), manifest)).await {
            Err(fault)
                if Instant::now() < deadline && fault.server_message().is_some_and(|said| said.contains(&policy)) =>
            {
                tokio::time::sleep(AGAIN).await;
            }
            answer => return answer,
        }
    }
}

/// Which layer refused, and with which policy; the API server's own words name objects and identities, no payload.
pub fn layer(fault: &Fault) -> String {
    let message = fault.server_message().unwrap_or_default();
    let layer = match message {
        message if message.contains("ValidatingAdmissionPolicy") => "admission policy",
        message if message.contains("admission webhook") => "admission webhook",
        message if message.contains("exceeded quota") => "quota",
        message if message.contains("is being terminated") => "namespace",
        _ => "RBAC",
    };
    format!("{layer}: {}", message.chars().take(400).collect::<String>())
}

/// Whether a policy of this cluster refused a call: it speaks of one object, where RBAC speaks of a whole namespace.
pub fn is_admission(fault: &Fault) -> bool {
    fault.server_message().is_some_and(|message| message.contains("ValidatingAdmissionPolicy"))
}

/// What an action is called in events, and what it did.
const fn told(action: Action) -> (Reason, &'static str) {
    match action {
        Action::Unbind => (Reason::Unbound, "deleted, its manifest kept"),
        Action::Trim => (Reason::Trimmed, "trimmed: it names this person no longer"),
        Action::Rotate => (Reason::Rotated, "rotated: it has a new value"),
        Action::HandOver => {
            (Reason::HandedOver, "deleted and created again as its next owner's: every token issued before is dead")
        }
        Action::Recreate => (Reason::Recreated, "deleted and created again: every token issued before is dead"),
        Action::Delete => (Reason::Removed, "deleted"),
        Action::Freeze => (Reason::Frozen, "frozen"),
        Action::Evict => (Reason::Evicted, "evicted: a session of somebody who left may have been open in it"),
    }
}

/// Publishes an event on the object acted on.
async fn publish_on_object(ctx: &Context, record: &Record, seen: &Seen, ended: &Ended, at: jiff::Timestamp) {
    if ended.outcome != StepOutcome::Done {
        return;
    }
    let target = &seen.target;
    let (reason, did) = told(target.action);
    let (api_version, kind) = match target.kind {
        Kind::ServiceAccount => ("v1", "ServiceAccount"),
        Kind::Secret => ("v1", "Secret"),
        Kind::Pod => ("v1", "Pod"),
        Kind::RoleBinding => ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        Kind::ClusterRoleBinding => ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
        Kind::User => return, // no object
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
    publish_event(&ctx.client, "revoke", object, reason, note, at).await;
}

/// Publishes on the Person what was done: one event for each action, with the number of objects.
pub async fn publish_on_person(ctx: &Context, record: &Record, done: &BTreeMap<Action, usize>) {
    let person = ObjectReference {
        api_version: Some("rollcall.dev/v1alpha1".to_owned()),
        kind: Some("Person".to_owned()),
        name: Some(record.person().to_owned()),
        namespace: Some(ctx.namespace.clone()),
        uid: Some(record.person_uid().to_owned()),
        ..ObjectReference::default()
    };
    for (action, number) in done {
        let (reason, did) = told(*action);
        let note = format!("{number} of status.plan.targets {did}, by {}/{}", ctx.instance, record.name());
        publish_event(&ctx.client, "revoke", person.clone(), reason, note, calls::now()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revoke::record::Manifest;

    fn standing(held: bool) -> Observation {
        Observation::Standing { manifest: Manifest::of(&serde_json::json!({})), version: Some("1".to_owned()), held }
    }

    fn outcome(next: &Next) -> Option<StepOutcome> {
        match next {
            Next::End(ended) => Some(ended.outcome),
            Next::Delete | Next::Recreate | Next::Create => None,
        }
    }

    #[test]
    fn what_is_done_follows_from_what_was_seen() {
        let replaced = || Observation::Replaced { uid: "u-2".to_owned() };
        let refused = || Observation::Refused("RBAC".to_owned());
        for (what, observation, action, kept, expected) in [
            ("an account that stands", standing(false), Action::Recreate, true, Next::Recreate),
            ("a binding that stands", standing(false), Action::Unbind, true, Next::Delete),
            ("a binding whose others left too", standing(false), Action::Trim, true, Next::Delete),
            ("an account to be removed", standing(true), Action::Delete, false, Next::Delete),
            ("an account a dead process had deleted", Observation::Gone, Action::Recreate, true, Next::Create),
        ] {
            assert_eq!(next(&observation, action, kept).unwrap(), expected, "{what}");
        }
        for (what, observation, action, kept, expected) in [
            ("an account that was gone", Observation::Gone, Action::Recreate, false, StepOutcome::AlreadyGone),
            ("a binding that was gone", Observation::Gone, Action::Unbind, true, StepOutcome::AlreadyGone),
            ("an account made again", replaced(), Action::Recreate, true, StepOutcome::Done),
            ("somebody else's account", replaced(), Action::Recreate, false, StepOutcome::AlreadyGone),
            ("a binding in its place", replaced(), Action::Unbind, true, StepOutcome::AlreadyGone),
            ("no consent", refused(), Action::Delete, true, StepOutcome::Refused),
            ("an earlier end", Observation::Settled, Action::Delete, true, StepOutcome::AlreadyGone),
            (
                "what changed hands",
                Observation::NotOurs(RemainingReason::HandedOver),
                Action::Delete,
                true,
                StepOutcome::Skipped,
            ),
        ] {
            assert_eq!(outcome(&next(&observation, action, kept).unwrap()), Some(expected), "{what}");
        }
        let shared = || Observation::Shared { manifest: Manifest::of(&serde_json::json!({})) };
        for action in [Action::Trim, Action::Delete, Action::Unbind] {
            let left = outcome(&next(&shared(), action, true).unwrap());
            assert_eq!(left, Some(StepOutcome::Skipped), "what others share is never deleted");
        }
        let unseen = Observation::Unseen(Fault::unanswered("look at a target"));
        assert!(next(&unseen, Action::Delete, true).is_err(), "what was not seen is asked for again");
    }

    #[test]
    fn what_a_finalizer_holds_comes_last_and_rights_go_before_accounts() {
        let seen = |name: &str, kind, observation| Seen {
            target: Target {
                action: Action::Delete,
                kind,
                namespace: "apps".to_owned(),
                name: name.to_owned(),
                uid: name.to_owned(),
                heir: None,
                why: String::new(),
            },
            observation,
            canary: None,
            probe: None,
            leaving: BTreeSet::new(),
        };
        let targets = [
            seen("a-decoy", Kind::ServiceAccount, standing(true)),
            seen("b-decoy", Kind::RoleBinding, standing(true)),
            seen("c-done", Kind::RoleBinding, Observation::Settled),
            seen("d-right", Kind::RoleBinding, standing(false)),
            seen("e-real", Kind::ServiceAccount, standing(false)),
        ];
        let names: Vec<Vec<&str>> =
            waves(&targets).iter().map(|wave| wave.iter().map(|seen| seen.target.name.as_str()).collect()).collect();
        assert_eq!(names, [vec!["d-right"], vec!["e-real"], vec!["b-decoy"], vec!["a-decoy"]]);
    }
}
