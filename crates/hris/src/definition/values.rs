//! The words of a definition that say how a value is taken from a record.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How a value is taken from a record: a path, a list of paths whose texts are joined by a blank, or in more words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Where it stands, in one part or several.
    pub paths: Vec<String>,
    /// The first part that is not empty, instead of all of them.
    pub first: bool,
    /// What stands between the parts.
    pub with: String,
    /// The lookup that has the name for what stands there.
    pub lookup: Option<String>,
    /// Words that stand for nothing.
    pub none: Vec<String>,
}

impl Value {
    /// What stands at a plain key.
    pub(crate) fn at(key: String) -> Self {
        Self::of(vec![key])
    }

    /// The parts, joined by a blank.
    fn of(paths: Vec<String>) -> Self {
        Self { paths, first: false, with: blank(), lookup: None, none: Vec::new() }
    }
}

fn blank() -> String {
    " ".to_owned()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Words {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    join: Vec<String>,
    #[serde(default)]
    first_of: Vec<String>,
    #[serde(default)]
    with: Option<String>,
    #[serde(default)]
    lookup: Option<String>,
    #[serde(default)]
    none: Vec<String>,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, a list of paths, or one of path, join and firstOf, with lookup, none and with")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Value, E> {
                Ok(Value::of(vec![path.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Value::of)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
                let Words { path, join, first_of, with, lookup, none } =
                    Words::deserialize(MapAccessDeserializer::new(map))?;
                let first = !first_of.is_empty();
                let given = usize::from(path.is_some()) + usize::from(!join.is_empty()) + usize::from(first);
                if given != 1 {
                    return Err(A::Error::custom("exactly one of path, join and firstOf"));
                }
                if with.is_some() && join.is_empty() {
                    return Err(A::Error::custom("with stands between the parts of a join"));
                }
                let paths = path.into_iter().chain(join).chain(first_of).collect();
                Ok(Value { paths, first, with: with.unwrap_or_else(blank), lookup, none })
            }
        }
        deserializer.deserialize_any(Any)
    }
}
