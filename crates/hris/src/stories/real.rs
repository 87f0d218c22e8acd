//! Words for what real systems do besides what their pages say.

use super::words::{ids, ok, page, source, vendor};
use super::*;

const AUTH: &str = "auth: {headers: {Authorization: 'Key {token}'}}";

fn wrong(why: &str) -> Failure {
    Failure::WrongFormat(why.to_owned())
}

fn people(words: &str) -> String {
    format!("people: [{{request: {{path: /people}}, records: data, {words}}}]")
}

#[tokio::test]
async fn a_total_that_may_be_that_of_a_page_is_checked_by_one_page_more() {
    let words = "total: total, paging: {offset: {query: o, ends: checkedTotal}}";
    let total = |count: u32| json!({"total": count});
    let all = |ids: &[&str]| Ok(ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
    let empty = answer(204, &[], "");
    for (what, answers, found) in [
        (
            "it is that of the list",
            vec![page(&[1, 2], total(3)), page(&[3], total(3)), page(&[], total(3))],
            all(&["1", "2", "3"]),
        ),
        ("the page behind has no content", vec![page(&[1], total(1)), empty], all(&["1"])),
        ("the server knows no pages", vec![page(&[1, 2], total(2)), page(&[1, 2], total(2))], all(&["1", "2"])),
        (
            "it is that of the page",
            vec![page(&[1, 2], total(2)), page(&[3], total(1)), page(&[], total(0))],
            all(&["1", "2", "3"]),
        ),
        ("it is that of the page, which is the only one", vec![page(&[1], total(1)), page(&[], total(0))], all(&["1"])),
        (
            "it changes behind the last page",
            vec![page(&[1], total(1)), page(&[], total(2))],
            Err(Failure::Truncated("the number of records changed from 1 to 2 behind the last".to_owned())),
        ),
        ("nobody is there", vec![page(&[], total(0))], all(&[])),
        ("the page behind has no list", vec![page(&[1], total(1)), ok(total(1))], all(&["1"])),
        (
            "a page is lost",
            vec![page(&[1], total(3)), page(&[], total(3))],
            Err(Failure::Truncated("a page in the middle has no records".to_owned())),
        ),
        (
            "a page comes twice",
            vec![page(&[1], total(3)), page(&[1], total(3))],
            Err(Failure::Truncated("page 2 has the records of a page that was read before".to_owned())),
        ),
    ] {
        let vendor = vendor(answers).await;
        assert_eq!(ids(ask(&source(&vendor.url, AUTH, &people(words), "")).await), found, "{what}");
    }
}

#[tokio::test]
async fn a_next_link_that_names_another_host_is_followed_by_its_query_where_that_is_said() {
    let next = json!({"next": "http://hr.internal:8080/other/people?after=1"});
    let vendor = vendor([page(&[1], next), page(&[2], json!({}))]).await;
    let read = ask(&source(&vendor.url, AUTH, &people("paging: {nextQuery: next}"), "")).await;
    assert_eq!(ids(read).unwrap(), ["1", "2"]);
    assert_eq!(vendor.asked(), ["GET /api/people Key s3cret", "GET /api/people?after=1 Key s3cret"]);
}

#[tokio::test]
async fn a_page_without_records_is_read_in_the_way_the_system_writes_it() {
    let no_more = || ok(json!({"errors": {"code": 7024}}));
    let words = "empty: {path: errors.code, is: ['7024']}, paging: {offset: {query: o, ends: empty}}";
    let null = || ok(json!({"data": null}));
    let none = "the answer has no list of records where one was expected";
    let first = "the first response has an error where its list of records would be";
    for (what, words, answers, found) in [
        ("an error behind the last", words, vec![page(&[1], json!({})), no_more()], Ok(vec!["1".to_owned()])),
        ("another error", words, vec![page(&[1], json!({})), ok(json!({"errors": {"code": 7000}}))], Err(wrong(none))),
        ("an error at first", words, vec![no_more()], Err(wrong(first))),
        (
            "null",
            "nullIsEmpty: true, paging: {page: {query: p, ends: empty}}",
            vec![page(&[1], json!({})), null()],
            Ok(vec!["1".to_owned()]),
        ),
        ("null, where nobody said so", "", vec![null()], Err(wrong(none))),
        ("a list that is missing", "nullIsEmpty: true", vec![ok(json!({}))], Err(wrong(none))),
    ] {
        let vendor = vendor(answers).await;
        let people = people(words).replace(", }", "}");
        assert_eq!(ids(ask(&source(&vendor.url, AUTH, &people, "")).await), found, "{what}");
    }
}

#[tokio::test]
async fn an_answer_that_says_it_failed_is_none_although_its_status_is_200() {
    let more = "failed: [{path: 'errors[0]'}, {path: success, is: ['false']}]";
    let why = |place: &str| Err(wrong(&format!("the answer says that it is none, or not all: {place}")));
    for (beside, found) in [
        (json!({"errors": [], "success": true}), Ok(vec!["1".to_owned()])),
        (json!({"errors": null}), Ok(vec!["1".to_owned()])),
        (json!({"errors": [{"code": 5}]}), why("errors[0]")),
        (json!({"errors": ["one region did not answer"]}), why("errors[0]")),
        (json!({"success": false}), why("success")),
    ] {
        let vendor = vendor([page(&[1], beside.clone())]).await;
        let list = "people: [{request: {path: /people}, records: data}]";
        assert_eq!(ids(ask(&source(&vendor.url, AUTH, list, more)).await), found, "{beside}");
    }
    let part = vendor([answer(207, &[("content-type", "application/json")], r#"{"data": []}"#)]).await;
    let list = "people: [{request: {path: /people}, records: data}]";
    assert_eq!(ids(ask(&source(&part.url, AUTH, list, "")).await), Err(Failure::Status(207)), "partial success");
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_nothing() {
    let body = format!("\u{feff}{}", json!({"data": [{"id": 1, "name": "Ada", "email": "ada@example.com"}]}));
    let vendor = vendor([answer(200, &[("content-type", "application/json")], body)]).await;
    let list = "people: [{request: {path: /people}, records: data}]";
    assert_eq!(ids(ask(&source(&vendor.url, AUTH, list, "")).await).unwrap(), ["1"]);
}

async fn vendor_of_all_deleted() -> super::words::Vendor {
    let gone = |id: u32| json!({"id": id, "name": "Ada", "email": format!("a{id}@example.com"), "deleted": true});
    vendor([ok(json!({"data": [gone(1), gone(2)], "total": 2}))]).await
}

#[tokio::test]
async fn records_marked_deleted_and_versions_of_today_do_not_count() {
    let person = |id: Option<u32>, state: &str, from: &str, deleted: bool| {
        json!({"id": id, "name": "Ada", "email": format!("a{}@example.com", id.unwrap_or_default()), "state": state,
            "from": from, "deleted": deleted})
    };
    let list = "people: [{request: {path: /people}, records: data, total: total, skip: {path: deleted, is: ['true']}, \
                choose: {from: from}}]";
    let more = "fields: {employeeId: id, fullName: name, email: email, status: state}\n\
                statuses: {here: {means: Active}, gone: {means: Terminated}}";
    let data = [
        person(Some(1), "here", "2020-01-01", false),
        person(Some(1), "gone", "2099-01-01", false), // a version of a day to come
        person(Some(2), "gone", "2026-01-01", true),
        person(Some(3), "here", "2026-01-01", false),
    ];
    let vendor = vendor([ok(json!({"data": data, "total": 4}))]).await;
    let read = ask(&source(&vendor.url, AUTH, list, more)).await.unwrap();
    let told: Vec<_> = read.employees.iter().map(|one| (one.id.0.as_str(), one.reported_status.as_str())).collect();
    assert_eq!(told, [("1", "Active"), ("3", "Active")]);
    assert_eq!(read.announced_total, Some(2), "what does not count is not announced");
    let all = vendor_of_all_deleted().await;
    let read = ask(&source(&all.url, AUTH, list, more)).await;
    assert_eq!(ids(read), Err(wrong("all of its 2 records are marked as ones to leave out")));
}

#[tokio::test]
async fn a_day_in_three_numbers_is_read_as_a_day() {
    let day = |day: Value| json!({"id": 1, "name": "Ada", "email": "ada@example.com", "start": day});
    let more = "dates: [iso, '%Y-%-m-%-d']\nfields: {employeeId: id, fullName: name, email: email, \
                hireDate: {join: [start.year, start.month, start.day], with: '-'}}";
    for (start, found) in [
        (json!({"year": 2025, "month": 9, "day": 5}), Some("2025-09-05")),
        (json!({"year": 2025, "month": 12, "day": 31}), Some("2025-12-31")),
        (json!(null), None),
    ] {
        let vendor = vendor([ok(json!({"data": [day(start.clone())]}))]).await;
        let list = "people: [{request: {path: /people}, records: data}]";
        let read = ask(&source(&vendor.url, AUTH, list, more)).await.unwrap();
        let start_day = read.employees.first().and_then(|one| one.start).map(|day| day.to_string());
        assert_eq!(start_day.as_deref(), found, "{start}");
    }
    let half = vendor([ok(json!({"data": [day(json!({"year": 2025, "day": 5}))]}))]).await;
    let list = "people: [{request: {path: /people}, records: data}]";
    let read = ask(&source(&half.url, AUTH, list, more)).await.unwrap();
    assert_eq!(read.bad.len(), 1, "a day without its month is none");
}
