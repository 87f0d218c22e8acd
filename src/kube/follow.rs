//! The one loop around a watch: it begins again by itself, and says of an error what kind it was and nothing that was
//! answered, which may quote an object.

use std::fmt::Debug;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use kube::runtime::reflector::{Store, reflector, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::calls;
use super::named::Api;

/// Keeps a store of what is watched, without managed fields, and wakes with every change.
pub fn kept<K>(
    tasks: &mut JoinSet<()>,
    api: Api<K>,
    what: &'static str,
    config: watcher::Config,
    wake: &Arc<Notify>,
) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    kept_as(tasks, api, what, config, wake, |object| object.managed_fields_mut().clear())
}

/// The same, with less of each object.
pub fn kept_as<K>(
    tasks: &mut JoinSet<()>,
    api: Api<K>,
    what: &'static str,
    config: watcher::Config,
    wake: &Arc<Notify>,
    less: impl Fn(&mut K) + Send + 'static,
) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (kept, writer) = store();
    let wake = Arc::clone(wake);
    let events = watcher(api.watched(), config).modify(less);
    tasks.spawn(async move { follow(what, reflector(writer, events), |_| wake.notify_one()).await });
    kept
}

/// Hands over every event of a watch, for as long as the process lives.
pub async fn follow<K>(
    what: &'static str,
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
    mut each: impl FnMut(watcher::Event<K>) + Send,
) where
    K: Send,
{
    let mut events = std::pin::pin!(events.default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => each(event),
            Err(error) => {
                tracing::warn!(watch = what, cause = describe(&error), "watch interrupted; it resumes by itself");
            }
        }
    }
}

/// Code and reason of a failed watch, never the server's text.
#[must_use]
pub fn describe(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => calls::describe(error),
        watcher::Error::WatchError(status) => format!("{} {}", status.code, status.reason),
        watcher::Error::NoResourceVersion => "the API server gave no resource version".to_owned(),
    }
}
