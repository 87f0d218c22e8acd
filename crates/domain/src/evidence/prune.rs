//! How many records may be deleted from the beginning of the chain, since they are older than they have to be kept.
//!
//! It is always a beginning that goes: what remains hangs together as before, and a [`Start`](super::Start) says which record
//! came before it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{Head, Record, hash, name};

/// The least that a record is kept after it was sealed, whatever is asked for.
pub const KEPT_AT_LEAST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A record of a chain that verifies.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Uid of the Revocation that it is of; empty where it is not known.
    pub of: &'a str,
}

/// What goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The last record that goes: the start that stands, if none does.
    pub last: Head,
    /// Why the record after it stays.
    pub stays: Stays,
}

/// Why a record stays, and with it all that come after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    /// It has not been kept long enough.
    #[error("record {index} was sealed at {sealed}")]
    Young {
        /// Its index.
        index: u64,
        /// When it was sealed.
        sealed: Timestamp,
    },
    /// The Revocation that it is of is still there, or another one of that name.
    #[error("Revocation {revocation} of record {index} is still there")]
    Present {
        /// Its index.
        index: u64,
        /// The Revocation.
        revocation: String,
    },
    /// The head of the chain names it.
    #[error("record {index} is the last one, which the head names")]
    Last {
        /// Its index.
        index: u64,
    },
    /// There are no records.
    #[error("there is no record")]
    Empty,
    /// It is not there, or not a record of this version.
    #[error("record {index} cannot be read")]
    Unreadable {
        /// Its index.
        index: u64,
    },
}

/// Decides which records go: from the start that stands to the first that is younger than `older_than`, or whose Revocation
/// is still there. The last record of the chain never goes, so that the head has one.
///
/// `present` holds uids and names of all Revocations there are.
#[must_use]
pub fn decide<'a>(
    records: impl IntoIterator<Item = Standing<'a>>,
    start: &Head,
    head: &Head,
    present: &BTreeSet<String>,
    older_than: SignedDuration,
    now: Timestamp,
) -> Decision {
    let records: BTreeMap<&str, Standing<'_>> = records.into_iter().map(|record| (record.name, record)).collect();
    let kept = older_than.max(KEPT_AT_LEAST);
    let mut last = start.clone();
    loop {
        let index = last.index.saturating_add(1);
        let stays = match records.get(name(index).as_str()) {
            _ if head.index == 0 => Stays::Empty,
            _ if index >= head.index => Stays::Last { index: head.index },
            None => Stays::Unreadable { index },
            Some(record) => match stays(index, *record, present, kept, now) {
                Some(stays) => stays,
                None => {
                    last = Head { index, hash: hash(record.text) };
                    continue;
                }
            },
        };
        return Decision { last, stays };
    }
}

fn stays(
    index: u64,
    standing: Standing<'_>,
    present: &BTreeSet<String>,
    kept: SignedDuration,
    now: Timestamp,
) -> Option<Stays> {
    let Ok(Record { body, .. }) = serde_json::from_str(standing.text) else { return Some(Stays::Unreadable { index }) };
    if present.contains(standing.of) || present.contains(&body.revocation) {
        return Some(Stays::Present { index, revocation: body.revocation });
    }
    let old = body.sealed.checked_add(kept).is_ok_and(|until| until <= now);
    (!old).then_some(Stays::Young { index, sealed: body.sealed })
}

#[cfg(test)]
mod tests {
    use super::super::tests::body;
    use super::super::{RecordBody, chain};
    use super::*;

    const DAY: i64 = 24;
    const LONG: SignedDuration = SignedDuration::from_hours(400 * DAY);

    fn now() -> Timestamp {
        "2026-11-01T00:00:00Z".parse().unwrap()
    }

    /// A record that was sealed so many days ago, of the Revocation `p-<person>-cut` with uid `u-<person>`.
    fn days(person: u64, ago: i64) -> RecordBody {
        let sealed = now().checked_sub(SignedDuration::from_hours(ago * DAY)).unwrap();
        RecordBody { sealed, ..body(&format!("p-{person}")) }
    }

    /// Index of the last record that goes, of records that were sealed so many days ago, and why no more of them.
    fn decided(ago: &[i64], present: &[&str], pruned: u64, older_than: SignedDuration) -> (u64, Stays) {
        let (mut head, mut start, mut records) = (Head::genesis(), Head::genesis(), Vec::new());
        for (person, ago) in (1..).zip(ago) {
            let sealed = chain(&head, days(person, *ago)).unwrap();
            head = sealed.head.clone();
            if person <= pruned {
                start = sealed.head;
            } else {
                records.push((name(person), sealed.text, format!("u-{person}")));
            }
        }
        let present = present.iter().map(|text| (*text).to_owned()).collect();
        let standing = records.iter().rev().map(|(name, text, of)| Standing { name, text, of });
        let decision = decide(standing, &start, &head, &present, older_than, now());
        let text =
            records.iter().find(|(found, ..)| *found == name(decision.last.index)).map(|(_, text, _)| hash(text));
        assert_eq!(text.unwrap_or(start.hash), decision.last.hash, "the hash is that of the last record that goes");
        (decision.last.index, decision.stays)
    }

    #[test]
    fn a_beginning_goes_up_to_the_first_record_that_has_to_stay() {
        let young = |index: u64, ago: i64| Stays::Young { index, sealed: days(1, ago).sealed };
        let present = |index: u64| Stays::Present { index, revocation: format!("p-{index}-cut") };
        type Case = (&'static str, &'static [i64], &'static [&'static str], u64, Stays);
        let cases: Vec<Case> = vec![
            ("no records at all", &[], &[], 0, Stays::Empty),
            ("one record, however old", &[900], &[], 0, Stays::Last { index: 1 }),
            ("all are old: the last stays", &[900, 800, 700], &[], 2, Stays::Last { index: 3 }),
            ("those older than the retention", &[900, 401, 399, 1], &[], 2, young(3, 399)),
            ("exactly as old as the retention", &[400, 1], &[], 1, Stays::Last { index: 2 }),
            ("none is old enough", &[399, 2], &[], 0, young(1, 399)),
            ("an old one behind a young one stays", &[900, 100, 900, 1], &[], 1, young(2, 100)),
            ("one sealed in the future", &[900, -5, 900, 1], &[], 1, young(2, -5)),
            ("a Revocation that is still there, by its uid", &[900, 900, 900, 1], &["u-2"], 1, present(2)),
            ("a Revocation of that name", &[900, 900, 900, 1], &["p-3-cut"], 2, present(3)),
            ("the first Revocation is still there", &[900, 900, 1], &["u-1", "p-1-cut"], 0, present(1)),
            ("Revocations of others", &[900, 900, 1], &["u-3", "p-3-cut", "u-9", "p-2"], 2, Stays::Last { index: 3 }),
        ];
        for (situation, ago, present, last, stays) in cases {
            assert_eq!(decided(ago, present, 0, LONG), (last, stays), "{situation}");
        }
    }

    #[test]
    fn it_goes_on_behind_what_was_pruned_before() {
        assert_eq!(decided(&[900, 900, 900, 900, 1], &["u-1"], 2, LONG), (4, Stays::Last { index: 5 }));
        assert_eq!(decided(&[900, 900, 1], &[], 2, LONG), (2, Stays::Last { index: 3 }), "nothing more");
    }

    #[test]
    fn nothing_goes_within_thirty_days() {
        for asked in [SignedDuration::ZERO, SignedDuration::from_hours(-400 * DAY), SignedDuration::from_hours(DAY)] {
            let stays = Stays::Young { index: 2, sealed: days(1, 29).sealed };
            assert_eq!(decided(&[31, 29, 1], &[], 0, asked), (1, stays), "{asked}");
        }
        let stays = Stays::Young { index: 1, sealed: days(1, 900).sealed };
        assert_eq!(decided(&[900, 1], &[], 0, SignedDuration::MAX), (0, stays), "longer than there is time");
    }

    #[test]
    fn what_cannot_be_read_stays() {
        let (first, second) = (name(1), name(2));
        let head = Head { index: 3, hash: hash("") };
        let old = chain(&Head::genesis(), days(1, 900)).unwrap().text;
        let later = old.replace("\"sealed\"", "\"sealedAt\"");
        for (situation, text, found_as) in [("another form", &later, &first), ("missing", &old, &second)] {
            let standing = Standing { name: found_as, text, of: "u-1" };
            let decision = decide([standing], &Head::genesis(), &head, &BTreeSet::new(), LONG, now());
            assert_eq!(
                decision,
                Decision { last: Head::genesis(), stays: Stays::Unreadable { index: 1 } },
                "{situation}"
            );
        }
    }
}
