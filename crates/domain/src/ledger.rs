//! The ledger: what was let through and what was held, counted before anything is done.
//!
//! A run is counted as a whole: it is debited and released, or it becomes a batch that waits for an approval. People
//! of a batch that still waits count against later runs for a week, so that a held six does not let a seventh through;
//! their objects do not, so that nobody spends everybody's limit by annotating many. A plan that alone is over the limit
//! of objects waits alone. Leavers of a baseline are a batch from the start, and count only once approved. Leavers whose
//! last day two trusted responses announced a day apart are released without being counted: twenty exits on 31 December
//! are no accident.
//!
//! Two windows bound what is released without a human: the policy's own, and a week, in which no more than three times as
//! much may pass. Without the second, a fault that makes a few people leavers every day would never be held.
//!
//! What is counted is one plan of one Revocation, by hash and uid: a plan that changed since is counted again, and a
//! Revocation that was deleted and planned again is another one.
//!
//! The whole of it lies in one object of at most a megabyte. What waits is kept by name, so that it can be read; what was
//! released is kept in fourteen bytes each.

mod releases;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::releases::Releases;

/// How long a settled entry is kept beyond its window.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// The second window.
const LONG: SignedDuration = SignedDuration::from_hours(24 * 7);
/// How many times the limits may be released within the second window.
const LONG_FACTOR: u32 = 3;
/// How long a run waits for a leaver whose plan cannot be drawn, before the others are counted without it.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// Everything counted, by policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Entries by name of the policy, oldest first.
    pub policies: BTreeMap<String, Vec<LedgerEntry>>,
}

/// One count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// The run that was counted.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// The batch, if it was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Whether it is a baseline's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub baseline: bool,
    /// Whether it is of removals: their people were counted at the cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removal: bool,
    /// Whether its last days were announced long enough before: then it counts against no limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announced: bool,
    /// Revocations that wait, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<String, CountedPlan>,
    /// Revocations that were released, by when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub released: BTreeMap<Timestamp, Releases>,
}

/// One plan of one Revocation, as it is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedPlan {
    /// Uid of the Revocation.
    pub uid: String,
    /// The start of the plan's hash: as much as nobody can find another plan for.
    plan: String,
    /// Objects the plan touches.
    pub objects: u32,
}

impl CountedPlan {
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

/// 128 bits of a hash.
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

/// A run, or as much of it as can be counted.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Its id.
    pub id: &'a str,
    /// What is counted of it.
    pub of: Of,
    /// What each Revocation asks for, by name.
    pub revocations: &'a BTreeMap<String, CountedPlan>,
    /// Those of them whose last day was announced by two trusted responses a day apart.
    pub announced: &'a BTreeSet<String>,
    /// Leavers of the run that have no plan yet. They count as people here, and are counted themselves later.
    pub unplanned: u32,
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

/// Whether a run may be counted: every leaver of it has a plan, or the others have waited long enough for one that
/// cannot be drawn.
#[must_use]
pub fn countable(planned: u32, leavers: u32, began: Timestamp, now: Timestamp) -> bool {
    planned >= leavers || (planned > 0 && now.duration_since(began) >= PATIENCE)
}

impl Ledger {
    /// What a Revocation may do that would carry out exactly this plan.
    #[must_use]
    pub fn allowance(&self, policy: &str, revocation: &str, asked: &CountedPlan) -> Allowance {
        for entry in self.policies.get(policy).into_iter().flatten().rev() {
            if entry.has_released(revocation, asked) {
                return Allowance::Released { batch: entry.batch.clone() };
            }
            if entry.waiting.get(revocation) == Some(asked) {
                let held = |batch| Allowance::Held { batch, baseline: entry.baseline };
                return entry.batch.clone().map_or(Allowance::Uncounted, held);
            }
        }
        Allowance::Uncounted
    }

    /// Counts a run of which nobody was announced, as a whole.
    pub fn count(
        &mut self,
        policy: &str,
        run: &str,
        of: Of,
        revocations: &BTreeMap<String, CountedPlan>,
        limits: Limits,
        now: Timestamp,
    ) {
        let run = Run { id: run, of, revocations, announced: &BTreeSet::new(), unplanned: 0 };
        self.count_run(policy, &run, limits, now);
    }

    /// Counts a run as a whole: releases all of it, or freezes it as a batch. Counting it again changes nothing; what is
    /// new in it since is counted by itself, and a plan that was counted as another plan gives that place up.
    ///
    /// A plan that touches nothing has nothing to be held, but its person counts. Those who were announced are released
    /// apart, unless they came with a baseline.
    pub fn count_run(&mut self, policy: &str, run: &Run<'_>, limits: Limits, now: Timestamp) {
        let entries = self.policies.entry(policy.to_owned()).or_default();
        entries.retain(|entry| !entry.is_over(limits.window.max(LONG) + KEPT, now));
        let fresh: BTreeMap<&str, &CountedPlan> = run
            .revocations
            .iter()
            .filter(|(name, asked)| !entries.iter().any(|entry| entry.has(name, asked)))
            .map(|(name, asked)| (name.as_str(), asked))
            .collect();
        for (name, asked) in &fresh {
            entries.iter_mut().for_each(|entry| entry.give_up(name, asked));
        }
        let may_fit = run.of != Of::Baseline;
        let (alone, rest): (Vec<_>, Vec<_>) =
            fresh.into_iter().partition(|(_, asked)| may_fit && asked.objects > limits.objects);
        let (announced, together): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|(name, _)| run.of == Of::Leavers && run.announced.contains(*name));
        let people = if run.of == Of::Removals {
            0
        } else {
            count(alone.len()).saturating_add(count(together.len())).saturating_add(run.unplanned)
        };
        let objects = together.iter().fold(0_u32, |sum, (_, asked)| sum.saturating_add(asked.objects));
        let fits = may_fit && fits(entries, people, objects, limits, now);
        let (name, alone_name) = (batch(run, entries, ""), batch(run, entries, "-alone"));
        let parts =
            [(together, (!fits).then_some(name), false), (alone, Some(alone_name), false), (announced, None, true)];
        entries.extend(
            parts
                .into_iter()
                .filter(|(part, ..)| !part.is_empty())
                .map(|(part, batch, announced)| LedgerEntry::new(run, batch, announced, part, now)),
        );
        entries.retain(|entry| !entry.is_empty());
    }

    /// Debits exactly this approved plan and releases it, whatever the limits.
    pub fn approve(&mut self, policy: &str, revocation: &str, asked: &CountedPlan, now: Timestamp) {
        for entry in self.policies.get_mut(policy).into_iter().flatten() {
            if entry.waiting.get(revocation) == Some(asked) {
                entry.waiting.remove(revocation);
                entry.release(revocation, asked, now);
            }
        }
    }

    /// Forgets what waits and can never be released: `open` are the uids of the Revocations that exist and are not
    /// cancelled, of people who are neither protected nor unknown. Nobody is held behind the others.
    pub fn retain(&mut self, policy: &str, open: &BTreeSet<String>) {
        self.forget(policy, |_, asked| !open.contains(&asked.uid));
    }

    /// Takes a Revocation that waits out of the count: it was cancelled or rejected, or its person is protected or
    /// unknown. It is counted again should that change.
    pub fn withdraw(&mut self, policy: &str, revocation: &str) {
        self.forget(policy, |name, _| name == revocation);
    }

    fn forget(&mut self, policy: &str, which: impl Fn(&str, &CountedPlan) -> bool) {
        if let Some(entries) = self.policies.get_mut(policy) {
            entries.iter_mut().for_each(|entry| entry.waiting.retain(|name, asked| !which(name, asked)));
            entries.retain(|entry| !entry.is_empty());
        }
    }
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}

impl LedgerEntry {
    fn new(
        run: &Run<'_>,
        batch: Option<String>,
        announced: bool,
        part: Vec<(&str, &CountedPlan)>,
        now: Timestamp,
    ) -> Self {
        let held = batch.is_some();
        let mut entry = Self {
            run: run.id.to_owned(),
            at: now,
            batch,
            baseline: run.of == Of::Baseline,
            removal: run.of == Of::Removals,
            announced,
            waiting: BTreeMap::new(),
            released: BTreeMap::new(),
        };
        for (name, asked) in part {
            if held && asked.objects > 0 {
                entry.waiting.insert(name.to_owned(), asked.clone());
            } else {
                entry.release(name, asked, now);
            }
        }
        entry
    }

    fn release(&mut self, revocation: &str, asked: &CountedPlan, now: Timestamp) {
        // Releases of one second are one, which keeps the ledger small.
        let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
        self.released.entry(second).or_default().add(revocation, asked);
    }

    fn has_released(&self, revocation: &str, asked: &CountedPlan) -> bool {
        self.released.values().any(|releases| releases.has(revocation, asked))
    }

    fn has(&self, revocation: &str, asked: &CountedPlan) -> bool {
        self.waiting.get(revocation) == Some(asked) || self.has_released(revocation, asked)
    }

    /// Drops what this Revocation was counted for as another plan. What was released of another Revocation of that name,
    /// one that was deleted, stays counted: it may have been carried out.
    fn give_up(&mut self, revocation: &str, asked: &CountedPlan) {
        self.waiting.remove(revocation);
        self.released.values_mut().for_each(|releases| releases.forget(revocation, asked));
        self.released.retain(|_, releases| !releases.is_empty());
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.released.is_empty()
    }

    /// Whether nothing of it waits, and the last release is so long ago.
    fn is_over(&self, kept: SignedDuration, now: Timestamp) -> bool {
        let newest = self.released.keys().next_back().copied().unwrap_or(self.at);
        self.waiting.is_empty() && now.duration_since(newest) >= kept
    }
}

/// A name no other batch of the run has: what is counted later is not what somebody was shown before.
fn batch(run: &Run<'_>, entries: &[LedgerEntry], kind: &str) -> String {
    let removal = if run.of == Of::Removals { "-remove" } else { "" };
    let name = format!("b-{}{removal}{kind}", run.id.trim_start_matches("r-"));
    let taken = |name: &str| entries.iter().any(|entry| entry.batch.as_deref() == Some(name));
    let later = (2_u32..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.clone()).chain(later).find(|name| !taken(name)).unwrap_or(name)
}

/// Whether so much more is within the limits of both windows.
fn fits(entries: &[LedgerEntry], people: u32, objects: u32, limits: Limits, now: Timestamp) -> bool {
    let mut short = used(entries, limits.window, now, |_| true);
    short.people = short.people.saturating_add(waiting_people(entries, now));
    let long = used(entries, LONG, now, |entry| entry.batch.is_none());
    let within = |used: Used, factor: u32| {
        (people == 0 || used.people.saturating_add(people) <= limits.people.saturating_mul(factor))
            && (objects == 0 || used.objects.saturating_add(objects) <= limits.objects.saturating_mul(factor))
    };
    within(short, 1) && (limits.window >= LONG || within(long, LONG_FACTOR))
}

/// People and objects that count.
#[derive(Clone, Copy, Default)]
struct Used {
    people: u32,
    objects: u32,
}

/// What was released within a window, of the entries that are asked for. Announced leavers count nowhere, people of a
/// removal were counted at the cut, and somebody who left before the baseline and owned nothing is nobody to count. In
/// the long window only what no human looked at counts, or one approved lay-off would hold everybody for a week.
fn used(entries: &[LedgerEntry], window: SignedDuration, now: Timestamp, asked: impl Fn(&LedgerEntry) -> bool) -> Used {
    let mut used = Used::default();
    for entry in entries.iter().filter(|entry| !entry.announced && asked(entry)) {
        let within = entry.released.iter().filter(|(at, _)| now.duration_since(**at) < window);
        for objects in within.flat_map(|(_, releases)| releases.objects()) {
            let counts = !(entry.removal || entry.baseline && objects == 0);
            used.people = used.people.saturating_add(counts.into());
            used.objects = used.objects.saturating_add(objects.into());
        }
    }
    used
}

/// People who wait in a batch that is neither a baseline's nor of removals, and not for longer than the long window.
fn waiting_people(entries: &[LedgerEntry], now: Timestamp) -> u32 {
    let waiting = entries.iter().filter(|e| !e.baseline && !e.removal && now.duration_since(e.at) < LONG);
    waiting.fold(0_u32, |sum, entry| sum.saturating_add(count(entry.waiting.len())))
}

#[cfg(test)]
mod tests;
