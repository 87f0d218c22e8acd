//! Asks for a new value: of external-secrets, of cert-manager, or by writing one. One small patch each, which an admission policy
//! admits and nothing more.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde::Serialize;
use serde_json::{Value, json};

use super::is_its;
use super::values::{Values, values};
use crate::api::names;
use crate::api::revocation::{Rotation, StepOutcome};
use crate::kube::calls::{self, call};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::secrets;
use crate::revoke::Context;
use crate::revoke::act::{self, Ended};
use crate::revoke::observe::secret::{Rotatable, certificates, external_secrets, text};
use crate::revoke::observe::{Observation, Observer, Seen};
use crate::revoke::record::Record;
use domain::plan::{RemainingReason, Target};
use domain::rotation::Way;

/// Field manager of what is written.
pub const MANAGER: &str = "rollcall-revoke";
/// How long all of them together may be asked before everything else goes on; what is not answered by then is asked again aside.
const QUICK: Duration = Duration::from_secs(3);
/// Longest time for one more try, all its calls together.
const ONE: Duration = Duration::from_secs(10);

/// What became of the question.
pub enum Asked {
    /// It was put, or the answer is there already.
    Put(Rotation),
    /// It came to its end without.
    Ended(Ended),
    /// It was not answered.
    Again(String),
}

/// Asks for all new values at once, of what was looked at; for a moment, since everything else waits.
///
/// # Flow          the global stop; one patch each, what each value is told by having been written ahead with the claim
/// # Guarantees    nothing is asked for that a look called not ours, or that was asked for before
/// # Errors        the record cannot be written, or everything is stopped: a new process goes on
pub async fn begin(ctx: &Context, targets: &[Seen], record: &mut Record) -> Result<(), Fault> {
    let mut asks = FuturesUnordered::new();
    for seen in targets.iter().filter(|seen| is_its(seen)) {
        let Observation::Rotates(rotatable) = &seen.observation else { continue };
        if rotatable.rotation.written.is_some() {
            // Of an earlier attempt: it has its new value, and is not given another one.
            record.set_rotation(&seen.target, rotatable.rotation.clone());
            record.set_step(&seen.target, StepOutcome::Done, None, None, calls::now());
        } else if rotatable.rotation.asked.is_none() {
            asks.push(async move { (seen, put_once(ctx, &seen.target, rotatable).await) });
        }
    }
    if asks.is_empty() {
        return Ok(());
    }
    if let Some(reason) = ctx.shared.stopped(ctx).await {
        return Err(Fault::Transient { doing: "rotate", cause: format!("everything is stopped: {reason}") });
    }
    let until = tokio::time::Instant::now() + QUICK;
    while let Ok(Some((seen, asked))) = tokio::time::timeout_at(until, asks.next()).await {
        match asked {
            Asked::Put(rotation) => {
                let written = rotation.written.is_some();
                record.set_rotation(&seen.target, rotation);
                if written {
                    act::note(ctx, record, seen, Ended::new(StepOutcome::Done)).await;
                }
            }
            Asked::Ended(ended) => act::note(ctx, record, seen, ended).await,
            Asked::Again(_) => {}
        }
    }
    record.write_by_and_by().await
}

/// Asks once more, of what is there now: what was not seen before is looked at first, and a value that is another one already is
/// not replaced.
pub async fn again(
    ctx: &Context,
    observer: &Observer<'_>,
    target: &Target,
    known: Option<&Rotation>,
) -> (Asked, Option<Way>) {
    let one = async {
        match observer.look_at_secret(target).await {
            Ok(Observation::Rotates(mut fresh)) => {
                if let Some(known) = known {
                    fresh.keep(known);
                }
                let way = Some(fresh.way.clone());
                let done = fresh.rotation.written.is_some() || fresh.rotation.asked.is_some();
                (if done { Asked::Put(fresh.rotation) } else { put_once(ctx, target, &fresh).await }, way)
            }
            Ok(observation) => (Asked::Ended(not(&observation)), None),
            Err(fault) => (Asked::Again(fault.to_string()), None),
        }
    };
    let late = |_| (Asked::Again("it was not answered in time".to_owned()), None);
    tokio::time::timeout(ONE, one).await.unwrap_or_else(late)
}

/// How a look ends that says no.
fn not(observation: &Observation) -> Ended {
    match observation {
        Observation::NotOurs(reason) => Ended::left_alone(*reason),
        Observation::Refused(message) => Ended::saying(StepOutcome::Refused, message.clone()),
        _ => Ended::left_alone(RemainingReason::SecretGone),
    }
}

async fn put_once(ctx: &Context, target: &Target, rotatable: &Rotatable) -> Asked {
    match put(ctx, target, rotatable).await {
        Ok(written) => Asked::Put(Rotation { asked: Some(calls::now()), written, ..rotatable.rotation.clone() }),
        Err(fault) if fault.is_refusal() => {
            Asked::Ended(Ended::saying(StepOutcome::Refused, refusal(&rotatable.way, &fault)))
        }
        Err(fault) => Asked::Again(fault.to_string()),
    }
}

/// Which layer refused. Of what was generated not even the API server's own words are shown: they may quote it.
fn refusal(way: &Way, fault: &Fault) -> String {
    match way {
        Way::Generate(_) if !act::is_admission(fault) && !fault.is_forbidden() => fault.to_string(),
        _ => act::layer(fault),
    }
}

/// One patch; when the new value was written, if that is known by its answer.
async fn put(ctx: &Context, target: &Target, rotatable: &Rotatable) -> Result<Option<Timestamp>, Fault> {
    match &rotatable.way {
        Way::ExternalSecret { api_version, name, uid } => {
            let api = external_secrets(&ctx.client, &target.namespace, api_version);
            let word = format!("rollcall-{}", calls::now().as_microsecond());
            let patch = json!({"metadata": {"uid": uid, "annotations": {"force-sync": word}}});
            call("refresh an ExternalSecret", api.patch(name, &manager(), &Patch::Merge(&patch))).await?;
            Ok(None)
        }
        Way::Certificate { name } => {
            let api = certificates(&ctx.client, &target.namespace);
            let certificate = call("read a Certificate", api.get(name)).await?;
            if text(&certificate, "/spec/secretName") != target.name {
                let cause = "the Certificate is of another Secret by now".to_owned();
                return Err(Fault::Transient { doing: "renew a Certificate", cause });
            }
            let conditions = certificate.data.pointer("/status/conditions").and_then(Value::as_array);
            let patch = json!({
                "metadata": {"uid": certificate.metadata.uid, "resourceVersion": certificate.metadata.resource_version},
                "status": {"conditions": issuing(conditions, calls::now())},
            });
            call("renew a Certificate", api.patch_status(name, &manager(), &Patch::Merge(&patch))).await?;
            Ok(None)
        }
        Way::Generate(declared) => {
            let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &target.namespace);
            let body = Body {
                metadata: json!({
                    "uid": target.uid, "resourceVersion": rotatable.version,
                    "annotations": {names::ROTATED: calls::now().to_string()},
                }),
                data: values(declared)?,
            };
            let patch = Patch::Merge(&body);
            let written = call("write a generated value", api.patch_metadata(&target.name, &manager(), &patch)).await?;
            Ok(Some(secrets::written(&written.metadata).unwrap_or_else(calls::now)))
        }
    }
}

#[derive(Debug, Serialize)]
struct Body {
    metadata: Value,
    data: Values,
}

fn manager() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// The conditions of a Certificate with `Issuing`, as `cmctl renew` sets it; all others as they are.
fn issuing(conditions: Option<&Vec<Value>>, now: Timestamp) -> Vec<Value> {
    let issuing = |condition: &&Value| condition.get("type").and_then(Value::as_str) == Some("Issuing");
    let mut all: Vec<Value> = conditions.into_iter().flatten().filter(|one| !issuing(one)).cloned().collect();
    all.push(json!({
        "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "lastTransitionTime": format!("{now:.0}"),
        "message": "Certificate re-issuance manually triggered",
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_changes_nothing_but_the_condition_that_asks_for_it() {
        let ready = json!({"type": "Ready", "status": "True"});
        let failed = json!({"type": "Issuing", "status": "False"});
        let now: Timestamp = "2026-03-01T00:00:00.5Z".parse().unwrap();
        let conditions = issuing(Some(&vec![failed, ready.clone()]), now);
        assert_eq!(conditions[0], ready);
        let asked = ["type", "status", "lastTransitionTime"].map(|field| conditions[1][field].as_str().unwrap());
        assert_eq!((asked, conditions.len()), (["Issuing", "True", "2026-03-01T00:00:00Z"], 2));
        assert_eq!(issuing(None, now).len(), 1);
    }

    #[test]
    fn what_is_generated_is_sent_and_never_shown() {
        let declared = domain::rotation::generated("Generate a=Password id,id.pub=SshKeyPair").unwrap();
        let body = Body { metadata: json!({"uid": "u"}), data: values(&declared).unwrap() };
        let sent = serde_json::to_value(&body).unwrap();
        let value = sent["data"]["a"].as_str().unwrap();
        assert_eq!(sent["data"].as_object().unwrap().len(), 3);
        assert!(!format!("{body:?}").contains(value));
    }
}
