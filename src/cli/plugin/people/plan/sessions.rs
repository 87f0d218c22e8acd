//! Pods in which somebody may have a session open when they leave, as the forecast tells them: those that would be evicted, what makes
//! them, and which budgets cover them. Read with the caller's rights, where the policy would have pods evicted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::{Selector, SelectorExt};
use kube::{Client, ResourceExt};

use super::seen::{Seen, may_be_refused};
use crate::api::policy::Sessions as Wanted;
use crate::api::{Person, SyncPolicy, convert};
use crate::cli::plugin::people::all;
use crate::cli::{Failure, told};
use crate::kube::named::Api;
use crate::kube::{pods, rbac};
use domain::ownership::PersonFacts;
use domain::plan::{self, ClusterInventory, Protected, Target};
use domain::sessions::{self, Picked, Places};
use domain::waves;

/// Most namespaces whose pods are listed, as control does.
const MAX_LISTED: usize = 64;

/// What runs where a session may be open.
#[derive(Debug, Default)]
pub struct Inside {
    /// Pods of the namespaces that may be evicted in.
    pub pods: BTreeMap<String, Vec<waves::Pod>>,
    /// What covers each pod, by namespace and name.
    pub budgets: BTreeMap<(String, String), Vec<String>>,
}

/// Where sessions of a person may be open by their own user names, where the policy has pods evicted for it.
fn places(seen: &Seen, person: &PersonFacts, policy: &SyncPolicy, protected: &Protected) -> Option<Places> {
    let rbac = seen.rbac.as_ref().filter(|_| policy.spec.revocation.sessions == Wanted::Evict)?;
    let index = seen.owned.of(person, &BTreeSet::new()).index;
    let names = plan::user_names(person, &index, protected);
    let who = rbac::names_of(person, &index, names.iter().map(|name| name.name.as_str()), rbac);
    Some(Places::of(rbac, &who)).filter(|places| !places.is_nothing())
}

/// Reads it. What the caller may not read is noted.
///
/// # Errors
/// When the API server does not answer.
pub async fn look(seen: &mut Seen, client: &Client, policy: &SyncPolicy, person: &Person) -> Result<(), Failure> {
    let (facts, protected) = (convert::known_by(person), convert::protected(policy));
    let Some(places) = places(seen, &facts, policy, &protected) else { return Ok(()) };
    let consents = seen.consents.iter().map(|(namespace, (consent, _))| (namespace.clone(), *consent));
    let own_namespaces = seen.own_namespaces.clone();
    let world = ClusterInventory { consents: consents.collect(), own_namespaces, ..ClusterInventory::default() };
    let reach = &places.pods;
    let all = reach.everywhere || reach.named.iter().any(|(namespace, _)| namespace.is_empty());
    let named = |namespace: &String| {
        all || reach.namespaces.contains(namespace) || reach.named.iter().any(|(place, _)| place == namespace)
    };
    let inside = world.consents.keys().filter(|one| named(one) && sessions::may_evict_in(one, &world, &protected));
    for namespace in inside.take(MAX_LISTED).cloned().collect::<Vec<_>>() {
        let read = async { pods::of_namespace(client, &namespace).await.map_err(|fault| told("list the pods", fault)) };
        let Some(found) = may_be_refused(read).await? else {
            seen.notes.push(format!("You may not list the pods of {namespace}: which would be evicted is not shown."));
            continue;
        };
        match may_be_refused(covered(client, &namespace)).await? {
            Some(covered) => seen.inside.budgets.extend(covered),
            None => seen.notes.push(format!("You may not list the PodDisruptionBudgets of {namespace}.")),
        }
        seen.inside.pods.insert(namespace, found.running);
    }
    Ok(())
}

/// Which budgets cover the pods of a namespace, and how many pods each lets go now.
async fn covered(client: &Client, namespace: &str) -> Result<BTreeMap<(String, String), Vec<String>>, Failure> {
    let (pods, budgets) = (Api::namespaced(client.clone(), namespace), Api::namespaced(client.clone(), namespace));
    let budgets = all::<PodDisruptionBudget>("list the PodDisruptionBudgets", budgets, "").await?;
    let pods = if budgets.is_empty() { Vec::new() } else { all::<Pod>("list the pods", pods, "").await? };
    let mut covered: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for budget in budgets {
        let lets_go = budget.status.as_ref().map_or(0, |status| status.disruptions_allowed);
        let said = format!("PodDisruptionBudget {} ({lets_go} may go now)", budget.name_any());
        let selector = budget.spec.and_then(|spec| Selector::try_from(spec.selector?).ok());
        let its = |pod: &&Pod| selector.as_ref().is_some_and(|selector| selector.matches(pod.labels()));
        for pod in pods.iter().filter(its) {
            covered.entry((namespace.to_owned(), pod.name_any())).or_default().push(said.clone());
        }
    }
    Ok(covered)
}

/// What would be evicted, and where a session would go on, as of now.
pub fn picked(seen: &Seen, person: &PersonFacts, policy: &SyncPolicy, protected: &Protected, now: Timestamp) -> Picked {
    let places = places(seen, person, policy, protected);
    places.map(|places| sessions::pick(&places, &seen.inside.pods, now)).unwrap_or_default()
}

/// What makes a pod, and which budgets cover it.
pub fn users_of(seen: &Seen, target: &Target) -> Vec<String> {
    let pods = seen.inside.pods.get(&target.namespace).into_iter().flatten();
    let maker = pods.filter(|pod| pod.uid == target.uid).map(|pod| waves::named(&pod.maker));
    let budgets = seen.inside.budgets.get(&(target.namespace.clone(), target.name.clone()));
    maker.chain(budgets.into_iter().flatten().cloned()).collect()
}
