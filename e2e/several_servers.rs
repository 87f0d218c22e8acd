//! Two API servers on one etcd: each is asked by itself, one that answers nobody holds nothing up, and what is frozen is frozen at both.
//!
//! Told by a process of its own, on a control plane of its own, in a network of its own: Kubernetes publishes no loopback address, and
//! none of the machine's own addresses is touched.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::Api;
use rollcall::api::Revocation;
use rollcall::api::revocation::{Operation, Phase, VerdictKind};
use serde_json::json;

use crate::freeze::{attempts, make_map, refused};
use crate::support::cluster::{cluster, tool};
use crate::support::installation::{Consent, Installation};
use crate::support::tokens::{CACHE, FixedResponse, Token, mint_unbound, whoami_at};
use crate::support::waiting::{eventually, within};

/// Where the two listen.
const SERVERS: [&str; 2] = ["127.0.0.1", "127.0.0.2"];

/// Brings two API servers up, and has the story below told with them.
const TELLS: &str = r#"set -eu
"$CLUSTER" down --dir "$PLANE" # what a run left that was cut short
trap '"$CLUSTER" down --dir "$PLANE"' EXIT
ROLLCALL_E2E_KUBECONFIG=$("$CLUSTER" up --control-plane-only --api-servers 2 --dir "$PLANE")
export ROLLCALL_E2E_KUBECONFIG
"$STORIES" --ignored --exact several_servers::told_with_two_api_servers
"#;

#[tokio::test]
async fn of_two_api_servers_each_is_asked_and_one_that_answers_nobody_holds_nothing_up() {
    let plane = cluster().await.kubeconfig.with_file_name("");
    let plane = format!("{}-two", plane.display().to_string().trim_end_matches('/'));
    let told = tokio::task::spawn_blocking(move || {
        let mut command = Command::new("unshare");
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            command.arg("--map-root-user");
        }
        command.args(["--net", "sh", "-c", TELLS]).env("PLANE", plane).stdin(Stdio::null());
        command
            .env("CLUSTER", tool("ROLLCALL_CLUSTER_BIN", "cluster"))
            .env("STORIES", std::env::current_exe().unwrap());
        command.output().expect("unshare, of util-linux, gives the story a network of its own")
    });
    let told = told.await.unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(told.status.success(), "{}\n{}", said(&told.stdout), said(&told.stderr));
    assert!(said(&told.stdout).contains("1 passed"), "{}", said(&told.stdout));
}

/// A process of the control plane that is stopped, as long as this value lives.
struct Stopped(String);

impl Stopped {
    /// Stops the process that the cluster remembers by this name.
    fn process(cluster: &Path, name: &str) -> Self {
        let file: PathBuf = cluster.with_file_name("run").join(format!("{name}.pid.json"));
        let identity: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let stopped = Self(identity["pid"].to_string());
        stopped.signal("-STOP");
        stopped
    }

    fn signal(&self, signal: &str) {
        let kill = format!("kill {signal} {}", self.0);
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

/// How the account of a leaver was seen to be refused.
fn how(cut: &Revocation, account: &str) -> (VerdictKind, String) {
    let verdicts = &cut.status.as_ref().unwrap().verdicts;
    let verdict = verdicts.iter().find(|one| one.target.name == account).unwrap();
    (verdict.verdict, verdict.how.clone())
}

async fn refused_by_each(token: &Token) {
    for address in SERVERS {
        let server = cluster().await.at(address);
        within(CACHE, &format!("{address} refuses it"), || async {
            (whoami_at(&server, token).await == FixedResponse::Refused).then_some(())
        })
        .await;
    }
}

async fn frozen_at_each(rollcall: &Installation, id: &str) {
    for address in SERVERS {
        let everything = ["system:masters", "system:authenticated"];
        let client = rollcall.cluster.acting_at(address, &rollcall.user(id), &everything).await;
        eventually(&format!("{address} has the list"), || async {
            refused(&attempts(&client, &rollcall.target("apps")).await[0].1).then_some(())
        })
        .await;
        for (what, said) in attempts(&client, &rollcall.target("apps")).await {
            assert!(refused(&said), "{address}: {id} {what}: {said}");
        }
    }
}

#[tokio::test]
#[ignore = "the story above starts two API servers and tells it"]
async fn told_with_two_api_servers() {
    let (rollcall, _running, staff) = Installation::with_seven("several", Consent::Canaries, json!({})).await;
    let slices: Api<EndpointSlice> = Api::namespaced(rollcall.admin.clone(), "default");
    let published = async || {
        let slice = slices.get("kubernetes").await.unwrap();
        slice.endpoints.into_iter().flat_map(|endpoint| endpoint.addresses).count()
    };
    eventually("both are published", || async { (published().await == 2).then_some(()) }).await;
    make_map(&rollcall, &rollcall.target("apps"), "there").await;
    rollcall.account_of("8", "apps", "eight").await;
    let mut tokens = Vec::new();
    for account in ["seven", "eight"] {
        let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), account).await;
        for address in SERVERS {
            let said = whoami_at(&cluster().await.at(address), &token).await;
            assert!(matches!(said, FixedResponse::Accepted(_)), "{address}: {said:?}"); // and each keeps it in its cache
        }
        tokens.push(token);
    }

    let cut = rollcall.seven_leaves(&staff).await;
    let (verdict, how_seven) = how(&cut, "seven");
    assert_eq!(verdict, VerdictKind::Observed);
    assert!(how_seven.ends_with("2 of 2 API servers asked"), "{how_seven}");
    refused_by_each(&tokens[0]).await;
    frozen_at_each(&rollcall, "7").await;

    // The way to one of them is dead: what is sent there is taken, and never answered. It is one of two all the same.
    let dead = Stopped::process(&rollcall.cluster.kubeconfig, "relay-2");
    let begun = Instant::now();
    rollcall.learn(&staff.person("7").terminated().person("8").terminated()).await;
    let cut = rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    assert_eq!(published().await, 2);
    let (verdict, how_eight) = how(&cut, "eight");
    assert_eq!(verdict, VerdictKind::Observed);
    assert!(how_eight.ends_with("1 of 2 API servers asked"), "{how_eight}");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(120), "nothing waits for it: {took:?}");
    refused_by_each(&tokens[1]).await;
    frozen_at_each(&rollcall, "8").await;
    drop(dead);
    rollcall.evidence_verifies();
}
