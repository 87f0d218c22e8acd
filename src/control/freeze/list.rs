//! The list of user names that the freeze refuses: written by compare-and-swap, read back, and kept true to the Revocations
//! that hold names on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::ResourceExt;
use tokio::sync::{Notify, oneshot};

use super::{LATER, MUCH_LATER};
use crate::api::condition::Reason;
use crate::api::{FrozenNames, FrozenNamesSpec, Revocation, convert, names};
use crate::control::Context;
use crate::control::owned_status::open;
use crate::kube::calls::call;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::{stop, swap};
use domain::frozen::FrozenNames as List;
use domain::plan::frozen_name;

/// What is being done, for a fault.
pub(super) const WRITES: &str = "write the list of frozen user names";
/// How often a write is tried again after somebody else wrote.
const CONFLICTS: usize = 8;

/// How often the first freeze of a cut is tried by one process.
pub(super) const TRIES: u32 = 5;
/// As many as of what waits for somebody.
const FOR_GOOD: u32 = u32::MAX;

/// What is to be changed on the list: all that wait at one moment are written together.
#[derive(Default)]
pub struct Freezes {
    waiting: Mutex<Vec<Wanted>>,
    /// Held by the one that writes.
    turn: tokio::sync::Mutex<()>,
    /// How often the first freeze of a cut was tried in vain.
    tries: Mutex<BTreeMap<String, u32>>,
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
pub(super) struct Written {
    pub(super) acted: Timestamp,
    pub(super) verified: Timestamp,
}

impl Freezes {
    fn waiting(&self) -> MutexGuard<'_, Vec<Wanted>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often the first freeze of a cut was tried in vain.
    pub(super) fn tries(&self, revocation: &str) -> u32 {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner).get(revocation).copied().unwrap_or(0)
    }

    /// The first freeze of a cut was tried; says whether it is to be tried again. What waits for somebody, such as for the policy to be
    /// installed, is not.
    pub(super) fn tried(&self, revocation: &str, fault: Option<&Fault>) -> bool {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            None => drop(tries.remove(revocation)),
            Some(Fault::Waiting { .. } | Fault::Stalled(_)) => drop(tries.insert(revocation.to_owned(), FOR_GOOD)),
            Some(Fault::Transient { .. } | Fault::Call { .. }) => {
                let before = tries.entry(revocation.to_owned()).or_default();
                *before = before.saturating_add(1).min(FOR_GOOD - 1);
                return *before < TRIES;
            }
        }
        false
    }

    /// Whether what was tried waits for somebody: trying again changes nothing.
    pub(super) fn waits(&self, revocation: &str) -> bool {
        self.tries(revocation) == FOR_GOOD
    }

    /// A Revocation is gone: what it held is to be lifted.
    pub fn tidy(&self) {
        self.gone.notify_one();
    }
}

/// The list as it is watched.
pub(super) fn listed(ctx: &Context) -> List {
    List::read(ctx.stores.frozen().as_ref().map(|object| &object.spec.names))
}

/// Lifts what a Revocation holds that does not stand: a process died before it said so. That it does not stand is read live: the
/// watch may be behind what this very process wrote, and what is lifted of a Person that is gone is not put back.
pub async fn clear(ctx: &Context, revocation: &str) -> Result<(), Fault> {
    lift_unless(ctx, revocation, convert::freezes).await
}

/// Lifts what a Revocation holds, unless it is there and this is true of it.
async fn lift_unless(ctx: &Context, revocation: &str, stands: impl Fn(&Revocation) -> bool) -> Result<(), Fault> {
    if listed(ctx).of(revocation).next().is_none() {
        return Ok(());
    }
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let live = call("look for a Revocation", api.get_opt(revocation)).await?;
    if !live.is_some_and(|live| stands(&live)) {
        change(ctx, revocation, BTreeSet::new()).await?;
    }
    Ok(())
}

/// Has a Revocation hold these names on the list, and no others; says when that was written and read back.
pub(super) async fn change(ctx: &Context, revocation: &str, names: BTreeSet<String>) -> Result<Written, Fault> {
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
    let refusing = if freezes { may_freeze(ctx).await } else { Ok(()) };
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

/// Whether anybody may be frozen now: nothing is while everything is stopped, or nothing would be refused by it.
async fn may_freeze(ctx: &Context) -> Result<(), Fault> {
    let (installed, stopped) = futures::join!(installed(ctx), stop::stopped(&ctx.client, &ctx.options.namespace));
    match stopped {
        Some(_) => Err(Fault::Transient { doing: "freeze", cause: "everything is stopped".to_owned() }),
        None => installed,
    }
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
        let shown: BTreeSet<String> =
            convert::frozen(revocation).map(|verdict| frozen_name(&(&verdict.target).into())).collect();
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
    let stands = |revocation: &Revocation| open(revocation) || convert::freezes(revocation);
    for name in listed(ctx).holders() {
        if !ctx.stores.revocations.get(name).is_some_and(|seen| stands(&seen)) {
            lift_unless(ctx, name, stands).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
