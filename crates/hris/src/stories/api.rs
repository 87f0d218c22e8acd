//! One API after the other: what is asked page by page, and what is no whole response.

use super::*;

fn page(people: &str, next: &str) -> String {
    format!(r#"{{"data": [{people}], "meta": {{"total": 3, "page": {{"nextCursor": {next}}}}}}}"#)
}

fn person(id: &str) -> String {
    json!({"employeeId": id, "firstName": "Ada", "lastName": "Example", "status": "Active",
           "workEmail": format!("ada{id}@example.com"), "hireDate": "2020-01-01"})
    .to_string()
}

#[tokio::test]
async fn pages_are_asked_for_with_the_key_the_fields_and_the_cursor_before() {
    let fake = fake([
        answer(200, &[], page(&person("1"), "\"a+b/=\"")),
        answer(200, &[], page(&person("2"), "\"c\"")),
        answer(200, &[], page(&person("3"), "null")),
    ])
    .await;
    let read = ask(&bamboohr(&fake.url)).await.unwrap();
    assert_eq!(read.employees.iter().map(|e| e.id.0.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    let asked = fake.asked.lock().unwrap();
    let fields =
        "workEmail,hireDate,departmentName,locationName,reportsToId,employmentStatusName,workPhone,homeEmail,employeeNumber".replace(',', "%2C");
    let first = format!("/api/v1/employees?fields={fields}&page%5Blimit%5D=1000");
    let uris: Vec<_> = asked.iter().map(|(uri, _)| uri.clone()).collect();
    assert_eq!(
        uris,
        [first.clone(), format!("{first}&page%5Bafter%5D=a%2Bb%2F%3D"), format!("{first}&page%5Bafter%5D=c")]
    );
    for (_, headers) in asked.iter() {
        assert_eq!(headers.get("authorization").unwrap(), "Basic czNjcmV0Ong="); // s3cret:x, without the line end
        assert_eq!(headers.get("accept").unwrap(), "application/json");
    }
}

#[tokio::test]
async fn an_api_that_gives_no_whole_answer_gives_none() {
    let json = |body: String| answer(200, &[("content-type", "application/json")], body);
    let nobody_has = |field: &str| person("1").replace(&format!("\"{field}\":"), "\"other\":");
    for (name, answers, failure) in [
        (
            "a cursor that leads in a circle",
            vec![
                json(page(&person("1"), "\"a\"")),
                json(page(&person("2"), "\"b\"")),
                json(page(&person("3"), "\"a\"")),
            ],
            Failure::Truncated("page 3 leads back to a page that was read before".into()),
        ),
        (
            "the same page for ever",
            vec![json(page(&person("1"), "\"a\""))],
            Failure::Truncated("page 2 has the records of a page that was read before".into()),
        ),
        (
            "half a page",
            vec![json(page(&person("1"), "\"a\"")), json(page(&person("2"), "null").replace("}}}", ""))],
            Failure::Truncated("the JSON ends in the middle, on line 1".into()),
        ),
        (
            "an error instead of the second page",
            vec![json(page(&person("1"), "\"a\"")), answer(400, &[], "")],
            Failure::Status(400),
        ),
        (
            "no total, so no end",
            vec![json(format!(r#"{{"data": [{}]}}"#, person("1")))],
            Failure::WrongFormat("the response does not say how many records there are".into()),
        ),
        (
            "an error with status 200",
            vec![json(r#"{"error": {"code": "BadPage"}}"#.into())],
            Failure::WrongFormat("the answer says that it failed, with status 200".into()),
        ),
        (
            "addresses the key may not see",
            vec![json(page(&nobody_has("workEmail"), "null"))],
            Failure::WrongColumns(vec!["email".into()]),
        ),
        (
            "statuses the key may not see",
            vec![json(page(&nobody_has("status"), "null"))],
            Failure::WrongColumns(vec!["status".into()]),
        ),
        (
            "start dates the key may not see",
            vec![json(page(&nobody_has("hireDate"), "null"))],
            Failure::WrongColumns(vec!["hireDate".into()]),
        ),
        (
            "XML",
            vec![answer(200, &[("content-type", "text/xml")], "<employees/>")],
            Failure::WrongFormat("the answer is markup such as XML (it begins with <), not JSON".into()),
        ),
        (
            "a redirect to itself",
            vec![answer(308, &[("location", "/other")], "")],
            Failure::AddressRefused("a redirect (308) to 127.0.0.1; redirects are not followed".into()),
        ),
    ] {
        let fake = fake(answers).await;
        assert_eq!(ask(&bamboohr(&fake.url)).await.map(|_| ()), Err(failure), "{name}");
    }
}

#[tokio::test]
async fn somebody_without_a_readable_field_is_set_aside_and_the_others_are_read() {
    let nobody = json!({"employeeId": null, "firstName": null, "lastName": null, "status": "Active",
                          "workEmail": "x@example.com", "_restrictedFields": ["firstName", "lastName"]});
    let fake = fake([answer(200, &[], page(&format!("{},{nobody},{}", person("1"), person("3")), "null"))]).await;
    let read = ask(&bamboohr(&fake.url)).await.unwrap();
    assert_eq!(read.employees.len(), 2);
    assert_eq!(read.bad.first().map(|bad| (bad.position, bad.reason.as_str())), Some((2, "employeeId is empty")));
}
