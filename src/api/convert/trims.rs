//! What remains of the bindings that a Revocation was to trim, of the Secrets that it was to rotate, of the accounts that it was to hand over, and of the
//! pods that it was to evict. The revoker finds it; once the
//! Revocation is over, control takes it over into the plan, where it follows the cluster: an admin takes the subject out by hand, or
//! rotates the Secret and hands it over to somebody else, and nothing remains.

use std::collections::BTreeSet;

use super::revocation::{self, Action, Phase, Remaining, RevocationStatus};
use domain::plan::{self, RemainingReason, Target};

/// The shared bindings and Secrets of a plan, as what remains is told.
fn trims(status: &RevocationStatus) -> BTreeSet<String> {
    let stands_on = |target: &&revocation::Target| {
        matches!(target.action, Action::Trim | Action::Rotate | Action::HandOver | Action::Evict)
    };
    let targets = status.plan.iter().flat_map(|plan| &plan.targets).filter(stands_on);
    let told = targets.map(Target::from).map(|one| plan::described(one.kind, &one.namespace, &one.name));
    told.map(|what| what.chars().take(512).collect()).collect()
}

/// What the revoker found to remain of shared bindings and Secrets, for control to take over.
#[must_use]
pub fn not_trimmed(status: &RevocationStatus) -> Vec<Remaining> {
    let trims = trims(status);
    status.remaining.iter().filter(|found| trims.contains(&found.what)).cloned().collect()
}

/// What the revoker found, without what control has taken over.
#[must_use]
pub fn found(status: &RevocationStatus) -> Vec<&Remaining> {
    let trims = if status.phase == Some(Phase::Revoked) { trims(status) } else { BTreeSet::new() };
    status.remaining.iter().filter(|found| !trims.contains(&found.what)).collect()
}

/// What remains beyond the plans of other Revocations: what the revoker found, and what of this one's shared bindings, Secrets and
/// sessions remains.
#[must_use]
pub fn of_its_own(status: &RevocationStatus) -> Vec<&Remaining> {
    let trims = trims(status);
    let its = |left: &&Remaining| trims.contains(&left.what) || of_sessions(&left.why);
    let followed = status.plan.iter().flat_map(|plan| &plan.remaining).filter(its);
    found(status).into_iter().chain(followed).collect()
}

/// Whether a reason is one of sessions, which a single Revocation tells.
#[must_use]
pub fn of_sessions(why: &str) -> bool {
    RemainingReason::SESSIONS.iter().any(|reason| reason.as_str() == why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_trimmed_remains_until_it_is_ended_by_hand_and_is_told_once() {
        let target = json!({"action": "Trim", "kind": "RoleBinding", "namespace": "apps", "name": "shared", "uid": "b1", "why": ""});
        let row = |what: &str, why: &str| json!({"what": what, "why": why, "advice": ""});
        let status = |phase: &str, planned: serde_json::Value| -> RevocationStatus {
            let found =
                json!([row("RoleBinding apps/shared", "NotTrimmed"), row("RoleBinding apps/other", "StillAllowed")]);
            let plan = json!({"hash": "h", "targets": [target], "remaining": planned});
            serde_json::from_value(json!({"phase": phase, "plan": plan, "remaining": found})).unwrap()
        };
        let words = |rows: Vec<&Remaining>| rows.into_iter().map(|row| row.why.clone()).collect::<Vec<_>>();
        let released = status("Released", json!([row("RoleBinding apps/third", "SharedBinding")]));
        assert_eq!(words(of_its_own(&released)), ["NotTrimmed", "StillAllowed"], "while the revoker is at work");
        let taken: Vec<_> = not_trimmed(&released).into_iter().map(|row| row.what).collect();
        assert_eq!(taken, ["RoleBinding apps/shared"]);
        let over = status("Revoked", json!([row("RoleBinding apps/shared", "NotTrimmed")]));
        assert_eq!(words(of_its_own(&over)), ["StillAllowed", "NotTrimmed"]);
        assert_eq!(words(found(&over)), ["StillAllowed"]);
        let by_hand = status("Revoked", json!([]));
        assert_eq!(words(of_its_own(&by_hand)), ["StillAllowed"], "an admin took the subject out");
    }
}
