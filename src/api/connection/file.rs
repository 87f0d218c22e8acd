//! A file of people: where it lies, how it is known to be whole, how it is opened and read.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::{ConfigMapKey, EmploymentType, LocalRef};
use domain::field::{self, Text, Texts};

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
    /// Words that stand for nothing, such as `NULL` or `N/A`, compared like those of `statuses`; a name is never one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub none: Vec<String>,
    /// Form of dates, such as `%Y-%m-%d` or `%d/%m/%Y`. A year of `%Y` has four digits, one of `%y` two.
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
    /// Full name. Required in the file: the header of one column, or a list of up to four whose parts make the name, such as
    /// `[First name, Last name]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Headers::schema")]
    pub full_name: Option<Headers>,
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
    /// Work address of the manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub manager_email: Option<String>,
    /// Word for the kind of employment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub employment_type: Option<String>,
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
    /// Those of plain texts.
    #[serde(flatten)]
    #[schemars(schema_with = "text_columns")]
    pub texts: Texts,
}

fn text_columns(_: &mut SchemaGenerator) -> Schema {
    field::schema(Text::ALL.iter().copied(), Some(1), 128)
}

/// The header of one column, or those of several that belong together.
///
/// A schema of Kubernetes cannot say "a text or a list of texts", so the API server takes anything here. What is neither
/// is read as no header at all, which stalls the connection: an object that cannot be read would stall all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "serde_json::Value", into = "serde_json::Value")]
pub struct Headers(pub Vec<String>);

impl Headers {
    /// Most columns that belong together, and the longest header.
    const MOST: usize = 4;
    const LONGEST: usize = 128;

    /// The headers, where there are some that could stand in a file.
    #[must_use]
    pub fn get(&self) -> Option<&[String]> {
        let fits = |header: &String| (1..=Self::LONGEST).contains(&header.chars().count());
        let headers = self.0.as_slice();
        ((1..=Self::MOST).contains(&headers.len()) && headers.iter().all(fits)).then_some(headers)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"x-kubernetes-preserve-unknown-fields": true})
    }
}

impl From<serde_json::Value> for Headers {
    fn from(value: serde_json::Value) -> Self {
        let texts = match value {
            serde_json::Value::String(text) => vec![text],
            other => serde_json::from_value(other).unwrap_or_default(),
        };
        Self(texts)
    }
}

impl From<Headers> for serde_json::Value {
    fn from(headers: Headers) -> Self {
        match <[String; 1]>::try_from(headers.0) {
            Ok([one]) => Self::String(one),
            Err(several) => several.into(),
        }
    }
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
            none: Vec::new(),
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
