//! Movers in a pass: what each response says of somebody's position, and what becomes of all that was found together.

use jiff::Timestamp;

use super::answer::{Slot, Statement};
use super::employment::Whose;
use super::{Baseline, Draft, LifecycleEvent, RosterEntry, person_name};
use crate::lifecycle::State;
use crate::moves::{
    Before, Found, MoveField, MoveTerms, Moved, Moves, Now, Position, Review, are_many, compare, digest_of, works_here,
};

/// Longest text that a profile shows.
const MAX_TEXT_LEN: usize = 256;

/// How many people have moved, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MovesTally {
    /// People whose newest move is of the last thirty days.
    pub moved: u32,
    /// Reviews that nobody has answered.
    pub reviews: u32,
    /// Those of them that are overdue.
    pub overdue: u32,
    /// So many at once that a human is asked.
    pub many: Option<Many>,
    /// A response was there to tell; without one, nothing is said of many at once.
    pub told: bool,
}

/// Many moves at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Many {
    /// How many people.
    pub people: u32,
    /// Names exactly these moves.
    pub digest: String,
}

/// What is remembered of somebody's moves after this pass, and what was found.
pub(super) fn next(
    slot: &Slot<'_>,
    after: &RosterEntry,
    shown: Option<&Statement<'_>>,
    whose: Whose<'_>,
) -> (Option<Box<Moves>>, Option<Box<Found>>) {
    let terms = whose.rules.moves;
    let entry = slot.known.and_then(|known| known.entry.as_deref());
    let state = after.employment.state;
    if state == State::Terminated {
        return (None, None); // their access ends: there is nothing to review
    }
    let nothing = Moves::default();
    let remembered = entry.and_then(|entry| entry.moves.as_deref()).unwrap_or(&nothing);
    let only_record = entry.and_then(|entry| match &entry.employments[..] {
        [one] => Some((&*one.record.connection, one.record.id.0.as_str())),
        _ => None,
    });
    let before = entry.map(|entry| Before {
        moves: remembered,
        profile: &entry.profile,
        only_record,
        state: entry.employment.state,
    });
    let position = shown.map(|shown| position(shown, whose));
    let settled = shown.is_some_and(|shown| (whose.rules.baseline)(shown.connection) == Baseline::Settled)
        && entry.is_some_and(|entry| entry.policy == whose.rules.policy);
    let several = after.employments.len() > 1;
    let now = Now { person: &slot.name, state, profile: &after.profile, several, settled };
    let (values, found) = compare(&terms.on, before.as_ref(), position.as_ref(), &now);
    let answered = slot.known.and_then(|known| known.reviewed);
    let review = remembered.review.clone().filter(|review| answered != Some(review.since));
    let moves = Moves { last: remembered.last.clone(), review, values };
    (Some(moves).filter(|moves| *moves != nothing).map(Box::new), found.map(Box::new))
}

fn position<'a>(statement: &'a Statement<'_>, whose: Whose<'a>) -> Position<'a> {
    let cut = |text: &'a str| match text.char_indices().nth(MAX_TEXT_LEN) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    };
    let cut = |text: &'a str| if text.len() <= MAX_TEXT_LEN { text } else { cut(text) };
    let manager = statement.manager.and_then(|position| whose.slots.get(position));
    let said = |field: MoveField| match field.text() {
        Some(text) => statement.employee.text(text).map(cut),
        None => manager.map(|manager| &*manager.name),
    };
    // Before records were merged, the manager's Person may have had the name that any of them gives: it is the same human.
    let names = manager.map(|manager| &manager.records).filter(|records| records.len() > 1);
    let names = names.into_iter().flat_map(|records| records.iter());
    Position {
        record: (statement.connection, &statement.employee.id.0),
        said: MoveField::ALL.map(|field| said(field).filter(|said| !said.trim().is_empty())),
        also_manager: names.map(|one| person_name(whose.rules.namespace, &one.connection, &one.id)).collect(),
    }
}

/// Takes what was found over, unless it is so much that a human is asked first: then all of it stays as it was known, and is found
/// again by the next response that says the same.
pub(super) fn settle(drafts: &mut [Draft<'_>], terms: &MoveTerms, now: Timestamp) -> MovesTally {
    let working = drafts.iter().filter(|draft| works_here(draft.after.employment.state)).count();
    let movers = drafts.iter().filter(|draft| draft.found.is_some()).count();
    let many = are_many(movers, working).then(|| {
        let found = drafts.iter().filter_map(|draft| Some((&*draft.name, draft.found.as_deref()?)));
        Many { people: u32::try_from(movers).unwrap_or(u32::MAX), digest: digest_of(found) }
    });
    let named = |by: &Option<String>| many.as_ref().is_some_and(|many| by.as_ref() == Some(&many.digest));
    let (accepted, ignored) = (named(&terms.accepted), named(&terms.ignored));
    let asks = many.is_some() && !accepted && !ignored;
    for draft in drafts.iter_mut().filter(|_| !asks) {
        let Some(found) = draft.found.take() else { continue };
        let after = draft.after.to_mut();
        let mut moves = after.moves.take().unwrap_or_default();
        moves.values = found.fresh;
        if !ignored {
            moves.review = review(moves.review, &found.fields, terms, now);
            moves.last = Some(Moved { at: now, fields: found.fields });
            draft.event = draft.event.or((!accepted).then_some(LifecycleEvent::Moved));
        }
        after.moves = Some(moves).filter(|moves| **moves != Moves::default());
    }
    tally(drafts, asks.then_some(many).flatten(), now)
}

/// A move while a review is open extends what it is about, and not the time it is due.
fn review(open: Option<Review>, fields: &[MoveField], terms: &MoveTerms, now: Timestamp) -> Option<Review> {
    let opened = || {
        let due = now.checked_add(terms.review?).unwrap_or(Timestamp::MAX);
        Some(Review { since: now, fields: Vec::new(), due })
    };
    let mut review = open.or_else(opened)?;
    review.fields.extend(fields);
    review.fields.sort_unstable();
    review.fields.dedup();
    Some(review)
}

fn tally(drafts: &mut [Draft<'_>], many: Option<Many>, now: Timestamp) -> MovesTally {
    let mut tally = MovesTally { many, ..MovesTally::default() };
    for draft in drafts {
        let Some(moves) = draft.after.moves.as_deref() else { continue };
        tally.moved += u32::from(moves.last.as_ref().is_some_and(|moved| moved.is_recent(now)));
        let Some(review) = &moves.review else { continue };
        tally.reviews += 1;
        tally.overdue += u32::from(review.due <= now);
        draft.turns = [draft.turns, Some(review.due).filter(|due| *due > now)].into_iter().flatten().min();
    }
    tally
}
