//! Between a resource as it is kept and as SCIM writes it.

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Map, Value, json};

use crate::api::ScimResource;
use crate::api::scim::{ScimGroup, ScimUser};
use scim::schema::{ENTERPRISE, Kind};

/// Where the extension stands in what is kept.
const KEPT_ENTERPRISE: &str = "enterprise";

/// Which kind of resource it is.
#[must_use]
pub fn kind(resource: &ScimResource) -> Kind {
    if resource.spec.group.is_some() { Kind::Group } else { Kind::User }
}

/// What a client may change of a resource, in the one spelling of the protocol.
#[must_use]
pub fn attributes(resource: &ScimResource) -> Map<String, Value> {
    let value = match (&resource.spec.user, &resource.spec.group) {
        (Some(user), _) => serde_json::to_value(user),
        (_, Some(group)) => serde_json::to_value(group),
        _ => Ok(Value::Null),
    };
    let Ok(Value::Object(mut attributes)) = value else { return Map::new() };
    if let Some(extension) = attributes.remove(KEPT_ENTERPRISE) {
        attributes.insert(ENTERPRISE.to_owned(), extension);
    }
    attributes
}

/// Puts what a client wants in the place of what was kept.
///
/// # Errors
/// When it is not of the kind; the protocol has checked that.
pub fn put(
    resource: &mut ScimResource,
    kind: Kind,
    mut attributes: Map<String, Value>,
    now: Timestamp,
) -> Result<(), serde_json::Error> {
    if let Some(extension) = attributes.remove(ENTERPRISE) {
        attributes.insert(KEPT_ENTERPRISE.to_owned(), extension);
    }
    let value = Value::Object(attributes);
    match kind {
        Kind::User => resource.spec.user = Some(serde_json::from_value::<ScimUser>(value)?),
        Kind::Group => resource.spec.group = Some(serde_json::from_value::<ScimGroup>(value)?),
    }
    resource.spec.changed = now;
    Ok(())
}

/// The version of a resource.
#[must_use]
pub fn etag(resource: &ScimResource) -> String {
    format!("W/\"{}\"", resource.resource_version().unwrap_or_default())
}

/// A resource as it is answered. `base` is where the connection's resources are.
#[must_use]
pub fn whole(resource: &ScimResource, base: &str) -> Map<String, Value> {
    let (kind, id) = (kind(resource), resource.scim_id());
    let mut whole = attributes(resource);
    let mut schemas = vec![kind.schema()];
    if whole.contains_key(ENTERPRISE) {
        schemas.push(ENTERPRISE);
    }
    let created = resource.creation_timestamp().map_or(resource.spec.changed, |time| time.0);
    let meta = json!({
        "resourceType": kind.name(), "created": created.to_string(), "lastModified": resource.spec.changed.to_string(),
        "location": format!("{base}/{}/{id}", kind.endpoint()), "version": etag(resource),
    });
    whole.insert("schemas".to_owned(), json!(schemas));
    whole.insert("id".to_owned(), id.into());
    whole.insert("meta".to_owned(), meta);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> ScimResource {
        serde_json::from_value(json!({
            "metadata": {"name": "u-x", "uid": "0a1b2c3d-4e5f-0000-0000-000000000000", "resourceVersion": "7", "creationTimestamp": "2026-03-01T00:00:00Z"},
            "spec": {"connection": "okta", "connectionUid": "uid", "changed": "2026-03-01T00:00:00Z"},
        }))
        .unwrap()
    }

    #[test]
    fn everything_that_the_protocol_keeps_has_a_place_and_comes_back() {
        for (kind, sent) in [
            (
                Kind::User,
                json!({
                    "userName": "ada", "externalId": "X", "active": false, "displayName": "Ada", "title": "T", "userType": "Employee",
                    "name": {"formatted": "Ada E", "familyName": "E", "givenName": "Ada"},
                    "emails": [{"value": "a@example.com", "type": "work", "primary": true}],
                    "phoneNumbers": [{"value": "1", "type": "work", "primary": false}],
                    "addresses": [{"locality": "Madrid", "region": "M", "country": "ES", "type": "work", "primary": true}],
                    ENTERPRISE: {"employeeNumber": "7", "costCenter": "4", "organization": "O", "division": "D", "department": "Ops", "manager": {"value": "u-9"}},
                }),
            ),
            (
                Kind::Group,
                json!({"displayName": "Team", "externalId": "G", "members": [{"value": "u-1", "display": "Ada", "type": "User"}]}),
            ),
        ] {
            let taken = kind.take(&sent).unwrap();
            assert_eq!(Value::Object(taken.clone()), sent, "the example has every attribute of its schema");
            let mut resource = empty();
            put(&mut resource, kind, taken, "2026-03-02T10:00:00Z".parse().unwrap()).unwrap();
            assert_eq!(Value::Object(attributes(&resource)), sent);
            let whole = whole(&resource, "https://x/scim/v2/okta");
            assert_eq!(whole["id"], "u-x-0a1b2c3d");
            assert_eq!(whole["meta"]["lastModified"], "2026-03-02T10:00:00Z");
            assert_eq!(whole["meta"]["location"], format!("https://x/scim/v2/okta/{}/u-x-0a1b2c3d", kind.endpoint()));
            assert_eq!(whole["meta"]["version"], "W/\"7\"");
            let every = |attributes: &[scim::schema::Attribute], of: &Value| {
                attributes.iter().all(|one| of.get(one.name).is_some())
            };
            assert!(every(kind.attributes(), &sent), "{kind:?}: an attribute is not in the example");
        }
    }
}
