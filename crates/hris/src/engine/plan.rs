//! A definition, compiled: which cell of a row each value fills, and where each list is found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use super::RowSteps;
use crate::definition::{Choose, Definition, Detail, List, Rule, Test, Value};
use crate::json::{Paths, Skip, Taken, Told};
use crate::mapping::{self, Form, Meaning, Statuses, Types};
use crate::pages::Pages;
use crate::path::Path;
use crate::row::Slot;
use crate::tables::{Chosen, Merge};
use domain::account::Fact;
use domain::field::CustomName;

/// A definition, compiled.
pub(super) struct CompiledDefinition {
    pub(super) people: Vec<Pages>,
    pub(super) joins: Vec<Keyed>,
    pub(super) details: Vec<About>,
    pub(super) lookups: Vec<Keyed>,
    pub(super) steps: RowSteps,
    /// Which of several records of one person counts, where a list of people has several.
    pub(super) versions: Option<Chosen>,
    pub(super) form: Form,
}

/// A list whose records are found by a cell.
pub(super) struct Keyed {
    pub(super) pages: Pages,
    pub(super) key: usize,
    /// What is not known where the source refuses the list; none of one that it may not refuse.
    pub(super) refused: Option<Vec<Fact>>,
}

/// What is asked about each person.
pub(super) struct About {
    pub(super) words: Detail,
    pub(super) of: usize,
    /// The cell that says whose a record of the answer is, where it is about many.
    pub(super) key: usize,
    pub(super) paths: Arc<Paths>,
    pub(super) merge: Merge,
}

/// The cells of a lookup's rows, which are nobody's: any will do.
const ID: usize = Slot::EmployeeId as usize;
pub(super) const NAME: usize = Slot::FullName as usize;

/// Gives out the cells behind those of the slots, and collects what fills them.
struct Cells<'d> {
    definition: &'d Definition,
    next: usize,
    inputs: BTreeMap<&'d String, usize>,
    named: Vec<(usize, usize)>,
}

impl<'d> Cells<'d> {
    fn more(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    /// What is taken for some fields and inputs.
    fn taken(
        &mut self,
        fields: &'d BTreeMap<Slot, Value>,
        inputs: &'d BTreeMap<String, Value>,
    ) -> Result<Vec<Taken>, String> {
        let mut taken = Vec::new();
        for (slot, value) in fields {
            taken.push(self.value(*slot as usize, value)?);
        }
        for (name, value) in inputs {
            let cell = self.more();
            self.inputs.insert(name, cell);
            taken.push(self.value(cell, value)?);
        }
        Ok(taken)
    }

    fn value(&mut self, into: usize, value: &Value) -> Result<Taken, String> {
        if let Some(lookup) = &value.lookup {
            let at = self.definition.lookups.keys().position(|name| name == lookup);
            self.named.push((into, at.ok_or_else(|| format!("there is no lookup {lookup}"))?));
        }
        Taken::of(value, into)
    }

    fn plain(path: &str, into: usize) -> Result<Taken, String> {
        Ok(Taken { into, paths: vec![Path::parse(path)?], first: false, with: String::new(), none: Vec::new() })
    }

    /// The cells of a choice, and what fills them.
    fn choose(
        &mut self,
        choose: Option<&Choose>,
        as_of: Date,
        taken: &mut Vec<Taken>,
    ) -> Result<Option<Chosen>, String> {
        let Some(choose) = choose else { return Ok(None) };
        let from = self.more();
        taken.push(Self::plain(&choose.from, from)?);
        let mut to = None;
        if let Some(path) = &choose.to {
            let cell = self.more();
            taken.push(Self::plain(path, cell)?);
            to = Some(cell);
        }
        let ended = lower(&choose.ended);
        Ok(Some(Chosen { from, to, ended, forms: self.definition.dates.clone(), as_of }))
    }
}

/// What is taken from a further list, before it is known how large a row is.
struct Further {
    taken: Vec<Taken>,
    of: usize,
    key: usize,
    merge: Merge,
}

impl CompiledDefinition {
    /// # Errors
    /// In words, what of the definition or the parameters cannot be followed.
    pub(super) fn new(definition: &Definition, values: &BTreeMap<String, String>, as_of: Date) -> Result<Self, String> {
        let mut cells = Cells { definition, next: Slot::COUNT, inputs: BTreeMap::new(), named: Vec::new() };
        let mut person = cells.taken(&definition.fields, &definition.inputs)?;
        let mut custom = Vec::new();
        for (name, value) in &definition.custom {
            let cell = cells.more();
            person.push(cells.value(cell, value)?);
            custom.extend(CustomName::new(name).map(|name| (name, cell))); // checked with the definition
        }
        let (mut joins, mut details) = (Vec::new(), Vec::new());
        for join in definition.joins.values() {
            let own = cells.taken(&join.fields, &join.inputs)?;
            let mut one = further(&mut cells, own, &join.of, join.choose.as_ref(), as_of, &mut person)?;
            one.taken.push(Cells::plain(&join.key, one.key)?);
            joins.push(one);
        }
        for detail in definition.details.values() {
            let own = cells.taken(&detail.fields, &detail.inputs)?;
            let mut one = further(&mut cells, own, &detail.of, detail.choose.as_ref(), as_of, &mut person)?;
            if let Some(together) = &detail.together {
                one.taken.push(Cells::plain(&together.key, one.key)?);
            }
            details.push(one);
        }
        let choose = definition.people.iter().find_map(|list| list.choose.as_ref());
        let versions = cells.choose(choose, as_of, &mut person)?;
        let skip = cells.more(); // of whichever list: no row is of two
        let base = definition.base(values)?;
        let more = cells.next - Slot::COUNT;
        let pages = |list: &List, taken: &[Taken]| {
            let constants = list.sets.iter().map(|(slot, text)| (*slot as usize, text.clone())).collect();
            let marks = Pages::marks(list.paging.as_ref(), list.total.as_ref());
            let mut taken = taken.to_vec();
            if let Some(code) = &list.skip {
                taken.push(Cells::plain(&code.path, skip)?);
            }
            let paths = Paths::new(Some(&Path::parse(&list.records)?), &taken, &marks, constants, more);
            let empty = list.empty.iter().map(|code| told(&code.path, &code.is, false));
            let mut paths = paths.telling(failed(definition).chain(empty).collect::<Result<Vec<_>, _>>()?);
            paths.skip = list.skip.as_ref().map(|code| Skip { cell: skip, words: lower(&code.is) });
            paths.null_is_empty = list.null_is_empty;
            Pages::of(&base, list, values, Arc::new(paths))
        };
        let people = definition.people.iter().map(|list| pages(list, &person)).collect::<Result<_, String>>()?;
        let lookups = definition.lookups.values().map(|lookup| {
            let taken = [Cells::plain(&lookup.key, ID)?, Cells::plain(&lookup.value, NAME)?];
            Ok(Keyed { pages: pages(&lookup.list, &taken)?, key: ID, refused: None })
        });
        let lookups = lookups.collect::<Result<_, String>>()?;
        let keyed = definition.joins.values().zip(&joins);
        let keyed = keyed.map(|(join, one)| {
            let facts = || join.fields.keys().filter_map(|slot| Fact::of_slot(*slot)).collect();
            let refused = join.may_be_refused.then(facts);
            Ok(Keyed { pages: pages(&join.list, &one.taken)?, key: one.key, refused })
        });
        let keyed = keyed.collect::<Result<_, String>>()?;
        let about = definition.details.values().zip(details);
        let about = about.map(|(words, one)| {
            let records = words.records.as_deref().map(Path::parse).transpose()?;
            let marks = Pages::marks(words.paging.as_ref(), None);
            let paths = Paths::new(records.as_ref(), &one.taken, &marks, Vec::new(), more);
            let mut paths = paths.telling(failed(definition).collect::<Result<Vec<_>, _>>()?);
            paths.null_is_empty = words.null_is_empty;
            Ok(About { words: words.clone(), of: one.of, key: one.key, paths: Arc::new(paths), merge: one.merge })
        });
        let details = about.collect::<Result<_, String>>()?;
        let worded = |rule: &&Rule| rule.when.values().any(|test| matches!(test, Test::Is(_)));
        let told_by: BTreeSet<usize> =
            definition.rules.iter().filter(worded).flat_map(|rule| told_by(rule, &cells)).collect();
        let steps = RowSteps {
            merges: joins.into_iter().map(|one| (one.of, one.merge)).collect(),
            named: std::mem::take(&mut cells.named),
            told_by: told_by.into_iter().collect(),
            ends_when: tests(&definition.end_date_when, &cells)?,
        };
        Ok(Self {
            people,
            joins: keyed,
            details,
            lookups,
            steps,
            versions,
            form: Form { custom, ..form(definition, &cells)? },
        })
    }
}

/// What a page says that is no answer, for every page there is.
fn failed(definition: &Definition) -> impl Iterator<Item = Result<(Path, Told), String>> {
    definition.failed.iter().map(|failed| told(&failed.path, &failed.is, true))
}

fn told(path: &str, words: &[String], fails: bool) -> Result<(Path, Told), String> {
    Ok((Path::parse(path)?, Told { place: path.to_owned(), words: lower(words), fails }))
}

fn lower(words: &[String]) -> Vec<String> {
    words.iter().map(|word| word.to_lowercase()).collect()
}

fn further(
    cells: &mut Cells<'_>,
    mut taken: Vec<Taken>,
    of: &str,
    choose: Option<&Choose>,
    as_of: Date,
    person: &mut Vec<Taken>,
) -> Result<Further, String> {
    let merged = taken.iter().map(|one| one.into).collect();
    let choose = cells.choose(choose, as_of, &mut taken)?;
    let (of_cell, key) = (cells.more(), cells.more());
    person.push(Cells::plain(of, of_cell)?);
    Ok(Further { taken, of: of_cell, key, merge: Merge { cells: merged, choose } })
}

fn told_by(rule: &Rule, cells: &Cells<'_>) -> Vec<usize> {
    let words = rule.when.iter().filter(|(_, test)| matches!(test, Test::Is(_)));
    words.filter_map(|(name, _)| cells.inputs.get(name).copied()).collect()
}

/// What is asked of inputs, by their cells.
fn tests(when: &BTreeMap<String, Test>, cells: &Cells<'_>) -> Result<Vec<(usize, mapping::Test)>, String> {
    let test = |(name, test): (&String, &Test)| {
        let cell = cells.inputs.get(name).copied().ok_or_else(|| format!("there is no input {name}"))?;
        let test = match test {
            Test::Is(words) => mapping::Test::Words(lower(words)),
            Test::Filled => mapping::Test::Filled,
            Test::Empty => mapping::Test::Empty,
        };
        Ok((cell, test))
    };
    when.iter().map(test).collect()
}

fn form(definition: &Definition, cells: &Cells<'_>) -> Result<Form, String> {
    let rule = |rule: &Rule| {
        let meaning = Meaning { means: rule.means, when_starts_later: rule.when_starts_later };
        Ok(mapping::Rule { when: tests(&rule.when, cells)?, meaning })
    };
    Ok(Form {
        offered: definition.offered(),
        required: definition.required.clone(),
        statuses: Statuses::new(definition.statuses.iter().map(|(word, rule)| (word.clone(), (*rule).into())))?,
        rules: definition.rules.iter().map(rule).collect::<Result<_, String>>()?,
        dates: definition.dates.clone(),
        names: BTreeMap::new(),
        end_date: definition.end_date_means.unwrap_or_default(),
        types: Types::new(definition.types.iter().map(|(word, means)| (word.clone(), *means)))?,
        urgent: definition.urgent_reasons.iter().map(|word| word.to_lowercase()).collect(),
        declared: definition.declared(),
        accounts: definition.accounts(),
        custom: Vec::new(),
    })
}
