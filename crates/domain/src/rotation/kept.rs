//! Whether the new value of a Secret still stands: told by the Secret's own record of who wrote what and when. Its contents are never
//! asked for.
//!
//! Anybody who may write a Secret may also write its record, or call themselves as they like. So what the record says is never a proof that
//! the old value is back, and one that is not what it was is no proof of the contrary: then nothing is known.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

/// What one field manager wrote of a Secret's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The field manager.
    pub manager: String,
    /// When it last wrote anything of the Secret, by the API server's clock, in whole seconds.
    pub at: Option<Timestamp>,
    /// The keys that are its own.
    pub keys: BTreeSet<String>,
}

/// What was seen when the new value came.
#[derive(Clone, Copy, Debug)]
pub struct Rotated<'a> {
    /// The field manager that wrote it, if that was noted.
    pub by: Option<&'a str>,
    /// When.
    pub at: Timestamp,
    /// What told the value apart before, if anything does.
    pub before: Option<&'a str>,
}

/// What the record says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nobody else has written since.
    Stands,
    /// The value is the one of before, by what tells it apart.
    Before,
    /// It cannot be told.
    Untold(Doubt),
}

/// Why it cannot be told whether the new value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Another field manager wrote since.
    Another(String),
    /// The one that wrote the new value has none of it any more, or not all.
    Lost(String),
    /// Which one wrote it was not noted, and cannot be seen any more.
    Unnoted,
}

/// Longest name of a field manager that is shown.
const LONGEST: usize = 128;

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |manager: &str| manager.chars().take(LONGEST).collect::<String>();
        match self {
            Self::Another(manager) => {
                write!(f, "field manager {} has written it since, so the old value may be back", short(manager))
            }
            Self::Lost(manager) => write!(
                f,
                "what field manager {} had written is not its own any more, so the old value may be back",
                short(manager)
            ),
            Self::Unnoted => {
                f.write_str("which field manager wrote the new value is not known, so the old one may be back")
            }
        }
    }
}

/// What the record of a Secret says of a value that was rotated. `keys` are those that were rotated, where that is declared; `now` is
/// what tells the value apart now.
///
/// A newer value by the one that rotated it is as good. A key that was not rotated is anybody's to write.
#[must_use]
pub fn judge(writers: &[Writer], rotated: &Rotated<'_>, keys: Option<&BTreeSet<String>>, now: Option<&str>) -> Kept {
    if rotated.before.is_some_and(|before| !before.is_empty() && now == Some(before)) {
        return Kept::Before;
    }
    let then = || writers.iter().find(|writer| writer.at == Some(rotated.at)).map(|writer| writer.manager.as_str());
    let Some(by) = rotated.by.or_else(then) else { return Kept::Untold(Doubt::Unnoted) };
    let concerned = |writer: &&Writer| match keys {
        Some(keys) => !keys.is_disjoint(&writer.keys),
        None => !writer.keys.is_empty(),
    };
    // In the very second it could not be told which came first.
    let since = |writer: &&Writer| writer.at.is_none_or(|at| at.as_second() >= rotated.at.as_second());
    if let Some(other) = writers.iter().filter(concerned).filter(since).find(|writer| writer.manager != by) {
        return Kept::Untold(Doubt::Another(other.manager.clone()));
    }
    let own: BTreeSet<&String> =
        writers.iter().filter(|writer| writer.manager == by).flat_map(|one| &one.keys).collect();
    let has_all = match keys {
        Some(keys) => keys.iter().all(|key| own.contains(key)),
        None => !own.is_empty(),
    };
    if has_all { Kept::Stands } else { Kept::Untold(Doubt::Lost(by.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESO: &str = "externalsecrets.external-secrets.io/db";
    const OURS: &str = "rollcall-revoke";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_323_200 + second).unwrap()
    }

    fn writer(manager: &str, second: i64, keys: &[&str]) -> Writer {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Writer { manager: manager.into(), at: Some(at(second)), keys }
    }

    fn word(kept: &Kept) -> &'static str {
        match kept {
            Kept::Stands => "stands",
            Kept::Before => "before",
            Kept::Untold(Doubt::Another(_)) => "another",
            Kept::Untold(Doubt::Lost(_)) => "lost",
            Kept::Untold(Doubt::Unnoted) => "unnoted",
        }
    }

    #[test]
    fn what_a_controller_rotated_stands_while_nobody_else_has_written_contents_since() {
        let (pw, none): (&[&str], &[&str]) = (&["pw"], &[]);
        for (what, writers, expected) in [
            ("as it was", vec![writer(ESO, 0, pw)], "stands"),
            ("written since by the one that rotated it", vec![writer(ESO, 900, pw)], "stands"),
            ("an annotation by somebody else", vec![writer(ESO, 0, pw), writer("kubectl", 900, none)], "stands"),
            ("a key that another wrote long before", vec![writer("helm", -9, &["user"]), writer(ESO, 0, pw)], "stands"),
            ("all of it by another", vec![writer("kubectl-edit", 900, pw)], "another"),
            ("one key of two by another", vec![writer(ESO, 0, pw), writer("argocd", 900, &["user"])], "another"),
            ("in the same second", vec![writer(ESO, 0, pw), writer("argocd", 0, &["user"])], "another"),
            ("both of them since", vec![writer(ESO, 950, pw), writer("argocd", 900, &["user"])], "another"),
            ("by another, and then set back in time", vec![writer("velero", -9, pw)], "lost"),
            ("its record is gone", vec![], "lost"),
        ] {
            let rotated = Rotated { by: Some(ESO), at: at(0), before: Some("00000000") };
            assert_eq!(word(&judge(&writers, &rotated, None, Some("11111111"))), expected, "{what}");
        }
        let timeless = Writer { at: None, ..writer("x", 0, &["pw"]) };
        let rotated = Rotated { by: Some(ESO), at: at(0), before: None };
        assert_eq!(word(&judge(&[writer(ESO, 0, &["pw"]), timeless], &rotated, None, None)), "another");
    }

    #[test]
    fn what_was_generated_stands_while_the_keys_that_were_declared_are_nobody_elses() {
        let keys = BTreeSet::from(["id".to_owned(), "pw".to_owned()]);
        let (both, user): (&[&str], &[&str]) = (&["id", "pw"], &["user"]);
        for (what, writers, expected) in [
            ("as it was", vec![writer("helm", -9, user), writer(OURS, 0, both)], "stands"),
            ("another key by another", vec![writer("helm", 900, user), writer(OURS, 0, both)], "stands"),
            ("generated once more", vec![writer(OURS, 900, both)], "stands"),
            ("one of them by another", vec![writer(OURS, 0, &["id"]), writer("argocd", 900, &["pw"])], "another"),
            ("one of them by two", vec![writer(OURS, 0, both), writer("flux", 900, &["pw"])], "another"),
            ("one of them by nobody", vec![writer(OURS, 0, &["id"])], "lost"),
            (
                "what a server-side apply once wrote, and has not since",
                vec![writer("flux", -9, both), writer(OURS, 0, both)],
                "stands",
            ),
        ] {
            let rotated = Rotated { by: Some(OURS), at: at(0), before: None };
            assert_eq!(word(&judge(&writers, &rotated, Some(&keys), None)), expected, "{what}");
        }
    }

    #[test]
    fn the_very_value_of_before_is_known_by_what_told_it_apart_whoever_wrote_it() {
        let rotated = Rotated { by: Some(ESO), at: at(0), before: Some("0a0a0a0a") };
        let writers = [writer(ESO, 900, &["pw"])];
        assert_eq!(judge(&writers, &rotated, None, Some("0a0a0a0a")), Kept::Before);
        assert_eq!(judge(&writers, &rotated, None, Some("0b0b0b0b")), Kept::Stands);
        assert_eq!(judge(&writers, &rotated, None, None), Kept::Stands, "it says so no more");
        let none = Rotated { before: Some(""), ..rotated };
        assert_eq!(judge(&writers, &none, None, Some("")), Kept::Stands, "nothing told it apart");
    }

    #[test]
    fn a_rotation_of_an_older_version_is_told_by_when_it_was_written_or_not_at_all() {
        let rotated = Rotated { by: None, at: at(0), before: None };
        for (what, writers, expected) in [
            ("nothing was written since", vec![writer(ESO, 0, &["pw"])], "stands"),
            ("something was, by whomever", vec![writer(ESO, 900, &["pw"])], "unnoted"),
        ] {
            assert_eq!(word(&judge(&writers, &rotated, None, None)), expected, "{what}");
        }
        let long = Doubt::Another("x".repeat(4000)).to_string();
        assert!(long.len() < 256, "{long}");
    }
}
