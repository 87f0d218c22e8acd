//! Every file in `examples/` is applied, as a newcomer would, and Rollcall understands it.

use std::fs;
use std::path::{Path, PathBuf};

use kube::ResourceExt;
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::{HRConnection, SyncPolicy};
use serde_json::json;

use crate::support::chart::apply;
use crate::support::installation::{Consent, Installation};

#[tokio::test]
async fn every_example_is_taken_and_understood() {
    let hooks = json!({"hooks": {"enabled": true}});
    let mut rollcall = Installation::with("examples", &[("team-a", Consent::Accounts)], hooks).await;
    rollcall.connection = "hq".into(); // as the examples call it
    let _sync = rollcall.sync().await;
    let (overlays, base): (Vec<_>, Vec<_>) = files(Path::new("examples"))
        .into_iter()
        // Argo CD reads those (e2e/gitops.rs), and Kustomize these (e2e/kustomize.rs).
        .filter(|file| !file.starts_with("examples/argocd") && !file.starts_with("examples/kustomize"))
        .partition(|file| file.components().any(|part| part.as_os_str() == "overlays"));
    assert!(base.len() > 2 && overlays.len() > 1, "{base:?} {overlays:?}");

    for file in &base {
        as_applied(&rollcall, file);
    }
    rollcall.settles(rollcall.poll().await).await;
    let people = rollcall.all_persons().await;
    let people = people.iter().filter(|person| person.spec.records.iter().any(|record| record.connection == "hq"));
    assert_eq!(people.count(), 10, "everybody in the example's file");

    for file in &overlays {
        as_applied(&rollcall, file);
        rollcall.settles(rollcall.poll().await).await;
    }
    let policy = rollcall.api::<SyncPolicy>().get("everyone").await.unwrap();
    let scope = policy.status.and_then(|status| status.scope).map(|scope| (scope.included, scope.excluded));
    let excluded =
        [("departmentNotIncluded", 4), ("locationNotIncluded", 1), ("notSelected", 1), ("personExcluded", 1)];
    let excluded = excluded.map(|(reason, people)| (reason.to_owned(), people)).into();
    assert_eq!(scope, Some((3, excluded)), "of the last overlay, which has a scope");
    assert!(rollcall.all_revocations().await.is_empty(), "nobody in the examples has left");
    understood(&rollcall).await;
}

/// Applies a file with this installation's namespaces in the place of those it was written for.
fn as_applied(rollcall: &Installation, file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let text = text.replace("name: rollcall-archive", &format!("name: {}", rollcall.target("archive")));
    let text = text.replace("namespace: rollcall", &format!("namespace: {}", rollcall.namespace));
    apply(rollcall.cluster, &text.replace("team-a", &rollcall.target("team-a")));
}

/// No object waits for a human who wrote something wrong.
async fn understood(rollcall: &Installation) {
    let all = Default::default();
    let connections = rollcall.api::<HRConnection>().list(&all).await.unwrap().into_iter();
    let policies = rollcall.api::<SyncPolicy>().list(&all).await.unwrap().into_iter();
    let said = connections
        .map(|one| (one.name_any(), one.status.map(|status| status.conditions)))
        .chain(policies.map(|one| (one.name_any(), one.status.map(|status| status.conditions))));
    for (name, conditions) in said {
        let conditions = conditions.unwrap_or_else(|| panic!("{name} was looked at"));
        let stalled = conditions.iter().find(|c| c.is(ConditionType::Stalled, Status::True));
        assert!(stalled.is_none(), "{name}: {stalled:?}");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}
