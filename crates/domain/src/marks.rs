//! The memory of marks: which account was whose, so that an owner annotation that was removed, moved or set shortly before an
//! exit is not taken for the truth.
//!
//! A mark that somebody set on an account that stood without it is *fresh*: it may be a leaver's way of having a colleague's
//! account ended, so it never acts unapproved. A mark that went, or an account that was made again without it, is *lost*: it may
//! be a leaver's way to keep an account, so it is told. An account that is deleted and stays so has nothing to keep.
//!
//! Owners are kept as digests of their keys: the memory names nobody. It lies on sixteen shelves, by namespace, so that a change
//! writes little.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::ownership::key;
use crate::plan::Account;

mod shelf;

pub use shelf::Shelf;

/// How long before an exit a mark that changed is not taken for the truth.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// An account as it is seen now.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Its uid.
    pub uid: &'a str,
    /// Its owner annotation.
    pub owner: Option<&'a str>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When its owner annotation was written, by its own word.
    pub marked: Option<Timestamp>,
}

/// What is known of an account that is seen for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The memory begins: what stands is taken as it is.
    Beginning,
    /// This process has seen it without a mark.
    Unmarked,
    /// Nothing.
    New,
}

/// What is known of a mark that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The account was made with it, or it stood when the memory began.
    Settled,
    /// Somebody set it then, on an account that stood without it.
    Since(Timestamp),
    /// The memory does not know: it is not taken for the truth.
    Unknown,
}

impl Standing {
    /// Whether the mark may be acted on without an approval, for an exit that was noticed at `notice`.
    #[must_use]
    pub fn settled(self, notice: Timestamp) -> bool {
        match self {
            Self::Settled => true,
            Self::Since(at) => at < before(notice),
            Self::Unknown => false,
        }
    }
}

/// The beginning of the window of an exit that was noticed at this instant.
pub(crate) fn before(notice: Timestamp) -> Timestamp {
    notice.checked_sub(WINDOW).unwrap_or(Timestamp::MIN)
}

/// What one look changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Whether it is to be kept.
    pub keep: bool,
    /// Digests of the owners who lost a mark of this place, if another account stands there now, or none, or another mark.
    pub losers: BTreeSet<String>,
}

/// No room for all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory of owner annotations has no room for more")]
pub struct Full;

/// The digest of an owner: what the annotation stands for, as it is compared.
#[must_use]
pub fn digest(owner: &str) -> String {
    let key = key(owner).unwrap_or_else(|| owner.trim().to_owned());
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(["rollcall.dev/mark ", &key].concat()));
    digest.chars().take(16).collect()
}

/// The shelf of a namespace: one of sixteen.
#[must_use]
pub fn shelf_of(namespace: &str) -> char {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(namespace));
    digest.chars().next().unwrap_or('0')
}

/// All shelves.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    shelves: BTreeMap<char, Shelf>,
    unreadable: BTreeSet<char>,
}

impl Memory {
    /// Reads the shelves that are kept: each by its letter. One that cannot be read is known to be there, and vouches for nothing.
    pub fn read<'a>(kept: impl Iterator<Item = (char, &'a str)>) -> Self {
        let mut memory = Self::default();
        for (letter, text) in kept {
            match serde_json::from_str(text) {
                Ok(shelf) => drop(memory.shelves.insert(letter, shelf)),
                Err(_) => drop(memory.unreadable.insert(letter)),
            }
        }
        memory
    }

    /// Whether nothing was ever kept.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.shelves.is_empty() && self.unreadable.is_empty()
    }

    /// Shelves that cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = char> {
        self.unreadable.iter().copied()
    }

    /// The shelf of this letter; made if there is none.
    pub fn shelf(&mut self, letter: char) -> &mut Shelf {
        self.shelves.entry(letter).or_default()
    }

    /// Takes in an account as it is now. Says what changed.
    pub fn see(&mut self, namespace: &str, name: &str, seen: Seen<'_>, first: First, now: Timestamp) -> Change {
        self.shelf(shelf_of(namespace)).see(&place(namespace, name), seen, first, now)
    }

    /// An account is gone.
    pub fn gone(&mut self, namespace: &str, name: &str, now: Timestamp) -> Change {
        self.shelf(shelf_of(namespace)).gone(&place(namespace, name), now)
    }

    /// Namespace and name of every account that stands with a mark, or stood so, as far as is known.
    pub fn places(&self) -> impl Iterator<Item = (&str, &str)> {
        self.shelves.values().flat_map(Shelf::places).filter_map(|place| place.split_once('/'))
    }

    /// Of these accounts, the uids of those whose mark is not to be acted on without an approval.
    pub fn fresh<'a>(&self, accounts: impl Iterator<Item = &'a Account>, notice: Timestamp) -> BTreeSet<String> {
        let settled = |account: &Account| {
            let Account { namespace, name, uid, owner, .. } = account;
            let named = self.shelf_of(namespace).is_some_and(|shelf| shelf.names(&place(namespace, name), owner));
            named && self.standing(namespace, name, uid).settled(notice)
        };
        accounts.filter(|account| !settled(account)).map(|account| account.uid.clone()).collect()
    }

    /// What is known of the mark of an account.
    #[must_use]
    pub fn standing(&self, namespace: &str, name: &str, uid: &str) -> Standing {
        self.shelf_of(namespace).map_or(Standing::Unknown, |shelf| shelf.standing(&place(namespace, name), uid))
    }

    fn shelf_of(&self, namespace: &str) -> Option<&Shelf> {
        let letter = shelf_of(namespace);
        self.shelves.get(&letter).filter(|_| !self.unreadable.contains(&letter))
    }

    /// Namespace and name of the accounts that one of these owners lost shortly before an exit that was noticed at `notice`.
    /// `excused` are uids whose mark was rightly moved until that instant: a cut made them, and they were handed over.
    #[must_use]
    pub fn lost(
        &self,
        owners: impl Iterator<Item = String>,
        notice: Timestamp,
        excused: &BTreeMap<String, Timestamp>,
    ) -> Vec<(String, String)> {
        let owners: BTreeSet<String> = owners.map(|key| digest(&key)).collect();
        let places = self.shelves.values().flat_map(|shelf| shelf.lost(&owners, notice, excused));
        let split = places.filter_map(|place| place.split_once('/'));
        split.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect()
    }
}

fn place(namespace: &str, name: &str) -> String {
    [namespace, "/", name].concat()
}

#[cfg(test)]
mod tests;
