//! The ledger: what was let through and what was held, counted before anything is done.
//!
//! A run is counted as a whole: it is debited and released, or it becomes a batch that waits for an approval. People
//! of a batch that still waits count against later runs, so that a held six does not let a seventh through.
//! Leavers of a baseline are a batch from the start, and count only once approved.

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
    /// Each Revocation of it.
    pub revocations: BTreeMap<String, Share>,
}

/// One Revocation's share of a count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Objects it touches.
    pub objects: u32,
    /// When it was released; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Timestamp>,
}

/// What one Revocation may do, as far as counting goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// Not counted yet: its run has not been seen whole.
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
    /// What a Revocation may do.
    #[must_use]
    pub fn allowance(&self, policy: &str, revocation: &str) -> Allowance {
        let entries = self.policies.get(policy).into_iter().flatten();
        for entry in entries {
            if let Some(share) = entry.revocations.get(revocation) {
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
    pub fn count(
        &mut self,
        policy: &str,
        run: &str,
        baseline: bool,
        revocations: &BTreeMap<String, u32>,
        limits: Limits,
        now: Timestamp,
    ) {
        let entries = self.policies.entry(policy.to_owned()).or_default();
        entries.retain(|entry| !settled(entry) || now.duration_since(entry.at) < limits.window + KEPT);
        let counted = |name: &String| entries.iter().any(|entry| entry.revocations.contains_key(name));
        let fresh: BTreeMap<&String, u32> =
            revocations.iter().filter(|(name, _)| !counted(name)).map(|(n, o)| (n, *o)).collect();
        if fresh.is_empty() {
            return;
        }
        let (people, objects) = used(entries, limits.window, now);
        let fits = !baseline
            && people.saturating_add(u32::try_from(fresh.len()).unwrap_or(u32::MAX)) <= limits.people
            && fresh.values().fold(objects, |sum, more| sum.saturating_add(*more)) <= limits.objects;
        let released = fits.then_some(now);
        entries.push(Entry {
            run: run.to_owned(),
            at: now,
            batch: (!fits).then(|| format!("b-{}", run.trim_start_matches("r-"))),
            baseline,
            revocations: fresh.into_iter().map(|(name, objects)| (name.clone(), Share { objects, released })).collect(),
        });
    }

    /// Debits an approved Revocation and releases it, whatever the limits.
    pub fn approve(&mut self, policy: &str, revocation: &str, now: Timestamp) {
        for entry in self.policies.entry(policy.to_owned()).or_default() {
            if let Some(share) = entry.revocations.get_mut(revocation) {
                share.released.get_or_insert(now);
            }
        }
    }

    /// Forgets what waits and whose Revocation is gone: nobody can approve it any more.
    pub fn keep(&mut self, policy: &str, existing: &BTreeSet<String>) {
        for entry in self.policies.entry(policy.to_owned()).or_default() {
            entry.revocations.retain(|name, share| share.released.is_some() || existing.contains(name));
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

fn settled(entry: &Entry) -> bool {
    entry.revocations.values().all(|share| share.released.is_some())
}

/// People and objects that count now: released within the window, or waiting in a batch that is no baseline's.
fn used(entries: &[Entry], window: SignedDuration, now: Timestamp) -> (u32, u32) {
    let counts = |entry: &Entry, share: &Share| match share.released {
        Some(at) => now.duration_since(at) < window,
        None => !entry.baseline,
    };
    entries
        .iter()
        .flat_map(|entry| entry.revocations.values().filter(move |share| counts(entry, share)))
        .fold((0_u32, 0_u32), |(people, objects), share| {
            (people.saturating_add(1), objects.saturating_add(share.objects))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { people: 2, objects: 200, window: SignedDuration::from_hours(24) };

    fn names(names: &[&str]) -> BTreeMap<String, u32> {
        names.iter().map(|name| ((*name).to_owned(), 3)).collect()
    }

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour)
    }

    #[test]
    fn six_of_ten_are_held_as_one_batch_and_the_seventh_is_the_next() {
        let mut ledger = Ledger::default();
        let six = names(&["a", "b", "c", "d", "e", "f"]);
        ledger.count("everyone", "r-1", false, &six, LIMITS, at(0));
        ledger.count("everyone", "r-2", false, &names(&["g"]), LIMITS, at(1));
        for name in six.keys() {
            assert_eq!(
                ledger.allowance("everyone", name),
                Allowance::Held { batch: "b-1".into(), baseline: false },
                "{name}"
            );
            ledger.approve("everyone", name, at(2));
            assert_eq!(ledger.allowance("everyone", name), Allowance::Released { batch: Some("b-1".into()) }, "{name}");
        }
        assert_eq!(ledger.allowance("everyone", "g"), Allowance::Held { batch: "b-2".into(), baseline: false });
    }

    #[test]
    fn one_at_a_time_is_held_from_the_third_until_the_window_has_passed() {
        let mut ledger = Ledger::default();
        for (hour, name, released) in [(0, "a", true), (1, "b", true), (2, "c", false), (30, "d", true)] {
            ledger.count("p", &format!("r-{name}"), false, &names(&[name]), LIMITS, at(hour));
            assert_eq!(matches!(ledger.allowance("p", name), Allowance::Released { .. }), released, "{name}");
            ledger.withdraw("p", name);
        }
    }

    #[test]
    fn the_waiting_of_a_baseline_hold_back_nobody_else() {
        let mut ledger = Ledger::default();
        ledger.count("p", "r-0", true, &names(&["x", "y", "z"]), LIMITS, at(0));
        ledger.count("p", "r-1", false, &names(&["a"]), LIMITS, at(1));
        assert_eq!(ledger.allowance("p", "a"), Allowance::Released { batch: None });
        assert_eq!(ledger.allowance("p", "x"), Allowance::Held { batch: "b-0".into(), baseline: true });
    }

    #[test]
    fn too_many_objects_hold_as_well() {
        let mut ledger = Ledger::default();
        ledger.count("p", "r-1", false, &BTreeMap::from([("a".into(), 201)]), LIMITS, at(0));
        assert!(matches!(ledger.allowance("p", "a"), Allowance::Held { .. }));
    }

    #[test]
    fn who_waits_and_is_gone_counts_no_more() {
        let mut ledger = Ledger::default();
        ledger.count("p", "r-1", false, &names(&["a", "b", "c"]), LIMITS, at(0));
        ledger.keep("p", &BTreeSet::new());
        ledger.count("p", "r-2", false, &names(&["d"]), LIMITS, at(1));
        assert_eq!(ledger.allowance("p", "d"), Allowance::Released { batch: None });
    }

    #[test]
    fn counting_again_changes_nothing() {
        let mut once = Ledger::default();
        once.count("p", "r-1", false, &names(&["a", "b"]), LIMITS, at(0));
        let mut twice = once.clone();
        twice.count("p", "r-1", false, &names(&["a", "b"]), LIMITS, at(1));
        assert_eq!(once, twice);
    }

    #[test]
    fn the_share_of_the_people_has_a_floor_and_a_ceiling() {
        for (known, expected) in [(0, 2), (10, 2), (500, 10), (5000, 20)] {
            assert_eq!(allowed_people(2, 2, 20, known), expected, "{known}");
        }
    }
}
