//! Somebody leaves before HR knows: a human says so, with a right of their own, and the word is their own.

use kube::ResourceExt;
use rollcall::api::person::State;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::policies::guarded;
use crate::support::attempts::Try::{Create, Patch as Change};
use crate::support::attempts::{PEOPLE, bind_role, each};
use crate::support::installation::{Consent, Installation};
use crate::support::tokens::{mint_unbound, refused};

#[tokio::test]
async fn whoever_walks_out_is_cut_at_once_and_hr_confirms_it_later() {
    let (rollcall, _running, staff) = Installation::with_seven("walk-out", Consent::Accounts, json!({})).await;
    let apps = rollcall.target("apps");
    let token = mint_unbound(&rollcall.admin, &apps, "seven").await;
    let record = format!("{}/7", rollcall.connection);
    rollcall.succeeds(&["leave-now", &record, "--reason", "walked out", "--yes"]);
    let cut = rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    refused("seven", &token).await;
    assert!(cut.spec.approval.is_none(), "it waited for nobody");
    let why = rollcall.person("7").await.unwrap().status.unwrap().employment.unwrap().why;
    assert_eq!(why, "Declared");

    rollcall.learn(&staff.person("7").terminated()).await;
    rollcall.succeeds(&["leave-now", &record, "--withdraw", "--yes"]);
    rollcall.becomes("7", State::Terminated, "Terminated").await; // HR's word counts
    let cuts = rollcall.all_revocations().await.into_iter().filter(|one| one.spec.operation == Operation::Cut);
    assert_eq!(cuts.map(|one| one.name_any()).collect::<Vec<_>>(), [cut.name_any()], "the same exit");
    rollcall.succeeds(&["stays", &record, "--reason", "a mistake of HR", "--yes"]);
    rollcall.becomes("7", State::Active, "DeclaredActive").await;
    rollcall.succeeds(&["stays", &record, "--withdraw", "--yes"]);
    rollcall.becomes("7", State::Terminated, "Terminated").await;
    let says = rollcall.fails(&["leave-now", &record, "--withdraw", "--yes"]);
    assert!(says.contains("nobody declared"), "{says}");
}

#[tokio::test]
async fn nobody_declares_without_the_right_or_in_the_name_of_another() {
    let rollcall = guarded("declares", &[]).await;
    for role in ["declarer", "linker"] {
        bind_role(&rollcall, role, role).await;
    }
    let word = |by: &str| json!({"declared": {"reason": "walked out", "until": "2126-01-01T00:00:00Z", "by": by}});
    let says = |by: &str| json!({"spec": word(by)});
    let stays = |until: &str| {
        let at = "2026-03-10T12:00:00Z";
        json!({"spec": {"declared": {"reason": "late", "by": "declarer", "state": "Active", "at": at, "until": until}}})
    };
    let sync = rollcall.identity("sync");
    let rows = vec![
        ("declarer", "declares", PEOPLE, Change("p-7", says("declarer")), "none"),
        ("declarer", "in another's name", PEOPLE, Change("p-7", says("linker")), "policy"),
        ("linker", "without the verb", PEOPLE, Change("p-7", says("linker")), "policy"),
        ("sync", "declares", PEOPLE, Change("p-7", says(&sync)), "policy"),
        ("sync", "makes somebody who leaves", PEOPLE, Create(declared_person(&sync)), "policy"),
        ("sync", "makes somebody who is held", PEOPLE, Create(held_person(&sync)), "policy"),
        (
            "admin",
            "makes somebody who leaves, in another's name",
            PEOPLE,
            Create(declared_person("declarer")),
            "policy",
        ),
        ("admin", "makes somebody who leaves, as from a backup", PEOPLE, Create(declared_person("ada")), "none"),
        ("admin", "makes somebody who is held, as from a backup", PEOPLE, Create(held_person("declarer")), "none"),
        ("declarer", "says that they stay", PEOPLE, Change("p-7", stays("2026-05-01T00:00:00Z")), "none"),
        ("declarer", "for too long", PEOPLE, Change("p-7", stays("2026-07-01T00:00:00Z")), "schema"),
        ("declarer", "without a time", PEOPLE, Change("p-7", json!({"spec": {"declared": {"at": null}}})), "schema"),
        ("linker", "that they stay, without the verb", PEOPLE, Change("p-7", stays("2026-04-01T00:00:00Z")), "policy"),
        ("control", "declares", PEOPLE, Change("p-7", says("control")), "rbac"),
    ];
    each(&rollcall, &rollcall.namespace, rows).await;
}

fn held_person(by: &str) -> Value {
    json!({"metadata": {"name": "p-9"}, "spec": {
        "records": [{"connection": "hq", "id": "9"}],
        "hold": {"reason": "under inquiry", "until": "2126-01-01T00:00:00Z", "by": by},
    }})
}

fn declared_person(by: &str) -> Value {
    json!({"metadata": {"name": "p-9"}, "spec": {
        "records": [{"connection": "hq", "id": "9"}],
        "declared": {"reason": "walked out", "until": "2126-01-01T00:00:00Z", "by": by},
    }})
}
