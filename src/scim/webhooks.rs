//! Webhooks of HR systems: whose they are, how fast, and the hint that becomes of them.
//!
//! ```text
//! POST /webhooks/<connection> ──▶ rate, signature there? ──▶ body, bounded ──▶ signature right? ──▶ not a replay? ──▶ ReadHint
//! ```
//! A body is hashed and dropped, and never parsed, but for a token (RFC 8935), of which issuer, audience, time and id are looked at: whatever it says, the source is read, and the read decides. For a connection that is
//! not there, or takes none, the answer is the one to a wrong signature.

mod hints;
mod keys;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::hints::Hints;
use self::keys::Key;
pub use self::keys::Keys;
use super::limits::{self, Buckets};
use crate::api::hint::WebhookRefusal;
use crate::kube::telemetry::Metrics;
use domain::webhook::{self, Form, Known, set};

/// What every path begins with.
const ROOT: &str = "/webhooks/";
/// Largest body.
pub const MOST_BYTES: usize = 256 * 1024;
/// Longest time for a body to come: vendors give up on an answer that soon themselves, and a slow one is to keep nobody waiting.
const BODY: Duration = Duration::from_secs(3);
/// Requests of one connection at work at once.
const AT_WORK: usize = 32;
/// The bucket and the place of everybody who names no connection that takes webhooks.
const STRANGERS: &str = "";

/// What requests are answered from.
pub struct Hall {
    /// Secrets and forms.
    pub keys: Arc<Keys>,
    hints: Hints,
    buckets: Buckets,
    known: Mutex<BTreeMap<String, Known>>,
    at_work: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    metrics: Arc<Metrics>,
    clock: fn() -> Timestamp,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// It asked for a read.
    Taken,
    /// The very same was taken before.
    Replayed,
    /// It is not the HR system's, or cannot be.
    Refused(WebhookRefusal),
    /// Too many at once, or too fast.
    Throttled,
    /// It is no POST.
    WrongMethod,
    /// The hint could not be written.
    NotWritten,
}

impl Came {
    /// Its word, for metrics and logs.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "Taken",
            Self::Replayed => "Replayed",
            Self::Refused(why) => why.reason().as_str(),
            Self::Throttled => "Throttled",
            Self::WrongMethod => "WrongMethod",
            Self::NotWritten => "NotWritten",
        }
    }

    /// Status and text. A sender that did nothing wrong is told to come back.
    const fn said(self) -> (StatusCode, &'static str) {
        match self {
            Self::Taken | Self::Replayed => (StatusCode::OK, "taken\n"),
            Self::Refused(WebhookRefusal::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n"),
            Self::Refused(WebhookRefusal::TimedOut) => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n"),
            Self::Refused(WebhookRefusal::OutOfTime) => (StatusCode::UNAUTHORIZED, "signed at another time\n"),
            Self::Refused(WebhookRefusal::IssuerWrong) => (StatusCode::UNAUTHORIZED, "of another issuer\n"),
            Self::Refused(WebhookRefusal::AudienceWrong) => (StatusCode::UNAUTHORIZED, "for another receiver\n"),
            Self::Refused(_) => (StatusCode::UNAUTHORIZED, "not signed for this address\n"),
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, "come back later\n"),
            Self::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "POST\n"),
            Self::NotWritten => (StatusCode::SERVICE_UNAVAILABLE, "come back later\n"),
        }
    }

    /// The word of RFC 8935 for why a token is not taken.
    const fn of_token(self) -> Option<&'static str> {
        match self {
            // Whoever has no key learns nothing of which connections there are.
            Self::Refused(
                WebhookRefusal::SignatureMissing | WebhookRefusal::SignatureWrong | WebhookRefusal::SecretMissing,
            ) => Some("invalid_key"),
            Self::Refused(WebhookRefusal::OutOfTime) => Some("invalid_request"),
            Self::Refused(WebhookRefusal::IssuerWrong) => Some("invalid_issuer"),
            Self::Refused(WebhookRefusal::AudienceWrong) => Some("invalid_audience"),
            _ => None,
        }
    }

    /// The answer; `token` is whether a token was sent, of whatever connection: those are answered as RFC 8935 has it.
    fn response(self, token: bool) -> Response {
        let (status, text) = self.said();
        let (plain, json) = ("text/plain; charset=utf-8", "application/json");
        let (status, text, kind) = match (self, self.of_token()) {
            (Self::Taken | Self::Replayed, _) if token => (StatusCode::ACCEPTED, String::new(), plain),
            (_, Some(word)) if token => {
                let said = serde_json::json!({"err": word, "description": text.trim_end()});
                (StatusCode::BAD_REQUEST, said.to_string(), json)
            }
            _ => (status, text.to_owned(), plain),
        };
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Throttled | Self::NotWritten => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            Self::WrongMethod => {
                headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
            }
            _ => {}
        }
        response
    }
}

/// What is answered under `/webhooks/`.
pub fn routes(hall: Arc<Hall>) -> axum::Router {
    axum::Router::new().route("/webhooks/{*connection}", axum::routing::any(answer)).with_state(hall)
}

/// Answers every request.
pub async fn answer(State(hall): State<Arc<Hall>>, request: Request) -> Response {
    let name = request.uri().path().strip_prefix(ROOT).unwrap_or_default().trim_end_matches('/').to_owned();
    let key = hall.keys.of(&name, Instant::now());
    let token = webhook::is_signed(Form::SharedSignals, &|name: &str| text(request.headers(), name)).is_ok();
    let came = hall.take(key.as_ref(), request).await.unwrap_or_else(|came| came);
    // A name that is none of ours is somebody's invention, and stands in no label and no log.
    let label = key.as_ref().map_or(STRANGERS, |_| name.as_str());
    hall.metrics.webhook(label, came.as_str());
    if let (Some(key), Came::Refused(why)) = (&key, came) {
        tracing::warn!(connection = name, reason = came.as_str(), "a webhook was refused");
        hall.hints.refused(key, why);
    }
    came.response(token)
}

impl Hall {
    /// One that answers from these keys and writes these hints.
    #[must_use]
    pub fn new(keys: Arc<Keys>, hints: Hints, metrics: Arc<Metrics>, clock: fn() -> Timestamp) -> Self {
        Self {
            keys,
            hints,
            buckets: Buckets::default(),
            known: Mutex::default(),
            at_work: Mutex::default(),
            metrics,
            clock,
        }
    }

    /// Takes a request, or says why not.
    async fn take(&self, key: Option<&Arc<Key>>, request: Request) -> Result<Came, Came> {
        let place = key.map_or(STRANGERS, |key| key.uid.as_str());
        if !self.buckets.take(place, limits::WEBHOOKS, Instant::now()) {
            return Err(Came::Throttled);
        }
        let _permit = self.permit(place).ok_or(Came::Throttled)?;
        if request.method() != Method::POST {
            return Err(Came::WrongMethod);
        }
        let (parts, body) = request.into_parts();
        let Some(key) = key else { return Err(Came::Refused(WebhookRefusal::SignatureWrong)) };
        // Without a signature, nothing of its body is read.
        webhook::is_signed(key.form, &|name: &str| text(&parts.headers, name)).map_err(refused)?;
        if !key.has_secrets() {
            return Err(Came::Refused(WebhookRefusal::SecretMissing));
        }
        let body = whole(&parts.headers, body).await?;
        let now = (self.clock)();
        let proven = proven(key, &parts, &body, now)?;
        if !self.is_new(&key.uid, proven, now) {
            return Ok(Came::Replayed);
        }
        if self.hints.taken(key).await { Ok(Came::Taken) } else { Err(Came::NotWritten) }
    }

    /// Whether this may be something new. The same again is a replay only where the time is a part of it.
    fn is_new(&self, uid: &str, proven: webhook::Proven, now: Timestamp) -> bool {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|uid, _| self.keys.knows(uid));
        all.entry(uid.to_owned()).or_default().is_new(proven.print, now) || !proven.dated
    }

    /// A place among the requests of a connection that are at work.
    fn permit(&self, place: &str) -> Option<OwnedSemaphorePermit> {
        let mut all = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let places = all.entry(place.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(AT_WORK)));
        Arc::clone(places).try_acquire_owned().ok()
    }
}

fn refused(why: webhook::Refusal) -> Came {
    Came::Refused(why.into())
}

fn proven(key: &Key, parts: &Parts, body: &[u8], now: Timestamp) -> Result<webhook::Proven, Came> {
    if let Some(terms) = &key.terms {
        return set::verify(&key.secrets, terms, body, now).map_err(refused);
    }
    let header = |name: &str| text(&parts.headers, name);
    let asked = webhook::Request { method: parts.method.as_str(), header: &header, body };
    webhook::verify(key.form, &key.secrets, &asked, now).map_err(refused)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The whole body, if it is not too large and comes in time.
async fn whole(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Came> {
    let large = Came::Refused(WebhookRefusal::TooLarge);
    let length = text(headers, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length > MOST_BYTES) {
        return Err(large);
    }
    let body = tokio::time::timeout(BODY, to_bytes(body, MOST_BYTES)).await;
    let body = body.map_err(|_| Came::Refused(WebhookRefusal::TimedOut))?.map_err(|_| large)?;
    Ok(body.to_vec())
}

#[cfg(test)]
mod tests;
