//! `rollcall control`: from a leaver to a released plan. Plans, counts, gates, starts Jobs, seals evidence.
//!
//! Holds no right to end any credential, to approve, or to write a verdict; the revoker does the first, a human the
//! second, and an admission policy keeps it from the third.
//!
//! ```text
//! Person terminated ─▶ person: a Revocation each ─▶ revocation: plan (access) ─▶ count (ledger) ─▶ gate ─▶ jobs
//!                                                              ◀── steps, verdicts ── revoker ◀──┘
//!                                              seal: evidence   returns: what came back is reported
//! ```

mod access;
mod consents;
mod count;
mod jobs;
mod owned_status;
mod person;
mod returns;
mod revocation;
mod seal;
mod stores;

use std::convert::Infallible;
use std::sync::Arc;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::batch::v1::JobSpec;
use kube::Client;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, watcher};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use crate::api::{Person, Revocation, names};
use crate::kube::outcome::{Failures, Fault};
use crate::kube::telemetry::Metrics;
use crate::kube::watched::Watch;

/// Field manager of everything control writes.
pub const MANAGER: &str = "rollcall-control";

/// Reconciles at once.
const AT_ONCE: u16 = 16;

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
}

/// What every driver of control shares.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// How control was started.
    pub options: Options,
    /// What the process measures.
    pub metrics: Arc<Metrics>,
    /// Watches over every reconcile.
    pub watch: Arc<Watch>,
    /// The clock.
    pub clock: fn() -> Timestamp,
    /// What was watched. May nominate; a live read decides.
    pub stores: stores::Stores,
    /// What namespaces let the revoker do.
    pub consents: consents::Consents,
    /// What came back, until it is written.
    pub returns: returns::Returns,
    /// Faults in a row.
    pub failures: Failures,
    /// What was seen of the revoker's Jobs.
    pub jobs: jobs::Jobs,
    /// One at a time: sealing and counting.
    pub turn: Mutex<()>,
    /// Wakes the driver of a Person.
    pub wake_person: mpsc::UnboundedSender<ObjectRef<Person>>,
    /// Wakes the driver of a Revocation.
    pub wake_revocation: mpsc::UnboundedSender<ObjectRef<Revocation>>,
}

impl Context {
    /// Wakes the driver of a Person by name.
    pub fn person_changed(&self, name: &str) {
        let _closed_at_shutdown = self.wake_person.send(ObjectRef::new(name).within(&self.options.namespace));
    }

    /// Wakes the driver of a Revocation by name.
    pub fn revocation_changed(&self, name: &str) {
        let _closed_at_shutdown = self.wake_revocation.send(ObjectRef::new(name).within(&self.options.namespace));
    }
}

/// Runs until shut down, or until a controller ends.
///
/// # Errors
/// When a watch or a controller ends without being asked to: the process is to exit and start anew.
pub async fn run(
    client: Client,
    options: Options,
    clock: fn() -> Timestamp,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let (wake_person, people_woken) = mpsc::unbounded_channel();
    let (wake_revocation, revocations_woken) = mpsc::unbounded_channel();
    let (stores, writers) = stores::Stores::new();
    let ctx = Arc::new(Context {
        client: client.clone(),
        options,
        watch: Watch::new(client, "control", Arc::clone(&metrics), clock),
        metrics,
        clock,
        stores,
        consents: consents::Consents::default(),
        returns: returns::Returns::default(),
        failures: Failures::default(),
        jobs: jobs::Jobs::default(),
        turn: Mutex::new(()),
        wake_person,
        wake_revocation,
    });
    let mut tasks = tokio::task::JoinSet::new();
    stores::follow(&ctx, writers, &mut tasks);
    ctx.stores.ready().await?;
    consents::publish(&ctx).await?;
    tasks.spawn(consents::keep(Arc::clone(&ctx)));
    tasks.spawn(jobs::check::keep(Arc::clone(&ctx)));
    tasks.spawn(people(Arc::clone(&ctx), people_woken, shutdown.clone()));
    tasks.spawn(revocations(Arc::clone(&ctx), revocations_woken, shutdown.clone()));
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        _ = tasks.join_next() => Err(Fault::Transient { doing: "run control", cause: "a watch or a controller ended".to_owned() }),
    }
}

/// The controller of leavers: Persons whose employment has ended, and no others.
async fn people(ctx: Arc<Context>, woken: mpsc::UnboundedReceiver<ObjectRef<Person>>, shutdown: CancellationToken) {
    let api = kube::Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let leavers = watcher::Config::default().timeout(30).fields("status.employment.state=Terminated");
    let revocations: kube::Api<Revocation> = kube::Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let namespace = ctx.options.namespace.clone();
    Controller::new(api, leavers)
        .watches(revocations, watcher::Config::default().timeout(30), move |revocation: Revocation| {
            Some(ObjectRef::new(&revocation.spec.person).within(&namespace))
        })
        .reconcile_on(stream(woken))
        .with_config(Config::default().concurrency(AT_ONCE))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(ctx.watch.over(person::reconcile), never, ctx)
        .for_each(|_| futures::future::ready(()))
        .await;
}

/// The controller of Revocations.
async fn revocations(
    ctx: Arc<Context>,
    woken: mpsc::UnboundedReceiver<ObjectRef<Revocation>>,
    shutdown: CancellationToken,
) {
    let api = kube::Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    Controller::new(api, watcher::Config::default().timeout(30))
        .reconcile_on(stream(woken))
        .with_config(Config::default().concurrency(AT_ONCE))
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(ctx.watch.over(revocation::reconcile), never, ctx)
        .for_each(|_| futures::future::ready(()))
        .await;
}

fn stream<K: kube::Resource>(
    mut woken: mpsc::UnboundedReceiver<ObjectRef<K>>,
) -> impl futures::Stream<Item = ObjectRef<K>>
where
    K::DynamicType: std::hash::Hash + Eq,
{
    futures::stream::poll_fn(move |cx| woken.poll_recv(cx))
}

/// A reconcile never fails: `outcome` decides on every fault.
fn never<K>(_: Arc<K>, error: &Infallible, _: Arc<Context>) -> Action {
    match *error {}
}

/// The label of the Person on every Revocation, as a selector.
pub(crate) fn of_person(name: &str) -> String {
    format!("{}={name}", names::PERSON)
}
