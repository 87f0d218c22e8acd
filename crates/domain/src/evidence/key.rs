//! The keys that heads of the chain are signed with: Ed25519, in the PEM forms that `openssl` writes and reads.

use data_encoding::{BASE64, HEXLOWER};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// Label of a private key in PEM.
const PRIVATE: &str = "PRIVATE KEY";
/// Label of a public key in PEM.
const PUBLIC: &str = "PUBLIC KEY";
/// What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410, section 7).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What stands before the 32 bytes of an Ed25519 public key (RFC 8410, section 4).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads it from PEM; `None` where that is no Ed25519 public key.
    #[must_use]
    pub fn from_pem(text: &str) -> Option<Self> {
        Some(Self(pem(PUBLIC, text)?.strip_prefix(&SPKI)?.try_into().ok()?))
    }

    /// Reads it as [`Self::text`] writes it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Some(Self(BASE64.decode(text.as_bytes()).ok()?.try_into().ok()?))
    }

    /// Its 32 bytes in Base64.
    #[must_use]
    pub fn text(&self) -> String {
        BASE64.encode(&self.0)
    }

    /// It in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        to_pem(PUBLIC, &[&SPKI[..], &self.0].concat())
    }

    /// What it is called: SHA-256 of its 32 bytes, as lower-case hex.
    #[must_use]
    pub fn id(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.0))
    }

    /// Whether this signature, in Base64, is of this text by this key.
    #[must_use]
    pub fn verifies(&self, text: &str, signature: &str) -> bool {
        let Ok(signature) = BASE64.decode(signature.as_bytes()) else { return false };
        UnparsedPublicKey::new(&ED25519, &self.0).verify(text.as_bytes(), &signature).is_ok()
    }
}

/// A key that signs. It is never printed.
pub struct SigningKey(Ed25519KeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public().id()).finish()
    }
}

impl SigningKey {
    /// Reads it from PEM, as `openssl genpkey -algorithm ed25519` and [`Self::pem_of`] write it; `None` where that is none.
    #[must_use]
    pub fn from_pem(text: &str) -> Option<Self> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pem(PRIVATE, text)?).ok().map(Self)
    }

    /// The key of these random bytes, in PEM.
    #[must_use]
    pub fn pem_of(seed: &[u8; 32]) -> String {
        to_pem(PRIVATE, &[&PKCS8[..], seed].concat())
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        PublicKey(bytes)
    }

    /// Its signature of a text, in Base64.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        BASE64.encode(self.0.sign(text.as_bytes()).as_ref())
    }
}

/// The bytes between the lines of this label.
fn pem(label: &str, text: &str) -> Option<Vec<u8>> {
    let (_, after) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = after.split_once(&format!("-----END {label}-----"))?;
    let body: String = body.split_whitespace().collect();
    BASE64.decode(body.as_bytes()).ok()
}

fn to_pem(label: &str, bytes: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(bytes)) // one line: at most 64 characters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 8410, section 10.
    const PRIVATE_PEM: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const PUBLIC_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_keys_of_openssl_are_read_and_written_as_they_are() {
        let private = SigningKey::from_pem(PRIVATE_PEM).unwrap();
        let public = PublicKey::from_pem(PUBLIC_PEM).unwrap();
        assert_eq!(private.public(), public);
        assert_eq!(public.to_pem(), PUBLIC_PEM);
        assert_eq!(PublicKey::read(&public.text()), Some(public));
        let seed: [u8; 32] = pem(PRIVATE, PRIVATE_PEM).unwrap()[16..].try_into().unwrap();
        assert_eq!(SigningKey::pem_of(&seed), PRIVATE_PEM);
    }

    #[test]
    fn a_signature_is_of_one_text_by_one_key() {
        let (one, other) = ([1; 32], [2; 32]);
        let [one, other] = [one, other].map(|seed| SigningKey::from_pem(&SigningKey::pem_of(&seed)).unwrap());
        let signature = one.sign("text");
        assert!(one.public().verifies("text", &signature));
        assert!(!one.public().verifies("Text", &signature));
        assert!(!other.public().verifies("text", &signature));
        for broken in ["", "no base64", &BASE64.encode(&[0; 64])] {
            assert!(!one.public().verifies("text", broken), "{broken}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for text in ["", PUBLIC_PEM, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
            assert!(SigningKey::from_pem(text).is_none(), "{text}");
        }
        for text in ["", PRIVATE_PEM, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"] {
            assert!(PublicKey::from_pem(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_that_signs_is_not_printed() {
        let key = SigningKey::from_pem(PRIVATE_PEM).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey({:?})", key.public().id()));
    }
}
