//! The roster: from who is known, and what a trusted answer says, to what each Person becomes.
//!
//! Over all connections of a policy. Pure: the answers are believed already, `now` is an argument, and equal input gives no change.
//! Nobody becomes a leaver here but on a positive statement: a status, or a last day that has passed. Everybody out of
//! scope is never one, whatever is said of them; who comes into scope as one, or leaves and falls out of scope in the same
//! answer, needs approval. Who had left before anybody looked gets a Person only if something here is theirs.

mod aliases;
mod answer;
mod calendar;
mod drafts;
mod employment;
mod fold;
mod leave;
mod managers;
mod matching;
mod moves;
mod person;
mod rules;
mod runs;
mod shared;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::account;
use super::employee::{Employee, HrId};
use super::identity::{self, Directories, Findings};
use super::lifecycle::{Facts, State, Why};
use super::moves::{Found, Moves};
pub use super::profile::{Imported, Modes, Profile};
use super::scope::Out;
pub use aliases::AliasDates;
pub use answer::absorbers;
use drafts::drafts;
pub use matching::{Doubt, MAX_DOUBTS, MatchKey, Matching};
pub use moves::{Many, MovesTally};
pub use person::termination_id;
pub use rules::{Baseline, Migration, OfName, OfRecord, Role, Rules, UserNames};
pub use runs::{MAX_RUNS, Run};
pub use shared::{Candidate, Decides, Reader, owner};

/// Maps and sets of a pass, which looks everybody up several times: the hash of the standard library is the larger part of that.
type Map<K, V> = HashMap<K, V, RandomState>;
type Set<T> = HashSet<T, RandomState>;

/// Most HR records of one Person.
pub const MAX_RECORDS: usize = 8;

/// What stands on a Person beyond its identity: everything the roster decides from, and everything it decides.
#[derive(Clone, PartialEq, Eq)]
pub struct RosterEntry {
    /// Name of the SyncPolicy that manages the person.
    pub policy: String,
    /// What each HR record says, in the order in which the Person links them; those that a trusted answer ever named.
    pub employments: Vec<Employment>,
    /// What follows from them together today.
    pub employment: EmploymentState,
    /// The leave they are on, where the policy acts on it; stays until they work here again. Few people have one.
    pub leave: Option<Box<OnLeave>>,
    /// `email:<lower-cased address>` and `user:<user name>`, oldest first; they only grow, but by a human's word.
    pub aliases: Vec<String>,
    /// From when to when, of those that have not been theirs from the start until now.
    pub alias_dates: Vec<AliasDates>,
    /// What is kept for showing, and follows HR.
    pub profile: Profile,
    /// What was imported once, and is a human's to edit; none for most people, and held apart.
    pub once: Option<Box<Imported>>,
    /// What is remembered of their moves, where that is anything.
    pub moves: Option<Box<Moves>>,
}

/// Where an HR record is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordKey {
    /// Name of the connection.
    pub connection: Arc<str>,
    /// Id in the HR system.
    pub id: HrId,
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.connection, self.id)
    }
}

/// What one HR record says of a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Employment {
    /// Where it is.
    pub record: RecordKey,
    /// What it says, as last named by a trusted answer.
    pub facts: Facts,
    /// When the last day was announced; always with an announced day.
    pub notice: Option<Notice>,
    /// Since when trusted answers no longer name it.
    pub missing_since: Option<Timestamp>,
    /// What is known of the account, where the policy keeps it. Nothing is decided by it here.
    pub account: Option<Box<account::Known>>,
    /// What follows from it alone today. Nothing counts it: it has no run.
    pub state: EmploymentState,
}

/// When trusted answers announced a last day while it was still to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The first of them.
    pub at: Timestamp,
    /// Another one, about a day later or more, said the same.
    pub confirmed: bool,
}

/// What follows from the facts today.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmploymentState {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Last day of work, where known.
    pub last_day: Option<Date>,
    /// IANA name of the zone the day is counted in.
    pub zone: String,
    /// Why: what the record says of them.
    pub why: Why,
    /// How they left; only with `Terminated`.
    pub left: Option<Box<Left>>,
    /// Why they are out of scope; always with `OutOfScope`, and with `Unknown` where nobody could tell since.
    pub out: Option<Out>,
    /// Why they would be out of scope by what an answer says that also says that they leave: scope is judged by what was
    /// known before, and a human decides.
    pub leaves_scope: Option<Out>,
}

impl RosterEntry {
    /// Whether trusted answers name none of the records any more.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        !self.employments.is_empty() && self.employments.iter().all(|employment| employment.missing_since.is_some())
    }
}

impl EmploymentState {
    /// Why, in words.
    #[must_use]
    pub fn message(&self) -> String {
        let record = self.why.words();
        match (self.state, self.out, self.leaves_scope) {
            (State::OutOfScope, Some(out), _) => format!("out of scope: {}; the record says: {record}", out.words()),
            (_, _, Some(out)) => format!("{record}; the same response puts them out of scope: {}", out.words()),
            _ => record.to_owned(),
        }
    }
}

/// How somebody left. Stays as it was first written for as long as the termination stands; only `baseline` may be set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    /// The run that counts them; none only before the roster has given them one.
    pub run: Option<String>,
    /// They came, or stood, with a baseline, were first seen as a leaver, came into scope as one, or fell out of it with the
    /// same answer: needs approval.
    pub baseline: bool,
    /// The first instant after the last day; or when it was seen, without a last day.
    pub effective: Timestamp,
    /// When a trusted answer, or a midnight, first said so.
    pub seen: Timestamp,
    /// Two trusted answers a day apart announced the day: counts against no limit.
    pub announced: bool,
}

/// A leave that the policy acts on. Stays as it was first written for as long as it lasts; only `baseline` may be set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnLeave {
    /// The run that counts them; none only before the roster has given them one.
    pub run: Option<String>,
    /// They were on leave at a baseline, when first seen, or when they came into scope: needs approval.
    pub baseline: bool,
    /// When a trusted answer first said so.
    pub seen: Timestamp,
}

/// How far the present termination of a person has come. What an earlier one did says nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing was released yet, or not everything is proved refused.
    Stands,
    /// It is being ended: the revoker has it, or will.
    Ending,
    /// It is refused.
    Refused,
}

/// A human's word of what somebody is, which goes before what HR says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// What they are.
    pub says: Says,
    /// When it was said: what was not said yet counts not yet.
    pub from: Timestamp,
    /// Their last day; none at once.
    pub last_day: Option<Date>,
    /// When HR's word counts again.
    pub until: Timestamp,
}

/// What a human says that somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// They have left, or will.
    Leaves,
    /// They work here.
    Active,
    /// They are on leave.
    Leave,
    /// They are suspended.
    Suspended,
}

/// A Person that exists.
#[derive(Clone)]
pub struct KnownPerson {
    /// Its name.
    pub name: String,
    /// The records it links.
    pub records: Vec<RecordKey>,
    /// Records that a human said are not this one's.
    pub apart: Vec<RecordKey>,
    /// Aliases that a human said are not theirs.
    pub disowned: Vec<String>,
    /// What stands on it; none if a crash left it without.
    pub entry: Option<Box<RosterEntry>>,
    /// What a human said of them, which goes before what HR says.
    pub declared: Option<Declared>,
    /// The review of their access that a human answered: when it was opened.
    pub reviewed: Option<Timestamp>,
    /// How far its present termination has come; `Stands` for everybody who works here.
    pub access: Access,
}

impl fmt::Debug for KnownPerson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownPerson({})", self.name)
    }
}

/// A trusted answer.
#[derive(Clone, Copy, Debug)]
pub struct TrustedResponse<'a> {
    /// Name of the connection that gave it.
    pub connection: &'a str,
    /// Everybody it names, each id once.
    pub employees: &'a [Employee],
    /// When it was read: the day a last day must not lie before to be announced by it.
    pub taken: Timestamp,
    /// It names only those with something new: nobody is missing from it.
    pub part: bool,
}

/// What is worth an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifecycleEvent {
    /// Has left.
    Terminated,
    /// The termination was taken back.
    Withdrawn,
    /// Works here again, in a new employment.
    Rehired,
    /// The record now describes another human.
    Conflicting,
    /// Went out of scope, which ends nothing.
    OutOfScope,
    /// Came into scope again.
    InScope,
    /// Has another department, title, company or manager.
    Moved,
}

/// A Person that must be written.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// Name of the Person.
    pub name: String,
    /// The records it links; a Person that is made links these.
    pub records: Vec<RecordKey>,
    /// What the Person becomes.
    pub entry: Box<RosterEntry>,
    /// What is worth an event.
    pub event: Option<LifecycleEvent>,
    /// Newly counted by the open run: written before everybody else.
    pub leaver: bool,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({}, {:?}, {:?})", self.name, self.entry.employment, self.event)
    }
}

/// What a pass decided.
#[derive(Debug)]
pub struct RosterPass {
    /// Persons to write. Equal input gives none.
    pub changes: Vec<Change>,
    /// The policy's runs afterwards, oldest first; to be written before the first of `changes`.
    pub runs: Vec<Run>,
    /// People by state, afterwards.
    pub states: BTreeMap<State, u32>,
    /// People that trusted answers no longer name.
    pub missing: u32,
    /// People who have not left by a human's word, although their records say so.
    pub kept_by_word: u32,
    /// People who work here and own nothing here: where only holders get a Person, they get none.
    pub others: u32,
    /// Pairs of people who may be one human: all of them; the first are listed.
    pub doubts: Vec<Doubt>,
    /// People whose only record is of a connection that was replaced, and who are held by that.
    pub not_migrated: u32,
    /// How many people of a corroborating connection are nobody's that is known; none without an answer of one.
    pub strangers: Option<u32>,
    /// Where HR and the directories disagree; none without a directory.
    pub identity: Option<Findings>,
    /// Leavers of a baseline, or that came into scope as leavers, whose access stands.
    pub baseline_leavers: u32,
    /// People of the answer who had left before anybody looked, and own nothing here: they get no Person.
    pub former: u32,
    /// Who of an answer is in scope; none without an answer.
    pub scope: Option<Scoped>,
    /// How many people have moved.
    pub moves: MovesTally,
    /// People without a location, or with one that no entry of the policy names; none without an answer, since locations
    /// are not kept.
    pub unmatched: Option<u32>,
    /// The next instant at which somebody's dates say something new.
    pub wake: Option<Timestamp>,
}

/// How many people of an answer a policy is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scoped {
    /// In scope.
    pub included: u32,
    /// Out of scope, by the first reason.
    pub excluded: BTreeMap<Out, u32>,
}

/// One person on the way through a pass.
struct Draft<'a> {
    name: Cow<'a, str>,
    records: Cow<'a, [RecordKey]>,
    before: Option<&'a RosterEntry>,
    after: After<'a>,
    event: Option<LifecycleEvent>,
    access: Access,
    /// When the dates of a record say something new.
    turns: Option<Timestamp>,
    /// A move that is not taken over yet.
    found: Option<Box<Found>>,
    leaver: bool,
    /// A record was matched to it.
    linked: bool,
}

/// What a person becomes.
enum After<'a> {
    /// What stood before: a second copy of everybody would be as large as the first.
    Same(&'a RosterEntry),
    /// Something new, held apart: most passes change few.
    New(Box<RosterEntry>),
}

impl std::ops::Deref for After<'_> {
    type Target = RosterEntry;

    fn deref(&self) -> &RosterEntry {
        match self {
            Self::Same(before) => before,
            Self::New(after) => after,
        }
    }
}

impl After<'_> {
    fn to_mut(&mut self) -> &mut RosterEntry {
        match self {
            Self::Same(before) => {
                *self = Self::New(Box::new(before.clone()));
                self.to_mut()
            }
            Self::New(after) => after,
        }
    }

    fn into_boxed(self) -> Box<RosterEntry> {
        match self {
            Self::Same(before) => Box::new(before.clone()),
            Self::New(after) => after,
        }
    }
}

/// Name of the Person of a record: `p-` and the start of a digest, so that it says nothing and never changes.
#[must_use]
pub fn person_name(namespace: &str, connection: &str, id: &HrId) -> String {
    let digest = Sha256::digest(format!("{namespace}/{connection}\0{id}"));
    let text = data_encoding::BASE32_NOPAD.encode(&digest).to_ascii_lowercase();
    format!("p-{}", text.chars().take(26).collect::<String>())
}

/// Decides what each Person becomes.
///
/// Every record that an answer names is taken over from it, and every one of its connection that it does not name is
/// marked missing and keeps its state. Of other records what is stored is read again for today: a last day announced by
/// a trusted answer cuts with its midnight although newer answers are held. What follows for the person follows from all
/// their records together.
#[must_use]
pub fn next(known: &[KnownPerson], answers: &[TrustedResponse<'_>], rules: &Rules<'_>, now: Timestamp) -> RosterPass {
    let (mut drafts, of_answer) = drafts(known, answers, rules, now);
    let runs = runs::assign(&mut drafts, rules, now);
    let moves = moves::settle(&mut drafts, rules.moves, now);
    let is_directory = |connection: &str| (rules.role)(connection) == Role::Corroborating;
    let identity = {
        let people: Vec<_> = drafts.iter().map(|draft| identity::Person::of(&draft.after, &is_directory)).collect();
        Directories::of(&people).findings(&people, now)
    };
    let mut plan = conclude(drafts, runs);
    plan.identity = identity.map(|found| Findings { orphans: of_answer.orphans.clone(), ..found });
    plan.moves = MovesTally { told: !answers.is_empty(), ..moves };
    if !answers.is_empty() {
        let part = answers.iter().any(|answer| answer.part);
        // Of the places and scope of those it does not name, a part says nothing.
        plan.scope = (!part).then_some(of_answer.scope);
        plan.unmatched = Some(of_answer.unmatched).filter(|unmatched| !part || *unmatched > 0);
        plan.former = of_answer.former;
        plan.strangers = of_answer.strangers;
        plan.others = of_answer.others;
    }
    plan.doubts = of_answer.doubts;
    plan
}

fn conclude(drafts: Vec<Draft<'_>>, runs: Vec<Run>) -> RosterPass {
    let mut plan = RosterPass {
        changes: Vec::new(),
        runs,
        states: BTreeMap::new(),
        missing: 0,
        kept_by_word: 0,
        others: 0,
        doubts: Vec::new(),
        not_migrated: 0,
        strangers: None,
        identity: None,
        baseline_leavers: 0,
        unmatched: None,
        former: 0,
        scope: None,
        moves: MovesTally::default(),
        wake: None,
    };
    for draft in drafts {
        let left = draft.after.employment.left.as_ref();
        *plan.states.entry(draft.after.employment.state).or_default() += 1;
        plan.missing += u32::from(draft.after.is_missing());
        plan.kept_by_word += u32::from(fold::kept_by_word(&draft.after));
        plan.not_migrated += u32::from(draft.after.employment.why == Why::NotMigrated);
        plan.baseline_leavers += u32::from(draft.access != Access::Refused && left.is_some_and(|left| left.baseline));
        plan.wake = [plan.wake, draft.turns].into_iter().flatten().min();
        let stands = match &draft.after {
            After::Same(_) => true,
            After::New(after) => draft.before == Some(&**after), // what was found new may be so no longer
        };
        if !stands || draft.linked {
            let Draft { name, records, after, event, leaver, .. } = draft;
            let (name, records, entry) = (name.into_owned(), records.into_owned(), after.into_boxed());
            plan.changes.push(Change { name, records, entry, event, leaver });
        }
    }
    plan.changes.sort_by_key(|change| (!change.leaver, change.event.is_none()));
    plan
}
