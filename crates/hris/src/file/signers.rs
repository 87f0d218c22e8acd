//! Who may sign a file: the public keys a connection names, with the parts of them that may sign.
//!
//! The keys are pinned by the admin, so nobody else has to vouch for them. What a key says of itself still counts: which
//! parts of it may sign, until when, and that its owner revoked it.

use pgp::composed::{Deserializable as _, Message, SignedPublicKey, VerificationResult};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails as _, Tag, VerifyingKey};

/// The public keys of a connection.
pub(super) struct Signers(Vec<SignedPublicKey>);

/// A part of a key that may sign.
struct SigningKey<'a> {
    key: &'a dyn VerifyingKey,
    /// Until when, in seconds since 1970.
    ends: Option<u32>,
}

impl Signers {
    /// Reads armored keys.
    ///
    /// # Errors
    /// In words, which is none.
    pub(super) fn read(armored: &[String]) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (number, text) in armored.iter().enumerate() {
            let number = number + 1;
            let read = SignedPublicKey::from_string(text);
            let (key, _) = read.map_err(|_| format!("signedBy {number} is no armored OpenPGP public key"))?;
            if revoked(&key) {
                return Err(format!("signedBy {number} was revoked by its owner"));
            }
            if parts(&key).is_empty() {
                return Err(format!("signedBy {number} has no part that may sign"));
            }
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// Whether a signature is asked for at all.
    pub(super) fn none(&self) -> bool {
        self.0.is_empty()
    }

    /// When one of them signed a message that was read to its end, in seconds since 1970.
    ///
    /// # Errors
    /// In words, why nobody did.
    pub(super) fn signed(&self, message: &Message<'_>) -> Result<u32, &'static str> {
        if !message.is_signed() {
            return Err("it is not signed");
        }
        let parts: Vec<SigningKey<'_>> = self.0.iter().flat_map(parts).collect();
        let keys: Vec<&dyn VerifyingKey> = parts.iter().map(|part| part.key).collect();
        let results = message.verify_nested(&keys).map_err(|_| "its signature cannot be read")?;
        let mut why = "it is signed by nobody in signedBy, or was changed since";
        for (part, result) in parts.iter().zip(&results) {
            let VerificationResult::Valid(signature) = result else { continue };
            match of_a_file(signature, part.ends) {
                Ok(signed) => return Ok(signed),
                Err(other) => why = other,
            }
        }
        Err(why)
    }
}

/// When a valid signature was made, if it is one of a file by a key that still signed then.
fn of_a_file(signature: &Signature, ends: Option<u32>) -> Result<u32, &'static str> {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha224, Sha256, Sha384, Sha512};
    if !matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text)) {
        return Err("its signature is not one of a file");
    }
    if !matches!(signature.hash_alg(), Some(Sha224 | Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512)) {
        return Err("its signature is over a digest that can be forged");
    }
    let created = signature.created().ok_or("its signature has no date")?.as_secs();
    match ends {
        Some(end) if created >= end => Err("the key that signed it had ended"),
        _ => Ok(created),
    }
}

fn revoked(key: &SignedPublicKey) -> bool {
    key.details.revocation_signatures.iter().any(|signature| signature.verify_key(&key.primary_key).is_ok())
}

/// The first key, where it may sign itself, and the keys below it that may: both by what the first key says.
fn parts(key: &SignedPublicKey) -> Vec<SigningKey<'_>> {
    let first = &key.primary_key;
    let direct = key.details.direct_signatures.iter().filter(|signature| signature.verify_key(first).is_ok());
    let users = key.details.users.iter().flat_map(|user| {
        let own = |signature: &&Signature| signature.verify_certification(first, Tag::UserId, &user.id).is_ok();
        user.signatures.iter().filter(own)
    });
    let own: Vec<&Signature> = direct.chain(users).collect();
    let end = ends(first.created_at().as_secs(), &own);
    let mut parts = Vec::new();
    if own.iter().any(|signature| signature.key_flags().sign()) {
        parts.push(SigningKey { key: first, ends: end });
    }
    for below in &key.public_subkeys {
        let revoked = below.signatures.iter().any(|signature| signature.typ() == Some(SignatureType::SubkeyRevocation));
        let signs = below.signatures.iter().any(|signature| signature.key_flags().sign());
        if signs && !revoked && below.verify_bindings(first).is_ok() {
            let bindings: Vec<&Signature> = below.signatures.iter().collect();
            let own_end = ends(below.key.created_at().as_secs(), &bindings);
            parts.push(SigningKey { key: &below.key, ends: [own_end, end].into_iter().flatten().min() });
        }
    }
    parts
}

/// Until when a key holds, by the newest of what is said about it.
fn ends(created: u32, said: &[&Signature]) -> Option<u32> {
    let newest = said.iter().max_by_key(|signature| signature.created().map(|at| at.as_secs()))?;
    let lasts = newest.key_expiration_time().map(|lasts| lasts.as_secs()).filter(|lasts| *lasts > 0)?;
    Some(created.saturating_add(lasts))
}
