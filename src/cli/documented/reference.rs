//! The reference pages, written from what they describe: fields from the types, commands from the parser of arguments, values
//! from the schema of the chart. `make docs` puts what the test has written into its place.

use std::ffi::OsString;
use std::fs;

use regex::Regex;
use serde_json::Value;

use super::yaml_span::{Node, NodeKind};
use crate::api;

#[test]
fn the_reference_is_of_today() {
    let pages = [
        ("docs/reference/api.md", "api.md", fields()),
        ("docs/reference/cli.md", "cli.md", commands()),
        ("charts/rollcall/README.md", "values.md", values()),
    ];
    fs::create_dir_all("target/reference").unwrap();
    let mut old = Vec::new();
    for (stands, name, text) in pages {
        fs::write(format!("target/reference/{name}"), &text).unwrap();
        if fs::read_to_string(stands).unwrap_or_default() != text {
            old.push(stands);
        }
    }
    assert!(old.is_empty(), "not of today: {old:?}; run `make docs`");
}

const GENERATED: &str = "<!-- Written by `make docs`; do not edit. -->\n";

/// Every field of every kind.
fn fields() -> String {
    let mut page = format!(
        "{GENERATED}# Every field of every kind\n\nThis page is generated from the schemas that the API server checks. [The kinds](../kinds.md) explains the fields \
         that people write. `[]` is an item of a list, `*` any key of a map. *Required* is what must stand where the object around it stands.\n"
    );
    for definition in api::definitions() {
        let names = &definition.spec.names;
        let version = &definition.spec.versions[0];
        let schema =
            serde_json::to_value(version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap()).unwrap();
        let short = names.short_names.iter().flatten().map(|name| format!(", `{name}`")).collect::<String>();
        page.push_str(&format!(
            "\n## {}\n\n`{}`{short}, `{}/{}`.",
            names.kind, names.plural, definition.spec.group, version.name
        ));
        if let Some(says) = schema["description"].as_str() {
            page.push_str(&format!(" {}", sentence(says)));
        }
        page.push_str("\n\n| field | type | default | |\n|---|---|---|---|\n");
        for part in ["spec", "status"] {
            let required = schema["required"].as_array().is_some_and(|all| all.contains(&part.into()));
            if !schema["properties"][part].is_null() {
                field(part, &schema["properties"][part], required, &mut page);
            }
        }
    }
    page
}

fn field(path: &str, schema: &Value, required: bool, page: &mut String) {
    let default = match &schema["default"] {
        Value::Null if required => "*required*".to_owned(),
        Value::Null => String::new(),
        default => format!("`{default}`"),
    };
    let says = sentence(schema["description"].as_str().unwrap_or_default());
    page.push_str(&format!("| `{path}` | {} | {default} | {says} |\n", type_of(schema)));
    inside(path, schema, page);
}

fn inside(path: &str, schema: &Value, page: &mut String) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let required = schema["required"].as_array().is_some_and(|all| all.contains(&name.as_str().into()));
        field(&format!("{path}.{name}"), property, required, page);
    }
    if schema["items"].is_object() {
        inside(&format!("{path}[]"), &schema["items"], page);
    }
    if schema["additionalProperties"].is_object() {
        inside(&format!("{path}.*"), &schema["additionalProperties"], page);
    }
}

fn type_of(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`"));
        return words.collect::<Vec<_>>().join(", ");
    }
    match (schema["type"].as_str().unwrap_or("any"), schema["format"].as_str()) {
        ("array", _) => format!("list of {}", type_of(&schema["items"])),
        ("object", _) if schema["additionalProperties"].is_object() => {
            format!("map of {}", type_of(&schema["additionalProperties"]))
        }
        ("string", Some("date")) => "day".to_owned(),
        ("string", Some("date-time")) => "time".to_owned(),
        ("string", _) => "text".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// A description on one line, as a cell of a table takes it.
fn sentence(text: &str) -> String {
    let line = text.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;")
}

/// What every command says of itself.
fn commands() -> String {
    let mut page = format!(
        "{GENERATED}# Commands\n\nThis page is generated: it is what each command prints with `--help`. The commands of the kubectl plugin act with your own rights. \
         `rollcall` has them too, and those of the operator. Forms of output, and exit codes: [operating.md](../operating.md#output-and-exit-codes).\n"
    );
    let plugin = help("kubectl-rollcall", &[]);
    page.push_str(&format!("\n## kubectl rollcall\n\n```text\n{plugin}```\n"));
    let humans = listed(&plugin);
    for name in &humans {
        command("kubectl-rollcall", "kubectl rollcall", &[name], &mut page);
    }
    let operator = help("rollcall", &[]);
    page.push_str("\n## rollcall\n\nThe commands that only the binary has:\n");
    for name in listed(&operator).iter().filter(|name| !humans.contains(name)) {
        command("rollcall", "rollcall", &[name], &mut page);
    }
    page
}

fn command(program: &str, called: &str, path: &[&str], page: &mut String) {
    let says = help(program, path);
    page.push_str(&format!("\n### {called} {}\n\n```text\n{says}```\n", path.join(" ")));
    for name in listed(&says) {
        command(program, called, &[path, &[name.as_str()]].concat(), page);
    }
}

fn help(program: &str, path: &[&str]) -> String {
    let words = [&[program], path, &["--help"]].concat();
    let says =
        super::super::parse_from(words.into_iter().map(OsString::from).collect()).err().map(|says| says.to_string());
    let says = says.unwrap_or_else(|| panic!("{program} {path:?} has no help"));
    // What is set where this runs is nobody's business.
    let says = Regex::new(r"\[env: ([A-Z_]+)=[^\]]*\]").unwrap().replace_all(&says, "[env: $1]").into_owned();
    says.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The commands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = commands.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

const TABLE: &str = "| value | default | description |\n|---|---|---|\n";

/// The page of the chart, with the table of today.
fn values() -> String {
    let page = fs::read_to_string("charts/rollcall/README.md").unwrap();
    let (before, _) = page.split_once(TABLE).expect("the page has a table of values");
    let read = |name: &str| -> Node {
        serde_saphyr::from_str(&fs::read_to_string(format!("charts/rollcall/{name}")).unwrap()).unwrap()
    };
    let (schema, defaults) = (read("values.schema.json"), read("values.yaml"));
    let mut table = TABLE.to_owned();
    value("", &schema, &schema, Some(&defaults), false, &mut table);
    format!("{before}{table}")
}

fn value(path: &str, node: &Node, schema: &Node, default: Option<&Node>, required: bool, table: &mut String) {
    let named = node.get("$ref").and_then(text).and_then(|name| name.rsplit('/').next());
    let meant = named.and_then(|name| schema.get("definitions")?.get(name)).unwrap_or(node);
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let (Some(NodeKind::Map(properties)), false) =
        (meant.get("properties").map(|node| &node.part), path.ends_with("resources"))
    {
        for (name, _, property) in properties.iter().filter(|(name, ..)| name != "global") {
            value(&below(name), property, schema, default.and_then(|default| default.get(name)), false, table);
        }
        return;
    }
    let says = node.get("description").or_else(|| meant.get("description")).and_then(text);
    let says = says.unwrap_or_else(|| panic!("{path} has no description in values.schema.json"));
    let default = default.map(json).or_else(|| meant.get("default").map(json)).map(|default| match default {
        Value::String(text) if !text.is_empty() => format!("`{text}`"),
        other => format!("`{other}`"),
    });
    table.push_str(&format!(
        "| `{path}` | {} | {says} |\n",
        default.unwrap_or_else(|| if required { "required".to_owned() } else { String::new() })
    ));
    if let Some(NodeKind::Map(properties)) =
        meant.get("items").and_then(|items| items.get("properties")).map(|node| &node.part)
    {
        let needed = match meant.get("items").and_then(|items| items.get("required")).map(|node| &node.part) {
            Some(NodeKind::List(all)) => all.as_slice(),
            _ => &[],
        };
        for (name, _, property) in properties {
            value(
                &format!("{path}[].{name}"),
                property,
                schema,
                None,
                needed.iter().any(|one| text(one) == Some(name)),
                table,
            );
        }
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.part {
        NodeKind::Scalar(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn json(node: &Node) -> Value {
    match &node.part {
        NodeKind::Scalar(value) => value.clone(),
        NodeKind::List(items) => items.iter().map(json).collect(),
        NodeKind::Map(entries) => entries.iter().map(|(key, _, value)| (key.clone(), json(value))).collect(),
    }
}
