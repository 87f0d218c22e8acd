//! What Rollcall says of itself: log lines and metrics. Neither carries personal data: labels are names of connections
//! and policies, and words of a closed vocabulary.

mod groups;
mod labels;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tracing_subscriber::EnvFilter;

pub use self::groups::FAULTS;
use self::groups::{Coverage, Drills, Lateness, Reconciles};
use self::labels::{ByPhase, Connection, Failure, Found, Hook, Kind, People, Policy, Poll, Told, Webhook, Why};
use crate::api::person::State;
use crate::api::policy::{self, Accounts};
use crate::api::revocation::{HookOutcome, Phase};
use domain::drill::DrillReport;
use domain::identity::Finding;

/// What libraries may say, whatever was asked for. The client's warnings quote whole answers that it could not parse,
/// and those may hold Secrets and files of people.
const LIBRARIES: &str = "hyper=warn,hyper_util=warn,h2=warn,rustls=warn,reqwest=warn,tower=warn,kube_runtime=warn,\
    kube_client=off";

/// Log lines as JSON on the standard error, from the level of `filter` up (`info`, `debug`, `rollcall=debug`).
///
/// # Errors
/// When the filter cannot be read, or a logger is set already.
pub fn init(filter: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::builder().parse(format!("{filter},{LIBRARIES}"))?;
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stderr).try_init()
}

/// The metrics of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    polls: Family<Poll, Counter>,
    last_success: Family<Connection, Gauge<f64, AtomicU64>>,
    last_leaver: Family<Connection, Gauge<f64, AtomicU64>>,
    people: Family<People, Gauge>,
    accounts: Family<Found, Gauge>,
    person_writes: Counter,
    revocations: Family<ByPhase, Gauge>,
    held: Family<Why, Gauge>,
    expired: Counter,
    hooks: Family<Hook, Counter>,
    webhooks: Family<Webhook, Counter>,
    told: Family<Told, Counter>,
    untold: Gauge,
    spans_dropped: Counter,
    leader: Gauge,
    revoker_ready: Gauge,
    evidence_signed: Gauge,
    refuted: Gauge,
    stopped: Gauge,
    remaining: Family<Why, Gauge>,
    failing_jobs: Gauge,
    coverage: Coverage,
    drills: Drills,
    lateness: Lateness,
    of_reconciles: Reconciles,
}

/// A reconcile that is under way; ends with this value.
pub struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("rollcall");
        let polls = Family::default();
        registry.register("connection_polls", "Reads of a source, by how they ended", polls.clone());
        let last_success = Family::default();
        registry.register(
            "connection_last_success_timestamp_seconds",
            "When a response of the source was last believed",
            last_success.clone(),
        );
        let last_leaver = Family::default();
        registry.register(
            "connection_last_leaver_timestamp_seconds",
            "When a response of the source last showed somebody who has left, or a last day; 0 if none ever did",
            last_leaver.clone(),
        );
        let people = Family::default();
        registry.register("people", "People of a policy, by state", people.clone());
        let accounts = Family::default();
        registry.register(
            "account_findings",
            "People of a policy, and accounts, of whom HR and a directory say different things, by finding",
            accounts.clone(),
        );
        let person_writes = Counter::default();
        registry.register("person_writes", "Writes of Persons", person_writes.clone());
        let revocations = Family::default();
        registry.register("revocations", "Revocations, by phase", revocations.clone());
        let held = Family::default();
        registry.register("revocations_held", "Revocations that a gate holds, by gate", held.clone());
        let expired = Counter::default();
        registry.register("revocations_expired", "Revocations removed after their retention", expired.clone());
        let hooks = Family::default();
        registry.register("hooks_ended", "Hooks that came to their end, by their CronJob and outcome", hooks.clone());
        let webhooks = Family::default();
        registry.register(
            "webhooks",
            "Requests to the addresses of webhooks, by what became of them",
            webhooks.clone(),
        );
        let told = Family::default();
        registry.register("cloud_events", "CloudEvents that were sent, by what became of them", told.clone());
        let untold = Gauge::default();
        registry.register("cloud_events_waiting", "CloudEvents that wait; of the tell that leads", untold.clone());
        let spans_dropped = Counter::default();
        registry.register("trace_spans_dropped", "Spans of traces that no collector took", spans_dropped.clone());
        let leader = Gauge::default();
        registry.register("leader", "Whether this replica leads", leader.clone());
        let revoker_ready = Gauge::default();
        registry.register(
            "revoker_ready",
            "Whether an empty Job of the revoker ended well since Jobs were last made differently",
            revoker_ready.clone(),
        );
        let evidence_signed = Gauge::default();
        registry.register(
            "evidence_signed",
            "Whether heads of the evidence are signed; of the control that leads",
            evidence_signed.clone(),
        );
        let refuted = Gauge::default();
        registry.register(
            "revocations_refuted",
            "Revocations of which a later check saw that something works again; of the control that leads",
            refuted.clone(),
        );
        let stopped = Gauge::default();
        registry.register("stopped", "Whether the global stop is set; of the control that leads", stopped.clone());
        let failing_jobs = Gauge::default();
        registry.register(
            "revoker_jobs_failed_in_a_row",
            "Jobs of the revoker that failed, the newest among them, since one did not; of the control that leads",
            failing_jobs.clone(),
        );
        let remaining = Family::default();
        registry.register(
            "access_remaining",
            "Things of people who left that are known to remain, by reason; of the control that leads",
            remaining.clone(),
        );
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The version that runs", Info::new(version));
        let coverage = Coverage::registered(&mut registry);
        let drills = Drills::registered(&mut registry);
        let lateness = Lateness::registered(&mut registry);
        let of_reconciles = Reconciles::registered(&mut registry);
        Self {
            registry,
            polls,
            last_success,
            last_leaver,
            people,
            accounts,
            person_writes,
            revocations,
            held,
            expired,
            hooks,
            webhooks,
            told,
            untold,
            spans_dropped,
            leader,
            revoker_ready,
            evidence_signed,
            refuted,
            stopped,
            remaining,
            failing_jobs,
            coverage,
            drills,
            lateness,
            of_reconciles,
        }
    }
}

impl Metrics {
    /// A source was read; `outcome` is `Trusted` or the reason of the first finding.
    pub fn polled(&self, connection: &str, outcome: &str) {
        let labels = Poll { connection: connection.to_owned(), outcome: outcome.to_owned() };
        self.polls.get_or_create(&labels).inc();
    }

    /// An answer of a source was believed.
    pub fn believed(&self, connection: &str, at: Timestamp) {
        let labels = Connection { connection: connection.to_owned() };
        self.last_success.get_or_create(&labels).set(at.as_duration().as_secs_f64());
    }

    /// When an answer of a source last showed somebody who has left, or a last day.
    pub fn leaver_seen(&self, connection: &str, at: Option<Timestamp>) {
        let labels = Connection { connection: connection.to_owned() };
        self.last_leaver.get_or_create(&labels).set(at.map_or(0.0, |at| at.as_duration().as_secs_f64()));
    }

    /// A connection is deleted: nobody waits for an answer of it.
    pub fn forgets(&self, connection: &str) {
        let labels = Connection { connection: connection.to_owned() };
        self.last_success.remove(&labels);
        self.last_leaver.remove(&labels);
    }

    /// The people of a policy, by state. A state that is no longer named has nobody.
    pub fn people(&self, policy: &str, by_state: &BTreeMap<String, u32>) {
        drop(self.lateness.reported.get_or_create(&Policy::of(policy))); // as in `expects`
        for state in State::ALL {
            let labels = People { policy: policy.to_owned(), state: state.as_str().to_owned() };
            self.people.get_or_create(&labels).set(by_state.get(state.as_str()).copied().unwrap_or(0).into());
        }
    }

    /// Where HR and the directories of a policy disagree; nothing of a policy without a directory.
    pub fn accounts(&self, policy: &str, found: Option<&Accounts>) {
        let Some(found) = found else { return };
        let of_people = Finding::ALL.map(|one| (one.as_str(), found.people.get(one.as_str()).copied().unwrap_or(0)));
        for (finding, number) in of_people.into_iter().chain([("Orphan", found.orphans)]) {
            self.accounts.get_or_create(&Found { policy: policy.to_owned(), finding }).set(number.into());
        }
    }

    /// Whose the ServiceAccounts are, and the users of bindings, as a policy sees them; nothing before it was first applied.
    pub fn coverage(&self, policy: &str, seen: Option<&policy::Coverage>) {
        if let Some(seen) = seen {
            self.coverage.set(policy, seen);
        }
    }

    /// So many Jobs of the revoker failed one after another.
    pub fn failing_jobs(&self, number: usize) {
        self.failing_jobs.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// Somebody of a policy left as of `effective`, and the source said so at `seen`. An announced day is on time.
    pub fn leaver_reported(&self, policy: &str, effective: Timestamp, seen: Timestamp) {
        self.lateness.reported.get_or_create(&Policy::of(policy)).observe(seconds(effective, seen));
    }

    /// What was revoked of a leaver: when it was seen, released, and proved refused.
    pub fn leaver_revoked(&self, policy: &str, [seen, released, verified]: [Option<Timestamp>; 3]) {
        if let (Some(seen), Some(released)) = (seen, released) {
            self.lateness.released.get_or_create(&Policy::of(policy)).observe(seconds(seen, released));
        }
        if let (Some(released), Some(verified)) = (released, verified) {
            self.lateness.verified.get_or_create(&Policy::of(policy)).observe(seconds(released, verified));
        }
    }

    /// There is a policy with these hooks: its series are there from now on, at none. Prometheus sees by how much a series rose, and of one
    /// that begins with its first event it does not see that event: not the first leaver, and not the first hook that failed.
    pub fn expects<'a>(&self, policy: &str, hooks: impl IntoIterator<Item = &'a str>) {
        for histogram in [&self.lateness.released, &self.lateness.verified] {
            drop(histogram.get_or_create(&Policy::of(policy)));
        }
        for hook in hooks {
            for outcome in HookOutcome::ALL.iter().filter(|outcome| outcome.is_end()) {
                drop(self.hooks.get_or_create(&Hook { hook: hook.to_owned(), outcome: outcome.as_str() }));
            }
        }
    }

    /// A Person was written.
    pub fn person_written(&self) {
        self.person_writes.inc();
    }

    /// The Revocations that there are, by phase. A phase that is no longer named has none.
    pub fn revocations(&self, by_phase: &BTreeMap<Phase, u32>) {
        for phase in Phase::ALL {
            let labels = ByPhase { phase: phase.as_str().to_owned() };
            self.revocations.get_or_create(&labels).set(by_phase.get(phase).copied().unwrap_or(0).into());
        }
    }

    /// The Revocations that a gate holds, by gate. A gate that is not named stays as it was.
    pub fn held(&self, by_gate: &BTreeMap<String, u32>) {
        for (reason, number) in by_gate {
            self.held.get_or_create(&Why { reason: reason.clone() }).set((*number).into());
        }
    }

    /// Whether everything is stopped.
    pub fn stopped(&self, is: bool) {
        self.stopped.set(is.into());
    }

    /// What remains of people who left, by reason. Of a reason that is no longer named there is nothing.
    pub fn remaining(&self, by_reason: &BTreeMap<String, u32>) {
        self.remaining.clear();
        for (reason, number) in by_reason {
            self.remaining.get_or_create(&Why { reason: reason.clone() }).set((*number).into());
        }
    }

    /// A Revocation was removed after its retention.
    pub fn expired(&self) {
        self.expired.inc();
    }

    /// A hook came to its end.
    pub fn hook(&self, hook: &str, outcome: &'static str) {
        self.hooks.get_or_create(&Hook { hook: hook.to_owned(), outcome }).inc();
    }

    /// A request came to the address of a webhook. `connection` is empty where there is none of that name.
    pub fn webhook(&self, connection: &str, outcome: &'static str) {
        self.webhooks.get_or_create(&Webhook { connection: connection.to_owned(), outcome }).inc();
    }

    /// A CloudEvent was sent.
    pub fn event(&self, outcome: &'static str) {
        self.told.get_or_create(&Told { outcome }).inc();
    }

    /// How many CloudEvents wait.
    pub fn events_waiting(&self, number: usize) {
        self.untold.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// Counts spans of traces that no collector took.
    #[must_use]
    pub fn spans_dropped(&self) -> Counter {
        self.spans_dropped.clone()
    }

    /// A reconcile of this kind begins; it is under way for as long as what is given back lives.
    #[must_use]
    pub fn reconciling(&self, kind: &str) -> UnderWay {
        let gauge = self.of_reconciles.under_way.get_or_create(&Kind { kind: kind.to_owned() }).clone();
        gauge.inc();
        UnderWay(gauge)
    }

    /// A reconcile of this kind ended; `fault` is the class of what went wrong.
    pub fn reconciled(&self, kind: &str, took: Duration, fault: Option<&'static str>) {
        let kind = kind.to_owned();
        self.of_reconciles.duration.get_or_create(&Kind { kind: kind.clone() }).observe(took.as_secs_f64());
        for class in FAULTS {
            drop(self.of_reconciles.failures.get_or_create(&Failure { kind: kind.clone(), class })); // as in `expects`
        }
        if let Some(class) = fault {
            self.of_reconciles.failures.get_or_create(&Failure { kind, class }).inc();
        }
    }

    /// Whether the revoker was seen to run.
    pub fn revoker_ready(&self, ready: bool) {
        self.revoker_ready.set(ready.into());
    }

    /// What the newest drill of this policy showed; none has ended yet otherwise.
    pub fn drill(&self, policy: &str, report: Option<&DrillReport>) {
        let (of, drills) = (Policy::of(policy), &self.drills);
        let at = |at: Option<Timestamp>| at.map_or(0.0, |at| at.as_duration().as_secs_f64());
        let passed = report.filter(|report| report.failed.is_none());
        drills.passed.get_or_create(&of).set(passed.is_some().into());
        drills.last_run.get_or_create(&of).set(at(report.map(|report| report.ended)));
        drills.due.get_or_create(&of).set(at(report.and_then(|report| report.due)));
        let last_success = drills.last_success.get_or_create(&of);
        if let Some(passed) = passed {
            last_success.set(at(Some(passed.ended)));
            drills.refused.get_or_create(&of).set(passed.took().unwrap_or_default().as_secs_f64());
        }
    }

    /// Whether heads of the evidence are signed.
    pub fn evidence_signed(&self, signed: bool) {
        self.evidence_signed.set(signed.into());
    }

    /// Of how many Revocations something works again.
    pub fn refuted(&self, count: usize) {
        self.refuted.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Whether this replica leads.
    pub fn leading(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// All of them, in the text form of OpenMetrics.
    ///
    /// # Errors
    /// When they cannot be written as text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// From one instant to a later one.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

#[cfg(test)]
mod tests;
