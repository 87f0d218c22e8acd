//! `rollcall crds`: writes the definitions of the kinds.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::api;

/// Options of `rollcall crds`.
#[derive(Debug, Args)]
pub struct Options {
    /// Write one file for each kind into this folder, instead of all to stdout
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// Writes the definitions.
///
/// # Errors
/// When a file cannot be written.
pub fn run(options: &Options) -> Result<(), Failure> {
    let files = files().map_err(|error| Failure::Refused(format!("write the definitions as YAML: {error}")))?;
    let Some(dir) = &options.dir else {
        let texts: Vec<_> = files.into_iter().map(|(_, text)| text).collect();
        let written = std::io::stdout().write_all(texts.join("---\n").as_bytes());
        return written.map_err(|error| Failure::Refused(format!("write to stdout: {}", error.kind())));
    };
    fs::create_dir_all(dir).map_err(|error| Failure::file(dir, error))?;
    for (name, text) in files {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|error| Failure::file(&path, error))?;
    }
    Ok(())
}

/// Name and YAML of each definition.
fn files() -> Result<Vec<(String, String)>, serde_saphyr::SerializeError> {
    let named = api::definitions().into_iter().map(|definition| {
        let name = format!("{}_{}.yaml", definition.spec.group, definition.spec.names.plural);
        Ok((name, serde_saphyr::to_string(&definition)?))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    /// Every place of a schema, with its path: `hrconnections.spec.source.file.csv.statuses{}`.
    fn places(path: String, schema: &Value, found: &mut Vec<(String, Value)>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            places(format!("{path}.{name}"), property, found);
        }
        if !schema["items"].is_null() {
            places(format!("{path}[]"), &schema["items"], found);
        }
        if schema["additionalProperties"].is_object() {
            places(format!("{path}{{}}"), &schema["additionalProperties"], found);
        }
        found.push((path, schema.clone()));
    }

    fn all_places() -> Vec<(String, Value)> {
        let mut found = Vec::new();
        for definition in api::definitions() {
            for version in &definition.spec.versions {
                let schema = serde_json::to_value(&version.schema).unwrap();
                places(definition.spec.names.plural.clone(), &schema["openAPIV3Schema"], &mut found);
            }
        }
        found
    }

    #[test]
    fn the_definitions_in_the_repository_and_the_chart_are_those_of_the_types() {
        let stand = |dir: &str| -> BTreeMap<String, String> {
            let entries = fs::read_dir(dir).unwrap();
            let read = |path: PathBuf| {
                (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
            };
            entries.map(|entry| read(entry.unwrap().path())).collect()
        };
        let (repository, chart) = (stand("crds"), stand("charts/rollcall/files/crds"));
        for (name, text) in files().unwrap() {
            assert!(repository.get(&name) == Some(&text), "crds/{name} is not of today: run `make crds`");
            assert!(chart.get(&name) == Some(&text), "the chart's {name} is not of today: run `make crds`");
        }
        assert_eq!((repository.len(), chart.len()), (11, 11), "a folder holds what is no definition");
    }

    #[test]
    fn the_yaml_says_exactly_what_the_types_say() {
        for ((name, text), definition) in files().unwrap().iter().zip(api::definitions()) {
            let read: Value = serde_saphyr::from_str(text).unwrap();
            assert_eq!(read, serde_json::to_value(definition).unwrap(), "{name}");
            assert!(!text.contains("null\n"), "{name} holds a null");
        }
    }

    #[test]
    fn every_string_list_and_map_has_a_bound() {
        // A text or a list of texts, which no schema of Kubernetes can say; `api::connection::Headers` bounds it.
        let free = "hrconnections.spec.source.file.csv.columns.fullName";
        for (path, schema) in all_places().into_iter().filter(|(path, _)| path != free) {
            let bounded = |bound: &str| !schema[bound].is_null();
            let holds = match schema["type"].as_str() {
                // The API server checks the form of these two, which bounds them.
                Some("string") if ["date", "date-time"].contains(&schema["format"].as_str().unwrap_or("")) => true,
                Some("string") => bounded("maxLength") || bounded("enum"),
                Some("array") => bounded("maxItems") && bounded("items"),
                Some("object") if bounded("additionalProperties") => bounded("maxProperties"),
                // A pod template, in the words of the API server, which bounds the whole object.
                Some("object") if path == "hooktemplates.spec.templates{}" => true,
                Some("object") => bounded("properties"),
                Some("integer" | "boolean") => true,
                _ => false,
            };
            // Of `metadata` a definition says nothing: it is the API server's.
            assert!(holds, "{path} has no bound: {schema}");
        }
    }

    #[test]
    fn keys_of_maps_that_users_write_have_a_bound() {
        let maps = all_places().into_iter().filter(|(_, schema)| !schema["additionalProperties"].is_null());
        for (path, schema) in maps {
            // Written by sync alone: keys are words of a closed vocabulary, or are cut short by the reader.
            if path.contains(".status.") {
                continue;
            }
            let rules = schema["x-kubernetes-validations"].to_string();
            assert!(rules.contains("size("), "{path} takes keys of any length");
        }
    }

    #[test]
    fn every_format_is_one_that_kubernetes_knows() {
        for (path, schema) in all_places() {
            let format = schema["format"].as_str().unwrap_or("none");
            assert!(["none", "int64", "date", "date-time"].contains(&format), "{path}: {format}");
        }
    }

    #[test]
    fn no_schema_refuses_what_it_does_not_know() {
        for (path, schema) in all_places() {
            assert_ne!(schema["additionalProperties"], Value::Bool(false), "{path}");
        }
    }
}
