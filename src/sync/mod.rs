//! `rollcall sync`: reads HR systems, believes or holds their answers, and writes Persons.

pub mod connection;
pub mod convert;
pub mod coverage;
pub mod memory;
pub mod mirror;
pub mod owned;
pub mod people;
pub mod policy;
pub mod retention;
pub mod source;
pub mod start;
pub mod usernames;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::sync::watch;

use crate::api::HRConnection;
pub use crate::kube::outcome::Failures;
use crate::kube::telemetry::Metrics;
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
    /// Everybody, as the cluster has them.
    pub people: Arc<people::People>,
    /// What the process measures.
    pub metrics: Arc<Metrics>,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

/// The last believed answer of each connection. In memory only: absent after a start until the next poll.
pub struct Snapshots(watch::Sender<Answers>);

/// Answers by the name of their connection, each with the uid of the connection that gave it: one that was deleted and
/// applied again is another.
pub type Answers = BTreeMap<String, (String, Arc<Snapshot>)>;

impl Default for Snapshots {
    fn default() -> Self {
        Self(watch::Sender::new(BTreeMap::new()))
    }
}

impl Snapshots {
    /// The last believed answer of exactly this connection.
    #[must_use]
    pub fn of(&self, connection: &HRConnection) -> Option<Arc<Snapshot>> {
        let answers = self.0.borrow();
        let (uid, snapshot) = answers.get(&connection.name_any())?;
        (connection.uid().as_ref() == Some(uid)).then(|| Arc::clone(snapshot))
    }

    /// Publishes a believed answer and wakes everybody who is subscribed.
    pub fn put(&self, connection: &HRConnection, snapshot: Snapshot) {
        let uid = connection.uid().unwrap_or_default();
        self.0.send_modify(|map| {
            map.insert(connection.name_any(), (uid, Arc::new(snapshot)));
        });
    }

    /// Drops the answer of a connection that is no more; wakes only if there was one.
    pub fn forget(&self, connection: &str) {
        self.0.send_if_modified(|map| map.remove(connection).is_some());
    }

    /// Wakes with every answer published.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Answers> {
        self.0.subscribe()
    }
}
