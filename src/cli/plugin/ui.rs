//! `kubectl rollcall ui`: what the commands tell, as pages in a browser on this machine. Read-only, and by the rights of whoever
//! starts it: there is no server in the cluster, and nobody signs in here.
//!
//! ```text
//! API server ──watch──▶ mirror ──▶ pages: functions from values to HTML ──▶ door: who may see anything at all ──▶ the browser
//! ```
//! What is said is decided where the commands decide it; a page only lays it out.

mod door;
mod frame;
mod lists;
mod mirror;
mod pages;
mod timeline;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use clap::Args;
use futures::stream;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::door::{Admission, Door, Knock};
use self::mirror::Mirror;
use self::pages::Desk;
use super::Failure;
use super::cluster::{Cluster, whoami};
use super::terminal::{plain, say};

const STYLE: &str = include_str!("ui/page.css");
const SCRIPT: &str = include_str!("ui/live.js");
const ICON: &str = include_str!("ui/icon.svg");

/// How long the first lists may take.
const FIRST: Duration = Duration::from_secs(300);
/// How often a browser that waits for news is told that there are none.
const QUIET: Duration = Duration::from_secs(15);
/// News that follow one another are told together.
const TOGETHER: Duration = Duration::from_millis(400);

/// Options of `rollcall ui`.
#[derive(Debug, Args)]
#[command(
    after_help = "It listens on 127.0.0.1 alone, and shows the address to open, which nobody else can guess. It reads with your own rights: ClusterRole rollcall-viewer in Rollcall's namespace; coverage, the access review and what somebody owns also need list on serviceaccounts, rolebindings and clusterrolebindings in all namespaces. It changes nothing. End it with Ctrl-C."
)]
pub struct Options {
    /// The port to listen at. Default: one that is free
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Show names and addresses
    #[arg(long)]
    unmask: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// Serves the pages until it is ended.
///
/// # Flow          one call of each list, so that what may not be read is said at once; watch; listen; show the address
/// # Guarantees    changes nothing; reachable from this machine alone, and there by whoever has the address; names only where they are asked for
/// # Errors        what may not be read, in the API server's words; that the port cannot be had
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let namespace = options.cluster.namespace().to_owned();
    let user = whoami(client.clone()).await?;
    let mirror = Mirror::new();
    let mut tasks = JoinSet::new();
    mirror::keep(&mirror, &client, &namespace, &mut tasks).await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let taken = |error: std::io::Error| Failure::Refused(format!("127.0.0.1:{}: {error}", options.port));
    let listener = TcpListener::bind(address).await.map_err(taken)?;
    let port = listener.local_addr().map_err(taken)?.port();
    let (door, token) = Door::new(port).ok_or_else(|| Failure::Refused("there are no random numbers".to_owned()))?;
    if tokio::time::timeout(FIRST, mirror.listed()).await.is_err() {
        return Err(Failure::Refused("the lists of the first reading did not come to an end".to_owned()));
    }
    say(&format!("http://127.0.0.1:{port}/?token={token}"));
    eprintln!("Open this address in a browser on this machine. Read-only, as {}; Ctrl-C ends it.", plain(&user));
    let desk = Arc::new(Desk::new(client, namespace, options.unmask, mirror));
    let routes = Router::new().fallback(answer).with_state((Arc::new(door), desk));
    tokio::select! {
        served = axum::serve(listener, routes) => served.map_err(taken),
        _ = tokio::signal::ctrl_c() => Ok(()),
        _ = tasks.join_next() => Err(Failure::Refused("a watch ended".to_owned())),
    }
}

type Served = (Arc<Door>, Arc<Desk>);

async fn answer(State((door, desk)): State<Served>, request: Request) -> Response<Body> {
    let response = match door.admits(&Knock::of(&request)) {
        Admission::Refused(code, why) => text(code, "text/plain; charset=utf-8", why.to_owned()),
        Admission::Enters => {
            let mut page = text(StatusCode::OK, HTML, frame::entrance(door.place()));
            page.headers_mut().extend(door.cookie().map(|cookie| (header::SET_COOKIE, cookie)));
            page
        }
        Admission::In(path) => inside(&desk, &path, request.uri().query().unwrap_or_default()).await,
    };
    door::guarded(response)
}

const HTML: &str = "text/html; charset=utf-8";

async fn inside(desk: &Arc<Desk>, path: &str, query: &str) -> Response<Body> {
    match path {
        "page.css" => text(StatusCode::OK, "text/css; charset=utf-8", STYLE.to_owned()),
        "live.js" => text(StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT.to_owned()),
        "icon.svg" => text(StatusCode::OK, "image/svg+xml", ICON.to_owned()),
        "changes" => changes(desk.mirror(), query),
        page => {
            let (code, html) = desk.page(page, query).await;
            text(code, HTML, html)
        }
    }
}

fn text(code: StatusCode, kind: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

/// Server-sent events: one, without any content, whenever something changed; at once, if that was since the page was made.
fn changes(mirror: &Arc<Mirror>, query: &str) -> Response<Body> {
    let mut news = mirror.subscribe();
    let seen = query.strip_prefix("since=").and_then(|count| count.parse::<u64>().ok());
    if seen.is_some_and(|seen| seen != mirror.changes()) {
        news.mark_changed();
    }
    let news = stream::unfold(news, |mut news| async move {
        let told = match tokio::time::timeout(QUIET, news.changed()).await {
            Ok(Ok(())) => {
                tokio::time::sleep(TOGETHER).await;
                news.mark_unchanged();
                "data: changed\n\n"
            }
            Ok(Err(_)) => return None,
            Err(_) => ": nothing new\n\n",
        };
        Some((Ok::<_, std::convert::Infallible>(told), news))
    });
    let mut response = Response::new(Body::from_stream(news));
    let kind = header::HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
