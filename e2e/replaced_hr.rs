//! An HR system is replaced by another one, under other ids: nobody is cut, nobody needs annotating again, and whoever leaves
//! by the new one is cut whatever the old one called them.

use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{HRConnection, SyncPolicy};
use serde_json::{Value, json};

use crate::refusals::refusal;
use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::objects::object;
use crate::support::people::People;
use crate::support::tokens::{mint_unbound, refused, still_works};
use crate::support::waiting::eventually;

/// The same ten people as `1..11` of the old system, by the ids of the new one; the third is somebody else's address by now.
fn of_the_new_system(rollcall: &Installation) -> People {
    (1..11).fold(rollcall.people(), |people, id| match id {
        3 => people.person("203").email(&rollcall.address("3")),
        _ => people.person(&(200 + id).to_string()).human(&id.to_string()),
    })
}

#[tokio::test]
async fn an_hr_system_is_replaced_and_nobody_is_cut_or_annotated_again() {
    let rollcall = Installation::new("replaced-hr", &[("apps", Consent::Accounts)]).await;
    let apps = rollcall.target("apps");
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.learn(&rollcall.staff(1..11)).await;
    let mut tokens = Vec::new();
    for (id, name) in [("3", "three"), ("7", "seven"), ("8", "eight")] {
        rollcall.account_of(id, "apps", name).await; // by the old id
        tokens.push((name, mint_unbound(&rollcall.admin, &apps, name).await));
    }

    let people = of_the_new_system(&rollcall);
    let new = rollcall.connect_more(&people).await;
    let migrates = json!({"spec": {
        "connections": [{"name": new, "migrates": {"from": rollcall.connection}}], "matching": {"keys": ["workEmail"]},
    }});
    let policies: Api<SyncPolicy> = rollcall.api();
    policies.patch(POLICY, &PatchParams::default(), &Patch::Merge(&migrates)).await.unwrap();
    let connections: Api<HRConnection> = rollcall.api();
    connections.delete(&rollcall.connection, &DeleteParams::default()).await.unwrap();
    rollcall.learn_more(&people).await;
    rollcall.becomes("207", State::Active, "Active").await;
    rollcall.becomes("3", State::Unknown, "NotMigrated").await;
    assert_eq!(rollcall.all_persons().await.len(), 11, "nine humans, and two who share an address");
    for (name, token) in &tokens {
        assert!(still_works(token, &apps, name).await, "{name}");
    }
    assert!(rollcall.all_revocations().await.is_empty(), "nothing was ever planned");
    let doubts = policies.get(POLICY).await.unwrap().status.unwrap().doubts;
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    rollcall.succeeds(&["apart", &doubts[0].people[0], &doubts[0].people[1], "--yes"]);
    eventually("the doubt is decided", || async {
        policies.get(POLICY).await.unwrap().status?.doubts.is_empty().then_some(())
    })
    .await;

    rollcall.learn_more(&people.clone().person("207").terminated()).await;
    let cut = rollcall.reaches("207", Operation::Cut, Phase::Revoked).await;
    assert!(cut.spec.approval.is_none(), "it waited for nobody");
    for (name, token) in &tokens {
        match *name {
            "seven" => refused(name, token).await,
            other => assert!(still_works(token, &apps, other).await, "{other}"),
        }
    }
}

#[tokio::test]
async fn what_a_policy_says_of_its_connections_fits_together() {
    let rollcall = Installation::new("replaced-fits", &[]).await;
    let rehearse = PostParams { dry_run: true, ..PostParams::default() };
    let policies: Api<SyncPolicy> = rollcall.api();
    let policy = |connections: Value, matching: Value, gap: &str| -> SyncPolicy {
        object(json!({"metadata": {"name": "everyone"}, "spec": {
            "connections": connections, "matching": matching, "timeZones": {"default": "UTC"}, "lifecycle": {"bridgeGap": gap},
        }}))
    };
    let hq = || json!([{"name": "hq"}]);
    let keys = |keys: &[&str]| json!({"keys": keys, "numberSpace": "acme"});
    let cases = [
        (
            "all of it",
            json!([{"name": "hq", "migrates": {"from": "old"}}, {"name": "okta", "role": "Corroborating"}]),
            keys(&["workEmail", "employeeNumber"]),
            "60d",
            None,
        ),
        (
            "nobody says who works here",
            json!([{"name": "okta", "role": "Corroborating"}]),
            json!({}),
            "3d",
            Some("nothing would say who works here"),
        ),
        (
            "accounts say who has left, and nothing else does",
            json!([{"name": "okta", "role": "Corroborating", "saysWhoLeft": {"whenOffFor": "30d"}}]),
            json!({}),
            "3d",
            None,
        ),
        (
            "accounts beside employments",
            json!([{"name": "hq"}, {"name": "okta", "role": "Corroborating", "saysWhoLeft": {"whenOffFor": "30d"}}]),
            json!({}),
            "3d",
            Some("that one says who has left"),
        ),
        (
            "accounts that are off for a day",
            json!([{"name": "okta", "role": "Corroborating", "saysWhoLeft": {"whenOffFor": "1d"}}]),
            json!({}),
            "3d",
            Some("write whole days from 7d to 365d"),
        ),
        (
            "replaces what is read",
            json!([{"name": "hq", "migrates": {"from": "old"}}, {"name": "old"}]),
            json!({}),
            "3d",
            Some("take that one out of connections"),
        ),
        ("numbers of no space", hq(), json!({"keys": ["employeeNumber"]}), "3d", Some("say in numberSpace")),
        ("hours", hq(), json!({}), "72h", Some("write whole days from 0d to 60d")),
        ("too long a gap", hq(), json!({}), "61d", Some("write whole days from 0d to 60d")),
    ];
    for (what, connections, matching, gap, says) in cases {
        let answer = policies.create(&rehearse, &policy(connections, matching, gap)).await;
        match says {
            None => drop(answer.unwrap_or_else(|error| panic!("{what}: {error}"))),
            Some(says) => {
                let (layer, said) = refusal(what, answer);
                assert!(layer == "schema" && said.contains(says), "{what}: {said}");
            }
        }
    }
}
