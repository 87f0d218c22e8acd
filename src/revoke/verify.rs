//! Verification: done means refused. What the API server says of each target, first past its cache, then after it.
//!
//! `Observed`: the canary, or the right, was accepted before the act and refused after it. `Implied`: the uid is gone
//! on a consistent read. A delete that returned 200 is no verdict.

use std::time::Duration;

use jiff::SignedDuration;
use kube::api::{DynamicObject, ListParams};
use tokio::time::Instant;

use super::Context;
use super::observe::{Observation, Observed, Seen, dynamic};
use super::record::Record;
use super::{canary, probe};
use crate::api::revocation::{Finished, Verdict, VerdictKind};
use crate::kube::calls::{self, call};
use crate::kube::inventory::list_each;
use crate::kube::outcome::Fault;
use domain::gate::Released;
use domain::plan::{Kind, RemainingReason, Target};

/// How long the API server's watch caches may lag behind before "still accepted" counts.
const LAG: Duration = Duration::from_secs(5);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The API server keeps a token's acceptance for ten seconds; a second more for its clock.
const CACHE: SignedDuration = SignedDuration::from_secs(11);
/// How often a claim is renewed while the cache's time passes.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What was seen of one target.
struct Opinion {
    verdict: VerdictKind,
    how: &'static str,
}

/// Gives a verdict on every target, and another after the cache's time, and ends the Revocation.
///
/// # Flow          first verdicts past every cache, written; wait out the cache; the same again; finished
/// # Guarantees    finished as `Revoked` only if every target that was not left alone was `Observed` or `Implied` both times
/// # Errors        transient: a new process asks again
pub async fn verify(ctx: &Context, released: &Released, looked: &Observed, record: &mut Record) -> Result<(), Fault> {
    debug_assert_eq!(released.plan().targets.len(), looked.targets().len());
    let first = verdicts(ctx, looked, record, true).await?;
    let good = all_good(&first);
    let now = calls::now();
    record.set_verdicts(first, good.then_some(now));
    if !good {
        record.finish(Finished::Failed, None);
        return record.write().await;
    }
    record.write().await?;
    wait_out_the_cache(record).await?;
    let second = verdicts(ctx, looked, record, false).await?;
    let good = all_good(&second);
    record.set_verdicts(second, None);
    record.finish(if good { Finished::Revoked } else { Finished::Failed }, good.then(calls::now));
    record.write().await
}

fn all_good(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| matches!(verdict.verdict, VerdictKind::Observed | VerdictKind::Implied))
}

/// Waits until every acceptance from before the acts has lapsed, renewing the claim meanwhile.
async fn wait_out_the_cache(record: &mut Record) -> Result<(), Fault> {
    let until = record.acted().unwrap_or_else(calls::now) + CACHE;
    loop {
        let left = calls::wait(until.duration_since(calls::now()));
        if left.is_zero() {
            return Ok(());
        }
        tokio::time::sleep(left.min(HEARTBEAT)).await;
        if left > HEARTBEAT {
            record.write().await?;
        }
    }
}

async fn verdicts(ctx: &Context, looked: &Observed, record: &mut Record, fresh: bool) -> Result<Vec<Verdict>, Fault> {
    let mut verdicts = Vec::with_capacity(looked.targets().len());
    let judged: Vec<&Seen> = looked.targets().iter().filter(|seen| !record.skipped(&seen.target)).collect();
    for seen in judged {
        let opinion = match seen.target.kind {
            Kind::ServiceAccount => of_account(ctx, seen, record, fresh).await?,
            Kind::RoleBinding | Kind::ClusterRoleBinding => of_binding(ctx, seen, record).await?,
        };
        verdicts.push(Verdict {
            target: (&seen.target).into(),
            verdict: opinion.verdict,
            how: opinion.how.to_owned(),
            at: calls::now(),
        });
    }
    Ok(verdicts)
}

/// The verdict on an account's tokens.
async fn of_account(ctx: &Context, seen: &Seen, record: &Record, fresh: bool) -> Result<Opinion, Fault> {
    let place = place(ctx, seen).await?;
    let Some(canary) = &seen.canary else {
        return Ok(implied(record.ended(&seen.target), place));
    };
    let deadline = Instant::now() + LAG;
    loop {
        let accepted = if fresh {
            canary::accepted_fresh(ctx, canary).await?
        } else {
            canary::accepted_plain(ctx, canary).await?
        };
        if !accepted && record.ended(&seen.target) && place == Place::Without {
            return Ok(Opinion {
                verdict: VerdictKind::Observed,
                how: "a token of this account, accepted before, was refused by TokenReview",
            });
        }
        if !accepted {
            return Ok(Opinion {
                verdict: VerdictKind::Unknown,
                how: "a token was refused, and the account with its uid is still there",
            });
        }
        if !record.ended(&seen.target) || Instant::now() >= deadline {
            return Ok(Opinion {
                verdict: VerdictKind::Refuted,
                how: "a token of this account is still accepted by TokenReview",
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The verdict on a binding: the right it gave, else its uid.
async fn of_binding(ctx: &Context, seen: &Seen, record: &mut Record) -> Result<Opinion, Fault> {
    let place = place(ctx, seen).await?;
    let opinion = implied(record.ended(&seen.target), place);
    let Some(probe) = seen.probe.as_ref().filter(|_| opinion.verdict == VerdictKind::Implied) else {
        return Ok(opinion);
    };
    let deadline = Instant::now() + LAG;
    while probe::allowed(ctx, probe).await? {
        if Instant::now() >= deadline {
            record.left(&seen.target, RemainingReason::StillAllowed);
            return Ok(opinion);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(Opinion {
        verdict: VerdictKind::Observed,
        how: "a right this binding gave, held before, was refused by SubjectAccessReview",
    })
}

/// What a consistent list says of the place of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The object with its uid is not there.
    Without,
    /// It is.
    With,
    /// The list does not say.
    Unclear,
}

fn implied(ended: bool, place: Place) -> Opinion {
    match (ended, place) {
        (_, Place::Unclear) => Opinion { verdict: VerdictKind::Unknown, how: "no list said whether its uid is gone" },
        (true, Place::Without) => {
            Opinion { verdict: VerdictKind::Implied, how: "its uid is gone on a consistent list of its name" }
        }
        (_, Place::With) => Opinion { verdict: VerdictKind::Refuted, how: "the object with its uid is still there" },
        (false, Place::Without) => {
            Opinion { verdict: VerdictKind::Unknown, how: "its uid is gone, but the step did not end" }
        }
    }
}

/// Whether the target's uid is gone, by a consistent list. A name under which this process saw the very object stand is
/// asked for by itself; otherwise the whole list is looked through for the uid, and rests on no name at all.
async fn place(ctx: &Context, seen: &Seen) -> Result<Place, Fault> {
    let (api, target) = (dynamic(ctx, &seen.target), &seen.target);
    let listed = if matches!(seen.sight, Observation::Standing { .. }) {
        call("look at a target", api.listed(&target.name)).await.map(|listed| judged(target, &listed))
    } else {
        let uids = list_each(&api, &ListParams::default(), |object| object.metadata.uid).await;
        uids.map(|uids| if uids.contains(&target.uid) { Place::With } else { Place::Without })
    };
    match listed {
        Err(fault) if fault.is_forbidden() => Ok(Place::Unclear),
        listed => listed,
    }
}

/// What a list of one name says of the target.
fn judged(target: &Target, listed: &[DynamicObject]) -> Place {
    if listed.iter().any(|object| object.metadata.uid.as_deref() == Some(target.uid.as_str())) {
        Place::With
    } else if listed.iter().any(|object| object.metadata.name.as_deref() != Some(target.name.as_str())) {
        Place::Unclear
    } else {
        Place::Without
    }
}
