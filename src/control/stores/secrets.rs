//! The watch of a namespace's Secrets, where that was consented to: token Secrets that come back, and Secrets with an owner
//! annotation. Metadata alone is asked for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{ObjectMeta, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};
use tokio::sync::watch;

use super::watches::place;
use crate::api::names;
use crate::control::owned::Since;
use crate::control::{Context, returns};
use crate::kube::follow::follow;
use crate::kube::named::Api;
use crate::kube::{inventory, secrets as metadata};

/// How long a plan waits, once, for the first lists.
const FIRST: Duration = Duration::from_secs(10);

/// Of which namespaces the Secrets are known.
#[derive(Default)]
pub struct Known {
    /// Those that are listed for the first time; none before it is known which those are.
    listing: Mutex<Option<BTreeSet<String>>>,
    first: watch::Sender<bool>,
}

impl Known {
    /// Control has learnt which namespaces let it list their Secrets: these.
    pub fn expect(&self, namespaces: BTreeSet<String>) {
        let mut listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        if listing.is_none() {
            self.first.send_replace(namespaces.is_empty());
            *listing = Some(namespaces);
        }
    }

    fn listed(&self, namespace: &str) {
        let mut listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(missing) = &mut *listing
            && missing.remove(namespace)
            && missing.is_empty()
        {
            self.first.send_replace(true);
        }
    }

    /// Waits until the Secrets of every namespace that had consented when control started were listed once: what a plan misses is
    /// a later discovery, which needs approval. A namespace that cannot be listed holds nobody up for longer than a moment.
    pub async fn first_listed(&self) {
        let mut first = self.first.subscribe();
        if *first.borrow() {
            return;
        }
        if tokio::time::timeout(FIRST, first.wait_for(|listed| *listed)).await.is_err() {
            tracing::warn!("the Secrets of a namespace that consented are not listed yet; plans go on without them");
            self.first.send_replace(true);
        }
    }
}

/// Watches the metadata of Secrets in a namespace that consented to it.
pub async fn secrets(ctx: Arc<Context>, namespace: String) {
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(ctx.client.clone(), &namespace);
    let mut listed = BTreeSet::new();
    follow("secrets", watcher::watcher(api.watched(), watcher::Config::default()), |event| match event {
        Event::Apply(secret) => changed(&ctx, &namespace, &secret.metadata),
        Event::InitApply(secret) => {
            listed.extend(secret.metadata.name.clone());
            changed(&ctx, &namespace, &secret.metadata);
        }
        Event::Delete(secret) => gone(&ctx, &namespace, &secret.metadata),
        Event::Init => {
            listed.clear();
            ctx.stores.forget_tokens(&namespace);
        }
        Event::InitDone => {
            let unlisted = ctx.owned(|owned| owned.secrets_but(&namespace, &listed));
            let touched: Vec<_> = ctx.owned(|owned| unlisted.iter().map(|place| owned.secret(place, None)).collect());
            touched.iter().for_each(|names| ctx.touched(names));
            ctx.stores.secrets.listed(&namespace);
            ctx.holders.notify_one();
            let names = ctx.owned(|owned| owned.in_namespace(&namespace));
            ctx.touched(&names);
        }
    })
    .await;
}

/// Control may no longer list the Secrets of a namespace: what it knew of them is forgotten.
pub fn forget(ctx: &Context, namespace: &str) {
    ctx.stores.forget_tokens(namespace);
    ctx.stores.secrets.listed(namespace);
    let all = ctx.owned(|owned| owned.secrets_but(namespace, &BTreeSet::new()));
    let touched: Vec<_> = ctx.owned(|owned| all.iter().map(|place| owned.secret(place, None)).collect());
    touched.iter().for_each(|names| ctx.touched(names));
    ctx.holders.notify_one();
}

fn changed(ctx: &Context, namespace: &str, meta: &ObjectMeta) {
    if let Some(account) = meta.annotations.as_ref().and_then(|notes| notes.get(names::TOKEN_OF)) {
        let mut tokens = ctx.stores.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let name = meta.name.clone().unwrap_or_default();
        tokens.entry(namespace.to_owned()).or_default().insert(name, account.clone());
    }
    returns::secret(ctx, meta);
    let at = inventory::since(meta, &inventory::OWNER_FIELD);
    let annotated = metadata::owned(meta).map(|object| Since { object, at });
    let touched = ctx.owned(|owned| owned.secret(&place(meta), annotated));
    ctx.touched(&touched);
    ctx.holders.notify_one();
}

fn gone(ctx: &Context, namespace: &str, meta: &ObjectMeta) {
    {
        let mut tokens = ctx.stores.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = tokens.get_mut(namespace) {
            tokens.remove(meta.name.as_deref().unwrap_or_default());
        }
    }
    let touched = ctx.owned(|owned| owned.secret(&place(meta), None));
    ctx.touched(&touched);
    ctx.holders.notify_one();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_plan_waits_for_the_first_lists_and_not_for_ever() {
        let waits = async |known: &Known| {
            let begun = tokio::time::Instant::now();
            known.first_listed().await;
            begun.elapsed() >= FIRST
        };
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect();
        let none = Known::default();
        none.expect(names(&[]));
        assert!(!waits(&none).await, "nobody consented");
        let two = Known::default();
        two.expect(names(&["apps", "web"]));
        two.listed("apps");
        two.listed("web");
        assert!(!waits(&two).await, "both were listed");
        let stuck = Known::default();
        stuck.expect(names(&["apps", "stuck"]));
        stuck.listed("apps");
        assert!(waits(&stuck).await, "one was not");
        assert!(!waits(&stuck).await, "and is waited for once");
        assert!(waits(&Known::default()).await, "nobody knows who consented");
    }
}
