//! Nobody shields anybody: what cannot be ended, or keeps changing, delays only itself.

use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, Patch, PatchParams};
use rollcall::api::revocation::{Operation, Phase, RevocationStatus, StepOutcome};
use serde_json::json;

use crate::support::decoys::{DECOYS, make_decoys};
use crate::support::installation::{Consent, Installation};
use crate::support::tokens::{mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

fn outcomes(status: &RevocationStatus, of_decoys: bool) -> Vec<StepOutcome> {
    let steps = status.steps.iter().filter(|step| step.target.name.starts_with("a-decoy") == of_decoys);
    steps.map(|step| step.outcome).collect()
}

#[tokio::test]
async fn decoys_that_cannot_be_deleted_keep_no_token_alive() {
    let rollcall = Installation::new("decoys", &[("apps", Consent::Canaries)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let apps = rollcall.target("apps");
    make_decoys(&rollcall, "7").await;
    rollcall.account_of("7", "apps", "z-real").await;
    rollcall.account_of("8", "apps", "eight").await;
    let token = mint_unbound(&rollcall.admin, &apps, "z-real").await;
    let colleague = mint_unbound(&rollcall.admin, &apps, "eight").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    assert!(still_works(&token, &apps, "z-real").await, "before");

    rollcall.learn(&staff.person("7").terminated().person("8").terminated()).await;

    eventually("what was done is written while the decoys are held", || async {
        let status = rollcall.revocations("7").await.pop()?.status?;
        let waiting = outcomes(&status, true).iter().all(|outcome| *outcome == StepOutcome::Begun);
        (waiting && outcomes(&status, false) == [StepOutcome::Done]).then_some(())
    })
    .await;
    refused("the real token", &token).await;
    rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    refused("the token of the other leaver", &colleague).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Failed).await.status.unwrap();
    assert_eq!(outcomes(&cut, true), [StepOutcome::Failed; DECOYS], "and it is said what held them");
    assert!(cut.steps.iter().any(|step| step.message.as_deref().unwrap_or_default().contains("example.com/never")));
}

#[tokio::test]
async fn an_account_that_never_stands_still_is_cut_all_the_same() {
    let rollcall = Installation::new("restless", &[("apps", Consent::Canaries)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let apps = rollcall.target("apps");
    rollcall.account_of("7", "apps", "restless").await;
    let token = mint_unbound(&rollcall.admin, &apps, "restless").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &apps);
    let touching = tokio::spawn(async move {
        for number in 0_u64.. {
            let touch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/touched": number.to_string()}}}));
            accounts.patch("restless", &PatchParams::default(), &touch).await.ok();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });

    rollcall.learn(&staff.person("7").terminated()).await;

    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await.status.unwrap();
    refused("the token", &token).await;
    touching.abort();
    assert_eq!(cut.steps.iter().map(|step| step.outcome).collect::<Vec<_>>(), [StepOutcome::Done]);
}
