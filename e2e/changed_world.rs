//! The world changes between an approval and the act: the revoker does what is left of the plan, and nothing beyond it.

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::Api;
use rollcall::api::Revocation;
use rollcall::api::revocation::{Operation, Phase, StepOutcome};
use serde_json::json;

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::objects::object;
use crate::support::tokens::{Token, mint_unbound, refused};
use crate::support::waiting::eventually;

#[tokio::test]
async fn a_target_that_is_gone_is_skipped_and_a_new_one_is_a_new_plan() {
    let rollcall = Installation::new("changed", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(0)}})).await;
    let first = rollcall.account_of("7", "apps", "seven").await;
    rollcall.bind_users("apps", "seven-views", &[rollcall.user("7")]).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Held).await;
    let hash = cut.status.as_ref().unwrap().plan.as_ref().unwrap().hash.clone();

    rollcall.stop("the world is changing");
    rollcall.approve(&cut);
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    bindings.delete("seven-views", &Default::default()).await.unwrap();
    let late = rollcall.account_of("7", "apps", "seven-too").await;
    rollcall.go_on();

    let done = eventually("the approved plan is carried out", || async {
        let all = rollcall.revocations("7").await;
        let same = all.into_iter().find(|r| r.name_any() == cut.name_any())?;
        (same.status.as_ref()?.phase == Some(Phase::Revoked)).then_some(same)
    })
    .await;
    let status = done.status.unwrap();
    assert_eq!(status.plan.unwrap().hash, hash, "the plan is what was approved");
    let outcome = |name: &str| status.steps.iter().find(|step| step.target.name == name).map(|step| step.outcome);
    assert_eq!(outcome("seven"), Some(StepOutcome::Done));
    assert_eq!(outcome("seven-views"), Some(StepOutcome::AlreadyGone));
    assert_eq!(outcome("seven-too"), None);
    let recreated = rollcall.get_account("apps", "seven").await.unwrap();
    assert_ne!(recreated.uid(), first.uid());

    eventually("the new account is in a new plan, which waits for approval", || async {
        let all = rollcall.revocations("7").await;
        let other = all.into_iter().find(|r| r.spec.operation == Operation::Cut && r.name_any() != cut.name_any())?;
        let status = other.status?;
        let named = status.plan?.targets.iter().any(|target| target.name == "seven-too");
        (named && status.phase == Some(Phase::Held)).then_some(())
    })
    .await;
    assert_eq!(rollcall.get_account("apps", "seven-too").await.unwrap().uid(), late.uid());
}

#[tokio::test]
async fn what_went_with_its_namespace_is_refused_and_nothing_is_made_there() {
    let rollcall = Installation::new("going", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    let (cut, token) = approved_while_stopped(&rollcall).await;
    let (namespaces, apps): (Api<Namespace>, _) = (Api::all(rollcall.admin.clone()), rollcall.target("apps"));
    namespaces.delete(&apps, &Default::default()).await.unwrap();
    eventually("the namespace is gone, and its consent with it", || async {
        namespaces.get_opt(&apps).await.unwrap().is_none().then_some(())
    })
    .await;

    rollcall.go_on();
    let done = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    refused("the token of the namespace that is gone", &token).await;
    assert_eq!(done.name_any(), cut.name_any());
    assert_eq!(done.status.unwrap().steps[0].outcome, StepOutcome::AlreadyGone);
}

#[tokio::test]
async fn an_account_that_may_not_be_made_again_is_refused_all_the_same() {
    let rollcall = Installation::new("quota", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    let (_, token) = approved_while_stopped(&rollcall).await;
    let quotas: Api<ResourceQuota> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let none = json!({"metadata": {"name": "none"}, "spec": {"hard": {"count/serviceaccounts": "0"}}});
    quotas.create(&Default::default(), &object(none)).await.unwrap();
    eventually("the quota is counted", || async {
        quotas.get("none").await.unwrap().status?.hard.map(|hard| assert!(!hard.is_empty()))
    })
    .await;

    rollcall.go_on();
    let done = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    refused("the token of the account that is gone", &token).await;
    let step = &done.status.as_ref().unwrap().steps[0];
    assert_eq!(step.outcome, StepOutcome::NotRecreated, "{step:?}");
    assert!(step.message.as_ref().unwrap().starts_with("quota: "), "{step:?}");
    assert!(rollcall.get_account("apps", "seven").await.is_none());
    assert!(!done.status.unwrap().kept.is_empty(), "its manifest is kept");
}

/// Person 7 has left, and their plan is approved and frozen: one account, whose token is returned. Everything is stopped.
async fn approved_while_stopped(rollcall: &Installation) -> (Revocation, Token) {
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(0)}})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Held).await;
    rollcall.stop("the world is changing");
    rollcall.approve(&cut);
    (cut, token)
}
