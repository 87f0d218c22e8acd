//! TrimmableSubjects: which subjects may be taken out of which bindings now. A kind of its own, because the API server reads it as
//! the parameter of an admission policy: see `super::frozen` for why that is no ConfigMap.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Spec of TrimmableSubjects: written by `rollcall control` alone, and read by the API server and `rollcall trim`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "TrimmableSubjects",
    plural = "trimmablesubjects",
    singular = "trimmablesubjects",
    namespaced,
    derive = "PartialEq",
    doc = "The subjects that may be taken out of shared bindings now. Written by rollcall control alone; there is one, rollcall-trim."
)]
#[serde(rename_all = "camelCase")]
pub struct TrimmableSubjectsSpec {
    /// The uid of each binding and a user name in it, separated by a blank, with the name of the Revocation that is released.
    #[schemars(extend("maxProperties" = 16384, "additionalProperties" = {"type": "string", "maxLength": 253}))]
    #[x_kube(validation = Rule::new("self.all(name, size(name) <= 640)").message("a uid and a user name have at most 640 characters"))]
    pub subjects: BTreeMap<String, String>,
}
