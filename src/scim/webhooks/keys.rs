//! Which connections take webhooks, in which form, and with which secrets. Read again in the background, as tokens are.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use super::super::tokens::{UNREAD, trimmed};
use crate::api::HRConnection;
use crate::kube::calls::call;
use crate::kube::named::Api;
use domain::webhook::set::{self, Terms};
use domain::webhook::{Form, MOST_SECRETS, is_secret};

/// A connection that takes webhooks.
pub struct Key {
    /// Its name.
    pub connection: String,
    /// Its uid.
    pub uid: String,
    /// What its hint is owned by.
    pub owner: OwnerReference,
    /// How its webhooks are signed.
    pub form: Form,
    /// With what: secrets, or lists of public keys where `terms` says from whom tokens are.
    pub secrets: Vec<Vec<u8>>,
    /// From whom tokens are, and for whom.
    pub terms: Option<Terms>,
    /// When these were read.
    read: Instant,
}

impl Key {
    /// Whether there is anything that a webhook could be signed with.
    pub const fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }
}

/// All of them, by name.
#[derive(Default)]
pub struct Keys(RwLock<BTreeMap<String, Arc<Key>>>);

impl Keys {
    /// The key of a connection. Secrets that could not be read for long are none.
    #[must_use]
    pub fn of(&self, connection: &str, now: Instant) -> Option<Arc<Key>> {
        let key = self.0.read().unwrap_or_else(PoisonError::into_inner).get(connection).cloned()?;
        if now.saturating_duration_since(key.read) < UNREAD {
            return Some(key);
        }
        Some(Arc::new(Key {
            secrets: Vec::new(),
            owner: key.owner.clone(),
            connection: key.connection.clone(),
            uid: key.uid.clone(),
            terms: key.terms.clone(),
            ..*key
        }))
    }

    /// Whether there is one of this uid.
    #[must_use]
    pub fn knows(&self, uid: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().any(|key| key.uid == uid)
    }

    /// Puts what was read of a connection's Secret in the place of what was known. Nothing is put for one that takes no webhooks.
    pub fn put(&self, connection: &HRConnection, secrets: Vec<Vec<u8>>, now: Instant) {
        let (Some(webhook), Some(owner)) = (webhook(connection), connection.owner_ref(&())) else { return };
        let key = Key {
            connection: connection.name_any(),
            uid: connection.uid().unwrap_or_default(),
            owner,
            form: webhook.form,
            secrets,
            terms: terms(webhook),
            read: now,
        };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key.connection.clone(), Arc::new(key));
    }

    /// Reads the Secrets of all connections that take webhooks, and forgets those that do not.
    pub async fn refresh(&self, secrets: &Api<Secret>, connections: &[Arc<HRConnection>]) {
        let takes = |name: &String, key: &Arc<Key>| {
            connections.iter().any(|one| {
                one.name_any() == *name
                    && one.uid().as_deref() == Some(key.uid.as_str())
                    && webhook(one).is_some_and(|webhook| webhook.form == key.form && terms(webhook) == key.terms)
            })
        };
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|name, key| takes(name, key));
        for connection in connections {
            let Some(webhook) = webhook(connection) else { continue };
            match call("read the secret of a webhook", secrets.get_opt(&webhook.secret_ref.name)).await {
                Ok(secret) => {
                    let usable = secret.as_ref().map(|secret| usable(secret, webhook.form)).unwrap_or_default();
                    self.put(connection, usable, Instant::now());
                }
                Err(fault) => {
                    let connection = connection.name_any();
                    tracing::warn!(connection, %fault, "secret not read; is the Secret in scim.webhookSecrets?");
                }
            }
        }
    }
}

fn webhook(connection: &HRConnection) -> Option<&crate::api::connection::Webhook> {
    connection.spec.source.api.as_ref()?.webhook.as_ref()
}

fn terms(webhook: &crate::api::connection::Webhook) -> Option<Terms> {
    let (issuer, audience) = webhook.issuer.clone().zip(webhook.audience.clone())?;
    Some(Terms { issuer, audience })
}

/// The secrets of a Secret, without those that could be guessed; for tokens, the lists of public keys.
pub(super) fn usable(secret: &Secret, form: Form) -> Vec<Vec<u8>> {
    let fits = |value: &Vec<u8>| if form == Form::SharedSignals { set::is_keys(value) } else { is_secret(value) };
    let all = secret.data.iter().flatten().map(|(_, value)| trimmed(&value.0).to_vec());
    all.filter(fits).take(MOST_SECRETS).collect()
}
