//! Looks again, by later Jobs, at what was revoked: a minute, an hour, a day and a week after it was confirmed. What works again is
//! written down, and control raises the alarm.
//!
//! Changes nothing but `status.recheck`. One Job checks all that are due by then, few at once, aside of what is released.

mod look;
mod secret;

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::look::Found;
use self::look::look;
use super::{Context, traced};
use crate::api::Revocation;
use crate::api::revocation::{Phase, Recheck};
use crate::kube::calls::{self, call};
use crate::kube::inventory::list_each;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use domain::rechecks;

/// What is asked for: whatever ended well, and has a check to come.
const TO_COME: &str = "status.phase=Revoked,status.recheck.next!=";
/// Checked at once: nobody who leaves now waits for it.
const AT_ONCE: usize = 4;
/// Time between two looks for what is due, while the process does something else.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// No check begins after the process has run for so long: a Job has 600 seconds, and the next one goes on.
const ENOUGH: Duration = Duration::from_secs(420);
/// What seems to work again is looked at once more after this long: control may have been just about to say so itself.
const SURE: Duration = Duration::from_secs(3);
/// How often a check is made again after somebody else wrote.
const CONFLICTS: usize = 4;

/// Checks everything that is due, until the process has nothing else to do.
///
/// # Flow          list what is due; each: look, once more if something works again, write; again until `over`
/// # Guarantees    writes `status.recheck` alone, over exactly what was read; a check that another Job made is not made twice
/// # Errors        the first fault, after all others were checked: what was not written is still due
pub async fn all(ctx: &Context, over: &CancellationToken) -> Result<(), Fault> {
    let begun = Instant::now();
    let mut result = Ok(());
    loop {
        let looked = Instant::now();
        if let Err(fault) = all_due(ctx, begun).await {
            tracing::warn!(%fault, "what was revoked could not all be looked at again; tried again");
            result = result.and(Err(fault));
        }
        tokio::select! {
            () = over.cancelled() => {
                // What became due meanwhile, if the last look was not just now.
                return if looked.elapsed() < LOOK_AGAIN { result } else { result.and(all_due(ctx, begun).await) };
            }
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

async fn all_due(ctx: &Context, begun: Instant) -> Result<(), Fault> {
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let now = calls::now();
    let due = |revocation: Revocation| due(&revocation, now).map(|_| revocation.name_any());
    let names = match list_each(&api, &ListParams::default().fields(TO_COME), due).await {
        Ok(names) => names,
        Err(fault) => {
            // Nobody who leaves is concerned: a Job that revoked them has not failed by this. So it is where the CRDs are older.
            tracing::warn!(%fault, "what is to be looked at again could not be listed");
            return Ok(());
        }
    };
    let mut results = futures::stream::iter(names)
        .map(|name| {
            let api = &api;
            async move { if begun.elapsed() < ENOUGH { check(ctx, api, &name).await } else { Ok(()) } }
        })
        .buffer_unordered(AT_ONCE);
    let mut result = Ok(());
    while let Some(checked) = results.next().await {
        result = result.and(checked);
    }
    result
}

/// The check that is due of a Revocation, if one is.
fn due(revocation: &Revocation, now: Timestamp) -> Option<&Recheck> {
    let status = revocation.status.as_ref().filter(|status| status.phase == Some(Phase::Revoked))?;
    let recheck = status.recheck.as_ref()?;
    recheck.next.filter(|next| rechecks::is_due(*next, now)).map(|_| recheck)
}

/// One check of one Revocation.
async fn check(ctx: &Context, api: &Api<Revocation>, name: &str) -> Result<(), Fault> {
    let mut sure = false;
    for _ in 0..CONFLICTS {
        let Some(revocation) = call("read the Revocation", api.get_opt(name)).await? else { return Ok(()) };
        let asked = calls::now();
        let Some(before) = due(&revocation, asked) else { return Ok(()) }; // another Job checked it
        let found = look(ctx, &revocation).await?;
        if !found.refuted.is_empty() && !std::mem::replace(&mut sure, true) {
            tokio::time::sleep(SURE).await;
            continue;
        }
        let told = traced::checked(&revocation, before, &found, (asked, calls::now()));
        match write(api, &revocation, before, found).await {
            Err(fault) if fault.is_conflict() => {}
            Ok(()) => {
                ctx.traces.tell([told]);
                return Ok(());
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(()) // somebody else kept writing: it is still due
}

async fn write(api: &Api<Revocation>, revocation: &Revocation, before: &Recheck, found: Found) -> Result<(), Fault> {
    let (now, name) = (calls::now(), revocation.name_any());
    let confirmed = revocation.status.as_ref().and_then(|status| status.confirmed).unwrap_or(now);
    let next = rechecks::after(confirmed, before.stage, now, !found.refuted.is_empty());
    let Found { asked, unknown, unproved, refuted } = found;
    tracing::info!(revocation = name, asked, unknown, refuted = refuted.len(), stage = next.stage, "looked at again");
    // A merge: `next`, `unproved` and `refuted` are to go once there is none.
    let patch = Patch::Merge(serde_json::json!({
        "metadata": {"uid": revocation.uid(), "resourceVersion": revocation.resource_version()},
        "status": {"recheck": {
            "stage": next.stage, "next": next.at, "at": now, "asked": asked, "unknown": unknown,
            "unproved": (!unproved.is_empty()).then_some(unproved),
            "refuted": (!refuted.is_empty()).then_some(refuted),
        }},
    }));
    call("write what was seen again", api.patch_status(&name, &PatchParams::default(), &patch)).await.map(drop)
}
