//! Where the chain begins once records were pruned: the last record that went, who pruned it, and who pruned before.
//!
//! Kept as plain texts, a key each, because an admission policy reads them: `index` only grows, `by` is the one who writes, and
//! what an earlier prune said of itself stays in `earlier`, a line each.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Head;

/// Most earlier prunes that are told; the admission policy knows the same number.
const EARLIER: usize = 100;
/// Keys of the marker's ConfigMap, but for those it shares with the head.
const FROM: &str = "from";
const AT: &str = "at";
const BY: &str = "by";
const TOLD: &str = "earlier";

/// One prune: records that were deleted from the beginning of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Index of the first of them.
    pub from: u64,
    /// The last of them. Its hash stands for all of them, since each record names the hash of the one before it.
    pub last: Head,
    /// When, to the second, by the clock of the one who pruned.
    pub at: Timestamp,
    /// User name of the one who pruned.
    pub by: String,
}

impl Prune {
    fn line(&self) -> String {
        format!("{} {} {} {} {}", self.from, self.last.index, self.at, self.last.hash, self.by)
    }

    fn of_line(line: &str) -> Option<Self> {
        let mut words = line.splitn(5, ' '); // a user name may hold blanks
        let [from, index, at, hash, by] = [(); 5].map(|()| words.next());
        Self::of(from?, index?, at?, hash?, by?)
    }

    fn of(from: &str, index: &str, at: &str, hash: &str, by: &str) -> Option<Self> {
        let last = Head::of(index, hash)?;
        let from = from.parse().ok().filter(|from| (1..=last.index).contains(from))?;
        (!by.is_empty()).then_some(Self { from, last, at: at.parse().ok()?, by: by.to_owned() })
    }
}

/// The marker of the start: the newest prune, and those before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The newest; the chain begins behind its last record.
    pub newest: Prune,
    /// The others, the newest first; the oldest are forgotten once there are too many.
    pub earlier: Vec<Prune>,
}

impl Start {
    /// The marker once this prune is made after the one that stands.
    #[must_use]
    pub fn after(before: Option<&Self>, newest: Prune) -> Self {
        let told = before.into_iter().flat_map(|before| std::iter::once(&before.newest).chain(&before.earlier));
        Self { newest, earlier: told.take(EARLIER).cloned().collect() }
    }

    /// Reads the data of the marker's ConfigMap; `None` where it is not as it was written.
    #[must_use]
    pub fn read(data: &BTreeMap<String, String>) -> Option<Self> {
        let text = |key: &str| data.get(key).map(String::as_str);
        let newest = Prune::of(text(FROM)?, text(super::HEAD_INDEX)?, text(AT)?, text(super::HEAD_HASH)?, text(BY)?)?;
        let lines = text(TOLD).into_iter().flat_map(|told| told.split('\n'));
        let earlier = lines.map(Prune::of_line).collect::<Option<_>>()?;
        Some(Self { newest, earlier })
    }

    /// The data of the marker's ConfigMap.
    #[must_use]
    pub fn data(&self) -> BTreeMap<String, String> {
        let mut data = self.newest.last.data();
        data.insert(FROM.to_owned(), self.newest.from.to_string());
        data.insert(AT.to_owned(), self.newest.at.to_string());
        data.insert(BY.to_owned(), self.newest.by.clone());
        if !self.earlier.is_empty() {
            let lines: Vec<String> = self.earlier.iter().map(Prune::line).collect();
            data.insert(TOLD.to_owned(), lines.join("\n"));
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::hash;

    fn prune(from: u64, to: u64, by: &str) -> Prune {
        let last = Head { index: to, hash: hash(&to.to_string()) };
        Prune { from, last, at: "2026-11-01T08:00:00Z".parse().unwrap(), by: by.into() }
    }

    #[test]
    fn the_marker_reads_back_from_its_config_map_with_every_prune_it_tells_of() {
        let first = Start::after(None, prune(1, 600, "carol"));
        let second = Start::after(Some(&first), prune(601, 700, "CN=Grace Hopper, O=ops"));
        let third = Start::after(Some(&second), prune(701, 701, "system:serviceaccount:archive:pruner"));
        for start in [&first, &second, &third] {
            assert_eq!(Start::read(&start.data()).as_ref(), Some(start));
        }
        assert_eq!(third.earlier, [second.newest, first.newest], "the newest first");
    }

    #[test]
    fn a_marker_that_is_not_as_it_was_written_is_none() {
        let start = Start::after(Some(&Start::after(None, prune(1, 600, "carol"))), prune(601, 700, "carol"));
        for (key, value) in [
            ("index", "0"),
            ("index", "600"),
            ("index", "many"),
            ("hash", "abc"),
            ("from", "0"),
            ("from", "701"),
            ("at", "yesterday"),
            ("by", ""),
            ("earlier", "1 600 carol"),
            ("earlier", "nothing"),
        ] {
            let mut data = start.data();
            data.insert(key.into(), value.into());
            assert_eq!(Start::read(&data), None, "{key}: {value}");
        }
        for key in ["index", "hash", "from", "at", "by"] {
            let mut data = start.data();
            data.remove(key);
            assert_eq!(Start::read(&data), None, "without {key}");
        }
    }

    #[test]
    fn the_oldest_prunes_are_forgotten() {
        let mut start = Start::after(None, prune(1, 1, "carol"));
        for index in 2..=150 {
            start = Start::after(Some(&start), prune(index, index, "carol"));
        }
        assert_eq!((start.earlier.len(), start.earlier[99].from), (EARLIER, 50));
    }
}
