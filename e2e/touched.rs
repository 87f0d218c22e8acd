//! A leaver touches what is theirs after the notice, so that it looks newly annotated: it is no later discovery, also if
//! control was not running meanwhile.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::kube::inventory::{OWNER_FIELD, SUBJECTS_FIELD, since};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::support::installation::{Consent, Installation, a_day};
use crate::support::waiting::eventually;

/// Writes to an object as the one who made it, until the API server's record of `field` is newer than `than`.
async fn touch<K>(api: &Api<K>, name: &str, field: &[&str], than: jiff::Timestamp)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let by = api.get(name).await.unwrap().managed_fields()[0].manager.clone().unwrap();
    let params = PatchParams { field_manager: Some(by), ..PatchParams::default() };
    eventually("the owner annotation looks newer than the notice", || async {
        let note = format!("{:?}", std::time::Instant::now());
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/touched": note}}}));
        let touched = api.patch(name, &params, &patch).await.unwrap();
        (since(touched.meta(), field)?.as_second() > than.as_second()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn touching_ones_account_after_the_notice_makes_it_no_later_discovery_when_control_comes_back() {
    let rollcall = Installation::new("touched", &[("apps", Consent::Accounts)]).await;
    let _sync = rollcall.sync().await;
    let _revoker = rollcall.revoker();
    let control = rollcall.control().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"people": a_day(10)}})).await;
    for id in ["7", "8"] {
        rollcall.account_of(id, "apps", &format!("account-{id}")).await;
        rollcall.bind_users("apps", &format!("view-{id}"), &[rollcall.user(id)]).await;
    }
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.stop("the notice is given");
    rollcall.learn(&staff.person("7").terminated().person("8").terminated()).await;
    for id in ["7", "8"] {
        let cut = rollcall.waits_for(id, "GlobalStop").await;
        assert_eq!(cut.spec.owned.len(), 2, "what was theirs is kept: {:?}", cut.spec.owned);
    }
    let apps = rollcall.target("apps");
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &apps);
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &apps);
    let touch_all = async |id: &str| {
        let made = rollcall.revocations(id).await.pop().unwrap().metadata.creation_timestamp.unwrap().0;
        touch(&accounts, &format!("account-{id}"), &OWNER_FIELD, made).await;
        touch(&bindings, &format!("view-{id}"), &SUBJECTS_FIELD, made).await;
    };

    touch_all("7").await; // control sees it
    drop(control);
    touch_all("8").await; // nobody sees it
    let _control = rollcall.control().await;
    rollcall.go_on();

    for id in ["7", "8"] {
        let cut = rollcall.reaches(id, Operation::Cut, Phase::Revoked).await;
        let mut ended: Vec<_> = cut.status.unwrap().steps.into_iter().map(|step| step.target.name).collect();
        ended.sort();
        assert_eq!(ended, [format!("account-{id}"), format!("view-{id}")]);
        assert_eq!(rollcall.revocations(id).await.iter().filter(|revocation| revocation.spec.late).count(), 0);
    }
}
