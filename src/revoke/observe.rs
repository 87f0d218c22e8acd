//! One live look at every target before anything is done: is it still what the plan saw, and still only this person's?

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::api::{Api, ApiResource, DynamicObject};
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
use domain::ownership::{Index, Owners};
use domain::plan::{self, Action, Kind, Protected, RemainingReason, Target, World};

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
    let eye = Observer { ctx, view, index, protected: view.protected(), consumers };
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
    protected: Protected,
    consumers: BTreeMap<String, BTreeSet<String>>,
}

impl Observer<'_> {
    async fn see(&self, target: &Target) -> Result<Observation, Fault> {
        let api = dynamic(self.ctx, target);
        let live = match tokio::time::timeout(crate::kube::calls::CALL, api.get_opt(&target.name)).await {
            Ok(Ok(live)) => live,
            Ok(Err(error)) if crate::kube::calls::is(&error, 403) => {
                return Ok(Observation::Refused("RBAC: the namespace has not consented".to_owned()));
            }
            Ok(Err(error)) => return Err(Fault::kube("look at a target", &error)),
            Err(_) => {
                return Err(Fault::Transient { doing: "look at a target", cause: "no answer in time".to_owned() });
            }
        };
        let Some(live) = live else { return Ok(Observation::Gone) };
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

    /// The same rules as the plan's, on what was just read.
    async fn not_ours(&self, target: &Target, live: &DynamicObject) -> Result<Option<RemainingReason>, Fault> {
        let Some(person) = self.view.person.as_ref().map(convert::person_facts) else {
            return Ok(Some(RemainingReason::AmbiguousMark));
        };
        if live.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(names::BREAK_GLASS))
            || self.protected.namespaces.contains(&target.namespace)
        {
            return Ok(Some(RemainingReason::Protected));
        }
        if target.kind != Kind::ServiceAccount {
            return self.binding_not_ours(target, live, &person).await;
        }
        let account = inventory::account(&live.metadata);
        let owner = account.as_ref().map(|account| self.index.resolve(&account.mark));
        if !matches!(owner, Some(Owners::One(owner)) if owner.uid == person.uid) {
            return Ok(Some(RemainingReason::AmbiguousMark));
        }
        if self.protected.accounts.contains(&format!("{}/{}", target.namespace, target.name)) {
            return Ok(Some(RemainingReason::Protected));
        }
        Ok(match (account.and_then(|account| account.purpose).as_deref(), self.consumers.get(&target.namespace)) {
            (Some("personal"), _) => None,
            (Some("workload"), _) => Some(RemainingReason::WorkloadAccount),
            (_, None) => Some(RemainingReason::UnknownConsumers),
            (_, Some(names)) => names.contains(&target.name).then_some(RemainingReason::WorkloadAccount),
        })
    }

    /// Whether a binding has gained a subject that is not this person's. Accounts among its subjects are read live.
    async fn binding_not_ours(
        &self,
        target: &Target,
        live: &DynamicObject,
        person: &domain::ownership::PersonFacts,
    ) -> Result<Option<RemainingReason>, Fault> {
        let value = serde_json::to_value(live).unwrap_or_default();
        let binding = match target.kind {
            Kind::ClusterRoleBinding => serde_json::from_value::<ClusterRoleBinding>(value)
                .ok()
                .as_ref()
                .and_then(inventory::cluster_role_binding),
            Kind::RoleBinding | Kind::ServiceAccount => {
                serde_json::from_value::<RoleBinding>(value).ok().as_ref().and_then(inventory::role_binding)
            }
        };
        let Some(binding) = binding else { return Ok(Some(RemainingReason::SharedBinding)) };
        let mut world = World { consumers: self.consumers.clone(), ..World::default() };
        let going = &self.view.plan().map(|plan| plan.targets).unwrap_or_default();
        for subject in &binding.subjects {
            let plan::Subject::Account { namespace, name } = subject else { continue };
            let removed = |t: &Target| t.kind == Kind::ServiceAccount && t.namespace == *namespace && t.name == *name;
            if going.iter().any(|t| t.action == Action::Delete && removed(t)) {
                world.accounts.extend(self.removed_account(namespace, name, person));
            } else {
                world.accounts.extend(self.live_account(namespace, name).await?);
            }
        }
        Ok((!plan::wholly_owned(&binding, person, self.index, &world)).then_some(RemainingReason::SharedBinding))
    }

    /// An account that this same plan removes counts as this person's, whether or not it is gone already.
    fn removed_account(
        &self,
        namespace: &str,
        name: &str,
        person: &domain::ownership::PersonFacts,
    ) -> Option<plan::Account> {
        let (connection, id) = person.records.first()?;
        Some(plan::Account {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: String::new(),
            mark: format!("id:{connection}/{id}"),
            purpose: Some("personal".to_owned()),
            break_glass: false,
        })
    }

    async fn live_account(&self, namespace: &str, name: &str) -> Result<Option<plan::Account>, Fault> {
        let api: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(self.ctx.client.clone(), namespace);
        match call("look at a subject", api.get_opt(name)).await {
            Ok(account) => Ok(account.and_then(|account| inventory::account(&account.metadata))),
            Err(Fault::Transient { cause, .. }) if cause.starts_with("403") => Ok(None),
            Err(fault) => Err(fault),
        }
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
