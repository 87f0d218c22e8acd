//! Sources read as a whole, over real HTTP on this machine, with every fault a source is known for.

mod api;
mod cases;
mod exports;
mod hostile;
mod real;
mod tls;
mod tokens;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request as Asked;
use axum::response::Response;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::*;

const TODAY: Date = Date::constant(2026, 3, 2);
const NEAR: Network = Network { allow_private_addresses: true, authorities: Vec::new(), proxy: None, progress: None };
/// Time for a read that is to end. It decides nothing, however busy the machine is.
const LONG: Duration = Duration::from_hours(1);
const HURRIED: RetryPolicy = RetryPolicy { first: Duration::ZERO, throttled: 5, faults: 2 };
const CSV: &str = "employeeId,fullName,email\n7,Ada Example,ada@example.com\n";
const SECRET: &str = "s3cret";

/// A source that gives its answers in turn, the last one for ever, and remembers what it was asked.
struct Fake {
    url: String,
    asked: Arc<Mutex<Vec<Heard>>>,
}

/// URI and headers of one request.
type Heard = (String, BTreeMap<String, String>);

type ScriptedResponse = Box<dyn Fn() -> Response + Send>;

fn answer(status: u16, headers: &'static [(&'static str, &'static str)], body: impl Into<String>) -> ScriptedResponse {
    let body = body.into();
    Box::new(move || {
        let head =
            headers.iter().fold(Response::builder().status(status), |head, (name, value)| head.header(*name, *value));
        head.body(Body::from(body.clone())).unwrap()
    })
}

/// An answer whose connection is lost after the first piece was sent.
fn cut(body: &'static str) -> ScriptedResponse {
    Box::new(move || {
        let lost = stream::once(async {
            tokio::task::yield_now().await; // lets the piece before go out
            Err(std::io::Error::other("lost"))
        });
        Response::new(Body::from_stream(stream::iter([Ok(body)]).chain(lost)))
    })
}

/// An answer that says how long it is, and of which nothing comes.
fn announced(length: &'static str) -> ScriptedResponse {
    Box::new(move || {
        let body = Body::from_stream(stream::pending::<Result<String, std::io::Error>>());
        Response::builder().header("content-length", length).body(body).unwrap()
    })
}

async fn fake(answers: impl IntoIterator<Item = ScriptedResponse>) -> Fake {
    let left = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let handler = move |request: Asked| {
        let headers = request.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        seen.lock().unwrap().push((request.uri().to_string(), headers));
        let mut left = left.lock().unwrap();
        let answer = if left.len() > 1 { left.pop_front().unwrap()() } else { left.front().unwrap()() };
        async move { answer }
    };
    Fake { url: serve(Router::new().fallback(handler)).await, asked }
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

impl Fake {
    fn times(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn file(&self) -> Source {
        file(&format!("{}/people.csv?sig={SECRET}", self.url))
    }
}

fn file(url: &str) -> Source {
    let credential = Some(Credential::Bearer(SecretString::from(SECRET)));
    whole(FileFrom::Http(HttpFile { url: url.to_owned(), credential }), CsvFormat::default())
}

fn whole(from: FileFrom, format: CsvFormat) -> Source {
    Source::File(Box::new(FileSource { from, coverage: Coverage::Everybody, seal: None, format }))
}

fn bamboohr(url: &str) -> Source {
    let mut definition = connector("bamboohr").unwrap();
    definition.base_url = url.to_owned();
    Source::Api(Box::new(ApiSource {
        definition,
        parameters: BTreeMap::from([("subdomain".to_owned(), "acme".to_owned())]),
        credentials: key(&format!("{SECRET}\n")),
        token_store: None,
        clock: then,
    }))
}

/// An instant of the day.
fn then() -> Timestamp {
    "2026-03-02T12:00:00.5Z".parse().unwrap()
}

fn key(value: &str) -> BTreeMap<String, SecretString> {
    BTreeMap::from([("apiKey".to_owned(), SecretString::from(value))])
}

async fn ask(source: &Source) -> Result<Read, Failure> {
    read_with(source, &NEAR, LONG, TODAY, HURRIED).await
}

#[tokio::test]
async fn a_file_that_was_fetched_already_and_one_behind_a_url_read_the_same() {
    let bytes = CSV.as_bytes().to_vec();
    let text = ask(&whole(FileFrom::Bytes(bytes), CsvFormat::default())).await.unwrap();
    let fake = fake([answer(200, &[("content-type", "text/csv")], CSV)]).await;
    let http = ask(&fake.file()).await.unwrap();
    assert!(text.employees == http.employees && text.employees.len() == 1);
    let asked = fake.asked.lock().unwrap();
    let (_, headers) = asked.first().unwrap();
    assert_eq!(headers.get("authorization").unwrap(), "Bearer s3cret");
    assert!(headers.get("user-agent").unwrap().starts_with("rollcall/"));
}

#[tokio::test]
async fn what_a_source_answers_is_told_apart_and_never_quoted() {
    let html = "<html>Ada Example, please sign in";
    let empty = || Failure::Missing("the file is empty".into());
    let web = |text: &str| Failure::WrongFormat(text.into());
    let elsewhere = "a redirect (302) to login.example.com; redirects are not followed";
    for (name, answers, failure, tries) in [
        (
            "a login page",
            vec![answer(200, &[("content-type", "text/HTML; charset=utf-8")], html)],
            web("the response is a web page (text/html); often it is a sign-in page"),
            1,
        ),
        (
            "a page that says it is CSV",
            vec![answer(200, &[("content-type", "text/csv")], html)],
            web("the file is a web page (it begins with HTML; often it is a sign-in page), not CSV"),
            1,
        ),
        ("nothing", vec![answer(200, &[], "")], empty(), 1),
        (
            "401",
            vec![answer(401, &[], html)],
            Failure::Unauthorised("the source refused the credential (401)".into()),
            1,
        ),
        ("403", vec![answer(403, &[], html)], Failure::Forbidden, 1),
        ("404", vec![answer(404, &[], html)], Failure::Missing("nothing is there (404)".into()), 1),
        ("400", vec![answer(400, &[], html)], Failure::Status(400), 1),
        ("202", vec![answer(202, &[], CSV)], Failure::Status(202), 1),
        ("206", vec![answer(206, &[], CSV)], Failure::Status(206), 1),
        ("500", vec![answer(500, &[], html)], Failure::Status(500), 3),
        ("503 without a time", vec![answer(503, &[], html)], Failure::Status(503), 3),
        ("429 for ever", vec![answer(429, &[("retry-after", "0")], html)], Failure::Throttled, 6),
        (
            "429 for longer than there is time",
            vec![answer(429, &[("retry-after", "3600")], html)],
            Failure::Throttled,
            1,
        ),
        (
            "503 for longer than there is time",
            vec![answer(503, &[("retry-after", "3600")], html)],
            Failure::Throttled,
            1,
        ),
        (
            "a redirect",
            vec![answer(302, &[("location", "https://login.example.com/?sig=s3cret")], html)],
            Failure::AddressRefused(elsewhere.into()),
            1,
        ),
        (
            "half a response",
            vec![cut(CSV)],
            Failure::Truncated("the connection was lost in the middle of the response".into()),
            3,
        ),
        ("too large a response", vec![announced("67108865")], Failure::TooLarge, 1),
        (
            "half a file",
            vec![answer(200, &[], CSV.trim_end_matches("@example.com\n").trim_end_matches(",ada"))],
            Failure::Truncated("line 2 has 2 cells, the header has 3".into()),
            1,
        ),
    ] {
        let fake = fake(answers).await;
        let found = ask(&fake.file()).await.map(|_| ());
        let words = format!("{found:?}");
        assert_eq!(found, Err(failure), "{name}");
        assert_eq!(fake.times(), tries, "{name}");
        assert!(![SECRET, "Ada", "people.csv"].iter().any(|secret| words.contains(secret)), "{words}");
    }
}

#[tokio::test]
async fn a_fault_that_passes_is_no_failure() {
    let fine = || answer(200, &[], CSV);
    let later = || answer(429, &[("retry-after", "0")], "");
    for (name, answers) in [
        ("throttled", vec![later(), later(), fine()]),
        ("throttled by 503", vec![answer(503, &[("retry-after", "0")], ""), fine()]),
        ("throttled until a date", vec![answer(429, &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], ""), fine()]),
        ("throttled without a time", vec![answer(429, &[], ""), fine()]),
        ("down", vec![answer(500, &[], ""), answer(502, &[], ""), fine()]),
        ("lost", vec![cut(CSV), fine()]),
        ("all of it", vec![later(), answer(500, &[], ""), later(), cut(CSV), later(), fine()]),
    ] {
        let fake = fake(answers).await;
        assert_eq!(ask(&fake.file()).await.map(|read| read.employees.len()), Ok(1), "{name}");
    }
}

#[tokio::test]
async fn the_time_for_the_whole_poll_ends_it() {
    let silent = serve(Router::new().fallback(std::future::pending::<String>)).await;
    let dripping = serve(Router::new().fallback(|| async {
        Response::new(Body::from_stream(stream::iter([Ok::<_, std::io::Error>(CSV)]).chain(stream::pending())))
    }))
    .await;
    for url in [silent, dripping] {
        let found = read_with(&file(&url), &NEAR, Duration::from_millis(200), TODAY, HURRIED).await;
        assert_eq!(found.map(|_| ()), Err(Failure::TimedOut));
    }
}

#[tokio::test]
async fn an_answer_without_a_stated_length_stops_at_its_bound() {
    let endless = serve(Router::new().fallback(|| async {
        Response::new(Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1 << 20)))))
    }))
    .await;
    assert_eq!(ask(&file(&endless)).await.map(|_| ()), Err(Failure::TooLarge));
}

#[tokio::test]
async fn a_source_at_an_address_it_may_not_have_is_never_asked() {
    let fake = fake([answer(200, &[], CSV)]).await;
    let port = fake.url.rsplit(':').next().unwrap().to_owned();
    for (url, why) in [
        (fake.url.clone(), "127.0.0.1 would be asked without TLS"),
        (format!("https://127.0.0.1:{port}/"), "127.0.0.1 is a loopback address"),
        (format!("https://localhost:{port}/"), "localhost resolves to a loopback address"),
    ] {
        let found = read_with(&file(&url), &Network::default(), LONG, TODAY, HURRIED).await;
        assert_eq!(found.map(|_| ()), Err(Failure::AddressRefused(why.to_owned())), "{url}");
    }
    assert_eq!(fake.times(), 0);
}

#[tokio::test]
async fn a_source_that_cannot_be_reached_is_named_by_its_host_alone() {
    let fake = fake([answer(200, &[], CSV)]).await;
    let plain = fake.url.replace("http://", "https://");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}/people.csv?sig={SECRET}", listener.local_addr().unwrap());
    drop(listener);
    for (url, why) in [(closed, "no connection to 127.0.0.1"), (plain, "no TLS with 127.0.0.1: ")] {
        let Err(Failure::Unreachable(words)) = ask(&file(&url)).await else { panic!("{url} was reached") };
        assert!(words.starts_with(why) && !words.contains(SECRET), "{words}");
    }
}

#[test]
fn a_source_that_cannot_be_read_as_described_says_what_is_missing() {
    let api = |parameters: &[(&str, &str)], credentials| {
        let parameters = parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let definition = connector("bamboohr").unwrap();
        Source::Api(Box::new(ApiSource { definition, parameters, credentials, token_store: None, clock: then }))
    };
    assert_eq!(check(&api(&[("subdomain", "acme")], key(SECRET))), Ok(()));
    let wrong = check(&api(&[("region", "eu")], BTreeMap::new())).unwrap_err();
    for part in [
        "no parameter \"region\"; it has: subdomain",
        "needs the parameter subdomain",
        "the Secret needs the key apiKey",
    ] {
        assert!(wrong.contains(part), "{wrong}");
    }
    assert!(check(&api(&[("subdomain", "acme")], key(" \n"))).is_err());
    for subdomain in ["acme.evil", "-acme", "acme/..", "ACME"] {
        assert!(check(&api(&[("subdomain", subdomain)], key(SECRET))).is_err(), "{subdomain}");
    }
    assert!(check(&file("http//nowhere")).is_err());
    let format = CsvFormat { date_format: "d/m/y".to_owned(), ..CsvFormat::default() };
    assert!(check(&whole(FileFrom::Bytes(vec![]), format)).is_err());
}
