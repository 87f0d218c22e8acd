//! An API server for tests: it answers what it is told, and says whether it was asked exactly that, in that order.
//!
//! For what a real one is too slow, or too healthy, to be asked: a conflict at this very call, a 500, no answer at all.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use kube::Client;
use serde_json::{Value, json};

/// One call that is expected, and its answer.
#[derive(Debug)]
pub struct Call {
    /// Method and path, and as much of the query as matters.
    named: String,
    sends: Vec<Value>,
    answer: Answer,
}

/// How a call is answered.
#[derive(Clone, Debug)]
enum Answer {
    /// Never.
    Hangs,
    /// By a code and an object.
    Once(u16, Value),
    /// By these events, and no end.
    Watch(Vec<Value>),
}

/// A call that is expected: `GET /api/v1/namespaces/apps/serviceaccounts/ada`. Until told otherwise it is answered by 404.
pub fn on(named: &str) -> Call {
    Call { named: named.to_owned(), sends: Vec::new(), answer: Answer::Hangs }.fails(404)
}

impl Call {
    /// What its body must hold, among whatever else.
    pub fn sends(mut self, part: Value) -> Self {
        self.sends.push(part);
        self
    }

    /// Answers with an object.
    pub fn answers(self, object: Value) -> Self {
        Self { answer: Answer::Once(200, object), ..self }
    }

    /// Answers with events of what was added, and stays open.
    pub fn watches(self, added: impl IntoIterator<Item = Value>) -> Self {
        let events = added.into_iter().map(|object| json!({"type": "ADDED", "object": object}));
        Self { answer: Answer::Watch(events.collect()), ..self }
    }

    /// Answers with a list.
    pub fn lists(self, items: Value) -> Self {
        self.answers(json!({"metadata": {"resourceVersion": "1"}, "items": items}))
    }

    /// Answers with a failure of this code.
    pub fn fails(self, code: u16) -> Self {
        self.refuses(code, "said by the test")
    }

    /// Answers with a failure of this code and this message.
    pub fn refuses(self, code: u16, message: &str) -> Self {
        let reason = match code {
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            422 => "Invalid",
            _ => "InternalError",
        };
        let status = json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message});
        Self { answer: Answer::Once(code, status), ..self }
    }

    /// Never answers.
    pub fn hangs(self) -> Self {
        Self { answer: Answer::Hangs, ..self }
    }

    fn is(&self, method: &str, path: &str, query: &str) -> bool {
        let (named, asked) = self.named.split_once('?').unwrap_or((&self.named, ""));
        named == format!("{method} {path}") && query.contains(asked)
    }
}

#[derive(Default)]
struct State {
    expected: VecDeque<Vec<Call>>,
    meanwhile: Vec<Call>,
    wrong: Vec<String>,
    made: Vec<String>,
}

/// The calls that are expected, and those that were made.
#[derive(Clone, Default)]
pub struct Scenario(Arc<Mutex<State>>);

impl Scenario {
    /// Expects this call next.
    pub fn then(self, call: Call) -> Self {
        self.together([call])
    }

    /// Expects these calls next, in whatever order among themselves.
    pub fn together(self, calls: impl IntoIterator<Item = Call>) -> Self {
        self.state(|state| state.expected.push_back(calls.into_iter().collect()));
        self
    }

    /// Answers this call whenever it comes, and as often.
    pub fn meanwhile(self, call: Call) -> Self {
        self.state(|state| state.meanwhile.push(call));
        self
    }

    /// A client of this API server.
    pub fn client(&self) -> Client {
        let scenario = self.clone();
        let router = Router::new().fallback(move |request: Request| {
            let scenario = scenario.clone();
            async move { scenario.answer(request).await }
        });
        Client::new(router, "default")
    }

    /// Panics unless exactly the expected calls were made.
    #[track_caller]
    pub fn is_over(&self) {
        self.state(|state| {
            let left: Vec<_> = state.expected.iter().flatten().map(|call| call.named.as_str()).collect();
            let made = state.made.join("\n  ");
            assert!(state.wrong.is_empty(), "{}\nafter these calls:\n  {made}", state.wrong.join("\n"));
            assert!(left.is_empty(), "not made: {left:#?}\nthese were:\n  {made}");
        });
    }

    fn state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let (path, query) = (parts.uri.path().to_owned(), parts.uri.query().unwrap_or_default().to_owned());
        let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let answer = self.state(|state| state.take(parts.method.as_str(), &path, &query, &body));
        let (code, body) = match answer {
            Answer::Hangs => return std::future::pending().await,
            Answer::Once(code, object) => (code, Body::from(object.to_string())),
            Answer::Watch(events) => {
                let lines = events.into_iter().map(|event| Ok::<_, Infallible>(format!("{event}\n")));
                (200, Body::from_stream(stream::iter(lines).chain(stream::pending())))
            }
        };
        let code = StatusCode::from_u16(code).unwrap_or_default();
        (code, [("content-type", "application/json")], body).into_response()
    }
}

impl State {
    fn take(&mut self, method: &str, path: &str, query: &str, body: &Value) -> Answer {
        let next = self.expected.front_mut();
        let found = next.and_then(|calls| {
            let at = calls.iter().position(|call| call.is(method, path, query))?;
            Some(calls.remove(at))
        });
        if self.expected.front().is_some_and(Vec::is_empty) {
            self.expected.pop_front();
        }
        if let Some(call) = found {
            for part in call.sends.iter().filter(|part| !holds(body, part)) {
                self.wrong.push(format!("{} sent\n{body:#}\nwhich lacks\n{part:#}", call.named));
            }
            self.made.push(call.named);
            return call.answer;
        }
        if let Some(call) = self.meanwhile.iter().find(|call| call.is(method, path, query)) {
            return call.answer.clone();
        }
        let next: Vec<_> = self.expected.iter().take(1).flatten().map(|call| call.named.as_str()).collect();
        self.wrong.push(format!("{method} {path}?{query} came where this was expected: {next:?}"));
        Answer::Once(500, json!({"kind": "Status", "status": "Failure", "code": 500, "message": "not expected"}))
    }
}

/// Whether `whole` holds everything that `part` names. Lists are compared item by item.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).map_or(value.is_null(), |held| holds(held, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;
    use crate::kube::calls::call;
    use crate::kube::named::Api;

    const A: &str = "GET /api/v1/namespaces/ns/configmaps/a";
    const B: &str = "GET /api/v1/namespaces/ns/configmaps/b";

    async fn reads(scenario: &Scenario, names: [&str; 2]) {
        let api: Api<ConfigMap> = Api::namespaced(scenario.client(), "ns");
        for name in names {
            drop(api.get_opt(name).await);
        }
    }

    #[tokio::test]
    async fn the_expected_calls_in_their_order_and_no_others_pass() {
        let expected = || Scenario::default().then(on(A)).then(on(B));
        for (names, passes) in [(["a", "b"], true), (["b", "a"], false), (["a", "a"], false)] {
            let scenario = expected();
            reads(&scenario, names).await;
            let over = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scenario.is_over()));
            assert_eq!(over.is_ok(), passes, "{names:?}");
        }
        let together = Scenario::default().together([on(A), on(B)]);
        reads(&together, ["b", "a"]).await;
        together.is_over();
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_never_answered_ends_by_its_deadline() {
        let scenario = Scenario::default().then(on(A).hangs());
        let api: Api<ConfigMap> = Api::namespaced(scenario.client(), "ns");
        let fault = call("read", api.get("a")).await.unwrap_err();
        assert_eq!(fault.to_string(), "read: no answer in time");
        scenario.is_over();
    }

    #[test]
    fn a_body_holds_what_is_named_and_may_hold_more() {
        let body = json!({"a": {"b": 1, "c": 2}, "d": [1, 2]});
        for (part, expected) in [
            (json!({"a": {"b": 1}}), true),
            (json!({"a": {"b": 2}}), false),
            (json!({"d": [1]}), false),
            (json!({"e": null}), true),
            (json!({"e": 1}), false),
        ] {
            assert_eq!(holds(&body, &part), expected, "{part}");
        }
    }
}
