//! Nothing changed, so nothing is written.

use std::cell::RefCell;

use jiff::Timestamp;
use kube::api::{Api, ListParams};
use rollcall::api::Person;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::measures::{Call, calls_of, writes_of};
use crate::support::waiting::eventually;

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
    let writes_in = |calls: &[Call], of: &str| {
        let writing = |call: &&Call| !["get", "list", "watch"].contains(&call.verb.as_str());
        calls.iter().filter(writing).filter(|call| call.uri.contains(of)).count()
    };
    assert_eq!(writes_in(&calls, "/people"), 0, "by its audit log");
    assert!(writes_in(&calls, "/hrconnections/") >= 2, "the heartbeat shows that the count works");
    let control = calls_of(&rollcall.identity("control"), begun).await;
    for what in ["/people", "/revocations", "/configmaps", "/events", "/jobs"] {
        assert_eq!(writes_in(&control, what), 0, "control writes no {what} either");
    }
}

/// Renewals of its lease, of which control makes one every five seconds: the clock by which it is seen to rest.
const RENEWALS: usize = 4;

#[tokio::test]
async fn control_that_has_nothing_to_do_asks_nothing() {
    let mut rollcall = Installation::new("rest", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(1)}})).await;
    for id in ["7", "8", "9"] {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
    }
    let staff = rollcall.staff(1..31);
    rollcall.learn(&staff).await;
    let one = staff.person("7").terminated();
    rollcall.learn(&one).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    rollcall.learn(&one.person("8").terminated().person("9").terminated()).await;
    rollcall.waits_for("8", "OverLimit").await;
    rollcall.waits_for("9", "OverLimit").await;
    rollcall.revoker_is_ready().await;
    let _alone = rollcall.alone().await; // control keeps who owns what in every namespace, those of other stories too
    let (begun, seen) = (Timestamp::now(), RefCell::new(None));

    eventually("control renews its lease again and again, and calls for nothing else", || async {
        let calls = calls_of(&rollcall.identity("control"), begun).await;
        let kinds: Vec<String> = calls.iter().map(Call::kind).collect();
        let since = kinds.iter().rposition(|kind| kind != "update leases" && !kind.starts_with("watch "));
        let last = since.map(|last| (last, calls[last].uri.clone()));
        if seen.replace(last.clone()) != last {
            println!("{} calls, the last that is no renewal: {last:?}", calls.len()); // shown where the story fails
        }
        let rest = kinds.iter().skip(since.map_or(0, |last| last + 1));
        (rest.filter(|kind| *kind == "update leases").count() >= RENEWALS).then_some(())
    })
    .await;
}
