//! Somebody is back: what the cut deleted is created again by a human with the right to give it, and by nobody else.

use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{Api, PostParams};
use rollcall::api::person::State;
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;

#[tokio::test]
async fn what_a_cut_deleted_of_somebody_who_is_back_is_created_again_by_who_may_give_it() {
    let (rollcall, _running, staff) = Installation::with_seven("restore", Consent::Accounts, json!({})).await;
    let (user, record) = (rollcall.user("7"), format!("{}/7", rollcall.connection));
    rollcall.bind_users("apps", "looks", std::slice::from_ref(&user)).await;
    assert!(rollcall.may_look(&user, "apps").await);
    rollcall.seven_leaves(&staff).await;
    assert!(!rollcall.may_look(&user, "apps").await);
    let said = rollcall.fails(&["restore", &record, "--yes"]);
    assert!(said.contains("has left: nothing of theirs is given back"), "{said}");

    rollcall.learn(&staff.person("7").active()).await;
    rollcall.becomes("7", State::Active, "Active").await;
    let shown = rollcall.succeeds(&["restore", &record, "--dry-run"]);
    assert!(shown.contains("looks") && shown.contains(&user), "{shown}");
    assert!(!rollcall.may_look(&user, "apps").await, "that only showed it");

    // Somebody who may read the Revocations and create bindings, and holds nothing that the role gives.
    let clerk = format!("clerk-{}", rollcall.release);
    let role = json!({
        "metadata": {"name": format!("{}-clerk", rollcall.release)},
        "subjects": [{"kind": "User", "name": clerk, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("{}-clerk", rollcall.release)},
    });
    let rules = json!({"metadata": {"name": format!("{}-clerk", rollcall.release)}, "rules": [
        {"apiGroups": ["rollcall.dev"], "resources": ["people", "revocations"], "verbs": ["get", "list"]},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings"], "verbs": ["create"]},
    ]});
    let roles: Api<k8s_openapi::api::rbac::v1::ClusterRole> = Api::all(rollcall.admin.clone());
    roles.create(&PostParams::default(), &object(rules)).await.unwrap();
    let bindings: Api<ClusterRoleBinding> = Api::all(rollcall.admin.clone());
    bindings.create(&PostParams::default(), &object(role)).await.unwrap();
    let output = rollcall.says(&["restore", &record, "--yes", "--as", &clerk]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        !output.status.success() && said.contains("not restored") && said.contains("attempting to grant"),
        "{said}"
    );
    assert!(!rollcall.may_look(&user, "apps").await);

    let said = rollcall.succeeds(&["restore", &record, "--yes"]);
    assert!(said.contains("created"), "{said}");
    assert!(rollcall.may_look(&user, "apps").await);
    let said = rollcall.succeeds(&["restore", &record, "--yes"]);
    assert!(said.contains("exists already"), "{said}");
}
