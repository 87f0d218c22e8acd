//! What is to be looked at next: each policy in its turn, of a policy each run in its turn, and of a run first come, first
//! served. So a thousand who left together make nobody wait who left at another time.
//!
//! The runtime's own controller takes from a set, in an order that never changes: whatever comes back again and again
//! is taken before what was never looked at. Here each name waits once, behind those of its run that came before it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long what is under way may take to come to its end when the process is told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// Most that stand aside at once, beyond those that are worked on.
const ASIDE: usize = 100;

/// Where a name waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// In turn with all other policies,
    policy: String,
    /// and with all other runs of that policy.
    run: String,
}

impl Lane {
    /// The lane of a run. What came by itself is a run of its own.
    pub fn new(policy: &str, run: &str) -> Self {
        Self { policy: policy.to_owned(), run: run.to_owned() }
    }
}

/// Those of one policy that wait, by run.
#[derive(Debug, Default)]
struct Runs {
    waiting: BTreeMap<String, VecDeque<String>>,
    last: String,
}

/// The names that wait, without a clock of its own. Each name belongs to one lane.
#[derive(Debug, Default)]
struct Waiting {
    policies: BTreeMap<String, Runs>,
    queued: HashSet<String>,
    working: HashSet<String>,
    /// Woken while it was worked on: what it saw then may be old.
    again: HashMap<String, Lane>,
    timers: BTreeSet<(Instant, Lane, String)>,
    due: HashMap<String, (Instant, Lane)>,
    last: String,
}

/// The key that follows the last one, in a circle.
fn following<T>(map: &BTreeMap<String, T>, last: &str) -> Option<String> {
    let after = map.range::<str, _>((Bound::Excluded(last), Bound::Unbounded)).next();
    after.or_else(|| map.first_key_value()).map(|(key, _)| key.clone())
}

impl Waiting {
    /// Puts a name at the end of its lane, unless it waits already; what it was to wait for is over.
    fn wake(&mut self, lane: &Lane, name: &str) {
        self.forget_timer(name);
        if self.working.contains(name) {
            self.again.insert(name.to_owned(), lane.clone());
        } else if self.queued.insert(name.to_owned()) {
            let runs = self.policies.entry(lane.policy.clone()).or_default();
            runs.waiting.entry(lane.run.clone()).or_default().push_back(name.to_owned());
        }
    }

    /// The first of the next lane.
    fn next(&mut self) -> Option<(Lane, String)> {
        let policy = following(&self.policies, &self.last)?;
        let runs = self.policies.get_mut(&policy)?;
        let run = following(&runs.waiting, &runs.last)?;
        let lane = runs.waiting.get_mut(&run)?;
        let name = lane.pop_front();
        if lane.is_empty() {
            runs.waiting.remove(&run);
        }
        runs.last.clone_from(&run);
        if runs.waiting.is_empty() {
            self.policies.remove(&policy);
        }
        self.last.clone_from(&policy);
        let name = name?;
        self.queued.remove(&name);
        self.working.insert(name.clone());
        Some((Lane { policy, run }, name))
    }

    /// A name was looked at; it comes back by itself at this instant, if at all.
    fn done(&mut self, lane: &Lane, name: &str, back: Option<Instant>) {
        self.working.remove(name);
        if let Some(lane) = self.again.remove(name) {
            self.wake(&lane, name);
        } else if let Some(back) = back {
            self.timers.insert((back, lane.clone(), name.to_owned()));
            self.due.insert(name.to_owned(), (back, lane.clone()));
        }
    }

    fn forget_timer(&mut self, name: &str) {
        if let Some((at, lane)) = self.due.remove(name) {
            self.timers.remove(&(at, lane, name.to_owned()));
        }
    }

    /// Wakes whatever is due, and says when the next is.
    fn tick(&mut self, now: Instant) -> Option<Instant> {
        while let Some((at, lane, name)) = self.timers.first().cloned() {
            if at > now {
                return Some(at);
            }
            self.wake(&lane, &name);
        }
        None
    }
}

/// A queue that several wake and one works off.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    woken: Notify,
    aside: AtomicUsize,
}

/// One that stands aside for as long as this is held: another is looked at in its place.
#[derive(Debug)]
pub struct Aside<'a>(&'a Queue);

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        self.0.aside.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    /// Has a name looked at soon. Woken while it is looked at, it is looked at once more.
    pub fn wake(&self, lane: &Lane, name: &str) {
        self.locked(|waiting| waiting.wake(lane, name));
        self.woken.notify_one();
    }

    /// What is being looked at waits for something that it shares with others of its kind, such as the evidence.
    pub fn aside(&self) -> Aside<'_> {
        self.aside.fetch_add(1, Ordering::Relaxed);
        self.woken.notify_one();
        Aside(self)
    }

    fn locked<T>(&self, act: impl FnOnce(&mut Waiting) -> T) -> T {
        act(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Works the queue off, so many at once, until told to stop; then what is under way comes to its end.
    ///
    /// `look` says after how long a name comes back by itself, if at all.
    pub async fn work<F>(self: Arc<Self>, at_once: usize, stop: CancellationToken, look: impl Fn(String) -> F)
    where
        F: Future<Output = Option<Duration>>,
    {
        let mut under_way = FuturesUnordered::new();
        loop {
            let due = self.locked(|waiting| waiting.tick(Instant::now()));
            while under_way.len() < at_once.saturating_add(self.aside.load(Ordering::Relaxed).min(ASIDE))
                && let Some((lane, name)) = self.locked(Waiting::next)
            {
                let look = look(name.clone());
                under_way.push(async move { (lane, name, look.await) });
            }
            let timer = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                Some((lane, name, back)) = under_way.next() => self.finished(&lane, &name, back),
                () = self.woken.notified() => {}
                () = timer => {}
            }
        }
        let drained = tokio::time::timeout(DRAIN, async { while under_way.next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(left = under_way.len(), "told to stop, and not everything under way came to its end");
        }
    }

    fn finished(&self, lane: &Lane, name: &str, back: Option<Duration>) {
        let back = back.and_then(|after| Instant::now().checked_add(after));
        self.locked(|waiting| waiting.done(lane, name, back));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes all that wait, and says them done.
    fn order(waiting: &mut Waiting) -> Vec<String> {
        std::iter::from_fn(|| {
            let (lane, name) = waiting.next()?;
            waiting.done(&lane, &name, None);
            Some(name)
        })
        .collect()
    }

    fn to(written: &str) -> Lane {
        let (policy, run) = written.split_once('/').unwrap();
        Lane::new(policy, run)
    }

    #[test]
    fn each_policy_and_each_run_in_its_turn_and_of_a_run_first_come_first_served() {
        let mut waiting = Waiting::default();
        for n in 0..4 {
            waiting.wake(&to("many/batch"), &format!("m{n}"));
        }
        waiting.wake(&to("few/one"), "f0");
        waiting.wake(&to("many/later"), "l0");
        waiting.wake(&to("many/batch"), "m0"); // it waits already
        assert_eq!(order(&mut waiting), ["f0", "m0", "l0", "m1", "m2", "m3"]);
        assert!(waiting.policies.is_empty(), "a policy that is gone leaves nothing behind");
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_aside_keeps_nobody_from_being_looked_at() {
        let (queue, stop, looked) = (Arc::new(Queue::default()), CancellationToken::new(), Mutex::new(Vec::new()));
        for name in ["seals", "ordinary"] {
            queue.wake(&to("p/r"), name);
        }
        let look = |name: String| {
            let (queue, looked, stop) = (Arc::clone(&queue), &looked, stop.clone());
            async move {
                looked.lock().unwrap().push(name.clone());
                if name == "seals" {
                    let _aside = queue.aside();
                    stop.cancelled().await;
                } else {
                    stop.cancel();
                }
                None
            }
        };
        let worked = Arc::clone(&queue).work(1, stop.clone(), look);
        tokio::time::timeout(Duration::from_secs(60), worked).await.expect("the other is looked at");
        assert_eq!(*looked.lock().unwrap(), ["seals", "ordinary"]);
    }

    #[test]
    fn whoever_comes_back_again_and_again_waits_behind_those_never_looked_at() {
        let mut waiting = Waiting::default();
        for name in ["again", "b", "c"] {
            waiting.wake(&to("p/r"), name);
        }
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (lane, name) = waiting.next().unwrap();
            waiting.done(&lane, &name, None);
            if name == "again" {
                waiting.wake(&to("p/r"), "again");
            }
            seen.push(name);
        }
        assert_eq!(seen, ["again", "b", "c", "again"]);
    }

    #[test]
    fn what_is_woken_while_it_is_looked_at_is_looked_at_once_more_and_never_twice_at_once() {
        let mut waiting = Waiting::default();
        waiting.wake(&to("p/r"), "a");
        let (lane, name) = waiting.next().unwrap();
        waiting.wake(&to("p/r"), "a");
        waiting.wake(&to("p/r"), "a");
        assert_eq!(waiting.next(), None);
        waiting.done(&lane, &name, None);
        assert_eq!(order(&mut waiting), ["a"]);
    }

    #[test]
    fn what_comes_back_by_itself_does_so_once_and_an_event_comes_before_it() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let later = now + Duration::from_secs(5);
        for name in ["a", "b"] {
            waiting.wake(&to("p/r"), name);
            let (lane, name) = waiting.next().unwrap();
            waiting.done(&lane, &name, Some(later));
        }
        assert_eq!(waiting.tick(now), Some(later));
        waiting.wake(&to("p/r"), "b");
        assert_eq!(order(&mut waiting), ["b"]);
        assert_eq!(waiting.tick(later), None);
        assert_eq!(order(&mut waiting), ["a"], "b was looked at since");
    }
}
