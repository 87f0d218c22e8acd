//! How the rows of a source are read: what its words, dates and ends mean.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::dates::DateForm;
use super::super::row::Slot;
use super::accounts::Accounts;
use domain::capabilities::Declared;
use domain::employee::{EmploymentType, Status};
use domain::field::CustomName;

/// What the date of an end means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum EndDate {
    /// The person still works that day.
    #[default]
    LastDay,
    /// The person no longer works that day.
    FirstDayOut,
}

impl EndDate {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LastDay => "LastDay",
            Self::FirstDayOut => "FirstDayOut",
        }
    }
}

/// What a status word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What it means.
    pub means: Status,
    /// What it means of a person who starts today or later, for systems that have no word for a future hire.
    pub when_starts_later: Option<Status>,
}

/// Words and their meanings, compared without case and surrounding blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words<M>(BTreeMap<String, M>);

impl<M> Default for Words<M> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// Status words.
pub(crate) type Statuses = Words<Meaning>;
/// Words for kinds of employment.
pub(crate) type Types = Words<EmploymentType>;

impl<M: Copy + PartialEq> Words<M> {
    /// Collects them.
    ///
    /// # Errors
    /// In words, when two of them are the same word.
    pub(crate) fn new(words: impl IntoIterator<Item = (String, M)>) -> Result<Self, String> {
        let mut meanings = BTreeMap::new();
        for (word, meaning) in words {
            let folded = word.trim().to_lowercase();
            if meanings.insert(folded, meaning).is_some_and(|other| other != meaning) {
                return Err(format!(
                    "the word {} is mapped twice, to different meanings",
                    domain::quote::quoted(&word)
                ));
            }
        }
        Ok(Self(meanings))
    }

    /// Whether a word is the beginning of another that means something else.
    pub(super) fn begins_another(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let own = self.0.get(&word);
        own.is_some() && self.0.iter().any(|(other, means)| other.starts_with(&word) && Some(means) != own)
    }

    /// What a word means; `folded` is only room to compare it in.
    pub(super) fn get(&self, word: &str, folded: &mut String) -> Option<M> {
        folded.clear();
        if word.is_ascii() {
            folded.push_str(word);
            folded.make_ascii_lowercase();
        } else {
            folded.extend(word.chars().flat_map(char::to_lowercase));
        }
        self.0.get(folded.as_str()).copied()
    }
}

/// How the rows of one source are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    /// What the source gives at all.
    pub(crate) offered: BTreeSet<Slot>,
    /// What must be filled in at least one record: a credential that may not see a field gets an answer without it.
    pub(crate) required: BTreeSet<Slot>,
    /// What its status words mean.
    pub(crate) statuses: Statuses,
    /// Rules that look at several values; where there are any, there are no status words.
    pub(crate) rules: Vec<Rule>,
    /// Forms of its dates; the first that fits is taken.
    pub(crate) dates: Vec<DateForm>,
    /// What a slot is called in the source, where it has another name there.
    pub(crate) names: BTreeMap<Slot, String>,
    /// What its end date means.
    pub(crate) end_date: EndDate,
    /// What its words for a kind of employment mean.
    pub(crate) types: Types,
    /// Reasons of a termination, in lower case, that mean "at once".
    pub(crate) urgent: BTreeSet<String>,
    /// What it is said to be able to say.
    pub(crate) declared: Declared,
    /// What is read of accounts.
    pub(crate) accounts: Accounts,
    /// Fields of the customer's own, and the cells they stand in.
    pub(crate) custom: Vec<(CustomName, usize)>,
}

impl Form {
    /// What a value is called in a message: the slot, and the source's own word for it.
    pub(super) fn name(&self, slot: Slot) -> String {
        match self.names.get(&slot) {
            Some(name) => format!("{} (column {name})", slot.name()),
            None => slot.name().to_owned(),
        }
    }

    /// The forms of its dates, in words.
    pub(super) fn forms(&self) -> String {
        let forms: Vec<_> = self.dates.iter().map(DateForm::name).collect();
        forms.join(" or ")
    }
}

/// A rule: what it means when everything it looks at is as it says.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Cells, and what is asked of each.
    pub(crate) when: Vec<(usize, Test)>,
    /// What it means.
    pub(crate) meaning: Meaning,
}

/// What a rule asks of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// That it is one of these words, compared in lower case.
    Words(Vec<String>),
    /// That there is one.
    Filled,
    /// That there is none.
    Empty,
}

impl Test {
    pub(crate) fn holds(&self, text: Option<&str>) -> bool {
        match (self, text) {
            (Self::Words(words), Some(text)) => {
                let text = text.to_lowercase();
                words.contains(&text)
            }
            (Self::Words(_), None) => false,
            (Self::Filled, text) => text.is_some(),
            (Self::Empty, text) => text.is_none(),
        }
    }
}
