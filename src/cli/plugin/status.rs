//! `rollcall status`: an installation at a glance, and what waits for a human; or one connection, or one person.

pub(super) mod connection;

use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;
use std::collections::BTreeMap;

use super::Failure;
use super::cluster::Cluster;
use super::output::Output;
use super::people::answer::Command;
use super::people::{READING, World, why, words};
use super::progress::during;
use super::terminal::{columns, plain};
use crate::api::condition::{Condition, ConditionType, Reason};
use crate::api::policy::Mode;
use crate::api::revocation::Phase;
use crate::api::{HRConnection, Revocation, SyncPolicy};
use crate::kube::{calls, stop};

/// Options of `rollcall status`.
#[derive(Debug, Args)]
pub struct Options {
    /// An HRConnection: how it stands, and its trust over time. Or a person: then this is `rollcall why`. A Person's name, an HR
    /// record (`hq/7`), an address, or a user name
    #[arg(value_name = "CONNECTION|PERSON")]
    connection_or_person: Option<String>,
    /// Show names and addresses of that person
    #[arg(long, requires = "connection_or_person")]
    unmask: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// An installation at a glance.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Glance {
    /// Why everything is stopped.
    stopped: Option<String>,
    connections: Vec<ConnectionLine>,
    policies: Vec<PolicyLine>,
    /// Revocations by phase.
    revocations: BTreeMap<&'static str, u32>,
    /// What a human may decide, each with its command.
    waits: Vec<Waits>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionLine {
    name: String,
    ready: String,
    newest: String,
    people: Option<u32>,
    last_trusted: Option<Timestamp>,
    next_run: Option<Timestamp>,
    /// Since when responses are trusted, or are not.
    since: Option<Timestamp>,
    /// When a response last contained somebody who left, or a last day.
    leavers_last_seen: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyLine {
    name: String,
    mode: &'static str,
    ready: String,
    in_scope: Option<u32>,
    owned: Option<u32>,
    unowned: Option<u32>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Waits {
    what: String,
    command: String,
}

/// Prints it.
///
/// # Flow          read everything once; print
/// # Guarantees    changes nothing
/// # Errors        whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let (namespace, output) = (options.cluster.namespace(), options.output);
    let world = during(READING, World::read(&client, namespace)).await?;
    if let Some(of) = &options.connection_or_person {
        let Some(connection) = connection::named(&world.connections, of) else {
            return why::about(&client, &world, of, options.unmask, output).await;
        };
        let shown = connection::shown(connection);
        return output.print(&shown, || Ok(connection::page(&shown, output.wide(), calls::now())));
    }
    let glance = glance(&world, stop::stopped(&client, namespace).await);
    output.print(&glance, || Ok(page(&glance, output.wide())))
}

fn glance(world: &World, stopped: Option<String>) -> Glance {
    let mut revocations = BTreeMap::new();
    for revocation in &world.revocations {
        *revocations.entry(phase(revocation).map_or("Planned", Phase::as_str)).or_insert(0) += 1;
    }
    Glance {
        stopped,
        connections: world.connections.iter().map(line).collect(),
        policies: world.policies.iter().map(policy).collect(),
        revocations,
        waits: waits(world),
    }
}

fn phase(revocation: &Revocation) -> Option<Phase> {
    revocation.status.as_ref()?.phase
}

/// `True`, or why not.
fn ready(conditions: &[Condition]) -> String {
    let ready = conditions.iter().find(|one| one.type_ == ConditionType::Ready.as_str());
    ready.map_or_else(
        || "not looked at".to_owned(),
        |ready| if ready.status == "True" { ready.status.clone() } else { ready.reason.clone() },
    )
}

fn line(connection: &HRConnection) -> ConnectionLine {
    let status = connection.status.clone().unwrap_or_default();
    ConnectionLine {
        name: connection.name_any(),
        ready: ready(&status.conditions),
        since: status.trust_history.first().map(|newest| newest.from),
        leavers_last_seen: status.leavers_last_seen,
        newest: status.last_attempt.map_or_else(|| "-".to_owned(), |attempt| attempt.outcome),
        people: status.last_trusted.as_ref().map(|trusted| trusted.employees),
        last_trusted: status.last_trusted.as_ref().map(|trusted| trusted.time),
        next_run: status.next_run,
    }
}

fn policy(policy: &SyncPolicy) -> PolicyLine {
    let status = policy.status.clone().unwrap_or_default();
    PolicyLine {
        name: policy.name_any(),
        mode: match policy.spec.mode {
            Mode::Observe => "Observe",
            Mode::Enforce => "Enforce",
        },
        ready: ready(&status.conditions),
        in_scope: status.scope.map(|scope| scope.included),
        owned: status.coverage.as_ref().map(|coverage| coverage.owned),
        unowned: status.coverage.map(|coverage| coverage.unowned),
    }
}

/// Held responses, held batches, and single Revocations that wait for an approval or have failed.
fn waits(world: &World) -> Vec<Waits> {
    let mut all = Vec::new();
    for connection in &world.connections {
        let attempt = connection.status.as_ref().and_then(|status| status.last_attempt.as_ref());
        let Some(attempt) = attempt.filter(|attempt| attempt.outcome != "Trusted") else { continue };
        let Some(digest) = &attempt.response else { continue };
        let name = connection.name_any();
        all.push(Waits {
            what: format!("the newest response of {name} is held: {}", attempt.outcome),
            command: to_type(&Command::Accept(name, digest.clone())),
        });
    }
    for revocation in &world.revocations {
        let (name, status) = (revocation.name_any(), revocation.status.as_ref());
        let gate = status.and_then(|status| status.gate.as_ref());
        match (phase(revocation), gate) {
            (Some(Phase::Held), Some(gate)) if gate.batch.is_none() && asks(&gate.reason) => all.push(Waits {
                what: format!("{name} waits: {}", gate.reason),
                command: to_type(&Command::Approve(name)),
            }),
            (Some(Phase::Failed), _) => all.push(Waits {
                what: format!("{name} failed"),
                command: format!("kubectl rollcall why {}", revocation.spec.person),
            }),
            _ => {}
        }
    }
    all.extend(world.batches().into_iter().map(|(batch, revocations)| Waits {
        what: format!("{revocations} Revocations of one batch are over the limits"),
        command: to_type(&Command::ApproveBatch(batch.to_owned())),
    }));
    all
}

/// The command alone, as `why` gives it. Those that wait here need no namespace.
fn to_type(command: &Command) -> String {
    words::advice(command, "").command.unwrap_or_default()
}

/// Gates that a human's approval opens.
const ASKS: [Reason; 4] = [Reason::Baseline, Reason::Late, Reason::LeavesScope, Reason::ApprovalExpired];

fn asks(gate: &str) -> bool {
    ASKS.iter().any(|reason| reason.as_str() == gate)
}

/// An instant, or that there is none.
fn dated(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"))
}

/// Columns with their names; the wide table has those behind them too.
fn columns_of<T>(all: &[T], wide: bool, narrow: &[Column<T>], more: &[Column<T>]) -> String {
    let shown: Vec<_> = narrow.iter().chain(more.iter().filter(|_| wide)).collect();
    let head = shown.iter().map(|(name, _)| (*name).to_owned()).collect();
    columns(head, all.iter().map(|one| shown.iter().map(|(_, of)| of(one)).collect()))
}

/// A column: its name, and what stands in it.
type Column<T> = (&'static str, fn(&T) -> String);

fn number(number: Option<u32>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

fn page(glance: &Glance, wide: bool) -> String {
    let mut parts = Vec::new();
    if let Some(reason) = &glance.stopped {
        parts.push(format!("STOPPED: {}. Lift it with `kubectl rollcall stop --lift`.", plain(reason)));
    }
    let connections: [Column<ConnectionLine>; 6] = [
        ("CONNECTION", |one| one.name.clone()),
        ("READY", |one| one.ready.clone()),
        ("NEWEST RESPONSE", |one| one.newest.clone()),
        ("PEOPLE", |one| number(one.people)),
        ("LAST TRUSTED", |one| dated(one.last_trusted)),
        ("NEXT RUN", |one| dated(one.next_run)),
    ];
    let more: [Column<ConnectionLine>; 2] =
        [("SINCE", |one| dated(one.since)), ("LEAVERS LAST SEEN", |one| dated(one.leavers_last_seen))];
    parts.push(columns_of(&glance.connections, wide, &connections, &more));
    let policies: [Column<PolicyLine>; 5] = [
        ("POLICY", |one| one.name.clone()),
        ("MODE", |one| one.mode.to_owned()),
        ("READY", |one| one.ready.clone()),
        ("IN SCOPE", |one| number(one.in_scope)),
        ("UNOWNED", |one| number(one.unowned)),
    ];
    parts.push(columns_of(&glance.policies, wide, &policies, &[("OWNED", |one| number(one.owned))]));
    let counts: Vec<_> = glance.revocations.iter().map(|(phase, number)| format!("{number} {phase}")).collect();
    parts.push(format!("Revocations: {}", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }));
    if glance.waits.is_empty() {
        parts.push("Nothing waits for a human.".to_owned());
    } else {
        let lines = glance.waits.iter().map(|one| format!("  {}\n    {}", plain(&one.what), plain(&one.command)));
        parts.push(format!("What waits for a human:\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn revocation(name: &str, phase: &str, gate: Value) -> Revocation {
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"person": "p-7", "personUid": "u", "policy": "everyone", "trigger": "Termination",
                "operation": "Cut", "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": {"phase": phase, "gate": gate},
        }))
        .unwrap()
    }

    #[test]
    fn what_waits_for_a_human_has_its_command_once_for_a_batch() {
        let gate = |reason: &str, batch: Option<&str>| json!({"reason": reason, "message": "said", "batch": batch});
        let hq: HRConnection = serde_json::from_value(json!({
            "metadata": {"name": "hq"},
            "spec": {"source": {"file": {"from": {"configMap": {"name": "staff", "key": "s.csv"}}, "csv": {"columns": {"employeeId": "ID"}}}}},
            "status": {"lastAttempt": {"time": "2026-03-02T08:00:00Z", "outcome": "Shrunk", "response": "9b00"}},
        }))
        .unwrap();
        let world = World {
            connections: vec![hq],
            revocations: vec![
                revocation("p-1-cut", "Held", gate("OverLimit", Some("b1"))),
                revocation("p-2-cut", "Held", gate("OverLimit", Some("b1"))),
                revocation("p-3-cut", "Held", gate("Baseline", None)),
                revocation("p-4-cut", "Held", gate("Hold", None)),
                revocation("p-5-cut", "Failed", Value::Null),
                revocation("p-6-cut", "Revoked", Value::Null),
            ],
            ..World::default()
        };
        let seen = glance(&world, None);
        let commands: Vec<_> = seen.waits.iter().map(|one| one.command.as_str()).collect();
        assert_eq!(
            commands,
            [
                "kubectl rollcall accept hq --response 9b00",
                "kubectl rollcall approve p-3-cut",
                "kubectl rollcall why p-7",
                "kubectl rollcall approve --batch b1",
            ]
        );
        assert_eq!(seen.revocations["Held"], 4);
        assert!(page(&seen, false).contains("4 Held") && page(&seen, true).contains("2 Revocations of one batch"));
    }

    #[test]
    fn a_stop_comes_first() {
        assert!(page(&glance(&World::default(), Some("why".to_owned())), false).starts_with("STOPPED: why"));
    }
}
