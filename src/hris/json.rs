//! Pages of JSON: plain paths, put into one trie, pick their values straight from the bytes. No tree of a page is ever
//! built, so that a page costs what is taken from it and not what is in it.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::mapping::Mapper;
use super::row::{Cell, Row, Slot, Unfit};
use crate::domain::employee::Failure;

/// Longest cursor: it goes into the next address.
const LONGEST_CURSOR: usize = 4096;
/// Beyond it whole numbers are no longer told apart once they are read as floats (2^53).
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Where a value goes.
#[derive(Clone, Copy, Debug)]
enum Leaf {
    Slot(Slot),
    Part(usize),
    Cursor,
    Total,
}

/// A place in a page: what is taken there, and what lies below it.
#[derive(Debug, Default)]
struct Node {
    leaves: Vec<Leaf>,
    branches: BTreeMap<String, Node>,
    /// Only on the list of records: what is taken from each of them.
    record: Option<Box<Node>>,
}

impl Node {
    /// The place at the end of a dotted path; an empty path is this place.
    fn at(&mut self, path: &str) -> &mut Self {
        let keys = path.split('.').filter(|key| !key.is_empty());
        keys.fold(self, |node, key| node.branches.entry(key.to_owned()).or_default())
    }
}

/// What is taken from every page of one source.
#[derive(Debug, Default)]
pub(super) struct Paths {
    root: Node,
    joins: Vec<(Slot, Range<usize>)>,
    parts: usize,
    total: bool,
}

impl Paths {
    /// `records` leads to the list of records, and `slots` from a record to its values: more than one path are parts
    /// of one text. `cursor` leads to what asks for the next page, `total` to the number of records of all pages: a
    /// page without it is refused, since one that lost its end would look like the last.
    pub(super) fn new<'a>(
        records: &str,
        slots: impl IntoIterator<Item = (Slot, &'a [String])>,
        cursor: Option<&str>,
        total: Option<&str>,
    ) -> Self {
        let mut paths = Self { total: total.is_some(), ..Self::default() };
        let mut record = Node::default();
        for (slot, values) in slots {
            if let [value] = values {
                record.at(value).leaves.push(Leaf::Slot(slot));
                continue;
            }
            let first = paths.parts;
            for value in values {
                record.at(value).leaves.push(Leaf::Part(paths.parts));
                paths.parts += 1;
            }
            paths.joins.push((slot, first..paths.parts));
        }
        paths.root.at(records).record = Some(Box::new(record));
        for (path, leaf) in [(cursor, Leaf::Cursor), (total, Leaf::Total)] {
            if let Some(path) = path {
                paths.root.at(path).leaves.push(leaf);
            }
        }
        paths
    }
}

/// What a page says beside its records.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    /// What asks for the next page; none on the last one.
    pub(super) cursor: Option<String>,
    /// How many records there are on all pages, where it is said.
    pub(super) total: Option<usize>,
}

/// Reads one page and hands each of its records to the mapper.
///
/// # Errors
/// `Truncated` where the page ends in the middle, `WrongFormat` where it is not what was described, `TooLarge`.
pub(super) fn read(bytes: &[u8], paths: &Paths, mapper: &mut Mapper) -> Result<Trailer, Failure> {
    if bytes.trim_ascii_start().starts_with(b"<") {
        return Err(Failure::WrongFormat("the answer is a web page or other markup, not JSON".to_owned()));
    }
    let mut page = Page {
        joins: &paths.joins,
        row: Row::default(),
        parts: std::iter::repeat_with(Cell::default).take(paths.parts).collect(),
        cursor: Cell::default(),
        total: Cell::default(),
        listed: false,
        failure: None,
        mapper,
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let end = Fill { node: &paths.root, page: &mut page }.deserialize(&mut json).and_then(|()| json.end());
    if let Some(failure) = page.failure {
        return Err(failure);
    }
    end.map_err(|error| match error.classify() {
        Category::Eof => Failure::Truncated(format!("the JSON ends in the middle, on line {}", error.line())),
        _ => Failure::WrongFormat(format!("no JSON at line {} column {}", error.line(), error.column())),
    })?;
    if !page.listed {
        return Err(Failure::WrongFormat("the answer has no list of records where one was expected".to_owned()));
    }
    let trailer = page.trailer()?;
    if paths.total && trailer.total.is_none() {
        return Err(Failure::WrongFormat("the answer does not say how many records there are".to_owned()));
    }
    Ok(trailer)
}

/// The state of one page.
struct Page<'a> {
    joins: &'a [(Slot, Range<usize>)],
    row: Row,
    parts: Vec<Cell>,
    cursor: Cell,
    total: Cell,
    listed: bool,
    failure: Option<Failure>,
    mapper: &'a mut Mapper,
}

impl Page<'_> {
    fn begin(&mut self) {
        self.row.clear();
        self.parts.iter_mut().for_each(Cell::clear);
    }

    fn end(&mut self) -> Result<(), Failure> {
        for (slot, range) in self.joins {
            self.row.join(*slot, self.parts.get(range.clone()).unwrap_or_default());
        }
        self.mapper.take(self.mapper.records() + 1, &self.row)
    }

    /// Puts a plain value where the leaves say; none marks them unfit.
    fn put(&mut self, leaves: &[Leaf], value: Option<&str>) {
        for leaf in leaves {
            let cell = match leaf {
                Leaf::Slot(slot) => {
                    match value {
                        Some(text) => self.row.set(*slot, text),
                        None => self.row.unfit(*slot),
                    }
                    continue;
                }
                Leaf::Part(part) => self.parts.get_mut(*part),
                Leaf::Cursor => Some(&mut self.cursor),
                Leaf::Total => Some(&mut self.total),
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
        node.branches.values().for_each(|branch| self.spoil(branch));
    }

    fn trailer(&self) -> Result<Trailer, Failure> {
        let wrong = |what: &str| Failure::WrongFormat(format!("{what} of the answer is not what was expected"));
        let cursor = self.cursor.get().map_err(|Unfit| wrong("the cursor"))?;
        let total = self.total.get().map_err(|Unfit| wrong("the total"))?;
        Ok(Trailer {
            cursor: match cursor {
                Some(text) if text.len() > LONGEST_CURSOR => return Err(wrong("the cursor")),
                cursor => cursor.map(str::to_owned),
            },
            total: total.map(str::parse).transpose().map_err(|_| wrong("the total"))?,
        })
    }
}

/// Fills what is wanted at and below a place from the value that stands there.
struct Fill<'p, 'a, 'b> {
    node: &'p Node,
    page: &'b mut Page<'a>,
}

impl Fill<'_, '_, '_> {
    fn plain(self, text: &str) {
        self.page.put(&self.node.leaves, Some(text));
        self.node.branches.values().for_each(|branch| self.page.spoil(branch));
    }
}

impl<'de> DeserializeSeed<'de> for Fill<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fill<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
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
        while let Some(place) = map.next_key_seed(Key(self.node))? {
            match place {
                Some(node) => map.next_value_seed(Fill { node, page: &mut *self.page })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some(record) = &self.node.record else {
            self.page.spoil(self.node);
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        if std::mem::replace(&mut self.page.listed, true) {
            return Err(A::Error::custom("the list of records stands there twice"));
        }
        loop {
            self.page.begin();
            if seq.next_element_seed(Fill { node: record, page: &mut *self.page })?.is_none() {
                return Ok(());
            }
            if let Err(failure) = self.page.end() {
                self.page.failure = Some(failure);
                return Err(A::Error::custom("not taken"));
            }
        }
    }
}

/// Follows a key of an object to the place it leads to, if anything is wanted there.
struct Key<'p>(&'p Node);

impl<'de, 'p> DeserializeSeed<'de> for Key<'p> {
    type Value = Option<&'p Node>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for Key<'p> {
    type Value = Option<&'p Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.branches.get(key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::civil::Date;

    use super::super::mapping::{EndDate, Form, Statuses};
    use super::*;
    use crate::domain::employee::Read;

    fn path(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    fn parse(page: &str) -> Result<(Read, Trailer), Failure> {
        let fields = [
            (Slot::EmployeeId, path(&["id"])),
            (Slot::FullName, path(&["name.first", "name.last"])),
            (Slot::Email, path(&["contact.work.email"])),
            (Slot::Department, path(&["department"])),
        ];
        let slots = || fields.iter().map(|(slot, paths)| (*slot, paths.as_slice()));
        let paths = Paths::new("result.people", slots(), Some("next"), None);
        let form = Form {
            offered: slots().map(|(slot, _)| slot).collect(),
            required: BTreeSet::new(),
            statuses: Statuses::default(),
            dates: "%Y-%m-%d".to_owned(),
            end_date: EndDate::default(),
        };
        let mut mapper = Mapper::new(form, Date::constant(2026, 3, 2));
        let trailer = read(page.as_bytes(), &paths, &mut mapper)?;
        Ok((mapper.finish()?, trailer))
    }

    fn person(id: &str, rest: &str) -> String {
        let name = r#"{"last": "Example", "first": "Ada"}"#;
        let contact = r#"{"work": {"email": "ada@example.com"}}"#;
        format!(r#"{{"id": {id}, "name": {name}, "contact": {contact} {rest}}}"#)
    }

    fn people(people: &str) -> String {
        format!(r#"{{"result": {{"people": [{people}]}}, "next": null}}"#)
    }

    #[test]
    fn values_are_picked_by_their_paths_whatever_stands_around_them() {
        let rest =
            r#", "department": "R&D \u00e9", "x": [{"id": "8"}, [[]]], "name2": {"first": "No"}, "y": {"id": 1.5}"#;
        let (read, trailer) = parse(&people(&person("\"7\"", rest))).unwrap();
        let ada = read.employees.first().unwrap();
        assert_eq!((ada.id.0.as_str(), ada.name.as_str()), ("7", "Ada Example"));
        assert_eq!(ada.work_email, "ada@example.com");
        assert_eq!(ada.department.as_deref(), Some("R&D é"));
        assert_eq!(trailer, Trailer { cursor: None, total: None });
    }

    #[test]
    fn a_record_does_not_inherit_from_the_one_before() {
        let two = [person("1", r#", "department": "Sales""#), person("2", "")].join(",");
        let (read, _) = parse(&people(&two)).unwrap();
        let departments: Vec<_> = read.employees.iter().map(|e| e.department.as_deref()).collect();
        assert_eq!(departments, [Some("Sales"), None]);
        let (read, _) = parse(&people(&[person("1", ""), "{}".to_owned(), "null".to_owned()].join(","))).unwrap();
        let bad: Vec<_> = read.bad.iter().map(|bad| (bad.position, bad.reason.as_str())).collect();
        assert_eq!(bad, [(2, "fullName is empty"), (3, "fullName is empty")]);
    }

    #[test]
    fn numbers_and_booleans_are_read_as_their_text_and_what_lost_digits_is_set_aside() {
        for (id, read_as) in [
            ("7", Ok("7")),
            ("-7", Ok("-7")),
            ("18446744073709551615", Ok("18446744073709551615")),
            ("1042.0", Ok("1042")),
            ("true", Ok("true")),
            ("false", Ok("false")),
            ("18446744073709551616", Err("employeeId is not a plain value")),
            ("1e300", Err("employeeId is not a plain value")),
            ("[7]", Err("employeeId is not a plain value")),
            ("{\"value\": 7}", Err("employeeId is not a plain value")),
            ("null", Err("employeeId is empty")),
            ("\"\"", Err("employeeId is empty")),
        ] {
            let (read, _) = parse(&people(&person(id, ""))).unwrap();
            let found = match (read.employees.first(), read.bad.first()) {
                (Some(ada), _) => Ok(ada.id.0.as_str()),
                (None, bad) => Err(bad.unwrap().reason.as_str()),
            };
            assert_eq!(found, read_as, "{id}");
        }
    }

    #[test]
    fn a_record_of_another_shape_is_set_aside_and_never_read_as_empty() {
        for record in [
            r#"{"id": 7, "name": "Ada Example", "contact": {"work": {"email": "ada@example.com"}}}"#,
            r#"{"id": 7, "name": [{"first": "Ada"}], "contact": {"work": {"email": "ada@example.com"}}}"#,
            r#"{"id": 7, "name": {"first": {"value": "Ada"}, "last": "Example"}}"#,
            r#""Ada Example""#,
            "[]",
        ] {
            let (read, _) = parse(&people(record)).unwrap();
            assert_eq!(
                read.bad.first().map(|bad| bad.reason.as_str()),
                Some("fullName is not a plain value"),
                "{record}"
            );
        }
    }

    #[test]
    fn the_cursor_is_a_text_or_a_number_and_null_or_empty_at_the_end() {
        for (next, cursor) in [("null", None), ("\"\"", None), ("\"abc=\"", Some("abc=")), ("42", Some("42"))] {
            let page = format!(r#"{{"next": {next}, "result": {{"people": []}}}}"#);
            assert_eq!(parse(&page).unwrap().1.cursor.as_deref(), cursor, "{next}");
        }
    }

    #[test]
    fn what_is_no_page_is_refused_without_a_word_of_it() {
        let whole = people(&person("7", ""));
        let cut = whole.get(..60).unwrap();
        for (page, failure) in [
            ("", Failure::Truncated("the JSON ends in the middle, on line 1".into())),
            (cut, Failure::Truncated("the JSON ends in the middle, on line 1".into())),
            ("{\"result\":\n Ada}", Failure::WrongFormat("no JSON at line 2 column 2".into())),
            (&format!("{whole}x"), Failure::WrongFormat(format!("no JSON at line 1 column {}", whole.len() + 1))),
            ("<html>Ada", Failure::WrongFormat("the answer is a web page or other markup, not JSON".into())),
            (
                r#"{"error": "Ada is not allowed"}"#,
                Failure::WrongFormat("the answer has no list of records where one was expected".into()),
            ),
            (
                r#"{"result": {"people": null}}"#,
                Failure::WrongFormat("the answer has no list of records where one was expected".into()),
            ),
            (
                r#"{"result": {"people": {"7": {}}}}"#,
                Failure::WrongFormat("the answer has no list of records where one was expected".into()),
            ),
            ("[]", Failure::WrongFormat("the answer has no list of records where one was expected".into())),
            (
                r#"{"result": {"people": []}, "next": {"href": "Ada"}}"#,
                Failure::WrongFormat("the cursor of the answer is not what was expected".into()),
            ),
        ] {
            assert_eq!(parse(page).map(|_| ()), Err(failure), "{page}");
        }
        let twice = r#"{"result": {"people": [], "people": []}}"#;
        assert!(matches!(parse(twice), Err(Failure::WrongFormat(_))));
        let deep = format!(r#"{{"result": {{"people": [{}"#, "{\"contact\":{\"work\":".repeat(200));
        assert!(matches!(parse(&deep), Err(Failure::WrongFormat(_) | Failure::Truncated(_))));
    }
}
