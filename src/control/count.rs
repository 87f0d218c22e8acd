//! The ledger's one writer: what is to be counted, approved or taken out is gathered, and written by one compare-and-swap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::owned_status::open;
use super::{Context, drill};
use crate::api::convert::LiveObjects;
use crate::api::policy::{ClusterLimits, Mode, Run};
use crate::api::revocation::{Operation, Phase, Trigger};
use crate::api::{Person, Revocation, SyncPolicy, convert, names};
use crate::kube::ledger_store;
use domain::gate::{Approved, Stop};
use domain::ledger::{self, Allowance, Bounds, CountedPlan, Ledger, Of, Open, Who};

/// How long to gather what is to be counted.
const TOGETHER: Duration = Duration::from_millis(50);
/// First wait after a fault; doubles with every one in a row.
const RETRY: Duration = Duration::from_secs(1);
/// How often it doubles at most.
const MAX_DOUBLINGS: u32 = 5;

/// Something that changes the ledger. In the order in which several are done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// A Revocation, of this policy, of this name and uid, that waits and will not be released.
    Withdraw(String, String, String),
    /// The approval of a Revocation, of this policy, expired.
    Expire(String, String),
    /// The plan of a Revocation, of this policy, was approved.
    Approve(String, String),
    /// A run of this policy may have been seen whole.
    Count(String, String),
    /// A Revocation of this policy that belongs to no run, such as one that was made by hand.
    Alone(String, String),
    /// A removal of this policy is due.
    Remove(String, String),
}

/// What is to be done to the ledger, each once.
#[derive(Default)]
pub struct Wishes {
    waiting: Mutex<BTreeSet<Wish>>,
    woken: Notify,
}

impl Wishes {
    /// Adds one; it is done soon, with all others of that moment.
    pub fn add(&self, wish: Wish) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(wish);
        self.woken.notify_one();
    }

    fn take(&self) -> BTreeSet<Wish> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Does what is wished for; ends only with the process.
///
/// # Flow          gather; work out what it means, from what is watched; one compare-and-swap on a live read
/// # Guarantees    a run is counted only when every leaver of it has a plan, or the others have waited long enough; it is
///                 released or held as a whole, and a plan that changed since is counted again
/// # Errors        transient: nothing was counted, and all of it is tried again
pub async fn keep(ctx: Arc<Context>) {
    let mut failures = 0_u32;
    loop {
        ctx.wishes.woken.notified().await;
        tokio::time::sleep(TOGETHER).await;
        let wishes = ctx.wishes.take();
        let now = (ctx.clock)();
        let changes: Vec<Act> = acts(&ctx, &wishes, now);
        if changes.is_empty() {
            continue;
        }
        let written = ledger_store::change(&ctx.client, &ctx.options.namespace, |ledger| {
            changes.iter().for_each(|change| change.apply(ledger, now));
        })
        .await;
        match written {
            Ok((ledger, map)) => {
                failures = 0;
                let concerned: Vec<&String> = changes.iter().flat_map(|change| change.concerns(&ledger)).collect();
                ctx.stores.set_ledger(map.as_ref(), Some(ledger));
                let concerned = concerned.into_iter().filter_map(|name| ctx.stores.revocations.get(name));
                concerned.for_each(|revocation| ctx.wake_if_open(&revocation));
            }
            Err(fault) => {
                tracing::warn!(%fault, "not counted; tried again");
                wishes.into_iter().for_each(|wish| ctx.wishes.add(wish));
                tokio::time::sleep(RETRY * 2_u32.pow(failures.min(MAX_DOUBLINGS))).await;
                failures = failures.saturating_add(1);
            }
        }
    }
}

/// One change of the ledger. Done twice is done once.
#[derive(Debug, PartialEq)]
enum Act {
    Withdraw { policy: String, revocation: String, uid: String },
    Expire { policy: String, revocation: String, asked: CountedPlan },
    Approve { policy: String, revocation: String, asked: CountedPlan },
    Keep { open: BTreeMap<String, Open> },
    Count(Count),
}

/// Something to be counted as a whole.
#[derive(Debug, PartialEq)]
struct Count {
    policy: String,
    run: String,
    of: Of,
    revocations: BTreeMap<String, CountedPlan>,
    announced: BTreeSet<String>,
    unplanned: Option<u32>,
    bounds: Bounds,
}

impl Act {
    /// Names of the Revocations for which something changed. Who found no room comes back by themselves, and not at once.
    fn concerns(&self, ledger: &Ledger) -> Vec<&String> {
        match self {
            Self::Approve { revocation, .. } | Self::Expire { revocation, .. } => vec![revocation],
            Self::Count(Count { policy, revocations, .. }) => {
                let found_room =
                    |name: &str, asked: &CountedPlan| ledger.allowance(policy, name, asked) != Allowance::NoRoom;
                revocations.iter().filter(|(name, asked)| found_room(name, asked)).map(|(name, _)| name).collect()
            }
            Self::Withdraw { .. } | Self::Keep { .. } => Vec::new(),
        }
    }

    fn apply(&self, ledger: &mut Ledger, now: Timestamp) {
        match self {
            Self::Withdraw { policy, revocation, uid } => ledger.withdraw(policy, revocation, uid),
            Self::Expire { policy, revocation, asked } => ledger.expire(policy, revocation, asked),
            Self::Approve { policy, revocation, asked } => ledger.approve(policy, revocation, asked, now),
            Self::Keep { open } => ledger.retain(open, now),
            Self::Count(Count { policy, run, of, revocations, announced, unplanned, bounds }) => {
                let run = ledger::Run { id: run, of: *of, revocations, announced, unplanned: *unplanned };
                ledger.count_run(policy, &run, bounds, now);
            }
        }
    }
}

/// What the wishes mean, by what is watched now.
fn acts(ctx: &Context, wishes: &BTreeSet<Wish>, now: Timestamp) -> Vec<Act> {
    let (mut acts, mut counts) = (Vec::new(), Vec::new());
    let mut removals: BTreeMap<(String, String), BTreeMap<String, CountedPlan>> = BTreeMap::new();
    let revocation = |name: &String| ctx.stores.revocations.get(name);
    let rehearsal = |revocation: &Revocation| {
        drill::rehearses(revocation, &ctx.options.namespace, ctx.options.drill_namespace.as_deref())
    };
    for wish in wishes {
        match wish {
            Wish::Withdraw(policy, name, uid) => {
                let (policy, revocation, uid) = (policy.clone(), name.clone(), uid.clone());
                acts.push(Act::Withdraw { policy, revocation, uid });
            }
            Wish::Expire(policy, name) | Wish::Approve(policy, name) => {
                let of_policy = ctx.stores.policies.get(policy);
                acts.extend(revocation(name).and_then(|one| decided(&one, of_policy.as_deref(), now)));
            }
            Wish::Count(policy, run) => {
                let Some(policy) = ctx.stores.policies.get(policy) else { continue };
                let seen = ctx.stores.revocations_in(run);
                let notice = |revocation: &Revocation| {
                    ctx.stores
                        .people
                        .get(&revocation.spec.person)
                        .map(|person| notice(&person, revocation.spec.trigger, run))
                        .map(|known| LeaverNotice { announced: known.announced || rehearsal(revocation), ..known })
                        .unwrap_or_default()
                };
                counts.extend(count(&policy, run, &seen, notice, &|known| bounds(ctx, &policy, known), now));
            }
            Wish::Alone(policy, name) => {
                let (Some(policy), Some(one)) = (ctx.stores.policies.get(policy), revocation(name)) else { continue };
                counts.extend(alone(&policy, &one, bounds(ctx, &policy, convert::known(&policy))));
            }
            Wish::Remove(policy, name) => {
                let Some(one) = revocation(name) else { continue };
                let run = one.labels().get(names::RUN).unwrap_or(name).clone();
                if let Some(asked) = convert::asked(&one) {
                    removals.entry((policy.clone(), run)).or_default().insert(name.clone(), asked);
                }
            }
        }
    }
    for ((policy, run), revocations) in removals {
        let bounds = ctx.stores.policies.get(&policy).and_then(|policy| bounds(ctx, &policy, convert::known(&policy)));
        counts.extend(bounds.map(|bounds| {
            let announced = BTreeSet::new();
            Count { policy, run, of: Of::Removals, revocations, announced, unplanned: Some(0), bounds }
        }));
    }
    if !counts.is_empty() {
        acts.push(Act::Keep { open: what_is_open(&ctx.stores.revocations.state()) });
    }
    acts.extend(counts.into_iter().map(Act::Count));
    acts
}

/// The limits of a policy of which so many people are known, and those above all policies that act.
fn bounds(ctx: &Context, policy: &SyncPolicy, known: u32) -> Option<Bounds> {
    let others = ctx.stores.policies.state();
    let others = others.iter().filter(|other| other.metadata.uid != policy.metadata.uid);
    bounds_of(policy, known, others.map(AsRef::as_ref), &ctx.options.limits)
}

fn bounds_of<'a>(
    policy: &SyncPolicy,
    known: u32,
    others: impl Iterator<Item = &'a SyncPolicy>,
    cluster: &ClusterLimits,
) -> Option<Bounds> {
    let act = others.filter(|other| other.spec.mode == Mode::Enforce);
    let all = act.fold(known, |sum, other| sum.saturating_add(convert::known(other)));
    let (policy, cluster) = (convert::limits(policy, known).ok()?, convert::cluster_limits(cluster, all).ok()?);
    Some(Bounds { policy, cluster })
}

/// Which Revocations of each policy are not over. One that failed may be tried again.
fn what_is_open(all: &[Arc<Revocation>]) -> BTreeMap<String, Open> {
    let mut every: BTreeMap<String, Open> = BTreeMap::new();
    for revocation in all {
        let phase = revocation.status.as_ref().and_then(|status| status.phase);
        if matches!(phase, Some(Phase::Revoked | Phase::Cancelled | Phase::Frozen | Phase::Lifted)) {
            continue;
        }
        let who = Who::of(&revocation.name_any(), &revocation.uid().unwrap_or_default());
        let of_policy = every.entry(revocation.spec.policy.clone()).or_default();
        of_policy.all.insert(who);
        if open(revocation) && !left_alone(revocation) {
            of_policy.waits.insert(who);
        }
    }
    every
}

/// What a human's approval of the plan that is shown means for the ledger, if there is one.
fn decided(revocation: &Revocation, policy: Option<&SyncPolicy>, now: Timestamp) -> Option<Act> {
    let asked = convert::asked(revocation)?;
    let (policy_name, name) = (revocation.spec.policy.clone(), revocation.name_any());
    match approved(revocation, policy, now) {
        Approved::No => None,
        Approved::Yes => Some(Act::Approve { policy: policy_name, revocation: name, asked }),
        Approved::Expired => Some(Act::Expire { policy: policy_name, revocation: name, asked }),
    }
}

/// Whether the plan that is shown is approved.
fn approved(revocation: &Revocation, policy: Option<&SyncPolicy>, now: Timestamp) -> Approved {
    let live = LiveObjects { revocation, person: None, policy, trusted: false, ledger: None, stopped: None };
    let shown = revocation.status.as_ref().and_then(|status| status.plan.as_ref());
    shown.map_or(Approved::No, |plan| convert::facts(&live).approved(&plan.hash, now))
}

/// A Revocation of no run, as a run of its own: what was made by hand counts like what came by itself.
fn alone(policy: &SyncPolicy, revocation: &Revocation, bounds: Option<Bounds>) -> Option<Count> {
    let name = revocation.name_any();
    let rejected = revocation.spec.rejection.is_some();
    let asked = convert::asked(revocation).filter(|_| !rejected && !revocation.spec.late)?;
    // Its batch is a label, which is shorter than a name may be.
    let run: String = data_encoding::HEXLOWER.encode(&Sha256::digest(&name)).chars().take(12).collect();
    Some(Count {
        policy: policy.name_any(),
        run: format!("r-{run}"),
        of: Of::Leavers,
        revocations: BTreeMap::from([(name, asked)]),
        announced: BTreeSet::new(),
        unplanned: Some(0),
        bounds: bounds?,
    })
}

/// How a leaver came, as far as counting goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LeaverNotice {
    /// With a baseline: those are counted apart.
    baseline: bool,
    /// By a last day that two trusted responses announced a day apart, or to a drill: those count against no limit.
    announced: bool,
    /// The Person carries the run still. Who is back, cannot be told any more, or is another policy's does not, and sync has taken
    /// them off the number of its leavers: their Revocation stands for nobody of it.
    carried: bool,
}

fn notice(person: &Person, trigger: Trigger, run: &str) -> LeaverNotice {
    let status = person.status.as_ref();
    let employment = status.and_then(|status| status.employment.as_ref());
    let announced = trigger == Trigger::Termination && employment.is_some_and(|employment| employment.announced);
    let leave = status.and_then(|status| status.leave.as_ref()?.run.as_deref());
    let carried = employment.and_then(|employment| employment.run.as_deref()) == Some(run) || leave == Some(run);
    LeaverNotice { baseline: convert::needs_approval(Some(person), trigger), announced, carried }
}

/// Whether a Revocation waits for what may never come, its person being protected or unknown: it holds nobody back, and is
/// counted again once that changes.
fn left_alone(revocation: &Revocation) -> bool {
    let gate = revocation.status.as_ref().and_then(|status| status.gate.as_ref());
    gate.is_some_and(|gate| [Stop::Protected, Stop::Unknown].iter().any(|stop| stop.reason() == gate.reason))
}

/// What of a run is to be counted now: nothing as long as it is not seen whole.
fn count(
    policy: &SyncPolicy,
    run: &str,
    seen: &[Arc<Revocation>],
    notice: impl Fn(&Revocation) -> LeaverNotice,
    bounds: &dyn Fn(u32) -> Option<Bounds>,
    now: Timestamp,
) -> Vec<Count> {
    let cuts = seen.iter().filter(|cut| cut.spec.operation != Operation::Remove && !cut.spec.late);
    let planned: Vec<(&Revocation, CountedPlan)> =
        cuts.filter_map(|cut| Some((&**cut, convert::asked(cut)?))).collect();
    let number = u32::try_from(planned.iter().filter(|(cut, _)| notice(cut).carried).count()).unwrap_or(u32::MAX);
    let listed = policy.status.iter().flat_map(|status| &status.runs).find(|known| known.id == run);
    let Some(bounds) = bounds(listed.map_or_else(|| convert::known(policy), |listed| listed.people)) else {
        return Vec::new();
    };
    let unplanned = match whole(listed, number, now) {
        Whole::No => return Vec::new(),
        Whole::Yes { unplanned } => Some(unplanned),
        Whole::Unknown => None,
    };
    // Who was rejected is of the run, and counts against no limit; nor does who is back.
    let acts = planned.into_iter().filter(|(cut, asked)| cut.spec.rejection.is_none() && counts(cut, asked));
    let (came_with, later): (Vec<_>, Vec<_>) = acts.partition(|(cut, _)| notice(cut).baseline);
    let count = |of: Of, revocations: Vec<(&Revocation, CountedPlan)>, unplanned: Option<u32>| {
        let announced = revocations.iter().filter(|(cut, _)| notice(cut).announced);
        Count {
            policy: policy.name_any(),
            run: run.to_owned(),
            of,
            announced: announced.map(|(cut, _)| cut.name_any()).collect(),
            revocations: revocations.into_iter().map(|(cut, asked)| (cut.name_any(), asked)).collect(),
            unplanned,
            bounds: bounds.clone(),
        }
    };
    [(Of::Leavers, later, unplanned), (Of::Baseline, came_with, Some(0))]
        .into_iter()
        .filter(|(_, revocations, _)| !revocations.is_empty())
        .map(|(of, revocations, unplanned)| count(of, revocations, unplanned))
        .collect()
}

/// Whether a Revocation of a run is to be counted with it. One that carried something out was counted before it could, and the ledger
/// forgets its name: it is not counted again where another plan of its run is. One that touched nothing ends without being counted.
fn counts(cut: &Revocation, asked: &CountedPlan) -> bool {
    match cut.status.as_ref().and_then(|status| status.phase) {
        Some(Phase::Cancelled) => false,
        Some(Phase::Revoked | Phase::Frozen | Phase::Lifted) => asked.objects == 0,
        _ => true,
    }
}

/// Whether a run was seen whole.
#[derive(Debug, PartialEq, Eq)]
enum Whole {
    /// Leavers of it are still to come, or to be planned.
    No,
    /// It was; this many of it have no plan, and were waited for long enough.
    Yes { unplanned: u32 },
    /// It is off the list. How many it was is not known any more, so a human decides.
    Unknown,
}

fn whole(listed: Option<&Run>, planned: u32, now: Timestamp) -> Whole {
    match listed {
        None => Whole::Unknown,
        Some(run) if !run.written || !ledger::countable(planned, run.leavers, run.at, now) => Whole::No,
        Some(run) => Whole::Yes { unplanned: run.leavers.saturating_sub(planned) },
    }
}

#[cfg(test)]
mod tests;
