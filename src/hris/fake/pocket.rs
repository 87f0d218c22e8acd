//! Keeps refresh tokens in memory, for as long as a fake is read.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use futures::future::{BoxFuture, ready};
use secrecy::{ExposeSecret as _, SecretString};

use super::super::token::{Keeper, Lent};

/// What is kept.
pub(super) struct Pocket(Mutex<BTreeMap<String, SecretString>>);

impl Pocket {
    pub(super) fn new(credentials: &BTreeMap<String, SecretString>) -> Self {
        Self(Mutex::new(credentials.clone()))
    }
}

impl Keeper for Pocket {
    fn lend<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Lent, String>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = kept.get(key).map(|value| SecretString::from(value.expose_secret()));
        let lent = value.map(|value| Lent { key: key.to_owned(), value, place: Box::new(()) });
        Box::pin(ready(lent.ok_or_else(|| "it is not there".to_owned())))
    }

    fn keep(&self, lent: Lent, next: SecretString) -> BoxFuture<'_, Result<(), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(lent.key, next);
        Box::pin(ready(Ok(())))
    }
}
