//! EndedAccess: what of leavers is not to be made again. A kind of its own, because the API server reads it as the parameter of an
//! admission policy: see `super::frozen` for why that is no ConfigMap.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Spec of EndedAccess: written by `rollcall control` alone, and read by the API server.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "EndedAccess",
    plural = "endedaccesses",
    singular = "endedaccess",
    namespaced,
    derive = "PartialEq",
    doc = "What of leavers is not to be made again. Written by rollcall control alone; there is one, rollcall-ended."
)]
#[serde(rename_all = "camelCase")]
pub struct EndedAccessSpec {
    /// Each is `ServiceAccount namespace/name`, an account that was removed; `Token namespace/name`, an account that gets no token
    /// Secret; or `User name`, who is put into no binding. With the name of the Revocation that ended it.
    #[schemars(extend("maxProperties" = 16384, "additionalProperties" = {"type": "string", "maxLength": 253}))]
    #[x_kube(validation = Rule::new("self.all(key, size(key) <= 640)").message("a kind and a name have at most 640 characters"))]
    pub ended: BTreeMap<String, String>,
}
