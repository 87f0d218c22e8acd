//! The one small write that a webhook leads to: that its connection is to be read.
//!
//! Whatever comes while a write is waited for is a part of it, so a flood of webhooks is a write a second, and a read a minute
//! ([`domain::hints`]). A hint that could not be written is tried again for as long as the process lives.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use tokio::sync::oneshot;

use super::keys::Key;
use crate::api::hint::{self, ReadHint, ReadHintSpec, RefusedWebhook, WebhookRefusal};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::swap;

/// Least time between two writes of one connection's hint.
const APART: Duration = Duration::from_secs(1);
/// The same of what was refused: anybody can be refused.
const REFUSALS_APART: Duration = Duration::from_secs(60);
/// How long a sender waits for the write.
const WAIT: Duration = Duration::from_secs(2);
/// How long a write that failed is not tried again.
const AGAIN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Default)]
struct Writes {
    /// Whether a write is waited for that has not begun.
    waiting: bool,
    /// When the last one began.
    began: Option<Instant>,
    /// When a refusal was last written.
    refused: Option<Instant>,
}

/// Writes hints.
#[derive(Clone)]
pub struct Hints {
    api: Api<ReadHint>,
    writes: Arc<Mutex<BTreeMap<String, Writes>>>,
    clock: fn() -> Timestamp,
}

impl Hints {
    /// Those of a namespace.
    #[must_use]
    pub fn new(client: Client, namespace: &str, clock: fn() -> Timestamp) -> Self {
        Self { api: Api::namespaced(client, namespace), writes: Arc::default(), clock }
    }

    /// A webhook was taken. Gives whether its hint is written, or will be with another that is waited for.
    pub async fn taken(&self, key: &Arc<Key>) -> bool {
        let begins = {
            let mut all = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            let writes = all.entry(key.uid.clone()).or_default();
            if writes.waiting {
                return true;
            }
            writes.waiting = true;
            writes.began.map_or_else(Instant::now, |began| began + APART)
        };
        let (done, written) = oneshot::channel();
        let (hints, key) = (self.clone(), Arc::clone(key));
        tokio::spawn(async move {
            tokio::time::sleep_until(begins.into()).await;
            while let Err(fault) = hints.write(&key).await {
                tracing::warn!(connection = key.connection, %fault, "a hint was not written; it is tried again");
                tokio::time::sleep(AGAIN).await;
            }
            let _ = done.send(());
        });
        matches!(tokio::time::timeout(WAIT, written).await, Ok(Ok(())))
    }

    async fn write(&self, key: &Key) -> Result<(), Fault> {
        self.note(&key.uid, |writes| *writes = Writes { waiting: false, began: Some(Instant::now()), ..*writes });
        let taken = |spec: &mut ReadHintSpec| {
            // Another than it was, whatever the clocks of the replicas say: sync compares them, and no more.
            let now = (self.clock)();
            let next = spec.taken.and_then(|last| last.checked_add(SignedDuration::from_millis(1)).ok());
            spec.taken = Some(next.map_or(now, |next| next.max(now)));
        };
        let written = self.change(key, taken).await;
        if written.is_err() {
            self.note(&key.uid, |writes| writes.waiting = true);
        }
        written
    }

    /// A request was refused. It is written in the background, and no more often than once a minute.
    pub fn refused(&self, key: &Arc<Key>, reason: WebhookRefusal) {
        let mut due = false;
        self.note(&key.uid, |writes| {
            due = writes.refused.is_none_or(|at| at.elapsed() >= REFUSALS_APART);
            if due {
                writes.refused = Some(Instant::now());
            }
        });
        if !due {
            return;
        }
        let (hints, key) = (self.clone(), Arc::clone(key));
        tokio::spawn(async move {
            let at = (hints.clock)();
            let refused = |spec: &mut ReadHintSpec| spec.refused = Some(RefusedWebhook { at, reason });
            if let Err(fault) = hints.change(&key, refused).await {
                tracing::warn!(connection = key.connection, %fault, "a refusal was not written");
            }
        });
    }

    fn note(&self, uid: &str, change: impl FnOnce(&mut Writes)) {
        change(self.writes.lock().unwrap_or_else(PoisonError::into_inner).entry(uid.to_owned()).or_default());
    }

    /// Changes the hint of a connection, or makes it.
    async fn change(&self, key: &Key, change: impl Fn(&mut ReadHintSpec) + Send + Sync) -> Result<(), Fault> {
        let name = hint::name_of(&key.uid);
        let changed = |there: Option<ReadHint>| {
            let mut hint = there.unwrap_or_else(|| {
                let (connection, connection_uid) = (key.connection.clone(), key.uid.clone());
                let spec = ReadHintSpec { connection, connection_uid, taken: None, refused: None };
                let mut made = ReadHint::new(&name, spec);
                made.metadata.owner_references = Some(vec![key.owner.clone()]);
                made
            });
            change(&mut hint.spec);
            Some(hint)
        };
        swap::object(&self.api, &name, "write a hint", changed).await
    }
}
