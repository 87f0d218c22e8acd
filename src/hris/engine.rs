//! Follows a definition: asks for page after page until there is none, and maps each as it comes.
//!
//! Knows no vendor. An answer is whole or it is a failure: pages that repeat, never end or contradict one another are
//! never half an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::ApiSource;
use super::definition::{Auth, Definition, Paging, Word};
use super::http::{Credential, Request, Transport};
use super::json::{self, Paths};
use super::mapping::{Form, Mapper, Statuses};
use super::row::Slot;
use crate::domain::employee::{Failure, Read};

/// Most pages of one answer.
const MOST_PAGES: usize = 10_000;
/// Largest page.
const LARGEST_PAGE: usize = 64 * 1024 * 1024;
/// Form of the dates of every API read so far (RFC 3339, 5.6).
const DATES: &str = "%Y-%m-%d";

/// Whether a source can be read as it is described, before anything is asked.
///
/// # Errors
/// In words for whoever wrote the connection: everything that is missing, unknown or of the wrong form.
pub(super) fn check(source: &ApiSource) -> Result<(), String> {
    let wrong: Vec<String> = [
        source.definition.address(&source.parameters).err(),
        credential(&source.definition, &source.credentials).err(),
        form(&source.definition).err(),
    ]
    .into_iter()
    .flatten()
    .collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// Reads all pages.
///
/// # Errors
/// See `Failure`.
pub(super) async fn read(source: &ApiSource, transport: &Transport, as_of: Date) -> Result<Read, Failure> {
    let definition = &source.definition;
    let credential = credential(definition, &source.credentials).map_err(Failure::Unauthorised)?;
    let start = definition.address(&source.parameters).map_err(Failure::Missing)?;
    let paths = Arc::new(paths(definition));
    let mut mapper = Mapper::new(form(definition).map_err(Failure::WrongFormat)?, as_of);
    let mut cursors = BTreeSet::new();
    let mut next = None;
    for page in 1..=MOST_PAGES {
        let request = Request {
            url: turn(&start, definition.paging.as_ref(), next.as_deref()),
            headers: headers(&definition.request.headers),
            credential: Some(&credential),
            largest: LARGEST_PAGE,
        };
        let body = transport.get(&request).await?;
        let paths = Arc::clone(&paths);
        let trailer;
        (mapper, trailer) = super::aside(move || {
            let trailer = json::read(&body, &paths, &mut mapper)?;
            Ok((mapper, trailer))
        })
        .await?;
        trailer.total.into_iter().for_each(|total| mapper.announce(total));
        let Some(cursor) = trailer.cursor else { return mapper.finish() };
        if !cursors.insert(cursor.clone()) {
            return Err(Failure::Truncated(format!("page {page} leads back to a page that was read before")));
        }
        next = Some(cursor);
    }
    Err(Failure::Truncated(format!("there is no end after {MOST_PAGES} pages")))
}

/// The address of a page: the first one's, with the cursor of the page before.
fn turn(start: &Url, paging: Option<&Paging>, cursor: Option<&str>) -> Url {
    let mut url = start.clone();
    if let (Some(Paging::Cursor { query, .. }), Some(cursor)) = (paging, cursor) {
        url.query_pairs_mut().append_pair(query, cursor);
    }
    url
}

fn paths(definition: &Definition) -> Paths {
    let cursor = definition.paging.as_ref().map(|Paging::Cursor { path, .. }| path.as_str());
    let slots = definition.fields.iter().map(|(slot, paths)| (*slot, paths.as_slice()));
    Paths::new(&definition.records, slots, cursor, definition.total.as_deref())
}

fn form(definition: &Definition) -> Result<Form, String> {
    Ok(Form {
        offered: definition.fields.keys().copied().collect::<BTreeSet<Slot>>(),
        required: definition.required.clone(),
        statuses: Statuses::new(definition.statuses.iter().map(|(word, rule)| (word.clone(), (*rule).into())))?,
        dates: DATES.to_owned(),
        end_date: definition.end_date_means.unwrap_or_default(),
    })
}

fn headers(wanted: &BTreeMap<String, String>) -> HeaderMap {
    let pair = |(name, value): (&String, &String)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?)) // checked with the definition
    };
    wanted.iter().filter_map(pair).collect()
}

/// What the requests sign in with.
fn credential(definition: &Definition, keys: &BTreeMap<String, SecretString>) -> Result<Credential, String> {
    let given = |key: &str| keys.get(key).filter(|value| !value.expose_secret().trim().is_empty());
    let missing: Vec<String> = definition
        .credentials
        .iter()
        .filter(|(key, _)| given(key).is_none())
        .map(|(key, says)| format!("the Secret needs the key {key}: {says}"))
        .collect();
    if !missing.is_empty() {
        return Err(missing.join("; "));
    }
    let word = |word: &Word| match word {
        Word::Credential(key) => given(key).cloned().unwrap_or_default(),
        Word::Constant(text) => SecretString::from(text.clone()),
    };
    let Auth::Basic { username, password } = &definition.auth;
    Ok(Credential::Basic(word(username), word(password)))
}
