//! Secrets get new values, and what runs with the old ones is restarted: aside, since it takes as long as a rollout.
//!
//! ```text
//! before it is written ahead ─▶ asked ─▶ (aside) another value is there ─▶ stale workloads restarted, one after another ─▶ Adopted
//! ```
//! The new value comes from who manages the Secret, or is generated. Of a Secret the metadata alone is read: a digest that
//! external-secrets keeps, the revision of a Certificate, the time of the last write. A value that came back as it was is no rotation.
//! Nothing else waits for it: the verdicts on accounts and bindings, and `verified`, come as if there were no Secrets.

mod ask;
mod came;
mod restart;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use super::Context;
use super::act::{self, Ended};
use super::observe::{Observation, Observer, SIDE_BY_SIDE, Seen};
use super::record::Record;
use crate::api::revocation::{Finished, Rotation, StepOutcome, VerdictKind};
use crate::kube::calls;
use crate::kube::outcome::Fault;
use ask::Asked;
pub use ask::{MANAGER, begin};
use came::Came;
use domain::plan::{Action, RemainingReason, Target};
use domain::rotation::Way;
use domain::rotation::adoption::{self, Adoption, Workload};
use restart::Restart;

/// How often a question is put again that was not answered.
const TRIES: usize = 3;
/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long a mounted Secret may take to follow: a minute for the kubelet, half a minute for the program.
const FOLLOWS: Duration = Duration::from_secs(90);
/// How long one workload may keep the next one of the same Secret waiting.
const ROLLOUT: Duration = Duration::from_secs(180);
/// How long after the new value was written everything may take to be started with it. A Job of the revoker lives for ten minutes.
const ADOPTED: jiff::SignedDuration = jiff::SignedDuration::from_mins(8);
/// How often the claim is renewed meanwhile; well below the time that frees it.
const BEAT: Duration = Duration::from_secs(6);

/// Whether what was seen is this module's to deal with, and no act of another.
pub fn is_its(seen: &Seen) -> bool {
    let open = matches!(seen.observation, Observation::Rotates(_) | Observation::Rotated | Observation::Unseen(_));
    seen.target.action == Action::Rotate && open
}

/// One Secret on its way.
struct Open {
    target: Target,
    way: Option<Way>,
    /// How far it is; none until it could be looked at.
    rotation: Option<Rotation>,
    /// How often it was asked for in vain.
    tries: usize,
    /// When this process first knew that the new value is there.
    seen: Option<Instant>,
    /// Who was last seen to have the old value.
    last: Option<Adoption>,
    /// The workload that is being restarted for it, and since when.
    restarting: Option<(Workload, Instant)>,
}

/// What happened to a Secret.
struct News {
    target: Target,
    what: What,
}

enum What {
    /// The question was put.
    Asked(Rotation),
    /// It came to its end before that.
    NotAsked(Ended),
    /// Another value is there, since then, and who wrote it.
    Written(Timestamp, Option<String>),
    /// It is over without one.
    NoValue(StepOutcome, RemainingReason, String),
    /// Every pod has it.
    Adopted(String),
    /// Some may not, or nobody knows.
    NotAdopted(VerdictKind, String),
}

/// What is told of the Secrets as it happens.
pub struct Heard(UnboundedReceiver<News>);

impl Heard {
    /// Writes what was told since, for who is at something else that may take long.
    ///
    /// # Errors
    /// That of the write.
    pub async fn so_far(&mut self, ctx: &Context, record: &mut Record) -> Result<(), Fault> {
        let mut any = false;
        while let Ok(News { target, what }) = self.0.try_recv() {
            note(ctx, record, &target, what).await;
            any = true;
        }
        if any { record.write().await } else { Ok(()) }
    }
}

/// All Secrets of a Revocation that are on their way.
pub struct Rotating<'a> {
    observer: &'a Observer<'a>,
    open: Vec<Open>,
    restarted: BTreeMap<String, Instant>,
    /// Workloads that cannot be restarted, by uid.
    refused: BTreeSet<String>,
    /// Whether the plan has nothing but Secrets.
    alone: bool,
    targets: Vec<Target>,
}

impl<'a> Rotating<'a> {
    /// Those of these targets; none where the plan has no Secret that was not left alone.
    pub fn of(observer: &'a Observer<'a>, targets: &[Seen], record: &Record) -> Option<Self> {
        let secrets = targets.iter().filter(|seen| seen.target.action == Action::Rotate);
        let secrets: Vec<&Seen> = secrets.filter(|seen| !record.skipped(&seen.target)).collect();
        let open = secrets.iter().filter_map(|seen| {
            let step = record.step(&seen.target);
            let rotation = step.and_then(|step| step.rotation.clone());
            let way = match &seen.observation {
                Observation::Rotates(rotatable) => Some(rotatable.way.clone()),
                _ => None,
            };
            let waits = step.is_none_or(|step| matches!(step.outcome, StepOutcome::Begun | StepOutcome::Done));
            waits.then(|| Open {
                target: seen.target.clone(),
                way,
                tries: 0,
                seen: rotation.as_ref().and_then(|rotation| rotation.written).map(|_| Instant::now()),
                rotation,
                last: None,
                restarting: None,
            })
        });
        let open: Vec<Open> = open.collect();
        let alone = targets.iter().all(|seen| seen.target.action == Action::Rotate);
        let targets: Vec<Target> = secrets.iter().map(|seen| seen.target.clone()).collect();
        (!targets.is_empty()).then(|| Self {
            observer,
            open,
            restarted: BTreeMap::new(),
            refused: BTreeSet::new(),
            alone,
            targets,
        })
    }

    /// Brings all of them to their end, side by side; tells what happens as it happens.
    async fn run(mut self, ctx: &Context, news: UnboundedSender<News>) {
        while !self.open.is_empty() {
            self.ask(ctx, &news).await;
            self.come(ctx, &news).await;
            self.adopt(ctx, &news).await;
            if !self.open.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Asks once more for what could not be asked for at once. What nobody answers about delays itself alone.
    async fn ask(&mut self, ctx: &Context, news: &UnboundedSender<News>) {
        let unasked = |one: &&Open| one.rotation.as_ref().is_none_or(|rotation| rotation.asked.is_none());
        if self.open.iter().filter(unasked).count() == 0 || ctx.shared.stopped(ctx).await.is_some() {
            return;
        }
        let observer = self.observer;
        let asks = self.open.iter().filter(unasked).map(|one| async move {
            (one.target.uid.clone(), ask::again(ctx, observer, &one.target, one.rotation.as_ref()).await)
        });
        let asked: Vec<_> = futures::stream::iter(asks).buffer_unordered(SIDE_BY_SIDE).collect().await;
        let mut over = BTreeSet::new();
        for (uid, (asked, way)) in asked {
            let Some(one) = self.open.iter_mut().find(|one| one.target.uid == uid) else { continue };
            let what = match asked {
                Asked::Put(rotation) => {
                    one.way = way;
                    one.seen = rotation.written.map(|_| Instant::now());
                    one.rotation = Some(rotation.clone());
                    What::Asked(rotation)
                }
                Asked::Ended(ended) => What::NotAsked(ended),
                Asked::Again(_) if one.tries < TRIES => {
                    one.tries = one.tries.saturating_add(1);
                    continue;
                }
                Asked::Again(said) => What::NotAsked(Ended::saying(StepOutcome::Failed, said)),
            };
            if matches!(what, What::NotAsked(_)) {
                over.insert(uid);
            }
            // Nobody listens any more once the Revocation is another process'.
            news.send(News { target: one.target.clone(), what }).ok();
        }
        self.open.retain(|one| !over.contains(&one.target.uid));
    }

    /// Looks whether new values are there.
    async fn come(&mut self, ctx: &Context, news: &UnboundedSender<News>) {
        let waiting = self.open.iter().filter_map(|one| Some((one, one.rotation.as_ref()?)));
        let waiting = waiting.filter(|(_, rotation)| rotation.written.is_none() && rotation.asked.is_some());
        let looks = waiting.map(|(one, rotation)| async move {
            (one.target.uid.clone(), came::look(ctx, &one.target, one.way.as_ref(), rotation).await)
        });
        let looked: Vec<_> = futures::stream::iter(looks).buffer_unordered(SIDE_BY_SIDE).collect().await;
        for (uid, came) in looked {
            let Some(one) = self.open.iter_mut().find(|one| one.target.uid == uid) else { continue };
            let what = match came {
                Came::NotYet => continue,
                Came::Written(at, by) => {
                    one.rotation.iter_mut().for_each(|rotation| rotation.written = Some(at));
                    one.seen = Some(Instant::now());
                    What::Written(at, by)
                }
                Came::Same(how) => What::NoValue(StepOutcome::Unchanged, RemainingReason::Unchanged, how),
                Came::Never(how) => What::NoValue(StepOutcome::Failed, RemainingReason::NotRotated, how),
            };
            let over = matches!(what, What::NoValue(..));
            news.send(News { target: one.target.clone(), what }).ok();
            if over {
                self.open.retain(|one| one.target.uid != uid);
            }
        }
    }

    /// Looks who has the new values, and has those restarted who have not.
    async fn adopt(&mut self, ctx: &Context, news: &UnboundedSender<News>) {
        let stopped = ctx.shared.stopped(ctx).await.is_some();
        let mut over = BTreeSet::new();
        for at in 0..self.open.len() {
            let Some(one) = self.open.get_mut(at) else { continue };
            let written = one.rotation.as_ref().and_then(|rotation| rotation.written);
            let (Some(written), Some(seen)) = (written, one.seen) else { continue };
            let late = calls::now().duration_since(written) > ADOPTED;
            // A namespace that cannot be read now is read again.
            let pods = ctx.shared.pods(ctx, &one.target.namespace).await.ok().flatten();
            let Some(pods) = pods else {
                if late {
                    let what = unseen(one.last.as_ref());
                    news.send(News { target: one.target.clone(), what }).ok();
                    over.insert(one.target.uid.clone());
                }
                continue;
            };
            let adoption = adoption::judge(&one.target.name, written, seen.elapsed() >= FOLLOWS, &pods);
            // In the second in which the value was written no pod is started: it could not be told which came first.
            if !adoption.is_complete() && !stopped && seen.elapsed() >= LOOK {
                self.restart(ctx, at, &adoption, written).await;
            }
            let Some(one) = self.open.get_mut(at) else { continue };
            let how = adoption.to_string();
            let what = match adoption.is_complete() {
                true => What::Adopted(how),
                false if late || (seen.elapsed() >= LOOK && is_stuck(&adoption, &self.refused)) => {
                    What::NotAdopted(VerdictKind::Refuted, how)
                }
                false => {
                    one.last = Some(adoption);
                    continue;
                }
            };
            news.send(News { target: one.target.clone(), what }).ok();
            over.insert(one.target.uid.clone());
        }
        self.open.retain(|one| !over.contains(&one.target.uid));
    }

    /// Restarts the next workload that has the old value of a Secret, unless one is on its way.
    async fn restart(&mut self, ctx: &Context, at: usize, adoption: &Adoption, written: Timestamp) {
        let Some(one) = self.open.get_mut(at) else { return };
        let namespace = one.target.namespace.clone();
        if let Some((workload, since)) = &one.restarting {
            let still = since.elapsed() < ROLLOUT && !restart::is_over(ctx, &namespace, workload, adoption).await;
            if still {
                return;
            }
            one.restarting = None;
        }
        let since = one.seen;
        let again = |workload: &&Workload| {
            let restarted = self.restarted.get(&workload.uid).copied();
            !self.refused.contains(&workload.uid) && (restarted.is_none() || restarted < since)
        };
        let Some(workload) = adoption.restartable().find(again).cloned() else { return };
        match restart::restart(ctx, &namespace, &workload, written).await {
            Ok(Restart::Begun) => {
                self.restarted.insert(workload.uid.clone(), Instant::now());
                one.restarting = Some((workload, Instant::now()));
            }
            Ok(Restart::Refused) => drop(self.refused.insert(workload.uid)),
            Err(fault) => tracing::warn!(%fault, "a workload was not restarted; tried again"),
        }
    }
}

/// Whether nobody is left who would start anything with the new value.
fn is_stuck(adoption: &Adoption, refused: &BTreeSet<String>) -> bool {
    !adoption.reloading && adoption.restartable().all(|workload| refused.contains(&workload.uid))
}

fn unseen(last: Option<&Adoption>) -> What {
    match last {
        Some(last) => What::NotAdopted(VerdictKind::Refuted, format!("when last seen, {last}")),
        None => What::NotAdopted(VerdictKind::Unknown, "nobody could see which pods use it".to_owned()),
    }
}

/// Proves what is refused, while the rotations go on; then ends the Revocation.
///
/// # Flow          both at once; what happens to a Secret is written as it happens; the end is written once both are over
/// # Guarantees    what was not rotated, or not adopted, is in `remaining` with a verdict, and keeps nothing else from being revoked
/// # Errors        transient: a new process goes on with what was written
pub async fn aside(
    ctx: &Context,
    rotating: Rotating<'_>,
    record: &mut Record,
    proving: impl AsyncFnOnce(&mut Record, &mut Heard) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    let (alone, targets) = (rotating.alone, rotating.targets.clone());
    let told = rotated(record); // by the acts, where the value was generated
    let (sender, receiver) = unbounded_channel();
    let driving = async {
        rotating.run(ctx, sender).await;
        Ok(())
    };
    let proving = async {
        let mut heard = Heard(receiver);
        let good = alone || proving(record, &mut heard).await?;
        hear(ctx, heard, record).await?;
        conclude(record, &targets, alone);
        let confirmed = record.confirmed();
        record.finish(if good { Finished::Revoked } else { Finished::Failed }, confirmed);
        record.write().await?;
        let more = rotated(record).saturating_sub(told);
        if more > 0 {
            act::publish_on_person(ctx, record, &BTreeMap::from([(Action::Rotate, more)])).await;
        }
        Ok(())
    };
    futures::try_join!(driving, proving).map(drop)
}

/// How many Secrets have a new value.
fn rotated(record: &Record) -> usize {
    record.done().filter(|(_, action)| *action == Action::Rotate).count()
}

/// Writes what happens to the Secrets, until nothing more will.
async fn hear(ctx: &Context, Heard(mut news): Heard, record: &mut Record) -> Result<(), Fault> {
    loop {
        match tokio::time::timeout(BEAT, news.recv()).await {
            Ok(None) => return Ok(()),
            Ok(Some(News { target, what })) => note(ctx, record, &target, what).await,
            Err(_elapsed) => {}
        }
        record.write().await?; // the claim stands
    }
}

async fn note(ctx: &Context, record: &mut Record, target: &Target, what: What) {
    let seen = Seen::only(target, Observation::Settled);
    match what {
        What::Asked(rotation) => {
            let written = rotation.written.is_some();
            record.set_rotation(target, rotation);
            if written {
                act::note(ctx, record, &seen, Ended::new(StepOutcome::Done)).await;
            }
        }
        What::NotAsked(ended) => act::note(ctx, record, &seen, ended).await,
        What::Written(at, by) => {
            if let Some(rotation) = record.step(target).and_then(|step| step.rotation.clone()) {
                record.set_rotation(target, Rotation { written: Some(at), written_by: by, ..rotation });
            }
            act::note(ctx, record, &seen, Ended::new(StepOutcome::Done)).await;
        }
        What::NoValue(outcome, reason, how) => {
            let ended = Ended { left: Some(reason), ..Ended::saying(outcome, how) };
            act::note(ctx, record, &seen, ended).await;
        }
        What::Adopted(how) => record.add_verdict(target, VerdictKind::Adopted, &how),
        What::NotAdopted(verdict, how) => {
            record.left(target, RemainingReason::NotAdopted);
            record.add_verdict(target, verdict, &how);
        }
    }
}

/// Gives a verdict on every Secret that has none: whatever has no new value has the old one.
fn conclude(record: &mut Record, targets: &[Target], alone: bool) {
    for target in targets {
        let outcome = record.step(target).map(|step| step.outcome);
        let how = match outcome {
            Some(StepOutcome::Unchanged) => "the value is the one it was",
            Some(StepOutcome::Refused | StepOutcome::Failed) => {
                record.left(target, RemainingReason::NotRotated);
                "it has no new value"
            }
            _ => continue,
        };
        record.add_verdict(target, VerdictKind::Refuted, how);
    }
    if alone && record.all_adopted() {
        let now = calls::now();
        record.set_verified(now);
        record.set_confirmed(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::rotation::adoption::{Maker, WorkloadKind};

    fn adoption(makers: &[Maker], reloading: bool) -> Adoption {
        let old = makers.iter().map(|maker| (maker.clone(), BTreeSet::from(["pod".to_owned()]))).collect();
        Adoption { pods: makers.len(), old, reloading }
    }

    #[test]
    fn nobody_waits_for_what_nothing_would_start_again() {
        let web = || Workload { kind: WorkloadKind::Deployment, name: "web".into(), uid: "w".into() };
        let (workload, job) = (|| Maker::Workload(web()), || Maker::Other("Job".into(), "import".into()));
        for (what, adoption, refused, expected) in [
            ("a pod that nothing made", adoption(&[Maker::Nobody], false), false, true),
            ("a Job", adoption(&[job()], false), false, true),
            ("a workload that can be restarted", adoption(&[workload(), job()], false), false, false),
            ("one that may not be", adoption(&[workload()], false), true, true),
            ("one that reads it again", adoption(&[Maker::Nobody], true), false, false),
        ] {
            let refused = refused.then(|| "w".to_owned()).into_iter().collect();
            assert_eq!(is_stuck(&adoption, &refused), expected, "{what}");
        }
    }

    #[test]
    fn what_was_last_seen_is_said_when_nothing_can_be_seen_any_more() {
        let last = adoption(&[Maker::Nobody], false);
        assert!(matches!(unseen(Some(&last)), What::NotAdopted(VerdictKind::Refuted, how) if how.contains("Pod pod")));
        assert!(matches!(unseen(None), What::NotAdopted(VerdictKind::Unknown, _)));
    }
}
