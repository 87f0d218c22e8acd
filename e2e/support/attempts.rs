//! Attempts: who tries what on which resource, as a rehearsal, and which layer says no.

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
    Preconditions,
};
use rollcall::api::Person;
use serde_json::{Value, json};

use super::chart;
use super::installation::Installation;
use super::objects::object;
use super::waiting::eventually;

/// What is tried.
pub enum Try<'a> {
    Create(Value),
    Patch(&'a str, Value),
    Status(&'a str, Value),
    Delete(&'a str),
    /// The same, by the uid that it has.
    DeleteByUid(&'a str),
}
use Try::{Create, Delete, DeleteByUid, Patch as Change, Status};

/// A resource, by group, version, kind and plural.
pub type Resource = (&'static str, &'static str, &'static str, &'static str);
pub const CONFIG_MAPS: Resource = ("", "v1", "ConfigMap", "configmaps");
pub const SECRETS: Resource = ("", "v1", "Secret", "secrets");
pub const SERVICES: Resource = ("", "v1", "Service", "services");
pub const PODS: Resource = ("", "v1", "Pod", "pods");
pub const ACCOUNTS: Resource = ("", "v1", "ServiceAccount", "serviceaccounts");
pub const DEPLOYMENTS: Resource = ("apps", "v1", "Deployment", "deployments");
pub const JOBS: Resource = ("batch", "v1", "Job", "jobs");
pub const CRON_JOBS: Resource = ("batch", "v1", "CronJob", "cronjobs");
pub const LEASES: Resource = ("coordination.k8s.io", "v1", "Lease", "leases");
pub const ROLES: Resource = ("rbac.authorization.k8s.io", "v1", "Role", "roles");
pub const BINDINGS: Resource = ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings");
pub const PEOPLE: Resource = ("rollcall.dev", "v1alpha1", "Person", "people");
pub const CONNECTIONS: Resource = ("rollcall.dev", "v1alpha1", "HRConnection", "hrconnections");
pub const FROZEN: Resource = ("rollcall.dev", "v1alpha1", "FrozenNames", "frozennames");
pub const TRIMMABLE: Resource = ("rollcall.dev", "v1alpha1", "TrimmableSubjects", "trimmablesubjects");
pub const RECREATABLE: Resource = ("rollcall.dev", "v1alpha1", "RecreatableAccounts", "recreatableaccounts");
pub const HOOK_TEMPLATES: Resource = ("rollcall.dev", "v1alpha1", "HookTemplates", "hooktemplates");
pub const RESOURCES: Resource = ("rollcall.dev", "v1alpha1", "ScimResource", "scimresources");
pub const HINTS: Resource = ("rollcall.dev", "v1alpha1", "ReadHint", "readhints");
pub const REVOCATIONS: Resource = ("rollcall.dev", "v1alpha1", "Revocation", "revocations");

/// Binds a ClusterRole of the chart, one that may list Persons, to a user in Rollcall's namespace; waits until that is known.
pub async fn bind_role(rollcall: &Installation, user: &str, role: &str) {
    let group = "rbac.authorization.k8s.io";
    let binding: RoleBinding = object(json!({
        "metadata": {"generateName": format!("{role}-")},
        "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": format!("{}-{role}", rollcall.release)},
    }));
    rollcall.api::<RoleBinding>().create(&PostParams::default(), &binding).await.unwrap();
    eventually("the role is bound", || async {
        let client = rollcall.cluster.acting_as(user, &["system:authenticated"]).await;
        let people: Api<Person> = Api::namespaced(client, &rollcall.namespace);
        people.list_metadata(&ListParams::default().limit(1)).await.ok()
    })
    .await;
}

/// Gives users every right there is: from a moment later on, policies alone decide what they may do.
pub async fn every_right(rollcall: &Installation, users: &[String]) {
    let group = "rbac.authorization.k8s.io";
    let subjects: Vec<_> = users.iter().map(|user| json!({"kind": "User", "name": user, "apiGroup": group})).collect();
    let everything: ClusterRoleBinding = object(json!({
        "metadata": {"name": format!("{}-careless", rollcall.release)}, "subjects": subjects,
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
    }));
    Api::all(rollcall.admin.clone()).create(&PostParams::default(), &everything).await.unwrap();
}

/// Tries it as a rehearsal, and names the layer that refused: `policy`, `rbac`, `schema`, or `none`.
pub async fn attempt(
    rollcall: &Installation,
    who: &str,
    namespace: &str,
    what: Resource,
    tried: &Try<'_>,
) -> (String, String) {
    let client = match who {
        "sync" | "control" | "revoke" | "grant" | "trim" | "scim" | "tell" => {
            rollcall.cluster.acting_as(&rollcall.identity(who), &["system:authenticated"]).await
        }
        "admin" => rollcall.cluster.acting_as("ada", &["system:masters", "system:authenticated"]).await,
        "garbage collector" => {
            let name = "system:serviceaccount:kube-system:generic-garbage-collector";
            rollcall.cluster.acting_as(name, &["system:authenticated"]).await
        }
        user => rollcall.cluster.acting_as(user, &["system:authenticated"]).await,
    };
    let (group, version, kind, plural) = what;
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &resource);
    let deleting = DeleteParams { dry_run: true, ..DeleteParams::default() };
    let patching = PatchParams { dry_run: true, ..PatchParams::default() };
    let answer = match tried {
        Create(body) => {
            let mut body = body.clone();
            body["apiVersion"] = json!(if group.is_empty() { version.into() } else { format!("{group}/{version}") });
            body["kind"] = json!(kind);
            api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object(body)).await.map(drop)
        }
        Change(name, patch) => api.patch(name, &patching, &Patch::Merge(patch)).await.map(drop),
        Status(name, status) => {
            api.patch_status(name, &patching, &Patch::Merge(json!({"status": status}))).await.map(drop)
        }
        Delete(name) => api.delete(name, &deleting).await.map(drop),
        DeleteByUid(name) => {
            let all: Api<DynamicObject> = Api::namespaced_with(rollcall.admin.clone(), namespace, &resource);
            let preconditions =
                Preconditions { uid: all.get(name).await.unwrap().metadata.uid, resource_version: None };
            api.delete(name, &DeleteParams { preconditions: Some(preconditions), ..deleting }).await.map(drop)
        }
    };
    match answer {
        Ok(()) => ("none".into(), String::new()),
        Err(error) if chart::refused_by_policy(&error) => ("policy".into(), error.to_string()),
        Err(kube::Error::Api(status)) if status.code == 403 => ("rbac".into(), status.message.clone()),
        Err(kube::Error::Api(status)) if status.code == 422 => ("schema".into(), status.message.clone()),
        Err(other) => (other.to_string(), String::new()),
    }
}

/// Tries every row in one namespace.
pub async fn each(rollcall: &Installation, namespace: &str, rows: Vec<(&str, &str, Resource, Try<'_>, &str)>) {
    for (who, what, resource, tried, expected) in rows {
        let (layer, said) = attempt(rollcall, who, namespace, resource, &tried).await;
        assert_eq!(layer, expected, "{who} {what}: {said}");
    }
}
