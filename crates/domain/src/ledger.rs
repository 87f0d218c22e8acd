//! The ledger: what was let through and what was held, counted before anything is done.
//!
//! A run is counted as a whole: it is debited and released, or it becomes a batch that waits for an approval. People
//! of a batch that still waits count against later runs, so that a held six does not let a seventh through; their
//! objects do not, so that nobody spends everybody's limit by marking many. A plan that alone is over the limit of
//! objects waits alone. Leavers of a baseline are a batch from the start, and count only once approved.
//!
//! What is counted is one plan of one Revocation, by hash and uid: a plan that changed since is counted again, and a
//! Revocation that was deleted and planned again is another one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a settled entry is kept beyond its window.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Everything counted, by policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Entries by name of the policy, oldest first.
    pub policies: BTreeMap<String, Vec<Entry>>,
}

/// One count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The run that was counted.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// The batch, if it was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Whether it is a baseline's.
    #[serde(default)]
    pub baseline: bool,
    /// Whether it is of removals: their people were counted at the cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removal: bool,
    /// Each Revocation of it.
    pub revocations: BTreeMap<String, Share>,
}

/// One Revocation's share of a count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// What was counted. An entry written before this was kept is of no Revocation, and has to be counted again.
    #[serde(flatten)]
    pub asked: Asked,
    /// When it was released; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Timestamp>,
}

/// One plan of one Revocation, as it is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Uid of the Revocation.
    #[serde(default)]
    pub uid: String,
    /// The start of the plan's hash: as much as nobody can find another plan for.
    #[serde(default)]
    plan: String,
    /// Objects the plan touches.
    pub objects: u32,
}

impl Asked {
    /// The plan of this hash, of the Revocation with this uid.
    #[must_use]
    pub fn new(uid: &str, hash: &str, objects: u32) -> Self {
        Self { uid: uid.to_owned(), plan: short(hash).to_owned(), objects }
    }

    /// Whether it is this plan that was counted.
    #[must_use]
    pub fn is(&self, hash: &str) -> bool {
        !hash.is_empty() && self.plan == short(hash)
    }
}

/// 128 bits of a hash: the ledger is one object, and holds a thousand of them.
fn short(hash: &str) -> &str {
    hash.get(..32).unwrap_or(hash)
}

/// Whose Revocations are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Cuts of leavers.
    Leavers,
    /// Cuts of leavers who came with a baseline.
    Baseline,
    /// Removals of leavers whose cut was counted before.
    Removals,
}

/// What one Revocation may do, as far as counting goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// Not counted yet: its run has not been seen whole, or its plan is another one now.
    Uncounted,
    /// Released: by itself, or out of a batch by an approval, which the gate checks against the plan.
    Released {
        /// The batch it came out of.
        batch: Option<String>,
    },
    /// In a batch that waits for an approval.
    Held {
        /// The batch.
        batch: String,
        /// Whether it is a baseline's.
        baseline: bool,
    },
}

/// How much may be released without a human.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// People within the window.
    pub people: u32,
    /// Objects within the window.
    pub objects: u32,
    /// The window.
    pub window: SignedDuration,
}

/// `percent` of `known`, but no fewer than `at_least` and no more than `at_most`.
#[must_use]
pub fn allowed_people(percent: u32, at_least: u32, at_most: u32, known: u32) -> u32 {
    let share = u64::from(percent) * u64::from(known) / 100;
    u32::try_from(share).unwrap_or(u32::MAX).max(at_least).min(at_most)
}

impl Ledger {
    /// What a Revocation may do that would carry out exactly this plan.
    #[must_use]
    pub fn allowance(&self, policy: &str, revocation: &str, asked: &Asked) -> Allowance {
        for entry in self.policies.get(policy).into_iter().flatten().rev() {
            if let Some(share) = entry.revocations.get(revocation).filter(|share| share.asked == *asked) {
                return match (&entry.batch, share.released) {
                    (batch, Some(_)) => Allowance::Released { batch: batch.clone() },
                    (Some(batch), None) => Allowance::Held { batch: batch.clone(), baseline: entry.baseline },
                    (None, None) => Allowance::Uncounted,
                };
            }
        }
        Allowance::Uncounted
    }

    /// Counts a run as a whole: releases all of it, or freezes it as a batch. Counting it again changes nothing.
    ///
    /// A plan that touches nothing has nothing to be held, and one that was counted as another plan gives that place up.
    pub fn count(
        &mut self,
        policy: &str,
        run: &str,
        of: Of,
        revocations: &BTreeMap<String, Asked>,
        limits: Limits,
        now: Timestamp,
    ) {
        let entries = self.policies.entry(policy.to_owned()).or_default();
        entries.retain(|entry| !settled(entry) || now.duration_since(entry.at) < limits.window + KEPT);
        let fresh: BTreeMap<&String, &Asked> = revocations
            .iter()
            .filter(|(name, asked)| {
                !entries.iter().any(|entry| entry.revocations.get(*name).is_some_and(|share| share.asked == **asked))
            })
            .collect();
        if fresh.is_empty() {
            return;
        }
        for entry in entries.iter_mut() {
            // Of a Revocation that is gone, what was released stays counted: it may have been carried out.
            entry.revocations.retain(|name, share| {
                fresh.get(name).is_none_or(|asked| share.asked.uid != asked.uid && share.released.is_some())
            });
        }
        let people = if of == Of::Removals { 0 } else { u32::try_from(fresh.len()).unwrap_or(u32::MAX) };
        let (alone, together): (BTreeMap<_, _>, BTreeMap<_, _>) =
            fresh.into_iter().partition(|(_, asked)| of != Of::Baseline && asked.objects > limits.objects);
        let (used_people, used_objects) = used(entries, limits.window, now);
        let fits = of != Of::Baseline
            && (people == 0 || used_people.saturating_add(people) <= limits.people)
            && together.values().fold(used_objects, |sum, more| sum.saturating_add(more.objects)) <= limits.objects;
        let batch = batch(run, of);
        for (part, fits, batch) in [(together, fits, batch.clone()), (alone, false, format!("{batch}-alone"))] {
            if part.is_empty() {
                continue;
            }
            let share = |(name, asked): (&String, &Asked)| {
                let released = (fits || asked.objects == 0).then_some(now);
                (name.clone(), Share { asked: asked.clone(), released })
            };
            entries.push(Entry {
                run: run.to_owned(),
                at: now,
                batch: (!fits).then_some(batch),
                baseline: of == Of::Baseline,
                removal: of == Of::Removals,
                revocations: part.into_iter().map(share).collect(),
            });
        }
    }

    /// Debits exactly this approved plan and releases it, whatever the limits.
    pub fn approve(&mut self, policy: &str, revocation: &str, asked: &Asked, now: Timestamp) {
        for entry in self.policies.entry(policy.to_owned()).or_default() {
            if let Some(share) = entry.revocations.get_mut(revocation).filter(|share| share.asked == *asked) {
                share.released.get_or_insert(now);
            }
        }
    }

    /// Forgets what waits and whose Revocation (its uid) is gone: nobody can approve it any more.
    pub fn keep(&mut self, policy: &str, existing: &BTreeSet<String>) {
        for entry in self.policies.entry(policy.to_owned()).or_default() {
            entry.revocations.retain(|_, share| share.released.is_some() || existing.contains(&share.asked.uid));
        }
    }

    /// Takes a Revocation that was cancelled before it was released out of the count.
    pub fn withdraw(&mut self, policy: &str, revocation: &str) {
        for entry in self.policies.entry(policy.to_owned()).or_default() {
            if entry.revocations.get(revocation).is_some_and(|share| share.released.is_none()) {
                entry.revocations.remove(revocation);
            }
        }
    }
}

/// What those are called that one count holds together.
fn batch(run: &str, of: Of) -> String {
    let run = run.trim_start_matches("r-");
    if of == Of::Removals { format!("b-{run}-remove") } else { format!("b-{run}") }
}

fn settled(entry: &Entry) -> bool {
    entry.revocations.values().all(|share| share.released.is_some())
}

/// People and objects that count now. People: released within the window, or waiting in a batch that is no baseline's.
/// Objects: released within the window.
fn used(entries: &[Entry], window: SignedDuration, now: Timestamp) -> (u32, u32) {
    let shares = entries.iter().flat_map(|entry| entry.revocations.values().map(move |share| (entry, share)));
    shares.fold((0_u32, 0_u32), |(people, objects), (entry, share)| {
        let released = share.released.is_some_and(|at| now.duration_since(at) < window);
        let person = match share.released {
            _ if entry.removal => false,
            Some(_) => released && !(entry.baseline && share.asked.objects == 0),
            None => !entry.baseline,
        };
        let touched = if released { share.asked.objects } else { 0 };
        (people.saturating_add(person.into()), objects.saturating_add(touched))
    })
}

#[cfg(test)]
mod tests;
