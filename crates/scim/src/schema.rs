//! The attributes that are kept of users and groups, and the one spelling in which they are kept.
//!
//! What no row here lists is taken and dropped, as RFC 7644 (3.3) allows: of people only that is stored which is mapped to an employee,
//! or which the client compares when it reads them back. Clients differ in how they write the same thing; [`Kind::take`] knows the
//! dialects: names in any case, booleans as texts (Entra ID), one object where a list belongs (OneLogin), a bare text for a manager or
//! an address, null for nothing.

use serde_json::{Map, Value, json};

use super::{Class, Refused};

/// Schema of a user.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// Schema of a group.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The extension for people of a company, under whose name its attributes stand in a user.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Most entries of a list of a user.
pub const MOST_ENTRIES: usize = 20;
/// Most members of a group.
pub const MOST_MEMBERS: usize = 10_000;

/// What kind of value an attribute has.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// A text of so many characters at most.
    Text(usize),
    /// True or false.
    Boolean,
    /// Attributes of its own.
    Complex(&'static [Attribute]),
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name, as the RFC writes it.
    pub name: &'static str,
    /// What it holds.
    pub type_: Type,
    /// How many it holds at most; none where it is one value.
    pub most: Option<usize>,
    /// Whether a resource needs it.
    pub required: bool,
    /// Whether upper and lower case differ.
    pub case_exact: bool,
    /// Whether no two resources may have the same.
    pub unique: bool,
    /// What it is.
    pub says: &'static str,
}

const fn attribute(name: &'static str, type_: Type, says: &'static str) -> Attribute {
    Attribute { name, type_, most: None, required: false, case_exact: false, unique: false, says }
}

const fn text(name: &'static str, says: &'static str) -> Attribute {
    attribute(name, Type::Text(256), says)
}

const fn many(name: &'static str, of: &'static [Attribute], says: &'static str) -> Attribute {
    Attribute { most: Some(MOST_ENTRIES), ..attribute(name, Type::Complex(of), says) }
}

const fn exact(of: Attribute) -> Attribute {
    Attribute { case_exact: true, ..of }
}

const KIND: Attribute = text("type", "What it is for, such as work");
const PRIMARY: Attribute = attribute("primary", Type::Boolean, "Whether it is the preferred one");

const NAME: &[Attribute] =
    &[text("formatted", "The full name"), text("familyName", "The family name"), text("givenName", "The given name")];
const EMAILS: &[Attribute] = &[text("value", "An address"), KIND, PRIMARY];
const PHONES: &[Attribute] = &[text("value", "A number"), KIND, PRIMARY];
const ADDRESSES: &[Attribute] = &[
    text("locality", "The city"),
    text("region", "The state or region"),
    text("country", "The country"),
    KIND,
    PRIMARY,
];
const MANAGER: &[Attribute] = &[exact(text("value", "The id of the manager"))];
const MEMBERS: &[Attribute] =
    &[exact(text("value", "The id of the member")), text("display", "A name for it"), text("type", "User or Group")];

const EXTERNAL_ID: Attribute = exact(text("externalId", "The id that the client has for it"));

const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute { required: true, unique: true, ..text("userName", "The name that the user signs in with") },
    attribute("name", Type::Complex(NAME), "The parts of the name"),
    text("displayName", "The name that is shown"),
    text("title", "The title"),
    text("userType", "The kind of employment, such as Employee or Contractor"),
    attribute("active", Type::Boolean, "Whether the account may be used"),
    many("emails", EMAILS, "Addresses for mail"),
    many("phoneNumbers", PHONES, "Numbers"),
    many("addresses", ADDRESSES, "Where the user works"),
];
const ENTERPRISE_ATTRIBUTES: &[Attribute] = &[
    text("employeeNumber", "The number that the company gave"),
    text("costCenter", "The cost center"),
    text("organization", "The legal entity"),
    text("division", "The division"),
    text("department", "The department"),
    attribute("manager", Type::Complex(MANAGER), "The manager"),
];
const GROUP_ATTRIBUTES: &[Attribute] = &[
    Attribute { required: true, ..text("displayName", "The name that is shown") },
    Attribute { most: Some(MOST_MEMBERS), ..many("members", MEMBERS, "Who belongs to it") },
];

/// Attributes of RFC 7643 that are not kept: a path to one of them is taken, and does nothing.
const NOT_KEPT: &[&str] = &[
    "nickName",
    "profileUrl",
    "preferredLanguage",
    "locale",
    "timezone",
    "password",
    "ims",
    "photos",
    "groups",
    "entitlements",
    "roles",
    "x509Certificates",
    "middleName",
    "honorificPrefix",
    "honorificSuffix",
    "streetAddress",
    "postalCode",
    "formatted",
    "display",
    "$ref",
];

/// Whether an attribute is one of the RFC's that are not kept.
#[must_use]
pub fn is_not_kept(name: &str) -> bool {
    NOT_KEPT.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `/Users`.
    User,
    /// `/Groups`.
    Group,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Where its resources are: `Users`.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    /// Its schema.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    /// The attributes of a schema of this kind, by the schema's name in any case; none where it has no such schema.
    #[must_use]
    pub fn attributes_of(self, schema: &str) -> Option<&'static [Attribute]> {
        if schema.eq_ignore_ascii_case(self.schema()) {
            return Some(self.attributes());
        }
        (self == Self::User && schema.eq_ignore_ascii_case(ENTERPRISE)).then_some(ENTERPRISE_ATTRIBUTES)
    }

    /// The attributes of its own schema.
    #[must_use]
    pub const fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::User => USER_ATTRIBUTES,
            Self::Group => GROUP_ATTRIBUTES,
        }
    }

    /// Brings what a client sent into the one spelling, and drops what is not kept.
    ///
    /// # Errors
    /// `invalidValue`, when a value does not fit its attribute or a required one is missing.
    pub fn take(self, sent: &Value) -> Result<Map<String, Value>, Refused> {
        let sent = sent.as_object().ok_or_else(|| Refused::new(Class::InvalidSyntax, "a resource is a JSON object"))?;
        let mut taken = Map::new();
        for (name, value) in sent {
            if let Some(extension) = self.attributes_of(name).filter(|_| name.contains(':')) {
                // A client may put the attributes of the core under their schema's name as well.
                let part = take_parts(extension, value, name)?;
                if name.eq_ignore_ascii_case(ENTERPRISE) {
                    insert(&mut taken, ENTERPRISE, part.map(Value::Object));
                } else {
                    part.into_iter().flatten().for_each(|(name, value)| drop(taken.insert(name, value)));
                }
            } else if let Some(attribute) = find(self.own(), name) {
                insert(&mut taken, attribute.name, attribute.take(value)?);
            }
        }
        self.check(&taken)?;
        Ok(taken)
    }

    /// The attributes that stand at the top of a resource, with those that every kind has.
    pub(crate) fn own(self) -> impl Iterator<Item = &'static Attribute> {
        const COMMON: &[Attribute] = &[EXTERNAL_ID];
        self.attributes().iter().chain(COMMON)
    }

    /// Whether a resource has what it needs.
    ///
    /// # Errors
    /// `invalidValue`, naming the attribute.
    pub fn check(self, resource: &Map<String, Value>) -> Result<(), Refused> {
        let missing =
            self.attributes().iter().find(|attribute| attribute.required && !resource.contains_key(attribute.name));
        missing.map_or(Ok(()), |attribute| {
            Err(Refused::new(Class::InvalidValue, format!("{} is required and is missing or empty", attribute.name)))
        })
    }
}

fn insert(into: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(into.insert(name.to_owned(), value)),
        None => drop(into.remove(name)),
    }
}

/// An attribute by its name, in any case.
pub(crate) fn find<'a>(attributes: impl IntoIterator<Item = &'a Attribute>, name: &str) -> Option<&'a Attribute> {
    attributes.into_iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// The attributes of a complex value; none where it has none.
fn take_parts(parts: &[Attribute], value: &Value, of: &str) -> Result<Option<Map<String, Value>>, Refused> {
    if value.is_null() {
        return Ok(None);
    }
    let sent = value.as_object().ok_or_else(|| unfit(of, "an object"))?;
    let mut taken = Map::new();
    for (name, value) in sent {
        if let Some(part) = find(parts, name) {
            insert(&mut taken, part.name, part.take(value)?);
        }
    }
    Ok(Some(taken).filter(|taken| !taken.is_empty()))
}

fn unfit(name: &str, expected: &str) -> Refused {
    Refused::new(Class::InvalidValue, format!("{name} is not {expected}"))
}

impl Attribute {
    /// Attributes of its own.
    #[must_use]
    pub const fn parts(&self) -> &'static [Self] {
        match self.type_ {
            Type::Complex(parts) => parts,
            _ => &[],
        }
    }

    /// Whether its entries are told apart by `value`, and are nothing without one.
    #[must_use]
    pub fn has_value(&self) -> bool {
        self.parts().iter().any(|part| part.name == "value")
    }

    /// A value as a client wrote it, in the one spelling; none for null, an empty text or an empty list.
    ///
    /// # Errors
    /// `invalidValue`, when it does not fit.
    pub fn take(&self, value: &Value) -> Result<Option<Value>, Refused> {
        let Some(most) = self.most else { return self.take_one(value) };
        let entries: &[Value] = match value {
            Value::Null => &[],
            Value::Array(entries) => entries,
            one => std::slice::from_ref(one),
        };
        if entries.len() > most {
            return Err(Refused::new(Class::TooMany, format!("{} has more than {most} entries", self.name)));
        }
        let mut taken = Vec::with_capacity(entries.len());
        for entry in entries {
            taken.extend(self.take_one(entry)?);
        }
        Ok(Some(taken).filter(|taken| !taken.is_empty()).map(Value::Array))
    }

    /// One value of it, in the one spelling.
    ///
    /// # Errors
    /// `invalidValue`, when it does not fit.
    pub fn take_one(&self, value: &Value) -> Result<Option<Value>, Refused> {
        if value.is_null() {
            return Ok(None);
        }
        match self.type_ {
            Type::Boolean => match value {
                Value::Bool(_) => Ok(Some(value.clone())),
                Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true.into())),
                Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false.into())),
                _ => Err(unfit(self.name, "true or false")),
            },
            Type::Text(most) => {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => return Err(unfit(self.name, "a text")),
                };
                if text.chars().count() > most {
                    return Err(Refused::new(
                        Class::InvalidValue,
                        format!("{} has more than {most} characters", self.name),
                    ));
                }
                Ok(Some(text).filter(|text| !text.trim().is_empty()).map(Value::String))
            }
            // A manager, an address or a member as a bare text is its value.
            Type::Complex(_) if self.has_value() && (value.is_string() || value.is_number()) => {
                take_parts(self.parts(), &json!({ "value": value }), self.name).map(|parts| parts.map(Value::Object))
            }
            Type::Complex(parts) => {
                let taken = take_parts(parts, value, self.name)?;
                let something = |parts: &Map<String, Value>| !self.has_value() || parts.contains_key("value");
                Ok(taken.filter(something).map(Value::Object))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(sent: &Value) -> Value {
        Kind::User.take(sent).map_or_else(|refused| json!(refused.class.as_str()), Value::Object)
    }

    #[test]
    fn every_dialect_comes_into_one_spelling() {
        for (what, sent, expected) in [
            (
                "names in any case",
                json!({"USERNAME": "ada", "Active": true}),
                json!({"userName": "ada", "active": true}),
            ),
            (
                "booleans as texts",
                json!({"userName": "ada", "active": "False"}),
                json!({"userName": "ada", "active": false}),
            ),
            (
                "a number for a text",
                json!({"userName": "ada", ENTERPRISE: {"employeeNumber": 42}}),
                json!({"userName": "ada", ENTERPRISE: {"employeeNumber": "42"}}),
            ),
            (
                "a bare manager",
                json!({"userName": "ada", ENTERPRISE: {"manager": "u-1"}}),
                json!({"userName": "ada", ENTERPRISE: {"manager": {"value": "u-1"}}}),
            ),
            (
                "the schema's name in another case",
                json!({"userName": "ada", ENTERPRISE.to_uppercase(): {"department": "Ops"}}),
                json!({"userName": "ada", ENTERPRISE: {"department": "Ops"}}),
            ),
            (
                "one object for a list",
                json!({"userName": "ada", "emails": {"value": "ada@example.com"}}),
                json!({"userName": "ada", "emails": [{"value": "ada@example.com"}]}),
            ),
            (
                "bare addresses",
                json!({"userName": "ada", "emails": ["ada@example.com"]}),
                json!({"userName": "ada", "emails": [{"value": "ada@example.com"}]}),
            ),
            (
                "nulls and empty values",
                json!({"userName": "ada", "title": "", "name": null, "emails": [], "displayName": null}),
                json!({"userName": "ada"}),
            ),
            (
                "an address without a value",
                json!({"userName": "ada", "emails": [{"type": "work"}]}),
                json!({"userName": "ada"}),
            ),
            (
                "what no schema lists",
                json!({"userName": "ada", "shoeSize": 42, "password": "x", "id": "1", "meta": {}, "urn:x:y": {"a": 1}}),
                json!({"userName": "ada"}),
            ),
        ] {
            assert_eq!(take(&sent), expected, "{what}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_without_quoting_it() {
        let long = "x".repeat(257);
        let emails = vec![json!({"value": "a@example.com"}); MOST_ENTRIES + 1];
        for (what, sent, class) in [
            ("no userName", json!({"active": true}), Class::InvalidValue),
            ("an empty userName", json!({"userName": " "}), Class::InvalidValue),
            ("a boolean that is a word", json!({"userName": "ada", "active": "no"}), Class::InvalidValue),
            ("a boolean that is a number", json!({"userName": "ada", "active": 0}), Class::InvalidValue),
            ("a list for a text", json!({"userName": ["ada"]}), Class::InvalidValue),
            ("a long text", json!({"userName": long}), Class::InvalidValue),
            ("a long list", json!({"userName": "ada", "emails": emails}), Class::TooMany),
            ("a text for a name", json!({"userName": "ada", "name": "Ada"}), Class::InvalidValue),
        ] {
            let refused = Kind::User.take(&sent).expect_err(what);
            assert_eq!(refused.class, class, "{what}");
            assert!(!refused.detail.contains("xxx") && !refused.detail.contains("Ada"), "{what}: {}", refused.detail);
        }
    }

    #[test]
    fn a_user_that_says_nothing_of_active_says_nothing() {
        assert_eq!(take(&json!({"userName": "ada"})).get("active"), None);
    }
}
