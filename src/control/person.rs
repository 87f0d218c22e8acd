//! A leaver's Revocations: one cut for each termination, one removal after it, and one for what turns up later; and one for each
//! leave that the policy acts on.
//!
//! Names are deterministic, so that two leaders, or one that was restarted, make each of them once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::kube::named::Api;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::{ListParams, ObjectMeta, PostParams};
use sha2::{Digest, Sha256};

use super::access::{self, Notice};
use super::owned_status::open;
use super::retention::long_ago;
use super::{Context, marks, sessions, sources};
use crate::api::person::{self, EmploymentState};
use crate::api::policy::Leave;
use crate::api::revocation::{self, Operation, Phase, RevocationSpec, RevocationStatus, Step, StepOutcome, Trigger};
use crate::api::{Person, Revocation, SyncPolicy, convert, names, quantity};
use crate::kube::calls;
use crate::kube::inventory::list_each;
use crate::kube::outcome::{self, Fault, Report};
use domain::ownership::PersonFacts;
use domain::plan::{Action, Kind, Plan, Target};
use domain::roster;

/// Look again at somebody who is held, in case the clock was set.
const HELD: Duration = Duration::from_secs(3600);
/// A removal that is due later than this is made once nobody waits to be cut, which is looked at again after a while: of a thousand who
/// leave at once nobody's cut waits for what is due in days.
const IN_TIME: SignedDuration = SignedDuration::from_hours(1);
const AFTER_OTHERS: Duration = Duration::from_secs(15);
/// Longest reason that the schema takes.
const MAX_REASON: usize = 256;
/// What the names of later discoveries have after that of the termination; of those that are handed over, more of it.
const LATE: &str = "-late-";
const HANDED_OVER: &str = "-late-handover-";
/// Most uids of what somebody owned that the schema takes; twice what one plan holds.
const MAX_OWNED: usize = 512;

/// Makes the Revocations that a leaver, or somebody on leave, calls for, and no others. A leaver who is done is not looked at again.
///
/// # Flow          observe: the Person's standing and Revocations; decide: what is missing; act: create it
/// # Guarantees    never changes a Person or an existing Revocation
/// # Errors        none that end: a fault is logged and looked at again
pub async fn reconcile(person: Arc<Person>, ctx: Arc<Context>) -> Option<Duration> {
    let hold_ends = follow_hold(&person, &ctx);
    let result = step(&person, &ctx).await;
    let failures = ctx.failures.count(&person.uid().unwrap_or_default(), result.is_err());
    if let Err(fault) = &result {
        tracing::warn!(person = person.name_any(), %fault, "leaver not planned; looked at again");
    }
    // A Person's conditions are not control's to write; when to look again is what is asked for here.
    let (failed, later) = (result.is_err(), result.as_ref().ok().copied().flatten());
    let report = result.map(|_| Report { updates: Vec::new(), again: Duration::ZERO });
    let again = outcome::conclude(&[], None, &report, failures, (ctx.clock)()).again;
    failed.then_some(again).into_iter().chain(hold_ends).chain(later).min()
}

/// Says when to look again at somebody who is held; and once the hold has ended, which no event tells, has the index know:
/// what it kept of their other records is a leaver's now.
fn follow_hold(person: &Person, ctx: &Context) -> Option<Duration> {
    let (until, now) = (person.spec.hold.as_ref()?.until, (ctx.clock)());
    if until <= now {
        ctx.know(&person.name_any(), Some(person));
        return None;
    }
    Some(calls::wait(until.duration_since(now)).min(HELD))
}

/// Says when to look again for what is to be made later.
async fn step(person: &Person, ctx: &Context) -> Result<Option<Duration>, Fault> {
    on_leave(person, ctx).await?;
    let Some((employment, policy)) = leaver(person, ctx) else { return Ok(None) };
    let termination = Termination::of(person, &employment);
    let mut told = ctx.stores.revocations_of(&person.name_any());
    told.retain(|revocation| revocation.name_any().starts_with(&termination.id));
    let Some(cut) = told.iter().find(|revocation| revocation.name_any() == termination.cut()) else {
        let owned = ctx.owned(|owned| owned.uids(&convert::person_facts(person, (ctx.clock)())));
        // What was known of it has expired; what turns up after that acts only once approved.
        let retention = convert::retention(Some(&policy));
        let forgotten = employment.seen.is_some_and(|seen| long_ago(seen, retention, (ctx.clock)()));
        if forgotten && owned.is_empty() {
            return Ok(None);
        }
        let cut = RevocationSpec {
            owned: owned.into_iter().take(MAX_OWNED).collect(),
            ..spec(person, &policy, &employment, Operation::Cut, termination.effective, forgotten)
        };
        return create(ctx, person, termination.cut(), cut).await.map(|()| None);
    };
    let mut later = None;
    for ended in told.iter().filter(|revocation| revocation.spec.operation == Operation::Cut) {
        if let Some((name, acted)) = removal(ended, &told) {
            let after = &policy.spec.lifecycle.termination.remove_after;
            let due = acted + quantity::duration("spec.lifecycle.termination.removeAfter", after)?;
            if made_later(due, (ctx.clock)(), || ctx.stores.revocations.find(is_cut_now).is_some()) {
                later = Some(AFTER_OTHERS);
                continue;
            }
            create(ctx, person, name, spec(person, &policy, &employment, Operation::Remove, due, false)).await?;
        }
    }
    if sessions::are_missing(ctx, &policy, cut, &told).await? {
        let spec = spec(person, &policy, &employment, Operation::Cut, (ctx.clock)(), true);
        create(ctx, person, convert::evicting(&termination.id), spec).await?;
    }
    let facts = convert::person_facts(person, (ctx.clock)());
    let Some(others) = ctx.owned(|owned| other_records(&facts, &owned.human(&facts))) else { return Ok(later) };
    let ready = frozen(cut);
    for other in &others {
        told.extend(
            ctx.stores.revocations_of(other).into_iter().filter(|revocation| since(revocation, termination.seen)),
        );
    }
    // What the index does not even nominate needs no plan to be drawn: a leaver who is done costs nothing.
    let known = dealt_with(told.iter().map(AsRef::as_ref));
    let more = ctx.owned(|owned| !owned.uids(&facts).is_subset(&known));
    let acting = told.iter().any(|revocation| under_way(revocation)); // its end wakes us again
    if more && !acting && ready {
        late(ctx, person, &employment, &policy, &termination, &others).await?;
    }
    Ok(later)
}

/// Whether a removal that is due then is made once nobody is being cut.
fn made_later(due: Timestamp, now: Timestamp, others_are_cut: impl FnOnce() -> bool) -> bool {
    due.duration_since(now) > IN_TIME && others_are_cut()
}

/// Whether it is released, and waits for the revoker or is in its hands.
fn is_cut_now(revocation: &Revocation) -> bool {
    let status = revocation.status.as_ref().filter(|status| status.phase == Some(Phase::Released));
    revocation.spec.operation == Operation::Cut && status.is_some_and(|status| status.acted.is_none())
}

/// The other records of this human; none if what turns up later is not this one's to deal with: another one works here,
/// so that all of it is in use, or left later, and its Revocations cover what is this human's.
fn other_records(person: &PersonFacts, human: &[&PersonFacts]) -> Option<Vec<String>> {
    let last = human.iter().all(|other| match other.left {
        Some(left) => (Some(left), &other.name) <= (person.left, &person.name),
        None => other.uid == person.uid,
    });
    let others = human.iter().filter(|other| other.uid != person.uid);
    last.then(|| others.map(|other| other.name.clone()).collect())
}

/// Whether a Revocation of another record deals with what is this human's: it ends access, and has not acted before this
/// termination was seen, since until then this one's record worked here, and everything of the human was held. One that has not
/// acted deals with it where it will: not a leave's or a human's that waits, nor one that was cancelled.
fn since(revocation: &Revocation, seen: Timestamp) -> bool {
    let RevocationSpec { operation, trigger, .. } = &revocation.spec;
    let (phase, acted) = revocation.status.as_ref().map_or((None, None), |status| (status.phase, status.acted));
    let waits = *trigger == Trigger::Termination && phase != Some(Phase::Cancelled);
    *operation != Operation::Freeze && acted.map_or(waits, |acted| acted >= seen)
}

/// Name of the removal that a cut calls for, and when the cut acted: once it is over and recreated anything, and there
/// is none yet.
pub fn removal(cut: &Revocation, told: &[Arc<Revocation>]) -> Option<(String, Timestamp)> {
    let status = cut.status.as_ref().filter(|status| status.phase == Some(Phase::Revoked))?;
    let acted = status.acted?;
    let name = format!("{}-remove", cut.name_any().trim_end_matches("-cut"));
    let missing = !recreated(std::iter::once(cut)).is_empty() && told.iter().all(|other| other.name_any() != name);
    missing.then_some((name, acted))
}

/// What one termination is called.
struct Termination {
    id: String,
    seen: Timestamp,
    effective: Timestamp,
}

impl Termination {
    fn of(person: &Person, employment: &EmploymentState) -> Self {
        let seen = employment.seen.unwrap_or(employment.since);
        let id = roster::termination_id(&person.name_any(), seen);
        Self { id, seen, effective: employment.effective.unwrap_or(seen) }
    }

    fn cut(&self) -> String {
        format!("{}-cut", self.id)
    }
}

/// Makes the one Revocation that a leave calls for.
async fn on_leave(person: &Person, ctx: &Context) -> Result<(), Fault> {
    let Some((name, spec)) = of_leave(person, |name| ctx.stores.policies.get(name)) else { return Ok(()) };
    if ctx.stores.revocations.get(&name).is_some() {
        return Ok(());
    }
    let owned = ctx.owned(|owned| owned.uids(&convert::person_facts(person, (ctx.clock)())));
    let owned = owned.into_iter().filter(|_| spec.operation == Operation::Cut).take(MAX_OWNED).collect();
    create(ctx, person, name, RevocationSpec { owned, ..spec }).await
}

/// What a leave calls for, and its name: nothing of who is not on one now, or where the policy keeps access.
fn of_leave(person: &Person, policy: impl Fn(&str) -> Option<Arc<SyncPolicy>>) -> Option<(String, RevocationSpec)> {
    let status = person.status.as_ref()?;
    let (leave, employment) = (status.leave.as_ref()?, status.employment.as_ref()?);
    if !matches!(employment.state, person::State::Leave | person::State::Suspended) {
        return None;
    }
    let policy = policy(status.policy.as_deref()?)?;
    let (operation, word) = match policy.spec.lifecycle.leave {
        Leave::Keep => return None,
        Leave::Freeze => (Operation::Freeze, "freeze"),
        Leave::Cut => (Operation::Cut, "cut"),
    };
    let name = format!("{}-{word}", convert::leave_id(person)?);
    let spec = spec(person, &policy, employment, operation, leave.seen, false);
    Some((name, RevocationSpec { trigger: Trigger::Leave, ..spec }))
}

/// The standing and policy of a Person whose employment has ended; `None` otherwise.
fn leaver(person: &Person, ctx: &Context) -> Option<(EmploymentState, Arc<SyncPolicy>)> {
    let status = person.status.as_ref()?;
    let employment = status.employment.clone().filter(|employment| employment.state == person::State::Terminated)?;
    let name = status.policy.as_ref()?;
    let policy = ctx.stores.policies.find(|policy| policy.metadata.name.as_ref() == Some(name))?;
    Some((employment, policy))
}

/// One more Revocation for what turned up after the plan was frozen; it acts only once approved.
///
/// The Revocations are read after the plan is drawn: an account the revoker has just made again is in the cluster before its uid
/// is in the steps, but never before the claim. While a claim is open nothing can be told apart; its end wakes us again.
async fn late(
    ctx: &Context,
    person: &Person,
    employment: &EmploymentState,
    policy: &SyncPolicy,
    termination: &Termination,
    others: &[String],
) -> Result<(), Fault> {
    let plan = access::draw(ctx, person, policy, Operation::Cut, &BTreeSet::new(), None, None).await?;
    let mut told = revocations(ctx, &person.name_any()).await?;
    told.retain(|revocation| revocation.name_any().starts_with(&termination.id));
    for other in others {
        told.extend(
            revocations(ctx, other).await?.into_iter().filter(|revocation| since(revocation, termination.seen)),
        );
    }
    if told.iter().any(under_way) {
        return Ok(());
    }
    let known = dealt_with(told.iter());
    let fresh: BTreeSet<&str> =
        plan.targets.iter().map(|target| target.uid.as_str()).filter(|uid| !known.contains(*uid)).collect();
    if fresh.is_empty() {
        return Ok(());
    }
    // What workloads run as waits for an approval of its own: whoever approves a laptop's account approves no outage with it.
    for handed_over in [false, true] {
        let its = plan.targets.iter().filter(|target| (target.action == Action::HandOver) == handed_over);
        let fresh: BTreeSet<&str> = its.map(|target| target.uid.as_str()).filter(|uid| fresh.contains(uid)).collect();
        if !fresh.is_empty() {
            let name = late_name(&termination.id, handed_over, &fresh, &told);
            create(ctx, person, name, spec(person, policy, employment, Operation::Cut, (ctx.clock)(), true)).await?;
        }
    }
    Ok(())
}

/// What a later discovery of these uids is called. One that came to its end without them, because they could not be acted
/// on for a while, keeps its name: the next is another one, and not taken for made.
fn late_name(termination: &str, handed_over: bool, fresh: &BTreeSet<&str>, told: &[Revocation]) -> String {
    let late = if handed_over { HANDED_OVER } else { LATE };
    let mut named = fresh.iter().copied().collect::<Vec<_>>().join(",");
    loop {
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(named.as_bytes()));
        let name = format!("{termination}{late}{}-cut", digest.chars().take(6).collect::<String>());
        if !told.iter().any(|other| other.name_any() == name && !open(other)) {
            return name;
        }
        named.push(',');
    }
}

/// Whether the revoker has begun, and has not come to an end. Pods that are evicted make nothing again that could be taken for new.
fn under_way(revocation: &Revocation) -> bool {
    !convert::evicts(revocation)
        && revocation.status.as_ref().is_some_and(|status| status.claim.is_some() && status.outcome().is_none())
}

/// Whether the plan may no longer be redrawn: it was approved or rejected, released, begun, or is over.
#[must_use]
pub fn frozen(revocation: &Revocation) -> bool {
    let phase = revocation.status.as_ref().and_then(|status| status.phase);
    let claimed = revocation.status.as_ref().is_some_and(|status| status.claim.is_some());
    let decided = convert::approved_by_all(revocation) || revocation.spec.rejection.is_some();
    claimed || decided || !matches!(phase, None | Some(Phase::Held))
}

/// Uids that Revocations name: targets, and the accounts that took their place.
#[must_use]
pub fn known_uids<'a>(told: impl Iterator<Item = &'a Revocation>) -> BTreeSet<String> {
    uids(told, |_, _| true)
}

/// Uids that the Revocations of a termination already deal with, or will: of those that they name all but what the revoker left
/// alone, since it was not this leaver's alone when it looked. It may be so by now.
fn dealt_with<'a>(told: impl Iterator<Item = &'a Revocation>) -> BTreeSet<String> {
    uids(told, |status, uid| {
        let skipped = |step: &&Step| step.outcome == StepOutcome::Skipped && step.target.uid == uid;
        let skipped = status.steps.iter().find(skipped);
        status.outcome().is_none() || !skipped.is_some_and(|step| was_anothers(status, step))
    })
}

/// Whether the revoker left something alone because it was somebody else's too, or by then: what it could not do for another reason
/// it cannot do now either.
fn was_anothers(status: &RevocationStatus, step: &Step) -> bool {
    use domain::plan::RemainingReason::{AmbiguousMark, HandedOver, HeirLeft, SharedBinding, WorksHere};
    let Target { kind, namespace, name, .. } = Target::from(&step.target);
    let what = domain::plan::described(kind, &namespace, &name);
    let why = |reason: domain::plan::RemainingReason| reason.as_str();
    let anothers = [AmbiguousMark, HandedOver, HeirLeft, SharedBinding, WorksHere].map(why);
    status.remaining.iter().any(|left| left.what == what && anothers.contains(&left.why.as_str()))
}

fn uids<'a>(
    told: impl Iterator<Item = &'a Revocation>,
    counts: impl Fn(&RevocationStatus, &str) -> bool,
) -> BTreeSet<String> {
    let mut uids = BTreeSet::new();
    for status in told.filter_map(|revocation| revocation.status.as_ref()) {
        let planned = status.plan.iter().flat_map(|plan| plan.targets.iter().map(|target| target.uid.as_str()));
        uids.extend(planned.filter(|uid| counts(status, uid)).map(str::to_owned));
        uids.extend(status.steps.iter().filter_map(|step| step.new_uid.clone()));
    }
    uids
}

/// Uids that cuts gave to recreated accounts. One that was handed over is its next owner's, and never removed.
#[must_use]
pub fn recreated<'a>(cuts: impl Iterator<Item = &'a Revocation>) -> BTreeSet<String> {
    let theirs = |step: &&Step| step.target.action != revocation::Action::HandOver;
    cuts.filter_map(|cut| cut.status.as_ref())
        .flat_map(|status| status.steps.iter().filter(theirs).filter_map(|step| step.new_uid.clone()))
        .collect()
}

/// Every Revocation of a Person, read live.
pub async fn revocations(ctx: &Context, person: &str) -> Result<Vec<Revocation>, Fault> {
    let api: Api<Revocation> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    list_each(&api, &ListParams::default().fields(&format!("spec.person={person}")), Some).await
}

fn spec(
    person: &Person,
    policy: &SyncPolicy,
    employment: &EmploymentState,
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
        owned: Vec::new(),
        reason: employment.message.chars().take(MAX_REASON).collect(),
        by: None,
        approval: None,
        second_approval: None,
        rejection: None,
    }
}

/// Creates a Revocation; one of that name is the same one.
async fn create(ctx: &Context, person: &Person, name: String, spec: RevocationSpec) -> Result<(), Fault> {
    let run = person.status.as_ref().and_then(|status| match spec.trigger {
        Trigger::Termination => status.employment.as_ref()?.run.clone(),
        Trigger::Leave => status.leave.as_ref()?.run.clone(),
        Trigger::AdHoc => None,
    });
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
    match calls::call("create a Revocation", api.create(&PostParams::default(), &revocation)).await {
        Err(fault) if !fault.is_conflict() => Err(fault),
        _ => Ok(()), // in conflict, it is the same one
    }
}

/// The plan of a Revocation as the cluster is now.
pub async fn plan_now(
    ctx: &Context,
    revocation: &Revocation,
    person: &Person,
    policy: &SyncPolicy,
) -> Result<Plan, Fault> {
    let told = ctx.stores.revocations_of(&person.name_any());
    let noticed = marks::noticed(revocation, (ctx.clock)());
    let mut plan = match revocation.spec.operation {
        Operation::Cut => {
            let notice = Notice::of(revocation);
            access::draw(ctx, person, policy, Operation::Cut, &BTreeSet::new(), notice.as_ref(), noticed).await?
        }
        Operation::Freeze => {
            access::draw(ctx, person, policy, Operation::Freeze, &BTreeSet::new(), None, noticed).await?
        }
        Operation::Remove => {
            let cut = format!("{}-cut", revocation.name_any().trim_end_matches("-remove"));
            let uids = recreated(told.iter().map(AsRef::as_ref).filter(|other| other.name_any() == cut));
            access::draw(ctx, person, policy, Operation::Remove, &uids, None, None).await?
        }
    };
    match noticed {
        Some(noticed) => {
            marks::add_lost(ctx, person, noticed, &mut plan);
            sources::add(ctx, person, policy, &mut plan).await;
        }
        None if revocation.spec.late => marks::say_fresh(ctx, revocation, &mut plan),
        None => {}
    }
    if convert::evicts(revocation) {
        let cut = convert::cut_of(revocation);
        let cut = told.iter().find(|other| other.metadata.name == cut);
        sessions::draw(ctx, policy, cut.map(AsRef::as_ref), &mut plan).await?;
        plan.hash = hash_of(revocation, policy, &plan);
    } else if revocation.spec.late {
        let dealing = dealing(ctx, revocation, person, &told);
        let (known, busy) = (dealt_with(dealing.iter().map(AsRef::as_ref)), busy(&dealing));
        let place = |target: &Target| (target.kind, target.namespace.clone(), target.name.clone());
        let handed_over = revocation.name_any().contains(HANDED_OVER);
        plan.targets.retain(|target| {
            let its = (target.action == Action::HandOver) == handed_over;
            its && !known.contains(&target.uid) && !busy.contains(&place(target))
        });
        plan.hash = hash_of(revocation, policy, &plan);
    }
    Ok(plan)
}

/// The hash of a plan of what turned up later, whose targets are not those that were drawn.
fn hash_of(revocation: &Revocation, policy: &SyncPolicy, plan: &Plan) -> String {
    let (rule, operation) = (convert::rule(policy), revocation.spec.operation.into());
    domain::plan::hash(&revocation.spec.person_uid, &rule, operation, &plan.targets)
}

/// Places of the targets of Revocations that have not come to their end: an account that is just made again there stands before its
/// uid is in the steps.
fn busy(dealing: &[Arc<Revocation>]) -> BTreeSet<(Kind, String, String)> {
    let statuses = dealing.iter().filter_map(|revocation| revocation.status.as_ref());
    let targets = statuses.filter(|status| status.outcome().is_none()).filter_map(|status| status.plan.as_ref());
    let targets = targets.flat_map(|plan| &plan.targets).map(Target::from);
    targets.map(|target| (target.kind, target.namespace, target.name)).collect()
}

/// The other Revocations that deal with what a later discovery may be about: those that it was compared with when it was made.
fn dealing(ctx: &Context, late: &Revocation, person: &Person, told: &[Arc<Revocation>]) -> Vec<Arc<Revocation>> {
    let mut dealing: Vec<_> = told.iter().filter(|other| of_its_termination(late, other)).cloned().collect();
    let seen = person.status.as_ref().and_then(|status| status.employment.as_ref()?.seen);
    let facts = convert::person_facts(person, (ctx.clock)());
    let others = ctx.owned(|owned| other_records(&facts, &owned.human(&facts)));
    for other in others.iter().flatten() {
        let of_other = ctx.stores.revocations_of(other).into_iter();
        dealing.extend(of_other.filter(|other| seen.is_none_or(|seen| since(other, seen))));
    }
    dealing
}

/// Whether another Revocation is of the termination that a later discovery is of. What an earlier termination, a leave or a
/// human's word had made again works like any other account, and nobody else ends it.
fn of_its_termination(late: &Revocation, other: &Revocation) -> bool {
    let (late, other) = (late.name_any(), other.name_any());
    let termination = late.rsplit_once(LATE).map_or(late.as_str(), |(termination, _)| termination);
    other != late && other.starts_with(termination)
}

#[cfg(test)]
mod tests;
