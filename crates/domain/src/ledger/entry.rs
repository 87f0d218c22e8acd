//! One count of the ledger: a run, or a part of it that is released or held together.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::history::up_to;
use super::limits::{Over, Sums};
use super::shares::{Shares, Who};
use super::{CountedPlan, Fresh, Of, Run};

/// How long a share that was released is remembered by name, however long its Revocation stays open. Then it is counted
/// again before it acts.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 62);
/// What was released so lately is remembered by name whatever is said to be over: who says so may not have seen it yet.
const SETTLED: SignedDuration = SignedDuration::from_mins(10);
/// Most instants of release that one entry knows: what is approved one by one takes no more room than what is approved at
/// once.
pub(super) const INSTANTS: usize = 48;

/// One count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// The run that was counted.
    pub(super) run: String,
    /// When.
    pub(super) at: Timestamp,
    /// The batch, if it was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) batch: Option<String>,
    /// The limit it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<Over>,
    /// Whether it is a baseline's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) baseline: bool,
    /// Whether it is of removals: their people were counted at the cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) removal: bool,
    /// Whether its last days were announced long enough before: then it counts against no limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) announced: bool,
    /// Revocations that wait.
    #[serde(default, skip_serializing_if = "Shares::is_empty")]
    pub(super) waiting: Shares,
    /// Revocations that were released, by when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) released: BTreeMap<Timestamp, Shares>,
}

impl Entry {
    pub(super) fn new(
        run: &Run<'_>,
        batch: Option<String>,
        limit: Option<Over>,
        announced: bool,
        part: Fresh<'_>,
        now: Timestamp,
    ) -> Self {
        let held = batch.is_some();
        let mut entry = Self {
            run: run.id.to_owned(),
            at: up_to(now, 1),
            batch,
            limit,
            baseline: run.of == Of::Baseline,
            removal: run.of == Of::Removals,
            announced,
            waiting: Shares::default(),
            released: BTreeMap::new(),
        };
        for (name, asked) in part {
            let who = Who::of(name, &asked.uid);
            if held && asked.objects > 0 {
                entry.waiting.add(who, asked);
            } else {
                entry.release(who, asked, now);
            }
        }
        entry
    }

    /// Notes the release, at the end of this minute: a share counts a few seconds longer, and never shorter.
    pub(super) fn release(&mut self, who: Who, asked: &CountedPlan, now: Timestamp) {
        self.released.entry(up_to(now, 60)).or_default().add(who, asked);
        while self.released.len() > INSTANTS
            && let Some((_, oldest)) = self.released.pop_first()
            && let Some(mut next) = self.released.first_entry()
        {
            next.get_mut().join(oldest);
        }
    }

    pub(super) fn has_released(&self, who: Who, asked: &CountedPlan) -> bool {
        self.released.values().any(|shares| shares.has(who, asked))
    }

    /// Drops what this Revocation was counted for as another plan. What was released of another Revocation of that name,
    /// one that was deleted, stays counted: it may have been carried out.
    pub(super) fn give_up(&mut self, who: Who) {
        self.waiting.drop(who);
        self.forget_released(who);
    }

    pub(super) fn forget_released(&mut self, who: Who) {
        self.released.values_mut().for_each(|shares| {
            shares.drop(who);
        });
        self.released.retain(|_, shares| !shares.is_empty());
    }

    /// Forgets by name what was released of Revocations that are over, and gives how much that was, and when.
    pub(super) fn close(&mut self, open: &BTreeSet<Who>, now: Timestamp) -> Vec<(Timestamp, Sums)> {
        let mut over = Vec::new();
        for (at, shares) in self.released.iter_mut().filter(|(at, _)| now.duration_since(**at) >= SETTLED) {
            for touched in shares.keep_only(open) {
                over.push((*at, touched));
            }
        }
        self.released.retain(|_, shares| !shares.is_empty());
        over.into_iter().map(|(at, touched)| (at, self.counts(touched))).collect()
    }

    /// How much of one share counts. Announced leavers count nowhere, people of a removal were counted at the cut, and
    /// somebody who left before the baseline and owned nothing is nobody to count.
    pub(super) fn counts(&self, touched: Sums) -> Sums {
        match (self.announced, self.removal || self.baseline && touched.objects == 0) {
            (true, _) => Sums::default(),
            (false, true) => Sums { people: 0, ..touched },
            (false, false) => touched,
        }
    }

    pub(super) fn within(&self, window: SignedDuration, now: Timestamp) -> Sums {
        let within = self.released.iter().filter(|(at, _)| now.duration_since(**at) < window);
        let touched = within.flat_map(|(_, shares)| shares.touched());
        touched.fold(Sums::default(), |sum, touched| sum.plus(self.counts(touched)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.released.is_empty()
    }

    /// Whether nothing of it waits, and the last release is so long ago.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        let newest = self.released.keys().next_back().copied().unwrap_or(self.at);
        self.waiting.is_empty() && now.duration_since(newest) >= REMEMBERED
    }
}
