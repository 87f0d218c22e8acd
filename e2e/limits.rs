//! How many leave without a human: of one policy, of all together, over a day and over a week; and what a human's yes is
//! worth.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use rollcall::api::condition::Reason;
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{Revocation, names};
use serde_json::json;

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::objects::object;
use crate::support::waiting::eventually;

#[tokio::test]
async fn two_policies_together_stay_within_the_limit_above_them_and_a_named_leaver_passes() {
    let above = json!({"limits": {"people": a_day(3)}});
    let rollcall = Installation::with("above", &[("apps", Consent::Accounts)], above).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(10)}})).await;
    let others = rollcall.staff(21..31);
    let more = rollcall.connect_more(&others).await;
    rollcall.policy_over("others", &more, json!({"limits": {"people": a_day(10)}})).await;
    for id in ["1", "2", "3"] {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
    }
    for id in ["21", "22"] {
        rollcall.account("apps", &format!("account-{id}"), Some(&format!("id:{more}/{id}"))).await;
    }
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn_more(&others).await;

    let staff = staff.person("1").terminated().person("2").terminated();
    rollcall.learn(&staff).await;
    for id in ["1", "2"] {
        rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
    }
    rollcall.learn_more(&others.person("21").terminated().person("22").terminated()).await;
    let first = rollcall.waits_for("21", "OverClusterLimit").await;
    let second = rollcall.waits_for("22", "OverClusterLimit").await;
    let said = first.status.unwrap().gate.unwrap().message;
    assert!(said.contains("4 leavers within a day, and the limit for all policies together is 3"), "{said}");
    rollcall.learn(&staff.person("3").terminated()).await;
    rollcall.reaches("3", Operation::Cut, Phase::Revoked).await; // what waits in one policy holds nobody of another

    let shown = rollcall.succeeds(&["approve", &first.spec.person, "--yes"]);

    assert!(shown.contains(&first.metadata.name.unwrap()), "the Person's Revocation is shown: {shown}");
    rollcall.reaches("21", Operation::Cut, Phase::Revoked).await;
    let waits = rollcall.waits_for("22", "OverClusterLimit").await;
    assert_eq!(waits.labels().get(names::BATCH), second.labels().get(names::BATCH), "the rest waits as it was");
    assert!(waits.spec.approval.is_none());
    assert!(
        rollcall
            .get_account("apps", "account-22")
            .await
            .is_some_and(|account| { account.metadata.creation_timestamp < waits.metadata.creation_timestamp })
    );
}

#[tokio::test]
async fn the_month_end_of_a_large_company_needs_nobody() {
    let rollcall = Installation::new("month-end", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await; // 2 % a day and 5 % a week, as it comes
    let leavers: Vec<String> = (1..=24).map(|id| id.to_string()).collect();
    for id in &leavers {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
    }
    let mut staff = rollcall.staff(1..1201);
    rollcall.learn(&staff).await;
    for id in &leavers {
        staff = staff.person(id).terminated();
    }
    rollcall.learn(&staff).await;
    for id in &leavers {
        let cut = rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
        assert!(cut.spec.approval.is_none());
    }
}

#[tokio::test]
async fn a_few_every_day_are_held_by_the_week() {
    let rollcall = Installation::new("drip", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    let week = json!({"window": "7d", "percent": 0, "atLeast": 2});
    let day = json!({"window": "24h", "percent": 100, "atLeast": 10});
    rollcall.policy(json!({"limits": {"people": [day, week]}})).await;
    for id in ["5", "6", "7"] {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
    }
    let mut staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    for id in ["5", "6"] {
        staff = staff.person(id).terminated();
        rollcall.learn(&staff).await;
        rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
    }
    rollcall.learn(&staff.person("7").terminated()).await;
    let held = rollcall.waits_for("7", "OverLimit").await.status.unwrap().gate.unwrap().message;
    assert!(held.contains("3 leavers within a week, and the policy's limit is 2"), "{held}");
}

#[tokio::test]
async fn an_approval_that_was_not_acted_on_is_given_again_and_what_is_made_by_hand_is_counted() {
    let rollcall = Installation::new("expired", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(0)}})).await;
    let before = rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    let held = rollcall.waits_for("7", "OverLimit").await;
    let revocations: kube::Api<Revocation> = rollcall.api();

    let by_hand = held.name_any().replace("-cut", "-hand-cut");
    let spec = json!({
        "person": held.spec.person, "personUid": held.spec.person_uid, "policy": held.spec.policy, "trigger": "Termination",
        "operation": "Cut", "due": held.spec.due, "reason": "by hand",
    });
    let made: Revocation = object(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": by_hand}, "spec": spec,
    }));
    revocations.create(&PostParams::default(), &made).await.unwrap();
    eventually("what was made by hand is held by the limit as well", || async {
        let gate = revocations.get(&by_hand).await.unwrap().status?.gate?;
        (gate.reason == Reason::OverLimit.as_str() && gate.batch.is_some()).then_some(())
    })
    .await;
    rollcall.succeeds(&["reject", &by_hand, "--reason", "made for a test", "--yes"]);

    let plan = held.status.clone().unwrap().plan.unwrap();
    let reviews: kube::Api<SelfSubjectReview> = kube::Api::all(rollcall.admin.clone());
    let me = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.unwrap();
    let user = me.status.unwrap().user_info.unwrap().username;
    let two_days_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
    let old = json!({"spec": {"approval": {"planHash": plan.hash, "by": user, "at": two_days_ago}}});
    revocations.patch(&held.name_any(), &PatchParams::default(), &Patch::Merge(&old)).await.unwrap();
    rollcall.waits_for("7", "ApprovalExpired").await;
    assert_eq!(rollcall.get_account("apps", "seven").await.unwrap().uid(), before.uid(), "nothing was touched");

    rollcall.approve(&held);

    eventually("it is acted on", || async {
        let cut = revocations.get(&held.name_any()).await.unwrap();
        (cut.status?.phase == Some(Phase::Revoked)).then_some(())
    })
    .await;
    assert_ne!(rollcall.get_account("apps", "seven").await.unwrap().uid(), before.uid());
}
