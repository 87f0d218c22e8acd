//! Many leave at once: one count holds them all, and one approval lets through exactly them.

use std::collections::BTreeSet;

use kube::ResourceExt;
use rollcall::api::Revocation;
use rollcall::api::condition::Reason;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::waiting::eventually;

#[tokio::test]
async fn six_of_ten_at_once_are_held_together_and_released_together_and_the_seventh_waits() {
    let rollcall = Installation::new("batch", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let everybody: Vec<String> = (1..11).map(|id| id.to_string()).collect();
    for id in &everybody {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
    }
    let before = uids(&rollcall, &everybody).await;
    let mut staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    for id in &everybody[..6] {
        staff = staff.person(id).terminated();
    }
    rollcall.learn(&staff).await;
    let first = held(&rollcall, &everybody[..6]).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    let second = held(&rollcall, &everybody[6..7]).await;

    assert_eq!(first.len(), 1, "one count, one batch: {first:?}");
    assert!(first.is_disjoint(&second), "the seventh is the next batch");
    assert_eq!(uids(&rollcall, &everybody).await, before, "nothing was touched");

    rollcall.approve_batch(first.first().unwrap());

    for id in &everybody[..6] {
        rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
    }
    let after = uids(&rollcall, &everybody).await;
    let touched: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before != after).collect();
    assert_eq!(touched, [[true; 6].as_slice(), &[false; 4]].concat(), "exactly the six");
    assert_eq!(held(&rollcall, &everybody[6..7]).await, second);
}

/// Waits until each of these people has a cut that the limits hold, and gives the batches.
async fn held(rollcall: &Installation, ids: &[String]) -> BTreeSet<String> {
    let mut batches = BTreeSet::new();
    for id in ids {
        let batch = eventually(&format!("the cut of {id} is held over the limit"), || async {
            let cuts: Vec<Revocation> =
                rollcall.revocations(id).await.into_iter().filter(|r| r.spec.operation == Operation::Cut).collect();
            let status = cuts.last()?.status.as_ref()?;
            let gate = status.gate.as_ref().filter(|gate| gate.reason == Reason::OverLimit.as_str())?;
            (status.phase == Some(Phase::Held)).then(|| gate.batch.clone())?
        })
        .await;
        batches.insert(batch);
    }
    batches
}

async fn uids(rollcall: &Installation, ids: &[String]) -> Vec<Option<String>> {
    let mut uids = Vec::new();
    for id in ids {
        uids.push(rollcall.get_account("apps", &format!("account-{id}")).await.and_then(|account| account.uid()));
    }
    uids
}
