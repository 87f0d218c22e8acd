//! What the approvals of a Revocation are worth: one, or two where the policy asks for them.

use crate::api::condition::Reason;
use crate::api::revocation::RevocationSpec;
use crate::api::{Revocation, SyncPolicy};
use domain::gate::Approval;

/// The approval of a plan as the gate judges it. Of two, both name the same plan and are of different people; the earlier one says
/// when it expires. One alone, where two are asked for, is not whole.
#[must_use]
pub fn approval(spec: &RevocationSpec, policy: Option<&SyncPolicy>) -> Option<Approval> {
    let first = spec.approval.as_ref()?;
    let second = spec.second_approval.as_ref();
    let second = second.filter(|second| second.plan_hash == first.plan_hash && second.by != first.by);
    // Under a policy that is gone nothing acts; until then nobody is asked for less than before.
    let by_two = policy.is_none_or(|policy| policy.spec.approval.by_two());
    Some(Approval {
        plan: first.plan_hash.clone(),
        at: second.map_or(first.at, |second| second.at.min(first.at)),
        whole: !by_two || second.is_some(),
    })
}

/// Whether everybody approved who has to, as the plan says that is shown: then it is not drawn again.
#[must_use]
pub fn approved_by_all(revocation: &Revocation) -> bool {
    let plan = revocation.status.as_ref().and_then(|status| status.plan.as_ref());
    let by_two = plan.is_some_and(|plan| plan.by_two);
    revocation.spec.approval.is_some() && (!by_two || revocation.spec.second_approval.is_some())
}

/// Whether what this gate holds waits for an approval: for the first, for the second, or for another in the place of one that
/// expired. Nothing was released by the approval that it may have.
#[must_use]
pub const fn waits_for_approval(gate: Reason) -> bool {
    matches!(
        gate,
        Reason::Baseline
            | Reason::LeavesScope
            | Reason::OverLimit
            | Reason::OverClusterLimit
            | Reason::Late
            | Reason::ApprovalExpired
    )
}

/// The user names of those who approved the plan of this hash, in their order.
#[must_use]
pub fn approvers(spec: &RevocationSpec, plan: &str) -> Vec<String> {
    let given = [spec.approval.as_ref(), spec.second_approval.as_ref()].into_iter().flatten();
    given.filter(|approval| approval.plan_hash == plan).map(|approval| approval.by.clone()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn two_approvals_are_whole_if_they_are_of_one_plan_and_of_two_people() {
        let policy = |approvers: u32| -> SyncPolicy {
            serde_json::from_value(json!({"metadata": {"name": "everyone"}, "spec": {
                "connections": [{"name": "hq"}], "timeZones": {"default": "UTC"}, "approval": {"approvers": approvers}}}))
            .unwrap()
        };
        let of = |by: &str, hash: &str, at: &str| json!({"planHash": hash.repeat(64), "by": by, "at": at});
        let (early, late) = ("2026-03-01T09:00:00Z", "2026-03-01T12:00:00Z");
        let cases = [
            ("one, and one is enough", 1, of("grace", "a", late), Value::Null, true, late),
            ("one of two", 2, of("grace", "a", late), Value::Null, false, late),
            ("two: the earlier says when they expire", 2, of("grace", "a", late), of("ben", "a", early), true, early),
            ("the same person twice", 2, of("grace", "a", late), of("grace", "a", late), false, late),
            ("of another plan", 2, of("grace", "a", late), of("ben", "b", late), false, late),
        ];
        for (what, asked, first, second, whole, at) in cases {
            let spec: RevocationSpec = serde_json::from_value(json!({
                "person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": early, "reason": "left", "approval": first, "secondApproval": second}))
            .unwrap();
            let given = approval(&spec, Some(&policy(asked))).unwrap();
            assert_eq!((given.whole, given.at), (whole, at.parse().unwrap()), "{what}");
        }
    }
}
