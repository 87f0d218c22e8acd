#![no_main]
//! A filter, a path and a body, as a client of the SCIM service sends them: a line each, and the rest.

use scim::schema::Kind;
use serde_json::{Value, json};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(3, '\n');
    let (filter, path, body) =
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    for kind in Kind::ALL {
        let value = scim::parse(body.as_bytes()).unwrap_or(Value::Null);
        let sample =
            json!({"userName": "a", "displayName": "b", "active": true, "emails": [{"value": "c", "type": "work"}]});
        let resource = kind.take(&value).or_else(|_| kind.take(&sample)).unwrap();
        assert_eq!(
            kind.take(&Value::Object(resource.clone())).unwrap(),
            resource,
            "a resource in its spelling stays as it is"
        );
        if let Ok(filter) = scim::filter::parse(kind, filter) {
            let _ = filter.matches(&resource);
        }
        let operation = json!({"Operations": [{"op": "add", "path": path, "value": value}]});
        for body in [&operation, &json!({"Operations": [{"op": "remove", "path": path, "value": value}]}), &value] {
            if let Ok(changed) = scim::patch::apply(kind, &resource, body) {
                assert_eq!(kind.take(&Value::Object(changed.clone())).unwrap(), changed, "so does a changed one");
            }
        }
    }
});
