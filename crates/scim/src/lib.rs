//! SCIM 2.0 as a service provider speaks it (RFC 7643, RFC 7644), without a server: plain values in, plain values out.
//!
//! ```text
//! body ──schema──▶ a resource in one spelling ──patch──▶ a changed resource ──list──▶ what is answered
//!                                       ▲ filter, path
//! ```
//! A resource is a JSON object in the spelling of [`schema`]: names as the RFC writes them, booleans as booleans, lists as lists,
//! and nothing that no schema lists. What a client sends is brought into that spelling in one place ([`schema::Kind::take`]), because
//! every client has a dialect of its own; everything behind it knows one form only.
//!
//! Knows nothing of HTTP, Kubernetes or people. No error quotes a value that was sent.

pub mod discovery;
pub mod filter;
pub mod list;
pub mod patch;
pub mod path;
pub mod schema;
#[cfg(test)]
mod whatever;

use serde_json::{Value, json};

/// Most bytes of a request's body.
pub const MOST_BYTES: usize = 1024 * 1024;
/// How deep a body may be nested; a resource needs five.
pub const DEEPEST: usize = 12;

/// The class of an error, as clients tell them apart (RFC 7644, 3.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The filter cannot be read.
    InvalidFilter,
    /// More than may be asked at once.
    TooMany,
    /// Another resource has the same unique value.
    Uniqueness,
    /// An attribute that cannot be changed.
    Mutability,
    /// The body is not what the request needs.
    InvalidSyntax,
    /// A path that leads nowhere.
    InvalidPath,
    /// A path without anything to act on.
    NoTarget,
    /// A value that does not fit its attribute, or a required one that is missing.
    InvalidValue,
}

impl Class {
    /// Its `scimType`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
        }
    }

    /// Its HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Uniqueness => 409,
            _ => 400,
        }
    }
}

/// What is wrong with a request, in words for the administrator of the client. Quotes no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// Its class.
    pub class: Class,
    /// What is wrong.
    pub detail: String,
}

impl Refused {
    pub(crate) fn new(class: Class, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into() }
    }

    /// As it is answered.
    #[must_use]
    pub fn body(&self) -> Value {
        error_body(self.class.status(), Some(self.class), &self.detail)
    }
}

/// An error as clients read it; the status is a text there.
#[must_use]
pub fn error_body(status: u16, class: Option<Class>, detail: &str) -> Value {
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": status.to_string(),
        "detail": detail,
    });
    if let (Some(class), Some(body)) = (class, body.as_object_mut()) {
        body.insert("scimType".to_owned(), class.as_str().into());
    }
    body
}

/// Reads a body, bounded in size and depth.
///
/// # Errors
/// `invalidSyntax`, when it is no JSON object or goes too deep.
pub fn parse(body: &[u8]) -> Result<Value, Refused> {
    let wrong = |detail: &str| Refused::new(Class::InvalidSyntax, detail);
    if body.len() > MOST_BYTES {
        return Err(wrong("the body is larger than 1 MiB"));
    }
    let value: Value = serde_json::from_slice(body).map_err(|_| wrong("the body is not JSON"))?;
    if !value.is_object() {
        return Err(wrong("the body is not a JSON object"));
    }
    if deeper_than(&value, DEEPEST) {
        return Err(wrong("the body is nested too deeply"));
    }
    Ok(value)
}

fn deeper_than(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|item| deeper_than(item, below)),
        Value::Object(map) => map.values().any(|item| deeper_than(item, below)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_a_json_object_of_bounded_depth() {
        let deep = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        for (what, body, fine) in [
            ("an object", r#"{"userName": "a"}"#.to_owned(), true),
            ("nothing", String::new(), false),
            ("a list", "[]".to_owned(), false),
            ("half of it", r#"{"userName": "#.to_owned(), false),
            ("as deep as may be", deep(DEEPEST - 2), true),
            ("deeper", deep(DEEPEST - 1), false),
            ("deeper than the parser goes", deep(5000), false),
            ("larger than may be", format!("{{\"a\": \"{}\"}}", "x".repeat(MOST_BYTES)), false),
        ] {
            assert_eq!(parse(body.as_bytes()).is_ok(), fine, "{what}");
        }
    }

    #[test]
    fn an_error_has_the_form_of_the_rfc_and_its_status_is_a_text() {
        let refused = Refused::new(Class::Uniqueness, "another user has this userName");
        let expected = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": "409", "scimType": "uniqueness", "detail": "another user has this userName",
        });
        assert_eq!(refused.body(), expected);
    }
}
