//! What sync and control do, in their order, over values instead of objects: read, judge, remember, pass, plan, count, gate.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::employee::{Employee, Failure, Read};
use crate::gate::{self, LeaverStatus, Stop};
use crate::ledger::{self, Allowance, CountedPlan, Ledger, Of, Open, Who, Window, allowed};
use crate::lifecycle::State;
use crate::ownership::{Index, PersonFacts, connection_of};
use crate::plan::{self, Account, Action, Binding, Consent, Kind, Plan, Protected, Subject, Target};
use crate::roster::{
    self, Access, Baseline, Change, KnownPerson, Matching, Migration, Modes, RecordKey, Role, RosterPass, Rules, Run,
    TrustedResponse, termination_id,
};
use crate::scope::{self, Lists, Scope};
use crate::timezone::{DayEnd, Zones};
use crate::trust::{Believed, Bounds, Held, Memory, PollContext, Snapshot, judge};

/// How old the last trusted answer of a source may be.
pub(super) const STALE_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// Name of the policy.
const POLICY: &str = "everyone";
/// The rule of its plans.
const RULE: &str = "everyone/termination";
const NAMESPACE: &str = "rollcall";

/// A connection, as its objects have it.
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) role: Role,
    memory: Memory,
    before: Option<Memory>,
    remembered: bool,
    snapshot: Option<Snapshot>,
    pub(super) last_trusted: Option<Timestamp>,
    pub(super) settled: bool,
}

/// A Person, and its uid.
pub(super) struct Standing {
    pub(super) known: KnownPerson,
    pub(super) uid: String,
}

/// A Revocation that cuts.
pub(super) struct Cut {
    uid: String,
    pub(super) person: String,
    person_uid: String,
    run: Option<String>,
    /// It is of what turned up after the first plan.
    late: bool,
    pub(super) plan: Plan,
    approved: Option<gate::Approval>,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Held,
    Revoked,
    Cancelled,
}

/// A plan that every gate let through.
pub(super) struct Release {
    pub(super) cut: String,
    pub(super) person: String,
    pub(super) plan: Plan,
    pub(super) approved: bool,
}

/// The cluster.
pub(super) struct Cluster {
    /// What its clock says.
    pub(super) now: Timestamp,
    pub(super) sources: Vec<Source>,
    pub(super) people: Vec<Standing>,
    pub(super) migrations: Vec<Migration>,
    pub(super) objects: plan::ClusterInventory,
    matching: Matching,
    scope: Scope,
    zones: Zones,
    runs: Vec<Run>,
    ledger: Ledger,
    pub(super) cuts: BTreeMap<String, Cut>,
    made: usize,
    /// Subjects of every binding there ever was.
    pub(super) bound: BTreeMap<String, Vec<Subject>>,
}

/// One write of a pass.
enum Write {
    Runs(Vec<Run>),
    Close,
    Person(Box<Change>),
    Conclude,
}

impl Cluster {
    pub(super) fn new(matching: Matching, now: Timestamp) -> Self {
        let exclude = Lists::default().of(scope::Kind::Department, ["Labs"]);
        let consents = BTreeMap::from([("team".to_owned(), Consent { accounts: true, canaries: false })]);
        let consumers = BTreeMap::from([("team".to_owned(), BTreeSet::new())]);
        Self {
            now,
            sources: Vec::new(),
            people: Vec::new(),
            migrations: Vec::new(),
            objects: plan::ClusterInventory { consents, consumers, ..plan::ClusterInventory::default() },
            matching,
            scope: Scope::new(Lists::default(), exclude, None).unwrap(),
            zones: Zones::new("Europe/Madrid", &BTreeMap::new()).unwrap(),
            runs: Vec::new(),
            ledger: Ledger::default(),
            cuts: BTreeMap::new(),
            made: 0,
            bound: BTreeMap::new(),
        }
    }

    pub(super) fn connect(&mut self, name: &'static str) {
        self.sources.push(Source {
            name,
            role: Role::Employment,
            memory: Memory::fresh(&[7; 32]),
            before: None,
            remembered: false,
            snapshot: None,
            last_trusted: None,
            settled: false,
        });
    }

    /// Somebody gets an account marked with their id, one marked with their address, and a binding of their user name.
    pub(super) fn equip(&mut self, who: usize, record: &str, address: &str) {
        let account = |name: String, owner: String| Account {
            namespace: "team".into(),
            uid: format!("uid-{name}"),
            name,
            owner,
            purpose: None,
            break_glass: false,
        };
        self.objects.accounts.push(account(format!("id-{who}"), format!("id:{record}")));
        self.objects.accounts.push(account(format!("mail-{who}"), format!("email:{address}")));
        let subjects = vec![Subject::User(format!("oidc:{address}"))];
        self.bound.insert(format!("user-{who}"), subjects.clone());
        self.objects.bindings.push(Binding {
            kind: Kind::RoleBinding,
            namespace: "team".into(),
            name: format!("user-{who}"),
            uid: format!("uid-user-{who}"),
            subjects,
            break_glass: false,
        });
    }

    /// One poll: judged, and remembered before it is used.
    pub(super) fn poll(&mut self, source: usize, read: Result<Read, Failure>, accept: bool) -> Result<Believed, Option<Held>> {
        let read = read.map_err(|_| None)?;
        let known = self.named_by(source);
        let now = self.now;
        let from = &mut self.sources[source];
        let known_people = if from.memory.is_whole() { [].as_slice() } else { known.as_slice() };
        let asked = PollContext { source: from.name, remembered: from.remembered, accepted: None, known_people };
        let judged = match judge(read.clone(), &from.memory, &asked, &bounds(), now) {
            Err(held) if accept => {
                let asked = PollContext { accepted: Some(&held.answer), ..asked };
                judge(read, &from.memory, &asked, &bounds(), now)
            }
            judged => judged,
        };
        let believed = judged.map_err(Some)?;
        let stored = believed.memory.stored().unwrap();
        let memory = Memory::parse(&stored).unwrap();
        from.before = Some(std::mem::replace(&mut from.memory, memory));
        (from.remembered, from.last_trusted) = (true, Some(now));
        from.snapshot = Some(believed.snapshot.clone());
        Ok(believed)
    }

    /// People of a connection as the last trusted answer named them, for a memory that was lost.
    fn named_by(&self, source: usize) -> Vec<Employee> {
        let name = self.sources[source].name;
        let entries = self.people.iter().filter_map(|one| one.known.entry.as_ref());
        let named = entries.flat_map(|entry| entry.employments.iter().map(move |one| (entry, one)));
        let named = named.filter(|(_, one)| *one.record.connection == *name && one.missing_since.is_none());
        let employees = named.map(|(entry, one)| {
            let address = entry.profile.work_email.clone().unwrap_or_default();
            let employee = Employee::new(one.record.id.clone(), String::new(), address, one.facts.reported_status);
            Employee { start: one.facts.start, last_day: one.facts.last_day, ..employee }
        });
        employees.collect()
    }

    /// The process dies: what it had in its own memory is gone.
    pub(super) fn restart(&mut self) {
        self.sources.iter_mut().for_each(|source| source.snapshot = None);
        let stored = serde_json::to_string(&self.ledger).unwrap();
        self.ledger = serde_json::from_str(&stored).unwrap();
    }

    /// The memory of a source is lost, or an older one takes its place; says whether there was an older one.
    pub(super) fn forget(&mut self, source: usize, older: bool) -> bool {
        let from = &mut self.sources[source];
        match from.before.take().filter(|_| older) {
            Some(before) => from.memory = before,
            None if older => return false,
            None => from.memory = Memory::fresh(&[9; 32]),
        }
        true
    }

    pub(super) fn is_stale(&self) -> bool {
        let employers: Vec<_> = self.sources.iter().filter(|source| source.role == Role::Employment).collect();
        let fresh = |source: &&Source| {
            source.last_trusted.is_some_and(|last| self.now.duration_since(last) <= STALE_AFTER)
        };
        employers.len() > 1 && !employers.iter().all(fresh)
    }

    /// What a pass decides now.
    pub(super) fn plan(&self) -> RosterPass {
        let role = |name: &str| self.sources.iter().find(|one| one.name == name).map_or(Role::Unread, |one| one.role);
        let baseline = |name: &str| match self.sources.iter().find(|one| one.name == name) {
            Some(source) if source.settled => Baseline::Settled,
            Some(source) if source.snapshot.is_some() => Baseline::Now,
            _ => Baseline::Awaited,
        };
        let known: Vec<KnownPerson> = self
            .people
            .iter()
            .map(|one| KnownPerson { access: self.access(one), ..one.known.clone() })
            .collect();
        let fields = Modes::default();
        let owned: HashSet<String> =
            self.objects.accounts.iter().filter_map(|one| crate::ownership::key(&one.owner)).collect();
        let owns = |key: &str| owned.contains(key);
        let rules = Rules {
            namespace: NAMESPACE,
            role: &role,
            migrations: &self.migrations,
            matching: &self.matching,
            terms: crate::lifecycle::Terms::default(),
            day_end: DayEnd::default(),
            elsewhere: &|_, _| false,
            policy: POLICY,
            policy_uid: "uid-1",
            zones: &self.zones,
            usernames: &|_, one| vec![format!("oidc:{}", one.work_email)],
            fields: &fields,
            scope: &self.scope,
            owns: Some(&owns),
            holders_only: false,
            runs: &self.runs,
            stale: self.is_stale(),
            baseline: &baseline,
        };
        let read = self.sources.iter().filter(|source| source.role == Role::Employment);
        let answers: Vec<_> = read
            .filter_map(|source| {
                let snapshot = source.snapshot.as_ref()?;
                let (employees, taken, part) = (snapshot.employees(), snapshot.taken(), snapshot.part());
                Some(TrustedResponse { connection: source.name, employees, taken, part })
            })
            .collect();
        roster::next(&known, &answers, &rules, self.now)
    }

    /// Writes what a pass decided, in the order of sync; dies after so many writes. Says whom it wrote.
    pub(super) fn write(&mut self, pass: RosterPass, die_after: Option<usize>) -> Vec<String> {
        let writes = writes(pass, &self.runs);
        let mut written = Vec::new();
        for write in writes.into_iter().take(die_after.unwrap_or(usize::MAX)) {
            match write {
                Write::Runs(runs) => self.runs = runs,
                Write::Close => self.runs.iter_mut().for_each(|run| run.written = true),
                Write::Person(change) => {
                    written.push(change.name.clone());
                    self.write_person(*change);
                }
                Write::Conclude => {
                    self.runs.iter_mut().for_each(|run| run.written = true);
                    let answered = self.sources.iter_mut().filter(|source| source.snapshot.is_some());
                    answered.for_each(|source| source.settled = true);
                }
            }
        }
        written
    }

    fn write_person(&mut self, change: Change) {
        let Change { name, records, entry, .. } = change;
        let entry = Some(entry);
        match self.people.iter_mut().find(|one| one.known.name == name) {
            Some(one) => (one.known.records, one.known.entry) = (records, entry),
            None => {
                self.made += 1;
                let (apart, access) = (Vec::new(), Access::Stands);
                let known = KnownPerson { name, records, apart, entry, declared: None, access };
                self.people.push(Standing { known, uid: format!("person-{}", self.made) });
            }
        }
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// How many records Persons link.
    pub(super) fn linked(&self) -> usize {
        self.people.iter().map(|one| one.known.records.len()).sum()
    }

    fn termination(&self, person: &Standing) -> Option<String> {
        let left = person.known.entry.as_ref()?.employment.left.as_ref()?;
        Some(termination_id(&person.known.name, left.seen))
    }

    fn first_cut(&self, person: &Standing) -> Option<&Cut> {
        self.cuts.get(&format!("{}-cut", self.termination(person)?))
    }

    /// How far the present termination of a Person has come, as control mirrors it.
    pub(super) fn access(&self, person: &Standing) -> Access {
        match self.first_cut(person).map(|cut| cut.phase) {
            Some(Phase::Revoked) => Access::Refused,
            _ => Access::Stands,
        }
    }

    /// Whether the present termination of a Person has cut this object.
    pub(super) fn has_cut(&self, person: &Standing, object: &str) -> bool {
        let Some(id) = self.termination(person) else { return false };
        let mut cuts = self.cuts.iter().filter(|(name, cut)| name.starts_with(&id) && cut.phase == Phase::Revoked);
        cuts.any(|(_, cut)| cut.plan.targets.iter().any(|target| target.name == object))
    }

    /// What the cuts of a Person came to, for the reader of a failure.
    pub(super) fn shown(&self, person: &Standing) -> Vec<(Allowance, Vec<plan::Remaining>)> {
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
            apart: known.apart.iter().flat_map(called).collect(),
            aliases: entry.map(|entry| entry.aliases.clone()).unwrap_or_default(),
            address: entry.and_then(|entry| entry.profile.work_email.clone()),
            left: left.filter(|left| !left.baseline || self.access(person) != Access::Stands).map(|left| left.seen),
        }
    }

    /// What control does: makes the cuts, plans them, counts their runs, and carries out what every gate lets through.
    pub(super) fn control(&mut self, approve: bool) -> Vec<Release> {
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
            let open: Vec<String> =
                self.cuts.iter().filter(|(name, cut)| name.starts_with(&id) && !frozen(cut)).map(|(name, _)| name.clone()).collect();
            for name in open {
                let of_late = self.cuts[&name].late;
                let plan = if of_late { self.turned_up(&id, Some(&name), &facts, index, &drawn) } else { drawn.clone() };
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
        let waits = |cut: &Cut| cut.phase == Phase::Held && matches!(self.status(cut), LeaverStatus::Ended | LeaverStatus::Unknown);
        let uncounted = |(name, cut): &(&String, &Cut)| {
            !cut.late && waits(cut) && matches!(self.ledger.allowance(POLICY, name, &asked(cut)), Allowance::Uncounted | Allowance::NoRoom)
        };
        if !self.settled() {
            return;
        }
        let wanted: BTreeSet<String> = self.cuts.iter().filter(uncounted).filter_map(|(_, cut)| cut.run.clone()).collect();
        if wanted.is_empty() {
            return;
        }
        let open = self.cuts.iter().filter(|(_, cut)| cut.phase == Phase::Held);
        let all: BTreeSet<Who> = open.map(|(name, cut)| Who::of(name, &cut.uid)).collect();
        self.ledger.retain(&BTreeMap::from([(POLICY.to_owned(), Open { waits: all.clone(), all })]), self.now);
        for run in wanted {
            let seen: Vec<_> = self.cuts.iter().filter(|(_, cut)| !cut.late && cut.run.as_ref() == Some(&run)).collect();
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
                Action::Unbind | Action::Delete => self.objects.bindings.retain(|one| one.uid != target.uid),
            }
        }
    }

    fn left(&self, cut: &Cut) -> Option<&roster::Left> {
        self.person(&cut.person)?.known.entry.as_ref()?.employment.left.as_ref()
    }

    pub(super) fn person(&self, name: &str) -> Option<&Standing> {
        self.people.iter().find(|one| one.known.name == name)
    }

    /// What the Person says now of the termination that a cut is of.
    fn status(&self, cut: &Cut) -> LeaverStatus {
        let person = self.person(&cut.person).filter(|one| one.uid == cut.person_uid);
        let name = self.cuts.iter().find(|(_, one)| one.uid == cut.uid).map(|(name, _)| name);
        match person.and_then(|one| one.known.entry.as_ref()).map(|entry| entry.employment.state) {
            Some(State::Terminated) if person.and_then(|one| self.termination(one)).is_some_and(|id| name.is_some_and(|name| name.starts_with(&id))) => LeaverStatus::Ended,
            Some(State::OutOfScope) => LeaverStatus::OutOfScope,
            None | Some(State::Unknown) => LeaverStatus::Unknown,
            Some(_) => LeaverStatus::Employed,
        }
    }

    fn settled(&self) -> bool {
        self.sources.iter().filter(|source| source.role == Role::Employment).all(|source| source.settled)
    }

    pub(super) fn allowance(&self, name: &str) -> Allowance {
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

/// The writes of a pass in the order of sync: the runs, other records of the leavers' humans, the leavers, everybody else.
fn writes(pass: RosterPass, before: &[Run]) -> Vec<Write> {
    let (leavers, rest): (Vec<Change>, Vec<Change>) = pass.changes.into_iter().partition(|change| change.leaver);
    let keys = |change: &Change| -> Vec<String> {
        let facts = PersonFacts {
            name: String::new(),
            uid: String::new(),
            records: Vec::new(),
            apart: Vec::new(),
            aliases: change.entry.aliases.clone(),
            address: change.entry.profile.work_email.clone(),
            left: None,
        };
        facts.human_keys().collect()
    };
    let humans: HashSet<String> = leavers.iter().flat_map(keys).collect();
    let (others, rest): (Vec<Change>, Vec<Change>) =
        rest.into_iter().partition(|change| keys(change).iter().any(|key| humans.contains(key)));
    let person = |change| Write::Person(Box::new(change));
    let mut writes = Vec::new();
    writes.extend((pass.runs != before).then_some(Write::Runs(pass.runs)));
    writes.extend(others.into_iter().chain(leavers).map(person));
    writes.extend((!rest.is_empty()).then_some(Write::Close));
    writes.extend(rest.into_iter().map(person));
    writes.push(Write::Conclude);
    writes
}

fn asked(cut: &Cut) -> CountedPlan {
    CountedPlan::new(&cut.uid, &cut.plan.hash, u32::try_from(cut.plan.targets.len()).unwrap(), cut.plan.workloads)
}

/// As many leavers a day as a policy of the chart lets through by itself.
pub(super) fn most_a_day(people: u32) -> u32 {
    allowed(10, 2, None, people)
}

fn limits(people: u32) -> ledger::Bounds {
    let window = |hours, most| Window { within: SignedDuration::from_hours(hours), most };
    let windows = vec![window(24, most_a_day(people)), window(24 * 7, 3 * most_a_day(people))];
    let policy = ledger::Limits { people: windows, ..ledger::Limits::default() };
    ledger::Bounds { policy, cluster: ledger::Limits::default() }
}

fn bounds() -> Bounds {
    Bounds {
        max_shrink: 10,
        min_overlap: 95,
        max_bad_records: 1,
        max_unmapped_statuses: 1,
        always_present: Vec::new(),
        sentinels: Vec::new(),
    }
}
