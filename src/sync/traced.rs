//! What sync did for a Revocation, as spans of its trace: the read that showed that somebody left, and the pass that wrote it.
//!
//! Both come before the Revocation, whose uid is the trace's id. So they are kept until it is seen, and told then; in memory alone:
//! who is restarted in between tells nothing of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::people::Write;
use super::{Context, convert};
use crate::api::Revocation;
use crate::api::convert::trace;
use crate::kube::calls;
use domain::roster;
use domain::traces::{Key, Name, Span, Trace, Value};

/// Most that are kept.
const MOST: usize = 4096;
/// What names of Revocations have after that of the termination or leave.
const ENDS: [&str; 2] = ["-cut", "-freeze"];

/// What is known of turns whose Revocations are still to come.
#[derive(Default)]
pub struct Turns {
    /// By what the names of the Revocations begin with.
    kept: Mutex<HashMap<String, Turn>>,
    /// When what a pass has seen was read, by policy and connection.
    passed: Mutex<BTreeMap<(String, String), Timestamp>>,
}

/// How it came to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When the pass began that found it.
    pub found: Timestamp,
    /// The reads that showed it; none where a midnight or a human did.
    pub reads: Vec<Read>,
}

/// A read of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its name.
    pub connection: String,
    /// When the read began.
    pub begun: Timestamp,
    /// When it was done.
    pub taken: Timestamp,
}

impl Turns {
    fn keep(&self, name: String, turn: Turn) {
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            // Revocations follow within moments: those of earlier passes that have not come will not, as of a leave that changes nothing.
            all.retain(|_, kept| kept.found >= turn.found);
        }
        if all.len() < MOST || all.contains_key(&name) {
            all.insert(name, turn);
        }
    }

    /// Takes out what the Revocation of this name follows from.
    fn take(&self, revocation: &str) -> Option<Turn> {
        let name = ENDS.iter().find_map(|end| revocation.strip_suffix(end))?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// Those of these reads that no pass of the policy has seen: one that it has seen is not what shows something new.
    fn fresh(&self, policy: &str, reads: &[Read]) -> Vec<Read> {
        let passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = |read: &&Read| passed.get(&(policy.to_owned(), read.connection.clone())) == Some(&read.taken);
        reads.iter().filter(|read| !seen(read)).cloned().collect()
    }

    /// A pass of the policy has seen these reads, and written what they show.
    fn pass(&self, policy: &str, reads: Vec<Read>) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.extend(reads.into_iter().map(|read| ((policy.to_owned(), read.connection), read.taken)));
    }
}

/// Keeps of what a pass over these reads is about to write who turns by it, for when their Revocations are seen.
pub fn found<'a>(ctx: &Context, policy: &str, reads: &[Read], writes: impl Iterator<Item = &'a Write>, now: Timestamp) {
    if ctx.traces.are_kept() {
        let fresh = ctx.turns.fresh(policy, reads);
        writes.filter_map(turned).for_each(|name| ctx.turns.keep(name, Turn { found: now, reads: fresh.clone() }));
    }
}

/// Notes that what a pass over these reads shows is written.
pub fn written(ctx: &Context, policy: &str, reads: Vec<Read>) {
    if ctx.traces.are_kept() {
        ctx.turns.pass(policy, reads);
    }
}

/// What the names of the Revocations begin with that a write calls for.
fn turned(write: &Write) -> Option<String> {
    let before = write.current.as_ref().and_then(|person| person.status.as_ref());
    let employment = write.status.employment.as_ref();
    let left = employment.and_then(|employment| convert::termination_id(&write.name, employment));
    if let Some(id) = left {
        let before = before.and_then(|before| convert::termination_id(&write.name, before.employment.as_ref()?));
        return (before.as_ref() != Some(&id)).then_some(id);
    }
    let seen = write.status.leave.as_ref()?.seen;
    let before = before.and_then(|before| before.leave.as_ref()).map(|leave| leave.seen);
    (before != Some(seen)).then(|| roster::termination_id(&write.name, seen))
}

/// Tells of a Revocation that is seen for the first time how it came to be.
pub fn seen(ctx: &Context, revocation: &Revocation) {
    if !ctx.traces.are_kept() {
        return;
    }
    let turn = revocation.metadata.name.as_deref().and_then(|name| ctx.turns.take(name));
    ctx.traces.tell(turn.iter().flat_map(|turn| spans(&trace(revocation), turn, calls::now())));
}

fn spans(trace: &Trace, turn: &Turn, now: Timestamp) -> Vec<Span> {
    let read = |Read { connection, begun, taken }: &Read| {
        trace.part(Name::Read, connection, (*begun, *taken)).saying(Key::Connection, Value::name(connection))
    };
    // A read may be done while the pass begins.
    let found = turn.reads.iter().map(|read| read.taken).fold(turn.found, Timestamp::max);
    let person = trace.part(Name::Person, "", (found, now));
    turn.reads.iter().map(read).chain([person]).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::api::Person;
    use crate::api::person::PersonStatus;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn employed(state: &str, seen: Option<i64>) -> Json {
        json!({"employment": {"state": state, "since": at(1).to_string(), "timeZone": "UTC", "why": "Terminated",
            "seen": seen.map(|second| at(second).to_string())}})
    }

    fn on_leave(seen: i64) -> Json {
        let mut status = employed("Leave", None);
        status["leave"] = json!({"seen": at(seen).to_string()});
        status
    }

    fn write(before: Option<Json>, after: Json) -> Write {
        let person = |status: Json| -> Person {
            serde_json::from_value(json!({"metadata": {"name": "p-7"}, "spec": {"records": []}, "status": status}))
                .unwrap()
        };
        let status: PersonStatus = serde_json::from_value(after).unwrap();
        let current = before.map(person).map(Arc::new);
        Write { current, name: "p-7".into(), records: Vec::new(), profile: None, status: Box::new(status) }
    }

    #[test]
    fn who_turns_is_kept_under_the_name_of_the_revocations_to_come() {
        let left = || employed("Terminated", Some(90));
        let id = |second| Some(roster::termination_id("p-7", at(second)));
        for (what, before, after, expected) in [
            ("works here", None, employed("Active", None), None),
            ("first seen as a leaver", None, left(), id(90)),
            ("has left", Some(employed("Active", None)), left(), id(90)),
            ("left before", Some(left()), left(), None),
            ("left again", Some(employed("Terminated", Some(20))), left(), id(90)),
            ("goes on leave", Some(employed("Active", None)), on_leave(80), id(80)),
            ("is on leave", Some(on_leave(80)), on_leave(80), None),
            ("leaves from a leave", Some(on_leave(80)), left(), id(90)),
        ] {
            assert_eq!(turned(&write(before, after)), expected, "{what}");
        }
    }

    #[test]
    fn a_turn_is_told_of_its_own_revocation_and_once() {
        let turns = Turns::default();
        let id = roster::termination_id("p-7", at(90));
        let turn = Turn { found: at(91), reads: Vec::new() };
        turns.keep(id.clone(), turn.clone());
        for other in [format!("{id}-remove"), format!("{id}-late-abc123-cut"), "p-7-cut".to_owned(), String::new()] {
            assert_eq!(turns.take(&other), None, "{other}");
        }
        assert_eq!(turns.take(&format!("{id}-cut")), Some(turn));
        assert_eq!(turns.take(&format!("{id}-cut")), None);
        (0..=MOST).for_each(|which| turns.keep(which.to_string(), Turn { found: at(1), reads: Vec::new() }));
        assert_eq!(turns.kept.lock().unwrap().len(), MOST);
        turns.keep("later".into(), Turn { found: at(2), reads: Vec::new() });
        assert!(turns.take("later-cut").is_some(), "what never came keeps nobody else out");
    }

    #[test]
    fn a_read_that_a_pass_has_seen_shows_nothing_new_at_midnight() {
        let turns = Turns::default();
        let read = |connection: &str, second| Read { connection: connection.into(), begun: at(1), taken: at(second) };
        let reads = vec![read("hq", 10), read("okta", 11)];
        assert_eq!(turns.fresh("everyone", &reads), reads);
        turns.pass("everyone", reads.clone());
        assert_eq!(turns.fresh("everyone", &reads), []);
        assert_eq!(turns.fresh("everyone", &[read("hq", 20), read("okta", 11)]), [read("hq", 20)]);
        assert_eq!(turns.fresh("contractors", &reads), reads, "each policy for itself");
    }

    #[test]
    fn the_read_comes_before_what_was_made_of_it() {
        for (pass, begins) in [(91, 91), (89, 90)] {
            let read = Read { connection: "hq".into(), begun: at(88), taken: at(90) };
            let turn = Turn { found: at(pass), reads: vec![read] };
            let spans = spans(&Trace::new("r-uid", 0, Vec::new()), &turn, at(93));
            let times: Vec<_> = spans.iter().map(|span| (span.name, span.begun, span.ended)).collect();
            assert_eq!(times, [(Name::Read, at(88), at(90)), (Name::Person, at(begins), at(93))]);
            assert!(spans[0].attributes.contains(&(Key::Connection, Value::name("hq"))));
        }
    }
}
