//! The gates, each shut by its own situation: what the Revocation says, that nothing is revoked while it does, and that
//! the token is refused once the situation is lifted.
//!
//! One of the sixteen is not here: `Uncounted` stands for as long as control takes to plan the rest of a run, and what
//! makes that long (a ledger that cannot be written) shuts `GlobalStop` first. The table of `crates/domain/src/gate.rs` has it.

use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{Revocation, SyncPolicy};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation, POLICY, a_day};
use crate::support::people::People;
use crate::support::process::Service;
use crate::support::tokens::{Token, mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

/// What shuts a gate for one leaver, and what opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Situation {
    HadLeftBefore,
    Stopped,
    OnHold,
    ProtectedByPolicy,
    RejectedByHuman,
    PolicyChanged,
    BackAtWork,
    PutOutOfScope,
    CannotBeTold,
    MovesAndLeaves,
    FoundLater,
    OnlyObserved,
}

use Situation::*;

/// In this order, each for a person of its own. The last makes a new baseline, which concerns everybody who is held then.
const SITUATIONS: [(&str, Situation, &str); 12] = [
    ("20", HadLeftBefore, "Baseline"),
    ("1", Stopped, "GlobalStop"),
    ("2", OnHold, "Hold"),
    ("3", ProtectedByPolicy, "Protected"),
    ("4", RejectedByHuman, "Rejected"),
    ("5", PolicyChanged, "Unsettled"),
    ("6", BackAtWork, "Withdrawn"),
    ("7", PutOutOfScope, "OutOfScope"),
    ("8", CannotBeTold, "Unknown"),
    ("9", MovesAndLeaves, "LeavesScope"),
    ("10", FoundLater, "Late"),
    ("11", OnlyObserved, "Observe"),
];

struct Story {
    rollcall: Installation,
    staff: People,
    sync: Option<Service>,
}

fn account(id: &str) -> String {
    format!("account-{id}")
}

impl Story {
    async fn learn(&mut self, change: impl FnOnce(People) -> People) {
        self.staff = change(self.staff.clone());
        self.rollcall.learn(&self.staff).await;
    }

    async fn leaves(&mut self, id: &str) {
        self.learn(|staff| staff.person(id).terminated()).await;
    }

    async fn held_leaver(&mut self, id: &str) -> Revocation {
        self.rollcall.hold(id);
        self.leaves(id).await;
        self.rollcall.waits_for(id, "Hold").await
    }

    async fn patch_policy(&self, spec: Value) {
        let policies: Api<SyncPolicy> = self.rollcall.api();
        policies.patch(POLICY, &PatchParams::default(), &Patch::Merge(&json!({"spec": spec}))).await.unwrap();
    }

    async fn token(&self, name: &str) -> Token {
        mint_unbound(&self.rollcall.admin, &self.rollcall.target("apps"), name).await
    }

    /// Brings a leaver into a situation.
    async fn shut(&mut self, situation: Situation, id: &str) {
        match situation {
            HadLeftBefore => {} // since the first response
            Stopped => {
                self.rollcall.stop("a fire drill");
                self.leaves(id).await;
            }
            OnHold => drop(self.held_leaver(id).await),
            ProtectedByPolicy => self.leaves(id).await, // the policy names them from the start
            RejectedByHuman => {
                let revocation = self.held_leaver(id).await.name_any();
                self.rollcall.succeeds(&["reject", &revocation, "--reason", "wrong file", "--yes"]);
                self.rollcall.lift_hold(id);
            }
            PolicyChanged => {
                self.held_leaver(id).await;
                self.sync = None;
                self.patch_policy(json!({"limits": {"objects": a_day(150)}})).await;
                self.rollcall.lift_hold(id);
            }
            BackAtWork => {
                self.held_leaver(id).await;
                self.learn(|staff| staff.person(id).active()).await;
            }
            PutOutOfScope => {
                self.held_leaver(id).await;
                self.patch_policy(json!({"scope": {"exclude": {"people": [id]}}})).await;
            }
            CannotBeTold => {
                self.held_leaver(id).await;
                self.learn(|staff| staff.person(id).status("on secondment")).await;
            }
            MovesAndLeaves => self.learn(|staff| staff.person(id).terminated().department("Sales")).await,
            FoundLater => {
                self.leaves(id).await;
                self.rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
                self.rollcall.account_of(id, "apps", &format!("{}-late", account(id))).await;
            }
            OnlyObserved => {
                self.patch_policy(json!({"mode": "Observe"})).await;
                self.leaves(id).await;
            }
        }
    }

    /// Lifts it, and approves where that is what it waits for then.
    async fn open(&mut self, situation: Situation, id: &str) {
        match situation {
            HadLeftBefore | MovesAndLeaves | FoundLater => {}
            Stopped => self.rollcall.go_on(),
            OnHold => self.rollcall.lift_hold(id),
            ProtectedByPolicy => self.patch_policy(json!({"protected": {"people": []}})).await,
            RejectedByHuman => {
                let rejected = self.rollcall.waits_for(id, "Rejected").await.name_any();
                self.rollcall.succeeds(&["reject", "--undo", &rejected, "--yes"]);
            }
            PolicyChanged => self.sync = Some(self.rollcall.sync().await),
            BackAtWork | CannotBeTold => {
                self.rollcall.lift_hold(id);
                self.leaves(id).await;
            }
            PutOutOfScope => {
                self.rollcall.lift_hold(id);
                self.patch_policy(json!({"scope": {"exclude": {"people": null}}})).await;
            }
            OnlyObserved => self.patch_policy(json!({"mode": "Enforce"})).await,
        }
        let approved = match situation {
            HadLeftBefore | PutOutOfScope | OnlyObserved => "Baseline",
            MovesAndLeaves => "LeavesScope",
            FoundLater => "Late",
            _ => return,
        };
        let revocation = self.rollcall.waits_for(id, approved).await;
        self.rollcall.approve(&revocation);
    }

    /// Waits until the newest Revocation says this gate. One that is withdrawn is cancelled with the same look.
    async fn says(&self, id: &str, gate: &str) {
        if gate == "Withdrawn" {
            self.rollcall.reaches(id, Operation::Cut, Phase::Cancelled).await;
        } else {
            self.rollcall.waits_for(id, gate).await;
        }
    }
}

#[tokio::test]
async fn each_gate_keeps_the_token_working_while_it_is_shut_and_the_token_is_refused_once_it_opens() {
    let rollcall = Installation::new("gates", &[("apps", Consent::Accounts)]).await;
    let (_control, _revoker) = (rollcall.control().await, rollcall.revoker());
    let sync = Some(rollcall.sync().await);
    let staff = rollcall.staff(1..31).everybody_in("Research").person("20").terminated();
    rollcall.connect(json!({})).await;
    rollcall
        .policy(json!({
            "protected": {"people": ["3"]},
            "scope": {"exclude": {"departments": ["Sales"]}},
            "limits": {"people": a_day(20)}, // how many leave at once is another story
        }))
        .await;
    for (id, ..) in SITUATIONS {
        rollcall.account_of(id, "apps", &account(id)).await;
    }
    rollcall.learn(&staff).await;
    let mut story = Story { rollcall, staff, sync };

    for (id, situation, gate) in SITUATIONS {
        println!("{situation:?}");
        let name = if situation == FoundLater { format!("{}-late", account(id)) } else { account(id) };
        story.shut(situation, id).await;
        story.says(id, gate).await;
        let token = story.token(&name).await; // of the account as it stands while the gate is shut
        let person = story.rollcall.person(id).await.unwrap();
        let shown = person.status.unwrap_or_default().conditions;
        let done = situation == FoundLater; // what was found first is revoked, and the rest is waited for
        assert!(done || !shown.iter().any(|c| c.is(ConditionType::Revoked, Status::True)), "{situation:?}: {shown:?}");
        let apps = story.rollcall.target("apps");
        assert!(still_works(&token, &apps, &name).await, "{situation:?}: nothing is revoked");
        story.open(situation, id).await;
        let goes = format!("the account of {id} is made again once the gate is open ({situation:?})");
        eventually(&goes, || async { (!still_works(&token, &apps, &name).await).then_some(()) }).await;
    }
    story.rollcall.evidence_verifies();
}

#[tokio::test]
async fn more_leavers_than_the_limit_keep_their_tokens_until_their_batch_is_approved() {
    let rollcall = Installation::new("limit", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(1)}})).await;
    let mut tokens = Vec::new();
    for id in ["5", "6"] {
        rollcall.account_of(id, "apps", &account(id)).await;
        tokens.push((id, mint_unbound(&rollcall.admin, &rollcall.target("apps"), &account(id)).await));
    }
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.person("5").terminated().person("6").terminated()).await;
    let mut batch = None;
    for (id, token) in &tokens {
        batch = rollcall.waits_for(id, "OverLimit").await.status.unwrap().gate.unwrap().batch;
        assert!(still_works(token, &rollcall.target("apps"), &account(id)).await, "{id}: nothing is revoked");
    }
    rollcall.approve_batch(&batch.unwrap());
    for (id, token) in &tokens {
        rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
        refused(&format!("the token of {id}"), token).await;
    }
}

#[tokio::test]
async fn a_removal_waits_for_its_day_and_then_for_a_trusted_response() {
    let rollcall = Installation::new("removal", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"lifecycle": {"termination": {"removeAfter": "20s"}}})).await;
    rollcall.account_of("7", "apps", &account("7")).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let left = staff.person("7").terminated();
    rollcall.learn(&left).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    rollcall.waits_for("7", "NotDue").await;
    let apps = rollcall.target("apps");
    let token = mint_unbound(&rollcall.admin, &apps, &account("7")).await; // of the account that was made again
    rollcall.file("employeeId\n").await;
    let held = rollcall.poll().await;
    assert_ne!(held.status.unwrap().last_attempt.unwrap().outcome, "Trusted");

    rollcall.waits_for("7", "Untrusted").await;
    assert!(still_works(&token, &apps, &account("7")).await, "due, and nothing is removed");
    rollcall.learn(&left).await;
    rollcall.reaches("7", Operation::Remove, Phase::Revoked).await;
    refused("the token of the account that was removed", &token).await;
    assert!(rollcall.get_account("apps", &account("7")).await.is_none());
}
