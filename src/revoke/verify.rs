//! Verification: done means refused. What the API server says of each target, first past its cache, then after it.
//!
//! `Observed`: the canary, or the right, was accepted before the act and refused after it. `Implied`: the uid is gone
//! on a consistent read. A delete that returned 200 is no verdict.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::Context;
use super::observe::{Observed, Seen, dynamic};
use super::record::Record;
use super::{canary, probe};
use crate::api::revocation::{Finished, Remaining, StepOutcome, Verdict, VerdictKind};
use crate::kube::calls::{self, call};
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
/// # Guarantees    finished as `Revoked` only if every target was `Observed` or `Implied` both times
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
    for seen in looked.targets() {
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

/// Whether the step ended in a way that can be proved at all.
fn ended(record: &Record, target: &Target) -> bool {
    record.step(target).is_some_and(|step| matches!(step.outcome, StepOutcome::Done | StepOutcome::AlreadyGone))
}

/// The verdict on an account's tokens.
async fn of_account(ctx: &Context, seen: &Seen, record: &Record, fresh: bool) -> Result<Opinion, Fault> {
    let gone = gone(ctx, &seen.target).await?;
    let Some(canary) = &seen.canary else {
        return Ok(implied(ended(record, &seen.target), gone));
    };
    let deadline = Instant::now() + LAG;
    loop {
        let accepted = if fresh {
            canary::accepted_fresh(ctx, canary).await?
        } else {
            canary::accepted_plain(ctx, canary).await?
        };
        if !accepted && ended(record, &seen.target) && gone {
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
        if !ended(record, &seen.target) || Instant::now() >= deadline {
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
    let gone = gone(ctx, &seen.target).await?;
    let opinion = implied(ended(record, &seen.target), gone);
    let Some(probe) = seen.probe.as_ref().filter(|_| opinion.verdict == VerdictKind::Implied) else {
        return Ok(opinion);
    };
    let deadline = Instant::now() + LAG;
    while probe::allowed(ctx, probe).await? {
        if Instant::now() >= deadline {
            record.remain(Remaining {
                what: format!("{} {}/{}", seen.target.kind.as_str(), seen.target.namespace, seen.target.name),
                why: RemainingReason::StillAllowed.as_str().to_owned(),
                advice: RemainingReason::StillAllowed.advice().to_owned(),
                until: None,
            });
            return Ok(opinion);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(Opinion {
        verdict: VerdictKind::Observed,
        how: "a right this binding gave, held before, was refused by SubjectAccessReview",
    })
}

fn implied(ended: bool, gone: bool) -> Opinion {
    match (ended, gone) {
        (true, true) => Opinion { verdict: VerdictKind::Implied, how: "its uid is gone on a consistent read" },
        (_, false) => Opinion { verdict: VerdictKind::Refuted, how: "the object with its uid is still there" },
        (false, true) => Opinion { verdict: VerdictKind::Unknown, how: "its uid is gone, but the step did not end" },
    }
}

/// Whether the target's uid is gone, on a consistent read.
async fn gone(ctx: &Context, target: &Target) -> Result<bool, Fault> {
    match call("look at a target", dynamic(ctx, target).get_opt(&target.name)).await {
        Ok(live) => Ok(live.is_none_or(|live| live.metadata.uid.as_deref() != Some(target.uid.as_str()))),
        Err(Fault::Transient { cause, .. }) if cause.starts_with("403") => Ok(false),
        Err(fault) => Err(fault),
    }
}
