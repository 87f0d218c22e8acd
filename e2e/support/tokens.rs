//! Real credentials of ServiceAccounts, and whether the API server still takes them.
//!
//! A token is tried with a plain HTTP call that nobody caches. It is never printed.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Pod, Secret, ServiceAccount};
use kube::api::{Api, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::cluster::cluster;
use super::objects::object;
use super::waiting::{eventually, within};

/// The API server answers from its cache for ten seconds after a token was last checked; the rest is for a busy machine.
pub const CACHE: Duration = Duration::from_secs(15);

/// A bearer token. Its `Debug` does not show it.
#[derive(Clone)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What the API server says to a token.
#[derive(Debug, PartialEq, Eq)]
pub enum FixedResponse {
    /// 401.
    Refused,
    /// It is this user's.
    Accepted(String),
}

/// A token of an account that depends on the account alone.
pub async fn mint_unbound(admin: &Client, namespace: &str, account: &str) -> Token {
    mint(admin, namespace, account, None).await
}

/// A token that dies with a Secret of its own, which is made for it.
pub async fn mint_bound_to_secret(admin: &Client, namespace: &str, account: &str) -> Token {
    let name = format!("{account}-bound");
    let secret: Secret = object(json!({"metadata": {"name": name}}));
    let secret = Api::namespaced(admin.clone(), namespace).create(&PostParams::default(), &secret).await.unwrap();
    mint(admin, namespace, account, Some(("Secret", name, secret.uid().unwrap()))).await
}

/// A token as a pod has it.
pub async fn mint_bound_to_pod(admin: &Client, namespace: &str, account: &str, pod: &str) -> Token {
    let found = Api::<Pod>::namespaced(admin.clone(), namespace).get(pod).await.unwrap();
    mint(admin, namespace, account, Some(("Pod", pod.to_owned(), found.uid().unwrap()))).await
}

async fn mint(admin: &Client, namespace: &str, account: &str, bound: Option<(&str, String, String)>) -> Token {
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(7200),
            bound_object_ref: bound.map(|(kind, name, uid)| BoundObjectReference {
                api_version: Some("v1".into()),
                kind: Some(kind.into()),
                name: Some(name),
                uid: Some(uid),
            }),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), namespace);
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
    Token(answer.status.unwrap().token)
}

/// The token of a Secret of type `kubernetes.io/service-account-token`, which is made for it, and that Secret as a
/// backup would have kept it.
pub async fn legacy_secret_token(admin: &Client, namespace: &str, account: &str) -> (Token, Secret) {
    let secret: Secret = object(json!({
        "metadata": {"name": format!("{account}-legacy"), "annotations": {"kubernetes.io/service-account.name": account}},
        "type": "kubernetes.io/service-account-token",
    }));
    let secrets: Api<Secret> = Api::namespaced(admin.clone(), namespace);
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    eventually("the controller fills the token Secret", || async {
        let filled = secrets.get(&secret.name_any()).await.unwrap();
        let token = String::from_utf8(filled.data.as_ref()?.get("token")?.0.clone()).unwrap();
        Some((Token(token), filled))
    })
    .await
}

/// Tries a token.
pub async fn whoami(token: &Token) -> FixedResponse {
    whoami_at(&cluster().await.server, token).await
}

/// Tries it at one API server of several.
pub async fn whoami_at(server: &str, token: &Token) -> FixedResponse {
    let cluster = cluster().await;
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let url = format!("{server}/apis/authentication.k8s.io/v1/selfsubjectreviews");
    let answer = cluster.plain_http().post(url).bearer_auth(&token.0).json(&review).send().await.unwrap();
    match answer.status().as_u16() {
        401 => FixedResponse::Refused,
        201 => {
            let review: serde_json::Value = answer.json().await.unwrap();
            FixedResponse::Accepted(review["status"]["userInfo"]["username"].as_str().unwrap().to_owned())
        }
        other => panic!("trying a token was answered with {other}"),
    }
}

/// Waits until the API server refuses a token.
///
/// # Panics
/// When it still takes it after its own cache has lapsed.
pub async fn refused(what: &str, token: &Token) {
    let what = format!("the API server refuses {what}");
    within(CACHE, &what, || async { (whoami(token).await == FixedResponse::Refused).then_some(()) }).await;
}

/// Whether the API server takes a token of this account.
pub async fn still_works(token: &Token, namespace: &str, account: &str) -> bool {
    whoami(token).await == FixedResponse::Accepted(format!("system:serviceaccount:{namespace}:{account}"))
}
