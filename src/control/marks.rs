//! The memory of marks: what control saw of owner annotations, kept in ConfigMaps `rollcall-owners-…`, so that a restart forgets
//! nothing. What follows from it is decided in `domain::marks`.
//!
//! It is written only when a mark was set, moved or removed, or an account with one was made or deleted. Where it cannot be
//! read, it vouches for nothing: accounts act only once approved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;
use tokio::sync::Notify;

use super::Context;
use super::owned::Names;
use crate::api::revocation::{self, Operation, Phase, RevocationStatus, StepOutcome};
use crate::api::{Person, Revocation, convert, names};
use crate::kube::inventory;
use crate::kube::marks::{self, KEY, PART, name};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;
use crate::kube::swap::{self, Change, OwnConfigMap};
use domain::marks::{First, Memory, Seen, Shelf, shelf_of};
use domain::ownership::PersonFacts;
use domain::plan::{self, Account, Action, Kind, Plan, Remaining, RemainingReason, Target};

/// Changes that come within this time are written together.
const TOGETHER: Duration = Duration::from_secs(5);
/// Wait after a shelf could not be written.
const LATER: Duration = Duration::from_secs(60);
/// What an approver is told of a mark that was set lately.
const FRESH: &str = "its owner annotation names this person alone, and was set within 30 days on an account that stood without it: ask who set it";

/// The memory, and what of it is to be written.
#[derive(Default)]
pub struct Marks {
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Default)]
struct Kept {
    memory: Memory,
    /// Nothing was kept before this process: what stands is taken as it is.
    begins: bool,
    /// Letters of the shelves that changed.
    dirty: BTreeSet<char>,
}

impl Marks {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of these accounts, the uids of those whose mark nothing may rest on unapproved, for an exit that was noticed then.
    pub fn fresh(&self, accounts: &[Account], noticed: Timestamp) -> BTreeSet<String> {
        self.kept().memory.fresh(accounts.iter(), noticed)
    }
}

/// Reads what was kept, before the first account is seen.
///
/// # Errors
/// When the API server does not say: then nothing is known, and control does not start.
pub async fn begin(ctx: &Context) -> Result<(), Fault> {
    let memory = marks::read(&ctx.client, &ctx.options.namespace).await?;
    for letter in memory.unreadable() {
        let map = name(letter);
        tracing::error!(
            map,
            "what was kept of owner annotations cannot be read; accounts of its namespaces wait for an approval: restore it from a backup"
        );
    }
    let mut kept = ctx.marks.kept();
    kept.begins = memory.is_new();
    kept.memory = memory;
    Ok(())
}

/// An account is like this now. Says whose plan may be another one by that.
pub fn see(ctx: &Context, meta: &ObjectMeta, unmarked_before: bool) -> Names {
    let (Some(namespace), Some(account), Some(uid)) = (&meta.namespace, &meta.name, &meta.uid) else {
        return Names::new();
    };
    let owner = meta.annotations.as_ref().and_then(|annotations| annotations.get(names::OWNER));
    let seen = Seen {
        uid,
        owner: owner.map(String::as_str),
        created: meta.creation_timestamp.as_ref().map(|time| time.0),
        marked: inventory::written_at(meta, &inventory::OWNER_FIELD),
    };
    let mut kept = ctx.marks.kept();
    let first = match unmarked_before {
        true => First::Unmarked,
        false if kept.begins => First::Beginning,
        false => First::New,
    };
    let change = kept.memory.see(namespace, account, seen, first, (ctx.clock)());
    if change.keep {
        kept.dirty.insert(shelf_of(namespace));
        ctx.marks.changed.notify_one();
    }
    drop(kept);
    having(ctx, &change.losers)
}

/// Everybody with one of these keys, by their digests.
fn having(ctx: &Context, digests: &BTreeSet<String>) -> Names {
    if digests.is_empty() { Names::new() } else { ctx.owned(|owned| owned.having(digests)) }
}

/// An account is gone. Says whose plan may be another one by that.
pub fn gone(ctx: &Context, namespace: &str, account: &str) -> Names {
    let mut kept = ctx.marks.kept();
    let change = kept.memory.gone(namespace, account, (ctx.clock)());
    if change.keep {
        kept.dirty.insert(shelf_of(namespace));
        ctx.marks.changed.notify_one();
    }
    drop(kept);
    having(ctx, &change.losers)
}

/// Everything that stands was seen: what is remembered to stand and was not seen went while nobody looked. From now on what is
/// new is new.
pub fn all_seen(ctx: &Context) {
    let places: Vec<(String, String)> = {
        let kept = ctx.marks.kept();
        kept.memory.places().map(|(namespace, account)| (namespace.to_owned(), account.to_owned())).collect()
    };
    for (namespace, account) in places {
        if ctx.stores.uid_of("ServiceAccount", &namespace, &account).is_none() {
            gone(ctx, &namespace, &account);
        }
    }
    let mut kept = ctx.marks.kept();
    if std::mem::take(&mut kept.begins) {
        kept.dirty.insert('0'); // that it began is known by a shelf, if nothing else is on it
        ctx.marks.changed.notify_one();
    }
}

/// Writes what changed, for as long as the process lives.
///
/// # Flow          wait for a change, and for more of them; each shelf by compare-and-swap, with what another process kept on it
/// # Guarantees    a shelf that cannot be read is never written over
/// # Errors        told in the log; tried again
pub async fn keep(ctx: Arc<Context>) {
    let mut first = true;
    loop {
        ctx.marks.changed.notified().await;
        if !std::mem::take(&mut first) {
            tokio::time::sleep(TOGETHER).await;
        }
        let dirty = std::mem::take(&mut ctx.marks.kept().dirty);
        let mut failed = BTreeSet::new();
        for letter in dirty {
            if let Err(fault) = write(&ctx, letter).await {
                tracing::warn!(map = name(letter), %fault, "what was seen of owner annotations is not kept; tried again");
                failed.insert(letter);
            }
        }
        if !failed.is_empty() {
            ctx.marks.kept().dirty.extend(failed);
            tokio::time::sleep(LATER).await;
            ctx.marks.changed.notify_one();
        }
    }
}

/// Writes one shelf.
async fn write(ctx: &Context, letter: char) -> Result<(), Fault> {
    let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), &ctx.options.namespace);
    let map = name(letter);
    if ctx.marks.kept().memory.unreadable().any(|unreadable| unreadable == letter) {
        return Ok(()); // it is known to be there, and a human has been told
    }
    let kept = OwnConfigMap { name: &map, part: PART, doing: "keep what was seen of owner annotations" };
    let written = swap::swap(&api, kept, |current| {
        let before = current.map(|map| marks::text(map).to_owned());
        let theirs: Option<Shelf> =
            before.as_deref().map(serde_json::from_str).transpose().map_err(|_| unreadable())?;
        let mut kept = ctx.marks.kept();
        let shelf = kept.memory.shelf(letter);
        theirs.into_iter().for_each(|theirs| shelf.merge(theirs));
        let text = shelf.written((ctx.clock)()).map_err(|full| Fault::Stalled(full.to_string()))?;
        Ok(Change::Write(BTreeMap::from([(KEY.to_owned(), text)]), ()))
    });
    written.await.map(drop)
}

fn unreadable() -> Fault {
    Fault::Stalled("it cannot be read any more; restore it from a backup".to_owned())
}

/// Adds to what a plan leaves alone the accounts that this person's mark was taken from shortly before the exit. They come first, and
/// have half of the room: no pile of bindings may push them out, nor they all else.
pub fn add_lost(ctx: &Context, person: &Person, noticed: Timestamp, plan: &mut Plan) {
    let facts = convert::person_facts(person, (ctx.clock)());
    let mut human: Vec<PersonFacts> = ctx.owned(|owned| owned.human(&facts).into_iter().cloned().collect());
    human.push(facts);
    let cuts: Vec<_> = human.iter().flat_map(|record| ctx.stores.revocations_of(&record.name)).collect();
    let excused = marks::excused(cuts.iter().map(AsRef::as_ref));
    let lost = ctx.marks.kept().memory.lost(human.iter().flat_map(PersonFacts::keys), noticed, &excused);
    let half = plan::MAX_OBJECTS / 2;
    let more = (lost.len() > half).then(|| Remaining {
        what: "more objects".to_owned(),
        why: RemainingReason::PlanFull,
        heir: None,
    });
    let lost = lost.into_iter().map(|(namespace, account)| Remaining {
        what: plan::described(Kind::ServiceAccount, &namespace, &account),
        why: RemainingReason::ChangedBeforeExit,
        heir: None,
    });
    let before = std::mem::take(&mut plan.remaining);
    plan.remaining = lost.take(half).chain(more).chain(before).take(plan::MAX_OBJECTS).collect();
}

/// Tells an approver which marks somebody set lately.
pub fn say_fresh(ctx: &Context, revocation: &Revocation, plan: &mut Plan) {
    let noticed = revocation.metadata.creation_timestamp.as_ref().map_or_else(|| (ctx.clock)(), |made| made.0);
    let kept = ctx.marks.kept();
    for target in plan.targets.iter_mut().filter(|target| target.kind == Kind::ServiceAccount) {
        if !kept.memory.standing(&target.namespace, &target.name, &target.uid).settled(noticed) {
            target.why = match &target.heir {
                None => FRESH.to_owned(),
                Some(heir) => format!("{FRESH}; its next owner is {heir}"),
            };
        }
    }
}

/// Why an account that workloads run as is left alone until it is handed over.
const RUNS: [RemainingReason; 4] = [
    RemainingReason::WorkloadAccount,
    RemainingReason::OwnerVacant,
    RemainingReason::HeirLeft,
    RemainingReason::TokenInUse,
];

/// Takes from what a plan left alone what another Revocation of this person deals with: an account that was marked lately, or that
/// workloads run as, waits there for an approval.
pub fn drop_what_waits_elsewhere(revocation: &Revocation, all: &[Arc<Revocation>], plan: &mut revocation::Plan) {
    let others = all.iter().filter(|other| other.metadata.name != revocation.metadata.name && other.spec.late);
    let statuses: Vec<&RevocationStatus> = others.filter_map(|other| other.status.as_ref()).collect();
    let places = |deals: fn(&RevocationStatus, &Target) -> bool| -> BTreeSet<String> {
        let targets = statuses.iter().flat_map(|status| {
            let targets = status.plan.iter().flat_map(|plan| &plan.targets).map(Target::from);
            targets.filter(move |target| deals(status, target))
        });
        targets.map(|target| plan::described(target.kind, &target.namespace, &target.name)).collect()
    };
    let (named, handed_over) = (places(|_, _| true), places(hands_over));
    let weak = |why: &str| RemainingReason::WEAK.iter().any(|weak| weak.as_str() == why);
    let runs = |why: &str| RUNS.iter().any(|reason| reason.as_str() == why);
    plan.remaining.retain(|left| {
        !((weak(&left.why) && named.contains(&left.what)) || (runs(&left.why) && handed_over.contains(&left.what)))
    });
}

/// Whether a Revocation hands an account over, or has: one that came to its end without, or was cancelled, does not.
fn hands_over(status: &RevocationStatus, target: &Target) -> bool {
    let made = [StepOutcome::Done, StepOutcome::NotRecreated];
    let done = |step: &revocation::Step| step.target.uid == target.uid && made.contains(&step.outcome);
    let waits = status.outcome().is_none() && status.phase != Some(Phase::Cancelled);
    target.action == Action::HandOver && (waits || status.steps.iter().any(done))
}

/// Since when a mark that is set is not acted on by this Revocation; none if it acts only once approved, or on what is known.
pub fn noticed(revocation: &Revocation, now: Timestamp) -> Option<Timestamp> {
    let known = revocation.spec.late || revocation.spec.operation == Operation::Remove;
    (!known).then(|| revocation.metadata.creation_timestamp.as_ref().map_or(now, |made| made.0))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn revocation(name: &str, operation: &str, late: bool, target: Value) -> Arc<Revocation> {
        let plan = json!({"hash": "h", "targets": target});
        let revocation: Revocation = serde_json::from_value(json!({
            "metadata": {"name": name, "creationTimestamp": "2026-03-01T10:00:00Z"},
            "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination",
                "operation": operation, "due": "2026-03-01T00:00:00Z", "reason": "left", "late": late},
            "status": {"phase": "Held", "plan": plan},
        }))
        .unwrap();
        Arc::new(revocation)
    }

    #[test]
    fn a_fresh_mark_holds_whatever_acts_without_an_approval() {
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        for (operation, late, expected) in
            [("Cut", false, true), ("Freeze", false, true), ("Cut", true, false), ("Remove", false, false)]
        {
            let noticed = noticed(&revocation("p-7", operation, late, json!([])), now);
            let made = expected.then(|| "2026-03-01T10:00:00Z".parse().unwrap());
            assert_eq!(noticed, made, "{operation}, late: {late}");
        }
    }

    #[test]
    fn what_waits_for_an_approval_elsewhere_is_not_told_twice() {
        let left = |name: &str, why: RemainingReason| {
            revocation::Remaining::from(&Remaining { what: format!("ServiceAccount apps/{name}"), why, heir: None })
        };
        let target = |name: &str| json!([{"action": "Recreate", "kind": "ServiceAccount", "namespace": "apps", "name": name, "uid": "u", "why": ""}]);
        let cut = revocation("p-7-cut", "Cut", false, json!([]));
        let late = revocation("p-7-late-1-cut", "Cut", true, target("waits"));
        let other = revocation("p-7-leave-cut", "Cut", false, target("other"));
        let mut plan = revocation::Plan {
            remaining: vec![
                left("waits", RemainingReason::FreshMark),
                left("other", RemainingReason::FreshMark),
                left("waits", RemainingReason::ChangedBeforeExit),
            ],
            ..revocation::Plan::default()
        };
        drop_what_waits_elsewhere(&cut, &[Arc::clone(&cut), late, other], &mut plan);
        let told: Vec<_> = plan.remaining.iter().map(|left| (left.what.as_str(), left.why.as_str())).collect();
        assert_eq!(
            told,
            [("ServiceAccount apps/other", "FreshMark"), ("ServiceAccount apps/waits", "ChangedBeforeExit")]
        );
    }

    #[test]
    fn what_workloads_run_as_is_told_until_another_revocation_hands_it_over_or_has() {
        let target = |action: &str| json!({"action": action, "kind": "ServiceAccount", "namespace": "apps", "name": "web", "uid": "u", "why": ""});
        let step =
            |outcome: &str| json!([{"target": target("HandOver"), "outcome": outcome, "at": "2026-03-01T00:00:01Z"}]);
        let (claim, at) = (json!({"by": "revoke-1", "at": "2026-03-01T00:00:01Z"}), json!([]));
        for (what, action, over, told) in [
            ("it waits there", "HandOver", json!({"phase": "Held"}), false),
            (
                "it is under way",
                "HandOver",
                json!({"phase": "Released", "claim": claim, "steps": step("Begun")}),
                false,
            ),
            (
                "it is done",
                "HandOver",
                json!({"phase": "Revoked", "finished": "Revoked", "claim": claim, "steps": step("Done")}),
                false,
            ),
            (
                "it was left alone",
                "HandOver",
                json!({"phase": "Revoked", "finished": "Revoked", "claim": claim, "steps": step("Skipped")}),
                true,
            ),
            (
                "nothing was changed",
                "HandOver",
                json!({"phase": "Failed", "finished": "Failed", "claim": claim, "steps": step("Failed")}),
                true,
            ),
            ("it was cancelled", "HandOver", json!({"phase": "Cancelled", "steps": at}), true),
            ("another act", "Recreate", json!({"phase": "Held"}), true),
        ] {
            let cut = revocation("p-7-cut", "Cut", false, json!([]));
            let mut late = (*revocation("p-7-late-handover-1-cut", "Cut", true, json!([target(action)]))).clone();
            let mut status = json!(late.status);
            crate::api::merge(&mut status, &over);
            late.status = serde_json::from_value(status).unwrap();
            let why = RemainingReason::WorkloadAccount;
            let left =
                revocation::Remaining::from(&Remaining { what: "ServiceAccount apps/web".into(), why, heir: None });
            let mut plan = revocation::Plan { remaining: vec![left], ..revocation::Plan::default() };
            drop_what_waits_elsewhere(&cut, &[Arc::clone(&cut), Arc::new(late)], &mut plan);
            assert_eq!(!plan.remaining.is_empty(), told, "{what}");
        }
    }
}
