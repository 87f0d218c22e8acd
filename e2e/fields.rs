//! Fields of a Person: once, continuously or never, and what a changed mode would take away.

use kube::api::{Patch, PatchParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::{Person, SyncPolicy};
use serde_json::{Value, json};

use crate::support::installation::{Installation, POLICY};
use crate::support::waiting::eventually;

/// Person 7 as the cluster keeps them.
async fn seven(rollcall: &Installation) -> Value {
    serde_json::to_value(rollcall.person("7").await.expect("a Person")).unwrap()
}

async fn sets(rollcall: &Installation, fields: Value) {
    let patch = json!([{"op": "add", "path": "/spec/fields", "value": fields}]);
    let patch = Patch::Json::<()>(serde_json::from_value(patch).unwrap());
    rollcall.api::<SyncPolicy>().patch(POLICY, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test]
async fn a_field_is_imported_once_or_follows_or_is_kept_nowhere_and_a_changed_mode_is_announced() {
    let rollcall = Installation::new("fields", &[]).await;
    let _sync = rollcall.sync().await;
    let columns = json!({"custom": {"badge": "Badge"}});
    rollcall.connect(json!({"source": {"file": {"csv": {"columns": columns}}}})).await;
    let fields = json!({"title": "Once", "custom.badge": "Continuous", "pictureUrl": "Continuous"});
    rollcall.policy(json!({ "fields": fields })).await;
    let signed = "https://images.example.com/7.png?X-Amz-Signature=00ff";
    let staff = |title: &str, badge: &str| {
        let staff = rollcall.staff(1..11).person("7").department("Sales");
        let staff = staff.column("title", title).column("Badge", badge).column("phone", "+1 202 555 0107");
        staff.column("pictureUrl", signed).column("homeAddress", "7 Example Street")
    };
    rollcall.learn(&staff("Clerk", "B7")).await;
    let person = seven(&rollcall).await;
    assert_eq!(person["spec"]["profile"], json!({"title": "Clerk"}));
    let follows = &person["status"]["profile"];
    assert_eq!((&follows["custom"], &follows["department"]), (&json!({"badge": "B7"}), &json!("Sales")));
    let written = person.to_string();
    for never in ["+1 202 555 0107", "X-Amz-Signature", "images.example.com", "7 Example Street"] {
        assert!(!written.contains(never), "{never}: {written}");
    }

    let edit = Patch::Merge(json!({"spec": {"profile": {"title": "Head clerk"}}}));
    let name = person["metadata"]["name"].as_str().unwrap();
    rollcall.api::<Person>().patch(name, &PatchParams::default(), &edit).await.unwrap();
    rollcall.learn(&staff("Manager", "B8")).await;
    let person = seven(&rollcall).await;
    assert_eq!(person["spec"]["profile"], json!({"title": "Head clerk"}), "a human's edit stays");
    assert_eq!(person["status"]["profile"]["custom"], json!({"badge": "B8"}), "what follows HR follows");
    assert_eq!(person["status"]["imported"], json!(["title"]));

    sets(&rollcall, json!({"title": "Continuous", "custom.badge": "Never"})).await;
    let message = eventually("what would be lost is announced", || async {
        let status = rollcall.api::<SyncPolicy>().get(POLICY).await.unwrap().status?;
        let announced = status.conditions.iter().find(|one| one.is(ConditionType::FieldsSettled, Status::False));
        announced.map(|condition| condition.message.clone())
    })
    .await;
    for loss in [
        "title: Once to Continuous, values of 1 people are overwritten with HR's",
        "custom.badge: Continuous to Never, values of 1 people are removed",
    ] {
        assert!(message.contains(loss), "{message}");
    }
    let person = seven(&rollcall).await;
    assert_eq!(person["spec"]["profile"], json!({"title": "Head clerk"}), "nothing is lost before it is in force");
    sets(&rollcall, json!({"title": "Once", "custom.badge": "Continuous"})).await;
    eventually("a change that was taken back is no longer announced", || async {
        let status = rollcall.api::<SyncPolicy>().get(POLICY).await.unwrap().status?;
        let announced = status.conditions.iter().any(|one| one.type_ == ConditionType::FieldsSettled.as_str());
        (!announced).then_some(())
    })
    .await;
}
