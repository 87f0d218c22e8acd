//! `Debug` output reaches nobody but programmers: it follows the names in the code, and may change with the compiler.
//!
//! Reads all sources for `:?` and `:#?` in a format, outside tests. What is on the list below is a `Debug` of its own or
//! is seen by programmers alone, and the list names how often.

use std::fs;
use std::path::{Path, PathBuf};

/// Files, how many such formats they have, and why they may.
const ALLOWED: [(&str, usize, &str); 4] = [
    ("crates/domain/src/roster.rs", 2, "the Debug of a change, of words of ours"),
    ("crates/domain/src/trust/memory.rs", 1, "the Debug of a memory, of a number"),
    ("src/kube/scenario.rs", 2, "the API server of tests, which panics with what it saw"),
    ("src/architecture_words.rs", 6, "what this test is tried on"),
];

/// Formats with `Debug` in a text: `{x:?}`, `{:?}`, `{x:#?}`, `{0:>8?}`. Comments and test modules are left out.
fn debugs(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| line.match_indices("?}").filter(|(at, _)| in_format(line, *at)).count()).sum()
}

/// Whether a `?}` closes what a `{` with a colon opened.
fn in_format(line: &str, end: usize) -> bool {
    let before = line.get(..end).unwrap_or_default();
    before.rfind('{').is_some_and(|open| before.get(open..).is_some_and(|inside| inside.contains(':')))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "tests" | "stories" | "histories" | "documented") {
                sources(&path, found);
            }
        } else if name.ends_with(".rs")
            && !matches!(name.as_str(), "tests.rs" | "stories.rs" | "histories.rs" | "fuzz.rs" | "released.rs")
        {
            found.push(path);
        }
    }
}

#[test]
fn no_message_is_written_with_debug() {
    let root = Path::new(".");
    let mut files = Vec::new();
    for folder in ["src", "crates/domain/src", "crates/hris/src", "crates/fake-hr/src"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 100, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        let found = debugs(&fs::read_to_string(&file).expect("a source"));
        let allowed = ALLOWED.iter().find(|(of, ..)| *of == name).map_or(0, |(_, times, _)| *times);
        if found != allowed {
            wrong.push(format!("{name}: {found}, {allowed} allowed"));
        }
    }
    assert!(wrong.is_empty(), "write these with `domain::quote::quoted` or a word of their own:\n{}", wrong.join("\n"));
}

#[test]
fn a_format_with_debug_is_found_wherever_it_stands_and_nothing_else() {
    for (code, expected) in [
        (r#"format!("{word:?}")"#, 1),
        (r#"format!("{:?} and {0:#?}", x)"#, 2),
        (r#"  "a {later:>8?} part""#, 1),
        ("// format!(\"{word:?}\")", 0),
        ("let x = Foo { a: b }; y?", 0),
        ("fn f() {}\n#[cfg(test)]\nmod tests {\n format!(\"{x:?}\")", 0),
    ] {
        assert_eq!(debugs(code), expected, "{code}");
    }
}

/// The threat model names, for each row, the tests that show it: each is there, and each row has one or says why not.
#[test]
fn the_threat_model_names_tests_that_are_there() {
    let page = fs::read_to_string("docs/threat-model.md").unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.matches(" | ").count() >= 2);
    let mut named = 0;
    for row in rows.filter(|row| !row.starts_with("| threat |") && !row.starts_with("| they |")) {
        let tests: Vec<(&str, &str)> = row.split('`').filter_map(|code| code.split_once(".rs: ")).collect();
        let excused = ["not testable", "not a story of its own"].iter().any(|words| row.contains(words));
        assert!(!tests.is_empty() || excused, "{row}");
        for (file, test) in tests {
            let text = fs::read_to_string(format!("{file}.rs")).unwrap_or_default();
            assert!(text.contains(&format!("fn {test}(")), "{file}.rs has no test {test}");
            named += 1;
        }
    }
    assert!(named > 40, "the page was not read: {named}");
}
