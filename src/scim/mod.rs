//! `rollcall scim`: takes what identity providers push by SCIM 2.0, and webhooks of HR systems. Optional, with an identity of its own.
//!
//! ```text
//! client ──TLS──▶ doors ──▶ answer: token, rate, bounds ──▶ the protocol (crates/scim) ──▶ one ScimResource ──watch──▶ rollcall sync
//!                     └▶ webhooks: rate, bounds, signature ──────────────────────────▶ one ReadHint ──────watch──▶ rollcall sync
//! ```
//! What faces a network can touch nothing else: it reads connections and the Secrets with their tokens, and writes ScimResources and
//! ReadHints, by RBAC and by an admission policy. What it takes decides nothing: sync reads all of it as one answer, and the trust gate judges that.
//! Every replica serves; there is no leader.

pub mod answer;
pub mod doors;
pub mod limits;
pub mod signals;
pub mod store;
pub mod tokens;
pub mod webhooks;
pub mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::answer::Desk;
use self::doors::{Doors, Tls};
use self::signals::Signals;
use self::store::Resources;
use self::tokens::Tokens;
use self::webhooks::{Hall, Hints, Keys};
use crate::api::{HRConnection, ScimResource};
use crate::kube::follow::{follow, kept};
use crate::kube::health::{self, Health};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;

/// How often the process says that it lives.
const BEAT: Duration = Duration::from_secs(5);
/// How often the Secrets are read: how long a token or a secret that was taken out is still accepted.
const AGAIN: Duration = Duration::from_secs(10);

/// What it was started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The people namespace.
    pub namespace: String,
    /// Where clients are listened to.
    pub listen: SocketAddr,
    /// The certificate; without it, something before this process speaks TLS.
    pub tls: Option<Tls>,
    /// Where clients reach it.
    pub url: Option<String>,
    /// The public keys of signals, where they are served.
    pub signals: Option<Signals>,
}

/// Serves until shut down.
///
/// # Flow          watches and tokens first; a request is answered once all resources are listed
/// # Guarantees    what was answered with success is in the cluster; nothing else is written
/// # Errors        when a watch or the server ends without being asked to: the process is to exit and be started again
pub async fn run(
    client: Client,
    options: Options,
    health: Arc<Health>,
    clock: fn() -> Timestamp,
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let failed = |cause: &str| Fault::Transient { doing: "serve SCIM", cause: cause.to_owned() };
    let mut tasks = JoinSet::new();
    let wake = Arc::new(Notify::new());
    let config = watcher::Config::default().timeout(30);
    let api = Api::namespaced(client.clone(), &options.namespace);
    let connections: Store<HRConnection> = kept(&mut tasks, api, "connections", config.clone(), &wake);
    let resources = Arc::new(Resources::new(client.clone(), &options.namespace, clock));
    let api: Api<ScimResource> = Api::namespaced(client.clone(), &options.namespace);
    tasks.spawn({
        let (resources, health) = (Arc::clone(&resources), Arc::clone(&health));
        async move {
            follow("resources", watcher(api.watched(), config), |event| {
                resources.see(event);
                if resources.listed() {
                    health.ready.store(true, Ordering::Relaxed);
                }
            })
            .await;
        }
    });
    let (tokens, keys) = (Arc::new(Tokens::default()), Arc::new(Keys::default()));
    let hints = Hints::new(client.clone(), &options.namespace, clock);
    tasks.spawn({
        let (tokens, keys) = (Arc::clone(&tokens), Arc::clone(&keys));
        let secrets = Api::namespaced(client, &options.namespace);
        async move { follow_secrets(&secrets, &connections, &wake, &tokens, &keys).await }
    });
    tasks.spawn({
        let health = Arc::clone(&health);
        async move {
            loop {
                health.heartbeat.beat();
                tokio::time::sleep(BEAT).await;
            }
        }
    });
    let listener = health::listen(options.listen).await?;
    let desk = Desk::new(tokens, resources, options.url, options.tls.is_some());
    let hall = Hall::new(keys, hints, Arc::clone(&health.metrics), clock);
    let doors = Doors::open(listener, options.tls).await?;
    let stop = shutdown.clone();
    let routes = webhooks::routes(Arc::new(hall)).merge(answer::routes(Arc::new(desk)));
    let routes = options.signals.map(signals::routes).into_iter().fold(routes, axum::Router::merge);
    let serving = axum::serve(doors, routes).with_graceful_shutdown(async move { stop.cancelled().await });
    tokio::select! {
        () = drained(&shutdown) => Ok(()),
        ended = serving => ended.map_err(|_| failed("the server ended")),
        _ = tasks.join_next() => Err(failed("a watch ended")),
    }
}

/// Reads the Secrets of tokens and of webhooks again and again; ends only with the process.
async fn follow_secrets(
    secrets: &Api<Secret>,
    connections: &Store<HRConnection>,
    wake: &Notify,
    tokens: &Tokens,
    keys: &Keys,
) {
    loop {
        let all = connections.state();
        tokens.refresh(secrets, &all).await;
        keys.refresh(secrets, &all).await;
        tokio::select! {
            () = wake.notified() => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// A while after the end was asked for: open requests are answered, idle connections are not waited for.
async fn drained(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
}
