//! The four kinds of `rollcall.dev/v1alpha1`: the contract with whoever applies, reads or watches them.
//!
//! Every type here can always be read back: durations and percentages are strings with a pattern, parsed once at the
//! edge; every string and list has a bound; a field whose behaviour does not exist yet is not in the schema.

#![allow(clippy::duplicated_attributes, reason = "printer columns repeat their words: `type_`, `priority`")]

pub mod condition;
pub mod connection;
pub mod convert;
pub mod names;
pub mod person;
pub mod policy;
pub mod quantity;
pub mod revocation;

pub use condition::Condition;
pub use connection::HRConnection;
pub use person::Person;
pub use policy::SyncPolicy;
pub use revocation::Revocation;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The definitions of all kinds, in the order of `crds/`.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![HRConnection::crd(), Person::crd(), Revocation::crd(), SyncPolicy::crd()]
}

/// The name of an object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
