//! The kinds of `rollcall.dev/v1alpha1`, four, what a SCIM client pushed, that a webhook came, and five lists that admission policies read: the contract with everything that applies, reads or watches them.
//!
//! Every type here can always be read back: durations and percentages are strings with a pattern, parsed once at the
//! edge; every string and list has a bound; a field whose behaviour does not exist yet is not in the schema.

#![allow(clippy::duplicated_attributes, reason = "printer columns repeat their words: `type_`, `priority`")]

pub mod condition;
pub mod connection;
pub mod convert;
pub mod ended;
pub mod frozen;
pub mod hint;
pub mod hooks;
pub mod names;
pub mod person;
pub mod policy;
pub mod quantity;
pub mod recreatable;
pub mod revocation;
pub mod scim;
pub mod spelling;
pub mod trimmable;

pub use condition::Condition;
pub use connection::HRConnection;
pub use ended::{EndedAccess, EndedAccessSpec};
pub use frozen::{FrozenNames, FrozenNamesSpec};
pub use hint::{ReadHint, ReadHintSpec};
pub use hooks::{HookTemplates, HookTemplatesSpec};
pub use person::Person;
pub use policy::SyncPolicy;
pub use recreatable::{RecreatableAccounts, RecreatableAccountsSpec};
pub use revocation::Revocation;
pub use scim::{ScimResource, ScimResourceSpec};
pub use trimmable::{TrimmableSubjects, TrimmableSubjectsSpec};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The definitions of all kinds, in the order of `crds/`.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut all = vec![
        EndedAccess::crd(),
        FrozenNames::crd(),
        HRConnection::crd(),
        HookTemplates::crd(),
        Person::crd(),
        ReadHint::crd(),
        Revocation::crd(),
        ScimResource::crd(),
        SyncPolicy::crd(),
        TrimmableSubjects::crd(),
        RecreatableAccounts::crd(),
    ];
    let versions = all.iter_mut().flat_map(|definition| &mut definition.spec.versions);
    versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()).for_each(signed);
    all
}

/// Writes unsigned integers as Kubernetes knows them: it has no `uint32` and warns of it each time the definition is applied.
fn signed(schema: &mut JSONSchemaProps) {
    if let Some(format) = schema.format.as_mut().filter(|format| *format == "uint32") {
        "int64".clone_into(format);
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(signed);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        signed(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        signed(values);
    }
}

/// The name of an object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// Name of the object, in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// Puts what a test changes over an example of an object.
#[cfg(test)]
pub fn merge(example: &mut serde_json::Value, change: &serde_json::Value) {
    use serde_json::Value;
    match (example, change) {
        (Value::Object(example), Value::Object(change)) => {
            for (key, change) in change {
                merge(example.entry(key).or_insert(Value::Null), change);
            }
        }
        (example, change) => *example = change.clone(),
    }
}
