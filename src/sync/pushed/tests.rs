use serde_json::json;

use super::*;

fn resource(name: &str, connection: &str, user: &Value) -> ScimResource {
    serde_json::from_value(json!({
        "metadata": {"name": name, "uid": format!("{}aaaaaaa-0000", name.len())},
        "spec": {"connection": connection, "connectionUid": format!("uid-{connection}"), "changed": "2026-03-02T00:00:00Z", "user": user},
    }))
    .unwrap()
}

fn connection(name: &str) -> HRConnection {
    serde_json::from_value(json!({
        "metadata": {"name": name, "uid": format!("uid-{name}")},
        "spec": {"source": {"scim": {"credentialsRef": {"name": "tokens"}}}},
    }))
    .unwrap()
}

fn records(users: &PushedUsers, name: &str) -> Vec<Value> {
    let page = users.page(&connection(name), ScimId::ExternalId).unwrap().unwrap();
    let page: Value = serde_json::from_slice(&page).unwrap();
    page["Resources"].as_array().unwrap().clone()
}

#[test]
fn a_connection_reads_its_own_users_and_all_of_them() {
    let users = PushedUsers::default();
    assert!(users.page(&connection("okta"), ScimId::ExternalId).is_err(), "nothing is read before all are listed");
    users.see(Event::Init);
    users.see(Event::InitApply(resource("a", "okta", &json!({"userName": "ada@example.com", "externalId": "X1"}))));
    users.see(Event::InitApply(resource("b", "entra", &json!({"userName": "bob@example.com", "externalId": "X2"}))));
    assert!(users.page(&connection("okta"), ScimId::ExternalId).is_err());
    assert_eq!(users.see(Event::InitDone), ["entra", "okta"].map(str::to_owned).into());
    assert_eq!(records(&users, "okta").len(), 1);
    assert_eq!(records(&users, "okta")[0]["externalId"], "X1");
    assert_eq!(users.page(&connection("other"), ScimId::Id).unwrap(), None, "nobody was pushed");
    let mut again = connection("okta");
    again.metadata.uid = Some("another".to_owned());
    assert_eq!(users.page(&again, ScimId::Id).unwrap(), None, "of a connection that was applied again, nobody");
}

#[test]
fn only_a_change_of_a_user_asks_for_a_read() {
    let users = PushedUsers::default();
    let ada = |active: bool| resource("a", "okta", &json!({"userName": "ada@example.com", "active": active}));
    let okta = || BTreeSet::from(["okta".to_owned()]);
    users.see(Event::Init);
    assert_eq!(users.see(Event::InitDone), BTreeSet::new());
    assert_eq!(users.see(Event::Apply(ada(true))), okta(), "a new one");
    assert_eq!(users.see(Event::Apply(ada(true))), BTreeSet::new(), "the same again");
    assert_eq!(users.see(Event::Apply(ada(false))), okta(), "a changed one");
    let group: ScimResource = serde_json::from_value(json!({
        "metadata": {"name": "g"},
        "spec": {"connection": "okta", "connectionUid": "uid-okta", "changed": "2026-03-02T00:00:00Z", "group": {"displayName": "Team"}},
    }))
    .unwrap();
    assert_eq!(users.see(Event::Apply(group)), BTreeSet::new(), "a group");
    for (what, listed, expected) in
        [("the same list", vec![ada(false)], BTreeSet::new()), ("one is missing", vec![], okta())]
    {
        users.see(Event::Init);
        listed.into_iter().for_each(|one| drop(users.see(Event::InitApply(one))));
        assert_eq!(users.see(Event::InitDone), expected, "{what}");
    }
    users.see(Event::Apply(ada(true)));
    assert_eq!(users.see(Event::Delete(ada(true))), okta(), "a deleted one");
    assert_eq!(users.see(Event::Delete(ada(true))), BTreeSet::new(), "one that is not there");
}

#[test]
fn address_name_and_manager_are_made_of_what_there_is() {
    let users = PushedUsers::default();
    users.see(Event::Init);
    for (name, user) in [
        (
            "a",
            json!({"userName": "ada", "externalId": "X1", "emails": [
            {"value": "ada@home.example.com", "type": "home", "primary": true}, {"value": "ada@example.com", "type": "WORK"}]}),
        ),
        (
            "bb",
            json!({"userName": "bob", "externalId": "X2", "emails": [{"value": "bob@example.com", "primary": true}, {"value": "b@example.com"}]}),
        ),
        ("ccc", json!({"userName": "cleo", "externalId": "X3", "emails": [{"value": "cleo@example.com"}]})),
        (
            "dddd",
            json!({"userName": "dan@example.com", "externalId": "X4", "emails": [{"value": "a@example.com"}, {"value": "b@example.com"}],
            "name": {"givenName": "Dan", "familyName": "Example"}, "enterprise": {"manager": {"value": "a-1aaaaaaa"}}}),
        ),
        ("eeeee", json!({"userName": "eve", "externalId": "X5", "enterprise": {"manager": {"value": "nobody"}}})),
    ] {
        users.see(Event::InitApply(resource(name, "okta", &user)));
    }
    users.see(Event::InitDone);
    let seen: Vec<_> = records(&users, "okta")
        .iter()
        .map(|one| (one["workEmail"].clone(), one["fullName"].clone(), one["managerId"].clone()))
        .collect();
    let row = |address: &str, name: Option<&str>, manager: Option<&str>| (json!(address), json!(name), json!(manager));
    let expected = [
        row("ada@example.com", None, None),
        row("bob@example.com", None, None),
        row("cleo@example.com", None, None),
        row("dan@example.com", Some("Dan Example"), Some("X1")),
        (Value::Null, Value::Null, Value::Null),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_first_cycle_is_over_when_nothing_was_pushed_for_a_while() {
    let users = PushedUsers::default();
    users.see(Event::Init);
    users.see(Event::InitDone);
    assert!(users.settled("okta", Instant::now()).is_ok(), "nothing was pushed");
    users.see(Event::Apply(resource("a", "okta", &json!({"userName": "ada"}))));
    let now = Instant::now();
    assert!(users.settled("okta", now).is_err() && users.settled("entra", now).is_ok());
    users.see(Event::Apply(resource("a", "okta", &json!({"userName": "ada"}))));
    assert!(users.settled("okta", now + QUIET).is_ok(), "the same again is no push");
}
