//! Whether a security event token (RFC 8417), as a Shared Signals transmitter pushes it (RFC 8935), is from the one it should be from.
//! Pure: the keys, the token and the time are arguments.
//!
//! Like every webhook it is a hint, and nothing in it is believed: its signature, issuer, audience, time and id are looked at, and neither
//! the event nor whom it is about.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Proven, Refusal, TOLERANCE};

/// What a pushed token is sent as.
pub const CONTENT: &str = "application/secevent+jwt";
/// What the header of a token says that it is.
const TYPE: &str = "secevent+jwt";
/// Longest list of keys that is looked at.
const LONGEST_KEYS: usize = 64 * 1024;
/// Most keys of one connection.
const MOST_KEYS: usize = 16;
/// Longest id of a token.
const LONGEST_ID: usize = 1024;

/// From whom tokens have to be, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// `iss` of the transmitter.
    pub issuer: String,
    /// `aud`, or one of them.
    pub audience: String,
}

/// A key as JWKS has it (RFC 7517), as far as it is understood.
#[derive(Debug, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    used: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: Option<String>,
    /// Extensions that must be understood: none is.
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    iat: i64,
    jti: String,
    exp: Option<i64>,
    events: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Whether this is a JWKS with a key that a token can be signed with.
#[must_use]
pub fn is_keys(text: &[u8]) -> bool {
    keys(text).iter().any(|key| key.fits_any())
}

fn keys(text: &[u8]) -> Vec<Jwk> {
    let jwks = Some(text).filter(|text| text.len() <= LONGEST_KEYS);
    let jwks: Option<Jwks> = jwks.and_then(|text| serde_json::from_slice(text).ok());
    // A key of another kind is not ours to judge.
    jwks.into_iter().flat_map(|jwks| jwks.keys).filter_map(|key| serde_json::from_value(key).ok()).collect()
}

/// Believes that a token is from somebody who has one of the keys, and for us.
///
/// # Errors
/// Why not. What is said of issuer and audience is said to somebody who has a key alone.
pub fn verify(jwks: &[Vec<u8>], terms: &Terms, body: &[u8], now: Timestamp) -> Result<Proven, Refusal> {
    let text = std::str::from_utf8(body).map_err(|_| Refusal::Unsigned)?.trim();
    let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::Unsigned)?;
    let (header, claims) = signed.split_once('.').ok_or(Refusal::Unsigned)?;
    let bytes = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| Refusal::Unsigned);
    let (header, claims, signature) = (bytes(header)?, bytes(claims)?, bytes(signature)?);
    let header: Header = serde_json::from_slice(&header).map_err(|_| Refusal::Unsigned)?;
    let typ = header.typ.strip_prefix("application/").unwrap_or(&header.typ);
    if !typ.eq_ignore_ascii_case(TYPE) || header.crit.is_some() || signature.is_empty() {
        return Err(Refusal::Unsigned); // a token that is for something else, such as a sign-in
    }
    let all = jwks.iter().flat_map(|text| keys(text)).take(MOST_KEYS);
    let mut found = false;
    for key in all.filter(|key| header.kid.is_none() || key.kid == header.kid) {
        found |= key.made(&header.alg, signed.as_bytes(), &signature);
    }
    if !found {
        return Err(Refusal::WrongSignature);
    }
    let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Refusal::Unsigned)?;
    judge(&claims, terms, now)
}

/// Judges what somebody who has a key says.
fn judge(claims: &Claims, terms: &Terms, now: Timestamp) -> Result<Proven, Refusal> {
    if claims.iss != terms.issuer {
        return Err(Refusal::WrongIssuer);
    }
    let ours = match &claims.aud {
        Audience::One(one) => *one == terms.audience,
        Audience::Many(all) => all.contains(&terms.audience),
    };
    if !ours {
        return Err(Refusal::WrongAudience);
    }
    if claims.events.is_empty() || claims.jti.is_empty() || claims.jti.len() > LONGEST_ID {
        return Err(Refusal::Unsigned);
    }
    let issued = Timestamp::from_second(claims.iat).map_err(|_| Refusal::OutOfTime)?;
    let over = claims.exp.is_some_and(|end| end <= now.as_second());
    if over || now.duration_since(issued).abs() > TOLERANCE {
        return Err(Refusal::OutOfTime);
    }
    // An id is the issuer's own: one token, however it is written.
    let mut print = Sha256::new();
    print.update((claims.iss.len() as u64).to_be_bytes());
    print.update(claims.iss.as_bytes());
    print.update(claims.jti.as_bytes());
    Ok(Proven { print: print.finalize().into(), dated: true })
}

impl Jwk {
    /// The algorithm that it is a key of. There are two, and none of them is `none`.
    fn algorithm(&self) -> Option<&'static str> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Some("RS256"),
            ("EC", Some("P-256")) => Some("ES256"),
            _ => None,
        }
    }

    fn fits_any(&self) -> bool {
        let ours = self.algorithm();
        let for_signing = self.used.as_deref().is_none_or(|used| used == "sig");
        ours.is_some()
            && for_signing
            && self.alg.as_deref().is_none_or(|alg| Some(alg) == ours)
            && self.public().is_some()
    }

    fn public(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (first, second) = if self.kty == "RSA" { (&self.n, &self.e) } else { (&self.x, &self.y) };
        let bytes = |part: &Option<String>| BASE64URL_NOPAD.decode(part.as_deref()?.as_bytes()).ok();
        Some((bytes(first)?, bytes(second)?))
    }

    /// Whether it made this signature, by the algorithm that the token names.
    fn made(&self, alg: &str, signed: &[u8], signature: &[u8]) -> bool {
        if !self.fits_any() || self.algorithm() != Some(alg) {
            return false;
        }
        let Some((first, second)) = self.public() else { return false };
        if self.kty == "RSA" {
            let public = RsaPublicKeyComponents { n: first, e: second };
            return public.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok();
        }
        let point = [&[4][..], &first, &second].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
    }
}

#[cfg(test)]
mod tests;
