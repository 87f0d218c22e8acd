//! What is picked from a page, and what is no page.

use jiff::civil::Date;

use super::super::dates::DateForm;
use super::super::mapping::{Form, Mapper};
use super::super::path::Path;
use super::super::row::Slot;
use super::*;
use domain::employee::{Read, Text};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn taken(slot: Slot, paths: &[&str]) -> Taken {
    let paths = paths.iter().map(|text| path(text)).collect();
    Taken { into: slot as usize, paths, first: false, with: " ".to_owned(), none: Vec::new() }
}

fn read_by(
    page: &(impl AsRef<[u8]> + ?Sized),
    paths: &Paths,
    offered: impl IntoIterator<Item = Slot>,
) -> Result<(Read, Trailer), Failure> {
    let form = Form { offered: offered.into_iter().collect(), dates: vec![DateForm::Iso], ..Form::default() };
    let mut mapper = Mapper::new(form, Date::constant(2026, 3, 2));
    let trailer = read(page.as_ref(), paths, &mut |row| mapper.take(mapper.records() + 1, row))?;
    Ok((mapper.finish()?, trailer))
}

const OFFERED: [Slot; 4] = [Slot::EmployeeId, Slot::FullName, Slot::Email, Slot::Department];

fn parse(page: &(impl AsRef<[u8]> + ?Sized)) -> Result<(Read, Trailer), Failure> {
    let fields = [
        taken(Slot::EmployeeId, &["id"]),
        taken(Slot::FullName, &["name.first", "name.last"]),
        taken(Slot::Email, &["contact.work.email"]),
        taken(Slot::Department, &["department"]),
    ];
    let marks = [(path("next"), Mark::Next)];
    read_by(page, &Paths::new(Some(&path("result.people")), &fields, &marks, Vec::new(), 0), OFFERED)
}

fn person(id: &str, rest: &str) -> String {
    let name = r#"{"last": "Example", "first": "Ada"}"#;
    let contact = r#"{"work": {"email": "ada@example.com"}}"#;
    format!(r#"{{"id": {id}, "name": {name}, "contact": {contact} {rest}}}"#)
}

fn people(people: &str) -> String {
    format!(r#"{{"result": {{"people": [{people}]}}, "next": null}}"#)
}

#[test]
fn values_are_picked_by_their_paths_whatever_stands_around_them() {
    let rest = r#", "department": "R&D \u00e9", "x": [{"id": "8"}, [[]]], "name2": {"first": "No"}, "y": {"id": 1.5}"#;
    let (read, trailer) = parse(&people(&person("\"7\"", rest))).unwrap();
    let ada = read.employees.first().unwrap();
    assert_eq!((ada.id.0.as_str(), ada.name.as_str()), ("7", "Ada Example"));
    assert_eq!(ada.work_email, "ada@example.com");
    assert_eq!(ada.text(Text::Department), Some("R&D é"));
    assert_eq!((trailer.next, trailer.total, trailer.records), (None, None, 1));
}

#[test]
fn what_is_no_utf_8_refuses_a_page_only_where_it_is_taken() {
    let page = |rest: &str| {
        let page = people(&person("\"7\"", rest)).into_bytes();
        page.into_iter().map(|byte| if byte == b'~' { 0xff } else { byte }).collect::<Vec<_>>()
    };
    let (read, _) = parse(&page(r#", "department": "Année", "motto": "~""#)).unwrap();
    assert_eq!(read.employees.first().unwrap().text(Text::Department), Some("Année"));
    assert!(matches!(parse(&page(r#", "department": "~""#)), Err(Failure::WrongFormat(_))));
}

#[test]
fn a_record_does_not_inherit_from_the_one_before() {
    let two = [person("1", r#", "department": "Sales""#), person("2", "")].join(",");
    let (read, _) = parse(&people(&two)).unwrap();
    let departments: Vec<_> = read.employees.iter().map(|e| e.text(Text::Department)).collect();
    assert_eq!(departments, [Some("Sales"), None]);
    let (read, _) = parse(&people(&[person("1", ""), "{}".to_owned(), "null".to_owned()].join(","))).unwrap();
    let bad: Vec<_> = read.bad.iter().map(|bad| (bad.position, bad.reason.as_str())).collect();
    assert_eq!(bad, [(2, "employeeId is empty"), (3, "employeeId is empty")]);
}

#[test]
fn numbers_and_booleans_are_read_as_their_text_and_what_lost_digits_is_set_aside() {
    for (id, read_as) in [
        ("7", Ok("7")),
        ("-7", Ok("-7")),
        ("18446744073709551615", Ok("18446744073709551615")),
        ("1042.0", Ok("1042")),
        ("true", Ok("true")),
        ("false", Ok("false")),
        ("18446744073709551616", Err("employeeId is not a plain value")),
        ("1e300", Err("employeeId is not a plain value")),
        ("[7]", Err("employeeId is not a plain value")),
        ("{\"value\": 7}", Err("employeeId is not a plain value")),
        ("null", Err("employeeId is empty")),
        ("\"\"", Err("employeeId is empty")),
    ] {
        let (read, _) = parse(&people(&person(id, ""))).unwrap();
        let found = match (read.employees.first(), read.bad.first()) {
            (Some(ada), _) => Ok(ada.id.0.as_str()),
            (None, bad) => Err(bad.unwrap().reason.as_str()),
        };
        assert_eq!(found, read_as, "{id}");
    }
}

#[test]
fn a_record_of_another_shape_is_set_aside_and_never_read_as_empty() {
    for record in [
        r#"{"id": 7, "name": "Ada Example", "contact": {"work": {"email": "ada@example.com"}}}"#,
        r#"{"id": 7, "name": [{"first": "Ada"}], "contact": {"work": {"email": "ada@example.com"}}}"#,
        r#"{"id": 7, "name": {"first": {"value": "Ada"}, "last": "Example"}}"#,
        r#""Ada Example""#,
        "[]",
    ] {
        let (read, _) = parse(&people(record)).unwrap();
        assert_eq!(read.bad.first().map(|bad| bad.reason.as_str()), Some("fullName is not a plain value"), "{record}");
    }
}

#[test]
fn the_cursor_is_a_text_or_a_number_and_null_or_empty_at_the_end() {
    for (next, cursor) in [("null", None), ("\"\"", None), ("\"abc=\"", Some("abc=")), ("42", Some("42"))] {
        let page = format!(r#"{{"next": {next}, "result": {{"people": []}}}}"#);
        assert_eq!(parse(&page).unwrap().1.next.as_deref(), cursor, "{next}");
    }
}

#[test]
fn what_is_no_page_is_refused_without_a_word_of_it() {
    let whole = people(&person("7", ""));
    let cut = whole.get(..60).unwrap();
    for (page, failure) in [
        ("", Failure::Truncated("the JSON ends in the middle, on line 1".into())),
        (cut, Failure::Truncated("the JSON ends in the middle, on line 1".into())),
        ("{\"result\":\n Ada}", Failure::WrongFormat("no JSON at line 2 column 2".into())),
        (&format!("{whole}x"), Failure::WrongFormat(format!("no JSON at line 1 column {}", whole.len() + 1))),
        (
            "<html>Ada",
            Failure::WrongFormat(
                "the answer is a web page (it begins with HTML; often it is a sign-in page), not JSON".into(),
            ),
        ),
        (
            r#"{"message": "Ada is not allowed"}"#,
            Failure::WrongFormat("the answer has no list of records where one was expected".into()),
        ),
        (
            r#"{"result": {"people": null}}"#,
            Failure::WrongFormat("the answer has no list of records where one was expected".into()),
        ),
        (
            r#"{"result": {"people": {"7": {}}}}"#,
            Failure::WrongFormat("the answer has no list of records where one was expected".into()),
        ),
        ("[]", Failure::WrongFormat("the answer has no list of records where one was expected".into())),
        (
            r#"{"result": {"people": []}, "next": {"href": "Ada"}}"#,
            Failure::WrongFormat("the cursor of the answer is not what was expected".into()),
        ),
    ] {
        assert_eq!(parse(page).map(|_| ()), Err(failure), "{page}");
    }
    let twice = r#"{"result": {"people": [], "people": []}}"#;
    assert!(matches!(parse(twice), Err(Failure::WrongFormat(_))));
    let deep = format!(r#"{{"result": {{"people": [{}"#, "{\"contact\":{\"work\":".repeat(200));
    assert!(matches!(parse(&deep), Err(Failure::WrongFormat(_) | Failure::Truncated(_))));
}

#[test]
fn queries_pick_from_lists_and_leave_what_is_not_there_empty() {
    let fields = [
        taken(Slot::EmployeeId, &["key[0]"]),
        taken(Slot::FullName, &["name"]),
        taken(Slot::Email, &["emails[?@.type=='work'].value"]),
        taken(Slot::Department, &["groups[?@.kind=='team'].name"]),
    ];
    let paths = Paths::new(Some(&path("data")), &fields, &[], Vec::new(), 0);
    let emails = r#"[{"type": "home", "value": "no"}, {"type": "work", "value": "ada@example.com"}]"#;
    for (groups, department) in [
        (r#"[{"kind": "site", "name": "Madrid"}, {"kind": "team", "name": "Core"}]"#, Ok(Some("Core"))),
        (r#"[{"kind": "site", "name": "Madrid"}]"#, Ok(None)),
        (r#"[{"kind": "team", "name": null}, {"kind": "team", "name": "Core"}]"#, Ok(Some("Core"))),
        ("null", Ok(None)),
        ("[]", Ok(None)),
        (r#"[{"kind": "team", "name": {"en": "Core"}}]"#, Err("department is not a plain value")),
        ("\"Core\"", Err("department is not a plain value")),
    ] {
        let page =
            format!(r#"{{"data": [{{"name": "Ada", "key": [42, "x"], "groups": {groups}, "emails": {emails}}}]}}"#);
        let (read, _) = read_by(&page, &paths, OFFERED).unwrap();
        let found = match (read.employees.first(), read.bad.first()) {
            (Some(ada), _) => Ok(ada.text(Text::Department)),
            (None, bad) => Err(bad.unwrap().reason.as_str()),
        };
        assert_eq!(found, department, "{groups}");
    }
}

#[test]
fn records_may_lie_deeper_than_a_list_or_be_the_whole_page() {
    let fields =
        [taken(Slot::EmployeeId, &["id"]), taken(Slot::FullName, &["names[0]"]), taken(Slot::Email, &["email"])];
    let ada = r#"{"id": 7, "names": ["Ada Example"], "email": "ada@example.com"}"#;
    let ids = |page: &str, records: Option<&str>| {
        let records = records.map(path);
        let paths = Paths::new(records.as_ref(), &fields, &[], vec![(Slot::Department as usize, "Core".into())], 0);
        let read = read_by(page, &paths, OFFERED)?.0;
        Ok(read.employees.iter().map(|e| format!("{} {:?}", e.id, e.text(Text::Department))).collect::<Vec<_>>())
    };
    let found = Ok(vec!["7 Some(\"Core\")".to_owned()]);
    assert_eq!(ids(&format!(r#"{{"result": [{{"900": [{ada}]}}]}}"#), Some("result[*].*[0]")), found);
    assert_eq!(ids(ada, None), found);
    assert_eq!(ids(&format!("[{ada}]"), Some("")), found);
    assert_eq!(ids(r#"{"result": []}"#, Some("result[*].*[0]")), Ok(vec![]));
    assert!(matches!(ids(r#"{"result": null}"#, Some("result[*].*[0]")), Err(Failure::WrongFormat(_))));
    assert!(matches!(ids("{}", Some("result[*].*[0]")), Err(Failure::WrongFormat(_))));
}

#[test]
fn pages_with_the_same_records_have_the_same_digest() {
    let digest = |people: &str| parse(&self::people(people)).unwrap().1.digest;
    assert_eq!(digest(&person("7", "")), digest(&person("7", r#", "at": "another time""#)));
    assert_ne!(digest(&person("7", "")), digest(&person("8", "")));
}

#[test]
fn a_value_that_is_longer_than_any_of_use_is_none() {
    let named = |length: usize| people(&person("7", "").replace("Ada", &"a".repeat(length)));
    assert_eq!(parse(&named(LONGEST_VALUE)).unwrap().0.employees[0].name.len(), 256);
    let reason = parse(&named(LONGEST_VALUE + 1)).unwrap().0.bad.remove(0).reason;
    assert_eq!(reason, "fullName is not a plain value");
    let next = |length: usize| format!(r#"{{"next": "{}", "result": {{"people": []}}}}"#, "a".repeat(length));
    assert!(parse(&next(LONGEST_CURSOR)).is_ok());
    assert!(matches!(parse(&next(LONGEST_CURSOR + 1)), Err(Failure::WrongFormat(_))));
}

#[test]
fn what_lies_deeper_than_anything_of_use_ends_the_page_and_not_the_process() {
    let deep = |open: &str, close: &str, depth: usize| open.repeat(depth) + &close.repeat(depth);
    for depth in [1_000, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":[", "]}")] {
            let nested = deep(open, close, depth);
            // Where nothing is wanted it is passed over, however deep.
            let aside = people(&person("7", "")).replace("\"next\": null", &format!("\"aside\": {nested}"));
            assert_eq!(parse(&aside).map(|(read, _)| read.employees.len()), Ok(1), "{open}");
            for wanted in [
                people(&person(&nested, "")),
                people(&nested),
                format!(r#"{{"result": {nested}}}"#),
                format!(r#"{{"next": {nested}, "result": {{"people": []}}}}"#),
                nested.clone(),
            ] {
                let read = parse(&wanted).map(|(read, _)| (read.employees.len(), read.bad.len()));
                assert!(matches!(read, Err(Failure::WrongFormat(_)) | Ok((0, 1))), "{open} {depth}: {read:?}");
            }
            let asked =
                Paths::new(Some(&path("data")), &[taken(Slot::FullName, &["a[?@.b==1].c"])], &[], Vec::new(), 0);
            let page = format!(r#"{{"data": [{{"a": {nested}}}]}}"#);
            let read = read_by(&page, &asked, [Slot::FullName, Slot::Email]).map(|_| ());
            assert!(matches!(read, Err(Failure::WrongFormat(_))), "{open} {depth}: {read:?}");
        }
    }
}

#[test]
fn an_answer_that_says_it_failed_is_none_whatever_else_it_holds() {
    let failed = Failure::WrongFormat("the answer says that it failed, with status 200".into());
    let list = people(&person("1", ""));
    let beside = |more: &str| list.replacen('{', &format!("{{{more}, "), 1);
    for more in [
        r#""error": "session limit reached""#,
        r#""errors": [{"message": "timeout"}]"#,
        r#""error": {"code": 7}"#,
        r#""error": true"#,
        r#""success": false"#,
        r#""ok": false"#,
        r#""status": "error""#,
        r#""status": "FAILED""#,
    ] {
        assert_eq!(parse(&beside(more)).map(|_| ()), Err(failed.clone()), "{more}");
    }
    for more in [
        r#""error": null"#,
        r#""errors": []"#,
        r#""error": """#,
        r#""success": true"#,
        r#""status": "ok""#,
        r#""status": 200"#,
    ] {
        assert!(parse(&beside(more)).is_ok_and(|(read, _)| read.employees.len() == 1), "{more}");
    }
    let inside = people(&person("1", r#", "error": "of this person alone""#));
    assert!(parse(&inside).is_ok());
}
