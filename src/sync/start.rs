//! Start-up of `rollcall sync`: what is watched, what wakes what, and the two controllers.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::controller::{Config, Controller};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{reflector, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::people::People;
use super::policy::{self, Watched};
use super::{Context, Failures, Snapshots, connection};
use crate::api::{HRConnection, Person, Revocation, SyncPolicy, names};
use crate::kube::outcome::Fault;
use crate::kube::telemetry::Metrics;
use crate::kube::watched::Watch;

/// Polls at once.
const POLLS: u16 = 4;
/// Passes at once: each takes a core.
const PASSES: u16 = 1;
/// Changes of Persons, Revocations and accounts that come in a row are looked at together.
const TOGETHER: Duration = Duration::from_millis(200);

/// Runs both controllers; is called only while this process leads.
///
/// # Flow          watches first; policies are looked at once everybody and every Revocation is known
/// # Guarantees    returns as soon as `shutdown` fires; whatever was under way is cut off as by a crash, and a crash at
///                 any point is repaired by the next pass
/// # Errors        when a watch or a controller ends without being asked to: the process is to exit and start anew
pub async fn run(
    client: Client,
    namespace: String,
    clock: fn() -> Timestamp,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let (revocations, revocations_in) = store();
    let (accounts, accounts_in) = store();
    let people = Arc::new(People::default());
    let shared = Arc::new(Context {
        client: client.clone(),
        namespace: namespace.clone(),
        snapshots: Snapshots::default(),
        rotations: Arc::default(),
        files: super::connection::Knowledge::default(),
        refused: super::connection::Refused::default(),
        failures: Failures::default(),
        people: Arc::clone(&people),
        metrics,
        clock,
    });
    let watched = Arc::new(Watched { shared: Arc::clone(&shared), people: Arc::clone(&people), revocations, accounts });
    let wake = Arc::new(Notify::new());
    let watch = Watch::new(client.clone(), "sync", Arc::clone(&shared.metrics), clock);
    // A watch that is lost without a word is noticed after its own timeout: short where leavers depend on it.
    let ours = watcher::Config::default().timeout(30);
    let mut tasks = JoinSet::new();
    tasks.spawn(everybody(Api::namespaced(client.clone(), &namespace), ours.clone(), people, Arc::clone(&wake)));
    let all: Api<Revocation> = Api::namespaced(client.clone(), &namespace);
    tasks.spawn(keep(revocations_in, watcher(all, ours), |_| {}, Arc::clone(&wake)));
    let all: Api<PartialObjectMeta<ServiceAccount>> = Api::all(client);
    tasks.spawn(keep(accounts_in, watcher(all, watcher::Config::default()), only_the_mark, Arc::clone(&wake)));
    tasks.spawn(connections(shared, Arc::clone(&watch)));
    tasks.spawn(policies(watched, wake, watch));
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        _ = tasks.join_next() => Err(Fault::Transient { doing: "run sync", cause: "a watch or a controller ended".to_owned() }),
    }
}

async fn connections(shared: Arc<Context>, watch: Arc<Watch>) {
    let api: Api<HRConnection> = Api::namespaced(shared.client.clone(), &shared.namespace);
    Controller::new(api, watcher::Config::default())
        .with_config(Config::default().concurrency(POLLS))
        .run(watch.over(connection::reconcile), never, shared)
        .for_each(|_| std::future::ready(()))
        .await;
}

/// Policies are looked at on their own changes, on every believed answer, and on what others did to Persons,
/// Revocations and ServiceAccounts.
async fn policies(watched: Arc<Watched>, wake: Arc<Notify>, watch: Arc<Watch>) {
    watched.people.ready().await;
    if watched.revocations.wait_until_ready().await.is_err() {
        return;
    }
    let api: Api<SyncPolicy> = Api::namespaced(watched.shared.client.clone(), &watched.shared.namespace);
    Controller::new(api, watcher::Config::default())
        .reconcile_all_on(answers(&watched.shared.snapshots))
        .reconcile_all_on(together(wake))
        .with_config(Config::default().concurrency(PASSES))
        .run(watch.over(policy::reconcile), never, watched)
        .for_each(|_| std::future::ready(()))
        .await;
}

/// No reconcile fails: what went wrong is a condition already.
fn never<K, C>(_: Arc<K>, impossible: &std::convert::Infallible, _: Arc<C>) -> kube::runtime::controller::Action {
    match *impossible {}
}

/// Yields with every believed answer.
fn answers(snapshots: &Snapshots) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(
        snapshots.subscribe(),
        |mut answers| async move { answers.changed().await.ok().map(|()| ((), answers)) },
    )
}

/// Yields a moment after a change, once for all changes of that moment.
fn together(wake: Arc<Notify>) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(wake, |wake| async move {
        wake.notified().await;
        tokio::time::sleep(TOGETHER).await;
        Some(((), wake))
    })
}

/// Follows everybody; ends only with the process.
async fn everybody(api: Api<Person>, config: watcher::Config, people: Arc<People>, wake: Arc<Notify>) {
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if people.see(event.modify(|person| person.managed_fields_mut().clear())) {
                    wake.notify_one();
                }
            }
            Err(error) => interrupted::<Person>(&error),
        }
    }
}

/// Keeps a store, and wakes the policies with every change; ends only with the process.
async fn keep<K>(
    writer: Writer<K>,
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
    strip: impl Fn(&mut K) + Send + Sync,
    wake: Arc<Notify>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Default,
{
    let events = events.modify(|object| {
        object.managed_fields_mut().clear();
        strip(object);
    });
    let mut touched = std::pin::pin!(reflector(writer, events.default_backoff()).touched_objects());
    while let Some(event) = touched.next().await {
        match event {
            Ok(_) => wake.notify_one(),
            Err(error) => interrupted::<K>(&error),
        }
    }
}

/// Of a ServiceAccount only its mark is needed.
fn only_the_mark(account: &mut PartialObjectMeta<ServiceAccount>) {
    account.annotations_mut().retain(|name, _| name == names::OWNER);
    account.labels_mut().clear();
}

fn interrupted<K: Resource>(error: &watcher::Error)
where
    K::DynamicType: Default,
{
    let what = crate::kube::follow::describe(error);
    tracing::warn!(kind = %K::kind(&K::DynamicType::default()), cause = what, "watch interrupted; it resumes by itself");
}
