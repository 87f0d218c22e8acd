//! The pages of a list: records, wrapped as a definition expects them, with the cursor or link to the next page.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::json_writer::Path;
use super::serve::FakeRequest;
use hris::definition::{Ends, List, PageCounter, Paging, Where};

/// How a list is divided into pages.
pub(crate) struct Pagination {
    records: Path,
    total: Option<PageValue>,
    paging: Option<Paged>,
    /// How many records a page has.
    size: usize,
}

enum Paged {
    Cursor { at: PageValue, taken: Taken, more: Option<PageValue> },
    Link(PageValue),
    Number { step: PageCounter, taken: Taken, offset: bool, ends: Option<PageValue>, last: bool },
}

/// Where a value of a page goes.
enum PageValue {
    Path(Path),
    Header(String),
}

/// Where a request says which page it wants.
struct Taken {
    query: Option<String>,
    body: Option<String>,
}

/// Parameter of a next link.
const FROM: &str = "fakeFrom";
/// Pages have so many records, where the definition does not say how many.
const USUAL: usize = 100;

/// What stands in the place of the records until a page is put together.
const MARKS: [&str; 2] = ["\u{e000}a\u{e001}", "\u{e000}b\u{e001}"];

/// A part of an answer: the records of one list.
pub(crate) struct Leaf<'b> {
    /// How it is given.
    pub(crate) pagination: &'b Pagination,
    /// The records of the page, written.
    pub(crate) records: Vec<String>,
    /// The number of the first of them, from 0.
    pub(crate) from: usize,
    /// How many the list has.
    pub(crate) all: usize,
    /// How many it says it has.
    pub(crate) said: usize,
}

/// A whole answer.
pub(crate) struct Page {
    /// Headers.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: String,
}

impl Pagination {
    /// `size` is how many records a page shall have, where nothing else decides that.
    ///
    /// # Errors
    /// The path that cannot be followed backwards.
    pub(crate) fn new(list: &List, size: Option<usize>) -> Result<Self, String> {
        let place = |at: &Where| match at {
            Where::Path(path) => Path::parse(path).map(PageValue::Path),
            Where::Header(name) => Ok(PageValue::Header(name.clone())),
        };
        let taken = |query: &Option<String>, body: &Option<String>| Taken { query: query.clone(), body: body.clone() };
        let mut fixed = None;
        let paging = match &list.paging {
            None => None,
            Some(Paging::Cursor { at, query, body, more }) => {
                let more = more.as_ref().map(place).transpose()?;
                Some(Paged::Cursor { at: place(at)?, taken: taken(query, body), more })
            }
            Some(Paging::NextLink(at) | Paging::NextQuery(at)) => Some(Paged::Link(place(at)?)),
            Some(paging @ (Paging::Page(step) | Paging::Offset(step))) => {
                fixed = step.size.map(|size| size as usize);
                let (ends, last) = match &step.ends {
                    Ends::More(at) => (Some(place(at)?), false),
                    Ends::Last(at) => (Some(place(at)?), true),
                    Ends::Empty | Ends::Short | Ends::Total | Ends::CheckedTotal => (None, false),
                };
                let (taken, offset) = (taken(&step.query, &step.body), matches!(paging, Paging::Offset(_)));
                Some(Paged::Number { step: step.clone(), taken, offset, ends, last })
            }
        };
        let size = match paging {
            None => usize::MAX,
            Some(_) => fixed.or(size).or_else(|| asked_for(list)).unwrap_or(USUAL).max(1),
        };
        let total = list.total.as_ref().map(place).transpose()?;
        Ok(Self { records: Path::parse(&list.records)?, total, paging, size })
    }

    /// How many records a page has.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// How many pages so many records make.
    pub(crate) fn pages(&self, records: usize) -> usize {
        records.div_ceil(self.size).max(1)
    }

    /// The number of the first record of the page that is asked for; none, where it asks for no page there is.
    pub(crate) fn from(&self, asked: &FakeRequest) -> Option<usize> {
        match &self.paging {
            None => Some(0),
            Some(Paged::Link(_)) => asked.parameter(FROM).map_or(Some(0), |from| from.parse().ok()),
            Some(Paged::Cursor { taken, .. }) => match taken.of(asked) {
                None => Some(0),
                Some(cursor) => cursor.strip_prefix('c')?.parse().ok(),
            },
            Some(Paged::Number { step, taken, offset, .. }) => {
                let text = taken.of(asked)?;
                let number = match &step.form {
                    None => text.as_str(),
                    Some(form) => {
                        let (before, after) = form.split_once("{}")?;
                        text.strip_prefix(before)?.strip_suffix(after)?
                    }
                };
                let number = usize::try_from(number.parse::<u64>().ok()?.checked_sub(step.from)?).ok()?;
                Some(if *offset { number } else { number.saturating_mul(self.size) })
            }
        }
    }

    /// Puts total, cursor and link into a page.
    fn mark(&self, leaf: &Leaf<'_>, link: &dyn Fn(&str, usize) -> String, page: &mut Sheet) -> Result<(), String> {
        let next = leaf.from.saturating_add(self.size);
        let further = next < leaf.all;
        if let Some(total) = &self.total {
            page.put(total, leaf.said.into())?;
        }
        match &self.paging {
            None => {}
            Some(Paged::Cursor { at, more, .. }) => {
                if further {
                    page.put(at, format!("c{next}").into())?;
                }
                more.iter().try_for_each(|more| page.put(more, further.into()))?;
            }
            Some(Paged::Link(at)) if further => match at {
                PageValue::Header(name) if name.eq_ignore_ascii_case("link") => {
                    page.put(at, format!("<{}>; rel=\"next\"", link(FROM, next)).into())?;
                }
                _ => page.put(at, link(FROM, next).into())?,
            },
            Some(Paged::Link(_)) => {}
            Some(Paged::Number { ends, last, .. }) => {
                let says: Json = if *last { self.pages(leaf.all).into() } else { further.into() };
                ends.iter().try_for_each(|at| page.put(at, says.clone()))?;
            }
        }
        Ok(())
    }
}

impl Taken {
    fn of(&self, asked: &FakeRequest) -> Option<String> {
        match (&self.query, &self.body) {
            (Some(query), _) => asked.parameter(query),
            (None, Some(body)) => {
                let sent: Json = serde_json::from_slice(&asked.body).ok()?;
                let place = body.split('.').try_fold(&sent, |place, key| place.get(key))?;
                hris::path::plain(place)
            }
            (None, None) => None,
        }
    }
}

/// An answer that is being written.
struct Sheet {
    headers: BTreeMap<String, String>,
    body: Json,
}

impl Sheet {
    fn put(&mut self, place: &PageValue, value: Json) -> Result<(), String> {
        match place {
            PageValue::Path(way) => {
                way.put(&mut self.body, &value, 0).map_err(|_| "a page cannot say what it must".to_owned())
            }
            PageValue::Header(name) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.headers.insert(name.to_ascii_lowercase(), text);
                Ok(())
            }
        }
    }
}

/// Puts an answer together from the records of the lists that lie in it. `link` makes the address of another page.
///
/// # Errors
/// In words, what cannot be written.
pub(crate) fn page(leaves: &[Leaf<'_>], link: &dyn Fn(&str, usize) -> String) -> Result<Page, String> {
    let mut sheet = Sheet { headers: BTreeMap::new(), body: Json::Null };
    for (number, leaf) in leaves.iter().enumerate() {
        let marks: Vec<Json> =
            MARKS.iter().take(leaf.records.len()).map(|mark| format!("{mark}{number}").into()).collect();
        leaf.pagination.records.list(&mut sheet.body, &marks).map_err(|_| "two lists stand in one place".to_owned())?;
        leaf.pagination.mark(leaf, link, &mut sheet)?;
    }
    let mut body = sheet.body.to_string();
    for (number, leaf) in leaves.iter().enumerate() {
        let [first, second] = MARKS.map(|mark| format!("\"{mark}{number}\""));
        let Some((before, rest)) = body.split_once(&first).map(|(before, rest)| (before.to_owned(), rest.to_owned()))
        else {
            continue;
        };
        let (between, after) = match rest.split_once(&second) {
            Some((between, after)) => (between, after),
            None => ("", rest.as_str()),
        };
        body = before + &leaf.records.join(between) + after;
    }
    Ok(Page { headers: sheet.headers.into_iter().collect(), body })
}

/// How many records the request itself asks for.
fn asked_for(list: &List) -> Option<usize> {
    list.request.query.values().filter_map(|value| value.parse().ok()).find(|number| (10..=1000).contains(number))
}
