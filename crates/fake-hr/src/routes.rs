//! Recognises requests: which list, or which person, a request of a definition is about.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;
use serde_json::Value as Json;

use super::faults::RequestKind;
use super::serve::FakeRequest;
use hris::definition::{Definition, List, Method, Paging, Request, without_words};
use hris::template;

/// The requests that a definition makes.
pub(crate) struct Routes {
    /// Where a token is asked for.
    token: Option<String>,
    /// The lists: of people, then those joined, then lookups; in the order of the definition.
    pub(crate) lists: Vec<Route>,
    /// What is asked about one person.
    pub(crate) details: Vec<Route>,
    /// What lists are made by.
    exports: Vec<Exporting>,
}

/// One request.
pub(crate) struct Route {
    /// What it is about.
    pub(crate) part: RequestKind,
    /// Method and path; what is asked about one person has its mark in it.
    to: String,
    /// What its query has, whatever the page.
    pub(crate) query: Vec<(String, String)>,
    /// What its body has.
    body: Option<Json>,
    /// Words of its lists that are left out where nobody needs what they ask for.
    optional: BTreeSet<String>,
    /// Its pages are found by next links.
    linked: bool,
}

/// Stands for the person that is asked about, until a request is made.
const OF: &str = "fakeOf";
/// Stands for what an export is called, likewise.
const JOB: &str = "fakeJob";

/// What a list is made by before it is read.
pub(crate) struct Exporting {
    /// The list.
    pub(crate) list: usize,
    /// What it is begun by.
    start: Route,
    /// How it is looked at.
    poll: Route,
}

impl Routes {
    /// # Errors
    /// In words, what a parameter is missing for.
    pub(crate) fn new(definition: &Definition, parameters: &BTreeMap<String, String>) -> Result<Self, String> {
        let base = definition.base(parameters)?;
        let route = |part: RequestKind, request: &Request, paging: &Option<Paging>| {
            let linked = matches!(paging, Some(Paging::NextLink(_) | Paging::NextQuery(_)));
            let optional = definition.requested.values().flatten().cloned().collect();
            Ok::<_, String>(Route { linked, optional, ..Route::new(part, &base, request, parameters)? })
        };
        let (mut lists, mut exports) = (Vec::new(), Vec::new());
        for (at, (part, list)) in parts(definition).into_iter().enumerate() {
            lists.push(route(part, &list.request, &list.paging)?);
            if let Some(export) = &list.export {
                let [start, poll] =
                    [&export.start, &export.poll].map(|request| route(RequestKind::Export, request, &None));
                exports.push(Exporting { list: at, start: start?, poll: poll? });
            }
        }
        let details = definition.details.iter();
        let details =
            details.map(|(name, detail)| route(RequestKind::Detail(name.clone()), &detail.request, &detail.paging));
        let token = definition.auth.token.as_ref().map(|token| {
            let key = |name: &str| definition.credentials.contains_key(name).then(|| "x".to_owned());
            let url = template::fill(&token.url, |name| parameters.get(name).cloned().or_else(|| key(name)))?;
            let url = Url::parse(&url).map_err(|_| "auth.token.url: not a URL")?;
            let method = if token.method == Method::Get { "GET" } else { "POST" };
            Ok::<_, String>(format!("{method} {}", url.path()))
        });
        Ok(Self { token: token.transpose()?, lists, details: details.collect::<Result<_, _>>()?, exports })
    }

    /// Method and path of the request for a token.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether a method and path are those of the first list of people.
    pub(crate) fn is_people(&self, to: &str) -> bool {
        self.lists.first().is_some_and(|route| route.leads(to))
    }

    /// The list that a request has made, and whether it begins that or looks whether it is done.
    pub(crate) fn export(&self, asked: &FakeRequest) -> Option<(usize, bool)> {
        let to = format!("{} {}", asked.method, asked.path);
        self.exports.iter().find_map(|export| {
            let is = |route: &Route| route.leads(&to) && route.fits(asked);
            if is(&export.start) {
                return Some((export.list, true));
            }
            is(&export.poll).then_some((export.list, false))
        })
    }

    /// What a request is about. A next link may lead anywhere: what nothing else is, is another page of the same.
    pub(crate) fn part(&self, asked: &FakeRequest, before: Option<&RequestKind>) -> RequestKind {
        let to = format!("{} {}", asked.method, asked.path);
        if self.token.as_ref() == Some(&to) {
            return RequestKind::Token;
        }
        if self.export(asked).is_some() {
            return RequestKind::Export;
        }
        let list = self.list(asked).and_then(|at| self.lists.get(at));
        let detail = || self.detail(asked).and_then(|(at, _)| self.details.get(at));
        let linked =
            || self.lists.iter().chain(&self.details).find(|route| route.linked && Some(&route.part) == before);
        list.or_else(detail).or_else(linked).map_or(RequestKind::Unknown, |route| route.part.clone())
    }

    /// The list that a request is for: of those it fits, the one that says most.
    pub(crate) fn list(&self, asked: &FakeRequest) -> Option<usize> {
        let to = format!("{} {}", asked.method, asked.path);
        let fitting = self.lists.iter().enumerate().filter(|(_, route)| route.leads(&to) && route.fits(asked));
        // The first of several that are alike.
        fitting.rev().max_by_key(|(_, route)| route.query.len() + route.body.as_ref().map_or(0, size)).map(|(at, _)| at)
    }

    /// Which lists one answer holds: those that are asked for in the very same way.
    pub(crate) fn alike(&self, at: usize) -> Vec<usize> {
        let Some(one) = self.lists.get(at) else { return Vec::new() };
        let same = |route: &Route| route.to == one.to && route.query == one.query && route.body == one.body;
        self.lists.iter().enumerate().filter(|(_, route)| same(route)).map(|(at, _)| at).collect()
    }

    /// The detail that a request is for, and whom it is about.
    pub(crate) fn detail(&self, asked: &FakeRequest) -> Option<(usize, Vec<String>)> {
        self.details.iter().enumerate().find_map(|(at, route)| Some((at, route.of(asked)?)))
    }
}

impl Route {
    fn new(
        part: RequestKind,
        base: &str,
        request: &Request,
        parameters: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let value = |name: &str| match name {
            "of" => Some(OF.to_owned()),
            "job" => Some(JOB.to_owned()),
            name => parameters.get(name).cloned(),
        };
        let fill = |text: &str| template::fill(text, value);
        let no_url = || "the parameters make no URL".to_owned();
        let mut url = Url::parse(base).map_err(|_| no_url())?;
        url.path_segments_mut().map_err(|()| no_url())?.pop_if_empty();
        for segment in request.path.split('/').skip(1) {
            url.path_segments_mut().map_err(|()| no_url())?.push(&fill(segment)?);
        }
        let query = request.query.iter().map(|(name, text)| Ok((name.clone(), fill(text)?)));
        let mut body = request.search.as_ref().map(|search| search.body.0.clone());
        body.iter_mut().try_for_each(|body| filled(body, &fill))?;
        let method = if body.is_some() { "POST" } else { "GET" };
        let query = query.collect::<Result<_, String>>()?;
        let to = format!("{method} {}", url.path());
        Ok(Self { part, to, query, body, optional: BTreeSet::new(), linked: false })
    }

    /// The address of another page.
    pub(crate) fn link(&self, here: &str, name: &str, from: usize) -> String {
        let (_, path) = self.to.split_once(' ').unwrap_or_default();
        let path = path.replace(JOB, ONE);
        let Ok(mut url) = Url::parse(&format!("{here}{path}")) else { return String::new() };
        url.query_pairs_mut().extend_pairs(&self.query).append_pair(name, &from.to_string());
        url.to_string()
    }

    fn fits(&self, asked: &FakeRequest) -> bool {
        let fewer = |value: &str, sent: &str| self.fewer(&value.into(), &sent.into()) == sent;
        let fits = |value: &str, sent: &str| like(value, sent) || fewer(value, sent);
        let has = |(name, value): &(String, String)| asked.query.iter().any(|(n, v)| n == name && fits(value, v));
        self.query.iter().all(has) && self.body.as_ref().is_none_or(|body| self.within(body, asked).is_some())
    }

    /// Whether a body has all that this request's has; then whom it is about.
    fn within(&self, body: &Json, asked: &FakeRequest) -> Option<Vec<String>> {
        let sent = serde_json::from_slice(&asked.body).unwrap_or_default();
        within(&self.fewer(body, &sent), &sent)
    }

    /// What is asked for, without words that may be left out, and were.
    fn fewer(&self, whole: &Json, sent: &Json) -> Json {
        let mut said = BTreeSet::new();
        words(sent, &mut said);
        let left_out: BTreeSet<String> = self.optional.iter().filter(|word| !said.contains(*word)).cloned().collect();
        let mut fewer = whole.clone();
        if !left_out.is_empty() {
            without_words(&mut fewer, &left_out);
        }
        fewer
    }

    /// Whether a method and path are this request's.
    fn leads(&self, to: &str) -> bool {
        like(&self.to, to)
    }

    /// Whom a request is about.
    fn of(&self, asked: &FakeRequest) -> Option<Vec<String>> {
        let to = format!("{} {}", asked.method, asked.path);
        if let Some((before, after)) = self.to.split_once(OF) {
            let of = to.strip_prefix(before)?.strip_suffix(after)?;
            return (!of.contains('/') && self.fits(asked)).then(|| decoded(of)).flatten().map(|of| vec![of]);
        }
        (self.to == to).then(|| self.within(self.body.as_ref()?, asked)).flatten().filter(|of| !of.is_empty())
    }
}

/// What every export is called.
pub(crate) const ONE: &str = "job-1";

/// Whether a text is one with any name of an export in the place of the mark.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once(JOB) {
        None => pattern == text,
        Some((before, after)) => text
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after))
            .is_some_and(|job| !job.is_empty() && !job.contains('/')),
    }
}

/// Every list of a definition, with what it is: of people, joined, lookups.
pub(crate) fn parts(definition: &Definition) -> Vec<(RequestKind, &List)> {
    let people = definition.people.iter().enumerate().map(|(at, list)| (RequestKind::People(at), list));
    let joins = definition.joins.iter().map(|(name, join)| (RequestKind::Join(name.clone()), &join.list));
    let lookups = definition.lookups.iter().map(|(name, lookup)| (RequestKind::Lookup(name.clone()), &lookup.list));
    people.chain(joins).chain(lookups).collect()
}

/// Whether a body has all that one has: then what stands in it for the people that are asked about.
fn within(body: &Json, sent: &Json) -> Option<Vec<String>> {
    match (body, sent) {
        (Json::Object(body), Json::Object(sent)) => {
            let each = body.iter().map(|(key, value)| within(value, sent.get(key)?));
            each.collect::<Option<Vec<_>>>().map(|of| of.concat())
        }
        (Json::Array(body), Json::Array(sent)) => {
            let many = body.len() == 1 && sent.len() > 1; // people, each in the place of one
            let each = body.iter().cycle().zip(sent);
            let each = each.map(|(value, sent)| within(value, sent).filter(|of| !(many && of.is_empty())));
            let of = each.collect::<Option<Vec<_>>>().map(|of| of.concat());
            of.filter(|_| many || body.len() == sent.len())
        }
        (Json::String(text), Json::String(sent)) if text.contains(OF) => {
            let (before, after) = text.split_once(OF)?;
            Some(vec![sent.strip_prefix(before)?.strip_suffix(after)?.to_owned()])
        }
        (body, sent) => (body == sent).then(Vec::new),
    }
}

/// The words in the lists of a value: texts, and their parts between commas.
fn words(value: &Json, found: &mut BTreeSet<String>) {
    match value {
        Json::String(text) => found.extend(text.split(',').map(|word| word.trim().to_owned()).chain([text.clone()])),
        Json::Array(list) => list.iter().for_each(|one| words(one, found)),
        Json::Object(members) => members.values().for_each(|one| words(one, found)),
        _ => {}
    }
}

fn size(body: &Json) -> usize {
    match body {
        Json::Object(object) => object.len() + object.values().map(size).sum::<usize>(),
        Json::Array(list) => list.len() + list.iter().map(size).sum::<usize>(),
        _ => 0,
    }
}

fn filled(value: &mut Json, fill: &impl Fn(&str) -> Result<String, String>) -> Result<(), String> {
    match value {
        Json::String(text) => *text = fill(text)?,
        Json::Array(list) => list.iter_mut().try_for_each(|value| filled(value, fill))?,
        Json::Object(object) => object.values_mut().try_for_each(|value| filled(value, fill))?,
        _ => {}
    }
    Ok(())
}

/// A part of a path as it was before it was made part of a URL.
fn decoded(text: &str) -> Option<String> {
    let url = Url::parse(&format!("form:?x={}", text.replace('+', "%2B"))).ok()?;
    url.query_pairs().next().map(|(_, value)| value.into_owned())
}
