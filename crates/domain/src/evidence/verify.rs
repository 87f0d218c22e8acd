//! Checking a whole chain: what is missing, changed, forked or beyond its head.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{GENESIS, Head, hash, name};

/// What an unbroken chain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many records it has.
    pub records: u64,
    /// Its end.
    pub head: Head,
}

/// One thing that is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Not a record at all.
    #[error("{name} is not a record: no index and previous hash can be read from it")]
    Unreadable {
        /// Name it was found under.
        name: String,
    },
    /// A record under another one's name.
    #[error("{name} holds record {index}")]
    Misnamed {
        /// Name it was found under.
        name: String,
        /// Index it says it has.
        index: u64,
    },
    /// Records that are not there.
    #[error("records {from} to {to} are missing")]
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Several records in one place.
    #[error("the chain forks at record {index}: {}", names.join(", "))]
    Fork {
        /// The place.
        index: u64,
        /// Where they were found.
        names: Vec<String>,
    },
    /// A record whose text is not what the intact record after it says.
    #[error("{name} was changed: {by} names another hash for it")]
    Changed {
        /// The changed record.
        name: String,
        /// The record after it.
        by: String,
    },
    /// A record that does not follow the one before it, and that nothing vouches for.
    #[error("{name} does not follow the record before it: its previous hash is another one")]
    WrongPrevious {
        /// The record.
        name: String,
    },
    /// The last record is not the one that the head names.
    #[error("the head names another hash for record {index}")]
    HeadMismatch {
        /// Index of the head.
        index: u64,
    },
    /// A Revocation that came to its end without a record of it.
    #[error("Revocation {revocation} has ended as {phase} and is not sealed")]
    Unsealed {
        /// The Revocation.
        revocation: String,
        /// Its phase.
        phase: String,
    },
    /// A Revocation whose record is not in the chain, is of something else, or is not the one it names.
    #[error("Revocation {revocation} names {name} as its record of how it ended ({phase}); {why}")]
    OtherRecord {
        /// The Revocation.
        revocation: String,
        /// Its phase.
        phase: String,
        /// The record it names.
        name: String,
        /// What is there instead.
        why: &'static str,
    },
    /// A record beyond the head.
    #[error("{name} lies beyond the head: it was put there from outside, or its sealing did not come to an end")]
    AfterHead {
        /// The record.
        name: String,
    },
}

/// Checks a whole chain, given as pairs of name and text in any order.
///
/// A record vouched for by the head, or by an intact record after it, vouches for the one before it: so a changed
/// record is told from one that was put after it. `head` is `None` where none was kept; then a cut-off end cannot be
/// seen, and the last record vouches for itself.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn verify<N, T>(records: impl IntoIterator<Item = (N, T)>, head: Option<&Head>) -> Result<Summary, Vec<Broken>>
where
    N: Into<String>,
    T: AsRef<str>,
{
    let mut broken = Vec::new();
    let mut chain: BTreeMap<u64, Vec<Link>> = BTreeMap::new();
    for (found_as, text) in records {
        let found_as = found_as.into();
        match Link::read(&found_as, text.as_ref()) {
            Some(link) => {
                if name(link.index) != found_as {
                    broken.push(Broken::Misnamed { name: found_as, index: link.index });
                }
                chain.entry(link.index).or_default().push(link);
            }
            None => broken.push(Broken::Unreadable { name: found_as }),
        }
    }
    broken.extend(gaps(&chain, head));
    let last = links(&chain, head, &mut broken);
    if broken.is_empty() {
        let records = u64::try_from(chain.len()).unwrap_or(u64::MAX);
        Ok(Summary { records, head: head.cloned().or(last).unwrap_or_else(Head::genesis) })
    } else {
        Err(broken)
    }
}

/// What the check needs of a record.
pub(super) struct Link {
    pub(super) name: String,
    pub(super) index: u64,
    pub(super) previous: String,
    pub(super) hash: String,
}

impl Link {
    pub(super) fn read(name: &str, text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct ChainPosition {
            index: u64,
            previous: String,
        }
        let place: ChainPosition = serde_json::from_str(text).ok()?;
        (place.index > 0).then(|| Self {
            name: name.to_owned(),
            index: place.index,
            previous: place.previous,
            hash: hash(text),
        })
    }
}

/// Records that are missing before, between and after those that are there, and those beyond the head.
fn gaps(chain: &BTreeMap<u64, Vec<Link>>, head: Option<&Head>) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut next = 1_u64;
    for index in chain.keys() {
        if *index > next {
            broken.push(Broken::Missing { from: next, to: index.saturating_sub(1) });
        }
        next = index.saturating_add(1);
    }
    if let Some(head) = head {
        if head.index >= next {
            broken.push(Broken::Missing { from: next, to: head.index });
        }
        let beyond = chain.range(head.index.saturating_add(1)..).flat_map(|(_, links)| links);
        broken.extend(beyond.map(|link| Broken::AfterHead { name: link.name.clone() }));
    }
    broken
}

/// Walks from the newest record to the oldest and compares each with what is said of it. Gives the newest.
fn links(chain: &BTreeMap<u64, Vec<Link>>, head: Option<&Head>, broken: &mut Vec<Broken>) -> Option<Head> {
    let mut newest = None;
    let mut after: Option<(&Link, bool)> = None; // the record after this one, and whether it is vouched for
    for (index, candidates) in chain.iter().rev() {
        let by_head = head.filter(|head| head.index == *index).map(|head| head.hash.as_str());
        let follower = after.filter(|(link, _)| link.index == index.saturating_add(1));
        let expected = by_head.or(follower.map(|(link, _)| link.previous.as_str()));
        let Some(link) = candidates.iter().find(|link| Some(link.hash.as_str()) == expected).or(candidates.first())
        else {
            continue;
        };
        if candidates.len() > 1 {
            let names = candidates.iter().map(|link| link.name.clone()).collect();
            broken.push(Broken::Fork { index: *index, names });
        }
        let follows = follower.is_none_or(|(follower, _)| follower.previous == link.hash);
        match (by_head, follower) {
            (Some(expected), _) if expected != link.hash => broken.push(Broken::HeadMismatch { index: *index }),
            (Some(_), Some((follower, _))) | (None, Some((follower, false))) if !follows => {
                broken.push(Broken::WrongPrevious { name: follower.name.clone() });
            }
            (None, Some((follower, true))) if !follows => {
                broken.push(Broken::Changed { name: link.name.clone(), by: follower.name.clone() });
            }
            _ => {}
        }
        newest.get_or_insert_with(|| Head { index: *index, hash: link.hash.clone() });
        after = Some((link, by_head.map_or(follows, |expected| expected == link.hash)));
    }
    match after {
        Some((first, _)) if first.index == 1 && first.previous != GENESIS => {
            broken.push(Broken::WrongPrevious { name: first.name.clone() });
        }
        _ => {}
    }
    if head.is_some_and(|head| head.index == 0 && head.hash != GENESIS) {
        broken.push(Broken::HeadMismatch { index: 0 });
    }
    newest
}
