//! What happened to a person's access, as their Person shows it: a mirror of the Revocation that matters now. Pure.

use std::cmp::Reverse;

use jiff::Timestamp;

use crate::api::condition::{self, ConditionUpdate};
use crate::api::person::Access;
use crate::api::revocation::{Operation, Phase, Revocation};

/// Access that stands because its Revocation was cancelled.
pub const KEPT: &str = "Kept";
/// Longest text of `waitsFor`.
const LONGEST: usize = 512;

/// What the Person shows.
#[derive(Debug, Default, PartialEq)]
pub struct Shown {
    /// `status.access`.
    pub access: Option<Access>,
    /// The condition `Revoked`.
    pub revoked: Option<ConditionUpdate>,
}

/// Picks what to show of a person's Revocations.
///
/// Of a leaver (`story` is what the names of this termination's Revocations begin with) only those of this termination
/// say anything, and first those with which access may still stand: what another of them has proved does not make it
/// refused. Of anybody else (`story` is none) the newest is shown. A removal that is held, or was cancelled, is only what
/// comes next.
#[must_use]
pub fn mirror(story: Option<&str>, revocations: &[&Revocation], now: Timestamp) -> Shown {
    let left = story.is_some();
    let told: Vec<&Revocation> =
        revocations.iter().copied().filter(|other| story.is_none_or(|story| name(other).starts_with(story))).collect();
    let first = told.iter().copied().min_by_key(|other| (rank(left, other), Reverse((other.spec.due, name(other)))));
    let Some(shown) = first else {
        let awaited = "No revocation has been planned yet; `rollcall control` plans it.";
        return Shown { access: None, revoked: left.then(|| condition::not_revoked("NotPlanned", awaited)) };
    };
    let held = told.iter().copied().filter(|other| phase(other) == Phase::Held);
    let next = held.min_by_key(|other| (other.spec.due, name(other))).unwrap_or(shown);
    let access = Access {
        state: match phase(shown) {
            Phase::Cancelled => KEPT.to_owned(),
            phase => phase.as_str().to_owned(),
        },
        revocation: name(shown).to_owned(),
        waits_for: waits_for(shown).or_else(|| waits_for(next)),
        next_action_at: next_action_at(shown, now).or_else(|| next_action_at(next, now)),
        remaining: remaining(shown),
    };
    let nothing_ended = !told.iter().any(|other| phase(other) == Phase::Revoked && has_targets(other));
    Shown { access: Some(access), revoked: word(left, shown, nothing_ended) }
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

/// A Revocation that control has not looked at yet is held.
fn phase(revocation: &Revocation) -> Phase {
    revocation.status.as_ref().and_then(|status| status.phase).unwrap_or(Phase::Held)
}

fn waits_for(revocation: &Revocation) -> Option<String> {
    let gate = revocation.status.as_ref().and_then(|status| status.gate.as_ref());
    let gate = gate.filter(|_| phase(revocation) == Phase::Held)?;
    Some(gate.message.chars().take(LONGEST).collect())
}

/// When a held Revocation may act: when it is due, or when its gate opens by itself.
fn next_action_at(revocation: &Revocation, now: Timestamp) -> Option<Timestamp> {
    if phase(revocation) != Phase::Held {
        return None;
    }
    let gate = revocation.status.as_ref().and_then(|status| status.gate.as_ref()?.until);
    Some(revocation.spec.due).filter(|due| *due > now).or(gate)
}

fn remaining(revocation: &Revocation) -> u32 {
    let Some(status) = &revocation.status else { return 0 };
    let planned = status.plan.as_ref().map_or(0, |plan| plan.remaining.len());
    u32::try_from(planned + status.remaining.len()).unwrap_or(u32::MAX)
}

fn word(left: bool, shown: &Revocation, nothing_ended: bool) -> Option<ConditionUpdate> {
    let name = name(shown);
    let remain = remaining(shown);
    let remains = match remain {
        0 => String::new(),
        1 => " 1 thing remains: see its remaining.".to_owned(),
        remain => format!(" {remain} things remain: see its remaining."),
    };
    match phase(shown) {
        Phase::Revoked if left && nothing_ended && remain > 0 => {
            let message = format!("Revocation {name} is done; nothing of it could be ended.{remains}");
            Some(condition::not_revoked("Remaining", message))
        }
        Phase::Revoked if left => Some(condition::revoked(format!("{}.{remains}", proof(shown)))),
        Phase::Released => Some(released(shown)),
        Phase::Failed => {
            let message =
                format!("Revocation {name} ended without proof for every target: see its verdicts and steps.{remains}");
            Some(condition::not_revoked("NotProved", message))
        }
        Phase::Held if left => {
            let waits = waits_for(shown).unwrap_or_else(|| "it is being planned".to_owned());
            Some(condition::not_revoked("Held", format!("Access stands; revocation {name} is held: {waits}")))
        }
        Phase::Cancelled if left => {
            Some(condition::not_revoked("Cancelled", format!("Access stands; revocation {name} was cancelled.")))
        }
        Phase::Revoked | Phase::Held | Phase::Cancelled => None, // back at work: what was cut stays so, and is no state of theirs
    }
}

/// A released Revocation whose revoker cannot run is not under way.
fn released(shown: &Revocation) -> ConditionUpdate {
    let name = name(shown);
    let conditions = shown.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let stuck = conditions.iter().find_map(|ready| {
        let reasons = [condition::REVOKER_CANNOT_START, condition::REVOKER_FAILED];
        let reason = reasons.into_iter().find(|reason| ready.type_ == condition::READY && ready.reason == *reason)?;
        Some((reason, &ready.message))
    });
    match stuck {
        Some((reason, why)) => {
            condition::not_revoked(reason, format!("Access stands; revocation {name} is released: {why}"))
        }
        None => {
            condition::not_revoked("Released", format!("Revocation {name} is released; the revoker is started for it."))
        }
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
        (None, _) => format!("Revocation {name} is done; it had nothing to refuse"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::revocation::{Action, Gate, Plan, Remaining, RevocationStatus, Target, TargetKind, Trigger};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn noon() -> Timestamp {
        at("2026-03-10T12:00:00Z")
    }

    fn operation(name: &str, operation: Operation, due: &str, phase: Phase) -> Revocation {
        let mut revocation: Revocation = serde_json::from_value(serde_json::json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": name},
            "spec": {"person": "p-1", "personUid": "u", "policy": "everyone", "trigger": Trigger::Termination,
                "operation": operation, "due": due, "reason": "terminated"},
        }))
        .unwrap();
        revocation.status = Some(RevocationStatus { phase: Some(phase), ..RevocationStatus::default() });
        revocation
    }

    fn cut(phase: Phase) -> Revocation {
        operation("cut", Operation::Cut, "2026-03-10T00:00:00Z", phase)
    }

    fn remove(phase: Phase) -> Revocation {
        operation("remove", Operation::Remove, "2026-03-13T00:00:00Z", phase)
    }

    fn gated(mut revocation: Revocation, message: &str, until: Option<Timestamp>) -> Revocation {
        let gate = Gate { reason: "Limit".into(), message: message.into(), until, batch: None };
        revocation.status.as_mut().unwrap().gate = Some(gate);
        revocation
    }

    fn late(phase: Phase) -> Revocation {
        let mut late = operation("cut-late", Operation::Cut, "2026-03-12T00:00:00Z", phase);
        late.spec.late = true;
        late
    }

    fn with_targets(mut revocation: Revocation) -> Revocation {
        let target = Target {
            action: Action::Recreate,
            kind: TargetKind::ServiceAccount,
            namespace: "team-a".into(),
            name: "laptop".into(),
            uid: "u-1".into(),
            why: String::new(),
        };
        let plan = revocation.status.as_mut().unwrap().plan.get_or_insert_default();
        plan.targets.push(target);
        revocation
    }

    fn with_residual(mut revocation: Revocation, things: usize) -> Revocation {
        let thing = Remaining { what: "a".into(), why: "SharedBinding".into(), advice: String::new(), until: None };
        let plan = revocation.status.as_mut().unwrap().plan.get_or_insert_default();
        plan.remaining = vec![thing; things];
        revocation
    }

    /// All of one termination.
    fn shown(left: bool, revocations: &[Revocation]) -> Shown {
        mirror(left.then_some(""), &revocations.iter().collect::<Vec<_>>(), noon())
    }

    #[test]
    fn the_revocation_that_matters_now_is_shown() {
        let again = || operation("cut-2", Operation::Cut, "2026-05-01T00:00:00Z", Phase::Held);
        let removal = Some(at("2026-03-13T00:00:00Z"));
        let cases = [
            ("a cut alone", vec![cut(Phase::Released)], "Released", "cut", None),
            (
                "done, and the removal waits for its day",
                vec![cut(Phase::Revoked), remove(Phase::Held)],
                "Revoked",
                "cut",
                removal,
            ),
            ("in any order", vec![remove(Phase::Held), cut(Phase::Revoked)], "Revoked", "cut", removal),
            ("the removal acts", vec![cut(Phase::Revoked), remove(Phase::Released)], "Released", "remove", None),
            ("the removal is done", vec![cut(Phase::Revoked), remove(Phase::Revoked)], "Revoked", "remove", None),
            ("the removal was cancelled", vec![cut(Phase::Revoked), remove(Phase::Cancelled)], "Revoked", "cut", None),
            ("the cut was cancelled", vec![cut(Phase::Cancelled)], "Kept", "cut", None),
            ("the removal failed", vec![cut(Phase::Revoked), remove(Phase::Failed)], "Failed", "remove", None),
            (
                "left again later",
                vec![cut(Phase::Revoked), remove(Phase::Revoked), again()],
                "Held",
                "cut-2",
                Some(at("2026-05-01T00:00:00Z")),
            ),
        ];
        for (what, revocations, state, name, next) in cases {
            let access = shown(true, &revocations).access.unwrap();
            assert_eq!(
                (access.state.as_str(), access.revocation.as_str(), access.next_action_at),
                (state, name, next),
                "{what}"
            );
        }
    }

    #[test]
    fn what_is_held_says_what_it_waits_for_and_until_when() {
        let until = at("2026-03-11T00:00:00Z");
        let held = gated(cut(Phase::Held), "approve batch b-1", Some(until));
        let access = shown(true, &[held]).access.unwrap();
        assert_eq!(access.waits_for.as_deref(), Some("approve batch b-1"));
        assert_eq!(access.next_action_at, Some(until), "the cut was due already");
        let done = gated(cut(Phase::Revoked), "an old word", None);
        let removal = gated(remove(Phase::Held), "the connection's newest answer is not trusted", None);
        assert_eq!(
            shown(true, std::slice::from_ref(&done)).access.unwrap().waits_for,
            None,
            "a gate that was passed says nothing"
        );
        let access = shown(true, &[done, removal]).access.unwrap();
        assert_eq!(access.waits_for.as_deref(), Some("the connection's newest answer is not trusted"));
    }

    #[test]
    fn what_remains_is_counted_from_plan_and_act() {
        let thing = |what: &str| Remaining {
            what: what.into(),
            why: "SharedBinding".into(),
            advice: String::new(),
            until: None,
        };
        let mut revocation = cut(Phase::Revoked);
        let status = revocation.status.as_mut().unwrap();
        status.plan = Some(Plan { remaining: vec![thing("a"), thing("b")], ..Plan::default() });
        status.remaining = vec![thing("c")];
        assert_eq!(shown(true, &[revocation]).access.unwrap().remaining, 3);
    }

    #[test]
    fn revoked_says_when_it_was_seen_and_everything_else_why_not() {
        let mut verified = cut(Phase::Revoked);
        verified.status.as_mut().unwrap().verified = Some(at("2026-03-10T12:00:05Z"));
        let held = gated(cut(Phase::Held), "approve batch b-1", None);
        let word = |left, revocations: &[Revocation]| shown(left, revocations).revoked;
        let not = |reason, message: &str| Some(condition::not_revoked(reason, message));
        let cases = [
            (
                "verified",
                word(true, &[verified]),
                Some(condition::revoked("Revocation cut: verified refused at 2026-03-10T12:00:05Z.")),
            ),
            (
                "nothing was owned",
                word(true, &[cut(Phase::Revoked)]),
                Some(condition::revoked("Revocation cut is done; it had nothing to refuse.")),
            ),
            (
                "held",
                word(true, std::slice::from_ref(&held)),
                not("Held", "Access stands; revocation cut is held: approve batch b-1"),
            ),
            (
                "acting",
                word(true, &[cut(Phase::Released)]),
                not("Released", "Revocation cut is released; the revoker is started for it."),
            ),
            (
                "nobody planned yet",
                word(true, &[]),
                not("NotPlanned", "No revocation has been planned yet; `rollcall control` plans it."),
            ),
            ("works here, nothing happened", word(false, &[]), None),
            ("works here again, cancelled in time", word(false, &[cut(Phase::Cancelled)]), None),
            ("works here again, held", word(false, &[held]), None),
            ("works here again, what was cut stays so", word(false, &[cut(Phase::Revoked)]), None),
        ];
        for (what, word, expected) in cases {
            assert_eq!(word, expected, "{what}");
        }
    }

    #[test]
    fn nobody_who_may_still_have_access_is_called_revoked() {
        let not = |revocations: &[Revocation]| {
            let shown = shown(true, revocations);
            (shown.access.unwrap().revocation, shown.revoked.unwrap().reason)
        };
        let done = || vec![with_targets(cut(Phase::Revoked)), remove(Phase::Revoked)];
        let and = |other: Revocation| [done(), vec![other]].concat();
        let with_removal = |phase, other| vec![cut(Phase::Revoked), remove(phase), other];
        let cases = [
            ("nothing else", done(), ("remove", "Refused")),
            ("a late find is held", and(late(Phase::Held)), ("cut-late", "Held")),
            ("it is acted on", and(late(Phase::Released)), ("cut-late", "Released")),
            ("it failed", and(late(Phase::Failed)), ("cut-late", "NotProved")),
            ("it is done", and(late(Phase::Revoked)), ("remove", "Refused")),
            ("the cut failed", vec![cut(Phase::Failed), remove(Phase::Revoked)], ("cut", "NotProved")),
            ("the cut before its late find", vec![cut(Phase::Held), late(Phase::Held)], ("cut", "Held")),
            ("the act before what waits", with_removal(Phase::Released, late(Phase::Held)), ("remove", "Released")),
            (
                "a removal failed, a later one did not",
                {
                    let later = operation("remove-2", Operation::Remove, "2026-03-20T00:00:00Z", Phase::Revoked);
                    with_removal(Phase::Failed, later)
                },
                ("remove", "NotProved"),
            ),
        ];
        for (what, revocations, (name, reason)) in cases {
            assert_eq!(not(&revocations), (name.to_owned(), reason), "{what}");
        }
    }

    #[test]
    fn a_termination_is_not_judged_by_an_earlier_one() {
        let earlier = operation("p-1-aaaa-cut", Operation::Cut, "2026-01-10T00:00:00Z", Phase::Revoked);
        let failed = operation("p-1-aaaa-late-cut", Operation::Cut, "2026-01-11T00:00:00Z", Phase::Failed);
        let now = operation("p-1-bbbb-cut", Operation::Cut, "2026-03-10T00:00:00Z", Phase::Revoked);
        let reason =
            |revocations: &[&Revocation]| mirror(Some("p-1-bbbb"), revocations, noon()).revoked.unwrap().reason;
        assert_eq!(reason(&[&earlier]), "NotPlanned", "refused the last time");
        assert_eq!(reason(&[&failed, &now]), "Refused", "failed the last time");
    }

    #[test]
    fn a_leaver_of_whom_nothing_could_be_ended_is_not_revoked() {
        let word = |revocations: &[Revocation]| shown(true, revocations).revoked;
        let remaining = |message: &str| {
            let done = "Revocation cut is done; nothing of it could be ended.";
            Some(condition::not_revoked("Remaining", format!("{done} {message}")))
        };
        let cut = || cut(Phase::Revoked);
        assert_eq!(word(&[with_residual(cut(), 2)]), remaining("2 things remain: see its remaining."));
        assert_eq!(word(&[with_residual(cut(), 1)]), remaining("1 thing remains: see its remaining."));
        let reason = |revocations: &[Revocation]| word(revocations).unwrap().reason;
        assert_eq!(reason(&[with_residual(with_targets(cut()), 2)]), "Refused", "the rest was ended");
        let removed = with_residual(remove(Phase::Revoked), 2);
        assert_eq!(reason(&[with_targets(cut()), removed]), "Refused", "the cut ended it, nothing was left to remove");
    }
}
