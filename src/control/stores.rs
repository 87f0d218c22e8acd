//! What control watches: everybody, the policies and connections, Revocations, the ledger and the stop; annotated accounts,
//! bindings and the roles they name; token Secrets where that was consented to.
//!
//! A store may nominate, and what is written on its word carries a resourceVersion; the revoker decides on live reads.
//! Each watch says who its changes are about, and wakes them and nobody else.

mod secrets;
mod watches;

pub use self::secrets::{forget as forget_secrets, secrets};

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef, Subject};
use kube::ResourceExt;
use kube::api::{ObjectMeta, PartialObjectMeta};
#[cfg(test)]
use kube::runtime::watcher;
use tokio::task::JoinSet;

use self::watches::{Listed, one, ours, place, theirs};
use super::owned::{AccountName, Bound, Names, Since};
use super::owned_status::open;
use super::shelf::{Changed, Shelf};
use super::{Context, freeze, marks, rechecks, returns};
use crate::api::revocation::{Operation, Phase, RevocationStatus, Trigger};
use crate::api::{FrozenNames, HRConnection, Person, Revocation, SyncPolicy, names};
use crate::kube::inventory;
use crate::kube::ledger_store;
use crate::kube::stop;
use domain::ledger::Ledger;
use domain::plan::{Binding, Kind};

/// Kinds of what may come back.
/// How long a start waits for the list of frozen user names.
const LIST_IS_SLOW: std::time::Duration = std::time::Duration::from_secs(5);
const KINDS: [&str; 3] = ["ServiceAccount", "RoleBinding", "ClusterRoleBinding"];

/// What was watched.
#[derive(Default)]
pub struct Stores {
    /// Everybody.
    pub people: Shelf<Person>,
    /// Revocations.
    pub revocations: Shelf<Revocation>,
    /// Policies.
    pub policies: Shelf<SyncPolicy>,
    /// Connections.
    pub connections: Shelf<HRConnection>,
    /// Names of the Revocations of a Person, and of a run.
    groups: RwLock<Groups>,
    ledgers: Shelf<ConfigMap>,
    stops: Shelf<ConfigMap>,
    frozen: Shelf<FrozenNames>,
    drills: Shelf<ConfigMap>,
    /// The ledger, and the version of its ConfigMap.
    ledger: RwLock<(u64, Option<Arc<Ledger>>)>,
    /// Uid of every account and binding there is, annotated or not: what came back is found by its place.
    uids: RwLock<HashMap<(&'static str, AccountName), String>>,
    /// Whose token a Secret is, by namespace and name, where control may know.
    tokens: Mutex<HashMap<String, HashMap<String, String>>>,
    /// Of which namespaces the Secrets are known.
    pub secrets: secrets::Known,
}

#[derive(Default)]
struct Groups {
    by_person: HashMap<String, BTreeSet<String>>,
    by_run: HashMap<String, BTreeSet<String>>,
}

impl Stores {
    /// Every Revocation of a Person.
    pub fn revocations_of(&self, person: &str) -> Vec<Arc<Revocation>> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let named = groups.by_person.get(person).into_iter().flatten();
        named.filter_map(|name| self.revocations.get(name)).collect()
    }

    /// Every Revocation that carries the label of a run.
    pub fn revocations_in(&self, run: &str) -> Vec<Arc<Revocation>> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        let named = groups.by_run.get(run).into_iter().flatten();
        named.filter_map(|name| self.revocations.get(name)).collect()
    }

    /// The ledger as last seen; `None` if it cannot be understood.
    pub fn ledger(&self) -> Option<Arc<Ledger>> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Takes a ledger over unless a newer one is held, and says whether it did. Resource versions are numbers that grow
    /// (Kubernetes documents them as comparable since 1.35); one that is none wins.
    pub fn set_ledger(&self, map: Option<&ConfigMap>, ledger: Option<Ledger>) -> bool {
        let version = map.and_then(ResourceExt::resource_version).and_then(|version| version.parse().ok());
        let mut held = self.ledger.write().unwrap_or_else(PoisonError::into_inner);
        if version.is_some_and(|version| version <= held.0) && held.1.is_some() {
            return false;
        }
        *held = (version.unwrap_or_default(), ledger.map(Arc::new));
        true
    }

    /// Why everything is stopped, as last seen.
    pub fn stopped(&self) -> Option<String> {
        stop::reason(self.stops.get(names::STOP).as_deref())
    }

    /// The list of frozen user names, as last seen.
    pub fn frozen(&self) -> Option<Arc<FrozenNames>> {
        self.frozen.get(names::FROZEN)
    }

    /// The ConfigMap of the drill, as last seen.
    pub fn drill(&self) -> Option<Arc<ConfigMap>> {
        self.drills.get(names::DRILL)
    }

    /// Uid of the account or binding that stands in this place.
    pub fn uid_of(&self, kind: &str, namespace: &str, name: &str) -> Option<String> {
        let kind = KINDS.into_iter().find(|known| *known == kind)?;
        let place = (namespace.to_owned(), name.to_owned());
        self.uids.read().unwrap_or_else(PoisonError::into_inner).get(&(kind, place)).cloned()
    }

    fn set_uid(&self, kind: &'static str, place: AccountName, uid: Option<String>) {
        let mut uids = self.uids.write().unwrap_or_else(PoisonError::into_inner);
        match uid {
            Some(uid) => uids.insert((kind, place), uid),
            None => uids.remove(&(kind, place)),
        };
    }

    /// Whose token a Secret is, where control may know.
    pub fn token_of(&self, namespace: &str, secret: &str) -> Option<String> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(namespace)?.get(secret).cloned()
    }

    /// Control may no longer know whose tokens the Secrets of a namespace are.
    pub fn forget_tokens(&self, namespace: &str) {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(namespace);
    }

    /// Takes a Revocation over as its watch does, and tells nobody.
    #[cfg(test)]
    pub fn learn(&self, revocation: Revocation) {
        self.revocations.see(watcher::Event::Apply(revocation)).iter().for_each(|changed| self.group(changed));
    }

    /// Takes the list of frozen user names over as its watch does, and tells nobody.
    #[cfg(test)]
    pub fn learn_frozen(&self, list: FrozenNames) {
        self.frozen.see(watcher::Event::Apply(list));
    }

    fn group(&self, changed: &Changed<Revocation>) {
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = &changed.before {
            let (person, run) = (before.spec.person.clone(), before.labels().get(names::RUN).cloned());
            leave(&mut groups.by_person, Some(person), &before.name_any());
            leave(&mut groups.by_run, run, &before.name_any());
        }
        if let Some(after) = &changed.after {
            groups.by_person.entry(after.spec.person.clone()).or_default().insert(after.name_any());
            if let Some(run) = after.labels().get(names::RUN) {
                groups.by_run.entry(run.clone()).or_default().insert(after.name_any());
            }
        }
    }
}

fn leave(groups: &mut HashMap<String, BTreeSet<String>>, group: Option<String>, name: &str) {
    let Some(group) = group else { return };
    if let Some(named) = groups.get_mut(&group) {
        named.remove(name);
        if named.is_empty() {
            groups.remove(&group);
        }
    }
}

/// Starts to watch what lies in the people namespace, and waits until it is known.
pub async fn follow_ours(ctx: &Arc<Context>, tasks: &mut JoinSet<()>) {
    ours::<Person>(ctx, tasks, "people", |ctx| &ctx.stores.people, person_changed);
    ours::<Revocation>(ctx, tasks, "revocations", |ctx| &ctx.stores.revocations, revocation_changed);
    ours::<SyncPolicy>(ctx, tasks, "policies", |ctx| &ctx.stores.policies, policy_changed);
    // Only a removal waits for trust.
    let removals = |ctx: &Context, _: &Changed<HRConnection>| ctx.wake_open(|r| r.spec.operation == Operation::Remove);
    ours::<HRConnection>(ctx, tasks, "connections", |ctx| &ctx.stores.connections, removals);
    let stopped = |ctx: &Context, _: &Changed<ConfigMap>| {
        ctx.wake_open(|_| true);
        ctx.wake_frozen(|_| true);
        ctx.trims.notify_one();
        ctx.ended.notify_one();
    };
    one(ctx, tasks, names::STOP, |ctx| &ctx.stores.stops, stopped);
    let frozen = |ctx: &Context, _: &Changed<FrozenNames>| freeze::list_changed(ctx);
    ours::<FrozenNames>(ctx, tasks, "frozen user names", |ctx| &ctx.stores.frozen, frozen);
    if ctx.options.drill_namespace.is_some() {
        one(ctx, tasks, names::DRILL, |ctx| &ctx.stores.drills, |ctx, _| ctx.drill.notify_one());
    }
    one(ctx, tasks, names::LEDGER, |ctx| &ctx.stores.ledgers, |ctx, _| ledger_changed(ctx));
    let stores = &ctx.stores;
    tokio::join!(
        stores.people.ready(),
        stores.revocations.ready(),
        stores.policies.ready(),
        stores.connections.ready(),
        stores.stops.ready(),
        stores.ledgers.ready(),
    );
    ledger_changed(ctx); // one that is not there yet is empty
    // Nobody who left waits for a list that only freezes need, and that each of them reads live.
    if tokio::time::timeout(LIST_IS_SLOW, stores.frozen.ready()).await.is_err() {
        tracing::error!(
            "the list of frozen user names cannot be watched: is the CustomResourceDefinition frozennames.rollcall.dev installed, and may control read it? Until then nobody is frozen, and everything else goes on"
        );
    }
}

/// Starts to watch what lies anywhere, and waits until it is known. Revocations come first: whatever came back while
/// nobody looked is found by the lists these watches begin with.
pub async fn follow_theirs(ctx: &Arc<Context>, tasks: &mut JoinSet<()>) {
    let (accounts, role_bindings, cluster_role_bindings) = (Listed::default(), Listed::default(), Listed::default());
    let ready = [accounts.done(), role_bindings.done(), cluster_role_bindings.done()];
    theirs::<PartialObjectMeta<ServiceAccount>>(ctx, tasks, "accounts", accounts, account_changed, account_gone);
    theirs::<RoleBinding>(
        ctx,
        tasks,
        "role bindings",
        role_bindings,
        |ctx, binding| {
            let plain = inventory::role_binding(binding);
            let grants = (&binding.role_ref, binding.subjects.as_deref().unwrap_or_default());
            binding_changed(ctx, &binding.metadata, plain, Some(grants), Kind::RoleBinding);
        },
        |ctx, meta| binding_changed(ctx, meta, None, None, Kind::RoleBinding),
    );
    theirs::<ClusterRoleBinding>(
        ctx,
        tasks,
        "cluster role bindings",
        cluster_role_bindings,
        |ctx, binding| {
            let plain = inventory::cluster_role_binding(binding);
            let grants = (&binding.role_ref, binding.subjects.as_deref().unwrap_or_default());
            binding_changed(ctx, &binding.metadata, plain, Some(grants), Kind::ClusterRoleBinding);
        },
        |ctx, meta| binding_changed(ctx, meta, None, None, Kind::ClusterRoleBinding),
    );
    for mut ready in ready {
        let _watch_lives_as_long_as_we_do = ready.wait_for(|ready| *ready).await;
    }
    let gone = |ctx: &Context, meta: &ObjectMeta| {
        role_changed(ctx, &ObjectMeta { resource_version: None, ..meta.clone() });
    };
    let of = |ctx: &Context, role: &PartialObjectMeta<Role>| role_changed(ctx, &role.metadata);
    theirs::<PartialObjectMeta<Role>>(ctx, tasks, "roles", Listed::default(), of, gone);
    let of = |ctx: &Context, role: &PartialObjectMeta<ClusterRole>| role_changed(ctx, &role.metadata);
    theirs::<PartialObjectMeta<ClusterRole>>(ctx, tasks, "cluster roles", Listed::default(), of, gone);
}

fn role_changed(ctx: &Context, meta: &ObjectMeta) {
    let (name, version) = (meta.name.as_deref().unwrap_or_default(), meta.resource_version.as_deref());
    ctx.consents.role(meta.namespace.as_deref().unwrap_or_default(), name, version.unwrap_or("gone"));
}

fn person_changed(ctx: &Context, changed: &Changed<Person>) {
    let Some(person) = changed.after.as_ref().or(changed.before.as_ref()) else { return };
    let name = person.name_any();
    ctx.know(&name, changed.after.as_deref());
    ctx.person_changed(&name);
    ctx.ended.notify_one(); // a colleague may have a user name of a leaver's now
    for revocation in ctx.stores.revocations_of(&name) {
        ctx.trims.notify_one();
        if revocation.spec.trigger == Trigger::Leave {
            ctx.revocation_changed(&revocation.name_any()); // one that is over says what is left to do once they are back
        }
        ctx.wake_if_open(&revocation);
    }
}

fn revocation_changed(ctx: &Context, changed: &Changed<Revocation>) {
    ctx.stores.group(changed);
    ctx.measure.notify_one();
    ctx.trims.notify_one();
    ctx.ended.notify_one();
    if changed.after.as_deref().is_some_and(|after| rechecks::to_come(after).is_some()) {
        ctx.rechecks.notify_one();
    }
    ctx.recreates.notify_one();
    for side in changed.before.iter().chain(&changed.after) {
        ctx.person_changed(&side.spec.person);
    }
    // What stands in the places of a Revocation whose revoker is done is compared again: while it was at work nothing was.
    let done = |status: &RevocationStatus| status.phase == Some(Phase::Released) && status.outcome().is_some();
    match (&changed.before, &changed.after) {
        (_, Some(after)) => {
            if after.status.as_ref().is_some_and(done) {
                returns::ended(ctx, after);
                let told = ctx.stores.revocations_of(&after.spec.person);
                if told.iter().any(|other| other.spec.late && open(other)) {
                    ctx.touched(&Names::from([after.spec.person.clone()])); // what it is about may be less, or more, by now
                }
            }
            if !open(after) {
                ctx.claims.forget(&after.uid().unwrap_or_default());
                ctx.exposures.forget(&after.uid().unwrap_or_default());
            }
            if after.spec.late && changed.before.as_ref().is_none_or(|before| planned(before) != planned(after)) {
                ctx.wake_changing(&after.spec.person); // what waits there alone no longer remains elsewhere
            }
            ctx.revocation_changed(&after.name_any());
        }
        (Some(before), None) => {
            let uid = before.uid().unwrap_or_default();
            ctx.epochs(|epochs| epochs.forget(&uid));
            ctx.waits.forget(&uid);
            ctx.claims.forget(&uid);
            ctx.exposures.forget(&uid);
            ctx.freezes.tidy();
        }
        (None, None) => {}
    }
}

/// The hash of the plan that a Revocation shows.
fn planned(revocation: &Revocation) -> Option<&str> {
    Some(revocation.status.as_ref()?.plan.as_ref()?.hash.as_str())
}

fn policy_changed(ctx: &Context, changed: &Changed<SyncPolicy>) {
    let Some(policy) = changed.after.as_ref().or(changed.before.as_ref()) else { return };
    let name = policy.name_any();
    ctx.wake_open(|revocation| revocation.spec.policy == name);
    ctx.wake_frozen(|revocation| revocation.spec.policy == name);
    if changed.before.is_none() {
        for person in ctx.stores.people.state() {
            ctx.person_changed(&person.name_any());
        }
    }
}

/// A ledger that somebody else wrote: who is concerned cannot be told from it. Control's own writes wake those they are for.
fn ledger_changed(ctx: &Context) {
    let map = ctx.stores.ledgers.get(names::LEDGER);
    let now = map.as_deref().map_or_else(|| Some(Ledger::default()), |map| ledger_store::read(map).ok());
    if ctx.stores.set_ledger(map.as_deref(), now) {
        ctx.wake_open(|_| true);
    }
}

fn account_changed(ctx: &Context, account: &PartialObjectMeta<ServiceAccount>) {
    let (namespace, name) = place(&account.metadata);
    let before = ctx.stores.uid_of("ServiceAccount", &namespace, &name);
    ctx.stores.set_uid("ServiceAccount", place(&account.metadata), account.uid());
    returns::account(ctx, &account.metadata);
    let mut losers = marks::see(ctx, &account.metadata, before.is_some() && before == account.uid());
    let since = inventory::since(&account.metadata, &inventory::OWNER_FIELD);
    let annotated = inventory::account(&account.metadata).map(|object| Since { object, at: since });
    if let Some(annotated) = &annotated {
        ctx.consents.owned(&annotated.object.namespace);
    }
    losers.extend(ctx.owned(|owned| owned.account(&place(&account.metadata), annotated)));
    ctx.ended.notify_one();
    ctx.touched(&losers);
}

fn account_gone(ctx: &Context, meta: &ObjectMeta) {
    ctx.stores.set_uid("ServiceAccount", place(meta), None);
    let (namespace, name) = place(meta);
    let mut touched = marks::gone(ctx, &namespace, &name);
    touched.extend(ctx.owned(|owned| owned.account(&place(meta), None)));
    ctx.ended.notify_one();
    ctx.touched(&touched);
}

fn binding_changed(
    ctx: &Context,
    meta: &ObjectMeta,
    binding: Option<Binding>,
    grants: Option<(&RoleRef, &[Subject])>,
    kind: Kind,
) {
    let (namespace, name) = place(meta);
    ctx.consents.binding(&namespace, &name, grants);
    let word = if kind == Kind::ClusterRoleBinding { "ClusterRoleBinding" } else { "RoleBinding" };
    ctx.stores.set_uid(word, place(meta), grants.and_then(|_| meta.uid.clone()));
    if grants.is_some() {
        returns::binding(ctx, word, meta);
    }
    let bound: Bound = (kind, namespace, name);
    let since = inventory::since(meta, &inventory::SUBJECTS_FIELD);
    let binding = binding.map(|object| Since { object, at: since });
    let touched = ctx.owned(|owned| owned.binding(&bound, binding));
    if !touched.is_empty() {
        ctx.trims.notify_one();
    }
    ctx.touched(&touched);
}
