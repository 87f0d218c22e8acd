//! What the HR records of one human say together.
//!
//! A human has left when everything that is known of them has ended, in scope or not, and nothing begins within the gap
//! that is no exit. Until then they work here, whichever record says so.

use std::cmp::Reverse;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::{Declared, Employment, EmploymentState, Left, RosterEntry, Rules, Says};
use crate::lifecycle::{Facts, State, Terms, Why};
use crate::scope::Out;

/// One employment, and what day it is where the person works.
#[derive(Clone, Copy)]
pub(super) struct Current<'a> {
    pub(super) employment: &'a Employment,
    pub(super) today: Date,
}

/// What the records say together.
pub(super) struct Together<'a> {
    /// The record that decides.
    pub(super) decides: &'a Employment,
    state: State,
    why: Why,
    last_day: Option<Date>,
    out: Option<Out>,
    /// When what a human declared takes effect.
    declared: Option<Timestamp>,
}

impl Current<'_> {
    /// What the record says of the employment, whether it is in scope or not.
    fn says(self) -> State {
        let EmploymentState { state, why, .. } = &self.employment.state;
        if *state == State::OutOfScope { why.state() } else { *state }
    }

    /// The day on which an employment ended: its last, or the one on which it was first seen to have ended.
    fn ended(self) -> Date {
        let EmploymentState { since, last_day, .. } = &self.employment.state;
        let seen = || since.to_zoned(jiff::tz::TimeZone::UTC).date();
        last_day.filter(|last| *last < self.today).unwrap_or_else(seen)
    }

    /// An employment that vanished before it began, and whose first day has come, never began.
    fn never_began(self) -> bool {
        let begins = self.employment.facts.start.is_some_and(|start| start <= self.today);
        self.says() == State::PreHire && self.employment.missing_since.is_some() && begins
    }
}

/// Puts the records of one human together; none without any.
///
/// Whoever works here by one record works here. What cannot be told holds before anything that could have an effect, and
/// nothing can be told while something of them is not known at all: `unknown` says what.
pub(super) fn together<'a>(all: &[Current<'a>], unknown: Option<Why>, terms: &Terms) -> Option<Together<'a>> {
    if let ([one], None) = (all, unknown) {
        let EmploymentState { state, why, last_day, out, .. } = one.employment.state;
        return Some(Together { decides: one.employment, state, why, last_day, out, declared: None });
    }
    let of = |state: fn(State) -> bool| all.iter().copied().filter(move |one| state(one.says()) && !one.never_began());
    let goes_on = of(|state| !matches!(state, State::Terminated | State::PreHire));
    // The one that lasts longest, of those that say the same.
    let longest = |one: &Current<'_>| one.employment.state.last_day.map_or((0, None), |last| (1, Some(Reverse(last))));
    let works = goes_on.min_by_key(|one| (rank(one.says()), longest(one)));
    let next = of(|state| state == State::PreHire).min_by_key(|one| one.employment.facts.start);
    let last = of(|state| state == State::Terminated).max_by_key(|one| one.ended());
    let follows = |day: Date| next.filter(|next| begins_within_the_gap(*next, day, terms));
    let (decides, state, why, last_day) = match (works, next, last) {
        (Some(works), ..) => {
            let day = works.employment.state.last_day.filter(|_| works.says() == State::Active);
            match day.and_then(follows) {
                Some(next) => (works, State::Active, Why::NextFollows, next.employment.state.last_day),
                None => (works, works.says(), works.employment.state.why, works.employment.state.last_day),
            }
        }
        (None, Some(next), None) => (next, State::PreHire, next.employment.state.why, next.employment.state.last_day),
        (None, Some(next), Some(last)) if begins_within_the_gap(next, last.ended(), terms) => {
            (next, State::PreHire, Why::Between, next.employment.state.last_day)
        }
        (None, _, Some(last)) => (last, State::Terminated, last.employment.state.why, last.employment.state.last_day),
        // Only such as never began.
        (None, None, None) => {
            let one = all.first()?;
            (*one, one.says(), one.employment.state.why, one.employment.state.last_day)
        }
    };
    // In scope by any record that goes on, or, where none does, by any that ended.
    let counts = |one: &&Current<'_>| (one.says() == State::Terminated) == (state == State::Terminated);
    let in_scope = all.iter().filter(counts).any(|one| one.employment.state.out.is_none());
    let out = decides.employment.state.out.or_else(|| all.iter().find_map(|one| one.employment.state.out));
    let (state, why) = match unknown.filter(|_| state != State::Active) {
        Some(why) => (State::Unknown, why),
        None => (state, why),
    };
    let (state, out) = if in_scope { (state, None) } else { (State::OutOfScope, out) };
    Some(Together { decides: decides.employment, state, why, last_day, out, declared: None })
}

/// Whether somebody has not left by a human's word, although what their records say has ended.
pub(super) fn kept_by_word(entry: &RosterEntry) -> bool {
    let by_word = matches!(entry.employment.why, Why::DeclaredActive | Why::DeclaredLeave | Why::DeclaredSuspended);
    by_word && entry.employments.iter().all(|one| one.state.state == State::Terminated)
}

/// Whether nobody saw what all of somebody's records say now: they were not in scope before, in that of two policies or of another
/// one, or had other records.
pub(super) fn unseen(before: Option<&RosterEntry>, relinked: bool, rules: &Rules<'_>) -> bool {
    let undecided = |before: &RosterEntry| {
        let EmploymentState { out, why, .. } = before.employment;
        out.is_some() || why == Why::PolicyConflict || before.policy != rules.policy
    };
    relinked || before.is_some_and(undecided)
}

/// What is said of somebody while their records differ: that they work here first, then that it cannot be told.
const fn rank(state: State) -> u8 {
    match state {
        State::Active => 0,
        State::Unknown | State::OutOfScope => 1,
        State::Suspended => 2,
        State::Leave => 3,
        State::PreHire => 4,
        State::Terminated => 5,
    }
}

/// Whether an employment begins so soon after that day that this is no exit, or so soon after one of its own record's that ended later:
/// a last day before the first is the end of that one.
fn begins_within_the_gap(next: Current<'_>, ended: Date, terms: &Terms) -> bool {
    let Facts { start, last_day, .. } = next.employment.facts;
    start.is_some_and(|start| {
        let ended = last_day.filter(|last| *last < start).map_or(ended, |earlier| earlier.max(ended));
        start <= ended.saturating_add(terms.bridged_days.days())
    })
}

impl Together<'_> {
    /// Takes over what a human declared: they have left, whatever the records say. Out of scope nothing is done all the same.
    pub(super) fn declare(&mut self, declared: Declared, effective: Timestamp) {
        if self.out.is_none() {
            (self.state, self.why) = (State::Terminated, Why::Declared);
            (self.last_day, self.declared) = (declared.last_day, Some(effective));
        }
    }

    /// Takes over what a human declared: they have not left, whatever the records say.
    pub(super) fn stays(&mut self, says: Says) {
        let declared = match says {
            Says::Active => (State::Active, Why::DeclaredActive),
            Says::Leave => (State::Leave, Why::DeclaredLeave),
            Says::Suspended => (State::Suspended, Why::DeclaredSuspended),
            Says::Leaves => return,
        };
        if self.out.is_none() {
            (self.state, self.why) = declared;
        }
    }

    /// Holds somebody whose employment was of a connection that was replaced, and who is in corroborating connections only. Those do
    /// not say who works here, so a department that they report does not put anybody out of scope either.
    pub(super) const fn not_migrated(&mut self) {
        (self.state, self.why) = (State::Unknown, Why::NotMigrated);
    }

    /// Holds somebody whom two policies would decide of. What they had left before stands while their records say so too.
    pub(super) fn contest(&mut self, before: Option<&RosterEntry>) {
        let had_left = before.is_some_and(|before| before.employment.state == State::Terminated);
        if !(had_left && self.state == State::Terminated) {
            (self.state, self.why) = (State::Unknown, Why::PolicyConflict);
        }
    }

    /// The state of the person that follows.
    ///
    /// A termination stands as it was first written for as long as it stands. Somebody who is [`unseen`] needs approval. While a
    /// connection is `stale`, nobody becomes a leaver but on an announced day that has passed.
    pub(super) fn state_of(
        self,
        all: &[Current<'_>],
        before: Option<&RosterEntry>,
        relinked: bool,
        rules: &Rules<'_>,
        now: Timestamp,
    ) -> EmploymentState {
        let Self { decides, mut state, mut why, last_day, out, declared } = self;
        let previous = before.map(|before| &before.employment);
        let announced = decides.state.left.as_ref().is_some_and(|left| left.announced);
        let had_left = previous.is_some_and(|previous| previous.state == State::Terminated);
        let today = all.iter().find(|one| one.employment.record == decides.record).map(|one| one.today);
        let day_passed = decides.facts.announced.is_some_and(|day| today.is_some_and(|today| day < today));
        if state == State::Terminated && rules.stale && !had_left && !day_passed && declared.is_none() {
            (state, why) = (State::Unknown, Why::OtherSourceStale);
        }
        let same = previous.filter(|previous| previous.state == state);
        let lefts = || all.iter().filter_map(|one| one.employment.state.left.as_ref());
        let unseen = unseen(before, relinked, rules);
        let left = (state == State::Terminated).then(|| {
            let baseline = unseen || lefts().any(|left| left.baseline);
            let effective = declared.or_else(|| lefts().map(|left| left.effective).max()).unwrap_or(now);
            let new = || Box::new(Left { run: None, baseline, effective, seen: now, announced });
            same.and_then(|same| same.left.clone()).unwrap_or_else(new)
        });
        let leaves_scope = all.iter().find_map(|one| one.employment.state.leaves_scope);
        EmploymentState {
            state,
            since: same.map_or(now, |same| same.since),
            last_day,
            zone: decides.state.zone.clone(),
            why,
            left,
            out,
            leaves_scope: leaves_scope.filter(|_| out.is_none()),
        }
    }
}
