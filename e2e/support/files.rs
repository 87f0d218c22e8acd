//! A web server with one file, whose answer the test sets: right, wrong, or none.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What the server says to every request.
#[derive(Clone, Debug)]
pub struct FixedResponse {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

/// A web server on 127.0.0.1 that ends with the test.
pub struct FileServer {
    pub url: String,
    answer: Arc<Mutex<FixedResponse>>,
    task: JoinHandle<()>,
}

impl FileServer {
    /// Serves a CSV file.
    pub async fn serving(csv: String) -> Self {
        let answer = Arc::new(Mutex::new(FixedResponse { status: 200, content_type: "text/csv", body: csv }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/people.csv", listener.local_addr().unwrap());
        let app = Router::new().fallback(say).with_state(answer.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, answer, task }
    }

    /// From now on this is the answer.
    pub fn answers(&self, status: u16, content_type: &'static str, body: impl Into<String>) {
        *self.answer.lock().unwrap() = FixedResponse { status, content_type, body: body.into() };
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn say(State(answer): State<Arc<Mutex<FixedResponse>>>) -> Response {
    let FixedResponse { status, content_type, body } = answer.lock().unwrap().clone();
    Response::builder().status(status).header("content-type", content_type).body(Body::from(body)).unwrap()
}
