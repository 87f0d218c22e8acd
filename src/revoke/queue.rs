//! What is released and not taken up yet, and whose claims on it are still alive.
//!
//! A claim is judged by this process' own clock: how long ago it *saw* the claim change. Another node's clock may be
//! hours off, and says nothing.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use kube::api::ListParams;
use tokio::time::Instant;

use super::Context;
use crate::api::Revocation;
use crate::api::revocation::{Claim, Phase};
use crate::kube::inventory::list_each;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;

/// How often new work is looked for,
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// and how much less often for each Revocation that is under way, up to a bound: a look lists all of those as well.
const LESS_OFTEN: Duration = Duration::from_millis(10);
/// The bound.
const MAX_LOOK_AGAIN: Duration = Duration::from_secs(10);
/// After this long without a change another process may take a claim over: every act is safe when two act.
const SILENT: Duration = Duration::from_secs(20);

/// One Revocation that waits to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The claim of a process that fell silent.
    pub silent: Option<Claim>,
}

/// The queue of one run.
#[derive(Default)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    taken: BTreeSet<String>,
    claims: Claims,
    listed: Option<Instant>,
    /// How many the last look found.
    found: u32,
}

impl Queue {
    /// Looks for new work, if everything known was taken and it was not looked for just now. `idle`: nothing is under way,
    /// so this is the last look.
    pub async fn refill(&mut self, ctx: &Context, idle: bool) -> Result<(), Fault> {
        let pause = pause(if idle { 0 } else { self.found });
        if !self.waiting.is_empty() || self.listed.is_some_and(|listed| listed.elapsed() < pause) {
            return Ok(());
        }
        let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
        let params = ListParams::default().fields("status.phase=Released");
        let found = list_each(&api, &params, |revocation: Revocation| {
            let status = revocation.status?;
            let open = status.phase == Some(Phase::Released) && status.outcome().is_none();
            open.then_some((revocation.metadata.name?, revocation.metadata.uid?, status.claim))
        })
        .await?;
        let now = Instant::now();
        self.listed = Some(now);
        self.found = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let still_there: BTreeSet<&String> = found.iter().map(|(_, uid, _)| uid).collect();
        self.claims.0.retain(|uid, _| still_there.contains(uid));
        for (name, uid, claim) in found {
            if self.taken.contains(&uid) {
                continue;
            }
            let silent = match self.claims.judge(&uid, claim.as_ref(), &ctx.me, now) {
                Judged::Free => None,
                Judged::Silent => claim,
                Judged::Watched => continue,
                Judged::Alive => {
                    self.taken.insert(uid);
                    continue;
                }
            };
            self.waiting.push_back(Waiting { name, uid, silent });
        }
        Ok(())
    }

    /// The next one.
    pub fn take(&mut self) -> Option<Waiting> {
        let next = self.waiting.pop_front()?;
        self.taken.insert(next.uid.clone());
        self.claims.0.remove(&next.uid);
        Some(next)
    }

    /// Whether there is nothing to take, and no claim that might turn out to be a dead process'.
    pub fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.claims.0.is_empty()
    }
}

/// Time between two looks.
fn pause(under_way: u32) -> Duration {
    (LOOK_AGAIN + LESS_OFTEN.saturating_mul(under_way)).min(MAX_LOOK_AGAIN)
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
    use super::*;

    #[test]
    fn new_work_is_looked_for_less_often_the_more_a_look_has_to_list() {
        for (under_way, milliseconds) in [(0, 1_000), (1, 1_010), (100, 2_000), (1_000, 10_000), (u32::MAX, 10_000)] {
            assert_eq!(pause(under_way), Duration::from_millis(milliseconds), "{under_way}");
        }
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
