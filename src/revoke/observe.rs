//! One live look at every target before anything is done: is it still what the plan saw, and still only this person's?

use std::collections::{BTreeMap, BTreeSet};

use crate::kube::named::Api;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::api::{ApiResource, DynamicObject};
use serde_json::Value;

use super::Context;
use super::canary::{self, Canary};
use super::probe::{self, Probe};
use super::record::Record;
use crate::api::{convert, names};
use crate::kube::calls::call;
use crate::kube::gate_inputs::GateInputs;
use crate::kube::inventory;
use crate::kube::outcome::Fault;
use domain::gate::Released;
use domain::ownership::{Index, PersonFacts};
use domain::plan::{self, Action, Consent, Kind, Protected, RemainingReason, Target, World, reach};

/// What was seen of one target.
#[derive(Debug)]
pub enum Observation {
    /// It is as the plan saw it.
    Standing {
        /// The object, without what the API server writes.
        manifest: Value,
        /// Its version: what is changed after this look is not acted on.
        version: Option<String>,
    },
    /// An object with another uid stands in its place.
    Replaced {
        /// That uid.
        uid: String,
    },
    /// Nothing is there.
    Gone,
    /// It is no longer only this person's, or out of reach; left alone.
    NotOurs(RemainingReason),
    /// The API server did not let us look.
    Refused(String),
    /// The API server did not answer; the others go on.
    Unseen(Fault),
    /// An earlier process brought it to its end.
    Settled,
}

/// One target and what was seen of it.
#[derive(Debug)]
pub struct Seen {
    /// The target.
    pub target: Target,
    /// What was seen.
    pub sight: Observation,
    /// A credential of the account, made before the act, where the namespace consented.
    pub canary: Option<Canary>,
    /// A right the binding gives, where one could be picked.
    pub probe: Option<Probe>,
}

/// All targets, in the order of acting.
#[derive(Debug)]
pub struct Observed(Vec<Seen>);

impl Observed {
    /// The targets and what was seen of each.
    pub fn targets(&self) -> &[Seen] {
        &self.0
    }
}

/// Looks at every target live, and makes a canary or picks a probe for those that will be acted on.
pub async fn observe(
    ctx: &Context,
    released: &Released,
    view: &GateInputs,
    index: &Index,
    record: &Record,
) -> Result<Observed, Fault> {
    let targets = &released.plan().targets;
    let accounts = targets.iter().filter(|target| target.kind == Kind::ServiceAccount);
    let namespaces: BTreeSet<String> = accounts.map(|target| target.namespace.clone()).collect();
    let consumers = inventory::consumers_of(&ctx.client, namespaces).await?;
    let eye = Observer { ctx, view, index, record, targets, protected: view.protected(), consumers };
    let mut seen = Vec::with_capacity(targets.len());
    for target in targets {
        let sight = match record.settled(target) {
            true => Observation::Settled,
            false => eye.see(target).await.unwrap_or_else(Observation::Unseen),
        };
        let sight = match sight {
            Observation::Standing { .. } if released.only_finish() => {
                Observation::NotOurs(RemainingReason::NoLongerLeft)
            }
            sight => sight,
        };
        let standing = matches!(sight, Observation::Standing { .. });
        let canary = match target.kind {
            Kind::ServiceAccount if standing => canary::mint(ctx, target).await,
            _ => None,
        };
        let probe = match &sight {
            Observation::Standing { manifest, .. } => probe::pick(ctx, target, manifest).await,
            _ => None,
        };
        seen.push(Seen { target: target.clone(), sight, canary, probe });
    }
    Ok(Observed(seen))
}

struct Observer<'a> {
    ctx: &'a Context,
    view: &'a GateInputs,
    index: &'a Index,
    record: &'a Record,
    targets: &'a [Target],
    protected: Protected,
    consumers: BTreeMap<String, BTreeSet<String>>,
}

impl Observer<'_> {
    async fn see(&self, target: &Target) -> Result<Observation, Fault> {
        let api = dynamic(self.ctx, target);
        let live = match call("look at a target", api.get_opt(&target.name)).await {
            Ok(live) => live,
            Err(fault) if fault.is_forbidden() => {
                return Ok(Observation::Refused("RBAC: the namespace has not consented".to_owned()));
            }
            Err(fault) => return Err(fault),
        };
        let Some(live) = live else { return Ok(Observation::Gone) };
        if live.metadata.name.as_ref() != Some(&target.name) {
            let cause = "the API server answered with an object of another name".to_owned();
            return Err(Fault::Transient { doing: "look at a target", cause });
        }
        let uid = live.metadata.uid.clone().unwrap_or_default();
        if uid != target.uid {
            return Ok(Observation::Replaced { uid });
        }
        if let Some(reason) = self.not_ours(target, &live).await? {
            return Ok(Observation::NotOurs(reason));
        }
        let version = live.metadata.resource_version.clone();
        Ok(Observation::Standing { manifest: manifest(&live), version })
    }

    /// The plan's own rule of reach, on what was just read; `None` if it is still this person's alone, and in reach.
    async fn not_ours(&self, target: &Target, live: &DynamicObject) -> Result<Option<RemainingReason>, Fault> {
        let Some(person) = self.view.person.as_ref().map(convert::person_facts) else {
            return Ok(Some(RemainingReason::AmbiguousMark));
        };
        let mut world = self.world(target);
        if target.kind == Kind::ServiceAccount {
            let account = inventory::account(&live.metadata);
            return Ok(account.map_or(Some(RemainingReason::HandedOver), |account| {
                reach::account(&account, &person, self.index, &world, &self.protected)
            }));
        }
        let Some(binding) = binding(target, live) else { return Ok(Some(RemainingReason::SharedBinding)) };
        let going: Vec<&Target> = self.targets.iter().filter(|target| target.action == Action::Delete).collect();
        if binding_of_the_going(&binding, &going) {
            return self.binding_of_removed(&binding, &person, &going, &mut world).await;
        }
        for subject in &binding.subjects {
            let plan::Subject::Account { namespace, name } = subject else { continue };
            world.accounts.extend(self.live_account(namespace, name).await?);
        }
        Ok(reach::binding(&binding, &person, self.index, &world, &self.protected))
    }

    /// What the rule of reach asks of the cluster. Consent is the API server's to give: it refuses where there is none.
    fn world(&self, target: &Target) -> World {
        World {
            consumers: self.consumers.clone(),
            consents: BTreeMap::from([(target.namespace.clone(), Consent { accounts: true, canaries: false })]),
            own_namespaces: vec![self.ctx.namespace.clone()],
            ..World::default()
        }
    }

    /// A binding of accounts that this same plan removes goes only with all of them: each still stands with the uid the
    /// plan saw and an owner annotation that names this person alone, or this plan is what ended it.
    async fn binding_of_removed(
        &self,
        binding: &plan::Binding,
        person: &PersonFacts,
        going: &[&Target],
        world: &mut World,
    ) -> Result<Option<RemainingReason>, Fault> {
        for target in going.iter().filter(|target| binds(binding, target)) {
            match self.live_account(&target.namespace, &target.name).await? {
                Some(live) if live.uid == target.uid => {
                    if let Some(reason) = reach::account(&live, person, self.index, world, &self.protected) {
                        return Ok(Some(reason));
                    }
                }
                None if self.record.ended(target) => {}
                Some(_) | None => return Ok(Some(RemainingReason::HandedOver)),
            }
        }
        Ok(reach::place(&binding.namespace, &binding.name, binding.break_glass, world, &self.protected))
    }

    /// A marked account, read live. Subjects may name what no account can be called: then there is none.
    async fn live_account(&self, namespace: &str, name: &str) -> Result<Option<plan::Account>, Fault> {
        if !names::is_dns_name(namespace) || !names::is_dns_name(name) {
            return Ok(None);
        }
        let api: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(self.ctx.client.clone(), namespace);
        match call("look at a subject", api.get_opt(name)).await {
            Ok(account) => Ok(account.and_then(|account| inventory::account(&account.metadata))),
            Err(fault) if fault.is_forbidden() => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// Whether every subject of a binding is an account that is removed.
fn binding_of_the_going(binding: &plan::Binding, going: &[&Target]) -> bool {
    !binding.subjects.is_empty()
        && binding.subjects.iter().all(|subject| going.iter().any(|target| is_subject(subject, target)))
}

fn binds(binding: &plan::Binding, target: &Target) -> bool {
    binding.subjects.iter().any(|subject| is_subject(subject, target))
}

fn is_subject(subject: &plan::Subject, target: &Target) -> bool {
    matches!(subject, plan::Subject::Account { namespace, name }
        if target.kind == Kind::ServiceAccount && target.namespace == *namespace && target.name == *name)
}

/// The binding that was read, as a plain value.
fn binding(target: &Target, live: &DynamicObject) -> Option<plan::Binding> {
    let value = serde_json::to_value(live).ok()?;
    match target.kind {
        Kind::ClusterRoleBinding => {
            inventory::cluster_role_binding(&serde_json::from_value::<ClusterRoleBinding>(value).ok()?)
        }
        Kind::RoleBinding => inventory::role_binding(&serde_json::from_value::<RoleBinding>(value).ok()?),
        Kind::ServiceAccount => None,
    }
}

/// The API of a target, as raw JSON: a typed object would lose fields it does not know.
pub fn dynamic(ctx: &Context, target: &Target) -> Api<DynamicObject> {
    let client = ctx.client.clone();
    let rbac = |kind: &str, plural: &str| ApiResource {
        group: "rbac.authorization.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "rbac.authorization.k8s.io/v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    };
    match target.kind {
        Kind::ClusterRoleBinding => Api::all_with(client, &rbac("ClusterRoleBinding", "clusterrolebindings")),
        Kind::RoleBinding => Api::namespaced_with(client, &target.namespace, &rbac("RoleBinding", "rolebindings")),
        Kind::ServiceAccount => {
            let resource = ApiResource::erase::<k8s_openapi::api::core::v1::ServiceAccount>(&());
            Api::namespaced_with(client, &target.namespace, &resource)
        }
    }
}

/// The object without what the API server writes, and without references to token Secrets that die with the account.
fn manifest(live: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(live).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.remove("secrets");
        object.remove("status");
    }
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for written in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
            "generation",
            "selfLink",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            meta.remove(written);
        }
    }
    value
}
