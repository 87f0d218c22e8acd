//! `rollcall signal`: tells others that somebody's access was ended: a signed token (Shared Signals), or a CloudEvent.
//!
//! ```text
//! the file of a hook ──▶ what there is to say, pure (token, cloud_event) ──▶ one POST each (tell/deliver) ──▶ delivered, or not
//! ```
//! It is what a hook runs, in a Job without any right in the cluster: when it runs, how often it is tried, and what became of it, is the
//! hook's (docs/hooks.md). So no part of the operator reaches a receiver, holds the key, or waits for either.

mod cloud_event;
mod key;
mod token;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::SignedDuration;
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;

use self::key::SigningKey;
use super::Failure;
use super::terminal::{many, say};
use crate::kube::calls;
use crate::tell::deliver::{BRIDGES, Receiver};
use crate::tell::event;

/// What there is to do with signals.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell a Shared Signals receiver that the sessions of a leaver are revoked (CAEP), or that their account is disabled (RISC)
    Send(Send),
    /// Send a CloudEvent that says what became of a Revocation
    CloudEvent(CloudEvent),
    /// Print the public key as a JWKS, which receivers verify signatures with
    Keys(Keys),
}

/// Where something is sent.
#[derive(Debug, Args)]
pub struct To {
    /// The file that Rollcall gives a hook
    #[arg(long, value_name = "FILE", default_value = "/etc/rollcall/revocation.json")]
    file: PathBuf,
    /// The receiver's address
    #[arg(long, value_name = "URL")]
    receiver: Url,
    /// A file with a bearer token for the receiver
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// Certificate authorities in PEM that are trusted in addition to the public ones
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Allow receivers at private, loopback, link-local and cluster addresses, and http://
    #[arg(long)]
    allow_private_addresses: bool,
    /// Longest time for all of it
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    timeout: SignedDuration,
}

/// Options of `rollcall signal send`.
#[derive(Debug, Args)]
pub struct Send {
    #[command(flatten)]
    to: To,
    /// What is said
    #[arg(long, value_enum, default_value_t = token::Event::SessionRevoked)]
    event: token::Event,
    /// Who says it: the issuer that the receiver knows
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// Whom it is for, as the receiver asks for it
    #[arg(long, value_name = "AUDIENCE")]
    audience: String,
    /// The RSA private key in PEM, of at least 2048 bits
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What stands before the address in user names
    #[arg(long, value_name = "PREFIX", default_value = "oidc:")]
    prefix: String,
}

/// Options of `rollcall signal cloud-event`.
#[derive(Debug, Args)]
pub struct CloudEvent {
    #[command(flatten)]
    to: To,
    /// Where it happened: the `source` of the event, such as https://cluster.example.com/rollcall
    #[arg(long, value_name = "URI")]
    source: String,
}

/// Options of `rollcall signal keys`.
#[derive(Debug, Args)]
pub struct Keys {
    /// RSA private keys in PEM; several while one is replaced
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
}

/// The file of a hook, as far as it is told.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HookFile {
    version: u32,
    revocation: String,
    uid: String,
    operation: String,
    trigger: String,
    policy: String,
    person: String,
    #[serde(default)]
    records: Vec<String>,
    /// User names that are this person's and nobody's else.
    #[serde(default)]
    own_usernames: Vec<String>,
    hook: String,
    when: String,
    phase: Option<String>,
}

/// Does what was asked.
///
/// # Errors
/// When something cannot be read or said, or a receiver did not take it.
pub async fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Keys(options) => keys(options),
        Command::Send(options) => send(options).await,
        Command::CloudEvent(options) => {
            let file = read(&options.to.file)?;
            let told = cloud_event::of(&file, &options.source, calls::now());
            let receiver = receiver(&options.to)?;
            let taken = receiver.take(event::CONTENT, &told.to_string()).await;
            taken.map_err(|refused| Failure::Refused(refused.why))?;
            say("1 event was delivered.");
            Ok(())
        }
    }
}

async fn send(options: &Send) -> Result<(), Failure> {
    let file = read(&options.to.file)?;
    let key = key(&options.key)?;
    let terms = token::Terms {
        event: options.event,
        issuer: &options.issuer,
        audience: &options.audience,
        prefix: &options.prefix,
    };
    let claims = token::claims(&file, &terms, calls::now()).map_err(|why| Failure::Refused(why.to_owned()))?;
    let receiver = receiver(&options.to)?;
    let mut failed = None;
    for claims in &claims {
        let token = key.token(claims).map_err(Failure::Refused)?;
        // One that is refused keeps no other from being told.
        if let Err(refused) = receiver.take("application/secevent+jwt", &token).await {
            failed = Some(refused.why);
        }
    }
    match failed {
        Some(why) => Err(Failure::Refused(why)),
        None => {
            say(&format!("{} delivered.", many(claims.len(), "signal was", "signals were")));
            Ok(())
        }
    }
}

fn keys(options: &Keys) -> Result<(), Failure> {
    let all = options.keys.iter().map(|file| Ok(key(file)?.public())).collect::<Result<Vec<_>, Failure>>()?;
    say(&serde_json::to_string_pretty(&serde_json::json!({ "keys": all })).unwrap_or_default());
    Ok(())
}

/// Reads the file of a hook. Of another version it could mean something else.
fn read(path: &std::path::Path) -> Result<HookFile, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error.kind()))?;
    let file: HookFile =
        serde_json::from_str(&text).map_err(|_| Failure::file(path, "it is no file that Rollcall gives a hook"))?;
    if file.version != 1 {
        return Err(Failure::file(path, "it is of a newer version"));
    }
    Ok(file)
}

fn key(path: &std::path::Path) -> Result<SigningKey, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error.kind()))?;
    SigningKey::from_pem(&text).map_err(|why| Failure::file(path, why))
}

fn receiver(to: &To) -> Result<Receiver, Failure> {
    let text = |path: &PathBuf| std::fs::read_to_string(path).map_err(|error| Failure::file(path, error.kind()));
    let token = to.token.as_ref().map(text).transpose()?.map(SecretString::from);
    let authorities =
        to.ca.as_ref().map(|path| hris::authorities(text(path)?.as_bytes()).map_err(|why| Failure::file(path, why)));
    let authorities = authorities.transpose()?.unwrap_or_default();
    let timeout = Duration::try_from(to.timeout).ok().filter(|timeout| !timeout.is_zero());
    let timeout = timeout.ok_or_else(|| Failure::Refused("--timeout must be more than 0".to_owned()))?;
    let at = Receiver::at(to.receiver.clone(), token, authorities, to.allow_private_addresses, timeout, BRIDGES);
    at.map_err(Failure::Refused)
}

#[cfg(test)]
mod tests;
