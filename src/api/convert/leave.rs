//! What a Person says of the leave that a Revocation is about, and what a cut for one leaves to a human.

use super::leaver_status;
use crate::api::person::State;
use crate::api::revocation::Phase;
use crate::api::{Person, Revocation, revocation};
use domain::gate::LeaverStatus;
use domain::roster;

/// What the names of the Revocations of a Person's current leave begin with; `None` of who is not on one that the policy acts on.
#[must_use]
pub fn leave_id(person: &Person) -> Option<String> {
    let leave = person.status.as_ref()?.leave.as_ref()?;
    Some(roster::termination_id(person.metadata.name.as_deref()?, leave.seen))
}

/// Whether a freeze stands.
#[must_use]
pub fn in_force(revocation: &Revocation) -> bool {
    revocation.status.as_ref().is_some_and(|status| status.phase == Some(Phase::Frozen))
}

/// Whether a Revocation holds user names on the list of the frozen ones: a freeze that stands, or the first act of a cut.
#[must_use]
pub fn freezes(revocation: &Revocation) -> bool {
    let first = revocation.status.as_ref().and_then(|status| status.freeze.as_ref());
    in_force(revocation) || first.is_some_and(revocation::FirstFreeze::stands)
}

/// What a Revocation shows as frozen.
pub fn frozen(revocation: &Revocation) -> impl Iterator<Item = &revocation::Verdict> {
    let of_freeze = revocation.spec.operation == revocation::Operation::Freeze;
    revocation.status.iter().flat_map(move |status| match of_freeze {
        true => status.verdicts.as_slice(),
        false => status.freeze.as_ref().map(|freeze| freeze.verdicts.as_slice()).unwrap_or_default(),
    })
}

/// What the Person says of the leave that a Revocation is about: whether the reason for it stands.
///
/// Who leaves while on leave is cut by a Revocation of that termination: a freeze that stands goes on, and none begins.
#[must_use]
pub fn leave_status(person: Option<&Person>, revocation: &str, in_force: bool) -> LeaverStatus {
    let Some(person) = person else { return LeaverStatus::Unknown };
    let this_leave = leave_id(person).is_some_and(|prefix| revocation.starts_with(&prefix));
    match (leaver_status(Some(person)), this_leave) {
        (LeaverStatus::Unknown, _) => LeaverStatus::Unknown,
        (LeaverStatus::OutOfScope, _) => LeaverStatus::OutOfScope,
        (LeaverStatus::Ended, true) if in_force => LeaverStatus::Ended,
        (LeaverStatus::Ended, _) | (LeaverStatus::Employed, false) => LeaverStatus::Employed,
        (LeaverStatus::Employed, true) => LeaverStatus::Ended,
    }
}

/// What is said by a Person that was deleted and made anew since: a freeze that stands is over once the same human, by a user name
/// that is frozen, works here. Of anybody else, or of who is on leave still, nothing can be told.
#[must_use]
pub fn made_anew(person: Option<&Person>, revocation: &Revocation) -> LeaverStatus {
    let Some(status) = person.and_then(|person| person.status.as_ref()) else { return LeaverStatus::Unknown };
    let works = status.employment.as_ref().is_some_and(|employment| employment.state == State::Active);
    let frozen = revocation.status.iter().filter_map(|status| status.plan.as_ref()).flat_map(|plan| &plan.usernames);
    let mut theirs = frozen.filter(|name| status.aliases.contains(&format!("user:{name}")));
    match in_force(revocation) && works && theirs.next().is_some() {
        true => LeaverStatus::Employed,
        false => LeaverStatus::Unknown,
    }
}

/// What a cut did that a human has to undo, in words; none where it did nothing.
#[must_use]
pub fn not_undone(status: &revocation::RevocationStatus) -> Option<String> {
    let done = |action: revocation::Action| {
        let ended = [revocation::StepOutcome::Done, revocation::StepOutcome::NotRecreated];
        status.steps.iter().filter(|step| step.target.action == action && ended.contains(&step.outcome)).count()
    };
    let (accounts, bindings) = (done(revocation::Action::Recreate), done(revocation::Action::Unbind));
    let accounts = match accounts {
        0 => None,
        1 => Some("1 account needs new tokens".to_owned()),
        many => Some(format!("{many} accounts need new tokens")),
    };
    let bindings = match bindings {
        0 => None,
        1 => Some("1 binding is to be created again from status.kept".to_owned()),
        many => Some(format!("{many} bindings are to be created again from status.kept")),
    };
    let trimmed = match done(revocation::Action::Trim) {
        0 => None,
        1 => Some("1 shared binding names them no longer: see status.kept".to_owned()),
        many => Some(format!("{many} shared bindings name them no longer: see status.kept")),
    };
    let all: Vec<String> = accounts.into_iter().chain(bindings).chain(trimmed).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Whether a Revocation needs approval because nobody saw its reason begin.
#[must_use]
pub fn needs_approval(person: Option<&Person>, trigger: revocation::Trigger) -> bool {
    let Some(status) = person.and_then(|person| person.status.as_ref()) else { return false };
    match trigger {
        revocation::Trigger::Termination => status.employment.as_ref().is_some_and(|employment| employment.baseline),
        revocation::Trigger::Leave => status.leave.as_ref().is_some_and(|leave| leave.baseline),
        revocation::Trigger::AdHoc => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::convert::{LiveObjects, facts};

    #[test]
    fn the_reason_for_a_freeze_is_the_leave_that_it_was_made_for() {
        let seen = "2026-03-01T09:00:00Z";
        let this = format!("{}-freeze", roster::termination_id("p-7", seen.parse().unwrap()));
        let other = format!("{}-freeze", roster::termination_id("p-7", "2025-01-01T00:00:00Z".parse().unwrap()));
        let person = |state: &str, leave: bool| -> Option<Person> {
            let leave = leave.then(|| json!({"seen": seen}));
            let employment = json!({"state": state, "since": seen, "timeZone": "UTC", "why": "OnLeave"});
            serde_json::from_value(json!({
                "metadata": {"name": "p-7", "namespace": "rollcall", "uid": "u"},
                "spec": {"records": [{"connection": "hq", "id": "7"}]},
                "status": {"policy": "everyone", "employment": employment, "leave": leave},
            }))
            .unwrap()
        };
        use LeaverStatus::{Employed, Ended, OutOfScope, Unknown};
        for (what, person, revocation, before, standing) in [
            ("on leave", person("Leave", true), &this, Ended, Ended),
            ("suspended", person("Suspended", true), &this, Ended, Ended),
            ("on another leave by now", person("Leave", true), &other, Employed, Employed),
            ("back", person("Active", false), &this, Employed, Employed),
            ("on leave, and the policy keeps access by now", person("Leave", false), &this, Employed, Employed),
            ("has left", person("Terminated", true), &this, Employed, Ended),
            ("has left, was back before", person("Terminated", false), &this, Employed, Employed),
            ("cannot be told", person("Unknown", true), &this, Unknown, Unknown),
            ("out of scope", person("OutOfScope", false), &this, OutOfScope, OutOfScope),
            ("the Person is gone", None, &this, Unknown, Unknown),
        ] {
            assert_eq!(leave_status(person.as_ref(), revocation, false), before, "{what}, before it begins");
            assert_eq!(leave_status(person.as_ref(), revocation, true), standing, "{what}, while it stands");
        }
    }

    /// What the gates hear of `person` for a Revocation of the Person with the uid `u` and the policy `everyone`.
    fn heard(person: &serde_json::Value, trigger: &str, phase: &str) -> LeaverStatus {
        let person: Person = serde_json::from_value(person.clone()).unwrap();
        let revocation: Revocation = serde_json::from_value(json!({
            "metadata": {"name": "p-7-0-freeze"},
            "spec": {"person": "p-7", "personUid": "u", "policy": "everyone", "trigger": trigger, "operation": "Freeze",
                "due": "2026-03-01T09:00:00Z", "reason": "r"},
            "status": {"phase": phase, "plan": {"hash": "h", "targets": [], "usernames": ["oidc:ada@example.com"]}},
        }))
        .unwrap();
        let (person, stopped) = (Some(&person), None);
        let live = LiveObjects { revocation: &revocation, person, policy: None, trusted: true, ledger: None, stopped };
        facts(&live).leaver_status
    }

    fn somebody(uid: &str, policy: &str, state: &str, alias: &str) -> serde_json::Value {
        json!({
            "metadata": {"name": "p-7", "namespace": "rollcall", "uid": uid},
            "spec": {"records": [{"connection": "hq", "id": "7"}]},
            "status": {"policy": policy, "aliases": [format!("user:oidc:{alias}@example.com")],
                "employment": {"state": state, "since": "2026-03-01T09:00:00Z", "timeZone": "UTC", "why": "Active"}},
        })
    }

    #[test]
    fn a_freeze_outlives_a_person_that_was_deleted_only_until_the_same_human_works_here_again() {
        for (what, uid, state, alias, phase, expected) in [
            ("works here", "anew", "Active", "ada", "Frozen", LeaverStatus::Employed),
            ("on leave still", "anew", "Leave", "ada", "Frozen", LeaverStatus::Unknown),
            ("has left", "anew", "Terminated", "ada", "Frozen", LeaverStatus::Unknown),
            ("cannot be told", "anew", "Unknown", "ada", "Frozen", LeaverStatus::Unknown),
            ("another human has the id", "anew", "Active", "ben", "Frozen", LeaverStatus::Unknown),
            ("not frozen yet", "anew", "Active", "ada", "Held", LeaverStatus::Unknown),
            ("the same Person", "u", "Active", "ada", "Frozen", LeaverStatus::Employed),
        ] {
            assert_eq!(heard(&somebody(uid, "everyone", state, alias), "Leave", phase), expected, "{what}");
        }
    }

    #[test]
    fn a_revocation_by_hand_acts_for_the_policy_that_has_the_person_and_for_no_other() {
        for (policy, state, expected) in [
            ("everyone", "Active", LeaverStatus::Ended),
            ("everyone", "Unknown", LeaverStatus::Ended),
            ("everyone", "OutOfScope", LeaverStatus::OutOfScope),
            ("south", "Active", LeaverStatus::Unknown),
            ("south", "Terminated", LeaverStatus::Unknown),
        ] {
            for phase in ["Held", "Frozen"] {
                assert_eq!(
                    heard(&somebody("u", policy, state, "ada"), "AdHoc", phase),
                    expected,
                    "{policy} {state} {phase}"
                );
            }
        }
        assert_eq!(heard(&somebody("anew", "everyone", "Active", "ada"), "AdHoc", "Frozen"), LeaverStatus::Unknown);
    }
}
