//! The revoker's own live reads of everything a gate asks.

use kube::api::Api;

use super::Context;
use crate::api::convert::{self, Seen};
use crate::api::{HRConnection, Person, Revocation, SyncPolicy};
use crate::brakes;
use crate::cluster::call;
use crate::domain::gate::Facts;
use crate::domain::ledger::Ledger;
use crate::domain::plan::{Plan, Protected};
use crate::outcome::Fault;

/// What was read.
pub struct View {
    revocation: Revocation,
    person: Option<Person>,
    policy: Option<SyncPolicy>,
    trusted: bool,
    ledger: Option<Ledger>,
    stopped: Option<String>,
}

/// Reads person, policy, connections, ledger and stop, none of them from a cache.
pub async fn view(ctx: &Context, revocation: &Revocation) -> Result<View, Fault> {
    let people: Api<Person> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let policies: Api<SyncPolicy> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let (person, policy, ledger, stopped) = futures::join!(
        call("read the person", people.get_opt(&revocation.spec.person)),
        call("read the policy", policies.get_opt(&revocation.spec.policy)),
        brakes::ledger(&ctx.client, &ctx.namespace),
        brakes::stopped(&ctx.client, &ctx.namespace),
    );
    let policy = policy?;
    let trusted = match &policy {
        Some(policy) => trusted(ctx, policy).await?,
        None => false,
    };
    Ok(View {
        revocation: revocation.clone(),
        person: person?,
        policy,
        trusted,
        ledger: ledger.ok().map(|(ledger, _)| ledger),
        stopped,
    })
}

/// Whether the newest answer of every connection of the policy is trusted.
async fn trusted(ctx: &Context, policy: &SyncPolicy) -> Result<bool, Fault> {
    let api: Api<HRConnection> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    for connection in &policy.spec.connections {
        match call("read the connection", api.get_opt(&connection.name)).await? {
            Some(connection) if convert::trusted(&connection) => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

impl View {
    /// What the gate asks.
    pub fn facts(&self) -> Facts {
        convert::facts(&Seen {
            revocation: &self.revocation,
            person: self.person.as_ref(),
            policy: self.policy.as_ref(),
            trusted: self.trusted,
            ledger: self.ledger.as_ref(),
            stopped: self.stopped.clone(),
        })
    }

    /// The plan, if its hash is the one of its targets under the policy's rule of today.
    pub fn plan(&self) -> Option<Plan> {
        convert::plan_read(&self.revocation, &convert::rule(self.policy.as_ref()?))
    }

    /// What the policy protects.
    pub fn protected(&self) -> Protected {
        self.policy.as_ref().map(convert::protected).unwrap_or_default()
    }

    /// The leaver.
    pub const fn person(&self) -> Option<&Person> {
        self.person.as_ref()
    }
}
