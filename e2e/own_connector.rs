//! A connector of a user's own, of a system that only they know: its definition, its authority, and a refresh token that
//! is another one after each use.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, Patch, PatchParams, PostParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::{HRConnection, names};
use serde_json::{Value, json};

use crate::support::installation::Installation;
use crate::support::objects::object;
use crate::support::vendor::Vendor;
use crate::support::waiting::eventually;

const FIRST: &str = "the-first";

/// Makes everything the connection names, and the connection.
async fn connect(rollcall: &Installation, vendor: &Vendor) {
    let maps: Api<ConfigMap> = rollcall.api();
    let data = json!({"connector.yaml": vendor.definition(), "ca.crt": vendor.authority});
    let map: ConfigMap = object(json!({"metadata": {"name": "acme"}, "data": data}));
    maps.create(&PostParams::default(), &map).await.unwrap();
    let secret: Secret = object(json!({
        "metadata": {"name": "acme", "annotations": {names::ROTATES: "refreshToken"}},
        "stringData": {"refreshToken": format!("{FIRST}\n"), "note": "ours"},
    }));
    rollcall.api::<Secret>().create(&PostParams::default(), &secret).await.unwrap();
    let api = json!({"definitionRef": {"name": "acme", "key": "connector.yaml"}, "credentialsRef": {"name": "acme"}});
    let bundle = json!({"configMap": {"name": "acme", "key": "ca.crt"}});
    rollcall
        .connect(json!({
            "source": {"file": null, "api": api},
            "network": {"allowPrivateAddresses": true, "caBundleRef": bundle},
        }))
        .await;
}

async fn secret(rollcall: &Installation) -> Secret {
    rollcall.api::<Secret>().get("acme").await.unwrap()
}

async fn kept(rollcall: &Installation, key: &str) -> String {
    String::from_utf8(secret(rollcall).await.data.unwrap().remove(key).unwrap().0).unwrap()
}

/// Changes the Secret as somebody else would.
fn change(rollcall: &Installation, patch: Value) -> impl Future<Output = ()> + Send + 'static {
    let secrets: Api<Secret> = rollcall.api();
    async move {
        secrets.patch("acme", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    }
}

async fn define(rollcall: &Installation, text: &str) {
    let patch = json!({"data": {"connector.yaml": text}});
    rollcall.api::<ConfigMap>().patch("acme", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
}

async fn outcome(rollcall: &Installation) -> String {
    rollcall.poll().await.status.unwrap().last_attempt.unwrap().outcome
}

#[tokio::test]
async fn a_refresh_token_that_is_another_one_after_each_use_is_kept_in_its_secret() {
    let rollcall = Installation::new("rotating", &[]).await;
    let _sync = rollcall.sync().await;
    let vendor = Vendor::with(1..11, FIRST).await;
    connect(&rollcall, &vendor).await;
    for _ in 0..2 {
        assert_eq!(outcome(&rollcall).await, "Trusted");
        assert_eq!(kept(&rollcall, "refreshToken").await, vendor.refresh());
    }

    vendor.meanwhile(change(&rollcall, json!({"metadata": {"labels": {"team": "hr"}}, "stringData": {"note": "new"}})));
    assert_eq!(outcome(&rollcall).await, "Trusted", "something else in the Secret has changed");
    assert_eq!(kept(&rollcall, "refreshToken").await, vendor.refresh());
    assert_eq!(kept(&rollcall, "note").await, "new");
    assert_eq!(secret(&rollcall).await.metadata.labels.unwrap()["team"], "hr");

    vendor.meanwhile(change(&rollcall, json!({"stringData": {"refreshToken": "by-hand"}})));
    let failed = rollcall.poll().await.status.unwrap();
    let attempt = failed.last_attempt.unwrap();
    assert_eq!(attempt.outcome, "CredentialNotKept", "{:?}", attempt.findings);
    assert!(attempt.findings[0].contains("somebody else put another one into Secret acme"), "{:?}", attempt.findings);
    assert_eq!(kept(&rollcall, "refreshToken").await, "by-hand");
    assert_eq!(outcome(&rollcall).await, "Unauthorised", "the source does not know what was put there");
    vendor.takes("by-hand");
    assert_eq!(outcome(&rollcall).await, "Trusted");

    change(&rollcall, json!({"metadata": {"annotations": {names::ROTATES: null}}})).await;
    let before = vendor.asked();
    let attempt = rollcall.poll().await.status.unwrap().last_attempt.unwrap();
    assert_eq!(attempt.outcome, "CredentialNotKept");
    assert!(
        attempt.findings[0].contains("annotate it with rollcall.dev/rotates=refreshToken"),
        "{:?}",
        attempt.findings
    );
    assert_eq!(vendor.asked(), before, "a token that could not be kept is not used");
    for log in rollcall.logs() {
        let log = std::fs::read_to_string(log).unwrap();
        assert!(!["refresh-", "access-", "by-hand", FIRST].iter().any(|secret| log.contains(secret)));
    }
}

#[tokio::test]
async fn a_definition_of_ones_own_is_read_again_with_every_poll() {
    let rollcall = Installation::new("defined", &[]).await;
    let _sync = rollcall.sync().await;
    let vendor = Vendor::with(1..11, FIRST).await;
    connect(&rollcall, &vendor).await;
    let first = rollcall.poll().await.status.unwrap().last_trusted.expect("a trusted response");
    assert_eq!(first.employees, 10);
    let again = rollcall.poll().await.status.unwrap().last_trusted.unwrap();
    assert_eq!(again.source, first.source);

    define(&rollcall, &vendor.definition().replace("setup: A refresh token.", "setup: Another.")).await;
    let same = rollcall.poll().await.status.unwrap().last_trusted.unwrap();
    assert_eq!(same.source, first.source, "what decides nothing is no other source");
    define(&rollcall, &vendor.definition().replace("statuses:\n", "statuses:\n  retired: {means: Terminated}\n")).await;
    let changed = rollcall.poll().await.status.unwrap().last_trusted.unwrap();
    assert_ne!(changed.source, first.source, "one more status word is another source");

    define(&rollcall, &vendor.definition().replace("records: data", "record: data")).await;
    let mark = json!({"metadata": {"annotations": {names::REQUESTED_AT: "a broken one"}}});
    let connections: Api<HRConnection> = rollcall.api();
    connections.patch(&rollcall.connection, &PatchParams::default(), &Patch::Merge(&mark)).await.unwrap();
    let said = eventually("the connection says what is wrong with the definition", || async {
        let status = connections.get(&rollcall.connection).await.unwrap().status?;
        let stalled = status.conditions.into_iter().find(|c| c.is(ConditionType::Stalled, Status::True))?;
        Some(stalled.message)
    })
    .await;
    assert!(said.contains("ConfigMap acme, key connector.yaml: line 15: ") && said.contains("record"), "{said}");

    define(&rollcall, &vendor.definition()).await;
    let corrected = rollcall.poll().await.status.unwrap();
    assert_eq!(corrected.last_attempt.unwrap().outcome, "Trusted");
}
