//! `rollcall grant`: makes and removes the RoleBindings that the grants of policies ask for. Optional, with an identity of its own.
//!
//! It reads Persons, policies and the bindings of the namespaces it was started for, decides by the pure function, and makes or
//! deletes one binding at a time. An admission policy lets it touch bindings with its own labels alone.

mod act;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::policy::Mode;
use crate::api::{Person, SyncPolicy};
use crate::kube::follow::kept;
use crate::kube::grants::decide;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::stop;
use domain::grants::{Grant, Standing};

/// Changes that come in a row are looked at together.
const TOGETHER: Duration = Duration::from_millis(200);
/// Look again although nothing was seen to change: a call may have failed, or a stop been lifted.
const AGAIN: Duration = Duration::from_secs(30);

/// It was refused, or could not be done.
const FAILED: &str = "failed";
/// Something has changed since it was seen: the next look decides anew.
const LATER: &str = "later";

/// What it was started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The people namespace.
    pub namespace: String,
    /// Namespaces in which it may bind.
    pub namespaces: Vec<String>,
}

/// What is watched.
struct Seen {
    people: Store<Person>,
    policies: Store<SyncPolicy>,
    bindings: Vec<Store<RoleBinding>>,
}

/// Runs until shut down; is called only while this process leads.
///
/// # Flow          watches first; then a look at everything with each change: decide, act
/// # Guarantees    nothing while everything is stopped, or a policy observes; nothing for a Person that has changed since it was
///                 seen; a binding is deleted by the uid that was decided on; a crash at any point is repaired by the next look
/// # Errors        when a watch ends without being asked to: the process is to exit and be started again
pub async fn run(
    client: Client,
    options: Options,
    clock: fn() -> Timestamp,
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let wake = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    let often = || watcher::Config::default().timeout(30);
    let people = Api::namespaced(client.clone(), &options.namespace);
    let people = kept(&mut tasks, people, "people", often(), &wake);
    let policies = Api::namespaced(client.clone(), &options.namespace);
    let policies = kept(&mut tasks, policies, "policies", often(), &wake);
    let bindings = options.namespaces.iter().map(|namespace| {
        let api: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
        kept(&mut tasks, api, "bindings", often(), &wake)
    });
    let seen = Seen { people, policies, bindings: bindings.collect() };
    let work = async {
        seen.ready().await?;
        let mut told = BTreeSet::new();
        loop {
            look(&client, &options, &seen, &mut told, clock()).await;
            tokio::select! {
                () = wake.notified() => tokio::time::sleep(TOGETHER).await,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        ended = work => ended,
        _ = tasks.join_next() => Err(ended()),
    }
}

fn ended() -> Fault {
    Fault::Transient { doing: "run grant", cause: "a watch ended".to_owned() }
}

impl Seen {
    async fn ready(&self) -> Result<(), Fault> {
        let gone = |_| ended();
        self.people.wait_until_ready().await.map_err(gone)?;
        self.policies.wait_until_ready().await.map_err(gone)?;
        for bindings in &self.bindings {
            bindings.wait_until_ready().await.map_err(gone)?;
        }
        Ok(())
    }
}

/// Looks at everything, and does what follows. `told` are the digests that a human was asked about already.
async fn look(client: &Client, options: &Options, seen: &Seen, told: &mut BTreeSet<String>, now: Timestamp) {
    if let Some(reason) = stop::stopped(client, &options.namespace).await {
        tracing::info!(reason, "everything is stopped: nothing is granted or taken");
        return;
    }
    let people = seen.people.state();
    let people: Vec<&Person> = people.iter().map(AsRef::as_ref).collect();
    let by_name: BTreeMap<String, &Person> = people.iter().map(|person| (person.name_any(), *person)).collect();
    let bindings: Vec<RoleBinding> =
        seen.bindings.iter().flat_map(Store::state).map(|binding| binding.as_ref().clone()).collect();
    for policy in seen.policies.state().into_iter().filter(|policy| policy.spec.mode == Mode::Enforce) {
        let name = policy.name_any();
        let decided = match decide(&options.namespace, &policy, &people, &bindings, now) {
            Ok(decided) => decided,
            Err(why) => {
                tracing::warn!(policy = name, why, "the grants of this policy are left as they are");
                continue;
            }
        };
        let mut counts = BTreeMap::new();
        for outcome in &decided.outcomes {
            act::tell(client, &policy, outcome, told, now).await;
            let by = By { client, namespace: &options.namespace, people: &by_name };
            // What takes the place of something comes first: where it cannot be made, what stands stays.
            let (replaced, removed): (Vec<_>, Vec<_>) = outcome
                .remove
                .iter()
                .partition(|standing| outcome.make.iter().any(|grant| grant.person == standing.person));
            for standing in removed {
                count(&mut counts, by.remove(standing).await);
            }
            let mut not_made = BTreeSet::new();
            let allowed = |namespace: &String| options.namespaces.contains(namespace);
            for grant in outcome.make.iter().filter(|grant| allowed(&grant.namespace)) {
                let Some(binding) = decided.manifest(&options.namespace, &name, grant) else { continue };
                let made = by.make(grant, &binding).await;
                not_made.extend((made == FAILED || made == LATER).then_some(&grant.person));
                count(&mut counts, made);
            }
            for standing in replaced.into_iter().filter(|standing| !not_made.contains(&standing.person)) {
                count(&mut counts, by.remove(standing).await);
            }
        }
        if !counts.is_empty() {
            let of = |what| counts.get(what).copied().unwrap_or(0_u32);
            tracing::info!(
                policy = name,
                made = of("made"),
                removed = of("removed"),
                failed = of(FAILED),
                later = of(LATER),
                "grants"
            );
        }
    }
}

/// By what a look was decided.
struct By<'a> {
    client: &'a Client,
    namespace: &'a str,
    people: &'a BTreeMap<String, &'a Person>,
}

impl By<'_> {
    async fn make(&self, grant: &Grant, binding: &RoleBinding) -> &'static str {
        let person = self.people.get(&grant.person).copied();
        if act::still_so(self.client, self.namespace, person).await {
            act::make(self.client, binding).await
        } else {
            LATER
        }
    }

    async fn remove(&self, standing: &Standing) -> &'static str {
        let person = self.people.get(&standing.person).copied();
        if act::still_so(self.client, self.namespace, person).await {
            act::remove(self.client, standing).await
        } else {
            LATER
        }
    }
}

fn count(counts: &mut BTreeMap<&'static str, u32>, what: &'static str) {
    *counts.entry(what).or_default() += 1;
}
