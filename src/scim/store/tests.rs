use serde_json::json;

use super::*;

fn resources() -> Resources {
    let service = tower_service();
    Resources::new(service, "rollcall", || Timestamp::UNIX_EPOCH)
}

/// A client that is never asked anything.
fn tower_service() -> Client {
    let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::try_from(config).unwrap()
}

fn user(name: &str, user_name: &str, version: u32) -> ScimResource {
    serde_json::from_value(json!({
        "metadata": {"name": name, "uid": format!("{name}-uid"), "resourceVersion": version.to_string()},
        "spec": {"connection": "okta", "connectionUid": "u1", "changed": "2026-03-02T00:00:00Z",
            "user": {"userName": user_name, "externalId": format!("X-{name}")}},
    }))
    .unwrap()
}

fn okta() -> Accepted {
    Accepted { connection: "okta".to_owned(), uid: "u1".to_owned() }
}

fn found(resources: &Resources, key: (&str, &str)) -> Vec<String> {
    resources.list(&okta(), Kind::User, Some(key)).iter().map(|one| one.name_any()).collect()
}

#[tokio::test]
async fn what_is_known_follows_the_watch_and_never_goes_back_behind_what_was_written_here() {
    let resources = resources();
    assert!(!resources.listed());
    resources.see(Event::Init);
    resources.see(Event::InitApply(user("a", "Ada", 5)));
    resources.see(Event::InitApply(user("b", "Bob", 6)));
    resources.see(Event::InitDone);
    assert!(resources.listed());
    assert_eq!(found(&resources, ("userName", "ADA")), ["a"], "in any case");
    assert_eq!(found(&resources, ("externalId", "X-b")), ["b"]);
    assert_eq!(found(&resources, ("externalId", "x-b")), Vec::<String>::new(), "but for ids");
    resources.known().put(user("a", "Augusta", 9)); // written here
    resources.see(Event::Apply(user("a", "Ada", 7)));
    assert_eq!(found(&resources, ("userName", "augusta")), ["a"]);
    assert_eq!(found(&resources, ("userName", "ada")), Vec::<String>::new(), "the old name is free");
    assert!(
        resources.unique(&okta(), "augusta", Some("a")).is_ok() && resources.unique(&okta(), "augusta", None).is_err()
    );
    resources.see(Event::Delete(user("a", "Augusta", 10)));
    assert_eq!(resources.list(&okta(), Kind::User, None).len(), 1);
    resources.see(Event::Init);
    resources.see(Event::InitDone);
    assert_eq!(resources.list(&okta(), Kind::User, None).len(), 0, "whoever is in no list any more is gone");
    let other = Accepted { connection: "entra".to_owned(), uid: "u2".to_owned() };
    resources.see(Event::Apply(user("a", "Ada", 11)));
    assert_eq!(
        resources.list(&other, Kind::User, Some(("userName", "ada"))).len(),
        0,
        "another connection sees nobody of it"
    );
}

#[test]
fn a_version_is_the_clients_if_it_names_it_or_says_nothing() {
    let ada = user("a", "Ada", 7);
    for (expected, fine) in [
        (None, true),
        (Some("W/\"7\""), true),
        (Some("\"7\""), true),
        (Some("\"6\", W/\"7\""), true),
        (Some("*"), true),
        (Some("W/\"6\""), false),
        (Some(""), false),
    ] {
        assert_eq!(matches_version(&ada, expected).is_ok(), fine, "{expected:?}");
    }
}

#[test]
fn an_id_names_an_object_and_nothing_else() {
    let name = user_object("u1", "ada@example.com", 0);
    assert_eq!(name.len(), 29);
    assert!(!name.contains("ada"));
    assert_ne!(name, user_object("u2", "ada@example.com", 0), "of another connection");
    assert_eq!(name_of(&format!("{name}-0a1b2c3d")), Some(name.as_str()));
    for id in ["", "x", "scim", "../secrets/x", "people-x-1", "scim-A-1", "scim-a?x-1", &"scim-a-".repeat(20)] {
        assert_eq!(name_of(id), None, "{id}");
    }
    let groups: Vec<String> = (0..2).map(|_| random_object().unwrap()).collect();
    assert_ne!(groups[0], groups[1]);
}
