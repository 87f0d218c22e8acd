use std::sync::atomic::{AtomicI64, Ordering};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use ring::hmac;
use serde_json::{Value, json};

use super::*;
use crate::api::HRConnection;
use crate::kube::scenario::{Scenario, on};

const OURS: &str = "a-secret-of-thirty-two-characters";
const THEIRS: &str = "another-secret-of-thirty-two-char";
const HINTS: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/readhints";

fn connection(name: &str, form: &str) -> HRConnection {
    serde_json::from_value(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection",
        "metadata": {"name": name, "uid": format!("uid-{name}")},
        "spec": {"source": {"api": {"connector": "bamboohr", "credentialsRef": {"name": "hr"},
            "webhook": {"form": form, "secretRef": {"name": "hook"}}}}},
    }))
    .unwrap()
}

static NOW: AtomicI64 = AtomicI64::new(1_767_225_600);

fn clock() -> Timestamp {
    Timestamp::from_second(NOW.load(Ordering::Relaxed)).unwrap()
}

/// A hall with two connections: `hq` as BambooHR signs, `more` as Rippling does.
fn hall(scenario: &Scenario) -> Arc<Hall> {
    let keys = Keys::default();
    keys.put(&connection("hq", "bamboohr"), vec![OURS.into()], Instant::now());
    keys.put(&connection("more", "rippling"), vec![THEIRS.into()], Instant::now());
    keys.put(&connection("bare", "merge"), vec![], Instant::now());
    let hints = Hints::new(scenario.client(), "rollcall", clock);
    Arc::new(Hall::new(Arc::new(keys), hints, Arc::default(), clock))
}

/// What BambooHR sends, signed by this secret so many seconds ago.
fn signed(name: &str, secret: &str, ago: i64, body: &[u8]) -> Request {
    let sent = (NOW.load(Ordering::Relaxed) - ago).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, &[body, sent.as_bytes()].concat());
    let signature = data_encoding::HEXLOWER.encode(signature.as_ref());
    Request::post(format!("/webhooks/{name}"))
        .header("x-bamboohr-timestamp", sent)
        .header("x-bamboohr-signature", signature)
        .body(Body::from(body.to_vec()))
        .unwrap()
}

async fn status(hall: &Arc<Hall>, request: Request) -> u16 {
    answer(State(Arc::clone(hall)), request).await.status().as_u16()
}

fn counted(hall: &Hall, connection: &str, outcome: &str) -> bool {
    let line = format!("rollcall_webhooks_total{{connection=\"{connection}\",outcome=\"{outcome}\"}}");
    hall.metrics.text().unwrap().contains(&line)
}

fn hint(taken: Option<&str>) -> Value {
    json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "ReadHint",
        "metadata": {"name": "hint-uid-hq", "resourceVersion": "7"},
        "spec": {"connection": "hq", "connectionUid": "uid-hq", "taken": taken},
    })
}

#[tokio::test(start_paused = true)]
async fn a_webhook_becomes_one_hint_that_says_nothing_of_anybody() {
    let scenario = Scenario::default()
        .then(on(&format!("GET {HINTS}/hint-uid-hq")))
        .then(
            on(&format!("POST {HINTS}"))
                .sends(json!({
                    "metadata": {"name": "hint-uid-hq", "ownerReferences": [
                        {"apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "name": "hq", "uid": "uid-hq"}]},
                    "spec": {"connection": "hq", "connectionUid": "uid-hq", "taken": "2026-01-01T00:00:00Z"},
                }))
                .answers(hint(Some("2026-01-01T00:00:00Z"))),
        )
        .then(on(&format!("GET {HINTS}/hint-uid-hq")).answers(hint(Some("2026-01-01T00:00:00Z"))))
        .then(
            on(&format!("PUT {HINTS}/hint-uid-hq"))
                // Another than it was, although the clock stands still.
                .sends(json!({"metadata": {"resourceVersion": "7"}, "spec": {"taken": "2026-01-01T00:00:00.001Z"}}))
                .answers(hint(Some("2026-01-01T00:00:00.001Z"))),
        );
    let hall = hall(&scenario);
    assert_eq!(status(&hall, signed("hq", OURS, 0, b"ada left")).await, 200);
    assert_eq!(status(&hall, signed("hq", OURS, 0, b"ada left")).await, 200, "a replay is taken, and does nothing");
    assert!(counted(&hall, "hq", "Taken") && counted(&hall, "hq", "Replayed"));
    // Many that come together are one write.
    let many = (0..20_u8).map(|number| status(&hall, signed("hq", OURS, 0, &[number]))).collect::<Vec<_>>();
    assert!(futures::future::join_all(many).await.iter().all(|status| *status == 200));
    scenario.is_over();
}

#[tokio::test]
async fn no_lie_becomes_a_hint_and_each_has_its_own_reason() {
    let nothing_written = Scenario::default().meanwhile(on(&format!("GET {HINTS}/hint-uid-hq")).answers(hint(None)));
    let nothing_written = nothing_written
        .meanwhile(on(&format!("GET {HINTS}/hint-uid-bare")).answers(hint(None)))
        .meanwhile(on(&format!("GET {HINTS}/hint-uid-more")).answers(hint(None)))
        .meanwhile(on(&format!("PUT {HINTS}/hint-uid-hq")).sends(json!({"spec": {"refused": {}}})).answers(hint(None)))
        .meanwhile(
            on(&format!("PUT {HINTS}/hint-uid-bare")).sends(json!({"spec": {"refused": {}}})).answers(hint(None)),
        )
        .meanwhile(
            on(&format!("PUT {HINTS}/hint-uid-more")).sends(json!({"spec": {"refused": {}}})).answers(hint(None)),
        );
    let hall = hall(&nothing_written);
    let bare = |name: &str| Request::post(format!("/webhooks/{name}")).body(Body::from("{}")).unwrap();
    let bearer = |token: &str| {
        let request = Request::post("/webhooks/more").header("authorization", format!("Bearer {token}"));
        request.body(Body::from("{}")).unwrap()
    };
    let mut tampered = signed("hq", OURS, 0, b"{}");
    *tampered.body_mut() = Body::from("{ }");
    let merge =
        Request::post("/webhooks/bare").header("x-merge-webhook-signature", "AAAA").body(Body::empty()).unwrap();
    let huge = vec![b' '; MOST_BYTES + 1];
    let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b' '; 4096]));
    let mut without_length = signed("hq", OURS, 0, b"{}");
    *without_length.body_mut() = Body::from_stream(endless);
    let mut get = signed("hq", OURS, 0, b"{}");
    *get.method_mut() = Method::GET;
    for (situation, request, connection, expected, reason) in [
        ("no signature", bare("hq"), "hq", 401, "SignatureMissing"),
        ("no token", bare("more"), "more", 401, "SignatureMissing"),
        ("the secret of another connection", signed("hq", THEIRS, 0, b"{}"), "hq", 401, "SignatureWrong"),
        ("another body", tampered, "hq", 401, "SignatureWrong"),
        ("another token", bearer(OURS), "more", 401, "SignatureWrong"),
        ("the signature of another vendor", signed("more", THEIRS, 0, b"{}"), "more", 401, "SignatureMissing"),
        ("an old one", signed("hq", OURS, 301, b"{}"), "hq", 401, "OutOfTime"),
        ("one of the future", signed("hq", OURS, -301, b"{}"), "hq", 401, "OutOfTime"),
        ("no secret that could be right", merge, "bare", 401, "SecretMissing"),
        ("a large one", signed("hq", OURS, 0, &huge), "hq", 413, "TooLarge"),
        ("one without an end", without_length, "hq", 413, "TooLarge"),
        ("no POST", get, "hq", 405, "WrongMethod"),
        ("a name that is nobody's", signed("eve", OURS, 0, b"{}"), "", 401, "SignatureWrong"),
        ("no name", signed("", OURS, 0, b"{}"), "", 401, "SignatureWrong"),
        ("more than a name", signed("hq/7", OURS, 0, b"{}"), "", 401, "SignatureWrong"),
    ] {
        assert_eq!(status(&hall, request).await, expected, "{situation}");
        assert!(counted(&hall, connection, reason), "{situation}: {reason}");
    }
    assert!(!hall.metrics.text().unwrap().contains("\"eve"), "a name of somebody's invention is no label");
    assert!(!counted(&hall, "hq", "Taken") && !counted(&hall, "more", "Taken"));
    nothing_written.is_over();
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_and_a_flood_keep_nobody_else_waiting() {
    let scenario = Scenario::default()
        .then(on(&format!("GET {HINTS}/hint-uid-more")))
        .then(on(&format!("POST {HINTS}")).answers(json!({
            "metadata": {"name": "hint-uid-more"}, "spec": {"connection": "more", "connectionUid": "uid-more"}})))
        .meanwhile(on(&format!("GET {HINTS}/hint-uid-hq")).answers(hint(None)))
        .meanwhile(on(&format!("PUT {HINTS}/hint-uid-hq")).sends(json!({"spec": {"refused": {}}})).answers(hint(None)));
    let hall = hall(&scenario);
    let slow = || {
        let mut request = signed("hq", OURS, 0, b"{}");
        *request.body_mut() = Body::from_stream(futures::stream::pending::<Result<Vec<u8>, std::io::Error>>());
        request
    };
    let waiting: Vec<_> = (0..AT_WORK).map(|_| tokio::spawn(answer(State(Arc::clone(&hall)), slow()))).collect();
    tokio::task::yield_now().await;
    assert_eq!(status(&hall, signed("hq", OURS, 0, b"{}")).await, 429, "as many as may are at work");
    let other = Request::post("/webhooks/more").header("authorization", format!("Bearer {THEIRS}"));
    assert_eq!(status(&hall, other.body(Body::from("{}")).unwrap()).await, 200, "another connection is not concerned");
    for slow in waiting {
        assert_eq!(slow.await.unwrap().status().as_u16(), 408);
    }
    let mut said = Vec::new();
    for _ in 0..400 {
        said.push(status(&hall, signed("hq", THEIRS, 0, b"{}")).await);
    }
    assert!(said.contains(&429) && said.iter().all(|status| [401, 429].contains(status)), "{said:?}");
}

#[test]
fn a_line_end_is_no_part_of_a_secret_and_a_short_one_is_none() {
    let secret = |value: &str| Secret {
        data: Some([("a".to_owned(), ByteString(value.as_bytes().to_vec()))].into()),
        ..Secret::default()
    };
    assert_eq!(keys::usable(&secret(&format!("{OURS}\n")), Form::Merge), vec![OURS.as_bytes().to_vec()]);
    assert!(keys::usable(&secret("short"), Form::Merge).is_empty());
}

#[test]
fn secrets_that_were_not_read_for_long_are_none() {
    let (keys, now) = (Keys::default(), Instant::now());
    keys.put(&connection("hq", "bamboohr"), vec![OURS.into()], now);
    assert!(keys.of("hq", now).unwrap().has_secrets());
    assert!(!keys.of("hq", now + Duration::from_secs(300)).unwrap().has_secrets());
    assert!(keys.of("other", now).is_none());
}

#[tokio::test]
async fn a_token_is_answered_as_its_standard_has_it_and_a_forged_one_like_one_for_nobody() {
    let hints = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/readhints/hint-uid-idp";
    let stands = || {
        json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "ReadHint", "metadata": {"name": "hint-uid-idp", "resourceVersion": "7"},
            "spec": {"connection": "idp", "connectionUid": "uid-idp"},
        })
    };
    let scenario = Scenario::default()
        .meanwhile(on(&format!("GET {hints}")).answers(stands()))
        .meanwhile(on(&format!("PUT {hints}")).answers(stands()));
    let hall = hall(&scenario);
    let random = ring::rand::SystemRandom::new();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let make = || {
        let pkcs8 = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()
    };
    let (ours, theirs) = (make(), make());
    let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let point = ring::signature::KeyPair::public_key(&ours).as_ref().to_vec();
    let jwks = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..])}]});
    let mut idp = connection("idp", "shared-signals");
    let webhook = idp.spec.source.api.as_mut().unwrap().webhook.as_mut().unwrap();
    (webhook.issuer, webhook.audience) = (Some("https://idp.example.com".into()), Some("us".into()));
    hall.keys.put(&idp, vec![jwks.to_string().into_bytes()], Instant::now());
    let token = |key: &ring::signature::EcdsaKeyPair, jti: &str, iss: &str, aud: &str, ago: i64| {
        let iat = NOW.load(Ordering::Relaxed) - ago;
        let claims = json!({"iss": iss, "aud": aud, "iat": iat, "jti": jti, "events": {"urn:x": {}}});
        let header = json!({"alg": "ES256", "typ": "secevent+jwt"});
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let signature = key.sign(&random, signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature.as_ref()))
    };
    let idp = "https://idp.example.com";
    let right = token(&ours, "t1", idp, "us", 0);
    let again = token(&ours, "t1", idp, "us", 1);
    let forged = token(&theirs, "t2", idp, "us", 0);
    for (situation, name, body, status, said) in [
        ("a right one", "idp", right.clone(), 202, ""),
        ("the same again", "idp", again, 202, ""),
        ("another's key", "idp", forged.clone(), 400, "invalid_key"),
        ("for nobody", "eve", forged, 400, "invalid_key"),
        ("for a connection that takes none", "hq", right, 400, "invalid_key"),
        ("another issuer", "idp", token(&ours, "t3", "https://evil.example.com", "us", 0), 400, "invalid_issuer"),
        ("another receiver", "idp", token(&ours, "t4", idp, "them", 0), 400, "invalid_audience"),
        ("an old one", "idp", token(&ours, "t5", idp, "us", 301), 400, "invalid_request"),
        ("no token", "idp", "ada left".to_owned(), 400, "invalid_key"),
        ("a huge one", "idp", "x".repeat(MOST_BYTES + 1), 413, ""),
    ] {
        let request = Request::post(format!("/webhooks/{name}")).header("content-type", "application/secevent+jwt");
        let came = answer(State(Arc::clone(&hall)), request.body(Body::from(body)).unwrap()).await;
        assert_eq!(came.status().as_u16(), status, "{situation}");
        let json = came.headers()["content-type"] == "application/json";
        let text = to_bytes(came.into_body(), 1 << 16).await.unwrap();
        let told: Value = serde_json::from_slice(&text).unwrap_or_default();
        assert_eq!((json, told["err"].as_str().unwrap_or_default()), (!said.is_empty(), said), "{situation}");
        assert!(status != 202 || text.is_empty(), "{situation}");
    }
    let bare = Request::post("/webhooks/idp").body(Body::from("{}")).unwrap();
    assert_eq!(status(&hall, bare).await, 401, "what is no token is answered like any other webhook");
    for (outcome, expected) in
        [("Taken", true), ("Replayed", true), ("IssuerWrong", true), ("AudienceWrong", true), ("OutOfTime", true)]
    {
        assert_eq!(counted(&hall, "idp", outcome), expected, "{outcome}");
    }
}
