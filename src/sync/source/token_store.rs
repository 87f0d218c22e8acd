//! Keeps refresh tokens that are another one after each use in the Secret of their connection.
//!
//! The token in use is the only one there is. So it is lent to one poll at a time, and only where the next could be kept
//! in its place: the write is tried first, and changes nothing. What could not be written at once is remembered, and
//! written before the token is lent again.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::kube::named::Api;
use futures::future::BoxFuture;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{ObjectMeta, Patch, PatchParams};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep};

use super::resolve::text;
use crate::api::names;
use crate::kube::calls;
use crate::kube::outcome::CallFailure;
use crate::sync::MANAGER;
use hris::{RefreshTokenStore, TokenLease};

/// A write is tried for so long, and first again after so long.
const TRIED: Duration = Duration::from_secs(60);
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Most tries.
const TRIES: u32 = 20;

/// The refresh tokens of this process, by Secret and key: each is lent to one poll at a time.
#[derive(Default)]
pub struct Rotations(Mutex<HashMap<(String, String), Turn>>);

/// Its holder may use the token, and writes first what is still to be written.
type Turn = Arc<tokio::sync::Mutex<Option<Unkept>>>;

/// A token that is still to be written.
struct Unkept {
    /// Uid of the Secret.
    uid: String,
    /// What it replaces.
    spent: SecretString,
    next: SecretString,
}

impl Unkept {
    /// Whether it still belongs where it was to be written.
    fn fits(&self, found: &StoredKey) -> bool {
        self.uid == found.uid && self.spent.expose_secret() == found.value.expose_secret()
    }
}

/// Where a lent token was found, and that nobody else has it.
struct LeasedKey {
    guard: OwnedMutexGuard<Option<Unkept>>,
    uid: String,
    version: String,
}

/// A key of a Secret as it is now.
struct StoredKey {
    value: SecretString,
    uid: String,
    version: String,
    /// It consents to being written.
    written: bool,
}

impl StoredKey {
    fn of(secret: &Secret, key: &str) -> Option<Self> {
        let value = text(secret.data.as_ref()?.get(key)?.0.clone())?;
        let written = secret.annotations().get(names::ROTATES).is_some_and(|rotates| rotates == key);
        Some(Self { value, uid: secret.uid()?, version: secret.resource_version()?, written })
    }
}

/// The Secret of one connection.
pub struct SecretKeeper {
    secrets: Api<Secret>,
    name: String,
    rotations: Arc<Rotations>,
    again: Duration,
}

impl SecretKeeper {
    /// The token store of the Secret of this name.
    #[must_use]
    pub fn new(secrets: Api<Secret>, name: &str, rotations: &Arc<Rotations>) -> Self {
        Self { secrets, name: name.to_owned(), rotations: Arc::clone(rotations), again: RETRY_AFTER }
    }

    async fn found(&self, key: &str) -> Result<StoredKey, String> {
        let name = &self.name;
        let secret = calls::call("read the refresh token", self.secrets.get_opt(name)).await;
        let secret = secret.map_err(|fault| format!("Secret {name}: {fault}"))?;
        let secret = secret.ok_or_else(|| format!("Secret {name} is not there"))?;
        StoredKey::of(&secret, key).ok_or_else(|| format!("Secret {name} has no key {key}"))
    }

    /// Puts a value under the key of exactly the Secret that was found, or would.
    async fn write(
        &self,
        key: &str,
        value: &SecretString,
        (uid, version): (&str, &str),
        dry_run: bool,
    ) -> Result<Secret, Unwritten> {
        let metadata = ObjectMeta {
            uid: Some(uid.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        let data = BTreeMap::from([(key, ByteString(value.expose_secret().as_bytes().to_vec()))]);
        let patch = Patch::Merge(serde_json::json!({"metadata": metadata, "data": data}));
        let params = PatchParams { dry_run, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let written = calls::call("write the refresh token", self.secrets.patch(&self.name, &params, &patch)).await;
        written.map_err(|fault| match fault.call_failure() {
            Some(CallFailure::Conflict) => Unwritten::Changed,
            Some(kind) if kind.may_pass() => Unwritten::Failed(kind.to_string()),
            Some(kind) => Unwritten::Refused(kind.to_string()),
            None => Unwritten::Failed(fault.to_string()),
        })
    }

    /// Writes what is still to be written. Changes of other things in the Secret do not matter; another token there
    /// does, and stays.
    async fn settle(&self, key: &str, unkept: &mut Option<Unkept>, mut found: StoredKey) -> Result<StoredKey, String> {
        let name = &self.name;
        let (end, mut wait, mut tries) = (Instant::now() + TRIED, self.again, 0);
        while let Some(next) = unkept.as_ref().filter(|unkept| unkept.fits(&found)) {
            tries += 1;
            let failed = match self.write(key, &next.next, (&found.uid, &found.version), false).await {
                Ok(secret) => {
                    *unkept = None;
                    return StoredKey::of(&secret, key).ok_or_else(|| format!("Secret {name} has no key {key}"));
                }
                Err(Unwritten::Changed) => None,
                Err(Unwritten::Refused(why)) => return Err(format!("Secret {name}: {why}")),
                Err(Unwritten::Failed(why)) => Some(why),
            };
            if tries >= TRIES || Instant::now() + wait >= end {
                return Err(format!("Secret {name}: {}", failed.unwrap_or("it is changed all the time".to_owned())));
            }
            if failed.is_some() {
                sleep(wait).await;
                wait *= 2;
            }
            // What was written without an answer is there now.
            match self.found(key).await {
                Ok(now) if now.value.expose_secret() == next.next.expose_secret() => {
                    *unkept = None;
                    return Ok(now);
                }
                Ok(now) => found = now,
                Err(why) if failed.is_none() => return Err(why),
                Err(_) => {} // the API server is away: the write says so again
            }
        }
        // Somebody put another token there, or deleted the Secret and made another.
        *unkept = None;
        Ok(found)
    }
}

/// Why a write was not done.
enum Unwritten {
    /// The Secret is no longer as it was found.
    Changed,
    /// It would be refused again.
    Refused(String),
    /// It may be done yet.
    Failed(String),
}

impl RefreshTokenStore for SecretKeeper {
    /// # Flow          wait for the poll that has it; read the Secret; write what is still to be written; try the write
    /// # Guarantees    nothing is lent in whose place the next could not be written as things stand
    /// # Assumptions   one process leads; of two that both think they do, one finds the Secret changed
    /// # Errors        in words: the Secret, the key or its consent is missing; the API server refuses or fails
    fn lend<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<TokenLease, String>> {
        Box::pin(async move {
            let name = &self.name;
            let mut guard = self.rotations.of(name, key).lock_owned().await;
            let found = self.found(key).await?;
            if !found.written {
                return Err(format!(
                    "Secret {name} does not say that its key {key} may be written: annotate it with {}={key}",
                    names::ROTATES
                ));
            }
            let found = self.settle(key, &mut guard, found).await?;
            let tried = self.write(key, &found.value, (&found.uid, &found.version), true).await;
            tried.map_err(|why| match why {
                Unwritten::Changed => format!("Secret {name} was changed just now"),
                Unwritten::Refused(why) | Unwritten::Failed(why) => format!("Secret {name}: {why}"),
            })?;
            let place = LeasedKey { guard, uid: found.uid, version: found.version };
            Ok(TokenLease { key: key.to_owned(), value: found.value, place: Box::new(place) })
        })
    }

    /// # Flow          remember it; patch the one key at the uid and version that were found; where something else in
    ///                 the Secret has changed, at those of now
    /// # Guarantees    a token that somebody else put there meanwhile is not written over; the new one is remembered
    ///                 until it is written or of no use
    /// # Errors        in words: why it is not written
    fn keep(&self, lent: TokenLease, next: SecretString) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let TokenLease { key, value, place } = lent;
            let place = place.downcast::<LeasedKey>().map_err(|_| "it was lent by another store".to_owned())?;
            let LeasedKey { mut guard, uid, version } = *place;
            let found = StoredKey { value: value.clone(), uid: uid.clone(), version, written: true };
            *guard = Some(Unkept { uid, spent: value, next: next.clone() });
            let now = self.settle(&key, &mut guard, found).await?;
            if now.value.expose_secret() == next.expose_secret() {
                return Ok(());
            }
            Err(format!("somebody else put another one into Secret {} meanwhile, and it stays there", self.name))
        })
    }
}

impl Rotations {
    fn of(&self, secret: &str, key: &str) -> Turn {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry((secret.to_owned(), key.to_owned())).or_default())
    }
}

#[cfg(test)]
mod tests;
