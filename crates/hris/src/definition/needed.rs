//! A definition without what nobody needs: neither its values nor the requests that are made for them alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use domain::account::Fact;
use domain::field::CustomName;
use domain::needs::Needs;

use super::{Definition, List, Request};
use crate::row::Slot;

impl Definition {
    /// Leaves out what nobody needs. What must be filled stays, whether or not anybody needs it.
    pub fn keep_to(&mut self, needs: &Needs) {
        let needed = |slot: &Slot| needs.slot(*slot);
        let custom = |name: &str| CustomName::new(name).is_some_and(|name| needs.custom(&name));
        let required = std::mem::take(&mut self.required);
        self.left_out = self.offered().into_iter().filter(|slot| !needed(slot) && !required.contains(slot)).collect();
        self.required = required;
        let words = self.unneeded_words(custom);
        let left_out = &self.left_out;
        self.fields.retain(|slot, _| !left_out.contains(slot));
        self.custom.retain(|name, _| custom(name));
        self.people.iter_mut().for_each(|list| list.sets.retain(|slot, _| !left_out.contains(slot)));
        self.joins.retain(|_, join| {
            let had = !join.fields.is_empty();
            join.fields.retain(|slot, _| !left_out.contains(slot));
            !had || !join.fields.is_empty() || !join.inputs.is_empty()
        });
        self.details.retain(|_, detail| {
            let had = !detail.fields.is_empty();
            detail.fields.retain(|slot, _| !left_out.contains(slot));
            !had || !detail.fields.is_empty() || !detail.inputs.is_empty()
        });
        let joined = self.joins.values().flat_map(|join| join.fields.values().chain(join.inputs.values()));
        let detailed = self.details.values().flat_map(|detail| detail.fields.values().chain(detail.inputs.values()));
        let own = self.fields.values().chain(self.custom.values()).chain(self.inputs.values());
        let named: BTreeSet<String> =
            own.chain(joined).chain(detailed).filter_map(|value| value.lookup.clone()).collect();
        self.lookups.retain(|name, _| named.contains(name));
        self.requests_mut().for_each(|request| without(request, &words));
    }

    /// Words of requests that ask for nothing but what is left out.
    fn unneeded_words(&self, custom: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let left_out = |field: &String| match field.strip_prefix("custom.") {
            Some(name) => !custom(name),
            None => self.left_out.iter().any(|slot| slot.name() == field),
        };
        let (unneeded, needed): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.requested.iter().partition(|(field, _)| left_out(field));
        let needed: BTreeSet<&String> = needed.into_values().flatten().collect();
        unneeded.into_values().flatten().filter(|word| !needed.contains(word)).cloned().collect()
    }

    /// The same, with requests that ask for nothing of accounts: nothing is decided by that.
    pub(super) fn without_facts(&self) -> Self {
        let of_account = |(field, _): &(&String, &Vec<String>)| Fact::of_word(field).is_some();
        let words = self.requested.iter().filter(of_account).flat_map(|(_, words)| words).cloned().collect();
        let mut other = self.clone();
        other.requests_mut().for_each(|request| without(request, &words));
        other
    }

    /// Every request there is but that of signing in.
    fn requests_mut(&mut self) -> impl Iterator<Item = &mut Request> {
        let joined = self.joins.values_mut().map(|join| &mut join.list);
        let named = self.lookups.values_mut().map(|lookup| &mut lookup.list);
        let lists = self.people.iter_mut().chain(joined).chain(named).flat_map(of_list);
        lists.chain(self.details.values_mut().map(|detail| &mut detail.request))
    }
}

impl Request {
    /// Whether one of its lists has this word.
    pub(super) fn asks_for(&self, word: &str) -> bool {
        let mut other = self.clone();
        without(&mut other, &BTreeSet::from([word.to_owned()]));
        other != *self
    }
}

fn of_list(list: &mut List) -> impl Iterator<Item = &mut Request> {
    let started = list.export.as_mut().map(|export| &mut export.start);
    std::iter::once(&mut list.request).chain(started)
}

/// Takes words out of the lists of a request: lists with commas in its query and body, and lists of texts in its body.
fn without(request: &mut Request, words: &BTreeSet<String>) {
    request.query.values_mut().for_each(|text| shorten(text, words));
    if let Some(search) = &mut request.search {
        without_words(&mut search.body.0, words);
    }
}

fn shorten(text: &mut String, words: &BTreeSet<String>) {
    let parts = text.split(',');
    if parts.clone().any(|part| words.contains(part.trim())) && text.contains(',') {
        let kept: Vec<_> = parts.filter(|part| !words.contains(part.trim())).collect();
        *text = kept.join(",");
    }
}

/// Takes words out of the lists of a value, as they are taken out of a request: lists with commas, and lists of texts.
pub fn without_words(value: &mut Json, words: &BTreeSet<String>) {
    match value {
        Json::String(text) => shorten(text, words),
        Json::Array(list) => {
            list.retain(|one| one.as_str().is_none_or(|text| !words.contains(text)));
            list.iter_mut().for_each(|one| without_words(one, words));
        }
        Json::Object(members) => members.values_mut().for_each(|one| without_words(one, words)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITION: &str = r#"
name: acme-hr
title: Acme HR
evidence: documented
sources: [https://hr.example.com/docs/people]
setup: A token.
baseUrl: https://hr.example.com/api
credentials: {token: an API token}
auth: {headers: {Authorization: "Bearer {token}"}}
people:
- request:
    path: /people/search
    query: {fields: "id,name,phone,unit"}
    search: {page: "https://hr.example.com/docs", body: {select: [id, phone, {also: "mail,phone"}], text: phone}}
  records: data
joins:
  jobs: {list: {request: {path: /jobs}, records: data}, key: person, of: id, fields: {title: title}}
details:
  home: {request: {path: "/people/{of}/home"}, of: id, fields: {homeAddress: address}}
lookups:
  units: {list: {request: {path: /units}, records: data}, key: id, value: name}
fields:
  employeeId: id
  fullName: name
  email: mail
  phone: phone
  pictureUrl: phone
  department: {path: unit, lookup: units}
custom: {badge: badge}
requested: {phone: [phone], department: [unit]}
"#;

    fn kept(needs: &Needs) -> Definition {
        let mut definition = Definition::parse("acme", DEFINITION).expect("a definition");
        let offered = definition.offered();
        definition.keep_to(needs);
        assert_eq!(definition.offered(), offered, "what it could say stays known");
        definition
    }

    #[test]
    fn what_nobody_needs_is_neither_asked_for_nor_read() {
        let least = kept(&Needs::default());
        assert!(
            least.joins.is_empty() && least.details.is_empty() && least.lookups.is_empty() && least.custom.is_empty()
        );
        let fields: Vec<_> = least.fields.keys().map(|slot| slot.name()).collect();
        assert_eq!(fields, ["employeeId", "fullName", "email"]);
        let request = &least.people[0].request;
        assert_eq!(request.query["fields"], "id,name");
        let body = &request.search.as_ref().expect("a body").body.0;
        assert_eq!(*body, serde_json::json!({"select": ["id", {"also": "mail"}], "text": "phone"}), "no list, no word");
    }

    #[test]
    fn what_somebody_needs_is_asked_for_as_it_stands() {
        let mut needs = Needs::default();
        needs.ask("everyone", "spec.scope.expression", ["department", "title"]);
        let some = kept(&needs);
        assert_eq!((some.joins.len(), some.lookups.len(), some.details.len()), (1, 1, 0));
        assert_eq!(some.people[0].request.query["fields"], "id,name,unit");
    }
}
