//! Somebody moves: it is reported, reviewed where the policy says so, and answered by a human with a right of their own.

use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use rollcall::api::condition::{ConditionType, Status};
use rollcall::api::person::{Moves, State};
use rollcall::api::{Person, SyncPolicy};
use serde_json::{Value, json};

use crate::policies::guarded;
use crate::says_who_left::remember;
use crate::support::attempts::Try::{Create, Patch as Change};
use crate::support::attempts::{PEOPLE, bind_role, each};
use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::waiting::eventually;

async fn moves(rollcall: &Installation, id: &str) -> Option<Moves> {
    rollcall.person(id).await?.status?.moves.map(|moves| *moves)
}

#[tokio::test]
async fn a_mover_is_reported_and_reviewed_and_keeps_what_a_human_says() {
    let rollcall = Installation::new("movers", &[("apps", Consent::Accounts)]).await;
    let _sync = rollcall.sync().await;
    rollcall.connect(json!({})).await;
    let lifecycle = json!({"move": {"fields": ["department", "title"], "then": "Review", "due": "7d"}});
    rollcall.policy(json!({ "lifecycle": lifecycle })).await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = || rollcall.staff(1..11).everybody_in("Sales").person("7").column("title", "Clerk");
    rollcall.learn(&staff()).await;
    rollcall.learn(&staff().department("Support").column("title", "Lead")).await;
    let moved = moves(&rollcall, "7").await.expect("a move");
    let review = moved.review.expect("a review");
    assert_eq!(serde_json::to_value(&review.fields).unwrap(), json!(["department", "title"]));
    assert!(moves(&rollcall, "8").await.is_none_or(|moves| moves.last.is_none()), "nobody else moved");
    let policy: SyncPolicy = rollcall.api().get(POLICY).await.unwrap();
    let counted = policy.status.unwrap().moves.unwrap();
    assert_eq!((counted.people, counted.reviews, counted.overdue), (1, 1, 0));

    let record = format!("{}/7", rollcall.connection);
    let listed = rollcall.succeeds(&["people", "--movers"]);
    assert!(
        listed.contains(&record) && listed.contains("department, title") && listed.lines().count() == 2,
        "{listed}"
    );
    assert!(rollcall.succeeds(&["review"]).contains(&record));
    let account = format!("ServiceAccount {}/seven", rollcall.target("apps"));
    assert!(rollcall.succeeds(&["review", &record]).contains(&account));
    let written = serde_json::to_string(&rollcall.person("7").await).unwrap();
    assert!(
        !written.contains("Clerk") && !written.contains("Lead"),
        "of a title that is not kept, nothing stands: {written}"
    );

    rollcall.succeeds(&["review", &record, "--keep", "--reason", "still runs it", "--yes"]);
    eventually("the review is answered", || async { moves(&rollcall, "7").await?.review.is_none().then_some(()) })
        .await;
    assert!(rollcall.fails(&["review", &record, "--keep", "--reason", "again", "--yes"]).contains("no review"));
    let person = rollcall.person("7").await.unwrap();
    assert_eq!(person.status.unwrap().employment.unwrap().state, State::Active);
    assert_eq!(person.spec.review.unwrap().of, review.since, "who decided, and on what, stays");
    assert!(rollcall.all_revocations().await.is_empty(), "no move ends any access");
}

#[tokio::test]
async fn a_review_that_nobody_answers_is_overdue_and_ends_nothing() {
    let rollcall = Installation::new("overdue", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"lifecycle": {"move": {"then": "Review", "due": "7d"}}})).await;
    rollcall.account_of("7", "apps", "seven").await;
    let staff = || rollcall.staff(1..11).everybody_in("Sales").person("7");
    rollcall.learn(&staff()).await;
    rollcall.learn(&staff().department("Support")).await;
    let overdue = |person: &Person| {
        let conditions = &person.status.as_ref().unwrap().conditions;
        conditions.iter().any(|one| one.is(ConditionType::ReviewOverdue, Status::True))
    };
    let person = rollcall.person("7").await.unwrap();
    assert!(!overdue(&person), "it is due in a week");
    remember(&rollcall, "7", "/status/moves/review/due", json!("2026-01-01T09:00:00Z")).await;
    eventually("the review is overdue", || async { overdue(&rollcall.person("7").await?).then_some(()) }).await;
    let policies: Api<SyncPolicy> = rollcall.api();
    eventually("it is counted", || async {
        let moves = policies.get(POLICY).await.unwrap().status?.moves?;
        (moves.overdue == 1).then_some(())
    })
    .await;
    let record = format!("{}/7", rollcall.connection);
    assert!(rollcall.succeeds(&["why", &record]).contains("overdue since 2026-01-01"));
    assert!(rollcall.all_revocations().await.is_empty(), "nobody's access ends by it");
    assert!(rollcall.get_account("apps", "seven").await.is_some());
}

#[tokio::test]
async fn many_moves_at_once_wait_for_a_human() {
    let rollcall = Installation::new("many-movers", &[]).await;
    let _sync = rollcall.sync().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({"lifecycle": {"move": {"then": "Review"}}})).await;
    rollcall.learn(&rollcall.staff(1..13).everybody_in("Sales")).await;
    rollcall.learn(&rollcall.staff(1..13).everybody_in("Sales and marketing")).await;
    let policies: Api<SyncPolicy> = rollcall.api();
    let said = async |status: Status| {
        eventually(&format!("MovesSettled is {}", status.as_str()), || async {
            let conditions = policies.get(POLICY).await.unwrap().status?.conditions;
            conditions.into_iter().find(|one| one.is(ConditionType::MovesSettled, status))
        })
        .await
    };
    let many = said(Status::False).await;
    assert_eq!(moves(&rollcall, "1").await.expect("what was is remembered").last, None);
    let digest = many.message.split("rollcall.dev/accept-moves=").nth(1).unwrap().split(' ').next().unwrap();
    let marked = Patch::Merge(json!({"metadata": {"annotations": {"rollcall.dev/ignore-moves": digest}}}));
    policies.patch(POLICY, &PatchParams::default(), &marked).await.unwrap();
    said(Status::True).await;
    eventually("nobody moved", || async { moves(&rollcall, "1").await.is_none().then_some(()) }).await;
}

#[tokio::test]
async fn a_review_is_answered_by_those_who_may_in_their_own_name_and_never_by_the_mover() {
    let rollcall = guarded("reviews", &[]).await;
    let since = "2026-03-01T09:00:00Z";
    let sync = rollcall.cluster.acting_as(&rollcall.identity("sync"), &["system:authenticated"]).await;
    let people: Api<Person> = Api::namespaced(sync, &rollcall.namespace);
    let review = json!({"since": since, "fields": ["department"], "due": "2026-03-15T09:00:00Z"});
    let status = Patch::Merge(json!({"status": {"aliases": ["user:mover"], "moves": {"review": review}}}));
    people.patch_status("p-7", &PatchParams::default(), &status).await.unwrap();
    let ours = format!("system:serviceaccount:{}:pipeline", rollcall.namespace);
    for (who, role) in [("reviewer", "reviewer"), ("mover", "reviewer"), ("linker", "linker"), (&ours, "reviewer")] {
        bind_role(&rollcall, who, role).await;
    }
    let answer = |by: &str, of: &str| json!({"review": {"of": of, "reason": "still needed", "by": by, "at": since}});
    let says = |by: &str, of: &str| json!({"spec": answer(by, of)});
    let sync = rollcall.identity("sync");
    let rows = vec![
        ("reviewer", "answers", PEOPLE, Change("p-7", says("reviewer", since)), "none"),
        ("reviewer", "in another's name", PEOPLE, Change("p-7", says("linker", since)), "policy"),
        (
            "reviewer",
            "answers a review that is none",
            PEOPLE,
            Change("p-7", says("reviewer", "2026-02-01T09:00:00Z")),
            "policy",
        ),
        ("mover", "answers their own", PEOPLE, Change("p-7", says("mover", since)), "policy"),
        ("linker", "without the verb", PEOPLE, Change("p-7", says("linker", since)), "policy"),
        (&ours, "answers, although it may", PEOPLE, Change("p-7", says(&ours, since)), "policy"),
        ("sync", "answers", PEOPLE, Change("p-7", says(&sync, since)), "policy"),
        ("sync", "makes somebody who is reviewed", PEOPLE, Create(reviewed(&answer(&sync, since))), "policy"),
        ("control", "answers", PEOPLE, Change("p-7", says("control", since)), "rbac"),
    ];
    each(&rollcall, &rollcall.namespace, rows).await;
    assert_eq!(rollcall.all_persons().await.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["p-7"]);
}

fn reviewed(answer: &Value) -> Value {
    let mut spec = json!({"records": [{"connection": "hq", "id": "9"}]});
    spec["review"] = answer["review"].clone();
    json!({"metadata": {"name": "p-9"}, "spec": spec})
}
