//! What control watches: everybody, the policies and connections, marked accounts, bindings, Revocations.
//!
//! A store may nominate; only a live read decides. Each watch says whom its changes concern, and wakes them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::api::{Api, PartialObjectMeta};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Store, reflector, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::{Context, returns};
use crate::api;
use crate::api::{HRConnection, Person, Revocation, SyncPolicy, names};
use crate::kube::inventory;
use crate::kube::outcome::Fault;
use domain::ownership::Owners;
use domain::plan::{Binding, Subject};

/// What was watched.
pub struct Stores {
    /// Everybody.
    pub people: Store<Person>,
    /// Revocations.
    pub revocations: Store<Revocation>,
    /// Policies.
    pub policies: Store<SyncPolicy>,
    /// Connections.
    pub connections: Store<HRConnection>,
    /// ServiceAccounts, their metadata.
    pub accounts: Store<PartialObjectMeta<ServiceAccount>>,
    /// RoleBindings.
    pub role_bindings: Store<RoleBinding>,
    /// ClusterRoleBindings.
    pub cluster_role_bindings: Store<ClusterRoleBinding>,
}

/// The other ends of the stores.
pub struct Writers {
    people: Writer<Person>,
    revocations: Writer<Revocation>,
    policies: Writer<SyncPolicy>,
    connections: Writer<HRConnection>,
    accounts: Writer<PartialObjectMeta<ServiceAccount>>,
    role_bindings: Writer<RoleBinding>,
    cluster_role_bindings: Writer<ClusterRoleBinding>,
}

impl Stores {
    /// Empty stores.
    pub fn new() -> (Self, Writers) {
        let (people, people_in) = store();
        let (revocations, revocations_in) = store();
        let (policies, policies_in) = store();
        let (connections, connections_in) = store();
        let (accounts, accounts_in) = store();
        let (role_bindings, role_bindings_in) = store();
        let (cluster_role_bindings, cluster_role_bindings_in) = store();
        let stores =
            Self { people, revocations, policies, connections, accounts, role_bindings, cluster_role_bindings };
        let writers = Writers {
            people: people_in,
            revocations: revocations_in,
            policies: policies_in,
            connections: connections_in,
            accounts: accounts_in,
            role_bindings: role_bindings_in,
            cluster_role_bindings: cluster_role_bindings_in,
        };
        (stores, writers)
    }

    /// Waits until every store holds what was there at the start.
    pub async fn ready(&self) -> Result<(), Fault> {
        let ready = async {
            futures::try_join!(
                self.people.wait_until_ready(),
                self.revocations.wait_until_ready(),
                self.policies.wait_until_ready(),
                self.connections.wait_until_ready(),
                self.accounts.wait_until_ready(),
                self.role_bindings.wait_until_ready(),
                self.cluster_role_bindings.wait_until_ready(),
            )
        };
        ready.await.map_err(|_| Fault::Transient { doing: "watch", cause: "a watch ended at the start".to_owned() })?;
        Ok(())
    }

    /// Every binding.
    pub fn bindings(&self) -> Vec<Binding> {
        let namespaced = self.role_bindings.state();
        let cluster = self.cluster_role_bindings.state();
        let namespaced = namespaced.iter().filter_map(|binding| inventory::role_binding(binding));
        namespaced.chain(cluster.iter().filter_map(|binding| inventory::cluster_role_binding(binding))).collect()
    }
}

/// Starts every watch.
pub fn follow(ctx: &Arc<Context>, writers: Writers, tasks: &mut JoinSet<()>) {
    let client = ctx.client.clone();
    let namespace = ctx.options.namespace.clone();
    let ours = || watcher::Config::default().timeout(30);
    let own = |ctx: &Arc<Context>| Arc::clone(ctx);
    tasks.spawn(watch(
        writers.people,
        watcher(Api::namespaced(client.clone(), &namespace), ours()),
        own(ctx),
        person_changed,
    ));
    tasks.spawn(watch(
        writers.revocations,
        watcher(Api::namespaced(client.clone(), &namespace), ours()),
        own(ctx),
        |ctx, _| measure(ctx),
    ));
    tasks.spawn(watch(
        writers.policies,
        watcher(Api::namespaced(client.clone(), &namespace), ours()),
        own(ctx),
        policy_changed,
    ));
    tasks.spawn(watch(
        writers.connections,
        watcher(Api::namespaced(client.clone(), &namespace), ours()),
        own(ctx),
        |ctx, _| {
            wake_unfinished(ctx, |_| true);
        },
    ));
    let everything = watcher::Config::default();
    tasks.spawn(watch(
        writers.accounts,
        watcher(Api::all(client.clone()), everything.clone()),
        own(ctx),
        account_changed,
    ));
    tasks.spawn(watch(
        writers.role_bindings,
        watcher(Api::all(client.clone()), everything.clone()),
        own(ctx),
        |ctx, binding| {
            binding_changed(ctx, inventory::role_binding(binding).as_ref(), "RoleBinding");
        },
    ));
    tasks.spawn(watch(
        writers.cluster_role_bindings,
        watcher(Api::all(client), everything),
        own(ctx),
        |ctx, binding| {
            binding_changed(ctx, inventory::cluster_role_binding(binding).as_ref(), "ClusterRoleBinding");
        },
    ));
    tasks.spawn(stop_or_ledger(own(ctx)));
}

/// Watches the metadata of Secrets in a namespace that consented to it: a token Secret that comes back is seen.
pub async fn secrets(ctx: Arc<Context>, namespace: String) {
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(ctx.client.clone(), &namespace);
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff().touched_objects());
    while let Some(event) = events.next().await {
        if let Ok(secret) = event {
            returns::secret(&ctx, &secret.metadata);
        }
    }
}

/// Keeps a store, and tells about every object that changed; ends only with the process.
async fn watch<K>(
    writer: Writer<K>,
    events: impl futures::Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
    ctx: Arc<Context>,
    changed: impl Fn(&Context, &K) + Send,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Hash + Eq + Clone + Default,
{
    let events = events.modify(|object| object.managed_fields_mut().clear());
    let mut touched = std::pin::pin!(reflector(writer, events.default_backoff()).touched_objects());
    loop {
        match touched.try_next().await {
            Ok(Some(object)) => changed(&ctx, &object),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(kind = %K::kind(&K::DynamicType::default()), %error, "watch interrupted; it resumes by itself")
            }
        }
    }
}

/// Counts the Revocations by phase.
fn measure(ctx: &Context) {
    let mut by_phase = BTreeMap::new();
    for revocation in ctx.stores.revocations.state() {
        if let Some(phase) = revocation.status.as_ref().and_then(|status| status.phase) {
            *by_phase.entry(phase).or_insert(0) += 1;
        }
    }
    ctx.metrics.revocations(&by_phase);
}

/// The stop and the ledger wake everything that is not finished.
async fn stop_or_ledger(ctx: Arc<Context>) {
    let api: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff().touched_objects());
    while let Some(event) = events.next().await {
        if event.is_ok_and(|map| [names::STOP, names::LEDGER].contains(&map.name_any().as_str())) {
            wake_unfinished(&ctx, |_| true);
        }
    }
}

fn person_changed(ctx: &Context, person: &Person) {
    let name = person.name_any();
    wake_unfinished(ctx, |revocation| revocation.spec.person == name);
}

fn policy_changed(ctx: &Context, policy: &SyncPolicy) {
    let name = policy.name_any();
    wake_unfinished(ctx, |revocation| revocation.spec.policy == name);
}

fn account_changed(ctx: &Context, account: &PartialObjectMeta<ServiceAccount>) {
    returns::account(ctx, &account.metadata);
    let Some(marked) = inventory::account(&account.metadata) else { return };
    let people = ctx.stores.people.state();
    if let Owners::One(owner) = api::convert::index(people.iter().map(AsRef::as_ref)).resolve(&marked.mark)
        && !owner.employed
    {
        ctx.person_changed(&owner.name);
    }
}

fn binding_changed(ctx: &Context, binding: Option<&Binding>, kind: &str) {
    let Some(binding) = binding else { return };
    returns::binding(ctx, kind, binding);
    let users: Vec<&String> = binding
        .subjects
        .iter()
        .filter_map(|subject| match subject {
            Subject::User(name) => Some(name),
            Subject::Account { .. } | Subject::Other => None,
        })
        .collect();
    if users.is_empty() {
        return;
    }
    for person in ctx.stores.people.state() {
        let facts = api::convert::person_facts(&person);
        if !facts.employed && facts.usernames().any(|own| users.iter().any(|user| *user == own)) {
            ctx.person_changed(&facts.name);
        }
    }
}

/// Wakes the drivers of unfinished Revocations that the test names.
fn wake_unfinished(ctx: &Context, concerned: impl Fn(&Revocation) -> bool) {
    for revocation in ctx.stores.revocations.state() {
        if super::owned_status::open(&revocation) && concerned(&revocation) {
            ctx.revocation_changed(&revocation.name_any());
        }
    }
}
