//! What README.md, CONTRIBUTING.md and docs/ say can be typed, and leads somewhere.
//!
//! Each command is taken apart as a shell would do it, and read by what would read it: Rollcall's by the parser of its own
//! arguments, kubectl's as far as verbs, kinds, files and fields go, Helm's by the schema of the chart's values, make's by
//! the Makefile. Each YAML block is compared with the schemas, and each link is followed.

mod argocd;
mod commands;
mod known;
mod links;
mod manifests;
mod pages;
mod reference;
mod schemas;
mod shell;

use std::collections::BTreeSet;
use std::path::Path;

use self::commands::Commands;
use self::pages::Page;
use self::schemas::Schemas;
use super::plugin::preview::{schema, yaml_span};

/// Joins complaints to one text, which is empty where there are none.
fn told(complaints: &[String]) -> String {
    complaints.join("\n")
}

#[test]
fn every_command_of_every_page_can_be_typed() {
    let commands = Commands::new(Schemas::read());
    let (mut read, mut wrong) = (0, Vec::new());
    for page in Page::all() {
        let mut functions = Vec::new();
        for block in page.blocks().iter().filter(|block| block.is_shell()) {
            let script = match shell::script(&block.typed()) {
                Ok(script) => script,
                Err(why) => {
                    wrong.push(format!("{}:{}: {why}", page.path, block.line));
                    continue;
                }
            };
            functions.extend(script.functions);
            for command in script.commands.iter().filter(|command| !functions.contains(&command.words[0])) {
                read += 1;
                let at = format!("{}:{}: {}", page.path, block.line + command.line, command.words.join(" "));
                wrong.extend(commands.check(command).into_iter().map(|why| format!("{at}\n    {why}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", told(&wrong));
    assert!(read > 300, "the pages were not read: {read}");
}

#[test]
fn every_command_within_a_sentence_exists() {
    let commands = Commands::new(Schemas::read());
    let (mut read, mut wrong) = (0, Vec::new());
    for page in Page::all().iter().filter(|page| page.path != "CHANGELOG.md") {
        for (line, span) in page.spans() {
            let Some(words) = commands::ours_in_a_sentence(&span) else { continue };
            read += 1;
            let why = commands.exists(&words);
            wrong.extend(why.map(|why| format!("{}:{line}: {span}\n    {why}", page.path)));
        }
    }
    assert!(wrong.is_empty(), "{}", told(&wrong));
    assert!(read > 200, "the pages were not read: {read}");
}

#[test]
fn every_yaml_block_is_what_something_takes() {
    let schemas = Schemas::read();
    let (mut read, mut wrong) = (0, Vec::new());
    for page in Page::all() {
        for block in page.blocks().iter().filter(|block| block.language() == "yaml") {
            read += 1;
            let why = manifests::check(&schemas, &page.path, &block.text);
            wrong.extend(why.into_iter().map(|why| format!("{}:{}: {why}", page.path, block.line)));
        }
    }
    assert!(wrong.is_empty(), "{}", told(&wrong));
    assert!(read > 100, "the pages were not read: {read}");
}

#[test]
fn every_annotation_and_label_that_a_page_names_is_one_of_rollcalls() {
    let name = regex::Regex::new(r"rollcall\.dev/[A-Za-z][A-Za-z-]*[A-Za-z]").unwrap();
    let sources = links::sources(&["src", "crates", "charts/rollcall/templates", "charts/rollcall/values.yaml"]);
    let known: BTreeSet<_> = sources
        .iter()
        .filter(|(path, _)| !path.starts_with("src/cli/documented"))
        .flat_map(|(_, text)| name.find_iter(text).map(|found| found.as_str()))
        .collect();
    let pages = Page::all();
    let wrong: Vec<_> = pages
        .iter()
        .flat_map(|page| name.find_iter(&page.text).map(move |found| (page, found.as_str())))
        .filter(|(_, found)| !known.contains(found))
        .map(|(page, found)| format!("{}: {found}", page.path))
        .collect();
    assert!(wrong.is_empty(), "no source has these:\n{}", told(&wrong));
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = Page::all();
    let wrong: Vec<_> = pages.iter().flat_map(links::dead).collect();
    assert!(wrong.is_empty(), "{}", told(&wrong));
}

#[test]
fn every_page_that_a_message_or_the_chart_names_is_there() {
    let wrong = links::dead_in_sources();
    assert!(wrong.is_empty(), "{}", told(&wrong));
}

#[test]
fn the_table_of_contents_has_each_page_once() {
    let contents = std::fs::read_to_string("docs/SUMMARY.md").unwrap();
    let link = regex::Regex::new(r"\]\(([^)]+\.md)\)").unwrap();
    let mut listed: Vec<_> = link
        .captures_iter(&contents)
        .map(|found| links::joined(Path::new("docs/SUMMARY.md"), &found[1]).to_string_lossy().into_owned())
        .collect();
    listed.sort();
    let mut there: Vec<_> = Page::all().into_iter().map(|page| page.path).collect();
    there.sort();
    assert_eq!(listed, there, "docs/SUMMARY.md lists every page");
}
