//! What is taken from the pages of one list: a trie of plain paths, with queries where it ends.

use serde_json_path::JsonPath;

use crate::definition;
use crate::path::Path;
use crate::row::Build;

/// What a page says beside its records.
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
}

/// A place in a page: what is taken there, and what lies below it.
#[derive(Debug, Default)]
pub struct Node {
    pub leaves: Vec<Leaf>,
    pub branches: Vec<(String, Node)>,
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
            let known = node.branches.iter().position(|(known, _)| known == key);
            let branch = known.map_or_else(|| (key.clone(), Self::default()), |at| node.branches.swap_remove(at));
            &mut node.branches.push_mut(branch).1
        })
    }

    /// The place a key leads to. There are few, and most keys of a page lead nowhere: of another length, mostly.
    pub fn branch(&self, key: &str) -> Option<&Self> {
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
}

impl Paths {
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
