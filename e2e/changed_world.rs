//! The world changes between an approval and the act: the revoker does what is left of the plan, and nothing beyond it.

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::Api;
use rollcall::api::revocation::{Operation, Phase, StepOutcome};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::waiting::eventually;

#[tokio::test]
async fn a_target_that_is_gone_is_skipped_and_a_new_one_is_a_new_plan() {
    let rollcall = Installation::new("changed", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": {"percent": 0, "atLeast": 0}}})).await;
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
