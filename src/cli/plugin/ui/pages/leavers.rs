//! Who left, and how their access stands: by the rows of `rollcall report leavers`, from what the cluster knows now.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

use super::{Look, lead, today};
use crate::cli::plugin::html::{Html, data, el};
use crate::cli::plugin::report::Days;
use crate::cli::plugin::report::leavers::{COLUMNS, Row, rows};
use crate::cli::plugin::ui::frame::{Page, Tone, chip, command, day, nothing, of_person, table, time};
use crate::cli::plugin::ui::lists::{Cut, ROWS, field, form};

/// The columns of the report that the page has; names only where they are asked for.
const SHOWN: [&str; 9] = [
    "HR RECORDS",
    "NAME",
    "OUTCOME",
    "LAST DAY",
    "SEEN",
    "VERIFIED",
    "VERIFIED AFTER",
    "REMAINING COUNT",
    "APPROVED BY",
];
/// Of those, the ones that name people.
const NAMES: [&str; 2] = ["NAME", "APPROVED BY"];

/// The page.
pub fn page(look: &Look<'_>) -> Page {
    let days = days(look.query.get("from"), look.query.get("to"), today(look.now));
    let rows: Vec<Row> = rows(look.world, &[], days, look.now).into_iter().filter(|row| !row.is_of_drill()).collect();
    let (from, to) = (days.from.to_string(), days.to.to_string());
    let cut = Cut::of(Some(look.query.get("page")), rows.len());
    let newest_first: Vec<&Row> = rows.iter().rev().skip(cut.before()).take(ROWS).collect();
    let links = || cut.links("leavers", &[("from", &from), ("to", &to)]);
    let report = format!("kubectl rollcall report leavers --from {from} --to {to} -o html > leavers.html");
    let body = Html::from([
        lead(
            "Everybody whose last day of work lies in these days, and what became of their access. The evidence, and what was pruned of the cluster, is in the report.",
        ),
        form("leavers", "Which days", vec![field("From", "from", "date", &from), field("To", "to", "date", &to)]),
        el("div", &[("id", "list"), ("data-part", "")], vec![links(), listed(&newest_first, look.unmask), links()]),
        el("p", &[], vec![Html::from("For an auditor, with the evidence: "), command(&report)]),
    ]);
    Page { of: "leavers", title: "Leavers".to_owned(), live: true, body }
}

/// The days that are asked for; without them, the last thirty. What is no day is as if it was not given.
pub fn days(from: &str, to: &str, today: Date) -> Days {
    let to = to.parse().unwrap_or(today);
    let from = from.parse().unwrap_or_else(|_| to.saturating_sub(30.days()));
    if from > to { Days { from: to, to: from } } else { Days { from, to } }
}

fn listed(rows: &[&Row], unmask: bool) -> Html {
    let shown = |name: &&str| SHOWN.contains(name) && (unmask || !NAMES.contains(name));
    let columns: Vec<_> = COLUMNS.iter().filter(|(name, ..)| shown(name)).collect();
    let head: Vec<&str> = columns.iter().map(|(name, ..)| heading(name)).collect();
    let cells = |row: &&Row| columns.iter().map(|(name, _, of)| cell(name, &of(row), row)).collect();
    table("People who left", &head, rows.iter().map(cells).collect())
}

/// A heading as a page has it.
pub fn heading(name: &str) -> &str {
    match name {
        "HR RECORDS" => "HR records",
        "NAME" => "Name",
        "OUTCOME" => "Access",
        "LAST DAY" => "Last day",
        "SEEN" => "Seen in HR",
        "VERIFIED" => "Seen refused",
        "VERIFIED AFTER" => "After",
        "REMAINING COUNT" => "Remains",
        "APPROVED BY" => "Approved by",
        other => other,
    }
}

fn cell(column: &str, lines: &[String], row: &Row) -> Html {
    let text = lines.join(", ");
    match column {
        "HR RECORDS" => el("a", &[("href", &of_person(row.person()))], data(&text)),
        "OUTCOME" => {
            let (tone, words) = outcome(row.outcome());
            chip(tone, words)
        }
        _ if text.is_empty() => nothing(),
        _ => dated(&text),
    }
}

/// A text; an instant or a day as a page has it.
pub fn dated(text: &str) -> Html {
    let instant = text.parse::<Timestamp>().ok().map(time);
    instant.or_else(|| text.parse::<Date>().ok().map(day)).unwrap_or_else(|| data(text))
}

/// How a termination stands, in words.
pub fn outcome(word: &str) -> (Tone, String) {
    match word {
        "Revoked" => (Tone::Good, "Revoked, and seen refused".to_owned()),
        "NothingToRevoke" => (Tone::Good, "Nothing to revoke".to_owned()),
        "UnderWay" => (Tone::Waits, "Under way".to_owned()),
        "NoRevocation" => (Tone::Plain, "No Revocation".to_owned()),
        "Cancelled" => (Tone::Plain, "Cancelled".to_owned()),
        "Failed" => (Tone::Bad, "Failed".to_owned()),
        held => (if held.starts_with("Held") { Tone::Waits } else { Tone::Plain }, held.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn days_that_are_none_are_the_last_thirty_and_turned_ones_are_turned_back() {
        let today = date(2026, 3, 31);
        for (from, to, expected) in [
            ("", "", [date(2026, 3, 1), today]),
            ("2026-01-01", "", [date(2026, 1, 1), today]),
            ("x", "<b>", [date(2026, 3, 1), today]),
            ("2026-03-31", "2026-01-01", [date(2026, 1, 1), today]),
        ] {
            let days = days(from, to, today);
            assert_eq!([days.from, days.to], expected, "{from} {to}");
        }
    }

    #[test]
    fn every_outcome_of_the_report_has_words_and_only_what_is_proved_is_good() {
        for (word, tone) in [
            ("Revoked", Tone::Good),
            ("NothingToRevoke", Tone::Good),
            ("Held: OverLimit", Tone::Waits),
            ("UnderWay", Tone::Waits),
            ("Failed", Tone::Bad),
            ("NoRevocation", Tone::Plain),
            ("Cancelled", Tone::Plain),
            ("a word of another version", Tone::Plain),
        ] {
            assert_eq!(outcome(word).0, tone, "{word}");
        }
    }
}
