use serde_json::json;

use super::*;
use hris::path::Path as Reading;

#[test]
fn what_is_put_is_found_by_the_reader_of_paths() {
    for path in [
        "id",
        "a.b.c",
        "['@odata.id']",
        "['urn:x:2.0:User'].manager.value",
        "/root/id.value",
        "field['2'].data.value",
        "emails[?@.type=='work'].value",
        "organizations[?@.primary==true].title",
        "reports_to[0].id",
        "employments[*].work_email",
        "response.result[*].*[0].name",
        r#"["company_id"][1]"#,
        "contracts[?@.status!='ARCHIVED'].start",
        "groups[?@.type.value=='team'].name",
        "work[?@.end_at==null].start_at",
        "work[?length($)==1].start_at",
        r#"["ends"][?@.active==true && $.gone==true].day"#,
        "x[?@.a=='1' || @.b=='2'].v",
        "x[?@.a && !@.b].v",
        "x[?(@.a=='1')].v",
        "x[?@['a.b']=='1'].v",
        "x[?@.from<='2026-01-01'].v",
        "x[-1].v",
        "x[*]",
        "[?@.status=='GONE'].day",
    ] {
        let mut page = Value::Null;
        Path::parse(path).unwrap().put(&mut page, &json!("here"), 0).unwrap();
        assert_eq!(Reading::parse(path).unwrap().first(&page), Some(&json!("here")), "{path}: {page}");
        Path::parse(path).unwrap().remove(&mut page);
        assert_eq!(Reading::parse(path).unwrap().first(&page), None, "{path}: {page}");
    }
}

#[test]
fn an_element_is_used_again_or_made_as_the_choice_says_and_nothing_is_written_over() {
    let put = |page: &mut Value, path: &str, value: Value, choice| Path::parse(path).unwrap().put(page, &value, choice);
    let mut page = json!({"jobs": [{"primary": true}]});
    put(&mut page, "jobs[?@.primary==true].title", json!("Engineer"), 0).unwrap();
    put(&mut page, "jobs[?@.primary==false].title", json!("Clerk"), 1).unwrap();
    assert_eq!(page, json!({"jobs": [{"primary": true, "title": "Engineer"}, {"primary": false, "title": "Clerk"}]}));
    assert_eq!(put(&mut page, "jobs[?@.primary==false].title", json!("x"), 0), Err(Taken));
    assert_eq!(put(&mut page, "jobs.title", json!("x"), 0), Err(Taken));
    put(&mut page, "jobs[0].title", json!("Engineer"), 0).unwrap();
}
