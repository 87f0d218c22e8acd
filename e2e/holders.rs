//! A large company: only who owns something in the cluster gets a Person.

use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::tokens::{mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

#[tokio::test]
async fn only_who_owns_something_gets_a_person_as_soon_as_they_do() {
    let rollcall = Installation::new("holders", &[("apps", Consent::Accounts)]).await;
    let apps = rollcall.target("apps");
    let _running = rollcall.run().await;
    rollcall.account_of("7", "apps", "seven").await;
    rollcall.bind_users("apps", "nine", &[rollcall.user("9")]).await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"materialize": "CredentialHolders"})).await;
    let staff = rollcall.staff(1..200);
    rollcall.learn(&staff).await;
    let ids = || async {
        let people = rollcall.all_persons().await;
        let mut ids: Vec<_> = people.iter().map(|person| person.spec.records[0].id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids().await, ["7", "9"]);

    rollcall.account_of("8", "apps", "eight").await;
    eventually("who owns something now has a Person", || async { (ids().await == ["7", "8", "9"]).then_some(()) })
        .await;
    let seven = mint_unbound(&rollcall.admin, &apps, "seven").await;
    let eight = mint_unbound(&rollcall.admin, &apps, "eight").await;
    rollcall.learn(&staff.person("7").terminated().person("100").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    refused("seven", &seven).await;
    assert!(still_works(&eight, &apps, "eight").await);
    assert_eq!(ids().await, ["7", "8", "9"], "who left and owns nothing is not stored");
}
