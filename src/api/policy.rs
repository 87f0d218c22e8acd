//! SyncPolicy: which people of a connection are managed, what happens when they leave, and the limits.

mod limits;
mod status;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::limits::{ClusterLimits, Limit, Limits};
pub use self::status::{Baseline, Coverage, Run, Scoped, SyncPolicyStatus, TakenOver};
use super::condition::{ConditionType, Status};
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
    doc = "Which people of which connections are managed, what happens when they leave, and the limits.",
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
    /// `Observe` plans and reports and changes nothing; `Enforce` also revokes access. A change makes a new baseline.
    #[serde(default)]
    pub mode: Mode,
    /// The HRConnections whose people this policy manages. Earlier ones take precedence: of a person with records of
    /// several, name and address are shown as the first record says that is still in force.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other.name == one.name))").message("a connection is named twice; name each once"))]
    pub connections: Vec<LocalRef>,
    /// Which of the connection's people are managed; without it, all of them. Being out of scope ends nobody's access.
    #[serde(default)]
    pub scope: Scope,
    /// Under which user names people sign in to the cluster.
    #[serde(default)]
    pub identity: Identity,
    /// Time zones in which a last day of work ends.
    pub time_zones: TimeZones,
    /// What happens when somebody leaves.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// How many leavers and objects are acted on without approval.
    #[serde(default)]
    pub limits: Limits,
    /// People and objects that Rollcall never touches.
    #[serde(default)]
    pub protected: Protected,
    /// How long what ended is kept.
    #[serde(default)]
    pub retention: Retention,
}

/// Whether a policy acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Plans and reports, changes nothing.
    #[default]
    Observe,
    /// Revokes access once every gate is open.
    Enforce,
}

/// Which people a policy manages: a person is in scope who matches every list of `include` that is not empty, no list of
/// `exclude`, and `expression`. A person without a value that a list needs is out of scope, and counted with that reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Who is in scope; everybody if all lists are empty.
    #[serde(default)]
    pub include: ScopeLists,
    /// Who is out of scope; takes precedence over `include`.
    #[serde(default)]
    pub exclude: ScopeLists,
    /// CEL over `person` (`id`, `connection`, `workEmail`, `legalEntity`, `employmentType`, `department`, `team`,
    /// `title`, `location`, `startDate`, `lastDay`, `contractEnd`, `state`) that must be true too. A field that is
    /// empty in the source does not exist: test `has(person.team)` first. `all`, `exists`, `filter`, `map` and `matches` are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub expression: Option<String>,
}

/// Lists of values for each field. Texts are compared without case and surrounding blanks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScopeLists {
    /// Legal entities that employ people, as the source writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 256)))]
    pub legal_entities: Vec<String>,
    /// Kinds of employment.
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

/// Under which user names people sign in to the cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// CEL expressions over `person` (`id`, `connection`, `workEmail`, `displayName`, `legalEntity`, `employmentType`,
    /// `department`, `team`, `title`, `location`) for the user names that a person signs in with, such as
    /// `'oidc:' + person.workEmail`. Names that contain an address are compared without case. Without expressions, people own
    /// no bindings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 512)))]
    pub usernames: Vec<String>,
}

/// Time zones in which a last day of work ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimeZones {
    /// IANA name for everybody whose location is not in `byLocation`, such as `Europe/Madrid`.
    #[schemars(length(min = 1, max = 64))]
    pub default: String,
    /// Location, as the source writes it, to IANA name. Locations are compared without case and surrounding blanks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 64}))]
    #[x_kube(validation = Rule::new("self.all(location, size(location) <= 128)").message("locations have at most 128 characters"))]
    pub by_location: BTreeMap<String, String>,
}

/// What happens when somebody leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    /// When an employment ends.
    #[serde(default)]
    pub termination: Termination,
}

/// Access is revoked (`Cut`) with the first instant after the last day; recreated accounts are deleted (`Remove`) later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Termination {
    /// Time between `Cut` and `Remove`, such as `72h`; `0s` is at once. The `Cut` itself never waits for it.
    #[serde(default = "three_days")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_duration_or_zero())]
    pub remove_after: String,
}

/// How long what ended is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// How long a person's Revocations are kept after the last of them ended well, at least `30d`. They are removed together, once
    /// nothing of the person's access remains or waits. The evidence records stay.
    #[serde(default = "four_hundred_days")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_retention())]
    pub evidence: String,
}

/// People and objects that Rollcall never touches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Protected {
    /// HR ids, `connection/id`, or names of Persons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 253)))]
    pub people: Vec<String>,
    /// ServiceAccounts as `namespace/name`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 3, max = 317)))]
    pub service_accounts: Vec<String>,
    /// Namespaces in which nothing is touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(min = 1, max = 63)))]
    pub namespaces: Vec<String>,
}

impl SyncPolicy {
    /// Whether the baseline of exactly this spec is settled, and the Persons show it. Until then a leaver may
    /// still turn out to need approval, so nothing may be released.
    #[must_use]
    pub fn settled(&self) -> bool {
        let conditions = self.status.iter().flat_map(|status| &status.conditions);
        conditions.into_iter().any(|condition| {
            condition.is(ConditionType::Baseline, Status::True)
                && condition.observed_generation == self.metadata.generation
        })
    }
}

fn four_hundred_days() -> String {
    "400d".to_owned()
}
fn three_days() -> String {
    "72h".to_owned()
}
fn one_day() -> String {
    "24h".to_owned()
}
impl Default for Retention {
    fn default() -> Self {
        Self { evidence: four_hundred_days() }
    }
}

impl Default for Termination {
    fn default() -> Self {
        Self { remove_after: three_days() }
    }
}
