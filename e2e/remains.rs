//! What was left alone is ended by hand: the Person no longer says that access remains.

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::Api;
use rollcall::api::condition::ConditionType;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::waiting::eventually;

/// Waits until the Person says this of their access: status and reason of the condition.
async fn says(rollcall: &Installation, id: &str, status: &str, reason: Option<&str>) {
    eventually(&format!("the Person {id} says Revoked={status}"), || async {
        let conditions = rollcall.person(id).await?.status?.conditions;
        let said = |c: &&rollcall::api::condition::Condition| {
            c.type_ == ConditionType::Revoked.as_str()
                && c.status == status
                && reason.is_none_or(|reason| c.reason == reason)
        };
        conditions.iter().find(said).map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_shared_binding_that_an_admin_ends_by_hand_no_longer_remains() {
    let rollcall = Installation::new("remains", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": {"atLeast": 10}}})).await;
    rollcall.account_of("7", "apps", "seven").await;
    rollcall.bind_users("apps", "shared", &[rollcall.user("7"), rollcall.user("8")]).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated().person("6").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    says(&rollcall, "7", "False", Some("AccessRemains")).await;
    assert_eq!(cut.status.unwrap().remaining_count, Some(1));
    let nothing = rollcall.reaches("6", Operation::Cut, Phase::Revoked).await;
    assert_eq!(nothing.status.unwrap().remaining_count, Some(0), "who owned nothing has nothing left, and it is said");

    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    bindings.delete("shared", &Default::default()).await.unwrap();

    says(&rollcall, "7", "True", None).await;
    rollcall.evidence_verifies();
}
