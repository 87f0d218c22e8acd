//! Whose something is: the guard of what was said, rule by rule; what nobody owns, and what else says whose it may be.

use std::collections::BTreeSet;

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, RoleBinding};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use rollcall::api::names;
use rollcall::api::revocation::Phase;
use serde_json::{Value, json};

use crate::refusals::refusal;
use crate::shed::{accounts_of, first_cut, left, until_it_stands};
use crate::support::chart::feed;
use crate::support::installation::{Consent, Installation};
use crate::support::objects::object;
use crate::support::proxy::{Fault, Proxy};
use crate::support::tokens::{legacy_secret_token, mint_unbound, still_works};
use crate::support::waiting::eventually;

const OWNER: &str = "the annotation rollcall.dev/owner, once set, is changed or removed with the verb \"reassign\"";
const PURPOSE: &str =
    "of what has an owner, the annotation rollcall.dev/purpose and the label rollcall.dev/break-glass";
const BACKUP: &str = "the annotations rollcall.dev/backup-owner and rollcall.dev/team, once set";

/// Binds a ClusterRole in a target to a user, as an admin.
pub async fn bind(rollcall: &Installation, target: &str, role: &str, user: &str) -> RoleBinding {
    let group = "rbac.authorization.k8s.io";
    let binding: RoleBinding = object(json!({
        "metadata": {"generateName": format!("{role}-")},
        "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
    }));
    Api::namespaced(rollcall.admin.clone(), &rollcall.target(target))
        .create(&PostParams::default(), &binding)
        .await
        .unwrap()
}

/// Binds a ClusterRole everywhere: each story's guard asks in its own namespace, and stories share a cluster.
pub async fn bind_everywhere(rollcall: &Installation, role: &str, user: &str) {
    let group = "rbac.authorization.k8s.io";
    let binding: ClusterRoleBinding = object(json!({
        "metadata": {"generateName": format!("{}-", rollcall.release)},
        "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
    }));
    Api::all(rollcall.admin.clone()).create(&PostParams::default(), &binding).await.unwrap();
}

/// A change of annotations.
pub fn annotated(annotations: Value) -> Value {
    json!({"metadata": {"annotations": annotations}})
}

/// What a rehearsed change is refused with; nothing if it is not.
async fn changes<K>(api: &Api<K>, name: &str, change: Value) -> Option<String>
where
    K: Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let rehearsal = PatchParams { dry_run: true, ..PatchParams::default() };
    let answer = api.patch(name, &rehearsal, &Patch::Merge(change.clone())).await;
    if answer.is_ok() {
        return None;
    }
    let (layer, said) = refusal(&change.to_string(), answer);
    assert_eq!(layer, "policy", "{change}: {said}");
    Some(said)
}

/// Somebody who may edit everything that may be owned, but for the verb.
async fn editor(rollcall: &Installation, user: &str) -> Client {
    bind(rollcall, "apps", "edit", user).await;
    let role: ClusterRole = object(json!({
        "metadata": {"name": format!("{}-namespaces", rollcall.release)},
        "rules": [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "patch", "update"]}],
    }));
    Api::all(rollcall.admin.clone()).create(&PostParams::default(), &role).await.unwrap();
    bind_everywhere(rollcall, &role.metadata.name.unwrap(), user).await;
    rollcall.cluster.acting_as(user, &["system:authenticated"]).await
}

#[tokio::test]
async fn each_rule_of_the_guard_stops_a_change_that_no_other_rule_stops() {
    let rollcall = Installation::new("guarded", &[("apps", Consent::Accounts)]).await;
    let (apps, leaver) = (rollcall.target("apps"), rollcall.user("7"));
    let owned = json!({names::OWNER: rollcall.mark("7"), "rollcall.dev/backup-owner": rollcall.mark("9"), "rollcall.dev/team": "apps"});
    let admins: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &apps);
    for (name, annotations) in
        [("owned", owned.clone()), ("free", json!(null)), ("team", json!({"rollcall.dev/team": "apps"}))]
    {
        let account = object(json!({"metadata": {"name": name, "annotations": annotations}}));
        admins.create(&PostParams::default(), &account).await.unwrap();
    }
    let secret: Secret = object(json!({"metadata": {"name": "owned", "annotations": owned}}));
    Api::namespaced(rollcall.admin.clone(), &apps).create(&PostParams::default(), &secret).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(rollcall.admin.clone());
    let mine = annotated(json!({names::OWNER: rollcall.mark("7")}));
    namespaces.patch(&apps, &PatchParams::default(), &Patch::Merge(&mine)).await.unwrap();

    let client = editor(&rollcall, &leaver).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &apps);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &apps);
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let moved = || annotated(json!({names::OWNER: rollcall.mark("8")}));
    let removed = || annotated(json!({names::OWNER: null}));
    let mut rows = vec![
        ("moved to a colleague", OWNER, changes(&accounts, "owned", moved()).await),
        ("removed", OWNER, changes(&accounts, "owned", removed()).await),
        ("emptied", OWNER, changes(&accounts, "owned", annotated(json!({names::OWNER: ""}))).await),
        ("all annotations removed", OWNER, changes(&accounts, "owned", annotated(json!(null))).await),
        ("of a Secret", OWNER, changes(&secrets, "owned", removed()).await),
        ("of a namespace", OWNER, changes(&namespaces, &apps, moved()).await),
        (
            "said to be a workload's",
            PURPOSE,
            changes(&accounts, "owned", annotated(json!({names::PURPOSE: "workload"}))).await,
        ),
        (
            "said to be break-glass",
            PURPOSE,
            changes(&accounts, "owned", json!({"metadata": {"labels": {names::BREAK_GLASS: "yes"}}})).await,
        ),
    ];
    for (what, change) in [
        ("another backup", json!({"rollcall.dev/backup-owner": rollcall.mark("7")})),
        ("no team", json!({"rollcall.dev/team": null})),
    ] {
        rows.push((what, BACKUP, changes(&accounts, "owned", annotated(change)).await));
    }
    rows.push((
        "no team, and no owner",
        BACKUP,
        changes(&accounts, "team", annotated(json!({"rollcall.dev/team": null}))).await,
    ));
    for (what, rule, said) in &rows {
        assert!(said.as_ref().is_some_and(|said| said.contains(rule)), "{what}: {said:?}");
    }

    for (what, said) in [
        ("the same again", changes(&accounts, "owned", annotated(json!({names::OWNER: rollcall.mark("7")}))).await),
        ("another annotation", changes(&accounts, "owned", annotated(json!({"example.com/note": "x"}))).await),
        ("said for the first time", changes(&accounts, "free", moved()).await),
        (
            "a purpose of what nobody owns",
            changes(&accounts, "free", annotated(json!({names::PURPOSE: "workload"}))).await,
        ),
    ] {
        assert_eq!(said, None, "{what}");
    }
    accounts
        .delete("owned", &DeleteParams { dry_run: true, ..DeleteParams::default() })
        .await
        .expect("deleting ends tokens");

    let reassigner = rollcall.user("9");
    bind(&rollcall, "apps", "edit", &reassigner).await;
    bind_everywhere(&rollcall, &format!("{}-reassigner", rollcall.release), &reassigner).await;
    let client = rollcall.cluster.acting_as(&reassigner, &["system:authenticated"]).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(client, &apps);
    for change in [moved(), removed(), annotated(json!({names::PURPOSE: "workload", "rollcall.dev/team": null}))] {
        assert_eq!(changes(&accounts, "owned", change).await, None, "with the verb");
    }

    let policies: Api<ValidatingAdmissionPolicy> = Api::all(rollcall.admin.clone());
    let guard = policies.get(&format!("{}-ownership", rollcall.release)).await.unwrap();
    let written: BTreeSet<String> =
        guard.spec.unwrap().validations.unwrap().into_iter().filter_map(|rule| rule.message).collect();
    let attacked: BTreeSet<&str> = rows.iter().map(|(_, rule, _)| *rule).collect();
    assert_eq!(written.len(), attacked.len());
    assert!(
        written.iter().all(|message| attacked.iter().any(|rule| message.contains(rule))),
        "every rule has its attack"
    );
}

/// What `coverage` says of a namespace: kind and name, why, and the owner that it suggests.
fn unowned(rollcall: &Installation, target: &str) -> BTreeSet<String> {
    let said = rollcall.succeeds(&["coverage", "--of", &rollcall.target(target), "-o", "json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    let row = |one: &Value| {
        let word = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
        format!("{} {}: {}, {}", word("kind"), word("name"), word("why"), word("suggested"))
    };
    said["unowned"].as_array().unwrap().iter().map(row).collect()
}

/// The owner annotation of an account.
async fn owner_of(rollcall: &Installation, target: &str, name: &str) -> Option<String> {
    rollcall.get_account(target, name).await?.metadata.annotations?.remove(names::OWNER)
}

#[tokio::test]
async fn what_nobody_owns_is_listed_with_suggestions_that_are_written_and_other_sources_alone_end_nothing() {
    let rollcall = Installation::new("cover", &[("apps", Consent::Accounts), ("web", Consent::Accounts)]).await;
    let apps = rollcall.target("apps");
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    let domain = rollcall.address("8").split_once('@').unwrap().1.to_owned();
    let catalogue = format!(
        "kind: Component\nmetadata: {{name: shop}}\nspec: {{owner: user:nine}}\n---\nkind: User\nmetadata: {{name: nine}}\nspec: {{profile: {{email: {}}}}}\n",
        rollcall.address("9")
    );
    let map: ConfigMap = object(json!({"metadata": {"name": "backstage"}, "data": {"all.yaml": catalogue}}));
    rollcall.api::<ConfigMap>().create(&PostParams::default(), &map).await.unwrap();
    rollcall
        .policy(json!({"identity": {"ownership": [
            {"from": "Namespace"},
            {"from": "Label", "key": "example.com/owner", "owner": format!("{{}}@{domain}")},
            {"from": "ManagedFields"},
            {"from": "Catalogue", "configMap": "backstage"},
        ]}}))
        .await;
    let namespaces: Api<Namespace> = Api::all(rollcall.admin.clone());
    let web = annotated(json!({names::OWNER: rollcall.mark("7")}));
    namespaces.patch(&rollcall.target("web"), &PatchParams::default(), &Patch::Merge(&web)).await.unwrap();
    let labelled = json!({"example.com/owner": "person-8"});
    for (target, name, labels) in [
        ("apps", "labelled", labelled.clone()),
        ("apps", "weak", labelled.clone()),
        ("apps", "catalogued", json!({"backstage.io/kubernetes-id": "shop"})),
        ("apps", "bare", json!(null)),
        ("web", "disputed", labelled),
    ] {
        let account: ServiceAccount = object(json!({"metadata": {"name": name, "labels": labels}}));
        let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target(target));
        accounts.create(&PostParams::default(), &account).await.unwrap();
    }
    let managed: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &apps);
    let by_eight = PostParams { field_manager: Some(rollcall.user("8")), ..PostParams::default() };
    managed
        .create(&by_eight, &object(json!({"metadata": {"name": "managed", "labels": {"tier": "tools"}}})))
        .await
        .unwrap();
    rollcall.account_of("7", "apps", "sevens").await;
    rollcall.bind_users("apps", "stranger", &[rollcall.user("99")]).await;
    legacy_secret_token(&rollcall.admin, &apps, "bare").await;
    let weak = mint_unbound(&rollcall.admin, &apps, "weak").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;

    let (eight, nine) = (rollcall.mark("8"), rollcall.mark("9"));
    let mut expected = BTreeSet::from([
        "RoleBinding stranger: UnknownUser, -".to_owned(),
        "Secret bare-legacy: AccountUnowned, -".to_owned(),
        "ServiceAccount bare: NoOwner, -".to_owned(),
        format!("ServiceAccount catalogued: NoOwner, {nine}"),
        format!("ServiceAccount labelled: NoOwner, {eight}"),
        format!("ServiceAccount managed: NoOwner, {eight}"),
        format!("ServiceAccount weak: NoOwner, {eight}"),
    ]);
    assert_eq!(unowned(&rollcall, "apps"), expected);
    assert_eq!(unowned(&rollcall, "web"), BTreeSet::from(["ServiceAccount disputed: NoOwner, -".to_owned()]));
    let table = rollcall.succeeds(&["coverage", "--of", &apps]);
    assert!(table.contains("a label of the account") && !table.contains(&domain), "HR ids stand for people: {table}");

    let labelled = rollcall.get_account("apps", "labelled").await.unwrap();
    until_it_stands(&rollcall, &labelled).await;

    // The suggestions as a file, of which a pipeline applies one document; and an account of which a human knows whose it is.
    let file = rollcall.succeeds(&["own", "--suggest"]);
    let document = file.split("\n---\n").find(|document| document.contains("name: labelled")).unwrap();
    let mut apply = rollcall.cluster.kubectl();
    apply.args(["apply", "--server-side", "--field-manager", "owners", "-f", "-"]);
    feed(apply, document);
    assert_eq!(owner_of(&rollcall, "apps", "labelled").await, Some(eight.clone()));
    rollcall.succeeds(&["own", &format!("{apps}/bare"), "--owner", &rollcall.address("9"), "--yes"]);
    assert_eq!(owner_of(&rollcall, "apps", "bare").await, Some(rollcall.address("9")));
    let said = rollcall.fails(&["own", &format!("{apps}/bare"), "--owner", &rollcall.address("99"), "--yes"]);
    assert!(said.contains("there is no Person"), "{said}");
    for owned in [
        "ServiceAccount bare: NoOwner, -".to_owned(),
        "Secret bare-legacy: AccountUnowned, -".to_owned(),
        format!("ServiceAccount labelled: NoOwner, {eight}"),
    ] {
        assert!(expected.remove(&owned));
    }
    assert_eq!(unowned(&rollcall, "apps"), expected);

    rollcall.learn(&staff.person("8").terminated()).await;
    let cut = first_cut(&rollcall, "8", Phase::Revoked).await;
    let left: BTreeSet<String> = left(&cut).into_iter().filter(|left| !left.starts_with("FreshMark ")).collect();
    let expected = [
        format!("OwnedByLabel ServiceAccount {apps}/weak"),
        format!("OwnedByManager ServiceAccount {apps}/managed"),
        format!("SourcesDisagree ServiceAccount {}/disputed", rollcall.target("web")),
    ];
    assert_eq!(left, BTreeSet::from(expected));
    let late = rollcall.waits_for("8", "Late").await;
    assert_eq!(accounts_of(&late), ["labelled"], "a mark that was written lately waits for an approval");
    assert!(still_works(&weak, &apps, "weak").await, "nothing ends by it");
}

#[tokio::test]
async fn suggested_owners_are_written_with_the_humans_own_rights_and_not_over_what_was_said_meanwhile() {
    let targets = [("apps", Consent::Accounts), ("desk", Consent::None), ("web", Consent::Accounts)];
    let rollcall = Installation::new("own-apply", &targets).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    let domain = rollcall.address("8").split_once('@').unwrap().1.to_owned();
    let label = json!({"from": "Label", "key": "example.com/belongs-to", "owner": format!("{{}}@{domain}")});
    rollcall.policy(json!({"identity": {"ownership": [label]}})).await;
    for (target, name) in [("apps", "tagged"), ("apps", "meanwhile"), ("web", "elsewhere")] {
        let account: ServiceAccount =
            object(json!({"metadata": {"name": name, "labels": {"example.com/belongs-to": "person-8"}}}));
        let accounts: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target(target));
        accounts.create(&PostParams::default(), &account).await.unwrap();
    }
    rollcall.learn(&rollcall.staff(1..11)).await;

    // A clerk who may see everything there is to see here, and change what is in apps.
    rollcall.account("desk", "clerk", None).await;
    let clerk = format!("system:serviceaccount:{}:clerk", rollcall.target("desk"));
    for role in ["view".to_owned(), format!("{}-viewer", rollcall.release)] {
        bind_everywhere(&rollcall, &role, &clerk).await;
    }
    let rbac: ClusterRole = object(json!({
        "metadata": {"name": format!("{}-bindings", rollcall.release)},
        "rules": [{"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["rolebindings", "clusterrolebindings"], "verbs": ["list"]}],
    }));
    Api::all(rollcall.admin.clone()).create(&PostParams::default(), &rbac).await.unwrap();
    bind_everywhere(&rollcall, &rbac.metadata.name.unwrap(), &clerk).await;
    bind(&rollcall, "apps", "edit", &clerk).await;
    let acting = rollcall.cluster.acting_as(&clerk, &["system:authenticated"]).await;
    let apps: Api<ServiceAccount> = Api::namespaced(acting, &rollcall.target("apps"));
    eventually("the clerk may change what is in apps", || async {
        changes_or_refused(&apps, "tagged").await.then_some(())
    })
    .await;

    let proxy = Proxy::open().await;
    proxy.fails_by(Fault::HoldReads("/serviceaccounts/meanwhile"));
    let desk = rollcall.target("desk");
    let arguments = ["own", "--suggest", "--apply", "--yes", "--namespace", &rollcall.namespace];
    let written = rollcall.runs_through(&proxy.url, &desk, "clerk", &arguments);
    let said_meanwhile = async {
        eventually("the command looks at the second account", || async {
            proxy.calls().iter().any(|call| call.ends_with("/serviceaccounts/meanwhile")).then_some(())
        })
        .await;
        let nine = annotated(json!({names::OWNER: rollcall.mark("9")}));
        let admins: Api<ServiceAccount> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
        admins.patch("meanwhile", &PatchParams::default(), &Patch::Merge(&nine)).await.unwrap();
        proxy.fails_by(Fault::None);
    };
    let ((succeeded, said), ()) = tokio::join!(written, said_meanwhile);
    assert!(!succeeded && said.contains("forbidden"), "what is in web is not the clerk's to change: {said}");
    assert!(said.contains("somebody has said whose it is, and it is left alone"), "{said}");
    assert_eq!(owner_of(&rollcall, "apps", "tagged").await, Some(rollcall.mark("8")));
    assert_eq!(owner_of(&rollcall, "apps", "meanwhile").await, Some(rollcall.mark("9")), "said meanwhile");
    assert_eq!(owner_of(&rollcall, "web", "elsewhere").await, None);
    let account = rollcall.get_account("apps", "tagged").await.unwrap();
    let manager = |one: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry| one.manager.clone();
    let managers: Vec<_> = account.metadata.managed_fields.iter().flatten().filter_map(manager).collect();
    assert!(managers.contains(&"kubectl-rollcall".to_owned()), "a pipeline sees who wrote it: {managers:?}");
}

/// Whether a change is let through by RBAC.
async fn changes_or_refused(api: &Api<ServiceAccount>, name: &str) -> bool {
    let rehearsal = PatchParams { dry_run: true, ..PatchParams::default() };
    api.patch(name, &rehearsal, &Patch::Merge(&annotated(json!({"example.com/note": "x"})))).await.is_ok()
}

#[tokio::test]
async fn a_leaver_who_is_seen_for_the_first_time_and_owns_nothing_but_a_secret_gets_a_person() {
    let rollcall = Installation::new("holder", &[("apps", Consent::Secrets)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.learn(&rollcall.staff(1..11)).await;
    let secret: Secret =
        object(json!({"metadata": {"name": "db", "annotations": {names::OWNER: rollcall.mark("11")}}}));
    Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"))
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    let told = eventually("control writes who owns Secrets", || async {
        rollcall.api::<ConfigMap>().get_opt("rollcall-owners-of-secrets").await.unwrap()?.data?.remove("owners")
    })
    .await;
    assert!(!told.contains(&rollcall.connection), "digests name nobody: {told}");
    let left = rollcall.staff(1..13).person("11").terminated().person("12").terminated();
    rollcall.learn(&left).await;
    eventually("the one who owns a Secret has a Person", || async { rollcall.person("11").await }).await;
    assert!(rollcall.person("12").await.is_none(), "who owns nothing has none");
}
