//! What a client may ask for before it sends anybody: what is supported, which kinds of resources there are, and their schemas
//! (RFC 7643, 5 to 7; RFC 7644, 4). Made from the same table that reads what is sent, so that it promises nothing else.

use serde_json::{Value, json};

use super::list::MOST_ON_A_PAGE;
use super::schema::{Attribute, ENTERPRISE, GROUP, Kind, Type, USER};

/// `/ServiceProviderConfig`.
#[must_use]
pub fn service_provider_config(base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": MOST_ON_A_PAGE},
        "changePassword": {"supported": false},
        "sort": {"supported": false},
        "etag": {"supported": true},
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token", "primary": true,
            "description": "A token of the HRConnection, in the header Authorization",
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
    })
}

/// One of `/ResourceTypes`.
#[must_use]
pub fn resource_type(base: &str, kind: Kind) -> Value {
    let extensions = match kind {
        Kind::User => json!([{"schema": ENTERPRISE, "required": false}]),
        Kind::Group => json!([]),
    };
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": kind.name(), "name": kind.name(), "endpoint": format!("/{}", kind.endpoint()),
        "description": match kind { Kind::User => "People", Kind::Group => "Groups of people" },
        "schema": kind.schema(), "schemaExtensions": extensions,
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", kind.name())},
    })
}

/// One of `/Schemas`, by its name; none where there is none of this name.
#[must_use]
pub fn schema(base: &str, id: &str) -> Option<Value> {
    let all = [(USER, Kind::User, "User"), (ENTERPRISE, Kind::User, "EnterpriseUser"), (GROUP, Kind::Group, "Group")];
    let (id, kind, name) = all.into_iter().find(|(known, ..)| known.eq_ignore_ascii_case(id))?;
    let attributes: Vec<Value> = kind.attributes_of(id)?.iter().map(attribute).collect();
    Some(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": id, "name": name, "description": name, "attributes": attributes,
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{id}")},
    }))
}

/// The names of all schemas.
pub const SCHEMAS: [&str; 3] = [USER, ENTERPRISE, GROUP];

fn attribute(of: &Attribute) -> Value {
    let mut described = json!({
        "name": of.name, "multiValued": of.most.is_some(), "description": of.says, "required": of.required,
        "mutability": "readWrite", "returned": "default",
    });
    let more = match of.type_ {
        Type::Text(_) => json!({
            "type": "string", "caseExact": of.case_exact, "uniqueness": if of.unique { "server" } else { "none" },
        }),
        Type::Boolean => json!({"type": "boolean"}),
        Type::Complex(parts) => {
            json!({"type": "complex", "subAttributes": parts.iter().map(attribute).collect::<Vec<_>>()})
        }
    };
    if let (Some(described), Value::Object(more)) = (described.as_object_mut(), more) {
        described.extend(more);
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_is_what_is_read() {
        for id in SCHEMAS {
            let schema = schema("https://x/scim", &id.to_uppercase()).unwrap();
            assert_eq!(schema["id"], id);
            let attributes = schema["attributes"].as_array().unwrap();
            assert!(!attributes.is_empty());
            let kind = if id == GROUP { Kind::Group } else { Kind::User };
            for described in attributes {
                let name = described["name"].as_str().unwrap();
                assert!(crate::path::parse(kind, &format!("{id}:{name}")).is_ok(), "{id} {name}");
            }
        }
        assert!(schema("", "urn:x").is_none());
        assert_eq!(resource_type("b", Kind::User)["schemaExtensions"][0]["schema"], ENTERPRISE);
        assert_eq!(service_provider_config("b")["patch"]["supported"], true);
    }
}
