//! `rollcall doctor`: what is wrong with an installation, and what to do about it.
//!
//! ```text
//! one read of everything ──▶ what was seen ──▶ findings, each by a pure function ──▶ table
//! ```
//! What stands in conditions is judged by the table of docs/conditions.md: a row that says what to do next is a finding.

mod installed;
mod seen;

use clap::Args;
use serde::Serialize;

use super::Failure;
use super::cluster::Cluster;
use super::output::Output;
use super::people::READING;
use super::progress::during;
use super::terminal::plain;
use crate::api::condition::table::{CONDITIONS, Row};
use crate::api::condition::{Condition, Status};
use crate::kube::consents::Row as Consent;
use seen::Seen;

/// Exit code where something is wrong.
const WRONG: u8 = 2;

/// Options of `rollcall doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Ends with 2 if something is wrong.")]
pub struct Options {
    /// Show what is right, too
    #[arg(long)]
    all: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Grade {
    Wrong,
    Note,
    Right,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    grade: Grade,
    what: String,
    found: String,
    next: String,
}

impl Check {
    fn right(what: &str, found: impl Into<String>) -> Self {
        Self { grade: Grade::Right, what: what.to_owned(), found: found.into(), next: String::new() }
    }

    fn note(what: &str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { grade: Grade::Note, what: what.to_owned(), found: found.into(), next: next.into() }
    }

    fn wrong(what: &str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { grade: Grade::Wrong, what: what.to_owned(), found: found.into(), next: next.into() }
    }
}

/// Looks at everything, and prints what is wrong.
///
/// # Flow          read everything once; judge; print
/// # Guarantees    changes nothing; what the caller may not read is said, and is no failure
/// # Errors        something is wrong (exit code 2); the API server does not answer
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let seen = during(READING, Seen::read(&client, options.cluster.namespace())).await?;
    let mut checks = checks(&seen);
    checks.sort_by_key(|check| check.grade);
    let wrong = checks.iter().filter(|check| check.grade == Grade::Wrong).count();
    let shown: Vec<_> = checks.iter().filter(|check| options.all || check.grade != Grade::Right).collect();
    options.output.print(&shown, || {
        let lines: Vec<_> = shown.iter().map(|check| line(check)).collect();
        Ok(if lines.is_empty() { format!("Nothing is wrong: {} checks.", checks.len()) } else { lines.join("\n") })
    })?;
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::Ended { code: WRONG, message: "one thing is wrong".to_owned() }),
        many => Err(Failure::Ended { code: WRONG, message: format!("{many} things are wrong") }),
    }
}

fn line(check: &Check) -> String {
    let sign = match check.grade {
        Grade::Wrong => "WRONG",
        Grade::Note => "note ",
        Grade::Right => "ok   ",
    };
    let next = if check.next.is_empty() { String::new() } else { format!("\n       → {}", plain(&check.next)) };
    format!("{sign}  {}: {}{next}", plain(&check.what), plain(&check.found))
}

/// Everything there is to say of what was seen.
fn checks(seen: &Seen) -> Vec<Check> {
    let mut all = installed::checks(seen);
    all.push(match &seen.stop {
        None => Check::right("global stop", "none"),
        Some(reason) => {
            Check::wrong("global stop", format!("nothing is revoked: {reason}"), "kubectl rollcall stop --lift")
        }
    });
    all.extend(consents(seen));
    if seen.connections.is_empty() {
        all.push(Check::note("HRConnections", "there is none, so nobody is known", "apply one: docs/kinds.md"));
    }
    if seen.policies.is_empty() {
        all.push(Check::note("SyncPolicies", "there is none, so nobody is managed", "apply one: docs/kinds.md"));
    }
    for (what, generation, observed, conditions) in seen.objects() {
        all.extend(object(&what, generation, observed, conditions));
    }
    all
}

/// Namespaces whose consent lacks a right.
fn consents(seen: &Seen) -> Vec<Check> {
    let Some(rows) = &seen.consents else {
        return vec![Check::wrong("consents", "control has not written its table yet", "is rollcall control running?")];
    };
    let consented =
        |row: &&Consent| row.accounts || row.canaries || row.trim || row.rotate || row.workloads || row.secrets;
    let lacking = rows.iter().filter(|row| !row.missing.is_empty()).map(|row| {
        let place = if row.namespace.is_empty() { "cluster-scoped bindings" } else { &row.namespace };
        let (what, lacks) = (format!("consent of {place}"), row.missing.join(", "));
        if consented(&row) {
            return Check::wrong(
                &what,
                format!("the revoker lacks: {lacks}"),
                "apply it whole: docs/install.md#consent",
            );
        }
        let found = "there is none, and people own something there that is not revoked then";
        Check::note(&what, found, "docs/install.md#consent, if it is to be revoked")
    });
    let mut checks: Vec<_> = lacking.collect();
    match rows.iter().filter(consented).count() {
        0 => checks.push(Check::note(
            "consents",
            "no namespace has consented, so nothing can be revoked",
            "chart value `targets`, or a RoleBinding: docs/install.md#consent",
        )),
        many => checks.push(Check::right("consents", format!("{many} namespaces consented"))),
    }
    checks
}

/// What the conditions of one object say.
fn object(what: &str, generation: Option<i64>, observed: Option<i64>, conditions: &[Condition]) -> Vec<Check> {
    if conditions.is_empty() || observed < generation {
        let next = "is rollcall sync running, and is this its namespace?";
        return vec![Check::note(what, "sync has not looked at what stands there now", next)];
    }
    let said: Vec<_> = conditions.iter().filter_map(|condition| judged(what, condition)).collect();
    if said.is_empty() { vec![Check::right(what, "its conditions ask for nothing")] } else { said }
}

/// A condition that asks for something; `None` for one that asks for nothing.
fn judged(what: &str, condition: &Condition) -> Option<Check> {
    let what = format!("{what}, {}={} ({})", condition.type_, condition.status, condition.reason);
    let Some(row) = row(condition) else {
        let next = "a newer Rollcall wrote it: install the plugin of that version";
        return Some(Check::note(&what, condition.message.clone(), next));
    };
    match row.next.split([' ', ':', ';', ',']).next() {
        Some("nothing") => None,
        Some("wait") => Some(Check::note(&what, condition.message.clone(), row.next)),
        _ if row.status == Status::Unknown => Some(Check::note(&what, condition.message.clone(), row.next)),
        _ => Some(Check::wrong(&what, condition.message.clone(), row.next)),
    }
}

fn row(condition: &Condition) -> Option<&'static Row> {
    CONDITIONS.iter().flat_map(|section| section.rows).find(|row| {
        row.condition.as_str() == condition.type_
            && row.status.as_str() == condition.status
            && row.reasons.iter().any(|reason| reason.as_str() == condition.reason)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(type_: &str, status: &str, reason: &str) -> Condition {
        serde_json::from_value(json!({"type": type_, "status": status, "reason": reason, "message": "said",
            "lastTransitionTime": "2026-03-02T08:00:00Z"}))
        .unwrap()
    }

    #[test]
    fn a_condition_is_judged_by_what_its_row_asks_for() {
        for (type_, status, reason, expected) in [
            ("Ready", "True", "Succeeded", None),
            ("Trusted", "True", "Trusted", None),
            ("Trusted", "False", "Shrunk", Some(Grade::Wrong)),
            ("Ready", "False", "Suspended", Some(Grade::Note)),
            ("Ready", "False", "SecretMissing", Some(Grade::Wrong)),
            ("RevokerReady", "False", "RevokerCannotStart", Some(Grade::Wrong)),
            ("RevokerReady", "Unknown", "NotChecked", Some(Grade::Note)),
            ("UserNamesMatched", "False", "NobodyMatched", Some(Grade::Wrong)),
            ("Ready", "False", "OfAnotherVersion", Some(Grade::Note)),
        ] {
            let found = judged("SyncPolicy everyone", &condition(type_, status, reason)).map(|check| check.grade);
            assert_eq!(found, expected, "{type_}={status} ({reason})");
        }
    }

    #[test]
    fn an_object_that_nobody_has_looked_at_is_said_and_not_judged_by_what_was() {
        let stale = [condition("Trusted", "False", "Shrunk")];
        let found = object("HRConnection hq", Some(2), Some(1), &stale);
        assert!(found.len() == 1 && found[0].found.contains("has not looked"), "{found:?}");
        assert_eq!(object("HRConnection hq", Some(1), None, &[])[0].grade, Grade::Note);
        assert_eq!(object("HRConnection hq", Some(1), Some(1), &stale)[0].grade, Grade::Wrong);
    }

    #[test]
    fn a_stop_and_a_consent_that_lacks_a_right_are_wrong() {
        let seen: Seen = Seen {
            stop: Some("why".to_owned()),
            consents: Some(
                serde_json::from_value(json!([{"namespace": "team-a", "accounts": true, "canaries": false,
                    "secrets": false, "missing": ["delete serviceaccounts"]}]))
                .unwrap(),
            ),
            ..Seen::default()
        };
        let wrong: Vec<_> =
            checks(&seen).into_iter().filter(|check| check.grade == Grade::Wrong).map(|check| check.what).collect();
        assert!(
            wrong.contains(&"global stop".to_owned()) && wrong.contains(&"consent of team-a".to_owned()),
            "{wrong:?}"
        );
    }

    #[test]
    fn what_a_cluster_says_paints_over_nothing() {
        let check = Check::wrong("HRConnection hq", "gone\u{1b}[2J", "look");
        assert!(!line(&check).contains('\u{1b}'));
    }
}
