//! Signs the requests of one poll in, and keeps their pace.
//!
//! A token is asked for when it is first needed, again shortly before it ends, and once more where the source refuses
//! it. Headers that carry a secret are marked, so that no library prints them; nothing of an answer to a sign-in is
//! kept but the token.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Identity, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ApiSource;
use super::definition::{Basic, Definition, Method, Rate, Send, Token};
use super::http::{self, Answer, Credential, Request, Sent, Transport};
use super::path::{Path, plain};
use super::template;
use crate::domain::employee::Failure;

/// A token is renewed so long before it ends: a request that is under way should still find it good.
const EARLY: Duration = Duration::from_secs(60);
/// Largest answer to a sign-in.
const LARGEST_TOKEN: usize = 1024 * 1024;

/// The signed-in way to one source, for one poll.
pub(super) struct Session<'a> {
    transport: &'a Transport,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    basic: Option<Credential>,
    token: Option<Renewed<'a>>,
    pace: Option<(Rate, Mutex<VecDeque<Instant>>)>,
}

/// A token, and how it is renewed.
struct Renewed<'a> {
    how: &'a Token,
    url: Url,
    /// What is sent, and its `Content-Type`; none with a GET.
    send: Option<(SecretString, &'static str)>,
    headers: HeaderMap,
    basic: Option<Credential>,
    held: Mutex<Option<Held>>,
}

/// A token that is good until an instant, if it said so.
#[derive(Clone)]
struct Held {
    header: HeaderValue,
    until: Option<Instant>,
}

/// The values that names in braces stand for: keys of the Secret, then parameters.
pub(super) struct Names<'a> {
    /// The keys of the Secret.
    pub(super) credentials: &'a BTreeMap<String, SecretString>,
    /// The parameters.
    pub(super) parameters: &'a BTreeMap<String, String>,
}

impl Names<'_> {
    fn text(&self, text: &str) -> Result<String, String> {
        let secret = |name: &str| {
            let value = self.credentials.get(name)?.expose_secret();
            Some(value.trim_end_matches(['\r', '\n']).to_owned()) // files and editors leave a line end behind it
        };
        let value = |name: &str| secret(name).or_else(|| self.parameters.get(name).cloned());
        template::fill(text, value)
    }

    fn fill(&self, text: &str) -> Result<String, Failure> {
        self.text(text).map_err(Failure::Unauthorised)
    }

    fn headers(&self, wanted: &BTreeMap<String, String>) -> Result<HeaderMap, Failure> {
        wanted.iter().map(|(name, text)| header(name, &self.fill(text)?)).collect()
    }

    fn basic(&self, wanted: Option<&Basic>) -> Result<Option<Credential>, Failure> {
        let Some(Basic { username, password }) = wanted else { return Ok(None) };
        let [username, password] = [self.fill(username)?, self.fill(password)?].map(SecretString::from);
        Ok(Some(Credential::Basic(username, password)))
    }
}

/// What is wrong with the Secret: keys that are missing, or hold something else than is needed.
///
/// # Errors
/// In words for whoever made the Secret.
pub(super) fn check(source: &ApiSource, parameters: &BTreeMap<String, String>) -> Result<(), String> {
    present(&source.definition, &source.credentials)?;
    identity(source, parameters).map(|_| ())
}

fn present(definition: &Definition, keys: &BTreeMap<String, SecretString>) -> Result<(), String> {
    let given = |key: &str| keys.get(key).is_some_and(|value| !value.expose_secret().trim().is_empty());
    let missing = definition.credentials.iter().filter(|(key, _)| !given(key));
    let missing: Vec<_> = missing.map(|(key, says)| format!("the Secret needs the key {key}: {says}")).collect();
    if missing.is_empty() { Ok(()) } else { Err(missing.join("; ")) }
}

/// The certificate that is shown to the source, where it wants one.
///
/// # Errors
/// In words for whoever made the Secret.
pub(super) fn identity(
    source: &ApiSource,
    parameters: &BTreeMap<String, String>,
) -> Result<Option<Identity>, String> {
    let Some(wanted) = &source.definition.auth.client_certificate else { return Ok(None) };
    let names = Names { credentials: &source.credentials, parameters };
    let [certificate, key] = [names.text(&wanted.certificate)?, names.text(&wanted.key)?].map(SecretString::from);
    http::identity(certificate.expose_secret(), key.expose_secret()).map(Some)
}

impl<'a> Session<'a> {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// `Unauthorised`, when the Secret lacks what is needed or holds what no request can carry.
    pub(super) fn new(
        source: &'a ApiSource,
        parameters: &BTreeMap<String, String>,
        transport: &'a Transport,
    ) -> Result<Self, Failure> {
        present(&source.definition, &source.credentials).map_err(Failure::Unauthorised)?;
        let names = Names { credentials: &source.credentials, parameters };
        let auth = &source.definition.auth;
        let query = auth.query.iter().map(|(name, text)| Ok((name.clone(), names.fill(text)?)));
        let rate = source.definition.throttling.rate;
        Ok(Self {
            transport,
            headers: names.headers(&auth.headers)?,
            query: query.collect::<Result<_, Failure>>()?,
            basic: names.basic(auth.basic.as_ref())?,
            token: auth.token.as_ref().map(|token| Renewed::new(token, &names)).transpose()?,
            pace: rate.map(|rate| (rate, Mutex::default())),
        })
    }

    /// Asks, signed in.
    ///
    /// # Errors
    /// See `Failure`; that the source refuses a token that was renewed for this very request, too.
    pub(super) async fn ask(
        &self,
        mut url: Url,
        headers: &HeaderMap,
        send: Option<Sent<'_>>,
        largest: usize,
    ) -> Result<Answer, Failure> {
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let mut headers = headers.clone();
        headers.extend(self.headers.clone());
        let mut request = Request { url, headers, credential: self.basic.as_ref(), send, largest, made: false };
        let Some(token) = &self.token else {
            self.wait().await;
            return self.transport.ask(&request).await;
        };
        let held = self.hold(token, None).await?;
        token.put(&mut request.headers, &held)?;
        self.wait().await;
        match self.transport.ask(&request).await {
            Err(Failure::Unauthorised(_)) => {}
            answer => return answer,
        }
        let renewed = self.hold(token, Some(&held)).await?;
        token.put(&mut request.headers, &renewed)?;
        self.wait().await;
        self.transport.ask(&request).await
    }

    /// A token that is good: the one held, or a new one where there is none, where it ends soon, or where it is the
    /// one that was `refused`. Several requests at once that find it refused ask for one new one.
    async fn hold(&self, token: &Renewed<'_>, refused: Option<&Held>) -> Result<Held, Failure> {
        let mut held = token.held.lock().await;
        let soon = Instant::now() + EARLY;
        let good = held.as_ref().filter(|held| {
            held.until.is_none_or(|until| until > soon) && refused.is_none_or(|refused| refused.header != held.header)
        });
        if let Some(held) = good {
            return Ok(held.clone());
        }
        self.wait().await;
        let new = token.ask(self.transport).await?;
        Ok(held.insert(new).clone())
    }

    /// Waits for its turn, where the source takes only so many requests in a time.
    async fn wait(&self) {
        let Some((rate, recent)) = &self.pace else { return };
        let turn = turn(&mut *recent.lock().await, *rate, Instant::now());
        tokio::time::sleep_until(turn).await;
    }
}

/// When the next request may be made, which is remembered as made then. `recent` are the last ones there were.
fn turn(recent: &mut VecDeque<Instant>, rate: Rate, now: Instant) -> Instant {
    let window = Duration::from_secs(rate.seconds.into());
    let full = recent.len() >= rate.requests as usize;
    let free = full.then(|| recent.pop_front()).flatten().map(|first| first + window);
    let turn = free.map_or(now, |free| free.max(now));
    recent.push_back(turn);
    turn
}

impl<'a> Renewed<'a> {
    fn new(how: &'a Token, names: &Names<'_>) -> Result<Self, Failure> {
        let url = names.fill(&how.url)?;
        let url = Url::parse(&url).map_err(|_| Failure::Missing("the address for a token is no URL".to_owned()))?;
        let body = how.body.iter().map(|(name, text)| Ok((name.clone(), names.fill(text)?)));
        let body = body.collect::<Result<BTreeMap<_, _>, Failure>>()?;
        let send = match (how.method, how.send) {
            (Method::Get, _) => None,
            (Method::Post, Send::Form) => Some((form(&body), "application/x-www-form-urlencoded")),
            // Texts alone can be written.
            (Method::Post, Send::Json) => Some((serde_json::to_string(&body).unwrap_or_default(), "application/json")),
        };
        Ok(Self {
            how,
            url,
            send: send.map(|(body, kind)| (SecretString::from(body), kind)),
            headers: names.headers(&how.headers)?,
            basic: names.basic(how.basic.as_ref())?,
            held: Mutex::default(),
        })
    }

    async fn ask(&self, transport: &Transport) -> Result<Held, Failure> {
        let request = Request {
            url: self.url.clone(),
            headers: self.headers.clone(),
            credential: self.basic.as_ref(),
            send: self.send.as_ref().map(|(body, kind)| Sent { kind, body: body.expose_secret() }),
            largest: LARGEST_TOKEN,
            made: true,
        };
        let answer = transport.ask(&request).await.map_err(|failure| match failure {
            Failure::Status(400) | Failure::Forbidden | Failure::Unauthorised(_) => {
                Failure::Unauthorised("the source gave no token for the credential".to_owned())
            }
            failure => failure,
        })?;
        let wrong = |why: &str| Failure::WrongFormat(format!("the answer to the sign-in {why}"));
        let body = answer.body.unwrap_or_default();
        let body: Value = match (serde_json::from_slice(&body), &self.how.at) {
            (Ok(body), _) => body,
            (Err(_), Some(_)) => Value::Null, // the token is not there
            (Err(_), None) => return Err(wrong("is no JSON")),
        };
        let value = |path: &str| Some(Path::parse(path).ok()?.first(&body).and_then(plain));
        let token = match &self.how.at {
            Some(at) => answer.headers.get(&at.header).and_then(|value| Some(value.to_str().ok()?.trim().to_owned())),
            None => value(&self.how.path).flatten(),
        };
        let token = token.filter(|token| !token.is_empty()).ok_or_else(|| wrong("has no token"))?;
        let rotated = value("refresh_token").flatten().is_some_and(|new| !self.sends(&new));
        if self.how.refresh_token_rotates == Some(false) && rotated {
            return Err(Failure::Unauthorised(
                "the source gave another refresh token, which cannot be kept: put a new one into the Secret".to_owned(),
            ));
        }
        let seconds = value(&self.how.expires_in).flatten().and_then(|text| text.parse::<u64>().ok());
        let lasts =
            seconds.map(|n| if self.how.milliseconds { Duration::from_millis(n) } else { Duration::from_secs(n) });
        let carried = template::fill(&self.how.value, |name| (name == "token").then(|| token.clone()));
        let (_, header) = header(&self.how.header, &carried.map_err(Failure::WrongFormat)?)?;
        Ok(Held { header, until: lasts.and_then(|lasts| Instant::now().checked_add(lasts)) })
    }

    /// Whether a text is one of those that are sent for a token.
    fn sends(&self, text: &str) -> bool {
        let (form, json) = (form(&BTreeMap::from([("x".to_owned(), text.to_owned())])), Value::from(text).to_string());
        let sent = self.send.as_ref().map_or("", |(body, _)| body.expose_secret());
        sent.contains(form.trim_start_matches("x=")) || sent.contains(&json)
    }

    fn put(&self, headers: &mut HeaderMap, held: &Held) -> Result<(), Failure> {
        let name = HeaderName::try_from(&self.how.header);
        let name = name.map_err(|_| Failure::Unauthorised("the token's header is no header".to_owned()))?;
        headers.insert(name, held.header.clone());
        Ok(())
    }
}

/// A header whose value is never printed.
fn header(name: &str, text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let unfit = || Failure::Unauthorised("the credential holds characters no header can carry".to_owned());
    let mut value = HeaderValue::try_from(text).map_err(|_| unfit())?;
    value.set_sensitive(true);
    Ok((HeaderName::try_from(name).map_err(|_| unfit())?, value))
}

/// A body as browsers send forms (WHATWG URL, 5.2).
fn form(fields: &BTreeMap<String, String>) -> String {
    let Ok(mut url) = Url::parse("form:") else { return String::new() };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_requests_are_made_in_a_time_than_the_source_takes() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut recent = VecDeque::new();
        for (now, at) in [(0, 0), (1, 1), (2, 10), (2, 11), (2, 20), (45, 45), (46, 46), (46, 55)] {
            let turn = turn(&mut recent, Rate { requests: 2, seconds: 10 }, after(now));
            assert_eq!(turn - start, Duration::from_secs(at), "asked at {now}");
        }
        assert_eq!(recent.len(), 2);
    }
}
