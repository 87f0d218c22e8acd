//! Waits for what `rollcall trim` does: another identity, which alone may change a binding. It begins when the manifest is kept and
//! the step is `Begun`; here it is seen to be done.
//!
//! ```text
//! Begun ─▶ (aside) looked at again and again ─▶ out: a verdict │ over its time: left alone, and what remains says so
//! ```
//! Nothing else waits for it: the verdicts on everything else of the leaver come, and come again after the API server's cache, as if
//! nobody shared anything. Only `verified` and the end are of all of it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use kube::api::DynamicObject;
use serde_json::Value;
use tokio::time::Instant;

use super::Context;
use super::act::{self, Ended, Stepped};
use super::observe::{Observation, Observed, Observer, SIDE_BY_SIDE, Seen};
use super::record::Record;
use super::rotate::Heard;
use super::verify::{self, CACHE};
use crate::api::revocation::StepOutcome;
use crate::kube::calls::{self, call};
use crate::kube::outcome::Fault;
use crate::kube::targets;
use domain::plan::{Action, RemainingReason, Target};

/// How long all of them together may take: a `rollcall trim` or a control that died is replaced after the time of a Lease, and both may.
const DONE: Duration = Duration::from_secs(60);
/// How often that is looked at, at first,
const LOOK: Duration = Duration::from_millis(250);
/// and how often once it takes longer than [`SOON`].
const LATER: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(5);
/// What was under way when it was given up may be done a moment later.
const SETTLES: Duration = Duration::from_secs(3);
/// How often the claim is renewed meanwhile; well below the time that frees it.
const BEAT: Duration = Duration::from_secs(6);

/// Whether this is to be done by `rollcall trim`, and is not done yet.
pub fn awaited(seen: &Seen) -> bool {
    matches!(seen.observation, Observation::Shared { .. })
}

/// Whether nothing is written of the end of a trim. Until then there is no verdict on it.
pub fn is_open(record: &Record, target: &Target) -> bool {
    target.action == Action::Trim && !record.settled(target)
}

/// Whether an object, as raw JSON, has one of these user names as a subject.
pub fn names(object: &DynamicObject, leaving: &BTreeSet<String>) -> bool {
    targets::users(&object.data).any(|user| leaving.contains(user))
}

/// What became of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    /// It still names the leaver, and others.
    Still,
    /// It names the leaver no longer.
    Out,
    /// It is gone.
    Gone,
    /// It names the leaver and nobody else any more: the others left too.
    Alone,
}

/// Waits for all of them at once, and gives their verdicts, while everything else gets its second one. What is not done in time is left
/// alone, says so, and keeps nothing else from being revoked. `good` says whether every verdict so far is; `alone` ends the Revocation.
///
/// # Flow          look at each until the names are gone from it, or the time is over; one that is the leaver's alone by now is deleted
///                 as any other that is theirs alone; the claim is renewed meanwhile; then the second verdict on what was done last
/// # Guarantees    changes nothing that others share; done is only what was read back without the names
/// # Errors        transient: a new process looks again
pub async fn aside(
    ctx: &Context,
    observer: &Observer<'_>,
    observed: &Observed,
    record: &mut Record,
    mut heard: Option<&mut Heard>,
    (mut good, alone): (bool, bool),
) -> Result<bool, Fault> {
    let (begun, before) = (Instant::now(), trimmed(record));
    let mut waiting: Vec<&Seen> = observed.targets().iter().filter(|seen| is_open(record, &seen.target)).collect();
    let mut cache = std::pin::pin!(ctx.shared.waits_for_the_cache(calls::wait(CACHE)));
    let (mut lapsed, mut twice) = (false, false);
    loop {
        let mut over = look_at_all(ctx, observer, &mut waiting, record).await;
        if begun.elapsed() >= DONE && !waiting.is_empty() {
            over.extend(give_up(ctx, observer, std::mem::take(&mut waiting), record).await?);
        }
        if !over.is_empty() {
            good &= verify::more(ctx, over, record).await?;
            twice = false;
        }
        if waiting.is_empty() {
            break;
        }
        if let Some(heard) = &mut heard {
            heard.so_far(ctx, record).await?; // Secrets do not wait either
        }
        record.write_after(BEAT).await?;
        tokio::select! {
            waited = &mut cache, if good && !lapsed => {
                lapsed = true;
                good = verify::again(ctx, observed, record, waited).await?;
                twice = good;
            }
            () = tokio::time::sleep(if begun.elapsed() < SOON { LOOK } else { LATER }) => {}
        }
    }
    record.set_acted(calls::now());
    let more = trimmed(record).saturating_sub(before);
    if more > 0 {
        act::publish_on_person(ctx, record, &[(Action::Trim, more)].into()).await;
    }
    if !good {
        return verify::end(record, false, alone).await;
    }
    record.set_verified(calls::now());
    if twice { verify::end(record, true, alone).await } else { verify::confirm(ctx, observed, record, alone).await }
}

/// How many were done.
fn trimmed(record: &Record) -> usize {
    record.done().filter(|(_, action)| *action == Action::Trim).count()
}

/// Looks at all that are waited for, notes how those ended that have, and gives these. One that could not be seen is looked at again.
async fn look_at_all<'s>(
    ctx: &Context,
    observer: &Observer<'_>,
    waiting: &mut Vec<&'s Seen>,
    record: &mut Record,
) -> Vec<&'s Seen> {
    let looks = std::mem::take(waiting).into_iter().map(|seen| async move { (seen, look(ctx, observer, seen).await) });
    let looked: Vec<_> = futures::stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
    let mut over = Vec::new();
    for (seen, ended) in looked {
        match ended {
            Ok(Some(ended)) => {
                act::note(ctx, record, seen, ended).await;
                over.push(seen);
            }
            Ok(None) => waiting.push(seen),
            Err(fault) => {
                tracing::warn!(%fault, "a shared binding could not be looked at; looked at again");
                waiting.push(seen);
            }
        }
    }
    over
}

/// Leaves alone what was not done in time; gives what was done all the same, by a process that was at it.
async fn give_up<'s>(
    ctx: &Context,
    observer: &Observer<'_>,
    waiting: Vec<&'s Seen>,
    record: &mut Record,
) -> Result<Vec<&'s Seen>, Fault> {
    for seen in &waiting {
        // Somebody who is back, or a binding that is protected by now, is not trimmed either.
        let reason = match observer.see(&seen.target).await {
            Ok(Observation::NotOurs(reason)) => reason,
            _ => RemainingReason::NotTrimmed,
        };
        act::note(ctx, record, seen, Ended::left_alone(reason)).await;
    }
    record.write().await?; // from here on nobody begins with it: `rollcall trim` reads this first
    tokio::time::sleep(SETTLES).await;
    let mut over = Vec::new();
    for seen in waiting {
        if let Ok(Some(ended)) = look(ctx, observer, seen).await {
            record.left_no_more(&seen.target);
            act::note(ctx, record, seen, ended).await;
            over.push(seen);
        }
    }
    Ok(over)
}

/// How one ended; `None` as long as it has not.
async fn look(ctx: &Context, observer: &Observer<'_>, seen: &Seen) -> Result<Option<Ended>, Fault> {
    let live = call("look at a target", targets::api(&ctx.client, &seen.target).get_opt(&seen.target.name)).await?;
    match became(seen, live.as_ref()) {
        Became::Still => Ok(None),
        Became::Out => Ok(Some(Ended::new(StepOutcome::Done))),
        Became::Gone => Ok(Some(Ended::new(StepOutcome::AlreadyGone))),
        Became::Alone => match observer.see(&seen.target).await? {
            observation @ Observation::Standing { .. } => {
                let last = Seen::only(&seen.target, observation);
                match act::in_time(ctx, act::delete(ctx, observer, &last)).await? {
                    Stepped::Ended(ended) => Ok(Some(ended)),
                    Stepped::Held(by) => {
                        Ok(Some(Ended::saying(StepOutcome::Failed, format!("the finalizers {by} hold it"))))
                    }
                }
            }
            _ => Ok(None), // it is looked at again
        },
    }
}

fn became(seen: &Seen, live: Option<&DynamicObject>) -> Became {
    let Some(live) = live.filter(|live| live.metadata.uid.as_ref() == Some(&seen.target.uid)) else {
        return Became::Gone;
    };
    let leaves = |subject: &Value| targets::user(subject).is_some_and(|user| seen.leaving.contains(user));
    let alone = live.data.get("subjects").and_then(Value::as_array).is_some_and(|all| all.iter().all(leaves));
    match names(live, &seen.leaving) {
        false => Became::Out,
        true if alone => Became::Alone,
        true => Became::Still,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use domain::plan::Kind;

    #[test]
    fn a_shared_binding_is_waited_for_until_the_leaver_is_out_or_the_last_one_in_it() {
        let target = Target {
            action: Action::Trim,
            kind: Kind::RoleBinding,
            namespace: "apps".into(),
            name: "shared".into(),
            uid: "b1".into(),
            heir: None,
            why: String::new(),
        };
        let leaving = ["ada".to_owned(), "ada.old".to_owned()].into();
        let seen = Seen { leaving, ..Seen::only(&target, Observation::Settled) };
        let binding = |uid: &str, users: &[&str], group: bool| -> DynamicObject {
            let mut subjects: Vec<Value> = users.iter().map(|user| json!({"kind": "User", "name": user})).collect();
            subjects.extend(group.then(|| json!({"kind": "Group", "name": "ada"})));
            serde_json::from_value(json!({"metadata": {"name": "shared", "uid": uid}, "subjects": subjects})).unwrap()
        };
        for (what, live, expected) in [
            ("both are in it", Some(binding("b1", &["ada", "ben"], false)), Became::Still),
            ("one of her names is out", Some(binding("b1", &["ben", "ada.old"], false)), Became::Still),
            ("a group is in it, of her name", Some(binding("b1", &["ada"], true)), Became::Still),
            ("she is out", Some(binding("b1", &["ben"], false)), Became::Out),
            ("everybody else is out", Some(binding("b1", &["ada.old", "ada"], false)), Became::Alone),
            ("another one stands there", Some(binding("b2", &["ada", "ben"], false)), Became::Gone),
            ("it is gone", None, Became::Gone),
        ] {
            assert_eq!(became(&seen, live.as_ref()), expected, "{what}");
        }
    }
}
