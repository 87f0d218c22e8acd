//! What people decide: a batch is rejected, what failed is tried again, a stop stands whatever is applied; and the way
//! they take, a proxy included.

use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{Revocation, names};
use serde_json::json;

use crate::support::chart::refused_by_policy;
use crate::support::connect::ConnectProxy;
use crate::support::installation::{Consent, Installation, a_day, suffix};
use crate::support::objects::object;
use crate::support::process::{rollcall, write_kubeconfig};
use crate::support::waiting::eventually;

#[tokio::test]
async fn a_rejected_batch_stands_is_sealed_and_holds_nobody_else_back() {
    let rollcall = Installation::new("reject", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(1)}})).await;
    for id in ["5", "6", "7"] {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
    }
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let two = staff.person("5").terminated().person("6").terminated();
    rollcall.learn(&two).await;
    let held = rollcall.waits_for("5", "OverLimit").await;
    rollcall.waits_for("6", "OverLimit").await;
    let batch = held.status.unwrap().gate.unwrap().batch.unwrap();

    let shown = rollcall.succeeds(&["reject", "--batch", &batch, "--reason", "wrong file", "--yes"]);

    assert!(shown.contains(&format!("{}/5", rollcall.connection)), "who it is about: {shown}");
    for id in ["5", "6"] {
        let rejected = rollcall.waits_for(id, "Rejected").await;
        assert!(rejected.status.unwrap().evidence.is_some(), "{id}");
    }
    rollcall.learn(&two.person("7").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await; // the two count no more
    rollcall.fails(&["approve", &held.metadata.name.clone().unwrap(), "--yes"]);

    rollcall.succeeds(&["reject", "--undo", &held.metadata.name.unwrap(), "--yes"]);
    let again = rollcall.waits_for("5", "OverLimit").await;
    rollcall.approve(&again);
    rollcall.reaches("5", Operation::Cut, Phase::Revoked).await;
    rollcall.waits_for("6", "Rejected").await;
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn what_failed_is_tried_again_and_not_deleted_with_its_manifests() {
    let rollcall = Installation::new("retry", &[("apps", Consent::Canaries)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let before = rollcall.account_of("7", "apps", "seven").await;
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let holders = |holders: serde_json::Value| Patch::Merge(json!({"metadata": {"finalizers": holders}}));
    accounts.patch("seven", &PatchParams::default(), &holders(json!(["example.com/held"]))).await.unwrap();
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    let failed = rollcall.reaches("7", Operation::Cut, Phase::Failed).await;
    let name = failed.name_any();
    let first = failed.status.unwrap().evidence.unwrap();
    let revocations: Api<Revocation> = rollcall.api();
    let refused = revocations.delete(&name, &DeleteParams::default()).await.unwrap_err();
    assert!(refused_by_policy(&refused) && refused.to_string().contains("rollcall retry"), "{refused}");

    accounts.patch("seven", &PatchParams::default(), &holders(json!([]))).await.unwrap();
    let shown = rollcall.succeeds(&["retry", &name]);

    assert!(shown.contains("example.com/held"), "what was not proved, and why: {shown}");
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    let status = cut.status.unwrap();
    assert_eq!((cut.metadata.name, status.attempt), (Some(name.clone()), Some(1)));
    assert_ne!(status.evidence.unwrap().name, first.name, "each end has a record of its own");
    let account = rollcall.get_account("apps", "seven").await.expect("it was made again, from the kept manifest");
    assert_ne!(account.uid(), before.uid());
    rollcall.evidence_verifies();
    revocations.delete(&name, &DeleteParams::default()).await.expect("what ended well may go");
}

#[tokio::test]
async fn no_apply_and_no_replace_lifts_a_stop() {
    let rollcall = Installation::new("gitops", &[]).await;
    let _control = rollcall.control().await; // makes the stop, open, at its first start
    let stops: Api<ConfigMap> = rollcall.api();
    rollcall.stop("wrong file of people");
    let standing = async || {
        let data = stops.get(names::STOP).await.unwrap().data.unwrap_or_default();
        data.get(names::STOP_REASON).cloned().unwrap_or_default()
    };

    rollcall.install_again().await;
    assert_eq!(standing().await, "wrong file of people", "the chart says nothing of it");
    let empty = |more: serde_json::Value| -> ConfigMap {
        let mut map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": names::STOP}});
        map.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object(map)
    };
    let force = PatchParams::apply("pipeline").force();
    for (what, data) in [
        ("nothing", json!({})),
        ("an empty reason", json!({"data": {"reason": ""}})),
        ("a blank", json!({"data": {"reason": " "}})),
        ("a lift of another stop", json!({"data": {"reason": "", "lifts": "1"}})),
    ] {
        let replaced = stops.replace(names::STOP, &PostParams::default(), &empty(data.clone())).await;
        assert!(replaced.is_err_and(|error| refused_by_policy(&error)), "a replace by {what}");
        let applied = stops.patch(names::STOP, &force, &Patch::Apply(&empty(data))).await;
        if let Err(error) = applied {
            assert!(refused_by_policy(&error), "an apply of {what}: {error}");
        }
        assert_eq!(standing().await, "wrong file of people", "after {what}");
    }
    let frozen = Patch::Merge(json!({"immutable": true}));
    let refused = stops.patch(names::STOP, &PatchParams::default(), &frozen).await.unwrap_err();
    assert!(refused_by_policy(&refused), "nobody makes it unchangeable: {refused}");

    rollcall.go_on();
    assert_eq!(standing().await, "");
    rollcall.stop("again");
    stops.delete(names::STOP, &DeleteParams::default()).await.unwrap();
    let made = stops.create(&PostParams::default(), &empty(json!({}))).await;
    assert!(
        made.is_err_and(|error| refused_by_policy(&error)),
        "what is gone is a stop, and no manifest makes it open"
    );
    rollcall.go_on();
    assert_eq!(standing().await, "");
}

#[tokio::test(flavor = "multi_thread")] // the proxy answers while the plugin is waited for
async fn the_plugin_reaches_the_cluster_through_a_proxy_and_says_what_is_wrong_with_a_context() {
    let here = Installation::new("proxied", &[]).await;
    let _control = here.control().await;
    let proxy = ConnectProxy::open().await;
    let plain = std::fs::read_to_string(&here.cluster.kubeconfig).unwrap();
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let stop = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = rollcall();
        command.args(["stop", "--reason", "drill", "--namespace", &here.namespace]).args(arguments);
        command.envs(environment.iter().copied()).output().unwrap()
    };
    let file = here.cluster.kubeconfig.to_str().unwrap();

    let by_environment = stop(&["--kubeconfig", file], &[("HTTPS_PROXY", &proxy.url)]);
    assert!(by_environment.status.success(), "{}", String::from_utf8_lossy(&by_environment.stderr));
    let through = proxy.tunnels();
    assert!(through > 0, "the call took the proxy of the environment");

    let mut proxied: serde_json::Value = serde_json::from_str(&plain).expect("the kubeconfig of the stories is JSON");
    proxied["clusters"][0]["cluster"]["proxy-url"] = json!(proxy.url);
    let with_proxy = write_kubeconfig(directory, &format!("proxied-{}", suffix()), &proxied.to_string());
    let by_file = stop(&["--kubeconfig", with_proxy.to_str().unwrap()], &[]);
    assert!(by_file.status.success(), "{}", String::from_utf8_lossy(&by_file.stderr));
    assert!(proxy.tunnels() > through, "the call took the proxy of the kubeconfig");
    std::fs::remove_file(with_proxy).unwrap();

    let as_nobody = stop(&["--kubeconfig", file, "--as", "nobody", "--as-group", "system:authenticated"], &[]);
    let said = String::from_utf8_lossy(&as_nobody.stderr).into_owned();
    assert!(!as_nobody.status.success() && said.contains("nobody"), "{said}");
    let dead = stop(&["--kubeconfig", file], &[("HTTPS_PROXY", "http://127.0.0.1:1")]);
    let said = String::from_utf8_lossy(&dead.stderr).into_owned();
    assert_eq!((dead.status.success(), said.lines().count()), (false, 1), "one line, and no log: {said}");
    let nowhere = stop(&["--kubeconfig", file, "--context", "nowhere"], &[]);
    let said = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(said.contains("nowhere") && said.lines().count() == 1, "{said}");
}

#[tokio::test]
async fn what_comes_back_to_a_first_cut_after_a_later_one_or_while_nobody_leads_is_reported() {
    let rollcall = Installation::new("later", &[("apps", Consent::Secrets)]).await;
    let (_sync, _revoker) = (rollcall.sync().await, rollcall.revoker());
    let control = rollcall.control().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.account_of("7", "apps", "first").await;
    let user = rollcall.user("7");
    rollcall.bind_users("apps", "views", std::slice::from_ref(&user)).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    rollcall.account_of("7", "apps", "second").await;
    let late = rollcall.waits_for("7", "Late").await;
    rollcall.approve(&late);
    let revocations: Api<Revocation> = rollcall.api();
    let later = eventually("the later cut is done", || async {
        let later = revocations.get(&late.name_any()).await.unwrap();
        (later.status.as_ref()?.phase == Some(Phase::Revoked)).then_some(later)
    })
    .await;
    assert!(later.status.unwrap().returned.is_empty(), "what the revoker made again did not come back");
    let reported = async |kind: &str, name: &str| {
        eventually(&format!("{kind} {name} is reported by the first cut"), || async {
            let first = revocations.get(&cut.name_any()).await.unwrap();
            first.status?.returned.iter().any(|back| back.kind == kind && back.name == name).then_some(())
        })
        .await;
    };

    crate::support::tokens::legacy_secret_token(&rollcall.admin, &rollcall.target("apps"), "first").await;
    reported("Secret", "first-legacy").await;

    drop(control);
    rollcall.bind_users("apps", "views", std::slice::from_ref(&user)).await;
    let _control = rollcall.control().await;
    reported("RoleBinding", "views").await;
}
