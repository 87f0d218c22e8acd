//! Reads the text of a path into its steps.

use serde_json::Value;

use super::{Operand, PathSegment, Test};
use domain::quote::quoted;

/// Reads a path from left to right.
pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

impl<'t> Reader<'t> {
    pub(super) fn rest(&self) -> &'t str {
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
        Err(format!("{} of the path {} cannot be followed backwards", quoted(self.rest()), quoted(self.text)))
    }

    /// One step; the first of a path has no dot before it.
    pub(super) fn step(&mut self, first: bool) -> Result<PathSegment, String> {
        if self.eat("[") {
            let step = self.bracket()?;
            self.blanks();
            return if self.eat("]") { Ok(step) } else { self.refused() };
        }
        if !first && !self.eat(".") {
            return self.refused();
        }
        if self.eat("*") {
            return Ok(PathSegment::Any);
        }
        // A key of a definition's path may hold what a name of RFC 9535 may not, such as `/root/id`.
        let rest = self.rest();
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        match rest.get(..end) {
            Some(key) if !key.is_empty() => {
                self.at += end;
                Ok(PathSegment::Key(key.to_owned()))
            }
            _ => self.refused(),
        }
    }

    fn bracket(&mut self) -> Result<PathSegment, String> {
        self.blanks();
        if self.eat("*") {
            Ok(PathSegment::Any)
        } else if self.eat("?") {
            Ok(PathSegment::Filter(self.either()?))
        } else if self.rest().starts_with(['\'', '"']) {
            match self.literal()? {
                Value::String(key) => Ok(PathSegment::Key(key)),
                _ => self.refused(),
            }
        } else {
            match self.literal()?.as_i64() {
                Some(index) => Ok(PathSegment::Index(index)),
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
    fn named(&mut self) -> Result<PathSegment, String> {
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
                Ok(PathSegment::Key(key.to_owned()))
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
