//! What the cluster holds, as plain values: annotated accounts, bindings, and who runs as an account.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::kube::named::Api;
use jiff::Timestamp;
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
use domain::handover::Nominated;
use domain::plan::{Account, Binding, Kind, Subject};

/// The annotated account that this metadata describes; `None` without an owner annotation.
#[must_use]
pub fn account(meta: &ObjectMeta) -> Option<Account> {
    let annotations = meta.annotations.as_ref()?;
    Some(Account {
        namespace: meta.namespace.clone()?,
        name: meta.name.clone()?,
        uid: meta.uid.clone()?,
        owner: annotations.get(names::OWNER)?.clone(),
        next: nominated(annotations),
        purpose: annotations.get(names::PURPOSE).cloned(),
        break_glass: break_glass(meta),
    })
}

/// Who comes next for what has these annotations.
#[must_use]
pub fn nominated(annotations: &BTreeMap<String, String>) -> Nominated {
    Nominated { backup: annotations.get(names::BACKUP_OWNER).cloned(), team: annotations.get(names::TEAM).cloned() }
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

/// Since when an object says whose it is: it was made then, or what is at `path` (`f:subjects`, …) was last changed then,
/// whichever is later. `None` if the object does not say.
#[must_use]
pub fn since(meta: &ObjectMeta, path: &[&str]) -> Option<Timestamp> {
    meta.creation_timestamp.as_ref().map(|time| time.0).into_iter().chain(written_at(meta, path)).max()
}

/// When what is at `path` was last written, or something else by the same field manager, as the object's own managedFields say.
#[must_use]
pub fn written_at(meta: &ObjectMeta, path: &[&str]) -> Option<Timestamp> {
    let holds = |fields: &serde_json::Value| path.iter().try_fold(fields, |fields, step| fields.get(*step)).is_some();
    let written = meta.managed_fields.iter().flatten().filter_map(|entry| {
        entry.fields_v1.as_ref().filter(|fields| holds(&fields.0))?;
        Some(entry.time.as_ref()?.0)
    });
    written.max()
}

/// The field manager that last wrote what is at `path`, as the object's own managedFields say; at most as long as one can be.
#[must_use]
pub fn written_by(meta: &ObjectMeta, path: &[&str]) -> Option<String> {
    let holds = |fields: &serde_json::Value| path.iter().try_fold(fields, |fields, step| fields.get(*step)).is_some();
    let wrote = meta
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.fields_v1.as_ref().is_some_and(|fields| holds(&fields.0)));
    let newest = wrote.max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    newest.manager.as_ref().map(|manager| manager.chars().take(128).collect())
}

/// The field manager that made an object, as its own managedFields say: the first that wrote any of it and is still there.
#[must_use]
pub fn made_by(meta: &ObjectMeta) -> Option<String> {
    let first = meta.managed_fields.iter().flatten().min_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    first.manager.as_ref().map(|manager| manager.chars().take(128).collect())
}

/// Where the managedFields of a ServiceAccount have its owner annotation.
pub const OWNER_FIELD: [&str; 3] = ["f:metadata", "f:annotations", "f:rollcall.dev/owner"];
/// Where the managedFields of a binding have its subjects.
pub const SUBJECTS_FIELD: [&str; 1] = ["f:subjects"];

/// What runs in a namespace, or would: reduced to the accounts it runs as and the Secrets it uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workloads {
    /// Accounts that pods run as.
    pub accounts: BTreeSet<String>,
    /// Secrets that pods mount or read into their environment.
    pub secrets: BTreeSet<String>,
}

impl Workloads {
    /// Takes in what one pod or pod template uses.
    fn add(&mut self, spec: PodSpec) {
        let account = spec.service_account_name.or(spec.service_account);
        self.accounts.extend(account.filter(|name| !name.is_empty()));
        for volume in spec.volumes.into_iter().flatten() {
            self.secrets.extend(volume.secret.and_then(|secret| secret.secret_name));
            let projected = volume.projected.and_then(|projected| projected.sources).into_iter().flatten();
            self.secrets.extend(projected.filter_map(|source| Some(source.secret?.name)));
        }
        let first = spec.init_containers.into_iter().flatten().chain(spec.containers);
        let later =
            spec.ephemeral_containers.into_iter().flatten().map(|container| (container.env, container.env_from));
        for (env, from) in first.map(|container| (container.env, container.env_from)).chain(later) {
            let one = env.into_iter().flatten().filter_map(|variable| variable.value_from?.secret_key_ref);
            self.secrets.extend(one.map(|key| key.name));
            self.secrets.extend(from.into_iter().flatten().filter_map(|source| Some(source.secret_ref?.name)));
        }
    }

    /// Names of the accounts that anything uses: runs as, or holds a token Secret of. `token_of` knows whose token a
    /// Secret is; without it a name such as `ci-token-x7k2p` tells, which Kubernetes gives to those it makes itself.
    pub fn consumers(&self, token_of: impl Fn(&str) -> Option<String>) -> BTreeSet<String> {
        let named = |secret: &String| {
            let ends = secret.match_indices("-token").filter_map(|(end, _)| secret.get(..end)).map(str::to_owned);
            ends.filter(|name| !name.is_empty()).collect::<Vec<_>>()
        };
        let tokens = self.secrets.iter().flat_map(|secret| token_of(secret).into_iter().chain(named(secret)));
        self.accounts.iter().cloned().chain(tokens).collect()
    }
}

/// A pod, or what makes pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its kind.
    pub kind: Cow<'static, str>,
    /// Its name.
    pub name: String,
    /// Whether another object made it, such as a Deployment its ReplicaSet.
    pub controlled: bool,
    /// What it uses.
    pub uses: Workloads,
}

/// What runs in this namespace, or would: pods of any phase, since a finished pod's token still works, and the templates
/// of everything that makes pods. Read live.
///
/// # Errors
/// When any of the lists cannot be read: then nobody knows, and nothing counts as personal.
pub async fn workloads(client: &Client, namespace: &str) -> Result<Workloads, Fault> {
    Ok(each_workload(client, namespace).await?.into_iter().fold(Workloads::default(), |mut all, one| {
        all.accounts.extend(one.uses.accounts);
        all.secrets.extend(one.uses.secrets);
        all
    }))
}

/// The same, object by object.
///
/// # Errors
/// When any of the lists cannot be read.
pub async fn each_workload(client: &Client, namespace: &str) -> Result<Vec<Workload>, Fault> {
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
    let all = [pods, deployments, replica_sets, stateful_sets, daemon_sets, jobs, cron_jobs, controllers];
    Ok(all.into_iter().flatten().collect())
}

/// The pods of a namespace, of any phase.
///
/// # Errors
/// When they cannot be listed.
pub async fn pods(client: &Client, namespace: &str) -> Result<Vec<Workload>, Fault> {
    specs::<Pod>(client, namespace, |pod| pod.spec).await
}

/// Names of the accounts that anything in this namespace uses.
///
/// # Errors
/// When any of the lists cannot be read.
pub async fn consumers(client: &Client, namespace: &str) -> Result<BTreeSet<String>, Fault> {
    Ok(workloads(client, namespace).await?.consumers(|_| None))
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

/// What the objects of one kind in a namespace use, page by page.
async fn specs<K>(client: &Client, namespace: &str, spec: impl Fn(K) -> Option<PodSpec>) -> Result<Vec<Workload>, Fault>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    list_each(&api, &ListParams::default(), |object| {
        let meta = object.meta();
        let object_name = meta.name.clone().unwrap_or_default();
        let controlled = meta.owner_references.iter().flatten().any(|owner| owner.controller == Some(true));
        let mut uses = Workloads::default();
        uses.add(spec(object)?);
        Some(Workload { kind: K::kind(&()), name: object_name, controlled, uses })
    })
    .await
}

/// Everything a list holds, page by page, each item mapped as it comes so that no page outlives its reading.
///
/// # Errors
/// Any failure of a page.
pub async fn list_each<K, T>(api: &Api<K>, params: &ListParams, map: impl Fn(K) -> Option<T>) -> Result<Vec<T>, Fault>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    Ok(list_at(api, params, map).await?.0)
}

/// The same, with the version of the list: a watch from there misses nothing.
///
/// # Errors
/// Any failure of a page.
pub async fn list_at<K, T>(
    api: &Api<K>,
    params: &ListParams,
    map: impl Fn(K) -> Option<T>,
) -> Result<(Vec<T>, Option<String>), Fault>
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
            None => return Ok((items, page.metadata.resource_version)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workloads(pod: serde_json::Value) -> Workloads {
        let mut used = Workloads::default();
        used.add(serde_json::from_value(pod).unwrap());
        used
    }

    #[test]
    fn a_pod_uses_its_account_and_every_account_whose_token_it_holds() {
        let token_of = |secret: &str| (secret == "hand-made").then(|| "ada".to_owned());
        let with = |more: serde_json::Value| {
            let mut pod = json!({"containers": [{"name": "c"}], "serviceAccountName": "web"});
            pod.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            workloads(pod).consumers(token_of).into_iter().collect::<Vec<_>>()
        };
        let env =
            |from: serde_json::Value| json!({"containers": [{"name": "c", "env": [{"name": "T", "valueFrom": from}]}]});
        let cases = [
            ("nothing more", json!({}), vec!["web"]),
            (
                "a Secret of a password",
                json!({"volumes": [{"name": "v", "secret": {"secretName": "db"}}]}),
                vec!["web"],
            ),
            (
                "a mounted token",
                json!({"volumes": [{"name": "v", "secret": {"secretName": "hand-made"}}]}),
                vec!["ada", "web"],
            ),
            (
                "a projected token",
                json!({"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "hand-made"}}]}}]}),
                vec!["ada", "web"],
            ),
            (
                "a token in the environment",
                env(json!({"secretKeyRef": {"name": "hand-made", "key": "token"}})),
                vec!["ada", "web"],
            ),
            (
                "all keys in the environment",
                json!({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "hand-made"}}]}]}),
                vec!["ada", "web"],
            ),
            (
                "a token by its name",
                json!({"volumes": [{"name": "v", "secret": {"secretName": "ci-token-x7k2p"}}]}),
                vec!["ci", "web"],
            ),
        ];
        for (what, more, expected) in cases {
            assert_eq!(with(more), expected, "{what}");
        }
    }

    #[test]
    fn an_object_says_whose_it_is_since_it_was_made_or_last_annotated() {
        let meta = |fields: serde_json::Value| -> ObjectMeta {
            serde_json::from_value(json!({
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "managedFields": [{"manager": "kubectl", "time": "2026-03-01T00:00:00Z", "fieldsV1": fields}],
            }))
            .unwrap()
        };
        let mark = json!({"f:metadata": {"f:annotations": {".": {}, "f:rollcall.dev/owner": {}}}});
        let other = json!({"f:metadata": {"f:annotations": {".": {}, "f:team": {}}}});
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(since(&meta(mark), &OWNER_FIELD), at("2026-03-01T00:00:00Z"));
        assert_eq!(since(&meta(other), &OWNER_FIELD), at("2026-01-01T00:00:00Z"));
        assert_eq!(since(&ObjectMeta::default(), &OWNER_FIELD), None);
    }

    #[test]
    fn who_wrote_the_subjects_last_is_said_by_the_binding_itself() {
        let entry = |manager: &str, minute: u32, fields: serde_json::Value| {
            json!({"manager": manager, "operation": "Update", "apiVersion": "rbac.authorization.k8s.io/v1",
                "time": format!("2026-03-01T00:{minute:02}:00Z"), "fieldsType": "FieldsV1", "fieldsV1": fields})
        };
        let subjects = || json!({"f:subjects": {}});
        let labels = json!({"f:metadata": {"f:labels": {}}});
        for (what, entries, expected) in [
            (
                "the newest of two",
                json!([entry("helm", 1, subjects()), entry("argocd-controller", 5, subjects())]),
                Some("argocd-controller"),
            ),
            ("not who wrote a label", json!([entry("helm", 1, subjects()), entry("kubectl", 5, labels)]), Some("helm")),
            ("nobody says", json!([]), None),
        ] {
            let meta: ObjectMeta = serde_json::from_value(json!({"managedFields": entries})).unwrap();
            assert_eq!(written_by(&meta, &SUBJECTS_FIELD).as_deref(), expected, "{what}");
        }
        let entries = json!([entry("kubelet", 5, json!({})), entry("kustomize-controller", 1, json!({}))]);
        let meta: ObjectMeta = serde_json::from_value(json!({"managedFields": entries})).unwrap();
        assert_eq!(made_by(&meta).as_deref(), Some("kustomize-controller"), "the first of all made it");
    }
}
