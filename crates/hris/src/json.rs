//! Pages of JSON: plain paths, put into one trie, pick their values straight from the bytes. No tree of a page is ever
//! built, so that a page costs what is taken from it and not what is in it. Only where a path has a query is a tree
//! made, of the part that is asked.

mod keys;
mod paths;

use std::fmt;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use foldhash::quality::{FixedState, FoldHasher};
use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use self::keys::{Key, Place, TopKey};
pub use self::paths::{Leaf, Mark, Node, Paths, Skip, Taken, Told};
use super::kind;
use super::path::plain;
use super::row::{Cell, Row, Unfit};
use domain::employee::Failure;

/// Longest value that is taken: four times the longest text that is kept, and in bytes.
const LONGEST_VALUE: usize = 4096;
/// Longest cursor: it goes into the next address.
const LONGEST_CURSOR: usize = LONGEST_VALUE;
/// Beyond it whole numbers are no longer told apart once they are read as floats (2^53).
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// What a page says besides its records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trailer {
    /// What asks for the next page.
    pub next: Option<String>,
    /// How many records there are on all pages.
    pub total: Option<usize>,
    /// Whether there are more pages.
    pub more: Option<bool>,
    /// The number of the last page.
    pub last: Option<usize>,
    /// How many records this page has.
    pub records: usize,
    /// How many of them are left out.
    pub skipped: usize,
    /// It has none, and says so by an error.
    pub empty: bool,
    /// A digest of what its records say; two pages with the same one are the same page.
    pub digest: u64,
}

/// Reads one page and hands over each of its records.
///
/// # Errors
/// `Truncated` where the page ends in the middle, `WrongFormat` where it is not what was described; what `take` says.
pub fn read(
    bytes: &[u8],
    paths: &Paths,
    take: &mut dyn FnMut(&mut Row) -> Result<(), Failure>,
) -> Result<Trailer, Failure> {
    page(bytes, paths, true, take)
}

/// Looks at a page behind the last record, which need not have a list: how many records it has, and which.
///
/// # Errors
/// As [`read`].
pub fn look_behind(bytes: &[u8], paths: &Paths) -> Result<Trailer, Failure> {
    page(bytes, paths, false, &mut |_| Ok(()))
}

fn page(
    bytes: &[u8],
    paths: &Paths,
    needs_list: bool,
    take: &mut dyn FnMut(&mut Row) -> Result<(), Failure>,
) -> Result<Trailer, Failure> {
    let bytes = unmarked(bytes);
    if let Some(seen) = seen(bytes) {
        return Err(Failure::WrongFormat(format!("the answer is {seen}, not JSON")));
    }
    let mut page = Page {
        paths,
        row: Row::with(paths.more_cells),
        parts: std::iter::repeat_with(Cell::default).take(paths.parts).collect(),
        marks: Default::default(),
        tells: std::iter::repeat_with(Cell::default).take(paths.tells.len()).collect(),
        listed: paths.single,
        records: 0,
        skipped: 0,
        digest: FixedState::default().build_hasher(),
        failure: None,
        take,
    };
    // Checked at once where it can be, and not text by text. Where it cannot, only what is taken has to be UTF-8.
    let end = match str::from_utf8(bytes) {
        Ok(text) => page.fill(serde_json::Deserializer::from_str(text)),
        Err(_) => page.fill(serde_json::Deserializer::from_slice(bytes)),
    };
    if let Some(failure) = page.failure {
        return Err(failure);
    }
    end.map_err(|error| match error.classify() {
        Category::Eof => Failure::Truncated(format!("the JSON ends in the middle, on line {}", error.line())),
        _ => Failure::WrongFormat(format!("no JSON at line {} column {}", error.line(), error.column())),
    })?;
    if let Some(told) = paths.tells.iter().zip(&page.tells).find(|(told, cell)| told.fails && told.is_said(cell)) {
        let place = &told.0.place;
        return Err(Failure::WrongFormat(format!("the answer says that it is none, or not all: {place}")));
    }
    let empty =
        !page.listed && paths.tells.iter().zip(&page.tells).any(|(told, cell)| !told.fails && told.is_said(cell));
    if !page.listed && !empty && needs_list {
        return Err(Failure::WrongFormat("the answer has no list of records where one was expected".to_owned()));
    }
    if paths.single {
        page.end()?;
    }
    Ok(Trailer { empty, ..page.trailer()? })
}

/// A body without the byte order mark that some systems put before their JSON (RFC 8259, section 8.1, lets it be ignored).
pub(crate) fn unmarked(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// What a page is that is no JSON, where it begins like something known.
fn seen(bytes: &[u8]) -> Option<&'static str> {
    let start = bytes.trim_ascii_start();
    if !start.starts_with(b"<") {
        return kind::of_bytes(bytes);
    }
    kind::of_text(&String::from_utf8_lossy(start.get(..64).unwrap_or(start)))
}

/// The state of one page.
struct Page<'a> {
    paths: &'a Paths,
    row: Row,
    parts: Vec<Cell>,
    marks: [Cell; 4],
    tells: Vec<Cell>,
    listed: bool,
    records: usize,
    skipped: usize,
    digest: FoldHasher<'static>,
    failure: Option<Failure>,
    take: &'a mut dyn FnMut(&mut Row) -> Result<(), Failure>,
}

impl Page<'_> {
    /// Reads the whole page.
    fn fill<'de, R: serde_json::de::Read<'de>>(
        &mut self,
        mut json: serde_json::Deserializer<R>,
    ) -> Result<(), serde_json::Error> {
        let root = &self.paths.root;
        Fill { node: root, page: self, tree: false }.deserialize(&mut json)?;
        json.end()
    }

    fn begin(&mut self) {
        self.row.clear();
        self.parts.iter_mut().for_each(Cell::clear);
    }

    fn end(&mut self) -> Result<(), Failure> {
        for build in &self.paths.builds {
            self.row.build(build, &self.parts);
        }
        for (cell, text) in &self.paths.constants {
            self.row.put(*cell, Some(text));
        }
        self.records += 1;
        self.row.hash(&mut self.digest);
        if self.paths.skip.as_ref().is_some_and(|skip| skip.is_said_by(&self.row)) {
            self.skipped += 1;
            return Ok(());
        }
        (self.take)(&mut self.row)
    }

    /// Puts a plain value where the leaves say; none marks them unfit, and so does one that is longer than any of use.
    fn put(&mut self, leaves: &[Leaf], value: Option<&str>) {
        let value = value.filter(|text| text.len() <= LONGEST_VALUE);
        for leaf in leaves {
            let cell = match leaf {
                Leaf::Cell(cell) => {
                    self.row.put(*cell, value);
                    continue;
                }
                Leaf::Part(part) => self.parts.get_mut(*part),
                Leaf::Mark(mark) => self.marks.get_mut(*mark as usize),
                Leaf::Told(told) => self.tells.get_mut(*told),
            };
            match (cell, value) {
                (Some(cell), Some(text)) => cell.set(text),
                (Some(cell), None) => cell.unfit(),
                (None, _) => {}
            }
        }
    }

    /// Marks everything at and below a place unfit: the answer has another shape there.
    fn spoil(&mut self, node: &Node) {
        self.put(&node.leaves, None);
        node.queries.iter().for_each(|(_, leaf)| self.put(&[*leaf], None));
        node.branches.iter().for_each(|(_, branch)| self.spoil(branch));
    }

    /// Asks the queries of a place, and takes for each the first value that is not null.
    fn ask(&mut self, node: &Node, value: &Value) {
        for (query, leaf) in &node.queries {
            match value {
                Value::Array(_) | Value::Object(_) => {
                    let found = query.query(value).all().into_iter().find(|value| !value.is_null());
                    found.into_iter().for_each(|found| self.put(&[*leaf], plain(found).as_deref()));
                }
                Value::Null => {}
                _ => self.put(&[*leaf], None),
            }
        }
    }

    fn mark(&self, mark: Mark) -> Result<Option<&str>, Failure> {
        let what = match mark {
            Mark::Next => "the cursor",
            Mark::Total => "the total",
            Mark::More => "the flag for more pages",
            Mark::Last => "the number of the last page",
        };
        let wrong = || Failure::WrongFormat(format!("{what} of the answer is not what was expected"));
        let text = self.marks.get(mark as usize).map_or(Ok(None), Cell::get).map_err(|Unfit| wrong())?;
        let fits = |text: &&str| match mark {
            Mark::Next => text.len() <= LONGEST_CURSOR,
            Mark::Total | Mark::Last => text.parse::<usize>().is_ok(),
            Mark::More => text.parse::<bool>().is_ok(),
        };
        match text {
            Some(text) if !fits(&text) => Err(wrong()),
            text => Ok(text),
        }
    }

    fn trailer(&self) -> Result<Trailer, Failure> {
        Ok(Trailer {
            next: self.mark(Mark::Next)?.map(str::to_owned),
            total: self.mark(Mark::Total)?.and_then(|text| text.parse().ok()),
            more: self.mark(Mark::More)?.and_then(|text| text.parse().ok()),
            last: self.mark(Mark::Last)?.and_then(|text| text.parse().ok()),
            records: self.records,
            skipped: self.skipped,
            empty: false,
            digest: self.digest.finish(),
        })
    }

    /// One record of a list.
    fn record(&mut self, node: &Node, value: &Value) -> Result<(), Failure> {
        self.begin();
        Fill { node, page: &mut *self, tree: false }
            .deserialize(value)
            .map_err(|_| Failure::WrongFormat("a record cannot be read".to_owned()))?;
        self.end()
    }
}

/// Fills what is wanted at and below a place from the value that stands there.
struct Fill<'p, 'a, 'b> {
    node: &'p Node,
    page: &'b mut Page<'a>,
    /// The value was made a tree, and the queries of this very place are answered.
    tree: bool,
}

impl Fill<'_, '_, '_> {
    fn plain(self, text: &str) {
        self.page.put(&self.node.leaves, Some(text));
        self.node.branches.iter().for_each(|(_, branch)| self.page.spoil(branch));
    }

    /// Answers what is asked of a value as a whole.
    fn asked(&mut self, value: &Value) -> Result<(), Failure> {
        self.page.ask(self.node, value);
        let (Some(record), Some(query)) = (&self.node.record, &self.node.found_by) else { return Ok(()) };
        if matches!(value, Value::Array(_) | Value::Object(_)) {
            self.page.listed = true;
            for found in query.query(value).all() {
                self.page.record(record, found)?;
            }
        }
        Ok(())
    }
}

impl Fill<'_, '_, '_> {
    /// Reads the object that the whole page is.
    fn top<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(place) = map.next_key_seed(TopKey { node: self.node, single: self.page.paths.single })? {
            match place {
                Place::Wanted(node) => map.next_value_seed(Fill { node, page: &mut *self.page, tree: false })?,
                Place::Verdict(verdict) => {
                    if verdict.fails(&map.next_value()?) {
                        let words = "the answer says that it failed, with status 200";
                        self.page.failure = Some(Failure::WrongFormat(words.to_owned()));
                        return Err(A::Error::custom("not taken"));
                    }
                }
                Place::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Fill<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        if self.tree || (self.node.queries.is_empty() && self.node.found_by.is_none()) {
            return deserializer.deserialize_any(self);
        }
        let value = Value::deserialize(deserializer)?;
        if let Err(failure) = self.asked(&value) {
            self.page.failure = Some(failure);
            return Err(D::Error::custom("not taken"));
        }
        if self.node.leaves.is_empty() && self.node.branches.is_empty() {
            return Ok(());
        }
        Fill { tree: true, ..self }.deserialize(&value).map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for Fill<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        if self.node.record.is_some() && self.page.paths.null_is_empty {
            self.page.listed = true;
        }
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.plain(text);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.plain(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.plain(&number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.plain(&number.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        if number.abs() < LARGEST_EXACT {
            self.plain(&number.to_string());
        } else {
            self.page.spoil(self.node); // two ids that differ in their last digit would be one
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.page.put(&self.node.leaves, None);
        if std::ptr::eq(self.node, &raw const self.page.paths.root) {
            return self.top(map);
        }
        while let Some(node) = map.next_key_seed(Key(self.node))? {
            match node {
                Some(node) => map.next_value_seed(Fill { node, page: &mut *self.page, tree: false })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let record = self.node.record.as_ref().filter(|_| self.node.found_by.is_none());
        let Some(record) = record else {
            self.page.spoil(self.node);
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        if std::mem::replace(&mut self.page.listed, true) {
            return Err(A::Error::custom("the list of records stands there twice"));
        }
        loop {
            self.page.begin();
            if seq.next_element_seed(Fill { node: record, page: &mut *self.page, tree: false })?.is_none() {
                return Ok(());
            }
            if let Err(failure) = self.page.end() {
                self.page.failure = Some(failure);
                return Err(A::Error::custom("not taken"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
