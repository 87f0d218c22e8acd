//! Of the files that lie in a folder: which are whole, and which of them is the newest. Pure.
//!
//! A server cannot know whether an upload is complete, so the sender says it (a marker, a checksum), or the file has
//! stood still for some polls.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::name::{CHECKSUM, Pattern, ignored};

/// How a file is known to be whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complete {
    /// Size and time are the same in so many polls in a row.
    Unchanged(u32),
    /// A file of the same name with this ending is next to it, and is not older.
    Marker(String),
    /// A file of the same name with the ending `.sha256` is next to it, and holds its checksum.
    Checksum,
}

impl Complete {
    /// The ending of the files that only say that another is whole.
    pub(super) fn marker(&self) -> Option<&str> {
        match self {
            Self::Marker(ending) => Some(ending),
            _ => None,
        }
    }

    /// The ending of the file that is next to one that is whole.
    pub(super) fn beside(&self) -> Option<&str> {
        match self {
            Self::Unchanged(_) => None,
            Self::Marker(ending) => Some(ending),
            Self::Checksum => Some(CHECKSUM),
        }
    }
}

/// One regular file of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListedFile {
    pub(super) name: String,
    pub(super) size: u64,
    /// Seconds since 1970, by the server's clock.
    pub(super) modified: u32,
}

/// A file that may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    /// The folder it lies in, below the one that is watched; empty for that one.
    pub(super) folder: &'static str,
    /// Its name there.
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) modified: u32,
    /// The date in its name.
    pub(super) dated: Option<DateTime>,
}

impl Delivery {
    /// The file it is, wherever it lies by now.
    pub(super) fn itself(&self) -> (&str, u64, u32) {
        let name = before(&self.name).filter(|_| !self.folder.is_empty());
        (name.unwrap_or(&self.name), self.size, self.modified)
    }
}

/// What a listing comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// Whole files, in no order.
    pub(super) whole: Vec<Delivery>,
    /// How many there are that are not whole yet, and why the last of them is not.
    pub(super) unfinished: usize,
    pub(super) why: Option<String>,
}

/// How often a file was seen with the same size and time, by its name.
pub(super) type Sightings = BTreeMap<String, (u64, u32, u32)>;

/// Looks at the listing of the watched folder.
pub(super) fn look(
    listing: &[ListedFile],
    pattern: &Pattern,
    complete: &Complete,
    sightings: &mut Sightings,
) -> Listing {
    let marker = complete.marker();
    let beside = |name: &str, ending: &str| {
        let wanted = format!("{name}{ending}");
        listing.iter().find(|entry| entry.name == wanted)
    };
    let mut seen = Sightings::new();
    let mut waiting = Listing::default();
    for entry in listing {
        let Some(dated) = pattern.read(&entry.name).filter(|_| !ignored(&entry.name, marker)) else { continue };
        let times = match sightings.get(&entry.name) {
            Some((size, modified, times)) if (*size, *modified) == (entry.size, entry.modified) => times + 1,
            _ => 1,
        };
        seen.insert(entry.name.clone(), (entry.size, entry.modified, times));
        let lacks = match complete {
            _ if entry.size == 0 => Some("it is empty".to_owned()),
            Complete::Unchanged(polls) if times < *polls => {
                Some(format!("its size and time were the same in {times} of {polls} polls"))
            }
            Complete::Unchanged(_) => None,
            Complete::Marker(ending) => match beside(&entry.name, ending) {
                None => Some(format!("there is no file with its name and {ending} next to it")),
                Some(marker) if marker.modified < entry.modified => Some(format!("its {ending} file is older than it")),
                Some(_) => None,
            },
            Complete::Checksum if beside(&entry.name, CHECKSUM).is_none() => {
                Some(format!("there is no file with its name and {CHECKSUM} next to it"))
            }
            Complete::Checksum => None,
        };
        if lacks.is_some() {
            waiting.unfinished += 1;
            waiting.why = lacks;
            continue;
        }
        let ListedFile { name, size, modified } = entry.clone();
        waiting.whole.push(Delivery { folder: "", name, size, modified, dated });
    }
    *sightings = seen;
    waiting
}

/// Files that were moved away, by the name they had: `people.csv.0123456789ab` was `people.csv`.
pub(super) fn moved(
    folder: &'static str,
    listing: &[ListedFile],
    pattern: &Pattern,
    complete: &Complete,
) -> Vec<Delivery> {
    let read = |entry: &ListedFile| {
        let before = before(&entry.name).filter(|name| !ignored(name, complete.marker()))?;
        let dated = pattern.read(before)?;
        let ListedFile { name, size, modified } = entry.clone();
        Some(Delivery { folder, name, size, modified, dated })
    };
    listing.iter().filter_map(read).collect()
}

/// Hex digits of the digest behind a name that was moved.
const DIGITS: usize = 12;

/// A name no other file has: the digest of what is in it stands behind it, and a number where that is taken.
pub(super) fn after(name: &str, sha256: &str, again: u32) -> String {
    let digest: String = sha256.chars().take(DIGITS).collect();
    if again == 0 { format!("{name}.{digest}") } else { format!("{name}.{digest}.{again}") }
}

/// The name a file had before it was moved.
pub(super) fn before(name: &str) -> Option<&str> {
    let (rest, last) = name.rsplit_once('.')?;
    let digest = |text: &str| text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digest(last) {
        return Some(rest);
    }
    let (name, digits) = rest.rsplit_once('.').filter(|_| last.len() < 4 && last.parse::<u32>().is_ok())?;
    digest(digits).then_some(name)
}

/// The newest by the date in its name.
///
/// # Errors
/// In words: two could be it.
pub(super) fn newest(whole: &[Delivery]) -> Result<Option<&Delivery>, String> {
    let Some(newest) = whole.iter().max_by_key(|file| file.dated) else { return Ok(None) };
    let same: Vec<&Delivery> = whole.iter().filter(|file| file.dated == newest.dated).collect();
    // A file that was delivered again stands for the one of its date that was moved away.
    let delivered: Vec<&&Delivery> = same.iter().filter(|file| file.folder.is_empty()).collect();
    match (delivered.as_slice(), newest.dated) {
        ([one], _) => Ok(Some(one)),
        ([], _) => Ok(same.into_iter().max_by_key(|file| file.modified)),
        (several, None) => Err(format!("{} files have a name that fits, and no date in it", several.len())),
        (several, Some(_)) => Err(format!("{} files have the same date in their names", several.len())),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn entry(name: &str, size: u64, modified: u32) -> ListedFile {
        ListedFile { name: name.to_owned(), size, modified }
    }

    fn names(pattern: &str, complete: &Complete, polls: &[Vec<ListedFile>]) -> (Vec<String>, Option<String>) {
        let pattern = Pattern::parse(pattern).unwrap();
        let mut sightings = Sightings::new();
        let mut last = Listing::default();
        for listing in polls {
            last = look(listing, &pattern, complete, &mut sightings);
        }
        (last.whole.into_iter().map(|file| file.name).collect(), last.why)
    }

    #[test]
    fn a_file_is_whole_when_its_sender_says_so_or_it_stands_still() {
        let done = Complete::Marker(".done".to_owned());
        let csv = |size, modified| vec![entry("p.csv", size, modified)];
        let with = |name: &str, modified| vec![entry("p.csv", 9, 100), entry(name, 0, modified)];
        let same = "its size and time were the same in 1 of 2 polls";
        let cases = [
            ("seen once", &Complete::Unchanged(1), vec![csv(9, 1)], None),
            ("seen once of two", &Complete::Unchanged(2), vec![csv(9, 1)], Some(same)),
            ("seen twice", &Complete::Unchanged(2), vec![csv(9, 1), csv(9, 1)], None),
            ("grew", &Complete::Unchanged(2), vec![csv(9, 1), csv(10, 1)], Some(same)),
            ("written again at the same size", &Complete::Unchanged(2), vec![csv(9, 1), csv(9, 2)], Some(same)),
            ("gone in between", &Complete::Unchanged(2), vec![csv(9, 1), vec![], csv(9, 1)], Some(same)),
            ("grew, then stood", &Complete::Unchanged(2), vec![csv(8, 1), csv(9, 2), csv(9, 2)], None),
            ("empty, however long", &Complete::Unchanged(1), vec![csv(0, 1), csv(0, 1)], Some("it is empty")),
            ("no marker", &done, vec![csv(9, 1)], Some("there is no file with its name and .done next to it")),
            ("a marker", &done, vec![with("p.csv.done", 100)], None),
            (
                "a marker of another file",
                &done,
                vec![with("q.csv.done", 100)],
                Some("there is no file with its name and .done next to it"),
            ),
            (
                "a marker of the file before",
                &done,
                vec![with("p.csv.done", 99)],
                Some("its .done file is older than it"),
            ),
            (
                "an empty file with a marker",
                &done,
                vec![vec![entry("p.csv", 0, 1), entry("p.csv.done", 0, 1)]],
                Some("it is empty"),
            ),
            ("a checksum", &Complete::Checksum, vec![with("p.csv.sha256", 1)], None),
            (
                "no checksum",
                &Complete::Checksum,
                vec![csv(9, 1)],
                Some("there is no file with its name and .sha256 next to it"),
            ),
            (
                "a marker where a checksum is due",
                &Complete::Checksum,
                vec![with("p.csv.done", 100)],
                Some("there is no file with its name and .sha256 next to it"),
            ),
            ("an upload under another name", &Complete::Unchanged(1), vec![vec![entry("p.csv.part", 9, 1)]], None),
        ];
        for (situation, complete, polls, lacks) in cases {
            let unfinished = situation == "an upload under another name";
            let (whole, why) = names(if unfinished { "p.csv*" } else { "p.csv" }, complete, &polls);
            assert_eq!(why.as_deref(), lacks, "{situation}");
            assert_eq!(whole, vec!["p.csv"; usize::from(lacks.is_none() && !unfinished)], "{situation}");
        }
    }

    fn delivery(folder: &'static str, name: &str, modified: u32) -> Delivery {
        let dated = Pattern::parse("p_%Y%m%d*").unwrap().read(name).flatten();
        Delivery { folder, name: name.to_owned(), size: 1, modified, dated }
    }

    #[test]
    fn the_date_in_the_name_says_which_is_newest_and_never_the_time_of_the_file() {
        let several = |count| Err(format!("{count} files have a name that fits, and no date in it"));
        for (situation, files, expected) in [
            ("none", vec![], Ok(None)),
            ("one without a date", vec![delivery("", "people.csv", 1)], Ok(Some("people.csv"))),
            ("two without", vec![delivery("", "a.csv", 1), delivery("", "b.csv", 2)], several(2)),
            (
                "copied later",
                vec![delivery("", "p_20260302", 1), delivery("", "p_20260301", 9)],
                Ok(Some("p_20260302")),
            ),
            (
                "two of one day",
                vec![delivery("", "p_20260302a", 1), delivery("", "p_20260302b", 2)],
                Err("2 files have the same date in their names".to_owned()),
            ),
            (
                "delivered again after it was moved away",
                vec![delivery("processed", "p_20260302.0123456789ab", 9), delivery("", "p_20260302", 1)],
                Ok(Some("p_20260302")),
            ),
            (
                "moved away twice",
                vec![delivery("processed", "p_20260302.a", 9), delivery("processed", "p_20260302.b", 1)],
                Ok(Some("p_20260302.a")),
            ),
            (
                "an older one after a newer one was moved away",
                vec![delivery("processed", "p_20260302.a", 1), delivery("", "p_20260301", 9)],
                Ok(Some("p_20260302.a")),
            ),
        ] {
            let found = newest(&files).map(|file| file.map(|file| file.name.as_str()));
            assert_eq!(found, expected, "{situation}");
        }
    }

    #[test]
    fn a_moved_file_has_a_name_of_its_own_and_is_known_by_the_name_before() {
        let sha = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        assert_eq!(after("p.csv", sha, 0), "p.csv.0123456789ab");
        assert_eq!(after("p.csv", sha, 2), "p.csv.0123456789ab.2");
        for (name, known) in [
            ("p.csv.0123456789ab", Some("p.csv")),
            ("p.csv.0123456789ab.2", Some("p.csv")),
            ("p.csv", None),
            ("p.csv.2", None),
            ("p.csv.0123456789zz", None),
        ] {
            assert_eq!(before(name), known, "{name}");
        }
        let pattern = Pattern::parse("p_%Y%m%d.csv").unwrap();
        let files = ["p_20260302.csv", "other.csv", "p_20260302.csv.sha256"];
        let files = files.map(|name| entry(&after(name, sha, 0), 5, 7));
        let found = moved("processed", &files, &pattern, &Complete::Unchanged(1));
        assert_eq!(found.iter().map(|file| file.dated).collect::<Vec<_>>(), [Some(date(2026, 3, 2).at(0, 0, 0, 0))]);
    }
}
