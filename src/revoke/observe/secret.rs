//! A look at a Secret that is to be rotated: is it still what the plan saw, still only this person's, and does who manages it agree?
//! Of the Secret the metadata alone is asked for.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ObjectMeta};
use serde_json::Value;

use super::{LOOK, Observation, Observer, Record, Seen, namespace_is_gone};
use crate::api::names;
use crate::api::revocation::{Rotation, Rotator, StepOutcome};
use crate::kube::calls::{self, call};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::secrets;
use domain::ownership::Index;
use domain::plan::{RemainingReason, Target, rotate};
use domain::rotation::Way;

/// A Secret that is to get a new value.
#[derive(Clone, Debug)]
pub struct Rotatable {
    /// How.
    pub way: Way,
    /// How far it is.
    pub rotation: Rotation,
    /// Its version.
    pub version: Option<String>,
    /// When its contents were last written.
    pub written: Option<Timestamp>,
}

impl Rotatable {
    /// Goes on with what was known of it before: a value that is another one than then is there already, even where
    /// nobody wrote down that it was asked for.
    pub fn keep(&mut self, known: &Rotation) {
        let value = |told: &str| told.split_once(' ').map_or(told, |(value, _)| value).to_owned();
        let another = value(&known.before) != value(&self.rotation.before);
        self.rotation = known.clone();
        if another {
            self.rotation.asked.get_or_insert_with(calls::now);
            // What external-secrets and cert-manager wrote is looked at by what they say of it.
            if self.rotation.by == Rotator::Generator && self.rotation.written.is_none() {
                self.rotation.written = self.written;
            }
        }
    }
}

/// Kinds of who manages Secrets; they need not be installed.
fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

/// ExternalSecrets of a namespace, in the version that the Secret names.
pub fn external_secrets(client: &Client, namespace: &str, api_version: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap_or_default();
    Api::namespaced_with(client.clone(), namespace, &resource(group, version, "ExternalSecret", "externalsecrets"))
}

/// Certificates of a namespace.
pub fn certificates(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource("cert-manager.io", "v1", "Certificate", "certificates"))
}

/// A text in an object, by its path; empty if there is none.
pub fn text(object: &DynamicObject, path: &str) -> String {
    match object.data.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// What tells one state of an ExternalSecret's Secret from another: the value, and when it was last fetched.
pub fn told_by_external(secret: &ObjectMeta, external: &DynamicObject) -> Option<String> {
    Some(format!("{} {}", secrets::told_by(secret)?, text(external, "/status/refreshTime")))
}

/// The same of a Certificate: its revision, and when it last failed.
pub fn told_by_certificate(certificate: &DynamicObject) -> String {
    format!("{} {}", text(certificate, "/status/revision"), text(certificate, "/status/lastFailureTime"))
}

impl Observer<'_> {
    /// One look for this process: what an earlier one brought to its end stays so, and a value that was written is not written again.
    pub(super) async fn observe_secret(&self, target: &Target, record: &Record) -> Seen {
        let step = record.step(target);
        let rotation = step.and_then(|step| step.rotation.clone());
        let outcome = step.map_or(StepOutcome::Begun, |step| step.outcome);
        match (outcome, rotation) {
            (StepOutcome::Done, Some(rotation)) if rotation.written.is_some() && !self.only_finish => {
                Seen::only(target, Observation::Rotated)
            }
            (StepOutcome::Begun, rotation) => {
                let late = |_| Err(Fault::unanswered("look at a Secret"));
                let looked = tokio::time::timeout(LOOK, self.look_at_secret(target)).await.unwrap_or_else(late);
                let mut observation = looked.unwrap_or_else(Observation::Unseen);
                // What it was before an earlier process began is what it is compared with.
                if let (Observation::Rotates(rotatable), Some(rotation)) = (&mut observation, rotation) {
                    rotatable.keep(&rotation);
                }
                Seen::only(target, observation)
            }
            _ => Seen::only(target, Observation::Settled),
        }
    }

    /// What stands there of a Secret.
    pub async fn look_at_secret(&self, target: &Target) -> Result<Observation, Fault> {
        let api: Api<Secret> = Api::namespaced(self.ctx.client.clone(), &target.namespace);
        let live = match call("look at the metadata of a Secret", api.get_metadata_opt(&target.name)).await {
            Ok(live) => live,
            Err(fault) if fault.is_forbidden() && namespace_is_gone(self.ctx, &target.namespace).await? => None,
            Err(fault) if fault.is_forbidden() => {
                return Ok(Observation::Refused("RBAC: the namespace has not consented to rotate".to_owned()));
            }
            Err(fault) => return Err(fault),
        };
        let Some(live) = live.map(|live| live.metadata) else {
            return Ok(Observation::NotOurs(RemainingReason::SecretGone));
        };
        if live.uid.as_ref() != Some(&target.uid) || live.name.as_ref() != Some(&target.name) {
            return Ok(Observation::NotOurs(RemainingReason::SecretGone));
        }
        let Some(secret) = secrets::owned(&live) else {
            return Ok(Observation::NotOurs(RemainingReason::HandedOver));
        };
        if let Some(reason) = self.secret_left_alone(target, &secret).await? {
            return Ok(Observation::NotOurs(reason));
        }
        if self.only_finish {
            return Ok(Observation::NotOurs(RemainingReason::NoLongerLeft));
        }
        let Some(way) = secret.way else { return Ok(Observation::NotOurs(RemainingReason::NothingRotates)) };
        self.rotatable(target, way, &live).await
    }

    /// The plan's own rule, on what was just read.
    async fn secret_left_alone(
        &self,
        target: &Target,
        secret: &rotate::Secret,
    ) -> Result<Option<RemainingReason>, Fault> {
        let Some(person) = &self.person else { return Ok(Some(RemainingReason::AmbiguousMark)) };
        let world = self.world(target);
        let judge = |index: &Index| rotate::left_alone(secret, person, index, &world, &self.protected);
        let reason = judge(&self.index);
        if !matches!(reason, Some(RemainingReason::WorksHere | RemainingReason::AmbiguousMark)) {
            return Ok(reason);
        }
        Ok(judge(self.ctx.shared.people_since(self.ctx, self.begun).await?.as_ref()))
    }

    /// Whether who manages it says so too: an annotation on a Secret must not have somebody else's certificate issued again.
    async fn rotatable(&self, target: &Target, way: Way, live: &ObjectMeta) -> Result<Observation, Fault> {
        let not = |reason| Ok(Observation::NotOurs(reason));
        let (by, before) = match &way {
            Way::ExternalSecret { api_version, name, uid } => {
                let api = external_secrets(&self.ctx.client, &target.namespace, api_version);
                let Some(external) = managed_by(api.get_opt(name)).await? else {
                    return not(RemainingReason::NothingRotates);
                };
                let External::There(external) = external else { return Ok(refused()) };
                let named = text(&external, "/spec/target/name");
                let its = if named.is_empty() { name } else { &named };
                let agrees = external.metadata.uid.as_ref() == Some(uid) && *its == target.name;
                match told_by_external(live, &external).filter(|_| agrees) {
                    Some(before) => (Rotator::ExternalSecrets, before),
                    None => return not(RemainingReason::NothingRotates),
                }
            }
            Way::Certificate { name } => {
                let api = certificates(&self.ctx.client, &target.namespace);
                let Some(certificate) = managed_by(api.get_opt(name)).await? else {
                    return not(RemainingReason::NothingRotates);
                };
                let External::There(certificate) = certificate else { return Ok(refused()) };
                let revision = text(&certificate, "/status/revision");
                if text(&certificate, "/spec/secretName") != target.name || revision.is_empty() {
                    return not(RemainingReason::NothingRotates);
                }
                if text(&certificate, "/spec/privateKey/rotationPolicy") != "Always" {
                    return not(RemainingReason::KeyStays);
                }
                (Rotator::CertManager, told_by_certificate(&certificate))
            }
            Way::Generate(_) => {
                let notes = live.annotations.as_ref();
                let before = notes.and_then(|notes| notes.get(names::ROTATED)).cloned().unwrap_or_default();
                (Rotator::Generator, before)
            }
        };
        let before = before.chars().take(64).collect();
        let rotation = Rotation { by, before, asked: None, written: None, written_by: None };
        let version = live.resource_version.clone();
        Ok(Observation::Rotates(Box::new(Rotatable { way, rotation, version, written: secrets::written(live) })))
    }
}

/// What manages a Secret, or that it may not be read.
enum External {
    There(Box<DynamicObject>),
    Refused,
}

/// None where there is no such object, or no such kind: neither has to be installed.
async fn managed_by(
    read: impl Future<Output = kube::Result<Option<DynamicObject>>>,
) -> Result<Option<External>, Fault> {
    match call("look at what manages a Secret", read).await {
        Ok(found) => Ok(found.map(Box::new).map(External::There)),
        Err(fault) if fault.is_not_found() => Ok(None),
        Err(fault) if fault.is_forbidden() => Ok(Some(External::Refused)),
        Err(fault) => Err(fault),
    }
}

fn refused() -> Observation {
    Observation::Refused("RBAC: the revoker may not read what manages the Secret".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_another_one_already_is_neither_asked_for_nor_written_again() {
        let at: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let rotation = |by, before: &str| {
            let before = before.to_owned();
            Rotation { by, before, asked: None, written: None, written_by: None }
        };
        for (what, by, before, now, asked, written) in [
            ("as it was", Rotator::Generator, "t1", "t1", false, false),
            ("generated, and nobody wrote that down", Rotator::Generator, "t1", "t2", true, true),
            ("generated for the first time", Rotator::Generator, "", "t2", true, true),
            ("fetched, and nobody wrote that down", Rotator::ExternalSecrets, "a t1", "b t2", true, false),
            ("fetched by itself, and the same", Rotator::ExternalSecrets, "a t1", "a t2", false, false),
            ("issued", Rotator::CertManager, "1 ", "2 ", true, false),
            ("failed by itself", Rotator::CertManager, "1 ", "1 t2", false, false),
        ] {
            let way = Way::Certificate { name: "any".to_owned() };
            let mut fresh = Rotatable { way, rotation: rotation(by, now), version: None, written: Some(at) };
            fresh.keep(&rotation(by, before));
            let kept = (fresh.rotation.asked.is_some(), fresh.rotation.written.is_some());
            assert_eq!((kept, fresh.rotation.before.as_str()), ((asked, written), before), "{what}");
        }
    }
}
