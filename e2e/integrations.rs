//! The rotation of Secrets with the real external-secrets and the real cert-manager: `make test-integrations`, which compiles both from
//! their modules. What it shows is also shown, on every run, with how both were seen to behave (`rotates.rs`).

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PostParams};
use rollcall::api::names;
use rollcall::api::revocation::{StepOutcome, VerdictKind};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::rotators::Node;
use crate::support::waiting::eventually;

/// A controller, which ends with this value.
struct Controller(Child);

impl Drop for Controller {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn given(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: run `make test-integrations`")).into()
}

/// Starts one, with its kinds in place.
fn start(rollcall: &Installation, name: &str) -> Controller {
    let upper = name.to_uppercase().replace('-', "_");
    let kinds = given(&format!("ROLLCALL_{upper}_CRDS"));
    let mut kubectl = rollcall.cluster.kubectl();
    // Too large for an annotation of a client-side apply.
    kubectl.args(["apply", "--server-side", "--force-conflicts"]);
    for file in std::fs::read_dir(kinds).unwrap().map(|entry| entry.unwrap().path()) {
        // GROUP_PLURAL.yaml; what else lies there is no kind.
        if file.file_stem().is_some_and(|name| name.to_string_lossy().contains('_')) {
            kubectl.arg("-f").arg(file);
        }
    }
    let applied = kubectl.output().unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let log = std::fs::File::create(rollcall.directory().join(format!("{name}.log"))).unwrap();
    let program = given(&format!("ROLLCALL_{upper}_BIN"));
    let child = Command::new(program)
        .env("KUBECONFIG", &rollcall.cluster.kubeconfig)
        .stdout(Stdio::from(log.try_clone().unwrap()))
        .stderr(Stdio::from(log))
        .spawn()
        .unwrap();
    Controller(child)
}

/// Applies objects as YAML or JSON, until their kinds are served.
async fn apply(rollcall: &Installation, objects: &[Value]) {
    let file = rollcall.directory().join("objects.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    std::fs::write(&file, list.to_string()).unwrap();
    eventually("the objects are applied", || async {
        let mut kubectl = rollcall.cluster.kubectl();
        kubectl.args(["apply", "--server-side", "-f"]).arg(&file);
        kubectl.output().unwrap().status.success().then_some(())
    })
    .await;
}

fn thing(api_version: &str, kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

#[tokio::test]
#[ignore = "make test-integrations: compiles external-secrets and cert-manager"]
async fn the_real_controllers_give_new_values_and_a_value_that_came_back_is_not_called_new() {
    let rollcall = Installation::new("integrations", &[("apps", Consent::Rotate)]).await;
    let apps = rollcall.target("apps");
    let _controllers = [start(&rollcall, "external-secrets"), start(&rollcall, "cert-manager")];
    let _node = Node::start(&rollcall.admin, vec![apps.clone()]);
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"revocation": {"secrets": "Rotate"}})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    let owner = json!({"annotations": {names::OWNER: rollcall.mark("7")}});
    let (eso, generators, cert) =
        ("external-secrets.io/v1", "generators.external-secrets.io/v1alpha1", "cert-manager.io/v1");
    let target = |name: &str| json!({"name": name, "template": {"metadata": owner}});
    let generator =
        json!({"sourceRef": {"generatorRef": {"apiVersion": generators, "kind": "Password", "name": "passwords"}}});
    let provider =
        json!({"provider": {"fake": {"data": [{"key": "db", "value": "what the provider has", "version": "v1"}]}}});
    let key = json!({"secretKey": "password", "remoteRef": {"key": "db", "version": "v1"}});
    let issued = json!({"secretName": "site", "secretTemplate": owner, "dnsNames": ["site.example.com"],
                        "issuerRef": {"name": "own", "kind": "Issuer"}, "privateKey": {"rotationPolicy": "Always"}});
    apply(
        &rollcall,
        &[
            thing(
                generators,
                "Password",
                &apps,
                "passwords",
                json!({"length": 32, "allowRepeat": true, "noUpper": false}),
            ),
            thing(eso, "SecretStore", &apps, "provider", provider),
            thing(
                eso,
                "ExternalSecret",
                &apps,
                "db",
                json!({"refreshInterval": "1h", "target": target("db"), "dataFrom": [generator]}),
            ),
            thing(
                eso,
                "ExternalSecret",
                &apps,
                "same",
                json!({"refreshInterval": "1h", "target": target("same"),
                "secretStoreRef": {"name": "provider", "kind": "SecretStore"}, "data": [key]}),
            ),
            thing(cert, "Issuer", &apps, "own", json!({"selfSigned": {}})),
            thing(cert, "Certificate", &apps, "site", issued),
        ],
    )
    .await;
    let secrets: Api<Secret> = Api::namespaced(rollcall.admin.clone(), &apps);
    let read = async |name: &'static str| {
        eventually("the controllers have written it", || async {
            let secret = secrets.get_opt(name).await.unwrap()?;
            let owned = secret.metadata.annotations.as_ref()?.contains_key(names::OWNER);
            secret.data.filter(|data| owned && !data.is_empty())
        })
        .await
    };
    let before = [read("db").await, read("same").await, read("site").await];
    let labels = json!({"app": "web"});
    let pod = json!({"containers": [{"name": "main", "image": "example.com/app:1", "envFrom": [{"secretRef": {"name": "db"}}]}]});
    let web: Deployment = object(json!({"metadata": {"name": "web"}, "spec": {"replicas": 2,
        "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}}));
    Api::namespaced(rollcall.admin.clone(), &apps).create(&PostParams::default(), &web).await.unwrap();

    let cut = rollcall.seven_leaves(&staff).await;

    let status = cut.status.unwrap();
    let after = [read("db").await, read("same").await, read("site").await];
    let new: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before != after).collect();
    assert_eq!(new, [true, false, true], "db and site are new, and same is what it was");
    assert_ne!(before[2]["tls.key"], after[2]["tls.key"], "with a key of its own");
    let told = ["db", "same", "site"].map(|name| {
        let step = status.steps.iter().find(|step| step.target.name == name).map(|step| step.outcome);
        let verdict = status.verdicts.iter().find(|one| one.target.name == name).map(|one| one.verdict);
        (step, verdict)
    });
    let (done, adopted) = (Some(StepOutcome::Done), Some(VerdictKind::Adopted));
    let unchanged = (Some(StepOutcome::Unchanged), Some(VerdictKind::Refuted));
    assert_eq!(told, [(done, adopted), unchanged, (done, adopted)], "{:#?}", status.verdicts);
    rollcall.evidence_verifies();
}
