//! Secrets of a leaver: they get new values by who manages them, what was started with the old ones is started again, and what was not
//! rotated is never called so. external-secrets and cert-manager are played as they were seen (`support/rotators.rs`).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Operation, Phase, RevocationStatus, StepOutcome, VerdictKind};
use rollcall::api::{Revocation, names};
use serde_json::{Value, json};

use crate::support::attempts::Try::{Create, Delete, Patch as Change, Status as Say};
use crate::support::attempts::*;
use crate::support::installation::{Consent, Installation, Running};
use crate::support::leaks;
use crate::support::objects::object;
use crate::support::people::People;
use crate::support::rotators::{self, Rotators, certificates, external_secrets};
use crate::support::tokens::{mint_unbound, refused};
use crate::support::waiting::eventually;

/// An installation whose target `apps` consented to `rotate`, under a policy that has Secrets rotated.
async fn rotating(story: &str, more: &[(&str, Consent)]) -> (Installation, Running, Rotators, People) {
    let mut targets = vec![("apps", Consent::Rotate)];
    targets.extend(more);
    let rollcall = Installation::new(story, &targets).await;
    let rotators = Rotators::start(&rollcall.admin, vec![rollcall.target("apps")]).await;
    let running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"revocation": {"secrets": "Rotate"}})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    (rollcall, running, rotators, staff)
}

fn secrets(rollcall: &Installation) -> Api<Secret> {
    Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"))
}

/// Something in `apps` that makes pods of this spec.
async fn makes<K>(rollcall: &Installation, name: &str, pod: Value, over: Value)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    K: Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    let labels = json!({"app": name});
    let mut spec = json!({
        "replicas": 2, "selector": {"matchLabels": labels}, "serviceName": name,
        "template": {"metadata": {"labels": labels}, "spec": pod},
    });
    crate::support::objects::overlay(&mut spec, over);
    let made: K = object(json!({"metadata": {"name": name}, "spec": spec}));
    Api::<K>::namespaced(rollcall.admin.clone(), &rollcall.target("apps"))
        .create(&PostParams::default(), &made)
        .await
        .unwrap();
}

fn container(more: Value) -> Value {
    let mut container = json!({"name": "main", "image": "example.com/app:1"});
    crate::support::objects::overlay(&mut container, more);
    container
}

/// A pod that has a Secret in its environment.
fn in_environment(secret: &str) -> Value {
    json!({"containers": [container(json!({"envFrom": [{"secretRef": {"name": secret}}]}))]})
}

/// A pod that mounts a Secret.
fn mounting(secret: &str) -> Value {
    let mount = json!([{"name": "v", "mountPath": "/etc/v"}]);
    json!({
        "containers": [container(json!({"volumeMounts": mount}))],
        "volumes": [{"name": "v", "secret": {"secretName": secret}}],
    })
}

/// Waits until so many pods of `apps` run, and gives the uids of each `app`.
async fn run(rollcall: &Installation, number: usize) -> BTreeMap<String, BTreeSet<String>> {
    let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    eventually("the pods run", || async {
        let all = pods.list(&ListParams::default()).await.unwrap().items;
        let runs = |pod: &&Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
        let running: Vec<_> = all.iter().filter(runs).collect();
        let mut by_app: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for pod in &running {
            let app = pod.labels().get("app").cloned().unwrap_or_else(|| pod.name_any());
            by_app.entry(app).or_default().insert(pod.uid().unwrap());
        }
        (running.len() == number && all.len() == number).then_some(by_app)
    })
    .await
}

fn status(revocation: &Revocation) -> RevocationStatus {
    revocation.status.clone().unwrap()
}

/// The verdict, and the words, on a Secret.
fn verdict(status: &RevocationStatus, name: &str) -> Option<(VerdictKind, String)> {
    let one = status.verdicts.iter().find(|one| one.target.name == name)?;
    Some((one.verdict, one.how.clone()))
}

fn outcome(status: &RevocationStatus, name: &str) -> Option<StepOutcome> {
    status.steps.iter().find(|step| step.target.name == name).map(|step| step.outcome)
}

/// Names of Secrets that remain, and why.
fn remaining(status: &RevocationStatus) -> BTreeMap<String, String> {
    let planned = status.plan.iter().flat_map(|plan| &plan.remaining);
    let all = planned.chain(&status.remaining).filter(|left| left.what.starts_with("Secret "));
    all.map(|left| (left.what.rsplit('/').next().unwrap().to_owned(), left.why.clone())).collect()
}

async fn says(rollcall: &Installation, status: Status) {
    eventually(&format!("person 7 says Revoked={}", status.as_str()), || async {
        let conditions = rollcall.person("7").await?.status?.conditions;
        conditions.iter().any(|one| one.is(ConditionType::Revoked, status)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn secrets_of_a_leaver_get_new_values_and_every_pod_that_uses_them_is_started_again() {
    let (rollcall, _running, _rotators, staff) = rotating("rotated", &[]).await;
    rollcall.account_of("7", "apps", "seven").await;
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "seven").await;
    let generate = json!({"metadata": {"annotations": {names::ROTATE: "Generate password=Password id,id.pub=SshKeyPair"}},
                          "stringData": {"username": "ada", "id": "old", "id.pub": "old"}});
    let mut before = BTreeMap::new();
    before.insert("db", rollcall.external_secret("7", "apps", "db", "generator").await);
    before.insert("site", rollcall.certificate("7", "apps", "site", "ca", "Always").await);
    before.insert("login", rollcall.secret_of("7", "apps", "login", generate.clone()).await);
    let colleagues = rollcall.secret_of("8", "apps", "colleagues", generate).await;
    makes::<Deployment>(&rollcall, "web", in_environment("db"), json!({})).await;
    makes::<StatefulSet>(&rollcall, "store", mounting("site"), json!({})).await;
    makes::<Deployment>(&rollcall, "other", in_environment("colleagues"), json!({})).await;
    let pods = run(&rollcall, 6).await;
    let deployments: Api<Deployment> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let web = deployments.get("web").await.unwrap();

    let cut = rollcall.seven_leaves(&staff).await;

    refused("the leaver's own token", &token).await;
    let status = status(&cut);
    for (name, before) in &before {
        let (kind, how) = verdict(&status, name).unwrap();
        assert_eq!(kind, VerdictKind::Adopted, "{name}: {how}");
        let after = secrets(&rollcall).get(name).await.unwrap();
        assert_eq!((after.uid(), &after.type_), (before.uid(), &before.type_), "{name}");
        let (old, new) = (before.data.clone().unwrap(), after.data.unwrap());
        assert!(old.keys().eq(new.keys()), "{name}");
        for (key, value) in &old {
            assert_eq!(new[key] == *value, key == "username", "{name}: {key}");
        }
    }
    assert_eq!(remaining(&status), BTreeMap::new());
    let now = run(&rollcall, 6).await;
    for (app, started_again) in [("web", true), ("store", true), ("other", false)] {
        assert_eq!(now[app].is_disjoint(&pods[app]), started_again, "{app}");
    }
    let mut restarted = deployments.get("web").await.unwrap().spec.unwrap();
    let notes = restarted.template.metadata.as_mut().unwrap().annotations.take().unwrap();
    assert_eq!(notes.keys().collect::<Vec<_>>(), ["kubectl.kubernetes.io/restartedAt"]);
    assert_eq!(restarted, web.spec.unwrap(), "and nothing else of it changed");
    let theirs = secrets(&rollcall).get("colleagues").await.unwrap();
    assert_eq!(theirs.resource_version(), colleagues.resource_version(), "a colleague's is not touched");
    says(&rollcall, Status::True).await;
    let mut forbidden = Vec::new();
    for name in ["db", "site", "login"] {
        let values = [before[name].data.clone().unwrap(), secrets(&rollcall).get(name).await.unwrap().data.unwrap()];
        let values = values.into_iter().flatten().filter(|(key, _)| key != "username");
        forbidden.extend(
            values.map(|(_, value)| ("a value", String::from_utf8(value.0).unwrap())).filter(|(_, v)| v.len() > 5),
        );
    }
    assert_eq!(leaks::places(&rollcall, &forbidden).await, Vec::<String>::new());
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn what_has_no_new_value_is_never_called_rotated_and_keeps_nothing_else_from_being_revoked() {
    let more = [("web", Consent::Secrets)];
    let (rollcall, _running, _rotators, staff) = rotating("not-rotated", &more).await;
    rollcall.account_of("7", "apps", "seven").await;
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "seven").await;
    let same = rollcall.external_secret("7", "apps", "same", "provider").await;
    rollcall.external_secret("7", "apps", "stuck", "broken").await;
    rollcall.certificate("7", "apps", "failing", "broken", "Always").await;
    let keeps = rollcall.certificate("7", "apps", "keeps", "ca", "Never").await;
    rollcall.secret_of("7", "apps", "by-hand", json!({})).await;
    let generate = json!({"metadata": {"annotations": {names::ROTATE: "Generate password=Password"}}});
    let mut final_ = generate.clone();
    final_["immutable"] = json!(true);
    rollcall.secret_of("7", "apps", "final", final_).await;
    rollcall.secret_of("7", "web", "elsewhere", generate.clone()).await;
    // Annotations that point at what is somebody else's, or at kinds that are not installed.
    let victim = rollcall.certificate("8", "apps", "victim", "ca", "Always").await;
    let note = json!({"metadata": {"annotations": {"cert-manager.io/certificate-name": "victim"}}});
    rollcall.secret_of("7", "apps", "forged", note).await;
    let owner = json!([{"apiVersion": "external-secrets.io/v9", "kind": "ExternalSecret", "name": "x", "uid": "x"}]);
    let labels = json!({"reconcile.external-secrets.io/managed": "true"});
    let hash = json!({"reconcile.external-secrets.io/data-hash": "h"});
    let absent = json!({"metadata": {"labels": labels, "ownerReferences": owner, "annotations": hash}});
    rollcall.secret_of("7", "apps", "absent", absent).await;

    let cut = rollcall.seven_leaves(&staff).await;

    refused("the leaver's own token", &token).await;
    let status = status(&cut);
    let expected = [
        ("same", "Unchanged"),
        ("stuck", "NotRotated"),
        ("failing", "NotRotated"),
        ("keeps", "KeyStays"),
        ("by-hand", "NothingRotates"),
        ("final", "NotRotated"),
        ("elsewhere", "NoConsentToRotate"),
        ("forged", "NothingRotates"),
    ];
    let mut left = remaining(&status);
    // It goes with its owner, which never was: the garbage collector may be there before the revoker.
    left.retain(|name, why| name != "absent" || !["NothingRotates", "SecretGone"].contains(&why.as_str()));
    let expected: BTreeMap<String, String> = expected.map(|(name, why)| (name.to_owned(), why.to_owned())).into();
    assert_eq!(left, expected);
    let outcomes = ["same", "stuck", "failing", "keeps", "final"].map(|name| outcome(&status, name).unwrap());
    use StepOutcome::{Failed, Refused, Skipped, Unchanged};
    assert_eq!(outcomes, [Unchanged, Failed, Failed, Skipped, Refused]);
    let verdicts = ["same", "stuck", "failing", "final"].map(|name| verdict(&status, name).map(|(kind, _)| kind));
    assert_eq!(verdicts, [Some(VerdictKind::Refuted); 4], "the old value is what it was");
    assert!(status.verified.is_some(), "the account is proved refused all the same");
    for old in [same, keeps, victim] {
        assert_eq!(secrets(&rollcall).get(&old.name_any()).await.unwrap().data, old.data, "{}", old.name_any());
    }
    says(&rollcall, Status::False).await;
    let why = rollcall.succeeds(&["why", &format!("{}/7", rollcall.connection)]);
    assert!(why.contains("Unchanged") && why.contains("rotate it at the provider"), "{why}");
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn a_policy_that_reports_leaves_every_secret_as_it_is() {
    let (rollcall, _running, staff) = Installation::with_seven("reported", Consent::Rotate, json!({})).await;
    let generate = json!({"metadata": {"annotations": {names::ROTATE: "Generate password=Password"}}});
    let before = rollcall.secret_of("7", "apps", "login", generate).await;
    let whom = format!("{}/7", rollcall.connection);
    eventually("the plan sees it", || async {
        rollcall.succeeds(&["plan", &whom]).contains("SecretContents").then_some(())
    })
    .await;
    let cut = rollcall.seven_leaves(&staff).await;
    let left = remaining(&status(&cut));
    assert_eq!(left, BTreeMap::from([("login".to_owned(), "SecretContents".to_owned())]));
    let after = secrets(&rollcall).get("login").await.unwrap();
    assert_eq!(after.resource_version(), before.resource_version());
    let consents = rollcall.succeeds(&["consents"]);
    assert!(consents.contains("ROTATE"), "{consents}");
}

#[tokio::test]
async fn what_nothing_starts_again_is_named_and_not_killed_and_what_reads_again_is_left_to_it() {
    let (rollcall, _running, _rotators, staff) = rotating("not-adopted", &[]).await;
    let generate = json!({"metadata": {"annotations": {names::ROTATE: "Generate password=Password"}}});
    rollcall.secret_of("7", "apps", "login", generate).await;
    let namespace = rollcall.target("apps");
    let alone = json!({"metadata": {"name": "alone", "labels": {"app": "alone"}}, "spec": mounting("login")});
    let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), &namespace);
    pods.create(&PostParams::default(), &object(alone)).await.unwrap();
    let mut pod = in_environment("login");
    pod["restartPolicy"] = json!("Never");
    let job = json!({"metadata": {"name": "import"}, "spec": {"template": {"metadata": {"labels": {"app": "import"}}, "spec": pod}}});
    Api::<Job>::namespaced(rollcall.admin.clone(), &namespace)
        .create(&PostParams::default(), &object(job))
        .await
        .unwrap();
    makes::<Deployment>(&rollcall, "web", in_environment("login"), json!({})).await;
    let before = run(&rollcall, 4).await;

    let cut = rollcall.seven_leaves(&staff).await;

    let status = status(&cut);
    let (kind, how) = verdict(&status, "login").unwrap();
    assert_eq!(kind, VerdictKind::Refuted);
    assert!(how.contains("2 of 4 pods") && how.contains("Job import (1)") && how.contains("Pod alone"), "{how}");
    assert!(!how.contains("web"), "{how}");
    assert_eq!(outcome(&status, "login"), Some(StepOutcome::Done), "it has a new value");
    assert_eq!(remaining(&status), BTreeMap::from([("login".to_owned(), "NotAdopted".to_owned())]));
    assert!(status.verified.is_none(), "nothing was proved");
    let after = run(&rollcall, 4).await;
    assert_eq!((&after["alone"], &after["import"]), (&before["alone"], &before["import"]), "they go on");
    assert!(after["web"].is_disjoint(&before["web"]));
    says(&rollcall, Status::False).await;
    // An admin has replaced them, and hands the Secret over.
    let owner = json!({"metadata": {"annotations": {names::OWNER: rollcall.mark("8")}}});
    secrets(&rollcall).patch("login", &PatchParams::default(), &Patch::Merge(&owner)).await.unwrap();
    says(&rollcall, Status::True).await;
}

#[tokio::test]
async fn a_rollout_that_takes_long_delays_nothing_but_itself() {
    let (rollcall, _running, rotators, staff) = rotating("slow", &[]).await;
    rollcall.account_of("7", "apps", "seven").await;
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "seven").await;
    rollcall.external_secret("7", "apps", "slow", "generator").await;
    rollcall.external_secret("7", "apps", "quick", "generator").await;
    let careful = json!({"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}});
    makes::<Deployment>(&rollcall, "slow", in_environment("slow"), careful).await;
    makes::<Deployment>(&rollcall, "quick", in_environment("quick"), json!({})).await;
    run(&rollcall, 4).await;
    rotators.hold("slow");
    rollcall.learn(&staff.clone().person("7").terminated()).await;
    let meanwhile = eventually("the quick one is adopted, and everything else proved", || async {
        let status = rollcall.revocations("7").await.pop()?.status?;
        let adopted = verdict(&status, "quick").is_some_and(|(kind, _)| kind == VerdictKind::Adopted);
        (adopted && status.confirmed.is_some()).then_some(status)
    })
    .await;
    refused("the leaver's own token", &token).await;
    assert_eq!(verdict(&meanwhile, "slow"), None);
    assert_eq!((meanwhile.phase, meanwhile.finished), (Some(Phase::Released), None));
    assert!(meanwhile.verified.is_some());
    rotators.let_go("slow");
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    assert_eq!(verdict(&status(&cut), "slow").map(|(kind, _)| kind), Some(VerdictKind::Adopted));
    assert_eq!(status(&cut).confirmed, meanwhile.confirmed, "what was proved before was not proved again");
    rollcall.evidence_verifies();
}

const META: &str = "the revoker changes no label, owner or finalizer";
const NOTES: &str = "the revoker changes no annotation but the one that asks for, or tells of, a new value";
const DECLARED: &str = "the revoker writes only into a Secret with an owner annotation whose annotation rollcall.dev/rotate declares what to generate";
const TYPE: &str = "the revoker changes no type of a Secret, and writes no token";
const KEYS: &str = "the revoker writes only the keys that the annotation rollcall.dev/rotate declares";
const EXTERNAL: &str = "the revoker has an ExternalSecret refreshed, and changes nothing of what it says";
const CERTIFICATE: &str = "the revoker changes nothing of a Certificate but its conditions";
const ISSUING: &str = "the revoker has a Certificate issued again, and says nothing else of it";
const WORKLOAD: &str = "the revoker restarts a workload, and changes nothing else of it";
const TEMPLATE: &str = "the revoker changes nothing of a pod template but the annotation of a restart";
const CAGE: &str = "the revoker never does this";
const GLASS: &str = "the object has the label rollcall.dev/break-glass; the revoker never touches it";

const EXTERNAL_SECRETS: Resource = ("external-secrets.io", "v1", "ExternalSecret", "externalsecrets");
const CERTIFICATES: Resource = ("cert-manager.io", "v1", "Certificate", "certificates");
const STATEFUL_SETS: Resource = ("apps", "v1", "StatefulSet", "statefulsets");

/// What lies in a namespace that consented, for the revoker's identity to be tried on.
async fn prey(rollcall: &Installation) {
    let declares = |more: Value| {
        let mut over = json!({"metadata": {"annotations": {names::ROTATE: "Generate password=Password a,b=KeyPair", "note": "n"}}});
        crate::support::objects::overlay(&mut over, more);
        over
    };
    rollcall.secret_of("7", "apps", "login", declares(json!({"stringData": {"username": "ada"}}))).await;
    rollcall.secret_of("7", "apps", "undeclared", json!({})).await;
    let unowned = json!({"metadata": {"annotations": {names::OWNER: null}}});
    rollcall.secret_of("7", "apps", "unowned", declares(unowned)).await;
    let glass = json!({"metadata": {"labels": {names::BREAK_GLASS: "yes"}}});
    rollcall.secret_of("7", "apps", "glass", declares(glass)).await;
    let token = json!({"metadata": {"annotations": {"kubernetes.io/service-account.name": "seven"}},
                       "type": "kubernetes.io/service-account-token", "stringData": null});
    rollcall.account_of("7", "apps", "seven").await;
    rollcall.secret_of("7", "apps", "token", declares(token)).await;
    rollcall.external_secret("7", "apps", "db", "generator").await;
    rollcall.certificate("7", "apps", "site", "ca", "Always").await;
    makes::<Deployment>(
        rollcall,
        "web",
        in_environment("db"),
        json!({"template": {"metadata": {"annotations": {"note": "n"}}}}),
    )
    .await;
    makes::<StatefulSet>(rollcall, "store", in_environment("db"), json!({})).await;
}

#[tokio::test]
async fn the_revokers_identity_stolen_can_have_values_made_anew_and_change_nothing_else() {
    let rollcall = Installation::new("rotate-cage", &[("apps", Consent::Rotate), ("web", Consent::Secrets)]).await;
    let _rotators = Rotators::start(&rollcall.admin, vec![rollcall.target("apps")]).await;
    let (apps, web) = (rollcall.target("apps"), rollcall.target("web"));
    prey(&rollcall).await;
    rollcall.secret_of("7", "web", "login", json!({})).await;
    let note = |key: &str, value: &str| json!({"metadata": {"annotations": {key: value}}});
    let restart = || json!({"spec": {"template": note("kubectl.kubernetes.io/restartedAt", "2026-03-01T00:00:00Z")}});
    let value = |key: &str| json!({"data": {key: "bmV3"}});
    let certificate: DynamicObject = certificates(&rollcall.admin, &apps).get("site").await.unwrap();
    let ready = certificate.data.pointer("/status/conditions").unwrap().as_array().unwrap().clone();
    let conditions = |one: Value| ready.iter().cloned().chain([one]).collect::<Vec<_>>();
    let issuing = || json!({"type": "Issuing", "status": "True", "reason": "ManuallyTriggered"});
    let with_its_own_rights = [
        ("generates", SECRETS, Change("login", value("password"))),
        ("tells when", SECRETS, Change("login", note(names::ROTATED, "2026-03-01T00:00:00Z"))),
        ("has one refreshed", EXTERNAL_SECRETS, Change("db", note("force-sync", "now"))),
        ("has one issued", CERTIFICATES, Say("site", json!({"conditions": conditions(issuing())}))),
        ("restarts", DEPLOYMENTS, Change("web", restart())),
        ("restarts in order", STATEFUL_SETS, Change("store", restart())),
    ];
    for (what, resource, tried) in &with_its_own_rights {
        eventually(&format!("by its own rights it {what}"), || async {
            let (layer, _) = attempt(&rollcall, "revoke", &apps, *resource, tried).await;
            (layer == "none").then_some(())
        })
        .await;
    }
    let empty = || json!({"metadata": {"name": "new"}});
    for (what, namespace, resource, tried) in [
        ("where nobody consented to it", &web, SECRETS, Change("login", value("password"))),
        ("makes one", &apps, SECRETS, Create(empty())),
        ("deletes one", &apps, SECRETS, Delete("login")),
        ("changes a Certificate", &apps, CERTIFICATES, Change("site", json!({"spec": {"secretName": "x"}}))),
        ("deletes a workload", &apps, DEPLOYMENTS, Delete("web")),
    ] {
        let (layer, said) = attempt(&rollcall, "revoke", namespace, resource, &tried).await;
        assert!(layer == "rbac", "{what}: {layer}: {said}");
    }
    let own = rollcall.cluster.acting_as(&rollcall.identity("revoke"), &["system:authenticated"]).await;
    let read = |namespace: &str| Api::<Secret>::namespaced(own.clone(), namespace);
    assert!(read(&apps).list(&ListParams::default()).await.is_err(), "it lists no Secrets");
    assert!(read(&web).get("login").await.is_err(), "and reads none where nobody consented to rotate");

    every_right(&rollcall, &[rollcall.identity("revoke")]).await;
    eventually("every right there is has been given to it", || async {
        let (layer, _) = attempt(&rollcall, "revoke", &apps, DEPLOYMENTS, &Delete("web")).await;
        (layer == "policy").then_some(())
    })
    .await;
    let label = || json!({"metadata": {"labels": {"team": "mallory"}}});
    let owner =
        json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "x"}]}});
    let ready_no = json!({"type": "Ready", "status": "False"});
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "example.com/mallory:1"}]}}}});
    let template = |meta: Value| json!({"spec": {"template": {"metadata": meta}}});
    let both = json!({"data": {"password": "bmV3", "username": "bWFsbG9yeQ=="}});
    let attacks = vec![
        ("another key", &apps, SECRETS, Change("login", value("username")), KEYS),
        ("another key with it", &apps, SECRETS, Change("login", both), KEYS),
        ("a new key", &apps, SECRETS, Change("login", value("extra")), KEYS),
        ("the word of a kind as a key", &apps, SECRETS, Change("login", value("Password")), KEYS),
        ("the first word as a key", &apps, SECRETS, Change("login", value("Generate")), KEYS),
        ("a key removed", &apps, SECRETS, Change("login", json!({"data": {"username": null}})), KEYS),
        ("one that declares nothing", &apps, SECRETS, Change("undeclared", value("password")), DECLARED),
        (
            "one that declares by the same call",
            &apps,
            SECRETS,
            Change("undeclared", {
                let mut change = note(names::ROTATE, "Generate password=Password");
                crate::support::objects::overlay(&mut change, value("password"));
                change
            }),
            NOTES,
        ),
        ("nobody's", &apps, SECRETS, Change("unowned", value("password")), DECLARED),
        ("break-glass", &apps, SECRETS, Change("glass", value("password")), GLASS),
        ("a token", &apps, SECRETS, Change("token", value("password")), TYPE),
        ("makes it immutable", &apps, SECRETS, Change("login", json!({"immutable": true})), TYPE),
        ("declares more", &apps, SECRETS, Change("login", note(names::ROTATE, "Generate username=Password")), NOTES),
        ("takes it over", &apps, SECRETS, Change("login", note(names::OWNER, "id:hq/8")), NOTES),
        (
            "removes an annotation",
            &apps,
            SECRETS,
            Change("login", json!({"metadata": {"annotations": {"note": null}}})),
            NOTES,
        ),
        ("a label", &apps, SECRETS, Change("login", label()), META),
        ("an owner", &apps, SECRETS, Change("login", owner), META),
        ("a finalizer", &apps, SECRETS, Change("login", json!({"metadata": {"finalizers": ["example.com/x"]}})), META),
        ("makes a Secret", &apps, SECRETS, Create(empty()), CAGE),
        ("deletes a Secret", &apps, SECRETS, Delete("login"), CAGE),
        (
            "another store",
            &apps,
            EXTERNAL_SECRETS,
            Change("db", json!({"spec": {"secretStoreRef": {"name": "mallory"}}})),
            EXTERNAL,
        ),
        ("another target", &apps, EXTERNAL_SECRETS, Change("db", json!({"spec": {"target": {"name": "x"}}})), EXTERNAL),
        ("another annotation of it", &apps, EXTERNAL_SECRETS, Change("db", note("team", "mallory")), NOTES),
        ("its status", &apps, EXTERNAL_SECRETS, Say("db", json!({"refreshTime": "x"})), EXTERNAL),
        (
            "a Certificate's name",
            &apps,
            CERTIFICATES,
            Change("site", json!({"spec": {"secretName": "x"}})),
            CERTIFICATE,
        ),
        (
            "a Certificate's revision",
            &apps,
            CERTIFICATES,
            Say("site", json!({"revision": 7, "conditions": conditions(issuing())})),
            CERTIFICATE,
        ),
        (
            "a Certificate that is not ready",
            &apps,
            CERTIFICATES,
            Say("site", json!({"conditions": [ready_no, issuing()]})),
            ISSUING,
        ),
        ("a Certificate that says less", &apps, CERTIFICATES, Say("site", json!({"conditions": [issuing()]})), ISSUING),
        ("a Certificate that is not issued", &apps, CERTIFICATES, Say("site", json!({"conditions": ready})), ISSUING),
        ("an image", &apps, DEPLOYMENTS, Change("web", image), TEMPLATE),
        (
            "an account",
            &apps,
            DEPLOYMENTS,
            Change("web", json!({"spec": {"template": {"spec": {"serviceAccountName": "x"}}}})),
            TEMPLATE,
        ),
        (
            "another annotation of the pods",
            &apps,
            DEPLOYMENTS,
            Change("web", template(json!({"annotations": {"x": "y"}}))),
            TEMPLATE,
        ),
        ("removes one", &apps, DEPLOYMENTS, Change("web", template(json!({"annotations": {"note": null}}))), TEMPLATE),
        ("a label of the pods", &apps, DEPLOYMENTS, Change("web", template(json!({"labels": {"x": "y"}}))), TEMPLATE),
        ("scales", &apps, DEPLOYMENTS, Change("web", json!({"spec": {"replicas": 0}})), WORKLOAD),
        ("pauses", &apps, DEPLOYMENTS, Change("web", json!({"spec": {"paused": true}})), WORKLOAD),
        ("a label of a workload", &apps, DEPLOYMENTS, Change("web", label()), META),
    ];
    let (mut attacked, mut wrong) = (BTreeSet::new(), Vec::new());
    for (what, namespace, resource, tried, rule) in attacks {
        let (layer, said) = attempt(&rollcall, "revoke", namespace, resource, &tried).await;
        // What the cage refuses too may be refused by it.
        if layer == "policy" && (said.contains(rule) || said.contains(CAGE)) {
            attacked.extend(said.contains(rule).then(|| rule.to_owned()));
        } else {
            wrong.push(format!("{what}: {layer}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(rollcall.admin.clone());
    let policy = policies.get(&format!("{}-rotate", rollcall.release)).await.unwrap();
    let written = policy.spec.unwrap().validations.unwrap().into_iter().filter_map(|rule| rule.message);
    let missing: Vec<String> = written.filter(|rule| !attacked.contains(rule)).collect();
    assert!(missing.is_empty(), "every rule has its attack: {missing:#?}");
    rotators::define(&rollcall.admin).await;
    assert!(external_secrets(&rollcall.admin, &apps).get("db").await.is_ok());
}
