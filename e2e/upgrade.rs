//! From the version before to this one and back by Helm, in the middle of revocations: what one version began the other ends,
//! what waits goes on waiting, and nobody else is harmed (docs/upgrading.md).

use std::sync::Arc;

use kube::ResourceExt;
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase, StepOutcome};
use serde_json::json;

use crate::freeze::{all_powerful, attempts, refused};
use crate::support::installation::{Consent, Installation, a_day};
use crate::support::kubelet::Kubelet;
use crate::support::people::People;
use crate::support::process::Service;
use crate::support::proxy::{Fault, Proxy};
use crate::support::tokens::{Token, mint_unbound, still_works};
use crate::support::versions;
use crate::support::waiting::eventually;

/// On leave all the time.
const AWAY: &str = "29";
/// Works here all the time, and owns an account.
const COLLEAGUE: &str = "30";

/// Who leaves before a crossing, and how far it is with each when the version changes.
struct Leavers {
    /// Ended.
    ended: &'static str,
    /// The revoker has died between two acts: the account is deleted, and not made again.
    midway: &'static str,
    /// How the path of that account ends.
    midway_account: &'static str,
    /// Approved; no Job has taken it.
    approved: &'static str,
    /// Waits for an approval.
    held: &'static str,
}

/// One person's account as it was before they left.
struct Before {
    id: &'static str,
    uid: Option<String>,
    token: Token,
}

struct World {
    rollcall: Installation,
    proxy: Arc<Proxy>,
    staff: People,
    processes: Option<(Service, Service)>,
    node: Option<Kubelet>,
}

impl World {
    async fn begin() -> Self {
        versions::install("before");
        let rollcall = Installation::new("upgrade", &[("apps", Consent::Canaries)]).await;
        rollcall.upgrade_to("before").await;
        let proxy = Arc::new(Proxy::open().await);
        let staff = rollcall.staff(1..31);
        let mut world = Self { rollcall, proxy, staff, processes: None, node: None };
        world.start().await;
        world.node_runs();
        world.rollcall.connect(json!({})).await;
        let policy = json!({"lifecycle": {"leave": "Freeze"}, "limits": {"people": a_day(0)}});
        world.rollcall.policy(policy).await;
        world.rollcall.learn(&world.staff).await;
        world.rollcall.revoker_is_ready().await;
        world
    }

    async fn start(&mut self) {
        self.processes = Some((self.rollcall.sync().await, self.rollcall.control().await));
    }

    fn node_runs(&mut self) {
        self.node = Some(self.rollcall.revoker_through(&self.proxy));
    }

    /// Gives somebody an account and a binding, and has a token of the account.
    async fn owns(&self, id: &'static str) -> Before {
        let (name, apps) = (account(id), self.rollcall.target("apps"));
        let made = self.rollcall.account_of(id, "apps", &name).await;
        self.rollcall.bind_users("apps", &format!("binding-{id}"), &[self.rollcall.user(id)]).await;
        Before { id, uid: made.uid(), token: mint_unbound(&self.rollcall.admin, &apps, &name).await }
    }

    /// Somebody leaves, and waits for an approval.
    async fn leaves(&mut self, id: &'static str) -> Before {
        let before = self.owns(id).await;
        self.staff = self.staff.clone().person(id).terminated();
        self.rollcall.learn(&self.staff).await;
        self.rollcall.waits_for(id, "OverLimit").await;
        before
    }

    async fn approved(&self, id: &str) {
        self.rollcall.approve(&self.rollcall.waits_for(id, "OverLimit").await);
    }

    async fn uid(&self, id: &str) -> Option<String> {
        self.rollcall.get_account("apps", &account(id)).await?.uid()
    }

    async fn refused(&self, before: &Before) {
        let cut = self.rollcall.reaches(before.id, Operation::Cut, Phase::Revoked).await.status.unwrap();
        assert_eq!(cut.steps.len(), 2, "of {}: {:?}", before.id, cut.steps);
        let done = |outcome: &StepOutcome| matches!(outcome, StepOutcome::Done | StepOutcome::AlreadyGone);
        assert!(cut.steps.iter().all(|step| done(&step.outcome)), "of {}: {:?}", before.id, cut.steps);
        assert!(cut.verified.is_some() && cut.confirmed.is_some(), "of {}", before.id);
        let uid = self.uid(before.id).await;
        assert!(uid.is_some() && uid != before.uid, "the account of {} was made again", before.id);
        assert!(!self.works(before).await, "the token of {} is refused", before.id);
    }

    async fn works(&self, before: &Before) -> bool {
        still_works(&before.token, &self.rollcall.target("apps"), &account(before.id)).await
    }

    /// What somebody who is on leave would change is refused.
    async fn is_frozen(&self, id: &str) -> bool {
        let client = all_powerful(&self.rollcall, &self.rollcall.user(id)).await;
        refused(&attempts(&client, &self.rollcall.target("apps")).await[0].1)
    }

    /// Changes the version while people leave, and sees each of them to the end.
    async fn crosses(&mut self, of: Leavers, change: impl AsyncFnOnce(&Installation)) {
        self.proxy.fails_by(Fault::None);
        let ended = self.leaves(of.ended).await;
        self.approved(of.ended).await;
        self.refused(&ended).await;
        let uid_of_ended = self.uid(of.ended).await;

        let midway = self.leaves(of.midway).await;
        self.proxy.fails_by(Fault::KillAfterDelete(of.midway_account));
        self.approved(of.midway).await;
        eventually("the revoker dies between two acts", || async { self.uid(of.midway).await.is_none().then_some(()) })
            .await;
        self.node = None;
        assert_eq!(self.uid(of.midway).await, None, "no other Job has ended it meanwhile");
        let approved = self.leaves(of.approved).await;
        self.approved(of.approved).await;
        self.rollcall.reaches(of.approved, Operation::Cut, Phase::Released).await;
        let held = self.leaves(of.held).await;

        self.processes = None;
        change(&self.rollcall).await;
        assert!(self.is_frozen(AWAY).await, "while nothing of Rollcall runs");
        self.start().await;
        self.node_runs();

        self.refused(&midway).await;
        self.refused(&approved).await;
        self.rollcall.waits_for(of.held, "OverLimit").await;
        assert_eq!(self.uid(of.held).await, held.uid, "who waited for an approval waits still");
        assert!(self.works(&held).await, "and is not cut");
        self.rollcall.learn(&self.staff).await; // read by the other version
        assert_eq!(self.uid(of.ended).await, uid_of_ended, "what had ended is not done again");
        self.approved(of.held).await;
        self.refused(&held).await;
        assert!(self.is_frozen(AWAY).await, "who is on leave is frozen by the other version too");
        self.rollcall.evidence_verifies();
    }

    /// Nobody who works here lost anything, or is to.
    async fn nobody_else_was_harmed(&self, colleague: &Before, left: &[&str]) {
        assert!(self.works(colleague).await, "the token of a colleague works");
        assert_eq!(self.uid(colleague.id).await, colleague.uid);
        for person in self.rollcall.all_persons().await {
            let id = person.spec.records[0].id.clone();
            let state = person.status.and_then(|status| status.employment).map(|employment| employment.state);
            let expected = match id.as_str() {
                AWAY => State::Leave,
                other if left.contains(&other) => State::Terminated,
                _ => State::Active,
            };
            assert_eq!(state, Some(expected), "{id}");
            let of_theirs = self.rollcall.revocations(&id).await;
            let operations: Vec<Operation> = of_theirs.iter().map(|revocation| revocation.spec.operation).collect();
            let expected: &[Operation] = match id.as_str() {
                AWAY => &[Operation::Freeze],
                other if left.contains(&other) => &[Operation::Cut, Operation::Remove],
                _ => &[],
            };
            assert_eq!(operations, expected, "of {id}");
        }
    }
}

fn account(id: &str) -> String {
    format!("account-{id}")
}

#[tokio::test]
#[ignore = "needs a second version: make test-upgrade FROM=REF"]
async fn what_one_version_began_the_other_ends_and_back_again() {
    let mut world = World::begin().await;
    let colleague = world.owns(COLLEAGUE).await;
    world.staff = world.staff.clone().person(AWAY).status("leave");
    world.rollcall.learn(&world.staff).await;
    world.approved(AWAY).await;
    world.rollcall.reaches(AWAY, Operation::Freeze, Phase::Frozen).await;
    eventually("the API server has the list", || async { world.is_frozen(AWAY).await.then_some(()) }).await;

    let there = Leavers { ended: "1", midway: "2", midway_account: "/account-2", approved: "3", held: "4" };
    world.crosses(there, async |rollcall: &Installation| rollcall.upgrade_to("after").await).await;
    world.nobody_else_was_harmed(&colleague, &["1", "2", "3", "4"]).await;

    let back = Leavers { ended: "5", midway: "6", midway_account: "/account-6", approved: "7", held: "8" };
    world.crosses(back, async |rollcall: &Installation| rollcall.roll_back_to("1", "before").await).await;
    world.nobody_else_was_harmed(&colleague, &["1", "2", "3", "4", "5", "6", "7", "8"]).await;

    world.staff = world.staff.clone().person(AWAY).active();
    world.rollcall.learn(&world.staff).await;
    world.rollcall.reaches(AWAY, Operation::Freeze, Phase::Lifted).await;
    eventually("who is back may work again", || async { (!world.is_frozen(AWAY).await).then_some(()) }).await;
}
