//! Which accounts may be made again now, and as whose, and which pods may be evicted: the list that the admission policy of hand-overs reads.
//!
//! Where a namespace consented to `workloads`, the revoker writes new owners, so there it makes no account but those of this list, with
//! the owner that the list has. It follows from what is released and not ended: the next owner is the plan's, which was approved by its
//! hash. Of an account that is made again as it was the owner is the one that control watched before it was deleted, and stays on the list
//! until the account is done: nothing that the revoker writes is taken for it.

use std::sync::Arc;

use super::lists::{self, Listed as Owners};
use super::{Context, sessions};
use crate::api::revocation::{Action, Phase, RevocationStatus, Step, StepOutcome, Target};
use crate::api::{RecreatableAccounts, RecreatableAccountsSpec, Revocation};
use crate::kube::outcome::Fault;

/// Most accounts, and most pods, on the list: what the schema takes.
const MAX_ACCOUNTS: usize = 4096;
const MAX_PODS: usize = 2048;

/// Keeps the list, for as long as the process lives. It is there from the start: a policy that finds none refuses nothing.
///
/// # Guarantees    nothing is listed but what a released plan has: accounts with the next owner, the owner that was watched, or the one
///                 that stood on the list before; pods by uid
/// # Errors        told in the log; tried again
pub async fn keep(ctx: Arc<Context>) {
    let ctx = &*ctx;
    let wanted = |before: RecreatableAccountsSpec| async move { wanted(ctx, &before.owners).await.map(Some) };
    lists::keep::<RecreatableAccounts, _>(ctx, &ctx.recreates, wanted).await;
}

/// The list as it is to be now.
async fn wanted(ctx: &Context, before: &Owners) -> Result<RecreatableAccountsSpec, Fault> {
    let mut listed = RecreatableAccountsSpec::default();
    for revocation in ctx.stores.revocations.state() {
        for target in open(&revocation) {
            if !ctx.consents.of(ctx, &target.namespace).await?.workloads {
                continue;
            }
            if target.action == Action::Evict {
                if listed.pods.len() < MAX_PODS {
                    listed.pods.extend([sessions::listed(&target.into())]);
                }
                continue;
            }
            let watched =
                |target: &Target| ctx.owned(|owned| owned.owner_of(&target.namespace, &target.name, &target.uid));
            let owner = owner(target, watched(target), before);
            if let Some(owner) = owner.filter(|_| listed.owners.len() < MAX_ACCOUNTS) {
                listed.owners.insert(place(target), owner);
            }
        }
    }
    Ok(listed)
}

/// The owner that an account gets: the next one, else the one it had.
fn owner(target: &Target, watched: Option<String>, before: &Owners) -> Option<String> {
    target.heir.clone().or(watched).or_else(|| before.get(&place(target)).cloned())
}

fn place(target: &Target) -> String {
    format!("{}/{}", target.namespace, target.name)
}

/// The accounts of a Revocation that are still to be made again, and the pods that are still to be evicted; none of one that is not released, or is over.
fn open(revocation: &Revocation) -> Vec<&Target> {
    let released = |status: &&RevocationStatus| status.phase == Some(Phase::Released);
    let Some(status) = revocation.status.as_ref().filter(released) else { return Vec::new() };
    if status.outcome().is_some() {
        return Vec::new();
    }
    // One that is handed over stays until its pods are replaced too.
    let ended = |target: &&Target| {
        let over = |step: &&Step| step.target.uid == target.uid && step.outcome != StepOutcome::Begun;
        matches!(target.action, Action::Recreate | Action::Evict) && status.steps.iter().any(|step| over(&step))
    };
    let made = |target: &&Target| matches!(target.action, Action::Recreate | Action::HandOver | Action::Evict);
    status.plan.iter().flat_map(|plan| &plan.targets).filter(made).filter(|target| !ended(target)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn target(action: &str, name: &str, heir: Option<&str>) -> Value {
        json!({"action": action, "kind": "ServiceAccount", "namespace": "apps", "name": name, "uid": name, "heir": heir, "why": ""})
    }

    #[test]
    fn what_may_be_made_again_is_what_is_released_and_not_done() {
        let plan = json!({"hash": "h", "targets": [
            target("HandOver", "web", Some("id:hq/8")), target("Recreate", "laptop", None), target("Delete", "old", None),
        ]});
        let pod = json!({"hash": "h", "targets": [
            {"action": "Evict", "kind": "Pod", "namespace": "apps", "name": "web-1", "uid": "web-1", "why": ""},
        ]});
        let step = |name: &str, outcome: &str| json!({"target": target("HandOver", name, None), "outcome": outcome, "at": "2026-03-01T00:00:01Z"});
        let claim = json!({"by": "revoke-1", "at": "2026-03-01T00:00:01Z"});
        for (what, status, expected) in [
            ("held", json!({"phase": "Held", "plan": plan}), vec![]),
            ("released", json!({"phase": "Released", "plan": plan}), vec!["web", "laptop"]),
            (
                "both are made, and pods are still replaced",
                json!({"phase": "Released", "plan": plan, "steps": [step("web", "Done"), step("laptop", "Done")]}),
                vec!["web"],
            ),
            (
                "one is deleted",
                json!({"phase": "Released", "plan": plan, "steps": [step("laptop", "Begun")]}),
                vec!["web", "laptop"],
            ),
            ("finished", json!({"phase": "Released", "plan": plan, "claim": claim, "finished": "Revoked"}), vec![]),
            ("over", json!({"phase": "Revoked", "plan": plan}), vec![]),
            ("a pod is to be evicted", json!({"phase": "Released", "plan": pod}), vec!["web-1"]),
            ("it was", json!({"phase": "Released", "plan": pod, "steps": [step("web-1", "Done")]}), vec![]),
            ("that waits for an approval", json!({"phase": "Held", "plan": pod}), vec![]),
        ] {
            let revocation: Revocation = serde_json::from_value(json!({
                "metadata": {"name": "p-7-cut"},
                "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                    "due": "2026-03-01T00:00:00Z", "reason": "left"},
                "status": status,
            }))
            .unwrap();
            let names: Vec<&str> = open(&revocation).into_iter().map(|target| target.name.as_str()).collect();
            assert_eq!(names, expected, "{what}");
        }
    }

    #[test]
    fn an_account_gets_the_next_owner_of_the_plan_or_the_one_that_was_watched_before_it_was_deleted() {
        let of = |action: &str, heir| serde_json::from_value::<Target>(target(action, "web", heir)).unwrap();
        let before = Owners::from([("apps/web".to_owned(), "id:hq/7".to_owned())]);
        let watched = || Some("ada@example.com".to_owned());
        for (what, target, watched, before, expected) in [
            ("handed over", of("HandOver", Some("id:hq/8")), watched(), &before, Some("id:hq/8")),
            ("as it was", of("Recreate", None), watched(), &Owners::new(), Some("ada@example.com")),
            ("deleted already", of("Recreate", None), None, &before, Some("id:hq/7")),
            ("never seen", of("Recreate", None), None, &Owners::new(), None),
        ] {
            assert_eq!(owner(&target, watched, before).as_deref(), expected, "{what}");
        }
    }
}
