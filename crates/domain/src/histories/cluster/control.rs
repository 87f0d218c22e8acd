//! The part of control: makes the cuts, plans and counts them, and carries out what every gate lets through.

use super::*;

impl Cluster {
    fn termination(&self, person: &Standing) -> Option<String> {
        let left = person.known.entry.as_ref()?.employment.left.as_deref()?;
        Some(termination_id(&person.known.name, left.seen))
    }

    fn first_cut(&self, person: &Standing) -> Option<&Cut> {
        self.cuts.get(&format!("{}-cut", self.termination(person)?))
    }

    /// How far the present termination of a Person has come, as control mirrors it.
    pub(in crate::histories) fn access(&self, person: &Standing) -> Access {
        match self.first_cut(person).map(|cut| cut.phase) {
            Some(Phase::Revoked) => Access::Refused,
            _ => Access::Stands,
        }
    }

    /// Whether the present termination of a Person has cut this object.
    pub(in crate::histories) fn has_cut(&self, person: &Standing, object: &str) -> bool {
        let Some(id) = self.termination(person) else { return false };
        let mut cuts = self.cuts.iter().filter(|(name, cut)| name.starts_with(&id) && cut.phase == Phase::Revoked);
        cuts.any(|(_, cut)| cut.plan.targets.iter().any(|target| target.name == object))
    }

    /// What the cuts of a Person came to, for the reader of a failure.
    pub(in crate::histories) fn shown(&self, person: &Standing) -> Vec<(Allowance, Vec<plan::Remaining>)> {
        let cuts = self.cuts.iter().filter(|(_, cut)| cut.person == person.known.name);
        cuts.map(|(name, cut)| (self.allowance(name), cut.plan.remaining.clone())).collect()
    }

    fn facts_of(&self, person: &Standing) -> PersonFacts {
        let known = &person.known;
        let entry = known.entry.as_ref();
        let left = entry.and_then(|entry| entry.employment.left.as_ref());
        let called = |record: &roster::RecordKey| {
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

    /// What control does: makes the cuts, plans them, counts their runs, and carries out what every gate lets through.
    pub(in crate::histories) fn control(&mut self, approve: bool) -> Vec<Release> {
        let index = Index::new(self.people.iter().map(|one| self.facts_of(one)).collect());
        self.plan_cuts(&index);
        self.count();
        if approve {
            self.approve();
        }
        let names: Vec<String> = self.cuts.keys().cloned().collect();
        let mut released = Vec::new();
        for name in names {
            let cut = &self.cuts[&name];
            if cut.phase != Phase::Held {
                continue;
            }
            match gate::gate(&cut.plan, &self.gate_facts(&name, cut), self.now) {
                Ok(plan) => {
                    let (person, approved) = (cut.person.clone(), cut.approved.is_some());
                    released.push(Release { cut: name.clone(), person, plan: plan.plan().clone(), approved });
                    self.act(&name);
                }
                Err(Stop::Withdrawn) => {
                    self.ledger.withdraw(POLICY, &name, &self.cuts[&name].uid);
                    self.cuts.get_mut(&name).unwrap().phase = Phase::Cancelled;
                }
                Err(Stop::OutOfScope | Stop::Unknown) => self.ledger.withdraw(POLICY, &name, &self.cuts[&name].uid),
                Err(_) => {}
            }
        }
        released
    }

    fn plan_cuts(&mut self, index: &Index) {
        for position in 0..self.people.len() {
            let person = &self.people[position];
            let Some(id) = self.termination(person) else { continue };
            let facts = self.facts_of(person);
            let drawn = plan::cut(&facts, RULE, index, &self.objects, &Protected::default());
            let frozen = |cut: &Cut| cut.phase != Phase::Held || cut.approved.is_some();
            let first = format!("{id}-cut");
            let late = self.cuts.get(&first).is_some_and(frozen);
            if late && !self.turned_up(&id, None, &facts, index, &drawn).targets.is_empty() {
                let plan = self.turned_up(&id, None, &facts, index, &drawn);
                self.make(format!("{id}-late-{}-cut", plan.hash), position, plan, true);
            } else if !late {
                self.make(first, position, drawn.clone(), false);
            }
            let open: Vec<String> = self
                .cuts
                .iter()
                .filter(|(name, cut)| name.starts_with(&id) && !frozen(cut))
                .map(|(name, _)| name.clone())
                .collect();
            for name in open {
                let of_late = self.cuts[&name].late;
                let plan =
                    if of_late { self.turned_up(&id, Some(&name), &facts, index, &drawn) } else { drawn.clone() };
                self.cuts.get_mut(&name).unwrap().plan = plan;
            }
        }
    }

    fn make(&mut self, name: String, position: usize, plan: Plan, late: bool) {
        let Standing { known, uid } = &self.people[position];
        let run = known.entry.as_ref().and_then(|entry| entry.employment.left.as_ref()?.run.clone());
        let (person, person_uid, uid) = (known.name.clone(), uid.clone(), format!("cut-{}", self.cuts.len()));
        let new = Cut { uid, person, person_uid, run, late, plan, approved: None, phase: Phase::Held };
        self.cuts.entry(name).or_insert(new);
    }

    /// What the other cuts of this termination do not deal with: nothing where another record of this human left later, or
    /// works.
    fn turned_up(&self, id: &str, but: Option<&str>, facts: &PersonFacts, index: &Index, drawn: &Plan) -> Plan {
        let mut others = index.records(facts).filter(|other| other.uid != facts.uid);
        let later = others.any(|other| other.left.is_none() || (other.left, &other.name) > (facts.left, &facts.name));
        let humans: Vec<&str> = index.records(facts).map(|other| other.name.as_str()).collect();
        let cuts = self.cuts.iter().filter(|(name, cut)| {
            Some(name.as_str()) != but
                && (name.starts_with(id) || (cut.person != facts.name && humans.contains(&cut.person.as_str())))
        });
        let known: BTreeSet<String> = cuts
            .flat_map(|(_, cut)| &cut.plan.targets)
            .flat_map(|target| [target.uid.clone(), format!("{}+", target.uid)])
            .collect();
        let targets: Vec<Target> =
            drawn.targets.iter().filter(|target| !later && !known.contains(&target.uid)).cloned().collect();
        let hash = plan::hash(&facts.uid, RULE, plan::Operation::Cut, &targets);
        Plan { hash, targets, ..drawn.clone() }
    }

    /// Counts every run that has been seen whole and of which something is not counted.
    fn count(&mut self) {
        let waits = |cut: &Cut| {
            cut.phase == Phase::Held && matches!(self.status(cut), LeaverStatus::Ended | LeaverStatus::Unknown)
        };
        let uncounted = |(name, cut): &(&String, &Cut)| {
            !cut.late
                && waits(cut)
                && matches!(self.ledger.allowance(POLICY, name, &asked(cut)), Allowance::Uncounted | Allowance::NoRoom)
        };
        if !self.settled() {
            return;
        }
        let wanted: BTreeSet<String> =
            self.cuts.iter().filter(uncounted).filter_map(|(_, cut)| cut.run.clone()).collect();
        if wanted.is_empty() {
            return;
        }
        let open = self.cuts.iter().filter(|(_, cut)| cut.phase == Phase::Held);
        let all: BTreeSet<Who> = open.map(|(name, cut)| Who::of(name, &cut.uid)).collect();
        self.ledger.retain(&BTreeMap::from([(POLICY.to_owned(), Open { waits: all.clone(), all })]), self.now);
        for run in wanted {
            let seen: Vec<_> =
                self.cuts.iter().filter(|(_, cut)| !cut.late && cut.run.as_ref() == Some(&run)).collect();
            let planned = u32::try_from(seen.len()).unwrap();
            let listed = self.runs.iter().find(|one| one.id == run);
            let unplanned = match listed {
                None => None,
                Some(run) if !run.written || !ledger::countable(planned, run.leavers, run.at, self.now) => continue,
                Some(run) => Some(run.leavers.saturating_sub(planned)),
            };
            let people = listed.map_or(0, |run| run.people);
            let (with_baseline, later): (Vec<_>, Vec<_>) =
                seen.into_iter().partition(|(_, cut)| self.left(cut).is_some_and(|left| left.baseline));
            let parts = [(Of::Leavers, later, unplanned), (Of::Baseline, with_baseline, Some(0))];
            for (of, part, unplanned) in parts.into_iter().filter(|(_, part, _)| !part.is_empty()) {
                let announced = part.iter().filter(|(_, cut)| self.left(cut).is_some_and(|left| left.announced));
                let announced: BTreeSet<String> = announced.map(|(name, _)| (*name).clone()).collect();
                let revocations: BTreeMap<String, CountedPlan> =
                    part.into_iter().map(|(name, cut)| (name.clone(), asked(cut))).collect();
                let counted = ledger::Run { id: &run, of, revocations: &revocations, announced: &announced, unplanned };
                self.ledger.count_run(POLICY, &counted, &limits(people), self.now);
            }
        }
    }

    /// A human approves every plan that waits in a batch.
    fn approve(&mut self) {
        for (name, cut) in &mut self.cuts {
            let counted = asked(cut);
            let held = matches!(self.ledger.allowance(POLICY, name, &counted), Allowance::Held { .. });
            if cut.phase == Phase::Held && (held || cut.late) {
                cut.approved = Some(gate::Approval { plan: cut.plan.hash.clone(), at: self.now });
                self.ledger.approve(POLICY, name, &counted, self.now);
            }
        }
    }

    /// What a human approved and something else than its person holds.
    pub(in crate::histories) fn approved(&self) -> Vec<Release> {
        let waits = self.cuts.iter().filter(|(_, cut)| {
            cut.phase == Phase::Held && cut.approved.is_some() && self.status(cut) == LeaverStatus::Ended
        });
        let release = |(name, cut): (&String, &Cut)| {
            let (cut_name, person, plan) = (name.clone(), cut.person.clone(), cut.plan.clone());
            Release { cut: cut_name, person, plan, approved: true }
        };
        waits.map(release).collect()
    }

    /// Carries out a plan: accounts are made again under a new uid, bindings go.
    fn act(&mut self, name: &str) {
        let cut = self.cuts.get_mut(name).unwrap();
        cut.phase = Phase::Revoked;
        for target in &cut.plan.targets {
            match target.action {
                Action::Recreate => {
                    let account = self.objects.accounts.iter_mut().find(|one| one.uid == target.uid);
                    account.into_iter().for_each(|one| one.uid.push('+'));
                }
                Action::Freeze => {} // no policy here acts on a leave
                Action::Trim => {}   // no namespace here consents to it
                Action::Unbind | Action::Delete => self.objects.bindings.retain(|one| one.uid != target.uid),
            }
        }
    }

    fn left(&self, cut: &Cut) -> Option<&roster::Left> {
        self.person(&cut.person)?.known.entry.as_ref()?.employment.left.as_deref()
    }

    pub(in crate::histories) fn person(&self, name: &str) -> Option<&Standing> {
        self.people.iter().find(|one| one.known.name == name)
    }

    /// What the Person says now of the termination that a cut is of.
    fn status(&self, cut: &Cut) -> LeaverStatus {
        let person = self.person(&cut.person).filter(|one| one.uid == cut.person_uid);
        let name = self.cuts.iter().find(|(_, one)| one.uid == cut.uid).map(|(name, _)| name);
        match person.and_then(|one| one.known.entry.as_ref()).map(|entry| entry.employment.state) {
            Some(State::Terminated)
                if person
                    .and_then(|one| self.termination(one))
                    .is_some_and(|id| name.is_some_and(|name| name.starts_with(&id))) =>
            {
                LeaverStatus::Ended
            }
            Some(State::OutOfScope) => LeaverStatus::OutOfScope,
            None | Some(State::Unknown) => LeaverStatus::Unknown,
            Some(_) => LeaverStatus::Employed,
        }
    }

    fn settled(&self) -> bool {
        self.sources.iter().filter(|source| source.role == Role::Employment).all(|source| source.settled)
    }

    pub(in crate::histories) fn allowance(&self, name: &str) -> Allowance {
        self.ledger.allowance(POLICY, name, &asked(&self.cuts[name]))
    }

    fn gate_facts(&self, name: &str, cut: &Cut) -> gate::Facts {
        let left = self.left(cut);
        let entry = self.person(&cut.person).and_then(|one| one.known.entry.as_ref());
        gate::Facts {
            stopped: None,
            leaver_status: self.status(cut),
            hold: None,
            protected: false,
            rejected: false,
            enforce: true,
            settled: self.settled(),
            due: left.map_or(self.now, |left| left.effective),
            trusted: true,
            removal: false,
            begun: false,
            baseline: left.is_some_and(|left| left.baseline),
            leaves_scope: entry.is_some_and(|entry| entry.employment.leaves_scope.is_some()),
            late: cut.late,
            allowance: self.ledger.allowance(POLICY, name, &asked(cut)),
            counted: cut.plan.hash.clone(),
            approved: cut.approved.clone(),
            approvals_last: SignedDuration::from_hours(24 * 31),
            claimed: false,
        }
    }
}

fn asked(cut: &Cut) -> CountedPlan {
    CountedPlan::new(&cut.uid, &cut.plan.hash, u32::try_from(cut.plan.targets.len()).unwrap(), cut.plan.workloads)
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
