//! The self-test: what each namespace lets the revoker do, as the API server says, asked before any plan is drawn there.
//!
//! Consent is a RoleBinding in the namespace; whether it gives what is needed, only a SubjectAccessReview tells. It is asked
//! once, and again when a binding that names the revoker or control, or a role such a binding names, has changed. Where no
//! binding names them, nobody is asked: RBAC gives nothing there.

mod ask;
mod grants;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::{RoleRef, Subject};
use tokio::sync::{Mutex, Notify};

use self::ask::ask;
use self::grants::{Grants, Stale};
use super::{Context, Options, stores};
use crate::api::names;
use crate::kube::consents::{KEY, OMITTED, Row};
use crate::kube::outcome::Fault;
use crate::kube::swap::{self, Change, OwnConfigMap};
use domain::plan::Consent;

/// How long the API server's authorizer may take to see a change that a watch has shown.
const SEEN_BY_ALL: Duration = Duration::from_millis(300);
/// How long to wait for more changes before the table is written.
const TOGETHER: Duration = Duration::from_secs(2);
/// How long after a change it is asked once more: an authorizer may be behind.
const ONCE_MORE: Duration = Duration::from_secs(5);
/// Wait after the table could not be made.
const RETRY: Duration = Duration::from_secs(10);
/// Namespaces asked about at once for the table.
const AT_ONCE: usize = 8;
/// Most bytes of the table: a ConfigMap holds a mebibyte.
const MAX_BYTES: usize = 900 * 1024;

/// Which bindings name the revoker or control, and what the API server answered.
pub struct Consents {
    grants: std::sync::Mutex<Grants>,
    answers: Mutex<HashMap<String, Arc<Mutex<Option<Row>>>>>,
    /// Whether any of it is given for the whole cluster.
    everywhere: Mutex<Option<bool>>,
    changed: Notify,
}

impl Consents {
    /// Nothing asked yet.
    pub fn new(options: &Options) -> Self {
        Self {
            grants: std::sync::Mutex::new(Grants::new(options)),
            answers: Mutex::default(),
            everywhere: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// What a namespace lets the revoker do; `""` stands for cluster-scoped bindings. Those who ask for the same namespace
    /// wait for one answer.
    ///
    /// # Errors
    /// When the API server does not answer: neither yes nor no.
    pub async fn of(&self, ctx: &Context, namespace: &str) -> Result<Consent, Fault> {
        let row = self.row(ctx, namespace).await?;
        Ok(row.consent())
    }

    async fn row(&self, ctx: &Context, namespace: &str) -> Result<Row, Fault> {
        let slot = Arc::clone(self.answers.lock().await.entry(namespace.to_owned()).or_default());
        let mut slot = slot.lock().await;
        if let Some(row) = &*slot {
            return Ok(row.clone());
        }
        let row = ask(ctx, namespace).await?;
        *slot = Some(row.clone());
        self.changed.notify_one();
        Ok(row)
    }

    /// A binding is like this now, or gone: what of the answers no longer holds is asked again.
    pub fn binding(&self, namespace: &str, name: &str, grants: Option<(&RoleRef, &[Subject])>) {
        self.locked(|all| all.binding(namespace, name, grants));
    }

    /// A role is like this now.
    pub fn role(&self, namespace: &str, name: &str, version: &str) {
        self.locked(|all| all.role(namespace, name, version));
    }

    /// Something is owned in this namespace: it belongs in the table.
    pub fn owned(&self, namespace: &str) {
        self.locked(|all| all.owned.insert(namespace.to_owned()));
    }

    fn locked(&self, act: impl FnOnce(&mut Grants) -> bool) {
        if act(&mut self.grants.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.changed.notify_one();
        }
    }

    fn take_stale(&self) -> Stale {
        std::mem::take(&mut self.grants.lock().unwrap_or_else(PoisonError::into_inner).stale)
    }

    /// Namespaces in which a binding names the revoker or control.
    pub fn granted(&self) -> BTreeSet<String> {
        let grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.bindings.keys().map(|(namespace, _)| namespace.clone()).collect()
    }

    /// Forgets answers. Says whose.
    async fn forget(&self, stale: &Stale) -> BTreeSet<String> {
        let mut answers = self.answers.lock().await;
        let gone: BTreeSet<String> =
            answers.keys().filter(|namespace| stale.all || stale.namespaces.contains(*namespace)).cloned().collect();
        answers.retain(|namespace, _| !gone.contains(namespace));
        gone
    }
}

/// The table as it is kept: as many rows as it has room for, and how many it has none for.
fn table(rows: &[Row]) -> BTreeMap<String, String> {
    let (mut text, mut omitted) = (String::from("["), 0_usize);
    for row in rows {
        let row = serde_json::to_string(row).unwrap_or_default();
        if text.len().saturating_add(row.len()) > MAX_BYTES {
            omitted = omitted.saturating_add(1);
            continue;
        }
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&row);
    }
    text.push(']');
    let mut data = BTreeMap::from([(KEY.to_owned(), text)]);
    if omitted > 0 {
        data.insert(OMITTED.to_owned(), omitted.to_string());
    }
    data
}

/// Asks about every namespace worth it (where something is owned, and where the revoker is bound) and writes the table for
/// `kubectl rollcall consents`.
async fn publish(ctx: &Context) -> Result<Vec<Row>, Fault> {
    use futures::{StreamExt, TryStreamExt};
    let mut worth = ctx.owned(|owned| owned.namespaces());
    worth.extend(ctx.consents.granted());
    worth.insert(String::new());
    worth.remove(&ctx.options.namespace);
    worth.remove(&ctx.options.revoker_namespace);
    let asked = futures::stream::iter(worth).map(|namespace| async move { ctx.consents.row(ctx, &namespace).await });
    let mut rows: Vec<Row> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
    rows.sort_by(|a, b| a.namespace.cmp(&b.namespace));
    let table = table(&rows);
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let kept = OwnConfigMap { name: names::CONSENTS, part: "consents", doing: "write the consents" };
    swap::swap(&api, kept, |current| {
        let before = current.and_then(|map| map.data.clone()).unwrap_or_default();
        let mut after = before.clone(); // the proof of the revoker is kept there as well
        after.remove(OMITTED);
        after.extend(table.clone());
        Ok(if after == before { Change::Keep(()) } else { Change::Write(after, ()) })
    })
    .await?;
    Ok(rows)
}

/// Keeps the answers, the table and the watches on Secrets up to date; ends only with the process.
pub async fn keep(ctx: Arc<Context>) {
    let mut watched: HashMap<String, tokio::task::AbortHandle> = HashMap::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut once_more: Option<(tokio::time::Instant, Stale)> = None;
    loop {
        match publish(&ctx).await {
            Ok(rows) => watch_secrets(&ctx, rows, &mut watched, &mut tasks),
            Err(fault) => {
                tracing::warn!(%fault, "consents not published; tried again");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        }
        let timer = async {
            match &once_more {
                Some((at, _)) => tokio::time::sleep_until(*at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ctx.consents.changed.notified() => {
                tokio::time::sleep(SEEN_BY_ALL).await;
                let stale = ctx.consents.take_stale();
                if stale == Stale::default() {
                    tokio::time::sleep(TOGETHER).await; // only new answers: more of them may be under way
                    continue;
                }
                again(&ctx, &stale).await;
                let mut all = once_more.take().map(|(_, stale)| stale).unwrap_or_default();
                all.all |= stale.all;
                all.namespaces.extend(stale.namespaces);
                once_more = Some((tokio::time::Instant::now() + ONCE_MORE, all));
            }
            () = timer => {
                if let Some((_, stale)) = once_more.take() {
                    again(&ctx, &stale).await;
                }
            }
        }
    }
}

/// Asks again, and has the plans drawn again of those whose answers are others now.
async fn again(ctx: &Context, stale: &Stale) {
    if stale.all {
        *ctx.consents.everywhere.lock().await = None;
    }
    let before: HashMap<String, Option<Row>> = {
        let answers = ctx.consents.answers.lock().await;
        let mut before = HashMap::new();
        for (namespace, slot) in answers.iter() {
            if let Ok(slot) = slot.try_lock() {
                before.insert(namespace.clone(), slot.clone());
            }
        }
        before
    };
    for namespace in ctx.consents.forget(stale).await {
        let now = ctx.consents.row(ctx, &namespace).await.ok();
        if now.is_none() || before.get(&namespace).is_none_or(|before| *before != now) {
            let names = ctx.owned(|owned| owned.in_namespace(&namespace));
            ctx.touched(&names);
            ctx.recreates.notify_one();
        }
    }
}

/// Follows the Secrets of the namespaces that consented to it, and of no others.
fn watch_secrets(
    ctx: &Arc<Context>,
    rows: Vec<Row>,
    watched: &mut HashMap<String, tokio::task::AbortHandle>,
    tasks: &mut tokio::task::JoinSet<()>,
) {
    let listed = rows.iter().filter(|row| row.secrets).map(|row| row.namespace.clone());
    ctx.stores.secrets.expect(listed.collect());
    for row in rows {
        match (row.secrets, watched.contains_key(&row.namespace)) {
            (true, false) => {
                let watch = tasks.spawn(stores::secrets(Arc::clone(ctx), row.namespace.clone()));
                watched.insert(row.namespace, watch);
            }
            (false, true) => {
                if let Some(watch) = watched.remove(&row.namespace) {
                    watch.abort();
                }
                stores::forget_secrets(ctx, &row.namespace);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
