//! What connection, policy and Person of the drill say of the invented person. Pure.

use crate::api::condition::{Condition, ConditionType, Status};
use crate::api::person::State;
use crate::api::revocation::Phase;
use crate::api::{HRConnection, Person, SyncPolicy, convert};
use domain::drill::Progress;

/// What was read at one moment.
pub struct Seen {
    pub connection: Option<HRConnection>,
    pub policy: Option<SyncPolicy>,
    pub person: Option<Person>,
}

/// Whether the person works here, as Rollcall says after it was asked to look; why not otherwise.
pub fn hired(seen: &Seen, asked: &str) -> Result<(), String> {
    let missing = |kind: &str| Err(format!("there is no {kind} rollcall-drill: apply examples/drill.yaml"));
    let Some(connection) = &seen.connection else { return missing("HRConnection") };
    let Some(policy) = &seen.policy else { return missing("SyncPolicy") };
    let Some(person) = &seen.person else { return missing("Person") };
    let status = connection.status.clone().unwrap_or_default();
    if status.last_handled_reconcile_at.as_deref() != Some(asked) {
        return Err("sync has not read the file since it was asked to".to_owned());
    }
    if let Some(wrong) = refuses(&status.conditions) {
        return Err(format!("the connection is not ready: {wrong}"));
    }
    let conditions = policy.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    if !conditions.iter().any(|one| one.is(ConditionType::Baseline, Status::True)) {
        let why = refuses(conditions).unwrap_or("sync has not looked at it yet");
        return Err(format!("the policy has no baseline: {why}"));
    }
    let employment = person.status.as_ref().and_then(|status| status.employment.as_ref());
    match employment {
        Some(employment) if employment.state == State::Active => Ok(()),
        Some(employment) => Err(format!("its Person is {} ({})", employment.state.as_str(), employment.why)),
        None => Err("its Person has no state yet".to_owned()),
    }
}

/// What keeps an object from being as its spec says.
fn refuses(conditions: &[Condition]) -> Option<&str> {
    let not_ready = conditions.iter().find(|one| one.is(ConditionType::Ready, Status::False));
    not_ready.map(|one| one.message.as_str())
}

/// How far the leaver is, and which Revocation says so.
pub fn of(person: &Person) -> (Option<String>, Progress) {
    let status = person.status.clone().unwrap_or_default();
    let employment = status.employment.as_ref();
    if let Some(other) = employment.filter(|employment| employment.state != State::Terminated) {
        let said = format!("its Person is {} ({})", other.state.as_str(), other.why);
        return (None, Progress::Unseen(said));
    }
    let said = status.conditions.iter().find(|one| one.type_ == ConditionType::Revoked.as_str());
    let said = said.map_or_else(|| "it says nothing of their access".to_owned(), |one| one.message.clone());
    // What is said of an earlier termination is not said of this one.
    let access = status.access.filter(|access| convert::of_this_termination(Some(person), &access.revocation));
    let Some(access) = access else { return (None, Progress::Unseen(said)) };
    let is = |phase: Phase| access.state == phase.as_str();
    let progress = if is(Phase::Revoked) && access.remaining == 0 {
        Progress::Revoked
    } else if is(Phase::Revoked) || is(Phase::Failed) {
        Progress::Failed(said)
    } else if is(Phase::Released) {
        Progress::Released(said)
    } else {
        Progress::Held(access.waits_for.unwrap_or(said))
    };
    (Some(access.revocation), progress)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::merge;

    fn person(status: Value) -> Person {
        serde_json::from_value(json!({
            "metadata": {"name": "rollcall-drill", "uid": "u"},
            "spec": {"records": [{"connection": "rollcall-drill", "id": "leaver"}]}, "status": status,
        }))
        .unwrap()
    }

    fn employment(state: &str) -> Value {
        json!({"state": state, "since": "2026-03-01T03:17:06Z", "seen": "2026-03-01T03:17:06Z", "timeZone": "UTC", "why": "because"})
    }

    #[test]
    fn the_person_says_how_far_the_leaver_is() {
        let terminated = person(json!({"employment": employment("Terminated")}));
        let prefix = convert::termination_id(&terminated).unwrap();
        let cut = format!("{prefix}-cut");
        let access = |state: &str, over: Value| {
            let mut access = json!({"state": state, "revocation": cut, "remaining": 0});
            merge(&mut access, &over);
            json!({"employment": employment("Terminated"), "access": access,
                "conditions": [{"type": "Revoked", "status": "False", "reason": "Held", "message": "said",
                    "lastTransitionTime": "2026-03-01T03:17:07Z"}]})
        };
        let said = || "said".to_owned();
        for (what, status, expected) in [
            (
                "not seen",
                json!({"employment": employment("Active")}),
                Progress::Unseen("its Person is Active (because)".into()),
            ),
            (
                "no Revocation yet",
                json!({"employment": employment("Terminated")}),
                Progress::Unseen("it says nothing of their access".into()),
            ),
            (
                "that of an earlier termination",
                access("Revoked", json!({"revocation": "rollcall-drill-0000-cut"})),
                Progress::Unseen(said()),
            ),
            (
                "a gate",
                access("Held", json!({"waitsFor": "everything is stopped"})),
                Progress::Held("everything is stopped".into()),
            ),
            ("cancelled", access("Kept", json!({})), Progress::Held(said())),
            ("released", access("Released", json!({})), Progress::Released(said())),
            ("not proved", access("Failed", json!({})), Progress::Failed(said())),
            ("something remains", access("Revoked", json!({"remaining": 1})), Progress::Failed(said())),
            ("revoked", access("Revoked", json!({})), Progress::Revoked),
        ] {
            assert_eq!(of(&person(status)).1, expected, "{what}");
        }
        assert_eq!(of(&person(access("Held", json!({})))).0, Some(cut));
    }

    #[test]
    fn somebody_is_hired_once_all_three_say_so_of_what_was_asked() {
        let condition = |type_: &str, status: &str| json!({"type": type_, "status": status, "reason": "R", "message": "said", "lastTransitionTime": "2026-03-01T03:17:07Z"});
        let connection = |asked: &str, ready: &str| -> HRConnection {
            serde_json::from_value(json!({
                "metadata": {"name": "rollcall-drill"},
                "spec": {"source": {"file": {"from": {"configMap": {"name": "rollcall-drill", "key": "people.csv"}}}},
                    "schedule": {"every": "6h"}},
                "status": {"lastHandledReconcileAt": asked, "conditions": [condition("Ready", ready)]},
            }))
            .unwrap()
        };
        let policy = |baseline: &str| -> SyncPolicy {
            serde_json::from_value(json!({
                "metadata": {"name": "rollcall-drill"},
                "spec": {"connections": [{"name": "rollcall-drill"}], "timeZones": {"default": "UTC"}},
                "status": {"conditions": [condition("Baseline", baseline), condition("Ready", "False")]},
            }))
            .unwrap()
        };
        let seen = |connection, policy, state: &str| Seen {
            connection,
            policy,
            person: Some(person(json!({"employment": employment(state)}))),
        };
        let well = || (Some(connection("d-1", "True")), Some(policy("True")));
        for (what, seen, expected) in [
            ("all say so", seen(well().0, well().1, "Active"), None),
            ("no connection", seen(None, well().1, "Active"), Some("no HRConnection")),
            ("no policy", seen(well().0, None, "Active"), Some("no SyncPolicy")),
            ("not read yet", seen(Some(connection("d-0", "True")), well().1, "Active"), Some("since it was asked")),
            ("not trusted", seen(Some(connection("d-1", "False")), well().1, "Active"), Some("not ready: said")),
            ("no baseline", seen(well().0, Some(policy("False")), "Active"), Some("no baseline: said")),
            ("still gone", seen(well().0, well().1, "Terminated"), Some("Terminated")),
        ] {
            let why = hired(&seen, "d-1").err();
            assert_eq!(why.is_some(), expected.is_some(), "{what}: {why:?}");
            assert!(expected.is_none_or(|expected| why.as_ref().unwrap().contains(expected)), "{what}: {why:?}");
        }
    }
}
