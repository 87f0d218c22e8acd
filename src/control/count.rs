//! The ledger's writer: one compare-and-swap counts a run as a whole, or an approval.

use std::collections::{BTreeMap, BTreeSet};

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{ListParams, ObjectMeta, PostParams};

use super::Context;
use crate::api::revocation::Operation;
use crate::api::{Person, Revocation, SyncPolicy, convert, names};
use crate::kube::calls::call;
use crate::kube::inventory::list_each;
use crate::kube::ledger_store::{self, LEDGER_KEY};
use crate::kube::outcome::Fault;
use domain::ledger::{Allowance, Asked, Ledger, Of};

/// How often a write is tried again after somebody else wrote.
const CONFLICTS: usize = 8;

/// Brings the ledger up to date with one Revocation: counts its run once that is seen whole, debits its approval.
///
/// # Flow          is it counted? approved? if not: the run's Revocations live, the limits, one compare-and-swap
/// # Guarantees    a run is counted only when every leaver of it has a planned Revocation; it is released or held as a whole,
///                 and a plan that changed since is counted again
/// # Errors        transient: nothing was counted
pub async fn settle(
    ctx: &Context,
    revocation: &Revocation,
    person: &Person,
    policy: &SyncPolicy,
    ledger: &Ledger,
) -> Result<Ledger, Fault> {
    let name = revocation.name_any();
    let Some(asked) = convert::asked(revocation) else { return Ok(ledger.clone()) };
    let approved = revocation.spec.approval.as_ref().is_some_and(|approval| asked.is(&approval.plan_hash));
    match ledger.allowance(&policy.name_any(), &name, &asked) {
        Allowance::Uncounted if revocation.spec.operation == Operation::Remove => {
            count_removal(ctx, revocation, asked, policy).await
        }
        Allowance::Uncounted => count_run(ctx, revocation, person, policy, ledger).await,
        Allowance::Held { .. } if approved => {
            let now = (ctx.clock)();
            swap(ctx, |ledger| ledger.approve(&policy.name_any(), &name, &asked, now)).await
        }
        Allowance::Held { .. } | Allowance::Released { .. } => Ok(ledger.clone()),
    }
}

/// Counts one removal that is due: its objects, since its person was counted at the cut. Those of one run that are held
/// are one batch.
async fn count_removal(
    ctx: &Context,
    revocation: &Revocation,
    asked: Asked,
    policy: &SyncPolicy,
) -> Result<Ledger, Fault> {
    let name = revocation.name_any();
    let run = revocation.labels().get(names::RUN).unwrap_or(&name);
    let (limits, now) = (convert::limits(policy, 0)?, (ctx.clock)());
    let asked = BTreeMap::from([(name.clone(), asked)]);
    swap(ctx, |ledger| ledger.count(&policy.name_any(), run, Of::Removals, &asked, limits, now)).await
}

/// Takes a cancelled Revocation out of the count.
pub async fn withdraw(ctx: &Context, policy: &str, revocation: &str) -> Result<(), Fault> {
    swap(ctx, |ledger| ledger.withdraw(policy, revocation)).await.map(drop)
}

/// Counts the run of a Revocation, if every leaver of it is there and planned; otherwise leaves the ledger as it is.
async fn count_run(
    ctx: &Context,
    revocation: &Revocation,
    person: &Person,
    policy: &SyncPolicy,
    ledger: &Ledger,
) -> Result<Ledger, Fault> {
    let Some(run) = revocation.labels().get(names::RUN) else { return Ok(ledger.clone()) };
    let api: Api<SyncPolicy> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let policy = call("read the policy", api.get(&policy.name_any())).await?;
    let baseline = person.status.as_ref().and_then(|status| status.employment.as_ref()).is_some_and(|e| e.baseline);
    let listed = policy.status.iter().flat_map(|status| &status.runs).find(|known| known.id == *run);
    if listed.is_some_and(|listed| !listed.written) {
        return Ok(ledger.clone());
    }
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let all = list_each(&api, &ListParams::default(), Some).await?;
    let existing: BTreeSet<String> = all.iter().filter_map(ResourceExt::uid).collect();
    let of_run = |other: &Revocation| {
        other.labels().get(names::RUN) == Some(run) && other.spec.operation == Operation::Cut && !other.spec.late
    };
    let seen: Vec<Revocation> = all.into_iter().filter(of_run).collect();
    let shares: BTreeMap<String, Asked> =
        seen.iter().filter_map(|revocation| Some((revocation.name_any(), convert::asked(revocation)?))).collect();
    let mut limits = convert::limits(&policy, listed.map_or(0, |listed| listed.people))?;
    match listed {
        Some(listed) if shares.len() < usize::try_from(listed.leavers).unwrap_or(usize::MAX) => {
            return Ok(ledger.clone());
        }
        Some(_) => {}
        // An old run may be off the list. How many it was is not known any more, so a human decides.
        None => limits.people = 0,
    }
    let now = (ctx.clock)();
    let by_kind = of_kind(ctx, &seen, &shares, baseline);
    let name = policy.name_any();
    swap(ctx, |ledger| {
        ledger.keep(&name, &existing);
        let of = if baseline { Of::Baseline } else { Of::Leavers };
        ledger.count(&name, run, of, &by_kind, limits, now);
    })
    .await
}

/// The Revocations of a run whose Persons came with the baseline, or those whose did not: they are counted apart.
fn of_kind(
    ctx: &Context,
    seen: &[Revocation],
    shares: &BTreeMap<String, Asked>,
    baseline: bool,
) -> BTreeMap<String, Asked> {
    let people = ctx.stores.people.state();
    let came_with = |revocation: &Revocation| {
        let person = people.iter().find(|person| person.name_any() == revocation.spec.person);
        person.and_then(|person| person.status.as_ref()?.employment.as_ref()).is_some_and(|e| e.baseline)
    };
    seen.iter()
        .filter(|revocation| revocation.spec.rejection.is_none()) // they count against no limit
        .filter(|revocation| came_with(revocation) == baseline)
        .filter_map(|revocation| shares.get_key_value(&revocation.name_any()))
        .map(|(name, asked)| (name.clone(), asked.clone()))
        .collect()
}

/// Changes the ledger by compare-and-swap, one at a time in this process.
async fn swap(ctx: &Context, change: impl Fn(&mut Ledger)) -> Result<Ledger, Fault> {
    let _turn = ctx.turn.lock().await;
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    for _ in 0..CONFLICTS {
        let (standing, map) = ledger_store::ledger(&ctx.client, &ctx.options.namespace).await?;
        let mut ledger = standing.clone();
        change(&mut ledger);
        if ledger == standing {
            return Ok(ledger);
        }
        let text =
            serde_json::to_string(&ledger).map_err(|_| Fault::Stalled("the ledger cannot be written".to_owned()))?;
        let fresh = map.is_none();
        let mut map = map.unwrap_or_else(empty);
        map.data = Some(BTreeMap::from([(LEDGER_KEY.to_owned(), text)]));
        let write = async {
            let params = PostParams::default();
            if fresh { api.create(&params, &map).await } else { api.replace(names::LEDGER, &params, &map).await }
        };
        match call("write the ledger", write).await {
            Ok(_) => return Ok(ledger),
            Err(fault) if fault.is_conflict() => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Transient { doing: "write the ledger", cause: "somebody else kept writing".to_owned() })
}

fn empty() -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::LEDGER.to_owned()),
            labels: Some(BTreeMap::from([(names::PART.to_owned(), "ledger".to_owned())])),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}
