//! What changes the cluster: a binding is made, or deleted by its uid. And what a human is told.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Client, Resource, ResourceExt};

use crate::api::condition::Reason;
use crate::api::{Person, SyncPolicy, names};
use crate::kube::calls::{self, call};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::stop;
use domain::grants::{Outcome, Standing};

/// Asks, right before something is done, whether what it was decided by is still so: a watch may be behind, and there may be
/// thousands to do. Who just left is given nothing, and a stop stops in the middle of a look.
///
/// # Flow          the Person and the global stop, read live
/// # Guarantees    no where the Person has changed since it was seen, or either cannot be read
/// # Errors        told in the log
pub async fn still_so(client: &Client, namespace: &str, seen: Option<&Person>) -> bool {
    let Some(seen) = seen else { return false };
    let api: Api<Person> = Api::namespaced(client.clone(), namespace);
    let name = seen.name_any();
    let (person, stopped) = futures::join!(call("read a Person", api.get_opt(&name)), stop::stopped(client, namespace));
    match person {
        _ if stopped.is_some() => false,
        Ok(person) => person.is_some_and(|person| person.resource_version() == seen.resource_version()),
        Err(fault) => {
            tracing::warn!(person = name, %fault, "nothing is done for who cannot be read; tried again");
            false
        }
    }
}

/// Makes a binding.
///
/// # Flow          one create
/// # Guarantees    one that stands under this name, ours or not, is never changed
/// # Assumptions   the policy `grant` of the chart is installed
/// # Errors        told in the log by code and reason; the next look tries again
pub async fn make(client: &Client, binding: &RoleBinding) -> &'static str {
    let namespace = binding.namespace().unwrap_or_default();
    let api: Api<RoleBinding> = Api::namespaced(client.clone(), &namespace);
    match call("make a binding", api.create(&PostParams::default(), binding)).await {
        Err(fault) if fault.is_conflict() => "there", // another replica, or a moment before the watch says so
        made => ended(&made, &namespace, &binding.name_any(), "made"),
    }
}

/// Deletes a binding.
///
/// # Flow          one delete, by the uid that was decided on
/// # Guarantees    one that was made anew under the same name is not touched; one that is gone is success
/// # Assumptions   as for [`make`]
/// # Errors        as for [`make`]
#[allow(clippy::disallowed_methods, reason = "its own bindings, by uid; an admission policy asks for their labels")]
pub async fn remove(client: &Client, standing: &Standing) -> &'static str {
    let api: Api<RoleBinding> = Api::namespaced(client.clone(), &standing.namespace);
    let exactly = Preconditions { uid: Some(standing.uid.clone()), resource_version: None };
    let params = DeleteParams { preconditions: Some(exactly), ..DeleteParams::default() };
    match call("delete a binding", api.delete(&standing.name, &params)).await {
        Err(fault) if fault.is_not_found() || fault.is_conflict() => "gone",
        removed => ended(&removed, &standing.namespace, &standing.name, "removed"),
    }
}

fn ended<T>(done: &Result<T, Fault>, namespace: &str, name: &str, what: &'static str) -> &'static str {
    match done {
        Ok(_) => what,
        Err(fault) => {
            tracing::warn!(namespace, name, %fault, "a binding is not {what}; tried again");
            super::FAILED
        }
    }
}

/// Asks a human, once for each digest, about many people who would get or lose something at once.
pub async fn tell(
    client: &Client,
    policy: &SyncPolicy,
    outcome: &Outcome,
    told: &mut BTreeSet<String>,
    now: Timestamp,
) {
    let Some(held) = outcome.held.as_ref().filter(|held| !told.contains(&held.digest)) else { return };
    let note = format!(
        "Grant {}: {} people would get it and {} lose it at once. Nothing is done but for leavers. See kubectl rollcall grants; if it is right, annotate this policy with {}={}.",
        outcome.rule,
        held.get,
        held.lose,
        names::APPROVE_GRANTS,
        held.digest
    );
    calls::publish_warning(client, "grant", policy.object_ref(&()), Reason::ManyGranted, note, now).await;
    told.insert(held.digest.clone());
}
