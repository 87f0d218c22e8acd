//! People of a directory that is asked by LDAP.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InactiveMeans;
use crate::api::LocalRef;

/// A directory that is asked by LDAP, always behind TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.bindDN) || self.directory != 'ActiveDirectory' || self.tls == 'StartTls'").message("Active Directory takes a certificate only with tls: StartTls; write it, or bindDN"))]
#[serde(rename_all = "camelCase")]
pub struct LdapSource {
    /// What kind of directory it is: how its people are found, and what their attributes mean.
    pub directory: LdapDirectory,
    /// Name or address of the server, as its certificate has it.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9.:-]+$"))]
    pub host: String,
    /// Port of the server. Default: 636, or 389 with `StartTls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u32>,
    /// How TLS begins. A directory is never asked without it.
    #[serde(default)]
    pub tls: LdapTls,
    /// The entry below which people lie, such as `OU=Staff,DC=example,DC=com`.
    #[schemars(length(min = 3, max = 1024))]
    pub base: String,
    /// How far below it.
    #[serde(default)]
    pub scope: LdapScope,
    /// Which entries are people, as RFC 4515 has it, in place of the filter of the kind of directory. It must not leave out accounts that
    /// are switched off: people who are missing have not left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 2048))]
    pub filter: Option<String>,
    /// The entry to sign in as, such as `CN=rollcall,OU=Services,DC=example,DC=com`. Without it, the certificate of the Secret signs in
    /// (SASL EXTERNAL).
    #[serde(rename = "bindDN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 3, max = 1024))]
    pub bind_dn: Option<String>,
    /// Secret in this namespace with `password`, or, without `bindDN`, with `tls.crt` and `tls.key`.
    pub credentials_ref: LocalRef,
    /// Entries a page.
    #[serde(default = "five_hundred")]
    #[schemars(range(min = 1, max = 1000))]
    pub page_size: u32,
    /// Attributes to read in place of those of the kind of directory, by the field: `fullName`, `email`, `hireDate`, `manager`,
    /// `department`, `title`, `location`, `legalEntity`, `team`, `costCenter`, `phone`, `employeeNumber` and others of a Person's profile.
    /// The id, the status and the day on which an account expires are always read as the kind of directory has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 24, "additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 128}))]
    #[x_kube(validation = Rule::new("self.all(field, size(field) <= 32)").message("names of fields have at most 32 characters"))]
    pub attributes: BTreeMap<String, String>,
    /// What it means that an account is switched off. `Terminated` ends somebody's access as the policy says; write it only if nobody's
    /// account is switched off who still works here.
    #[serde(default)]
    pub inactive_means: InactiveMeans,
}

/// A kind of directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LdapDirectory {
    /// Active Directory.
    #[default]
    ActiveDirectory,
    /// OpenLDAP, 389 Directory Server, and others whose people are of the class inetOrgPerson.
    InetOrgPerson,
}

impl LdapDirectory {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ActiveDirectory => "ActiveDirectory",
            Self::InetOrgPerson => "InetOrgPerson",
        }
    }
}

/// How TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LdapTls {
    /// At once, on a port of its own (`ldaps://`).
    #[default]
    Ldaps,
    /// After a request for it, on the port of plain LDAP. Nothing else is said before.
    StartTls,
}

/// How far below the base people lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LdapScope {
    /// At any depth.
    #[default]
    Subtree,
    /// Directly in it.
    OneLevel,
}

impl LdapScope {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subtree => "Subtree",
            Self::OneLevel => "OneLevel",
        }
    }
}

impl LdapSource {
    /// The port that is asked.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.port.unwrap_or(match self.tls {
            LdapTls::Ldaps => 636,
            LdapTls::StartTls => 389,
        })
    }
}

const fn five_hundred() -> u32 {
    500
}
