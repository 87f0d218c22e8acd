//! What sync and control do, in their order, over values instead of objects: read, judge, remember, pass, plan, count, gate.

mod control;
mod count;
mod freezes;
mod policies;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::employee::{Employee, Failure, HrId, Read};
use crate::frozen::FrozenNames;
use crate::gate::{self, Approved, LeaverStatus, Stop};
use crate::ledger::{self, Allowance, CountedPlan, Ledger, Of, Open, Who, Window, allowed};
use crate::lifecycle::{State, Terms};
use crate::ownership::{Index, PersonFacts, connection_of};
use crate::plan::{self, Account, Action, Binding, Consent, Kind, Plan, Protected, Subject, Target};
use crate::roster::{
    self, Access, Baseline, Candidate, Change, KnownPerson, Matching, Migration, Reader, RecordKey, Role, RosterPass,
    Rules, Run, TrustedResponse, person_name, termination_id,
};
use crate::scope::{self, Lists, Scope};
use crate::timezone::{DayEnd, Zones};
use crate::trust::{Believed, Bounds, Held, Memory, PollContext, Snapshot, judge};
pub(super) use count::most_a_day;
pub(super) use policies::{Leave, Policy};

/// How old the last trusted answer of a source may be.
pub(super) const STALE_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// How long an approval lasts.
pub(super) const APPROVALS_LAST: SignedDuration = SignedDuration::from_hours(24);
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
}

/// A Person, and its uid.
pub(super) struct Standing {
    pub(super) known: KnownPerson,
    pub(super) uid: String,
    /// Until when a human holds them; it stays written until somebody lifts it.
    pub(super) hold: Option<Timestamp>,
}

impl Standing {
    /// The records it links, in words.
    pub(super) fn called(&self) -> String {
        self.known.records.iter().map(ToString::to_string).collect::<Vec<_>>().join("+")
    }
}

/// Why a Revocation was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    Termination,
    Leave,
    ByHand,
}

/// A Revocation that cuts or freezes.
pub(super) struct Revocation {
    uid: String,
    pub(super) person: String,
    pub(super) person_uid: String,
    /// Number of its policy.
    pub(super) policy: usize,
    pub(super) trigger: Trigger,
    freezes: bool,
    run: Option<String>,
    due: Timestamp,
    /// It is of what turned up after the first plan.
    late: bool,
    pub(super) plan: Plan,
    approved: Option<gate::Approval>,
    rejected: bool,
    phase: Phase,
    /// When it was carried out.
    acted: Option<Timestamp>,
    /// What of the plan was done.
    done: Vec<Target>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Held,
    Revoked,
    Cancelled,
    Frozen,
    Lifted,
}

/// A plan that every gate let through.
pub(super) struct Release {
    pub(super) revocation: String,
    pub(super) person: String,
    pub(super) policy: usize,
    pub(super) trigger: Trigger,
    pub(super) late: bool,
    /// The plan touches nothing.
    pub(super) empty: bool,
    /// What was done of it: what the revoker found still theirs.
    pub(super) done: Vec<Target>,
    /// When a human approved it.
    pub(super) approved: Option<Timestamp>,
    pub(super) rejected: bool,
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
    /// The policies, the oldest first. Each of them reads every source.
    pub(super) policies: Vec<Policy>,
    zones: Zones,
    ledger: Ledger,
    pub(super) revocations: BTreeMap<String, Revocation>,
    frozen: FrozenNames,
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
    pub(super) fn new(matching: Matching, policies: Vec<Policy>, now: Timestamp) -> Self {
        let consents = BTreeMap::from([("team".to_owned(), Consent { accounts: true, ..Consent::default() })]);
        let consumers = BTreeMap::from([("team".to_owned(), BTreeSet::new())]);
        Self {
            now,
            sources: Vec::new(),
            people: Vec::new(),
            migrations: Vec::new(),
            objects: plan::ClusterInventory { consents, consumers, ..plan::ClusterInventory::default() },
            matching,
            policies,
            zones: Zones::new("Europe/Madrid", &BTreeMap::new()).unwrap(),
            ledger: Ledger::default(),
            revocations: BTreeMap::new(),
            frozen: FrozenNames::default(),
            made: 0,
            bound: BTreeMap::new(),
        }
    }

    pub(super) fn connect(&mut self, name: &'static str, role: Role) {
        self.sources.push(Source {
            name,
            role,
            memory: Memory::fresh(&[7; 32]),
            before: None,
            remembered: false,
            snapshot: None,
            last_trusted: None,
        });
    }

    /// Somebody gets an account marked with their id, one marked with their address, and a binding of their user name.
    pub(super) fn equip(&mut self, who: usize, record: &str, address: &str) {
        let account = |name: String, owner: String| Account {
            namespace: "team".into(),
            uid: format!("uid-{name}"),
            name,
            owner,
            next: crate::handover::Nominated::default(),
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
    pub(super) fn poll(
        &mut self,
        source: usize,
        read: Result<Read, Failure>,
        accept: bool,
    ) -> Result<Believed, Option<Held>> {
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
        let fresh =
            |source: &&Source| source.last_trusted.is_some_and(|last| self.now.duration_since(last) <= STALE_AFTER);
        employers.len() > 1 && !employers.iter().all(fresh)
    }

    /// What a pass of a policy decides now.
    pub(super) fn plan(&self, number: usize) -> RosterPass {
        let (policy, division) = (&self.policies[number], self.divide(number));
        let baseline = |name: &str| match self.sources.iter().find(|one| one.name == name) {
            Some(_) if policy.settled.contains(name) => Baseline::Settled,
            Some(source) if source.snapshot.is_some() => Baseline::Now,
            _ => Baseline::Awaited,
        };
        let ours = division.ours.iter().map(|position| &self.people[*position]);
        let known: Vec<KnownPerson> =
            ours.map(|one| KnownPerson { access: self.access(one), ..one.known.clone() }).collect();
        let owned: HashSet<String> =
            self.objects.accounts.iter().filter_map(|one| crate::ownership::key(&one.owner)).collect();
        let rules = Rules {
            role: Box::new(|name| self.role(name)),
            matching: &self.matching,
            migrations: &self.migrations,
            terms: policy.terms(),
            elsewhere: Box::new(|connection, id| division.elsewhere.contains(&(connection.to_owned(), id.0.clone()))),
            contested: Box::new(|connection, id| division.contested.contains(&(connection.to_owned(), id.0.clone()))),
            policy_uid: policy.name,
            usernames: Box::new(|_, one| vec![format!("oidc:{}", one.work_email)]),
            scope: &policy.scope,
            owns: Some(Box::new(|key| owned.contains(key))),
            runs: &policy.runs,
            stale: self.is_stale(),
            baseline: Box::new(baseline),
            ..Rules::of(NAMESPACE, policy.name, &self.zones)
        };
        let read = self.sources.iter().filter(|source| source.role != Role::Replaced);
        let answers: Vec<_> = read
            .filter_map(|source| {
                let snapshot = source.snapshot.as_ref()?;
                let (employees, taken, part) = (snapshot.employees(), snapshot.taken(), snapshot.part());
                Some(TrustedResponse { connection: source.name, employees, taken, part })
            })
            .collect();
        roster::next(&known, &answers, &rules, self.now)
    }

    /// What every policy says of a connection.
    pub(super) fn role(&self, name: &str) -> Role {
        self.sources.iter().find(|one| one.name == name).map_or(Role::Unread, |one| one.role)
    }

    /// Writes what a pass decided, in the order of sync; dies after so many writes. Says whom it wrote.
    pub(super) fn write(&mut self, policy: usize, pass: RosterPass, dies_after: &mut usize) -> Vec<String> {
        let ours = self.divide(policy).ours;
        let ours: HashSet<String> = ours.iter().map(|position| self.people[*position].known.name.clone()).collect();
        let writes = writes(pass, &self.policies[policy].runs);
        let mut written = Vec::new();
        for write in writes {
            let Some(left) = dies_after.checked_sub(1) else { break };
            *dies_after = left;
            let of = &mut self.policies[policy];
            match write {
                Write::Runs(runs) => of.runs = runs,
                Write::Close => of.runs.iter_mut().for_each(|run| run.written = true),
                Write::Person(change) => {
                    let taken = self.people.iter().any(|one| one.known.name == change.name);
                    if !taken || ours.contains(&change.name) {
                        written.push(change.name.clone());
                        self.write_person(*change);
                    }
                }
                Write::Conclude => {
                    of.runs.iter_mut().for_each(|run| run.written = true);
                    let answered = self.sources.iter().filter(|source| source.snapshot.is_some());
                    of.settled.extend(answered.map(|source| source.name));
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
                let known = KnownPerson {
                    name,
                    records,
                    apart,
                    disowned: Vec::new(),
                    entry,
                    declared: None,
                    reviewed: None,
                    access,
                };
                self.people.push(Standing { known, uid: format!("person-{}", self.made), hold: None });
            }
        }
    }

    /// How many records Persons link.
    pub(super) fn linked(&self) -> usize {
        self.people.iter().map(|one| one.known.records.len()).sum()
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
            disputed: Box::default(),
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

fn bounds() -> Bounds {
    Bounds::default()
}
