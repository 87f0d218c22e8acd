//! What all Revocations of one run share: a read made for one serves the others for a moment, so that a thousand leavers
//! do not ask the same thing a thousand times.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule, Role};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Context;
use crate::api::{FrozenNames, Person, convert, names};
use crate::kube::calls::{self, call};
use crate::kube::gate_inputs::{self, OfPolicy};
use crate::kube::inventory::{self, list_each};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::{pods, stop, targets};
use domain::ownership::Index;
use domain::plan::{Kind, Target};
use domain::rotation::adoption::Pod;
use kube::api::ListParams;

/// How old the index of people may be. The leaver's own Person is read for each Revocation.
const PEOPLE: Duration = Duration::from_secs(10);
/// How old what is known of the workloads of a namespace, of its roles, and of its consent to tokens may be.
const WORKLOADS: Duration = Duration::from_secs(3);
/// How old what is known of pods may be while somebody waits for them.
const PODS: Duration = Duration::from_secs(1);
/// How old the global stop may be when a step begins, and policy, ledger, trust and stop when a Revocation passes its gates.
const GATES: Duration = Duration::from_millis(500);

/// So many who wait for the API server's cache at once look at one list together, and by the second.
const CROWD: usize = 200;
const TOGETHER: Duration = Duration::from_secs(1);

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

/// One value for each key.
struct AgedBy<K, T>(Mutex<HashMap<K, Arc<Aged<T>>>>);

impl<K, T> Default for AgedBy<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T: Clone> AgedBy<K, T> {
    /// The value of this key, if it was read lately; else what is read now.
    async fn get(&self, key: K, age: Duration, read: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let value = Arc::clone(self.0.lock().await.entry(key).or_default());
        value.get(Instant::now(), age, read).await
    }
}

/// Names of the accounts that something runs as; `None` where that may not be read.
type Consumers = Option<Arc<BTreeSet<String>>>;
/// What a role allows; `None` where there is none.
type Rules = Option<Arc<Vec<PolicyRule>>>;

/// What runs in a namespace; `None` where that may not be read.
type Pods = Option<Arc<Vec<Pod>>>;

/// The wait for the API server's cache, and when it was over.
#[derive(Clone, Copy, Debug)]
pub struct Waited {
    /// When it was over.
    pub over: Instant,
    /// Whether many waited at once.
    pub crowd: bool,
}

/// Uids of all objects of a kind in a namespace.
type Uids = Arc<BTreeSet<String>>;

/// The user names that are frozen.
#[derive(Debug, Default)]
pub struct Frozen {
    /// Whether the list may be read.
    pub reads: bool,
    /// The names on it.
    pub names: BTreeSet<String>,
    /// Whether the admission policy that reads it refuses.
    pub refuses: bool,
}

/// What was read for everybody.
#[derive(Default)]
pub struct Shared {
    /// By kind and namespace.
    uids: AgedBy<(Kind, String), Uids>,
    /// How many wait for the cache, and since when it is counted in seconds.
    waiting: AtomicUsize,
    begun: OnceLock<Instant>,
    people: Aged<Arc<Index>>,
    stop: Aged<Option<String>>,
    consumers: AgedBy<String, Consumers>,
    of_policy: AgedBy<String, OfPolicy>,
    /// By kind, namespace and name.
    roles: AgedBy<(String, String, String), Rules>,
    /// Pods of namespaces, for who uses which Secret.
    pods: AgedBy<String, Pods>,
    frozen: Aged<Arc<Frozen>>,
    /// Namespaces where no token may be made, and when that was said.
    no_tokens: std::sync::Mutex<HashMap<String, Instant>>,
}

impl Shared {
    /// Waits for the API server's cache; of many who do, those of one second come back together, so that one list serves them all.
    pub async fn waits_for_the_cache(&self, wait: Duration) -> Waited {
        let waiting = Waiting::begin(&self.waiting);
        tokio::time::sleep(wait).await;
        let (over, crowd) = (Instant::now(), waiting.others() >= CROWD);
        if crowd {
            tokio::time::sleep_until(next_second(*self.begun.get_or_init(|| over), over)).await;
        }
        Waited { over, crowd }
    }

    /// Uids of everything that stands where this target stood, by a consistent list that was begun after this instant.
    pub async fn uids_since(&self, ctx: &Context, target: &Target, instant: Instant) -> Result<Uids, Fault> {
        let read = async { Ok(Arc::new(call("look at the targets", targets::api(&ctx.client, target).uids()).await?)) };
        let age = Instant::now().saturating_duration_since(instant);
        self.uids.get((target.kind, target.namespace.clone()), age, read).await
    }

    /// Everybody, as owner annotations are resolved against.
    pub async fn people(&self, ctx: &Context) -> Result<Arc<Index>, Fault> {
        self.people_within(ctx, PEOPLE).await
    }

    /// The same, read since this instant: what stands against an act may have ended meanwhile.
    pub async fn people_since(&self, ctx: &Context, instant: Instant) -> Result<Arc<Index>, Fault> {
        self.people_within(ctx, Instant::now().saturating_duration_since(instant)).await
    }

    async fn people_within(&self, ctx: &Context, age: Duration) -> Result<Arc<Index>, Fault> {
        self.people
            .get(Instant::now(), age, async {
                let api: Api<Person> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
                let facts = |person| Some(convert::person_facts(&person, calls::now()));
                Ok(Arc::new(Index::new(list_each(&api, &ListParams::default(), facts).await?)))
            })
            .await
    }

    /// The reason everything is stopped for. A stop that cannot be read stops.
    pub async fn stopped(&self, ctx: &Context) -> Option<String> {
        let read = async { Ok(stop::stopped(&ctx.client, &ctx.namespace).await) };
        self.stop.get(Instant::now(), GATES, read).await.unwrap_or_else(|fault| Some(fault.to_string()))
    }

    /// What the gates ask of a policy, as it was half a second ago at most.
    pub async fn of_policy(&self, ctx: &Context, policy: &str) -> Result<OfPolicy, Fault> {
        self.of_policy_within(ctx, policy, GATES).await
    }

    /// The same, read now: a gate that is shut may have been opened since, by what released the Revocation.
    pub async fn of_policy_now(&self, ctx: &Context, policy: &str) -> Result<OfPolicy, Fault> {
        self.of_policy_within(ctx, policy, Duration::ZERO).await
    }

    async fn of_policy_within(&self, ctx: &Context, policy: &str, age: Duration) -> Result<OfPolicy, Fault> {
        let read = gate_inputs::of_policy(&ctx.client, &ctx.namespace, policy, calls::now());
        self.of_policy.get(policy.to_owned(), age, read).await
    }

    /// What a role allows.
    pub async fn rules(&self, ctx: &Context, kind: &str, namespace: &str, name: &str) -> Result<Rules, Fault> {
        let read = async {
            let rules = if kind == "ClusterRole" {
                let api: Api<ClusterRole> = Api::all(ctx.client.clone());
                call("read a role", api.get_opt(name)).await?.and_then(|role| role.rules)
            } else {
                let api: Api<Role> = Api::namespaced(ctx.client.clone(), namespace);
                call("read a role", api.get_opt(name)).await?.and_then(|role| role.rules)
            };
            Ok(rules.map(Arc::new))
        };
        self.roles.get((kind.to_owned(), namespace.to_owned(), name.to_owned()), WORKLOADS, read).await
    }

    /// The user names that are frozen, as they were half a second ago at most.
    pub async fn frozen(&self, ctx: &Context) -> Result<Arc<Frozen>, Fault> {
        let read = async {
            let lists: Api<FrozenNames> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
            let list = match call("read the list of frozen user names", lists.get_opt(names::FROZEN)).await {
                Ok(list) => list,
                Err(fault) if fault.is_forbidden() => return Ok(Arc::default()),
                Err(fault) => return Err(fault),
            };
            let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(ctx.client.clone());
            let name = format!("{}-freeze", ctx.instance);
            let refuses = match call("read the binding of the policy that freezes", bindings.get_opt(&name)).await {
                Ok(binding) => binding.is_some(),
                Err(fault) if fault.is_forbidden() => return Ok(Arc::default()),
                Err(fault) => return Err(fault),
            };
            let names = list.map(|list| list.spec.names.into_keys().collect()).unwrap_or_default();
            Ok(Arc::new(Frozen { reads: true, names, refuses }))
        };
        self.frozen.get(Instant::now(), GATES, read).await
    }

    /// The pods of a namespace and what each uses; `None` where they may not be listed.
    pub async fn pods(&self, ctx: &Context, namespace: &str) -> Result<Pods, Fault> {
        let read = async {
            match pods::running(&ctx.client, namespace).await {
                Ok(running) => Ok(Some(Arc::new(running))),
                Err(fault) if fault.is_forbidden() => Ok(None),
                Err(fault) => Err(fault),
            }
        };
        self.pods.get(namespace.to_owned(), PODS, read).await
    }

    /// Whether the namespace was lately found not to let tokens be made.
    pub fn makes_no_tokens(&self, namespace: &str) -> bool {
        let refused = self.no_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(namespace).is_some_and(|at| at.elapsed() < WORKLOADS)
    }

    /// The namespace does not let tokens be made.
    pub fn refused_a_token(&self, namespace: &str) {
        let mut refused = self.no_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(namespace.to_owned(), Instant::now());
    }

    /// What runs in each of these namespaces; one that may not be read is left out, which means nobody knows.
    pub async fn consumers(
        &self,
        ctx: &Context,
        namespaces: BTreeSet<String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, Fault> {
        let mut all = BTreeMap::new();
        for namespace in namespaces {
            let read = async {
                let mut found = inventory::consumers_of(&ctx.client, [namespace.clone()].into()).await?;
                Ok(found.remove(&namespace).map(Arc::new))
            };
            if let Some(names) = self.consumers.get(namespace.clone(), WORKLOADS, read).await? {
                all.insert(namespace, names.as_ref().clone());
            }
        }
        Ok(all)
    }
}

/// One more who waits, for as long as this value lives.
struct Waiting<'a>(&'a AtomicUsize, usize);

impl<'a> Waiting<'a> {
    fn begin(all: &'a AtomicUsize) -> Self {
        Self(all, all.fetch_add(1, Ordering::Relaxed))
    }

    /// How many others wait, now or when this one began.
    fn others(&self) -> usize {
        self.1.max(self.0.load(Ordering::Relaxed).saturating_sub(1))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The end of the second that an instant is in, counted from the first one.
fn next_second(begun: Instant, now: Instant) -> Instant {
    let whole = now.saturating_duration_since(begun).as_secs().saturating_add(1);
    begun + TOGETHER.saturating_mul(u32::try_from(whole).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_many_who_wait_those_of_one_second_come_back_together_and_a_few_come_back_at_once() {
        let shared = Shared::default();
        let wait = |milliseconds| shared.waits_for_the_cache(Duration::from_millis(milliseconds));
        let begun = Instant::now();
        assert!(!wait(1_300).await.crowd);
        assert_eq!(begun.elapsed(), Duration::from_millis(1_300));
        let many = futures::future::join_all((0..=u64::try_from(CROWD).unwrap()).map(|one| async move {
            let waited = wait(1_000 + one).await;
            (waited, Instant::now())
        }));
        let many = many.await;
        assert!(many.iter().all(|(waited, _)| waited.crowd));
        let back: BTreeSet<Instant> = many.iter().map(|(_, back)| *back).collect();
        assert_eq!(back.len(), 1, "one list serves them");
        assert!(many.iter().all(|(waited, back)| waited.over < *back), "and is begun after every wait was over");
    }

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
