//! Starts a Job for the checks that are due of what was revoked; the revoker makes them, and says when the next one is. What works
//! again is told loudly: condition, Event and metric.
//!
//! Nothing is remembered: what is to come stands in `status.recheck.next`, so another leader, or a restart, starts the same Jobs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::owned_status::ControlStatus;
use super::{Context, jobs};
use crate::api::Revocation;
use crate::api::condition::{self, ConditionType, ConditionUpdate, Status};
use crate::api::revocation::{Phase, Recheck, Verdict};
use crate::kube::calls;
use domain::rechecks;

/// Longest sleep: the clock may be set.
const REST: Duration = Duration::from_secs(60);
/// Time between two Jobs for checks, where one did not make them all.
const AGAIN: Duration = Duration::from_secs(30);

/// Has a Job made whenever checks are due, for as long as the process lives.
///
/// # Flow          the first check that has waited long enough; sleep until then; a Job, unless one is at work
/// # Guarantees    one Job for all that are due by then; none that chooses what is checked
/// # Errors        told in the log; tried again
pub async fn keep(ctx: Arc<Context>) {
    loop {
        let now = (ctx.clock)();
        let waiting = ctx.stores.revocations.state().into_iter().filter_map(|revocation| to_come(&revocation));
        let Some(start) = rechecks::start(waiting, now) else {
            ctx.rechecks.notified().await;
            continue;
        };
        let wait = calls::wait(start.duration_since(now)).min(REST);
        if !wait.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = ctx.rechecks.notified() => {}
            }
            continue;
        }
        if let Err(fault) = jobs::ensure(&ctx, None).await {
            tracing::warn!(%fault, "no Job looks again at what was revoked; tried again");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The next check of a Revocation: its stage, and when.
pub fn to_come(revocation: &Revocation) -> Option<(u32, Timestamp)> {
    let status = revocation.status.as_ref().filter(|status| status.phase == Some(Phase::Revoked))?;
    let recheck = status.recheck.as_ref()?;
    Some((recheck.stage, recheck.next?))
}

/// What the last check saw to work again.
pub fn refuted(revocation: &Revocation) -> &[Verdict] {
    let recheck = revocation.status.as_ref().and_then(|status| status.recheck.as_ref());
    recheck.map_or(&[], |recheck| recheck.refuted.as_slice())
}

/// The check that is sealed: one that saw something work again, or that it does no more.
pub fn told<'a>(revocation: &'a Revocation, part: &ControlStatus) -> Option<&'a Recheck> {
    let recheck = revocation.status.as_ref()?.recheck.as_ref().filter(|recheck| recheck.at.is_some())?;
    (!recheck.refuted.is_empty() || shown(part, Status::True)).then_some(recheck)
}

/// Whether that it works again, or does no more, is news: it is sealed before it is said.
pub fn turned(revocation: &Revocation, part: &ControlStatus) -> bool {
    shown(part, Status::True) == refuted(revocation).is_empty() && told(revocation, part).is_some()
}

fn shown(part: &ControlStatus, status: Status) -> bool {
    part.conditions.iter().any(|shown| shown.is(ConditionType::Refuted, status))
}

/// What is said of it: once it has worked again, also that it does no more.
pub fn said(revocation: &Revocation, part: &ControlStatus) -> Option<ConditionUpdate> {
    match refuted(revocation) {
        [] if shown(part, Status::True) || shown(part, Status::False) => Some(condition::refused_again()),
        [] => None,
        some => Some(condition::works_again(some.len())),
    }
}

/// Whether this look is the first to say that something works again.
pub fn is_news(before: &ControlStatus, after: &ControlStatus) -> bool {
    shown(after, Status::True) && !shown(before, Status::True)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::condition::Condition;

    fn revocation(status: Value) -> Revocation {
        serde_json::from_value(json!({
            "metadata": {"name": "p-7-cut"},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_job_is_started_for_what_was_revoked_and_has_a_check_to_come() {
        let next = "2026-03-01T00:01:00Z";
        let due = Some((0, next.parse().unwrap()));
        for (what, status, expected) in [
            ("revoked", json!({"phase": "Revoked", "recheck": {"stage": 0, "next": next}}), due),
            ("not sealed yet", json!({"phase": "Released", "recheck": {"stage": 0, "next": next}}), None),
            ("the last was made", json!({"phase": "Revoked", "recheck": {"stage": 4, "at": next}}), None),
            ("by an older version", json!({"phase": "Revoked"}), None),
            ("failed", json!({"phase": "Failed"}), None),
        ] {
            assert_eq!(to_come(&revocation(status)), expected, "{what}");
        }
    }

    #[test]
    fn what_works_again_is_said_and_that_it_does_no_more_only_after_that() {
        let target = json!({"action": "Unbind", "kind": "RoleBinding", "namespace": "apps", "name": "b", "uid": "b1", "why": ""});
        let verdict = json!({"target": target, "verdict": "Refuted", "how": "h", "at": "2026-03-01T00:01:00Z"});
        let condition = |status: &str| -> Condition {
            serde_json::from_value(json!({"type": "Refuted", "status": status, "reason": "", "message": "",
                "lastTransitionTime": "2026-03-01T00:01:00Z"}))
            .unwrap()
        };
        for (what, refuted, shown, expected, sealed) in [
            ("all is refused", false, None, None, false),
            ("something works", true, None, Some(Status::True), true),
            ("it still does", true, Some("True"), Some(Status::True), false),
            ("it does no more", false, Some("True"), Some(Status::False), true),
            ("and stays so", false, Some("False"), Some(Status::False), false),
            ("once more", true, Some("False"), Some(Status::True), true),
        ] {
            let refuted: Vec<&Value> = refuted.then_some(&verdict).into_iter().collect();
            let revocation = revocation(json!({"phase": "Revoked",
                "recheck": {"stage": 1, "at": "2026-03-01T00:01:00Z", "refuted": refuted}}));
            let part = ControlStatus { conditions: shown.map(condition).into_iter().collect(), ..Default::default() };
            assert_eq!(said(&revocation, &part).map(|update| update.status), expected, "{what}");
            assert_eq!(turned(&revocation, &part), sealed, "{what}");
        }
    }
}
