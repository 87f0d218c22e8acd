//! Names: of a Person, of their manager, and the aliases under which they are known.

use super::*;

#[test]
fn a_manager_is_found_by_address_or_id_if_it_is_one_person() {
    let by = |manager: Manager| Employee { manager: Some(manager), ..employee("1") };
    let twins = [employee("3"), Employee { work_email: "3@example.com".into(), ..employee("4") }];
    let cases = [
        ("the address", by(Manager::Email("2@Example.com".into())), Some("2")),
        ("the id", by(Manager::Id(HrId("2".into()))), Some("2")),
        ("an address two people have", by(Manager::Email("3@example.com".into())), None),
        ("nobody of the response", by(Manager::Id(HrId("9".into()))), None),
    ];
    for (what, person, expected) in cases {
        let mut world = ClusterInventory::settled();
        world.poll(&[vec![person, employee("2")], twins.to_vec()].concat(), noon());
        let expected = expected.map(|id| person_name("rollcall", "hq", &HrId(id.into())));
        assert_eq!(world.entry("1").profile.manager, expected, "{what}");
    }
}

#[test]
fn a_persons_name_is_minted_from_namespace_connection_and_id() {
    let name = person_name("rollcall", "hq", &HrId("7".into()));
    assert_eq!(name.len(), 28);
    assert!(name.starts_with("p-") && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
    let others = [("other", "hq", "7"), ("rollcall", "okta", "7"), ("rollcall", "hq", "8")];
    for (namespace, connection, id) in others {
        assert_ne!(name, person_name(namespace, connection, &HrId(id.into())));
    }
}

#[test]
fn a_user_name_made_of_an_address_is_known_in_lower_case_too() {
    let ada = Employee { work_email: "Ada.Example@Example.com".into(), ..employee("7") };
    let world = ClusterInventory::with(&[ada]);
    let aliases =
        ["email:ada.example@example.com", "user:oidc:Ada.Example@Example.com", "user:oidc:ada.example@example.com"];
    assert_eq!(world.entry("7").aliases, aliases);
}

#[test]
fn aliases_are_bounded_and_what_holds_now_stays() {
    let mut world = ClusterInventory::with(&[employee("7")]);
    for number in 0..80 {
        let moved = Employee { work_email: format!("a{number}@example.com"), ..employee("7") };
        world.poll(&[moved], noon());
    }
    let again = Employee { work_email: "a79@example.com".into(), ..employee("7") };
    assert_eq!(world.entry("7").aliases.len(), 64);
    assert!(world.entry("7").aliases.contains(&"email:a79@example.com".to_owned()));
    assert!(world.plan(Some(&[again]), noon()).changes.is_empty());
}
