//! `rollcall control`: from a leaver to a released plan. Plans, counts, gates, starts Jobs, seals evidence.
//!
//! Holds no right to end any credential, to approve, or to write a verdict of what the revoker did; the revoker does the first, a
//! human the second, and an admission policy keeps it from the third. What it does itself is to freeze, and to lift that.
//!
//! ```text
//! Person terminated ─▶ person: a Revocation each ─▶ revocation: plan (access) ─▶ count (ledger) ─▶ gate ─▶ jobs
//!                                                              ◀── steps, verdicts ── revoker ◀──┘
//!      on leave ─▶ … ─▶ gate ─▶ freeze: the list of user names that an admission policy reads
//!                        before the release, and after the acts ─▶ hooks: Jobs of the user's own
//!                                              seal: evidence   returns: what came back is reported
//!                                                               rechecks: Jobs that look at it again
//! ```
//!
//! Everything is driven by events: `stores` watches, `owned` knows whose plan an event may change, `queue` has the drivers
//! look at those and at nobody else. What waits is in no queue.

mod access;
mod claims;
mod consents;
mod consumers;
mod count;
mod drill;
mod ended;
mod exposures;
mod freeze;
mod holders;
pub mod hooks;
pub mod jobs;
mod lists;
mod marks;
pub mod owned;
mod owned_status;
mod person;
mod queue;
mod recent;
mod rechecks;
mod recreates;
mod retention;
mod returns;
mod revocation;
mod seal;
mod sessions;
mod shelf;
mod sources;
mod stores;
mod traced;
mod trims;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as Locked, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::JobSpec;
use kube::{Client, ResourceExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::api::condition::Reason;
use crate::api::person::State;
use crate::api::policy::ClusterLimits;
use crate::api::revocation::{Operation, Phase};
use crate::api::{Person, Revocation, convert, names};
use crate::kube::outcome::{Failures, Fault};
use crate::kube::stop;
use crate::kube::telemetry::Metrics;
use crate::kube::traces::Traces;
use crate::kube::watched::Watch;
use queue::{Aside, Lane};

/// Field manager of everything control writes.
pub const MANAGER: &str = "rollcall-control";

/// Reconciles at once.
const AT_ONCE: usize = 16;
/// Time between two counts of the Revocations by phase.
const MEASURED: std::time::Duration = std::time::Duration::from_secs(2);
/// Longest time between two counts.
const MEASURED_AT_LEAST: std::time::Duration = std::time::Duration::from_secs(30);

/// How control was started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The operator's namespace.
    pub namespace: String,
    /// Name of the release.
    pub instance: String,
    /// Namespace of the revoker's Jobs.
    pub revoker_namespace: String,
    /// Account of the revoker.
    pub revoker_account: String,
    /// What the chart says a Job of the revoker is.
    pub revoker_job: JobSpec,
    /// Whether to prove by an empty Job that the revoker can run.
    pub revoker_check: bool,
    /// The limits of all policies together.
    pub limits: ClusterLimits,
    /// User names that the policy never freezes.
    pub never_freeze: std::collections::BTreeSet<String>,
    /// Namespace of the Jobs of hooks; none where hooks are not installed.
    pub hooks_namespace: Option<String>,
    /// Whether what of leavers is made again is refused, by the admission policy `returns`.
    pub deny_returns: bool,
    /// The sandbox of the drill; none where it is not installed.
    pub drill_namespace: Option<String>,
}

/// What every driver of control shares.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// How control was started.
    pub options: Options,
    /// What the process measures.
    pub metrics: Arc<Metrics>,
    /// Where spans are left.
    pub traces: Arc<Traces>,
    /// Watches over every reconcile.
    pub watch: Arc<Watch>,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// What was watched. May nominate; the revoker decides on live reads.
    pub stores: stores::Stores,
    /// Who owns what.
    owned: Locked<owned::Owned>,
    /// How often something of each person changed.
    epochs: Locked<owned::Epochs>,
    /// What namespaces let the revoker do.
    pub consents: consents::Consents,
    /// What runs in namespaces.
    pub consumers: consumers::Consumers,
    /// What is to be counted.
    pub wishes: count::Wishes,
    /// What came back, until it is written.
    pub returns: returns::Returns,
    /// Faults in a row.
    pub failures: Failures,
    /// What was seen of the revoker's Jobs.
    pub jobs: jobs::Jobs,
    /// Claims of the revoker, as they were seen.
    pub claims: claims::Claims,
    /// Told when a Revocation is released.
    pub released: Notify,
    /// Told when a Revocation changed, for what is measured.
    pub measure: Notify,
    /// What waits to be sealed.
    pub seals: seal::Seals,
    /// What is to be frozen or lifted.
    pub freezes: freeze::Freezes,
    /// Told when what may be trimmed may have changed.
    pub trims: Notify,
    /// Told when what is not to be made again may have changed.
    pub ended: Notify,
    /// Told when a Revocation changed that has a check to come.
    pub rechecks: Notify,
    /// Told when what may be made again may have changed.
    pub recreates: Notify,
    /// Told when the report of the drill may be another one.
    pub drill: Notify,
    /// Told when a Secret may have another owner.
    pub holders: Notify,
    /// What was seen of owner annotations.
    pub marks: marks::Marks,
    /// What other sources of ownership said.
    pub sources: sources::Sources,
    /// What leavers could read.
    pub exposures: exposures::Exposures,
    /// Pods in which sessions may be open.
    pub sessions: sessions::Sessions,
    /// Since when Revocations wait, for their traces.
    pub waits: traced::Waits,
    people: Arc<queue::Queue>,
    revocations: Arc<queue::Queue>,
}

impl Context {
    /// Nothing known yet.
    fn new(client: Client, options: Options, clock: fn() -> Timestamp, metrics: Arc<Metrics>) -> Self {
        Self {
            client: client.clone(),
            consents: consents::Consents::new(&options),
            options,
            watch: Watch::new(client, "control", Arc::clone(&metrics), clock),
            metrics,
            traces: Arc::default(),
            clock,
            stores: stores::Stores::default(),
            owned: Locked::default(),
            epochs: Locked::default(),
            consumers: consumers::Consumers::default(),
            wishes: count::Wishes::default(),
            returns: returns::Returns::default(),
            failures: Failures::default(),
            jobs: jobs::Jobs::default(),
            released: Notify::new(),
            measure: Notify::new(),
            claims: claims::Claims::default(),
            seals: seal::Seals::default(),
            freezes: freeze::Freezes::default(),
            trims: Notify::new(),
            ended: Notify::new(),
            rechecks: Notify::new(),
            recreates: Notify::new(),
            drill: Notify::new(),
            holders: Notify::new(),
            marks: marks::Marks::default(),
            sources: sources::Sources::default(),
            exposures: exposures::Exposures::default(),
            sessions: sessions::Sessions::default(),
            waits: traced::Waits::default(),
            people: Arc::default(),
            revocations: Arc::default(),
        }
    }

    /// Reads or changes who owns what.
    pub fn owned<T>(&self, act: impl FnOnce(&mut owned::Owned) -> T) -> T {
        act(&mut self.owned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has the index know a Person as they are now, or as gone; and everybody looked at whose plan may be another one by that.
    pub fn know(&self, name: &str, person: Option<&Person>) {
        let facts = person.map(|person| convert::person_facts(person, (self.clock)()));
        if !self.owned(|owned| owned.knows(name, facts.as_ref())) {
            let touched = self.owned(|owned| owned.person(name, facts));
            self.touched(&touched);
        }
    }

    /// Reads or changes what is known of the plans that were drawn.
    pub fn epochs<T>(&self, act: impl FnOnce(&mut owned::Epochs) -> T) -> T {
        act(&mut self.epochs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has somebody looked at who left or is on leave; nobody else is.
    pub fn person_changed(&self, name: &str) {
        let Some(person) = self.stores.people.get(name) else { return };
        let Some(status) = &person.status else { return };
        let left = status.employment.as_ref().filter(|employment| employment.state == State::Terminated);
        let run = match (left, &status.leave) {
            (Some(left), _) => &left.run,
            (None, Some(leave)) => &leave.run,
            (None, None) => return,
        };
        self.people
            .wake(&Lane::new(status.policy.as_deref().unwrap_or_default(), run.as_deref().unwrap_or(name)), name);
    }

    /// Has a Revocation looked at.
    pub fn revocation_changed(&self, name: &str) {
        if let Some(revocation) = self.stores.revocations.get(name) {
            self.wake(&revocation);
        }
    }

    fn wake(&self, revocation: &Revocation) {
        let name = revocation.name_any();
        let run = revocation.labels().get(names::RUN).unwrap_or(&name);
        self.revocations.wake(&Lane::new(&revocation.spec.policy, run), &name);
    }

    /// What looks at a Revocation waits for the evidence.
    pub fn aside(&self) -> Aside<'_> {
        self.revocations.aside()
    }

    /// Has a Revocation looked at, if anything may still happen to it; what is frozen by it may be lifted.
    pub fn wake_if_open(&self, revocation: &Revocation) {
        if owned_status::open(revocation) || hooks::pending(revocation) || convert::freezes(revocation) {
            self.wake(revocation);
        }
    }

    /// Has every Revocation looked at to which anything may still happen, of those that are meant.
    pub fn wake_open(&self, meant: impl Fn(&Revocation) -> bool) {
        for revocation in self.stores.revocations.state() {
            if meant(&revocation) && (owned_status::open(&revocation) || hooks::pending(&revocation)) {
                self.wake(&revocation);
            }
        }
    }

    /// Has every Revocation of a Person looked at that is over and whose remaining access may be less by now.
    pub fn wake_changing(&self, person: &str) {
        let told = self.stores.revocations_of(person).into_iter();
        told.filter(|revocation| owned_status::may_change(revocation)).for_each(|revocation| self.wake(&revocation));
    }

    /// Has every Revocation looked at that holds frozen names, of those that are meant.
    pub fn wake_frozen(&self, meant: impl Fn(&Revocation) -> bool) {
        for revocation in self.stores.revocations.state() {
            if convert::freezes(&revocation) && meant(&revocation) {
                self.wake(&revocation);
            }
        }
    }

    /// Something of these people changed: their plans are drawn again, and nobody else's.
    pub fn touched(&self, names: &owned::Names) {
        self.epochs(|epochs| epochs.touch(names));
        for name in names {
            self.person_changed(name);
            for revocation in self.stores.revocations_of(name) {
                if owned_status::may_change(&revocation) || convert::freezes(&revocation) {
                    self.wake(&revocation);
                } else if !person::frozen(&revocation) {
                    self.wake_if_open(&revocation);
                }
            }
        }
    }
}

/// Runs until shut down, or until a controller ends.
///
/// # Errors
/// When a watch or a controller ends without being asked to: the process is to exit and be started again.
pub async fn run(
    client: Client,
    options: Options,
    clock: fn() -> Timestamp,
    (metrics, traces): (Arc<Metrics>, Arc<Traces>),
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let ctx = Arc::new(Context { traces, ..Context::new(client, options, clock, metrics) });
    let begun = std::time::Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    let known = async {
        stores::follow_ours(&ctx, &mut tasks).await;
        marks::begin(&ctx).await?; // before the first account is seen
        stores::follow_theirs(&ctx, &mut tasks).await;
        marks::all_seen(&ctx);
        stop::begin(&ctx.client, &ctx.options.namespace).await // before the consents, which say that we were here
    };
    tokio::select! {
        begun = known => begun?,
        () = shutdown.cancelled() => return Ok(()),
    }
    tracing::info!(milliseconds = begun.elapsed().as_millis(), "everything that is watched is known");
    hooks::watch(&ctx, &mut tasks);
    returns::everything(&ctx); // what came back while nobody led
    tasks.spawn(consents::keep(Arc::clone(&ctx)));
    tasks.spawn(count::keep(Arc::clone(&ctx)));
    tasks.spawn(jobs::check::keep(Arc::clone(&ctx)));
    tasks.spawn(jobs::keep(Arc::clone(&ctx)));
    tasks.spawn(retention::keep(Arc::clone(&ctx)));
    tasks.spawn(freeze::keep(Arc::clone(&ctx)));
    tasks.spawn(seal::signing::keep(Arc::clone(&ctx)));
    tasks.spawn(trims::keep(Arc::clone(&ctx)));
    tasks.spawn(rechecks::keep(Arc::clone(&ctx)));
    tasks.spawn(ended::keep(Arc::clone(&ctx)));
    tasks.spawn(recreates::keep(Arc::clone(&ctx)));
    tasks.spawn(marks::keep(Arc::clone(&ctx)));
    tasks.spawn(holders::keep(Arc::clone(&ctx)));
    tasks.spawn(drill::keep(Arc::clone(&ctx)));
    tasks.spawn(freeze::first::keep(Arc::clone(&ctx)));
    tasks.spawn(exposures::keep(Arc::clone(&ctx)));
    tasks.spawn(measure(Arc::clone(&ctx)));
    let drivers = drivers(&ctx, &shutdown);
    tokio::select! {
        () = drivers => Ok(()), // told to stop, and what was under way has come to its end
        _ = tasks.join_next() => Err(Fault::Transient { doing: "run control", cause: "a watch ended".to_owned() }),
    }
}

/// The two drivers: of leavers and of Revocations.
async fn drivers(ctx: &Arc<Context>, shutdown: &CancellationToken) {
    let (person, revocation) = (ctx.watch.over(person::reconcile), ctx.watch.over(revocation::reconcile));
    let (person, revocation) = (&person, &revocation);
    let people = Arc::clone(&ctx.people).work(AT_ONCE, shutdown.clone(), |name| async move {
        person(ctx.stores.people.get(&name)?, Arc::clone(ctx)).await
    });
    let revocations = Arc::clone(&ctx.revocations).work(AT_ONCE, shutdown.clone(), |name| async move {
        revocation(ctx.stores.revocations.get(&name)?, Arc::clone(ctx)).await
    });
    tokio::join!(people, revocations);
}

/// Counts the Revocations by phase, and what remains, for the metrics, when any of them changed; but for those of drills, which have
/// metrics of their own. Says every half minute whether everything is stopped.
async fn measure(ctx: Arc<Context>) {
    // Of a gate that holds nothing any more there are none: a series that disappears would be taken for one that nobody reports.
    let asks = Reason::ALL.iter().filter(|gate| convert::waits_for_approval(**gate));
    let mut held: BTreeMap<String, u32> = asks.map(|gate| (gate.as_str().to_owned(), 0)).collect();
    loop {
        let _ = tokio::time::timeout(MEASURED_AT_LEAST, ctx.measure.notified()).await;
        ctx.metrics.stopped(ctx.stores.stopped().is_some());
        for policy in ctx.stores.policies.state() {
            let hooks = policy.spec.revocation.hooks.iter().map(|hook| hook.cron_job.as_str());
            ctx.metrics.expects(&policy.name_any(), hooks);
        }
        held.values_mut().for_each(|number| *number = 0);
        let (mut by_phase, mut refuted) = (BTreeMap::new(), 0_usize);
        let mut remaining: BTreeMap<String, u32> = BTreeMap::new();
        let all = ctx.stores.revocations.state().into_iter();
        for revocation in all.filter(|revocation| revocation.spec.person != names::DRILL) {
            refuted = refuted.saturating_add(usize::from(!rechecks::refuted(&revocation).is_empty()));
            let Some(status) = &revocation.status else { continue };
            let Some(phase) = status.phase else { continue };
            *by_phase.entry(phase).or_insert(0) += 1;
            if let (Phase::Held, Some(gate)) = (phase, &status.gate) {
                *held.entry(gate.reason.clone()).or_insert(0) += 1;
            }
            if phase == Phase::Revoked && revocation.spec.operation == Operation::Cut {
                let planned = status.plan.iter().flat_map(|plan| &plan.remaining);
                for left in planned.chain(&status.remaining) {
                    let number = remaining.entry(left.why.clone()).or_default();
                    *number = number.saturating_add(1);
                }
            }
        }
        ctx.metrics.revocations(&by_phase);
        ctx.metrics.held(&held);
        ctx.metrics.refuted(refuted);
        ctx.metrics.remaining(&remaining);
        tokio::time::sleep(MEASURED).await;
    }
}
