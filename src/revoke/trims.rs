//! Waits for what `rollcall trim` does: another identity, which alone may change a binding. It begins when the manifest is kept and
//! the step is `Begun`; here it is seen to be done.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::Context;
use super::act::{self, Ended};
use super::observe::{Observation, Observer, SIDE_BY_SIDE, Seen};
use super::record::Record;
use crate::api::revocation::StepOutcome;
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use crate::kube::targets;
use domain::plan::{Action, RemainingReason};

/// How long all of them together may take, from when the revoker begins to act.
const DONE: Duration = Duration::from_secs(20);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Whether this is to be done by `rollcall trim`, and is not done yet.
pub fn awaited(seen: &Seen) -> bool {
    seen.target.action == Action::Trim && matches!(seen.observation, Observation::Standing { .. })
}

/// Whether an object, as raw JSON, has one of these user names as a subject.
pub fn names(object: &DynamicObject, leaving: &BTreeSet<String>) -> bool {
    targets::users(&object.data).any(|user| leaving.contains(user))
}

/// Waits for all of them at once. What is not done in time is left alone, says so, and keeps nothing else from being revoked.
///
/// # Flow          look at each until the names are gone from it, or the time is over
/// # Guarantees    changes nothing; done is only what was read back without the names
/// # Errors        transient: a new process looks again
pub async fn wait(
    ctx: &Context,
    observer: &Observer<'_>,
    mut waiting: Vec<&Seen>,
    record: &mut Record,
    begun: Instant,
) -> Result<(), Fault> {
    let (deadline, mut result) = (begun + DONE, Ok(()));
    while !waiting.is_empty() {
        let looks = waiting.into_iter().map(|seen| async move { (seen, still_named(ctx, seen).await) });
        let looked: Vec<_> = futures::stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
        waiting = Vec::new();
        for (seen, still) in looked {
            match still {
                Ok(Some(true)) => waiting.push(seen),
                Ok(Some(false)) => act::note(ctx, record, seen, Ended::new(StepOutcome::Done)).await,
                Ok(None) => act::note(ctx, record, seen, Ended::new(StepOutcome::AlreadyGone)).await,
                Err(fault) => result = result.and(Err(fault)),
            }
        }
        record.write_by_and_by().await?;
        if waiting.is_empty() || Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    for seen in waiting {
        // Somebody who is back, or a binding that is protected by now, is not trimmed either.
        let reason = match observer.see(&seen.target).await {
            Ok(Observation::NotOurs(reason)) => reason,
            _ => RemainingReason::NotTrimmed,
        };
        act::note(ctx, record, seen, Ended::left_alone(reason)).await;
    }
    result
}

/// Whether the binding still has one of the names; `None` if it is gone.
async fn still_named(ctx: &Context, seen: &Seen) -> Result<Option<bool>, Fault> {
    let live = call("look at a target", targets::api(&ctx.client, &seen.target).get_opt(&seen.target.name)).await?;
    let live = live.filter(|live| live.metadata.uid.as_ref() == Some(&seen.target.uid));
    Ok(live.map(|live| names(&live, &seen.leaving)))
}
