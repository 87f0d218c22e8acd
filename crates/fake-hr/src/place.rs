//! Paths backwards: puts a value where a definition's path finds it.
//!
//! Follows the same paths as `path`, of which the library keeps the inside to itself: keys, indexes, wildcards, and
//! filters of comparisons. A list gets an element that a filter accepts, or one that is there is used again; `choice`
//! says which, and whoever asks tries another where a value can then not be read back. Whether it can is for the real
//! reader to say: nothing here is trusted.

use serde_json::{Map, Value};

/// A path, in its parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Way {
    /// What is followed.
    pub(crate) steps: Vec<Step>,
    /// How many of the steps come before what `$` means in a filter.
    base: usize,
}

/// One part of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Key(String),
    Index(i64),
    Any,
    Filter(Test),
}

impl Step {
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
    steps: Vec<Step>,
}

/// What a value would have to take the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken;

impl Way {
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
        let many = self.steps.iter().position(Step::is_many);
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
        let many = self.steps.iter().position(Step::is_many).unwrap_or(self.steps.len());
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
        self.steps.iter().any(Step::is_many)
    }

    /// Takes away whatever the path leads to, filters aside.
    pub(crate) fn remove(&self, from: &mut Value) {
        if let Some((last, before)) = self.steps.split_last() {
            each(from, before, &mut |place| match (last, place) {
                (Step::Key(key), Value::Object(object)) => drop(object.remove(key)),
                (Step::Index(_) | Step::Any | Step::Filter(_), Value::Array(list)) => list.fill(Value::Null),
                (Step::Any, Value::Object(object)) => object.clear(),
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
            Some(Step::Filter(test)) => Some(test),
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
type Wanted = Vec<(Vec<Step>, Value)>;

fn at(
    place: &mut Value,
    steps: &[Step],
    choice: &mut usize,
    wanted: &mut Wanted,
    then: &mut dyn FnMut(&mut Value) -> Result<(), Taken>,
) -> Result<(), Taken> {
    let Some((step, rest)) = steps.split_first() else { return then(place) };
    match step {
        Step::Key(key) => {
            let below = object(place)?.entry(key.clone()).or_insert(Value::Null);
            at(below, rest, choice, wanted, then)
        }
        Step::Index(index) => {
            let list = list(place)?;
            let index = usize::try_from(*index).unwrap_or_default(); // the last of one is the first
            while list.len() <= index {
                list.push(Value::Null);
            }
            at(list.get_mut(index).ok_or(Taken)?, rest, choice, wanted, then)
        }
        Step::Any => at(element(place, choice)?, rest, choice, wanted, then),
        Step::Filter(test) => {
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

fn each(place: &mut Value, steps: &[Step], take: &mut dyn FnMut(&mut Value)) {
    let Some((step, rest)) = steps.split_first() else { return take(place) };
    match (step, place) {
        (Step::Key(key), Value::Object(object)) => {
            object.get_mut(key).into_iter().for_each(|below| each(below, rest, take));
        }
        (Step::Index(_) | Step::Any | Step::Filter(_), Value::Array(list)) => {
            list.iter_mut().for_each(|below| each(below, rest, take));
        }
        (Step::Any | Step::Filter(_), Value::Object(object)) => {
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

/// Reads a path from left to right.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn eat(&mut self, word: &str) -> bool {
        let there = self.rest().starts_with(word);
        self.at += if there { word.len() } else { 0 };
        there
    }

    fn blanks(&mut self) {
        while self.eat(" ") {}
    }

    fn refused<T>(&self) -> Result<T, String> {
        Err(format!("{:?} of the path {:?} cannot be followed backwards", self.rest(), self.text))
    }

    /// One step; the first of a path has no dot before it.
    fn step(&mut self, first: bool) -> Result<Step, String> {
        if self.eat("[") {
            let step = self.bracket()?;
            self.blanks();
            return if self.eat("]") { Ok(step) } else { self.refused() };
        }
        if !first && !self.eat(".") {
            return self.refused();
        }
        if self.eat("*") {
            return Ok(Step::Any);
        }
        // A key of a definition's path may hold what a name of RFC 9535 may not, such as `/root/id`.
        let rest = self.rest();
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        match rest.get(..end) {
            Some(key) if !key.is_empty() => {
                self.at += end;
                Ok(Step::Key(key.to_owned()))
            }
            _ => self.refused(),
        }
    }

    fn bracket(&mut self) -> Result<Step, String> {
        self.blanks();
        if self.eat("*") {
            Ok(Step::Any)
        } else if self.eat("?") {
            Ok(Step::Filter(self.either()?))
        } else if self.rest().starts_with(['\'', '"']) {
            match self.literal()? {
                Value::String(key) => Ok(Step::Key(key)),
                _ => self.refused(),
            }
        } else {
            match self.literal()?.as_i64() {
                Some(index) => Ok(Step::Index(index)),
                None => self.refused(),
            }
        }
    }

    fn either(&mut self) -> Result<Test, String> {
        let mut tests = vec![self.all()?];
        while self.eat("||") {
            tests.push(self.all()?);
        }
        Ok(Test::Either(tests))
    }

    fn all(&mut self) -> Result<Test, String> {
        let mut tests = vec![self.test()?];
        while self.eat("&&") {
            tests.push(self.test()?);
        }
        Ok(Test::All(tests))
    }

    fn test(&mut self) -> Result<Test, String> {
        self.blanks();
        let turned = self.eat("!");
        self.blanks();
        let test = if self.eat("(") {
            let inside = self.either()?;
            if !self.eat(")") {
                return self.refused();
            }
            inside
        } else {
            self.comparison()?
        };
        self.blanks();
        Ok(if turned { Test::Other } else { test })
    }

    fn comparison(&mut self) -> Result<Test, String> {
        let left = self.side()?;
        self.blanks();
        let Some(sign) = ["==", "!=", "<=", ">=", "<", ">"].into_iter().find(|sign| self.eat(sign)) else {
            return Ok(match left {
                Side::Place(operand) => Test::There(operand),
                _ => Test::Other,
            });
        };
        self.blanks();
        let right = self.side()?;
        Ok(match (left, sign, right) {
            (Side::Place(place), "==" | "<=" | ">=", Side::Value(value))
            | (Side::Value(value), "==" | "<=" | ">=", Side::Place(place)) => Test::Is(place, value),
            _ => Test::Other,
        })
    }

    fn side(&mut self) -> Result<Side, String> {
        let rest = self.rest();
        if self.eat("@") || self.eat("$") {
            let mut steps = Vec::new();
            while self.rest().starts_with(['.', '[']) {
                steps.push(self.named()?);
            }
            return Ok(Side::Place(Operand { from_base: rest.starts_with('$'), steps }));
        }
        let word = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        if rest.get(word..).is_some_and(|after| after.starts_with('(')) && word > 0 {
            let end = rest.find(')').ok_or("a bracket is not closed")?; // length(@.x): no function takes one
            self.at += end + 1;
            return Ok(Side::Counted);
        }
        Ok(Side::Value(self.literal()?))
    }

    /// A step within a filter, where names end at signs and blanks too.
    fn named(&mut self) -> Result<Step, String> {
        if self.rest().starts_with('[') {
            return self.step(true);
        }
        self.eat(".");
        let rest = self.rest();
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let end = rest.find(|c: char| !plain(c)).unwrap_or(rest.len());
        match rest.get(..end) {
            Some(key) if !key.is_empty() => {
                self.at += end;
                Ok(Step::Key(key.to_owned()))
            }
            _ => self.refused(),
        }
    }

    fn literal(&mut self) -> Result<Value, String> {
        let rest = self.rest();
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            let inside = rest.get(1..).unwrap_or_default();
            let end = inside.find(quote).ok_or("a quote is not closed")?;
            self.at += end + 2;
            return Ok(Value::from(inside.get(..end).unwrap_or_default()));
        }
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '+' | '.')).unwrap_or(rest.len());
        let value = rest.get(..end).and_then(|word| serde_json::from_str(word).ok());
        self.at += end;
        value.map_or_else(|| self.refused(), Ok)
    }
}

/// A side of a comparison.
enum Side {
    Place(Operand),
    Value(Value),
    /// What a function makes of something.
    Counted,
}

#[cfg(test)]
mod tests;
