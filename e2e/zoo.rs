//! Every kind of access that a person can have: what the plan predicts of it is what the API server answers afterwards, and
//! what the documentation says.

use rollcall::api::SyncPolicy;
use serde_json::json;

use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::waiting::eventually;
use crate::support::zoo::{Fate, Told, installed, tell};

/// The table of `docs/leaving.md`.
const PAGE: &str = include_str!("../docs/leaving.md");

/// The rows of the table that begins with these columns: first and second cell.
fn rows(page: &str, header: &str) -> Vec<(String, String)> {
    let table = page.lines().skip_while(|line| !line.starts_with(header)).skip(2);
    let table = table.take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    table.map(|line| (cells(line)[1].clone(), cells(line)[2].clone())).collect()
}

#[tokio::test]
async fn every_kind_of_access_ends_or_remains_as_the_plan_predicts_and_the_documentation_says() {
    let (rollcall, _running) = installed("zoo").await;
    let outcome = tell(&rollcall).await;
    assert_eq!(outcome.plans[0], outcome.plans[1], "the plan that was shown before is the plan that was carried out");
    let wrong: Vec<_> = outcome.told.iter().filter(|one| one.predicted.is_refused() == one.works).collect();
    let say = |one: &&Told| format!("{}: predicted {}, works afterwards: {}", one.words, one.predicted, one.works);
    assert!(wrong.is_empty(), "{:#?}", wrong.iter().map(say).collect::<Vec<_>>());
    let unseen: Vec<_> = outcome.told.iter().filter(|one| one.predicted == Fate::Unseen).map(|one| one.words).collect();
    assert!(unseen.is_empty(), "the plan does not mention {unseen:#?}");
    assert!(outcome.told.len() >= 20, "{} kinds", outcome.told.len());
    let seen: Vec<_> = outcome.told.iter().map(|one| (one.words.to_owned(), one.predicted.to_string())).collect();
    assert_eq!(seen, rows(PAGE, "| kind of access |"), "docs/leaving.md has these rows");
}

#[tokio::test]
async fn a_plan_is_drawn_by_the_callers_own_rights_and_says_what_they_may_not_read() {
    let (rollcall, _running, _staff) = Installation::with_seven("plan", Consent::Accounts, json!({})).await;
    let (whom, viewer) = (format!("{}/7", rollcall.connection), format!("{}-viewer", rollcall.namespace));
    let all = eventually("control has written what namespaces consent to", || async {
        let all = rollcall.succeeds(&["plan", &whom]);
        (!all.contains("Control has not written yet")).then_some(all)
    })
    .await;
    let ends =
        all.lines().any(|line| line.starts_with(" at the cut") && line.contains("/seven") && line.contains("Recreate"));
    assert!(ends, "{all}");
    assert!(all.contains("None would hold it."), "{all}");
    let refused = rollcall.fails(&["plan", &whom, "--as", &viewer]);
    assert!(refused.contains("cannot list"), "in the API server's words: {refused}");

    let kubectl = |arguments: &[&str]| {
        let output = rollcall.cluster.kubectl().args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let (role, user) = (format!("--clusterrole={}-viewer", rollcall.release), format!("--user={viewer}"));
    kubectl(&["create", "rolebinding", &viewer, &role, &user, "--namespace", &rollcall.namespace]);
    let resources = "--resource=serviceaccounts,rolebindings,clusterrolebindings";
    kubectl(&["create", "clusterrole", &viewer, "--verb=list", resources]);
    kubectl(&["create", "clusterrolebinding", &viewer, &format!("--clusterrole={viewer}"), &user]);
    let some = eventually("the viewer may ask", || async {
        let output = rollcall.says(&["plan", &whom, "--as", &viewer]);
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    })
    .await;
    for missing in ["roles and clusterroles", "list Secrets", "certificatesigningrequests", "what runs in"] {
        assert!(some.contains(missing), "{missing}: {some}");
    }
    assert!(some.contains("UnknownConsumers"), "nobody knows whether something runs as it: {some}");
    kubectl(&["delete", "clusterrole,clusterrolebinding", &viewer]);

    let file = rollcall.directory().join("policy.json");
    let mut policy = serde_json::to_value(rollcall.api::<SyncPolicy>().get(POLICY).await.unwrap()).unwrap();
    policy["spec"]["mode"] = json!("Observe");
    std::fs::write(&file, policy.to_string()).unwrap();
    let changed = rollcall.succeeds(&["plan", &whom, "--policy", file.to_str().unwrap()]);
    assert!(changed.contains("  Observe: ") && changed.contains(" held "), "{changed}");
}
