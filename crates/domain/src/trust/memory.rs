//! What the trust gate remembers of the answers it trusted: counts and a sketch of keyed hashes, never an id, an address
//! or a date.
//!
//! A few kilobytes at any number of people. The key is random and the caller's; without it the hashes and digests of a
//! connection cannot be guessed.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::{BASE64_NOPAD, HEXLOWER};
use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Snapshot;
use super::history::{Trait, Traits};
use crate::employee::{Delivered, Employee, Read};
use crate::lifecycle::{Facts, State, Terms, derive_state};

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
    /// What is remembered of each person of the sketch; none in a memory of before this was kept, and then these are
    /// compared with nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traits: Option<Traits>,
    most: BTreeMap<Date, usize>,
}

/// An answer that is to be remembered.
pub(super) struct NewlyTrusted<'a> {
    /// Its digest.
    pub(super) answer: &'a str,
    /// Its people.
    pub(super) people: &'a Hashed<'a>,
    /// Fingerprint of source and mapping.
    pub(super) source: &'a str,
    /// Which delivery it is.
    pub(super) delivered: Delivered,
    /// It names only some.
    pub(super) part: bool,
}

/// The people of an answer with the hashes of their ids, ascending by these.
pub(super) struct Hashed<'a>(Vec<(u64, &'a Employee)>);

impl<'a> Hashed<'a> {
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, id: u64) -> Option<&'a Employee> {
        let at = self.0.binary_search_by_key(&id, |(hash, _)| *hash).ok()?;
        self.0.get(at).map(|(_, employee)| *employee)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &'a Employee)> {
        self.0.iter().copied()
    }
}

/// The digests of an answer. Neither reveals anything of it.
pub(super) struct Digests {
    /// Over all that decides anything: names exactly this answer.
    pub(super) exact: String,
    /// Over ids, statuses, dates and addresses alone: what an admin accepts. In a large company a title or a department
    /// changes between two reads, and neither has anything to do with why an answer is held.
    pub(super) acceptance: String,
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

    /// Whether it remembers all there is to compare an answer with.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.ids_alone())
    }

    /// Whether another answer than this one was trusted last. A memory of none says nothing.
    #[must_use]
    pub fn is_of_another(&self, snapshot: &Snapshot) -> bool {
        self.last.as_ref().is_some_and(|last| last.answer != snapshot.answer())
    }

    pub(super) const fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    /// The people under this memory's key.
    pub(super) fn hashed<'a>(&self, employees: &'a [Employee]) -> Hashed<'a> {
        let keyed = self.keyed("id");
        let mut hashed: Vec<_> =
            employees.iter().map(|employee| (hash(keyed.clone(), &[&employee.id.0]), employee)).collect();
        hashed.sort_unstable_by_key(|(hash, _)| *hash);
        Hashed(hashed)
    }

    /// Hash of an address as it is compared; 0 for none.
    pub(super) fn address(&self, address: &str) -> u32 {
        let folded = address.trim().to_lowercase();
        if folded.is_empty() { 0 } else { not_zero(hash(self.keyed("address"), &[&folded])) }
    }

    /// What is remembered of one person. Dates are hashed with the id, so that equal days of two people do not look alike.
    pub(super) fn trait_of(&self, employee: &Employee, today: Date) -> Trait {
        let day = |purpose, day: Option<Date>| {
            let hashed = day.map(|day| hash(self.keyed(purpose), &[&employee.id.0, &day.to_string()]));
            hashed.map_or(0, |hash| u16::try_from(not_zero(hash) % u32::from(u16::MAX)).unwrap_or(0).saturating_add(1))
        };
        let Employee { start, last_day, .. } = *employee;
        Trait {
            address: self.address(&employee.work_email),
            start: day("start", start),
            end: day("end", last_day),
            left: state_of(employee, today) == State::Terminated,
        }
    }

    /// The digests of an answer, under the key. `read` is ordered.
    pub(super) fn digests(&self, read: &Read) -> Digests {
        let day = |day: Option<Date>| day.map_or_else(String::new, |day| day.to_string());
        let mut acceptance = self.keyed("acceptance");
        acceptance.update(format!("{} bad\n", read.bad.len()));
        if let Some(dated) = read.delivered.dated {
            acceptance.update(format!("file of {dated}\n"));
        }
        let mut others = self.keyed("answer");
        for employee in &read.employees {
            let Employee { id, work_email, reported_status, .. } = employee;
            let [start, last, contract] = [employee.start, employee.last_day, employee.contract_end].map(day);
            let reported_status = reported_status.as_str();
            let who = format!(
                "{}:{id} {}:{work_email} {reported_status} {start} {last} {contract}\n",
                id.0.len(),
                work_email.len()
            );
            acceptance.update(who);
            for text in other_texts(employee) {
                others.update(format!("{}:{text}\n", text.len()));
            }
        }
        let acceptance = acceptance.finalize();
        Digests { exact: digits(others.chain_update(acceptance)), acceptance: shorten(HEXLOWER.encode(&acceptance)) }
    }

    /// The people that stand in the cluster, as if they had been an answer: what there is to compare with where nothing
    /// is remembered.
    pub(super) fn of_people(&self, known_people: &[Employee], today: Date) -> Option<Last> {
        let people = self.hashed(known_people);
        let (sketch, traits) = self.sketch(&people, today);
        (people.len() > 0).then(|| Last {
            answer: String::new(),
            count: people.len(),
            source: String::new(),
            dated: None,
            signed: None,
            sketch,
            traits: Some(traits),
            most: BTreeMap::new(),
        })
    }

    fn sketch(&self, people: &Hashed<'_>, today: Date) -> (Sketch, Traits) {
        let kept = || people.iter().take(SKETCH);
        let traits = kept().map(|(_, employee)| self.trait_of(employee, today)).collect();
        (Sketch(kept().map(|(hash, _)| hash).collect()), Traits(traits))
    }

    /// The memory once this answer is believed. `afresh` forgets earlier high-water marks: an accepted answer is the
    /// new measure.
    ///
    /// An answer that names only some leaves the measure as it was: the last whole answer's people.
    pub(super) fn after(&self, new: &NewlyTrusted<'_>, today: Date, afresh: bool) -> Self {
        let last = self.last.as_ref();
        let mut most = last.filter(|_| !afresh || new.part).map_or_else(BTreeMap::new, |last| last.most.clone());
        most.retain(|day, _| recent(*day, today));
        let kept = last.map(|last| (last.count, last.sketch.clone(), last.traits.clone()));
        let (count, sketch, traits) = if new.part {
            kept.unwrap_or((0, Sketch(Vec::new()), None))
        } else {
            let (sketch, traits) = self.sketch(new.people, today);
            (new.people.len(), sketch, Some(traits))
        };
        let mark = most.entry(today).or_insert(count);
        *mark = count.max(*mark);
        let Delivered { dated, signed, .. } = new.delivered;
        let (answer, source) = (new.answer.to_owned(), new.source.to_owned());
        let last = Last { answer, count, source, dated, signed, sketch, traits, most };
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

/// What a record says of somebody by itself.
pub(super) fn state_of(employee: &Employee, today: Date) -> State {
    derive_state(&Facts::of(employee), today, &Terms::default()).state
}

/// What else decides anything: in which zone somebody's days are counted, and whether they are in scope.
fn other_texts(employee: &Employee) -> impl Iterator<Item = &str> {
    let kind = employee.employment_type.map_or("", |kind| kind.as_str());
    // With its word, and only where there is one: a field that a later version reads changes nothing where it is not given.
    let texts =
        employee.texts.iter().filter(|(text, _)| text.shared()).flat_map(|(text, value)| [text.as_str(), value]);
    [kind].into_iter().chain(texts)
}

impl Last {
    /// How many people of the last trusted answer are among `people`. Exact up to 1,000 people.
    pub(super) fn still_there(&self, people: &Hashed<'_>) -> usize {
        self.of_all(self.sketch.0.iter().filter(|hash| people.get(**hash).is_some()).count())
    }

    /// A number of people of the sketch, as a number of all.
    pub(super) fn of_all(&self, found: usize) -> usize {
        let kept = self.sketch.0.len();
        found.saturating_mul(self.count).saturating_add(kept / 2).checked_div(kept).unwrap_or(0)
    }

    /// The people of the sketch: the hash of each id, and what is remembered of them; nobody in an older memory.
    pub(super) fn remembered(&self) -> impl Iterator<Item = (u64, Trait)> {
        let traits = self.traits.iter().flat_map(|traits| &traits.0);
        self.sketch.0.iter().copied().zip(traits.copied())
    }

    /// The newest day on which an answer was trusted.
    pub(super) fn newest(&self) -> Option<Date> {
        self.most.last_key_value().map(|(day, _)| *day)
    }

    /// Whether nothing is remembered of the people but their ids.
    pub(super) const fn ids_alone(&self) -> bool {
        self.traits.is_none()
    }
}

/// Whether a mark still counts. Tomorrow does as well, so that a clock set back a little forgets nothing.
fn recent(day: Date, today: Date) -> bool {
    day > today.saturating_sub(DAYS.days()) && day <= today.saturating_add(1.day())
}

fn hash(keyed: Sha256, parts: &[&str]) -> u64 {
    let keyed = match parts {
        [one] => keyed.chain_update(one),
        several => several.iter().fold(keyed, |keyed, part| keyed.chain_update(part).chain_update([0])),
    };
    let digest: [u8; 32] = keyed.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The upper half of a hash; never 0, which stands for nothing.
fn not_zero(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0).max(1)
}

fn digits(hasher: Sha256) -> String {
    shorten(HEXLOWER.encode(&hasher.finalize()))
}

fn shorten(mut digest: String) -> String {
    digest.truncate(DIGITS);
    digest
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
