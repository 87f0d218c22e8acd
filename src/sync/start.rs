//! Start-up of `rollcall sync`: what is watched, what wakes what, and the two controllers.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use crate::kube::named::Api;
use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::api::PartialObjectMeta;
use kube::runtime::controller::{self, Config, Controller};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{reflector, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::owned::{self, Objects, Owned};
use super::people::People;
use super::policy::{self, Watched};
use super::{Context, Failures, Snapshots, connection, traced};
use crate::api::{HRConnection, Person, ReadHint, Revocation, ScimResource, SyncPolicy};
use crate::kube::follow::follow;
use crate::kube::outcome::Fault;
use crate::kube::telemetry::Metrics;
use crate::kube::traces::Traces;
use crate::kube::watched::Watch;

/// Polls at once.
const POLLS: u16 = 4;
/// Passes at once: each takes a core.
const PASSES: u16 = 1;
/// Changes of Persons and Revocations that come in a row are looked at together.
const TOGETHER: Duration = Duration::from_millis(200);
/// So is what is pushed, in which many come at once.
const PUSHES_TOGETHER: Duration = Duration::from_secs(2);
/// So are changes of marks and bindings, for longer: nothing of a leaver waits for them here.
const OWNERS_TOGETHER: Duration = Duration::from_secs(5);

/// Runs both controllers; is called only while this process leads.
///
/// # Flow          watches first; policies are looked at once everybody and every Revocation is known
/// # Guarantees    returns as soon as `shutdown` fires; whatever was under way is cut off as by a crash, and a crash at
///                 any point is repaired by the next pass
/// # Errors        when a watch or a controller ends without being asked to: the process is to exit and be started again
pub async fn run(
    client: Client,
    namespace: String,
    clock: fn() -> Timestamp,
    (metrics, traces): (Arc<Metrics>, Arc<Traces>),
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let (revocations, revocations_in) = store();
    let owned = Arc::new(Owned::default());
    let people = Arc::new(People::default());
    let shared = Arc::new(Context {
        client: client.clone(),
        namespace: namespace.clone(),
        snapshots: Snapshots::default(),
        rotations: Arc::default(),
        files: super::connection::FetchCaches::default(),
        refused: super::connection::Refused::default(),
        failures: Failures::default(),
        pushed: Arc::default(),
        hints: Arc::default(),
        people: Arc::clone(&people),
        metrics,
        traces,
        turns: traced::Turns::default(),
        clock,
    });
    let watched = Arc::new(Watched { shared: Arc::clone(&shared), people: Arc::clone(&people), revocations, owned });
    let (wake, wake_for_owners) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let watch = Watch::new(client.clone(), "sync", Arc::clone(&shared.metrics), clock);
    // A watch that is lost without a word is noticed after its own timeout: short where leavers depend on it.
    let ours = watcher::Config::default().timeout(30);
    let mut tasks = JoinSet::new();
    tasks.spawn(everybody(Api::namespaced(client.clone(), &namespace), ours.clone(), people, Arc::clone(&wake)));
    let all: Api<Revocation> = Api::namespaced(client.clone(), &namespace);
    tasks.spawn(keep(revocations_in, told(watcher(all.watched(), ours), Arc::clone(&shared)), Arc::clone(&wake)));
    let accounts: Api<PartialObjectMeta<ServiceAccount>> = Api::all(client.clone());
    tasks.spawn(owners(accounts, Arc::clone(&watched), |owned| &owned.accounts, Arc::clone(&wake_for_owners)));
    let bindings: Api<RoleBinding> = Api::all(client.clone());
    tasks.spawn(owners(bindings, Arc::clone(&watched), |owned| &owned.role_bindings, Arc::clone(&wake_for_owners)));
    let bindings: Api<ClusterRoleBinding> = Api::all(client);
    tasks.spawn(owners(
        bindings,
        Arc::clone(&watched),
        |owned| &owned.cluster_role_bindings,
        Arc::clone(&wake_for_owners),
    ));
    tasks.spawn(pushes(Api::namespaced(shared.client.clone(), &namespace), Arc::clone(&shared)));
    tasks.spawn(webhooks(Api::namespaced(shared.client.clone(), &namespace), Arc::clone(&shared)));
    tasks.spawn(connections(shared, Arc::clone(&watch)));
    tasks.spawn(policies(watched, wake, wake_for_owners, watch));
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        _ = tasks.join_next() => Err(Fault::Transient { doing: "run sync", cause: "a watch or a controller ended".to_owned() }),
    }
}

async fn connections(shared: Arc<Context>, watch: Arc<Watch>) {
    let api: Api<HRConnection> = Api::namespaced(shared.client.clone(), &shared.namespace);
    let metrics = Arc::clone(&shared.metrics);
    Controller::new(api.watched(), watcher::Config::default())
        .reconcile_all_on(together(shared.snapshots.wake(), TOGETHER))
        .with_config(Config::default().concurrency(POLLS))
        .run(watch.over(connection::reconcile), never, shared)
        .for_each(|looked| {
            if let Err(controller::Error::ObjectNotFound(gone)) = looked {
                metrics.forgets(&gone.name); // it was to be looked at again, and is deleted
            }
            std::future::ready(())
        })
        .await;
}

/// Policies are looked at on their own changes, on every believed answer, on what others did to Persons and Revocations,
/// and a little later on what they did to marks and to users of bindings.
async fn policies(watched: Arc<Watched>, wake: Arc<Notify>, wake_for_owners: Arc<Notify>, watch: Arc<Watch>) {
    watched.people.ready().await;
    watched.owned.ready().await;
    if watched.revocations.wait_until_ready().await.is_err() {
        return;
    }
    let api: Api<SyncPolicy> = Api::namespaced(watched.shared.client.clone(), &watched.shared.namespace);
    Controller::new(api.watched(), watcher::Config::default())
        .reconcile_all_on(answers(&watched.shared.snapshots))
        .reconcile_all_on(changed(Api::namespaced(watched.shared.client.clone(), &watched.shared.namespace)))
        .reconcile_all_on(together(wake, TOGETHER))
        .reconcile_all_on(together(wake_for_owners, OWNERS_TOGETHER))
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

/// Yields with every policy that is made, changed or deleted: others over the same connections may gain or lose people by it.
fn changed(policies: Api<PartialObjectMeta<SyncPolicy>>) -> impl Stream<Item = ()> + Send + 'static {
    let mut known: HashMap<String, (Option<String>, Option<i64>)> = HashMap::new();
    let news = move |event: watcher::Result<watcher::Event<PartialObjectMeta<SyncPolicy>>>| {
        let new = match event {
            Ok(watcher::Event::Apply(policy) | watcher::Event::InitApply(policy)) => {
                let seen = (policy.uid(), policy.metadata.generation);
                known.insert(policy.name_any(), seen.clone()) != Some(seen)
            }
            Ok(watcher::Event::Delete(policy)) => known.remove(&policy.name_any()).is_some(),
            // Whoever was deleted while the watch was interrupted is not told of.
            Ok(watcher::Event::InitDone) => true,
            Ok(watcher::Event::Init) => false,
            Err(error) => {
                interrupted::<SyncPolicy>(&error);
                false
            }
        };
        std::future::ready(new.then_some(()))
    };
    watcher(policies.watched(), watcher::Config::default()).default_backoff().filter_map(news)
}

/// Yields a moment after a change, once for all changes of that moment.
fn together(wake: Arc<Notify>, moment: Duration) -> impl Stream<Item = ()> + Send + 'static {
    stream::unfold(wake, move |wake| async move {
        wake.notified().await;
        tokio::time::sleep(moment).await;
        Some(((), wake))
    })
}

/// Follows everybody; ends only with the process.
async fn everybody(api: Api<Person>, config: watcher::Config, people: Arc<People>, wake: Arc<Notify>) {
    let mut events = std::pin::pin!(watcher(api.watched(), config).default_backoff());
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

/// Follows what is pushed, and asks for a read of each connection for which something was; ends only with the process.
async fn pushes(api: Api<ScimResource>, shared: Arc<Context>) {
    let mut events = std::pin::pin!(watcher(api.watched(), watcher::Config::default().timeout(30)).default_backoff());
    let (mut changed, mut due) = (BTreeSet::new(), None);
    loop {
        let event = match due {
            None => events.next().await,
            Some(at) => tokio::select! {
                event = events.next() => event,
                () = tokio::time::sleep_until(at) => {
                    shared.snapshots.pushed(std::mem::take(&mut changed));
                    due = None;
                    continue;
                }
            },
        };
        match event {
            None => return,
            Some(Ok(event)) => changed.extend(shared.pushed.see(event)),
            Some(Err(error)) => interrupted::<ScimResource>(&error),
        }
        if due.is_none() && !changed.is_empty() {
            due = Some(tokio::time::Instant::now() + PUSHES_TOGETHER);
        }
    }
}

/// Follows the hints of webhooks, and wakes the connections with each that is new; ends only with the process.
async fn webhooks(api: Api<ReadHint>, shared: Arc<Context>) {
    follow("hints", watcher(api.watched(), watcher::Config::default().timeout(30)), |event| {
        if shared.hints.see(event) {
            shared.snapshots.hinted();
        }
    })
    .await;
}

/// Keeps a store, and wakes the policies with every change; ends only with the process.
async fn keep<K>(
    writer: Writer<K>,
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
    wake: Arc<Notify>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Default,
{
    let events = events.modify(|object| object.managed_fields_mut().clear());
    let mut touched = std::pin::pin!(reflector(writer, events.default_backoff()).touched_objects());
    while let Some(event) = touched.next().await {
        match event {
            Ok(_) => wake.notify_one(),
            Err(error) => interrupted::<K>(&error),
        }
    }
}

/// The same events; who made a Revocation necessary is told with the first that shows it.
fn told(
    events: impl Stream<Item = watcher::Result<watcher::Event<Revocation>>> + Send,
    shared: Arc<Context>,
) -> impl Stream<Item = watcher::Result<watcher::Event<Revocation>>> + Send {
    events.inspect(move |event| {
        if let Ok(watcher::Event::Apply(revocation) | watcher::Event::InitApply(revocation)) = event {
            traced::seen(&shared, revocation);
        }
    })
}

/// Follows what can be somebody's, and wakes the policies if that changed; ends only with the process.
async fn owners<K>(
    api: Api<K>,
    watched: Arc<Watched>,
    of: impl Fn(&Owned) -> &Objects<K::Kept> + Send + Sync,
    wake: Arc<Notify>,
) where
    K: owned::Watched + Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Default,
    K::Kept: Send + Sync,
{
    let mut events = std::pin::pin!(watcher(api.watched(), watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if of(&watched.owned).see(event) {
                    wake.notify_one();
                }
            }
            Err(error) => {
                of(&watched.owned).interrupted();
                interrupted::<K>(&error);
            }
        }
    }
}

fn interrupted<K: Resource>(error: &watcher::Error)
where
    K::DynamicType: Default,
{
    let what = crate::kube::follow::describe(error);
    tracing::warn!(kind = %K::kind(&K::DynamicType::default()), cause = what, "watch interrupted; it resumes by itself");
}
