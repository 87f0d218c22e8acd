//! Two processes of `rollcall sync` lead at once, and one of them knows only an older response: it takes nothing back.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, Patch, PatchParams};
use rollcall::api::SyncPolicy;
use rollcall::api::person::State;
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::proxy::{Fault, Proxy};
use crate::support::waiting::eventually;

#[tokio::test]
async fn who_is_back_by_a_newer_response_is_not_terminated_again_by_a_process_that_still_leads_with_an_older_one() {
    let rollcall = Installation::new("leaders", &[("apps", Consent::Accounts)]).await;
    let proxy = Arc::new(Proxy::open().await);
    let _behind = rollcall.sync_through(&proxy).await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff.clone().person("7").terminated()).await;
    let leases: Api<Lease> = rollcall.api();
    let holder = async || {
        let lease = leases.get(&format!("{}-sync", rollcall.release)).await.unwrap();
        lease.spec.and_then(|spec| spec.holder_identity)
    };
    let first = holder().await;
    // Nobody hears of its Lease, so that another one leads too; and it reads no newer response.
    let behind = Fault::LeaseUnheardAndReadsHeld("/configmaps/people");
    proxy.fails_by(behind);
    let _newer = rollcall.sync().await;
    eventually("another one leads too", || async { (holder().await != first).then_some(()) }).await;

    rollcall.learn(&staff.person("7").active()).await;
    rollcall.becomes("7", State::Active, "Active").await;

    let mut writes = proxy.writes();
    let policies: Api<SyncPolicy> = rollcall.api();
    for pass in 0..3 {
        // Each pass begins with a list of the policies, and no pass begins before the last one has ended.
        proxy.fails_by(behind);
        let touched = Patch::Merge(json!({"metadata": {"annotations": {"example.com/touched": pass.to_string()}}}));
        policies.patch("everyone", &PatchParams::default(), &touched).await.unwrap();
        eventually("the first one looks at what the newer response changed", || async {
            let looks = |call: &String| call.starts_with("GET ") && call.ends_with("/syncpolicies");
            proxy.calls().iter().any(looks).then_some(())
        })
        .await;
        writes.extend(proxy.writes());
    }
    writes.retain(|call| call.contains("/people/"));
    assert!(writes.is_empty(), "{writes:?}");
    rollcall.becomes("7", State::Active, "Active").await;
}
