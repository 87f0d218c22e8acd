//! Two policies over one connection: each person has one of them, a transfer cuts nobody, a leaver is one policy's, and who is
//! in both scopes is held.

use kube::api::{Api, DeleteParams, Patch, PatchParams};
use rollcall::api::SyncPolicy;
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::tokens::{mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

fn departments(names: &[&str]) -> Value {
    json!({"scope": {"include": {"departments": names}}})
}

async fn policy_of(rollcall: &Installation, id: &str) -> Option<String> {
    rollcall.person(id).await?.status?.policy
}

/// Waits until somebody is a policy's, and is in this state.
async fn has(rollcall: &Installation, policy: &str, id: &str, state: State) {
    eventually(&format!("{id} is {policy}'s, and {state:?}"), || async {
        let status = rollcall.person(id).await?.status?;
        (status.policy.as_deref() == Some(policy) && status.employment?.state == state).then_some(())
    })
    .await;
}

/// Waits until a policy says whether people are in two scopes, and gives what it says.
async fn separate(rollcall: &Installation, policy: &str, status: Status) -> String {
    let policies: Api<SyncPolicy> = rollcall.api();
    eventually(&format!("{policy} says whether scopes are separate"), || async {
        let conditions = policies.get(policy).await.unwrap().status?.conditions;
        conditions.into_iter().find(|one| one.is(ConditionType::ScopesSeparate, status)).map(|one| one.message)
    })
    .await
}

#[tokio::test]
async fn two_policies_over_one_connection_hand_over_and_never_both_decide() {
    let rollcall = Installation::new("two-policies", &[("apps", Consent::Accounts)]).await;
    let apps = rollcall.target("apps");
    let running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(departments(&["North"])).await;
    rollcall.policy_over("south", &rollcall.connection, departments(&["South"])).await;
    let mut tokens = Vec::new();
    for (id, name) in [("7", "seven"), ("8", "eight"), ("9", "nine")] {
        rollcall.account_of(id, "apps", name).await;
        tokens.push(mint_unbound(&rollcall.admin, &apps, name).await);
    }
    let staff = rollcall.staff(1..10).everybody_in("North").person("8").department("South");
    rollcall.learn(&staff).await;
    has(&rollcall, POLICY, "7", State::Active).await;
    has(&rollcall, "south", "8", State::Active).await;
    separate(&rollcall, "south", Status::True).await;

    let transferred = staff.person("7").department("South");
    rollcall.learn(&transferred).await;
    has(&rollcall, "south", "7", State::Active).await;
    assert!(still_works(&tokens[0], &apps, "seven").await, "a transfer cuts nobody");
    assert!(rollcall.all_revocations().await.is_empty(), "nothing was planned");

    let leaves_with_a_transfer = transferred.person("9").department("South").terminated();
    rollcall.learn(&leaves_with_a_transfer).await;
    let held = rollcall.waits_for("9", "LeavesScope").await;
    assert_eq!(held.spec.policy, POLICY, "of the policy that had them");
    assert_eq!(policy_of(&rollcall, "9").await.as_deref(), Some(POLICY));

    let policies: Api<SyncPolicy> = rollcall.api();
    let both = Patch::Merge(json!({"spec": departments(&["North", "South"])}));
    policies.patch(POLICY, &PatchParams::default(), &both).await.unwrap();
    has(&rollcall, "south", "8", State::Unknown).await;
    let said = separate(&rollcall, POLICY, Status::False).await;
    assert!(said.starts_with("3 people are in the scope of this policy and of south"), "{said}");
    separate(&rollcall, "south", Status::False).await;
    drop(running);
    let _running = rollcall.run().await;
    let left = leaves_with_a_transfer.person("8").terminated();
    rollcall.learn(&left).await;
    rollcall.becomes("8", State::Unknown, "PolicyConflict").await;
    assert!(still_works(&tokens[1], &apps, "eight").await, "nobody decides");

    policies.delete(POLICY, &DeleteParams::default()).await.unwrap();
    has(&rollcall, "south", "8", State::Terminated).await;
    let cut = rollcall.waits_for("8", "Baseline").await;
    assert!(still_works(&tokens[1], &apps, "eight").await, "what ended in the conflict waits for a human");
    rollcall.approve(&cut);
    rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    refused("the token of who left", &tokens[1]).await;
    assert!(still_works(&tokens[0], &apps, "seven").await, "the other one works on");
}
