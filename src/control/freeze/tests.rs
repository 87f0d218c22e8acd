use super::*;
use crate::control::revocation::tests::facts as every_gate_open;
use crate::kube::scenario::{Scenario, on};

fn facts(leaver_status: LeaverStatus) -> Facts {
    Facts { leaver_status, ..every_gate_open() }
}

#[test]
fn a_freeze_is_lifted_by_a_return_or_by_a_human_and_by_nothing_that_cannot_be_told() {
    let on_leave = || facts(LeaverStatus::Ended);
    let back = || facts(LeaverStatus::Employed);
    for (what, facts, expected) in [
        ("on leave", on_leave(), Standing::Stands),
        ("back", back(), Standing::Over),
        ("out of scope", facts(LeaverStatus::OutOfScope), Standing::Over),
        ("cannot be told", facts(LeaverStatus::Unknown), Standing::Untold),
        ("rejected", Facts { rejected: true, ..on_leave() }, Standing::Over),
        ("protected", Facts { protected: true, ..on_leave() }, Standing::Over),
        ("everything is stopped", Facts { stopped: Some("why".into()), ..back() }, Standing::Stopped),
        ("the policy observes by now", Facts { enforce: false, ..on_leave() }, Standing::Stands),
        ("a new baseline", Facts { settled: false, baseline: true, ..on_leave() }, Standing::Stands),
        ("the newest response is held", Facts { trusted: false, ..on_leave() }, Standing::Stands),
    ] {
        assert_eq!(standing(&facts), expected, "{what}");
    }
}

#[test]
fn a_name_that_is_a_colleagues_by_now_is_not_held_and_none_is_added_of_somebody_of_whom_nothing_can_be_told() {
    let target = |name: &str| Target {
        action: domain::plan::Action::Freeze,
        kind: domain::plan::Kind::User,
        namespace: String::new(),
        name: name.to_owned(),
        uid: String::new(),
        why: "user name".to_owned(),
    };
    let approved = [target("ada"), target("ada.l")];
    let all = || vec![target("ada"), target("ada.l")];
    let one = || vec![target("ada")];
    for (what, drawn, shown, standing, expected) in [
        ("all are theirs", all(), all(), Standing::Stands, vec!["ada", "ada.l"]),
        ("one is a colleague's by now, as it begins", one(), vec![], Standing::Stands, vec!["ada"]),
        ("one is a colleague's by now", one(), all(), Standing::Stands, vec!["ada"]),
        ("the same, of whom nothing can be told", one(), all(), Standing::Untold, vec!["ada"]),
        ("one is theirs alone again", all(), one(), Standing::Stands, vec!["ada", "ada.l"]),
        ("the same, of whom nothing can be told", all(), one(), Standing::Untold, vec!["ada"]),
        ("one came to them since", vec![target("new")], all(), Standing::Stands, vec![]),
    ] {
        let drawn = domain::plan::Plan { hash: String::new(), targets: drawn, remaining: vec![], workloads: 0 };
        let held = still_held(&approved, &drawn, &shown.into_iter().collect(), standing);
        assert_eq!(held.into_iter().map(|target| target.name.as_str()).collect::<Vec<_>>(), expected, "{what}");
    }
}

fn wanted(revocation: &str, names: usize) -> Wanted {
    let names = (0..names).map(|n| format!("{revocation}-{n:020}")).collect();
    Wanted { revocation: revocation.to_owned(), names, answer: oneshot::channel().0 }
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
    let object = serde_json::json!({"apiVersion": "rollcall.dev/v1alpha1", "kind": "FrozenNames",
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
