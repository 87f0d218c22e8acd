//! Whether everything that came to an end is in the chain.
//!
//! The chain alone shows that no record was changed or taken out. That each Revocation which ended has one is seen by
//! asking the Revocations.

use std::collections::BTreeMap;

use super::{Broken, Head, Record, hash, index};

/// A Revocation that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Its name.
    pub revocation: String,
    /// The phase it ended in.
    pub phase: String,
    /// Name and hash of the record that it names, if it names one.
    pub record: Option<(String, String)>,
}

/// Checks that each of them is sealed by the record that it names, as it ended; one that was pruned, which are those up to
/// `start`, is believed. Empty where all of them are.
#[must_use]
pub fn closed<'a>(
    ended: impl IntoIterator<Item = Closed>,
    records: impl IntoIterator<Item = (&'a str, &'a str)>,
    start: &Head,
) -> Vec<Broken> {
    let records: BTreeMap<&str, &str> = records.into_iter().collect();
    ended.into_iter().filter_map(|ended| one(ended, &records, start)).collect()
}

fn one(ended: Closed, records: &BTreeMap<&str, &str>, start: &Head) -> Option<Broken> {
    let Closed { revocation, phase, record } = ended;
    let Some((name, named)) = record else { return Some(Broken::Unsealed { revocation, phase }) };
    let why = match records.get(name.as_str()) {
        None if index(&name).is_some_and(|index| index <= start.index) => return None,
        None => "there is no such record",
        Some(text) if hash(text) != named => "its hash is another one",
        Some(text) => match serde_json::from_str::<Record>(text) {
            Ok(record) if record.body.revocation != revocation => "it is the record of another Revocation",
            Ok(record) if record.body.phase != phase => "it tells of another end",
            Ok(_) => return None,
            Err(_) => "it is no record",
        },
    };
    Some(Broken::OtherRecord { revocation, phase, name, why })
}
