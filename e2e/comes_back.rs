//! A leaver's credential is made again, from a backup or by a pipeline: it stays refused where that can be, and is
//! reported in every case.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::tokens::{FixedResponse, legacy_secret_token, refused, whoami};
use crate::support::waiting::eventually;

#[tokio::test]
async fn a_token_secret_from_a_backup_stays_refused_and_is_reported() {
    let (rollcall, _running, staff) = Installation::with_seven("backup", Consent::Secrets, json!({})).await;
    let apps = rollcall.target("apps");
    let (token, mut backup) = legacy_secret_token(&rollcall.admin, &apps, "seven").await;
    rollcall.seven_leaves(&staff).await;
    refused("the token", &token).await;

    let secrets: Api<Secret> = Api::namespaced(rollcall.admin.clone(), &apps);
    eventually("the old Secret went with the account", || async {
        secrets.get_opt("seven-legacy").await.unwrap().is_none().then_some(())
    })
    .await;
    backup.metadata.resource_version = None;
    backup.metadata.uid = None;
    secrets.create(&PostParams::default(), &backup).await.unwrap();

    reported(&rollcall, "Secret", "seven-legacy").await;
    assert_eq!(whoami(&token).await, FixedResponse::Refused, "the old token");
}

#[tokio::test]
async fn a_new_token_secret_of_a_recycled_account_is_reported() {
    let (rollcall, _running, staff) = Installation::with_seven("again", Consent::Secrets, json!({})).await;
    rollcall.seven_leaves(&staff).await;

    legacy_secret_token(&rollcall.admin, &rollcall.target("apps"), "seven").await;

    reported(&rollcall, "Secret", "seven-legacy").await;
}

#[tokio::test]
async fn an_account_made_again_after_its_removal_is_reported_and_left_to_a_human() {
    let (rollcall, _running, staff) = Installation::with_seven(
        "revived",
        Consent::Accounts,
        json!({"lifecycle": {"termination": {"removeAfter": "1s"}}}),
    )
    .await;
    rollcall.learn(&staff.person("7").terminated()).await;
    rollcall.reaches("7", Operation::Remove, Phase::Revoked).await;

    let revived = rollcall.account_of("7", "apps", "seven").await;

    reported(&rollcall, "ServiceAccount", "seven").await;
    let live = rollcall.get_account("apps", "seven").await.expect("it is left alone until somebody approves");
    assert_eq!(live.uid(), revived.uid());
}

#[tokio::test]
async fn a_binding_made_again_is_reported() {
    let (rollcall, _running, staff) = Installation::with_seven("rebound", Consent::Accounts, json!({})).await;
    let user = rollcall.user("7");
    rollcall.bind_users("apps", "views", std::slice::from_ref(&user)).await;
    rollcall.seven_leaves(&staff).await;

    rollcall.bind_users("apps", "views", std::slice::from_ref(&user)).await;

    reported(&rollcall, "RoleBinding", "views").await;
}

/// Waits until a Revocation of person 7 says that this came back.
async fn reported(rollcall: &Installation, kind: &str, name: &str) {
    eventually(&format!("{kind} {name} is reported as come back"), || async {
        let revocations = rollcall.revocations("7").await;
        revocations.into_iter().filter_map(|revocation| revocation.status).find_map(|status| {
            let said = status.conditions.iter().any(|c| c.is(ConditionType::Returned, Status::True));
            let named = status.returned.iter().any(|back| back.kind == kind && back.name == name && back.by.is_some());
            (said && named).then_some(())
        })
    })
    .await;
}
