use super::*;
use crate::kube::scenario::{Scenario, on};
use domain::gate::Approval;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub fn facts() -> Facts {
    Facts {
        stopped: None,
        leaver_status: LeaverStatus::Ended,
        hold: None,
        protected: false,
        rejected: false,
        enforce: true,
        settled: true,
        due: NOW,
        trusted: true,
        leaves_scope: false,
        removal: false,
        begun: false,
        baseline: false,
        late: false,
        allowance: Allowance::Uncounted,
        counted: "h".into(),
        approved: None,
        approvals_last: SignedDuration::from_hours(24),
        claimed: false,
    }
}

fn plan() -> Plan {
    Plan { hash: "h".into(), ..Plan::default() }
}

fn revocation(approved: Option<&str>, status: Value) -> Revocation {
    let approval = approved.map(|hash| json!({"planHash": hash, "by": "admin", "at": NOW}));
    serde_json::from_value(json!({
        "metadata": {"name": "a-cut", "uid": "u", "labels": {names::RUN: "r-1"}},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Termination", "operation": "Cut",
                 "due": "1970-01-01T00:00:00Z", "reason": "left", "approval": approval},
        "status": status,
    }))
    .unwrap()
}

#[test]
fn what_is_counted_is_a_plan_that_is_shown_and_stands_of_one_who_may_be_acted_on() {
    let shown = json!({"plan": {"hash": "h", "targets": []}});
    let held = || Allowance::Held { batch: "b-1".into(), baseline: false, over: None };
    let later = NOW + SignedDuration::from_secs(1);
    let run = || Some(Wish::Count("everyone".into(), "r-1".into()));
    let approve = || Some(Wish::Approve("everyone".into(), "a-cut".into()));
    let remove = || Some(Wish::Remove("everyone".into(), "a-cut".into()));
    let expire = || Some(Wish::Expire("everyone".into(), "a-cut".into()));
    let out_of = || Allowance::Released { batch: Some("b-1".into()) };
    let old = || Some(Approval { plan: "h".into(), at: NOW - SignedDuration::from_hours(24), whole: true });
    let cases = [
        ("not counted", None, facts(), run()),
        (
            "held by a human: it is counted all the same",
            None,
            Facts { hold: Some(domain::gate::Hold { reason: "x".into(), until: later }), ..facts() },
            run(),
        ),
        ("another plan is shown", None, Facts { counted: "g".into(), ..facts() }, None),
        ("the policy observes", None, Facts { enforce: false, ..facts() }, None),
        ("no baseline yet", None, Facts { settled: false, ..facts() }, None),
        ("stopped", None, Facts { stopped: Some("x".into()), ..facts() }, None),
        ("back at work", None, Facts { leaver_status: LeaverStatus::Employed, ..facts() }, None),
        ("out of scope", None, Facts { leaver_status: LeaverStatus::OutOfScope, ..facts() }, None),
        ("protected", None, Facts { protected: true, ..facts() }, None),
        ("rejected", None, Facts { rejected: true, ..facts() }, None),
        ("late: it waits alone", None, Facts { late: true, ..facts() }, None),
        ("a removal that is due", None, Facts { removal: true, ..facts() }, remove()),
        ("a removal that is not", None, Facts { removal: true, due: later, ..facts() }, None),
        ("held", None, Facts { allowance: held(), ..facts() }, None),
        ("held and approved", Some("h"), Facts { allowance: held(), ..facts() }, approve()),
        ("held, and another plan approved", Some("g"), Facts { allowance: held(), ..facts() }, None),
        ("held, and approved too long ago", Some("h"), Facts { allowance: held(), approved: old(), ..facts() }, None),
        ("no room for it", None, Facts { allowance: Allowance::NoRoom, ..facts() }, run()),
        ("released", None, Facts { allowance: Allowance::Released { batch: None }, ..facts() }, None),
        ("released by an approval", Some("h"), Facts { allowance: out_of(), ..facts() }, None),
        (
            "and nothing was done in time",
            Some("h"),
            Facts { allowance: out_of(), approved: old(), ..facts() },
            expire(),
        ),
        (
            "and the revoker has begun",
            Some("h"),
            Facts { allowance: out_of(), approved: old(), claimed: true, ..facts() },
            None,
        ),
    ];
    for (what, approved, facts, expected) in cases {
        let approval = approved.map(|plan| Approval { plan: plan.to_owned(), at: NOW, whole: true });
        let facts = Facts { approved: facts.approved.clone().or(approval), ..facts };
        assert_eq!(wish(&revocation(approved, shown.clone()), &facts, &plan(), NOW), expected, "{what}");
    }
    let mut by_hand = revocation(None, shown);
    by_hand.metadata.labels = None;
    let alone = Some(Wish::Alone("everyone".into(), "a-cut".into()));
    assert_eq!(wish(&by_hand, &facts(), &plan(), NOW), alone, "it belongs to no run");
}

#[test]
fn a_revoker_that_was_seen_to_say_nothing_for_a_minute_is_gone_whatever_its_clock_says() {
    let start = Instant::now();
    for at in ["1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let claims = Claims::default();
        let claimed = revocation(None, json!({"claim": {"by": "revoke-1", "at": at}}));
        for (seconds, expected) in [(0, false), (59, false), (60, true)] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(silent(&claims, &claimed, now), expected, "{at}, after {seconds} s");
        }
    }
    assert!(!silent(&Claims::default(), &revocation(None, json!(null)), start), "nobody began");
}

#[test]
fn what_waits_for_a_day_after_it_was_due_has_been_held_long() {
    let made = |due: &str, made: &str| {
        let mut revocation = revocation(None, Value::Null);
        revocation.spec.due = due.parse().unwrap();
        let made: Timestamp = made.parse().unwrap();
        revocation.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(made));
        revocation
    };
    let now = "2026-03-10T12:00:00Z".parse().unwrap();
    for (situation, due, at, expected) in [
        ("a day", "2026-03-09T12:00:00Z", "2026-03-09T12:00:00Z", true),
        ("not quite", "2026-03-09T12:00:01Z", "2026-03-09T12:00:00Z", false),
        ("due long ago, and found today", "2020-01-01T00:00:00Z", "2026-03-10T11:00:00Z", false),
        ("a removal that is still to come", "2026-03-20T00:00:00Z", "2026-03-01T00:00:00Z", false),
        ("a removal that was due", "2026-03-08T00:00:00Z", "2026-03-01T00:00:00Z", true),
    ] {
        assert_eq!(held_long(&made(due, at), now), expected, "{situation}");
    }
}

#[tokio::test]
async fn nothing_is_cancelled_whose_termination_stands_by_a_live_read_that_the_watch_is_behind_of() {
    let seen: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let cut = format!("{}-cut", domain::roster::termination_id("p-7", seen));
    let mut revocation = revocation(None, Value::Null);
    revocation.metadata.name = Some(cut);
    let person = |state: &str| {
        json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "Person", "metadata": {"name": "p-7", "uid": "u-7"},
            "spec": {"records": [{"connection": "hq", "id": "7"}]},
            "status": {"policy": "everyone", "employment": {"state": state, "since": seen, "seen": seen, "timeZone": "UTC", "why": state}}})
    };
    let inputs = GateInputs {
        revocation: revocation.clone(),
        person: Some(serde_json::from_value(person("Active")).unwrap()),
        policy: None,
        trusted: true,
        ledger: None,
        stopped: None,
    };
    assert_eq!(inputs.facts().leaver_status, LeaverStatus::Employed, "by the watch");
    let read =
        |state: &str| on("GET /apis/rollcall.dev/v1alpha1/namespaces/rollcall/people/p-7").answers(person(state));
    let seals = on("GET /api/v1/namespaces/rollcall/configmaps/rollcall-evidence-head").fails(403);
    for (state, scenario, said) in [
        ("Terminated", Scenario::default().then(read("Terminated")), "by a live read"),
        ("Active", Scenario::default().then(read("Active")).then(seals), "403"),
    ] {
        let options = super::super::Options { namespace: "rollcall".into(), ..Default::default() };
        let ctx = Context::new(scenario.client(), options, || NOW, Arc::default());
        let mut part = ControlStatus::of(&revocation);
        let fault = cancel(&ctx, &inputs, &mut part).await.unwrap_err().to_string();
        assert!(fault.contains(said) && part.phase.is_none(), "{state}: {fault}");
        scenario.is_over();
    }
}
