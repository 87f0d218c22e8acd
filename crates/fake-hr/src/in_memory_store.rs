//! A store of refresh tokens in memory, for as long as a fake is read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, ready};
use secrecy::SecretString;
use tokio::sync::Mutex as Turn;

use hris::token::{RefreshTokenStore, TokenLease};

/// The tokens, which only one reader may use at a time.
pub(crate) struct InMemoryStore {
    kept: Mutex<BTreeMap<String, SecretString>>,
    lent: Arc<Turn<()>>,
}

impl InMemoryStore {
    pub(crate) fn new(credentials: &BTreeMap<String, SecretString>) -> Self {
        Self { kept: Mutex::new(credentials.clone()), lent: Arc::default() }
    }
}

impl RefreshTokenStore for InMemoryStore {
    fn lend<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<TokenLease, String>> {
        Box::pin(async move {
            let place = Box::new(Arc::clone(&self.lent).lock_owned().await);
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let value = kept.get(key).cloned().ok_or("it is not there")?;
            Ok(TokenLease { key: key.to_owned(), value, place })
        })
    }

    fn keep(&self, lent: TokenLease, next: SecretString) -> BoxFuture<'_, Result<(), String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(lent.key, next);
        Box::pin(ready(Ok(())))
    }
}
