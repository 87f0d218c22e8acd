use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::api::person::PersonStatus;
use domain::account::{self, Fact, Said};
use domain::employee::{Employee, EmploymentType, HrId, Manager, ReportedStatus, Status};
use domain::field::CustomName;
use domain::roster::{self, Baseline, Rules, TrustedResponse};
use domain::timezone::Zones;

fn connection(source: &Value) -> HRConnection {
    let mut connection = HRConnection::new("hq", serde_json::from_value(json!({ "source": source })).unwrap());
    connection.metadata.namespace = Some("rollcall".into());
    connection
}

fn policy(fields: &Value) -> SyncPolicy {
    serde_json::from_value(json!({"metadata": {"name": "everyone"}, "spec": {
        "connections": [{"name": "hq"}], "timeZones": {"default": "UTC", "byLocation": {"location!": "UTC"}}, "fields": fields,
        "scope": {"expression": "person.team != 'x'"},
    }}))
    .unwrap()
}

fn bamboohr() -> HRConnection {
    let api = json!({"connector": "bamboohr", "parameters": {"subdomain": "acme"}, "credentialsRef": {"name": "hr"}});
    connection(&json!({ "api": api }))
}

fn shown(rows: &BTreeSet<Row>, field: &str) -> Option<(String, String)> {
    let row = rows.iter().find(|row| row.field == field)?;
    Some((row.kept.join(", "), row.why.join("; ")))
}

#[test]
fn what_a_connection_reads_is_listed_with_where_it_is_kept_and_why() {
    let fields = json!({"phone": "Once", "title": "Never", "department": "Never"});
    let rows = rows(&bamboohr(), &[policy(&fields)], &Objects::default()).unwrap();
    let decides = "always: who it is, whether and when they leave";
    let phone = ("Person spec.profile.phone".to_owned(), "SyncPolicy everyone: spec.fields, Once".to_owned());
    assert_eq!(shown(&rows, "phone"), Some(phone));
    let email = ("Person status.profile.workEmail, Person status.aliases".to_owned(), decides.to_owned());
    assert_eq!(shown(&rows, "email"), Some(email));
    assert_eq!(
        (shown(&rows, "title"), shown(&rows, "department")),
        (None, None),
        "nobody needs them, so they are not read"
    );
    assert!(rows.iter().all(|row| !row.why.is_empty()));
    let elsewhere = rows_without_policy();
    let kept = elsewhere.iter().filter(|row| row.kept.iter().any(|place| place.contains("profile"))).count();
    assert_eq!(kept, 1, "without a policy nothing is kept but what would be of any: the address");
}

#[test]
fn of_a_webhook_nothing_is_taken_but_that_it_came() {
    let rows_of = |webhook: Value| {
        let api = json!({"connector": "bamboohr", "parameters": {"subdomain": "acme"}, "credentialsRef": {"name": "hr"}, "webhook": webhook});
        rows(&connection(&json!({ "api": api })), &[policy(&json!({}))], &Objects::default()).unwrap()
    };
    let (with, without) = (rows_of(json!({"form": "merge", "secretRef": {"name": "hook"}})), rows_of(Value::Null));
    let more: Vec<_> = with.difference(&without).collect();
    assert_eq!(more.len(), 1);
    assert_eq!((more[0].from.as_str(), more[0].field.as_str()), ("POST /webhooks/hq", ""));
    assert!(more[0].kept[0].starts_with(MEMORY) && more[0].why[0].contains("form merge"));
}

#[test]
fn a_field_whose_changes_are_moves_is_read_and_only_its_digest_is_kept() {
    let mut mover = policy(&json!({"title": "Never", "manager": "Once"}));
    mover.spec.lifecycle.moves.fields = Some(MoveField::ALL.into());
    let rows = rows(&bamboohr(), &[mover], &Objects::default()).unwrap();
    let why = "SyncPolicy everyone: spec.lifecycle.move.fields";
    assert_eq!(shown(&rows, "title"), Some((DIGEST.to_owned(), why.to_owned())));
    assert_eq!(shown(&rows, "department").unwrap().0, "Person status.profile.department", "it stands there already");
    let managers: Vec<_> = rows.iter().filter(|row| row.field.starts_with("manager")).collect();
    assert!(!managers.is_empty() && managers.iter().all(|row| row.kept.contains(&DIGEST.to_owned())));
}

fn rows_without_policy() -> BTreeSet<Row> {
    rows(&bamboohr(), &[], &Objects::default()).unwrap()
}

/// Every field with a text that nothing else has.
fn marked() -> Employee {
    let status = ReportedStatus::Mapped(Status::Active);
    let mut ada = Employee::new(HrId("employeeId!".into()), "fullName!".into(), "email!@example.com".into(), status);
    Text::ALL.iter().for_each(|text| ada.texts.set(*text, Some(format!("{}!", text.as_str()).into())));
    ada.texts.set_custom(&CustomName::new("badge").unwrap(), Some("custom.badge!".into()));
    let day = |text: &str| text.parse().ok();
    let account = Said::default().with(Fact::LastSignIn, account::Value::On(jiff::civil::date(1999, 9, 9)));
    let account = account.with(Fact::MfaEnrolled, account::Value::Yes).with(Fact::Sso, account::Value::No);
    Employee {
        account: Some(Box::new(account)),
        start: day("2001-01-01"),
        last_day: day("2102-02-02"),
        contract_end: day("2103-03-03"),
        urgent: true,
        employment_type: Some(EmploymentType::Apprentice),
        manager: Some(Manager::Id(HrId("employeeId!".into()))),
        ..ada
    }
}

/// The Person that a pass makes of an employee.
fn person(ada: &Employee, policy: &SyncPolicy) -> Value {
    let settings = crate::sync::policy::Settings::of(policy, &[]).unwrap();
    let now = Timestamp::UNIX_EPOCH;
    let zones = Zones::new("UTC", &BTreeMap::from([("location!".to_owned(), "UTC".to_owned())])).unwrap();
    let rules = Rules {
        usernames: Box::new(|_, _| Vec::new()),
        zones: &zones,
        baseline: Box::new(|_| Baseline::Settled),
        ..settings.rules("rollcall", "everyone")
    };
    let employees = std::slice::from_ref(ada);
    let answer = TrustedResponse { connection: "hq", employees, taken: now, part: false };
    let change = roster::next(&[], &[answer], &rules, now).changes.remove(0);
    let mut status = PersonStatus::default();
    let records: Vec<_> = change.records.iter().map(convert::record_shown).collect();
    let profile = convert::show(&mut status, *change.entry);
    json!({"spec": {"records": records, "profile": profile}, "status": status})
}

/// What a row's value looks like on a Person.
fn mark(field: &str, name: &str) -> String {
    match field {
        "email" => "email!@example.com".into(),
        "status" => "Active".into(),
        "hireDate" => "2001-01-01".into(),
        "terminationDate" | "lastWorkingDay" => "2102-02-02".into(),
        "contractEnd" => "2103-03-03".into(),
        "terminationReason" => "true".into(),
        "employmentType" => "Apprentice".into(),
        "managerId" | "managerEmail" => name.to_owned(),
        "employeeId" => "employeeId!".into(),
        "lastSignIn" => "1999-09-09".into(),
        "mfaEnrolled" => "Yes".into(),
        "sso" => "No".into(),
        other => format!("{other}!"),
    }
}

fn at<'v>(person: &'v Value, place: &str) -> Vec<&'v Value> {
    let place = place.strip_prefix("Person ").unwrap().replace("profile.custom.", "profile/custom/");
    let mut found = vec![person];
    for key in place.split(['.', '/']) {
        found = found.into_iter().filter_map(|value| value.get(key.trim_end_matches("[]"))).collect();
        if key.ends_with("[]") || key == "aliases" || key == "records" {
            found = found.into_iter().flat_map(|value| value.as_array().into_iter().flatten()).collect();
        }
    }
    found
}

#[test]
fn a_number_that_people_are_matched_by_stays_among_their_aliases() {
    let source = json!({"file": {"from": {"configMap": {"name": "p", "key": "p.csv"}}, "csv": {"columns": {"employeeId": "id"}}}});
    let mut matching = policy(&json!({}));
    for (keys, expected) in
        [(vec![], None), (vec![crate::api::policy::MatchKey::EmployeeNumber], Some("Person status.aliases"))]
    {
        matching.spec.matching.keys = keys;
        let rows = rows(&connection(&source), std::slice::from_ref(&matching), &Objects::default()).unwrap();
        let kept = rows.iter().find(|row| row.field == "employeeNumber").map(|row| row.kept.join(", "));
        assert_eq!(kept.as_deref(), expected);
    }
}

#[test]
fn a_person_holds_each_value_where_the_list_says_and_nowhere_else() {
    let columns: Value = json!({"custom": {"badge": "badge"}});
    let file = connection(
        &json!({"file": {"from": {"configMap": {"name": "p", "key": "p.csv"}}, "csv": {"columns": columns}}}),
    );
    let all: Vec<_> = ProfileField::all().map(|field| field.to_string()).chain(["custom.badge".into()]).collect();
    // What the source says of an account is nothing to import once.
    let of =
        |field: &str, mode: &'static str| if mode == "Once" && Fact::of_word(field).is_some() { "Never" } else { mode };
    for mode in ["Once", "Continuous", "Never"] {
        let fields: Value =
            all.iter().map(|field| (field.clone(), json!(of(field, mode)))).collect::<serde_json::Map<_, _>>().into();
        let policy = policy(&fields);
        let rows = rows(&file, std::slice::from_ref(&policy), &Objects::default()).unwrap();
        let name = roster::person_name("rollcall", "hq", &HrId("employeeId!".into()));
        // What nobody reads is on no employee either.
        let mut ada = marked();
        for text in Text::ALL.iter().copied().filter(|text| !rows.iter().any(|row| row.field == text.as_str())) {
            ada.texts.set(text, None);
        }
        for fact in Fact::ALL.into_iter().filter(|fact| !rows.iter().any(|row| row.field == fact.as_str())) {
            ada.account.iter_mut().for_each(|said| said.set(fact, None));
        }
        let mut person = person(&ada, &policy);
        for Row { field, kept, .. } in rows.iter().filter(|row| !row.field.is_empty() && row.kept != [MEMORY]) {
            for place in kept.iter().filter(|place| !place.ends_with("timeZone")) {
                let values = at(&person, place);
                assert!(!values.is_empty(), "{mode}: {field}: {place}");
                assert!(
                    values.iter().any(|value| value.to_string().contains(&mark(field, &name))),
                    "{mode}: {field} is at {place}: {values:?}"
                );
            }
        }
        // Takes everything away that is listed: no value is left.
        for place in rows.iter().flat_map(|row| &row.kept).filter(|place| place.starts_with("Person ")) {
            blank(&mut person, place.strip_prefix("Person ").unwrap());
        }
        for left in all.iter().map(|field| format!("{field}!")).chain(
            [
                "fullName!",
                "email!",
                "employeeId!",
                "Apprentice",
                "2001-01-01",
                "2102-02-02",
                "2103-03-03",
                "1999-09-09",
                "\"urgent\":true",
            ]
            .map(str::to_owned),
        ) {
            assert!(!person.to_string().contains(&left), "{mode}: {left} is kept, and not listed: {person}");
        }
    }
}

fn blank(value: &mut Value, place: &str) {
    let (key, rest) = place.split_once('.').map_or((place, None), |(key, rest)| (key, Some(rest)));
    if let Value::Array(all) = value {
        return all.iter_mut().for_each(|one| blank(one, place));
    }
    let Some(inner) = value.get_mut(key.trim_end_matches("[]")) else { return };
    match rest {
        Some(rest) => blank(inner, rest),
        None => *inner = Value::Null,
    }
}

#[test]
fn the_address_of_a_file_is_shown_without_anything_that_could_be_a_secret() {
    let http = |url: &str| {
        let from = json!({"http": {"url": url, "credentialsRef": {"name": "hr"}}});
        file_in_words(&connection(&json!({"file": {"from": from}})).spec.source.file.unwrap())
    };
    assert_eq!(http("https://ada:s3cret@files.example.com/people.csv?sig=1"), "file of files.example.com");
}
