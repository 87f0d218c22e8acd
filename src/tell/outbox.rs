//! What waits to be told: the turns that stand on Persons and what came of Revocations, but for what was told. Pure.
//!
//! The queue is in the cluster: however long a receiver is away, nothing is held in memory that does not stand there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::event::{Event, id};
use super::told::{Mark, Told};
use crate::api::revocation::{Phase, RevocationStatus, VerdictKind};
use crate::api::{Person, Revocation};

/// What waits of one person, in the order in which it is told.
#[derive(Debug, PartialEq)]
pub struct Waiting {
    /// Name of the Person.
    pub person: String,
    /// What there is to tell.
    pub events: Vec<Due>,
    /// Turns that stand nowhere any more: more came than are kept before any was told.
    pub lost: u32,
}

/// Something to tell, and what is noted once it was.
#[derive(Debug, PartialEq)]
pub struct Due {
    /// Uid of the object that it stands on.
    pub uid: String,
    /// What of it.
    pub mark: Mark,
    /// How it is told.
    pub event: Event,
    /// Where it comes among what waits of this person: no earlier than what stands before it on the same object, whatever the clocks say.
    order: Option<Timestamp>,
}

/// Everything that waits, by person.
#[must_use]
pub fn waiting(people: &[Arc<Person>], revocations: &[Arc<Revocation>], told: &Told) -> Vec<Waiting> {
    let mut all: BTreeMap<String, Waiting> = BTreeMap::new();
    let mut of = |person: String, due: Vec<Due>, lost: u32| {
        if due.is_empty() {
            return;
        }
        let made = || Waiting { person: person.clone(), events: Vec::new(), lost: 0 };
        let waiting = all.entry(person.clone()).or_insert_with(made);
        waiting.events.extend(due);
        waiting.lost = waiting.lost.saturating_add(lost);
    };
    for person in people {
        let due = turns(person, told);
        let uid = person.metadata.uid.as_deref().unwrap_or_default();
        let lost = match due.first().map(|due| &due.mark) {
            Some(Mark::Turn(first)) => first.saturating_sub(told.last_turn(uid)).saturating_sub(1),
            _ => 0,
        };
        of(person.name_any(), due, lost);
    }
    let records: BTreeMap<String, &Arc<Person>> = people.iter().map(|person| (person.name_any(), person)).collect();
    for revocation in revocations {
        let person = records.get(&revocation.spec.person).map(AsRef::as_ref);
        of(revocation.spec.person.clone(), facts(revocation, person, told), 0);
    }
    let mut all: Vec<Waiting> = all.into_values().collect();
    // Turns stand first, so of the same instant they are told first.
    all.iter_mut().for_each(|waiting| waiting.events.sort_by_key(|due| due.order));
    all
}

/// Uids of everything of which something may have been told.
#[must_use]
pub fn uids<'a>(people: &'a [Arc<Person>], revocations: &'a [Arc<Revocation>]) -> BTreeSet<&'a str> {
    let of_people = people.iter().filter_map(|person| person.metadata.uid.as_deref());
    of_people.chain(revocations.iter().filter_map(|revocation| revocation.metadata.uid.as_deref())).collect()
}

fn records(person: Option<&Person>) -> Vec<String> {
    let all = person.into_iter().flat_map(|person| &person.spec.records);
    all.map(|record| format!("{}/{}", record.connection, record.id)).collect()
}

/// The turns of a Person that were not told.
fn turns(person: &Person, told: &Told) -> Vec<Due> {
    let (Some(uid), Some(status)) = (person.metadata.uid.as_deref(), &person.status) else { return Vec::new() };
    let marked = status.turns.iter().map(|turned| (Mark::Turn(turned.number), turned));
    let new = marked.filter(|(mark, _)| !told.has(uid, mark));
    let mut order = None;
    new.map(|(mark, turned)| {
        order = order.max(Some(turned.at));
        let word = turned.turn.word();
        let event = Event {
            id: id(&[uid, "turn", &turned.number.to_string()]),
            kind: format!("person.{word}"),
            subject: person.name_any(),
            time: Some(turned.at),
            data: json!({
                "person": person.name_any(), "uid": uid, "records": records(Some(person)), "policy": status.policy,
                "turn": word, "number": turned.number,
            }),
        };
        Due { uid: uid.to_owned(), mark, event, order }
    })
    .collect()
}

/// One thing that came of a Revocation: the word that it is known by, what it is called, and when it was, if that is known.
struct Fact {
    word: String,
    kind: &'static str,
    at: Option<Timestamp>,
    /// Which attempt, where it is of one.
    attempt: Option<u32>,
    /// Whether what the status says of verdicts and of what remains is of this.
    counts: bool,
}

/// What came of a Revocation, in its order.
fn came(revocation: &Revocation) -> Vec<Fact> {
    let Some(status) = &revocation.status else { return Vec::new() };
    let attempt = status.attempt.unwrap_or(0);
    let plain = |kind: &'static str, at| Fact { word: kind.to_owned(), kind, at, attempt: None, counts: false };
    let of = |kind: &'static str, number: u32, at, counts| Fact {
        word: format!("{kind}-{number}"),
        kind,
        at,
        attempt: Some(number),
        counts,
    };
    let released = status.instants.as_ref().and_then(|instants| instants.released);
    let mut facts: Vec<Fact> = released.map(|at| plain("released", Some(at))).into_iter().collect();
    facts.extend((0..attempt).map(|number| of("failed", number, None, false)));
    let seen = status.verified.or(status.acted);
    match status.phase {
        Some(Phase::Revoked) => facts.push(of("revoked", attempt, seen, true)),
        Some(Phase::Failed) => facts.push(of("failed", attempt, status.acted, true)),
        Some(Phase::Cancelled) => facts.push(plain("cancelled", None)),
        Some(Phase::Frozen) => facts.push(Fact { counts: true, ..plain("frozen", seen) }),
        Some(Phase::Lifted) => facts.extend([plain("frozen", seen), plain("lifted", status.lifted)]),
        Some(Phase::Held | Phase::Released) | None => {}
    }
    for returned in &status.returned {
        // By its uid and the instant: a binding may come back more than once under one uid.
        let word = format!("returned-{}-{}", returned.uid, returned.at.as_second());
        facts.push(Fact { word, ..plain("returned", Some(returned.at)) });
    }
    let refuted = status.recheck.as_ref().filter(|recheck| !recheck.refuted.is_empty());
    facts.extend(refuted.map(|recheck| of("refuted", recheck.stage, recheck.at, false)));
    // What has no instant of its own was no earlier than what it follows.
    let mut last = revocation.creation_timestamp().map(|made| made.0);
    for fact in &mut facts {
        fact.at = fact.at.or(last);
        last = fact.at;
    }
    facts
}

/// What came of a Revocation and was not told.
fn facts(revocation: &Revocation, person: Option<&Person>, told: &Told) -> Vec<Due> {
    let Some(uid) = revocation.metadata.uid.as_deref() else { return Vec::new() };
    // A Person of the same name that was made later is not meant.
    let person = person.filter(|person| person.metadata.uid.as_deref() == Some(revocation.spec.person_uid.as_str()));
    let new = came(revocation).into_iter().filter(|fact| !told.has(uid, &Mark::Fact(fact.word.clone())));
    let mut order = None;
    new.map(|fact| {
        order = order.max(fact.at);
        let spec = &revocation.spec;
        let mut data = json!({
            "revocation": revocation.name_any(), "uid": uid, "person": spec.person, "records": records(person),
            "policy": spec.policy, "operation": spec.operation, "trigger": spec.trigger, "what": fact.kind,
        });
        if let Some(data) = data.as_object_mut() {
            data.extend(fact.attempt.map(|attempt| ("attempt".to_owned(), json!(attempt))));
            let status = revocation.status.as_ref().filter(|_| fact.counts);
            data.extend(status.into_iter().flat_map(ended));
        }
        let event = Event {
            id: id(&[uid, "fact", &fact.word]),
            kind: format!("revocation.{}", fact.kind),
            subject: spec.person.clone(),
            time: fact.at,
            data,
        };
        Due { uid: uid.to_owned(), mark: Mark::Fact(fact.word), event, order }
    })
    .collect()
}

/// How an attempt ended: verdicts by kind, and how much remains.
fn ended(status: &RevocationStatus) -> [(String, Value); 2] {
    let of = |kind| status.verdicts.iter().filter(|one| one.verdict == kind).count();
    let verdicts = json!({
        "observed": of(VerdictKind::Observed), "implied": of(VerdictKind::Implied), "adopted": of(VerdictKind::Adopted),
        "refuted": of(VerdictKind::Refuted), "unknown": of(VerdictKind::Unknown),
    });
    [("verdicts".to_owned(), verdicts), ("remaining".to_owned(), json!(status.remaining_count))]
}

#[cfg(test)]
mod tests;
