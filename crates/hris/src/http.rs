//! Requests over HTTP: whole answers, in bounded size and time, from addresses a source may have.
//!
//! GET, and the POST of a search or of a sign-in; there is no word for another method. Follows no redirect. Failures name
//! the host and the kind of fault; never the address as a whole, a header or a body, which may carry a token or a person.

mod answer;
mod client;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use reqwest::{Client, Identity, Response, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::Instant;

use self::answer::{body, judge, reset_after, retry_after};
pub(crate) use self::client::identity;
pub use self::client::{Network, Progress, authorities, proxy};
use self::client::{check, client, unreachable};
use super::definition::Reset;
use super::path::{Path, plain as text_of};
use domain::employee::Failure;

/// Most bytes of all answers of one poll.
const MAX_BYTES: usize = 2 * 1024 * 1024 * 1024;
/// Most requests of one poll, tries and sign-ins included: one for each of the most people there may be, and as many
/// again.
const MAX_REQUESTS: usize = 2_000_000;
/// Most bytes of an error's body that are looked at.
const LARGEST_ERROR: usize = 64 * 1024;

/// What a request signs in with.
pub enum Credential {
    /// Basic: user name and password.
    Basic(SecretString, SecretString),
    /// Bearer: a token.
    Bearer(SecretString),
}

/// How often a request is made again, and after how long where the source does not say.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// First wait; doubles every time.
    pub first: Duration,
    /// How often after being asked to come back later.
    pub throttled: u32,
    /// How often after a fault that is likely to pass: a 5xx, a lost connection.
    pub faults: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), throttled: 5, faults: 2 }
    }
}

/// How a source asks to come back later, in addition to 429 and `Retry-After`.
#[derive(Clone, Debug, Default)]
pub struct Throttle {
    /// Statuses that mean it.
    pub statuses: Vec<u16>,
    /// Words in the body of an error that mean it, and where they stand.
    pub code: Option<(Path, Vec<String>)>,
    /// The header that says when to come back.
    pub reset: Option<Reset>,
}

/// One poll's way out.
pub struct Transport {
    client: Client,
    network: Network,
    deadline: Instant,
    retry: RetryPolicy,
    throttle: Throttle,
    bytes: Budget,
    requests: Budget,
}

/// What a poll may use, and has used.
struct Budget {
    most: usize,
    used: AtomicUsize,
}

impl Budget {
    fn of(most: usize) -> Self {
        Self { most, used: AtomicUsize::new(0) }
    }

    /// Uses some of it.
    fn spend(&self, some: usize) -> Result<(), Wrong> {
        let before = self.used.fetch_add(some, Ordering::Relaxed);
        if before.saturating_add(some) > self.most { Err(Wrong::Final(Failure::TooLarge)) } else { Ok(()) }
    }
}

/// One question to a source.
pub struct Request<'a> {
    /// Where; checked again before every try.
    pub url: Url,
    /// Headers in addition to the credential's.
    pub headers: HeaderMap,
    /// What it signs in with.
    pub credential: Option<&'a Credential>,
    /// What is sent: a POST. None is a GET.
    pub send: Option<Sent<'a>>,
    /// Most bytes of an answer.
    pub largest: usize,
    /// What was made, or will be, is an answer too (201, 202): of a sign-in, of an export.
    pub made: bool,
}

/// The body of a search or a sign-in.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    /// Its `Content-Type`.
    pub kind: &'static str,
    /// The body; may hold a secret.
    pub body: &'a str,
}

/// An answer.
pub struct HttpResponse {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; none where the status says there is none (204, 304).
    pub body: Option<Vec<u8>>,
    /// It is what the request named by its conditions (304), and was not sent again.
    pub unchanged: bool,
}

/// That there is no answer that could be used.
pub struct Unanswered {
    /// Why; the last try's where there were several.
    pub failure: Failure,
    /// The wait that the source asks for, which was longer than there was time, or after the last try.
    pub asked: Option<Duration>,
}

/// How one try went wrong.
enum Wrong {
    /// Another try would end the same way.
    Final(Failure),
    /// The source asks to come back, perhaps after a time it names.
    Throttled(Option<Duration>),
    /// Likely to pass.
    Fault(Failure),
}

impl Transport {
    /// `deadline` is the end of the whole poll; `identity` is what is shown where a source wants a certificate.
    ///
    /// # Errors
    /// `AddressRefused`, when the proxy has an address it may not have; `Unreachable`, when TLS cannot be set up.
    pub fn new(
        network: &Network,
        identity: Option<Identity>,
        deadline: Instant,
        retry: RetryPolicy,
    ) -> Result<Self, Failure> {
        let client = client(network, identity)?;
        let (network, throttle) = (network.clone(), Throttle::default());
        let (bytes, requests) = (Budget::of(MAX_BYTES), Budget::of(MAX_REQUESTS));
        Ok(Self { client, network, deadline, retry, throttle, bytes, requests })
    }

    /// The end of the whole poll.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The same, for a source that asks in its own way to come back later.
    pub fn throttled_by(self, throttle: Throttle) -> Self {
        Self { throttle, ..self }
    }

    /// Asks until there is an answer, the tries are used up, or the source asks for more time than the poll has.
    ///
    /// # Errors
    /// See `Failure`; the last try's where there were several.
    pub async fn ask(&self, request: &Request<'_>) -> Result<HttpResponse, Failure> {
        self.ask_or_when(request).await.map_err(|unanswered| unanswered.failure)
    }

    /// The same, for who comes back by itself: with the wait that the source asks for.
    ///
    /// # Errors
    /// As of `ask`.
    pub async fn ask_or_when(&self, request: &Request<'_>) -> Result<HttpResponse, Unanswered> {
        let ended = |failure: Failure, asked: Option<Duration>| Err(Unanswered { failure, asked });
        if let Err(refused) = check(&request.url, &self.network) {
            return ended(refused, None);
        }
        let (mut throttled, mut faults) = (0, 0);
        loop {
            let (wait, failure, asked) = match self.once(request).await {
                Ok(answer) => return Ok(answer),
                Err(Wrong::Throttled(asked)) if throttled < self.retry.throttled => {
                    throttled += 1;
                    (asked.unwrap_or_else(|| self.backoff(throttled)), Failure::Throttled, asked)
                }
                Err(Wrong::Fault(failure)) if faults < self.retry.faults => {
                    faults += 1;
                    (self.backoff(faults), failure, None)
                }
                Err(Wrong::Throttled(asked)) => return ended(Failure::Throttled, asked),
                Err(Wrong::Final(failure) | Wrong::Fault(failure)) => return ended(failure, None),
            };
            if wait >= self.deadline.saturating_duration_since(Instant::now()) {
                return ended(failure, asked);
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn backoff(&self, tries: u32) -> Duration {
        self.retry.first.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
    }

    async fn once(&self, request: &Request<'_>) -> Result<HttpResponse, Wrong> {
        self.requests.spend(1)?;
        let asked = match request.send {
            None => self.client.get(request.url.clone()),
            Some(sent) => {
                self.client.post(request.url.clone()).header(CONTENT_TYPE, sent.kind).body(sent.body.to_owned())
            }
        };
        let asked = asked.headers(request.headers.clone());
        let asked = match request.credential {
            None => asked,
            Some(Credential::Basic(user, password)) => asked.basic_auth(plain(user), Some(plain(password))),
            Some(Credential::Bearer(token)) => asked.bearer_auth(plain(token)),
        };
        let response = asked.send().await.map_err(|error| unreachable(&request.url, &self.network, &error))?;
        // A source that answers what was not asked has something between itself and us.
        let asked = request.headers.contains_key(IF_NONE_MATCH) || request.headers.contains_key(IF_MODIFIED_SINCE);
        let unchanged = asked && response.status() == StatusCode::NOT_MODIFIED;
        if let Err(wrong) = if unchanged { Ok(()) } else { judge(&response, request.made) } {
            return Err(self.throttled(wrong, response).await);
        }
        let headers = response.headers().clone();
        if unchanged || response.status() == StatusCode::NO_CONTENT {
            return Ok(HttpResponse { headers, body: None, unchanged });
        }
        let body = body(response, request.largest).await?;
        self.bytes.spend(body.len())?;
        self.network.progress.iter().for_each(|progress| progress.came(body.len()));
        Ok(HttpResponse { headers, body: Some(body), unchanged })
    }

    /// Whether what went wrong is this source's way of asking to come back later.
    async fn throttled(&self, wrong: Wrong, response: Response) -> Wrong {
        let status = response.status().as_u16();
        let after = self.throttle.reset.as_ref().and_then(|reset| reset_after(response.headers(), reset));
        if matches!(wrong, Wrong::Throttled(_)) || self.throttle.statuses.contains(&status) {
            return Wrong::Throttled(retry_after(response.headers()).or(after));
        }
        let Some((path, words)) = &self.throttle.code else { return wrong };
        let after = retry_after(response.headers()).or(after);
        let Ok(body) = body(response, LARGEST_ERROR).await else { return wrong };
        let value: Value = serde_json::from_slice(super::json::unmarked(&body)).unwrap_or_default();
        match path.first(&value).and_then(text_of) {
            Some(word) if words.contains(&word) => Wrong::Throttled(after),
            _ => wrong,
        }
    }
}

/// A secret as it is sent: files and editors leave a line end behind it.
fn plain(secret: &SecretString) -> &str {
    secret.expose_secret().trim_end_matches(['\r', '\n'])
}

#[cfg(test)]
mod tests {
    use axum::Router;

    use super::*;

    #[tokio::test]
    async fn a_poll_uses_no_more_requests_and_bytes_than_it_may() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let router = Router::new().fallback(|| async { "12345" });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let network = Network { allow_private_addresses: true, ..Network::default() };
        for (bytes, requests, answers) in [(100, 3, 3), (14, 100, 2), (15, 100, 3), (0, 100, 0), (100, 0, 0)] {
            let deadline = Instant::now() + Duration::from_secs(30);
            let transport = Transport::new(&network, None, deadline, RetryPolicy::default()).unwrap();
            let transport = Transport { bytes: Budget::of(bytes), requests: Budget::of(requests), ..transport };
            for number in 0..5 {
                let (url, headers) = (url.clone(), HeaderMap::new());
                let request = Request { url, headers, credential: None, send: None, largest: 10, made: false };
                let answer = transport.ask(&request).await.map(|_| ());
                let found = if number < answers { Ok(()) } else { Err(Failure::TooLarge) };
                assert_eq!(answer, found, "{number} of {bytes} bytes and {requests} requests");
            }
        }
    }
}
