//! Pods in which a leaver may have a session open are evicted, a few of each workload at a time: aside, since it takes as long as pods do
//! to end, and others to be ready.
//!
//! ```text
//! Begun ─▶ (aside) evicted in waves, by uid, as budgets let it ─▶ gone: a verdict │ it stands still: left, and the step says what keeps it
//! ```
//! Each namespace goes by itself, and each workload in it: a budget that refuses holds up nobody else's pods.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::Context;
use super::act::{self, Ended};
use super::observe::{Observation, SIDE_BY_SIDE, Seen};
use super::record::Record;
use super::waves::{Evicted, evict};
use crate::api::revocation::StepOutcome;
use crate::kube::calls;
use crate::kube::outcome::Fault;
use crate::kube::pods::{self, Pods};
use domain::plan::{Action, RemainingReason};
use domain::rotation::adoption::Maker;
use domain::waves::{self, Pod};

/// How often it is looked at how far the waves are.
const LOOK: Duration = Duration::from_secs(1);
/// How long what refuses for good may do so: another control may have to take over before it lists what may be evicted.
const REFUSED: Duration = Duration::from_secs(60);
/// How long a budget may refuse what nothing else is under way for.
const BUDGET: Duration = Duration::from_secs(30);
/// How long the waves of a workload may stand still: a pod may take so long to end, and another one to be ready.
const STILL: Duration = Duration::from_secs(180);
/// How long all waves of a namespace may take. A Job of the revoker lives for ten minutes.
const LONGEST: Duration = Duration::from_secs(480);
/// How often the claim is renewed meanwhile; well below the time that frees it.
const BEAT: Duration = Duration::from_secs(6);

/// Whether this is a pod that is to be evicted.
pub fn is_its(seen: &Seen) -> bool {
    matches!(seen.observation, Observation::Evicts)
}

/// One pod, and what was done about it.
struct Open<'a> {
    seen: &'a Seen,
    /// Whether its eviction was accepted.
    evicted: bool,
    /// Whether the last list did not have it.
    missing: bool,
    /// What keeps it, and whether that is a budget.
    kept: Option<String>,
    by_budget: bool,
}

/// The pods of a namespace that are to be evicted, by uid.
struct Place<'a> {
    namespace: &'a str,
    open: BTreeMap<&'a str, Open<'a>>,
    /// How many pods of one maker are out of service at a time.
    most: usize,
    /// How many pods each maker is to have.
    wanted: Option<BTreeMap<Maker, usize>>,
    /// How far each maker's were when last seen, and since when nothing else was.
    still: BTreeMap<Maker, (BTreeSet<String>, Instant)>,
    begun: Instant,
}

/// How an eviction ended.
type Over<'a> = (&'a Seen, Ended);

/// All pods of a Revocation that are to be evicted.
pub struct Evicting<'a>(Vec<Place<'a>>);

impl<'a> Evicting<'a> {
    /// Those of these targets; none where none is to be evicted.
    pub fn of(targets: &'a [Seen], most: u32) -> Option<Self> {
        let most = usize::try_from(most).unwrap_or(1).max(1);
        let mut places: BTreeMap<&str, Place<'_>> = BTreeMap::new();
        for seen in targets.iter().filter(|seen| is_its(seen)) {
            let namespace = seen.target.namespace.as_str();
            let place = places.entry(namespace).or_insert_with(|| Place::new(namespace, most));
            place
                .open
                .insert(&seen.target.uid, Open { seen, evicted: false, missing: false, kept: None, by_budget: false });
        }
        (!places.is_empty()).then(|| Self(places.into_values().collect()))
    }

    /// Brings all of them to their end, each namespace by itself.
    async fn run(self, ctx: &Context, over: UnboundedSender<Over<'a>>) {
        let places = self.0.into_iter().map(|place| place.run(ctx, over.clone()));
        futures::future::join_all(places).await;
    }
}

impl<'a> Place<'a> {
    fn new(namespace: &'a str, most: usize) -> Self {
        Self { namespace, open: BTreeMap::new(), most, wanted: None, still: BTreeMap::new(), begun: Instant::now() }
    }

    async fn run(mut self, ctx: &Context, over: UnboundedSender<Over<'a>>) {
        loop {
            for ended in self.look(ctx).await {
                over.send(ended).ok(); // nobody listens any more once the Revocation is another process'
            }
            if self.open.is_empty() {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// One look, and what may be evicted by it; gives those that have come to their end.
    async fn look(&mut self, ctx: &Context) -> Vec<Over<'a>> {
        let pods = match pods::of_namespace(&ctx.client, self.namespace).await {
            Ok(pods) => pods,
            Err(fault) => {
                let why = fault.to_string();
                self.open.values_mut().for_each(|one| one.kept = Some(why.clone())); // looked at again
                return if self.begun.elapsed() >= STILL { self.give_up(|_| true) } else { Vec::new() };
            }
        };
        let mut over = self.gone(&pods);
        let wave = self.wave(&pods);
        if ctx.shared.stopped(ctx).await.is_some() {
            self.open.values_mut().for_each(|one| one.kept = Some("everything is stopped".to_owned()));
        } else {
            over.extend(self.evict(ctx, wave).await);
        }
        let stands = self.stands_still(&pods.running);
        let late = self.begun.elapsed() >= LONGEST;
        over.extend(self.give_up(|uid| late || stands.contains(uid)));
        over
    }

    /// Those that are gone: two lists in a row do not have them. One alone may be of before they were made.
    fn gone(&mut self, pods: &Pods) -> Vec<Over<'a>> {
        let there: BTreeSet<&str> =
            pods.running.iter().map(|pod| pod.uid.as_str()).chain(pods.finished.iter().map(String::as_str)).collect();
        let mut gone: Vec<&str> = Vec::new();
        for (uid, one) in &mut self.open {
            let missing = !there.contains(uid);
            gone.extend((missing && one.missing).then_some(*uid));
            one.missing = missing;
        }
        let end = |one: Open<'a>| {
            let outcome = if one.evicted { StepOutcome::Done } else { StepOutcome::AlreadyGone };
            (one.seen, Ended::new(outcome))
        };
        gone.into_iter().filter_map(|uid| self.open.remove(uid)).map(end).collect()
    }

    /// Name and uid of what may be evicted now, and not yet was.
    fn wave(&mut self, pods: &Pods) -> Vec<(String, String)> {
        let open = |pod: &&Pod| self.open.contains_key(pod.uid.as_str());
        let makers: BTreeSet<&Maker> = pods.running.iter().filter(open).map(|pod| &pod.maker).collect();
        let of_them = pods.running.iter().filter(|pod| makers.contains(&pod.maker));
        let evicted = |pod: &Pod| self.open.get(pod.uid.as_str()).is_some_and(|one| one.evicted);
        let (going, staying): (Vec<Pod>, Vec<Pod>) = of_them.cloned().partition(evicted);
        let wanted = self
            .wanted
            .get_or_insert_with(|| waves::wanted(&staying.iter().chain(&going).cloned().collect::<Vec<_>>()));
        // What is not this person's to end is in service where it is ready.
        let next = waves::wave_of(&staying, wanted, |pod| self.open.contains_key(pod.uid.as_str()), self.most).next;
        // A pod that has finished serves nobody.
        let finished = self.open.iter().filter(|(uid, one)| pods.finished.contains(**uid) && !one.evicted);
        let finished = finished.map(|(uid, one)| (one.seen.target.name.clone(), (*uid).to_owned()));
        next.into_iter().chain(finished).collect()
    }

    async fn evict(&mut self, ctx: &Context, wave: Vec<(String, String)>) -> Vec<Over<'a>> {
        let namespace = self.namespace;
        let asks = wave.into_iter().map(|(name, uid)| async move {
            let evicted = evict(ctx, namespace, (name.as_str(), uid.as_str()), false).await;
            (name, uid, evicted)
        });
        let asked: Vec<_> = futures::stream::iter(asks).buffer_unordered(SIDE_BY_SIDE).collect().await;
        let mut over = Vec::new();
        for (pod, uid, evicted) in asked {
            let Some(one) = self.open.get_mut(uid.as_str()) else { continue };
            one.by_budget = matches!(evicted, Ok(Evicted::Budget));
            one.kept = match evicted {
                Ok(Evicted::Yes) => {
                    tracing::info!(namespace, pod, "evicted: a session of somebody who left may have been open in it");
                    one.evicted = true;
                    None
                }
                Ok(Evicted::Budget) => Some("a PodDisruptionBudget does not let it be evicted".to_owned()),
                Ok(Evicted::Refused(why)) if self.begun.elapsed() >= REFUSED => {
                    let seen = one.seen;
                    self.open.remove(uid.as_str());
                    over.push((seen, left(StepOutcome::Refused, why)));
                    continue;
                }
                Ok(Evicted::Refused(why)) => Some(why),
                Err(fault) => Some(fault.to_string()), // asked again
            };
        }
        over
    }

    /// Uids of the pods of workloads of which nothing has changed for long.
    fn stands_still(&mut self, pods: &[Pod]) -> BTreeSet<String> {
        let mut makers: BTreeMap<&Maker, BTreeSet<String>> = BTreeMap::new();
        let open: BTreeSet<&Maker> =
            pods.iter().filter(|pod| self.open.contains_key(pod.uid.as_str())).map(|pod| &pod.maker).collect();
        for pod in pods.iter().filter(|pod| open.contains(&pod.maker)) {
            // How far it is: which pods there are, and which of them are ready.
            makers.entry(&pod.maker).or_default().insert(format!("{} {}", pod.uid, pod.ready));
        }
        let mut stands = BTreeSet::new();
        for (maker, state) in makers {
            let (last, since) = self.still.entry(maker.clone()).or_insert_with(|| (state.clone(), Instant::now()));
            if *last != state {
                (*last, *since) = (state, Instant::now());
            }
            let its =
                || pods.iter().filter(|pod| pod.maker == *maker).filter_map(|pod| self.open.get(pod.uid.as_str()));
            let long = if its().any(|one| one.by_budget) && !its().any(|one| one.evicted) { BUDGET } else { STILL };
            if since.elapsed() >= long {
                stands.extend(pods.iter().filter(|pod| pod.maker == *maker).map(|pod| pod.uid.clone()));
            }
        }
        stands
    }

    /// Those that are left as they are, with what keeps them.
    fn give_up(&mut self, which: impl Fn(&str) -> bool) -> Vec<Over<'a>> {
        let uids: Vec<&str> = self.open.keys().copied().filter(|uid| which(uid)).collect();
        let end = |one: Open<'a>| {
            let why = match (one.evicted, one.kept) {
                (true, _) => "its eviction was accepted, and it has not ended yet".to_owned(),
                (false, Some(why)) => why,
                (false, None) => "those that took the place of others of its workload are not ready".to_owned(),
            };
            (one.seen, left(StepOutcome::Failed, format!("not evicted: {why}")))
        };
        uids.into_iter().filter_map(|uid| self.open.remove(uid)).map(end).collect()
    }
}

/// It is still there.
fn left(outcome: StepOutcome, why: String) -> Ended {
    Ended { left: Some(RemainingReason::NotEvicted), ..Ended::saying(outcome, why) }
}

/// Has every pod evicted that may be, and waits until it is gone.
///
/// # Flow          list; evict what may go now; again, until each is gone or its workload stands still; outcomes written as they come, and
///                 the claim renewed meanwhile
/// # Guarantees    no pod of another uid is evicted, and of each workload no more at a time than may be; a pod that stays says what keeps it
/// # Assumptions   control has listed them: a policy lets the revoker evict nothing else
/// # Errors        transient: a new process goes on with what is still there
pub async fn until_over(ctx: &Context, evicting: Evicting<'_>, record: &mut Record) -> Result<(), Fault> {
    let before = evicted(record);
    let (sender, receiver) = unbounded_channel();
    let driving = evicting.run(ctx, sender).map(Ok::<(), Fault>);
    futures::try_join!(driving, hear(ctx, receiver, record))?;
    record.set_acted(calls::now());
    let more = evicted(record).saturating_sub(before);
    if more > 0 {
        act::publish_on_person(ctx, record, &[(Action::Evict, more)].into()).await;
    }
    Ok(())
}

/// How many were.
fn evicted(record: &Record) -> usize {
    record.done().filter(|(_, action)| *action == Action::Evict).count()
}

/// Writes how each ended, until nothing more will.
async fn hear(ctx: &Context, mut over: UnboundedReceiver<Over<'_>>, record: &mut Record) -> Result<(), Fault> {
    loop {
        match tokio::time::timeout(BEAT, over.recv()).await {
            Ok(None) => return record.write().await,
            Ok(Some((seen, ended))) => {
                act::note(ctx, record, seen, ended).await;
                record.write_by_and_by().await?;
            }
            Err(_elapsed) => record.write().await?, // the claim stands
        }
    }
}

#[cfg(test)]
mod tests;
