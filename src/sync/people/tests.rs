use serde_json::json;

use super::*;
use crate::kube::scenario::{Call, Scenario, on};

fn person(name: &str, uid: &str, version: &str, generation: i64) -> Person {
    let record = Record { connection: "hq".into(), id: name.into() };
    let mut person = Person::new(name, PersonSpec::of(vec![record], None));
    person.metadata.uid = Some(uid.into());
    person.metadata.resource_version = Some(version.into());
    person.metadata.generation = Some(generation);
    person
}

fn version(people: &People, name: &str) -> Option<String> {
    people.get(name).and_then(|person| person.resource_version())
}

#[test]
fn what_was_written_is_not_overtaken_by_an_older_event() {
    let people = People::default();
    people.take(person("p-1", "a", "10", 1));
    people.see(Event::Apply(person("p-1", "a", "9", 1)));
    assert_eq!(version(&people, "p-1").as_deref(), Some("10"));
    people.see(Event::Apply(person("p-1", "a", "100", 1)));
    assert_eq!(version(&people, "p-1").as_deref(), Some("100"), "compared as numbers");
    for event in [Event::Init, Event::InitApply(person("p-1", "a", "50", 1)), Event::InitDone] {
        people.see(event);
    }
    assert_eq!(version(&people, "p-1").as_deref(), Some("100"), "also on a list");
}

#[test]
fn a_list_forgets_the_people_who_are_gone() {
    let people = People::default();
    people.take(person("p-1", "a", "10", 1));
    for event in [Event::Init, Event::InitApply(person("p-2", "b", "11", 1)), Event::InitDone] {
        people.see(event);
    }
    assert_eq!((version(&people, "p-1"), version(&people, "p-2").as_deref()), (None, Some("11")));
}

#[test]
fn a_late_deletion_does_not_take_the_person_made_again() {
    let people = People::default();
    people.take(person("p-1", "b", "12", 1));
    people.see(Event::Delete(person("p-1", "a", "11", 1)));
    assert!(people.get("p-1").is_some());
    people.see(Event::Delete(person("p-1", "b", "13", 1)));
    assert!(people.get("p-1").is_none());
}

#[test]
fn a_policy_looks_again_for_what_others_changed_and_not_for_its_own_writes() {
    let people = People::default();
    people.take(person("p-1", "a", "10", 1));
    let cases = [
        ("an echo of its own write", Event::Apply(person("p-1", "a", "10", 1)), false),
        ("a hold", Event::Apply(person("p-1", "a", "11", 2)), true),
        ("a deletion", Event::Delete(person("p-1", "a", "12", 2)), true),
    ];
    for (what, event, expected) in cases {
        assert_eq!(people.see(event), expected, "{what}");
    }
}

const PEOPLE: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/people";

fn joiner(name: &str) -> Write {
    let record = Record { connection: "hq".into(), id: name.into() };
    Write { current: None, name: name.into(), records: vec![record], profile: None, status: Box::default() }
}

fn made(name: &str) -> Call {
    let metadata = json!({"name": name, "uid": format!("uid-{name}"), "resourceVersion": "7"});
    let spec = json!({"records": [{"connection": "hq", "id": name}]});
    on(&format!("POST {PEOPLE}?fieldManager=rollcall-sync"))
        .sends(json!({"metadata": {"name": name}, "spec": spec, "status": null}))
        .answers(json!({"metadata": metadata, "spec": spec}))
}

/// The status over exactly the object that was made.
fn status_of(name: &str) -> Call {
    let metadata = json!({"name": name, "uid": format!("uid-{name}"), "resourceVersion": "8"});
    let over = json!({"metadata": {"uid": format!("uid-{name}"), "resourceVersion": "7"}});
    on(&format!("PATCH {PEOPLE}/{name}/status?force=true"))
        .sends(over)
        .answers(json!({"metadata": metadata, "spec": {"records": [{"connection": "hq", "id": name}]}}))
}

async fn written(scenario: &Scenario, names: &[&str]) -> (Result<(), Fault>, People) {
    let people = People::default();
    let api: Api<Person> = Api::namespaced(scenario.client(), "rollcall");
    let writes = names.iter().map(|name| joiner(name)).collect();
    (write(&api, &people, writes, &Metrics::default(), |_| false).await.map(|left| assert!(left.is_empty())), people)
}

#[tokio::test]
async fn a_person_is_made_and_then_given_a_status_over_exactly_what_was_made() {
    let scenario = Scenario::default().then(made("p-1")).then(status_of("p-1"));
    let (result, people) = written(&scenario, &["p-1"]).await;
    result.unwrap();
    assert_eq!(version(&people, "p-1").as_deref(), Some("8"));
    scenario.is_over();
}

#[tokio::test]
async fn a_writer_that_is_stopped_ends_what_it_began_and_names_whom_it_left() {
    let scenario =
        Scenario::default().together([made("p-1"), made("p-2")]).together([status_of("p-1"), status_of("p-2")]);
    let people = People::default();
    let api: Api<Person> = Api::namespaced(scenario.client(), "rollcall");
    let writes = ["p-1", "p-2", "p-3", "p-4"].map(joiner).into();
    let left = write(&api, &people, writes, &Metrics::default(), |begun| begun >= 2).await.unwrap();
    assert_eq!(left, ["p-3", "p-4"].map(str::to_owned).into());
    scenario.is_over();
}

#[tokio::test]
async fn a_person_that_cannot_be_made_gets_no_status() {
    for (code, conflict) in [(409, true), (422, false), (403, false), (500, false)] {
        let scenario = Scenario::default().then(made("p-1").fails(code));
        let (result, people) = written(&scenario, &["p-1"]).await;
        assert_eq!(result.unwrap_err().is_conflict(), conflict, "{code}");
        assert!(people.get("p-1").is_none());
        scenario.is_over();
    }
}

#[tokio::test]
async fn a_status_that_is_refused_is_not_written_over_what_changed_and_the_others_are_written() {
    for (code, conflict) in [(409, true), (422, false)] {
        let scenario = Scenario::default()
            .together([made("p-1"), made("p-2")])
            .together([status_of("p-1").fails(code), status_of("p-2")]);
        let (result, people) = written(&scenario, &["p-1", "p-2"]).await;
        assert_eq!(result.unwrap_err().is_conflict(), conflict, "{code}");
        assert_eq!(version(&people, "p-1").as_deref(), Some("7"), "as it was made: the next pass writes over that");
        assert_eq!(version(&people, "p-2").as_deref(), Some("8"));
        scenario.is_over();
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_answered_ends_and_is_a_fault() {
    let scenario = Scenario::default().then(made("p-1")).then(status_of("p-1").hangs());
    let (result, _) = written(&scenario, &["p-1"]).await;
    assert_eq!(result.unwrap_err().to_string(), "write status: no answer in time");
    scenario.is_over();
}

#[test]
fn everybody_is_held_without_room_to_grow() {
    let people = People::default();
    let mut known = person("p-1", "a", "10", 1);
    known.spec.records.reserve(100);
    people.take(known);
    assert_eq!(people.get("p-1").unwrap().spec.records.capacity(), 1);
}

#[tokio::test]
async fn an_import_changes_nothing_of_a_spec_but_the_fields_that_differ_over_exactly_the_state_it_looked_at() {
    let mut known = person("p-1", "uid-1", "10", 1);
    let profile = |fields: Value| serde_json::from_value(fields).unwrap();
    known.spec.profile = profile(json!({"title": "Clerk", "phone": "1", "custom": {"badge": "B7", "desk": "4"}}));
    let wanted = profile(json!({"title": "Clerk", "homeAddress": "1 Example Street", "custom": {"badge": "B8"}}));
    let patch = json!({
        "metadata": {"uid": "uid-1", "resourceVersion": "10"},
        "spec": {"profile": {"phone": null, "homeAddress": "1 Example Street", "custom": {"badge": "B8", "desk": null}}},
    });
    let after = json!({"metadata": {"name": "p-1", "uid": "uid-1", "resourceVersion": "11"}, "spec": {"records": []}});
    let over = json!({"metadata": {"uid": "uid-1", "resourceVersion": "11"}});
    let scenario = Scenario::default()
        .then(on(&format!("PATCH {PEOPLE}/p-1?fieldManager=rollcall-sync")).sends(patch).answers(after.clone()))
        .then(on(&format!("PATCH {PEOPLE}/p-1/status?force=true")).sends(over).answers(after));
    let api: Api<Person> = Api::namespaced(scenario.client(), "rollcall");
    let write = Write { current: Some(Arc::new(known)), profile: wanted, ..joiner("p-1") };
    put(&api, &People::default(), write).await.unwrap();
    scenario.is_over();
    assert_eq!(difference(&json!({"a": 1}), &json!({"a": 1})), json!({}), "what is the same is not sent");
}
