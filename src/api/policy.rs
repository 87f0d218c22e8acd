//! SyncPolicy: who a connection's people are to the cluster, what happens when they leave, and the limits.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::{Condition, ConditionType, Status};
use super::{LocalRef, quantity};
use domain::employee::EmploymentType;

/// Spec of a SyncPolicy: written by an admin or a GitOps pipeline, never by Rollcall.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "SyncPolicy",
    plural = "syncpolicies",
    singular = "syncpolicy",
    namespaced,
    status = "SyncPolicyStatus",
    derive = "PartialEq",
    shortname = "spol",
    category = "rollcall",
    doc = "Who a connection's people are to the cluster, what happens when they leave, and the limits.",
    selectable = ".spec.mode",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "In scope", type_ = "integer", json_path = ".status.scope.included"),
    printcolumn(name = "Owned", type_ = "integer", json_path = ".status.coverage.owned", priority = 1),
    printcolumn(name = "Unowned", type_ = "integer", json_path = ".status.coverage.unowned", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct SyncPolicySpec {
    /// `Observe` plans and reports; `Enforce` acts.
    #[serde(default)]
    pub mode: Mode,
    /// The connection whose people this policy is about: one, for now.
    #[schemars(length(min = 1, max = 1))]
    pub connections: Vec<LocalRef>,
    /// Which of the connection's people this policy manages. Being out of scope ends nobody's access.
    #[serde(default)]
    pub scope: Scope,
    /// How people are known to the cluster.
    #[serde(default)]
    pub identity: Identity,
    /// Where a person's day begins and ends.
    pub time_zones: TimeZones,
    /// What happens when somebody leaves.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// How much may happen without a human.
    #[serde(default)]
    pub limits: Limits,
    /// People, accounts and namespaces that Rollcall never touches.
    #[serde(default)]
    pub protected: Protected,
}

/// Whether a policy acts, or only says what it would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Plans and reports, touches nothing.
    #[default]
    Observe,
    /// Acts on what has passed every gate.
    Enforce,
}

/// Which people a policy manages: those who are in every list of `include` that is not empty, in none of `exclude`, and for
/// whose record `expression` is true. Somebody whose record lacks what is asked for is out of scope, and counted so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Who is in scope; without any list everybody.
    #[serde(default)]
    pub include: ScopeLists,
    /// Who is not, whatever `include` says.
    #[serde(default)]
    pub exclude: ScopeLists,
    /// CEL over `person` (`id`, `connection`, `workEmail`, `legalEntity`, `employmentType`, `department`, `team`,
    /// `title`, `location`, `startDate`, `lastDay`, `contractEnd`, `state`) that must hold too. What a source does not
    /// say is no field: ask `has(person.team)` first. Macros that loop, and `matches`, are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub expression: Option<String>,
}

/// Values by what they are of. Texts are compared without case and surrounding blanks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScopeLists {
    /// Companies that employ people, as the source writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub legal_entities: Vec<String>,
    /// Kinds of employment, such as `Contractor`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    pub employment_types: Vec<EmploymentType>,
    /// Departments, as the source writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub departments: Vec<String>,
    /// Teams, as the source writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub teams: Vec<String>,
    /// Locations, as the source writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub locations: Vec<String>,
    /// HR ids, or names of Persons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 253)))]
    pub people: Vec<String>,
}

/// How people are known to the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// CEL expressions over `person` (`id`, `connection`, `workEmail`, `displayName`, `legalEntity`, `employmentType`,
    /// `department`, `team`, `title`, `location`) that give the user names a person signs in with, such as
    /// `'oidc:' + person.workEmail`. A name that contains an address is compared without case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 512)))]
    pub usernames: Vec<String>,
}

/// Where a person's day begins and ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimeZones {
    /// IANA name for everybody whose location is not in `byLocation`.
    #[schemars(length(min = 1, max = 64))]
    pub default: String,
    /// IANA name by location, as the source writes it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 64}))]
    #[x_kube(validation = Rule::new("self.all(location, size(location) <= 128)").message("locations have at most 128 characters"))]
    pub by_location: BTreeMap<String, String>,
}

/// What happens when somebody leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    /// Termination of the employment.
    #[serde(default)]
    pub termination: Termination,
}

/// Termination: the cut comes with the first minute after the last day; what is removed for good comes later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Termination {
    /// Time between the cut and the removal of what was cut. The cut itself never waits for it.
    #[serde(default = "three_days")]
    #[schemars(length(max = 12), regex(pattern = quantity::DURATION_OR_ZERO))]
    pub remove_after: String,
}

/// How much may happen without a human.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How many people may be revoked without approval, within `window`.
    #[serde(default)]
    pub people: PeopleLimit,
    /// How many objects may be acted on without approval, within the window of `people`.
    #[serde(default)]
    pub objects: ObjectLimit,
}

/// `percent` of the people known, but no fewer than `atLeast` and no more than `atMost`, within `window`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.atLeast <= self.atMost").message("atLeast must not be more than atMost"))]
#[serde(rename_all = "camelCase")]
pub struct PeopleLimit {
    /// Share of the people known, in percent; 2 by default.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 100))]
    pub percent: u32,
    /// So many are never held, however small the company; 2 by default.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 10000))]
    pub at_least: u32,
    /// More are always held, however large the company; 20 by default.
    #[serde(default = "twenty")]
    #[schemars(range(min = 0, max = 10000))]
    pub at_most: u32,
    /// Time over which leavers are counted, such as `24h`.
    #[serde(default = "one_day")]
    #[schemars(length(max = 12), regex(pattern = quantity::DURATION))]
    pub window: String,
}

/// Objects touched within the window of `people`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectLimit {
    /// More objects than this are held; 200 by default.
    #[serde(default = "two_hundred")]
    #[schemars(range(min = 0, max = 100000))]
    pub at_most: u32,
}

/// People, accounts and namespaces that Rollcall never touches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Protected {
    /// HR ids, or names of Persons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253)))]
    pub people: Vec<String>,
    /// ServiceAccounts as `namespace/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 3, max = 317)))]
    pub service_accounts: Vec<String>,
    /// Namespaces in which nothing is touched, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
}

/// Status of a SyncPolicy: written by `rollcall sync` alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncPolicyStatus {
    /// Generation of the spec these words are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling`, `Stalled`, `Baseline`, `LocationsMatched`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The newest runs that brought leavers, each written before the first Person of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub runs: Vec<Run>,
    /// What the newest baseline was made of; a change makes a new one, whose leavers need approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// Number of people in each state, such as `Active: 120`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub people: BTreeMap<String, u32>,
    /// Which people of the connection's newest trusted answer this policy manages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scoped>,
    /// What is owned, and what nobody owns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// The answer of the connection that the Persons show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub answer: Option<String>,
}

/// One run that brought leavers. Control counts it only when it has seen them all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Its id, carried by each of its Persons.
    #[schemars(length(max = 63))]
    pub id: String,
    /// How many leavers it brings.
    pub leavers: u32,
    /// How many people had not left before it.
    pub people: u32,
    /// When the run was written, in UTC.
    pub at: Timestamp,
    /// Every Person of it is written: no leaver joins it any more. Without this a crash in the middle could not be
    /// told from a Person deleted later, and new leavers would slip into a run that was counted already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub written: bool,
}

/// What the newest baseline was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// Version, mode, and digests of the connection with its source and mapping, and of what else of the policy decides.
    #[schemars(length(max = 64))]
    pub fingerprint: String,
    /// When the baseline was taken, in UTC.
    pub at: Timestamp,
    /// Leavers it brought; each needs approval.
    pub leavers: u32,
}

/// Which people of an answer a policy manages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scoped {
    /// Number of people in scope.
    pub included: u32,
    /// People out of scope, by the first reason: `departmentNotIncluded`, `teamUnknown`, `expressionFailed`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub excluded: BTreeMap<String, u32>,
}

/// What is owned in the cluster, and what nobody owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// ServiceAccounts whose mark resolves to exactly one person.
    pub owned: u32,
    /// ServiceAccounts without a mark, or whose mark resolves to nobody; `default` accounts and system namespaces are not counted.
    pub unowned: u32,
    /// ServiceAccounts whose mark resolves to several people.
    pub ambiguous: u32,
    /// The first of the unowned, as `namespace/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 317)))]
    pub examples: Vec<String>,
    /// Users that bindings name and that are a person, or several.
    #[serde(default)]
    pub users: u32,
    /// Users that bindings name, that look like the user names of the policy, and are nobody known.
    #[serde(default)]
    pub unknown_users: u32,
    /// The first bindings that name one of those, as `RoleBinding namespace/name` or `ClusterRoleBinding name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), inner(length(max = 340)))]
    pub strangers: Vec<String>,
}

impl SyncPolicy {
    /// Whether the baseline of exactly this spec is settled, and the Persons show it. Until then somebody who has left may
    /// still be marked as needing approval, so nothing may be released.
    #[must_use]
    pub fn settled(&self) -> bool {
        let conditions = self.status.iter().flat_map(|status| &status.conditions);
        conditions.into_iter().any(|condition| {
            condition.is(ConditionType::Baseline, Status::True)
                && condition.observed_generation == self.metadata.generation
        })
    }
}

fn three_days() -> String {
    "72h".to_owned()
}
fn one_day() -> String {
    "24h".to_owned()
}
const fn two() -> u32 {
    2
}
const fn twenty() -> u32 {
    20
}
const fn two_hundred() -> u32 {
    200
}

impl Default for Termination {
    fn default() -> Self {
        Self { remove_after: three_days() }
    }
}

impl Default for PeopleLimit {
    fn default() -> Self {
        Self { percent: two(), at_least: two(), at_most: twenty(), window: one_day() }
    }
}

impl Default for ObjectLimit {
    fn default() -> Self {
        Self { at_most: two_hundred() }
    }
}
