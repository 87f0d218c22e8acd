//! The hooks of a Revocation: Jobs that do for a leaver what Rollcall cannot do itself, such as ending a database user.
//!
//! Before-hooks run side by side once every gate is open, and the release waits for them no longer than their timeout. After-hooks
//! run once the revoker is done, and are tried again. Neither shields anybody: a hook that fails is said, and nothing waits for it.

mod attempt;
mod job;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::runtime::watcher::{self, Event};
use tokio::task::JoinSet;

use self::attempt::Driver;
use super::Context;
use super::owned_status::ControlStatus;
use crate::api::condition::{self, ConditionUpdate, Reason};
use crate::api::policy::{Hook, When};
use crate::api::revocation::{Gate, HookOutcome, HookRun, Operation, Phase, Trigger};
use crate::api::{Revocation, names};
use crate::control::seal;
use crate::kube::calls::{self, publish_warning};
use crate::kube::follow::follow;
use crate::kube::gate_inputs::GateInputs;
use crate::kube::named::Api;
use crate::kube::outcome::Report;
use domain::hooks;

/// Longest time for one call about a hook: a cut may wait for what comes after it.
const CALL: Duration = Duration::from_secs(5);
/// Longest time for one look at the hooks of a Revocation.
const ALL_CALLS: Duration = Duration::from_secs(8);
/// Look again at a Job that is at work, in case its watch missed something.
const LOOK: Duration = Duration::from_secs(30);
/// Look again after a call that failed.
const SOON: Duration = Duration::from_secs(2);
/// Most after-hooks at work at once, of everybody: a lay-off is no thousand pods.
const AT_ONCE: usize = 32;
/// Wait while so many are at work.
const FULL: SignedDuration = SignedDuration::from_secs(5);
/// Longest message of a hook.
const MAX_MESSAGE: usize = 512;

/// Whether a hook of it has not come to its end.
#[must_use]
pub fn pending(revocation: &Revocation) -> bool {
    revocation.status.iter().flat_map(|status| &status.hooks).any(HookRun::pending)
}

/// The hooks that this Revocation has: of a cut, because somebody left or a human asked for it. What is found later than the first
/// plan has none: they ran with that.
fn asked(inputs: &GateInputs, when: When) -> impl Iterator<Item = &Hook> {
    let spec = &inputs.revocation.spec;
    let has = spec.operation == Operation::Cut && spec.trigger != Trigger::Leave && !spec.late;
    let policy = inputs.policy.as_ref().filter(|_| has);
    policy.into_iter().flat_map(|policy| &policy.spec.revocation.hooks).filter(move |hook| hook.when == when)
}

/// A hook whose turn has come. A before-hook is begun with that, since its clock runs.
fn queued(hook: &Hook, now: Timestamp) -> HookRun {
    let before = hook.when == When::Before;
    HookRun {
        name: hook.cron_job.clone(),
        when: hook.when,
        outcome: if before { HookOutcome::Begun } else { HookOutcome::Waiting },
        verdict: None,
        message: None,
        attempts: u32::from(before),
        timeout_seconds: u32::try_from(hook.timeout().as_secs()).unwrap_or(u32::MAX),
        started: now,
        begun: before.then_some(now),
        job: None,
        job_uid: None,
        again: None,
        ended: None,
    }
}

/// Queues the hooks of this time, once for each Revocation.
fn queue(inputs: &GateInputs, part: &mut ControlStatus, when: When, now: Timestamp) {
    if part.hooks.iter().all(|run| run.when != when) {
        part.hooks.extend(asked(inputs, when).map(|hook| queued(hook, now)));
    }
}

/// What keeps a plan whose gates are open from being released: before-hooks that are at work, until their time is over.
///
/// # Guarantees    the wait is that of the longest timeout, from the instant the first look wrote down, whatever happens to the hooks
pub fn before(inputs: &GateInputs, part: &mut ControlStatus, now: Timestamp) -> Option<Report> {
    if part.phase == Some(Phase::Released) {
        return None;
    }
    queue(inputs, part, When::Before, now);
    let working = part.hooks.iter().filter(|run| run.when == When::Before && run.pending());
    let until = working.map(|run| run.started + SignedDuration::from_secs(run.timeout_seconds.into())).max()?;
    if until <= now {
        return None;
    }
    let message = format!(
        "Every gate is open, and hooks run before the cut: see status.hooks. It goes on once they have ended, at {until:.0} at the latest."
    );
    part.phase = Some(Phase::Held);
    part.gate = Some(Gate {
        reason: Reason::BeforeHooks.as_str().to_owned(),
        message: message.clone(),
        until: Some(until),
        batch: None,
    });
    let again = calls::wait(until.duration_since(now));
    Some(Report { updates: vec![condition::waiting(Reason::BeforeHooks, message)], again })
}

/// Queues the after-hooks of a Revocation that comes to this end.
pub fn after(inputs: &GateInputs, part: &mut ControlStatus, end: Phase, now: Timestamp) {
    if matches!(end, Phase::Revoked | Phase::Failed) {
        queue(inputs, part, When::After, now);
    }
}

/// What is said of hooks that ended, and not well.
pub fn failed(part: &ControlStatus) -> Option<ConditionUpdate> {
    let words = part.hooks.iter().filter(|run| run.failed()).map(|run| {
        let message = run.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        let attempts = if run.attempts == 1 { "1 attempt" } else { &format!("{} attempts", run.attempts) };
        format!("{} ({}) {} after {attempts}{message}", run.name, run.when.as_str(), run.outcome.as_str())
    });
    let words: Vec<String> = words.collect();
    (!words.is_empty()).then(|| condition::hooks_failed(&words.join("; ")))
}

/// Takes every hook that has not ended a step on, side by side, and seals the end of the last. Says when to look again.
///
/// # Flow          what was written; what is seen of its Job; the turn (pure); one call; written with the status that follows
/// # Guarantees    an attempt is written before its Job is made, and has one Job of one name; nothing is begun that `entry` shuts
/// # Errors        none: a hook holds up nothing, and is looked at again
pub async fn go_on(ctx: &Context, inputs: &GateInputs, part: &mut ControlStatus, now: Timestamp) -> Option<Duration> {
    if !part.hooks.iter().any(HookRun::pending) {
        return None;
    }
    let entry = hooks::entry(&inputs.facts(), now);
    let full = at_work(ctx) >= AT_ONCE;
    let driver = Driver { ctx, inputs, entry, full, now, plan: part.plan.as_ref() };
    let steps = join_all(part.hooks.iter().map(|run| driver.step(run)));
    let Ok(each) = tokio::time::timeout(ALL_CALLS, steps).await else { return Some(SOON) };
    let again = each.iter().filter_map(|(_, again)| *again).min();
    let runs: Vec<HookRun> = each.into_iter().map(|(run, _)| run).collect();
    let ended: Vec<HookRun> = runs
        .iter()
        .zip(&part.hooks)
        .filter(|(run, was)| !run.pending() && was.pending())
        .map(|(run, _)| run.clone())
        .collect();
    let over = part.phase.is_some_and(Phase::ended) && part.evidence.is_some() && !runs.iter().any(HookRun::pending);
    let mut next = ControlStatus { hooks: runs, ..part.clone() };
    if over {
        let rule = inputs.policy.as_ref().map(crate::api::convert::rule).unwrap_or_default();
        match seal::seal(ctx, &inputs.revocation, &next, inputs.person.as_ref(), &rule).await {
            Ok(evidence) => next.evidence = Some(evidence),
            Err(fault) => {
                tracing::warn!(%fault, revocation = inputs.revocation.name_any(), "the end of its hooks is not sealed; tried again");
                return Some(SOON); // nothing of it is shown without its seal
            }
        }
    }
    for run in &ended {
        told(ctx, inputs, run, now).await;
    }
    *part = next;
    again
}

/// After-hooks that are at work, of everybody.
fn at_work(ctx: &Context) -> usize {
    let all = ctx.stores.revocations.state();
    let hooks = all.iter().filter_map(|revocation| revocation.status.as_ref()).flat_map(|status| &status.hooks);
    hooks.filter(|run| run.when == When::After && run.pending() && run.begun.is_some()).count()
}

/// Measures a hook that ended, and warns of one that did not end well.
async fn told(ctx: &Context, inputs: &GateInputs, run: &HookRun, now: Timestamp) {
    ctx.metrics.hook(&run.name, run.outcome.as_str());
    if run.failed() {
        let note = format!("hook {} of {}: {}", run.name, inputs.revocation.name_any(), run.outcome.as_str());
        let person = super::revocation::person_of(ctx, &inputs.revocation);
        publish_warning(&ctx.client, "control", person, Reason::HookFailed, note, now).await;
    }
}

/// Watches the Jobs of hooks, and wakes the Revocation of each that changes. Nothing waits for this watch: it only spares waiting.
pub fn watch(ctx: &Arc<Context>, tasks: &mut JoinSet<()>) {
    let Some(namespace) = ctx.options.hooks_namespace.clone() else { return };
    let ctx = Arc::clone(ctx);
    tasks.spawn(async move {
        let api: Api<Job> = Api::namespaced(ctx.client.clone(), &namespace);
        let config = watcher::Config::default().labels(names::HOOK);
        follow("Jobs of hooks", watcher::watcher(api.watched(), config), |event| match event {
            Event::Apply(job) | Event::InitApply(job) | Event::Delete(job) => {
                let Some(uid) = job.labels().get(names::REVOCATION) else { return };
                let of_job = |one: &Revocation| one.metadata.uid.as_ref() == Some(uid) && pending(one);
                if let Some(revocation) = ctx.stores.revocations.find(of_job) {
                    ctx.revocation_changed(&revocation.name_any());
                }
            }
            Event::Init | Event::InitDone => {}
        })
        .await;
    });
}

/// Names and outcomes, as the evidence tells them.
#[must_use]
pub fn sealed(part: &ControlStatus) -> Vec<domain::evidence::Hook> {
    let hook = |run: &HookRun| domain::evidence::Hook {
        name: run.name.clone(),
        when: run.when.as_str().to_owned(),
        outcome: run.outcome.as_str().to_owned(),
        verdict: run.verdict.map(|verdict| verdict.as_str().to_owned()),
        attempts: run.attempts,
        ended: run.ended,
    };
    part.hooks.iter().map(hook).collect()
}

#[cfg(test)]
mod tests;
