//! The HR system takes a termination back: what was not yet done is not done.

use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::tokens::{mint_unbound, still_works};
use crate::support::waiting::eventually;

#[tokio::test]
async fn a_termination_withdrawn_after_the_cut_cancels_the_removal_and_the_account_stands() {
    let rollcall = Installation::new("withdrawn", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"lifecycle": {"termination": {"removeAfter": "20s"}}})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.clone().person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    let remove = rollcall.reaches("7", Operation::Remove, Phase::Held).await;

    rollcall.learn(&staff.person("7").active()).await;
    rollcall.reaches("7", Operation::Remove, Phase::Cancelled).await;

    rollcall.until(remove.spec.due).await;
    let apps = rollcall.target("apps");
    let account = rollcall.get_account("apps", "seven").await.expect("the account stands");
    let recreated = cut.status.unwrap().steps.into_iter().find_map(|step| step.new_uid);
    assert_eq!(account.metadata.uid, recreated);
    let token = mint_unbound(&rollcall.admin, &apps, "seven").await;
    assert!(still_works(&token, &apps, "seven").await, "a new token is all it takes");
    eventually("the Person works here again, and is not called revoked", || async {
        let status = rollcall.person("7").await?.status?;
        let active = status.employment?.state == State::Active;
        (active && !status.conditions.iter().any(|c| c.is(ConditionType::Revoked, Status::True))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_termination_withdrawn_before_its_approval_is_never_carried_out() {
    let rollcall = Installation::new("early", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(0)}})).await;
    let account = rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.clone().person("7").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Held).await;

    rollcall.learn(&staff.person("7").active()).await;

    rollcall.reaches("7", Operation::Cut, Phase::Cancelled).await;
    let standing = rollcall.get_account("apps", "seven").await.unwrap();
    assert_eq!(standing.metadata.uid, account.metadata.uid);
}
