//! Freezes: while a person is on leave, and once they have left, an admission policy refuses what they would change. Control
//! keeps the list of user names that the policy reads, and lifts exactly what a Revocation holds there.
//!
//! No Job and no other identity takes part: nothing is deleted, and all of it is undone as fast as it was done. What control
//! may freeze is bounded by the policy itself, which never looks at the system's, Rollcall's and the break-glass names.

pub mod first;
mod list;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

pub use self::list::{Freezes, clear, keep, list_changed};
use self::list::{Written, change, listed};
use super::Context;
use super::owned::Drawn;
use super::owned_status::ControlStatus;
use super::person::plan_now;
use super::revocation::ending::{end, ended};
use crate::api::condition::{self, Reason};
use crate::api::revocation::{Phase, Plan, Verdict, VerdictKind};
use crate::api::{Person, Revocation};
use crate::kube::calls::call;
use crate::kube::gate_inputs::{self, GateInputs};
use crate::kube::named::Api;
use crate::kube::outcome::{Fault, Report};
use domain::gate::{Facts, LeaverStatus, Released, gate};
use domain::plan::{self, Target, frozen_name};

/// Look again at what cannot be frozen yet.
const LATER: Duration = Duration::from_secs(60);
/// Look again at what has nothing to freeze, in case a change was missed.
const MUCH_LATER: Duration = Duration::from_secs(600);
/// What was seen of a name that is frozen.
const HOW: &str = "the list of frozen user names was read back with this name on it, and the admission policy that reads the list is in force; a refusal was not tried";

/// Every gate is open by what is watched: asks them again of live reads, and freezes.
///
/// # Flow          gates on live reads; the policy is there? the list by compare-and-swap; read back; sealed
/// # Guarantees    nothing is frozen that is not in the plan, or is not theirs alone by what is watched; a list that cannot be
///                 read back, or a policy that is not there, is no freeze
/// # Errors        transient, or waiting for the policy or for room on the list: the next look begins anew
pub async fn begin(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    released: &Released,
    now: Timestamp,
) -> Result<Report, Fault> {
    let plan = released.plan();
    part.phase = Some(Phase::Held);
    part.gate = None;
    // An approval names a plan, and a plan may be days old: a name of it may be a colleague's by now.
    let person = inputs.person.as_ref().filter(|person| is_of(&inputs.revocation, person));
    let theirs: Vec<&Target> = match (person, &inputs.policy) {
        (Some(person), Some(policy)) if !plan.targets.is_empty() => {
            let drawn = plan_now(ctx, &inputs.revocation, person, policy).await?;
            still_held(&plan.targets, &drawn.targets, &BTreeSet::new(), Standing::Stands)
        }
        _ => Vec::new(),
    };
    if theirs.is_empty() {
        clear(ctx, &inputs.revocation.name_any()).await?;
        let message = "Nothing to freeze was found: no user name and no personal account is this person's alone. See status.plan.remaining, and spec.identity.usernames of the policy.";
        return Err(Fault::Waiting { reason: Reason::NothingFound, message: message.to_owned(), again: MUCH_LATER });
    }
    if let Err(stop) = gate(plan, &live_facts(ctx, inputs, now).await?, now) {
        clear(ctx, &inputs.revocation.name_any()).await?;
        part.hold(&stop);
        return Ok(Report { updates: vec![condition::waiting(Reason::from(&stop), stop.message())], again: LATER });
    }
    let written =
        change(ctx, &inputs.revocation.name_any(), theirs.iter().map(|target| frozen_name(target)).collect()).await?;
    let mut stands = part.clone();
    show(&mut stands, theirs.into_iter(), written);
    end(ctx, inputs, part, stands.ending(Phase::Frozen).released(now)).await
}

/// A freeze that stands: lifted when its reason is gone, and kept true until then. Where it cannot be told whether they are on
/// leave still, it lets go of what is somebody else's by now, and of nothing else. Nothing changes while everything is stopped.
pub async fn upkeep(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    now: Timestamp,
) -> Result<Report, Fault> {
    match standing(&inputs.facts()) {
        Standing::Stopped => Ok(ended(part)),
        Standing::Over => lift(ctx, inputs, part, now).await,
        standing @ (Standing::Stands | Standing::Untold) => {
            keep_true(ctx, inputs, part, now, standing).await?;
            Ok(ended(part))
        }
    }
}

/// What becomes of a freeze that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Its reason stands.
    Stands,
    /// Its reason is gone, or a human said so.
    Over,
    /// Nothing can be told of them: it stays, for as long as each name is theirs.
    Untold,
    /// Nothing is to be done.
    Stopped,
}

fn standing(facts: &Facts) -> Standing {
    match facts.leaver_status {
        _ if facts.stopped.is_some() => Standing::Stopped,
        LeaverStatus::Employed | LeaverStatus::OutOfScope => Standing::Over,
        _ if facts.rejected || facts.protected => Standing::Over,
        LeaverStatus::Unknown => Standing::Untold,
        LeaverStatus::Ended => Standing::Stands,
    }
}

/// Lifts exactly what this Revocation holds, on a live read that says so too.
async fn lift(ctx: &Context, inputs: &GateInputs, part: &mut ControlStatus, now: Timestamp) -> Result<Report, Fault> {
    if standing(&live_facts(ctx, inputs, now).await?) != Standing::Over {
        return Ok(ended(part));
    }
    let written = change(ctx, &inputs.revocation.name_any(), BTreeSet::new()).await?;
    let mut lifted = part.clone();
    lifted.lifted = Some(written.verified);
    end(ctx, inputs, part, lifted.ending(Phase::Lifted)).await
}

/// Lets go of what is somebody else's by now, and writes what was taken off the list again. Of a Person that was made anew
/// since nothing follows.
async fn keep_true(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    now: Timestamp,
    standing: Standing,
) -> Result<(), Fault> {
    let person = inputs.person.as_ref().filter(|person| is_of(&inputs.revocation, person));
    let (Some(person), Some(policy), Some(plan)) = (person, &inputs.policy, &mut part.plan) else {
        return Ok(());
    };
    let targets: Vec<Target> = plan.targets.iter().map(Into::into).collect();
    let (uid, name) = (inputs.revocation.uid().unwrap_or_default(), person.name_any());
    let generation = policy.metadata.generation;
    let unchanged = ctx.epochs(|epochs| epochs.drawn_at(&uid, &name, generation, &plan.hash)).is_some();
    let shown: BTreeSet<Target> = part.verdicts.iter().map(|verdict| (&verdict.target).into()).collect();
    let held: Vec<&Target> = if unchanged {
        targets.iter().filter(|target| shown.contains(target)).collect()
    } else {
        let epoch = ctx.epochs(|epochs| epochs.of(&name));
        let drawn = plan_now(ctx, &inputs.revocation, person, policy).await?;
        let held = still_held(&targets, &drawn.targets, &shown, standing);
        *plan = Plan { remaining: drawn.remaining.iter().map(Into::into).collect(), ..plan.clone() };
        part.remaining_count = Some(u32::try_from(plan.remaining.len()).unwrap_or(u32::MAX));
        let hash = plan.hash.clone();
        ctx.epochs(|epochs| epochs.drew(&uid, Drawn { epoch, policy: generation, hash, at: now }));
        held
    };
    let wanted: BTreeSet<String> = held.iter().map(|target| frozen_name(target)).collect();
    if listed(ctx).of(&inputs.revocation.name_any()).eq(wanted.iter().map(String::as_str)) {
        return Ok(());
    }
    let written = change(ctx, &inputs.revocation.name_any(), wanted).await?;
    show(part, held.into_iter(), written);
    Ok(())
}

/// Of the targets of a freeze, those that are still to be refused: what is theirs by a plan drawn now, and no more than is
/// refused already where nothing can be told of them.
fn still_held<'a>(
    targets: &'a [Target],
    drawn: &[Target],
    shown: &BTreeSet<Target>,
    standing: Standing,
) -> Vec<&'a Target> {
    let grows = standing == Standing::Stands;
    let theirs: BTreeSet<&Target> = plan::still_theirs(targets, drawn).collect();
    targets.iter().filter(|target| theirs.contains(target) && (grows || shown.contains(target))).collect()
}

/// Whether a Revocation is about this Person, and not about one of that name that was made anew.
fn is_of(revocation: &Revocation, person: &Person) -> bool {
    person.uid().as_deref() == Some(revocation.spec.person_uid.as_str())
}

/// What is frozen, as the Revocation shows it.
fn show<'a>(part: &mut ControlStatus, targets: impl Iterator<Item = &'a Target>, written: Written) {
    part.verdicts = targets.map(|target| verdict(target, written)).collect();
    part.acted = Some(written.acted);
    part.verified = Some(written.verified);
}

/// What was seen of a name that is frozen.
fn verdict(target: &Target, written: Written) -> Verdict {
    Verdict { target: target.into(), verdict: VerdictKind::Implied, how: HOW.to_owned(), at: written.verified }
}

/// What the gates ask, read live.
async fn live_facts(ctx: &Context, inputs: &GateInputs, now: Timestamp) -> Result<Facts, Fault> {
    let (client, namespace) = (&ctx.client, &ctx.options.namespace);
    let api: Api<Revocation> = Api::namespaced(client.clone(), namespace);
    let revocation = call("read the Revocation", api.get(&inputs.revocation.name_any())).await?;
    let policy = gate_inputs::of_policy(client, namespace, &revocation.spec.policy, now).await?;
    Ok(gate_inputs::read(client, namespace, &revocation, policy).await?.facts())
}

#[cfg(test)]
mod tests;
