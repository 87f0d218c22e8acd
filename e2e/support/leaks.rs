//! Looks for what must be nowhere: in logs, metrics, events, object names, conditions and records.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use rollcall::api::revocation::TargetKind;
use rollcall::api::{HRConnection, Person, Revocation, SyncPolicy, names};
use serde::Serialize;

use super::installation::Installation;

/// The places of this installation where one of the forbidden texts stands. The texts themselves are not given back.
pub async fn places(rollcall: &Installation, forbidden: &[(&str, String)]) -> Vec<String> {
    let texts = everything_said(rollcall).await;
    assert!(texts.len() > 10, "there is something to look at");
    let mut found = Vec::new();
    for (place, text) in &texts {
        for (what, word) in forbidden {
            assert!(word.len() > 5, "{what} is too short to look for");
            if text.to_lowercase().contains(&word.to_lowercase()) {
                found.push(format!("{what} in {place}"));
            }
        }
    }
    found
}

async fn everything_said(rollcall: &Installation) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for log in rollcall.logs() {
        said.push((log.display().to_string(), std::fs::read_to_string(&log).unwrap_or_default()));
    }
    for address in rollcall.listening() {
        let url = format!("http://{address}/metrics");
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        assert!(text.contains("# EOF") || text.contains("# TYPE"), "there are metrics at {url}");
        said.push((url, text));
    }
    let all = ListParams::default();
    for event in Api::<Event>::all(rollcall.admin.clone()).list(&all).await.unwrap() {
        said.push((format!("event {}", event.name_any()), json(&event)));
    }
    for namespace in Api::<Namespace>::all(rollcall.admin.clone()).list(&all).await.unwrap() {
        said.push(("the name of a namespace".into(), namespace.name_any()));
    }
    for connection in rollcall.api::<HRConnection>().list(&all).await.unwrap() {
        said.push((format!("status of connection {}", connection.name_any()), json(&connection.status)));
    }
    for policy in rollcall.api::<SyncPolicy>().list(&all).await.unwrap() {
        said.push((format!("status of policy {}", policy.name_any()), json(&policy.status)));
    }
    for person in rollcall.api::<Person>().list(&all).await.unwrap() {
        let status = person.status.clone().unwrap_or_default(); // aliases and profile are where a name belongs
        said.push(("person".into(), person.name_any() + &json(&status.conditions) + &json(&status.access)));
    }
    for revocation in rollcall.api::<Revocation>().list(&all).await.unwrap() {
        let mut status = revocation.status.clone().unwrap_or_default();
        status.kept.clear(); // manifests, kept whole
        status.plan.iter_mut().for_each(|plan| plan.usernames.clear()); // none of these may approve
        // What a freeze is about are user names.
        status.plan.iter_mut().for_each(|plan| plan.targets.retain(|target| target.kind != TargetKind::User));
        status.plan.iter_mut().for_each(|plan| plan.freezes.retain(|target| target.kind != TargetKind::User));
        let first = status.freeze.iter_mut();
        first.for_each(|freeze| freeze.verdicts.retain(|verdict| verdict.target.kind != TargetKind::User));
        status.verdicts.retain(|verdict| verdict.target.kind != TargetKind::User);
        said.push((format!("revocation {}", revocation.name_any()), revocation.name_any() + &json(&status)));
    }
    for map in rollcall.api::<ConfigMap>().list(&all.clone().labels(names::PART)).await.unwrap() {
        said.push((format!("ConfigMap {}", map.name_any()), map.name_any() + &json(&map.data)));
    }
    for secret in rollcall.api::<Secret>().list(&all.clone().labels(names::PART)).await.unwrap() {
        let values = secret.data.clone().unwrap_or_default().into_values();
        let text: String = values.map(|value| String::from_utf8_lossy(&value.0).into_owned()).collect();
        said.push((format!("Secret {}", secret.name_any()), secret.name_any() + &text));
    }
    for lease in rollcall.api::<Lease>().list(&all).await.unwrap() {
        said.push((format!("Lease {}", lease.name_any()), json(&lease)));
    }
    said
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}
