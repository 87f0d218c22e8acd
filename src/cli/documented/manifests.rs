//! Whether a YAML block is what something takes: a manifest, a part of one, values of the chart, a part of a definition.

use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use serde_json::Value;

use super::schemas::Schemas;

/// Blocks of which nothing is known here but that they are YAML: a pod's volumes.
const OTHERS: [(&str, &str); 1] = [("docs/hooks.md", "volumes")];

/// What is wrong with the documents of a block.
pub fn check(schemas: &Schemas, page: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for document in text.split("\n---\n") {
        let value: Value = match serde_saphyr::from_str(document) {
            Ok(value) => value,
            Err(why) => {
                wrong.push(why.to_string());
                continue;
            }
        };
        wrong.extend(one(schemas, page, document, &value));
    }
    wrong
}

fn one(schemas: &Schemas, page: &str, text: &str, value: &Value) -> Vec<String> {
    let kind = value["kind"].as_str().unwrap_or_default();
    if schemas.kinds.iter().any(|one| one.kind == kind) {
        return Schemas::wrong_in(kind, text);
    }
    if value["apiVersion"].is_string() && value["metadata"]["name"].is_string() {
        return foreign(value);
    }
    let keys: BTreeSet<&str> = value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    if keys.iter().any(|key| OTHERS.contains(&(page, key)))
        || keys.iter().all(|key| *key == "metadata") && !keys.is_empty()
    {
        return Vec::new();
    }
    if page.starts_with("docs/connectors/") && (value.is_array() || keys.iter().all(|key| WORDS.contains(*key))) {
        return Vec::new();
    }
    part(schemas, text, value)
}

/// A part of a connection or a policy, or values of the chart: what fits best says what is wrong.
fn part(schemas: &Schemas, text: &str, value: &Value) -> Vec<String> {
    let whole = value.get("spec").is_some();
    let text = if whole { text.to_owned() } else { format!("spec:\n{}", indented(text)) };
    let mut tried: Vec<Vec<String>> = Vec::new();
    for kind in ["SyncPolicy", "HRConnection", "Person"] {
        if tried.iter().all(|wrong| !wrong.is_empty()) {
            tried.push(Schemas::wrong_in(kind, &text));
        }
    }
    if !whole && tried.iter().all(|wrong| !wrong.is_empty()) {
        tried.push(schemas.wrong_values(value));
    }
    tried.into_iter().min_by_key(Vec::len).unwrap_or_default()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// A role of Rollcall's that a binding names is one that the chart makes.
fn foreign(value: &Value) -> Vec<String> {
    let role = value["roleRef"]["name"].as_str().and_then(|name| name.strip_prefix("rollcall-"));
    let Some(role) = role else { return Vec::new() };
    static CHART: LazyLock<Vec<(String, String)>> =
        LazyLock::new(|| super::links::sources(&["charts/rollcall/templates"]));
    let made = CHART.iter().any(|(_, text)| text.contains(&format!("-{role}\n")));
    if made { Vec::new() } else { vec![format!("the chart makes no role rollcall-{role}")] }
}

/// The words of the definitions of the catalogue, and those that none of them happens to use.
static WORDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut found: BTreeSet<String> =
        ["runLive", "custom", "rules", "inputs", "capabilities", "assertion"].map(str::to_owned).into();
    for folder in fs::read_dir("connectors").unwrap() {
        let text = fs::read_to_string(folder.unwrap().path().join("connector.yaml")).unwrap_or_default();
        let words = text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
        found.extend(words.filter_map(|line| line.split_once(':')).map(|(word, _)| word.to_owned()));
    }
    found
});

#[test]
fn what_nothing_takes_is_found() {
    let schemas = Schemas::read();
    for (text, why) in [
        ("kind: SyncPolicy\nspec: {modes: Enforce}\n", "no such field"),
        ("spec: {schedule: {each: 1h}}\n", "no such field"),
        ("  grants:\n    - {name: sales, whenever: 'true'}\n", "no such field"),
        ("trim: {enable: true}\n", "no such"),
        (
            "kind: RoleBinding\napiVersion: rbac.authorization.k8s.io/v1\nmetadata: {name: a}\nroleRef: {name: rollcall-approves}\n",
            "no role",
        ),
        ("a: [\n", "line"),
    ] {
        let found = check(&schemas, "docs/page.md", text);
        assert!(found.iter().any(|found| found.contains(why)), "{text}: {found:?}");
    }
}
