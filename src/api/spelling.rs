//! How each enum is spelled where its value is kept or counted: evidence, remaining access, Persons, Events, metrics.
//!
//! Written out, so that a variant can be renamed in the code and nothing that is stored changes with it.

use super::person::State;
use super::policy::When;
use super::revocation::{
    Action, Finished, HookOutcome, Operation, Phase, StepOutcome, TargetKind, Trigger, VerdictKind,
};
use domain::spelled;

spelled!(Phase {
    Held => "Held",
    Released => "Released",
    Revoked => "Revoked",
    Failed => "Failed",
    Cancelled => "Cancelled",
    Frozen => "Frozen",
    Lifted => "Lifted",
});
spelled!(Operation {
    Cut => "Cut",
    Remove => "Remove",
    Freeze => "Freeze",
});
spelled!(Trigger {
    Termination => "Termination",
    Leave => "Leave",
    AdHoc => "AdHoc",
});
spelled!(Action {
    Unbind => "Unbind",
    Trim => "Trim",
    Recreate => "Recreate",
    HandOver => "HandOver",
    Rotate => "Rotate",
    Delete => "Delete",
    Freeze => "Freeze",
    Evict => "Evict",
});
spelled!(TargetKind {
    ClusterRoleBinding => "ClusterRoleBinding",
    RoleBinding => "RoleBinding",
    ServiceAccount => "ServiceAccount",
    User => "User",
    Secret => "Secret",
    Pod => "Pod",
});
spelled!(Finished {
    Revoked => "Revoked",
    Failed => "Failed",
    Stopped => "Stopped",
});
spelled!(When {
    Before => "Before",
    After => "After",
});
spelled!(HookOutcome {
    Waiting => "Waiting",
    Begun => "Begun",
    Done => "Done",
    Failed => "Failed",
    TimedOut => "TimedOut",
    NotStarted => "NotStarted",
    Lost => "Lost",
    Skipped => "Skipped",
});
spelled!(StepOutcome {
    Begun => "Begun",
    Done => "Done",
    AlreadyGone => "AlreadyGone",
    NotRecreated => "NotRecreated",
    Skipped => "Skipped",
    Refused => "Refused",
    Failed => "Failed",
    Unchanged => "Unchanged",
});
spelled!(VerdictKind {
    Observed => "Observed",
    Implied => "Implied",
    Adopted => "Adopted",
    Refuted => "Refuted",
    Unknown => "Unknown",
});
spelled!(State {
    PreHire => "PreHire",
    Active => "Active",
    Suspended => "Suspended",
    Leave => "Leave",
    Terminated => "Terminated",
    OutOfScope => "OutOfScope",
    Unknown => "Unknown",
});

impl Phase {
    /// Whether a Revocation has come to its end with it.
    #[must_use]
    pub const fn ended(self) -> bool {
        matches!(self, Self::Revoked | Self::Failed | Self::Cancelled | Self::Lifted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_spelled_as_the_schema_spells_it() {
        fn same<T: serde::Serialize + Copy>(all: &[T], spelled: impl Fn(T) -> &'static str) {
            for value in all {
                assert_eq!(serde_json::to_value(value).unwrap(), spelled(*value));
            }
        }
        same(Phase::ALL, Phase::as_str);
        same(Operation::ALL, Operation::as_str);
        same(Trigger::ALL, Trigger::as_str);
        same(Action::ALL, Action::as_str);
        same(TargetKind::ALL, TargetKind::as_str);
        same(StepOutcome::ALL, StepOutcome::as_str);
        same(VerdictKind::ALL, VerdictKind::as_str);
        same(State::ALL, State::as_str);
    }
}
