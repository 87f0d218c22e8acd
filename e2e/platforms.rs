//! Common platforms: what they put into pods, what they demand of them, and what Rollcall says when the revoker cannot start.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, PostParams};
use rollcall::api::SyncPolicy;
use rollcall::api::condition::{ConditionType, Reason, Status};
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::chart;
use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::objects::{object, overlay};
use crate::support::waiting::eventually;
use crate::support::webhook::Webhook;

const REWRITTEN: &str =
    "mirror.example.com/rollcall@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Creates the pod of a Job as a rehearsal, as the Job's controller would: what it is after every mutation, or the refusal.
async fn rehearse(rollcall: &Installation, over: Value) -> Result<Pod, kube::Error> {
    let mut pod = rollcall.job()["template"].clone();
    overlay(&mut pod, json!({"metadata": {"name": "rehearsed"}}));
    overlay(&mut pod, over);
    let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    pods.create(&PostParams { dry_run: true, ..PostParams::default() }, &object(pod)).await
}

/// Upgrades the chart, and waits until the policy takes the Jobs of the new one.
async fn upgrade(rollcall: &Installation, values: Value) {
    rollcall.install(values).await;
    let jobs: Api<Job> = Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    let job: Job = object(json!({"metadata": {"name": "rehearsed"}, "spec": rollcall.job()}));
    eventually("the policy takes the Job that the chart declares", || async {
        jobs.create(&PostParams { dry_run: true, ..PostParams::default() }, &job).await.ok()
    })
    .await;
}

/// Waits until the policy says this of the revoker, and gives the message.
async fn policy_says(rollcall: &Installation, status: Status) -> String {
    let policies: Api<SyncPolicy> = rollcall.api();
    eventually(&format!("the policy says RevokerReady={}", status.as_str()), || async {
        let conditions = policies.get(POLICY).await.unwrap().status?.conditions;
        let found = conditions.into_iter().find(|condition| condition.is(ConditionType::RevokerReady, status))?;
        Some(found.message)
    })
    .await
}

async fn not_ready(rollcall: &Installation) -> String {
    eventually("the revoker is known not to run", || async {
        let record = rollcall.revoker_record().await.filter(|record| record["ready"] == false)?;
        Some(record["message"].as_str()?.to_owned())
    })
    .await
}

#[tokio::test]
async fn the_revoker_is_proved_able_to_run_before_anybody_leaves() {
    let rollcall = Installation::new("proved", &[]).await;
    let _running = rollcall.run().await;
    rollcall.revoker_is_ready().await;
    let address = rollcall.listening().pop().unwrap();
    eventually("control measures it", || async {
        let text = reqwest::get(format!("http://{address}/metrics")).await.ok()?.text().await.ok()?;
        text.contains("rollcall_revoker_ready 1").then_some(())
    })
    .await;
    rollcall.succeeds(&["consents"]);
    let values = json!({"image": {"repository": "localhost/rollcall", "tag": "test"}});
    chart::apply(rollcall.cluster, &chart::tests(&rollcall.release, &rollcall.namespace, &values));
    let jobs: Api<Job> = Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    eventually("the Job of `helm test` ends well", || async {
        jobs.get(&format!("{}-check", rollcall.release)).await.unwrap().status?.succeeded.filter(|done| *done == 1)
    })
    .await;
}

#[tokio::test]
async fn a_leaver_behind_a_quota_reads_what_refuses_the_revoker_and_is_revoked_once_it_does_not() {
    let rollcall = Installation::new("quota", &[("apps", Consent::Accounts)]).await;
    let quotas: Api<ResourceQuota> = Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    let demands: ResourceQuota =
        object(json!({"metadata": {"name": "compute"}, "spec": {"hard": {"limits.cpu": "2", "pods": "10"}}}));
    quotas.create(&PostParams::default(), &demands).await.unwrap();
    let _running = rollcall.run().await;
    let refusal =
        "its pod is refused: it lacks requests or limits that are demanded by the ResourceQuota compute: limits.cpu";
    assert_eq!(not_ready(&rollcall).await, refusal);

    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    assert!(policy_says(&rollcall, Status::False).await.contains(refusal), "before anybody leaves");
    rollcall.learn(&staff.person("7").terminated()).await;
    eventually("the Revocation says what refuses the revoker, and is not called at work", || async {
        let newest = rollcall.revocations("7").await.pop()?;
        let status = newest.status?;
        let ready = status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str())?;
        assert!(!ready.message.contains("at work"), "{}", ready.message);
        (ready.reason == Reason::RevokerCannotStart.as_str() && ready.message.contains(refusal)).then_some(())
    })
    .await;
    eventually("a Warning is told on the Revocation", || async {
        let events = rollcall.api::<Event>().list(&Default::default()).await.unwrap().items;
        let told = |event: &Event| {
            event.type_.as_deref() == Some("Warning")
                && event.reason.as_deref() == Some(Reason::RevokerCannotStart.as_str())
                && event.regarding.as_ref().and_then(|on| on.kind.as_deref()) == Some("Revocation")
        };
        events.iter().any(told).then_some(())
    })
    .await;
    eventually("the Person says that access stands", || async {
        let person = rollcall.person("7").await?.status?;
        person
            .conditions
            .iter()
            .any(|c| c.reason == Reason::RevokerCannotStart.as_str() && c.message.contains("Access stands"))
            .then_some(())
    })
    .await;

    quotas.delete("compute", &DeleteParams::default()).await.unwrap();
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    policy_says(&rollcall, Status::True).await;
}

#[tokio::test]
async fn a_job_that_is_refused_names_the_policy_and_the_field() {
    let rollcall = Installation::new("refused", &[]).await;
    let older = rollcall.job();
    upgrade(&rollcall, json!({"revoker": {"nodeSelector": {"pool": "system"}}})).await;
    rollcall.declare(&older); // control of the release before
    let _running = rollcall.run().await;
    let message = not_ready(&rollcall).await;
    let policy = format!("the ValidatingAdmissionPolicy {}-job-template", rollcall.release);
    assert!(message.contains(&policy) && message.contains("nodeSelector"), "{message}");
}

#[tokio::test]
async fn what_a_platform_needs_on_the_jobs_is_declared_and_passes() {
    let rollcall = Installation::new("declared", &[]).await;
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let affinity = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}]}}});
    upgrade(
        &rollcall,
        json!({
            "image": {"repository": "registry.example.com/rollcall", "digest": digest, "pullPolicy": "Always", "pullSecrets": ["pull"]},
            "proxy": {"https": "http://proxy.example.com:3128", "noProxy": "10.0.0.0/8,.svc"},
            "runAsUser": null,
            "revoker": {
                "resources": {"requests": {"cpu": 0.05}, "limits": {"cpu": 1, "memory": "131072Ki"}},
                "nodeSelector": {"pool": "system"}, "affinity": affinity, "schedulerName": "fargate-scheduler",
                "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "system", "effect": "NoSchedule"}],
                "podLabels": {"team": "security"}, "podAnnotations": {"sidecar.istio.io/inject": "false"},
            },
        }),
    )
    .await;
    let pod = rehearse(&rollcall, json!({})).await.unwrap();
    let spec = pod.spec.unwrap();
    assert_eq!(spec.containers[0].image, Some(format!("registry.example.com/rollcall@{digest}")));
    assert_eq!(spec.image_pull_secrets.unwrap()[0].name, "pull");
    // A security context constraint of OpenShift gives the pod a user, a group and SELinux options of its namespace.
    let assigned = json!({"fsGroup": 1_000_640_000, "seLinuxOptions": {"level": "s0:c25,c20"}});
    let mut container = rollcall.job()["template"]["spec"]["containers"][0].clone();
    overlay(&mut container, json!({"securityContext": {"runAsUser": 1_000_640_000}}));
    rehearse(&rollcall, json!({"spec": {"securityContext": assigned, "containers": [container]}})).await.unwrap();
    overlay(&mut container, json!({"securityContext": {"runAsUser": 0}}));
    let root = rehearse(&rollcall, json!({"spec": {"containers": [container]}})).await.unwrap_err();
    assert!(root.to_string().contains("security context") || root.to_string().contains("PodSecurity"), "{root}");
}

/// How a policy refuses a pod; nothing where another webhook does, that is gone and still called for a moment.
async fn refused(rollcall: &Installation) -> Option<kube::Error> {
    rehearse(rollcall, json!({})).await.err().filter(chart::refused_by_policy)
}

#[tokio::test]
async fn what_every_cluster_adds_to_pods_is_accepted() {
    let rollcall = Installation::new("added", &[]).await;
    let pod = rehearse(&rollcall, json!({})).await.unwrap();
    let spec = pod.spec.unwrap();
    assert_eq!(
        spec.containers[0].image_pull_policy.as_deref(),
        Some("Always"),
        "AlwaysPullImages is on in this cluster"
    );
    assert!(spec.tolerations.unwrap_or_default().len() >= 2, "the API server adds tolerations");
}

#[tokio::test]
async fn a_webhook_may_label_pods_and_rewrites_images_only_where_that_is_declared() {
    let rollcall = Installation::new("webhooks", &[]).await;
    let namespace = rollcall.revoker_namespace();
    let label = json!([{"op": "add", "path": "/metadata/labels/team", "value": "platform"}]);
    let labels = Webhook::on_pods(&rollcall.admin, &namespace, "labels", label).await;
    let pod = eventually("the webhook is in force", || async {
        let pod = rehearse(&rollcall, json!({})).await.expect("a label harms nobody");
        pod.labels().contains_key("team").then_some(pod)
    })
    .await;
    assert_eq!(pod.labels()["team"], "platform");
    labels.gone().await;

    let rewrite = json!([{"op": "replace", "path": "/spec/containers/0/image", "value": REWRITTEN}]);
    let images = Webhook::on_pods(&rollcall.admin, &namespace, "images", rewrite).await;
    let refusal = eventually("the webhook is in force", || refused(&rollcall)).await;
    assert!(refusal.to_string().contains(REWRITTEN), "{refusal}");
    upgrade(&rollcall, json!({"revoker": {"accept": {"images": [REWRITTEN]}}})).await;
    let pod = eventually("the image is accepted", || async { rehearse(&rollcall, json!({})).await.ok() }).await;
    assert_eq!(pod.spec.unwrap().containers[0].image.as_deref(), Some(REWRITTEN));
    images.gone().await;

    let sidecar = json!([{"op": "add", "path": "/spec/containers/-", "value": rollcall.job()["template"]["spec"]["containers"][0]},
        {"op": "replace", "path": "/spec/containers/1/name", "value": "proxy"}]);
    let injector = Webhook::on_pods(&rollcall.admin, &namespace, "sidecars", sidecar).await;
    eventually("the injector is in force", || refused(&rollcall)).await;
    injector.gone().await;
}

#[test]
fn the_readme_of_the_chart_lists_every_value() {
    fn paths(path: &str, node: &Value, definitions: &Value, found: &mut Vec<String>) {
        let reference = node["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        let node = reference.map_or(node, |name| &definitions[name]);
        match node["properties"].as_object().filter(|_| !path.ends_with("resources")) {
            Some(properties) => {
                for (name, below) in properties {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    paths(&path, below, definitions, found);
                }
            }
            None => found.push(path.to_owned()),
        }
    }
    let chart = std::path::Path::new("charts/rollcall");
    let read = |name: &str| std::fs::read_to_string(chart.join(name)).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    let mut found = Vec::new();
    paths("", &schema, &schema["definitions"], &mut found);
    let readme = read("README.md");
    let missing: Vec<_> =
        found.iter().filter(|path| *path != "global" && !readme.contains(&format!("| `{path}` |"))).collect();
    assert!(found.len() > 40 && missing.is_empty(), "{missing:?}");
}
