//! What stands beside a batch in the same run: another user of the API server, and the shell script that an admin would write instead.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::Figure;
use crate::support::cluster::tool;
use crate::support::installation::Installation;
use crate::support::objects::object;
use crate::support::tokens::mint_unbound;
use crate::support::waiting::eventually;

/// Time between two calls of the other user.
const OFTEN: Duration = Duration::from_millis(50);
/// How long they are listened to while nothing happens.
const IDLE: Duration = Duration::from_secs(20);

/// Somebody who works in a namespace of their own: lists, reads and changes things, one call after another.
pub struct Bystander {
    took: Arc<Mutex<Vec<f64>>>,
    work: JoinHandle<()>,
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Bystander {
    /// Begins to work.
    pub async fn start(rollcall: &Installation) -> Self {
        let namespace = rollcall.target("beside");
        rollcall.make_namespace(&namespace).await;
        rollcall.account("beside", "bystander", None).await;
        let binding: RoleBinding = object(json!({
            "metadata": {"name": "bystander"},
            "subjects": [{"kind": "ServiceAccount", "name": "bystander", "namespace": namespace}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        }));
        let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &namespace);
        bindings.create(&PostParams::default(), &binding).await.unwrap();
        let token = mint_unbound(&rollcall.admin, &namespace, "bystander").await;
        let (http, server) = (rollcall.cluster.plain_http(), rollcall.cluster.server.clone());
        let maps = format!("{server}/api/v1/namespaces/{namespace}/configmaps");
        let pods = format!("{server}/api/v1/namespaces/{namespace}/pods");
        let map = json!({"metadata": {"name": "note"}});
        eventually("their rights are known", || async {
            let made = http.post(&maps).bearer_auth(&token.0).json(&map).send().await.ok()?;
            made.status().is_success().then_some(())
        })
        .await;
        let took: Arc<Mutex<Vec<f64>>> = Arc::default();
        let noted = took.clone();
        let work = tokio::spawn(async move {
            for number in 0_u64.. {
                let one = format!("{maps}/note");
                let call = match number % 3 {
                    0 => http.get(&pods),
                    1 => http.get(&one),
                    _ => http
                        .patch(&one)
                        .header("content-type", "application/merge-patch+json")
                        .body(json!({"data": {"number": number.to_string()}}).to_string()),
                };
                let begun = Instant::now();
                let answer = call.bearer_auth(&token.0).send().await.and_then(reqwest::Response::error_for_status);
                let whole = match answer {
                    Ok(answer) => answer.bytes().await.is_ok(),
                    Err(_) => false,
                };
                // A call that failed took as long as anybody would wait.
                noted.lock().unwrap().push(if whole { begun.elapsed().as_secs_f64() * 1e3 } else { 30e3 });
                tokio::time::sleep(OFTEN).await;
            }
        });
        Self { took, work }
    }

    /// What 99 of a hundred calls took at most while nothing happened, in milliseconds.
    pub async fn idle(&self) -> f64 {
        self.take();
        tokio::time::sleep(IDLE).await;
        self.p99()
    }

    /// The same since the last question.
    pub fn p99(&self) -> f64 {
        let mut took = self.take();
        took.sort_by(f64::total_cmp);
        let at = (took.len() * 99).div_ceil(100);
        took.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    fn take(&self) -> Vec<f64> {
        std::mem::take(&mut *self.took.lock().unwrap())
    }
}

/// What a script of kubectl takes that makes two accounts anew and deletes a binding, for each of these people and one after the other:
/// of one person, in seconds. It asks nobody, keeps nothing, and proves nothing.
pub async fn script(rollcall: &Installation, people: std::ops::Range<u32>) -> f64 {
    let text = r#"
        set -euo pipefail
        for id in $(seq "$FIRST" "$LAST"); do
            "$CLUSTER" kubectl -n "$NAMESPACE" get serviceaccount "laptop-$id" "script-$id" -o yaml |
                "$CLUSTER" kubectl -n "$NAMESPACE" replace --force -f - >/dev/null
            "$CLUSTER" kubectl -n "$NAMESPACE" delete rolebinding "view-$id" >/dev/null
        done
    "#;
    let mut bash = Command::new("bash");
    bash.args(["-c", text])
        .env("KUBECONFIG", &rollcall.cluster.kubeconfig)
        .env("CLUSTER", tool("ROLLCALL_CLUSTER_BIN", "cluster"))
        .env("NAMESPACE", rollcall.target("apps"))
        .env("FIRST", people.start.to_string())
        .env("LAST", people.end.saturating_sub(1).to_string());
    let begun = Instant::now();
    let ended = tokio::task::spawn_blocking(move || bash.output().unwrap()).await.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    begun.elapsed().as_secs_f64() / f64::from(people.end - people.start)
}

/// Makes so many bare calls a second, as many as a batch made: a third each of reads, lists and writes of one small object, with
/// nothing of Rollcall in them. What these cost the other user is what the machine asks for that many calls of anybody.
pub async fn bare(rollcall: &Installation, a_second: f64) {
    let maps: Api<ConfigMap> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("beside"));
    let mut next = tokio::time::interval(Duration::from_secs_f64(1.0 / a_second));
    let mut calls = tokio::task::JoinSet::new();
    let begun = Instant::now();
    for number in 0_u64.. {
        if begun.elapsed() >= IDLE {
            break;
        }
        next.tick().await;
        let maps = maps.clone();
        calls.spawn(async move {
            let name = format!("bare-{}", number % 64);
            let of = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"number": number.to_string()}});
            match number % 3 {
                0 => drop(maps.get_opt(&name).await),
                1 => drop(maps.list_metadata(&ListParams::default()).await),
                _ => drop(maps.patch(&name, &PatchParams::apply("bench"), &Patch::Apply(&of)).await),
            }
        });
    }
    calls.join_all().await;
}

/// The figures of the other user: alone, during a batch, during the script, and during as many bare calls.
pub fn figures(idle: f64, batch: f64, script: f64, bare: f64) -> Vec<Figure> {
    let explains = |figure, value| Figure { figure, value, unit: "ms", bar: None };
    vec![
        explains("another user's calls, p99, idle", idle),
        explains("another user's calls beside a batch, p99", batch),
        explains("another user's calls beside a script of kubectl, p99", script),
        explains("another user's calls beside as many bare calls a second, p99", bare),
        Figure {
            figure: "another user's p99 beside a batch, of the idle one",
            value: batch / idle,
            unit: "×",
            bar: Some(("at most", 2.0)),
        },
    ]
}
