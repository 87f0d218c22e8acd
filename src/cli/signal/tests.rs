use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use rsa::pkcs8::EncodePrivateKey as _;
use serde_json::{Value, json};

use super::token::{Event, Terms};
use super::*;
use crate::tell::deliver::{BRIDGES, ONCE, Whose};

/// A receiver that answers what it is told, and keeps what it heard: type, credential and body.
#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<Vec<u16>>>,
    heard: Arc<Mutex<Vec<[String; 3]>>>,
}

impl Script {
    async fn serve(answers: &[u16]) -> (Self, Url) {
        let script = Self { answers: Arc::new(Mutex::new(answers.to_vec())), heard: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (script, url)
    }

    fn heard(&self) -> Vec<[String; 3]> {
        self.heard.lock().unwrap().clone()
    }
}

async fn answer(State(script): State<Script>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let text = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let (kind, credential) = (text("content-type"), text("authorization"));
    let body = to_bytes(body, 1 << 20).await.unwrap();
    script.heard.lock().unwrap().push([kind, credential, String::from_utf8(body.to_vec()).unwrap()]);
    let status = {
        let mut answers = script.answers.lock().unwrap();
        if answers.len() > 1 { answers.remove(0) } else { answers[0] }
    };
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let said = r#"{"err": "invalid_key", "description": "ada@example.com is not known"}"#;
    Response::builder().status(status).header("content-type", "application/json").body(Body::from(said)).unwrap()
}

fn receiver(url: Url, private: bool, timeout: Duration) -> Receiver {
    Receiver::at(url, Some(SecretString::from("s3cret-token")), Vec::new(), private, timeout, BRIDGES).unwrap()
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_receiver_gets_a_token_that_its_key_verifies() {
    let private = rsa::RsaPrivateKey::new(&mut getrandom::rand_core::UnwrapErr(getrandom::SysRng), 2048).unwrap();
    let pem = private.to_pkcs8_pem(rsa::pkcs8::LineEnding::LF).unwrap();
    let key = SigningKey::from_pem(&pem).unwrap();
    let file: HookFile = serde_json::from_value(json!({
        "version": 1, "revocation": "p-7-cut", "uid": "u-7", "operation": "Cut", "trigger": "Termination", "policy": "everyone",
        "person": "p-7", "ownUsernames": ["oidc:ada@example.com"], "hook": "okta", "when": "After", "phase": "Revoked",
    }))
    .unwrap();
    let terms =
        Terms { event: Event::SessionRevoked, issuer: "https://us.example.com", audience: "them", prefix: "oidc:" };
    let claims = token::claims(&file, &terms, Timestamp::UNIX_EPOCH).unwrap();
    let (script, url) = Script::serve(&[503, 202]).await;
    let token = key.token(&claims[0]).unwrap();
    receiver(url, true, LONG).take("application/secevent+jwt", &token).await.unwrap();

    let [first, second] = script.heard().try_into().unwrap();
    assert_eq!(first, second, "the very same is sent again");
    let [kind, credential, body] = second;
    assert_eq!((kind.as_str(), credential.as_str()), ("application/secevent+jwt", "Bearer s3cret-token"));
    let (signed, signature) = body.rsplit_once('.').unwrap();
    let bytes = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let public = key.public();
    let part = |name: &str| bytes(public[name].as_str().unwrap());
    let verifier = RsaPublicKeyComponents { n: part("n"), e: part("e") };
    verifier.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &bytes(signature)).unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&bytes(header)).unwrap();
    assert_eq!(header, json!({"alg": "RS256", "typ": "secevent+jwt", "kid": public["kid"]}));
    assert_eq!(serde_json::from_slice::<Value>(&bytes(payload)).unwrap(), claims[0]);
    assert!(!format!("{key:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn what_became_of_it_is_said_and_nothing_of_what_was_sent() {
    let (event, other) = (Some(Whose::Event), Some(Whose::Receiver));
    for (answers, whose, expected) in [
        (vec![200], None, "Ok"),
        (vec![202], None, "Ok"),
        (vec![204], None, "Ok"),
        (vec![400], event, "refused: the receiver does not accept what was sent (400)"),
        (vec![401], other, "refused: the receiver does not accept the credential"),
        (vec![403], other, "refused"),
        (vec![404], other, "refused"),
        (vec![410], event, "refused: the receiver answered 410"),
        (vec![302], other, "not delivered"),
        (vec![500], other, "unknown: the receiver answered 500"),
    ] {
        let (_, url) = Script::serve(&answers).await;
        let came = receiver(url, true, LONG).take("application/secevent+jwt", "a.token.here").await;
        assert_eq!(came.as_ref().err().map(|refused| refused.whose), whose, "{answers:?}");
        let said = came.map_or_else(|refused| refused.why, |()| "Ok".to_owned());
        assert!(said.starts_with(expected), "{answers:?}: {said}");
        assert!(!["ada", "s3cret", "a.token"].iter().any(|secret| said.contains(secret)), "{said}");
    }
}

#[tokio::test]
async fn a_receiver_that_never_answers_holds_up_nothing_for_longer_than_it_may() {
    let (_, url) = Script::serve(&[0]).await;
    let begun = std::time::Instant::now();
    let said = receiver(url, true, Duration::from_millis(300)).take("application/secevent+jwt", "x").await;
    let said = said.unwrap_err().why;
    assert!(said.starts_with("unknown") && begun.elapsed() < Duration::from_secs(20), "{said}");
}

#[tokio::test]
async fn an_address_inside_is_not_asked_unless_it_is_allowed() {
    let (script, url) = Script::serve(&[202]).await;
    for url in
        [url.clone(), "https://169.254.169.254/x".parse().unwrap(), "https://user:pw@example.com/".parse().unwrap()]
    {
        let said = receiver(url, false, LONG).take("application/secevent+jwt", "x").await.unwrap_err().why;
        assert!(said.starts_with("not delivered"), "{said}");
    }
    assert!(script.heard().is_empty());
}

#[tokio::test]
async fn who_keeps_what_waits_is_told_when_the_receiver_wants_it_again() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let later = ("retry-after", "Sun, 06 Nov 1994 08:51:37 GMT");
    for (status, headers, expected) in [
        (429, vec![("retry-after", "45")], Some(45)),
        (503, vec![("retry-after", "45")], Some(45)),
        (429, vec![date, later], Some(120)),
        (429, vec![("retry-after", "soon")], None),
        (429, vec![], None),
        (503, vec![], None),
        (400, vec![("retry-after", "45")], None),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Url = format!("http://{}/events", listener.local_addr().unwrap()).parse().unwrap();
        let heard = headers.clone();
        let router = Router::new().fallback(move || {
            let response =
                heard.iter().fold(Response::builder().status(status), |all, (name, value)| all.header(*name, *value));
            async move { response.body(Body::empty()).unwrap() }
        });
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let once = Receiver::at(url, None, Vec::new(), true, LONG, ONCE).unwrap();
        let refused = once.take("application/cloudevents+json", "{}").await.unwrap_err();
        assert_eq!(refused.asked, expected.map(Duration::from_secs), "{status} {headers:?}");
        assert_eq!(refused.whose, if status == 400 { Whose::Event } else { Whose::Receiver }, "{status}");
    }
}
