//! The trust gate: is this answer of the HR system believable?
//!
//! Runs before anyone looks at the people in it. Knows nothing of Kubernetes, and does no I/O. Only [`judge`] makes a
//! [`Snapshot`], so whatever acts on people acts on an answer that was believed.

mod finding;
mod history;
mod memory;

use std::sync::Arc;

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use super::account::Fact;
use super::employee::{Delivered, Employee, Field, HrId, Read, ReportedStatus};
use super::lifecycle::{Facts, State, Terms, derive_state};
use memory::{Digests, Hashed, Last, NewlyTrusted};

pub use finding::{Finding, failed};
pub use memory::Memory;

/// An answer that was believed. Ordered by id; every id is there once.
#[derive(Clone, Debug)]
pub struct Snapshot {
    employees: Arc<[Employee]>,
    answer: String,
    acceptance: String,
    taken: Timestamp,
    source: String,
    part: bool,
    delivered: Option<Timestamp>,
}

impl Snapshot {
    /// Everybody in it, by id.
    #[must_use]
    pub fn employees(&self) -> &[Employee] {
        &self.employees
    }

    /// Digest that names exactly this answer.
    #[must_use]
    pub fn answer(&self) -> &str {
        &self.answer
    }

    /// Digest of what an admin accepts by it: ids, statuses, dates and addresses.
    #[must_use]
    pub fn acceptance(&self) -> &str {
        &self.acceptance
    }

    /// When it was read.
    #[must_use]
    pub const fn taken(&self) -> Timestamp {
        self.taken
    }

    /// Fingerprint of the source and mapping it was read by; a change makes a new baseline.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it names only those with something new: nobody is missing from it.
    #[must_use]
    pub const fn part(&self) -> bool {
        self.part
    }

    /// When it was written, where it is a file whose server says so.
    #[must_use]
    pub const fn delivered(&self) -> Option<Timestamp> {
        self.delivered
    }
}

/// What is believable. Percentages are whole, 0 to 100, and never allow less than one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many fewer people are believed, in percent.
    pub max_shrink: u8,
    /// How many people must be the same, in percent of the smaller of the two answers: who only joined or only went
    /// missing is no other person.
    pub min_overlap: u8,
    /// How many records may be set aside, because they cannot be read or share their id with another, in percent of all.
    pub max_bad_records: u8,
    /// How many people may carry a status that is empty or not mapped, in percent of all.
    pub max_unmapped_statuses: u8,
    /// Fields that must be filled for at least one person.
    pub always_present: Vec<Field>,
    /// People that must be seen in every answer, each in a certain state.
    pub sentinels: Vec<(HrId, Sentinel)>,
}

/// What an HRConnection believes that says nothing of it.
impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_shrink: 10,
            min_overlap: 95,
            max_bad_records: 1,
            max_unmapped_statuses: 1,
            always_present: Vec::new(),
            sentinels: Vec::new(),
        }
    }
}

/// The state in which a person has to be seen, so that the credential is known to see such people at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sentinel {
    /// Has left.
    Departed,
    /// Works here, on leave or not.
    Active,
    /// Starts later.
    Future,
}

impl Sentinel {
    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Departed => "departed",
            Self::Active => "active",
            Self::Future => "future",
        }
    }

    const fn fits(self, state: State) -> bool {
        match self {
            Self::Departed => matches!(state, State::Terminated),
            Self::Active => matches!(state, State::Active | State::Leave | State::Suspended),
            Self::Future => matches!(state, State::PreHire),
        }
    }
}

/// What is known of the poll besides its answer.
#[derive(Clone, Copy, Debug)]
pub struct PollContext<'a> {
    /// Fingerprint of source and mapping.
    pub source: &'a str,
    /// Whether the connection says that an answer of it was believed before.
    pub remembered: bool,
    /// Digest of the answer that an admin accepted.
    pub accepted: Option<&'a str>,
    /// Who stands in the cluster as a person of this connection, and was named by the last trusted answer. Compared
    /// with where the memory is lost, of another connection, or older than what it remembers today.
    pub known_people: &'a [Employee],
}

/// An answer that is believed, and what is remembered of it.
#[derive(Debug)]
pub struct Believed {
    /// The answer.
    pub snapshot: Snapshot,
    /// To be kept before the snapshot is used. Equal to the old memory where nothing changed.
    pub memory: Memory,
    /// Findings that the admin accepted with exactly this answer.
    pub waived: Vec<Finding>,
    /// Ids that more than one record has. All records of them were set aside.
    pub repeated: Vec<HrId>,
}

/// An answer that is not believed. It changes nothing, and the memory stays as it is.
#[derive(Debug)]
pub struct Held {
    /// Digest of what an admin accepts, see [`Snapshot::acceptance`].
    pub answer: String,
    /// Everything that was found; never empty.
    pub findings: Vec<Finding>,
}

/// Believes a read, or says why not.
///
/// `memory` is what is kept of earlier trusted reads of this connection, fresh where there were none. All findings are
/// returned, not only the first, because an admin fixes them together.
///
/// A read by a changed source or mapping is compared like any other. Mapping one more status leaves the people the
/// same, and passes; a mistyped tenant, or a column of ids that was added, is other people, and mints a second Person
/// for everybody or gives a stranger's answers to a known id: that is worth one `accept`. That a change of source is
/// a new baseline too is the policy's to decide, by [`Snapshot::source`].
///
/// # Errors
/// The answer is held: see [`Held`].
pub fn judge(
    mut read: Read,
    memory: &Memory,
    asked: &PollContext<'_>,
    bounds: &Bounds,
    now: Timestamp,
) -> Result<Believed, Held> {
    let today = now.to_zoned(TimeZone::UTC).date();
    read.employees.sort_by(|a, b| {
        (&a.id, a.reported_status, a.start, a.last_day).cmp(&(&b.id, b.reported_status, b.start, b.last_day))
    });
    let Digests { exact: answer, acceptance } = memory.digests(&read);
    let given = read.employees.len() + read.bad.len();
    let repeated = set_repeated_aside(&mut read.employees);
    let people = memory.hashed(&read.employees);
    let mut findings = of_itself(&read, &repeated, given, bounds, today);
    findings.extend(against_the_past(&read, &people, memory, asked, bounds, today));
    let accepted = asked.accepted == Some(acceptance.as_str());
    let (waived, findings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| accepted && finding.can_be_accepted());
    if !findings.is_empty() {
        return Err(Held { answer: acceptance, findings });
    }
    let (delivered, part, source) = (read.delivered, read.part, asked.source);
    let answered = NewlyTrusted { answer: &answer, people: &people, source, delivered, part };
    let memory = memory.after(&answered, today, !waived.is_empty());
    let (employees, source) = (read.employees.into(), source.to_owned());
    let snapshot = Snapshot { employees, answer, acceptance, taken: now, source, part, delivered: delivered.at };
    Ok(Believed { snapshot, memory, waived, repeated })
}

/// Sets every record aside that shares its id with another: which of them is meant cannot be told, so nothing is said of
/// that person, as if the one record there should be could not be read. `employees` are ordered by id.
fn set_repeated_aside(employees: &mut Vec<Employee>) -> Vec<HrId> {
    let pairs = employees.iter().zip(employees.iter().skip(1));
    let mut repeated: Vec<HrId> = pairs.filter(|(a, b)| a.id == b.id).map(|(a, _)| a.id.clone()).collect();
    repeated.dedup();
    employees.retain(|employee| repeated.binary_search(&employee.id).is_err());
    repeated
}

/// Believes an answer of which the source says, without giving it again, that it is the last one still.
///
/// None where the last one that was remembered is another than the snapshot: then the source has to give it again.
#[must_use]
pub fn again(snapshot: &Snapshot, memory: &Memory, asked: &PollContext<'_>, now: Timestamp) -> Option<Believed> {
    let last = memory.last()?;
    let same = last.answer == snapshot.answer && last.source == asked.source && snapshot.source == asked.source;
    let memory = memory.again(now.to_zoned(TimeZone::UTC).date());
    let snapshot = Snapshot { taken: now, ..snapshot.clone() };
    same.then_some(Believed { snapshot, memory, waived: Vec::new(), repeated: Vec::new() })
}

/// What an answer of `given` records shows by itself. `read` is ordered by id.
///
/// An id that several records have counts as one bad record, however many they are: one typing error is one.
fn of_itself(read: &Read, repeated: &[HrId], given: usize, bounds: &Bounds, today: Date) -> Vec<Finding> {
    let people = read.employees.len();
    let bad = read.bad.len() + repeated.len();
    let too_many = bad > allowance(bounds.max_bad_records, given);
    let unreadable = read.bad.first().filter(|_| too_many);
    let first_repeated = repeated.first().filter(|_| too_many);
    let unmapped =
        read.employees.iter().filter(|employee| employee.reported_status == ReportedStatus::Unmapped).count();
    let missing: Vec<Field> = bounds.always_present.iter().copied().filter(|field| nobody_has(read, *field)).collect();
    let incomplete = read.announced_total.filter(|announced| *announced != given);
    [
        (people == 0 && !read.part).then_some(Finding::Empty),
        incomplete.map(|announced| Finding::Incomplete { announced, given }),
        first_repeated.map(|first| Finding::DuplicateIds { ids: repeated.len(), first: first.clone() }),
        unreadable.map(|first| Finding::TooManyBadRecords { bad: read.bad.len(), of: given, first: first.clone() }),
        (unmapped > allowance(bounds.max_unmapped_statuses, people))
            .then_some(Finding::UnmappedStatuses { people: unmapped, of: people }),
        (people > 0 && !missing.is_empty()).then_some(Finding::FieldMissing(missing)),
        if read.part { None } else { unseen(&read.employees, bounds, today) },
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The people that must be seen and are not, by the UTC day. `employees` are ordered by id.
fn unseen(employees: &[Employee], bounds: &Bounds, today: Date) -> Option<Finding> {
    let seen = |(id, sentinel): &&(HrId, Sentinel)| {
        let found = employees.binary_search_by(|employee| employee.id.cmp(id)).ok();
        found.and_then(|at| employees.get(at)).is_some_and(|employee| {
            let facts = Facts::of(employee);
            sentinel.fits(derive_state(&facts, today, &Terms::default()).state)
        })
    };
    let unseen: Vec<_> = bounds.sentinels.iter().filter(|one| !seen(one)).cloned().collect();
    (!employees.is_empty() && !unseen.is_empty()).then_some(Finding::Sentinels(unseen))
}

/// What an answer shows compared with those trusted before. Nothing of an empty one, which is never trusted; of one that
/// names only some, whether it is older, since neither number nor people can be compared.
///
/// Where nothing is remembered, the people that stand in the cluster are what was trusted before: a connection that was
/// deleted and applied again, or a cluster that was restored, has them and no memory.
fn against_the_past(
    read: &Read,
    people: &Hashed<'_>,
    memory: &Memory,
    asked: &PollContext<'_>,
    bounds: &Bounds,
    today: Date,
) -> Vec<Finding> {
    let comparable = !read.part && people.len() > 0;
    let Some(last) = memory.last() else {
        let lost = asked.remembered.then_some(Finding::MemoryLost).into_iter();
        let Some(known) = memory.of_people(asked.known_people, today).filter(|_| comparable) else {
            return lost.collect();
        };
        return lost
            .chain(shrunk(people.len(), known.count, known.count, bounds))
            .chain(other_people(people, &known, None, bounds))
            .chain(history::findings(&known, people, memory, bounds, today))
            .chain(history::terminated(&known, people, memory, bounds, today))
            .collect();
    };
    let older = older(&read.delivered, last).into_iter();
    if !comparable || last.count == 0 {
        return older.filter(|_| read.part || last.count == 0).collect();
    }
    let known = last.ids_alone().then(|| memory.of_people(asked.known_people, today)).flatten();
    older
        .chain(shrunk(people.len(), last.count, memory.high_water(today), bounds))
        .chain(other_people(people, last, Some(asked.source), bounds))
        .chain(history::findings(known.as_ref().unwrap_or(last), people, memory, bounds, today))
        .collect()
}

fn shrunk(now: usize, before: usize, high_water: usize, bounds: &Bounds) -> Option<Finding> {
    let fewer = |than: usize| than.saturating_sub(now) > allowance(bounds.max_shrink, than);
    if fewer(before) {
        return Some(Finding::Shrunk { now, before });
    }
    fewer(high_water).then_some(Finding::ShrunkSlowly { now, high_water })
}

/// Whether the file was overtaken: who has left since would work here again, and who came would be missing.
fn older(delivered: &Delivered, last: &Last) -> Option<Finding> {
    let words = |by, now: String, before: String| Finding::OlderFile { by, now, before };
    match ((delivered.dated, last.dated), (delivered.signed, last.signed)) {
        ((Some(now), Some(before)), _) if now < before => Some(words("name", now.to_string(), before.to_string())),
        (_, (Some(now), Some(before))) if now < before => Some(words("signature", now.to_string(), before.to_string())),
        _ => None,
    }
}

/// Whether other people stand where the last trusted answer's people stood.
///
/// Counted against the smaller of the two answers, so that neither joiners nor people who are only missing (which
/// `max_shrink` bounds) count as replaced. One person may always be another one, except where nobody is the same.
fn other_people(people: &Hashed<'_>, last: &Last, source: Option<&str>, bounds: &Bounds) -> Option<Finding> {
    let same = last.still_there(people);
    let of = last.count.min(people.len());
    let replaced = of.saturating_sub(same);
    let allowed = allowance(100_u8.saturating_sub(bounds.min_overlap), of);
    (replaced > allowed || same == 0).then(|| Finding::OtherPeople {
        replaced,
        of,
        source_changed: source.is_some_and(|source| last.source != source),
    })
}

/// `percent` of `of`, rounded down, but one person at least.
fn allowance(percent: u8, of: usize) -> usize {
    (of.saturating_mul(usize::from(percent)) / 100).max(1)
}

fn nobody_has(read: &Read, field: Field) -> bool {
    let said = |employee: &Employee, fact| employee.account.as_ref().is_some_and(|said| said.get(fact).is_some());
    let filled = |employee: &Employee| match field {
        Field::LastSignIn => said(employee, Fact::LastSignIn),
        Field::MfaEnrolled => said(employee, Fact::MfaEnrolled),
        Field::Sso => said(employee, Fact::Sso),
        Field::EmployeeId => read.offered.contains(&Field::EmployeeId),
        Field::FullName => !employee.name.is_empty(),
        Field::Email => !employee.work_email.is_empty(),
        Field::Status => matches!(employee.reported_status, ReportedStatus::Mapped(_)),
        Field::HireDate => employee.start.is_some(),
        Field::TerminationDate => employee.last_day.is_some(),
        Field::Manager => employee.manager.is_some(),
        Field::EmploymentType => employee.employment_type.is_some(),
        Field::ContractEnd => employee.contract_end.is_some(),
        Field::TerminationReason => employee.urgent, // of reasons, no more is kept
        text => employee.texts.iter().any(|(given, _)| given.field() == text),
    };
    !read.employees.iter().any(filled)
}

#[cfg(test)]
mod tests;
