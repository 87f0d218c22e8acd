//! The chart, rendered by Helm and applied as it would be, and the wait until its admission policies bite.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use k8s_openapi::api::batch::v1::Job;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use super::cluster::{Cluster, helm};
use super::objects::object;
use super::versions;
use super::waiting::eventually;

/// The chart's objects for one release, as YAML, as this cluster would get them.
pub async fn render(admin: &Client, release: &str, namespace: &str, values: &Value) -> String {
    let kubernetes = admin.apiserver_version().await.unwrap().git_version;
    let mut command = helm();
    command.args(["template", release]).arg(versions::chart());
    command.args(["--skip-tests", "--kube-version", &kubernetes]);
    command.args(["--namespace", namespace, "--values", "-"]);
    String::from_utf8(feed(command, &values.to_string()).stdout).unwrap()
}

/// The Job of `helm test`, as YAML.
pub fn tests(release: &str, namespace: &str, values: &Value) -> String {
    part(release, namespace, "templates/tests/revoker.yaml", values).expect("the chart has a test")
}

/// What one template of the chart makes, as YAML; nothing where it makes nothing.
pub fn part(release: &str, namespace: &str, template: &str, values: &Value) -> Option<String> {
    let mut command = helm();
    command.args(["template", release]).arg(versions::chart());
    command.args(["--kube-version", "1.35.0", "--namespace", namespace, "--values", "-"]);
    let all = String::from_utf8(feed(command, &values.to_string()).stdout).unwrap();
    let source = format!("# Source: rollcall/{template}\n");
    let objects: Vec<&str> = all.split("\n---\n").filter(|object| object.contains(&source)).collect();
    (!objects.is_empty()).then(|| objects.join("\n---\n"))
}

/// What follows an argument of a Deployment's container in the chart's objects.
pub fn argument(manifests: &str, name: &str) -> String {
    let mut lines = manifests.lines().map(|line| line.trim().trim_start_matches("- "));
    lines.find(|line| *line == format!("\"{name}\"")).unwrap_or_else(|| panic!("no argument {name} in the chart"));
    serde_json::from_str(lines.next().unwrap()).unwrap() // a quoted string of Helm is one of JSON
}

/// Applies objects on the server's side.
pub fn apply(cluster: &Cluster, manifests: &str) {
    let mut command = cluster.kubectl();
    command.args(["apply", "--server-side", "--force-conflicts", "--field-manager", "e2e", "-f", "-"]);
    feed(command, manifests);
}

/// Runs a command with something on its standard input.
///
/// # Panics
/// When it fails, with what it said.
pub fn feed(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().ok();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Waits until a Job that no policy should let through is refused: policies bite a moment after they are made.
pub async fn until_guarded(admin: &Client, revoker_namespace: &str) {
    let jobs: Api<Job> = Api::namespaced(admin.clone(), revoker_namespace);
    let forged: Job = object(json!({
        "metadata": {"name": "forged"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "forged", "image": "forged"}]}}},
    }));
    eventually("the admission policies refuse a forged Job", || async {
        let rehearsal = PostParams { dry_run: true, ..PostParams::default() };
        let refusal = jobs.create(&rehearsal, &forged).await.err()?;
        refused_by_policy(&refusal).then_some(())
    })
    .await;
}

/// Whether it was an admission policy that refused a call, and not RBAC or the schema.
pub fn refused_by_policy(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.message.contains("ValidatingAdmissionPolicy"))
}
