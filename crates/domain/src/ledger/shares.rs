//! What was counted, in fifteen bytes each: the whole ledger lies in one object of at most a megabyte.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::CountedPlan;
use super::limits::Sums;

/// Whose share it is: the start of a digest over name and uid of the Revocation. Two of a million share one with a
/// probability below one in a hundred thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who([u8; 7]);

impl Who {
    /// The Revocation of this name and uid.
    #[must_use]
    pub fn of(name: &str, uid: &str) -> Self {
        Self(start(&format!("{name}\n{uid}")))
    }
}

/// Which plan, and how much it touches. A plan's hash covers uids that the API server makes, so nobody can look for
/// another plan with the same start but by creating objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    plan: [u8; 5],
    objects: u32,
    workloads: u32,
}

impl From<&CountedPlan> for Share {
    fn from(asked: &CountedPlan) -> Self {
        Self { plan: start(&asked.plan), objects: asked.objects.min(MOST), workloads: asked.workloads.min(MOST) }
    }
}

/// Shares of several Revocations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shares(BTreeMap<Who, Share>);

/// Bytes of one share.
const WIDTH: usize = 15;
/// More objects than a plan holds; both counts of a share go into three bytes.
const MOST: u32 = 0xfff;

impl From<Shares> for String {
    fn from(shares: Shares) -> Self {
        let bytes = shares.0.into_iter().flat_map(|(who, share)| {
            let counts = (share.objects << 12 | share.workloads).to_be_bytes();
            who.0.into_iter().chain(share.plan).chain(counts.into_iter().skip(1)).collect::<Vec<u8>>()
        });
        data_encoding::BASE64.encode(&bytes.collect::<Vec<u8>>())
    }
}

impl TryFrom<String> for Shares {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).map_err(|_| "no list of shares")?;
        let (all, rest) = bytes.as_chunks::<WIDTH>();
        if !rest.is_empty() {
            return Err("half a share");
        }
        let one = |bytes: &[u8; WIDTH]| {
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = *bytes;
            let counts = u32::from_be_bytes([0, m, n, o]);
            (
                Who([a, b, c, d, e, f, g]),
                Share { plan: [h, i, j, k, l], objects: counts >> 12, workloads: counts & MOST },
            )
        };
        Ok(Self(all.iter().map(one).collect()))
    }
}

/// The start of a digest.
fn start<const N: usize>(text: &str) -> [u8; N] {
    let whole = Sha256::digest(text);
    let mut start = [0; N];
    start.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    start
}

impl Shares {
    /// Each of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Who, Share)> {
        self.0.iter().map(|(who, share)| (*who, *share))
    }

    /// Takes in the share of this plan.
    pub(super) fn add(&mut self, who: Who, asked: &CountedPlan) {
        self.0.insert(who, asked.into());
    }

    /// Whether this very plan is among them.
    pub(super) fn has(&self, who: Who, asked: &CountedPlan) -> bool {
        self.0.get(&who) == Some(&asked.into())
    }

    /// Drops the share of this Revocation, of whatever plan, and says whether there was one.
    pub(super) fn drop(&mut self, who: Who) -> bool {
        self.0.remove(&who).is_some()
    }

    /// Drops the shares of all Revocations but these, and gives what each of them touched.
    pub(super) fn keep_only(&mut self, open: &BTreeSet<Who>) -> Vec<Sums> {
        let (kept, gone) = std::mem::take(&mut self.0).into_iter().partition(|(who, _)| open.contains(who));
        self.0 = kept;
        Self(gone).touched().collect()
    }

    /// Takes in all of the others.
    pub(super) fn join(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What each of them touches, of one person each.
    pub(super) fn touched(&self) -> impl Iterator<Item = Sums> {
        self.0.values().map(|share| Sums { people: 1, objects: share.objects, workloads: share.workloads })
    }
}
