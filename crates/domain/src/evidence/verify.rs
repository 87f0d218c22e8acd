//! Checking a whole chain: what is missing, changed, forked or beyond its head.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{GENESIS, Head, hash, name};

/// What an unbroken chain is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many records hang together up to its end.
    pub records: u64,
    /// How many of them were pruned and are still there: the prune was interrupted, or this is a copy.
    pub pruned: u64,
    /// How many other pruned records are there, which nothing vouches for, since the one after them is gone.
    pub loose: u64,
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
    /// The marker of the start does not name the record before the first one that was kept.
    #[error("the start marker names another hash for record {index} than the record after it")]
    StartMismatch {
        /// Index of the marker.
        index: u64,
    },
    /// The marker of the start leaves nothing of the chain.
    #[error("the start marker says that records up to {index} were pruned, and the chain ends before or there")]
    StartBeyondEnd {
        /// Index of the marker.
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
/// seen, and the last record vouches for itself. `start` is the last record that was pruned, [`Head::genesis`] where none
/// was: the records up to it may be missing, and are checked where they are there.
///
/// # Errors
/// Everything that is wrong, not only the first.
pub fn verify<N, T>(
    records: impl IntoIterator<Item = (N, T)>,
    head: Option<&Head>,
    start: &Head,
) -> Result<Summary, Vec<Broken>>
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
    broken.extend(gaps(&chain, head, start));
    let last = links(&chain, head, start, &mut broken);
    if broken.is_empty() {
        Ok(summary(&chain, start, head.cloned().or(last).unwrap_or_else(Head::genesis)))
    } else {
        Err(broken)
    }
}

/// Counts what hangs together up to the end, and what does not.
fn summary(chain: &BTreeMap<u64, Vec<Link>>, start: &Head, head: Head) -> Summary {
    let mut first = start.index.saturating_add(1);
    while chain.contains_key(&first.saturating_sub(1)) {
        first = first.saturating_sub(1);
    }
    let all = u64::try_from(chain.len()).unwrap_or(u64::MAX);
    let loose = u64::try_from(chain.range(..first).count()).unwrap_or(u64::MAX);
    let pruned = start.index.saturating_add(1).saturating_sub(first);
    Summary { records: all.saturating_sub(loose), pruned, loose, head }
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

/// Records that are missing before, between and after those behind the start, and those beyond the head.
fn gaps(chain: &BTreeMap<u64, Vec<Link>>, head: Option<&Head>, start: &Head) -> Vec<Broken> {
    let mut broken = Vec::new();
    let end = head.map(|head| head.index).or_else(|| chain.keys().next_back().copied()).unwrap_or(0);
    if start.index > 0 && start.index >= end {
        broken.push(Broken::StartBeyondEnd { index: start.index });
    }
    let mut next = start.index.saturating_add(1);
    for (index, _) in chain.range(next..) {
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
fn links(
    chain: &BTreeMap<u64, Vec<Link>>,
    head: Option<&Head>,
    start: &Head,
    broken: &mut Vec<Broken>,
) -> Option<Head> {
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
        let vouched = by_head.map_or(follows, |expected| expected == link.hash);
        broken.extend(begins(link, vouched, start));
        after = Some((link, vouched));
    }
    if head.is_some_and(|head| head.index == 0 && head.hash != GENESIS) {
        broken.push(Broken::HeadMismatch { index: 0 });
    }
    newest
}

/// What is wrong with how the chain begins: the first record that was kept follows the last one that was pruned, and the very
/// first one follows none.
fn begins(link: &Link, vouched: bool, start: &Head) -> Option<Broken> {
    let before = link.index.saturating_sub(1);
    let wrong = || Broken::WrongPrevious { name: link.name.clone() };
    if before == start.index && before > 0 && link.previous != start.hash {
        return Some(if vouched { Broken::StartMismatch { index: before } } else { wrong() });
    }
    (before == 0 && link.previous != GENESIS).then(wrong)
}
