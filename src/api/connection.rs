//! HRConnection: where people are read, how often, and what makes an answer believable.

mod file;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::file::{
    Archive, Checksum, Columns, Complete, Csv, Decryption, Encoding, EndDateMeans, Escape, FileFrom, FileMode,
    FileSource, HttpFile, Quote, SftpFile, SftpPath, StatusMeaning,
};
use super::condition::Condition;
use super::{LocalRef, quantity};
pub use domain::capabilities::{Capabilities, Claim};
pub use domain::employee::{EmploymentType, Field};

/// An answer is stale after so many intervals without a newer one, and not before a day.
const INTERVALS: i32 = 3;
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// Spec of an HRConnection: written by an admin or a GitOps pipeline, never by Rollcall.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "HRConnection",
    plural = "hrconnections",
    singular = "hrconnection",
    namespaced,
    status = "HRConnectionStatus",
    derive = "PartialEq",
    shortname = "hrc",
    category = "rollcall",
    doc = "Where people are read, how often, and what makes an answer believable.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Trusted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Trusted")].reason"#),
    printcolumn(name = "People", type_ = "integer", json_path = ".status.lastTrusted.employees"),
    printcolumn(name = "Last trusted", type_ = "date", json_path = ".status.lastTrusted.time"),
    printcolumn(name = "Next run", type_ = "string", json_path = ".status.nextRun", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 40").message("the name of an HRConnection has at most 40 characters: it is part of every mark `id:<connection>/<id>`")
)]
#[serde(rename_all = "camelCase")]
pub struct HRConnectionSpec {
    /// Where people are read: exactly one of `api` and `file`.
    pub source: Source,
    /// How often the source is read.
    #[serde(default)]
    pub schedule: Schedule,
    /// Time for one whole poll, all pages and retries included.
    #[serde(default = "five_minutes")]
    #[schemars(length(max = 12), regex(pattern = quantity::DURATION))]
    pub timeout: String,
    /// Stops polling until the given instant. Both fields are required, so that no pause is forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<Suspend>,
    /// How the source is reached.
    #[serde(default)]
    pub network: Network,
    /// What makes an answer believable.
    #[serde(default)]
    pub trust: Trust,
}

impl HRConnectionSpec {
    /// How old the last trusted answer may be.
    ///
    /// # Errors
    /// When `staleAfter`, or the interval it follows, cannot be read.
    pub fn stale_after(&self) -> Result<SignedDuration, quantity::Unreadable> {
        if let Some(text) = &self.trust.stale_after {
            return quantity::duration("spec.trust.staleAfter", text);
        }
        let every = quantity::duration("spec.schedule.every", &self.schedule.every)?;
        Ok(every.saturating_mul(INTERVALS).max(A_DAY))
    }
}

/// Exactly one of its fields is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.api) != has(self.file)").message("exactly one of api and file must be set"))]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// A vendor's API, read by a connector of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSource>,
    /// A file of people, in CSV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSource>,
}

/// A vendor's API. Exactly one of `connector` and `definitionRef` is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.connector) != has(self.definitionRef)").message("exactly one of connector and definitionRef must be set"))]
#[serde(rename_all = "camelCase")]
pub struct ApiSource {
    /// Name of the catalogue entry, such as `bamboohr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub connector: Option<String>,
    /// A definition of your own, in a ConfigMap of this namespace. It is read again with every poll, and a change of it
    /// is a change of the source: the next answer is a new baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_ref: Option<ConfigMapKey>,
    /// Values the connector's definition asks for, such as `subdomain`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 512}))]
    #[x_kube(validation = Rule::new("self.all(key, size(key) <= 63)").message("names of parameters have at most 63 characters"))]
    pub parameters: BTreeMap<String, String>,
    /// What status words of your own mean, in addition to those the connector knows: `status.unmappedStatuses` shows which there
    /// are. A word the connector knows gets your meaning by this, and every answer says so in its findings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(word, size(word) <= 256)").message("status words have at most 256 characters"))]
    pub statuses: BTreeMap<String, StatusMeaning>,
    /// What words of your own for a kind of employment mean, likewise; `status.unmappedTypes` shows which there are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(word, size(word) <= 256)").message("words have at most 256 characters"))]
    pub types: BTreeMap<String, EmploymentType>,
    /// Secret in this namespace that holds what the connector signs in with.
    pub credentials_ref: LocalRef,
}

/// A key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKey {
    /// Name of the ConfigMap, in the namespace of this object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the ConfigMap's `data`, such as `people.csv`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A key of a Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret, in the namespace of this object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in the Secret's `data`, such as `ca.crt`.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// How often a source is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Time between two reads, at least `10s`. Connections spread over it by themselves.
    #[serde(default = "one_hour")]
    #[schemars(length(max = 12), regex(pattern = quantity::DURATION))]
    pub every: String,
}

/// A pause that ends by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspend {
    /// Why, for the next person who looks, such as `migration to another tenant`.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// When the pause ends by itself, in UTC, such as `2026-03-10T06:00:00Z`.
    pub until: Timestamp,
}

/// How a source is reached: its proxy, its authorities, and whether its address may be private.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Lets the source lie at a private, loopback, link-local or cluster address, and be reached without TLS.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// Authorities in PEM that are trusted in addition to the public ones, by this connection alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<CaBundle>,
    /// Proxy that the source is reached through by CONNECT: `http://…` or `https://…`, host and port alone. It has to
    /// have an address that a source may have.
    #[serde(default, rename = "proxyURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512), regex(pattern = "^https?://"))]
    pub proxy_url: Option<String>,
}

/// Where authorities stand. Exactly one of its fields is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.configMap) != has(self.secret)").message("exactly one of configMap and secret must be set"))]
#[serde(rename_all = "camelCase")]
pub struct CaBundle {
    /// A key of a ConfigMap in this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,
    /// A key of a Secret in this namespace, such as `ca.crt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretKey>,
}

/// What makes an answer believable. Percentages have a floor of one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trust {
    /// How many fewer people than the last trusted answer, and than the most of the last seven days, are believed.
    #[serde(default = "ten_percent")]
    #[schemars(length(max = 4), regex(pattern = quantity::PERCENT))]
    pub max_shrink: String,
    /// How many people must be the same as in the last trusted answer, of the smaller of the two: joiners, and people who
    /// are only missing (`maxShrink` bounds them), are no other people.
    #[serde(default = "ninety_five_percent")]
    #[schemars(length(max = 4), regex(pattern = quantity::PERCENT))]
    pub min_overlap: String,
    /// How many records may be set aside, because they cannot be read or share their id with another record.
    #[serde(default = "one_percent")]
    #[schemars(length(max = 4), regex(pattern = quantity::PERCENT))]
    pub max_bad_records: String,
    /// How many people may carry a status that is empty or that nobody mapped.
    #[serde(default = "one_percent")]
    #[schemars(length(max = 4), regex(pattern = quantity::PERCENT))]
    pub max_unmapped_statuses: String,
    /// Fields that must be filled for at least one person in every answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub always_present: Vec<Field>,
    /// People that must be seen in every answer, each in its state: a credential that does not see them does not see
    /// others like them either.
    #[serde(default, skip_serializing_if = "Sentinels::is_empty")]
    pub sentinels: Sentinels,
    /// How old the last trusted answer may be before the connection is stale. Left out: three times
    /// `schedule.every`, and at least a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12), regex(pattern = quantity::DURATION))]
    pub stale_after: Option<String>,
}

/// HR ids of people that must be seen in every answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sentinels {
    /// Who has left: without them, nobody who leaves would be seen to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    pub departed: Vec<String>,
    /// Somebody who works here now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    pub active: Vec<String>,
    /// Somebody whose first day is still to come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    pub future: Vec<String>,
}

impl Sentinels {
    fn is_empty(&self) -> bool {
        self.departed.is_empty() && self.active.is_empty() && self.future.is_empty()
    }
}

/// Status of an HRConnection: written by `rollcall sync` alone, at most once a poll.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HRConnectionStatus {
    /// Generation of the spec these words are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling`, `Stalled`, `Reachable`, `Trusted`, `Recognised`, `StableIds`, `TellsLeavers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The newest attempt, believed or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<Attempt>,
    /// The newest answer that was believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_trusted: Option<Trusted>,
    /// What this source can say, as its newest response showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// When a trusted answer last had somebody in it who had left, or a last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leavers_last_seen: Option<Timestamp>,
    /// Status words nobody mapped, each with the number of people that carried it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub unmapped_statuses: BTreeMap<String, u32>,
    /// Words for a kind of employment nobody mapped, likewise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub unmapped_types: BTreeMap<String, u32>,
    /// When the source is read next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Timestamp>,
    /// The last value of the annotation `rollcall.dev/requestedAt` that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_reconcile_at: Option<String>,
}

/// One attempt to read the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When the attempt ended, in UTC.
    pub time: Timestamp,
    /// `Trusted`, or the reason of the first finding.
    #[schemars(length(max = 64))]
    pub outcome: String,
    /// What `kubectl rollcall accept` takes: names the ids, statuses, dates and addresses of this answer. Absent where
    /// there was no whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub answer: Option<String>,
    /// Everything that was found, not only the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 512)))]
    pub findings: Vec<String>,
}

/// The newest answer that was believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trusted {
    /// When the response was read, in UTC; for a file with a date, see `delivered`.
    pub time: Timestamp,
    /// Digest of the response: the same people and dates give the same digest.
    #[schemars(length(max = 64))]
    pub answer: String,
    /// When it was written, where it is a file of an SFTP server, by that server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Timestamp>,
    /// How many people it named, those who have left among them.
    pub employees: u32,
    /// People by what the source says of them.
    #[schemars(extend("maxProperties" = 8))]
    pub statuses: BTreeMap<String, u32>,
    /// The most people seen within the last seven days.
    pub high_water: u32,
    /// Digest of source and mapping: a change starts a new baseline.
    #[schemars(length(max = 64))]
    pub source: String,
}

impl Trusted {
    /// How new it is: when its file was written, where it is one that was delivered, else when it was read.
    #[must_use]
    pub fn as_of(&self) -> Timestamp {
        self.delivered.map_or(self.time, |delivered| delivered.min(self.time))
    }
}

fn five_minutes() -> String {
    "5m".to_owned()
}
fn one_hour() -> String {
    "1h".to_owned()
}
fn ten_percent() -> String {
    "10%".to_owned()
}
fn ninety_five_percent() -> String {
    "95%".to_owned()
}
fn one_percent() -> String {
    "1%".to_owned()
}

impl Default for Schedule {
    fn default() -> Self {
        Self { every: one_hour() }
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            max_shrink: ten_percent(),
            min_overlap: ninety_five_percent(),
            max_bad_records: one_percent(),
            max_unmapped_statuses: one_percent(),
            always_present: Vec::new(),
            sentinels: Sentinels::default(),
            stale_after: None,
        }
    }
}
