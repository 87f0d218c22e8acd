//! An API server that is played in this process, for what a real one would take too long to be filled with: lists by pages, watches
//! that stay open, and nothing that can be written.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// What it has, by the path of each list.
pub type Lists = BTreeMap<String, Vec<Value>>;

struct Played {
    lists: Mutex<Lists>,
    news: broadcast::Sender<(String, Value)>,
    /// Paths and queries that were asked for.
    asked: Mutex<Vec<String>>,
}

/// It, as long as the test process lives.
#[derive(Clone)]
pub struct PlayedApi {
    /// Where it is reached.
    pub url: String,
    played: Arc<Played>,
}

impl PlayedApi {
    /// Begins to answer, on a thread of its own.
    pub fn start(lists: Lists) -> Self {
        let played =
            Arc::new(Played { lists: Mutex::new(lists), news: broadcast::channel(64).0, asked: Mutex::default() });
        let (send, receive) = std::sync::mpsc::channel();
        let routes = Router::new().fallback(answer).with_state(Arc::clone(&played));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                send.send(listener.local_addr().unwrap()).unwrap();
                axum::serve(listener, routes).await.unwrap();
            });
        });
        Self { url: format!("http://{}", receive.recv().unwrap()), played }
    }

    /// A kubeconfig for it.
    pub fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "played",
            "clusters": [{"name": "played", "cluster": {"server": self.url}}],
            "users": [{"name": "played", "user": {}}],
            "contexts": [{"name": "played", "context": {"cluster": "played", "user": "played"}}],
        })
        .to_string()
    }

    /// Changes one object of a list, and tells who watches.
    pub fn changes(&self, path: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut lists = self.played.lists.lock().unwrap();
        let object = lists.get_mut(path).unwrap().iter_mut().find(|one| one["metadata"]["name"] == name).unwrap();
        change(object);
        let _nobody_watches = self.played.news.send((path.to_owned(), object.clone()));
    }

    /// The most objects that were ever asked for at once of a list, and how often it was listed.
    pub fn asked(&self, path: &str) -> Vec<String> {
        self.played.asked.lock().unwrap().iter().filter(|asked| asked.starts_with(path)).cloned().collect()
    }
}

fn number(query: &str, name: &str) -> Option<usize> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

fn status(code: u16, reason: &str) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason});
    (StatusCode::from_u16(code).unwrap(), [("content-type", "application/json")], body.to_string()).into_response()
}

async fn answer(State(played): State<Arc<Played>>, request: Request) -> Response {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    played.asked.lock().unwrap().push(format!("{path}?{query}"));
    let json = |value: Value| ([("content-type", "application/json")], value.to_string()).into_response();
    if path.ends_with("/selfsubjectreviews") {
        return json(json!({"metadata": {}, "status": {"userInfo": {"username": "grace"}}}));
    }
    if request.method() != "GET" {
        return status(405, "MethodNotAllowed");
    }
    let lists = played.lists.lock().unwrap();
    let Some(items) = lists.get(&path) else {
        let (list, name) = path.rsplit_once('/').unwrap();
        let found = lists.get(list).and_then(|items| items.iter().find(|one| one["metadata"]["name"] == name));
        return found.map_or_else(|| status(404, "NotFound"), |one| json(one.clone()));
    };
    if query.contains("watch=true") {
        let news = played.news.subscribe();
        let lines = futures::stream::unfold((news, path), |(mut news, path)| async move {
            loop {
                // As a real one, it ends a watch after some time, and is asked again.
                let Ok(told) = tokio::time::timeout(Duration::from_secs(20), news.recv()).await else { return None };
                match told {
                    Ok((of, object)) if of == path => {
                        let line = format!("{}\n", json!({"type": "MODIFIED", "object": object}));
                        return Some((Ok::<_, Infallible>(line), (news, path)));
                    }
                    Ok(_) => {}
                    Err(_) => return None,
                }
            }
        });
        return ([("content-type", "application/json")], Body::from_stream(lines.boxed())).into_response();
    }
    let labelled = |one: &&Value| match query.split('&').find_map(|pair| pair.strip_prefix("labelSelector=")) {
        Some("") | None => true,
        Some(selector) => {
            let selector = selector.replace("%2F", "/").replace("%3D", "=");
            let (label, value) = selector.split_once('=').unwrap_or_default();
            one["metadata"]["labels"][label] == value
        }
    };
    let items: Vec<&Value> = items.iter().filter(labelled).collect();
    let (limit, from) = (number(&query, "limit").unwrap_or(items.len()), number(&query, "continue").unwrap_or(0));
    let to = (from + limit).min(items.len());
    let next = if to < items.len() { to.to_string() } else { String::new() };
    json(
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1", "continue": next}, "items": items[from..to]}),
    )
}
