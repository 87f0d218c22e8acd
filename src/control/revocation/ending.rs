//! How a Revocation ends: with nothing to do, withdrawn, or as the revoker left it. Each ending is sealed before it is written.

use jiff::Timestamp;
use kube::ResourceExt;

use super::REQUEUE_AFTER;
use crate::api::condition::{self, ConditionUpdate, Reason};
use crate::api::revocation::{Finished, Instants, Operation, Phase, RevocationSpec, Trigger};
use crate::api::{Person, Revocation, convert};
use crate::control::count::Wish;
use crate::control::owned_status::{ControlStatus, Ending};
use crate::control::{Context, hooks, seal};
use crate::kube::gate_inputs::GateInputs;
use crate::kube::outcome::{Fault, Report};
use domain::gate::LeaverStatus;
use domain::ledger::Allowance;
use domain::plan::MAX_OBJECTS;

/// A leaver who owned nothing: nothing to do, and a record of that.
pub(super) async fn nothing_owned(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    now: Timestamp,
) -> Result<Report, Fault> {
    hooks::after(inputs, part, Phase::Revoked, now);
    end(ctx, inputs, part, part.ending(Phase::Revoked).released(now)).await
}

/// The reason is gone before anything was done, by a live read of the person too: a process that has just begun to lead may see the
/// Revocation before it sees the termination, and what is cancelled is not made again.
pub(super) async fn cancel(ctx: &Context, inputs: &GateInputs, part: &mut ControlStatus) -> Result<Report, Fault> {
    let live = inputs.clone().with_the_person_of_now(&ctx.client, &ctx.options.namespace).await?;
    if live.facts().leaver_status != LeaverStatus::Employed {
        let cause = "the person has left or is on leave by a live read, which the watch does not show yet".to_owned();
        return Err(Fault::Transient { doing: "cancel", cause });
    }
    leave_the_count(ctx, inputs); // first: nobody waits behind a seal that is not to be had
    end(ctx, inputs, part, part.ending(Phase::Cancelled)).await
}

/// Nobody is held behind one who waits and will not be released.
pub(super) fn leave_the_count(ctx: &Context, inputs: &GateInputs) {
    if matches!(inputs.facts().allowance, Allowance::Held { .. }) {
        let (policy, name) = (inputs.revocation.spec.policy.clone(), inputs.revocation.name_any());
        ctx.wishes.add(Wish::Withdraw(policy, name, inputs.revocation.uid().unwrap_or_default()));
    }
}

/// The revoker is done: the phase follows from its verdicts, and the record is sealed.
pub(super) async fn close(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    finished: Finished,
    now: Timestamp,
) -> Result<Report, Fault> {
    let phase = match finished {
        Finished::Revoked => Phase::Revoked,
        Finished::Failed => Phase::Failed,
        Finished::Stopped => Phase::Cancelled,
    };
    if phase == Phase::Revoked {
        take_over(&inputs.revocation, part);
    }
    hooks::after(inputs, part, phase, now);
    end(ctx, inputs, part, part.ending(phase)).await
}

/// What was not trimmed remains, and is followed from now on: the subject may be taken out by hand.
fn take_over(revocation: &Revocation, part: &mut ControlStatus) {
    let Some(plan) = &mut part.plan else { return };
    for left in revocation.status.iter().flat_map(convert::not_trimmed) {
        if plan.remaining.len() < MAX_OBJECTS && !plan.remaining.iter().any(|known| known.what == left.what) {
            plan.remaining.push(left);
        }
    }
}

/// Seals an ending, and takes it only then. What fails here leaves everything as it stood, and is tried again.
pub(in crate::control) async fn end(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    ending: Ending,
) -> Result<Report, Fault> {
    let rule = inputs.policy.as_ref().map(convert::rule).unwrap_or_default();
    let sealed = seal::seal(ctx, &inputs.revocation, ending.part(), inputs.person.as_ref(), &rule).await;
    part.end(ending, sealed)?;
    measure(ctx, inputs, part);
    Ok(ended(part))
}

/// How long what was revoked of a leaver took. A removal is late on purpose.
fn measure(ctx: &Context, inputs: &GateInputs, part: &ControlStatus) {
    let RevocationSpec { policy, operation, .. } = &inputs.revocation.spec;
    let verified = inputs.revocation.status.as_ref().and_then(|status| status.verified);
    let instants =
        part.instants.as_ref().filter(|_| part.phase == Some(Phase::Revoked) && *operation == Operation::Cut);
    if let Some(Instants { seen, released, .. }) = instants {
        ctx.metrics.leaver_revoked(policy, [*seen, *released, verified]);
    }
}

/// What is said of a cut for a leave once the person is back: what it could not undo.
pub(super) fn back_from_leave(revocation: &Revocation, person: &Person) -> Option<Report> {
    let cut = revocation.spec.trigger == Trigger::Leave && revocation.spec.operation == Operation::Cut;
    let status = revocation.status.as_ref().filter(|status| cut && status.phase == Some(Phase::Revoked))?;
    let back = convert::leave_status(Some(person), &revocation.name_any(), false) == LeaverStatus::Employed
        && convert::leaver_status(Some(person)) == LeaverStatus::Employed;
    let not_undone = convert::not_undone(status).filter(|_| back)?;
    let message = format!("The person is back from leave. Nothing of this is undone by itself: {not_undone}.");
    Some(Report { updates: vec![condition::ready(message)], again: REQUEUE_AFTER })
}

/// What is said of a Revocation that has ended.
pub(in crate::control) fn ended(part: &ControlStatus) -> Report {
    let mut updates: Vec<ConditionUpdate> = match part.phase {
        Some(Phase::Failed) => {
            let message = "Not every target is proved refused: see status.steps and status.verdicts. Correct what they name, then `kubectl rollcall retry` this Revocation. Do not delete it: status.kept holds the only manifests of what was deleted.";
            vec![condition::waiting(Reason::NotRefused, message), condition::not_refused(message)]
        }
        Some(Phase::Cancelled) => {
            vec![condition::ready(
                "Cancelled: the person is no longer terminated or on leave, or went out of scope. What was done before, if anything, is in status.steps.",
            )]
        }
        Some(Phase::Frozen) => vec![condition::ready(
            "What this person would change is refused; reads are not. It is lifted when they are back from leave, or a human says so: see status.verdicts.",
        )],
        Some(Phase::Lifted) => vec![condition::ready("Lifted: nothing is refused by this any more.")],
        _ if part.plan.as_ref().is_none_or(|plan| plan.targets.is_empty()) => {
            vec![condition::ready("Nothing to end was found. What remains, if anything, is in status.plan.remaining.")]
        }
        _ => vec![condition::ready("Every target is refused; see status.verdicts.")],
    };
    if !part.returned.is_empty() {
        updates.push(condition::returned(part.returned.len()));
    }
    Report { updates, again: REQUEUE_AFTER }
}
