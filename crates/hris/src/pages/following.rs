//! What a page says of its list: how many records there are, and how the next page is asked for.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, LINK};

use super::{Pages, Walked, links};
use crate::definition::{Ends, Paging, Where};
use crate::json::Trailer;
use domain::employee::Failure;

/// How the next page is asked for.
pub(super) enum PageCursor {
    First,
    Number(u64),
    Cursor(String),
    Link(Url),
}

impl Pages {
    /// Whether the next page is only asked for to see that there is none.
    pub(super) fn is_check(&self, walked: &Walked) -> bool {
        let checked = self.step().is_some_and(|step| matches!(step.ends, Ends::CheckedTotal));
        checked && (walked.by_page || walked.total.is_some_and(|total| walked.records > 0 && walked.records >= total))
    }

    /// A page whose status says that it has no content ends numbered pages, and is no answer elsewhere.
    pub(super) fn nothing(&self) -> Result<Trailer, Failure> {
        if self.step().is_some_and(|step| matches!(step.ends, Ends::Empty | Ends::Short | Ends::CheckedTotal)) {
            Ok(Trailer::default())
        } else {
            Err(Failure::Status(204))
        }
    }

    /// What a page says, with what its headers say.
    pub(super) fn with_headers(&self, mut trailer: Trailer, headers: &HeaderMap) -> Result<Trailer, Failure> {
        let header = |at: &Where| match at {
            Where::Header(name) => headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim),
            Where::Path(_) => None,
        };
        let wrong = |at: &Where| match at {
            Where::Header(name) => Failure::WrongFormat(format!("the header {name} is not what was expected")),
            Where::Path(_) => Failure::WrongFormat("the response is not what was expected".to_owned()),
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
    pub(super) fn count(&self, walked: &mut Walked, trailer: &Trailer, page: usize) -> Result<(), Failure> {
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
            (_, None) => Err(Failure::WrongFormat("the response does not say how many records there are".to_owned())),
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
    pub(super) fn next(
        &self,
        start: &Url,
        turn: &PageCursor,
        page: &Trailer,
        walked: Walked,
    ) -> Result<Option<PageCursor>, Failure> {
        let missing = |what: &str| Failure::WrongFormat(format!("the response does not say {what}"));
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
    pub(super) fn mark(&self) -> Option<u64> {
        let mut digest = DefaultHasher::new();
        match self {
            Self::First | Self::Number(_) => return None,
            Self::Cursor(cursor) => cursor.hash(&mut digest),
            Self::Link(url) => url.hash(&mut digest),
        }
        Some(digest.finish())
    }
}
