//! Whether the words of a definition fit together, before anything is asked of anybody.
//!
//! A finding is the place it stands at, in dots (`auth.token.url`), and what is wrong there.

mod signing;

use std::collections::BTreeMap;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use super::super::address::is_near;
use super::super::mapping::{Statuses, Types};
use super::super::pages::JOB;
use super::super::path::Path;
use super::super::row::Slot;
use super::super::template;
use super::{Definition, Ends, Export, List, Paging, Request, Step, Test, Value, Where, whole};

/// A place in a definition, and what is wrong there.
pub(super) type Finding = (String, String);

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

/// Everything that does not fit together.
pub(super) fn findings(definition: &Definition) -> Vec<Finding> {
    let mut check = Check { definition, found: Vec::new() };
    check.head();
    check.names();
    check.auth(&definition.auth);
    check.throttling();
    for (place, list) in lists(definition) {
        check.list(&place, list);
    }
    check.further();
    check.fields();
    check.statuses();
    check.found
}

/// The line on which the place stands, or the nearest above it that can be found; counted from 1.
pub(super) fn line_of(text: &str, place: &str) -> usize {
    let (mut line, mut lines) = (0, text.lines().enumerate().peekable());
    for word in place.split('.').filter(|word| word.parse::<usize>().is_err()) {
        let mut ahead = lines.clone();
        let found = ahead.find(|(_, text)| {
            let text = text.trim_start_matches([' ', '-']);
            let bare = text.trim_start_matches(['"', '\'']);
            let key = bare.strip_prefix(word).is_some_and(|rest| rest.trim_start_matches(['"', '\'']).starts_with(':'));
            key || ["{", ", ", "{'", "{\""].iter().any(|before| text.contains(&format!("{before}{word}:")))
        });
        if let Some((number, _)) = found {
            line = number;
            while lines.peek().is_some_and(|(at, _)| *at < number) {
                lines.next();
            }
        }
    }
    line + 1
}

struct Check<'d> {
    definition: &'d Definition,
    found: Vec<Finding>,
}

impl Check<'_> {
    fn say(&mut self, place: impl Into<String>, why: impl Into<String>) {
        self.found.push((place.into(), why.into()));
    }

    fn head(&mut self) {
        let definition = self.definition;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if definition.name.is_empty() || !definition.name.chars().all(plain) {
            self.say("name", "small letters, digits and hyphens");
        }
        if definition.sources.is_empty() || definition.sources.iter().any(|source| !source.starts_with("https://")) {
            self.say("sources", "at least one public page, https://…");
        }
        if definition.setup.trim().is_empty() {
            self.say("setup", "says nothing");
        }
        let filled = template::fill(&definition.base_url, |name| definition.parameters.contains_key(name).then(sample));
        match filled.ok().and_then(|url| Url::parse(&url).ok()) {
            None => self.say("baseUrl", "not a URL, or a parameter in braces that is not declared"),
            Some(url) if !unheard(&url) => self.say("baseUrl", "does not start with https://"),
            Some(_) => {}
        }
        if definition.people.is_empty() {
            self.say("people", "no list");
        }
        if definition.dates.is_empty() {
            self.say("dates", "no form");
        }
        for (name, parameter) in &definition.parameters {
            if whole(&parameter.pattern).is_none() {
                self.say(format!("parameters.{name}.pattern"), "no regular expression");
            } else if parameter.default.as_ref().is_some_and(|default| !parameter.fits(default)) {
                self.say(format!("parameters.{name}.default"), "does not match the pattern");
            }
        }
    }

    /// Every name in braces is declared, and every declared one is used.
    fn names(&mut self) {
        let definition = self.definition;
        let mut texts = vec![Text::new("baseUrl", &definition.base_url)];
        texts.extend(signing::texts(&definition.auth));
        for (place, request, own) in requests(definition) {
            let mut say = |place: String, text: &str| texts.push(Text { own, ..Text::new(place, text) });
            say(format!("{place}.path"), &request.path);
            request.query.iter().for_each(|(name, value)| say(format!("{place}.query.{name}"), value));
            request.headers.iter().for_each(|(name, value)| say(format!("{place}.headers.{name}"), value));
            if let Some(search) = &request.search {
                strings(&search.body.0, &mut |text| say(format!("{place}.search.body"), text));
            }
        }
        let mut used = Vec::new();
        for Text { place, text, secret, own } in texts {
            match template::names(&text) {
                Err(why) => self.say(place, why),
                Ok(names) => {
                    for name in names.into_iter().map(|name| name.name).filter(|name| !own.contains(name)) {
                        used.push(name.to_owned());
                        let declared = definition.parameters.contains_key(name)
                            || (secret && definition.credentials.contains_key(name));
                        if !declared {
                            let under = if secret { "credentials or parameters" } else { "parameters" };
                            self.say(place.clone(), format!("{name} is not declared under {under}"));
                        }
                    }
                }
            }
        }
        for (name, kind) in definition
            .parameters
            .keys()
            .map(|name| (name, "parameters"))
            .chain(definition.credentials.keys().map(|name| (name, "credentials")))
        {
            if !used.contains(name) {
                self.say(format!("{kind}.{name}"), "not used");
            }
        }
    }

    fn throttling(&mut self) {
        let throttling = &self.definition.throttling;
        if let Some(code) = &throttling.code {
            self.path("throttling.code.path", &code.path, false);
        }
        if let Some(reset) = &throttling.reset {
            self.headers("throttling.reset.header", [(&reset.header, "")]);
        }
        if throttling.rate.is_some_and(|rate| rate.requests == 0 || rate.seconds == 0) {
            self.say("throttling.rate", "at least one request, in at least one second");
        }
        if throttling.concurrency == Some(0) {
            self.say("throttling.concurrency", "at least one");
        }
        if throttling.statuses.iter().any(|status| !(400..600).contains(status) || *status == 401) {
            self.say("throttling.statuses", "only errors, and never 401");
        }
    }

    fn list(&mut self, place: &str, list: &List) {
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

    fn export(&mut self, place: &str, export: &Export) {
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

    fn request(&mut self, place: &str, request: &Request) {
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

    fn paging(&mut self, place: &str, paging: &Paging, request: &Request, total: bool) {
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

    fn step(&mut self, place: &str, step: &Step, total: bool, pages: bool) {
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

    fn taken(&mut self, place: &str, query: bool, body: bool, searches: bool) {
        if query == body {
            self.say(place, "exactly one of query and body");
        } else if body && !searches {
            self.say(place, "only a search has a body");
        }
    }

    fn place(&mut self, place: &str, at: &Where) {
        match at {
            Where::Path(path) => self.path(place, path, false),
            Where::Header(header) => self.headers(place, [(header, "")]),
        }
    }

    fn path(&mut self, place: &str, path: &str, may_be_empty: bool) {
        if path.is_empty() && !may_be_empty {
            self.say(place, "no path");
        } else if let Err(why) = Path::parse(path) {
            self.say(place, format!("no path: {why}"));
        }
    }

    fn headers<'h>(&mut self, place: &str, headers: impl IntoIterator<Item = (&'h String, &'h str)>) {
        for (name, value) in headers {
            if HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err() {
                self.say(place, format!("{name} is no header"));
            }
        }
    }

    /// Joins, details and lookups.
    fn further(&mut self) {
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
            if detail.records.is_none() && (detail.paging.is_some() || detail.choose.is_some()) {
                self.say(place, "one record has neither pages nor a choice");
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

    /// What is asked about one person says about whom: in the path, or in the body of a search.
    fn about(&mut self, place: &str, request: &Request) {
        let mut named = request.path.contains("{of}");
        let place = match &request.search {
            None => format!("{place}.request.path"),
            Some(search) => {
                strings(&search.body.0, &mut |text| named |= text.contains("{of}"));
                format!("{place}.request")
            }
        };
        if !named {
            self.say(place, "{of} is not in it");
        }
    }

    fn fields(&mut self) {
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

    fn value(&mut self, place: &str, value: &Value) {
        if value.paths.is_empty() {
            self.say(place, "no path");
        }
        value.paths.iter().for_each(|path| self.path(place, path, false));
        if let Some(lookup) = value.lookup.as_ref().filter(|lookup| !self.definition.lookups.contains_key(*lookup)) {
            self.say(place, format!("there is no lookup {lookup}"));
        }
    }

    fn statuses(&mut self) {
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
            for (input, test) in &rule.when {
                if !inputs.contains(&input) {
                    self.say("rules", format!("{input} is not under inputs"));
                }
                if matches!(test, Test::Is(words) if words.is_empty()) {
                    self.say("rules", format!("no word for {input}"));
                }
            }
        }
        for input in inputs {
            if !definition.rules.iter().any(|rule| rule.when.contains_key(input)) {
                self.say(format!("inputs.{input}"), "no rule looks at it");
            }
        }
        let later = definition.statuses.values().any(|rule| rule.when_starts_later.is_some())
            || definition.rules.iter().any(|rule| rule.when_starts_later.is_some());
        if later && !definition.offered().contains(&Slot::HireDate) {
            self.say("statuses", "whenStartsLater needs a field hireDate");
        }
    }
}

/// Whether nobody on the way hears what is said there: by TLS, or because it is not far.
fn unheard(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(is_near))
}

fn sample() -> String {
    "x".to_owned()
}

/// A text with names in braces.
struct Text {
    place: String,
    text: String,
    /// Keys of the Secret may stand in it.
    secret: bool,
    /// Names that are neither keys nor parameters, but known where it is used.
    own: &'static [&'static str],
}

impl Text {
    fn new(place: impl Into<String>, text: &str) -> Self {
        Self { place: place.into(), text: text.to_owned(), secret: false, own: &[] }
    }
}

/// Every request but the one for a token, with its place and the names that only it knows.
fn requests(definition: &Definition) -> Vec<(String, &Request, &'static [&'static str])> {
    let mut requests: Vec<(String, &Request, &'static [&'static str])> = Vec::new();
    for (place, list) in lists(definition) {
        let Some(export) = &list.export else {
            requests.push((format!("{place}.request"), &list.request, &[]));
            continue;
        };
        requests.push((format!("{place}.request"), &list.request, &[JOB]));
        requests.push((format!("{place}.export.start"), &export.start, &[]));
        requests.push((format!("{place}.export.poll"), &export.poll, &[JOB]));
    }
    for (name, detail) in &definition.details {
        requests.push((format!("details.{name}.request"), &detail.request, &["of"]));
    }
    requests
}

/// Every list, with its place.
fn lists(definition: &Definition) -> Vec<(String, &List)> {
    let people = definition.people.iter().enumerate().map(|(number, list)| (format!("people.{number}"), list));
    let joins = definition.joins.iter().map(|(name, join)| (format!("joins.{name}.list"), &join.list));
    let lookups = definition.lookups.iter().map(|(name, lookup)| (format!("lookups.{name}.list"), &lookup.list));
    people.chain(joins).chain(lookups).collect()
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

/// Every text in a JSON value.
fn strings(value: &serde_json::Value, take: &mut impl FnMut(&str)) {
    match value {
        serde_json::Value::String(text) => take(text),
        serde_json::Value::Array(list) => list.iter().for_each(|value| strings(value, take)),
        serde_json::Value::Object(object) => object.values().for_each(|value| strings(value, take)),
        _ => {}
    }
}
