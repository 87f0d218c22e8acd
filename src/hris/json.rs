//! Pages of JSON: plain paths, put into one trie, pick their values straight from the bytes. No tree of a page is ever
//! built, so that a page costs what is taken from it and not what is in it. Only where a path has a query is a tree
//! made, of the part that is asked.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use serde_json_path::JsonPath;

use super::definition;
use super::path::{Path, plain};
use super::row::{Build, Cell, Row, Unfit};
use crate::domain::employee::Failure;

/// Longest cursor: it goes into the next address.
const LONGEST_CURSOR: usize = 4096;
/// Beyond it whole numbers are no longer told apart once they are read as floats (2^53).
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// What a page says beside its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// What asks for the next page: a cursor, or its address.
    Next,
    /// The number of records of all pages.
    Total,
    /// Whether there are more pages.
    More,
    /// The number of the last page.
    Last,
}

/// Where a value goes.
#[derive(Clone, Copy, Debug)]
enum Leaf {
    Cell(usize),
    Part(usize),
    Mark(Mark),
}

/// A place in a page: what is taken there, and what lies below it.
#[derive(Debug, Default)]
struct Node {
    leaves: Vec<Leaf>,
    branches: BTreeMap<String, Node>,
    /// What is asked of the value that stands here.
    queries: Vec<(JsonPath, Leaf)>,
    /// Only on the list of records: what is taken from each of them.
    record: Option<Box<Node>>,
    /// Where the records are not the elements of the list but found in it by a query.
    found_by: Option<JsonPath>,
}

impl Node {
    /// The place at the end of some keys; no key is this place.
    fn at(&mut self, keys: &[String]) -> &mut Self {
        keys.iter().fold(self, |node, key| node.branches.entry(key.clone()).or_default())
    }

    fn take(&mut self, path: &Path, leaf: Leaf) {
        let node = self.at(&path.keys);
        match &path.query {
            None => node.leaves.push(leaf),
            Some(query) => node.queries.push((query.clone(), leaf)),
        }
    }
}

/// A value that is taken from every record.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The cell it fills.
    pub(super) into: usize,
    /// Where it stands, in one part or several.
    pub(super) paths: Vec<Path>,
    /// The first part that is not empty, instead of all of them.
    pub(super) first: bool,
    /// What stands between the parts.
    pub(super) with: String,
    /// Words that stand for nothing, in lower case.
    pub(super) none: Vec<String>,
}

impl Taken {
    /// What a definition's value takes.
    ///
    /// # Errors
    /// In words, which path is none.
    pub(super) fn of(value: &definition::Value, into: usize) -> Result<Self, String> {
        Ok(Self {
            into,
            paths: value.paths.iter().map(|path| Path::parse(path)).collect::<Result<_, _>>()?,
            first: value.first,
            with: value.with.clone(),
            none: value.none.iter().map(|word| word.to_lowercase()).collect(),
        })
    }
}

/// What is taken from every page of one list, and how large a row it fills.
#[derive(Debug, Default)]
pub(super) struct Paths {
    root: Node,
    /// The whole page is one record.
    single: bool,
    builds: Vec<Build>,
    parts: usize,
    constants: Vec<(usize, String)>,
    more_cells: usize,
}

impl Paths {
    /// `records` leads to the list of records; without it the whole page is one record. Rows have `more_cells` behind
    /// those of the slots, and `constants` in every one of them.
    pub(super) fn new(
        records: Option<&Path>,
        taken: &[Taken],
        marks: &[(Path, Mark)],
        constants: Vec<(usize, String)>,
        more_cells: usize,
    ) -> Self {
        let mut paths = Self { single: records.is_none(), constants, more_cells, ..Self::default() };
        let mut record = Node::default();
        for Taken { into, paths: values, first, with, none } in taken {
            if let ([value], []) = (values.as_slice(), none.as_slice()) {
                record.take(value, Leaf::Cell(*into));
                continue;
            }
            let start = paths.parts;
            for value in values {
                record.take(value, Leaf::Part(paths.parts));
                paths.parts += 1;
            }
            let parts = start..paths.parts;
            let (with, none) = (with.clone(), none.clone());
            paths.builds.push(Build { into: *into, parts, first: *first, with, none });
        }
        match records {
            None => paths.root = record,
            Some(records) => {
                let list = paths.root.at(&records.keys);
                list.record = Some(Box::new(record));
                list.found_by.clone_from(&records.query);
            }
        }
        for (path, mark) in marks {
            paths.root.take(path, Leaf::Mark(*mark));
        }
        paths
    }
}

/// What a page says beside its records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Trailer {
    /// What asks for the next page.
    pub(super) next: Option<String>,
    /// How many records there are on all pages.
    pub(super) total: Option<usize>,
    /// Whether there are more pages.
    pub(super) more: Option<bool>,
    /// The number of the last page.
    pub(super) last: Option<usize>,
    /// How many records this page has.
    pub(super) records: usize,
    /// A digest of what its records say; two pages with the same one are the same page.
    pub(super) digest: u64,
}

/// Reads one page and hands over each of its records.
///
/// # Errors
/// `Truncated` where the page ends in the middle, `WrongFormat` where it is not what was described; what `take` says.
pub(super) fn read(
    bytes: &[u8],
    paths: &Paths,
    take: &mut dyn FnMut(&mut Row) -> Result<(), Failure>,
) -> Result<Trailer, Failure> {
    if bytes.trim_ascii_start().starts_with(b"<") {
        return Err(Failure::WrongFormat("the answer is a web page or other markup, not JSON".to_owned()));
    }
    let mut page = Page {
        paths,
        row: Row::with(paths.more_cells),
        parts: std::iter::repeat_with(Cell::default).take(paths.parts).collect(),
        marks: Default::default(),
        listed: paths.single,
        records: 0,
        digest: DefaultHasher::new(),
        failure: None,
        take,
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let fill = Fill { node: &paths.root, page: &mut page, tree: false };
    let end = fill.deserialize(&mut json).and_then(|()| json.end());
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
    if paths.single {
        page.end()?;
    }
    page.trailer()
}

/// The state of one page.
struct Page<'a> {
    paths: &'a Paths,
    row: Row,
    parts: Vec<Cell>,
    marks: [Cell; 4],
    listed: bool,
    records: usize,
    digest: DefaultHasher,
    failure: Option<Failure>,
    take: &'a mut dyn FnMut(&mut Row) -> Result<(), Failure>,
}

impl Page<'_> {
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
        (self.take)(&mut self.row)
    }

    /// Puts a plain value where the leaves say; none marks them unfit.
    fn put(&mut self, leaves: &[Leaf], value: Option<&str>) {
        for leaf in leaves {
            let cell = match leaf {
                Leaf::Cell(cell) => {
                    self.row.put(*cell, value);
                    continue;
                }
                Leaf::Part(part) => self.parts.get_mut(*part),
                Leaf::Mark(mark) => self.marks.get_mut(*mark as usize),
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
        node.branches.values().for_each(|branch| self.spoil(branch));
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
        self.node.branches.values().for_each(|branch| self.page.spoil(branch));
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

    use jiff::civil::Date;

    use super::super::dates::DateForm;
    use super::super::mapping::{Form, Mapper};
    use super::super::row::Slot;
    use super::*;
    use crate::domain::employee::Read;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn taken(slot: Slot, paths: &[&str]) -> Taken {
        let paths = paths.iter().map(|text| path(text)).collect();
        Taken { into: slot as usize, paths, first: false, with: " ".to_owned(), none: Vec::new() }
    }

    fn read_by(page: &str, paths: &Paths, offered: impl IntoIterator<Item = Slot>) -> Result<(Read, Trailer), Failure> {
        let form = Form { offered: offered.into_iter().collect(), dates: vec![DateForm::Iso], ..Form::default() };
        let mut mapper = Mapper::new(form, Date::constant(2026, 3, 2));
        let trailer = read(page.as_bytes(), paths, &mut |row| mapper.take(mapper.records() + 1, row))?;
        Ok((mapper.finish()?, trailer))
    }

    const OFFERED: [Slot; 4] = [Slot::EmployeeId, Slot::FullName, Slot::Email, Slot::Department];

    fn parse(page: &str) -> Result<(Read, Trailer), Failure> {
        let fields = [
            taken(Slot::EmployeeId, &["id"]),
            taken(Slot::FullName, &["name.first", "name.last"]),
            taken(Slot::Email, &["contact.work.email"]),
            taken(Slot::Department, &["department"]),
        ];
        let marks = [(path("next"), Mark::Next)];
        read_by(page, &Paths::new(Some(&path("result.people")), &fields, &marks, Vec::new(), 0), OFFERED)
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
        assert_eq!((trailer.next, trailer.total, trailer.records), (None, None, 1));
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
            assert_eq!(parse(&page).unwrap().1.next.as_deref(), cursor, "{next}");
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

    #[test]
    fn queries_pick_from_lists_and_leave_what_is_not_there_empty() {
        let fields = [
            taken(Slot::EmployeeId, &["key[0]"]),
            taken(Slot::FullName, &["name"]),
            taken(Slot::Email, &["emails[?@.type=='work'].value"]),
            taken(Slot::Department, &["groups[?@.kind=='team'].name"]),
        ];
        let paths = Paths::new(Some(&path("data")), &fields, &[], Vec::new(), 0);
        let emails = r#"[{"type": "home", "value": "no"}, {"type": "work", "value": "ada@example.com"}]"#;
        for (groups, department) in [
            (r#"[{"kind": "site", "name": "Madrid"}, {"kind": "team", "name": "Core"}]"#, Ok(Some("Core"))),
            (r#"[{"kind": "site", "name": "Madrid"}]"#, Ok(None)),
            (r#"[{"kind": "team", "name": null}, {"kind": "team", "name": "Core"}]"#, Ok(Some("Core"))),
            ("null", Ok(None)),
            ("[]", Ok(None)),
            (r#"[{"kind": "team", "name": {"en": "Core"}}]"#, Err("department is not a plain value")),
            ("\"Core\"", Err("department is not a plain value")),
        ] {
            let page =
                format!(r#"{{"data": [{{"name": "Ada", "key": [42, "x"], "groups": {groups}, "emails": {emails}}}]}}"#);
            let (read, _) = read_by(&page, &paths, OFFERED).unwrap();
            let found = match (read.employees.first(), read.bad.first()) {
                (Some(ada), _) => Ok(ada.department.as_deref()),
                (None, bad) => Err(bad.unwrap().reason.as_str()),
            };
            assert_eq!(found, department, "{groups}");
        }
    }

    #[test]
    fn records_may_lie_deeper_than_a_list_or_be_the_whole_page() {
        let fields =
            [taken(Slot::EmployeeId, &["id"]), taken(Slot::FullName, &["names[0]"]), taken(Slot::Email, &["email"])];
        let ada = r#"{"id": 7, "names": ["Ada Example"], "email": "ada@example.com"}"#;
        let ids = |page: &str, records: Option<&str>| {
            let records = records.map(path);
            let paths = Paths::new(records.as_ref(), &fields, &[], vec![(Slot::Department as usize, "Core".into())], 0);
            let read = read_by(page, &paths, OFFERED)?.0;
            Ok(read.employees.iter().map(|e| format!("{} {:?}", e.id, e.department)).collect::<Vec<_>>())
        };
        let found = Ok(vec!["7 Some(\"Core\")".to_owned()]);
        assert_eq!(ids(&format!(r#"{{"result": [{{"900": [{ada}]}}]}}"#), Some("result[*].*[0]")), found);
        assert_eq!(ids(ada, None), found);
        assert_eq!(ids(&format!("[{ada}]"), Some("")), found);
        assert_eq!(ids(r#"{"result": []}"#, Some("result[*].*[0]")), Ok(vec![]));
        assert!(matches!(ids(r#"{"result": null}"#, Some("result[*].*[0]")), Err(Failure::WrongFormat(_))));
        assert!(matches!(ids("{}", Some("result[*].*[0]")), Err(Failure::WrongFormat(_))));
    }

    #[test]
    fn pages_with_the_same_records_have_the_same_digest() {
        let digest = |people: &str| parse(&self::people(people)).unwrap().1.digest;
        assert_eq!(digest(&person("7", "")), digest(&person("7", r#", "at": "another time""#)));
        assert_ne!(digest(&person("7", "")), digest(&person("8", "")));
    }
}
