//! What a definition reads: every path that is taken from a response, as the reader itself has it.
//!
//! Made of the compiled definition, which is what a page is read by: a path that is missing here is not read, and one that
//! is here is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::plan::CompiledDefinition;
use crate::definition::{Definition, List, Request};
use crate::json::{Leaf, Node, Paths};
use crate::mapping::Form;
use crate::row::Slot;
use domain::field::CustomName;

/// One value that is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading {
    /// The request whose response it stands in.
    pub request: String,
    /// Where it stands: in a record, or in the response where it says nothing of a person.
    pub path: String,
    /// What it is for.
    pub purpose: Purpose,
}

/// What a value is read for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// It is a field of a person.
    Field(Slot),
    /// It is a field of the customer's own.
    Custom(CustomName),
    /// A rule, or `endDateWhen`, looks at it to tell the status or the end.
    Decides,
    /// It says whose a record is, or which of several counts, or that one is left out.
    Sorts,
    /// It is the name for an id, or that id.
    Names,
    /// It is of the response, and of nobody: the next page, a number of records, an error.
    Pages,
}

impl Definition {
    /// Everything that is read by it, whatever its parameters are.
    ///
    /// # Errors
    /// In words, what of the definition cannot be followed.
    pub fn readings(&self) -> Result<BTreeSet<Reading>, String> {
        let values: BTreeMap<_, _> = self.parameters.keys().map(|name| (name.clone(), "x".to_owned())).collect();
        let plan = CompiledDefinition::new(self, &values, Date::MIN)?;
        let cells = Cells { form: &plan.form, ends: plan.steps.ends_when.iter().map(|(cell, _)| *cell).collect() };
        let mut all = BTreeSet::new();
        for (list, pages) in self.people.iter().zip(&plan.people) {
            all.extend(read(&of_list(list), pages.paths(), |cell| cells.purpose(cell)));
        }
        for (join, keyed) in self.joins.values().zip(&plan.joins) {
            all.extend(read(&of_list(&join.list), keyed.pages.paths(), |cell| cells.purpose(cell)));
        }
        for (detail, about) in self.details.values().zip(&plan.details) {
            all.extend(read(&of_request(&detail.request), &about.paths, |cell| cells.purpose(cell)));
        }
        for (lookup, keyed) in self.lookups.values().zip(&plan.lookups) {
            all.extend(read(&of_list(&lookup.list), keyed.pages.paths(), |_| Purpose::Names));
        }
        Ok(all)
    }
}

/// What the cells of a row are for.
struct Cells<'a> {
    form: &'a Form,
    ends: BTreeSet<usize>,
}

impl Cells<'_> {
    fn purpose(&self, cell: usize) -> Purpose {
        let custom = self.form.custom.iter().find(|(_, at)| *at == cell);
        let ruled = self.form.rules.iter().flat_map(|rule| &rule.when).any(|(at, _)| *at == cell);
        match (Slot::ALL.get(cell), custom) {
            (Some(slot), _) => Purpose::Field(*slot),
            (None, Some((name, _))) => Purpose::Custom(name.clone()),
            (None, None) if ruled || self.ends.contains(&cell) => Purpose::Decides,
            (None, None) => Purpose::Sorts,
        }
    }
}

fn of_list(list: &List) -> String {
    of_request(&list.request)
}

fn of_request(request: &Request) -> String {
    format!("{} {}", if request.search.is_some() { "POST" } else { "GET" }, request.path)
}

/// Everything that is read of the pages of one list.
fn read(request: &str, paths: &Paths, purpose: impl Fn(usize) -> Purpose) -> Vec<Reading> {
    let mut found = Vec::new();
    walk(&paths.root, "", &mut found);
    let reading = |(path, leaf)| {
        let purpose = match leaf {
            Leaf::Cell(cell) => purpose(cell),
            Leaf::Part(part) => {
                let build = paths.builds.iter().find(|build| build.parts.contains(&part));
                build.map_or(Purpose::Pages, |build| purpose(build.into))
            }
            Leaf::Mark(_) | Leaf::Told(_) => Purpose::Pages,
        };
        Reading { request: request.to_owned(), path, purpose }
    };
    found.into_iter().map(reading).collect()
}

fn walk(node: &Node, place: &str, found: &mut Vec<(String, Leaf)>) {
    found.extend(node.leaves.iter().map(|leaf| (place.to_owned(), *leaf)));
    found.extend(node.queries.iter().map(|(query, leaf)| {
        let query = query.to_string();
        (format!("{place}{}", query.strip_prefix('$').unwrap_or(&query)), *leaf)
    }));
    for (key, below) in &node.branches {
        let key = if key.contains(['.', '[', '/']) { format!("['{key}']") } else { key.clone() };
        let dot = if place.is_empty() || key.starts_with('[') { "" } else { "." };
        walk(below, &format!("{place}{dot}{key}"), found);
    }
    if let Some(record) = &node.record {
        walk(record, "", found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Value;
    use crate::path::Path;

    /// What the YAML says of values, counted without the compiler of definitions.
    fn written(definition: &Definition) -> BTreeSet<(String, String)> {
        let people = definition.people.iter().map(of_list).flat_map(|request| {
            let own = definition.fields.values().chain(definition.custom.values()).chain(definition.inputs.values());
            own.map(move |value| (request.clone(), value.clone()))
        });
        let joined = definition.joins.values().flat_map(|join| {
            let own = join.fields.values().chain(join.inputs.values());
            own.map(|value| (of_list(&join.list), value.clone()))
        });
        let detailed = definition.details.values().flat_map(|detail| {
            let own = detail.fields.values().chain(detail.inputs.values());
            own.map(|value| (of_request(&detail.request), value.clone()))
        });
        let all = people.chain(joined).chain(detailed);
        all.flat_map(|(request, Value { paths, .. })| {
            paths.into_iter().map(move |path| (request.clone(), spelled(&path)))
        })
        .collect()
    }

    /// One spelling for each path, whether its first keys are plain or a part of the query.
    fn spelled(path: &str) -> String {
        let Path { keys, query } = Path::parse(path).expect("a path");
        let query = query.map(|query| query.to_string()).unwrap_or_default();
        let keys: String = keys.iter().map(|key| format!("['{key}']")).collect();
        format!("{keys}{}", query.strip_prefix('$').unwrap_or(&query))
    }

    #[test]
    fn what_is_listed_of_every_connector_is_what_its_definition_takes_and_nothing_else() {
        for name in crate::connectors() {
            let definition = crate::connector(name).expect("a definition");
            let readings = definition.readings().unwrap_or_else(|why| panic!("{name}: {why}"));
            let values = readings
                .iter()
                .filter(|one| matches!(one.purpose, Purpose::Field(_) | Purpose::Custom(_) | Purpose::Decides));
            let listed: BTreeSet<_> = values.map(|one| (one.request.clone(), spelled(&one.path))).collect();
            assert_eq!(listed, written(&definition), "{name}");
        }
    }
}
