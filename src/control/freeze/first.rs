//! The first act of a cut: the user names of who has left are frozen before anything else ends, and stay so for as long as the
//! termination stands and its Revocation is kept.
//!
//! A cut ends what is this person's alone. A client certificate, a group's rights and a shared binding go on; what the person would
//! change by any of them is refused from here on. Nothing ever waits for it: what cannot be frozen is said, and cut all the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::list::{TRIES, Written, change, clear, listed};
use super::{Standing, is_of, live_facts, standing, still_held, verdict};
use crate::api::revocation::{FirstFreeze, Operation};
use crate::api::{Person, Revocation, SyncPolicy, convert};
use crate::control::Context;
use crate::control::owned_status::{ControlStatus, open};
use crate::control::revocation::claimed;
use crate::kube::gate_inputs::GateInputs;
use crate::kube::outcome::Fault;
use domain::gate::{Facts, Released, Stop, gate};
use domain::plan::{Protected, Target, frozen_name, user_names};

/// Longest time that a cut gives way to its freeze.
const AT_MOST: Duration = Duration::from_secs(3);
/// Time between two tries of what was not frozen at first, and how long after the release they go on.
const TRY_AGAIN: Duration = Duration::from_secs(60);
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Longest text about what was not frozen.
const MESSAGE: usize = 512;

/// Freezes the user names of a plan whose every gate is open, once. Gives the fault after which it is to be tried again: a cut that
/// goes on tries with its next looks, and one that has nothing else to do waits for that.
///
/// # Flow          the Person read live, and the gates asked again; each name still theirs alone? the global stop read live; the list
///                 by compare-and-swap; read back
/// # Guarantees    nothing is frozen that is not in the plan; what takes too long, or is refused, is said in `status.freeze` and
///                 holds up nothing; a crash leaves names on the list that the next look shows or lifts
/// # Errors        none: the cut goes on
pub async fn strike(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    released: &Released,
    now: Timestamp,
) -> Option<Fault> {
    let name = inputs.revocation.name_any();
    let stands = part.freeze.as_ref().is_some_and(FirstFreeze::stands);
    // What was not frozen at first holds up no later look for ever.
    let given_up = part.freeze.is_some() && ctx.freezes.tries(&name) >= TRIES;
    let person = inputs.person.as_ref().filter(|person| is_of(&inputs.revocation, person))?;
    let policy = inputs.policy.as_ref().filter(|_| !stands && !given_up && !released.plan().freezes.is_empty())?;
    let theirs = theirs(ctx, person, policy);
    let held = still_held(&released.plan().freezes, &theirs, &BTreeSet::new(), Standing::Stands);
    if held.is_empty() {
        return None;
    }
    let freeze = async {
        ask_again(ctx, inputs, released, now).await?;
        change(ctx, &name, names_of(&held)).await
    };
    let (frozen, again) = in_time(ctx, &name, freeze).await;
    let (freeze, fault) = match frozen {
        Ok(written) => (shown(&held, written), None),
        Err(fault) => {
            let message = format!("not frozen: {fault}").chars().take(MESSAGE).collect();
            (FirstFreeze { message: Some(message), ..FirstFreeze::default() }, Some(fault))
        }
    };
    part.freeze = Some(freeze);
    fault.filter(|_| again)
}

/// Freezes for no longer than a cut gives way to it. Gives also whether it is worth to be tried again soon.
async fn in_time(
    ctx: &Context,
    revocation: &str,
    freeze: impl Future<Output = Result<Written, Fault>>,
) -> (Result<Written, Fault>, bool) {
    let frozen = tokio::time::timeout(AT_MOST, freeze).await.unwrap_or_else(|_| Err(Fault::unanswered("freeze")));
    let again = ctx.freezes.tried(revocation, frozen.as_ref().err());
    (frozen, again)
}

fn names_of(held: &[&Target]) -> BTreeSet<String> {
    held.iter().map(|target| frozen_name(target)).collect()
}

/// Asks the gates again, of what a watch may be behind with: that the person is back. Whether everything is stopped is asked once for
/// all who are frozen at that moment, by who writes the list.
async fn ask_again(ctx: &Context, inputs: &GateInputs, released: &Released, now: Timestamp) -> Result<(), Fault> {
    let live = inputs.clone().with_the_person_of_now(&ctx.client, &ctx.options.namespace).await?;
    let shut =
        |stop| Fault::Transient { doing: "freeze", cause: format!("a gate is shut by now: {}", Stop::reason(&stop)) };
    gate(released.plan(), &live.facts(), now).map(|_| ()).map_err(shut)
}

/// Keeps a first freeze true for as long as it stands, whatever became of its cut: lifted when the termination was taken back, or
/// a human said so; and what is somebody else's by now is let go. Nothing changes while everything is stopped.
///
/// # Errors
/// Transient: the next look begins anew.
pub async fn upkeep(ctx: &Context, inputs: &GateInputs, part: &mut ControlStatus, now: Timestamp) -> Result<(), Fault> {
    let Some(freeze) = part.freeze.as_mut().filter(|freeze| freeze.stands()) else {
        return Ok(());
    };
    let revocation = inputs.revocation.name_any();
    let begun = claimed(&inputs.revocation) || !open(&inputs.revocation);
    let standing = match of_first(&inputs.facts(), begun, now) {
        Standing::Stopped => return Ok(()),
        Standing::Over if of_first(&live_facts(ctx, inputs, now).await?, begun, now) == Standing::Over => {
            freeze.lifted = Some(change(ctx, &revocation, BTreeSet::new()).await?.verified);
            freeze.verdicts = Vec::new();
            return Ok(());
        }
        Standing::Over => return Ok(()), // a watch that is behind, on either side
        standing @ (Standing::Stands | Standing::Untold) => standing,
    };
    let person = inputs.person.as_ref().filter(|person| is_of(&inputs.revocation, person));
    let (Some(person), Some(policy), Some(plan)) = (person, &inputs.policy, &part.plan) else { return Ok(()) };
    let planned: Vec<Target> = plan.freezes.iter().map(Into::into).collect();
    let stood: BTreeSet<Target> = freeze.verdicts.iter().map(|verdict| (&verdict.target).into()).collect();
    let held = still_held(&planned, &theirs(ctx, person, policy), &stood, standing);
    let wanted = names_of(&held);
    if !listed(ctx).of(&revocation).eq(wanted.iter().map(String::as_str)) {
        *freeze = FirstFreeze { acted: freeze.acted, ..shown(&held, change(ctx, &revocation, wanted).await?) };
    }
    Ok(())
}

/// Has every cut looked at again whose names could not be frozen at first, each minute for a day: an API server that is busy while many
/// leave must not leave anybody unfrozen for good.
pub async fn keep(ctx: Arc<Context>) {
    loop {
        tokio::time::sleep(TRY_AGAIN).await;
        let now = (ctx.clock)();
        for revocation in ctx.stores.revocations.state() {
            if lacks(&revocation, now) {
                ctx.revocation_changed(&revocation.name_any());
            }
        }
    }
}

/// Whether the names of a cut that was released could not be frozen at first, and are to be tried again.
pub fn lacks(revocation: &Revocation, now: Timestamp) -> bool {
    let Some(status) = revocation.status.as_ref().filter(|_| revocation.spec.operation == Operation::Cut) else {
        return false;
    };
    let failed = |freeze: &FirstFreeze| freeze.message.is_some() && freeze.acted.is_none() && freeze.lifted.is_none();
    let released = status.instants.as_ref().and_then(|instants| instants.released);
    status.freeze.as_ref().is_some_and(failed) && released.is_some_and(|at| now.duration_since(at) < TRIED_FOR)
}

/// Tries once more what could not be frozen at first, of a cut that is over: nothing waits for it. What cannot be frozen now stays as
/// it was said.
///
/// # Errors
/// Transient: the next look begins anew.
pub async fn try_again(
    ctx: &Context,
    inputs: &GateInputs,
    part: &mut ControlStatus,
    now: Timestamp,
) -> Result<(), Fault> {
    let name = inputs.revocation.name_any();
    if ctx.freezes.waits(&name) {
        return Ok(());
    }
    let person = inputs.person.as_ref().filter(|person| is_of(&inputs.revocation, person));
    let (Some(person), Some(policy), Some(plan)) = (person, &inputs.policy, &part.plan) else { return Ok(()) };
    let planned: Vec<Target> = plan.freezes.iter().map(Into::into).collect();
    let theirs = theirs(ctx, person, policy);
    let held = still_held(&planned, &theirs, &BTreeSet::new(), Standing::Stands);
    let live = live_facts(ctx, inputs, now).await?;
    if held.is_empty() || of_first(&live, true, now) != Standing::Stands {
        return Ok(());
    }
    match in_time(ctx, &name, change(ctx, &name, names_of(&held))).await.0 {
        Ok(written) => part.freeze = Some(shown(&held, written)),
        Err(fault) => tracing::warn!(revocation = name, %fault, "its user names are still not frozen; tried again"),
    }
    Ok(())
}

/// What becomes of a first freeze: a hold that comes before the revoker has begun keeps the access that the cut would end.
fn of_first(facts: &Facts, begun: bool, now: Timestamp) -> Standing {
    let held = facts.hold.as_ref().is_some_and(|hold| hold.until > now);
    match standing(facts) {
        Standing::Stands | Standing::Untold if held && !begun => Standing::Over,
        standing => standing,
    }
}

/// Lifts what a process froze that died before it said so, of a cut whose gates are shut.
///
/// # Errors
/// Transient.
pub async fn forget(ctx: &Context, inputs: &GateInputs, part: &ControlStatus) -> Result<(), Fault> {
    if part.freeze.as_ref().is_some_and(FirstFreeze::stands) {
        Ok(())
    } else {
        clear(ctx, &inputs.revocation.name_any()).await
    }
}

/// The user names that are theirs alone, by what is watched.
fn theirs(ctx: &Context, person: &Person, policy: &SyncPolicy) -> Vec<Target> {
    let facts = convert::person_facts(person, (ctx.clock)());
    let index = ctx.owned(|owned| owned.of(&facts, &BTreeSet::new())).index;
    user_names(&facts, &index, &protected(ctx, policy))
}

/// What the policy and the installation protect.
pub(in crate::control) fn protected(ctx: &Context, policy: &SyncPolicy) -> Protected {
    Protected { usernames: ctx.options.never_freeze.clone(), ..convert::protected(policy) }
}

fn shown(held: &[&Target], written: Written) -> FirstFreeze {
    FirstFreeze {
        verdicts: held.iter().map(|target| verdict(target, written)).collect(),
        acted: Some(written.acted),
        verified: Some(written.verified),
        lifted: None,
        message: None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::control::revocation::tests::facts as every_gate_open;
    use domain::gate::{Hold, LeaverStatus};

    #[test]
    fn what_could_not_be_frozen_at_first_is_tried_again_for_a_day() {
        let revocation = |operation: &str, status: serde_json::Value| -> Revocation {
            serde_json::from_value(serde_json::json!({
                "metadata": {"name": "p-7-cut"},
                "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": operation,
                    "due": "2026-03-01T00:00:00Z", "reason": "left"},
                "status": status,
            }))
            .unwrap()
        };
        let released = serde_json::json!({"released": "2026-03-01T00:00:00Z"});
        let failed = serde_json::json!({"message": "not frozen: no answer"});
        let stands = serde_json::json!({"acted": "2026-03-01T00:00:01Z"});
        let lifted = serde_json::json!({"acted": "2026-03-01T00:00:01Z", "lifted": "2026-03-01T00:00:02Z"});
        let with = |freeze: &serde_json::Value| serde_json::json!({"phase": "Revoked", "instants": released, "freeze": freeze});
        for (what, revocation, at, expected) in [
            ("not frozen", revocation("Cut", with(&failed)), "2026-03-01T00:02:00Z", true),
            ("a day later", revocation("Cut", with(&failed)), "2026-03-02T00:02:00Z", false),
            ("frozen", revocation("Cut", with(&stands)), "2026-03-01T00:02:00Z", false),
            ("lifted", revocation("Cut", with(&lifted)), "2026-03-01T00:02:00Z", false),
            ("a removal", revocation("Remove", with(&failed)), "2026-03-01T00:02:00Z", false),
            ("not released", revocation("Cut", serde_json::json!({"freeze": failed})), "2026-03-01T00:02:00Z", false),
            (
                "never tried",
                revocation("Cut", serde_json::json!({"instants": released})),
                "2026-03-01T00:02:00Z",
                false,
            ),
        ] {
            assert_eq!(lacks(&revocation, at.parse().unwrap()), expected, "{what}");
        }
    }

    #[test]
    fn what_was_frozen_first_stands_until_the_termination_is_taken_back_or_a_human_says_so() {
        let now = Timestamp::UNIX_EPOCH;
        let hold = |hours| Some(Hold { reason: "law".into(), until: now + SignedDuration::from_hours(hours) });
        let left = || Facts { leaver_status: LeaverStatus::Ended, ..every_gate_open() };
        let with = |leaver_status| Facts { leaver_status, ..every_gate_open() };
        for (what, facts, begun, expected) in [
            ("has left", left(), true, Standing::Stands),
            ("works here again", with(LeaverStatus::Employed), true, Standing::Over),
            ("the same, before the revoker began", with(LeaverStatus::Employed), false, Standing::Over),
            ("out of scope", with(LeaverStatus::OutOfScope), true, Standing::Over),
            ("cannot be told", with(LeaverStatus::Unknown), true, Standing::Untold),
            ("held before the revoker began", Facts { hold: hold(1), ..left() }, false, Standing::Over),
            ("a hold that is over", Facts { hold: hold(-1), ..left() }, false, Standing::Stands),
            ("held after it began", Facts { hold: hold(1), ..left() }, true, Standing::Stands),
            ("rejected", Facts { rejected: true, ..left() }, true, Standing::Over),
            ("protected", Facts { protected: true, ..left() }, true, Standing::Over),
            (
                "everything is stopped",
                Facts { stopped: Some("why".into()), ..with(LeaverStatus::Employed) },
                true,
                Standing::Stopped,
            ),
            ("the policy observes by now", Facts { enforce: false, ..left() }, true, Standing::Stands),
        ] {
            assert_eq!(of_first(&facts, begun, now), expected, "{what}");
        }
    }
}
