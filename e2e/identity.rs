//! What a directory knows of accounts: kept with the record, shown, found where HR disagrees, and never a reason to end anybody's access.

use kube::api::Api;
use rollcall::api::SyncPolicy;
use rollcall::api::condition::{Condition, ConditionType, Status};
use rollcall::api::person::{Account, State};
use serde_json::json;

use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::people::People;
use crate::support::tokens::{mint_unbound, still_works};
use crate::support::waiting::eventually;

/// The accounts of people 1 to 10, each with a sign-in and a second factor.
fn accounts(rollcall: &Installation, status: &str, facts: bool) -> People {
    (1..11).fold(rollcall.people(), |all, id| {
        let one = all.person(&format!("o{id}")).human(&id.to_string()).status(status);
        if facts { one.column("lastSignIn", "2026-03-01").column("mfaEnrolled", "yes") } else { one }
    })
}

async fn account(rollcall: &Installation, id: &str) -> Option<Account> {
    let employments = rollcall.person(id).await?.status?.employments;
    employments.into_iter().find_map(|one| one.account).map(|account| *account)
}

/// The condition, once it has this status and says this.
async fn agrees(rollcall: &Installation, status: Status, says: &str) -> Condition {
    let policies: Api<SyncPolicy> = rollcall.api();
    eventually(&format!("AccountsAgree is {}: {says}", status.as_str()), || async {
        let conditions = policies.get(POLICY).await.unwrap().status?.conditions;
        let is = |one: &Condition| one.is(ConditionType::AccountsAgree, status) && one.message.contains(says);
        conditions.into_iter().find(is)
    })
    .await
}

#[tokio::test]
async fn a_directory_tells_of_accounts_and_its_lies_end_nobody() {
    let rollcall = Installation::new("identity", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    let directory = rollcall.connect_more(&accounts(&rollcall, "active", true)).await;
    rollcall
        .policy(json!({
            "connections": [{"name": rollcall.connection}, {"name": directory, "role": "Corroborating"}],
            "matching": {"keys": ["workEmail"]},
            "fields": {"lastSignIn": "Continuous", "mfaEnrolled": "Continuous"},
        }))
        .await;
    let apps = rollcall.target("apps");
    rollcall.account_of("7", "apps", "seven").await;
    let token = mint_unbound(&rollcall.admin, &apps, "seven").await;
    rollcall.learn(&rollcall.staff(1..11)).await;
    rollcall.learn_more(&accounts(&rollcall, "active", true)).await;
    let known = eventually("the account is known", || account(&rollcall, "7")).await;
    let told = |fact: Option<rollcall::api::person::AccountFact>| fact.map(|fact| fact.value);
    let values = [known.last_sign_in.clone(), known.mfa_enrolled.clone(), known.sso.clone()].map(told);
    assert_eq!(values, [Some("2026-03-01".to_owned()), Some("Yes".to_owned()), None]);
    agrees(&rollcall, Status::True, "agree").await;
    let wide = rollcall.succeeds(&["people", "--output", "wide"]);
    assert!(["LAST SIGN-IN", "2026-03-01", "Enabled"].iter().all(|word| wide.contains(word)), "{wide}");
    let why = rollcall.succeeds(&["why", &format!("{}/7", rollcall.connection)]);
    assert!(why.contains("an account that is on") && why.contains("second factor: Yes, first read at"), "{why}");

    // Everybody is off at once, and nothing is said of second factors.
    rollcall.learn_more(&accounts(&rollcall, "suspended", false)).await;
    let said = agrees(&rollcall, Status::Unknown, "10 of 10 people who work here are off").await;
    assert_eq!(said.reason, "ManyDisabled");
    rollcall.becomes("7", State::Active, "Active").await;
    assert_eq!(account(&rollcall, "7").await, Some(known), "what a response says of nobody changes nothing");
    assert!(still_works(&token, &apps, "seven").await);

    // One is off, and one is nobody's.
    let stranger = accounts(&rollcall, "active", true).person("o3").status("suspended").person("o99");
    rollcall.learn_more(&stranger).await;
    agrees(
        &rollcall,
        Status::False,
        "1 people who work here have an account that is off; 1 accounts that are on are nobody's",
    )
    .await;
    let found = rollcall.succeeds(&["people", "--findings"]);
    let three = rollcall.person("3").await.unwrap().metadata.name.unwrap();
    assert!(found.contains(&three) && found.contains("WorkerDisabled") && found.contains("o99"), "{found}");
    let lines = found.lines().filter(|line| line.contains("WorkerDisabled")).count();
    assert_eq!(lines, 1, "{found}");
    assert!(rollcall.all_revocations().await.is_empty(), "nothing was ever planned");
}
