use kube::Client;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::super::tokens::print;
use super::*;

const TOKEN: &str = "a-token-of-at-least-thirty-two-characters";

/// A desk with a connection, `okta`, and one user, over an API server that is not there.
fn desk() -> Arc<Desk> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_from(kube::Config::new("http://127.0.0.1:1".parse().unwrap())).unwrap();
    let resources = Resources::new(client, "rollcall", || jiff::Timestamp::UNIX_EPOCH);
    resources.see(Event::Init);
    let ada = json!({
        "metadata": {"name": "scim-a", "uid": "0a1b2c3d-0000", "resourceVersion": "7"},
        "spec": {"connection": "okta", "connectionUid": "u1", "changed": "2026-03-02T00:00:00Z",
            "user": {"userName": "ada@example.com", "active": true, "emails": [{"value": "ada@example.com", "type": "work"}]}},
    });
    resources.see(Event::InitApply(serde_json::from_value(ada).unwrap()));
    resources.see(Event::InitDone);
    let tokens = Tokens::default();
    tokens.put("okta", "u1", vec![print(TOKEN.as_bytes())], Instant::now());
    tokens.put("entra", "u2", vec![print(b"another-token-of-at-least-thirty-two")], Instant::now());
    Arc::new(Desk::new(Arc::new(tokens), Arc::new(resources), None, false))
}

async fn ask(desk: &Arc<Desk>, method: &str, path: &str, token: &str, body: &str) -> (u16, HeaderMap, Value) {
    let request = Request::builder().method(method).uri(path).header("host", "scim.example.com");
    let request = if token.is_empty() { request } else { request.header("authorization", token) };
    let response = answer(State(Arc::clone(desk)), request.body(Body::from(body.to_owned())).unwrap()).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (parts.status.as_u16(), parts.headers, serde_json::from_slice(&body).unwrap_or_default())
}

fn bearer() -> String {
    format!("Bearer {TOKEN}")
}

#[tokio::test]
async fn without_a_valid_token_one_answer_is_given_whatever_is_asked() {
    let desk = desk();
    let mut said = Vec::new();
    for (method, path, token) in [
        ("GET", "/scim/v2/okta/Users", ""),
        ("GET", "/scim/v2/okta/Users", "Bearer wrong"),
        ("GET", "/scim/v2/okta/Users", &format!("Basic {TOKEN}")),
        ("GET", "/scim/v2/okta/Users/scim-a-0a1b2c3d", ""),
        ("GET", "/scim/v2/okta/ServiceProviderConfig", ""),
        ("GET", "/scim/v2/entra/Users", &bearer()),
        ("GET", "/scim/v2/nowhere/Users", &bearer()),
        ("POST", "/scim/v2/okta/Bulk", ""),
        ("GET", "/", &bearer()),
        ("GET", "/scim/v2", &bearer()),
    ] {
        let (status, headers, body) = ask(&desk, method, path, token, "").await;
        assert_eq!(
            (status, headers[header::WWW_AUTHENTICATE].to_str().unwrap()),
            (401, "Bearer realm=\"scim\""),
            "{path}"
        );
        assert_eq!(
            (body["status"].as_str(), headers[header::CONTENT_TYPE].to_str().ok()),
            (Some("401"), Some("application/scim+json"))
        );
        said.push(body);
    }
    said.dedup();
    assert_eq!(said.len(), 1, "{said:?}");
    for _ in 0..100 {
        ask(&desk, "GET", "/scim/v2/okta/Users", "Bearer wrong", "").await;
    }
    let (status, headers, _) = ask(&desk, "GET", "/scim/v2/okta/Users", "Bearer wrong", "").await;
    assert_eq!((status, headers[header::RETRY_AFTER].to_str().unwrap()), (429, "1"));
    assert_eq!(
        ask(&desk, "GET", "/scim/v2/okta/Users", &bearer(), "").await.0,
        200,
        "whoever has one is let in all the same"
    );
}

#[tokio::test]
async fn what_both_vendors_ask_first_is_answered() {
    let desk = desk();
    for (what, path, check) in [
        (
            "Okta: the connection is tested",
            "/Users?startIndex=1&count=2",
            json!({"totalResults": 1, "startIndex": 1, "itemsPerPage": 1}),
        ),
        ("Okta: groups are tested", "/Groups?startIndex=1&count=100", json!({"totalResults": 0, "Resources": []})),
        (
            "Okta: is the user there",
            "/Users?filter=userName+eq+%22ADA%40example.com%22&startIndex=1&count=100",
            json!({"totalResults": 1}),
        ),
        (
            "Entra: a random user",
            "/Users?filter=userName%20eq%20%22b1b2%22",
            json!({"totalResults": 0, "Resources": []}),
        ),
        (
            "Entra: by the address",
            "/Users?filter=emails[type%20eq%20%22work%22].value%20eq%20%22ada@example.com%22",
            json!({"totalResults": 1}),
        ),
        (
            "Entra: a random group",
            "/Groups?excludedAttributes=members&filter=displayName%20eq%20%22x%22",
            json!({"totalResults": 0}),
        ),
        ("nobody but the number", "/Users?count=0", json!({"totalResults": 1, "itemsPerPage": 0, "Resources": []})),
        ("behind the end", "/Users?startIndex=5", json!({"totalResults": 1, "itemsPerPage": 0})),
        ("an end slash", "/Users/", json!({"totalResults": 1})),
        ("what is supported", "/ServiceProviderConfig", json!({"patch": {"supported": true}})),
        ("kinds", "/ResourceTypes", json!({"totalResults": 2})),
        ("one kind", "/ResourceTypes/User", json!({"endpoint": "/Users"})),
        ("schemas", "/Schemas", json!({"totalResults": 3})),
        ("one schema", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User", json!({"name": "User"})),
    ] {
        let (status, _, body) = ask(&desk, "GET", &format!("/scim/v2/okta{path}"), &bearer(), "").await;
        assert_eq!(status, 200, "{what}: {body}");
        for (key, expected) in check.as_object().unwrap() {
            assert_eq!(&body[key], expected, "{what}: {key}");
        }
    }
    let (_, _, body) = ask(&desk, "GET", "/scim/v2/okta/Users?attributes=userName", &bearer(), "").await;
    let expected = json!({"id": "scim-a-0a1b2c3d", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@example.com"});
    assert_eq!(body["Resources"][0], expected);
    let (_, _, body) = ask(&desk, "GET", "/scim/v2/okta/Users", &bearer(), "").await;
    assert_eq!(body["Resources"][0]["meta"]["location"], "http://scim.example.com/scim/v2/okta/Users/scim-a-0a1b2c3d");
}

#[tokio::test]
async fn what_is_not_done_says_so_in_the_form_of_an_error() {
    let desk = desk();
    let large = format!("{{\"userName\": \"{}\"}}", "x".repeat(MOST_BYTES));
    for (what, method, path, body, status, class) in [
        ("a bulk request", "POST", "/Bulk", "{}", 501, None),
        ("oneself", "GET", "/Me", "", 501, None),
        ("another address", "GET", "/Devices", "", 404, None),
        ("another schema", "GET", "/Schemas/urn:x", "", 404, None),
        ("schemas are not written", "POST", "/Schemas", "{}", 405, None),
        ("nor kinds", "DELETE", "/ResourceTypes/User", "", 405, None),
        ("a filter over schemas", "GET", "/Schemas?filter=x", "", 403, None),
        ("all users at once", "DELETE", "/Users", "", 405, None),
        ("no filter", "GET", "/Users?filter=userName", "", 400, Some("invalidFilter")),
        ("no number", "GET", "/Users?count=x", "", 400, Some("invalidValue")),
        ("no JSON", "POST", "/Users", "userName", 400, Some("invalidSyntax")),
        ("no userName", "POST", "/Users", "{}", 400, Some("invalidValue")),
        ("one who is there", "POST", "/Users", r#"{"userName": "Ada@Example.com"}"#, 409, Some("uniqueness")),
        ("a body that is too large", "POST", "/Users", &large, 413, None),
        ("an id that is none", "GET", "/Users/7", "", 404, None),
        ("an id with a path in it", "GET", "/Users/scim-..%2f..%2fsecrets-1", "", 404, None),
        ("an API server that is not there", "GET", "/Users/scim-a-0a1b2c3d", "", 503, None),
    ] {
        let (said, headers, answer) = ask(&desk, method, &format!("/scim/v2/okta{path}"), &bearer(), body).await;
        assert_eq!(said, status, "{what}: {answer}");
        assert_eq!(answer["status"].as_str(), Some(status.to_string().as_str()), "{what}");
        assert_eq!(answer["scimType"].as_str(), class, "{what}");
        assert!(
            answer["detail"].as_str().is_some_and(|detail| !detail.is_empty() && !detail.contains("da@")),
            "{what}"
        );
        assert_eq!(said == 405, headers.contains_key(header::ALLOW), "{what}");
    }
}

#[tokio::test]
async fn a_search_in_a_body_is_answered_as_one_in_the_address() {
    let body =
        json!({"filter": "userName eq \"ada@example.com\"", "startIndex": 1, "count": 5, "attributes": ["userName"]})
            .to_string();
    let (status, _, answer) = ask(&desk(), "POST", "/scim/v2/okta/Users/.search", &bearer(), &body).await;
    assert_eq!(
        (status, &answer["totalResults"], &answer["Resources"][0]["userName"]),
        (200, &json!(1), &json!("ada@example.com"))
    );
}
