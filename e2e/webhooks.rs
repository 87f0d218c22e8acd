//! An HR system says by a webhook that something has changed: it is read at once, and the read decides. No lie makes it be read, and none
//! ends anybody's access.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use fake_hr::{self as fake, Company, Fake, Scenario, Setup};
use hris::Definition;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams, PostParams};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rollcall::api::condition::{Condition, ConditionType, Reason, Status};
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{HRConnection, ReadHint};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::attempts::Try::{Create, Delete, Patch as Change};
use crate::support::attempts::*;
use crate::support::installation::{Consent, Installation};
use crate::support::objects::{object, overlay};
use crate::support::process::Service;
use crate::support::waiting::eventually;

const OURS: &str = "a-webhook-secret-0123456789-0123456789";
const NEXT: &str = "the-next-secret-0123456789-0123456789";
const THEIRS: &str = "another-secret-0123456789-0123456789";

/// BambooHR, simulated, with a connection that is read once a day.
struct Hr {
    here: String,
    company: Company,
    asked: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Hr {
    async fn connected(rollcall: &Installation) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = format!("http://{}", listener.local_addr().unwrap());
        let today = || Timestamp::now().to_zoned(TimeZone::UTC).date();
        // Nobody else in the cluster is called as these people are.
        let company = Company { seed: 4711, people: 60, scenario: Scenario::Quiet, first: today() };
        let definition = hris::connector("bamboohr").unwrap();
        let setup = Setup { definition, parameters: BTreeMap::new(), company, page: None, here: here.clone() };
        let asked = Arc::new(AtomicUsize::new(0));
        let tell = {
            let asked = asked.clone();
            move |told: &str| {
                if !told.contains("/_fake/") {
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let fake = Fake::new(&setup, Box::new(today), Box::new(tell)).unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move { fake.serve(listener).await.unwrap() });

        let text = fake::rewritten(hris::connector_text("bamboohr").unwrap(), &here).unwrap();
        let text = serde_saphyr::to_string(&text).unwrap();
        let kept = Definition::parse("definition.yaml", &text).unwrap();
        let mut parameters = fake::parameters(&setup.definition, &setup.parameters).unwrap();
        parameters.retain(|name, _| kept.parameters.contains_key(name));
        let map: ConfigMap = object(json!({"metadata": {"name": "hr"}, "data": {"definition.yaml": text}}));
        rollcall.api().create(&PostParams::default(), &map).await.unwrap();
        secret(rollcall, "hr", json!(fake::credentials(&kept))).await;
        let mut other = connection(&format!("{}-b", rollcall.connection), "theirs", &parameters);
        other.spec.suspend = Some(object(json!({"reason": "it is asked nothing", "until": "2099-01-01T00:00:00Z"})));
        for connection in [connection(&rollcall.connection, "ours", &parameters), other] {
            rollcall.api().create(&PostParams::default(), &connection).await.unwrap();
        }
        Self { here, company, asked, _task: task }
    }

    /// Requests so far.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// A person leaves, and nobody says so.
    async fn leaves(&self, id: &str) {
        let answer = reqwest::Client::new().post(format!("{}/_fake/leave/{id}", self.here)).send().await.unwrap();
        assert!(answer.status().is_success());
    }
}

fn connection(name: &str, webhook: &str, parameters: &BTreeMap<String, String>) -> HRConnection {
    let mut api = json!({
        "definitionRef": {"name": "hr", "key": "definition.yaml"}, "credentialsRef": {"name": "hr"},
        "webhook": {"form": "bamboohr", "secretRef": {"name": webhook}},
    });
    if !parameters.is_empty() {
        api["parameters"] = json!(parameters);
    }
    object(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "metadata": {"name": name},
        "spec": {"source": {"api": api}, "schedule": {"every": "24h"}, "network": {"allowPrivateAddresses": true}},
    }))
}

async fn secret(rollcall: &Installation, name: &str, values: Value) {
    let secret: Secret = object(json!({"metadata": {"name": name}, "stringData": values}));
    rollcall.api().create(&PostParams::default(), &secret).await.unwrap();
}

/// An installation that takes webhooks, and the address of the first connection's.
async fn hooked(story: &str) -> (Installation, Service, String) {
    let values =
        json!({"scim": {"enabled": true, "webhookSecrets": ["ours", "theirs", "idp"], "tls": {"endsBefore": true}}});
    let rollcall = Installation::with(story, &[("apps", Consent::Accounts)], values).await;
    secret(&rollcall, "ours", json!({"a": OURS, "b": NEXT})).await;
    secret(&rollcall, "theirs", json!({"a": THEIRS})).await;
    let (service, base) = rollcall.scim().await;
    let address = base.replace("/scim/v2", &format!("/webhooks/{}", rollcall.connection));
    (rollcall, service, address)
}

/// Sends what BambooHR sends, signed so many seconds ago, and gives the status.
async fn sends(address: &str, secret: &str, ago: i64, body: &str) -> u16 {
    let sent = (Timestamp::now().as_second() - ago).to_string();
    post(address, secret, &sent, body).await
}

async fn post(address: &str, secret: &str, sent: &str, body: &str) -> u16 {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, format!("{body}{sent}").as_bytes());
    let request = reqwest::Client::new()
        .post(address)
        .header("x-bamboohr-timestamp", sent)
        .header("x-bamboohr-signature", data_encoding::HEXLOWER.encode(signature.as_ref()))
        .body(body.to_owned());
    request.send().await.unwrap().status().as_u16()
}

async fn seen(rollcall: &Installation) -> HRConnection {
    rollcall.api().get(&rollcall.connection).await.unwrap()
}

/// Waits until this is said of the webhooks.
async fn said(rollcall: &Installation, status: Status, reason: Reason) {
    eventually(&format!("webhooks are {reason}"), || async {
        let conditions = seen(rollcall).await.status?.conditions;
        let fits = |one: &Condition| one.is(ConditionType::WebhooksTaken, status) && one.reason == reason.as_str();
        conditions.iter().any(fits).then_some(())
    })
    .await;
}

async fn hint(rollcall: &Installation) -> Option<ReadHint> {
    let uid = seen(rollcall).await.uid().unwrap();
    rollcall.api::<ReadHint>().get_opt(&format!("hint-{uid}")).await.unwrap()
}

#[tokio::test]
async fn a_webhook_has_its_hr_system_read_and_no_lie_does() {
    let (rollcall, service, address) = hooked("hooked").await;
    let _running = rollcall.run().await;
    rollcall.policy(json!({})).await;
    let hr = Hr::connected(&rollcall).await;
    let first = eventually("the first response is trusted", || async {
        let connection = seen(&rollcall).await;
        connection.status.as_ref()?.last_trusted.as_ref()?;
        Some(connection)
    })
    .await;
    rollcall.settles(first).await;
    said(&rollcall, Status::Unknown, Reason::Awaited).await;
    let number = hr.company.leaver();
    let leaver = Company::id(number);
    let working = rollcall.all_persons().await;
    let works = |person: &&rollcall::api::Person| {
        person
            .status
            .as_ref()
            .and_then(|status| status.employment.as_ref())
            .is_some_and(|one| one.state == State::Active)
    };
    let colleague = working.iter().filter(works).flat_map(|person| &person.spec.records).find(|one| one.id != leaver);
    let colleague = Company::number(&colleague.unwrap().id).unwrap();
    let [leavers, colleagues] = [number, colleague].map(|number| format!("oidc:{}", hr.company.email(number)));
    for (name, user) in [("leaver", &leavers), ("colleague", &colleagues)] {
        rollcall.bind_users("apps", name, std::slice::from_ref(user)).await;
        assert!(rollcall.may_look(user, "apps").await);
    }
    hr.leaves(&leaver).await;

    // Whoever lies asks for nothing. The next read by the schedule is tomorrow.
    let before = hr.asked();
    let bare = reqwest::Client::new().post(&address).body("{}").send().await.unwrap().status().as_u16();
    assert_eq!(bare, 401, "no signature");
    said(&rollcall, Status::False, Reason::SignatureMissing).await;
    let body = format!("{{\"employee\":{{\"id\":\"{leaver}\",\"status\":\"Inactive\"}}}}");
    for (situation, expected, came) in [
        ("a secret that is nobody's", 401, sends(&address, "forged-0123456789-0123456789", 0, &body).await),
        ("the secret of another connection", 401, sends(&address, THEIRS, 0, &body).await),
        ("an old request", 401, sends(&address, OURS, 3600, &body).await),
        ("a huge body", 413, sends(&address, OURS, 0, &"x".repeat(300_000)).await),
        ("a connection that is not there", 401, sends(&format!("{address}-no"), OURS, 0, &body).await),
    ] {
        assert_eq!(came, expected, "{situation}");
    }
    let hinted = hint(&rollcall).await.expect("what was refused is written");
    assert_eq!(hinted.spec.taken, None, "and nothing was taken");
    assert_eq!(hr.asked(), before, "nothing was read");
    assert!(rollcall.may_look(&leavers, "apps").await && rollcall.all_revocations().await.is_empty());

    // The HR system itself. That its process was killed meanwhile is nobody's loss, and a hint is one for any of the secrets.
    service.kill();
    let sent = Timestamp::now().as_second().to_string();
    eventually("a webhook is taken", || async {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, NEXT.as_bytes()), format!("{body}{sent}").as_bytes());
        let request = reqwest::Client::new()
            .post(&address)
            .header("x-bamboohr-timestamp", &sent)
            .header("x-bamboohr-signature", data_encoding::HEXLOWER.encode(key.as_ref()))
            .body(body.clone());
        request.send().await.ok().filter(|answer| answer.status().as_u16() == 200).map(drop)
    })
    .await;
    rollcall.reaches(&leaver, Operation::Cut, Phase::Revoked).await;
    assert!(!rollcall.may_look(&leavers, "apps").await, "the leaver is refused");
    assert!(rollcall.may_look(&colleagues, "apps").await, "the colleague is not");
    said(&rollcall, Status::True, Reason::Taken).await;
    rollcall.evidence_verifies();

    // The same again is taken and does nothing; a flood is read for no more than once a minute.
    let taken = hint(&rollcall).await.unwrap().spec.taken;
    let (read, begun) = (hr.asked(), Instant::now());
    assert_eq!(post(&address, NEXT, &sent, &body).await, 200);
    assert_eq!(hint(&rollcall).await.unwrap().spec.taken, taken, "a replay");
    let one_read = read - before;
    for number in 0..100 {
        let came = sends(&address, OURS, 0, &format!("{{\"number\":{number}}}")).await;
        assert!([200, 429].contains(&came), "{came}");
    }
    assert_ne!(hint(&rollcall).await.unwrap().spec.taken, taken, "another one asks again");
    let reads = (hr.asked() - read).div_ceil(one_read.max(1));
    let minutes = usize::try_from(begun.elapsed().as_secs() / 60).unwrap();
    assert!(reads <= minutes + 1, "{reads} reads in {minutes} minutes and a bit");
    for log in rollcall.logs() {
        let log = std::fs::read_to_string(log).unwrap();
        assert!(![OURS, NEXT, THEIRS, leavers.as_str(), "forged-"].iter().any(|secret| log.contains(secret)));
    }
}

/// A transmitter of Shared Signals, with a key of its own.
struct Transmitter(EcdsaKeyPair, SystemRandom);

impl Transmitter {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap(), random)
    }

    fn keys(&self) -> String {
        let point = self.0.public_key().as_ref();
        let part = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
        let key = json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": part(&point[1..33]), "y": part(&point[33..])});
        json!({ "keys": [key] }).to_string()
    }

    /// That the account of an address is disabled, issued so many seconds ago.
    fn token(&self, address: &str, over: Value) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "iat": Timestamp::now().as_second(), "jti": format!("t-{}", Timestamp::now()),
            "sub_id": {"format": "email", "email": address},
            "events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}},
        });
        overlay(&mut claims, over);
        let part = |value: &Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let header = json!({"alg": "ES256", "typ": "secevent+jwt", "kid": "k"});
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.0.sign(&self.1, signed.as_bytes()).unwrap();
        format!("{signed}.{}", data_encoding::BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

const ISSUER: &str = "https://idp.example.com";
const AUDIENCE: &str = "https://scim.example.com/webhooks/hq";

/// Pushes a token, and gives the status and what is said of why not.
async fn pushes(address: &str, token: String) -> (u16, String) {
    let request = reqwest::Client::new().post(address).header("content-type", "application/secevent+jwt").body(token);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let said: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default();
    (status, said["err"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_security_event_has_its_source_read_and_no_lie_does() {
    let (rollcall, _service, address) = hooked("signalled").await;
    let _running = rollcall.run().await;
    rollcall.policy(json!({})).await;
    let (idp, thief) = (Transmitter::new(), Transmitter::new());
    secret(&rollcall, "idp", json!({"jwks.json": idp.keys()})).await;
    let hr = Hr::connected(&rollcall).await;
    let first = eventually("the first response is trusted", || async {
        let connection = seen(&rollcall).await;
        connection.status.as_ref()?.last_trusted.as_ref()?;
        Some(connection)
    })
    .await;
    rollcall.settles(first).await;
    // The form and the Secret of the webhook are of a provider of signals.
    let connections: Api<HRConnection> = rollcall.api();
    let change = |webhook: Value| Patch::Merge(json!({"spec": {"source": {"api": {"webhook": webhook}}}}));
    let half = change(json!({"form": "shared-signals", "secretRef": {"name": "theirs"}, "issuer": ISSUER}));
    let refused = connections.patch(&rollcall.connection, &PatchParams::default(), &half).await.unwrap_err();
    assert!(refused.to_string().contains("which needs both"), "{refused}");
    let whole = json!({"form": "shared-signals", "secretRef": {"name": "idp"}, "issuer": ISSUER, "audience": AUDIENCE});
    connections.patch(&rollcall.connection, &PatchParams::default(), &change(whole)).await.unwrap();
    eventually("the change of the connection is over", || async {
        let changed = seen(&rollcall).await;
        (changed.status?.observed_generation == changed.metadata.generation).then_some(())
    })
    .await;
    let number = hr.company.leaver();
    let leaver = Company::id(number);
    let mail = hr.company.email(number);
    let user = format!("oidc:{mail}");
    rollcall.bind_users("apps", "leaver", std::slice::from_ref(&user)).await;

    // Nobody has left: what says so is a hint to look, and looking shows it.
    let before = hr.asked();
    eventually("the key of the transmitter is known, and others are not", || async {
        let (status, why) = pushes(&address, idp.token(&mail, json!({"iss": "https://evil.example.com"}))).await;
        assert_eq!(status, 400);
        (why == "invalid_issuer").then_some(())
    })
    .await;
    let sent = Timestamp::now().as_second();
    for (situation, token, expected) in [
        ("another's key", thief.token(&mail, json!({})), "invalid_key"),
        ("for another receiver", idp.token(&mail, json!({"aud": "them"})), "invalid_audience"),
        ("an old one", idp.token(&mail, json!({"iat": sent - 3600})), "invalid_request"),
        ("no token", "they left".to_owned(), "invalid_key"),
    ] {
        assert_eq!(pushes(&address, token).await, (400, expected.to_owned()), "{situation}");
    }
    assert_eq!(pushes(&address, "x".repeat(300_000)).await.0, 413);
    assert_eq!(hint(&rollcall).await.expect("what was refused is written").spec.taken, None);
    assert_eq!(hr.asked(), before, "nothing was read");
    hr.leaves(&leaver).await;
    let token = idp.token(&mail, json!({}));
    assert_eq!(pushes(&address, token.clone()).await, (202, String::new()));
    rollcall.reaches(&leaver, Operation::Cut, Phase::Revoked).await;
    assert!(!rollcall.may_look(&user, "apps").await, "the leaver is refused");
    said(&rollcall, Status::True, Reason::Taken).await;
    let taken = hint(&rollcall).await.unwrap().spec.taken;
    assert_eq!(pushes(&address, token).await, (202, String::new()), "the same again does nothing");
    assert_eq!(hint(&rollcall).await.unwrap().spec.taken, taken);
    for log in rollcall.logs() {
        let log = std::fs::read_to_string(log).unwrap();
        assert!(!log.contains(&mail) && !log.contains("eyJ"), "a log says who, or has a token");
    }
    rollcall.evidence_verifies();
}

const NEVER: &str = "rollcall scim never does this";
const BELONGS: &str = "what rollcall scim writes belongs to its connection";
const STORE: &str = "only rollcall scim writes what identity providers pushed, and that webhooks came";

#[tokio::test]
async fn the_identity_that_takes_webhooks_stolen_can_do_nothing_but_hint() {
    let (rollcall, _service, _) = hooked("hooked-cage").await;
    let connections: Api<HRConnection> = rollcall.api();
    let own = connection(&rollcall.connection, "ours", &BTreeMap::new());
    let uid = connections.create(&PostParams::default(), &own).await.unwrap().uid().unwrap();
    secret(&rollcall, "hr", json!({"apiKey": "x"})).await;
    let owner = |uid: &str| json!([{"apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "name": rollcall.connection, "uid": uid}]);
    let hint = |name: &str, owners: Value| {
        json!({"metadata": {"name": name, "ownerReferences": owners},
            "spec": {"connection": rollcall.connection, "connectionUid": uid, "taken": "2026-03-02T00:00:00Z"}})
    };
    let name = format!("hint-{uid}");
    let scim = rollcall.cluster.acting_as(&rollcall.identity("scim"), &["system:authenticated"]).await;
    let mut real = hint(&name, owner(&uid));
    real["apiVersion"] = json!("rollcall.dev/v1alpha1");
    real["kind"] = json!("ReadHint");
    let hints: Api<ReadHint> = Api::namespaced(scim.clone(), &rollcall.namespace);
    eventually("its rights are there", || async {
        hints.create(&PostParams::default(), &object(real.clone())).await.ok()
    })
    .await;
    let namespace = rollcall.namespace.clone();
    let newer = json!({"spec": {"taken": "2026-03-03T00:00:00Z"}});

    // With its own rights.
    each(
        &rollcall,
        &namespace,
        vec![
            ("scim", "makes a hint", HINTS, Create(hint("hint-more", owner(&uid))), "policy"),
            ("scim", "deletes one", HINTS, Delete(&name), "rbac"),
            ("scim", "asks by the annotation", CONNECTIONS, Change(&rollcall.connection, requested()), "rbac"),
            ("sync", "makes a hint", HINTS, Create(hint("hint-more", owner(&uid))), "rbac"),
            ("admin", "makes a hint", HINTS, Create(hint("hint-more", owner(&uid))), "policy"),
            ("admin", "changes one", HINTS, Change(&name, newer.clone()), "policy"),
            ("admin", "deletes one", HINTS, Delete(&name), "none"),
        ],
    )
    .await;
    let secrets: Api<Secret> = Api::namespaced(scim, &namespace);
    assert!(secrets.get("ours").await.is_ok(), "it reads what webhooks are signed with");
    assert!(secrets.get("hr").await.is_err(), "and not what the HR system is read with");
    let wrong = connection("wrong", "hr", &BTreeMap::new());
    let refused = connections.create(&PostParams::default(), &wrong).await.unwrap_err();
    assert!(refused.to_string().contains("must be another Secret than credentialsRef"), "{refused}");

    // With every right there is, the policies alone decide.
    every_right(&rollcall, &[rollcall.identity("scim")]).await;
    eventually("its rights are there", || async {
        let (layer, _) = attempt(&rollcall, "scim", &namespace, HINTS, &Change(&name, newer.clone())).await;
        (layer == "none").then_some(())
    })
    .await;
    let apps = rollcall.target("apps");
    let held = json!({"metadata": {"finalizers": ["example.com/x"]}});
    for (what, namespace, resource, tried, rule) in [
        ("asks by the annotation", &namespace, CONNECTIONS, Change(&rollcall.connection, requested()), NEVER),
        ("deletes a hint", &namespace, HINTS, Delete(&name), NEVER),
        ("makes an account", &namespace, ACCOUNTS, Create(json!({"metadata": {"name": "new"}})), NEVER),
        ("hints elsewhere", &apps, HINTS, Create(hint(&name, owner(&uid))), NEVER),
        ("a hint of another name", &namespace, HINTS, Create(hint("hint-more", owner(&uid))), BELONGS),
        ("a hint that never goes", &namespace, HINTS, Change(&name, held), BELONGS),
        (
            "a hint of another connection",
            &namespace,
            HINTS,
            Change(&name, json!({"metadata": {"ownerReferences": owner("another")}})),
            BELONGS,
        ),
    ] {
        let (layer, said) = attempt(&rollcall, "scim", namespace, resource, &tried).await;
        assert!(layer == "policy" && said.contains(rule), "{what}: {layer}: {said}");
    }
    let (layer, said) = attempt(&rollcall, "admin", &namespace, HINTS, &Change(&name, newer)).await;
    assert!(layer == "policy" && said.contains(STORE), "{said}");
}

/// What asks for a read by hand.
fn requested() -> Value {
    json!({"metadata": {"annotations": {"rollcall.dev/requestedAt": "now"}}})
}
