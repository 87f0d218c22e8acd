//! What was ended of a leaver is not made again, where the chart's `returns.deny` says so: not by a pipeline, not by a backup, and by
//! nobody who may not restore. Nobody else is refused anything.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use rollcall::api::revocation::{Operation, Phase};
use rollcall::api::{EndedAccess, names};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::waiting::eventually;

const GROUP: &str = "rbac.authorization.k8s.io";
/// What a pipeline is told.
const TOLD: &str = "Rollcall ended this because its owner left (Revocation ";

fn said<T>(answer: kube::Result<T>) -> String {
    match answer {
        Ok(_) => "made".to_owned(),
        Err(kube::Error::Api(status)) => status.message.clone(),
        Err(other) => other.to_string(),
    }
}

/// What a pipeline applies again, by server-side apply as Flux does, without keeping it.
struct Pipeline {
    client: Client,
    apps: String,
}

impl Pipeline {
    async fn applies_account(&self, name: &str) -> String {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.apps);
        said(
            api.patch(
                name,
                &applies(),
                &Patch::Apply(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})),
            )
            .await,
        )
    }

    async fn applies_token(&self, account: &str) -> String {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.apps);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
            "metadata": {"name": "applied", "annotations": {"kubernetes.io/service-account.name": account}}});
        said(api.patch("applied", &applies(), &Patch::Apply(secret)).await)
    }

    async fn applies_binding(&self, name: &str, users: &[&str]) -> String {
        let api: Api<RoleBinding> = Api::namespaced(self.client.clone(), &self.apps);
        said(api.patch(name, &applies(), &Patch::Apply(binding("RoleBinding", name, users))).await)
    }

    async fn applies_cluster_binding(&self, name: &str, users: &[&str]) -> String {
        let api: Api<ClusterRoleBinding> = Api::all(self.client.clone());
        said(api.patch(name, &applies(), &Patch::Apply(binding("ClusterRoleBinding", name, users))).await)
    }
}

fn applies() -> PatchParams {
    PatchParams { dry_run: true, ..PatchParams::apply("kustomize-controller").force() }
}

fn binding(kind: &str, name: &str, users: &[&str]) -> Value {
    let subjects: Vec<Value> =
        users.iter().map(|user| json!({"apiGroup": GROUP, "kind": "User", "name": user})).collect();
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": {"name": name}, "subjects": subjects,
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "view"}})
}

#[tokio::test]
async fn a_pipeline_that_applies_what_was_ended_again_is_told_why_not_and_who_may_restore_may() {
    let values = json!({"returns": {"deny": true}});
    let rollcall = Installation::with("denied", &[("apps", Consent::Accounts)], values).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"lifecycle": {"termination": {"removeAfter": "1s"}}})).await;
    rollcall.account_of("7", "apps", "seven").await;
    rollcall.account_of("8", "apps", "eight").await;
    let (seven, eight) = (rollcall.user("7"), rollcall.user("8"));
    rollcall.bind_users("apps", "views", std::slice::from_ref(&seven)).await;
    rollcall.bind_users("apps", "shared", &[seven.clone(), eight.clone()]).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    let flux = "system:serviceaccount:flux-system:kustomize-controller";
    let client = rollcall.cluster.acting_as(flux, &["system:masters", "system:serviceaccounts"]).await;
    let pipeline = Pipeline { client, apps: rollcall.target("apps") };
    assert_eq!(pipeline.applies_binding("again", &[&seven]).await, "made", "before anybody left");

    rollcall.learn(&staff.clone().person("7").terminated()).await;
    let removal = rollcall.reaches("7", Operation::Remove, Phase::Revoked).await;
    let lists: Api<EndedAccess> = rollcall.api();
    eventually("the list has all of it", || async {
        let listed = lists.get_opt(names::ENDED).await.unwrap()?.spec.ended;
        let account = format!("ServiceAccount {}/seven", pipeline.apps);
        (listed.contains_key(&account) && listed.contains_key(&format!("User {seven}"))).then_some(())
    })
    .await;
    eventually("the API server has the list", || async {
        pipeline.applies_account("seven").await.contains(TOLD).then_some(())
    })
    .await;
    let told = pipeline.applies_account("seven").await;
    let ended_by = removal.metadata.name.clone().unwrap();
    assert!(told.contains(&ended_by) && told.contains("Take it out of what applies it"), "{told}");

    for (what, told) in [
        ("the binding under its name", pipeline.applies_binding("views", &[&seven]).await),
        ("one of another name, for others too", pipeline.applies_binding("again", &[&eight, &seven]).await),
        ("one of the whole cluster", pipeline.applies_cluster_binding("again", &[&seven]).await),
        ("a token Secret", pipeline.applies_token("seven").await),
    ] {
        assert!(told.contains(TOLD) && !told.contains("example.com"), "{what}: {told}");
    }
    for (what, told) in [
        ("the colleague's account", pipeline.applies_account("eight").await),
        ("the colleague's token", pipeline.applies_token("eight").await),
        ("the colleague's binding", pipeline.applies_binding("again", &[&eight]).await),
        (
            "a binding that names the leaver still, as it is",
            pipeline.applies_binding("shared", &[&seven, &eight]).await,
        ),
        ("another account", pipeline.applies_account("new").await),
        ("a stranger's binding", pipeline.applies_binding("again", &["somebody"]).await),
    ] {
        assert_eq!(told, "made", "{what}");
    }

    // Who has the verb `restore`, and says that this is meant, may. The pipeline has every verb, and says nothing.
    let admin: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &pipeline.apps);
    let denied = json!({"metadata": {"name": "seven"}});
    let mallory = format!("mallory-{}", rollcall.release);
    let may: ClusterRoleBinding = object(json!({
        "metadata": {"name": format!("{}-mallory", rollcall.release)},
        "subjects": [{"kind": "User", "name": mallory, "apiGroup": GROUP}],
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "edit"},
    }));
    let all: Api<ClusterRoleBinding> = Api::all(rollcall.admin.clone());
    all.create(&PostParams::default(), &may).await.unwrap();
    let editor = rollcall.cluster.acting_as(&mallory, &["system:authenticated"]).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(editor, &pipeline.apps);
    let rehearse = PostParams { dry_run: true, ..PostParams::default() };
    eventually("the editor may create accounts", || async {
        (said(accounts.create(&rehearse, &object(json!({"metadata": {"name": "other"}}))).await) == "made")
            .then_some(())
    })
    .await;
    let meant = json!({"metadata": {"name": "seven", "annotations": {"rollcall.dev/restores": ended_by}}});
    for what in [&denied, &meant] {
        let told = said(accounts.create(&rehearse, &object(what.clone())).await);
        assert!(told.contains(TOLD), "an editor of the namespace: {told}");
    }
    let restorer: RoleBinding = object(json!({
        "metadata": {"name": "mallory"},
        "subjects": [{"kind": "User", "name": mallory, "apiGroup": GROUP}],
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": format!("{}-restorer", rollcall.release)},
    }));
    let ours: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.namespace);
    ours.create(&PostParams::default(), &restorer).await.unwrap();
    eventually("who has the verb restore may", || async {
        (said(accounts.create(&rehearse, &object(meant.clone())).await) == "made").then_some(())
    })
    .await;
    for other in [denied, json!({"metadata": {"name": "seven", "annotations": {"rollcall.dev/restores": "p-8-cut"}}})] {
        assert!(said(accounts.create(&rehearse, &object(other)).await).contains(TOLD), "only what is said to be meant");
    }
    all.delete(&format!("{}-mallory", rollcall.release), &DeleteParams::default()).await.unwrap();
    assert!(admin.get_opt("seven").await.unwrap().is_none(), "nothing was made meanwhile");

    // Nobody but control says what is not to be made again.
    let more = Patch::Merge(json!({"spec": {"ended": {"User colleague": "p-8-cut"}}}));
    let told = said(lists.patch(names::ENDED, &PatchParams::default(), &more).await);
    assert!(told.contains("only rollcall control writes the list of what is not to be made again"), "{told}");
    let told = said(lists.delete(names::ENDED, &DeleteParams::default()).await);
    assert!(told.contains("nobody deletes it"), "{told}");

    rollcall.learn(&staff.person("7").active()).await;
    eventually("who is back is refused nothing", || async {
        let account = pipeline.applies_account("seven").await;
        let binding = pipeline.applies_binding("views", &[&seven]).await;
        (account == "made" && binding == "made").then_some(())
    })
    .await;
}
