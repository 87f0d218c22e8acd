//! Opens or keeps shut the way from a plan to its Job, and closes the story when the revoker is done.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::controller::Action;

use super::jobs::JobState;
use super::owned_status::{Ending, Look, Part, look};
use super::person::{frozen, plan_now};
use super::{Context, MANAGER, count, jobs, seal};
use crate::api::condition::{self, ConditionUpdate};
use crate::api::revocation::{Finished, Instants, Operation, Phase};
use crate::api::{Revocation, convert, names};
use crate::kube::calls::{announce, apply_exactly, call};
use crate::kube::gate_inputs::{self, GateInputs};
use crate::kube::outcome::{self, Fault, Report};
use domain::gate::{Standing, Stop, gate};
use domain::ledger::Allowance;
use domain::plan::Plan;

/// Look again at what waits, in case a change was missed.
const AGAIN: Duration = Duration::from_secs(600);
/// Look again while a Job works, or a run is not seen whole.
const SOON: Duration = Duration::from_secs(2);

/// Look again when somebody else wrote first.
const AT_ONCE: Duration = Duration::from_millis(200);
/// After this long without a word a revoker is taken for gone; it writes every few seconds.
const SILENT: SignedDuration = SignedDuration::from_secs(60);

/// One Revocation, one look.
pub async fn reconcile(revocation: Arc<Revocation>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    let now = (ctx.clock)();
    let mut part = Part::of(&revocation);
    let result = step(&revocation, &ctx, &mut part, now).await;
    let failures = ctx.failures.count(&revocation.uid().unwrap_or_default(), result.is_err());
    let concluded = outcome::conclude(&part.conditions, revocation.metadata.generation, &result, failures, now);
    part.conditions = concluded.conditions;
    part.observed_generation = revocation.metadata.generation;
    if part == Part::of(&revocation) {
        return Ok(concluded.action);
    }
    Ok(match write(&revocation, &ctx, &part, now).await {
        Ok(()) => concluded.action,
        Err(fault) => {
            tracing::info!(revocation = revocation.name_any(), %fault, "status not written; looked at again");
            Action::requeue(AT_ONCE)
        }
    })
}

async fn step(revocation: &Revocation, ctx: &Context, part: &mut Part, now: Timestamp) -> Result<Report, Fault> {
    part.returned = ctx.returns.merged(revocation);
    let look = look(revocation.status.as_ref());
    if look == Look::Over {
        return Ok(ended(part)); // what came back is the only thing that still changes
    }
    let mut view = gate_inputs::read(&ctx.client, &ctx.options.namespace, revocation, now).await?; // live
    match look {
        Look::Close(finished) => return close(ctx, &view, part, finished).await,
        Look::Seal => return end(ctx, &view, part, part.unsealed()).await,
        Look::Gate | Look::Over => {}
    }
    let plan = planned(ctx, &view, part, now).await?; // redrawn until it is frozen
    counted(ctx, &mut view, &plan).await?; // the ledger, by compare-and-swap
    match gate(&plan, &view.facts(), now) {
        Err(Stop::Withdrawn) if !claimed(revocation) || silent(revocation, now) => cancel(ctx, &view, part).await,
        Err(Stop::Withdrawn) => Ok(under_way(&JobState::Running)), // a removal in the revoker's hands: it stops by itself
        Err(stop) => held(ctx, &view, part, &stop, now).await,
        Ok(released) if released.plan().targets.is_empty() => nothing_owned(ctx, &view, part, now).await,
        Ok(_) => release(ctx, part, now).await,
    }
}

/// Whether the revoker has begun: then the story goes on to its end.
fn claimed(revocation: &Revocation) -> bool {
    revocation.status.as_ref().is_some_and(|status| status.claim.is_some())
}

/// Whether the revoker that began has said nothing for long: it is gone, and a removal that was withdrawn stays half done.
fn silent(revocation: &Revocation, now: Timestamp) -> bool {
    let claim = revocation.status.as_ref().and_then(|status| status.claim.as_ref());
    claim.is_some_and(|claim| now.duration_since(claim.at) > SILENT)
}

/// The plan: as shown once it is frozen, else as the cluster is now, to be shown with the phase that follows from it.
async fn planned(ctx: &Context, view: &GateInputs, part: &mut Part, now: Timestamp) -> Result<Plan, Fault> {
    let (Some(person), Some(policy)) = (&view.person, &view.policy) else {
        return Ok(view.plan().unwrap_or_else(|| Plan {
            hash: String::new(),
            targets: Vec::new(),
            remaining: Vec::new(),
        }));
    };
    // A removal that is not due is not drawn anew with every change in the cluster; it is once it is due.
    let waits = view.revocation.spec.operation == Operation::Remove && view.revocation.spec.due > now;
    if let Some(shown) = view.plan().filter(|_| waits || frozen(&view.revocation)) {
        return Ok(shown);
    }
    let plan = plan_now(ctx, &view.revocation, person, policy).await?;
    let usernames = convert::person_facts(person).usernames().map(str::to_owned).collect();
    let employment = person.status.as_ref().and_then(|status| status.employment.as_ref());
    part.plan = Some(convert::plan_shown(&plan, usernames));
    part.instants = Some(Instants {
        effective: employment.and_then(|standing| standing.effective),
        seen: employment.and_then(|standing| standing.seen),
        released: None,
    });
    Ok(plan)
}

/// Counts the run, or the approval, under a policy that enforces; of a plan that is shown and stands, and no other.
async fn counted(ctx: &Context, view: &mut GateInputs, plan: &Plan) -> Result<(), Fault> {
    let revocation = &view.revocation;
    let (Some(person), Some(policy), Some(ledger)) = (&view.person, &view.policy, &view.ledger) else { return Ok(()) };
    let facts = view.facts();
    // Who is back at work leaves the count while the cancellation waits for its seal, and is not counted again.
    let leaves = !matches!(facts.standing, Standing::OutOfScope | Standing::Employed);
    let acts = facts.enforce && facts.settled && facts.stopped.is_none() && leaves;
    let counts = acts && !facts.removal && !facts.late && !facts.protected;
    let shown = revocation.status.as_ref().is_some_and(|status| status.plan.is_some());
    if counts && shown {
        view.ledger = Some(count::settle(ctx, revocation, person, policy, ledger).await?);
    }
    Ok(())
}

/// A gate is shut: say which, and put the batch on a label so that it can be approved as one.
async fn held(ctx: &Context, view: &GateInputs, part: &mut Part, stop: &Stop, now: Timestamp) -> Result<Report, Fault> {
    if *stop == Stop::Protected && part.evidence.is_none() {
        end(ctx, view, part, part.protected(stop)).await?;
    } else {
        part.hold(stop);
    }
    if let Some(batch) = stop.batch()
        && view.revocation.labels().get(names::BATCH).map(String::as_str) != Some(batch)
    {
        label(ctx, &view.revocation, batch).await?;
    }
    if *stop == Stop::OutOfScope {
        leave_the_count(ctx, view).await?; // in scope again they are another story
    }
    let again = match stop {
        Stop::Uncounted => SOON,
        _ => stop.until().map_or(AGAIN, |until| super::person::until(until, now)),
    };
    Ok(Report { words: vec![condition::waiting(stop.reason(), stop.message())], again })
}

/// Every gate is open: release the plan that is shown, and see to a Job.
async fn release(ctx: &Context, part: &mut Part, now: Timestamp) -> Result<Report, Fault> {
    part.release();
    part.instants.get_or_insert_default().released.get_or_insert(now);
    let work = jobs::ensure(ctx).await?;
    part.job = Some(work.job);
    Ok(under_way(&work.state))
}

/// What is said while the revoker has it. "At work" is said of nothing but a container that runs.
fn under_way(state: &JobState) -> Report {
    let words = match state {
        JobState::Stuck(what) => {
            let message =
                format!("Every gate is open, and the revoker's Job cannot start: {what}. Nothing was changed.");
            vec![condition::waiting(condition::REVOKER_CANNOT_START, message.clone()), condition::reconciling(message)]
        }
        JobState::Running => vec![
            condition::waiting("Released", "Every gate is open; the revoker is at work."),
            condition::reconciling("The revoker is at work."),
        ],
        JobState::Starting | JobState::Succeeded | JobState::Failed(..) => vec![
            condition::waiting("Released", "Every gate is open; the revoker's Job is starting."),
            condition::reconciling("The revoker's Job is starting."),
        ],
    };
    Report { words, again: SOON }
}

/// A leaver who owned nothing: nothing to do, and a record of that.
async fn nothing_owned(ctx: &Context, view: &GateInputs, part: &mut Part, now: Timestamp) -> Result<Report, Fault> {
    end(ctx, view, part, part.ending(Phase::Revoked).released(now)).await
}

/// The reason is gone before anything was done.
async fn cancel(ctx: &Context, view: &GateInputs, part: &mut Part) -> Result<Report, Fault> {
    leave_the_count(ctx, view).await?; // first: nobody waits behind a seal that is not to be had
    end(ctx, view, part, part.ending(Phase::Cancelled)).await
}

/// Nobody is held behind one who waits and will not be released.
async fn leave_the_count(ctx: &Context, view: &GateInputs) -> Result<(), Fault> {
    let (name, policy) = (view.revocation.name_any(), &view.revocation.spec.policy);
    let ledger = view.ledger.as_ref();
    let waiting =
        ledger.zip(convert::asked(&view.revocation)).map(|(ledger, asked)| ledger.allowance(policy, &name, &asked));
    if matches!(waiting, Some(Allowance::Held { .. })) {
        count::withdraw(ctx, policy, &name).await?;
    }
    Ok(())
}

/// The revoker is done: the phase follows from its verdicts, and the story is sealed.
async fn close(ctx: &Context, view: &GateInputs, part: &mut Part, finished: Finished) -> Result<Report, Fault> {
    let phase = match finished {
        Finished::Revoked => Phase::Revoked,
        Finished::Failed => Phase::Failed,
        Finished::Stopped => Phase::Cancelled,
    };
    end(ctx, view, part, part.ending(phase)).await
}

/// Seals an ending, and takes it only then. What fails here leaves everything as it stood, and is tried again.
async fn end(ctx: &Context, view: &GateInputs, part: &mut Part, ending: Ending) -> Result<Report, Fault> {
    let rule = view.policy.as_ref().map(convert::rule).unwrap_or_default();
    let sealed = seal::seal(ctx, &view.revocation, ending.part(), view.person.as_ref(), &rule).await;
    part.end(ending, sealed)?;
    Ok(ended(part))
}

/// What is said of a story that is over.
fn ended(part: &Part) -> Report {
    let mut words: Vec<ConditionUpdate> = match part.phase {
        Some(Phase::Failed) => {
            let message = "Not every target is proved refused: see status.steps and status.verdicts. Mend what they name, then delete this Revocation to have it planned again.";
            vec![condition::waiting("NotRefused", message), condition::not_refused(message)]
        }
        Some(Phase::Cancelled) => {
            vec![condition::ready(
                "Cancelled: the person is no longer terminated, or went out of scope. What was done before, if anything, is in status.steps.",
            )]
        }
        _ if part.plan.as_ref().is_none_or(|plan| plan.targets.is_empty()) => {
            vec![condition::ready("Nothing to end was found. What remains, if anything, is in status.plan.remaining.")]
        }
        _ => vec![condition::ready("Every target is refused; see status.verdicts.")],
    };
    if !part.returned.is_empty() {
        words.push(condition::returned(part.returned.len()));
    }
    Report { words, again: AGAIN }
}

async fn label(ctx: &Context, revocation: &Revocation, batch: &str) -> Result<(), Fault> {
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let patch =
        Patch::Merge(serde_json::json!({"metadata": {"uid": revocation.uid(), "labels": {names::BATCH: batch}}}));
    call("label the batch", api.patch(&revocation.name_any(), &PatchParams::default(), &patch)).await.map(drop)
}

/// Writes the part, and tells about a new phase or something that came back.
async fn write(revocation: &Revocation, ctx: &Context, part: &Part, now: Timestamp) -> Result<(), Fault> {
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    apply_exactly(&api, revocation, MANAGER, part).await?; // over what was gated, or not at all
    let before = Part::of(revocation);
    let person = ObjectReference {
        api_version: Some("rollcall.dev/v1alpha1".to_owned()),
        kind: Some("Person".to_owned()),
        name: Some(revocation.spec.person.clone()),
        namespace: Some(ctx.options.namespace.clone()),
        uid: Some(revocation.spec.person_uid.clone()),
        ..ObjectReference::default()
    };
    if part.phase != before.phase || part.gate.as_ref().map(|g| &g.reason) != before.gate.as_ref().map(|g| &g.reason) {
        let reason = part.phase.map_or("Planned", Phase::as_str);
        let gate = part.gate.as_ref().map(|gate| format!(": {}", gate.reason)).unwrap_or_default();
        let operation = if revocation.spec.operation == Operation::Cut { "cut" } else { "removal" };
        announce(
            &ctx.client,
            "control",
            person.clone(),
            reason,
            format!("{operation} {}{gate}", revocation.name_any()),
            now,
        )
        .await;
    }
    if part.returned.len() > before.returned.len() {
        let note = format!("{} credentials came back after {}", part.returned.len(), revocation.name_any());
        announce(&ctx.client, "control", person, "CameBack", note, now).await;
    }
    Ok(())
}
