//! Workloads as stories need them: pods that a Deployment makes and a budget keeps, and Revocations of what turned up late.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use rollcall::api::Revocation;
use rollcall::api::condition::Reason;
use rollcall::api::revocation::{Phase, RevocationStatus};
use serde_json::{Value, json};

use super::installation::Installation;
use super::objects::object;
use super::waiting::eventually;

/// Something in a target that makes objects of this kind.
pub async fn make<K>(rollcall: &Installation, target: &str, made: Value)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(rollcall.admin.clone(), &rollcall.target(target));
    api.create(&PostParams::default(), &object(made)).await.unwrap();
}

/// What a pod is made of that runs as this account.
pub fn pod_spec(account: &str) -> Value {
    json!({"serviceAccountName": account, "restartPolicy": "Always", "containers": [{"name": "main", "image": "example.com/app:1"}]})
}

/// A Deployment `name` of two pods that run as this account, and a budget for it.
pub async fn deployment(rollcall: &Installation, target: &str, name: &str, account: &str, available: u32) {
    let labels = json!({"app": name});
    let template = json!({"metadata": {"labels": labels}, "spec": pod_spec(account)});
    let spec = json!({"replicas": 2, "selector": {"matchLabels": labels}, "template": template});
    make::<Deployment>(rollcall, target, json!({"metadata": {"name": name}, "spec": spec})).await;
    let budget = json!({"minAvailable": available, "selector": {"matchLabels": labels}});
    make::<PodDisruptionBudget>(rollcall, target, json!({"metadata": {"name": name}, "spec": budget})).await;
}

/// Waits until so many pods are ready, and the budgets know it; gives the uid of each.
pub async fn ready(rollcall: &Installation, target: &str, number: usize) -> BTreeMap<String, String> {
    let namespace = rollcall.target(target);
    let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), &namespace);
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(rollcall.admin.clone(), &namespace);
    eventually("the pods are ready", || async {
        let all = pods.list(&ListParams::default()).await.unwrap().items;
        let runs = |pod: &&Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
        let ready: BTreeMap<_, _> = all.iter().filter(runs).map(|pod| (pod.name_any(), pod.uid().unwrap())).collect();
        let counted =
            budgets.list(&ListParams::default()).await.unwrap().items.into_iter().all(|budget| {
                budget.status.is_some_and(|status| status.current_healthy == 2 && status.expected_pods == 2)
            });
        (ready.len() == number && all.len() == number && counted).then_some(ready)
    })
    .await
}

/// The Revocation of a person of what turned up late, whose name has this part, once it waits for an approval.
pub async fn late(rollcall: &Installation, id: &str, part: &str) -> Revocation {
    eventually(&format!("the Revocation {part} waits"), || async {
        let all = rollcall.revocations(id).await;
        let late = all.into_iter().find(|one| one.name_any().contains(part))?;
        let status = late.status.as_ref()?;
        let shown = status.plan.as_ref().is_some_and(|plan| !plan.targets.is_empty());
        (shown && status.gate.as_ref()?.reason == Reason::Late.as_str()).then_some(late)
    })
    .await
}

/// What a Revocation says once it is in this phase.
pub async fn reaches(rollcall: &Installation, name: &str, phase: Phase) -> RevocationStatus {
    let api: Api<Revocation> = rollcall.api();
    eventually(&format!("{name} is {}", phase.as_str()), || async {
        let status = api.get(name).await.unwrap().status?;
        (status.phase == Some(phase)).then_some(status)
    })
    .await
}
