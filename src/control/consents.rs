//! The self-test: what each namespace lets the revoker do, as the API server says, asked before any plan is drawn.
//!
//! Consent is a RoleBinding in the namespace; whether it gives what is needed, only a SubjectAccessReview tells.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::kube::named::Api;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Context, MANAGER, stores};
use crate::api::names;
use crate::kube::calls::call;
use crate::kube::inventory;
use crate::kube::outcome::Fault;
use domain::plan::{Consent, Subject};

/// How long an answer is believed.
const FRESH: Duration = Duration::from_secs(20);
/// How often the table is made again.
const EVERY: Duration = Duration::from_secs(30);
/// Key of the table in its ConfigMap.
pub const KEY: &str = "namespaces.json";

/// What the consent for accounts and bindings is made of: verb, group, resource.
const ACCOUNTS: [(&str, &str, &str); 8] = [
    ("get", "", "serviceaccounts"),
    ("list", "", "serviceaccounts"),
    ("create", "", "serviceaccounts"),
    ("delete", "", "serviceaccounts"),
    ("get", "rbac.authorization.k8s.io", "rolebindings"),
    ("list", "rbac.authorization.k8s.io", "rolebindings"),
    ("delete", "rbac.authorization.k8s.io", "rolebindings"),
    ("list", "", "pods"),
];
/// What the consent for cluster-scoped bindings is made of.
const CLUSTER: [(&str, &str, &str); 3] = [
    ("get", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("list", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("delete", "rbac.authorization.k8s.io", "clusterrolebindings"),
];

/// Answers of the API server, for a short while.
#[derive(Default)]
pub struct Consents(Mutex<HashMap<String, (Row, Instant)>>);

/// One namespace of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The namespace; empty for cluster-scoped bindings.
    pub namespace: String,
    /// Accounts and bindings.
    pub accounts: bool,
    /// Canaries.
    pub canaries: bool,
    /// Whether control may see token Secrets come back.
    pub secrets: bool,
    /// What of the consent for accounts is missing, as `verb resource`.
    pub missing: Vec<String>,
}

impl Consents {
    /// What a namespace lets the revoker do; `""` stands for cluster-scoped bindings.
    ///
    /// # Errors
    /// When the API server does not answer: neither yes nor no.
    pub async fn of(&self, ctx: &Context, namespace: &str) -> Result<Consent, Fault> {
        let row = self.row(ctx, namespace).await?;
        Ok(Consent { accounts: row.accounts, canaries: row.canaries })
    }

    async fn row(&self, ctx: &Context, namespace: &str) -> Result<Row, Fault> {
        if let Some((row, asked)) = self.0.lock().await.get(namespace)
            && asked.elapsed() < FRESH
        {
            return Ok(row.clone());
        }
        let row = ask(ctx, namespace).await?;
        self.0.lock().await.insert(namespace.to_owned(), (row.clone(), Instant::now()));
        Ok(row)
    }
}

async fn ask(ctx: &Context, namespace: &str) -> Result<Row, Fault> {
    let needs: &[_] = if namespace.is_empty() { &CLUSTER } else { &ACCOUNTS };
    let answers = needs.iter().map(|(verb, group, resource)| async move {
        let allowed = revoker_may(ctx, namespace, verb, group, resource, None).await?;
        Ok::<_, Fault>((!allowed).then(|| format!("{verb} {resource}")))
    });
    let missing: Vec<String> = futures::future::try_join_all(answers).await?.into_iter().flatten().collect();
    let (canaries, secrets) = if namespace.is_empty() {
        (false, false)
    } else {
        futures::try_join!(
            revoker_may(ctx, namespace, "create", "", "serviceaccounts", Some("token")),
            self_may_watch_secrets(ctx, namespace),
        )?
    };
    Ok(Row { namespace: namespace.to_owned(), accounts: missing.is_empty(), canaries, secrets, missing })
}

async fn revoker_may(
    ctx: &Context,
    namespace: &str,
    verb: &str,
    group: &str,
    resource: &str,
    sub: Option<&str>,
) -> Result<bool, Fault> {
    let options = &ctx.options;
    let api: Api<SubjectAccessReview> = Api::all(ctx.client.clone());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{}:{}", options.revoker_namespace, options.revoker_account)),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{}", options.revoker_namespace),
                "system:authenticated".to_owned(),
            ]),
            resource_attributes: Some(attributes(namespace, verb, group, resource, sub)),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = call("ask what the revoker may do", api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

async fn self_may_watch_secrets(ctx: &Context, namespace: &str) -> Result<bool, Fault> {
    let api: Api<SelfSubjectAccessReview> = Api::all(ctx.client.clone());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes(namespace, "watch", "", "secrets", None)),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = call("ask what control may do", api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

fn attributes(namespace: &str, verb: &str, group: &str, resource: &str, sub: Option<&str>) -> ResourceAttributes {
    ResourceAttributes {
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: sub.map(str::to_owned),
        ..ResourceAttributes::default()
    }
}

/// Namespaces worth asking about: where something is owned, and where the revoker is bound.
fn nominated(ctx: &Context) -> BTreeSet<String> {
    let options = &ctx.options;
    let revoker =
        Subject::Account { namespace: options.revoker_namespace.clone(), name: options.revoker_account.clone() };
    let accounts = ctx.stores.accounts.state();
    let owned =
        accounts.iter().filter_map(|account| inventory::account(&account.metadata)).map(|account| account.namespace);
    let bound =
        ctx.stores.bindings().into_iter().filter(|binding| binding.subjects.contains(&revoker)).map(|b| b.namespace);
    let mut all: BTreeSet<String> = owned.chain(bound).collect();
    all.insert(String::new());
    all.remove(&options.namespace);
    all.remove(&options.revoker_namespace);
    all
}

/// Asks about every namespace worth it, writes the table for `kubectl rollcall consents`, and starts to watch Secrets
/// where that was consented to.
///
/// # Errors
/// When the API server does not answer.
pub async fn publish(ctx: &Arc<Context>) -> Result<Vec<Row>, Fault> {
    let mut rows = Vec::new();
    for namespace in nominated(ctx) {
        rows.push(ctx.consents.row(ctx, &namespace).await?);
    }
    let table = serde_json::to_string(&rows).unwrap_or_default();
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let standing = call("read the consents", api.get_opt(names::CONSENTS)).await?;
    if standing.and_then(|map| map.data).and_then(|data| data.get(KEY).cloned()).as_ref() != Some(&table) {
        let map = ConfigMap {
            metadata: ObjectMeta { name: Some(names::CONSENTS.to_owned()), ..ObjectMeta::default() },
            data: Some(BTreeMap::from([(KEY.to_owned(), table)])),
            ..ConfigMap::default()
        };
        let params = PatchParams::apply(MANAGER).force();
        call("write the consents", api.patch(names::CONSENTS, &params, &Patch::Apply(&map))).await?;
    }
    Ok(rows)
}

/// Keeps the table, and the watches on Secrets; ends only with the process.
pub async fn keep(ctx: Arc<Context>) {
    let mut watched: HashMap<String, tokio::task::JoinHandle<()>> = HashMap::new();
    loop {
        match publish(&ctx).await {
            Ok(rows) => {
                for row in rows {
                    match (row.secrets, watched.contains_key(&row.namespace)) {
                        (true, false) => {
                            let watch = tokio::spawn(stores::secrets(Arc::clone(&ctx), row.namespace.clone()));
                            watched.insert(row.namespace, watch);
                        }
                        (false, true) => {
                            if let Some(watch) = watched.remove(&row.namespace) {
                                watch.abort();
                            }
                        }
                        _ => {}
                    }
                }
            }
            Err(fault) => tracing::warn!(%fault, "consents not published; tried again"),
        }
        tokio::time::sleep(EVERY).await;
    }
}
