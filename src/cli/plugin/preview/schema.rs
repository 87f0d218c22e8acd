//! Whether a manifest is what the API server would take: its fields, their types and bounds, and the rules across fields, by
//! the very definitions that are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use regex::Regex;
use serde_json::Value;

use super::rules;
use super::yaml_span::{Node, NodeKind};
use crate::api;
use domain::quote::quoted;

/// What is wrong, and on which line.
pub type Wrong = (u64, String);

/// Everything that is wrong with a manifest of one of the kinds.
pub fn findings(kind: &str, manifest: &Node) -> Vec<Wrong> {
    let mut found = Vec::new();
    let definition = api::definitions().into_iter().find(|definition| definition.spec.names.kind == kind);
    let version = definition.and_then(|definition| definition.spec.versions.into_iter().next());
    let Some(schema) = version.and_then(|version| version.schema?.open_api_v3_schema) else { return found };
    let Some(spec) = schema.properties.as_ref().and_then(|properties| properties.get("spec")) else { return found };
    if let NodeKind::Map(entries) = &manifest.part {
        let known = ["apiVersion", "kind", "metadata", "spec", "status"];
        for (key, line, _) in entries.iter().filter(|(key, ..)| !known.contains(&key.as_str())) {
            found.push((*line, format!("{key}: no such field; there are: {}", known.join(", "))));
        }
    }
    match manifest.get("spec") {
        Some(node) => check(node, spec, "spec", &mut found),
        None => found.push((manifest.line, "spec: is missing".to_owned())),
    }
    if found.is_empty() {
        rules::findings(manifest, &schema, &mut found); // of the wrong shape, it would break rules it never meant
    }
    found
}

fn check(node: &Node, schema: &JSONSchemaProps, path: &str, found: &mut Vec<Wrong>) {
    let mut wrong = |why: String| found.push((node.line, format!("{path}: {why}")));
    match (&node.part, schema.type_.as_deref()) {
        (NodeKind::Scalar(Value::Null), _) => {} // as good as not there
        (NodeKind::Map(entries), Some("object")) => map(node, entries, schema, path, found),
        (NodeKind::List(items), Some("array")) => {
            let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
            if schema.max_items.is_some_and(|most| count > most) || schema.min_items.is_some_and(|least| count < least)
            {
                let (least, most) = (schema.min_items.unwrap_or_default(), schema.max_items.unwrap_or(i64::MAX));
                wrong(format!("has {count} entries; {least} to {most} are allowed"));
            }
            let Some(JSONSchemaPropsOrArray::Schema(of)) = &schema.items else { return };
            for (place, item) in items.iter().enumerate() {
                check(item, of, &format!("{path}[{place}]"), found);
            }
        }
        (NodeKind::Scalar(Value::String(text)), Some("string")) => string(text, schema).into_iter().for_each(wrong),
        (NodeKind::Scalar(Value::Bool(_)), Some("boolean")) => {}
        (NodeKind::Scalar(Value::Number(number)), Some("integer")) if number.is_i64() || number.is_u64() => {
            let value = number.as_f64().unwrap_or_default();
            if schema.minimum.is_some_and(|least| value < least) || schema.maximum.is_some_and(|most| value > most) {
                wrong(format!("{number} is out of bounds"));
            }
        }
        (NodeKind::Scalar(Value::Number(_) | Value::Bool(_)), Some("string")) => {
            wrong("must be a text: put it in quotes".to_owned());
        }
        (_, Some(kind)) => wrong(format!("must be of type {kind}")),
        (_, None) => {}
    }
}

fn map(node: &Node, entries: &[(String, u64, Node)], schema: &JSONSchemaProps, path: &str, found: &mut Vec<Wrong>) {
    for (key, line, value) in entries {
        let path = format!("{path}.{key}");
        let of = schema.properties.as_ref().and_then(|properties| properties.get(key));
        match (of, &schema.additional_properties) {
            (Some(of), _) => check(value, of, &path, found),
            (None, Some(JSONSchemaPropsOrBool::Schema(of))) => check(value, of, &path, found),
            (None, Some(JSONSchemaPropsOrBool::Bool(true))) => {}
            (None, _) => {
                let known: Vec<_> = schema.properties.iter().flatten().map(|(name, _)| name.as_str()).collect();
                found.push((*line, format!("{path}: no such field; there are: {}", known.join(", "))));
            }
        }
    }
    for name in schema.required.iter().flatten() {
        if !entries.iter().any(|(key, ..)| key == name) {
            found.push((node.line, format!("{path}.{name}: is missing")));
        }
    }
    let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
    if let Some(most) = schema.max_properties.filter(|most| count > *most) {
        found.push((node.line, format!("{path}: has {count} entries; {most} are allowed")));
    }
}

fn string(text: &str, schema: &JSONSchemaProps) -> Option<String> {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let words = schema.enum_.as_ref().map(|all| all.iter().filter_map(|one| one.0.as_str()).collect::<Vec<_>>());
    if let Some(words) = words.filter(|words| !words.contains(&text)) {
        return Some(format!("{} is none of: {}", quoted(text), words.join(", ")));
    }
    if schema.max_length.is_some_and(|most| length > most) || schema.min_length.is_some_and(|least| length < least) {
        let (least, most) = (schema.min_length.unwrap_or_default(), schema.max_length.unwrap_or(i64::MAX));
        return Some(format!("has {length} characters; {least} to {most} are allowed"));
    }
    let pattern = schema.pattern.as_deref()?;
    let fits = Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
    (!fits).then(|| format!("{} does not match {pattern}", quoted(text)))
}
