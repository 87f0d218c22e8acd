//! Whatever a client sends, a resource stays in the one spelling, and nothing panics.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::schema::{ENTERPRISE, Kind};
use super::{filter, list, patch};

fn names() -> impl Strategy<Value = String> {
    let known = [
        "userName",
        "USERNAME",
        "active",
        "externalId",
        "displayName",
        "title",
        "name",
        "name.givenName",
        "emails",
        "emails.value",
        "emails[type eq \"work\"].value",
        "emails[type eq \"work\"]",
        "emails[primary eq true].type",
        "phoneNumbers",
        "addresses",
        "addresses[type eq \"work\"].locality",
        "members",
        "members[value eq \"a\"]",
        "members.display",
        "manager",
        "value",
        "type",
        "primary",
        "givenName",
        "familyName",
        "department",
        ENTERPRISE,
        "nickName",
        "id",
        "meta",
        "urn:x:y:z",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        "urn:ietf:params:scim:schemas:core:2.0:User:userName",
        "locality",
        "display",
    ];
    prop_oneof![9 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "[ -~]{0,12}"]
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        Just(json!("True")),
        Just(json!("")),
        (0..100_i64).prop_map(Value::from),
        "[abc]{1,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names(), inner), 0..5).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn resources() -> impl Strategy<Value = Value> {
    prop::collection::vec((names(), values()), 0..6).prop_map(|members| {
        let mut resource = json!({"userName": "a", "displayName": "b"});
        resource.as_object_mut().unwrap().extend(members);
        resource
    })
}

fn operations() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["add", "Replace", "REMOVE"]);
    (op, prop::option::of(names()), values())
        .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
}

proptest! {
    #[test]
    fn a_resource_stays_in_its_spelling_whatever_is_done_to_it(
        user in any::<bool>(), sent in resources(), steps in prop::collection::vec(operations(), 1..4),
    ) {
        let kind = if user { Kind::User } else { Kind::Group };
        let Ok(mut resource) = kind.take(&sent) else { return Ok(()) };
        prop_assert_eq!(kind.take(&Value::Object(resource.clone())).unwrap(), resource.clone());
        for step in steps {
            if let Ok(changed) = patch::apply(kind, &resource, &json!({"Operations": [step]})) {
                prop_assert_eq!(kind.take(&Value::Object(changed.clone())).unwrap(), changed.clone());
                resource = changed;
            }
        }
        let projection = list::Projection::read(kind, Some("emails.value,name"), None).unwrap();
        projection.apply(&mut resource);
    }

    #[test]
    fn no_text_breaks_the_reading_of_filters(text in "[ -~é]{0,60}", words in prop::collection::vec(names(), 0..3)) {
        let near = format!("{} eq \"a\" and ({} pr or not ({} co {text}", words.concat(), words.join(" "), text);
        for text in [&text, &near] {
            if let Ok(filter) = filter::parse(Kind::User, text) {
                let _ = filter.matches(&Map::new());
            }
        }
    }
}
