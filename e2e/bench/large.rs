//! A company of a hundred thousand people, of whom some hundreds own something in the cluster.

use std::time::{Duration, Instant};

use rollcall::api::person::State;
use serde_json::json;

use super::support::files::FileServer;
use super::support::installation::{Consent, Installation};
use super::support::measures::writes_of;
use super::support::waiting::within;
use super::{Figure, memory_of, written};

/// People whom HR names.
const PEOPLE: u32 = 100_000;
/// Those of them who own an account.
const OWNERS: u32 = 300;

/// What sync costs with them, and how long a leaver waits for a sync that has just started.
pub async fn figures() -> Vec<Figure> {
    let rollcall = Installation::new("bench-large", &[("apps", Consent::Accounts)]).await;
    for id in 0..OWNERS {
        rollcall.account_of(&id.to_string(), "apps", &format!("account-{id}")).await;
    }
    let sync = rollcall.sync().await;
    let staff = rollcall.staff(0..PEOPLE);
    let files = FileServer::serving(staff.csv()).await;
    rollcall
        .connect(json!({"source": {"file": {"from": {"configMap": null, "http": {"url": files.url}}}},
                        "network": {"allowPrivateAddresses": true}}))
        .await;
    let begun = Instant::now();
    rollcall.policy(json!({"materialize": "CredentialHolders", "maxPeople": PEOPLE})).await;
    written(&rollcall).await;
    let first = begun.elapsed();
    assert_eq!(rollcall.all_persons().await.len(), OWNERS as usize);
    let memory = memory_of(&sync);
    let before = writes_of(&rollcall.admin, "people").await;
    rollcall.settles(rollcall.poll().await).await;
    let idle = writes_of(&rollcall.admin, "people").await - before;

    drop(sync);
    files.answers(200, "text/csv", staff.person("7").terminated().csv());
    let begun = Instant::now();
    let _sync = rollcall.sync().await;
    rollcall.poll().await; // the schedule is an hour
    within(Duration::from_secs(120), "the leaver is known", || async {
        let employment = rollcall.person("7").await?.status?.employment?;
        (employment.state == State::Terminated).then_some(())
    })
    .await;
    let restart = begun.elapsed();
    let seconds = |figure, value: Duration, bar| Figure { figure, value: value.as_secs_f64(), unit: "s", bar };
    vec![
        seconds("100,000 people, 300 owners: policy applied → written", first, None),
        Figure {
            figure: "100,000 people: Person writes of a sync with no change",
            value: idle as f64,
            unit: "writes",
            bar: Some(("at most", 0.0)),
        },
        Figure { figure: "100,000 people: memory of sync", value: memory, unit: "MiB", bar: Some(("at most", 400.0)) },
        seconds("100,000 people: start → first leaver known", restart, Some(("at most", 20.0))),
    ]
}
