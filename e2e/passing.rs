//! Who is released while a batch is acted on does not wait for the rest of it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use rollcall::api::revocation::{Operation, Phase, RevocationStatus, StepOutcome};
use rollcall::api::{Revocation, names};
use serde_json::json;

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::objects::object;
use crate::support::waiting::eventually;

/// More than the revoker acts on at once.
const BATCH: std::ops::Range<u32> = 20..40;

/// When the account that nothing holds was ended.
fn ended(status: &RevocationStatus) -> Option<Timestamp> {
    status.steps.iter().find(|step| step.outcome == StepOutcome::Done).map(|step| step.at)
}

async fn cut_of(rollcall: &Installation, id: &str) -> Option<RevocationStatus> {
    let mut cuts = rollcall.revocations(id).await.into_iter();
    cuts.rfind(|revocation: &Revocation| revocation.spec.operation == Operation::Cut)?.status
}

/// An account of this person that cannot be deleted.
async fn hold_up(rollcall: &Installation, id: &str) {
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let held: ServiceAccount = object(json!({"metadata": {
        "name": format!("held-{id}"), "finalizers": ["example.com/never"], "annotations": {names::OWNER: rollcall.mark(id)},
    }}));
    accounts.create(&PostParams::default(), &held).await.unwrap();
}

#[tokio::test]
async fn a_leaver_passes_a_batch_whose_every_place_is_held_up_by_finalizers() {
    let rollcall = Installation::new("passing", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({"trust": {"maxShrink": "90%"}})).await;
    rollcall.policy(json!({"limits": {"people": a_day(1)}})).await;
    let batch: Vec<String> = BATCH.map(|id| id.to_string()).collect();
    for id in batch.iter().map(String::as_str).chain(["7"]) {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
    }
    for id in &batch {
        hold_up(&rollcall, id).await;
    }
    let staff = rollcall.staff(1..60);
    rollcall.learn(&staff).await;
    // Counted first, so that no batch is theirs, and held, so that they are released later than the batch.
    rollcall.hold("7");
    let mut staff = staff.person("7").terminated();
    rollcall.learn(&staff).await;
    rollcall.waits_for("7", "Hold").await;
    for id in &batch {
        staff = staff.person(id).terminated();
    }
    rollcall.learn(&staff).await;
    let held = rollcall.waits_for(&batch[0], "OverLimit").await.status.unwrap();
    for id in &batch {
        rollcall.waits_for(id, "OverLimit").await;
    }
    rollcall.approve_batch(&held.gate.unwrap().batch.unwrap());
    eventually("the batch is being acted on", || async { ended(&cut_of(&rollcall, &batch[0]).await?) }).await;

    rollcall.lift_hold("7");

    let passed = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await.status.unwrap();
    let mut first = None;
    for id in &batch {
        let cut = rollcall.reaches(id, Operation::Cut, Phase::Failed).await.status.unwrap();
        assert!(cut.steps.iter().any(|step| step.outcome == StepOutcome::Failed), "something held {id}");
        first = first.or(cut.acted).min(cut.acted);
    }
    assert!(
        passed.gate.is_none() && ended(&passed) < first,
        "{:?} before any finalizer was given up on, {first:?}",
        ended(&passed)
    );
}
