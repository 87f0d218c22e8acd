//! What a poll needs to know, and what its outcome says on the connection. Pure.

mod history;
mod text;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use kube::ResourceExt;

use crate::api::condition::{self, ConditionUpdate, Reason};
use crate::api::connection::{Attempt, Capabilities, HRConnectionStatus, Sentinels, Trusted};
use crate::api::{HRConnection, names, quantity};
use crate::kube::outcome::Fault;
use domain::capabilities;
use domain::employee::{Employee, Failure, HrId, Read, ReportedStatus};
use domain::schedule::{self, Rhythm, Times};
use domain::trust::{self, Believed, Bounds, Finding, Held, PollContext, Sentinel};
use text::{Age, explain, left_out, line, set_aside, short};

/// Outcome of an attempt that found nothing new.
const NOTHING_NEW: &str = "NothingNew";
/// How long a source counts as one that shows who left, after it last did.
const LEAVERS_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 90);
/// Longest value of the reconcile-now annotation that is told from another.
const MAX_REQUEST: usize = 64;
/// Most findings and words that the schema takes.
const MAX_FINDINGS: usize = 16;
const MAX_WORDS: usize = 32;
/// Most records shown that were set aside; the number is always said.
const MAX_SET_ASIDE: usize = 5;

/// The spec, read.
pub struct Settings {
    /// When it is read.
    pub rhythm: Rhythm,
    /// Time for one whole read.
    pub timeout: SignedDuration,
    /// How old the last trusted answer may be.
    pub stale_after: SignedDuration,
    /// What is believable.
    pub bounds: Bounds,
}

impl Settings {
    /// Reads the spec.
    ///
    /// # Errors
    /// Stalled, naming the field that cannot be followed.
    pub fn of(connection: &HRConnection) -> Result<Self, Fault> {
        let spec = &connection.spec;
        let trust = &spec.trust;
        let rhythm = spec.schedule.rhythm()?;
        if matches!(rhythm, Rhythm::Every(every) if every < schedule::SHORTEST) {
            let every = spec.schedule.every.as_deref().unwrap_or_default();
            return Err(Fault::Stalled(format!("spec.schedule.every: \"{every}\" is less than 10s")));
        }
        Ok(Self {
            rhythm,
            timeout: quantity::duration("spec.timeout", &spec.timeout)?,
            stale_after: spec.stale_after()?,
            bounds: Bounds {
                max_shrink: quantity::percent("spec.trust.maxShrink", &trust.max_shrink)?,
                min_overlap: quantity::percent("spec.trust.minOverlap", &trust.min_overlap)?,
                max_bad_records: quantity::percent("spec.trust.maxBadRecords", &trust.max_bad_records)?,
                max_unmapped_statuses: quantity::percent(
                    "spec.trust.maxUnmappedStatuses",
                    &trust.max_unmapped_statuses,
                )?,
                always_present: trust.always_present.clone(),
                sentinels: sentinels(&trust.sentinels),
            },
        })
    }

    /// What the next poll depends on. A changed spec is a request: the person who corrected it wants to see it.
    pub(super) fn times<'a>(&'a self, connection: &'a HRConnection) -> Times<'a> {
        let status = connection.status.as_ref();
        let handled = status.and_then(|status| status.last_handled_reconcile_at.as_deref());
        let asked = requested(connection);
        Times {
            rhythm: &self.rhythm,
            uid: connection.metadata.uid.as_deref().unwrap_or_default(),
            last_attempt: status.and_then(|status| status.last_attempt.as_ref()).map(|attempt| attempt.time),
            next_run: status.and_then(|status| status.next_run),
            suspended_until: connection.spec.suspend.as_ref().map(|suspend| suspend.until),
            requested: (asked.is_some() && asked.as_deref() != handled)
                || status.and_then(|status| status.observed_generation) != connection.metadata.generation,
        }
    }

    /// What the trust gate needs in addition to the response. `source` says where it is from, `known` who is known here.
    pub(super) fn asked<'a>(connection: &'a HRConnection, source: &'a str, known: &'a [Employee]) -> PollContext<'a> {
        PollContext {
            source,
            remembered: connection.status.as_ref().is_some_and(|status| status.last_trusted.is_some()),
            accepted: connection.annotations().get(names::ACCEPT).map(String::as_str),
            known_people: known,
        }
    }
}

fn sentinels(named: &Sentinels) -> Vec<(HrId, Sentinel)> {
    let all =
        [(&named.departed, Sentinel::Departed), (&named.active, Sentinel::Active), (&named.future, Sentinel::Future)];
    all.into_iter().flat_map(|(ids, sentinel)| ids.iter().map(move |id| (HrId(id.clone()), sentinel))).collect()
}

/// What an answer shows of its source, believed or not.
#[derive(Clone)]
pub(super) struct ResponseSummary {
    people: usize,
    capabilities: Capabilities,
    unmapped: BTreeMap<String, u32>,
    unmapped_types: BTreeMap<String, u32>,
    without_meaning: usize,
    bad: usize,
    set_aside: Vec<String>,
    notes: Vec<String>,
}

impl ResponseSummary {
    /// Looks at an answer that came at `at`.
    pub(super) fn of(read: &Read, at: Timestamp) -> Self {
        Self {
            people: read.employees.len(),
            capabilities: capabilities::found(read, at.to_zoned(TimeZone::UTC).date()),
            unmapped: most(&read.unmapped),
            unmapped_types: most(&read.unmapped_types),
            without_meaning: read
                .employees
                .iter()
                .filter(|employee| employee.reported_status == ReportedStatus::Unmapped)
                .count(),
            bad: read.bad.len(),
            set_aside: read.bad.iter().take(MAX_SET_ASIDE).map(set_aside).collect(),
            notes: read.remarks.iter().map(|remark| short(remark)).collect(),
        }
    }

    /// Adds what the gate set aside: every record of these ids.
    pub(super) fn set_aside(&mut self, repeated: &[HrId]) {
        self.bad = self.bad.saturating_add(repeated.len());
        let room = MAX_SET_ASIDE.saturating_sub(self.set_aside.len());
        let lines = repeated.iter().take(room);
        self.set_aside.extend(lines.map(|id| short(&format!("set aside: more than one record has the id {id}"))));
    }

    /// Whether somebody in it has left, or has a last day.
    const fn tells_leavers(&self) -> bool {
        self.capabilities.seen.leavers > 0 || self.capabilities.seen.end_dates > 0
    }

    /// Adds something that was noticed, and is no reason to doubt the answer.
    pub(super) fn note(&mut self, words: String) {
        self.notes.push(short(&words));
    }

    fn updates(&self) -> [ConditionUpdate; 2] {
        let people = u32::try_from(self.without_meaning).unwrap_or(u32::MAX);
        let ids = if self.capabilities.stable_ids { condition::stable_ids() } else { condition::weak_identity() };
        let statuses = match people {
            0 => condition::recognised(),
            _ => condition::unmapped_statuses(self.unmapped.len(), people),
        };
        [ids, statuses]
    }
}

/// The words that most people carried.
fn most(words: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let mut words: Vec<_> = words.iter().collect();
    words.sort_by_key(|(word, people)| (std::cmp::Reverse(**people), *word));
    words.into_iter().take(MAX_WORDS).map(|(word, people)| (word.clone(), *people)).collect()
}

/// What an attempt came to.
pub(super) enum Outcome {
    /// Believed.
    Trusted(Box<TrustedRead>),
    /// Not believed.
    Held(Held),
    /// No answer.
    Failed(Finding),
    /// Nothing new came since the last trusted answer, and why.
    Nothing(String),
}

/// A believed answer, as far as it is shown.
pub(super) struct TrustedRead {
    /// What is written of it.
    trusted: Trusted,
    /// The digest that an admin would have accepted.
    acceptance: String,
    /// The findings that an admin accepted.
    waived: Vec<Finding>,
}

impl TrustedRead {
    /// What there is to show of an answer that was believed at `at`.
    pub(super) fn of(believed: &Believed, at: Timestamp) -> Self {
        let acceptance = believed.snapshot.acceptance().to_owned();
        Self { trusted: trusted(believed, at), acceptance, waived: believed.waived.clone() }
    }
}

/// What it comes to that there is nothing to read: no answer at all, before the first one.
pub(super) fn nothing(connection: &HRConnection, why: String) -> Outcome {
    let trusted = connection.status.as_ref().is_some_and(|status| status.last_trusted.is_some());
    if trusted { Outcome::Nothing(why) } else { Outcome::Failed(trust::failed(&Failure::Missing(why))) }
}

/// What is written of a believed answer.
fn trusted(believed: &Believed, at: Timestamp) -> Trusted {
    let snapshot = &believed.snapshot;
    let mut statuses = BTreeMap::new();
    for employee in snapshot.employees() {
        let people: &mut u32 = statuses.entry(employee.reported_status.as_str().to_owned()).or_default();
        *people = people.saturating_add(1);
    }
    let today = at.to_zoned(TimeZone::UTC).date();
    Trusted {
        time: at,
        response: snapshot.answer().to_owned(),
        delivered: snapshot.delivered(),
        employees: count(snapshot.employees().len()),
        statuses,
        high_water: count(believed.memory.high_water(today)),
        source: snapshot.source().to_owned(),
    }
}

/// The status as it stands, empty where there is none.
pub(super) fn current_status(connection: &HRConnection) -> HRConnectionStatus {
    connection.status.clone().unwrap_or_default()
}

/// The status after a fault: the poll is owed, and made as soon as the fault is gone.
pub(super) fn owed(connection: &HRConnection) -> HRConnectionStatus {
    HRConnectionStatus { next_run: None, ..current_status(connection) }
}

/// Status and conditions of a pause.
pub(super) fn suspended(connection: &HRConnection, until: Timestamp) -> (HRConnectionStatus, Vec<ConditionUpdate>) {
    let reason = connection.spec.suspend.as_ref().map_or("", |suspend| suspend.reason.as_str());
    let status = HRConnectionStatus { next_run: Some(until), ..current_status(connection) };
    (status, vec![condition::suspended(reason, until)])
}

/// Status and conditions of an attempt that ended at `at`. What an earlier trusted answer left stands, whatever came now.
pub(super) fn record(
    connection: &HRConnection,
    settings: &Settings,
    seen: Option<ResponseSummary>,
    outcome: Outcome,
    at: Timestamp,
) -> (HRConnectionStatus, Vec<ConditionUpdate>) {
    let mut status = current_status(connection);
    let mut updates: Vec<ConditionUpdate> = seen.iter().flat_map(ResponseSummary::updates).collect();
    let attempt = |outcome: Reason, response: Option<String>, findings: &[Finding], prefix: &str| {
        let found = findings.iter().map(|finding| line(prefix, finding));
        let shown = seen.iter().flat_map(|seen| seen.set_aside.iter().chain(&seen.notes).cloned());
        let all = found.chain(shown);
        Attempt { time: at, outcome: outcome.as_str().to_owned(), response, findings: all.take(MAX_FINDINGS).collect() }
    };
    let age = |last: Option<&Trusted>| Age { at, stale_after: settings.stale_after, last: last.map(Trusted::as_of) };
    let before = age(status.last_trusted.as_ref());
    let mut people_read = seen.as_ref().map(|seen| count(seen.people));
    status.last_attempt = Some(match outcome {
        Outcome::Trusted(answered) => {
            let TrustedRead { trusted, acceptance, waived } = *answered;
            let people = trusted.employees;
            people_read = Some(people);
            let message = format!("{people} people read and believed.{}", left_out(seen.as_ref()));
            updates.extend([
                ready_or_stale(message, &age(Some(&trusted))),
                condition::reachable(),
                condition::trusted(usize::try_from(people).unwrap_or(usize::MAX)),
            ]);
            status.last_trusted = Some(trusted);
            if let Some(seen) = &seen {
                let shown = seen.tells_leavers().then_some(at);
                status.leavers_last_seen = shown.or(status.leavers_last_seen);
                updates.push(tells_leavers(seen, status.leavers_last_seen, at));
            }
            attempt(Reason::Trusted, Some(acceptance), &waived, "accepted: ")
        }
        Outcome::Held(held) => {
            let message = format!("{}{before}", explain(&connection.name_any(), &held));
            let reason = held.findings.first().map_or(Reason::Held, Reason::from);
            updates.extend([
                condition::waiting(reason, message.clone()),
                condition::reachable(),
                condition::held(reason, message),
            ]);
            attempt(reason, Some(held.answer), &held.findings, "")
        }
        Outcome::Failed(finding) => {
            let message = format!("{} Nothing was changed.{before}", finding.message());
            let reason = Reason::from(&finding);
            updates.extend([
                condition::waiting(reason, message.clone()),
                condition::unreachable(reason, message.clone()),
                condition::held(reason, message),
            ]);
            attempt(reason, None, &[finding], "")
        }
        Outcome::Nothing(why) => {
            let people = status.last_trusted.as_ref().map_or(0, |last| last.employees);
            people_read = Some(people);
            let message = format!("Nothing new: {why}. What was last believed stands, {people} people.");
            updates.extend([
                ready_or_stale(message, &before),
                condition::reachable(),
                condition::trusted(usize::try_from(people).unwrap_or(usize::MAX)),
            ]);
            Attempt { time: at, outcome: NOTHING_NEW.to_owned(), response: None, findings: Vec::new() }
        }
    });
    status.trust_history = history::after(&status.trust_history, &updates, people_read, at);
    if let Some(seen) = seen {
        status.capabilities = Some(seen.capabilities);
        status.unmapped_statuses = seen.unmapped;
        status.unmapped_types = seen.unmapped_types;
    }
    status.next_run =
        Some(schedule::next(&settings.rhythm, connection.metadata.uid.as_deref().unwrap_or_default(), at));
    status.last_handled_reconcile_at = requested(connection).or(status.last_handled_reconcile_at);
    (status, updates)
}

/// Whether answers show who left. A source that never does leaves everybody employed for ever and looks healthy, so it has
/// a condition of its own: in a small company nobody may have left for a while, so it is no fault.
fn tells_leavers(seen: &ResponseSummary, last: Option<Timestamp>, at: Timestamp) -> ConditionUpdate {
    let Some(last) = last.filter(|last| at.duration_since(*last) <= LEAVERS_WITHIN) else {
        return condition::no_leaver_seen(last);
    };
    let capabilities::PeopleShown { leavers, end_dates, .. } = seen.capabilities.seen;
    condition::leavers_seen(if last == at {
        format!("{leavers} people in the newest response have left, {end_dates} have a last day.")
    } else {
        format!(
            "Nobody in the newest response has left or has a last day; the last response that showed somebody is of {last}."
        )
    })
}

/// Ready, unless the last believed answer is too old to go by: a sender that stopped sending looks like one that has
/// nothing to say.
fn ready_or_stale(message: String, age: &Age) -> ConditionUpdate {
    if age.stale() { condition::stale(format!("{message}{age}")) } else { condition::ready(message) }
}

/// The value of the reconcile-now annotation, as far as it can be echoed.
fn requested(connection: &HRConnection) -> Option<String> {
    connection.annotations().get(names::REQUESTED_AT).map(|value| value.chars().take(MAX_REQUEST).collect())
}

fn count(people: usize) -> u32 {
    u32::try_from(people).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
