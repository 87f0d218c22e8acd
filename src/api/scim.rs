//! ScimResource: one user or group that an identity provider pushed, as `rollcall scim` keeps it and `rollcall sync` reads it.
//!
//! Holds what is mapped to an employee and what the protocol has to give back, and nothing else. An object each, so that several
//! replicas serve, and that nothing is lost which was answered with success. It goes with its connection, by an owner reference.

use jiff::Timestamp;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Spec of a ScimResource: written by `rollcall scim` alone.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "ScimResource",
    plural = "scimresources",
    singular = "scimresource",
    namespaced,
    derive = "PartialEq",
    doc = "One user or group that an identity provider pushed. Written by rollcall scim alone.",
    printcolumn(name = "Connection", type_ = "string", json_path = ".spec.connection"),
    printcolumn(name = "Active", type_ = "boolean", json_path = ".spec.user.active"),
    printcolumn(name = "Changed", type_ = "date", json_path = ".spec.changed")
)]
#[x_kube(validation = Rule::new("has(self.user) != has(self.group)").message("exactly one of user and group must be set"))]
#[x_kube(validation = Rule::new("self.connection == oldSelf.connection && self.connectionUid == oldSelf.connectionUid").message("a resource stays with its connection"))]
#[serde(rename_all = "camelCase")]
pub struct ScimResourceSpec {
    /// Name of the HRConnection.
    #[schemars(length(min = 1, max = 40))]
    pub connection: String,
    /// Its uid: a connection that was deleted and applied again is another.
    #[schemars(length(min = 1, max = 64))]
    pub connection_uid: String,
    /// When it was changed last.
    pub changed: Timestamp,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<ScimUser>,
    /// The group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<ScimGroup>,
}

/// What is kept of a user. The names are those of RFC 7643.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimUser {
    /// The name that the user signs in with.
    #[schemars(length(min = 1, max = 256))]
    pub user_name: String,
    /// The id that the client has for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub external_id: Option<String>,
    /// Whether the account may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The name that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display_name: Option<String>,
    /// The parts of the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ScimName>,
    /// The title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub title: Option<String>,
    /// The kind of employment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub user_type: Option<String>,
    /// Addresses for mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub emails: Vec<ScimEntry>,
    /// Numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub phone_numbers: Vec<ScimEntry>,
    /// Where the user works.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub addresses: Vec<ScimAddress>,
    /// The enterprise extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enterprise: Option<ScimEnterprise>,
}

/// The parts of a name.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimName {
    /// The full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub formatted: Option<String>,
    /// The family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub family_name: Option<String>,
    /// The given name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub given_name: Option<String>,
}

/// An address for mail, or a number.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimEntry {
    /// The address or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub value: Option<String>,
    /// What it is for.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub type_: Option<String>,
    /// Whether it is the preferred one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// A place.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimAddress {
    /// The city.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub locality: Option<String>,
    /// The state or region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub region: Option<String>,
    /// The country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub country: Option<String>,
    /// What it is for.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub type_: Option<String>,
    /// Whether it is the preferred one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
}

/// The enterprise extension.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimEnterprise {
    /// The number that the company gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub employee_number: Option<String>,
    /// The cost center.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub cost_center: Option<String>,
    /// The legal entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub organization: Option<String>,
    /// The division.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub division: Option<String>,
    /// The department.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub department: Option<String>,
    /// The manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<ScimManager>,
}

/// A manager.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimManager {
    /// The id of the user who is the manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub value: Option<String>,
}

/// What is kept of a group. Nothing is decided by it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimGroup {
    /// The name that is shown.
    #[schemars(length(min = 1, max = 256))]
    pub display_name: String,
    /// The id that the client has for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub external_id: Option<String>,
    /// Who belongs to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub members: Vec<ScimMember>,
}

/// A member of a group.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimMember {
    /// The id of the user or group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub value: Option<String>,
    /// A name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub display: Option<String>,
    /// `User` or `Group`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub type_: Option<String>,
}

/// Personal values print nothing of themselves.
macro_rules! says_nothing {
    ($($type:ident)+) => {
        $(impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(stringify!($type))
            }
        })+
    };
}
says_nothing!(ScimUser ScimName ScimEntry ScimAddress ScimEnterprise ScimManager ScimGroup ScimMember);

impl ScimResource {
    /// The id that the client knows it by: its name, and the beginning of its uid, so that an id is never given twice, whoever takes
    /// the name over.
    #[must_use]
    pub fn scim_id(&self) -> String {
        let uid: String =
            self.metadata.uid.iter().flat_map(|uid| uid.chars()).filter(char::is_ascii_hexdigit).take(8).collect();
        format!("{}-{uid}", self.metadata.name.as_deref().unwrap_or_default())
    }
}
