//! The faults by name. A fault is written as its name, with what it is about behind `=`, the part of the system it comes in
//! behind `@`, and the number of the request of that part, or of the page, behind `:`: `html`, `forbidden@details`,
//! `throttled:3`, `field-gone=email`, `lost-page:2`.

use std::str::FromStr;
use std::{fmt, mem};

use domain::quote::quoted;
use hris::row::Slot;

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RequestKind {
    /// A token.
    Token,
    /// A list of people, by its number.
    People(usize),
    /// A list that is joined.
    Join(String),
    /// One person.
    Detail(String),
    /// Names for ids.
    Lookup(String),
    /// A list that is to be made.
    Export,
    /// Something else.
    Unknown,
}

impl RequestKind {
    /// Its word.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::People(_) => "people",
            Self::Join(_) => "joins",
            Self::Detail(_) => "details",
            Self::Lookup(_) => "lookups",
            Self::Export => "exports",
            Self::Unknown => "unknown",
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Throttled,
    ThrottledInItsWay,
    ThrottledForEver,
    Expired,
    LostPage,
    RepeatedPage,
    Circle,
    Total,
    Empty,
    NoRecords,
    Forbidden,
    Gone(Slot),
    Html,
    Cut,
    Drip,
    Oversized,
    Redirect,
    OtherHost,
}

/// The faults there are, by name.
pub(crate) const KINDS: [(&str, Kind, &str); 18] = [
    ("throttled", Kind::Throttled, "asks to come back, one time"),
    ("throttled-in-its-way", Kind::ThrottledInItsWay, "the same, as this system says it"),
    ("throttled-for-ever", Kind::ThrottledForEver, "asks to come back, every time"),
    ("expired", Kind::Expired, "refuses the credential one time, and ends the token there is"),
    ("lost-page", Kind::LostPage, "leaves a page of people out; the second, unless it is named"),
    ("repeated-page", Kind::RepeatedPage, "gives a page of people twice; the first, unless it is named"),
    ("circle", Kind::Circle, "what leads to the next page leads back"),
    ("total-changes", Kind::Total, "counts one record more than on the page before"),
    ("empty", Kind::Empty, "responds with an empty object, and status 200"),
    ("no-records", Kind::NoRecords, "responds with a list that has no records"),
    ("forbidden", Kind::Forbidden, "responds with 403"),
    ("field-gone", Kind::Gone(Slot::Email), "leaves out what a field is read from: field-gone=email"),
    ("html", Kind::Html, "responds with a web page, and status 200"),
    ("truncated", Kind::Cut, "ends the JSON in the middle"),
    ("drip", Kind::Drip, "sends one byte, and then nothing"),
    ("oversized", Kind::Oversized, "announces more than anybody should take"),
    ("redirect", Kind::Redirect, "leads to a sign-in on another host"),
    ("other-host", Kind::OtherHost, "the next link leads to another host"),
];

/// A fault, and where it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What goes wrong.
    pub(crate) kind: Kind,
    /// The part it comes in; any but the sign-in, where none is named.
    pub(crate) part: Option<String>,
    /// The number of the request or page, from 1.
    pub(crate) number: Option<usize>,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (text, number) = match text.split_once(':') {
            None => (text, None),
            Some((text, number)) => {
                (text, Some(number.parse().map_err(|_| format!("{} is no number", quoted(number)))?))
            }
        };
        let (text, part) = match text.split_once('@') {
            None => (text, None),
            Some((text, part)) => (text, Some(part.to_owned())),
        };
        let parts = ["token", "people", "joins", "details", "lookups", "exports"];
        if let Some(part) = part.as_deref().filter(|part| !parts.contains(part)) {
            return Err(format!("there is no part {}; there are: {}", quoted(part), parts.join(", ")));
        }
        let (name, about) = text.split_once('=').map_or((text, None), |(name, about)| (name, Some(about)));
        let found = KINDS.iter().find(|(known, ..)| *known == name).map(|(_, kind, _)| *kind);
        let kind = match (found, about) {
            (Some(Kind::Gone(_)), Some(field)) => {
                let slot = Slot::ALL.iter().copied().find(|slot| slot.name() == field);
                Kind::Gone(slot.ok_or_else(|| format!("there is no field {}", quoted(field)))?)
            }
            (Some(Kind::Gone(_)), None) => return Err(format!("{name} needs a field: {name}=email")),
            (Some(kind), None) => kind,
            (Some(_), Some(_)) => return Err(format!("{name} is about nothing")),
            (None, _) => {
                let names = KINDS.map(|(name, ..)| name);
                return Err(format!("there is no fault {}; there are: {}", quoted(name), names.join(", ")));
            }
        };
        Ok(Self { kind, part, number })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let like = |other: &Kind| mem::discriminant(other) == mem::discriminant(&self.kind);
        let name = KINDS.iter().find(|(_, kind, _)| like(kind)).map_or("", |(name, ..)| name);
        f.write_str(name)?;
        if let Kind::Gone(slot) = self.kind {
            write!(f, "={}", slot.name())?;
        }
        self.part.iter().try_for_each(|part| write!(f, "@{part}"))?;
        self.number.iter().try_for_each(|number| write!(f, ":{number}"))
    }
}

impl Fault {
    /// Whether the request of its part that came as the `met`th is one it comes with.
    pub(super) fn comes(&self, met: usize) -> bool {
        match (self.kind, self.number) {
            (Kind::Throttled | Kind::ThrottledInItsWay | Kind::Expired, number) => met == number.unwrap_or(1),
            (Kind::ThrottledForEver, Some(number)) => met >= number,
            (Kind::Circle | Kind::Total, number) => met >= number.unwrap_or(2),
            (_, Some(number)) => met == number,
            (_, None) => true,
        }
    }

    pub(super) fn is_about(&self, part: &RequestKind) -> bool {
        match &self.part {
            Some(word) => word == part.word(),
            None => !matches!(part, RequestKind::Token | RequestKind::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_named_as_it_is_written() {
        for text in ["html", "throttled:3", "forbidden@details", "html@people:2", "field-gone=email", "lost-page:2"] {
            assert_eq!(text.parse::<Fault>().map(|fault| fault.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "htm", "html@nowhere", "html:x", "field-gone", "field-gone=shoeSize", "html=email"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
