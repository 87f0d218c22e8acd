//! Walks a list page by page to its end, or says why there is none.
//!
//! A list is whole or it is a failure: pages that repeat, never end, lead elsewhere or contradict one another are
//! never half an answer.

mod asking;
mod export;
mod links;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, LINK};
use serde_json::Value;

use self::asking::Asking;
pub(super) use self::asking::{Own, set};
use self::export::Exported;
pub(super) use self::export::JOB;
use super::definition::{Ends, List, PageCounter, Paging, Request, Where};
use super::http::HttpResponse;
use super::json::{self, Mark, Paths, Trailer};
use super::path::Path;
use super::row::Row;
use super::session::Session;
use domain::employee::Failure;

/// Most pages of one list.
const MAX_PAGES: usize = 10_000;
/// Largest page of a list, or of what is asked about several people.
const LARGEST_PAGE: usize = 64 * 1024 * 1024;
/// Largest page of what is asked about one person, many of which may be under way at once.
const LARGEST_DETAIL: usize = 4 * 1024 * 1024;

/// A list, ready to be walked.
pub(super) struct Pages {
    first: First,
    paging: Option<Paging>,
    total: Option<Where>,
    paths: Arc<Paths>,
    most: usize,
    largest: usize,
}

/// The request for the first page.
enum First {
    /// It is known.
    Known(Box<Asking>),
    /// It is known once the list is made.
    Exported(Box<Exported>),
}

/// What is known of a list when it was walked to its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walked {
    /// How many records it had.
    pub(super) records: usize,
    /// How many it said it has.
    pub(super) total: Option<usize>,
    /// How many of them were left out.
    pub(super) skipped: usize,
    /// What its pages announce is the records of a page.
    by_page: bool,
}

impl Walked {
    /// Refuses a list of which nothing is left: a mark that is read wrongly must not look like a company without people.
    ///
    /// # Errors
    /// `WrongFormat`.
    pub(super) fn leaves_some(&self) -> Result<(), Failure> {
        match self.records {
            records if records > 0 && records == self.skipped => {
                Err(Failure::WrongFormat(format!("all of its {records} records are marked as ones to leave out")))
            }
            _ => Ok(()),
        }
    }

    /// How many records it said it has, without those that were left out.
    pub(super) fn announced(&self) -> Option<usize> {
        self.total.map(|total| total.saturating_sub(self.skipped))
    }
}

/// How the next page is asked for.
enum PageCursor {
    First,
    Number(u64),
    Cursor(String),
    Link(Url),
}

impl Pages {
    /// The pages of what is asked about one person, or about several. `base` is the base URL, `values` are those of the parameters.
    ///
    /// # Errors
    /// In words, when a name has no value or an address is none.
    pub(super) fn about(
        base: &str,
        request: &Request,
        values: &BTreeMap<String, String>,
        own: Own<'_>,
        paging: Option<&Paging>,
        paths: Arc<Paths>,
    ) -> Result<Self, String> {
        let first = First::Known(Box::new(Asking::new(base, request, values, own)?));
        let one = own.is_none_or(|(_, each)| each.len() < 2);
        let largest = if one { LARGEST_DETAIL } else { LARGEST_PAGE };
        Ok(Self { first, paging: paging.cloned(), total: None, paths, most: MAX_PAGES, largest })
    }

    /// The pages of a list.
    ///
    /// # Errors
    /// As [`Pages::about`].
    pub(super) fn of(
        base: &str,
        list: &List,
        values: &BTreeMap<String, String>,
        paths: Arc<Paths>,
    ) -> Result<Self, String> {
        let first = match &list.export {
            None => First::Known(Box::new(Asking::new(base, &list.request, values, None)?)),
            Some(export) => First::Exported(Box::new(Exported::new(export, &list.request, base, values)?)),
        };
        let (paging, total) = (list.paging.clone(), list.total.clone());
        Ok(Self { first, paging, total, paths, most: MAX_PAGES, largest: LARGEST_PAGE })
    }

    /// The paths in the body of a page that say something of the list, for its `Paths`.
    pub(super) fn marks(paging: Option<&Paging>, total: Option<&Where>) -> Vec<(Path, Mark)> {
        let mut marks = vec![(total, Mark::Total)];
        match paging {
            None => {}
            Some(Paging::Cursor { at, more, .. }) => {
                marks.extend([(Some(at), Mark::Next), (more.as_ref(), Mark::More)])
            }
            Some(Paging::NextLink(at) | Paging::NextQuery(at)) => marks.push((Some(at), Mark::Next)),
            Some(Paging::Page(step) | Paging::Offset(step)) => match &step.ends {
                Ends::More(at) => marks.push((Some(at), Mark::More)),
                Ends::Last(at) => marks.push((Some(at), Mark::Last)),
                Ends::Empty | Ends::Short | Ends::Total | Ends::CheckedTotal => {}
            },
        }
        let path = |(at, mark): (Option<&Where>, Mark)| match at {
            Some(Where::Path(path)) => Some((Path::parse(path).ok()?, mark)), // checked with the definition
            _ => None,
        };
        marks.into_iter().filter_map(path).collect()
    }

    /// Reads a page that was fetched already.
    ///
    /// # Errors
    /// See `Failure`.
    pub(super) fn read(
        &self,
        page: &[u8],
        take: &mut dyn FnMut(&mut Row) -> Result<(), Failure>,
    ) -> Result<Trailer, Failure> {
        json::read(page, &self.paths, take)
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
        let first = match &self.first {
            First::Known(asking) => Cow::Borrowed(asking.as_ref()),
            First::Exported(exported) => Cow::Owned(exported.made(session).await?),
        };
        let mut walked = Walked::default();
        let (mut seen, mut digests) = (BTreeSet::new(), BTreeSet::new());
        let mut turn = PageCursor::First;
        for page in 1..=self.most {
            let answer = self.ask(session, &first, &turn).await?;
            let HttpResponse { headers, body, .. } = answer;
            if let Some(body) = &body
                && self.is_check(&walked)
                && self.was_there(body, &digests, &walked)?
            {
                return Ok((state, walked));
            }
            let trailer;
            (state, trailer) = match body {
                None => (state, self.nothing()?),
                Some(body) => {
                    let paths = Arc::clone(&self.paths);
                    super::spawn_blocking(move || {
                        let trailer = json::read(&body, &paths, &mut |row| take(&mut state, row))?;
                        Ok((state, trailer))
                    })
                    .await?
                }
            };
            let trailer = self.with_headers(trailer, &headers)?;
            if trailer.empty && page == 1 {
                let why = "the first answer has an error where its list of records would be";
                return Err(Failure::WrongFormat(why.to_owned()));
            }
            if trailer.records > 0 && self.paging.is_some() && !digests.insert(trailer.digest) {
                return Err(Failure::Truncated(format!("page {page} has the records of a page that was read before")));
            }
            walked.records += trailer.records;
            walked.skipped += trailer.skipped;
            self.count(&mut walked, &trailer, page)?;
            turn = match self.next(&first.url, &turn, &trailer, walked)? {
                None => return Ok((state, walked)),
                Some(next) => next,
            };
            if let Some(mark) = turn.mark()
                && !seen.insert(mark)
            {
                return Err(Failure::Truncated(format!("page {page} leads back to a page that was read before")));
            }
        }
        Err(Failure::Truncated(format!("there is no end after {} pages", self.most)))
    }

    /// Whether the next page is only asked for to see that there is none.
    fn is_check(&self, walked: &Walked) -> bool {
        let checked = self.step().is_some_and(|step| matches!(step.ends, Ends::CheckedTotal));
        checked && (walked.by_page || walked.total.is_some_and(|total| walked.records > 0 && walked.records >= total))
    }

    /// Whether a page is empty, or has the records of one that was read before. It need not have a list, but it says the
    /// same total as the others, or that it has none itself.
    fn was_there(&self, body: &[u8], digests: &BTreeSet<u64>, walked: &Walked) -> Result<bool, Failure> {
        let trailer = json::look_behind(body, &self.paths)?;
        let ends = trailer.records == 0 || digests.contains(&trailer.digest);
        if !ends || walked.by_page || !matches!(self.total, Some(Where::Path(_))) {
            return Ok(ends);
        }
        match (walked.total, trailer.total) {
            (_, None) => Err(Failure::WrongFormat("the answer does not say how many records there are".to_owned())),
            (Some(before), Some(now)) if before != now && now != 0 => {
                Err(Failure::Truncated(format!("the number of records changed from {before} to {now} behind the last")))
            }
            _ => Ok(true),
        }
    }

    async fn ask(&self, session: &Session, first: &Asking, turn: &PageCursor) -> Result<HttpResponse, Failure> {
        let mut asking = first.clone();
        let text = match turn {
            PageCursor::First => self.step().map(|step| step.from.to_string()),
            PageCursor::Number(number) => Some(number.to_string()),
            PageCursor::Cursor(cursor) => Some(cursor.clone()),
            PageCursor::Link(link) => {
                asking.url = link.clone();
                None
            }
        };
        if let Some(text) = text {
            let form = self.step().and_then(|step| step.form.as_ref());
            match self.place() {
                (Some(query), _) => {
                    asking.query(query, &form.map_or_else(|| text.clone(), |form| form.replace("{}", &text)));
                }
                (None, Some(path)) if self.step().is_some() => {
                    asking.set(path, text.parse::<u64>().map_or(Value::Null, Value::from));
                }
                (None, Some(path)) => asking.set(path, text.into()),
                (None, None) => {}
            }
        }
        asking.ask(session, self.largest, false).await
    }

    fn step(&self) -> Option<&PageCounter> {
        match &self.paging {
            Some(Paging::Page(step) | Paging::Offset(step)) => Some(step),
            _ => None,
        }
    }

    /// Where a page's cursor or number goes: a parameter of the query, or a path in the body.
    fn place(&self) -> (Option<&str>, Option<&str>) {
        match &self.paging {
            Some(Paging::Page(PageCounter { query, body, .. }) | Paging::Offset(PageCounter { query, body, .. }))
            | Some(Paging::Cursor { query, body, .. }) => (query.as_deref(), body.as_deref()),
            _ => (None, None),
        }
    }

    /// A page whose status says that it has no content ends numbered pages, and is no answer elsewhere.
    fn nothing(&self) -> Result<Trailer, Failure> {
        if self.step().is_some_and(|step| matches!(step.ends, Ends::Empty | Ends::Short | Ends::CheckedTotal)) {
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
            Some(Paging::NextLink(Where::Header(name)) | Paging::NextQuery(Where::Header(name)))
                if HeaderName::try_from(name).is_ok_and(|name| name == LINK) =>
            {
                trailer.next = links::next(headers);
            }
            Some(Paging::NextLink(at) | Paging::NextQuery(at)) => {
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
                Ends::Empty | Ends::Short | Ends::Total | Ends::CheckedTotal => {}
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
        // Behind the announced end there is another page, and each announces its own records.
        let own = trailer.total == Some(trailer.records) && page > 1;
        if walked.by_page || (own && self.is_check(&Walked { records: walked.records - trailer.records, ..*walked })) {
            (walked.by_page, walked.total) = (true, None);
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
    fn next(
        &self,
        start: &Url,
        turn: &PageCursor,
        page: &Trailer,
        walked: Walked,
    ) -> Result<Option<PageCursor>, Failure> {
        let missing = |what: &str| Failure::WrongFormat(format!("the answer does not say {what}"));
        let (step, offset) = match &self.paging {
            None => return Ok(None),
            Some(Paging::NextLink(_)) => {
                return page.next.as_deref().map(|next| Ok(PageCursor::Link(links::follow(start, next)?))).transpose();
            }
            Some(Paging::NextQuery(_)) => {
                return page
                    .next
                    .as_deref()
                    .map(|next| Ok(PageCursor::Link(links::by_query(start, next)?)))
                    .transpose();
            }
            Some(Paging::Cursor { more, .. }) => {
                return match (more, page.more, &page.next) {
                    (Some(_), None, _) => Err(missing("whether there are more pages")),
                    (Some(_), Some(true), None) => Err(missing("how the next page is asked for")),
                    (Some(_), Some(false), _) => Ok(None),
                    (_, _, next) => Ok(next.clone().map(PageCursor::Cursor)),
                };
            }
            Some(Paging::Page(step)) => (step, false),
            Some(Paging::Offset(step)) => (step, true),
        };
        let size = step.size.map_or(page.records, |size| size as usize);
        let number = if let PageCursor::Number(number) = turn { *number } else { step.from };
        let ended = match &step.ends {
            Ends::Empty => page.records == 0,
            Ends::Short => page.records < size,
            Ends::Total => walked.total.is_none_or(|total| walked.records >= total),
            Ends::CheckedTotal => page.records == 0 && walked.total.is_none_or(|total| walked.records >= total),
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
        Ok(Some(PageCursor::Number(number.saturating_add(by))))
    }
}

impl PageCursor {
    /// A digest of what would come again if pages led in a circle.
    fn mark(&self) -> Option<u64> {
        let mut digest = DefaultHasher::new();
        match self {
            Self::First | Self::Number(_) => return None,
            Self::Cursor(cursor) => cursor.hash(&mut digest),
            Self::Link(url) => url.hash(&mut digest),
        }
        Some(digest.finish())
    }
}

#[cfg(test)]
mod tests;
