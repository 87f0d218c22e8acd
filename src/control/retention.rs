//! What ended long ago is removed: the Revocations of a person, all of them or none, when the policy's `retention.evidence`
//! has passed since the last of them ended. Their records stay in the evidence.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::kube::named::Api;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};

use super::Context;
use super::person::removal;
use crate::api::condition::Reason;
use crate::api::person::State;
use crate::api::revocation::Phase;
use crate::api::{Person, Revocation, SyncPolicy, convert};
use crate::kube::calls::{call, publish_event};
use crate::kube::outcome::Fault;

/// Time between two looks.
const REST: Duration = Duration::from_hours(1);

/// Removes what is expired, for as long as the process lives.
pub async fn keep(ctx: Arc<Context>) {
    loop {
        if let Err(fault) = round(&ctx).await {
            tracing::warn!(%fault, "not everything that is expired was removed; tried again");
        }
        tokio::time::sleep(REST).await;
    }
}

/// One look at everybody.
///
/// # Flow          decide by what is watched; delete each by its uid and the version that was seen
/// # Guarantees    nothing that waits, acts, failed, is unsealed or changed since is removed; of a person all or nothing,
///                 and nothing that would be planned again
/// # Errors        transient: what was removed stays removed, and the next look goes on
async fn round(ctx: &Context) -> Result<(), Fault> {
    let now = (ctx.clock)();
    let all = ctx.stores.revocations.state();
    let people: BTreeSet<&str> = all.iter().map(|revocation| revocation.spec.person.as_str()).collect();
    let mut removed = std::collections::BTreeMap::<String, u32>::new();
    let mut result = Ok(());
    for name in people {
        let told = ctx.stores.revocations_of(name);
        let person = ctx.stores.people.get(name);
        let owns = person.as_deref().is_some_and(|person| owns(ctx, person));
        let retention = |policy: &str| convert::retention(ctx.stores.policies.get(policy).as_deref());
        if !expired(&told, person.as_deref(), owns, retention, now) {
            continue;
        }
        for revocation in &told {
            match remove(ctx, revocation).await {
                Ok(()) => *removed.entry(revocation.spec.policy.clone()).or_default() += 1,
                Err(fault) => result = result.and(Err(fault)), // of the others nobody waits for this one
            }
        }
    }
    for (policy, count) in removed {
        let Some(policy) = ctx.stores.policies.get(&policy) else { continue };
        let note =
            format!("{count} Revocations were removed: they ended more than {} ago", policy.spec.retention.evidence);
        publish_event(&ctx.client, "control", reference(&policy), Reason::Expired, note, now).await;
    }
    result
}

/// Whether there is anything in the cluster that may be this person's.
fn owns(ctx: &Context, person: &Person) -> bool {
    let facts = convert::person_facts(person, (ctx.clock)());
    ctx.owned(|owned| !owned.uids(&facts).is_empty())
}

/// Whether all that is kept of a person may go. A person who has left and is still known keeps it while anything of theirs
/// stands, remains, or is still to be removed.
fn expired(
    told: &[Arc<Revocation>],
    person: Option<&Person>,
    owns: bool,
    retention: impl Fn(&str) -> SignedDuration,
    now: Timestamp,
) -> bool {
    let over = |revocation: &Revocation| {
        let ended = ended(revocation).and_then(|at| at.checked_add(retention(&revocation.spec.policy)).ok());
        ended.is_some_and(|until| until <= now)
    };
    let employment = person.and_then(|person| person.status.as_ref()?.employment.as_ref());
    let left = employment.filter(|employment| employment.state == State::Terminated);
    let policy = person.and_then(|person| person.status.as_ref()?.policy.as_deref()).unwrap_or_default();
    let done = left.is_none_or(|left| {
        !owns
            && left.seen.is_some_and(|seen| long_ago(seen, retention(policy), now))
            && told.iter().all(|revocation| !remains(revocation) && removal(revocation, told).is_none())
    });
    // A freeze stands for as long as its leave does; of somebody who left meanwhile, as long as their Revocations are kept.
    let frozen = left.is_none() && person.is_some() && told.iter().any(|revocation| convert::in_force(revocation));
    !told.is_empty() && !frozen && told.iter().all(|revocation| over(revocation)) && done
}

/// Whether a termination that was seen then is past its retention: without Revocations nothing is planned for it, unless
/// something is owned.
pub fn long_ago(seen: Timestamp, retention: SignedDuration, now: Timestamp) -> bool {
    seen.checked_add(retention).is_ok_and(|until| until <= now)
}

/// When a Revocation ended; `None` unless it ended well and is sealed.
fn ended(revocation: &Revocation) -> Option<Timestamp> {
    let status = revocation.status.as_ref()?;
    let well = matches!(status.phase, Some(Phase::Revoked | Phase::Cancelled | Phase::Frozen | Phase::Lifted))
        && status.evidence.is_some();
    let made = revocation.metadata.creation_timestamp.as_ref().map(|made| made.0);
    let released = status.instants.as_ref().and_then(|instants| instants.released);
    let last = [made, released, status.acted, status.confirmed, status.lifted].into_iter().flatten().max()?;
    well.then(|| last.max(revocation.spec.due))
}

/// Whether something of the person's access remained.
fn remains(revocation: &Revocation) -> bool {
    let status = revocation.status.as_ref();
    status.is_some_and(|status| {
        !status.remaining.is_empty() || status.plan.as_ref().is_some_and(|plan| !plan.remaining.is_empty())
    })
}

/// Deletes a Revocation as it was seen; one that changed since is looked at another time.
#[allow(clippy::disallowed_methods, reason = "Rollcall's own record, and no credential of anybody")]
async fn remove(ctx: &Context, revocation: &Revocation) -> Result<(), Fault> {
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let preconditions = Preconditions { uid: revocation.uid(), resource_version: revocation.resource_version() };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match call("remove an expired Revocation", api.delete(&revocation.name_any(), &params)).await {
        Ok(_) => {
            ctx.metrics.expired();
            tracing::info!(revocation = revocation.name_any(), "removed: its retention has passed");
            Ok(())
        }
        Err(fault) if fault.is_not_found() => Ok(()),
        Err(fault) => Err(fault),
    }
}

fn reference(policy: &SyncPolicy) -> ObjectReference {
    ObjectReference {
        api_version: Some("rollcall.dev/v1alpha1".to_owned()),
        kind: Some("SyncPolicy".to_owned()),
        name: policy.metadata.name.clone(),
        namespace: policy.metadata.namespace.clone(),
        uid: policy.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests;
