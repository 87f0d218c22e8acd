//! Signs the requests of one poll in, and keeps their pace.
//!
//! A token is asked for when it is first needed, again shortly before it ends, and once more where the source refuses
//! it. Headers that carry a secret are marked, so that no library prints them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::HeaderMap;
use reqwest::{Identity, Url};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::ApiSource;
use super::assertion;
use super::definition::{Definition, Rate};
use super::http::{self, Credential, HttpResponse, Request, Sent, Transport};
use super::token::{AccessToken, NO_KEEPER, Names, Tokens};
use domain::employee::Failure;

/// A token is renewed so long before it ends: a request that is under way should still find it good.
const EARLY: Duration = Duration::from_secs(60);

/// The signed-in way to one source, for one poll.
pub(super) struct Session {
    transport: Arc<Transport>,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    basic: Option<Credential>,
    token: Option<(Arc<Tokens>, Mutex<Option<AccessToken>>)>,
    pace: Option<(Rate, Mutex<VecDeque<Instant>>)>,
}

/// What is wrong with the Secret: keys that are missing, or hold something else than is needed.
///
/// # Errors
/// In words for the author of the Secret.
pub(super) fn check(source: &ApiSource, parameters: &BTreeMap<String, String>) -> Result<(), String> {
    present(&source.definition, &source.credentials)?;
    identity(source, parameters)?;
    let Some(token) = &source.definition.auth.token else { return Ok(()) };
    if token.refresh_token.is_some() && source.token_store.is_none() {
        return Err(NO_KEEPER.to_owned());
    }
    let names = names(source, parameters);
    // Signing once finds out whether the key is one; nothing is sent.
    let signed = token
        .assertion
        .as_ref()
        .map(|words| assertion::sign(words, |text| names.text(text, None), Timestamp::UNIX_EPOCH));
    signed.transpose().map(|_| ())
}

fn present(definition: &Definition, keys: &BTreeMap<String, SecretString>) -> Result<(), String> {
    let given = |key: &str| keys.get(key).is_some_and(|value| !value.expose_secret().trim().is_empty());
    let missing = definition.credentials.iter().filter(|(key, _)| !given(key));
    let missing: Vec<_> = missing.map(|(key, says)| format!("the Secret needs the key {key}: {says}")).collect();
    if missing.is_empty() { Ok(()) } else { Err(missing.join("; ")) }
}

fn names(source: &ApiSource, parameters: &BTreeMap<String, String>) -> Names {
    Names { credentials: source.credentials.clone(), parameters: parameters.clone() }
}

/// The certificate that is shown to the source, where it wants one.
///
/// # Errors
/// In words for the author of the Secret.
pub(super) fn identity(source: &ApiSource, parameters: &BTreeMap<String, String>) -> Result<Option<Identity>, String> {
    let Some(wanted) = &source.definition.auth.client_certificate else { return Ok(None) };
    let names = names(source, parameters);
    let text = |text: &str| names.text(text, None).map(SecretString::from);
    let (certificate, key) = (text(&wanted.certificate)?, text(&wanted.key)?);
    http::identity(certificate.expose_secret(), key.expose_secret()).map(Some)
}

impl Session {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// `Unauthorised`, when the Secret lacks what is needed or holds what no request can carry.
    pub(super) fn new(
        source: &ApiSource,
        parameters: &BTreeMap<String, String>,
        transport: &Arc<Transport>,
    ) -> Result<Self, Failure> {
        present(&source.definition, &source.credentials).map_err(Failure::Unauthorised)?;
        let names = Arc::new(names(source, parameters));
        let auth = &source.definition.auth;
        let query = auth.query.iter().map(|(name, text)| Ok((name.clone(), names.fill(text)?)));
        let token = auth.token.as_ref();
        let token =
            token.map(|token| Tokens::new(token, &names, source.token_store.as_ref(), source.clock)).transpose()?;
        let rate = source.definition.throttling.rate;
        Ok(Self {
            transport: Arc::clone(transport),
            headers: names.headers(&auth.headers)?,
            query: query.collect::<Result<_, Failure>>()?,
            basic: names.basic(auth.basic.as_ref())?,
            token: token.map(|token| (Arc::new(token), Mutex::default())),
            pace: rate.map(|rate| (rate, Mutex::default())),
        })
    }

    /// Asks, signed in. `made` is whether something that was made, or will be, is an answer too (201, 202).
    ///
    /// # Errors
    /// See `Failure`; that the source refuses a token that was renewed for this very request, too.
    pub(super) async fn ask(
        &self,
        mut url: Url,
        headers: &HeaderMap,
        send: Option<Sent<'_>>,
        largest: usize,
        made: bool,
    ) -> Result<HttpResponse, Failure> {
        // A next link may have them already.
        let missing = |(name, _): &&(String, String)| url.query_pairs().all(|(had, _)| had != *name);
        let missing: Vec<_> = self.query.iter().filter(missing).collect();
        if !missing.is_empty() {
            url.query_pairs_mut().extend_pairs(missing);
        }
        let mut headers = headers.clone();
        headers.extend(self.headers.clone());
        let mut request = Request { url, headers, credential: self.basic.as_ref(), send, largest, made };
        let Some((token, held)) = &self.token else {
            self.wait().await;
            return self.transport.ask(&request).await;
        };
        let first = self.hold(token, held, None).await?;
        token.put(&mut request.headers, &first)?;
        self.wait().await;
        match self.transport.ask(&request).await {
            Err(Failure::Unauthorised(_)) => {}
            answer => return answer,
        }
        let renewed = self.hold(token, held, Some(&first)).await?;
        token.put(&mut request.headers, &renewed)?;
        self.wait().await;
        self.transport.ask(&request).await
    }

    /// A token that is good: the one held, or a new one where there is none, where it ends soon, or where it is the
    /// one that was `refused`. Several requests at once that find it refused ask for one new one.
    async fn hold(
        &self,
        token: &Arc<Tokens>,
        held: &Mutex<Option<AccessToken>>,
        refused: Option<&AccessToken>,
    ) -> Result<AccessToken, Failure> {
        let mut held = held.lock().await;
        let soon = Instant::now() + EARLY;
        let good = held.as_ref().filter(|held| {
            held.until.is_none_or(|until| until > soon) && refused.is_none_or(|refused| refused.header != held.header)
        });
        if let Some(held) = good {
            return Ok(held.clone());
        }
        self.wait().await;
        let new = token.ask(&self.transport).await?;
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
