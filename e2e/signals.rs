//! A leaver's sessions elsewhere end with their access: a hook signs that they are revoked, and a receiver takes it. One that refuses it, or
//! never answers, holds up no cut, and what became of each is said.

use std::fs;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use rollcall::api::Revocation;
use rollcall::api::revocation::{HookOutcome, HookRun, Operation, Phase, VerdictKind};
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use serde_json::{Value, json};

use crate::hooks::{allow, make};
use crate::support::hook_node::HookNode;
use crate::support::installation::{Consent, Installation};
use crate::support::process::rollcall as binary;
use crate::support::waiting::eventually;

/// A receiver: `/takes` takes every token, `/refuses` none, `/hangs` never answers. It keeps what it took.
async fn receiver() -> (String, Arc<Mutex<Vec<String>>>) {
    let taken = Arc::<Mutex<Vec<String>>>::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(taken.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, taken)
}

async fn answer(State(taken): State<Arc<Mutex<Vec<String>>>>, request: Request) -> Response {
    let (path, set) =
        (request.uri().path().to_owned(), request.headers()["content-type"] == "application/secevent+jwt");
    let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let status = match path.as_str() {
        "/takes" if set => {
            taken.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
            202
        }
        "/hangs" => std::future::pending().await,
        _ => 400,
    };
    Response::builder().status(status).body(Body::empty()).unwrap()
}

/// A hook of a Revocation, as it is.
fn run(revocation: &Revocation, name: &str) -> HookRun {
    revocation.status.as_ref().unwrap().hooks.iter().find(|run| run.name == name).unwrap().clone()
}

#[tokio::test]
async fn the_sessions_of_a_leaver_are_said_to_be_revoked_and_no_receiver_holds_up_the_cut() {
    let (url, taken) = receiver().await;
    let rollcall =
        Installation::with("signals", &[("apps", Consent::Accounts)], json!({"hooks": {"enabled": true}})).await;
    let (_running, _node) = (rollcall.run().await, HookNode::start(&rollcall));
    rollcall.connect(json!({})).await;
    let hook = |name: &str, timeout: &str| json!({"cronJob": name, "timeout": timeout});
    let hooks = [hook("takes", "2m"), hook("refuses", "2m"), hook("hangs", "3s")];
    rollcall.policy(json!({"revocation": {"hooks": hooks}})).await;
    let private = rsa::RsaPrivateKey::new(&mut getrandom::rand_core::UnwrapErr(getrandom::SysRng), 2048).unwrap();
    let key = rollcall.directory().join("key.pem");
    fs::write(&key, private.to_pkcs8_pem(LineEnding::LF).unwrap().as_bytes()).unwrap();
    for name in ["takes", "refuses", "hangs"] {
        let script = format!(
            "exec {} signal send --file \"$FILE\" --receiver {url}/{name} --issuer https://rollcall.example.com \
             --audience https://idp.example.com --key {} --allow-private-addresses --timeout 60s",
            binary().get_program().to_str().unwrap(),
            key.display()
        );
        make(&rollcall, name, &script).await;
        allow(&rollcall, name);
    }
    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    rollcall.seven_leaves(&staff).await;
    let told = eventually("a receiver took it, another refused it, the third did not answer", || async {
        let cut = rollcall.revocations("7").await.into_iter().rfind(|one| one.spec.operation == Operation::Cut)?;
        let outcome = |name| run(&cut, name).outcome;
        let seen = outcome("takes") == HookOutcome::Done
            && outcome("refuses") == HookOutcome::Failed
            && outcome("hangs") == HookOutcome::TimedOut;
        seen.then_some(cut)
    })
    .await;
    assert_eq!(told.status.as_ref().unwrap().phase, Some(Phase::Revoked), "whatever became of them");
    assert_eq!(run(&told, "takes").verdict, Some(VerdictKind::Implied));
    assert_eq!(run(&told, "refuses").verdict, Some(VerdictKind::Refuted));
    assert_eq!(run(&told, "hangs").verdict, Some(VerdictKind::Unknown));

    let [token] = <[String; 1]>::try_from(taken.lock().unwrap().clone()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let printed = binary().args(["signal", "keys", "--key", key.to_str().unwrap()]).output().unwrap();
    let keys: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let bytes = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let part = |name: &str| bytes(keys["keys"][0][name].as_str().unwrap());
    let public = RsaPublicKeyComponents { n: part("n"), e: part("e") };
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &bytes(signature)).unwrap();
    let claims: Value = serde_json::from_slice(&bytes(signed.split_once('.').unwrap().1)).unwrap();
    assert_eq!(
        claims["sub_id"],
        json!({"format": "email", "email": rollcall.address("7")}),
        "the leaver, and nobody else"
    );
    assert!(claims["events"]["https://schemas.openid.net/secevent/caep/event-type/session-revoked"].is_object());
    rollcall.evidence_verifies();
}
