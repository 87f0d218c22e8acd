//! A leaver's Revocations: one cut for each termination, one removal after it, and one for what turns up later.
//!
//! Names are deterministic, so that two leaders, or one that was restarted, make each of them once.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::{Api, ListParams, ObjectMeta, PostParams};
use kube::runtime::controller::Action;
use sha2::{Digest, Sha256};

use super::{Context, access, of_person};
use crate::api::person::{self, Standing};
use crate::api::revocation::{Operation, Phase, RevocationSpec, Trigger};
use crate::api::{Person, Revocation, SyncPolicy, convert, names, quantity};
use crate::kube::calls;
use crate::kube::inventory::list_each;
use crate::kube::outcome::Fault;
use crate::kube::watched;
use domain::plan::Plan;
use domain::roster;

/// Look again in case a change was missed.
const AGAIN: Duration = Duration::from_secs(600);
/// Look again after a fault.
const RETRY: Duration = Duration::from_secs(2);

/// Makes the Revocations that a leaver calls for, and no others.
///
/// # Flow          observe: the Person's standing and Revocations; decide: what is missing; act: create it
/// # Guarantees    never changes a Person or an existing Revocation
/// # Errors        none that end: a fault is logged and looked at again
pub async fn reconcile(person: Arc<Person>, ctx: Arc<Context>) -> Result<Action, Infallible> {
    Ok(match step(&person, &ctx).await {
        Ok(()) => Action::requeue(AGAIN),
        Err(fault) => {
            watched::failed(&fault);
            tracing::warn!(person = person.name_any(), %fault, "leaver not planned; looked at again");
            Action::requeue(RETRY)
        }
    })
}

async fn step(person: &Person, ctx: &Context) -> Result<(), Fault> {
    let Some((standing, policy)) = leaver(person, ctx) else { return Ok(()) };
    let story = Story::of(person, &standing);
    let all = revocations(ctx, person).await?;
    let told: Vec<&Revocation> =
        all.iter().filter(|revocation| revocation.name_any().starts_with(&story.prefix)).collect();
    match told.iter().find(|revocation| revocation.name_any() == story.cut()) {
        None => {
            create(ctx, person, story.cut(), spec(person, &policy, &standing, Operation::Cut, story.effective, false))
                .await
        }
        Some(cut) => {
            for ended in told.iter().filter(|revocation| revocation.spec.operation == Operation::Cut) {
                follow_up(ctx, person, &standing, &policy, &story, ended, &told).await?;
            }
            if frozen(cut) { late(ctx, person, &standing, &policy, &story).await } else { Ok(()) }
        }
    }
}

/// What one termination is called.
struct Story {
    prefix: String,
    effective: Timestamp,
}

impl Story {
    fn of(person: &Person, standing: &Standing) -> Self {
        let seen = standing.seen.unwrap_or(standing.since);
        let prefix = roster::story_prefix(&person.name_any(), seen);
        Self { prefix, effective: standing.effective.unwrap_or(seen) }
    }

    fn cut(&self) -> String {
        format!("{}-cut", self.prefix)
    }
}

/// The standing and policy of a Person whose employment has ended; `None` otherwise.
fn leaver(person: &Person, ctx: &Context) -> Option<(Standing, Arc<SyncPolicy>)> {
    let status = person.status.as_ref()?;
    let standing = status.employment.clone().filter(|standing| standing.state == person::State::Terminated)?;
    let name = status.policy.as_ref()?;
    let policy = ctx.stores.policies.find(|policy| policy.metadata.name.as_ref() == Some(name))?;
    Some((standing, policy))
}

/// A removal, once a cut is over and it recreated anything.
async fn follow_up(
    ctx: &Context,
    person: &Person,
    standing: &Standing,
    policy: &SyncPolicy,
    story: &Story,
    cut: &Revocation,
    told: &[&Revocation],
) -> Result<(), Fault> {
    let Some(status) = cut.status.as_ref().filter(|status| status.phase == Some(Phase::Revoked)) else { return Ok(()) };
    let Some(acted) = status.acted else { return Ok(()) };
    if recreated(std::iter::once(cut)).is_empty() {
        return Ok(());
    }
    let name = format!("{}-remove", cut.name_any().trim_end_matches("-cut"));
    if told.iter().any(|revocation| revocation.name_any() == name) {
        return Ok(());
    }
    let after =
        quantity::duration("spec.lifecycle.termination.removeAfter", &policy.spec.lifecycle.termination.remove_after)?;
    debug_assert!(name.starts_with(&story.prefix));
    create(ctx, person, name, spec(person, policy, standing, Operation::Remove, acted + after, false)).await
}

/// One more Revocation for what turned up after the plan was frozen; it acts only once approved.
///
/// The story is read after the plan is drawn: an account the revoker has just made again is in the cluster before its uid
/// is in the steps, but never before the claim. While a claim is open nothing can be told apart; its end wakes us again.
async fn late(
    ctx: &Context,
    person: &Person,
    standing: &Standing,
    policy: &SyncPolicy,
    story: &Story,
) -> Result<(), Fault> {
    let plan = access::draw(ctx, person, policy, Operation::Cut, &BTreeSet::new()).await?;
    let mut told = revocations(ctx, person).await?;
    told.retain(|revocation| revocation.name_any().starts_with(&story.prefix));
    if told.iter().any(under_way) {
        return Ok(());
    }
    let known = known_uids(told.iter());
    let fresh: BTreeSet<&str> =
        plan.targets.iter().map(|target| target.uid.as_str()).filter(|uid| !known.contains(*uid)).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let digest = Sha256::digest(fresh.into_iter().collect::<Vec<_>>().join(",").as_bytes());
    let short: String = data_encoding::HEXLOWER.encode(&digest).chars().take(6).collect();
    let name = format!("{}-late-{short}-cut", story.prefix);
    create(ctx, person, name, spec(person, policy, standing, Operation::Cut, (ctx.clock)(), true)).await
}

/// Whether the revoker has begun, and has not come to an end.
fn under_way(revocation: &Revocation) -> bool {
    revocation.status.as_ref().is_some_and(|status| status.claim.is_some() && status.finished.is_none())
}

/// Whether the plan may no longer be redrawn: it was approved, released, begun, or is over.
#[must_use]
pub fn frozen(revocation: &Revocation) -> bool {
    let phase = revocation.status.as_ref().and_then(|status| status.phase);
    let claimed = revocation.status.as_ref().is_some_and(|status| status.claim.is_some());
    claimed || revocation.spec.approval.is_some() || !matches!(phase, None | Some(Phase::Held))
}

/// Uids that the Revocations of a story already deal with: targets, and the accounts that took their place.
#[must_use]
pub fn known_uids<'a>(told: impl Iterator<Item = &'a Revocation>) -> BTreeSet<String> {
    told.filter_map(|revocation| revocation.status.as_ref())
        .flat_map(|status| {
            let planned = status.plan.iter().flat_map(|plan| plan.targets.iter().map(|target| target.uid.clone()));
            planned.chain(status.steps.iter().filter_map(|step| step.new_uid.clone()))
        })
        .collect()
}

/// Uids that cuts gave to recreated accounts.
#[must_use]
pub fn recreated<'a>(cuts: impl Iterator<Item = &'a Revocation>) -> BTreeSet<String> {
    cuts.filter_map(|cut| cut.status.as_ref())
        .flat_map(|status| status.steps.iter().filter_map(|step| step.new_uid.clone()))
        .collect()
}

/// Every Revocation of a Person, read live.
pub async fn revocations(ctx: &Context, person: &Person) -> Result<Vec<Revocation>, Fault> {
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    list_each(&api, &ListParams::default().labels(&of_person(&person.name_any())), Some).await
}

fn spec(
    person: &Person,
    policy: &SyncPolicy,
    standing: &Standing,
    operation: Operation,
    due: Timestamp,
    late: bool,
) -> RevocationSpec {
    RevocationSpec {
        person: person.name_any(),
        person_uid: person.uid().unwrap_or_default(),
        policy: policy.name_any(),
        trigger: Trigger::Termination,
        operation,
        due,
        late,
        reason: standing.why.clone(),
        approval: None,
    }
}

/// Creates a Revocation; one of that name is the same one.
async fn create(ctx: &Context, person: &Person, name: String, spec: RevocationSpec) -> Result<(), Fault> {
    let run = person.status.as_ref().and_then(|status| status.employment.as_ref()?.run.clone());
    let mut labels = std::collections::BTreeMap::from([(names::PERSON.to_owned(), person.name_any())]);
    if let Some(run) = run.filter(|_| !spec.late) {
        labels.insert(names::RUN.to_owned(), run);
    }
    let revocation = Revocation {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(ctx.options.namespace.clone()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    };
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    match tokio::time::timeout(calls::CALL, api.create(&PostParams::default(), &revocation)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if calls::is(&error, 409) => Ok(()),
        Ok(Err(error)) => Err(Fault::kube("create a Revocation", &error)),
        Err(_) => Err(Fault::Transient { doing: "create a Revocation", cause: "no answer in time".to_owned() }),
    }
}

/// The plan of a Revocation as the cluster is now.
pub async fn plan_now(
    ctx: &Context,
    revocation: &Revocation,
    person: &Person,
    policy: &SyncPolicy,
) -> Result<Plan, Fault> {
    let told = revocations(ctx, person).await?;
    let others = told.iter().filter(|other| other.name_any() != revocation.name_any());
    let mut plan = match revocation.spec.operation {
        Operation::Cut => access::draw(ctx, person, policy, Operation::Cut, &BTreeSet::new()).await?,
        Operation::Remove => {
            let cut = format!("{}-cut", revocation.name_any().trim_end_matches("-remove"));
            let uids = recreated(told.iter().filter(|other| other.name_any() == cut));
            access::draw(ctx, person, policy, Operation::Remove, &uids).await?
        }
    };
    if revocation.spec.late {
        let known = known_uids(others);
        plan.targets.retain(|target| !known.contains(&target.uid));
        plan.hash = domain::plan::hash(
            &revocation.spec.person_uid,
            &convert::rule(policy),
            revocation.spec.operation.into(),
            &plan.targets,
        );
    }
    Ok(plan)
}

/// How long until an instant, for a requeue; never more than the usual look.
#[must_use]
pub fn until(instant: Timestamp, now: Timestamp) -> Duration {
    calls::wait(instant.duration_since(now).max(SignedDuration::ZERO)).min(AGAIN)
}
