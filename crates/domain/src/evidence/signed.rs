//! Signed heads of the chain, and the keys they are signed with.
//!
//! The hash chain shows that nobody changed a record between two heads. Who can rewrite all of it can make another chain and
//! another head, but not another signature. A checker trusts one public key that it was given elsewhere; a key that this one
//! signed is trusted after it. A signature is of the canonical JSON (RFC 8785) of everything that stands beside it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::{PublicKey, SigningKey};
use super::verify::Link;
use super::{GENESIS, Head};

/// Key of the newest signed head in the head's ConfigMap.
pub const HEAD_SIGNED: &str = "signed";
/// Key of the public keys' text in their ConfigMap.
pub const KEYS: &str = "keys.json";
/// Digits of a key's id in the name of a signed head.
const DIGITS: usize = 8;

/// What is signed, so that a signature of one kind is never taken for one of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Statement {
    /// That this was the head.
    EvidenceHead,
    /// That this key signs from here on.
    EvidenceKey,
}

/// That this was the head of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedHead {
    statement: Statement,
    /// Id of the installation.
    pub installation: String,
    /// Index of the last record.
    pub index: u64,
    /// Its hash.
    pub hash: String,
    /// When it was signed.
    pub at: Timestamp,
    /// Id of the key.
    pub key: String,
    /// Signature by that key of all of the above.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    signature: String,
}

impl SignedHead {
    /// Signs a head.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn sign(head: &Head, installation: &str, key: &SigningKey, at: Timestamp) -> Result<Self, serde_json::Error> {
        let Head { index, hash } = head.clone();
        let (installation, id) = (installation.to_owned(), key.public().id());
        let statement = Statement::EvidenceHead;
        let unsigned = Self { statement, installation, index, hash, at, key: id, signature: String::new() };
        let signature = key.sign(&canonical(&unsigned)?);
        Ok(Self { signature, ..unsigned })
    }

    /// Reads one as it was written.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().filter(|signed: &Self| signed.statement == Statement::EvidenceHead)
    }

    /// It as it is kept and exported.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        canonical(self)
    }

    /// What it is called among exported files, after the name of the checkpoints: no two of one chain are called the same.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{:08}-{}", self.index, self.key.chars().take(DIGITS).collect::<String>())
    }

    /// The head that it names.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { index: self.index, hash: self.hash.clone() }
    }

    fn is_by(&self, key: &PublicKey) -> bool {
        let unsigned = Self { signature: String::new(), ..self.clone() };
        canonical(&unsigned).is_ok_and(|text| key.verifies(&text, &self.signature))
    }
}

/// A key that heads are signed with, from where on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyEntry {
    statement: Statement,
    /// Id of the installation.
    pub installation: String,
    /// The public key, 32 bytes in Base64.
    pub public: String,
    /// Since when it signs.
    pub since: Timestamp,
    /// The head when it took over: the key before it signs no later one.
    pub after: Head,
    /// Id of the key before it, which signed this entry; absent for the first, and for one that took over from a lost key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    signature: String,
}

impl KeyEntry {
    /// The entry of a key that nobody before it signs for.
    #[must_use]
    pub fn new(installation: &str, public: &PublicKey, after: &Head, since: Timestamp) -> Self {
        let (installation, public) = (installation.to_owned(), public.text());
        let statement = Statement::EvidenceKey;
        Self { statement, installation, public, since, after: after.clone(), by: None, signature: String::new() }
    }

    /// The same, signed by the key before it.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn signed_by(self, before: &SigningKey) -> Result<Self, serde_json::Error> {
        let unsigned = Self { by: Some(before.public().id()), signature: String::new(), ..self };
        let signature = before.sign(&canonical(&unsigned)?);
        Ok(Self { signature, ..unsigned })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> Option<PublicKey> {
        PublicKey::read(&self.public)
    }

    fn is_by(&self, key: &PublicKey) -> bool {
        let unsigned = Self { signature: String::new(), ..self.clone() };
        let signed = || canonical(&unsigned).is_ok_and(|text| key.verifies(&text, &self.signature));
        self.by.as_ref() == Some(&key.id()) && self.statement == Statement::EvidenceKey && signed()
    }
}

/// All keys of an installation, the first one first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// Its id: random, made with the first key.
    pub installation: String,
    /// The keys.
    pub keys: Vec<KeyEntry>,
}

impl Keys {
    /// Reads them as they were written.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// They as they are kept and exported.
    ///
    /// # Errors
    /// When they cannot be written as JSON.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        canonical(self)
    }

    /// The key that signs now.
    #[must_use]
    pub fn newest(&self) -> Option<PublicKey> {
        self.keys.last()?.key()
    }
}

fn canonical(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json_canonicalizer::to_string(value)
}

/// What is wrong with the signatures of a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// No signed head that the given key vouches for.
    #[error("no head is signed by the given key, nor by one that it signed")]
    NoHead,
    /// A head that says it is by a trusted key, and is not.
    #[error("{name} is not signed by the key that it names: it was changed or forged")]
    Forged {
        /// Where it was found.
        name: String,
    },
    /// A head by a key that nothing vouches for, beyond the last one that is vouched for.
    #[error("{name} is signed by key {key}, which neither is the given key nor was signed by it")]
    UnknownKey {
        /// Where it was found.
        name: String,
        /// Id of the key.
        key: String,
    },
    /// A head by a key after another took over from it.
    #[error("{name} is signed by key {key} after another key took over from it at record {until}")]
    AfterHandover {
        /// Where it was found.
        name: String,
        /// Id of the key.
        key: String,
        /// The last record that the key may sign.
        until: u64,
    },
    /// A head of another installation.
    #[error("{name} is of another installation than the other signed heads")]
    OtherInstallation {
        /// Where it was found.
        name: String,
    },
    /// A record that is another one than the one that was signed.
    #[error("{name} signs another hash for record {index}: the chain up to there was rewritten")]
    OtherRecord {
        /// Where it was found.
        name: String,
        /// The record.
        index: u64,
    },
    /// The chain ends before a head that was signed.
    #[error("{name} signs record {index}, and the chain ends at record {end}: it was cut off")]
    CutOff {
        /// Where it was found.
        name: String,
        /// The record.
        index: u64,
        /// Where it ends.
        end: u64,
    },
    /// Records behind the last signed head.
    #[error("records {from} to {to} are not signed: they come after the last head that the given key vouches for")]
    Unsigned {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
}

/// A chain as it is checked against signed heads. It hangs together: [`super::verify`] is asked first.
#[derive(Clone, Debug)]
pub struct Chained {
    hashes: BTreeMap<u64, String>,
    start: Head,
    end: u64,
}

impl Chained {
    /// Of the names and texts of its records, the last record that was pruned, and its end.
    pub fn new<'a>(records: impl IntoIterator<Item = (&'a str, &'a str)>, start: &Head, end: &Head) -> Self {
        let links = records.into_iter().filter_map(|(name, text)| Link::read(name, text));
        let mut hashes: BTreeMap<u64, String> = links.map(|link| (link.index, link.hash)).collect();
        hashes.entry(end.index).or_insert_with(|| end.hash.clone());
        Self { hashes, start: start.clone(), end: end.index }
    }

    /// What is wrong with a signed head, if anything; of one whose record was pruned nothing can be said.
    fn compare(&self, name: &str, signed: &SignedHead) -> Option<Distrust> {
        let (name, index) = (name.to_owned(), signed.index);
        if index > self.end {
            return Some(Distrust::CutOff { name, index, end: self.end });
        }
        let pruned = (index == self.start.index).then_some(&self.start.hash);
        let hash = self.hashes.get(&index).or(pruned)?;
        (*hash != signed.hash).then_some(Distrust::OtherRecord { name, index })
    }
}

/// Compares signed heads with the chain, without looking at their signatures.
pub fn compare<'a>(chain: &Chained, heads: impl IntoIterator<Item = (&'a str, &'a SignedHead)>) -> Vec<Distrust> {
    heads.into_iter().filter_map(|(name, signed)| chain.compare(name, signed)).collect()
}

/// Checks that everything up to the end of the chain is signed by the given key, or by one that follows from it, and gives the
/// newest signed head.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn trusted<'a>(
    chain: &Chained,
    heads: impl IntoIterator<Item = (&'a str, &'a SignedHead)>,
    keys: Option<&Keys>,
    given: &PublicKey,
) -> Result<SignedHead, Vec<Distrust>> {
    let follow = follow(given, keys);
    let (mut newest, mut strange, mut wrong): (Option<&SignedHead>, Vec<(&str, &SignedHead)>, Vec<Distrust>) =
        Default::default();
    for (name, signed) in heads {
        let Some((key, until)) = follow.get(&signed.key) else {
            strange.push((name, signed));
            continue;
        };
        if !signed.is_by(key) {
            wrong.push(Distrust::Forged { name: name.to_owned() });
        } else if let Some(until) = until.filter(|until| signed.index > *until) {
            wrong.push(Distrust::AfterHandover { name: name.to_owned(), key: signed.key.clone(), until });
        } else if newest.is_some_and(|newest| newest.installation != signed.installation) {
            wrong.push(Distrust::OtherInstallation { name: name.to_owned() });
        } else {
            wrong.extend(chain.compare(name, signed));
            newest = newest.into_iter().chain([signed]).max_by_key(|one| (one.index, one.at));
        }
    }
    let reached = newest.map_or(0, |newest| newest.index);
    let beyond = strange.into_iter().filter(|(_, signed)| signed.index > reached);
    wrong.extend(beyond.map(|(name, signed)| Distrust::UnknownKey { name: name.to_owned(), key: signed.key.clone() }));
    match newest {
        None => wrong.push(Distrust::NoHead),
        Some(_) if chain.end > reached => {
            wrong.push(Distrust::Unsigned { from: reached.saturating_add(1), to: chain.end });
        }
        Some(_) => {}
    }
    match newest.filter(|_| wrong.is_empty()) {
        Some(newest) => Ok(newest.clone()),
        None => Err(wrong),
    }
}

/// The keys that follow from the one that is trusted, by their ids; and the last record that each may sign, where another took
/// over from it.
fn follow(given: &PublicKey, keys: Option<&Keys>) -> BTreeMap<String, (PublicKey, Option<u64>)> {
    let mut follow = BTreeMap::new();
    let mut current = given.clone();
    let entries = keys.map(|keys| keys.keys.as_slice()).unwrap_or_default();
    let after = entries.iter().skip_while(|entry| entry.key().as_ref() != Some(given)).skip(1);
    for entry in after {
        let Some(next) = entry.key().filter(|_| entry.is_by(&current)) else { break };
        follow.insert(current.id(), (current, Some(entry.after.index)));
        current = next;
    }
    follow.insert(current.id(), (current, None));
    follow
}

/// Whether a head is worth signing: there is a record.
#[must_use]
pub fn signable(head: &Head) -> bool {
    head.index > 0 && head.hash != GENESIS
}

#[cfg(test)]
mod tests;
