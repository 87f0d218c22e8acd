//! The ledger: what was let through and what was held, counted before anything is done.
//!
//! A run is counted as a whole: it is debited and released, or it becomes a batch that waits for an approval. People
//! of a batch that still waits count against later runs, so that a held six does not let a seventh through; they do so
//! for a week at most. Their objects do not count, so that nobody spends everybody's limit by marking many, and a plan
//! that alone is over the limit of objects waits alone. Leavers of a baseline are a batch from the start, and count only once approved. Leavers whose
//! last day two trusted answers announced a day apart are let through without being counted: twenty exits on 31 December
//! are no accident.
//!
//! What is counted is one plan of one Revocation, by hash and uid: a plan that changed since is counted again, and a
//! Revocation that was deleted and planned again is another one.
//!
//! Two windows bound what is released without a human: the policy's own, and a week, in which no more than three times as
//! much may pass. Without the second, a fault that makes a few people leavers every day would never be held.
//!
//! The whole of it lies in one object of at most a megabyte. What waits is kept by name, so that it can be read; what was
//! released is kept by a short digest of name, uid and plan, twelve characters each.

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
    /// Whether it is of removals: their people were counted at the cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removal: bool,
    /// Revocations that wait, with the plan of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub waiting: BTreeMap<String, Asked>,
    /// Revocations that were released, by when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub released: BTreeMap<Timestamp, Release>,
}

impl Ledger {
    /// Names of the Revocations of which an earlier ledger said something else: what waited then or waits now and did not
    /// before. What is released now waited then, or was never counted; `None` where it is in the latter, so that
    /// everybody has to be asked.
    #[must_use]
    pub fn differs(&self, before: &Self) -> Option<BTreeSet<String>> {
        let waiting = |ledger: &Self| -> BTreeMap<String, Asked> {
            let entries = ledger.policies.values().flatten();
            entries.flat_map(|entry| entry.waiting.clone()).collect()
        };
        let released = |ledger: &Self| -> u32 {
            let releases = ledger.policies.values().flatten().flat_map(|entry| entry.released.values());
            releases.fold(0, |sum, release| sum.saturating_add(release.digests.len()))
        };
        let (then, now) = (waiting(before), waiting(self));
        let gone = then.iter().filter(|(name, asked)| now.get(*name) != Some(asked));
        let come = now.iter().filter(|(name, asked)| then.get(*name) != Some(asked));
        let names: BTreeSet<String> = gone.chain(come).map(|(name, _)| name.clone()).collect();
        let approved = u32::try_from(then.keys().filter(|name| !now.contains_key(*name)).count()).unwrap_or(u32::MAX);
        (released(self) <= released(before).saturating_add(approved)).then_some(names)
    }
}

/// What one release let through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Objects they touch, all together.
    pub objects: u32,
    /// Digests of the Revocations and their plans.
    pub digests: Digests,
}

/// Digests of plans, written one after the other: nine bytes, twelve characters each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digests(BTreeSet<[u8; WIDTH]>);

/// Bytes of a digest. Two of a million names share one with a probability below one in a billion.
const WIDTH: usize = 9;

impl Digests {
    fn insert(&mut self, digest: [u8; WIDTH]) {
        self.0.insert(digest);
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

fn digest(name: &str, asked: &Asked) -> [u8; WIDTH] {
    let whole = Sha256::digest(format!("{name}\0{}\0{}", asked.uid, asked.plan));
    let mut start = [0; WIDTH];
    start.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    start
}

/// One plan of one Revocation, as it is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Uid of the Revocation.
    pub uid: String,
    /// The plan's hash.
    pub plan: String,
    /// Objects the plan touches.
    pub objects: u32,
}

/// Whose Revocations are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// A run, or as much of it as can be counted.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Its id.
    pub id: &'a str,
    /// Whose Revocations these are.
    pub of: Of,
    /// The plan of each Revocation.
    pub revocations: &'a BTreeMap<String, Asked>,
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
    /// What a Revocation may do that would carry out exactly this plan.
    #[must_use]
    pub fn allowance(&self, policy: &str, revocation: &str, asked: &Asked) -> Allowance {
        let digest = digest(revocation, asked);
        for entry in self.policies.get(policy).into_iter().flatten() {
            if entry.has_released(&digest) {
                return Allowance::Released { batch: entry.batch.clone() };
            }
            if entry.waiting.get(revocation) == Some(asked) {
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
        of: Of,
        revocations: &BTreeMap<String, Asked>,
        limits: Limits,
        now: Timestamp,
    ) {
        let run = Run { id: run, of, revocations, announced: &BTreeSet::new(), unplanned: 0 };
        self.count_run(policy, &run, limits, now);
    }

    /// Counts a run as a whole: releases all of it, or freezes it as a batch. Counting it again changes nothing; what is
    /// new in it since, or planned otherwise, is counted by itself.
    ///
    /// Those who were announced are released beside it, unless they came with a baseline. A plan that touches nothing has
    /// nothing to be held. Of a plan that changed, what waits gives its place up, and what was released stays counted.
    pub fn count_run(&mut self, policy: &str, run: &Run<'_>, limits: Limits, now: Timestamp) {
        let entries = self.policies.entry(policy.to_owned()).or_default();
        entries.retain(|entry| !entry.is_over(limits.window.max(LONG) + KEPT, now));
        let fresh: Vec<_> = run
            .revocations
            .iter()
            .filter(|(name, asked)| !entries.iter().any(|entry| entry.has(name, asked)))
            .map(|(name, asked)| (name.clone(), asked.clone()))
            .collect();
        for (name, _) in &fresh {
            entries.iter_mut().for_each(|entry| drop(entry.waiting.remove(name)));
        }
        entries.retain(|entry| !entry.is_empty());
        let baseline = run.of == Of::Baseline;
        // Of a baseline's people, who owns nothing is no more to be counted than to be held.
        let (announced, counted): (Vec<_>, Vec<_>) = fresh
            .into_iter()
            .partition(|(name, asked)| if baseline { asked.objects == 0 } else { run.announced.contains(name) });
        let (alone, together): (Vec<_>, Vec<_>) =
            counted.into_iter().partition(|(_, asked)| !baseline && asked.objects > limits.objects);
        if !together.is_empty() {
            let more = u32::try_from(together.len().saturating_add(alone.len())).unwrap_or(u32::MAX);
            let people = if run.of == Of::Removals { 0 } else { more.saturating_add(run.unplanned) };
            let fits = !baseline && fits(entries, people, &together, limits, now);
            let batch = (!fits).then(|| batch(run.id, entries));
            entries.push(Entry::new(run, batch, false, together, now));
        }
        for one in alone {
            let batch = batch(run.id, entries);
            entries.push(Entry::new(run, Some(batch), false, vec![one], now));
        }
        if !announced.is_empty() {
            entries.push(Entry::new(run, None, true, announced, now));
        }
    }

    /// Debits exactly this approved plan and releases it, whatever the limits.
    pub fn approve(&mut self, policy: &str, revocation: &str, asked: &Asked, now: Timestamp) {
        for entry in self.policies.get_mut(policy).into_iter().flatten() {
            if entry.waiting.get(revocation) == Some(asked) {
                entry.waiting.remove(revocation);
                entry.release(revocation, asked, now);
            }
        }
    }

    /// Forgets what waits and can never be released: `open` are the uids of the Revocations that exist and are not
    /// cancelled, of people who are neither protected nor unknown. Nobody is held behind those others.
    pub fn keep(&mut self, policy: &str, open: &BTreeSet<String>) {
        self.forget(policy, |_, asked| !open.contains(&asked.uid));
    }

    /// Takes a Revocation that waits out of the count: it was cancelled, or its person is protected or unknown. It is
    /// counted again should that change.
    pub fn withdraw(&mut self, policy: &str, revocation: &str) {
        self.forget(policy, |name, _| name == revocation);
    }

    fn forget(&mut self, policy: &str, which: impl Fn(&str, &Asked) -> bool) {
        if let Some(entries) = self.policies.get_mut(policy) {
            entries.iter_mut().for_each(|entry| entry.waiting.retain(|name, asked| !which(name, asked)));
            entries.retain(|entry| !entry.is_empty());
        }
    }
}

impl Entry {
    fn new(
        run: &Run<'_>,
        batch: Option<String>,
        announced: bool,
        counted: Vec<(String, Asked)>,
        now: Timestamp,
    ) -> Self {
        let held = batch.is_some();
        let mut entry = Self {
            run: run.id.to_owned(),
            at: now,
            batch,
            baseline: run.of == Of::Baseline,
            announced,
            removal: run.of == Of::Removals,
            waiting: BTreeMap::new(),
            released: BTreeMap::new(),
        };
        for (name, asked) in counted {
            if held && asked.objects > 0 {
                entry.waiting.insert(name, asked);
            } else {
                entry.release(&name, &asked, now);
            }
        }
        entry
    }

    fn release(&mut self, revocation: &str, asked: &Asked, now: Timestamp) {
        let release = self.released.entry(whole_seconds(now)).or_default();
        release.objects = release.objects.saturating_add(asked.objects);
        release.digests.insert(digest(revocation, asked));
    }

    fn has_released(&self, digest: &[u8; WIDTH]) -> bool {
        self.released.values().any(|release| release.digests.contains(digest))
    }

    fn has(&self, revocation: &str, asked: &Asked) -> bool {
        self.waiting.get(revocation) == Some(asked) || self.has_released(&digest(revocation, asked))
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

/// Whether so many people more, and these objects, are within the limits of both windows. Removals bring no people.
fn fits(entries: &[Entry], people: u32, counted: &[(String, Asked)], limits: Limits, now: Timestamp) -> bool {
    let objects = counted.iter().fold(0_u32, |sum, (_, asked)| sum.saturating_add(asked.objects));
    let short = used(entries, limits.window, now, |_| true).plus(waits(entries, now));
    let long = used(entries, LONG, now, |entry| entry.batch.is_none());
    let within = |used: Used, factor: u32| {
        (people == 0 || used.people.saturating_add(people) <= limits.people.saturating_mul(factor))
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
    let releases = counted.flat_map(|entry| entry.released.iter().map(move |release| (entry, release)));
    releases.filter(|(_, (at, _))| now.duration_since(**at) < window).fold(
        Used::default(),
        |sum, (entry, (_, release))| {
            let people = if entry.removal { 0 } else { release.digests.len() };
            sum.plus(Used { people, objects: release.objects })
        },
    )
}

/// The people who wait in a batch that is no baseline's and have not waited for longer than the long window.
fn waits(entries: &[Entry], now: Timestamp) -> Used {
    let waiting = entries.iter().filter(|entry| !entry.baseline && !entry.removal);
    let waiting = waiting.filter(|entry| now.duration_since(entry.at) < LONG);
    let people = waiting.map(|entry| u32::try_from(entry.waiting.len()).unwrap_or(u32::MAX));
    Used { people: people.fold(0, u32::saturating_add), objects: 0 }
}

#[cfg(test)]
mod tests;
