//! What a finalizer holds waits here, all of it together, after everything else was ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use tokio::time::Instant;

use super::Context;
use super::act::{self, Ended, Stepped};
use super::observe::{SIDE_BY_SIDE, Seen};
use super::record::Record;
use crate::api::revocation::StepOutcome;
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use crate::kube::targets;
use domain::plan::{Action, Kind};

/// How long all of them together may take to be let go.
const GOING: Duration = Duration::from_secs(10);
/// How often that is looked at: one list for all in a place.
const LOOK: Duration = Duration::from_secs(1);

/// One object whose delete was accepted.
pub struct Held<'a> {
    /// Which.
    pub seen: &'a Seen,
    /// The finalizers that hold it.
    pub by: String,
}

/// Waits for all of them at once, and makes again what is to be made again as soon as it is let go.
pub async fn wait(ctx: &Context, mut held: Vec<Held<'_>>, record: &mut Record) -> Result<(), Fault> {
    let deadline = Instant::now() + GOING;
    while !held.is_empty() {
        let standing = standing(ctx, &held).await?;
        let (still, gone): (Vec<_>, Vec<_>) = held.into_iter().partition(|one| standing.contains(&one.seen.target.uid));
        held = still;
        held.extend(let_go(ctx, gone, record).await?);
        record.write_by_and_by().await?;
        if Instant::now() >= deadline {
            break;
        }
        if !held.is_empty() {
            tokio::time::sleep(LOOK).await;
        }
    }
    for one in held {
        let message = match one.by.as_str() {
            "" => "the API server accepted the delete, and the object is still there".to_owned(),
            by => format!("the finalizers {by} hold it: they have to be removed by what set them"),
        };
        act::note(ctx, record, one.seen, Ended::saying(StepOutcome::Failed, message)).await;
    }
    Ok(())
}

/// Those that are gone: ended, or made again. Gives back what somebody else's conflict shows to be held still.
async fn let_go<'a>(ctx: &Context, gone: Vec<Held<'a>>, record: &mut Record) -> Result<Vec<Held<'a>>, Fault> {
    let manifests: Vec<_> = gone.iter().map(|one| record.manifest(&one.seen.target)).collect();
    let steps = gone.into_iter().zip(manifests).map(|(one, manifest)| async move {
        let target = &one.seen.target;
        let stepped = match target.action {
            Action::Recreate | Action::HandOver => act::create(ctx, target, manifest).await,
            Action::Unbind | Action::Trim | Action::Rotate | Action::Delete | Action::Freeze | Action::Evict => {
                Ok(Stepped::Ended(Ended::saying(StepOutcome::Done, "a finalizer held it for a moment")))
            }
        };
        (one, stepped)
    });
    let mut steps = std::pin::pin!(futures::stream::iter(steps).buffer_unordered(SIDE_BY_SIDE));
    let (mut still, mut result) = (Vec::new(), Ok(()));
    while let Some((one, stepped)) = steps.next().await {
        match stepped {
            Ok(Stepped::Ended(ended)) => act::note(ctx, record, one.seen, ended).await,
            Ok(Stepped::Held(by)) => still.push(Held { seen: one.seen, by }),
            Err(fault) => result = result.and(Err(fault)),
        }
    }
    result.map(|()| still)
}

/// Uids of everything that stands where these stood: one list a place, and kind.
async fn standing(ctx: &Context, held: &[Held<'_>]) -> Result<BTreeSet<String>, Fault> {
    let places: BTreeMap<(Kind, &str), &Held<'_>> =
        held.iter().map(|one| ((one.seen.target.kind, one.seen.target.namespace.as_str()), one)).collect();
    let mut standing = BTreeSet::new();
    for one in places.into_values() {
        standing.extend(call("look after a delete", targets::api(&ctx.client, &one.seen.target).uids()).await?);
    }
    Ok(standing)
}
