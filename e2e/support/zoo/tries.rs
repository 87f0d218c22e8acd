//! How a kind of access is tried: by using it, as somebody would who has a copy.

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::sync::Mutex;

use crate::support::installation::{Installation, suffix};
use crate::support::tokens::{FixedResponse, Token, whoami};

/// Longest wait for something on an open watch.
const SOON: Duration = Duration::from_secs(10);

/// Something that gives access.
pub enum Credential {
    /// A bearer token.
    Token(Token),
    /// A client certificate: whether the API server knows who it is.
    Certificate(reqwest::Client),
    /// A right, used by a client certificate or a token of its client: whether this path may be read.
    Reads { with: reqwest::Client, token: Option<Token>, path: String },
    /// A kubeconfig, by kubectl.
    Kubeconfig(PathBuf),
    /// A copy of a Secret's contents, which is worth something for as long as they are what they were.
    Copy { namespace: String, name: String, contents: std::collections::BTreeMap<String, ByteString> },
    /// A watch of the pods of a namespace that is open, with a pod that can be touched.
    Watch { response: Mutex<reqwest::Response>, namespace: String, pod: &'static str },
}

impl Credential {
    /// Whether it still gives access.
    pub async fn works(&self, rollcall: &Installation) -> bool {
        let server = &rollcall.cluster.server;
        match self {
            Self::Token(token) => whoami(token).await != FixedResponse::Refused,
            Self::Certificate(client) => {
                let url = format!("{server}/apis/authentication.k8s.io/v1/selfsubjectreviews");
                let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
                taken(client.post(url).json(&review).send().await.unwrap().status().as_u16())
            }
            Self::Reads { with, token, path } => {
                let request = with.get(format!("{server}{path}"));
                let request = token.iter().fold(request, |request, token| request.bearer_auth(&token.0));
                taken(request.send().await.unwrap().status().as_u16())
            }
            Self::Kubeconfig(path) => {
                let mut kubectl = rollcall.cluster.kubectl();
                let output = kubectl.args(["auth", "whoami"]).env("KUBECONFIG", path).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                let refused = said.contains("Unauthorized") || said.contains("must be logged in");
                assert!(output.status.success() || refused, "kubectl failed for another reason: {said}");
                output.status.success()
            }
            Self::Copy { namespace, name, contents } => {
                let secrets: Api<Secret> = Api::namespaced(rollcall.admin.clone(), namespace);
                secrets.get_opt(name).await.unwrap().and_then(|secret| secret.data).as_ref() == Some(contents)
            }
            Self::Watch { response, namespace, pod } => {
                sees(rollcall, &mut *response.lock().await, namespace, pod).await
            }
        }
    }
}

/// Whether an answer is a yes; anything but a yes or a refusal is a failure of the story.
fn taken(code: u16) -> bool {
    match code {
        200 | 201 => true,
        401 | 403 => false,
        other => panic!("the API server answered with {other}"),
    }
}

/// Whether a change of a pod arrives on a watch.
async fn sees(rollcall: &Installation, watch: &mut reqwest::Response, namespace: &str, pod: &str) -> bool {
    let mark = format!("zoo-{}", suffix());
    let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), namespace);
    let touch = json!({"metadata": {"annotations": {"zoo": mark}}});
    pods.patch(pod, &PatchParams::default(), &Patch::Merge(touch)).await.unwrap();
    let mut seen = String::new();
    let look = async {
        while let Ok(Some(chunk)) = watch.chunk().await {
            seen.push_str(&String::from_utf8_lossy(&chunk));
            if seen.contains(&mark) {
                return true;
            }
        }
        false
    };
    tokio::time::timeout(SOON, look).await.unwrap_or(false)
}
