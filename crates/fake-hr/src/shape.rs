//! A definition backwards: records that it reads as somebody of the company.
//!
//! Everybody of one shape (status, whether there is a last day, kind of employment, …) has the same records but for the
//! texts in them. So a shape is worked out once: values are put where the definition's paths lead, and read back with
//! the very reader that an answer is read with; what does not come back as it was meant is tried in another way.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::place::Way;
use domain::employee::{EmploymentType, Status};
use hris::definition::{self, Definition, StatusRule, Verdict};
use hris::json::{self, Paths, Taken};
use hris::path::{Path, plain};
use hris::row::{Row, Slot};

/// What the records of one person have to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// What the company says of the status.
    pub(crate) status: Status,
    /// They start today or later.
    pub(crate) later: bool,
    /// There is a last day.
    pub(crate) ends: bool,
    /// There is a planned end of a contract.
    pub(crate) contract: bool,
    /// They have a manager.
    pub(crate) managed: bool,
    /// They had to go at once.
    pub(crate) urgent: bool,
    /// Kind of employment.
    pub(crate) kind: EmploymentType,
    /// Which list they are on, where any would do.
    pub(crate) turn: usize,
}

/// A text that is another one in the records of each person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// What is said of them there.
    Text(Slot),
    /// The key under which a lookup has it.
    Key(Slot),
    /// First name.
    First,
    /// Last name.
    Last,
}

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
    ways: Vec<Way>,
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
pub(crate) struct Backwards {
    definition: Definition,
    items: Vec<Item>,
    readers: Vec<Paths>,
    /// The records as they begin: a filter that finds them may ask for something.
    begun: Vec<Json>,
    /// Ways to what joins and details are asked about, in a person's record; and to the same in theirs, if it is there.
    of: Vec<Way>,
    keys: Vec<Option<Way>>,
}

/// Most ways of putting the values that are tried for one shape.
const MOST_TRIES: usize = 4000;
/// Most elements of a list that are tried for one value.
const MOST_ELEMENTS: usize = 24;
/// Most ways of giving values to what rules look at.
const MOST_INPUTS: usize = 4096;

impl Hole {
    /// What stands in its place until a person is written. No name or word holds characters of private use.
    pub(crate) fn mark(self) -> String {
        let number = match self {
            Self::Text(slot) => slot as usize,
            Self::Key(slot) => 100 + slot as usize,
            Self::First => 200,
            Self::Last => 201,
        };
        format!("\u{e000}{number}\u{e001}")
    }

    /// The hole of a mark.
    pub(crate) fn of(mark: &str) -> Option<Self> {
        let all = Slot::ALL.iter().copied().flat_map(|slot| [Self::Text(slot), Self::Key(slot)]);
        all.chain([Self::First, Self::Last]).find(|hole| hole.mark() == mark)
    }
}

impl Backwards {
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
                let ways = value.paths.iter().map(|path| Way::parse(path)).collect::<Result<_, _>>();
                let ways =
                    ways.map_err(|why| format!("{place}{}{name}: {why}", if place.is_empty() { "" } else { "." }))?;
                items.push(Item { record, what, value: value.clone(), ways });
            }
        }
        let records = 1 + definition.joins.len() + definition.details.len();
        let readers = (0..records).map(|record| reader(&items, record)).collect::<Result<_, _>>()?;
        let way =
            |place: &str, name: &str, path: &str| Way::parse(path).map_err(|why| format!("{place}.{name}: {why}"));
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
        Err(format!("nobody can be {:?}{}", shape.status, if shape.ends { " with a last day" } else { "" }))
    }

    /// What the status may say of such a person, the best first; none, where they are not listed.
    fn statuses(&self, shape: Shape) -> Option<Vec<Option<Status>>> {
        let offered = self.definition.offered();
        let gone = shape.status == Status::Terminated;
        if !offered.contains(&Slot::Status) {
            let dated = [Slot::TerminationDate, Slot::LastWorkingDay].iter().any(|slot| offered.contains(slot));
            return (dated || !gone).then(|| vec![None]);
        }
        let can = |status: &Status| meanings(&self.definition).any(|meaning| Status::from(meaning) == *status);
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
                rule.map(|rule| Status::from(told(*rule, shape.later)))
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
        let ways = domains.iter().map(Vec::len).product::<usize>().min(MOST_INPUTS);
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
            if ruled.is_none_or(|said| meant.map(Status::from) == Some(said))
                && ends_when.is_none_or(|when| self.fits(when, &wishes))
                && let Some(records) = self.placed(&wishes)
            {
                return Some(records);
            }
        }
        None
    }

    /// What a slot has to say.
    fn wish(&self, slot: Slot, value: &definition::Value, shape: Shape, said: Option<Status>) -> Wish {
        let definition = &self.definition;
        let there = match slot {
            Slot::TerminationDate | Slot::LastWorkingDay => shape.ends,
            Slot::ContractEnd => shape.contract,
            Slot::ManagerId | Slot::ManagerEmail => shape.managed,
            _ => true,
        };
        let words = |words: Vec<&String>| match words.is_empty() {
            true => Wish::Nothing,
            false => Wish::One(words.into_iter().flat_map(|word| written(word, value)).collect()),
        };
        match slot {
            _ if !there => Wish::Nothing,
            Slot::Status => {
                let fits = |rule: &StatusRule| Some(Status::from(told(*rule, shape.later))) == said;
                words(definition.statuses.iter().filter(|(_, rule)| fits(rule)).map(|(word, _)| word).collect())
            }
            Slot::EmploymentType => {
                words(definition.types.iter().filter(|(_, kind)| **kind == shape.kind).map(|(word, _)| word).collect())
            }
            Slot::TerminationReason if shape.urgent => words(definition.urgent_reasons.iter().collect()),
            Slot::TerminationReason => Wish::Nothing,
            Slot::FullName if !value.first && value.paths.len() > 1 => Wish::Name,
            _ if value.lookup.is_some() => Wish::One(vec![Hole::Key(slot).mark().into()]),
            _ => Wish::One(vec![Hole::Text(slot).mark().into()]),
        }
    }

    /// What an input may be: the words that rules ask for, something else, nothing; and where a field has the same
    /// place, what that field is.
    fn domain(&self, at: usize, wishes: &[Wish]) -> Vec<Wish> {
        let Some(item) = self.items.get(at) else { return Vec::new() };
        let same = |other: &&Item| {
            other.record == item.record && other.value.paths == item.value.paths && matches!(other.what, What::Slot(_))
        };
        let twin = self.items.iter().position(|other| same(&other)).and_then(|at| wishes.get(at));
        match twin {
            Some(Wish::One(texts)) => return texts.iter().map(|text| Wish::One(vec![text.clone()])).collect(),
            Some(Wish::Nothing) => return vec![Wish::Nothing],
            Some(Wish::Name | Wish::Any) | None => {}
        }
        let What::Input(name) = &item.what else { return Vec::new() };
        let rules = self.definition.rules.iter().filter_map(|rule| rule.when.get(name));
        let tests = rules.chain(self.definition.end_date_when.get(name));
        let mut words: Vec<&String> = Vec::new();
        let mut filler = false;
        for test in tests {
            match test {
                definition::Test::Is(more) => words.extend(more.iter()),
                definition::Test::Filled | definition::Test::Empty => filler = true,
            }
        }
        let words = words.into_iter().map(|word| Wish::One(written(word, &item.value)));
        let filler = filler.then(|| Wish::One(vec!["something".into()]));
        words.chain(filler).chain([Wish::Nothing]).collect()
    }

    fn fits(&self, when: &BTreeMap<String, definition::Test>, wishes: &[Wish]) -> bool {
        when.iter().all(|(name, test)| {
            let at = self.items.iter().position(|item| matches!(&item.what, What::Input(input) if input == name));
            let Some((item, wish)) = at.and_then(|at| Some((self.items.get(at)?, wishes.get(at)?))) else {
                return false;
            };
            match (test, wish) {
                (definition::Test::Is(words), Wish::One(texts)) => {
                    let wanted = |text: &Json| words.iter().any(|word| written(word, &item.value).contains(text));
                    texts.iter().all(wanted)
                }
                (definition::Test::Filled, wish) => matches!(wish, Wish::One(_)),
                (definition::Test::Empty, wish) => matches!(wish, Wish::Nothing),
                _ => false,
            }
        })
    }

    /// Puts every value where it belongs.
    fn placed(&self, wishes: &[Wish]) -> Option<Placed> {
        // First what must be empty, which every later step then checks; words before texts, since filters ask for them.
        let rank = |wish: &Wish| match wish {
            Wish::Nothing => 0,
            Wish::One(texts) if texts.iter().all(|text| !is_mark(text)) => 1,
            Wish::One(_) => 2,
            Wish::Name => 3,
            Wish::Any => 4,
        };
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.sort_by_key(|at| wishes.get(*at).map_or(4, rank));
        order.retain(|at| wishes.get(*at) != Some(&Wish::Any));
        let mut tries = MOST_TRIES;
        let records = self.place(wishes, &order, 0, &self.begun, &mut tries)?;
        Some(Placed { records, wishes: wishes.to_vec(), order })
    }

    fn place(
        &self,
        wishes: &[Wish],
        order: &[usize],
        done: usize,
        records: &[Json],
        tries: &mut usize,
    ) -> Option<Vec<Json>> {
        let Some(at) = order.get(done) else { return Some(records.to_vec()) };
        let (item, wish) = (self.items.get(*at)?, wishes.get(*at)?);
        let placed = order.get(..=done)?;
        for parts in parts(item, wish) {
            let elements = if parts.iter().any(|(way, _)| way.has_choice()) { MOST_ELEMENTS } else { 1 };
            for choice in 0..elements {
                *tries = tries.checked_sub(1)?;
                let mut records = records.to_vec();
                let record = records.get_mut(item.record)?;
                let put = parts.iter().try_for_each(|(way, text)| way.put(record, text, choice));
                if put.is_ok()
                    && self.reads(wishes, placed, item.record, record)
                    && let Some(found) = self.place(wishes, order, done + 1, &records, tries)
                {
                    return Some(found);
                }
            }
        }
        None
    }

    /// Whether a record reads as it is meant to, as far as it is written.
    fn reads(&self, wishes: &[Wish], placed: &[usize], record: usize, written: &Json) -> bool {
        let Some(reader) = self.readers.get(record) else { return false };
        let mut row = Row::default();
        let read = json::read(written.to_string().as_bytes(), reader, &mut |found| {
            row = found.clone();
            Ok(())
        });
        let as_meant = |at: &usize| {
            let (Some(item), Some(wish)) = (self.items.get(*at), wishes.get(*at)) else { return false };
            if item.record != record {
                return true;
            }
            match (row.at(*at), wish) {
                (_, Wish::Any) | (Ok(None), Wish::Nothing) => true,
                (Ok(Some(found)), Wish::One(texts)) => texts.iter().filter_map(plain).any(|text| text == found),
                (Ok(Some(found)), Wish::Name) => found == Hole::First.mark() + &item.value.with + &Hole::Last.mark(),
                _ => false,
            }
        };
        read.is_ok() && placed.iter().all(as_meant)
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
            let there = Path::parse(path)?.first(person).and_then(plain);
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
                let put = (0..MOST_ELEMENTS).any(|choice| key.put(joined, &hole.mark().into(), choice).is_ok());
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
                let put = Way::parse(path)?.put(&mut with, &Hole::Text(day).mark().into(), 0);
                // Another day may stand there, or none be meant to.
                if put.is_ok() && self.reads(&wishes, &order, number + 1, &with) {
                    *record = with;
                }
            }
        }
        Ok((records, asked))
    }
}

/// The ways in which a wish can be put: each is some texts, and where they go.
fn parts<'i>(item: &'i Item, wish: &Wish) -> Vec<Vec<(&'i Way, Json)>> {
    match wish {
        Wish::Any | Wish::Nothing => vec![Vec::new()],
        Wish::Name => {
            let ends = item.ways.first().zip(item.ways.last());
            ends.map(|(first, last)| vec![(first, Hole::First.mark().into()), (last, Hole::Last.mark().into())])
                .into_iter()
                .collect()
        }
        Wish::One(texts) => {
            let each = |text: &Json| item.ways.iter().map(|way| vec![(way, text.clone())]).collect::<Vec<_>>();
            texts.iter().flat_map(each).collect()
        }
    }
}

fn is_mark(text: &Json) -> bool {
    text.as_str().is_some_and(|text| text.starts_with('\u{e000}'))
}

/// A word as it is written: as what it looks like, or as a text.
fn written(word: &str, value: &definition::Value) -> Vec<Json> {
    if value.lookup.is_some() {
        return vec![key(word).into()];
    }
    let plain = match serde_json::from_str::<Json>(word) {
        Ok(like @ (Json::Bool(_) | Json::Number(_))) => {
            Some(like).filter(|like| hris::path::plain(like).as_deref() == Some(word))
        }
        _ => None,
    };
    plain.into_iter().chain([Json::from(word)]).collect()
}

/// The key under which lookups have a text.
pub(crate) fn key(text: &str) -> String {
    let digest = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3) // FNV-1a
    });
    format!("k{digest:016x}")
}

fn told(rule: StatusRule, later: bool) -> Verdict {
    if later { rule.when_starts_later.unwrap_or(rule.means) } else { rule.means }
}

/// Everything a status can mean.
fn meanings(definition: &Definition) -> impl Iterator<Item = Verdict> {
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
            && let Some(test) = Way::parse(records)?.asks()
        {
            test.satisfy(&mut record).map_err(|_| format!("records: {records:?} finds no record"))?;
        }
        Ok(record)
    };
    std::iter::once(people).chain(joins).chain(details).map(begin).collect()
}
