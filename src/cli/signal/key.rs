//! The key that tokens are signed with, RS256 (RFC 7518), as the CAEP interoperability profile asks, and its public part as a JWK (RFC 7517).

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A private key. It is never printed.
pub(super) struct SigningKey(RsaKeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.id()).finish()
    }
}

impl SigningKey {
    /// PKCS#8 or PKCS#1, as `openssl genrsa` writes it.
    ///
    /// # Errors
    /// In words.
    pub(super) fn from_pem(text: &str) -> Result<Self, &'static str> {
        let pair = match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
            Ok(PrivateKeyDer::Pkcs8(der)) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
            Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
            _ => None,
        };
        pair.map(Self).ok_or("it is no RSA private key in PEM, of at least 2048 bits")
    }

    fn parts(&self) -> (String, String) {
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(self.0.public());
        (BASE64URL_NOPAD.encode(&n), BASE64URL_NOPAD.encode(&e))
    }

    /// What it is called: its thumbprint (RFC 7638).
    fn id(&self) -> String {
        let (n, e) = self.parts();
        BASE64URL_NOPAD.encode(&Sha256::digest(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#).as_bytes()))
    }

    /// Its public part.
    pub(super) fn public(&self) -> Value {
        let (n, e) = self.parts();
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id(), "n": n, "e": e})
    }

    /// A token with these claims.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub(super) fn token(&self, claims: &Value) -> Result<String, String> {
        let header = json!({"alg": "RS256", "typ": "secevent+jwt", "kid": self.id()});
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signature = vec![0; self.0.public().modulus_len()];
        let done = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        done.map_err(|_| "the key cannot sign".to_owned())?;
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}
