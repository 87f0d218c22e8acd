//! Webhooks that came, followed by a watch: which connections are to be read for them.
//!
//! What is hinted stands in the cluster, and what was handled on the connection, so a process that begins anew knows what is still to
//! be read. When it is read is `domain::hints`'.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use crate::api::hint::{self, ReadHint, RefusedWebhook};
use crate::api::{HRConnection, condition};
use domain::hints::{self, LastRead};

/// What is known of a connection's webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hint {
    /// When the newest was taken.
    pub taken: Option<Timestamp>,
    /// The newest that was refused.
    pub refused: Option<RefusedWebhook>,
}

/// The hints of all connections, by the connection's uid.
#[derive(Default)]
pub struct Hints(Mutex<Known>);

#[derive(Default)]
struct Known {
    hints: BTreeMap<String, Hint>,
    /// Those of a list that has not ended.
    coming: BTreeMap<String, Hint>,
    /// The last reads that hints asked for.
    reads: BTreeMap<String, LastRead>,
}

impl Hints {
    /// Takes an event of the watch, and gives whether anything is hinted that was not before.
    pub fn see(&self, event: Event<ReadHint>) -> bool {
        let mut known = self.known();
        match event {
            Event::Init => known.coming.clear(),
            Event::InitApply(hint) => known.coming.extend(of_object(hint)),
            Event::InitDone => {
                let hints = std::mem::take(&mut known.coming);
                known.reads.retain(|uid, _| hints.contains_key(uid));
                return std::mem::replace(&mut known.hints, hints) != known.hints;
            }
            Event::Apply(hint) => {
                let Some((uid, hint)) = of_object(hint) else { return false };
                return known.hints.insert(uid, hint) != Some(hint);
            }
            Event::Delete(hint) => {
                let uid = hint.spec.connection_uid;
                known.reads.remove(&uid);
                return known.hints.remove(&uid).is_some();
            }
        }
        false
    }

    /// What is known of exactly this connection; nothing where it takes no webhooks.
    #[must_use]
    pub fn of(&self, connection: &HRConnection) -> Option<Hint> {
        connection.spec.source.api.as_ref()?.webhook.as_ref()?;
        Some(self.known().hints.get(&connection.uid()?).copied().unwrap_or_default())
    }

    /// When the connection is to be read for its newest hint.
    #[must_use]
    pub fn due(&self, connection: &HRConnection, now: Timestamp) -> Option<Timestamp> {
        let newest = self.of(connection)?.taken;
        let last = self.known().reads.get(&connection.uid()?).copied();
        hints::due(newest, handled(connection), last, now)
    }

    /// A read ended that began when `hint` was the newest; gives the hint that is handled by now.
    pub fn handled(
        &self,
        connection: &HRConnection,
        hint: Option<Hint>,
        ended: Timestamp,
        whole: bool,
    ) -> Option<Timestamp> {
        let before = handled(connection);
        let Some(taken) = hint.and_then(|hint| hint.taken).filter(|taken| Some(*taken) != before) else {
            return before;
        };
        self.known().reads.insert(connection.uid().unwrap_or_default(), LastRead { ended, whole });
        if whole { Some(taken) } else { before }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a hint says of its connection. One under another name than its connection's is nobody's.
fn of_object(hint: ReadHint) -> Option<(String, Hint)> {
    let ours = hint.name_any() == hint::name_of(&hint.spec.connection_uid);
    ours.then_some((hint.spec.connection_uid, Hint { taken: hint.spec.taken, refused: hint.spec.refused }))
}

fn handled(connection: &HRConnection) -> Option<Timestamp> {
    connection.status.as_ref()?.last_handled_hint
}

impl Hint {
    /// What is said of it on the connection.
    #[must_use]
    pub fn condition(&self, connection: &HRConnection) -> condition::ConditionUpdate {
        match (self.taken, self.refused) {
            (taken, Some(refused)) if taken.is_none_or(|taken| taken < refused.at) => {
                condition::webhook_refused(refused.reason.reason(), refused.at)
            }
            (Some(taken), _) => condition::webhook_taken(taken),
            (None, _) => condition::webhook_awaited(&connection.name_any()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::condition::Reason;
    use crate::api::merge;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn connection(change: Value) -> HRConnection {
        let mut connection = json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "metadata": {"name": "hq", "uid": "u1"},
            "spec": {"source": {"api": {"connector": "bamboohr", "credentialsRef": {"name": "hr"},
                "webhook": {"form": "bamboohr", "secretRef": {"name": "hook"}}}}},
        });
        merge(&mut connection, &change);
        serde_json::from_value(connection).unwrap()
    }

    fn hint(name: &str, spec: Value) -> ReadHint {
        let mut hint = json!({
            "apiVersion": "rollcall.dev/v1alpha1", "kind": "ReadHint", "metadata": {"name": name},
            "spec": {"connection": "hq", "connectionUid": "u1"},
        });
        merge(&mut hint["spec"], &spec);
        serde_json::from_value(hint).unwrap()
    }

    fn taken(second: i64) -> ReadHint {
        hint("hint-u1", json!({"taken": at(second)}))
    }

    #[test]
    fn a_hint_is_read_for_once_and_again_only_for_another() {
        let hints = Hints::default();
        let ours = connection(json!({}));
        assert_eq!(hints.due(&ours, at(100)), None, "nothing came");
        assert!(hints.see(Event::Apply(taken(90))) && !hints.see(Event::Apply(taken(90))), "the same is no news");
        assert_eq!(hints.due(&ours, at(100)), Some(at(100)));

        let began = hints.of(&ours);
        hints.see(Event::Apply(taken(101))); // while it was read
        let handled = hints.handled(&ours, began, at(102), true);
        assert_eq!(handled, Some(at(90)));
        let ours = connection(json!({"status": {"lastHandledHint": handled}}));
        assert_eq!(hints.due(&ours, at(103)), Some(at(162)), "the newer one is not handled, and waits");

        let handled = hints.handled(&ours, hints.of(&ours), at(170), false);
        assert_eq!(handled, Some(at(90)), "nothing whole came, so it is still to be read for");
        assert_eq!(hints.due(&ours, at(171)), Some(at(470)));
        let handled = hints.handled(&ours, hints.of(&ours), at(470), true);
        let ours = connection(json!({"status": {"lastHandledHint": handled}}));
        assert_eq!(hints.due(&ours, at(1000)), None);
        assert_eq!(hints.handled(&ours, hints.of(&ours), at(1001), true), handled, "a read by the schedule");
    }

    #[test]
    fn a_process_that_begins_anew_knows_what_is_still_to_be_read() {
        let hints = Hints::default();
        hints.see(Event::Init);
        hints.see(Event::InitApply(taken(90)));
        assert!(hints.see(Event::InitDone));
        assert_eq!(hints.due(&connection(json!({})), at(100)), Some(at(100)));
        assert_eq!(hints.due(&connection(json!({"status": {"lastHandledHint": at(90)}})), at(100)), None);
        hints.see(Event::Init);
        assert!(hints.see(Event::InitDone), "it is gone");
        assert_eq!(hints.due(&connection(json!({})), at(100)), None);
    }

    #[test]
    fn a_hint_is_of_exactly_one_connection_that_takes_webhooks() {
        let hints = Hints::default();
        assert!(!hints.see(Event::Apply(hint("hint-u2", json!({"taken": at(90)})))), "under another's name");
        hints.see(Event::Apply(taken(90)));
        let due = |change: Value| hints.due(&connection(change), at(100));
        assert!(due(json!({})).is_some());
        assert_eq!(due(json!({"metadata": {"uid": "u2"}})), None, "deleted and applied again");
        assert_eq!(due(json!({"spec": {"source": {"api": {"webhook": null}}}})), None, "it takes none any more");
    }

    #[test]
    fn the_newest_request_decides_what_is_said() {
        let refused = |second| Some(RefusedWebhook { at: at(second), reason: hint::WebhookRefusal::SignatureWrong });
        for (taken, refused, expected) in [
            (None, None, Reason::Awaited),
            (Some(at(5)), None, Reason::Taken),
            (None, refused(5), Reason::SignatureWrong),
            (Some(at(5)), refused(4), Reason::Taken),
            (Some(at(5)), refused(6), Reason::SignatureWrong),
        ] {
            assert_eq!(Hint { taken, refused }.condition(&connection(json!({}))).reason, expected);
        }
    }
}
