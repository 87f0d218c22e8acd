//! Told against a stand-in of the API server that knows one Secret, over real HTTP.

use std::collections::VecDeque;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::*;

/// What goes wrong with a write.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Somebody changes another thing first.
    Changed,
    /// Somebody puts another token there first.
    Replaced,
    /// Somebody deletes the Secret and makes another first.
    MadeAgain,
    /// The server fails, and nothing is written.
    Failed,
    /// The server fails to answer what is written.
    Lost,
    /// It is not allowed.
    Forbidden,
}

/// The Secret, the writes of it that are real, and what goes wrong with them.
struct Server {
    secret: Value,
    written: Vec<String>,
    tried: usize,
    faults: VecDeque<Fault>,
}

impl Server {
    fn token(&self) -> String {
        let data = self.secret["data"]["refreshToken"].as_str().unwrap();
        String::from_utf8(BASE64.decode(data.as_bytes()).unwrap()).unwrap()
    }

    fn put(&mut self, token: &str) {
        self.secret["data"]["refreshToken"] = BASE64.encode(token.as_bytes()).into();
        self.changed();
    }

    fn changed(&mut self) {
        let version: u32 = self.secret["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        self.secret["metadata"]["resourceVersion"] = (version + 1).to_string().into();
    }

    fn answer(&mut self, method: &Method, dry_run: bool, body: &[u8]) -> (u16, Value) {
        let failed = |code: u16, reason: &str| {
            (
                code,
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "s3cret"}),
            )
        };
        if method == Method::GET {
            return (200, self.secret.clone());
        }
        if dry_run {
            self.tried += 1;
        }
        let fault = if dry_run { None } else { self.faults.pop_front() };
        match fault {
            Some(Fault::Changed) => self.changed(),
            Some(Fault::Replaced) => self.put("theirs"),
            Some(Fault::MadeAgain) => self.secret["metadata"]["uid"] = "another".into(),
            Some(Fault::Failed) => return failed(500, "InternalError"),
            Some(Fault::Forbidden) => return failed(403, "Forbidden"),
            Some(Fault::Lost) | None => {}
        }
        let patch: Value = serde_json::from_slice(body).unwrap();
        for precondition in ["uid", "resourceVersion"] {
            if patch["metadata"][precondition] != self.secret["metadata"][precondition] {
                return failed(409, "Conflict");
            }
        }
        if !dry_run {
            let token = patch["data"]["refreshToken"].as_str().unwrap();
            self.put(&String::from_utf8(BASE64.decode(token.as_bytes()).unwrap()).unwrap());
            self.written.push(self.token());
        }
        if matches!(fault, Some(Fault::Lost)) { failed(500, "InternalError") } else { (200, self.secret.clone()) }
    }
}

struct Fixture {
    server: Arc<Mutex<Server>>,
    token_store: SecretKeeper,
}

impl Fixture {
    async fn new(annotation: &str, faults: &[Fault]) -> Self {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "hr", "uid": "one", "resourceVersion": "1", "annotations": {"rollcall.dev/rotates": annotation}},
            "data": {"refreshToken": BASE64.encode(b"r1\n"), "client": BASE64.encode(b"c")},
        });
        let faults = faults.iter().copied().collect();
        let server = Arc::new(Mutex::new(Server { secret, written: Vec::new(), tried: 0, faults }));
        let answering = Arc::clone(&server);
        let handler = move |request: Request| {
            let server = Arc::clone(&answering);
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.unwrap();
                let dry_run = head.uri.query().unwrap_or_default().contains("dryRun=All");
                let (code, answer) = server.lock().unwrap().answer(&head.method, dry_run, &body);
                let head = Response::builder().status(code).header("content-type", "application/json");
                head.body(Body::from(answer.to_string())).unwrap()
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.unwrap() });
        let client = kube::Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
        let rotations = Arc::default();
        let mut token_store = SecretKeeper::new(Api::namespaced(client, "rollcall"), "hr", &rotations);
        token_store.again = Duration::ZERO;
        Self { server, token_store }
    }

    async fn lend(&self) -> Result<TokenLease, String> {
        self.token_store.lend("refreshToken").await
    }

    async fn rotate(&self, next: &str) -> Result<(), String> {
        let lent = self.lend().await?;
        self.token_store.keep(lent, SecretString::from(next)).await
    }

    fn token(&self) -> String {
        self.server.lock().unwrap().token()
    }
}

fn value(lent: &TokenLease) -> &str {
    lent.value.expose_secret()
}

#[tokio::test]
async fn a_token_is_lent_without_its_line_end_and_the_next_written_in_its_place() {
    let fixture = Fixture::new("refreshToken", &[]).await;
    assert_eq!(value(&fixture.lend().await.unwrap()), "r1");
    assert_eq!(fixture.server.lock().unwrap().tried, 1);
    assert_eq!(fixture.token(), "r1\n", "tried, and not written");
    fixture.rotate("r2").await.unwrap();
    assert_eq!(fixture.token(), "r2");
    assert_eq!(value(&fixture.lend().await.unwrap()), "r2");
    assert_eq!(fixture.server.lock().unwrap().secret["data"]["client"], BASE64.encode(b"c"));
}

#[tokio::test]
async fn nothing_is_lent_from_a_secret_that_does_not_say_it_may_be_written() {
    let fixture = Fixture::new("another", &[]).await;
    let why = fixture.lend().await.err().unwrap();
    assert_eq!(
        why,
        "Secret hr does not say that its key refreshToken may be written: annotate it with \
         rollcall.dev/rotates=refreshToken"
    );
    assert_eq!(fixture.server.lock().unwrap().tried, 0);
    assert_eq!(fixture.token_store.lend("none").await.err().unwrap(), "Secret hr has no key none");
}

#[tokio::test]
async fn the_next_is_written_whatever_else_changes_or_fails_meanwhile() {
    use Fault::{Changed, Failed, Lost};
    for faults in [&[Changed][..], &[Changed, Changed, Failed], &[Failed, Failed], &[Lost], &[Failed, Changed, Lost]] {
        let fixture = Fixture::new("refreshToken", faults).await;
        assert_eq!(fixture.rotate("r2").await, Ok(()), "{faults:?}");
        assert_eq!(fixture.server.lock().unwrap().written, ["r2"], "{faults:?}");
    }
}

#[tokio::test]
async fn a_token_that_somebody_else_put_there_is_not_written_over() {
    for fault in [Fault::Replaced, Fault::MadeAgain] {
        let fixture = Fixture::new("refreshToken", &[fault]).await;
        let why = fixture.rotate("r2").await.unwrap_err();
        assert_eq!(why, "somebody else put another one into Secret hr meanwhile, and it stays there");
        let server = || fixture.server.lock().unwrap().written.clone();
        assert_eq!(server(), Vec::<String>::new(), "{fault:?}");
        let theirs = fixture.lend().await.unwrap();
        assert_eq!((value(&theirs), server()), (fixture.token().trim(), Vec::new()), "{fault:?}");
    }
}

#[tokio::test]
async fn what_could_not_be_written_is_written_before_the_token_is_lent_again() {
    for faults in [vec![Fault::Forbidden], vec![Fault::Failed; TRIES as usize]] {
        let fixture = Fixture::new("refreshToken", &faults).await;
        let why = fixture.rotate("r2").await.unwrap_err();
        assert!(
            ["Secret hr: refused by the API server (403)", "Secret hr: the API server failed (5xx)"]
                .contains(&why.as_str()),
            "{why}"
        );
        assert_eq!(fixture.token(), "r1\n");
        assert_eq!(value(&fixture.lend().await.unwrap()), "r2");
        assert_eq!(fixture.server.lock().unwrap().written, ["r2"]);
    }
    let fixture = Fixture::new("refreshToken", &[Fault::Forbidden]).await;
    assert!(fixture.rotate("r2").await.is_err());
    fixture.server.lock().unwrap().put("r9");
    assert_eq!(value(&fixture.lend().await.unwrap()), "r9", "somebody put a new one there by hand");
    assert_eq!(fixture.server.lock().unwrap().written, Vec::<String>::new());
}

#[tokio::test]
async fn a_token_is_lent_to_one_poll_at_a_time() {
    let fixture = Fixture::new("refreshToken", &[]).await;
    let first = fixture.lend().await.unwrap();
    let second = fixture.lend();
    tokio::pin!(second);
    assert!(futures::poll!(&mut second).is_pending());
    let kept = fixture.token_store.keep(first, SecretString::from("r2"));
    let (kept, second) = tokio::join!(kept, second);
    assert_eq!((kept, value(&second.unwrap())), (Ok(()), "r2"));
}
