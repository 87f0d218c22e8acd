//! Nothing comes back silently: an account, a binding or a token Secret of a leaver that is made again is reported.
//!
//! Every change is compared as it is seen; everything there is, once at the start and when a Revocation has ended, so
//! that what came back while nobody led, or while the revoker was at work, is found as well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::ResourceExt;
use kube::api::{DynamicObject, ObjectMeta};

use super::Context;
use super::owned_status::ControlStatus;
use crate::api::revocation::{self, Action, Returned, Step, StepOutcome, TargetKind};
use crate::api::{Person, Revocation, convert, names};
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use crate::kube::{inventory, targets};
use domain::gate::LeaverStatus;
use domain::ownership::{Claim, Index, PersonFacts};
use domain::plan::{self, Binding, Remaining, RemainingReason, Subject, Target};

/// Annotation of a token Secret that names its account.
const ACCOUNT: &str = names::TOKEN_OF;
/// Most entries a status holds.
const MAX_RETURNED: usize = 32;

/// What was seen to come back, by name of the Revocation, until it is written.
#[derive(Default)]
pub struct Returns(Mutex<HashMap<String, Vec<Returned>>>);

impl Returns {
    /// What stands in the status, with what was seen since; each object once, by uid.
    pub fn merged(&self, revocation: &Revocation) -> Vec<Returned> {
        let mut all = revocation.status.as_ref().map(|status| status.returned.clone()).unwrap_or_default();
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for returned in seen.get(&revocation.name_any()).into_iter().flatten() {
            if !all.iter().any(|known| known.uid == returned.uid) && all.len() < MAX_RETURNED {
                all.push(returned.clone());
            }
        }
        all
    }

    fn add(&self, revocation: &str, returned: Returned) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = seen.entry(revocation.to_owned()).or_default();
        if !all.iter().any(|known| known.uid == returned.uid) {
            all.push(returned);
        }
    }
}

/// An object that may have come back.
#[derive(Debug)]
struct Candidate<'a> {
    /// `ServiceAccount`, `RoleBinding`, `ClusterRoleBinding` or `Secret`.
    kind: &'static str,
    meta: &'a ObjectMeta,
}

impl Candidate<'_> {
    fn uid(&self) -> &str {
        self.meta.uid.as_deref().unwrap_or_default()
    }

    /// Whether it stands in the place of what this step ended.
    fn replaces(&self, step: &Step) -> bool {
        let target = &step.target;
        let here = target.namespace == self.meta.namespace.as_deref().unwrap_or_default();
        let named = |name: Option<&String>| name.is_some_and(|name| *name == target.name);
        match self.kind {
            "Secret" => {
                let account = self.meta.annotations.as_ref().and_then(|annotations| annotations.get(ACCOUNT));
                let theirs = target.kind == TargetKind::ServiceAccount && target.action != Action::HandOver;
                theirs && here && named(account)
            }
            kind => {
                // A trimmed binding stands on: whether the person is in it again is asked by `put_back`. An account that was handed
                // over is its next owner's, to be made again as they like.
                let ended = !matches!(target.action, Action::Trim | Action::HandOver);
                let other = ended && target.uid != self.uid() && step.new_uid.as_deref() != Some(self.uid());
                target.kind.as_str() == kind && here && named(self.meta.name.as_ref()) && other
            }
        }
    }

    /// Whether this Revocation ended something that it replaces now.
    fn undoes(&self, revocation: &Revocation) -> bool {
        let Some(status) = &revocation.status else { return false };
        let Some(acted) = status.acted else { return false };
        // Creation has whole seconds: a Secret of the very second of the act counts as made after it.
        let created = self.meta.creation_timestamp.as_ref().map(|time| time.0.as_second());
        let after = self.kind != "Secret" || created.is_some_and(|created| created >= acted.as_second());
        after && status.steps.iter().any(|step| self.replaces(step))
    }
}

/// The Revocation, of all those of one person, that reports an object: the last that ended what it replaces.
fn reporter<'a>(found: &Candidate<'_>, of_person: &[&'a Revocation]) -> Option<&'a Revocation> {
    if found.kind == "ServiceAccount" && made_by_us(found.uid(), of_person) {
        return None;
    }
    let undone = of_person.iter().copied().filter(|revocation| found.undoes(revocation));
    undone.max_by_key(|revocation| revocation.status.as_ref().and_then(|status| status.acted))
}

/// Whether an account is one that an act of ours made again, or may be: while the revoker is at work it is there before
/// its uid is written down, and the end of the work looks again.
fn made_by_us(uid: &str, of_person: &[&Revocation]) -> bool {
    of_person.iter().filter_map(|revocation| revocation.status.as_ref()).any(|status| {
        let at_work = status.claim.is_some() && status.outcome().is_none();
        at_work || status.steps.iter().any(|step| step.new_uid.as_deref() == Some(uid))
    })
}

/// An account changed: is it one that was recreated or removed, made again by somebody else?
pub fn account(ctx: &Context, meta: &ObjectMeta) {
    note(ctx, &Candidate { kind: "ServiceAccount", meta });
}

/// A binding changed: is it one that was deleted, made again?
pub fn binding(ctx: &Context, kind: &'static str, meta: &ObjectMeta) {
    note(ctx, &Candidate { kind, meta });
}

/// A Secret changed: is it a token Secret of an account that was recreated or removed, made after that?
pub fn secret(ctx: &Context, meta: &ObjectMeta) {
    if meta.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(ACCOUNT)) {
        note(ctx, &Candidate { kind: "Secret", meta });
    }
}

/// Compares everything that stands where a Revocation ended something. Secrets are in no store: their watch begins with
/// all there are.
pub fn everything(ctx: &Context) {
    compare(ctx, &ctx.stores.revocations.state());
}

/// Compares what stands in the places of one Revocation whose revoker is done.
pub fn ended(ctx: &Context, revocation: &Revocation) {
    compare(ctx, &[Arc::new(revocation.clone())]);
}

fn compare(ctx: &Context, revocations: &[Arc<Revocation>]) {
    let steps = revocations.iter().filter_map(|revocation| revocation.status.as_ref()).flat_map(|status| &status.steps);
    for target in steps.map(|step| &step.target) {
        let kind = target.kind.as_str();
        let Some(uid) = ctx.stores.uid_of(kind, &target.namespace, &target.name) else { continue };
        let meta = ObjectMeta {
            name: Some(target.name.clone()),
            namespace: (!target.namespace.is_empty()).then(|| target.namespace.clone()),
            uid: Some(uid),
            ..ObjectMeta::default()
        };
        note(ctx, &Candidate { kind, meta: &meta });
    }
}

/// Notes the object on the Revocation that reports it, as long as the person is gone.
fn note(ctx: &Context, found: &Candidate<'_>) {
    let all = ctx.stores.revocations.state();
    let mut looked: Vec<&str> = Vec::new();
    for revocation in all.iter().filter(|revocation| found.undoes(revocation)) {
        let person = revocation.spec.person.as_str();
        if looked.contains(&person) || !still_gone(ctx, revocation) {
            continue;
        }
        looked.push(person);
        let of_person: Vec<&Revocation> =
            all.iter().map(AsRef::as_ref).filter(|other| other.spec.person == person).collect();
        let Some(reporter) = reporter(found, &of_person) else { continue };
        let returned = Returned {
            kind: found.kind.to_owned(),
            namespace: found.meta.namespace.clone().unwrap_or_default(),
            name: found.meta.name.as_deref().unwrap_or_default().chars().take(domain::plan::MAX_NAME_LEN).collect(),
            uid: found.uid().to_owned(),
            at: (ctx.clock)(),
            by: inventory::written_by(found.meta, &inventory::SUBJECTS_FIELD)
                .or_else(|| inventory::made_by(found.meta)),
        };
        ctx.returns.add(&reporter.name_any(), returned);
        ctx.revocation_changed(&reporter.name_any());
    }
}

/// Reports shared bindings that were trimmed and name the person again, with who wrote that; they remain from then on.
///
/// # Flow          what is watched nominates; a list that is as new as the call decides, since a watch may be behind the trim
/// # Guarantees    a binding that does not name the person now is never reported
/// # Errors        transient: the next look asks again
pub async fn put_back(
    ctx: &Context,
    revocation: &Revocation,
    person: &Person,
    part: &mut ControlStatus,
) -> Result<(), Fault> {
    let trimmed = trimmed(revocation);
    if trimmed.is_empty() || !still_gone(ctx, revocation) {
        return Ok(());
    }
    let facts = convert::person_facts(person, (ctx.clock)());
    let belongings = ctx.owned(|owned| owned.of(&facts, &std::collections::BTreeSet::new()));
    let again = |target: &Target| {
        let mut bindings = belongings.bindings.iter().map(|binding| &binding.object);
        bindings.any(|binding| stands_for(binding, target) && names(binding, &facts, &belongings.index))
    };
    for target in trimmed.iter().filter(|target| again(target)) {
        let listed = call("look for a trimmed binding", targets::api(&ctx.client, target).listed(&target.name)).await?;
        let found = listed.iter().find(|live| {
            let binding = targets::binding(target, live);
            binding.is_some_and(|binding| names(&binding, &facts, &belongings.index))
        });
        if let Some(live) = found {
            report(part, target, live, (ctx.clock)());
        }
    }
    Ok(())
}

/// The shared bindings that a Revocation saw trimmed.
fn trimmed(revocation: &Revocation) -> Vec<Target> {
    let done = [StepOutcome::Done, StepOutcome::AlreadyGone];
    let steps = revocation.status.iter().flat_map(|status| &status.steps);
    let trims = steps.filter(|step| step.target.action == Action::Trim && done.contains(&step.outcome));
    trims.map(|step| (&step.target).into()).collect()
}

/// Whether a binding stands in the place of this target, under whatever uid.
fn stands_for(binding: &Binding, target: &Target) -> bool {
    binding.kind == target.kind && binding.namespace == target.namespace && binding.name == target.name
}

fn names(binding: &Binding, person: &PersonFacts, index: &Index) -> bool {
    binding.subjects.iter().any(|subject| match subject {
        Subject::User(name) => index.user_claim(name, person) == Claim::Theirs,
        Subject::Account { .. } | Subject::Other => false,
    })
}

/// Each binding once, by uid; and it remains for as long as it names the person.
fn report(part: &mut ControlStatus, target: &Target, live: &DynamicObject, at: jiff::Timestamp) {
    let uid = live.metadata.uid.clone().unwrap_or_default();
    if !part.returned.iter().any(|known| known.uid == uid) && part.returned.len() < MAX_RETURNED {
        part.returned.push(Returned {
            kind: target.kind.as_str().to_owned(),
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            uid,
            at,
            by: inventory::written_by(&live.metadata, &inventory::SUBJECTS_FIELD),
        });
    }
    let what = plan::described(target.kind, &target.namespace, &target.name);
    let remaining = revocation::Remaining::from(&Remaining { what, why: RemainingReason::PutBack, heir: None });
    if let Some(plan) = &mut part.plan
        && plan.remaining.len() < plan::MAX_OBJECTS
        && !plan.remaining.iter().any(|known| known.what == remaining.what)
    {
        plan.remaining.push(remaining);
    }
}

fn still_gone(ctx: &Context, revocation: &Revocation) -> bool {
    let person = ctx.stores.people.get(&revocation.spec.person);
    convert::leaver_status(person.as_deref()) == LeaverStatus::Ended
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A Revocation that acted at this minute, and its steps: kind, name, uid, and the uid that was made again.
    fn revocation(name: &str, minute: u32, steps: &[(&str, &str, &str, Option<&str>)]) -> Revocation {
        let at = format!("2026-03-01T00:{minute:02}:00Z");
        let steps: Vec<Value> = steps
            .iter()
            .map(|(kind, name, uid, new)| {
                let target = json!({"action": "Recreate", "kind": kind, "namespace": "apps", "name": name, "uid": uid, "why": ""});
                json!({"target": target, "outcome": "Done", "newUid": new, "at": at})
            })
            .collect();
        serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                "due": at, "reason": "left"},
            "status": {"phase": "Revoked", "acted": at, "finished": "Revoked", "claim": {"by": "revoke-1", "at": at}, "steps": steps},
        }))
        .unwrap()
    }

    fn meta(name: &str, uid: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.into()),
            namespace: Some("apps".into()),
            uid: Some(uid.into()),
            ..ObjectMeta::default()
        }
    }

    fn token_secret(of: &str, minute: u32) -> ObjectMeta {
        let created = format!("2026-03-01T00:{minute:02}:30Z");
        serde_json::from_value(json!({"name": "s", "namespace": "apps", "uid": "s-1", "annotations": {ACCOUNT: of},
            "creationTimestamp": created}))
        .unwrap()
    }

    #[test]
    fn what_comes_back_is_reported_by_the_last_that_ended_it() {
        let cut = revocation(
            "cut",
            1,
            &[
                ("ServiceAccount", "ci", "a1", Some("a2")),
                ("RoleBinding", "views", "b1", None),
                ("ServiceAccount", "old", "o1", Some("o2")),
            ],
        );
        let late = revocation("late-cut", 5, &[("ServiceAccount", "ci", "a3", Some("a4"))]);
        let removal = revocation("remove", 9, &[("ServiceAccount", "old", "o2", None)]);
        let mut begun = revocation("late-2-cut", 7, &[("ServiceAccount", "other", "x1", None)]);
        begun.status.as_mut().unwrap().finished = None;
        let (all, alone) = (vec![&cut, &late, &removal], vec![&cut]);
        let with_begun = vec![&cut, &late, &removal, &begun];
        type Case<'a> = (&'a str, &'a str, ObjectMeta, &'a [&'a Revocation], Option<&'a str>);
        let cases: Vec<Case<'_>> = vec![
            ("a binding of the first cut, after a later one", "RoleBinding", meta("views", "b2"), &all, Some("cut")),
            ("a token Secret of the later cut's account", "Secret", token_secret("ci", 6), &all, Some("late-cut")),
            ("a token Secret between the two", "Secret", token_secret("ci", 3), &all, Some("cut")),
            ("a token Secret of a removed account", "Secret", token_secret("old", 10), &all, Some("remove")),
            ("a token Secret from before", "Secret", token_secret("ci", 0), &all, None),
            ("an account nobody of us made", "ServiceAccount", meta("ci", "a9"), &all, Some("late-cut")),
            ("the account that the first cut made again", "ServiceAccount", meta("ci", "a2"), &all, None),
            ("the account that the later cut made again", "ServiceAccount", meta("ci", "a4"), &all, None),
            ("an account made again after its removal", "ServiceAccount", meta("old", "o9"), &all, Some("remove")),
            ("what stands since before", "ServiceAccount", meta("old", "o1"), &alone, None),
            ("another account", "ServiceAccount", meta("new", "n1"), &all, None),
            ("a binding by the name of an account", "RoleBinding", meta("ci", "n2"), &all, None),
            ("an account, while the revoker is at work", "ServiceAccount", meta("ci", "a9"), &with_begun, None),
            ("a Secret, while it is", "Secret", token_secret("ci", 8), &with_begun, Some("late-cut")),
        ];
        for (situation, kind, meta, of_person, expected) in cases {
            let kind = TargetKind::ALL.iter().map(|kind| kind.as_str()).find(|k| *k == kind).unwrap_or("Secret");
            let found = Candidate { kind, meta: &meta };
            assert_eq!(reporter(&found, of_person).map(ResourceExt::name_any).as_deref(), expected, "{situation}");
        }
    }

    #[test]
    fn a_trimmed_binding_is_reported_once_with_who_wrote_it_and_remains() {
        let target = |action: &str| json!({"action": action, "kind": "RoleBinding", "namespace": "apps", "name": "shared", "uid": "b1", "why": ""});
        let step = |action: &str, outcome: &str| json!({"target": target(action), "outcome": outcome, "at": "2026-03-01T00:00:00Z"});
        let mut cut = revocation("cut", 1, &[]);
        let steps = json!([step("Trim", "Done"), step("Trim", "Skipped"), step("Unbind", "Done")]);
        cut.status.as_mut().unwrap().steps = serde_json::from_value(steps).unwrap();
        let trimmed = trimmed(&cut);
        assert_eq!(trimmed.len(), 1, "what was left alone, or deleted, is not trimmed");
        let replaced = meta("shared", "b2");
        let found = Candidate { kind: "RoleBinding", meta: &replaced };
        assert!(
            !found.replaces(&cut.status.as_ref().unwrap().steps[0]),
            "another binding of that name brings nothing back by itself"
        );

        let live: DynamicObject = serde_json::from_value(json!({
            "metadata": {"name": "shared", "namespace": "apps", "uid": "b1", "managedFields": [{
                "manager": "argocd-controller", "operation": "Apply", "time": "2026-03-01T00:05:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:subjects": {}}}]},
        }))
        .unwrap();
        let plan = revocation::Plan::default();
        let mut part = ControlStatus { plan: Some(plan), ..ControlStatus::default() };
        let at = "2026-03-01T00:06:00Z".parse().unwrap();
        for _ in 0..2 {
            report(&mut part, &trimmed[0], &live, at);
        }
        let returned: Vec<_> = part.returned.iter().map(|one| (one.uid.as_str(), one.by.as_deref())).collect();
        assert_eq!(returned, [("b1", Some("argocd-controller"))]);
        let remaining = part.plan.unwrap().remaining;
        let remaining: Vec<_> = remaining.iter().map(|one| (one.what.as_str(), one.why.as_str())).collect();
        assert_eq!(remaining, [("RoleBinding apps/shared", "PutBack")]);
    }
}
