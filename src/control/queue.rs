//! What is to be looked at next: first come, first served, and each policy in its turn.
//!
//! The runtime's own controller takes from a set, in an order that never changes: whatever comes back again and again
//! is taken before what was never looked at. Here each name waits once, behind those that came before it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long what is under way may take to come to its end when the process is told to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// The names that wait, without a clock of its own. Each name belongs to one lane.
#[derive(Debug, Default)]
struct Waiting {
    lanes: BTreeMap<String, VecDeque<String>>,
    queued: HashSet<String>,
    working: HashSet<String>,
    /// Woken while it was worked on: what it saw then may be old.
    again: HashMap<String, String>,
    timers: BTreeSet<(Instant, String, String)>,
    due: HashMap<String, (Instant, String)>,
    last: String,
}

impl Waiting {
    /// Puts a name at the end of its lane, unless it waits already; what it was to wait for is over.
    fn wake(&mut self, lane: &str, name: &str) {
        self.forget_timer(name);
        if self.working.contains(name) {
            self.again.insert(name.to_owned(), lane.to_owned());
        } else if self.queued.insert(name.to_owned()) {
            self.lanes.entry(lane.to_owned()).or_default().push_back(name.to_owned());
        }
    }

    /// The first of the next lane that has any.
    fn next(&mut self) -> Option<(String, String)> {
        let after = self.lanes.range::<String, _>((std::ops::Bound::Excluded(&self.last), std::ops::Bound::Unbounded));
        let lane = after.map(|(lane, _)| lane).next().or_else(|| self.lanes.keys().next())?.clone();
        let waiting = self.lanes.get_mut(&lane)?;
        let name = waiting.pop_front();
        if waiting.is_empty() {
            self.lanes.remove(&lane);
        }
        self.last.clone_from(&lane);
        let name = name?;
        self.queued.remove(&name);
        self.working.insert(name.clone());
        Some((lane, name))
    }

    /// A name was looked at; it comes back by itself at this instant, if at all.
    fn done(&mut self, lane: &str, name: &str, back: Option<Instant>) {
        self.working.remove(name);
        if let Some(lane) = self.again.remove(name) {
            self.wake(&lane, name);
        } else if let Some(back) = back {
            self.timers.insert((back, lane.to_owned(), name.to_owned()));
            self.due.insert(name.to_owned(), (back, lane.to_owned()));
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
}

impl Queue {
    /// Has a name looked at soon. Woken while it is looked at, it is looked at once more.
    pub fn wake(&self, lane: &str, name: &str) {
        self.locked(|waiting| waiting.wake(lane, name));
        self.woken.notify_one();
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
            while under_way.len() < at_once
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

    fn finished(&self, lane: &str, name: &str, back: Option<Duration>) {
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

    #[test]
    fn first_come_first_served_and_each_policy_in_its_turn() {
        let mut waiting = Waiting::default();
        for n in 0..4 {
            waiting.wake("many", &format!("m{n}"));
        }
        waiting.wake("few", "f0");
        waiting.wake("many", "m0"); // it waits already
        assert_eq!(order(&mut waiting), ["f0", "m0", "m1", "m2", "m3"]);
        assert!(waiting.lanes.is_empty(), "a policy that is gone leaves nothing behind");
    }

    #[test]
    fn whoever_comes_back_again_and_again_waits_behind_those_never_looked_at() {
        let mut waiting = Waiting::default();
        for name in ["again", "b", "c"] {
            waiting.wake("p", name);
        }
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (lane, name) = waiting.next().unwrap();
            waiting.done(&lane, &name, None);
            if name == "again" {
                waiting.wake("p", "again");
            }
            seen.push(name);
        }
        assert_eq!(seen, ["again", "b", "c", "again"]);
    }

    #[test]
    fn what_is_woken_while_it_is_looked_at_is_looked_at_once_more_and_never_twice_at_once() {
        let mut waiting = Waiting::default();
        waiting.wake("p", "a");
        let (lane, name) = waiting.next().unwrap();
        waiting.wake("p", "a");
        waiting.wake("p", "a");
        assert_eq!(waiting.next(), None);
        waiting.done(&lane, &name, None);
        assert_eq!(order(&mut waiting), ["a"]);
    }

    #[test]
    fn what_comes_back_by_itself_does_so_once_and_an_event_comes_before_it() {
        let (mut waiting, now) = (Waiting::default(), Instant::now());
        let later = now + Duration::from_secs(5);
        for name in ["a", "b"] {
            waiting.wake("p", name);
            let (lane, name) = waiting.next().unwrap();
            waiting.done(&lane, &name, Some(later));
        }
        assert_eq!(waiting.tick(now), Some(later));
        waiting.wake("p", "b");
        assert_eq!(order(&mut waiting), ["b"]);
        assert_eq!(waiting.tick(later), None);
        assert_eq!(order(&mut waiting), ["a"], "b was looked at since");
    }
}
