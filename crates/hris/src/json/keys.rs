//! The keys of a page's objects: where each leads, and which of them tell of the whole answer.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Visitor};
use serde_json::Value;

use super::paths::Node;

/// Where a key of an object leads.
pub(super) enum Place<'p> {
    /// Something is wanted there.
    Wanted(&'p Node),
    /// Nothing is wanted there, but it may say that the whole answer failed.
    Verdict(Verdict),
    /// Nothing of interest.
    Other,
}

/// A value at the top of an answer by which systems say with status 200 that they failed.
#[derive(Clone, Copy)]
pub(super) enum Verdict {
    /// `error`, `errors`: anything but nothing.
    Error,
    /// `success`, `ok`: false.
    Success,
    /// `status`: a word such as `error`, next to a list.
    Status,
}

impl Verdict {
    fn of(key: &str, single: bool) -> Option<Self> {
        match key {
            "error" | "errors" => Some(Self::Error),
            "success" | "ok" => Some(Self::Success),
            "status" if !single => Some(Self::Status),
            _ => None,
        }
    }

    pub(super) fn fails(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Error, Value::Null | Value::Bool(false)) => false,
            (Self::Error, Value::String(text)) => !text.is_empty(),
            (Self::Error, Value::Array(list)) => !list.is_empty(),
            (Self::Error, Value::Object(object)) => !object.is_empty(),
            (Self::Error, Value::Number(number)) => number.as_i64() != Some(0),
            (Self::Error, Value::Bool(true)) => true,
            (Self::Success, value) => *value == Value::Bool(false),
            (Self::Status, value) => {
                let words = ["error", "fail", "failed", "failure"];
                value.as_str().is_some_and(|word| words.iter().any(|other| word.eq_ignore_ascii_case(other)))
            }
        }
    }
}

/// Follows a key of an object to the place it leads to, if anything is wanted there.
pub(super) struct Key<'p>(pub(super) &'p Node);

impl<'de, 'p> DeserializeSeed<'de> for Key<'p> {
    type Value = Option<&'p Node>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for Key<'p> {
    type Value = Option<&'p Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.branch(key))
    }
}

/// The same at the top of an answer, where a key may tell of the whole.
pub(super) struct TopKey<'p> {
    pub(super) node: &'p Node,
    /// The whole page is one record.
    pub(super) single: bool,
}

impl<'de, 'p> DeserializeSeed<'de> for TopKey<'p> {
    type Value = Place<'p>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for TopKey<'p> {
    type Value = Place<'p>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(match self.node.branch(key) {
            Some(node) => Place::Wanted(node),
            None => Verdict::of(key, self.single).map_or(Place::Other, Place::Verdict),
        })
    }
}
