//! The first act of a cut: what a leaver would change is refused, by whatever credential, before anything else ends.

use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use rollcall::api::revocation::{Operation, Phase, Revocation, VerdictKind};
use rollcall::api::{FrozenNames, names};
use serde_json::json;

use crate::freeze::{all_powerful, attempts, evidence_names_nobody, make_map, refused};
use crate::support::installation::{Consent, Installation};
use crate::support::proxy::{Fault, Proxy};
use crate::support::waiting::eventually;

async fn changes(rollcall: &Installation, id: &str) -> bool {
    let client = all_powerful(rollcall, &rollcall.user(id)).await;
    !refused(&attempts(&client, &rollcall.target("apps")).await[0].1)
}

async fn cut(rollcall: &Installation, id: &str) -> Revocation {
    rollcall.reaches(id, Operation::Cut, Phase::Revoked).await
}

#[tokio::test]
async fn a_leaver_changes_nothing_from_the_cut_on_by_any_credential_until_the_termination_is_taken_back() {
    let (rollcall, _running, staff) = Installation::with_seven("first", Consent::Accounts, json!({})).await;
    let apps = rollcall.target("apps");
    make_map(&rollcall, &apps, "there").await;
    let record = |id: &str| format!("{}/{id}", rollcall.connection);
    let forecast = rollcall.succeeds(&["plan", &record("7")]);
    assert!(forecast.contains("at the cut") && forecast.contains("Freeze"), "{forecast}");
    assert!(changes(&rollcall, "7").await, "before");

    // Seven owns an account; eight owns nothing that could be cut, and might have a certificate all the same.
    rollcall.learn(&staff.clone().person("7").terminated().person("8").terminated()).await;
    for id in ["7", "8"] {
        let status = cut(&rollcall, id).await.status.unwrap();
        let freeze = status.freeze.unwrap();
        assert_eq!(freeze.verdicts.len(), 1, "{id}");
        assert_eq!((freeze.verdicts[0].verdict, freeze.message), (VerdictKind::Implied, None), "{id}");
        assert!(status.acted.is_none_or(|acted| freeze.acted.unwrap() <= acted), "{id}: first of all");
        eventually("the API server has the list", || async { (!changes(&rollcall, id).await).then_some(()) }).await;
        let client = all_powerful(&rollcall, &rollcall.user(id)).await;
        for (what, said) in attempts(&client, &apps).await {
            assert!(refused(&said), "{id} {what}: {said}");
        }
        let maps: Api<ConfigMap> = Api::namespaced(client, &apps);
        assert!(!maps.list(&ListParams::default()).await.unwrap().items.is_empty(), "reads go on");
        let why = rollcall.succeeds(&["why", &record(id)]);
        assert!(why.contains("user names frozen since"), "{why}");
    }
    assert!(changes(&rollcall, "9").await, "a colleague");

    rollcall.learn(&staff.clone().person("7").active().person("8").terminated()).await;
    eventually("who is back changes things again", || async { changes(&rollcall, "7").await.then_some(()) }).await;
    eventually("and the Revocation says so", || async { cut(&rollcall, "7").await.status?.freeze?.lifted.map(drop) })
        .await;
    assert!(!changes(&rollcall, "8").await, "who is not back does not");
    evidence_names_nobody(&rollcall).await;
}

#[tokio::test]
async fn a_leavers_user_name_that_a_colleague_gets_is_free_and_one_that_is_taken_off_the_list_comes_back() {
    let (rollcall, _running, staff) = Installation::with_seven("first-name", Consent::Accounts, json!({})).await;
    let gone = staff.person("7").terminated();
    rollcall.learn(&gone).await;
    cut(&rollcall, "7").await;
    eventually("the API server has the list", || async { (!changes(&rollcall, "7").await).then_some(()) }).await;

    let admin = rollcall.cluster.acting_as(&rollcall.identity("control"), &["system:authenticated"]).await;
    let lists: Api<FrozenNames> = Api::namespaced(admin, &rollcall.namespace);
    let mut list = lists.get(names::FROZEN).await.unwrap();
    list.spec.names.clear();
    lists.replace(names::FROZEN, &Default::default(), &list).await.unwrap();
    eventually("it is on the list again", || async {
        (!lists.get(names::FROZEN).await.unwrap().spec.names.is_empty()).then_some(())
    })
    .await;

    rollcall.learn(&gone.person("11").email(&rollcall.address("7"))).await;
    eventually("the colleague works", || async { changes(&rollcall, "7").await.then_some(()) }).await;
    let freeze = cut(&rollcall, "7").await.status.unwrap().freeze.unwrap();
    assert!(freeze.verdicts.is_empty() && freeze.lifted.is_none(), "{freeze:?}");
}

#[tokio::test]
async fn a_cut_never_waits_for_its_freeze() {
    let (rollcall, running, staff) = Installation::with_seven("first-fails", Consent::Accounts, json!({})).await;
    drop(running);
    let proxy = Arc::new(Proxy::open().await);
    let _running = (rollcall.sync().await, rollcall.control_through(&proxy).await, rollcall.revoker());
    for (id, fault, said) in
        [("7", Fault::NoFrozenNames, "does not have the kind"), ("8", Fault::SilentFrozenNames, "no answer in time")]
    {
        if id == "8" {
            rollcall.account_of("8", "apps", "eight").await;
        }
        proxy.fails_by(fault);
        let people = staff.clone().person("7").terminated();
        rollcall.learn(&if id == "8" { people.person("8").terminated() } else { people }).await;
        let revocation = cut(&rollcall, id).await;
        let status = revocation.status.clone().unwrap();
        let freeze = status.freeze.unwrap();
        assert!(
            freeze.acted.is_none() && freeze.message.as_ref().is_some_and(|message| message.contains(said)),
            "{freeze:?}"
        );
        assert!(status.verified.is_some(), "{}", revocation.name_any());
        let why = rollcall.succeeds(&["why", &format!("{}/{id}", rollcall.connection)]);
        assert!(why.contains("user names not frozen"), "{why}");
    }

    // Nor is anybody left unfrozen for good because the API server did not answer in time.
    proxy.fails_by(Fault::None);
    eventually("the names are frozen after all", || async {
        let freeze = cut(&rollcall, "8").await.status?.freeze?;
        (freeze.stands() && freeze.message.is_none() && !freeze.verdicts.is_empty()).then_some(())
    })
    .await;
}
