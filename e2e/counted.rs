//! What was counted is what is released: a plan that grew since is counted again before anything of it is done.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::objects::object;
use crate::support::waiting::eventually;

#[tokio::test]
async fn a_plan_that_grew_under_a_hold_is_counted_again_before_it_is_released() {
    let rollcall = Installation::new("counted", &[("apps", Consent::Accounts), ("silent", Consent::None)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"objects": a_day(2)}})).await;
    let first = rollcall.account_of("7", "apps", "seven").await;
    for name in ["eight", "nine"] {
        rollcall.account_of("7", "silent", name).await;
    }
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.hold("7");
    rollcall.learn(&staff.person("7").terminated()).await;
    rollcall.waits_for("7", "Hold").await;
    eventually("one object is counted", || async {
        let ledger: k8s_openapi::api::core::v1::ConfigMap = rollcall.api().get_opt("rollcall-ledger").await.unwrap()?;
        ledger.data?.get("ledger.json")?.contains("\"released\"").then_some(())
    })
    .await;

    consent(&rollcall, "silent").await;
    eventually("the plan has grown to three objects", || async {
        let newest = rollcall.revocations("7").await.pop()?;
        (newest.status?.plan?.targets.len() == 3).then_some(())
    })
    .await;
    rollcall.lift_hold("7");

    let cut = rollcall.waits_for("7", "OverLimit").await;
    assert_eq!(rollcall.get_account("apps", "seven").await.unwrap().uid(), first.uid(), "nothing was touched");
    rollcall.approve(&cut);
    let done = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    assert_eq!(done.status.unwrap().steps.len(), 3);
}

#[tokio::test]
async fn what_is_marked_after_the_notice_waits_alone_and_holds_nobody() {
    let rollcall = Installation::new("decoys", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(5), "objects": a_day(2)}})).await;
    let first = rollcall.account_of("7", "apps", "seven").await;
    rollcall.account_of("8", "apps", "eight").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.hold("7");
    let staff = staff.person("7").terminated();
    rollcall.learn(&staff).await;
    let held = rollcall.waits_for("7", "Hold").await;
    let made = held.metadata.creation_timestamp.clone().unwrap().0;
    rollcall.until(made + jiff::SignedDuration::from_secs(2)).await; // both instants are of whole seconds
    let mut decoys = Vec::new();
    for n in 0..5 {
        decoys.push(rollcall.account("apps", &format!("decoy-{n}"), Some(&rollcall.address("7"))).await);
    }

    rollcall.learn(&staff.person("8").terminated()).await;
    rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    rollcall.lift_hold("7");
    let late = rollcall.waits_for("7", "Late").await;
    let cut = eventually("what was theirs at the notice is refused", || async {
        let cut = rollcall.revocations("7").await.into_iter().find(|r| r.name_any() == held.name_any())?.status?;
        (cut.phase == Some(Phase::Revoked)).then_some(cut)
    })
    .await;
    assert_eq!(cut.steps.iter().map(|step| step.target.uid.clone()).collect::<Vec<_>>(), [first.uid().unwrap()]);
    assert_eq!(late.status.unwrap().plan.unwrap().targets.len(), 5);
    for decoy in decoys {
        assert_eq!(rollcall.get_account("apps", &decoy.name_any()).await.unwrap().uid(), decoy.uid());
    }
}

#[tokio::test]
async fn an_account_whose_token_a_pod_of_another_account_holds_is_left_alone() {
    let rollcall = Installation::new("borrowed", &[("apps", Consent::Secrets)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let lent = rollcall.account_of("7", "apps", "seven").await;
    let target = rollcall.target("apps");
    let secret: Secret = object(json!({
        "metadata": {"name": "hand-made", "annotations": {"kubernetes.io/service-account.name": "seven"}},
        "type": "kubernetes.io/service-account-token",
    }));
    Api::namespaced(rollcall.admin.clone(), &target).create(&PostParams::default(), &secret).await.unwrap();
    let deployment: Deployment = object(json!({
        "metadata": {"name": "borrower"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "borrower"}}, "template": {
            "metadata": {"labels": {"app": "borrower"}},
            "spec": {"containers": [{"name": "c", "image": "localhost/c"}],
                     "volumes": [{"name": "token", "secret": {"secretName": "hand-made"}}]},
        }},
    }));
    Api::namespaced(rollcall.admin.clone(), &target).create(&PostParams::default(), &deployment).await.unwrap();
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated()).await;

    let done = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    let remaining = done.status.unwrap().plan.unwrap().remaining;
    assert_eq!(remaining.iter().map(|one| one.why.as_str()).collect::<Vec<_>>(), ["WorkloadAccount"]);
    assert_eq!(rollcall.get_account("apps", "seven").await.unwrap().uid(), lent.uid());
}

/// What the owner of a namespace does: lets the revoker act there, and control see what runs there.
async fn consent(rollcall: &Installation, target: &str) {
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target(target));
    let revoker = (rollcall.revoker_namespace(), format!("{}-revoke", rollcall.release));
    let control = (rollcall.namespace.clone(), format!("{}-control", rollcall.release));
    for (role, (namespace, name)) in [("revoke-accounts", revoker), ("watch-workloads", control)] {
        let binding: RoleBinding = object(json!({
            "metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("{}-{role}", rollcall.release)},
            "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": name}],
        }));
        bindings.create(&PostParams::default(), &binding).await.unwrap();
    }
}
