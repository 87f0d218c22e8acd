//! Whether the words of a definition fit together, before anything is asked of anybody.
//!
//! A finding is the place it stands at, in dots (`auth.token.url`), and what is wrong there.

mod lists;
mod signing;
mod values;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};

use super::super::address::is_near;
use super::super::pages::JOB;
use super::super::path::Path;
use super::super::template;
use super::{Definition, List, Request, Where, whole};

/// A place in a definition, and what is wrong there.
pub(super) type Finding = (String, String);

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
    check.account();
    check.custom_and_requested();
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
        for (number, run) in definition.run_live.iter().enumerate() {
            if let Some(why) = run.wrong() {
                self.say(format!("runLive.{number}"), why);
            }
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
        for (number, failed) in definition.failed.iter().enumerate() {
            self.path(&format!("failed.{number}.path"), &failed.path, false);
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
                template::texts(&search.body.0, &mut |text| say(format!("{place}.search.body"), text));
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
        if throttling.concurrency.is_some_and(|at_once| !(1..=32).contains(&at_once)) {
            self.say("throttling.concurrency", "from 1 to 32");
        }
        if throttling.statuses.iter().any(|status| !(400..600).contains(status) || *status == 401) {
            self.say("throttling.statuses", "only errors, and never 401");
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
