//! What other sources of ownership say of a leaver: told in the plan, and never acted on. What they say of everybody is worked out
//! once for all who leave in the same moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Context;
use crate::api::{Person, SyncPolicy, convert};
use crate::kube::outcome::Fault;
use crate::kube::sources;
use domain::plan::{MAX_OBJECTS, Plan, Remaining, RemainingReason};
use domain::sources::{Left, Source, left};

/// How long what was found is told to others too.
const GOOD_FOR: Duration = Duration::from_secs(30);

/// What was found for a policy of this name and generation, or why nothing was.
type Known = HashMap<(String, Option<i64>), (Instant, Result<Arc<Left>, Fault>)>;

/// What was found, by policy.
#[derive(Default)]
pub struct Sources(Mutex<Known>);

/// Adds to what a plan leaves alone the accounts that only other sources say are this person's.
pub async fn add(ctx: &Context, person: &Person, policy: &SyncPolicy, plan: &mut Plan) {
    if policy.spec.identity.ownership.is_empty() {
        return;
    }
    let found = match of_policy(ctx, policy).await {
        Ok(found) => found.get(&convert::person_facts(person, (ctx.clock)()).uid).cloned().unwrap_or_default(),
        Err(fault) => {
            tracing::warn!(policy = policy.name_any(), %fault, "sources of ownership are not read, and plans do not wait for them");
            let what = "accounts without an owner annotation".to_owned();
            vec![Remaining { what, why: RemainingReason::SourcesUnread, heir: None }]
        }
    };
    plan.remaining.extend(found);
    plan.remaining.truncate(MAX_OBJECTS);
}

async fn of_policy(ctx: &Context, policy: &SyncPolicy) -> Result<Arc<Left>, Fault> {
    let key = (policy.name_any(), policy.metadata.generation);
    let mut known = ctx.sources.0.lock().await; // who leave together wait for one answer
    if let Some((at, found)) = known.get(&key)
        && at.elapsed() < GOOD_FOR
    {
        return found.clone();
    }
    let found = read(ctx, policy).await.map(Arc::new);
    known.retain(|(name, _), _| *name != key.0);
    known.insert(key, (Instant::now(), found.clone()));
    found
}

async fn read(ctx: &Context, policy: &SyncPolicy) -> Result<Left, Fault> {
    let (client, namespace) = (&ctx.client, &ctx.options.namespace);
    let asked = &policy.spec.identity.ownership;
    let own = [namespace.clone(), ctx.options.revoker_namespace.clone()];
    let (accounts, records) =
        futures::try_join!(sources::unmarked(client, &own), sources::records(client, namespace, asked))?;
    let index = ctx.owned(|owned| owned.index());
    let all: Vec<Source> = asked.iter().map(|one| one.source()).collect();
    Ok(left(&accounts, &all, &records, &index))
}
