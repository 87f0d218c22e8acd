//! A list that the system makes when it is asked for: begun, looked at until it is done, and then read like any other.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::asking::Asking;
use crate::definition::{Code, Export, Request, Where};
use crate::http::HttpResponse;
use crate::path::{Path, plain};
use crate::session::Session;
use domain::employee::Failure;

/// Most looks at one export.
const MAX_LOOKS: usize = 10_000;
/// Largest answer to a start or a look.
const LARGEST: usize = 1024 * 1024;
/// Longest name of an export: it goes into addresses.
const MAX_JOB_LEN: usize = 1024;

/// An export and the list it makes.
#[derive(Debug)]
pub(super) struct Exported {
    words: Export,
    start: Asking,
    request: Request,
    base: String,
    values: BTreeMap<String, String>,
}

impl Exported {
    /// `request` is that of the list.
    ///
    /// # Errors
    /// In words, when a name has no value or an address is none.
    pub(super) fn new(
        words: &Export,
        request: &Request,
        base: &str,
        values: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let start = Asking::new(base, &words.start, values, None)?;
        let (words, request, base, values) = (words.clone(), request.clone(), base.to_owned(), values.clone());
        let exported = Self { words, start, request, base, values };
        for request in [&exported.words.poll, &exported.request] {
            exported.asking(request, "x")?;
        }
        Ok(exported)
    }

    fn asking(&self, request: &Request, job: &str) -> Result<Asking, String> {
        Asking::new(&self.base, request, &self.values, Some((JOB, &[job])))
    }

    /// Has the list made, and gives the request for it.
    ///
    /// # Errors
    /// See `Failure`; `WrongFormat` where it came to nothing.
    pub(super) async fn made(&self, session: &Session) -> Result<Asking, Failure> {
        let wrong = |what: &str| Failure::WrongFormat(what.to_owned());
        let answer = self.start.clone().ask(session, LARGEST, true).await?;
        let job = self.job(&answer).ok_or_else(|| wrong("the response does not say which export it began"))?;
        for _ in 0..MAX_LOOKS {
            tokio::time::sleep(Duration::from_secs(self.words.every.into())).await;
            let look = self.asking(&self.words.poll, &job).map_err(Failure::WrongFormat)?;
            let body = json(&look.ask(session, LARGEST, true).await?)?;
            if says(&self.words.done, &body)? {
                return self.asking(&self.request, &job).map_err(Failure::WrongFormat);
            }
            if self.words.failed.as_ref().map_or(Ok(false), |failed| says(failed, &body))? {
                return Err(wrong("the system could not make the export"));
            }
        }
        Err(wrong("the export is not done after many looks"))
    }

    /// What the export is called.
    fn job(&self, answer: &HttpResponse) -> Option<String> {
        let text = match &self.words.job {
            Where::Header(name) => {
                let text = answer.headers.get(name)?.to_str().ok()?.trim();
                let path = text.split(['?', '#']).next().unwrap_or_default();
                path.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned()
            }
            Where::Path(path) => plain(Path::parse(path).ok()?.first(&json(answer).ok()?)?)?,
        };
        Some(text).filter(|text| !text.is_empty() && text.len() <= MAX_JOB_LEN)
    }
}

/// The name of an export's name.
pub(crate) const JOB: &str = "job";

fn json(answer: &HttpResponse) -> Result<Value, Failure> {
    let body = answer.body.as_deref().unwrap_or_default();
    serde_json::from_slice(crate::json::unmarked(body))
        .map_err(|_| Failure::WrongFormat("the response about an export is no JSON".to_owned()))
}

/// Whether one of the words stands where they would.
fn says(code: &Code, body: &Value) -> Result<bool, Failure> {
    let none = || Failure::WrongFormat("the response does not say whether the export is done".to_owned());
    let word = Path::parse(&code.path).ok().and_then(|path| path.first(body).and_then(plain)).ok_or_else(none)?;
    Ok(code.is.iter().any(|is| is.eq_ignore_ascii_case(&word)))
}
