//! Serves HTTP, and accepts commands.
//!
//! Requests to `/_fake/…` are not part of the simulated system: `POST /_fake/day` lets a day of the company pass,
//! `POST /_fake/leave/ID` makes somebody leave, `POST /_fake/fault/NAME` brings a fault, and `none` ends them all.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use futures::{StreamExt as _, stream};
use reqwest::Url;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::faults::{Faults, RequestKind};

/// Largest body of a request.
const LARGEST: usize = 1 << 20;

/// How many requests are remembered.
const MAX_HEARD: usize = 10_000;

/// A request.
pub(crate) struct FakeRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl FakeRequest {
    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body, as browsers send forms.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        let body = String::from_utf8_lossy(&self.body);
        Url::parse(&format!("form:?{body}")).map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
    }

    async fn read(request: Request) -> Self {
        let (head, body) = request.into_parts();
        let url = Url::parse(&format!("http://x{}", head.uri)).ok();
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default(),
            headers: head.headers,
            body: axum::body::to_bytes(body, LARGEST).await.unwrap_or_default(),
        }
    }
}

/// An answer.
#[derive(Clone)]
pub(crate) struct FakeResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: ResponseBody,
}

/// A body.
#[derive(Clone)]
pub(crate) enum ResponseBody {
    /// All of it.
    Whole(Bytes),
    /// A beginning, and nothing more for as long as anybody listens.
    Stalled(Bytes),
    /// So many bytes are announced, of which none comes.
    Announced(u64),
}

impl FakeResponse {
    pub(crate) fn json(body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status: 200, headers, body: ResponseBody::Whole(body.into()) }
    }

    /// An error, with its reason.
    pub(crate) fn refused(status: u16, why: &str) -> Self {
        Self { status, ..Self::json(json!({"error": why}).to_string()) }
    }

    /// The body, where it is a whole one of text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.body {
            ResponseBody::Whole(bytes) => std::str::from_utf8(bytes).ok(),
            ResponseBody::Stalled(_) | ResponseBody::Announced(_) => None,
        }
    }

    /// `stalled` is told once nothing more comes.
    fn into_response(self, stalled: Arc<Notify>) -> Response {
        let mut head = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            head = head.header(name, value);
        }
        let body = match self.body {
            ResponseBody::Whole(bytes) => Body::from(bytes),
            ResponseBody::Stalled(bytes) => {
                let nothing = async move {
                    stalled.notify_one();
                    pending().await
                };
                Body::from_stream(stream::iter([Ok::<_, std::io::Error>(bytes)]).chain(stream::once(nothing)))
            }
            ResponseBody::Announced(length) => {
                head = head.header("content-length", length);
                Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())
            }
        };
        head.body(body).unwrap_or_default()
    }
}

/// What a fake plays.
pub(crate) trait System: Send {
    /// What a request is about, if the one before was about this.
    fn part(&self, asked: &FakeRequest, before: Option<&RequestKind>) -> RequestKind;
    /// The answer, where nothing is wrong.
    fn answer(&mut self, asked: &FakeRequest) -> FakeResponse;
    /// Ends whatever token there is; whether that means anything.
    fn expire(&mut self) -> bool;
    /// Leaves out a page of people, from 1, or gives it twice.
    fn turn_pages(&mut self, lost: Option<usize>, twice: Option<usize>);
    /// Lets a day pass.
    fn pass_day(&mut self) -> Result<String, String>;
    /// Makes somebody leave.
    fn leave(&mut self, id: &str) -> Result<String, String>;
    /// What was asked otherwise than it was expected.
    fn surprises(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What is played, and what goes wrong.
pub(crate) struct State {
    pub(crate) system: Box<dyn System>,
    pub(crate) faults: Faults,
    /// What was asked for, in turn; of a fake that runs for long, only the beginning.
    pub(crate) heard: Vec<RequestKind>,
    /// What was asked for last.
    last: Option<RequestKind>,
    /// Told when an answer has begun and nothing more of it comes.
    pub(crate) stalled: Arc<Notify>,
    /// What every answered request is reported to.
    pub(crate) tell: Box<dyn Fn(&str) + Send>,
}

impl State {
    /// Nothing was asked for yet.
    pub(crate) fn new(system: Box<dyn System>, faults: Faults, tell: Box<dyn Fn(&str) + Send>) -> Self {
        Self { system, faults, heard: Vec::new(), last: None, stalled: Arc::default(), tell }
    }

    pub(crate) fn answer(&mut self, asked: &FakeRequest) -> FakeResponse {
        if let Some(order) = asked.path.strip_prefix("/_fake/") {
            return self.order(asked, order);
        }
        let part = self.system.part(asked, self.last.as_ref());
        if self.heard.len() < MAX_HEARD {
            self.heard.push(part.clone());
        }
        self.last = Some(part.clone());
        let answer = match self.faults.before(&part, self.system.as_mut()) {
            Some(answer) => answer,
            None => {
                let answer = self.system.answer(asked);
                self.faults.after(&part, answer)
            }
        };
        (self.tell)(&format!("{} {} {}", asked.method, asked.path, answer.status));
        answer
    }

    /// Ends every fault.
    pub(crate) fn clear_faults(&mut self) {
        self.faults.end();
        self.system.turn_pages(None, None);
    }

    fn order(&mut self, asked: &FakeRequest, order: &str) -> FakeResponse {
        let done = match order.split_once('/') {
            _ if asked.method != "POST" => Err("a POST changes what is played".to_owned()),
            None if order == "day" => self.system.pass_day(),
            Some(("leave", id)) => self.system.leave(id),
            Some(("fault", "none")) => {
                self.clear_faults();
                Ok("no fault".to_owned())
            }
            Some(("fault", name)) => self.faults.bring(name, self.system.as_mut()),
            _ => Err("there are day, leave/ID and fault/NAME".to_owned()),
        };
        match done {
            Ok(done) => {
                (self.tell)(&done);
                FakeResponse::json(json!({"done": done}).to_string())
            }
            Err(why) => FakeResponse::refused(400, &why),
        }
    }
}

/// Answers until nobody can ask any more.
pub(crate) fn router(state: Arc<Mutex<State>>) -> Router {
    Router::new().fallback(move |request: Request| {
        let state = Arc::clone(&state);
        async move {
            let asked = FakeRequest::read(request).await;
            let (answer, stalled) = {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                (state.answer(&asked), Arc::clone(&state.stalled))
            };
            answer.into_response(stalled)
        }
    })
}

/// Serves on a listener.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    axum::serve(listener, router(state)).await
}
