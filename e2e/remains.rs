//! What was left alone is ended by hand: the Person no longer says that access remains.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, Patch, PatchParams};
use rollcall::api::condition::ConditionType;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::tokens::{mint_unbound, still_works};
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
    rollcall.policy(json!({"limits": {"people": a_day(10)}})).await;
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

#[tokio::test]
async fn what_a_tenant_puts_in_the_place_of_what_remained_remains_too() {
    let rollcall = Installation::new("replaces", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let users = [rollcall.user("7"), rollcall.user("8")];
    rollcall.bind_users("apps", "shared", &users).await;
    let robot = rollcall.account_of("7", "apps", "robot").await;
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let annotate = |annotations: Value| Patch::Merge(json!({"metadata": {"annotations": annotations}}));
    let workload = annotate(json!({"rollcall.dev/purpose": "workload"}));
    accounts.patch("robot", &PatchParams::default(), &workload).await.unwrap();
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "robot").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    remain(&rollcall, 2).await;

    // The account loses its owner annotation, and the binding its name; the token works, and so does the right.
    let nobodys = annotate(json!({"rollcall.dev/owner": null}));
    accounts.patch("robot", &PatchParams::default(), &nobodys).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    rollcall.bind_users("apps", "in-its-place", &users).await;
    remain(&rollcall, 3).await;
    bindings.delete("shared", &Default::default()).await.unwrap();
    remain(&rollcall, 2).await;
    assert!(still_works(&token, &rollcall.target("apps"), "robot").await);
    assert!(rollcall.may_look(&users[0], "apps").await);
    says(&rollcall, "7", "False", Some("AccessRemains")).await;

    bindings.delete("in-its-place", &Default::default()).await.unwrap();
    remain(&rollcall, 1).await;
    assert_eq!(rollcall.get_account("apps", "robot").await.unwrap().metadata.uid, robot.metadata.uid);
    // A binding out of nowhere, when nothing else of theirs is a binding any more.
    rollcall.bind_users("apps", "new", &users).await;
    remain(&rollcall, 2).await;
}

/// Waits until the Person counts so many things that remain.
async fn remain(rollcall: &Installation, number: u32) {
    eventually(&format!("{number} things remain"), || async {
        (rollcall.person("7").await?.status?.access?.remaining == number).then_some(())
    })
    .await;
}
