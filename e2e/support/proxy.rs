//! A way to the API server that counts the revoker's calls, and can fail it in two ways that no real server would
//! offer: a delete that is answered and never done, and the end of the revoker right after a chosen call.
//!
//! Plain HTTP in, the cluster's HTTPS out, the bearer token passed through; answers as they come, so that a watch is one.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, Request, StatusCode, header};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::cluster::{Cluster, cluster};
use super::faults::{self, Answer, Mishap, Mishaps};
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
    /// The same, once a DELETE of a path that ends like this was answered.
    KillAfterDelete(&'static str),
    /// The API server does not have the kind FrozenNames, as before an upgrade.
    NoFrozenNames,
    /// A write of FrozenNames is never answered.
    SilentFrozenNames,
    /// A Lease that is written is answered as written, and no write reaches the server: who holds it leads on, and so does who takes it.
    LeaseUnheard,
    /// The same, and a read whose path ends like this waits until another fault is set.
    LeaseUnheardAndReadsHeld(&'static str),
    /// A read whose path ends like this waits until another fault is set.
    HoldReads(&'static str),
}

struct Inner {
    cluster: &'static Cluster,
    http: reqwest::Client,
    fault: Mutex<Fault>,
    mishaps: Mishaps,
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
            mishaps: Mishaps::default(),
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

    /// What is to go wrong with single calls.
    pub fn mishaps(&self) -> &Mishaps {
        &self.inner.mishaps
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
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let call = format!("{} {path}", head.method);
    let write = writes(&call);
    let (number, of_writes) = {
        let mut calls = inner.calls.lock().unwrap();
        calls.push(call);
        (calls.len(), calls.iter().filter(|call| writes(call)).count())
    };
    if fault == Fault::SwallowDeletes && head.method == Method::DELETE {
        return done_without_doing();
    }
    if fault == Fault::NoFrozenNames && path.contains("/frozennames") {
        return Response::builder().status(StatusCode::NOT_FOUND).body(Body::from("404 page not found\n")).unwrap();
    }
    if fault == Fault::SilentFrozenNames && path.contains("/frozennames") && head.method != Method::GET {
        std::future::pending::<()>().await;
    }
    if let Fault::HoldReads(end) | Fault::LeaseUnheardAndReadsHeld(end) = fault
        && head.method == Method::GET
        && path.ends_with(end)
    {
        while *inner.fault.lock().unwrap() == fault {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let unheard = matches!(fault, Fault::LeaseUnheard | Fault::LeaseUnheardAndReadsHeld(_));
    if unheard && path.contains("/leases/") && head.method == Method::PUT {
        return Answer { status: StatusCode::OK, body }.into();
    }
    let asked = Asked { head, body };
    if let Some(mishap) =
        inner.mishaps.meets(asked.head.method.as_str(), &path, asked.head.uri.query().unwrap_or_default())
    {
        return befall(&inner, mishap, asked).await;
    }
    let answer = forward(&inner, &asked).await;
    let deletes = |end: &str| asked.head.method == Method::DELETE && path.ends_with(end);
    let fatal = match fault {
        Fault::KillAfter(call) => call == number,
        Fault::KillAfterWrite(call) => write && call == of_writes,
        Fault::KillAfterDelete(end) => deletes(end),
        _ => false,
    };
    if fatal {
        kill(&inner);
    }
    remembered(&inner, &asked, answer).await.0
}

/// A request that came.
struct Asked {
    head: Parts,
    body: Bytes,
}

impl Asked {
    fn address(&self) -> &str {
        self.head.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

/// One call goes wrong.
async fn befall(inner: &Arc<Inner>, mishap: Mishap, asked: Asked) -> Response {
    if let Some(failure) = mishap.failure() {
        return failure;
    }
    match mishap {
        Mishap::Drop => return faults::broken(),
        Mishap::ArrivesLate => {
            let inner = inner.clone();
            tokio::spawn(async move {
                tokio::time::sleep(faults::LATE).await;
                drop(forward(&inner, &asked).await);
            });
            return faults::broken();
        }
        Mishap::Duplicate => drop(forward(inner, &asked).await),
        _ => {}
    }
    let answer = forward(inner, &asked).await;
    match mishap {
        Mishap::Crash => kill(inner),
        Mishap::AnswerLost => return faults::broken(),
        Mishap::Delay => tokio::time::sleep(faults::SLOW).await,
        _ => {}
    }
    let (answer, before) = remembered(inner, &asked, answer).await;
    before.filter(|_| mishap == Mishap::Stale).map_or(answer, Response::from)
}

/// Notes what was answered to a read that has an end, and gives what was answered to the same before.
async fn remembered(inner: &Inner, asked: &Asked, answer: Response) -> (Response, Option<Answer>) {
    let watches = asked.address().contains("watch=");
    if asked.head.method != Method::GET || watches || !inner.mishaps.remember() {
        return (answer, None);
    }
    let status = answer.status();
    let Ok(body) = axum::body::to_bytes(answer.into_body(), usize::MAX).await else { return (faults::broken(), None) };
    let answer = Answer { status, body };
    let before = inner.mishaps.answered(asked.address(), &answer);
    (answer.into(), before)
}

fn kill(inner: &Inner) {
    if let Some(revoker) = inner.revoker.lock().unwrap().take() {
        revoker.kill();
    }
}

/// Whether a call changes something that lasts.
fn writes(call: &str) -> bool {
    !call.starts_with("GET") && !["/leases", "/events", "reviews"].iter().any(|passing| call.contains(passing))
}

fn done_without_doing() -> Response {
    let status = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}"#;
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(Body::from(status)).unwrap()
}

async fn forward(inner: &Inner, asked: &Asked) -> Response {
    let Asked { head, body } = asked;
    let url = format!("{}{}", inner.cluster.server, asked.address());
    let mut onward = inner.http.request(head.method.clone(), url).body(body.clone());
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
