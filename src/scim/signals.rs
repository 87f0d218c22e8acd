//! What receivers of `rollcall signal send` verify signatures with: the public keys, and where they are (OpenID Shared Signals
//! Framework 1.0, section 7). Optional.
//!
//! Both are read from a file of the pod, and are for everybody. The private key is nowhere near: it is in the Job that signs, and a file
//! with one in it is not served.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::limits::{self, Buckets};

/// Where the keys are.
pub const KEYS: &str = "/signals/jwks.json";
/// Where it says so, before the path of the issuer.
const CONFIGURATION: &str = "/.well-known/ssf-configuration";
/// Largest file.
const LARGEST: usize = 64 * 1024;
/// What a public key has (RFC 7517, RFC 7518): whatever else there is may be private.
const PUBLIC: [&str; 10] = ["kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y"];

/// What it was started with.
#[derive(Clone, Debug)]
pub struct Signals {
    /// The file of public keys, as `rollcall signal keys` prints them.
    pub keys: PathBuf,
    /// Who signs: `--issuer` of `rollcall signal send`.
    pub issuer: String,
    /// Where this is reached.
    pub url: String,
}

struct Board {
    signals: Signals,
    buckets: Buckets,
}

/// What is answered: the keys, and where they are.
pub fn routes(signals: Signals) -> axum::Router {
    let path = configuration_path(&signals.issuer);
    let board = Arc::new(Board { signals, buckets: Buckets::default() });
    axum::Router::new()
        .route(KEYS, axum::routing::any(keys))
        .route(&path, axum::routing::any(configuration))
        .with_state(board)
}

/// The path of an issuer's configuration: what the issuer has as its path comes last.
fn configuration_path(issuer: &str) -> String {
    let path = reqwest::Url::parse(issuer).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    // A brace would be a pattern of the router.
    if path.contains(['{', '}']) { CONFIGURATION.to_owned() } else { format!("{CONFIGURATION}{path}") }
}

async fn keys(State(board): State<Arc<Board>>, request: Request) -> Response {
    if let Some(refused) = board.refuses(&request) {
        return answered(refused, &json!({}));
    }
    let read = tokio::fs::read(&board.signals.keys).await.ok();
    match read.as_deref().and_then(public) {
        Some(keys) => answered(StatusCode::OK, &keys),
        None => {
            tracing::error!(
                "the file of public keys is not served: it is no list of keys, or one of them is private; write it with rollcall signal keys"
            );
            answered(StatusCode::SERVICE_UNAVAILABLE, &json!({}))
        }
    }
}

async fn configuration(State(board): State<Arc<Board>>, request: Request) -> Response {
    if let Some(refused) = board.refuses(&request) {
        return answered(refused, &json!({}));
    }
    let Signals { issuer, url, .. } = &board.signals;
    let told = json!({
        "spec_version": "1_0",
        "issuer": issuer,
        "jwks_uri": format!("{}{KEYS}", url.trim_end_matches('/')),
        "delivery_methods_supported": ["urn:ietf:rfc:8935"],
    });
    answered(StatusCode::OK, &told)
}

impl Board {
    /// Why a request is not answered, if it is not.
    fn refuses(&self, request: &Request) -> Option<StatusCode> {
        if !self.buckets.take("", limits::KEYS, Instant::now()) {
            return Some(StatusCode::TOO_MANY_REQUESTS);
        }
        let reads = [Method::GET, Method::HEAD].contains(request.method());
        (!reads).then_some(StatusCode::METHOD_NOT_ALLOWED)
    }
}

/// A list of keys, if all of them are public, and known to be.
fn public(text: &[u8]) -> Option<Value> {
    let text = Some(text).filter(|text| text.len() <= LARGEST)?;
    let Value::Object(all) = serde_json::from_slice(text).ok()? else { return None };
    let keys = all.get("keys")?.as_array()?.iter().map(Value::as_object).collect::<Option<Vec<_>>>()?;
    let fits = |key: &&Map<String, Value>| key.keys().all(|name| PUBLIC.contains(&name.as_str()));
    let asymmetric = |key: &&Map<String, Value>| key.get("kty").is_some_and(|kind| kind == "RSA" || kind == "EC");
    (!keys.is_empty() && keys.iter().all(|key| fits(key) && asymmetric(key))).then(|| json!({ "keys": keys }))
}

fn answered(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let kept = if status == StatusCode::OK { "public, max-age=300" } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    response
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A folder of a test's own, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("rollcall-signals-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.join("jwks.json")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }

    async fn served(keys: &Path, issuer: &str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let signals =
            Signals { keys: keys.to_owned(), issuer: issuer.to_owned(), url: "https://scim.example.com/".to_owned() };
        tokio::spawn(async move { axum::serve(listener, routes(signals)).await.unwrap() });
        url
    }

    async fn asked(url: &str, path: &str) -> (u16, Value) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    #[tokio::test]
    async fn receivers_find_the_keys_by_the_issuer_alone() {
        let folder = Folder::new("found");
        let jwks =
            json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k", "n": "AQAB", "e": "AQAB"}]});
        std::fs::write(folder.file(), jwks.to_string()).unwrap();
        let url = served(&folder.file(), "https://rollcall.example.com").await;
        let (status, found) = asked(&url, "/.well-known/ssf-configuration").await;
        assert_eq!((status, &found["issuer"]), (200, &json!("https://rollcall.example.com")));
        assert_eq!(found["jwks_uri"], "https://scim.example.com/signals/jwks.json");
        assert_eq!(asked(&url, KEYS).await, (200, jwks));
        let posted = reqwest::Client::new().post(format!("{url}{KEYS}")).send().await.unwrap();
        assert_eq!(posted.status().as_u16(), 405);

        let below = served(&folder.file(), "https://rollcall.example.com/prod/").await;
        assert_eq!(asked(&below, "/.well-known/ssf-configuration/prod").await.0, 200);
        assert_eq!(asked(&below, "/.well-known/ssf-configuration").await.0, 404);
    }

    #[tokio::test]
    async fn a_private_key_that_was_put_there_by_mistake_is_not_served() {
        let folder = Folder::new("private");
        let url = served(&folder.file(), "https://rollcall.example.com").await;
        assert_eq!(asked(&url, KEYS).await.0, 503, "no file");
        let public = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        for (situation, text) in [
            (
                "a private part",
                json!({"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "c2VjcmV0"}]}).to_string(),
            ),
            ("a shared secret", json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}).to_string()),
            ("one of two", json!({"keys": [public, {"kty": "EC", "x": "A", "d": "c2VjcmV0"}]}).to_string()),
            ("a key in PEM", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n".to_owned()),
            ("no keys", json!({"keys": [], "d": "c2VjcmV0"}).to_string()),
        ] {
            std::fs::write(folder.file(), text).unwrap();
            let (status, body) = asked(&url, KEYS).await;
            assert_eq!(status, 503, "{situation}");
            assert!(!body.to_string().contains("c2VjcmV0"), "{situation}");
        }
        std::fs::write(folder.file(), json!({"keys": [public], "d": "c2VjcmV0"}).to_string()).unwrap();
        assert_eq!(asked(&url, KEYS).await, (200, json!({"keys": [public]})), "and nothing beside the keys");
    }
}
