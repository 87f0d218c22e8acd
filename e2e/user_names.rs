//! Who somebody is to the cluster: HR writes names as it likes, RBAC compares exactly, and some left long ago.

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::Api;
use rollcall::api::SyncPolicy;
use rollcall::api::condition::ConditionType;
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::waiting::eventually;

#[tokio::test]
async fn a_leaver_is_found_by_the_name_in_the_binding_however_hr_writes_it() {
    let rollcall = Installation::new("user-names", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let user = rollcall.user("7");
    rollcall.bind_users("apps", "seven-views", std::slice::from_ref(&user)).await;
    let shouted = rollcall.address("7").to_uppercase();
    let staff = rollcall.staff(1..11).person("7").email(&shouted);
    rollcall.learn(&staff).await;
    assert_eq!(user_names_matched(&rollcall).await, "True");
    assert!(rollcall.may_look(&user, "apps").await);

    rollcall.learn(&staff.person("7").terminated().person("8").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    assert!(!rollcall.may_look(&user, "apps").await);
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    assert!(bindings.get_opt("seven-views").await.unwrap().is_none());

    rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    for (id, status, reason) in [("7", "True", "Refused"), ("8", "Unknown", "NothingFound")] {
        eventually("the Person says what was proved", || async {
            let conditions = rollcall.person(id).await?.status?.conditions;
            conditions.iter().any(|said| said.status == status && said.reason == reason).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn who_left_long_ago_gets_a_person_once_something_here_is_theirs_and_then_needs_approval() {
    let rollcall = Installation::new("historic", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let staff = rollcall.staff(1..11).person("7").terminated().person("8").terminated();
    rollcall.account_of("8", "apps", "eight").await;
    rollcall.learn(&staff).await;
    assert!(rollcall.person("7").await.is_none(), "nothing here is theirs");
    let eight = rollcall.person("8").await.expect("an account is marked as theirs");
    assert_eq!(eight.status.unwrap().employment.unwrap().state, State::Terminated);
    rollcall.waits_for("8", "Baseline").await;

    rollcall.account_of("7", "apps", "seven").await;
    eventually("a mark is found later", || async { rollcall.person("7").await }).await;
    rollcall.waits_for("7", "Baseline").await;
}

async fn user_names_matched(rollcall: &Installation) -> String {
    let policies: Api<SyncPolicy> = rollcall.api();
    eventually("the policy says whether its user names are found", || async {
        let conditions = policies.get(POLICY).await.unwrap().status?.conditions;
        conditions
            .into_iter()
            .find(|said| said.type_ == ConditionType::UserNamesMatched.as_str())
            .map(|said| said.status)
    })
    .await
}
