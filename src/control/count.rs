//! The ledger's one writer: what is to be counted, approved or taken out is gathered, and written by one compare-and-swap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::sync::Notify;

use super::Context;
use super::owned_status::open;
use crate::api::policy::Run;
use crate::api::revocation::Operation;
use crate::api::{Person, Revocation, SyncPolicy, convert, names};
use crate::kube::ledger_store;
use domain::gate::Stop;
use domain::ledger::{self, CountedPlan, Ledger, Limits, Of};

/// How long to gather what is to be counted.
const TOGETHER: Duration = Duration::from_millis(50);
/// First wait after a fault; doubles with every one in a row.
const RETRY: Duration = Duration::from_secs(1);
/// How often it doubles at most.
const MAX_DOUBLINGS: u32 = 5;

/// Something that changes the ledger. In the order in which several are done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// A Revocation, of this policy, that waits and will not be released.
    Withdraw(String, String),
    /// The plan of a Revocation, of this policy, was approved.
    Approve(String, String),
    /// A run of this policy may have been seen whole.
    Count(String, String),
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
                ctx.stores.set_ledger(map.as_ref(), Some(ledger));
                let concerned = changes.iter().flat_map(Act::concerns);
                concerned.filter_map(|name| ctx.stores.revocations.get(name)).for_each(|r| ctx.wake_if_open(&r));
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
    Withdraw {
        policy: String,
        revocation: String,
    },
    Approve {
        policy: String,
        revocation: String,
        asked: CountedPlan,
    },
    Keep {
        policy: String,
        open: BTreeSet<String>,
    },
    Count {
        policy: String,
        run: String,
        of: Of,
        revocations: BTreeMap<String, CountedPlan>,
        announced: BTreeSet<String>,
        unplanned: u32,
        limits: Limits,
    },
}

impl Act {
    /// Names of the Revocations that may pass now.
    fn concerns(&self) -> Vec<&String> {
        match self {
            Self::Approve { revocation, .. } => vec![revocation],
            Self::Count { revocations, .. } => revocations.keys().collect(),
            Self::Withdraw { .. } | Self::Keep { .. } => Vec::new(),
        }
    }

    fn apply(&self, ledger: &mut Ledger, now: Timestamp) {
        match self {
            Self::Withdraw { policy, revocation } => ledger.withdraw(policy, revocation),
            Self::Approve { policy, revocation, asked } => ledger.approve(policy, revocation, asked, now),
            Self::Keep { policy, open } => ledger.retain(policy, open),
            Self::Count { policy, run, of, revocations, announced, unplanned, limits } => {
                let run = ledger::Run { id: run, of: *of, revocations, announced, unplanned: *unplanned };
                ledger.count_run(policy, &run, *limits, now);
            }
        }
    }
}

/// What the wishes mean, by what is watched now.
fn acts(ctx: &Context, wishes: &BTreeSet<Wish>, now: Timestamp) -> Vec<Act> {
    let mut acts = Vec::new();
    let mut removals: BTreeMap<(String, String), BTreeMap<String, CountedPlan>> = BTreeMap::new();
    for wish in wishes {
        match wish {
            Wish::Withdraw(policy, revocation) => {
                acts.push(Act::Withdraw { policy: policy.clone(), revocation: revocation.clone() });
            }
            Wish::Approve(policy, name) => {
                let revocation = ctx.stores.revocations.get(name);
                let approved = revocation.as_deref().and_then(approved);
                acts.extend(approved.map(|asked| Act::Approve {
                    policy: policy.clone(),
                    revocation: name.clone(),
                    asked,
                }));
            }
            Wish::Count(policy, run) => {
                let Some(policy) = ctx.stores.policies.get(policy) else { continue };
                let seen = ctx.stores.revocations_in(run);
                let notice = |revocation: &Revocation| {
                    ctx.stores.people.get(&revocation.spec.person).as_deref().map(notice).unwrap_or_default()
                };
                let counted = count(&policy, run, &seen, notice, now);
                if !counted.is_empty() {
                    let of_policy = |revocation: &&Arc<Revocation>| revocation.spec.policy == policy.name_any();
                    let all = ctx.stores.revocations.state();
                    let open =
                        all.iter().filter(of_policy).filter(|revocation| open(revocation) && !left_alone(revocation));
                    let open = open.filter_map(|revocation| revocation.uid()).collect();
                    acts.push(Act::Keep { policy: policy.name_any(), open });
                }
                acts.extend(counted);
            }
            Wish::Remove(policy, name) => {
                let Some(revocation) = ctx.stores.revocations.get(name) else { continue };
                let run = revocation.labels().get(names::RUN).unwrap_or(name).clone();
                if let Some(asked) = convert::asked(&revocation) {
                    removals.entry((policy.clone(), run)).or_default().insert(name.clone(), asked);
                }
            }
        }
    }
    for ((policy, run), revocations) in removals {
        let limits = ctx.stores.policies.get(&policy).and_then(|policy| convert::limits(&policy, 0).ok());
        if let Some(limits) = limits {
            let announced = BTreeSet::new();
            acts.push(Act::Count { policy, run, of: Of::Removals, revocations, announced, unplanned: 0, limits });
        }
    }
    acts
}

/// The plan that was approved, if it is the one that is shown.
pub fn approved(revocation: &Revocation) -> Option<CountedPlan> {
    let approval = revocation.spec.approval.as_ref()?;
    convert::asked(revocation).filter(|asked| asked.is(&approval.plan_hash))
}

/// How a leaver came, as far as counting goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LeaverNotice {
    /// With a baseline: those are counted apart.
    baseline: bool,
    /// By a last day that two trusted responses announced a day apart: those count against no limit.
    announced: bool,
}

fn notice(person: &Person) -> LeaverNotice {
    let employment = person.status.as_ref().and_then(|status| status.employment.as_ref());
    employment
        .map(|employment| LeaverNotice { baseline: employment.baseline, announced: employment.announced })
        .unwrap_or_default()
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
    now: Timestamp,
) -> Vec<Act> {
    let cuts = seen.iter().filter(|cut| cut.spec.operation == Operation::Cut && !cut.spec.late);
    let planned: Vec<(&Revocation, CountedPlan)> =
        cuts.filter_map(|cut| Some((&**cut, convert::asked(cut)?))).collect();
    let number = u32::try_from(planned.len()).unwrap_or(u32::MAX);
    let listed = policy.status.iter().flat_map(|status| &status.runs).find(|known| known.id == run);
    let Ok(mut limits) = convert::limits(policy, listed.map_or(0, |listed| listed.people)) else { return Vec::new() };
    let unplanned = match whole(listed, number, now) {
        Whole::No => return Vec::new(),
        Whole::Yes { unplanned } => unplanned,
        Whole::Unknown => {
            limits.people = 0;
            0
        }
    };
    // Who was rejected is of the run, and counts against no limit.
    let not_rejected = planned.into_iter().filter(|(cut, _)| cut.spec.rejection.is_none());
    let (came_with, later): (Vec<_>, Vec<_>) = not_rejected.partition(|(cut, _)| notice(cut).baseline);
    let act = |of: Of, revocations: Vec<(&Revocation, CountedPlan)>, unplanned: u32| {
        let announced = revocations.iter().filter(|(cut, _)| notice(cut).announced);
        Act::Count {
            policy: policy.name_any(),
            run: run.to_owned(),
            of,
            announced: announced.map(|(cut, _)| cut.name_any()).collect(),
            revocations: revocations.into_iter().map(|(cut, asked)| (cut.name_any(), asked)).collect(),
            unplanned,
            limits,
        }
    };
    [(Of::Leavers, later, unplanned), (Of::Baseline, came_with, 0)]
        .into_iter()
        .filter(|(_, revocations, _)| !revocations.is_empty())
        .map(|(of, revocations, unplanned)| act(of, revocations, unplanned))
        .collect()
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
