//! One live look at every target before anything is done: is it still what the plan saw, and still only this person's?

mod pod;
pub mod secret;
mod shared_binding;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;

use crate::kube::named::Api;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::DynamicObject;
use serde_json::Value;
use tokio::time::Instant;

use super::Context;
use super::canary::{self, Canary};
use super::probe::{self, Probe};
use super::record::{Manifest, Record};
use crate::api::{convert, names};
use crate::kube::calls::{self, call, surely};
use crate::kube::gate_inputs::GateInputs;
use crate::kube::outcome::Fault;
use crate::kube::{inventory, targets};
use domain::gate::Released;
use domain::handover;
use domain::ownership::{Index, PersonFacts};
use domain::plan::{self, Action, ClusterInventory, Consent, Kind, Protected, RemainingReason, Target, reach};
use domain::sessions::Places;
use secret::Rotatable;

/// Targets of one Revocation that are looked at, acted on, or judged at once.
pub const SIDE_BY_SIDE: usize = 8;
/// Longest look at one target.
const LOOK: Duration = Duration::from_secs(15);

/// What was seen of one target.
#[derive(Debug)]
pub enum Observation {
    /// It is as the plan saw it.
    Standing {
        /// What is kept of it.
        manifest: Manifest,
        /// Its version: what is changed after this look is looked at again.
        version: Option<String>,
        /// Whether a finalizer will hold it when it is deleted.
        held: bool,
    },
    /// A binding that others share: `rollcall trim` is to take this person out of it.
    Shared {
        /// What is kept of it.
        manifest: Manifest,
    },
    /// A Secret that is to get a new value.
    Rotates(Box<Rotatable>),
    /// A Secret that has one: whether it is in use is to be seen.
    Rotated,
    /// A pod that is to be evicted.
    Evicts,
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
    pub observation: Observation,
    /// A credential of the account, made before the act, where the namespace consented.
    pub canary: Option<Canary>,
    /// A right the binding gives, where one could be picked.
    pub probe: Option<Probe>,
    /// Of a shared binding: the user names that are to go.
    pub leaving: BTreeSet<String>,
}

impl Seen {
    /// Seen, and nothing more is known of it.
    pub fn only(target: &Target, observation: Observation) -> Self {
        let leaving = BTreeSet::new();
        Self { target: target.clone(), observation, canary: None, probe: None, leaving }
    }
}

/// All targets, in the order of acting.
#[derive(Debug)]
pub struct Observed(Vec<Seen>);

impl Observed {
    /// The targets and what was seen of each.
    pub fn targets(&self) -> &[Seen] {
        &self.0
    }

    /// What it takes of memory, in KiB, together with the record that is made of it.
    pub fn kib(&self) -> u32 {
        let manifests = self.0.iter().map(|seen| match &seen.observation {
            Observation::Standing { manifest, .. } | Observation::Shared { manifest } => 2 * manifest.len(),
            _ => 0,
        });
        let names = self.0.iter().map(|seen| 4 * (seen.target.name.len() + 256));
        u32::try_from(manifests.chain(names).sum::<usize>() / 1024).unwrap_or(u32::MAX).max(1)
    }
}

/// What a look at a target is judged by.
pub struct Observer<'a> {
    ctx: &'a Context,
    person: Option<PersonFacts>,
    targets: Vec<Target>,
    /// Uids of targets that an earlier process brought to their end.
    ended: BTreeSet<String>,
    only_finish: bool,
    index: Arc<Index>,
    /// When this Revocation was taken up.
    begun: Instant,
    protected: Protected,
    consumers: BTreeMap<String, BTreeSet<String>>,
    /// Of a plan that evicts pods: where sessions may be open, and since when none can be opened.
    sessions: Option<(Places, Timestamp)>,
}

impl<'a> Observer<'a> {
    /// Reads what every look is judged by: everybody, and what runs as the accounts.
    pub async fn new(
        ctx: &'a Context,
        released: &Released,
        inputs: &GateInputs,
        record: &Record,
    ) -> Result<Self, Fault> {
        let begun = Instant::now();
        let targets = released.plan().targets.clone();
        let accounts = targets.iter().filter(|target| target.kind == Kind::ServiceAccount);
        let namespaces: BTreeSet<String> = accounts.map(|target| target.namespace.clone()).collect();
        let (index, consumers, cut) =
            futures::try_join!(ctx.shared.people(ctx), ctx.shared.consumers(ctx, namespaces), pod::cut(ctx, inputs),)?;
        let person = inputs.person.as_ref().map(|person| convert::person_facts(person, calls::now()));
        let sessions = pod::sessions(ctx, cut, person.as_ref(), &index, begun).await?;
        let ended = targets.iter().filter(|target| record.ended(target)).map(|target| target.uid.clone()).collect();
        Ok(Self {
            ctx,
            person,
            targets,
            ended,
            only_finish: released.only_finish(),
            index,
            begun,
            protected: inputs.protected(),
            consumers,
            sessions,
        })
    }

    /// Looks at every target live, side by side, and makes a canary or picks a probe for those that will be acted on.
    pub async fn observe(&self, record: &Record) -> Observed {
        let looks = self.targets.iter().map(|target| async {
            let mut seen = match record.settled(target) {
                _ if target.action == Action::Rotate => self.observe_secret(target, record).await,
                true => Seen::only(target, Observation::Settled),
                false => self.observe_one(target).await,
            };
            if target.action == Action::Trim && seen.leaving.is_empty() {
                // An earlier process saw them, or they went before this look.
                seen.leaving = match record.manifest(target) {
                    Some(kept) => self.leaving(&kept),
                    None => self.leaving_now(target).await, // too large to be kept
                };
            }
            seen
        });
        Observed(futures::stream::iter(looks).buffered(SIDE_BY_SIDE).collect().await)
    }

    async fn observe_one(&self, target: &Target) -> Seen {
        let late = |_| Err(Fault::unanswered("look at a target"));
        let looked = tokio::time::timeout(LOOK, self.look(target)).await.unwrap_or_else(late);
        let (observation, raw) = looked.unwrap_or_else(|fault| (Observation::Unseen(fault), None));
        let Some(raw) = raw else { return Seen::only(target, observation) };
        let leaving = if target.action == Action::Trim { self.leaving(&raw) } else { BTreeSet::new() };
        let proof = async {
            match target.kind {
                Kind::ServiceAccount => (canary::mint(self.ctx, target).await, None),
                Kind::User | Kind::Secret | Kind::Pod => (None, None),
                Kind::RoleBinding | Kind::ClusterRoleBinding => {
                    (None, probe::pick(self.ctx, target, &raw, &leaving).await)
                }
            }
        };
        let (canary, probe) = tokio::time::timeout(LOOK, proof).await.unwrap_or_default();
        Seen { target: target.clone(), observation, canary, probe, leaving }
    }

    /// Looks at one target again.
    pub async fn see(&self, target: &Target) -> Result<Observation, Fault> {
        self.look(target).await.map(|(observation, _)| observation)
    }

    /// What stands there, and the object itself if it is to be acted on.
    async fn look(&self, target: &Target) -> Result<(Observation, Option<Value>), Fault> {
        if target.action == Action::Rotate {
            return Ok((self.look_at_secret(target).await?, None)); // its metadata alone
        }
        if target.action == Action::Evict {
            return Ok((self.look_at_pod(target).await?, None));
        }
        let api = targets::api(&self.ctx.client, target);
        let read = || call("look at a target", api.get_opt(&target.name));
        let is_another = |found: &Option<DynamicObject>| {
            found.as_ref().and_then(|found| found.metadata.uid.as_ref()) != Some(&target.uid)
        };
        let live = match surely(read, is_another).await {
            Ok(live) => live,
            Err(fault) if fault.is_forbidden() && namespace_is_gone(self.ctx, &target.namespace).await? => None,
            Err(fault) if fault.is_forbidden() => {
                return Ok((Observation::Refused("RBAC: the namespace has not consented".to_owned()), None));
            }
            Err(fault) => return Err(fault),
        };
        let Some(live) = live else { return Ok((Observation::Gone, None)) };
        if live.metadata.name.as_ref() != Some(&target.name) {
            let cause = "the API server answered with an object of another name".to_owned();
            return Err(Fault::Transient { doing: "look at a target", cause });
        }
        let uid = live.metadata.uid.clone().unwrap_or_default();
        if uid != target.uid {
            return Ok((Observation::Replaced { uid }, None));
        }
        if target.action == Action::Trim {
            return self.look_at_shared(target, &live).await;
        }
        if let Some(reason) = self.not_ours(target, &live).await? {
            return Ok((Observation::NotOurs(reason), None));
        }
        if self.only_finish {
            return Ok((Observation::NotOurs(RemainingReason::NoLongerLeft), None));
        }
        Ok(standing(&live))
    }

    /// The plan's own rule of reach, on what was just read; `None` if it is still this person's alone, and in reach.
    ///
    /// What everybody was known to be may be some seconds old. A no that another record of the same human gives is asked
    /// again of what is read now: records that ended together must not hold one another.
    async fn not_ours(&self, target: &Target, live: &DynamicObject) -> Result<Option<RemainingReason>, Fault> {
        let reason = self.not_ours_by(&self.index, target, live).await?;
        if !matches!(reason, Some(RemainingReason::WorksHere | RemainingReason::AmbiguousMark)) {
            return Ok(reason);
        }
        let index = self.ctx.shared.people_since(self.ctx, self.begun).await?;
        self.not_ours_by(&index, target, live).await
    }

    async fn not_ours_by(
        &self,
        index: &Index,
        target: &Target,
        live: &DynamicObject,
    ) -> Result<Option<RemainingReason>, Fault> {
        let Some(person) = &self.person else { return Ok(Some(RemainingReason::AmbiguousMark)) };
        let mut world = self.world(target);
        if target.kind == Kind::ServiceAccount {
            let account = inventory::account(&live.metadata);
            let Some(account) = account else { return Ok(Some(RemainingReason::HandedOver)) };
            return match target.action {
                Action::HandOver => Box::pin(self.not_handed_over(target, &account, person, index, &world, live)).await,
                _ => Ok(reach::account(&account, person, index, &world, &self.protected)),
            };
        }
        let Some(binding) = targets::binding(target, live) else { return Ok(Some(RemainingReason::SharedBinding)) };
        let going: Vec<&Target> = self.targets.iter().filter(|target| target.action == Action::Delete).collect();
        if binding_of_the_going(&binding, &going) {
            return self.binding_of_removed(&binding, person, index, &going, &world).await;
        }
        for subject in &binding.subjects {
            let plan::Subject::Account { namespace, name } = subject else { continue };
            world.accounts.extend(self.live_account(namespace, name).await?);
        }
        Ok(reach::binding(&binding, person, index, &world, &self.protected))
    }

    /// Why an account is not handed over: it is not this person's alone, or out of reach; who was to get it does not work here any more; or
    /// something holds one of its token Secrets, which would be gone for good.
    async fn not_handed_over(
        &self,
        target: &Target,
        account: &plan::Account,
        person: &PersonFacts,
        index: &Index,
        world: &ClusterInventory,
        live: &DynamicObject,
    ) -> Result<Option<RemainingReason>, Fault> {
        if let Some(reason) = reach::workload(account, person, index, world, &self.protected) {
            return Ok(Some(reason));
        }
        if self.only_finish {
            return Ok(None); // it is left alone as what it is
        }
        if !target.heir.as_deref().is_some_and(|heir| handover::still_fits(heir, person, index)) {
            return Ok(Some(RemainingReason::HeirLeft));
        }
        let runs = match inventory::workloads(&self.ctx.client, &target.namespace).await {
            Ok(runs) => runs,
            Err(fault) if fault.is_forbidden() => return Ok(Some(RemainingReason::UnknownConsumers)),
            Err(fault) => return Err(fault),
        };
        let listed = live.data.get("secrets").and_then(Value::as_array).into_iter().flatten();
        let listed: BTreeSet<&str> = listed.filter_map(|secret| secret.get("name")?.as_str()).collect();
        let its = |secret: &String| {
            let made = secret.strip_prefix(&target.name).is_some_and(|rest| rest.starts_with("-token"));
            made || listed.contains(secret.as_str())
        };
        Ok(runs.secrets.iter().any(its).then_some(RemainingReason::TokenInUse))
    }

    /// What the rule of reach asks of the cluster. Consent is the API server's to give: it refuses where there is none.
    fn world(&self, target: &Target) -> ClusterInventory {
        ClusterInventory {
            consumers: self.consumers.clone(),
            consents: BTreeMap::from([(
                target.namespace.clone(),
                Consent { accounts: true, trim: true, rotate: true, workloads: true, ..Consent::default() },
            )]),
            own_namespaces: self.ctx.own_namespaces.clone(),
            ..ClusterInventory::default()
        }
    }

    /// A binding of accounts that this same plan removes goes only with all of them: each still stands with the uid the
    /// plan saw and an owner annotation that names this person alone, or this plan is what ended it.
    async fn binding_of_removed(
        &self,
        binding: &plan::Binding,
        person: &PersonFacts,
        index: &Index,
        going: &[&Target],
        world: &ClusterInventory,
    ) -> Result<Option<RemainingReason>, Fault> {
        for target in going.iter().filter(|target| binds(binding, target)) {
            match self.live_account(&target.namespace, &target.name).await? {
                Some(live) if live.uid == target.uid => {
                    if let Some(reason) = reach::account(&live, person, index, world, &self.protected) {
                        return Ok(Some(reason));
                    }
                }
                None if self.ended.contains(&target.uid) => {}
                Some(_) | None => return Ok(Some(RemainingReason::HandedOver)),
            }
        }
        Ok(reach::place(&binding.namespace, &binding.name, binding.break_glass, world, &self.protected))
    }

    /// An annotated account, read live. Subjects may name what no account can be called: then there is none.
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

/// Whether a namespace is gone, and with it its consent and everything in it; `""` stands for the cluster.
pub async fn namespace_is_gone(ctx: &Context, namespace: &str) -> Result<bool, Fault> {
    if namespace.is_empty() {
        return Ok(false);
    }
    let namespaces: Api<Namespace> = Api::all(ctx.client.clone());
    match call("look for the namespace", namespaces.get_opt(namespace)).await {
        Ok(namespace) => Ok(namespace.is_none()),
        Err(fault) if fault.is_forbidden() => Ok(false),
        Err(fault) => Err(fault),
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

/// It stands as the plan saw it, and is to be acted on.
fn standing(live: &DynamicObject) -> (Observation, Option<Value>) {
    let raw = without_servers_fields(live);
    let standing = Observation::Standing {
        manifest: Manifest::of(&raw),
        version: live.metadata.resource_version.clone(),
        held: live.metadata.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty()),
    };
    (standing, Some(raw))
}

/// The object without what the API server writes, and without references to token Secrets that die with the account.
fn without_servers_fields(live: &DynamicObject) -> Value {
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
