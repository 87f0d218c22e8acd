//! How much is acted on without approval: of one policy, and of all of them together.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::one_day;
use crate::api::quantity;

/// How many leavers and objects are acted on without approval. What exceeds a limit is held for approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Limits for leavers, each for its time; by default 2 % a day, at least 2, and 5 % a week, at least 5. Leavers whose last day
    /// was announced by two trusted responses a day apart are not counted.
    #[serde(default = "policy_limits::people")]
    #[schemars(length(min = 1, max = 4))]
    pub people: Vec<Limit>,
    /// Limits for the ServiceAccounts and bindings that plans act on; by default as many as 10 % of the people a day, at least 200,
    /// and 25 % a week, at least 500.
    #[serde(default = "policy_limits::objects")]
    #[schemars(length(min = 1, max = 4))]
    pub objects: Vec<Limit>,
    /// Limits for the ServiceAccounts among them that something runs as although they are annotated as personal; by default as many
    /// as 1 % of the people a day, at least 5, and 2 % a week, at least 10.
    #[serde(default = "policy_limits::workloads")]
    #[schemars(length(min = 1, max = 4))]
    pub workloads: Vec<Limit>,
    /// How long an approval lasts if nothing is done: then the plan is held again, with the reason `ApprovalExpired`.
    #[serde(default = "one_day")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_duration())]
    pub approvals_last: String,
}

/// As much as is acted on without approval within a time. The percentage scales with the company; `atMost` need not be set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.atMost) || self.atLeast <= self.atMost").message("atLeast must not be more than atMost"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// The time over which is counted, such as `24h` or `7d`.
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_window())]
    pub window: String,
    /// Percentage of the number of people who have not left; of objects, there may be more than one for each person.
    #[schemars(range(min = 0, max = 1000))]
    pub percent: u32,
    /// Up to this number, nothing is held, however small the percentage is.
    #[schemars(range(min = 0, max = 100000))]
    pub at_least: u32,
    /// Above this number, everything is held, whatever the percentage is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100000))]
    pub at_most: Option<u32>,
}

/// Limits of all policies together: the chart's value `limits`, and no field of any kind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterLimits {
    /// For leavers.
    #[serde(default = "cluster_limits::people")]
    pub people: Vec<Limit>,
    /// For objects.
    #[serde(default = "cluster_limits::objects")]
    pub objects: Vec<Limit>,
    /// For accounts that something runs as.
    #[serde(default = "cluster_limits::workloads")]
    pub workloads: Vec<Limit>,
}

impl Limit {
    fn new(window: &str, percent: u32, at_least: u32) -> Self {
        Self { window: window.to_owned(), percent, at_least, at_most: None }
    }
}

/// A day and a week: a fault that makes a few leavers every day is held by the second.
mod policy_limits {
    use super::Limit;

    pub fn people() -> Vec<Limit> {
        vec![Limit::new("24h", 2, 2), Limit::new("7d", 5, 5)]
    }
    pub fn objects() -> Vec<Limit> {
        vec![Limit::new("24h", 10, 200), Limit::new("7d", 25, 500)]
    }
    pub fn workloads() -> Vec<Limit> {
        vec![Limit::new("24h", 1, 5), Limit::new("7d", 2, 10)]
    }
}

/// Above what a policy allows by default, so that they hold where policies allow more, or where there are many.
mod cluster_limits {
    use super::Limit;

    pub fn people() -> Vec<Limit> {
        vec![Limit::new("24h", 5, 10), Limit::new("7d", 10, 25)]
    }
    pub fn objects() -> Vec<Limit> {
        vec![Limit::new("24h", 25, 500), Limit::new("7d", 50, 1500)]
    }
    pub fn workloads() -> Vec<Limit> {
        vec![Limit::new("24h", 2, 10), Limit::new("7d", 5, 25)]
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            people: policy_limits::people(),
            objects: policy_limits::objects(),
            workloads: policy_limits::workloads(),
            approvals_last: one_day(),
        }
    }
}

impl Default for ClusterLimits {
    fn default() -> Self {
        Self {
            people: cluster_limits::people(),
            objects: cluster_limits::objects(),
            workloads: cluster_limits::workloads(),
        }
    }
}
