//! The ledger: what was let through and what was held, counted before anything is done.
//!
//! A run is counted as a whole: it is debited and released, or it becomes a batch that waits for an approval. People
//! of a batch that still waits count against later runs of their policy for a week, so that a held six does not let a
//! seventh through; their objects do not, so that nobody spends everybody's limit by annotating many. A plan that alone is
//! over a limit waits alone. Leavers of a baseline are a batch from the start, and count only once approved. Leavers whose
//! last day two trusted responses announced a day apart are released without being counted: twenty exits on 31 December
//! are no accident.
//!
//! Several windows bound what is released without a human, each policy's own and those above all policies. What a human
//! approved counts in the shortest window of its policy and in no other, or one approved lay-off would hold everybody for
//! a week.
//!
//! What is counted is one plan of one Revocation, by hash and uid: a plan that changed since is counted again, and a
//! Revocation that was deleted and planned again is another one.
//!
//! The whole of it lies in one object of at most a megabyte, and never grows beyond [`LARGEST`]: what is over is sums by
//! the hour, what is open takes fifteen bytes each, and a policy for whose runs there is no room waits alone.

mod entry;
mod history;
mod limits;
mod room;
mod shares;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::entry::Entry;
use self::history::History;
pub use self::history::LONGEST;
pub use self::limits::{Bounds, Limits, Over, Scope, Sums, What, Window, allowed};
pub use self::room::LARGEST;
use self::shares::Share;
pub use self::shares::{Shares, Who};

/// How long people who wait count against others.
const PATIENT: SignedDuration = SignedDuration::from_hours(24 * 7);
/// How long a run waits for a leaver whose plan cannot be drawn, before the others are counted without it.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// Everything counted, by policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    policies: BTreeMap<String, Account>,
}

/// What was counted of one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    /// What is open, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    open: Vec<Entry>,
    /// What is over.
    #[serde(default, skip_serializing_if = "History::is_empty")]
    over: History,
    /// Whether there was no room for what was last to be counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    full: bool,
}

/// One plan of one Revocation, as it is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedPlan {
    /// Uid of the Revocation.
    pub uid: String,
    /// Hash of the plan.
    plan: String,
    /// Objects the plan touches.
    pub objects: u32,
    /// Accounts among them that something runs as.
    pub workloads: u32,
}

impl CountedPlan {
    /// The plan of this hash, of the Revocation with this uid.
    #[must_use]
    pub fn new(uid: &str, hash: &str, objects: u32, workloads: u32) -> Self {
        Self { uid: uid.to_owned(), plan: hash.to_owned(), objects, workloads }
    }

    /// Whether it is this plan that was counted.
    #[must_use]
    pub fn is(&self, hash: &str) -> bool {
        !hash.is_empty() && self.plan == hash
    }

    fn touches(&self) -> Sums {
        Sums { people: 1, objects: self.objects, workloads: self.workloads }
    }
}

/// Whose Revocations are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Cuts of leavers.
    Leavers,
    /// Cuts of leavers who came with a baseline.
    Baseline,
    /// Removals of leavers whose cut was counted before.
    Removals,
}

/// A run, or as much of it as can be counted.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Its id.
    pub id: &'a str,
    /// What is counted of it.
    pub of: Of,
    /// What each Revocation asks for, by name.
    pub revocations: &'a BTreeMap<String, CountedPlan>,
    /// Those of them whose last day was announced by two trusted responses a day apart.
    pub announced: &'a BTreeSet<String>,
    /// Leavers of the run that have no plan yet; `None` if how many it was is not known any more, so that a human decides.
    /// They count as people here, and are counted themselves later.
    pub unplanned: Option<u32>,
}

/// What one Revocation may do, as far as counting goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowance {
    /// Not counted yet: its run has not been seen whole, or its plan is another one now.
    Uncounted,
    /// Not counted, because the ledger has no room for more of its policy.
    NoRoom,
    /// Released: by itself, or out of a batch by an approval, which the gate checks against the plan.
    Released {
        /// The batch it came out of.
        batch: Option<String>,
    },
    /// In a batch that waits for an approval.
    Held {
        /// The batch.
        batch: String,
        /// Whether it is a baseline's.
        baseline: bool,
        /// The limit that it was over, where that is what holds it.
        over: Option<Over>,
    },
}

/// Whether a run may be counted: every leaver of it has a plan, or the others have waited long enough for one that
/// cannot be drawn.
#[must_use]
pub fn countable(planned: u32, leavers: u32, began: Timestamp, now: Timestamp) -> bool {
    planned >= leavers || (planned > 0 && now.duration_since(began) >= PATIENCE)
}

impl Ledger {
    /// What a Revocation may do that would carry out exactly this plan.
    #[must_use]
    pub fn allowance(&self, policy: &str, revocation: &str, asked: &CountedPlan) -> Allowance {
        let Some(account) = self.policies.get(policy) else { return Allowance::Uncounted };
        let who = Who::of(revocation, &asked.uid);
        for entry in account.open.iter().rev() {
            if entry.has_released(who, asked) {
                return Allowance::Released { batch: entry.batch.clone() };
            }
            if entry.waiting.has(who, asked) {
                let held = |batch| Allowance::Held { batch, baseline: entry.baseline, over: entry.limit };
                return entry.batch.clone().map_or(Allowance::Uncounted, held);
            }
        }
        if account.full { Allowance::NoRoom } else { Allowance::Uncounted }
    }

    /// Counts a run as a whole: releases all of it, or freezes it as a batch. Counting it again changes nothing; what is
    /// new in it since is counted by itself, and a plan that was counted as another plan gives that place up.
    ///
    /// A plan that touches nothing has nothing to be held, but its person counts. Those who were announced are released
    /// apart, unless they came with a baseline. Where the ledger has no room for it, nothing of it is counted.
    pub fn count_run(&mut self, policy: &str, run: &Run<'_>, bounds: &Bounds, now: Timestamp) {
        self.tidy(now);
        let account = self.policies.entry(policy.to_owned()).or_default();
        let mut made_way = account.clone();
        let fresh = made_way.make_way(run);
        if fresh.is_empty() {
            return;
        }
        let before = std::mem::replace(account, made_way);
        let counted = self.entries(policy, run, fresh, bounds, now);
        let fits = counted.iter().map(Entry::bytes).sum::<usize>() <= self.room(policy);
        if let Some(account) = self.policies.get_mut(policy) {
            if fits {
                account.open.extend(counted);
                account.open.retain(|entry| !entry.is_empty());
            } else {
                *account = before;
            }
            account.full = !fits;
        }
    }

    /// What is fresh of a run, as it is counted now.
    fn entries(&self, policy: &str, run: &Run<'_>, fresh: Fresh<'_>, bounds: &Bounds, now: Timestamp) -> Vec<Entry> {
        let may_fit = run.of != Of::Baseline;
        let too_much = |asked: &CountedPlan| {
            let over = |(scope, limits): (Scope, &Limits)| limits.over_alone(scope, asked.touches());
            [(Scope::Policy, &bounds.policy), (Scope::Cluster, &bounds.cluster)].into_iter().find_map(over)
        };
        let (alone, rest): (Vec<_>, Vec<_>) =
            fresh.into_iter().partition(|(_, asked)| may_fit && too_much(asked).is_some());
        let (announced, together): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|(name, _)| run.of == Of::Leavers && run.announced.contains(*name));
        let mut asked = together.iter().fold(Sums::default(), |sum, (_, asked)| sum.plus(asked.touches()));
        asked.people = match run.of {
            Of::Removals => 0,
            Of::Leavers | Of::Baseline => {
                asked.people.saturating_add(count(alone.len())).saturating_add(run.unplanned.unwrap_or_default())
            }
        };
        let over = if may_fit { self.over(policy, asked, bounds, now) } else { None };
        let held = !may_fit || over.is_some() || run.unplanned.is_none();
        let over_alone = alone.iter().find_map(|(_, asked)| too_much(asked));
        let name = |kind: &str| batch(run, self.policies.get(policy).map_or(&[], |account| &account.open), kind);
        let parts = [
            (together, held.then(|| name("")), over, false),
            (alone, Some(name("-alone")), over_alone, false),
            (announced, None, None, true),
        ];
        let parts = parts.into_iter().filter(|(part, ..)| !part.is_empty());
        parts.map(|(part, batch, limit, announced)| Entry::new(run, batch, limit, announced, part, now)).collect()
    }

    /// The first limit that so much more would be over, if any: of the policy, or of all policies together.
    fn over(&self, policy: &str, asked: Sums, bounds: &Bounds, now: Timestamp) -> Option<Over> {
        let empty = Account::default();
        let own = self.policies.get(policy).unwrap_or(&empty);
        let all: Vec<&Account> = self.policies.values().collect();
        let scopes = [(Scope::Policy, &bounds.policy), (Scope::Cluster, &bounds.cluster)];
        scopes.into_iter().flat_map(|(scope, limits)| What::ALL.map(|what| (scope, limits, what))).find_map(
            |(scope, limits, what)| {
                let shortest = limits.of(what).iter().map(|window| window.within).min();
                limits.of(what).iter().filter(|_| asked.of(what) > 0).find_map(|window| {
                    let is_shortest = Some(window.within) == shortest;
                    let of =
                        |account: &Account, approved_too| account.within(window.within, approved_too, now).of(what);
                    let used = match scope {
                        Scope::Policy => of(own, is_shortest),
                        Scope::Cluster => all.iter().fold(0_u32, |sum, one| sum.saturating_add(of(one, false))),
                    };
                    let wait = if is_shortest && what == What::People { own.waiting_people(now) } else { 0 };
                    let would = used.saturating_add(wait).saturating_add(asked.of(what));
                    (would > window.most).then(|| Over::new(scope, what, *window, would))
                })
            },
        )
    }

    /// Debits exactly this approved plan and releases it, whatever the limits. The rest of its batch stays as it is.
    pub fn approve(&mut self, policy: &str, revocation: &str, asked: &CountedPlan, now: Timestamp) {
        let who = Who::of(revocation, &asked.uid);
        for entry in self.entries_of(policy) {
            if entry.waiting.has(who, asked) {
                entry.waiting.drop(who);
                entry.release(who, asked, now);
            }
        }
    }

    /// The approval of exactly this plan is void: it waits in its batch again, as if it had never been given.
    pub fn expire(&mut self, policy: &str, revocation: &str, asked: &CountedPlan) {
        let who = Who::of(revocation, &asked.uid);
        for entry in self.entries_of(policy).filter(|entry| entry.batch.is_some()) {
            if asked.objects > 0 && entry.has_released(who, asked) {
                entry.forget_released(who);
                entry.waiting.add(who, asked);
            }
        }
    }

    /// Takes a Revocation that waits out of the count: it was cancelled or rejected, or its person is protected or
    /// unknown. It is counted again should that change.
    pub fn withdraw(&mut self, policy: &str, revocation: &str, uid: &str) {
        let who = Who::of(revocation, uid);
        self.entries_of(policy).for_each(|entry| {
            entry.waiting.drop(who);
        });
        self.drop_empty();
    }

    /// Forgets by name what is over, and keeps sums of it: `open` are the Revocations of each policy to which anything may
    /// still happen, and `waits` those of them that may still be released, of people who are neither protected nor
    /// unknown. Nobody is held behind the others.
    pub fn retain(&mut self, open: &BTreeMap<String, Open>, now: Timestamp) {
        let none = Open::default();
        for (policy, account) in &mut self.policies {
            account.retain(open.get(policy).unwrap_or(&none), now);
        }
        self.drop_empty();
    }

    fn entries_of(&mut self, policy: &str) -> impl Iterator<Item = &mut Entry> {
        self.policies.get_mut(policy).into_iter().flat_map(|account| &mut account.open)
    }

    fn tidy(&mut self, now: Timestamp) {
        for account in self.policies.values_mut() {
            account.over.tidy(now);
            account.open.retain(|entry| !entry.is_over(now));
        }
        self.drop_empty();
    }

    fn drop_empty(&mut self) {
        self.policies.values_mut().for_each(|account| account.open.retain(|entry| !entry.is_empty()));
        self.policies.retain(|_, account| !account.open.is_empty() || !account.over.is_empty() || account.full);
    }
}

/// Revocations of a policy that are not over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Those to which anything may still happen.
    pub all: BTreeSet<Who>,
    /// Those of them that are held for what may pass.
    pub waits: BTreeSet<Who>,
}

/// What of a run was never counted, by name.
type Fresh<'a> = Vec<(&'a str, &'a CountedPlan)>;

impl Account {
    /// Drops what Revocations of this run were counted for as another plan, and gives those that are to be counted.
    fn make_way<'a>(&mut self, run: &Run<'a>) -> Fresh<'a> {
        let shares = self.open.iter().flat_map(|entry| std::iter::once(&entry.waiting).chain(entry.released.values()));
        let known: BTreeMap<Who, Vec<Share>> = shares.flat_map(Shares::iter).fold(BTreeMap::new(), |mut known, one| {
            known.entry(one.0).or_insert_with(Vec::new).push(one.1);
            known
        });
        let mut fresh = Vec::new();
        for (name, asked) in run.revocations {
            let who = Who::of(name, &asked.uid);
            match known.get(&who) {
                Some(shares) if shares.contains(&asked.into()) => continue,
                Some(_) => self.open.iter_mut().for_each(|entry| entry.give_up(who)),
                None => {}
            }
            fresh.push((name.as_str(), asked));
        }
        fresh
    }

    /// What was released within a window.
    fn within(&self, window: SignedDuration, approved_too: bool, now: Timestamp) -> Sums {
        let open = self.open.iter().filter(|entry| approved_too || entry.batch.is_none());
        open.fold(self.over.within(window, approved_too, now), |sum, entry| sum.plus(entry.within(window, now)))
    }

    /// People who wait in a batch that is neither a baseline's nor of removals, and not for longer than a week.
    fn waiting_people(&self, now: Timestamp) -> u32 {
        let waiting = self.open.iter().filter(|e| !e.baseline && !e.removal && now.duration_since(e.at) < PATIENT);
        waiting.fold(0_u32, |sum, entry| sum.saturating_add(count(entry.waiting.len())))
    }

    fn retain(&mut self, open: &Open, now: Timestamp) {
        for entry in &mut self.open {
            entry.waiting.keep_only(&open.waits);
            for (at, sums) in entry.close(&open.all, now) {
                self.over.add(at, entry.batch.is_some(), sums);
            }
        }
    }
}

fn count(many: usize) -> u32 {
    u32::try_from(many).unwrap_or(u32::MAX)
}

/// A name no other batch of the run has: what is counted later is not what somebody was shown before.
fn batch(run: &Run<'_>, entries: &[Entry], kind: &str) -> String {
    let removal = if run.of == Of::Removals { "-remove" } else { "" };
    let name = format!("b-{}{removal}{kind}", run.id.trim_start_matches("r-"));
    let taken = |name: &str| entries.iter().any(|entry| entry.batch.as_deref() == Some(name));
    let later = (2_u32..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.clone()).chain(later).find(|name| !taken(name)).unwrap_or(name)
}

#[cfg(test)]
mod tests;
