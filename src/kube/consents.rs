//! The table of what namespaces consent to: written by control, shown by `kubectl rollcall consents`, and planned by in
//! `kubectl rollcall plan`.

use domain::plan::Consent;
use serde::{Deserialize, Serialize};

/// Key of the table in its ConfigMap.
pub const KEY: &str = "namespaces.json";
/// Key of the number of namespaces that the table has no room for.
pub const OMITTED: &str = "omitted";

/// One namespace of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The namespace; empty for cluster-scoped bindings.
    pub namespace: String,
    /// Accounts and bindings.
    pub accounts: bool,
    /// Canaries.
    pub canaries: bool,
    /// Whether `rollcall trim` may take a leaver's subject out of shared bindings.
    #[serde(default)]
    pub trim: bool,
    /// Whether the revoker may rotate Secrets, and control see whose they are.
    #[serde(default)]
    pub rotate: bool,
    /// Whether the revoker may hand over accounts that workloads run as, and have their pods replaced.
    #[serde(default)]
    pub workloads: bool,
    /// Whether control may see token Secrets come back.
    pub secrets: bool,
    /// What of the consent for accounts is missing, as `verb resource`.
    pub missing: Vec<String>,
}

impl Row {
    /// What a plan asks of it.
    #[must_use]
    pub const fn consent(&self) -> Consent {
        let Self { accounts, canaries, trim, rotate, workloads, .. } = *self;
        Consent { accounts, canaries, trim, rotate, workloads }
    }
}
