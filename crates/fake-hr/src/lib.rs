//! A fake HR system: simulates any connector over HTTP, from an invented company or from recorded pages, with faults on
//! demand. People try Rollcall with it; tests and benchmarks use it; a connector's own pages are tested with it.
//!
//! ```text
//! company ──people──▶ render ──records──▶ pagination ──pages──▶ serve ──http──▶ a reader
//!                       ▲                     ▲                   ▲ │
//!                     solver                routes                │ └── signin, faults
//!                       └──── definition ─────┘                   │
//! pages/responses.json ───────▶ recorded ─────────────────────────┘
//! ```
//! A definition describes how an HR system is read; the fake uses it in the other direction. `solver` looks for records that it reads
//! as intended, and `pagination` for pages. Both write by `json_writer`, which follows the paths of a definition. Nothing that reads a real source uses any of this.

mod company;
mod conformance;
mod faults;
mod generated;
mod in_memory_store;
mod json_writer;
mod pagination;
mod recorded;
mod render;
mod routes;
mod serve;
mod signin;
mod solver;
#[cfg(test)]
mod stories;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use regex_syntax::hir::{Class, Hir, HirKind};
use secrecy::SecretString;
use serde_json::Value as Json;
use tokio::net::TcpListener;

pub use self::company::{Company, Moment, Person, Scenario};
pub use self::conformance::{Report, test};
use self::faults::Faults;
use self::generated::Generated;
use self::in_memory_store::InMemoryStore;
use self::serve::State;
use hris::ApiSource;
use hris::definition::Definition;
use hris::token::RefreshTokenStore;

/// What is simulated.
pub struct Setup {
    /// In whose words.
    pub definition: Definition,
    /// What its parameters are; those that are left out are made up.
    pub parameters: BTreeMap<String, String>,
    /// The company.
    pub company: Company,
    /// How many records a page has, where the definition does not say.
    pub page: Option<usize>,
    /// Where it will be served: `http://127.0.0.1:8080`.
    pub here: String,
}

/// A fake HR system.
#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    unsaid: Vec<String>,
}

/// The day of the calendar.
pub type Today = Box<dyn Fn() -> Date + Send>;
/// What is told of every request that was answered: its method, path and status.
pub type Tell = Box<dyn Fn(&str) + Send>;

impl Fake {
    /// A fake that simulates a company.
    ///
    /// # Errors
    /// In words, which place of the definition cannot be simulated.
    pub fn new(setup: &Setup, today: Today, tell: Tell) -> Result<Self, String> {
        let Setup { company, page, here, .. } = setup;
        let parameters = parameters(&setup.definition, &setup.parameters)?;
        let definition = &unsigned(&setup.definition);
        let system = Generated::new(definition, &parameters, *company, *page, here, today)?;
        let (faults, unsaid) = (Faults::new(definition)?, system.unsaid());
        Ok(Self { state: Arc::new(Mutex::new(State::new(Box::new(system), faults, tell))), unsaid })
    }

    /// What was asked for, in turn.
    #[cfg(test)]
    pub(crate) fn heard(&self) -> Vec<faults::RequestKind> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).heard.clone()
    }

    /// What the definition cannot say of the people of the company.
    #[must_use]
    pub fn unsaid(&self) -> &[String] {
        &self.unsaid
    }

    /// Brings a fault, by its name.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn bring(&self, fault: &str) -> Result<(), String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { system, faults, .. } = &mut *state;
        faults.bring(fault, system.as_mut()).map(|_| ())
    }

    /// Ends every fault.
    pub fn clear_faults(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clear_faults();
    }

    /// Lets a day of the company pass.
    ///
    /// # Errors
    /// When what is played has no days.
    pub fn pass_day(&self) -> Result<(), String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).system.pass_day().map(|_| ())
    }

    /// Answers for as long as it is polled.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        serve::serve(listener, self.state).await
    }
}

/// The faults there are: name, and what it does.
#[must_use]
pub fn faults() -> Vec<(&'static str, &'static str)> {
    faults::KINDS.iter().map(|(name, _, says)| (*name, *says)).collect()
}

/// The value of every parameter: as given, its usual one, or one that fits.
///
/// # Errors
/// In words, those that are unknown or do not fit.
pub fn parameters(
    definition: &Definition,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, String> {
    let mut all = given.clone();
    for (name, parameter) in &definition.parameters {
        if !all.contains_key(name) && parameter.default.is_none() {
            all.insert(name.clone(), sample(&parameter.pattern));
        }
    }
    definition.resolve(&all)
}

/// What the keys of the Secret have to hold.
#[must_use]
pub fn credentials(definition: &Definition) -> BTreeMap<String, String> {
    definition.credentials.keys().map(|key| (key.clone(), signin::credential(key))).collect()
}

/// The definition of a system that lies where the fake does.
#[must_use]
pub fn moved(definition: &Definition, here: &str) -> Definition {
    let mut moved = definition.clone();
    moved.base_url = at(&definition.base_url, here);
    if let Some(token) = &mut moved.auth.token {
        token.url = at(&token.url, here);
    }
    moved
}

/// A source that reads the fake. It shows no certificate and signs nothing: a fake could not tell what is good.
///
/// # Errors
/// In words, which parameters are unknown or do not fit.
pub fn source(setup: &Setup) -> Result<ApiSource, String> {
    let definition = moved(&unsigned(&setup.definition), &setup.here);
    let parameters = parameters(&setup.definition, &setup.parameters)?;
    Ok(reading(definition, parameters, signin::credential))
}

pub(crate) fn reading(
    mut definition: Definition,
    parameters: BTreeMap<String, String>,
    credential: impl Fn(&str) -> String,
) -> ApiSource {
    let lists = definition.people.iter_mut().chain(definition.joins.values_mut().map(|join| &mut join.list));
    let lists = lists.chain(definition.lookups.values_mut().map(|lookup| &mut lookup.list));
    lists.filter_map(|list| list.export.as_mut()).for_each(|export| export.every = 0); // a fake is done at once
    let keys = definition.credentials.keys();
    let credentials: BTreeMap<_, _> = keys.map(|key| (key.clone(), SecretString::from(credential(key)))).collect();
    let token_store = Some(Arc::new(InMemoryStore::new(&credentials)) as Arc<dyn RefreshTokenStore>);
    ApiSource { definition, parameters, credentials, token_store, clock: || Timestamp::UNIX_EPOCH }
}

/// A definition without what needs a private key: what is signed is there, and that is all.
fn unsigned(definition: &Definition) -> Definition {
    let mut definition = definition.clone();
    definition.auth.client_certificate = None;
    if let Some(token) = &mut definition.auth.token {
        token.assertion = None;
        token.body.iter_mut().for_each(|(name, text)| *text = signed(name, text));
    }
    definition
}

/// A definition for the system that lies where the fake does. It asks for no private key.
///
/// # Errors
/// In words, when the text is no definition.
pub fn rewritten(text: &str, here: &str) -> Result<Json, String> {
    let words = serde_saphyr::options! { strict_booleans: true }; // `yes` is a word
    let mut all: Json = serde_saphyr::from_str_with_options(text, words).map_err(|error| error.to_string())?;
    for place in ["/baseUrl", "/auth/token/url"] {
        if let Some(Json::String(url)) = all.pointer_mut(place) {
            *url = at(url, here);
        }
    }
    if let Some(auth) = all.pointer_mut("/auth").and_then(Json::as_object_mut) {
        auth.remove("clientCertificate");
    }
    if let Some(token) = all.pointer_mut("/auth/token").and_then(Json::as_object_mut) {
        token.remove("assertion");
        let body = token.get_mut("body").and_then(Json::as_object_mut);
        for (name, text) in body.into_iter().flatten() {
            if let Json::String(text) = text {
                *text = signed(name, text);
            }
        }
    }
    // What nothing asks for any more would be refused.
    for kind in ["parameters", "credentials"] {
        let rest = |all: &Json| {
            let mut rest = all.clone();
            rest.as_object_mut().map(|rest| rest.remove(kind));
            rest.to_string()
        };
        let rest = rest(&all);
        let used = |name: &str| rest.contains(&format!("{{{name}}}")) || rest.contains(&format!("{{base64 {name}}}"));
        if let Some(named) = all.get_mut(kind).and_then(Json::as_object_mut) {
            named.retain(|name, _| used(name));
        }
    }
    Ok(all)
}

/// A text of a sign-in with something in the place of what would be signed, and a grant that needs nothing signed.
fn signed(name: &str, text: &str) -> String {
    if name == "grant_type" && text.starts_with("urn:") {
        return "client_credentials".to_owned();
    }
    text.replace("{assertion}", "signed").replace("{base64 assertion}", "signed")
}

/// An address, moved to another host; what is in its path stays.
fn at(url: &str, here: &str) -> String {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    match rest.split_once('/') {
        Some((_, path)) => format!("{here}/{path}"),
        None => here.to_owned(),
    }
}

/// A value that fits a pattern.
fn sample(pattern: &str) -> String {
    let whole = regex::Regex::new(&format!("^(?:{pattern})$"));
    let usual =
        ["acme", "hr.example.com"].into_iter().find(|usual| whole.as_ref().is_ok_and(|whole| whole.is_match(usual)));
    let mut made = String::new();
    match (usual, regex_syntax::parse(pattern)) {
        (Some(usual), _) => usual.to_owned(),
        (None, Ok(pattern)) => {
            shortest(&pattern, &mut made);
            made
        }
        (None, Err(_)) => made,
    }
}

fn shortest(pattern: &Hir, made: &mut String) {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => made.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = || class.ranges().iter().flat_map(|range| range.start()..=range.end());
            made.extend(ranges().find(char::is_ascii_alphanumeric).or_else(|| ranges().next()));
        }
        HirKind::Class(Class::Bytes(class)) => {
            made.extend(class.ranges().first().map(|range| char::from(range.start())));
        }
        HirKind::Repetition(times) => (0..times.min).for_each(|_| shortest(&times.sub, made)),
        HirKind::Capture(group) => shortest(&group.sub, made),
        HirKind::Concat(parts) => parts.iter().for_each(|part| shortest(part, made)),
        HirKind::Alternation(parts) => parts.first().into_iter().for_each(|part| shortest(part, made)),
    }
}
