//! A company of a hundred thousand people: some hundreds of them own something in the cluster and have a Person, or everybody has.

use std::time::{Duration, Instant};

use kube::api::{Api, ListParams};
use rollcall::api::person::State;
use rollcall::api::revocation::Operation;
use rollcall::api::{Person, Revocation, SyncPolicy};
use serde_json::json;

use super::support::files::FileServer;
use super::support::installation::{Consent, Installation, POLICY};
use super::support::waiting::within;
use super::{Figure, bare_writes, idle_writes, memory_of, peak_of, written};

/// People whom HR names.
const PEOPLE: u32 = 100_000;
/// People who are known before everybody else comes, as by a merger.
const KNOWN: u32 = 1_000;
/// Bare writes that what is written of everybody is compared with.
const BARE: usize = 5_000;
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
    let idle = idle_writes(&rollcall, "100,000 people: Person writes of a sync with no change").await;

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
        idle,
        Figure { figure: "100,000 people: memory of sync", value: memory, unit: "MiB", bar: Some(("at most", 400.0)) },
        seconds("100,000 people: start → first leaver known", restart, Some(("at most", 20.0))),
    ]
}

/// What it costs that everybody gets a Person, and how long a leaver waits meanwhile.
pub async fn everybody() -> Vec<Figure> {
    let rollcall = Installation::new("bench-all", &[("apps", Consent::Accounts)]).await;
    rollcall.account_of("7", "apps", "seven").await;
    let (sync, _control) = (rollcall.sync().await, rollcall.control().await);
    let files = FileServer::serving(rollcall.staff(0..KNOWN).csv()).await;
    rollcall
        .connect(json!({"source": {"file": {"from": {"configMap": null, "http": {"url": files.url}}}},
                        "network": {"allowPrivateAddresses": true}}))
        .await;
    rollcall.policy(json!({"maxPeople": PEOPLE})).await;
    written(&rollcall).await;
    let staff = rollcall.staff(0..PEOPLE);
    files.answers(200, "text/csv", staff.csv());
    let begun = Instant::now();
    rollcall.poll().await;
    let tenth = PEOPLE as usize / 10;
    within(Duration::from_secs(120), "a tenth is written", || async {
        (persons(&rollcall).await >= tenth).then_some(())
    })
    .await;
    files.answers(200, "text/csv", staff.person("7").terminated().csv());
    rollcall.poll().await;
    let released = within(Duration::from_secs(120), "the leaver is released", || async {
        let all: Api<Revocation> = rollcall.api();
        let all = all.list(&ListParams::default()).await.unwrap().items;
        let cut = all.into_iter().find(|one| one.spec.operation == Operation::Cut)?;
        let instants = cut.status?.instants?;
        Some(instants.released?.duration_since(instants.seen?))
    })
    .await;
    assert!(persons(&rollcall).await < PEOPLE as usize, "the first sync was over before: the figure would say nothing");
    let policies: Api<SyncPolicy> = rollcall.api();
    let newest = rollcall.poll().await.status.and_then(|status| status.last_trusted).unwrap().response;
    within(Duration::from_secs(1200), "everybody is written", || async {
        let response = policies.get(POLICY).await.unwrap().status?.connections.pop()?.response;
        (response.as_ref() == Some(&newest)).then_some(())
    })
    .await;
    let ours = begun.elapsed();
    let (memory, peak) = (memory_of(&sync), peak_of(&sync));
    let idle = idle_writes(&rollcall, "Person writes of a sync with no change at 100,000").await;
    drop(sync);
    let bare = bare_writes(&rollcall, BARE).await;
    let per_second = f64::from(PEOPLE - KNOWN) / ours.as_secs_f64();
    let ceiling = BARE as f64 / bare.as_secs_f64();
    vec![
        Figure {
            figure: "first sync of 100,000, of the bare write ceiling",
            value: per_second / ceiling,
            unit: "×",
            bar: Some(("at least", 0.9)),
        },
        Figure { figure: "first sync of 100,000", value: ours.as_secs_f64(), unit: "s", bar: None },
        Figure {
            figure: "a termination during it, seen → released",
            value: released.as_secs_f64(),
            unit: "s",
            bar: Some(("at most", 5.0)),
        },
        idle,
        Figure { figure: "memory of sync at 100,000", value: memory, unit: "MiB", bar: Some(("at most", 400.0)) },
        Figure { figure: "most memory of sync during it", value: peak, unit: "MiB", bar: None },
    ]
}

/// How many Persons there are, without reading them.
async fn persons(rollcall: &Installation) -> usize {
    let people: Api<Person> = rollcall.api();
    let first = people.list_metadata(&ListParams::default().limit(1)).await.unwrap();
    first.items.len() + usize::try_from(first.metadata.remaining_item_count.unwrap_or_default()).unwrap_or_default()
}
