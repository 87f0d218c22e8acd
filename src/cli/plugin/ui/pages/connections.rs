//! Connections and their trust: what each says now, its trust over time, what came of each attempt that was seen, and the runs with leavers.

use jiff::Timestamp;
use kube::ResourceExt;

use super::{Look, lead, trust};
use crate::api::condition::{Condition, ConditionType, Status};
use crate::api::policy::Run;
use crate::api::{HRConnection, SyncPolicy, convert};
use crate::cli::plugin::html::{Html, data, el};
use crate::cli::plugin::status::connection;
use crate::cli::plugin::ui::frame::{Page, Tone, chip, maybe_time, nothing, or_nothing, table, thousands, time};
use crate::cli::plugin::ui::mirror::Attempt;

/// The page.
pub fn page(look: &Look<'_>, attempts: &dyn Fn(&str) -> Vec<Attempt>) -> Page {
    let mut body = vec![lead(
        "Where people are read from, and whether what came is believed. A response that is held changes nothing: the trusted one before it stands.",
    )];
    if look.world.connections.is_empty() {
        body.push(el("p", &[("class", "empty")], "There is no HRConnection."));
    }
    for (at, connection) in look.world.connections.iter().enumerate() {
        body.push(of_connection(at, connection, &attempts(&connection.name_any()), look.now));
    }
    for (at, policy) in look.world.policies.iter().enumerate() {
        body.push(of_policy(at, policy));
    }
    Page { of: "connections", title: "Connections".to_owned(), live: true, body: body.into() }
}

/// How a connection stands, in words.
pub fn standing(connection: &HRConnection, now: Timestamp) -> (Tone, &'static str) {
    let conditions = connection.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let not = |type_| conditions.iter().any(|one| one.is(type_, Status::False));
    let trusted = connection.status.as_ref().is_some_and(|status| status.last_trusted.is_some());
    if not(ConditionType::Reachable) {
        return (Tone::Bad, "Not reachable");
    }
    if not(ConditionType::Trusted) {
        return (Tone::Bad, "Newest response held");
    }
    match (trusted, convert::fresh(connection, now)) {
        (false, _) => (Tone::Waits, "Nothing trusted yet"),
        (true, true) => (Tone::Good, "Trusted"),
        (true, false) => (Tone::Waits, "Trusted, but old"),
    }
}

/// A section whose id is of its place, since names may hold anything.
fn landmark(kind: &str, at: usize, title: Vec<Html>, inside: Vec<Html>) -> Html {
    let id = format!("{kind}-{at}");
    let heading = format!("{id}-title");
    let mut all = vec![el("h2", &[("id", &heading)], title)];
    all.extend(inside);
    el("section", &[("id", &id), ("aria-labelledby", &heading), ("data-part", "")], all)
}

fn of_connection(at: usize, hr: &HRConnection, attempts: &[Attempt], now: Timestamp) -> Html {
    let status = hr.status.clone().unwrap_or_default();
    let (tone, words) = standing(hr, now);
    let title = vec![data(&hr.name_any()), Html::from(" "), chip(tone, words)];
    let trusted = status.last_trusted.as_ref();
    let people = trusted.map(|trusted| {
        let by_status: Vec<String> =
            trusted.statuses.iter().map(|(word, many)| format!("{word} {}", thousands(*many as usize))).collect();
        format!("{}: {}", thousands(trusted.employees as usize), by_status.join(", "))
    });
    let fact = |name: &str, value: Html| [el("dt", &[], name), el("dd", &[], value)];
    let response = |text: &str| text.chars().take(12).collect::<String>();
    let mut facts: Vec<Html> = Vec::new();
    facts.extend(fact("Newest trusted response", maybe_time(trusted.map(|trusted| trusted.time))));
    facts.extend(fact(
        "Its digest",
        or_nothing(&trusted.map(|trusted| response(&trusted.response)).unwrap_or_default()),
    ));
    facts.extend(fact("People in it", or_nothing(&people.unwrap_or_default())));
    facts.extend(fact(
        "Most in seven days",
        or_nothing(&trusted.map(|one| thousands(one.high_water as usize)).unwrap_or_default()),
    ));
    facts.extend(fact("Leavers last seen", maybe_time(status.leavers_last_seen)));
    facts.extend(fact("Read next", maybe_time(status.next_run)));
    let findings = status.last_attempt.as_ref().map(|last| last.findings.as_slice()).unwrap_or_default();
    if !findings.is_empty() {
        let lines: Vec<Html> = findings.iter().map(|one| el("li", &[], data(one))).collect();
        facts.extend(fact("What the newest attempt found", el("ul", &[("class", "lines")], lines)));
    }
    let inside = vec![
        el("dl", &[("class", "facts")], facts),
        table(
            "What is said of it",
            &["Condition", "Holds", "Reason", "Message", "Since"],
            status.conditions.iter().map(condition).collect(),
        ),
        el("h3", &[], "Its trust over time"),
        trust::over_time(&connection::trust(hr), now),
        el("h3", &[], "Its attempts, as long as this page has been looked at"),
        history(attempts),
    ];
    landmark("connection", at, title, inside)
}

fn condition(one: &Condition) -> Vec<Html> {
    let expected = !["Stalled", "Reconciling"].contains(&one.type_.as_str());
    let good = (one.status == "True") == expected;
    let tone = match one.status.as_str() {
        "Unknown" => Tone::Waits,
        _ if good => Tone::Good,
        _ => Tone::Bad,
    };
    let words = match one.status.as_str() {
        "True" => "yes",
        "False" => "no",
        _ => "not known",
    };
    vec![data(&one.type_), chip(tone, words), data(&one.reason), data(&one.message), time(one.last_transition_time)]
}

/// What came of each attempt: a picture with a bar for each, and the same as a table.
fn history(attempts: &[Attempt]) -> Html {
    let most = attempts.iter().filter_map(|one| one.employees).max().unwrap_or(1).max(1);
    let bar = |(at, one): (usize, &Attempt)| {
        let height = one.employees.map_or(4.0, |people| 4.0 + 36.0 * f64::from(people) / f64::from(most));
        let class = if one.outcome == "Trusted" { "ours" } else { "open" };
        let (x, y, height) = ((at * 8).to_string(), format!("{:.1}", 40.0 - height), format!("{height:.1}"));
        el("rect", &[("x", &x), ("y", &y), ("width", "6"), ("height", &height), ("class", class)], "")
    };
    let view = format!("0 0 {} 40", attempts.len().max(40) * 8);
    let trusted = attempts.iter().filter(|one| one.outcome == "Trusted").count();
    let label = format!("{trusted} of {} attempts were trusted", attempts.len());
    let svg = [
        ("class", "bar large"),
        ("viewBox", view.as_str()),
        ("role", "img"),
        ("aria-label", label.as_str()),
        ("preserveAspectRatio", "xMinYMid meet"),
    ];
    let picture = el("svg", &svg, attempts.iter().enumerate().map(bar).collect::<Vec<_>>());
    let row = |one: &Attempt| {
        let tone = if one.outcome == "Trusted" { Tone::Good } else { Tone::Bad };
        let people = one.employees.map(|people| thousands(people as usize)).unwrap_or_default();
        vec![time(one.at), chip(tone, data(&one.outcome)), or_nothing(&people)]
    };
    let rows = attempts.iter().rev().take(10).map(row).collect();
    Html::from([
        picture,
        table("The newest attempts", &["When", "What came of it", "People in the trusted response"], rows),
    ])
}

fn of_policy(at: usize, policy: &SyncPolicy) -> Html {
    let status = policy.status.clone().unwrap_or_default();
    let title = vec![Html::from("Policy "), data(&policy.name_any()), Html::from(": runs with leavers")];
    let baselines = status.connections.iter().map(|taken| {
        let baseline = taken.baseline.as_ref();
        let leavers = baseline.map(|baseline| thousands(baseline.leavers as usize));
        vec![data(&taken.name), maybe_time(baseline.map(|one| one.at)), leavers.map_or_else(nothing, Html::from)]
    });
    let baselines =
        table("Baselines", &["Connection", "Newest baseline", "Leavers who needed approval"], baselines.collect());
    let run = |run: &Run| {
        let share = f64::from(run.leavers) * 100.0 / f64::from(run.people.max(1));
        let counted = if run.written { chip(Tone::Plain, "counted") } else { chip(Tone::Waits, "being written") };
        let leavers =
            format!("{} of {}, {share:.1} %", thousands(run.leavers as usize), thousands(run.people as usize));
        vec![time(run.at), Html::from(leavers), counted, data(&run.id)]
    };
    let runs = status.runs.iter().rev().map(run).collect();
    let runs = table("Runs with leavers", &["When", "Leavers", "State", "Run"], runs);
    landmark("policy", at, title, vec![baselines, runs])
}

#[cfg(test)]
mod tests {
    use super::super::tests::{company, look, now, query};
    use super::*;

    #[test]
    fn a_held_response_is_never_called_trusted_and_an_old_one_is_called_old() {
        let world = company();
        let connection = |change: &serde_json::Value| {
            let mut object = serde_json::to_value(&world.connections[0]).unwrap();
            crate::api::merge(&mut object, change);
            serde_json::from_value::<HRConnection>(object).unwrap()
        };
        let condition = |type_: &str, status: &str| {
            serde_json::json!({"status": {"conditions": [{"type": type_, "status": status, "reason": "Shrunk", "message": "",
                "lastTransitionTime": "2026-03-01T00:00:00Z"}]}})
        };
        let old = serde_json::json!({"status": {"lastTrusted": {"time": "2026-01-01T00:00:00Z"}}});
        for (change, expected) in [
            (serde_json::json!({}), (Tone::Good, "Trusted")),
            (condition("Trusted", "False"), (Tone::Bad, "Newest response held")),
            (condition("Reachable", "False"), (Tone::Bad, "Not reachable")),
            (old, (Tone::Waits, "Trusted, but old")),
        ] {
            assert_eq!(standing(&connection(&change), now()), expected, "{change}");
        }
    }

    #[test]
    fn attempts_are_drawn_and_listed() {
        let (world, query) = (company(), query(""));
        let attempt = |outcome: &str, people| Attempt { at: now(), outcome: outcome.into(), employees: people };
        let attempts =
            |_: &str| vec![attempt("Trusted", Some(100)), attempt("Shrunk", Some(100)), attempt("Refused", None)];
        let html = page(&look(&world, &query, false), &attempts).body;
        let html = html.as_str();
        assert!(html.contains("1 of 3 attempts were trusted") && html.contains("Shrunk"), "{html}");
    }
}
