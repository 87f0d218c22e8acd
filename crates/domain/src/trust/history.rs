//! The people of an answer compared with what is remembered of the same people: whether they are still who they were.
//!
//! Ids alone do not tell it. A sheet that was sorted with one column left out has the same ids with somebody else's
//! statuses, dates or addresses, and another tenant with small numbers for ids has the same ids for other people.

use std::collections::{HashMap, HashSet};

use data_encoding::BASE64_NOPAD;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::memory::{Hashed, Last, Memory, state_of};
use super::{Bounds, Finding, allowance};
use crate::employee::{Employee, ReportedStatus, Status};
use crate::lifecycle::{Facts, State, begun_anew};

/// Bytes of one person's traits as they are stored.
const BYTES: usize = 9;

/// What is remembered of one person beside the hash of their id: hashes, 0 where the answer did not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trait {
    /// Of their address.
    pub(super) address: u32,
    /// Of their first day.
    pub(super) start: u16,
    /// Of their last day.
    pub(super) end: u16,
    /// Whether they had left.
    pub(super) left: bool,
}

/// The traits of the people of a sketch, in its order.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Traits(pub(super) Vec<Trait>);

impl From<Traits> for String {
    fn from(traits: Traits) -> Self {
        let mut bytes = Vec::with_capacity(traits.0.len().saturating_mul(BYTES));
        for Trait { address, start, end, left } in traits.0 {
            bytes.extend(address.to_be_bytes());
            bytes.extend(start.to_be_bytes());
            bytes.extend(end.to_be_bytes());
            bytes.push(u8::from(left));
        }
        BASE64_NOPAD.encode(&bytes)
    }
}

impl TryFrom<String> for Traits {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = BASE64_NOPAD.decode(text.as_bytes()).map_err(|_| "not base64")?;
        let (traits, rest) = bytes.as_chunks::<BYTES>();
        if !rest.is_empty() {
            return Err("not the traits of a sketch");
        }
        let read = |[a, b, c, d, e, f, g, h, left]: &[u8; BYTES]| Trait {
            address: u32::from_be_bytes([*a, *b, *c, *d]),
            start: u16::from_be_bytes([*e, *f]),
            end: u16::from_be_bytes([*g, *h]),
            left: *left != 0,
        };
        Ok(Self(traits.iter().map(read).collect()))
    }
}

/// How many people of the sketch, of those that are in the answer too, are no longer what they were.
#[derive(Debug, Default)]
struct Compared {
    /// Had an address, and have one.
    addressed: usize,
    /// Have another address.
    readdressed: usize,
    /// Have another address, and theirs is now somebody else's.
    moved: usize,
    /// Had a first day, and have one.
    dated: usize,
    /// Have another first day.
    redated: usize,
    /// Have another address and another first day.
    reassigned: usize,
    /// Had left.
    had_left: usize,
    /// Had left, and have not left now.
    returned: usize,
    /// Had left, and have not left now or left on another day.
    rewritten: usize,
    /// Had not left.
    worked: usize,
    /// Had not left, and have now.
    newly_left: usize,
}

/// What does not fit the people remembered. Each bound is the share of `trust.minOverlap`, and never below what happens
/// in a small company in one ordinary week: a name changed by marriage, two addresses that were swapped.
pub(super) fn findings(
    last: &Last,
    people: &Hashed<'_>,
    memory: &Memory,
    bounds: &Bounds,
    today: Date,
) -> Vec<Finding> {
    let compared = compare(last, people, memory, today);
    let percent = 100_u8.saturating_sub(bounds.min_overlap);
    let beyond =
        |number: usize, of: usize, floor: usize| number > allowance(percent, of).max(floor) || (of > 1 && number == of);
    let number = |number: usize| last.of_all(number);
    let Compared { addressed, dated, had_left, .. } = compared;
    let reassigned = beyond(compared.reassigned, addressed.min(dated), 1);
    let moved = beyond(compared.moved, addressed, 2);
    let addresses = beyond(compared.readdressed, addressed, 3);
    let starts = beyond(compared.redated, dated, 3);
    // Where nobody who had left still has, and somebody else has instead, one is enough: a column that moved by one row.
    let exchanged = had_left > 0 && compared.returned == had_left && compared.newly_left > 0;
    let leavers = exchanged || compared.rewritten > allowance(percent, had_left).max(2);
    [
        reassigned
            .then(|| Finding::IdsReassigned { people: number(compared.reassigned), of: number(addressed.min(dated)) }),
        moved.then(|| Finding::AddressesMoved { people: number(compared.moved), of: number(addressed) }),
        (addresses && !moved && !reassigned)
            .then(|| Finding::OtherAddresses { people: number(compared.readdressed), of: number(addressed) }),
        (starts && !reassigned)
            .then(|| Finding::OtherStartDates { people: number(compared.redated), of: number(dated) }),
        leavers.then(|| Finding::LeaversChanged { people: number(compared.rewritten), of: number(had_left) }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether more people have left than may be fewer at once. Asked only beside the Persons, where nothing is remembered:
/// otherwise the limits of a policy count leavers.
pub(super) fn terminated(
    last: &Last,
    people: &Hashed<'_>,
    memory: &Memory,
    bounds: &Bounds,
    today: Date,
) -> Option<Finding> {
    let Compared { worked, newly_left, .. } = compare(last, people, memory, today);
    let found = newly_left > allowance(bounds.max_shrink, worked);
    found.then(|| Finding::ManyLeft { people: last.of_all(newly_left), of: last.of_all(worked) })
}

fn compare(last: &Last, people: &Hashed<'_>, memory: &Memory, today: Date) -> Compared {
    let today = last.newest().map_or(today, |day| day.max(today)); // a clock set back brings nobody back
    let mut compared = Compared::default();
    let mut former = Former::default();
    for (id, was) in last.remembered() {
        former.seen(was.address);
        let Some(employee) = people.get(id) else { continue };
        let is = memory.trait_of(employee, today);
        let differ = |was: u32, is: u32| (was != 0 && is != 0, was != 0 && is != 0 && was != is);
        // Of somebody who left long ago the address is deleted, given to another or made anonymous in the course of things.
        let gone = was.left && is.left;
        let (addressed, readdressed) = differ(if gone { 0 } else { was.address }, is.address);
        let (dated, redated) = differ(was.start.into(), is.start.into());
        let (_, another_end) = differ(was.end.into(), is.end.into());
        compared.addressed += usize::from(addressed);
        compared.readdressed += usize::from(readdressed);
        if readdressed {
            former.left_by(was.address, id);
        }
        // A first day that was known and has come makes nobody return.
        let began = !redated && !another_end && begun_anew(&Facts::of(employee), today);
        let back = was.left && said_to_work(employee, today) && !began;
        if back && redated {
            continue; // a rehire: a new employment says nothing of the one before
        }
        compared.dated += usize::from(dated);
        compared.redated += usize::from(redated);
        compared.reassigned += usize::from(readdressed && redated);
        compared.had_left += usize::from(was.left);
        compared.returned += usize::from(back);
        compared.rewritten += usize::from(was.left && (back || another_end));
        compared.worked += usize::from(!was.left);
        compared.newly_left += usize::from(!was.left && is.left);
    }
    compared.moved = former.moved(people, memory);
    compared
}

/// Whether the record says that somebody works here, or will. A status says so whatever the dates beside it: where statuses
/// moved by a row, those of leavers contradict their last days. A word that nobody mapped says nothing.
fn said_to_work(employee: &Employee, today: Date) -> bool {
    match employee.reported_status {
        ReportedStatus::Mapped(status) => status != Status::Terminated,
        ReportedStatus::Silent => !matches!(state_of(employee, today), State::Terminated | State::Unknown),
        ReportedStatus::Unmapped => false,
    }
}

/// Addresses that people had before.
#[derive(Default)]
struct Former {
    /// How many had each.
    holders: HashMap<u32, usize>,
    /// Those that were given up, with the hash of who had it.
    given_up: HashMap<u32, u64>,
}

impl Former {
    fn seen(&mut self, address: u32) {
        if address != 0 {
            *self.holders.entry(address).or_default() += 1;
        }
    }

    fn left_by(&mut self, address: u32, id: u64) {
        self.given_up.insert(address, id);
    }

    /// How many addresses that one person gave up are another person's now. An address that several people share belongs
    /// to nobody, so giving it up moves nothing.
    fn moved(mut self, people: &Hashed<'_>, memory: &Memory) -> usize {
        let holders = self.holders;
        self.given_up.retain(|address, _| holders.get(address) == Some(&1));
        if self.given_up.len() < 2 {
            return 0; // below every bound, and most answers end here: no address has to be hashed
        }
        let mut moved: HashSet<u64> = HashSet::new();
        for (id, employee) in people.iter() {
            let giver = self.given_up.get(&memory.address(&employee.work_email));
            moved.extend(giver.filter(|giver| **giver != id));
        }
        moved.len()
    }
}
