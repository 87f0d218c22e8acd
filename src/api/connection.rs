//! HRConnection: where people are read from, how often, and what makes a response trusted.

mod file;
mod ldap;
mod scim;
mod webhook;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::file::{
    Archive, Checksum, Columns, Complete, Csv, Decryption, Encoding, EndDateMeans, Escape, FileFrom, FileMode,
    FileSource, HttpFile, Quote, SftpFile, SftpPath, StatusMeaning,
};
pub use self::ldap::{LdapDirectory, LdapScope, LdapSource, LdapTls};
pub use self::scim::{InactiveMeans, ScimId, ScimSource};
pub use self::webhook::{Form, Webhook};
use super::condition::Condition;
use super::{LocalRef, quantity};
pub use domain::capabilities::{Capabilities, Claim};
pub use domain::employee::{EmploymentType, Field};
use domain::schedule::Rhythm;

/// A response is stale after so many intervals without a newer one, and not before a day.
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
    doc = "Where people are read from, how often, and what makes a response trusted.",
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Trusted", type_ = "string", json_path = r#".status.conditions[?(@.type=="Trusted")].reason"#),
    printcolumn(name = "People", type_ = "integer", json_path = ".status.lastTrusted.employees"),
    printcolumn(name = "Last trusted", type_ = "date", json_path = ".status.lastTrusted.time"),
    printcolumn(name = "Next run", type_ = "string", json_path = ".status.nextRun", priority = 1),
    validation = Rule::new("size(self.metadata.name) <= 40").message("the name of an HRConnection has at most 40 characters: it is part of the owner annotation `id:<connection>/<id>`")
)]
#[serde(rename_all = "camelCase")]
pub struct HRConnectionSpec {
    /// Where people are read from: exactly one of `api`, `file`, `ldap` and `scim`.
    pub source: Source,
    /// How often the source is read.
    #[serde(default)]
    pub schedule: Schedule,
    /// Time for one poll, with all pages and retries, such as `5m`.
    #[serde(default = "five_minutes")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_duration())]
    pub timeout: String,
    /// Stops polling until the given instant. Both fields are required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<Suspend>,
    /// How the source is reached.
    #[serde(default)]
    pub network: Network,
    /// What makes a response trusted.
    #[serde(default)]
    pub trust: Trust,
}

impl HRConnectionSpec {
    /// How old the last trusted response may be.
    ///
    /// # Errors
    /// When `staleAfter`, or the interval it follows, cannot be read.
    pub fn stale_after(&self) -> Result<SignedDuration, quantity::Unreadable> {
        if let Some(text) = &self.trust.stale_after {
            return quantity::duration("spec.trust.staleAfter", text);
        }
        Ok(self.schedule.rhythm()?.longest_gap().saturating_mul(INTERVALS).max(A_DAY))
    }
}

/// Exactly one of its fields is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.api), has(self.file), has(self.ldap), has(self.scim)].filter(given, given).size() == 1").message("exactly one of api, file, ldap and scim must be set"))]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// A vendor's API, read by a connector of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSource>,
    /// A file of people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSource>,
    /// A directory that is asked by LDAP: Active Directory, OpenLDAP and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapSource>,
    /// What an identity provider pushes to `rollcall scim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim: Option<ScimSource>,
}

/// A vendor's API. Exactly one of `connector` and `definitionRef` is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.connector) != has(self.definitionRef)").message("exactly one of connector and definitionRef must be set"))]
#[x_kube(validation = Rule::new("!has(self.webhook) || self.webhook.secretRef.name != self.credentialsRef.name").message("webhook.secretRef must be another Secret than credentialsRef: what faces a network reads it"))]
#[serde(rename_all = "camelCase")]
pub struct ApiSource {
    /// Name of a connector, such as `bamboohr`; `rollcall connectors list` shows all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub connector: Option<String>,
    /// A definition of your own, in a ConfigMap of this namespace. It is read again with every poll. A change
    /// of it is a change of the source: the next trusted response is a new baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_ref: Option<ConfigMapKey>,
    /// Values that the connector needs, such as `subdomain`; `rollcall connectors show NAME` lists them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 512}))]
    #[x_kube(validation = Rule::new("self.all(key, size(key) <= 63)").message("names of parameters have at most 63 characters"))]
    pub parameters: BTreeMap<String, String>,
    /// Meaning of status words that are your own, in addition to the connector's; `status.unmappedStatuses` shows which words
    /// exist. Your meaning replaces the connector's, and the findings of every response report it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(word, size(word) <= 256)").message("status words have at most 256 characters"))]
    pub statuses: BTreeMap<String, StatusMeaning>,
    /// Meaning of your own words for a kind of employment; `status.unmappedTypes` shows which words exist.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(word, size(word) <= 256)").message("words have at most 256 characters"))]
    pub types: BTreeMap<String, EmploymentType>,
    /// Secret in this namespace with the connector's credentials.
    pub credentials_ref: LocalRef,
    /// Webhooks of the HR system: each asks for a read, and the read decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// A key of a ConfigMap in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKey {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in its data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A key of a Secret in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key in its data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// When a source is read: `every`, or by `cron` in `timeZone`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("!has(self.every) || !has(self.cron)").message("write either every or cron"))]
#[x_kube(validation = Rule::new("has(self.cron) == has(self.timeZone)").message("cron and timeZone go together"))]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// Time between two reads, at least `10s`, such as `30m`, `1h` or `1d`. A part of it is added, different for each connection.
    /// Default: `1h`, without `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_duration())]
    pub every: Option<String>,
    /// Times of the reads as a cron expression of five fields, such as `0 6 * * 1-5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 128))]
    pub cron: Option<String>,
    /// IANA name of the time zone of `cron`, such as `Europe/Madrid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
}

impl Schedule {
    /// When the source is read.
    ///
    /// # Errors
    /// Which field cannot be read, and what to write.
    pub fn rhythm(&self) -> Result<Rhythm, quantity::Unreadable> {
        let Some(cron) = &self.cron else {
            let every = self.every.as_deref().unwrap_or("1h");
            return quantity::duration("spec.schedule.every", every).map(Rhythm::Every);
        };
        let zone = self.time_zone.as_deref().unwrap_or_default();
        Rhythm::cron(cron, zone).map_err(|wrong| match wrong {
            "timeZone" => quantity::Unreadable {
                field: "spec.schedule.timeZone",
                text: zone.to_owned(),
                expected: "an IANA time zone such as Europe/Madrid",
            },
            _ => quantity::Unreadable {
                field: "spec.schedule.cron",
                text: cron.clone(),
                expected: "a cron expression of five fields that comes true, such as 0 6 * * 1-5",
            },
        })
    }
}

/// A pause that ends by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspend {
    /// The reason; shown in conditions.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
}

/// How a source is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Allows private, loopback, link-local and cluster addresses, and `http://`.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// Certificate authorities in PEM that this connection trusts in addition to the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<CaBundle>,
    /// Proxy for CONNECT: `http://…` or `https://…` with host and port. Its address is checked like that of a source.
    #[serde(default, rename = "proxyURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512), regex(pattern = "^https?://"))]
    pub proxy_url: Option<String>,
}

/// Where the certificate authorities are. Exactly one field is set.
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

/// What makes a response trusted. Every percentage allows at least one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trust {
    /// How many fewer people a trusted response may contain than the last one, and than the maximum of the last seven days.
    #[serde(default = "ten_percent")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_percentage())]
    pub max_shrink: String,
    /// How many known people must be the same as in the last trusted response, relative to the smaller of the two. Joiners do not
    /// count, nor people who are only missing (`maxShrink` limits these).
    #[serde(default = "ninety_five_percent")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_percentage())]
    pub min_overlap: String,
    /// How many records may be set aside, because they cannot be read or share their id with another record.
    #[serde(default = "one_percent")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_percentage())]
    pub max_bad_records: String,
    /// How many people may have an empty or unmapped status.
    #[serde(default = "one_percent")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_percentage())]
    pub max_unmapped_statuses: String,
    /// Fields that must be filled for at least one person in every response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub always_present: Vec<Field>,
    /// People who must be in every response, in the given state. A credential that does not see them does not see others like
    /// them either.
    #[serde(default, skip_serializing_if = "Sentinels::is_empty")]
    pub sentinels: Sentinels,
    /// How old the last trusted response may be before removals wait. Default: three times the longest time between two reads, and at least `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = quantity::LENGTH))]
    #[x_kube(validation = quantity::is_duration())]
    pub stale_after: Option<String>,
}

/// HR ids of people who must be in every response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sentinels {
    /// People who have left. If they are missing, the credential probably cannot see leavers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    pub departed: Vec<String>,
    /// People who work here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    pub active: Vec<String>,
    /// People who start later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    pub future: Vec<String>,
}

impl Sentinels {
    fn is_empty(&self) -> bool {
        self.departed.is_empty() && self.active.is_empty() && self.future.is_empty()
    }
}

/// Status of an HRConnection; only `rollcall sync` writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HRConnectionStatus {
    /// Generation of the spec that the status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling`, `Stalled`, `Reachable`, `Trusted`, `Recognised`, `StableIds`, `TellsLeavers`, `WebhooksTaken`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The newest attempt, trusted or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt: Option<Attempt>,
    /// The newest trusted response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_trusted: Option<Trusted>,
    /// Since when responses are trusted or not, and what was before: the newest first, at most 32 entries. Each lasted until the one
    /// above it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub trust_history: Vec<TrustPeriod>,
    /// What this source can report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// When a trusted response last contained somebody who had left, or a last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leavers_last_seen: Option<Timestamp>,
    /// Unmapped status words, each with the number of people. Map them in `source.api.statuses` or `source.file.csv.statuses`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub unmapped_statuses: BTreeMap<String, u32>,
    /// Unmapped words for a kind of employment, each with the number of people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub unmapped_types: BTreeMap<String, u32>,
    /// When the source is read next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Timestamp>,
    /// The last value of the annotation `rollcall.dev/requestedAt` that was handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_reconcile_at: Option<String>,
    /// `spec.taken` of the ReadHint that the last read handled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_hint: Option<Timestamp>,
}

/// A time in which all attempts to read the source came to the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustPeriod {
    /// When the first of these attempts ended.
    pub from: Timestamp,
    /// Whether responses were trusted. What an attempt finds that finds nothing new is the trusted response of before.
    pub trusted: bool,
    /// `Trusted`, or the reason of the first finding.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Number of people in the newest of these responses. Absent if there was no complete response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people: Option<u32>,
}

/// One attempt to read the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// When it ended.
    pub time: Timestamp,
    /// `Trusted`, or the reason of the first finding.
    #[schemars(length(max = 64))]
    pub outcome: String,
    /// Digest of the ids, statuses, dates and addresses of this response, for `kubectl rollcall accept`. Absent if there was no
    /// complete response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub response: Option<String>,
    /// All findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 512)))]
    pub findings: Vec<String>,
}

/// The newest trusted response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trusted {
    /// When it was read.
    pub time: Timestamp,
    /// Digest of the response.
    #[schemars(length(max = 64))]
    pub response: String,
    /// For a file of an SFTP server: when it was written, by that server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Timestamp>,
    /// Number of people.
    pub employees: u32,
    /// Number of people by reported status.
    #[schemars(extend("maxProperties" = 8))]
    pub statuses: BTreeMap<String, u32>,
    /// Maximum number of people within the last seven days.
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
fn ten_percent() -> String {
    "10%".to_owned()
}
fn ninety_five_percent() -> String {
    "95%".to_owned()
}
fn one_percent() -> String {
    "1%".to_owned()
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
