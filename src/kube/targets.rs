//! The object behind a target of a plan, as raw JSON: a typed object would lose fields it does not know.

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::Client;
use kube::api::{ApiResource, DynamicObject};
use serde_json::Value;

use super::inventory;
use super::named::Api;
use domain::plan::{self, Kind, Target};

/// The API of a target.
#[must_use]
pub fn api(client: &Client, target: &Target) -> Api<DynamicObject> {
    let client = client.clone();
    let rbac = |kind: &str, plural: &str| ApiResource {
        group: "rbac.authorization.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "rbac.authorization.k8s.io/v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    };
    match target.kind {
        // A user name is no object: one of that name is never found.
        Kind::ClusterRoleBinding | Kind::User => {
            Api::all_with(client, &rbac("ClusterRoleBinding", "clusterrolebindings"))
        }
        Kind::RoleBinding => Api::namespaced_with(client, &target.namespace, &rbac("RoleBinding", "rolebindings")),
        Kind::ServiceAccount => {
            let resource = ApiResource::erase::<k8s_openapi::api::core::v1::ServiceAccount>(&());
            Api::namespaced_with(client, &target.namespace, &resource)
        }
        Kind::Pod => {
            let resource = ApiResource::erase::<k8s_openapi::api::core::v1::Pod>(&());
            Api::namespaced_with(client, &target.namespace, &resource)
        }
        // For its metadata alone: see `secrets`.
        Kind::Secret => {
            let resource = ApiResource::erase::<k8s_openapi::api::core::v1::Secret>(&());
            Api::namespaced_with(client, &target.namespace, &resource)
        }
    }
}

/// A binding that was read, as a plain value; `None` of anything else.
#[must_use]
pub fn binding(target: &Target, live: &DynamicObject) -> Option<plan::Binding> {
    let value = serde_json::to_value(live).ok()?;
    match target.kind {
        Kind::ClusterRoleBinding => {
            inventory::cluster_role_binding(&serde_json::from_value::<ClusterRoleBinding>(value).ok()?)
        }
        Kind::RoleBinding => inventory::role_binding(&serde_json::from_value::<RoleBinding>(value).ok()?),
        Kind::ServiceAccount | Kind::User | Kind::Secret | Kind::Pod => None,
    }
}

/// The user name of a subject; `None` of a group or an account.
#[must_use]
pub fn user(subject: &Value) -> Option<&str> {
    let is_user = subject.get("kind").and_then(Value::as_str) == Some("User");
    subject.get("name").and_then(Value::as_str).filter(|_| is_user)
}

/// The user names that a binding, as raw JSON, has as subjects.
pub fn users(binding: &Value) -> impl Iterator<Item = &str> {
    binding.get("subjects").and_then(Value::as_array).into_iter().flatten().filter_map(user)
}
