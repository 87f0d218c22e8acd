//! Metrics that belong together: of drills, of coverage, of how late HR and Rollcall were, and of reconciles.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::labels::{Failure, Kind, OwnedBy, Policy};
use crate::api::policy;

/// What drills showed, by their policy: where none is installed there is no series, and nothing to be alarmed by.
#[derive(Debug)]
pub(super) struct Drills {
    pub(super) passed: Family<Policy, Gauge>,
    pub(super) last_run: Family<Policy, Gauge<f64, AtomicU64>>,
    pub(super) last_success: Family<Policy, Gauge<f64, AtomicU64>>,
    pub(super) due: Family<Policy, Gauge<f64, AtomicU64>>,
    pub(super) refused: Family<Policy, Gauge<f64, AtomicU64>>,
}

impl Drills {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let passed = Family::default();
        registry.register("drill_passed", "Whether the newest drill passed", passed.clone());
        let mut gauge = |name, help| {
            let gauge = Family::default();
            registry.register(name, help, Family::clone(&gauge));
            gauge
        };
        Self {
            passed,
            last_run: gauge("drill_last_run_timestamp_seconds", "When the newest drill ended; 0 if none ever did"),
            last_success: gauge(
                "drill_last_success_timestamp_seconds",
                "When a drill last passed, as far as this process knows; 0 if none did",
            ),
            due: gauge(
                "drill_due_timestamp_seconds",
                "When the next drill has ended at the latest; 0 if none ended yet, or none is planned",
            ),
            refused: gauge(
                "drill_refused_seconds",
                "How long after the file said so the newest drill that passed saw everything refused",
            ),
        }
    }
}

/// Whose the ServiceAccounts of a cluster are, and the users that its bindings name, as a policy sees them.
#[derive(Debug)]
pub(super) struct Coverage {
    accounts: Family<OwnedBy, Gauge>,
    users: Family<OwnedBy, Gauge>,
}

impl Coverage {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let mut gauge = |name, help| {
            let gauge = Family::default();
            registry.register(name, help, Family::clone(&gauge));
            gauge
        };
        Self {
            accounts: gauge("coverage_accounts", "ServiceAccounts, by whether one person owns them, several or nobody"),
            users: gauge(
                "coverage_users",
                "Users in bindings that are known people, and those that look like it and are nobody's",
            ),
        }
    }

    pub(super) fn set(&self, policy: &str, seen: &policy::Coverage) {
        let of = |owner| OwnedBy { policy: policy.to_owned(), owner };
        for (owner, number) in [("One", seen.owned), ("Several", seen.ambiguous), ("Nobody", seen.unowned)] {
            self.accounts.get_or_create(&of(owner)).set(number.into());
        }
        for (owner, number) in [("One", seen.users), ("Nobody", seen.unknown_users)] {
            self.users.get_or_create(&of(owner)).set(number.into());
        }
    }
}

/// How late HR was, and Rollcall.
#[derive(Debug)]
pub(super) struct Lateness {
    pub(super) reported: Family<Policy, Histogram, fn() -> Histogram>,
    pub(super) released: Family<Policy, Histogram, fn() -> Histogram>,
    pub(super) verified: Family<Policy, Histogram, fn() -> Histogram>,
}

impl Lateness {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        // From an hour to three months; and a minute, so that who is on time does not look late by half an hour.
        let of_hr: fn() -> Histogram =
            || Histogram::new(std::iter::once(60.0).chain(exponential_buckets(3_600.0, 2.0, 12)));
        // From half a second to three days: an approval takes its time.
        let ours: fn() -> Histogram = || Histogram::new(exponential_buckets(0.5, 2.0, 20));
        let mut histogram = |name, help, of| {
            let histogram = Family::new_with_constructor(of);
            registry.register(name, help, histogram.clone());
            histogram
        };
        Self {
            reported: histogram(
                "leaver_reported_late_seconds",
                "How long after it took effect the source reported that somebody left",
                of_hr,
            ),
            released: histogram(
                "leaver_release_seconds",
                "How long after it was seen a Revocation that revoked was released",
                ours,
            ),
            verified: histogram(
                "leaver_verify_seconds",
                "How long after it was released a Revocation was proved refused",
                ours,
            ),
        }
    }
}

/// Classes of faults, a word each.
pub const FAULTS: [&str; 4] = ["Transient", "Call", "Waiting", "Stalled"];

/// What is measured of every reconcile, by the kind of its object.
#[derive(Debug)]
pub(super) struct Reconciles {
    pub(super) duration: Family<Kind, Histogram, fn() -> Histogram>,
    pub(super) failures: Family<Failure, Counter>,
    pub(super) under_way: Family<Kind, Gauge>,
}

impl Reconciles {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        // From 5 milliseconds to 20 seconds.
        let duration: Family<Kind, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 13)));
        registry.register("reconcile_duration_seconds", "How long a look at one object took", duration.clone());
        let failures = Family::default();
        registry.register("reconcile_failures", "Looks at one object that met a fault, by its class", failures.clone());
        let under_way = Family::default();
        registry.register("reconciles_under_way", "Looks at one object that are under way", under_way.clone());
        Self { duration, failures, under_way }
    }
}
