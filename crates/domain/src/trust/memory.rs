//! What the trust gate remembers of the answers it believed: counts and a sketch of keyed id hashes, never an id.
//!
//! A few kilobytes at any number of people. The key is random and the caller's; it makes hashes and digests of one
//! connection worthless to whoever sees only them.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::{BASE64_NOPAD, HEXLOWER};
use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::employee::{Delivered, Employee, HrId, Read};

/// Form of the stored memory; another one is not read, which holds.
const VERSION: u32 = 1;
/// How many of the smallest hashes are kept (bottom-k). Up to this many people the overlap is counted, above it is
/// estimated with a standard error of `sqrt(p (1 - p) / 1000)`: 0.7 % around an overlap of 95 %.
const SKETCH: usize = 1000;
/// Days of the high-water mark, today included.
const DAYS: i32 = 7;
/// Hex digits of a digest that names an answer.
const DIGITS: usize = 32;

/// Memory of one connection's trusted answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    version: u32,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
}

/// The last trusted answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Last {
    /// Its digest.
    pub(super) answer: String,
    /// How many people were in it.
    pub(super) count: usize,
    /// Fingerprint of source and mapping it was read by.
    pub(super) source: String,
    /// The date in the name of the file, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dated: Option<DateTime>,
    /// When the file was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signed: Option<Timestamp>,
    sketch: Sketch,
    most: BTreeMap<Date, usize>,
}

/// An answer that is to be remembered.
pub(super) struct Answered<'a> {
    /// Its digest.
    pub(super) answer: &'a str,
    /// Hashes of its ids, ascending.
    pub(super) hashes: &'a [u64],
    /// Fingerprint of source and mapping.
    pub(super) source: &'a str,
    /// Which delivery it is.
    pub(super) delivered: Delivered,
    /// It names only some.
    pub(super) part: bool,
}

/// The smallest hashes of a set of ids, ascending.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Sketch(Vec<u64>);

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Memory({:?} people)", self.last.as_ref().map(|last| last.count))
    }
}

impl Memory {
    /// A memory without any answer yet. `key` is 32 random bytes.
    #[must_use]
    pub fn fresh(key: &[u8; 32]) -> Self {
        Self { version: VERSION, key: HEXLOWER.encode(key), last: None }
    }

    /// Reads a stored memory; `None` where it cannot be read or has another form.
    #[must_use]
    pub fn parse(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok().filter(|memory: &Self| memory.version == VERSION && memory.key.len() == 64)
    }

    /// The form in which it is stored; below 24 KiB at any number of people.
    ///
    /// # Errors
    /// None that can be caused by a value; the type is the serializer's.
    pub fn stored(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The most people a trusted answer named within seven days, or the last one did.
    #[must_use]
    pub fn high_water(&self, today: Date) -> usize {
        self.last.as_ref().map_or(0, |last| {
            let most = last.most.iter().filter(|(day, _)| recent(**day, today)).map(|(_, count)| *count).max();
            most.unwrap_or(0).max(last.count)
        })
    }

    pub(super) const fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    /// Hashes of the ids under this memory's key, ascending.
    pub(super) fn hashes(&self, employees: &[Employee]) -> Vec<u64> {
        let keyed = self.keyed("id");
        let mut hashes: Vec<u64> = employees.iter().map(|employee| hash(keyed.clone(), &employee.id)).collect();
        hashes.sort_unstable();
        hashes
    }

    /// Names exactly this answer, and reveals nothing of it: a digest under the key over who is in it, whatever of each
    /// decides anything, and how many records could not be read. `read` is ordered.
    pub(super) fn digest(&self, read: &Read) -> String {
        let day = |day: Option<Date>| day.map_or_else(String::new, |day| day.to_string());
        let mut hasher = self.keyed("answer");
        hasher.update(format!("{} bad\n", read.bad.len()));
        if let Some(dated) = read.delivered.dated {
            hasher.update(format!("file of {dated}\n"));
        }
        for employee in &read.employees {
            let id = &employee.id.0;
            let said = employee.said.as_str();
            let [start, last, contract] = [employee.start, employee.last_day, employee.contract_end].map(day);
            hasher.update(format!("{}:{id} {said} {start} {last} {contract}\n", id.len()));
            for text in deciding(employee) {
                hasher.update(format!("{}:{text}\n", text.len()));
            }
        }
        let mut digest = HEXLOWER.encode(&hasher.finalize());
        digest.truncate(DIGITS);
        digest
    }

    /// The memory once this answer is believed. `afresh` forgets earlier high-water marks: an accepted answer is the
    /// new measure.
    ///
    /// An answer that names only some leaves the measure as it was: the last whole answer's people.
    pub(super) fn after(&self, new: &Answered<'_>, today: Date, afresh: bool) -> Self {
        let last = self.last.as_ref();
        let mut most = last.filter(|_| !afresh || new.part).map_or_else(BTreeMap::new, |last| last.most.clone());
        most.retain(|day, _| recent(*day, today));
        let (count, sketch) = if new.part {
            last.map_or_else(|| (0, Sketch(Vec::new())), |last| (last.count, last.sketch.clone()))
        } else {
            (new.hashes.len(), Sketch(new.hashes.iter().copied().take(SKETCH).collect()))
        };
        let mark = most.entry(today).or_insert(count);
        *mark = count.max(*mark);
        let Delivered { dated, signed, .. } = new.delivered;
        let (answer, source) = (new.answer.to_owned(), new.source.to_owned());
        let last = Last { answer, count, source, dated, signed, sketch, most };
        Self { version: VERSION, key: self.key.clone(), last: Some(last) }
    }

    /// The memory once the source says, on another day, that its answer is the last one still.
    pub(super) fn again(&self, today: Date) -> Self {
        let mut memory = self.clone();
        if let Some(last) = &mut memory.last {
            last.most.retain(|day, _| recent(*day, today));
            let mark = last.most.entry(today).or_insert(last.count);
            *mark = last.count.max(*mark);
        }
        memory
    }

    fn keyed(&self, purpose: &str) -> Sha256 {
        Sha256::new().chain_update(&self.key).chain_update(purpose)
    }
}

/// What decides who somebody is in the cluster, in which zone their days are counted, and whether they are in scope.
fn deciding(employee: &Employee) -> impl Iterator<Item = &str> {
    let Employee { work_email, legal_entity, employment_type, department, team, title, location, .. } = employee;
    let kind = employment_type.map_or("", |kind| kind.as_str());
    let texts = [legal_entity, department, team, title, location].map(|text| text.as_deref().unwrap_or_default());
    [work_email.as_str(), kind].into_iter().chain(texts)
}

impl Last {
    /// How many people of the last trusted answer are among `hashes` (ascending, whole). Exact up to 1,000 people.
    pub(super) fn still_there(&self, hashes: &[u64]) -> usize {
        let kept = self.sketch.0.len();
        let found = self.sketch.0.iter().filter(|hash| hashes.binary_search(hash).is_ok()).count();
        found.saturating_mul(self.count).saturating_add(kept / 2).checked_div(kept).unwrap_or(0)
    }
}

/// Whether a mark still counts. Tomorrow does as well, so that a clock set back a little forgets nothing.
fn recent(day: Date, today: Date) -> bool {
    day > today.saturating_sub(DAYS.days()) && day <= today.saturating_add(1.day())
}

fn hash(keyed: Sha256, id: &HrId) -> u64 {
    let digest: [u8; 32] = keyed.chain_update(&id.0).finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl From<Sketch> for String {
    fn from(sketch: Sketch) -> Self {
        let bytes: Vec<u8> = sketch.0.iter().flat_map(|hash| hash.to_be_bytes()).collect();
        BASE64_NOPAD.encode(&bytes)
    }
}

impl TryFrom<String> for Sketch {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = BASE64_NOPAD.decode(text.as_bytes()).map_err(|_| "not base64")?;
        let (hashes, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() || hashes.len() > SKETCH || !hashes.is_sorted() {
            return Err("not a sketch");
        }
        Ok(Self(hashes.iter().map(|hash| u64::from_be_bytes(*hash)).collect()))
    }
}
