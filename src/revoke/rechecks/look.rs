//! One look at everything that a Revocation ended: is it still refused?
//!
//! Of somebody who works here again, or of whom nothing can be told, only old uids are asked about: rights may be theirs again.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Secret;
use kube::api::DynamicObject;

use super::secret;
use crate::api::revocation::{self, Recheck, RevocationStatus, Step, StepOutcome, Verdict, VerdictKind};
use crate::api::{Person, Revocation, convert};
use crate::kube::calls::{self, call};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::targets;
use crate::revoke::observe::{SIDE_BY_SIDE, namespace_is_gone};
use crate::revoke::shared::Frozen;
use crate::revoke::{Context, probe};
use domain::gate::LeaverStatus;
use domain::ownership::{Claim, Index, PersonFacts};
use domain::plan::{Action, Kind, Target, frozen_name};

/// What a whole look says.
#[derive(Debug, Default)]
pub struct Found {
    /// How many things were asked about.
    pub asked: u32,
    /// Of how many nothing could be told.
    pub unknown: u32,
    /// Which, and why.
    pub unproved: Vec<Verdict>,
    /// What works again.
    pub refuted: Vec<Verdict>,
}

/// What was seen of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is still refused.
    Refused,
    /// It works again, and by what.
    Again(&'static str),
    /// Nothing can be told, and why.
    Untold(Cow<'static, str>),
}

/// Why nothing can be told of what may not be looked at.
pub(super) const MAY_NOT: Told =
    Told::Untold(Cow::Borrowed("the revoker may not look: the namespace has taken its consent back"));

/// Somebody who has left, and everybody else.
struct Leaver {
    facts: PersonFacts,
    index: Arc<Index>,
}

impl Leaver {
    /// The user names in an object that are still this leaver's, and nobody's who works here.
    fn names_in(&self, binding: &serde_json::Value) -> BTreeSet<String> {
        let theirs = |user: &&str| self.index.user_claim(user, &self.facts) == Claim::Theirs;
        targets::users(binding).filter(theirs).map(str::to_owned).collect()
    }
}

/// Looks at everything once.
///
/// # Flow          the Person; each target, side by side; the frozen names; token Secrets that were seen to be made again
/// # Guarantees    what may not be looked at is unknown, and no alarm; nothing is changed
/// # Errors        transient: nothing is said, and the check is still due
pub async fn look(ctx: &Context, revocation: &Revocation) -> Result<Found, Fault> {
    let Some(status) = &revocation.status else { return Ok(Found::default()) };
    let leaver = leaver(ctx, revocation).await?;
    // What somebody who is back knows of a Secret is theirs to know.
    let asked = ended(status).filter(|(step, _)| leaver.is_some() || step.rotation.is_none());
    let looks = asked.map(|(step, verdict)| {
        let (leaver, target) = (leaver.as_ref(), Target::from(&step.target));
        async move {
            let told = match &step.rotation {
                Some(rotation) => secret::look(ctx, &target, rotation).await?,
                None => of_target(ctx, status, &target, verdict, leaver).await?,
            };
            Ok::<_, Fault>((target, told))
        }
    });
    let mut told: Vec<(Target, Told)> = futures::stream::iter(looks).buffered(SIDE_BY_SIDE).try_collect().await?;
    if leaver.is_some() {
        told.extend(frozen(ctx, status).await?);
        for secret in status.returned.iter().filter(|returned| returned.kind == Kind::Secret.as_str()) {
            told.push(token_secret(ctx, secret).await?);
        }
    }
    Ok(found(told))
}

/// Sums up what was seen of each.
fn found(told: Vec<(Target, Told)>) -> Found {
    let mut found = Found { asked: u32::try_from(told.len()).unwrap_or(u32::MAX), ..Found::default() };
    for (target, told) in told {
        let (verdict, how) = match told {
            Told::Refused => continue,
            Told::Untold(why) => (VerdictKind::Unknown, why),
            Told::Again(how) => (VerdictKind::Refuted, Cow::Borrowed(how)),
        };
        let unknown = verdict == VerdictKind::Unknown;
        found.unknown = found.unknown.saturating_add(u32::from(unknown));
        let among = if unknown { &mut found.unproved } else { &mut found.refuted };
        if among.len() < Recheck::MOST {
            among.push(Verdict { target: (&target).into(), verdict, how: how.into_owned(), at: calls::now() });
        }
    }
    found
}

/// The person, if they have left: who is back, or cannot be told of, may hold rights again.
async fn leaver(ctx: &Context, revocation: &Revocation) -> Result<Option<Leaver>, Fault> {
    let api: Api<Person> = Api::namespaced(ctx.client.clone(), &ctx.namespace);
    let person = call("read the Person", api.get_opt(&revocation.spec.person)).await?;
    let same = |person: &Person| person.metadata.uid.as_ref() == Some(&revocation.spec.person_uid);
    let Some(person) = person.filter(same) else { return Ok(None) };
    if convert::leaver_status(Some(&person)) != LeaverStatus::Ended {
        return Ok(None);
    }
    let facts = convert::person_facts(&person, calls::now());
    Ok(Some(Leaver { facts, index: ctx.shared.people(ctx).await? }))
}

/// The steps that ended something and were proved, each with its verdict.
fn ended(status: &RevocationStatus) -> impl Iterator<Item = (&Step, VerdictKind)> {
    let done = [StepOutcome::Done, StepOutcome::AlreadyGone, StepOutcome::NotRecreated];
    let steps = status.steps.iter().filter(move |step| done.contains(&step.outcome));
    steps.filter_map(move |step| {
        let verdict = status.verdicts.iter().find(|verdict| verdict.target.uid == step.target.uid)?.verdict;
        let good = matches!(verdict, VerdictKind::Observed | VerdictKind::Implied | VerdictKind::Adopted);
        good.then_some((step, verdict))
    })
}

/// What was seen of one target.
async fn of_target(
    ctx: &Context,
    status: &RevocationStatus,
    target: &Target,
    verdict: VerdictKind,
    leaver: Option<&Leaver>,
) -> Result<Told, Fault> {
    let listed = match call("look at a target again", targets::api(&ctx.client, target).listed(&target.name)).await {
        Ok(listed) => listed,
        Err(fault) if fault.is_forbidden() => {
            let gone = namespace_is_gone(ctx, &target.namespace).await?;
            return Ok(if gone { Told::Refused } else { MAY_NOT });
        }
        Err(fault) => return Err(fault),
    };
    let kept = status.kept.iter().find(|kept| kept.uid == target.uid);
    let kept = kept.and_then(|kept| serde_json::from_str::<serde_json::Value>(&kept.manifest).ok());
    let names = match (leaver, &kept) {
        (Some(leaver), Some(kept)) => leaver.names_in(kept),
        _ => BTreeSet::new(),
    };
    let again = |object: &DynamicObject| leaver.is_some_and(|leaver| !leaver.names_in(&object.data).is_empty());
    let told = standing(target, &listed, again);
    let binding = matches!(target.kind, Kind::RoleBinding | Kind::ClusterRoleBinding);
    // What was refused then is asked again. What they were still allowed from elsewhere then is known to remain.
    let (true, VerdictKind::Observed, Told::Refused, Some(kept)) = (binding, verdict, &told, kept) else {
        return Ok(told);
    };
    let probe = if names.is_empty() { None } else { probe::of(ctx, target, &kept, &names).await };
    let Some(probe) = probe else { return Ok(told) };
    let allowed = probe::allowed(ctx, &probe).await?;
    Ok(if allowed { Told::Again("a right that was refused is allowed again, by SubjectAccessReview") } else { told })
}

/// What a list of its name says of a target; `again` says whether an object names the leaver.
fn standing(target: &Target, listed: &[DynamicObject], again: impl Fn(&DynamicObject) -> bool) -> Told {
    if listed.iter().any(|object| object.metadata.name.as_deref() != Some(target.name.as_str())) {
        return Told::Untold(Cow::Borrowed("what was listed is of another name"));
    }
    let Some(object) = listed.first() else { return Told::Refused };
    let itself = object.metadata.uid.as_deref() == Some(target.uid.as_str());
    match (target.kind, target.action) {
        (Kind::ServiceAccount, _) if itself => Told::Again("the account with the uid that was ended is there again"),
        (Kind::Pod, _) if itself => Told::Again("the pod with the uid that was evicted is there again"),
        (Kind::ServiceAccount | Kind::User | Kind::Secret | Kind::Pod, _) => Told::Refused,
        (_, Action::Trim) if again(object) => Told::Again("the shared binding names this person again"),
        (_, Action::Trim) => Told::Refused,
        _ if itself => Told::Again("the binding with the uid that was deleted is there again"),
        _ if again(object) => Told::Again("a binding of this name was made again, and names this person"),
        _ => Told::Refused,
    }
}

/// The user names that were frozen first, and are to be frozen still.
async fn frozen(ctx: &Context, status: &RevocationStatus) -> Result<Vec<(Target, Told)>, Fault> {
    let Some(freeze) = status.freeze.as_ref().filter(|freeze| freeze.stands()) else { return Ok(Vec::new()) };
    let frozen = ctx.shared.frozen(ctx).await?;
    let targets = freeze.verdicts.iter().map(|verdict| Target::from(&verdict.target));
    Ok(targets.map(|target| (target.clone(), is_frozen(&target, &frozen))).collect())
}

fn is_frozen(target: &Target, frozen: &Frozen) -> Told {
    match frozen {
        Frozen { reads: false, .. } => Told::Untold(Cow::Borrowed(
            "the revoker may not read the list of frozen user names: the chart is an older one",
        )),
        Frozen { names, .. } if !names.contains(&frozen_name(target)) => {
            Told::Again("the user name is on the list of frozen user names no more")
        }
        Frozen { refuses: false, .. } => Told::Again("the admission policy that freezes is not in force"),
        Frozen { .. } => Told::Refused,
    }
}

/// A token Secret that control saw made after the act: does it still stand?
async fn token_secret(ctx: &Context, returned: &revocation::Returned) -> Result<(Target, Told), Fault> {
    let target = Target {
        action: Action::Recreate,
        kind: Kind::Secret,
        namespace: returned.namespace.clone(),
        name: returned.name.clone(),
        uid: returned.uid.clone(),
        heir: None,
        why: String::new(),
    };
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), &target.namespace);
    let told = match call("look for a token Secret", api.get_metadata_opt(&target.name)).await {
        Ok(Some(live)) if live.metadata.uid.as_ref() == Some(&target.uid) => {
            Told::Again("a token Secret that was made after the act is still there")
        }
        Ok(_) => Told::Refused,
        Err(fault) if fault.is_forbidden() => MAY_NOT, // control has reported it
        Err(fault) => return Err(fault),
    };
    Ok((target, told))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target(kind: Kind, action: Action) -> Target {
        Target {
            action,
            kind,
            namespace: "apps".into(),
            name: "seven".into(),
            uid: "old".into(),
            heir: None,
            why: String::new(),
        }
    }

    fn object(name: &str, uid: &str, user: &str) -> DynamicObject {
        let subjects = json!([{"kind": "User", "name": user}]);
        serde_json::from_value(json!({"metadata": {"name": name, "uid": uid}, "subjects": subjects})).unwrap()
    }

    #[test]
    fn what_stands_in_the_place_of_a_target_says_whether_it_works_again() {
        use Action::{Delete, Recreate, Trim, Unbind};
        use Kind::{RoleBinding, ServiceAccount};
        let again = |uid: &str, name: &str, user: &str| vec![object(name, uid, user)];
        for (what, kind, action, listed, expected) in [
            ("an account that is gone", ServiceAccount, Delete, vec![], "refused"),
            ("one that was recreated", ServiceAccount, Recreate, again("new", "seven", ""), "refused"),
            ("one that an etcd backup brought back", ServiceAccount, Recreate, again("old", "seven", ""), "again"),
            ("a binding that is gone", RoleBinding, Unbind, vec![], "refused"),
            ("one for somebody else, by the same name", RoleBinding, Unbind, again("new", "seven", "ben"), "refused"),
            ("one for her, by the same name", RoleBinding, Unbind, again("new", "seven", "ada"), "again"),
            ("the very binding, for whomever", RoleBinding, Unbind, again("old", "seven", "ben"), "again"),
            ("a shared one without her", RoleBinding, Trim, again("old", "seven", "ben"), "refused"),
            ("a shared one with her", RoleBinding, Trim, again("old", "seven", "ada"), "again"),
            ("a shared one that was replaced, with her", RoleBinding, Trim, again("new", "seven", "ada"), "again"),
            ("an answer about another name", RoleBinding, Unbind, again("new", "eight", "ada"), "untold"),
        ] {
            let names_her = |object: &DynamicObject| targets::users(&object.data).any(|user| user == "ada");
            let told = match standing(&target(kind, action), &listed, names_her) {
                Told::Refused => "refused",
                Told::Again(_) => "again",
                Told::Untold(_) => "untold",
            };
            assert_eq!(told, expected, "{what}");
        }
    }

    #[test]
    fn a_name_is_frozen_while_it_is_on_the_list_and_the_policy_is_in_force() {
        let name = Target { name: "oidc:ada@example.com".into(), ..target(Kind::User, Action::Freeze) };
        let frozen = |reads: bool, listed: &[&str], refuses: bool| Frozen {
            reads,
            names: listed.iter().map(|name| (*name).to_owned()).collect(),
            refuses,
        };
        let listed = ["oidc:ada@example.com"];
        assert_eq!(is_frozen(&name, &frozen(true, &listed, true)), Told::Refused);
        assert!(matches!(is_frozen(&name, &frozen(true, &listed, false)), Told::Again(_)));
        assert!(matches!(is_frozen(&name, &frozen(true, &["oidc:ben@example.com"], true)), Told::Again(_)));
        let older = is_frozen(&name, &frozen(false, &[], false));
        assert!(matches!(older, Told::Untold(_)), "an older chart, without the right");
    }

    #[test]
    fn only_what_was_ended_and_proved_is_asked_about_again() {
        let step = |uid: &str, outcome: &str| {
            json!({"target": {"action": "Recreate", "kind": "ServiceAccount", "namespace": "n", "name": uid, "uid": uid, "why": ""},
                "outcome": outcome, "at": "2026-03-01T00:00:00Z"})
        };
        let verdict = |uid: &str, verdict: &str| {
            let target = step(uid, "Done")["target"].clone();
            json!({"target": target, "verdict": verdict, "how": "", "at": "2026-03-01T00:00:00Z"})
        };
        let status: RevocationStatus = serde_json::from_value(json!({
            "steps": [step("a", "Done"), step("b", "Skipped"), step("c", "AlreadyGone"), step("d", "Done"), step("e", "Done")],
            "verdicts": [verdict("a", "Observed"), verdict("c", "Implied"), verdict("d", "Adopted")],
        }))
        .unwrap();
        let uids: Vec<&str> = ended(&status).map(|(step, _)| step.target.uid.as_str()).collect();
        assert_eq!(uids, ["a", "c", "d"]);
    }
}
