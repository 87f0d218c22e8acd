//! OpenPGP: opens a file that was encrypted to the connection's key, and checks who signed it.
//!
//! Nothing is read of a message whose integrity is not protected, nothing before that was checked, and no more than a
//! bound of what it expands to.

use std::io::Read as _;

use pgp::composed::{DecryptionOptions, Deserializable as _, Message, SignedSecretKey, TheRing};
use pgp::errors::Error;
use pgp::types::{Password, Seipdv1ReadMode};
use secrecy::{ExposeSecret as _, SecretString};

use super::signers::Signers;
use domain::employee::Failure;

/// How far a file may expand beyond its own size: CSV compresses to a tenth, a bomb to a thousandth.
const MAX_EXPANSION: usize = 100;
/// A small file may expand to this much in any case.
const ALWAYS: usize = 1024 * 1024;
/// Most layers of compression inside one another.
const MAX_LAYERS: usize = 2;

/// How a file is sealed.
pub struct OpenPgp {
    /// Private keys it may be encrypted to, armored: the newest and those before it.
    pub keys: Vec<SecretString>,
    /// What opens them; empty where they are not locked.
    pub passphrase: SecretString,
    /// Public keys of which one must have signed it, armored. Empty: nobody need have.
    pub signers: Vec<String>,
}

/// A file that was opened.
pub(super) struct Opened {
    pub(super) bytes: Vec<u8>,
    /// When it was signed, in seconds since 1970; none where nobody need have signed it.
    pub(super) signed: Option<u32>,
}

impl OpenPgp {
    /// Whether the keys are keys.
    ///
    /// # Errors
    /// In words, which is not.
    pub(super) fn check(&self) -> Result<(), String> {
        Signers::read(&self.signers)?;
        self.secret_keys().map(|_| ())
    }

    fn secret_keys(&self) -> Result<Vec<SignedSecretKey>, String> {
        let read = |key: &SecretString| SignedSecretKey::from_string(key.expose_secret()).map(|(key, _)| key);
        let keys: Result<Vec<_>, _> = self.keys.iter().map(read).collect();
        match keys {
            Ok(keys) if !keys.is_empty() => Ok(keys),
            _ => Err("the Secret of decryption.keyRef holds no armored OpenPGP private key".to_owned()),
        }
    }

    /// Opens a file. Heavy work: not for a thread that answers others.
    ///
    /// # Errors
    /// `NotOpened`, and `TooLarge` beyond `largest`.
    pub(super) fn open(&self, sealed: &[u8], largest: usize) -> Result<Opened, Failure> {
        let signers = Signers::read(&self.signers).map_err(Failure::NotOpened)?;
        let keys = self.secret_keys().map_err(Failure::NotOpened)?;
        let bound = largest.min(sealed.len().saturating_mul(MAX_EXPANSION).max(ALWAYS));
        let (message, _) = Message::from_reader(sealed).map_err(|_| not("it is no OpenPGP message"))?;
        if !message.is_encrypted() {
            return Err(not("it is not encrypted"));
        }
        let mut message = self.unlock(message, &keys, sealed.len())?;
        for _ in 0..MAX_LAYERS {
            if message.is_compressed() {
                message = message.decompress().map_err(|_| not("what is in it cannot be decompressed"))?;
            }
        }
        if message.is_encrypted() || message.is_compressed() {
            return Err(not("it holds another message instead of a file"));
        }
        let mut bytes = Vec::new();
        let read = (&mut message).take(bound as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|_| not("it was changed on the way, or is not whole"))?;
        match bytes.len() {
            len if len <= bound => {}
            _ if bound == largest => return Err(Failure::TooLarge),
            _ => return Err(not("it expands to more than a hundred times its size")),
        }
        let signed = if signers.none() { None } else { Some(signers.signed(&message).map_err(not)?) };
        Ok(Opened { bytes, signed })
    }

    fn unlock<'a>(&self, message: Message<'a>, keys: &[SignedSecretKey], size: usize) -> Result<Message<'a>, Failure> {
        let passphrase = Password::from(self.passphrase.expose_secret());
        // GnuPG's own form of authenticated encryption, which keys it made since 2.3 ask for. The old form whose
        // integrity nothing protects stays off.
        let decrypt_options = DecryptionOptions::new()
            .enable_gnupg_aead()
            .set_seipdv1_read_mode(Seipdv1ReadMode::CheckFirst { max_message_size: size });
        let ring = TheRing {
            secret_keys: keys.iter().collect(),
            key_passwords: vec![&passphrase],
            decrypt_options,
            ..TheRing::default()
        };
        let unlocked = message.decrypt_the_ring(ring, true);
        // Never in the words of the library, which may hold values.
        unlocked.map(|(message, _)| message).map_err(|error| match error {
            Error::MissingKey => not("it is not encrypted to the key of decryption.keyRef, or the passphrase is wrong"),
            Error::MdcError => not("it was changed on the way"),
            _ => not("it was changed on the way, is not whole, or was encrypted in a form without integrity"),
        })
    }
}

fn not(why: &str) -> Failure {
    Failure::NotOpened(why.to_owned())
}
