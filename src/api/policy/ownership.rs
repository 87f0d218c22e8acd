//! Sources of ownership other than the owner annotation, as a policy names them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use domain::sources::Source;

/// A source of ownership other than the owner annotation. By it nothing is ever revoked: accounts that it names a leaver for are told in
/// `status.plan.remaining`, and `kubectl rollcall coverage` suggests their owners.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("(self.from == 'Label') == (has(self.key) && has(self.owner))").message("from: Label needs key and owner, and no other source has them"))]
#[x_kube(validation = Rule::new("(self.from == 'Catalogue') == has(self.configMap)").message("from: Catalogue needs configMap, and no other source has it"))]
#[x_kube(validation = Rule::new("!has(self.owner) || self.owner.contains('{}')").message("owner needs {} where the value of the label belongs, such as {}@example.com"))]
#[serde(rename_all = "camelCase")]
pub struct OwnershipSource {
    /// What says whose an account is.
    pub from: OwnershipFrom,
    /// Of `Label`: the label's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 316))]
    pub key: Option<String>,
    /// Of `Label`: what an owner annotation would say, with `{}` for the value of the label: `{}@example.com`, or `id:hq/{}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 256))]
    pub owner: Option<String>,
    /// Of `Catalogue`: name of a ConfigMap in this namespace with entities of Backstage, as YAML, in each of its keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub config_map: Option<String>,
}

/// What says whose an account is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OwnershipFrom {
    /// The annotation `rollcall.dev/owner` of its namespace.
    #[default]
    Namespace,
    /// One of its labels.
    Label,
    /// The field managers in its managedFields, where one is called as a user or an address is.
    ManagedFields,
    /// `spec.owner` of the entity of a Backstage catalogue that its label `backstage.io/kubernetes-id` names.
    Catalogue,
}

impl OwnershipSource {
    /// As it is asked.
    #[must_use]
    pub fn source(&self) -> Source {
        match self.from {
            OwnershipFrom::Namespace => Source::Namespace,
            OwnershipFrom::Label => Source::Label {
                key: self.key.clone().unwrap_or_default(),
                owner: self.owner.clone().unwrap_or_default(),
            },
            OwnershipFrom::ManagedFields => Source::Manager,
            OwnershipFrom::Catalogue => Source::Catalogue,
        }
    }
}
