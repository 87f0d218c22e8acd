//! Runs the pods of revocation Jobs, as a node would: each as a local process under the revoker's own identity.
//!
//! The Jobs, their pods and the job controller are real; only the node is missing. A pod's arguments are those of its
//! Job, its token is bound to the pod, and how the process ended becomes the pod's phase.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::task::JoinHandle;

use super::cluster::cluster;
use super::collector;
use super::process::{Process, of_image, write_kubeconfig};
use super::proxy::Proxy;
use super::tokens;

/// What the node knows of its surroundings.
pub struct Node {
    pub admin: Client,
    /// The revoker's namespace.
    pub namespace: String,
    /// The revoker's account.
    pub account: String,
    /// Where logs and kubeconfigs go.
    pub directory: PathBuf,
    /// Logs of everything that ran.
    pub logs: Arc<Mutex<Vec<PathBuf>>>,
    /// The way to the API server, if not the straight one.
    pub proxy: Option<Arc<Proxy>>,
}

/// The node, at work as long as this value lives.
pub struct Kubelet(JoinHandle<()>);

impl Kubelet {
    /// Begins to run pods.
    pub fn start(node: Node) -> Self {
        Self(tokio::spawn(work(node)))
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn work(node: Node) {
    let pods: Api<Pod> = Api::namespaced(node.admin.clone(), &node.namespace);
    let mut seen = std::collections::BTreeSet::new();
    let mut changes = watcher(pods, watcher::Config::default()).default_backoff().applied_objects().boxed();
    let node = Arc::new(node);
    let mut running = tokio::task::JoinSet::new(); // ends with this task, and its processes with it
    while let Some(change) = changes.next().await {
        let Ok(pod) = change else { continue };
        // One that has ended ran on a node of this namespace before this one.
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let ended = matches!(phase, Some("Succeeded" | "Failed"));
        if pod.metadata.deletion_timestamp.is_none() && !ended && seen.insert(pod.uid().unwrap()) {
            let node = node.clone();
            running.spawn(async move { run(&node, &pod).await });
        }
    }
}

async fn run(node: &Node, pod: &Pod) {
    let name = pod.name_any();
    let cluster = cluster().await;
    let token = tokens::mint_bound_to_pod(&node.admin, &node.namespace, &node.account, &name).await;
    let server = node.proxy.as_ref().map_or(&cluster.server, |proxy| &proxy.url);
    let kubeconfig = write_kubeconfig(&node.directory, &name, &cluster.kubeconfig_for(server, &token.0));
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first()).expect("a pod has a container");
    let arguments = container.args.clone().unwrap_or_default();
    let log = node.directory.join(format!("{name}.log"));
    node.logs.lock().unwrap().push(log.clone());
    let pods: Api<Pod> = Api::namespaced(node.admin.clone(), &node.namespace);
    let running = json!({"status": {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}]}});
    pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(running)).await.ok();
    let program = of_image(container.image.as_deref().unwrap_or_default());
    let variables = collector::variables(&node.admin, &node.namespace, container).await;
    let process = Process::start(program, &name, &kubeconfig, &arguments, &variables, &log);
    if let Some(proxy) = &node.proxy {
        proxy.carries(&process);
    }
    let phase = if process.end().await.success() { "Succeeded" } else { "Failed" };
    // The pod may be gone by now, with its Job; then nobody asks how it ended.
    pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(json!({"status": {"phase": phase}}))).await.ok();
}
