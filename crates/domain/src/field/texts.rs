//! The plain texts of somebody: those of the list, and those of fields of the customer's own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Text;

/// Name of a field of the customer's own, that a connector or a column names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CustomName(Arc<str>);

impl CustomName {
    /// Longest name.
    pub const MAX: usize = 63;

    /// A name of letters, digits, `-` and `_` that begins with a letter.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let fits = name.len() <= Self::MAX && name.bytes().all(letters);
        (fits && name.starts_with(|first: char| first.is_ascii_alphabetic())).then(|| Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The member that holds fields of the customer's own.
const CUSTOM: &str = "custom";
/// Most of them.
pub const MOST_CUSTOM: usize = 16;

/// A text that many people share. The pointer is a thin one: each of them holds one for each of their texts.
pub type SharedText = Arc<Box<str>>;

/// What one person alone has: a text of the list, or of the customer's own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Own {
    Text(Text),
    Custom(CustomName),
}

/// The plain texts of somebody, or something else there is one of for each: the columns of a file. Never printed.
///
/// On the wire it is an object with a member for each text there is, and one, `custom`, for those of the customer's own;
/// members of other names are not read. What one person alone has takes no room where nobody asked for it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    shared: [Option<SharedText>; Text::SHARED],
    /// In order.
    own: Box<[(Own, Box<str>)]>,
}

impl Texts {
    /// The text, where there is one.
    #[must_use]
    pub fn get(&self, text: Text) -> Option<&str> {
        if text.shared() {
            self.shared.get(text as usize)?.as_deref().map(|text| &**text)
        } else {
            self.own.iter().find(|(own, _)| *own == Own::Text(text)).map(|(_, value)| &**value)
        }
    }

    /// A text that others hold as well, where there is one.
    #[must_use]
    pub fn shared(&self, text: Text) -> Option<&SharedText> {
        self.shared.get(text as usize).filter(|_| text.shared())?.as_ref()
    }

    /// The text of a field of the customer's own, where there is one.
    #[must_use]
    pub fn custom(&self, name: &CustomName) -> Option<&str> {
        let named = |own: &Own| matches!(own, Own::Custom(other) if other == name);
        self.own.iter().find(|(own, _)| named(own)).map(|(_, value)| &**value)
    }

    /// Puts a text there, or takes it away.
    pub fn set(&mut self, text: Text, value: Option<Box<str>>) {
        if text.shared() {
            self.share(text, value.map(Arc::new));
        } else {
            self.put(Own::Text(text), value);
        }
    }

    /// Puts a text of the customer's own there, or takes it away.
    pub fn set_custom(&mut self, name: &CustomName, value: Option<Box<str>>) {
        self.put(Own::Custom(name.clone()), value);
    }

    fn put(&mut self, own: Own, value: Option<Box<str>>) {
        if value.is_none() && self.own.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.own).into_vec();
        let at = all.partition_point(|(known, _)| *known < own);
        if all.get(at).is_some_and(|(known, _)| *known == own) {
            all.remove(at);
        }
        if let Some(value) = value {
            all.insert(at, (own, value));
        }
        self.own = all.into_boxed_slice();
    }

    /// Puts a text there that others hold as well.
    pub fn share(&mut self, text: Text, value: Option<SharedText>) {
        if !text.shared() {
            self.set(text, value.map(|value| Box::clone(&value)));
        } else if let Some(place) = self.shared.get_mut(text as usize) {
            *place = value;
        }
    }

    /// These, and one more.
    #[must_use]
    pub fn with(mut self, text: Text, value: &str) -> Self {
        self.set(text, Some(value.into()));
        self
    }

    /// Every text of the list there is, in its order.
    pub fn iter(&self) -> impl Iterator<Item = (Text, &str)> {
        Text::ALL.iter().filter_map(|text| Some((*text, self.get(*text)?)))
    }

    /// Every text of the customer's own, by its name.
    pub fn customs(&self) -> impl Iterator<Item = (&CustomName, &str)> {
        self.own.iter().filter_map(|(own, value)| match own {
            Own::Text(_) => None,
            Own::Custom(name) => Some((name, &**value)),
        })
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let custom = self.customs().map(|(name, _)| name as &dyn fmt::Debug);
        f.debug_set().entries(self.iter().map(|(text, _)| text)).entries(custom).finish()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let custom: BTreeMap<&str, &str> = self.customs().map(|(name, value)| (name.as_str(), value)).collect();
        let mut members = serializer.serialize_map(None)?;
        for (text, value) in self.iter() {
            members.serialize_entry(text.as_str(), value)?;
        }
        if !custom.is_empty() {
            members.serialize_entry(CUSTOM, &custom)?;
        }
        members.end()
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Texts, A::Error> {
                let mut texts = Texts::default();
                while let Some(word) = members.next_key::<String>()? {
                    match Text::of_word(&word) {
                        Some(text) => texts.set(text, members.next_value::<Option<Box<str>>>()?),
                        None if word == CUSTOM => {
                            let custom = members.next_value::<Option<BTreeMap<String, Box<str>>>>()?;
                            for (name, value) in custom.unwrap_or_default() {
                                if let Some(name) = CustomName::new(&name) {
                                    texts.set_custom(&name, Some(value));
                                }
                            }
                        }
                        None => {
                            members.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(texts)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The schema of an object with a member for each text, and one for those of the customer's own.
#[must_use]
pub fn schema(shortest: Option<u32>, longest: u32) -> schemars::Schema {
    let mut text = schemars::json_schema!({"type": ["string", "null"], "maxLength": longest});
    if let Some(shortest) = shortest {
        text.insert("minLength".to_owned(), shortest.into());
    }
    let member = |of: Text| {
        let mut member = text.clone();
        member.insert("description".to_owned(), of.doc().trim().into());
        (of.as_str(), member)
    };
    let mut members: BTreeMap<_, _> = Text::ALL.iter().copied().map(member).collect();
    let custom = schemars::json_schema!({
        "description": "Fields of your own, by their names: letters, digits, `-` and `_`.",
        "type": ["object", "null"],
        "maxProperties": MOST_CUSTOM,
        "additionalProperties": {"type": "string", "minLength": shortest.unwrap_or(0), "maxLength": longest},
        "x-kubernetes-validations": [{
            "rule": format!("self.all(name, size(name) <= {})", CustomName::MAX),
            "message": format!("names of fields have at most {} characters", CustomName::MAX),
        }],
    });
    members.insert(CUSTOM, custom);
    schemars::json_schema!({"type": "object", "properties": members})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_an_object_and_members_of_other_names_are_left_alone() {
        let written = serde_json::json!({"department": "Sales", "phone": null, "phaseOfTheMoon": {"full": true}});
        let texts: Texts = serde_json::from_value(written).unwrap();
        assert!(texts == Texts::default().with(Text::Department, "Sales"));
        assert_eq!(serde_json::to_value(&texts).unwrap(), serde_json::json!({"department": "Sales"}));
        assert_eq!(format!("{texts:?}"), "{Department}", "what it says is never printed");
    }

    #[test]
    fn a_field_of_the_customers_own_has_a_name_of_letters_and_stands_apart_from_the_list() {
        let written =
            serde_json::json!({"phone": "1", "custom": {"badge": "B7", "phone": "2", "bad name": "3", "7": "4"}});
        let texts: Texts = serde_json::from_value(written).unwrap();
        let name = |name| CustomName::new(name).unwrap();
        assert_eq!((texts.get(Text::Phone), texts.custom(&name("phone"))), (Some("1"), Some("2")));
        let kept = serde_json::json!({"phone": "1", "custom": {"badge": "B7", "phone": "2"}});
        assert_eq!(serde_json::to_value(&texts).unwrap(), kept);
        let mut fewer = texts.clone();
        fewer.set_custom(&name("badge"), None);
        assert_eq!((fewer.custom(&name("badge")), fewer.customs().count()), (None, 1));
        assert!(CustomName::new(&"x".repeat(64)).is_none());
    }

    #[test]
    fn who_has_no_personal_text_takes_no_room_for_any() {
        let shared = Texts::default().with(Text::Department, "Sales");
        assert!(shared.own.is_empty());
        assert_eq!(size_of::<Texts>(), (Text::SHARED + 2) * size_of::<usize>());
    }

    #[test]
    fn every_text_has_a_place_of_its_own_however_it_is_put_there() {
        let (mut set, mut shared) = (Texts::default(), Texts::default());
        for text in Text::ALL.iter().copied() {
            set.set(text, Some(text.as_str().into()));
            shared.share(text, Some(Arc::new(text.as_str().into())));
        }
        assert!(set == shared);
        assert!(set.iter().eq(Text::ALL.iter().map(|text| (*text, text.as_str()))));
        Text::ALL.iter().for_each(|text| set.set(*text, None));
        assert!(set == Texts::default());
    }
}
