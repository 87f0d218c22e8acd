//! A day of an invented company as Prometheus has it: people leave, a batch waits for a human, HR is not reached for an hour, a Revocation
//! fails and is run again, control gets a new leader.
//!
//! Told by the product's own metrics, whose text is read once a minute, as if it were scraped: a series that is renamed is renamed here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use domain::drill::DrillReport;
use jiff::{SignedDuration, Timestamp};
use rollcall::api::policy::Coverage;
use rollcall::api::revocation::Phase;
use rollcall::kube::telemetry::Metrics;
use serde_json::json;

/// Where it is installed.
pub const NAMESPACE: &str = "rollcall";
/// Time between two samples, in seconds.
pub const SCRAPED_EVERY: i64 = 60;
const MINUTES: u32 = 24 * 60;
const POLICY: &str = "everyone";
const HQ: &str = "hq";
const CONTRACTORS: &str = "contractors";
const HOOK: &str = "notify-siem";

/// When the day begins: a Tuesday, at midnight.
pub fn begins() -> Timestamp {
    "2026-03-03T00:00:00Z".parse().unwrap()
}

/// A time of the day.
pub fn at(hour: u32, minute: u32) -> Timestamp {
    begins() + SignedDuration::from_mins(i64::from(clock(hour, minute)))
}

const fn clock(hour: u32, minute: u32) -> u32 {
    hour * 60 + minute
}

/// HR is not reached.
const OUTAGE: [u32; 2] = [clock(14, 0), clock(15, 0)];
/// Fourteen leavers of one read are more than the limit.
const BATCH: [u32; 2] = [clock(10, 5), clock(12, 40)];
/// The one whose access is not proved refused, until the Revocation is run again.
const FAILS: [u32; 2] = [clock(16, 6), clock(17, 20)];
/// Everything is stopped for an upgrade, in which control gets a new leader.
const STOP: [u32; 2] = [clock(19, 50), clock(20, 10)];
const NEW_LEADER: u32 = clock(20, 0);
/// Somebody makes a binding again that was removed.
const BACK: [u32; 2] = [clock(21, 15), clock(22, 5)];
/// The file of contractors has too few people.
const SHRUNK: [u32; 2] = [clock(11, 20), clock(12, 30)];
const DRILL: u32 = clock(3, 0);

/// What there was before; what is held is not due yet.
const EARLIER: [(Phase, u32); 5] =
    [(Phase::Revoked, 118), (Phase::Cancelled, 6), (Phase::Lifted, 9), (Phase::Frozen, 2), (Phase::Held, NOT_DUE)];
const NOT_DUE: u32 = 3;

/// Whether a minute lies in a time.
fn during([from, to]: [u32; 2], minute: u32) -> bool {
    (from..to).contains(&minute)
}

/// Somebody who leaves: the minute of the read that shows it, when they are released, and the seconds until everything is refused.
struct Leaver {
    seen: u32,
    released: u32,
    seconds: u32,
    fails: bool,
    /// How many hours HR was late.
    late: i64,
}

impl Leaver {
    fn phase(&self, minute: u32) -> Option<Phase> {
        let proved = self.released + 1 + self.seconds / 60;
        match minute {
            before if before < self.seen => None,
            waits if waits < self.released => Some(Phase::Held),
            at_work if at_work < proved => Some(Phase::Released),
            failed if self.fails && failed < FAILS[1] => Some(Phase::Failed),
            _ => Some(Phase::Revoked),
        }
    }

    fn proved(&self) -> u32 {
        if self.fails { FAILS[1] } else { self.released + 1 + self.seconds / 60 }
    }
}

fn leavers() -> Vec<Leaver> {
    let one = |seen, late| Leaver { seen, released: seen, seconds: 3 + seen % 7, fails: false, late };
    let alone = [(7, 0), (8, 2), (9, 0), (11, 30), (13, 0), (15, 5), (17, 0), (18, 80), (20, 0), (22, 0)];
    let mut all: Vec<Leaver> = alone.into_iter().map(|(hour, late)| one(clock(hour, 5), late)).collect();
    all.extend((0..14).map(|n| Leaver { released: BATCH[1], seconds: 20 + 9 * n, ..one(BATCH[0], i64::from(n) * 3) }));
    all.push(Leaver { fails: true, ..one(FAILS[0] - 1, 1) });
    all
}

/// A pod that is scraped, from one minute to another.
struct Pod {
    part: &'static str,
    name: &'static str,
    lives: [u32; 2],
    metrics: Metrics,
}

impl Pod {
    fn new(part: &'static str, name: &'static str, lives: [u32; 2]) -> Self {
        Self { part, name, lives, metrics: Metrics::default() }
    }
}

/// Its samples, in the text form of OpenMetrics, each with its time.
pub fn samples() -> String {
    let always = [0, MINUTES + 1];
    let pods = [
        Pod::new("sync", "rollcall-sync-5f6d8-kx2vw", always),
        Pod::new("sync", "rollcall-sync-5f6d8-p9rjc", always),
        Pod::new("control", "rollcall-control-7c9b4-h4tqm", [0, NEW_LEADER]),
        Pod::new("control", "rollcall-control-7c9b4-zz8ld", always),
        Pod::new("control", "rollcall-control-7c9b4-w5cfn", [NEW_LEADER + 1, MINUTES + 1]),
    ];
    let (leavers, mut families) = (leavers(), BTreeMap::new());
    for minute in 0..=MINUTES {
        let leads = |name: &str| {
            let control = if minute < NEW_LEADER { "h4tqm" } else { "zz8ld" };
            name.ends_with("kx2vw") || name.ends_with(control)
        };
        for pod in pods.iter().filter(|pod| during(pod.lives, minute)) {
            pod.metrics.leading(leads(pod.name));
            match pod.part {
                "sync" if leads(pod.name) => sync(&pod.metrics, &leavers, minute),
                "control" if leads(pod.name) => control(&pod.metrics, &leavers, minute),
                _ => {}
            }
            scrape(&mut families, pod, at(0, minute));
        }
    }
    let mut text = String::new();
    families.values().for_each(|Family { head, samples }| text.extend([head.as_str(), samples]));
    text + "# EOF\n"
}

/// A minute of sync: reads, and what they show.
fn sync(metrics: &Metrics, leavers: &[Leaver], minute: u32) {
    let now = at(0, minute);
    let reads = |metrics: &Metrics, connection: &str, outcome: &str| {
        metrics.polled(connection, outcome);
        if outcome == "Trusted" {
            metrics.believed(connection, now);
            metrics.leaver_seen(connection, Some(now));
        }
        let fault = ["Unreachable", "TimedOut"].contains(&outcome).then_some("Transient");
        metrics.reconciled("HRConnection", Duration::from_millis(700 + u64::from(minute % 9) * 150), fault);
    };
    if minute == 0 {
        for connection in [HQ, CONTRACTORS] {
            metrics.believed(connection, now - SignedDuration::from_mins(55));
        }
    }
    if during(OUTAGE, minute) && minute % 10 == 5 {
        reads(metrics, HQ, if minute < OUTAGE[0] + 10 { "TimedOut" } else { "Unreachable" });
    } else if minute % 60 == 5 {
        reads(metrics, HQ, "Trusted");
        metrics.reconciled("SyncPolicy", Duration::from_millis(2_100 + u64::from(minute % 7) * 300), None);
    }
    if minute % 60 == 20 {
        reads(metrics, CONTRACTORS, if during(SHRUNK, minute) { "Shrunk" } else { "Trusted" });
    }
    let left: Vec<_> = leavers.iter().filter(|one| one.seen <= minute).collect();
    let gone = u32::try_from(left.len()).unwrap();
    let unknown = if during([clock(9, 5), clock(13, 5)], minute) { 2 } else { 0 };
    let states = [
        ("Active", 9_712 - gone - unknown),
        ("Leave", 141),
        ("PreHire", 37),
        ("Terminated", 64 + gone),
        ("OutOfScope", 212),
        ("Unknown", unknown),
    ];
    metrics.people(POLICY, &states.into_iter().map(|(state, number)| (state.to_owned(), number)).collect());
    let seen = Coverage { owned: 96, unowned: 31 - minute / 180, ambiguous: 2, users: 88, ..Coverage::default() };
    metrics.coverage(POLICY, Some(&seen));
    for one in left.into_iter().filter(|one| one.seen == minute) {
        metrics.leaver_reported(POLICY, now - SignedDuration::from_hours(one.late), now);
        (0..2).for_each(|_| metrics.person_written());
    }
}

/// A minute of control: Revocations, and what became of them.
fn control(metrics: &Metrics, leavers: &[Leaver], minute: u32) {
    let now = at(0, minute);
    let mut phases = BTreeMap::from(EARLIER);
    leavers.iter().filter_map(|one| one.phase(minute)).for_each(|phase| *phases.entry(phase).or_insert(0) += 1);
    metrics.revocations(&phases);
    let gates = [("OverLimit", phases[&Phase::Held] - NOT_DUE), ("Baseline", 0), ("NotDue", NOT_DUE)];
    metrics.held(&gates.into_iter().map(|(gate, number)| (gate.to_owned(), number)).collect());
    metrics.expects(POLICY, [HOOK]);
    metrics.revoker_ready(true);
    metrics.evidence_signed(true);
    metrics.stopped(during(STOP, minute));
    metrics.refuted(usize::from(during(BACK, minute)));
    let revoked = phases[&Phase::Revoked];
    let remaining =
        [("SharedBinding", 9 + revoked / 12), ("NoConsent", 4), ("LegacyToken", u32::from(minute > BATCH[1]) * 3)];
    metrics.remaining(&remaining.into_iter().filter(|(_, n)| *n > 0).map(|(why, n)| (why.to_owned(), n)).collect());
    if minute == 0 || minute == NEW_LEADER || minute == DRILL {
        let ended = if minute < DRILL { at(DRILL / 60, 0) - SignedDuration::from_hours(24) } else { at(DRILL / 60, 0) };
        metrics.drill("rollcall-drill", Some(&passed(ended)));
    }
    if minute % 30 == 11 {
        metrics.reconciled("Person", Duration::from_millis(9), None);
    }
    for (number, one) in leavers.iter().enumerate() {
        let begun = one.seen == minute || one.released == minute || one.proved() == minute;
        if begun {
            let took = Duration::from_millis(40 + u64::from(minute % 5) * 25);
            metrics.reconciled("Person", took, None);
            metrics.reconciled("Revocation", took * 3, (one.fails && minute < FAILS[1]).then_some("Waiting"));
        }
        if one.proved() == minute {
            let released = at(0, one.released) + SignedDuration::from_secs(14);
            let seen = at(0, one.seen) + SignedDuration::from_secs(12);
            let proved = if one.fails { now } else { released + SignedDuration::from_secs(one.seconds.into()) };
            metrics.leaver_revoked(POLICY, [Some(seen), Some(released), Some(proved)]);
            metrics.hook(HOOK, if number == 4 { "TimedOut" } else { "Done" });
        }
    }
}

fn passed(ended: Timestamp) -> DrillReport {
    let ago = |seconds| (ended - SignedDuration::from_secs(seconds)).to_string();
    serde_json::from_value(
        json!({"run": "d-1", "began": ago(60), "ended": ended.to_string(), "left": ago(40), "refused": ago(33),
        "denied": ago(35), "due": (ended + SignedDuration::from_hours(26)).to_string()}),
    )
    .unwrap()
}

/// The lines of one metric.
#[derive(Default)]
struct Family {
    head: String,
    samples: String,
}

/// Reads what a pod says of itself, with the labels that the chart's PodMonitor gives it.
fn scrape(families: &mut BTreeMap<String, Family>, pod: &Pod, now: Timestamp) {
    let own = format!("namespace=\"{NAMESPACE}\",part=\"{}\",pod=\"{}\"", pod.part, pod.name);
    let mut family = &mut Family::default();
    for line in pod.metrics.text().unwrap().lines() {
        if let Some(words) = line.strip_prefix("# ") {
            if words == "EOF" {
                break;
            }
            family = families.entry(words.split(' ').nth(1).unwrap().to_owned()).or_default();
            if !family.head.contains(line) {
                family.head.extend([line, "\n"]);
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap_or((series, ""));
        let comma = if labels.is_empty() { "" } else { "," };
        writeln!(family.samples, "{name}{{{own}{comma}{labels}}} {value} {}", now.as_second()).unwrap();
    }
}
