//! One delivery: a POST to a receiver, under the network's rules for sources, and what it answered. Pushes of tokens (RFC 8935) by hooks too.
//!
//! A receiver has taken it when it says so (2xx). What it said otherwise is never quoted: it may hold what was sent.

use std::time::Duration;

use hris::Credential;
use hris::Network;
use hris::http::{Request, RetryPolicy, Sent, Transport, Unanswered};
use reqwest::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use rustls::pki_types::CertificateDer;
use secrecy::SecretString;
use tokio::time::Instant;

use domain::employee::Failure;

/// Largest answer that is read.
const LARGEST: usize = 64 * 1024;
/// A hook is tried again by itself, minutes later: this bridges a moment.
pub const BRIDGES: RetryPolicy = RetryPolicy { first: Duration::from_millis(500), throttled: 3, faults: 3 };
/// Whoever keeps what waits tries again itself.
pub const ONCE: RetryPolicy = RetryPolicy { first: Duration::from_millis(500), throttled: 0, faults: 0 };

/// Why something was not taken, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// Whether another would be.
    pub whose: Whose,
    /// In words; nothing of what was sent or answered.
    pub why: String,
    /// The wait that the receiver asks for (`Retry-After`).
    pub asked: Option<Duration>,
}

/// What was at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// What was sent: the receiver may take another.
    Event,
    /// The receiver, the way to it, or the credential: it takes nothing now.
    Receiver,
}

impl NotTaken {
    /// Nobody knows whether it came.
    #[must_use]
    pub fn unanswered() -> Self {
        let why = "unknown: the receiver did not answer in time".to_owned();
        Self { whose: Whose::Receiver, why, asked: None }
    }
}

impl From<Unanswered> for NotTaken {
    fn from(Unanswered { failure, asked }: Unanswered) -> Self {
        let of_event = matches!(failure, Failure::Status(status) if (400..500).contains(&status) && status != 408);
        Self { whose: if of_event { Whose::Event } else { Whose::Receiver }, why: in_words(&failure), asked }
    }
}

/// Who is told.
pub struct Receiver {
    url: Url,
    credential: Option<Credential>,
    transport: Transport,
}

impl Receiver {
    /// The one at this address.
    ///
    /// # Errors
    /// In words, when it cannot be asked at all.
    pub fn at(
        url: Url,
        token: Option<SecretString>,
        authorities: Vec<CertificateDer<'static>>,
        allow_private_addresses: bool,
        timeout: Duration,
        retry: RetryPolicy,
    ) -> Result<Self, String> {
        let network = Network { allow_private_addresses, authorities, ..Network::default() };
        let transport = Transport::new(&network, None, Instant::now() + timeout, retry);
        let transport = transport.map_err(|failure| in_words(&failure))?;
        Ok(Self { url, credential: token.map(Credential::Bearer), transport })
    }

    /// Sends something; done is what the receiver says that it has.
    ///
    /// # Errors
    /// Refused, or unknown whether it came.
    pub async fn take(&self, kind: &'static str, body: &str) -> Result<(), NotTaken> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let request = Request {
            url: self.url.clone(),
            headers,
            credential: self.credential.as_ref(),
            send: Some(Sent { kind, body }),
            largest: LARGEST,
            made: true,
        };
        let asked = self.transport.ask_or_when(&request);
        match tokio::time::timeout_at(self.transport.deadline(), asked).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(unanswered)) => Err(unanswered.into()),
            Err(_) => Err(NotTaken::unanswered()),
        }
    }
}

/// What became of it: refused is what the receiver said, unknown what it may have.
fn in_words(failure: &Failure) -> String {
    match failure {
        Failure::Unauthorised(_) => "refused: the receiver does not accept the credential (401)".to_owned(),
        Failure::Forbidden => "refused: the receiver does not let us (403)".to_owned(),
        Failure::Missing(_) => "refused: there is no receiver at this address (404)".to_owned(),
        Failure::Throttled => "refused: the receiver asks to come back later".to_owned(),
        Failure::AddressRefused(why) => format!("not delivered: {why}"),
        Failure::Unreachable(_) => "unknown: the receiver could not be reached".to_owned(),
        Failure::Status(400) => {
            "refused: the receiver does not accept what was sent (400): compare issuer, audience and key".to_owned()
        }
        Failure::Status(status) if *status < 500 => format!("refused: the receiver answered {status}"),
        Failure::Status(status) => format!("unknown: the receiver answered {status}"),
        _ => "unknown: the receiver gave no answer that could be read".to_owned(),
    }
}
