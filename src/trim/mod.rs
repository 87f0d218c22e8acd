//! `rollcall trim`: takes leavers' user names out of bindings that others share. Optional, with an identity of its own.
//!
//! To change a binding the API server asks for the right to bind its role, which the revoker never has. So this identity has it, and
//! next to nothing else: it writes no status, deletes nothing, and an admission policy admits no change of a binding but one without
//! the very subjects that control has listed. The revoker keeps the manifest, writes the step down and sees what became of it.
//!
//! ```text
//! Revocation released, its step Begun ─▶ gates, whose it is (live) ─▶ the list (live) ─▶ one update, by version ─▶ policy
//! ```
//! A Deployment that leads by a Lease, and no Job: a Job would need a namespace of its own, whose creator of Jobs held the right to
//! bind, while what this identity may do at all is bounded by a list that it cannot write.

mod act;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::revocation::{Action, Phase, StepOutcome};
use crate::api::{Person, Revocation, convert};
use crate::kube::calls::call;
use crate::kube::follow::kept;
use crate::kube::gate_inputs;
use crate::kube::inventory::list_each;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use act::By;
use domain::ownership::Index;
use domain::plan::Target;

/// What is not done is tried again: control may not have listed it yet, or the policy not have seen the list.
const SOON: Duration = Duration::from_millis(500);
/// Look again although nothing was seen to change.
const AGAIN: Duration = Duration::from_secs(30);
/// Revocations looked at side by side.
const AT_ONCE: usize = 8;

/// What it was started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The people namespace.
    pub namespace: String,
    /// The namespaces of Rollcall, where nothing is touched.
    pub own_namespaces: Vec<String>,
}

/// Runs until shut down; is called only while this process leads.
///
/// # Flow          a watch of what is released; with each change a look at everything that the revoker has begun
/// # Guarantees    changes nothing but bindings, and of those nothing but a leaver's subjects; nothing while everything is stopped; a
///                 crash at any point is repaired by the next look, and two at once by the version of the binding
/// # Assumptions   the policies `trim` and `trimmable` of the chart are installed
/// # Errors        when the watch ends without being asked to: the process is to exit and be started again
pub async fn run(
    client: Client,
    options: Options,
    clock: fn() -> Timestamp,
    shutdown: CancellationToken,
) -> Result<(), Fault> {
    let wake = Arc::new(Notify::new());
    let mut tasks = JoinSet::new();
    let ended = || Fault::Transient { doing: "run trim", cause: "a watch ended".to_owned() };
    let released = watcher::Config::default().timeout(30).fields("status.phase=Released");
    let api = Api::namespaced(client.clone(), &options.namespace);
    let revocations: Store<Revocation> = kept(&mut tasks, api, "revocations", released, &wake);
    let work = async {
        revocations.wait_until_ready().await.map_err(|_| ended())?;
        loop {
            let open = revocations.state().into_iter().filter(|one| !begun(one).is_empty());
            let open: Vec<String> = open.map(|revocation| revocation.name_any()).collect();
            let again = if open.is_empty() {
                AGAIN
            } else {
                look(&client, &options, open, clock).await;
                SOON
            };
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(again) => {}
            }
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        ended = work => ended,
        _ = tasks.join_next() => Err(ended()),
    }
}

/// The shared bindings that the revoker has begun with: their manifests are kept, and nothing is written of their end.
fn begun(revocation: &Revocation) -> Vec<Target> {
    let Some(status) = &revocation.status else { return Vec::new() };
    let at_work = status.phase == Some(Phase::Released) && status.claim.is_some() && status.outcome().is_none();
    let steps = status.steps.iter().filter(|step| at_work && step.outcome == StepOutcome::Begun);
    steps.filter(|step| step.target.action == Action::Trim).map(|step| (&step.target).into()).collect()
}

/// Looks at what was begun, side by side.
async fn look(client: &Client, options: &Options, names: Vec<String>, clock: fn() -> Timestamp) {
    let people: Api<Person> = Api::namespaced(client.clone(), &options.namespace);
    let now = clock();
    let facts = |person| Some(convert::person_facts(&person, now));
    let index = match list_each(&people, &ListParams::default(), facts).await {
        Ok(facts) => Index::new(facts),
        Err(fault) => {
            tracing::warn!(%fault, "nothing is trimmed while everybody cannot be read; tried again");
            return;
        }
    };
    let each = futures::stream::iter(names).map(|name| {
        let index = &index;
        async move {
            if let Err(fault) = one(client, options, index, &name, clock()).await {
                tracing::warn!(revocation = name, %fault, "not trimmed; tried again");
            }
        }
    });
    each.buffer_unordered(AT_ONCE).for_each(|()| async {}).await;
}

/// One Revocation: the gates on live reads, then its bindings.
async fn one(client: &Client, options: &Options, index: &Index, name: &str, now: Timestamp) -> Result<(), Fault> {
    let api: Api<Revocation> = Api::namespaced(client.clone(), &options.namespace);
    let Some(revocation) = call("read the Revocation", api.get_opt(name)).await? else { return Ok(()) };
    let targets = begun(&revocation);
    if targets.is_empty() {
        return Ok(());
    }
    let of_policy = gate_inputs::of_policy(client, &options.namespace, &revocation.spec.policy, now).await?;
    let inputs = gate_inputs::read(client, &options.namespace, &revocation, of_policy).await?;
    let released = match inputs.knock(now) {
        Ok(released) if !released.only_finish() => released,
        Ok(_) => return Ok(()), // the person is back
        Err(stop) => {
            let gate = stop.as_ref().map_or("the plan is not the one its hash names", |stop| stop.reason());
            tracing::info!(revocation = name, gate, "not trimmed");
            return Ok(());
        }
    };
    let Some(person) = &inputs.person else { return Ok(()) };
    let person = convert::person_facts(person, now);
    let protected = inputs.protected();
    let by = By { client, options, index, person: &person, protected: &protected, revocation: name };
    let planned = |target: &&Target| released.plan().targets.contains(target);
    for target in targets.iter().filter(planned) {
        by.trim(target).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_revoker_has_begun_is_trimmed() {
        let target = |action: &str| json!({"action": action, "kind": "RoleBinding", "namespace": "apps", "name": "b", "uid": action, "why": ""});
        let at = "2026-03-01T00:00:00Z";
        let step = |action: &str, outcome: &str| json!({"target": target(action), "outcome": outcome, "at": at});
        let claim = json!({"by": "revoke-1", "at": at});
        for (what, status, expected) in [
            ("released, and nobody has taken it", json!({"phase": "Released"}), 0),
            ("begun", json!({"phase": "Released", "claim": claim, "steps": [step("Trim", "Begun")]}), 1),
            ("without a claim", json!({"phase": "Released", "steps": [step("Trim", "Begun")]}), 0),
            ("done", json!({"phase": "Released", "claim": claim, "steps": [step("Trim", "Done")]}), 0),
            ("another act", json!({"phase": "Released", "claim": claim, "steps": [step("Unbind", "Begun")]}), 0),
            ("held again", json!({"phase": "Held", "claim": claim, "steps": [step("Trim", "Begun")]}), 0),
            (
                "finished",
                json!({"phase": "Released", "claim": claim, "finished": "Failed", "steps": [step("Trim", "Begun")]}),
                0,
            ),
        ] {
            let revocation: Revocation = serde_json::from_value(json!({
                "metadata": {"name": "p-7-cut"},
                "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination",
                    "operation": "Cut", "due": at, "reason": "left"},
                "status": status,
            }))
            .unwrap();
            assert_eq!(begun(&revocation).len(), expected, "{what}");
        }
    }
}
