mod accounts;
mod aliases;
mod changes;
mod declared;
mod fields;
mod holders;
mod identity;
mod leave;
mod leaving;
mod life;
mod matching;
mod moves;
mod names;
mod precedence;
mod records;
mod runs;
mod scope;
mod shared;
mod whatever;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::employee::{Manager, ReportedStatus, Status, Text, Texts};
use crate::lifecycle::{ContractEnd, Terms};
use crate::moves::MoveTerms;
use crate::scope::{Kind, Lists, Scope};
use crate::timezone::{DayEnd, Zones};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> Timestamp {
    at("2026-03-10T12:00:00Z")
}

fn employee(id: &str) -> Employee {
    Employee::new(
        HrId(id.to_owned()),
        format!("Name {id}"),
        format!("{id}@example.com"),
        ReportedStatus::Mapped(Status::Active),
    )
}

/// Words that say one thing of an employee.
trait Words: Sized {
    fn reported_status(self, reported_status: ReportedStatus) -> Self;
    fn last_day(self, day: &str) -> Self;
    fn start(self, day: &str) -> Self;
    fn location(self, location: &str) -> Self;
    fn department(self, department: &str) -> Self;
    fn terminated(self) -> Self {
        self.reported_status(ReportedStatus::Mapped(Status::Terminated))
    }
}

impl Words for Employee {
    fn reported_status(self, reported_status: ReportedStatus) -> Self {
        Self { reported_status, ..self }
    }
    fn last_day(self, day: &str) -> Self {
        Self { last_day: day.parse().ok(), ..self }
    }
    fn start(self, day: &str) -> Self {
        Self { start: day.parse().ok(), ..self }
    }
    fn location(self, location: &str) -> Self {
        self.with(Text::Location, location)
    }
    fn department(self, department: &str) -> Self {
        self.with(Text::Department, department)
    }
}

/// A policy, and the Persons as a cluster would keep them.
#[derive(Clone)]
struct ClusterInventory {
    known: BTreeMap<HrId, KnownPerson>,
    runs: Vec<Run>,
    baseline: Baseline,
    policy: &'static str,
    scope: Arc<Scope>,
    fields: Arc<Modes>,
    moves: MoveTerms,
    /// What marks and bindings of the cluster name; none where that is not known.
    owned: Option<BTreeSet<&'static str>>,
    /// Whether every record is another policy's.
    elsewhere: bool,
    /// Who is in the scope of another policy too.
    contested: BTreeSet<HrId>,
    /// Connections that are not read for employments, and what they are.
    roles: BTreeMap<&'static str, Role>,
    /// The order of connections.
    order: Vec<&'static str>,
    /// By what records are matched.
    matching: Matching,
    migrations: Vec<Migration>,
    terms: Terms,
    /// For how many days accounts of a connection must be off.
    off_days: BTreeMap<&'static str, i32>,
    holders_only: bool,
    day_end: DayEnd,
    /// Whether a connection has said nothing for too long.
    stale: bool,
}

impl ClusterInventory {
    /// Nobody is known, and the baseline is settled.
    fn settled() -> Self {
        let (known, runs, scope, fields) = (BTreeMap::new(), Vec::new(), Arc::default(), Arc::default());
        Self {
            known,
            runs,
            baseline: Baseline::Settled,
            policy: "everyone",
            scope,
            fields,
            moves: MoveTerms {
                on: crate::moves::MoveField::USUAL.into(),
                review: Some(SignedDuration::from_hours(24)),
                ..MoveTerms::default()
            },
            owned: None,
            elsewhere: false,
            contested: BTreeSet::new(),
            stale: false,
            roles: BTreeMap::new(),
            order: Vec::new(),
            matching: Matching::default(),
            migrations: Vec::new(),
            terms: Terms::default(),
            off_days: BTreeMap::new(),
            holders_only: false,
            day_end: DayEnd::default(),
        }
    }

    /// These people are known, as of an earlier day.
    fn with(employees: &[Employee]) -> Self {
        let mut world = Self::settled();
        world.poll(employees, noon() - SignedDuration::from_hours(24 * 9));
        world
    }

    fn plan(&self, employees: Option<&[Employee]>, now: Timestamp) -> RosterPass {
        self.planned(employees, false, now)
    }

    fn planned(&self, employees: Option<&[Employee]>, part: bool, now: Timestamp) -> RosterPass {
        let answer = employees.map(|employees| TrustedResponse { connection: "hq", employees, taken: now, part });
        self.planned_over(answer.as_slice(), now)
    }

    fn planned_over(&self, answers: &[TrustedResponse<'_>], now: Timestamp) -> RosterPass {
        let by_location = BTreeMap::from([("Melbourne".to_owned(), "Australia/Melbourne".to_owned())]);
        let zones = Zones::new("Europe/Madrid", &by_location).unwrap();
        let known: Vec<KnownPerson> = self.known.values().cloned().collect();
        let rules = Rules {
            role: Box::new(|connection| self.roles.get(connection).copied().unwrap_or(Role::Employment)),
            rank: Box::new(|connection| self.order.iter().position(|one| *one == connection).unwrap_or(usize::MAX)),
            migrations: &self.migrations,
            matching: &self.matching,
            terms: self.terms,
            off_days: Box::new(|connection| self.off_days.get(connection).copied()),
            day_end: self.day_end,
            elsewhere: Box::new(|_, _| self.elsewhere),
            contested: Box::new(|_, id| self.contested.contains(id)),
            policy_uid: "uid-1",
            usernames: Box::new(|_, employee| {
                let address = Some(&employee.work_email).filter(|address| !address.is_empty());
                address.map(|address| format!("oidc:{address}")).into_iter().collect()
            }),
            fields: &self.fields,
            moves: &self.moves,
            scope: &self.scope,
            holders_only: self.holders_only,
            owns: self.owned.as_ref().map(|owned| -> OfName<'_, bool> { Box::new(|key| owned.contains(key)) }),
            runs: &self.runs,
            stale: self.stale,
            baseline: Box::new(|_| self.baseline),
            ..Rules::of("rollcall", self.policy, &zones)
        };
        next(&known, answers, &rules, now)
    }

    /// Writes the runs, and as many of the changes as the process lives for.
    fn write(&mut self, plan: &RosterPass, changes: usize) {
        self.runs.clone_from(&plan.runs);
        for change in plan.changes.iter().take(changes) {
            let id = id_of(change);
            let known = self.known.get(id);
            let access = known.map_or(Access::Stands, |known| known.access);
            let apart = known.map(|known| known.apart.clone()).unwrap_or_default();
            let declared = known.and_then(|known| known.declared);
            let disowned = known.map(|known| known.disowned.clone()).unwrap_or_default();
            let reviewed = known.and_then(|known| known.reviewed);
            let (name, records, entry) = (change.name.clone(), change.records.clone(), Some(change.entry.clone()));
            self.known
                .insert(id.clone(), KnownPerson { name, records, apart, disowned, entry, declared, reviewed, access });
        }
        if changes >= plan.changes.len() {
            self.runs.iter_mut().for_each(|run| run.written = true);
        }
    }

    fn poll(&mut self, employees: &[Employee], now: Timestamp) -> RosterPass {
        let plan = self.plan(Some(employees), now);
        self.write(&plan, usize::MAX);
        plan
    }

    /// An answer that names only those with something new.
    fn changes(&mut self, employees: &[Employee], now: Timestamp) -> RosterPass {
        let plan = self.planned(Some(employees), true, now);
        self.write(&plan, usize::MAX);
        plan
    }

    fn midnight(&mut self, now: Timestamp) -> RosterPass {
        let plan = self.plan(None, now);
        self.write(&plan, usize::MAX);
        plan
    }

    fn entry(&self, id: &str) -> &RosterEntry {
        self.known[&HrId(id.to_owned())].entry.as_ref().unwrap()
    }

    fn record(&self, id: &str) -> &Employment {
        &self.entry(id).employments[0]
    }

    fn state(&self, id: &str) -> State {
        self.entry(id).employment.state
    }

    fn left(&self, id: &str) -> Left {
        *self.entry(id).employment.left.clone().unwrap()
    }

    fn event(&self, plan: &RosterPass, id: &str) -> Option<LifecycleEvent> {
        plan.changes.iter().find(|change| id_of(change).0 == id).and_then(|change| change.event)
    }
}

/// The first record of a person who is written.
fn id_of(change: &Change) -> &HrId {
    &change.records[0].id
}

fn people(ids: std::ops::RangeInclusive<u32>) -> Vec<Employee> {
    ids.map(|id| employee(&id.to_string())).collect()
}

fn gone(ids: std::ops::RangeInclusive<u32>) -> Vec<Employee> {
    people(ids).into_iter().map(Words::terminated).collect()
}

fn any_employee() -> impl Strategy<Value = Employee> {
    let reported_status = prop_oneof![
        Just(ReportedStatus::Mapped(Status::Active)),
        Just(ReportedStatus::Mapped(Status::Terminated)),
        Just(ReportedStatus::Mapped(Status::Leave)),
        Just(ReportedStatus::Unmapped),
        Just(ReportedStatus::Silent),
    ];
    let day = || proptest::option::of((1_i8..=20).prop_map(|day| jiff::civil::date(2026, 3, day)));
    let place = proptest::option::of(prop_oneof![Just("Melbourne"), Just("Oslo")]);
    let of = proptest::option::of(prop_oneof![Just("Sales"), Just("Support")]);
    (0_u32..12, reported_status, day(), day(), place, of, 0_u32..3).prop_map(
        |(id, reported_status, start, last_day, location, of, version)| Employee {
            reported_status,
            start,
            last_day,
            texts: texts(location, of),
            name: format!("Name {id} {}", version % 2),
            work_email: format!("{id}-{version}@example.com"),
            ..employee(&id.to_string())
        },
    )
}

fn texts(location: Option<&str>, department: Option<&str>) -> Texts {
    let mut texts = Texts::default();
    texts.set(Text::Location, location.map(Into::into));
    texts.set(Text::Department, department.map(Into::into));
    texts
}

/// Answers as the gate lets them through: every id once.
fn any_answer() -> impl Strategy<Value = Option<Vec<Employee>>> {
    let people = proptest::collection::vec(any_employee(), 0..10).prop_map(|people| {
        let by_id: BTreeMap<_, _> = people.into_iter().map(|employee| (employee.id.clone(), employee)).collect();
        by_id.into_values().collect()
    });
    proptest::option::of(people)
}
