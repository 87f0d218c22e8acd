//! An identity provider is all there is: an account that stays off is that of somebody who left.
//!
//! Days pass as everywhere in stories: what sync remembers of when something began is moved back, in its own name.

use jiff::{SignedDuration, Timestamp, ToSpan};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use rollcall::api::Person;
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation};
use crate::support::tokens::{mint_unbound, refused, still_works};

/// Changes what sync remembers of a person.
pub async fn remember(rollcall: &Installation, id: &str, path: &str, value: Value) {
    let sync = rollcall.cluster.acting_as(&rollcall.identity("sync"), &["system:authenticated"]).await;
    let people: Api<Person> = Api::namespaced(sync, &rollcall.namespace);
    let name = rollcall.person(id).await.expect("a Person").name_any();
    let patch = serde_json::from_value(json!([{"op": "replace", "path": path, "value": value}])).unwrap();
    people.patch_status(&name, &PatchParams::default(), &Patch::<Person>::Json(patch)).await.unwrap();
}

#[tokio::test]
async fn an_account_that_is_off_for_as_long_as_the_policy_asks_is_a_leavers_and_not_before() {
    let rollcall = Installation::new("says-who-left", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    let okta = json!([{"name": rollcall.connection, "role": "Corroborating", "saysWhoLeft": {"whenOffFor": "7d"}}]);
    rollcall.policy(json!({ "connections": okta })).await;
    let apps = rollcall.target("apps");
    rollcall.account_of("7", "apps", "seven").await;
    let token = mint_unbound(&rollcall.admin, &apps, "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let off = staff.person("7").status("suspended");
    rollcall.learn(&off).await;
    rollcall.becomes("7", State::Suspended, "Suspended").await;
    let since = "/status/employments/0/switchedOff/since";
    let days_ago = |days: i32| {
        let now = Timestamp::now() - SignedDuration::from_hours(1);
        json!(now.to_zoned(jiff::tz::TimeZone::UTC).date().saturating_sub(days.days()))
    };
    remember(&rollcall, "7", since, days_ago(5)).await;
    rollcall.learn(&off).await;
    rollcall.becomes("7", State::Suspended, "Suspended").await;
    assert!(rollcall.all_revocations().await.is_empty(), "five days are not seven");
    assert!(still_works(&token, &apps, "seven").await);

    remember(&rollcall, "7", since, days_ago(8)).await;
    rollcall.learn(&off).await;
    rollcall.becomes("7", State::Terminated, "SwitchedOff").await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    refused("the account's token", &token).await;
    assert_eq!(rollcall.all_revocations().await.iter().filter(|one| one.spec.operation == Operation::Cut).count(), 1);
}
