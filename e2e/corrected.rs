//! A credential that was wrong and is corrected: the source is read again by itself, long before its interval is over.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, Patch, PatchParams, PostParams};
use rollcall::api::condition::{Condition, ConditionType, Reason, Status};
use rollcall::api::{HRConnection, names};
use serde_json::json;

use crate::support::installation::Installation;
use crate::support::objects::object;
use crate::support::vendor::Vendor;
use crate::support::waiting::{eventually, within};

/// The Secret is looked at every 30 seconds; the rest is for a busy machine. The interval is an hour.
const MAX_WAIT: Duration = Duration::from_secs(120);

async fn ready(rollcall: &Installation) -> Option<Condition> {
    let connections: Api<HRConnection> = rollcall.api();
    let conditions = connections.get(&rollcall.connection).await.unwrap().status?.conditions;
    conditions.into_iter().find(|condition| condition.type_ == ConditionType::Ready.as_str())
}

async fn waits_with(rollcall: &Installation, reason: Reason) -> Condition {
    eventually(&format!("the connection says {reason}"), || async {
        ready(rollcall).await.filter(|ready| ready.status == "False" && ready.reason == reason.as_str())
    })
    .await
}

#[tokio::test]
async fn a_secret_that_is_made_and_then_corrected_is_read_long_before_the_interval_is_over() {
    let rollcall = Installation::new("corrected", &[]).await;
    let _sync = rollcall.sync().await;
    let vendor = Vendor::with(1..11, "the-right-one").await;
    let data = json!({"connector.yaml": vendor.definition(), "ca.crt": vendor.authority});
    let map: ConfigMap = object(json!({"metadata": {"name": "acme"}, "data": data}));
    rollcall.api().create(&PostParams::default(), &map).await.unwrap();
    let definition = json!({"name": "acme", "key": "connector.yaml"});
    rollcall
        .connect(json!({
            "source": {"file": null, "api": {"definitionRef": definition, "credentialsRef": {"name": "acme"}}},
            "network": {"allowPrivateAddresses": true, "caBundleRef": {"configMap": {"name": "acme", "key": "ca.crt"}}},
        }))
        .await;
    waits_with(&rollcall, Reason::SecretMissing).await;

    let secrets: Api<Secret> = rollcall.api();
    let wrong: Secret = object(json!({
        "metadata": {"name": "acme", "annotations": {names::ROTATES: "refreshToken"}},
        "stringData": {"refreshToken": "a-wrong-one"},
    }));
    secrets.create(&PostParams::default(), &wrong).await.unwrap();
    let refused = waits_with(&rollcall, Reason::Unauthorised).await;
    assert!(refused.message.contains("Correct the Secret of credentialsRef"), "{}", refused.message);

    let right = Patch::Merge(json!({"stringData": {"refreshToken": "the-right-one"}}));
    secrets.patch("acme", &PatchParams::default(), &right).await.unwrap();
    within(MAX_WAIT, "the corrected Secret is read", || async {
        ready(&rollcall).await.filter(|ready| ready.is(ConditionType::Ready, Status::True))
    })
    .await;
}
