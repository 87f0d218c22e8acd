//! Every word of a definition that says how is asked, followed over real HTTP.

use super::*;
use domain::employee::{Status, Text};

/// A system that gives its answers in turn, and remembers what it was asked: method, address, body, credential.
pub(super) struct Vendor {
    pub(super) url: String,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

pub(super) async fn vendor(answers: impl IntoIterator<Item = ScriptedResponse>) -> Vendor {
    let left = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let handler = move |request: Asked| {
        let (left, seen) = (Arc::clone(&left), Arc::clone(&seen));
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let signed = head.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let line = [head.method.to_string(), head.uri.to_string(), String::from_utf8(body.to_vec()).unwrap()];
            let line = line.into_iter().chain(signed).filter(|part| !part.is_empty());
            seen.lock().unwrap().push(line.collect::<Vec<_>>().join(" "));
            let next = left.lock().unwrap().pop_front();
            next.map_or_else(|| Response::builder().status(404).body(Body::empty()).unwrap(), |answer| answer())
        }
    };
    Vendor { url: serve(Router::new().fallback(handler)).await, asked }
}

impl Vendor {
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

const AUTH: &str = "auth: {headers: {Authorization: 'Key {token}'}}";
pub(super) const PEOPLE: &str = "people: [{request: {path: /people}, records: data}]";

/// A definition with some of its words written over, of a system at another place.
pub(super) fn source(url: &str, auth: &str, people: &str, more: &str) -> Source {
    let fields = if more.contains("fields:") {
        ""
    } else {
        "fields: {employeeId: id, fullName: name, email: email, department: team, hireDate: start}\n"
    };
    let text = format!(
        "name: words\ntitle: Words\nevidence: documented\nsources: [https://hr.example.com]\nsetup: none\n\
         baseUrl: https://hr.example.com/api\ncredentials: {{token: a token}}\n{auth}\n{people}\n{fields}{more}\n"
    );
    let mut definition = Definition::parse("words.yaml", &text).unwrap_or_else(|refused| panic!("{refused}"));
    definition.base_url = format!("{url}/api");
    if let Some(token) = &mut definition.auth.token {
        token.url = token.url.replace("https://hr.example.com", url);
    }
    let credentials = BTreeMap::from([("token".to_owned(), SecretString::from(SECRET))]);
    Source::Api(Box::new(ApiSource {
        definition,
        parameters: BTreeMap::new(),
        credentials,
        token_store: None,
        clock: then,
    }))
}

fn ada(id: u32) -> Value {
    json!({"id": id, "name": "Ada Example", "email": format!("ada{id}@example.com")})
}

pub(super) fn page(ids: &[u32], more: Value) -> ScriptedResponse {
    let mut page = json!({"data": ids.iter().map(|id| ada(*id)).collect::<Vec<_>>()});
    page.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answer(200, &[("content-type", "application/json")], page.to_string())
}

pub(super) fn ok(body: Value) -> ScriptedResponse {
    answer(200, &[("content-type", "application/json")], body.to_string())
}

pub(super) fn ids(read: Result<Read, Failure>) -> Result<Vec<String>, Failure> {
    Ok(read?.employees.into_iter().map(|employee| employee.id.0).collect())
}

#[tokio::test]
async fn requests_are_signed_in_in_every_way_a_definition_can_say() {
    for (auth, line) in [
        (AUTH, "GET /api/people Key s3cret"),
        (
            "auth: {headers: {Authorization: 'Token token={token}:{token}'}}",
            "GET /api/people Token token=s3cret:s3cret",
        ),
        ("auth: {headers: {Authorization: 'X {base64 token}'}}", "GET /api/people X czNjcmV0"),
        ("auth: {basic: {username: '{token}', password: x}}", "GET /api/people Basic czNjcmV0Ong="),
        ("auth: {query: {key: '{token}'}}", "GET /api/people?key=s3cret"),
    ] {
        let vendor = vendor([page(&[1], json!({}))]).await;
        assert_eq!(ids(ask(&source(&vendor.url, auth, PEOPLE, "")).await), Ok(vec!["1".to_owned()]));
        assert_eq!(vendor.asked(), [line]);
    }
    let next = "people: [{request: {path: /people}, records: data, paging: {nextLink: next}}]";
    let linked = [page(&[1], json!({"next": "?after=1&key=s3cret"})), page(&[2], json!({}))];
    let vendor_of_links = vendor(linked).await;
    let read = ask(&source(&vendor_of_links.url, "auth: {query: {key: '{token}'}}", next, "")).await;
    assert_eq!(ids(read).map(|ids| ids.len()), Ok(2));
    let lines = ["GET /api/people?key=s3cret", "GET /api/people?after=1&key=s3cret"];
    assert_eq!(vendor_of_links.asked(), lines, "a link has the key already");
    let refused = vendor([answer(401, &[], "s3cret")]).await;
    let failure = ask(&source(&refused.url, "auth: {query: {key: '{token}'}}", PEOPLE, "")).await.err();
    assert!(!format!("{failure:?}").contains(SECRET), "{failure:?}");
}

#[tokio::test]
async fn pages_are_asked_for_in_every_way_a_definition_can_say() {
    let get = |query: &[&str]| query.iter().map(|q| format!("GET /api/people{q} Key s3cret")).collect::<Vec<_>>();
    let two = || vec![page(&[1, 2], json!({})), page(&[3], json!({}))];
    let then = |more: ScriptedResponse| two().into_iter().chain([more]).collect::<Vec<_>>();
    let with = |one: Value, other: Value| vec![page(&[1, 2], one), page(&[3], other)];
    for (paging, answers, lines) in [
        ("page: {query: p, from: 1, ends: empty}", then(page(&[], json!({}))), get(&["?p=1", "?p=2", "?p=3"])),
        ("page: {query: p, ends: empty}", then(answer(204, &[], "")), get(&["?p=0", "?p=1", "?p=2"])),
        ("page: {query: p, from: 1, size: 2, ends: short}", two(), get(&["?p=1", "?p=2"])),
        (
            "page: {query: p, from: 1, ends: {last: meta.pages}}",
            with(json!({"meta": {"pages": 2}}), json!({"meta": {"pages": 2}})),
            get(&["?p=1", "?p=2"]),
        ),
        (
            "page: {query: p, ends: {more: more}}",
            with(json!({"more": true}), json!({"more": false})),
            get(&["?p=0", "?p=1"]),
        ),
        ("offset: {query: o, size: 2, ends: short}", two(), get(&["?o=0", "?o=2"])),
        ("offset: {query: o, ends: empty}", then(page(&[], json!({}))), get(&["?o=0", "?o=2", "?o=3"])),
        ("offset: {query: o, form: '{},2', size: 2, ends: short}", two(), get(&["?o=0%2C2", "?o=2%2C2"])),
        ("cursor: {at: next, query: c}", with(json!({"next": "a/b"}), json!({"next": ""})), get(&["", "?c=a%2Fb"])),
        (
            "cursor: {at: next, query: c, more: more}",
            with(json!({"next": "x", "more": true}), json!({"next": "y", "more": false})),
            get(&["", "?c=x"]),
        ),
        ("nextLink: next", with(json!({"next": "/api/people?q=2"}), json!({"next": null})), get(&["", "?q=2"])),
    ] {
        let vendor = vendor(answers).await;
        let people = format!("people: [{{request: {{path: /people}}, records: data, paging: {{{paging}}}}}]");
        let read = ids(ask(&source(&vendor.url, AUTH, &people, "")).await);
        assert_eq!(read, Ok(["1", "2", "3"].map(str::to_owned).to_vec()), "{paging}: {:?}", vendor.asked());
        assert_eq!(vendor.asked(), lines, "{paging}");
    }
}

#[tokio::test]
async fn headers_say_what_bodies_do_not() {
    let headers = |headers: &'static [(&'static str, &'static str)], ids: &[u32]| {
        let body = json!({"data": ids.iter().map(|id| ada(*id)).collect::<Vec<_>>()}).to_string();
        answer(200, headers, body)
    };
    let people = |paging: &str| {
        format!(
            "people: [{{request: {{path: /people}}, records: data, total: {{header: x-total}}, paging: {{{paging}}}}}]"
        )
    };
    for (paging, first, second) in [
        ("page: {query: p, ends: {last: {header: x-pages}}}", [("x-total", "2"), ("x-pages", "2")], "x-pages"),
        ("cursor: {at: {header: x-next}, query: c}", [("x-total", "2"), ("x-next", "abc")], "x-pages"),
        ("page: {query: p, ends: total}", [("x-total", "2"), ("x", "y")], "x"),
    ] {
        let first: &'static [_] = Box::leak(Box::new(first));
        let last: &'static [_] = Box::leak(Box::new([("x-total", "2"), (second, "2")]));
        let vendor = vendor([headers(first, &[1]), headers(last, &[2])]).await;
        let read = ask(&source(&vendor.url, AUTH, &people(paging), "")).await.unwrap();
        assert_eq!((read.employees.len(), read.announced_total), (2, Some(2)), "{paging}");
    }
}

#[tokio::test]
async fn a_list_that_is_not_whole_is_a_failure() {
    let truncated = |text: &str| Failure::Truncated(text.into());
    let format = |text: &str| Failure::WrongFormat(text.into());
    for (paging, answers, failure) in [
        (
            "nextLink: next",
            vec![page(&[1], json!({"next": "https://evil.example.org/people"}))],
            Failure::AddressRefused("the next link leads to evil.example.org, another host".into()),
        ),
        (
            "nextLink: next",
            vec![page(&[1], json!({"next": "/x"})), page(&[2], json!({"next": "/x"}))],
            truncated("page 2 leads back to a page that was read before"),
        ),
        (
            "page: {query: p, ends: empty}",
            vec![page(&[1], json!({})), page(&[1], json!({}))],
            truncated("page 2 has the records of a page that was read before"),
        ),
        (
            "page: {query: p, ends: {more: more}}",
            vec![page(&[1], json!({}))],
            format("the response does not say whether there are more pages"),
        ),
        (
            "page: {query: p, ends: {more: more}}",
            vec![page(&[1], json!({"more": true})), page(&[], json!({"more": true}))],
            truncated("a page in the middle has no records"),
        ),
        (
            "page: {query: p, ends: {last: pages}}",
            vec![page(&[1], json!({"pages": "two"}))],
            format("the number of the last page of the answer is not what was expected"),
        ),
        (
            "cursor: {at: next, query: c, more: more}",
            vec![page(&[1], json!({"more": true}))],
            format("the response does not say how the next page is asked for"),
        ),
        (
            "offset: {query: o, ends: total}",
            vec![page(&[1], json!({"total": 3})), page(&[2], json!({"total": 4}))],
            truncated("the number of records changed from 3 to 4 on page 2"),
        ),
        (
            "offset: {query: o, ends: total}",
            vec![page(&[1], json!({"total": 3})), page(&[], json!({"total": 3}))],
            truncated("a page in the middle has no records"),
        ),
        (
            "offset: {query: o, ends: total}",
            vec![page(&[1], json!({"total": 3})), answer(204, &[], "")],
            Failure::Status(204),
        ),
    ] {
        let vendor = vendor(answers).await;
        let total = if paging.contains("total") { "total: total, " } else { "" };
        let people = format!("people: [{{request: {{path: /people}}, records: data, {total}paging: {{{paging}}}}}]");
        assert_eq!(ids(ask(&source(&vendor.url, AUTH, &people, "")).await), Err(failure), "{paging}");
    }
}

#[tokio::test]
async fn a_search_is_sent_with_its_body_and_pages_in_it() {
    let people = "people:\n- request:\n    path: /people/search\n    search: {page: 'https://hr.example.com/search', \
                  body: {active: true, paging: {size: 1}}}\n  records: data\n  \
                  paging: {page: {body: paging.number, from: 1, ends: empty}}";
    let vendor = vendor([page(&[1], json!({})), page(&[2], json!({})), page(&[], json!({}))]).await;
    assert_eq!(ids(ask(&source(&vendor.url, AUTH, people, "")).await).unwrap().len(), 2);
    let line =
        |n| format!(r#"POST /api/people/search {{"active":true,"paging":{{"number":{n},"size":1}}}} Key s3cret"#);
    assert_eq!(vendor.asked(), [line(1), line(2), line(3)]);
}

#[tokio::test]
async fn lists_are_united_joined_and_looked_up() {
    let people = "people:\n- {request: {path: /active}, records: data, sets: {status: working}}\n\
                  - {request: {path: /left}, records: data, sets: {status: gone}}";
    let more = "fields: {employeeId: id, fullName: name, email: email, department: {path: team, lookup: teams}}\n\
                statuses: {working: {means: Active}, gone: {means: Terminated}}\n\
                endDateMeans: FirstDayOut\n\
                lookups: {teams: {list: {request: {path: /teams}, records: data}, key: id, value: name}}\n\
                joins: {ends: {list: {request: {path: /ends}, records: data, total: total}, key: person, of: id, \
                fields: {terminationDate: day}}}";
    let person =
        |id: u32, team: &str| json!({"id": id, "name": "Ada", "email": format!("a{id}@example.com"), "team": team});
    let answers = |total: u32| {
        [
            ok(json!({"data": [{"id": "t1", "name": "Core"}]})),
            ok(json!({"data": [{"person": 2, "day": "2026-02-01"}], "total": total})),
            ok(json!({"data": [person(1, "t1")]})),
            ok(json!({"data": [person(2, "t2")]})),
        ]
    };
    let whole = vendor(answers(1)).await;
    let read = ask(&source(&whole.url, AUTH, people, more)).await.unwrap();
    let told: Vec<_> = read
        .employees
        .iter()
        .map(|e| (e.reported_status.as_str(), e.text(Text::Department), e.last_day.map(|day| day.to_string())))
        .collect();
    let end = Some("2026-01-31".to_owned());
    assert_eq!(told, [("Active", Some("Core"), None), ("Terminated", None, end)]);
    let part = vendor(answers(2)).await;
    let failure = ids(ask(&source(&part.url, AUTH, people, more)).await);
    assert_eq!(failure, Err(Failure::Truncated("a further list has 1 of 2 records".into())));
}

#[tokio::test]
async fn an_end_date_is_read_only_of_those_who_are_said_to_leave() {
    let more = "fields: {employeeId: id, fullName: name, email: email, status: state, terminationDate: end, \
                lastWorkingDay: last}\n\
                statuses: {here: {means: Active}, gone: {means: Terminated}}\nendDateMeans: LastDay\n";
    let person = |id: u32, state: Value, reason: Value| {
        json!({"id": id, "name": "Ada", "email": format!("a{id}@example.com"), "state": state, "reason": reason,
            "end": "2026-02-28", "last": "2026-01-31"})
    };
    let day = Some("2026-01-31");
    for (when, days) in [
        ("inputs: {word: state}\nendDateWhen: {word: {is: [gone]}}", [None, day, None, None, None]),
        ("inputs: {why: reason}\nendDateWhen: {why: filled}", [None, None, day, None, None]),
        ("inputs: {word: state, why: reason}\nendDateWhen: {why: empty, word: filled}", [day, day, None, day, None]),
    ] {
        let people = [
            person(1, json!("here"), Value::Null),
            person(2, json!("gone"), Value::Null),
            person(3, json!("here"), json!("resigned")),
            person(4, json!("unheard of"), Value::Null),
            person(5, Value::Null, json!({"code": 1})), // what it says cannot be told
        ];
        let vendor = vendor([ok(json!({"data": people}))]).await;
        let read = ask(&source(&vendor.url, AUTH, PEOPLE, &format!("{more}{when}"))).await.unwrap();
        let found: Vec<_> = read.employees.iter().map(|one| one.last_day.map(|day| day.to_string())).collect();
        assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), days, "{when}");
    }
}

#[tokio::test]
async fn a_customers_own_word_is_the_one_that_is_counted_as_unknown_by_rules_too() {
    let more = "fields: {employeeId: id, fullName: name, email: email}\ninputs: {state: state, kind: kind}\nrules:\n\
                - {when: {state: {is: [A]}}, means: Active}\n- {when: {state: {is: [T]}, kind: {is: [x]}}, means: Terminated}";
    let person = |id: u32, state: &str, kind: &str| json!({"id": id, "name": "Ada", "email": format!("a{id}@example.com"), "state": state, "kind": kind});
    let answer =
        || ok(json!({"data": [person(1, "A", ""), person(2, "R", "y"), person(3, "T", "x"), person(4, "T", "y")]}));
    let vendor = vendor([answer(), answer()]).await;
    let plain = source(&vendor.url, AUTH, PEOPLE, more);
    let Source::Api(api) = source(&vendor.url, AUTH, PEOPLE, more) else { unreachable!() };
    let words = BTreeMap::from([("Y / r".to_owned(), Status::Terminated), ("A".to_owned(), Status::Terminated)]);
    let definition = api.definition.clone().with_words(&words, &BTreeMap::new()).unwrap();
    let own = Source::Api(Box::new(ApiSource { definition, ..*api }));
    for (source, said, unmapped) in [
        (plain, ["Active", "Unmapped", "Terminated", "Unmapped"], vec!["y / R", "y / T"]),
        (own, ["Active", "Terminated", "Terminated", "Unmapped"], vec!["y / T"]),
    ] {
        let read = ask(&source).await.unwrap();
        assert_eq!(read.employees.iter().map(|one| one.reported_status.as_str()).collect::<Vec<_>>(), said);
        assert_eq!(read.unmapped.keys().map(String::as_str).collect::<Vec<_>>(), unmapped);
    }
}

#[tokio::test]
async fn a_source_asks_in_its_own_way_to_come_back_later() {
    let later = |status, body: &'static str| answer(status, &[("x-reset", "0")], body);
    let quota = r#"{"error": {"errors": [{"reason": "quotaExceeded"}]}}"#;
    let denied = r#"{"error": {"errors": [{"reason": "forbidden"}]}}"#;
    let own = "throttling: {statuses: [406], reset: {header: x-reset, says: seconds}, \
               code: {path: 'error.errors[0].reason', is: [quotaExceeded]}}";
    for (what, words, first, found) in [
        ("a status", own, later(406, ""), Ok(vec!["1".to_owned()])),
        ("a word in the body", own, later(403, quota), Ok(vec!["1".to_owned()])),
        ("another word", own, later(403, denied), Err(Failure::Forbidden)),
        ("no word at all", own, later(403, "<html>"), Err(Failure::Forbidden)),
        ("not said", "", later(406, ""), Err(Failure::Status(406))),
    ] {
        let vendor = vendor([first, page(&[1], json!({}))]).await;
        assert_eq!(ids(ask(&source(&vendor.url, AUTH, PEOPLE, words)).await), found, "{what}");
    }
}

#[tokio::test]
async fn one_person_whose_details_are_gone_is_set_aside_and_the_others_are_read() {
    let details = "fields: {employeeId: id, fullName: name, email: email}\n\
                   details: {job: {request: {path: '/people/{of}/job'}, of: id, fields: {title: title}}}";
    let job = || ok(json!({"title": "Lead"}));
    for status in [404, 410, 412] {
        let answers = vec![page(&[1, 2, 3], json!({})), job(), answer(status, &[], "{}"), job()];
        let read = ask(&source(&vendor(answers).await.url, AUTH, PEOPLE, details)).await.unwrap();
        let ids: Vec<_> = read.employees.iter().map(|one| one.id.0.as_str()).collect();
        let bad: Vec<_> = read.bad.iter().map(|bad| bad.position).collect();
        assert_eq!((ids, bad), (vec!["1", "3"], vec![2]), "{status}");
    }
    for (status, failure) in [(403, Failure::Forbidden), (400, Failure::Status(400))] {
        let answers = vec![page(&[1, 2, 3], json!({})), job(), answer(status, &[], "{}"), job()];
        let read = ask(&source(&vendor(answers).await.url, AUTH, PEOPLE, details)).await;
        assert_eq!(read.map(|_| ()), Err(failure), "the credential may not see them, or asks in a wrong way: {status}");
    }
    let failed = vec![page(&[1, 2], json!({})), job(), ok(json!({"error": "busy", "title": null}))];
    let read = ask(&source(&vendor(failed).await.url, AUTH, PEOPLE, details)).await.map(|_| ());
    assert_eq!(read, Err(Failure::WrongFormat("the answer says that it failed, with status 200".into())));
}
