//! A way to the API server that counts the revoker's calls, and can fail it in two ways that no real server would
//! offer: a delete that is answered and never done, and the end of the revoker right after a chosen call.
//!
//! Plain HTTP in, the cluster's HTTPS out, the bearer token passed through; answers as they come, so that a watch is one.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, Method, Request, StatusCode, header};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::cluster::{Cluster, cluster};
use super::process::Process;

/// What goes wrong on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every DELETE is answered as done, and none reaches the server.
    SwallowDeletes,
    /// The revoker is killed once the server has answered this call, counted from 1, and never sees the answer.
    KillAfter(usize),
    /// The same, counting only what changes something: no reads, reviews, events or leases.
    KillAfterWrite(usize),
    /// The API server does not have the kind FrozenNames, as before an upgrade.
    NoFrozenNames,
    /// A write of FrozenNames is never answered.
    SilentFrozenNames,
    /// A read whose path ends like this waits until another fault is set.
    HoldReads(&'static str),
}

struct Inner {
    cluster: &'static Cluster,
    http: reqwest::Client,
    fault: Mutex<Fault>,
    calls: Mutex<Vec<String>>,
    revoker: Mutex<Option<Process>>,
}

/// The way, open as long as this value lives.
pub struct Proxy {
    /// What a kubeconfig names as its server.
    pub url: String,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Opens the way, without a fault.
    pub async fn open() -> Self {
        let cluster = cluster().await;
        let inner = Arc::new(Inner {
            cluster,
            http: cluster.patient_http(),
            fault: Mutex::new(Fault::None),
            calls: Mutex::default(),
            revoker: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(pass).with_state(inner.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, inner, task }
    }

    /// Sets what goes wrong from now on, and counts from 1 again.
    pub fn fails_by(&self, fault: Fault) {
        *self.inner.fault.lock().unwrap() = fault;
        self.inner.calls.lock().unwrap().clear();
    }

    /// The calls since the fault was set, as `VERB /path`.
    pub fn calls(&self) -> Vec<String> {
        self.inner.calls.lock().unwrap().clone()
    }

    /// The writes among them.
    pub fn writes(&self) -> Vec<String> {
        self.calls().into_iter().filter(|call| writes(call)).collect()
    }

    /// Who is killed.
    pub fn carries(&self, revoker: &Process) {
        *self.inner.revoker.lock().unwrap() = Some(revoker.clone());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.inner.revoker.lock().unwrap().take();
    }
}

async fn pass(State(inner): State<Arc<Inner>>, request: Request<Body>) -> Response {
    let fault = *inner.fault.lock().unwrap();
    let call = format!("{} {}", request.method(), request.uri().path());
    let write = writes(&call);
    let (number, of_writes) = {
        let mut calls = inner.calls.lock().unwrap();
        calls.push(call);
        (calls.len(), calls.iter().filter(|call| writes(call)).count())
    };
    if fault == Fault::SwallowDeletes && request.method() == Method::DELETE {
        return done_without_doing();
    }
    if fault == Fault::NoFrozenNames && request.uri().path().contains("/frozennames") {
        return Response::builder().status(StatusCode::NOT_FOUND).body(Body::from("404 page not found\n")).unwrap();
    }
    let frozen = request.uri().path().contains("/frozennames");
    if fault == Fault::SilentFrozenNames && frozen && request.method() != Method::GET {
        std::future::pending::<()>().await;
    }
    if let Fault::HoldReads(end) = fault
        && request.method() == Method::GET
        && request.uri().path().ends_with(end)
    {
        while *inner.fault.lock().unwrap() == fault {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let answer = forward(&inner, request).await;
    let fatal = fault == Fault::KillAfter(number) || (write && fault == Fault::KillAfterWrite(of_writes));
    if fatal && let Some(revoker) = inner.revoker.lock().unwrap().take() {
        revoker.kill();
    }
    answer
}

/// Whether a call changes something that lasts.
fn writes(call: &str) -> bool {
    !call.starts_with("GET") && !["/leases", "/events", "reviews"].iter().any(|passing| call.contains(passing))
}

fn done_without_doing() -> Response {
    let status = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}"#;
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(Body::from(status)).unwrap()
}

async fn forward(inner: &Inner, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let target = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut onward = inner.http.request(head.method, format!("{}{target}", inner.cluster.server)).body(body);
    for (name, value) in head.headers.iter().filter(|(name, _)| !of_one_hop(name)) {
        onward = onward.header(name, value);
    }
    let Ok(answer) = onward.send().await else {
        return Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::empty()).unwrap();
    };
    let mut back = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| !of_one_hop(name)) {
        back = back.header(name, value);
    }
    back.body(Body::from_stream(answer.bytes_stream())).unwrap()
}

/// Headers that belong to one connection (RFC 9110, section 7.6.1), or that the next one writes itself.
fn of_one_hop(name: &HeaderName) -> bool {
    [header::HOST, header::CONTENT_LENGTH, header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE]
        .contains(name)
}
