//! What a policy has done for a leaver beyond accounts and bindings: hooks, which are Jobs made from the user's own suspended CronJobs;
//! what becomes of their Secrets; and of pods in which they may have a session open.

use jiff::SignedDuration;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::quantity;

/// What revoking somebody's access does beyond it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revoking {
    /// What happens to Secrets with the leaver's owner annotation.
    #[serde(default)]
    pub secrets: Secrets,
    /// What happens to pods in which the leaver may have a session open.
    #[serde(default)]
    pub sessions: Sessions,
    /// How many pods of one workload are replaced at a time, when the account that they run as is handed over, and when they are evicted for
    /// `sessions`. PodDisruptionBudgets are kept to as well.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable: u32,
    /// Jobs that run with each cut of a leaver's access, or of one that a human asked for: made from suspended CronJobs of the namespace of
    /// hooks, each once `kubectl rollcall hooks allow` has allowed its pod template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other.cronJob == one.cronJob))").message("a CronJob is named twice; give each hook a CronJob of its own"))]
    pub hooks: Vec<Hook>,
}

impl Default for Revoking {
    fn default() -> Self {
        Self { secrets: Secrets::default(), sessions: Sessions::default(), max_unavailable: one(), hooks: Vec::new() }
    }
}

const fn one() -> u32 {
    1
}

/// What happens to Secrets with the leaver's owner annotation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Secrets {
    /// Each of them is in `remaining`, and left as it is.
    #[default]
    Report,
    /// Where the namespace consented to `rotate`, each gets a new value by external-secrets, cert-manager or the annotation
    /// `rollcall.dev/rotate`, and what runs with the old one is restarted.
    Rotate,
}

/// What happens to pods in which the leaver could exec, attach or port-forward by a right of their own user names. A session that is open
/// outlives the right, and ends with its pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Sessions {
    /// `status.exposure.sessions` of the cut says where, and nothing is done.
    #[default]
    Report,
    /// Where the namespace consented to `workloads`, those that come back as they were are evicted within disruption budgets, once somebody
    /// approves that.
    Evict,
}

/// A hook: a Job that is made from a suspended CronJob, with the Revocation as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.timeout) || self.when != 'Before' || self.timeout.matches('^([1-9]|[1-5][0-9]|60)s$') || self.timeout == '1m'").message("the cut waits for a hook that runs before it: write seconds, 60s at most, such as 10s"))]
#[serde(rename_all = "camelCase")]
pub struct Hook {
    /// Name of the CronJob, in the namespace of hooks.
    #[schemars(length(min = 1, max = 52), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub cron_job: String,
    /// `Before` runs once every gate is open and before anything is done; the cut waits for it no longer than `timeout`, whether it succeeds or
    /// not. `After` runs once the revoker is done, and is tried again if it fails.
    #[serde(default)]
    pub when: When,
    /// How long one attempt may take, such as `30s`, `5m` or `1h`. Default: `10s` before, of 60 seconds at most, and `5m` after, of an hour at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = Rule::new("self.matches('^([1-9][0-9]{0,2}s|([1-9]|[1-5][0-9]|60)m|1h)$')").message("write seconds, minutes or 1h, such as 30s, 5m or 1h"))]
    pub timeout: Option<String>,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum When {
    /// Before anything is done.
    Before,
    /// After everything is done.
    #[default]
    After,
}

impl Hook {
    /// How long an attempt may take; one that cannot be read is the default.
    #[must_use]
    pub fn timeout(&self) -> SignedDuration {
        let default = match self.when {
            When::Before => SignedDuration::from_secs(10),
            When::After => SignedDuration::from_mins(5),
        };
        let written =
            self.timeout.as_ref().and_then(|text| quantity::duration("spec.revocation.hooks.timeout", text).ok());
        written.filter(|timeout| timeout.is_positive()).unwrap_or(default)
    }
}
