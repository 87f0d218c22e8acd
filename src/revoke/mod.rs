//! `rollcall revoke`: carries out released Revocations, under an identity of its own, as one short Job.
//!
//! It chooses nobody: it lists what control released, claims each by resourceVersion, and passes the same gates again
//! on its own live reads. Plain calls, no runtime. The only code that deletes anything.
//!
//! ```text
//! list released ─▶ observe (live) ─▶ gate ─▶ look (live targets, canaries) ─▶ claim, manifests written ahead
//!                                            ─▶ act ─▶ verify past the cache ─▶ (aside) confirm after it ─▶ finished
//!                                                    ╰─▶ (aside) new values of Secrets, and who uses them ─╯
//!                                                    ╰─▶ (aside) what `rollcall trim` does to shared bindings ─╯
//!                                                    ╰─▶ (aside) pods evicted, in waves ─▶ verify
//! ```
//! What was revoked is looked at again by later Jobs (`rechecks`), which change nothing but what they say of it.
//!
//! Few are acted on at once; many more wait aside for the API server's cache to lapse, for what finalizers hold, or for
//! another identity. One target, or one leaver, that cannot be ended delays only itself; and who comes while a large batch
//! is acted on is next.

mod act;
mod canary;
mod check;
mod evictions;
mod finalizers;
mod news;
mod observe;
#[cfg(test)]
mod order;
mod probe;
mod queue;
mod rechecks;
mod record;
mod rotate;
mod servers;
mod shared;
mod traced;
mod trims;
mod verify;
mod waves;

pub use self::check::check;

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Client, ResourceExt};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::api::Revocation;
use crate::api::revocation::Finished;
use crate::kube::calls::{self, call};
use crate::kube::gate_inputs::{self, GateInputs};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::traces::Traces;
use domain::gate;
use news::{Doing, News, Source};
use queue::{Queue, Waiting};
use servers::Servers;
use shared::Shared;

/// Revocations acted on at once.
const AT_ONCE: usize = 16;
/// Revocations under way at once, most of them waiting aside.
const UNDER_WAY: usize = 1024;
/// KiB of manifests and records of everything that is under way; a Job has 128 MiB.
const MEMORY: u32 = 32 * 1024;

/// What every step of the revoker needs.
struct Context {
    client: Client,
    /// The same, which repeats nothing that was refused for now.
    impatient: Client,
    namespace: String,
    instance: String,
    /// Who claims: the host name, which in a Job is the pod's name.
    me: String,
    /// Rollcall's namespaces, where nothing is touched.
    own_namespaces: Vec<String>,
    /// What one read for all.
    shared: Shared,
    /// Where spans are left.
    traces: Arc<Traces>,
    /// The API servers that are asked for verdicts.
    servers: OnceCell<Servers>,
    /// Held while a Revocation is acted on.
    places: Arc<Semaphore>,
    /// Held, in KiB, for as long as a Revocation is under way.
    memory: Semaphore,
}

impl Context {
    async fn new(client: Client, namespace: String, instance: String, traces: Arc<Traces>) -> Self {
        let me = calls::host();
        let mut own_namespaces = vec![namespace.clone()];
        own_namespaces.extend(own_namespace(&client).await);
        Self {
            impatient: calls::impatient().await.unwrap_or_else(|_| client.clone()),
            client,
            namespace,
            instance,
            me,
            own_namespaces,
            shared: Shared::default(),
            traces,
            servers: OnceCell::new(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            memory: Semaphore::new(MEMORY as usize),
        }
    }
}

impl Context {
    /// The API servers, looked for once.
    async fn servers(&self) -> &Servers {
        self.servers.get_or_init(|| Servers::find(self)).await
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

/// Carries out everything that is released, looks again at what was revoked where that is due, and ends when nothing is left.
///
/// # Flow          list, then each on its own: gate, look, claim, act, verify, confirm; new work is taken up meanwhile
/// # Guarantees    acts on nothing but a `Released` plan; may do less than the plan, never more; run twice is run once
/// # Assumptions   runs as the revoker's own ServiceAccount, caged by the chart's admission policies
/// # Errors        a transient fault of one that could not be finished, after the others were: a new Job resumes it
pub async fn run(client: Client, namespace: String, instance: String, traces: Arc<Traces>) -> Result<(), Fault> {
    let ctx = Arc::new(Context::new(client, namespace, instance, traces).await);
    let over = CancellationToken::new();
    let worked = async {
        let worked = work(Arc::clone(&ctx)).await;
        over.cancel();
        worked
    };
    let both = async { tokio::join!(worked, rechecks::all(&ctx, &over)) };
    let (worked, checked) = tokio::task::LocalSet::new().run_until(both).await;
    worked.and(checked)
}

/// Takes up what is released for as long as there is any.
async fn work(ctx: Arc<Context>) -> Result<(), Fault> {
    let mut work = Work::default();
    let mut source = Source::new(&ctx);
    loop {
        let now = Instant::now();
        if work.is_over(now) && source.is_fresh(now, Doing::Nothing) {
            return work.faults.into_values().next().map_or(Ok(()), Err);
        }
        let doing = work.doing();
        let takes = work.under_way.len() < UNDER_WAY && work.queue.has_any(now);
        tokio::select! {
            Ok(place) = Arc::clone(&ctx.places).acquire_owned(), if takes => work.take_up(&ctx, place, now),
            Some(ended) = work.under_way.join_next() => work.ended(ended),
            news = source.next(doing) => match news {
                News::Failed(fault) if work.under_way.is_empty() && !takes => return Err(fault),
                news => work.hear(news, &ctx.me),
            },
        }
    }
}

/// What this process has to do and is doing.
#[derive(Default)]
struct Work {
    queue: Queue,
    under_way: JoinSet<(Waiting, Result<(), Fault>)>,
    /// What could not be finished, by uid.
    faults: HashMap<String, Fault>,
}

impl Work {
    fn take_up(&mut self, ctx: &Arc<Context>, place: OwnedSemaphorePermit, now: Instant) {
        let Some(next) = self.queue.take(now) else { return };
        let ctx = Arc::clone(ctx);
        self.under_way.spawn_local(async move {
            let ended = carry_out(&ctx, &next, place).await;
            (next, ended)
        });
    }

    fn ended(&mut self, ended: Result<(Waiting, Result<(), Fault>), JoinError>) {
        match ended {
            Err(_panicked) => {
                let fault = Fault::Transient { doing: "carry out a Revocation", cause: "its task ended".to_owned() };
                self.faults.insert(String::new(), fault);
            }
            Ok((waiting, Ok(()))) => {
                self.faults.remove(&waiting.uid);
            }
            Ok((waiting, Err(fault))) => {
                let revocation = waiting.name.clone();
                self.faults.insert(waiting.uid.clone(), fault.clone());
                let again = self.queue.again(waiting, Instant::now());
                tracing::error!(revocation, %fault, again, "not finished; tried again, by this Job or a new one");
            }
        }
    }

    fn hear(&mut self, news: News, me: &str) {
        let now = Instant::now();
        match news {
            News::Listed(all) => self.queue.replace(all, me, now),
            News::Released(one) => self.queue.add(one, me, now),
            News::Over(uid) => self.queue.remove(&uid),
            News::Failed(fault) => tracing::warn!(%fault, "what is released could not be listed; listed again"),
        }
    }

    fn doing(&self) -> Doing {
        match (self.under_way.is_empty(), self.queue.watches_claims()) {
            (true, _) => Doing::Nothing,
            (false, true) => Doing::Watching,
            (false, false) => Doing::Working,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.under_way.is_empty() && self.queue.is_done(now)
    }
}

/// One Revocation from its gate to its end.
async fn carry_out(ctx: &Context, waiting: &Waiting, place: OwnedSemaphorePermit) -> Result<(), Fault> {
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let Some(revocation) = call("read the Revocation", api.get_opt(&waiting.name)).await? else { return Ok(()) };
    let name = waiting.name.as_str();
    let Some((released, inputs)) = pass(ctx, &revocation).await? else { return Ok(()) };
    let Some(mut record) = record::Record::open(ctx, revocation, waiting) else {
        return Ok(()); // another process has it
    };
    let observer = observe::Observer::new(ctx, &released, &inputs, &record).await?;
    let observed = observer.observe(&record).await;
    let _memory = ctx.memory.acquire_many(observed.kib().min(MEMORY)).await;
    record.claim(&observed).await?;
    let place = act::act(ctx, &observer, observed.targets(), &mut record, place).await?;
    if released.only_finish() {
        if let Some(waving) = waves::Waving::of(observed.targets(), &record, most(&inputs)) {
            // They are back, and what runs as an account that was made again needs a token that works all the same.
            let proving = async |_: &mut record::Record| Ok(true);
            Box::pin(waves::aside(ctx, waving, &mut record, Some(Finished::Stopped), proving)).await?;
        }
        record.finish(Finished::Stopped, None);
        record.write().await?;
    } else if let Some(waving) = waves::Waving::of(observed.targets(), &record, most(&inputs)) {
        let proving = async |record: &mut record::Record| {
            Box::pin(prove(ctx, &observer, &observed, record, (place, None), false)).await
        };
        Box::pin(waves::aside(ctx, waving, &mut record, None, proving)).await?;
    } else if let Some(evicting) = evictions::Evicting::of(observed.targets(), most(&inputs)) {
        Box::pin(evictions::until_over(ctx, evicting, &mut record)).await?;
        Box::pin(prove(ctx, &observer, &observed, &mut record, (place, None), true)).await?;
    } else {
        match rotate::Rotating::of(&observer, observed.targets(), &record) {
            None => drop(Box::pin(prove(ctx, &observer, &observed, &mut record, (place, None), true)).await?),
            Some(rotating) => {
                let proving = async |record: &mut record::Record, heard: &mut rotate::Heard| {
                    Box::pin(prove(ctx, &observer, &observed, record, (place, Some(heard)), false)).await
                };
                Box::pin(rotate::aside(ctx, rotating, &mut record, proving)).await?;
            }
        }
    }
    tracing::info!(revocation = name, finished = record.finished().map(Finished::as_str), "finished");
    Ok(())
}

/// How many pods of one workload are replaced at a time.
fn most(inputs: &GateInputs) -> u32 {
    inputs.policy.as_ref().map_or(1, |policy| policy.spec.revocation.max_unavailable)
}

/// Sees what is refused, first past the API server's cache and then after it, and what is trimmed, or `heard` of Secrets, meanwhile.
/// `alone` ends the Revocation with that.
async fn prove(
    ctx: &Context,
    observer: &observe::Observer<'_>,
    observed: &observe::Observed,
    record: &mut record::Record,
    (place, heard): (Option<OwnedSemaphorePermit>, Option<&mut rotate::Heard>),
    alone: bool,
) -> Result<bool, Fault> {
    let good = verify::verify(ctx, observed, record, alone).await?;
    drop(place); // the next one is acted on while this one waits
    if observed.targets().iter().any(|seen| trims::is_open(record, &seen.target)) {
        return Box::pin(trims::aside(ctx, observer, observed, record, heard, (good, alone))).await;
    }
    if good { verify::confirm(ctx, observed, record, alone).await } else { Ok(false) }
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
    let released = inputs.knock(calls::now())?;
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
