//! Whether the words of requests, pages and further lists fit together.

use serde_json::Value;

use super::super::{Ends, Export, List, Paging, Request, Step, Together};
use super::Check;
use crate::template;

/// Ends of a path whose POST may be a search. A definition cannot name another: nothing could tell it from a call that
/// writes.
const READING: [&str; 16] = [
    "search",
    "query",
    "find",
    "list",
    "read",
    "search_read",
    "filter",
    "lookup",
    "export",
    "exports",
    "EmployeeExportJobs",
    "employer/individual",
    "employer/employment",
    "masterapi/employee",
    "ListeSalaries",
    "ListeSalarieEmplois",
];

impl Check<'_> {
    pub(super) fn list(&mut self, place: &str, list: &List) {
        self.request(&format!("{place}.request"), &list.request);
        self.path(&format!("{place}.records"), &list.records, true);
        if let Some(total) = &list.total {
            self.place(&format!("{place}.total"), total);
        }
        if let Some(paging) = &list.paging {
            self.paging(&format!("{place}.paging"), paging, &list.request, list.total.is_some());
        }
        if let Some(export) = &list.export {
            self.export(&format!("{place}.export"), export);
        }
    }

    pub(super) fn export(&mut self, place: &str, export: &Export) {
        self.request(&format!("{place}.start"), &export.start);
        self.request(&format!("{place}.poll"), &export.poll);
        self.place(&format!("{place}.job"), &export.job);
        for (word, code) in
            std::iter::once(("done", &export.done)).chain(export.failed.iter().map(|one| ("failed", one)))
        {
            self.path(&format!("{place}.{word}.path"), &code.path, false);
            if code.is.is_empty() {
                self.say(format!("{place}.{word}.is"), "no word");
            }
        }
        if !export.poll.path.contains("{job}") {
            self.say(format!("{place}.poll.path"), "{job} is not in it");
        }
        if !(1..=3600).contains(&export.every) {
            self.say(format!("{place}.every"), "from 1 to 3600 seconds");
        }
    }

    pub(super) fn request(&mut self, place: &str, request: &Request) {
        if !request.path.starts_with('/') || request.path.contains(['?', '#']) {
            self.say(format!("{place}.path"), "does not start with /, or holds more than a path");
        }
        self.headers(&format!("{place}.headers"), request.headers.iter().map(|(name, value)| (name, value.as_str())));
        let Some(search) = &request.search else { return };
        if !READING.iter().any(|end| request.path.strip_suffix(end).is_some_and(|rest| rest.ends_with(['/', ':']))) {
            let last = request.path.rsplit(['/', ':']).next().unwrap_or_default();
            self.say(
                format!("{place}.search"),
                format!("a POST to {last:?} may write: only these are read by: {}", READING.join(", ")),
            );
        }
        if !search.page.starts_with("https://") {
            self.say(format!("{place}.search.page"), "the vendor's page, https://…");
        }
        if !search.body.0.is_object() {
            self.say(format!("{place}.search.body"), "no object");
        }
    }

    pub(super) fn paging(&mut self, place: &str, paging: &Paging, request: &Request, total: bool) {
        let searches = request.search.is_some();
        match paging {
            Paging::Cursor { at, query, body, more } => {
                self.place(place, at);
                more.iter().for_each(|more| self.place(place, more));
                self.taken(place, query.is_some(), body.is_some(), searches);
            }
            Paging::NextLink(at) => {
                self.place(place, at);
                if searches {
                    self.say(place, "a search has no next link");
                }
            }
            Paging::Page(step) | Paging::Offset(step) => {
                self.taken(place, step.query.is_some(), step.body.is_some(), searches);
                self.step(place, step, total, matches!(paging, Paging::Page(_)));
            }
        }
    }

    pub(super) fn step(&mut self, place: &str, step: &Step, total: bool, pages: bool) {
        match &step.ends {
            Ends::Short if step.size.is_none() => self.say(format!("{place}.ends"), "short needs a size"),
            Ends::Total if !total => self.say(format!("{place}.ends"), "total is not said by the list"),
            Ends::Last(_) if !pages => self.say(format!("{place}.ends"), "last is the number of a page"),
            Ends::More(at) | Ends::Last(at) => self.place(place, at),
            _ => {}
        }
        if step.size == Some(0) {
            self.say(format!("{place}.size"), "at least one");
        }
        if step.form.as_ref().is_some_and(|form| form.matches("{}").count() != 1) {
            self.say(format!("{place}.form"), "{} has to be in it once");
        }
    }

    pub(super) fn taken(&mut self, place: &str, query: bool, body: bool, searches: bool) {
        if query == body {
            self.say(place, "exactly one of query and body");
        } else if body && !searches {
            self.say(place, "only a search has a body");
        }
    }

    /// Joins, details and lookups.
    pub(super) fn further(&mut self) {
        let definition = self.definition;
        for (name, join) in &definition.joins {
            let place = format!("joins.{name}");
            self.path(&format!("{place}.key"), &join.key, false);
            self.path(&format!("{place}.of"), &join.of, false);
        }
        for (name, detail) in &definition.details {
            let place = format!("details.{name}");
            self.request(&format!("{place}.request"), &detail.request);
            self.path(&format!("{place}.of"), &detail.of, false);
            detail.records.iter().for_each(|records| self.path(&format!("{place}.records"), records, true));
            self.about(&place, &detail.request);
            if let Some(paging) = &detail.paging {
                self.paging(&format!("{place}.paging"), paging, &detail.request, false);
            }
            if let Some(together) = &detail.together {
                self.together(&format!("{place}.together"), together, &detail.request);
            }
            let listed = detail.paging.is_some() || detail.choose.is_some() || detail.together.is_some();
            if detail.records.is_none() && listed {
                self.say(place, "one record has neither pages nor a choice, and is one person's");
            }
        }
        let chosen = definition.joins.iter().map(|(name, join)| (format!("joins.{name}"), &join.choose));
        let detailed = definition.details.iter().map(|(name, detail)| (format!("details.{name}"), &detail.choose));
        for (place, choose) in chosen.chain(detailed) {
            for path in choose.iter().flat_map(|choose| std::iter::once(&choose.from).chain(&choose.to)) {
                self.path(&format!("{place}.choose"), path, false);
            }
        }
        for (name, lookup) in &definition.lookups {
            let place = format!("lookups.{name}");
            self.path(&format!("{place}.key"), &lookup.key, false);
            self.path(&format!("{place}.value"), &lookup.value, false);
        }
    }

    /// What is asked about many people at once says about whom in a list, and in no other place.
    fn together(&mut self, place: &str, together: &Together, request: &Request) {
        self.path(&format!("{place}.key"), &together.key, false);
        if !(2..=1000).contains(&together.most) {
            self.say(format!("{place}.most"), "from 2 to 1000 people");
        }
        let body = request.search.as_ref().map(|search| &search.body.0);
        let elsewhere = request.query.values().chain(request.headers.values()).chain([&request.path]);
        if elsewhere.into_iter().any(|text| text.contains("{of}")) || body.is_some_and(named_outside_lists) {
            self.say(place, "{of} has to stand in a list of the search's body, and in no other place");
        }
    }

    /// What is asked about one person says about whom: in the path, or in the body of a search.
    pub(super) fn about(&mut self, place: &str, request: &Request) {
        let mut named = request.path.contains("{of}");
        let place = match &request.search {
            None => format!("{place}.request.path"),
            Some(search) => {
                template::texts(&search.body.0, &mut |text| named |= text.contains("{of}"));
                format!("{place}.request")
            }
        };
        if !named {
            self.say(place, "{of} is not in it");
        }
    }
}

/// Whether a body says about whom in a place that is in no list.
fn named_outside_lists(body: &Value) -> bool {
    match body {
        Value::String(text) => text.contains("{of}"),
        Value::Object(object) => object.values().any(named_outside_lists),
        _ => false,
    }
}
