//! The answer of `why` for programs: the facts by the words of the kinds, and the sentences that people are shown. Pure.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::answer::{Answer, Freshness, Manages, Next, Source, Told};
use super::owned::{Owned, Whose};
use super::words::{self, Advice};

/// What there is to say of one person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts<'a> {
    person: &'a str,
    records: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    policy: Option<&'a str>,
    employment: Option<Employment<'a>>,
    access: Option<Access<'a>>,
    revocations: Vec<Revocation<'a>>,
    connections: Vec<Connection<'a>>,
    /// What names them in the cluster; nothing where the caller may not look.
    owned: Option<Vec<Owns<'a>>>,
    next: Vec<Coming>,
    /// What the reader can do.
    to_do: Vec<ToDo>,
    /// The answer in sentences, line by line.
    says: Vec<String>,
}

/// What follows from all records together.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Employment<'a> {
    state: &'static str,
    why: &'static str,
    since: Timestamp,
    last_day: Option<Date>,
    time_zone: &'a str,
}

/// The condition `Revoked` of the Person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Access<'a> {
    reason: Option<&'static str>,
    message: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Revocation<'a> {
    name: &'a str,
    operation: &'static str,
    phase: &'static str,
    /// Whether it is about this termination or leave, and no earlier one.
    present: bool,
    due: Timestamp,
    gate: Option<Gate<'a>>,
    objects: usize,
    remaining: usize,
    verified: Option<Timestamp>,
    /// How many credentials came back, or worked again at the last check.
    returned: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Gate<'a> {
    reason: Option<&'static str>,
    message: &'a str,
    until: Option<Timestamp>,
    batch: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'a> {
    name: &'a str,
    freshness: &'static str,
    last_trusted: Option<Timestamp>,
    /// Why its newest response is not trusted.
    held: Option<&'static str>,
    next_read: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Owns<'a> {
    what: &'a str,
    whose: Whose,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Coming {
    at: Timestamp,
    what: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToDo {
    command: Option<String>,
    says: String,
}

impl<'a> Facts<'a> {
    /// The facts of an answer; name and address only where they are asked for.
    pub fn of(answer: &'a Answer, unmask: bool) -> Self {
        let [name, address] = answer.name.each_ref().map(|one| one.as_deref().filter(|_| unmask));
        Self {
            person: &answer.person,
            records: &answer.records,
            name,
            address,
            policy: match &answer.policy {
                Manages::Nobody => None,
                Manages::Gone(name) | Manages::Policy { name, .. } => Some(name),
            },
            employment: answer.standing.as_ref().map(|standing| Employment {
                state: standing.state.as_str(),
                why: standing.why.as_str(),
                since: standing.since,
                last_day: standing.last_day,
                time_zone: &standing.zone,
            }),
            access: answer
                .access
                .as_ref()
                .map(|shown| Access { reason: shown.reason.map(|reason| reason.as_str()), message: &shown.message }),
            revocations: answer.told.iter().map(revocation).collect(),
            connections: answer.sources.iter().map(connection).collect(),
            owned: match &answer.owned {
                Owned::NotAllowed => None,
                Owned::Things(things) => {
                    Some(things.iter().map(|thing| Owns { what: &thing.what, whose: thing.whose }).collect())
                }
            },
            next: answer.next.iter().map(|next| coming(next, &answer.policy)).collect(),
            to_do: answer.commands.iter().map(|one| to_do(words::advice(one, &answer.namespace))).collect(),
            says: words::answer(answer, unmask).lines().map(str::to_owned).collect(),
        }
    }
}

fn revocation(told: &Told) -> Revocation<'_> {
    Revocation {
        name: &told.name,
        operation: told.operation.as_str(),
        phase: told.phase.as_str(),
        present: told.present,
        due: told.due,
        gate: told.gate.as_ref().map(|gate| Gate {
            reason: gate.reason.map(|reason| reason.as_str()),
            message: &gate.message,
            until: gate.until,
            batch: gate.batch.as_deref(),
        }),
        objects: told.objects,
        remaining: told.remaining.len(),
        verified: told.verified,
        returned: told.returned.saturating_add(told.again),
    }
}

fn connection(source: &Source) -> Connection<'_> {
    let (freshness, last_trusted) = match source.freshness {
        Freshness::Gone => ("Gone", None),
        Freshness::NeverTrusted => ("NeverTrusted", None),
        Freshness::Fresh(at) => ("Fresh", Some(at)),
        Freshness::Stale(at) => ("Stale", Some(at)),
    };
    let held = source.held.as_ref().map(|(reason, _)| reason.map_or("Other", |reason| reason.as_str()));
    Connection { name: &source.name, freshness, last_trusted, held, next_read: source.next_read }
}

fn coming(next: &Next, policy: &Manages) -> Coming {
    Coming { at: next.at(), what: words::coming(next, policy) }
}

fn to_do(advice: Advice) -> ToDo {
    ToDo { command: advice.command, says: advice.text }
}
