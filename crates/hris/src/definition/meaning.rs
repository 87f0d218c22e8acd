//! What a definition means, in the canonical form that a baseline is made of.
//!
//! Every type is taken apart field by field, so that the compiler asks everybody who adds a field whether it decides who
//! is read and what is said of them. How an answer is fetched (signing in, paging, throttling) does not, nor do words
//! for a reader.

use std::collections::{BTreeMap, BTreeSet};

use domain::account::Fact;
use domain::canonical::{Canonical, folded};
use domain::employee::Status;

use super::{Choose, Code, Definition, Detail, Export, Join, List, Lookup, Request, Rule, StatusRule, Test, Value};
use crate::mapping::EndDate;
use crate::row::Slot;

impl Definition {
    /// Writes what it means for a connection that gives these parameters.
    pub fn meaning(&self, parameters: &BTreeMap<String, String>, form: &mut Canonical) {
        let this = self.without_facts();
        let values = self.resolve(parameters).unwrap_or_else(|_| parameters.clone());
        let base = self.base(&values).unwrap_or_else(|_| self.base_url.clone());
        let Self {
            people,
            joins,
            details,
            lookups,
            fields,
            inputs,
            // nothing is decided by it
            account: _,
            statuses,
            rules,
            end_date_means,
            end_date_when,
            types,
            dates,
            // in `base` and `values` already
            base_url: _,
            parameters: _,
            // how it is fetched
            credentials: _,
            auth: _,
            throttling: _,
            failed: _,
            // what of it is read: nothing is decided by it
            custom: _,
            requested: _,
            left_out: _,
            // for a reader
            otherwise: _,
            name: _,
            title: _,
            evidence: _,
            sources: _,
            run_live: _,
            setup: _,
            cannot: _,
            capabilities: _,
            // an answer without it is none
            required: _,
            urgent_reasons,
        } = &this;
        form.fact("base", &base);
        form.part("parameters", |form| values.iter().for_each(|(name, value)| form.fact(name, value)));
        for (at, list) in people.iter().enumerate() {
            form.part(&format!("people {at}"), |form| list.meaning(form));
        }
        // A list that may be refused tells of accounts alone.
        let joins = joins.iter().filter(|(_, join)| !join.may_be_refused);
        joins.for_each(|(name, join)| form.part(&format!("join {name}"), |form| join.meaning(form)));
        details.iter().for_each(|(name, detail)| form.part(&format!("detail {name}"), |form| detail.meaning(form)));
        lookups.iter().for_each(|(name, lookup)| form.part(&format!("lookup {name}"), |form| lookup.meaning(form)));
        form.part("fields", |form| fields_of(fields, form));
        form.part("inputs", |form| values_of(inputs.iter().map(|(name, value)| (name.as_str(), value)), form));
        form.part("statuses", |form| statuses_of(statuses, form));
        for (at, rule) in rules.iter().enumerate() {
            form.part(&format!("rule {at}"), |form| rule.meaning(form));
        }
        form.perhaps("end date", end_date_means.map(EndDate::as_str));
        form.part("end date when", |form| tests(end_date_when, form));
        let types: BTreeMap<String, &str> = types.iter().map(|(word, kind)| (folded(word), kind.as_str())).collect();
        form.part("types", |form| types.iter().for_each(|(word, kind)| form.fact(word, kind)));
        let urgent: std::collections::BTreeSet<String> = urgent_reasons.iter().map(|word| folded(word)).collect();
        form.each("urgent", urgent.iter().map(String::as_str));
        form.each("dates", dates.iter().map(super::super::dates::DateForm::name));
    }
}

/// Words with their meanings, folded as they are compared, so that neither case nor order makes another form.
fn statuses_of(statuses: &BTreeMap<String, StatusRule>, form: &mut Canonical) {
    let folded: BTreeMap<String, &StatusRule> = statuses.iter().map(|(word, rule)| (folded(word), rule)).collect();
    for (word, StatusRule { means, when_starts_later }) in folded {
        form.part(&word, |form| meaning_of(*means, *when_starts_later, form));
    }
}

fn meaning_of(means: Status, when_starts_later: Option<Status>, form: &mut Canonical) {
    form.fact("means", means.as_str());
    form.perhaps("when it starts later", when_starts_later.map(Status::as_str));
}

fn values_of<'a>(values: impl Iterator<Item = (&'a str, &'a Value)>, form: &mut Canonical) {
    values.for_each(|(name, value)| form.part(name, |form| value.meaning(form)));
}

/// What stands where; nothing is decided by facts of accounts.
fn fields_of(fields: &BTreeMap<Slot, Value>, form: &mut Canonical) {
    let decide = fields.iter().filter(|(slot, _)| Fact::of_slot(**slot).is_none());
    values_of(decide.map(|(slot, value)| (slot.name(), value)), form);
}

impl Value {
    fn meaning(&self, form: &mut Canonical) {
        let Self { paths, first, with, lookup, none } = self;
        form.each("path", paths.iter().map(String::as_str));
        if paths.len() > 1 {
            if *first { form.fact("parts", "first") } else { form.fact("with", with) }
        }
        form.perhaps("lookup", lookup.as_deref());
        let none: BTreeSet<&str> = none.iter().map(String::as_str).collect();
        form.each("none", none);
    }
}

impl List {
    fn meaning(&self, form: &mut Canonical) {
        let Self { request, records, sets, export, skip, choose, total: _, paging: _, null_is_empty: _, empty: _ } =
            self;
        form.part("request", |form| request.meaning(form));
        form.fact("records", records);
        sets.iter().for_each(|(slot, word)| form.part("sets", |form| form.fact(Slot::name(*slot), word)));
        if let Some(Export { start, job: _, poll: _, done: _, failed: _, every: _ }) = export {
            form.part("export", |form| start.meaning(form));
        }
        if let Some(Code { path, is }) = skip {
            let is: BTreeSet<String> = is.iter().map(|word| folded(word)).collect();
            form.part("skip", |form| {
                form.fact("path", path);
                form.each("is", is.iter().map(String::as_str));
            });
        }
        chosen(choose.as_ref(), form);
    }
}

impl Request {
    fn meaning(&self, form: &mut Canonical) {
        let Self { path, query, headers, search } = self;
        form.fact("path", path);
        form.part("query", |form| query.iter().for_each(|(name, value)| form.fact(name, value)));
        form.part("headers", |form| headers.iter().for_each(|(name, value)| form.fact(&folded(name), value)));
        if let Some(search) = search {
            form.part("search", |form| json(&search.body.0, form));
        }
    }
}

/// A body, whatever the order of its keys.
fn json(value: &serde_json::Value, form: &mut Canonical) {
    match value {
        serde_json::Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            sorted.into_iter().for_each(|(key, value)| form.part(key, |form| json(value, form)));
        }
        serde_json::Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| form.part(&at.to_string(), |form| json(value, form)));
        }
        plain => form.fact("is", &plain.to_string()),
    }
}

impl Join {
    fn meaning(&self, form: &mut Canonical) {
        let Self { list, key, of, choose, may_be_refused: _, fields, inputs } = self;
        form.part("list", |form| list.meaning(form));
        form.fact("key", key);
        form.fact("of", of);
        more(choose.as_ref(), fields, inputs, form);
    }
}

impl Detail {
    fn meaning(&self, form: &mut Canonical) {
        let Self { request, of, records, choose, fields, inputs, paging: _, together: _, null_is_empty: _ } = self;
        form.part("request", |form| request.meaning(form));
        form.fact("of", of);
        form.perhaps("records", records.as_deref());
        more(choose.as_ref(), fields, inputs, form);
    }
}

/// Which of several records counts.
fn chosen(choose: Option<&Choose>, form: &mut Canonical) {
    if let Some(Choose { from, to, ended }) = choose {
        form.part("choose", |form| {
            form.fact("from", from);
            form.perhaps("to", to.as_deref());
            let ended: BTreeSet<String> = ended.iter().map(|word| folded(word)).collect();
            form.each("ended", ended.iter().map(String::as_str));
        });
    }
}

fn more(
    choose: Option<&Choose>,
    fields: &BTreeMap<Slot, Value>,
    inputs: &BTreeMap<String, Value>,
    form: &mut Canonical,
) {
    chosen(choose, form);
    form.part("fields", |form| fields_of(fields, form));
    form.part("inputs", |form| values_of(inputs.iter().map(|(name, value)| (name.as_str(), value)), form));
}

impl Lookup {
    fn meaning(&self, form: &mut Canonical) {
        let Self { list, key, value } = self;
        form.part("list", |form| list.meaning(form));
        form.fact("key", key);
        form.fact("value", value);
    }
}

impl Rule {
    fn meaning(&self, form: &mut Canonical) {
        let Self { when, means, when_starts_later } = self;
        tests(when, form);
        meaning_of(*means, *when_starts_later, form);
    }
}

/// What is asked of inputs.
fn tests(when: &BTreeMap<String, Test>, form: &mut Canonical) {
    for (input, test) in when {
        form.part(input, |form| match test {
            Test::Is(words) => {
                let words: BTreeSet<String> = words.iter().map(|word| folded(word)).collect();
                form.each("is", words.iter().map(String::as_str));
            }
            Test::Filled => form.fact("filled", "yes"),
            Test::Empty => form.fact("filled", "no"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = r#"
name: acme-hr
title: Acme HR
evidence: documented
sources: [https://hr.example.com/docs/people]
setup: A token.
baseUrl: https://{subdomain}.example.com/api
parameters: {subdomain: {pattern: "[a-z]+", says: the first part, default: acme}}
credentials: {token: an API token}
auth: {headers: {Authorization: "Bearer {token}"}}
people:
- request: {path: /people, query: {status: all}}
  records: data
  paging: {page: {query: page, from: 1, ends: empty}}
fields:
  employeeId: id
  fullName: [first_name, last_name]
  email: work_email
  status: status
  hireDate: starts_on
  terminationDate: ends_on
required: [employeeId, email]
endDateMeans: LastDay
dates: [iso]
statuses:
  active: {means: Active}
  away: {means: Suspended}
  left: {means: Terminated}
"#;

    const FORM: &str = "\
definition 1
base=https:\\/\\/acme.example.com\\/api
parameters/subdomain=acme
people 0/request/path=\\/people
people 0/request/query/status=all
people 0/records=data
fields/employeeId/path=id
fields/fullName/path=first_name
fields/fullName/path=last_name
fields/fullName/with= 
fields/email/path=work_email
fields/status/path=status
fields/hireDate/path=starts_on
fields/terminationDate/path=ends_on
statuses/active/means=Active
statuses/away/means=Suspended
statuses/left/means=Terminated
end date=LastDay
dates=%Y-%m-%d
";

    fn form(text: &str, parameters: &[(&str, &str)]) -> String {
        let definition = Definition::parse("acme", text).expect("a definition");
        let mut form = Canonical::new("definition", 1);
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        definition.meaning(&parameters, &mut form);
        form.text().to_owned()
    }

    #[test]
    fn the_form_is_written_out_and_stays_as_it_is() {
        assert_eq!(form(PLAIN, &[]), FORM);
        assert_eq!(form(PLAIN, &[("subdomain", "acme")]), FORM, "a default that is written out");
    }

    #[test]
    fn what_decides_is_in_it_and_how_it_is_fetched_is_not() {
        for (what, from, to, same) in [
            ("a word's meaning", "away: {means: Suspended}", "away: {means: Terminated}", false),
            ("one more word", "  left:", "  retired: {means: Terminated}\n  left:", false),
            ("what a word means later", "{means: Terminated}", "{means: Terminated, whenStartsLater: Active}", false),
            ("a filter", "status: all", "status: active", false),
            ("the list", "records: data", "records: people", false),
            ("ids", "employeeId: id", "employeeId: number", false),
            ("a date", "ends_on", "last_day", false),
            ("the form of dates", "[iso]", "[iso, epochSeconds]", false),
            ("what the end date means", "LastDay", "FirstDayOut", false),
            ("where it lies", "example.com/api", "example.org/api", false),
            (
                "when the end date counts",
                "endDateMeans: LastDay",
                "endDateMeans: LastDay\ninputs: {word: status}\nendDateWhen: {word: {is: [left]}}",
                false,
            ),
            ("what is left out", "records: data", "records: data\n  skip: {path: deleted, is: ['true']}", false),
            ("which version counts", "records: data", "records: data\n  choose: {from: valid_from}", false),
            ("how a page is empty", "records: data", "records: data\n  nullIsEmpty: true", true),
            ("the case of a word", "  left:", "  LEFT:", true),
            ("its title", "title: Acme HR", "title: Acme People", true),
            ("the setup", "setup: A token.", "setup: Another token.", true),
            ("signing in", "Bearer {token}", "Token {token}", true),
            ("paging", "from: 1", "from: 0", true),
            ("what must be filled", "required: [employeeId, email]", "required: [employeeId]", true),
        ] {
            let changed = PLAIN.replace(from, to);
            assert_ne!(changed, PLAIN, "{what}");
            assert_eq!(form(&changed, &[]) == FORM, same, "{what}");
        }
        assert_ne!(form(PLAIN, &[("subdomain", "globex")]), FORM, "another tenant");
    }

    #[test]
    fn the_order_of_a_body_does_not_matter() {
        let body = |text: &str| {
            let mut form = Canonical::new("body", 1);
            json(&serde_json::from_str(text).expect("JSON"), &mut form);
            form.text().to_owned()
        };
        assert_eq!(body(r#"{"a": [1, {"c": null, "b": "x"}]}"#), "body 1\na/0/is=1\na/1/b/is=\"x\"\na/1/c/is=null\n");
        assert_eq!(body(r#"{"a": 1, "b": 2}"#), body(r#"{"b": 2, "a": 1}"#));
        assert_ne!(body(r#"{"a": "1"}"#), body(r#"{"a": 1}"#));
    }
}
