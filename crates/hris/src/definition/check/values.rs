//! Whether the words of values and their meanings fit together.

use std::collections::BTreeMap;

use super::super::{Definition, Test, Value};
use super::{Check, requests};
use crate::mapping::{Statuses, Types};
use crate::row::Slot;
use domain::account::Fact;
use domain::field::{CustomName, MOST_CUSTOM};

impl Check<'_> {
    pub(super) fn fields(&mut self) {
        let definition = self.definition;
        let offered = definition.offered();
        for slot in [Slot::FullName, Slot::Email] {
            if !offered.contains(&slot) {
                self.say("fields", format!("{} is missing", slot.name()));
            }
        }
        let mut given: BTreeMap<Slot, String> = BTreeMap::new();
        for (place, fields) in groups(definition) {
            for (slot, value) in fields {
                self.value(&format!("{place}.{}", slot.name()), value);
                if let Some(other) = given.insert(*slot, place.clone()) {
                    self.say(format!("{place}.{}", slot.name()), format!("stands under {other} too"));
                }
            }
        }
        for (place, inputs) in input_groups(definition) {
            inputs.iter().for_each(|(name, value)| self.value(&format!("{place}.{name}"), value));
        }
        for slot in definition.people.iter().flat_map(|list| list.sets.keys()) {
            if given.contains_key(slot) && *slot != Slot::Status {
                self.say("people.sets", format!("{} is a field too", slot.name()));
            }
        }
        for slot in definition.required.iter().filter(|slot| !offered.contains(slot)) {
            self.say("required", format!("{} is not under fields", slot.name()));
        }
        if offered.contains(&Slot::TerminationDate) != definition.end_date_means.is_some() {
            self.say("endDateMeans", "needed if and only if there is a field terminationDate");
        }
        if offered.contains(&Slot::EmploymentType) == definition.types.is_empty() {
            self.say("types", "needed if and only if there is a field employmentType");
        }
        if offered.contains(&Slot::TerminationReason) == definition.urgent_reasons.is_empty() {
            self.say("urgentReasons", "needed if and only if there is a field terminationReason");
        }
        if let Err(why) = Types::new(definition.types.iter().map(|(word, means)| (word.clone(), *means))) {
            self.say("types", why);
        }
    }

    /// What is told of accounts: each fact that a field says has a public source, and a list that may be refused says
    /// nothing else.
    pub(super) fn account(&mut self) {
        let definition = self.definition;
        let offered = definition.offered();
        for fact in Fact::ALL {
            let (place, gives) = (format!("account.{}", fact.as_str()), offered.contains(&fact.slot()));
            let Some(said) = definition.account.get(&fact) else {
                if gives {
                    self.say(&place, "there is such a field: name the public page that says so under source");
                }
                continue;
            };
            if !said.source.starts_with("https://") {
                self.say(&place, "source: a public page, https://…");
            }
            if said.not_given.is_some() == gives {
                self.say(&place, "notGiven is needed if and only if there is no such field");
            }
            let foreign = match fact {
                Fact::LastSignIn => [&said.yes, &said.no].into_iter().any(|words| !words.is_empty()),
                Fact::MfaEnrolled | Fact::Sso => !said.never.is_empty(),
            };
            if foreign {
                self.say(&place, "never is of lastSignIn; yes and no are of the others");
            }
        }
        for (name, join) in definition.joins.iter().filter(|(_, join)| join.may_be_refused) {
            let needs = |slot: &Slot| {
                let said = Fact::of_slot(*slot).and_then(|fact| definition.account.get(&fact));
                said.is_some_and(|said| said.needs.is_some())
            };
            if !join.inputs.is_empty() || !join.fields.keys().all(needs) {
                self.say(
                    format!("joins.{name}.mayBeRefused"),
                    "of a list that says nothing but facts under account with needs",
                );
            }
        }
    }

    /// Fields of the customer's own, and the words that ask for one field alone.
    pub(super) fn custom_and_requested(&mut self) {
        let definition = self.definition;
        if definition.custom.len() > MOST_CUSTOM {
            self.say("custom", format!("at most {MOST_CUSTOM} fields"));
        }
        for (name, value) in &definition.custom {
            self.value(&format!("custom.{name}"), value);
            if CustomName::new(name).is_none() {
                self.say(format!("custom.{name}"), "a name begins with a letter, and has letters, digits, - and _");
            }
        }
        let asked = requests(definition);
        for (field, words) in &definition.requested {
            let place = format!("requested.{field}");
            let custom = field.strip_prefix("custom.").is_some_and(|name| definition.custom.contains_key(name));
            let slot = definition.offered().into_iter().find(|slot| slot.name() == field);
            if slot.is_none() && !custom {
                self.say(&place, "there is no such field");
            }
            if slot.is_some_and(|slot| slot.field().decides() || definition.required.contains(&slot)) {
                self.say(&place, "it is always needed");
            }
            for word in words.iter().filter(|word| !asked.iter().any(|(_, request, _)| request.asks_for(word))) {
                self.say(&place, format!("no list of a request has the word {word}"));
            }
        }
    }

    pub(super) fn value(&mut self, place: &str, value: &Value) {
        if value.paths.is_empty() {
            self.say(place, "no path");
        }
        value.paths.iter().for_each(|path| self.path(place, path, false));
        if let Some(lookup) = value.lookup.as_ref().filter(|lookup| !self.definition.lookups.contains_key(*lookup)) {
            self.say(place, format!("there is no lookup {lookup}"));
        }
    }

    pub(super) fn statuses(&mut self) {
        let definition = self.definition;
        let set = definition.people.iter().any(|list| list.sets.contains_key(&Slot::Status));
        let worded = groups(definition).iter().any(|(_, fields)| fields.contains_key(&Slot::Status)) || set;
        if worded == definition.statuses.is_empty() {
            self.say("statuses", "needed if and only if there is a field status");
        }
        if worded && !definition.rules.is_empty() {
            self.say("rules", "there is a field status: one of them says what the status is");
        }
        let words = definition.statuses.iter().map(|(word, rule)| (word.clone(), (*rule).into()));
        if let Err(why) = Statuses::new(words) {
            self.say("statuses", why);
        }
        let inputs: Vec<&String> = input_groups(definition).into_iter().flat_map(|(_, inputs)| inputs.keys()).collect();
        for rule in &definition.rules {
            if rule.when.is_empty() {
                self.say("rules", "a rule without a condition would make everybody the same");
            }
            self.tests("rules", &rule.when, &inputs);
        }
        self.tests("endDateWhen", &definition.end_date_when, &inputs);
        if definition.end_date_means.is_none() && !definition.end_date_when.is_empty() {
            self.say("endDateWhen", "there is no field terminationDate");
        }
        for input in inputs {
            let ruled = definition.rules.iter().any(|rule| rule.when.contains_key(input));
            if !ruled && !definition.end_date_when.contains_key(input) {
                self.say(format!("inputs.{input}"), "neither a rule nor endDateWhen looks at it");
            }
        }
        let later = definition.statuses.values().any(|rule| rule.when_starts_later.is_some())
            || definition.rules.iter().any(|rule| rule.when_starts_later.is_some());
        if later && !definition.offered().contains(&Slot::HireDate) {
            self.say("statuses", "whenStartsLater needs a field hireDate");
        }
    }

    /// What is asked of inputs.
    fn tests(&mut self, place: &str, when: &BTreeMap<String, Test>, inputs: &[&String]) {
        for (input, test) in when {
            if !inputs.contains(&input) {
                self.say(place, format!("{input} is not under inputs"));
            }
            if matches!(test, Test::Is(words) if words.is_empty()) {
                self.say(place, format!("no word for {input}"));
            }
        }
    }
}

/// Every group of fields, with its place.
fn groups(definition: &Definition) -> Vec<(String, &BTreeMap<Slot, Value>)> {
    let own = std::iter::once(("fields".to_owned(), &definition.fields));
    let joins = definition.joins.iter().map(|(name, join)| (format!("joins.{name}.fields"), &join.fields));
    let details = definition.details.iter().map(|(name, one)| (format!("details.{name}.fields"), &one.fields));
    own.chain(joins).chain(details).collect()
}

fn input_groups(definition: &Definition) -> Vec<(String, &BTreeMap<String, Value>)> {
    let own = std::iter::once(("inputs".to_owned(), &definition.inputs));
    let joins = definition.joins.iter().map(|(name, join)| (format!("joins.{name}.inputs"), &join.inputs));
    let details = definition.details.iter().map(|(name, one)| (format!("details.{name}.inputs"), &one.inputs));
    own.chain(joins).chain(details).collect()
}
