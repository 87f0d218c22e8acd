//! The schemas that pages are compared with: of Rollcall's kinds, and of the chart's values.

use serde_json::Value;

use super::schema;
use super::yaml_span::Node;
use crate::api;

/// One of Rollcall's kinds.
pub struct Kind {
    /// Its name.
    pub kind: String,
    /// Every word that kubectl takes for it.
    pub words: Vec<String>,
    /// What an object of it looks like.
    pub schema: Value,
    /// Paths that a field selector may name.
    pub selectable: Vec<String>,
}

/// All schemas.
pub struct Schemas {
    /// Rollcall's kinds.
    pub kinds: Vec<Kind>,
    values: Value,
}

impl Schemas {
    /// Takes them from the types and the chart.
    pub fn read() -> Self {
        let values = std::fs::read_to_string("charts/rollcall/values.schema.json").unwrap();
        let kinds = api::definitions().into_iter().map(|definition| {
            let names = definition.spec.names;
            let version = definition.spec.versions.into_iter().next().unwrap();
            let schema = version.schema.unwrap().open_api_v3_schema.unwrap();
            let fields = version.selectable_fields.unwrap_or_default().into_iter();
            Kind {
                words: [Some(names.plural), names.singular]
                    .into_iter()
                    .flatten()
                    .chain(names.short_names.unwrap_or_default())
                    .collect(),
                schema: serde_json::to_value(schema).unwrap(),
                selectable: fields.map(|field| field.json_path.trim_start_matches('.').to_owned()).collect(),
                kind: names.kind,
            }
        });
        Self { kinds: kinds.collect(), values: serde_json::from_str(&values).unwrap() }
    }

    /// The kind that a word of kubectl means, such as `spol` or `syncpolicy/everyone`.
    pub fn meant(&self, word: &str) -> Option<&Kind> {
        let word = word.split('/').next().unwrap_or_default().trim_end_matches(".rollcall.dev").to_lowercase();
        self.kinds.iter().find(|kind| kind.words.contains(&word))
    }

    /// What is wrong with the part of an object that stands in `text`; what is missing in it is not.
    pub fn wrong_in(kind: &str, text: &str) -> Vec<String> {
        let node: Node = match serde_saphyr::from_str(text) {
            Ok(node) => node,
            Err(why) => return vec![why.to_string()],
        };
        let found = schema::findings(kind, &node).into_iter();
        found
            .filter(|(line, why)| !why.ends_with(": is missing") && !left_out(text, *line))
            .map(|(line, why)| format!("line {line}: {why}"))
            .collect()
    }

    /// What is wrong with values of the chart.
    pub fn wrong_values(&self, values: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.compare(values, &self.values, "", &mut found);
        found
    }

    fn compare(&self, value: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
        let named = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next());
        let schema = named.map_or(schema, |name| &self.values["definitions"][name]);
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            found.push(format!("{path}: {value} is none of {words:?}"));
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        if !types.is_empty() && !types.contains(&type_of(value)) {
            found.push(format!("{path}: {value} is not of type {}", types.join(" or ")));
        }
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    let path = format!("{path}.{key}");
                    match (&schema["properties"][key], &schema["additionalProperties"]) {
                        (Value::Null, Value::Bool(false)) => found.push(format!("{path}: there is no such value")),
                        (Value::Null, Value::Object(_)) => {
                            self.compare(value, &schema["additionalProperties"], &path, found)
                        }
                        (Value::Null, _) => {}
                        (property, _) => self.compare(value, property, &path, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.compare(item, &schema["items"], path, found)),
            _ => {}
        }
    }
}

/// Whether a line says by `…` that its reader has to write something.
fn left_out(text: &str, line: u64) -> bool {
    let before = usize::try_from(line).unwrap_or_default().saturating_sub(1);
    text.lines().nth(before).is_some_and(|line| line.contains('…'))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether a path such as `status.conditions[0].reason` or `status.steps[*].target` leads somewhere in a schema.
pub fn leads_somewhere(schema: &Value, path: &str) -> bool {
    let mut at = schema;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let name = part.split(['[', '=']).next().unwrap_or_default();
        if name == "metadata" || name == "kind" || name == "apiVersion" {
            return true;
        }
        at = match (&at["properties"][name], &at["additionalProperties"]) {
            (Value::Null, Value::Object(_)) => &at["additionalProperties"],
            (property, _) => property,
        };
        if part.contains('[') {
            at = &at["items"];
        }
        if at.is_null() {
            return false;
        }
    }
    true
}

#[test]
fn values_that_the_chart_would_refuse_are_found() {
    let schemas = Schemas::read();
    for (values, why) in [
        (serde_json::json!({"images": {}}), Some(".images: there is no such value")),
        (
            serde_json::json!({"targets": [{"namespace": "team-a", "canary": true}]}),
            Some(".targets.canary: there is no such value"),
        ),
        (serde_json::json!({"freeze": {"enabled": "yes"}}), Some("is not of type boolean")),
        (serde_json::json!({"image": {"pullPolicy": "Sometimes"}}), Some("is none of")),
        (serde_json::json!({"runAsUser": null, "nodeSelector": {"a": "b"}}), None),
    ] {
        let found = schemas.wrong_values(&values);
        match why {
            Some(why) => assert!(found.iter().any(|found| found.contains(why)), "{values}: {found:?}"),
            None => assert!(found.is_empty(), "{found:?}"),
        }
    }
}

#[test]
fn paths_of_objects_lead_somewhere_or_nowhere() {
    let schemas = Schemas::read();
    let schema = &schemas.meant("revo").unwrap().schema;
    for (path, leads) in [
        ("status.phase", true),
        ("status.steps[*].target.name", true),
        ("metadata.annotations.x", true),
        ("status.fase", false),
        ("status.phase.x", false),
        ("status.steps.target", false),
    ] {
        assert_eq!(leads_somewhere(schema, path), leads, "{path}");
    }
}
