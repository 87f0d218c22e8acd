//! The kinds of the people namespace, kept as new as watches keep them, and what was read besides, for a moment.
//!
//! One copy of everything, without what no page shows; lists are read by pages, and a page of the browser reads nothing twice.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::{HRConnection, Person, Revocation, SyncPolicy};
use crate::cli::plugin::people::World;
use crate::cli::{Failure, ask};
use crate::kube::follow::describe;
use crate::kube::named::Api;

/// How many kinds there are to list before anything is shown.
const KINDS: usize = 4;
/// How many attempts of a connection are remembered.
const ATTEMPTS: usize = 100;

/// An attempt to read a connection, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: Timestamp,
    /// `Trusted`, or the reason why not.
    pub outcome: String,
    /// How many people the newest trusted response had then.
    pub employees: Option<u32>,
}

/// The copy.
#[derive(Debug)]
pub struct Mirror {
    world: RwLock<World>,
    news: watch::Sender<u64>,
    listed: watch::Sender<usize>,
    trouble: Mutex<BTreeMap<&'static str, String>>,
    attempts: Mutex<BTreeMap<String, VecDeque<Attempt>>>,
}

impl Mirror {
    /// An empty one.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            world: RwLock::default(),
            news: watch::channel(0).0,
            listed: watch::channel(0).0,
            trouble: Mutex::default(),
            attempts: Mutex::default(),
        })
    }

    /// Everything, as it is now. Nothing waits while it is looked at.
    pub fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of each change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// How many changes were seen so far.
    pub fn changes(&self) -> u64 {
        *self.news.borrow()
    }

    /// Waits until everything was listed once.
    pub async fn listed(&self) {
        let mut listed = self.listed.subscribe();
        let _ended = listed.wait_for(|kinds| *kinds >= KINDS).await;
    }

    /// Watches that do not come through, each with why: what is shown may be old.
    pub fn trouble(&self) -> Vec<String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.iter().map(|(what, why)| format!("{what}: {why}")).collect()
    }

    /// The attempts of a connection that were seen, the oldest first.
    pub fn attempts(&self, connection: &str) -> Vec<Attempt> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.get(connection).map(|all| all.iter().cloned().collect()).unwrap_or_default()
    }

    fn changed(&self) {
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Takes over what a watch says of one kind.
    fn see<K: Resource>(&self, kind: &Kind<K>, event: watcher::Event<K>, coming: &mut Vec<K>) {
        let mut first = false;
        {
            let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
            let kept = (kind.list)(&mut world);
            let at = |kept: &[K], one: &K| kept.iter().position(|other| other.meta().name == one.meta().name);
            match event {
                watcher::Event::Init => return coming.clear(),
                watcher::Event::InitApply(one) => return coming.push((kind.lighter)(one)),
                watcher::Event::InitDone => {
                    *kept = std::mem::take(coming);
                    first = true;
                }
                watcher::Event::Apply(one) => {
                    let one = (kind.lighter)(one);
                    match at(kept, &one).and_then(|at| kept.get_mut(at)) {
                        Some(before) => *before = one,
                        None => kept.push(one),
                    }
                }
                watcher::Event::Delete(one) => {
                    if let Some(at) = at(kept, &one) {
                        kept.remove(at);
                    }
                }
            }
            self.remember(&world.connections);
        }
        if first {
            self.listed.send_modify(|kinds| *kinds = kinds.saturating_add(1));
        }
        self.changed();
    }

    /// Remembers attempts that are new.
    fn remember(&self, connections: &[HRConnection]) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        for connection in connections {
            let Some(status) = &connection.status else { continue };
            let Some(last) = &status.last_attempt else { continue };
            let seen = attempts.entry(connection.name_any()).or_default();
            if seen.back().is_some_and(|newest| newest.at >= last.time) {
                continue;
            }
            if seen.len() >= ATTEMPTS {
                seen.pop_front();
            }
            let employees = status.last_trusted.as_ref().map(|trusted| trusted.employees);
            seen.push_back(Attempt { at: last.time, outcome: last.outcome.clone(), employees });
        }
    }

    fn hears(&self, what: &'static str, trouble: Option<String>) {
        let mut all = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &trouble {
            Some(why) => all.insert(what, why.clone()),
            None => all.remove(what),
        };
        drop(all);
        if before != trouble {
            self.changed();
        }
    }
}

/// How a kind is kept.
struct Kind<K> {
    what: &'static str,
    list: fn(&mut World) -> &mut Vec<K>,
    /// The object without what no page shows.
    lighter: fn(K) -> K,
}

/// Begins to keep all kinds.
///
/// # Errors
/// When one of them may not be listed, in the API server's words.
pub async fn keep(
    mirror: &Arc<Mirror>,
    client: &Client,
    namespace: &str,
    tasks: &mut JoinSet<()>,
) -> Result<(), Failure> {
    let people = Kind::<Person> {
        what: "the Persons",
        list: |world| &mut world.people,
        lighter: |mut one| {
            one.managed_fields_mut().clear();
            one.shrink();
            one
        },
    };
    let revocations = Kind::<Revocation> {
        what: "the Revocations",
        list: |world| &mut world.revocations,
        lighter: |mut one| {
            one.managed_fields_mut().clear();
            if let Some(status) = &mut one.status {
                status.kept = Vec::new(); // manifests, of up to 64 KiB each
            }
            one
        },
    };
    let policies = Kind::<SyncPolicy> {
        what: "the SyncPolicies",
        list: |world| &mut world.policies,
        lighter: |mut one| {
            one.managed_fields_mut().clear();
            one
        },
    };
    let connections = Kind::<HRConnection> {
        what: "the HRConnections",
        list: |world| &mut world.connections,
        lighter: |mut one| {
            one.managed_fields_mut().clear();
            one
        },
    };
    begin(mirror, "list the Persons", Api::namespaced(client.clone(), namespace), people, tasks).await?;
    begin(mirror, "list the Revocations", Api::namespaced(client.clone(), namespace), revocations, tasks).await?;
    begin(mirror, "list the SyncPolicies", Api::namespaced(client.clone(), namespace), policies, tasks).await?;
    begin(mirror, "list the HRConnections", Api::namespaced(client.clone(), namespace), connections, tasks).await
}

async fn begin<K>(
    mirror: &Arc<Mirror>,
    doing: &'static str,
    api: Api<K>,
    kind: Kind<K>,
    tasks: &mut JoinSet<()>,
) -> Result<(), Failure>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    ask(doing, api.list(&ListParams::default().limit(1))).await?;
    let mirror = Arc::clone(mirror);
    let events = watcher(api.watched(), watcher::Config::default().timeout(30));
    tasks.spawn(async move {
        let (mut events, mut coming) = (std::pin::pin!(events.default_backoff()), Vec::new());
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    mirror.hears(kind.what, None);
                    mirror.see(&kind, event, &mut coming);
                }
                Err(error) => mirror.hears(kind.what, Some(describe(&error))),
            }
        }
    });
    Ok(())
}

/// Something that is read when it is asked for, and kept for a moment: pages that are turned read it once.
#[derive(Debug)]
pub struct Shelf<T>(tokio::sync::Mutex<Option<(Instant, Read<T>)>>);

/// What was read, or why nothing was.
type Read<T> = Result<Arc<T>, String>;

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(tokio::sync::Mutex::new(None))
    }
}

impl<T> Shelf<T> {
    /// What is kept, unless it is older than that; else what is read now. A failure is kept as long.
    pub async fn get(&self, fresh: Duration, read: impl Future<Output = Result<T, Failure>>) -> Read<T> {
        let mut kept = self.0.lock().await;
        if let Some((_, value)) = kept.as_ref().filter(|(at, _)| at.elapsed() < fresh) {
            return value.clone();
        }
        let value = read.await.map(Arc::new).map_err(|failure| failure.to_string());
        *kept = Some((Instant::now(), value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connection(name: &str, at: &str, outcome: &str) -> HRConnection {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "rollcall"},
            "spec": {"source": {"file": {"from": {"configMap": {"name": "people", "key": "people.csv"}}}}},
            "status": {"lastAttempt": {"time": at, "outcome": outcome}},
        }))
        .unwrap()
    }

    fn kind() -> Kind<HRConnection> {
        Kind { what: "the HRConnections", list: |world| &mut world.connections, lighter: |one| one }
    }

    #[tokio::test]
    async fn what_a_watch_says_is_kept_and_told_and_attempts_are_remembered() {
        let (mirror, mut coming) = (Mirror::new(), Vec::new());
        let mut news = mirror.subscribe();
        let mut see = |event| mirror.see(&kind(), event, &mut coming);
        see(watcher::Event::Init);
        see(watcher::Event::InitApply(connection("hq", "2026-03-01T00:00:00Z", "Trusted")));
        assert!(mirror.world().connections.is_empty() && !news.has_changed().unwrap(), "a list counts as a whole");
        see(watcher::Event::InitDone);
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        see(watcher::Event::Apply(connection("hq", "2026-03-01T01:00:00Z", "Shrunk")));
        see(watcher::Event::Apply(connection("hq", "2026-03-01T01:00:00Z", "Shrunk")));
        see(watcher::Event::Apply(connection("more", "2026-03-01T01:00:00Z", "Trusted")));
        assert!(news.has_changed().unwrap());
        let outcomes: Vec<_> = mirror.attempts("hq").into_iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, ["Trusted", "Shrunk"], "each once");
        see(watcher::Event::Delete(connection("hq", "2026-03-01T01:00:00Z", "Shrunk")));
        let names: Vec<_> = mirror.world().connections.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, ["more"]);
    }

    #[tokio::test]
    async fn attempts_that_are_remembered_are_bounded() {
        let (mirror, mut coming) = (Mirror::new(), Vec::new());
        for minute in 0..200 {
            let at = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(minute);
            let event = watcher::Event::Apply(connection("hq", &at.to_string(), "Trusted"));
            mirror.see(&kind(), event, &mut coming);
        }
        assert_eq!(mirror.attempts("hq").len(), ATTEMPTS);
    }

    #[tokio::test]
    async fn what_is_on_the_shelf_is_read_again_when_it_is_old() {
        let shelf = Shelf::default();
        let value = |number: u32| async move { Ok(number) };
        assert_eq!(*shelf.get(Duration::from_secs(60), value(1)).await.unwrap(), 1);
        assert_eq!(*shelf.get(Duration::from_secs(60), value(2)).await.unwrap(), 1);
        assert_eq!(*shelf.get(Duration::ZERO, value(3)).await.unwrap(), 3);
    }
}
