//! What Argo CD and Flux make of Rollcall's objects as they really become: an HR system that is down fails no deployment, and
//! what Argo CD offers to do is done (docs/gitops.md, examples/argocd).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use rollcall::api::condition::{ConditionType, Reason, Status};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{HRConnection, SyncPolicy};
use serde_json::{Value, json};

use crate::support::chart::feed;
use crate::support::installation::{Consent, Installation, POLICY, a_day};
use crate::support::waiting::eventually;

/// The interpreter that Argo CD runs its scripts by, and the rules of Flux, compiled from their modules.
fn gitops(arguments: &[&str], object: &Value) -> Value {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let program = BUILT.get_or_init(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gitops");
        let mut go = Command::new("go");
        go.args(["build", "-trimpath", "-o"]).arg(&program).arg(".").env("CGO_ENABLED", "0");
        let output = go.current_dir("e2e/gitops").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        program
    });
    let mut command = Command::new(program);
    command.args(arguments);
    serde_json::from_slice(&feed(command, &object.to_string()).stdout).unwrap()
}

/// What both say of an object: Argo CD, Flux with the expressions of the page, and Flux without any.
fn judged(object: &impl serde::Serialize) -> [String; 3] {
    let said = gitops(&["judge"], &serde_json::to_value(object).unwrap());
    let message = said["argo"]["message"].as_str().unwrap_or_default();
    assert!(!message.contains('@'), "no address is shown: {message}");
    [&said["argo"]["status"], &said["flux"], &said["kstatus"]].map(|one| one.as_str().unwrap().to_owned())
}

/// The actions that Argo CD offers of an object.
fn offered(object: &HRConnection) -> Vec<String> {
    let said = gitops(&["judge"], &serde_json::to_value(object).unwrap());
    let all = said["actions"].as_object().unwrap().iter();
    all.filter(|(_, action)| action["disabled"] == false).map(|(name, _)| name.clone()).collect()
}

/// Does in the cluster what Argo CD would when somebody clicks.
async fn acts(rollcall: &Installation, action: &str) -> HRConnection {
    let connections: Api<HRConnection> = rollcall.api();
    let before = serde_json::to_value(connections.get(&rollcall.connection).await.unwrap()).unwrap();
    let patch = gitops(&["act", action], &before);
    connections.patch(&rollcall.connection, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap()
}

/// Waits until the connection gives this reason, and gives it.
async fn connection_says(rollcall: &Installation, name: &str, reason: Reason) -> HRConnection {
    eventually(&format!("the connection says {}", reason.as_str()), || async {
        let connection = rollcall.api::<HRConnection>().get(name).await.unwrap();
        let status = connection.status.as_ref()?;
        let conditions = status.conditions.iter();
        let told = conditions.clone().any(|c| c.type_ == ConditionType::Ready.as_str() && c.reason == reason.as_str());
        (told && status.observed_generation == connection.metadata.generation).then_some(connection)
    })
    .await
}

#[tokio::test]
async fn an_hr_system_that_is_down_fails_no_deployment_and_a_wrong_spec_does() {
    let rollcall = Installation::new("gitops", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.revoker_is_ready().await;
    let policy = eventually("the policy is as it should be", || async {
        let policy = rollcall.api::<SyncPolicy>().get(POLICY).await.unwrap();
        let ready = policy.status.as_ref()?.conditions.iter().any(|c| c.is(ConditionType::Ready, Status::True));
        ready.then_some(policy)
    })
    .await;
    assert_eq!(judged(&policy), ["Healthy", "Current", "Current"]);
    let connection = connection_says(&rollcall, &rollcall.connection, Reason::Succeeded).await;
    assert_eq!(judged(&connection), ["Healthy", "Current", "Current"]);

    rollcall.api::<ConfigMap>().delete("people", &Default::default()).await.unwrap();
    rollcall.poll().await;
    let down = connection_says(&rollcall, &rollcall.connection, Reason::Missing).await;
    assert_eq!(judged(&down), ["Healthy", "Current", "InProgress"], "a Kustomization without expressions would wait");
    assert_eq!(offered(&down), ["read-now", "suspend"]);
    rollcall.file(&rollcall.staff(1..3).csv()).await;
    rollcall.poll().await;
    let held = connection_says(&rollcall, &rollcall.connection, Reason::Shrunk).await;
    assert_eq!(judged(&held), ["Healthy", "Current", "InProgress"]);
    let policy = rollcall.api::<SyncPolicy>().get(POLICY).await.unwrap();
    assert_eq!(judged(&policy)[..2], ["Healthy", "Current"], "its policy waits for nothing either");

    let spec = |source: Value| json!({"spec": {"source": source}});
    let connections: Api<HRConnection> = rollcall.api();
    let unknown =
        json!({"file": null, "api": {"connector": "nowhere", "parameters": {}, "credentialsRef": {"name": "none"}}});
    let patch = Patch::Merge(spec(unknown));
    connections.patch(&rollcall.connection, &PatchParams::default(), &patch).await.unwrap();
    let wrong = connection_says(&rollcall, &rollcall.connection, Reason::Stalled).await;
    assert_eq!(judged(&wrong), ["Degraded", "Failed", "Failed"]);
    let no_secret = json!({"api": {"connector": "bamboohr", "parameters": {"subdomain": "acme"}}});
    let patch = Patch::Merge(spec(no_secret));
    connections.patch(&rollcall.connection, &PatchParams::default(), &patch).await.unwrap();
    let awaited = connection_says(&rollcall, &rollcall.connection, Reason::SecretMissing).await;
    assert_eq!(judged(&awaited), ["Progressing", "InProgress", "InProgress"], "its Secret may come with the same sync");
}

#[tokio::test]
async fn what_argo_cd_offers_is_done_as_by_the_command() {
    let rollcall = Installation::new("argo", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.learn(&rollcall.staff(1..11)).await;

    acts(&rollcall, "suspend").await;
    let suspended = connection_says(&rollcall, &rollcall.connection, Reason::Suspended).await;
    assert_eq!(judged(&suspended), ["Suspended", "Current", "InProgress"]);
    assert_eq!(offered(&suspended), ["resume"]);
    let stands = suspended.spec.suspend.unwrap().until.duration_since(jiff::Timestamp::now());
    assert_eq!(stands.round(jiff::Unit::Hour).unwrap(), jiff::SignedDuration::from_hours(24));

    acts(&rollcall, "resume").await;
    let resumed = connection_says(&rollcall, &rollcall.connection, Reason::Succeeded).await;
    assert_eq!((resumed.spec.suspend.is_none(), judged(&resumed)[0].as_str()), (true, "Healthy"));

    let asked = acts(&rollcall, "read-now").await.annotations()[rollcall::api::names::REQUESTED_AT].clone();
    eventually("it is read because Argo CD asked", || async {
        let status = rollcall.api::<HRConnection>().get(&rollcall.connection).await.unwrap().status?;
        (status.last_handled_reconcile_at.as_deref() == Some(asked.as_str())).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_leaver_who_waits_for_an_approval_is_suspended_in_argo_cd_and_healthy_once_refused() {
    let rollcall = Installation::new("argo-leaver", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(0)}})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    assert_eq!(judged(&rollcall.person("7").await.unwrap())[0], "Healthy", "who works here");

    rollcall.learn(&staff.person("7").terminated()).await;
    let held = rollcall.waits_for("7", "OverLimit").await;
    assert_eq!(judged(&held)[0], "Suspended");
    let person = |what: &'static str, status: &'static str| {
        let rollcall = &rollcall;
        async move {
            eventually(what, || async { rollcall.person("7").await.filter(|person| judged(person)[0] == status) }).await
        }
    };
    person("the Person waits too", "Suspended").await;
    rollcall.approve(&held);
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    assert_eq!(judged(&cut)[0], "Healthy");
    person("the Person's access is refused", "Healthy").await;
}
