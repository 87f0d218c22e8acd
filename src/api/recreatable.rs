//! RecreatableAccounts: which accounts may be made again now, and as whose, and which pods may be evicted. A kind of its own, because the API server reads it as the
//! parameter of an admission policy: see `super::frozen` for why that is no ConfigMap.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Spec of RecreatableAccounts: written by `rollcall control` alone, and read by the API server and the revoker.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "RecreatableAccounts",
    plural = "recreatableaccounts",
    singular = "recreatableaccounts",
    namespaced,
    derive = "PartialEq",
    doc = "The accounts that may be made again now in namespaces that consented to workloads, and the owner that each gets; and the pods that may be evicted there. Written by rollcall control alone; there is one, rollcall-recreate."
)]
#[serde(rename_all = "camelCase")]
pub struct RecreatableAccountsSpec {
    /// The owner annotation that an account gets, by its namespace and name, such as `team-a/web`.
    #[schemars(extend("maxProperties" = 4096, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 1024}))]
    #[x_kube(validation = Rule::new("self.all(place, size(place) <= 317)").message("namespace and name have at most 317 characters"))]
    pub owners: BTreeMap<String, String>,
    /// The pods that may be evicted for the sessions that may be open in them: namespace and name, such as `team-a/web-1`, by uid.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 2048, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 320}))]
    #[x_kube(validation = Rule::new("self.all(uid, size(uid) <= 64)").message("a uid has at most 64 characters"))]
    pub pods: BTreeMap<String, String>,
}
