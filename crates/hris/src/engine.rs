//! Follows a definition: reads the lists it names, completes each record from the others, and maps it.
//!
//! Knows no vendor. A definition is compiled once a poll into a `CompiledDefinition`: which cell of a row each value fills, and
//! where each list is found. An answer is whole or it is a failure.

mod plan;
mod readings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use jiff::civil::Date;
use reqwest::Identity;

use self::plan::{About, CompiledDefinition, NAME};
pub use self::readings::{Purpose, Reading};
use super::ApiSource;
use super::definition::Definition;
use super::http::{Throttle, Transport};
use super::mapping::{self, Mapper, Test};
use super::pages::{Pages, Walked};
use super::path::Path;
use super::row::{Row, Slot};
use super::session::{self, Session};
use super::tables::{Chosen, Merge, Table};
use domain::employee::{Failure, Read};

/// Whether a source can be read as it is described, before anything is asked.
///
/// # Errors
/// In words for the author of the connection: everything that is missing, unknown or of the wrong form.
pub fn check(source: &ApiSource) -> Result<(), String> {
    let definition = &source.definition;
    let plan = |values| CompiledDefinition::new(definition, &values, Date::MIN).map(|_| ());
    let values = definition.resolve(&source.parameters);
    let signing = session::check(source, values.as_ref().unwrap_or(&source.parameters)).err();
    let found: Vec<String> = values.and_then(plan).err().into_iter().chain(signing).collect();
    if found.is_empty() { Ok(()) } else { Err(found.join("; ")) }
}

/// The certificate that is shown to the source, where it wants one.
///
/// # Errors
/// `Missing` and `Unauthorised`, when a parameter or key of the Secret is missing or unfit.
pub fn identity(source: &ApiSource) -> Result<Option<Identity>, Failure> {
    let values = source.definition.resolve(&source.parameters).map_err(Failure::Missing)?;
    session::identity(source, &values).map_err(Failure::Unauthorised)
}

/// How the source asks to come back later.
pub fn throttle(definition: &Definition) -> Throttle {
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
pub async fn read(source: &ApiSource, transport: &Arc<Transport>, as_of: Date) -> Result<Read, Failure> {
    let definition = &source.definition;
    let values = definition.resolve(&source.parameters).map_err(Failure::Missing)?;
    let plan = CompiledDefinition::new(definition, &values, as_of).map_err(Failure::WrongFormat)?;
    let session = Session::new(source, &values, transport)?;

    let mut tables = Tables::default();
    for lookup in &plan.lookups {
        tables.lookups.push(table(&lookup.pages, &session, lookup.key).await?);
    }
    let mut refused = Vec::new();
    for join in &plan.joins {
        match (table(&join.pages, &session, join.key).await, &join.refused) {
            (Err(Failure::Forbidden), Some(facts)) => {
                refused.extend(facts);
                tables.joins.push(Table::default());
            }
            (read, _) => tables.joins.push(read?),
        }
    }
    let CompiledDefinition { people, details, steps, versions, form, .. } = plan;
    let complete = Arc::new(Complete { tables, steps });
    let mut mapper = Mapper::new(form, as_of);
    mapper.refused(refused);
    let (mut mapper, announced) = if details.is_empty() && versions.is_none() {
        straight(&people, &session, complete, mapper).await?
    } else {
        let base = definition.base(&values).map_err(Failure::Missing)?;
        let at_once = definition.throttling.concurrency.unwrap_or(1).into();
        let asked = PersonRequests { session: &session, details: &details, base: &base, values: &values, at_once };
        detailed((&people, versions.as_ref()), &asked, &complete, mapper).await?
    };
    announced.into_iter().for_each(|total| mapper.announce(total));
    let mut read = mapper.finish()?;
    read.remarks.extend(definition.otherwise.iter().cloned());
    Ok(read)
}

/// Maps pages of the first list that were fetched already, one by one.
///
/// # Errors
/// See `Failure`.
pub fn map(
    definition: &Definition,
    parameters: &BTreeMap<String, String>,
    pages: impl IntoIterator<Item: AsRef<[u8]>>,
    as_of: Date,
) -> Result<Read, Failure> {
    let values = definition.resolve(parameters).map_err(Failure::Missing)?;
    let CompiledDefinition { people, steps, form, .. } =
        CompiledDefinition::new(definition, &values, as_of).map_err(Failure::WrongFormat)?;
    let complete = Complete { tables: Tables::default(), steps };
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
        walked.leaves_some()?;
        totals.push(walked.announced());
    }
    Ok((state.0, totals.into_iter().sum()))
}

/// What is asked about each person, and how.
struct PersonRequests<'a> {
    session: &'a Session,
    details: &'a [About],
    base: &'a str,
    values: &'a BTreeMap<String, String>,
    at_once: usize,
}

impl PersonRequests<'_> {
    /// The pages of what is asked about these people.
    fn pages(&self, detail: &About, people: &[&str]) -> Result<Pages, Failure> {
        let About { words, paths, .. } = detail;
        let (about, paging) = (Some(("of", people)), words.paging.as_ref());
        let pages = Pages::about(self.base, &words.request, self.values, about, paging, Arc::clone(paths));
        pages.map_err(Failure::WrongFormat)
    }

    /// Asks about many of them at once. Who is not in the response has nothing of it.
    async fn together(&self, detail: &About, most: u16, rows: &mut [Row]) -> Result<(), Failure> {
        for some in rows.chunks_mut(usize::from(most).max(1)) {
            let people: BTreeSet<_> = some.iter().filter_map(|row| row.at(detail.of).ok().flatten()).collect();
            let people: Vec<_> = people.into_iter().collect();
            if people.is_empty() {
                continue;
            }
            let found = table(&self.pages(detail, &people)?, self.session, detail.key).await?;
            some.iter_mut().for_each(|row| detail.merge.join(row, detail.of, &found));
        }
        Ok(())
    }

    /// Asks about one person; none, where the source no longer has them: they were removed after the list was read.
    async fn about(&self, mut row: Row) -> Result<Option<Row>, Failure> {
        for detail in self.details.iter().filter(|detail| detail.words.together.is_none()) {
            let Ok(Some(of)) = row.at(detail.of) else { continue };
            let found = match self.pages(detail, &[of])?.walk(self.session, Vec::new(), keep).await {
                Err(Failure::Missing(_) | Failure::Status(404 | 410 | 412)) => return Ok(None),
                walked => walked?.0,
            };
            detail.merge.apply(&mut row, &found);
        }
        Ok(Some(row))
    }
}

/// Reads the people of all lists, then asks about each of them. Of several records of one person the one that counts is
/// kept, where the definition says which.
async fn detailed(
    (people, versions): (&[Pages], Option<&Chosen>),
    asked: &PersonRequests<'_>,
    complete: &Complete,
    mut mapper: Mapper,
) -> Result<(Mapper, Option<usize>), Failure> {
    let (mut rows, mut totals) = (Vec::new(), Vec::new());
    for pages in people {
        let walked;
        (rows, walked) = pages.walk(asked.session, rows, keep).await?;
        walked.leaves_some()?;
        totals.push(walked.announced());
    }
    let mut total: Option<usize> = totals.into_iter().sum();
    if let Some(chosen) = versions {
        let all = rows.len();
        rows = chosen.one_each(rows, Slot::EmployeeId as usize);
        total = total.map(|total| total.saturating_sub(all - rows.len()));
    }
    for detail in asked.details {
        if let Some(together) = &detail.words.together {
            asked.together(detail, together.most, &mut rows).await?;
        }
    }
    let mut answers = stream::iter(rows).map(|row| asked.about(row)).buffered(asked.at_once);
    while let Some(row) = answers.next().await {
        let position = mapper.records() + 1;
        let Some(mut row) = row? else {
            mapper.set_aside(position, "what is asked about this person is gone (404, 410 or 412)".to_owned());
            continue;
        };
        complete.finish(&mut row);
        mapper.take(position, &row)?;
    }
    drop(answers);
    Ok((mapper, total))
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
    let (state, Walked { records, total, .. }) =
        pages.walk(session, (Table::default(), key), |(table, key), row| table.insert(*key, row)).await?;
    match total {
        Some(total) if total != records => {
            Err(Failure::Truncated(format!("a further list has {records} of {total} records")))
        }
        _ => Ok(state.0),
    }
}

/// What was read besides the people, in the order of the plan.
#[derive(Default)]
struct Tables {
    lookups: Vec<Table>,
    joins: Vec<Table>,
}

/// Completes a person's row.
struct Complete {
    tables: Tables,
    steps: RowSteps,
}

/// What is done to a row before it is mapped.
#[derive(Default)]
struct RowSteps {
    /// A cell that names the person in a join, and what is taken over from there.
    merges: Vec<(usize, Merge)>,
    /// A cell, and the lookup that has the name for it.
    named: Vec<(usize, usize)>,
    /// Inputs whose words are counted where no rule fits.
    told_by: Vec<usize>,
    /// What has to hold for an end date to be read.
    ends_when: Vec<(usize, Test)>,
}

/// The slots of an end date.
const ENDS: [Slot; 2] = [Slot::TerminationDate, Slot::LastWorkingDay];

impl Complete {
    fn finish(&self, row: &mut Row) {
        for ((of, merge), table) in self.steps.merges.iter().zip(&self.tables.joins) {
            merge.join(row, *of, table);
        }
        for (cell, lookup) in &self.steps.named {
            let Ok(Some(id)) = row.at(*cell) else { continue };
            let name = self.tables.lookups.get(*lookup).and_then(|table| table.get(id).first());
            match name.and_then(|row| row.at(NAME).ok().flatten()).map(str::to_owned) {
                Some(name) => row.put(*cell, Some(&name)),
                None => row.drop(*cell), // an id in a name's place would mean nothing
            }
        }
        let holds = |(cell, test): &(usize, Test)| row.at(*cell).is_ok_and(|text| test.holds(text));
        if !self.steps.ends_when.iter().all(holds) {
            ENDS.into_iter().for_each(|end| row.drop(end as usize));
        }
        if !self.steps.told_by.is_empty() {
            let words: Vec<_> = self.steps.told_by.iter().filter_map(|cell| row.at(*cell).ok().flatten()).collect();
            let words = words.join(" / ");
            row.set(Slot::Status, &words);
        }
    }
}
