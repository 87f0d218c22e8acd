//! Restarts a workload as `kubectl rollout restart` does: by an annotation of its pod template, and nothing else.

use jiff::Timestamp;
use kube::Client;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};

use crate::api::names;
use crate::kube::calls::{self, call};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::revoke::Context;
use domain::rotation::adoption::{Adoption, Workload, WorkloadKind};

/// The annotation that `kubectl rollout restart` sets.
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// What became of a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// It has begun, or had before.
    Begun,
    /// It is not to be, or may not be, restarted.
    Refused,
}

fn api(client: &Client, namespace: &str, workload: &Workload) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("apps", "v1", workload.kind.as_str());
    let resource = ApiResource::from_gvk_with_plural(&kind, workload.kind.plural());
    Api::namespaced_with(client.clone(), namespace, &resource)
}

/// Restarts a workload, unless that was done since the new value was written.
///
/// # Flow          read it; one patch of one annotation, with its uid
/// # Guarantees    a workload of another uid, or with the break-glass label, is not touched; run twice is run once
/// # Errors        transient: tried again. A policy's or RBAC's no is an answer, and told in the log
pub async fn restart(
    ctx: &Context,
    namespace: &str,
    workload: &Workload,
    written: Timestamp,
) -> Result<Restart, Fault> {
    let api = api(&ctx.client, namespace, workload);
    let live = match call("read a workload", api.get_opt(&workload.name)).await {
        Ok(Some(live)) => live,
        Ok(None) => return Ok(Restart::Refused),
        Err(fault) if fault.is_forbidden() => return Ok(Restart::Refused),
        Err(fault) => return Err(fault),
    };
    let glass = live.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(names::BREAK_GLASS));
    if live.metadata.uid.as_ref() != Some(&workload.uid) || glass {
        return Ok(Restart::Refused);
    }
    if restarted(&live).is_some_and(|at| at.as_second() > written.as_second()) {
        return Ok(Restart::Begun);
    }
    let note = json!({RESTARTED: format!("{:.0}", calls::now())});
    let patch = json!({
        "metadata": {"uid": workload.uid},
        "spec": {"template": {"metadata": {"annotations": note}}},
    });
    let manager = PatchParams { field_manager: Some("rollcall-revoke".to_owned()), ..PatchParams::default() };
    match call("restart a workload", api.patch(&workload.name, &manager, &Patch::Merge(&patch))).await {
        Ok(_) => {
            tracing::info!(kind = workload.kind.as_str(), namespace, name = workload.name, "restarted");
            Ok(Restart::Begun)
        }
        Err(fault) if fault.is_refusal() || fault.is_not_found() => {
            // The API server's own words name objects and rules, and nothing that was sent.
            let said = fault.server_message().unwrap_or_default();
            tracing::warn!(kind = workload.kind.as_str(), namespace, name = workload.name, said, "not restarted");
            Ok(Restart::Refused)
        }
        Err(fault) => Err(fault),
    }
}

fn restarted(live: &DynamicObject) -> Option<Timestamp> {
    let notes = live.data.pointer("/spec/template/metadata/annotations")?;
    notes.get(RESTARTED)?.as_str()?.parse().ok()
}

/// Whether the restart of a workload is over: none of its pods has the old value, and as many as it wants are ready.
pub async fn is_over(ctx: &Context, namespace: &str, workload: &Workload, adoption: &Adoption) -> bool {
    if adoption.restartable().any(|stale| stale == workload) {
        return false;
    }
    let live = call("look at a workload", api(&ctx.client, namespace, workload).get_opt(&workload.name)).await;
    match live {
        Ok(Some(live)) => is_rolled_out(workload.kind, live.metadata.generation, &live.data),
        Ok(None) => true,
        Err(_) => false, // looked at again
    }
}

fn is_rolled_out(kind: WorkloadKind, generation: Option<i64>, object: &Value) -> bool {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or_default();
    let wanted = match kind {
        WorkloadKind::DaemonSet => number("/status/desiredNumberScheduled"),
        _ => object.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1),
    };
    let all = match kind {
        WorkloadKind::Deployment => ["/status/updatedReplicas", "/status/replicas", "/status/availableReplicas"],
        WorkloadKind::StatefulSet => ["/status/updatedReplicas", "/status/replicas", "/status/readyReplicas"],
        WorkloadKind::DaemonSet => {
            ["/status/updatedNumberScheduled", "/status/currentNumberScheduled", "/status/numberAvailable"]
        }
    };
    number("/status/observedGeneration") >= generation.unwrap_or_default()
        && all.iter().all(|field| number(field) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_over_once_all_that_is_wanted_is_new_and_ready() {
        let deployment = |observed: i64, updated: i64, all: i64, available: i64| {
            json!({"spec": {"replicas": 2}, "status": {"observedGeneration": observed, "updatedReplicas": updated,
                   "replicas": all, "availableReplicas": available}})
        };
        for (what, object, expected) in [
            ("not seen by its controller yet", deployment(1, 2, 2, 2), false),
            ("one of two is new", deployment(2, 1, 2, 2), false),
            ("an old one is still there", deployment(2, 2, 3, 2), false),
            ("a new one is not ready", deployment(2, 2, 2, 1), false),
            ("all are new and ready", deployment(2, 2, 2, 2), true),
        ] {
            assert_eq!(is_rolled_out(WorkloadKind::Deployment, Some(2), &object), expected, "{what}");
        }
        let daemons = json!({"status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 3,
            "updatedNumberScheduled": 3, "numberAvailable": 3}});
        assert!(is_rolled_out(WorkloadKind::DaemonSet, None, &daemons));
        let none = json!({"spec": {"replicas": 0}, "status": {}});
        assert!(is_rolled_out(WorkloadKind::StatefulSet, None, &none));
    }
}
