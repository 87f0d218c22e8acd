//! Opens or keeps shut the way from a plan to its Job, and ends it when the revoker is done.

mod approvals;
pub(super) mod ending;

use std::sync::Arc;
use std::time::Duration;

use crate::kube::named::Api;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use tokio::time::Instant;

use self::ending::{back_from_leave, cancel, close, end, ended, leave_the_count, nothing_owned};
use super::access::{add_what_came, drop_what_ended};
use super::claims::Claims;
use super::count::Wish;
use super::freeze::first;
use super::jobs::JobState;
use super::owned::Drawn;
use super::owned_status::{ControlStatus, Look, look, may_change};
use super::person::{frozen, known_uids, plan_now, recreated};
use super::{Context, MANAGER, freeze, hooks, jobs, marks, rechecks, returns, seal, sessions, traced};
use crate::api::condition::{self, Reason};
use crate::api::revocation::{Instants, Operation, Phase};
use crate::api::{Revocation, convert, names};
use crate::kube::calls::{self, apply_exactly, call, publish_event, publish_warning};
use crate::kube::gate_inputs::GateInputs;
use crate::kube::outcome::{self, Fault, Report};
use domain::gate::{Approved, Facts, LeaverStatus, Stop, gate};
use domain::ledger::Allowance;
use domain::plan::Plan;

/// Look again at what waits, in case a change was missed.
const REQUEUE_AFTER: Duration = Duration::from_secs(600);
/// Look again at a run that is not seen whole: the others do not wait for ever.
const REQUEUE_UNCOUNTED: Duration = Duration::from_secs(60);
/// Draw a plan that waits again: what runs in a namespace is not watched.
const DRAW_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// What has been held for so long after it was due is sealed as held.
const HELD_LONG: SignedDuration = SignedDuration::from_hours(24);
/// Look again whether it is known by now what somebody could reach.
const GIVES_WAY: Duration = Duration::from_millis(500);
/// Look again when somebody else wrote first.
const AT_ONCE: Duration = Duration::from_millis(200);
/// After this long without a word a revoker is taken for gone; it writes every few seconds.
const SILENT: Duration = Duration::from_secs(60);

/// One Revocation, one look. Says when to look again by itself, if at all.
pub async fn reconcile(revocation: Arc<Revocation>, ctx: Arc<Context>) -> Option<Duration> {
    let now = (ctx.clock)();
    let mut part = ControlStatus::of(&revocation);
    let of_hooks = match hooks::pending(&revocation) {
        true => hooks::go_on(&ctx, &gate_inputs(&ctx, &revocation, now), &mut part, now).await,
        false => None,
    };
    let result = match step(&revocation, &ctx, &mut part, now).await {
        Ok(Some(Report { mut updates, again })) => {
            updates.extend(hooks::failed(&part));
            updates.extend(rechecks::said(&revocation, &part));
            Ok(Report { updates, again })
        }
        Ok(None) => return Some(REQUEUE_UNCOUNTED),
        Err(fault) => Err(fault),
    };
    let failures = ctx.failures.count(&revocation.uid().unwrap_or_default(), result.is_err());
    let concluded = outcome::conclude(&part.conditions, revocation.metadata.generation, &result, failures, now);
    let again = Some(concluded.again)
        .filter(|_| result.is_err() || matches!(part.phase, None | Some(Phase::Held | Phase::Released)));
    let again = again.into_iter().chain(of_hooks).min();
    part.conditions = concluded.conditions;
    part.observed_generation = revocation.metadata.generation;
    if part == ControlStatus::of(&revocation) && unlabelled(&revocation, &part).is_none() {
        return again;
    }
    match write(&revocation, &ctx, &part, now).await {
        Ok(()) => again,
        Err(fault) => {
            // Most often the watch is behind a write of this process: its event wakes us as well.
            tracing::info!(revocation = revocation.name_any(), %fault, "status not written; looked at again");
            Some(AT_ONCE)
        }
    }
}

/// One look; `None` where it is approved and waits to be counted, which wakes it within a moment.
async fn step(
    revocation: &Revocation,
    ctx: &Context,
    part: &mut ControlStatus,
    now: Timestamp,
) -> Result<Option<Report>, Fault> {
    part.returned = ctx.returns.merged(revocation);
    let exposure = ctx.exposures.of(revocation); // found out meanwhile, and written with what is written anyway
    let look = look(revocation);
    if look == Look::Over {
        what_remains(ctx, revocation, part).await?;
        if rechecks::turned(revocation, part) {
            seal_recheck(ctx, revocation, part, now).await?;
        }
        if convert::freezes(revocation) {
            first::upkeep(ctx, &gate_inputs(ctx, revocation, now), part, now).await?;
        } else if first::lacks(revocation, now) {
            first::try_again(ctx, &gate_inputs(ctx, revocation, now), part, now).await?;
        }
        let back =
            ctx.stores.people.get(&revocation.spec.person).and_then(|person| back_from_leave(revocation, &person));
        return Ok(Some(back.unwrap_or_else(|| ended(part)))); // that, and what came back, is all that still changes
    }
    let inputs = gate_inputs(ctx, revocation, now);
    if let Err(fault) = first::upkeep(ctx, &inputs, part, now).await {
        tracing::warn!(revocation = revocation.name_any(), %fault, "its frozen user names are as they were; looked at again");
    }
    match look {
        Look::Close(_)
            if exposure.is_none() && sessions::gives_way(&ctx.exposures, revocation, inputs.policy.as_ref()) =>
        {
            return Ok(Some(being_read()));
        }
        Look::Close(finished) => {
            part.exposure = exposure;
            return close(ctx, &inputs, part, finished, now).await.map(Some);
        }
        Look::Seal => return end(ctx, &inputs, part, part.unsealed()).await.map(Some),
        Look::Retry(asked) => part.retry(asked),
        Look::Stands => return freeze::upkeep(ctx, &inputs, part, now).await.map(Some),
        Look::Gate | Look::Over => {}
    }
    let freezes = revocation.spec.operation == Operation::Freeze;
    let plan = planned(ctx, &inputs, part, now).await?; // redrawn until it is frozen
    let counting = counted(ctx, &inputs, &plan); // has it counted, if it is not
    let gated = gate(&plan, &inputs.facts(), now);
    if gated.is_err() {
        first::forget(ctx, &inputs, part).await?; // what a process that died froze, and did not say
    }
    let report = match gated {
        Err(Stop::OverLimit(..) | Stop::OverClusterLimit(..)) if matches!(counting, Some(Wish::Approve(..))) => {
            return Ok(None);
        }
        Err(Stop::Withdrawn) if !claimed(revocation) || silent(&ctx.claims, revocation, Instant::now()) => {
            cancel(ctx, &inputs, part).await
        }
        Err(Stop::Withdrawn) => Ok(under_way(&JobState::Running)), // a removal in the revoker's hands: it stops by itself
        Err(stop) => held(ctx, &inputs, part, &stop, now).await,
        Ok(released) if freezes => freeze::begin(ctx, &inputs, part, &released, now).await,
        Ok(released) => {
            let unfrozen = first::strike(ctx, &inputs, part, &released, now).await;
            match hooks::before(&inputs, part, now) {
                Some(waits) => Ok(waits),
                None if released.plan().targets.is_empty() => match unfrozen {
                    Some(fault) => Err(fault), // there is nothing else to do about them
                    None if exposure.is_none()
                        && sessions::gives_way(&ctx.exposures, revocation, inputs.policy.as_ref()) =>
                    {
                        Ok(being_read())
                    }
                    None => {
                        part.exposure = exposure;
                        nothing_owned(ctx, &inputs, part, now).await
                    }
                },
                None => {
                    part.exposure = exposure;
                    release(ctx, &inputs, part, now).await
                }
            }
        }
    };
    report.map(Some)
}

fn being_read() -> Report {
    let updates = vec![condition::reconciling("What they could reach is being read.")];
    Report { updates, again: GIVES_WAY }
}

/// Seals that something works again, or does no more, before it is said.
async fn seal_recheck(
    ctx: &Context,
    revocation: &Revocation,
    part: &mut ControlStatus,
    now: Timestamp,
) -> Result<(), Fault> {
    let inputs = gate_inputs(ctx, revocation, now);
    let rule = inputs.policy.as_ref().map(convert::rule).unwrap_or_default();
    part.evidence = Some(seal::seal(ctx, revocation, part, inputs.person.as_ref(), &rule).await?);
    Ok(())
}

/// What was left alone and has been ended by hand since no longer remains; what came in its place does.
async fn what_remains(ctx: &Context, revocation: &Revocation, part: &mut ControlStatus) -> Result<(), Fault> {
    let person = ctx.stores.people.get(&revocation.spec.person);
    let person = person.filter(|person| person.uid().as_ref() == Some(&revocation.spec.person_uid));
    let (Some(person), Some(plan)) = (person.filter(|_| may_change(revocation)), &mut part.plan) else { return Ok(()) };
    let all = ctx.stores.revocations_of(&revocation.spec.person);
    drop_what_ended(ctx, &person, &recreated(all.iter().map(AsRef::as_ref)), acted(revocation), plan).await?;
    marks::drop_what_waits_elsewhere(revocation, &all, plan);
    returns::put_back(ctx, revocation, &person, part).await?;
    let Some(plan) = &mut part.plan else { return Ok(()) };
    let told = |other: &Revocation| convert::of_this_termination(Some(&person), &other.name_any());
    let later = |other: &Arc<Revocation>| told(other) && speaks_after(other, revocation);
    let policy = ctx.stores.policies.get(&revocation.spec.policy);
    let speaks = told(revocation) && revocation.spec.operation == Operation::Cut && !all.iter().any(later);
    if let Some(policy) = policy.filter(|_| speaks) {
        let known = known_uids(all.iter().map(AsRef::as_ref));
        add_what_came(ctx, &person, &policy, &known, plan).await?;
    }
    Ok(())
}

/// When this Revocation had ended what it could: somebody else made an account that was made after that.
fn acted(revocation: &Revocation) -> Option<Timestamp> {
    let status = revocation.status.as_ref()?;
    status.acted.or_else(|| status.instants.as_ref()?.released)
}

/// Whether another cut was made after this one, so that its plan is the one that tells what remains.
fn speaks_after(other: &Revocation, cut: &Revocation) -> bool {
    other.spec.operation == Operation::Cut && (other.spec.due, other.name_any()) > (cut.spec.due, cut.name_any())
}

/// Everything the gates ask, as it is watched.
pub(super) fn gate_inputs(ctx: &Context, revocation: &Revocation, now: Timestamp) -> GateInputs {
    let stores = &ctx.stores;
    let policy = stores.policies.get(&revocation.spec.policy);
    let trusted = policy.as_ref().is_some_and(|policy| {
        let newest = policy.spec.employers().map(|connection| stores.connections.get(connection));
        newest.into_iter().all(|connection| connection.is_some_and(|connection| convert::trusted(&connection, now)))
    });
    GateInputs {
        revocation: revocation.clone(),
        person: stores.people.get(&revocation.spec.person).map(Arc::unwrap_or_clone),
        policy: policy.map(Arc::unwrap_or_clone),
        trusted,
        ledger: stores.ledger(),
        stopped: stores.stopped(),
    }
}

/// Whether the revoker has begun: then it goes on to its end.
pub(super) fn claimed(revocation: &Revocation) -> bool {
    revocation.status.as_ref().is_some_and(|status| status.claim.is_some())
}

/// Whether the revoker that began has said nothing for long: it is gone, and a removal that was withdrawn stays half done.
fn silent(claims: &Claims, revocation: &Revocation, now: Instant) -> bool {
    let claim = revocation.status.as_ref().and_then(|status| status.claim.as_ref());
    let uid = revocation.uid().unwrap_or_default();
    claim.is_some_and(|claim| claims.unchanged(&uid, claim, now) >= SILENT)
}

/// The plan: as shown once it is frozen, else as the cluster is now, to be shown with the phase that follows from it.
async fn planned(ctx: &Context, inputs: &GateInputs, part: &mut ControlStatus, now: Timestamp) -> Result<Plan, Fault> {
    let (Some(person), Some(policy)) = (&inputs.person, &inputs.policy) else {
        return Ok(inputs.plan().unwrap_or_default());
    };
    // A removal that is not due is not drawn again with every change in the cluster; it is once it is due.
    let waits = inputs.revocation.spec.operation == Operation::Remove && inputs.revocation.spec.due > now;
    if let Some(shown) = inputs.plan().filter(|_| waits || frozen(&inputs.revocation)) {
        return Ok(shown);
    }
    let (uid, name) = (inputs.revocation.uid().unwrap_or_default(), person.name_any());
    let generation = policy.metadata.generation;
    if let Some(shown) = inputs.plan()
        && let Some(at) = ctx.epochs(|epochs| epochs.drawn_at(&uid, &name, generation, &shown.hash))
        && now.duration_since(at) < DRAW_AGAIN
    {
        return Ok(shown); // nothing of this person changed since
    }
    let epoch = ctx.epochs(|epochs| epochs.of(&name));
    let plan = plan_now(ctx, &inputs.revocation, person, policy).await?;
    let drawn = Drawn { epoch, policy: generation, hash: plan.hash.clone(), at: now };
    ctx.epochs(|epochs| epochs.drew(&uid, drawn));
    let usernames = convert::person_facts(person, (ctx.clock)()).usernames().map(str::to_owned).collect();
    let employment = person.status.as_ref().and_then(|status| status.employment.as_ref());
    part.plan = Some(convert::plan_shown(&plan, usernames));
    part.instants = Some(Instants {
        effective: employment.and_then(|employment| employment.effective),
        seen: employment.and_then(|employment| employment.seen),
        released: None,
    });
    Ok(plan)
}

/// Has the run, the removal or the approval counted, under a policy that enforces; of a plan that is shown and stands, and
/// no other. The ledger's change wakes this Revocation again. Says what is to be counted.
fn counted(ctx: &Context, inputs: &GateInputs, plan: &Plan) -> Option<Wish> {
    let (revocation, facts) = (&inputs.revocation, inputs.facts());
    let wish = wish(revocation, &facts, plan, (ctx.clock)());
    let wish = wish.filter(|_| inputs.person.is_some() && inputs.policy.is_some() && inputs.ledger.is_some())?;
    ctx.wishes.add(wish.clone());
    Some(wish)
}

/// What is to be counted before this plan may pass, if anything.
fn wish(revocation: &Revocation, facts: &Facts, plan: &Plan, now: Timestamp) -> Option<Wish> {
    // Who is back at work leaves the count while the cancellation waits for its seal, and is not counted again.
    let leaves = !matches!(facts.leaver_status, LeaverStatus::OutOfScope | LeaverStatus::Employed);
    let acts = facts.enforce && facts.settled && facts.stopped.is_none() && leaves;
    let waits = facts.removal && facts.due > now;
    let shown = !plan.hash.is_empty() && facts.counted == plan.hash;
    if !acts || waits || !shown || facts.late || facts.protected || facts.rejected {
        return None;
    }
    let (policy, name) = (revocation.spec.policy.clone(), revocation.name_any());
    let approved = facts.approved(&plan.hash, now);
    match (&facts.allowance, approved) {
        (Allowance::Uncounted | Allowance::NoRoom, _) if facts.removal => Some(Wish::Remove(policy, name)),
        (Allowance::Uncounted | Allowance::NoRoom, _) => Some(match revocation.labels().get(names::RUN) {
            Some(run) => Wish::Count(policy, run.clone()),
            None => Wish::Alone(policy, name),
        }),
        (Allowance::Held { .. }, Approved::Yes) => Some(Wish::Approve(policy, name)),
        (Allowance::Released { batch: Some(_) }, Approved::Expired) => Some(Wish::Expire(policy, name)),
        (Allowance::Held { .. } | Allowance::Released { .. }, _) => None,
    }
}

/// A gate is shut: say which.
async fn held(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    stop: &Stop,
    now: Timestamp,
) -> Result<Report, Fault> {
    if matches!(stop, Stop::OutOfScope | Stop::Protected | Stop::Unknown | Stop::Rejected) {
        leave_the_count(ctx, inputs); // nobody waits behind who will not be released; should that change, they are counted again
    }
    let settled = matches!(stop, Stop::Protected | Stop::Rejected) || held_long(&inputs.revocation, now);
    if settled && !part.sealed_behind(stop) {
        end(ctx, inputs, part, part.shut(stop)).await?;
    } else {
        part.hold(stop);
    }
    approvals::tell(inputs, part);
    let again = match stop {
        Stop::Uncounted | Stop::LedgerFull => REQUEUE_UNCOUNTED,
        _ => stop.until().map_or(REQUEUE_AFTER, |until| calls::wait(until.duration_since(now)).min(REQUEUE_AFTER)),
    };
    Ok(Report { updates: vec![condition::waiting(Reason::from(stop), stop.message())], again })
}

/// Whether it has been kept from acting for so long that this is sealed too: every termination has a record, also where
/// nobody ever approves, or a hold is extended again and again.
fn held_long(revocation: &Revocation, now: Timestamp) -> bool {
    let made = revocation.metadata.creation_timestamp.as_ref().map(|made| made.0);
    now.duration_since(revocation.spec.due.max(made.unwrap_or(now))) >= HELD_LONG
}

/// Every gate is open: release the plan that is shown, and see to a Job.
async fn release(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    now: Timestamp,
) -> Result<Report, Fault> {
    if part.phase != Some(Phase::Released) {
        let (revocation, plan) = (inputs.revocation.name_any(), part.plan.as_ref().map(|plan| plan.hash.clone()));
        let approved = inputs.revocation.spec.approval.is_some();
        tracing::info!(revocation, plan, approved, "released");
    }
    part.release();
    part.instants.get_or_insert_default().released.get_or_insert(now);
    ctx.released.notify_one();
    let since = part.instants.as_ref().and_then(|instants| instants.released);
    let work = jobs::ensure(ctx, since).await?;
    part.job = Some(work.job);
    Ok(under_way(&work.state))
}

/// What is said while the revoker has it: the same whether its Job is starting or running, since a thousand Revocations may
/// wait for one Job and would each be written again. What the revoker has begun is in its own part of the status.
fn under_way(state: &JobState) -> Report {
    let updates = match state {
        JobState::Stuck(what) => {
            let message =
                format!("Every gate is open, and the revoker's Job cannot start: {what}. Nothing was changed.");
            vec![condition::waiting(Reason::RevokerCannotStart, message.clone()), condition::reconciling(message)]
        }
        JobState::Running | JobState::Starting | JobState::Succeeded | JobState::Failed(..) => vec![
            condition::waiting(
                Reason::Released,
                "Every gate is open; the revoker's Job in status.job carries it out, and status.claim says when it began.",
            ),
            condition::reconciling("It is the revoker's to carry out."),
        ],
    };
    Report { updates, again: SILENT }
}

/// The batch that this part waits in, where the label does not name it yet.
fn unlabelled<'a>(revocation: &Revocation, part: &'a ControlStatus) -> Option<&'a str> {
    let batch = part.gate.as_ref()?.batch.as_deref()?;
    (revocation.labels().get(names::BATCH).map(String::as_str) != Some(batch)).then_some(batch)
}

/// Puts the batch on a label so that it can be approved as one; over what was gated, or not at all.
async fn label(api: &Api<Revocation>, revocation: &Revocation, batch: &str) -> Result<Revocation, Fault> {
    let metadata = serde_json::json!({
        "uid": revocation.uid(), "resourceVersion": revocation.resource_version(), "labels": {names::BATCH: batch},
    });
    let patch = Patch::Merge(serde_json::json!({"metadata": metadata}));
    call("label the batch", api.patch(&revocation.name_any(), &PatchParams::default(), &patch)).await
}

/// The Person of a Revocation, for an Event on it.
pub(super) fn person_of(ctx: &Context, revocation: &Revocation) -> ObjectReference {
    ObjectReference {
        api_version: Some("rollcall.dev/v1alpha1".to_owned()),
        kind: Some("Person".to_owned()),
        name: Some(revocation.spec.person.clone()),
        namespace: Some(ctx.options.namespace.clone()),
        uid: Some(revocation.spec.person_uid.clone()),
        ..ObjectReference::default()
    }
}

/// Writes the part, and tells about a new phase or something that came back.
async fn write(revocation: &Revocation, ctx: &Context, part: &ControlStatus, now: Timestamp) -> Result<(), Fault> {
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let labelled = match unlabelled(revocation, part) {
        Some(batch) => Some(label(&api, revocation, batch).await?), // first: what shows its batch can be approved by it
        None => None,
    };
    apply_exactly(&api, labelled.as_ref().unwrap_or(revocation), MANAGER, part).await?; // over what was gated, or not at all
    let before = ControlStatus::of(revocation);
    traced::tell(ctx, revocation, &before, part, now);
    let person = person_of(ctx, revocation);
    let gate = |part: &ControlStatus| part.gate.as_ref().map(|gate| gate.reason.clone());
    let is = |reason: Reason| gate(part).as_deref() == Some(reason.as_str());
    // The one is over within a moment, and the other is no news: every removal waits for its day.
    let quiet = is(Reason::Uncounted) || (is(Reason::NotDue) && revocation.spec.operation == Operation::Remove);
    if !quiet && (part.phase != before.phase || gate(part) != gate(&before)) {
        let reason = part.phase.map_or(Reason::Planned, Reason::from);
        let gate = part.gate.as_ref().map(|gate| format!(": {}", gate.reason)).unwrap_or_default();
        let operation = match revocation.spec.operation {
            Operation::Cut => "cut",
            Operation::Remove => "removal",
            Operation::Freeze => "freeze",
        };
        let note = format!("{operation} {}{gate}", revocation.name_any());
        if part.phase == Some(Phase::Failed) {
            publish_warning(&ctx.client, "control", person.clone(), reason, note, now).await;
        } else {
            publish_event(&ctx.client, "control", person.clone(), reason, note, now).await;
        }
    }
    if part.returned.len() > before.returned.len() {
        let note = format!("{} credentials came back after {}", part.returned.len(), revocation.name_any());
        publish_warning(&ctx.client, "control", person.clone(), Reason::CameBack, note, now).await;
    }
    if rechecks::is_news(&before, part) {
        let note = format!(
            "access is back: {} things that {} revoked work again",
            rechecks::refuted(revocation).len(),
            revocation.name_any()
        );
        publish_warning(&ctx.client, "control", person, Reason::WorksAgain, note, now).await;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
