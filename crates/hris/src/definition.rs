//! A connector's definition: data that says how one HR system is asked for its people and what its answers mean.
//!
//! The vocabulary is closed, and every word of it reads: there is none that could name a call that writes. A word
//! nobody knows refuses the whole definition, because a misspelt one would silently change what an answer means.
//! `definition/signing.rs` holds the words of signing in, `words.rs` those of requests, `values.rs` those of
//! values and `proof.rs` those of how far it is proved; `check.rs` is what has to fit together.

mod account;
mod check;
mod meaning;
mod needed;
mod own;
mod proof;
mod signing;
mod values;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::Deserialize;

pub use self::account::AccountFact;
pub use self::needed::without_words;
pub use self::proof::{Evidence, LiveRun};
pub use self::signing::{Algorithm, Assertion, Auth, Basic, Jwt, Method, RefreshToken, Saml, Send, Token};
pub use self::values::Value;
#[cfg(test)]
pub use self::words::{Body, Search};
pub use self::words::{
    Choose, Code, Detail, Ends, Export, Failed, Join, List, Lookup, PageCounter, Paging, Rate, Request, Reset,
    ResetSays, Throttling, Together, Where,
};
use super::dates::DateForm;
use super::mapping::{EndDate, Meaning};
use super::row::Slot;
use super::template;
use domain::account::Fact;
use domain::capabilities::{Claim, Declared};
use domain::employee::{EmploymentType, Field, Status};
use domain::quote::quoted;

/// How one HR system is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Name in the catalogue.
    pub name: String,
    /// Name of the system, as its maker writes it.
    pub title: String,
    /// How well what stands here is known.
    pub evidence: Evidence,
    /// The public pages it was taken from.
    pub sources: Vec<String>,
    /// Who ran it against a real system, as far as they said so.
    #[serde(default)]
    pub run_live: Vec<LiveRun>,
    /// What a customer has to do in the system before it can be read.
    pub setup: String,
    /// What the source cannot say, and what is not known of it.
    #[serde(default)]
    pub cannot: Vec<String>,
    /// Where the system lies: `https://…`, with parameters in braces.
    pub base_url: String,
    /// What a connection has to say in addition to its credential.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// Keys of the connection's Secret, each with what to put there.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
    /// How a request signs in.
    pub auth: Auth,
    /// How the system asks to come back later, in addition to 429 and `Retry-After`, and how fast it may be asked.
    #[serde(default)]
    pub throttling: Throttling,
    /// What an answer with status 200 says that is none: part of it failed, or all of it.
    #[serde(default)]
    pub failed: Vec<Failed>,
    /// Forms of its dates; the first that fits is taken.
    #[serde(default = "iso")]
    pub dates: Vec<DateForm>,
    /// The lists of people; everybody on any of them is read.
    pub people: Vec<List>,
    /// Lists with more about the same people.
    #[serde(default)]
    pub joins: BTreeMap<String, Join>,
    /// What is asked about each person by a request of its own.
    #[serde(default)]
    pub details: BTreeMap<String, Detail>,
    /// Lists that give a name for an id.
    #[serde(default)]
    pub lookups: BTreeMap<String, Lookup>,
    /// Where each value stands in a record of `people`.
    pub fields: BTreeMap<Slot, Value>,
    /// Fields of the customer's own: their names, and where each value stands in a record of `people`.
    #[serde(default)]
    pub custom: BTreeMap<String, Value>,
    /// Words of the requests that ask for one field alone, such as the names of columns: by the field, or `custom.<name>`. Where
    /// nobody needs the field, they are left out of the requests.
    #[serde(default)]
    pub requested: BTreeMap<String, Vec<String>>,
    /// What is told of accounts, and what is not, in a system that has accounts.
    #[serde(default)]
    pub account: BTreeMap<Fact, AccountFact>,
    /// Values that only `rules` look at.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
    /// What must be filled in at least one record of every answer.
    #[serde(default)]
    pub required: BTreeSet<Slot>,
    /// What each status word means.
    #[serde(default)]
    pub statuses: BTreeMap<String, StatusRule>,
    /// What several values together mean, where the system has no status word: the first rule that fits.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What the end date means, where there is one.
    #[serde(default)]
    pub end_date_means: Option<EndDate>,
    /// What has to hold for the end date to say that somebody leaves. Where it does not, the date is a plan or that of an
    /// earlier employment, and is not read.
    #[serde(default)]
    pub end_date_when: BTreeMap<String, Test>,
    /// What each word for a kind of employment means.
    #[serde(default)]
    pub types: BTreeMap<String, EmploymentType>,
    /// Reasons of a termination that mean "at once".
    #[serde(default)]
    pub urgent_reasons: BTreeSet<String>,
    /// What the source can say beyond what its fields and statuses show.
    #[serde(default)]
    pub capabilities: Capable,
    /// What a connection reads otherwise than it is written here, in words.
    #[serde(skip)]
    pub otherwise: Vec<String>,
    /// What it could read, and nobody needs.
    #[serde(skip)]
    pub left_out: BTreeSet<Slot>,
}

/// What a source can say beyond what its fields and statuses show; what is left out is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capable {
    /// Whether people who start later are in the list.
    #[serde(default)]
    pub future_hires: Claim,
    /// Whether people who left are in the list.
    #[serde(default)]
    pub leavers: Claim,
    /// Whether it can be told that a record was deleted.
    #[serde(default)]
    pub deletion: Claim,
    /// Whether the system has photos.
    #[serde(default)]
    pub photo: Claim,
    /// How old what it says may be: `live`, or in words.
    #[serde(default)]
    pub data_age: Option<String>,
}

fn iso() -> Vec<DateForm> {
    vec![DateForm::Iso]
}

/// A value that a connection gives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it has to match, as a whole.
    pub pattern: String,
    /// What it is, for the author of the connection.
    pub says: String,
    /// What it is where the connection says nothing.
    #[serde(default)]
    pub default: Option<String>,
}

/// What a status word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusRule {
    /// What it means.
    pub means: Status,
    /// What it means of a person who starts later, for systems without a word for a future hire.
    #[serde(default)]
    pub when_starts_later: Option<Status>,
}

/// What several values mean together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// What is asked of which input; all of it has to hold.
    pub when: BTreeMap<String, Test>,
    /// What it means.
    pub means: Status,
    /// What it means of a person who starts later.
    #[serde(default)]
    pub when_starts_later: Option<Status>,
}

/// What a rule asks of an input. There is no word for a day that has passed: the day of a person is their own, and
/// the verdict table compares it with the last day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Test {
    /// That it is one of these words.
    Is(Vec<String>),
    /// That it says anything.
    Filled,
    /// That it says nothing.
    Empty,
}

impl From<StatusRule> for Meaning {
    fn from(rule: StatusRule) -> Self {
        Self { means: rule.means, when_starts_later: rule.when_starts_later }
    }
}

/// Why a definition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct Refused {
    /// The file it stands in.
    pub file: String,
    /// What is wrong: the line and the word.
    pub why: String,
}

impl Definition {
    /// Reads a definition and checks that its words fit together. `file` is what errors name.
    ///
    /// # Errors
    /// The first line that cannot be read, or everything that does not fit.
    pub fn parse(file: &str, text: &str) -> Result<Self, Refused> {
        let refused = |why: String| Refused { file: file.to_owned(), why };
        let definition: Self = serde_saphyr::from_str(text).map_err(|error| {
            let line = error.location().map_or(0, |location| location.line());
            refused(format!("line {line}: {}", error.without_snippet()))
        })?;
        let findings = check::findings(&definition);
        let line = |word: &str| check::line_of(text, word);
        let findings: Vec<_> =
            findings.iter().map(|(word, why)| format!("line {}: {word}: {why}", line(word))).collect();
        if findings.is_empty() { Ok(definition) } else { Err(refused(findings.join("; "))) }
    }

    /// Every slot that could be filled, wherever from.
    pub fn offered(&self) -> BTreeSet<Slot> {
        let joined = self.joins.values().flat_map(|join| join.fields.keys());
        let detailed = self.details.values().flat_map(|detail| detail.fields.keys());
        let set = self.people.iter().flat_map(|list| list.sets.keys());
        let ruled = (!self.rules.is_empty()).then_some(&Slot::Status);
        let read = self.fields.keys().chain(joined).chain(detailed).chain(set).chain(ruled);
        read.chain(&self.left_out).copied().collect()
    }

    /// Whether it says anything of a field.
    #[must_use]
    pub fn offers(&self, field: Field) -> bool {
        self.offered().iter().any(|slot| slot.field() == field)
    }

    /// The words of the fields it says something of.
    #[must_use]
    pub fn fields_offered(&self) -> Vec<&'static str> {
        self.offered().into_iter().map(Slot::name).collect()
    }

    /// Its requests that are not GETs, each with the page that says that it reads.
    #[must_use]
    pub fn searches(&self) -> Vec<String> {
        let joined = self.joins.values().map(|join| &join.list);
        let looked_up = self.lookups.values().map(|lookup| &lookup.list);
        let lists: Vec<&List> = self.people.iter().chain(joined).chain(looked_up).collect();
        let started = lists.iter().filter_map(|list| Some(&list.export.as_ref()?.start));
        let asked = lists.iter().map(|list| &list.request).chain(started);
        let all = asked.chain(self.details.values().map(|detail| &detail.request));
        let named = |request: &Request| {
            let search = request.search.as_ref()?;
            let page = search.page.as_ref().or(search.reads.as_ref())?;
            Some(format!("POST {}: {page}", request.path))
        };
        let found: BTreeSet<String> = all.filter_map(named).collect();
        found.into_iter().collect()
    }

    /// The newest time that somebody said they ran it against a real system.
    #[must_use]
    pub fn last_live_run(&self) -> Option<&LiveRun> {
        self.run_live.iter().max_by_key(|run| run.on)
    }

    /// The key of the Secret that is written with each use.
    #[must_use]
    pub fn rotates(&self) -> Option<&str> {
        Some(self.auth.token.as_ref()?.refresh_token.as_ref()?.key.as_str())
    }

    /// Whether it can say that somebody is on leave.
    #[must_use]
    pub fn tells_leave(&self) -> bool {
        self.statuses.values().any(|rule| rule.means == Status::Leave)
            || self.rules.iter().any(|rule| rule.means == Status::Leave)
    }

    /// What the source is said to be able to say.
    #[must_use]
    pub fn declared(&self) -> Declared {
        let Capable { future_hires, leavers, deletion, photo, data_age } = self.capabilities.clone();
        let leave = if self.tells_leave() { Claim::Yes } else { Claim::No };
        Declared { leave, future_hires, leavers, deletion, photo, data_age, account: self.account_says() }
    }

    /// The value of every parameter, for one connection.
    ///
    /// Whatever the patterns allow, a value begins with a letter or digit and is made of these, dots, underlines and
    /// hyphens, so that none can lead to another host or path than the definition names.
    ///
    /// # Errors
    /// In words for the author of the connection: everything that is missing, unknown or of the wrong form.
    pub fn resolve(&self, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
        let name = &self.name;
        let mut found = Vec::new();
        let mut values = BTreeMap::new();
        for given in given.keys().filter(|given| !self.parameters.contains_key(*given)) {
            let known: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
            found.push(format!(
                "the connector {name} has no parameter {}; it has: {}",
                quoted(given),
                known.join(", ")
            ));
        }
        for (key, parameter) in &self.parameters {
            match given.get(key).or(parameter.default.as_ref()) {
                None => found.push(format!("the connector {name} needs the parameter {key}: {}", parameter.says)),
                Some(value) if !parameter.fits(value) => {
                    found.push(format!("the parameter {key} does not match {}: {}", parameter.pattern, parameter.says));
                }
                Some(value) => {
                    values.insert(key.clone(), value.clone());
                }
            }
        }
        if found.is_empty() { Ok(values) } else { Err(found.join("; ")) }
    }

    /// The base URL for such values, without a slash at its end.
    ///
    /// # Errors
    /// In words, when a name in it has no value.
    pub fn base(&self, values: &BTreeMap<String, String>) -> Result<String, String> {
        let base = template::fill(&self.base_url, |name| values.get(name).cloned())?;
        Ok(base.trim_end_matches('/').to_owned())
    }
}

impl Parameter {
    fn fits(&self, value: &str) -> bool {
        value.starts_with(|c: char| c.is_ascii_alphanumeric())
            && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
            && whole(&self.pattern).is_some_and(|pattern| pattern.is_match(value))
    }
}

/// A pattern that a value has to match from its first letter to its last.
fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

#[cfg(test)]
mod tests;
