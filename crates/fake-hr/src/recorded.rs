//! Serves recorded pages: the responses in a connector's folder, in their order.
//!
//! `pages/responses.json` describes them: `signedIn` are headers that every request but a sign-in must have, and
//! `responses` are given in turn to the requests for the same method and path. `with` has to be in the query, or in the
//! text of the body.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path as FilePath;

use serde::Deserialize;

use super::faults::RequestKind;
use super::routes::Routes;
use super::serve::{FakeRequest, FakeResponse, ResponseBody, System};
use domain::quote::quoted;

/// What `responses.json` says.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Script {
    signed_in: BTreeMap<String, String>,
    responses: Vec<Scripted>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scripted {
    to: String,
    #[serde(default)]
    with: BTreeMap<String, String>,
    /// Names in `with` that tell its list apart from another one at the same address.
    #[serde(default)]
    apart: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default = "fine")]
    status: u16,
    #[serde(default)]
    file: Option<String>,
    #[serde(skip)]
    text: String,
}

fn fine() -> u16 {
    200
}

impl Script {
    /// Reads it, and the pages it names.
    ///
    /// # Errors
    /// The file that cannot be read, and why.
    pub(crate) fn open(pages: &FilePath) -> Result<Self, String> {
        let read = |name: &str| {
            let file = pages.join(name);
            std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
        };
        let script = serde_json::from_str(&read("responses.json")?);
        let mut script: Self = script.map_err(|error| format!("{}/responses.json: {error}", pages.display()))?;
        for answer in &mut script.responses {
            answer.text = answer.file.as_deref().map(read).transpose()?.unwrap_or_default();
        }
        Ok(script)
    }

    /// Changes every page that is JSON, but not what is answered to a sign-in.
    #[cfg(test)]
    pub(crate) fn rewrite(&mut self, routes: &Routes, mut change: impl FnMut(&mut serde_json::Value)) {
        for answer in self.responses.iter_mut().filter(|answer| routes.token() != Some(answer.to.as_str())) {
            let Ok(mut page) = serde_json::from_str(answer.text.trim_start_matches('\u{feff}')) else { continue };
            change(&mut page);
            answer.text = page.to_string();
        }
    }

    /// How many responses there are to requests for people.
    pub(crate) fn people(&self, routes: &Routes) -> usize {
        self.responses.iter().filter(|answer| routes.is_people(&answer.to)).count()
    }
}

/// Recorded pages, being played.
pub(crate) struct Recorded {
    routes: Routes,
    signed_in: BTreeMap<String, String>,
    left: HashMap<String, VecDeque<Scripted>>,
    /// What was asked and could not be answered as it was written down.
    surprises: Vec<String>,
    asked_for_token: bool,
}

impl Recorded {
    /// `real` is where the system really lies, and `here` where it is played: addresses in pages lead here.
    pub(crate) fn new(script: &Script, routes: Routes, real: &str, here: &str) -> Self {
        let mut left: HashMap<String, VecDeque<Scripted>> = HashMap::new();
        for mut answer in script.responses.clone() {
            answer.text = answer.text.replace(real, here);
            answer.headers.values_mut().for_each(|value| *value = value.replace(real, here));
            left.entry(answer.to.clone()).or_default().push_back(answer);
        }
        let signed_in = script.signed_in.clone();
        Self { routes, signed_in, left, surprises: Vec::new(), asked_for_token: false }
    }

    /// What was asked otherwise than it was written down, and what was not asked at all.
    pub(crate) fn surprises(&self) -> Vec<String> {
        let unasked =
            self.left.iter().filter(|(to, left)| !(left.is_empty() || self.asked_for_token && self.is_token(to)));
        let mut unasked: Vec<_> = unasked.map(|(to, _)| format!("never asked: {to}")).collect();
        unasked.sort();
        self.surprises.iter().cloned().chain(unasked).collect()
    }

    fn is_token(&self, to: &str) -> bool {
        self.routes.token() == Some(to)
    }
}

impl System for Recorded {
    fn part(&self, asked: &FakeRequest, before: Option<&RequestKind>) -> RequestKind {
        self.routes.part(asked, before)
    }

    fn answer(&mut self, asked: &FakeRequest) -> FakeResponse {
        let to = format!("{} {}", asked.method, asked.path);
        let is_token = self.is_token(&to);
        if !is_token {
            let missing = self.signed_in.iter().find(|(name, value)| asked.header(name) != Some(value.as_str()));
            if let Some((name, _)) = missing {
                self.surprises.push(format!("{to}: not signed in by {name}"));
                return FakeResponse::refused(401, "not signed in");
            }
        }
        self.asked_for_token |= is_token;
        // A token may be asked for again and again.
        // One of a list that is not asked for now, or was refused, is passed over.
        let fits =
            |answer: &Scripted| answer.apart.iter().all(|name| asked.parameter(name) == answer.with.get(name).cloned());
        let next = self.left.get_mut(&to).and_then(|left| {
            let at = left.iter().position(fits).unwrap_or_default();
            if is_token { left.front().cloned() } else { left.remove(at) }
        });
        let Some(next) = next else {
            self.surprises.push(format!("nobody expected {to}{}", asked.query.iter().fold(String::new(), question)));
            return FakeResponse::refused(404, "nothing is recorded for it");
        };
        let body = String::from_utf8_lossy(&asked.body);
        for (name, value) in &next.with {
            let given = asked.parameter(name);
            if given.as_ref() != Some(value) && !body.contains(value.as_str()) {
                self.surprises.push(format!(
                    "{to}: {name} is {}, not {value}",
                    given.as_deref().map_or("not there".to_owned(), quoted)
                ));
            }
        }
        let kind = [("content-type".to_owned(), "application/json".to_owned())];
        let headers = kind.into_iter().chain(next.headers).collect();
        FakeResponse { status: next.status, headers, body: ResponseBody::Whole(next.text.into()) }
    }

    fn expire(&mut self) -> bool {
        self.asked_for_token
    }

    fn turn_pages(&mut self, lost: Option<usize>, twice: Option<usize>) {
        let pages = self.left.iter_mut().find(|(to, _)| self.routes.is_people(to));
        let Some((_, pages)) = pages else { return };
        if let Some(page) = lost.and_then(|page| page.checked_sub(1)) {
            pages.remove(page);
        }
        if let Some(page) = twice.and_then(|page| page.checked_sub(1))
            && let Some(again) = pages.get(page).cloned()
        {
            pages.insert(page, again);
        }
    }

    fn pass_day(&mut self) -> Result<String, String> {
        Err("recorded pages have no days".to_owned())
    }

    fn leave(&mut self, _: &str) -> Result<String, String> {
        Err("nobody leaves recorded pages".to_owned())
    }

    fn surprises(&self) -> Vec<String> {
        Self::surprises(self)
    }
}

fn question(text: String, (name, value): &(String, String)) -> String {
    format!("{text}{}{name}={value}", if text.is_empty() { "?" } else { "&" })
}
