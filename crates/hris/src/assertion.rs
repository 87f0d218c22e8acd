//! Assertions: texts that are signed for one sign-in, with a key only the source's customer has.
//!
//! JWT (RFC 7519, RFC 7523) and SAML 2.0 (RFC 7522). The XML of the latter is written in its canonical form
//! (Exclusive XML Canonicalization 1.0), so that what is digested is what is written. The arithmetic is `ring`'s, which
//! does TLS already.

use std::collections::BTreeMap;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use jiff::{SignedDuration, Timestamp};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{digest, hmac};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};

use super::definition::{Algorithm, Assertion, Jwt, Saml};

/// How far the source's clock may be behind ours.
const BEHIND: SignedDuration = SignedDuration::from_secs(60);
/// Namespace of an assertion.
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// Namespace of a signature.
const SIGNATURE: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Exclusive canonicalization, without comments.
const CANONICAL: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// Writes and signs an assertion. `fill` puts the values of names into a text; nothing of a value is in an error.
///
/// # Errors
/// In words for the author of the Secret: a key that is none, a value that cannot be written.
pub(super) fn sign(
    assertion: &Assertion,
    fill: impl Fn(&str) -> Result<String, String>,
    now: Timestamp,
) -> Result<SecretString, String> {
    match assertion {
        Assertion::Jwt(words) => jwt(words, &fill, now),
        Assertion::Saml(words) => saml(words, &fill, now),
    }
}

fn jwt(words: &Jwt, fill: &dyn Fn(&str) -> Result<String, String>, now: Timestamp) -> Result<SecretString, String> {
    let key = SecretString::from(fill(&words.key)?);
    let (algorithm, name) = match words.algorithm {
        Algorithm::Rs256 => (Key::rsa(key.expose_secret())?, "RS256"),
        Algorithm::Es256 => (Key::ec(key.expose_secret())?, "ES256"),
        Algorithm::Hs256 => (Key::Shared(hmac::Key::new(hmac::HMAC_SHA256, key.expose_secret().as_bytes())), "HS256"),
    };
    let mut header = json!({"alg": name, "typ": "JWT"});
    if let (Some(id), Value::Object(header)) = (&words.key_id, &mut header) {
        header.insert("kid".to_owned(), fill(id)?.into());
    }
    let mut claims = Map::new();
    for (claim, text) in &words.claims {
        claims.insert(claim.clone(), fill(text)?.into());
    }
    let until = now.as_second().saturating_add(words.lifetime.into());
    claims.insert("iat".to_owned(), now.as_second().into());
    claims.insert("exp".to_owned(), until.into());
    claims.insert("jti".to_owned(), random()?.into());
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(&header), part(&Value::Object(claims)));
    let signature = BASE64URL_NOPAD.encode(&algorithm.sign(signed.as_bytes())?);
    Ok(SecretString::from(format!("{signed}.{signature}")))
}

fn saml(words: &Saml, fill: &dyn Fn(&str) -> Result<String, String>, now: Timestamp) -> Result<SecretString, String> {
    let pem = SecretString::from(fill(&words.key)?);
    let key = Key::rsa(pem.expose_secret())?;
    let certificate = words.certificate.as_ref().map(|text| certificate(&fill(text)?)).transpose()?;
    let value = |text: &str| escaped(&fill(text)?);
    let id = format!("_{}", random()?); // an XML name does not begin with a digit
    let instant = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at).to_string();
    let (issued, from) = (instant(now), instant(now.saturating_sub(BEHIND).unwrap_or(now)));
    let until = instant(now.saturating_add(SignedDuration::from_secs(words.lifetime.into())).unwrap_or(now));
    let attributes = attributes(&words.attributes, &value)?;
    let head = format!(
        r#"<saml2:Assertion xmlns:saml2="{ASSERTION}" ID="{id}" IssueInstant="{issued}" Version="2.0"><saml2:Issuer>{issuer}</saml2:Issuer>"#,
        issuer = value(&words.issuer)?,
    );
    let rest = format!(
        r#"<saml2:Subject><saml2:NameID Format="{format}">{name}</saml2:NameID><saml2:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml2:SubjectConfirmationData NotOnOrAfter="{until}" Recipient="{recipient}"></saml2:SubjectConfirmationData></saml2:SubjectConfirmation></saml2:Subject><saml2:Conditions NotBefore="{from}" NotOnOrAfter="{until}"><saml2:AudienceRestriction><saml2:Audience>{audience}</saml2:Audience></saml2:AudienceRestriction></saml2:Conditions><saml2:AuthnStatement AuthnInstant="{issued}" SessionIndex="{id}"><saml2:AuthnContext><saml2:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified</saml2:AuthnContextClassRef></saml2:AuthnContext></saml2:AuthnStatement>{attributes}</saml2:Assertion>"#,
        format = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
        name = value(&words.name_id)?,
        recipient = value(&words.recipient)?,
        audience = value(&words.audience)?,
    );
    let signature = signature(&id, &format!("{head}{rest}"), &key, certificate.as_deref())?;
    Ok(SecretString::from(format!("{head}{signature}{rest}")))
}

fn attributes(
    wanted: &BTreeMap<String, String>,
    value: &dyn Fn(&str) -> Result<String, String>,
) -> Result<String, String> {
    if wanted.is_empty() {
        return Ok(String::new());
    }
    let mut all = String::from("<saml2:AttributeStatement>");
    for (name, text) in wanted {
        all.push_str(&format!(
            r#"<saml2:Attribute Name="{}"><saml2:AttributeValue>{}</saml2:AttributeValue></saml2:Attribute>"#,
            escaped(name)?,
            value(text)?
        ));
    }
    Ok(all + "</saml2:AttributeStatement>")
}

/// The enveloped signature (XML Signature 1.1) of an element that is written in its canonical form.
fn signature(id: &str, element: &str, key: &Key, certificate: Option<&str>) -> Result<String, String> {
    let digest = BASE64.encode(digest::digest(&digest::SHA256, element.as_bytes()).as_ref());
    let info = format!(
        r##"<ds:CanonicalizationMethod Algorithm="{CANONICAL}"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod><ds:Reference URI="#{id}"><ds:Transforms><ds:Transform Algorithm="{SIGNATURE}enveloped-signature"></ds:Transform><ds:Transform Algorithm="{CANONICAL}"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>"##
    );
    // Alone, the element declares its namespace; in its signature it has it from there.
    let signed = format!(r#"<ds:SignedInfo xmlns:ds="{SIGNATURE}">{info}"#);
    let value = BASE64.encode(&key.sign(signed.as_bytes())?);
    let shown = certificate.map_or_else(String::new, |certificate| {
        format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        )
    });
    Ok(format!(
        r#"<ds:Signature xmlns:ds="{SIGNATURE}"><ds:SignedInfo>{info}<ds:SignatureValue>{value}</ds:SignatureValue>{shown}</ds:Signature>"#
    ))
}

/// A text as canonical XML writes it, in an element and in an attribute alike.
fn escaped(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            // In an element `>` is escaped and a quote is not, in an attribute the other way round; a line end is
            // written in neither way. No issuer, name or key has one.
            '>' | '"' => return Err("the assertion cannot hold > or \"".to_owned()),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                return Err("the assertion cannot hold control characters".to_owned());
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// The first certificate of a PEM file, as an XML signature shows it.
fn certificate(pem: &str) -> Result<String, String> {
    let found = rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes());
    found.map(|found| BASE64.encode(&found)).map_err(|_| "the certificate is none in PEM".to_owned())
}

/// A key that signs.
enum Key {
    Rsa(Box<RsaKeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Shared(hmac::Key),
}

impl Key {
    /// PKCS#8 or PKCS#1.
    fn rsa(pem: &str) -> Result<Self, String> {
        let pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
            Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
            _ => None,
        };
        let none = || "the key that signs is no RSA private key in PEM, of at least 2048 bits".to_owned();
        pair.map(|pair| Self::Rsa(Box::new(pair))).ok_or_else(none)
    }

    /// PKCS#8.
    fn ec(pem: &str) -> Result<Self, String> {
        let pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => {
                let rng = SystemRandom::new();
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der(), &rng).ok()
            }
            _ => None,
        };
        let none = || "the key that signs is no P-256 private key in PEM (PKCS#8)".to_owned();
        pair.map(|pair| Self::Ec(Box::new(pair))).ok_or_else(none)
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        let failed = |_| "the key cannot sign".to_owned();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Self::Ec(pair) => Ok(pair.sign(&SystemRandom::new(), text).map_err(failed)?.as_ref().to_vec()),
            Self::Shared(key) => Ok(hmac::sign(key, text).as_ref().to_vec()),
        }
    }
}

/// A name nobody has used before.
fn random() -> Result<String, String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gives no random bytes".to_owned())?;
    Ok(HEXLOWER.encode(&bytes))
}

#[cfg(test)]
pub(super) mod tests;
