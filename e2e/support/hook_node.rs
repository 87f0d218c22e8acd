//! Runs the pods of hooks, as a node would: the command of each as a process of this machine, with its environment, its Secrets and the
//! files of its `downwardAPI`.
//!
//! CronJobs, Jobs, pods and the job controller are real; only the node is missing. A path that the pod mounts is a folder of the story here,
//! and is replaced in the command and the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Container, Pod, Secret};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::watcher::{self, Event};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::task::JoinHandle;

use super::installation::Installation;

/// The node, at work as long as this value lives.
pub struct HookNode(JoinHandle<()>);

impl HookNode {
    /// Begins to run the hooks of an installation.
    pub fn start(rollcall: &Installation) -> Self {
        let (admin, namespace) = (rollcall.admin.clone(), rollcall.hooks_namespace());
        let directory = rollcall.directory().join("hooks");
        Self(tokio::spawn(work(admin, namespace, directory)))
    }
}

impl Drop for HookNode {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A process that ends with its pod.
type Running = Arc<Mutex<Child>>;

async fn work(admin: Client, namespace: String, directory: PathBuf) {
    let pods: Api<Pod> = Api::namespaced(admin.clone(), &namespace);
    let mut changes = watcher::watcher(pods, watcher::Config::default()).boxed();
    let (mut seen, mut processes) = (BTreeSet::new(), BTreeMap::<String, Running>::new());
    let mut ends = tokio::task::JoinSet::new();
    while let Some(change) = changes.next().await {
        match change {
            Ok(Event::Apply(pod) | Event::InitApply(pod)) => {
                let uid = pod.uid().unwrap();
                if pod.metadata.deletion_timestamp.is_none() && seen.insert(uid.clone()) {
                    let process = start(&admin, &pod, &directory.join(pod.name_any())).await;
                    processes.insert(uid, process.clone());
                    let admin = admin.clone();
                    ends.spawn(async move { report(&admin, &pod, &process).await });
                }
            }
            Ok(Event::Delete(pod)) => {
                if let Some(process) = processes.remove(&pod.uid().unwrap()) {
                    process.lock().unwrap().kill().ok();
                }
            }
            _ => {}
        }
    }
}

/// Writes what the pod mounts, and starts what it runs.
async fn start(admin: &Client, pod: &Pod, directory: &Path) -> Running {
    let spec = pod.spec.as_ref().unwrap();
    let [container] = spec.containers.as_slice() else { panic!("a hook of these stories has one container") };
    fs::create_dir_all(directory).unwrap();
    let mut folders = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name).unwrap();
        let Some(files) = volume.downward_api.as_ref() else { continue };
        let folder = directory.join(&mount.name);
        fs::create_dir_all(&folder).unwrap();
        for item in files.items.iter().flatten() {
            fs::write(folder.join(&item.path), field(pod, &item.field_ref.as_ref().unwrap().field_path)).unwrap();
        }
        folders.push((mount.mount_path.clone(), folder.to_string_lossy().into_owned()));
    }
    let here = |text: &str| folders.iter().fold(text.to_owned(), |text, (path, folder)| text.replace(path, folder));
    let words = container.command.iter().flatten().chain(container.args.iter().flatten());
    let words: Vec<String> = words.map(|word| here(word)).collect();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").stdin(Stdio::null());
    for (name, value) in environment(admin, pod, container).await {
        command.env(name, here(&value));
    }
    let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log);
    Arc::new(Mutex::new(command.spawn().unwrap()))
}

/// A field of a pod, as the downward API has it: an annotation.
fn field(pod: &Pod, path: &str) -> String {
    let key = path.strip_prefix("metadata.annotations['").and_then(|rest| rest.strip_suffix("']"));
    pod.annotations().get(key.expect("an annotation")).cloned().unwrap_or_default()
}

async fn environment(admin: &Client, pod: &Pod, container: &Container) -> Vec<(String, String)> {
    let secrets: Api<Secret> = Api::namespaced(admin.clone(), &pod.namespace().unwrap());
    let mut all = Vec::new();
    for variable in container.env.iter().flatten() {
        let from = variable.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
        let value = match from {
            Some(from) => {
                let data = secrets.get(&from.name).await.unwrap().data.unwrap();
                String::from_utf8(data[&from.key].0.clone()).unwrap()
            }
            None => variable.value.clone().unwrap_or_default(),
        };
        all.push((variable.name.clone(), value));
    }
    all
}

/// Waits for the end of a process, and makes it the end of its pod.
async fn report(admin: &Client, pod: &Pod, process: &Running) {
    let pods: Api<Pod> = Api::namespaced(admin.clone(), &pod.namespace().unwrap());
    let name = pod.name_any();
    let phase = |phase: &str| Patch::Merge(json!({"status": {"phase": phase}}));
    pods.patch_status(&name, &PatchParams::default(), &phase("Running")).await.ok();
    let ended = loop {
        if let Some(status) = process.lock().unwrap().try_wait().unwrap() {
            break status;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let ended = if ended.success() { "Succeeded" } else { "Failed" };
    pods.patch_status(&name, &PatchParams::default(), &phase(ended)).await.ok(); // it may be gone by now, with its Job
}
