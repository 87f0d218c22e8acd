//! Sealing: the story of a Revocation becomes an immutable record at the end of the chain. Control alone seals.

use std::collections::BTreeMap;

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{ListParams, ObjectMeta, PostParams};

use super::Context;
use super::owned_status::Part;
use crate::api::revocation::{self, Evidence};
use crate::api::{Person, Revocation, names};
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use domain::employee::HrId;
use domain::evidence::{self, GENESIS, Head, Sealed, Story};

/// Label on a record: uid of the Revocation it is of. One that was deleted and planned again is another.
const OF: &str = "rollcall.dev/revocation";
/// How often sealing is tried again after somebody else sealed.
const CONFLICTS: usize = 8;

/// Seals the story of a Revocation that is over, and says where.
///
/// # Flow          a record of it is there already? else: head, record after it, head moved by compare-and-swap
/// # Guarantees    the chain never forks: the record's name is its place, and is created once; sealed twice is sealed once
/// # Errors        transient: nothing is lost, the next call finds the record
pub async fn seal(
    ctx: &Context,
    revocation: &Revocation,
    part: &Part,
    person: Option<&Person>,
    rule: &str,
) -> Result<Evidence, Fault> {
    let _turn = ctx.turn.lock().await;
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let story = story(ctx, revocation, part, person, rule);
    for _ in 0..CONFLICTS {
        let (head, standing) = head(&api).await?;
        if let Some(found) = find(&api, revocation, &story, &head).await? {
            return Ok(found);
        }
        let sealed = evidence::chain(&head, story.clone())
            .map_err(|_| Fault::Stalled("the record cannot be written".to_owned()))?;
        match create(&api, &revocation.uid().unwrap_or_default(), &sealed).await? {
            Created::Ours => move_head(&api, standing, &sealed.head).await?,
            Created::Theirs(text) => {
                // A process died between record and head: its record stands, and the head follows it, if it follows the head.
                let broken = || {
                    Fault::Stalled(format!(
                        "{} does not follow the evidence before it; see `rollcall evidence verify`",
                        evidence::name(sealed.head.index)
                    ))
                };
                let next = evidence::follow(&head, &text).ok_or_else(broken)?;
                move_head(&api, standing, &next).await?;
                continue;
            }
        }
        let name = evidence::name(sealed.head.index);
        return Ok(Evidence { name, hash: sealed.head.hash, previous: head.hash });
    }
    Err(Fault::Transient { doing: "seal the evidence", cause: "somebody else kept sealing".to_owned() })
}

async fn head(api: &Api<ConfigMap>) -> Result<(Head, Option<ConfigMap>), Fault> {
    let Some(map) = call("read the head of the evidence", api.get_opt(names::EVIDENCE_HEAD)).await? else {
        return Ok((Head::genesis(), None));
    };
    let head = map.data.as_ref().and_then(Head::read);
    let head = head.ok_or_else(|| {
        Fault::Stalled(format!("the ConfigMap {} was changed; see `rollcall evidence verify`", names::EVIDENCE_HEAD))
    })?;
    Ok((head, Some(map)))
}

/// A record of this Revocation at this end, up to the head.
async fn find(
    api: &Api<ConfigMap>,
    revocation: &Revocation,
    story: &Story,
    head: &Head,
) -> Result<Option<Evidence>, Fault> {
    let selector = format!("{OF}={}", revocation.uid().unwrap_or_default());
    let found = call("look for the record", api.list(&ListParams::default().labels(&selector))).await?;
    Ok(found.items.iter().find_map(|map| {
        let text = map.data.as_ref()?.get(evidence::KEY)?;
        let record: evidence::Record = serde_json::from_str(text).ok()?;
        (same_end(&record.story, story) && record.index <= head.index).then(|| Evidence {
            name: map.name_any(),
            hash: evidence::hash(text),
            previous: record.previous,
        })
    }))
}

/// Whether a record tells of this end: the same phase of the same attempt, behind the same gate, by the same decision.
fn same_end(record: &Story, story: &Story) -> bool {
    let end = |story: &Story| (story.phase.clone(), story.attempt, story.gate.clone(), story.rejecter.clone());
    end(record) == end(story)
}

enum Created {
    Ours,
    Theirs(String),
}

async fn create(api: &Api<ConfigMap>, revocation: &str, sealed: &Sealed) -> Result<Created, Fault> {
    let name = evidence::name(sealed.head.index);
    let map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            labels: Some(BTreeMap::from([
                (names::PART.to_owned(), evidence::PART.to_owned()),
                (OF.to_owned(), revocation.to_owned()),
            ])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(evidence::KEY.to_owned(), sealed.text.clone())])),
        immutable: Some(true),
        ..ConfigMap::default()
    };
    match call("write the record", api.create(&PostParams::default(), &map)).await {
        Ok(_) => Ok(Created::Ours),
        Err(fault) if fault.is_conflict() => {
            let theirs = call("read the record in its place", api.get(&name)).await?;
            Ok(Created::Theirs(theirs.data.and_then(|mut data| data.remove(evidence::KEY)).unwrap_or_default()))
        }
        Err(fault) => Err(fault),
    }
}

/// Moves the head by compare-and-swap; a head that moved meanwhile is found by whoever looks next.
async fn move_head(api: &Api<ConfigMap>, standing: Option<ConfigMap>, head: &Head) -> Result<(), Fault> {
    let fresh = standing.is_none();
    let mut map = standing.unwrap_or_else(|| ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::EVIDENCE_HEAD.to_owned()),
            labels: Some(BTreeMap::from([(names::PART.to_owned(), "head".to_owned())])),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    });
    map.data = Some(head.data());
    let params = PostParams::default();
    let write = async {
        if fresh { api.create(&params, &map).await } else { api.replace(names::EVIDENCE_HEAD, &params, &map).await }
    };
    match call("move the head of the evidence", write).await {
        Err(fault) if !fault.is_conflict() => Err(fault),
        _ => Ok(()),
    }
}

/// The story as the Revocation tells it, without any name, address or salt.
fn story(ctx: &Context, revocation: &Revocation, part: &Part, person: Option<&Person>, rule: &str) -> Story {
    let status = revocation.status.clone().unwrap_or_default();
    let instants = part.instants.clone().unwrap_or_default();
    let planned = part.plan.iter().flat_map(|plan| &plan.remaining);
    let action = |target: &revocation::Target| target.action.as_str().to_owned();
    Story {
        revocation: revocation.name_any(),
        operation: revocation.spec.operation.as_str().to_owned(),
        phase: part.phase.map(|phase| phase.as_str().to_owned()).unwrap_or_default(),
        attempt: part.attempt.unwrap_or(0),
        person: revocation.spec.person.clone(),
        subject: subject(person),
        policy: revocation.spec.policy.clone(),
        rule: evidence::hash(rule),
        plan: part.plan.as_ref().map(|plan| plan.hash.clone()),
        approver: approver(revocation, part),
        rejecter: revocation.spec.rejection.as_ref().map(|rejection| rejection.by.clone()),
        gate: part.gate.as_ref().map(|gate| gate.reason.clone()),
        steps: status
            .steps
            .iter()
            .map(|step| evidence::Step {
                object: object(&step.target),
                action: action(&step.target),
                outcome: step.outcome.as_str().to_owned(),
                at: step.at,
            })
            .collect(),
        verdicts: status
            .verdicts
            .iter()
            .map(|verdict| evidence::Verdict {
                object: object(&verdict.target),
                verdict: verdict.verdict.as_str().to_owned(),
                at: verdict.at,
            })
            .collect(),
        remaining: planned
            .chain(&status.remaining)
            .map(|remaining| evidence::Remaining { what: remaining.what.clone(), why: remaining.why.clone() })
            .collect(),
        instants: evidence::Instants {
            effective: instants.effective,
            seen: instants.seen,
            released: instants.released,
            acted: status.acted,
            verified: status.verified,
            confirmed: status.confirmed,
        },
        sealed: (ctx.clock)(),
    }
}

/// Who approved this very plan.
fn approver(revocation: &Revocation, part: &Part) -> Option<String> {
    let approval = revocation.spec.approval.as_ref()?;
    (part.plan.as_ref()?.hash == approval.plan_hash).then(|| approval.by.clone())
}

fn object(target: &revocation::Target) -> evidence::Object {
    evidence::Object {
        kind: target.kind.as_str().to_owned(),
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        uid: target.uid.clone(),
    }
}

/// The salted digest of the HR record; zeros where the Person, and with it the salt, is gone.
fn subject(person: Option<&Person>) -> String {
    let salted = person.and_then(|person| {
        let salt = person.status.as_ref()?.salt.as_ref()?;
        let record = person.spec.records.first()?;
        Some(evidence::subject(salt, &record.connection, &HrId(record.id.clone())))
    });
    salted.unwrap_or_else(|| GENESIS.to_owned())
}

#[cfg(test)]
mod tests;
