//! Who finds room on the list, and what is lifted of it.

use serde_json::json;

use super::*;
use crate::kube::scenario::{Scenario, on};

fn wanted(revocation: &str, names: usize) -> Wanted {
    let names = (0..names).map(|n| format!("{revocation}-{n:020}")).collect();
    Wanted { revocation: revocation.to_owned(), names, answer: oneshot::channel().0 }
}

#[test]
fn what_was_not_frozen_is_tried_a_few_times_and_what_waits_for_somebody_is_not() {
    let (freezes, lost) = (Freezes::default(), Fault::unanswered(WRITES));
    let tried: Vec<bool> = (0..TRIES).map(|_| freezes.tried("a", Some(&lost))).collect();
    assert_eq!(tried, [true, true, true, true, false]);
    assert!(!freezes.tried("b", Some(&full_fault())) && freezes.tries("b") >= TRIES);
    assert!(!freezes.tried("a", None) && freezes.tries("a") == 0, "it stands");
}

#[test]
fn who_finds_no_room_on_the_list_keeps_nobody_else_off_it() {
    let mut list = List::default();
    let full = apply(&mut list, &[wanted("a", 2), wanted("huge", 20_000), wanted("b", 1)]);
    assert_eq!(full, BTreeSet::from(["huge".to_owned()]));
    assert_eq!(list.holders().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(apply(&mut list, &[wanted("a", 0), wanted("huge", 20_000)]), full);
    assert_eq!(list.holders().collect::<Vec<_>>(), ["b"], "a full list lets go");
}

#[tokio::test(start_paused = true)]
async fn a_write_of_the_list_that_is_never_answered_ends_by_its_deadline() {
    let list = "/apis/rollcall.dev/v1alpha1/namespaces/ns/frozennames";
    let object = json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "FrozenNames",
        "metadata": {"name": names::FROZEN, "resourceVersion": "1"}, "spec": {"names": {"ada": "p-7-freeze"}}});
    let scenario = Scenario::default()
        .then(on(&format!("GET {list}/{}", names::FROZEN)).answers(object))
        .then(on(&format!("PUT {list}/{}", names::FROZEN)).hangs());
    let api: Api<FrozenNames> = Api::namespaced(scenario.client(), "ns");
    let (answer, _hears) = oneshot::channel();
    let wanted = Wanted { revocation: "p-7-freeze".to_owned(), names: Default::default(), answer };
    let fault = swap_list(&api, &[wanted]).await.unwrap_err();
    assert_eq!(fault.to_string(), format!("{WRITES}: no answer in time"));
    scenario.is_over();
}

const LIST: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/frozennames";
const REVOCATION: &str = "/apis/rollcall.dev/v1alpha1/namespaces/rollcall/revocations/p-7-freeze";

fn list(names: &serde_json::Value) -> serde_json::Value {
    json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "FrozenNames",
        "metadata": {"name": names::FROZEN, "resourceVersion": "1"}, "spec": {"names": names}})
}

fn revocation(status: &serde_json::Value) -> serde_json::Value {
    json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "Revocation", "metadata": {"name": "p-7-freeze", "uid": "u"},
        "spec": {"person": "p-7", "personUid": "u-7", "policy": "everyone", "trigger": "Leave", "operation": "Freeze",
            "due": "2026-03-01T00:00:00Z", "reason": "on leave"}, "status": status})
}

/// One who is frozen by a Revocation that the watch shows like this, or not at all.
fn one_is_frozen(scenario: &Scenario, seen: Option<&serde_json::Value>) -> Context {
    let options = crate::control::Options { namespace: "rollcall".into(), ..Default::default() };
    let ctx = Context::new(scenario.client(), options, || jiff::Timestamp::UNIX_EPOCH, Arc::default());
    ctx.stores.learn_frozen(serde_json::from_value(list(&json!({"ada": "p-7-freeze"}))).unwrap());
    if let Some(seen) = seen {
        ctx.stores.learn(serde_json::from_value(revocation(seen)).unwrap());
    }
    ctx
}

#[tokio::test]
async fn what_a_watch_that_is_behind_does_not_show_as_frozen_is_lifted_only_where_it_does_not_stand() {
    let [held, frozen, over] = ["Held", "Frozen", "Cancelled"].map(|phase| json!({"phase": phase}));
    let gone = || on(&format!("GET {REVOCATION}"));
    let lifted = |scenario: Scenario| {
        let (read, empty) = (|| on(&format!("GET {LIST}/{}", names::FROZEN)), list(&json!({})));
        let put = on(&format!("PUT {LIST}/{}", names::FROZEN)).sends(json!({"spec": {"names": {}}}));
        let before = list(&json!({"ada": "p-7-freeze"}));
        scenario.then(read().answers(before)).then(put.answers(empty.clone())).then(read().answers(empty))
    };
    let shows = |status| Scenario::default().then(gone().answers(revocation(status)));

    for (what, scenario) in [
        ("it was written a moment ago", shows(&frozen)),
        ("the process that froze died", lifted(shows(&held))),
        ("it is gone", lifted(Scenario::default().then(gone()))),
    ] {
        clear(&one_is_frozen(&scenario, Some(&held)), "p-7-freeze").await.expect(what);
        scenario.is_over();
    }
    for (what, seen, scenario) in [
        ("a new one that the watch does not show yet", None, shows(&held)),
        ("frozen again a moment ago", Some(&over), shows(&frozen)),
        ("held, by the watch", Some(&held), Scenario::default()),
        ("over", Some(&over), lifted(shows(&over))),
        ("gone", None, lifted(Scenario::default().then(gone()))),
    ] {
        tidy(&one_is_frozen(&scenario, seen)).await.expect(what);
        scenario.is_over();
    }
}
