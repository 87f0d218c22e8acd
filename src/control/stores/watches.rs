//! The watches: of a kind of ours, which is held whole; of one ConfigMap; and of a kind of the cluster's, of which only what
//! is owned is held.

use std::collections::HashSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Resource;
use kube::api::ObjectMeta;
use kube::runtime::watcher::{self, Event};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::control::Context;
use crate::control::owned::AccountName;
use crate::control::shelf::{Changed, Shelf};
use crate::kube::follow::follow;
use crate::kube::named::Api;

/// Watches a kind of ours, which is held whole.
pub fn ours<K>(
    ctx: &Arc<Context>,
    tasks: &mut JoinSet<()>,
    what: &'static str,
    shelf: fn(&Context) -> &Shelf<K>,
    changed: impl Fn(&Context, &Changed<K>) + Send + Sync + 'static,
) where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Send
        + Sync
        + 'static,
{
    // A watch that is lost without a word is noticed after its own timeout: short where leavers depend on it.
    let api: Api<K> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    keep(ctx, tasks, what, watcher::watcher(api.watched(), watcher::Config::default().timeout(30)), shelf, changed);
}

/// Watches one ConfigMap of ours.
pub fn one(
    ctx: &Arc<Context>,
    tasks: &mut JoinSet<()>,
    name: &'static str,
    shelf: fn(&Context) -> &Shelf<ConfigMap>,
    changed: impl Fn(&Context, &Changed<ConfigMap>) + Send + Sync + 'static,
) {
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let config = watcher::Config::default().timeout(30).fields(&format!("metadata.name={name}"));
    keep(ctx, tasks, name, watcher::watcher(api.watched(), config), shelf, changed);
}

fn keep<K>(
    ctx: &Arc<Context>,
    tasks: &mut JoinSet<()>,
    what: &'static str,
    events: impl futures::Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    shelf: fn(&Context) -> &Shelf<K>,
    changed: impl Fn(&Context, &Changed<K>) + Send + Sync + 'static,
) where
    K: Resource + Send + Sync + 'static,
{
    let ctx = Arc::clone(ctx);
    tasks.spawn(async move {
        follow(what, events, |event| {
            shelf(&ctx).see(event).iter().for_each(|change| changed(&ctx, change));
        })
        .await;
    });
}

/// What one list of a watch named, so that what is missing from the next is known to be gone.
#[derive(Default)]
pub struct Listed {
    before: HashSet<AccountName>,
    now: HashSet<AccountName>,
    done: tokio::sync::watch::Sender<bool>,
}

impl Listed {
    /// Whether the first list is known, and the change to that.
    pub fn done(&self) -> tokio::sync::watch::Receiver<bool> {
        self.done.subscribe()
    }
}

/// Namespace and name of an object.
pub fn place(meta: &ObjectMeta) -> AccountName {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// Watches a kind of the cluster's, of which only what is owned is held. Of each object namespace and name are kept.
pub fn theirs<K>(
    ctx: &Arc<Context>,
    tasks: &mut JoinSet<()>,
    what: &'static str,
    mut listed: Listed,
    changed: impl Fn(&Context, &K) + Send + Sync + 'static,
    gone: impl Fn(&Context, &ObjectMeta) + Send + Sync + 'static,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let ctx = Arc::clone(ctx);
    let events = watcher::watcher(Api::<K>::all(ctx.client.clone()).watched(), watcher::Config::default());
    tasks.spawn(async move {
        follow(what, events, |event| match event {
            Event::Init => listed.before = std::mem::take(&mut listed.now),
            Event::InitApply(object) | Event::Apply(object) => {
                listed.before.remove(&place(object.meta()));
                listed.now.insert(place(object.meta()));
                changed(&ctx, &object);
            }
            Event::InitDone => {
                for (namespace, name) in std::mem::take(&mut listed.before) {
                    let namespace = Some(namespace).filter(|namespace| !namespace.is_empty());
                    gone(&ctx, &ObjectMeta { name: Some(name), namespace, ..ObjectMeta::default() });
                }
                listed.done.send_replace(true);
            }
            Event::Delete(object) => {
                listed.now.remove(&place(object.meta()));
                gone(&ctx, object.meta());
            }
        })
        .await;
    });
}
