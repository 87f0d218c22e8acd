//! What the texts of a source mean that tell of somebody's account.
//!
//! Nothing is decided by them, so that a text nobody can read is counted and not taken, and sets nobody aside.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::super::dates::{self, DateForm};
use super::super::row::Slot;
use domain::account::{Fact, Unread, Value};

/// Words for a fact, in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct FactWords {
    /// It is so.
    pub(crate) yes: Vec<String>,
    /// It is not so.
    pub(crate) no: Vec<String>,
    /// It never was.
    pub(crate) never: Vec<String>,
}

/// Words that mean yes and no where a source has none of its own.
const YES: [&str; 3] = ["true", "yes", "1"];
const NO: [&str; 3] = ["false", "no", "0"];

/// Which facts are read of a source, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    /// Those that are read.
    pub(crate) read: Vec<Fact>,
    /// Those that could be, and are not.
    pub(crate) unread: BTreeMap<Fact, Unread>,
    words: BTreeMap<Fact, FactWords>,
}

impl Accounts {
    /// Of what a source offers, those that are asked for.
    pub(crate) fn of(offered: &BTreeSet<Slot>, asked: impl Fn(Fact) -> bool, words: BTreeMap<Fact, FactWords>) -> Self {
        let there = Fact::ALL.into_iter().filter(|fact| offered.contains(&fact.slot()));
        let (read, not_asked): (Vec<_>, Vec<_>) = there.partition(|fact| asked(*fact));
        Self { read, unread: not_asked.into_iter().map(|fact| (fact, Unread::NotAsked)).collect(), words }
    }

    /// What a text says of a fact; none where it cannot be read, or is of a day to come.
    pub(super) fn value(&self, fact: Fact, text: &str, forms: &[DateForm], as_of: Date) -> Option<Value> {
        let own = self.words.get(&fact);
        let word = text.to_lowercase();
        let among = |words: fn(&FactWords) -> &Vec<String>| own.is_some_and(|own| words(own).contains(&word));
        match fact {
            Fact::LastSignIn if among(|own| &own.never) => Some(Value::Never),
            Fact::LastSignIn => day(text, forms).filter(|day| *day <= as_of.saturating_add(1.day())).map(Value::On),
            Fact::MfaEnrolled | Fact::Sso => {
                let worded = own.is_some_and(|own| !(own.yes.is_empty() && own.no.is_empty()));
                let yes = if worded { among(|own| &own.yes) } else { YES.contains(&word.as_str()) };
                let no = if worded { among(|own| &own.no) } else { NO.contains(&word.as_str()) };
                match (yes, no) {
                    (true, _) => Some(Value::Yes),
                    (false, true) => Some(Value::No),
                    (false, false) => None,
                }
            }
        }
    }
}

/// The day of an instant by UTC, or a day as it is written.
fn day(text: &str, forms: &[DateForm]) -> Option<Date> {
    match text.parse::<Timestamp>() {
        Ok(instant) => Some(instant.to_zoned(TimeZone::UTC).date()),
        Err(_) => dates::read(forms, text).ok().flatten().map(|day| day.date),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_text_that_says_nothing_is_not_known_and_neither_no_nor_never() {
        let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let own = FactWords {
            yes: texts(&["federation"]),
            no: texts(&["okta"]),
            never: texts(&["1970-01-01t00:00:00.000z"]),
        };
        let accounts = Accounts {
            words: BTreeMap::from([(Fact::Sso, own.clone()), (Fact::LastSignIn, own)]),
            ..Accounts::default()
        };
        let day = |day| Some(Value::On(date(2026, 3, day)));
        let cases = [
            (Fact::MfaEnrolled, "true", Some(Value::Yes)),
            (Fact::MfaEnrolled, "False", Some(Value::No)),
            (Fact::MfaEnrolled, "perhaps", None),
            (Fact::Sso, "FEDERATION", Some(Value::Yes)),
            (Fact::Sso, "OKTA", Some(Value::No)),
            (Fact::Sso, "true", None),
            (Fact::LastSignIn, "1970-01-01T00:00:00.000Z", Some(Value::Never)),
            (Fact::LastSignIn, "2026-03-01T23:59:59.000Z", day(1)),
            (Fact::LastSignIn, "2026-03-02T00:30:00+02:00", day(1)),
            (Fact::LastSignIn, "2026-03-01", day(1)),
            (Fact::LastSignIn, "2026-03-03T00:00:00Z", day(3)),
            (Fact::LastSignIn, "2031-03-03T00:00:00Z", None),
            (Fact::LastSignIn, "yesterday", None),
        ];
        for (fact, text, expected) in cases {
            assert_eq!(accounts.value(fact, text, &[DateForm::Iso], date(2026, 3, 2)), expected, "{text}");
        }
    }

    #[test]
    fn what_nobody_keeps_is_not_read_and_said_to_be_so() {
        let offered = BTreeSet::from([Slot::LastSignIn, Slot::Sso, Slot::Email]);
        let accounts = Accounts::of(&offered, |fact| fact == Fact::Sso, BTreeMap::new());
        assert_eq!(accounts.read, [Fact::Sso]);
        assert_eq!(accounts.unread, BTreeMap::from([(Fact::LastSignIn, Unread::NotAsked)]));
    }
}
