//! Whether a pass rests on the newest responses.
//!
//! Two processes may lead for a while, each with the response that it read last. Who read first would take back what the other one wrote,
//! and end the access of somebody who is back by now. A response is in the gate's memory before anything follows from it, so that is asked.

use super::{Decision, PassInputs, Watched, current_status};
use crate::api::SyncPolicy;
use crate::kube::outcome::Fault;
use crate::sync::memory;

/// Lets go of every response after which another process has trusted a newer one.
///
/// # Flow          asks the memory of each connection, of a pass that would write anything; nothing is asked of one that would not
/// # Guarantees    what another process wrote by a newer response, as far as this pass saw it, is not taken back
/// # Errors        a response was let go: the pass begins again without it, as after a start; or transient
pub async fn check(
    policy: &SyncPolicy,
    seen: &PassInputs,
    decision: &Decision,
    watched: &Watched,
) -> Result<(), Fault> {
    if !writes(policy, seen, decision) {
        return Ok(());
    }
    let (client, namespace) = (&watched.shared.client, &watched.shared.namespace);
    let mut newest = true;
    for source in &seen.connections {
        let Some(snapshot) = &source.snapshot else { continue };
        if memory::is_newer(client, namespace, &source.name, snapshot).await? {
            watched.shared.snapshots.forget_this(&source.name, snapshot);
            newest = false;
        }
    }
    let cause = "another process has read a newer one".to_owned();
    if newest { Ok(()) } else { Err(Fault::Transient { doing: "take a response over", cause }) }
}

/// Whether a pass would write a Person, or that it took over another response than the policy shows.
fn writes(policy: &SyncPolicy, seen: &PassInputs, decision: &Decision) -> bool {
    let Decision { others, leavers, rest, .. } = decision;
    let shown = current_status(policy).connections;
    let taken = seen.connections.iter().filter_map(|source| Some((&source.name, source.snapshot.as_ref()?.answer())));
    let mut taken = taken.map(|(name, answer)| {
        shown.iter().any(|shown| shown.name == *name && shown.response.as_deref() == Some(answer))
    });
    !(others.is_empty() && leavers.is_empty() && rest.is_empty()) || taken.any(|shown| !shown)
}
