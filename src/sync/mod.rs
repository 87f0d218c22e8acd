//! `rollcall sync`: reads HR systems, believes or holds their answers, and writes Persons.

pub mod connection;
pub mod convert;
pub mod coverage;
pub mod hints;
pub mod memory;
pub mod mirror;
pub mod owned;
pub mod people;
pub mod policy;
pub mod pushed;
pub mod retention;
pub mod source;
pub mod start;
pub mod traced;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::sync::{Notify, watch};

use crate::api::HRConnection;
pub use crate::kube::outcome::Failures;
use crate::kube::telemetry::Metrics;
use crate::kube::traces::Traces;
use domain::needs::Needs;
use domain::trust::Snapshot;

/// Field manager of everything sync writes.
pub const MANAGER: &str = "rollcall-sync";

/// What both controllers share.
pub struct Context {
    /// The API server.
    pub client: kube::Client,
    /// The people namespace, which is the operator's.
    pub namespace: String,
    /// The last believed answer of each connection.
    pub snapshots: Snapshots,
    /// Refresh tokens that are lent or still to be kept.
    pub rotations: Arc<source::Rotations>,
    /// What is known of each connection's files.
    pub files: connection::FetchCaches,
    /// Credentials that a source refused.
    pub refused: connection::Refused,
    /// Faults in a row.
    pub failures: Failures,
    /// What identity providers pushed.
    pub pushed: Arc<pushed::PushedUsers>,
    /// Webhooks that came.
    pub hints: Arc<hints::Hints>,
    /// Everybody, as the cluster has them.
    pub people: Arc<people::People>,
    /// What the process measures.
    pub metrics: Arc<Metrics>,
    /// Where spans are left.
    pub traces: Arc<Traces>,
    /// Who turned, and whose Revocations are still to come.
    pub turns: traced::Turns,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// The last believed answer of each connection. In memory only: absent after a start until the next poll.
pub struct Snapshots {
    answers: watch::Sender<Answers>,
    /// What policies asked connections for, by connection and policy, with the generation that asked.
    asked: Mutex<BTreeMap<(String, String), Option<i64>>>,
    /// Connections that are to be read again.
    again: Mutex<BTreeSet<String>>,
    /// Wakes the connections.
    wake: Arc<Notify>,
}

/// A believed answer.
#[derive(Clone)]
pub struct Answer {
    /// Of the connection that gave it: one that was deleted and applied again is another.
    uid: String,
    /// The answer.
    pub snapshot: Arc<Snapshot>,
    /// What it was read for.
    pub needs: Arc<Needs>,
    /// When the read of it began.
    begun: Timestamp,
}

impl Answer {
    /// How it was read, of the connection that gave it.
    #[must_use]
    pub fn read(&self, connection: &str) -> traced::Read {
        traced::Read { connection: connection.to_owned(), begun: self.begun, taken: self.snapshot.taken() }
    }
}

/// Answers by the name of their connection.
pub type Answers = BTreeMap<String, Answer>;

impl Default for Snapshots {
    fn default() -> Self {
        let answers = watch::Sender::new(BTreeMap::new());
        Self { answers, asked: Mutex::default(), again: Mutex::default(), wake: Arc::default() }
    }
}

impl Snapshots {
    /// The last believed answer of exactly this connection, with what it was read for.
    #[must_use]
    pub fn answer(&self, connection: &HRConnection) -> Option<Answer> {
        let answers = self.answers.borrow();
        let answer = answers.get(&connection.name_any())?;
        (connection.uid().as_ref() == Some(&answer.uid)).then(|| answer.clone())
    }

    /// The last believed answer of exactly this connection.
    #[must_use]
    pub fn of(&self, connection: &HRConnection) -> Option<Arc<Snapshot>> {
        self.answer(connection).map(|answer| answer.snapshot)
    }

    /// Publishes a believed answer and wakes everybody who is subscribed.
    pub fn put(&self, connection: &HRConnection, snapshot: Snapshot, needs: Arc<Needs>, begun: Timestamp) {
        let uid = connection.uid().unwrap_or_default();
        self.answers.send_modify(|map| {
            map.insert(connection.name_any(), Answer { uid, snapshot: Arc::new(snapshot), needs, begun });
        });
    }

    /// Drops the answer of a connection that is no more; wakes only if there was one.
    pub fn forget(&self, connection: &str) {
        self.answers.send_if_modified(|map| map.remove(connection).is_some());
    }

    /// Drops this very answer, and wakes everybody who is subscribed; a newer one stays.
    pub fn forget_this(&self, connection: &str, snapshot: &Arc<Snapshot>) {
        self.answers.send_if_modified(|map| {
            let its = map.get(connection).is_some_and(|answer| Arc::ptr_eq(&answer.snapshot, snapshot));
            its && map.remove(connection).is_some()
        });
    }

    /// Wakes with every answer published.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Answers> {
        self.answers.subscribe()
    }

    /// Asks a connection to be read again, for a policy that needs more of it than was read. Once for each generation of
    /// the policy: a source that is held, or fails, is not asked without end.
    pub fn ask(&self, connection: &HRConnection, policy: &str, generation: Option<i64>) {
        let name = connection.name_any();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.insert((name.clone(), policy.to_owned()), generation) != Some(generation) {
            self.again.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
            self.wake.notify_one();
        }
    }

    /// Asks connections to be read again, for which something was pushed.
    pub fn pushed(&self, connections: BTreeSet<String>) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).extend(connections);
        self.wake.notify_one();
    }

    /// Wakes the connections: one of them is hinted at.
    pub fn hinted(&self) {
        self.wake.notify_one();
    }

    /// Whether a connection was asked for, since this was last looked at.
    pub fn take_asked(&self, connection: &str) -> bool {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).remove(connection)
    }

    /// Wakes with every connection that is asked for.
    #[must_use]
    pub fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }
}
