//! Accounts that a finalizer holds for ever, with which a leaver would shield a real one.

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, PostParams};
use rollcall::api::names;
use serde_json::json;

use super::installation::Installation;
use super::objects::object;

/// How many a leaver makes.
pub const DECOYS: usize = 62;

/// Makes them in the target `apps`, as this person's, with names that sort before every other.
pub async fn make_decoys(rollcall: &Installation, id: &str) {
    let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    for number in 0..DECOYS {
        let decoy: ServiceAccount = object(json!({"metadata": {
            "name": format!("a-decoy-{number:02}"), "finalizers": ["example.com/never"],
            "annotations": {names::OWNER: rollcall.mark(id)},
        }}));
        accounts.create(&PostParams::default(), &decoy).await.unwrap();
    }
}
