//! Walks a list page by page to its end, or says why there is none.
//!
//! A list is whole or it is a failure: pages that repeat, never end, lead elsewhere or contradict one another are
//! never half an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use serde_json::Value;

use super::definition::{Ends, Paging, Request, Step, Where};
use super::http::{Answer, Sent};
use super::json::{self, Mark, Paths, Trailer};
use super::path::Path;
use super::row::Row;
use super::session::Session;
use super::template;
use crate::domain::employee::Failure;

/// Most pages of one list.
const MOST_PAGES: usize = 10_000;
/// Largest page.
const LARGEST_PAGE: usize = 64 * 1024 * 1024;

/// A list, ready to be walked.
pub(super) struct Pages {
    /// The first page's address.
    start: Url,
    headers: HeaderMap,
    body: Option<Value>,
    paging: Option<Paging>,
    total: Option<Where>,
    paths: Arc<Paths>,
}

/// What is known of a list when it was walked to its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    /// How many records it had.
    pub(super) records: usize,
    /// How many it said it has.
    pub(super) total: Option<usize>,
}

/// How the next page is asked for.
enum Turn {
    First,
    Number(u64),
    Cursor(String),
    Link(Url),
}

impl Pages {
    /// `base` is the base URL; `values` are those of the parameters, and `of` what a detail is asked about.
    ///
    /// # Errors
    /// In words, when a name has no value or the address is none.
    pub(super) fn new(
        base: &str,
        request: &Request,
        values: &BTreeMap<String, String>,
        of: Option<&str>,
        paging: (Option<&Paging>, Option<&Where>),
        paths: Arc<Paths>,
    ) -> Result<Self, String> {
        let fill = |text: &str| template::fill(text, |name| values.get(name).cloned());
        let mut start = Url::parse(base).map_err(|_| "the parameters make no URL".to_owned())?;
        start.path_segments_mut().map_err(|()| "the base URL has no path".to_owned())?.pop_if_empty();
        for segment in request.path.split('/').skip(1) {
            let text = match of {
                Some(of) if segment.contains("{of}") => fill(&segment.replace("{of}", ""))? + of,
                _ => fill(segment)?,
            };
            // A dot or two would lead to another place than the definition names.
            if matches!(text.as_str(), "." | "..") {
                return Err("a part of the path is no name".to_owned());
            }
            start.path_segments_mut().map_err(|()| "the base URL has no path".to_owned())?.push(&text);
        }
        for (name, text) in &request.query {
            start.query_pairs_mut().append_pair(name, &fill(text)?);
        }
        let pair = |(name, text): (&String, &String)| {
            let value = HeaderValue::try_from(fill(text)?).map_err(|_| format!("{name} is no header"))?;
            Ok((HeaderName::try_from(name).map_err(|_| format!("{name} is no header"))?, value))
        };
        let headers = request.headers.iter().map(pair).collect::<Result<_, String>>()?;
        let mut body = request.search.as_ref().map(|search| search.body.0.clone());
        let about = |text: &str| {
            template::fill(text, |name| match of {
                Some(of) if name == "of" => Some(of.to_owned()),
                _ => values.get(name).cloned(),
            })
        };
        body.iter_mut().try_for_each(|body| fill_in(body, &about))?;
        let (paging, total) = (paging.0.cloned(), paging.1.cloned());
        Ok(Self { start, headers, body, paging, total, paths })
    }

    /// The paths in the body of a page that say something of the list, for its `Paths`.
    pub(super) fn marks(paging: Option<&Paging>, total: Option<&Where>) -> Vec<(Path, Mark)> {
        let mut marks = vec![(total, Mark::Total)];
        match paging {
            None => {}
            Some(Paging::Cursor { at, more, .. }) => {
                marks.extend([(Some(at), Mark::Next), (more.as_ref(), Mark::More)])
            }
            Some(Paging::NextLink(at)) => marks.push((Some(at), Mark::Next)),
            Some(Paging::Page(step) | Paging::Offset(step)) => match &step.ends {
                Ends::More(at) => marks.push((Some(at), Mark::More)),
                Ends::Last(at) => marks.push((Some(at), Mark::Last)),
                Ends::Empty | Ends::Short | Ends::Total => {}
            },
        }
        let path = |(at, mark): (Option<&Where>, Mark)| match at {
            Some(Where::Path(path)) => Some((Path::parse(path).ok()?, mark)), // checked with the definition
            _ => None,
        };
        marks.into_iter().filter_map(path).collect()
    }

    /// Asks for page after page, and hands every record to `take`.
    ///
    /// # Errors
    /// See `Failure`.
    pub(super) async fn walk<S, T>(&self, session: &Session, mut state: S, take: T) -> Result<(S, Walked), Failure>
    where
        S: Send + 'static,
        T: Fn(&mut S, &mut Row) -> Result<(), Failure> + Copy + Send + 'static,
    {
        let mut walked = Walked::default();
        let (mut seen, mut digests) = (BTreeSet::new(), BTreeSet::new());
        let mut turn = Turn::First;
        for page in 1..=MOST_PAGES {
            let answer = self.ask(session, &turn).await?;
            let Answer { headers, body } = answer;
            let trailer;
            (state, trailer) = match body {
                None => (state, self.nothing()?),
                Some(body) => {
                    let paths = Arc::clone(&self.paths);
                    super::aside(move || {
                        let trailer = json::read(&body, &paths, &mut |row| take(&mut state, row))?;
                        Ok((state, trailer))
                    })
                    .await?
                }
            };
            let trailer = self.with_headers(trailer, &headers)?;
            if trailer.records > 0 && self.paging.is_some() && !digests.insert(trailer.digest) {
                return Err(Failure::Truncated(format!("page {page} has the records of a page that was read before")));
            }
            walked.records += trailer.records;
            self.count(&mut walked, &trailer, page)?;
            turn = match self.next(&turn, &trailer, walked)? {
                None => return Ok((state, walked)),
                Some(next) => next,
            };
            if let Some(mark) = turn.mark()
                && !seen.insert(mark)
            {
                return Err(Failure::Truncated(format!("page {page} leads back to a page that was read before")));
            }
        }
        Err(Failure::Truncated(format!("there is no end after {MOST_PAGES} pages")))
    }

    async fn ask(&self, session: &Session, turn: &Turn) -> Result<Answer, Failure> {
        let (mut url, mut body) = (self.start.clone(), self.body.clone());
        let text = match turn {
            Turn::First => self.step().map(|step| step.from.to_string()),
            Turn::Number(number) => Some(number.to_string()),
            Turn::Cursor(cursor) => Some(cursor.clone()),
            Turn::Link(link) => {
                url = link.clone();
                None
            }
        };
        if let Some(text) = text {
            let number = self.step().is_some();
            let form = self.step().and_then(|step| step.form.as_ref());
            let written = form.map_or_else(|| text.clone(), |form| form.replace("{}", &text));
            match (self.place(), &mut body) {
                ((Some(query), _), _) => {
                    url.query_pairs_mut().append_pair(query, &written);
                }
                ((None, Some(path)), Some(body)) => {
                    let value = if number { text.parse::<u64>().map_or(Value::Null, Value::from) } else { text.into() };
                    set(body, path, value);
                }
                _ => {}
            }
        }
        let text = body.map(|body| body.to_string());
        let send = text.as_deref().map(|body| Sent { kind: "application/json", body });
        session.ask(url, &self.headers, send, LARGEST_PAGE, false).await
    }

    fn step(&self) -> Option<&Step> {
        match &self.paging {
            Some(Paging::Page(step) | Paging::Offset(step)) => Some(step),
            _ => None,
        }
    }

    /// Where a page's cursor or number goes: a parameter of the query, or a path in the body.
    fn place(&self) -> (Option<&str>, Option<&str>) {
        match &self.paging {
            Some(Paging::Page(Step { query, body, .. }) | Paging::Offset(Step { query, body, .. }))
            | Some(Paging::Cursor { query, body, .. }) => (query.as_deref(), body.as_deref()),
            _ => (None, None),
        }
    }

    /// A page whose status says that it has no content ends numbered pages, and is no answer elsewhere.
    fn nothing(&self) -> Result<Trailer, Failure> {
        if self.step().is_some_and(|step| matches!(step.ends, Ends::Empty | Ends::Short)) {
            Ok(Trailer::default())
        } else {
            Err(Failure::Status(204))
        }
    }

    /// What a page says, with what its headers say.
    fn with_headers(&self, mut trailer: Trailer, headers: &HeaderMap) -> Result<Trailer, Failure> {
        let header = |at: &Where| match at {
            Where::Header(name) => headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim),
            Where::Path(_) => None,
        };
        let wrong = |at: &Where| match at {
            Where::Header(name) => Failure::WrongFormat(format!("the header {name} is not what was expected")),
            Where::Path(_) => Failure::WrongFormat("the answer is not what was expected".to_owned()),
        };
        let number = |at: &Where| header(at).map(|text| text.parse::<usize>().map_err(|_| wrong(at))).transpose();
        let flag = |at: &Where| header(at).map(|text| text.parse::<bool>().map_err(|_| wrong(at))).transpose();
        if let Some(at) = &self.total {
            trailer.total = trailer.total.or(number(at)?);
        }
        match &self.paging {
            Some(Paging::NextLink(Where::Header(name)))
                if HeaderName::try_from(name).is_ok_and(|name| name == LINK) =>
            {
                trailer.next = next_link(headers);
            }
            Some(Paging::NextLink(at)) => {
                trailer.next = trailer.next.or_else(|| header(at).map(str::to_owned));
            }
            Some(Paging::Cursor { at, more, .. }) => {
                trailer.next = trailer.next.or_else(|| header(at).map(str::to_owned));
                if let Some(at) = more {
                    trailer.more = trailer.more.or(flag(at)?);
                }
            }
            Some(Paging::Page(step) | Paging::Offset(step)) => match &step.ends {
                Ends::More(at) => trailer.more = trailer.more.or(flag(at)?),
                Ends::Last(at) => trailer.last = trailer.last.or(number(at)?),
                Ends::Empty | Ends::Short | Ends::Total => {}
            },
            None => {}
        }
        trailer.next = trailer.next.filter(|next| !next.is_empty());
        Ok(trailer)
    }

    /// A list has one total, from its first page to its last.
    fn count(&self, walked: &mut Walked, trailer: &Trailer, page: usize) -> Result<(), Failure> {
        if self.total.is_none() || (page > 1 && trailer.records == 0 && trailer.total.is_none()) {
            return Ok(());
        }
        match (walked.total, trailer.total) {
            // A page that lost its end would look like the last.
            (_, None) => Err(Failure::WrongFormat("the answer does not say how many records there are".to_owned())),
            (Some(before), Some(now)) if before != now => {
                Err(Failure::Truncated(format!("the number of records changed from {before} to {now} on page {page}")))
            }
            (_, total) => {
                walked.total = total;
                Ok(())
            }
        }
    }

    /// The page after this one; none after the last.
    fn next(&self, turn: &Turn, page: &Trailer, walked: Walked) -> Result<Option<Turn>, Failure> {
        let missing = |what: &str| Failure::WrongFormat(format!("the answer does not say {what}"));
        let (step, offset) = match &self.paging {
            None => return Ok(None),
            Some(Paging::NextLink(_)) => return page.next.as_deref().map(|next| self.link(next)).transpose(),
            Some(Paging::Cursor { more, .. }) => {
                return match (more, page.more, &page.next) {
                    (Some(_), None, _) => Err(missing("whether there are more pages")),
                    (Some(_), Some(true), None) => Err(missing("how the next page is asked for")),
                    (Some(_), Some(false), _) => Ok(None),
                    (_, _, next) => Ok(next.clone().map(Turn::Cursor)),
                };
            }
            Some(Paging::Page(step)) => (step, false),
            Some(Paging::Offset(step)) => (step, true),
        };
        let size = step.size.map_or(page.records, |size| size as usize);
        let number = if let Turn::Number(number) = turn { *number } else { step.from };
        let ended = match &step.ends {
            Ends::Empty => page.records == 0,
            Ends::Short => page.records < size,
            Ends::Total => walked.total.is_none_or(|total| walked.records >= total),
            Ends::More(_) => !page.more.ok_or_else(|| missing("whether there are more pages"))?,
            Ends::Last(_) => {
                let last = page.last.ok_or_else(|| missing("which page is the last"))?;
                (number + 1).saturating_sub(step.from) >= last as u64
            }
        };
        if ended {
            return Ok(None);
        }
        if page.records == 0 {
            return Err(Failure::Truncated("a page in the middle has no records".to_owned()));
        }
        let by = if offset { size as u64 } else { 1 };
        Ok(Some(Turn::Number(number.saturating_add(by))))
    }

    /// A next link, which may not lead to another host than the list's own.
    fn link(&self, next: &str) -> Result<Turn, Failure> {
        let refused = |to: &str| Failure::AddressRefused(format!("the next link leads to {to}, another host"));
        let url = self.start.join(next).map_err(|_| Failure::WrongFormat("the next link is no URL".to_owned()))?;
        let place =
            |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
        if place(&url) != place(&self.start) || !url.username().is_empty() || url.password().is_some() {
            return Err(refused(url.host_str().unwrap_or("nowhere")));
        }
        Ok(Turn::Link(url))
    }
}

impl Turn {
    /// What would come again if pages led in a circle.
    fn mark(&self) -> Option<String> {
        match self {
            Self::First | Self::Number(_) => None,
            Self::Cursor(cursor) => Some(cursor.clone()),
            Self::Link(url) => Some(url.to_string()),
        }
    }
}

/// The target of the link `rel="next"` (RFC 8288); there may be several headers, and several links in each.
fn next_link(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split('<').skip(1)).find_map(|link| {
        let (target, rest) = link.split_once('>')?;
        let next = rest.split([';', ',']).filter_map(|part| part.trim().split_once('=')).any(|(name, value)| {
            name.trim().eq_ignore_ascii_case("rel")
                && value.trim().trim_matches('"').split(' ').any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        next.then(|| target.trim().to_owned())
    })
}

/// Fills the names in every text of a body.
fn fill_in(value: &mut Value, fill: &impl Fn(&str) -> Result<String, String>) -> Result<(), String> {
    match value {
        Value::String(text) => *text = fill(text)?,
        Value::Array(list) => list.iter_mut().try_for_each(|value| fill_in(value, fill))?,
        Value::Object(object) => object.values_mut().try_for_each(|value| fill_in(value, fill))?,
        _ => {}
    }
    Ok(())
}

/// Puts a value at a dotted path of a body.
fn set(body: &mut Value, path: &str, value: Value) {
    let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = body;
    for key in parents.split('.').filter(|key| !key.is_empty()) {
        let Value::Object(object) = place else { return };
        place = object.entry(key).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    if let Value::Object(object) = place {
        object.insert(last.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::definition::{Body, Search};
    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        for (values, next) in [
            (&[r#"<https://a.example.com/x?after=1>; rel="next""#][..], Some("https://a.example.com/x?after=1")),
            (&[r#"<https://a/s>; rel="self", <https://a/n>; rel="next""#], Some("https://a/n")),
            (&[r#"<https://a/s>; rel="self""#, "<https://a/n>;rel=next"], Some("https://a/n")),
            (&[r#"<https://a/n?x=1,2;3>; title="a"; rel="prev next""#], Some("https://a/n?x=1,2;3")),
            (&[r#"<https://a/s>; rel="self""#], None),
            (&["nonsense"], None),
            (&[], None),
        ] {
            let headers = values.iter().map(|value| (LINK, value.parse().unwrap()));
            let headers = headers.fold(HeaderMap::new(), |mut all, (name, value): (_, HeaderValue)| {
                all.append(name, value);
                all
            });
            assert_eq!(next_link(&headers).as_deref(), next, "{values:?}");
        }
    }

    #[test]
    fn a_value_is_put_into_a_body_where_its_path_leads() {
        let mut body = serde_json::json!({"paging": {"size": 5}});
        set(&mut body, "paging.page", 2.into());
        set(&mut body, "search.after", "x".into());
        set(&mut body, "cursor", "y".into());
        assert_eq!(
            body,
            serde_json::json!({"paging": {"size": 5, "page": 2}, "search": {"after": "x"}, "cursor": "y"})
        );
    }

    #[test]
    fn what_a_detail_is_asked_about_may_stand_in_the_body_of_a_search() {
        let body = Body(serde_json::json!({"requests": [{"id": "{of}"}], "limit": 5}));
        let search = Some(Search { page: String::new(), body });
        let request =
            Request { path: "/employment/search".into(), query: BTreeMap::new(), headers: BTreeMap::new(), search };
        let (values, paths) = (BTreeMap::new(), Arc::new(Paths::default()));
        let pages = Pages::new("https://hr.example.com", &request, &values, Some("a/{b}"), (None, None), paths);
        assert_eq!(pages.unwrap().body, Some(serde_json::json!({"requests": [{"id": "a/{b}"}], "limit": 5})));
    }

    #[test]
    fn what_a_detail_is_asked_about_is_one_part_of_the_path_whatever_it_says() {
        let request = Request {
            path: "/v2/persons/{of}/jobs".to_owned(),
            query: BTreeMap::new(),
            headers: BTreeMap::new(),
            search: None,
        };
        for (of, path) in [
            ("7", Ok("/v2/persons/7/jobs")),
            ("a/b?c#d", Ok("/v2/persons/a%2Fb%3Fc%23d/jobs")),
            ("..", Err("a part of the path is no name")),
            (".", Err("a part of the path is no name")),
        ] {
            let values = BTreeMap::new();
            let paths = Arc::new(Paths::default());
            let pages = Pages::new("https://hr.example.com/", &request, &values, Some(of), (None, None), paths);
            assert_eq!(pages.as_ref().map(|pages| pages.start.path()).map_err(String::as_str), path, "{of}");
        }
    }
}
