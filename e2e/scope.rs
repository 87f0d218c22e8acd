//! Leaving scope is never leaving: neither a filter, nor an edit of the policy, nor a move ends anybody's access.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use rollcall::api::person::{EmploymentState, State};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{SyncPolicy, names};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation, POLICY, a_day};
use crate::support::tokens::{Token, mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

#[tokio::test]
async fn who_moved_out_of_scope_keeps_their_token_whatever_hr_says_and_needs_approval_once_back() {
    let rollcall = Installation::new("moved", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"scope": {"include": {"departments": ["Sales"]}}})).await;
    let (seven, eight) = (token_of(&rollcall, "7").await, token_of(&rollcall, "8").await);
    let staff = rollcall.staff(1..11).everybody_in("Sales").person("99").department("Support");
    rollcall.learn(&staff).await;
    assert_eq!(rollcall.all_persons().await.len(), 10, "who is out of scope gets no Person");

    let moved = staff.person("7").department("Support");
    rollcall.learn(&moved).await;
    assert_eq!(employment(&rollcall, "7").await.state, State::OutOfScope);
    let left = moved.person("7").terminated().person("8").terminated();
    rollcall.learn(&left).await;
    rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    refused("the token of who left in scope", &eight).await;

    let shown = employment(&rollcall, "7").await;
    let why = "out of scope: the department is not among spec.scope.include.departments; the record says: terminated";
    assert_eq!((shown.state, shown.message.as_str()), (State::OutOfScope, why));
    assert!(rollcall.revocations("7").await.is_empty(), "nothing is planned");
    assert!(works(&rollcall, "7", &seven).await, "out of scope, the token works on");

    rollcall.learn(&left.person("7").department("Sales")).await;
    let cut = rollcall.waits_for("7", "Baseline").await;
    assert!(works(&rollcall, "7", &seven).await, "in scope again as a leaver, the token works until somebody approves");
    rollcall.approve(&cut);
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    refused("the token, once approved", &seven).await;
}

#[tokio::test]
async fn an_edit_that_puts_leavers_out_of_scope_stops_them_even_where_they_are_approved() {
    let rollcall = Installation::new("edited", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(0)}})).await;
    let (seven, eight) = (token_of(&rollcall, "7").await, token_of(&rollcall, "8").await);
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.clone().person("7").terminated()).await;
    let held = rollcall.waits_for("7", "OverLimit").await;

    edit(&rollcall, json!({"exclude": {"people": ["7", "8"]}})).await;
    rollcall.waits_for("7", "OutOfScope").await;
    rollcall.approve(&held);
    eventually("the approved Revocation is looked at, and stays shut", || async {
        let newest = rollcall.revocations("7").await.pop()?;
        let status = newest.status.as_ref()?;
        let looked = newest.spec.approval.is_some() && status.observed_generation == newest.metadata.generation;
        (looked && status.gate.as_ref()?.reason == "OutOfScope").then_some(())
    })
    .await;
    eventually("nobody is held behind one who is out of scope", || async {
        let ledger = rollcall.api::<ConfigMap>().get(names::LEDGER).await.unwrap().data.unwrap_or_default();
        (!ledger.values().any(|text| text.contains(&held.name_any()))).then_some(())
    })
    .await;
    rollcall.learn(&staff.clone().person("7").terminated().person("8").terminated()).await;
    for (id, token) in [("7", &seven), ("8", &eight)] {
        assert_eq!(employment(&rollcall, id).await.state, State::OutOfScope, "{id}");
        assert!(works(&rollcall, id, token).await, "{id}: the token works on");
    }
    assert!(rollcall.revocations("8").await.is_empty(), "nothing is planned for who left out of scope");
    let policies: Api<SyncPolicy> = rollcall.api();
    let scope = policies.get(POLICY).await.unwrap().status.unwrap().scope.unwrap();
    assert_eq!((scope.included, scope.excluded), (8, [("personExcluded".to_owned(), 2)].into()));

    edit(&rollcall, json!(null)).await;
    for (id, token) in [("7", &seven), ("8", &eight)] {
        rollcall.waits_for(id, "Baseline").await;
        assert!(works(&rollcall, id, token).await, "{id}: in scope again, the token works until somebody approves");
    }
    let first = rollcall.revocations("7").await.into_iter().find(|other| other.name_any() == held.name_any()).unwrap();
    assert_eq!(first.status.unwrap().phase, Some(Phase::Cancelled), "what was approved before is another story");
}

/// A token of a ServiceAccount of the person's own.
async fn token_of(rollcall: &Installation, id: &str) -> Token {
    rollcall.account_of(id, "apps", &account(id)).await;
    mint_unbound(&rollcall.admin, &rollcall.target("apps"), &account(id)).await
}

fn account(id: &str) -> String {
    format!("of-{id}")
}

async fn works(rollcall: &Installation, id: &str, token: &Token) -> bool {
    still_works(token, &rollcall.target("apps"), &account(id)).await
}

async fn employment(rollcall: &Installation, id: &str) -> EmploymentState {
    rollcall.person(id).await.unwrap().status.unwrap().employment.unwrap()
}

/// Changes the policy's scope, and waits until its baseline is taken anew.
async fn edit(rollcall: &Installation, scope: Value) {
    let policies: Api<SyncPolicy> = rollcall.api();
    let patch = json!({"spec": {"scope": scope}});
    let edited = policies.patch(POLICY, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    eventually("the policy's baseline is taken anew", || async {
        let policy = policies.get(POLICY).await.unwrap();
        (policy.metadata.generation == edited.metadata.generation && policy.settled()).then_some(())
    })
    .await;
}
