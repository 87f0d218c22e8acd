//! Filters: `userName eq "ada@example.com" and active eq true` (RFC 7644, 3.4.2.2), and the conditions in the brackets of a path.
//!
//! Everything of the RFC's grammar is read, and one form that is not in it, because Entra ID sends it: a part and a comparison behind
//! brackets, `emails[type eq "work"].value eq "ada@example.com"`. Length, depth and number of terms are bounded.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::path::{self, Named, Place};
use super::schema::{Attribute, ENTERPRISE, Kind, find};
use super::{Class, Refused};

/// Longest filter.
const LONGEST: usize = 4096;
/// Most brackets within brackets.
const DEEPEST: usize = 8;
/// Most comparisons.
const MOST_TERMS: usize = 32;

/// A filter, read.
#[derive(Debug)]
pub struct Filter(Term);

#[derive(Debug)]
enum Term {
    All(Vec<Term>),
    Any(Vec<Term>),
    Not(Box<Term>),
    Compare(Of, Operator, Literal),
    Present(Of),
    /// An entry of a list that all of this is true of.
    Entry(Place, Box<Term>),
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
enum Of {
    Attribute(Place),
    /// A part of an entry of a list.
    Part(&'static Attribute),
    /// What the service writes: name and part.
    Own(&'static str, Option<&'static str>),
    /// What is not kept, so that nobody has it.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

const OPERATORS: [(&str, Operator); 9] = [
    ("eq", Operator::Equal),
    ("ne", Operator::NotEqual),
    ("co", Operator::Contains),
    ("sw", Operator::StartsWith),
    ("ew", Operator::EndsWith),
    ("gt", Operator::Greater),
    ("ge", Operator::GreaterOrEqual),
    ("lt", Operator::Less),
    ("le", Operator::LessOrEqual),
];

#[derive(Debug)]
enum Literal {
    Text(String),
    Number(f64),
    Boolean(bool),
    Null,
}

/// Reads a filter over resources of a kind.
///
/// # Errors
/// `invalidFilter`.
pub fn parse(kind: Kind, text: &str) -> Result<Filter, Refused> {
    Parser::new(text, Scope::Resource(kind))?.whole().map(Filter)
}

/// Reads what stands in the brackets behind a list.
///
/// # Errors
/// `invalidFilter`.
pub fn of_entries(attribute: &'static Attribute, text: &str) -> Result<Filter, Refused> {
    Parser::new(text, Scope::Entry(attribute))?.whole().map(Filter)
}

impl Filter {
    /// Whether a resource, with what the service writes of it, is one of those.
    #[must_use]
    pub fn matches(&self, resource: &Map<String, Value>) -> bool {
        self.0.matches(resource)
    }

    /// A text that an attribute has in every match, where the filter says so: what an index can begin with. `id`, `userName`,
    /// `externalId` or `displayName`.
    #[must_use]
    pub fn key(&self) -> Option<(&'static str, &str)> {
        self.0.key()
    }

    /// The parts that an entry of a list needs to be a match, where the filter says no more than that: Entra ID sets
    /// `emails[type eq "work"].value` of a user who has no such entry, and means that there shall be one.
    #[must_use]
    pub fn wished(&self) -> Option<Map<String, Value>> {
        let mut entry = Map::new();
        self.0.wished(&mut entry).then_some(entry)
    }
}

impl Term {
    fn matches(&self, of: &Map<String, Value>) -> bool {
        match self {
            Self::All(terms) => terms.iter().all(|term| term.matches(of)),
            Self::Any(terms) => terms.iter().any(|term| term.matches(of)),
            Self::Not(term) => !term.matches(of),
            Self::Present(what) => !what.values(of).is_empty(),
            Self::Entry(place, term) => {
                let entries = place.value(of).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                entries.iter().filter_map(Value::as_object).any(|entry| term.matches(entry))
            }
            Self::Compare(what, operator, literal) => {
                let values = what.values(of);
                match operator {
                    Operator::NotEqual => !values.iter().any(|value| what.compare(value, Operator::Equal, literal)),
                    Operator::Equal if matches!(literal, Literal::Null) => values.is_empty(),
                    operator => values.iter().any(|value| what.compare(value, *operator, literal)),
                }
            }
        }
    }

    fn key(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::All(terms) => terms.iter().find_map(Self::key),
            Self::Compare(Of::Attribute(place), Operator::Equal, Literal::Text(text))
                if !place.extension && place.part.is_none() =>
            {
                let indexed = ["userName", "externalId", "displayName"];
                indexed.contains(&place.attribute.name).then_some((place.attribute.name, text))
            }
            Self::Compare(Of::Own("id", None), Operator::Equal, Literal::Text(text)) => Some(("id", text)),
            _ => None,
        }
    }

    fn wished(&self, entry: &mut Map<String, Value>) -> bool {
        match self {
            Self::All(terms) => terms.iter().all(|term| term.wished(entry)),
            Self::Compare(Of::Part(part), Operator::Equal, literal) => {
                let value = match literal {
                    Literal::Text(text) => text.clone().into(),
                    Literal::Boolean(boolean) => (*boolean).into(),
                    Literal::Number(_) | Literal::Null => return false,
                };
                let Ok(Some(value)) = part.take(&value) else { return false };
                entry.insert(part.name.to_owned(), value).is_none()
            }
            _ => false,
        }
    }
}

impl Place {
    /// What stands at its attribute.
    pub(crate) fn value<'a>(&self, resource: &'a Map<String, Value>) -> Option<&'a Value> {
        let at = if self.extension { resource.get(ENTERPRISE)?.as_object()? } else { resource };
        at.get(self.attribute.name)
    }
}

impl Of {
    /// All values it has; of a complex one without a part, its `value`.
    fn values<'a>(&self, of: &'a Map<String, Value>) -> Vec<&'a Value> {
        let (value, part) = match self {
            Self::Nothing => return Vec::new(),
            Self::Part(part) => (of.get(part.name), None),
            Self::Own(name, part) => (of.get(*name), *part),
            Self::Attribute(place) => {
                let part = place.part.map(|part| part.name);
                (place.value(of), part.or_else(|| place.attribute.has_value().then_some("value")))
            }
        };
        let entries: &[Value] = match value {
            None => &[],
            Some(Value::Array(entries)) => entries,
            Some(one) => std::slice::from_ref(one),
        };
        entries.iter().filter_map(|entry| part.map_or(Some(entry), |part| entry.get(part))).collect()
    }

    fn case_exact(&self) -> bool {
        match self {
            Self::Attribute(place) => place.part.unwrap_or_else(|| value_of(place.attribute)).case_exact,
            Self::Part(part) => part.case_exact,
            Self::Own(..) | Self::Nothing => true,
        }
    }

    fn compare(&self, value: &Value, operator: Operator, literal: &Literal) -> bool {
        match (value, literal) {
            (Value::Bool(is), Literal::Boolean(asked)) => operator == Operator::Equal && is == asked,
            // Entra ID writes booleans as texts.
            (Value::Bool(is), Literal::Text(asked)) => {
                operator == Operator::Equal && asked.eq_ignore_ascii_case(if *is { "true" } else { "false" })
            }
            (Value::String(is), Literal::Text(asked)) => match order_of_instants(is, asked) {
                Some(order) => holds(operator, order),
                None if self.case_exact() => compare_texts(is, operator, asked),
                None => compare_texts(&is.to_lowercase(), operator, &asked.to_lowercase()),
            },
            (Value::String(is), Literal::Number(asked)) => {
                operator == Operator::Equal && is.parse::<f64>().is_ok_and(|is| is == *asked)
            }
            _ => false,
        }
    }
}

/// The part that a complex attribute is compared by, or itself.
fn value_of(attribute: &'static Attribute) -> &'static Attribute {
    find(attribute.parts(), "value").unwrap_or(attribute)
}

fn order_of_instants(is: &str, asked: &str) -> Option<Ordering> {
    let (is, asked): (Timestamp, Timestamp) = (is.parse().ok()?, asked.parse().ok()?);
    Some(is.cmp(&asked))
}

fn compare_texts(is: &str, operator: Operator, asked: &str) -> bool {
    match operator {
        Operator::Contains => is.contains(asked),
        Operator::StartsWith => is.starts_with(asked),
        Operator::EndsWith => is.ends_with(asked),
        operator => holds(operator, is.cmp(asked)),
    }
}

fn holds(operator: Operator, order: Ordering) -> bool {
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

/// Whose attributes a filter names.
#[derive(Clone, Copy)]
enum Scope {
    Resource(Kind),
    Entry(&'static Attribute),
}

struct Parser<'a> {
    rest: &'a str,
    scope: Scope,
    depth: usize,
    terms: usize,
}

fn wrong(detail: &str) -> Refused {
    Refused::new(Class::InvalidFilter, detail)
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, scope: Scope) -> Result<Self, Refused> {
        if text.len() > LONGEST {
            return Err(wrong("the filter is too long"));
        }
        Ok(Self { rest: text, scope, depth: 0, terms: 0 })
    }

    fn whole(mut self) -> Result<Term, Refused> {
        let term = self.any()?;
        if self.rest.trim_start().is_empty() { Ok(term) } else { Err(wrong("the filter does not end where it should")) }
    }

    /// Terms with `or` between them.
    fn any(&mut self) -> Result<Term, Refused> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(wrong("the filter is nested too deeply"));
        }
        let mut terms = vec![self.all()?];
        while self.word("or") {
            terms.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if terms.len() == 1 { terms.remove(0) } else { Term::Any(terms) })
    }

    /// Terms with `and` between them.
    fn all(&mut self) -> Result<Term, Refused> {
        let mut terms = vec![self.term()?];
        while self.word("and") {
            terms.push(self.term()?);
        }
        Ok(if terms.len() == 1 { terms.remove(0) } else { Term::All(terms) })
    }

    fn term(&mut self) -> Result<Term, Refused> {
        if self.negation() {
            let term = self.any()?;
            self.sign(')')?;
            return Ok(Term::Not(Box::new(term)));
        }
        if self.sign('(').is_ok() {
            let term = self.any()?;
            self.sign(')')?;
            return Ok(term);
        }
        self.terms += 1;
        if self.terms > MOST_TERMS {
            return Err(wrong("the filter compares too often"));
        }
        let name = self.name()?;
        if !self.rest.starts_with('[') {
            return self.comparison(self.of(name)?);
        }
        self.sign('[')?;
        let Scope::Resource(kind) = self.scope else { return Err(wrong("brackets do not stand within brackets")) };
        let place = match self.named(name)? {
            Named::Kept(place) => place,
            Named::NotKept => return self.not_kept_entries(),
            Named::ReadOnly(..) => return Err(wrong("brackets stand behind a list only")),
        };
        if place.attribute.most.is_none() || place.part.is_some() {
            return Err(wrong("brackets stand behind a list only"));
        }
        self.scope = Scope::Entry(place.attribute);
        let mut within = self.any()?;
        self.sign(']')?;
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            let part = self.name()?;
            let compared = self.comparison(self.of(part)?)?;
            within = Term::All(vec![within, compared]);
        }
        self.scope = Scope::Resource(kind);
        Ok(Term::Entry(place, Box::new(within)))
    }

    /// Brackets behind a list that is not kept: nobody has an entry of it, and what is asked of it is read over.
    fn not_kept_entries(&mut self) -> Result<Term, Refused> {
        let (_, behind) = self.rest.split_once(']').ok_or_else(|| wrong("the brackets of the filter do not match"))?;
        self.rest = behind;
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            self.name()?;
            return self.comparison(Of::Nothing);
        }
        Ok(Term::Present(Of::Nothing))
    }

    fn comparison(&mut self, of: Of) -> Result<Term, Refused> {
        if self.word("pr") {
            return Ok(Term::Present(of));
        }
        let operator = OPERATORS.into_iter().find(|(word, _)| self.word(word));
        let (_, operator) = operator.ok_or_else(|| wrong("the filter has no operator where one belongs"))?;
        Ok(Term::Compare(of, operator, self.literal()?))
    }

    fn named(&self, name: &str) -> Result<Named, Refused> {
        match self.scope {
            Scope::Resource(kind) => path::named(kind, name).map_err(|refused| wrong(&refused.detail)),
            Scope::Entry(_) => Err(wrong("brackets do not stand within brackets")),
        }
    }

    fn of(&self, name: &str) -> Result<Of, Refused> {
        if let Scope::Entry(attribute) = self.scope {
            return match find(attribute.parts(), name) {
                Some(part) => Ok(Of::Part(part)),
                None if super::schema::is_not_kept(name) => Ok(Of::Nothing),
                None => Err(wrong("the filter names an attribute that no schema has")),
            };
        }
        Ok(match self.named(name)? {
            Named::Kept(place) => Of::Attribute(place),
            Named::ReadOnly(name, part) => Of::Own(name, part),
            Named::NotKept => Of::Nothing,
        })
    }

    /// The name of an attribute, with its schema: everything up to a blank or a bracket.
    fn name(&mut self) -> Result<&'a str, Refused> {
        let text = self.rest.trim_start();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '_' | '-' | '$');
        let end = text.find(|c| !fits(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() {
            return Err(wrong("the filter has no attribute where one belongs"));
        }
        self.rest = rest;
        Ok(name)
    }

    /// Whether this word comes next, in any case; it is then behind.
    fn word(&mut self, word: &str) -> bool {
        let text = self.rest.trim_start();
        let Some(head) = text.get(..word.len()) else { return false };
        let Some(behind) = text.get(word.len()..) else { return false };
        let ends = behind.chars().next().is_none_or(|c| !c.is_ascii_alphanumeric());
        if head.eq_ignore_ascii_case(word) && ends {
            self.rest = behind;
            return true;
        }
        false
    }

    /// `not (`, with or without a blank.
    fn negation(&mut self) -> bool {
        let before = self.rest;
        if self.word("not") && self.sign('(').is_ok() {
            return true;
        }
        self.rest = before;
        false
    }

    fn sign(&mut self, sign: char) -> Result<(), Refused> {
        match self.rest.trim_start().strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(wrong("the brackets of the filter do not match")),
        }
    }

    /// A value as JSON writes it.
    fn literal(&mut self) -> Result<Literal, Refused> {
        let missing = || wrong("the filter has no value where one belongs; texts stand in quotes");
        let text = self.rest.trim_start();
        let end = match text.strip_prefix('"') {
            Some(inner) => {
                let mut escaped = false;
                let closing = inner.char_indices().find(|(_, c)| {
                    let closes = *c == '"' && !escaped;
                    escaped = *c == '\\' && !escaped;
                    closes
                });
                closing.map(|(at, _)| at + 2).ok_or_else(missing)?
            }
            None => text.find(|c: char| c.is_whitespace() || matches!(c, ')' | ']')).unwrap_or(text.len()),
        };
        let (literal, rest) = text.split_at(end);
        self.rest = rest;
        // Entra ID and others write True and False.
        let literal = if literal.starts_with('"') { literal.to_owned() } else { literal.to_ascii_lowercase() };
        match serde_json::from_str(&literal) {
            Ok(Value::String(text)) => Ok(Literal::Text(text)),
            Ok(Value::Bool(boolean)) => Ok(Literal::Boolean(boolean)),
            Ok(Value::Number(number)) => number.as_f64().map(Literal::Number).ok_or_else(missing),
            Ok(Value::Null) => Ok(Literal::Null),
            _ => Err(missing()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ada() -> Map<String, Value> {
        let ada = json!({
            "id": "u-1", "externalId": "X7", "userName": "Ada@Example.com", "active": true, "title": "Engineer",
            "name": {"familyName": "Example", "givenName": "Ada"},
            "emails": [{"value": "ada@example.com", "type": "work"}, {"value": "ada@home.example.com", "type": "home"}],
            ENTERPRISE: {"department": "Ops", "manager": {"value": "u-2"}},
            "meta": {"lastModified": "2026-03-02T10:00:00Z"},
        });
        ada.as_object().unwrap().clone()
    }

    #[test]
    fn a_filter_finds_what_the_rfc_and_the_vendors_mean_by_it() {
        for (filter, expected) in [
            // What Okta and Entra ID send.
            (r#"userName eq "ada@example.com""#, true),
            (r#"userName eq "bob@example.com""#, false),
            (r#"externalId eq "X7""#, true),
            (r#"externalId eq "x7""#, false),
            (r#"id eq "u-1""#, true),
            (r#"id eq "u-2""#, false),
            ("active eq true", true),
            ("active eq false", false),
            (r#"active eq "True""#, true),
            ("active eq True", true),
            (r#"userName eq "ada@example.com" and active eq true"#, true),
            (r#"userName eq "ada@example.com" and active eq false"#, false),
            (r#"emails[type eq "work"].value eq "ada@example.com""#, true),
            (r#"emails[type eq "home"].value eq "ada@example.com""#, false),
            (r#"meta.lastModified gt "2026-03-02T09:00:00Z""#, true),
            (r#"meta.lastModified gt "2026-03-02T12:00:00+01:00""#, false),
            // RFC 7644, 3.4.2.2.
            (r#"name.familyName co "XAM""#, true),
            (r#"userName sw "ADA""#, true),
            (r#"userName ew "example.com""#, true),
            ("title pr", true),
            ("displayName pr", false),
            (r#"title pr and userType eq "Employee""#, false),
            (r#"title pr or userType eq "Intern""#, true),
            (r#"emails co "home""#, true),
            (r#"emails.type eq "work""#, true),
            (r#"emails[type eq "work" and value co "@example.com"]"#, true),
            (r#"emails[type eq "work" and value co "@home"]"#, false),
            (r#"not (userName eq "bob@example.com")"#, true),
            (r#"not(title pr)"#, false),
            (r#"title pr and (active eq false or userName sw "ada")"#, true),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada""#, true),
            (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "ops""#, true),
            (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "u-2""#, true),
            (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "U-2""#, false),
            ("USERNAME PR", true),
            ("displayName eq null", true),
            ("title eq null", false),
            (r#"title ne "Engineer""#, false),
            (r#"displayName ne "Ada""#, true),
            (r#"title ne "a \"quoted\" one""#, true),
            // What is not kept, nobody has.
            (r#"nickName eq "ada""#, false),
            (r#"roles[value eq "admin"]"#, false),
            (r#"roles[value eq "admin"].value eq "admin""#, false),
            (r#"urn:acme:User:badge eq "1""#, false),
        ] {
            let read = parse(Kind::User, filter).unwrap_or_else(|refused| panic!("{filter}: {refused}"));
            assert_eq!(read.matches(&ada()), expected, "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        let many = vec!["title pr"; MOST_TERMS + 1].join(" or ");
        let deep = format!("{}title pr{}", "(".repeat(DEEPEST + 1), ")".repeat(DEEPEST + 1));
        for filter in [
            "",
            "userName",
            "userName eq",
            "userName eq ada",
            r#"userName eq "ada"#,
            r#"userName equals "ada""#,
            r#"eq "ada""#,
            r#"userName eq "ada" and"#,
            r#"userName eq "ada" userName eq "ada""#,
            r#"(userName eq "ada""#,
            r#"userName eq "ada")"#,
            r#"shoeSize eq 42"#,
            r#"userName[type eq "work"]"#,
            r#"emails[type eq "work""#,
            r#"emails[emails[type eq "work"]]"#,
            r#"emails[]"#,
            r#"not title pr"#,
            r#"meta.shoeSize pr"#,
            &many,
            &deep,
            &"(".repeat(5000),
            &"x".repeat(5000),
        ] {
            let refused = parse(Kind::User, filter).map(|_| ()).expect_err(filter);
            assert_eq!(refused.class, Class::InvalidFilter, "{filter}");
        }
    }

    #[test]
    fn a_filter_that_names_one_person_names_the_key_of_an_index() {
        for (filter, expected) in [
            (r#"userName eq "ada""#, Some(("userName", "ada"))),
            (r#"active eq true and externalId eq "X7""#, Some(("externalId", "X7"))),
            (r#"id eq "u-1""#, Some(("id", "u-1"))),
            (r#"userName eq "ada" or userName eq "bob""#, None),
            (r#"not (userName eq "ada")"#, None),
            (r#"userName sw "ada""#, None),
        ] {
            assert_eq!(parse(Kind::User, filter).unwrap().key(), expected, "{filter}");
        }
    }
}
