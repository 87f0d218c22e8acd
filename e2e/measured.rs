//! What sync and control say of themselves: it is there from the start, says what waits for whom, and goes with what it is about.

use kube::Api;
use kube::api::{Patch, PatchParams};
use rollcall::api::{HRConnection, SyncPolicy};
use serde_json::json;

use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::waiting::eventually;

/// Waits until one of the processes at these addresses says this line, and gives everything that it says.
async fn says(addresses: &[String], line: &str) -> String {
    eventually(&format!("somebody says {line}"), || async {
        for address in addresses {
            let Ok(answer) = reqwest::get(format!("http://{address}/metrics")).await else { continue };
            let text = answer.text().await.unwrap();
            if text.lines().any(|said| said.starts_with(line)) {
                return Some(text);
            }
        }
        None
    })
    .await
}

#[tokio::test]
async fn what_has_not_happened_is_none_and_what_only_observes_waits_for_nobody() {
    let rollcall = Installation::new("measured", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"mode": "Observe", "revocation": {"hooks": [{"cronJob": "notify-siem"}]}})).await;
    let listening = rollcall.listening();
    for line in [
        r#"rollcall_leaver_release_seconds_count{policy="everyone"} 0"#,
        r#"rollcall_hooks_ended_total{hook="notify-siem",outcome="TimedOut"} 0"#,
        r#"rollcall_revocations_held{reason="OverLimit"} 0"#,
    ] {
        says(&listening, line).await;
    }

    rollcall.account_of("7", "apps", "seven").await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    says(&listening, r#"rollcall_leaver_reported_late_seconds_count{policy="everyone"} 0"#).await;
    rollcall.learn(&staff.person("7").terminated()).await;
    let text = says(&listening, r#"rollcall_revocations_held{reason="Observe"} 1"#).await;
    assert!(text.contains(r#"rollcall_revocations{phase="Held"} 1"#), "{text}");
    for line in text.lines().filter(|line| line.starts_with("rollcall_revocations_held{") && !line.contains("Observe"))
    {
        assert!(line.ends_with(" 0"), "nobody is asked for an approval: {line}");
    }
    let policies: Api<SyncPolicy> = rollcall.api();
    let enforced = json!({"spec": {"mode": "Enforce"}});
    policies.patch(POLICY, &PatchParams::default(), &Patch::Merge(&enforced)).await.unwrap();
    says(&listening, r#"rollcall_revocations_held{reason="Observe"} 0"#).await;
}

#[tokio::test]
async fn when_a_source_was_last_trusted_is_known_after_a_restart_and_forgotten_with_its_connection() {
    let rollcall = Installation::new("silent", &[]).await;
    let sync = rollcall.sync().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    let staff = rollcall.staff(1..4);
    rollcall.learn(&staff).await;
    let connection = rollcall.connection.clone();
    let trusted = format!("rollcall_connection_last_success_timestamp_seconds{{connection=\"{connection}\"}}");
    let before = says(&rollcall.listening(), &trusted).await;
    drop(sync);

    let _again = rollcall.sync().await;
    let last = rollcall.listening().pop().unwrap();
    let text = says(std::slice::from_ref(&last), &trusted).await;
    let said = |text: &str| text.lines().find(|line| line.starts_with(&trusted)).unwrap().to_owned();
    assert_eq!(said(&text), said(&before), "it was read before, and not again");
    assert!(!text.contains("rollcall_connection_polls_total{"), "{text}");

    let connections: Api<HRConnection> = rollcall.api();
    let often = json!({"spec": {"schedule": {"every": "10s"}}});
    connections.patch(&connection, &PatchParams::default(), &Patch::Merge(&often)).await.unwrap();
    says(std::slice::from_ref(&last), "rollcall_connection_polls_total{").await;
    connections.delete(&connection, &Default::default()).await.unwrap();
    eventually("nobody is alarmed by a connection that is gone", || async {
        let text = reqwest::get(format!("http://{last}/metrics")).await.ok()?.text().await.ok()?;
        (!text.contains(&trusted)).then_some(())
    })
    .await;
}
