//! `rollcall revoke`: carries out released Revocations, under an identity of its own, as one short Job.
//!
//! It chooses nobody: it lists what control released, claims each by resourceVersion, and passes the same gates again
//! on its own live reads. Plain calls, no runtime. The only code that deletes anything.
//!
//! ```text
//! list released ─▶ observe (live) ─▶ gate ─▶ look (live targets, canaries) ─▶ claim, manifests written ahead
//!                                            ─▶ act ─▶ verify past the cache ─▶ (aside) confirm after it ─▶ finished
//! ```
//! Few are acted on at once; many more wait aside for the API server's cache to lapse. One target, or one leaver, that
//! cannot be ended delays only itself.

mod act;
mod canary;
mod check;
mod finalizers;
mod observe;
#[cfg(test)]
mod order;
mod probe;
mod queue;
mod record;
mod shared;
mod verify;

pub use self::check::check;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Client, ResourceExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::api::Revocation;
use crate::api::revocation::Finished;
use crate::kube::calls::{self, call};
use crate::kube::gate_inputs::{self, GateInputs};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use domain::gate;
use queue::{Queue, Waiting};
use shared::Shared;

/// How often it is looked for new work, and for claims that were given up, while nothing else happens.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Revocations acted on at once.
const AT_ONCE: usize = 16;
/// Revocations under way at once, most of them waiting aside.
const UNDER_WAY: usize = 1024;
/// KiB of manifests and records of everything that is under way; a Job has 128 MiB.
const MEMORY: u32 = 32 * 1024;

/// What every step of the revoker needs.
struct Context {
    client: Client,
    namespace: String,
    instance: String,
    /// Who claims: the host name, which in a Job is the pod's name.
    me: String,
    /// Rollcall's namespaces, where nothing is touched.
    own_namespaces: Vec<String>,
    /// What one read for all.
    shared: Shared,
    /// Held while a Revocation is acted on.
    places: Semaphore,
    /// Held, in KiB, for as long as a Revocation is under way.
    memory: Semaphore,
}

impl Context {
    async fn new(client: Client, namespace: String, instance: String) -> Self {
        let me = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        let mut own_namespaces = vec![namespace.clone()];
        own_namespaces.extend(own_namespace(&client).await);
        Self {
            client,
            namespace,
            instance,
            me,
            own_namespaces,
            shared: Shared::default(),
            places: Semaphore::new(AT_ONCE),
            memory: Semaphore::new(MEMORY as usize),
        }
    }
}

/// The namespace of the account that this process runs as, as the API server sees it.
async fn own_namespace(client: &Client) -> Option<String> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review =
        call("ask who this is", api.create(&PostParams::default(), &SelfSubjectReview::default())).await.ok()?;
    let user = review.status?.user_info?.username?;
    user.strip_prefix("system:serviceaccount:")?.split_once(':').map(|(namespace, _)| namespace.to_owned())
}

/// Carries out everything that is released, and ends when nothing is left.
///
/// # Flow          list, then each on its own: gate, look, claim, act, verify, confirm; new work is taken up meanwhile
/// # Guarantees    acts on nothing but a `Released` plan; may do less than the plan, never more; run twice is run once
/// # Assumptions   runs as the revoker's own ServiceAccount, caged by the chart's admission policies
/// # Errors        the first transient fault, after the others were finished: the Job fails and a new one resumes
pub async fn run(client: Client, namespace: String, instance: String) -> Result<(), Fault> {
    let ctx = Arc::new(Context::new(client, namespace, instance).await);
    tokio::task::LocalSet::new().run_until(work(ctx)).await
}

/// Takes up what is released for as long as there is any.
async fn work(ctx: Arc<Context>) -> Result<(), Fault> {
    let mut queue = Queue::default();
    let mut under_way = JoinSet::new();
    let mut first_fault = None;
    loop {
        let looked = queue.refill(&ctx, under_way.is_empty()).await;
        while under_way.len() < UNDER_WAY
            && let Some(next) = queue.take()
        {
            under_way.spawn_local(carry_out(Arc::clone(&ctx), next));
        }
        if under_way.is_empty() && (looked.is_err() || queue.is_done()) {
            first_fault = first_fault.or(looked.err());
            return first_fault.map_or(Ok(()), Err);
        }
        tokio::select! {
            Some(ended) = under_way.join_next() => {
                let ended = ended.unwrap_or_else(|_| {
                    Err(Fault::Transient { doing: "carry out a Revocation", cause: "its task ended".to_owned() })
                });
                if let Err(fault) = ended {
                    tracing::error!(%fault, "not finished; a new Job resumes it");
                    first_fault.get_or_insert(fault);
                }
            }
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// One Revocation from its gate to its end.
async fn carry_out(ctx: Arc<Context>, waiting: Waiting) -> Result<(), Fault> {
    let ctx = ctx.as_ref();
    let place = ctx.places.acquire().await;
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let Some(revocation) = call("read the Revocation", api.get_opt(&waiting.name)).await? else { return Ok(()) };
    let name = waiting.name.as_str();
    let Some((released, inputs)) = pass(ctx, &revocation).await? else { return Ok(()) };
    let Some(mut record) = record::Record::open(ctx, revocation, &waiting) else {
        return Ok(()); // another process has it
    };
    let observer = observe::Observer::new(ctx, &released, &inputs, &record).await?;
    let observed = observer.observe(&record).await;
    let _memory = ctx.memory.acquire_many(observed.kib().min(MEMORY)).await;
    record.claim(&observed).await?;
    act::act(ctx, &observer, observed.targets(), &mut record).await?;
    if released.only_finish() {
        record.finish(Finished::Stopped, None);
        record.write().await?;
    } else if verify::verify(ctx, &observed, &mut record).await? {
        drop(observer);
        drop(place); // the next one is acted on while this one waits
        verify::confirm(ctx, &observed, &mut record).await?;
    }
    tracing::info!(revocation = name, finished = record.finished().map(Finished::as_str), "finished");
    Ok(())
}

/// Passes the gates of a Revocation, on reads that are half a second old at most. What they say no to is read again: what
/// opened the gate may be newer than that.
async fn pass(ctx: &Context, revocation: &Revocation) -> Result<Option<(gate::Released, GateInputs)>, Fault> {
    let (name, policy) = (revocation.name_any(), &revocation.spec.policy);
    let lately = ctx.shared.of_policy(ctx, policy).await?;
    if let Ok(passed) = gate_inputs::read(&ctx.client, &ctx.namespace, revocation, lately).await.map(knock)? {
        return Ok(Some(passed));
    }
    let now = ctx.shared.of_policy_now(ctx, policy).await?;
    match gate_inputs::read(&ctx.client, &ctx.namespace, revocation, now).await.map(knock)? {
        Ok(passed) => return Ok(Some(passed)),
        Err(Some(stop)) => tracing::info!(revocation = name, gate = stop.reason(), "not carried out"),
        Err(None) => tracing::error!(revocation = name, "the plan is not the one its hash names; left alone"),
    }
    Ok(None)
}

/// Passes the gates, or says which is shut; `None` where the plan is not the one its hash names.
fn knock(inputs: GateInputs) -> Result<(gate::Released, GateInputs), Option<gate::Stop>> {
    let plan = inputs.plan().ok_or(None)?;
    let released = gate::gate(&plan, &inputs.facts(), calls::now())?;
    Ok((released, inputs))
}

#[cfg(test)]
mod tests {
    use domain::plan::reach::{SYSTEM_NAME, SYSTEM_PREFIX};

    /// The policy that cages the revoker, as the chart renders it from.
    const CAGE: &str = include_str!("../../charts/rollcall/templates/vap-revoker-cage.yaml");

    #[test]
    fn the_cage_holds_the_same_namespaces_and_names_as_the_rule_of_reach() {
        for written in [
            format!("variables.place.startsWith({SYSTEM_PREFIX:?})"),
            format!("s.?namespace.orValue(\"\").startsWith({SYSTEM_PREFIX:?})"),
            format!("s.name.startsWith(\"system:serviceaccount:{SYSTEM_PREFIX}\")"),
            format!("!variables.name.startsWith({SYSTEM_NAME:?})"),
            format!("!s.name.startsWith({SYSTEM_NAME:?})"),
        ] {
            assert!(CAGE.contains(&written), "{written}");
        }
    }
}
