//! Nothing comes back silently: an account, a binding or a token Secret of a leaver that is made again is reported.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kube::ResourceExt;
use kube::api::ObjectMeta;

use super::Context;
use crate::api::revocation::{Returned, RevocationStatus, TargetKind};
use crate::api::{Revocation, convert, names};
use domain::gate::Standing;
use domain::plan::Binding;

/// Annotation of a token Secret that names its account.
const ACCOUNT: &str = "kubernetes.io/service-account.name";
/// Most entries a status holds.
const MOST: usize = 32;

/// What was seen to come back, by name of the Revocation, until it is written.
#[derive(Default)]
pub struct Returns(Mutex<HashMap<String, Vec<Returned>>>);

impl Returns {
    /// What stands in the status, with what was seen since; each object once, by uid.
    pub fn merged(&self, revocation: &Revocation) -> Vec<Returned> {
        let mut all = revocation.status.as_ref().map(|status| status.returned.clone()).unwrap_or_default();
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for returned in seen.get(&revocation.name_any()).into_iter().flatten() {
            if !all.iter().any(|known| known.uid == returned.uid) && all.len() < MOST {
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

/// An account changed: is it one that was recreated or removed, made again by somebody else?
pub fn account(ctx: &Context, meta: &ObjectMeta) {
    note(ctx, "ServiceAccount", meta, |status, name, namespace, uid| {
        status.steps.iter().any(|step| {
            step.target.kind == TargetKind::ServiceAccount
                && step.target.name == name
                && step.target.namespace == namespace
                && step.target.uid != uid
                && step.new_uid.as_deref() != Some(uid)
        })
    });
}

/// A binding changed: is it one that was deleted, made again?
pub fn binding(ctx: &Context, kind: &str, binding: &Binding) {
    let meta = ObjectMeta {
        name: Some(binding.name.clone()),
        namespace: (!binding.namespace.is_empty()).then(|| binding.namespace.clone()),
        uid: Some(binding.uid.clone()),
        ..ObjectMeta::default()
    };
    note(ctx, kind, &meta, |status, name, namespace, uid| {
        status.steps.iter().any(|step| {
            step.target.kind != TargetKind::ServiceAccount
                && step.target.name == name
                && step.target.namespace == namespace
                && step.target.uid != uid
        })
    });
}

/// A Secret changed: is it a token Secret of an account that was recreated or removed, made after that?
pub fn secret(ctx: &Context, meta: &ObjectMeta) {
    let Some(account) = meta.annotations.as_ref().and_then(|annotations| annotations.get(ACCOUNT)) else { return };
    let created = meta.creation_timestamp.as_ref().map(|time| time.0);
    note(ctx, "Secret", meta, |status, _, namespace, _| {
        // creation has whole seconds: an object of the very second of the act counts as after it
        let after =
            matches!((created, status.acted), (Some(created), Some(acted)) if created.as_second() >= acted.as_second());
        after
            && status.steps.iter().any(|step| {
                step.target.kind == TargetKind::ServiceAccount
                    && step.target.name == *account
                    && step.target.namespace == namespace
            })
    });
}

/// Notes the object on every Revocation that says it is one of its, as long as the person is gone.
fn note(ctx: &Context, kind: &str, meta: &ObjectMeta, matches: impl Fn(&RevocationStatus, &str, &str, &str) -> bool) {
    let (Some(name), Some(uid)) = (&meta.name, &meta.uid) else { return };
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    for revocation in ctx.stores.revocations.state() {
        let Some(status) = revocation.status.as_ref().filter(|status| status.acted.is_some()) else { continue };
        if !matches(status, name, namespace, uid) || !is_last(ctx, &revocation) || !still_gone(ctx, &revocation) {
            continue;
        }
        let returned = Returned {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.clone(),
            uid: uid.clone(),
            at: (ctx.clock)(),
        };
        ctx.returns.add(&revocation.name_any(), returned);
        ctx.revocation_changed(&revocation.name_any());
    }
}

/// Only the last Revocation that acted for a person reports; an account that a removal is about to delete came from its cut.
fn is_last(ctx: &Context, revocation: &Revocation) -> bool {
    let acted = |revocation: &Revocation| revocation.status.as_ref().and_then(|status| status.acted);
    let person = revocation.labels().get(names::PERSON);
    !ctx.stores.revocations.state().iter().any(|other| {
        other.labels().get(names::PERSON) == person
            && acted(other) > acted(revocation)
            && other.name_any().starts_with(revocation.name_any().trim_end_matches("-cut"))
    })
}

fn still_gone(ctx: &Context, revocation: &Revocation) -> bool {
    let person = ctx.stores.people.find(|person| person.name_any() == revocation.spec.person);
    convert::standing(person.as_deref()) == Standing::Ended
}
