//! The evidence of one Revocation, and the chain that holds all of them together.
//!
//! A record is canonical JSON (RFC 8785); its hash is the SHA-256 of that text; each record names the hash of the one
//! before it, and a head names the last. Checking needs the texts and nothing else: no cluster, no network. A record
//! holds ids, object names and instants; never a person's name or address, a salt, or a credential.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::employee::HrId;

mod closed;
mod key;
mod prune;
mod signed;
mod start;
mod verify;

pub use closed::{Closed, closed};
pub use key::{PublicKey, SigningKey};
pub use prune::{Decision, KEPT_AT_LEAST, Standing, Stays, decide};
pub use signed::{Chained, Distrust, HEAD_SIGNED, KEYS, KeyEntry, Keys, SignedHead, compare, signable, trusted};
pub use start::{Prune, Start};
use verify::Link;
pub use verify::{Broken, Summary, verify};

/// Version of the record's form.
pub const VERSION: u32 = 1;
/// Value of the label `rollcall.dev/part` on a record's ConfigMap.
pub const PART: &str = "evidence";
/// Key of the record's text in its ConfigMap.
pub const KEY: &str = "record.json";
/// Key of the last record's index in the head's ConfigMap.
pub const HEAD_INDEX: &str = "index";
/// Key of the last record's hash in the head's ConfigMap.
pub const HEAD_HASH: &str = "hash";
/// Hash that the first record names as the one before it.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Start of the name of every record.
const PREFIX: &str = "rollcall-evidence-";

/// Name of the ConfigMap, or of the exported file without its ending, that holds a record.
#[must_use]
pub fn name(index: u64) -> String {
    format!("{PREFIX}{index:08}")
}

/// The place of the record of this name.
fn index(named: &str) -> Option<u64> {
    named.strip_prefix(PREFIX)?.parse().ok().filter(|index| name(*index) == named)
}

/// The salted digest that stands for an HR record: nobody can go back from it once the salt is erased.
///
/// SHA-256 over salt, connection and id, each ended by a zero byte so that no two triples give the same bytes.
#[must_use]
pub fn subject(salt: &str, connection: &str, id: &HrId) -> String {
    let mut digest = Sha256::new();
    for part in [salt, connection, id.0.as_str()] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    HEXLOWER.encode(&digest.finalize())
}

/// The operation of a record of a drill, which no Revocation has.
pub const DRILL: &str = "Drill";

/// What happened, before it has a place in the chain. Words such as `Cut`, `Observed` are those of the Revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordBody {
    /// Name of the Revocation.
    pub revocation: String,
    /// What it did: `Cut`, `Remove` or `Freeze`; of a drill, [`DRILL`].
    pub operation: String,
    /// How it ended: its phase.
    pub phase: String,
    /// How often it had been tried again by then; absent where it was not.
    #[serde(default, skip_serializing_if = "never")]
    pub attempt: u32,
    /// Object name of the Person.
    pub person: String,
    /// Salted digest of the HR record, see [`subject`].
    pub subject: String,
    /// Name of the SyncPolicy.
    pub policy: String,
    /// Hash of the rule of the policy that was followed.
    pub rule: String,
    /// Hash of the plan; absent where nothing was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// User name of the cluster identity that approved; absent where no approval was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// User name of the second one who approved, where the policy asks for two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_approver: Option<String>,
    /// User name of the cluster identity that rejected; absent where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejecter: Option<String>,
    /// The gate that was shut at the end; absent where all were open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// What the API server was seen to say afterwards.
    pub verdicts: Vec<Verdict>,
    /// What remains.
    pub remaining: Vec<Remaining>,
    /// What became of the hooks; absent where there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// What a later check saw; absent where nothing was ever seen to work again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recheck: Option<Recheck>,
    /// When each thing happened.
    pub instants: Instants,
    /// The last day of work, in the person's own time zone; absent where HR named none, or this is no termination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<Date>,
    /// When the record was sealed.
    pub sealed: Timestamp,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn never(attempt: &u32) -> bool {
    *attempt == 0
}

/// An object of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Kind.
    pub kind: String,
    /// Namespace; empty for one of the whole cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid when the plan saw it.
    pub uid: String,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// To what.
    pub object: Object,
    /// What.
    pub action: String,
    /// How it ended.
    pub outcome: String,
    /// When.
    pub at: Timestamp,
}

/// What the API server was seen to say of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Of what.
    pub object: Object,
    /// `Observed`, `Implied`, `Refuted` or `Unknown`.
    pub verdict: String,
    /// When.
    pub at: Timestamp,
}

/// A check after the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recheck {
    /// When it was made.
    pub at: Timestamp,
    /// How many things were asked about.
    pub asked: u32,
    /// About how many of these nothing could be seen.
    pub unknown: u32,
    /// What worked again then; empty where it does no more.
    pub refuted: Vec<Object>,
}

/// Something that remains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remaining {
    /// Kind, namespace and name.
    pub what: String,
    /// Why it remains.
    pub why: String,
}

/// A hook, and how far it had come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    /// Name of its CronJob.
    pub name: String,
    /// `Before` or `After`.
    pub when: String,
    /// How its newest attempt ended, or how far it was.
    pub outcome: String,
    /// What that proves; absent while it has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// When it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

/// When each thing happened; absent where it did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instants {
    /// The termination took effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Timestamp>,
    /// A trusted answer said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// Every gate was open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<Timestamp>,
    /// The last act ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted: Option<Timestamp>,
    /// Every target had its first fresh verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<Timestamp>,
    /// That was seen again past the API server's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
}

/// What happened, with its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Version of this form.
    pub version: u32,
    /// Its place, counted from 1.
    pub index: u64,
    /// Hash of the record before it, or [`GENESIS`].
    pub previous: String,
    /// What happened.
    #[serde(flatten)]
    pub body: RecordBody,
}

/// The end of the chain, or of what was pruned of it: index and hash of the last record; index 0 and [`GENESIS`] while there is
/// none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Index of the last record.
    pub index: u64,
    /// Its hash.
    pub hash: String,
}

impl Head {
    /// The head of a chain without records.
    #[must_use]
    pub fn genesis() -> Self {
        Self { index: 0, hash: GENESIS.to_owned() }
    }

    /// Reads the data of the head's ConfigMap; `None` where it is not as it was written.
    #[must_use]
    pub fn read(data: &BTreeMap<String, String>) -> Option<Self> {
        Self::of(data.get(HEAD_INDEX)?, data.get(HEAD_HASH)?)
    }

    fn of(index: &str, hash: &str) -> Option<Self> {
        Some(Self { index: index.parse().ok()?, hash: is_hash(hash).then(|| hash.to_owned())? })
    }

    /// The data of the head's ConfigMap.
    #[must_use]
    pub fn data(&self) -> BTreeMap<String, String> {
        BTreeMap::from([(HEAD_INDEX.to_owned(), self.index.to_string()), (HEAD_HASH.to_owned(), self.hash.clone())])
    }
}

/// A record as it is written, and the head that it makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The record.
    pub record: Record,
    /// Its canonical text: what is stored, exported and hashed.
    pub text: String,
    /// The head once it is stored.
    pub head: Head,
}

/// Puts a record at the end of the chain.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn chain(previous: &Head, body: RecordBody) -> Result<Sealed, serde_json::Error> {
    let record =
        Record { version: VERSION, index: previous.index.saturating_add(1), previous: previous.hash.clone(), body };
    let text = serde_json_canonicalizer::to_string(&record)?;
    let head = Head { index: record.index, hash: hash(&text) };
    Ok(Sealed { record, text, head })
}

/// The head after a record that was found in the next place, such as after a crash between record and head; `None`
/// where the text does not follow `previous`, and then the chain must not go on over it.
#[must_use]
pub fn follow(previous: &Head, text: &str) -> Option<Head> {
    let next = previous.index.checked_add(1)?;
    let link = Link::read(&name(next), text)?;
    (link.index == next && link.previous == previous.hash).then_some(Head { index: next, hash: link.hash })
}

/// SHA-256 of a record's text, as lower-case hex.
#[must_use]
pub fn hash(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests;
