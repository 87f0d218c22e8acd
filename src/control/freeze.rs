//! Freezes: while a person is on leave, an admission policy refuses what they would change. Control keeps the list of user
//! names that the policy reads, and lifts exactly what a Revocation holds there.
//!
//! No Job and no other identity takes part: nothing is deleted, and all of it is undone as fast as it was done. What control
//! may freeze is bounded by the policy itself, which never looks at the system's, Rollcall's and the break-glass names.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::ResourceExt;
use tokio::sync::{Notify, oneshot};

use super::Context;
use super::owned::Drawn;
use super::owned_status::{ControlStatus, open};
use super::person::plan_now;
use super::revocation::ending::{end, ended};
use crate::api::condition::{self, Reason};
use crate::api::revocation::{Phase, Plan, Verdict, VerdictKind};
use crate::api::{FrozenNames, FrozenNamesSpec, Person, Revocation, convert, names};
use crate::kube::calls::call;
use crate::kube::gate_inputs::{self, GateInputs};
use crate::kube::named::Api;
use crate::kube::outcome::{Fault, Report};
use crate::kube::swap;
use domain::frozen::FrozenNames as List;
use domain::gate::{Facts, LeaverStatus, Released, gate};
use domain::plan::{self, Target, frozen_name};

/// What is being done, for a fault.
const WRITES: &str = "write the list of frozen user names";
/// How often a write is tried again after somebody else wrote.
const CONFLICTS: usize = 8;
/// Look again at what cannot be frozen yet.
const LATER: Duration = Duration::from_secs(60);
/// Look again at what has nothing to freeze, in case a change was missed.
const MUCH_LATER: Duration = Duration::from_secs(600);
/// What was seen of a name that is frozen.
const HOW: &str = "the list of frozen user names was read back with this name on it, and the admission policy that reads the list is in force; a refusal was not tried";

/// What is to be changed on the list: all that wait at one moment are written together.
#[derive(Default)]
pub struct Freezes {
    waiting: Mutex<Vec<Wanted>>,
    /// Held by the one that writes.
    turn: tokio::sync::Mutex<()>,
    /// Told when a Revocation is gone, or the list changed.
    gone: Notify,
}

/// The names that a Revocation is to hold from now on; none lifts what it held.
struct Wanted {
    revocation: String,
    names: BTreeSet<String>,
    answer: oneshot::Sender<Result<Written, Fault>>,
}

/// The list was written, and read back as it was written.
#[derive(Clone, Copy, Debug)]
struct Written {
    acted: Timestamp,
    verified: Timestamp,
}

impl Freezes {
    fn waiting(&self) -> MutexGuard<'_, Vec<Wanted>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A Revocation is gone: what it held is to be lifted.
    pub fn tidy(&self) {
        self.gone.notify_one();
    }
}

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
            still_held(&plan.targets, &drawn, &BTreeSet::new(), Standing::Stands)
        }
        _ => Vec::new(),
    };
    if theirs.is_empty() {
        clear(ctx, &inputs.revocation).await?;
        let message = "Nothing to freeze was found: no user name and no personal account is this person's alone. See status.plan.remaining, and spec.identity.usernames of the policy.";
        return Err(Fault::Waiting { reason: Reason::NothingFound, message: message.to_owned(), again: MUCH_LATER });
    }
    if let Err(stop) = gate(plan, &live_facts(ctx, inputs, now).await?, now) {
        clear(ctx, &inputs.revocation).await?;
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
        let held = still_held(&targets, &drawn, &shown, standing);
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
    drawn: &plan::Plan,
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

/// Lifts what a Revocation holds that does not stand: a process died before it said so.
pub async fn clear(ctx: &Context, revocation: &Revocation) -> Result<(), Fault> {
    if listed(ctx).of(&revocation.name_any()).next().is_some() {
        change(ctx, &revocation.name_any(), BTreeSet::new()).await?;
    }
    Ok(())
}

/// What is frozen, as the Revocation shows it.
fn show<'a>(part: &mut ControlStatus, targets: impl Iterator<Item = &'a Target>, written: Written) {
    let verdict = |target: &Target| Verdict {
        target: target.into(),
        verdict: VerdictKind::Implied,
        how: HOW.to_owned(),
        at: written.verified,
    };
    part.verdicts = targets.map(verdict).collect();
    part.acted = Some(written.acted);
    part.verified = Some(written.verified);
}

/// The list as it is watched.
fn listed(ctx: &Context) -> List {
    List::read(ctx.stores.frozen().as_ref().map(|object| &object.spec.names))
}

/// What the gates ask, read live.
async fn live_facts(ctx: &Context, inputs: &GateInputs, now: Timestamp) -> Result<Facts, Fault> {
    let (client, namespace) = (&ctx.client, &ctx.options.namespace);
    let api: Api<Revocation> = Api::namespaced(client.clone(), namespace);
    let revocation = call("read the Revocation", api.get(&inputs.revocation.name_any())).await?;
    let policy = gate_inputs::of_policy(client, namespace, &revocation.spec.policy, now).await?;
    Ok(gate_inputs::read(client, namespace, &revocation, policy).await?.facts())
}

/// Has a Revocation hold these names on the list, and no others; says when that was written and read back.
async fn change(ctx: &Context, revocation: &str, names: BTreeSet<String>) -> Result<Written, Fault> {
    let _aside = ctx.aside();
    let (answer, mut answered) = oneshot::channel();
    ctx.freezes.waiting().push(Wanted { revocation: revocation.to_owned(), names, answer });
    let _turn = ctx.freezes.turn.lock().await;
    let all = std::mem::take(&mut *ctx.freezes.waiting());
    if !all.is_empty() {
        write_all(ctx, all).await;
    }
    // One that had the turn before and was told to stop has answered nobody.
    let interrupted = Fault::Transient { doing: WRITES, cause: "it was interrupted".to_owned() };
    answered.try_recv().unwrap_or(Err(interrupted))
}

/// Writes all that is wanted. What finds no policy or no room hears so; what is lifted needs neither.
async fn write_all(ctx: &Context, wanted: Vec<Wanted>) {
    let api: Api<FrozenNames> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let freezes = wanted.iter().any(|one| !one.names.is_empty());
    let refusing = if freezes { installed(ctx).await } else { Ok(()) };
    let (wanted, refused): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|one| one.names.is_empty() || refusing.is_ok());
    if let Err(fault) = refusing {
        refused.into_iter().for_each(|one| drop(one.answer.send(Err(fault.clone()))));
    }
    let acted = (ctx.clock)();
    let read = async {
        let full = swap_list(&api, &wanted).await?;
        let object = call("read the frozen user names back", api.get_opt(names::FROZEN)).await?;
        Ok::<_, Fault>((full, List::read(object.as_ref().map(|object| &object.spec.names))))
    };
    match read.await {
        Err(fault) => wanted.into_iter().for_each(|one| drop(one.answer.send(Err(fault.clone())))),
        Ok((full, list)) => {
            let verified = (ctx.clock)();
            for one in wanted {
                let holds = list.of(&one.revocation).eq(one.names.iter().map(String::as_str));
                let result = if full.contains(&one.revocation) {
                    Err(full_fault())
                } else if holds {
                    Ok(Written { acted, verified })
                } else {
                    let cause = "somebody else changed the list".to_owned();
                    Err(Fault::Transient { doing: "read the frozen user names back", cause })
                };
                drop(one.answer.send(result));
            }
        }
    }
}

/// Writes all that is wanted over exactly what was read; gives those that found no room.
async fn swap_list(api: &Api<FrozenNames>, wanted: &[Wanted]) -> Result<BTreeSet<String>, Fault> {
    for _ in 0..CONFLICTS {
        let current = match call(WRITES, api.get_opt(names::FROZEN)).await {
            Err(fault) if fault.is_not_found() => return Err(no_kind()), // an object that is not there is none
            read => read?,
        };
        let before = current.as_ref().map(|object| &object.spec.names);
        let mut list = List::read(before);
        let full = apply(&mut list, wanted);
        let names = list.written().map_err(|_| full_fault())?;
        if before == Some(&names) || (before.is_none() && names.is_empty()) {
            return Ok(full);
        }
        let (fresh, spec) = (current.is_none(), FrozenNamesSpec { names });
        let list = match current {
            Some(object) => FrozenNames { spec, ..object },
            None => FrozenNames::new(names::FROZEN, spec),
        };
        match swap::put(api, WRITES, &list, fresh).await {
            Err(fault) if fault.is_conflict() => {}
            written => return written.map(|_| full),
        }
    }
    Err(Fault::Transient { doing: WRITES, cause: "somebody else kept writing".to_owned() })
}

/// Puts all that is wanted on the list; gives those that found no room.
fn apply(list: &mut List, wanted: &[Wanted]) -> BTreeSet<String> {
    let before = list.clone();
    wanted.iter().for_each(|one| list.hold(&one.revocation, one.names.clone()));
    if list.written().is_ok() {
        return BTreeSet::new();
    }
    *list = before;
    let (lifted, held): (Vec<_>, Vec<_>) = wanted.iter().partition(|one| one.names.is_empty());
    lifted.into_iter().for_each(|one| list.hold(&one.revocation, BTreeSet::new()));
    let mut full = BTreeSet::new();
    for one in held {
        let before = list.clone();
        list.hold(&one.revocation, one.names.clone());
        if list.written().is_err() {
            *list = before;
            full.insert(one.revocation.clone());
        }
    }
    full
}

fn full_fault() -> Fault {
    let message = "The list of frozen user names is full, so this person is not frozen. Others are.".to_owned();
    Fault::Waiting { reason: Reason::FrozenFull, message, again: MUCH_LATER }
}

fn no_kind() -> Fault {
    let message = "The API server does not have the kind FrozenNames, so nobody can be frozen. The chart's value crds.install installs it; otherwise apply crds/rollcall.dev_frozennames.yaml.";
    Fault::Waiting { reason: Reason::FreezeNotInstalled, message: message.to_owned(), again: LATER }
}

/// Whether the API server has the policy that reads the list, and refuses by it.
async fn installed(ctx: &Context) -> Result<(), Fault> {
    let name = format!("{}-freeze", ctx.options.instance);
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(ctx.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(ctx.client.clone());
    let (policy, binding) = futures::join!(
        call("read the policy that freezes", policies.get_opt(&name)),
        call("read the binding of the policy that freezes", bindings.get_opt(&name)),
    );
    let spec = binding?.and_then(|binding| binding.spec);
    let denies = spec.is_some_and(|spec| {
        let reads = spec.param_ref.is_some_and(|list| {
            list.name.as_deref() == Some(names::FROZEN) && list.namespace.as_ref() == Some(&ctx.options.namespace)
        });
        reads
            && spec.policy_name.as_ref() == Some(&name)
            && spec.validation_actions.iter().flatten().any(|act| act == "Deny")
    });
    if policy?.is_some() && denies {
        return Ok(());
    }
    let message = format!(
        "The ValidatingAdmissionPolicy {name}, or its binding, is not there, so nothing would be refused. The chart's value freeze.enabled installs it."
    );
    Err(Fault::Waiting { reason: Reason::FreezeNotInstalled, message, again: LATER })
}

/// The list changed: freezes that stand and are not on it as they were are looked at.
pub fn list_changed(ctx: &Context) {
    let list = listed(ctx);
    ctx.wake_frozen(|revocation| {
        let shown = revocation.status.iter().flat_map(|status| &status.verdicts);
        let shown: BTreeSet<String> = shown.map(|verdict| frozen_name(&(&verdict.target).into())).collect();
        !list.of(&revocation.name_any()).eq(shown.iter().map(String::as_str))
    });
    // One that is still held was frozen by a process that died before it said so.
    for revocation in list.holders().filter_map(|name| ctx.stores.revocations.get(name)) {
        if open(&revocation) {
            ctx.wake_if_open(&revocation);
        }
    }
    ctx.freezes.tidy();
}

/// Lifts what is held by Revocations that are gone or over, for as long as the process lives.
pub async fn keep(ctx: Arc<Context>) {
    loop {
        if let Err(fault) = tidy(&ctx).await {
            tracing::warn!(%fault, "what a Revocation held that is gone is still frozen; tried again");
            ctx.freezes.tidy();
            tokio::time::sleep(LATER).await;
        }
        ctx.freezes.gone.notified().await;
    }
}

async fn tidy(ctx: &Context) -> Result<(), Fault> {
    let list = listed(ctx);
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    for name in list.holders() {
        let over = match ctx.stores.revocations.get(name) {
            Some(seen) => !open(&seen) && !convert::in_force(&seen),
            None => call("look for a Revocation", api.get_opt(name)).await?.is_none(),
        };
        if over {
            change(ctx, name, BTreeSet::new()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
