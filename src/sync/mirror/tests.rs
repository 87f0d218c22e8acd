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
        heir: None,
        why: String::new(),
    };
    let plan = revocation.status.as_mut().unwrap().plan.get_or_insert_default();
    plan.targets.push(target);
    revocation
}

fn with_residual(mut revocation: Revocation, things: usize) -> Revocation {
    let thing = |number: usize| Remaining {
        what: format!("RoleBinding a/{number}"),
        why: "SharedBinding".into(),
        advice: String::new(),
        until: None,
    };
    let plan = revocation.status.as_mut().unwrap().plan.get_or_insert_default();
    plan.remaining = (0..things).map(thing).collect();
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
    let removal = gated(remove(Phase::Held), "the connection's newest response is not trusted", None);
    assert_eq!(
        shown(true, std::slice::from_ref(&done)).access.unwrap().waits_for,
        None,
        "a gate that was passed says nothing"
    );
    let access = shown(true, &[done, removal]).access.unwrap();
    assert_eq!(access.waits_for.as_deref(), Some("the connection's newest response is not trusted"));
}

#[test]
fn what_remains_is_counted_from_plan_and_act() {
    let thing =
        |what: &str| Remaining { what: what.into(), why: "SharedBinding".into(), advice: String::new(), until: None };
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
            word(true, &[with_targets(verified)]),
            Some(condition::revoked("Revocation cut: verified refused at 2026-03-10T12:00:05Z.")),
        ),
        (
            "nothing was owned",
            word(true, &[cut(Phase::Revoked)]),
            Some(condition::nothing_found(
                "Revocation cut is done; neither an account nor a binding of this person was found, so nothing was refused.",
            )),
        ),
        (
            "held",
            word(true, std::slice::from_ref(&held)),
            not(Reason::Held, "Access stands; revocation cut is held: approve batch b-1"),
        ),
        (
            "acting",
            word(true, &[cut(Phase::Released)]),
            not(Reason::Released, "Revocation cut is released; the revoker is started for it."),
        ),
        (
            "nobody planned yet",
            word(true, &[]),
            not(Reason::NotPlanned, "No revocation has been planned yet; `rollcall control` plans it."),
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
        ("nothing else", done(), ("remove", Reason::Refused)),
        ("a late find is held", and(late(Phase::Held)), ("cut-late", Reason::Held)),
        ("it is acted on", and(late(Phase::Released)), ("cut-late", Reason::Released)),
        ("it failed", and(late(Phase::Failed)), ("cut-late", Reason::NotProved)),
        ("it is done", and(late(Phase::Revoked)), ("remove", Reason::Refused)),
        ("the cut failed", vec![cut(Phase::Failed), remove(Phase::Revoked)], ("cut", Reason::NotProved)),
        ("the cut before its late find", vec![cut(Phase::Held), late(Phase::Held)], ("cut", Reason::Held)),
        ("the act before what waits", with_removal(Phase::Released, late(Phase::Held)), ("remove", Reason::Released)),
        (
            "a removal failed, a later one did not",
            {
                let later = operation("remove-2", Operation::Remove, "2026-03-20T00:00:00Z", Phase::Revoked);
                with_removal(Phase::Failed, later)
            },
            ("remove", Reason::NotProved),
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
    let now = with_targets(operation("p-1-bbbb-cut", Operation::Cut, "2026-03-10T00:00:00Z", Phase::Revoked));
    let reason = |revocations: &[&Revocation]| mirror(Some("p-1-bbbb"), revocations, noon()).revoked.unwrap().reason;
    assert_eq!(reason(&[&earlier]), Reason::NotPlanned, "refused the last time");
    assert_eq!(reason(&[&failed, &now]), Reason::Refused, "failed the last time");
}

#[test]
fn nobody_is_called_revoked_while_anything_of_theirs_works_or_when_nothing_was_found() {
    let cut = || cut(Phase::Revoked);
    let removal = || remove(Phase::Revoked);
    let cases = [
        ("all was ended", vec![with_targets(cut())], 0, "True", "Refused"),
        ("nothing was found", vec![cut()], 0, "Unknown", "NothingFound"),
        ("nothing was found, and nothing was left to remove", vec![cut(), removal()], 0, "Unknown", "NothingFound"),
        ("nothing could be ended", vec![with_residual(cut(), 2)], 2, "False", "AccessRemains"),
        ("a shared binding works on", vec![with_residual(with_targets(cut()), 1)], 1, "False", "AccessRemains"),
        (
            "it works on after the removal",
            vec![with_residual(with_targets(cut()), 1), with_targets(removal())],
            1,
            "False",
            "AccessRemains",
        ),
        (
            "a later look at everything found nothing left",
            vec![with_residual(with_targets(cut()), 1), with_targets(late(Phase::Revoked))],
            0,
            "True",
            "Refused",
        ),
    ];
    for (what, revocations, remaining, status, reason) in cases {
        let shown = shown(true, &revocations);
        let word = condition::merge(&[], shown.revoked.into_iter().collect(), None, noon()).remove(0);
        let counted = shown.access.unwrap().remaining;
        assert_eq!((counted, word.status.as_str(), word.reason.as_str()), (remaining, status, reason), "{what}");
    }
}

#[test]
fn what_remains_is_told_with_what_was_refused() {
    let mut verified = with_residual(with_targets(cut(Phase::Revoked)), 2);
    verified.status.as_mut().unwrap().verified = Some(at("2026-03-10T12:00:05Z"));
    let message = "Revocation cut: verified refused at 2026-03-10T12:00:05Z. 2 things remain, and still work: see remaining of the Revocations.";
    assert_eq!(shown(true, &[verified]).revoked, Some(condition::not_revoked(Reason::AccessRemains, message)));
    let message = "Revocation cut is done; nothing of what was found could be ended. 1 thing remains, and still works: see remaining of the Revocations.";
    let nothing = with_residual(cut(Phase::Revoked), 1);
    assert_eq!(shown(true, &[nothing]).revoked, Some(condition::not_revoked(Reason::AccessRemains, message)));
}

#[test]
fn what_ended_well_stands_when_its_revocations_are_removed_after_their_retention() {
    let access = |revocation: &str, state: &str| {
        serde_json::from_value::<Option<Access>>(serde_json::json!({"revocation": revocation, "state": state})).unwrap()
    };
    let another = operation("t1-late-cut", Operation::Cut, "2026-03-12T00:00:00Z", Phase::Held);
    let before = operation("t0-cut", Operation::Cut, "2025-03-12T00:00:00Z", Phase::Revoked);
    for (what, shown, revocations, expected) in [
        ("removed", access("t1-cut", "Revoked"), vec![], true),
        ("removed, and it was cancelled", access("t1-cut", KEPT), vec![], true),
        ("that of another termination is there", access("t1-cut", "Revoked"), vec![&before], true),
        ("something turned up since", access("t1-cut", "Revoked"), vec![&another], false),
        ("it was of another termination", access("t0-cut", "Revoked"), vec![], false),
        ("it had not ended", access("t1-cut", "Held"), vec![], false),
        ("nothing was ever planned", None, vec![], false),
    ] {
        assert_eq!(stands("t1-", shown.as_ref(), &revocations), expected, "{what}");
    }
}

#[test]
fn somebody_on_leave_is_called_frozen_only_while_they_are_and_never_revoked() {
    let freeze = |phase: Phase| operation("freeze", Operation::Freeze, "2026-03-10T00:00:00Z", phase);
    let cases = [
        (gated(freeze(Phase::Held), "too many", None), "Held", Some((Status::False, Reason::Held))),
        (freeze(Phase::Frozen), "Frozen", Some((Status::True, Reason::Frozen))),
        (freeze(Phase::Lifted), "Lifted", None),
        (freeze(Phase::Cancelled), KEPT, None),
    ];
    for (freeze, state, condition) in cases {
        let shown = shown(false, &[with_residual(freeze, 1)]);
        let access = shown.access.unwrap();
        assert_eq!((access.state.as_str(), access.remaining), (state, 1));
        let says = shown.revoked.map(|update| (update.type_, update.status, update.reason));
        assert_eq!(says, condition.map(|(status, reason)| (ConditionType::Frozen, status, reason)), "{state}");
    }
}

#[test]
fn what_control_has_only_just_made_is_shown_once_it_is_counted_or_takes_long() {
    let made = |seconds: i64, reason: Option<&str>, phase: Phase| {
        let mut cut = cut(phase);
        let at = noon() - SignedDuration::from_secs(seconds);
        cut.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at));
        let gate = |reason: &str| Gate { reason: reason.into(), message: String::new(), until: None, batch: None };
        cut.status = reason.map(|reason| RevocationStatus {
            phase: Some(phase),
            gate: Some(reason).filter(|reason| !reason.is_empty()).map(gate),
            ..RevocationStatus::default()
        });
        cut
    };
    for (what, revocation, expected) in [
        ("not looked at", made(1, None, Phase::Held), false),
        ("not counted", made(1, Some("Uncounted"), Phase::Held), false),
        ("not counted, for long", made(31, Some("Uncounted"), Phase::Held), true),
        ("not looked at, for long", made(31, None, Phase::Held), true),
        ("held by the limits", made(1, Some("OverLimit"), Phase::Held), true),
        ("released", made(1, Some(""), Phase::Released), true),
    ] {
        assert_eq!(shown(true, &[revocation]).access.is_some(), expected, "{what}");
    }
    let mut found = late(Phase::Held);
    (found.metadata.creation_timestamp, found.status) = (made(1, None, Phase::Held).metadata.creation_timestamp, None);
    let revoked = shown(true, &[with_targets(cut(Phase::Revoked)), found]).revoked.unwrap();
    assert_eq!(revoked.status, Status::False, "what was only just found beside what was proved");
}

#[test]
fn what_cannot_be_told_any_more_of_what_was_ended_is_said_and_takes_nothing_back() {
    let untold = |mut revocation: Revocation, unknown: u32| {
        let recheck = serde_json::json!({"stage": 1, "asked": 3, "unknown": unknown});
        revocation.status.as_mut().unwrap().recheck = Some(serde_json::from_value(recheck).unwrap());
        revocation
    };
    let done = || with_targets(cut(Phase::Revoked));
    for (what, revocations, expected) in [
        ("all of it can", vec![untold(done(), 0)], None),
        ("some of it cannot", vec![untold(done(), 2)], Some("Of 2 of what was ended")),
        ("of a removal too", vec![untold(done(), 2), untold(with_targets(remove(Phase::Revoked)), 1)], Some("Of 3 of")),
    ] {
        let revoked = shown(true, &revocations).revoked.unwrap();
        assert_eq!((revoked.status, revoked.reason), (Status::True, Reason::Refused), "{what}");
        let said = expected.map_or(!revoked.message.contains(" Of "), |words| revoked.message.contains(words));
        assert!(said, "{what}: {}", revoked.message);
    }
}

#[test]
fn access_that_is_back_is_said_before_that_it_was_refused_or_that_more_is_held() {
    let refuted = |mut revocation: Revocation| {
        let target = with_targets(cut(Phase::Revoked)).status.unwrap().plan.unwrap().targets.remove(0);
        let verdict =
            serde_json::json!({"target": target, "verdict": "Refuted", "how": "", "at": "2026-03-10T01:00:00Z"});
        let recheck = serde_json::json!({"stage": 1, "asked": 1, "refuted": [verdict]});
        revocation.status.as_mut().unwrap().recheck = Some(serde_json::from_value(recheck).unwrap());
        revocation
    };
    let done = || with_targets(cut(Phase::Revoked));
    let removed = || with_targets(remove(Phase::Revoked));
    for (what, revocations, expected) in [
        ("all is refused", vec![done()], (Status::True, Reason::Refused)),
        ("it works again", vec![refuted(done())], (Status::False, Reason::WorksAgain)),
        ("by the cut, after the removal", vec![refuted(done()), removed()], (Status::False, Reason::WorksAgain)),
        ("and more was found", vec![refuted(done()), late(Phase::Held)], (Status::False, Reason::WorksAgain)),
        ("more is being revoked", vec![refuted(done()), late(Phase::Released)], (Status::False, Reason::Released)),
    ] {
        let revoked = shown(true, &revocations).revoked.unwrap();
        assert_eq!((revoked.status, revoked.reason), expected, "{what}");
    }
    assert_eq!(shown(false, &[refuted(done())]).revoked, None, "somebody who works here again");
}
