//! Walks a list page by page to its end, or says why there is none.
//!
//! A list is whole or it is a failure: pages that repeat, never end, lead elsewhere or contradict one another are
//! never half an answer.

mod asking;
mod export;
mod following;
mod links;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use self::asking::Asking;
pub(super) use self::asking::{Own, set};
use self::export::Exported;
pub(super) use self::export::JOB;
use self::following::PageCursor;
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

    /// What is taken from each page.
    pub fn paths(&self) -> &Paths {
        &self.paths
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
                let why = "the first response has an error where its list of records would be";
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

    /// Whether a page is empty, or has the records of one that was read before. It need not have a list, but it says the
    /// same total as the others, or that it has none itself.
    fn was_there(&self, body: &[u8], digests: &BTreeSet<u64>, walked: &Walked) -> Result<bool, Failure> {
        let trailer = json::look_behind(body, &self.paths)?;
        let ends = trailer.records == 0 || digests.contains(&trailer.digest);
        if !ends || walked.by_page || !matches!(self.total, Some(Where::Path(_))) {
            return Ok(ends);
        }
        match (walked.total, trailer.total) {
            (_, None) => Err(Failure::WrongFormat("the response does not say how many records there are".to_owned())),
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
}

#[cfg(test)]
mod tests;
