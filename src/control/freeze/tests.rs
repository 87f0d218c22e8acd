use super::*;
use crate::control::revocation::tests::facts as every_gate_open;

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
        heir: None,
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
        let held = still_held(&approved, &drawn, &shown.into_iter().collect(), standing);
        assert_eq!(held.into_iter().map(|target| target.name.as_str()).collect::<Vec<_>>(), expected, "{what}");
    }
}
