//! Where an attribute stands: `userName`, `name.givenName`, `emails[type eq "work"].value`, and each with the schema's name before it.
//!
//! A schema's name has dots and colons of its own (`…:2.0:User:manager.value`), so it is cut off first, and by the schemas there are.

use super::filter::{self, Filter};
use super::schema::{Attribute, ENTERPRISE, Kind, find, is_not_kept};
use super::{Class, Refused};

/// Longest path.
const LONGEST: usize = 1024;

/// Where an attribute stands in a resource.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Whether it is one of the enterprise extension.
    pub extension: bool,
    /// The attribute.
    pub attribute: &'static Attribute,
    /// A part of it.
    pub part: Option<&'static Attribute>,
}

/// A path of a PATCH.
#[derive(Debug)]
pub enum Path {
    /// To an attribute, or to entries of one.
    To {
        /// Where.
        place: Place,
        /// Which entries.
        entries: Option<Filter>,
    },
    /// To the whole enterprise extension.
    Extension,
    /// To something that is not kept: nothing is to be done.
    Nothing,
}

/// A name in a path, told apart by the schemas there are.
#[derive(Clone, Copy, Debug)]
pub enum Named {
    /// One that is kept.
    Kept(Place),
    /// `id`, `meta.lastModified` and their like, which the service alone writes: name and part.
    ReadOnly(&'static str, Option<&'static str>),
    /// One of another schema, or of the RFC's that are not kept.
    NotKept,
}

const READ_ONLY: [&str; 3] = ["id", "meta", "schemas"];
const META: [&str; 5] = ["resourceType", "created", "lastModified", "location", "version"];

/// Finds the attribute of a name such as `name.givenName`, with or without its schema.
///
/// # Errors
/// `invalidPath`, when no schema has it.
pub fn named(kind: Kind, text: &str) -> Result<Named, Refused> {
    let (extension, rest) = match schema_before(kind, text) {
        Schema::Core(rest) => (false, rest),
        Schema::Enterprise(rest) => (true, rest),
        Schema::Another => return Ok(Named::NotKept),
    };
    let (name, part) = rest.split_once('.').map_or((rest, None), |(name, part)| (name, Some(part)));
    let unknown = || Refused::new(Class::InvalidPath, "a path names an attribute that no schema has");
    if !extension && let Some(read_only) = READ_ONLY.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        let part = part.map(|part| META.iter().find(|known| known.eq_ignore_ascii_case(part)).ok_or_else(unknown));
        return Ok(Named::ReadOnly(read_only, part.transpose()?.copied()));
    }
    let found =
        if extension { find(kind.attributes_of(ENTERPRISE).unwrap_or_default(), name) } else { find(kind.own(), name) };
    let Some(attribute) = found else {
        return if is_not_kept(name) { Ok(Named::NotKept) } else { Err(unknown()) };
    };
    let Some(part) = part else { return Ok(Named::Kept(Place { extension, attribute, part: None })) };
    match find(attribute.parts(), part) {
        Some(part) => Ok(Named::Kept(Place { extension, attribute, part: Some(part) })),
        None if is_not_kept(part) || part.eq_ignore_ascii_case("displayName") => Ok(Named::NotKept),
        None => Err(unknown()),
    }
}

enum Schema<'a> {
    Core(&'a str),
    Enterprise(&'a str),
    Another,
}

/// Cuts the name of a schema off.
fn schema_before(kind: Kind, text: &str) -> Schema<'_> {
    let after = |schema: &str| {
        let head = text.get(..schema.len())?;
        head.eq_ignore_ascii_case(schema).then(|| text.get(schema.len()..)).flatten()?.strip_prefix([':', '.'])
    };
    if let Some(rest) = after(kind.schema()) {
        return Schema::Core(rest);
    }
    if kind == Kind::User
        && let Some(rest) = after(ENTERPRISE)
    {
        return Schema::Enterprise(rest);
    }
    if text.contains(':') { Schema::Another } else { Schema::Core(text) }
}

/// Reads the path of an operation.
///
/// # Errors
/// `invalidPath` when it leads nowhere, `invalidFilter` when what stands in brackets cannot be read, `mutability` when it leads to what
/// the service alone writes.
pub fn parse(kind: Kind, text: &str) -> Result<Path, Refused> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(Refused::new(Class::InvalidPath, "the path is too long"));
    }
    if kind == Kind::User && text.eq_ignore_ascii_case(ENTERPRISE) {
        return Ok(Path::Extension);
    }
    let (name, condition, part) = brackets(text)?;
    let place = match named(kind, name)? {
        Named::Kept(place) => place,
        Named::NotKept => return Ok(Path::Nothing),
        Named::ReadOnly(name, _) => {
            return Err(Refused::new(Class::Mutability, format!("{name} is written by this service alone")));
        }
    };
    let Some(condition) = condition else { return Ok(Path::To { place, entries: None }) };
    if place.part.is_some() || place.attribute.most.is_none() {
        return Err(Refused::new(Class::InvalidPath, "brackets stand behind a list only"));
    }
    let entries = Some(filter::of_entries(place.attribute, condition)?);
    let Some(part) = part else { return Ok(Path::To { place, entries }) };
    match find(place.attribute.parts(), part) {
        Some(part) => Ok(Path::To { place: Place { part: Some(part), ..place }, entries }),
        None if is_not_kept(part) => Ok(Path::Nothing),
        None => Err(Refused::new(Class::InvalidPath, "a path names an attribute that no schema has")),
    }
}

/// What stands before, in and behind the brackets of a path. The last bracket ends it: a text in quotes may hold others.
fn brackets(text: &str) -> Result<(&str, Option<&str>, Option<&str>), Refused> {
    let Some((name, rest)) = text.split_once('[') else { return Ok((text, None, None)) };
    let wrong = || Refused::new(Class::InvalidPath, "the brackets of a path do not match");
    let (condition, behind) = rest.rsplit_once(']').ok_or_else(wrong)?;
    match behind {
        "" => Ok((name, Some(condition), None)),
        _ => Ok((name, Some(condition), Some(behind.strip_prefix('.').ok_or_else(wrong)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse(Kind::User, text) {
            Ok(Path::To { place, entries }) => {
                let extension = if place.extension { "+" } else { "" };
                let entries = if entries.is_some() { "[]" } else { "" };
                let part = place.part.map(|part| format!(".{}", part.name)).unwrap_or_default();
                format!("{extension}{}{entries}{part}", place.attribute.name)
            }
            Ok(Path::Extension) => "+".to_owned(),
            Ok(Path::Nothing) => "-".to_owned(),
            Err(refused) => refused.class.as_str().to_owned(),
        }
    }

    #[test]
    fn a_path_leads_to_an_attribute_whatever_its_dialect() {
        for (text, expected) in [
            ("userName", "userName"),
            ("USERNAME", "userName"),
            ("externalId", "externalId"),
            ("name.givenName", "name.givenName"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:name.familyName", "name.familyName"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq \"work\"].value", "emails[].value"),
            ("emails[type eq \"work\"].value", "emails[].value"),
            ("emails[type eq \"work\" and primary eq true]", "emails[]"),
            ("emails[value eq \"a]b[c\"]", "emails[]"),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "+department"),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:Manager.value", "+manager.value"),
            // As Azure AD wrote it before 2018.
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department", "+department"),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "+"),
            // Not kept, so nothing is to be done.
            ("nickName", "-"),
            ("roles[primary eq \"True\"].value", "-"),
            ("name.middleName", "-"),
            ("addresses[type eq \"work\"].postalCode", "-"),
            ("urn:ietf:params:scim:schemas:extension:acme:2.0:User:badge", "-"),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName", "-"),
            // Wrong.
            ("actve", "invalidPath"),
            ("", "invalidPath"),
            ("id", "mutability"),
            ("meta.created", "mutability"),
            ("schemas", "mutability"),
            ("userName[a eq 1]", "invalidPath"),
            ("emails[type eq \"work\"", "invalidPath"),
            ("emails[type eq]", "invalidFilter"),
            ("emails[type eq \"work\"]value", "invalidPath"),
            ("emails[type eq \"work\"].shoe", "invalidPath"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
