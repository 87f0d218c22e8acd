//! A typing error in HR gave somebody a colleague's address: once a human takes it back, the colleague's exit is not held by it.

use kube::Api;
use kube::api::{Patch, PatchParams};
use rollcall::api::Person;
use rollcall::api::person::AliasDates;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::refusals::refusal;
use crate::support::installation::{Consent, Installation};
use crate::support::tokens::{mint_unbound, refused};
use crate::support::waiting::eventually;

#[tokio::test]
async fn an_address_that_was_never_theirs_is_taken_back_and_holds_nobody_else() {
    let rollcall = Installation::new("disowned", &[("apps", Consent::Accounts)]).await;
    let apps = rollcall.target("apps");
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let eight = rollcall.address("8");
    rollcall.account("apps", "eight", Some(&format!("email:{eight}"))).await;
    let token = mint_unbound(&rollcall.admin, &apps, "eight").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff.clone().person("7").email(&eight)).await;
    rollcall.learn(&staff).await;
    let alias = format!("email:{eight}");
    let dates = |person: &Person| -> Option<AliasDates> {
        person.status.as_ref()?.alias_dates.iter().find(|dates| dates.alias == alias).cloned()
    };
    let corrected = dates(&rollcall.person("7").await.unwrap()).expect("dates of what no longer holds");
    assert!(corrected.until.is_some() && !corrected.disputed);

    let people: Api<Person> = rollcall.api();
    let seven = rollcall.person("7").await.unwrap().metadata.name.unwrap();
    let own = rollcall.cluster.acting_as(&rollcall.user("7"), &["system:masters", "system:authenticated"]).await;
    let own: Api<Person> = Api::namespaced(own, &rollcall.namespace);
    let by_themself = json!({"spec": {"disowned": [alias]}});
    let answer = own.patch(&seven, &PatchParams::default(), &Patch::Merge(&by_themself)).await;
    let (layer, said) = refusal("by themself", answer);
    assert!(layer == "policy" && said.contains("of their own"), "{said}");

    rollcall.succeeds(&["disown", &format!("{}/7", rollcall.connection), &eight, "--yes"]);
    eventually("it is nobody's but the colleague's", || async {
        let aliases = people.get(&seven).await.unwrap().status?.aliases;
        (!aliases.iter().any(|alias| alias.contains(&eight))).then_some(())
    })
    .await;
    rollcall.learn(&staff.person("8").terminated()).await;
    let cut = rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    assert!(cut.spec.approval.is_none(), "it waited for nobody");
    refused("the token of the colleague", &token).await;
}
