//! The instruments of the stories, tried on their own: a story that measures with a broken one proves nothing.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, ResourceExt};
use serde_json::json;

use crate::support::cluster::cluster;
use crate::support::installation::suffix;
use crate::support::measures::{calls_of, writes_of};
use crate::support::objects::object;
use crate::support::proxy::{Fault, Proxy};
use crate::support::tokens::{Token, legacy_secret_token, mint_bound_to_secret, mint_unbound, refused, still_works};

/// A namespace with one account, `ada`, who may do everything in it.
async fn somebody() -> (Client, String) {
    let admin = cluster().await.admin().await;
    let name = format!("instruments-{}", suffix());
    let namespace: Namespace = object(json!({"metadata": {"name": name}}));
    Api::all(admin.clone()).create(&PostParams::default(), &namespace).await.unwrap();
    let account: ServiceAccount = object(json!({"metadata": {"name": "ada"}}));
    Api::namespaced(admin.clone(), &name).create(&PostParams::default(), &account).await.unwrap();
    let binding: k8s_openapi::api::rbac::v1::RoleBinding = object(json!({
        "metadata": {"name": "ada"}, "subjects": [{"kind": "ServiceAccount", "name": "ada", "namespace": name}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    }));
    Api::namespaced(admin.clone(), &name).create(&PostParams::default(), &binding).await.unwrap();
    (admin, name)
}

async fn client_with(server: &str, token: &Token) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(&cluster().await.kubeconfig_for(server, &token.0)).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

#[tokio::test]
async fn a_token_works_until_its_account_is_gone() {
    let (admin, namespace) = somebody().await;
    let tokens = [
        ("legacy", legacy_secret_token(&admin, &namespace, "ada").await.0),
        ("bound", mint_bound_to_secret(&admin, &namespace, "ada").await),
        ("unbound", mint_unbound(&admin, &namespace, "ada").await),
    ];
    for (what, token) in &tokens {
        assert!(still_works(token, &namespace, "ada").await, "{what}");
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(admin, &namespace);
    accounts.delete("ada", &Default::default()).await.unwrap();
    for (what, token) in &tokens {
        refused(what, token).await;
    }
}

#[tokio::test]
async fn a_swallowed_delete_looks_done_and_is_not() {
    let (admin, namespace) = somebody().await;
    let proxy = Proxy::open().await;
    proxy.fails_by(Fault::SwallowDeletes);
    let token = mint_unbound(&admin, &namespace, "ada").await;
    let through: Api<ServiceAccount> = Api::namespaced(client_with(&proxy.url, &token).await, &namespace);
    through.delete("ada", &Default::default()).await.unwrap();
    assert_eq!(through.get("ada").await.unwrap().name_any(), "ada");
    assert_eq!(proxy.calls().len(), 2);
}

#[tokio::test]
async fn the_api_server_counts_calls_by_user_and_writes_by_kind() {
    let (admin, namespace) = somebody().await;
    let begun = Timestamp::now();
    let before = writes_of(&admin, "people").await;
    let token = mint_unbound(&admin, &namespace, "ada").await;
    let people: Api<rollcall::api::Person> =
        Api::namespaced(client_with(&cluster().await.server, &token).await, &namespace);
    let person = object(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "Person",
        "metadata": {"name": "p-1"}, "spec": {"records": [{"connection": "hq", "id": "1"}]},
    }));
    people.create(&PostParams::default(), &person).await.unwrap();
    people.list(&Default::default()).await.unwrap();
    let calls = calls_of(&format!("system:serviceaccount:{namespace}:ada"), begun).await;
    let verbs: Vec<_> = calls.iter().map(|call| (call.verb.as_str(), call.code)).collect();
    assert_eq!(verbs, [("create", 201), ("list", 200)]);
    assert!(calls[0].uri.contains("/people"));
    assert!(writes_of(&admin, "people").await > before);
}
