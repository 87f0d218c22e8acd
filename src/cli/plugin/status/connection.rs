//! One connection: how it stands, and since when its responses are trusted or not. Pure; the page of a browser shows the same.

use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use super::{ConnectionLine, dated, line};
use crate::api::HRConnection;
use crate::api::condition::{Condition, ConditionType};
use crate::cli::terminal::{plain, table};

/// A time in which all attempts came to the same, up to the next such time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spell {
    /// When it began.
    pub from: Timestamp,
    /// When it ended; none of the newest, which goes on.
    pub until: Option<Timestamp>,
    /// Whether responses were trusted.
    pub trusted: bool,
    /// `Trusted`, or why not.
    pub reason: String,
    /// People in the newest of its responses.
    pub people: Option<u32>,
}

/// The trust of a connection over time, the newest first.
pub fn trust(connection: &HRConnection) -> Vec<Spell> {
    let history = connection.status.as_ref().map(|status| status.trust_history.as_slice()).unwrap_or_default();
    let ends = std::iter::once(None).chain(history.iter().map(|newer| Some(newer.from)));
    let spell = |(one, until): (&crate::api::connection::TrustPeriod, Option<Timestamp>)| Spell {
        from: one.from,
        until,
        trusted: one.trusted,
        reason: one.reason.clone(),
        people: one.people,
    };
    history.iter().zip(ends).map(spell).collect()
}

/// How long something lasted, in the largest unit that fits: `3d`, `5h`.
pub fn lasted(spell: &Spell, now: Timestamp) -> String {
    let seconds = spell.until.unwrap_or(now).duration_since(spell.from).as_secs().max(0);
    match seconds {
        ..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// All there is to say of one connection.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    #[serde(flatten)]
    line: ConnectionLine,
    conditions: Vec<Said>,
    /// What the newest attempt found.
    findings: Vec<String>,
    trust: Vec<Spell>,
}

/// A condition.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
    message: String,
    since: Timestamp,
}

/// Puts it together.
pub(super) fn shown(connection: &HRConnection) -> Shown {
    let status = connection.status.clone().unwrap_or_default();
    let said = |one: Condition| Said {
        type_: one.type_,
        status: one.status,
        reason: one.reason,
        message: one.message,
        since: one.last_transition_time,
    };
    Shown {
        line: line(connection),
        findings: status.last_attempt.map(|attempt| attempt.findings).unwrap_or_default(),
        conditions: status.conditions.into_iter().map(said).collect(),
        trust: trust(connection),
    }
}

/// For people. The wide form has every condition, and the other one those that say most.
pub(super) fn page(shown: &Shown, wide: bool, now: Timestamp) -> String {
    let line = &shown.line;
    let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let mut parts = vec![format!(
        "HRConnection {}: newest response {}, {} people in the trusted one of {}, read next {}",
        line.name,
        plain(&line.newest),
        number(line.people),
        dated(line.last_trusted),
        dated(line.next_run),
    )];
    let most = [ConditionType::Ready, ConditionType::Reachable, ConditionType::Trusted];
    let wanted = |one: &&Said| wide || most.iter().any(|type_| type_.as_str() == one.type_);
    let conditions = shown.conditions.iter().filter(wanted).map(|one| {
        let since = format!("{:.0}", one.since);
        [one.type_.clone(), one.status.clone(), one.reason.clone(), since, one.message.clone()]
    });
    parts.push(table(["CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"], conditions));
    if !shown.findings.is_empty() {
        let lines = shown.findings.iter().map(|one| format!("  {}", plain(one)));
        parts.push(format!("What the newest attempt found:\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
    parts.push(match shown.trust.is_empty() {
        true => "Nothing is known yet of its trust over time.".to_owned(),
        false => table(
            ["FROM", "FOR", "TRUSTED", "REASON", "PEOPLE"],
            shown.trust.iter().map(|one| {
                let trusted = if one.trusted { "yes" } else { "no" }.to_owned();
                [format!("{:.0}", one.from), lasted(one, now), trusted, one.reason.clone(), number(one.people)]
            }),
        ),
    });
    parts.join("\n\n")
}

/// The connection of this name, where there is one.
pub(super) fn named<'a>(connections: &'a [HRConnection], name: &str) -> Option<&'a HRConnection> {
    connections.iter().find(|connection| connection.name_any() == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hq() -> HRConnection {
        let condition = |type_: &str, status: &str, reason: &str| json!({"type": type_, "status": status, "reason": reason, "message": "40 people\u{1b}[2J", "lastTransitionTime": "2026-03-02T08:00:00Z"});
        serde_json::from_value(json!({
            "metadata": {"name": "hq"},
            "spec": {"source": {"file": {"from": {"configMap": {"name": "staff", "key": "s.csv"}}, "csv": {"columns": {"employeeId": "ID"}}}}},
            "status": {
                "conditions": [condition("Trusted", "False", "Shrunk"), condition("StableIds", "True", "OwnIds")],
                "lastAttempt": {"time": "2026-03-02T08:00:00Z", "outcome": "Shrunk", "response": "9b00", "findings": ["Shrunk: 40 of 412"]},
                "trustHistory": [
                    {"from": "2026-03-02T08:00:00Z", "trusted": false, "reason": "Shrunk", "people": 40},
                    {"from": "2026-02-27T08:00:00Z", "trusted": true, "reason": "Trusted", "people": 412},
                    {"from": "2026-02-27T07:00:00Z", "trusted": false, "reason": "TimedOut"},
                ],
            },
        }))
        .unwrap()
    }

    #[test]
    fn each_time_lasts_until_the_newer_one_begins() {
        let (spells, now) = (trust(&hq()), "2026-03-02T10:30:00Z".parse().unwrap());
        let told: Vec<_> =
            spells.iter().map(|one| (one.reason.as_str(), lasted(one, now), one.until.is_some())).collect();
        let expected = [("Shrunk", "2h", false), ("Trusted", "3d", true), ("TimedOut", "60m", true)];
        assert_eq!(told.iter().map(|(reason, lasts, ended)| (*reason, &**lasts, *ended)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_connection_is_shown_with_its_trust_and_in_wide_with_every_condition() {
        let (shown, now) = (shown(&hq()), "2026-03-02T10:30:00Z".parse().unwrap());
        let page = |wide| super::page(&shown, wide, now);
        assert!(page(false).contains("Shrunk: 40 of 412") && page(false).contains("TimedOut"), "{}", page(false));
        assert!(!page(false).contains("StableIds") && page(true).contains("StableIds"));
        assert!(!page(true).contains('\u{1b}'), "what a cluster says paints over nothing");
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!((&json["name"], &json["trust"][0]["people"]), (&json!("hq"), &json!(40)));
        assert_eq!(json["trust"][1]["until"], "2026-03-02T08:00:00Z");
    }

    #[test]
    fn a_connection_that_was_never_read_says_so() {
        let mut connection = hq();
        connection.status = None;
        let page = page(&shown(&connection), false, Timestamp::UNIX_EPOCH);
        assert!(page.contains("Nothing is known yet of its trust"), "{page}");
    }
}
