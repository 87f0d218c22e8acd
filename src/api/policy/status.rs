//! What a SyncPolicy's status says: runs, baselines, scope and coverage.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::condition::Condition;

/// Status of a SyncPolicy; only `rollcall sync` writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncPolicyStatus {
    /// Generation of the spec that the status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling`, `Stalled`, `Baseline`, `LocationsMatched`, `UserNamesMatched`, `HumansMatched`, `ScopesSeparate`, `AccountsAgree`, `FieldsSettled`, `MovesSettled`, `GrantsSettled`, `RevokerReady`, `Drilled`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The newest runs with leavers. A run is the set of leavers found by one poll or one midnight; it is written before its
    /// first Person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub runs: Vec<Run>,
    /// What was taken over of each connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub connections: Vec<TakenOver>,
    /// People by state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub people: BTreeMap<String, u32>,
    /// How many people of the newest trusted response are in scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scoped>,
    /// How many ServiceAccounts and users have a known owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// The first pairs of people who may be one human. While one of them works here, what either owns is not revoked. Say that they
    /// are one with `kubectl rollcall merge`, or that they are not with `kubectl rollcall apart`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub doubts: Vec<Doubt>,
    /// Which modes of `spec.fields` are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// How many people have moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves: Option<Moves>,
    /// Where HR and the directories of the policy disagree: connections of the role `Corroborating`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Accounts>,
}

/// Where HR and the directories disagree. Nobody's access ends, or is given, by any of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accounts {
    /// People by finding: `LeaverEnabled`, `WorkerDisabled`, `NoAccount`. Who they are: `kubectl rollcall people --findings`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    pub people: BTreeMap<String, u32>,
    /// Accounts that are on, and that nobody known has.
    #[serde(default)]
    pub orphans: u32,
    /// The first of them, as `connection/id`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 384)))]
    pub first_orphans: Vec<String>,
    /// Directories that say of many people who work here that their account is off, and are not believed in that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 253)))]
    pub not_believed: Vec<String>,
}

/// How many people have moved, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moves {
    /// People who moved within the last thirty days.
    pub people: u32,
    /// Reviews that nobody has answered yet.
    pub reviews: u32,
    /// Those of them that are overdue.
    pub overdue: u32,
}

/// Two people who may be one human.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Doubt {
    /// The first HR record of each, as `connection/id`.
    #[schemars(length(min = 2, max = 2), inner(length(max = 384)))]
    pub people: Vec<String>,
    /// What they have in common: `workEmail` or `employeeNumber`.
    #[schemars(length(max = 64))]
    pub key: String,
    /// Whether their names agree too: then they are probably one human. Otherwise the address or number was probably given to
    /// somebody else.
    pub names_agree: bool,
}

/// Which modes of fields are in force, and which will be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fields {
    /// Modes in force, as far as they differ from the defaults: `phone=Continuous,title=Once`.
    #[schemars(length(max = 4096))]
    pub in_force: String,
    /// Modes that the spec asks for and that remove or overwrite values, until they are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub next: Option<String>,
    /// When those take effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

/// What was taken over of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TakenOver {
    /// Name of the HRConnection.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Digest of its response that the Persons show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub response: Option<String>,
    /// Its newest baseline; the leavers in it need approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
}

/// One run with leavers. Control counts it once all of its leavers are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Id of the run; each of its Persons has it too.
    #[schemars(length(max = 63))]
    pub id: String,
    /// Number of leavers.
    pub leavers: u32,
    /// Number of people who had not left before it.
    pub people: u32,
    /// When it was written.
    pub at: Timestamp,
    /// Whether every Person of the run is written. Until then it is not counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub written: bool,
}

/// The newest baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// Version, mode, and digests of what the baseline depends on: connection, source, mapping, and fields of the policy.
    #[schemars(length(max = 64))]
    pub fingerprint: String,
    /// When it was taken.
    pub at: Timestamp,
    /// Number of leavers of the policy who needed approval when it was taken.
    pub leavers: u32,
}

/// How many people of a response are in scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scoped {
    /// People in scope.
    pub included: u32,
    /// People out of scope, by the first reason: `departmentNotIncluded`, `teamUnknown`, `expressionFailed`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub excluded: BTreeMap<String, u32>,
}

/// How many ServiceAccounts and users have a known owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// ServiceAccounts whose owner annotation resolves to exactly one person.
    pub owned: u32,
    /// ServiceAccounts without an owner annotation, or whose annotation resolves to nobody. `default` accounts and system
    /// namespaces are not counted.
    pub unowned: u32,
    /// ServiceAccounts whose owner annotation resolves to several people.
    pub ambiguous: u32,
    /// The first unowned ServiceAccounts, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 317)))]
    pub examples: Vec<String>,
    /// Users in bindings that are known people.
    #[serde(default)]
    pub users: u32,
    /// Users in bindings that look like the policy's user names and are not known.
    #[serde(default)]
    pub unknown_users: u32,
    /// The first bindings with such a user, as `RoleBinding namespace/name` or `ClusterRoleBinding name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 340)))]
    pub strangers: Vec<String>,
}
