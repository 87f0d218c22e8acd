//! The connection is deleted, or applied again, or the policy cannot be followed any more: what was known goes on, and
//! nothing new acts by itself.

use kube::api::{Api, DeleteParams, Patch, PatchParams};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{HRConnection, SyncPolicy};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::waiting::eventually;

/// Twenty people under a policy that acts, and an account of the seventh.
async fn settled(story: &str) -> Installation {
    let rollcall = Installation::new(story, &[("apps", Consent::Accounts)]).await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.account_of("7", "apps", "seven").await;
    rollcall
}

async fn disconnect(rollcall: &Installation) {
    let connections: Api<HRConnection> = rollcall.api();
    connections.delete(&rollcall.connection, &DeleteParams::default()).await.unwrap();
}

async fn edit(rollcall: &Installation, spec: Value) {
    let policies: Api<SyncPolicy> = rollcall.api();
    policies.patch(POLICY, &PatchParams::default(), &Patch::Merge(&json!({"spec": spec}))).await.unwrap();
}

/// Waits until the policy says why it takes no answer over.
async fn says(rollcall: &Installation, reason: &str) {
    let policies: Api<SyncPolicy> = rollcall.api();
    eventually("the policy says what is wrong", || async {
        let policy = policies.get(POLICY).await.unwrap();
        let status = policy.status?;
        let said = status.conditions.iter().any(|one| one.type_ == "Ready" && one.reason == reason);
        (said && status.observed_generation == policy.metadata.generation).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_was_deleted_and_applied_again_makes_a_new_baseline() {
    let rollcall = settled("replaced").await;
    let _running = rollcall.run().await;
    let staff = rollcall.staff(1..21);
    rollcall.learn(&staff).await;
    disconnect(&rollcall).await;
    says(&rollcall, "ConnectionMissing").await;
    let left = staff.person("7").terminated();
    rollcall.file(&left.csv()).await; // before the connection: it is read at once, and what it reads first is the baseline
    rollcall.connect(json!({})).await;
    rollcall.learn(&left).await;
    rollcall.waits_for("7", "Baseline").await;

    disconnect(&rollcall).await;
    rollcall.connect(json!({})).await;
    rollcall.file(&rollcall.staff(101..121).csv()).await;
    let attempt = rollcall.poll().await.status.unwrap().last_attempt.unwrap();
    assert_eq!(attempt.outcome, "OtherPeople", "compared with the Persons: {:?}", attempt.findings);
}

#[tokio::test]
async fn a_known_leaver_is_cut_although_the_connection_is_gone() {
    let rollcall = settled("gone").await;
    let _running = rollcall.run().await;
    let staff = rollcall.staff(1..21);
    rollcall.learn(&staff).await;
    rollcall.stop("before the connection goes");
    rollcall.learn(&staff.person("7").terminated()).await;
    rollcall.waits_for("7", "GlobalStop").await;
    disconnect(&rollcall).await;
    says(&rollcall, "ConnectionMissing").await;
    rollcall.go_on();
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
}

#[tokio::test]
async fn a_known_leaver_is_cut_although_the_policy_cannot_be_followed_any_more() {
    let rollcall = settled("invalid").await;
    let _running = rollcall.run().await;
    let staff = rollcall.staff(1..21);
    rollcall.learn(&staff).await;
    rollcall.stop("before the policy is edited");
    rollcall.learn(&staff.person("7").terminated()).await;
    rollcall.waits_for("7", "GlobalStop").await;
    edit(&rollcall, json!({"timeZones": {"default": "Europe/Atlantis"}})).await;
    says(&rollcall, "Stalled").await;
    rollcall.go_on();
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
}
