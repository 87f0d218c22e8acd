//! `rollcall reject`: a human's no to what a Revocation would do, or to every Revocation of a batch.
//!
//! The access stands, the share leaves the count, and the decision is sealed. It binds the Revocation and not one plan
//! of it, so that nothing which turns up later is let through as if nobody had decided. It can be taken back.

use crate::kube::named::Api;
use clap::{ArgGroup, Args};
use futures::StreamExt;
use serde_json::{Value, json};

use super::Failure;
use super::approve::{find, name, plans, show, whom};
use super::asked::Which;
use super::cluster::whoami;
use super::terminal::{plain, reason, say};
use super::write::write_over;
use crate::api::condition::Reason;
use crate::api::revocation::RevocationStatus;
use crate::api::{Person, Revocation, convert};

/// Options of `rollcall reject`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("decision").required(true).args(["reason", "undo"])))]
pub struct Options {
    #[command(flatten)]
    which: Which,
    /// The reason; it is stored on the Revocation, so do not name people
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,
    /// Withdraw a rejection: the Revocation is counted, and checked against every gate again
    #[arg(long)]
    undo: bool,
}

/// Shows what is rejected, asks, and writes each decision.
///
/// # Flow          read, show, ask, find the caller's own name, write
/// # Guarantees    what has begun, was approved, or has ended is not rejected; rejecting twice is rejecting once
/// # Assumptions   the approval policies of the chart are installed
/// # Errors        when any of them was not written; each says why in its own line
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.which.cluster.client().await?;
    let api: Api<Revocation> = Api::namespaced(client.clone(), options.which.cluster.namespace());
    let people: Api<Person> = Api::namespaced(client.clone(), options.which.cluster.namespace());
    let found = find(&api, &options.which).await?;
    let (mut open, mut failed) = (Vec::new(), 0_usize);
    let mut each = std::pin::pin!(whom(&people, &found));
    while let Some((revocation, who)) = each.next().await {
        match decidable(revocation, options.undo) {
            Ok(true) => {
                let plan = revocation.status.as_ref().and_then(|status| status.plan.clone()).unwrap_or_default();
                say(&format!("{}\n", show(revocation, &who, &plan)));
                open.push(revocation);
            }
            Ok(false) => say(&format!("{}: nothing to do", name(revocation))),
            Err(why) => {
                failed = failed.saturating_add(1);
                say(&format!("{}: {why}", name(revocation)));
            }
        }
    }
    if !open.is_empty() {
        let user = whoami(client).await?;
        let what = if options.undo { "Withdraw the rejection of" } else { "Reject" };
        options.which.asked.confirm(format!("{what} {} as {}?", plans(open.len()), plain(&user)))?;
        for revocation in open {
            let decision = decision(options.reason.as_deref(), &user);
            let still = |read: &Revocation| same(read, revocation) && decidable(read, options.undo) == Ok(true);
            let done = if options.undo { "no longer rejected" } else { "rejected" };
            match write_over(&api, revocation, "write the decision", &decision, still).await {
                Ok(()) => say(&format!("{}: {done}", name(revocation))),
                Err(why) => {
                    failed = failed.saturating_add(1);
                    say(&format!("{}: not {done}: {}", name(revocation), plain(&why.to_string())));
                }
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Refused(format!("{failed} of {} not written", found.len()))) }
}

/// Whether there is anything to write, or why it cannot be.
fn decidable(revocation: &Revocation, undo: bool) -> Result<bool, &'static str> {
    let rejected = revocation.spec.rejection.is_some();
    if undo {
        return Ok(rejected);
    }
    let status = revocation.status.clone().unwrap_or_default();
    let RevocationStatus { phase, claim, plan, .. } = status;
    match (rejected, phase.is_some_and(crate::api::revocation::Phase::ended), claim, &revocation.spec.approval) {
        (_, true, _, _) => Err("it has ended, so there is nothing to reject"),
        (true, ..) => Ok(false),
        (_, _, Some(_), _) => Err("the revoker has begun; `kubectl rollcall stop` keeps it from its next step"),
        (_, _, _, Some(_)) if !half_approved(revocation) => {
            Err("it was approved, and an approval is final; set a hold on the Person instead")
        }
        _ if plan.is_none() => Err("it has no plan yet: `rollcall control` makes it"),
        _ => Ok(true),
    }
}

/// Whether two readings of a Revocation have the same plan.
fn same(one: &Revocation, other: &Revocation) -> bool {
    let plan =
        |of: &Revocation| of.status.as_ref().and_then(|status| status.plan.as_ref().map(|plan| plan.hash.clone()));
    plan(one) == plan(other)
}

/// Whether it has one of the two approvals that it needs, so that nothing is released by it; or one that is void.
fn half_approved(revocation: &Revocation) -> bool {
    let status = revocation.status.as_ref();
    let gate = status.and_then(|status| Reason::parse(&status.gate.as_ref()?.reason));
    revocation.spec.second_approval.is_none() && gate.is_some_and(convert::waits_for_approval)
}

/// The decision; without a reason the one that is there is taken back.
fn decision(reason: Option<&str>, user: &str) -> Value {
    json!({"rejection": reason.map(|reason| json!({"reason": reason, "by": user}))})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revocation(spec: Value, status: Value) -> Revocation {
        let mut whole = json!({
            "metadata": {"name": "p-7-cut", "resourceVersion": "5"},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": status,
        });
        whole["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn only_what_waits_can_be_rejected() {
        let plan = json!({"hash": "a".repeat(64), "targets": []});
        let no = json!({"rejection": {"reason": "r", "by": "grace"}});
        let yes = json!({"approval": {"planHash": "a".repeat(64), "by": "grace", "at": "2026-03-01T09:00:00Z"}});
        let second = json!({"planHash": "a".repeat(64), "by": "ben", "at": "2026-03-01T09:00:00Z"});
        let both = json!({"approval": yes["approval"], "secondApproval": second});
        let claim = json!({"by": "revoke-1", "at": "2026-03-01T00:00:00Z"});
        let gate = |reason: &str| json!({"reason": reason, "message": ""});
        let cases = [
            ("held", json!({}), json!({"phase": "Held", "plan": plan}), Some(true)),
            ("held, in Observe, before it was looked at", json!({}), json!({"plan": plan}), Some(true)),
            ("rejected already", no, json!({"phase": "Held", "plan": plan}), Some(false)),
            ("approved", yes.clone(), json!({"phase": "Held", "plan": plan}), None),
            (
                "approved, and held by a stop",
                yes.clone(),
                json!({"phase": "Held", "plan": plan, "gate": gate("GlobalStop")}),
                None,
            ),
            (
                "one of two approvals",
                yes.clone(),
                json!({"phase": "Held", "plan": plan, "gate": gate("OverLimit")}),
                Some(true),
            ),
            (
                "an approval that expired",
                yes,
                json!({"phase": "Held", "plan": plan, "gate": gate("ApprovalExpired")}),
                Some(true),
            ),
            ("both approvals", both, json!({"phase": "Held", "plan": plan, "gate": gate("OverLimit")}), None),
            ("begun", json!({}), json!({"phase": "Released", "plan": plan, "claim": claim}), None),
            ("no plan", json!({}), json!({"phase": "Held"}), None),
            ("over", json!({}), json!({"phase": "Revoked", "plan": plan}), None),
        ];
        for (situation, spec, status, expected) in cases {
            assert_eq!(decidable(&revocation(spec, status), false).ok(), expected, "{situation}");
        }
    }

    #[test]
    fn a_decision_has_its_reason_and_is_taken_back_by_its_absence() {
        assert_eq!(decision(Some("no"), "grace"), json!({"rejection": {"reason": "no", "by": "grace"}}));
        assert_eq!(decision(None, "grace"), json!({"rejection": null}));
    }
}
