//! Who has to approve what a policy holds.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Who has to approve a plan that needs approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approving {
    /// How many people: with `2`, a second one approves the same plan after the first, under their own name. It holds for what is approved from
    /// then on; what the revoker has begun goes on.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 2))]
    pub approvers: u32,
}

const fn one() -> u32 {
    1
}

impl Default for Approving {
    fn default() -> Self {
        Self { approvers: one() }
    }
}

impl Approving {
    /// Whether two people have to approve.
    #[must_use]
    pub const fn by_two(&self) -> bool {
        self.approvers > 1
    }
}
