use std::collections::BTreeSet;
use std::sync::Mutex;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::traces::{Key, Name, Trace};
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::*;

/// Number of spans in each request that was sent, and how they are answered: 0 for never.
type Heard = Arc<Mutex<(u16, Vec<usize>)>>;

async fn answer(State(heard): State<Heard>, request: Request) -> (StatusCode, &'static str) {
    assert_eq!(
        (request.uri().path(), &request.headers()["content-type"]),
        ("/v1/traces", &"application/json".parse().unwrap())
    );
    assert_eq!(request.headers()["api-key"], "s3cret");
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let status = {
        let mut heard = heard.lock().unwrap();
        heard.1.push(text.matches("\"spanId\"").count());
        heard.0
    };
    if status == 0 {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).unwrap(), r#"{"partialSuccess": {}}"#)
}

async fn collector(status: u16) -> (Heard, Collector) {
    let heard: Heard = Arc::new(Mutex::new((status, Vec::new())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Router::new().fallback(answer).with_state(Arc::clone(&heard));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let _ = rustls::crypto::ring::default_provider().install_default();
    (heard, Collector::at(&url, "api-key=s3cret").unwrap().unwrap())
}

fn begun(collector: Option<Collector>) -> (Arc<Traces>, Sending, Counter) {
    let resource = Resource { part: "sync", release: "rc".into(), host: "h".into(), instance: "h_1".into() };
    let dropped = Counter::default();
    let (traces, sending) = begin(collector, resource, dropped.clone());
    (traces, sending, dropped)
}

fn spans(number: usize) -> impl Iterator<Item = Span> {
    let trace = Trace::new("r-uid", 0, Vec::new());
    (0..number)
        .map(move |which| trace.part(Name::Step, &which.to_string(), (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)))
}

#[tokio::test]
async fn what_was_left_is_sent_before_the_process_ends() {
    let (heard, collector) = collector(200).await;
    let (traces, sending, dropped) = begun(Some(collector));
    traces.tell(spans(TOGETHER + 3));
    sending.end().await;
    assert_eq!(heard.lock().unwrap().1.iter().sum::<usize>(), TOGETHER + 3);
    assert!(heard.lock().unwrap().1.iter().all(|together| *together <= TOGETHER));
    assert_eq!(dropped.get(), 0);
}

#[tokio::test]
async fn what_the_collector_cannot_take_for_now_is_sent_again() {
    let (heard, collector) = collector(503).await;
    let (traces, sending, dropped) = begun(Some(collector));
    traces.tell(spans(2));
    while heard.lock().unwrap().1.is_empty() {
        tokio::task::yield_now().await;
    }
    heard.lock().unwrap().0 = 200;
    while heard.lock().unwrap().1.len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sending.end().await;
    assert_eq!((heard.lock().unwrap().1.clone(), dropped.get()), (vec![2, 2], 0));
}

#[tokio::test]
async fn what_the_collector_refuses_is_dropped_and_counted() {
    let (heard, collector) = collector(400).await;
    let (traces, sending, dropped) = begun(Some(collector));
    traces.tell(spans(2));
    while dropped.get() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sending.end().await;
    assert_eq!((heard.lock().unwrap().1.clone(), dropped.get()), (vec![2], 2));
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_nobody_and_costs_spans_alone() {
    let (heard, collector) = collector(0).await;
    let (traces, sending, dropped) = begun(Some(collector));
    traces.tell(spans(1));
    while heard.lock().unwrap().1.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    traces.tell(spans(WAITING + 7));
    assert_eq!(dropped.get(), 7, "the queue is full, and who leaves spans goes on");
    tokio::time::pause(); // whatever else this machine has to do: from here on nothing is waited for but the clock
    let left = tokio::time::Instant::now();
    sending.end().await;
    assert!(left.elapsed() < LAST * 3, "and the process ends");
}

#[tokio::test]
async fn without_a_collector_nothing_is_kept() {
    let (traces, sending, dropped) = begun(None);
    traces.tell(spans(WAITING + 1));
    sending.end().await;
    assert_eq!((traces.are_kept(), dropped.get()), (false, 0));
}

#[test]
fn the_page_for_operators_has_a_row_for_each_span_and_names_each_attribute_and_no_other() {
    let page = include_str!("../../../docs/operating.md");
    let section = page.split("\n## ").find(|section| section.starts_with("Traces")).unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    let words = |cell: &'static str| cell.split(['`', ',', ' ']).filter(|word| !word.is_empty());
    let spans: BTreeSet<_> = rows.flat_map(words).collect();
    assert_eq!(spans, Name::ALL.iter().map(|name| name.as_str()).collect());
    let code = section.split('`').skip(1).step_by(2);
    let known = |word: &&str| ["rollcall.", "k8s.", "error."].iter().any(|start| word.starts_with(start));
    let attributes: BTreeSet<_> = code.filter(known).collect();
    assert_eq!(attributes, Key::ALL.iter().map(|key| key.as_str()).collect());
}
