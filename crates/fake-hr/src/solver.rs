//! The inverse of a definition: finds records that the definition reads as a given person of the company.
//!
//! All people of one shape (status, whether there is a last day, kind of employment, …) have the same records except for
//! texts. So each shape is solved once: values are put where the definition's paths lead, and read back with the reader of
//! real responses; a value that is read differently is put in another place.

mod search;
mod shape;
mod wishes;

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

pub(crate) use self::shape::{Hole, Shape};
#[cfg(test)]
pub(crate) use self::wishes::SIGNED_IN;
use self::wishes::told;
use super::json_writer::Path;
use domain::employee::Status;
use domain::quote::quoted;
use hris::definition::{self, Definition};
use hris::json::{Paths, Taken};
use hris::path::{self, plain};
use hris::row::Slot;

/// The records of a shape.
#[derive(Debug)]
pub(crate) struct Solved {
    /// The list of people they are on.
    pub(crate) list: usize,
    /// What their status says; none where the source has no status.
    pub(crate) said: Option<Status>,
    /// Their own record, then one of each join and of each detail, in the order of their names.
    pub(crate) records: Vec<Json>,
    /// What a detail is asked about, in their order.
    pub(crate) asked: Vec<Hole>,
    /// What had to be left open: the definition has a place for it, and yet it cannot be said together with the rest.
    pub(crate) open: Vec<Slot>,
}

/// A value of the definition: where it goes, and in which record.
struct Item {
    record: usize,
    what: What,
    value: definition::Value,
    ways: Vec<Path>,
}

#[derive(Clone, PartialEq, Eq)]
enum What {
    Slot(Slot),
    Input(String),
}

/// Records with everything in them that is read, and what that is.
struct Placed {
    records: Vec<Json>,
    wishes: Vec<Wish>,
    order: Vec<usize>,
}

/// What a value has to be.
#[derive(Clone, Debug, PartialEq)]
enum Wish {
    /// Nobody minds.
    Any,
    /// There is none.
    Nothing,
    /// One of these.
    One(Vec<Json>),
    /// The name, in two parts where there are two.
    Name,
}

/// A definition, made ready.
pub(crate) struct InverseDefinition {
    definition: Definition,
    items: Vec<Item>,
    readers: Vec<Paths>,
    /// The records as they begin: a filter that finds them may ask for something.
    begun: Vec<Json>,
    /// Ways to what joins and details are asked about, in a person's record; and to the same in theirs, if it is there.
    of: Vec<Path>,
    keys: Vec<Option<Path>>,
}

/// Most ways of putting the values that are tried for one shape.
const MAX_TRIES: usize = 4000;
/// Most elements of a list that are tried for one value.
const MAX_ELEMENTS: usize = 24;
/// Most ways of giving values to what rules look at.
const MAX_INPUTS: usize = 4096;

impl InverseDefinition {
    /// # Errors
    /// The place in the definition that cannot be followed backwards, and why.
    pub(crate) fn new(definition: &Definition) -> Result<Self, String> {
        let joins = definition.joins.iter().map(|(name, join)| (format!("joins.{name}"), &join.fields, &join.inputs));
        let details = definition.details.iter();
        let details = details.map(|(name, one)| (format!("details.{name}"), &one.fields, &one.inputs));
        let own = std::iter::once((String::new(), &definition.fields, &definition.inputs));
        let mut items = Vec::new();
        for (record, (place, fields, inputs)) in own.chain(joins).chain(details).enumerate() {
            let slots = fields.iter().map(|(slot, value)| (What::Slot(*slot), slot.name(), value));
            let inputs = inputs.iter().map(|(name, value)| (What::Input(name.clone()), name.as_str(), value));
            for (what, name, value) in slots.chain(inputs) {
                let ways = value.paths.iter().map(|path| Path::parse(path)).collect::<Result<_, _>>();
                let ways =
                    ways.map_err(|why| format!("{place}{}{name}: {why}", if place.is_empty() { "" } else { "." }))?;
                items.push(Item { record, what, value: value.clone(), ways });
            }
        }
        let records = 1 + definition.joins.len() + definition.details.len();
        let readers = (0..records).map(|record| reader(&items, record)).collect::<Result<_, _>>()?;
        let way =
            |place: &str, name: &str, path: &str| Path::parse(path).map_err(|why| format!("{place}.{name}: {why}"));
        let joined = definition.joins.iter().map(|(name, join)| way("joins", name, &join.of));
        let detailed = definition.details.iter().map(|(name, detail)| way("details", name, &detail.of));
        let of = joined.chain(detailed).collect::<Result<_, _>>()?;
        let joined = definition.joins.iter().map(|(name, join)| way("joins", name, &join.key).map(Some));
        let detailed = definition.details.iter().map(|(name, detail)| {
            detail.together.as_ref().map(|together| way("details", name, &together.key)).transpose()
        });
        let keys = joined.chain(detailed).collect::<Result<_, _>>()?;
        let begun = begun(definition)?;
        Ok(Self { definition: definition.clone(), items, readers, begun, of, keys })
    }

    /// The records of a shape; none, where the source does not list such people.
    ///
    /// # Errors
    /// In words, what cannot be said although the definition has words for it.
    pub(crate) fn solve(&self, shape: Shape) -> Result<Option<Solved>, String> {
        let Some(statuses) = self.statuses(shape) else { return Ok(None) };
        // From what is needed least to what is needed more; who it is, and whether they left, is needed always.
        let open: [&[Slot]; 4] = [
            &[],
            &[Slot::EmploymentType],
            &[Slot::EmploymentType, Slot::ContractEnd],
            &[Slot::EmploymentType, Slot::ContractEnd, Slot::TerminationReason, Slot::Phone, Slot::Team],
        ];
        // Where the end date is read of some people only, it is left out for the others.
        let endless =
            (shape.ends && !self.definition.end_date_when.is_empty()).then_some(Shape { ends: false, ..shape });
        let shapes = || std::iter::once(shape).chain(endless);
        for (said, shape) in statuses.into_iter().flat_map(|said| shapes().map(move |shape| (said, shape))) {
            for open in open {
                for list in self.lists(shape, said) {
                    if let Some(placed) = self.records(shape, said, list, open) {
                        let (records, asked) = self.linked(shape, placed)?;
                        let open = open
                            .iter()
                            .copied()
                            .filter(|slot| self.items.iter().any(|item| item.what == What::Slot(*slot)));
                        return Ok(Some(Solved { list, said, records, asked, open: open.collect() }));
                    }
                }
            }
        }
        Err(format!("nobody can be {}{}", shape.status.as_str(), if shape.ends { " with a last day" } else { "" }))
    }

    /// What the status may say of such a person, the best first; none, where they are not listed.
    fn statuses(&self, shape: Shape) -> Option<Vec<Option<Status>>> {
        let offered = self.definition.offered();
        let gone = shape.status == Status::Terminated;
        if !offered.contains(&Slot::Status) {
            let dated = [Slot::TerminationDate, Slot::LastWorkingDay].iter().any(|slot| offered.contains(slot));
            return (dated || !gone).then(|| vec![None]);
        }
        let can = |status: &Status| meanings(&self.definition).any(|meaning| meaning == *status);
        let tried: &[Status] = match shape.status {
            Status::Active if shape.ends => &[Status::Active, Status::Terminated], // as of a day to come
            Status::Active => &[Status::Active],
            Status::Leave => &[Status::Leave, Status::Active],
            Status::Suspended => &[Status::Suspended, Status::Active],
            Status::Terminated => &[Status::Terminated],
        };
        let tried: Vec<_> = tried.iter().copied().filter(can).map(Some).collect();
        (!tried.is_empty()).then_some(tried)
    }

    /// The lists such a person may be on.
    fn lists(&self, shape: Shape, said: Option<Status>) -> Vec<usize> {
        let definition = &self.definition;
        let fits = |list: &usize| {
            let Some(sets) = definition.people.get(*list).map(|list| &list.sets) else { return false };
            let status = sets.get(&Slot::Status).map(|word| {
                let rule = folded(&definition.statuses, word);
                rule.map(|rule| told(*rule, shape.later))
            });
            let kind = sets.get(&Slot::EmploymentType).map(|word| folded(&definition.types, word).copied());
            status.is_none_or(|status| status == said) && kind.is_none_or(|kind| kind == Some(shape.kind))
        };
        let count = definition.people.len();
        (0..count).map(|list| (list + shape.turn) % count).filter(fits).collect()
    }

    fn records(&self, shape: Shape, said: Option<Status>, list: usize, open: &[Slot]) -> Option<Placed> {
        let sets = &self.definition.people.get(list)?.sets;
        let mut wishes: Vec<Wish> = self
            .items
            .iter()
            .map(|item| match &item.what {
                What::Slot(slot) if sets.contains_key(slot) || open.contains(slot) => Wish::Any,
                What::Slot(slot) => self.wish(*slot, &item.value, shape, said),
                What::Input(_) => Wish::Any,
            })
            .collect();
        let ends_when = Some(&self.definition.end_date_when).filter(|when| shape.ends && !when.is_empty());
        let ruled = said.filter(|_| !self.definition.rules.is_empty());
        if ruled.is_none() && ends_when.is_none() {
            return self.placed(&wishes);
        }
        let inputs: Vec<usize> = (0..self.items.len())
            .filter(|at| matches!(self.items.get(*at).map(|item| &item.what), Some(What::Input(_))))
            .collect();
        let domains: Vec<Vec<Wish>> = inputs.iter().map(|at| self.domain(*at, &wishes)).collect();
        let ways = domains.iter().map(Vec::len).product::<usize>().min(MAX_INPUTS);
        for way in 0..ways {
            let mut rest = way;
            for (at, domain) in inputs.iter().zip(&domains) {
                if let (Some(wish), Some(to)) = (domain.get(rest % domain.len()), wishes.get_mut(*at)) {
                    *to = wish.clone();
                }
                rest /= domain.len();
            }
            let first = self.definition.rules.iter().find(|rule| self.fits(&rule.when, &wishes));
            let meant =
                first.map(|rule| if shape.later { rule.when_starts_later.unwrap_or(rule.means) } else { rule.means });
            if ruled.is_none_or(|said| meant == Some(said))
                && ends_when.is_none_or(|when| self.fits(when, &wishes))
                && let Some(records) = self.placed(&wishes)
            {
                return Some(records);
            }
        }
        None
    }

    /// Lets a person's record name those of joins and details.
    fn linked(&self, shape: Shape, placed: Placed) -> Result<(Vec<Json>, Vec<Hole>), String> {
        let Placed { mut records, wishes, order } = placed;
        let id = Hole::Text(Slot::EmployeeId);
        let definition = &self.definition;
        let names = definition.joins.iter().map(|(name, join)| (format!("joins.{name}.of"), &join.of));
        let names = names.chain(definition.details.iter().map(|(name, one)| (format!("details.{name}.of"), &one.of)));
        let mut asked = Vec::new();
        for (number, ((place, path), way)) in names.zip(&self.of).enumerate() {
            let person = records.first_mut().ok_or("there is no record")?;
            let there = path::Path::parse(path)?.first(person).and_then(plain);
            let hole = match there.as_deref().map(Hole::of) {
                None => way
                    .put(person, &id.mark().into(), 0)
                    .map(|()| id)
                    .map_err(|_| format!("{place}: something stands there"))?,
                Some(Some(hole @ Hole::Text(Slot::EmployeeId | Slot::Email))) => hole,
                Some(_) => return Err(format!("{place}: what stands there is not one person's")),
            };
            if let Some(Some(key)) = self.keys.get(number) {
                let joined = records.get_mut(number + 1).ok_or("there is no record")?;
                let put = (0..MAX_ELEMENTS).any(|choice| key.put(joined, &hole.mark().into(), choice).is_ok());
                if !put {
                    return Err(format!("{}: something stands there", place.replace(".of", ".key")));
                }
            }
            if number >= definition.joins.len() {
                asked.push(hole);
            }
        }
        let chosen = definition.joins.values().map(|join| &join.choose);
        let chosen = chosen.chain(definition.details.values().map(|detail| &detail.choose));
        for (number, choose) in chosen.enumerate() {
            let Some((choose, record)) = choose.as_ref().zip(records.get_mut(number + 1)) else { continue };
            let last = choose.to.as_ref().filter(|_| shape.ends).map(|to| (to, Slot::LastWorkingDay));
            for (path, day) in std::iter::once((&choose.from, Slot::HireDate)).chain(last) {
                let mut with = record.clone();
                let put = Path::parse(path)?.put(&mut with, &Hole::Text(day).mark().into(), 0);
                // Another day may stand there, or none be meant to.
                if put.is_ok() && self.reads(&wishes, &order, number + 1, &with) {
                    *record = with;
                }
            }
        }
        Ok((records, asked))
    }
}

/// The key under which lookups have a text.
pub(crate) fn key(text: &str) -> String {
    let digest = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3) // FNV-1a
    });
    format!("k{digest:016x}")
}

/// Everything a status can mean.
fn meanings(definition: &Definition) -> impl Iterator<Item = Status> {
    let words = definition.statuses.values().flat_map(|rule| [Some(rule.means), rule.when_starts_later]);
    let rules = definition.rules.iter().flat_map(|rule| [Some(rule.means), rule.when_starts_later]);
    words.chain(rules).flatten()
}

fn folded<'m, T>(words: &'m BTreeMap<String, T>, word: &str) -> Option<&'m T> {
    words
        .iter()
        .find(|(known, _)| known.trim().to_lowercase() == word.trim().to_lowercase())
        .map(|(_, meaning)| meaning)
}

fn reader(items: &[Item], record: usize) -> Result<Paths, String> {
    let own = items.iter().enumerate().filter(|(_, item)| item.record == record);
    let taken = own.map(|(at, item)| Taken::of(&item.value, at)).collect::<Result<Vec<_>, _>>()?;
    Ok(Paths::new(None, &taken, &[], Vec::new(), items.len()))
}

/// Empty records that the paths to them find.
fn begun(definition: &Definition) -> Result<Vec<Json>, String> {
    let people = definition.people.first().map(|list| list.records.as_str());
    let joins = definition.joins.values().map(|join| Some(join.list.records.as_str()));
    let details = definition.details.values().map(|detail| detail.records.as_deref());
    let begin = |records: Option<&str>| {
        let mut record = Json::Object(Map::new());
        if let Some(records) = records
            && let Some(test) = Path::parse(records)?.asks()
        {
            test.satisfy(&mut record).map_err(|_| format!("records: {} finds no record", quoted(records)))?;
        }
        Ok(record)
    };
    std::iter::once(people).chain(joins).chain(details).map(begin).collect()
}
