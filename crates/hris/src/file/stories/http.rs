//! A file behind a URL that is asked for again only if it is another one.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::Request as Asked;
use axum::http::HeaderMap;
use axum::response::Response;

use super::*;

/// A file, what the source calls this state of it, and every request's conditions.
#[derive(Default)]
struct Served {
    text: String,
    named: Vec<(&'static str, String)>,
    asked: Vec<Vec<String>>,
    /// Answers 304 whatever is asked.
    stubborn: bool,
}

impl Served {
    fn answer(&mut self, headers: &HeaderMap) -> Response {
        let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let asked: Vec<String> = ["if-none-match", "if-modified-since"].into_iter().filter_map(said).collect();
        let same = self.stubborn || (!asked.is_empty() && self.named.iter().all(|(_, value)| asked.contains(value)));
        self.asked.push(asked);
        let mut head = Response::builder().status(if same { 304 } else { 200 });
        for (name, value) in &self.named {
            head = head.header(*name, value);
        }
        head.body(if same { Body::empty() } else { Body::from(self.text.clone()) }).unwrap()
    }
}

async fn serve(served: &Arc<Mutex<Served>>) -> Source {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/people.csv?token=s3cret", listener.local_addr().unwrap());
    let served = Arc::clone(served);
    let handler = move |request: Asked| {
        let answer = served.lock().unwrap().answer(request.headers());
        async move { answer }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.unwrap() });
    let from = FileFrom::Http(HttpFile { url, credential: None });
    Source::File(Box::new(FileSource { from, coverage: Coverage::Everybody, seal: None, format: CsvFormat::default() }))
}

fn asked(served: &Mutex<Served>) -> usize {
    served.lock().unwrap().asked.last().unwrap().len()
}

fn found(ids: &[&str]) -> Result<Vec<String>, Failure> {
    Ok(ids.iter().map(|id| (*id).to_owned()).collect())
}

#[tokio::test]
async fn a_file_that_was_believed_is_not_sent_again_until_it_is_another_one() {
    for named in [
        vec![("etag", "\"1\"".to_owned())],
        vec![("etag", "W/\"1\"".to_owned())],
        vec![("last-modified", "Sun, 01 Mar 2026 08:00:00 GMT".to_owned())],
        vec![("etag", "\"1\"".to_owned()), ("last-modified", "Sun, 01 Mar 2026 08:00:00 GMT".to_owned())],
    ] {
        let count = named.len();
        let served = Arc::new(Mutex::new(Served { text: people([1]), named, ..Served::default() }));
        let (source, mut cache) = (serve(&served).await, FetchCache::default());
        assert_eq!(ask(&source, &mut cache).await, found(&["1"]));
        assert_eq!(ask(&source, &mut cache).await, found(&["1"]), "held: read again, in case it was accepted");
        assert_eq!(asked(&served), 0);
        cache.believed();
        assert_eq!(ask(&source, &mut cache).await, found(&["same"]));
        assert_eq!(asked(&served), count);
        served.lock().unwrap().text = people([1, 2]);
        served.lock().unwrap().named.iter_mut().for_each(|(_, value)| *value = value.replace(['1'], "2"));
        assert_eq!(ask(&source, &mut cache).await, found(&["1", "2"]));
        cache.believed();
        assert_eq!(ask(&source, &mut cache).await, found(&["same"]));
        cache.forget();
        assert_eq!(ask(&source, &mut cache).await, found(&["1", "2"]), "somebody asks for it, or it is a start");
        assert_eq!(asked(&served), 0);
    }
}

#[tokio::test]
async fn a_source_that_names_nothing_is_read_every_time() {
    let served = Arc::new(Mutex::new(Served { text: people([1]), ..Served::default() }));
    let (source, mut cache) = (serve(&served).await, FetchCache::default());
    for _ in 0..3 {
        assert_eq!(believe(&source, &mut cache).await, found(&["1"]));
        assert_eq!(asked(&served), 0);
    }
}

#[tokio::test]
async fn a_source_is_believed_to_have_nothing_new_for_a_day_at_most() {
    let mut cache = FetchCache::default();
    cache.answered(&HeaderMap::from_iter([(axum::http::header::ETAG, "\"1\"".parse().unwrap())]));
    cache.believed();
    assert_eq!(cache.conditions(Instant::now()).len(), 1);
    assert_eq!(cache.conditions(Instant::now() + Duration::from_hours(23)).len(), 1);
    assert_eq!(cache.conditions(Instant::now() + Duration::from_hours(25)).len(), 0, "in case it is mistaken");
}

#[tokio::test]
async fn an_answer_to_what_was_not_asked_is_none() {
    let served = Arc::new(Mutex::new(Served { stubborn: true, ..Served::default() }));
    let source = serve(&served).await;
    assert_eq!(ask(&source, &mut FetchCache::default()).await, Err(Failure::Status(304)));
}

#[tokio::test]
async fn a_file_that_was_no_good_is_sent_again() {
    let named = vec![("etag", "\"1\"".to_owned())];
    let served = Arc::new(Mutex::new(Served {
        text: "employeeId,fullName,email\n1,Ada".to_owned(),
        named,
        ..Served::default()
    }));
    let (source, mut cache) = (serve(&served).await, FetchCache::default());
    for _ in 0..2 {
        assert!(matches!(ask(&source, &mut cache).await, Err(Failure::Truncated(_))));
        assert_eq!(asked(&served), 0);
    }
}
