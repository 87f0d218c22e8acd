//! One human whose HR records a human linked: they have left when all of them have ended.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::installation::{Consent, Installation};
use crate::support::people::People;
use crate::support::tokens::{mint_unbound, refused, still_works};

/// Today where the policy counts days, by the cluster's clock.
fn today() -> Date {
    jiff::Timestamp::now().to_zoned(TimeZone::get("Europe/Madrid").unwrap()).date()
}

#[tokio::test]
async fn a_contractor_who_is_hired_across_two_connections_works_on_until_both_have_ended() {
    let rollcall = Installation::new("one-human", &[("apps", Consent::Accounts)]).await;
    let apps = rollcall.target("apps");
    let _running = rollcall.run().await;
    let others = || rollcall.people().active_people(101..111);
    let employed = |start: Date| rollcall.staff(1..11).person("7").hired(&start.to_string());
    let hired = |start: Date| employed(start).email(&rollcall.address("seven"));
    let soon = today().saturating_add(2.days());
    rollcall.file(&employed(soon).csv()).await;
    rollcall.connect(json!({})).await;
    let contractors = rollcall.connect_more(&others()).await;
    rollcall.policy(json!({"connections": [{"name": rollcall.connection}, {"name": contractors}]})).await;
    let user = rollcall.user("107");
    rollcall.account("apps", "by-contract", Some(&format!("id:{contractors}/107"))).await;
    rollcall.account_of("7", "apps", "by-employment").await;
    rollcall.account("apps", "by-address", Some(&rollcall.address("107"))).await;
    rollcall.account("apps", "by-former-address", Some(&rollcall.address("7"))).await;
    rollcall.bind_users("apps", "contractors", std::slice::from_ref(&user)).await;
    let mut tokens = Vec::new();
    for account in ["by-contract", "by-employment", "by-address", "by-former-address"] {
        tokens.push((account, mint_unbound(&rollcall.admin, &apps, account).await));
    }
    let works_on = |when: &'static str| {
        let (rollcall, tokens, user, apps) = (&rollcall, &tokens, &user, &apps);
        async move {
            for (account, token) in tokens {
                assert!(still_works(token, apps, account).await, "{when}: {account}");
            }
            assert!(rollcall.may_look(user, "apps").await, "{when}: the binding");
        }
    };

    rollcall.learn_more(&others()).await;
    rollcall.learn(&employed(soon)).await;
    rollcall.learn(&hired(soon)).await;
    rollcall.succeeds(&["merge", &format!("{contractors}/107"), &format!("{}/7", rollcall.connection), "--yes"]);
    rollcall.becomes("107", State::Active, "Active").await;
    assert_eq!(rollcall.all_persons().await.len(), 19, "twenty records are nineteen people");

    let yesterday = today().saturating_sub(1.days());
    rollcall.learn_more(&others().person("107").terminated().last_day(&yesterday.to_string())).await;
    rollcall.becomes("107", State::PreHire, "Between").await;
    works_on("between two employments").await;

    rollcall.learn(&hired(today())).await;
    rollcall.becomes("7", State::Active, "Active").await;
    works_on("employed").await;
    assert!(rollcall.all_revocations().await.is_empty(), "nothing was ever planned");

    rollcall.learn(&hired(today()).terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    for (account, token) in &tokens {
        refused(account, token).await;
    }
    assert!(!rollcall.may_look(&user, "apps").await, "the binding is gone");
    assert!(cut.spec.approval.is_none(), "it waited for nobody");
    assert_eq!(rollcall.all_revocations().await.iter().filter(|one| one.spec.operation == Operation::Cut).count(), 1);
    rollcall.evidence_verifies();
}

#[tokio::test]
async fn two_people_who_were_merged_by_mistake_are_split_and_the_leaver_waits_for_approval() {
    let (rollcall, _running, staff) = Installation::with_seven("merged", Consent::Accounts, json!({})).await;
    rollcall.account_of("8", "apps", "eight").await;
    let apps = rollcall.target("apps");
    let seven = mint_unbound(&rollcall.admin, &apps, "seven").await;
    let eight = mint_unbound(&rollcall.admin, &apps, "eight").await;
    let record = |id: &str| format!("{}/{id}", rollcall.connection);
    rollcall.succeeds(&["merge", &record("7"), &record("8"), "--yes"]);
    let says = rollcall.fails(&["split", &record("7"), "--yes"]);
    assert!(says.contains("named after"), "{says}");

    rollcall.learn(&gone(&staff)).await;
    rollcall.becomes("7", State::Active, "Active").await;
    assert!(still_works(&seven, &apps, "seven").await, "the other one works here");

    rollcall.succeeds(&["split", &record("8"), "--yes"]);
    rollcall.poll().await;
    let held = rollcall.waits_for("7", "Baseline").await;
    assert!(still_works(&seven, &apps, "seven").await, "a human decides");
    rollcall.approve(&held);
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    refused("seven", &seven).await;
    assert!(still_works(&eight, &apps, "eight").await, "who works here works on");
    assert_eq!(rollcall.all_persons().await.len(), 10, "each has a Person again");
}

fn gone(staff: &People) -> People {
    staff.clone().person("7").terminated()
}
