//! What a source knows of somebody's account besides whether it is on: facts, and why one is not known.
//!
//! Nothing of it ends or gives anybody's access by itself. What is not known is neither "no" nor "never": a source that
//! stops saying something says nothing of anybody by that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::employee::Employee;
use super::field::{Field, Slot};

/// Something that a source may know of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Fact {
    /// Day of the newest sign-in, by UTC.
    #[serde(rename = "lastSignIn")]
    LastSignIn,
    /// Whether a second factor is enrolled.
    #[serde(rename = "mfaEnrolled")]
    MfaEnrolled,
    /// Whether another identity provider signs them in.
    #[serde(rename = "sso")]
    Sso,
}

impl Fact {
    /// All there are, in their order.
    pub const ALL: [Self; 3] = [Self::LastSignIn, Self::MfaEnrolled, Self::Sso];

    /// Its word, in definitions, policies and expressions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.field().as_str()
    }

    /// The field it is.
    #[must_use]
    pub const fn field(self) -> Field {
        match self {
            Self::LastSignIn => Field::LastSignIn,
            Self::MfaEnrolled => Field::MfaEnrolled,
            Self::Sso => Field::Sso,
        }
    }

    /// Where a source gives it.
    #[must_use]
    pub const fn slot(self) -> Slot {
        match self {
            Self::LastSignIn => Slot::LastSignIn,
            Self::MfaEnrolled => Slot::MfaEnrolled,
            Self::Sso => Slot::Sso,
        }
    }

    /// The one of a slot.
    #[must_use]
    pub fn of_slot(slot: Slot) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.slot() == slot)
    }

    /// The one of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.as_str() == word)
    }
}

/// What is said of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// It is not so.
    No,
    /// It is so.
    Yes,
    /// The source says that it never was.
    Never,
    /// On this day.
    On(Date),
}

impl Value {
    /// Reads a stored value; one of a later version is none.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        match text {
            "No" => Some(Self::No),
            "Yes" => Some(Self::Yes),
            "Never" => Some(Self::Never),
            day => day.parse().ok().map(Self::On),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("No"),
            Self::Yes => f.write_str("Yes"),
            Self::Never => f.write_str("Never"),
            Self::On(day) => write!(f, "{day}"),
        }
    }
}

/// One value for each fact; none of what is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts<V>([Option<V>; Fact::ALL.len()]);

/// What one answer says of one account.
pub type Said = Facts<Value>;
/// What is known of one account: each value, and when an answer first said it.
pub type Known = Facts<(Value, Timestamp)>;
/// Which facts an answer says of anybody at all.
pub type Told = Facts<()>;

impl<V> Default for Facts<V> {
    fn default() -> Self {
        Self([const { None }; Fact::ALL.len()])
    }
}

impl<V: Copy> Facts<V> {
    /// The value of a fact.
    #[must_use]
    pub fn get(&self, fact: Fact) -> Option<V> {
        self.0.get(fact as usize).copied().flatten()
    }

    /// Puts a value there, or takes it away.
    pub fn set(&mut self, fact: Fact, value: Option<V>) {
        if let Some(place) = self.0.get_mut(fact as usize) {
            *place = value;
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// These, and one more.
    #[must_use]
    pub fn with(mut self, fact: Fact, value: V) -> Self {
        self.set(fact, Some(value));
        self
    }
}

/// Which facts an answer says of anybody at all.
#[must_use]
pub fn told(employees: &[Employee]) -> Told {
    let mut told = Told::default();
    for said in employees.iter().filter_map(|one| one.account.as_deref()) {
        for fact in Fact::ALL.into_iter().filter(|fact| said.get(*fact).is_some()) {
            told.set(fact, Some(()));
        }
    }
    told
}

/// What is known of an account after an answer that names it. `told` is what the answer says of anybody, `kept` what the policy keeps.
///
/// A fact that the answer says of nobody stays as it was: a right that was taken away is no news of everybody. One that it
/// says of others and not of this account is not known any more. Who has signed in has not "never" done so.
#[must_use]
pub fn after(
    before: Option<&Known>,
    said: Option<&Said>,
    told: Told,
    kept: impl Fn(Fact) -> bool,
    taken: Timestamp,
) -> Option<Box<Known>> {
    let mut known = Known::default();
    for fact in Fact::ALL.into_iter().filter(|fact| kept(*fact)) {
        let earlier = before.and_then(|before| before.get(fact));
        let value = said.and_then(|said| said.get(fact));
        let value = match (earlier, value) {
            (earlier, _) if told.get(fact).is_none() => earlier,
            (_, None) => None,
            (Some(earlier @ (Value::On(_), _)), Some(Value::Never)) => Some(earlier),
            (Some(earlier), Some(value)) if earlier.0 == value => Some(earlier),
            (_, Some(value)) => Some((value, taken)),
        };
        known.set(fact, value);
    }
    (!known.is_empty()).then(|| Box::new(known))
}

/// Whether a source says a fact, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Availability {
    /// The newest response says it.
    Known,
    /// It was asked for, and the newest response says it of nobody.
    NotSaid,
    /// The source refused this part of the response: a right or a licence is missing.
    Refused,
    /// No policy keeps it, so it is not asked for.
    NotAsked,
    /// The source does not give it.
    NotGiven,
}

impl Availability {
    /// In words, for a table.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::NotSaid => "said of nobody in the newest response",
            Self::Refused => "refused: a right or a licence is missing",
            Self::NotAsked => "not asked for: no policy keeps it",
            Self::NotGiven => "not given by this source",
        }
    }
}

/// What of a fact could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Nobody keeps it.
    NotAsked,
    /// The source refused it.
    Refused,
}

/// What a source says of a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfSource {
    /// The fact.
    pub fact: Fact,
    /// Whether it is known.
    pub availability: Availability,
    /// Of how many people the newest response says it.
    pub people: u32,
    /// What the source asks for, or why it does not give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub says: Option<String>,
}

/// Longest reason, in characters.
const MAX_SAYS_LEN: usize = 256;

/// What an answer shows of each fact; nothing of a source that is no source of accounts.
#[must_use]
pub fn of_source(
    employees: &[Employee],
    offered: &BTreeSet<Field>,
    unread: &BTreeMap<Fact, Unread>,
    says: &BTreeMap<Fact, String>,
) -> Vec<OfSource> {
    let gives = |fact: &Fact| offered.contains(&fact.field());
    if says.is_empty() && !Fact::ALL.iter().any(gives) {
        return Vec::new();
    }
    let of = |fact: Fact| {
        let has = |one: &&Employee| one.account.as_ref().is_some_and(|one| one.get(fact).is_some());
        let people = u32::try_from(employees.iter().filter(has).count()).unwrap_or(u32::MAX);
        let availability = match unread.get(&fact) {
            _ if !gives(&fact) => Availability::NotGiven,
            Some(Unread::NotAsked) => Availability::NotAsked,
            Some(Unread::Refused) => Availability::Refused,
            None if people == 0 => Availability::NotSaid,
            None => Availability::Known,
        };
        let says = says.get(&fact).filter(|_| availability != Availability::Known);
        let says = says.map(|says| says.chars().take(MAX_SAYS_LEN).collect());
        OfSource { fact, availability, people, says }
    };
    Fact::ALL.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::employee::{HrId, ReportedStatus};

    const MONDAY: Value = Value::On(date(2026, 3, 2));
    const TUESDAY: Value = Value::On(date(2026, 3, 3));

    fn at(hour: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(hour)
    }

    fn mfa(value: Value) -> Said {
        Said::default().with(Fact::MfaEnrolled, value)
    }

    #[test]
    fn what_nobody_is_told_of_changes_nothing_and_what_one_is_not_told_of_is_not_known() {
        let before = |value, hour| Known::default().with(Fact::LastSignIn, (value, at(hour)));
        let said = |value| Said::default().with(Fact::LastSignIn, value);
        let told = Told::default().with(Fact::LastSignIn, ());
        let nothing = Told::default();
        let cases = [
            ("first seen", None, Some(said(MONDAY)), told, Some((MONDAY, at(9)))),
            ("the same again", Some(before(MONDAY, 1)), Some(said(MONDAY)), told, Some((MONDAY, at(1)))),
            ("signed in again", Some(before(MONDAY, 1)), Some(said(TUESDAY)), told, Some((TUESDAY, at(9)))),
            ("said of others alone", Some(before(MONDAY, 1)), Some(Said::default()), told, None),
            ("said of nobody", Some(before(MONDAY, 1)), Some(Said::default()), nothing, Some((MONDAY, at(1)))),
            ("refused for all", Some(before(MONDAY, 1)), None, nothing, Some((MONDAY, at(1)))),
            ("never, of who has", Some(before(MONDAY, 1)), Some(said(Value::Never)), told, Some((MONDAY, at(1)))),
            ("never, so far", None, Some(said(Value::Never)), told, Some((Value::Never, at(9)))),
            ("no word at all is no never", None, None, told, None),
        ];
        for (what, before, said, told, expected) in cases {
            let known = after(before.as_ref(), said.as_ref(), told, |_| true, at(9));
            assert_eq!(known.and_then(|known| known.get(Fact::LastSignIn)), expected, "{what}");
        }
    }

    #[test]
    fn what_no_policy_keeps_is_not_kept() {
        let told = Told::default().with(Fact::MfaEnrolled, ());
        let before = Known::default().with(Fact::MfaEnrolled, (Value::Yes, at(1)));
        assert_eq!(after(Some(&before), Some(&mfa(Value::Yes)), told, |fact| fact == Fact::Sso, at(9)), None);
    }

    #[test]
    fn a_stored_value_is_read_back_and_one_of_a_later_version_is_none() {
        for value in [Value::No, Value::Yes, Value::Never, MONDAY] {
            assert_eq!(Value::from_stored(&value.to_string()), Some(value));
        }
        assert_eq!(Value::from_stored("Sometimes"), None);
    }

    #[test]
    fn each_fact_of_a_source_says_whether_it_is_known_and_why_not() {
        let of = |account| Employee {
            account,
            ..Employee::new(HrId("7".into()), String::new(), String::new(), ReportedStatus::Silent)
        };
        let people = [of(Some(Box::new(mfa(Value::No)))), of(None)];
        let says = BTreeMap::from([(Fact::LastSignIn, "needs a licence".to_owned()), (Fact::Sso, "no".to_owned())]);
        let offered = BTreeSet::from([Field::LastSignIn, Field::MfaEnrolled]);
        let shown = |unread: &[(Fact, Unread)]| {
            let found = of_source(&people, &offered, &unread.iter().copied().collect(), &says);
            found.into_iter().map(|one| (one.availability, one.people, one.says.is_some())).collect::<Vec<_>>()
        };
        use Availability::{Known, NotAsked, NotGiven, NotSaid, Refused};
        assert_eq!(shown(&[]), [(NotSaid, 0, true), (Known, 1, false), (NotGiven, 0, true)]);
        assert_eq!(shown(&[(Fact::LastSignIn, Unread::Refused)])[0], (Refused, 0, true));
        assert_eq!(shown(&[(Fact::MfaEnrolled, Unread::NotAsked)])[1].0, NotAsked);
        assert!(of_source(&people, &BTreeSet::new(), &BTreeMap::new(), &BTreeMap::new()).is_empty(), "an HR system");
    }
}
