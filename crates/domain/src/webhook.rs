//! Whether a webhook is from the HR system it should be from. Pure: the secrets, the request and the time are arguments.
//!
//! A webhook is a hint to read the source, and nothing in it is believed: neither whom it is about nor what it says of them. So
//! its body is signed or not, and is never parsed; but for a token (`set`), whose signature is a part of it.

mod forms;
pub mod set;

use std::collections::VecDeque;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use sha2::{Digest, Sha256};

pub use self::forms::{Encoding, Form, Hash, KeyForm, Part, Proof, Scheme, SentAt};

/// How far the time that was signed may lie from ours, on either side.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// How long a request is known again.
pub const KNOWN_FOR: SignedDuration = SignedDuration::from_mins(10);
/// How many are known again at most.
const MOST_KNOWN: usize = 1024;
/// Longest secret, token or signature that is looked at.
const LONGEST: usize = 1024;
/// Most signatures of one request: a vendor that changes its secret signs with both.
const MOST_SIGNATURES: usize = 8;
/// Shortest secret that is one.
pub const SHORTEST_SECRET: usize = 16;
/// Most secrets of one connection at a time.
pub const MOST_SECRETS: usize = 8;

/// A request, as far as it can be signed.
pub struct Request<'a> {
    /// Its method.
    pub method: &'a str,
    /// A header by its name in lower case.
    pub header: &'a dyn Fn(&str) -> Option<&'a str>,
    /// Its body, as it came.
    pub body: &'a [u8],
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no signature, or what stands in its place is none.
    Unsigned,
    /// No secret of the connection makes this signature of this request.
    WrongSignature,
    /// The time that was signed is not now: an old request, or a clock that is wrong.
    OutOfTime,
    /// Of a token: it is signed, and says that it is from another issuer.
    WrongIssuer,
    /// Of a token: it is signed, and for another receiver.
    WrongAudience,
}

/// What tells one request from another.
pub type Print = [u8; 32];

/// A request that is from somebody who has a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven {
    /// What tells it from others.
    pub print: Print,
    /// Whether the time is a part of what was signed: then the same again is a replay. Where it is not, it may as well be
    /// another change that is told in the same words.
    pub dated: bool,
}

/// Whether there is something in the place of the signature: asked before a body is read.
///
/// # Errors
/// `Unsigned`.
pub fn is_signed<'a>(form: Form, header: &dyn Fn(&str) -> Option<&'a str>) -> Result<(), Refusal> {
    let scheme = form.scheme();
    if matches!(scheme.proof, Proof::Set) {
        let kind = header(scheme.header).and_then(|kind| kind.split(';').next()).unwrap_or_default();
        return if kind.trim().eq_ignore_ascii_case(set::CONTENT) { Ok(()) } else { Err(Refusal::Unsigned) };
    }
    shown(scheme, header).map(drop)
}

/// Believes that a request is from somebody who has one of the secrets.
///
/// Of a token, [`set::verify`] does. All secrets are tried whatever the first says, and each comparison takes the same time whatever it finds.
///
/// # Errors
/// Why not.
pub fn verify(form: Form, secrets: &[Vec<u8>], request: &Request<'_>, now: Timestamp) -> Result<Proven, Refusal> {
    let scheme = form.scheme();
    let shown = shown(scheme, request.header)?;
    let signed = signed(scheme, request)?;
    let mut found = false;
    for secret in secrets.iter().filter(|secret| is_secret(secret)).take(MOST_SECRETS) {
        for signature in &shown {
            found |= fits(scheme, secret, signature, &signed);
        }
    }
    if !found {
        return Err(Refusal::WrongSignature);
    }
    let mut dated = false;
    if let Proof::Mac { sent_at: Some(SentAt(header)), .. } = scheme.proof {
        dated = true;
        let seconds = (request.header)(header).and_then(|text| text.trim().parse().ok()).ok_or(Refusal::OutOfTime)?;
        let sent = Timestamp::from_second(seconds).map_err(|_| Refusal::OutOfTime)?;
        if now.duration_since(sent).abs() > TOLERANCE {
            return Err(Refusal::OutOfTime);
        }
    }
    Ok(Proven { print: Sha256::digest(&signed).into(), dated })
}

/// Whether this can be a secret: neither so short that it could be guessed nor longer than any is.
#[must_use]
pub const fn is_secret(secret: &[u8]) -> bool {
    secret.len() >= SHORTEST_SECRET && secret.len() <= LONGEST
}

/// What stands in the place of the signature: each of them as bytes.
fn shown<'a>(scheme: &Scheme, header: &dyn Fn(&str) -> Option<&'a str>) -> Result<Vec<Vec<u8>>, Refusal> {
    let text = header(scheme.header).map(str::trim).filter(|text| !text.is_empty() && text.len() <= LONGEST);
    let text = text.ok_or(Refusal::Unsigned)?;
    let all: Vec<Vec<u8>> = match scheme.proof {
        Proof::Set => Vec::new(), // it is in the body
        Proof::Token { bearer: false } => vec![text.as_bytes().to_vec()],
        Proof::Token { bearer: true } => {
            let (word, token) = text.split_once(' ').unwrap_or_default();
            let token = Some(token.trim()).filter(|_| word.eq_ignore_ascii_case("bearer"));
            token.filter(|token| !token.is_empty()).map(|token| token.as_bytes().to_vec()).into_iter().collect()
        }
        Proof::Mac { encoding, listed: false, .. } => encoding.decoded(text).into_iter().collect(),
        Proof::Mac { encoding, listed: true, .. } => {
            let ours = text.split_ascii_whitespace().filter_map(|one| one.strip_prefix("v1,"));
            ours.take(MOST_SIGNATURES).filter_map(|one| encoding.decoded(one)).collect()
        }
    };
    if all.is_empty() { Err(Refusal::Unsigned) } else { Ok(all) }
}

/// What is signed; of a token, which signs nothing, the body.
fn signed(scheme: &Scheme, request: &Request<'_>) -> Result<Vec<u8>, Refusal> {
    let Proof::Mac { signs, .. } = scheme.proof else { return Ok(request.body.to_vec()) };
    let mut signed = Vec::new();
    for part in signs {
        match part {
            Part::Body => signed.extend_from_slice(request.body),
            Part::Method => signed.extend_from_slice(request.method.as_bytes()),
            Part::Dot => signed.push(b'.'),
            Part::Header(name) => {
                let value = (request.header)(name).filter(|value| value.len() <= LONGEST).ok_or(Refusal::Unsigned)?;
                signed.extend_from_slice(value.as_bytes());
            }
        }
    }
    Ok(signed)
}

/// Whether a secret makes this signature.
fn fits(scheme: &Scheme, secret: &[u8], signature: &[u8], signed: &[u8]) -> bool {
    let Proof::Mac { hash, key, .. } = scheme.proof else {
        return same(secret, signature);
    };
    let algorithm = match hash {
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha512 => hmac::HMAC_SHA512,
    };
    let decoded;
    let secret = match key {
        KeyForm::AsItIs => secret,
        KeyForm::Base64 => {
            let text = std::str::from_utf8(secret).unwrap_or_default();
            decoded = Encoding::Base64.decoded(text.strip_prefix("whsec_").unwrap_or(text)).unwrap_or_default();
            if decoded.len() < SHORTEST_SECRET {
                return false; // an empty key is one that everybody has
            }
            decoded.as_slice()
        }
    };
    hmac::verify(&hmac::Key::new(algorithm, secret), signed, signature).is_ok()
}

/// Whether two tokens are the same, in the same time whether they are or not.
fn same(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (Sha256::digest(one), Sha256::digest(other));
    one.iter().zip(other).fold(0_u8, |differ, (a, b)| differ | (a ^ b)) == 0
}

impl Encoding {
    /// The bytes that a text stands for: hexadecimal in any case, base64 of both alphabets, with its padding or without.
    fn decoded(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
            Self::Base64 => {
                let text = text.trim_end_matches('=').as_bytes();
                BASE64_NOPAD.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text)).ok()
            }
        }
    }
}

/// Requests of a connection that were taken lately, so that a repeated one is known again.
#[derive(Debug, Default)]
pub struct Known(VecDeque<(Print, Timestamp)>);

impl Known {
    /// Whether this request was not taken lately. It has been, from now on.
    pub fn is_new(&mut self, print: Print, now: Timestamp) -> bool {
        self.0.retain(|(_, at)| now.duration_since(*at).abs() < KNOWN_FOR);
        if self.0.iter().any(|(known, _)| *known == print) {
            return false;
        }
        if self.0.len() >= MOST_KNOWN {
            self.0.pop_front();
        }
        self.0.push_back((print, now));
        true
    }
}

#[cfg(test)]
mod tests;
