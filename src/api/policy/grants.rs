//! Which roles people are bound to by rule.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule: who gets a role, and in which namespaces. Each person has a RoleBinding of their own for each rule and namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Its name: a label of the bindings.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,
    /// CEL over `person` (`id`, `connection`, `workEmail`, `state`, `startDate`, `lastDay`, `contractEnd`, and those of `legalEntity`,
    /// `employmentType`, `department`, `team`, `title`, `location`, `costCenter` that `spec.fields` keeps as `Continuous`): who
    /// gets it, of those who work here. Where it fails for somebody, nothing is made and what stands stays.
    #[schemars(length(min = 1, max = 512))]
    pub when: String,
    /// What they get.
    pub bind: Bind,
    /// What becomes of it while they are on leave or suspended.
    #[serde(default)]
    pub on_leave: OnLeave,
}

/// What is bound; exactly one of `clusterRole` and `role`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.clusterRole) != has(self.role)").message("write either clusterRole or role"))]
#[serde(rename_all = "camelCase")]
pub struct Bind {
    /// Name of a ClusterRole. It is bound in the namespaces alone, never cluster-wide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub cluster_role: Option<String>,
    /// Name of a Role of each namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub role: Option<String>,
    /// The namespaces.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
}

/// What becomes of a binding while somebody is on leave or suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnLeave {
    /// It stays.
    #[default]
    Keep,
    /// It goes, and comes back with them.
    Remove,
}
