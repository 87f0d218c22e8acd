//! A file of people: where it is, how it is known to be complete, how it is decrypted and read.

mod columns;

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigMapKey, EmploymentType, LocalRef};

pub use columns::Columns;

/// A file of people: a CSV with a header row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("self.mode != 'Delta' || (has(self.from.sftp) && self.from.sftp.path.pattern.contains('%Y'))").message("mode Delta needs from.sftp, with a date in path.pattern that tells the order of files"))]
#[serde(rename_all = "camelCase")]
pub struct FileSource {
    /// Where the file is.
    pub from: FileFrom,
    /// Whether each file lists everybody.
    #[serde(default)]
    pub mode: FileMode,
    /// How the file is decrypted, if it is encrypted with OpenPGP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// How the file is read.
    #[serde(default)]
    pub csv: Csv,
}

/// Where the file is. Exactly one field is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.configMap), has(self.http), has(self.sftp)].filter(set, set).size() == 1").message("exactly one of configMap, http and sftp must be set"))]
#[serde(rename_all = "camelCase")]
pub struct FileFrom {
    /// A key of a ConfigMap in this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,
    /// A URL that is read by GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpFile>,
    /// A folder of an SFTP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sftp: Option<SftpFile>,
}

/// A URL that is read by GET.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpFile {
    /// `https://…`; `http://` only if `network.allowPrivateAddresses` is set.
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
    /// Port of the server.
    #[serde(default = "ssh_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u32,
    /// User name for the sign-in.
    #[schemars(length(min = 1, max = 128))]
    pub user: String,
    /// Host keys, one of which the server must show: `SHA256:…`, as `ssh-keygen -lf` prints it, or a public key such as
    /// `ssh-ed25519 AAAA…`. List two during a rotation. Ask the server's operator for them.
    #[schemars(
        length(min = 1, max = 4),
        inner(
            length(min = 50, max = 2048),
            regex(pattern = "^(SHA256:[A-Za-z0-9+/]{43}|(ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/=]+( .*)?)$")
        )
    )]
    pub host_keys: Vec<String>,
    /// The folder, and the names of the files.
    pub path: SftpPath,
    /// Secret in this namespace with `password`, or `privateKey` and, if the key has one, `passphrase`.
    pub credentials_ref: LocalRef,
    /// How a file is known to be complete.
    #[serde(default)]
    pub complete: Complete,
    /// What happens to a file that was read.
    #[serde(default)]
    pub archive: Archive,
}

/// The folder, and the names of the files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SftpPath {
    /// The folder. Without a leading `/`, it is relative to the user's home folder.
    #[schemars(length(min = 1, max = 512))]
    pub directory: String,
    /// Names of the files, such as `people_%Y-%m-%d.csv`: `*` and `?` match any text and any character, `%Y %m %d %H %M %S` a
    /// date, which determines the newest file.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[^/.][^/]*$"))]
    pub pattern: String,
}

/// How a file is known to be complete. At most one field is set; the default is `unchangedPolls: 2`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("[has(self.unchangedPolls), has(self.marker), has(self.checksum)].filter(set, set).size() <= 1").message("at most one of unchangedPolls, marker and checksum may be set"))]
#[serde(rename_all = "camelCase")]
pub struct Complete {
    /// Size and time are the same in this many polls in a row. Use 1 only if the sender writes under another name and renames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub unchanged_polls: Option<u32>,
    /// Suffix of a marker file that must exist and not be older, such as `.done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16), regex(pattern = "^[.][A-Za-z0-9]+$"))]
    pub marker: Option<String>,
    /// A file with the suffix `.sha256` contains the checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
}

/// The kind of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Checksum {
    /// SHA-256, in hex, as `sha256sum` writes it.
    Sha256,
}

/// What happens to a file that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Archive {
    /// It stays where it is; a read-only account is enough.
    #[default]
    Leave,
    /// It is moved to `processed/` in the folder once it is trusted, or to `failed/` if it cannot be read.
    Move,
}

/// How a file that is encrypted with OpenPGP is decrypted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decryption {
    /// Secret in this namespace with `privateKey`, armored, and optionally `passphrase` and `previousPrivateKey`.
    pub key_ref: LocalRef,
    /// Armored public keys, one of which must have signed the file. If empty, no signature is required, and everybody who can
    /// write into the folder and has the public key can send people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4), inner(length(min = 64, max = 16384)))]
    pub signed_by: Vec<String>,
}

/// Whether each file lists everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FileMode {
    /// Every file lists everybody.
    #[default]
    Full,
    /// A file contains only people with changes; all others are unchanged.
    Delta,
}

/// How a CSV file is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Csv {
    /// Header of the column for each field. A field without a header is found by its own name.
    #[serde(default)]
    pub columns: Columns,
    /// Meaning of each status word. Words are compared without case and surrounding blanks. If empty, `active`, `leave`,
    /// `suspended` and `terminated` are recognised.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(word, size(word) <= 128)").message("status words have at most 128 characters"))]
    pub statuses: BTreeMap<String, StatusMeaning>,
    /// Meaning of each word for a kind of employment, compared like those of `statuses`. If empty, `employee`, `contractor`,
    /// `intern`, `apprentice` and `temporary` are recognised. Other words are unmapped, and counted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    #[x_kube(validation = Rule::new("self.all(word, size(word) <= 128)").message("words for a kind of employment have at most 128 characters"))]
    pub types: BTreeMap<String, EmploymentType>,
    /// Reasons of a termination that mean "at once", compared like the words of `statuses`. The reason is never kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 128)))]
    pub urgent_reasons: Vec<String>,
    /// Words for an empty cell, such as `NULL` or `N/A`, compared like those of `statuses`; not applied to names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub none: Vec<String>,
    /// Date format, such as `%Y-%m-%d` or `%d/%m/%Y`; `%Y` is a year of four digits, `%y` of two.
    #[serde(default = "iso_date")]
    #[schemars(length(min = 2, max = 32))]
    pub date_format: String,
    /// Whether the date in the termination column is the last day of work or the first day out.
    #[serde(default)]
    pub end_date_means: EndDateMeans,
    /// The character between cells: `,`, `;`, `|` or a tab. By default, it is found in the header line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1), regex(pattern = "^[,;|\t]$"))]
    pub delimiter: Option<String>,
    /// The quote around cells that contain the delimiter.
    #[serde(default)]
    pub quote: Quote,
    /// How a quote is written inside a quoted cell.
    #[serde(default)]
    pub escape: Escape,
    /// Accepted encodings.
    #[serde(default)]
    pub encoding: Encoding,
}

/// The quote around cells that contain the delimiter or a line end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Quote {
    /// `"`.
    #[default]
    Double,
    /// `'`.
    Single,
}

/// How a quote is written inside a quoted cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Escape {
    /// Doubled.
    #[default]
    Doubled,
    /// After a backslash.
    Backslash,
}

/// Accepted encodings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// UTF-8, or UTF-16 with a byte order mark. Other files are refused.
    #[default]
    Unicode,
    /// The same; a file that is not UTF-8 is read as Windows-1252.
    UnicodeOrWindows1252,
}

/// Meaning of a status word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StatusMeaning {
    /// Works here.
    Active,
    /// On leave; nothing is done.
    Leave,
    /// Suspended or inactive; nothing is done.
    Suspended,
    /// Has left, or leaves on the given last day.
    Terminated,
}

/// Meaning of the end date.
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
