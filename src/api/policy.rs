//! SyncPolicy: which people of a connection are managed, what happens when they leave, and the limits.

mod approving;
mod grants;
mod handover;
mod limits;
mod moves;
mod ownership;
mod revoking;
mod status;

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::approving::Approving;
pub use self::grants::{Bind, Grant, OnLeave};
pub use self::handover::Handover;
pub use self::limits::{ClusterLimits, Limit, Limits};
pub use self::moves::{Move, MoveThen};
pub use self::ownership::{OwnershipFrom, OwnershipSource};
pub use self::revoking::{Hook, Revoking, Secrets, Sessions, When};
pub use self::status::{Accounts, Baseline, Coverage, Doubt, Fields, Moves, Run, Scoped, SyncPolicyStatus, TakenOver};
use super::condition::{ConditionType, Status};
use super::quantity;
use domain::employee::EmploymentType;
use domain::profile::{DECIDING, FieldMode, ProfileField};

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
    /// several, each field that is shown is the first connection's that has a value for it and whose employment has not ended.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other.name == one.name))").message("a connection is named twice; name each once"))]
    #[x_kube(validation = Rule::new("self.exists(one, !has(one.role) || one.role == 'Employment' || has(one.saysWhoLeft))").message("no connection has the role Employment, or saysWhoLeft: nothing would say who works here"))]
    #[x_kube(validation = Rule::new("self.all(one, !has(one.migrates) || !self.exists(other, other.name == one.migrates.from))").message("migrates.from names a connection of this policy: take that one out of connections"))]
    #[x_kube(validation = Rule::new("!self.exists(one, has(one.saysWhoLeft)) || self.all(one, has(one.role) && one.role == 'Corroborating')").message("saysWhoLeft is for policies without a connection of the role Employment: that one says who has left"))]
    pub connections: Vec<Connection>,
    /// How an HR record that no Person has yet is added to the Person of the same human. Without keys, that is never done
    /// without a human: `kubectl rollcall merge`.
    #[serde(default)]
    pub matching: Matching,
    /// Who gets a Person.
    #[serde(default)]
    pub materialize: Materialize,
    /// Most Persons of people who have not left. Above it nobody new is added, everybody known goes on, and `Ready` says so.
    #[serde(default = "ten_thousand")]
    #[schemars(range(min = 1, max = 200000))]
    pub max_people: u32,
    /// Which of the connection's people are managed; without it, all of them. Being out of scope ends nobody's access.
    #[serde(default)]
    pub scope: Scope,
    /// What is kept of people for showing: `Once`, `Continuous` or `Never` for each field, such as
    /// `{title: Once, phone: Never, custom.badge: Continuous}`. Without an entry, `displayName`, `department`, `manager` and
    /// `legalEntity` are `Continuous`, everything else is `Never`. State, dates, ids and the work address are always
    /// `Continuous`. A mode that removes or overwrites values takes effect an hour after the condition `FieldsSettled`
    /// announced it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 40, "additionalProperties" = {"type": "string", "enum": ["Once", "Continuous", "Never"]}))]
    #[x_kube(
        validation = Rule::new(nothing_decides()).message("state, dates, ids and the work address decide whose access ends and when: they can be neither Once nor Never"),
        validation = Rule::new(fields_exist()).message(no_field().as_str())
    )]
    pub fields: BTreeMap<String, FieldMode>,
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
    /// How many people have to approve what is held.
    #[serde(default)]
    pub approval: Approving,
    /// What revoking somebody's access does beyond accounts and bindings.
    #[serde(default)]
    pub revocation: Revoking,
    /// Where the next owner of an account that workloads run as is looked for, in this order; nowhere if it is empty. Where the namespace
    /// consented to `workloads`, a hand-over waits for an approval; elsewhere the plan says who comes next.
    #[serde(default = "handover::all")]
    #[schemars(length(max = 3))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other == one))").message("handover has a word twice"))]
    pub handover: Vec<Handover>,
    /// RoleBindings for people by rule: made for joiners, moved with movers, gone with leavers. `kubectl rollcall grants` prints them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.all(one, self.exists_one(other, other.name == one.name))").message("a grant is named twice; give each a name of its own"))]
    pub grants: Vec<Grant>,
    /// People and objects that Rollcall never touches.
    #[serde(default)]
    pub protected: Protected,
    /// How long what ended is kept.
    #[serde(default)]
    pub retention: Retention,
}

/// An HRConnection of a policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Name of the HRConnection.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// What its records say of people.
    #[serde(default)]
    pub role: Role,
    /// The connection that this one takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrates: Option<Migration>,
    /// For companies without an HR system that Rollcall can read, whose identity provider is all there is: its accounts say who has left. Only
    /// of a `Corroborating` connection, in a policy without one of the role `Employment`. Everybody with an account gets a Person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says_who_left: Option<SaysWhoLeft>,
}

/// When an account that is switched off says that its person has left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaysWhoLeft {
    /// Whole days, such as `30d`, for which every trusted response said that the account is suspended or terminated. Until then the person is
    /// `Suspended`, and nothing is done. Dates of the account say nothing.
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_off_for())]
    pub when_off_for: String,
}

impl Connection {
    /// Whether its records say who works here and who has left.
    #[must_use]
    pub fn employs(&self) -> bool {
        self.role == Role::Employment || self.says_who_left.is_some()
    }
}

/// What the records of a connection say of people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Who works here and who has left.
    #[default]
    Employment,
    /// More about people who have a record of another connection, such as user names. Never that somebody has left, and nobody
    /// gets a Person by them.
    Corroborating,
}

/// A connection that was renamed, or an HR system that was replaced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// Name of the connection before. It must not be one of the policy's any more, and may be deleted. Owner annotations with its ids
    /// stay valid.
    #[schemars(length(min = 1, max = 253))]
    pub from: String,
    /// Whether ids are the same as before: it is the same HR system under another name. Otherwise people are matched by
    /// `matching.keys`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same_ids: bool,
}

/// How an HR record is added to the Person of the same human: by keys, where exactly one human has them and the names agree.
/// All other cases are listed in `status.doubts` for a human to decide.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.keys) || !('employeeNumber' in self.keys) || has(self.numberSpace)").message("matching.keys has employeeNumber: say in numberSpace in which numbers the connections count, such as acme; numbers of different spaces mean different people"))]
#[serde(rename_all = "camelCase")]
pub struct Matching {
    /// The keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2))]
    pub keys: Vec<MatchKey>,
    /// Name of the number space in which all connections of the policy give employee numbers: the same number is the same human.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub number_space: Option<String>,
}

/// What two HR records of one human have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MatchKey {
    /// The current work address, without case.
    WorkEmail,
    /// The employee number, without leading zeros.
    EmployeeNumber,
}

/// Who gets a Person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Materialize {
    /// Everybody who works here.
    #[default]
    All,
    /// Only who owns something in the cluster: an account with their owner annotation, or a binding that names one of their user
    /// names. For companies of more than ten thousand people. Limits in percent are of these people.
    CredentialHolders,
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
    /// What else says whose an account is, where it has no owner annotation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub ownership: Vec<OwnershipSource>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Lifecycle {
    /// When an employment ends.
    #[serde(default)]
    pub termination: Termination,
    /// The longest gap between the last day of an employment and the first day of the next that is no exit, in whole days.
    #[serde(default = "three_bridged_days")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_bridge())]
    pub bridge_gap: String,
    /// What the planned end of a fixed-term contract is, for people without another last day.
    #[serde(default)]
    pub contract_end: ContractEnd,
    /// What happens while somebody is on leave or suspended. Who is on leave when this is changed needs approval.
    #[serde(default)]
    pub leave: Leave,
    /// What happens when the department, title, company or manager of somebody who works here changes.
    #[serde(default, rename = "move")]
    pub moves: Move,
}

/// What happens while somebody is on leave or suspended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Leave {
    /// Nothing: they keep their access.
    #[default]
    Keep,
    /// Everything they change in the cluster is refused until they are back; they can still read.
    Freeze,
    /// What is theirs is revoked as when somebody leaves. Only tokens come back with them: by issuing new ones.
    Cut,
}

/// What the planned end of a fixed-term contract is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContractEnd {
    /// It ends nothing: HR systems learn of extensions late. `why` of the Person says `ContractEnded`.
    #[default]
    Hold,
    /// It is the last day. Like any other one it must have been announced while it was still to come.
    Terminate,
}

/// Access is revoked (`Cut`) with the first instant after the last day; recreated accounts are deleted (`Remove`) later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Termination {
    /// When the last day of work is over, and access is revoked. Without it, with the first instant of the next day where the person is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Effective>,
    /// Time between `Cut` and `Remove`, such as `72h`; `0s` is at once. The `Cut` itself never waits for it.
    #[serde(default = "three_days")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_duration_or_zero())]
    pub remove_after: String,
}

/// When a last day of work is over; exactly one of both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.at) != has(self.after)").message("write either at, such as 18:00, or after, such as 4h"))]
#[serde(rename_all = "camelCase")]
pub struct Effective {
    /// A time of the last day itself, such as `18:00`, where the person is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')").message("write a time of day from 00:00 to 23:59, such as 18:00"))]
    pub at: Option<String>,
    /// A time after the midnight that ends the last day, `24h` at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = Rule::new("self.matches('^(([1-9]|1[0-9]|2[0-4])h|[1-5]?[0-9]m)$')").message("write minutes or hours, from 1m to 24h, such as 4h"))]
    pub after: Option<String>,
}

/// How long what ended is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// How long a leaver's name and position are kept after their access has ended; longer while anything in the cluster is
    /// theirs. Their addresses and user names go with the last of their Revocations. HR ids and dates stay.
    #[serde(default = "ninety_days")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_duration())]
    pub person: String,
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

impl SyncPolicySpec {
    /// Whether a connection is a directory: it tells of accounts, and not who works here.
    #[must_use]
    pub fn is_directory(&self, connection: &str) -> bool {
        self.connections.iter().any(|one| one.name == connection && !one.employs())
    }

    /// The connections that say who works here and who has left.
    pub fn employers(&self) -> impl Iterator<Item = &str> {
        self.connections.iter().filter(|one| one.employs()).map(|connection| connection.name.as_str())
    }
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

/// CEL: nothing that decides is switched off.
fn nothing_decides() -> String {
    let names = DECIDING.map(|name| format!("'{name}'")).join(", ");
    format!("self.all(name, !(name in [{names}]) || self[name] == 'Continuous')")
}

/// CEL: every name is that of a field.
fn fields_exist() -> String {
    let names = ProfileField::all().map(|field| field.to_string()).chain(DECIDING.map(str::to_owned));
    let names: Vec<_> = names.map(|name| format!("'{name}'")).collect();
    format!("self.all(name, name in [{}] || (name.startsWith('custom.') && size(name) <= 70))", names.join(", "))
}

fn no_field() -> String {
    let names: Vec<_> = ProfileField::all().map(|field| field.to_string()).collect();
    format!("a name is no field; these are: {}, and custom.<name>", names.join(", "))
}

fn four_hundred_days() -> String {
    "400d".to_owned()
}
fn ninety_days() -> String {
    "90d".to_owned()
}
fn three_days() -> String {
    "72h".to_owned()
}
fn three_bridged_days() -> String {
    "3d".to_owned()
}
const fn ten_thousand() -> u32 {
    10_000
}
fn one_day() -> String {
    "24h".to_owned()
}
impl Default for Retention {
    fn default() -> Self {
        Self { person: ninety_days(), evidence: four_hundred_days() }
    }
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            termination: Termination::default(),
            bridge_gap: three_bridged_days(),
            contract_end: ContractEnd::default(),
            leave: Leave::default(),
            moves: Move::default(),
        }
    }
}

impl Default for Termination {
    fn default() -> Self {
        Self { effective: None, remove_after: three_days() }
    }
}
