//! Done means refused: an act that was answered with success and did nothing is never called done.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, Patch, PatchParams};
use rollcall::api::Revocation;
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Operation, Phase, VerdictKind};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::proxy::{Fault, Proxy};
use crate::support::tokens::{mint_unbound, still_works};

#[tokio::test]
async fn a_delete_that_did_nothing_is_never_called_revoked() {
    for consent in [Consent::Accounts, Consent::Canaries] {
        let rollcall = Installation::new("noop", &[("apps", consent)]).await;
        let proxy = Arc::new(Proxy::open().await);
        proxy.fails_by(Fault::SwallowDeletes);
        let _running = (rollcall.sync().await, rollcall.control().await, rollcall.revoker_through(&proxy));
        rollcall.connect(json!({})).await;
        rollcall.policy(json!({})).await;
        rollcall.account_of("7", "apps", "seven").await;
        let apps = rollcall.target("apps");
        let token = mint_unbound(&rollcall.admin, &apps, "seven").await;
        let staff = rollcall.staff(1..11);
        rollcall.learn(&staff).await;

        rollcall.learn(&staff.person("7").terminated()).await;

        let cut = rollcall.reaches("7", Operation::Cut, Phase::Failed).await;
        assert!(proxy.calls().iter().any(|call| call.starts_with("DELETE")), "the revoker tried");
        assert!(still_works(&token, &apps, "seven").await);
        unproved(&rollcall, cut).await;
    }
}

#[tokio::test]
async fn an_account_held_by_a_foreign_finalizer_is_never_called_revoked() {
    let rollcall = Installation::new("finalizer", &[("apps", Consent::Canaries)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let held = json!({"metadata": {"finalizers": ["example.com/held"]}});
    accounts.patch("seven", &PatchParams::default(), &Patch::Merge(&held)).await.unwrap();
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    rollcall.learn(&staff.person("7").terminated()).await;

    let cut = rollcall.reaches("7", Operation::Cut, Phase::Failed).await;
    let said = cut.status.as_ref().unwrap().steps.iter().find_map(|step| step.message.clone()).unwrap_or_default();
    assert!(said.contains("example.com/held"), "the step names who holds it: {said}");
    unproved(&rollcall, cut).await;
}

/// Nothing anywhere claims that the credentials are refused.
async fn unproved(rollcall: &Installation, cut: Revocation) {
    let status = cut.status.unwrap();
    assert!(!status.verdicts.is_empty());
    for verdict in &status.verdicts {
        let claimed = matches!(verdict.verdict, VerdictKind::Observed | VerdictKind::Implied);
        assert!(!claimed, "{:?}: {}", verdict.verdict, verdict.how);
    }
    assert!(status.verified.is_none() && status.confirmed.is_none());
    let person = rollcall.person("7").await.unwrap().status.unwrap();
    assert!(!person.conditions.iter().any(|c| c.is(ConditionType::Revoked, Status::True)));
}
