//! Architecture test: `api` ◀ `kube` ◀ `sync`, `control`, `revoke` ◀ `cli` ◀ `main`, and who may name the crate `hris`.
//! Arrows between crates are the compiler's.
//!
//! Reads the sources for paths of this crate, in `use` lines and in the midst of code, tests included.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Where a part of the operator stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    /// The crate that reads HR systems, and the one that plays them.
    Hris,
    Api,
    /// `kube`: serves the commands.
    Shared,
    /// `sync`, `control`, `revoke`, `grant`, `trim`, `scim`, `tell`: never one another.
    Command,
    Cli,
    Main,
}

fn place(part: &str) -> Layer {
    match part {
        "hris" | "fake_hr" => Layer::Hris,
        "api" => Layer::Api,
        "sync" | "control" | "revoke" | "grant" | "trim" | "scim" | "tell" => Layer::Command,
        "cli" => Layer::Cli,
        "main" => Layer::Main,
        _ => Layer::Shared,
    }
}

fn may_import(from: &str, to: &str) -> bool {
    if from == to {
        return true;
    }
    match (place(from), place(to)) {
        (Layer::Hris | Layer::Api, _) => false,
        (Layer::Shared, to) => to == Layer::Api,
        // Only sync and cli talk to HR systems; tell asks its receiver by the same rules for addresses.
        (Layer::Command, to) => {
            matches!(to, Layer::Api | Layer::Shared) || (matches!(from, "sync" | "tell") && to == Layer::Hris)
        }
        (Layer::Cli, to) => to != Layer::Main,
        (Layer::Main, to) => matches!(to, Layer::Cli | Layer::Shared),
    }
}

/// The parts of this crate that a file's text names. `depth` is how many modules the file lies below the crate's root.
fn named(text: &str, depth: usize, parts: &BTreeSet<String>) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for root in ["crate::", "rollcall::"] {
        found.extend(code.split(root).skip(1).flat_map(firsts));
    }
    for library in ["hris", "fake_hr"] {
        let path = format!("{library}::");
        let starts = code.match_indices(&path).map(|(at, _)| code[..at].chars().next_back());
        if starts.into_iter().any(|before| before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')) {
            found.insert(library.to_owned());
        }
    }
    let mut rest = code.as_str();
    while let Some(at) = rest.find("super::") {
        let mut up = 0;
        rest = &rest[at..];
        while let Some(after) = rest.strip_prefix("super::") {
            up += 1;
            rest = after;
        }
        if up >= depth {
            found.extend(firsts(rest));
        }
    }
    found.intersection(parts).cloned().collect()
}

/// First words of a path, or of each path of a group: `outcome` of `outcome::Fault`, `a` and `b` of `{a::X, b}`.
fn firsts(path: &str) -> Vec<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut level, mut item, mut items) = (1, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => level += 1,
            '}' => level -= 1,
            ',' if level == 1 => items.push(word(&std::mem::take(&mut item))),
            _ => item.push(c),
        }
        if level == 0 {
            break;
        }
    }
    items.push(word(&item));
    items
}

/// Every source file: the part it belongs to, its depth, its path and its text.
fn sources() -> Vec<(String, usize, PathBuf, String)> {
    let src = PathBuf::from("src");
    let (mut folders, mut found) = (vec![src.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&src).unwrap().with_extension("");
                let mut modules: Vec<_> = below.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                modules.pop_if(|last| last == "mod");
                let text = fs::read_to_string(&path).unwrap();
                found.push((modules[0].clone(), modules.len(), path, text));
            }
        }
    }
    found
}

#[test]
fn every_import_follows_the_arrows() {
    let sources = sources();
    let mut parts: BTreeSet<String> =
        sources.iter().map(|(part, ..)| part.clone()).filter(|part| part != "lib").collect();
    assert!(parts.contains("kube") && parts.contains("cli"), "the sources were not found");
    parts.extend(["hris", "fake_hr"].map(str::to_owned));
    for (part, depth, path, text) in &sources {
        if part == "lib" || part == "architecture" {
            continue;
        }
        for named in named(text, *depth, &parts) {
            assert!(may_import(part, &named), "{}: {part} must not import {named}", path.display());
        }
    }
}

#[test]
fn imports_are_found_wherever_they_stand() {
    let parts = ["api", "cli", "control", "kube", "hris"].map(str::to_owned).into();
    let cases = [
        ("a use line", 2, "use crate::api::Person;", vec!["api"]),
        ("a group", 2, "use crate::{api::{Person, x::y}, cli};", vec!["api", "cli"]),
        ("a group over lines", 2, "use crate::{\n    api,\n    control::jobs,\n};", vec!["api", "control"]),
        ("in the midst of code", 2, "let x = crate::control::jobs::start();", vec!["control"]),
        ("from outside the library", 1, "rollcall::cli::run()", vec!["cli"]),
        ("by way of super", 2, "use super::super::control::jobs;", vec!["control"]),
        ("super that stays inside", 2, "use super::control;", vec![]),
        ("a comment", 2, "// crate::control decides that", vec![]),
        ("a library of the same name as a folder", 2, "use kube::api::Api;", vec![]),
        ("the crate of HR sources", 2, "let all = hris::connectors();", vec!["hris"]),
        ("a module of that name elsewhere", 2, "use other::hris::connectors;", vec![]),
    ];
    for (situation, depth, text, expected) in cases {
        assert_eq!(named(text, depth, &parts), expected.into_iter().map(str::to_owned).collect(), "{situation}");
    }
}

#[test]
fn a_wrong_arrow_is_refused() {
    for (from, to) in [
        ("api", "kube"),
        ("api", "hris"),
        ("kube", "control"),
        ("kube", "hris"),
        ("control", "hris"),
        ("revoke", "hris"),
        ("revoke", "fake_hr"),
        ("revoke", "control"),
        ("control", "revoke"),
        ("sync", "control"),
        ("grant", "sync"),
        ("trim", "revoke"),
        ("tell", "sync"),
        ("control", "sync"),
        ("sync", "cli"),
        ("main", "revoke"),
    ] {
        assert!(!may_import(from, to), "{from} to {to}");
    }
    for (from, to) in [("kube", "api"), ("sync", "hris"), ("revoke", "api"), ("revoke", "kube"), ("cli", "control")] {
        assert!(may_import(from, to), "{from} to {to}");
    }
}
