//! The revoker dies after each of its calls, control and sync after each of their writes: the next one finishes the work,
//! and nothing is done twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use rollcall::api::revocation::{Operation, Phase, StepOutcome};
use serde_json::json;

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::measures::calls_of;
use crate::support::people::People;
use crate::support::proxy::{Fault, Proxy};
use crate::support::waiting::eventually;

/// Installations side by side, each with its share of the crashes.
const LANES: usize = 6;

/// One installation whose revoker reaches the API server through a proxy, and its leavers, one after the other.
struct Lane {
    rollcall: Installation,
    proxy: Arc<Proxy>,
    staff: People,
    begun: Timestamp,
    gone: u32,
}

impl Lane {
    async fn open() -> (Self, impl Drop) {
        let rollcall = Installation::new("crash", &[("apps", Consent::Canaries)]).await;
        let proxy = Arc::new(Proxy::open().await);
        let running = Alive(rollcall.sync().await, rollcall.control().await, rollcall.revoker_through(&proxy));
        rollcall.connect(json!({})).await;
        let limits = json!({"people": a_day(1000), "objects": a_day(10_000)});
        rollcall.policy(json!({"limits": limits})).await;
        let staff = rollcall.staff(1..31);
        rollcall.learn(&staff).await;
        rollcall.revoker_is_ready().await; // its empty Job makes calls too
        (Self { rollcall, proxy, staff, begun: Timestamp::now(), gone: 0 }, running)
    }

    /// Lets the next person leave, with this going wrong, and sees the same end as ever.
    async fn one_leaves(&mut self, fault: Fault) -> Vec<String> {
        self.gone += 1;
        let id = self.gone.to_string();
        let name = format!("account-{id}");
        let before = self.rollcall.account_of(&id, "apps", &name).await;
        self.rollcall.bind_users("apps", &format!("binding-{id}"), &[self.rollcall.user(&id)]).await;
        self.proxy.fails_by(fault);

        self.staff = self.staff.clone().person(&id).terminated();
        self.rollcall.learn(&self.staff).await;
        let cut = self.rollcall.reaches(&id, Operation::Cut, Phase::Revoked).await;

        let status = cut.status.unwrap();
        assert_eq!(status.steps.len(), 2, "{fault:?}: {:?}", status.steps);
        for step in &status.steps {
            assert!(matches!(step.outcome, StepOutcome::Done | StepOutcome::AlreadyGone), "{fault:?}: {step:?}");
        }
        assert!(status.verified.is_some() && status.confirmed.is_some(), "{fault:?}");
        let account = self.rollcall.get_account("apps", &name).await.expect("the account was made again");
        assert_ne!(account.uid(), before.uid(), "{fault:?}");
        self.proxy.calls()
    }

    /// What the API server was asked to do, and did, for all leavers of this lane.
    async fn nothing_was_done_twice(&self) {
        let calls = calls_of(&self.rollcall.identity("revoke"), self.begun).await;
        let apps = self.rollcall.target("apps");
        let done = |verb: &str, what: &str| {
            let path = format!("/namespaces/{apps}/{what}");
            let acts = calls.iter().filter(|call| call.verb == verb && call.code < 300 && call.uri.contains(&path));
            acts.filter(|call| !call.uri.contains("/token")).count()
        };
        let gone = usize::try_from(self.gone).unwrap();
        assert_eq!(done("delete", "serviceaccounts"), gone, "accounts deleted");
        assert_eq!(done("create", "serviceaccounts"), gone, "accounts made again");
        assert_eq!(done("delete", "rolebindings"), gone, "bindings deleted");
        self.rollcall.evidence_verifies();
    }
}

/// Processes that end with this value.
struct Alive<A, B, C>(A, B, C);

impl<A, B, C> Drop for Alive<A, B, C> {
    fn drop(&mut self) {}
}

#[tokio::test]
async fn the_revoker_may_die_after_any_of_its_calls() {
    let (mut first, _alive) = Lane::open().await;
    first.one_leaves(Fault::None).await;
    // it looks once more for new work after the last end was seen: both have it once the process has ended
    let clean = eventually("the proxy and the audit log counted the same calls", || async {
        let audited = calls_of(&first.rollcall.identity("revoke"), first.begun).await;
        let clean = first.proxy.calls();
        (clean.len() == audited.len()).then_some(clean)
    })
    .await;
    first.nothing_was_done_twice().await;

    // While it waits out the cache it looks for new work again and again: dying after one look is dying after any.
    let mut seen = BTreeSet::new();
    let looking = |call: &str| call.starts_with("GET") && call.ends_with("/revocations");
    let crashes: Vec<usize> = (1..=clean.len())
        .filter(|number| {
            let call = &clean[number - 1];
            let before = clean.get(number.wrapping_sub(2)).cloned().unwrap_or_default();
            !looking(call) || seen.insert((before, call.clone()))
        })
        .collect();
    assert!(crashes.len() > 10, "a revocation is more than a few calls: {clean:?}");

    let lanes = (0..LANES).map(async |lane| {
        let (mut here, _alive) = Lane::open().await;
        for number in crashes.iter().skip(lane).step_by(LANES) {
            here.one_leaves(Fault::KillAfter(*number)).await;
        }
        here.nothing_was_done_twice().await;
    });
    futures::future::join_all(lanes).await;
}

/// The identities that lead and are started again.
#[derive(Clone, Copy, Debug)]
enum Leader {
    Sync,
    Control,
}

/// One installation whose leader reaches the API server through a proxy, and its leavers, one after the other.
struct Deaths {
    rollcall: Installation,
    proxy: Arc<Proxy>,
    staff: People,
    gone: u32,
}

impl Deaths {
    async fn open(leader: Leader) -> (Self, impl Drop) {
        let rollcall = Installation::new("deaths", &[("apps", Consent::Accounts)]).await;
        let proxy = Arc::new(Proxy::open().await);
        let (sync, control) = match leader {
            Leader::Sync => (rollcall.sync_through(&proxy).await, rollcall.control().await),
            Leader::Control => (rollcall.sync().await, rollcall.control_through(&proxy).await),
        };
        let running = Alive(sync, control, rollcall.revoker());
        rollcall.connect(json!({})).await;
        let limits = json!({"people": a_day(1000), "objects": a_day(10_000)});
        rollcall.policy(json!({"limits": limits})).await;
        let staff = rollcall.staff(1..31);
        rollcall.learn(&staff).await;
        (Self { rollcall, proxy, staff, gone: 0 }, running)
    }

    /// Lets the next person leave, with this going wrong, and sees the same end as ever.
    async fn one_leaves(&mut self, fault: Fault) {
        self.gone += 1;
        let id = self.gone.to_string();
        let name = format!("account-{id}");
        let before = self.rollcall.account_of(&id, "apps", &name).await;
        self.proxy.fails_by(fault);
        self.staff = self.staff.clone().person(&id).terminated();
        self.rollcall.learn(&self.staff).await;

        let cut = self.rollcall.reaches(&id, Operation::Cut, Phase::Revoked).await;

        assert!(cut.status.unwrap().evidence.is_some(), "{fault:?}");
        let account = self.rollcall.get_account("apps", &name).await.expect("it was made again");
        assert_ne!(account.uid(), before.uid(), "{fault:?}");
        let cuts = self.rollcall.revocations(&id).await.iter().filter(|r| r.spec.operation == Operation::Cut).count();
        assert_eq!(cuts, 1, "{fault:?}: one cut and no late find");
    }

    async fn all_is_whole(&self) {
        assert_eq!(self.rollcall.all_persons().await.len(), 30, "nobody twice");
        self.rollcall.evidence_verifies();
    }
}

/// Installations side by side, each with its share of a leader's deaths.
const DEATH_LANES: usize = 4;

/// Lets people leave while the leader dies after each of its writes, and sees the same end as ever.
async fn may_die_after_any_of_its_writes(leader: Leader) {
    let (mut first, alive) = Deaths::open(leader).await;
    first.one_leaves(Fault::None).await;
    let writes = first.proxy.writes();
    assert!((3..50).contains(&writes.len()), "{writes:?}");
    first.all_is_whole().await;
    drop((first, alive));
    let lanes = (1..=DEATH_LANES).map(async |lane| {
        let (mut here, _alive) = Deaths::open(leader).await;
        for number in (lane..=writes.len()).step_by(DEATH_LANES) {
            here.one_leaves(Fault::KillAfterWrite(number)).await;
        }
        here.all_is_whole().await;
    });
    futures::future::join_all(lanes).await;
}

#[tokio::test]
async fn control_may_die_after_any_of_its_writes() {
    may_die_after_any_of_its_writes(Leader::Control).await;
}

#[tokio::test]
async fn sync_may_die_after_any_of_its_writes() {
    may_die_after_any_of_its_writes(Leader::Sync).await;
}
