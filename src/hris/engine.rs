//! Follows a definition: reads the lists it names, completes each record from the others, and maps it.
//!
//! Knows no vendor. A definition is compiled once a poll into a `Plan`: which cell of a row each value fills, and
//! where each list is found. An answer is whole or it is a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use jiff::civil::Date;
use reqwest::Identity;

use super::ApiSource;
use super::definition::{Choose, Definition, Detail, List, Rule, Test, Value};
use super::http::{Throttle, Transport};
use super::json::{Paths, Taken};
use super::mapping::{self, Form, Mapper, Meaning, Statuses, Types};
use super::pages::{Pages, Walked};
use super::path::Path;
use super::row::{Row, Slot};
use super::session::{self, Session};
use super::tables::{Chosen, Merge, Table};
use crate::domain::employee::{Failure, Read};

/// Whether a source can be read as it is described, before anything is asked.
///
/// # Errors
/// In words for whoever wrote the connection: everything that is missing, unknown or of the wrong form.
pub(super) fn check(source: &ApiSource) -> Result<(), String> {
    let definition = &source.definition;
    let plan = |values| Plan::new(definition, &values, Date::MIN).map(|_| ());
    let values = definition.resolve(&source.parameters);
    let signing = session::check(source, values.as_ref().unwrap_or(&source.parameters)).err();
    let found: Vec<String> = values.and_then(plan).err().into_iter().chain(signing).collect();
    if found.is_empty() { Ok(()) } else { Err(found.join("; ")) }
}

/// The certificate that is shown to the source, where it wants one.
///
/// # Errors
/// `Missing` and `Unauthorised`, when a parameter or key of the Secret is missing or unfit.
pub(super) fn identity(source: &ApiSource) -> Result<Option<Identity>, Failure> {
    let values = source.definition.resolve(&source.parameters).map_err(Failure::Missing)?;
    session::identity(source, &values).map_err(Failure::Unauthorised)
}

/// How the source asks to come back later.
pub(super) fn throttle(definition: &Definition) -> Throttle {
    let throttling = &definition.throttling;
    let code = throttling.code.as_ref();
    Throttle {
        statuses: throttling.statuses.clone(),
        code: code.and_then(|code| Some((Path::parse(&code.path).ok()?, code.is.clone()))), // checked with the definition
        reset: throttling.reset.clone(),
    }
}

/// Reads everybody.
///
/// # Errors
/// See `Failure`.
pub(super) async fn read(source: &ApiSource, transport: &Arc<Transport>, as_of: Date) -> Result<Read, Failure> {
    let definition = &source.definition;
    let values = definition.resolve(&source.parameters).map_err(Failure::Missing)?;
    let plan = Plan::new(definition, &values, as_of).map_err(Failure::WrongFormat)?;
    let session = Session::new(source, &values, transport)?;

    let mut known = Known::default();
    for lookup in &plan.lookups {
        known.lookups.push(table(&lookup.pages, &session, lookup.key).await?);
    }
    for join in &plan.joins {
        known.joins.push(table(&join.pages, &session, join.key).await?);
    }
    let Plan { people, details, steps, form, .. } = plan;
    let complete = Arc::new(Complete { known, steps });
    let mapper = Mapper::new(form, as_of);
    let (mut mapper, announced) = if details.is_empty() {
        straight(&people, &session, complete, mapper).await?
    } else {
        let base = definition.base(&values).map_err(Failure::Missing)?;
        let at_once = definition.throttling.concurrency.unwrap_or(1).into();
        let asked = Asked { session: &session, details: &details, base: &base, values: &values, at_once };
        detailed(&people, &asked, &complete, mapper).await?
    };
    announced.into_iter().for_each(|total| mapper.announce(total));
    mapper.finish()
}

/// Maps pages of the first list that were fetched already, one by one.
///
/// # Errors
/// See `Failure`.
pub(super) fn map(
    definition: &Definition,
    parameters: &BTreeMap<String, String>,
    pages: impl IntoIterator<Item: AsRef<[u8]>>,
    as_of: Date,
) -> Result<Read, Failure> {
    let values = definition.resolve(parameters).map_err(Failure::Missing)?;
    let Plan { people, steps, form, .. } = Plan::new(definition, &values, as_of).map_err(Failure::WrongFormat)?;
    let complete = Complete { known: Known::default(), steps };
    let mut mapper = Mapper::new(form, as_of);
    let list = people.first().ok_or_else(|| Failure::WrongFormat("there is no list of people".to_owned()))?;
    for page in pages {
        list.read(page.as_ref(), &mut |row| {
            complete.finish(row);
            mapper.take(mapper.records() + 1, row)
        })?;
    }
    mapper.finish()
}

/// Reads the people of all lists, each mapped as its page comes.
async fn straight(
    people: &[Pages],
    session: &Session,
    complete: Arc<Complete>,
    mapper: Mapper,
) -> Result<(Mapper, Option<usize>), Failure> {
    let mut state = (mapper, complete);
    let mut totals = Vec::new();
    for pages in people {
        let walked;
        (state, walked) = pages
            .walk(session, state, |(mapper, complete), row| {
                complete.finish(row);
                mapper.take(mapper.records() + 1, row)
            })
            .await?;
        totals.push(walked.total);
    }
    Ok((state.0, totals.into_iter().sum()))
}

/// What is asked about each person, and how.
struct Asked<'a> {
    session: &'a Session,
    details: &'a [About],
    base: &'a str,
    values: &'a BTreeMap<String, String>,
    at_once: usize,
}

impl Asked<'_> {
    async fn about(&self, mut row: Row) -> Result<Row, Failure> {
        for detail in self.details {
            let Ok(Some(of)) = row.at(detail.of) else { continue };
            let (about, paging) = (Some(("of", of)), detail.words.paging.as_ref());
            let paths = Arc::clone(&detail.paths);
            let pages = Pages::about(self.base, &detail.words.request, self.values, about, paging, paths);
            let (found, _) = pages.map_err(Failure::WrongFormat)?.walk(self.session, Vec::new(), keep).await?;
            detail.merge.apply(&mut row, &found);
        }
        Ok(row)
    }
}

/// Reads the people of all lists, then asks about each of them.
async fn detailed(
    people: &[Pages],
    asked: &Asked<'_>,
    complete: &Complete,
    mut mapper: Mapper,
) -> Result<(Mapper, Option<usize>), Failure> {
    let (mut rows, mut totals) = (Vec::new(), Vec::new());
    for pages in people {
        let walked;
        (rows, walked) = pages.walk(asked.session, rows, keep).await?;
        totals.push(walked.total);
    }
    let mut answers = stream::iter(rows).map(|row| asked.about(row)).buffered(asked.at_once);
    while let Some(row) = answers.next().await {
        let mut row = row?;
        complete.finish(&mut row);
        mapper.take(mapper.records() + 1, &row)?;
    }
    drop(answers);
    Ok((mapper, totals.into_iter().sum()))
}

fn keep(rows: &mut Vec<Row>, row: &mut Row) -> Result<(), Failure> {
    if rows.len() >= mapping::MOST_RECORDS {
        return Err(Failure::TooLarge);
    }
    rows.push(row.clone());
    Ok(())
}

/// Reads a list that is not of people. One that has fewer records than it says is no list.
async fn table(pages: &Pages, session: &Session, key: usize) -> Result<Table, Failure> {
    let (state, Walked { records, total }) =
        pages.walk(session, (Table::default(), key), |(table, key), row| table.insert(*key, row)).await?;
    match total {
        Some(total) if total != records => {
            Err(Failure::Truncated(format!("a further list has {records} of {total} records")))
        }
        _ => Ok(state.0),
    }
}

/// What was read beside the people, in the order of the plan.
#[derive(Default)]
struct Known {
    lookups: Vec<Table>,
    joins: Vec<Table>,
}

/// Completes a person's row.
struct Complete {
    known: Known,
    steps: Steps,
}

/// What is done to a row before it is mapped.
#[derive(Default)]
struct Steps {
    /// A cell that names the person in a join, and what is taken over from there.
    merges: Vec<(usize, Merge)>,
    /// A cell, and the lookup that has the name for it.
    named: Vec<(usize, usize)>,
    /// Inputs whose words are counted where no rule fits.
    told_by: Vec<usize>,
}

impl Complete {
    fn finish(&self, row: &mut Row) {
        for ((of, merge), table) in self.steps.merges.iter().zip(&self.known.joins) {
            if let Ok(Some(key)) = row.at(*of) {
                let rows = table.get(key);
                merge.apply(row, rows);
            }
        }
        for (cell, lookup) in &self.steps.named {
            let Ok(Some(id)) = row.at(*cell) else { continue };
            let name = self.known.lookups.get(*lookup).and_then(|table| table.get(id).first());
            match name.and_then(|row| row.at(NAME).ok().flatten()).map(str::to_owned) {
                Some(name) => row.put(*cell, Some(&name)),
                None => row.drop(*cell), // an id in a name's place would mean nothing
            }
        }
        if !self.steps.told_by.is_empty() {
            let words: Vec<_> = self.steps.told_by.iter().filter_map(|cell| row.at(*cell).ok().flatten()).collect();
            let words = words.join(" / ");
            row.set(Slot::Status, &words);
        }
    }
}

/// A definition, compiled.
struct Plan {
    people: Vec<Pages>,
    joins: Vec<Keyed>,
    details: Vec<About>,
    lookups: Vec<Keyed>,
    steps: Steps,
    form: Form,
}

/// A list whose records are found by a cell.
struct Keyed {
    pages: Pages,
    key: usize,
}

/// What is asked about each person.
struct About {
    words: Detail,
    of: usize,
    paths: Arc<Paths>,
    merge: Merge,
}

/// The cells of a lookup's rows, which are nobody's: any will do.
const ID: usize = Slot::EmployeeId as usize;
const NAME: usize = Slot::FullName as usize;

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
        let ended = choose.ended.iter().map(|word| word.to_lowercase()).collect();
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

impl Plan {
    /// # Errors
    /// In words, what of the definition or the parameters cannot be followed.
    fn new(definition: &Definition, values: &BTreeMap<String, String>, as_of: Date) -> Result<Self, String> {
        let mut cells = Cells { definition, next: Slot::COUNT, inputs: BTreeMap::new(), named: Vec::new() };
        let mut person = cells.taken(&definition.fields, &definition.inputs)?;
        let (mut joins, mut details) = (Vec::new(), Vec::new());
        for join in definition.joins.values() {
            let own = cells.taken(&join.fields, &join.inputs)?;
            let mut one = further(&mut cells, own, &join.of, join.choose.as_ref(), as_of, &mut person)?;
            one.taken.push(Cells::plain(&join.key, one.key)?);
            joins.push(one);
        }
        for detail in definition.details.values() {
            let own = cells.taken(&detail.fields, &detail.inputs)?;
            details.push(further(&mut cells, own, &detail.of, detail.choose.as_ref(), as_of, &mut person)?);
        }
        let base = definition.base(values)?;
        let more = cells.next - Slot::COUNT;
        let pages = |list: &List, taken: &[Taken]| {
            let constants = list.sets.iter().map(|(slot, text)| (*slot as usize, text.clone())).collect();
            let marks = Pages::marks(list.paging.as_ref(), list.total.as_ref());
            let paths = Arc::new(Paths::new(Some(&Path::parse(&list.records)?), taken, &marks, constants, more));
            Pages::of(&base, list, values, paths)
        };
        let people = definition.people.iter().map(|list| pages(list, &person)).collect::<Result<_, String>>()?;
        let lookups = definition.lookups.values().map(|lookup| {
            let taken = [Cells::plain(&lookup.key, ID)?, Cells::plain(&lookup.value, NAME)?];
            Ok(Keyed { pages: pages(&lookup.list, &taken)?, key: ID })
        });
        let lookups = lookups.collect::<Result<_, String>>()?;
        let keyed = definition.joins.values().zip(&joins);
        let keyed = keyed.map(|(join, one)| Ok(Keyed { pages: pages(&join.list, &one.taken)?, key: one.key }));
        let keyed = keyed.collect::<Result<_, String>>()?;
        let about = definition.details.values().zip(details);
        let about = about.map(|(words, one)| {
            let records = words.records.as_deref().map(Path::parse).transpose()?;
            let marks = Pages::marks(words.paging.as_ref(), None);
            let paths = Arc::new(Paths::new(records.as_ref(), &one.taken, &marks, Vec::new(), more));
            Ok(About { words: words.clone(), of: one.of, paths, merge: one.merge })
        });
        let details = about.collect::<Result<_, String>>()?;
        let worded = |rule: &&Rule| rule.when.values().any(|test| matches!(test, Test::Is(_)));
        let told_by: BTreeSet<usize> =
            definition.rules.iter().filter(worded).flat_map(|rule| told_by(rule, &cells)).collect();
        let steps = Steps {
            merges: joins.into_iter().map(|one| (one.of, one.merge)).collect(),
            named: std::mem::take(&mut cells.named),
            told_by: told_by.into_iter().collect(),
        };
        Ok(Self { people, joins: keyed, details, lookups, steps, form: form(definition, &cells)? })
    }
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

fn form(definition: &Definition, cells: &Cells<'_>) -> Result<Form, String> {
    let rule = |rule: &Rule| {
        let when = rule.when.iter().map(|(name, test)| {
            let cell = cells.inputs.get(name).copied().ok_or_else(|| format!("there is no input {name}"))?;
            Ok((
                cell,
                match test {
                    Test::Is(words) => mapping::Test::Words(words.iter().map(|word| word.to_lowercase()).collect()),
                    Test::Filled => mapping::Test::Filled,
                    Test::Empty => mapping::Test::Empty,
                },
            ))
        });
        let meaning = Meaning { means: rule.means.into(), when_starts_later: rule.when_starts_later.map(Into::into) };
        Ok(mapping::Rule { when: when.collect::<Result<_, String>>()?, meaning })
    };
    Ok(Form {
        offered: definition.offered(),
        required: definition.required.clone(),
        statuses: Statuses::new(definition.statuses.iter().map(|(word, rule)| (word.clone(), (*rule).into())))?,
        rules: definition.rules.iter().map(rule).collect::<Result<_, String>>()?,
        dates: definition.dates.clone(),
        end_date: definition.end_date_means.unwrap_or_default(),
        types: Types::new(definition.types.iter().map(|(word, means)| (word.clone(), *means)))?,
        urgent: definition.urgent_reasons.iter().map(|word| word.to_lowercase()).collect(),
        declared: definition.declared(),
    })
}
