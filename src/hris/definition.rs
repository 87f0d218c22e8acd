//! A connector's definition: data that says how one HR system is asked for its people and what its answers mean.
//!
//! The vocabulary is closed, and every word of it reads: there is none that could name a call that writes. A word
//! nobody knows refuses the whole definition, because a misspelt one would silently change what an answer means.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::mapping::{EndDate, Meaning};
use super::row::Slot;
use crate::domain::employee::Status;

/// How one HR system is read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Name in the catalogue.
    pub name: String,
    /// Where the system lies: `https://…`, with parameters in braces.
    pub base_url: String,
    /// What a connection has to say beside its credential.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// Keys of the connection's Secret, each with what to put there.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
    /// How a request signs in.
    pub auth: Auth,
    /// The request for the list of people.
    pub request: Request,
    /// Path to the list of records.
    pub records: String,
    /// Path to the number of records of all pages.
    #[serde(default)]
    pub total: Option<String>,
    /// How the next page is asked for; without it there is one page.
    #[serde(default)]
    pub paging: Option<Paging>,
    /// Paths from a record to each value. Several are parts of one text.
    pub fields: BTreeMap<Slot, Vec<String>>,
    /// What must be filled in at least one record of every answer.
    #[serde(default)]
    pub required: BTreeSet<Slot>,
    /// What each status word means.
    #[serde(default)]
    pub statuses: BTreeMap<String, StatusRule>,
    /// What the end date means, where there is one.
    #[serde(default)]
    pub end_date_means: Option<EndDate>,
}

/// A value that a connection gives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it has to match, as a whole.
    pub pattern: String,
    /// What it is, for whoever writes the connection.
    pub says: String,
}

/// How a request signs in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Auth {
    /// Basic (RFC 7617).
    Basic {
        /// User name.
        username: Word,
        /// Password.
        password: Word,
    },
}

/// Half of a Basic credential.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// What stands under this key of the Secret.
    Credential(String),
    /// These very letters.
    Constant(String),
}

/// A request; always a GET.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Path below the base URL.
    pub path: String,
    /// Parameters of the query.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// How the next page is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Paging {
    /// By a cursor in the body of the page before.
    Cursor {
        /// Path to it; null or empty on the last page.
        path: String,
        /// Parameter of the query that takes it.
        query: String,
    },
}

/// What a status word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusRule {
    /// What it means.
    pub means: Verdict,
    /// What it means of a person who starts later, for systems without a word for a future hire.
    #[serde(default)]
    pub when_starts_later: Option<Verdict>,
}

/// A status, as definitions write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Verdict {
    /// Works here.
    Active,
    /// On leave.
    Leave,
    /// Suspended or inactive.
    Suspended,
    /// Has left.
    Terminated,
}

impl From<Verdict> for Status {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Active => Self::Active,
            Verdict::Leave => Self::Leave,
            Verdict::Suspended => Self::Suspended,
            Verdict::Terminated => Self::Terminated,
        }
    }
}

impl From<StatusRule> for Meaning {
    fn from(rule: StatusRule) -> Self {
        Self { means: rule.means.into(), when_starts_later: rule.when_starts_later.map(Into::into) }
    }
}

/// Why a definition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct Refused {
    /// The file it stands in.
    pub file: String,
    /// What is wrong: the line and the word.
    pub why: String,
}

impl Definition {
    /// Reads a definition and checks that its words fit together. `file` is what errors name.
    ///
    /// # Errors
    /// The first line that cannot be read, or everything that does not fit.
    pub fn parse(file: &str, text: &str) -> Result<Self, Refused> {
        let refused = |why: String| Refused { file: file.to_owned(), why };
        let definition: Self = serde_saphyr::from_str(text).map_err(|error| {
            let line = error.location().map_or(0, |location| location.line());
            refused(format!("line {line}: {}", error.without_snippet()))
        })?;
        let findings = definition.findings();
        if findings.is_empty() { Ok(definition) } else { Err(refused(findings.join("; "))) }
    }

    /// Everything that does not fit together.
    fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.base_url.starts_with("https://") {
            found.push("baseUrl: does not start with https://".to_owned());
        }
        let place = self.place(|_| "x");
        if Url::parse(&place).is_err() || place.contains(['{', '}']) {
            found.push("baseUrl: not a URL, or a parameter in braces that is not declared".to_owned());
        }
        for (name, parameter) in &self.parameters {
            if !self.base_url.contains(&format!("{{{name}}}")) {
                found.push(format!("parameters.{name}: not used"));
            }
            if whole(&parameter.pattern).is_none() {
                found.push(format!("parameters.{name}.pattern: no regular expression"));
            }
        }
        self.find_in_auth(&mut found);
        self.find_in_request(&mut found);
        self.find_in_fields(&mut found);
        found
    }

    fn find_in_auth(&self, found: &mut Vec<String>) {
        let Auth::Basic { username, password } = &self.auth;
        for key in [username, password].into_iter().filter_map(Word::key) {
            if !self.credentials.contains_key(key) {
                found.push(format!("auth: {key} is not declared under credentials"));
            }
        }
    }

    fn find_in_request(&self, found: &mut Vec<String>) {
        if !self.request.path.starts_with('/') {
            found.push("request.path: does not start with /".to_owned());
        }
        for (name, value) in &self.request.headers {
            if HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err() {
                found.push(format!("request.headers: {name} is no header"));
            }
        }
    }

    fn find_in_fields(&self, found: &mut Vec<String>) {
        for slot in [Slot::FullName, Slot::Email] {
            if !self.fields.contains_key(&slot) {
                found.push(format!("fields: {} is missing", slot.name()));
            }
        }
        for (slot, paths) in &self.fields {
            if paths.is_empty() || paths.iter().any(|path| path.split('.').any(str::is_empty)) {
                found.push(format!("fields.{}: no path", slot.name()));
            }
        }
        for slot in self.required.iter().filter(|slot| !self.fields.contains_key(slot)) {
            found.push(format!("required: {} is not under fields", slot.name()));
        }
        if self.fields.contains_key(&Slot::Status) == self.statuses.is_empty() {
            found.push("statuses: needed if and only if there is a field status".to_owned());
        }
        if self.fields.contains_key(&Slot::TerminationDate) != self.end_date_means.is_some() {
            found.push("endDateMeans: needed if and only if there is a field terminationDate".to_owned());
        }
        let by_start = self.statuses.values().any(|rule| rule.when_starts_later.is_some());
        if by_start && !self.fields.contains_key(&Slot::HireDate) {
            found.push("statuses: whenStartsLater needs a field hireDate".to_owned());
        }
    }

    /// The base URL with its parameters filled in.
    fn place<'a>(&'a self, value: impl Fn(&'a str) -> &'a str) -> String {
        let fill = |url: String, name: &'a String| url.replace(&format!("{{{name}}}"), value(name));
        self.parameters.keys().fold(self.base_url.clone(), fill)
    }

    /// The address of the list, for the parameters of one connection.
    ///
    /// Whatever the patterns allow, a value begins with a letter or digit and is made of these, dots, underlines and
    /// hyphens, so that none can lead to another host or path than the definition names.
    ///
    /// # Errors
    /// In words for whoever wrote the connection: everything that is missing, unknown or of the wrong form.
    pub(super) fn address(&self, parameters: &BTreeMap<String, String>) -> Result<Url, String> {
        let name = &self.name;
        let mut found = Vec::new();
        for given in parameters.keys().filter(|given| !self.parameters.contains_key(*given)) {
            let known: Vec<&str> = self.parameters.keys().map(String::as_str).collect();
            found.push(format!("the connector {name} has no parameter {given:?}; it has: {}", known.join(", ")));
        }
        for (key, parameter) in &self.parameters {
            let fits = |value: &String| {
                value.starts_with(|c: char| c.is_ascii_alphanumeric())
                    && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
                    && whole(&parameter.pattern).is_some_and(|pattern| pattern.is_match(value))
            };
            match parameters.get(key) {
                None => found.push(format!("the connector {name} needs the parameter {key}: {}", parameter.says)),
                Some(value) if !fits(value) => {
                    found.push(format!("the parameter {key} does not match {}: {}", parameter.pattern, parameter.says));
                }
                Some(_) => {}
            }
        }
        if !found.is_empty() {
            return Err(found.join("; "));
        }
        let place = self.place(|name| parameters.get(name).map_or("", String::as_str));
        let place = format!("{}{}", place.trim_end_matches('/'), self.request.path);
        let mut url = Url::parse(&place).map_err(|_| format!("the parameters of {name} make no URL"))?;
        if !self.request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.request.query);
        }
        Ok(url)
    }
}

impl Word {
    /// The key of the Secret it is read from.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Self::Credential(key) => Some(key),
            Self::Constant(_) => None,
        }
    }
}

/// A pattern that a value has to match from its first letter to its last.
fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "name: plain
baseUrl: https://{tenant}.example.com
parameters:
  tenant: {pattern: '[a-z0-9-]+', says: your tenant}
credentials: {token: a token}
auth: {basic: {username: {credential: token}, password: {constant: x}}}
request: {path: /people, query: {limit: '5'}}
records: data
fields:
  fullName: [name]
  email: [email]
  status: [state]
  hireDate: [start]
statuses:
  On: {means: Active}
";

    fn parse(text: &str) -> Result<Definition, String> {
        Definition::parse("plain.yaml", text).map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_word_nobody_knows_refuses_the_definition_with_file_line_and_word() {
        for (from, to, line, word) in [
            ("records: data", "record: data", 8, "record"),
            ("says: your tenant", "say: your tenant", 4, "say"),
            ("path: /people,", "path: /people, method: POST,", 7, "method"),
            ("path: /people,", "path: /people, body: '{}',", 7, "body"),
            ("basic:", "bearer:", 6, "bearer"),
            ("credential: token", "secret: token", 6, "secret"),
            ("hireDate: [start]", "salary: [pay]", 13, "salary"),
            ("means: Active", "means: Retired", 15, "Retired"),
            ("means: Active", "means: Active, whenGone: Active", 15, "whenGone"),
        ] {
            let refused = parse(&PLAIN.replace(from, to)).unwrap_err();
            assert!(refused.starts_with(&format!("plain.yaml: line {line}: ")) && refused.contains(word), "{refused}");
        }
    }

    #[test]
    fn words_that_do_not_fit_together_refuse_the_definition() {
        assert_eq!(parse(PLAIN).map(|_| ()), Ok(()));
        for (from, to, why) in [
            ("https://{tenant}", "http://{tenant}", "baseUrl: does not start with https://"),
            (
                "{tenant}.example",
                "{company}.example",
                "baseUrl: not a URL, or a parameter in braces that is not declared",
            ),
            ("{tenant}.example", "hr.example", "parameters.tenant: not used"),
            ("'[a-z0-9-]+'", "'[a-z'", "parameters.tenant.pattern: no regular expression"),
            ("{token: a token}", "{}", "auth: token is not declared under credentials"),
            ("path: /people", "path: people", "request.path: does not start with /"),
            ("path: /people", "headers: {'a b': c}, path: /people", "request.headers: a b is no header"),
            ("  email: [email]\n", "", "fields: email is missing"),
            ("[email]", "[]", "fields.email: no path"),
            ("[email]", "[work..email]", "fields.email: no path"),
            ("statuses:\n  On: {means: Active}\n", "", "statuses: needed if and only if there is a field status"),
            (
                "hireDate: [start]",
                "terminationDate: [end]",
                "endDateMeans: needed if and only if there is a field terminationDate",
            ),
            ("  hireDate: [start]\n", "  ", "statuses: whenStartsLater needs a field hireDate"),
            ("records: data", "records: data\nrequired: [title]", "required: title is not under fields"),
        ] {
            let text = PLAIN.replace(from, to).replace("  statuses", "statuses");
            let text = if why.contains("whenStartsLater") {
                text.replace("means: Active", "means: Active, whenStartsLater: Leave")
            } else {
                text
            };
            let refused = parse(&text).unwrap_err();
            assert!(refused.starts_with("plain.yaml: ") && refused.contains(why), "{why}: {refused}");
        }
    }

    #[test]
    fn parameters_are_checked_before_anything_is_asked() {
        let definition = parse(PLAIN).unwrap();
        let address = |given: &[(&str, &str)]| {
            let given = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            definition.address(&given).map(|url| url.to_string())
        };
        assert_eq!(address(&[("tenant", "acme-1")]).unwrap(), "https://acme-1.example.com/people?limit=5");
        assert_eq!(address(&[]).unwrap_err(), "the connector plain needs the parameter tenant: your tenant");
        assert_eq!(
            address(&[("tenant", "acme"), ("region", "eu")]).unwrap_err(),
            "the connector plain has no parameter \"region\"; it has: tenant"
        );
        for value in ["", "ACME", "evil.example.com/", "a@evil", "a:b", "a/b", "a\n", "a\nb", "a?b", "a#b", "%2f", "é"]
        {
            let refused = address(&[("tenant", value)]).unwrap_err();
            assert_eq!(refused, "the parameter tenant does not match [a-z0-9-]+: your tenant", "{value:?}");
        }
    }

    #[test]
    fn a_pattern_that_allows_too_much_still_leads_to_no_other_host() {
        let definition = parse(&PLAIN.replace("[a-z0-9-]+", ".*")).unwrap();
        for value in [
            "evil.example.org/",
            "evil.example.org?",
            "evil.example.org#",
            "x@evil.example.org",
            "x:1@y",
            "x\\y",
            "a b",
            "..",
            "-",
        ] {
            let given = BTreeMap::from([("tenant".to_owned(), value.to_owned())]);
            assert!(definition.address(&given).is_err(), "{value}");
        }
    }
}
