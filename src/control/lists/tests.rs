//! What becomes of a list that another process writes too, and of one whose writes hang.

use std::future::ready;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::kube::scenario::{Call, Scenario, on};

fn context(scenario: &Scenario) -> Context {
    let options = super::super::Options { namespace: "rollcall".into(), ..Default::default() };
    Context::new(scenario.client(), options, || jiff::Timestamp::UNIX_EPOCH, Arc::default())
}

/// The calls about one kind of list.
struct Of {
    kind: &'static str,
    plural: &'static str,
    name: &'static str,
    field: &'static str,
}

const TRIM: Of = Of { kind: "TrimmableSubjects", plural: "trimmablesubjects", name: names::TRIM, field: "subjects" };
const RECREATE: Of =
    Of { kind: "RecreatableAccounts", plural: "recreatableaccounts", name: names::RECREATE, field: "owners" };
const ENDED: Of = Of { kind: "EndedAccess", plural: "endedaccesses", name: names::ENDED, field: "ended" };

impl Of {
    fn all(&self) -> String {
        format!("/apis/rollcall.dev/v1alpha1/namespaces/rollcall/{}", self.plural)
    }

    fn object(&self, listed: &Value) -> Value {
        json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": self.kind,
            "metadata": {"name": self.name, "resourceVersion": "1"}, "spec": {self.field: listed}})
    }

    fn read(&self, listed: &Value) -> Call {
        on(&format!("GET {}/{}", self.all(), self.name)).answers(self.object(listed))
    }

    fn put(&self, listed: &Value) -> Call {
        let sends = json!({"metadata": {"resourceVersion": "1"}, "spec": {self.field: listed}});
        on(&format!("PUT {}/{}", self.all(), self.name)).sends(sends).answers(self.object(listed))
    }
}

fn listed(value: &Value) -> Listed {
    serde_json::from_value(value.clone()).unwrap()
}

fn owners(value: &Value) -> RecreatableAccountsSpec {
    RecreatableAccountsSpec { owners: listed(value), ..RecreatableAccountsSpec::default() }
}

/// Keeps a list for so many seconds, told of a change at each of these.
async fn kept<L: List>(scenario: &Scenario, seconds: u64, changes: &[u64], wanted: impl Fn(L::On) -> Option<L::On>) {
    let (ctx, changed, begun) = (context(scenario), Notify::new(), Instant::now());
    let tells = async {
        for at in changes {
            tokio::time::sleep_until(begun + Duration::from_secs(*at)).await;
            changed.notify_one();
        }
    };
    let kept = tokio::time::timeout(
        Duration::from_secs(seconds),
        keep::<L, _>(&ctx, &changed, |before| ready(Ok(wanted(before)))),
    );
    assert!(futures::join!(kept, tells).0.is_err(), "it is kept for ever");
    scenario.is_over();
}

#[tokio::test(start_paused = true)]
async fn what_another_that_leads_too_writes_over_a_list_is_put_right_and_an_empty_list_is_left_in_peace() {
    let (one, none) = (json!({"b1 oidc:ada@example.com": "p-7-cut"}), json!({}));
    let scenario = Scenario::default()
        .then(TRIM.read(&none))
        .then(TRIM.put(&one))
        .then(TRIM.read(&none)) // somebody has written it over with what they knew before
        .then(TRIM.put(&one))
        .then(TRIM.read(&one))
        .then(TRIM.read(&one))
        .then(TRIM.put(&none)) // it is done
        .then(TRIM.read(&none));
    let (begun, done) = (Instant::now(), 12);
    let wanted = |_: Listed| {
        let over = begun.elapsed() >= Duration::from_secs(done);
        Some(if over { Listed::new() } else { listed(&one) })
    };
    kept::<TrimmableSubjects>(&scenario, 3600, &[done], wanted).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_that_another_process_listed_before_it_was_deleted_is_not_taken_off_by_one_that_never_saw_it() {
    let (mine, both) = (json!({"apps/web": "id:hq/8"}), json!({"apps/laptop": "id:hq/7", "apps/web": "id:hq/8"}));
    let scenario = Scenario::default()
        .then(RECREATE.read(&json!({})))
        .then(RECREATE.put(&mine).fails(409)) // the other one was there first
        .then(RECREATE.read(&json!({"apps/laptop": "id:hq/7"})))
        .then(RECREATE.put(&both))
        .then(RECREATE.read(&json!({"apps/laptop": "id:hq/7"}))) // and writes once more what it knew before
        .then(RECREATE.put(&both));
    // Both are still to be made again; whose one of them was, only the other process saw.
    let wanted = |before: RecreatableAccountsSpec| {
        let known = before.owners.into_iter().filter(|(place, _)| *place == "apps/laptop");
        Some(RecreatableAccountsSpec {
            owners: known.chain(listed(&mine)).collect(),
            ..RecreatableAccountsSpec::default()
        })
    };
    kept::<RecreatableAccounts>(&scenario, 8, &[], wanted).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_never_answered_ends_by_its_deadline_and_is_made_again_over_what_stands_then() {
    let (one, none) = (json!({"apps/web": "id:hq/8"}), json!({}));
    let scenario = Scenario::default()
        .then(RECREATE.read(&none))
        .then(RECREATE.put(&one).hangs())
        .then(RECREATE.read(&none).hangs()) // and so is the read after it
        .then(RECREATE.read(&none))
        .then(RECREATE.put(&one));
    kept::<RecreatableAccounts>(&scenario, 74, &[], |_| Some(owners(&one))).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_has_something_on_it_for_years_is_looked_at_less_and_less_and_one_that_is_empty_is_not_made() {
    let (one, none) = (json!({"ServiceAccount apps/ci": "p-7-remove"}), json!({}));
    let absent = || on(&format!("GET {}/{}", ENDED.all(), ENDED.name));
    let empty = Scenario::default().then(absent()).then(absent());
    kept::<EndedAccess>(&empty, 3600, &[], |_: Listed| Some(Listed::new())).await;

    let mut scenario = Scenario::default().then(ENDED.read(&none)).then(ENDED.put(&one));
    for _look in ["5 s", "15 s", "35 s", "75 s", "155 s", "315 s", "635 s", "1275 s", "2555 s"] {
        scenario = scenario.then(ENDED.read(&one));
    }
    kept::<EndedAccess>(&scenario, 3600, &[], |_: Listed| Some(listed(&one))).await;
}

#[tokio::test(start_paused = true)]
async fn while_everything_is_stopped_a_list_is_left_as_it_is_and_not_asked_about_again_and_again() {
    let one = json!({"User oidc:ada@example.com": "p-7-cut"});
    let scenario = Scenario::default().then(ENDED.read(&json!({}))).then(ENDED.put(&one)).then(ENDED.read(&json!({})));
    let (begun, asked) = (Instant::now(), Mutex::new(0));
    let wanted = |_: Listed| {
        *asked.lock().unwrap() += 1;
        (begun.elapsed() < Duration::from_secs(3)).then(|| listed(&one)) // stopped before the first look
    };
    kept::<EndedAccess>(&scenario, 12, &[], wanted).await;
    assert_eq!(asked.into_inner().unwrap(), 2, "once at the start, once by the look");
}
