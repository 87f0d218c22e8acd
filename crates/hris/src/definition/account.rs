//! The words of a definition that say what is told of accounts, and why something is not.
//!
//! Where a fact stands is said under `fields`, as for everything else.

use std::collections::BTreeMap;

use domain::account::Fact;
use serde::Deserialize;

use super::Definition;
use crate::mapping::{Accounts, FactWords};

/// What is known of one fact in this system.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccountFact {
    /// The public page that says so.
    pub source: String,
    /// What the system asks for before it gives it: a licence, a right.
    #[serde(default)]
    pub needs: Option<String>,
    /// Why it is not read at all.
    #[serde(default)]
    pub not_given: Option<String>,
    /// Words for "it is so".
    #[serde(default)]
    pub yes: Vec<String>,
    /// Words for "it is not so".
    #[serde(default)]
    pub no: Vec<String>,
    /// Words for "it never was".
    #[serde(default)]
    pub never: Vec<String>,
}

impl Definition {
    /// What each fact needs, or why it is not given.
    pub(super) fn account_says(&self) -> BTreeMap<Fact, String> {
        let says = |(fact, one): (&Fact, &AccountFact)| Some((*fact, one.needs.clone().or(one.not_given.clone())?));
        self.account.iter().filter_map(says).collect()
    }

    /// Which facts are read, and by which words.
    pub(crate) fn accounts(&self) -> Accounts {
        let lower = |words: &[String]| words.iter().map(|word| word.to_lowercase()).collect();
        let words = |(fact, one): (&Fact, &AccountFact)| {
            (*fact, FactWords { yes: lower(&one.yes), no: lower(&one.no), never: lower(&one.never) })
        };
        let words = self.account.iter().map(words).collect();
        Accounts::of(&self.offered(), |fact| !self.left_out.contains(&fact.slot()), words)
    }
}
