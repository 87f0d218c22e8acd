//! Waits for what `rollcall trim` does: another identity, which alone may change a binding. It begins when the manifest is kept and
//! the step is `Begun`; here it is seen to be done.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use kube::api::DynamicObject;
use serde_json::Value;
use tokio::time::Instant;

use super::Context;
use super::act::{self, Ended, Stepped};
use super::observe::{Observation, Observer, SIDE_BY_SIDE, Seen};
use super::record::Record;
use crate::api::revocation::StepOutcome;
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use crate::kube::targets;
use domain::plan::RemainingReason;

/// How long all of them together may take, from when the revoker begins to act: longer than the Lease of a `rollcall trim` that died.
const DONE: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Whether this is to be done by `rollcall trim`, and is not done yet.
pub fn awaited(seen: &Seen) -> bool {
    matches!(seen.observation, Observation::Shared { .. })
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

/// Waits for all of them at once. What is not done in time is left alone, says so, and keeps nothing else from being revoked.
///
/// # Flow          look at each until the names are gone from it, or the time is over; one that is the leaver's alone by now is deleted
///                 as any other that is theirs alone
/// # Guarantees    changes nothing that others share; done is only what was read back without the names
/// # Errors        transient: a new process looks again
pub async fn wait(
    ctx: &Context,
    observer: &Observer<'_>,
    mut waiting: Vec<&Seen>,
    record: &mut Record,
    begun: Instant,
) -> Result<(), Fault> {
    let (deadline, mut result) = (begun + DONE, Ok(()));
    while !waiting.is_empty() {
        let looks = waiting.into_iter().map(|seen| async move { (seen, look(ctx, observer, seen).await) });
        let looked: Vec<_> = futures::stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await;
        waiting = Vec::new();
        for (seen, ended) in looked {
            match ended {
                Ok(None) => waiting.push(seen),
                Ok(Some(ended)) => act::note(ctx, record, seen, ended).await,
                Err(fault) => result = result.and(Err(fault)),
            }
        }
        record.write_by_and_by().await?;
        if waiting.is_empty() || Instant::now() >= deadline {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    for seen in waiting {
        // Somebody who is back, or a binding that is protected by now, is not trimmed either.
        let reason = match observer.see(&seen.target).await {
            Ok(Observation::NotOurs(reason)) => reason,
            _ => RemainingReason::NotTrimmed,
        };
        act::note(ctx, record, seen, Ended::left_alone(reason)).await;
    }
    result
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
    use domain::plan::{Action, Kind, Target};

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
