//! Says with the gate that one of two approvals is given.

use crate::api::condition::Reason;
use crate::api::convert;
use crate::control::owned_status::ControlStatus;
use crate::kube::gate_inputs::GateInputs;

/// Longest message of a gate.
const MAX_MESSAGE: usize = 512;

/// Shows whether two people have to approve, and that one of them has.
pub(super) fn tell(inputs: &GateInputs, part: &mut ControlStatus) {
    let (Some(plan), spec) = (&mut part.plan, &inputs.revocation.spec) else { return };
    plan.by_two = inputs.policy.as_ref().is_some_and(|policy| policy.spec.approval.by_two());
    let first = spec.approval.as_ref().filter(|first| first.plan_hash == plan.hash && spec.second_approval.is_none());
    let opened = |reason: &str| {
        Reason::parse(reason).is_some_and(|one| one != Reason::ApprovalExpired && convert::waits_for_approval(one))
    };
    if let (true, Some(_), Some(gate)) = (plan.by_two, first, part.gate.as_mut().filter(|gate| opened(&gate.reason))) {
        let told = format!("One of two approvals is given: another person approves the same plan. {}", gate.message);
        gate.message = told.chars().take(MAX_MESSAGE).collect();
    }
}
