//! The little server of a long-running command: is it alive, is it ready, its metrics. No API of any other kind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use super::lease::Heartbeat;
use super::outcome::Fault;
use super::telemetry::Metrics;

/// Connections that may wait to be taken.
const BACKLOG: i32 = 128;

/// What the server tells of.
#[derive(Debug, Default)]
pub struct Health {
    /// Set once the process has reached the cluster. A replica that stands by is ready too.
    pub ready: AtomicBool,
    /// Of the task that holds or seeks the lease.
    pub heartbeat: Arc<Heartbeat>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// Takes the address to listen at.
///
/// # Errors
/// When it cannot be had.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, Fault> {
    let taken =
        |error: std::io::Error| Fault::Transient { doing: "listen for probes", cause: error.kind().to_string() };
    bind(address).map_err(taken)
}

/// Listens at an address; `[::]` takes IPv4 too, whatever the machine's default is, and is IPv4 alone where there is no IPv6.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let everywhere = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let socket = match Socket::new(Domain::for_address(address), Type::STREAM, None) {
        Err(_) if everywhere => return bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port())),
        socket => socket?,
    };
    if everywhere {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Answers for as long as it is polled.
///
/// # Errors
/// When the server itself fails.
pub async fn serve(listener: TcpListener, health: Arc<Health>) -> Result<(), Fault> {
    let failed = |error: std::io::Error| Fault::Transient { doing: "answer probes", cause: error.kind().to_string() };
    axum::serve(listener, routes(health)).await.map_err(failed)
}

fn routes(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn healthz(State(health): State<Arc<Health>>) -> (StatusCode, &'static str) {
    if health.heartbeat.alive() {
        (StatusCode::OK, "alive\n")
    } else {
        (StatusCode::INTERNAL_SERVER_ERROR, "the task that holds or seeks the lease is stuck\n")
    }
}

async fn readyz(State(health): State<Arc<Health>>) -> (StatusCode, &'static str) {
    if health.ready.load(Ordering::Relaxed) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not started yet\n")
    }
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match health.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Status line and body of one GET, over a real socket.
    async fn ask(path: &str, health: Arc<Health>) -> (u16, String) {
        let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(listener, health));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tls_certs_only(Vec::new()).no_proxy().build().unwrap();
        let response = client.get(url).send().await.unwrap();
        let answer = (response.status().as_u16(), response.text().await.unwrap());
        server.abort();
        answer
    }

    #[tokio::test]
    async fn a_process_is_ready_only_once_it_has_started() {
        let health = Arc::new(Health::default());
        assert_eq!(ask("/readyz", Arc::clone(&health)).await.0, 503);
        health.ready.store(true, Ordering::Relaxed);
        assert_eq!(ask("/readyz", health).await.0, 200);
    }

    #[tokio::test]
    async fn a_process_is_alive_while_its_lease_task_comes_round() {
        assert_eq!(ask("/healthz", Arc::default()).await, (200, "alive\n".to_owned()));
        let heartbeat = Arc::new(Heartbeat::silent_for(Duration::from_secs(60)));
        assert_eq!(ask("/healthz", Arc::new(Health { heartbeat, ..Health::default() })).await.0, 500);
    }

    #[tokio::test]
    async fn both_families_of_addresses_are_served() {
        let listener = listen("[::]:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(serve(listener, Arc::default()));
        for host in ["127.0.0.1", "[::1]"] {
            let answered = tokio::net::TcpStream::connect(format!("{host}:{port}")).await;
            assert!(answered.is_ok(), "{host}: {answered:?}");
        }
        server.abort();
    }

    #[tokio::test]
    async fn metrics_are_served() {
        let health = Arc::new(Health::default());
        health.metrics.leading(true);
        let (status, text) = ask("/metrics", health).await;
        assert_eq!(status, 200);
        assert!(text.contains("rollcall_leader 1"), "{text}");
    }
}
