//! Somebody leaves, and nobody else notices: what is shared, or used by running work, is reported and left alone.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams, PostParams};
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::tokens::{legacy_secret_token, mint_bound_to_pod, mint_unbound, refused, still_works};

#[tokio::test]
async fn colleagues_shared_bindings_and_running_work_keep_working_and_are_named() {
    let rollcall = Installation::new("bystanders", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let apps = rollcall.target("apps");
    let admin = &rollcall.admin;
    for (account, owner) in [("seven", "7"), ("eight", "8"), ("robot", "7")] {
        rollcall.account_of(owner, "apps", account).await;
    }
    rollcall.account("apps", "nobodys", None).await;
    let (leaver, colleague) = (rollcall.user("7"), rollcall.user("8"));
    rollcall.bind_users("apps", "shared", &[leaver, colleague.clone()]).await;
    run_a_pod_as(&rollcall, "robot").await;
    let own = mint_unbound(admin, &apps, "seven").await;
    let others = [
        ("a colleague's unbound token", "eight", mint_unbound(admin, &apps, "eight").await),
        ("a colleague's legacy token", "eight", legacy_secret_token(admin, &apps, "eight").await.0),
        ("the token of nobody's account", "nobodys", mint_unbound(admin, &apps, "nobodys").await),
        ("the running pod's token", "robot", mint_bound_to_pod(admin, &apps, "robot", "robot-pod").await),
        ("the work's unbound token", "robot", mint_unbound(admin, &apps, "robot").await),
    ];
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    rollcall.learn(&staff.person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;

    refused("the leaver's own token", &own).await;
    for (what, account, token) in &others {
        assert!(still_works(token, &apps, account).await, "{what} still works");
    }
    assert!(rollcall.may_look(&colleague, "apps").await, "the colleague's rights still stand");
    let remaining = cut.status.unwrap().plan.unwrap().remaining;
    for (name, why) in [("shared", "SharedBinding"), ("robot", "WorkloadAccount")] {
        assert!(remaining.iter().any(|r| r.what.contains(name) && r.why == why), "{why} {name} is in {remaining:?}");
    }
}

/// A pod that runs, as far as anybody can see who is not its node.
async fn run_a_pod_as(rollcall: &Installation, account: &str) {
    let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let name = format!("{account}-pod");
    let pod: Pod = object(json!({
        "metadata": {"name": name},
        "spec": {"serviceAccountName": account, "containers": [{"name": "work", "image": "localhost/work"}]},
    }));
    pods.create(&PostParams::default(), &pod).await.unwrap();
    let running = json!({"status": {"phase": "Running"}});
    pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(running)).await.unwrap();
}
