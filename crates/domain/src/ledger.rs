//! The ledger: what was let through and what was held, counted before anything is done.
//!
//! A run is counted as a whole: it is debited and released, or it becomes a batch that waits for an approval. People
//! of a batch that still waits count against later runs, so that a held six does not let a seventh through; they do so
//! for a week at most. Leavers of a baseline are a batch from the start, and count only once approved. Leavers whose
//! last day two trusted answers announced a day apart are let through without being counted: twenty exits on 31 December
//! are no accident.
//!
//! Two windows bound what is released without a human: the policy's own, and a week, in which no more than three times as
//! much may pass. Without the second, a fault that makes a few people leavers every day would never be held.
//!
//! The whole of it lies in one object of at most a megabyte. What waits is kept by name, so that it can be read; what was
//! released is kept by a short digest of its name, twelve characters each.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub baseline: bool,
    /// Whether its last days were announced long enough before: then it counts against no limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announced: bool,
    /// Revocations that wait, with the objects each touches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<String, u32>,
    /// Revocations that were released, by when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub released: BTreeMap<Timestamp, Release>,
}

/// What one release let through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Objects they touch, all together.
    pub objects: u32,
    /// Digests of the Revocations' names.
    pub digests: Digests,
}

/// Digests of names, written one after the other: nine bytes, twelve characters each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digests(BTreeSet<[u8; WIDTH]>);

/// Bytes of a digest. Two of a million names share one with a probability below one in a billion.
const WIDTH: usize = 9;

impl Digests {
    fn insert(&mut self, name: &str) {
        self.0.insert(digest(name));
    }

    fn contains(&self, digest: &[u8; WIDTH]) -> bool {
        self.0.contains(digest)
    }

    fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

impl From<Digests> for String {
    fn from(digests: Digests) -> Self {
        data_encoding::BASE64.encode(&digests.0.into_iter().flatten().collect::<Vec<u8>>())
    }
}

impl TryFrom<String> for Digests {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).map_err(|_| "no list of digests")?;
        let (digests, rest) = bytes.as_chunks::<WIDTH>();
        if rest.is_empty() { Ok(Self(digests.iter().copied().collect())) } else { Err("half a digest") }
    }
}

fn digest(name: &str) -> [u8; WIDTH] {
    let whole = Sha256::digest(name);
    let mut start = [0; WIDTH];
    start.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    start
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

/// A run, or as much of it as can be counted.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whether these came with a baseline.
    pub baseline: bool,
    /// Objects by Revocation.
    pub revocations: &'a BTreeMap<String, u32>,
    /// Those of them whose last day was announced by two trusted answers a day apart.
    pub announced: &'a BTreeSet<String>,
    /// Leavers of the run that have no plan yet. They count as people here, and are counted themselves later.
    pub unplanned: u32,
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
    /// What a Revocation may do.
    #[must_use]
    pub fn allowance(&self, policy: &str, revocation: &str) -> Allowance {
        let digest = digest(revocation);
        for entry in self.policies.get(policy).into_iter().flatten() {
            if entry.has_released(&digest) {
                return Allowance::Released { batch: entry.batch.clone() };
            }
            if entry.waiting.contains_key(revocation) {
                return entry
                    .batch
                    .clone()
                    .map_or(Allowance::Uncounted, |batch| Allowance::Held { batch, baseline: entry.baseline });
            }
        }
        Allowance::Uncounted
    }

    /// Counts a run of which nobody was announced, as a whole.
    pub fn count(
        &mut self,
        policy: &str,
        run: &str,
        baseline: bool,
        revocations: &BTreeMap<String, u32>,
        limits: Limits,
        now: Timestamp,
    ) {
        let run = Run { id: run, baseline, revocations, announced: &BTreeSet::new(), unplanned: 0 };
        self.count_run(policy, &run, limits, now);
    }

    /// Counts a run as a whole: releases all of it, or freezes it as a batch. Counting it again changes nothing; what is
    /// new in it since is counted by itself.
    ///
    /// Those who were announced are released beside it, unless they came with a baseline.
    pub fn count_run(&mut self, policy: &str, run: &Run<'_>, limits: Limits, now: Timestamp) {
        let entries = self.policies.entry(policy.to_owned()).or_default();
        entries.retain(|entry| !entry.is_over(limits.window.max(LONG) + KEPT, now));
        let fresh = run.revocations.iter().filter(|(name, _)| !entries.iter().any(|entry| entry.has(name)));
        let (announced, counted): (Vec<_>, Vec<_>) = fresh
            .map(|(name, objects)| (name.clone(), *objects))
            .partition(|(name, _)| !run.baseline && run.announced.contains(name));
        if !counted.is_empty() {
            let fits = !run.baseline && fits(entries, &counted, run.unplanned, limits, now);
            let batch = (!fits).then(|| batch(run.id, entries));
            entries.push(Entry::new(run, batch, false, counted, now));
        }
        if !announced.is_empty() {
            entries.push(Entry::new(run, None, true, announced, now));
        }
    }

    /// Debits an approved Revocation and releases it, whatever the limits.
    pub fn approve(&mut self, policy: &str, revocation: &str, now: Timestamp) {
        for entry in self.policies.get_mut(policy).into_iter().flatten() {
            if let Some(objects) = entry.waiting.remove(revocation) {
                entry.release(revocation, objects, now);
            }
        }
    }

    /// Forgets what waits and can never be released: `open` are the Revocations that exist and are not cancelled, of
    /// people who are neither protected nor unknown. Nobody is held behind those others.
    pub fn keep(&mut self, policy: &str, open: &BTreeSet<String>) {
        self.forget(policy, |name| !open.contains(name));
    }

    /// Takes a Revocation that waits out of the count: it was cancelled, or its person is protected or unknown. It is
    /// counted again should that change.
    pub fn withdraw(&mut self, policy: &str, revocation: &str) {
        self.forget(policy, |name| name == revocation);
    }

    fn forget(&mut self, policy: &str, which: impl Fn(&str) -> bool) {
        if let Some(entries) = self.policies.get_mut(policy) {
            entries.iter_mut().for_each(|entry| entry.waiting.retain(|name, _| !which(name)));
            entries.retain(|entry| !(entry.waiting.is_empty() && entry.released.is_empty()));
        }
    }
}

impl Entry {
    fn new(run: &Run<'_>, batch: Option<String>, announced: bool, counted: Vec<(String, u32)>, now: Timestamp) -> Self {
        let held = batch.is_some();
        let mut entry = Self {
            run: run.id.to_owned(),
            at: now,
            batch,
            baseline: run.baseline,
            announced,
            waiting: BTreeMap::new(),
            released: BTreeMap::new(),
        };
        for (name, objects) in counted {
            if held {
                entry.waiting.insert(name, objects);
            } else {
                entry.release(&name, objects, now);
            }
        }
        entry
    }

    fn release(&mut self, revocation: &str, objects: u32, now: Timestamp) {
        let release = self.released.entry(whole_seconds(now)).or_default();
        release.objects = release.objects.saturating_add(objects);
        release.digests.insert(revocation);
    }

    fn has_released(&self, digest: &[u8; WIDTH]) -> bool {
        self.released.values().any(|release| release.digests.contains(digest))
    }

    fn has(&self, revocation: &str) -> bool {
        self.waiting.contains_key(revocation) || self.has_released(&digest(revocation))
    }

    /// Whether nothing of it waits, and the last release is so long ago.
    fn is_over(&self, kept: SignedDuration, now: Timestamp) -> bool {
        let newest = self.released.keys().next_back().copied().unwrap_or(self.at);
        self.waiting.is_empty() && now.duration_since(newest) >= kept
    }
}

/// Releases of one second are one, which keeps the ledger small.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// A name no other batch of the run has: what is counted later is not what somebody was shown before.
fn batch(run: &str, entries: &[Entry]) -> String {
    let name = format!("b-{}", run.trim_start_matches("r-"));
    match entries.iter().filter(|entry| entry.run == run && entry.batch.is_some()).count() {
        0 => name,
        earlier => format!("{name}-{}", earlier + 1),
    }
}

/// Whether so much more is within the limits of both windows.
fn fits(entries: &[Entry], counted: &[(String, u32)], unplanned: u32, limits: Limits, now: Timestamp) -> bool {
    let more = u32::try_from(counted.len()).unwrap_or(u32::MAX).saturating_add(unplanned);
    let objects = counted.iter().fold(0_u32, |sum, (_, objects)| sum.saturating_add(*objects));
    let short = used(entries, limits.window, now, |_| true).plus(waits(entries, now));
    let long = used(entries, LONG, now, |entry| entry.batch.is_none());
    let within = |used: Used, factor: u32| {
        used.people.saturating_add(more) <= limits.people.saturating_mul(factor)
            && used.objects.saturating_add(objects) <= limits.objects.saturating_mul(factor)
    };
    within(short, 1) && (limits.window >= LONG || within(long, LONG_FACTOR))
}

/// People and objects that count.
#[derive(Clone, Copy, Default)]
struct Used {
    people: u32,
    objects: u32,
}

impl Used {
    const fn plus(self, other: Self) -> Self {
        Self { people: self.people.saturating_add(other.people), objects: self.objects.saturating_add(other.objects) }
    }
}

/// What was released within a window, of the entries that are asked for. Announced leavers count nowhere. In the long
/// window only what no human looked at counts, or one approved lay-off would hold everybody for a week.
fn used(entries: &[Entry], window: SignedDuration, now: Timestamp, asked: impl Fn(&Entry) -> bool) -> Used {
    let counted = entries.iter().filter(|entry| !entry.announced && asked(entry));
    let releases = counted.flat_map(|entry| &entry.released).filter(|(at, _)| now.duration_since(**at) < window);
    releases.fold(Used::default(), |sum, (_, release)| {
        sum.plus(Used { people: release.digests.len(), objects: release.objects })
    })
}

/// What waits in a batch that is no baseline's, and has not waited for longer than the long window.
fn waits(entries: &[Entry], now: Timestamp) -> Used {
    let waiting = entries.iter().filter(|entry| !entry.baseline && now.duration_since(entry.at) < LONG);
    waiting
        .flat_map(|entry| entry.waiting.values())
        .fold(Used::default(), |sum, objects| sum.plus(Used { people: 1, objects: *objects }))
}

#[cfg(test)]
mod tests;
