//! The rules of a schema (`x-kubernetes-validations`), asked of a manifest as the API server asks them of a new object: with
//! what it would fill in, and without those that compare with an old object.

use std::collections::HashMap;
use std::sync::Arc;

use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{Context, Program, Value};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use regex::Regex;
use serde_json::Value as Json;

use super::schema::Wrong;
use super::yaml_span::{Node, NodeKind};
use domain::quote::quoted;

/// Every rule of a schema that a manifest breaks.
pub fn findings(manifest: &Node, schema: &JSONSchemaProps, found: &mut Vec<Wrong>) {
    let mut value = plain(manifest);
    fill_in(&mut value, schema);
    ask(&value, Some(manifest), manifest.line, schema, "", found);
}

/// A manifest as plain values, without what is null.
fn plain(node: &Node) -> Json {
    match &node.part {
        NodeKind::Map(entries) => {
            let said = entries.iter().filter(|(.., value)| !matches!(value.part, NodeKind::Scalar(Json::Null)));
            Json::Object(said.map(|(key, _, value)| (key.clone(), plain(value))).collect())
        }
        NodeKind::List(items) => Json::Array(items.iter().map(plain).collect()),
        NodeKind::Scalar(value) => value.clone(),
    }
}

fn fill_in(value: &mut Json, schema: &JSONSchemaProps) {
    match value {
        Json::Object(map) => {
            for (name, of) in schema.properties.iter().flatten() {
                if let (None, Some(default)) = (map.get(name), &of.default) {
                    map.insert(name.clone(), default.0.clone());
                }
            }
            for (name, value) in map {
                if let Some(of) = property(schema, name) {
                    fill_in(value, of);
                }
            }
        }
        Json::Array(items) => {
            if let Some(JSONSchemaPropsOrArray::Schema(of)) = &schema.items {
                items.iter_mut().for_each(|item| fill_in(item, of));
            }
        }
        _ => {}
    }
}

fn property<'s>(schema: &'s JSONSchemaProps, name: &str) -> Option<&'s JSONSchemaProps> {
    let more = match &schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(of)) => Some(of.as_ref()),
        _ => None,
    };
    schema.properties.as_ref().and_then(|properties| properties.get(name)).or(more)
}

/// `line` is where the nearest part of the manifest stands; what was filled in stands nowhere.
fn ask(value: &Json, node: Option<&Node>, line: u64, schema: &JSONSchemaProps, path: &str, found: &mut Vec<Wrong>) {
    for rule in schema.x_kubernetes_validations.iter().flatten().filter(|rule| !rule.rule.contains("oldSelf")) {
        if broken(&rule.rule, value) {
            let message = rule.message.as_deref().unwrap_or(&rule.rule);
            let path = if path.is_empty() { "manifest" } else { path };
            let written = value.as_str().map(|text| format!("{}: ", quoted(text))).unwrap_or_default();
            found.push((line, format!("{path}: {written}{message}")));
        }
    }
    match value {
        Json::Object(map) => {
            for (name, value) in map {
                let Some(of) = property(schema, name) else { continue };
                let child = node.and_then(|node| node.get(name));
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                ask(value, child, child.map_or(line, |child| child.line), of, &path, found);
            }
        }
        Json::Array(items) => {
            let Some(JSONSchemaPropsOrArray::Schema(of)) = &schema.items else { return };
            for (place, item) in items.iter().enumerate() {
                let child = match node.map(|node| &node.part) {
                    Some(NodeKind::List(nodes)) => nodes.get(place),
                    _ => None,
                };
                ask(item, child, child.map_or(line, |child| child.line), of, &format!("{path}[{place}]"), found);
            }
        }
        _ => {}
    }
}

/// Whether a rule says no. One that cannot be asked here is the API server's to ask.
fn broken(rule: &str, value: &Json) -> bool {
    let Ok(program) = Program::compile(rule) else { return false };
    let mut context = Context::default();
    context.add_variable_from_value("self", of_json(value));
    let matching = |This(text): This<Arc<String>>, pattern: Arc<String>| {
        Regex::new(&pattern).is_ok_and(|pattern| pattern.is_match(&text))
    };
    context.add_function("matches", matching).is_ok() && matches!(program.execute(&context), Ok(Value::Bool(false)))
}

fn of_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::String(text.clone().into()),
        Json::Array(items) => Value::List(items.iter().map(of_json).collect::<Vec<_>>().into()),
        Json::Object(map) => {
            let entries = map.iter().map(|(key, value)| (Key::String(key.clone().into()), of_json(value)));
            Value::Map(Map { map: entries.collect::<HashMap<_, _>>().into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn said(kind: &str, manifest: &str) -> Vec<Wrong> {
        schema::findings(kind, &serde_saphyr::from_str::<Node>(manifest).unwrap())
    }

    #[test]
    fn a_rule_across_fields_is_asked_as_the_api_server_asks_it() {
        let hq = |name: &str, source: &str| {
            format!(
                "kind: HRConnection\nmetadata: {{name: {name}}}\nspec:\n  source:\n    {source}\n  schedule: {{every: 1h}}\n"
            )
        };
        let file = "file: {from: {configMap: {name: people, key: people.csv}}}";
        let long = "x".repeat(41);
        for (situation, manifest, why) in [
            ("as it should be", hq("hq", file), None),
            (
                "two sources",
                hq("hq", &format!("{file}\n    api: {{connector: hibob, credentialsRef: {{name: hr}}}}")),
                Some("spec.source: "),
            ),
            (
                "nowhere a file lies",
                hq("hq", "file: {from: {}}"),
                Some("spec.source.file.from: exactly one of configMap, http and sftp"),
            ),
            (
                "what was filled in counts",
                hq("hq", &file.replace("from:", "mode: Delta, from:")),
                Some("spec.source.file: mode Delta needs from.sftp"),
            ),
            ("a name that is too long", hq(&long, file), Some("manifest: ")),
            (
                "keys of a map",
                hq(
                    "hq",
                    &format!(
                        "file: {{from: {{configMap: {{name: people, key: p}}}}, csv: {{statuses: {{{}: Active}}}}}}",
                        "w".repeat(129)
                    ),
                ),
                Some("spec.source.file.csv.statuses: status words"),
            ),
        ] {
            let found = said("HRConnection", &manifest);
            match why {
                None => assert!(found.is_empty(), "{situation}: {found:?}"),
                Some(why) => assert!(
                    found.iter().any(|(line, said)| *line > 0 && said.starts_with(why)),
                    "{situation}: {found:?}"
                ),
            }
        }
    }

    #[test]
    fn what_decides_can_be_neither_once_nor_never_and_a_name_must_be_that_of_a_field() {
        let decides = "spec.fields: state, dates, ids and the work address decide whose access ends and when";
        for (fields, why) in [
            ("title: Once, phone: Never, custom.badge: Continuous, startDate: Continuous", None),
            ("endDate: Never", Some(decides)),
            ("title: Once, state: Once", Some(decides)),
            ("employeeId: Never", Some(decides)),
            ("workEmail: Once", Some(decides)),
            ("birthDate: Once", Some("spec.fields: a name is no field; these are: displayName")),
        ] {
            let spec = format!("{{connections: [{{name: hq}}], timeZones: {{default: UTC}}, fields: {{{fields}}}}}");
            let manifest = format!(
                "apiVersion: rollcall.dev/v1alpha1\nkind: SyncPolicy\nmetadata: {{name: everyone}}\nspec: {spec}\n"
            );
            let found = said("SyncPolicy", &manifest);
            let fits = why.map_or(found.is_empty(), |why| found.iter().any(|(_, said)| said.starts_with(why)));
            assert!(fits, "{fields}: {found:?}");
        }
    }

    #[test]
    fn every_rule_of_the_schemas_can_be_asked() {
        let rules = |schema: &JSONSchemaProps| {
            let mut all = Vec::new();
            let mut open = vec![schema.clone()];
            while let Some(one) = open.pop() {
                all.extend(one.x_kubernetes_validations.into_iter().flatten().map(|rule| rule.rule));
                open.extend(one.properties.into_iter().flatten().map(|(_, of)| of));
                if let Some(JSONSchemaPropsOrArray::Schema(of)) = one.items {
                    open.push(*of);
                }
                if let Some(JSONSchemaPropsOrBool::Schema(of)) = one.additional_properties {
                    open.push(*of);
                }
            }
            all
        };
        let mut count = 0;
        for definition in crate::api::definitions() {
            let schema =
                definition.spec.versions.into_iter().next().and_then(|version| version.schema?.open_api_v3_schema);
            for rule in rules(&schema.unwrap()).into_iter().filter(|rule| !rule.contains("oldSelf")) {
                assert!(Program::compile(&rule).is_ok(), "{rule}");
                count += 1;
            }
        }
        assert!(count > 8, "{count}");
    }
}
