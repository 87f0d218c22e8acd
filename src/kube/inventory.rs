//! What the cluster holds, as plain values: marked accounts, bindings, and who runs as an account.

use std::collections::{BTreeMap, BTreeSet};

use crate::kube::named::Api;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{Pod, PodSpec, ReplicationController};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, Subject as RbacSubject};
use kube::api::{ListParams, ObjectMeta};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use super::calls::call;
use super::outcome::Fault;
use crate::api::names;
use domain::plan::{Account, Binding, Kind, Subject};

/// The marked account that this metadata describes; `None` without a mark.
#[must_use]
pub fn account(meta: &ObjectMeta) -> Option<Account> {
    let annotations = meta.annotations.as_ref()?;
    Some(Account {
        namespace: meta.namespace.clone()?,
        name: meta.name.clone()?,
        uid: meta.uid.clone()?,
        mark: annotations.get(names::OWNER)?.clone(),
        purpose: annotations.get(names::PURPOSE).cloned(),
        break_glass: break_glass(meta),
    })
}

/// A RoleBinding as a plain value.
#[must_use]
pub fn role_binding(binding: &RoleBinding) -> Option<Binding> {
    bound(Kind::RoleBinding, &binding.metadata, binding.subjects.as_deref())
}

/// A ClusterRoleBinding as a plain value.
#[must_use]
pub fn cluster_role_binding(binding: &ClusterRoleBinding) -> Option<Binding> {
    bound(Kind::ClusterRoleBinding, &binding.metadata, binding.subjects.as_deref())
}

fn bound(kind: Kind, meta: &ObjectMeta, subjects: Option<&[RbacSubject]>) -> Option<Binding> {
    Some(Binding {
        kind,
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone()?,
        uid: meta.uid.clone()?,
        subjects: subjects.unwrap_or_default().iter().map(|s| subject(s, meta.namespace.as_deref())).collect(),
        break_glass: break_glass(meta),
    })
}

/// A subject; the user name that stands for an account is that account.
fn subject(subject: &RbacSubject, namespace: Option<&str>) -> Subject {
    match subject.kind.as_str() {
        "User" => match subject.name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
            Some((namespace, name)) => Subject::Account { namespace: namespace.to_owned(), name: name.to_owned() },
            None => Subject::User(subject.name.clone()),
        },
        "ServiceAccount" => Subject::Account {
            namespace: subject.namespace.as_deref().or(namespace).unwrap_or_default().to_owned(),
            name: subject.name.clone(),
        },
        _ => Subject::Other,
    }
}

fn break_glass(meta: &ObjectMeta) -> bool {
    meta.labels.as_ref().is_some_and(|labels| labels.contains_key(names::BREAK_GLASS))
}

/// Names of the accounts that anything in this namespace runs as, or would: pods of any phase, since a finished pod's
/// token still works, and the templates of everything that makes pods. Read live.
///
/// # Errors
/// When any of the lists cannot be read: then nobody knows, and nothing counts as personal.
pub async fn consumers(client: &Client, namespace: &str) -> Result<BTreeSet<String>, Fault> {
    let (pods, deployments, replica_sets, stateful_sets, daemon_sets, jobs, cron_jobs, controllers) = futures::try_join!(
        specs::<Pod>(client, namespace, |pod| pod.spec),
        specs::<Deployment>(client, namespace, |o| o.spec.and_then(|s| s.template.spec)),
        specs::<ReplicaSet>(client, namespace, |o| o.spec.and_then(|s| s.template).and_then(|t| t.spec)),
        specs::<StatefulSet>(client, namespace, |o| o.spec.and_then(|s| s.template.spec)),
        specs::<DaemonSet>(client, namespace, |o| o.spec.and_then(|s| s.template.spec)),
        specs::<Job>(client, namespace, |o| o.spec.and_then(|s| s.template.spec)),
        specs::<CronJob>(client, namespace, |o| {
            o.spec.and_then(|s| s.job_template.spec).and_then(|job| job.template.spec)
        }),
        specs::<ReplicationController>(client, namespace, |o| o.spec.and_then(|s| s.template).and_then(|t| t.spec)),
    )?;
    let all = [pods, deployments, replica_sets, stateful_sets, daemon_sets, jobs, cron_jobs, controllers].concat();
    Ok(all
        .into_iter()
        .filter_map(|spec| spec.service_account_name.or(spec.service_account))
        .filter(|name| !name.is_empty())
        .collect())
}

/// Consumers of several namespaces; one that may not be read is left out, which means nobody knows.
///
/// # Errors
/// When the API server did not answer: then it has to be asked again, and nothing follows from it.
pub async fn consumers_of(
    client: &Client,
    namespaces: BTreeSet<String>,
) -> Result<BTreeMap<String, BTreeSet<String>>, Fault> {
    let reads = namespaces.into_iter().map(|namespace| async move {
        match consumers(client, &namespace).await {
            Ok(names) => Ok(Some((namespace, names))),
            Err(fault) if fault.is_forbidden() => Ok(None),
            Err(fault) => Err(fault),
        }
    });
    Ok(futures::future::try_join_all(reads).await?.into_iter().flatten().collect())
}

/// The pod specs of one kind in a namespace, page by page.
async fn specs<K>(client: &Client, namespace: &str, spec: impl Fn(K) -> Option<PodSpec>) -> Result<Vec<PodSpec>, Fault>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    list_each(&api, &ListParams::default(), spec).await
}

/// Everything a list holds, page by page, each item mapped as it comes so that no page outlives its reading.
///
/// # Errors
/// Any failure of a page.
pub async fn list_each<K, T>(api: &Api<K>, params: &ListParams, map: impl Fn(K) -> Option<T>) -> Result<Vec<T>, Fault>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut items = Vec::new();
    let mut params = params.clone().limit(500);
    loop {
        let page = call("list", api.list(&params)).await?;
        items.extend(page.items.into_iter().filter_map(&map));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(items),
        }
    }
}
