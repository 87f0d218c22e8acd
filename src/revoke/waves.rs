//! What runs as an account that was handed over is replaced, a few pods at a time: aside, since it takes as long as pods do to start.
//!
//! ```text
//! would a budget refuse it, or a policy? ─▶ (the account is made again) ─▶ (aside) old pods evicted in waves, each once the last is ready again
//! ```
//! Pods go by the eviction API, which keeps to PodDisruptionBudgets. Where one refuses before anything was done, nothing is done. Where one
//! refuses afterwards, or what comes is not ready, the waves stop and the Revocation is no success: what runs has a token that is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod as LivePod, ServiceAccount};
use kube::api::{DynamicObject, PostParams};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::Context;
use super::act::{self, Ended};
use super::observe::{SIDE_BY_SIDE, Seen};
use super::record::Record;
use crate::api::revocation::{Finished, StepOutcome};
use crate::api::{RecreatableAccounts, names};
use crate::kube::calls::{self, call, call_within};
use crate::kube::named::Api;
use crate::kube::outcome::{CallFailure, Fault};
use crate::kube::{pods, targets};
use domain::plan::{Action, RemainingReason, Target};
use domain::rotation::adoption::Maker;
use domain::waves::{self, Pod, Wave};

/// How long a budget may refuse what is to be replaced before the account is left as it is.
const REFUSED: Duration = Duration::from_secs(12);
/// How often that is asked, and how often it is looked at how far the waves are.
const LOOK: Duration = Duration::from_secs(1);
/// How long one eviction may take to be answered.
const ANSWERED: Duration = Duration::from_secs(5);
/// How long the waves may stand still: a pod may take so long to end, and another one to be ready.
const STILL: Duration = Duration::from_secs(180);
/// How long all waves of an account may take. A Job of the revoker lives for ten minutes.
const LONGEST: Duration = Duration::from_secs(480);
/// How often the claim is renewed meanwhile; well below the time that frees it.
const BEAT: Duration = Duration::from_secs(6);

/// What became of an eviction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// It was accepted, or the pod was gone.
    Yes,
    /// A budget refuses it for now.
    Budget,
    /// It will be refused again.
    Refused(String),
}

/// Has a pod evicted, or asks whether it would be.
///
/// # Guarantees    a pod of another uid is not evicted
/// # Errors        transient: asked again
#[allow(clippy::disallowed_methods, reason = "the one place that evicts")]
pub async fn evict(ctx: &Context, namespace: &str, (name, uid): (&str, &str), ask: bool) -> Result<Evicted, Fault> {
    // This client tells of a 429 at once: others wait and ask again by themselves.
    let api: Api<LivePod> = Api::namespaced(ctx.impatient.clone(), namespace);
    match call_within(ANSWERED, "evict a pod", api.evict(name, uid, ask)).await {
        Ok(()) => Ok(Evicted::Yes),
        Err(fault) if fault.is_not_found() => Ok(Evicted::Yes),
        // Another one may have its name, or something else changed at that moment: the next look tells.
        Err(fault) if fault.is_conflict() && ask => Ok(Evicted::Yes),
        Err(fault) if fault.call_failure() == Some(CallFailure::TooManyRequests) => Ok(Evicted::Budget),
        Err(fault) if fault.is_refusal() => Ok(Evicted::Refused(act::layer(&fault))),
        Err(fault) => Err(fault),
    }
}

/// Why an account is not to be made again now; `None` if control has listed it, it could be created again, and everything that runs as it
/// may be replaced.
///
/// # Flow          asked until it may be, or for a while; nothing is changed
/// # Errors        transient: asked again by a new process
pub async fn refused(ctx: &Context, target: &Target, manifest: Option<Value>) -> Result<Option<Ended>, Fault> {
    let made = act::made(target, manifest);
    let begun = Instant::now();
    loop {
        let listed = listed(ctx, target).await?;
        let why = match listed {
            true => match would_be_kept(ctx, target).await? {
                None => would_not_be_made(ctx, target, made.as_ref()).await?,
                kept => kept,
            },
            false => Some("control has not listed it among the accounts that may be handed over".to_owned()),
        };
        match why {
            None => return Ok(None),
            Some(why) if begun.elapsed() >= if listed { REFUSED } else { act::LISTED } => {
                let said = format!("nothing was changed: {why}");
                return Ok(Some(Ended::saying(StepOutcome::Failed, said)));
            }
            Some(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Whether control has listed that this account gets this owner: a policy lets nothing else be made.
async fn listed(ctx: &Context, target: &Target) -> Result<bool, Fault> {
    let api: Api<RecreatableAccounts> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let list = call("read what may be handed over", api.get_opt(names::RECREATE)).await?;
    let place = format!("{}/{}", target.namespace, target.name);
    Ok(list.is_some_and(|list| list.spec.owners.get(&place) == target.heir.as_ref()))
}

/// What would keep pods from being replaced. Each is asked for: budgets may be of some of them alone.
async fn would_be_kept(ctx: &Context, target: &Target) -> Result<Option<String>, Fault> {
    let pods = pods::of_account(&ctx.client, &target.namespace, &target.name).await?;
    let wave = waves::wave(&pods, &waves::wanted(&pods), Timestamp::MAX, usize::MAX);
    let asks = wave.next.iter().map(|(name, uid)| async move {
        (name, evict(ctx, &target.namespace, (name.as_str(), uid.as_str()), true).await)
    });
    let mut asks = std::pin::pin!(futures::stream::iter(asks).buffer_unordered(SIDE_BY_SIDE));
    while let Some((name, asked)) = asks.next().await {
        match asked? {
            Evicted::Yes => {}
            Evicted::Budget => return Ok(Some(format!("a PodDisruptionBudget does not let Pod {name} be replaced"))),
            Evicted::Refused(why) => return Ok(Some(format!("Pod {name} may not be replaced: {why}"))),
        }
    }
    Ok(None)
}

/// What would keep the account from being made again once it is gone: what runs as it would have none. The API server is asked while it
/// still stands, and says so only once nothing else speaks against it.
async fn would_not_be_made(
    ctx: &Context,
    target: &Target,
    made: Option<&DynamicObject>,
) -> Result<Option<String>, Fault> {
    let Some(made) = made else { return Ok(Some("its manifest cannot be read back".to_owned())) };
    let params = PostParams { dry_run: true, ..PostParams::default() };
    match call("ask whether it could be created", targets::api(&ctx.client, target).create(&params, made)).await {
        Ok(_) => Ok(None),
        Err(fault) if fault.is_conflict() => Ok(None),
        Err(fault) if fault.is_refusal() || fault.is_not_found() => {
            Ok(Some(format!("it could not be created again: {}", act::layer(&fault))))
        }
        Err(fault) => Err(fault),
    }
}

/// An account that was handed over, and what runs as it.
struct Open {
    target: Target,
    new_uid: String,
    /// When the account was made, by the API server's clock.
    since: Option<Timestamp>,
    /// How many pods each maker is to have.
    wanted: Option<BTreeMap<Maker, usize>>,
    /// What was last seen, and since when nothing else was.
    last: Option<(Wave, Instant)>,
    /// What kept the last one from being evicted.
    kept: Option<String>,
    begun: Instant,
}

/// How the waves of an account ended.
struct Over {
    target: Target,
    new_uid: String,
    complete: bool,
    message: String,
}

/// All accounts of a Revocation whose pods are being replaced.
pub struct Waving {
    open: Vec<Open>,
    /// How many pods of one maker are out of service at a time.
    most: usize,
}

impl Waving {
    /// Those that this plan handed over; none where it hands none over. No such plan has Secrets to rotate too.
    pub fn of(targets: &[Seen], record: &Record, most: u32) -> Option<Self> {
        let handed_over = targets.iter().filter(|seen| seen.target.action == Action::HandOver);
        let open = handed_over.filter_map(|seen| {
            let step = record.step(&seen.target).filter(|step| step.outcome == StepOutcome::Done)?;
            Some(Open {
                target: seen.target.clone(),
                new_uid: step.new_uid.clone()?,
                since: None,
                wanted: None,
                last: None,
                kept: None,
                begun: Instant::now(),
            })
        });
        let open: Vec<Open> = open.collect();
        (!open.is_empty()).then(|| Self { open, most: usize::try_from(most).unwrap_or(1).max(1) })
    }

    /// Brings all of them to their end, side by side.
    async fn run(mut self, ctx: &Context, over: UnboundedSender<Over>) {
        while !self.open.is_empty() {
            let stopped = ctx.shared.stopped(ctx).await.is_some();
            let most = self.most;
            let looks = self.open.drain(..).map(|mut one| async move {
                let ended = one.look(ctx, most, stopped).await;
                (one, ended)
            });
            let looked: Vec<_> = futures::stream::iter(looks).buffer_unordered(SIDE_BY_SIDE).collect().await;
            for (one, ended) in looked {
                match ended {
                    None => self.open.push(one),
                    // Nobody listens any more once the Revocation is another process'.
                    Some((complete, message)) => {
                        let Open { target, new_uid, .. } = one;
                        drop(over.send(Over { target, new_uid, complete, message }));
                    }
                }
            }
            if !self.open.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

impl Open {
    /// One look, and what may be replaced by it; says how it ended once it has.
    async fn look(&mut self, ctx: &Context, most: usize, stopped: bool) -> Option<(bool, String)> {
        match self.step(ctx, most, stopped).await {
            Ok(wave) if wave.is_over() => return Some((true, self.all_are_replaced(&wave))),
            Ok(wave) => self.see(wave),
            Err(fault) => self.kept = Some(fault.to_string()), // looked at again
        }
        let still = self.last.as_ref().map_or_else(|| self.begun.elapsed(), |(_, since)| since.elapsed());
        (still >= STILL || self.begun.elapsed() >= LONGEST).then(|| (false, self.not_all_are_replaced()))
    }

    async fn step(&mut self, ctx: &Context, most: usize, stopped: bool) -> Result<Wave, Fault> {
        let (namespace, name) = (self.target.namespace.clone(), self.target.name.clone());
        let since = match self.since {
            Some(since) => since,
            None => {
                let api: Api<ServiceAccount> = Api::namespaced(ctx.client.clone(), &namespace);
                let live = call("look at the account that was handed over", api.get_opt(&name)).await?;
                if live.as_ref().and_then(|live| live.metadata.uid.as_ref()) == Some(&self.target.uid) {
                    let cause = "the API server answered with the account of before".to_owned();
                    return Err(Fault::Transient { doing: "look at the account that was handed over", cause });
                }
                // Where its owner has made it again by now, what is older than that has no token that works either.
                let made = live.and_then(|live| live.metadata.creation_timestamp).map(|time| time.0);
                *self.since.insert(made.unwrap_or_else(calls::now))
            }
        };
        let pods: Vec<Pod> = pods::of_account(&ctx.client, &namespace, &name).await?;
        let wanted = self.wanted.get_or_insert_with(|| waves::wanted(&pods)).clone();
        let wave = waves::wave(&pods, &wanted, since, most);
        if stopped {
            self.kept = Some("everything is stopped".to_owned());
            return Ok(wave);
        }
        for (pod, uid) in &wave.next {
            self.kept = match evict(ctx, &namespace, (pod.as_str(), uid.as_str()), false).await? {
                Evicted::Yes => {
                    tracing::info!(namespace, pod, "evicted: its account was handed over");
                    None
                }
                Evicted::Budget => Some(format!("a PodDisruptionBudget does not let Pod {pod} be replaced")),
                Evicted::Refused(why) => Some(format!("Pod {pod} may not be replaced: {why}")),
            };
        }
        Ok(wave)
    }

    /// Notes what was seen; as long as it is the same the waves stand still.
    fn see(&mut self, wave: Wave) {
        if self.last.as_ref().is_none_or(|(last, _)| (&last.old, last.under_way) != (&wave.old, wave.under_way)) {
            self.last = Some((wave, Instant::now()));
        }
    }

    fn all_are_replaced(&self, wave: &Wave) -> String {
        let number: usize = self.wanted.iter().flat_map(BTreeMap::values).sum();
        let took = self.since.map_or(0, |since| calls::now().duration_since(since).as_secs().max(0));
        let done = match number {
            0 => "nothing that is made again ran as it".to_owned(),
            number => format!(
                "all {number} pods that ran as it were replaced; the last was ready {took} s after the account was made again"
            ),
        };
        done + &left(wave)
    }

    fn not_all_are_replaced(&self) -> String {
        let Some((wave, _)) = &self.last else {
            let why = self.kept.as_deref().unwrap_or("they could not be listed");
            return format!("what runs as it was not replaced, and has a token that is refused: {why}");
        };
        let why = match &self.kept {
            Some(why) => why.clone(),
            None => format!("{} pods that were to take the place of others are not ready", wave.under_way),
        };
        format!("not replaced, and with a token that is refused: {}: {why}{}", waves::told(&wave.old), left(wave))
    }
}

/// What goes on with a token that is refused, because nothing would make it again.
fn left(wave: &Wave) -> String {
    match wave.left.is_empty() {
        true => String::new(),
        false => format!("; left to end by themselves, with a token that is refused: {}", waves::told(&wave.left)),
    }
}

/// Proves what is refused, while the waves go on; then ends the Revocation, as `stopped` where that is what it ends as in any case.
///
/// # Flow          both at once; the claim is renewed meanwhile; how the waves ended is in the step of each account
/// # Guarantees    the Revocation is no success unless everything that is made again was replaced and is ready
/// # Errors        transient: a new process goes on with what is still old
pub async fn aside(
    ctx: &Context,
    waving: Waving,
    record: &mut Record,
    stopped: Option<Finished>,
    proving: impl AsyncFnOnce(&mut Record) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let (sender, receiver) = unbounded_channel();
    let driving = async {
        waving.run(ctx, sender).await;
        Ok(())
    };
    let proving = async {
        let good = proving(record).await?;
        let complete = hear(receiver, record).await?;
        let confirmed = record.confirmed().filter(|_| good && complete);
        let ended = if good && complete { Finished::Revoked } else { Finished::Failed };
        record.finish(stopped.unwrap_or(ended), confirmed);
        record.write().await
    };
    futures::try_join!(driving, proving).map(drop)
}

/// Writes how each ended, until nothing more will; says whether all of them were replaced.
async fn hear(mut ended: UnboundedReceiver<Over>, record: &mut Record) -> Result<bool, Fault> {
    let mut complete = true;
    loop {
        match tokio::time::timeout(BEAT, ended.recv()).await {
            Ok(None) => return Ok(complete),
            Ok(Some(Over { target, new_uid, complete: all, message })) => {
                complete &= all;
                if !all {
                    record.left(&target, RemainingReason::NotReplaced);
                }
                record.set_step(&target, StepOutcome::Done, Some(new_uid), Some(message), calls::now());
            }
            Err(_elapsed) => {}
        }
        record.write().await?; // the claim stands
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kube::scenario::{Scenario, on};
    use crate::revoke::order;
    use domain::plan::Kind;
    use domain::rotation::adoption::{Workload, WorkloadKind};
    use std::collections::BTreeSet;

    fn open(kept: Option<&str>) -> Open {
        let target = Target {
            action: Action::HandOver,
            kind: Kind::ServiceAccount,
            namespace: "apps".into(),
            name: "web".into(),
            uid: "u".into(),
            heir: Some("id:hq/8".into()),
            why: String::new(),
        };
        let web = Maker::Workload(Workload { kind: WorkloadKind::Deployment, name: "web".into(), uid: "w".into() });
        let wave = Wave {
            old: BTreeMap::from([(web.clone(), BTreeSet::from(["web-1".to_owned(), "web-2".to_owned()]))]),
            left: BTreeMap::from([(Maker::Nobody, BTreeSet::from(["debug".to_owned()]))]),
            under_way: 1,
            next: Vec::new(),
        };
        Open {
            target,
            new_uid: "n".into(),
            since: Some(calls::now()),
            wanted: Some(BTreeMap::from([(web, 3)])),
            last: Some((wave, Instant::now())),
            kept: kept.map(str::to_owned),
            begun: Instant::now(),
        }
    }

    /// A pod of an old day that runs as `web`.
    fn pod(name: &str, kind: &str, maker: &str) -> Value {
        let owner = json!([{"apiVersion": "apps/v1", "kind": kind, "name": maker, "uid": "set", "controller": true}]);
        json!({
            "metadata": {"name": name, "uid": "pod-a", "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": owner},
            "spec": {"serviceAccountName": "web", "containers": [{"name": "c"}]},
        })
    }

    #[tokio::test]
    async fn what_was_not_replaced_is_named_with_what_keeps_it() {
        let said = open(Some("a PodDisruptionBudget does not let Pod web-1 be replaced")).not_all_are_replaced();
        assert_eq!(
            said,
            "not replaced, and with a token that is refused: Deployment web (2): a PodDisruptionBudget does not let Pod web-1 be replaced; left to end by themselves, with a token that is refused: Pod debug"
        );
        assert!(
            open(None).not_all_are_replaced().contains("1 pods that were to take the place of others are not ready")
        );
        let mut unseen = open(None);
        unseen.last = None;
        assert!(unseen.not_all_are_replaced().contains("could not be listed"));
    }

    #[tokio::test]
    async fn how_long_what_runs_was_out_is_said() {
        let said = open(None).all_are_replaced(&Wave::default());
        assert!(said.starts_with("all 3 pods that ran as it were replaced; the last was ready 0 s after"), "{said}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_budget_that_refuses_for_long_ends_the_waves_and_is_named() {
        let pod = pod("web-1-a", "ReplicaSet", "web-1");
        let account = json!({"metadata": {"name": "web", "uid": "n", "creationTimestamp": "2026-03-01T00:00:00Z"}});
        let scenario = Scenario::default()
            .meanwhile(on("GET /api/v1/namespaces/apps/serviceaccounts/web").answers(account))
            .meanwhile(on("GET /api/v1/namespaces/apps/pods").lists(json!([pod])))
            .meanwhile(on("GET /apis/apps/v1/namespaces/apps/replicasets").lists(json!([])))
            .meanwhile(on("POST /api/v1/namespaces/apps/pods/web-1-a/eviction").fails(429));
        let ctx = order::context(&scenario);
        let mut one = Open { since: None, wanted: None, last: None, ..open(None) };
        let begun = Instant::now();
        let (complete, said) = loop {
            if let Some(ended) = one.look(&ctx, 1, false).await {
                break ended;
            }
            tokio::time::sleep(LOOK).await;
        };
        let named = "ReplicaSet web-1 (1): a PodDisruptionBudget does not let Pod web-1-a be replaced";
        assert!(!complete && said.contains(named), "{said}");
        assert!(begun.elapsed() >= STILL, "it was asked for a while");
        scenario.is_over();
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_of_before_the_account_was_made_again_leaves_no_pod_with_a_dead_token() {
        let pod = pod("web-0", "StatefulSet", "web");
        let account =
            |uid: &str, made: &str| json!({"metadata": {"name": "web", "uid": uid, "creationTimestamp": made}});
        let look = || on("GET /api/v1/namespaces/apps/serviceaccounts/web");
        let scenario = Scenario::default()
            .meanwhile(on("GET /apis/apps/v1/namespaces/apps/replicasets").lists(json!([])))
            .then(look().answers(account("u", "2025-01-01T00:00:00Z"))) // older than the pod: it would be none to replace
            .then(look().answers(account("n", "2026-03-01T00:00:00Z")))
            .then(on("GET /api/v1/namespaces/apps/pods").lists(json!([pod])))
            .then(on("POST /api/v1/namespaces/apps/pods/web-0/eviction").answers(json!({})));
        let ctx = order::context(&scenario);
        let mut one = Open { since: None, wanted: None, last: None, ..open(None) };
        assert_eq!(one.look(&ctx, 1, false).await, None);
        assert_eq!(one.look(&ctx, 1, false).await, None, "it is on its way");
        scenario.is_over();
    }

    #[tokio::test(start_paused = true)]
    async fn the_waves_stand_still_only_as_long_as_the_same_is_seen() {
        let mut one = open(None);
        let (wave, since) = one.last.clone().unwrap();
        tokio::time::advance(Duration::from_secs(60)).await;
        one.see(wave.clone());
        assert_eq!(one.last.as_ref().unwrap().1, since, "the same");
        one.see(Wave { under_way: 0, ..wave });
        assert_ne!(one.last.as_ref().unwrap().1, since, "one is back");
    }
}
