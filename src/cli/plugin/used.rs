//! `rollcall used`: what an audit log of the API server says of people who have left: attempts with their user names and accounts
//! after the exit. Reads the Revocations with the caller's own rights, and the log from a file or standard input; changes nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};

use super::Failure;
use super::cluster::Cluster;
use super::output::Output;
use super::people::{READING, World};
use super::progress::during;
use super::terminal::table;
use crate::api::revocation::{Operation, Phase, StepOutcome, TargetKind};
use crate::api::{Person, Revocation, convert};
use domain::gate::LeaverStatus;
use domain::used::{Identity, Request, Session, Tally, Use};

/// Ends with this where attempts were refused, and nothing was let in.
const REFUSED: u8 = 2;
/// Ends with this where something was let in.
const ALLOWED: u8 = 3;

/// Options of `rollcall used`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 if nothing of a leaver was used after the exit, 2 if there were attempts and all were refused, 3 if \
    something was let in, or a watch, an exec or the like goes on. A request with a token that the API server no longer knows is refused with 401 and carries no user name: \
    those are counted together."
)]
pub struct Options {
    /// The audit log: JSON lines as the API server writes them (audit.k8s.io/v1, level Metadata suffices), or lists of events as it posts
    /// them to a webhook; `-` for standard input. May be given several times
    #[arg(long, required = true, value_name = "FILE")]
    audit_log: Vec<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Show user names and network addresses
    #[arg(long)]
    names: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// One line of the answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    person: String,
    records: Vec<String>,
    revocation: String,
    /// `user name`, or `account NAMESPACE/NAME`.
    by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    ended: Timestamp,
    refused: u64,
    allowed: u64,
    /// Of these, with a token that was ended.
    with_ended_token: u64,
    /// Watches, execs and the like that were not seen to end.
    open_sessions: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    verbs: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<Vec<String>>,
}

/// Reads, counts, prints.
///
/// # Flow          the Revocations of who has left; the log, line by line; a count by a pure function; print
/// # Guarantees    changes nothing; user names and network addresses only where they are asked for
/// # Errors        a log without any event; whatever the API server says, in its words; ends with 2 or 3 where there was an attempt
pub async fn run(options: &Options) -> Result<(), Failure> {
    let client = options.cluster.client().await?;
    let world = during(READING, World::read(&client, options.cluster.namespace())).await?;
    let identities = identities(&world.people, &world.revocations);
    let mut tally = Tally::new(&identities);
    let mut unreadable = 0_u64;
    for path in &options.audit_log {
        unreadable = unreadable.saturating_add(count(path, &mut tally)?);
    }
    if tally.read == 0 {
        let message =
            format!("no event of audit.k8s.io is in the log; {unreadable} lines are none. Nothing can be told by it");
        return Err(Failure::Refused(message));
    }
    let rows: Vec<Row> = tally
        .uses()
        .iter()
        .filter_map(|(at, used)| Some(row(identities.get(*at)?, used, &world.people, options.names)))
        .collect();
    print(&rows, &tally, unreadable, options.output)?;
    verdict(&rows)
}

/// How the command ends.
fn verdict(rows: &[Row]) -> Result<(), Failure> {
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).fold(0_u64, u64::saturating_add);
    let ended = |code: u8, message: String| Err(Failure::Ended { code, message });
    match (sum(|row| row.allowed), sum(|row| row.open_sessions), sum(|row| row.refused)) {
        (0, 0, 0) => Ok(()),
        (0, 0, refused) => ended(REFUSED, format!("{refused} attempts after the exit, all refused")),
        (allowed, 0, _) => ended(ALLOWED, format!("{allowed} requests were let in after the exit")),
        (allowed, open, _) => {
            let message = format!(
                "{allowed} requests were let in after the exit, and {open} watches, execs or the like were not seen to end: they go on until the connection or the pod ends"
            );
            ended(ALLOWED, message)
        }
    }
}

/// What each leaver could be known by, and since when it is ended.
fn identities(people: &[Person], revocations: &[Revocation]) -> Vec<Identity> {
    let mut all: Vec<Identity> = Vec::new();
    for revocation in revocations {
        let person = people.iter().find(|person| person.metadata.uid.as_ref() == Some(&revocation.spec.person_uid));
        let Some(person) = person.filter(|person| {
            convert::leaver_status(Some(person)) == LeaverStatus::Ended
                && convert::of_this_termination(Some(person), &revocation.name_any())
        }) else {
            continue; // who works here again uses what is theirs
        };
        for identity in of_revocation(revocation, &person.name_any()) {
            // What was cut and then removed was ended by the cut.
            match all.iter_mut().find(|known| {
                known.name == identity.name && known.person == identity.person && known.uid == identity.uid
            }) {
                Some(known) if known.since > identity.since => *known = identity,
                Some(_) => {}
                None => all.push(identity),
            }
        }
    }
    all
}

/// The user names and accounts that a Revocation ended.
fn of_revocation(revocation: &Revocation, person: &str) -> Vec<Identity> {
    let Some(status) = revocation.status.as_ref().filter(|_| revocation.spec.operation != Operation::Freeze) else {
        return Vec::new();
    };
    let identity = |name: String, uid: Option<String>, since: Timestamp| Identity {
        person: person.to_owned(),
        revocation: revocation.name_any(),
        name,
        uid,
        since,
    };
    let done = [StepOutcome::Done, StepOutcome::AlreadyGone, StepOutcome::NotRecreated];
    let accounts = status
        .steps
        .iter()
        .filter(|step| step.target.kind == TargetKind::ServiceAccount && done.contains(&step.outcome));
    let accounts = accounts.map(|step| {
        let name = format!("system:serviceaccount:{}:{}", step.target.namespace, step.target.name);
        identity(name, Some(step.target.uid.clone()), step.at)
    });
    let frozen = status.freeze.as_ref().and_then(|freeze| freeze.acted);
    let since = [frozen, status.acted].into_iter().flatten().min();
    let over = matches!(status.phase, Some(Phase::Revoked | Phase::Failed | Phase::Released));
    let usernames = status.plan.iter().flat_map(|plan| &plan.usernames);
    let names = usernames.filter_map(|name| Some(identity(name.clone(), None, since.filter(|_| over)?)));
    accounts.chain(names).collect()
}

/// An event, as far as it matters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "auditID")]
    audit_id: String,
    stage: String,
    request_received_timestamp: Timestamp,
    #[serde(default)]
    user: User,
    impersonated_user: Option<User>,
    #[serde(default)]
    verb: String,
    #[serde(default, rename = "sourceIPs")]
    source_ips: Vec<String>,
    response_status: Option<Answer>,
    object_ref: Option<ObjectRef>,
}

#[derive(Debug, Default, Deserialize)]
struct ObjectRef {
    #[serde(default)]
    subresource: String,
}

#[derive(Debug, Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
    #[serde(default)]
    uid: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    code: u16,
}

/// A line: an event, or a list of them as a webhook gets it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    One(Box<Event>),
    Many { items: Vec<Event> },
}

/// The request that an event tells of; none as long as it is not answered.
fn request(event: Event) -> Option<Request> {
    let session = match event.stage.as_str() {
        "ResponseStarted" => Session::Begun,
        "ResponseComplete" | "Panic" => Session::Ended,
        _ => return None,
    };
    let lasting = ["exec", "attach", "portforward", "proxy"];
    let lasts =
        event.verb == "watch" || event.object_ref.is_some_and(|object| lasting.contains(&object.subresource.as_str()));
    Some(Request {
        id: event.audit_id,
        at: event.request_received_timestamp,
        user: event.user.username,
        uid: event.user.uid,
        acting_as: event.impersonated_user.map(|user| user.username),
        verb: event.verb,
        code: event.response_status?.code,
        addresses: event.source_ips,
        session: lasts.then_some(session),
    })
}

/// Counts one log; says how many lines are no events.
fn count(path: &Path, tally: &mut Tally<'_>) -> Result<u64, Failure> {
    let counted = match path.to_str() {
        Some("-") => count_lines(stdin().lock(), tally),
        _ => File::open(path).and_then(|file| count_lines(BufReader::new(file), tally)),
    };
    counted.map_err(|error| Failure::file(path, error))
}

fn count_lines(reader: impl BufRead, tally: &mut Tally<'_>) -> std::io::Result<u64> {
    let mut unreadable = 0_u64;
    for line in reader.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let events = match serde_json::from_str(&line) {
            Ok(Line::One(event)) => vec![*event],
            Ok(Line::Many { items }) => items,
            Err(_) => {
                unreadable = unreadable.saturating_add(1);
                continue;
            }
        };
        events.into_iter().filter_map(request).for_each(|request| tally.add(&request));
    }
    Ok(unreadable)
}

fn row(identity: &Identity, used: &Use, people: &[Person], names: bool) -> Row {
    let person = people.iter().find(|person| person.name_any() == identity.person);
    let records =
        person.map(|person| person.spec.records.iter().map(|one| format!("{}/{}", one.connection, one.id)).collect());
    let account = identity.name.strip_prefix("system:serviceaccount:").filter(|_| identity.uid.is_some());
    Row {
        person: identity.person.clone(),
        records: records.unwrap_or_default(),
        revocation: identity.revocation.clone(),
        by: account
            .map_or_else(|| "user name".to_owned(), |account| format!("account {}", account.replacen(':', "/", 1))),
        name: names.then(|| identity.name.clone()),
        ended: identity.since,
        refused: used.refused,
        allowed: used.allowed,
        with_ended_token: used.dead,
        open_sessions: used.open,
        first: used.first,
        last: used.last,
        verbs: used.verbs.iter().cloned().collect(),
        addresses: names.then(|| used.addresses.iter().cloned().collect()),
    }
}

fn print(rows: &[Row], tally: &Tally<'_>, unreadable: u64, output: Output) -> Result<(), Failure> {
    let all = serde_json::json!({
        "used": rows, "requests": tally.read, "refusedWithoutName": tally.nameless, "unreadableLines": unreadable,
    });
    output.print(&all, || Ok(page(rows, tally, unreadable)))
}

fn page(rows: &[Row], tally: &Tally<'_>, unreadable: u64) -> String {
    let used = match rows.is_empty() {
        true => "Nothing of a leaver was used after the exit, as far as this log tells.".to_owned(),
        false => table(
            ["PERSON", "BY", "ALLOWED", "REFUSED", "OPEN", "FIRST", "LAST", "VERBS", "FROM"],
            rows.iter().map(cells),
        ),
    };
    let told = |number: u64, what: &str| if number == 0 { String::new() } else { format!(" {number} {what}.") };
    let nameless = told(
        tally.nameless,
        "were refused with 401 after the first exit, with a token that nobody knows: they carry no user name",
    );
    let none = told(unreadable, "lines are no events");
    format!("{used}\n{} requests were read.{nameless}{none}", tally.read)
}

fn cells(row: &Row) -> [String; 9] {
    let time = |at: Option<Timestamp>| at.map(|at| format!("{at:.0}")).unwrap_or_default();
    let dead = if row.with_ended_token > 0 {
        format!(" ({} with an ended token)", row.with_ended_token)
    } else {
        String::new()
    };
    let by = row.name.clone().filter(|_| row.by == "user name").unwrap_or_else(|| row.by.clone());
    [
        row.records.first().cloned().unwrap_or_else(|| row.person.clone()),
        by,
        format!("{}{dead}", row.allowed),
        row.refused.to_string(),
        row.open_sessions.to_string(),
        time(row.first),
        time(row.last),
        row.verbs.join(", "),
        row.addresses.as_ref().map(|addresses| addresses.join(", ")).unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn person(state: &str) -> Person {
        serde_json::from_value(json!({
            "metadata": {"name": "p-7", "uid": "u-7"}, "spec": {"records": [{"connection": "hq", "id": "7"}]},
            "status": {"employment": {"state": state, "since": "2026-03-01T00:00:00Z", "seen": "2026-03-01T00:00:00Z",
                "timeZone": "UTC", "why": "Terminated"}},
        }))
        .unwrap()
    }

    fn cut(person: &Person) -> Revocation {
        let name = format!("{}cut", convert::termination_id(person).unwrap_or_default());
        let target = json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": "ada", "uid": "old", "why": ""});
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": "2026-03-01T00:00:00Z", "reason": "left"},
            "status": {"phase": "Revoked", "acted": "2026-03-01T00:00:09Z", "freeze": {"acted": "2026-03-01T00:00:05Z"},
                "plan": {"hash": "h", "targets": [target], "usernames": ["oidc:ada@example.com"]},
                "steps": [{"target": target, "outcome": "Done", "newUid": "new", "at": "2026-03-01T00:00:08Z"}]},
        }))
        .unwrap()
    }

    fn event(id: &str, second: u32, user: Value, code: u16, stage: &str) -> Value {
        json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": id, "stage": stage, "verb": "list",
            "requestReceivedTimestamp": format!("2026-03-01T00:01:{second:02}.000000Z"), "user": user,
            "sourceIPs": ["192.0.2.7"], "responseStatus": {"metadata": {}, "code": code}})
    }

    #[test]
    fn a_log_is_counted_line_by_line_and_says_so_of_what_it_cannot_read() {
        let ada = json!({"username": "oidc:ada@example.com", "groups": ["system:authenticated"]});
        let mut acting =
            event("3", 3, json!({"username": "system:serviceaccount:apps:bot", "uid": "b"}), 403, "ResponseComplete");
        acting["impersonatedUser"] = ada.clone();
        let posted = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [
            event("4", 4, json!({"username": "system:serviceaccount:apps:ada", "uid": "old"}), 200, "ResponseComplete"),
            event("5", 5, json!({}), 401, "ResponseComplete"),
        ]});
        let mut begun = event("1", 1, ada.clone(), 0, "RequestReceived");
        begun.as_object_mut().unwrap().remove("responseStatus");
        // An exec of before the exit, that nobody saw end.
        let mut exec = event("6", 0, ada.clone(), 101, "ResponseStarted");
        exec["requestReceivedTimestamp"] = json!("2026-02-28T20:00:00.000000Z");
        exec["objectRef"] = json!({"resource": "pods", "subresource": "exec"});
        let lines = [
            exec.to_string(),
            begun.to_string(),
            event("1", 1, ada.clone(), 403, "ResponseComplete").to_string(),
            event("2", 2, json!({"username": "oidc:ben@example.com"}), 200, "ResponseComplete").to_string(),
            acting.to_string(),
            posted.to_string(),
            "{\"half a line".to_owned(),
        ];
        let people = [person("Terminated")];
        let identities = identities(&people, &[cut(&people[0])]);
        let mut tally = Tally::new(&identities);
        assert_eq!(count_lines(lines.join("\n").as_bytes(), &mut tally).unwrap(), 1);
        assert_eq!((tally.read, tally.nameless), (6, 1));
        let rows: Vec<Row> =
            tally.uses().iter().map(|(at, used)| row(&identities[*at], used, &people, false)).collect();
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.by.as_str(), row.refused, row.allowed, row.with_ended_token, row.open_sessions))
            .collect();
        assert_eq!(told, [("account apps/ada", 0, 1, 1, 0), ("user name", 2, 0, 0, 1)]);
        assert!(
            !serde_json::to_string(&rows).unwrap().contains("example.com"),
            "no name is shown unless it is asked for"
        );
        assert!(!serde_json::to_string(&rows).unwrap().contains("192.0.2.7"), "and no address");
        assert_eq!(verdict(&rows).unwrap_err().code(), ALLOWED);
        assert_eq!(verdict(&rows[1..]).unwrap_err().code(), ALLOWED, "an exec goes on");
        let refused = Row { open_sessions: 0, ..rows.into_iter().next_back().unwrap() };
        assert_eq!(verdict(&[refused]).unwrap_err().code(), REFUSED);
        assert!(verdict(&[]).is_ok());
    }

    #[test]
    fn who_works_here_again_uses_what_is_theirs() {
        let (left, back) = (person("Terminated"), person("Active"));
        let names = |people: &[Person]| identities(people, &[cut(&left)]).len();
        assert_eq!(names(std::slice::from_ref(&left)), 2);
        assert_eq!(names(&[back]), 0);
        assert_eq!(names(&[]), 0, "a Person that is gone names nobody");
    }
}
