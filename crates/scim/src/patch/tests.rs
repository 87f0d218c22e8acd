//! Bodies as RFC 7644 gives them, and as the documentation of Okta and Microsoft does:
//! <https://www.rfc-editor.org/rfc/rfc7644#section-3.5.2>,
//! <https://learn.microsoft.com/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups>,
//! <https://learn.microsoft.com/entra/identity/app-provisioning/application-provisioning-config-problem-scim-compatibility>,
//! <https://developer.okta.com/docs/api/openapi/okta-scim/guides/scim-20>.

use serde_json::json;

use super::super::schema::MOST_ENTRIES;
use super::*;

fn ada() -> Value {
    json!({
        "userName": "ada@example.com", "active": true, "displayName": "Ada Example", "title": "Engineer",
        "name": {"givenName": "Ada", "familyName": "Example"},
        "emails": [{"value": "ada@example.com", "type": "work", "primary": true}],
        ENTERPRISE: {"department": "Ops", "employeeNumber": "7"},
    })
}

fn team() -> Value {
    json!({"displayName": "Team", "members": [{"value": "u-1"}, {"value": "u-2"}, {"value": "u-3"}]})
}

fn change(kind: Kind, resource: &Value, operations: &Value) -> Value {
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
    match apply(kind, resource.as_object().unwrap(), &body) {
        Ok(changed) => Value::Object(changed),
        Err(refused) => json!(refused.class.as_str()),
    }
}

/// The resource with another value at a pointer; null takes it away.
fn with(mut resource: Value, at: &[&str], value: Value) -> Value {
    let (last, way) = at.split_last().unwrap();
    let mut home = &mut resource;
    for step in way {
        home = &mut home[*step];
    }
    if value.is_null() {
        home.as_object_mut().unwrap().remove(*last);
    } else {
        home[*last] = value;
    }
    resource
}

#[test]
fn a_user_is_changed_as_every_vendor_means_it() {
    let off = with(ada(), &["active"], json!(false));
    let work = |value: &str| json!([{"value": value, "type": "work", "primary": true}]);
    let manager = with(ada(), &[ENTERPRISE, "manager"], json!({"value": "u-9"}));
    for (what, operations, expected) in [
        // Okta deactivates.
        ("Okta: active without a path", json!([{"op": "replace", "value": {"active": false}}]), off.clone()),
        // Entra ID disables, without and with aadOptscim062020.
        ("Entra: a text, and a capital", json!([{"op": "Replace", "path": "active", "value": "False"}]), off.clone()),
        ("Entra: with the flag", json!([{"op": "replace", "path": "active", "value": false}]), off.clone()),
        ("Entra: Add", json!([{"op": "Add", "path": "active", "value": "False"}]), off.clone()),
        ("the names in another case", json!([{"OP": "REPLACE", "Path": "ACTIVE", "Value": "false"}]), off),
        // Entra ID updates a user.
        (
            "Entra: an address by its kind",
            json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a@example.com"}]),
            with(ada(), &["emails"], work("a@example.com")),
        ),
        (
            "Entra: an entry that is not there yet",
            json!([{"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+34 1"}]),
            with(ada(), &["phoneNumbers"], json!([{"type": "mobile", "value": "+34 1"}])),
        ),
        (
            "Entra: dotted names without a path",
            json!([{"op": "replace", "value": {
            "name.givenName": "Augusta", "emails[type eq \"work\"].value": "a@example.com",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department": "Research",
            "active": "True"}}]),
            with(
                with(with(ada(), &["name", "givenName"], json!("Augusta")), &["emails"], work("a@example.com")),
                &[ENTERPRISE, "department"],
                json!("Research"),
            ),
        ),
        (
            "Entra: a bare manager",
            json!([{"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", "value": "u-9"}]),
            manager.clone(),
        ),
        (
            "a manager as an object with more",
            json!([{"op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
            "value": {"value": "u-9", "$ref": "../Users/u-9", "displayName": "Bob"}}]),
            manager.clone(),
        ),
        (
            "a manager by its part",
            json!([{"op": "add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value", "value": "u-9"}]),
            manager,
        ),
        (
            "the extension as an object",
            json!([{"op": "replace", "value": {ENTERPRISE: {"department": "Research", "badge": "1"}}}]),
            with(ada(), &[ENTERPRISE, "department"], json!("Research")),
        ),
        (
            "the extension by its path",
            json!([{"op": "add", "path": ENTERPRISE, "value": {"costCenter": "4"}}]),
            with(ada(), &[ENTERPRISE, "costCenter"], json!("4")),
        ),
        // Okta sends the whole resource back.
        (
            "what the service writes, without a path",
            json!([{"op": "replace", "value": {"id": "x", "schemas": [], "meta": {}, "shoeSize": 42, "title": "Lead"}}]),
            with(ada(), &["title"], json!("Lead")),
        ),
        (
            "several operations",
            json!([{"op": "replace", "path": "title", "value": "Lead"}, {"op": "remove", "path": "displayName"}]),
            with(with(ada(), &["title"], json!("Lead")), &["displayName"], Value::Null),
        ),
        // RFC 7644, 3.5.2.
        (
            "a part of a name",
            json!([{"op": "replace", "path": "name.familyName", "value": "Lovelace"}]),
            with(ada(), &["name", "familyName"], json!("Lovelace")),
        ),
        (
            "parts that are not named stay",
            json!([{"op": "replace", "path": "name", "value": {"familyName": "Lovelace"}}]),
            with(ada(), &["name", "familyName"], json!("Lovelace")),
        ),
        (
            "a list is replaced",
            json!([{"op": "replace", "path": "emails", "value": [{"value": "b@example.com", "type": "home"}]}]),
            with(ada(), &["emails"], json!([{"value": "b@example.com", "type": "home"}])),
        ),
        (
            "an entry is added",
            json!([{"op": "add", "path": "emails", "value": [{"value": "b@example.com", "type": "home"}]}]),
            with(
                ada(),
                &["emails"],
                json!([{"value": "ada@example.com", "type": "work", "primary": true}, {"value": "b@example.com", "type": "home"}]),
            ),
        ),
        (
            "an entry that is there is not added twice",
            json!([{"op": "add", "path": "emails", "value": {"value": "ada@example.com", "type": "work"}}]),
            ada(),
        ),
        (
            "one preferred entry",
            json!([{"op": "add", "path": "emails", "value": {"value": "b@example.com", "type": "home", "primary": true}}]),
            with(
                ada(),
                &["emails"],
                json!([{"value": "ada@example.com", "type": "work", "primary": false}, {"value": "b@example.com", "type": "home", "primary": true}]),
            ),
        ),
        ("an attribute is removed", json!([{"op": "remove", "path": "title"}]), with(ada(), &["title"], Value::Null)),
        (
            "an entry is removed",
            json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]),
            with(ada(), &["emails"], Value::Null),
        ),
        (
            "the value of an entry is removed",
            json!([{"op": "Remove", "path": "emails[type eq \"work\"].value"}]),
            with(ada(), &["emails"], Value::Null),
        ),
        ("what is not there is removed", json!([{"op": "remove", "path": "phoneNumbers[type eq \"fax\"]"}]), ada()),
        (
            "an empty value is none",
            json!([{"op": "replace", "path": "title", "value": ""}]),
            with(ada(), &["title"], Value::Null),
        ),
        (
            "null is none",
            json!([{"op": "replace", "path": "title", "value": null}]),
            with(ada(), &["title"], Value::Null),
        ),
        (
            "what is not kept",
            json!([{"op": "replace", "path": "nickName", "value": "A"}, {"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "x"}]),
            ada(),
        ),
        // Refused, as a whole.
        (
            "nothing of it, if one is wrong",
            json!([{"op": "replace", "path": "title", "value": "Lead"}, {"op": "replace", "path": "actve", "value": false}]),
            json!("invalidPath"),
        ),
        ("another operation", json!([{"op": "copy", "path": "title", "value": "x"}]), json!("invalidSyntax")),
        ("a removal without a path", json!([{"op": "remove"}]), json!("noTarget")),
        ("no value", json!([{"op": "add", "path": "title"}]), json!("invalidSyntax")),
        ("no object without a path", json!([{"op": "replace", "value": false}]), json!("invalidSyntax")),
        ("a boolean that is none", json!([{"op": "replace", "path": "active", "value": "no"}]), json!("invalidValue")),
        ("the id", json!([{"op": "replace", "path": "id", "value": "u-2"}]), json!("mutability")),
        ("userName is taken away", json!([{"op": "remove", "path": "userName"}]), json!("mutability")),
        ("userName is emptied", json!([{"op": "replace", "path": "userName", "value": ""}]), json!("invalidValue")),
        (
            "an entry that cannot be made",
            json!([{"op": "replace", "path": "emails[value co \"zz\"].type", "value": "work"}]),
            json!("noTarget"),
        ),
        ("nothing at all", json!([]), json!("invalidSyntax")),
    ] {
        assert_eq!(change(Kind::User, &ada(), &operations), expected, "{what}");
    }
}

#[test]
fn members_come_and_go_and_a_group_is_never_emptied_by_a_removal_of_some() {
    let left = |ids: &[&str]| {
        let members: Vec<Value> = ids.iter().map(|id| json!({"value": id})).collect();
        json!({"displayName": "Team", "members": members})
    };
    for (what, operations, expected) in [
        ("Okta: by a condition", json!([{"op": "remove", "path": "members[value eq \"u-2\"]"}]), left(&["u-1", "u-3"])),
        (
            "Entra: by the value, without the flag",
            json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u-2"}]}]),
            left(&["u-1", "u-3"]),
        ),
        ("by a value alone", json!([{"op": "remove", "path": "members", "value": [{"value": "u-9"}]}]), team()),
        (
            "by values that are none",
            json!([{"op": "remove", "path": "members", "value": [{"display": "x"}]}]),
            json!("invalidValue"),
        ),
        ("all of them", json!([{"op": "remove", "path": "members"}]), json!({"displayName": "Team"})),
        (
            "Entra: one more",
            json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": "u-4"}]}]),
            left(&["u-1", "u-2", "u-3", "u-4"]),
        ),
        ("one who is there", json!([{"op": "add", "path": "members", "value": [{"value": "u-1"}]}]), team()),
        (
            "others in their place",
            json!([{"op": "replace", "path": "members", "value": [{"value": "u-5"}]}]),
            left(&["u-5"]),
        ),
        (
            "Okta: another name, with its id",
            json!([{"op": "replace", "value": {"id": "g-1", "displayName": "Crew"}}]),
            with(team(), &["displayName"], json!("Crew")),
        ),
        (
            "several removals",
            json!([{"op": "remove", "path": "members[value eq \"u-1\"]"}, {"op": "remove", "path": "members[value eq \"u-3\"]"}]),
            left(&["u-2"]),
        ),
        ("the name is taken away", json!([{"op": "remove", "path": "displayName"}]), json!("mutability")),
    ] {
        assert_eq!(change(Kind::Group, &team(), &operations), expected, "{what}");
    }
}

#[test]
fn many_members_are_added_once_each_and_no_more_than_may_be() {
    let members = |ids: std::ops::Range<usize>| ids.map(|id| json!({"value": format!("u-{id}")})).collect::<Vec<_>>();
    let add = |ids| json!([{"op": "add", "path": "members", "value": members(ids)}]);
    let all = change(Kind::Group, &json!({"displayName": "Team", "members": members(0..900)}), &add(800..1000));
    assert_eq!(all["members"].as_array().unwrap().len(), 1000);
    let full = json!({"displayName": "Team", "members": members(0..super::super::schema::MOST_MEMBERS)});
    assert_eq!(change(Kind::Group, &full, &add(20_000..20_001)), "tooMany");
    let emails: Vec<Value> =
        (0..MOST_ENTRIES).map(|n| json!({"value": format!("{n}@example.com"), "type": n.to_string()})).collect();
    let crowded = json!({"userName": "ada", "emails": emails});
    let one_more = json!([{"op": "add", "path": "emails[type eq \"work\"].value", "value": "ada@example.com"}]);
    assert_eq!(change(Kind::User, &crowded, &one_more), "tooMany");
    let operations: Vec<Value> = vec![json!({"op": "replace", "path": "title", "value": "x"}); MOST_OPERATIONS + 1];
    assert_eq!(change(Kind::User, &ada(), &json!(operations)), "tooMany");
}
