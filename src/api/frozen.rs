//! FrozenNames: the user names that the freeze refuses. A kind of its own, because the API server reads it as a parameter of an
//! admission policy: parameters of built-in kinds, such as a ConfigMap, are no longer read once the last binding of such a
//! policy was deleted, until the API server is restarted (kubernetes/kubernetes#130887).

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Spec of FrozenNames: written by `rollcall control` alone, and read by the API server.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "FrozenNames",
    plural = "frozennames",
    singular = "frozennames",
    namespaced,
    derive = "PartialEq",
    doc = "The user names that are frozen. Written by rollcall control alone; there is one, rollcall-frozen."
)]
#[serde(rename_all = "camelCase")]
pub struct FrozenNamesSpec {
    /// Each frozen user name, as the API server sees it, with the names of the Revocations that hold it, separated by blanks.
    #[schemars(extend("maxProperties" = 16384, "additionalProperties" = {"type": "string", "maxLength": 4096}))]
    #[x_kube(validation = Rule::new("self.all(name, size(name) <= 640)").message("user names have at most 640 characters"))]
    pub names: BTreeMap<String, String>,
}
