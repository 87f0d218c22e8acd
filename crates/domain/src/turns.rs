//! Turns of somebody's working life, as they are told to others: what of a change of a Person is one, and the last of them. Pure.
//!
//! A turn is written down with the change that it is of, in one write, and numbered. So the process that tells of turns sees each of them, in
//! their order, however late they come; and if they come so late that the oldest are gone, the numbers say so.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lifecycle::State;
use crate::roster::{LifecycleEvent, RosterEntry};

/// Most turns that are kept of one person.
pub const MOST: usize = 16;

/// Rows, one a turn: its name, and its word.
macro_rules! turns {
    ($($(#[$doc:meta])+ $turn:ident $word:literal;)+) => {
        /// A turn of somebody's working life.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Turn {
            $($(#[$doc])+ $turn,)+
        }

        impl Turn {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$turn),+];

            /// Its word, in the names of events.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$turn => $word,)+
                }
            }
        }
    };
}

turns! {
    /// Seen for the first time, after the first trusted response: works here, or will.
    Joined "joined";
    /// The first day has come.
    Started "started";
    /// The first day lies ahead again.
    Postponed "postponed";
    /// Has another department, title, company or manager.
    Moved "moved";
    /// Is on leave.
    OnLeave "on-leave";
    /// Is suspended, or inactive.
    Suspended "suspended";
    /// Works again, after a leave or a suspension.
    Back "back";
    /// A last day was announced.
    NoticeGiven "notice-given";
    /// Another last day was announced.
    NoticeChanged "notice-changed";
    /// The last day was taken back.
    NoticeWithdrawn "notice-withdrawn";
    /// Has left.
    Terminated "terminated";
    /// Has not left after all.
    TerminationWithdrawn "termination-withdrawn";
    /// Works here again, in a new employment.
    Rehired "rehired";
    /// Went out of scope, which ends nothing.
    OutOfScope "out-of-scope";
    /// Came into scope again.
    InScope "in-scope";
    /// Trusted responses no longer name them, which ends nothing.
    Vanished "vanished";
    /// Trusted responses name them again.
    Reappeared "reappeared";
    /// Nobody can tell what they are, which ends nothing.
    Unknown "unknown";
    /// It can be told again.
    Known "known";
    /// A record of theirs now describes another human, which ends nothing.
    Conflict "conflict";
}

/// A turn that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turned {
    /// Counts the turns of this person, from 1.
    pub number: u32,
    /// Which.
    pub turn: Turn,
    /// When it was seen, in UTC.
    pub at: Timestamp,
}

/// Whether somebody is here, on leave, or to come: what a last day is announced of.
const fn stands(state: State) -> bool {
    matches!(state, State::PreHire | State::Active | State::Suspended | State::Leave)
}

/// The turns between what stood on a Person and what is to stand there, in the order in which they are told.
///
/// `settled` is whether the first trusted response of their connections is over: who is first seen with that has not joined.
#[must_use]
pub fn between(
    before: Option<&RosterEntry>,
    after: &RosterEntry,
    event: Option<LifecycleEvent>,
    settled: bool,
) -> Vec<Turn> {
    let now = after.employment.state;
    let mut turns = Vec::new();
    let Some(before) = before else {
        if settled {
            turns.extend(stands(now).then_some(Turn::Joined));
            turns.extend((now == State::Terminated).then_some(Turn::Terminated));
            turns.extend(notice(None, after.employment.last_day.filter(|_| stands(now))));
        }
        return turns;
    };
    let was = before.employment.state;
    turns.extend((event == Some(LifecycleEvent::Conflicting)).then_some(Turn::Conflict));
    turns.extend(
        (was == State::OutOfScope && now != State::OutOfScope && now != State::Unknown).then_some(Turn::InScope),
    );
    turns.extend(of_state(was, now, event));
    match (before.is_missing(), after.is_missing()) {
        (false, true) => turns.push(Turn::Vanished),
        (true, false) => turns.push(Turn::Reappeared),
        _ => {}
    }
    // Of who could not be told, or was nobody of ours, the day is told again: it may have changed meanwhile.
    let known = before.employment.last_day.filter(|_| stands(was));
    if stands(now) && (stands(was) || after.employment.last_day.is_some()) {
        turns.extend(notice(known, after.employment.last_day));
    }
    let moved = |entry: &RosterEntry| entry.moves.as_ref().and_then(|moves| moves.last.as_ref().map(|last| last.at));
    turns.extend((moved(after).is_some() && moved(after) != moved(before)).then_some(Turn::Moved));
    turns
}

/// The turn from one state to another.
fn of_state(was: State, now: State, event: Option<LifecycleEvent>) -> Option<Turn> {
    if was == now {
        return None;
    }
    Some(match (was, now) {
        (_, State::Terminated) => Turn::Terminated,
        (_, State::OutOfScope) => Turn::OutOfScope,
        (_, State::Unknown) => Turn::Unknown,
        (State::Terminated, _) if event == Some(LifecycleEvent::Rehired) => Turn::Rehired,
        (State::Terminated, _) => Turn::TerminationWithdrawn,
        (_, State::Leave) => Turn::OnLeave,
        (_, State::Suspended) => Turn::Suspended,
        (State::Leave | State::Suspended, State::Active) => Turn::Back,
        (State::PreHire, State::Active) => Turn::Started,
        (State::OutOfScope, _) => return None, // that they are in scope again is told
        (State::Unknown, _) => Turn::Known,
        (_, State::PreHire) => Turn::Postponed,
        (_, State::Active) => return None,
    })
}

fn notice(before: Option<Date>, after: Option<Date>) -> Option<Turn> {
    match (before, after) {
        (None, Some(_)) => Some(Turn::NoticeGiven),
        (Some(_), None) => Some(Turn::NoticeWithdrawn),
        (Some(before), Some(after)) if before != after => Some(Turn::NoticeChanged),
        _ => None,
    }
}

/// Adds turns to those that are kept; the oldest go where there are too many.
pub fn keep(kept: &mut Vec<Turned>, new: &[Turn], at: Timestamp) {
    for turn in new {
        let number = kept.last().map_or(0, |last| last.number).saturating_add(1);
        kept.push(Turned { number, turn: *turn, at });
    }
    let over = kept.len().saturating_sub(MOST);
    kept.drain(..over);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::employee::{HrId, ReportedStatus, Status};
    use crate::lifecycle::{Facts, Why};
    use crate::moves::{Moved, Moves};
    use crate::profile::Profile;
    use crate::roster::{Employment, EmploymentState, RecordKey};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn entry(state: State) -> RosterEntry {
        let employment = EmploymentState {
            state,
            since: at(0),
            last_day: None,
            zone: "Europe/Madrid".to_owned(),
            why: Why::Active,
            left: None,
            out: None,
            leaves_scope: None,
        };
        let facts = Facts {
            reported_status: ReportedStatus::Mapped(Status::Active),
            start: None,
            last_day: None,
            announced: None,
            contract_end: None,
            urgent: false,
            off: None,
        };
        let record = RecordKey { connection: "hq".into(), id: HrId("7".to_owned()) };
        let said =
            Employment { record, facts, notice: None, missing_since: None, account: None, state: employment.clone() };
        RosterEntry {
            policy: "everyone".to_owned(),
            employments: vec![said],
            employment,
            leave: None,
            aliases: Vec::new(),
            alias_dates: Vec::new(),
            profile: Profile::default(),
            once: None,
            moves: None,
        }
    }

    fn leaves(state: State, day: &str) -> RosterEntry {
        let mut entry = entry(state);
        entry.employment.last_day = Some(day.parse().unwrap());
        entry
    }

    fn missing() -> RosterEntry {
        let mut entry = entry(State::Active);
        entry.employments[0].missing_since = Some(at(1));
        entry
    }

    fn moved(second: i64) -> RosterEntry {
        let last = Some(Moved { at: at(second), fields: Vec::new() });
        RosterEntry { moves: Some(Box::new(Moves { last, ..Moves::default() })), ..entry(State::Active) }
    }

    /// The situation, what stood, what is to stand, what the roster made of it, and what is told.
    type Case = (&'static str, RosterEntry, RosterEntry, Option<LifecycleEvent>, &'static [Turn]);

    #[test]
    fn each_turn_is_told_by_what_changed() {
        use State::{Active, Leave, OutOfScope, PreHire, Suspended, Terminated, Unknown};
        let rehired = Some(LifecycleEvent::Rehired);
        let cases: Vec<Case> = vec![
            ("nothing", entry(Active), entry(Active), None, &[]),
            ("the first day", entry(PreHire), entry(Active), None, &[Turn::Started]),
            ("the first day, later", entry(Active), entry(PreHire), None, &[Turn::Postponed]),
            ("a leave", entry(Active), entry(Leave), None, &[Turn::OnLeave]),
            ("a suspension", entry(Leave), entry(Suspended), None, &[Turn::Suspended]),
            ("back", entry(Leave), entry(Active), None, &[Turn::Back]),
            ("notice", entry(Active), leaves(Active, "2026-03-31"), None, &[Turn::NoticeGiven]),
            ("notice while on leave", entry(Leave), leaves(Leave, "2026-03-31"), None, &[Turn::NoticeGiven]),
            ("later", leaves(Active, "2026-03-31"), leaves(Active, "2026-04-30"), None, &[Turn::NoticeChanged]),
            ("taken back", leaves(Active, "2026-03-31"), entry(Active), None, &[Turn::NoticeWithdrawn]),
            (
                "the day itself",
                leaves(Active, "2026-03-31"),
                leaves(Terminated, "2026-03-31"),
                None,
                &[Turn::Terminated],
            ),
            ("an end from a leave", entry(Leave), entry(Terminated), None, &[Turn::Terminated]),
            ("not after all", entry(Terminated), entry(Active), None, &[Turn::TerminationWithdrawn]),
            ("a new employment", entry(Terminated), entry(Active), rehired, &[Turn::Rehired]),
            (
                "one that ends",
                entry(Terminated),
                leaves(Active, "2027-01-01"),
                rehired,
                &[Turn::Rehired, Turn::NoticeGiven],
            ),
            ("out of scope", leaves(Active, "2026-03-31"), leaves(OutOfScope, "2026-03-31"), None, &[Turn::OutOfScope]),
            ("in scope", entry(OutOfScope), entry(Active), None, &[Turn::InScope]),
            ("in scope and gone", entry(OutOfScope), entry(Terminated), None, &[Turn::InScope, Turn::Terminated]),
            ("in scope on leave", entry(OutOfScope), entry(Leave), None, &[Turn::InScope, Turn::OnLeave]),
            ("no word", leaves(Active, "2026-03-31"), entry(Unknown), None, &[Turn::Unknown]),
            ("a word again", entry(Unknown), leaves(Active, "2026-04-01"), None, &[Turn::Known, Turn::NoticeGiven]),
            ("missing", entry(Active), missing(), None, &[Turn::Vanished]),
            ("there again", missing(), entry(Active), None, &[Turn::Reappeared]),
            ("a move", entry(Active), moved(5), None, &[Turn::Moved]),
            ("another move", moved(5), moved(6), None, &[Turn::Moved]),
            ("the same move", moved(5), moved(5), None, &[]),
            (
                "another human",
                entry(Active),
                entry(Unknown),
                Some(LifecycleEvent::Conflicting),
                &[Turn::Conflict, Turn::Unknown],
            ),
        ];
        let mut told: BTreeSet<Turn> = BTreeSet::from([Turn::Joined]);
        for (situation, before, after, event, expected) in cases {
            let found = between(Some(&before), &after, event, true);
            assert_eq!(found, expected, "{situation}");
            told.extend(found);
        }
        assert_eq!(told.len(), Turn::ALL.len(), "every turn has its case");
    }

    #[test]
    fn who_was_here_when_rollcall_came_has_not_joined() {
        let first = |state, settled| between(None, &entry(state), None, settled);
        assert_eq!(first(State::Active, false), []);
        assert_eq!(first(State::Terminated, false), []);
        assert_eq!(first(State::Active, true), [Turn::Joined]);
        assert_eq!(first(State::PreHire, true), [Turn::Joined]);
        assert_eq!(first(State::Terminated, true), [Turn::Terminated], "who had left never joined");
        assert_eq!(first(State::OutOfScope, true), []);
        let told = between(None, &leaves(State::Active, "2027-01-01"), None, true);
        assert_eq!(told, [Turn::Joined, Turn::NoticeGiven]);
    }

    #[test]
    fn the_newest_are_kept_and_the_numbers_go_on() {
        let mut kept = Vec::new();
        for second in 0..20 {
            keep(&mut kept, &[Turn::OnLeave, Turn::NoticeGiven], at(second));
        }
        let numbers: Vec<u32> = kept.iter().map(|one| one.number).collect();
        assert_eq!(numbers, (25..=40).collect::<Vec<u32>>());
        assert_eq!(kept[15], Turned { number: 40, turn: Turn::NoticeGiven, at: at(19) });
        keep(&mut kept, &[], at(99));
        assert_eq!(kept.len(), MOST);
    }
}
