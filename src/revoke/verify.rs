//! Verification: done means refused. What the API server says of each target, first past its cache, then after it.
//!
//! `Observed`: the canary, or the right, was accepted before the act and refused after it. `Implied`: the uid is gone
//! on a consistent list, and of a pod, which its node takes off only once its containers have ended, every session with it. A delete that returned 200 is no verdict, and a 404 is none either.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::SignedDuration;
use kube::api::DynamicObject;
use tokio::time::Instant;

use super::Context;
use super::observe::{Observation, Observed, SIDE_BY_SIDE, Seen, namespace_is_gone};
use super::record::Record;
use super::shared::Waited;
use super::{canary, probe, trims};
use crate::api::revocation::{Finished, Verdict, VerdictKind};
use crate::kube::calls::{self, call};
use crate::kube::outcome::Fault;
use crate::kube::targets;
use domain::plan::{Action, Kind, RemainingReason, Target};

/// How long the API server's watch caches may lag behind before "still accepted" counts.
const LAG: Duration = Duration::from_secs(5);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The API server keeps a token's acceptance for ten seconds; a second more for its clock.
pub const CACHE: SignedDuration = SignedDuration::from_secs(11);
/// Up to so many targets in one place are looked for by name; of more, one list of the place is taken.
const BY_NAME: usize = 3;

/// What was seen of one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opinion {
    verdict: VerdictKind,
    how: &'static str,
}

/// What a consistent list says of the place of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The object with its uid is not there; of a shared binding, the person's user names are not in it.
    Without,
    /// It is.
    With,
    /// The list does not say.
    Unclear,
}

/// Gives the first verdict on every target; says whether they are good, and to be confirmed.
///
/// # Flow          verdicts past every cache, side by side, written; ends the Revocation if one of them is not good, unless
///                 rotations or trims are under way
/// # Guarantees    none: only `confirm` ends a Revocation as `Revoked`
/// # Errors        transient: a new process asks again
pub async fn verify(ctx: &Context, observed: &Observed, record: &mut Record, alone: bool) -> Result<bool, Fault> {
    let trims = observed.targets().iter().any(|seen| trims::is_open(record, &seen.target));
    let judged = judged(observed, record);
    if trims && judged.is_empty() {
        return Ok(true); // there is nothing to say yet
    }
    let first = match verdicts(ctx, judged, record, None).await {
        Ok(first) => first,
        Err(fault) => {
            record.write().await?; // what was done
            return Err(fault);
        }
    };
    let good = all_good(&first);
    record.set_verdicts(first, (good && !trims).then(calls::now));
    if !good && alone && !trims {
        record.finish(Finished::Failed, None);
    }
    record.write().await?;
    Ok(good)
}

/// Gives the first verdict on what was done after the others had theirs; says whether all of these are good.
///
/// # Errors        transient: what was done is written, and a new process asks again
pub async fn more(ctx: &Context, over: Vec<&Seen>, record: &mut Record) -> Result<bool, Fault> {
    let first = verdicts(ctx, over, record, None).await;
    let first = match first {
        Ok(first) => first,
        Err(fault) => {
            record.write().await?;
            return Err(fault);
        }
    };
    let good = all_good(&first);
    record.add_verdicts(first);
    record.write().await?;
    Ok(good)
}

/// Gives the second verdict, after the cache's time, and ends the Revocation. The claim stands meanwhile: it takes longer
/// than this for another process to take it over.
///
/// # Flow          wait out the cache; the same again; finished
/// # Guarantees    finished as `Revoked` only if every target that was not left alone was `Observed` or `Implied` both times
/// # Errors        transient: a new process asks again
pub async fn confirm(ctx: &Context, observed: &Observed, record: &mut Record, alone: bool) -> Result<bool, Fault> {
    let until = record.acted().unwrap_or_else(calls::now) + CACHE;
    let waited = ctx.shared.waits_for_the_cache(calls::wait(until.duration_since(calls::now()))).await;
    let good = twice(ctx, observed, record, waited).await?;
    end(record, good, alone).await
}

/// The second verdict on everything that has come to its end, while something else has not.
///
/// # Errors        transient: a new process asks again
pub async fn again(ctx: &Context, observed: &Observed, record: &mut Record, waited: Waited) -> Result<bool, Fault> {
    let good = twice(ctx, observed, record, waited).await?;
    record.write().await?;
    Ok(good)
}

async fn twice(ctx: &Context, observed: &Observed, record: &mut Record, waited: Waited) -> Result<bool, Fault> {
    let second = verdicts(ctx, judged(observed, record), record, Some(waited)).await?;
    let good = all_good(&second);
    record.set_verdicts(second, None);
    Ok(good)
}

/// Writes that everything was asked twice, or that something is not refused; of a Revocation that is `alone` that is its end.
///
/// # Errors        transient: a new process asks again
pub async fn end(record: &mut Record, good: bool, alone: bool) -> Result<bool, Fault> {
    if alone {
        record.finish(if good { Finished::Revoked } else { Finished::Failed }, good.then(calls::now));
    } else if good {
        record.set_confirmed(calls::now());
    }
    record.write().await?;
    Ok(good)
}

fn all_good(verdicts: &[Verdict]) -> bool {
    verdicts.iter().all(|verdict| matches!(verdict.verdict, VerdictKind::Observed | VerdictKind::Implied))
}

/// What there is to be judged now. A Secret is proved by who uses it (see `rotate`), and a trim that is waited for not yet (`trims`).
fn judged<'a>(observed: &'a Observed, record: &Record) -> Vec<&'a Seen> {
    let its = |seen: &&Seen| seen.target.action != Action::Rotate && !trims::is_open(record, &seen.target);
    observed.targets().iter().filter(its).collect()
}

/// The verdicts, in the order of the plan. What was left alone is not the leaver's, and gets none. `waited`, if the cache's time was
/// waited out.
async fn verdicts(
    ctx: &Context,
    judged: Vec<&Seen>,
    record: &mut Record,
    waited: Option<Waited>,
) -> Result<Vec<Verdict>, Fault> {
    let fresh = waited.is_none();
    let judged: Vec<&Seen> = judged.into_iter().filter(|seen| !record.skipped(&seen.target)).collect();
    let mut places = places(ctx, &judged, waited).await?;
    // What was seen to end, and stands on a list, is looked at again: the list may be one of before.
    let stands =
        |seen: &&Seen| places.get(seen.target.uid.as_str()) == Some(&Place::With) && record.ended(&seen.target);
    let stands: Vec<&Seen> = judged.iter().copied().filter(stands).collect();
    places.extend(self::places(ctx, &stands, None).await?);
    let opinions = judged.into_iter().map(|seen| {
        let place = places.get(seen.target.uid.as_str()).copied().unwrap_or(Place::Unclear);
        let ended = record.ended(&seen.target);
        async move {
            let opinion = match seen.target.kind {
                Kind::ServiceAccount => of_account(ctx, seen, ended, place, fresh).await?,
                Kind::RoleBinding | Kind::ClusterRoleBinding | Kind::User | Kind::Secret | Kind::Pod => {
                    of_binding(ctx, seen, ended, place).await?
                }
            };
            Ok::<_, Fault>((seen, opinion, calls::now()))
        }
    });
    let opinions: Vec<_> = futures::stream::iter(opinions).buffered(SIDE_BY_SIDE).try_collect().await?;
    let mut verdicts = Vec::with_capacity(opinions.len());
    for (seen, (opinion, still_allowed), at) in opinions {
        if still_allowed {
            record.left(&seen.target, RemainingReason::StillAllowed);
        }
        let Opinion { verdict, how } = opinion;
        let how = match verdict {
            VerdictKind::Observed => format!("{how}; {}", ctx.servers().await.coverage()),
            _ => how.to_owned(),
        };
        verdicts.push(Verdict { target: (&seen.target).into(), verdict, how, at });
    }
    Ok(verdicts)
}

/// The verdict on an account's tokens.
async fn of_account(
    ctx: &Context,
    seen: &Seen,
    ended: bool,
    place: Place,
    fresh: bool,
) -> Result<(Opinion, bool), Fault> {
    let Some(canary) = &seen.canary else { return Ok((implied(ended, place), false)) };
    let deadline = Instant::now() + LAG;
    loop {
        let accepted = if fresh {
            canary::accepted_fresh(ctx, canary).await?
        } else {
            canary::accepted_plain(ctx, canary).await?
        };
        if let Some(opinion) = tried(accepted, ended, place, Instant::now() >= deadline) {
            return Ok((opinion, false));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What follows from trying the canary; `None` while the API server's caches may lag behind.
const fn tried(accepted: bool, ended: bool, place: Place, late: bool) -> Option<Opinion> {
    Some(match (accepted, ended, place) {
        (false, true, Place::Without) => Opinion {
            verdict: VerdictKind::Observed,
            how: "a token of this account, accepted before, was refused by TokenReview",
        },
        (false, _, _) => Opinion {
            verdict: VerdictKind::Unknown,
            how: "a token was refused, and no list says that the account with its uid is gone",
        },
        (true, true, _) if !late => return None,
        (true, _, _) => {
            Opinion { verdict: VerdictKind::Refuted, how: "a token of this account is still accepted by TokenReview" }
        }
    })
}

/// The verdict on a binding: the right it gave, else its uid; and whether the user has that right from elsewhere.
async fn of_binding(ctx: &Context, seen: &Seen, ended: bool, place: Place) -> Result<(Opinion, bool), Fault> {
    let opinion = told(seen.target.action, implied(ended, place));
    let Some(probe) = seen.probe.as_ref().filter(|_| opinion.verdict == VerdictKind::Implied) else {
        return Ok((opinion, false));
    };
    let deadline = Instant::now() + LAG;
    while probe::allowed(ctx, probe).await? {
        if Instant::now() >= deadline {
            return Ok((opinion, true));
        }
        tokio::time::sleep(LOOK).await;
    }
    let how = "a right this binding gave, held before, was refused by SubjectAccessReview";
    Ok((Opinion { verdict: VerdictKind::Observed, how }, false))
}

/// The same opinion of a shared binding, in words about what is in it; and of a pod, about what was open in it.
fn told(action: Action, opinion: Opinion) -> Opinion {
    let how = match opinion.verdict {
        VerdictKind::Implied if action == Action::Evict => {
            "the pod with its uid is gone on a consistent list, and with its containers every session in it"
        }
        VerdictKind::Refuted if action == Action::Evict => {
            "the pod with its uid is still there, and with it what may be open in it"
        }
        _ if action != Action::Trim => opinion.how,
        VerdictKind::Implied => "the binding has none of this person's user names on a consistent list",
        VerdictKind::Refuted => "the binding still has a user name of this person",
        VerdictKind::Observed | VerdictKind::Adopted | VerdictKind::Unknown => opinion.how,
    };
    Opinion { how, ..opinion }
}

/// What follows from the uid alone.
const fn implied(ended: bool, place: Place) -> Opinion {
    match (ended, place) {
        (_, Place::Unclear) => Opinion { verdict: VerdictKind::Unknown, how: "no list said whether its uid is gone" },
        (true, Place::Without) => {
            Opinion { verdict: VerdictKind::Implied, how: "its uid is gone on a consistent list" }
        }
        (_, Place::With) => Opinion { verdict: VerdictKind::Refuted, how: "the object with its uid is still there" },
        (false, Place::Without) => {
            Opinion { verdict: VerdictKind::Unknown, how: "its uid is gone, but the step did not end" }
        }
    }
}

/// Whether each target's uid is gone, by consistent lists. A name under which this process saw the very object stand is
/// asked for by itself; otherwise, and where there are many, the whole list is looked through for the uids, and rests on
/// no name at all. Where many leavers wait for the same, one list that was begun after that serves them all.
async fn places<'a>(
    ctx: &Context,
    judged: &[&'a Seen],
    waited: Option<Waited>,
) -> Result<BTreeMap<&'a str, Place>, Fault> {
    let mut groups: BTreeMap<(Kind, &str), Vec<&'a Seen>> = BTreeMap::new();
    let (shared, others): (Vec<&'a Seen>, Vec<_>) =
        judged.iter().copied().partition(|seen| seen.target.action == Action::Trim);
    for seen in others {
        groups.entry((seen.target.kind, seen.target.namespace.as_str())).or_default().push(seen);
    }
    // A shared binding stands on, and is looked into: each by itself.
    let shared = shared.into_iter().map(|seen| vec![seen]);
    let looks = groups.into_values().chain(shared).map(|group| async move {
        let trimmed = group.iter().all(|seen| seen.target.action == Action::Trim);
        let stood = |seen: &&Seen| matches!(seen.observation, Observation::Standing { .. } | Observation::Evicts);
        let by_name = trimmed || (group.len() <= BY_NAME && group.iter().all(stood));
        let crowd = waited.filter(|waited| waited.crowd && !trimmed);
        let looked = match crowd {
            Some(waited) => shared_by_uid(ctx, &group, waited).await,
            None if by_name => each_by_name(ctx, &group).await,
            None => all_by_uid(ctx, &group).await,
        };
        match looked {
            Err(fault) if fault.is_forbidden() => {
                let namespace = group.first().map_or("", |seen| &seen.target.namespace);
                let place = if namespace_is_gone(ctx, namespace).await? { Place::Without } else { Place::Unclear };
                Ok(group.iter().map(|seen| (seen.target.uid.as_str(), place)).collect())
            }
            looked => looked,
        }
    });
    let looked: Vec<Vec<_>> = futures::stream::iter(looks).buffered(SIDE_BY_SIDE).try_collect().await?;
    Ok(looked.into_iter().flatten().collect())
}

async fn each_by_name<'a>(ctx: &Context, group: &[&'a Seen]) -> Result<Vec<(&'a str, Place)>, Fault> {
    let looks = group.iter().map(|seen| async move {
        let listed =
            call("look at a target", targets::api(&ctx.client, &seen.target).listed(&seen.target.name)).await?;
        Ok((seen.target.uid.as_str(), place_of(seen, &listed)))
    });
    futures::future::try_join_all(looks).await
}

async fn all_by_uid<'a>(ctx: &Context, group: &[&'a Seen]) -> Result<Vec<(&'a str, Place)>, Fault> {
    let Some(first) = group.first() else { return Ok(Vec::new()) };
    let uids: BTreeSet<String> = call("look at the targets", targets::api(&ctx.client, &first.target).uids()).await?;
    Ok(group.iter().map(|seen| by_uid(seen, &uids)).collect())
}

/// The same by a list that many share, of those that were begun after this one's wait was over.
async fn shared_by_uid<'a>(ctx: &Context, group: &[&'a Seen], waited: Waited) -> Result<Vec<(&'a str, Place)>, Fault> {
    let Some(first) = group.first() else { return Ok(Vec::new()) };
    let uids = ctx.shared.uids_since(ctx, &first.target, waited.over).await?;
    Ok(group.iter().map(|seen| by_uid(seen, &uids)).collect())
}

fn by_uid<'a>(seen: &&'a Seen, uids: &BTreeSet<String>) -> (&'a str, Place) {
    let uid = seen.target.uid.as_str();
    (uid, if uids.contains(uid) { Place::With } else { Place::Without })
}

/// What a list of its name says of a target: of a shared binding, whether it still has a name that was to go.
fn place_of(seen: &Seen, listed: &[DynamicObject]) -> Place {
    let its = |object: &&DynamicObject| object.metadata.uid.as_deref() == Some(seen.target.uid.as_str());
    match listed.iter().find(its) {
        Some(binding) if seen.target.action == Action::Trim && !trims::names(binding, &seen.leaving) => Place::Without,
        _ => named(&seen.target, listed),
    }
}

/// What a list of one name says of the target.
fn named(target: &Target, listed: &[DynamicObject]) -> Place {
    if listed.iter().any(|object| object.metadata.uid.as_deref() == Some(target.uid.as_str())) {
        Place::With
    } else if listed.iter().any(|object| object.metadata.name.as_deref() != Some(target.name.as_str())) {
        Place::Unclear
    } else {
        Place::Without
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tried_token_proves_an_end_only_together_with_the_accounts_absence() {
        use Place::{Unclear, With, Without};
        for (accepted, ended, place, late, expected) in [
            (false, true, Without, false, Some(VerdictKind::Observed)),
            (false, true, With, false, Some(VerdictKind::Unknown)),
            (false, true, Unclear, false, Some(VerdictKind::Unknown)),
            (false, false, Without, false, Some(VerdictKind::Unknown)),
            (true, true, Without, false, None),
            (true, true, Without, true, Some(VerdictKind::Refuted)),
            (true, false, With, false, Some(VerdictKind::Refuted)),
        ] {
            let verdict = tried(accepted, ended, place, late).map(|opinion| opinion.verdict);
            assert_eq!(verdict, expected, "accepted: {accepted}, ended: {ended}, {place:?}, late: {late}");
        }
    }

    #[test]
    fn absence_proves_an_end_only_of_what_was_ended() {
        use Place::{Unclear, With, Without};
        for (ended, place, expected) in [
            (true, Without, VerdictKind::Implied),
            (true, With, VerdictKind::Refuted),
            (true, Unclear, VerdictKind::Unknown),
            (false, Without, VerdictKind::Unknown),
            (false, With, VerdictKind::Refuted),
        ] {
            assert_eq!(implied(ended, place).verdict, expected, "ended: {ended}, {place:?}");
        }
    }

    #[test]
    fn a_shared_binding_stands_on_and_is_proved_by_the_names_that_are_no_longer_in_it() {
        let seen = Seen {
            target: Target {
                action: Action::Trim,
                kind: Kind::RoleBinding,
                namespace: "apps".to_owned(),
                name: "shared".to_owned(),
                uid: "u-1".to_owned(),
                heir: None,
                why: String::new(),
            },
            observation: Observation::Settled,
            canary: None,
            probe: None,
            leaving: ["oidc:ada@example.com".to_owned()].into(),
        };
        let binding = |uid: &str, users: &[&str]| {
            let subjects: Vec<_> = users.iter().map(|user| serde_json::json!({"kind": "User", "name": user})).collect();
            let object = serde_json::json!({"metadata": {"name": "shared", "uid": uid}, "subjects": subjects});
            serde_json::from_value::<DynamicObject>(object).unwrap()
        };
        let both = ["oidc:ben@example.com", "oidc:ada@example.com"];
        for (what, listed, expected) in [
            ("she is out, and he stays", vec![binding("u-1", &both[..1])], Place::Without),
            ("she is still in it", vec![binding("u-1", &both)], Place::With),
            ("a name in another case is another user", vec![binding("u-1", &["oidc:Ada@example.com"])], Place::Without),
            ("it is gone", vec![], Place::Without),
            ("another binding in its place", vec![binding("u-2", &both)], Place::Without),
        ] {
            assert_eq!(place_of(&seen, &listed), expected, "{what}");
        }
    }

    #[test]
    fn a_list_speaks_only_of_the_name_that_was_meant() {
        let target = Target {
            action: Action::Unbind,
            kind: Kind::RoleBinding,
            namespace: "apps".to_owned(),
            name: "mine?x".to_owned(),
            uid: "u-1".to_owned(),
            heir: None,
            why: String::new(),
        };
        let object = |name: &str, uid: &str| {
            serde_json::from_value::<DynamicObject>(serde_json::json!({"metadata": {"name": name, "uid": uid}}))
                .unwrap()
        };
        for (what, listed, expected) in [
            ("nothing", vec![], Place::Without),
            ("the object", vec![object("mine?x", "u-1")], Place::With),
            ("another in its place", vec![object("mine?x", "u-2")], Place::Without),
            ("an object of another name", vec![object("mine", "u-3")], Place::Unclear),
        ] {
            assert_eq!(named(&target, &listed), expected, "{what}");
        }
    }
}
