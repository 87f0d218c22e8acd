//! What is known of each connection's files between two polls. In memory only: after a start everything is read again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kube::ResourceExt;

use super::poll::ResponseSummary;
use crate::api::HRConnection;
use domain::trust::Snapshot;
use hris::FetchCache;

/// What is known of one connection's files.
#[derive(Default)]
pub struct FileMemory {
    /// Uid and fingerprint of the source it is about.
    of: String,
    /// Which files were read, and what became of them.
    pub(super) cache: FetchCache,
    /// What the believed answer showed.
    pub(super) seen: Option<ResponseSummary>,
}

/// What is known of all of them, by name.
#[derive(Default)]
pub struct FetchCaches(Mutex<HashMap<String, FileMemory>>);

impl FetchCaches {
    /// Takes what is known of a connection, for as long as its poll lasts. A poll that ends in a fault brings nothing
    /// back, and the next one reads everything.
    pub(super) fn take(&self, connection: &HRConnection, source: &str) -> FileMemory {
        let of = format!("{}/{source}", connection.uid().unwrap_or_default());
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection.name_any());
        taken.filter(|known| known.of == of).unwrap_or_else(|| FileMemory { of, ..FileMemory::default() })
    }

    /// Brings it back.
    pub(super) fn put(&self, connection: &HRConnection, known: FileMemory) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(connection.name_any(), known);
    }
}

/// Whether a source has to be read although it may say that nothing changed: somebody asks for it, or what is shown and
/// what is at hand are not the same answer.
pub(super) fn afresh(connection: &HRConnection, asked_for: bool, snapshot: Option<&Snapshot>) -> bool {
    let shown = connection.status.as_ref().and_then(|status| status.last_trusted.as_ref());
    let shown = shown.map(|trusted| trusted.response.as_str());
    asked_for || shown.is_none() || shown != snapshot.map(Snapshot::answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::employee::{Employee, HrId, Read, ReportedStatus, Status};
    use domain::trust::{Bounds, Memory, PollContext, judge};

    fn connection(answer: Option<&str>) -> HRConnection {
        let spec = serde_json::from_value(serde_json::json!({"source": {}})).unwrap();
        let mut connection = HRConnection::new("hq", spec);
        connection.metadata.uid = Some("uid".to_owned());
        connection.status = answer.map(|answer| {
            let trusted = serde_json::json!({"time": "2026-03-01T00:00:00Z", "response": answer, "employees": 1,
                "statuses": {}, "highWater": 1, "source": "source"});
            serde_json::from_value(serde_json::json!({ "lastTrusted": trusted })).unwrap()
        });
        connection
    }

    fn snapshot() -> Snapshot {
        let ada = Employee::new(
            HrId("7".into()),
            "Ada".into(),
            "ada@example.com".into(),
            ReportedStatus::Mapped(Status::Active),
        );
        let read = Read { employees: vec![ada], ..Read::default() };
        let bounds = Bounds {
            max_shrink: 10,
            min_overlap: 95,
            max_bad_records: 1,
            max_unmapped_statuses: 1,
            always_present: vec![],
            sentinels: vec![],
        };
        let asked = PollContext { source: "source", remembered: false, accepted: None, known_people: &[] };
        judge(read, &Memory::fresh(&[1; 32]), &asked, &bounds, jiff::Timestamp::UNIX_EPOCH).unwrap().snapshot
    }

    #[test]
    fn a_source_is_read_unless_what_is_shown_and_what_is_at_hand_are_the_same_answer() {
        let snapshot = snapshot();
        let same = snapshot.answer().to_owned();
        for (situation, shown, asked_for, at_hand, expected) in [
            ("the same", Some(same.as_str()), false, true, false),
            ("somebody asks for it", Some(same.as_str()), true, true, true),
            ("a start", Some(same.as_str()), false, false, true),
            ("nothing was ever trusted", None, false, false, true),
            ("the status was not written", Some("another"), false, true, true),
        ] {
            let found = afresh(&connection(shown), asked_for, at_hand.then_some(&snapshot));
            assert_eq!(found, expected, "{situation}");
        }
    }

    #[test]
    fn what_is_known_is_of_one_source_and_comes_back_only_by_a_poll_that_ended() {
        let (knowledge, connection) = (FetchCaches::default(), connection(None));
        let fresh = |source: &str| {
            let known = knowledge.take(&connection, source);
            let fresh = known.seen.is_none();
            (known, fresh)
        };
        let (mut known, _) = fresh("source");
        known.seen = Some(ResponseSummary::of(&Read::default(), jiff::Timestamp::UNIX_EPOCH));
        knowledge.put(&connection, known);
        let (known, nothing) = fresh("source");
        assert!(!nothing);
        assert!(fresh("source").1, "taken, and not brought back");
        knowledge.put(&connection, known);
        assert!(fresh("another source").1);
    }
}
