//! Person: one human, the employments an HR system states for them, and a mirror of what happened to their access.

use jiff::Timestamp;
use jiff::civil::Date;
use kube::{CustomResource, KubeSchema};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use domain::field::{self, Text, Texts};

/// Spec of a Person: identity by `rollcall sync`, `hold` by an admin.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "Person",
    plural = "people",
    singular = "person",
    namespaced,
    status = "PersonStatus",
    derive = "PartialEq",
    shortname = "psn",
    category = "rollcall",
    doc = "One human: the employments an HR system states, and a mirror of what happened to their access.",
    selectable = ".status.employment.state",
    printcolumn(name = "HR id", type_ = "string", json_path = ".spec.records[0].id"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.employment.state"),
    printcolumn(name = "Last day", type_ = "string", json_path = ".status.employment.lastDay"),
    printcolumn(name = "Access", type_ = "string", json_path = ".status.access.state"),
    printcolumn(name = "Remaining", type_ = "integer", json_path = ".status.access.remaining"),
    printcolumn(name = "Why", type_ = "string", json_path = ".status.employment.why", priority = 1),
    printcolumn(name = "Revocation", type_ = "string", json_path = ".status.access.revocation", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PersonSpec {
    /// The HR records this person is known by.
    #[schemars(length(min = 1, max = 8))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("records are minted once: delete the Person to forget them"))]
    pub records: Vec<Record>,
    /// Keeps Rollcall away from this person's access until the given instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// One record of an HR system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Name of the HRConnection.
    #[schemars(length(min = 1, max = 253))]
    pub connection: String,
    /// The HR system's id.
    #[schemars(length(min = 1, max = 128))]
    pub id: String,
}

/// A hold by a human.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// Why.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// When it ends by itself.
    pub until: Timestamp,
    /// Who set it.
    #[schemars(length(min = 1, max = 256))]
    pub by: String,
}

/// Status of a Person: written by `rollcall sync` alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonStatus {
    /// Name of the SyncPolicy that manages this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub policy: Option<String>,
    /// What each HR record says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub employments: Vec<Employment>,
    /// What follows from all of them today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employment: Option<Standing>,
    /// Every work address (`email:…`) and user name (`user:…`) ever known; an empty value never clears one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 512)))]
    pub aliases: Vec<String>,
    /// What is kept of the person beyond that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Mirror of the newest Revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Goes with an erasure; the evidence keeps only the salted digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub salt: Option<String>,
    /// `Revoked`, and no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// What one HR record says: civil dates and mapped words, so that midnight can be computed without asking again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Employment {
    /// Name of the HRConnection.
    #[schemars(length(max = 253))]
    pub connection: String,
    /// The HR system's id.
    #[schemars(length(max = 128))]
    pub id: String,
    /// `Active`, `Leave`, `Suspended`, `Terminated`, `Unmapped`, or `Silent` for a source without a status.
    #[schemars(length(max = 16))]
    pub said: String,
    /// First day of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_date: Option<Date>,
    /// Last day of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_working_day: Option<Date>,
    /// The last day that a trusted answer announced while it was still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Date>,
    /// When that day was first announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_at: Option<Timestamp>,
    /// Another trusted answer, a day later or more, announced the same day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmed: bool,
    /// Since when trusted answers no longer name this record. Not a termination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
}

/// What follows from all employments today, in the person's own time zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Last day of work, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_day: Option<Date>,
    /// IANA name of the zone the day is counted in.
    #[schemars(length(max = 64))]
    pub time_zone: String,
    /// Why, by one word: `Active`, `LeavesLater`, `EarlierEmployment`, `StartsLater`, `Contradiction`, `LastDayPassed`,
    /// `Terminated`, `TerminatedLater`, `TooFarAhead`, `EndsBeforeStart`, `OnLeave`, `Suspended`, `Unmapped`,
    /// `NothingSaid`, `Conflict`, or `Other`.
    #[schemars(length(max = 64))]
    pub why: String,
    /// The same in words, for reading.
    #[serde(default)]
    #[schemars(length(max = 512))]
    pub message: String,
    /// The run that brought the termination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub run: Option<String>,
    /// The termination came with a baseline, or the person was first seen, or came into scope, as a leaver, or fell out of
    /// scope with the answer that says they leave: it needs approval.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub baseline: bool,
    /// When the termination takes effect: the first instant after the last day; or when it was seen, without a last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective: Option<Timestamp>,
    /// When a trusted answer, or a midnight, first said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Timestamp>,
    /// The first reason why the person is out of scope, as the policy's `status.scope.excluded` counts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub out_of_scope: Option<String>,
    /// The answer that says the person leaves also says something that would put them out of scope, and for this reason.
    /// They stay in scope, and a human decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub leaves_scope: Option<String>,
    /// Two trusted answers a day apart announced the last day: the leaver counts against no limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announced: bool,
}

/// State of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Will start.
    PreHire,
    /// Works here.
    Active,
    /// Suspended or inactive.
    Suspended,
    /// On leave.
    Leave,
    /// Has left.
    Terminated,
    /// Not one of those the policy is about: nothing follows from what the record says.
    OutOfScope,
    /// Cannot be told; holds.
    Unknown,
}

/// What is kept of a person beyond ids and dates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Name to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,
    /// Current work address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub work_email: Option<String>,
    /// The plain texts that are kept.
    #[serde(flatten)]
    #[schemars(schema_with = "kept")]
    pub texts: Texts,
    /// Person of the manager, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub manager: Option<String>,
}

fn kept(_: &mut SchemaGenerator) -> Schema {
    field::schema(Text::all_kept(), None, 256)
}

/// Mirror of the newest Revocation of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Phase of the Revocation, or `Kept`.
    #[schemars(length(max = 32))]
    pub state: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub revocation: String,
    /// Why it waits, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub waits_for: Option<String>,
    /// When the next step is due, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action_at: Option<Timestamp>,
    /// Number of things that remain.
    #[serde(default)]
    pub remaining: u32,
}
