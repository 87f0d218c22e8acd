//! Links: of pages, and of what the program and the chart say.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::pages::Page;

/// Links of a page that lead nowhere.
pub fn dead(page: &Page) -> Vec<String> {
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\]\(([^)\s]+)\)").unwrap());
    static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new("`[^`]*`").unwrap());
    let mut wrong = Vec::new();
    for (line, sentence) in page.sentences() {
        let sentence = CODE.replace_all(&sentence, "");
        for found in LINK.captures_iter(&sentence) {
            let target = &found[1];
            if !target.starts_with("http://") && !target.starts_with("https://") && !target.starts_with("mailto:") {
                let why = follow(&page.path, target);
                wrong.extend(why.map(|why| format!("{}:{line}: {target}: {why}", page.path)));
            }
        }
    }
    wrong
}

/// Why a link of a page leads nowhere.
fn follow(from: &str, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = if path.is_empty() { PathBuf::from(from) } else { joined(Path::new(from), path) };
    if !path.exists() {
        return Some(format!("there is no {}", path.display()));
    }
    let anchor = anchor.filter(|_| path.extension().is_some_and(|end| end == "md"))?;
    let name = path.to_string_lossy().into_owned();
    static ANCHORS: LazyLock<HashMap<String, Vec<String>>> =
        LazyLock::new(|| Page::all().into_iter().map(|page| (page.path.clone(), page.anchors())).collect());
    let there = ANCHORS.get(&name).is_some_and(|anchors| anchors.iter().any(|one| one == anchor));
    (!there).then(|| format!("{name} has no heading {anchor}"))
}

/// Where a link of a page leads.
pub fn joined(from: &Path, target: &str) -> PathBuf {
    let mut path = from.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir if path.as_os_str().is_empty() => path.push(".."), // out of the repository: not there
            Component::ParentDir => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }
}

/// The text files of folders, and single files.
pub fn sources(places: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for place in places {
        collect(Path::new(place), &mut found);
    }
    found
}

fn collect(path: &Path, found: &mut Vec<(String, String)>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), found);
        }
    } else if let Ok(text) = fs::read_to_string(path) {
        found.push((path.to_string_lossy().into_owned(), text));
    }
}

/// Pages that the sources, the chart and the examples name, and that are not there.
pub fn dead_in_sources() -> Vec<String> {
    let named = Regex::new(r"docs/[a-z0-9/-]+\.md(#[a-z0-9-]+)?").unwrap();
    let mut wrong = Vec::new();
    for (path, text) in sources(&["src", "crates/domain/src", "crates/hris/src", "charts/rollcall", "examples"]) {
        if path.ends_with(".md") || path.starts_with("src/cli/documented") {
            continue;
        }
        for found in named.find_iter(&text) {
            wrong.extend(follow("README.md", found.as_str()).map(|why| format!("{path}: {why}")));
        }
    }
    wrong
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let text = "[a](install.md) [b](install.md#consent) [c](../README.md#try-it) `[d](none.md)` [e](https://example.com/x)\n\
                [f](none.md) [g](install.md#none) [h](#none) [i](../../outside.md)\n";
    let page = Page { path: "docs/page.md".to_owned(), text: text.to_owned() };
    let found = dead(&page);
    let said: Vec<_> = found.iter().filter_map(|found| found.split(": ").nth(1)).collect();
    assert_eq!(said, ["none.md", "install.md#none", "#none", "../../outside.md"], "{found:?}");
    assert!(found[0].starts_with("docs/page.md:2: "), "{found:?}");
}
