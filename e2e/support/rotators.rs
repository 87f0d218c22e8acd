//! external-secrets and cert-manager, as both were seen to behave on a real cluster: what starts them, what they write, where they say
//! so, and that a value may come back as it was, or not at all. `make test-integrations` tells the same story with the real ones.
//!
//! Their kinds are theirs, with a schema that takes anything. A third part does what nodes do: pods become ready.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE64;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams, ResourceExt,
};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::installation::{Installation, suffix};
use super::objects::object;
use super::waiting::eventually;

const HASH: &str = "reconcile.external-secrets.io/data-hash";
const LOOK: Duration = Duration::from_millis(200);

/// Both controllers, and a node, at work as long as this value lives.
pub struct Rotators {
    work: JoinHandle<()>,
    /// Names of Deployments whose new pods do not become ready.
    stuck: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Rotators {
    fn drop(&mut self) {
        self.work.abort();
    }
}

fn resource(group: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural)
}

/// ExternalSecrets of a namespace.
pub fn external_secrets(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(
        client.clone(),
        namespace,
        &resource("external-secrets.io", "ExternalSecret", "externalsecrets"),
    )
}

/// Certificates of a namespace.
pub fn certificates(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource("cert-manager.io", "Certificate", "certificates"))
}

/// Has the kinds of both served; they stay for all stories.
pub async fn define(admin: &Client) {
    let definitions: Api<CustomResourceDefinition> = Api::all(admin.clone());
    for (group, kind, plural) in [
        ("external-secrets.io", "ExternalSecret", "externalsecrets"),
        ("cert-manager.io", "Certificate", "certificates"),
    ] {
        let name = format!("{plural}.{group}");
        let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": any, "status": any}}});
        let version =
            json!({"name": "v1", "served": true, "storage": true, "schema": schema, "subresources": {"status": {}}});
        let names =
            json!({"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": name},
            "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
        });
        definitions.patch(&name, &PatchParams::apply("e2e").force(), &Patch::Apply(&definition)).await.unwrap();
        let established = await_condition(definitions.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(Duration::from_secs(30), established).await.expect("the kind is served").unwrap();
    }
}

impl Rotators {
    /// Begins to work in these namespaces.
    pub async fn start(admin: &Client, namespaces: Vec<String>) -> Self {
        define(admin).await;
        let stuck: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let (client, held) = (admin.clone(), stuck.clone());
        let work = tokio::spawn(async move {
            loop {
                for namespace in &namespaces {
                    let held = held.lock().unwrap().clone();
                    // Objects come and go while a story is told: what fails is looked at again.
                    let _ = refresh(&client, namespace).await;
                    let _ = issue(&client, namespace).await;
                    let _ = run_pods(&client, namespace, &held).await;
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Self { work, stuck }
    }

    /// From now on no new pod of a Deployment becomes ready.
    pub fn hold(&self, deployment: &str) {
        self.stuck.lock().unwrap().insert(deployment.to_owned());
    }

    /// They do again.
    pub fn let_go(&self, deployment: &str) {
        self.stuck.lock().unwrap().remove(deployment);
    }
}

/// The node alone: pods run and are ready.
pub struct Node(JoinHandle<()>);

impl Drop for Node {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Node {
    /// Begins to run the pods of these namespaces.
    pub fn start(admin: &Client, namespaces: Vec<String>) -> Self {
        let client = admin.clone();
        Self(tokio::spawn(async move {
            loop {
                for namespace in &namespaces {
                    let _ = run_pods(&client, namespace, &BTreeSet::new()).await;
                }
                tokio::time::sleep(LOOK).await;
            }
        }))
    }
}

/// Some value nobody else has.
fn fresh() -> String {
    format!("fresh-{}-{}", suffix(), suffix())
}

fn encoded(values: &[(&str, &str)]) -> Value {
    values
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(BASE64.encode(value.as_bytes()))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What external-secrets does about each ExternalSecret whose annotations changed since it last fetched: of a generator it gets another
/// value, of a key at the provider the one that is there, of a store that is broken none.
async fn refresh(client: &Client, namespace: &str) -> kube::Result<()> {
    for external in external_secrets(client, namespace).list(&ListParams::default()).await?.items {
        let name = external.name_any();
        let asked = external.annotations().get("force-sync").cloned().unwrap_or_default();
        let version = format!("{}-{asked}", external.metadata.generation.unwrap_or_default());
        let synced = external.data.pointer("/status/syncedResourceVersion").and_then(Value::as_str);
        if synced == Some(version.as_str()) {
            continue;
        }
        let condition = |status: &str, reason: &str| json!([{"type": "Ready", "status": status, "reason": reason}]);
        let api = external_secrets(client, namespace);
        let say = |status: Value| {
            let patch = json!({"status": status});
            let (api, name) = (api.clone(), name.clone());
            async move { api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await.map(drop) }
        };
        let store = external.data.pointer("/spec/secretStoreRef/name").and_then(Value::as_str);
        if store == Some("broken") && synced.is_some() {
            say(json!({"conditions": condition("False", "SecretSyncedError")})).await?;
            continue;
        }
        let value = match external.data.pointer("/spec/dataFrom") {
            Some(_) => fresh(),
            None => "what the provider has".to_owned(),
        };
        let template = external.data.pointer("/spec/target/template/data").and_then(Value::as_object);
        let filled = |text: &Value| text.as_str().unwrap_or_default().replace("{{ .password }}", &value);
        let data = match template {
            None => vec![("password".to_owned(), value.clone())],
            Some(template) => template.iter().map(|(key, text)| (key.clone(), filled(text))).collect(),
        };
        let data = encoded(&data.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>());
        let patch = json!({
            "metadata": {"annotations": {HASH: format!("{:x}", value.len() as u64 + value.bytes().fold(7, hash))}},
            "data": data,
        });
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        secrets.patch(&name, &manager("external-secrets"), &Patch::Merge(&patch)).await?;
        say(json!({
            "refreshTime": format!("{:.0}", Timestamp::now()), "syncedResourceVersion": version,
            "conditions": condition("True", "SecretSynced"),
        }))
        .await?;
    }
    Ok(())
}

fn hash(sum: u64, byte: u8) -> u64 {
    sum.wrapping_mul(31).wrapping_add(u64::from(byte))
}

fn manager(name: &str) -> PatchParams {
    PatchParams { field_manager: Some(name.to_owned()), ..PatchParams::default() }
}

/// What cert-manager does about each Certificate that says `Issuing`: another certificate, with another key unless that is to stay; of
/// an issuer that is broken a failure.
async fn issue(client: &Client, namespace: &str) -> kube::Result<()> {
    let api = certificates(client, namespace);
    for certificate in api.list(&ListParams::default()).await?.items {
        let conditions =
            certificate.data.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
        let is = |one: &Value, kind: &str, status: &str| one["type"] == kind && one["status"] == status;
        let revision = certificate.data.pointer("/status/revision").and_then(Value::as_i64).unwrap_or(0);
        if revision > 0 && !conditions.iter().any(|one| is(one, "Issuing", "True")) {
            continue;
        }
        assert!(revision == 0 || conditions.iter().any(|one| one["type"] == "Ready"), "Ready was repeated");
        let now = format!("{:.0}", Timestamp::now());
        let ready = json!({"type": "Ready", "status": "True", "reason": "Ready"});
        let name = certificate.name_any();
        let status = if certificate.data["spec"]["issuerRef"]["name"] == "broken" && revision > 0 {
            let failed = json!({"type": "Issuing", "status": "False", "reason": "Failed"});
            json!({"lastFailureTime": now, "conditions": [ready, failed]})
        } else {
            let keeps = certificate.data["spec"]["privateKey"]["rotationPolicy"] == "Never";
            let key = if keeps { "the same key".to_owned() } else { fresh() };
            let secret = certificate.data["spec"]["secretName"].as_str().unwrap();
            let patch = json!({"data": encoded(&[("tls.key", &key), ("tls.crt", &fresh())])});
            let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
            secrets.patch(secret, &manager("cert-manager-certificates-issuing"), &Patch::Merge(&patch)).await?;
            json!({"revision": revision + 1, "notBefore": now, "conditions": [ready]})
        };
        let patch = json!({"metadata": {"resourceVersion": certificate.metadata.resource_version}, "status": status});
        api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    }
    Ok(())
}

/// What a node does: pods run and are ready, but for new ones of these Deployments.
async fn run_pods(client: &Client, namespace: &str, stuck: &BTreeSet<String>) -> kube::Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    for pod in pods.list(&ListParams::default().fields("status.phase=Pending")).await?.items {
        let held = stuck.iter().any(|name| pod.name_any().starts_with(&format!("{name}-")));
        if held || pod.metadata.deletion_timestamp.is_some() {
            continue;
        }
        let ready =
            json!({"type": "Ready", "status": "True", "lastTransitionTime": format!("{:.0}", Timestamp::now())});
        let status = json!({"status": {"phase": "Running", "conditions": [ready]}});
        pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await?;
    }
    Ok(())
}

/// Takes out what is null.
fn prune(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(prune);
    }
}

impl Installation {
    /// Makes a Secret of a target with the owner annotation of a person, and more metadata.
    pub async fn secret_of(&self, id: &str, target: &str, name: &str, over: Value) -> Secret {
        let mut written = json!({
            "metadata": {"name": name, "annotations": {rollcall::api::names::OWNER: self.mark(id)}},
            "stringData": {"password": format!("old-{name}-{}", suffix())},
        });
        super::objects::overlay(&mut written, over);
        prune(&mut written);
        let api: Api<Secret> = Api::namespaced(self.admin.clone(), &self.target(target));
        api.create(&PostParams::default(), &object(written)).await.unwrap()
    }

    /// A Secret that external-secrets manages, from a generator, from a key at the provider, or from a store that breaks.
    pub async fn external_secret(&self, id: &str, target: &str, name: &str, from: &str) -> Secret {
        self.external_secret_over(id, target, name, from, json!({})).await
    }

    /// The same, laid over the Secret; what it has in `stringData` becomes the template that external-secrets fills.
    pub async fn external_secret_over(&self, id: &str, target: &str, name: &str, from: &str, over: Value) -> Secret {
        let namespace = self.target(target);
        let mut spec = json!({"secretStoreRef": {"name": from}, "target": {"name": name}});
        if let Some(data) = over.get("stringData") {
            spec["target"]["template"] = json!({ "data": data });
        }
        spec[if from == "generator" { "dataFrom" } else { "data" }] = json!([{"from": from}]);
        let written = json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": name, "annotations": {"team": "web"}}, "spec": spec,
        });
        let api = external_secrets(&self.admin, &namespace);
        let made = api.create(&PostParams::default(), &object(written)).await.unwrap();
        let owner = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": name,
                            "uid": made.uid(), "controller": true}]);
        let labels = json!({"reconcile.external-secrets.io/managed": "true"});
        let mut secret = json!({"metadata": {"labels": labels, "ownerReferences": owner}});
        if over.get("stringData").is_some() {
            secret["stringData"] = json!({"password": null});
        }
        super::objects::overlay(&mut secret, over);
        self.secret_of(id, target, name, secret).await;
        let secrets: Api<Secret> = Api::namespaced(self.admin.clone(), &namespace);
        eventually("external-secrets has fetched it", || async {
            let fetched = api.get(name).await.unwrap().data.pointer("/status/refreshTime").is_some();
            let secret = secrets.get(name).await.unwrap();
            (fetched && secret.annotations().contains_key(HASH)).then_some(secret)
        })
        .await
    }

    /// A Secret that cert-manager issued.
    pub async fn certificate(&self, id: &str, target: &str, name: &str, issuer: &str, policy: &str) -> Secret {
        let namespace = self.target(target);
        let note = json!({"annotations": {"cert-manager.io/certificate-name": name}});
        let data = json!({"password": null, "tls.crt": "old", "tls.key": "old"});
        self.secret_of(id, target, name, json!({"metadata": note, "type": "kubernetes.io/tls", "stringData": data}))
            .await;
        let spec = json!({"secretName": name, "issuerRef": {"name": issuer}, "privateKey": {"rotationPolicy": policy}});
        let written = json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": name}, "spec": spec});
        let api = certificates(&self.admin, &namespace);
        api.create(&PostParams::default(), &object(written)).await.unwrap();
        eventually("cert-manager has issued it", || async {
            api.get(name).await.unwrap().data.pointer("/status/revision").map(drop)
        })
        .await;
        Api::namespaced(self.admin.clone(), &namespace).get(name).await.unwrap()
    }
}
