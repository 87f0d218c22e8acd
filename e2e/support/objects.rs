//! Kubernetes objects as one writes them down.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// An object from what one would write in YAML.
pub fn object<K: DeserializeOwned>(written: Value) -> K {
    serde_json::from_value(written).expect("a well-formed object")
}

/// Lays `over` over `base`: objects are merged key by key, everything else is replaced.
pub fn overlay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                overlay(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
