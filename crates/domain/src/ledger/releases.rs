//! What was released, in fourteen bytes each: the whole ledger lies in one object of at most a megabyte.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::CountedPlan;

/// Who was released: the start of a digest over name and uid of the Revocation. Two of a million share one with a
/// probability below one in a hundred thousand.
type Who = [u8; 7];
/// Which plan: the start of a digest over its hash. A plan's hash covers uids that the API server makes, so nobody can
/// look for another plan with the same start but by creating objects.
type Which = [u8; 5];

/// What was released at once: who, which plan, and how many objects it touches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Releases(BTreeMap<Who, (Which, u16)>);

/// Bytes of one release.
const WIDTH: usize = 14;

impl From<Releases> for String {
    fn from(releases: Releases) -> Self {
        let bytes = releases.0.into_iter().flat_map(|(who, (which, objects))| {
            who.into_iter().chain(which).chain(objects.to_be_bytes()).collect::<Vec<u8>>()
        });
        data_encoding::BASE64.encode(&bytes.collect::<Vec<u8>>())
    }
}

impl TryFrom<String> for Releases {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).map_err(|_| "no list of releases")?;
        let (all, rest) = bytes.as_chunks::<WIDTH>();
        if !rest.is_empty() {
            return Err("half a release");
        }
        let one = |bytes: &[u8; WIDTH]| {
            let [a, b, c, d, e, f, g, h, i, j, k, l, more, less] = *bytes;
            ([a, b, c, d, e, f, g], ([h, i, j, k, l], u16::from_be_bytes([more, less])))
        };
        Ok(Self(all.iter().map(one).collect()))
    }
}

/// Who this Revocation is.
fn who(name: &str, uid: &str) -> Who {
    start(&format!("{name}\n{uid}"))
}

/// The start of a digest.
fn start<const N: usize>(text: &str) -> [u8; N] {
    let whole = Sha256::digest(text);
    let mut start = [0; N];
    start.iter_mut().zip(whole).for_each(|(to, from)| *to = from);
    start
}

impl Releases {
    /// Notes the release of this plan.
    pub(super) fn add(&mut self, revocation: &str, asked: &CountedPlan) {
        let objects = u16::try_from(asked.objects).unwrap_or(u16::MAX);
        self.0.insert(who(revocation, &asked.uid), (start(&asked.plan), objects));
    }

    /// Whether this plan is among them.
    pub(super) fn has(&self, revocation: &str, asked: &CountedPlan) -> bool {
        let which: Which = start(&asked.plan);
        self.0.get(&who(revocation, &asked.uid)).is_some_and(|(plan, _)| *plan == which)
    }

    /// Forgets what was released of this Revocation, as whatever plan.
    pub(super) fn forget(&mut self, revocation: &str, asked: &CountedPlan) {
        self.0.remove(&who(revocation, &asked.uid));
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many objects each of them touches.
    pub(super) fn objects(&self) -> impl Iterator<Item = u16> {
        self.0.values().map(|(_, objects)| *objects)
    }
}
