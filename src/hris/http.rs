//! Requests over HTTP: whole answers, in bounded size and time, from addresses a source may have.
//!
//! GET, and the POST of a search or of a sign-in; there is no word for another method. Follows no redirect, uses no
//! proxy. Failures name the host and the kind of fault; never the
//! address as a whole, a header or a body, which may carry a token or a person.

use std::error::Error as StdError;
use std::net::{IpAddr, SocketAddr};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Client, Response, StatusCode, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use tokio::time::Instant;

use super::Network;
use super::address::refused;
use super::definition::{Reset, ResetSays};
use super::path::{Path, plain as text_of};
use crate::domain::employee::Failure;

/// Most bytes of all answers of one poll.
const MOST_BYTES: usize = 2 * 1024 * 1024 * 1024;
/// Most bytes of an error's body that are looked at.
const LARGEST_ERROR: usize = 64 * 1024;
/// Longest time to reach a host, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Under this name we are seen in the logs of the source.
const USER_AGENT: &str = concat!("rollcall/", env!("CARGO_PKG_VERSION"));

/// What a request signs in with.
pub enum Credential {
    /// Basic: user name and password.
    Basic(SecretString, SecretString),
    /// Bearer: a token.
    Bearer(SecretString),
}

/// How often a request is made again, and after how long where the source does not say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// First wait; doubles every time.
    pub(super) first: Duration,
    /// How often after being asked to come back later.
    pub(super) throttled: u32,
    /// How often after a fault that is likely to pass: a 5xx, a lost connection.
    pub(super) faults: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), throttled: 5, faults: 2 }
    }
}

/// How a source asks to come back later, beside 429 and `Retry-After`.
#[derive(Clone, Debug, Default)]
pub(super) struct Throttle {
    /// Statuses that mean it.
    pub(super) statuses: Vec<u16>,
    /// Words in the body of an error that mean it, and where they stand.
    pub(super) code: Option<(Path, Vec<String>)>,
    /// The header that says when to come back.
    pub(super) reset: Option<Reset>,
}

/// One poll's way out.
pub(super) struct Transport {
    client: Client,
    network: Network,
    deadline: Instant,
    patience: Patience,
    throttle: Throttle,
    read: AtomicUsize,
}

/// One question to a source.
pub(super) struct Request<'a> {
    /// Where; checked again before every try.
    pub(super) url: Url,
    /// Headers beside the credential's.
    pub(super) headers: HeaderMap,
    /// What it signs in with.
    pub(super) credential: Option<&'a Credential>,
    /// What is sent: a POST. None is a GET.
    pub(super) send: Option<Sent<'a>>,
    /// Most bytes of an answer.
    pub(super) largest: usize,
}

/// The body of a search or a sign-in.
#[derive(Clone, Copy)]
pub(super) struct Sent<'a> {
    /// Its `Content-Type`.
    pub(super) kind: &'static str,
    /// The body; may hold a secret.
    pub(super) body: &'a str,
}

/// An answer.
pub(super) struct Answer {
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body; none where the status says there is none (204).
    pub(super) body: Option<Vec<u8>>,
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
    /// `deadline` is the end of the whole poll.
    ///
    /// # Errors
    /// `Unreachable`, when TLS cannot be set up.
    pub(super) fn new(network: Network, deadline: Instant, patience: Patience) -> Result<Self, Failure> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error says that somebody else has chosen already, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|root| Certificate::from_der(root).ok());
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .tls_certs_only(roots) // the image holds no certificates of its own
            .dns_resolver(Resolver { network })
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .build()
            .map_err(|_| Failure::Unreachable("TLS cannot be set up".to_owned()))?;
        let (throttle, read) = (Throttle::default(), AtomicUsize::new(0));
        Ok(Self { client, network, deadline, patience, throttle, read })
    }

    /// The same, for a source that asks in its own way to come back later.
    pub(super) fn throttled_by(self, throttle: Throttle) -> Self {
        Self { throttle, ..self }
    }

    /// Asks until there is an answer, the tries are used up, or the source asks for more time than the poll has.
    ///
    /// # Errors
    /// See `Failure`; the last try's where there were several.
    pub(super) async fn ask(&self, request: &Request<'_>) -> Result<Answer, Failure> {
        check(&request.url, self.network)?;
        let (mut throttled, mut faults) = (0, 0);
        loop {
            let (wait, failure) = match self.once(request).await {
                Ok(answer) => return Ok(answer),
                Err(Wrong::Throttled(asked)) if throttled < self.patience.throttled => {
                    throttled += 1;
                    (asked.unwrap_or_else(|| self.backoff(throttled)), Failure::Throttled)
                }
                Err(Wrong::Fault(failure)) if faults < self.patience.faults => {
                    faults += 1;
                    (self.backoff(faults), failure)
                }
                Err(Wrong::Throttled(_)) => return Err(Failure::Throttled),
                Err(Wrong::Final(failure) | Wrong::Fault(failure)) => return Err(failure),
            };
            if wait >= self.deadline.saturating_duration_since(Instant::now()) {
                return Err(failure);
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn backoff(&self, tries: u32) -> Duration {
        self.patience.first.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
    }

    async fn once(&self, request: &Request<'_>) -> Result<Answer, Wrong> {
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
        let host = request.url.host_str().unwrap_or_default();
        let response = asked.send().await.map_err(|error| unreachable(host, &error))?;
        if let Err(wrong) = judge(&response) {
            return Err(self.throttled(wrong, response).await);
        }
        let headers = response.headers().clone();
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Answer { headers, body: None });
        }
        let body = body(response, request.largest).await?;
        if self.read.fetch_add(body.len(), Ordering::Relaxed) > MOST_BYTES {
            return Err(Wrong::Final(Failure::TooLarge));
        }
        Ok(Answer { headers, body: Some(body) })
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
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
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

/// Whether an address may be asked at all. Names are checked again when they are resolved.
///
/// # Errors
/// `AddressRefused`.
pub(super) fn check(url: &Url, network: Network) -> Result<(), Failure> {
    let refuse = |why: String| Err(Failure::AddressRefused(why));
    let host = url.host_str().unwrap_or_default();
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("the URL carries a user name or password; put them into the Secret".to_owned());
    }
    match url.scheme() {
        "https" => {}
        "http" if network.allow_private_addresses => {}
        "http" => return refuse(format!("{host} would be asked without TLS")),
        _ => return refuse("neither https:// nor http://".to_owned()),
    }
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    match literal.and_then(refused) {
        Some(kind) if !network.allow_private_addresses => refuse(format!("{host} is a {kind} address")),
        _ => Ok(()),
    }
}

/// Resolves names, and refuses those that lead to an address a source may not have: the addresses that are checked
/// are the addresses that are used, so a name cannot change its meaning in between.
struct Resolver {
    network: Network,
}

/// Why a name was not resolved.
#[derive(Debug, thiserror::Error)]
enum Unresolved {
    #[error("does not resolve")]
    Unknown,
    #[error("resolves to a {0} address")]
    Refused(&'static str),
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.network.allow_private_addresses;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Unresolved::Unknown)?;
            let found: Vec<SocketAddr> = found.collect();
            match found.iter().find_map(|address| refused(address.ip())) {
                Some(kind) if !allowed => Err(Unresolved::Refused(kind).into()),
                _ if found.is_empty() => Err(Unresolved::Unknown.into()),
                _ => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

/// Says why no answer came.
fn unreachable(host: &str, error: &reqwest::Error) -> Wrong {
    if error.is_builder() {
        return Wrong::Final(Failure::Unauthorised("the credential holds characters no header can carry".to_owned()));
    }
    let fault = |why: String| Wrong::Fault(Failure::Unreachable(why));
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(seen) = cause {
        match (seen.downcast_ref::<Unresolved>(), seen.downcast_ref::<rustls::Error>()) {
            (Some(why @ Unresolved::Refused(_)), _) => {
                return Wrong::Final(Failure::AddressRefused(format!("{host} {why}")));
            }
            (Some(why), _) => return fault(format!("{host} {why}")),
            (_, Some(why)) => return fault(format!("no TLS with {host}: {why}")),
            _ => {}
        }
        // An I/O error passes over what it holds when it is asked for its source.
        let held = seen.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause = held.map_or_else(|| seen.source(), |held| Some(held));
    }
    match (error.is_timeout(), error.is_connect()) {
        (true, _) => fault(format!("no connection to {host} within {} s", CONNECT.as_secs())),
        (_, true) => fault(format!("no connection to {host}")),
        _ => fault(format!("the connection to {host} was lost")),
    }
}

/// Says what an answer's head means.
fn judge(response: &Response) -> Result<(), Wrong> {
    let after = retry_after(response.headers());
    let failure = match response.status() {
        StatusCode::OK => return markup(response.headers()),
        StatusCode::NO_CONTENT => return Ok(()),
        StatusCode::TOO_MANY_REQUESTS => return Err(Wrong::Throttled(after)),
        StatusCode::SERVICE_UNAVAILABLE if after.is_some() => return Err(Wrong::Throttled(after)),
        StatusCode::UNAUTHORIZED => Failure::Unauthorised("the source refused the credential (401)".to_owned()),
        StatusCode::FORBIDDEN => Failure::Forbidden,
        StatusCode::NOT_FOUND => Failure::Missing("nothing is there (404)".to_owned()),
        status if status.is_redirection() => Failure::AddressRefused(elsewhere(status, response)),
        status if status.is_server_error() => return Err(Wrong::Fault(Failure::Status(status.as_u16()))),
        status => Failure::Status(status.as_u16()),
    };
    Err(Wrong::Final(failure))
}

/// A login page with status 200 is no answer.
fn markup(headers: &HeaderMap) -> Result<(), Wrong> {
    let kind = header(headers, CONTENT_TYPE).unwrap_or_default().trim_start().to_ascii_lowercase();
    if kind.starts_with("text/html") || kind.starts_with("application/xhtml") {
        return Err(Wrong::Final(Failure::WrongFormat("the answer is a web page (text/html)".to_owned())));
    }
    Ok(())
}

/// Where a redirect leads: its host, for it is most often a login.
fn elsewhere(status: StatusCode, response: &Response) -> String {
    let target = header(response.headers(), LOCATION).and_then(|to| response.url().join(to).ok());
    let host = target.as_ref().and_then(Url::host_str).unwrap_or("nowhere");
    format!("a redirect ({}) to {host}; redirects are not followed", status.as_u16())
}

/// The wait a source asks for: seconds, or a date, which is compared with the source's own clock (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let asked = header(headers, RETRY_AFTER)?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| DateTimeParser::new().parse_timestamp(text).ok();
    let (then, now) = (date(asked)?, date(header(headers, DATE)?)?);
    Some(Duration::try_from(then.duration_since(now)).unwrap_or_default())
}

/// The wait a source asks for in a header of its own.
fn reset_after(headers: &HeaderMap, reset: &Reset) -> Option<Duration> {
    let number: u64 = headers.get(&reset.header)?.to_str().ok()?.trim().parse().ok()?;
    match reset.says {
        ResetSays::Seconds => Some(Duration::from_secs(number)),
        ResetSays::Milliseconds => Some(Duration::from_millis(number)),
        ResetSays::EpochSeconds => {
            let now = DateTimeParser::new().parse_timestamp(header(headers, DATE)?).ok()?;
            let wait = i64::try_from(number).ok()?.saturating_sub(now.as_second());
            Some(Duration::from_secs(u64::try_from(wait).unwrap_or_default()))
        }
    }
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The whole body, as long as it stays within its bound.
async fn body(response: Response, largest: usize) -> Result<Vec<u8>, Wrong> {
    let too_large = || Wrong::Final(Failure::TooLarge);
    if response.content_length().is_some_and(|length| length > largest as u64) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let cut =
            |_| Wrong::Fault(Failure::Truncated("the connection was lost in the middle of the answer".to_owned()));
        let piece = piece.map_err(cut)?;
        if body.len() + piece.len() > largest {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: Network = Network { allow_private_addresses: false };
    const PRIVATE: Network = Network { allow_private_addresses: true };

    fn verdict(url: &str, network: Network) -> Result<(), Failure> {
        check(&Url::parse(url).unwrap(), network)
    }

    #[test]
    fn only_public_addresses_over_tls_are_asked_unless_private_ones_are_allowed() {
        for (url, public, private) in [
            ("https://hr.example.com/people.csv", true, true),
            ("https://1.1.1.1/", true, true),
            ("http://hr.example.com/", false, true),
            ("https://127.0.0.1/", false, true),
            ("https://0x7f.1/", false, true),
            ("https://2130706433/", false, true),
            ("https://[::1]/", false, true),
            ("https://[::ffff:10.0.0.1]/", false, true),
            ("https://169.254.169.254/latest/meta-data", false, true),
            ("https://user@hr.example.com/", false, false),
            ("https://user:word@hr.example.com/", false, false),
            ("ftp://hr.example.com/", false, false),
            ("file:///etc/passwd", false, false),
        ] {
            assert_eq!(verdict(url, PUBLIC).is_ok(), public, "{url}");
            assert_eq!(verdict(url, PRIVATE).is_ok(), private, "{url}");
        }
    }

    #[test]
    fn a_refused_url_is_not_quoted() {
        let Err(Failure::AddressRefused(why)) = verdict("http://hr.example.com/list?token=s3cret", PUBLIC) else {
            panic!("not refused");
        };
        assert_eq!(why, "hr.example.com would be asked without TLS");
    }

    #[test]
    fn the_wait_is_read_in_seconds_or_as_a_date_of_the_sources_own_clock() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (asked, date, wait) in [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(now), Some(30)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(now), Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("soon", Some(now), None),
            ("-1", None, None),
        ] {
            let mut headers = HeaderMap::from_iter([(RETRY_AFTER, asked.parse().unwrap())]);
            headers.extend(date.map(|date| (DATE, date.parse().unwrap())));
            assert_eq!(retry_after(&headers), wait.map(Duration::from_secs), "{asked}");
        }
    }

    #[test]
    fn the_wait_is_read_from_a_header_of_the_sources_own() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT"; // 784111777
        for (says, number, wait) in [
            (ResetSays::Seconds, "7", Some(Duration::from_secs(7))),
            (ResetSays::Milliseconds, "250", Some(Duration::from_millis(250))),
            (ResetSays::EpochSeconds, "784111787", Some(Duration::from_secs(10))),
            (ResetSays::EpochSeconds, "784111000", Some(Duration::ZERO)),
            (ResetSays::Seconds, "soon", None),
        ] {
            let reset = Reset { header: "x-reset".to_owned(), says };
            let headers = [("x-reset", number), ("date", now)];
            let headers = headers.map(|(name, value)| (HeaderName::try_from(name).unwrap(), value.parse().unwrap()));
            assert_eq!(reset_after(&HeaderMap::from_iter(headers), &reset), wait, "{number}");
        }
    }
}
