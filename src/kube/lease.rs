//! Leader election through a Lease: of several replicas of a command, one acts.
//!
//! This is no fencing: for a moment two may believe that they lead, so every act is safe when two do. The clocks of
//! the replicas are never compared: a holder is gone when its record has not changed for as long as a lease lasts,
//! measured here by a clock that only goes forward. Instants written into the Lease are for readers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::kube::named::Api;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Client, Error};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::calls;
use super::outcome::Fault;

/// How long a record must stand unchanged before its holder counts as gone.
pub const DURATION: Duration = Duration::from_secs(15);
/// Time between two renewals.
pub const RENEW: Duration = Duration::from_secs(5);
/// A leader that has not renewed for this long leads no more. Less than [`DURATION`], so that it has stopped by then.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// Time between two looks at another's lease, and before a failed call is made again.
const RETRY: Duration = Duration::from_secs(2);
/// Longest time for one call.
const CALL: Duration = Duration::from_secs(3);
/// A task that has not said anything for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Said by the task that holds or seeks the lease each time it comes round, so that a stuck one is seen from outside.
#[derive(Debug)]
pub struct Heartbeat(Mutex<Instant>);

impl Default for Heartbeat {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Heartbeat {
    /// Says that a process without a lease lives.
    pub fn beat(&self) {
        self.now();
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    #[cfg(test)]
    pub(crate) fn silent_for(time: Duration) -> Self {
        Self(Mutex::new(Instant::now().checked_sub(time).unwrap()))
    }

    /// Whether the task has come round lately.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < STUCK
    }
}

/// One that wants to lead.
#[derive(Clone)]
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    clock: fn() -> Timestamp,
    heartbeat: Arc<Heartbeat>,
}

/// What a candidate does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// There is no lease: makes one.
    Create,
    /// Nobody holds it, this candidate does, or its holder is gone: writes itself in.
    Take,
    /// Somebody holds it: looks again after this long.
    Wait(Duration),
}

/// Decides a candidate's next move. `unchanged` is how long the record has been seen as it is.
fn decide(identity: &str, lease: Option<&LeaseSpec>, unchanged: Duration) -> Move {
    let Some(spec) = lease else { return Move::Create };
    match spec.holder_identity.as_deref() {
        None | Some("") => Move::Take,
        Some(holder) if holder == identity => Move::Take,
        Some(_) if unchanged >= DURATION => Move::Take,
        Some(_) => Move::Wait(RETRY.min(DURATION.saturating_sub(unchanged))),
    }
}

/// How an attempt to renew ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renewal {
    /// It is written.
    Renewed,
    /// The lease was changed meanwhile, and is still this leader's.
    Moved,
    /// Somebody else holds it, or it is gone.
    Taken,
    /// No answer, or an error.
    Failed,
}

/// What a leader does after an attempt to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Renews again after this long.
    RenewIn(Duration),
    /// Leads no more.
    Lost(&'static str),
}

/// Decides what follows an attempt to renew. `since` is the time since the last one that was written was sent.
fn after(answer: Renewal, since: Duration) -> Next {
    match answer {
        Renewal::Taken => Next::Lost("another replica holds the lease"),
        Renewal::Renewed => Next::RenewIn(RENEW),
        Renewal::Moved | Renewal::Failed if since >= DEADLINE => Next::Lost("the lease could not be renewed in time"),
        Renewal::Moved => Next::RenewIn(Duration::ZERO),
        Renewal::Failed => Next::RenewIn(RETRY.min(DEADLINE.saturating_sub(since))),
    }
}

/// Leadership, for as long as it lasts. Dropping it gives it up.
#[derive(Debug)]
pub struct Leading {
    task: JoinHandle<Option<Fault>>,
    give_up: CancellationToken,
}

impl Leading {
    /// Waits until leadership is lost, and says why. The listener ends the process.
    pub async fn lost(&mut self) -> Fault {
        let unexpected = || Fault::Transient { doing: "hold the lease", cause: "its task ended".to_owned() };
        (&mut self.task).await.ok().flatten().unwrap_or_else(unexpected)
    }

    /// Gives the lease up, so that another replica need not wait for it to lapse. Call it when all work has ended.
    pub async fn release(mut self) {
        self.give_up.cancel();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Leading {
    fn drop(&mut self) {
        self.give_up.cancel();
    }
}

impl Candidate {
    /// A candidate for the Lease `name`. `identity` must be no other process's, not even an earlier one's of the same
    /// pod; `clock` gives the instants that are written for readers; `heartbeat` is said on every round.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        name: String,
        identity: String,
        clock: fn() -> Timestamp,
        heartbeat: Arc<Heartbeat>,
    ) -> Self {
        Self { api: Api::namespaced(client, namespace), name, identity, clock, heartbeat }
    }

    /// Waits until this candidate leads; `None` when told to stop before.
    ///
    /// # Flow
    /// read the lease, decide, write with the resourceVersion read, again until it is ours; then a task of its own renews it
    /// # Guarantees
    /// a lease held by another is taken only after its record stood unchanged for [`DURATION`] as seen from here; a
    /// leader that could not renew for [`DEADLINE`] says so before anybody may take it
    /// # Assumptions
    /// this replica and the others use the same three times
    /// # Errors
    /// none: what fails is tried again, and logged
    pub async fn lead(self, stop: &CancellationToken) -> Option<Leading> {
        let mut seen: Option<(Option<LeaseSpec>, Instant)> = None;
        loop {
            self.heartbeat.now();
            let pause = tokio::select! {
                () = stop.cancelled() => return None,
                round = self.round(&mut seen) => match round {
                    Ok(Round::Ours(lease, sent)) => return Some(self.keep_up(*lease, sent)),
                    Ok(Round::Wait(pause)) => pause,
                    Err(fault) => {
                        tracing::warn!(lease = self.name, %fault, "the lease could not be read or written; trying again");
                        RETRY
                    }
                },
            };
            tokio::select! {
                () = stop.cancelled() => return None,
                () = sleep(pause) => {}
            }
        }
    }

    /// Looks once, and takes the lease if it is free.
    async fn round(&self, seen: &mut Option<(Option<LeaseSpec>, Instant)>) -> Result<Round, Fault> {
        let lease = in_time("read the lease", self.api.get_opt(&self.name)).await?;
        let spec = lease.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
        let since = match seen {
            Some((before, since)) if *before == spec => *since,
            _ => seen.insert((spec.clone(), Instant::now())).1,
        };
        let sent = Instant::now();
        let written = match decide(&self.identity, spec.as_ref(), since.elapsed()) {
            Move::Wait(pause) => return Ok(Round::Wait(pause)),
            Move::Create => {
                in_time("make the lease", self.api.create(&PostParams::default(), &self.written(None))).await?
            }
            Move::Take => {
                in_time(
                    "take the lease",
                    self.api.replace(&self.name, &PostParams::default(), &self.written(lease.as_ref())),
                )
                .await?
            }
        };
        Ok(Round::Ours(Box::new(written), sent))
    }

    /// The lease as this holder writes it, over the one that was read.
    fn written(&self, read: Option<&Lease>) -> Lease {
        let before = read.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let now = MicroTime((self.clock)());
        let ours = before.holder_identity.as_deref() == Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or(0);
        let name = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        Lease {
            metadata: read.map_or(name, |lease| lease.metadata.clone()),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
                acquire_time: before.acquire_time.filter(|_| ours).or(Some(now.clone())),
                renew_time: Some(now),
                lease_transitions: Some(if ours { transitions } else { transitions.saturating_add(1) }),
                ..before
            }),
        }
    }

    fn keep_up(self, lease: Lease, sent: Instant) -> Leading {
        let give_up = CancellationToken::new();
        let task = tokio::spawn(self.renew(lease, sent, give_up.clone()));
        Leading { task, give_up }
    }

    /// Renews until told to give up, or until it is lost.
    async fn renew(self, mut lease: Lease, mut renewed: Instant, give_up: CancellationToken) -> Option<Fault> {
        let mut pause = RENEW;
        loop {
            tokio::select! {
                () = give_up.cancelled() => {
                    self.give_up(lease).await;
                    return None;
                }
                () = sleep(pause) => {}
            }
            self.heartbeat.now();
            let sent = Instant::now();
            let answer = self.attempt(&mut lease, CALL.min(DEADLINE.saturating_sub(renewed.elapsed()))).await;
            if answer == Renewal::Renewed {
                renewed = sent;
            }
            match after(answer, renewed.elapsed()) {
                Next::RenewIn(next) => pause = next,
                Next::Lost(cause) => {
                    return Some(Fault::Transient { doing: "hold the lease", cause: cause.to_owned() });
                }
            }
        }
    }

    /// Tries once to renew; `lease` is then what stands there.
    async fn attempt(&self, lease: &mut Lease, within: Duration) -> Renewal {
        let ours = self.written(Some(lease));
        let params = PostParams::default();
        let replace = self.api.replace(&self.name, &params, &ours);
        match calls::call_within(within, "renew the lease", replace).await {
            Ok(written) => {
                *lease = written;
                Renewal::Renewed
            }
            Err(fault) if fault.is_conflict() || fault.is_not_found() => {
                match calls::call_within(within, "read the lease", self.api.get_opt(&self.name)).await {
                    Ok(Some(read)) if self.holds(&read) => {
                        *lease = read;
                        Renewal::Moved
                    }
                    Ok(_) => Renewal::Taken,
                    Err(_) => Renewal::Failed,
                }
            }
            Err(_) => Renewal::Failed,
        }
    }

    fn holds(&self, lease: &Lease) -> bool {
        lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some(&self.identity)
    }

    async fn give_up(&self, mut lease: Lease) {
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
        }
        if let Err(fault) =
            in_time("give up the lease", self.api.replace(&self.name, &PostParams::default(), &lease)).await
        {
            tracing::warn!(lease = self.name, %fault, "the lease could not be given up; it lapses by itself");
        }
    }
}

/// How one look at the lease ended.
enum Round {
    /// It is ours; the instant is from before the write was sent.
    Ours(Box<Lease>, Instant),
    /// It is another's.
    Wait(Duration),
}

async fn in_time<T>(doing: &'static str, call: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
    calls::call_within(CALL, doing, call).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: &str) -> Option<LeaseSpec> {
        Some(LeaseSpec { holder_identity: Some(holder.into()), ..LeaseSpec::default() })
    }

    #[test]
    fn a_lease_is_taken_only_from_nobody_oneself_or_somebody_long_silent() {
        let secs = Duration::from_secs;
        let cases = [
            ("there is none", None, secs(0), Move::Create),
            ("nobody ever held it", Some(LeaseSpec::default()), secs(0), Move::Take),
            ("it was given up", held_by(""), secs(0), Move::Take),
            ("it is ours already", held_by("a"), secs(0), Move::Take),
            ("another's, just seen", held_by("b"), secs(0), Move::Wait(secs(2))),
            ("another's, nearly lapsed", held_by("b"), secs(14), Move::Wait(secs(1))),
            ("another's, lapsed", held_by("b"), secs(15), Move::Take),
        ];
        for (situation, lease, unchanged, expected) in cases {
            assert_eq!(decide("a", lease.as_ref(), unchanged), expected, "{situation}");
        }
    }

    #[test]
    fn instants_written_by_another_clock_change_nothing() {
        let ancient = LeaseSpec { renew_time: Some(MicroTime(Timestamp::UNIX_EPOCH)), ..held_by("b").unwrap() };
        assert_eq!(decide("a", Some(&ancient), Duration::ZERO), Move::Wait(RETRY));
    }

    #[test]
    fn a_leader_stops_when_it_is_replaced_or_could_not_renew_in_time() {
        let secs = Duration::from_secs;
        let late = Next::Lost("the lease could not be renewed in time");
        let cases = [
            ("renewed", Renewal::Renewed, secs(0), Next::RenewIn(secs(5))),
            ("taken", Renewal::Taken, secs(0), Next::Lost("another replica holds the lease")),
            ("edited by somebody, still ours", Renewal::Moved, secs(6), Next::RenewIn(secs(0))),
            ("no answer", Renewal::Failed, secs(6), Next::RenewIn(secs(2))),
            ("no answer, and little time left", Renewal::Failed, secs(9), Next::RenewIn(secs(1))),
            ("no answer, and no time left", Renewal::Failed, secs(10), late),
            ("edited without end", Renewal::Moved, secs(10), late),
        ];
        for (situation, answer, since, expected) in cases {
            assert_eq!(after(answer, since), expected, "{situation}");
        }
    }

    #[test]
    fn a_leader_has_stopped_before_another_may_take_over() {
        assert!(DEADLINE + CALL < DURATION);
    }
}
