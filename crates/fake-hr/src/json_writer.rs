//! Writes JSON by the paths of a definition: puts a value where the path finds it.
//!
//! It has a parser of its own, because the JSONPath library does not show its parsed paths. It knows keys, indexes,
//! wildcards, and filters with comparisons. In a list it makes an element that the filter accepts, or uses an existing one;
//! `choice` picks which, and the caller tries another if the value cannot be read back. Only the real reader decides that.

mod parse;

use serde_json::{Map, Value};

use self::parse::Reader;

/// A path, in its parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    /// What is followed.
    pub(crate) steps: Vec<PathSegment>,
    /// How many of the steps come before what `$` means in a filter.
    base: usize,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PathSegment {
    Key(String),
    Index(i64),
    Any,
    Filter(Test),
}

impl PathSegment {
    const fn is_many(&self) -> bool {
        matches!(self, Self::Any | Self::Filter(_))
    }
}

/// What a filter asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    All(Vec<Test>),
    Either(Vec<Test>),
    /// What stands there is this.
    Is(Operand, Value),
    /// There is something.
    There(Operand),
    /// Anything else: it holds by itself, or the path cannot be followed backwards.
    Other,
}

/// What is compared: below the element, or below the place the path begins at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operand {
    from_base: bool,
    steps: Vec<PathSegment>,
}

/// What a value would have to take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken;

impl Path {
    /// Reads a path that a definition was checked for.
    ///
    /// # Errors
    /// The part that cannot be followed backwards.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let mut steps = Vec::new();
        let mut base = None;
        while !reader.rest().is_empty() {
            let rest = reader.rest();
            if rest.starts_with(['[', '*']) && !rest.starts_with("['") && base.is_none() {
                base = Some(steps.len());
            }
            steps.push(reader.step(steps.is_empty())?);
        }
        let base = base.unwrap_or(steps.len());
        Ok(Self { steps, base })
    }

    /// Puts a value there. `choice` picks among the elements of lists, the one behind the last being new.
    ///
    /// # Errors
    /// `Taken`, where something else stands already; then nothing of the value is worth keeping.
    pub(crate) fn put(&self, into: &mut Value, value: &Value, choice: usize) -> Result<(), Taken> {
        let (before, after) = self.steps.split_at_checked(self.base).ok_or(Taken)?;
        at(into, before, &mut 0, &mut Vec::new(), &mut |base| {
            let (mut choice, mut asked) = (choice, Vec::new());
            at(base, after, &mut choice, &mut asked, &mut |place| set(place, value))?;
            asked
                .iter()
                .try_for_each(|(steps, value)| at(base, steps, &mut 0, &mut Vec::new(), &mut |place| set(place, value)))
        })
    }

    /// Puts values there so that the path leads to each of them in turn: in the list it leads to, or where it leads into
    /// lists itself, each in an element of its own.
    ///
    /// # Errors
    /// `Taken`, where something else stands already.
    pub(crate) fn list(&self, into: &mut Value, values: &[Value]) -> Result<(), Taken> {
        let many = self.steps.iter().position(PathSegment::is_many);
        match (many, values) {
            (None, values) => self.put(into, &Value::Array(values.to_vec()), 0),
            (Some(many), []) => {
                let list = Self { steps: self.steps.iter().take(many).cloned().collect(), base: self.base.min(many) };
                list.put(into, &Value::Array(Vec::new()), 0)
            }
            // The first list there is on the way gets another element for each.
            (Some(_), values) => {
                values.iter().enumerate().try_for_each(|(number, value)| self.put(into, value, number))
            }
        }
    }

    /// Hands over every record that the path leads to, as `list` puts them.
    pub(crate) fn records(&self, page: &mut Value, take: &mut dyn FnMut(&mut Value)) {
        if self.has_choice() {
            return self.each(page, take);
        }
        self.each(page, &mut |list| list.as_array_mut().into_iter().flatten().for_each(&mut *take));
    }

    /// Leaves no record where the path leads.
    pub(crate) fn clear(&self, page: &mut Value) {
        let many = self.steps.iter().position(PathSegment::is_many).unwrap_or(self.steps.len());
        each(page, self.steps.get(..many).unwrap_or_default(), &mut |list| *list = Value::Array(Vec::new()));
    }

    /// Puts a value there in the place of whatever stands there.
    ///
    /// # Errors
    /// `Taken`, where the way there is barred.
    pub(crate) fn set(&self, into: &mut Value, value: &Value) -> Result<(), Taken> {
        self.each(into, &mut |place| *place = Value::Null);
        self.put(into, value, 0)
    }

    /// Whether there is a choice of elements on the way.
    pub(crate) fn has_choice(&self) -> bool {
        self.steps.iter().any(PathSegment::is_many)
    }

    /// Takes away whatever the path leads to, filters aside.
    pub(crate) fn remove(&self, from: &mut Value) {
        if let Some((last, before)) = self.steps.split_last() {
            each(from, before, &mut |place| match (last, place) {
                (PathSegment::Key(key), Value::Object(object)) => drop(object.remove(key)),
                (PathSegment::Index(_) | PathSegment::Any | PathSegment::Filter(_), Value::Array(list)) => {
                    list.fill(Value::Null)
                }
                (PathSegment::Any, Value::Object(object)) => object.clear(),
                _ => {}
            });
        }
    }

    /// Hands over everything the path leads to, filters aside.
    pub(crate) fn each(&self, value: &mut Value, take: &mut dyn FnMut(&mut Value)) {
        each(value, &self.steps, take);
    }

    /// What a filter at the end of the path asks of every element.
    pub(crate) fn asks(&self) -> Option<&Test> {
        match self.steps.last() {
            Some(PathSegment::Filter(test)) => Some(test),
            _ => None,
        }
    }
}

impl Test {
    /// Makes an element one that the filter accepts.
    pub(crate) fn satisfy(&self, element: &mut Value) -> Result<(), Taken> {
        satisfy(self, element, &mut Vec::new())
    }
}

/// Places below the base that have to hold a value.
type Wanted = Vec<(Vec<PathSegment>, Value)>;

fn at(
    place: &mut Value,
    steps: &[PathSegment],
    choice: &mut usize,
    wanted: &mut Wanted,
    then: &mut dyn FnMut(&mut Value) -> Result<(), Taken>,
) -> Result<(), Taken> {
    let Some((step, rest)) = steps.split_first() else { return then(place) };
    match step {
        PathSegment::Key(key) => {
            let below = object(place)?.entry(key.clone()).or_insert(Value::Null);
            at(below, rest, choice, wanted, then)
        }
        PathSegment::Index(index) => {
            let list = list(place)?;
            let index = usize::try_from(*index).unwrap_or_default(); // the last of one is the first
            while list.len() <= index {
                list.push(Value::Null);
            }
            at(list.get_mut(index).ok_or(Taken)?, rest, choice, wanted, then)
        }
        PathSegment::Any => at(element(place, choice)?, rest, choice, wanted, then),
        PathSegment::Filter(test) => {
            let element = element(place, choice)?;
            satisfy(test, element, wanted)?;
            at(element, rest, choice, wanted, then)
        }
    }
}

/// The element that a choice names; the one behind the last is new. Wildcards and filters take the values of an object
/// too.
fn element<'v>(place: &'v mut Value, choice: &mut usize) -> Result<&'v mut Value, Taken> {
    let many = 1 + place.as_object().map(Map::len).or_else(|| place.as_array().map(Vec::len)).unwrap_or_default();
    let index = *choice % many;
    *choice /= many;
    if let Value::Object(object) = place {
        if index + 1 == many {
            return Ok(object.entry("another").or_insert(Value::Null));
        }
        return object.values_mut().nth(index).ok_or(Taken);
    }
    let list = list(place)?;
    if index == list.len() {
        list.push(Value::Null);
    }
    list.get_mut(index).ok_or(Taken)
}

fn satisfy(test: &Test, element: &mut Value, wanted: &mut Wanted) -> Result<(), Taken> {
    let put = |operand: &Operand, value: &Value, element: &mut Value, wanted: &mut Wanted| {
        if operand.from_base {
            wanted.push((operand.steps.clone(), value.clone()));
            return Ok(());
        }
        at(element, &operand.steps, &mut 0, &mut Vec::new(), &mut |place| set(place, value))
    };
    match test {
        Test::All(tests) => tests.iter().try_for_each(|test| satisfy(test, element, wanted)),
        Test::Either(tests) => tests.first().map_or(Ok(()), |test| satisfy(test, element, wanted)),
        Test::Is(operand, value) => put(operand, value, element, wanted),
        Test::There(operand) => match put(operand, &Value::Bool(true), element, wanted) {
            Err(Taken) => Ok(()), // something else is there, which is as good
            done => done,
        },
        Test::Other => Ok(()),
    }
}

fn each(place: &mut Value, steps: &[PathSegment], take: &mut dyn FnMut(&mut Value)) {
    let Some((step, rest)) = steps.split_first() else { return take(place) };
    match (step, place) {
        (PathSegment::Key(key), Value::Object(object)) => {
            object.get_mut(key).into_iter().for_each(|below| each(below, rest, take));
        }
        (PathSegment::Index(_) | PathSegment::Any | PathSegment::Filter(_), Value::Array(list)) => {
            list.iter_mut().for_each(|below| each(below, rest, take));
        }
        (PathSegment::Any | PathSegment::Filter(_), Value::Object(object)) => {
            object.values_mut().for_each(|below| each(below, rest, take));
        }
        _ => {}
    }
}

fn object(place: &mut Value) -> Result<&mut Map<String, Value>, Taken> {
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    place.as_object_mut().ok_or(Taken)
}

fn list(place: &mut Value) -> Result<&mut Vec<Value>, Taken> {
    if place.is_null() {
        *place = Value::Array(Vec::new());
    }
    place.as_array_mut().ok_or(Taken)
}

fn set(place: &mut Value, value: &Value) -> Result<(), Taken> {
    if place.is_null() {
        *place = value.clone();
    }
    if place == value { Ok(()) } else { Err(Taken) }
}

#[cfg(test)]
mod tests;
