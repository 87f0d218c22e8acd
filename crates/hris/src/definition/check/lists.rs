//! Whether the words of requests, pages and further lists fit together.

use serde_json::Value;

use super::super::words::Search;
use super::super::{Code, Ends, Export, List, PageCounter, Paging, Request, Together};
use super::Check;
use crate::template;
use domain::quote::quoted;

/// Last words of a path that show that its POST reads. Another has to name a page that says so.
const READING: [&str; 9] = ["search", "query", "find", "list", "read", "filter", "lookup", "export", "exports"];
/// How words begin that say that a call writes: no page makes one of these a search.
const WRITING: [&str; 16] = [
    "add",
    "assign",
    "create",
    "delete",
    "destroy",
    "import",
    "insert",
    "patch",
    "put",
    "remove",
    "save",
    "set",
    "terminate",
    "update",
    "upload",
    "write",
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
        for (word, code) in [("skip", &list.skip), ("empty", &list.empty)] {
            code.iter().for_each(|code| self.code(&format!("{place}.{word}"), code));
        }
        if list.empty.is_some() && list.paging.is_none() {
            self.say(format!("{place}.empty"), "there is no page behind the first");
        }
        if list.choose.is_some() && !place.starts_with("people.") {
            self.say(format!("{place}.choose"), "only in a list of people: joins have one of their own");
        }
    }

    fn code(&mut self, place: &str, code: &Code) {
        self.path(&format!("{place}.path"), &code.path, false);
        if code.is.is_empty() {
            self.say(format!("{place}.is"), "no word");
        }
    }

    pub(super) fn export(&mut self, place: &str, export: &Export) {
        self.request(&format!("{place}.start"), &export.start);
        self.request(&format!("{place}.poll"), &export.poll);
        self.place(&format!("{place}.job"), &export.job);
        for (word, code) in
            std::iter::once(("done", &export.done)).chain(export.failed.iter().map(|one| ("failed", one)))
        {
            self.code(&format!("{place}.{word}"), code);
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
        self.reads(&format!("{place}.search"), &request.path, search);
        if !search.body.0.is_object() {
            self.say(format!("{place}.search.body"), "no object");
        }
    }

    /// A POST shows by its path that it reads, or names a page that says so.
    fn reads(&mut self, place: &str, path: &str, search: &Search) {
        let last = path.rsplit(['/', ':']).next().unwrap_or_default();
        let folded = last.to_ascii_lowercase();
        if WRITING.iter().any(|word| folded.starts_with(word)) {
            self.say(place, format!("a POST to {} writes", quoted(last)));
        }
        let (word, page) = match (&search.page, &search.reads) {
            (Some(page), None) if READING.contains(&last) => ("page", page),
            (None, Some(page)) => ("reads", page),
            (Some(_), None) => {
                let known = READING.join(", ");
                let why = "may write. Where it only reads, name the page that says so in reads instead of page";
                return self.say(
                    place,
                    format!("a POST to {} {why}; without it, a path ends with one of: {known}", quoted(last)),
                );
            }
            (Some(_), Some(_)) | (None, None) => return self.say(place, "exactly one of page and reads"),
        };
        if !page.starts_with("https://") {
            self.say(format!("{place}.{word}"), "a public page, https://…");
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
            Paging::NextLink(at) | Paging::NextQuery(at) => {
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

    pub(super) fn step(&mut self, place: &str, step: &PageCounter, total: bool, pages: bool) {
        match &step.ends {
            Ends::Short if step.size.is_none() => self.say(format!("{place}.ends"), "short needs a size"),
            Ends::Total | Ends::CheckedTotal if !total => {
                self.say(format!("{place}.ends"), "total is not said by the list")
            }
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
            if detail.null_is_empty && detail.records.is_none() {
                self.say(&place, "nullIsEmpty: the response is one record, not a list");
            }
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
