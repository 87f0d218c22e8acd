//! Runs: the leavers of one pass, counted before the first of them is written.
//!
//! A run's number is always that of the people who carry it once the pass is written, so that none can be left that is
//! never complete: a person who is withdrawn or deleted lowers it.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Access, Baseline, Draft, Employment, Map, Role, RosterEntry, Rules, Set};
use crate::lifecycle::{State, Why};

/// Most runs that are kept: those of leavers whose access stands, then the newest.
pub const MAX_RUNS: usize = 20;

/// The leavers of one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id, carried by each of its Persons.
    pub id: String,
    /// How many people carry it.
    pub leavers: u32,
    /// How many people in scope had not left before it.
    pub people: u32,
    /// When it began.
    pub at: Timestamp,
    /// Every Person of it is written: nobody joins it any more.
    pub written: bool,
}

/// Gives every new leaver the run of this pass, marks those of a baseline, and counts all runs again.
///
/// The newest run is continued if a crash left it unwritten with fewer people than it counts: then its leavers and
/// those of this pass are one count, as if nothing had happened. Any other run is closed.
pub(super) fn assign(drafts: &mut [Draft<'_>], rules: &Rules<'_>, now: Timestamp) -> Vec<Run> {
    let mut runs = rules.runs.to_vec();
    let mut leavers: Vec<String> = Vec::new();
    for draft in drafts.iter_mut() {
        draft.leaver = leaves(draft, rules) || goes_on_leave(draft);
        if draft.leaver {
            leavers.push(draft.name.clone().into_owned());
        }
    }
    if !leavers.is_empty() {
        let id = match runs.last().filter(|newest| unfinished(newest, drafts)) {
            Some(open) => open.id.clone(),
            None => {
                let run =
                    Run { id: fresh(rules.policy_uid, now, leavers), leavers: 0, people: 0, at: now, written: false };
                let id = run.id.clone();
                runs.push(run);
                id
            }
        };
        if let Some(open) = runs.last_mut() {
            open.people = count(drafts.iter().filter(|draft| !had_left(draft) && draft.after.employment.out.is_none()));
        }
        for draft in drafts.iter_mut().filter(|draft| draft.leaver) {
            let (leaves, goes_on_leave) = (leaves(draft, rules), goes_on_leave(draft));
            let after = draft.after.to_mut();
            if let Some(left) = after.employment.left.as_mut().filter(|_| leaves) {
                if left.run.is_some() {
                    (left.seen, left.baseline) = (now, true);
                }
                left.run = Some(id.clone());
            }
            if let Some(leave) = after.leave.as_mut().filter(|_| goes_on_leave) {
                leave.run = Some(id.clone());
            }
        }
    }
    mark_baseline(drafts, rules);
    recount(runs, drafts)
}

/// Whether this pass counts them: new leavers, and those another policy counted while their access still stands. To
/// this policy the latter are seen now for the first time, as leavers: they need approval, also where a human said no to the
/// other one's plan. A termination that is being carried out stays what it is.
fn leaves(draft: &Draft<'_>, rules: &Rules<'_>) -> bool {
    let Some(left) = &draft.after.employment.left else { return false };
    let inherited = draft.before.is_some_and(|before| before.policy != rules.policy);
    left.run.is_none() || (inherited && draft.access == Access::Stands)
}

/// Whether a leave that the policy acts on begins with this pass: it is counted like somebody who leaves.
fn goes_on_leave(draft: &Draft<'_>) -> bool {
    draft.after.leave.as_ref().is_some_and(|leave| leave.run.is_none())
}

/// The runs that count somebody: that of their termination, and that of their leave.
fn carried(entry: &RosterEntry) -> impl Iterator<Item = &str> {
    let left = entry.employment.left.as_ref().and_then(|left| left.run.as_deref());
    let leave = entry.leave.as_ref().and_then(|leave| leave.run.as_deref());
    left.into_iter().chain(leave.filter(move |leave| Some(*leave) != left))
}

fn unfinished(run: &Run, drafts: &[Draft<'_>]) -> bool {
    let carries = |draft: &&Draft<'_>| draft.before.into_iter().flat_map(carried).any(|carried| carried == run.id);
    !run.written && count(drafts.iter().filter(carries)) < run.leavers
}

fn had_left(draft: &Draft<'_>) -> bool {
    draft.before.is_some_and(|before| before.employment.state == State::Terminated)
}

/// Everybody who has left while a baseline of one of their connections is taken, or awaited, and still has access needs
/// approval. So does a leaver who fell out of scope with the answer that says they leave, and one who leaves by a human's word alone
/// while their HR system was replaced, because nobody can tell whether they are in scope. Half-done work does not: stopped there, it would leave an account deleted
/// and not made again.
fn mark_baseline(drafts: &mut [Draft<'_>], rules: &Rules<'_>) {
    let unsettled = |draft: &Draft<'_>| {
        let deciding = draft.records.iter().filter(|record| decides(&record.connection, rules));
        deciding.into_iter().any(|record| (rules.baseline)(&record.connection) != Baseline::Settled)
    };
    let doubtful = |draft: &Draft<'_>| {
        draft.after.employment.leaves_scope.is_some() || unsettled(draft) || by_word_alone(&draft.after, rules)
    };
    for draft in drafts.iter_mut() {
        // What is frozen already stays so, whatever this says.
        let unmarked = draft.after.leave.as_ref().is_some_and(|leave| !leave.baseline);
        if unmarked && doubtful(draft) {
            draft.after.to_mut().leave.iter_mut().for_each(|leave| leave.baseline = true);
        }
    }
    for draft in drafts.iter_mut().filter(|draft| draft.access == Access::Stands) {
        let employment = &draft.after.employment;
        let unmarked = employment.left.as_ref().is_some_and(|left| !left.baseline);
        if unmarked && doubtful(draft) {
            draft.after.to_mut().employment.left.iter_mut().for_each(|left| left.baseline = true);
        }
    }
}

/// Whether a human's word decides of somebody who is in scope by what a connection said that was replaced, and by nothing that is
/// read: the scope may have been changed since.
fn by_word_alone(entry: &RosterEntry, rules: &Rules<'_>) -> bool {
    let employs = |one: &&Employment| (rules.role)(&one.record.connection) != Role::Corroborating;
    let mut in_scope = entry.employments.iter().filter(employs).filter(|one| one.state.out.is_none());
    let by_word = matches!(entry.employment.why, Why::Declared | Why::DeclaredLeave | Why::DeclaredSuspended);
    by_word && rules.scope.filters() && in_scope.all(|one| one.state.why == Why::NotMigrated)
}

/// Whether a connection says who has left, or would if it were read.
fn decides(connection: &str, rules: &Rules<'_>) -> bool {
    matches!((rules.role)(connection), Role::Employment | Role::Unread)
}

fn recount(mut runs: Vec<Run>, drafts: &[Draft<'_>]) -> Vec<Run> {
    let mut people: Map<&str, u32> = Map::default();
    let mut unfinished: Set<&str> = Set::default();
    for draft in drafts {
        for run in carried(&draft.after) {
            *people.entry(run).or_default() += 1;
        }
        let left = draft.after.employment.left.as_ref().and_then(|left| left.run.as_deref());
        unfinished.extend(left.filter(|_| draft.access != Access::Refused));
    }
    for run in &mut runs {
        run.leavers = people.get(run.id.as_str()).copied().unwrap_or_default();
    }
    runs.retain(|run| run.leavers > 0);
    while runs.len() > MAX_RUNS {
        let settled = runs.iter().position(|run| !unfinished.contains(run.id.as_str()));
        runs.remove(settled.unwrap_or(0));
    }
    runs
}

/// An id no run had before: of the policy, the instant and the leavers.
fn fresh(policy_uid: &str, now: Timestamp, mut leavers: Vec<String>) -> String {
    leavers.sort_unstable();
    let digest = Sha256::digest(format!("{policy_uid}\0{}\0{}", now.as_nanosecond(), leavers.join("\0")));
    let text = data_encoding::BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
    format!("r-{}", text.chars().take(13).collect::<String>())
}

fn count<'a, T: 'a>(items: impl Iterator<Item = &'a T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
