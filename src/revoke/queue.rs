//! What is released and not taken up yet, who is next, and whose claims on it are still alive. Decides, and calls nobody.
//!
//! A large batch makes nobody else wait: each batch and each run is a lane, lanes are served in turn, and one that came
//! later is served at the next turn.
//!
//! A claim is judged by this process' own clock: how long ago it *saw* the claim change. Another node's clock may be
//! hours off, and says nothing.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use kube::ResourceExt;
use tokio::time::Instant;

use crate::api::revocation::{Claim, Operation, Phase};
use crate::api::{Revocation, names};

/// After this long without a change another process may take a claim over: every act is safe when two act.
const SILENT: Duration = Duration::from_secs(20);
/// How long one that could not be finished waits for its next try, while others are under way.
const LATER: Duration = Duration::from_secs(5);
/// How often one is tried by one process.
const TRIES: u32 = 3;

/// A Revocation that is released and not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its batch, else its run, else itself: those of one lane wait behind each other, and behind nobody else.
    lane: String,
    /// Who claimed this attempt.
    claim: Option<Claim>,
}

impl Released {
    /// What there is to do about a Revocation, if anything.
    pub fn of(revocation: Revocation) -> Option<Self> {
        let labels = revocation.labels();
        let lane = labels.get(names::BATCH).or_else(|| labels.get(names::RUN)).cloned();
        let (name, uid, status) = (revocation.metadata.name?, revocation.metadata.uid?, revocation.status?);
        // A freeze is control's.
        let open = status.phase == Some(Phase::Released)
            && status.outcome().is_none()
            && revocation.spec.operation != Operation::Freeze;
        let claim = status.claim.filter(|claim| claim.attempt == status.attempt);
        open.then(|| Self { lane: lane.unwrap_or_else(|| name.clone()), name, uid, claim })
    }
}

/// One Revocation that waits to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The claim of a process that fell silent.
    pub silent: Option<Claim>,
    /// Its lane.
    lane: String,
    /// How often it was tried before.
    tries: u32,
}

impl Waiting {
    /// One that was not tried yet.
    pub fn new(released: Released, silent: Option<Claim>) -> Self {
        Self { name: released.name, uid: released.uid, lane: released.lane, silent, tries: 0 }
    }
}

/// The queue of one run of the process.
#[derive(Default)]
pub struct Queue {
    /// Those that wait, by lane, in the order in which the lanes came.
    lanes: Vec<Lane>,
    /// How many were taken.
    turn: u64,
    /// Uids of what waits, is under way, or is another process'.
    known: BTreeSet<String>,
    /// What could not be finished, and when it is tried again.
    later: Vec<(Instant, Waiting)>,
    claims: Claims,
}

/// Those of one batch or run.
struct Lane {
    name: String,
    waiting: VecDeque<Waiting>,
    /// The last turn that was theirs; none if they are new.
    served: Option<u64>,
}

impl Queue {
    /// A Revocation is released, by a list or an event; says nothing new about one that is known.
    pub fn add(&mut self, released: Released, me: &str, now: Instant) {
        if self.known.contains(&released.uid) {
            return;
        }
        let silent = match self.claims.judge(&released.uid, released.claim.as_ref(), me, now) {
            Judged::Free => None,
            Judged::Silent => released.claim.clone(),
            Judged::Watched => return,
            Judged::Alive => {
                self.known.insert(released.uid);
                return;
            }
        };
        self.known.insert(released.uid.clone());
        self.wait(Waiting::new(released, silent));
    }

    /// A Revocation is finished, held again, or gone: released once more, it is new.
    pub fn remove(&mut self, uid: &str) {
        self.known.remove(uid);
        self.claims.0.remove(uid);
        self.lanes.iter_mut().for_each(|lane| lane.waiting.retain(|waiting| waiting.uid != uid));
        self.later.retain(|(_, waiting)| waiting.uid != uid);
    }

    /// These are all that are released.
    pub fn replace(&mut self, released: Vec<Released>, me: &str, now: Instant) {
        let listed: BTreeSet<&String> = released.iter().map(|one| &one.uid).collect();
        let gone = self.known.iter().chain(self.claims.0.keys()).filter(|uid| !listed.contains(uid));
        for uid in gone.cloned().collect::<Vec<_>>() {
            self.remove(&uid);
        }
        released.into_iter().for_each(|one| self.add(one, me, now));
    }

    /// One that was taken could not be finished. Says whether it is tried again by this process.
    pub fn again(&mut self, mut waiting: Waiting, now: Instant) -> bool {
        waiting.tries = waiting.tries.saturating_add(1);
        waiting.silent = None; // the claim is this process' own by now, or another's who is alive
        let again = waiting.tries < TRIES && self.known.contains(&waiting.uid);
        if again {
            self.later.push((now + LATER, waiting));
        }
        again
    }

    /// The next one: of a lane that was never served, else of the one whose turn is longest ago.
    pub fn take(&mut self, now: Instant) -> Option<Waiting> {
        while let Some(at) = self.later.iter().position(|(at, _)| *at <= now) {
            let (_, waiting) = self.later.swap_remove(at);
            self.wait(waiting);
        }
        let with_any = self.lanes.iter_mut().filter(|lane| !lane.waiting.is_empty());
        let lane = with_any.min_by_key(|lane| lane.served)?; // of several the first: min_by_key, none before some
        self.turn = self.turn.saturating_add(1);
        lane.served = Some(self.turn);
        let next = lane.waiting.pop_front()?;
        self.claims.0.remove(&next.uid);
        Some(next)
    }

    /// Whether anything can be taken now.
    pub fn has_any(&self, now: Instant) -> bool {
        self.lanes.iter().any(|lane| !lane.waiting.is_empty()) || self.later.iter().any(|(at, _)| *at <= now)
    }

    /// Whether claims of others are watched that may turn out to be a dead process'.
    pub fn watches_claims(&self) -> bool {
        !self.claims.0.is_empty()
    }

    /// Whether there is nothing to take, and no claim that may turn out to be a dead process'.
    pub fn is_done(&self, now: Instant) -> bool {
        !self.has_any(now) && !self.watches_claims()
    }

    fn wait(&mut self, waiting: Waiting) {
        match self.lanes.iter_mut().find(|lane| lane.name == waiting.lane) {
            Some(lane) => lane.waiting.push_back(waiting),
            None => {
                self.lanes.push(Lane { name: waiting.lane.clone(), waiting: VecDeque::from([waiting]), served: None });
            }
        }
    }
}

/// Claims of others, and when this process first saw each as it is.
#[derive(Default)]
struct Claims(HashMap<String, (Claim, Instant)>);

/// What a claim means for this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    /// Nobody's, or its own.
    Free,
    /// Somebody else's who may be at work: looked at again.
    Watched,
    /// Somebody else's who is at work: left to them.
    Alive,
    /// Somebody else's who has not been heard of for long.
    Silent,
}

impl Claims {
    fn judge(&mut self, uid: &str, claim: Option<&Claim>, me: &str, now: Instant) -> Judged {
        let Some(claim) = claim.filter(|claim| claim.by != me) else {
            self.0.remove(uid);
            return Judged::Free;
        };
        match self.0.get(uid) {
            None => {
                self.0.insert(uid.to_owned(), (claim.clone(), now));
                Judged::Watched
            }
            Some((seen, _)) if seen != claim => {
                self.0.remove(uid);
                Judged::Alive
            }
            Some((_, since)) if now.duration_since(*since) >= SILENT => Judged::Silent,
            Some(_) => Judged::Watched,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn released(name: &str, lane: &str) -> Released {
        Released { name: name.to_owned(), uid: name.to_owned(), lane: lane.to_owned(), claim: None }
    }

    /// Adds `name/lane` for each word, and takes so many where a number stands.
    fn taken(words: &str) -> String {
        let (mut queue, now, mut taken) = (Queue::default(), Instant::now(), Vec::new());
        for word in words.split(' ') {
            match (word.split_once('/'), word.parse()) {
                (Some((name, lane)), _) => queue.add(released(name, lane), "me", now),
                (None, Ok(number)) => {
                    taken.extend(std::iter::from_fn(|| queue.take(now)).map(|next| next.name).take(number));
                }
                (None, Err(_)) => queue.remove(word),
            }
        }
        taken.join(" ")
    }

    #[test]
    fn no_batch_makes_a_leaver_wait_who_came_later() {
        for (what, words, expected) in [
            ("one batch, in its order", "a/x b/x c/x 9", "a b c"),
            ("a leaver behind a batch", "a/x b/x c/x 1 z/y 9", "a z b c"),
            ("several behind a batch, in their order", "a/x b/x c/x 1 y/y z/z 9", "a y z b c"),
            ("two batches, in turn", "a/x b/x c/x 1 k/y l/y m/y 9", "a k b l c m"),
            ("a batch that trickles in is not new each time", "a/x 1 b/x z/y 9", "a z b"),
            ("a run that goes on, and two new ones", "a/x b/x 1 k/y 1 c/x l/y z/z 9", "a k z b l c"),
            ("one that is known already", "a/x a/x 1 a/x 9", "a"),
            ("one that was finished, and is released once more", "a/x 1 a a/x 9", "a a"),
            ("one that is held again before its turn", "a/x b/x b 9", "a"),
        ] {
            assert_eq!(taken(words), expected, "{what}");
        }
    }

    #[test]
    fn what_could_not_be_finished_is_tried_again_behind_others_and_not_for_ever() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(released("a", "x"), "me", now);
        let mut at = now;
        for again in [true, true, false] {
            let next = queue.take(at).unwrap();
            assert_eq!(queue.again(next, at), again);
            assert_eq!(queue.take(at), None, "not before its time");
            at += LATER;
        }
        assert!(queue.is_done(at));
    }

    #[test]
    fn what_a_list_does_not_hold_is_forgotten() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.replace(vec![released("a", "x"), released("b", "x")], "me", now);
        queue.replace(vec![released("b", "x")], "me", now);
        assert_eq!(queue.take(now).map(|next| next.name).as_deref(), Some("b"));
        queue.replace(vec![], "me", now);
        queue.replace(vec![released("b", "x")], "me", now);
        assert_eq!(queue.take(now).map(|next| next.name).as_deref(), Some("b"), "it was finished meanwhile");
    }

    #[test]
    fn what_is_open_and_whose_it_is_stands_in_its_status_and_labels() {
        let found = |labels: serde_json::Value, status: serde_json::Value| {
            let revocation = json!({
                "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation",
                "metadata": {"name": "r", "uid": "u", "labels": labels},
                "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination",
                    "operation": "Cut", "due": "2026-01-01T00:00:00Z", "reason": "left"},
                "status": status,
            });
            Released::of(serde_json::from_value(revocation).unwrap())
        };
        let (run, batch) = (json!({names::RUN: "run"}), json!({names::RUN: "run", names::BATCH: "batch"}));
        let open = json!({"phase": "Released"});
        let claim = json!({"by": "other", "at": "2026-01-01T00:00:00Z"});
        let claimed = |status: serde_json::Value| found(json!({}), status).map(|found| found.claim.is_some());
        assert_eq!(found(json!({}), open.clone()).map(|found| found.lane).as_deref(), Some("r"));
        assert_eq!(found(run, open.clone()).map(|found| found.lane).as_deref(), Some("run"));
        assert_eq!(found(batch, open).map(|found| found.lane).as_deref(), Some("batch"));
        assert_eq!(found(json!({}), json!({"phase": "Held"})), None);
        assert_eq!(found(json!({}), json!({"phase": "Released", "finished": "Revoked"})), None);
        assert_eq!(claimed(json!({"phase": "Released", "claim": claim})), Some(true));
        let before = json!({"phase": "Released", "claim": claim, "attempt": 1, "finished": "Failed"});
        assert_eq!(claimed(before), Some(false), "the claim of an attempt that is over is nobody's");
    }

    #[test]
    fn a_claim_is_taken_over_only_when_this_process_saw_it_stand_still() {
        let claim = |by: &str, at: &str| Claim { by: by.to_owned(), at: at.parse().unwrap(), attempt: None };
        let (past, future) = (claim("other", "2001-01-01T00:00:00Z"), claim("other", "2999-01-01T00:00:00Z"));
        let start = Instant::now();
        for (what, looks, expected) in [
            ("nobody's", vec![(0, None)], Judged::Free),
            ("its own, of whatever time", vec![(0, Some(claim("me", "2999-01-01T00:00:00Z")))], Judged::Free),
            ("another's, seen first", vec![(0, Some(past.clone()))], Judged::Watched),
            ("still the same, for a while", vec![(0, Some(past.clone())), (19, Some(past.clone()))], Judged::Watched),
            ("still the same, for long", vec![(0, Some(past.clone())), (20, Some(past.clone()))], Judged::Silent),
            ("from a future clock", vec![(0, Some(future.clone())), (20, Some(future.clone()))], Judged::Silent),
            ("renewed", vec![(0, Some(past.clone())), (20, Some(future.clone()))], Judged::Alive),
            ("given up", vec![(0, Some(past)), (5, None)], Judged::Free),
        ] {
            let mut claims = Claims::default();
            let judged = looks
                .into_iter()
                .map(|(second, claim)| claims.judge("u", claim.as_ref(), "me", start + Duration::from_secs(second)));
            assert_eq!(judged.last(), Some(expected), "{what}");
        }
    }
}
