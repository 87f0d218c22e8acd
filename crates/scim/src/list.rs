//! What is answered: a page of a list, and of each resource the attributes that were asked for (RFC 7644, 3.4.2, 3.9).

use serde_json::{Map, Value, json};

use super::path::{self, Named};
use super::schema::{ENTERPRISE, Kind};
use super::{Class, Refused};

/// Most resources of a page, and how many there are if nothing is said.
pub const MOST_ON_A_PAGE: usize = 200;
/// Most attributes that may be named.
const MOST_NAMED: usize = 100;

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The first resource, counted from 1.
    pub start: usize,
    /// How many at most.
    pub count: usize,
}

impl Page {
    /// Reads `startIndex` and `count`. What lies below the first is the first, and less than nothing is nothing.
    ///
    /// # Errors
    /// `invalidValue`, when one is no number.
    pub fn read(start: Option<&str>, count: Option<&str>) -> Result<Self, Refused> {
        let number = |name: &str, text: Option<&str>, or: i64| {
            text.map_or(Ok(or), |text| text.trim().parse::<i64>())
                .map_err(|_| Refused::new(Class::InvalidValue, format!("{name} is not a number")))
        };
        let most = i64::try_from(MOST_ON_A_PAGE).unwrap_or(i64::MAX);
        let start = number("startIndex", start, 1)?.max(1);
        let count = number("count", count, most)?.clamp(0, most);
        Ok(Self {
            start: usize::try_from(start).unwrap_or(usize::MAX),
            count: usize::try_from(count).unwrap_or_default(),
        })
    }
}

/// A list as it is answered.
#[must_use]
pub fn response(total: usize, page: Page, resources: Vec<Value>) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": page.start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// Which attributes are answered.
#[derive(Debug, Default)]
pub struct Projection {
    only: Option<Vec<Name>>,
    without: Vec<Name>,
}

#[derive(Debug, PartialEq, Eq)]
struct Name {
    extension: bool,
    name: &'static str,
    part: Option<&'static str>,
}

/// What is always answered.
const ALWAYS: [&str; 2] = ["id", "schemas"];

impl Projection {
    /// Reads `attributes` and `excludedAttributes`: names with commas between them. Names that no schema has are passed over.
    ///
    /// # Errors
    /// `invalidValue`, when both are given, or far too many.
    pub fn read(kind: Kind, only: Option<&str>, without: Option<&str>) -> Result<Self, Refused> {
        let given = |text: &Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
        if given(&only) && given(&without) {
            return Err(Refused::new(Class::InvalidValue, "attributes and excludedAttributes exclude each other"));
        }
        let names = |text: Option<&str>| {
            let names: Vec<&str> =
                text.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
            if names.len() > MOST_NAMED {
                return Err(Refused::new(Class::InvalidValue, "too many attributes are named"));
            }
            Ok(names.into_iter().filter_map(|name| Name::read(kind, name)).collect::<Vec<_>>())
        };
        let all = names(only)?;
        Ok(Self { only: given(&only).then_some(all), without: names(without)? })
    }

    /// Whether an attribute is answered at all, so that what is large need not be made.
    #[must_use]
    pub fn shows(&self, name: &str) -> bool {
        let named = |names: &[Name]| names.iter().any(|one| one.name == name && one.part.is_none());
        match &self.only {
            Some(only) => only.iter().any(|one| one.name == name),
            None => !named(&self.without),
        }
    }

    /// Leaves out what was not asked for.
    pub fn apply(&self, resource: &mut Map<String, Value>) {
        let (names, keeps) = match &self.only {
            Some(only) => (only, true),
            None => (&self.without, false),
        };
        if !keeps && names.is_empty() {
            return;
        }
        resource.retain(|name, value| {
            if ALWAYS.contains(&name.as_str()) {
                return true;
            }
            if name == ENTERPRISE {
                let whole = names.iter().any(|one| one.extension && one.name == ENTERPRISE);
                if whole {
                    return keeps;
                }
                let Some(extension) = value.as_object_mut() else { return true };
                extension.retain(|name, value| retained(names, keeps, true, name, value));
                return !extension.is_empty();
            }
            retained(names, keeps, false, name, value)
        });
    }
}

/// Whether an attribute stays, without the parts that do not.
fn retained(names: &[Name], keeps: bool, extension: bool, name: &str, value: &mut Value) -> bool {
    let mine: Vec<&Name> = names.iter().filter(|one| one.extension == extension && one.name == name).collect();
    if mine.is_empty() {
        return !keeps;
    }
    if mine.iter().any(|one| one.part.is_none()) {
        return keeps;
    }
    let parts: Vec<&str> = mine.iter().filter_map(|one| one.part).collect();
    let cut = |entry: &mut Value| {
        if let Some(entry) = entry.as_object_mut() {
            entry.retain(|part, _| parts.contains(&part.as_str()) == keeps);
        }
    };
    match value {
        Value::Array(entries) => entries.iter_mut().for_each(cut),
        one => cut(one),
    }
    true
}

impl Name {
    fn read(kind: Kind, text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case(ENTERPRISE) {
            return Some(Self { extension: true, name: ENTERPRISE, part: None });
        }
        match path::named(kind, text).ok()? {
            Named::Kept(place) => Some(Self {
                extension: place.extension,
                name: place.attribute.name,
                part: place.part.map(|part| part.name),
            }),
            Named::ReadOnly(name, part) => Some(Self { extension: false, name, part }),
            Named::NotKept => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_bounded_and_counted_from_one() {
        for (start, count, expected) in [
            (None, None, Some((1, 200))),
            (Some("1"), Some("2"), Some((1, 2))),
            (Some("0"), Some("0"), Some((1, 0))),
            (Some("-5"), Some("-5"), Some((1, 0))),
            (Some("7"), Some("100000"), Some((7, 200))),
            (Some("x"), None, None),
            (None, Some("99999999999999999999"), None),
        ] {
            let page = Page::read(start, count).ok().map(|page| (page.start, page.count));
            assert_eq!(page, expected, "{start:?} {count:?}");
        }
    }

    #[test]
    fn only_what_was_asked_for_is_answered() {
        let whole = json!({
            "id": "u-1", "schemas": [], "userName": "ada", "active": true, "name": {"givenName": "Ada", "familyName": "Example"},
            "emails": [{"value": "ada@example.com", "type": "work"}], ENTERPRISE: {"department": "Ops", "division": "D"},
            "meta": {"version": "1"},
        });
        for (only, without, expected) in [
            (None, None, whole.clone()),
            (Some("userName"), None, json!({"id": "u-1", "schemas": [], "userName": "ada"})),
            (
                Some("USERNAME, emails.value"),
                None,
                json!({"id": "u-1", "schemas": [], "userName": "ada", "emails": [{"value": "ada@example.com"}]}),
            ),
            (
                Some("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"),
                None,
                json!({"id": "u-1", "schemas": [], ENTERPRISE: {"department": "Ops"}}),
            ),
            (Some("shoeSize"), None, json!({"id": "u-1", "schemas": []})),
            (
                None,
                Some("name.givenName,emails,meta,id,urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"),
                json!({"id": "u-1", "schemas": [], "userName": "ada", "active": true, "name": {"familyName": "Example"}}),
            ),
        ] {
            let mut resource = whole.as_object().unwrap().clone();
            Projection::read(Kind::User, only, without).unwrap().apply(&mut resource);
            assert_eq!(Value::Object(resource), expected, "{only:?} {without:?}");
        }
        assert!(Projection::read(Kind::User, Some("userName"), Some("emails")).is_err());
        let projection = Projection::read(Kind::Group, None, Some("members")).unwrap();
        assert!(!projection.shows("members") && projection.shows("displayName"));
    }
}
