//! HRConnection: where people are read, how often, and what makes an answer believable.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::{LocalRef, quantity};
pub use crate::domain::capabilities::{Capabilities, Claim};
pub use crate::domain::employee::{EmploymentType, Field};

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

/// Exactly one of its fields is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.api) != has(self.file)").message("exactly one of api and file must be set"))]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// A vendor's API, read by a connector of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSource>,
    /// A file of people.
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
    /// A definition of your own, in a ConfigMap of this namespace. It is read anew with every poll, and a change of it
    /// is a change of the source: the next answer is a new baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_ref: Option<ConfigMapKey>,
    /// Values the connector's definition asks for, such as `subdomain`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16, "additionalProperties" = {"type": "string", "maxLength": 512}))]
    #[x_kube(validation = Rule::new("self.all(key, size(key) <= 63)").message("names of parameters have at most 63 characters"))]
    pub parameters: BTreeMap<String, String>,
    /// Secret in this namespace that holds what the connector signs in with.
    pub credentials_ref: LocalRef,
}

/// A file of people: a CSV with a header row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.mode != 'Delta' || (has(self.from.sftp) && self.from.sftp.path.pattern.contains('%Y'))").message("mode Delta needs from.sftp, with a date in path.pattern that tells the order of files"))]
#[serde(rename_all = "camelCase")]
pub struct FileSource {
    /// Where the file lies.
    pub from: FileFrom,
    /// Whether the file always lists everybody.
    #[serde(default)]
    pub mode: FileMode,
    /// How the file is opened, where it is encrypted by OpenPGP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// How the file is read.
    #[serde(default)]
    pub csv: Csv,
}

/// Exactly one of its fields is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.configMap), has(self.http), has(self.sftp)].filter(set, set).size() == 1").message("exactly one of configMap, http and sftp must be set"))]
#[serde(rename_all = "camelCase")]
pub struct FileFrom {
    /// A key of a ConfigMap in this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,
    /// A URL answered by GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpFile>,
    /// A folder of an SFTP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sftp: Option<SftpFile>,
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

/// A URL answered by GET.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpFile {
    /// `https://…`; `http://` only where `network.allowPrivateAddresses` is set.
    #[schemars(length(min = 8, max = 2048), regex(pattern = "^https?://"))]
    pub url: String,
    /// Secret in this namespace with `username` and `password` (Basic) or `token` (Bearer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<LocalRef>,
}

/// A folder of an SFTP server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SftpFile {
    /// Name or address of the server.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9.:-]+$"))]
    pub host: String,
    /// Its port.
    #[serde(default = "ssh_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u32,
    /// Who signs in.
    #[schemars(length(min = 1, max = 128))]
    pub user: String,
    /// Keys of which the server must show one: `SHA256:…`, as `ssh-keygen -lf` prints it, or a public key such as
    /// `ssh-ed25519 AAAA…`. Two during a rotation. Ask whoever runs the server; a key that only was seen proves nothing.
    #[schemars(
        length(min = 1, max = 4),
        inner(
            length(min = 50, max = 2048),
            regex(pattern = "^(SHA256:[A-Za-z0-9+/]{43}|(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+( .*)?)$")
        )
    )]
    pub host_keys: Vec<String>,
    /// Where the files lie, and what they are called.
    pub path: SftpPath,
    /// Secret in this namespace with `password`, or `privateKey` and, if it is locked, `passphrase`.
    pub credentials_ref: LocalRef,
    /// How a file is known to be whole.
    #[serde(default)]
    pub complete: Complete,
    /// What becomes of a file that was read.
    #[serde(default)]
    pub archive: Archive,
}

/// Where files lie, and what they are called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SftpPath {
    /// The folder; without a `/` before it, below the one the user begins in.
    #[schemars(length(min = 1, max = 512))]
    pub directory: String,
    /// Names of the files: `*` and `?` stand for any text and any character, `%Y %m %d %H %M %S` for a date, by which
    /// the newest is known: `people_%Y-%m-%d.csv`.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[^/.][^/]*$"))]
    pub pattern: String,
}

/// How a file is known to be whole: at most one of its fields is set. None is two polls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.unchangedPolls), has(self.marker), has(self.checksum)].filter(set, set).size() <= 1").message("at most one of unchangedPolls, marker and checksum may be set"))]
#[serde(rename_all = "camelCase")]
pub struct Complete {
    /// Its size and time are the same in so many polls in a row. 1 believes the sender not to write under the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub unchanged_polls: Option<u32>,
    /// A file of the same name with this behind it lies beside it and is not older, such as `.done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16), regex(pattern = "^[.][A-Za-z0-9]+$"))]
    pub marker: Option<String>,
    /// A file of the same name with `.sha256` behind it holds its checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
}

/// The kind of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Checksum {
    /// SHA-256, in hex, as `sha256sum` writes it.
    Sha256,
}

/// What becomes of a file that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Archive {
    /// It stays where it lies: an account that may only read does.
    #[default]
    Leave,
    /// It is moved to `processed/` below the folder once it is believed, or to `failed/` where it cannot be read.
    Move,
}

/// How a file is opened that is encrypted by OpenPGP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decryption {
    /// Secret in this namespace with `privateKey`, armored, and as needed its `passphrase` and a `previousPrivateKey`.
    pub key_ref: LocalRef,
    /// Public keys, armored, of which one must have signed the file. Empty: nobody need have, and whoever may write into
    /// the folder and knows the public key may send people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(min = 64, max = 16384)))]
    pub signed_by: Vec<String>,
}

/// Whether a file always lists everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FileMode {
    /// Every file lists everybody.
    #[default]
    Full,
    /// A file names only people of whom there is something new; nothing is said of the others.
    Delta,
}

/// How a CSV file is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Csv {
    /// Header of the column that holds each field. Unnamed fields are looked for under their own names.
    #[serde(default)]
    pub columns: Columns,
    /// What each status word means. Words are compared without case and surrounding blanks. Empty: the words
    /// `active`, `leave`, `suspended`, `terminated` mean themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(word, size(word) <= 128)").message("status words have at most 128 characters"))]
    pub statuses: BTreeMap<String, StatusMeaning>,
    /// What each word for a kind of employment means, compared like those of `statuses`. Empty: the words `employee`,
    /// `contractor`, `intern`, `apprentice`, `temporary` mean themselves. Another word is not known, and counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(word, size(word) <= 128)").message("words for a kind of employment have at most 128 characters"))]
    pub types: BTreeMap<String, EmploymentType>,
    /// Reasons of a termination that mean "at once", compared like the words of `statuses`. The reason is never kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    pub urgent_reasons: Vec<String>,
    /// Form of dates, such as `%Y-%m-%d` or `%d/%m/%Y`.
    #[serde(default = "iso_date")]
    #[schemars(length(min = 2, max = 32))]
    pub date_format: String,
    /// Whether the date in the termination column is the last day of work or the first day out.
    #[serde(default)]
    pub end_date_means: EndDateMeans,
    /// One character between cells: `,`, `;`, `|` or a tab. Left out, the one that stands between the headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1), regex(pattern = "^[,;|\t]$"))]
    pub delimiter: Option<String>,
    /// What stands around cells that hold it.
    #[serde(default)]
    pub quote: Quote,
    /// How a quote stands inside such a cell.
    #[serde(default)]
    pub escape: Escape,
    /// What a file may be written in.
    #[serde(default)]
    pub encoding: Encoding,
}

/// What stands around cells that hold the delimiter or a line end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Quote {
    /// `"`.
    #[default]
    Double,
    /// `'`.
    Single,
}

/// How a quote stands inside a quoted cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Escape {
    /// Written twice.
    #[default]
    Doubled,
    /// Behind a backslash.
    Backslash,
}

/// What a file may be written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// UTF-8, or UTF-16 with a byte order mark. Another file is refused.
    #[default]
    Unicode,
    /// The same; a file that is not UTF-8 is read as Windows-1252.
    UnicodeOrWindows1252,
}

/// Header of the column that holds each field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Columns {
    /// The HR system's own id of the person; without it people are keyed by a digest of their address (`WeakIdentity`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub employee_id: Option<String>,
    /// Full name. Required in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub full_name: Option<String>,
    /// Work address. Required in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub email: Option<String>,
    /// Status word. Without the column the source speaks by its dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub status: Option<String>,
    /// First day of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub hire_date: Option<String>,
    /// Last day of work, or first day out (`endDateMeans`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub termination_date: Option<String>,
    /// Department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub department: Option<String>,
    /// Job title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub title: Option<String>,
    /// Location; picks the time zone and is kept nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub location: Option<String>,
    /// Work address of the manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub manager_email: Option<String>,
    /// Word for the kind of employment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub employment_type: Option<String>,
    /// The company that employs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub legal_entity: Option<String>,
    /// Team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub team: Option<String>,
    /// Last day they work, where it stands apart from the termination date; it counts before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub last_working_day: Option<String>,
    /// Planned end of a fixed-term contract; nothing ends by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub contract_end: Option<String>,
    /// Reason of a termination, for `urgentReasons`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub termination_reason: Option<String>,
    /// Work telephone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub phone: Option<String>,
}

/// What a status word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StatusMeaning {
    /// Works here.
    Active,
    /// On leave: reversible answers only.
    Leave,
    /// Suspended or inactive: reversible answers only.
    Suspended,
    /// Has left, or will on the last day given.
    Terminated,
}

/// What the date of an end means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EndDateMeans {
    /// The person still works that day.
    #[default]
    LastDay,
    /// The person no longer works that day.
    FirstDayOut,
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
    /// Why, for whoever finds it.
    #[schemars(length(min = 1, max = 256))]
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
}

/// How a source is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Lets the source lie at a private, loopback, link-local or cluster address, and be reached without TLS.
    #[serde(default)]
    pub allow_private_addresses: bool,
    /// Authorities in PEM that are trusted beside the public ones, by this connection alone.
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
    /// How many records may be set aside as unreadable, or carry a status nobody mapped.
    #[serde(default = "one_percent")]
    #[schemars(length(max = 4), regex(pattern = quantity::PERCENT))]
    pub max_bad_records: String,
    /// Fields that must be filled for at least one person in every answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub always_present: Vec<Field>,
    /// People that must be seen in every answer, each in its state: a credential that does not see them does not see
    /// others like them either.
    #[serde(default, skip_serializing_if = "Sentinels::is_empty")]
    pub sentinels: Sentinels,
    /// How old the last trusted answer may be before the connection is stale.
    #[serde(default = "one_day")]
    #[schemars(length(max = 12), regex(pattern = quantity::DURATION))]
    pub stale_after: String,
}

/// HR ids of people that must be seen in every answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sentinels {
    /// Who has left: without them, nobody who leaves would be seen to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    pub departed: Vec<String>,
    /// Who works here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    pub active: Vec<String>,
    /// Who starts later.
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
    /// `Ready`, `Reconciling`, `Stalled`, `Reachable`, `Trusted`, `Recognised`, `StableIds`.
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
    /// What this source can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
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
    /// When it ended.
    pub time: Timestamp,
    /// `Trusted`, or the reason of the first finding.
    #[schemars(length(max = 64))]
    pub outcome: String,
    /// Names exactly this answer; what `kubectl rollcall accept` takes. Absent where there was no whole answer.
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
    /// When it was read.
    pub time: Timestamp,
    /// Its digest.
    #[schemars(length(max = 64))]
    pub answer: String,
    /// When it was written, where it is a file of an SFTP server, by that server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Timestamp>,
    /// How many people it named.
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
fn one_day() -> String {
    "24h".to_owned()
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
fn iso_date() -> String {
    "%Y-%m-%d".to_owned()
}
const fn ssh_port() -> u32 {
    22
}

impl Default for Csv {
    fn default() -> Self {
        Self {
            columns: Columns::default(),
            statuses: BTreeMap::new(),
            types: BTreeMap::new(),
            urgent_reasons: Vec::new(),
            date_format: iso_date(),
            end_date_means: EndDateMeans::default(),
            delimiter: None,
            quote: Quote::default(),
            escape: Escape::default(),
            encoding: Encoding::default(),
        }
    }
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
            always_present: Vec::new(),
            sentinels: Sentinels::default(),
            stale_after: one_day(),
        }
    }
}
