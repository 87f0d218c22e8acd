//! What an identity provider pushes in its first cycle, and for a while afterwards: how fast it is taken, and how much memory it costs.
//! Run apart, by `make bench FIGURES=pushes`: the rate that one connection may ask at makes it long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PostParams};
use reqwest::{Method, StatusCode};
use rollcall::api::HRConnection;
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::waiting::eventually;
use crate::{Figure, memory_of};

/// Users of the first cycle.
const USERS: usize = 10_000;
/// Requests in flight, as an identity provider has them.
const IN_FLIGHT: usize = 16;
/// Requests a second afterwards, and for how many seconds.
const SUSTAINED: u32 = 50;
const SECONDS: u32 = 60;
const TOKEN: &str = "bench-token-0123456789-0123456789-0123456789";

/// One client of one connection.
struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// One request, again after a 429, as clients do: body, and seconds of the one that was answered.
    async fn asks(&self, method: &Method, path: &str, body: &Value) -> (Value, f64) {
        loop {
            let begun = Instant::now();
            let request = self.http.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(TOKEN);
            let request = if body.is_null() { request } else { request.json(body) };
            let answer = request.send().await.unwrap();
            if answer.status() == StatusCode::TOO_MANY_REQUESTS {
                tokio::time::sleep(Duration::from_millis(200)).await;
                continue;
            }
            assert!(answer.status().is_success(), "{method} {path}: {}", answer.status());
            let took = begun.elapsed().as_secs_f64();
            return (answer.json().await.unwrap_or_default(), took);
        }
    }
}

/// The figures.
pub async fn figures() -> Vec<Figure> {
    let values = json!({"scim": {"enabled": true, "tokenSecrets": ["bench"], "tls": {"endsBefore": true}}});
    let rollcall = Installation::with("bench-pushes", &[("apps", Consent::Accounts)], values).await;
    let secret: Secret = object(json!({"metadata": {"name": "bench"}, "stringData": {"token": TOKEN}}));
    rollcall.api().create(&PostParams::default(), &secret).await.unwrap();
    let connection: HRConnection = object(json!({
        "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "metadata": {"name": rollcall.connection},
        "spec": {"source": {"scim": {"credentialsRef": {"name": "bench"}}}, "schedule": {"every": "1h"}},
    }));
    rollcall.api().create(&PostParams::default(), &connection).await.unwrap();
    let (service, base) = rollcall.scim().await;
    let client = Arc::new(Client { http: reqwest::Client::new(), base: format!("{base}/{}", rollcall.connection) });
    eventually("the token is known", || async {
        let asked = client.http.get(format!("{}/Users?count=1", client.base)).bearer_auth(TOKEN).send().await.ok()?;
        asked.status().is_success().then_some(())
    })
    .await;

    let begun = Instant::now();
    let users: Vec<(usize, String)> = futures::stream::iter(0..USERS)
        .map(|index| {
            let client = Arc::clone(&client);
            async move {
                let (made, _) = client.asks(&Method::POST, "/Users", &user(index)).await;
                (index, made["id"].as_str().unwrap().to_owned())
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .collect()
        .await;
    let first_cycle = begun.elapsed().as_secs_f64();
    let after_first = memory_of(&service);
    let connections: Api<HRConnection> = rollcall.api();
    let _sync = rollcall.sync().await;
    let begun = Instant::now();
    eventually("all of them are trusted", || async {
        let trusted = connections.get(&rollcall.connection).await.unwrap().status?.last_trusted?;
        (trusted.employees as usize == USERS).then_some(())
    })
    .await;
    println!("sync trusts {USERS} people {:.0} s after it started", begun.elapsed().as_secs_f64());

    let mut took = sustained(&client, &users).await;
    took.sort_by(f64::total_cmp);
    let p99 = took[took.len() * 99 / 100];
    let after = memory_of(&service);
    vec![
        Figure { figure: "first cycle of 10,000 users", value: first_cycle, unit: "s", bar: None },
        Figure {
            figure: "requests a second of the first cycle",
            value: USERS as f64 / first_cycle,
            unit: "1/s",
            bar: Some(("at least", 50.0)),
        },
        Figure {
            figure: "requests a second sustained, of those sent",
            value: took.len() as f64 / f64::from(SUSTAINED * SECONDS),
            unit: "×",
            bar: Some(("at least", 1.0)),
        },
        Figure { figure: "of these, p99", value: p99 * 1000.0, unit: "ms", bar: None },
        Figure { figure: "memory of scim after the first cycle", value: after_first, unit: "MiB", bar: None },
        Figure {
            figure: "memory of scim after that minute, of before",
            value: after / after_first,
            unit: "×",
            bar: Some(("at most", 1.1)),
        },
    ]
}

/// So many requests a second: of three, one looks for a user, one changes one, one reads a page. Gives the seconds of each.
async fn sustained(client: &Arc<Client>, users: &[(usize, String)]) -> Vec<f64> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / SUSTAINED);
    let mut sent = tokio::task::JoinSet::new();
    for turn in 0..(SUSTAINED * SECONDS) as usize {
        ticks.tick().await;
        let (index, id) = users[turn * 7 % users.len()].clone();
        let client = Arc::clone(client);
        sent.spawn(async move {
            let (method, path, body) = match turn % 3 {
                0 => (Method::GET, format!("/Users?filter=userName%20eq%20%22{}%22", address(index)), Value::Null),
                1 => {
                    let change = json!({"op": "Replace", "path": "title", "value": format!("Title {turn}")});
                    let operations =
                        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [change]});
                    (Method::PATCH, format!("/Users/{id}"), operations)
                }
                _ => (Method::GET, format!("/Users?startIndex={}&count=100", turn % 9000 + 1), Value::Null),
            };
            client.asks(&method, &path, &body).await.1
        });
    }
    sent.join_all().await
}

fn address(index: usize) -> String {
    format!("person-{index}@example.com")
}

fn user(index: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": address(index),
        "externalId": format!("00u{index:017}"), "active": true, "displayName": format!("Person {index}"),
        "name": {"givenName": "Person", "familyName": index.to_string()}, "title": "Engineer",
        "emails": [{"primary": true, "value": address(index), "type": "work"}], "groups": [], "locale": "en-US",
    })
}
