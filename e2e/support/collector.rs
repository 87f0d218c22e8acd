//! A collector of OpenTelemetry on this machine: takes OTLP over HTTP in JSON, as an OpenTelemetry Collector does, and keeps it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use k8s_openapi::api::core::v1::{Container, Secret};
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::installation::Installation;
use super::objects::object;

/// One span, with the process that sent it.
#[derive(Clone, Debug)]
pub struct Span {
    /// `service.name` of its process.
    pub service: String,
    pub trace: String,
    pub id: String,
    pub parent: Option<String>,
    pub name: String,
    /// In nanoseconds.
    pub begun: u64,
    pub ended: u64,
    attributes: Vec<Value>,
}

impl Span {
    /// What an attribute says, as text.
    pub fn says(&self, key: &str) -> Option<String> {
        let value = &self.attributes.iter().find(|one| one["key"] == key)?["value"];
        let text = |word: &str| value[word].as_str().map(str::to_owned);
        text("stringValue")
            .or_else(|| text("intValue"))
            .or_else(|| value["boolValue"].as_bool().map(|truth| truth.to_string()))
    }
}

#[derive(Default)]
struct Heard {
    hangs: bool,
    askers: BTreeSet<String>,
    bodies: Vec<String>,
}

/// The collector, which ends with this value.
pub struct Collector {
    /// Its base address.
    pub url: String,
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

/// What every request has to bring.
pub const API_KEY: &str = "k3y-of-the-collector";

impl Collector {
    /// Takes everything.
    pub async fn serve() -> Self {
        Self::that(false).await
    }

    /// Takes connections and requests, and never answers.
    pub async fn that_hangs() -> Self {
        Self::that(true).await
    }

    async fn that(hangs: bool) -> Self {
        let heard = Arc::new(Mutex::new(Heard { hangs, ..Heard::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&heard));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, heard, task }
    }

    /// Makes the Secret `otel` with what every request has to bring, where pods look for it.
    pub async fn is_known_to(&self, rollcall: &Installation) {
        let headers = format!("api-key={API_KEY}");
        let secret: Secret = object(json!({"metadata": {"name": "otel"}, "stringData": {"headers": headers}}));
        for namespace in [rollcall.namespace.clone(), rollcall.revoker_namespace()] {
            Api::namespaced(rollcall.admin.clone(), &namespace).create(&PostParams::default(), &secret).await.unwrap();
        }
    }

    /// The services that asked it to take something.
    pub fn askers(&self) -> BTreeSet<String> {
        self.heard.lock().unwrap().askers.clone()
    }

    /// Everything that was ever sent to it.
    pub fn text(&self) -> String {
        self.heard.lock().unwrap().bodies.join("\n")
    }

    /// What it was told of the trace of an object with this uid.
    pub fn trace(&self, uid: &str) -> Vec<Span> {
        let trace = uid.replace('-', "");
        let bodies = self.heard.lock().unwrap().bodies.clone();
        bodies.iter().flat_map(|body| spans(body)).filter(|span| span.trace == trace).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(heard): State<Arc<Mutex<Heard>>>, request: Request) -> Response {
    let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
    let body = to_bytes(request.into_body(), 1 << 22).await.unwrap();
    let allowed = headers.get("api-key").is_some_and(|key| key == API_KEY);
    let known = path == "/v1/traces" && headers["content-type"] == "application/json";
    let hangs = {
        let mut heard = heard.lock().unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        heard.askers.extend(spans(&body).into_iter().map(|span| span.service));
        if allowed && known && !heard.hangs {
            heard.bodies.push(body);
        }
        heard.hangs
    };
    if hangs {
        std::future::pending::<()>().await;
    }
    let status = if !known {
        404
    } else if allowed {
        200
    } else {
        401
    };
    Response::builder().status(status).header("content-type", "application/json").body(Body::from("{}")).unwrap()
}

fn spans(body: &str) -> Vec<Span> {
    let body: Value = serde_json::from_str(body).unwrap();
    let mut all = Vec::new();
    for resource in body["resourceSpans"].as_array().unwrap() {
        let of = resource["resource"]["attributes"].as_array().unwrap();
        let service = of.iter().find(|one| one["key"] == "service.name").unwrap();
        for scope in resource["scopeSpans"].as_array().unwrap() {
            for span in scope["spans"].as_array().unwrap() {
                let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
                all.push(Span {
                    service: service["value"]["stringValue"].as_str().unwrap().to_owned(),
                    trace: text("traceId"),
                    id: text("spanId"),
                    parent: span["parentSpanId"].as_str().map(str::to_owned),
                    name: text("name"),
                    begun: text("startTimeUnixNano").parse().unwrap(),
                    ended: text("endTimeUnixNano").parse().unwrap(),
                    attributes: span["attributes"].as_array().unwrap().clone(),
                });
            }
        }
    }
    all
}

/// The variables for traces that a container would have on a node, its Secret looked up as a kubelet does.
pub async fn variables(admin: &Client, namespace: &str, container: &Container) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for variable in container.env.iter().flatten().filter(|one| one.name.starts_with("OTEL_")) {
        let from = variable.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
        let value = match from {
            None => variable.value.clone(),
            Some(from) => {
                let secrets: Api<Secret> = Api::namespaced(admin.clone(), namespace);
                let secret = secrets.get_opt(&from.name).await.unwrap();
                assert!(
                    secret.is_some() || from.optional == Some(true),
                    "a pod that cannot start for want of a Secret"
                );
                let value = secret.and_then(|secret| secret.data?.remove(&from.key));
                value.map(|value| String::from_utf8(value.0).unwrap())
            }
        };
        found.extend(value.map(|value| (variable.name.clone(), value)));
    }
    found
}
