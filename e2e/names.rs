//! Names are data: whatever a binding is called, it is that binding that is ended, and nothing else.

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use rollcall::api::revocation::{Operation, Phase, VerdictKind};
use serde_json::{Value, json};

use crate::support::installation::{Consent, Installation, a_day, suffix};
use crate::support::objects::object;
use crate::support::tokens::{mint_unbound, refused, still_works};

/// Names that mean something in a path, in a query, in a selector, or to a shell, and long ones. The API server takes all
/// of them for a binding.
fn odd_names() -> Vec<String> {
    let odd = [
        "mine?x",
        "mine#x",
        "mine x",
        " mine",
        "..x",
        "...",
        ".x",
        "a..b",
        "c:d",
        "a+b",
        "a&b=c",
        "a;b",
        "a,b=c\\d",
        "watch",
        "\"q\"",
        "x\ty",
        "ünï",
        "mine?resourceVersion=0",
        "mine;",
    ];
    odd.iter().map(|name| (*name).to_owned()).chain([300, 1024].map(|length| "x".repeat(length))).collect()
}

fn bound(name: &str, user: &str) -> Value {
    let group = "rbac.authorization.k8s.io";
    json!({
        "metadata": {"name": name},
        "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
    })
}

#[tokio::test]
async fn a_binding_is_ended_whatever_it_is_called_and_what_its_name_alludes_to_is_not() {
    let targets = [("apps", Consent::Accounts), ("elsewhere", Consent::Accounts), ("far", Consent::Accounts)];
    let rollcall = Installation::with("names", &targets, json!({"clusterBindings": true})).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"limits": {"objects": a_day(200)}})).await;
    let (ada, ben) = (rollcall.user("7"), rollcall.user("8"));
    let bindings: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("apps"));
    let cluster: Api<ClusterRoleBinding> = Api::all(rollcall.admin.clone());
    let ours = suffix();
    for name in odd_names() {
        bindings.create(&PostParams::default(), &object(bound(&name, &ada))).await.unwrap();
        // those of the whole cluster lie beside those of other stories
        let named = format!("{}{ours}", name.chars().take(1018).collect::<String>());
        cluster.create(&PostParams::default(), &object(bound(&named, &ada))).await.unwrap();
    }
    for alluded in ["mine", "x", "a"] {
        rollcall.bind_users("apps", alluded, std::slice::from_ref(&ben)).await;
    }
    let accounts = ["a.b".to_owned(), "a-1.b-2.c".to_owned(), "y".repeat(253)];
    let mut tokens = Vec::new();
    for name in &accounts {
        rollcall.account_of("7", "apps", name).await;
        tokens.push(mint_unbound(&rollcall.admin, &rollcall.target("apps"), name).await);
    }
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    assert!(rollcall.may_look(&ada, "apps").await && rollcall.may_look(&ada, "elsewhere").await, "before");

    rollcall.learn(&staff.person("7").terminated()).await;
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await.status.unwrap();

    assert!(!rollcall.may_look(&ada, "apps").await, "no right is left in the namespace");
    assert!(!rollcall.may_look(&ada, "elsewhere").await, "no right is left in the cluster");
    for token in &tokens {
        refused("a token of an account with dots, or with a long name", token).await;
    }
    assert!(rollcall.may_look(&ben, "apps").await, "what a name alludes to is somebody else's");
    assert_eq!(bindings.list(&Default::default()).await.unwrap().items.len(), 3 + consents(&bindings).await);
    assert_eq!(cut.verdicts.len(), 2 * odd_names().len() + accounts.len(), "a verdict on every one");
    let proved = |verdict| matches!(verdict, VerdictKind::Observed | VerdictKind::Implied);
    assert!(cut.verdicts.iter().all(|verdict| proved(verdict.verdict)));
}

/// How many bindings are consents, which the chart made.
async fn consents(bindings: &Api<RoleBinding>) -> usize {
    let of_chart = kube::api::ListParams::default().labels("app.kubernetes.io/name=rollcall");
    bindings.list(&of_chart).await.unwrap().items.len()
}

#[tokio::test]
async fn a_name_that_no_plan_can_hold_remains_and_holds_nobody() {
    let rollcall = Installation::new("endless", &[("apps", Consent::Accounts), ("far", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let (ada, ben) = (rollcall.user("7"), rollcall.user("8"));
    let far: Api<RoleBinding> = Api::namespaced(rollcall.admin.clone(), &rollcall.target("far"));
    for length in [1025, 2000, 60_000] {
        far.create(&PostParams::default(), &object(bound(&"x".repeat(length), &ada))).await.unwrap();
    }
    // subjects may name what no account can be called: asked for, they would be other paths
    let mut shared = bound("shared", &ada);
    for odd in ["system:serviceaccount:a/../b:..", "system:serviceaccount::", "system:serviceaccount:a?b:c#d"] {
        let more = json!({"kind": "User", "name": odd, "apiGroup": "rbac.authorization.k8s.io"});
        shared["subjects"].as_array_mut().unwrap().push(more);
    }
    far.create(&PostParams::default(), &object(shared)).await.unwrap();
    rollcall.bind_users("apps", "ada", std::slice::from_ref(&ada)).await;
    rollcall.bind_users("apps", "ben", std::slice::from_ref(&ben)).await;
    rollcall.account_of("7", "apps", "seven").await;
    let token = mint_unbound(&rollcall.admin, &rollcall.target("apps"), "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    assert!(still_works(&token, &rollcall.target("apps"), "seven").await, "before");

    rollcall.learn(&staff.person("7").terminated().person("8").terminated()).await;

    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    refused("the token of who owns what no plan can hold", &token).await;
    assert!(!rollcall.may_look(&ada, "apps").await && !rollcall.may_look(&ben, "apps").await);
    let mut why: Vec<String> =
        cut.status.as_ref().unwrap().plan.as_ref().unwrap().remaining.iter().map(|left| left.why.clone()).collect();
    why.sort();
    assert_eq!(why, ["NameTooLong", "NameTooLong", "NameTooLong", "SharedBinding"], "{}", cut.name_any());
    assert!(rollcall.may_look(&ada, "far").await, "and it is said, because it still works");
}
