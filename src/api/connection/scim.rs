//! People that an identity provider pushes by SCIM.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::LocalRef;

/// What an identity provider pushes to `rollcall scim`, which the chart installs with `scim.enabled`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimSource {
    /// Secret in this namespace whose values are bearer tokens, each of at least 32 characters: any of them is accepted, so that one
    /// can be replaced without a gap. The chart's value `scim.tokenSecrets` must list it.
    pub credentials_ref: LocalRef,
    /// Which attribute of a user is the id of the employee.
    #[serde(default)]
    pub employee_id: ScimId,
    /// What `active: false` means. `Terminated` ends somebody's access as the policy says; write it only if the identity provider
    /// deactivates nobody who still works here.
    #[serde(default)]
    pub inactive_means: InactiveMeans,
}

/// An attribute of a user that is the id of the employee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ScimId {
    /// `externalId`, the id that the identity provider has.
    #[default]
    ExternalId,
    /// `employeeNumber` of the enterprise extension.
    EmployeeNumber,
    /// `id`, which Rollcall gave: another one for a user who was deleted and pushed again.
    Id,
}

impl ScimId {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExternalId => "externalId",
            Self::EmployeeNumber => "employeeNumber",
            Self::Id => "id",
        }
    }
}

/// What it means that an account is not active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum InactiveMeans {
    /// Suspended: reversible answers only.
    #[default]
    Suspended,
    /// The person has left.
    Terminated,
}
