//! Mints every kind of access for person 7: accounts and their tokens, bindings, certificates, Secrets, an open watch.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use data_encoding::BASE64;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{Pod, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::Kind;
use super::tries::Credential;
use crate::support::installation::{Installation, suffix};
use crate::support::objects::object;
use crate::support::process::write_kubeconfig;
use crate::support::tokens::{Token, legacy_secret_token, mint_bound_to_pod, mint_bound_to_secret, mint_unbound};
use crate::support::waiting::eventually;
use rollcall::api::names;

/// API group of roles and bindings.
const RBAC: &str = "rbac.authorization.k8s.io";
/// Label on what lies in no namespace of the story.
const STORY: &str = "rollcall.dev/zoo";

/// Mints all of it.
pub async fn mint(rollcall: &Installation) -> Vec<Kind> {
    let (certificate, key, request) = certificate(rollcall, "laptop").await;
    let client = rollcall.cluster.http_with(&certificate, &key);
    let mut kinds = personal_accounts(rollcall).await;
    kinds.extend(pods(rollcall).await);
    kinds.extend(accounts_in_bindings(rollcall).await);
    kinds.push(Kind {
        words: "a client certificate, signed through a CertificateSigningRequest",
        rests_on: request,
        credential: Credential::Certificate(client.clone()),
    });
    kinds.extend(bindings(rollcall, &client).await);
    kinds.extend(kubeconfigs(rollcall).await);
    kinds.extend(secrets(rollcall).await);
    kinds.push(bootstrap_token(rollcall).await);
    kinds.push(watch(rollcall).await);
    kinds
}

/// Deletes what lies in no namespace of the story.
pub async fn clear(rollcall: &Installation) {
    let ours = ListParams::default().labels(&format!("{STORY}={}", rollcall.namespace));
    let delete = DeleteParams::default();
    let admin = || rollcall.admin.clone();
    Api::<ClusterRole>::all(admin()).delete_collection(&delete, &ours).await.unwrap();
    Api::<CertificateSigningRequest>::all(admin()).delete_collection(&delete, &ours).await.unwrap();
    Api::<Secret>::namespaced(admin(), "kube-system").delete_collection(&delete, &ours).await.unwrap();
}

async fn create<K>(rollcall: &Installation, target: &str, written: Value) -> K
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug,
    K: Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(rollcall.admin.clone(), &rollcall.target(target));
    api.create(&PostParams::default(), &object(written)).await.unwrap()
}

fn account(rollcall: &Installation, name: &str) -> String {
    format!("ServiceAccount {}/{name}", rollcall.target("apps"))
}

/// A token of an account of namespace `apps`.
fn token(rollcall: &Installation, words: &'static str, name: &str, token: Token) -> Kind {
    Kind { words, rests_on: account(rollcall, name), credential: Credential::Token(token) }
}

/// Tokens of personal accounts, and the three spellings of an owner.
async fn personal_accounts(rollcall: &Installation) -> Vec<Kind> {
    let (admin, apps) = (&rollcall.admin, rollcall.target("apps"));
    rollcall.account_of("7", "apps", "laptop").await;
    rollcall.account("apps", "by-address", Some(&format!("email:{}", rollcall.address("7")))).await;
    rollcall.account("apps", "by-user", Some(&format!("user:{}", rollcall.user("7")))).await;
    let installation = format!("id:{}:{}/7", rollcall.namespace, rollcall.connection);
    rollcall.account("apps", "by-installation", Some(&installation)).await;
    let unbound = async |name: &str| mint_unbound(admin, &apps, name).await;
    vec![
        token(
            rollcall,
            "the token of a legacy token Secret",
            "laptop",
            legacy_secret_token(admin, &apps, "laptop").await.0,
        ),
        token(rollcall, "a token of `kubectl create token`, bound to nothing", "laptop", unbound("laptop").await),
        token(rollcall, "a token bound to a Secret", "laptop", mint_bound_to_secret(admin, &apps, "laptop").await),
        token(rollcall, "a token of an account owned by address (`email:`)", "by-address", unbound("by-address").await),
        token(rollcall, "a token of an account owned by user name (`user:`)", "by-user", unbound("by-user").await),
        token(
            rollcall,
            "a token of an account owned by id with the namespace",
            "by-installation",
            unbound("by-installation").await,
        ),
    ]
}

/// Tokens copied out of pods. A node would ask for the very same ones.
async fn pods(rollcall: &Installation) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (words, name, phase, purpose) in [
        ("the token of a running pod, copied", "web", "Running", None),
        ("the token of a completed pod, copied", "report", "Succeeded", None),
        ("the token of a pod whose account says `purpose: personal`", "mine", "Running", Some("personal")),
    ] {
        let mut marks = json!({names::OWNER: rollcall.mark("7")});
        purpose.into_iter().for_each(|purpose: &str| marks[names::PURPOSE] = json!(purpose));
        let _: ServiceAccount =
            create(rollcall, "apps", json!({"metadata": {"name": name, "annotations": marks}})).await;
        let pod = format!("{name}-1");
        let _: Pod = create(
            rollcall,
            "apps",
            json!({"metadata": {"name": pod}, "spec": {
                "serviceAccountName": name, "nodeSelector": {"rollcall.dev/nowhere": "true"},
                "containers": [{"name": "c", "image": "example.com/none"}],
            }}),
        )
        .await;
        let apps = rollcall.target("apps");
        let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), &apps);
        let status = json!({"status": {"phase": phase}});
        pods.patch_status(&pod, &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
        kinds.push(token(rollcall, words, name, mint_bound_to_pod(&rollcall.admin, &apps, name, &pod).await));
    }
    kinds
}

fn binding(name: &str, role: (&str, &str), subjects: &[Value]) -> Value {
    json!({"metadata": {"name": name}, "subjects": subjects, "roleRef": {"apiGroup": RBAC, "kind": role.0, "name": role.1}})
}

fn of_account(name: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name})
}

/// Rights of accounts, alone and with somebody else's account, used by a token.
async fn accounts_in_bindings(rollcall: &Installation) -> Vec<Kind> {
    let (view, apps) = (("ClusterRole", "view"), rollcall.target("apps"));
    rollcall.account_of("7", "apps", "bound").await;
    rollcall.account_of("7", "apps", "sharing").await;
    rollcall.account_of("8", "apps", "bens").await;
    let _: RoleBinding = create(rollcall, "apps", binding("bound", view, &[of_account("bound")])).await;
    let _: RoleBinding =
        create(rollcall, "apps", binding("sharing", view, &[of_account("sharing"), of_account("bens")])).await;
    let mut kinds = Vec::new();
    for (words, name) in [
        ("rights of a binding to an account alone", "bound"),
        ("rights of a binding that an account shares", "sharing"),
    ] {
        let token = Some(mint_unbound(&rollcall.admin, &apps, name).await);
        let path = format!("/api/v1/namespaces/{apps}/pods");
        let credential = Credential::Reads { with: rollcall.cluster.plain_http(), token, path };
        kinds.push(Kind { words, rests_on: account(rollcall, name), credential });
    }
    kinds
}

/// The group of the certificates: of this story alone.
fn group(rollcall: &Installation) -> String {
    format!("{}-ops", rollcall.namespace)
}

/// Rights of the user, used by their client certificate.
async fn bindings(rollcall: &Installation, client: &reqwest::Client) -> Vec<Kind> {
    let (ada, ben) = (rollcall.user("7"), rollcall.user("8"));
    let user = |name: &str| json!({"kind": "User", "name": name, "apiGroup": RBAC});
    let of_group = json!({"kind": "Group", "name": group(rollcall), "apiGroup": RBAC});
    let view = ("ClusterRole", "view");
    let aggregated = aggregated_role(rollcall).await;
    let _: RoleBinding = create(rollcall, "apps", binding("alone", view, &[user(&ada)])).await;
    let _: RoleBinding = create(rollcall, "shared", binding("shared", view, &[user(&ada), user(&ben)])).await;
    let _: RoleBinding = create(rollcall, "grouped", binding("grouped", view, &[of_group])).await;
    let _: RoleBinding =
        create(rollcall, "aggregated", binding("aggregated", ("ClusterRole", &aggregated), &[user(&ada)])).await;
    let everywhere = format!("{}-everywhere", rollcall.namespace);
    let rules = json!([{"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}]);
    cluster_role(rollcall, &everywhere, json!({"rules": rules})).await;
    let bound: ClusterRoleBinding = object(binding(&everywhere, ("ClusterRole", &everywhere), &[user(&ada)]));
    Api::all(rollcall.admin.clone()).create(&PostParams::default(), &bound).await.unwrap();
    let reads = |words: &'static str, rests_on: String, path: String| Kind {
        words,
        rests_on,
        credential: Credential::Reads { with: client.clone(), token: None, path },
    };
    let in_target = |words: &'static str, target: &str, name: &str| {
        let namespace = rollcall.target(target);
        reads(words, format!("RoleBinding {namespace}/{name}"), format!("/api/v1/namespaces/{namespace}/pods"))
    };
    let kinds = vec![
        in_target("rights of a RoleBinding to the user alone", "apps", "alone"),
        in_target("rights of a RoleBinding that the user shares", "shared", "shared"),
        in_target("rights through a group", "grouped", "grouped"),
        in_target("rights of an aggregated ClusterRole, bound to the user alone", "aggregated", "aggregated"),
        reads(
            "rights of a ClusterRoleBinding to the user alone",
            format!("ClusterRoleBinding {everywhere}"),
            "/api/v1/nodes".to_owned(),
        ),
    ];
    for kind in &kinds {
        eventually(&format!("{} are there", kind.words), || async {
            kind.credential.works(rollcall).await.then_some(())
        })
        .await;
    }
    kinds
}

async fn cluster_role(rollcall: &Installation, name: &str, mut written: Value) {
    written["metadata"] = json!({"name": name, "labels": {STORY: rollcall.namespace, "aggregates": name}});
    Api::<ClusterRole>::all(rollcall.admin.clone()).create(&PostParams::default(), &object(written)).await.unwrap();
}

/// A ClusterRole that has no rule but those of another one.
async fn aggregated_role(rollcall: &Installation) -> String {
    let (part, whole) = (format!("{}-part", rollcall.namespace), format!("{}-whole", rollcall.namespace));
    let rules = json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]);
    cluster_role(rollcall, &part, json!({"rules": rules})).await;
    let rule = json!({"clusterRoleSelectors": [{"matchLabels": {"aggregates": part}}]});
    cluster_role(rollcall, &whole, json!({"aggregationRule": rule, "rules": []})).await;
    let roles: Api<ClusterRole> = Api::all(rollcall.admin.clone());
    eventually("the role is aggregated", || async {
        roles.get(&whole).await.unwrap().rules.filter(|rules| !rules.is_empty()).map(drop)
    })
    .await;
    whole
}

/// A certificate for the user, signed by the cluster; its key; and the request, as a plan names it.
async fn certificate(rollcall: &Installation, what: &str) -> (String, String, String) {
    let (request, key) = test_tls::request(&rollcall.user("7"), &group(rollcall));
    let name = format!("{}-{what}", rollcall.namespace);
    let requests: Api<CertificateSigningRequest> = Api::all(rollcall.admin.clone());
    let written = json!({
        "metadata": {"name": name, "labels": {STORY: rollcall.namespace}},
        "spec": {"request": BASE64.encode(request.as_bytes()), "signerName": "kubernetes.io/kube-apiserver-client",
                 "expirationSeconds": 3600, "usages": ["client auth"]},
    });
    requests.create(&PostParams::default(), &object(written)).await.unwrap();
    let approved = rollcall.cluster.kubectl().args(["certificate", "approve", &name]).output().unwrap();
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    let signed = eventually("the certificate is signed", || async {
        requests.get(&name).await.unwrap().status?.certificate.filter(|pem| !pem.0.is_empty())
    })
    .await;
    (String::from_utf8(signed.0).unwrap(), key, format!("CertificateSigningRequest {name}"))
}

/// Kubeconfigs that lie in Secrets: what is in them decides.
async fn kubeconfigs(rollcall: &Installation) -> Vec<Kind> {
    let apps = rollcall.target("apps");
    let (certificate, key, request) = certificate(rollcall, "kubeconfig").await;
    let token = mint_unbound(&rollcall.admin, &apps, "laptop").await.0;
    let plugin = plugin(rollcall, &mint_unbound(&rollcall.admin, &apps, "laptop").await);
    let exec = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never",
    }});
    let client = json!({"client-certificate-data": BASE64.encode(certificate.as_bytes()),
                        "client-key-data": BASE64.encode(key.as_bytes())});
    let mut kinds = Vec::new();
    for (words, name, user, rests_on) in [
        (
            "a kubeconfig with a token, in a Secret",
            "kubeconfig-token",
            json!({"token": token}),
            account(rollcall, "laptop"),
        ),
        ("a kubeconfig with a client certificate, in a Secret", "kubeconfig-certificate", client, request),
        ("a kubeconfig with an exec plugin, in a Secret", "kubeconfig-exec", exec, account(rollcall, "laptop")),
    ] {
        let text = rollcall.cluster.kubeconfig_of(&rollcall.cluster.server, &user);
        let secret = owned_secret(rollcall, name, "Opaque", json!({"config": text})).await;
        let copied = String::from_utf8(secret.data.unwrap().remove("config").unwrap().0).unwrap();
        let path = write_kubeconfig(rollcall.directory(), name, &copied);
        kinds.push(Kind { words, rests_on, credential: Credential::Kubeconfig(path) });
    }
    kinds
}

/// A program that gives kubectl a token.
fn plugin(rollcall: &Installation, token: &Token) -> PathBuf {
    let path = rollcall.directory().join("exec-plugin");
    let credential = json!({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                            "status": {"token": token.0}});
    std::fs::write(&path, format!("#!/bin/sh\ncat <<'END'\n{credential}\nEND\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

async fn owned_secret(rollcall: &Installation, name: &str, kind: &str, contents: Value) -> Secret {
    let written = json!({"metadata": {"name": name, "annotations": {names::OWNER: rollcall.mark("7")}},
                         "type": kind, "stringData": contents});
    create(rollcall, "apps", written).await
}

/// Secrets that they own, of each common type, and one that they could only read.
async fn secrets(rollcall: &Installation) -> Vec<Kind> {
    let registry =
        json!({"auths": {"registry.example.com": {"username": "ada", "password": "{{ .password }}"}}}).to_string();
    let registry = json!({"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": registry}});
    let generate = json!({names::ROTATE: "Generate password=Password"});
    let login = json!({"metadata": {"annotations": generate}, "type": "kubernetes.io/basic-auth",
                       "stringData": {"username": "ada", "password": "pw"}});
    let by_hand = json!({"stringData": {"key": "k"}});
    let apps = || rollcall.target("apps");
    let registry = rollcall.external_secret_over("7", "apps", "registry", "generator", registry).await;
    let mut kinds = vec![copy("an image pull Secret they own, of external-secrets", apps(), "registry", registry)];
    let site = rollcall.certificate("7", "apps", "site", "ca", "Always").await;
    kinds.push(copy("a TLS Secret they own, of cert-manager", apps(), "site", site));
    let login = rollcall.secret_of("7", "apps", "login", login).await;
    kinds.push(copy("a basic-auth Secret they own, with a declared password", apps(), "login", login));
    let key = rollcall.external_secret("7", "apps", "api-key", "generator").await;
    kinds.push(copy("an opaque Secret they own, of external-secrets", apps(), "api-key", key));
    let by_hand = rollcall.secret_of("7", "apps", "by-hand", by_hand).await;
    kinds.push(copy("a Secret they own that nothing manages", apps(), "by-hand", by_hand));
    let vault = json!({"metadata": {"name": "db"}, "stringData": {"password": "pw"}});
    let secret: Secret = create(rollcall, "vault", vault).await;
    let rules = json!([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["db"], "verbs": ["get"]}]);
    let _: Role = create(rollcall, "vault", json!({"metadata": {"name": "reads"}, "rules": rules})).await;
    let subjects = [json!({"kind": "User", "name": rollcall.user("7"), "apiGroup": RBAC})];
    let _: RoleBinding = create(rollcall, "vault", binding("reads", ("Role", "reads"), &subjects)).await;
    kinds.push(copy("a Secret they could only read", rollcall.target("vault"), "db", secret));
    kinds
}

fn copy(words: &'static str, namespace: String, name: &str, secret: Secret) -> Kind {
    let contents = secret.data.unwrap();
    let rests_on = format!("Secret {namespace}/{name}");
    Kind { words, rests_on, credential: Credential::Copy { namespace, name: name.to_owned(), contents } }
}

async fn bootstrap_token(rollcall: &Installation) -> Kind {
    let (id, secret) = (suffix(), "0123456789abcdef");
    let name = format!("bootstrap-token-{id}");
    let written = json!({
        "metadata": {"name": name, "labels": {STORY: rollcall.namespace}, "annotations": {names::OWNER: rollcall.mark("7")}},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {"token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true"},
    });
    let secrets: Api<Secret> = Api::namespaced(rollcall.admin.clone(), "kube-system");
    secrets.create(&PostParams::default(), &object(written)).await.unwrap();
    let credential = Credential::Token(Token(format!("{id}.{secret}")));
    eventually("the bootstrap token is known", || async { credential.works(rollcall).await.then_some(()) }).await;
    Kind { words: "a bootstrap token they own", rests_on: format!("Secret kube-system/{name}"), credential }
}

/// A watch that is opened before they leave, by a token that is refused afterwards.
async fn watch(rollcall: &Installation) -> Kind {
    let apps = rollcall.target("apps");
    let token = mint_unbound(&rollcall.admin, &apps, "bound").await;
    let url = format!("{}/api/v1/namespaces/{apps}/pods?watch=1", rollcall.cluster.server);
    let response = rollcall.cluster.patient_http().get(url).bearer_auth(&token.0).send().await.unwrap();
    assert_eq!(response.status(), 200, "the watch is opened");
    let credential = Credential::Watch { response: Mutex::new(response), namespace: apps, pod: "mine-1" };
    Kind {
        words: "a watch that is open",
        rests_on: "open watches, exec, attach and port-forward".to_owned(),
        credential,
    }
}
