//! The part of control: makes the Revocations, plans and counts them, and has carried out what every gate lets through.

use super::*;

impl Cluster {
    fn termination(&self, person: &Standing) -> Option<String> {
        let left = person.known.entry.as_ref()?.employment.left.as_deref()?;
        Some(termination_id(&person.known.name, left.seen))
    }

    /// How far the present termination of a Person has come, as sync mirrors it: what is held of it comes first.
    pub(in crate::histories) fn access(&self, person: &Standing) -> Access {
        let Some(id) = self.termination(person) else { return Access::Stands };
        let of_it = || self.revocations.iter().filter(|(name, _)| name.starts_with(&id)).map(|(_, one)| one);
        let any = |phase: Phase| of_it().any(|one| one.phase == phase);
        if any(Phase::Revoked) && !any(Phase::Held) { Access::Refused } else { Access::Stands }
    }

    /// Whether this object was cut by the present termination of a Person, or by hand since they left.
    pub(in crate::histories) fn has_cut(&self, person: &Standing, object: &str) -> bool {
        let Some(id) = self.termination(person) else { return false };
        let left = self.facts_of(person).left;
        let since = |one: &Revocation| one.person_uid == person.uid && left.is_some_and(|left| one.acted >= Some(left));
        let by_hand = |one: &Revocation| one.trigger == Trigger::ByHand && since(one);
        let mut of_it = self.revocations.iter().filter(|(name, one)| name.starts_with(&id) || by_hand(one));
        of_it.any(|(_, one)| one.phase == Phase::Revoked && one.done.iter().any(|target| target.name == object))
    }

    /// What the Revocations of a Person came to, for the reader of a failure.
    pub(in crate::histories) fn shown(&self, person: &Standing) -> Vec<String> {
        let theirs = self.revocations.iter().filter(|(_, one)| one.person == person.known.name);
        let of = |all: &[Target]| all.iter().map(|one| one.uid.clone()).collect::<Vec<_>>().join(" ");
        let shown = theirs.map(|(name, one)| {
            let (phase, allowance, remaining) = (one.phase, self.allowance(name), &one.plan.remaining);
            let (plan, done) = (of(&one.plan.targets), of(&one.done));
            format!("{name} {phase:?} {allowance:?}: of {plan}, done {done}, remaining {remaining:?}")
        });
        shown.collect()
    }

    pub(super) fn index(&self) -> Index {
        Index::new(self.people.iter().map(|one| self.facts_of(one)).collect())
    }

    fn facts_of(&self, person: &Standing) -> PersonFacts {
        let known = &person.known;
        let entry = known.entry.as_ref();
        let left = entry
            .and_then(|entry| entry.employment.left.as_ref())
            .filter(|_| person.hold.is_none_or(|until| until <= self.now));
        let called = |record: &RecordKey| {
            let RecordKey { connection, id } = record;
            [connection.to_string(), connection_of(NAMESPACE, connection)].map(|name| (name, id.0.clone()))
        };
        PersonFacts {
            name: known.name.clone(),
            uid: person.uid.clone(),
            records: known.records.iter().flat_map(called).collect(),
            disputed: Box::default(),
            apart: known.apart.iter().flat_map(called).collect(),
            aliases: entry.map(|entry| entry.aliases.clone()).unwrap_or_default(),
            address: entry.and_then(|entry| entry.profile.work_email.clone()),
            left: left.filter(|left| !left.baseline || self.access(person) != Access::Stands).map(|left| left.seen),
        }
    }

    /// What control does: makes what is called for, plans it, counts it, and has carried out what every gate lets through.
    pub(in crate::histories) fn control(&mut self, approve: bool) -> Vec<Release> {
        let index = self.index();
        for position in 0..self.people.len() {
            self.call_for_cuts(position, &index);
            self.call_for_leave(position);
        }
        self.draw(&index);
        self.count();
        if approve {
            self.approve();
        }
        self.debit();
        let names: Vec<String> = self.revocations.keys().cloned().collect();
        let mut released = Vec::new();
        for name in names {
            match self.revocations[&name].phase {
                Phase::Held => released.extend(self.knock(&name)),
                Phase::Frozen => self.keep_true(&name),
                Phase::Revoked | Phase::Cancelled | Phase::Lifted => {}
            }
        }
        released
    }

    fn knock(&mut self, name: &str) -> Option<Release> {
        let one = &self.revocations[name];
        let (policy, asked) = (self.policies[one.policy].name, asked(one));
        match gate::gate(&one.plan, &self.gate_facts(name), self.now) {
            Ok(plan) => return self.act(name, plan.plan()),
            Err(Stop::Withdrawn) => {
                self.ledger.withdraw(policy, name, &asked.uid);
                self.revocations.get_mut(name)?.phase = Phase::Cancelled;
            }
            Err(Stop::OutOfScope | Stop::Unknown | Stop::Rejected) => self.ledger.withdraw(policy, name, &asked.uid),
            Err(Stop::ApprovalExpired(_)) => self.ledger.expire(policy, name, &asked),
            Err(_) => {}
        }
        None
    }

    /// The cut that a termination calls for; and, once its plan stands, one of what turned up since.
    fn call_for_cuts(&mut self, position: usize, index: &Index) {
        let person = &self.people[position];
        let (Some(id), Some(entry)) = (self.termination(person), &person.known.entry) else { return };
        let first = format!("{id}-cut");
        let (due, run) =
            entry.employment.left.as_ref().map_or((self.now, None), |left| (left.effective, left.run.clone()));
        if !self.revocations.contains_key(&first) {
            return self.make(first, position, (Trigger::Termination, false), run, due);
        }
        if self.revocations[&first].is_open() {
            return;
        }
        let plan = self.turned_up(&id, person, index);
        if !plan.targets.is_empty() {
            let mut name = format!("{id}-late-{}-cut", plan.hash);
            while self.revocations.get(&name).is_some_and(|one| one.phase != Phase::Held) {
                name.push('+'); // it came to its end without these
            }
            let known = self.revocations.contains_key(&name);
            self.make(name.clone(), position, (Trigger::Termination, false), None, self.now);
            if let Some(late) = self.revocations.get_mut(&name).filter(|_| !known) {
                (late.late, late.plan) = (true, plan);
            }
        }
    }

    pub(super) fn make(
        &mut self,
        name: String,
        position: usize,
        (trigger, freezes): (Trigger, bool),
        run: Option<String>,
        due: Timestamp,
    ) {
        let Standing { known, uid, .. } = &self.people[position];
        let policy = known.entry.as_ref().and_then(|entry| self.policy(&entry.policy));
        let Some(policy) = policy else { return };
        let plan = Plan::default();
        self.made += 1;
        let (person, person_uid, uid) = (known.name.clone(), uid.clone(), format!("made-{}", self.made));
        let new = Revocation {
            uid,
            person,
            person_uid,
            policy,
            trigger,
            freezes,
            run,
            due,
            late: false,
            plan,
            approved: None,
            rejected: false,
            phase: Phase::Held,
            acted: None,
            done: Vec::new(),
        };
        self.revocations.entry(name).or_insert(new);
    }

    /// Draws every plan that may still be drawn as the cluster is now.
    fn draw(&mut self, index: &Index) {
        let open = self.revocations.iter().filter(|(_, one)| one.is_open());
        let drawn = open.filter_map(|(name, one)| {
            let person = self.person_of(one)?;
            let drawn = self.drawn(one.policy, one.freezes, person, index);
            let id = name.rsplit_once("-late-").map_or(name.as_str(), |(id, _)| id);
            let others = self.dealing(id, person, index).filter(|(other, _)| *other != name);
            let plan = if one.late { self.but(drawn, &known_uids(others), person, one.policy) } else { drawn };
            Some((name.clone(), plan))
        });
        for (name, plan) in drawn.collect::<Vec<_>>() {
            self.revocations.get_mut(&name).unwrap().plan = plan;
        }
    }

    pub(super) fn drawn(&self, policy: usize, freezes: bool, person: &Standing, index: &Index) -> Plan {
        let (facts, rule, none) = (self.facts_of(person), self.policies[policy].rule(), Protected::default());
        match freezes {
            true => plan::freeze(&facts, &rule, index, &self.objects, &none),
            false => plan::cut(&facts, &rule, index, &self.objects, &none),
        }
    }

    /// What the other cuts of this termination do not deal with: nothing where another record of this human left later, or
    /// works.
    fn turned_up(&self, id: &str, person: &Standing, index: &Index) -> Plan {
        let facts = &self.facts_of(person);
        let policy = person.known.entry.as_ref().and_then(|entry| self.policy(&entry.policy)).unwrap_or_default();
        let drawn = self.drawn(policy, false, person, index);
        let mut others = index.records(facts).filter(|other| other.uid != facts.uid);
        let later = others.any(|other| other.left.is_none() || (other.left, &other.name) > (facts.left, &facts.name));
        match later {
            true => Plan { targets: Vec::new(), ..drawn },
            false => self.but(drawn, &known_uids(self.dealing(id, person, index)), person, policy),
        }
    }

    /// The Revocations of this termination, and of the other records of this human: what they deal with is no discovery.
    fn dealing<'a>(
        &'a self,
        id: &'a str,
        person: &Standing,
        index: &Index,
    ) -> impl Iterator<Item = (&'a String, &'a Revocation)> + use<'a> {
        let facts = self.facts_of(person);
        let records = index.records(&facts).map(|other| other.name.clone());
        let others: Vec<String> = records.filter(|name| *name != facts.name).collect();
        let seen = facts.left.unwrap_or(self.now);
        let of_other = move |one: &Revocation| others.contains(&one.person) && one.deals_since(seen);
        self.revocations.iter().filter(move |(name, one)| name.starts_with(id) || of_other(one))
    }

    /// A plan of a cut without what others deal with.
    fn but(&self, drawn: Plan, known: &BTreeSet<String>, person: &Standing, policy: usize) -> Plan {
        let targets: Vec<Target> =
            drawn.targets.iter().filter(|target| !known.contains(&target.uid)).cloned().collect();
        let hash = plan::hash(&person.uid, &self.policies[policy].rule(), plan::Operation::Cut, &targets);
        Plan { hash, targets, ..drawn }
    }

    /// A human approves every plan that waits for that.
    fn approve(&mut self) {
        let waits = |(name, one): &(&String, &Revocation)| {
            let facts = self.gate_facts(name);
            let stop = gate::gate(&one.plan, &facts, self.now).err();
            let asks = matches!(stop, Some(Stop::Baseline(_) | Stop::LeavesScope(_) | Stop::ApprovalExpired(_)));
            let held = matches!(facts.allowance, Allowance::Held { .. });
            let waits = one.phase == Phase::Held && !one.rejected && (held || one.late || asks);
            waits && facts.approved(&one.plan.hash, self.now) != Approved::Yes
        };
        let names: Vec<String> = self.revocations.iter().filter(waits).map(|(name, _)| name.clone()).collect();
        for name in names {
            let one = self.revocations.get_mut(&name).unwrap();
            one.approved = Some(gate::Approval { plan: one.plan.hash.clone(), at: self.now, whole: true });
        }
    }

    /// Counts what a human approved.
    fn debit(&mut self) {
        let counts = |(name, one): &(&String, &Revocation)| {
            let facts = self.gate_facts(name);
            let leaves = matches!(facts.leaver_status, LeaverStatus::Ended | LeaverStatus::Unknown);
            let acts = one.phase == Phase::Held && !one.rejected && !one.late && facts.settled && leaves;
            acts && facts.approved(&one.plan.hash, self.now) == Approved::Yes
        };
        let names: Vec<String> = self.revocations.iter().filter(counts).map(|(name, _)| name.clone()).collect();
        for name in names {
            let one = &self.revocations[&name];
            self.ledger.approve(self.policies[one.policy].name, &name, &asked(one), self.now);
        }
    }

    /// Has a plan carried out, as far as all of it is still theirs: accounts are made again under a new uid, bindings go.
    fn act(&mut self, name: &str, plan: &Plan) -> Option<Release> {
        let one = &self.revocations[name];
        let still = self.drawn(one.policy, one.freezes, self.person_of(one)?, &self.index());
        let done: Vec<Target> = plan.targets.iter().filter(|target| still.targets.contains(target)).cloned().collect();
        if one.freezes && done.is_empty() {
            return None; // there is nothing to freeze yet
        }
        let (policy, person, trigger) = (one.policy, one.person.clone(), one.trigger);
        let approved = one.approved.as_ref().filter(|approval| approval.plan == plan.hash).map(|approval| approval.at);
        let (revocation, late, empty, rejected) = (name.to_owned(), one.late, plan.targets.is_empty(), one.rejected);
        if one.freezes {
            self.frozen.hold(name, done.iter().map(plan::frozen_name).collect());
        }
        for target in &done {
            match target.action {
                Action::Recreate => {
                    let account = self.objects.accounts.iter_mut().find(|one| one.uid == target.uid);
                    account.into_iter().for_each(|one| one.uid.push('+'));
                }
                Action::Freeze => {}
                Action::Trim | Action::Rotate | Action::HandOver | Action::Evict => {} // no namespace here consents to it
                Action::Unbind | Action::Delete => self.objects.bindings.retain(|one| one.uid != target.uid),
            }
        }
        let one = self.revocations.get_mut(name)?;
        (one.phase, one.acted) = (if one.freezes { Phase::Frozen } else { Phase::Revoked }, Some(self.now));
        one.done.clone_from(&done);
        Some(Release { revocation, person, policy, trigger, late, empty, done, approved, rejected })
    }

    pub(super) fn left(&self, one: &Revocation) -> Option<&roster::Left> {
        self.person(&one.person)?.known.entry.as_ref()?.employment.left.as_deref()
    }

    pub(in crate::histories) fn person(&self, name: &str) -> Option<&Standing> {
        self.people.iter().find(|one| one.known.name == name)
    }

    /// The Person that a Revocation is about, and none that was made anew since.
    pub(in crate::histories) fn person_of(&self, one: &Revocation) -> Option<&Standing> {
        self.person(&one.person).filter(|person| person.uid == one.person_uid)
    }

    /// What the Person says now of the reason for a Revocation.
    pub(super) fn status(&self, name: &str, one: &Revocation) -> LeaverStatus {
        let person = self.person_of(one);
        let entry = person.and_then(|one| one.known.entry.as_ref());
        let says = match entry.map(|entry| entry.employment.state) {
            Some(State::Terminated) => LeaverStatus::Ended,
            Some(State::OutOfScope) => LeaverStatus::OutOfScope,
            None | Some(State::Unknown) => LeaverStatus::Unknown,
            Some(_) => LeaverStatus::Employed,
        };
        let of_this = |id: Option<String>| id.is_some_and(|id| name.starts_with(&id));
        let managed = entry.is_some_and(|entry| entry.policy == self.policies[one.policy].name);
        match (one.trigger, says) {
            (Trigger::Leave, _) => self.leave_status(name, one, says),
            (_, LeaverStatus::OutOfScope) => LeaverStatus::OutOfScope,
            (Trigger::ByHand, _) if managed => LeaverStatus::Ended,
            (Trigger::ByHand, _) => LeaverStatus::Unknown,
            (Trigger::Termination, LeaverStatus::Ended) if !of_this(person.and_then(|one| self.termination(one))) => {
                LeaverStatus::Employed
            }
            (Trigger::Termination, says) => says,
        }
    }

    pub(super) fn gate_facts(&self, name: &str) -> gate::Facts {
        let one = &self.revocations[name];
        let person = self.person_of(one);
        let entry = person.and_then(|person| person.known.entry.as_ref());
        let hold = person.and_then(|person| person.hold);
        gate::Facts {
            stopped: None,
            leaver_status: self.status(name, one),
            hold: hold.map(|until| gate::Hold { reason: "a dispute".to_owned(), until }),
            protected: false,
            rejected: one.rejected,
            enforce: true,
            settled: self.settled(one.policy),
            due: one.due,
            trusted: true,
            removal: false,
            begun: false,
            baseline: self.needs_approval(one),
            leaves_scope: one.trigger == Trigger::Termination
                && entry.is_some_and(|entry| entry.employment.leaves_scope.is_some()),
            late: one.late,
            allowance: self.allowance(name),
            counted: one.plan.hash.clone(),
            approved: one.approved.clone(),
            approvals_last: APPROVALS_LAST,
            claimed: false,
        }
    }

    /// Whether nobody saw the reason for a Revocation begin.
    pub(super) fn needs_approval(&self, one: &Revocation) -> bool {
        let entry = self.person_of(one).and_then(|person| person.known.entry.as_ref());
        match one.trigger {
            Trigger::Termination => self.left(one).is_some_and(|left| left.baseline),
            Trigger::Leave => entry.and_then(|entry| entry.leave.as_ref()).is_some_and(|leave| leave.baseline),
            Trigger::ByHand => false,
        }
    }
}

impl Revocation {
    /// Whether it ends access, and has not before another record of the human was seen to end: until then all was held.
    fn deals_since(&self, seen: Timestamp) -> bool {
        let waits = self.trigger == Trigger::Termination && self.phase == Phase::Held;
        !self.freezes && self.acted.map_or(waits, |acted| acted >= seen)
    }

    /// Whether its plan may be drawn again: nobody decided, and nothing was done.
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Held && self.approved.is_none() && !self.rejected
    }
}

/// The uids that these Revocations deal with: of their targets, and of the accounts that took the place of these; of those that
/// are over, no target that was somebody else's too when they acted.
fn known_uids<'a>(all: impl Iterator<Item = (&'a String, &'a Revocation)>) -> BTreeSet<String> {
    let uids = all.flat_map(|(_, one)| {
        let planned = one.plan.targets.iter().filter(|target| one.acted.is_none() || one.done.contains(target));
        let new = one.done.iter().map(|target| format!("{}+", target.uid));
        planned.map(|target| target.uid.clone()).chain(new)
    });
    uids.collect()
}

pub(super) fn asked(one: &Revocation) -> CountedPlan {
    CountedPlan::new(&one.uid, &one.plan.hash, u32::try_from(one.plan.targets.len()).unwrap(), one.plan.workloads)
}
