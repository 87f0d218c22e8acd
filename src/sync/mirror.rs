//! What happened to a person's access, as their Person shows it: a mirror of the Revocation that matters now. Pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::api::condition::{self, ConditionType, ConditionUpdate, Reason, Status};
use crate::api::convert;
use crate::api::person::Access;
use crate::api::revocation::{Operation, Phase, Revocation};

/// Access that stands because its Revocation was cancelled.
pub const KEPT: &str = "Kept";
/// How long a Revocation may take to be planned and counted before its Person says that it waits for that.
const AT_FIRST: SignedDuration = SignedDuration::from_secs(30);
/// Longest text of `waitsFor`.
const MAX_LENGTH: usize = 512;

/// What the Person shows.
#[derive(Debug, Default, PartialEq)]
pub struct Shown {
    /// `status.access`.
    pub access: Option<Box<Access>>,
    /// The condition `Revoked`; of who is on leave, `Frozen`.
    pub revoked: Option<ConditionUpdate>,
}

/// Picks what to show of a person's Revocations.
///
/// Of a leaver (`termination` is what the names of this termination's Revocations begin with) only those of this termination
/// say anything, and first those with which access may still stand: what another of them has proved does not make it
/// refused. Of anybody else (`termination` is none) the newest is shown. A removal that is held, or was cancelled, is only what
/// comes next.
#[must_use]
pub fn mirror(termination: Option<&str>, revocations: &[&Revocation], now: Timestamp) -> Shown {
    let left = termination.is_some();
    let of_it = |other: &&Revocation| termination.is_none_or(|termination| name(other).starts_with(termination));
    let mut told: Vec<&Revocation> = revocations.iter().copied().filter(of_it).collect();
    if let [only] = told.as_slice()
        && is_just_made(only, now)
    {
        told.clear(); // beside others it is told at once: what they proved is not all
    }
    let first = told.iter().copied().min_by_key(|other| (rank(left, other), Reverse((other.spec.due, name(other)))));
    let Some(shown) = first else {
        let awaited = "No revocation has been planned yet; `rollcall control` plans it.";
        return Shown { access: None, revoked: left.then(|| condition::not_revoked(Reason::NotPlanned, awaited)) };
    };
    let held = told.iter().copied().filter(|other| phase(other) == Phase::Held);
    let next = held.min_by_key(|other| (other.spec.due, name(other))).unwrap_or(shown);
    let access = Box::new(Access {
        state: match phase(shown) {
            Phase::Cancelled => KEPT.to_owned(),
            phase => phase.as_str().to_owned(),
        },
        revocation: name(shown).to_owned(),
        waits_for: waits_for(shown).or_else(|| waits_for(next)),
        next_action_at: next_action_at(shown, now).or_else(|| next_action_at(next, now)),
        remaining: if left { all_that_remains(&told) } else { all_that_remains(&[shown]) },
    });
    let again = told.iter().copied().find(|other| left && works_again(other) > 0);
    let nothing_ended = !told.iter().any(|other| phase(other) == Phase::Revoked && has_targets(other));
    let revoked = match again.filter(|_| matches!(phase(shown), Phase::Revoked | Phase::Held)) {
        Some(again) => Some(condition::not_revoked(
            Reason::WorksAgain,
            format!(
                "Access is back: {} things that revocation {} had ended work again; see status.recheck.refuted there.",
                works_again(again),
                name(again)
            ),
        )),
        None => update(left, shown, nothing_ended, access.remaining, untold(&told)),
    };
    Shown { access: Some(access), revoked }
}

/// Whether control has only just made it, and has not counted it yet: that is over within a moment, and a Person is not written for it.
fn is_just_made(revocation: &Revocation, now: Timestamp) -> bool {
    let made = revocation.metadata.creation_timestamp.as_ref().map(|made| made.0);
    let lately = made.is_some_and(|made| now.duration_since(made) < AT_FIRST);
    let first = match &revocation.status {
        None => true,
        Some(status) => match (status.phase, &status.gate) {
            (None, _) => true,
            (Some(Phase::Held), Some(gate)) => Reason::parse(&gate.reason) == Some(Reason::Uncounted),
            _ => false,
        },
    };
    lately && first && revocation.spec.operation == Operation::Cut
}

/// Whether what a Person shows of this termination stands although no Revocation tells of it any more: it ended well, and its
/// Revocations were removed when their retention had passed. Control plans it again where that was not the reason.
#[must_use]
pub fn stands(termination: &str, shown: Option<&Access>, revocations: &[&Revocation]) -> bool {
    let over = [Phase::Revoked.as_str(), KEPT];
    let ended = |access: &Access| access.revocation.starts_with(termination) && over.contains(&access.state.as_str());
    shown.is_some_and(ended) && !revocations.iter().any(|other| name(other).starts_with(termination))
}

/// What is shown first, lowest first.
fn rank(left: bool, revocation: &Revocation) -> u8 {
    match (revocation.spec.operation, phase(revocation)) {
        (_, Phase::Released) if left => 0,
        (Operation::Cut, Phase::Held | Phase::Failed) if left => 1 + u8::from(revocation.spec.late),
        (Operation::Remove, Phase::Failed) if left => 3,
        (Operation::Cut, Phase::Cancelled) if left => 5,
        (Operation::Remove, Phase::Held | Phase::Cancelled) => 6,
        _ => 4,
    }
}

fn has_targets(revocation: &Revocation) -> bool {
    let plan = revocation.status.as_ref().and_then(|status| status.plan.as_ref());
    plan.is_some_and(|plan| !plan.targets.is_empty())
}

fn name(revocation: &Revocation) -> &str {
    revocation.metadata.name.as_deref().unwrap_or_default()
}

/// How many things of it worked again at its last check.
fn works_again(revocation: &Revocation) -> usize {
    let recheck = revocation.status.as_ref().and_then(|status| status.recheck.as_ref());
    recheck.map_or(0, |recheck| recheck.refuted.len())
}

/// Of how many things of these it could not be told at the last check whether they are still refused.
fn untold(told: &[&Revocation]) -> u32 {
    let rechecks = told.iter().filter_map(|other| other.status.as_ref()?.recheck.as_ref());
    rechecks.fold(0, |all, recheck| all.saturating_add(recheck.unknown))
}

/// A Revocation that control has not looked at yet is held.
fn phase(revocation: &Revocation) -> Phase {
    revocation.status.as_ref().and_then(|status| status.phase).unwrap_or(Phase::Held)
}

fn waits_for(revocation: &Revocation) -> Option<String> {
    let gate = revocation.status.as_ref().and_then(|status| status.gate.as_ref());
    let gate = gate.filter(|_| phase(revocation) == Phase::Held)?;
    Some(gate.message.chars().take(MAX_LENGTH).collect())
}

/// When a held Revocation may act: when it is due, or when its gate opens by itself.
fn next_action_at(revocation: &Revocation, now: Timestamp) -> Option<Timestamp> {
    if phase(revocation) != Phase::Held {
        return None;
    }
    let gate = revocation.status.as_ref().and_then(|status| status.gate.as_ref()?.until);
    Some(revocation.spec.due).filter(|due| *due > now).or(gate)
}

/// How many things of a termination remain: what the newest plan of a cut, which looks at everything, and those of removals
/// and freezes left alone, and what the revoker found in addition. A removal that is done says nothing of a binding that the cut left.
fn all_that_remains(told: &[&Revocation]) -> u32 {
    let plan = |revocation: &&Revocation| revocation.status.as_ref().is_some_and(|status| status.plan.is_some());
    let cuts = told.iter().copied().filter(|other| other.spec.operation == Operation::Cut).filter(plan);
    let newest = cuts.max_by_key(|other| (other.spec.due, name(other)));
    let others = told.iter().copied().filter(|other| other.spec.operation != Operation::Cut);
    let planned = newest.into_iter().chain(others).filter_map(|other| other.status.as_ref()?.plan.as_ref());
    let found = told.iter().filter_map(|other| other.status.as_ref()).flat_map(convert::of_its_own);
    let all: BTreeSet<&str> =
        planned.flat_map(|plan| &plan.remaining).chain(found).map(|thing| thing.what.as_str()).collect();
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

/// `Revoked` is true only where everything that was found is refused: `kubectl wait` for it ends when nothing works any
/// more, and not before.
fn update(left: bool, shown: &Revocation, nothing_ended: bool, remain: u32, untold: u32) -> Option<ConditionUpdate> {
    let name = name(shown);
    let untold = match untold {
        0 => String::new(),
        untold => format!(
            " Of {untold} of what was ended it cannot be told any more whether it holds: see status.recheck.unproved of the Revocations."
        ),
    };
    let remains = match remain {
        0 => String::new(),
        1 => " 1 thing remains, and still works: see remaining of the Revocations.".to_owned(),
        remain => format!(" {remain} things remain, and still work: see remaining of the Revocations."),
    };
    match phase(shown) {
        Phase::Revoked if left && remain > 0 => {
            let done = if nothing_ended {
                format!("Revocation {name} is done; nothing of what was found could be ended")
            } else {
                proof(shown)
            };
            Some(condition::not_revoked(Reason::AccessRemains, format!("{done}.{remains}{untold}")))
        }
        Phase::Revoked if left && nothing_ended => Some(condition::nothing_found(format!(
            "Revocation {name} is done; neither an account nor a binding of this person was found, so nothing was refused."
        ))),
        Phase::Revoked if left => Some(condition::revoked(format!("{}.{untold}", proof(shown)))),
        Phase::Released => Some(released(shown)),
        Phase::Failed => {
            let message =
                format!("Revocation {name} ended without proof for every target: see its verdicts and steps.{remains}");
            Some(condition::not_revoked(Reason::NotProved, message))
        }
        Phase::Held if left => {
            let waits = waits_for(shown).unwrap_or_else(|| "it is being planned".to_owned());
            Some(condition::not_revoked(Reason::Held, format!("Access stands; revocation {name} is held: {waits}")))
        }
        Phase::Cancelled if left => {
            Some(condition::not_revoked(Reason::Cancelled, format!("Access stands; revocation {name} was cancelled.")))
        }
        Phase::Frozen => Some(condition::frozen(format!(
            "What this person would change in the cluster is refused; reads are not. Revocation {name} holds it.{remains}"
        ))),
        Phase::Held if shown.spec.operation == Operation::Freeze => {
            let waits = waits_for(shown).unwrap_or_else(|| "it is being planned".to_owned());
            Some(condition::not_frozen(format!("Access stands; revocation {name} is held: {waits}")))
        }
        Phase::Lifted | Phase::Revoked | Phase::Held | Phase::Cancelled => None, // back at work: what was cut stays so, and is no state of theirs
    }
}

/// A released Revocation whose revoker cannot run is not under way.
fn released(shown: &Revocation) -> ConditionUpdate {
    let name = name(shown);
    let conditions = shown.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let stuck = conditions.iter().filter(|shown| shown.is(ConditionType::Ready, Status::False)).find_map(|ready| {
        let reasons = [Reason::RevokerCannotStart, Reason::RevokerFailed];
        let reason = reasons.into_iter().find(|reason| ready.reason == reason.as_str())?;
        Some((reason, &ready.message))
    });
    match stuck {
        Some((reason, why)) => {
            condition::not_revoked(reason, format!("Access stands; revocation {name} is released: {why}"))
        }
        None => condition::not_revoked(
            Reason::Released,
            format!("Revocation {name} is released; the revoker is started for it."),
        ),
    }
}

/// The instants at which it was seen, in words.
fn proof(shown: &Revocation) -> String {
    let name = name(shown);
    let (verified, confirmed) =
        shown.status.as_ref().map_or((None, None), |status| (status.verified, status.confirmed));
    match (verified, confirmed) {
        (Some(verified), Some(confirmed)) => {
            format!("Revocation {name}: verified refused at {verified}, confirmed at {confirmed}")
        }
        (Some(verified), None) => format!("Revocation {name}: verified refused at {verified}"),
        (None, _) => format!("Revocation {name} is done; it had nothing more to refuse"),
    }
}

#[cfg(test)]
mod tests;
