//! What every reconcile of every controller has in common: a span, its duration, its failures, and a Warning event and a log
//! line when an object begins to be wrong. In one place, so that no driver can forget it.
//!
//! A driver never fails towards its controller, so its faults are not in what it returns: `outcome::conclude` notes them for
//! the reconcile that is under way.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use tracing::Instrument;

use super::calls;
use super::outcome::Fault;
use super::telemetry::Metrics;
use crate::api::condition::{Condition, ConditionType, Reason, Status};

/// A fault that passes by itself is told of when it came this often in a row.
const PERSISTENT: u32 = 2;

tokio::task_local! {
    static NOTED: RefCell<Noted>;
}

/// What was noted in one reconcile.
#[derive(Default)]
struct Noted {
    faults: Vec<&'static str>,
    wrong: Vec<Condition>,
}

/// Notes a fault for the reconcile that is under way.
pub fn failed(fault: &Fault) {
    let _outside_a_reconcile = NOTED.try_with(|noted| noted.borrow_mut().faults.push(class(fault)));
}

/// Notes what is wrong with the object of the reconcile that is under way. `failures` counts the faults in a row before.
pub fn concluded(conditions: &[Condition], fault: Option<&Fault>, failures: u32) {
    let passing = matches!(fault, Some(Fault::Transient { .. })) && failures < PERSISTENT;
    let found = conditions.iter().filter(|condition| wrong(condition, fault.is_some() && !passing)).cloned();
    let _outside_a_reconcile = NOTED.try_with(|noted| {
        noted.borrow_mut().wrong.extend(found);
        if let Some(fault) = fault {
            noted.borrow_mut().faults.push(class(fault));
        }
    });
}

/// Whether a condition says that something is wrong, rather than that something waits as it should.
fn wrong(condition: &Condition, faulty: bool) -> bool {
    use ConditionType::{
        Reachable, Ready, Recognised, Refuted, Returned, RevokerReady, ScopesSeparate, StableIds, Stalled, Trusted,
    };
    let is = |types: &[ConditionType], status| types.iter().any(|type_| condition.is(*type_, status));
    is(&[Reachable, Trusted, Recognised, StableIds, ScopesSeparate, RevokerReady], Status::False)
        || is(&[Stalled, Returned, Refuted], Status::True)
        || is(&[Ready], Status::False) && (faulty || condition.reason == Reason::RevokerCannotStart.as_str())
}

/// Word of a fault's class, for a label.
const fn class(fault: &Fault) -> &'static str {
    match fault {
        Fault::Transient { .. } => "Transient",
        Fault::Call { .. } => "Call",
        Fault::Waiting { .. } => "Waiting",
        Fault::Stalled(_) => "Stalled",
    }
}

/// What is wrong with an object: type and reason of each condition.
type Wrong = BTreeSet<(String, String)>;

/// Watches over the reconciles of a command.
pub struct Watch {
    client: Client,
    reporter: &'static str,
    metrics: Arc<Metrics>,
    clock: fn() -> Timestamp,
    /// What was told of each object, by its uid; only of those with which something is wrong.
    told: Mutex<HashMap<String, Wrong>>,
}

impl Watch {
    /// For the controllers of one command, which `reporter` names.
    #[must_use]
    pub fn new(client: Client, reporter: &'static str, metrics: Arc<Metrics>, clock: fn() -> Timestamp) -> Arc<Self> {
        Arc::new(Self { client, reporter, metrics, clock, told: Mutex::default() })
    }

    /// The same reconciler, watched.
    pub fn over<K, C, R, F>(
        self: &Arc<Self>,
        reconcile: F,
    ) -> impl Fn(Arc<K>, Arc<C>) -> BoxFuture<'static, R::Output> + use<K, C, R, F>
    where
        F: Fn(Arc<K>, Arc<C>) -> R + Send + 'static,
        K: Resource<DynamicType = ()> + Serialize + Debug + Send + Sync + 'static,
        C: Send + Sync + 'static,
        R: Future<Output: Send> + Send + 'static,
    {
        let watch = Arc::clone(self);
        move |object, context| {
            let span = tracing::info_span!("reconcile", kind = %K::kind(&()), object = object.name_any());
            let running = reconcile(Arc::clone(&object), context);
            watch_one(Arc::clone(&watch), object, running).instrument(span).boxed()
        }
    }

    /// What is wrong with an object that was not so before.
    fn news<K: Resource + Serialize>(&self, object: &K, found: Vec<Condition>) -> Vec<Condition> {
        let uid = object.meta().uid.clone().unwrap_or_default();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_empty() {
            told.remove(&uid);
            return Vec::new();
        }
        let before = told.remove(&uid).unwrap_or_else(|| shown_already(object));
        let now: Wrong = found.iter().map(key).collect();
        told.insert(uid, now.clone());
        let mut new = Vec::new();
        for condition in found {
            if !before.contains(&key(&condition)) && !new.iter().any(|other| key(other) == key(&condition)) {
                new.push(condition);
            }
        }
        new
    }
}

fn key(condition: &Condition) -> (String, String) {
    (condition.type_.clone(), condition.reason.clone())
}

/// What an object shows already: it was told when it was written, if only by a process before this one.
fn shown_already<K: Serialize>(object: &K) -> Wrong {
    let object = serde_json::to_value(object).unwrap_or_default();
    let shown: Vec<Condition> = object
        .pointer("/status/conditions")
        .and_then(|conditions| serde_json::from_value(conditions.clone()).ok())
        .unwrap_or_default();
    shown.iter().filter(|condition| wrong(condition, true)).map(key).collect()
}

async fn watch_one<K, T>(watch: Arc<Watch>, object: Arc<K>, running: impl Future<Output = T> + Send) -> T
where
    K: Resource<DynamicType = ()> + Serialize + Debug + Send + Sync,
{
    let kind = K::kind(&());
    let begun = Instant::now();
    let _under_way = watch.metrics.reconciling(&kind);
    let (action, noted) = NOTED
        .scope(RefCell::default(), async {
            let action = running.await;
            (action, NOTED.with(RefCell::take))
        })
        .await;
    watch.metrics.reconciled(&kind, begun.elapsed(), noted.faults.last().copied());
    let on = || {
        let mut on = object.object_ref(&());
        on.resource_version = None;
        on
    };
    for condition in watch.news(object.as_ref(), noted.wrong) {
        let Some(reason) = Reason::parse(&condition.reason) else { continue }; // kept from another version, and told by it
        calls::publish_warning(&watch.client, watch.reporter, on(), reason, condition.message, (watch.clock)()).await;
    }
    action
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SyncPolicy, condition};
    use crate::kube::outcome::{Report, conclude};

    fn conditions(updates: Vec<condition::ConditionUpdate>) -> Vec<Condition> {
        condition::merge(&[], updates, None, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_waits_as_it_should_is_not_wrong() {
        let gate = conditions(vec![condition::waiting(Reason::Observe, "the policy observes")]);
        let refused = conditions(vec![condition::unreachable(Reason::Unauthorised, "401")]);
        let stuck = conditions(vec![condition::waiting(Reason::RevokerCannotStart, "no node takes its pod")]);
        let cases = [
            ("a shut gate", gate, false),
            ("a believed response", conditions(vec![condition::trusted(3)]), false),
            ("a refused login", refused, true),
            ("a response that is held", conditions(vec![condition::held(Reason::Shrunk, "fewer")]), true),
            ("a Job that cannot start", stuck, true),
            ("a revoker that cannot run", conditions(vec![condition::revoker_not_ready("no node")]), true),
            ("a revoker that was not tried yet", conditions(vec![condition::revoker_not_checked()]), false),
            ("something that came back", conditions(vec![condition::returned(1)]), true),
        ];
        for (situation, conditions, expected) in cases {
            assert_eq!(conditions.iter().any(|c| wrong(c, false)), expected, "{situation}");
        }
    }

    async fn noted_in(result: Result<Report, Fault>, failures: u32) -> Noted {
        NOTED
            .scope(RefCell::default(), async {
                drop(conclude(&[], None, &result, failures, Timestamp::UNIX_EPOCH));
                NOTED.with(RefCell::take)
            })
            .await
    }

    #[tokio::test]
    async fn a_fault_that_passes_by_itself_is_counted_at_once_and_told_of_when_it_stays() {
        let hiccup = || Err(Fault::Transient { doing: "list", cause: "503".into() });
        let (first, third) = (noted_in(hiccup(), 0).await, noted_in(hiccup(), 2).await);
        assert_eq!((first.faults.as_slice(), first.wrong.len()), (&["Transient"][..], 0));
        assert_eq!((third.faults.as_slice(), third.wrong.len()), (&["Transient"][..], 1));
    }

    #[test]
    fn every_class_of_faults_has_its_series_before_its_first_fault() {
        let faults = [
            Fault::Transient { doing: "list", cause: "503".into() },
            Fault::unanswered("list"),
            Fault::Waiting { reason: Reason::Held, message: String::new(), again: std::time::Duration::ZERO },
            Fault::Stalled(String::new()),
        ];
        assert_eq!(faults.each_ref().map(class), crate::kube::telemetry::FAULTS);
    }

    #[tokio::test]
    async fn the_same_is_told_once_and_again_after_it_was_right() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = kube::Config::new("https://127.0.0.1:1".parse().unwrap());
        let watch = Watch::new(Client::try_from(config).unwrap(), "sync", Arc::default(), calls::now);
        let mut policy = SyncPolicy::new(
            "everyone",
            serde_json::from_value(serde_json::json!({
            "connections": [{"name": "hq"}], "timeZones": {"default": "Europe/Madrid"}}))
            .unwrap(),
        );
        policy.metadata.uid = Some("u".into());
        let missing = || conditions(vec![condition::stalled("no zone")]);
        assert_eq!(watch.news(&policy, missing()).len(), 1);
        assert_eq!(watch.news(&policy, missing()).len(), 0);
        assert_eq!(watch.news(&policy, Vec::new()).len(), 0);
        assert_eq!(watch.news(&policy, missing()).len(), 1);
        let shown = serde_json::json!({"conditions": missing()});
        policy.status = Some(serde_json::from_value(shown).unwrap());
        policy.metadata.uid = Some("seen by the process before this one".into());
        assert_eq!(watch.news(&policy, missing()).len(), 0);
    }
}
