//! `rollcall revoke`: carries out released Revocations, under an identity of its own, as one short Job.
//!
//! It chooses nobody: it lists what control released, claims each by resourceVersion, and passes the same gates again
//! on its own live reads. Plain calls, no runtime. The only code that deletes anything.
//!
//! ```text
//! list released ─▶ observe (live) ─▶ gate ─▶ look (live targets, canaries) ─▶ claim, manifests written ahead
//!                                            ─▶ act ─▶ verify past the cache ─▶ confirm after it ─▶ finished
//! ```

mod act;
mod canary;
mod check;
mod observe;
mod probe;
mod record;
mod verify;

pub use self::check::check;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kube::Client;
use kube::api::{Api, ListParams};

use crate::api::revocation::{Finished, Phase};
use crate::api::{Person, Revocation, convert};
use crate::kube::calls;
use crate::kube::gate_inputs;
use crate::kube::inventory::list_each;
use crate::kube::outcome::Fault;
use domain::gate;
use domain::ownership::Index;

/// How often new work is looked for while some is under way.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Revocations under way at once.
const AT_ONCE: usize = 16;

/// What every step of the revoker needs.
#[derive(Clone)]
struct Context {
    client: Client,
    namespace: String,
    instance: String,
    /// Who claims: the host name, which in a Job is the pod's name.
    me: String,
}

/// Carries out everything that is released, and ends when nothing is left.
///
/// # Flow          list, then each on its own: gate, look, claim, act, verify, confirm; new work is taken up meanwhile
/// # Guarantees    acts on nothing but a `Released` plan; may do less than the plan, never more; run twice is run once
/// # Assumptions   runs as the revoker's own ServiceAccount, caged by the chart's admission policies
/// # Errors        the first transient fault, after the others were finished: the Job fails and a new one resumes
pub async fn run(client: Client, namespace: String, instance: String) -> Result<(), Fault> {
    let me = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let ctx = Arc::new(Context { client, namespace, instance, me });
    let mut taken = BTreeSet::new();
    let mut under_way = FuturesUnordered::new();
    let mut first_fault = None;
    loop {
        let room = AT_ONCE.saturating_sub(under_way.len());
        match waiting(&ctx, &taken, room).await {
            Ok((waiting, index)) => {
                for revocation in waiting {
                    taken.insert(revocation.metadata.uid.clone().unwrap_or_default());
                    under_way.push(carry_out(Arc::clone(&ctx), revocation, Arc::clone(&index)));
                }
            }
            Err(fault) => first_fault = first_fault.or(Some(fault)), // what is under way is brought to its end
        }
        if under_way.is_empty() {
            return first_fault.map_or(Ok(()), Err);
        }
        tokio::select! {
            Some(result) = under_way.next() => {
                if let Err(fault) = result {
                    tracing::error!(%fault, "not finished; a new Job resumes it");
                    first_fault.get_or_insert(fault);
                }
            }
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// One Revocation from its gate to its end.
async fn carry_out(ctx: Arc<Context>, revocation: Revocation, index: Arc<Index>) -> Result<(), Fault> {
    let name = revocation.metadata.name.clone().unwrap_or_default();
    let view = gate_inputs::read(&ctx.client, &ctx.namespace, &revocation, calls::now()).await?;
    let Some(plan) = view.plan() else {
        tracing::error!(revocation = name, "the plan is not the one its hash names; left alone");
        return Ok(());
    };
    let released = match gate::gate(&plan, &view.facts(), calls::now()) {
        Ok(released) => released,
        Err(stop) => {
            tracing::info!(revocation = name, gate = stop.reason(), "not carried out");
            return Ok(());
        }
    };
    let Some(mut record) = record::Record::open(&ctx, revocation) else {
        return Ok(()); // another process has it
    };
    let looked = observe::observe(&ctx, &released, &view, &index, &record).await?;
    record.claim(&looked).await?;
    act::act(&ctx, &released, looked.targets(), &mut record).await?;
    if released.only_finish() {
        record.finish(Finished::Stopped, None);
        record.write().await?;
    } else {
        verify::verify(&ctx, &released, &looked, &mut record).await?;
    }
    tracing::info!(revocation = name, finished = ?record.finished(), "finished");
    Ok(())
}

/// What waits, and everybody as they are now, if anything does.
async fn waiting(ctx: &Context, taken: &BTreeSet<String>, room: usize) -> Result<(Vec<Revocation>, Arc<Index>), Fault> {
    let waiting = released(ctx, taken, room).await?;
    let index = if waiting.is_empty() { Index::default() } else { everybody(ctx).await? };
    Ok((waiting, Arc::new(index)))
}

/// Released and unfinished Revocations that were not taken up yet.
async fn released(ctx: &Context, taken: &BTreeSet<String>, room: usize) -> Result<Vec<Revocation>, Fault> {
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let params = ListParams::default().fields("status.phase=Released");
    let mut all = list_each(&api, &params, |revocation: Revocation| {
        let uid = revocation.metadata.uid.clone().unwrap_or_default();
        let open = revocation
            .status
            .as_ref()
            .is_some_and(|status| status.phase == Some(Phase::Released) && status.outcome().is_none());
        (open && !taken.contains(&uid)).then_some(revocation)
    })
    .await?;
    all.truncate(room);
    Ok(all)
}

/// Everybody, read live: marks are resolved against all of them.
async fn everybody(ctx: &Context) -> Result<Index, Fault> {
    let api: Api<Person> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    Ok(Index::new(
        list_each(&api, &ListParams::default(), |person| {
            convert::minted(&person).then(|| convert::person_facts(&person))
        })
        .await?,
    ))
}
