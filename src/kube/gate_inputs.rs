//! Everything a gate asks. The revoker reads it live; control takes it from what it watches, which is enough to show a
//! gate and to release: nothing is acted on before the revoker has passed the gates again.

use std::sync::Arc;

use crate::kube::named::Api;
use jiff::Timestamp;
use kube::Client;

use super::calls::call;
use super::ledger_store;
use super::outcome::Fault;
use super::stop;
use crate::api::convert::{self, LiveObjects};
use crate::api::{HRConnection, Person, Revocation, SyncPolicy};
use domain::gate::{Facts, Released, Stop, gate};
use domain::ledger::Ledger;
use domain::plan::{Plan, Protected};

/// What was read.
#[derive(Clone, Debug)]
pub struct GateInputs {
    /// The Revocation that knocks.
    pub revocation: Revocation,
    /// The leaver.
    pub person: Option<Person>,
    /// The policy.
    pub policy: Option<SyncPolicy>,
    /// Whether the newest answers of its connections are trusted.
    pub trusted: bool,
    /// The ledger, if it could be read.
    pub ledger: Option<Arc<Ledger>>,
    /// The reason of the global stop.
    pub stopped: Option<String>,
}

/// What the gates ask that is the same for every leaver of a policy.
#[derive(Clone, Debug)]
pub struct OfPolicy {
    policy: Option<SyncPolicy>,
    trusted: bool,
    ledger: Option<Arc<Ledger>>,
    stopped: Option<String>,
}

/// Reads policy, connections, ledger and stop, none of them from a cache.
///
/// # Errors
/// When policy or connection cannot be read. A ledger or stop that cannot be read stops instead.
pub async fn of_policy(client: &Client, namespace: &str, policy: &str, now: Timestamp) -> Result<OfPolicy, Fault> {
    let policies: Api<SyncPolicy> = Api::namespaced(client.clone(), namespace);
    let (policy, ledger, stopped) = futures::join!(
        call("read the policy", policies.get_opt(policy)),
        ledger_store::ledger(client, namespace),
        stop::stopped(client, namespace),
    );
    let policy = policy?;
    let trusted = match &policy {
        Some(policy) => trusted(client, namespace, policy, now).await?,
        None => false,
    };
    Ok(OfPolicy { policy, trusted, ledger: ledger.ok().map(Arc::new), stopped })
}

/// Reads the person, and puts together what the gates ask of this Revocation.
///
/// # Errors
/// When the person cannot be read.
pub async fn read(
    client: &Client,
    namespace: &str,
    revocation: &Revocation,
    of_policy: OfPolicy,
) -> Result<GateInputs, Fault> {
    let OfPolicy { policy, trusted, ledger, stopped } = of_policy;
    let known = GateInputs { revocation: revocation.clone(), person: None, policy, trusted, ledger, stopped };
    known.with_the_person_of_now(client, namespace).await
}

/// Whether the newest answer of every connection that says who has left is trusted.
async fn trusted(client: &Client, namespace: &str, policy: &SyncPolicy, now: Timestamp) -> Result<bool, Fault> {
    let api: Api<HRConnection> = Api::namespaced(client.clone(), namespace);
    for connection in policy.spec.employers() {
        match call("read the connection", api.get_opt(connection)).await? {
            Some(connection) if convert::trusted(&connection, now) => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

impl GateInputs {
    /// The same, with the person read live: what is watched may be behind.
    ///
    /// # Errors
    /// When the person cannot be read.
    pub async fn with_the_person_of_now(self, client: &Client, namespace: &str) -> Result<Self, Fault> {
        let people: Api<Person> = Api::namespaced(client.clone(), namespace);
        let person = call("read the person", people.get_opt(&self.revocation.spec.person)).await?;
        Ok(Self { person, ..self })
    }

    /// What the gate asks.
    #[must_use]
    pub fn facts(&self) -> Facts {
        convert::facts(&LiveObjects {
            revocation: &self.revocation,
            person: self.person.as_ref(),
            policy: self.policy.as_ref(),
            trusted: self.trusted,
            ledger: self.ledger.as_deref(),
            stopped: self.stopped.clone(),
        })
    }

    /// The plan as shown, if its hash is the one of its targets under the policy's rule of today.
    #[must_use]
    pub fn plan(&self) -> Option<Plan> {
        convert::plan_read(&self.revocation, &convert::rule(self.policy.as_ref()?))
    }

    /// Passes the gates.
    ///
    /// # Errors
    /// Which one is shut; `None` where the plan is not the one its hash names.
    pub fn knock(&self, now: Timestamp) -> Result<Released, Option<Stop>> {
        let plan = self.plan().ok_or(None)?;
        Ok(gate(&plan, &self.facts(), now)?)
    }

    /// What the policy protects.
    #[must_use]
    pub fn protected(&self) -> Protected {
        self.policy.as_ref().map(convert::protected).unwrap_or_default()
    }
}
