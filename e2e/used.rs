//! What an audit log tells of leavers: attempts after the exit, and what was let in, by the real log of the API server.

use std::path::Path;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::tokens::mint_unbound;
use crate::support::waiting::eventually;

/// Somebody with a token who acts as a user: the log of the test's API server notes accounts alone, and as whom they act.
async fn acting_as(rollcall: &Installation, token: &str, user: &str) -> Client {
    let kubeconfig = rollcall.cluster.kubeconfig_for(&rollcall.cluster.server, token);
    let kubeconfig = Kubeconfig::from_yaml(&kubeconfig).unwrap();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    config.auth_info.impersonate = Some(user.to_owned());
    config.auth_info.impersonate_groups = Some(vec!["system:authenticated".to_owned()]);
    Client::try_from(config).unwrap()
}

/// The answer of `rollcall used` as JSON, and its exit code.
fn used(rollcall: &Installation, log: &Path, more: &[&str]) -> (Value, Option<i32>) {
    let log = log.display().to_string();
    let output = rollcall.says(&[&["used", "--audit-log", log.as_str(), "-o", "json"], more].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let answer = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text} {}", String::from_utf8_lossy(&output.stderr)));
    (answer, output.status.code())
}

fn row<'a>(answer: &'a Value, by: &str) -> Option<&'a Value> {
    answer["used"].as_array().unwrap().iter().find(|row| row["by"] == by)
}

#[tokio::test]
async fn what_a_leaver_tries_after_the_exit_is_counted_from_the_api_servers_own_log() {
    let (rollcall, _running, staff) = Installation::with_seven("used", Consent::Accounts, json!({})).await;
    let (apps, user, log) = (rollcall.target("apps"), rollcall.user("7"), rollcall.cluster.audit_log());
    rollcall.bind_users("apps", "views", std::slice::from_ref(&user)).await;
    rollcall.account("apps", "bot", None).await;
    let may: ClusterRoleBinding = object(json!({
        "metadata": {"name": format!("{}-bot", rollcall.release)},
        "subjects": [{"kind": "ServiceAccount", "name": "bot", "namespace": apps}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    }));
    let bindings: Api<ClusterRoleBinding> = Api::all(rollcall.admin.clone());
    bindings.create(&PostParams::default(), &may).await.unwrap();
    let bot = mint_unbound(&rollcall.admin, &apps, "bot").await.0;
    let maps = |client: Client| Api::<ConfigMap>::namespaced(client, &apps);
    let as_seven = maps(acting_as(&rollcall, &bot, &user).await);
    eventually("they can read before they leave", || async { as_seven.list(&ListParams::default()).await.ok() }).await;
    assert_eq!(used(&rollcall, &log, &[]).1, Some(0), "nobody has left");

    rollcall.seven_leaves(&staff).await;
    for _ in 0..3 {
        as_seven.list(&ListParams::default()).await.expect_err("refused");
    }
    let as_eight = maps(acting_as(&rollcall, &bot, &rollcall.user("8")).await);
    as_eight.list(&ListParams::default()).await.expect_err("a colleague without a right");
    let (answer, code) = eventually("the log has it", || async {
        let (answer, code) = used(&rollcall, &log, &[]);
        (row(&answer, "user name")?["refused"] == 3).then_some((answer, code))
    })
    .await;
    assert_eq!(code, Some(2), "attempts, and all refused: {answer}");
    assert_eq!(answer["used"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(row(&answer, "user name").unwrap()["records"][0], format!("{}/7", rollcall.connection));
    assert!(!answer.to_string().contains("example.com"), "no name unless it is asked for: {answer}");
    let (named, _) = used(&rollcall, &log, &["--names"]);
    assert_eq!(row(&named, "user name").unwrap()["name"], user);
    assert!(!named["used"][0]["addresses"].as_array().unwrap().is_empty(), "{named}");

    // Somebody gives the recreated account a new token, and uses it.
    let new = mint_unbound(&rollcall.admin, &apps, "seven").await.0;
    let as_account = maps(rollcall.cluster.with_token(&new).await);
    as_account.list(&ListParams::default()).await.expect_err("it has no right");
    let whoami = rollcall.cluster.with_token(&new).await.apiserver_version().await;
    whoami.expect("an account reads the version");
    let by = format!("account {apps}/seven");
    let (answer, code) = eventually("the log has that too", || async {
        let (answer, code) = used(&rollcall, &log, &[]);
        let row = row(&answer, &by)?;
        (row["allowed"].as_u64()? >= 1 && row["refused"].as_u64()? >= 1).then_some((answer, code))
    })
    .await;
    assert_eq!(code, Some(3), "something was let in: {answer}");
    assert_eq!(row(&answer, &by).unwrap()["withEndedToken"], 0, "it is a new token");
    let said = rollcall.says(&["used", "--audit-log", &log.display().to_string()]);
    let table = String::from_utf8(said.stdout).unwrap();
    assert!(table.contains("ALLOWED") && table.contains(&by) && !table.contains("example.com"), "{table}");
    bindings.delete(&format!("{}-bot", rollcall.release), &DeleteParams::default()).await.unwrap();

    rollcall.learn(&staff.person("7").active()).await;
    eventually("who is back uses what is theirs", || async { (used(&rollcall, &log, &[]).1 == Some(0)).then_some(()) })
        .await;
    let nothing = rollcall.directory().join("empty.log");
    std::fs::write(&nothing, "no event\n").unwrap();
    let said = rollcall.fails(&["used", "--audit-log", &nothing.display().to_string()]);
    assert!(said.contains("no event of audit.k8s.io"), "{said}");
}
