//! Lists that a system makes when it is asked for.

use super::words::{Vendor, ids, ok, page, source, vendor};
use super::*;

const AUTH: &str = "auth: {headers: {Authorization: 'Key {token}'}}";

/// A source that exports, with no time between two looks.
fn exporting(vendor: &Vendor, job: &str, request: &str) -> Source {
    let people = format!(
        "people:\n- request: {request}\n  records: data\n  export:\n    start: {{path: /people/exports, search: \
         {{page: 'https://hr.example.com', body: {{all: true}}}}}}\n    job: {job}\n    poll: {{path: '/exports/{{job}}'}}\
         \n    done: {{path: state, is: [DONE]}}\n    failed: {{path: state, is: [FAILED]}}"
    );
    let Source::Api(mut api) = source(&vendor.url, AUTH, &people, "") else { unreachable!() };
    api.definition.people.iter_mut().for_each(|list| list.export.as_mut().unwrap().every = 0);
    Source::Api(api)
}

fn state(state: &str) -> ScriptedResponse {
    ok(json!({"state": state}))
}

#[tokio::test]
async fn an_export_is_begun_looked_at_until_it_is_done_and_then_read() {
    let begun = || answer(201, &[], json!({"data": {"id": "a/1"}}).to_string());
    let at = || answer(202, &[("location", "/api/exports/a1?x=1")], "");
    for (job, request, first, lines) in [
        (
            "data.id",
            "{path: '/exports/{job}/file'}",
            begun(),
            ["GET /api/exports/a%2F1 Key s3cret", "GET /api/exports/a%2F1/file Key s3cret"],
        ),
        (
            "{header: Location}",
            "{path: /file, query: {export: '{job}'}}",
            at(),
            ["GET /api/exports/a1 Key s3cret", "GET /api/file?export=a1 Key s3cret"],
        ),
    ] {
        let answers = [first, state("QUEUED"), answer(202, &[], r#"{"state": "RUNNING"}"#), state("done")];
        let vendor = vendor(answers.into_iter().chain([page(&[1, 2], json!({}))])).await;
        let read = ids(ask(&exporting(&vendor, job, request)).await);
        assert_eq!(read, Ok(vec!["1".to_owned(), "2".to_owned()]), "{:?}", vendor.asked());
        let [look, list] = lines;
        let start = r#"POST /api/people/exports {"all":true} Key s3cret"#;
        assert_eq!(vendor.asked(), [start, look, look, look, list]);
    }
}

#[tokio::test]
async fn an_export_that_comes_to_nothing_is_no_answer() {
    let begun = || ok(json!({"id": 7}));
    let wrong = |text: &str| Failure::WrongFormat(text.into());
    let unsaid = "the response does not say whether the export is done";
    for (what, answers, failure) in [
        ("failed", vec![begun(), state("RUNNING"), state("FAILED")], wrong("the system could not make the export")),
        ("no name", vec![ok(json!({"x": 1}))], wrong("the response does not say which export it began")),
        ("a name that is none", vec![ok(json!({"id": ".."}))], wrong("a part of the path is no name")),
        ("no word", vec![begun(), ok(json!({"progress": 5}))], wrong(unsaid)),
        ("no JSON", vec![begun(), answer(200, &[], "Ada")], wrong("the response about an export is no JSON")),
        ("forbidden", vec![answer(403, &[], "")], Failure::Forbidden),
        ("gone", vec![begun(), answer(404, &[], "")], Failure::Missing("nothing is there (404)".into())),
        ("not ready after all", vec![begun(), state("DONE"), answer(202, &[], "{}")], Failure::Status(202)),
    ] {
        let vendor = vendor(answers).await;
        let read = ids(ask(&exporting(&vendor, "id", "{path: '/exports/{job}/file'}")).await);
        assert_eq!(read, Err(failure), "{what}");
    }
}

#[tokio::test]
async fn an_export_that_is_never_done_ends_with_the_polls_time() {
    let answers = std::iter::once(ok(json!({"id": 7}))).chain((0..3).map(|_| state("RUNNING")));
    let vendor = vendor(answers).await;
    let Source::Api(mut api) = exporting(&vendor, "id", "{path: '/exports/{job}'}") else { unreachable!() };
    api.definition.people[0].export.as_mut().unwrap().every = 3600;
    let read = read_with(&Source::Api(api), &NEAR, Duration::from_millis(200), TODAY, HURRIED).await;
    assert_eq!(ids(read), Err(Failure::TimedOut));
    assert_eq!(vendor.asked().len(), 1);
}
