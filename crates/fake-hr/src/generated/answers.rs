//! Responses other than the lists of people: the entries of lookups, and the details of a person.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Generated, Leaf, key, page};
use crate::company::{self, Company};
use crate::faults::RequestKind;
use crate::json_writer::Path;
use crate::serve::FakeResponse;
use crate::solver::Hole;
use hris::definition::{Test, Value};
use hris::row::Slot;

impl Generated {
    /// What a lookup has names for.
    pub(super) fn texts(&mut self, list: usize) -> Vec<String> {
        let Some(RequestKind::Lookup(name)) = self.routes.lists.get(list).map(|route| route.part.clone()) else {
            return Vec::new();
        };
        if let Some(texts) = self.looked_up.get(&name) {
            return texts.clone();
        }
        let mut texts = BTreeSet::new();
        let definition = &self.definition;
        let joined = definition.joins.values().map(|join| (&join.fields, &join.inputs));
        let detailed = definition.details.values().map(|detail| (&detail.fields, &detail.inputs));
        let own = std::iter::once((&definition.fields, &definition.inputs));
        let here = |value: &&Value| value.lookup.as_ref() == Some(&name);
        for (fields, inputs) in own.chain(joined).chain(detailed) {
            for slot in fields.iter().filter(|(_, value)| here(value)).map(|(slot, _)| *slot) {
                texts.extend(self.vocabulary(slot));
            }
            for input in inputs.iter().filter(|(_, value)| here(value)).map(|(input, _)| input) {
                let rules = definition.rules.iter().filter_map(|rule| rule.when.get(input));
                let tests = rules.chain(definition.end_date_when.get(input));
                texts
                    .extend(tests.flat_map(|test| if let Test::Is(words) = test { words.clone() } else { Vec::new() }));
            }
        }
        let texts: Vec<_> = texts.into_iter().collect();
        self.looked_up.insert(name, texts.clone());
        texts
    }

    /// Every text a slot may have.
    fn vocabulary(&self, slot: Slot) -> Vec<String> {
        let numbers = 0..self.company.people * 2;
        let owned = |texts: &mut dyn Iterator<Item = &'static str>| texts.map(str::to_owned).collect();
        match slot {
            Slot::Department => owned(&mut company::departments()),
            Slot::Team => owned(&mut company::teams()),
            Slot::Title => owned(&mut company::titles()),
            Slot::Location => owned(&mut company::locations()),
            Slot::LegalEntity => owned(&mut company::legal_entities()),
            Slot::Status => self.definition.statuses.keys().cloned().collect(),
            Slot::EmploymentType => self.definition.types.keys().cloned().collect(),
            Slot::TerminationReason => self.definition.urgent_reasons.iter().cloned().collect(),
            Slot::Email | Slot::ManagerEmail => numbers.map(|number| self.company.email(number)).collect(),
            Slot::EmployeeId | Slot::ManagerId => numbers.map(Company::id).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn entry(&self, list: usize, text: &str) -> Result<String, String> {
        let Some(RequestKind::Lookup(name)) = self.routes.lists.get(list).map(|route| &route.part) else {
            return Ok(String::new());
        };
        let lookup = self.definition.lookups.get(name).ok_or("there is no such lookup")?;
        let mut record = Json::Null;
        for (path, value) in [(&lookup.key, key(text)), (&lookup.value, text.to_owned())] {
            let put = Path::parse(path)?.put(&mut record, &value.into(), 0);
            put.map_err(|_| format!("lookups.{name}: key and value stand in one place"))?;
        }
        Ok(record.to_string())
    }

    /// The answer about one person, or about many.
    pub(super) fn about(&mut self, at: usize, people: &[String]) -> Result<FakeResponse, String> {
        let mut records = Vec::new();
        for of in people {
            records.extend(self.records_about(at, of)?);
        }
        if records.is_empty() && people.len() == 1 {
            return Ok(FakeResponse::refused(404, "there is nobody with that id"));
        }
        let Some(pagination) = self.details.get(at).and_then(Option::as_ref) else {
            return Ok(FakeResponse::json(records.concat()));
        };
        let all = records.len();
        let page = page(&[Leaf { pagination, records, from: 0, all, said: all }], &|_, _| String::new())?;
        let mut answer = FakeResponse::json(page.body);
        answer.headers.extend(page.headers);
        Ok(answer)
    }

    /// What a detail has about somebody; nothing about nobody.
    fn records_about(&mut self, at: usize, of: &str) -> Result<Vec<String>, String> {
        let mut number = Company::number(of);
        if number.is_none() {
            number = (0..self.company.numbers(&self.moment)).find(|number| self.company.email(*number) == of);
        }
        let Some(person) = number.and_then(|number| self.company.person(number, &self.moment)) else {
            return Ok(Vec::new());
        };
        let Some(template) = self.renderer.template(&person, &self.moment)? else { return Ok(Vec::new()) };
        if template.asked.get(at).is_none_or(|hole: &Hole| self.renderer.text(&person, *hole) != of) {
            return Ok(Vec::new());
        }
        let choose = self.definition.details.values().nth(at).and_then(|detail| detail.choose.clone());
        let entries = self.entries(person.number, choose.as_ref());
        let record = 1 + self.definition.joins.len() + at;
        entries.into_iter().map(|entry| self.record(entry, record)).collect()
    }
}
