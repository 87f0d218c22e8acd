//! The memory of the accounts of some namespaces: what each place was, and what its mark was.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Change, First, Full, Seen, Standing, WINDOW, before, digest};

/// How long a mark that went is remembered: a Revocation may be held for long.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
/// An account that got its mark within this time was made with it, such as by a script of two commands.
const MADE_WITH_IT: SignedDuration = SignedDuration::from_secs(10);
/// Most bytes of one shelf as it is kept: a ConfigMap holds a mebibyte.
const MAX_BYTES: usize = 900 * 1024;
/// Most owners of one place who lost a mark and are remembered.
const MAX_LOST: usize = 32;

/// A mark that went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lost {
    /// The digest of its owner.
    owner: String,
    /// The uid of the account that carried it.
    uid: String,
    /// When it was seen to be gone.
    #[serde(with = "seconds")]
    at: Timestamp,
}

/// One place of an account: namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Uid of the account that stands there, or stood there last.
    uid: String,
    /// Digest of its owner; empty without a mark.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    owner: String,
    /// When the mark was set; none of one that the account was made with.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe")]
    since: Option<Timestamp>,
    /// When the account was seen to be gone.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe")]
    gone: Option<Timestamp>,
    /// Marks that went: the last of each owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lost: Vec<Lost>,
    /// When more owners lost one than are remembered: from then on it may be anybody's.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe")]
    anybodys: Option<Timestamp>,
}

impl Place {
    /// An owner lost the mark. Somebody who makes an account again under many names must not have their own forgotten by that.
    fn lose(&mut self, lost: Lost) {
        self.lost.retain(|known| known.owner != lost.owner);
        if self.lost.len() < MAX_LOST {
            self.lost.push(lost);
        } else {
            self.anybodys = Some(lost.at);
        }
    }

    /// Digests of the owners who lost it.
    fn losers(&self) -> BTreeSet<String> {
        self.lost.iter().map(|lost| lost.owner.clone()).collect()
    }
}

/// The accounts of some namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// When it was last written: whatever stood then and had a mark is in it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe")]
    written: Option<Timestamp>,
    /// By `namespace/name`.
    #[serde(default)]
    accounts: BTreeMap<String, Place>,
}

impl Shelf {
    /// Takes in an account as it is now. Says what changed.
    pub fn see(&mut self, place: &str, seen: Seen<'_>, first: First, now: Timestamp) -> Change {
        let owner = seen.owner.map(digest).unwrap_or_default();
        let Some(known) = self.accounts.get_mut(place) else {
            if owner.is_empty() {
                return Change::default(); // it never had one
            }
            let since = self.since(seen, first, now);
            let new = Place { uid: seen.uid.to_owned(), owner, since, ..Place::default() };
            self.accounts.insert(place.to_owned(), new);
            return Change { keep: true, losers: BTreeSet::new() };
        };
        let back = known.gone.take().is_some();
        let uid = std::mem::replace(&mut known.uid, seen.uid.to_owned());
        let other = uid != known.uid;
        if known.owner == owner {
            // Made again as it was: a process that reads the memory later comes to the same end, so its uid need not be kept.
            let losers = if other { known.losers() } else { BTreeSet::new() };
            return Change { keep: back, losers };
        }
        let before = std::mem::replace(&mut known.owner, owner);
        known.since = Some(now);
        if !before.is_empty() {
            known.lose(Lost { owner: before, uid, at: now });
        }
        Change { keep: true, losers: known.losers() }
    }

    /// Since when an account that is seen for the first time has its mark; none if it was made with it.
    fn since(&self, seen: Seen<'_>, first: First, now: Timestamp) -> Option<Timestamp> {
        let soon = |at: Timestamp| seen.created.is_some_and(|created| at.duration_since(created) <= MADE_WITH_IT);
        // It stood when the shelf was written, and without a mark, or it were on it. What an object says of itself anybody
        // who may change it can write, so its own word counts only where nothing else is known.
        let overlooked = || self.written.zip(seen.created).is_some_and(|(written, created)| created < written);
        match first {
            First::Beginning => None,
            First::Unmarked => (!soon(now)).then_some(now),
            First::New if overlooked() => (!soon(now)).then_some(now),
            First::New => match seen.marked {
                Some(marked) => (!soon(marked)).then_some(marked.min(now)),
                None => Some(now),
            },
        }
    }

    /// The account of this place is gone. What it was is remembered for a while: it may be made again without its mark.
    pub fn gone(&mut self, place: &str, now: Timestamp) -> Change {
        let Some(known) = self.accounts.get_mut(place).filter(|known| known.gone.is_none()) else {
            return Change::default();
        };
        let losers = known.losers();
        if known.owner.is_empty() && losers.is_empty() {
            self.accounts.remove(place);
        } else {
            known.gone = Some(now);
        }
        Change { keep: true, losers }
    }

    /// Places where an account stands, as far as is known.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().filter(|(_, known)| known.gone.is_none()).map(|(place, _)| place.as_str())
    }

    /// What is known of the mark of an account.
    #[must_use]
    pub fn standing(&self, place: &str, uid: &str) -> Standing {
        let same = |known: &&Place| known.gone.is_none() && known.uid == uid && !known.owner.is_empty();
        match self.accounts.get(place).filter(same) {
            None => Standing::Unknown,
            Some(known) => known.since.map_or(Standing::Settled, Standing::Since),
        }
    }

    /// Whether the mark of this place is known to be this owner's.
    pub fn names(&self, place: &str, owner: &str) -> bool {
        self.accounts.get(place).is_some_and(|known| known.owner == digest(owner))
    }

    /// Places that had a mark of one of these owners within the window of an exit that was noticed at `notice`, and where an
    /// account stands without it.
    pub fn lost<'a>(
        &'a self,
        owners: &'a BTreeSet<String>,
        notice: Timestamp,
        excused: &'a BTreeMap<String, Timestamp>,
    ) -> impl Iterator<Item = &'a str> {
        let late = move |at: Timestamp| at >= before(notice);
        let theirs = move |lost: &Lost| {
            let handed_over = excused.get(&lost.uid).is_some_and(|until| lost.at <= *until);
            owners.contains(&lost.owner) && late(lost.at) && !handed_over
        };
        let without = move |known: &Place| {
            let may_be_theirs = known.lost.iter().any(theirs) || known.anybodys.is_some_and(late);
            known.gone.is_none() && !owners.contains(&known.owner) && may_be_theirs
        };
        self.accounts.iter().filter(move |(_, known)| without(known)).map(|(place, _)| place.as_str())
    }

    /// Takes in what another process has kept since: it may have seen what this one did not.
    pub fn merge(&mut self, other: Self) {
        for (place, theirs) in other.accounts {
            match self.accounts.get_mut(&place) {
                None => drop(self.accounts.insert(place, theirs)),
                Some(ours) => {
                    let known = |lost: &Lost| ours.lost.iter().any(|one| one.owner == lost.owner && one.at >= lost.at);
                    let more: Vec<Lost> = theirs.lost.into_iter().filter(|lost| !known(lost)).collect();
                    more.into_iter().for_each(|lost| ours.lose(lost));
                    ours.anybodys = ours.anybodys.max(theirs.anybodys);
                }
            }
        }
        self.written = self.written.max(other.written);
    }

    /// Forgets what no exit asks for any more: accounts that are gone for longer than the window, marks that went long ago.
    fn forget(&mut self, now: Timestamp) {
        let long_ago = |at: Timestamp, kept: SignedDuration| now.duration_since(at) > kept;
        for known in self.accounts.values_mut() {
            known.lost.retain(|lost| !long_ago(lost.at, KEPT));
            known.anybodys = known.anybodys.filter(|at| !long_ago(*at, KEPT));
        }
        self.accounts.retain(|_, known| match known.gone {
            Some(gone) => !long_ago(gone, WINDOW),
            None => !known.owner.is_empty() || !known.lost.is_empty(),
        });
    }

    /// As it is to be kept, without what need not be. Where there is no room for all of it, accounts that are gone go first.
    ///
    /// # Errors
    /// There is no room even so.
    pub fn written(&mut self, now: Timestamp) -> Result<String, Full> {
        self.forget(now);
        self.written = Some(now);
        let text = |shelf: &Self| serde_json::to_string(shelf).map_err(|_| Full);
        let all = text(self)?;
        if all.len() <= MAX_BYTES {
            return Ok(all);
        }
        self.accounts.retain(|_, known| known.gone.is_none());
        text(self).and_then(|less| if less.len() <= MAX_BYTES { Ok(less) } else { Err(Full) })
    }
}

/// Whole seconds of an instant: a third of what its text takes.
mod seconds {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_second())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::from_second(i64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The same of one that may not be there.
mod maybe {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::as_second).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let at = Option::<i64>::deserialize(deserializer)?;
        at.map(|at| Timestamp::from_second(at).map_err(serde::de::Error::custom)).transpose()
    }
}
