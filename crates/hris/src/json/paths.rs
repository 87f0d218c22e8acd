//! What is taken from the pages of one list: a trie of plain paths, with queries where it ends.

use serde_json_path::JsonPath;

use crate::definition;
use crate::path::Path;
use crate::row::{Build, Cell, Row, Unfit};

/// What a page says besides its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
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
pub enum Leaf {
    Cell(usize),
    Part(usize),
    Mark(Mark),
    Told(usize),
}

/// Something that a page as a whole may say of itself.
#[derive(Clone, Debug)]
pub struct Told {
    /// Where, as the definition has it.
    pub place: String,
    /// The words, in lower case; without them, anything.
    pub words: Vec<String>,
    /// The answer is none then. Otherwise it is a page without records.
    pub fails: bool,
}

impl Told {
    /// Whether it is said.
    pub fn is_said(&self, cell: &Cell) -> bool {
        match cell.get() {
            Ok(None) => false,
            Ok(Some(text)) => self.words.is_empty() || self.words.contains(&text.to_lowercase()),
            Err(Unfit) => self.words.is_empty(),
        }
    }
}

/// The mark of records that are left out.
#[derive(Clone, Debug)]
pub struct Skip {
    /// The cell it is read into.
    pub cell: usize,
    /// Its words, in lower case.
    pub words: Vec<String>,
}

impl Skip {
    /// Whether a record has it.
    pub fn is_said_by(&self, row: &Row) -> bool {
        row.at(self.cell).is_ok_and(|text| text.is_some_and(|text| self.words.contains(&text.to_lowercase())))
    }
}

/// A place in a page: what is taken there, and what lies below it.
#[derive(Debug, Default)]
pub struct Node {
    pub leaves: Vec<Leaf>,
    pub branches: Vec<(String, Node)>,
    /// A bit for each branch, so that most keys that lead nowhere need not be compared.
    key_bits: u64,
    /// What is asked of the value that stands here.
    pub queries: Vec<(JsonPath, Leaf)>,
    /// Only on the list of records: what is taken from each of them.
    pub record: Option<Box<Node>>,
    /// Where the records are not the elements of the list but found in it by a query.
    pub found_by: Option<JsonPath>,
}

impl Node {
    /// The place at the end of some keys; no key is this place.
    fn at(&mut self, keys: &[String]) -> &mut Self {
        keys.iter().fold(self, |node, key| {
            node.key_bits |= key_bit(key);
            let known = node.branches.iter().position(|(known, _)| known == key);
            let branch = known.map_or_else(|| (key.clone(), Self::default()), |at| node.branches.swap_remove(at));
            &mut node.branches.push_mut(branch).1
        })
    }

    /// The place a key leads to. Most keys of a page lead nowhere.
    pub fn branch(&self, key: &str) -> Option<&Self> {
        if self.key_bits & key_bit(key) == 0 {
            return None;
        }
        self.branches.iter().find(|(known, _)| known == key).map(|(_, node)| node)
    }

    fn take(&mut self, path: &Path, leaf: Leaf) {
        let node = self.at(&path.keys);
        match &path.query {
            None => node.leaves.push(leaf),
            Some(query) => node.queries.push((query.clone(), leaf)),
        }
    }
}

/// One of 64 bits, by the length and the first byte of a key.
fn key_bit(key: &str) -> u64 {
    let first = key.as_bytes().first().copied().unwrap_or_default();
    1 << ((8 * key.len() + usize::from(first)) % 64)
}

/// A value that is taken from every record.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The cell it fills.
    pub into: usize,
    /// Where it stands, in one part or several.
    pub paths: Vec<Path>,
    /// The first part that is not empty, instead of all of them.
    pub first: bool,
    /// What stands between the parts.
    pub with: String,
    /// Words that stand for nothing, in lower case.
    pub none: Vec<String>,
}

impl Taken {
    /// What a definition's value takes.
    ///
    /// # Errors
    /// In words, which path is none.
    pub fn of(value: &definition::Value, into: usize) -> Result<Self, String> {
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
pub struct Paths {
    pub root: Node,
    /// The whole page is one record.
    pub single: bool,
    pub builds: Vec<Build>,
    pub parts: usize,
    pub constants: Vec<(usize, String)>,
    pub more_cells: usize,
    pub tells: Vec<Told>,
    pub skip: Option<Skip>,
    pub null_is_empty: bool,
}

impl Paths {
    /// With what a page may say of itself.
    #[must_use]
    pub fn telling(mut self, tells: impl IntoIterator<Item = (Path, Told)>) -> Self {
        for (path, told) in tells {
            self.root.take(&path, Leaf::Told(self.tells.len()));
            self.tells.push(told);
        }
        self
    }

    /// `records` leads to the list of records; without it the whole page is one record. Rows have `more_cells` behind
    /// those of the slots, and `constants` in every one of them.
    pub fn new(
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
