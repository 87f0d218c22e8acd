//! `rollcall retry`: asks for a new attempt of a Revocation that failed. Its plan, its approval and the manifests it kept
//! stay; what was proved stays done.

use crate::kube::named::Api;
use clap::Args;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::cluster::Cluster;
use super::terminal::{say, table};
use super::{Failure, ask};
use crate::api::revocation::{Phase, VerdictKind};
use crate::api::{Revocation, names};
use crate::kube::calls;

/// Options of `rollcall retry`.
#[derive(Debug, Args)]
pub struct Options {
    /// Name of the Revocation
    name: String,
    #[command(flatten)]
    cluster: Cluster,
}

/// Shows what is not proved, and asks for another attempt.
///
/// # Flow          read, show, annotate with the instant
/// # Guarantees    nothing but an annotation is written; the attempt passes every gate again
/// # Assumptions   an admission policy asks for the verb `approve`
/// # Errors        it has not failed; whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let api: Api<Revocation> = Api::namespaced(options.cluster.client().await?, options.cluster.namespace());
    let revocation = ask("read the Revocation", api.get(&options.name)).await?;
    if revocation.status.as_ref().and_then(|status| status.phase) != Some(Phase::Failed) {
        return Err(Failure::Refused("it has not failed, so there is nothing to retry".to_owned()));
    }
    say(&unproved(&revocation));
    let asked = json!({"metadata": {"annotations": {names::RETRY: calls::now().to_string()}}});
    ask("request the retry", api.patch(&options.name, &PatchParams::default(), &Patch::Merge(asked))).await?;
    say("Retry requested. Every gate is checked again; what is proved is not repeated, and every kept manifest stays.");
    Ok(())
}

/// What the last attempt did not prove, with what it says of it.
fn unproved(revocation: &Revocation) -> String {
    let status = revocation.status.clone().unwrap_or_default();
    let bad = status.verdicts.iter().filter(|v| matches!(v.verdict, VerdictKind::Refuted | VerdictKind::Unknown));
    let rows = bad.map(|verdict| {
        let target = &verdict.target;
        let step = status.steps.iter().find(|step| step.target.uid == target.uid);
        let message = step.and_then(|step| step.message.clone()).unwrap_or_else(|| verdict.how.clone());
        let outcome = step.map_or("", |step| step.outcome.as_str()).to_owned();
        let object = format!("{} {}/{}", target.kind.as_str(), target.namespace, target.name);
        [object, outcome, verdict.verdict.as_str().to_owned(), message]
    });
    table(["OBJECT", "STEP", "VERDICT", "WHY"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_proved_is_shown_with_its_reason() {
        let target = |name: &str| json!({"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": name, "uid": name, "why": ""});
        let at = "2026-03-01T00:00:00Z";
        let revocation: Revocation = serde_json::from_value(json!({
            "metadata": {"name": "p-7-cut"},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": at, "reason": "left"},
            "status": {
                "steps": [{"target": target("held"), "outcome": "Failed", "message": "held by example.com/x", "at": at}],
                "verdicts": [
                    {"target": target("held"), "verdict": "Refuted", "how": "still there", "at": at},
                    {"target": target("gone"), "verdict": "Observed", "how": "refused", "at": at}
                ]
            }
        }))
        .unwrap();
        let shown = unproved(&revocation);
        assert!(shown.contains("ServiceAccount apps/held  Failed  Refuted  held by example.com/x"), "{shown}");
        assert!(!shown.contains("apps/gone"), "{shown}");
    }
}
