//! An HR system behind TLS that nobody knows but its own customer: its tokens are signed for by a refresh token, which
//! is another one after each use.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use test_tls::{Authority, TlsListener};
use tokio::task::JoinHandle;

/// What happens elsewhere before a sign-in is answered.
type Meanwhile = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

struct System {
    people: Vec<Value>,
    refresh: String,
    signed_in: usize,
    asked: usize,
    meanwhile: Option<Meanwhile>,
}

/// An HR system on this machine that ends with the test.
pub struct Vendor {
    /// Where it lies: `https://localhost:…`.
    pub url: String,
    /// Its authority, in PEM.
    pub authority: String,
    system: Arc<Mutex<System>>,
    task: JoinHandle<()>,
}

impl Vendor {
    /// A system with people of these ids, and the first refresh token.
    pub async fn with(ids: std::ops::Range<u32>, refresh: &str) -> Self {
        let people = ids.map(|id| {
            json!({"id": id, "name": format!("Ada Example {id}"), "state": "active",
            "email": format!("ada{id}@example.com")})
        });
        let system =
            System { people: people.collect(), refresh: refresh.into(), signed_in: 0, asked: 0, meanwhile: None };
        let system = Arc::new(Mutex::new(system));
        let authority = Authority::new();
        let listener = TlsListener::bind(authority.server("localhost", None)).await;
        let url = format!("https://localhost:{}", listener.port());
        let router = Router::new().fallback(answer).with_state(system.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, authority: authority.pem().to_owned(), system, task }
    }

    /// The one refresh token it takes.
    pub fn refresh(&self) -> String {
        self.system.lock().unwrap().refresh.clone()
    }

    /// From now on it takes this refresh token.
    pub fn takes(&self, refresh: &str) {
        self.system.lock().unwrap().refresh = refresh.to_owned();
    }

    /// How often it was asked for anything.
    pub fn asked(&self) -> usize {
        self.system.lock().unwrap().asked
    }

    /// Does something once, before the next sign-in is answered.
    pub fn meanwhile(&self, something: impl Future<Output = ()> + Send + 'static) {
        self.system.lock().unwrap().meanwhile = Some(Box::new(move || Box::pin(something)));
    }

    /// Its connector, as a user would write it.
    pub fn definition(&self) -> String {
        format!(
            "name: acme
title: Acme
evidence: documented
sources: [https://hr.example.com/docs]
setup: A refresh token.
baseUrl: {url}
credentials: {{refreshToken: a refresh token}}
auth:
  token:
    url: {url}/token
    body: {{grant_type: refresh_token, refresh_token: '{{refreshToken}}'}}
    refreshToken: {{key: refreshToken}}
people:
- request: {{path: /people}}
  records: data
fields: {{employeeId: id, fullName: name, email: email, status: state}}
statuses:
  active: {{means: Active}}
",
            url = self.url
        )
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(system): State<Arc<Mutex<System>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 16).await.unwrap().to_vec()).unwrap();
    let meanwhile = {
        let mut system = system.lock().unwrap();
        system.asked += 1;
        if head.uri.path() == "/token" { system.meanwhile.take() } else { None }
    };
    if let Some(meanwhile) = meanwhile {
        meanwhile().await;
    }
    let mut system = system.lock().unwrap();
    let bearer = format!("Bearer access-{}", system.signed_in);
    let signed_in = head.headers.get("authorization").is_some_and(|value| *value == *bearer);
    let (status, answer) = match head.uri.path() {
        "/token" if body == format!("grant_type=refresh_token&refresh_token={}", system.refresh) => {
            system.signed_in += 1;
            system.refresh = format!("refresh-{}", system.signed_in);
            (200, json!({"access_token": format!("access-{}", system.signed_in), "refresh_token": system.refresh}))
        }
        "/token" => (400, json!({"error": "invalid_grant"})),
        "/people" if signed_in => (200, json!({"data": system.people})),
        _ => (401, json!({})),
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(answer.to_string()))
        .unwrap()
}
