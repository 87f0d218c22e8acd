//! A mutating admission webhook as platforms have them: HTTPS on loopback, which answers every request with one patch.

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderName, header};
use axum::routing::post;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::{Value, json};
use test_tls::{Authority, TlsListener};
use tokio::task::JoinSet;

use super::objects::object;

/// The webhook, in force until it is taken away.
pub struct Webhook {
    admin: Client,
    name: String,
    _tasks: JoinSet<()>,
}

impl Webhook {
    /// Patches every new pod of a namespace by these operations of a JSON patch.
    pub async fn on_pods(admin: &Client, namespace: &str, name: &str, patch: Value) -> Self {
        let authority = Authority::new();
        let mut tasks = JoinSet::new();
        let url = serve(&authority, &patch, &mut tasks).await;
        let bundle = data_encoding::BASE64.encode(authority.pem().as_bytes());
        let name = format!("{name}.{namespace}.example.com");
        let configuration: MutatingWebhookConfiguration = object(json!({
            "metadata": {"name": name},
            "webhooks": [{
                "name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
                "clientConfig": {"url": url, "caBundle": bundle},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            }],
        }));
        Api::all(admin.clone()).create(&PostParams::default(), &configuration).await.unwrap();
        Self { admin: admin.clone(), name, _tasks: tasks }
    }

    /// Takes it away. One that is left behind refuses pods of a namespace that no other story looks at.
    pub async fn gone(self) {
        let all: Api<MutatingWebhookConfiguration> = Api::all(self.admin.clone());
        all.delete(&self.name, &DeleteParams::default()).await.unwrap();
    }
}

/// Answers reviews over TLS, and gives the address.
async fn serve(authority: &Authority, patch: &Value, tasks: &mut JoinSet<()>) -> String {
    let listener = TlsListener::bind(authority.server("127.0.0.1", None)).await;
    let url = format!("https://127.0.0.1:{}/", listener.port());
    let patch = data_encoding::BASE64.encode(patch.to_string().as_bytes());
    let app = Router::new().route("/", post(move |body: Bytes| std::future::ready(review(&body, &patch))));
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

/// The answer to one review.
fn review(body: &[u8], patch: &str) -> ([(HeaderName, &'static str); 1], String) {
    let asked: Value = serde_json::from_slice(body).unwrap();
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {
        "uid": asked["request"]["uid"], "allowed": true, "patchType": "JSONPatch", "patch": patch}});
    ([(header::CONTENT_TYPE, "application/json")], answer.to_string())
}
