//! An SSH connection to a server whose key is pinned, signed in by password or key.
//!
//! No key is ever believed because it was seen first. SHA-1 is used nowhere: neither for keys, nor for exchange, nor
//! for what is sent.

use std::borrow::Cow;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{self, AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::ssh_key::Fingerprint;
use russh::keys::{
    Algorithm, EcdsaCurve, HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate, decode_secret_key,
};
use russh::{ChannelStream, Disconnect, MethodKind, Preferred, client::Msg};
use secrecy::{ExposeSecret as _, SecretString};

use crate::address;
use domain::employee::Failure;
use russh::AlgorithmKind;

/// Most questions a server may ask at a sign-in with a password.
const MAX_QUESTIONS: usize = 4;

/// What a connection signs in with.
pub enum Login {
    /// A password.
    Password(SecretString),
    /// A private key in OpenSSH's, PKCS#8's or PuTTY's form, and what opens it.
    Key(SecretString, Option<SecretString>),
}

/// Where to, as whom, and which keys the server may have.
pub(super) struct Way<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) pins: Vec<Fingerprint>,
    pub(super) login: &'a Login,
    /// Whether the server may lie at a private address.
    pub(super) private: bool,
}

/// A connection that is signed in.
pub(super) struct Ssh(Handle<Check>);

/// Compares the server's key with the pins, and keeps the one that was none of them.
struct Check {
    pins: Vec<Fingerprint>,
    foreign: Arc<Mutex<Option<PublicKey>>>,
}

impl client::Handler for Check {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let pinned = self.pins.contains(&key.fingerprint(HashAlg::Sha256));
        if !pinned {
            *self.foreign.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
        }
        Ok(pinned)
    }
}

/// Reads a pin: `SHA256:…`, or a public key as it stands in `known_hosts` or a `.pub` file, without the host.
///
/// # Errors
/// In words, that it is neither.
pub(super) fn pin(text: &str) -> Result<Fingerprint, String> {
    let text = text.trim();
    let pin = match text.starts_with("SHA256:") {
        true => Fingerprint::from_str(text).ok(),
        false => PublicKey::from_openssh(text).ok().map(|key| key.fingerprint(HashAlg::Sha256)),
    };
    pin.ok_or_else(|| "a host key is neither SHA256:… nor a public key such as ssh-ed25519 AAAA…".to_owned())
}

impl Login {
    /// Whether it can be signed in with.
    ///
    /// # Errors
    /// In words, what is wrong.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Password(_) => Ok(()),
            Self::Key(key, passphrase) => {
                let passphrase = passphrase.as_ref().map(|text| text.expose_secret());
                let key = decode_secret_key(key.expose_secret(), passphrase);
                key.map(|_| ()).map_err(|_| "the private key cannot be read, or its passphrase is wrong".to_owned())
            }
        }
    }
}

/// The kinds of host keys a server may have, best first.
fn kinds() -> [Vec<Algorithm>; 3] {
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    let rsa = |hash| Algorithm::Rsa { hash: Some(hash) };
    [
        vec![Algorithm::Ed25519],
        vec![ecdsa(EcdsaCurve::NistP256), ecdsa(EcdsaCurve::NistP384), ecdsa(EcdsaCurve::NistP521)],
        vec![rsa(HashAlg::Sha512), rsa(HashAlg::Sha256)],
    ]
}

impl Ssh {
    /// Connects and signs in.
    ///
    /// A server shows one key of those it has, by the kinds we ask for. Where that is none of the pins, another kind
    /// may be, so the others are asked for before the server is refused.
    ///
    /// # Errors
    /// See `Failure`: never a password, a user name or a key but the server's public one.
    pub(super) async fn connect(way: &Way<'_>) -> Result<Self, Failure> {
        let addresses = address::lookup(way.host, way.port, way.private).await?;
        let mut kinds = kinds().to_vec();
        let mut refused = None;
        loop {
            let foreign = Arc::new(Mutex::new(None));
            let check = Check { pins: way.pins.clone(), foreign: Arc::clone(&foreign) };
            let stream = address::reach(way.host, &addresses).await?;
            let error = match client::connect_stream(Arc::new(config(kinds.concat())), stream, check).await {
                Ok(handle) => return Self(handle).sign_in(way).await,
                Err(error) => error,
            };
            let shown = foreign.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(shown) = shown else { return Err(refused.unwrap_or_else(|| lost(way.host, &error))) };
            kinds.retain(|kind| !kind.iter().any(|algorithm| same_kind(algorithm, &shown.algorithm())));
            let shown = shown.fingerprint(HashAlg::Sha256);
            let words = format!("{} shows the key {shown}, which is not one of hostKeys", way.host);
            let first = refused.get_or_insert(Failure::Unreachable(words));
            if kinds.is_empty() {
                return Err(first.clone());
            }
        }
    }

    async fn sign_in(mut self, way: &Way<'_>) -> Result<Self, Failure> {
        let fault = |error: russh::Error| lost(way.host, &error);
        let handle = &mut self.0;
        let result = match way.login {
            Login::Password(password) => {
                let password = password.expose_secret();
                let first = handle.authenticate_password(way.user, password).await.map_err(fault)?;
                match &first {
                    AuthResult::Failure { remaining_methods, partial_success: false }
                        if remaining_methods.contains(&MethodKind::KeyboardInteractive)
                            && !remaining_methods.contains(&MethodKind::Password) =>
                    {
                        answer(handle, way.user, password).await.map_err(fault)?
                    }
                    _ => first,
                }
            }
            Login::Key(key, passphrase) => {
                let passphrase = passphrase.as_ref().map(|text| text.expose_secret());
                let unreadable = |_| refused("the private key cannot be read, or its passphrase is wrong");
                let key = Arc::new(decode_secret_key(key.expose_secret(), passphrase).map_err(unreadable)?);
                let hash = match key.algorithm() {
                    Algorithm::Rsa { .. } => match handle.best_supported_rsa_hash().await.map_err(fault)? {
                        Some(None) => return Err(refused("the server takes RSA keys with SHA-1 alone")),
                        Some(hash) => hash,
                        None => Some(HashAlg::Sha256), // it does not say (RFC 8308), so the one all of them know
                    },
                    _ => None,
                };
                let key = PrivateKeyWithHashAlg::new(key, hash);
                handle.authenticate_publickey(way.user, key).await.map_err(fault)?
            }
        };
        match (result, way.login) {
            (AuthResult::Success, _) => Ok(self),
            (AuthResult::Failure { partial_success: true, .. }, _) => {
                Err(refused("the server asks for a second proof, which a machine cannot give"))
            }
            (_, Login::Password(_)) => Err(refused("the server refused the user or the password")),
            (_, Login::Key(..)) => Err(refused("the server refused the user or the key")),
        }
    }

    /// Opens the SFTP subsystem.
    ///
    /// # Errors
    /// `Unreachable`, when the server has none for this user.
    pub(super) async fn sftp(&self, host: &str) -> Result<ChannelStream<Msg>, Failure> {
        let none = |_| Failure::Unreachable(format!("{host} opens no SFTP for this user"));
        let channel = self.0.channel_open_session().await.map_err(none)?;
        channel.request_subsystem(true, "sftp").await.map_err(none)?;
        Ok(channel.into_stream())
    }

    /// Says goodbye. Nothing depends on whether it is heard.
    pub(super) async fn close(self) {
        let _ = self.0.disconnect(Disconnect::ByApplication, "", "").await;
    }
}

/// Answers a server that asks for the password in its own words.
async fn answer(handle: &mut Handle<Check>, user: &str, password: &str) -> Result<AuthResult, russh::Error> {
    let mut reply = handle.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..MAX_QUESTIONS {
        let prompts = match reply {
            KeyboardInteractiveAuthResponse::Success => return Ok(AuthResult::Success),
            KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                return Ok(AuthResult::Failure { remaining_methods, partial_success });
            }
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
        };
        // What is echoed is no password.
        let answers = prompts.iter().map(|prompt| if prompt.echo { "" } else { password }.to_owned()).collect();
        reply = handle.authenticate_keyboard_interactive_respond(answers).await?;
    }
    Err(russh::Error::NotAuthenticated)
}

fn config(keys: Vec<Algorithm>) -> client::Config {
    let preferred = Preferred { key: Cow::Owned(keys), ..Preferred::DEFAULT };
    client::Config { preferred, nodelay: true, ..client::Config::default() }
}

fn same_kind(asked: &Algorithm, shown: &Algorithm) -> bool {
    match (asked, shown) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) | (Algorithm::Ecdsa { .. }, Algorithm::Ecdsa { .. }) => true,
        (asked, shown) => asked == shown,
    }
}

fn refused(why: &str) -> Failure {
    Failure::Unauthorised(why.to_owned())
}

/// Why there is no connection, without a word the server chose.
fn lost(host: &str, error: &russh::Error) -> Failure {
    Failure::Unreachable(match error {
        russh::Error::NoCommonAlgo { kind, .. } => {
            let what = match kind {
                AlgorithmKind::Kex => "key exchange",
                AlgorithmKind::Key => "host keys",
                AlgorithmKind::Cipher => "encryption",
                AlgorithmKind::Compression => "compression",
                AlgorithmKind::Mac => "authentication of messages",
            };
            format!("{host} and we have no algorithm in common for {what}")
        }
        russh::Error::Version => format!("{host} does not speak SSH 2"),
        russh::Error::WrongServerSig => format!("{host} does not hold the key it shows"),
        _ => format!("the SSH connection to {host} was lost"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_a_fingerprint_or_a_public_key_and_nothing_else() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINn1dQRnYjSdmCkBLqhTV4l2f0PqGz0Kdv/2Y2OXWQ1o host.example.com";
        let of_key = pin(key).unwrap();
        assert_eq!(pin(&of_key.to_string()), Ok(of_key));
        for wrong in
            ["", "SHA256:", "SHA256:abc", "MD5:00:11", "*", "host.example.com ssh-ed25519 AAAA", "ssh-ed25519 AAAA"]
        {
            assert!(pin(wrong).is_err(), "{wrong}");
        }
    }
}
