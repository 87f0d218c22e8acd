//! Secrets that a leaver could only read are listed before their bindings go: by name, and by running something in pods that use them.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{Api, PostParams};
use rollcall::api::revocation::ExposureTier;
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::waiting::eventually;

/// A role of `apps` with one rule, bound to a user alone.
async fn may(rollcall: &Installation, user: &str, name: &str, rule: serde_json::Value) {
    let (apps, group) = (rollcall.target("apps"), "rbac.authorization.k8s.io");
    let role: Role = object(json!({"metadata": {"name": name}, "rules": [rule]}));
    Api::namespaced(rollcall.admin.clone(), &apps).create(&PostParams::default(), &role).await.unwrap();
    let binding: RoleBinding = object(json!({
        "metadata": {"name": name}, "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
        "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
    }));
    Api::namespaced(rollcall.admin.clone(), &apps).create(&PostParams::default(), &binding).await.unwrap();
}

#[tokio::test]
async fn what_a_leaver_could_read_is_listed_with_how_and_stays_listed_once_their_rights_are_gone() {
    let (rollcall, _running, staff) = Installation::with_seven("exposed", Consent::Accounts, json!({})).await;
    let (apps, seven) = (rollcall.target("apps"), rollcall.user("7"));
    let by_name = json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["db"], "verbs": ["get"]});
    may(&rollcall, &seven, "reads", by_name).await;
    may(&rollcall, &seven, "runs", json!({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]})).await;
    let all = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]});
    may(&rollcall, &rollcall.user("8"), "colleague", all).await;
    let from = json!([{"secretRef": {"name": "tls"}}]);
    let pod: Pod = object(json!({"metadata": {"name": "web"}, "spec": {
        "containers": [{"name": "main", "image": "example.com/app:1", "envFrom": from}]}}));
    Api::namespaced(rollcall.admin.clone(), &apps).create(&PostParams::default(), &pod).await.unwrap();
    let whom = format!("{}/7", rollcall.connection);
    eventually("the plan lists both before anybody leaves", || async {
        let plan = rollcall.succeeds(&["plan", &whom]);
        let listed = [format!("Secret {apps}/db"), format!("Secret {apps}/tls, by exec or attach")];
        listed.iter().all(|line| plan.contains(line)).then_some(())
    })
    .await;

    let cut = rollcall.seven_leaves(&staff).await;

    let exposure = cut.status.unwrap().exposure.expect("a list");
    let rows: Vec<_> =
        exposure.secrets.iter().map(|one| (one.tier, one.namespace.as_str(), one.name.as_str())).collect();
    assert_eq!(rows, [(ExposureTier::Named, apps.as_str(), "db"), (ExposureTier::Exec, apps.as_str(), "tls")]);
    assert_eq!(exposure.more, 0);
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &apps);
    assert!(bindings.get_opt("reads").await.unwrap().is_none(), "the right itself is gone");
    let why = rollcall.succeeds(&["why", &whom]);
    assert!(
        why.contains("they could read Secrets that are not theirs") && why.contains(&format!("{apps}/tls")),
        "{why}"
    );
    rollcall.evidence_verifies();
}
