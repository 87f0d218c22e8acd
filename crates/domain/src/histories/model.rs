//! The plain model: what trusted answers said of each record, and what must hold whatever comes.
//!
//! It knows of no Person's state. Somebody works here as long as any record that is known to be theirs was last said, by
//! an answer that was trusted, to go on.

mod acts;
mod said;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use self::said::{Said, said};
use super::cluster::{APPROVALS_LAST, Cluster, Release, Revocation, STALE_AFTER, Standing, Trigger, most_a_day};
use super::company::madrid;
use crate::employee::{Employee, Read};
use crate::ledger::Allowance;
use crate::lifecycle::{State, Why};
use crate::plan::{Kind, Subject};
use crate::roster::{Access, Change, RecordKey, Role, RosterPass, Says};

/// Connection and id.
type Record = (String, String);

/// The number of people of a trusted answer, and who they were.
type Measure = BTreeSet<String>;

/// What was counted: its policy, the hash of its plan, and when; none where it was announced, and counts nowhere.
struct Counted(usize, String, Option<Timestamp>);

#[derive(Default)]
pub(super) struct Model {
    said: BTreeMap<Record, Said>,
    /// What was said before the last answer: of those whom a pass that died did not write, this stands in the cluster.
    before: BTreeMap<Record, Said>,
    /// Every record that was ever said to have an address.
    addressed: BTreeMap<String, BTreeSet<Record>>,
    measures: BTreeMap<&'static str, Vec<Measure>>,
    /// People who were leavers when they were first seen.
    came_as_leavers: BTreeSet<String>,
    /// People who were on leave when they were first seen.
    came_on_leave: BTreeSet<String>,
    /// The policy that ended somebody's access as a leaver's, as long as they have left.
    ended_by: BTreeMap<String, usize>,
    /// What was done.
    done: BTreeSet<String>,
    /// What was released without a human, by the name of the Revocation.
    counted: BTreeMap<String, Counted>,
    /// The latest day that the cluster's clock ever showed.
    latest: Option<Date>,
    /// How many Persons there were at most: what is merged later was two when it was counted.
    most_people: u32,
}

impl Model {
    /// What must hold of an answer that was trusted. Takes over what it says.
    pub(super) fn believed(
        &mut self,
        name: &'static str,
        read: &Read,
        employees: &[Employee],
        accepted: bool,
        cluster: &Cluster,
    ) -> Result<(), String> {
        let people: Measure = employees.iter().map(|one| one.id.0.clone()).collect();
        let measures = self.measures.entry(name).or_default();
        let given = read.employees.len() + read.bad.len();
        if !read.part {
            check(!people.is_empty(), || "nobody was trusted".to_owned())?;
            check(read.announced_total.is_none_or(|total| total == given), || "a lost page was trusted".to_owned())?;
        }
        if let Some(last) = measures.last().filter(|last| !accepted && !read.part && !last.is_empty()) {
            let fewer = last.len().saturating_sub(people.len());
            check(fewer <= (last.len() / 10).max(1), || {
                format!("{} of {} people were trusted", people.len(), last.len())
            })?;
            let of = last.len().min(people.len());
            let others = of - last.intersection(&people).count();
            check(others <= (of / 20).max(1) && others < of, || format!("{others} other people of {of} were trusted"))?;
        }
        let as_before = measures.last().filter(|_| read.part).cloned();
        measures.push(as_before.unwrap_or(if read.part { Measure::new() } else { people }));
        self.before = self.said.clone();
        if !read.part {
            self.said.iter_mut().filter(|(record, _)| record.0 == name).for_each(|(_, said)| said.missing = true);
        }
        for one in employees {
            let record = (name.to_owned(), one.id.0.clone());
            let earlier = self.said.get(&record).filter(|said| !said.forgotten);
            let vouched = self.is_vouched(&record, &one.work_email, cluster);
            let said = said(one, earlier, vouched, cluster.now);
            self.said.insert(record, said);
        }
        Ok(())
    }

    /// Whether an address vouches for a record's human: that of somebody with several employments, by any of which it was ever theirs.
    fn is_vouched(&self, record: &Record, address: &str, cluster: &Cluster) -> bool {
        let linked = cluster.people.iter().map(|one| records(&one.known.records)).find(|all| all.contains(record));
        let known: Vec<Record> = linked.into_iter().flatten().filter(|one| self.said.contains_key(one)).collect();
        let named = self.addressed.get(address);
        known.len() > 1 && named.is_some_and(|named| known.iter().any(|one| named.contains(one)))
    }

    /// The trust gate has an older memory, or none: so has the model.
    pub(super) fn forget(&mut self, name: &'static str, older: bool) {
        let measures = self.measures.entry(name).or_default();
        if older { drop(measures.pop()) } else { measures.clear() }
    }

    /// A human says, by deleting a Person or by taking records off it, that what these were said to be was another human's.
    pub(super) fn deleted(&mut self, of: &[RecordKey]) {
        let of = records(of);
        for record in &of {
            if let Some(said) = self.said.get_mut(record)
                && let Some(now) = said.of_another_human.take()
            {
                *said = *now;
            }
        }
        self.before.clone_from(&self.said);
        self.addressed.values_mut().for_each(|named| named.retain(|record| !of.contains(record)));
    }

    /// What an answer said of these is lost with the process that had it, as if it had not come: what was said before stands.
    pub(super) fn lost(&mut self, of: &[RecordKey]) {
        for record in records(of) {
            match self.before.get(&record).cloned() {
                Some(before) => drop(self.said.insert(record, before)),
                None => drop(self.said.remove(&record)),
            }
        }
    }

    /// A whole pass was written: what was said last stands in the cluster, and whom a Person links is known by their address.
    pub(super) fn written(&mut self, cluster: &Cluster) {
        let linked: BTreeSet<Record> = cluster.people.iter().flat_map(|one| records(&one.known.records)).collect();
        self.said.iter_mut().for_each(|(record, said)| said.forgotten = !linked.contains(record));
        self.before.clone_from(&self.said);
        for record in cluster.people.iter().flat_map(|one| records(&one.known.records)) {
            let said = self.said.get(&record).filter(|said| said.of_another_human.is_none());
            if let Some(said) = said {
                self.addressed.entry(said.address.clone()).or_default().insert(record);
            }
        }
    }

    /// What must hold of everybody whom a pass of a policy makes a leaver.
    pub(super) fn passed(&mut self, policy: usize, pass: &RosterPass, cluster: &Cluster) -> Result<(), String> {
        let today = madrid(cluster.now);
        self.latest = self.latest.max(Some(today));
        self.baseline(policy, cluster);
        for change in &pass.changes {
            let known = cluster.person(&change.name);
            let before = known.and_then(|one| one.known.entry.as_ref());
            let left = |state: State| state == State::Terminated;
            if !left(change.entry.employment.state) {
                self.came_as_leavers.remove(&change.name); // seen at work, and may leave like anybody
                self.ended_by.remove(known.map_or("", |one| one.uid.as_str()));
            }
            self.goes_on_leave(policy, change, cluster);
            self.taken_over(policy, change, cluster);
            if left(change.entry.employment.state) && !before.is_some_and(|entry| left(entry.employment.state)) {
                self.becomes_a_leaver(policy, change, cluster)?;
            }
        }
        Ok(())
    }

    /// Who has left, or is on leave, while a policy has no baseline of a connection of theirs came with it.
    fn baseline(&mut self, policy: usize, cluster: &Cluster) {
        for one in &cluster.people {
            let entry = one.known.entry.as_ref().filter(|entry| cluster.policy(&entry.policy) == Some(policy));
            let Some(entry) = entry.filter(|_| !is_settled(policy, &one.known.records, cluster)) else { continue };
            if entry.employment.state == State::Terminated && cluster.access(one) == Access::Stands {
                self.came_as_leavers.insert(one.known.name.clone());
            }
            if entry.leave.is_some() {
                self.came_on_leave.insert(one.known.name.clone());
            }
        }
    }

    /// A leaver whom another policy had was not seen to leave by this one. That a policy takes one over who has left by more than a
    /// human's word is a mistake, told when either ends their access.
    fn taken_over(&mut self, policy: usize, change: &Change, cluster: &Cluster) {
        let Some(known) = cluster.person(&change.name) else { return };
        let entry = known.known.entry.as_ref().filter(|entry| cluster.policy(&entry.policy) != Some(policy));
        let Some(entry) = entry.filter(|_| change.entry.employment.state == State::Terminated) else { return };
        if entry.employment.state == State::Terminated && cluster.access(known) == Access::Stands {
            self.came_as_leavers.insert(change.name.clone());
        }
        let today = madrid(cluster.now);
        let ended = |record: &Record| self.said.get(record).is_some_and(|said| said.ended(today));
        if !deciding(&change.records, cluster).iter().all(ended) {
            self.ended_by.remove(&known.uid);
        }
    }

    /// Nobody saw them go on leave who were not known, out of scope, leavers, another policy's, or of no baseline.
    fn goes_on_leave(&mut self, policy: usize, change: &Change, cluster: &Cluster) {
        let before = cluster.person(&change.name).and_then(|one| one.known.entry.as_ref());
        let ours = before.filter(|entry| cluster.policy(&entry.policy) == Some(policy));
        let seen = ours.is_some_and(|entry| !matches!(entry.employment.state, State::OutOfScope | State::Terminated));
        let goes_on = ours.is_some_and(|entry| entry.leave.is_some());
        let settled = is_settled(policy, &change.records, cluster);
        if change.entry.leave.is_none() || (!goes_on && seen && settled) {
            self.came_on_leave.remove(&change.name);
        } else if !goes_on || !settled {
            self.came_on_leave.insert(change.name.clone());
        }
    }

    fn becomes_a_leaver(&mut self, policy: usize, change: &Change, cluster: &Cluster) -> Result<(), String> {
        let today = madrid(cluster.now);
        let known = cluster.person(&change.name);
        let who = || change.records.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        let records: Vec<Record> = deciding(&change.records, cluster);
        let ended = |record: &Record| self.said.get(record).is_some_and(|said| said.ended(today));
        let all_ended = records.iter().all(ended);
        let mut deciding = records.iter().filter(|record| ended(record) == all_ended);
        let contested = deciding.any(|record| self.is_contested(record, cluster));
        check(!contested, || format!("{} left, and is in the scope of two policies", who()))?;
        let entry = known.and_then(|one| one.known.entry.as_ref());
        let taken_over = entry.is_some_and(|entry| cluster.policy(&entry.policy) != Some(policy));
        if entry.is_none() || taken_over || !is_settled(policy, &change.records, cluster) {
            self.came_as_leavers.insert(change.name.clone());
        } else {
            self.came_as_leavers.remove(&change.name); // as the pass that died saw it
        }
        match known.and_then(|one| word(one, cluster.now)) {
            Some(Says::Leaves) => return Ok(()),
            Some(says) => return Err(format!("{} left, and a human says that they are {says:?}", who())),
            None => {}
        }
        let was_in_scope = entry.is_some_and(|entry| entry.employment.out.is_none());
        let taken = taken_over && was_in_scope && all_ended;
        check(!taken, || format!("{} left, and another policy than the one that had them decides", who()))?;
        check(!records.is_empty(), || format!("{} left, and no employment is known", who()))?;
        let said: Vec<Option<&Said>> = records.iter().map(|record| self.said.get(record)).collect();
        check(said.iter().all(Option::is_some), || format!("{} left, and nothing was ever said of one", who()))?;
        let (ended, going): (Vec<&Said>, Vec<&Said>) = said.into_iter().flatten().partition(|said| said.ended(today));
        let goes_on = going.iter().any(|said| !said.is_no_bridge(&ended, today));
        check(!goes_on && !ended.is_empty(), || format!("{} left, and goes on", who()))?;
        let announced =
            |record: &Record| self.said.get(record).and_then(|said| said.announced).is_some_and(|day| day < today);
        let stale = cluster.is_stale() && !records.iter().any(announced);
        check(!stale, || format!("{} left while a source was older than {STALE_AFTER:#}", who()))
    }

    /// Whether the last answer names a record that two policies have in their scope.
    fn is_contested(&self, record: &Record, cluster: &Cluster) -> bool {
        let department = self.said.get(record).map(|said| said.department.as_str());
        let of = cluster.policies.iter().filter(|policy| department.is_some_and(|department| policy.has(department)));
        of.count() > 1 && cluster.names_now(&record.0, &record.1)
    }

    /// What must hold of what is counted: no more than a day's worth goes without a human.
    pub(super) fn counts(&mut self, cluster: &Cluster) -> Result<(), String> {
        self.most_people = self.most_people.max(u32::try_from(cluster.people.len()).unwrap());
        let by_itself = |name: &str| {
            let there = cluster.revocations.contains_key(name);
            there && cluster.allowance(name) == Allowance::Released { batch: None }
        };
        let done = &self.done;
        self.counted.retain(|name, _| done.contains(name) || by_itself(name)); // another plan is counted again
        let mut new = BTreeSet::new();
        for (name, one) in &cluster.revocations {
            let at = (!cluster.is_announced(one)).then_some(cluster.now);
            let known = self.counted.get(name).is_some_and(|known| done.contains(name) || known.1 == one.plan.hash);
            if by_itself(name) && !one.plan.targets.is_empty() && !known {
                self.counted.insert(name.clone(), Counted(one.policy, one.plan.hash.clone(), at));
                new.insert(one.policy);
            }
        }
        // Only what is counted now says something: a clock that is set back brings the days before nearer together.
        let day = SignedDuration::from_hours(24);
        let most = most_a_day(self.most_people);
        for policy in new {
            let theirs = self.counted.values().filter(|known| known.0 == policy).filter_map(|known| known.2);
            let counted = theirs.filter(|at| cluster.now.duration_since(*at) < day).count();
            check(counted <= most as usize, || format!("{counted} leavers within a day, and {most} may"))?;
        }
        Ok(())
    }

    /// Everybody whom the mark or subject of an object may mean: by the words it was made with, and what was ever said.
    fn named_by(&self, kind: Kind, name: &str, cluster: &Cluster) -> BTreeSet<Record> {
        let account = cluster.objects.accounts.iter().find(|one| kind == Kind::ServiceAccount && one.name == name);
        let mark = match account {
            Some(account) => account.owner.clone(),
            None if kind == Kind::User => format!("email:{}", name.trim_start_matches("oidc:")),
            None => format!("email:{}", self.bound(name, cluster)),
        };
        let mut named: BTreeSet<Record> = match mark.split_once(':') {
            Some(("id", record)) => {
                record.split_once('/').map(|(at, id)| (at.to_owned(), id.to_owned())).into_iter().collect()
            }
            Some((_, address)) => self.addressed.get(address).cloned().unwrap_or_default(),
            None => BTreeSet::new(),
        };
        // One human's by what a Person links, or by the address that two have now and that no human said are two.
        let apart = |a: &Standing, b: &Standing| a.known.apart.iter().any(|one| b.known.records.contains(one));
        let address = |one: &Standing| one.known.entry.as_ref().and_then(|entry| entry.profile.work_email.clone());
        let mut people: Vec<&Standing> = cluster
            .people
            .iter()
            .filter(|one| records(&one.known.records).iter().any(|record| named.contains(record)))
            .collect();
        loop {
            let more = cluster.people.iter().find(|one| {
                let joins = |known: &&Standing| {
                    address(one).is_some() && address(known) == address(one) && !apart(known, one) && !apart(one, known)
                };
                !people.iter().any(|known| known.uid == one.uid) && people.iter().any(joins)
            });
            match more {
                Some(one) => people.push(one),
                None => break,
            }
        }
        named.extend(people.iter().flat_map(|one| deciding(&one.known.records, cluster)));
        let theirs = || people.iter().flat_map(|one| records(&one.known.records));
        let deciding: Vec<Record> = people.iter().flat_map(|one| deciding(&one.known.records, cluster)).collect();
        let superseded: Vec<Record> = theirs().filter(|record| !deciding.contains(record)).collect();
        named.retain(|record| !superseded.contains(record));
        named
    }

    fn bound(&self, name: &str, cluster: &Cluster) -> String {
        let binding = cluster.bound.get(name);
        let user = binding.and_then(|subjects| subjects.first()).map(|subject| match subject {
            Subject::User(user) => user.trim_start_matches("oidc:").to_owned(),
            Subject::Account { .. } | Subject::Other => String::new(),
        });
        user.unwrap_or_default()
    }
}

fn records(all: &[RecordKey]) -> Vec<Record> {
    all.iter().map(|record| (record.connection.to_string(), record.id.0.clone())).collect()
}

/// The records that say whether their human works here: none of accounts, and one of a source that was replaced only as
/// long as none of the new one is known.
fn deciding(all: &[RecordKey], cluster: &Cluster) -> Vec<Record> {
    let has = |name: &str| all.iter().any(|record| *record.connection == *name);
    let superseded = |name: &str| cluster.migrations.iter().any(|one| one.from == name && has(&one.by));
    let employs = |name: &str| cluster.role(name) != Role::Corroborating;
    records(all).into_iter().filter(|record| employs(&record.0) && !superseded(&record.0)).collect()
}

/// Whether a policy has its baseline of every connection of somebody's that says who has left.
fn is_settled(policy: usize, all: &[RecordKey], cluster: &Cluster) -> bool {
    let decides = |record: &&RecordKey| matches!(cluster.role(&record.connection), Role::Employment | Role::Unread);
    all.iter().filter(decides).all(|record| cluster.has_settled(policy, &record.connection))
}

/// What a human's word says of somebody now.
fn word(one: &Standing, now: Timestamp) -> Option<Says> {
    let word = one.known.declared.filter(|word| word.from <= now && now < word.until)?;
    let leaves = word.says == Says::Leaves && word.last_day.is_none_or(|last| last < madrid(now));
    (leaves || word.says != Says::Leaves).then_some(word.says)
}

/// Whether a human holds somebody now.
fn is_held(one: &Standing, now: Timestamp) -> bool {
    one.hold.is_some_and(|until| now < until)
}

pub(super) fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
