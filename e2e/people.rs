//! What the commands about people answer: why somebody is active, who comes and who goes; and what of somebody who left is
//! exported, erased, and not kept for ever.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kube::ResourceExt;
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::attempts::bind_role;
use crate::support::installation::{Consent, Installation, a_day};
use crate::support::people::People;
use crate::support::waiting::eventually;

/// Today where the policy counts days, by the cluster's clock.
fn today() -> Date {
    jiff::Timestamp::now().to_zoned(TimeZone::get("Europe/Madrid").unwrap()).date()
}

#[tokio::test]
async fn why_names_the_employment_that_keeps_a_contractor_active() {
    let rollcall = Installation::new("why", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    let staff = rollcall.staff(1..11);
    let others = || rollcall.people().active_people(101..111);
    rollcall.file(&staff.csv()).await;
    rollcall.connect(json!({})).await;
    let contractors = rollcall.connect_more(&others()).await;
    rollcall.policy(json!({"connections": [{"name": rollcall.connection}, {"name": contractors}]})).await;
    rollcall.account_of("7", "apps", "seven").await;
    rollcall.learn_more(&others()).await;
    rollcall.learn(&staff).await;
    let (employed, contract) = (format!("{}/7", rollcall.connection), format!("{contractors}/107"));
    rollcall.succeeds(&["merge", &employed, &contract, "--yes"]);
    let ended = today().saturating_sub(9.days()).to_string();
    rollcall.learn_more(&others().person("107").terminated().last_day(&ended)).await;
    eventually("the contract has ended", || async {
        let status = rollcall.person("107").await?.status?;
        let by_itself = status.employments.iter().find(|one| one.id == "107")?.by_itself.clone()?;
        (by_itself.state == State::Terminated && status.employment?.state == State::Active).then_some(())
    })
    .await;

    for whom in [rollcall.mark("7"), rollcall.address("107"), rollcall.user("7"), contract.clone()] {
        let said = rollcall.succeeds(&["why", &whom]);
        for expected in [
            "They work here (Active since",
            &format!("{employed} keeps them active."),
            &format!("{contract} has ended."),
            "is fresh",
            "ServiceAccount",
            "There is nothing for you to do.",
        ] {
            assert!(said.contains(expected), "{whom}: {expected:?} is not in\n{said}");
        }
    }
    let said = rollcall.fails(&["why", "nobody@example.com"]);
    assert!(said.contains("there is no Person nobody@example.com"), "{said}");
}

fn listed(rollcall: &Installation, arguments: &[&str]) -> Vec<(String, Value)> {
    let text = rollcall.succeeds(&[&["people", "--output", "json"], arguments].concat());
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    let id = |row: &Value| row["records"][0].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    rows.into_iter().map(|row| (id(&row), row)).collect()
}

#[tokio::test]
async fn who_leaves_and_who_starts_next_week_is_listed() {
    let rollcall = Installation::new("upcoming", &[]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let (soon, later) = (today().saturating_add(7.days()).to_string(), today().saturating_add(60.days()).to_string());
    let staff = rollcall.staff(1..11).person("7").last_day(&soon).person("8").hired(&soon).person("9").last_day(&later);
    rollcall.learn(&staff).await;

    let next: Vec<_> =
        listed(&rollcall, &["--upcoming"]).into_iter().map(|(id, row)| (id, row["next"].clone())).collect();
    let expected = [("8", "starts"), ("7", "leaves"), ("9", "leaves")];
    assert_eq!(next, expected.map(|(id, next)| (id.to_owned(), json!(next))));
    let ids = |arguments: &[&str]| listed(&rollcall, arguments).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(&["--leavers", "--from", &soon, "--to", &soon]), ["7"]);
    assert_eq!(ids(&["--starters"]), ["8"]);
    assert!(ids(&["--leavers"]).is_empty(), "nobody has left this week");
    assert_eq!(ids(&["--state", "PreHire", "--policy", "everyone"]), ["8"]);
    assert!(ids(&["--policy", "other"]).is_empty());
    let said = rollcall.succeeds(&["why", &rollcall.mark("7")]);
    assert!(said.contains(&format!("has ended (last day {soon}); they have left: their access is revoked")), "{said}");
}

/// Everybody of ten but person 7, who has left and is listed.
fn gone(staff: &People) -> People {
    staff.clone().person("7").terminated()
}

/// Waits until what is seven's is revoked and removed, and the Person says so.
async fn is_out(rollcall: &Installation) {
    rollcall.reaches("7", Operation::Remove, Phase::Revoked).await;
    eventually("the Person says that access is refused", || async {
        let person = rollcall.person("7").await?.status?;
        person.conditions.iter().any(|c| c.is(ConditionType::Revoked, Status::True)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_leaver_is_erased_once_revoked_and_comes_back_only_if_they_own_something() {
    let policy = json!({
        "lifecycle": {"termination": {"removeAfter": "1s"}},
        "limits": {"people": a_day(0)},
    });
    let (rollcall, _running, staff) = Installation::with_seven("erase", Consent::Accounts, policy).await;
    let seven = rollcall.mark("7");
    let said = rollcall.fails(&["erase", &seven, "--yes"]);
    assert!(said.contains("they have not left (Active)"), "{said}");

    rollcall.learn(&gone(&staff)).await;
    let held = rollcall.waits_for("7", "OverLimit").await;
    let batch = held.status.unwrap().gate.unwrap().batch.unwrap();
    let said = rollcall.fails(&["erase", &seven, "--yes"]);
    assert!(said.contains(&format!("is held in batch {batch}")) && said.contains("nothing was changed"), "{said}");
    assert!(rollcall.succeeds(&["why", &seven]).contains(&format!("kubectl rollcall approve --batch {batch}")));
    rollcall.approve_batch(&batch);
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    is_out(&rollcall).await;

    let person = rollcall.person("7").await.unwrap().name_any();
    let export = |more: &[&str]| rollcall.succeeds(&[&["export", seven.as_str()], more].concat());
    let whole: Value = serde_json::from_str(&export(&["--unmask"])).unwrap();
    assert_eq!(whole["person"]["status"]["profile"]["workEmail"], json!(rollcall.address("7")));
    assert_eq!((whole["revocations"].as_array().unwrap().len(), whole["evidence"].as_array().unwrap().len()), (2, 2));
    assert!(!export(&["--unmask"]).contains(&rollcall.address("8")), "nobody else's");
    assert!(!export(&[]).contains(&rollcall.address("7")), "masked unless asked for");

    for role in ["viewer", "eraser"] {
        bind_role(&rollcall, role, role).await;
    }
    let refused = rollcall.fails(&["erase", &seven, "--yes", "--as", "viewer"]);
    assert!(refused.contains("forbidden"), "{refused}");
    let said = rollcall.succeeds(&["erase", &seven, "--yes", "--as", "eraser"]);
    assert!(said.contains("2 records of the evidence stay"), "{said}");
    assert!(rollcall.person("7").await.is_none());
    assert!(rollcall.all_revocations().await.is_empty());
    rollcall.evidence_verifies();

    rollcall.learn(&gone(&staff).person("8").department("Sales")).await;
    assert!(rollcall.person("7").await.is_none(), "HR still lists them, and they own nothing");
    assert_eq!(rollcall.all_persons().await.len(), 9);
    rollcall.account_of("7", "apps", "again").await;
    rollcall.poll().await;
    rollcall.waits_for("7", "Baseline").await;
    assert_eq!(rollcall.person("7").await.unwrap().name_any(), person, "what came back is theirs, and a human decides");
}

#[tokio::test]
async fn the_names_of_a_leaver_go_on_time_and_stay_away_although_hr_lists_them() {
    let policy = json!({"lifecycle": {"termination": {"removeAfter": "1s"}}, "retention": {"person": "1s"}});
    let (rollcall, _running, staff) = Installation::with_seven("retention", Consent::Accounts, policy).await;
    rollcall.learn(&gone(&staff)).await;
    is_out(&rollcall).await;
    // What ends sooner than a pass looks again is noticed by the next one: a poll wakes it.
    let nameless = eventually("the name is gone", || async {
        rollcall.poll().await;
        let person = rollcall.person("7").await?;
        person.status.as_ref()?.profile.as_ref()?.display_name.is_none().then_some(person)
    })
    .await;
    let status = nameless.status.clone().unwrap();
    assert!(!status.aliases.is_empty() && status.salt.is_some(), "what comes back is recognised");
    assert_eq!(nameless.spec.records[0].id, "7");

    rollcall.learn(&gone(&staff).person("8").department("Sales")).await;
    let still = rollcall.person("7").await.unwrap();
    assert_eq!(still.resource_version(), nameless.resource_version(), "nothing is written again");
    let eight = rollcall.person("8").await.unwrap().status.unwrap().profile.unwrap();
    assert!(eight.display_name.is_some(), "who works here keeps theirs");

    rollcall.learn(&staff).await;
    eventually("who works here again has a name again", || async {
        rollcall.person("7").await?.status?.profile?.display_name
    })
    .await;
    rollcall.evidence_verifies();
}
