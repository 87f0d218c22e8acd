//! The forecast on a page: what ends, what remains, what they could read, which gates hold, and what is to be done.

use std::collections::BTreeMap;

use super::beyond::Readable;
use super::forecast::{Dead, Forecast};
use crate::api::policy::Mode;
use crate::cli::terminal::{plain, table};
use domain::exposure::Tier;

/// The whole page.
pub fn page(forecast: &Forecast) -> String {
    let parts = [
        Some(head(forecast)),
        Some(ends(forecast)),
        Some(remaining(forecast)),
        readable(&forecast.readable),
        gates(forecast),
        section("NOTES", &forecast.notes),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

fn head(forecast: &Forecast) -> String {
    let mode = match forecast.mode {
        Mode::Observe => "Observe",
        Mode::Enforce => "Enforce",
    };
    let last_day = forecast.last_day.map_or_else(String::new, |day| format!(", last day {day}"));
    let mut lines = vec![format!(
        "{} is HR record {}: {}{last_day}. If they left now, policy {} ({mode}) would do this. Nothing was changed.",
        forecast.person,
        forecast.records.join(", "),
        forecast.state,
        forecast.policy,
    )];
    lines.extend(forecast.revocations.iter().map(|told| format!("Revocation {told}.")));
    plain_lines(&lines)
}

fn ends(forecast: &Forecast) -> String {
    if forecast.ends.is_empty() {
        return "ENDS\nNothing: no account names them as owner, and no binding is theirs alone.".to_owned();
    }
    let after = format!("after {}", forecast.remove_after);
    let rows = forecast.ends.iter().map(|end| {
        let dead = match end.dead {
            Dead::AtTheCut => "at the cut",
            Dead::AfterApproval => "after approval",
            Dead::AfterRemoveAfter => &after,
            Dead::Held => "held",
        };
        let consumers = if end.consumers.is_empty() { "-".to_owned() } else { end.consumers.join(", ") };
        [dead.to_owned(), end.what.clone(), end.action.clone(), consumers]
    });
    let rows = table(["DEAD", "ENDS", "METHOD", "USED BY"], rows);
    let mut words: BTreeMap<&str, [&str; 3]> = BTreeMap::new();
    for end in &forecast.ends {
        words.entry(&end.action).or_insert([&end.method, &end.outage, &end.undo]);
    }
    let words = words.iter().map(|(action, [method, outage, undo])| {
        format!("  {action}: {method}.\n    outage: {outage}\n    undo: {undo}")
    });
    format!("{rows}\n{}", words.collect::<Vec<_>>().join("\n"))
}

fn remaining(forecast: &Forecast) -> String {
    let rows = forecast.remaining.iter().map(|left| {
        let until = left.until.map_or("-".to_owned(), |until| format!("{until:.0}"));
        let consumers = if left.consumers.is_empty() { "-".to_owned() } else { left.consumers.join(", ") };
        [left.what.clone(), left.why.clone(), until, consumers]
    });
    let rows = table(["REMAINS", "WHY", "UNTIL", "USED BY"], rows);
    let advice: BTreeMap<&str, &str> =
        forecast.remaining.iter().map(|left| (left.why.as_str(), left.advice.as_str())).collect();
    let advice: Vec<_> = advice.iter().map(|(why, advice)| format!("  {why}: {advice}")).collect();
    format!("{rows}\n{}", advice.join("\n"))
}

/// Which Secrets they could read. What was read is known to nobody.
fn readable(readable: &[Readable]) -> Option<String> {
    let inside = |one: &Readable| one.tier == Tier::Exec.as_str();
    let lines = readable.iter().map(|one| match (&one.namespace, &one.name, one.secrets) {
        (None, ..) if inside(one) => "what any pod of the cluster uses, by exec or attach".to_owned(),
        (Some(namespace), None, _) if inside(one) => {
            format!("what pods of namespace {namespace} use, by exec or attach")
        }
        (Some(namespace), Some(name), _) if inside(one) => format!("Secret {namespace}/{name}, by exec or attach"),
        (None, None, number) => format!("every Secret of the cluster{}", counted(number)),
        (None, Some(name), _) => format!("the Secret {name} of every namespace"),
        (Some(namespace), None, number) => format!("every Secret of namespace {namespace}{}", counted(number)),
        (Some(namespace), Some(name), _) => format!("Secret {namespace}/{name}"),
    });
    section("THEY COULD READ (what was copied works until it is rotated)", &lines.collect::<Vec<_>>())
}

fn counted(number: Option<usize>) -> String {
    number.map_or_else(String::new, |number| format!(": {number} now"))
}

fn gates(forecast: &Forecast) -> Option<String> {
    let lines: Vec<_> = forecast.gates.iter().map(|gate| format!("{}: {}", gate.reason, gate.message)).collect();
    match section("GATES that would hold it", &lines) {
        None => Some("GATES\n  None would hold it.".to_owned()),
        some => some,
    }
}

fn section(title: &str, lines: &[String]) -> Option<String> {
    let lines: Vec<_> = lines.iter().map(|line| format!("  {}", plain(line))).collect();
    (!lines.is_empty()).then(|| format!("{title}\n{}", lines.join("\n")))
}

fn plain_lines(lines: &[String]) -> String {
    lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}
