//! The Kustomize base is the chart, object for object: with the default values, and with an image and a consent of one's own
//! (docs/install.md).

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::chart::feed;
use crate::support::cluster::{helm, tool};

/// Objects by kind, namespace and name.
fn objects(manifests: &str) -> BTreeMap<String, Value> {
    let documents = manifests.split("\n---\n").map(|text| text.trim_start_matches("---\n"));
    let values = documents.map(|text| serde_saphyr::from_str::<Value>(text).unwrap()).filter(|value| !value.is_null());
    let key = |value: &Value| {
        let of = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
        format!("{} {}/{}", value["kind"].as_str().unwrap(), of("namespace"), of("name"))
    };
    let all: Vec<_> = values.map(|value| (key(&value), value)).collect();
    let (many, found) = (all.len(), all.into_iter().collect::<BTreeMap<_, _>>());
    assert_eq!(found.len(), many, "each object once");
    found
}

/// What the chart makes with these values. It says of itself that Helm manages it, which is not so here.
fn chart(values: &Value) -> BTreeMap<String, Value> {
    let mut command = helm();
    command.args(["template", "rollcall", "charts/rollcall", "--namespace", "rollcall", "--kube-version", "1.35.0"]);
    command.args(["--skip-tests", "--values", "-"]);
    let manifests = String::from_utf8(feed(command, &values.to_string()).stdout).unwrap();
    objects(&manifests.replace("app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kustomize"))
}

fn kustomize(folder: &str) -> BTreeMap<String, Value> {
    let mut command = Command::new(tool("ROLLCALL_CLUSTER_BIN", "cluster"));
    command.args(["kubectl", "kustomize", folder]);
    objects(&String::from_utf8(feed(command, "").stdout).unwrap())
}

fn same(made: &BTreeMap<String, Value>, expected: &BTreeMap<String, Value>) {
    let differ = |name: &&String| made.get(*name) != expected.get(*name);
    let all = made.keys().chain(expected.keys());
    let different: Vec<_> = all.filter(differ).collect();
    assert!(different.is_empty(), "differ from the chart: {different:?}; run `make docs`");
}

#[test]
fn the_base_is_the_chart_with_its_default_values() {
    let (made, expected) = (kustomize("charts/kustomize"), chart(&json!({})));
    assert!(made.len() > 90, "{}", made.len());
    same(&made, &expected);
}

#[test]
fn another_image_reaches_the_job_and_the_policy_that_pins_it() {
    let mut made = kustomize("examples/kustomize");
    assert!(made.remove("Namespace /rollcall").is_some(), "Helm makes it by --create-namespace");
    let mut expected = chart(&json!({
        "image": {"repository": "registry.example.com/rollcall", "tag": "0.1.0"}, "targets": [{"namespace": "team-a"}],
    }));
    let consents: Vec<String> =
        expected.keys().filter(|name| name.starts_with("RoleBinding team-a/")).cloned().collect();
    assert_eq!(consents.len(), 2, "{consents:?}");
    for name in consents {
        // Who consents by hand writes no labels of a chart.
        expected.get_mut(&name).unwrap()["metadata"].as_object_mut().unwrap().remove("labels").unwrap();
    }
    same(&made, &expected);
}
