//! The plain model: what trusted answers said of each record, and what must hold whatever comes.
//!
//! It knows of no Person's state. Somebody works here as long as any record that is known to be theirs was last said, by
//! an answer that was trusted, to go on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};

use super::cluster::{Cluster, Release, STALE_AFTER, Standing, most_a_day};
use super::company::madrid;
use crate::employee::{Employee, Read, ReportedStatus, Status, Text};
use crate::ledger::Allowance;
use crate::lifecycle::State;
use crate::plan::{Kind, Subject};
use crate::roster::{RecordKey, RosterPass};

/// Connection and id.
type Record = (String, String);

/// What was last said of a record.
#[derive(Clone)]
struct Said {
    status: ReportedStatus,
    start: Option<Date>,
    last_day: Option<Date>,
    urgent: bool,
    name: String,
    /// What is said since name, address and first day are all other ones than before: as if it were a new record, which it is
    /// once a human says so.
    of_another_human: Option<Box<Said>>,
    address: String,
    labs: bool,
    /// No Person links the record: what was said of it is remembered nowhere.
    forgotten: bool,
    /// The day on which that was said, and whether later answers no longer name it.
    at: Date,
    missing: bool,
    /// The last day that stands as announced.
    announced: Option<Date>,
    /// Each last day that was named while it was still to come: when first, and when last, by
    /// whatever the clock said.
    named: BTreeMap<Date, (Timestamp, Timestamp)>,
}

/// The number of people of a trusted answer, and who they were.
type Measure = BTreeSet<String>;

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
    /// When what was released without a human was counted; none where it was announced, and counts nowhere.
    counted: BTreeMap<String, Option<Timestamp>>,
    /// What a human approved and something else held.
    approved: BTreeSet<String>,
    /// The latest day that the cluster's clock ever showed.
    latest: Option<Date>,
    /// How many Persons there were at most: what is merged later was two when it was counted.
    most_people: u32,
}

impl Said {
    fn ended(&self, today: Date) -> bool {
        let passed = self.last_day.is_some_and(|day| day < today);
        let announced = self.announced.is_some_and(|day| day < today);
        let anew = self.start.zip(self.last_day).is_some_and(|(start, last)| last < start && start <= today);
        let bridged = self
            .start
            .zip(self.last_day)
            .is_some_and(|(start, last)| last < start && start <= last.saturating_add(Span::new().days(3)));
        let ended = match self.status {
            ReportedStatus::Unmapped => false,
            ReportedStatus::Mapped(Status::Terminated) => self.urgent || passed || self.last_day.is_none(),
            ReportedStatus::Silent => passed,
            ReportedStatus::Mapped(_) => passed && announced,
        };
        ended && !anew && !bridged
    }

    /// Whether it begins later, so much later than the end of another one that the gap is an exit; or never began.
    fn is_no_bridge(&self, ended: &[&Self], today: Date) -> bool {
        let Some(start) = self.start.filter(|_| self.status != ReportedStatus::Unmapped) else { return false };
        let passed = |one: &Self| one.last_day.filter(|last| *last < today); // who is dismissed at once left before it
        let gap = |one: &&Self| passed(one).is_none_or(|last| start > last.saturating_add(Span::new().days(3)));
        let begins = self.last_day.is_none_or(|last| last >= start);
        !ended.is_empty()
            && begins
            && if start > today { ended.iter().all(gap) } else { self.missing && start > self.at }
    }

    /// Whether two answers about a day apart named a last day that has passed.
    fn announced_twice(&self, today: Date) -> bool {
        let mut passed = self.named.iter().filter(|(day, _)| **day < today);
        passed.any(|(_, (first, last))| last.duration_since(*first) >= SignedDuration::from_hours(20))
    }
}

impl Model {
    /// What must hold of an answer that was trusted. Takes over what it says.
    pub(super) fn believed(
        &mut self,
        name: &'static str,
        read: &Read,
        employees: &[Employee],
        accepted: bool,
        now: Timestamp,
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
            let said = said(one, earlier, now);
            self.said.insert(record, said);
        }
        Ok(())
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

    /// What must hold of everybody whom a pass makes a leaver.
    pub(super) fn passed(&mut self, pass: &RosterPass, cluster: &Cluster) -> Result<(), String> {
        let today = madrid(cluster.now);
        self.latest = self.latest.max(Some(today));
        for change in &pass.changes {
            let before = cluster.person(&change.name).and_then(|one| one.known.entry.as_ref());
            let left = |state: State| state == State::Terminated;
            if !left(change.entry.employment.state) {
                self.came_as_leavers.remove(&change.name); // seen at work, and may leave like anybody
            }
            if !left(change.entry.employment.state) || before.is_some_and(|entry| left(entry.employment.state)) {
                continue;
            }
            let who = || change.records.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
            let records: Vec<Record> = deciding(&change.records, cluster);
            check(!records.is_empty(), || format!("{} left, and no employment is known", who()))?;
            let said: Vec<Option<&Said>> = records.iter().map(|record| self.said.get(record)).collect();
            check(said.iter().all(Option::is_some), || format!("{} left, and nothing was ever said of one", who()))?;
            let (ended, going): (Vec<&Said>, Vec<&Said>) =
                said.into_iter().flatten().partition(|said| said.ended(today));
            let goes_on = going.iter().any(|said| !said.is_no_bridge(&ended, today));
            check(!goes_on && !ended.is_empty(), || format!("{} left, and goes on", who()))?;
            let announced =
                |record: &Record| self.said.get(record).and_then(|said| said.announced).is_some_and(|day| day < today);
            let stale = cluster.is_stale() && !records.iter().any(announced);
            check(!stale, || format!("{} left while a source was older than {STALE_AFTER:#}", who()))?;
            if before.is_none() {
                self.came_as_leavers.insert(change.name.clone());
            }
        }
        Ok(())
    }

    /// What must hold of a plan that every gate let through.
    pub(super) fn released(&mut self, release: &Release, cluster: &Cluster) -> Result<(), String> {
        let today = madrid(cluster.now);
        let Some(person) = cluster.person(&release.person) else { return Err("a Person that is gone".to_owned()) };
        let entry = person.known.entry.as_ref().ok_or("a Person of whom nothing is known")?;
        let who = person.known.records.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        let theirs = deciding(&person.known.records, cluster);
        check(entry.employment.state == State::Terminated, || {
            format!("{who} is {:?}, and was released", entry.employment.state)
        })?;
        if !(release.approved && self.approved.contains(&release.cut)) {
            self.is_nobodys_who_works(release, &who, cluster)?;
        }
        if release.plan.targets.is_empty() || release.approved {
            return Ok(());
        }
        check(!self.came_as_leavers.contains(&release.person), || {
            format!("{who} came as a leaver, and nobody approved")
        })?;
        let in_scope = |record: &Record| {
            self.said.get(record).is_some_and(|said| !said.labs)
                || self.before.get(record).is_some_and(|said| !said.labs)
        };
        check(theirs.iter().any(in_scope), || format!("{who} is out of scope, and nobody approved"))?;
        let announced = entry.employment.left.as_ref().is_some_and(|left| left.announced);
        if announced {
            let twice = |record: &Record| self.said.get(record).is_some_and(|said| said.announced_twice(today));
            return check(theirs.iter().any(twice), || format!("{who} counts as announced, and was not"));
        }
        check(self.counted.contains_key(&release.cut), || format!("{who} was released before being counted"))
    }

    /// A plan that a human approved, and that something else holds, is carried out as they saw it: what must hold of it must hold
    /// now.
    pub(super) fn approved(&mut self, cluster: &Cluster) -> Result<(), String> {
        for release in
            cluster.approved().into_iter().filter(|one| !self.approved.contains(&one.cut)).collect::<Vec<_>>()
        {
            self.is_nobodys_who_works(&release, &release.person, cluster)?;
            self.approved.insert(release.cut);
        }
        Ok(())
    }

    /// Nothing of a plan is of anybody who is known to work here.
    fn is_nobodys_who_works(&self, release: &Release, who: &str, cluster: &Cluster) -> Result<(), String> {
        let today = madrid(cluster.now);
        let latest = self.latest.map_or(today, |latest| latest.max(today));
        let works = |record: &Record| {
            // Who had left by a clock that was set back since has left.
            let has_left =
                |one: &&Standing| one.known.entry.as_ref().is_some_and(|entry| entry.employment.left.is_some());
            let mut of_it = cluster.people.iter().filter(|one| records(&one.known.records).contains(record));
            let today = if of_it.any(|one| has_left(&one)) { latest } else { today };
            // Of one that begins later, its human's other records tell whether it counts.
            let works = |said: &BTreeMap<Record, Said>| {
                said.get(record).is_none_or(|said| !said.ended(today) && (said.at >= said.start.unwrap_or(said.at)))
            };
            works(&self.said) && works(&self.before)
        };
        for target in &release.plan.targets {
            for record in self.named_by(target.kind, &target.name, cluster) {
                check(!works(&record), || format!("{} of {who} is {}'s too, who works here", target.name, record.1))?;
            }
        }
        Ok(())
    }

    /// What must hold of what is counted: no more than a day's worth goes without a human.
    pub(super) fn counts(&mut self, cluster: &Cluster) -> Result<(), String> {
        let before = self.counted.len();
        for (name, cut) in &cluster.cuts {
            let by_itself = cluster.allowance(name) == Allowance::Released { batch: None };
            let left = cluster.person(&cut.person).and_then(|one| one.known.entry.as_ref()?.employment.left.clone());
            let announced = left.is_some_and(|left| left.announced);
            if by_itself && !cut.plan.targets.is_empty() {
                self.counted.entry(name.clone()).or_insert((!announced).then_some(cluster.now));
            }
        }
        // Only what is counted now says something: a clock that is set back brings the days before nearer together.
        if self.counted.len() == before {
            return Ok(());
        }
        let day = SignedDuration::from_hours(24);
        let within = |at: &&Timestamp| cluster.now.duration_since(**at) < day;
        let counted = self.counted.values().flatten().filter(within).count();
        self.most_people = self.most_people.max(u32::try_from(cluster.people.len()).unwrap());
        let most = most_a_day(self.most_people);
        check(counted <= most as usize, || format!("{counted} leavers within a day, and {most} may"))
    }

    /// Everybody whom the mark or subject of an object may mean: by the words it was made with, and what was ever said.
    fn named_by(&self, kind: Kind, name: &str, cluster: &Cluster) -> BTreeSet<Record> {
        let account = cluster.objects.accounts.iter().find(|one| kind == Kind::ServiceAccount && one.name == name);
        let mark = match account {
            Some(account) => account.owner.clone(),
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

/// The records that say whether their human works here: one of a source that was replaced only as long as none of the new
/// one is known.
fn deciding(all: &[RecordKey], cluster: &Cluster) -> Vec<Record> {
    let has = |name: &str| all.iter().any(|record| *record.connection == *name);
    let superseded = |name: &str| cluster.migrations.iter().any(|one| one.from == name && has(&one.by));
    records(all).into_iter().filter(|record| !superseded(&record.0)).collect()
}

fn said(one: &Employee, earlier: Option<&Said>, now: Timestamp) -> Said {
    let today = madrid(now);
    let terminated = ReportedStatus::Mapped(Status::Terminated);
    let another_human =
        |earlier: &&Said| earlier.name != one.name && earlier.address != one.work_email && earlier.start != one.start;
    // Of a record that may be another human's now, nothing is taken over but that it may have ended.
    if let Some(earlier) = earlier.filter(another_human) {
        let (status, last_day, urgent) = (one.reported_status, one.last_day, one.urgent);
        let of_another_human = Some(Box::new(said(one, earlier.of_another_human.as_deref(), now)));
        return Said { status, last_day, urgent, of_another_human, ..earlier.clone() };
    }
    let came_back = earlier.is_some_and(|earlier| earlier.status == terminated) && one.reported_status != terminated;
    let mut named = earlier.map(|earlier| earlier.named.clone()).unwrap_or_default();
    let earlier = earlier.filter(|_| !came_back);
    let ahead = one.last_day.filter(|day| *day >= today);
    let stands = earlier.and_then(|earlier| earlier.announced);
    if let Some(day) = ahead {
        named
            .entry(day)
            .and_modify(|(first, last)| (*first, *last) = (now.min(*first), now.max(*last)))
            .or_insert((now, now));
    }
    Said {
        status: one.reported_status,
        start: one.start,
        last_day: one.last_day,
        urgent: one.urgent,
        name: one.name.clone(),
        of_another_human: None,
        forgotten: false,
        address: one.work_email.clone(),
        labs: one.text(Text::Department) == Some("Labs"),
        at: today,
        missing: false,
        announced: one.last_day.and_then(|_| ahead.or(stands)),
        named,
    }
}

pub(super) fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
