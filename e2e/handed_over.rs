//! An account changes hands between the cut and the removal: from then on it is not the leaver's, nor is what binds it.

use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, Patch, PatchParams, PostParams};
use rollcall::api::names;
use rollcall::api::revocation::{Operation, Phase, StepOutcome};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::tokens::{mint_unbound, still_works};
use crate::support::waiting::eventually;

/// Binds the ClusterRole `view` to an account of the same namespace.
async fn bind_account(rollcall: &Installation, target: &str, account: &str) {
    let namespace = rollcall.target(target);
    let binding: RoleBinding = object(json!({
        "metadata": {"name": format!("{account}-views")},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
    }));
    Api::namespaced(rollcall.admin.clone(), &namespace).create(&PostParams::default(), &binding).await.unwrap();
}

#[tokio::test]
async fn what_was_handed_over_after_the_plan_was_released_is_left_alone_with_its_rights() {
    let rollcall = Installation::new("handed", &[("apps", Consent::Accounts)]).await;
    let (_sync, _control) = (rollcall.sync().await, rollcall.control().await);
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"lifecycle": {"termination": {"removeAfter": "30s"}}})).await;
    let apps = rollcall.target("apps");
    for account in ["ci", "ci2", "kept"] {
        rollcall.account_of("7", "apps", account).await;
        bind_account(&rollcall, "apps", account).await;
    }
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let revoker = rollcall.revoker();
    rollcall.learn(&staff.person("7").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &apps);
    // A process that is killed at work would be run again beside the next one, under the same name.
    eventually("the revoker's process ended", || async {
        let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
        let running = |pod: &Pod| pod.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Running"));
        (!pods.list(&Default::default()).await.unwrap().items.iter().any(running)).then_some(())
    })
    .await;
    drop(revoker); // before the removal is due: it is to be released, and not carried out yet
    rollcall.reaches("7", Operation::Remove, Phase::Released).await;
    for (account, owner) in [("ci", rollcall.mark("8")), ("ci2", "platform-team@example.org".to_owned())] {
        let mark = json!({"metadata": {"annotations": {names::OWNER: owner}}});
        accounts.patch(account, &PatchParams::default(), &Patch::Merge(&mark)).await.unwrap();
    }
    let tokens = [
        ("ci", mint_unbound(&rollcall.admin, &apps, "ci").await),
        ("ci2", mint_unbound(&rollcall.admin, &apps, "ci2").await),
    ];

    let _revoker = rollcall.revoker();
    let removal = rollcall.reaches("7", Operation::Remove, Phase::Revoked).await.status.unwrap();

    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &apps);
    for (account, token) in &tokens {
        assert!(still_works(token, &apps, account).await, "{account}: its token works");
        assert!(bindings.get_opt(&format!("{account}-views")).await.unwrap().is_some(), "{account}: its rights stand");
        let user = format!("system:serviceaccount:{apps}:{account}");
        assert!(rollcall.may_look(&user, "apps").await, "{account}: it may what it could");
    }
    assert!(rollcall.get_account("apps", "kept").await.is_none(), "what is still the leaver's is removed");
    assert!(bindings.get_opt("kept-views").await.unwrap().is_none());
    let mut left: Vec<_> = removal.remaining.iter().map(|one| format!("{} {}", one.why.as_str(), one.what)).collect();
    left.sort();
    let expected = [
        ("RoleBinding", "ci-views"),
        ("RoleBinding", "ci2-views"),
        ("ServiceAccount", "ci"),
        ("ServiceAccount", "ci2"),
    ];
    assert_eq!(left, expected.map(|(kind, name)| format!("HandedOver {kind} {apps}/{name}")));
    let skipped = removal.steps.iter().filter(|step| step.outcome == StepOutcome::Skipped).count();
    assert_eq!((skipped, removal.verdicts.len()), (4, 2));
}
