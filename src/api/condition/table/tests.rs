use std::collections::{BTreeMap, BTreeSet};

use super::*;

const PAGE: &str = include_str!("../../../../docs/conditions.md");

fn quoted(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| format!("`{reason}`")).collect::<Vec<_>>().join(", ")
}

fn shown(row: &Row) -> String {
    let Row { condition, status, reasons, when, next } = row;
    format!("| `{condition}={}` | {} | {when} | {next} |", status.as_str(), quoted(reasons))
}

/// The rows of the page under each heading, their column heads left out.
fn documented() -> BTreeMap<&'static str, Vec<&'static str>> {
    let (mut heading, mut found) = ("", BTreeMap::<_, Vec<_>>::new());
    for line in PAGE.lines() {
        if line.starts_with('#') {
            heading = line.trim_start_matches('#').trim();
        } else if line.starts_with("| `") {
            found.entry(heading).or_default().push(line);
        }
    }
    found
}

#[test]
fn the_page_shows_each_row_of_the_table_and_no_other() {
    let mut expected: BTreeMap<&str, Vec<String>> =
        CONDITIONS.iter().map(|section| (section.heading, section.rows.iter().map(shown).collect())).collect();
    let event = |row: &EventRow| format!("| {} | {} | {} |", quoted(row.reasons), row.on, row.when);
    expected.insert("Events", EVENTS.iter().map(event).collect());
    let documented = documented();
    for (heading, rows) in &expected {
        let shown = documented.get(heading).map(|rows| rows.join("\n")).unwrap_or_default();
        assert!(shown == rows.join("\n"), "{heading} in docs/conditions.md should be:\n{}", rows.join("\n"));
    }
    let headings: BTreeSet<_> = documented.keys().collect();
    assert_eq!(headings, expected.keys().collect(), "a table under another heading");
}

#[test]
fn each_type_and_each_reason_is_explained() {
    let rows = || CONDITIONS.iter().flat_map(|section| section.rows);
    let types: BTreeSet<_> = rows().map(|row| row.condition).collect();
    assert_eq!(types, ConditionType::ALL.iter().copied().collect());
    let reasons = rows().flat_map(|row| row.reasons).chain(EVENTS.iter().flat_map(|row| row.reasons));
    assert_eq!(reasons.copied().collect::<BTreeSet<_>>(), Reason::ALL.iter().copied().collect());
}

#[test]
fn a_condition_that_is_not_in_the_table_is_not_known() {
    assert!(knows(ConditionType::Ready, Status::True, Reason::Succeeded));
    assert!(!knows(ConditionType::Ready, Status::False, Reason::Succeeded));
    assert!(!knows(ConditionType::Reachable, Status::False, Reason::Shrunk));
}
