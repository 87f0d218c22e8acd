//! What became of a Revocation as a CloudEvent (CloudEvents 1.0, structured JSON). Pure.
//!
//! No name and no address: HR ids and names of objects, which are pseudonymous.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::HookFile;
use crate::tell::event::{Event, id};

/// The event of a hook's file.
pub(super) fn of(file: &HookFile, source: &str, now: Timestamp) -> Value {
    let phase = file.phase.as_deref().unwrap_or("Unknown");
    let event = Event {
        id: id(&[&file.uid, &file.when, phase]),
        kind: format!("revocation.{}", phase.to_ascii_lowercase()),
        subject: file.person.clone(),
        time: Some(now),
        data: json!({
            "revocation": file.revocation, "uid": file.uid, "person": file.person, "records": file.records, "policy": file.policy,
            "operation": file.operation, "trigger": file.trigger, "phase": file.phase, "when": file.when, "hook": file.hook,
        }),
    };
    event.json(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_holds_no_name_and_no_address_and_has_the_same_id_each_time() {
        let file = |attempt: u32| -> HookFile {
            serde_json::from_value(json!({
                "version": 1, "revocation": "p-7-cut", "uid": "u-7", "operation": "Cut", "trigger": "Termination", "policy": "everyone",
                "person": "p-7", "records": ["hq/7"], "usernames": ["oidc:ada@example.com"], "ownUsernames": ["oidc:ada@example.com"],
                "hook": "siem", "when": "After", "phase": "Revoked", "attempt": attempt, "reason": "id:hq/7 left",
            }))
            .unwrap()
        };
        let event = of(&file(1), "https://cluster.example.com/rollcall", Timestamp::UNIX_EPOCH);
        assert!(!event.to_string().contains("ada"), "{event}");
        assert_eq!(
            (&event["specversion"], &event["type"]),
            (&json!("1.0"), &json!("dev.rollcall.revocation.revoked.v1"))
        );
        assert_eq!(event["data"]["records"], json!(["hq/7"]));
        let later = of(&file(2), "https://cluster.example.com/rollcall", Timestamp::UNIX_EPOCH);
        assert_eq!(event["id"], later["id"]);
    }
}
