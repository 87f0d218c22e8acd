//! Somebody leaves: every credential they own is refused, with proof, and what was cut is later removed.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::Api;
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::person::State;
use rollcall::api::revocation::{Action, Operation, Phase, VerdictKind};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::tokens::{legacy_secret_token, mint_bound_to_secret, mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

#[tokio::test]
async fn every_credential_of_a_leaver_is_refused_and_the_account_is_gone_after_the_wait() {
    let rollcall = Installation::new("leaver", &[("apps", Consent::Canaries)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"lifecycle": {"termination": {"removeAfter": "5s"}}})).await;
    let apps = rollcall.target("apps");
    let admin = &rollcall.admin;
    let user = rollcall.user("7");
    let before = rollcall.account_of("7", "apps", "seven").await;
    rollcall.bind_users("apps", "seven-views", std::slice::from_ref(&user)).await;
    let (legacy, _) = legacy_secret_token(admin, &apps, "seven").await;
    let tokens = [
        ("the legacy token Secret's token", legacy),
        ("the bound token", mint_bound_to_secret(admin, &apps, "seven").await),
        ("the unbound token", mint_unbound(admin, &apps, "seven").await),
    ];
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    for (what, token) in &tokens {
        assert!(still_works(token, &apps, "seven").await, "{what} works before");
    }
    assert!(rollcall.may_look(&user, "apps").await, "the binding works before");

    rollcall.learn(&staff.person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;

    for (what, token) in &tokens {
        refused(what, token).await;
    }
    assert!(!rollcall.may_look(&user, "apps").await, "the binding is gone");
    let status = cut.status.unwrap();
    let verdict_of = |action| status.verdicts.iter().rfind(|v| v.target.action == action).map(|v| v.verdict);
    assert_eq!(verdict_of(Action::Recreate), Some(VerdictKind::Observed), "a canary was tried");
    assert_eq!(verdict_of(Action::Unbind), Some(VerdictKind::Observed), "the right was asked for");
    assert!(status.verified.is_some() && status.confirmed.is_some());
    eventually("the Person says that access is refused", || async {
        let person = rollcall.person("7").await?.status?;
        person.conditions.iter().any(|c| c.is(ConditionType::Revoked, Status::True)).then_some(())
    })
    .await;

    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), &apps);
    let remove = rollcall.reaches("7", Operation::Remove, Phase::Revoked).await;
    assert!(remove.status.unwrap().acted.unwrap() >= remove.spec.due, "not before it was due");
    assert!(accounts.get_opt("seven").await.unwrap().is_none(), "the account is gone");
    let bindings: Api<RoleBinding> = Api::namespaced(admin.clone(), &apps);
    assert!(bindings.get_opt("seven-views").await.unwrap().is_none());
    let recreated = status.steps.iter().find_map(|step| step.new_uid.clone());
    assert!(recreated.is_some() && recreated != before.metadata.uid, "the cut made it again under another uid");
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn who_cannot_be_told_to_have_left_keeps_access() {
    let rollcall = Installation::new("unknown", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    for id in ["6", "7", "8"] {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
    }
    let staff = rollcall.staff(1..201);
    rollcall.learn(&staff).await;

    let contradiction = staff.person("6").active().last_day("2021-06-30");
    let unmapped = contradiction.person("7").status("");
    rollcall.learn(&unmapped.without("8").person("9").terminated()).await;

    rollcall.reaches("9", Operation::Cut, Phase::Revoked).await;
    for (id, state) in [("6", State::Unknown), ("7", State::Unknown), ("8", State::Active)] {
        let status = rollcall.person(id).await.unwrap().status.unwrap();
        assert_eq!(status.employment.unwrap().state, state, "{id}");
        assert!(rollcall.revocations(id).await.is_empty(), "{id}");
    }
}
