//! The pods that run in a namespace: which Secrets each uses and how, since when it is there, and what makes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Container, Pod as LivePod, PodSpec, Volume, VolumeMount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;
use kube::api::{ListParams, ObjectMeta};

use super::calls::call;
use super::inventory::list_each;
use super::named::Api;
use super::outcome::Fault;
use crate::api::names;
use domain::rotation::adoption::{Maker, Pod, Workload, WorkloadKind};
use domain::waves;

/// Every pod of a namespace that has not finished.
///
/// # Errors
/// When pods or ReplicaSets cannot be listed: then nobody knows who uses what.
pub async fn running(client: &Client, namespace: &str) -> Result<Vec<Pod>, Fault> {
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
    let pods: Api<LivePod> = Api::namespaced(client.clone(), namespace);
    // Pods first: the ReplicaSet of a pod that is listed is there by then.
    let pods = list_each(&pods, &ListParams::default(), Some).await?;
    let deployments = deployments(&sets).await?;
    Ok(pods.into_iter().filter_map(|pod| told(pod, &deployments)).collect())
}

/// The Deployment of each ReplicaSet, by the uid of the set. Metadata is enough.
async fn deployments(sets: &Api<ReplicaSet>) -> Result<HashMap<String, Workload>, Fault> {
    let (mut found, mut params) = (HashMap::new(), ListParams::default().limit(500));
    loop {
        let page = call("list the ReplicaSets", sets.list_metadata(&params)).await?;
        found.extend(page.items.into_iter().filter_map(|set| {
            let workload = workload(controller(&set.metadata)?)?;
            Some((set.metadata.uid?, workload))
        }));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}

fn controller(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

/// What replaces its pods in order, if this is that.
fn workload(owner: &OwnerReference) -> Option<Workload> {
    let kind = match owner.kind.as_str() {
        _ if owner.api_version != "apps/v1" => return None,
        "Deployment" => WorkloadKind::Deployment,
        "StatefulSet" => WorkloadKind::StatefulSet,
        "DaemonSet" => WorkloadKind::DaemonSet,
        _ => return None,
    };
    Some(Workload { kind, name: owner.name.clone(), uid: owner.uid.clone() })
}

/// The pods of a namespace that run as an account, and have not finished.
///
/// # Errors
/// When pods or ReplicaSets cannot be listed.
pub async fn of_account(client: &Client, namespace: &str, account: &str) -> Result<Vec<waves::Pod>, Fault> {
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
    let pods: Api<LivePod> = Api::namespaced(client.clone(), namespace);
    let runs = |pod: LivePod| {
        let spec = pod.spec.as_ref()?;
        let name = spec.service_account_name.as_ref().or(spec.service_account.as_ref());
        (name.is_some_and(|name| name == account) && !has_finished(&pod)).then_some(pod)
    };
    let pods = list_each(&pods, &ListParams::default(), runs).await?;
    let deployments = deployments(&sets).await?;
    Ok(pods.into_iter().filter_map(|pod| replaced(pod, &deployments)).collect())
}

/// The pods of a namespace.
#[derive(Debug, Default)]
pub struct Pods {
    /// Those that have not finished, as a wave looks at them.
    pub running: Vec<waves::Pod>,
    /// Uids of those that have.
    pub finished: BTreeSet<String>,
}

/// Every pod of a namespace.
///
/// # Errors
/// When pods or ReplicaSets cannot be listed.
pub async fn of_namespace(client: &Client, namespace: &str) -> Result<Pods, Fault> {
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
    let pods: Api<LivePod> = Api::namespaced(client.clone(), namespace);
    // Each is made small as it comes: there may be thousands. The ReplicaSet of a pod that is listed is there by then.
    let lean = |pod: LivePod| {
        let LivePod { metadata, status, .. } = pod;
        Some(LivePod { metadata: ObjectMeta { managed_fields: None, ..metadata }, status, spec: None })
    };
    let pods = list_each(&pods, &ListParams::default(), lean).await?;
    let deployments = deployments(&sets).await?;
    let (finished, running): (Vec<LivePod>, Vec<LivePod>) = pods.into_iter().partition(has_finished);
    Ok(Pods {
        running: running.into_iter().filter_map(|pod| replaced(pod, &deployments)).collect(),
        finished: finished.into_iter().filter_map(|pod| pod.metadata.uid).collect(),
    })
}

/// A single pod, as a wave looks at it. Of what a Deployment makes, its ReplicaSet is told.
#[must_use]
pub fn single(pod: LivePod) -> Option<waves::Pod> {
    replaced(pod, &HashMap::new())
}

/// A pod as a wave looks at it.
fn replaced(pod: LivePod, deployments: &HashMap<String, Workload>) -> Option<waves::Pod> {
    let says = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = says.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"));
    Some(waves::Pod {
        maker: maker(&pod.metadata, deployments),
        ready,
        ending: pod.metadata.deletion_timestamp.is_some(),
        break_glass: pod.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(names::BREAK_GLASS)),
        created: pod.metadata.creation_timestamp?.0,
        name: pod.metadata.name?,
        uid: pod.metadata.uid?,
    })
}

/// What makes a pod.
fn maker(meta: &ObjectMeta, deployments: &HashMap<String, Workload>) -> Maker {
    match controller(meta) {
        None => Maker::Nobody,
        Some(owner) => match workload(owner).or_else(|| deployments.get(&owner.uid).cloned()) {
            Some(workload) => Maker::Workload(workload),
            None => Maker::Other(owner.kind.clone(), owner.name.clone()),
        },
    }
}

fn has_finished(pod: &LivePod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// A pod as a plain value; `None` once it has finished, and nothing of it runs.
fn told(pod: LivePod, deployments: &HashMap<String, Workload>) -> Option<Pod> {
    if has_finished(&pod) {
        return None;
    }
    let maker = maker(&pod.metadata, deployments);
    let note = pod.metadata.annotations.as_ref().and_then(|notes| notes.get(names::RELOADS));
    Some(Pod {
        name: pod.metadata.name?,
        created: pod.metadata.creation_timestamp?.0,
        uses: uses(pod.spec?),
        reloads: note.is_some_and(|reloads| reloads == "true"),
        maker,
    })
}

/// The Secrets that a pod uses, and whether it can only ever have the value that it was started with: one in a variable, in a
/// subPath, or in what a storage driver was given when a volume was mounted.
fn uses(spec: PodSpec) -> BTreeMap<String, bool> {
    let mut uses = BTreeMap::new();
    let mut add = |name: String, fixed: bool| *uses.entry(name).or_insert(false) |= fixed;
    spec.image_pull_secrets.into_iter().flatten().for_each(|secret| add(secret.name, true));
    let ephemeral = spec.ephemeral_containers.into_iter().flatten().map(|one| Container {
        env: one.env,
        env_from: one.env_from,
        volume_mounts: one.volume_mounts,
        ..Container::default()
    });
    let mut mounts = Vec::new();
    for container in spec.init_containers.into_iter().flatten().chain(spec.containers).chain(ephemeral) {
        let one = container.env.into_iter().flatten().filter_map(|variable| variable.value_from?.secret_key_ref);
        one.for_each(|key| add(key.name, true));
        let all = container.env_from.into_iter().flatten().filter_map(|source| source.secret_ref);
        all.for_each(|secret| add(secret.name, true));
        mounts.extend(container.volume_mounts.into_iter().flatten());
    }
    for volume in spec.volumes.into_iter().flatten() {
        let part = mounts.iter().any(|mount| mount.name == volume.name && is_part(mount));
        mounted(volume, part, &mut add);
    }
    uses
}

/// Whether one file or folder of a volume is mounted: it does not follow.
fn is_part(mount: &VolumeMount) -> bool {
    mount.sub_path.as_ref().is_some_and(|path| !path.is_empty())
        || mount.sub_path_expr.as_ref().is_some_and(|path| !path.is_empty())
}

fn mounted(volume: Volume, part: bool, add: &mut impl FnMut(String, bool)) {
    if let Some(name) = volume.secret.and_then(|secret| secret.secret_name) {
        add(name, part);
    }
    let projected = volume.projected.and_then(|projected| projected.sources).into_iter().flatten();
    projected.filter_map(|source| source.secret).for_each(|secret| add(secret.name, part));
    let drivers = [
        volume.csi.and_then(|driver| driver.node_publish_secret_ref),
        volume.cephfs.and_then(|driver| driver.secret_ref),
        volume.flex_volume.and_then(|driver| driver.secret_ref),
        volume.iscsi.and_then(|driver| driver.secret_ref),
        volume.rbd.and_then(|driver| driver.secret_ref),
        volume.scale_io.map(|driver| driver.secret_ref),
        volume.storageos.and_then(|driver| driver.secret_ref),
    ];
    drivers.into_iter().flatten().for_each(|secret| add(secret.name, true));
    if let Some(share) = volume.azure_file {
        add(share.secret_name, true);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(change: &Value) -> LivePod {
        let mut pod = json!({
            "metadata": {"name": "p", "creationTimestamp": "2026-03-01T00:00:00Z"},
            "spec": {"containers": [{"name": "c"}]},
        });
        crate::api::merge(&mut pod, change);
        serde_json::from_value(pod).unwrap()
    }

    #[test]
    fn every_way_to_use_a_secret_is_found_and_which_of_them_follow() {
        let variable = json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "k"}}}]);
        let all = json!([{"secretRef": {"name": "db"}}]);
        let secret = json!([{"name": "v", "secret": {"secretName": "db"}}]);
        let projected = json!([{"name": "v", "projected": {"sources": [{"secret": {"name": "db"}}]}}]);
        let container = |with: &str, what: &Value| json!([{"name": "c", with: what}]);
        let part = container("volumeMounts", &json!([{"name": "v", "mountPath": "/x", "subPath": "a"}]));
        let driver = json!([{"name": "v", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "db"}}}]);
        for (what, spec, fixed) in [
            ("a variable", json!({"containers": container("env", &variable)}), true),
            ("all of it in variables", json!({"containers": container("envFrom", &all)}), true),
            ("of an init container", json!({"initContainers": container("env", &variable)}), true),
            ("of an ephemeral container", json!({"ephemeralContainers": container("envFrom", &all)}), true),
            ("a volume", json!({"volumes": secret}), false),
            ("a projected volume", json!({"volumes": projected}), false),
            ("one file of a volume", json!({"volumes": secret, "containers": part}), true),
            ("one file of a projected volume", json!({"volumes": projected, "containers": part}), true),
            ("a storage driver", json!({"volumes": driver}), true),
            ("to pull an image", json!({"imagePullSecrets": [{"name": "db"}]}), true),
        ] {
            let told = told(pod(&json!({"spec": spec})), &HashMap::new()).unwrap();
            assert_eq!(told.uses, BTreeMap::from([("db".to_owned(), fixed)]), "{what}");
        }
        assert!(told(pod(&json!({})), &HashMap::new()).unwrap().uses.is_empty());
    }

    #[test]
    fn what_makes_a_pod_is_what_would_be_restarted() {
        let web = Workload { kind: WorkloadKind::Deployment, name: "web".into(), uid: "w".into() };
        let sets = HashMap::from([("set".to_owned(), web.clone())]);
        let owner = |version: &str, kind: &str, uid: &str, controller: bool| json!([{"apiVersion": version, "kind": kind, "name": "web", "uid": uid, "controller": controller}]);
        let stateful = Workload { kind: WorkloadKind::StatefulSet, ..web.clone() };
        let other = |kind: &str| Maker::Other(kind.into(), "web".into());
        for (what, owners, expected) in [
            ("nobody", json!([]), Maker::Nobody),
            ("a Deployment", owner("apps/v1", "ReplicaSet", "set", true), Maker::Workload(web)),
            ("a ReplicaSet alone", owner("apps/v1", "ReplicaSet", "alone", true), other("ReplicaSet")),
            ("a StatefulSet", owner("apps/v1", "StatefulSet", "w", true), Maker::Workload(stateful)),
            ("a Job", owner("batch/v1", "Job", "j", true), other("Job")),
            (
                "a kind of that name of another group",
                owner("example.com/v1", "StatefulSet", "w", true),
                other("StatefulSet"),
            ),
            ("an owner that does not control it", owner("apps/v1", "StatefulSet", "w", false), Maker::Nobody),
        ] {
            let told = told(pod(&json!({"metadata": {"ownerReferences": owners}})), &sets).unwrap();
            assert_eq!(told.maker, expected, "{what}");
        }
    }

    #[test]
    fn what_has_finished_holds_nothing_and_one_that_is_ending_still_does() {
        for (what, change, expected) in [
            ("running", json!({"status": {"phase": "Running"}}), true),
            ("not seen by a node yet", json!({}), true),
            ("done", json!({"status": {"phase": "Succeeded"}}), false),
            ("failed", json!({"status": {"phase": "Failed"}}), false),
            ("ending", json!({"metadata": {"deletionTimestamp": "2026-03-01T00:00:00Z"}}), true),
        ] {
            assert_eq!(told(pod(&change), &HashMap::new()).is_some(), expected, "{what}");
        }
        let says = |word: &str| {
            let note = json!({"metadata": {"annotations": {names::RELOADS: word}}});
            told(pod(&note), &HashMap::new()).unwrap().reloads
        };
        assert_eq!((says("true"), says("yes")), (true, false));
    }
}
