//! What all Revocations of one run share: a read made for one serves the others for a moment, so that a thousand leavers
//! do not ask the same thing a thousand times.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Context;
use crate::api::{Person, convert};
use crate::kube::inventory::{self, list_each};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::stop;
use domain::ownership::Index;
use kube::api::ListParams;

/// How old the index of people may be. The leaver's own Person is read for each Revocation.
const PEOPLE: Duration = Duration::from_secs(10);
/// How old what is known of the workloads of a namespace may be.
const WORKLOADS: Duration = Duration::from_secs(3);
/// How old the global stop may be when a step begins.
const STOP: Duration = Duration::from_millis(500);

/// One value, read again once it is old. Those who ask while it is being read wait for that read.
struct Aged<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Aged<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Aged<T> {
    /// The value, if it was read less than `age` before `now`; else what is read now.
    async fn get(&self, now: Instant, age: Duration, read: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let mut held = self.0.lock().await;
        if let Some((read_at, value)) = held.as_ref()
            && now.saturating_duration_since(*read_at) < age
        {
            return Ok(value.clone());
        }
        let value = read.await?;
        *held = Some((now, value.clone()));
        Ok(value)
    }
}

/// Names of the accounts that something runs as; `None` where that may not be read.
type Consumers = Option<Arc<BTreeSet<String>>>;

/// What was read for everybody.
#[derive(Default)]
pub struct Shared {
    people: Aged<Arc<Index>>,
    stop: Aged<Option<String>>,
    consumers: Mutex<HashMap<String, Arc<Aged<Consumers>>>>,
}

impl Shared {
    /// Everybody, as marks are resolved against.
    pub async fn people(&self, ctx: &Context) -> Result<Arc<Index>, Fault> {
        self.people
            .get(Instant::now(), PEOPLE, async {
                let api: Api<Person> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
                let facts = |person| convert::minted(&person).then(|| convert::person_facts(&person));
                Ok(Arc::new(Index::new(list_each(&api, &ListParams::default(), facts).await?)))
            })
            .await
    }

    /// The reason everything is stopped for. A stop that cannot be read stops.
    pub async fn stopped(&self, ctx: &Context) -> Option<String> {
        let read = async { Ok(stop::stopped(&ctx.client, &ctx.namespace).await) };
        self.stop.get(Instant::now(), STOP, read).await.unwrap_or_else(|fault| Some(fault.to_string()))
    }

    /// What runs in each of these namespaces; one that may not be read is left out, which means nobody knows.
    pub async fn consumers(
        &self,
        ctx: &Context,
        namespaces: BTreeSet<String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, Fault> {
        let mut all = BTreeMap::new();
        for namespace in namespaces {
            let place = Arc::clone(self.consumers.lock().await.entry(namespace.clone()).or_default());
            let read = async {
                let mut found = inventory::consumers_of(&ctx.client, [namespace.clone()].into()).await?;
                Ok(found.remove(&namespace).map(Arc::new))
            };
            if let Some(names) = place.get(Instant::now(), WORKLOADS, read).await? {
                all.insert(namespace, names.as_ref().clone());
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_value_is_read_once_until_it_is_old_and_again_after_a_failure() {
        let (aged, reads) = (Aged::default(), AtomicUsize::new(0));
        let (start, age) = (Instant::now(), Duration::from_secs(10));
        let at = |second| {
            aged.get(start + Duration::from_secs(second), age, async { Ok(reads.fetch_add(1, Ordering::Relaxed)) })
        };
        assert!(aged.get(start, age, async { Err(Fault::unanswered("read")) }).await.is_err());
        let (first, second) = futures::join!(at(0), at(0));
        assert_eq!((first.ok(), second.ok()), (Some(0), Some(0)), "two at once, one read");
        assert_eq!(at(9).await.ok(), Some(0));
        assert_eq!(at(10).await.ok(), Some(1));
    }
}
