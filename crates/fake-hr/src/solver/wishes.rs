//! What each value of a definition has to be for people of one shape.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use domain::account::Fact;

use super::{Hole, InverseDefinition, Item, Shape, What, Wish, key};
use domain::employee::Status;
use hris::definition::{self, StatusRule};
use hris::row::Slot;

/// When everybody signed in last.
pub(crate) const SIGNED_IN: &str = "2020-01-02";

impl InverseDefinition {
    /// What a slot has to say.
    pub(super) fn wish(&self, slot: Slot, value: &definition::Value, shape: Shape, said: Option<Status>) -> Wish {
        let definition = &self.definition;
        let there = match slot {
            Slot::TerminationDate | Slot::LastWorkingDay => shape.ends,
            Slot::ContractEnd => shape.contract,
            Slot::ManagerId | Slot::ManagerEmail => shape.managed,
            _ => true,
        };
        let words = |words: Vec<&String>| match words.is_empty() {
            true => Wish::Nothing,
            false => Wish::One(words.into_iter().flat_map(|word| written(word, value)).collect()),
        };
        match slot {
            _ if !there => Wish::Nothing,
            Slot::Status => {
                let fits = |rule: &StatusRule| Some(told(*rule, shape.later)) == said;
                words(definition.statuses.iter().filter(|(_, rule)| fits(rule)).map(|(word, _)| word).collect())
            }
            Slot::EmploymentType => {
                words(definition.types.iter().filter(|(_, kind)| **kind == shape.kind).map(|(word, _)| word).collect())
            }
            Slot::TerminationReason if shape.urgent => words(definition.urgent_reasons.iter().collect()),
            Slot::TerminationReason => Wish::Nothing,
            Slot::FullName if !value.first && value.paths.len() > 1 => Wish::Name,
            // The same of everybody: what the day and the words are is the connector's.
            _ if Fact::of_slot(slot).is_some() => match self.account(slot) {
                Some(said) => Wish::One(written(&said, value)),
                None => Wish::Nothing,
            },
            // Where the halves of a full name stand, they are the same values.
            Slot::FirstName => Wish::One(vec![Hole::First.mark().into()]),
            Slot::LastName => Wish::One(vec![Hole::Last.mark().into()]),
            _ if value.lookup.is_some() => Wish::One(vec![Hole::Key(slot).mark().into()]),
            _ => Wish::One(vec![Hole::Text(slot).mark().into()]),
        }
    }

    /// What is said of everybody's account.
    fn account(&self, slot: Slot) -> Option<String> {
        let fact = Fact::of_slot(slot)?;
        let yes = || self.definition.account.get(&fact).and_then(|own| own.yes.first().cloned());
        Some(match fact {
            Fact::LastSignIn => SIGNED_IN.to_owned(),
            Fact::MfaEnrolled | Fact::Sso => yes().unwrap_or_else(|| "true".to_owned()),
        })
    }

    /// What an input may be: the words that rules ask for, something else, nothing; and where a field has the same
    /// place, what that field is.
    pub(super) fn domain(&self, at: usize, wishes: &[Wish]) -> Vec<Wish> {
        let Some(item) = self.items.get(at) else { return Vec::new() };
        let same = |other: &&Item| {
            other.record == item.record && other.value.paths == item.value.paths && matches!(other.what, What::Slot(_))
        };
        let twin = self.items.iter().position(|other| same(&other)).and_then(|at| wishes.get(at));
        match twin {
            Some(Wish::One(texts)) => return texts.iter().map(|text| Wish::One(vec![text.clone()])).collect(),
            Some(Wish::Nothing) => return vec![Wish::Nothing],
            Some(Wish::Name | Wish::Any) | None => {}
        }
        let What::Input(name) = &item.what else { return Vec::new() };
        let rules = self.definition.rules.iter().filter_map(|rule| rule.when.get(name));
        let tests = rules.chain(self.definition.end_date_when.get(name));
        let mut words: Vec<&String> = Vec::new();
        let mut filler = false;
        for test in tests {
            match test {
                definition::Test::Is(more) => words.extend(more.iter()),
                definition::Test::Filled | definition::Test::Empty => filler = true,
            }
        }
        let words = words.into_iter().map(|word| Wish::One(written(word, &item.value)));
        let filler = filler.then(|| Wish::One(vec!["something".into()]));
        words.chain(filler).chain([Wish::Nothing]).collect()
    }

    pub(super) fn fits(&self, when: &BTreeMap<String, definition::Test>, wishes: &[Wish]) -> bool {
        when.iter().all(|(name, test)| {
            let at = self.items.iter().position(|item| matches!(&item.what, What::Input(input) if input == name));
            let Some((item, wish)) = at.and_then(|at| Some((self.items.get(at)?, wishes.get(at)?))) else {
                return false;
            };
            match (test, wish) {
                (definition::Test::Is(words), Wish::One(texts)) => {
                    let wanted = |text: &Json| words.iter().any(|word| written(word, &item.value).contains(text));
                    texts.iter().all(wanted)
                }
                (definition::Test::Filled, wish) => matches!(wish, Wish::One(_)),
                (definition::Test::Empty, wish) => matches!(wish, Wish::Nothing),
                _ => false,
            }
        })
    }
}

/// A word as it is written: as what it looks like, or as a text.
fn written(word: &str, value: &definition::Value) -> Vec<Json> {
    if value.lookup.is_some() {
        return vec![key(word).into()];
    }
    let plain = match serde_json::from_str::<Json>(word) {
        Ok(like @ (Json::Bool(_) | Json::Number(_))) => {
            Some(like).filter(|like| hris::path::plain(like).as_deref() == Some(word))
        }
        _ => None,
    };
    plain.into_iter().chain([Json::from(word)]).collect()
}

pub(super) fn told(rule: StatusRule, later: bool) -> Status {
    if later { rule.when_starts_later.unwrap_or(rule.means) } else { rule.means }
}
