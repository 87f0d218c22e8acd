//! Nothing changed, so nothing is written.

use jiff::Timestamp;
use kube::api::{Api, ListParams};
use rollcall::api::Person;
use serde_json::json;

use crate::support::installation::Installation;
use crate::support::measures::{calls_of, writes_of};

#[tokio::test]
async fn a_second_sync_of_a_thousand_people_writes_no_person() {
    let mut rollcall = Installation::new("idle", &[]).await;
    let (_sync, _control) = (rollcall.sync().await, rollcall.control().await);
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"mode": "Observe"})).await;
    let staff = rollcall.staff(1..1001);
    rollcall.learn(&staff).await;
    let persons: Api<Person> = rollcall.api();
    assert_eq!(persons.list_metadata(&ListParams::default()).await.unwrap().items.len(), 1000);

    let alone = rollcall.alone().await; // the API server's metrics do not say whose writes they count
    let (begun, before) = (Timestamp::now(), writes_of(&rollcall.admin, "people").await);
    rollcall.learn(&staff).await;
    rollcall.learn(&staff).await;
    let after = writes_of(&rollcall.admin, "people").await;
    drop(alone);

    assert_eq!(after - before, 0, "by the API server's metrics");
    let calls = calls_of(&rollcall.identity("sync"), begun).await;
    let writes_in = |calls: &[crate::support::measures::Call], of: &str| {
        let writing = |call: &&crate::support::measures::Call| !["get", "list", "watch"].contains(&call.verb.as_str());
        calls.iter().filter(writing).filter(|call| call.uri.contains(of)).count()
    };
    assert_eq!(writes_in(&calls, "/people"), 0, "by its audit log");
    assert!(writes_in(&calls, "/hrconnections/") >= 2, "the heartbeat shows that the count works");
    let control = calls_of(&rollcall.identity("control"), begun).await;
    for what in ["/people", "/revocations", "/configmaps", "/events", "/jobs"] {
        assert_eq!(writes_in(&control, what), 0, "control writes no {what} either");
    }
}
