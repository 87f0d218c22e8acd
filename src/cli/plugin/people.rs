//! Questions about people, and what is theirs to ask for: `rollcall people`, `why`, `plan`, `export` and `erase`.
//!
//! Each reads with the caller's own rights, decides by a pure function, and prints apart from it. HR ids stand for people
//! unless names are asked for.

mod accounts;
pub(super) mod answer;
mod edit;
mod erase;
mod export;
mod facts;
pub(super) mod list;
pub(super) mod owned;
mod plan;
mod position;
mod review;
pub(super) mod turns;
mod whom;
pub(super) mod why;
pub(super) mod words;

pub use accounts::{Accounts, Shown};
pub use erase::{Options as Erase, run as erase};
pub use export::{Options as Export, run as export};
pub use list::{Options as List, run as list};
pub use plan::{Options as Plan, run as plan};
pub use review::{Options as Review, run as review};
pub use whom::{find, meant};
pub use why::{Options as Why, run as why};

use std::collections::BTreeMap;
use std::fmt::Debug;

use kube::api::ListParams;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::cluster::Cluster;
use super::progress::during;
use super::{Failure, ask};
use crate::api::person::Record;
use crate::api::revocation::Phase;
use crate::api::{HRConnection, Person, Revocation, SyncPolicy};
use crate::kube::named::Api;

/// Objects asked for at once.
const PAGE: u32 = 500;
/// What is told of a read that takes long.
pub(super) const READING: &str = "reading the cluster";

/// Everything in the people namespace that an answer rests on.
#[derive(Debug, Default)]
pub struct World {
    pub(super) people: Vec<Person>,
    pub(super) revocations: Vec<Revocation>,
    pub(super) policies: Vec<SyncPolicy>,
    pub(super) connections: Vec<HRConnection>,
}

impl World {
    /// Reads it.
    pub(super) async fn read(client: &Client, namespace: &str) -> Result<Self, Failure> {
        let (people, revocations, policies, connections) = futures::try_join!(
            all("list the Persons", Api::namespaced(client.clone(), namespace), ""),
            all("list the Revocations", Api::namespaced(client.clone(), namespace), ""),
            all("list the SyncPolicies", Api::namespaced(client.clone(), namespace), ""),
            all("list the HRConnections", Api::namespaced(client.clone(), namespace), ""),
        )?;
        Ok(Self { people, revocations, policies, connections })
    }

    pub(super) fn policy(&self, name: &str) -> Option<&SyncPolicy> {
        self.policies.iter().find(|policy| policy.name_any() == name)
    }

    pub(super) fn connection(&self, name: &str) -> Option<&HRConnection> {
        self.connections.iter().find(|connection| connection.name_any() == name)
    }

    /// Batches that the limits hold, and how many Revocations each has.
    pub(super) fn batches(&self) -> BTreeMap<&str, usize> {
        let mut batches = BTreeMap::new();
        for status in self.revocations.iter().filter_map(|revocation| revocation.status.as_ref()) {
            let gate = status.gate.as_ref().filter(|_| status.phase == Some(Phase::Held));
            if let Some(batch) = gate.and_then(|gate| gate.batch.as_deref()) {
                *batches.entry(batch).or_default() += 1;
            }
        }
        batches
    }

    /// The Revocations of a Person, and of no earlier one of the same name, oldest first.
    pub(super) fn revocations_of(&self, person: &Person) -> Vec<&Revocation> {
        let theirs = |revocation: &&Revocation| Some(&revocation.spec.person_uid) == person.metadata.uid.as_ref();
        let mut theirs: Vec<_> = self.revocations.iter().filter(theirs).collect();
        theirs.sort_by_key(|revocation| (revocation.spec.due, revocation.name_any()));
        theirs
    }
}

/// Everybody, by the caller's own rights; with what the next call needs.
pub async fn everybody(cluster: &Cluster) -> Result<(Client, Api<Person>, Vec<Person>), Failure> {
    let client = cluster.client().await?;
    let api: Api<Person> = Api::namespaced(client.clone(), cluster.namespace());
    let people = during(READING, all("list the Persons", api.clone(), "")).await?;
    Ok((client, api, people))
}

/// Every object of a list, page by page.
pub async fn all<K>(doing: &'static str, api: Api<K>, labels: &str) -> Result<Vec<K>, Failure>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let mut page = ListParams::default().labels(labels).limit(PAGE);
    let mut items = Vec::new();
    loop {
        let found = ask(doing, api.list(&page)).await?;
        items.extend(found.items);
        match found.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(items),
        }
    }
}

/// `hq/7`, as it stands in owner annotations after `id:`.
pub(super) fn record(record: &Record) -> String {
    format!("{}/{}", record.connection, record.id)
}

/// `hq/7, contractors/c7`.
pub(super) fn records(person: &Person) -> String {
    person.spec.records.iter().map(record).collect::<Vec<_>>().join(", ")
}
