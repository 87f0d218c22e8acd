//! What control counts, and in which company: whole runs, and what was made by hand alone.

use super::control::asked;
use super::*;

impl Cluster {
    /// Counts every run that has been seen whole and of which something is not counted.
    pub(super) fn count(&mut self) {
        let uncounted = |(name, one): &(&String, &Revocation)| {
            let waits = one.phase == Phase::Held && !one.late && !one.rejected && self.settled(one.policy);
            let leaves = || matches!(self.status(name, one), LeaverStatus::Ended | LeaverStatus::Unknown);
            waits && leaves() && matches!(self.allowance(name), Allowance::Uncounted | Allowance::NoRoom)
        };
        let uncounted: Vec<(&String, &Revocation)> = self.revocations.iter().filter(uncounted).collect();
        let of_run = |(_, one): &(&String, &Revocation)| one.run.clone().map(|run| (one.policy, run));
        let runs: BTreeSet<(usize, String)> = uncounted.iter().filter_map(of_run).collect();
        let alone = uncounted.iter().filter(|(_, one)| one.run.is_none());
        let alone: Vec<String> = alone.map(|(name, _)| (*name).clone()).collect();
        if runs.is_empty() && alone.is_empty() {
            return;
        }
        self.ledger.retain(&self.what_is_open(), self.now);
        for name in alone {
            let one = &self.revocations[&name];
            let revocations = BTreeMap::from([(name.clone(), asked(one))]);
            self.count_part(one.policy, &format!("r-{name}"), Of::Leavers, revocations, BTreeSet::new(), Some(0));
        }
        for (policy, run) in runs {
            self.count_run(policy, &run);
        }
    }

    fn count_run(&mut self, policy: usize, run: &str) {
        let of_it = |one: &Revocation| !one.late && one.policy == policy && one.run.as_deref() == Some(run);
        let seen: Vec<_> = self.revocations.iter().filter(|(_, one)| of_it(one)).collect();
        let planned = u32::try_from(seen.iter().filter(|(_, one)| self.carries(one, run)).count()).unwrap();
        let unplanned = match self.policies[policy].runs.iter().find(|one| one.id == run) {
            None => None,
            Some(run) if !run.written || !ledger::countable(planned, run.leavers, run.at, self.now) => return,
            Some(run) => Some(run.leavers.saturating_sub(planned)),
        };
        let counts = |one: &Revocation| match one.phase {
            Phase::Cancelled => false,
            Phase::Revoked | Phase::Frozen | Phase::Lifted => one.plan.targets.is_empty(),
            Phase::Held => true,
        };
        let acts = seen.into_iter().filter(|(_, one)| !one.rejected && counts(one));
        let (with_baseline, later): (Vec<_>, Vec<_>) = acts.partition(|(_, one)| self.needs_approval(one));
        let parts =
            [(Of::Leavers, later, unplanned), (Of::Baseline, with_baseline, Some(0))].map(|(of, part, unplanned)| {
                let announced = part.iter().filter(|(_, one)| self.is_announced(one)).map(|(name, _)| (*name).clone());
                let announced: BTreeSet<String> = announced.collect();
                let revocations: BTreeMap<_, _> =
                    part.into_iter().map(|(name, one)| (name.clone(), asked(one))).collect();
                (of, revocations, announced, unplanned)
            });
        for (of, revocations, announced, unplanned) in parts {
            if !revocations.is_empty() {
                self.count_part(policy, run, of, revocations, announced, unplanned);
            }
        }
    }

    fn count_part(
        &mut self,
        policy: usize,
        id: &str,
        of: Of,
        revocations: BTreeMap<String, CountedPlan>,
        announced: BTreeSet<String>,
        unplanned: Option<u32>,
    ) {
        let listed = self.policies[policy].runs.iter().find(|one| one.id == id);
        let people = listed.map_or_else(|| self.working(policy), |run| run.people);
        let run = ledger::Run { id, of, revocations: &revocations, announced: &announced, unplanned };
        self.ledger.count_run(self.policies[policy].name, &run, &limits(people), self.now);
    }

    /// How many people of a policy have not left.
    fn working(&self, policy: usize) -> u32 {
        let entries = self.people.iter().filter_map(|one| one.known.entry.as_ref());
        let works = entries.filter(|entry| entry.policy == self.policies[policy].name);
        u32::try_from(works.filter(|entry| entry.employment.state != State::Terminated).count()).unwrap()
    }

    /// Whether the Person of a Revocation carries its run still.
    fn carries(&self, one: &Revocation, run: &str) -> bool {
        let entry = self.person(&one.person).and_then(|person| person.known.entry.as_ref());
        let leave = entry.and_then(|entry| entry.leave.as_ref()?.run.as_deref());
        self.left(one).and_then(|left| left.run.as_deref()) == Some(run) || leave == Some(run)
    }

    pub(in crate::histories) fn is_announced(&self, one: &Revocation) -> bool {
        one.trigger == Trigger::Termination && self.left(one).is_some_and(|left| left.announced)
    }

    /// What is not over, by policy. Of whom nothing can be told nobody is held behind.
    fn what_is_open(&self) -> BTreeMap<String, Open> {
        let mut every: BTreeMap<String, Open> = BTreeMap::new();
        for (name, one) in self.revocations.iter().filter(|(_, one)| one.phase == Phase::Held) {
            let of_policy = every.entry(self.policies[one.policy].name.to_owned()).or_default();
            of_policy.all.insert(Who::of(name, &one.uid));
            if self.status(name, one) != LeaverStatus::Unknown {
                of_policy.waits.insert(Who::of(name, &one.uid));
            }
        }
        every
    }

    /// Whether a policy has the baseline of each connection that says who has left.
    pub(super) fn settled(&self, policy: usize) -> bool {
        let mut employers = self.sources.iter().filter(|source| source.role == Role::Employment);
        employers.all(|source| self.policies[policy].settled.contains(source.name))
    }

    pub(in crate::histories) fn allowance(&self, name: &str) -> Allowance {
        let one = &self.revocations[name];
        self.ledger.allowance(self.policies[one.policy].name, name, &asked(one))
    }
}

/// As many leavers a day as a policy of the chart lets through by itself.
pub(in crate::histories) fn most_a_day(people: u32) -> u32 {
    allowed(10, 2, None, people)
}

fn limits(people: u32) -> ledger::Bounds {
    let window = |hours, most| Window { within: SignedDuration::from_hours(hours), most };
    let windows = vec![window(24, most_a_day(people)), window(24 * 7, 3 * most_a_day(people))];
    let policy = ledger::Limits { people: windows, ..ledger::Limits::default() };
    ledger::Bounds { policy, cluster: ledger::Limits::default() }
}
